//! One location: what it has to do in the next days, its stock, its orders and transfers, and the form that changes it.

use super::edit;
use super::{kind_name, standing};
use crate::App;
use crate::console::fields::step;
use crate::console::live::{Live, View};
use crate::console::panels::Today;
use crate::console::parts::{Part, bar, fact, icon};
use crate::console::shell::{self, Page, Sheet};
use crate::console::show::percent;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::Extension;
use axum::extract::{Path, State};
use domain::routing::Location;
use domain::{Noun, Permission, Refused};
use engine::catalog::read;
use engine::dashboard::Due;
use engine::views::{Balances, LocationView};
use maud::{Markup, html};
use std::sync::Arc;

/// Days of the chart, this one the first.
const DAYS: i64 = 14;

/// Refuses a location that is not there, or not for this viewer to see.
pub async fn may_see(app: &App, v: &Viewer, code: &str) -> Result<i64, Problem> {
    let unknown = Refused::unknown(Noun::Location, code, "code");
    let wanted = code.to_owned();
    let found = app.read(move |_, config| config.by_code(&wanted).map(|l| l.id).ok_or_else(|| unknown.into())).await?;
    if v.at(found) { Ok(found) } else { Err(Refused::unknown(Noun::Location, code, "code").into()) }
}

pub async fn page(State(app): State<App>, Extension(live): Extension<Arc<Live>>, Path(code): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    show(&app, &live, &viewer, &code).await
}

/// A day's work: taken, and the fulfillments of it.
struct Day {
    day: i64,
    /// Orders that took some of its capacity; None where there is no limit.
    taken: Option<i64>,
    due: Due,
}

pub async fn show(app: &App, live: &Live, v: &Viewer, code: &str) -> Result<Page, Problem> {
    let id = may_see(app, v, code).await?;
    let view = live.view(app, v.signs.seq).await?;
    let place = view.config.by_code(code).cloned().ok_or_else(|| Refused::unknown(Noun::Location, code, "code"))?;
    let today = v.utc_day();
    let taken = app.engine.read(move |tx| read::capacity(tx, id, today, DAYS)).await?;
    let limited = place.daily_capacity.is_some_and(|most| most > 0);
    let day = |n: i64| Day {
        day: today + n,
        taken: limited.then(|| taken.iter().find(|(day, _)| *day == today + n).map_or(0, |(_, used)| *used)),
        due: view.totals.due.iter().find(|d| d.location == id && d.day == today + n).copied().unwrap_or_default(),
    };
    let days: Vec<Day> = (0..DAYS).map(day).collect();
    let stock = view.totals.stock.get(&id).cloned().unwrap_or_default();
    let open: i64 = view.totals.due.iter().filter(|d| d.location == id).map(Due::unshipped).sum();
    let body = html! {
        div.cols {
            div.stack {
                (ahead(v, &view, &place, &days))
            }
            div.stack {
                (facts(v, &view, &place, open))
                @if v.may(Permission::StockView) { (stock_panel(v, &view, &place, &stock)) }
                @if edit::may_edit(v) { (edit::panel(v, &LocationView::from(&place), open, stock.available)) }
            }
        }
    };
    let right = html! {
        a.btn href={ "/items?at=" (step(code)) } { (icon("box")) (v.t("Its stock")) }
        @if v.may(Permission::OrdersView) { a.btn href={ "/orders?location=" (step(code)) } { (icon("order")) (v.t("Its orders")) } }
    };
    let sub = html! { a href="/locations" { (v.t("Locations")) } " / " (place.code) " · " (kind_name(v, place.kind)) ", " (place.country) " " (standing(v, &place)) };
    let head = shell::head(&place.name, sub, right);
    Ok(shell::page(v, Sheet { title: place.name.clone(), here: "/locations", topics: "locations stock orders transfers".into(), head, body }))
}

