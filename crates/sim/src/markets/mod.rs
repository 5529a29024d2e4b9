//! Simulated marketplaces: real HTTP servers on loopback that answer as the vendors do, and misbehave as the vendors do.
//!
//! One [`market::Market`] holds the truth (what is shown, what buyers bought); a front in a file of its own speaks a vendor's
//! language over it as an axum Router; [`serve`] puts it on a socket; [`mishaps`] decides what goes wrong.

pub mod amazon;
pub mod ask;
pub mod ebay;
pub mod market;
pub mod mishaps;
pub mod serve;
pub mod shipbob;
pub mod shopify;
pub mod subscriptions;

pub use market::Market;
pub use mishaps::{Faults, Mishap};
pub use serve::{Delivery, Served, post, serve};

/// What a market tells by webhook, before a front puts it into its vendor's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Counts from 1; a repeated event has the same number.
    pub number: u64,
    pub kind: EventKind,
    /// When it happened, microseconds since 1970 UTC.
    pub at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Order ids.
    Placed(String),
    Paid(String),
    Changed(String),
    Canceled(String),
    /// A listing and what it shows now.
    Shown(String, i64),
}
