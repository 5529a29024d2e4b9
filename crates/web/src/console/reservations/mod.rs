//! Reservations: holds that run out, the next to do so first; and one of them, to be let go or kept longer. Several at once: `bulk.rs`.

pub mod bulk;

use crate::App;
use crate::console::export;
use crate::console::fields::{Posted, see};
use crate::console::orders::Places;
use crate::console::parts::{Part, csrf, empty, fact, icon, item, kept, once, pager, search_box, seen, sorted, tabs};
use crate::console::shell::{self, Page, Sheet};
use crate::console::show::iso;
use crate::console::status;
use crate::console::today::pause;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::OrdersPlace;
use domain::steps::Status;
use domain::{Grant, Noun, Refused};
use engine::access::{audit, reach};
use engine::catalog::read::{Named, names};
use engine::db::Tx;
use engine::page::Cursor;
use engine::reservations::extend::Extend;
use engine::reservations::list::{self, ReservationQuery};
use engine::reservations::read;
use engine::reservations::release::Release;
use engine::views::{HeldView, ReservationView, order_number};
use engine::{Command, Stop};
use maud::{Markup, html};

/// Rows of a page.
const SHOWN: usize = 50;
/// Held ones are counted up to here.
const COUNTED: i64 = 10_000;
/// Channels that a filter offers.
const OFFERED: usize = 100;

const VIEWS: [(&str, &str); 5] = [("held", "Held"), ("ordered", "Ordered"), ("released", "Released"), ("expired", "Expired"), ("all", "All")];

/// How much longer: seconds, and in words.
const LONGER: [(i64, &str); 4] = [(900, "15 minutes"), (3_600, "1 hour"), (86_400, "1 day"), (604_800, "7 days")];

/// The reservations that the address asks for, as far as the reader may see them.
fn query(v: &Viewer, grant: &Grant, limit: usize) -> ReservationQuery {
    let view = view(v);
    let seen: Option<Vec<String>> = grant.channels.as_ref().map(|codes| codes.iter().map(|c| c.to_string()).collect());
    let channel = v.asked("channel").map(|code| if grant.on(&code) { vec![code] } else { Vec::new() });
    ReservationQuery {
        status: Status::parse(&view).filter(|_| view != "all"),
        channels: channel.or(seen),
        locations: grant.locations.as_ref().map(|ids| ids.to_vec()),
        by_number: view == "all" && matches!(v.asked("sort").as_deref(), Some("-made" | "made")),
        reversed: matches!(v.asked("sort").as_deref(), Some("-remaining" | "made")),
        after: v.asked("after").and_then(|text| Cursor::parse("after", &text).ok()),
        limit,
        ..ReservationQuery::default()
    }
}

/// Which tab is open. Whoever searches looks among all.
fn view(v: &Viewer) -> String {
    let known = v.asked("status").filter(|word| VIEWS.iter().any(|(known, _)| known == word));
    known.unwrap_or_else(|| if v.asked("q").is_some() { "all" } else { "held" }.to_owned())
}

/// The query with what is searched for: a reservation's number, or an item's SKU. None if it is neither.
fn searched(tx: &mut Tx<'_>, v: &Viewer, query: ReservationQuery) -> Result<Option<ReservationQuery>, Stop> {
    let Some(text) = v.asked("q").map(|q| q.trim().to_owned()).filter(|q| !q.is_empty()) else { return Ok(Some(query)) };
    let number = text.parse().ok();
    let item = match engine::stock::read::item(tx, &text) {
        Ok(item) => Some(item.id),
        Err(stop) if stop.refused().is_some() => None,
        Err(stop) => return Err(stop),
    };
    Ok((number.is_some() || item.is_some()).then_some(ReservationQuery { number, item, ..query }))
}

struct Found {
    rows: Vec<ReservationView>,
    next: Option<String>,
    held: (i64, bool),
    channels: Vec<(String, String)>,
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let grant = viewer.grant();
    if viewer.asked("format").as_deref() == Some("csv") {
        return Ok(file(&app, viewer));
    }
    let (query, reader) = (query(&viewer, &grant, SHOWN), viewer.clone());
    let found = app
        .read(move |tx, config| {
            let mut page = match searched(tx, &reader, query)? {
                Some(query) => list::list(tx, config, &query)?,
                None => engine::page::Page { rows: Vec::new(), next: None },
            };
            page.rows.retain(|r| reach::reservation(r, &grant, config));
            let channels = config.channels.iter().filter(|c| c.location.is_none() && grant.on(&c.code));
            Ok(Found {
                rows: page.rows,
                next: page.next.map(|c| c.to_string()),
                held: if grant.is_limited() { (0, false) } else { list::count_held(tx, COUNTED)? },
                channels: channels.map(|c| (c.code.to_string(), c.name.clone())).take(OFFERED).collect(),
            })
        })
        .await?;
    Ok(show(&viewer, &found).into_response())
}

