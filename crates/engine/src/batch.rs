//! A batch: everything that a group of commands touches, loaded once, changed in memory, written once.
//!
//! Here: what commands see and change meanwhile. Loading, with the order of locks: `batch/load.rs`; writing: `batch/flush.rs`.

mod flush;
mod load;

pub use load::LOOKUPS;

use crate::Stop;
use crate::access::audit::Record;
use crate::catalog::rows::{Item, point};
use crate::channels::quotas::Seats;
use crate::channels::rows::{Channel, Listing, OrderThere, Progress};
use crate::channels::sums;
use crate::config::Config;
use crate::contracts::rows::ContractLine;
use crate::db::{Cell, Rows, Sql, Table, Type, Write};
use crate::exceptions::Exception;
use crate::imports::ImportState;
use crate::kept::{Ids, ItemCache, Keep, Kept, Names};
use crate::orders::rows::Order;
use crate::reservations::rows::Reservation;
use crate::stock::closings::{closed_by, write_closing};
use crate::stock::feed::News;
use crate::stock::rows::Transfer;
use crate::warehouses::rows::Handover;
use domain::routing::Location;
use domain::stock::{Account, Level, Posting};
use domain::{Noun, Refused};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub const CAPACITY: Table = Table {
    name: "capacity",
    columns: &[("location", Type::Int), ("day", Type::Int), ("used", Type::Int), ("most", Type::Int)],
    key: "location, day",
};

/// Days ahead for which capacity can be taken.
const CAPACITY_DAYS: i64 = 60;
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

/// The day (since 1970 UTC) that an instant falls on.
pub fn day_of(at: i64) -> i64 {
    at.div_euclid(DAY_MICROS)
}

#[derive(Debug)]
struct Event {
    at: i64,
    kind: &'static str,
    subject: i64,
    actor: Arc<str>,
    data: String,
}

/// Who causes a change, and why.
#[derive(Debug, Clone, Copy)]
pub struct Because<'a> {
    pub cause: &'static str,
    pub document: i64,
    pub reason: &'a str,
    pub reference: &'a str,
}

impl Because<'_> {
    pub fn of(cause: &'static str, document: i64) -> Because<'static> {
        Because { cause, document, reason: "", reference: "" }
    }
}

/// What a flush wrote, to be recognized after a lost connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub last_event: i64,
    pub at: i64,
    pub subject: i64,
    pub news: News,
}

/// The working set of one group of commands.
pub struct Batch<'a> {
    pub now: i64,
    pub config: Arc<Config>,
    pub actor: Arc<str>,
    ids: &'a mut Ids,
    cache: &'a mut ItemCache,
    levels: HashMap<i64, Vec<Keep<(i64, Level)>>>,
    pub reservations: Kept<Reservation>,
    pub orders: Kept<Order>,
    pub transfers: Kept<Transfer>,
    /// Movements that were undone, of those that may be.
    pub undone: BTreeSet<i64>,
    by_reference: HashMap<(String, String), i64>,
    order_of: HashMap<i64, i64>,
    capacity: HashMap<(i64, i64), Keep<i64>>,
    postal_codes: HashMap<String, (i64, i64)>,
    /// Items to write, and whether each is new.
    changed_items: BTreeMap<i64, bool>,
    pub imports: HashMap<String, ImportState>,
    entries: Rows,
    closings: Rows,
    events: Vec<Event>,
    /// Rows for tables that only one operation writes.
    pub more: Vec<Write>,
    pub config_changed: bool,
    pub listings: Kept<Listing>,
    /// What the listings that were loaded added up to, less than nothing.
    pub(crate) listing_sums: sums::ByChannel,
    pub(crate) seats: Seats,
    pub(crate) by_external: HashMap<(i64, String), i64>,
    pub market_orders: HashMap<String, Keep<OrderThere>>,
    pub exceptions: Kept<Exception>,
    pub progress: Kept<Progress>,
    pub handovers: Kept<Handover>,
    pub contract_lines: Kept<ContractLine>,
    /// Channels to write, and their secrets if they are new.
    pub changed_channels: Vec<(Channel, Option<String>)>,
    /// Listings that no longer sell what they sold.
    pub unlink: Vec<i64>,
    /// What is to be recorded of what was done.
    pub audit: Vec<Record>,
    /// Statements with their parameters, for rows that only one operation changes.
    pub statements: Vec<(Sql, Vec<Cell>)>,
}

