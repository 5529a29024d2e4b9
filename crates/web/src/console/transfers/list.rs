//! The list of transfers, the newest first: those on their way, or all.

use super::place;
use crate::App;
use crate::console::export;
use crate::console::orders::Places;
use crate::console::parts::{bar, empty, icon, kept, pager, search_box, sorted, tabs};
use crate::console::shell::{self, Page, Sheet};
use crate::console::show::iso;
use crate::console::status;
use crate::console::today::pause;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Grant;
use domain::Permission::StockTransfer;
use domain::steps::Status;
use engine::Config;
use engine::page::Cursor;
use engine::stock::transfers::{self, TransferQuery, TransferRow};
use maud::{Markup, html};

/// Rows of a page.
const SHOWN: usize = 50;
/// Locations that a filter offers.
const OFFERED: usize = 100;

const VIEWS: [(&str, &str); 4] = [("", "On their way"), ("received", "Received"), ("canceled", "Canceled"), ("all", "All")];

/// The transfers that the address asks for, as far as the reader may see them.
fn query(v: &Viewer, config: &Config, grant: &Grant, limit: usize) -> TransferQuery {
    let text = v.asked("q").map(|q| q.trim().to_owned()).filter(|q| !q.is_empty());
    let statuses = match v.asked("status").as_deref() {
        Some("all") => Vec::new(),
        Some("received") => vec![Status::Received],
        Some("canceled") => vec![Status::Canceled],
        // Whoever searches looks among all.
        None if text.is_some() => Vec::new(),
        _ => vec![Status::InTransit, Status::PartiallyReceived],
    };
    let location = v.asked("location").map(|code| config.by_code(&code).map(|l| l.id).filter(|id| grant.at(*id)).into_iter().collect());
    TransferQuery {
        statuses,
        locations: location.or(grant.locations.as_ref().map(|ids| ids.to_vec())),
        text,
        oldest_first: v.asked("sort").as_deref() == Some("sent"),
        after: v.asked("after").and_then(|text| Cursor::parse("after", &text).ok()),
        limit,
    }
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if viewer.asked("format").as_deref() == Some("csv") {
        return Ok(file(&app, viewer));
    }
    let v = viewer.clone();
    let (rows, next, places) = app
        .read(move |tx, config| {
            let grant = v.grant();
            let page = transfers::list(tx, config, &query(&v, config, &grant, SHOWN))?;
            Ok((page.rows, page.next.map(|c| c.to_string()), Places::of(config, &grant)))
        })
        .await?;
    Ok(show(&viewer, &rows, next.as_deref(), &places).into_response())
}

fn file(app: &App, v: Viewer) -> Response<Body> {
    let head = ["id", "status", "from", "to", "reference", "sent_at", "lines", "units", "received", "lost", "canceled"];
    let first = v.asked("after").and_then(|text| Cursor::parse("after", &text).ok());
    export::csv(app.clone(), "transfers.csv", &head, first, move |tx, config, after| {
        let grant = v.grant();
        let page = transfers::list(tx, config, &TransferQuery { after, ..query(&v, config, &grant, export::STEP) })?;
        let seen = |code: &str| if config.by_code(code).is_none_or(|l| grant.at(l.id)) { code.to_owned() } else { String::new() };
        let rows = page.rows.into_iter().map(|t| {
            let figures = [t.lines, t.units, t.received, t.lost, t.canceled].map(|n| n.to_string());
            let start =
                [t.id.0.to_string(), t.status.word().into(), seen(&t.from), seen(&t.to), t.reference.unwrap_or_default(), t.created_at.to_string()];
            start.into_iter().chain(figures).collect()
        });
        Ok((rows.collect(), page.next.map(Some)))
    })
}

fn show(v: &Viewer, rows: &[TransferRow], next: Option<&str>, places: &Places) -> Page {
    let right = html! {
        (pause(v, "btn"))
        a.btn href=(v.address(&[("format", "csv")])) download { (icon("download")) (v.t("Export")) }
        @if v.may(StockTransfer) { a.btn.btn-primary href="/transfers/new" data-key="n" { (icon("plus")) (v.t("New transfer")) } }
    };
    let head = shell::head(v.t("Transfers"), shell::status(v), right);
    let asked = v.asked("status").unwrap_or_else(|| if v.asked("q").is_some() { "all".into() } else { String::new() });
    let views: Vec<_> = VIEWS.iter().map(|(word, name)| (v.address(&[("status", word)]), v.t(name).to_owned(), None, *word == asked)).collect();
    let body = html! {
        section.panel aria-label=(v.t("Transfers")) {
            (tabs(v, "Views", &views))
            (filters(v, places))
            @if rows.is_empty() { (nothing(v, &asked, next.is_some())) } @else { (table(v, rows, places)) }
            (pager(v, rows.len(), next))
        }
    };
    shell::page(v, Sheet { title: v.t("Transfers").into(), here: "/transfers", topics: "transfers".into(), head, body })
}

