//! What if: another rule set over past orders, before it goes live. Nothing is written.
//!
//! Stock begins as it was when the first of those orders came, what arrived later arrives again at its time, and each
//! order is routed anew by both rule sets, each with its own stock and capacity.

use super::run::FactsReader;
use crate::Stop;
use crate::batch::day_of;
use crate::catalog::rows::ITEMS_BY_ID;
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use crate::orders::rows::read_orders;
use domain::routing::{self, Candidate, Location, RuleSet};
use domain::stock::Account;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use utoipa::ToSchema;

const LAST_ORDERS: Sql = Sql("SELECT id FROM orders ORDER BY id DESC LIMIT $1");
const MOVES: Sql = Sql(
    "SELECT item, location, at, source, target, quantity, cause FROM entries WHERE (source = 0 OR target = 0) AND (at < $1 OR cause LIKE 'stock.%' OR cause LIKE 'transfer.%' OR cause = 'order.returned') ORDER BY at, item, location, number",
);

/// What a rule set makes of the orders.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Outcome {
    pub orders: usize,
    /// Orders that could be sent whole at once.
    pub whole: usize,
    /// Share of the units that could be sent at once, 0 to 1.
    pub fill_rate: f64,
    /// Fulfillments beyond the first of each order.
    pub splits: usize,
    /// Mean distance of a fulfillment in km, where both ends are known.
    pub mean_distance_km: f64,
    /// In micro-units of the currency.
    pub cost: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WhatIf {
    pub current: Outcome,
    pub proposed: Outcome,
}

struct World<'a> {
    rules: &'a RuleSet,
    stock: HashMap<(i64, i64), i64>,
    used: HashMap<(i64, i64), i64>,
    outcome: Outcome,
    units: i64,
    sent: i64,
    km: f64,
    known: usize,
}

impl<'a> World<'a> {
    fn new(rules: &'a RuleSet) -> World<'a> {
        World { rules, stock: HashMap::new(), used: HashMap::new(), outcome: Outcome::default(), units: 0, sent: 0, km: 0.0, known: 0 }
    }

    fn order(&mut self, facts: &routing::Facts, needs: &[(i64, i64)], locations: &[Location], day: i64) {
        let quantities: Vec<i64> = needs.iter().map(|(_, q)| *q).collect();
        let candidates: Vec<Candidate<'_>> = locations
            .iter()
            .map(|location| Candidate {
                location,
                available: needs.iter().map(|(item, _)| self.stock.get(&(*item, location.id)).copied().unwrap_or(0).max(0)).collect(),
                capacity_left: location.daily_capacity.map(|most| most - self.used.get(&(location.id, day)).copied().unwrap_or(0)),
            })
            .collect();
        let decision = routing::route(self.rules, facts, &quantities, &candidates);
        let places: BTreeSet<i64> = decision.parts.iter().map(|p| p.location).collect();
        for part in &decision.parts {
            *self.stock.entry((needs[part.need].0, part.location)).or_insert(0) -= part.quantity;
            self.sent += part.quantity;
        }
        for place in &places {
            *self.used.entry((*place, day)).or_insert(0) += 1;
        }
        for considered in decision.explanation.candidates.iter().filter(|c| c.chosen) {
            if let Some(km) = considered.distance_km {
                self.km += km;
                self.known += 1;
            }
        }
        self.outcome.orders += 1;
        self.outcome.whole += usize::from(decision.missing.iter().all(|m| *m == 0));
        self.outcome.splits += places.len().saturating_sub(1);
        self.outcome.cost = self.outcome.cost.saturating_add(decision.explanation.cost);
        self.units += quantities.iter().sum::<i64>();
    }

    fn finish(mut self) -> Outcome {
        self.outcome.fill_rate = if self.units == 0 { 1.0 } else { self.sent as f64 / self.units as f64 };
        self.outcome.mean_distance_km = if self.known == 0 { 0.0 } else { self.km / self.known as f64 };
        self.outcome
    }
}

/// Replays the last `orders` orders under the active rules and under `proposed`.
pub fn what_if(tx: &mut Tx<'_>, config: &Config, proposed: &RuleSet, orders: i64) -> Result<WhatIf, Stop> {
    let mut ids = tx.rows(LAST_ORDERS, &[Value::Int(orders)], |r| r.int(0))?;
    ids.sort_unstable();
    let mut orders = read_orders(tx, &ids, false)?;
    orders.sort_by_key(|o| (o.placed_at, o.id));
    let first = orders.first().map_or(i64::MAX, |o| o.placed_at);
    let reader = FactsReader::load(tx, &orders)?;
    let items: BTreeSet<i64> = orders.iter().flat_map(|o| o.lines.iter().map(|l| l.kit.unwrap_or(l.item))).collect();
    let skus: HashMap<i64, String> =
        tx.by_ids(&ITEMS_BY_ID, &items.into_iter().collect::<Vec<_>>(), &[], |r| (r.int(0), r.text(1)))?.into_iter().collect();
    let available = Account::Available.number();
    let moves = tx.rows(MOVES, &[Value::Int(first)], |r| {
        let sign = if r.int(4) == available { 1 } else { -1 };
        (r.int(2), (r.int(0), r.int(1)), sign * r.int(5))
    })?;
    let mut worlds = [World::new(&config.rules), World::new(proposed)];
    let mut next = 0;
    for order in &orders {
        while next < moves.len() && moves[next].0 <= order.placed_at {
            for world in &mut worlds {
                *world.stock.entry(moves[next].1).or_insert(0) += moves[next].2;
            }
            next += 1;
        }
        let facts = reader.facts(order, |id| skus.get(&id).cloned().unwrap_or_default());
        let mut needs: Vec<(i64, i64)> = Vec::new();
        for line in &order.lines {
            match needs.iter_mut().find(|(item, _)| *item == line.item) {
                Some(known) => known.1 += line.quantity,
                None => needs.push((line.item, line.quantity)),
            }
        }
        for world in &mut worlds {
            world.order(&facts, &needs, &config.locations, day_of(order.placed_at));
        }
    }
    let [current, proposed] = worlds.map(World::finish);
    Ok(WhatIf { current, proposed })
}