fn file(app: &App, v: Viewer) -> Response<Body> {
    let head = ["id", "status", "channel", "created_at", "expires_at", "order", "sku", "location", "quantity"];
    let first = query(&v, &v.grant(), 1).after;
    export::csv(app.clone(), "reservations.csv", &head, first, move |tx, config, after| {
        let grant = v.grant();
        let Some(query) = searched(tx, &v, ReservationQuery { after, ..query(&v, &grant, export::STEP) })? else { return Ok((Vec::new(), None)) };
        let page = list::list(tx, config, &query)?;
        let rows = page.rows.into_iter().filter(|r| reach::reservation(r, &grant, config)).flat_map(|r| {
            let order = r.order.map(|o| o.0.to_string()).unwrap_or_default();
            let start =
                [r.id.0.to_string(), r.status.into(), r.channel.unwrap_or_default(), r.created_at.to_string(), r.expires_at.to_string(), order];
            let line = move |l: HeldView| {
                start.iter().cloned().chain([l.sku.to_string(), l.location.to_string(), l.quantity.to_string()]).collect::<Vec<String>>()
            };
            r.lines.into_iter().map(line).collect::<Vec<_>>()
        });
        Ok((rows.collect(), page.next.map(Some)))
    })
}

fn show(v: &Viewer, found: &Found) -> Page {
    let right = html! { (pause(v, "btn")) a.btn href=(v.address(&[("format", "csv")])) download { (icon("download")) (v.t("Export")) } };
    let head = shell::head(v.t("Reservations"), shell::status(v), right);
    let asked = view(v);
    let held = (!v.grant().is_limited()).then(|| format!("{}{}", v.num(found.held.0), if found.held.1 { "+" } else { "" }));
    let views: Vec<_> = VIEWS
        .iter()
        .map(|(word, name)| {
            (v.address(&[("status", word), ("sort", "")]), v.t(name).to_owned(), held.clone().filter(|_| *word == "held"), *word == asked)
        })
        .collect();
    let body = html! {
        section.panel data-select aria-label=(v.t("Reservations")) {
            (tabs(v, "Views", &views))
            (filters(v, found))
            @if found.rows.is_empty() { (nothing(v, &asked, found.next.is_some())) } @else { (table(v, &asked, &found.rows)) }
            (foot(v, found))
        }
    };
    shell::page(v, Sheet { title: v.t("Reservations").into(), here: "/reservations", topics: "reservations".into(), head, body })
}

fn filters(v: &Viewer, found: &Found) -> Markup {
    html! {
        form.filters action="/reservations" role="search" {
            (search_box(v, "Number, or SKU", &v.asked("q").unwrap_or_default()))
            (kept(v, &["status", "sort"]))
            @if !found.channels.is_empty() || v.asked("channel").is_some() {
                @if let Some(code) = v.asked("channel") {
                    (kept(v, &["channel"]))
                    span.chip { (v.t("Channel")) b { (code) } a href=(v.address(&[("channel", "")])) aria-label=(v.say("Remove the filter {}", &[&v.t("Channel")])) { (icon("x")) } }
                } @else {
                    select.select.select-s name="channel" aria-label=(v.t("Channel")) data-auto {
                        option value="" { (v.t("All channels")) }
                        @for (code, name) in &found.channels { option value=(code) { (name) } }
                    }
                }
            }
            button.btn.btn-s.no-js type="submit" { (v.t("Apply")) }
        }
    }
}

/// “3 × MUG-1 at LON” and how many lines more.
fn held(v: &Viewer, lines: &[HeldView]) -> String {
    let Some(first) = lines.first() else { return "–".to_owned() };
    let told = v.say("{} × {} at {}", &[&v.num(first.quantity), &first.sku, &first.location]);
    if lines.len() > 1 { v.say("{} and {}", &[&told, &v.count(lines.len() as i64 - 1, "more", "more")]) } else { told }
}

/// How long it still holds; the last five minutes are a warning.
fn remaining(v: &Viewer, r: &ReservationView) -> Markup {
    let left = r.expires_at.0 - v.now;
    html! {
        @if r.status != "held" { span.quiet { "–" } }
        @else if left <= 0 { span.st.st-warn { (icon("warn")) (v.t("Runs out now")) } }
        @else if left < 300_000_000 { span.st.st-warn title=(v.moment(r.expires_at.0)) { (icon("clock")) (v.age(left)) } }
        @else { span title=(v.moment(r.expires_at.0)) { (v.age(left)) } }
    }
}

