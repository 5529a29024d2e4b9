//! The statements that are no `Sql("…")` in the text: for the test that prepares every one on both databases.

use crate::db::{Lookup, Table};

/// Tables that are written in bulk.
pub const TABLES: &[&Table] = crate::model::TABLES;

/// Reads of many rows by a key.
pub const LOOKUPS: &[&[&Lookup]] = &[crate::batch::LOOKUPS, crate::sequencer::LOOKUPS];
