//! What a warehouse that somebody else runs can be asked, in plain values: to send an order, how far it is, to cancel it,
//! and what it has. As with marketplaces, only a [`Wire`] sends.

use crate::account::{Account, Work};
use crate::marketplace::{Address, Page, Rejected};
use crate::transport::Wire;

/// Every warehouse there is.
pub const ALL: &[&dyn Warehouse] = &[&crate::amazon::fba::Fba, &crate::shipbob::ShipBob];

/// A warehouse by its word, such as `shipbob`.
pub fn by_word(word: &str) -> Option<&'static dyn Warehouse> {
    ALL.iter().copied().find(|w| w.word() == word)
}

/// A warehouse run by somebody else.
pub trait Warehouse: Account {
    /// How an order is sent if nothing else is set, in the warehouse's words.
    fn service(&self) -> &'static str;
    /// Hands an order over; answers the warehouse's id of it. Doing it again with the same reference answers the same and
    /// sends nothing twice; a lost reply is cured by asking again.
    fn hand_over<'a>(&'a self, wire: &'a Wire, order: &'a HandOver) -> Work<'a, String>;
    /// How far an order is.
    fn follow<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, Handed>;
    /// Stops an order. True if all of it will stay; false if some of it left or may leave: follow it.
    fn cancel<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, bool>;
    /// What the warehouse has, page by page.
    fn stock<'a>(&'a self, wire: &'a Wire, page: Option<String>) -> Work<'a, Page<Held>>;
    /// Asks to be told of orders at this address, as far as that is not asked yet; answers the topics. Safe to repeat.
    fn subscribe<'a>(&'a self, wire: &'a Wire, address: &'a str) -> Work<'a, Vec<String>>;
    /// Reads a notice: the ids of the orders to follow, by the warehouse's names. `headers` in lower case, `now` in microseconds.
    fn notice(&self, secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Vec<String>, Rejected>;
}

/// An order for a warehouse to send.
#[derive(Debug, Clone, PartialEq)]
pub struct HandOver {
    /// Our own name of it, never used for another.
    pub reference: String,
    /// What the buyer calls it.
    pub number: String,
    /// How it is to be sent, in the warehouse's words.
    pub service: String,
    pub ship_to: Address,
    pub lines: Vec<HandOverLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOverLine {
    pub sku: String,
    pub name: String,
    /// Units.
    pub quantity: i64,
}

/// An order at the warehouse.
#[derive(Debug, Clone, PartialEq)]
pub struct Handed {
    /// The warehouse's own id.
    pub id: String,
    pub reference: String,
    pub state: HandedState,
    pub parcels: Vec<Parcel>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandedState {
    Working,
    /// All of it left.
    Shipped,
    Canceled,
    /// It waits for a person, or part of it cannot be sent: the warehouse's words.
    Stuck(String),
    /// A word that this version does not know.
    Other(String),
}

/// What left together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    pub id: String,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    /// Microseconds since 1970 UTC, if the warehouse tells.
    pub shipped_at: Option<i64>,
    /// (SKU, units)
    pub lines: Vec<(String, i64)>,
}

/// What a warehouse has of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The warehouse's own id.
    pub id: String,
    pub sku: String,
    /// Units in the building.
    pub on_hand: i64,
    /// Units that a new order could have.
    pub available: i64,
}
