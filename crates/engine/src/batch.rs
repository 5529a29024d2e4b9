//! A batch: everything that a group of commands touches, loaded once, changed in memory, written once.
//!
//! The order of reading is the order of locking, the same on every node: what is known of channels and exceptions,
//! reservations, transfers, orders, listings, then levels, each sorted by id. The event counter comes last, just before the commit, so that events have one order without gaps.

use crate::Stop;
use crate::access::audit::{self, Record};
use crate::alerts::rows::DELIVERIES;
use crate::alerts::{self, Happened};
use crate::catalog::rows::{COMPONENTS_BY_KIT, ITEMS, ITEMS_BY_ID, ITEMS_BY_SKU, Item, KIT_COMPONENTS, LOCATIONS_BY_CODE, point};
use crate::channels::quotas::Seats;
use crate::channels::rows::{Channel, LISTINGS, Listing, MARKET_ORDERS, OrderThere, PROGRESS, Progress};
use crate::command::Needs;
use crate::config::Config;
use crate::contracts::rows::{CONTRACT_LINES, ContractLine};
use crate::db::{self, Cell, Lookup, Rows, Sql, Table, Tx, Type, Value, Write};
use crate::events::EVENTS;
use crate::exceptions::{EXCEPTIONS, Exception};
use crate::imports::{IMPORTS_BY_KEY, ImportState};
use crate::kept::{Ids, ItemCache, Keep, Kept, Names};
use crate::orders::rows::{
    FULFILLMENTS_BY_ORDER, LINES_BY_FULFILLMENT, LINES_BY_ORDER, ORDER_OF_FULFILLMENT, ORDER_TABLES, ORDERS_BY_ID, ORDERS_BY_REFERENCE, Order,
    SHIPMENTS_BY_FULFILLMENT, read_orders,
};
use crate::reservations::rows::{RESERVATIONS, RESERVATIONS_BY_ID, Reservation};
use crate::stock::feed::{Change, News};
use crate::stock::rows::{
    ENTRIES, LEVEL_COLUMNS, LEVELS, LINES_BY_TRANSFER, TRANSFER_LINES, TRANSFERS, TRANSFERS_BY_ID, Transfer, read_level, read_transfers, write_level,
};
use crate::stock::undo::UNDONE;
use crate::warehouses::rows::{HANDOVERS, HANDOVERS_BY_FULFILLMENT, Handover};
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

const LEVELS_BY_ITEM: Lookup = Lookup { columns: LEVEL_COLUMNS, from: "levels", key: "item", and: "", order: "item, location", lock: true };
const BACKORDERS_BY_ITEM: Lookup =
    Lookup { columns: "order_id", from: "order_lines", key: "item", and: "AND backordered > 0", order: "item, order_id LIMIT 500", lock: false };
const CAPACITY_BY_LOCATION: Lookup =
    Lookup { columns: "location, day, used", from: "capacity", key: "location", and: "AND day >= $2", order: "location, day", lock: true };
const LIMITED_LOCATIONS: Lookup = Lookup { columns: "id", from: "locations", key: "id", and: "", order: "id", lock: true };
const POSTAL_CODES_BY_CODE: Lookup =
    Lookup { columns: "code, latitude, longitude", from: "postal_codes", key: "code", and: "", order: "code", lock: false };
