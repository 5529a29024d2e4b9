//! What a search index beside the database is made of: the words of items and orders, read in pages by id, and what the
//! events say has changed since. Not here: the index itself (`crates/search`).
//!
//! Ids come in blocks, so a row with a low id may be younger than one with a high id: reading by id alone would miss it. The events
//! have one order without gaps. Whoever takes down the [`Mark`] first, then reads all pages, then follows the events from the mark
//! has met every row, whatever was written meanwhile.

use crate::Stop;
use crate::db::{Lookup, Row, Sql, Tx, Value};
use crate::orders::place::ShipTo;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

const ITEMS_AFTER: Sql = Sql("SELECT id, sku, name, barcode, active FROM items WHERE id > $1 ORDER BY id LIMIT $2");
const ORDERS_AFTER: Sql = Sql("SELECT id, channel, reference, customer, ship_to FROM orders WHERE id > $1 ORDER BY id LIMIT $2");
const LAST_ITEM: Sql = Sql("SELECT MAX(id) FROM items");
const LAST_ORDER: Sql = Sql("SELECT MAX(id) FROM orders");
const EVENT: Sql = Sql("SELECT seq, at, subject FROM events WHERE seq = $1");
/// Both ends of the stretch, and between them what changes the words of an item or an order.
const EVENTS: Sql = Sql(
    "SELECT seq, at, subject, kind, CASE WHEN kind = 'import.progressed' THEN data ELSE '' END FROM events WHERE seq >= $1 AND seq <= $2 AND (seq = $3 OR seq = $4 OR kind IN ('item.created', 'item.updated', 'order.placed', 'order.shipped', 'import.progressed')) ORDER BY seq LIMIT $5",
);
const ITEMS: Lookup = Lookup { columns: "id, sku, name, barcode, active", from: "items", key: "id", and: "", order: "id", lock: false };
const ORDERS: Lookup = Lookup { columns: "id, channel, reference, customer, ship_to", from: "orders", key: "id", and: "", order: "id", lock: false };
const TRACKING: Lookup = Lookup {
    columns: "f.order_id, s.tracking_number",
    from: "fulfillments f JOIN shipments s ON s.fulfillment = f.id",
    key: "f.order_id",
    and: "AND s.tracking_number IS NOT NULL",
    order: "f.order_id, s.id",
    lock: false,
};

const LINES: Lookup = Lookup { columns: "order_id, item, kit", from: "order_lines", key: "order_id", and: "", order: "order_id, item", lock: false };

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&ITEMS, &ORDERS, &TRACKING, &LINES];

/// Events looked through at once.
const SPAN: i64 = 20_000;
/// Rows read for changes at once; the last event may go over it by one chunk of an import.
const MOST: i64 = 2_000;

/// The words of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemText {
    pub id: i64,
    pub sku: String,
    pub name: String,
    pub barcode: Option<String>,
    pub active: bool,
}

/// The words of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderText {
    pub id: i64,
    /// As people read it, such as `H1042`.
    pub number: String,
    pub channel: String,
    pub reference: String,
    pub customer: Option<String>,
    pub ship_to: ShipTo,
    /// Of all its shipments, the oldest first.
    pub tracking_numbers: Vec<String>,
    /// The items that it has lines of, each once; kits, and what is in them.
    pub items: Vec<i64>,
}

/// A place in the events, with enough of the event there to know the same place in another history from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Number of the last event before this place; 0 before the first.
    pub seq: i64,
    at: i64,
    subject: i64,
}

/// What happened after a mark.
#[derive(Debug, Default)]
pub struct Changes {
    pub items: Vec<ItemText>,
    pub orders: Vec<OrderText>,
    /// Ids of those among them that came to be after the mark.
    pub created: BTreeSet<i64>,
    /// Up to where this goes.
    pub mark: Mark,
    /// Events wait beyond it.
    pub more: bool,
}

/// Items that an import wrote, told with its event because it tells none for each: ranges of ids, first and last.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Imported {
    created: Vec<(i64, i64)>,
    updated: Vec<(i64, i64)>,
}

impl Imported {
    pub(crate) fn add(&mut self, id: i64, is_new: bool) {
        let ranges = if is_new { &mut self.created } else { &mut self.updated };
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => ranges.push((id, id)),
        }
    }
}

fn item(row: &Row<'_>) -> ItemText {
    ItemText { id: row.int(0), sku: row.text(1), name: row.text(2), barcode: row.opt_text(3), active: row.flag(4) }
}

fn order(row: &Row<'_>) -> OrderText {
    OrderText {
        id: row.int(0),
        number: crate::views::order_number(row.int(0)),
        channel: row.text(1),
        reference: row.text(2),
        customer: row.opt_text(3),
        ship_to: serde_json::from_str(&row.text(4)).unwrap_or_default(),
        tracking_numbers: Vec::new(),
        items: Vec::new(),
    }
}

fn mark(row: &Row<'_>) -> Mark {
    Mark { seq: row.int(0), at: row.int(1), subject: row.int(2) }
}

/// The place after the last event.
pub fn newest(tx: &mut Tx<'_>) -> Result<Mark, Stop> {
    let last = crate::sequencer::last_event(tx)?;
    Ok(tx.one(EVENT, &[Value::Int(last)], mark)?.unwrap_or_default())
}

