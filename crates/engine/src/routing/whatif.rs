//! What if: another rule set over past orders, before it goes live. Nothing is written.
//!
//! Stock begins as it was when the first of those orders came, what arrived later arrives again at its time, and each
//! order is routed anew by both rule sets, each with its own stock and capacity.

use super::past;
use super::run::FactsReader;
use crate::Stop;
use crate::batch::{day_of, sorted};
use crate::catalog::rows::ITEMS_BY_ID;
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use crate::orders::rows::read_orders;
use crate::views::{Id, order_number};
use domain::routing::{self, Candidate, Location, RuleSet};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use utoipa::ToSchema;

const LAST_ORDERS: Sql = Sql("SELECT id FROM orders ORDER BY id DESC LIMIT $1");

/// Orders that change places and are told one by one; the rest are counted.
const MOST_MOVES: usize = 50;

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

#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct WhatIf {
    pub current: Outcome,
    pub proposed: Outcome,
    /// Fulfillments of each location that has any, by its code.
    pub locations: Vec<LocationOrders>,
    /// Orders that other locations would send.
    pub moved: usize,
    /// The first fifty of them, the largest difference of cost first.
    pub moves: Vec<Moved>,
}

/// How many fulfillments a location gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LocationOrders {
    #[schema(value_type = String)]
    pub location: Arc<str>,
    pub current: usize,
    pub proposed: usize,
}

/// An order that other locations would send.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Moved {
    #[schema(value_type = String)]
    pub id: Id,
    /// For people, such as H1042.
    pub number: String,
    #[schema(value_type = Vec<String>)]
    pub current: Vec<Arc<str>>,
    #[schema(value_type = Vec<String>)]
    pub proposed: Vec<Arc<str>>,
    /// The proposed cost less the current one, in micro-units of the currency.
    pub cost_difference: i64,
}

/// Where an order goes in one of the worlds.
struct Placed {
    places: BTreeSet<i64>,
    cost: i64,
}

struct World<'a> {
    rules: &'a RuleSet,
    stock: HashMap<(i64, i64), i64>,
    used: HashMap<(i64, i64), i64>,
    at: BTreeMap<i64, usize>,
    outcome: Outcome,
    units: i64,
    sent: i64,
    km: f64,
    known: usize,
}

impl<'a> World<'a> {
    fn new(rules: &'a RuleSet, stock: HashMap<(i64, i64), i64>) -> World<'a> {
        let (used, at) = (HashMap::new(), BTreeMap::new());
        World { rules, stock, used, at, outcome: Outcome::default(), units: 0, sent: 0, km: 0.0, known: 0 }
    }

    fn order(&mut self, facts: &routing::Facts, needs: &[(i64, i64)], locations: &[Location], day: i64) -> Placed {
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
            *self.at.entry(*place).or_insert(0) += 1;
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
        Placed { places, cost: decision.explanation.cost }
    }

    fn finish(mut self) -> (Outcome, BTreeMap<i64, usize>) {
        self.outcome.fill_rate = if self.units == 0 { 1.0 } else { self.sent as f64 / self.units as f64 };
        self.outcome.mean_distance_km = if self.known == 0 { 0.0 } else { self.km / self.known as f64 };
        (self.outcome, self.at)
    }
}

/// Replays the last `orders` orders under the active rules and under `proposed`. Refuses when that reaches back over more movements
/// of stock than can be read in a few seconds.
pub fn what_if(tx: &mut Tx<'_>, config: &Config, proposed: &RuleSet, orders: i64) -> Result<WhatIf, Stop> {
    let mut ids = tx.rows(LAST_ORDERS, &[Value::Int(orders)], |r| r.int(0))?;
    ids.sort_unstable();
    let mut orders = read_orders(tx, &ids, false)?;
    orders.sort_by_key(|o| (o.placed_at, o.id));
    let first = orders.first().map_or(i64::MAX, |o| o.placed_at);
    let reader = FactsReader::load(tx, &orders)?;
    let named = sorted(orders.iter().flat_map(|o| o.lines.iter().map(|l| l.kit.as_ref().unwrap_or(&l.item))));
    let skus: HashMap<i64, String> = tx.by_ids(&ITEMS_BY_ID, &named, &[], |r| (r.int(0), r.text(1)))?.into_iter().collect();
    let past = past::since(tx, &sorted(orders.iter().flat_map(|o| o.lines.iter().map(|l| &l.item))), first)?;
    let mut worlds = [World::new(&config.rules, past.available.clone()), World::new(proposed, past.available)];
    let mut arrivals = past.arrivals.into_iter().peekable();
    let mut moves = Vec::new();
    for order in &orders {
        while let Some((_, place, units)) = arrivals.next_if(|(at, ..)| *at <= order.placed_at) {
            for world in &mut worlds {
                *world.stock.entry(place).or_insert(0) += units;
            }
        }
        let facts = reader.facts(order, |id| skus.get(&id).cloned().unwrap_or_default());
        let mut needs: Vec<(i64, i64)> = Vec::new();
        for line in &order.lines {
            match needs.iter_mut().find(|(item, _)| *item == line.item) {
                Some(known) => known.1 += line.quantity,
                None => needs.push((line.item, line.quantity)),
            }
        }
        let [now, then] = &mut worlds;
        let day = day_of(order.placed_at);
        let (now, then) = (now.order(&facts, &needs, &config.locations, day), then.order(&facts, &needs, &config.locations, day));
        if now.places != then.places {
            moves.push((order.id, now, then));
        }
    }
    let [current, proposed] = worlds.map(World::finish);
    Ok(told(config, current, proposed, moves))
}

/// The report: locations by their codes, and the moves that matter most.
fn told(
    config: &Config,
    current: (Outcome, BTreeMap<i64, usize>),
    proposed: (Outcome, BTreeMap<i64, usize>),
    mut moves: Vec<(i64, Placed, Placed)>,
) -> WhatIf {
    let codes = |places: &BTreeSet<i64>| places.iter().map(|id| config.code(*id)).collect();
    let at = |counts: &BTreeMap<i64, usize>, id: i64| counts.get(&id).copied().unwrap_or(0);
    let used: BTreeSet<i64> = current.1.keys().chain(proposed.1.keys()).copied().collect();
    let location = |id: &i64| LocationOrders { location: config.code(*id), current: at(&current.1, *id), proposed: at(&proposed.1, *id) };
    let mut locations: Vec<LocationOrders> = used.iter().map(location).collect();
    locations.sort_by(|a, b| a.location.cmp(&b.location));
    moves.sort_by_key(|(id, now, then)| (std::cmp::Reverse((then.cost - now.cost).abs()), *id));
    let moved = moves.len();
    moves.truncate(MOST_MOVES);
    let moves = moves.iter().map(|(id, now, then)| Moved {
        id: Id(*id),
        number: order_number(*id),
        current: codes(&now.places),
        proposed: codes(&then.places),
        cost_difference: then.cost - now.cost,
    });
    WhatIf { current: current.0, proposed: proposed.0, locations, moved, moves: moves.collect() }
}
