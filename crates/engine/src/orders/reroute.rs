//! Reroute: what one location was to send is sent by others. Asked of a person, or after somebody else's warehouse gave it back.

use super::place::stored;
use super::{announce, commit_units, fill};
use crate::Stop;
use crate::batch::{Batch, Because, day_of};
use crate::command::{Answer, Needs, Reply};
use crate::db::{Sql, Tx, Value};
use crate::orders::place::ShipTo;
use crate::orders::rows::Order;
use crate::routing::run::facts;
use crate::views::OrderView;
use crate::warehouses::hand_over;
use crate::warehouses::rows::Recall;
use domain::routing::{self, Candidate, Decision};
use domain::steps::Step;
use domain::stock::Account::{Available, Committed};
use domain::{Noun, Refused, Shortfall};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reroute {
    #[serde(skip)]
    pub fulfillment: i64,
    /// The code of the location that is to send it; left out, the routing rules choose among all others.
    #[serde(default)]
    pub to: Option<String>,
    /// Where the order goes, found by whoever calls.
    #[serde(skip)]
    pub ship_to: ShipTo,
}

const SHIP_TO: Sql = Sql("SELECT o.ship_to FROM fulfillments f JOIN orders o ON o.id = f.order_id WHERE f.id = $1");

/// Where the order of a fulfillment goes; nowhere if there is no such fulfillment.
pub fn ship_to(tx: &mut Tx<'_>, fulfillment: i64) -> Result<ShipTo, Stop> {
    let text = tx.one(SHIP_TO, &[Value::Int(fulfillment)], |r| r.text(0))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

impl Reroute {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.fulfillments.push(self.fulfillment);
        needs.postal_code(&self.ship_to.country, self.ship_to.postal_code.as_ref());
        needs.exception_keys.push(crate::warehouses::rows::key(self.fulfillment));
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let unknown = || Refused::unknown(Noun::Fulfillment, self.fulfillment.to_string(), "id");
        let id = batch.order_of_fulfillment(self.fulfillment).ok_or_else(unknown)?;
        let order = batch.orders.get(id).ok_or_else(unknown)?.clone();
        let from = order.fulfillments.iter().find(|f| f.id == self.fulfillment).ok_or_else(unknown)?;
        from.status.check(Noun::Fulfillment, self.fulfillment, Step::Ship)?;
        let only = self.to.as_deref().map(|code| batch.location(code, "to")).transpose()?;
        if only.as_ref().is_some_and(|l| l.id == from.location) {
            return Err(Refused::invalid("to", "is where it is already").into());
        }
        if hand_over::is_away(batch, self.fulfillment) {
            // It has to be given back first; then the rules choose.
            hand_over::ask_back_one(batch, self.fulfillment, Recall::Reroute);
            announce(batch, &order, "order.recalled");
            return Ok(Reply::done(Answer::Order(Box::new(OrderView::new(&order, &batch.names())))));
        }
        let order = elsewhere(batch, order, self.fulfillment, only.map(|l| l.id))?;
        crate::exceptions::settle(batch, &crate::warehouses::rows::key(self.fulfillment), "rerouted");
        Ok(Reply::done(Answer::Order(Box::new(OrderView::new(&order, &batch.names())))))
    }
}

/// Gives what is open of a fulfillment to other locations, or to the one that is named. A refusal leaves everything as it was.
pub(crate) fn elsewhere(batch: &mut Batch<'_>, mut order: Order, fulfillment: i64, only: Option<i64>) -> Result<Order, Stop> {
    let place = order.fulfillments.iter().position(|f| f.id == fulfillment).ok_or_else(|| Stop::broken("the fulfillment vanished"))?;
    let (from, day) = (order.fulfillments[place].location, order.fulfillments[place].day);
    let mut units: Vec<(i64, i64)> = Vec::new();
    for line in order.fulfillments[place].lines.iter().filter(|l| l.open() > 0) {
        match units.iter_mut().find(|(item, _)| *item == line.item) {
            Some(known) => known.1 += line.open(),
            None => units.push((line.item, line.open())),
        }
    }
    let decision = choose(batch, &order, &units, from, only)?;

    // Nothing below refuses.
    let because = Because::of("order.rerouted", order.id);
    for line in &mut order.fulfillments[place].lines {
        line.canceled += line.open();
    }
    for (item, quantity) in &units {
        batch.post(*item, from, Committed, Available, *quantity, because)?;
    }
    if order.fulfillments[place].lines.iter().all(|l| l.canceled == l.quantity) {
        batch.give_capacity_back(from, day);
    }
    for part in &decision.parts {
        commit_units(batch, &mut order, part.location, units[part.need].0, part.quantity, Available, "order.rerouted")?;
    }
    order.refresh_status();
    let note = format!("Rerouted: {} was to send it.", batch.names().code(from));
    order.decision = stored(batch, decision.explanation, vec![note]);
    announce(batch, &order, "order.rerouted");
    if let Some(kept) = batch.orders.change(order.id) {
        *kept = order.clone();
    }
    for (item, _) in &units {
        fill::from_level(batch, *item, from)?;
    }
    Ok(order)
}

/// Which locations send it. Refuses if they cannot send all of it.
fn choose(batch: &Batch<'_>, order: &Order, units: &[(i64, i64)], from: i64, only: Option<i64>) -> Result<Decision, Refused> {
    let today = day_of(batch.now);
    let facts = facts(order, |item| batch.names().sku(item).to_string(), |country, code| batch.postal_code_point(country, code));
    let candidates: Vec<Candidate<'_>> = batch
        .config
        .locations
        .iter()
        .filter(|l| l.id != from && only.is_none_or(|only| only == l.id))
        .map(|location| Candidate {
            location,
            available: units.iter().map(|(item, _)| batch.level(*item, location.id).get(Available)).collect(),
            capacity_left: batch.capacity_left(location, today),
        })
        .collect();
    let needs: Vec<i64> = units.iter().map(|(_, quantity)| *quantity).collect();
    let decision = routing::route(&batch.config.rules, &facts, &needs, &candidates);
    let sent = |need: usize| decision.parts.iter().filter(|p| p.need == need).map(|p| p.quantity).sum::<i64>();
    if (0..units.len()).all(|need| sent(need) == units[need].1) {
        return Ok(decision);
    }
    let has = |need: usize| candidates.iter().filter(|c| c.location.active).map(|c| c.available[need]).sum::<i64>();
    let short: Vec<Shortfall> = (0..units.len())
        .filter(|need| has(*need) < units[*need].1)
        .map(|need| Shortfall { sku: batch.names().sku(units[need].0).to_string(), requested: units[need].1, available: has(need) })
        .collect();
    if short.is_empty() {
        let reasons = decision.explanation.candidates.iter().map(|c| (c.location.clone(), c.reason.clone())).collect();
        return Err(Refused::NotRoutable { reasons });
    }
    Err(Refused::InsufficientStock { shortfalls: short })
}
