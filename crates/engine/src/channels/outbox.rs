//! The outbox: what a marketplace is still to be told about its orders. A row is written with the change it tells of, and goes
//! when the marketplace has heard it; so nothing is told that did not happen, and nothing that happened stays untold. What it will
//! not hear stays as well, until a person has it told again or forgets it.

use super::rows::{OUTBOX, OrderThere};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Reply};
use crate::db::{Cell, Rows, Sql, Tx, Value, Write};
use crate::orders::rows::Order;
use connectors::marketplace::{MarketOrder, Refund, RefundLine, Shipped};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const DUE: Sql = Sql(
    "SELECT id, kind, order_id, shipment, tries, external, lines, reason FROM channel_outbox WHERE channel = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3",
);
const SHIPMENT: Sql = Sql("SELECT shipped_at, carrier, tracking_number, lines FROM shipments WHERE id = $1");
const TOLD: Sql = Sql(
    "SELECT channel, seen_at, order_id, reservation, counted, told, raw, key, substitutes FROM market_orders WHERE order_id = $1 ORDER BY key LIMIT 1",
);
const PARTS: Sql = Sql(
    "SELECT l.external, i.item, i.per FROM listings l JOIN listing_items i ON i.listing = l.id WHERE l.channel = $1 AND l.external = $2 ORDER BY i.item",
);
const DONE: Sql = Sql("DELETE FROM channel_outbox WHERE id = $1");
const LATER: Sql = Sql("UPDATE channel_outbox SET due_at = $1, tries = tries + 1, fault = $2 WHERE id = $3");
const AGAIN: Sql = Sql("UPDATE channel_outbox SET due_at = $1, tries = 0, fault = NULL WHERE id = $2");

/// When something is due that is not to be told again by itself.
const NEVER: i64 = i64::MAX;

/// Something to be told.
#[derive(Debug, Clone)]
pub struct Letter {
    pub id: i64,
    /// The order by the marketplace's id.
    pub external: String,
    pub tries: i64,
    pub news: News,
}

#[derive(Debug, Clone)]
pub enum News {
    Shipped(Shipped),
    Canceled { reason: String },
    Refund(Refund),
}

/// Units to be paid back, as they are kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct PaidBack {
    /// (item, units)
    units: Vec<(i64, i64)>,
    came_back: bool,
}

/// A row to be written.
#[derive(Default)]
struct Post<'a> {
    channel: i64,
    kind: &'static str,
    order: i64,
    shipment: Option<i64>,
    external: Option<String>,
    lines: Option<String>,
    reason: &'a str,
}

fn post(batch: &mut Batch<'_>, post: Post<'_>) -> Result<(), Stop> {
    let id = batch.id()?;
    let Post { channel, kind, order, shipment, external, lines, reason } = post;
    let mut rows = Rows::default();
    rows.0.extend([id.into(), channel.into(), kind.into(), order.into(), shipment.into(), batch.now.into(), 0.into(), None::<String>.into()]);
    rows.0.extend([external.into(), lines.into(), Cell::Text(reason.to_owned())]);
    batch.more.push(Write::new(&OUTBOX, rows));
    Ok(())
}

/// The channel of an order, if it is one that is told things.
fn channel_of(batch: &Batch<'_>, order: &Order) -> Option<i64> {
    batch.config.channel_by_code(&order.channel).map(|c| c.id)
}

/// The channel of this order, if it is one, is to be told that something left.
pub(crate) fn shipped(batch: &mut Batch<'_>, order: &Order, shipment: i64) -> Result<(), Stop> {
    let Some(channel) = channel_of(batch, order) else { return Ok(()) };
    post(batch, Post { channel, kind: "ship", order: order.id, shipment: Some(shipment), ..Post::default() })
}

/// The channel of this order, if it is one, is to be told that all of it is canceled; it pays the buyer back.
pub(crate) fn canceled(batch: &mut Batch<'_>, order: &Order, reason: &str) -> Result<(), Stop> {
    let Some(channel) = channel_of(batch, order) else { return Ok(()) };
    post(batch, Post { channel, kind: "cancel", order: order.id, reason, ..Post::default() })
}

/// A channel is to be told that one of its orders, which was not taken on here, is canceled.
pub(crate) fn not_taken(batch: &mut Batch<'_>, channel: i64, external: &str, reason: &str) -> Result<(), Stop> {
    post(batch, Post { channel, kind: "cancel", external: Some(external.to_owned()), reason, ..Post::default() })
}

/// The channel of this order, if it is one, is to pay back for these units (item, units): they came back, or never left.
pub(crate) fn refund(batch: &mut Batch<'_>, order: &Order, units: Vec<(i64, i64)>, came_back: bool, reason: &str) -> Result<(), Stop> {
    let Some(channel) = channel_of(batch, order) else { return Ok(()) };
    let lines = serde_json::to_string(&PaidBack { units, came_back }).unwrap_or_default();
    post(batch, Post { channel, kind: "refund", order: order.id, lines: Some(lines), reason, ..Post::default() })
}

/// A letter that the marketplace would not hear is told again.
pub(crate) fn again(batch: &mut Batch<'_>, letter: i64) {
    let now = batch.now;
    batch.statements.push((AGAIN, vec![now.into(), letter.into()]));
}

/// A letter that the marketplace would not hear is thrown away.
pub(crate) fn forget(batch: &mut Batch<'_>, letter: i64) {
    batch.statements.push((DONE, vec![letter.into()]));
}

