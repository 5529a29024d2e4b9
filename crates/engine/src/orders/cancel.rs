//! Cancel: an order or some of its lines, as far as nothing has shipped; the units can be promised again at once.

use super::{fill, finish, units_of_sku};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::channels::outbox;
use crate::command::{Needs, Reply};
use crate::contracts;
use crate::orders::rows::{Fulfillment, Order};
use crate::stock::{SkuLine, check_skus};
use crate::warehouses::hand_over;
use crate::warehouses::rows::Recall;
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
        let before = order.clone();
        order.status.check(Noun::Order, order.id, Step::Cancel)?;
        let reason = limits::text("reason", self.reason.as_deref().unwrap_or(""))?;
        let away = hand_over::away(batch, &order);
        let away_of = |item: i64| away.get(&item).copied().unwrap_or(0);
        let mut wanted: Vec<(i64, i64)> = Vec::new();
        match &self.lines {
            None => {
                for line in &order.lines {
                    wanted.push((line.item, line.quantity - line.canceled - line.shipped));
                }
                wanted = sum(&wanted);
                wanted.iter_mut().for_each(|(item, units)| *units -= away_of(*item));
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
                    if asked > left - away_of(item) {
                        return Err(self.handed_over(batch, &order, item).into());
                    }
                }
            }
        }
        let nothing = wanted.iter().all(|(_, units)| *units == 0);
        let units = if self.lines.is_some() { wanted.clone() } else { Vec::new() };
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
        // What somebody else's warehouse has is asked back, and canceled when it says that it stays.
        let recalled = self.lines.is_none() && !away.is_empty();
        if recalled {
            let by = if self.from_channel { Recall::Channel } else { Recall::Us };
            hand_over::ask_back(batch, &order, by);
        }
        order.refresh_status();
        contracts::count(batch, Some(&before), &order);
        // A channel is told of the whole; of a part it is told to pay it back.
        if !self.from_channel && order.status == Status::Canceled {
            outbox::canceled(batch, &order, reason)?;
        } else if !self.from_channel && !units.is_empty() {
            outbox::refund(batch, &order, units, false, reason)?;
        }
        let answer = finish(batch, order, if recalled && nothing { "order.recalled" } else { "order.canceled" }, reason)?;
        for (item, location) in freed {
            fill::from_level(batch, item, location)?;
        }
        Ok(answer)
    }
}

impl CancelOrder {
    fn handed_over(&self, batch: &Batch<'_>, order: &Order, item: i64) -> Refused {
        let has = |f: &&Fulfillment| hand_over::is_away(batch, f.id) && f.lines.iter().any(|l| l.item == item && l.open() > 0);
        let location = order.fulfillments.iter().find(has).map(|f| batch.names().code(f.location)).unwrap_or_default();
        Refused::HandedOver { sku: batch.names().sku(item).to_string(), location: location.to_string() }
    }
}

/// Cancels everything of one fulfillment that has not shipped; answers the (item, location) of which units came free.
pub(crate) fn fulfillment(batch: &mut Batch<'_>, order: &mut Order, id: i64, because: Because<'_>) -> Result<Vec<(i64, i64)>, Stop> {
    let mut freed = Vec::new();
    let Some(place) = order.fulfillments.iter().position(|f| f.id == id) else { return Ok(freed) };
    for m in 0..order.fulfillments[place].lines.len() {
        let units = order.fulfillments[place].lines[m].open();
        cancel_line(batch, order, place, m, units, because, &mut freed)?;
    }
    Ok(freed)
}

/// Cancels open units of one line of a fulfillment.
fn cancel_line(
    batch: &mut Batch<'_>,
    order: &mut Order,
    place: usize,
    line: usize,
    units: i64,
    because: Because<'_>,
    freed: &mut Vec<(i64, i64)>,
) -> Result<(), Stop> {
    if units == 0 {
        return Ok(());
    }
    let fulfillment = &mut order.fulfillments[place];
    let (location, day) = (fulfillment.location, fulfillment.day);
    fulfillment.lines[line].canceled += units;
    let (number, item) = (fulfillment.lines[line].line, fulfillment.lines[line].item);
    if fulfillment.lines.iter().all(|l| l.canceled == l.quantity) {
        batch.give_capacity_back(location, day);
    }
    if let Some(ordered) = order.line_mut(number, item) {
        ordered.canceled += units;
    }
    batch.post(item, location, Committed, Available, units, because)?;
    freed.push((item, location));
    Ok(())
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
        if hand_over::is_away(batch, order.fulfillments[n].id) {
            continue;
        }
        for m in 0..order.fulfillments[n].lines.len() {
            let line = &order.fulfillments[n].lines[m];
            let share = if line.item == item { line.open().min(quantity) } else { 0 };
            quantity -= share;
            cancel_line(batch, order, n, m, share, because, freed)?;
        }
    }
    if quantity > 0 {
        return Err(Stop::broken(format!("{quantity} units of item {item} to cancel are nowhere in order {}", order.id)));
    }
    Ok(())
}
