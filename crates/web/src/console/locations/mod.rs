//! Locations: the list with what each has to do and can take, and the map. One of them: `one.rs`; creating and changing: `edit.rs`.

pub mod edit;
mod map;
pub mod one;

use super::fields::step;
use super::live::{Live, View};
use super::panels::{Today, capacity, used};
use super::parts::{Part, empty, icon, kept, pager, search_box, sort, sorted, state, tabs};
use super::shell::{self, Sheet};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission;
use domain::routing::{Kind, Location};
use engine::views::Balances;
use maud::{Markup, html};
use std::sync::Arc;

/// Rows of a page.
const ROWS: usize = 50;

/// A kind of place, in words.
pub fn kind_name(v: &Viewer, kind: Kind) -> &'static str {
    v.t(match kind {
        Kind::Warehouse => "Warehouse",
        Kind::Store => "Store",
        Kind::ThirdParty => "Third-party warehouse",
        Kind::DarkStore => "Dark store",
    })
}

/// All kinds with their words in forms and addresses.
pub const KINDS: [(&str, Kind); 4] =
    [("warehouse", Kind::Warehouse), ("store", Kind::Store), ("third_party", Kind::ThirdParty), ("dark_store", Kind::DarkStore)];

/// A location with its figures.
struct Row<'a> {
    place: &'a Location,
    stock: Balances,
    /// Open fulfillments of any day, and what is due by today.
    open: i64,
    due: Today,
    used: i64,
}

impl Row<'_> {
    fn limit(&self) -> Option<i64> {
        self.place.daily_capacity.filter(|most| *most > 0)
    }

    /// In thousandths of what it takes; without a limit nothing.
    fn share(&self) -> i64 {
        self.limit().map_or(-1, |most| (i128::from(self.used) * 1_000 / i128::from(most)) as i64)
    }
}

fn rows<'a>(v: &Viewer, view: &'a View) -> Vec<Row<'a>> {
    let today = v.utc_day();
    let row = |place: &'a Location| Row {
        place,
        stock: view.totals.stock.get(&place.id).cloned().unwrap_or_default(),
        open: view.totals.due.iter().filter(|d| d.location == place.id).map(engine::dashboard::Due::unshipped).sum(),
        due: Today::of(&view.totals.due, today, |id| id == place.id),
        used: used(view, place, today),
    };
    view.config.locations.iter().filter(|l| v.at(l.id)).map(row).collect()
}

/// Those that the address asks for, in the order that it asks for.
fn wanted<'a>(v: &Viewer, mut rows: Vec<Row<'a>>) -> Vec<Row<'a>> {
    let words = v.asked("q").unwrap_or_default().to_lowercase();
    let kind = v.asked("kind").and_then(|word| KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind));
    let active = v.asked("state").map(|word| word != "closed");
    rows.retain(|r| {
        let named = [&r.place.code, &r.place.name, &r.place.country].iter().any(|text| text.to_lowercase().contains(&words));
        named && kind.is_none_or(|k| r.place.kind == k) && active.is_none_or(|a| r.place.active == a)
    });
    sort(v, &mut rows, |rows, column| match column {
        "name" => rows.sort_by_key(|r| r.place.name.to_lowercase()),
        "capacity" => rows.sort_by_key(Row::share),
        "open" => rows.sort_by_key(|r| r.open),
        "on_hand" => rows.sort_by_key(|r| r.stock.on_hand),
        "available" => rows.sort_by_key(|r| r.stock.available),
        _ => rows.sort_by(|a, b| a.place.code.cmp(&b.place.code)),
    });
    rows
}

