//! Routing: which location sends what. Rules are data: an ordered list of (which orders) -> (which locations, in what
//! order, within what distance and capacity, may it split, then what). Every decision explains itself.
//!
//! The cost that is compared is in micro-units of the rule set's currency:
//! `per_fulfillment + per_km × distance + handling per unit × units` for each location used, `split_penalty` for each
//! fulfillment after the first, and `stock_out_risk × share of the location's available units that the order would take`.
//! Few locations are tried in every combination of up to three (exact); beyond that, greedily.

use crate::geo::{self, Point};
use serde::{Deserialize, Serialize};

/// Combinations are exact for up to this many locations with stock; beyond, the best this many by cost are combined.
const EXACT_LOCATIONS: usize = 12;
/// Most fulfillments that are searched exactly; more are found greedily.
const EXACT_PARTS: usize = 3;

/// An ordered list of rules, and who may be served from where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// Read from top to bottom; the first that matches an order decides. If none matches, [`Rule::default`] does.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Locations that serve only some customers, such as vendor-managed ones.
    #[serde(default)]
    pub only_for: Vec<OnlyFor>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnlyFor {
    pub location: String,
    pub customers: Vec<String>,
}

/// One rule. Every field has a default, so `{"name": "anything"}` is a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    pub name: String,
    pub when: When,
    pub from: From,
    pub prefer: Prefer,
    /// Most fulfillments one order may be split into; 1 forbids splitting.
    pub max_fulfillments: usize,
    pub cost: Cost,
    /// When the rule cannot fill the order whole.
    pub otherwise: Otherwise,
    /// Decide now, or hold the units and decide together with others in the next run.
    pub timing: Timing,
}

/// Which orders a rule is for. An empty list means any.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    pub channels: Vec<String>,
    pub countries: Vec<String>,
    pub postal_prefixes: Vec<String>,
    pub customers: Vec<String>,
    pub skus: Vec<String>,
    pub min_units: Option<i64>,
    pub max_units: Option<i64>,
}

/// Which locations may send. An empty list means any.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct From {
    pub locations: Vec<String>,
    pub kinds: Vec<Kind>,
    pub countries: Vec<String>,
    /// Locations or orders without coordinates are not within any distance.
    pub max_distance_km: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The lowest cost.
    #[default]
    Cost,
    /// The shortest distance, then the cost.
    Nearest,
    /// The order in which `from.locations` names them, then the cost.
    Listed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// Try the next rule that matches.
    #[default]
    Next,
    /// Stop here: what cannot be sent is backordered or refused, as each item's policy says.
    Stop,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    #[default]
    AtOnce,
    Run,
}

/// Prices in micro-units of the currency (1.00 = 1,000,000).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    pub per_fulfillment: i64,
    pub per_km: i64,
    pub split_penalty: i64,
    pub stock_out_risk: i64,
}

/// 3.00 a parcel, a cent a kilometer, 2.00 for each further parcel, up to 0.50 for emptying a shelf. Set by judgment:
/// a parcel costs about this much in Europe and the US, and a split must never win over a near whole.
impl Default for Cost {
    fn default() -> Cost {
        Cost { per_fulfillment: 3_000_000, per_km: 10_000, split_penalty: 2_000_000, stock_out_risk: 500_000 }
    }
}

impl Default for Rule {
    fn default() -> Rule {
        Rule {
            name: "Default: cheapest".into(),
            when: When::default(),
            from: From::default(),
            prefer: Prefer::default(),
            max_fulfillments: 20,
            cost: Cost::default(),
            otherwise: Otherwise::default(),
            timing: Timing::default(),
        }
    }
}

/// What kind of place a location is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Warehouse,
    Store,
    ThirdParty,
    DarkStore,
}

/// What routing needs to know of a location.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    pub id: i64,
    pub code: String,
    pub name: String,
    pub kind: Kind,
    pub country: String,
    pub postal_code: Option<String>,
    pub point: Option<Point>,
    /// Orders a day; None is without limit.
    pub daily_capacity: Option<i64>,
    /// Handling cost of one unit in micro-units of the currency.
    pub cost_per_unit: i64,
    pub active: bool,
}

/// What routing needs to know of an order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub channel: String,
    pub customer: String,
    pub country: String,
    pub postal_code: String,
    pub point: Option<Point>,
    pub skus: Vec<String>,
    pub units: i64,
}

