//! Units ordered of each item on each day (UTC): counted behind the writer from the events of placed orders, read by the item's page
//! and the stock list.
//!
//! What was asked for counts, whether or not it could be promised, was canceled or came back: demand, not deliveries.

use crate::Stop;
use crate::batch::day_of;
use crate::db::{Conn, Faults, Lookup, Rows, Sql, Table, Tx, Type, Value, Write};
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub const ITEM_DAYS: Table =
    Table { name: "item_days", columns: &[("item", Type::Int), ("day", Type::Int), ("ordered", Type::Int)], key: "item, day" };

const COUNTED_TO: Sql = Sql("SELECT value FROM counters WHERE name = 'sales'");
// Takes the row before anything else: of two nodes, or of a lease that ran out, one goes on and the other finds it done.
const COUNT_TO: Sql = Sql("UPDATE counters SET value = $1 WHERE name = 'sales' AND value = $2");
const PLACED: Sql = Sql("SELECT seq, at, kind, subject FROM events WHERE seq > $1 ORDER BY seq LIMIT $2");
const LINES: Lookup = Lookup {
    columns: "order_id, item, CAST(SUM(quantity) AS BIGINT)",
    from: "order_lines",
    key: "order_id",
    and: "GROUP BY order_id, item",
    order: "order_id, item",
    lock: false,
};
pub(super) const SINCE: Lookup =
    Lookup { columns: "item, day, ordered", from: "item_days", key: "item", and: "AND day >= $2", order: "item, day", lock: false };
const ALL_SINCE: Sql = Sql("SELECT item, ordered FROM item_days WHERE day >= $1");

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&LINES, &SINCE];

/// Events counted in one transaction: a few thousand rows, some ten milliseconds.
const STEP: i64 = 2_000;
/// Steps in one run of the job.
const STEPS: usize = 50;

/// Counts the orders that were placed since the last time, up to a hundred thousand events; answers how many events it went through. Safe
/// to run twice and at several nodes.
pub fn count(conn: &mut Conn) -> Result<i64, Stop> {
    let mut done = 0;
    for _ in 0..STEPS {
        let events = step(conn)?;
        done += events;
        if events < STEP {
            break;
        }
    }
    Ok(done)
}

/// Counts the next events; answers how many.
fn step(conn: &mut Conn) -> Result<i64, Stop> {
    // What is read does not change any more, so it need not stand in the way of the writer.
    let mut tx = conn.begin_read()?;
    let from = tx.one(COUNTED_TO, &[], |r| r.int(0))?.ok_or_else(|| Stop::broken("the counter of sales is missing"))?;
    let events = tx.rows(PLACED, &[Value::Int(from), Value::Int(STEP)], |r| (r.int(0), r.int(1), r.text(2) == "order.placed", r.int(3)))?;
    let Some((to, ..)) = events.last().copied() else { return Ok(0) };
    let days: HashMap<i64, i64> = events.iter().filter(|(.., placed, _)| *placed).map(|(_, at, _, order)| (*order, day_of(*at))).collect();
    let orders: BTreeSet<i64> = days.keys().copied().collect();
    let orders: Vec<i64> = orders.into_iter().collect();
    let mut units: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for (order, item, quantity) in tx.by_ids(&LINES, &orders, &[], |r| (r.int(0), r.int(1), r.int(2)))? {
        *units.entry((item, days[&order])).or_default() += quantity;
    }
    drop(tx);
    add(conn, from, to, units)?;
    Ok(events.len() as i64)
}

/// Adds the units of (item, day), if nobody has counted further meanwhile.
fn add(conn: &mut Conn, from: i64, to: i64, mut units: BTreeMap<(i64, i64), i64>) -> Result<(), Stop> {
    let none = Faults::default();
    let mut tx = conn.begin(&none)?;
    if tx.execute(COUNT_TO, &[Value::Int(to), Value::Int(from)])? == 0 {
        return Ok(());
    }
    if let Some(first) = units.keys().map(|(_, day)| *day).min() {
        let items: BTreeSet<i64> = units.keys().map(|(item, _)| *item).collect();
        let items: Vec<i64> = items.into_iter().collect();
        for (item, day, ordered) in tx.by_ids(&SINCE, &items, &[Value::Int(first)], |r| (r.int(0), r.int(1), r.int(2)))? {
            if let Some(sum) = units.get_mut(&(item, day)) {
                *sum += ordered;
            }
        }
    }
    let mut rows = Rows::default();
    for ((item, day), ordered) in units {
        rows.0.extend([item.into(), day.into(), ordered.into()]);
    }
    tx.write(vec![Write::changed(&ITEM_DAYS, rows)])?;
    Ok(tx.commit()?)
}

/// The first of the `N` days that end with `today` (days since 1970 UTC).
pub(super) fn first_day<const N: usize>(today: i64) -> i64 {
    today + 1 - N as i64
}

/// Units of each item (sorted ids) on each of the `N` days that end with `today` (days since 1970 UTC), the last one last. Items without
/// any are left out.
pub fn by_day<const N: usize>(tx: &mut Tx<'_>, items: &[i64], today: i64) -> Result<HashMap<i64, [i64; N]>, Stop> {
    let first = first_day::<N>(today);
    let mut days: HashMap<i64, [i64; N]> = HashMap::new();
    for (item, day, ordered) in tx.by_ids(&SINCE, items, &[Value::Int(first)], |r| (r.int(0), r.int(1), r.int(2)))? {
        // A clock that ran ahead may have left a day that is still to come.
        if let Some(place) = usize::try_from(day - first).ok().filter(|n| *n < N) {
            days.entry(item).or_insert([0; N])[place] += ordered;
        }
    }
    Ok(days)
}

/// Units of every item since a day (days since 1970 UTC): one walk over what was sold since then.
pub(super) fn all_since(tx: &mut Tx<'_>, day: i64, each: &mut dyn FnMut(i64, i64)) -> Result<(), Stop> {
    Ok(tx.each(ALL_SINCE, &[Value::Int(day)], &mut |r| each(r.int(0), r.int(1)))?)
}
