//! Cancel: an order or some of its lines, as far as nothing has shipped; the units can be promised again at once.

use super::{fill, finish, units_of_sku};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Needs, Reply};
use crate::orders::rows::Order;
use crate::stock::{SkuLine, check_skus};
use domain::steps::{Status, Step};
use domain::stock::Account::{Available, Committed, Reserved};
use domain::{Noun, Refused, limits};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelOrder {
    #[serde(skip)]
    pub id: i64,
    /// Left out: everything that has not shipped.
    #[serde(default)]
    pub lines: Option<Vec<SkuLine>>,
    #[serde(default)]
    pub reason: Option<String>,
    /// The marketplace said so, and need not be told.
    #[serde(skip)]
    pub from_channel: bool,
}

impl CancelOrder {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.orders.push(self.id);
        needs.skus.extend(self.lines.iter().flatten().map(|l| l.sku.as_str()));
        needs.queued_holds = true;
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut order = batch.orders.get(self.id).ok_or_else(|| Refused::unknown(Noun::Order, self.id.to_string(), "id"))?.clone();
        order.status.check(Noun::Order, order.id, Step::Cancel)?;
        let reason = limits::text("reason", self.reason.as_deref().unwrap_or(""))?;
        let mut wanted: Vec<(i64, i64)> = Vec::new();
        match &self.lines {
            None => {
                for line in &order.lines {
                    wanted.push((line.item, line.quantity - line.canceled - line.shipped));
                }
            }
            Some(lines) => {
                check_skus(lines.iter().map(|l| l.sku.as_str()))?;
                if order.status == Status::Queued {
                    return Err(Refused::invalid("lines", "cannot be given for an order that waits for a routing run; cancel it whole").into());
                }
                for (n, line) in lines.iter().enumerate() {
                    limits::quantity(&format!("lines[{n}].quantity"), line.quantity)?;
                    wanted.extend(units_of_sku(batch, &order, &line.sku, line.quantity, &format!("lines[{n}].sku"))?);
                }
                for (item, asked) in sum(&wanted) {
                    let left: i64 = order.lines.iter().filter(|l| l.item == item).map(|l| l.quantity - l.canceled - l.shipped).sum();
                    if asked > left {
                        return Err(Refused::TooMany { sku: batch.names().sku(item).to_string(), asked, left }.into());
                    }
                }
            }
        }
        let mut freed = Vec::new();
        if order.status == Status::Queued {
            release_hold(batch, &order, &mut freed)?;
            order.lines.iter_mut().for_each(|l| l.canceled = l.quantity);
        } else {
            let because = Because { reason, ..Because::of("order.canceled", order.id) };
            for (item, quantity) in wanted {
                cancel_units(batch, &mut order, item, quantity, because, &mut freed)?;
            }
        }
        order.refresh_status();
        if !self.from_channel && order.status == Status::Canceled {
            crate::channels::outbox::add(batch, &order, "cancel", None)?;
        }
        let answer = finish(batch, order, "order.canceled")?;
        for (item, location) in freed {
            fill::from_level(batch, item, location)?;
        }
        Ok(answer)
    }
}

fn sum(units: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut sums: Vec<(i64, i64)> = Vec::new();
    for (item, quantity) in units {
        match sums.iter_mut().find(|(i, _)| i == item) {
            Some(known) => known.1 += quantity,
            None => sums.push((*item, *quantity)),
        }
    }
    sums
}

/// Gives back the units that a queued order holds.
fn release_hold(batch: &mut Batch<'_>, order: &Order, freed: &mut Vec<(i64, i64)>) -> Result<(), Stop> {
    let id = order.reservation.ok_or_else(|| Stop::broken("a queued order without a hold"))?;
    let kept = batch.reservations.change(id).ok_or_else(|| Stop::broken("a queued order whose hold vanished"))?;
    kept.status = Status::Released;
    let lines = kept.lines.clone();
    for (item, location, quantity) in lines {
        batch.post(item, location, Reserved, Available, quantity, Because::of("order.canceled", order.id))?;
        freed.push((item, location));
    }
    Ok(())
}

/// Cancels units of an item: those that wait first, then those in fulfillments, the latest fulfillment first.
fn cancel_units(
    batch: &mut Batch<'_>,
    order: &mut Order,
    item: i64,
    mut quantity: i64,
    because: Because<'_>,
    freed: &mut Vec<(i64, i64)>,
) -> Result<(), Stop> {
    for line in order.lines.iter_mut().rev().filter(|l| l.item == item) {
        let share = line.backordered.min(quantity);
        line.backordered -= share;
        line.canceled += share;
        quantity -= share;
    }
    for n in (0..order.fulfillments.len()).rev() {
        let was_open = order.fulfillments[n].lines.iter().any(|l| l.open() > 0);
        let (location, day) = (order.fulfillments[n].location, order.fulfillments[n].day);
        for m in 0..order.fulfillments[n].lines.len() {
            let line = &mut order.fulfillments[n].lines[m];
            let share = if line.item == item { line.open().min(quantity) } else { 0 };
            if share == 0 {
                continue;
            }
            line.canceled += share;
            let number = line.line;
            quantity -= share;
            if let Some(ordered) = order.line_mut(number, item) {
                ordered.canceled += share;
            }
            batch.post(item, location, Committed, Available, share, because)?;
            freed.push((item, location));
        }
        let whole = order.fulfillments[n].lines.iter().all(|l| l.canceled == l.quantity);
        if was_open && whole {
            batch.give_capacity_back(location, day);
        }
    }
    if quantity > 0 {
        return Err(Stop::broken(format!("{quantity} units of item {item} to cancel are nowhere in order {}", order.id)));
    }
    Ok(())
}
