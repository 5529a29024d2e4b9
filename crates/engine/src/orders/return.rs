//! Return: shipped units come back, to be sold again, checked, or written off later.

use super::{fill, finish, units_of_sku};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::channels::outbox;
use crate::command::{Needs, Reply};
use crate::stock::adjust::state_by_hand;
use crate::stock::{SkuLine, check_skus};
use domain::steps::Step;
use domain::stock::Account::{Available, Customer};
use domain::{Noun, Refused, limits};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnOrder {
    #[serde(skip)]
    pub id: i64,
    /// Where the goods came back to.
    pub location: String,
    pub lines: Vec<SkuLine>,
    /// available (default), damaged or quality_control
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
    /// Have the channel that the order came from pay the buyer back for these units.
    #[serde(default)]
    pub refund: bool,
}

impl ReturnOrder {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.orders.push(self.id);
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut order = batch.orders.get(self.id).ok_or_else(|| Refused::unknown(Noun::Order, self.id.to_string(), "id"))?.clone();
        order.status.check(Noun::Order, order.id, Step::Return)?;
        check_skus(self.lines.iter().map(|l| l.sku.as_str()))?;
        let location = batch.location(&self.location, "location")?;
        let state = state_by_hand("state", self.state.as_deref())?;
        let reason = limits::text("reason", self.reason.as_deref().unwrap_or(""))?;
        let mut wanted: Vec<(i64, i64)> = Vec::new();
        for (n, line) in self.lines.iter().enumerate() {
            limits::quantity(&format!("lines[{n}].quantity"), line.quantity)?;
            for (item, asked) in units_of_sku(batch, &order, &line.sku, line.quantity, &format!("lines[{n}].sku"))? {
                let left: i64 = order.lines.iter().filter(|l| l.item == item).map(|l| l.shipped - l.returned).sum();
                let before: i64 = wanted.iter().filter(|(i, _)| *i == item).map(|(_, q)| q).sum();
                if asked + before > left {
                    return Err(Refused::TooMany { sku: line.sku.clone(), asked: asked + before, left }.into());
                }
                wanted.push((item, asked));
            }
        }
        let because = Because { reason, ..Because::of("order.returned", order.id) };
        for (item, quantity) in &wanted {
            let mut left = *quantity;
            for line in order.lines.iter_mut().filter(|l| l.item == *item) {
                let share = (line.shipped - line.returned).min(left);
                line.returned += share;
                left -= share;
            }
            batch.post(*item, location.id, Customer, state, *quantity, because)?;
        }
        if self.refund {
            outbox::refund(batch, &order, wanted.clone(), true, reason)?;
        }
        let answer = finish(batch, order, "order.returned", reason)?;
        if state == Available {
            for (item, _) in &wanted {
                fill::from_level(batch, *item, location.id)?;
            }
        }
        Ok(answer)
    }
}
