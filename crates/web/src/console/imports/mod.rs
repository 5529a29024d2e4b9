//! Imports: choosing a file, and the list of those before. Checking and importing: `upload.rs`; one import with its refused rows: `one.rs`;
//! what files look like: `kinds.rs`.

mod kinds;
pub mod one;
pub mod upload;
pub mod waiting;

use super::fields::{Posted, see, step};
use super::parts::{Part, button, csrf, empty, fault, icon, kept, pager, search_box, sorted, state};
use super::shell::{self, Page, Sheet};
use super::show::{actor, iso};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use crate::upload::Running;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use engine::Stop;
use engine::imports::list::{self, ImportLine, ImportQuery, Place, Standing};
use engine::imports::{Import, Kind, run};
use engine::views::{RowError, Time};
use maud::{Markup, html};
use std::io::Cursor;
use std::ops::ControlFlow::Continue;
use std::sync::Arc;
use waiting::Waiting;

/// Rows of the list.
const ROWS: usize = 25;
/// Without a sign of life for so long an import of another server has stopped, in microseconds.
const SILENT: i64 = 120_000_000;

/// Whole files are for who sees everything: a row can be about any location and channel.
fn whole(v: &Viewer) -> Option<Page> {
    v.is_limited().then(|| {
        let why = html! { (v.t("A file can be about any location and channel, and you see some of them only.")) };
        let body = html! { section.panel { (empty(v.t("Not for your limits"), why, html! { a.btn href="/" { (v.t("Back to today")) } })) } };
        let sheet = Sheet { title: v.t("Imports").into(), here: "/imports", topics: String::new(), head: html! {}, body };
        Page(StatusCode::FORBIDDEN, shell::page(v, sheet).1)
    })
}

pub async fn page(State(app): State<App>, Extension(waiting): Extension<Arc<Waiting>>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if let Some(page) = whole(&viewer) {
        return Ok(page.into_response());
    }
    if viewer.asked("format").as_deref() == Some("csv") {
        return Ok(export(&app, &viewer));
    }
    Ok(show(&app, &viewer, &waiting).await?.into_response())
}

/// All imports that the address asks for.
fn export(app: &App, v: &Viewer) -> Response<Body> {
    let head = ["key", "file", "kind", "finished", "rows", "accepted", "refused", "by", "began_at"];
    let query = ImportQuery { limit: super::export::STEP, after: None, ..query(v) };
    super::export::csv(app.clone(), "imports.csv", &head, None, move |tx, _, after: Option<Place>| {
        let found = list::list(tx, &ImportQuery { after, ..query.clone() })?;
        let line = |i: &ImportLine| {
            let figures = [i.rows_done, i.accepted, i.rejected].map(|n| n.to_string());
            let facts = [i.key.clone(), i.file.clone(), i.kind.map_or("", Kind::word).to_owned(), u8::from(i.finished).to_string()];
            facts.into_iter().chain(figures).chain([i.actor.clone(), Time(i.began_at).to_string()]).collect()
        };
        Ok((found.rows.iter().map(line).collect(), found.next.map(Some)))
    })
}

/// The imports that the address asks for. `kind` in it is what the next file holds; `of` is what those before held.
fn query(v: &Viewer) -> ImportQuery {
    let standing = v.asked("state");
    ImportQuery {
        text: v.asked("q").unwrap_or_default().trim().to_owned(),
        kind: v.asked("of").and_then(|word| Kind::parse(&word)),
        standing: Standing::ALL.into_iter().find(|s| standing.as_deref() == Some(s.word())),
        oldest_first: v.asked("sort").as_deref() == Some("began"),
        after: v.asked("after").as_deref().and_then(place),
        limit: ROWS,
    }
}

/// Where a page of the list goes on: when its last import began, and its key.
fn place(text: &str) -> Option<Place> {
    let (at, key) = text.split_once('.')?;
    Some((at.parse().ok()?, key.to_owned()))
}

async fn show(app: &App, v: &Viewer, waiting: &Waiting) -> Result<Page, Problem> {
    let query = query(v);
    let (found, any_item) = app.read(move |tx, config| Ok((list::list(tx, &query)?, engine::dashboard::began(tx, config)?.any_item))).await?;
    let next = found.next.map(|(began_at, key)| format!("{began_at}.{key}"));
    let chosen = v.typed("kind").map(str::to_owned).or_else(|| v.asked("kind")).and_then(|word| Kind::parse(&word)).unwrap_or(Kind::Items);
    let body = html! {
        @for (id, file) in &waiting.of(&v.by().actor) {
            div.banner.banner-info { (icon("info")) div { (v.say("“{}” was checked and waits to be imported.", &[&file.name])) } a.btn.btn-s href={ "/imports/checked/" (id) } { (v.t("Look at it")) } }
        }
        div.cols.cols-2 {
            (choose(v, chosen))
            (Part::new("columns", v.t("Columns of the file"), html! { (kinds::columns(v, chosen)) }).right(html! {
                div.right { a href={ "/imports/template/" (chosen.word()) ".csv" } { (icon("download")) " " (v.t("Template")) } }
            }).show())
        }
        (past(v, waiting, &found.rows, next.as_deref()))
    };
    let right = html! { (sample(v, any_item, "/imports")) };
    let head =
        shell::head(v.t("Imports"), html! { (v.t("Files of any length. A bad row is told by its line and column, and harms no other.")) }, right);
    Ok(shell::page(v, Sheet { title: v.t("Imports").into(), here: "/imports", topics: "imports".into(), head, body }))
}

