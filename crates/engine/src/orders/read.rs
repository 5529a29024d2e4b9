//! Reads orders.

use crate::Stop;
use crate::access::{audit, reach};
use crate::batch::sorted;
use crate::catalog::rows::{ITEMS_BY_ID, Item};
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use crate::kept::Names;
use crate::orders::rows::{Order, read_orders};
use crate::stock::rows::read_transfers;
use crate::views::{OrderSummary, OrderView, TransferView};
use domain::{Grant, Noun, Refused};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

const LIST: Sql = Sql("SELECT id FROM orders WHERE id < $1 AND ($2 = '' OR status = $2) AND ($3 = '' OR channel = $3) ORDER BY id DESC LIMIT $4");
const BY_REFERENCE: Sql = Sql("SELECT id FROM orders WHERE reference = $1 AND channel = $2");
const ANY_REFERENCE: Sql = Sql("SELECT id FROM orders WHERE reference = $1 ORDER BY channel LIMIT $2");
const TRANSFERS: Sql = Sql("SELECT id FROM transfers WHERE id < $1 ORDER BY id DESC LIMIT $2");

pub(super) fn items(tx: &mut Tx<'_>, ids: BTreeSet<i64>) -> Result<HashMap<i64, Arc<Item>>, Stop> {
    let ids: Vec<i64> = ids.into_iter().collect();
    Ok(tx.by_ids(&ITEMS_BY_ID, &ids, &[], Item::read)?.into_iter().map(|i| (i.id, Arc::new(i))).collect())
}

fn views(tx: &mut Tx<'_>, config: &Config, orders: &[Order]) -> Result<Vec<OrderView>, Stop> {
    let ids = orders.iter().flat_map(|o| &o.lines).flat_map(|l| [Some(l.item), l.kit]).flatten().collect();
    let items = items(tx, ids)?;
    let names = Names { items: &items, config };
    Ok(orders.iter().map(|o| OrderView::new(o, &names)).collect())
}

pub fn one(tx: &mut Tx<'_>, config: &Config, id: i64) -> Result<OrderView, Stop> {
    let found = read_orders(tx, &[id], false)?;
    views(tx, config, &found)?.pop().ok_or_else(|| Refused::unknown(Noun::Order, id.to_string(), "id").into())
}

/// The ids of orders that some channel knows by this reference.
pub fn by_reference(tx: &mut Tx<'_>, reference: &str, limit: i64) -> Result<Vec<i64>, Stop> {
    Ok(tx.rows(ANY_REFERENCE, &[Value::Text(reference), Value::Int(limit)], |r| r.int(0))?)
}

/// Orders by their ids, each with what a form about it carries. Those that are not there, or that `grant` does not reach, are left out.
pub fn seen(tx: &mut Tx<'_>, config: &Config, ids: &[i64], grant: &Grant) -> Result<Vec<(OrderView, String)>, Stop> {
    let found = read_orders(tx, &sorted(ids), false)?;
    let ids = found.iter().flat_map(|o| &o.lines).flat_map(|l| [Some(l.item), l.kit]).flatten().collect();
    let items = items(tx, ids)?;
    let names = Names { items: &items, config };
    let views = found.iter().map(|o| (OrderView::new(o, &names), audit::etag_of(&OrderSummary::new(o, &names))));
    Ok(views.filter(|(order, _)| reach::order(order, grant, config)).collect())
}

/// Which orders to list; empty texts mean any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub status: String,
    pub channel: String,
    pub reference: String,
}

/// The newest orders before an id.
pub fn list(tx: &mut Tx<'_>, config: &Config, filter: &Filter, before: i64, limit: i64) -> Result<Vec<OrderView>, Stop> {
    let mut ids = if filter.reference.is_empty() {
        let values = [Value::Int(before), Value::Text(&filter.status), Value::Text(&filter.channel), Value::Int(limit)];
        tx.rows(LIST, &values, |r| r.int(0))?
    } else {
        tx.rows(BY_REFERENCE, &[Value::Text(&filter.reference), Value::Text(&filter.channel)], |r| r.int(0))?
    };
    ids.sort_unstable();
    let mut orders = read_orders(tx, &ids, false)?;
    orders.sort_by_key(|o| std::cmp::Reverse(o.id));
    views(tx, config, &orders)
}

pub fn transfer(tx: &mut Tx<'_>, config: &Config, id: i64) -> Result<TransferView, Stop> {
    transfers_by(tx, config, vec![id])?.pop().ok_or_else(|| Refused::unknown(Noun::Transfer, id.to_string(), "id").into())
}

/// The newest transfers before an id.
pub fn transfers(tx: &mut Tx<'_>, config: &Config, before: i64, limit: i64) -> Result<Vec<TransferView>, Stop> {
    let mut ids = tx.rows(TRANSFERS, &[Value::Int(before), Value::Int(limit)], |r| r.int(0))?;
    ids.sort_unstable();
    let mut views = transfers_by(tx, config, ids)?;
    views.reverse();
    Ok(views)
}

fn transfers_by(tx: &mut Tx<'_>, config: &Config, ids: Vec<i64>) -> Result<Vec<TransferView>, Stop> {
    let found = read_transfers(tx, &ids, false)?;
    let items = items(tx, found.iter().flat_map(|t| t.lines.iter().map(|l| l.item)).collect())?;
    let names = Names { items: &items, config };
    Ok(found.iter().map(|t| TransferView::new(t, &names)).collect())
}

const CHANNEL_AFTER: Sql = Sql("SELECT channel FROM orders WHERE channel > $1 ORDER BY channel LIMIT 1");
/// Most channels that are looked for.
const MAX_CHANNELS: usize = 100;

/// The channels that orders came from, as they name them; one look into the index for each.
pub fn channel_names(tx: &mut Tx<'_>) -> Result<Vec<String>, Stop> {
    let mut names: Vec<String> = Vec::new();
    while names.len() < MAX_CHANNELS {
        let last = names.last().cloned().unwrap_or_default();
        match tx.one(CHANNEL_AFTER, &[Value::Text(&last)], |r| r.text(0))? {
            Some(name) => names.push(name),
            None => break,
        }
    }
    Ok(names)
}