/// Whether the mark was taken in this history: not in another database, nor in what a restore has undone.
pub fn knows(tx: &mut Tx<'_>, known: &Mark) -> Result<bool, Stop> {
    Ok(known.seq == 0 || tx.one(EVENT, &[Value::Int(known.seq)], mark)? == Some(*known))
}

/// Up to `limit` items after an id, and the greatest id there is.
pub fn items_after(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<(Vec<ItemText>, i64), Stop> {
    let items = tx.rows(ITEMS_AFTER, &[Value::Int(after), Value::Int(limit)], item)?;
    Ok((items, tx.one(LAST_ITEM, &[], |r| r.int(0))?.unwrap_or(0)))
}

/// Up to `limit` orders after an id, and the greatest id there is.
pub fn orders_after(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<(Vec<OrderText>, i64), Stop> {
    let orders = tx.rows(ORDERS_AFTER, &[Value::Int(after), Value::Int(limit)], order)?;
    let orders = whole(tx, orders)?;
    Ok((orders, tx.one(LAST_ORDER, &[], |r| r.int(0))?.unwrap_or(0)))
}

/// Items by their sorted ids, in that order; those that are not there are left out.
pub fn items(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<ItemText>, Stop> {
    Ok(tx.by_ids(&ITEMS, ids, &[], item)?)
}

/// Orders by their sorted ids, in that order; those that are not there are left out.
pub fn orders(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<OrderText>, Stop> {
    let orders = tx.by_ids(&ORDERS, ids, &[], order)?;
    whole(tx, orders)
}

/// The same orders with what other tables say of them.
fn whole(tx: &mut Tx<'_>, mut orders: Vec<OrderText>) -> Result<Vec<OrderText>, Stop> {
    let ids: Vec<i64> = orders.iter().map(|o| o.id).collect();
    let mut numbers: HashMap<i64, Vec<String>> = HashMap::new();
    for (order, number) in tx.by_ids(&TRACKING, &ids, &[], |r| (r.int(0), r.text(1)))? {
        numbers.entry(order).or_default().push(number);
    }
    let mut items: HashMap<i64, BTreeSet<i64>> = HashMap::new();
    for (order, item, kit) in tx.by_ids(&LINES, &ids, &[], |r| (r.int(0), r.int(1), r.opt_int(2)))? {
        items.entry(order).or_default().extend([Some(item), kit].into_iter().flatten());
    }
    for order in &mut orders {
        order.tracking_numbers = numbers.remove(&order.id).unwrap_or_default();
        order.items = items.remove(&order.id).unwrap_or_default().into_iter().collect();
    }
    Ok(orders)
}

/// Items and orders whose words changed after a mark, as they are now; a bounded number of them, and the mark to go on from. None if
/// the mark is of another history.
pub fn changes(tx: &mut Tx<'_>, from: &Mark) -> Result<Option<Changes>, Stop> {
    let last = crate::sequencer::last_event(tx)?;
    let end = last.min(from.seq + SPAN);
    let values = [Value::Int(from.seq), Value::Int(end), Value::Int(from.seq), Value::Int(end), Value::Int(MOST)];
    let mut events = tx.rows(EVENTS, &values, |r| (mark(r), r.text(3), r.text(4)))?.into_iter().peekable();
    if from.seq > 0 && events.next_if(|(mark, ..)| mark == from).is_none() {
        return Ok(None);
    }
    let mut changes = Changes { mark: *from, ..Changes::default() };
    let (mut item_ids, mut order_ids) = (BTreeSet::new(), BTreeSet::new());
    for (mark, kind, data) in events {
        match kind.as_str() {
            "item.created" | "item.updated" => drop(item_ids.insert(mark.subject)),
            "order.placed" | "order.shipped" => drop(order_ids.insert(mark.subject)),
            "import.progressed" => {
                let told: Told = serde_json::from_str(&data).unwrap_or_default();
                let ids = |ranges: Vec<(i64, i64)>| ranges.into_iter().flat_map(|(first, last)| first..=last);
                item_ids.extend(ids(told.items.updated));
                let created: Vec<i64> = ids(told.items.created).collect();
                item_ids.extend(&created);
                changes.created.extend(created);
            }
            _ => {}
        }
        if kind == "item.created" || kind == "order.placed" {
            changes.created.insert(mark.subject);
        }
        changes.mark = mark;
        if item_ids.len() + order_ids.len() >= MOST as usize {
            break;
        }
    }
    changes.more = changes.mark.seq < last;
    changes.items = items(tx, &item_ids.into_iter().collect::<Vec<_>>())?;
    changes.orders = orders(tx, &order_ids.into_iter().collect::<Vec<_>>())?;
    Ok(Some(changes))
}

/// What an import's event says of items.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    items: Imported,
}

#[cfg(test)]
mod tests {
    use super::Imported;

    #[test]
    fn ids_become_ranges() {
        let mut imported = Imported::default();
        for (id, is_new) in [(5, true), (6, true), (2, false), (7, true), (9, true), (3, false)] {
            imported.add(id, is_new);
        }
        assert_eq!((imported.created, imported.updated), (vec![(5, 7), (9, 9)], vec![(2, 3)]));
    }
}
