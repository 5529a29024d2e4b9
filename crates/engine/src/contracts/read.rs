//! Reads contracts: what was agreed, what was ordered of it, what is set aside.

use super::rows::{CONTRACT_LINE_COLUMNS, Contract, ContractLine};
use crate::Stop;
use crate::batch::Batch;
use crate::catalog::rows::{ITEMS_BY_ID, Item};
use crate::channels::rows::Channel;
use crate::config::Config;
use crate::db::{Row, Sql, Tx, Value};
use crate::views::{Amount, Time};
use domain::{Noun, Refused};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::ToSchema;

const LINES: Sql = Sql(
    "SELECT c.listing, c.channel, c.item, c.unit_price_minor, c.quantity, c.minimum, c.set_aside, c.ordered, l.exposure FROM contract_lines c JOIN listings l ON l.id = c.listing WHERE c.channel = $1 ORDER BY c.listing",
);
const SUMS: Sql = Sql(
    "SELECT c.channel, COUNT(*), CAST(SUM(c.quantity) AS BIGINT), CAST(SUM(c.minimum) AS BIGINT), CAST(SUM(c.set_aside) AS BIGINT), CAST(SUM(c.ordered) AS BIGINT), (SELECT s.exposure FROM listing_sums s WHERE s.channel = c.channel) FROM contract_lines c GROUP BY c.channel",
);
/// Items of which contracts hold too many units at `$1`, or too few, at most `$2`.
const AMISS: Sql = Sql(
    "SELECT DISTINCT l.item FROM contracts c JOIN contract_lines l ON l.channel = c.channel JOIN listings g ON g.id = l.listing WHERE (c.ends_at <= $1 AND g.exposure > 0) OR (c.starts_at <= $1 AND c.ends_at > $1 AND g.exposure < l.set_aside AND g.exposure < l.quantity - l.ordered) ORDER BY l.item LIMIT $2",
);

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContractView {
    #[schema(value_type = String)]
    pub code: Arc<str>,
    pub customer: String,
    pub currency: String,
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Time,
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Time,
    pub lines: Vec<ContractLineView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContractLineView {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub unit_price: Option<Amount>,
    pub quantity: i64,
    pub minimum: i64,
    /// Units that should be set aside.
    pub set_aside: i64,
    /// Units that are set aside now: fewer if there is not enough stock.
    pub set_aside_now: i64,
    pub ordered: i64,
    /// Units that the customer may still order.
    pub left: i64,
    /// Units that it still has to order to keep its word.
    pub to_order: i64,
}

impl ContractLineView {
    fn new(line: &ContractLine, sku: Arc<str>, currency: &str, set_aside_now: i64) -> ContractLineView {
        ContractLineView {
            sku,
            unit_price: Amount::from_minor(line.unit_price_minor, Some(currency)),
            quantity: line.quantity,
            minimum: line.minimum,
            set_aside: line.set_aside,
            set_aside_now,
            ordered: line.ordered,
            left: (line.quantity - line.ordered).max(0),
            to_order: (line.minimum - line.ordered).max(0),
        }
    }
}

impl ContractView {
    fn new(contract: &Contract, config: &Config, lines: Vec<ContractLineView>) -> ContractView {
        ContractView {
            code: config.channel(contract.channel).map(|c| c.code.clone()).unwrap_or_default(),
            customer: contract.customer.clone(),
            currency: contract.currency.clone(),
            starts_at: Time(contract.starts_at),
            ends_at: Time(contract.ends_at),
            lines,
        }
    }

    pub(crate) fn of_batch(batch: &Batch<'_>, contract: &Contract) -> ContractView {
        let lines = batch.contract_lines.values().filter(|l| l.channel == contract.channel).map(|line| {
            let now = batch.listings.get(line.listing).map_or(0, |l| l.exposure.total());
            ContractLineView::new(line, batch.names().sku(line.item), &contract.currency, now)
        });
        ContractView::new(contract, &batch.config, lines.collect())
    }
}

/// What people change of a contract, without what orders change of it: for noticing that somebody else changed it meanwhile, and for the
/// audit log.
#[derive(Debug, Serialize)]
pub struct Terms<'a> {
    pub code: &'a str,
    pub customer: &'a str,
    pub ends_at: Time,
    /// (SKU, units set aside)
    pub set_aside: Vec<(&'a str, i64)>,
}

impl ContractView {
    pub fn terms(&self) -> Terms<'_> {
        let set_aside = self.lines.iter().map(|l| (&*l.sku, l.set_aside)).collect();
        Terms { code: &self.code, customer: &self.customer, ends_at: self.ends_at, set_aside }
    }
}

