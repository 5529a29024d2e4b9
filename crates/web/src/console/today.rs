//! Today's page: the figures, and the panels below them. Each reader gets what their role and limits show; readers who would see the same
//! share what was put into words a moment ago.

use super::live::{Counted, Live, View};
use super::panels::{self, Today};
use super::parts::icon;
use super::shell::{self, Page, Sheet};
use super::show::{bar, iso};
use super::viewer::Viewer;
use super::{chart, empty, feed};
use crate::App;
use crate::problem::Problem;
use axum::Extension;
use axum::extract::State;
use domain::Permission;
use engine::views::Balances;
use maud::{Markup, html};
use std::sync::Arc;

pub async fn page(State(app): State<App>, Extension(live): Extension<Arc<Live>>, viewer: Viewer) -> Result<Page, Problem> {
    let v = &viewer;
    let view = live.view(&app, v.signs.seq).await?;
    let body = if view.newest.any_item {
        live.words(alike(v, &view), || fragment(&app, v, &view, &live.counted(v, &view.config)))
    } else {
        html! { div #live { (empty::first_steps(v, &view)) } }
    };
    let head = shell::head(v.t("Today"), shell::status(v), html! { @if view.newest.any_item { (pause(v, "btn")) } });
    let topics = "orders stock channels exceptions locations tick".into();
    Ok(shell::page(v, Sheet { title: v.t("Today").into(), here: "/", topics, head, body }))
}

/// All that the words depend on, the state among it: readers who are alike in it read the same.
fn alike(v: &Viewer, view: &View) -> String {
    let grant = v.caller.as_ref().map(|c| c.grant.clone()).unwrap_or_default();
    let second = v.now / 1_000_000;
    let state = (view.newest.seq, view.totals_at, v.signs.exceptions, v.signs.critical);
    format!("{} {} {second} {grant:?} {:?} {state:?}", v.language.code(), v.zone_name(), v.asked("chart"))
}

/// The button works with the script, and is there with it.
pub fn pause(v: &Viewer, class: &str) -> Markup {
    html! {
        button class=(class) type="button" data-pause data-js aria-pressed="false" {
            span data-when="live" { (icon("pause")) (v.t("Pause")) }
            span data-when="paused" { (icon("play")) (v.t("Resume")) }
        }
    }
}

/// All that changes.
fn fragment(app: &App, v: &Viewer, view: &View, counted: &Counted) -> Markup {
    let today = v.utc_day();
    let (orders, stock) = (v.may(Permission::OrdersView), v.may(Permission::StockView));
    html! {
        div #live {
            (figures(v, view, counted, today))
            div.cols data-key="cols" {
                div.stack {
                    @if orders { (chart::panel(v, view, counted)) }
                    @if stock { (panels::locations(v, view, today)) }
                    @if v.may(Permission::ChannelsView) { (panels::channels(v, view, |id| app.workers.health(id))) }
                    @if orders { (panels::orders(v, view)) }
                }
                div.stack {
                    @if v.may(Permission::ExceptionsView) { (panels::exceptions(v, view)) }
                    @if stock { (panels::at_risk(v, view)) }
                    @if v.may(Permission::EventsView) { (feed::panel(v, view)) }
                }
            }
        }
    }
}

/// The stock at the reader's locations: all of it, and what of it can be promised.
fn own_stock(v: &Viewer, view: &View) -> (Balances, i64) {
    let (mut sum, mut promisable) = (Balances::default(), 0);
    for (location, balances) in view.totals.stock.iter().filter(|(location, _)| v.at(**location)) {
        sum.add(balances);
        if view.config.is_active(*location) {
            promisable += balances.available;
        }
    }
    (sum, promisable)
}