pub async fn page(State(app): State<App>, Extension(live): Extension<Arc<Live>>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let view = live.view(&app, v.signs.seq).await?;
    if v.asked("format").as_deref() == Some("csv") {
        return Ok(export(&wanted(v, rows(v, &view))));
    }
    let all = rows(v, &view);
    let (count, closed) = (all.len(), all.iter().filter(|r| !r.place.active).count());
    let shown = wanted(v, all);
    let body = html! {
        @if count == 0 { (nothing(v)) } @else {
            div.cols {
                (list(v, &shown, count, closed))
                (map_panel(v, &shown))
            }
        }
    };
    let sub =
        html! { (v.count(count as i64, "location", "locations")) @if view.totals_old { ", " (v.say("sums as of {}", &[&v.clock(view.totals_at)])) } };
    let right = html! {
        a.btn href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) }
        @if v.may(Permission::LocationsEdit) && !v.is_limited() { a.btn.btn-primary href="/locations/new" data-key="n" title=(v.t("Add a location")) { (icon("plus")) (v.t("Add a location")) } }
    };
    let head = shell::head(v.t("Locations"), sub, right);
    Ok(shell::page(v, Sheet { title: v.t("Locations").into(), here: "/locations", topics: "locations stock orders".into(), head, body })
        .into_response())
}

fn nothing(v: &Viewer) -> Markup {
    let action = html! {
        div.row {
            @if v.may(Permission::LocationsEdit) && !v.is_limited() { a.btn.btn-primary href="/locations/new" { (icon("plus")) (v.t("Add a location")) } }
            @if v.may(Permission::ImportsRun) && !v.is_limited() { a.btn href="/imports?kind=locations" { (icon("import")) (v.t("Import locations")) } }
        }
    };
    html! { section.panel aria-label=(v.t("Locations")) { (empty(v.t("No locations yet"), html! { (v.t("A location is a place where stock lies and orders are sent from: a warehouse, a store, somebody else's warehouse.")) }, action)) } }
}

fn list(v: &Viewer, shown: &[Row<'_>], count: usize, closed: usize) -> Markup {
    let tab = |state: &str, name: &'static str, n: usize| {
        (v.address(&[("state", state)]), v.t(name).to_owned(), Some(v.num(n as i64)), v.asked("state").unwrap_or_default() == state)
    };
    let from = v.asked("after").and_then(|code| shown.iter().position(|r| r.place.code == code)).map_or(0, |n| n + 1);
    let page: Vec<&Row<'_>> = shown.iter().skip(from).take(ROWS).collect();
    let next = page.last().filter(|_| from + page.len() < shown.len()).map(|r| r.place.code.as_str());
    html! {
        section.panel aria-label=(v.t("Locations")) {
            (tabs(v, "State", &[tab("", "All", count), tab("active", "Active", count - closed), tab("closed", "Closed", closed)]))
            form.filters method="get" {
                (search_box(v, "Code, name or country", &v.asked("q").unwrap_or_default()))
                label.vh for="f-kind" { (v.t("Kind")) }
                select.select.select-s #f-kind name="kind" data-auto {
                    option value="" { (v.t("All kinds")) }
                    @for (word, kind) in KINDS { option value=(word) selected[v.asked("kind").as_deref() == Some(word)] { (kind_name(v, kind)) } }
                }
                (kept(v, &["state", "sort"]))
                button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            }
            @if page.is_empty() { (empty(v.t("No location fits"), html! { (v.t("None has this name, kind and state.")) }, html! { a.btn href="/locations" { (v.t("Show all")) } })) }
            @else { (table(v, &page)) (pager(v, page.len(), next)) }
        }
    }
}

