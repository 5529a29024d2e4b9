//! What a draft would have made of the last orders, beside the rules in force: measures, orders by location, orders that move.

use super::{ORDERS, Standing};
use crate::console::parts::{Part, icon, state};
use crate::console::viewer::Viewer;
use engine::routing::whatif::{Outcome, WhatIf};
use engine::views::Amount;
use maud::{Markup, html};
use std::sync::Arc;
use std::time::Duration;

/// Bars of the chart; locations with fewer orders are in its table.
const BARS: usize = 12;

/// A replay that was asked for.
pub struct Replay {
    pub asked: i64,
    pub found: WhatIf,
    pub took: Duration,
}

/// The way to ask for a replay, and its measures.
pub fn panel(v: &Viewer, changes: usize, replay: Option<&Replay>) -> Markup {
    let chosen = replay.map_or(ORDERS[1], |r| r.asked);
    let body = html! {
        div.panel-body.stack-s {
            p.small.quiet { (v.t("Replays the last orders under the draft and under the live rules, each with the stock and capacity of that time. Nothing is written.")) }
            div.row {
                label.vh for="f-orders" { (v.t("How many orders")) }
                select.select.select-s #f-orders name="orders" form="draft" { @for n in ORDERS { option value=(n) selected[n == chosen] { (v.say("Last {} orders", &[&v.num(n)])) } } }
                button.btn.btn-s type="submit" form="draft" formaction="/rules/try" data-key="t" title=(v.t("Replay")) { (icon("play")) (v.t("Replay")) }
            }
        }
        @if let Some(replay) = replay { (measures(v, replay)) }
        @else { div.panel-foot { span { @if changes > 0 { (v.t("The draft was changed since.")) } @else { (v.t("The draft is the same as the live rules so far.")) } } } }
    };
    let head = html! { @if let Some(r) = replay { span.sub { (v.say("{} replayed in {} s", &[&v.count(r.found.current.orders as i64, "order", "orders"), &v.decimal(r.took.as_secs_f64(), 1)])) } } };
    Part::new("whatif", v.t("What if"), body).head(head).show()
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// A sum of costs in micro-units, to the cent.
fn cents(v: &Viewer, micro: i64) -> String {
    let cents = (micro.unsigned_abs() + 5_000) / 10_000;
    let amount = v.money(&Amount { amount: format!("{}.{:02}", cents / 100, cents % 100), currency: v.house.currency.clone() });
    if micro < 0 && cents > 0 { format!("−{amount}") } else { amount }
}

/// A difference that is better, worse or none: a shape and a sign.
fn difference(v: &Viewer, by: f64, places: usize, unit: &str, more_is_better: bool) -> Markup {
    let text = v.decimal(by.abs(), places);
    let is_none = !text.chars().any(|c| ('1'..='9').contains(&c));
    let signed = format!("{}{text}{unit}", if by > 0.0 { "+" } else { "−" });
    html! {
        @if is_none { span.quiet { (v.decimal(0.0, places)) (unit) } }
        @else if (by > 0.0) == more_is_better { (state("ok", "st-ok", &signed)) }
        @else { (state("warn", "st-warn", &signed)) }
    }
}

fn measures(v: &Viewer, replay: &Replay) -> Markup {
    let WhatIf { current, proposed, .. } = &replay.found;
    let whole = |o: &Outcome| share(o.whole, o.orders);
    let each = |o: &Outcome| if o.orders == 0 { 0.0 } else { o.cost as f64 / o.orders as f64 };
    let row = |name: &'static str, now: String, then: String, by: Markup| html! { tr data-key=(name) { th scope="row" { (v.t(name)) } td.num.muted { (now) } td.num.strong { (then) } td.num { (by) } } };
    let percent = |n: f64| v.say("{}%", &[&v.decimal(n, 1)]);
    let km = |o: &Outcome| format!("{} km", v.decimal(o.mean_distance_km, 0));
    let saved = current.cost - proposed.cost;
    html! {
        table.table {
            thead { tr { th scope="col" { (v.t("Measure")) } th.num scope="col" { (v.t("Live")) } th.num scope="col" { (v.t("Draft")) } th.num scope="col" { (v.t("Difference")) } } }
            tbody {
                (row("Filled whole", percent(whole(current)), percent(whole(proposed)), difference(v, whole(proposed) - whole(current), 1, v.t(" pt"), true)))
                (row("Units filled", percent(current.fill_rate * 100.0), percent(proposed.fill_rate * 100.0), difference(v, (proposed.fill_rate - current.fill_rate) * 100.0, 1, v.t(" pt"), true)))
                (row("Further parcels", v.num(current.splits as i64), v.num(proposed.splits as i64), difference(v, proposed.splits as f64 - current.splits as f64, 0, "", false)))
                (row("Mean distance", km(current), km(proposed), difference(v, proposed.mean_distance_km - current.mean_distance_km, 0, " km", false)))
                (row("Cost an order", cents(v, each(current) as i64), cents(v, each(proposed) as i64), difference(v, (each(proposed) - each(current)) / 1e6, 2, "", false)))
            }
        }
        div.panel-foot { span {
            @match saved {
                0 => { (v.t("The same cost in all")) }
                1.. => { b { (v.say("{} less", &[&cents(v, saved)])) } " " (v.t("for these orders")) }
                _ => { b { (v.say("{} more", &[&cents(v, -saved)])) } " " (v.t("for these orders")) }
            }
        } }
    }
}

/// A location by its name, or its code where it has gone.
fn name<'s>(standing: &'s Standing, code: &'s str) -> &'s str {
    standing.locations.iter().find(|(known, _)| known == code).map_or(code, |(_, name)| name)
}

/// Fulfillments by location: two bars each, with the difference.
pub fn locations(v: &Viewer, standing: &Standing, replay: &Replay) -> Markup {
    let mut rows: Vec<_> = replay.found.locations.iter().collect();
    rows.sort_by_key(|l| std::cmp::Reverse(l.current.max(l.proposed)));
    let most = rows.first().map_or(1, |l| l.current.max(l.proposed)).max(1) as f64;
    let length = |n: usize| format!("{:.1}", 272.0 * n as f64 / most);
    let by = |now: usize, then: usize| v.signed(then as i64 - now as i64);
    let shown = &rows[..rows.len().min(BARS)];
    let height = shown.len() * 34;
    let title = v.t("Fulfillments by location, live against draft");
    let body = html! {
        div.panel-body {
            @if rows.is_empty() { p.muted { (v.t("No order could be sent from anywhere.")) } } @else {
                svg.chart viewBox={ "0 0 448 " (height) } role="img" aria-label=(title) {
                    line.axis x1="112.5" x2="112.5" y1="0" y2=(height) {}
                    @for (n, l) in shown.iter().enumerate() {
                        @let y = n * 34;
                        text x="0" y=(y + 20) { (name(standing, &l.location).chars().take(18).collect::<String>()) }
                        rect.bar-past x="113" y=(y + 7) width=(length(l.current)) height="7" {}
                        rect.bar-1 x="113" y=(y + 16) width=(length(l.proposed)) height="9" {}
                        text.end.t-strong x="448" y=(y + 20) { (by(l.current, l.proposed)) }
                    }
                }
                details.as-table {
                    summary { (v.t("View as table")) }
                    div tabindex="0" role="region" aria-label=(title) { table.table {
                        thead { tr { th scope="col" { (v.t("Location")) } th.num scope="col" { (v.t("Live")) } th.num scope="col" { (v.t("Draft")) } th.num scope="col" { (v.t("Difference")) } } }
                        tbody { @for l in &rows { tr { th scope="row" { (name(standing, &l.location)) } td.num { (v.num(l.current as i64)) } td.num { (v.num(l.proposed as i64)) } td.num { (by(l.current, l.proposed)) } } } }
                    } }
                }
            }
        }
    };
    let key = |class: &str| html! { svg.key aria-hidden="true" { rect class=(class) width="14" height="8" rx="1" {} } };
    let right = html! { div.legend.right { span { (key("b-past")) (v.t("Live")) } span { (key("b-1")) (v.t("Draft")) } span { b { "±" } " " (v.t("Difference")) } } };
    Part::new("by-location", v.t("Fulfillments by location"), body).right(right).show()
}

/// The orders that other locations would send.
pub fn moves(v: &Viewer, standing: &Standing, replay: &Replay) -> Markup {
    let found = &replay.found;
    let places = |codes: &[Arc<str>]| {
        if codes.is_empty() { v.t("Nowhere").to_owned() } else { codes.iter().map(|c| name(standing, c)).collect::<Vec<_>>().join(" + ") }
    };
    let body = html! {
        @if found.moves.is_empty() { p.none { (v.t("Every order would be sent from where it is sent now.")) } } @else {
            div.table-wrap { table.table.table-tight {
                thead { tr { th scope="col" { (v.t("Order")) } th scope="col" { (v.t("Live")) } th scope="col" { (v.t("Draft")) } th.num scope="col" { (v.t("Cost")) } } }
                tbody { @for m in &found.moves { tr data-row={ "o" (m.id.0) } data-key={ "o" (m.id.0) } {
                    th scope="row" { a href={ "/orders/" (m.id.0) } data-open { (m.number) } }
                    td { (places(&m.current)) } td { (places(&m.proposed)) }
                    td.num { @if m.cost_difference == 0 { span.quiet { (cents(v, 0)) } } @else { span class=(if m.cost_difference < 0 { "is-ok" } else { "is-warn" }) { @if m.cost_difference > 0 { "+" } (cents(v, m.cost_difference)) } } }
                } } }
            } }
        }
    };
    let head = html! { @if found.moved > 0 { span.sub { (v.num(found.moved as i64)) @if found.moved > found.moves.len() { ", " (v.say("the first {} by difference of cost", &[&found.moves.len()])) } } } };
    Part::new("moves", v.t("Orders that move"), body).head(head).show()
}
