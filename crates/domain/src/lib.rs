//! Decides. Pure rules of stock, kits, orders and routing: plain values in, a decision or a named refusal out.
//!
//! Not here: SQL, async, clocks, randomness, wire formats. Times, ids and figures come in as parameters.
//! Times are microseconds since 1970-01-01 UTC, money is in micro-units of a currency (1 USD = 1,000,000), quantities are units.

pub mod access;
pub mod assign;
pub mod exposure;
pub mod geo;
pub mod kit;
pub mod limits;
pub mod money;
pub mod quota;
pub mod refused;
pub mod routing;
pub mod steps;
pub mod stock;

pub use access::{Grant, Permission, Permissions};
pub use money::Money;
pub use refused::{Noun, Refused, Shortfall};