const NEXT_EVENTS: Sql = Sql("UPDATE counters SET value = value + $1 WHERE name = 'event' RETURNING value");
const BUMP_CONFIG: Sql = Sql("UPDATE counters SET value = value + 1 WHERE name = 'config'");

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[
    &LEVELS_BY_ITEM,
    &BACKORDERS_BY_ITEM,
    &CAPACITY_BY_LOCATION,
    &LIMITED_LOCATIONS,
    &POSTAL_CODES_BY_CODE,
    &ITEMS_BY_SKU,
    &ITEMS_BY_ID,
    &COMPONENTS_BY_KIT,
    &LOCATIONS_BY_CODE,
    &RESERVATIONS_BY_ID,
    &ORDERS_BY_ID,
    &ORDERS_BY_REFERENCE,
    &LINES_BY_ORDER,
    &FULFILLMENTS_BY_ORDER,
    &LINES_BY_FULFILLMENT,
    &SHIPMENTS_BY_FULFILLMENT,
    &ORDER_OF_FULFILLMENT,
    &TRANSFERS_BY_ID,
    &LINES_BY_TRANSFER,
    &UNDONE,
    &IMPORTS_BY_KEY,
];

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
    events: Vec<Event>,
    /// Rows for tables that only one operation writes.
    pub more: Vec<Write>,
    pub config_changed: bool,
    pub listings: Kept<Listing>,
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
    /// Loads what the commands need.
    pub fn load(
        tx: &mut Tx<'_>,
        needs: &Needs<'_>,
        now: i64,
        config: Arc<Config>,
        ids: &'a mut Ids,
        cache: &'a mut ItemCache,
    ) -> db::Result<Batch<'a>> {
        let mut batch = Batch {
            now,
            config,
            actor: "system".into(),
            ids,
            cache,
            levels: HashMap::new(),
            reservations: Kept::default(),
            orders: Kept::default(),
            transfers: Kept::default(),
            undone: BTreeSet::new(),
            by_reference: HashMap::new(),
            order_of: HashMap::new(),
            capacity: HashMap::new(),
            postal_codes: HashMap::new(),
            changed_items: BTreeMap::new(),
            imports: HashMap::new(),
            entries: Rows::default(),
            events: Vec::new(),
            more: Vec::new(),
            config_changed: false,
            listings: Kept::default(),
            seats: Seats::default(),
            by_external: HashMap::new(),
            market_orders: HashMap::new(),
            exceptions: Kept::default(),
            progress: Kept::default(),
            handovers: Kept::default(),
            contract_lines: Kept::default(),
            changed_channels: Vec::new(),
            unlink: Vec::new(),
            audit: Vec::new(),
            statements: Vec::new(),
        };
        let mut items: BTreeSet<i64> = needs.item_ids.iter().copied().collect();
        batch.load_skus(tx, needs)?;
        for sku in &needs.skus {
            if let Some(item) = batch.cache.by_sku.get(*sku) {
                items.insert(item.id);
                items.extend(item.components.iter().map(|(component, _)| *component));
            }
        }
        batch.load_told(tx, needs)?;
        let held = batch.market_orders.values().filter_map(|o| o.value.reservation);
        let reservations: BTreeSet<i64> = needs.reservations.iter().copied().chain(held).collect();
        for reservation in tx.by_ids(&RESERVATIONS_BY_ID, &sorted(&reservations), &[], Reservation::read)? {
            items.extend(reservation.lines.iter().map(|(item, ..)| *item));
            batch.reservations.load(reservation.id, reservation);
        }
        for transfer in read_transfers(tx, &sorted(&needs.transfers), true)? {
            items.extend(transfer.lines.iter().map(|l| l.item));
            batch.transfers.load(transfer.id, transfer);
        }
        let mut orders: BTreeSet<i64> = needs.orders.iter().copied().chain(batch.market_orders.values().filter_map(|o| o.value.order)).collect();
        let references: BTreeSet<&str> = needs.references.iter().map(|(_, reference)| *reference).collect();
        for (id, channel, reference) in
            tx.by_names(&ORDERS_BY_REFERENCE, &references.into_iter().collect::<Vec<_>>(), |r| (r.int(0), r.text(1), r.text(2)))?
        {
            if needs.references.contains(&(channel.as_str(), reference.as_str())) {
                orders.insert(id);
            }
            batch.by_reference.insert((channel, reference), id);
        }
        for (id, order) in tx.by_ids(&ORDER_OF_FULFILLMENT, &sorted(&needs.fulfillments), &[], |r| (r.int(0), r.int(1)))? {
            orders.insert(order);
            batch.order_of.insert(id, order);
        }
        batch.load_orders(tx, &orders, &mut items)?;
        // Stock may come free for these items: whoever waits for them is served in the same step.
        let supplied: BTreeSet<i64> = if needs.supplies { items.clone() } else { BTreeSet::new() };
        let waiting: BTreeSet<i64> =
            tx.by_ids(&BACKORDERS_BY_ITEM, &sorted(&supplied), &[], |r| r.int(0))?.into_iter().filter(|id| !orders.contains(id)).collect();
        batch.load_orders(tx, &waiting, &mut items)?;
        // A queued order's units are held by a reservation of its own.
        let holds: BTreeSet<i64> = batch.orders.values().filter_map(|o| o.reservation).filter(|id| batch.reservations.get(*id).is_none()).collect();
        if needs.queued_holds {
            for reservation in tx.by_ids(&RESERVATIONS_BY_ID, &sorted(&holds), &[], Reservation::read)? {
                items.extend(reservation.lines.iter().map(|(item, ..)| *item));
                batch.reservations.load(reservation.id, reservation);
            }
        }
        if !batch.config.channels.is_empty() {
            batch.load_listings(tx, needs, &mut items)?;
        }
        let items: Vec<i64> = items.into_iter().collect();
        batch.load_items(tx, &items)?;
        for (item, location, level) in tx.by_ids(&LEVELS_BY_ITEM, &items, &[], read_level)? {
            batch.levels.entry(item).or_default().push(Keep { value: (location, level), dirty: false, new: false });
        }
        // After the levels, whose locks let nobody else undo the same.
        batch.undone.extend(tx.by_ids(&UNDONE, &sorted(&needs.undone), &[], |r| r.int(0))?);
        if needs.capacity {
            let limited: BTreeSet<i64> = batch.config.locations.iter().filter(|l| l.daily_capacity.is_some()).map(|l| l.id).collect();
            let limited: Vec<i64> = limited.into_iter().collect();
            if tx.is_postgres() {
                // A day's row comes to be with its first order; until then the location's row stands guard, or two nodes
                // would each count that order as the only one.
                tx.by_ids(&LIMITED_LOCATIONS, &limited, &[], |_| ())?;
            }
            for (location, day, used) in tx.by_ids(&CAPACITY_BY_LOCATION, &limited, &[Value::Int(day_of(now))], |r| (r.int(0), r.int(1), r.int(2)))? {
                batch.capacity.insert((location, day), Keep { value: used, dirty: false, new: false });
            }
        }
        let codes: BTreeSet<&str> = needs.postal_codes.iter().map(String::as_str).collect();
        for (code, latitude, longitude) in
            tx.by_names(&POSTAL_CODES_BY_CODE, &codes.into_iter().collect::<Vec<_>>(), |r| (r.text(0), r.int(1), r.int(2)))?
        {
            batch.postal_codes.insert(code, (latitude, longitude));
        }
        for (key, state) in tx.by_names(&IMPORTS_BY_KEY, &needs.imports, ImportState::read)? {
            batch.imports.insert(key, state);
        }
        Ok(batch)
    }

    /// Items with a level that changed.
    pub(crate) fn changed_items_of_levels(&self) -> impl Iterator<Item = i64> {
        self.levels.iter().filter(|(_, levels)| levels.iter().any(|k| k.dirty)).map(|(item, _)| *item)
    }

    fn load_skus(&mut self, tx: &mut Tx<'_>, needs: &Needs<'_>) -> db::Result<()> {
        let unknown: BTreeSet<&str> = needs.skus.iter().copied().filter(|s| !self.cache.by_sku.contains_key(*s)).collect();
        let found = tx.by_names(&ITEMS_BY_SKU, &unknown.into_iter().collect::<Vec<_>>(), Item::read)?;
        self.remember(tx, found)
    }

    fn load_items(&mut self, tx: &mut Tx<'_>, ids: &[i64]) -> db::Result<()> {
        let unknown: Vec<i64> = ids.iter().copied().filter(|id| !self.cache.by_id.contains_key(id)).collect();
        let found = tx.by_ids(&ITEMS_BY_ID, &unknown, &[], Item::read)?;
        self.remember(tx, found)
    }

    fn remember(&mut self, tx: &mut Tx<'_>, mut items: Vec<Item>) -> db::Result<()> {
        let kits: BTreeSet<i64> = items.iter().filter(|i| i.is_kit).map(|i| i.id).collect();
        for (kit, component, quantity) in tx.by_ids(&COMPONENTS_BY_KIT, &sorted(&kits), &[], |r| (r.int(0), r.int(1), r.int(2)))? {
            if let Some(item) = items.iter_mut().find(|i| i.id == kit) {
                item.components.push((component, quantity));
            }
        }
        let components: Vec<i64> = items.iter().flat_map(|i| i.components.iter().map(|(c, _)| *c)).collect();
        for item in items {
            self.cache.add(Arc::new(item));
        }
        if components.is_empty() { Ok(()) } else { self.load_items(tx, &sorted(&components)) }
    }

    fn load_orders(&mut self, tx: &mut Tx<'_>, ids: &BTreeSet<i64>, items: &mut BTreeSet<i64>) -> db::Result<()> {
        for order in read_orders(tx, &sorted(ids), true)? {
            items.extend(order.lines.iter().map(|l| l.item));
            items.extend(order.lines.iter().filter_map(|l| l.kit));
            for fulfillment in &order.fulfillments {
                self.order_of.insert(fulfillment.id, order.id);
            }
            self.by_reference.insert((order.channel.clone(), order.reference.clone()), order.id);
            self.orders.load(order.id, order);
        }
        if self.config.channels.iter().any(|c| c.location.is_some()) {
            let fulfillments: BTreeSet<i64> = ids.iter().filter_map(|id| self.orders.get(*id)).flat_map(|o| &o.fulfillments).map(|f| f.id).collect();
            for handover in tx.by_ids(&HANDOVERS_BY_FULFILLMENT, &sorted(&fulfillments), &[], Handover::read)? {
                self.handovers.load(handover.fulfillment, handover);
            }
        }
        Ok(())
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
        let hash = kept.value.1.post(&posting).map_err(|why| {
            Stop::broken(format!("posting {quantity} of item {item} at location {location} from {} to {}: {why:?}", source.word(), target.word()))
        })?;
        kept.dirty = true;
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

    /// Writes what changed. None if nothing did. Tells of changed levels if somebody listens.
    pub fn flush(mut self, tx: &mut Tx<'_>, listening: bool) -> db::Result<Option<Written>> {
        self.replan();
        let mut writes: Vec<Write> = Vec::with_capacity(32);
        for new in [true, false] {
            let mut items = [Rows::default(), Rows::default()];
            for item in self.changed_items.iter().filter(|(_, is_new)| **is_new == new).filter_map(|(id, _)| self.cache.by_id.get(id)) {
                item.write(&mut items);
            }
            let mut reservations = Rows::default();
            self.reservations.dirty(new).for_each(|r| r.write(&mut reservations));
            let mut orders: [Rows; 5] = Default::default();
            self.orders.dirty(new).for_each(|o| o.write(&mut orders));
            let mut transfers = [Rows::default(), Rows::default()];
            self.transfers.dirty(new).for_each(|t| t.write(&mut transfers));
            let mut channels: [Rows; 5] = Default::default();
            self.listings.dirty(new).for_each(|l| l.write(&mut channels[0]));
            self.exceptions.dirty(new).for_each(|e| e.write(&mut channels[1]));
            self.progress.dirty(new).for_each(|p| p.write(&mut channels[2]));
            self.handovers.dirty(new).for_each(|h| h.write(&mut channels[3]));
            self.contract_lines.dirty(new).for_each(|l| l.write(&mut channels[4]));
            let tables = [&ITEMS, &KIT_COMPONENTS].into_iter().chain([&RESERVATIONS]).chain(ORDER_TABLES).chain([&TRANSFERS, &TRANSFER_LINES]);
            let tables = tables.chain([&LISTINGS, &EXCEPTIONS, &PROGRESS, &HANDOVERS, &CONTRACT_LINES]);
            let rows = items.into_iter().chain([reservations]).chain(orders).chain(transfers).chain(channels);
            writes.extend(tables.zip(rows).map(|(table, rows)| Write { table, rows, new }));
        }
        let changed = listening.then(|| self.changes());
        writes.push(Write::changed(&LEVELS, self.changed_levels()));
        writes.push(Write::new(&ENTRIES, std::mem::take(&mut self.entries)));
        writes.push(Write::changed(&CAPACITY, self.changed_capacity()));
        let mut told = Rows::default();
        self.market_orders.values().filter(|k| k.dirty).for_each(|k| k.value.write(&mut told));
        writes.push(Write::changed(&MARKET_ORDERS, told));
        self.write_changes(tx)?;
        writes.append(&mut self.more);
        writes.retain(|write| !write.rows.0.is_empty());
        if writes.is_empty() && self.events.is_empty() && self.statements.is_empty() && self.unlink.is_empty() && !self.config_changed {
            return Ok(None);
        }
        tx.write(writes)?;
        if self.config_changed {
            tx.execute(BUMP_CONFIG, &[])?;
        }
        let count = self.events.len() as i64;
        let last = tx.one(NEXT_EVENTS, &[Value::Int(count)], |r| r.int(0))?.ok_or_else(|| db::Error::other("the event counter is missing"))?;
        let (mut events, mut messages) = (Rows::default(), Rows::default());
        let (at, subject) = self.events.last().map_or((self.now, 0), |e| (e.at, e.subject));
        for (n, event) in self.events.into_iter().enumerate() {
            let seq = last - count + 1 + n as i64;
            let told = Happened { seq, at: event.at, kind: event.kind, subject: event.subject, data: &event.data };
            alerts::happened(&self.config, &told, &mut messages);
            events.0.extend([Cell::Int(seq), event.at.into(), event.kind.into(), event.subject.into(), event.actor.into(), event.data.into()]);
        }
        let written = [Write::new(&EVENTS, events), Write::new(&DELIVERIES, messages)];
        tx.write(written.into_iter().filter(|w| !w.rows.0.is_empty()).collect())?;
        audit::append(tx, &self.audit)?;
        let news = News { levels: changed, config: self.config_changed || !self.changed_items.is_empty(), after_event: last - count };
        Ok(Some(Written { last_event: last, at, subject, news }))
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (item, levels) in &self.levels {
            changes.extend(levels.iter().filter(|k| k.dirty).map(|k| Change::of(*item, k.value.0, &k.value.1)));
        }
        changes
    }

    fn changed_levels(&self) -> Rows {
        let mut rows = Rows::default();
        let mut touched: Vec<i64> = self.levels.keys().copied().collect();
        touched.sort_unstable();
        for item in touched {
            for kept in self.levels[&item].iter().filter(|k| k.dirty) {
                write_level(item, kept.value.0, &kept.value.1, &mut rows);
            }
        }
        rows
    }

    fn changed_capacity(&self) -> Rows {
        let mut changed: Vec<(i64, i64, i64)> = self.capacity.iter().filter(|(_, k)| k.dirty).map(|((l, d), k)| (*l, *d, k.value)).collect();
        changed.sort_unstable();
        let mut rows = Rows::default();
        for (location, day, used) in changed {
            let most = self.config.by_id(location).and_then(|l| l.daily_capacity).unwrap_or(i64::MAX);
            // A limit that was lowered below what was promised before does not break those promises.
            rows.0.extend([location.into(), day.into(), used.into(), Cell::Int(most.max(used))]);
        }
        rows
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
