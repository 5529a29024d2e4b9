//! Count: what was really found on the shelf; the difference is booked on what can be promised.

use super::{check_skus, moved};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::orders::fill;
use crate::views::{Id, MovementView};
use domain::stock::Account::{self, Available};
use domain::{Refused, limits};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    pub location: String,
    pub lines: Vec<CountLine>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub reference: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountLine {
    pub sku: String,
    /// Units found, in every state together (on hand); 0 or more.
    pub counted: i64,
}

impl Count {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        check_skus(self.lines.iter().map(|l| l.sku.as_str()))?;
        let location = batch.location(&self.location, "location")?;
        let reason = limits::text("reason", self.reason.as_deref().unwrap_or("count"))?;
        let reference = limits::text("reference", self.reference.as_deref().unwrap_or(""))?;
        let mut lines = Vec::with_capacity(self.lines.len());
        for (n, line) in self.lines.iter().enumerate() {
            let item = batch.plain_item(&line.sku, format!("lines[{n}].sku"))?;
            limits::counted(&format!("lines[{n}].counted"), line.counted)?;
            let level = batch.level(item.id, location.id);
            let delta = line.counted - level.on_hand();
            if level.get(Available) + delta < 0 {
                let promised = level.on_hand() - level.get(Available);
                return Err(Refused::CountBelowPromised { sku: line.sku.clone(), counted: line.counted, promised }.into());
            }
            batch.check_room(&item, &location, Available, delta.max(0))?;
            lines.push((item.id, delta));
        }
        let id = batch.id()?;
        let because = Because { cause: "stock.counted", document: id, reason, reference };
        for (item, delta) in lines.iter().filter(|(_, delta)| *delta != 0) {
            let (source, target) = if *delta > 0 { (Account::Count, Available) } else { (Available, Account::Count) };
            batch.post(*item, location.id, source, target, delta.abs(), because)?;
            if *delta > 0 {
                fill::from_level(batch, *item, location.id)?;
            }
        }
        let view = MovementView { id: Id(id), levels: moved(batch, lines.iter().map(|(item, _)| (*item, location.id))) };
        batch.event("stock.counted", id, &view);
        Ok(Reply::created(Answer::Movement(view)))
    }
}
