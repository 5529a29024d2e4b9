//! Routing runs: the orders that wait are solved together as a minimum-cost flow, then placed in ordinary batches.
//!
//! The plan is made from a snapshot, outside any lock; each placement is checked again where it is made, against the
//! levels and capacity of that moment. What changed in between stays in the queue for the next round.

use crate::Stop;
use crate::batch::{Batch, Because, day_of, postal_key};
use crate::catalog::rows::{ITEMS_BY_ID, point};
use crate::command::{Answer, Needs, Reply};
use crate::config::Config;
use crate::db::{Lookup, Sql, Tx, Value};
use crate::orders::place::{ShipTo, StoredDecision};
use crate::orders::rows::{Order, read_orders};
use crate::orders::{announce, commit_units};
use crate::reservations::rows::{HeldLine, RESERVATIONS_BY_ID, Reservation};
use crate::stock::rows::{LEVELS_OF, read_level};
use domain::assign::assign;
use domain::routing::{self, Candidate, Considered, Explanation, Facts};
use domain::steps::Status;
use domain::stock::Account::{self, Available, Reserved};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use utoipa::ToSchema;

const QUEUED: Sql = Sql("SELECT id FROM orders WHERE status = 'queued' ORDER BY id LIMIT $1");
const CAPACITY_OF_DAY: Sql = Sql("SELECT location, used FROM capacity WHERE day = $1");
const HOLDS: Lookup = Lookup { lock: false, ..RESERVATIONS_BY_ID };

/// Most orders in one run; more wait for the next.
pub const MAX_QUEUE: i64 = 50_000;
/// Orders that take each other's stock are planned again this many times.
const ROUNDS: usize = 8;

/// How a run went.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Routed {
    /// Orders that waited.
    pub queued: usize,
    pub placed: usize,
    /// Orders that no location could take; each says why in its decision.
    pub left_over: usize,
    /// Cost of the placed orders in micro-units of the currency.
    pub cost: i64,
}

/// One order's place in the plan.
#[derive(Debug, Clone)]
pub struct Placement {
    pub order: i64,
    /// None: it stays in the queue.
    pub location: Option<i64>,
    pub explanation: Explanation,
}

/// Reads what routing needs to know of stored orders.
pub(crate) struct FactsReader {
    points: HashMap<String, domain::geo::Point>,
}

impl FactsReader {
    pub fn load(tx: &mut Tx<'_>, orders: &[Order]) -> Result<FactsReader, Stop> {
        let codes: BTreeSet<String> = orders
            .iter()
            .filter_map(|o| serde_json::from_str::<ShipTo>(&o.ship_to).ok())
            .filter_map(|to| to.postal_code.map(|code| postal_key(&to.country, &code)))
            .collect();
        let keys: Vec<&str> = codes.iter().map(String::as_str).collect();
        let lookup = Lookup { columns: "code, latitude, longitude", from: "postal_codes", key: "code", and: "", order: "code", lock: false };
        let rows = tx.by_names(&lookup, &keys, |r| (r.text(0), point(r.opt_int(1), r.opt_int(2))))?;
        Ok(FactsReader { points: rows.into_iter().filter_map(|(code, point)| Some((code, point?))).collect() })
    }

    pub fn facts(&self, order: &Order, sku: impl Fn(i64) -> String) -> Facts {
        facts(order, sku, |country, code| self.points.get(&postal_key(country, code)).copied())
    }
}

/// What routing needs to know of a stored order; `point` finds a postal code of a country.
pub(crate) fn facts(order: &Order, sku: impl Fn(i64) -> String, point: impl Fn(&str, &str) -> Option<domain::geo::Point>) -> Facts {
    let to: ShipTo = serde_json::from_str(&order.ship_to).unwrap_or_default();
    let given = to.latitude.zip(to.longitude).and_then(|(lat, lon)| domain::geo::Point::new(lat, lon));
    let code = to.postal_code.clone().unwrap_or_default();
    Facts {
        channel: order.channel.clone(),
        customer: order.customer.clone().unwrap_or_default(),
        point: given.or_else(|| point(&to.country, &code)),
        country: to.country,
        postal_code: code,
        skus: order.lines.iter().map(|l| sku(l.kit.unwrap_or(l.item))).collect(),
        units: order.lines.iter().map(|l| l.quantity).sum(),
    }
}

/// An order in the queue, with its units by item.
struct Waiting {
    id: i64,
    needs: Vec<(i64, i64)>,
    hold: Vec<HeldLine>,
    explanation: Explanation,
    /// (location index, price in micro-units)
    choices: Vec<(usize, i64)>,
    /// What is told of each location that was a choice at first, by its index.
    told: Vec<(usize, Considered)>,
}