fn table(v: &Viewer, view: &str, rows: &[ReservationView]) -> Markup {
    let chooses = v.may(OrdersPlace) && rows.iter().any(|r| r.status == "held");
    html! {
        div.table-wrap { table.table.table-tight.table-stack {
            caption.vh { (v.t("Reservations")) }
            thead { tr {
                @if chooses { th.th-check scope="col" { label { input type="checkbox" data-check-all data-js aria-label=(v.t("Select all")); } } }
                th scope="col" { (v.t("Reservation")) } th scope="col" { (v.t("State")) }
                @if view == "held" { (sorted(v, "remaining", "Remaining", "num", "remaining")) } @else { th.num scope="col" { (v.t("Remaining")) } }
                th scope="col" { (v.t("Channel")) }
                th scope="col" { (v.t("Holds")) } th.num scope="col" { (v.t("Units")) } th scope="col" { (v.t("Order")) }
                @match view { "held" => th scope="col" { (v.t("Made")) }, "all" => (sorted(v, "made", "Made", "", "")), _ => (sorted(v, "made", "Made", "", "-made")) }
            } }
            tbody { @for r in rows { tr data-row data-key={ "r" (r.id.0) } {
                @if chooses { td.check { @if r.status == "held" { label { input type="checkbox" name="id" value=(r.id.0) form="bulk" data-check aria-label=(v.say("Select {}", &[&r.id.0])); } } } }
                th scope="row" { a data-open href={ "/reservations/" (r.id.0) } { (r.id.0) } }
                td data-label=(v.t("State")) { (status::cell(v, status::parse(r.status))) }
                td.num data-label=(v.t("Remaining")) { (remaining(v, r)) }
                td data-label=(v.t("Channel")) { (r.channel.as_deref().unwrap_or("–")) }
                td.wrap data-label=(v.t("Holds")) { (held(v, &r.lines)) }
                td.num data-label=(v.t("Units")) { (v.num(r.lines.iter().map(|l| l.quantity).sum())) }
                td data-label=(v.t("Order")) { @if let Some(order) = r.order { a href={ "/orders/" (order.0) } { (order_number(order.0)) } } @else { "–" } }
                td data-label=(v.t("Made")) { time datetime=(iso(r.created_at.0)) title=(v.moment(r.created_at.0)) { (v.ago(r.created_at.0)) } }
            } } }
        } }
    }
}

fn foot(v: &Viewer, found: &Found) -> Markup {
    html! {
        div.foot-sticky {
            @if v.may(OrdersPlace) && found.rows.iter().any(|r| r.status == "held") {
                form #bulk action="/reservations/release" {
                    input type="hidden" name="next" value=(v.address(&[]));
                    div.bulk role="toolbar" aria-label=(v.t("Selected reservations")) {
                        b { span data-count data-js {} " " (v.t("selected")) } span.sep {}
                        button.btn.btn-s type="submit" data-key="r" { (v.t("Release")) " " kbd { "R" } }
                        button.btn.btn-s.btn-icon type="button" data-clear data-js aria-label=(v.t("Clear the selection")) { (icon("x")) }
                    }
                }
            }
            (pager(v, found.rows.len(), found.next.as_deref()))
        }
    }
}

fn nothing(v: &Viewer, view: &str, goes_on: bool) -> Markup {
    let all = html! { a.btn href="/reservations?status=all" { (v.t("All reservations")) } };
    match view {
        _ if v.asked("q").is_some() && !goes_on => {
            empty(v.t("None fits"), html! { (v.t("No reservation has this number, and none holds an item with this SKU.")) }, all)
        }
        _ if goes_on => {
            empty(v.t("None so far"), html! { (v.t("Many reservations were looked at and none was such. Go on to look at older ones.")) }, html! {})
        }
        "held" => empty(
            v.t("Nothing is held"),
            html! { (v.t("Shops hold stock for a while when something is put into a cart. What they hold stands here until it is ordered, released, or runs out.")) },
            all,
        ),
        _ => empty(v.t("No such reservation"), html! { (v.t("No reservation is in this state.")) }, all),
    }
}

async fn load(app: &App, v: &Viewer, id: i64) -> Result<(ReservationView, String, Places, Named), Stop> {
    let grant = v.grant();
    app.read(move |tx, config| {
        let view = read::one(tx, config, id)?;
        let etag = audit::etag_of(&view);
        if !reach::reservation(&view, &grant, config) {
            return Err(Refused::unknown(Noun::Reservation, id.to_string(), "id").into());
        }
        let names = names(tx, &view.lines.iter().map(|l| &*l.sku).collect::<Vec<_>>())?;
        Ok((view, etag, Places::of(config, &grant), names))
    })
    .await
}

pub async fn one(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let id = number(Noun::Reservation, &id)?;
    let (view, etag, places, named) = load(&app, &viewer, id).await?;
    Ok(show_one(&viewer, &view, &etag, &places, &named))
}

