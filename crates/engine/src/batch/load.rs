//! Loads what a group of commands touches.
//!
//! The order of reading is the order of locking, the same on every node: what is known of channels and exceptions, reservations,
//! transfers, orders, listings, then levels, each sorted by id.

use super::{Batch, day_of, sorted};
use crate::catalog::rows::{COMPONENTS_BY_KIT, ITEMS_BY_ID, ITEMS_BY_SKU, Item, LOCATIONS_BY_CODE};
use crate::channels::quotas::Seats;
use crate::command::Needs;
use crate::config::Config;
use crate::db::{self, Lookup, Rows, Tx, Value};
use crate::imports::{IMPORTS_BY_KEY, ImportState};
use crate::kept::{Ids, ItemCache, Keep, Kept};
use crate::orders::rows::{
    FULFILLMENTS_BY_ORDER, LINES_BY_FULFILLMENT, LINES_BY_ORDER, ORDER_OF_FULFILLMENT, ORDERS_BY_ID, ORDERS_BY_REFERENCE, SHIPMENTS_BY_FULFILLMENT,
    read_orders,
};
use crate::reservations::rows::{RESERVATIONS_BY_ID, Reservation};
use crate::stock::rows::{LEVELS_OF, LINES_BY_TRANSFER, TRANSFERS_BY_ID, read_level, read_transfers};
use crate::stock::undo::UNDONE;
use crate::warehouses::rows::{HANDOVERS_BY_FULFILLMENT, Handover};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

const LEVELS_BY_ITEM: Lookup = Lookup { lock: true, ..LEVELS_OF };
const BACKORDERS_BY_ITEM: Lookup =
    Lookup { columns: "order_id", from: "order_lines", key: "item", and: "AND backordered > 0", order: "item, order_id LIMIT 500", lock: false };
const CAPACITY_BY_LOCATION: Lookup =
    Lookup { columns: "location, day, used", from: "capacity", key: "location", and: "AND day >= $2", order: "location, day", lock: true };
const LIMITED_LOCATIONS: Lookup = Lookup { columns: "id", from: "locations", key: "id", and: "", order: "id", lock: true };
const POSTAL_CODES_BY_CODE: Lookup =
    Lookup { columns: "code, latitude, longitude", from: "postal_codes", key: "code", and: "", order: "code", lock: false };

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
            closings: Rows::default(),
            events: Vec::new(),
            more: Vec::new(),
            config_changed: false,
            listings: Kept::default(),
            listing_sums: BTreeMap::new(),
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
}