fn choose(v: &Viewer, chosen: Kind) -> Markup {
    let fault = fault(v, "file", v.t("CSV file"));
    let body = html! {
        nav.tabs.tabs-in aria-label=(v.t("What the file holds")) {
            @for kind in Kind::ALL { a href={ "/imports?kind=" (kind.word()) } aria-current=[(kind == chosen).then_some("page")] { (kinds::name(v, kind)) } }
        }
        div.panel-body.stack {
            p { (kinds::about(v, chosen)) }
            form.form.stack action="/imports/check" method="post" enctype="multipart/form-data" {
                (csrf(v))
                input type="hidden" name="kind" value=(chosen.word());
                div.field {
                    label for="f-file" { (v.t("CSV file")) }
                    input.input #f-file name="file" type="file" accept=".csv,.txt,.gz,text/csv,application/gzip" required aria-invalid=[fault.as_ref().map(|_| "true")] aria-describedby="d-file" data-key="f";
                    @if let Some(fault) = &fault { p.error #d-file role="alert" { (fault) } }
                    @else { p.hint #d-file { (v.t("Commas, semicolons or tabs; UTF-8, UTF-16 or Windows; gzip or not.")) } }
                }
                div.form-foot { button.btn.btn-primary type="submit" { (v.t("Check the file")) } span.small.quiet { (v.t("Nothing is imported yet.")) } }
            }
        }
    };
    Part::new("choose", v.t("Import a file"), body).show()
}

/// A few locations, items and stock, to look around with. Afterwards the browser goes on at `next`.
pub fn sample(v: &Viewer, any_item: bool, next: &str) -> Markup {
    let label = if any_item {
        html! { (v.t("Sample data…")) }
    } else {
        html! { (icon("play")) (v.t("Load a small sample…")) }
    };
    super::parts::confirm(
        label,
        "btn",
        html! {
            p { (v.t("Adds four locations, twelve items and their stock, all with codes that begin with DEMO-. They stay beside yours; items can be switched off and locations closed, but nothing is ever deleted.")) }
            (button(v, "/imports/sample", "btn btn-primary", &[("next", next)], html! { (v.t("Add the sample")) }))
        },
    )
}

/// Rows of the list of imports.
fn past(v: &Viewer, waiting: &Waiting, found: &[ImportLine], next: Option<&str>) -> Markup {
    let is_searched = ["q", "of", "state", "after"].iter().any(|name| v.asked(name).is_some());
    let figure = |label: &'static str, n: u64, warn: bool| {
        let n = n as i64;
        html! { td.num.zero[n == 0] data-label=(v.t(label)) { @if warn && n > 0 { span.is-warn { (v.num(n)) } } @else { (v.num(n)) } } }
    };
    let body = html! {
        @if is_searched || !found.is_empty() {
            form.filters action="/imports" role="search" {
                (search_box(v, "File, or who imported it", &v.asked("q").unwrap_or_default()))
                (kept(v, &["kind", "sort"]))
                select.select.select-s name="of" aria-label=(v.t("Kind")) data-auto {
                    option value="" { (v.t("All kinds")) }
                    @for kind in Kind::ALL { option value=(kind.word()) selected[v.asked("of").as_deref() == Some(kind.word())] { (kinds::name(v, kind)) } }
                }
                select.select.select-s name="state" aria-label=(v.t("State")) data-auto {
                    option value="" { (v.t("In any state")) }
                    @for standing in Standing::ALL { option value=(standing.word()) selected[v.asked("state").as_deref() == Some(standing.word())] { (v.t(standing_name(standing))) } }
                }
                button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            }
        }
        @if found.is_empty() && is_searched {
            (empty(v.t("None fits"), html! { @if next.is_some() { (v.t("Many imports were looked at and none was such. Go on to look at others.")) } @else { (v.t("No import is like that.")) } }, html! { div { a.btn href="/imports" { (v.t("Show all")) } } }))
            @if next.is_some() { (pager(v, 0, next)) }
        } @else if found.is_empty() { p.none { (v.t("None yet. Each import stands here with what was accepted and what was refused.")) } } @else {
            div.table-wrap { table.table.table-stack {
                thead { tr {
                    th scope="col" { (v.t("File")) } th scope="col" { (v.t("Kind")) } th scope="col" { (v.t("State")) } th.num scope="col" { (v.t("Accepted")) } th.num scope="col" { (v.t("Refused")) }
                    th scope="col" { (v.t("By")) } (sorted(v, "began", "Began", "", "-began"))
                } }
                tbody { @for i in found { tr data-row=(i.key) data-key=(i.key) {
                    th.clip scope="row" { a href={ "/imports/" (step(&i.key)) } data-open { @if i.file.is_empty() { (i.key) } @else { (i.file) } } }
                    td data-label=(v.t("Kind")) { (i.kind.map_or("–", |kind| kinds::name(v, kind))) }
                    td data-label=(v.t("State")) { (standing(v, waiting, i)) }
                    (figure("Accepted", i.accepted, false)) (figure("Refused", i.rejected, true))
                    td data-label=(v.t("By")) { (actor(&i.actor)) }
                    td data-label=(v.t("Began")) { time datetime=(iso(i.began_at)) { (v.moment(i.began_at)) } }
                } } }
            } }
            (pager(v, found.len(), next))
        }
    };
    let export =
        html! { @if !found.is_empty() { a.btn.btn-s.btn-ghost.right href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) } } };
    Part::new("past", v.t("Imports so far"), body).right(export).show()
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Done => "Done",
        Standing::ToMend => "Done, rows to mend",
        Standing::Unfinished => "Running or stopped",
    }
}

