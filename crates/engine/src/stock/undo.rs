//! Undo: what was received, adjusted, moved or counted by hand is taken back by counter-entries. Nothing is erased.

use super::moved;
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::config::Config;
use crate::db::{Lookup, Sql, Tx, Value};
use crate::orders::fill;
use crate::views::{Id, MovementView};
use domain::stock::Account::{self, Available};
use domain::{Noun, Refused, Shortfall};

/// By the index on the documents of what is booked by hand, whose conditions both repeat.
const BY_DOCUMENT: Sql = Sql(
    "SELECT e.item, i.sku, e.location, e.at, e.source, e.target, e.quantity, e.cause, e.actor FROM entries e JOIN items i ON i.id = e.item WHERE e.document = $1 AND e.cause > 'stock.' AND e.cause <> 'stock.imported' ORDER BY e.at DESC, e.item, e.location, e.number DESC",
);
pub(crate) const UNDONE: Lookup = Lookup {
    columns: "document",
    from: "entries",
    key: "document",
    and: "AND cause > 'stock.' AND cause <> 'stock.imported' AND cause = 'stock.undone'",
    order: "document",
    lock: false,
};

/// What can be undone.
const BY_HAND: [&str; 4] = ["stock.received", "stock.adjusted", "stock.moved", "stock.counted"];

/// For how long a movement can be undone, microseconds: a day.
pub const UNDO_MICROS: i64 = 86_400_000_000;

/// Takes a movement back.
#[derive(Debug, Clone)]
pub struct Undo {
    /// The movement.
    pub document: i64,
    /// Its entries, the last one first, as [`entries`] reads them. Entries never change, so they may be read before.
    pub entries: Vec<Undone>,
}

/// An entry that is to be taken back.
#[derive(Debug, Clone)]
pub struct Undone {
    pub item: i64,
    pub sku: String,
    pub location: String,
    pub location_id: i64,
    /// Microseconds since 1970 UTC.
    pub at: i64,
    pub source: Account,
    pub target: Account,
    pub quantity: i64,
}

/// The entries of a movement made by hand, the last one first. Refuses what is no such movement.
pub fn entries(tx: &mut Tx<'_>, config: &Config, document: i64) -> Result<Vec<Undone>, Stop> {
    let read = |r: &crate::db::Row<'_>| {
        // What a third-party warehouse counted is its own.
        (BY_HAND.contains(&r.text(7).as_str()) && !r.text(8).starts_with("channel:")).then_some(())?;
        Some(Undone {
            item: r.int(0),
            sku: r.text(1),
            location: config.code(r.int(2)).to_string(),
            location_id: r.int(2),
            at: r.int(3),
            source: Account::from_number(r.int(4))?,
            target: Account::from_number(r.int(5))?,
            quantity: r.int(6),
        })
    };
    let found: Vec<Undone> = tx.rows(BY_DOCUMENT, &[Value::Int(document)], read)?.into_iter().flatten().collect();
    if found.is_empty() { Err(Refused::unknown(Noun::Movement, document.to_string(), "id").into()) } else { Ok(found) }
}

impl Undo {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.item_ids.extend(self.entries.iter().map(|e| e.item));
        needs.undone.push(self.document);
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        if self.entries.iter().any(|e| batch.now - e.at > UNDO_MICROS) {
            return Err(Refused::invalid("id", "names a movement of more than a day ago; adjust or count instead").into());
        }
        if batch.undone.contains(&self.document) {
            return Err(Refused::invalid("id", "names a movement that was undone already").into());
        }
        // The counter-entries belong to what they take back, where they are found again.
        let because = Because::of("stock.undone", self.document);
        let mut shortfalls = Vec::new();
        for entry in self.entries.iter().filter(|e| e.target.is_state()) {
            let has = batch.level(entry.item, entry.location_id).get(entry.target);
            if has < entry.quantity {
                shortfalls.push(Shortfall { sku: entry.sku.clone(), requested: entry.quantity, available: has });
            }
        }
        if !shortfalls.is_empty() {
            return Err(Refused::InsufficientStock { shortfalls }.into());
        }
        for entry in &self.entries {
            batch.post(entry.item, entry.location_id, entry.target, entry.source, entry.quantity, because)?;
        }
        for entry in self.entries.iter().filter(|e| e.source == Available) {
            fill::from_level(batch, entry.item, entry.location_id)?;
        }
        batch.undone.insert(self.document);
        let view = MovementView { id: Id(self.document), levels: moved(batch, self.entries.iter().map(|e| (e.item, e.location_id))) };
        batch.event("stock.undone", self.document, &view);
        Ok(Reply::created(Answer::Movement(view)))
    }
}
