//! How many orders each tab of the list has: exact while they are few, "more than" beyond, at a bounded cost.

use super::list::{self, OrderQuery};
use super::ways::STATUSES;
use crate::Stop;
use crate::db::{Ahead, Sql, Tx, Value};
use domain::steps::Status;

const OF_STATUS: Sql = Sql("SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE status = $1 LIMIT $2) AS c");
const OF_CHANNEL: Sql = Sql("SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE channel = $1 AND status = $2 LIMIT $3) AS c");

/// Counted exactly up to here: entries of an index, read in a row.
pub const MOST: i64 = 2_500;
/// Counted exactly up to here where each order has to be looked at: for somebody who sees some locations only, and for late ones.
pub const MOST_LOOKED_AT: usize = 250;
/// The same of a channel's orders at a location, of which a single one is looked at twice: the order, and where it ships from.
pub const MOST_LOOKED_AT_TWICE: usize = 100;

/// A number of orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub orders: i64,
    /// There are more than that.
    pub more: bool,
}

/// The numbers beside the tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Of each status, in the order of an order's life.
    pub statuses: Vec<(Status, Count)>,
    pub late: Count,
}

/// Counts the orders of these channels (any if left out) with a fulfillment at one of these locations (any if left out), by status, and
/// those that are late on this day (days since 1970 UTC), as [`OrderQuery`] says. Up to [`MOST`], [`MOST_LOOKED_AT`] or [`MOST_LOOKED_AT_TWICE`] of each.
pub fn counts(tx: &mut Tx<'_>, channels: Option<&[String]>, locations: Option<&[i64]>, today: i64) -> Result<Counts, Stop> {
    let query = OrderQuery { channels: channels.map(<[_]>::to_vec), locations: locations.map(<[_]>::to_vec), ..OrderQuery::default() };
    let late = OrderQuery { late_on: Some(today), oldest_first: true, ..query.clone() };
    let counts = match locations {
        None => {
            let channels: Vec<Option<&String>> = channels.map_or(vec![None], |channels| channels.iter().map(Some).collect());
            // What is asked of the first is known already.
            for (channel, status) in channels.first().into_iter().flat_map(|channel| STATUSES.map(|status| (channel, status))) {
                asked(*channel, status, 0, |sql, values| tx.ahead(&[Ahead::Rows(sql, values)]));
            }
            let late = looked_at(tx, &[late], MOST_LOOKED_AT)?;
            let of_status = STATUSES.iter().map(|status| in_index(tx, &channels, *status)).collect::<Result<Vec<Count>, Stop>>()?;
            of_status.into_iter().chain(late).collect()
        }
        Some(_) => {
            let of_status = STATUSES.iter().map(|status| OrderQuery { statuses: vec![*status], ..query.clone() });
            let most = if channels.is_some() { MOST_LOOKED_AT_TWICE } else { MOST_LOOKED_AT };
            looked_at(tx, &of_status.chain([late]).collect::<Vec<OrderQuery>>(), most)?
        }
    };
    let late = counts.last().copied().unwrap_or_default();
    Ok(Counts { statuses: STATUSES.into_iter().zip(counts).collect(), late })
}

/// How many orders of a status these channels have; the one that has no name is all of them.
fn in_index(tx: &mut Tx<'_>, channels: &[Option<&String>], status: Status) -> Result<Count, Stop> {
    let mut orders = 0;
    for channel in channels {
        orders += asked(*channel, status, orders, |sql, values| tx.one(sql, values, |r| r.int(0)))?.unwrap_or(0);
        if orders > MOST {
            break;
        }
    }
    Ok(Count { orders: orders.min(MOST), more: orders > MOST })
}

/// What counts the orders of a status, of one channel or all, until there are more than [`MOST`] with those that are known.
fn asked<T>(channel: Option<&String>, status: Status, known: i64, ask: impl FnOnce(Sql, &[Value<'_>]) -> T) -> T {
    let (status, most) = (Value::Text(status.word()), Value::Int(MOST + 1 - known));
    match channel {
        Some(channel) => ask(OF_CHANNEL, &[Value::Text(channel), status, most]),
        None => ask(OF_STATUS, &[status, most]),
    }
}

fn looked_at(tx: &mut Tx<'_>, queries: &[OrderQuery], most: usize) -> Result<Vec<Count>, Stop> {
    let counts = list::counts(tx, queries, most)?;
    Ok(counts.into_iter().map(|(orders, more)| Count { orders: orders as i64, more }).collect())
}
