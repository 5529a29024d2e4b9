//! Reads what the live page shows. Each read says what it costs, because the page asks again and again, beside a million
//! orders and more.
//!
//! Here: sums, counts and the newest of everything. Not here: how often to ask (the web side decides) or how it looks.

mod tally;

pub use tally::{Day, MINUTES, Scope, Tally};

use crate::Stop;
use crate::batch::day_of;
use crate::channels::read::queues;
use crate::config::Config;
use crate::db::{Row, Sql, Tx, Value};
use crate::events::{self, EventView};
use crate::exceptions::read::{self as exceptions, ExceptionView};
use crate::orders::read::{self as orders, Filter};
use crate::views::{Balances, OrderView};
use std::collections::{BTreeMap, HashMap};

const ANY_ORDER: Sql = Sql("SELECT id FROM orders LIMIT 1");
const ANY_ITEM: Sql = Sql("SELECT id FROM items LIMIT 1");
// SQLite takes the tables of a CROSS JOIN in this order, and so reads one row for each location, not all days.
const CAPACITY: Sql = Sql("SELECT c.location, c.used FROM locations p CROSS JOIN capacity c WHERE c.location = p.id AND c.day = $1");
// Added up here by location: the database would sort millions of rows to do it.
const LEVELS: Sql = Sql("SELECT location, available, reserved, committed, damaged, quality_control, safety_stock, incoming FROM levels");
const WAITING: Sql = Sql(
    "SELECT COUNT(*), CAST(COALESCE(SUM(waiting), 0) AS BIGINT) FROM (SELECT item, SUM(backordered) AS waiting FROM order_lines WHERE backordered > 0 GROUP BY item) AS w",
);
const HOLDS: Sql = Sql("SELECT COUNT(*) FROM reservations WHERE status = 'held'");
const QUEUED: Sql = Sql("SELECT COUNT(*) FROM orders WHERE status = 'queued'");
const DUE: Sql = Sql(
    "SELECT location, day, status, COUNT(*) FROM fulfillments WHERE status IN ('open', 'partially_fulfilled') OR (day >= $1 AND status <> 'canceled') GROUP BY location, day, status",
);
const HOURS: Sql = Sql(
    "SELECT placed_at / 3600000000, channel, COUNT(*) FROM orders WHERE status = $1 AND placed_at >= $2 AND placed_at < $3 GROUP BY placed_at / 3600000000, channel",
);
const AT_RISK: Sql = Sql(
    "SELECT i.sku, i.name, CAST(COALESCE(SUM(CASE WHEN p.active = 1 THEN l.available ELSE 0 END), 0) AS BIGINT) AS free, CAST(COALESCE(SUM(l.reserved + l.committed), 0) AS BIGINT), CAST(COALESCE(SUM(l.incoming), 0) AS BIGINT), d.waiting, d.sold FROM (SELECT item, CAST(SUM(sold) AS BIGINT) AS sold, CAST(SUM(waiting) AS BIGINT) AS waiting FROM (SELECT o.item, o.quantity - o.canceled AS sold, 0 AS waiting FROM order_lines o WHERE o.order_id IN (SELECT id FROM orders ORDER BY id DESC LIMIT $1) UNION ALL SELECT w.item, 0 AS sold, w.waiting FROM (SELECT item, SUM(backordered) AS waiting FROM order_lines WHERE backordered > 0 GROUP BY item ORDER BY SUM(backordered) DESC, item LIMIT $2) AS w) AS u GROUP BY item) AS d JOIN items i ON i.id = d.item LEFT JOIN levels l ON l.item = i.id LEFT JOIN locations p ON p.id = l.location GROUP BY i.id, i.sku, i.name, d.waiting, d.sold ORDER BY CAST(COALESCE(SUM(CASE WHEN p.active = 1 THEN l.available ELSE 0 END), 0) AS BIGINT) - d.waiting, d.sold DESC, i.sku LIMIT $3",
);

/// "Lately sold" means in this many newest orders.
pub const LATELY: i64 = 200;
/// Items with units on backorder that are looked at, the most wanted first.
const MOST_WAITING: i64 = 200;
const HOUR_MICROS: i64 = 3_600_000_000;
/// Hours of the longer chart, and how much earlier the ones are that they are compared with.
pub const HOURS_SHOWN: i64 = 24;
pub const WEEK_HOURS: i64 = 7 * 24;
/// What an order can be doing.
const STATUSES: [&str; 6] = ["queued", "open", "backordered", "partially_fulfilled", "fulfilled", "canceled"];

/// What there is already, for whoever begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Began {
    pub locations: usize,
    pub channels: usize,
    pub any_item: bool,
    pub any_order: bool,
}

pub fn began(tx: &mut Tx<'_>, config: &Config) -> Result<Began, Stop> {
    Ok(Began {
        locations: config.locations.len(),
        channels: config.channels.len(),
        any_item: tx.one(ANY_ITEM, &[], |r| r.int(0))?.is_some(),
        any_order: tx.one(ANY_ORDER, &[], |r| r.int(0))?.is_some(),
    })
}

/// What is newest: read by primary keys and short indexes, at the same cost in a database of any size.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The number of the last event that this state holds.
    pub seq: i64,
    pub any_item: bool,
    pub orders: Vec<OrderView>,
    /// The newest first.
    pub events: Vec<EventView>,
    /// Orders taken today by locations with a daily capacity.
    pub capacity: HashMap<i64, i64>,
    /// Open ones, the earliest due first.
    pub exceptions: Vec<ExceptionView>,
    /// Listings of each channel (its id) that want a write, and since when the oldest does (microseconds since 1970 UTC).
    pub queues: Vec<(i64, i64, Option<i64>)>,
}

