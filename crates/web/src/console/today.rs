//! Today's page: the figures, and the panels below them. The page and the part that the script fetches are made by the same code.

use super::live::View;
use super::shell::{self, since};
use super::show::{bar, clock, count, icon, iso, minute, num};
use super::{chart, empty, feed, panels};
use crate::auth::Caller;
use engine::Url;
use maud::{Markup, html};

pub fn page(view: &View, caller: &Caller, host: &str, database: &Url) -> Markup {
    let body = html! {
        div.page-head {
            div.grow {
                h1 { "Today" }
                p.sub { span.live #status { (standing()) time { (clock(view.now)) } } }
            }
            (pause("btn"))
        }
        div.banner.banner-danger #alarm role="alert" hidden {
            (icon("danger"))
            div { b { "Not connected. " } "What stands below was true at " span data-since {} ". Trying again." }
        }
        (fragment(view, host))
    };
    shell::page("Today", "/", caller, view.now, shell::foot(database), body)
}

/// What the script has to say about the page; the style shows the one that holds.
fn standing() -> Markup {
    html! {
        span data-when="still" { "As of " } span data-when="live" { "Live, updated " }
        span data-when="paused" { "Paused, as of " } span data-when="lost" { "Reconnecting, as of " }
    }
}

/// The button works with the script, and is there with it.
pub fn pause(class: &str) -> Markup {
    html! { button class=(class) type="button" data-pause data-js aria-pressed="false" {
        span data-when="live" { (icon("pause")) "Pause" }
        span data-when="paused" { (icon("play")) "Resume" }
    } }
}

/// All that changes.
pub fn fragment(view: &View, host: &str) -> Markup {
    html! {
        div #live data-seq=(view.newest.seq) data-updated=(clock(view.now)) data-kinds=(feed::KINDS) data-counting[view.is_counting()] {
            @if !view.newest.any_item {
                (empty::first_steps(view, host))
            } @else {
                (figures(view))
                div.cols data-key="cols" {
                    div.stack { (chart::panel(view)) (panels::orders(view)) (panels::locations(view)) }
                    div.stack { (panels::at_risk(view)) (feed::panel(view)) }
                }
            }
        }
    }
}

/// A panel: title, what is said beside it, what stands at the right of it, and the rest.
pub struct Part {
    pub id: &'static str,
    pub title: &'static str,
    pub head: Markup,
    pub right: Markup,
    pub body: Markup,
}

impl Part {
    pub fn show(self) -> Markup {
        let Part { id, title, head, right, body } = self;
        html! {
            section.panel #(id) data-part data-key=(id) aria-labelledby={ "h-" (id) } {
                div.panel-head { h2 id={ "h-" (id) } { (title) } (head) (right) }
                (body)
            }
        }
    }
}

fn figures(view: &View) -> Markup {
    let totals = &view.totals;
    let day = view.day;
    let stock = &totals.balances;
    let aside = stock.on_hand - totals.promisable - stock.reserved - stock.committed;
    let orders_note = match view.counted_until {
        Some(until) => format!("Counted until {}", minute(until)),
        None => format!("{} refused since {}", num(view.refused), since(view.started_at, view.now)),
    };
    let held_note = match totals.queued {
        0 => count(totals.holds, "hold", "holds"),
        queued => format!("{}, {} queued", count(totals.holds, "hold", "holds"), count(queued, "order", "orders")),
    };
    let open: i64 = totals.fulfillments.iter().map(|f| f.1).sum();
    html! {
        section.panel data-part data-key="figures" aria-label="Figures" {
            dl.kpis {
                (figure("Orders today", day.orders, &orders_note, false))
                (figure("Units available", totals.promisable, &format!("of {} on hand", num(stock.on_hand)), false))
                (figure("Units held", stock.reserved, &held_note, false))
                (figure("Units committed", stock.committed, &count(open, "open fulfillment", "open fulfillments"), false))
                (figure("Units waiting", totals.waiting, &(if totals.waiting == 0 { "Nobody waits for stock".to_owned() } else { format!("for {}", count(totals.waiting_items, "item", "items")) }), totals.waiting > 0))
                (figure("Units shipped today", day.shipped, &format!("{} ordered today", num(day.ordered)), false))
            }
            div.sum {
                span { "On hand " b { (num(stock.on_hand)) } @if view.totals_old { ", as of " time datetime=(iso(view.totals_at)) { (clock(view.totals_at)) } } }
                (bar(
                    &format!("{} on hand: {} available, {} promised, {} set aside", num(stock.on_hand), num(totals.promisable), num(stock.reserved + stock.committed), num(aside)),
                    (stock.on_hand + stock.incoming).max(1),
                    &[("b-a", totals.promisable), ("b-b", stock.reserved + stock.committed), ("b-n", aside), ("b-hatch", stock.incoming)],
                    None,
                ))
                div.legend {
                    (entry("b-a", "Available", totals.promisable))
                    (entry("b-b", "Promised", stock.reserved + stock.committed))
                    (entry("b-n", "Set aside", aside))
                    @if stock.incoming > 0 { (entry("b-hatch", "On the way", stock.incoming)) }
                }
            }
        }
    }
}

fn figure(name: &str, value: i64, note: &str, is_warning: bool) -> Markup {
    let text = num(value);
    html! {
        div.kpi {
            dt { (name) }
            dd { span.val.val-long[text.len() > 9] { (text) } span.note.is-warn[is_warning] title=(note) { (note) } }
        }
    }
}

fn entry(class: &str, name: &str, value: i64) -> Markup {
    html! {
        span { svg.key aria-hidden="true" { rect class=(class) width="14" height="8" rx="1" fill=[(class == "b-hatch").then_some("url(#hatch)")] {} } (name) " " b { (num(value)) } }
    }
}
