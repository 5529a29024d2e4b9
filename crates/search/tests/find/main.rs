//! Search over a real database, through its public surface.

mod keeping;
mod ranking;
mod shop;