/// How many of each to read.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    pub orders: i64,
    pub events: i64,
    pub exceptions: i64,
}

pub fn newest(tx: &mut Tx<'_>, config: &Config, now: i64, most: Most) -> Result<Newest, Stop> {
    let seq = events::last(tx)?;
    let mut newest = events::after(tx, (seq - most.events).max(0), most.events)?;
    newest.reverse();
    Ok(Newest {
        seq,
        any_item: tx.one(ANY_ITEM, &[], |r| r.int(0))?.is_some(),
        orders: orders::list(tx, config, &Filter::default(), i64::MAX, most.orders)?,
        events: newest,
        capacity: tx.rows(CAPACITY, &[Value::Int(day_of(now))], |r| (r.int(0), r.int(1)))?.into_iter().collect(),
        exceptions: exceptions::list(tx, config, true, None, most.exceptions)?,
        queues: queues(tx, config.channels.iter().filter(|c| !c.is_contract()).map(|c| c.id))?,
    })
}

/// Sums over everything. Reads the levels and the fulfillments whole, about a second for several millions of them: ask seldom.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// By location.
    pub stock: BTreeMap<i64, Balances>,
    /// Units that wait for stock, and of how many items.
    pub waiting: i64,
    pub waiting_items: i64,
    pub holds: i64,
    pub queued: i64,
    /// Whatever is open, and all that is due today or later.
    pub due: Vec<Due>,
    /// Orders by the hour: of the last 24 hours, and of the same hours a week before.
    pub hours: Vec<Hour>,
    /// Sold lately or waited for, those with the least left first.
    pub at_risk: Vec<AtRisk>,
}

/// Fulfillments that a location has for a day (days since 1970 UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    pub location: i64,
    pub day: i64,
    /// Nothing of them has shipped yet; some has; all has.
    pub open: i64,
    pub part: i64,
    pub shipped: i64,
}

impl Due {
    pub fn unshipped(&self) -> i64 {
        self.open + self.part
    }

    pub fn all(&self) -> i64 {
        self.unshipped() + self.shipped
    }
}

/// Orders placed on a channel in an hour (hours since 1970 UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    pub hour: i64,
    pub channel: String,
    pub orders: i64,
}

#[derive(Debug, Clone)]
pub struct AtRisk {
    pub sku: String,
    pub name: String,
    pub available: i64,
    /// Held or committed, and here.
    pub promised: i64,
    pub incoming: i64,
    /// Promised, and not here.
    pub waiting: i64,
    /// Units in the [`LATELY`] newest orders.
    pub sold: i64,
}

pub fn totals(tx: &mut Tx<'_>, now: i64, at_risk: i64) -> Result<Totals, Stop> {
    let (waiting_items, waiting) = tx.one(WAITING, &[], |r| (r.int(0), r.int(1)))?.unwrap_or_default();
    let risk = |r: &Row<'_>| AtRisk {
        sku: r.text(0),
        name: r.text(1),
        available: r.int(2),
        promised: r.int(3),
        incoming: r.int(4),
        waiting: r.int(5),
        sold: r.int(6),
    };
    Ok(Totals {
        stock: stock(tx)?,
        waiting,
        waiting_items,
        holds: tx.one(HOLDS, &[], |r| r.int(0))?.unwrap_or(0),
        queued: tx.one(QUEUED, &[], |r| r.int(0))?.unwrap_or(0),
        due: due(tx, day_of(now))?,
        hours: hours(tx, now)?,
        at_risk: tx.rows(AT_RISK, &[Value::Int(LATELY), Value::Int(MOST_WAITING), Value::Int(at_risk)], risk)?,
    })
}

fn stock(tx: &mut Tx<'_>) -> Result<BTreeMap<i64, Balances>, Stop> {
    let mut sums: BTreeMap<i64, [i64; 7]> = BTreeMap::new();
    tx.rows(LEVELS, &[], |r| {
        let sum = sums.entry(r.int(0)).or_default();
        sum.iter_mut().enumerate().for_each(|(n, units)| *units += r.int(1 + n));
    })?;
    Ok(sums.into_iter().map(|(location, sum)| (location, Balances::new(&sum))).collect())
}

fn due(tx: &mut Tx<'_>, today: i64) -> Result<Vec<Due>, Stop> {
    let mut due: BTreeMap<(i64, i64), Due> = BTreeMap::new();
    for (location, day, status, count) in tx.rows(DUE, &[Value::Int(today)], |r| (r.int(0), r.int(1), r.text(2), r.int(3)))? {
        let found = due.entry((location, day)).or_insert(Due { location, day, ..Due::default() });
        match status.as_str() {
            "open" => found.open += count,
            "partially_fulfilled" => found.part += count,
            _ => found.shipped += count,
        }
    }
    Ok(due.into_values().collect())
}

fn hours(tx: &mut Tx<'_>, now: i64) -> Result<Vec<Hour>, Stop> {
    let mut hours = Vec::new();
    let running = now.div_euclid(HOUR_MICROS);
    for last in [running - WEEK_HOURS, running] {
        let (from, until) = ((last - HOURS_SHOWN + 1) * HOUR_MICROS, (last + 1) * HOUR_MICROS);
        for status in STATUSES {
            let values = [Value::Text(status), Value::Int(from), Value::Int(until)];
            hours.extend(tx.rows(HOURS, &values, |r| Hour { hour: r.int(0), channel: r.text(1), orders: r.int(2) })?);
        }
    }
    Ok(hours)
}