fn show_one(v: &Viewer, r: &ReservationView, etag: &str, places: &Places, named: &Named) -> Page {
    let is_held = r.status == "held";
    let is_endless = r.expires_at.0 == i64::MAX;
    let facts = html! {
        div.panel-body { dl.facts-row {
            @if is_held { (fact(v.t("Remaining"), remaining(v, r))) }
            @if !is_endless { (fact(v.t(if is_held { "Runs out" } else { "Held until at most" }), html! { (v.moment(r.expires_at.0)) })) }
            (fact(v.t("Made"), html! { (v.moment(r.created_at.0)) }))
            (fact(v.t("Channel"), html! { (r.channel.as_deref().unwrap_or("–")) }))
            @if let Some(order) = r.order { (fact(v.t("Order"), html! { a href={ "/orders/" (order.0) } { (order_number(order.0)) } })) }
        } }
    };
    let lines = html! {
        div.table-wrap { table.table {
            caption.vh { (v.t("Holds")) }
            thead { tr { th scope="col" { (v.t("Item")) } th scope="col" { (v.t("Location")) } th.num scope="col" { (v.t("Units")) } } }
            tbody { @for l in &r.lines { tr {
                th scope="row" { (item(v, &l.sku, named.get(&*l.sku))) }
                td { (places.name(&l.location)) }
                td.num.strong { (v.num(l.quantity)) }
            } } }
        } }
    };
    let head = html! {
        div.page-head {
            div.grow {
                p.crumb { a href="/reservations" { (v.t("Reservations")) } (icon("right")) span { (r.id.0) } }
                h1.row { (v.say("Reservation {}", &[&r.id.0])) " " (status::tag(v, status::parse(r.status))) }
                p.sub { (held(v, &r.lines)) }
            }
            @if is_held && v.may(OrdersPlace) { (longer(v, r, etag)) (let_go(v, r, etag)) }
        }
    };
    let body = html! {
        section.panel data-part data-key="facts" aria-label=(v.t("Facts")) { (facts) }
        (Part::new("holds", v.t("Holds"), lines).show())
    };
    shell::page(v, Sheet { title: v.say("Reservation {}", &[&r.id.0]), here: "/reservations", topics: "reservations".into(), head, body })
}

fn longer(v: &Viewer, r: &ReservationView, etag: &str) -> Markup {
    let body = html! {
        form.stack-m action={ "/reservations/" (r.id.0) "/extend" } method="post" {
            (csrf(v)) (once()) (seen(etag))
            div.field {
                label for="f-longer" { (v.t("From now on, hold it for")) }
                select.select #f-longer name="expires_in_seconds" { @for (seconds, text) in LONGER { option value=(seconds) selected[v.typed("expires_in_seconds") == Some(&seconds.to_string())] { (v.t(text)) } } }
            }
            button.btn.btn-primary type="submit" { (v.t("Hold longer")) }
        }
    };
    html! { details.confirm { summary.btn data-key="e" { (icon("clock")) (v.t("Extend")) " " kbd { "E" } } div { (body) } } }
}

fn let_go(v: &Viewer, r: &ReservationView, etag: &str) -> Markup {
    let units: i64 = r.lines.iter().map(|l| l.quantity).sum();
    let body = html! {
        p { (v.say("{} can be promised to others at once. Whoever holds them can no longer order from this reservation.", &[&v.count(units, "unit", "units")])) }
        form action={ "/reservations/" (r.id.0) "/release" } method="post" {
            (csrf(v)) (once()) (seen(etag))
            button.btn.btn-danger type="submit" { (v.say("Release {}", &[&v.count(units, "unit", "units")])) }
        }
    };
    html! { details.confirm { summary.btn data-key="r" { (icon("undo")) (v.t("Release")) " " kbd { "R" } } div { (body) } } }
}

pub async fn release(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Reservation, &id)?;
    change(&app, posted, id, Ok(Command::Release(Release { id })), "released").await
}

pub async fn extend(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Reservation, &id)?;
    let command = posted.fields.int("expires_in_seconds").map(|expires_in_seconds| Command::Extend(Extend { id, expires_in_seconds }));
    change(&app, posted, id, command, "extended").await
}

async fn change(app: &App, posted: Posted, id: i64, command: Result<Command, Refused>, said: &str) -> Result<Response<Body>, Problem> {
    let outcome = match command {
        Ok(command) => posted.submit(app, command).await,
        Err(refused) => Err(refused.into()),
    };
    match outcome {
        Ok(_) => Ok(see(&format!("/reservations/{id}?said={said}"))),
        Err(stop) => {
            let viewer = posted.viewer.refused(posted.fields.0, stop)?;
            let (view, etag, places, named) = load(app, &viewer, id).await?;
            Ok(show_one(&viewer, &view, &etag, &places, &named).into_response())
        }
    }
}
