//! Reads what the live page shows. Each read says what it costs, because the page asks again and again, beside a million
//! orders and more.
//!
//! Here: sums, counts and the newest of everything. Not here: how often to ask (the web side decides) or how it looks.

use crate::Stop;
use crate::batch::day_of;
use crate::config::Config;
use crate::db::{Row, Sql, Tx, Value};
use crate::events::{self, EventView};
use crate::orders::read::{self as orders, Filter};
use crate::views::{Balances, OrderView};
use serde::Deserialize;
use std::collections::BTreeMap;

const AT_OR_AFTER: Sql = Sql("SELECT seq, at FROM events WHERE seq >= $1 ORDER BY seq LIMIT 1");
// A shipping event tells what has shipped in all; the event before it, about the same order, tells what had. The `+ 0` keeps
// SQLite from walking back over everybody's events instead of taking the index of the order's own.
const COUNTED: Sql = Sql(
    "SELECT e.at, e.kind, e.data, CASE WHEN e.kind = 'order.shipped' THEN (SELECT p.data FROM events p WHERE p.subject = e.subject AND p.seq + 0 < e.seq ORDER BY p.seq + 0 DESC LIMIT 1) END FROM events e WHERE e.seq > $1 AND e.seq <= $2 AND e.kind IN ('order.placed', 'order.shipped') ORDER BY e.seq",
);
const ANY_ORDER: Sql = Sql("SELECT id FROM orders LIMIT 1");
const ANY_ITEM: Sql = Sql("SELECT id FROM items LIMIT 1");
// SQLite takes the tables of a CROSS JOIN in this order, and so reads one row for each location, not all days.
const CAPACITY: Sql = Sql("SELECT c.location, c.used FROM locations p CROSS JOIN capacity c WHERE c.location = p.id AND c.day = $1");
const LEVELS: Sql = Sql(
    "SELECT CAST(COALESCE(SUM(CASE WHEN location IN (SELECT id FROM locations WHERE active = 0) THEN 0 ELSE available END), 0) AS BIGINT), CAST(COALESCE(SUM(available), 0) AS BIGINT), CAST(COALESCE(SUM(reserved), 0) AS BIGINT), CAST(COALESCE(SUM(committed), 0) AS BIGINT), CAST(COALESCE(SUM(damaged), 0) AS BIGINT), CAST(COALESCE(SUM(quality_control), 0) AS BIGINT), CAST(COALESCE(SUM(safety_stock), 0) AS BIGINT), CAST(COALESCE(SUM(incoming), 0) AS BIGINT) FROM levels",
);
const WAITING: Sql = Sql(
    "SELECT COUNT(*), CAST(COALESCE(SUM(waiting), 0) AS BIGINT) FROM (SELECT item, SUM(backordered) AS waiting FROM order_lines WHERE backordered > 0 GROUP BY item) AS w",
);
const HOLDS: Sql = Sql("SELECT COUNT(*) FROM reservations WHERE status = 'held'");
const QUEUED: Sql = Sql("SELECT COUNT(*) FROM orders WHERE status = 'queued'");
const OPEN: Sql = Sql(
    "SELECT location, CAST(SUM(CASE WHEN status IN ('open', 'partially_fulfilled') THEN 1 ELSE 0 END) AS BIGINT), CAST(SUM(CASE WHEN day = $1 AND status <> 'canceled' THEN 1 ELSE 0 END) AS BIGINT) FROM fulfillments WHERE status IN ('open', 'partially_fulfilled') OR day = $1 GROUP BY location",
);
const AT_RISK: Sql = Sql(
    "SELECT i.sku, i.name, CAST(COALESCE(SUM(CASE WHEN p.active = 1 THEN l.available ELSE 0 END), 0) AS BIGINT) AS free, CAST(COALESCE(SUM(l.reserved + l.committed), 0) AS BIGINT), CAST(COALESCE(SUM(l.incoming), 0) AS BIGINT), d.waiting, d.sold FROM (SELECT item, CAST(SUM(sold) AS BIGINT) AS sold, CAST(SUM(waiting) AS BIGINT) AS waiting FROM (SELECT o.item, o.quantity - o.canceled AS sold, 0 AS waiting FROM order_lines o WHERE o.order_id IN (SELECT id FROM orders ORDER BY id DESC LIMIT $1) UNION ALL SELECT w.item, 0 AS sold, w.waiting FROM (SELECT item, SUM(backordered) AS waiting FROM order_lines WHERE backordered > 0 GROUP BY item ORDER BY SUM(backordered) DESC, item LIMIT $2) AS w) AS u GROUP BY item) AS d JOIN items i ON i.id = d.item LEFT JOIN levels l ON l.item = i.id LEFT JOIN locations p ON p.id = l.location GROUP BY i.id, i.sku, i.name, d.waiting, d.sold ORDER BY CAST(COALESCE(SUM(CASE WHEN p.active = 1 THEN l.available ELSE 0 END), 0) AS BIGINT) - d.waiting, d.sold DESC, i.sku LIMIT $3",
);

