//! Transfer in two steps: goods leave one location and are incoming at the other until they are received there, whole,
//! in parts, or with losses. What has not arrived yet can be taken back.

use super::{SkuLine, check_skus};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::orders::fill;
use crate::stock::rows::{Transfer, TransferLine};
use crate::views::TransferView;
use domain::steps::{Status, Step};
use domain::stock::Account::{Available, InTransit, Incoming, Scrap};
use domain::{Noun, Refused, Shortfall, limits};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendTransfer {
    pub from: String,
    pub to: String,
    pub lines: Vec<SkuLine>,
    #[serde(default)]
    pub reference: Option<String>,
}

impl SendTransfer {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        check_skus(self.lines.iter().map(|l| l.sku.as_str()))?;
        let from = batch.location(&self.from, "from")?;
        let to = batch.location(&self.to, "to")?;
        if from.id == to.id {
            return Err(Refused::invalid("to", "must be another location than they come from").into());
        }
        let reference = limits::text("reference", self.reference.as_deref().unwrap_or(""))?;
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut shortfalls = Vec::new();
        for (n, line) in self.lines.iter().enumerate() {
            let item = batch.plain_item(&line.sku, format!("lines[{n}].sku"))?;
            limits::quantity(&format!("lines[{n}].quantity"), line.quantity)?;
            batch.check_room(&item, &to, Incoming, line.quantity)?;
            let has = batch.spare(item.id, from.id);
            if has < line.quantity {
                batch.ask_back(item.id, line.quantity)?;
                shortfalls.push(Shortfall { sku: line.sku.clone(), requested: line.quantity, available: has });
            }
            lines.push(TransferLine { item: item.id, quantity: line.quantity, received: 0, lost: 0, canceled: 0 });
        }
        if !shortfalls.is_empty() {
            return Err(Refused::InsufficientStock { shortfalls }.into());
        }
        let id = batch.id()?;
        let because = Because { reference, ..Because::of("transfer.sent", id) };
        for line in &lines {
            batch.post(line.item, from.id, Available, InTransit, line.quantity, because)?;
            batch.post(line.item, to.id, InTransit, Incoming, line.quantity, because)?;
        }
        let transfer = Transfer {
            id,
            source: from.id,
            target: to.id,
            status: Status::InTransit,
            reference: self.reference.clone(),
            created_at: batch.now,
            lines,
        };
        let view = TransferView::new(&transfer, &batch.names());
        batch.transfers.add(id, transfer);
        batch.event("transfer.sent", id, &view);
        Ok(Reply::created(Answer::Transfer(Box::new(view))))
    }
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveTransfer {
    #[serde(skip)]
    pub id: i64,
    /// What arrived; left out, everything that is still on its way.
    #[serde(default)]
    pub lines: Option<Vec<ReceivedLine>>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceivedLine {
    pub sku: String,
    /// Units that arrived and can be promised.
    pub received: i64,
    /// Units that will not arrive any more.
    #[serde(default)]
    pub lost: i64,
}

impl ReceiveTransfer {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.transfers.push(self.id);
        needs.skus.extend(self.lines.iter().flatten().map(|l| l.sku.as_str()));
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let transfer = batch.transfers.get(self.id).ok_or_else(|| Refused::unknown(Noun::Transfer, self.id.to_string(), "id"))?.clone();
        transfer.status.check(Noun::Transfer, transfer.id, Step::Receive)?;
        let to = batch.config.by_id(transfer.target).cloned().ok_or_else(|| Stop::broken("a transfer to no location"))?;
        let mut arrived: Vec<(i64, i64, i64)> = Vec::new();
        match &self.lines {
            None => arrived.extend(transfer.lines.iter().map(|l| (l.item, l.left(), 0))),
            Some(lines) => {
                check_skus(lines.iter().map(|l| l.sku.as_str()))?;
                for (n, line) in lines.iter().enumerate() {
                    let item = batch.plain_item(&line.sku, format!("lines[{n}].sku"))?;
                    let sent = transfer.lines.iter().find(|l| l.item == item.id);
                    let sent = sent.ok_or_else(|| Refused::unknown(Noun::Item, &line.sku, format!("lines[{n}].sku")))?;
                    if line.received != 0 || line.lost == 0 {
                        limits::quantity(&format!("lines[{n}].received"), line.received)?;
                    }
                    if line.lost != 0 {
                        limits::quantity(&format!("lines[{n}].lost"), line.lost)?;
                    }
                    let left = sent.left();
                    if line.received + line.lost > left {
                        return Err(Refused::TooMany { sku: line.sku.clone(), asked: line.received + line.lost, left }.into());
                    }
                    batch.check_room(&item, &to, Available, line.received)?;
                    arrived.push((item.id, line.received, line.lost));
                }
            }
        }
        let because = Because::of("transfer.received", transfer.id);
        for (item, received, lost) in &arrived {
            if *received > 0 {
                batch.post(*item, to.id, Incoming, Available, *received, because)?;
            }
            if *lost > 0 {
                batch.post(*item, to.id, Incoming, Scrap, *lost, Because { reason: "lost in transit", ..because })?;
            }
        }
        let kept = batch.transfers.change(self.id).ok_or_else(|| Stop::broken("the transfer vanished"))?;
        for (item, received, lost) in &arrived {
            for line in kept.lines.iter_mut().filter(|l| l.item == *item) {
                line.received += received;
                line.lost += lost;
            }
        }
        let done = kept.lines.iter().all(|l| l.left() == 0);
        kept.status = if done { Status::Received } else { Status::PartiallyReceived };
        for (item, received, _) in &arrived {
            if *received > 0 {
                fill::from_level(batch, *item, to.id)?;
            }
        }
        let kept = batch.transfers.get(self.id).ok_or_else(|| Stop::broken("the transfer vanished"))?;
        let view = TransferView::new(kept, &batch.names());
        batch.event("transfer.received", self.id, &view);
        Ok(Reply::done(Answer::Transfer(Box::new(view))))
    }
}

/// Takes a transfer back: what has not arrived is available again where it came from.
#[derive(Debug, Clone)]
pub struct CancelTransfer {
    pub id: i64,
}

impl CancelTransfer {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.transfers.push(self.id);
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let transfer = batch.transfers.get(self.id).ok_or_else(|| Refused::unknown(Noun::Transfer, self.id.to_string(), "id"))?.clone();
        transfer.status.check(Noun::Transfer, transfer.id, Step::Cancel)?;
        let because = Because::of("transfer.canceled", transfer.id);
        for line in transfer.lines.iter().filter(|l| l.left() > 0) {
            batch.post(line.item, transfer.target, Incoming, InTransit, line.left(), because)?;
            batch.post(line.item, transfer.source, InTransit, Available, line.left(), because)?;
        }
        let kept = batch.transfers.change(self.id).ok_or_else(|| Stop::broken("the transfer vanished"))?;
        kept.lines.iter_mut().for_each(|line| line.canceled += line.left());
        let untouched = kept.lines.iter().all(|l| l.canceled == l.quantity);
        kept.status = if untouched { Status::Canceled } else { Status::Received };
        for line in transfer.lines.iter().filter(|l| l.left() > 0) {
            fill::from_level(batch, line.item, transfer.source)?;
        }
        let kept = batch.transfers.get(self.id).ok_or_else(|| Stop::broken("the transfer vanished"))?;
        let view = TransferView::new(kept, &batch.names());
        batch.event("transfer.canceled", self.id, &view);
        Ok(Reply::done(Answer::Transfer(Box::new(view))))
    }
}