/// The cheapest placement of everything that waits, most orders first.
pub fn plan(tx: &mut Tx<'_>, config: &Config, now: i64) -> Result<Vec<Placement>, Stop> {
    let ids = tx.rows(QUEUED, &[Value::Int(MAX_QUEUE)], |r| r.int(0))?;
    let orders = read_orders(tx, &ids, false)?;
    let mut holds: Vec<i64> = orders.iter().filter_map(|o| o.reservation).collect();
    holds.sort_unstable();
    let holds: HashMap<i64, Vec<HeldLine>> = tx.by_ids(&HOLDS, &holds, &[], Reservation::read)?.into_iter().map(|r| (r.id, r.lines)).collect();
    let items: BTreeSet<i64> = orders.iter().flat_map(|o| o.lines.iter().map(|l| l.item)).collect();
    let items: Vec<i64> = items.into_iter().collect();
    let mut stock: HashMap<(i64, i64), i64> = HashMap::new();
    for (item, location, level) in tx.by_ids(&LEVELS_OF, &items, &[], read_level)? {
        stock.insert((item, location), level.get(Account::Available));
    }
    let skus: BTreeSet<i64> = orders.iter().flat_map(|o| o.lines.iter().map(|l| l.kit.unwrap_or(l.item))).collect();
    let skus: HashMap<i64, String> =
        tx.by_ids(&ITEMS_BY_ID, &skus.into_iter().collect::<Vec<_>>(), &[], |r| (r.int(0), r.text(1)))?.into_iter().collect();
    let used: HashMap<i64, i64> = tx.rows(CAPACITY_OF_DAY, &[Value::Int(day_of(now))], |r| (r.int(0), r.int(1)))?.into_iter().collect();
    let room: Vec<i64> =
        config.locations.iter().map(|l| l.daily_capacity.map_or(i64::MAX, |most| most - used.get(&l.id).copied().unwrap_or(0))).collect();
    let reader = FactsReader::load(tx, &orders)?;

    let mut waiting: Vec<Waiting> = orders
        .iter()
        .map(|order| {
            let hold = order.reservation.and_then(|id| holds.get(&id)).cloned().unwrap_or_default();
            let needs = needs_of(order);
            let facts = reader.facts(order, |id| skus.get(&id).cloned().unwrap_or_default());
            let candidates: Vec<Candidate<'_>> = config
                .locations
                .iter()
                .enumerate()
                .map(|(n, location)| Candidate {
                    location,
                    available: needs
                        .iter()
                        .map(|(item, _)| stock.get(&(*item, location.id)).copied().unwrap_or(0) + held(&hold, *item, location.id))
                        .collect(),
                    capacity_left: location.daily_capacity.map(|_| room[n]),
                })
                .collect();
            let quantities: Vec<i64> = needs.iter().map(|(_, q)| *q).collect();
            let (choices, explanation) = routing::choices(&config.rules, &facts, &quantities, &candidates);
            let costs = choices.iter().map(|(place, price, _)| (*place, price.total())).collect();
            let told = choices.into_iter().map(|(place, _, considered)| (place, considered)).collect();
            Waiting { id: order.id, needs, hold, explanation, choices: costs, told }
        })
        .collect();
    let places = solve(&mut waiting, config, room, stock);
    Ok(waiting.into_iter().zip(places).map(|(order, place)| explain(order, place, config)).collect())
}

fn held(hold: &[HeldLine], item: i64, location: i64) -> i64 {
    hold.iter().filter(|(i, l, _)| (*i, *l) == (item, location)).map(|(_, _, q)| q).sum()
}

/// The order's units by item.
fn needs_of(order: &Order) -> Vec<(i64, i64)> {
    let mut needs: Vec<(i64, i64)> = Vec::new();
    for line in &order.lines {
        let quantity = line.quantity - line.canceled;
        match needs.iter_mut().find(|(item, _)| *item == line.item) {
            Some(known) => known.1 += quantity,
            None => needs.push((line.item, quantity)),
        }
    }
    needs.retain(|(_, quantity)| *quantity > 0);
    needs
}

/// Solves the flow; orders that turn out to want the same units are solved again without that choice.
fn solve(waiting: &mut [Waiting], config: &Config, mut room: Vec<i64>, mut stock: HashMap<(i64, i64), i64>) -> Vec<Option<usize>> {
    let mut places: Vec<Option<usize>> = vec![None; waiting.len()];
    let mut open: Vec<usize> = (0..waiting.len()).collect();
    for _ in 0..ROUNDS {
        let choices: Vec<Vec<(usize, i64)>> = open.iter().map(|n| waiting[*n].choices.clone()).collect();
        let found = assign(&choices, &room);
        let mut again = Vec::new();
        let mut clashed = false;
        for (n, place) in open.iter().copied().zip(found) {
            let Some(place) = place else {
                again.push(n);
                continue;
            };
            let location = config.locations[place].id;
            let order = &mut waiting[n];
            let has = |item: i64| stock.get(&(item, location)).copied().unwrap_or(0) + held(&order.hold, item, location);
            if order.needs.iter().all(|(item, quantity)| has(*item) >= *quantity) {
                for (item, held_at, quantity) in &order.hold {
                    *stock.entry((*item, *held_at)).or_insert(0) += quantity;
                }
                for (item, quantity) in &order.needs {
                    *stock.entry((*item, location)).or_insert(0) -= quantity;
                }
                room[place] -= 1;
                places[n] = Some(place);
            } else {
                order.choices.retain(|(choice, _)| *choice != place);
                again.push(n);
                clashed = true;
            }
        }
        open = again;
        if !clashed {
            break;
        }
    }
    places
}