/// A location that could send, with what it has. `available` runs parallel to the needs.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    pub location: &'a Location,
    pub available: Vec<i64>,
    /// Orders it can still take today; None is without limit.
    pub capacity_left: Option<i64>,
}

/// `quantity` units of need number `need` from location `location` (an id).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub location: i64,
    pub need: usize,
    pub quantity: i64,
}

/// What was decided, and why.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    pub parts: Vec<Part>,
    /// Units that no location could send, parallel to the needs.
    pub missing: Vec<i64>,
    pub explanation: Explanation,
}

/// Why an order was routed as it was. Stored with the order and shown to people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub rule: String,
    /// Lines that were to be sent, one for each item. 0: stored before they were counted.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub lines: usize,
    /// Micro-units of the currency, for the plan that won.
    pub cost: i64,
    pub fulfillments: usize,
    pub candidates: Vec<Considered>,
}

fn is_zero(lines: &usize) -> bool {
    *lines == 0
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    pub location: String,
    pub chosen: bool,
    pub reason: String,
    /// Lines that it had whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lines: Option<usize>,
    /// Orders that it could still take that day; left out where it has no limit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capacity_left: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub distance_km: Option<f64>,
    /// What sending everything it can from here alone would cost, in micro-units: shipping, handling, stock-out risk.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cost: Option<Price>,
}

/// The parts of a location's cost, in micro-units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    pub shipping: i64,
    pub handling: i64,
    pub risk: i64,
}

impl Price {
    pub fn total(&self) -> i64 {
        self.shipping.saturating_add(self.handling).saturating_add(self.risk)
    }
}

impl When {
    /// Whether a rule with these conditions is for this order.
    pub fn matches(&self, order: &Facts) -> bool {
        let any = |list: &[String], value: &str| list.is_empty() || list.iter().any(|x| x == value);
        any(&self.channels, &order.channel)
            && any(&self.countries, &order.country)
            && any(&self.customers, &order.customer)
            && (self.postal_prefixes.is_empty() || self.postal_prefixes.iter().any(|p| order.postal_code.starts_with(p.as_str())))
            && (self.skus.is_empty() || order.skus.iter().any(|sku| self.skus.contains(sku)))
            && self.min_units.is_none_or(|min| order.units >= min)
            && self.max_units.is_none_or(|max| order.units <= max)
    }
}

impl RuleSet {
    /// The rules for this order in turn, ending with the default rule.
    pub fn matching<'a>(&'a self, order: &'a Facts, fallback: &'a Rule) -> impl Iterator<Item = &'a Rule> + 'a {
        self.rules.iter().filter(|rule| rule.when.matches(order)).chain([fallback])
    }

    /// Whether this order is to wait for a routing run.
    pub fn waits_for_run(&self, order: &Facts) -> bool {
        self.rules.iter().find(|rule| rule.when.matches(order)).is_some_and(|rule| rule.timing == Timing::Run)
    }

    /// Why a location may not send this order under a rule, or its distance in km if it may.
    fn admits(&self, rule: &Rule, order: &Facts, candidate: &Candidate<'_>) -> Result<Option<f64>, String> {
        let location = candidate.location;
        if !location.active {
            return Err("not active".into());
        }
        if let Some(only) = self.only_for.iter().find(|only| only.location == location.code)
            && !only.customers.contains(&order.customer)
        {
            return Err("serves only its own customers".into());
        }
        let from = &rule.from;
        if !from.locations.is_empty() && !from.locations.contains(&location.code) {
            return Err("not among the rule's locations".into());
        }
        if !from.kinds.is_empty() && !from.kinds.contains(&location.kind) {
            return Err("not of a kind the rule allows".into());
        }
        if !from.countries.is_empty() && !from.countries.contains(&location.country) {
            return Err("not in a country the rule allows".into());
        }
        let distance = location.point.zip(order.point).map(|(a, b)| geo::distance_km(a, b));
        if let Some(max) = from.max_distance_km {
            match distance {
                None => return Err("distance unknown, and the rule limits it".into()),
                Some(km) if km > max => return Err(format!("{km:.0} km away, the rule allows {max:.0}")),
                Some(_) => {}
            }
        }
        if let Some(left) = candidate.capacity_left
            && left <= 0
        {
            return Err(format!("daily capacity of {} is used up", location.daily_capacity.unwrap_or(0)));
        }
        Ok(distance)
    }
}

