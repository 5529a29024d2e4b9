//! Channels: places that sell our stock. Orders come in from them, quotas go out to them.
//!
//! The rules are `domain::exposure` (the most that a listing can still sell unseen) and `domain::quota` (who gets how many);
//! here is what keeps them in the same transaction as the stock they promise.

pub mod check;
pub mod connect;
pub mod health;
mod keys;
pub mod listings;
pub(crate) mod load;
pub mod outbox;
pub mod push;
pub(crate) mod quotas;
pub mod read;
pub mod rows;
pub mod search;
pub mod shares;
pub mod suggest;
pub mod sums;
pub mod take_orders;
pub mod webhook;
pub(crate) mod worker;
pub mod workers;
