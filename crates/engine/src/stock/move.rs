//! Move: units change state, or location, at once: damage, quarantine, safety stock, a shelf carried next door.

use super::adjust::state_by_hand;
use super::{SkuLine, check_skus, moved};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::orders::fill;
use crate::views::{Id, MovementView};
use domain::stock::Account::{Available, InTransit, QualityControl, SafetyStock};
use domain::{Refused, Shortfall, limits};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    pub from: Place,
    pub to: Place,
    pub lines: Vec<SkuLine>,
    pub reason: String,
    #[serde(default)]
    pub reference: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub location: String,
    /// available, damaged, quality_control or safety_stock
    pub state: String,
}

impl Move {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        check_skus(self.lines.iter().map(|l| l.sku.as_str()))?;
        let from = batch.location(&self.from.location, "from.location")?;
        let to = batch.location(&self.to.location, "to.location")?;
        let source = state_by_hand("from.state", Some(&self.from.state))?;
        let target = state_by_hand("to.state", Some(&self.to.state))?;
        if from.id == to.id && source == target {
            return Err(Refused::invalid("to", "must be another location or state than they come from").into());
        }
        let reason = limits::name("reason", &self.reason)?;
        let reference = limits::text("reference", self.reference.as_deref().unwrap_or(""))?;
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut shortfalls = Vec::new();
        for (n, line) in self.lines.iter().enumerate() {
            let item = batch.plain_item(&line.sku, format!("lines[{n}].sku"))?;
            limits::quantity(&format!("lines[{n}].quantity"), line.quantity)?;
            batch.check_room(&item, &to, target, line.quantity)?;
            // What is damaged is so; what is only set aside can wait for the units that are lent.
            let planned = source == Available && matches!(target, QualityControl | SafetyStock);
            let has = if planned { batch.spare(item.id, from.id) } else { batch.level(item.id, from.id).get(source) };
            if has < line.quantity {
                batch.ask_back(item.id, line.quantity)?;
                shortfalls.push(Shortfall { sku: line.sku.clone(), requested: line.quantity, available: has });
            }
            lines.push((item.id, line.quantity));
        }
        if !shortfalls.is_empty() {
            return Err(Refused::InsufficientStock { shortfalls }.into());
        }
        let id = batch.id()?;
        let because = Because { cause: "stock.moved", document: id, reason, reference };
        for (item, quantity) in &lines {
            if from.id == to.id {
                batch.post(*item, from.id, source, target, *quantity, because)?;
            } else {
                batch.post(*item, from.id, source, InTransit, *quantity, because)?;
                batch.post(*item, to.id, InTransit, target, *quantity, because)?;
            }
        }
        if target == Available {
            for (item, _) in &lines {
                fill::from_level(batch, *item, to.id)?;
            }
        }
        let places: &[i64] = if from.id == to.id { &[from.id] } else { &[from.id, to.id] };
        let pairs: Vec<(i64, i64)> = lines.iter().flat_map(|(item, _)| places.iter().map(|p| (*item, *p))).collect();
        let view = MovementView { id: Id(id), levels: moved(batch, pairs) };
        batch.event("stock.moved", id, &view);
        Ok(Reply::created(Answer::Movement(view)))
    }
}
