//! Snapshot: what a warehouse says it has, against the books. Units that orders under way may explain are left alone: they
//! left there and are not booked here yet. The rest is booked as a count is.

use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::exceptions::{self, Kind, Trouble};
use crate::orders::fill;
use domain::stock::Account::{Available, Committed, Count};

/// What a warehouse has of some items.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub channel: i64,
    pub rows: Vec<SnapshotRow>,
}

#[derive(Debug, Clone)]
pub struct SnapshotRow {
    pub sku: String,
    /// Units in the building.
    pub on_hand: i64,
    /// Entries that the books had when it was asked; with more by now, the two cannot be compared.
    pub entries: i64,
}

impl Snapshot {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.rows.iter().map(|r| r.sku.as_str()));
        needs.progress.push(self.channel);
        needs.exception_keys.extend(self.rows.iter().map(|r| self.key(&r.sku)));
        needs.supplies();
    }

    fn key(&self, sku: &str) -> String {
        format!("snapshot:{}:{sku}", self.channel)
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let Some(channel) = batch.config.channel(self.channel).cloned() else { return Ok(Reply::done(Answer::Count { count: 0 })) };
        let Some(location) = channel.location else { return Err(Stop::broken("a snapshot of a channel that is no warehouse")) };
        let mut corrected = 0;
        for row in &self.rows {
            let Some(item) = batch.any_item(&row.sku).filter(|i| !i.is_kit && row.on_hand >= 0) else { continue };
            let level = batch.level(item.id, location);
            if level.entries != row.entries {
                continue;
            }
            let missing = level.on_hand() - row.on_hand;
            let delta = match missing {
                ..0 => -missing,
                _ => -(missing - level.get(Committed)).max(0),
            };
            if delta == 0 {
                if missing == 0 {
                    exceptions::settle(batch, &self.key(&row.sku), "the warehouse and the books agree");
                }
                continue;
            }
            corrected += 1;
            // What is promised to orders cannot be taken from them here.
            let booked = if delta > 0 { delta } else { -(-delta).min(level.get(Available)) };
            let id = batch.id()?;
            let because = Because { cause: "stock.counted", document: id, reason: "the warehouse's own count", reference: &channel.code };
            if booked != 0 {
                let (source, target) = if booked > 0 { (Count, Available) } else { (Available, Count) };
                batch.post(item.id, location, source, target, booked.abs(), because)?;
            }
            if booked > 0 {
                fill::from_level(batch, item.id, location)?;
            }
            if let Some(progress) = batch.progress.change(self.channel) {
                progress.drift_found += 1;
                progress.drift_units += delta.abs();
            }
            let (here, there) = (level.on_hand(), row.on_hand);
            let short = booked - delta;
            let kind = if short > 0 { Kind::Unfillable } else { Kind::Drift };
            let detail = match short {
                0 => format!("The books said {here}; {booked:+} booked as counted there."),
                _ => format!("The books said {here}. {short} of the missing units are promised to orders: cancel or reroute some."),
            };
            let title = format!("{} has {there} of {}", channel.name, row.sku);
            let trouble = Trouble { kind, key: &self.key(&row.sku), channel: self.channel, title, detail, payload: "" };
            exceptions::raise(batch, trouble)?;
            batch.event("stock.counted", id, &serde_json::json!({ "location": batch.config.code(location), "sku": row.sku, "delta": booked }));
        }
        Ok(Reply::done(Answer::Count { count: corrected }))
    }
}