/// A candidate that a rule admits and that has at least one of the units.
struct Admitted<'a> {
    index: usize,
    candidate: &'a Candidate<'a>,
    distance_km: Option<f64>,
    /// Ranks before cost: distance in meters or place in the list; 0 where the rule prefers cost.
    rank: i64,
    fixed: i64,
    covers: usize,
    price: Price,
}

impl Admitted<'_> {
    /// How it is told of, before it is known whether it is chosen. The distance is in tenths of a km.
    fn considered(&self) -> Considered {
        Considered {
            location: self.candidate.location.code.clone(),
            chosen: false,
            reason: String::new(),
            lines: Some(self.covers),
            capacity_left: self.candidate.capacity_left,
            distance_km: self.distance_km.map(|km| (km * 10.0).round() / 10.0),
            cost: Some(self.price),
        }
    }
}

/// Decides which locations send the needs (units of each, at least 1).
pub fn route(rules: &RuleSet, order: &Facts, needs: &[i64], candidates: &[Candidate<'_>]) -> Decision {
    let fallback = Rule::default();
    let mut best: Option<Decision> = None;
    for rule in rules.matching(order, &fallback) {
        let decision = route_by(rules, rule, order, needs, candidates);
        let whole = decision.missing.iter().all(|missing| *missing == 0);
        let better = best.as_ref().is_none_or(|b| decision.missing.iter().sum::<i64>() < b.missing.iter().sum::<i64>());
        if better {
            best = Some(decision);
        }
        if whole || rule.otherwise == Otherwise::Stop {
            break;
        }
    }
    best.unwrap_or_default()
}

/// A location that could send an order whole: its index among the candidates, its price, and how it is told of.
pub type Choice = (usize, Price, Considered);

/// For a routing run: each location that could send the order whole under the first rule that matches it, and why each of
/// the others cannot.
pub fn choices(rules: &RuleSet, order: &Facts, needs: &[i64], candidates: &[Candidate<'_>]) -> (Vec<Choice>, Explanation) {
    let fallback = Rule::default();
    let mut explanation = Explanation { lines: needs.len(), ..Explanation::default() };
    let Some(rule) = rules.matching(order, &fallback).next() else { return (Vec::new(), explanation) };
    explanation.rule = rule.name.clone();
    let mut choices = Vec::new();
    for a in admitted(rules, rule, order, needs, candidates, &mut explanation.candidates) {
        if a.covers == needs.len() {
            choices.push((a.index, a.price, a.considered()));
        } else {
            let reason = format!("has only {} of {} lines whole", a.covers, needs.len());
            explanation.candidates.push(Considered { reason, ..a.considered() });
        }
    }
    (choices, explanation)
}

fn route_by(rules: &RuleSet, rule: &Rule, order: &Facts, needs: &[i64], candidates: &[Candidate<'_>]) -> Decision {
    let mut notes = Vec::with_capacity(candidates.len());
    let admitted = admitted(rules, rule, order, needs, candidates, &mut notes);
    let chosen = exact(rule, needs, &admitted).unwrap_or_else(|| greedy(rule, needs, &admitted));
    let (parts, missing) = share(needs, &admitted, &chosen);
    let cost = chosen_cost(rule, &admitted, &chosen, &parts);
    let fulfillments = parts.iter().map(|p| p.location).collect::<std::collections::BTreeSet<_>>().len();
    for (n, a) in admitted.iter().enumerate() {
        let id = a.candidate.location.id;
        let is_chosen = parts.iter().any(|p| p.location == id);
        let reason = reason(a, n, is_chosen, needs.len(), fulfillments, rule);
        notes.push(Considered { chosen: is_chosen, reason, ..a.considered() });
    }
    notes.sort_by_key(|c| (!c.chosen, c.cost.is_none(), c.cost.map_or(0, |p| p.total())));
    let explanation = Explanation { rule: rule.name.clone(), lines: needs.len(), cost, fulfillments, candidates: notes };
    Decision { parts, missing, explanation }
}

fn reason(a: &Admitted<'_>, place: usize, chosen: bool, needs: usize, fulfillments: usize, rule: &Rule) -> String {
    let by = match rule.prefer {
        Prefer::Cost => "cost",
        Prefer::Nearest => "distance",
        Prefer::Listed => "the rule's list",
    };
    match (chosen, a.covers == needs) {
        (true, true) if fulfillments == 1 => format!("has every line; first by {by}"),
        (true, _) => format!("part of the cheapest split: has {} of {needs} lines whole", a.covers),
        (false, true) if fulfillments > 1 => "has every line, but the split costs less".into(),
        (false, true) => format!("has every line, but number {} by {by}", place + 1),
        (false, false) => format!("has only {} of {needs} lines whole", a.covers),
    }
}

fn admitted<'a>(
    rules: &RuleSet,
    rule: &Rule,
    order: &Facts,
    needs: &[i64],
    candidates: &'a [Candidate<'a>],
    notes: &mut Vec<Considered>,
) -> Vec<Admitted<'a>> {
    let mut admitted = Vec::with_capacity(candidates.len());
    for (index, candidate) in candidates.iter().enumerate() {
        let covers = needs.iter().zip(&candidate.available).filter(|(need, has)| has >= need).count();
        let lost = |reason: String| Considered {
            location: candidate.location.code.clone(),
            reason,
            lines: Some(covers),
            capacity_left: candidate.capacity_left,
            ..Considered::default()
        };
        let distance_km = match rules.admits(rule, order, candidate) {
            Ok(distance) => distance,
            Err(reason) => {
                notes.push(lost(reason));
                continue;
            }
        };
        let sends: i64 = needs.iter().zip(&candidate.available).map(|(need, has)| (*need).min(*has)).sum();
        if sends == 0 {
            notes.push(lost("none of the items available".into()));
            continue;
        }
        let fixed = rule.cost.per_fulfillment.saturating_add((distance_km.unwrap_or(0.0) * rule.cost.per_km as f64) as i64);
        let share: f64 =
            needs.iter().zip(&candidate.available).filter(|(_, has)| **has > 0).map(|(need, has)| (*need.min(has)) as f64 / *has as f64).sum::<f64>()
                / needs.len().max(1) as f64;
        let rank = match rule.prefer {
            Prefer::Cost => 0,
            Prefer::Nearest => distance_km.map_or(i64::from(i32::MAX), |km| (km * 1000.0) as i64),
            Prefer::Listed => rule.from.locations.iter().position(|code| *code == candidate.location.code).unwrap_or(usize::from(u16::MAX)) as i64,
        };
        let price = Price {
            shipping: fixed,
            handling: candidate.location.cost_per_unit.saturating_mul(sends),
            risk: (share * rule.cost.stock_out_risk as f64) as i64,
        };
        admitted.push(Admitted { index, candidate, distance_km, rank, fixed, covers, price });
    }
    admitted.sort_by_key(|a| (a.rank, a.price.total(), a.candidate.location.id));
    admitted
}