/// What is due to be told, at most `limit`, and letters about orders that the marketplace does not know, to be thrown away.
pub fn due(tx: &mut Tx<'_>, channel: i64, now: i64, limit: i64) -> Result<(Vec<Letter>, Vec<i64>), Stop> {
    let rows = tx.rows(DUE, &[Value::Int(channel), Value::Int(now), Value::Int(limit)], |r| {
        ((r.int(0), r.text(1), r.int(2), r.opt_int(3), r.int(4)), (r.opt_text(5), r.opt_text(6), r.opt_text(7).unwrap_or_default()))
    })?;
    let (mut letters, mut pointless) = (Vec::new(), Vec::new());
    for ((id, kind, order, shipment, tries), (external, lines, reason)) in rows {
        if let (0, Some(external)) = (order, external) {
            letters.push(Letter { id, external, tries, news: News::Canceled { reason } });
            continue;
        }
        let Some(told) = tx.one(TOLD, &[Value::Int(order)], OrderThere::read)?.flatten().map(|(_, order)| order.told) else {
            pointless.push(id);
            continue;
        };
        let key = format!("holdfast-{id}");
        let news = match (kind.as_str(), shipment) {
            ("ship", Some(shipment)) => {
                let read = |r: &crate::db::Row<'_>| (r.int(0), r.opt_text(1), r.opt_text(2), r.text(3));
                let Some((shipped_at, carrier, tracking_number, lines)) = tx.one(SHIPMENT, &[Value::Int(shipment)], read)? else { continue };
                let units: Vec<(i64, i64)> = serde_json::from_str(&lines).unwrap_or_default();
                let lines = lines_there(tx, channel, &told, &units)?.into_iter().map(|(line, units)| (told.lines[line].id.clone(), units)).collect();
                News::Shipped(Shipped { order: told.id.clone(), key, carrier, tracking_number, shipped_at, lines })
            }
            ("refund", _) => {
                let PaidBack { units, came_back } = lines.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                let refund_line = |(line, quantity): (usize, i64)| RefundLine {
                    line: told.lines[line].id.clone(),
                    quantity,
                    unit_price: told.lines[line].unit_price.clone().zip(told.currency.clone()),
                    came_back,
                };
                let lines = lines_there(tx, channel, &told, &units)?.into_iter().map(refund_line).collect();
                News::Refund(Refund { order: told.id.clone(), key, reason, lines })
            }
            _ => News::Canceled { reason },
        };
        letters.push(Letter { id, external: told.id, tries, news });
    }
    Ok((letters, pointless))
}

/// Units of items as lines of the order there: (its place in the order, how often the listing). Units of a pack, or of a kit's first
/// component, tell how many of the listing they are.
fn lines_there(tx: &mut Tx<'_>, channel: i64, told: &MarketOrder, units: &[(i64, i64)]) -> Result<Vec<(usize, i64)>, Stop> {
    let mut left: HashMap<i64, i64> = HashMap::new();
    for (item, units) in units {
        *left.entry(*item).or_default() += units;
    }
    let mut lines = Vec::new();
    for (place, line) in told.lines.iter().enumerate() {
        let parts = tx.rows(PARTS, &[Value::Int(channel), Value::Text(&line.listing)], |r| (r.int(1), r.int(2)))?;
        let Some((item, per)) = parts.first().copied() else { continue };
        let there = left.entry(item).or_default();
        let quantity = (*there / per.max(1)).min(line.quantity - line.canceled);
        if quantity > 0 {
            *there -= quantity * per;
            lines.push((place, quantity));
        }
    }
    Ok(lines)
}

/// What became of a letter.
#[derive(Debug, Clone)]
pub enum Heard {
    Yes,
    /// To be tried again at this time, and why.
    Later {
        at: i64,
        why: String,
    },
    /// The marketplace will not hear it: a person must look at it.
    No {
        why: String,
    },
}

/// Ends letters.
#[derive(Debug, Clone)]
pub struct EndLetters {
    pub channel: i64,
    /// (letter, the marketplace's id of the order, what became of it)
    pub letters: Vec<(i64, String, Heard)>,
}

impl EndLetters {
    pub fn needs<'a>(&'a self, needs: &mut crate::command::Needs<'a>) {
        needs.exception_keys.extend(self.letters.iter().map(|(letter, ..)| format!("letter:{letter}")));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        for (id, order, heard) in &self.letters {
            let statement = match heard {
                Heard::Yes => (DONE, vec![(*id).into()]),
                Heard::No { why } => (LATER, vec![NEVER.into(), why.clone().into(), (*id).into()]),
                Heard::Later { at, why } => (LATER, vec![(*at).into(), why.clone().into(), (*id).into()]),
            };
            batch.statements.push(statement);
            if let Heard::No { why } = heard {
                let trouble = crate::exceptions::Trouble {
                    kind: crate::exceptions::Kind::NotTold,
                    key: &format!("letter:{id}"),
                    channel: self.channel,
                    title: format!("The marketplace does not take what happened to its order {order}"),
                    detail: format!("{why}. Tell it there by hand and dismiss this, or mend the cause and retry."),
                    payload: "",
                };
                crate::exceptions::raise(batch, trouble)?;
            }
        }
        Ok(Reply::done(Answer::Count { count: self.letters.len() }))
    }
}
