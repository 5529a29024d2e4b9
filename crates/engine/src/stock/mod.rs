//! Stock operations, one a file. All of them change levels through `Batch::post` alone.

pub mod adjust;
pub mod closings;
pub mod count;
pub(crate) mod feed;
pub mod holders;
pub mod list;
pub mod r#move;
pub mod movements;
pub mod read;
pub mod receive;
pub(crate) mod rows;
pub mod sales;
pub mod table;
pub mod transfer;
pub mod transfers;
pub mod undo;
mod walk;

pub use walk::Ledger;

use crate::batch::Batch;
use crate::views::{Balances, MovedLevel};
use domain::Refused;
use domain::limits;
use serde::Deserialize;
use std::collections::HashSet;
use utoipa::ToSchema;

/// An item and how many units of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkuLine {
    pub sku: String,
    /// Units, at least 1.
    pub quantity: i64,
}

/// Refuses no lines, too many lines, and the same SKU twice.
pub(crate) fn check_skus<'a>(skus: impl ExactSizeIterator<Item = &'a str>) -> Result<(), Refused> {
    limits::lines(skus.len())?;
    let mut seen = HashSet::with_capacity(skus.len());
    for (n, sku) in skus.enumerate() {
        if !seen.insert(sku) {
            return Err(Refused::DuplicateLine { sku: sku.into(), field: format!("lines[{n}].sku") });
        }
    }
    Ok(())
}

/// The levels of these (item, location) pairs as they are now.
pub(crate) fn moved(batch: &Batch<'_>, pairs: impl IntoIterator<Item = (i64, i64)>) -> Vec<MovedLevel> {
    let names = batch.names();
    let view = |(item, location)| MovedLevel {
        sku: names.sku(item),
        location: names.code(location),
        balances: Balances::new(batch.level(item, location).balances()),
    };
    pairs.into_iter().map(view).collect()
}
