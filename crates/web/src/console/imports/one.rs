//! One import: how far it is, what it refused and why, and the ways to mend that: as a file, or here.

use super::waiting::{Run, Waiting, random};
use super::{kinds, runs, shown_error, standing, whole};
use crate::App;
use crate::console::fields::{Posted, see, step};
use crate::console::parts::{Part, bar, button, confirm, csrf, icon, once};
use crate::console::shell::{self, Page, Sheet};
use crate::console::show::actor;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::upload::Running;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::{Noun, Refused};
use engine::Stop;
use engine::imports::list::{self, ImportLine};
use engine::imports::mend::{self, RefusedRow};
use engine::imports::{ERROR, Import, ImportState, run};
use maud::{Markup, html};
use std::io::Cursor;
use std::ops::ControlFlow::Continue;
use std::sync::Arc;

/// Refused rows that are shown, and that can be mended in the page; fewer where they have many columns.
const SHOWN: usize = 100;
const MANY_COLUMNS: usize = 8;

async fn read(app: &App, key: &str) -> Result<(ImportLine, ImportState), Stop> {
    let key = key.to_owned();
    app.engine.read(move |tx| list::one(tx, &key)).await
}

pub async fn page(
    State(app): State<App>,
    Extension(waiting): Extension<Arc<Waiting>>,
    Path(key): Path<String>,
    viewer: Viewer,
) -> Result<Page, Problem> {
    if let Some(page) = whole(&viewer) {
        return Ok(page);
    }
    let v = &viewer;
    let here = waiting.run(&key);
    let (title, sub, body) = match (read(&app, &key).await, &here) {
        (Ok((import, found)), _) => {
            let title = if import.file.is_empty() { import.key.clone() } else { import.file.clone() };
            let kind = import.kind.map_or("–", |kind| kinds::name(v, kind));
            (
                title,
                html! { (kind) ", " (actor(&import.actor)) ", " (v.moment(import.began_at)) " " (standing(v, &waiting, &import)) },
                told(v, &waiting, &import, &found),
            )
        }
        // Its first rows are on their way.
        (Err(stop), Some(run)) if stop.refused().is_some() => (run.name.clone(), html! { (kinds::name(v, run.kind)) }, begins(v, run)),
        (Err(stop), _) => return Err(stop.into()),
    };
    let head = shell::head(&title, html! { a href="/imports" { (v.t("Imports")) } " / " (sub) }, html! {});
    Ok(shell::page(v, Sheet { title: title.clone(), here: "/imports", topics: "imports tick".into(), head, body }))
}

fn begins(v: &Viewer, run: &Run) -> Markup {
    html! {
        @match &run.fault {
            Some(fault) => div.banner.banner-danger role="alert" { (icon("danger")) div { b { (v.t("It ended before its first row.")) } " " (v.whole(fault)) } }
            None => section.panel aria-label=(v.t("Progress")) { p.none { (v.say("{} begin…", &[&v.count(run.rows as i64, "row", "rows")])) } }
        }
    }
}

fn told(v: &Viewer, waiting: &Waiting, import: &ImportLine, found: &ImportState) -> Markup {
    let here = waiting.run(&import.key);
    let here = here.as_ref();
    let fault = here.and_then(|r| r.fault.as_ref());
    html! {
        @if let Some(fault) = fault {
            div.banner.banner-danger role="alert" { (icon("danger")) div { b { (v.say("It ended at row {}.", &[&v.num(import.rows_done as i64)])) } " " (v.whole(fault)) } }
        } @else if here.is_some_and(Run::is_stopped) && !import.finished {
            div.banner.banner-warn role="status" { (icon("warn")) div {
                b { (v.say("It was stopped at row {}.", &[&v.num(import.rows_done as i64)])) } " "
                (v.t("What is imported stays. Choose the same file again: it goes on where it stopped, and no row is done twice."))
            } a.btn.btn-s href={ "/imports?kind=" (import.kind.map_or("items", |k| k.word())) } { (v.t("Choose the file")) } }
        } @else if !import.finished && !runs(v, waiting, import) {
            div.banner.banner-warn role="status" { (icon("warn")) div {
                b { (v.say("It stopped at row {}.", &[&v.num(import.rows_done as i64)])) } " "
                (v.t("The server was stopped, or the file ended early. Choose the same file again: it goes on where it stopped, and no row is done twice."))
            } a.btn.btn-s href={ "/imports?kind=" (import.kind.map_or("items", |k| k.word())) } { (v.t("Choose the file")) } }
        }
        (progress(v, import, here))
        @if import.rejected > 0 { (refused(v, import, found)) }
    }
}