/// Whether an import is done, goes on, or stopped.
fn standing(v: &Viewer, waiting: &Waiting, import: &ImportLine) -> Markup {
    match () {
        () if import.finished && import.mended => state("ok", "st-ok", v.t("Done, rows mended")),
        () if import.finished && import.rejected > 0 => state("warn", "st-warn", v.t("Done, rows to mend")),
        () if import.finished => state("ok", "st-ok", v.t("Done")),
        () if runs(v, waiting, import) => state("half", "st-info", v.t("Running")),
        () => state("danger", "st-danger", v.t("Stopped")),
    }
}

/// Whether it runs, here or, as far as its last sign shows, on another server.
fn runs(v: &Viewer, waiting: &Waiting, import: &ImportLine) -> bool {
    Running::is(&import.key) || waiting.run(&import.key).is_none() && v.now - import.at < SILENT
}

/// A refused row in a table: where, what is wrong, and how it came.
fn shown_error(v: &Viewer, error: &RowError) -> Markup {
    html! {
        tr {
            td.num data-label=(v.t("Line")) { (v.num(error.line as i64)) }
            td data-label=(v.t("Column")) { @if error.column.is_empty() { "–" } @else { code { (error.column) } } }
            td.wrap data-label=(v.t("What is wrong")) { (v.whole(&error.detail)) " " span.aside { (error.code) } }
            td.clip data-label=(v.t("Row")) title=(error.row) { code { (error.row) } }
        }
    }
}

/// A template to begin with.
pub async fn template(Path(name): Path<String>) -> Result<Response<Body>, Problem> {
    let kind = name.strip_suffix(".csv").and_then(Kind::parse);
    let kind = kind.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "unknown_path", "There is no such template."))?;
    let mut response = Response::new(Body::from(kinds::template(kind)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    let file = HeaderValue::from_str(&format!("attachment; filename=\"{}.csv\"", kind.word())).map_err(|e| Stop::broken(e.to_string()))?;
    response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    Ok(response)
}

/// The files of the sample, in the order in which they depend on one another.
const SAMPLE: [(Kind, &str); 3] = [
    (Kind::Locations, include_str!("sample/locations.csv")),
    (Kind::Items, include_str!("sample/items.csv")),
    (Kind::Stock, include_str!("sample/stock.csv")),
];

/// Loads the sample. Under the same keys each time, so that doing it twice does it once.
pub async fn load_sample(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    if let Some(page) = whole(&posted.viewer) {
        return Ok(page.into_response());
    }
    let (engine, by) = (app.engine.clone(), posted.viewer.by());
    let work = move || {
        SAMPLE.iter().try_for_each(|(kind, text)| {
            let (key, file) = (format!("web:sample:{}", kind.word()), format!("sample-{}.csv", kind.word()));
            run(&engine, Import { key: &key, kind: *kind, file: &file }, Cursor::new(*text), &by, false, |_| Continue(())).map(drop)
        })
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))??;
    Ok(see(&posted.back("/imports?said=created")))
}

/// The address of the upload leads back when it is opened.
pub async fn back() -> Response<Body> {
    see("/imports")
}
