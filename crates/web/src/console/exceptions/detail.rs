//! One exception: what happened, the figures that decide, what can be done, what was said, its history.

use super::Names;
use super::ask::{Asked, Shown, kind_name, severity};
use super::list::{due, owner_name};
use super::remedies;
use crate::console::fields::step;
use crate::console::parts::{icon, state};
use crate::console::show::iso;
use crate::console::viewer::Viewer;
use domain::Permission::{ChannelsView, ExceptionsSolve, OrdersView, StockView};
use engine::channels::listings::ListingView;
use engine::exceptions::context::{Context, LineThere, OrderThere};
use engine::exceptions::read::{ExceptionDetail, StepView};
use jiff::Timestamp;
use maud::{Markup, html};

/// Longest payload that is shown, in characters.
const MOST: usize = 20_000;

/// The one that is looked at.
pub struct Chosen {
    pub found: ExceptionDetail,
    pub context: Context,
    /// (code, name) of the locations that the viewer may send from.
    pub locations: Vec<(String, String)>,
    /// The name of its channel.
    pub channel: Option<String>,
}

pub fn article(v: &Viewer, asked: &Asked, shown: &Shown, chosen: &Chosen, names: &Names) -> Markup {
    let e = &chosen.found.exception;
    let (shape, class, _, word) = severity(&e.severity);
    let may = v.may(ExceptionsSolve);
    html! {
        article.panel #chosen data-key={ "c" (e.id.0) } aria-labelledby="x-h" {
            div.panel-head.detail-head {
                div.grow {
                    p.crumb {
                        a.narrow-only href=(asked.address(&[])) { (icon("left")) (v.t("All exceptions")) }
                        (state(shape, class, v.t(word))) span { (kind_name(v, &e.kind)) } span { (v.say("no. {}, opened {}", &[&e.id.0, &v.moment(e.created_at.0)])) }
                    }
                    h2.title #x-h { (v.whole(&e.title)) }
                }
                @if may { (remedies::whose(v, chosen, asked, shown, names)) }
            }
            div.panel-body.stack {
                @if !e.open { div.banner.banner-ok { (icon("ok")) div { b { (v.t("Solved.")) } " " (v.t("Its history tells how.")) } @if may { (remedies::reopen(v, chosen)) } } }
                @else if let Some(until) = e.snoozed_until.filter(|until| until.0 > v.now) {
                    div.banner.banner-info { (icon("clock")) div { b { (v.t("Put aside")) } " " (v.say("until {}; it comes back by itself.", &[&v.moment(until.0)])) } }
                }
                p.lede { (v.whole(&e.detail)) }
                (figures(v, chosen, names))
                @if may && e.open { (remedies::options(v, asked, shown, chosen)) }
                (about(v, chosen))
                @if !chosen.found.payload.is_empty() { (payload(v, &chosen.found.payload)) }
                (history(v, &chosen.found.history, e.open))
            }
        }
    }
}

/// The few figures that decide.
fn figures(v: &Viewer, chosen: &Chosen, names: &Names) -> Markup {
    let e = &chosen.found.exception;
    let figure = |name: &'static str, value: Markup, note: String, is_danger: bool| {
        html! { div { dt { (v.t(name)) } dd.is-danger[is_danger] { (value) } @if !note.is_empty() { dd.note { (note) } } } }
    };
    let own = match &chosen.context {
        Context::Order(order) => {
            let items = order.items();
            let ordered: i64 = items.iter().map(|(_, ordered, _)| ordered).sum();
            let short: i64 = items.iter().map(|(_, ordered, available)| (ordered - available.max(&0)).max(0)).sum();
            let unknown = order.lines.iter().filter(|l| l.item.is_none()).count();
            html! {
                (figure("Units ordered", html! { (v.num(ordered)) }, v.count(items.len() as i64, "item", "items"), false))
                @if unknown > 0 { (figure("Not mapped", html! { (v.num(unknown as i64)) }, v.count(unknown as i64, "line", "lines"), true)) }
                @else { (figure("Short now", html! { (v.num(short)) }, v.t(if short == 0 { "all of it is there" } else { "units are missing" }).to_owned(), short > 0)) }
            }
        }
        Context::Listing(l) => html! {
            (figure("Shown there", html! { (l.shown.map_or("–".to_owned(), |n| v.num(n))) }, v.t("as far as is known").to_owned(), false))
            (figure("May still sell", html! { (v.num(l.exposure)) }, v.t("that is not counted yet").to_owned(), false))
        },
        _ => html! {},
    };
    let met = if e.times > 1 { v.say("last {} ago", &[&v.age(v.now - e.updated_at.0)]) } else { String::new() };
    html! {
        dl.versus {
            (own)
            (figure("Met", html! { (v.count(e.times, "time", "times")) }, met, false))
            @if e.open { (figure("Due", due(v, e), v.moment(e.due_at.0), false)) }
            (figure("Owner", html! { @match &e.owner { Some(owner) => (owner_name(names, owner)), None => (v.t("Nobody")) } }, String::new(), false))
        }
    }
}