fn figures(v: &Viewer, view: &View, counted: &Counted, today: i64) -> Markup {
    let totals = &view.totals;
    let (stock, promisable) = own_stock(v, view);
    let everywhere = v.caller.as_ref().is_none_or(|c| c.grant.locations.is_none());
    let due = Today::of(&totals.due, today, |id| v.at(id));
    let day = counted.day;
    let lately: i64 = counted.minutes.iter().map(|(_, n)| n).sum();
    let orders_note = match view.counted_until {
        Some(until) => v.say("Counted until {}", &[&v.minute(until)]),
        None => v.say("{} in the last hour", &[&v.num(lately)]),
    };
    let held_note = match totals.queued {
        _ if v.is_limited() => v.say("{} held, {} committed", &[&v.num(stock.reserved), &v.num(stock.committed)]),
        0 => v.count(totals.holds, "hold", "holds"),
        queued => v.say("{}, {} queued", &[&v.count(totals.holds, "hold", "holds"), &v.count(queued, "order", "orders")]),
    };
    let late_note = if due.late > 0 { v.say("{} late", &[&v.num(due.late)]) } else { v.t("None is late").to_owned() };
    let waiting_note = match totals.waiting {
        0 => v.t("Nobody waits for stock").to_owned(),
        _ => v.say("for {}", &[&v.count(totals.waiting_items, "item", "items")]),
    };
    html! {
        section.panel data-part data-key="figures" aria-label=(v.t("Figures")) {
            dl.kpis {
                @if v.may(Permission::OrdersView) { (figure(v, "Orders today", day.orders, None, &orders_note, false, spark(&counted.minutes))) }
                @if v.may(Permission::StockView) {
                    (figure(v, "Units available", promisable, None, &v.say("of {} on hand", &[&v.num(stock.on_hand)]), false, html! {}))
                    (figure(v, "Units promised", stock.reserved + stock.committed, None, &held_note, false, html! {}))
                }
                @if v.may(Permission::OrdersView) { (figure(v, "To ship today", due.unshipped(), Some(due.all()), &late_note, due.late > 0, html! {})) }
                @if v.may(Permission::StockView) && everywhere { (figure(v, "Units waiting", totals.waiting, None, &waiting_note, totals.waiting > 0, html! {})) }
                @if v.may(Permission::OrdersView) && everywhere {
                    (figure(v, "Units shipped today", day.shipped, None, &v.say("{} ordered today", &[&v.num(day.ordered)]), false, html! {}))
                }
            }
            @if v.may(Permission::StockView) { (equation(v, view, &stock, promisable)) }
        }
    }
}

fn figure(v: &Viewer, name: &'static str, value: i64, of: Option<i64>, note: &str, is_warning: bool, spark: Markup) -> Markup {
    let text = v.num(value);
    html! {
        div.kpi {
            dt { (v.t(name)) }
            dd {
                span.fig { span.val.val-long[text.len() > 9] { (text) @if let Some(of) = of { " " small { (v.say("of {}", &[&v.num(of)])) } } } (spark) }
                span.note.is-warn[is_warning] title=(note) { (note) }
            }
        }
    }
}

/// The direction of the last hour: five minutes a point, without the running minute.
fn spark(minutes: &[(i64, i64)]) -> Markup {
    let full = &minutes[..minutes.len().saturating_sub(1)];
    let sums: Vec<i64> = full.rchunks(5).rev().map(|chunk| chunk.iter().map(|(_, n)| n).sum()).collect();
    let most = sums.iter().copied().max().unwrap_or(0);
    if most == 0 || sums.len() < 2 {
        return html! {};
    }
    let point = |(n, sum): (usize, &i64)| (72.0 * n as f64 / (sums.len() - 1) as f64, 22.0 - 20.0 * *sum as f64 / most as f64);
    let points: Vec<(f64, f64)> = sums.iter().enumerate().map(point).collect();
    let line = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect::<Vec<_>>().join(" ");
    let (x, y) = points[points.len() - 1];
    html! {
        svg.spark width="72" height="24" viewBox="0 0 72 24" aria-hidden="true" {
            path.fill d={ "M" (line) " V24 H0Z" } {} path d={ "M" (line) } {} circle cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="2.5" {}
        }
    }
}

/// On hand, and what of it is available, promised, or set aside.
fn equation(v: &Viewer, view: &View, stock: &Balances, promisable: i64) -> Markup {
    let promised = stock.reserved + stock.committed;
    let aside = stock.on_hand - promisable - promised;
    let words =
        v.say("{} on hand: {} available, {} promised, {} set aside", &[&v.num(stock.on_hand), &v.num(promisable), &v.num(promised), &v.num(aside)]);
    let entry = |class: &str, name: &'static str, value: i64| {
        let hatch = (class == "b-hatch").then_some("url(#hatch)");
        html! { span { svg.key aria-hidden="true" { rect class=(class) width="14" height="8" rx="1" fill=[hatch] {} } (v.t(name)) " " b { (v.num(value)) } } }
    };
    html! {
        div.sum {
            span { (v.t("On hand")) " " b { (v.num(stock.on_hand)) } @if view.totals_old { ", " time datetime=(iso(view.totals_at)) { (v.say("as of {}", &[&v.clock(view.totals_at)])) } } }
            (bar(&words, (stock.on_hand + stock.incoming).max(1), &[("b-a", promisable), ("b-b", promised), ("b-n", aside), ("b-hatch", stock.incoming)], None))
            div.legend {
                (entry("b-a", "Available", promisable)) (entry("b-b", "Promised", promised)) (entry("b-n", "Set aside", aside))
                @if stock.incoming > 0 { (entry("b-hatch", "On the way", stock.incoming)) }
            }
        }
    }
}
