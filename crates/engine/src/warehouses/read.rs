//! Reads what is with somebody else's warehouse, for its worker.

use super::rows::{HANDOVER_COLUMNS, Handover};
use crate::Stop;
use crate::catalog::rows::{ITEMS_BY_ID, ITEMS_BY_SKU, Item};
use crate::db::{Sql, Tx, Value};
use crate::orders::place::ShipTo;
use crate::orders::rows::read_orders;
use connectors::warehouse::{HandOver, HandOverLine};
use std::collections::HashMap;

const DUE: Sql = Sql(
    "SELECT fulfillment, channel, order_id, external, state, recall, due_at, tries, handed_at, heard_at, parcels, fault FROM handovers WHERE channel = $1 AND open = 1 AND due_at <= $2 ORDER BY due_at LIMIT $3",
);
const BY_EXTERNAL: Sql = Sql("SELECT fulfillment FROM handovers WHERE channel = $1 AND external = $2 AND open = 1");
const SILENT: Sql = Sql("SELECT fulfillment FROM handovers WHERE channel = $1 AND open = 1 AND heard_at < $2 ORDER BY fulfillment LIMIT 100");
const ORDER: Sql = Sql("SELECT order_id FROM fulfillments WHERE id = $1");
const LAST_ENTRY: Sql = Sql("SELECT number, at FROM entries WHERE item = $1 AND location = $2 ORDER BY number DESC LIMIT 1");

/// Fulfillments of a channel that something is to be done about by `now`, the longest due first.
pub fn due(tx: &mut Tx<'_>, channel: i64, now: i64, limit: i64) -> Result<Vec<Handover>, Stop> {
    debug_assert!(DUE.0.contains(HANDOVER_COLUMNS));
    Ok(tx.rows(DUE, &[Value::Int(channel), Value::Int(now), Value::Int(limit)], Handover::read)?)
}

/// The fulfillment that a warehouse calls so, while it is with it.
pub fn by_external(tx: &mut Tx<'_>, channel: i64, external: &str) -> Result<Option<i64>, Stop> {
    Ok(tx.one(BY_EXTERNAL, &[Value::Int(channel), Value::Text(external)], |r| r.int(0))?)
}

/// Fulfillments of which nothing new was heard since then, at most 100.
pub fn silent(tx: &mut Tx<'_>, channel: i64, since: i64) -> Result<Vec<i64>, Stop> {
    Ok(tx.rows(SILENT, &[Value::Int(channel), Value::Int(since)], |r| r.int(0))?)
}

/// What a warehouse is told to send. None if nothing of it is left to be sent.
pub fn to_hand_over(tx: &mut Tx<'_>, fulfillment: i64, service: &str) -> Result<Option<HandOver>, Stop> {
    let Some(order) = tx.one(ORDER, &[Value::Int(fulfillment)], |r| r.int(0))? else { return Ok(None) };
    let Some(order) = read_orders(tx, &[order], false)?.pop() else { return Ok(None) };
    let Some(found) = order.fulfillments.iter().find(|f| f.id == fulfillment) else { return Ok(None) };
    let mut units: Vec<(i64, i64)> = Vec::new();
    for line in found.lines.iter().filter(|l| l.open() > 0) {
        match units.iter_mut().find(|(item, _)| *item == line.item) {
            Some(known) => known.1 += line.open(),
            None => units.push((line.item, line.open())),
        }
    }
    if units.is_empty() {
        return Ok(None);
    }
    let mut ids: Vec<i64> = units.iter().map(|(item, _)| *item).collect();
    ids.sort_unstable();
    let items: HashMap<i64, Item> = tx.by_ids(&ITEMS_BY_ID, &ids, &[], Item::read)?.into_iter().map(|i| (i.id, i)).collect();
    let lines = units.iter().filter_map(|(item, quantity)| {
        let item = items.get(item)?;
        Some(HandOverLine { sku: item.sku.to_string(), name: item.name.clone(), quantity: *quantity })
    });
    let ship_to: ShipTo = serde_json::from_str(&order.ship_to).unwrap_or_default();
    Ok(Some(HandOver {
        reference: fulfillment.to_string(),
        number: order.reference.clone(),
        service: service.to_owned(),
        ship_to: ship_to.into(),
        lines: lines.collect(),
    }))
}

/// How many entries the books have of these SKUs at a location, as far as none was made since `asked_at`: only those can be held
/// against what was told then. SKUs that are no items here are left out.
pub fn entries_before(tx: &mut Tx<'_>, location: i64, skus: &[String], asked_at: i64) -> Result<HashMap<String, i64>, Stop> {
    let mut names: Vec<&str> = skus.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let items: HashMap<i64, String> = tx.by_names(&ITEMS_BY_SKU, &names, Item::read)?.into_iter().map(|i| (i.id, i.sku.to_string())).collect();
    let mut found = HashMap::with_capacity(items.len());
    for (item, sku) in items {
        let last = tx.one(LAST_ENTRY, &[Value::Int(item), Value::Int(location)], |r| (r.int(0), r.int(1)))?;
        let (number, at) = last.unwrap_or((0, i64::MIN));
        if at < asked_at {
            found.insert(sku, number);
        }
    }
    Ok(found)
}