/// What it is about, with the way there.
fn about(v: &Viewer, chosen: &Chosen) -> Markup {
    let e = &chosen.found.exception;
    let channel = html! {
        @if let (Some(code), Some(name)) = (&e.channel, &chosen.channel) {
            @if v.may(ChannelsView) { a href={ "/channels/" (step(code)) } { (name) } } @else { (name) }
        }
    };
    let order_link = |id: i64| html! { @if v.may(OrdersView) { a href={ "/orders/" (id) } { (v.t("The order here")) } } };
    let part = |title: &'static str, body: Markup| html! { section.stack-s aria-labelledby="x-about" { h3 #x-about { (v.t(title)) } (body) } };
    match &chosen.context {
        Context::Order(order) => part(
            "The order there",
            html! {
                p.muted {
                    (v.say("{} on ", &[&order.number])) (channel) (v.say(", placed {}, “{}” there. ", &[&v.moment(order.placed_at), &order.state]))
                    @if let Some(id) = order.order { (order_link(id)) }
                }
                (lines(v, order))
            },
        ),
        Context::Listing(l) => part("The listing", html! { (listing(v, l)) }),
        Context::Handover { fulfillment, order, location } => {
            part("Handed over", html! { p { (v.say("Fulfillment {} at {}, ", &[fulfillment, location])) (channel) ". " (order_link(*order)) } })
        }
        Context::Letter { kind, order, external, tries } => part(
            "What was to be told",
            html! {
                p {
                    (v.t(match kind.as_str() { "ship" => "That units of an order left", "refund" => "That units of an order are to be paid back", _ => "That an order is canceled" }))
                    @if let Some(external) = external { ", " (external) }
                    ". " (v.say("Tried {} times. ", &[&v.num(*tries)]))
                    @if let Some(id) = order { (order_link(*id)) }
                }
            },
        ),
        Context::Item { sku } => {
            part("The item", html! { p { @if v.may(StockView) { a href={ "/items/" (step(sku)) } { (sku) } } @else { (sku) } ", " (channel) } })
        }
        Context::Channel => html! { @if e.channel.is_some() { (part("The channel", html! { p { (channel) } })) } },
    }
}

fn lines(v: &Viewer, order: &OrderThere) -> Markup {
    let price = |line: &LineThere| match (&line.unit_price, &order.currency) {
        (Some(amount), Some(currency)) => v.money(&engine::views::Amount { amount: amount.clone(), currency: currency.clone() }),
        _ => "–".to_owned(),
    };
    html! {
        div.table-wrap { table.table.table-flush.table-stack {
            caption.vh { (v.t("Lines of the order")) }
            thead { tr {
                th scope="col" { (v.t("Listing there")) } th scope="col" { (v.t("Item here")) } th.num scope="col" { (v.t("Ordered")) } th.num scope="col" { (v.t("Units")) }
                th.num scope="col" { (v.t("Available")) } th.num scope="col" { (v.t("Price")) }
            } }
            tbody { @for line in &order.lines { tr {
                @let units = line.quantity * line.per;
                th.clip scope="row" title=(line.title) { (line.title) " " span.aside { (line.sku.as_deref().unwrap_or(&line.listing)) } }
                td data-label=(v.t("Item here")) {
                    @match &line.item {
                        Some(sku) if v.may(StockView) => a href={ "/items/" (step(sku)) } { (sku) },
                        Some(sku) => (sku),
                        None => (state("warn", "st-warn", v.t("No item yet"))),
                    }
                }
                td.num data-label=(v.t("Ordered")) { (v.num(line.quantity)) }
                td.num data-label=(v.t("Units")) { (v.num(units)) }
                td.num data-label=(v.t("Available")) { @match line.available { Some(n) => span.is-danger[n < units] { (v.num(n)) }, None => "–" } }
                td.num data-label=(v.t("Price")) { (price(line)) }
            } } }
        } }
        @if order.more > 0 { p.small.quiet { (v.say("and {} more", &[&v.count(order.more as i64, "line", "lines")])) } }
    }
}

fn listing(v: &Viewer, l: &ListingView) -> Markup {
    let to = format!("/channels/{}/listings/{}", step(&l.channel), l.id.0);
    html! {
        p {
            @if v.may(ChannelsView) { a href=(to) { (l.title) } } @else { (l.title) } " " span.quiet { (l.external) }
            @if let Some(item) = &l.item { ", " (v.say("{} of ", &[&v.count(l.units_per_listing, "unit", "units")])) @if v.may(StockView) { a href={ "/items/" (step(item)) } { (item) } } @else { (item) } }
        }
        @if let Some(fault) = &l.fault { p.is-danger { (fault) } }
    }
}

/// What the marketplace said, as it came; JSON is laid out.
fn payload(v: &Viewer, text: &str) -> Markup {
    let json = serde_json::from_str::<serde_json::Value>(text).ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    let shown: String = json.as_deref().unwrap_or(text).chars().take(MOST).collect();
    html! { details.raw { summary { (v.t("What the channel said, as it came")) } pre tabindex="0" { (shown) } } }
}

/// A step as it was written down, an instant in it as the reader has it.
fn what(v: &Viewer, step: &str) -> String {
    let until = step.strip_prefix("put aside until ").and_then(|at| at.parse::<Timestamp>().ok());
    until.map_or_else(|| v.whole(step).into_owned(), |at| v.say("put aside until {}", &[&v.moment(at.as_microsecond())]))
}

fn history(v: &Viewer, steps: &[StepView], is_open: bool) -> Markup {
    html! {
        section.stack-s aria-labelledby="x-history" {
            h3 #x-history { (v.t("History")) }
            ol.timeline {
                @for step in steps { li {
                    svg.i.done aria-hidden="true" { use href="#i-ok" {} }
                    span { (what(v, &step.what)) small { (step.actor.strip_prefix("person:").unwrap_or(&step.actor)) } }
                    time datetime=(iso(step.at.0)) title=(v.moment(step.at.0)) { (v.when(step.at.0)) }
                } }
                @if is_open { li { svg.i.cur aria-hidden="true" { use href="#i-cur" {} } span { b { (v.t("Waiting for a person")) } } } }
            }
        }
    }
}
