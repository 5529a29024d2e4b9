//! The outbox: what a marketplace is still to be told about its orders. A row is written with the change it tells of, and goes
//! when the marketplace has heard it; so nothing is told that did not happen, and nothing that happened stays untold.

use super::rows::{OUTBOX, OrderThere};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Reply};
use crate::db::{Rows, Sql, Tx, Value, Write};
use crate::orders::rows::Order;
use std::collections::HashMap;

const DUE: Sql = Sql("SELECT id, kind, order_id, shipment, tries FROM channel_outbox WHERE channel = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3");
const SHIPMENT: Sql = Sql("SELECT shipped_at, carrier, tracking_number, lines FROM shipments WHERE id = $1");
const TOLD: Sql =
    Sql("SELECT channel, seen_at, order_id, reservation, counted, told, raw, key FROM market_orders WHERE order_id = $1 ORDER BY key LIMIT 1");
const PARTS: Sql = Sql(
    "SELECT l.external, i.item, i.per FROM listings l JOIN listing_items i ON i.listing = l.id WHERE l.channel = $1 AND l.external = $2 ORDER BY i.item",
);
const DONE: Sql = Sql("DELETE FROM channel_outbox WHERE id = $1");
const LATER: Sql = Sql("UPDATE channel_outbox SET due_at = $1, tries = tries + 1, fault = $2 WHERE id = $3");

/// Something to be told.
#[derive(Debug, Clone)]
pub struct Letter {
    pub id: i64,
    pub kind: String,
    /// The order by the marketplace's id.
    pub external: String,
    pub tries: i64,
    pub shipped_at: i64,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    /// (the order's line there, how often)
    pub lines: Vec<(String, i64)>,
}

/// Notes that the channel of this order, if it is one, is to be told.
pub(crate) fn add(batch: &mut Batch<'_>, order: &Order, kind: &'static str, shipment: Option<i64>) -> Result<(), Stop> {
    let Some(channel) = batch.config.channel_by_code(&order.channel).map(|c| c.id) else { return Ok(()) };
    let id = batch.id()?;
    let mut rows = Rows::default();
    rows.0.extend([id.into(), channel.into(), kind.into(), order.id.into(), shipment.into(), batch.now.into(), 0.into(), None::<String>.into()]);
    batch.more.push(Write::new(&OUTBOX, rows));
    Ok(())
}

/// What is due to be told, at most `limit`. A letter about an order that the marketplace does not know is thrown away.
pub fn due(tx: &mut Tx<'_>, channel: i64, now: i64, limit: i64) -> Result<(Vec<Letter>, Vec<i64>), Stop> {
    let rows =
        tx.rows(DUE, &[Value::Int(channel), Value::Int(now), Value::Int(limit)], |r| (r.int(0), r.text(1), r.int(2), r.opt_int(3), r.int(4)))?;
    let (mut letters, mut pointless) = (Vec::new(), Vec::new());
    for (id, kind, order, shipment, tries) in rows {
        let told = tx.one(TOLD, &[Value::Int(order)], OrderThere::read)?.flatten().map(|(_, order)| order.told);
        let Some(told) = told else {
            pointless.push(id);
            continue;
        };
        let mut letter =
            Letter { id, kind, external: told.id.clone(), tries, shipped_at: 0, carrier: None, tracking_number: None, lines: Vec::new() };
        if let Some(shipment) = shipment {
            let read = |r: &crate::db::Row<'_>| (r.int(0), r.opt_text(1), r.opt_text(2), r.text(3));
            let Some((shipped_at, carrier, tracking_number, lines)) = tx.one(SHIPMENT, &[Value::Int(shipment)], read)? else { continue };
            let shipped: Vec<(i64, i64)> = serde_json::from_str(&lines).unwrap_or_default();
            let mut left: HashMap<i64, i64> = HashMap::new();
            for (item, units) in shipped {
                *left.entry(item).or_default() += units;
            }
            (letter.shipped_at, letter.carrier, letter.tracking_number) = (shipped_at, carrier, tracking_number);
            for line in &told.lines {
                // Units of a pack, or of a kit's first component, tell how many of the listing left.
                let parts = tx.rows(PARTS, &[Value::Int(channel), Value::Text(&line.listing)], |r| (r.int(1), r.int(2)))?;
                let Some((item, per)) = parts.first().copied() else { continue };
                let there = left.entry(item).or_default();
                let units = (*there / per.max(1)).min(line.quantity - line.canceled);
                if units > 0 {
                    *there -= units * per;
                    letter.lines.push((line.id.clone(), units));
                }
            }
        }
        letters.push(letter);
    }
    Ok((letters, pointless))
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
                Heard::Yes | Heard::No { .. } => (DONE, vec![(*id).into()]),
                Heard::Later { at, why } => (LATER, vec![(*at).into(), why.clone().into(), (*id).into()]),
            };
            batch.statements.push(statement);
            if let Heard::No { why } = heard {
                let trouble = crate::exceptions::Trouble {
                    kind: crate::exceptions::Kind::NotTold,
                    key: &format!("letter:{id}"),
                    channel: self.channel,
                    title: format!("The marketplace does not take what happened to its order {order}"),
                    detail: format!("{why}. Tell it there by hand."),
                    payload: "",
                };
                crate::exceptions::raise(batch, trouble)?;
            }
        }
        Ok(Reply::done(Answer::Count { count: self.letters.len() }))
    }
}