fn filters(v: &Viewer, places: &Places) -> Markup {
    html! {
        form.filters action="/transfers" role="search" {
            (search_box(v, "Number or reference", &v.asked("q").unwrap_or_default()))
            (kept(v, &["sort", "status"]))
            @if let Some(code) = v.asked("location") {
                (kept(v, &["location"]))
                span.chip { (v.t("Location")) b { (places.name(&code)) } a href=(v.address(&[("location", "")])) aria-label=(v.say("Remove the filter {}", &[&v.t("Location")])) { (icon("x")) } }
            } @else {
                select.select.select-s name="location" aria-label=(v.t("Location")) data-auto {
                    option value="" { (v.t("From or to anywhere")) }
                    @for l in places.0.iter().take(OFFERED) { option value=(l.code) { (l.name) } }
                }
                button.btn.btn-s.no-js type="submit" { (v.t("Apply")) }
            }
        }
    }
}

fn table(v: &Viewer, rows: &[TransferRow], places: &Places) -> Markup {
    html! {
        div.table-wrap { table.table.table-tight.table-stack {
            caption.vh { (v.t("Transfers")) }
            thead { tr {
                th scope="col" { (v.t("Transfer")) } th scope="col" { (v.t("State")) } th scope="col" { (v.t("From")) } th scope="col" { (v.t("To")) } th scope="col" { (v.t("Reference")) }
                th.num scope="col" { (v.t("Sent")) } th.num scope="col" { (v.t("Received")) } th.num scope="col" { (v.t("Lost")) } th.w-bar scope="col" { (v.t("Arrived")) } (sorted(v, "sent", "When", "num", "-sent"))
            } }
            tbody { @for t in rows { tr data-row data-key={ "t" (t.id.0) } {
                th scope="row" { a data-open href={ "/transfers/" (t.id.0) } { (t.id.0) } }
                td data-label=(v.t("State")) { (status::cell(v, t.status)) }
                td data-label=(v.t("From")) { (place(v, places, &t.from)) }
                td data-label=(v.t("To")) { (place(v, places, &t.to)) }
                td.places data-label=(v.t("Reference")) { (t.reference.as_deref().unwrap_or("–")) }
                td.num data-label=(v.t("Sent")) { (v.num(t.units)) }
                td.num.zero[t.received == 0] data-label=(v.t("Received")) { (v.num(t.received)) }
                td.num.zero[t.lost == 0].is-danger[t.lost > 0] data-label=(v.t("Lost")) { (v.num(t.lost)) }
                td data-label=(v.t("Arrived")) { (bar(&v.say("{} of {} units arrived, {} lost", &[&v.num(t.received), &v.num(t.units), &v.num(t.lost)]), t.units.max(1), &[("b-a", t.received), ("b-danger", t.lost)], None)) }
                td.num data-label=(v.t("When")) { time datetime=(iso(t.created_at.0)) title=(v.moment(t.created_at.0)) { (v.ago(t.created_at.0)) } }
            } } }
        } }
    }
}

fn nothing(v: &Viewer, view: &str, goes_on: bool) -> Markup {
    if goes_on {
        return empty(v.t("None so far"), html! { (v.t("Many transfers were looked at and none was such. Go on to look at older ones.")) }, html! {});
    }
    if v.asked("q").is_some() {
        let all = html! { a.btn href="/transfers?status=all" { (v.t("All transfers")) } };
        return empty(v.t("None fits"), html! { (v.t("No transfer has this number, or this in its reference.")) }, all);
    }
    let action = html! { div.row { @if v.may(StockTransfer) { a.btn.btn-primary href="/transfers/new" { (v.t("New transfer")) } } @if view != "all" { a.btn href="/transfers?status=all" { (v.t("All transfers")) } } } };
    if !view.is_empty() || v.asked("location").is_some() {
        return empty(v.t("None fits"), html! { (v.t("No transfer stands so, or goes from or to there.")) }, action);
    }
    empty(
        v.t("Nothing is on its way"),
        html! { (v.t("Goods that are sent from one location to another stand here until they arrive or are given up as lost.")) },
        action,
    )
}
