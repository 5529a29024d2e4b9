//! Ship: what one location sends leaves the house, whole or in parts.

use super::{finish, units_of_sku};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::channels::outbox;
use crate::command::{Needs, Reply};
use crate::orders::rows::Shipment;
use crate::stock::{SkuLine, check_skus};
use domain::steps::Step;
use domain::stock::Account::{Committed, Customer};
use domain::{Noun, Refused, limits};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ship {
    #[serde(skip)]
    pub fulfillment: i64,
    #[serde(default)]
    pub carrier: Option<String>,
    #[serde(default)]
    pub tracking_number: Option<String>,
    /// Left out: everything that has not shipped.
    #[serde(default)]
    pub lines: Option<Vec<SkuLine>>,
}

impl Ship {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.fulfillments.push(self.fulfillment);
        needs.skus.extend(self.lines.iter().flatten().map(|l| l.sku.as_str()));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let unknown = || Refused::unknown(Noun::Fulfillment, self.fulfillment.to_string(), "id");
        let id = batch.order_of_fulfillment(self.fulfillment).ok_or_else(unknown)?;
        let mut order = batch.orders.get(id).ok_or_else(unknown)?.clone();
        let place = order.fulfillments.iter().position(|f| f.id == self.fulfillment).ok_or_else(unknown)?;
        order.fulfillments[place].status.check(Noun::Fulfillment, self.fulfillment, Step::Ship)?;
        let carrier = self.carrier.as_deref().map(|c| limits::name("carrier", c)).transpose()?;
        let tracking_number = self.tracking_number.as_deref().map(|t| limits::name("tracking_number", t)).transpose()?;
        let mut wanted: Vec<(i64, i64)> = Vec::new();
        match &self.lines {
            None => wanted.extend(order.fulfillments[place].lines.iter().map(|l| (l.item, l.open()))),
            Some(lines) => {
                check_skus(lines.iter().map(|l| l.sku.as_str()))?;
                for (n, line) in lines.iter().enumerate() {
                    limits::quantity(&format!("lines[{n}].quantity"), line.quantity)?;
                    for (item, asked) in units_of_sku(batch, &order, &line.sku, line.quantity, &format!("lines[{n}].sku"))? {
                        let left: i64 = order.fulfillments[place].lines.iter().filter(|l| l.item == item).map(|l| l.open()).sum();
                        let asked_before: i64 = wanted.iter().filter(|(i, _)| *i == item).map(|(_, q)| q).sum();
                        if asked + asked_before > left {
                            return Err(Refused::TooMany { sku: line.sku.clone(), asked: asked + asked_before, left }.into());
                        }
                        wanted.push((item, asked));
                    }
                }
            }
        }
        let shipment = batch.id()?;
        let location = order.fulfillments[place].location;
        let mut shipped: Vec<(i64, i64)> = Vec::new();
        for (item, mut quantity) in wanted {
            for n in 0..order.fulfillments[place].lines.len() {
                let line = &mut order.fulfillments[place].lines[n];
                let share = if line.item == item { line.open().min(quantity) } else { 0 };
                if share == 0 {
                    continue;
                }
                line.shipped += share;
                let number = line.line;
                quantity -= share;
                if let Some(ordered) = order.line_mut(number, item) {
                    ordered.shipped += share;
                }
                let because = Because { reference: tracking_number.unwrap_or(""), ..Because::of("order.shipped", order.id) };
                batch.post(item, location, Committed, Customer, share, because)?;
                shipped.push((item, share));
            }
        }
        order.fulfillments[place].shipments.push(Shipment {
            id: shipment,
            shipped_at: batch.now,
            carrier: carrier.map(str::to_owned),
            tracking_number: tracking_number.map(str::to_owned),
            lines: serde_json::to_string(&shipped).unwrap_or_else(|_| "[]".into()),
            is_new: true,
        });
        order.refresh_status();
        outbox::shipped(batch, &order, shipment)?;
        finish(batch, order, "order.shipped", "")
    }
}