const MINUTE_MICROS: i64 = 60_000_000;
/// Events read at once while counting.
const PAGE: i64 = 2_000;
/// Events looked at in one step of counting: about a fifth of a second.
const STEP: i64 = 100_000;
/// Minutes that the chart shows.
pub const MINUTES: i64 = 60;
/// "Lately sold" means in this many newest orders.
pub const LATELY: i64 = 200;
/// Items with units on backorder that are looked at, the most wanted first.
const MOST_WAITING: i64 = 200;

/// What happened on one day (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    pub orders: i64,
    /// Units of all orders placed.
    pub ordered: i64,
    pub shipped: i64,
}

/// Orders by the minute and by the day, counted from the events. Counts on from where it was, so that an event is read once.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    started: bool,
    counted_to: i64,
    days: BTreeMap<i64, Day>,
    minutes: BTreeMap<i64, i64>,
    /// Until when it has counted, if it is not done: microseconds since 1970 UTC.
    pub behind: Option<i64>,
}

/// The part of an order's event that is counted.
#[derive(Deserialize, Default)]
struct Summary {
    #[serde(default)]
    units: i64,
    #[serde(default)]
    shipped: i64,
}

impl Tally {
    /// Counts the events up to number `last`, or as many of them as one step may take. The first call finds the beginning of
    /// the day by halving; each later one reads what is new.
    pub fn advance(&mut self, tx: &mut Tx<'_>, now: i64, last: i64) -> Result<(), Stop> {
        let oldest = (now.div_euclid(MINUTE_MICROS) - MINUTES) * MINUTE_MICROS;
        if !self.started {
            // The clocks of several nodes differ a little.
            let from = oldest.min(day_of(now) * 24 * 60 * MINUTE_MICROS) - MINUTE_MICROS;
            self.counted_to = first_at(tx, from, last)? - 1;
            self.started = true;
        }
        let end = last.min(self.counted_to + STEP);
        while self.counted_to < end {
            let page_end = end.min(self.counted_to + PAGE);
            let rows = tx.rows(COUNTED, &[Value::Int(self.counted_to), Value::Int(page_end)], |r| (r.int(0), r.text(1), r.text(2), r.opt_text(3)))?;
            for (at, kind, data, before) in rows {
                let told: Summary = serde_json::from_str(&data).unwrap_or_default();
                let day = self.days.entry(day_of(at)).or_default();
                if kind == "order.placed" {
                    day.orders += 1;
                    day.ordered += told.units;
                    *self.minutes.entry(at.div_euclid(MINUTE_MICROS)).or_default() += 1;
                } else {
                    let before: Summary = before.and_then(|b| serde_json::from_str(&b).ok()).unwrap_or_default();
                    day.shipped += told.shipped - before.shipped;
                }
            }
            self.counted_to = page_end;
        }
        self.behind = if end < last { tx.one(AT_OR_AFTER, &[Value::Int(end)], |r| r.int(1))? } else { None };
        self.minutes = self.minutes.split_off(&oldest.div_euclid(MINUTE_MICROS));
        self.days = self.days.split_off(&(day_of(now) - 1));
        Ok(())
    }

