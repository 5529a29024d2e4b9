//! Holds the whole books against the whole database.

use super::{Auditor, INCOMING, STATES, Wrong, int, list, same, text};
use engine::db::{Conn, Table, Tx};
use engine::{Config, Stop};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Everything that can be read of what the auditor knows.
pub struct Reading {
    stock: Vec<Value>,
    holds: HashMap<i64, Value>,
    orders: HashMap<i64, Value>,
    transfers: HashMap<i64, Value>,
    capacity: Vec<(String, i64, i64)>,
}

fn json(view: impl Serialize) -> Result<Value, Stop> {
    serde_json::to_value(view).map_err(|e| Stop::broken(e.to_string()))
}

fn table(name: &str) -> Result<&'static Table, Stop> {
    engine::TABLES.iter().find(|t| t.name == name).copied().ok_or_else(|| Stop::broken(format!("there is no table {name}")))
}

/// Orders as they stand.
pub fn read_orders(tx: &mut Tx<'_>, ids: &[i64]) -> Result<HashMap<i64, Value>, Stop> {
    let mut config = Arc::default();
    Config::refresh(tx, &mut config)?;
    ids.iter().map(|id| Ok((*id, json(engine::orders::read::one(tx, &config, *id)?)?))).collect()
}

/// A reservation as it stands.
pub fn read_hold(tx: &mut Tx<'_>, id: i64) -> Result<Value, Stop> {
    let mut config = Arc::default();
    Config::refresh(tx, &mut config)?;
    json(engine::reservations::read::one(tx, &config, id)?)
}

impl Auditor {
    /// Reads one consistent state, from a connection of its own.
    pub fn read(&self, conn: &mut Conn) -> Result<Reading, Stop> {
        let mut tx = conn.begin_read()?;
        let tx = &mut tx;
        let mut config = Arc::default();
        Config::refresh(tx, &mut config)?;
        let mut stock = Vec::new();
        for item in &self.world.items {
            stock.push(json(engine::stock::read::stock(tx, &config, item.sku, None)?)?);
        }
        let (mut holds, mut transfers) = (HashMap::new(), HashMap::new());
        for id in self.holds.keys() {
            holds.insert(*id, json(engine::reservations::read::one(tx, &config, *id)?)?);
        }
        for id in self.transfers.keys() {
            transfers.insert(*id, json(engine::orders::read::transfer(tx, &config, *id)?)?);
        }
        let orders = read_orders(tx, &self.orders.keys().copied().collect::<Vec<_>>())?;
        let mut codes = HashMap::new();
        tx.each_row(table("locations")?, &mut |row| drop(codes.insert(row.int(0), row.text(1))))?;
        let mut capacity = Vec::new();
        tx.each_row(table("capacity")?, &mut |row| capacity.push((codes.get(&row.int(0)).cloned().unwrap_or_default(), row.int(1), row.int(2))))?;
        Ok(Reading { stock, holds, orders, transfers, capacity })
    }

    /// Every number in the books against the database.
    pub fn compare(&mut self, read: &Reading) -> Result<(), Wrong> {
        for (item, view) in read.stock.iter().enumerate() {
            if self.world.items[item].components.is_empty() { self.check_item(item, view)? } else { self.check_kit(item, view)? }
        }
        for (id, view) in &read.holds {
            self.check_hold(*id, view)?;
        }
        for (id, view) in &read.orders {
            self.check_order(*id, view)?;
        }
        for (id, view) in &read.transfers {
            self.check_transfer(*id, view)?;
        }
        let mut found = BTreeMap::new();
        for (code, day, used) in read.capacity.iter().filter(|(.., used)| *used > 0) {
            found.insert((self.location(code)?, *day), *used);
        }
        let booked: BTreeMap<(usize, i64), i64> = self.used.iter().filter(|(_, used)| **used > 0).map(|(k, used)| (*k, *used)).collect();
        same("orders taken by (location, day)", found, booked)
    }

    fn check_item(&self, item: usize, view: &Value) -> Result<(), Wrong> {
        let sku = self.world.items[item].sku;
        let mut total = [0; 7];
        for place in list(view, "locations") {
            let code = text(place, "location");
            let booked = self.level(item, self.location(code)?);
            same(format!("the level of {sku} at {code}"), STATES.map(|state| int(place, state)), booked)?;
        }
        for location in 0..self.world.locations.len() {
            let level = self.level(item, location);
            total.iter_mut().zip(level).for_each(|(sum, units)| *sum += units);
        }
        same(format!("the total of {sku}"), STATES.map(|state| int(view, state)), total)?;
        let on_hand: i64 = total[..INCOMING].iter().sum();
        same(format!("{sku} on hand"), int(view, "on_hand"), on_hand)?;
        let outside = self.outside.get(&item).copied().unwrap_or(0);
        same(format!("{sku}: units on hand and on their way, against units in less units out"), on_hand + total[INCOMING], outside)
    }

    fn check_kit(&self, item: usize, view: &Value) -> Result<(), Wrong> {
        let facts = &self.world.items[item];
        let at = |location: usize| facts.components.iter().map(|(c, per)| self.available(*c, location) / per).min().unwrap_or(0);
        same(format!("kits of {} that can be sold", facts.sku), int(view, "available"), self.open_locations().map(at).sum())
    }
}