fn id_of(config: &Config, code: &str) -> Result<i64, Refused> {
    config.channel_by_code(code).filter(|c| c.is_contract()).map(|c| c.id).ok_or_else(|| Refused::unknown(Noun::Contract, code, "code"))
}

/// One contract.
pub fn one(tx: &mut Tx<'_>, config: &Config, code: &str) -> Result<ContractView, Stop> {
    debug_assert!(CONTRACT_LINE_COLUMNS.starts_with("listing"));
    let id = id_of(config, code)?;
    let contract = config.contract(id).ok_or_else(|| Refused::unknown(Noun::Contract, code, "code"))?;
    let lines = tx.rows(LINES, &[Value::Int(id)], |r| (ContractLine::read(r), r.int(8)))?;
    let mut items: Vec<i64> = lines.iter().map(|(line, _)| line.item).collect();
    items.sort_unstable();
    let skus: HashMap<i64, Arc<str>> = tx.by_ids(&ITEMS_BY_ID, &items, &[], Item::read)?.into_iter().map(|i| (i.id, i.sku.clone())).collect();
    let view =
        |(line, now): &(ContractLine, i64)| ContractLineView::new(line, skus.get(&line.item).cloned().unwrap_or_default(), &contract.currency, *now);
    Ok(ContractView::new(contract, config, lines.iter().map(view).collect()))
}

/// All contracts.
pub fn all(tx: &mut Tx<'_>, config: &Config) -> Result<Vec<ContractView>, Stop> {
    let codes: Vec<Arc<str>> = config.channels.iter().filter(|c| c.is_contract()).map(|c| c.code.clone()).collect();
    codes.iter().map(|code| one(tx, config, code)).collect()
}

/// What the lines of a contract come to, in units.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    pub lines: i64,
    pub quantity: i64,
    pub minimum: i64,
    pub set_aside: i64,
    pub set_aside_now: i64,
    pub ordered: i64,
}

/// All contracts by their codes, with their sums and when they run: (from, until), microseconds since 1970 UTC.
pub fn sums(tx: &mut Tx<'_>, config: &Config) -> Result<Vec<(Channel, (i64, i64), Sums)>, Stop> {
    let read = |r: &Row<'_>| {
        let sums = Sums { lines: r.int(1), quantity: r.int(2), minimum: r.int(3), set_aside: r.int(4), ordered: r.int(5), set_aside_now: r.int(6) };
        (r.int(0), sums)
    };
    let known: HashMap<i64, Sums> = tx.rows(SUMS, &[], read)?.into_iter().collect();
    let all = config.channels.iter().filter_map(|c| Some((c.clone(), config.contract(c.id)?)));
    let with_sums = |(c, contract): (Channel, &Contract)| {
        let sums = known.get(&c.id).copied().unwrap_or_default();
        (c, (contract.starts_at, contract.ends_at), sums)
    };
    Ok(all.map(with_sums).collect())
}

/// The listings of a contract.
pub fn listings(tx: &mut Tx<'_>, config: &Config, code: &str) -> Result<Vec<i64>, Stop> {
    Ok(tx.rows(LINES, &[Value::Int(id_of(config, code)?)], |r| r.int(0))?)
}

/// Items of which contracts hold too many units, because they have ended, or too few, at most `limit`.
pub fn amiss(tx: &mut Tx<'_>, now: i64, limit: i64) -> Result<Vec<i64>, Stop> {
    Ok(tx.rows(AMISS, &[Value::Int(now), Value::Int(limit)], |r| r.int(0))?)
}