fn facts(v: &Viewer, view: &View, place: &Location, open: i64) -> Markup {
    let due = Today::of(&view.totals.due, v.utc_day(), |id| id == place.id);
    let none = || "–".to_owned();
    let body = html! {
        div.panel-body { dl.facts-row {
            (fact(v.t("Open fulfillments"), html! { span.big { (v.num(open)) } @if due.late > 0 { span.is-warn { (v.say("{} late", &[&v.num(due.late)])) } } }))
            (fact(v.t("Orders a day"), html! { span.big { (place.daily_capacity.map_or_else(|| v.t("No limit").to_owned(), |most| v.num(most))) } }))
            (fact(v.t("Cost of one unit"), html! { (edit::money(v, place.cost_per_unit)) }))
            (fact(v.t("Postal code"), html! { (place.postal_code.clone().unwrap_or_else(none)) }))
            (fact(v.t("Coordinates"), html! { (place.point.map_or_else(none, |p| format!("{}, {}", v.decimal(p.latitude, 4), v.decimal(p.longitude, 4)))) }))
            @if let Some(warehouse) = view.config.warehouse_at(place.id) { (fact(v.t("Run by"), html! { @if v.may(Permission::ChannelsView) { a href={ "/channels/" (step(&warehouse.code)) } { (warehouse.name) } } @else { (warehouse.name) } })) }
        } }
    };
    Part::new("facts", v.t("Facts"), body).show()
}

