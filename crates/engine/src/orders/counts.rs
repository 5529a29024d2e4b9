//! How many orders each tab of the list has: exact while they are few, "more than" beyond, at a bounded cost.

use super::list::{self, OrderQuery};
use super::ways::STATUSES;
use crate::Stop;
use crate::db::{Sql, Tx, Value};
use domain::steps::Status;

const OF_STATUS: Sql = Sql("SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE status = $1 LIMIT $2) AS c");
const OF_CHANNEL: Sql = Sql("SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE channel = $1 AND status = $2 LIMIT $3) AS c");

/// Counted exactly up to here: entries of an index, read in a row.
pub const MOST: i64 = 2_500;
/// Counted exactly up to here where each order has to be looked at: for somebody who sees some locations only, and for late ones.
pub const MOST_LOOKED_AT: usize = 250;

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
/// those that are late on this day (days since 1970 UTC), as [`OrderQuery`] says. Up to [`MOST`], or [`MOST_LOOKED_AT`], of each.
pub fn counts(tx: &mut Tx<'_>, channels: Option<&[String]>, locations: Option<&[i64]>, today: i64) -> Result<Counts, Stop> {
    let query = OrderQuery { channels: channels.map(<[_]>::to_vec), locations: locations.map(<[_]>::to_vec), ..OrderQuery::default() };
    let mut statuses = Vec::with_capacity(STATUSES.len());
    for status in STATUSES {
        let count = match (locations, channels) {
            (Some(_), _) => looked_at(tx, &OrderQuery { statuses: vec![status], ..query.clone() })?,
            (None, Some(channels)) => of_channels(tx, channels, status)?,
            (None, None) => capped(tx.one(OF_STATUS, &[Value::Text(status.word()), Value::Int(MOST + 1)], |r| r.int(0))?.unwrap_or(0)),
        };
        statuses.push((status, count));
    }
    let late = looked_at(tx, &OrderQuery { late_on: Some(today), oldest_first: true, ..query })?;
    Ok(Counts { statuses, late })
}

fn capped(orders: i64) -> Count {
    Count { orders: orders.min(MOST), more: orders > MOST }
}

fn of_channels(tx: &mut Tx<'_>, channels: &[String], status: Status) -> Result<Count, Stop> {
    let mut orders = 0;
    for channel in channels {
        let values = [Value::Text(channel), Value::Text(status.word()), Value::Int(MOST + 1 - orders)];
        orders += tx.one(OF_CHANNEL, &values, |r| r.int(0))?.unwrap_or(0);
        if orders > MOST {
            break;
        }
    }
    Ok(capped(orders))
}

fn looked_at(tx: &mut Tx<'_>, query: &OrderQuery) -> Result<Count, Stop> {
    let (orders, more) = list::count(tx, query, MOST_LOOKED_AT)?;
    Ok(Count { orders: orders as i64, more })
}
