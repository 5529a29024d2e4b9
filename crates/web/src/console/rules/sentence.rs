//! A rule as a sentence that a merchant can read: which orders, from where, in which order, in how many parcels, and then what.

use crate::console::locations::edit::money;
use crate::console::locations::kind_name;
use crate::console::viewer::Viewer;
use domain::routing::{Cost, Otherwise, Prefer, Rule, Timing};

/// Most codes that a sentence names; the rest are counted.
const NAMED: usize = 4;

fn codes(v: &Viewer, list: &[String]) -> String {
    let named = list.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if list.len() <= NAMED { named } else { v.say("{} and {} more", &[&named, &(list.len() - NAMED)]) }
}

/// “Orders on web to GB, of at most 5 units”.
fn when(v: &Viewer, rule: &Rule) -> String {
    let when = &rule.when;
    let mut parts = Vec::new();
    let mut add = |list: &[String], english: &'static str| {
        if !list.is_empty() {
            parts.push(v.say(english, &[&codes(v, list)]));
        }
    };
    add(&when.channels, "on {}");
    add(&when.countries, "to {}");
    add(&when.postal_prefixes, "with a postal code that begins with {}");
    add(&when.customers, "of {}");
    add(&when.skus, "with {}");
    match (when.min_units, when.max_units) {
        (Some(min), Some(max)) => parts.push(v.say("of {} to {} units", &[&v.num(min), &v.num(max)])),
        (Some(min), None) => parts.push(v.say("of at least {} units", &[&v.num(min)])),
        (None, Some(max)) => parts.push(v.say("of at most {} units", &[&v.num(max)])),
        (None, None) => {}
    }
    if parts.is_empty() { v.t("Every order").to_owned() } else { v.say("Orders {}", &[&parts.join(", ")]) }
}

/// “from stores in GB within 40 km”.
fn from(v: &Viewer, rule: &Rule) -> String {
    let from = &rule.from;
    let mut parts = Vec::new();
    if !from.locations.is_empty() {
        parts.push(codes(v, &from.locations));
    } else {
        parts.push(v.t("any location").to_owned());
    }
    if !from.kinds.is_empty() {
        let kinds: Vec<&str> = from.kinds.iter().map(|k| kind_name(v, *k)).collect();
        parts.push(v.say("of the kind {}", &[&kinds.join(", ")]));
    }
    if !from.countries.is_empty() {
        parts.push(v.say("in {}", &[&codes(v, &from.countries)]));
    }
    if let Some(km) = from.max_distance_km {
        parts.push(v.say("within {} km", &[&v.decimal(km, usize::from(km.fract() != 0.0))]));
    }
    v.say("from {}", &[&parts.join(" ")])
}

/// The whole rule without its name.
pub fn sentence(v: &Viewer, rule: &Rule) -> String {
    let then = v.t(match rule.otherwise {
        Otherwise::Next => "If that cannot fill it whole, the next rule is tried.",
        Otherwise::Stop => "If that cannot fill it whole, no other rule is tried.",
    });
    format!("{} {then}{}", choice(v, rule), timing(v, rule))
}

/// What is done with an order that no rule filled.
pub fn last_sentence(v: &Viewer) -> String {
    format!("{} {}", choice(v, &Rule::default()), v.t("What still cannot be filled is refused, or waits where the item may be backordered."))
}

fn timing(v: &Viewer, rule: &Rule) -> String {
    if rule.timing == Timing::Run { format!(" {}", v.t("Its units are held until the next routing run.")) } else { String::new() }
}

/// “Orders on web from stores within 40 km, the nearest first, in one parcel.”
fn choice(v: &Viewer, rule: &Rule) -> String {
    let order = v.t(match rule.prefer {
        Prefer::Cost => "the cheapest first",
        Prefer::Nearest => "the nearest first",
        Prefer::Listed => "in the order listed",
    });
    let parcels = match rule.max_fulfillments {
        1 => v.t("in one parcel").to_owned(),
        n => v.say("in at most {} parcels", &[&n]),
    };
    format!("{} {}, {order}, {parcels}.", when(v, rule), from(v, rule))
}

/// The costs that a rule weighs, if they are not the usual ones.
pub fn costs(v: &Viewer, cost: &Cost) -> Option<String> {
    if *cost == Cost::default() {
        return None;
    }
    let parts: [&dyn std::fmt::Display; 4] =
        [&money(v, cost.per_fulfillment), &money(v, cost.per_km), &money(v, cost.split_penalty), &money(v, cost.stock_out_risk)];
    Some(v.say("Weighs {} a parcel, {} a kilometer, {} a further parcel, up to {} for emptying a shelf.", &parts))
}