/// The cheapest set of up to three locations that covers everything, or None.
fn exact(rule: &Rule, needs: &[i64], admitted: &[Admitted<'_>]) -> Option<Vec<usize>> {
    let n = admitted.len().min(EXACT_LOCATIONS);
    let most = rule.max_fulfillments.clamp(1, EXACT_PARTS);
    let mut best: Option<((i64, i64), Vec<usize>)> = None;
    let mut consider = |set: &[usize]| {
        let fixed: i64 = set.iter().map(|i| admitted[*i].fixed).sum::<i64>() + rule.cost.split_penalty * (set.len() as i64 - 1);
        let rank: i64 = set.iter().map(|i| admitted[*i].rank).sum();
        let beaten = |cost: (i64, i64)| best.as_ref().is_some_and(|(known, _)| cost >= *known);
        if beaten((rank, fixed)) || !covers(needs, admitted, set) {
            return;
        }
        let (parts, _) = share(needs, admitted, set);
        let cost = (rank, chosen_cost(rule, admitted, set, &parts));
        if !beaten(cost) {
            best = Some((cost, set.to_vec()));
        }
    };
    for a in 0..n {
        consider(&[a]);
    }
    if most >= 2 {
        for a in 0..n {
            for b in a + 1..n {
                consider(&[a, b]);
                if most >= 3 {
                    for c in b + 1..n {
                        consider(&[a, b, c]);
                    }
                }
            }
        }
    }
    best.map(|(_, set)| set)
}

fn covers(needs: &[i64], admitted: &[Admitted<'_>], set: &[usize]) -> bool {
    needs.iter().enumerate().all(|(need, wanted)| {
        let has: i64 = set.iter().map(|i| admitted[*i].candidate.available[need].max(0)).sum();
        has >= *wanted
    })
}

/// Adds the location that sends most of what is still missing, until nothing is missing or nothing helps.
fn greedy(rule: &Rule, needs: &[i64], admitted: &[Admitted<'_>]) -> Vec<usize> {
    let mut missing = needs.to_vec();
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < rule.max_fulfillments.max(1) && missing.iter().any(|m| *m > 0) {
        let sends = |i: usize| -> i64 { missing.iter().zip(&admitted[i].candidate.available).map(|(m, has)| (*m).min((*has).max(0))).sum() };
        let Some(next) = (0..admitted.len()).filter(|i| !chosen.contains(i) && sends(*i) > 0).max_by_key(|i| (sends(*i), std::cmp::Reverse(*i)))
        else {
            break;
        };
        for (m, has) in missing.iter_mut().zip(&admitted[next].candidate.available) {
            *m -= (*m).min((*has).max(0));
        }
        chosen.push(next);
    }
    chosen
}

/// Shares the needs out over the chosen locations: a line goes whole to the first that has all of it, else to each in turn.
fn share(needs: &[i64], admitted: &[Admitted<'_>], chosen: &[usize]) -> (Vec<Part>, Vec<i64>) {
    let mut parts = Vec::with_capacity(needs.len());
    let mut missing = vec![0; needs.len()];
    for (need, wanted) in needs.iter().enumerate() {
        let has = |i: &usize| admitted[*i].candidate.available[need].max(0);
        let location = |i: &usize| admitted[*i].candidate.location.id;
        if let Some(whole) = chosen.iter().find(|i| has(i) >= *wanted) {
            parts.push(Part { location: location(whole), need, quantity: *wanted });
            continue;
        }
        let mut left = *wanted;
        for i in chosen {
            let quantity = has(i).min(left);
            if quantity > 0 {
                parts.push(Part { location: location(i), need, quantity });
                left -= quantity;
            }
        }
        missing[need] = left;
    }
    (parts, missing)
}

fn chosen_cost(rule: &Rule, admitted: &[Admitted<'_>], chosen: &[usize], parts: &[Part]) -> i64 {
    let mut total = 0i64;
    let mut used = 0;
    for i in chosen {
        let location = admitted[*i].candidate.location;
        let units: i64 = parts.iter().filter(|p| p.location == location.id).map(|p| p.quantity).sum();
        if units > 0 {
            used += 1;
            total = total
                .saturating_add(admitted[*i].fixed)
                .saturating_add(location.cost_per_unit.saturating_mul(units))
                .saturating_add(admitted[*i].price.risk);
        }
    }
    total.saturating_add(rule.cost.split_penalty.saturating_mul((used - 1).max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Locations as `code stock,stock [@lat,lon] [cap N] [cost N] [store]`, one a line; needs as `2,1`.
    fn check(rules: &str, order: Facts, needs: &[i64], locations: &str, expected: &str) {
        let rules: RuleSet = serde_json::from_str(rules).unwrap();
        let mut stock = Vec::new();
        let mut capacity = Vec::new();
        let places: Vec<Location> = locations
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .enumerate()
            .map(|(n, line)| {
                let mut words = line.split_whitespace();
                let code = words.next().unwrap().to_owned();
                stock.push(words.next().unwrap().split(',').map(|q| q.parse().unwrap()).collect::<Vec<i64>>());
                let mut place = Location {
                    id: n as i64 + 1,
                    name: code.clone(),
                    code,
                    kind: Kind::Warehouse,
                    country: "GB".into(),
                    postal_code: None,
                    point: None,
                    daily_capacity: None,
                    cost_per_unit: 0,
                    active: true,
                };
                let mut left = None;
                while let Some(word) = words.next() {
                    match word {
                        "cap" => left = words.next().map(|w| w.parse().unwrap()),
                        "cost" => place.cost_per_unit = words.next().unwrap().parse().unwrap(),
                        "store" => place.kind = Kind::Store,
                        at => {
                            let (lat, lon) = at[1..].split_once(',').unwrap();
                            place.point = Point::new(lat.parse().unwrap(), lon.parse().unwrap());
                        }
                    }
                }
                place.daily_capacity = left;
                capacity.push(left);
                place
            })
            .collect();
        let candidates: Vec<Candidate<'_>> = places
            .iter()
            .zip(&stock)
            .zip(&capacity)
            .map(|((location, available), left)| Candidate { location, available: available.clone(), capacity_left: *left })
            .collect();
        let decision = route(&rules, &order, needs, &candidates);
        let mut found: Vec<String> =
            decision.parts.iter().map(|p| format!("{}:{}x{}", places[p.location as usize - 1].code, p.need, p.quantity)).collect();
        if decision.missing.iter().any(|m| *m > 0) {
            found.push(format!("missing {:?}", decision.missing));
        }
        assert_eq!(found.join(" "), expected, "{locations} {:#?}", decision.explanation);
        assert_eq!(decision.explanation.candidates.len(), candidates.len(), "each candidate is explained");
    }

    fn to(latitude: f64, longitude: f64) -> Facts {
        Facts { point: Point::new(latitude, longitude), country: "GB".into(), units: 1, ..Facts::default() }
    }

    #[test]
    fn the_cheapest_whole_wins() {
        check("{}", to(51.5, 0.0), &[1], "LEEDS 5 @53.8,-1.5\nLONDON 5 @51.5,-0.1", "LONDON:0x1");
        check("{}", to(51.5, 0.0), &[1], "LEEDS 5 @53.8,-1.5\nLONDON 0 @51.5,-0.1", "LEEDS:0x1");
        check("{}", to(51.5, 0.0), &[2, 1], "LEEDS 5,5 @53.8,-1.5\nLONDON 5,0 @51.5,-0.1", "LEEDS:0x2 LEEDS:1x1");
        check("{}", Facts::default(), &[1], "A 5 cost 900\nB 5 cost 100", "B:0x1");
    }

    #[test]
    fn splits_only_where_needed_and_allowed() {
        check("{}", to(51.5, 0.0), &[5], "A 3 @51.5,0\nB 4 @52,0", "A:0x3 B:0x2");
        check("{}", to(51.5, 0.0), &[1, 1], "A 1,0\nB 0,1", "A:0x1 B:1x1");
        check(r#"{"rules":[{"name":"whole","max_fulfillments":1,"otherwise":"stop"}]}"#, to(51.5, 0.0), &[5], "A 3\nB 4", "B:0x4 missing [1]");
        check("{}", to(51.5, 0.0), &[5], "A 1\nB 1\nC 1\nD 1\nE 1", "A:0x1 B:0x1 C:0x1 D:0x1 E:0x1");
        check("{}", to(51.5, 0.0), &[9], "A 3\nB 4", "B:0x4 A:0x3 missing [2]");
    }

    #[test]
    fn rules_in_order() {
        let stores_near = r#"{"rules":[{"name":"store","from":{"kinds":["store"],"max_distance_km":50}},{"name":"any"}]}"#;
        check(stores_near, to(51.5, 0.0), &[1], "W 9 @51.5,0\nS 1 @51.6,0 store", "S:0x1");
        check(stores_near, to(51.5, 0.0), &[1], "W 9 @51.5,0\nS 1 @55.6,0 store", "W:0x1");
        check(stores_near, to(51.5, 0.0), &[2], "W 9 @51.5,0\nS 1 @51.6,0 store", "W:0x2");
        let listed = r#"{"rules":[{"name":"l","prefer":"listed","from":{"locations":["B","A"]}}]}"#;
        check(listed, to(51.5, 0.0), &[1], "A 9\nB 9 cost 5000000\nC 9", "B:0x1");
        let channel = r#"{"rules":[{"name":"b2b","when":{"channels":["b2b"]},"from":{"locations":["B"]},"otherwise":"stop"}]}"#;
        check(channel, Facts { channel: "b2b".into(), ..Facts::default() }, &[1], "A 9\nB 0", "missing [1]");
        check(channel, Facts { channel: "web".into(), ..Facts::default() }, &[1], "A 9\nB 0", "A:0x1");
    }

    #[test]
    fn capacity_and_customers() {
        check("{}", Facts::default(), &[1], "A 9 cap 0\nB 9 cost 100 cap 1", "B:0x1");
        check("{}", Facts::default(), &[1], "A 9 cap 0", "missing [1]");
        let only = r#"{"only_for":[{"location":"A","customers":["acme"]}]}"#;
        check(only, Facts { customer: "acme".into(), ..Facts::default() }, &[1], "A 9\nB 9 cost 100", "A:0x1");
        check(only, Facts { customer: "other".into(), ..Facts::default() }, &[1], "A 9\nB 9 cost 100", "B:0x1");
    }
}