impl<'a> Batch<'a> {
    /// Items with a level that changed.
    pub(crate) fn changed_items_of_levels(&self) -> impl Iterator<Item = i64> {
        self.levels.iter().filter(|(_, levels)| levels.iter().any(|k| k.dirty)).map(|(item, _)| *item)
    }

    /// A new id.
    pub fn id(&mut self) -> Result<i64, Stop> {
        self.ids.next()
    }

    pub fn names(&self) -> Names<'_> {
        Names { items: &self.cache.by_id, config: &self.config }
    }

    /// An active item by its SKU.
    pub fn item(&self, sku: &str, field: impl Into<String>) -> Result<Arc<Item>, Refused> {
        match self.cache.by_sku.get(sku) {
            Some(item) if item.active => Ok(item.clone()),
            _ => Err(Refused::unknown(Noun::Item, sku, field)),
        }
    }

    /// Any item by its SKU, active or not.
    pub fn any_item(&self, sku: &str) -> Option<Arc<Item>> {
        self.cache.by_sku.get(sku).cloned()
    }

    pub fn item_by_id(&self, id: i64) -> Option<&Arc<Item>> {
        self.cache.by_id.get(&id)
    }

    /// A plain item: something that has stock.
    pub fn plain_item(&self, sku: &str, field: impl Into<String>) -> Result<Arc<Item>, Refused> {
        let item = self.item(sku, field)?;
        if item.is_kit {
            return Err(Refused::KitHasNoStock { sku: sku.into() });
        }
        Ok(item)
    }

    /// A location by its code.
    pub fn location(&self, code: &str, field: &str) -> Result<Location, Refused> {
        self.config.by_code(code).cloned().ok_or_else(|| Refused::unknown(Noun::Location, code, field))
    }

    /// Adds or replaces an item.
    pub fn put_item(&mut self, item: Item) {
        let new = !self.cache.by_id.contains_key(&item.id);
        self.changed_items.entry(item.id).and_modify(|known| *known |= new).or_insert(new);
        self.cache.add(Arc::new(item));
    }

    /// The order with this channel and reference.
    pub fn order_by_reference(&self, channel: &str, reference: &str) -> Option<i64> {
        self.by_reference.get(&(channel.to_owned(), reference.to_owned())).copied()
    }

    pub fn add_order(&mut self, order: Order) {
        self.by_reference.insert((order.channel.clone(), order.reference.clone()), order.id);
        for fulfillment in &order.fulfillments {
            self.order_of.insert(fulfillment.id, order.id);
        }
        self.orders.add(order.id, order);
    }

    pub fn order_of_fulfillment(&self, fulfillment: i64) -> Option<i64> {
        self.order_of.get(&fulfillment).copied()
    }

    /// Where a postal code lies, if its centroid was imported.
    pub fn postal_code_point(&self, country: &str, postal_code: &str) -> Option<domain::geo::Point> {
        let (latitude, longitude) = self.postal_codes.get(&postal_key(country, postal_code))?;
        point(Some(*latitude), Some(*longitude))
    }

    /// The level of an item at a location; empty if there is none yet.
    pub fn level(&self, item: i64, location: i64) -> Level {
        let kept = self.levels.get(&item).and_then(|levels| levels.iter().find(|k| k.value.0 == location));
        kept.map(|k| k.value.1).unwrap_or_default()
    }

    /// The levels of an item: (location, level).
    pub fn levels_of(&self, item: i64) -> impl Iterator<Item = (i64, &Level)> {
        self.levels.get(&item).into_iter().flatten().map(|k| (k.value.0, &k.value.1))
    }

    /// Units of an item that can be promised, over all active locations.
    pub fn available(&self, item: i64) -> i64 {
        self.levels_of(item).filter(|(location, _)| self.config.is_active(*location)).map(|(_, level)| level.get(Account::Available)).sum()
    }

    /// Moves units: the only way in which stock changes. Operations check first; a failure here is a fault of theirs, and
    /// fails the command without any effect.
    pub fn post(&mut self, item: i64, location: i64, source: Account, target: Account, quantity: i64, because: Because<'_>) -> Result<(), Stop> {
        let levels = self.levels.entry(item).or_default();
        let place = match levels.iter().position(|k| k.value.0 == location) {
            Some(place) => place,
            None => {
                levels.push(Keep { value: (location, Level::default()), dirty: true, new: true });
                levels.len() - 1
            }
        };
        let kept = &mut levels[place];
        let Because { cause, document, reason, reference } = because;
        let posting = Posting { item, location, source, target, quantity, at: self.now, cause, document, actor: &self.actor, reason, reference };
        let closed = closed_by(&kept.value.1, self.now).map(|day| (day, kept.value.1));
        let hash = kept.value.1.post(&posting).map_err(|why| {
            Stop::broken(format!("posting {quantity} of item {item} at location {location} from {} to {}: {why:?}", source.word(), target.word()))
        })?;
        kept.dirty = true;
        if let Some((day, level)) = closed {
            write_closing(item, location, day, &level, &mut self.closings);
        }
        let text = |text: &str| if text.is_empty() { Cell::Null } else { Cell::Text(text.to_owned()) };
        self.entries.0.extend([
            item.into(),
            location.into(),
            kept.value.1.entries.into(),
            self.now.into(),
            source.number().into(),
            target.number().into(),
            quantity.into(),
            cause.into(),
            document.into(),
            self.actor.clone().into(),
            text(reason),
            text(reference),
            Cell::Hash(hash),
        ]);
        Ok(())
    }

    /// Refuses before a posting would exceed what a level can hold.
    pub fn check_room(&self, item: &Item, location: &Location, state: Account, quantity: i64) -> Result<(), Refused> {
        if self.level(item.id, location.id).get(state) > domain::limits::MAX_LEVEL - quantity {
            return Err(Refused::LevelTooLarge { sku: item.sku.to_string(), location: location.code.clone() });
        }
        Ok(())
    }

    /// Tells the outside world.
    pub fn event(&mut self, kind: &'static str, subject: i64, data: &impl Serialize) {
        let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
        self.events.push(Event { at: self.now, kind, subject, actor: self.actor.clone(), data });
    }

    /// Orders that a location can still take on a day; None is without limit.
    pub fn capacity_left(&self, location: &Location, day: i64) -> Option<i64> {
        let used = self.capacity.get(&(location.id, day)).map_or(0, |k| k.value);
        location.daily_capacity.map(|most| most - used)
    }

    /// Takes one order's worth of capacity on the first day from today on that has room; answers the day.
    pub fn take_capacity(&mut self, location: i64) -> i64 {
        let today = day_of(self.now);
        let Some(place) = self.config.by_id(location).filter(|l| l.daily_capacity.is_some_and(|most| most > 0)).cloned() else { return today };
        let day = (today..today + CAPACITY_DAYS).find(|day| self.capacity_left(&place, *day).is_none_or(|left| left > 0));
        let Some(day) = day else { return today + CAPACITY_DAYS };
        let kept = self.capacity.entry((location, day)).or_insert(Keep { value: 0, dirty: true, new: true });
        kept.value += 1;
        kept.dirty = true;
        day
    }

    /// Gives capacity back that was taken for a day that is not over.
    pub fn give_capacity_back(&mut self, location: i64, day: i64) {
        if let Some(kept) = self.capacity.get_mut(&(location, day))
            && kept.value > 0
        {
            kept.value -= 1;
            kept.dirty = true;
        }
    }

    /// Orders with units of this item on backorder, oldest first.
    pub fn waiting_for(&self, item: i64) -> Vec<i64> {
        let mut waiting: Vec<(i64, i64)> =
            self.orders.values().filter(|o| o.lines.iter().any(|l| l.item == item && l.backordered > 0)).map(|o| (o.placed_at, o.id)).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, id)| id).collect()
    }
}

/// The key of a postal code's centroid: "US:94105". UK and Canadian codes keep their blanks out.
pub fn postal_key(country: &str, postal_code: &str) -> String {
    let code: String = postal_code.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect();
    format!("{country}:{code}")
}

pub(crate) fn sorted<'i>(ids: impl IntoIterator<Item = &'i i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.into_iter().copied().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
