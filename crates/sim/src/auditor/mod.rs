//! The auditor: books of its own, kept in plain maps from what was asked and what was answered. It knows what each reply
//! must be. It calls no rule of the engine or the domain, so that a fault there cannot hide in here.
//!
//! `must.rs` says what a command must come to, `apply.rs` and `orders.rs` book what was done, `fills.rs` follows the
//! orders that wait, `compare.rs` holds the books against the database.

mod apply;
mod compare;
mod fills;
mod must;
mod orders;

pub use compare::{read_hold, read_orders};
pub use must::Must;
pub use orders::{Order, Part};

use crate::world::{DAY, World};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// The states of a level, by the names that views use.
pub const STATES: [&str; 7] = ["available", "reserved", "committed", "damaged", "quality_control", "safety_stock", "incoming"];
pub const AVAILABLE: usize = 0;
pub const RESERVED: usize = 1;
pub const COMMITTED: usize = 2;
pub const INCOMING: usize = 6;

/// What the auditor has to say against something.
pub type Wrong = String;

/// A hold.
#[derive(Debug, Clone)]
pub struct Hold {
    pub status: &'static str,
    pub expires_at: i64,
    /// (item, location, units)
    pub lines: Vec<(usize, usize, i64)>,
}

/// Goods on their way.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub source: usize,
    pub target: usize,
    /// item: (sent, received, lost, canceled)
    pub lines: BTreeMap<usize, (i64, i64, i64, i64)>,
}

impl Transfer {
    pub fn left(&self, item: usize) -> i64 {
        self.lines.get(&item).map_or(0, |(sent, received, lost, canceled)| sent - received - lost - canceled)
    }

    pub fn status(&self) -> &'static str {
        let ended: i64 = self.lines.values().map(|(_, received, lost, canceled)| received + lost + canceled).sum();
        let canceled: i64 = self.lines.values().map(|(.., canceled)| canceled).sum();
        let sent: i64 = self.lines.values().map(|(sent, ..)| sent).sum();
        if ended == 0 {
            "in_transit"
        } else if canceled == sent {
            "canceled"
        } else if ended < sent {
            "partially_received"
        } else {
            "received"
        }
    }

    pub fn is_open(&self) -> bool {
        matches!(self.status(), "in_transit" | "partially_received")
    }
}

/// An event that a command caused.
#[derive(Debug, Clone)]
pub struct Told {
    pub kind: String,
    pub subject: i64,
    pub at: i64,
    pub data: Value,
}

/// What was heard of one command beside its reply.
#[derive(Debug, Default)]
pub struct News {
    pub events: VecDeque<Told>,
    /// (item, location) where units came free, for those who wait.
    pub calls: Vec<(usize, usize)>,
    /// The day on which it happened.
    pub today: i64,
    /// Orders that another node may not have seen yet when it served those who wait.
    pub unseen: HashSet<i64>,
}

#[derive(Debug, Clone, Default)]
pub struct Auditor {
    pub world: World,
    levels: HashMap<(usize, usize), [i64; 7]>,
    /// Units of each item that came in from outside, less those that went out.
    outside: HashMap<usize, i64>,
    pub holds: BTreeMap<i64, Hold>,
    pub orders: BTreeMap<i64, Order>,
    pub transfers: BTreeMap<i64, Transfer>,
    pub references: HashMap<(String, String), i64>,
    /// Orders that a location took on a day.
    used: HashMap<(usize, i64), i64>,
}

impl Auditor {
    pub fn level(&self, item: usize, location: usize) -> [i64; 7] {
        self.levels.get(&(item, location)).copied().unwrap_or_default()
    }

    pub fn available(&self, item: usize, location: usize) -> i64 {
        self.level(item, location)[AVAILABLE]
    }

    /// Books units from one state to another; None is the world outside. Nothing may become less than nothing.
    fn book(&mut self, item: usize, location: usize, from: Option<usize>, to: Option<usize>, quantity: i64) -> Result<(), Wrong> {
        let world = &self.world;
        let level = self.levels.entry((item, location)).or_default();
        if let Some(from) = from {
            level[from] -= quantity;
            if level[from] < 0 || quantity < 0 {
                let (sku, code) = (world.items[item].sku, world.locations[location].code);
                return Err(format!("{quantity} units of {sku} at {code} left {}, which had only {}", STATES[from], level[from] + quantity));
            }
        }
        if let Some(to) = to {
            level[to] += quantity;
        }
        *self.outside.entry(item).or_default() += i64::from(from.is_none()) * quantity - i64::from(to.is_none()) * quantity;
        Ok(())
    }

    /// Orders that a location can still take on a day; None is without limit.
    fn room(&self, location: usize, day: i64) -> Option<i64> {
        let used = self.used.get(&(location, day)).copied().unwrap_or(0);
        self.world.locations[location].capacity.map(|most| most - used)
    }

    /// The first day with room takes one more order.
    fn take_room(&mut self, location: usize, now: i64) -> i64 {
        let today = now.div_euclid(DAY);
        if self.world.locations[location].capacity.is_none() {
            return today;
        }
        let day = (today..).find(|day| self.room(location, *day).is_none_or(|left| left > 0)).unwrap_or(today);
        *self.used.entry((location, day)).or_default() += 1;
        day
    }

    /// Whether a hold has run out.
    fn is_over(&self, id: i64, now: i64) -> bool {
        self.holds.get(&id).is_some_and(|h| h.expires_at <= now)
    }

    /// The instants at which something in the books changes by itself: the clock should not come close to one.
    pub fn instants(&self) -> impl Iterator<Item = i64> + '_ {
        let holds = self.holds.values().filter(|h| h.status == "held").map(|h| h.expires_at);
        holds.chain(self.world.items.iter().filter_map(|i| i.from))
    }
}

/// A whole number in a view; ids are texts there.
pub fn int(view: &Value, field: &str) -> i64 {
    match &view[field] {
        Value::String(text) => text.parse().unwrap_or(i64::MIN),
        value => value.as_i64().unwrap_or(i64::MIN),
    }
}

pub fn text<'v>(view: &'v Value, field: &str) -> &'v str {
    view[field].as_str().unwrap_or_default()
}

pub fn list<'v>(view: &'v Value, field: &str) -> &'v [Value] {
    view[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A time in a view, in microseconds since 1970 UTC.
pub fn micros(view: &Value, field: &str) -> i64 {
    text(view, field).parse::<jiff::Timestamp>().map_or(i64::MIN, |t| t.as_microsecond())
}

/// A date in a view, in days since 1970.
fn day(view: &Value, field: &str) -> i64 {
    format!("{}T00:00:00Z", text(view, field)).parse::<jiff::Timestamp>().map_or(i64::MIN, |t| t.as_second().div_euclid(86_400))
}

/// Refuses what differs, saying what it is about.
fn same<T: PartialEq + std::fmt::Debug>(what: impl std::fmt::Display, found: T, booked: T) -> Result<(), Wrong> {
    if found == booked { Ok(()) } else { Err(format!("{what}: the engine says {found:?}, the books say {booked:?}")) }
}