fn explain(order: Waiting, place: Option<usize>, config: &Config) -> Placement {
    let mut explanation = order.explanation;
    let cheapest = order.choices.iter().map(|(_, cost)| *cost).min();
    for (choice, considered) in order.told {
        let chosen = place == Some(choice);
        let cost = order.choices.iter().find(|(left, _)| *left == choice).map(|(_, cost)| *cost);
        let reason = match (chosen, cost) {
            (true, cost) if cost == cheapest => "the cheapest for this order, and room for it",
            (true, _) => "the cheapest for the whole queue: cheaper places went to orders that save more there",
            (false, None) => "had every line, but other orders of the queue took the units",
            (false, _) if place.is_none() => "has every line, but its capacity today went to other orders",
            (false, _) => "has every line, but the whole queue costs less with it elsewhere",
        };
        if let Some(cost) = cost.filter(|_| chosen) {
            explanation.cost = cost;
            explanation.fulfillments = 1;
        }
        explanation.candidates.push(Considered { chosen, reason: reason.into(), ..considered });
    }
    explanation.candidates.sort_by_key(|c| (!c.chosen, c.cost.is_none(), c.cost.map_or(0, |p| p.total())));
    Placement { order: order.id, location: place.map(|p| config.locations[p].id), explanation }
}

/// Carries out part of a plan.
#[derive(Debug, Clone)]
pub struct RouteQueued {
    pub placements: Vec<Placement>,
}

impl RouteQueued {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.orders.extend(self.placements.iter().map(|p| p.order));
        needs.queued_holds = true;
        needs.capacity = true;
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut done = Routed::default();
        for placement in &self.placements {
            let Some(mut order) = batch.orders.get(placement.order).filter(|o| o.status == Status::Queued).cloned() else { continue };
            done.queued += 1;
            let stored = |note: &str, rule_set: &str| {
                let notes = vec![note.to_owned()];
                let decision = StoredDecision { rule_set: rule_set.to_owned(), explanation: placement.explanation.clone(), notes };
                serde_json::to_string(&decision).unwrap_or_else(|_| "{}".into())
            };
            let rule_set = batch.config.rules_name.clone();
            match placement.location {
                Some(location) if self.fits(batch, &order, location) => {
                    self.place(batch, &mut order, location)?;
                    order.decision = stored("Placed by a routing run.", &rule_set);
                    announce(batch, &order, "order.routed");
                    done.placed += 1;
                    done.cost += placement.explanation.cost;
                }
                Some(_) => continue,
                None => {
                    order.decision = stored("Left over by the last routing run; its units stay held.", &rule_set);
                    announce(batch, &order, "order.left_over");
                    done.left_over += 1;
                }
            }
            if let Some(kept) = batch.orders.change(placement.order) {
                *kept = order;
            }
        }
        Ok(Reply::done(Answer::Routed(done)))
    }

    /// Whether the plan still holds: units there, or held there for this order, and capacity left.
    fn fits(&self, batch: &Batch<'_>, order: &Order, location: i64) -> bool {
        let Some(place) = batch.config.by_id(location).filter(|l| l.active) else { return false };
        let hold = order.reservation.and_then(|id| batch.reservations.get(id)).map(|r| r.lines.as_slice()).unwrap_or_default();
        let has = |item: i64| batch.level(item, location).get(Available) + held(hold, item, location);
        batch.capacity_left(place, day_of(batch.now)).is_none_or(|left| left > 0)
            && needs_of(order).iter().all(|(item, quantity)| has(*item) >= *quantity)
    }

    fn place(&self, batch: &mut Batch<'_>, order: &mut Order, location: i64) -> Result<(), Stop> {
        let hold = order.reservation.and_then(|id| batch.reservations.get(id)).map(|r| r.lines.clone()).unwrap_or_default();
        order.status = Status::Open;
        let mut needs = needs_of(order);
        for (item, held_at, quantity) in hold {
            let need = needs.iter_mut().find(|(i, _)| *i == item);
            let keep = if held_at == location { need.as_ref().map_or(0, |n| n.1.min(quantity)) } else { 0 };
            if keep > 0 {
                commit_units(batch, order, location, item, keep, Reserved, "order.routed")?;
                if let Some(need) = need {
                    need.1 -= keep;
                }
            }
            if keep < quantity {
                batch.post(item, held_at, Reserved, Available, quantity - keep, Because::of("order.routed", order.id))?;
            }
        }
        for (item, quantity) in needs.into_iter().filter(|(_, quantity)| *quantity > 0) {
            commit_units(batch, order, location, item, quantity, Available, "order.routed")?;
        }
        order.refresh_status();
        Ok(())
    }
}