fn progress(v: &Viewer, import: &ImportLine, here: Option<&Run>) -> Markup {
    let (done, of) = (import.rows_done as i64, here.map(|r| r.rows as i64).filter(|rows| *rows > 0));
    let took = import.at - import.began_at;
    let figure = |name: &'static str, n: u64, note: String, warn: bool| {
        html! { div.kpi { dt { (v.t(name)) } dd { span.val { (v.num(n as i64)) } span.note.is-warn[warn] { (note) } } } }
    };
    let rows_note = match (import.finished, of) {
        (true, _) => v.say("in {}", &[&v.age(took)]),
        (false, Some(of)) => v.say("of {}", &[&v.num(of)]),
        (false, None) => v.t("so far").to_owned(),
    };
    html! {
        section.panel data-part data-key="progress" aria-label=(v.t("Progress")) {
            dl.kpis {
                (figure("Rows done", import.rows_done, rows_note, false))
                (figure("Accepted", import.accepted, String::new(), false))
                (figure("Refused", import.rejected, if import.rejected > 0 { v.t("They changed nothing").to_owned() } else { String::new() }, import.rejected > 0))
            }
            @if let Some(of) = of.filter(|_| !import.finished) {
                @if here.is_some_and(|r| r.fault.is_none() && !r.is_stopped()) && Running::is(&import.key) { (stop(v, import)) }
                div.sum { span { (v.t("Progress")) } (bar(&v.say("{} of {} rows", &[&v.num(done), &v.num(of)]), of, &[("b-a", done)], None)) span { (done * 100 / of.max(1)) "%" } }
            }
        }
    }
}

fn stop(v: &Viewer, import: &ImportLine) -> Markup {
    let body = html! {
        p { (v.t("It ends after the rows that are under way. What is imported stays, and the same file goes on from there later.")) }
        (button(v, &format!("/imports/{}/stop", step(&import.key)), "btn btn-danger", &[], html! { (v.t("Stop the import")) }))
    };
    html! { div.panel-body { (confirm(html! { (icon("pause")) (v.t("Stop…")) }, "btn btn-s", body)) } }
}

/// Stops an import that runs here. One that ended meanwhile is shown as it ended.
pub async fn do_stop(Extension(waiting): Extension<Arc<Waiting>>, Path(key): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    if let Some(page) = whole(&posted.viewer) {
        return Ok(page.into_response());
    }
    if let Some(run) = waiting.run(&key) {
        run.stop();
    }
    Ok(see(&format!("/imports/{}", step(&key))))
}

fn refused(v: &Viewer, import: &ImportLine, found: &ImportState) -> Markup {
    let path = format!("/imports/{}", step(&import.key));
    let kept = found.view.errors.len() as i64;
    let is_kept = found.view.errors.iter().any(|e| !e.row.is_empty());
    let body = html! {
        div.table-wrap { table.table.table-tight.table-stack {
            thead { tr { th.num scope="col" { (v.t("Line")) } th scope="col" { (v.t("Column")) } th scope="col" { (v.t("What is wrong")) } th scope="col" { (v.t("Row")) } } }
            tbody { @for error in found.view.errors.iter().take(SHOWN) { (shown_error(v, error)) } }
        } }
        div.panel-foot {
            span.grow {
                @if import.rejected as i64 > kept { (v.say("The first {} of {} are kept; when they are mended, import the file again for the rest.", &[&v.num(kept), &v.num(import.rejected as i64)])) }
                @else if kept > SHOWN as i64 { (v.say("The first {} of {}; the file has all.", &[&v.num(SHOWN as i64), &v.num(kept)])) }
            }
            @if is_kept {
                a.btn.btn-s href={ (path) "/refused" } { (icon("download")) (v.t("Download the refused rows")) }
                @if import.mended { span { (icon("ok")) " " (v.t("Rows were mended and imported.")) } }
                @if import.kind.is_some() { a.btn.btn-s.btn-primary[!import.mended] href={ (path) "/mend" } data-key="m" title=(v.t("Mend them here")) { (icon("edit")) (v.t("Mend them here")) } }
            }
        }
    };
    Part::new("refused", v.t("Refused rows"), body).head(html! { span.sub { (v.num(import.rejected as i64)) } }).show()
}

/// The refused rows as a file with one more column, that says why. It can be mended and imported as it is.
pub async fn download(State(app): State<App>, Path(key): Path<String>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if let Some(page) = whole(&viewer) {
        return Ok(page.into_response());
    }
    let (_, found) = read(&app, &key).await?;
    let (mut columns, rows) = mend::refused(&found);
    columns.push(ERROR.to_owned());
    let lines: Vec<Vec<String>> = rows
        .into_iter()
        .filter(|r| !r.cells.is_empty())
        .map(|r| {
            let why = if r.column.is_empty() { r.detail } else { format!("{}: {}", r.column, r.detail) };
            r.cells.into_iter().chain([why]).collect()
        })
        .collect();
    let head: Vec<&str> = columns.iter().map(String::as_str).collect();
    Ok(crate::console::export::rows("refused.csv", &head, &lines))
}

