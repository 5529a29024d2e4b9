//! Why an order was routed as it was: the rule that decided, and each location with what it had, what it would have cost, and why it
//! won or lost.

use super::Places;
use crate::console::parts::{Part, help, state};
use crate::console::show::percent;
use crate::console::viewer::{Viewer, capital};
use domain::Permission::RoutingView;
use domain::routing::{Considered, Price};
use engine::orders::place::StoredDecision;
use engine::views::Amount;
use maud::{Markup, html};

/// Candidates that are told of; an order may have had thousands.
const SHOWN: usize = 40;

/// The parts of a cost: ink, name, and figure.
const PARTS: [(&str, &str, fn(&Price) -> i64); 3] =
    [("b-1", "Shipping", |p| p.shipping), ("b-2", "Handling", |p| p.handling), ("b-3", "Stock-out risk", |p| p.risk)];

/// An amount in micro-units of a currency, such as what a plan costs.
pub fn cost(v: &Viewer, micros: i64, currency: Option<&str>) -> String {
    let cents = (micros as f64 / 1e4).round() as i64;
    let amount = format!("{}.{:02}", cents / 100, cents.unsigned_abs() % 100);
    currency.map_or_else(|| v.decimal(cents as f64 / 100.0, 2), |code| v.money(&Amount { amount, currency: code.to_owned() }))
}

/// The panel. `again` stands at its foot.
pub fn panel(v: &Viewer, places: &Places, decision: &StoredDecision, currency: Option<&str>, again: Markup) -> Markup {
    let explained = &decision.explanation;
    let chosen: Vec<&str> = explained.candidates.iter().filter(|c| c.chosen).map(|c| places.name(&c.location)).collect();
    let title = if chosen.is_empty() { v.t("Why so").to_owned() } else { v.say("Why {}", &[&chosen.join(" + ")]) };
    let head = html! { span.sub {
        @if !explained.rule.is_empty() { (v.say("by the rule “{}”", &[&v.whole(&explained.rule)])) }
        @if !explained.candidates.is_empty() { ", " (v.count(explained.candidates.len() as i64, "candidate", "candidates")) }
    } @if !explained.candidates.is_empty() { (help(v, "The cost of sending it, by the routing rules: shipping by distance, the location's own cost of handling, and a price on taking the last units that others will want. The cheapest plan that a rule allows wins.")) } };
    let body = html! {
        @if !explained.candidates.is_empty() { (candidates(v, places, decision, currency, |_, _| html! {})) }
        @for note in &decision.notes { p.none { (note) } }
        @if explained.candidates.is_empty() && decision.notes.is_empty() { p.none { (v.t("Nothing had to be decided.")) } }
        div.panel-foot {
            @if v.may(RoutingView) { a href="/rules" { @if decision.rule_set.is_empty() { (v.t("Routing rules")) } @else { (v.say("Rules “{}”", &[&decision.rule_set])) } } }
            span.grow {} (again)
        }
    };
    Part::new("why", title, body).head(head).right(html! { @if !explained.candidates.is_empty() { (legend(v)) } }).show()
}

/// Which ink stands for which part of a cost.
pub fn legend(v: &Viewer) -> Markup {
    html! { div.legend.right { @for (ink, name, _) in PARTS { span { svg.key aria-hidden="true" { rect class=(ink) width="14" height="8" rx="1" {} } (v.t(name)) } } } }
}

/// The candidates as a table. `choice` stands before each name, given its place and whether it could send all.
pub fn candidates(
    v: &Viewer,
    places: &Places,
    decision: &StoredDecision,
    currency: Option<&str>,
    choice: impl Fn(&Considered, bool) -> Markup,
) -> Markup {
    let explained = &decision.explanation;
    let dearest = explained.candidates.iter().filter_map(|c| c.cost).map(|p| p.total()).max().unwrap_or(0);
    let left_out = explained.candidates.len().saturating_sub(SHOWN);
    html! {
        div.table-wrap { table.table.table-tight {
            caption.vh { (v.t("Locations that were considered")) }
            thead { tr {
                th scope="col" { (v.t("Candidate")) } th.num scope="col" { (v.t("Lines")) } th.num scope="col" { (v.t("Capacity left")) } th.num scope="col" { "km" }
                th.w-cost scope="col" { (v.t("Cost")) } th.num scope="col" { (v.t("Total")) } th scope="col" { (v.t("Verdict")) }
            } }
            tbody { @for c in explained.candidates.iter().take(SHOWN) { @let whole = explained.lines > 0 && c.lines == Some(explained.lines); tr aria-selected=[c.chosen.then_some("true")] {
                th scope="row" { (choice(c, whole)) (places.name(&c.location)) }
                td.num.is-danger[!whole && c.lines.is_some()] { @match c.lines { Some(lines) => (v.say("{} of {}", &[&lines, &explained.lines])), None => span.quiet { "–" } } }
                td.num.is-danger[c.capacity_left.is_some_and(|left| left <= 0)] { @match c.capacity_left { Some(left) => (v.num(left.max(0))), None => span.quiet { (v.t("No limit")) } } }
                td.num { @match c.distance_km { Some(km) => (v.decimal(km, 0)), None => span.quiet { "–" } } }
                @match &c.cost {
                    Some(price) => { td { (bar(v, price, dearest, currency)) } td.num.strong { (cost(v, price.total(), currency)) } }
                    None => { td.quiet { (v.t("Not costed")) } td.num.zero { "–" } }
                }
                td.wrap { (verdict(v, c, whole)) }
            } } }
        } }
        @if left_out > 0 { p.none { (v.say("{} more were considered.", &[&v.num(left_out as i64)])) } }
    }
}

fn verdict(v: &Viewer, c: &Considered, whole: bool) -> Markup {
    html! {
        @if c.chosen { b { (state("ok", "st-ok", v.t("Chosen"))) } }
        @else if c.cost.is_some() && whole { (state("minus", "st-off", v.t("Lost"))) }
        @else { (state("x", "st-off", v.t("Ruled out"))) }
        small { (capital(&v.whole(&c.reason))) }
    }
}

/// What it would have cost, beside the dearest.
fn bar(v: &Viewer, price: &Price, dearest: i64, currency: Option<&str>) -> Markup {
    let told: Vec<String> = PARTS.iter().map(|(_, name, part)| format!("{} {}", v.t(name), cost(v, part(price), currency))).collect();
    let placed = PARTS.iter().scan(0, |end, (ink, _, part)| {
        let from = *end;
        *end += part(price);
        Some((*ink, from, part(price)))
    });
    html! {
        svg.bar.bar-tall role="img" aria-label=(told.join(", ")) {
            title { (told.join(", ")) }
            rect.b-track width="100%" height="100%" {}
            @for (ink, from, part) in placed.filter(|(_, _, part)| *part > 0) { rect class=(ink) x=(percent(from, dearest)) width=(percent(part, dearest)) height="100%" {} }
        }
    }
}
