//! What a warehouse that somebody else runs was given: the latest on its page, and all of it with views and search.

use super::find;
use crate::App;
use crate::console::export;
use crate::console::fields::step;
use crate::console::orders::id_of;
use crate::console::parts::{Part, empty, icon, kept, pager, search_box, sorted, state, tabs};
use crate::console::shell::{self, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::OrdersView;
use engine::page::Page as Rows;
use engine::warehouses::list::{self, HandoverQuery, HandoverView, State as Standing};
use maud::{Markup, html};

/// Rows of a page, and of the latest ones.
const SHOWN: usize = 50;
const LATEST: usize = 20;

/// Views of the list: the word in the address, its name, the states that it shows.
const VIEWS: [(&str, &str, &[Standing]); 5] = [
    ("", "All", &[]),
    ("open", "To be sent", &[Standing::Waiting, Standing::Sending, Standing::Working, Standing::Stuck, Standing::Refused]),
    ("trouble", "Stuck or refused", &[Standing::Stuck, Standing::Refused]),
    ("shipped", "Shipped", &[Standing::Shipped]),
    ("canceled", "Canceled", &[Standing::Canceled]),
];

fn address(code: &str) -> String {
    format!("/channels/{}/handovers", step(code))
}

/// What the address asks for.
fn query(v: &Viewer, limit: usize) -> Result<HandoverQuery, Problem> {
    let asked = v.asked("view").unwrap_or_default();
    let states = VIEWS.iter().find(|(word, ..)| *word == asked).map_or_else(Vec::new, |(_, _, states)| states.to_vec());
    let after = v.asked("after").map(|text| crate::request::cursor(Some(&text), 0)).transpose()?;
    let text = v.asked("q").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let number = text.as_deref().and_then(id_of);
    Ok(HandoverQuery { states, text, number, oldest_first: v.asked("sort").as_deref() == Some("handed"), after, limit })
}

/// The latest, as a part of the warehouse's page.
pub async fn latest(app: &App, v: &Viewer, code: &str) -> Result<Markup, Problem> {
    let (owned, query) = (code.to_owned(), HandoverQuery { limit: LATEST, ..HandoverQuery::default() });
    let found = app.read(move |tx, config| list::list(tx, config, &owned, &query)).await?;
    let to = address(code);
    let body = html! {
        @if found.rows.is_empty() { (nothing_yet(v)) } @else {
            (table(v, &found.rows, false))
            div.panel-foot { a href=(to) { (v.t("All that was handed over")) } }
        }
    };
    let right = html! { @if !found.rows.is_empty() { a.btn.btn-s.btn-ghost.right href={ (to) "?view=trouble" } { (icon("warn")) (v.t("Stuck or refused")) } } };
    Ok(Part::new("handovers", v.t("Handed over"), body).right(right).show())
}

pub async fn page(State(app): State<App>, Path(code): Path<String>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let channel = find(&app, v, &code).await?;
    let asked = query(v, SHOWN)?;
    if v.asked("format").as_deref() == Some("csv") {
        return Ok(file(app, &code, asked));
    }
    let (owned, wanted) = (code.clone(), asked.clone());
    let found = app.read(move |tx, config| list::list(tx, config, &owned, &wanted)).await?;
    let sub = html! { a href={ "/channels/" (step(&code)) } { (channel.name) } };
    let right = html! { a.btn href=(v.address(&[("format", "csv")])) download { (icon("download")) (v.t("Export")) } };
    let head = shell::head(v.t("Handed over"), sub, right);
    let body = whole(v, &asked, &found);
    Ok(shell::page(v, Sheet { title: v.t("Handed over").into(), here: "/channels", topics: "orders".into(), head, body }).into_response())
}

fn file(app: App, code: &str, asked: HandoverQuery) -> Response<Body> {
    let head = ["fulfillment", "order", "there", "state", "recalled", "handed_over", "last_heard_of", "fault"];
    let (name, code) = (format!("handed-over-{code}.csv"), code.to_owned());
    export::csv(app, &name, &head, None, move |tx, config, after: Option<i64>| {
        let found = list::list(tx, config, &code, &HandoverQuery { after, limit: export::STEP, ..asked.clone() })?;
        let row = |h: HandoverView| {
            let ids = [h.fulfillment.0.to_string(), h.order.0.to_string(), h.external.unwrap_or_default(), h.state.to_owned()];
            let times = [h.recalled.to_string(), h.handed_at.to_string(), h.heard_at.to_string(), h.fault.unwrap_or_default()];
            ids.into_iter().chain(times).collect()
        };
        Ok((found.rows.into_iter().map(row).collect(), found.next.map(Some)))
    })
}

fn whole(v: &Viewer, asked: &HandoverQuery, found: &Rows<HandoverView, i64>) -> Markup {
    let here = v.asked("view").unwrap_or_default();
    let views: Vec<_> = VIEWS.iter().map(|(word, name, _)| (v.address(&[("view", word)]), v.t(name).to_owned(), None, *word == here)).collect();
    let is_narrow = !asked.states.is_empty() || asked.text.is_some();
    html! {
        section.panel aria-label=(v.t("Handed over")) {
            (tabs(v, "Views", &views))
            form.filters action=(v.path) role="search" {
                (search_box(v, "Order, fulfillment, or number there", asked.text.as_deref().unwrap_or_default()))
                (kept(v, &["view", "sort"]))
                button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            }
            @if !found.rows.is_empty() { (table(v, &found.rows, true)) }
            @else if found.next.is_some() { (empty(v.t("None so far"), html! { (v.t("Many were looked at and none was such. Go on to look at others.")) }, html! {})) }
            @else if is_narrow { (empty(v.t("None fits"), html! { (v.t("Nothing that was handed over is like that.")) }, html! { a.btn href=(v.path) { (v.t("Show all")) } })) }
            @else { (nothing_yet(v)) }
            (pager(v, found.rows.len(), found.next.map(|id| id.to_string()).as_deref()))
        }
    }
}

fn nothing_yet(v: &Viewer) -> Markup {
    let why = html! { (v.t("Parts of orders that are routed to its location are handed over by themselves and stand here until they have left.")) };
    empty(v.t("Nothing was handed over yet"), why, html! {})
}

fn table(v: &Viewer, rows: &[HandoverView], sorts: bool) -> Markup {
    html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("Handed over")) }
            thead { tr {
                th scope="col" { (v.t("Fulfillment")) } th scope="col" { (v.t("Order")) } th scope="col" { (v.t("There")) } th scope="col" { (v.t("State")) }
                @if sorts { (sorted(v, "handed", "Handed over", "num", "-handed")) } @else { th.num scope="col" { (v.t("Handed over")) } }
                th.num scope="col" { (v.t("Last heard of")) }
            } }
            tbody { @for h in rows { tr data-row=(h.fulfillment.0) data-key={ "h" (h.fulfillment.0) } {
                th scope="row" { (h.fulfillment.0) }
                td data-label=(v.t("Order")) { @if v.may(OrdersView) { a href={ "/orders/" (h.order.0) } data-open { (h.order.0) } } @else { (h.order.0) } }
                td data-label=(v.t("There")) { (h.external.as_deref().unwrap_or("–")) }
                td.wrap data-label=(v.t("State")) { (standing(v, h)) @if let Some(fault) = &h.fault { small { (v.whole(fault)) } } }
                td.num data-label=(v.t("Handed over")) title=(v.moment(h.handed_at.0)) { (v.ago(h.handed_at.0)) }
                td.num data-label=(v.t("Last heard of")) title=(v.moment(h.heard_at.0)) { (v.ago(h.heard_at.0)) }
            } } }
        } }
    }
}

fn standing(v: &Viewer, h: &HandoverView) -> Markup {
    let (shape, class, word) = match h.state {
        "shipped" => ("ok", "st-ok", "Shipped"),
        "canceled" => ("off", "st-off", "Canceled"),
        "stuck" => ("danger", "st-danger", "Stuck"),
        "refused" => ("danger", "st-danger", "Refused"),
        "waiting" => ("queued", "st-info", "Waiting"),
        "sending" => ("half", "st-info", "Being handed over"),
        _ => ("half", "st-info", "In work"),
    };
    html! { (state(shape, class, v.t(word))) @if h.recalled { span.quiet { ", " (v.t("asked back")) } } }
}
