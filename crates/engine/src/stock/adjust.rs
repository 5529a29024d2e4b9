//! Adjust: more or fewer units than the books say, with a reason.

use super::{check_skus, moved};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::orders::fill;
use crate::views::{Id, MovementView};
use domain::stock::Account::{self, Available, Count, Customer, Scrap};
use domain::{Refused, Shortfall, limits};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Adjust {
    pub location: String,
    /// Why, in people's words. `damaged`, `expired`, `shrinkage`, `theft`, `lost` and `scrap` write units off as scrap, `return`
    /// brings them from a customer, everything else counts as found or missed by a count.
    pub reason: String,
    pub lines: Vec<AdjustLine>,
    #[serde(default)]
    pub reference: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustLine {
    pub sku: String,
    /// Units to add, or to take away if negative; not 0.
    pub delta: i64,
    /// available (default), damaged, quality_control or safety_stock
    #[serde(default)]
    pub state: Option<String>,
}

/// The outer account that an adjustment is booked against.
fn outer_account(reason: &str) -> Account {
    match reason {
        "damaged" | "expired" | "shrinkage" | "theft" | "lost" | "scrap" => Scrap,
        "return" => Customer,
        _ => Count,
    }
}

/// A state that people may book by hand.
pub(crate) fn state_by_hand(field: &str, word: Option<&str>) -> Result<Account, Refused> {
    let Some(word) = word else { return Ok(Available) };
    Account::parse(word)
        .filter(|state| state.is_by_hand())
        .ok_or_else(|| Refused::invalid(field, "must be available, damaged, quality_control or safety_stock"))
}

impl Adjust {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        check_skus(self.lines.iter().map(|l| l.sku.as_str()))?;
        let location = batch.location(&self.location, "location")?;
        let reason = limits::name("reason", &self.reason)?;
        let reference = limits::text("reference", self.reference.as_deref().unwrap_or(""))?;
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut shortfalls = Vec::new();
        for (n, line) in self.lines.iter().enumerate() {
            let item = batch.plain_item(&line.sku, format!("lines[{n}].sku"))?;
            let delta = limits::delta(&format!("lines[{n}].delta"), line.delta)?;
            let state = state_by_hand(&format!("lines[{n}].state"), line.state.as_deref())?;
            batch.check_room(&item, &location, state, delta.max(0))?;
            let has = batch.level(item.id, location.id).get(state);
            if has + delta < 0 {
                shortfalls.push(Shortfall { sku: line.sku.clone(), requested: -delta, available: has });
            }
            lines.push((item.id, state, delta));
        }
        if !shortfalls.is_empty() {
            return Err(Refused::InsufficientStock { shortfalls }.into());
        }
        let id = batch.id()?;
        let outer = outer_account(reason);
        for (item, state, delta) in &lines {
            let because = Because { cause: "stock.adjusted", document: id, reason, reference };
            let (source, target) = if *delta > 0 { (outer, *state) } else { (*state, outer) };
            batch.post(*item, location.id, source, target, delta.abs(), because)?;
        }
        for (item, _, _) in lines.iter().filter(|(_, state, delta)| *state == Available && *delta > 0) {
            fill::from_level(batch, *item, location.id)?;
        }
        let view = MovementView { id: Id(id), levels: moved(batch, lines.iter().map(|(item, ..)| (*item, location.id))) };
        batch.event("stock.adjusted", id, &view);
        Ok(Reply::created(Answer::Movement(view)))
    }
}