/// The rows that can be mended in the page.
fn mendable(found: &ImportState) -> (Vec<String>, Vec<RefusedRow>) {
    let (columns, mut rows) = mend::refused(found);
    rows.retain(|r| !r.cells.is_empty());
    rows.truncate(if columns.len() > MANY_COLUMNS { SHOWN / 2 } else { SHOWN });
    (columns, rows)
}

pub async fn mend_page(State(app): State<App>, Path(key): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    if let Some(page) = whole(&viewer) {
        return Ok(page);
    }
    let (import, found) = read(&app, &key).await?;
    Ok(show_mend(&viewer, &import, &found))
}

fn cell_name(row: usize, column: usize) -> String {
    format!("c{row}.{column}")
}

fn show_mend(v: &Viewer, import: &ImportLine, found: &ImportState) -> Page {
    let (columns, rows) = mendable(found);
    let path = format!("/imports/{}", step(&import.key));
    let body = html! {
        section.panel aria-label=(v.t("Refused rows")) {
            form action={ (path) "/mend" } method="post" data-guard {
                (csrf(v)) (once())
                div.table-wrap { table.table.table-tight.no-top {
                    thead { tr { th.num scope="col" { (v.t("Line")) } @for column in &columns { th scope="col" { (column) } } th scope="col" { (v.t("What is wrong")) } } }
                    tbody { @for (n, row) in rows.iter().enumerate() { tr data-key=(n) {
                        th.num scope="row" { (v.num(row.line as i64)) }
                        @for (m, (column, value)) in columns.iter().zip(&row.cells).enumerate() {
                            @let name = cell_name(n, m);
                            td { input.input name=(name) value=(v.typed(&name).unwrap_or(value)) aria-label={ (column) " " (row.line) } aria-invalid=[(*column == row.column).then_some("true")]; }
                        }
                        td.wrap.small { (v.whole(&row.detail)) }
                    } } }
                } }
                div.panel-foot {
                    span.grow { (v.t("A row whose cells are all empty is left out.")) }
                    a.btn.btn-ghost href=(path) { (v.t("Cancel")) }
                    button.btn.btn-primary type="submit" { (v.say("Import {}", &[&v.count(rows.len() as i64, "row", "rows")])) }
                }
            }
        }
    };
    let title = v.t("Mend refused rows");
    let sub = html! { a href="/imports" { (v.t("Imports")) } " / " a href=(path) { (import.file) } };
    shell::page(v, Sheet { title: title.into(), here: "/imports", topics: String::new(), head: shell::head(title, sub, html! {}), body })
}

/// Imports the mended rows, and only these. Few enough to wait for.
pub async fn mend(State(app): State<App>, Path(key): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    if let Some(page) = whole(&posted.viewer) {
        return Ok(page.into_response());
    }
    let (import, found) = read(&app, &key).await?;
    let kind = import.kind.ok_or_else(|| Refused::unknown(Noun::Import, &key, "key"))?;
    let (columns, rows) = mendable(&found);
    let typed = |n: usize| (0..columns.len()).map(|m| posted.fields.text(&cell_name(n, m)).to_owned()).collect::<Vec<String>>();
    let mended: Vec<Vec<String>> = (0..rows.len()).map(typed).filter(|row| row.iter().any(|cell| !cell.is_empty())).collect();
    if mended.is_empty() {
        return Ok(see(&format!("/imports/{}", step(&key))));
    }
    let text = mend::file(&columns, mended.iter().map(Vec::as_slice));
    // The form's own name makes sending it twice one import.
    let once = posted.fields.given("once").filter(|o| o.len() <= 64 && o.bytes().all(|b| b.is_ascii_alphanumeric())).map_or_else(random, Ok)?;
    let (again, name) = (format!("{}{once}", list::mends(&key)), posted.viewer.say("{}, mended", &[&import.file]));
    let running = Running::begin(&again).ok_or(Refused::IdempotencyInProgress)?;
    let (engine, by, under) = (app.engine.clone(), posted.viewer.by(), again.clone());
    let work = move || {
        let _running = running;
        run(&engine, Import { key: &under, kind, file: &name }, Cursor::new(text), &by, false, |_| Continue(())).map(drop)
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))?;
    match done {
        Ok(()) => Ok(see(&format!("/imports/{}", step(&again)))),
        Err(stop) => Ok(show_mend(&posted.viewer.refused(posted.fields.0, stop)?, &import, &found).into_response()),
    }
}
