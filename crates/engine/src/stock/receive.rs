//! Receive: units arrive from a supplier and can be promised at once; whoever waited for them is served in the same step.

use super::{SkuLine, check_skus, moved};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::orders::fill;
use crate::views::{Id, MovementView};
use domain::limits;
use domain::stock::Account::{Available, Supplier};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receive {
    pub location: String,
    pub lines: Vec<SkuLine>,
    /// Such as a delivery note.
    #[serde(default)]
    pub reference: Option<String>,
}

impl Receive {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        check_skus(self.lines.iter().map(|l| l.sku.as_str()))?;
        let location = batch.location(&self.location, "location")?;
        let reference = limits::text("reference", self.reference.as_deref().unwrap_or(""))?;
        let mut lines = Vec::with_capacity(self.lines.len());
        for (n, line) in self.lines.iter().enumerate() {
            let item = batch.plain_item(&line.sku, format!("lines[{n}].sku"))?;
            limits::quantity(&format!("lines[{n}].quantity"), line.quantity)?;
            batch.check_room(&item, &location, Available, line.quantity)?;
            lines.push((item.id, line.quantity));
        }
        let id = batch.id()?;
        for (item, quantity) in &lines {
            let because = Because { reference, ..Because::of("stock.received", id) };
            batch.post(*item, location.id, Supplier, Available, *quantity, because)?;
        }
        for (item, _) in &lines {
            fill::from_level(batch, *item, location.id)?;
        }
        let view = MovementView { id: Id(id), levels: moved(batch, lines.iter().map(|(item, _)| (*item, location.id))) };
        batch.event("stock.received", id, &view);
        Ok(Reply::created(Answer::Movement(view)))
    }
}
