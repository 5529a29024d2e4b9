//! Items and locations: what is sold, and from where.

pub mod items;
pub mod locations;
pub mod read;
pub(crate) mod rows;