    pub fn day(&self, now: i64) -> Day {
        self.days.get(&day_of(now)).copied().unwrap_or_default()
    }

    /// Orders in each of the last minutes, the running one last: (its beginning, orders).
    pub fn minutes(&self, now: i64) -> Vec<(i64, i64)> {
        let running = now.div_euclid(MINUTE_MICROS);
        (running - MINUTES + 1..=running).map(|m| (m * MINUTE_MICROS, self.minutes.get(&m).copied().unwrap_or(0))).collect()
    }
}

/// The number of the first event at or after an instant, or one past the last.
fn first_at(tx: &mut Tx<'_>, at: i64, last: i64) -> Result<i64, Stop> {
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match tx.one(AT_OR_AFTER, &[Value::Int(middle)], |r| (r.int(0), r.int(1)))? {
            Some((seq, found)) if found < at => low = seq + 1,
            Some(_) => high = middle,
            None => high = middle,
        }
    }
    Ok(low)
}

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

/// What is newest: read by primary keys, at the same cost in a database of any size.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The number of the last event that this state holds.
    pub seq: i64,
    pub any_item: bool,
    pub orders: Vec<OrderView>,
    /// The newest first.
    pub events: Vec<EventView>,
    /// Orders taken today by locations with a daily capacity: (location, orders).
    pub capacity: Vec<(i64, i64)>,
}

pub fn newest(tx: &mut Tx<'_>, config: &Config, now: i64, orders: i64, events: i64) -> Result<Newest, Stop> {
    let seq = events::last(tx)?;
    let mut newest = events::after(tx, (seq - events).max(0), events)?;
    newest.reverse();
    Ok(Newest {
        seq,
        any_item: tx.one(ANY_ITEM, &[], |r| r.int(0))?.is_some(),
        orders: orders::list(tx, config, &Filter::default(), i64::MAX, orders)?,
        events: newest,
        capacity: tx.rows(CAPACITY, &[Value::Int(day_of(now))], |r| (r.int(0), r.int(1)))?,
    })
}

/// Sums over everything. Reads the levels and the fulfillments whole, about a second for several millions of them: ask seldom.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Units that can be promised: available, at active locations.
    pub promisable: i64,
    /// Over all locations.
    pub balances: Balances,
    /// Units that wait for stock, and of how many items.
    pub waiting: i64,
    pub waiting_items: i64,
    pub holds: i64,
    pub queued: i64,
    /// (location, open fulfillments, fulfillments of today)
    pub fulfillments: Vec<(i64, i64, i64)>,
    /// Sold lately or waited for, those with the least left first.
    pub at_risk: Vec<AtRisk>,
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
    let levels = tx.one(LEVELS, &[], |r| (r.int(0), std::array::from_fn(|n| r.int(1 + n))))?;
    let (promisable, balances) = levels.unwrap_or_default();
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
        promisable,
        balances: Balances::new(&balances),
        waiting,
        waiting_items,
        holds: tx.one(HOLDS, &[], |r| r.int(0))?.unwrap_or(0),
        queued: tx.one(QUEUED, &[], |r| r.int(0))?.unwrap_or(0),
        fulfillments: tx.rows(OPEN, &[Value::Int(day_of(now))], |r| (r.int(0), r.int(1), r.int(2)))?,
        at_risk: tx.rows(AT_RISK, &[Value::Int(LATELY), Value::Int(MOST_WAITING), Value::Int(at_risk)], risk)?,
    })
}