fn stock_panel(v: &Viewer, view: &View, place: &Location, stock: &Balances) -> Markup {
    let states: [(&'static str, &str, i64); 7] = [
        ("Available", "b-a", stock.available),
        ("Reserved", "b-b", stock.reserved),
        ("Committed", "b-b", stock.committed),
        ("Damaged", "b-n", stock.damaged),
        ("Quality control", "b-n", stock.quality_control),
        ("Safety stock", "b-n", stock.safety_stock),
        ("Incoming", "b-hatch", stock.incoming),
    ];
    let most = states.iter().map(|(.., units)| *units).max().unwrap_or(0).max(1);
    let body = html! {
        div.table-wrap { table.table.table-tight.no-top {
            thead { tr { th scope="col" { (v.t("State")) } th.w-wide scope="col" { span.vh { (v.t("Share")) } } th.num scope="col" { (v.t("Units")) } } }
            tbody { @for (name, class, units) in states { tr data-key=(name) {
                th scope="row" { (v.t(name)) }
                td { (bar(&v.say("{} of {}", &[&v.num(units), &v.num(stock.on_hand)]), most, &[(class, units)], None)) }
                td.num.zero[units == 0] { (v.num(units)) }
            } } }
            tfoot { tr { th scope="row" { (v.t("On hand")) } td {} td.num { (v.num(stock.on_hand)) } } }
        } }
        div.panel-foot { a href={ "/items?at=" (step(&place.code)) } { (v.t("Item by item")) } }
    };
    let head = html! { @if view.totals_old { span.sub { (v.say("as of {}", &[&v.clock(view.totals_at)])) } } };
    Part::new("stock", v.t("Stock here"), body).head(head).show()
}

/// The next two weeks as columns, with the limit as a line.
fn ahead(v: &Viewer, view: &View, place: &Location, days: &[Day]) -> Markup {
    const AXIS: i64 = 128;
    const TOP: i64 = 8;
    let limit = place.daily_capacity.filter(|most| *most > 0);
    let most = days.iter().map(|d| d.due.all().max(d.taken.unwrap_or(0))).max().unwrap_or(0).max(limit.unwrap_or(0)).max(1);
    let height = |n: i64| (AXIS - TOP) as f64 * n as f64 / most as f64;
    let y = |n: i64| format!("{:.1}", AXIS as f64 - height(n));
    let count = days.len() as i64;
    let column = |n: usize, width: i64| (percent(n as i64 * 100 + (100 - width) / 2, count * 100), percent(width, count * 100));
    let open: i64 = days.iter().map(|d| d.due.unshipped()).sum();
    let words = |d: &Day| {
        let taken = d.taken.map(|n| v.say(", {} of its capacity taken", &[&v.num(n)])).unwrap_or_default();
        format!("{}{taken}", v.say("{} open, {} shipped", &[&v.num(d.due.unshipped()), &v.num(d.due.shipped)]))
    };
    let body = html! {
        div.panel-body {
            figure data-chart tabindex="0" aria-labelledby="ahead-title ahead-finding" {
                div.plot {
                    svg.plot-y aria-hidden="true" { text.end x="100%" y=(AXIS + 4) { "0" } text.end x="100%" y=(format!("{:.1}", AXIS as f64 - height(most) + 4.0)) { (v.num(most)) } }
                    svg.chart role="img" aria-labelledby="ahead-title ahead-finding" {
                        title #ahead-title { (v.t("Fulfillments by day, next 14 days")) }
                        desc #ahead-finding { (v.say("{} open for these days; today {}.", &[&v.num(open), &words(&days[0])])) }
                        line.axis x1="0" x2="100%" y1={ (AXIS) ".5" } y2={ (AXIS) ".5" } {}
                        @for (n, d) in days.iter().enumerate() {
                            @let (x, width) = column(n, 60);
                            @if d.due.shipped > 0 { rect.b-a x=(x) width=(width) y=(y(d.due.shipped)) height=(format!("{:.1}", height(d.due.shipped))) {} }
                            @if d.due.unshipped() > 0 { rect.b-b x=(x) width=(width) y=(y(d.due.all())) height=(format!("{:.1}", height(d.due.unshipped()))) {} }
                            @let (x, width) = column(n, 100);
                            rect.hit x=(x) width=(width) y=(TOP) height=(AXIS - TOP) data-x=(v.day(d.day)) data-y=(words(d)) {}
                            @if n % 3 == 1 { text.mid x=(percent(n as i64 * 100 + 50, count * 100)) y=(AXIS + 18) { (v.day(d.day)) } }
                        }
                        @if let Some(most) = limit { line.ln-limit x1="0" x2="100%" y1=(y(most)) y2=(y(most)) {} }
                    }
                }
                figcaption.readout data-readout {}
            }
            details.as-table {
                summary { (v.t("View as table")) }
                div tabindex="0" role="region" aria-label=(v.t("Fulfillments by day, next 14 days")) { table.table {
                    thead { tr { th scope="col" { (v.t("Day (UTC)")) } th.num scope="col" { (v.t("Open")) } th.num scope="col" { (v.t("Shipped")) } th.num scope="col" { (v.t("Taken")) } th.num scope="col" { (v.t("Limit")) } } }
                    tbody { @for d in days { tr {
                        th scope="row" { (v.day(d.day)) } td.num.zero[d.due.unshipped() == 0] { (v.num(d.due.unshipped())) } td.num.zero[d.due.shipped == 0] { (v.num(d.due.shipped)) }
                        td.num { (d.taken.map_or("–".into(), |n| v.num(n))) } td.num { (limit.map_or("–".into(), |n| v.num(n))) }
                    } } }
                } }
            }
        }
    };
    let head =
        html! { span.sub { (v.say("{} open", &[&v.num(open)])) @if view.totals_old { ", " (v.say("as of {}", &[&v.clock(view.totals_at)])) } } };
    let key = |class: &str| html! { svg.key aria-hidden="true" { rect class=(class) width="14" height="8" rx="1" {} } };
    let right = html! {
        div.legend.right {
            span { (key("b-b")) (v.t("To ship")) } span { (key("b-a")) (v.t("Shipped")) }
            @if limit.is_some() { span { svg.key aria-hidden="true" { line.ln-limit x1="0" x2="14" y1="4" y2="4" {} } (v.t("Limit")) } }
        }
    };
    Part::new("ahead", v.t("Next 14 days"), body).head(head).right(right).show()
}