fn table(v: &Viewer, page: &[&Row<'_>]) -> Markup {
    html! {
        div.table-wrap { table.table.table-tight.table-stack {
            thead { tr {
                (sorted(v, "name", "Location", "", "code")) th scope="col" { (v.t("Kind")) } (sorted(v, "capacity", "Capacity today", "w-bar2", "code")) th.num scope="col" { (v.t("Orders")) }
                (sorted(v, "open", "Open", "num", "code")) (sorted(v, "on_hand", "On hand", "num", "code")) (sorted(v, "available", "Available", "num", "code")) th scope="col" { (v.t("State")) }
            } }
            tbody { @for r in page { (row(v, r)) } }
        } }
    }
}

fn row(v: &Viewer, r: &Row<'_>) -> Markup {
    let figure = |label: &'static str, n: i64| html! { td.num.zero[n == 0] data-label=(v.t(label)) { (v.num(n)) } };
    html! {
        tr data-row={ "l" (r.place.id) } data-key={ "l" (r.place.id) } {
            th scope="row" { a href={ "/locations/" (step(&r.place.code)) } data-open { (r.place.name) } " " span.aside { (r.place.code) } }
            td data-label=(v.t("Kind")) { (kind_name(v, r.place.kind)) ", " (r.place.country) }
            td data-label=(v.t("Capacity today")) { (capacity(v, r.used, r.limit())) }
            td.num data-label=(v.t("Orders")) { (v.num(r.used)) @if let Some(most) = r.limit() { " / " (v.num(most)) } }
            td.num.zero[r.open == 0] data-label=(v.t("Open")) { (v.num(r.open)) @if r.due.late > 0 { " " span.is-warn { (v.say("{} late", &[&v.num(r.due.late)])) } } }
            (figure("On hand", r.stock.on_hand)) (figure("Available", r.stock.available))
            td data-label=(v.t("State")) { (standing(v, r.place)) }
        }
    }
}

/// Whether it sends orders.
pub fn standing(v: &Viewer, place: &Location) -> Markup {
    match () {
        () if !place.active => state("off", "st-off", v.t("Closed")),
        () if place.daily_capacity == Some(0) => state("pause", "st-warn", v.t("Takes no orders")),
        () => state("ok", "st-ok", v.t("Active")),
    }
}

fn map_panel(v: &Viewer, shown: &[Row<'_>]) -> Markup {
    let spots: Vec<map::Spot<'_>> = shown
        .iter()
        .filter_map(|r| Some(map::Spot { code: &r.place.code, name: &r.place.name, point: r.place.point?, open: r.open, active: r.place.active }))
        .collect();
    let without = shown.len() - spots.len();
    let body = html! {
        @match map::draw(v, &spots) {
            Some(map) => { div.panel-body.stack-s {
                (map)
                div.legend { span { svg.key aria-hidden="true" { circle.b-a cx="7" cy="4" r="4" {} } (v.t("Larger: more open fulfillments")) } @if without > 0 { span { (v.say("{} without coordinates", &[&v.num(without as i64)])) } } }
            } }
            None => p.none { (v.t("No location here has coordinates. With them, orders can be sent from nearby, and a map stands here.")) },
        }
    };
    Part::new("map", v.t("Map"), body).show()
}

fn export(rows: &[Row<'_>]) -> Response<Body> {
    let head = [
        "code",
        "name",
        "kind",
        "country",
        "postal_code",
        "latitude",
        "longitude",
        "daily_capacity",
        "cost_per_unit",
        "active",
        "orders_today",
        "open",
        "late",
        "on_hand",
        "available",
        "reserved",
        "committed",
        "incoming",
    ];
    let opt = |n: Option<String>| n.unwrap_or_default();
    let word = |kind: Kind| KINDS.iter().find(|(_, k)| *k == kind).map_or("", |(word, _)| word).to_owned();
    let line = |r: &Row<'_>| {
        let p = r.place;
        let facts = [p.code.clone(), p.name.clone(), word(p.kind), p.country.clone(), opt(p.postal_code.clone())];
        let point =
            [p.point.map(|p| p.latitude.to_string()), p.point.map(|p| p.longitude.to_string()), p.daily_capacity.map(|n| n.to_string())].map(opt);
        let figures = [
            p.cost_per_unit,
            i64::from(p.active),
            r.used,
            r.open,
            r.due.late,
            r.stock.on_hand,
            r.stock.available,
            r.stock.reserved,
            r.stock.committed,
            r.stock.incoming,
        ];
        facts.into_iter().chain(point).chain(figures.map(|n| n.to_string())).collect::<Vec<String>>()
    };
    let lines: Vec<Vec<String>> = rows.iter().map(line).collect();
    super::export::rows("locations.csv", &head, &lines)
}
