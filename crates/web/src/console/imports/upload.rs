//! A file that is sent by a form: kept on the disk, read once without being imported, shown, and then imported in the background.

use super::waiting::{Checked, Waiting, random};
use super::{kinds, shown_error};
use crate::App;
use crate::console::export;
use crate::console::fields::{Posted, check_token, see, step};
use crate::console::parts::{Part, button, icon};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::upload::{Pieces, Running};
use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use domain::{Noun, Refused};
use engine::Stop;
use engine::imports::effect::StockEffect;
use engine::imports::list::stopped;
use engine::imports::{Import, Kind, run};
use engine::views::RowError;
use maud::{Markup, html};
use multer::{Constraints, Multipart, SizeLimit};
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;

/// Refused rows that are shown of a checked file.
const SHOWN: usize = 50;
/// Longest name of a file that is kept, in characters.
const LONGEST_NAME: usize = 120;

/// The fields of the form, which come in this order: the token first, so that nothing is read from who has none.
fn multipart(request: Body, kind: &str) -> Result<Multipart<'static>, Problem> {
    let boundary = multer::parse_boundary(kind)
        .map_err(|_| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_form", "This address takes a form with a file."))?;
    let limits = SizeLimit::new().for_field("csrf", 200).for_field("kind", 40);
    let constraints = Constraints::new().allowed_fields(vec!["csrf", "kind", "file"]).size_limit(limits);
    Ok(Multipart::with_constraints(request.into_data_stream(), boundary, constraints))
}

fn bad_form() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_form", "This form could not be read. Open the page once more and repeat it.")
}

async fn short(form: &mut Multipart<'static>, name: &str) -> Result<String, Problem> {
    let field = form.next_field().await.ok().flatten().filter(|f| f.name() == Some(name)).ok_or_else(bad_form)?;
    field.text().await.map_err(|_| bad_form())
}

/// Takes a file, reads it once, and shows what came of it.
pub async fn check(State(app): State<App>, Extension(waiting): Extension<Arc<Waiting>>, request: Request) -> Result<Response<Body>, Problem> {
    let (mut parts, body) = request.into_parts();
    let viewer = Viewer::from_request_parts(&mut parts, &app).await?;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut form = multipart(body, kind)?;
    check_token(&viewer, &short(&mut form, "csrf").await?)?;
    if let Some(page) = super::whole(&viewer) {
        return Ok(page.into_response());
    }
    let kind = short(&mut form, "kind").await?;
    let field = form.next_field().await.ok().flatten().filter(|f| f.name() == Some("file")).ok_or_else(bad_form)?;
    let name: String = field.file_name().unwrap_or_default().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let file = Pieces::of(field);
    let found = match Kind::parse(&kind) {
        Some(kind) => read(&app, &viewer, waiting.clone(), kind, name, file).await,
        None => Err(Refused::invalid("kind", "names nothing that can be imported").into()),
    };
    match found {
        Ok(id) => Ok(see(&format!("/imports/checked/{id}"))),
        Err(stop) => Ok(super::show(&app, &viewer.refused(vec![("kind".into(), kind)], stop)?, &waiting).await?.into_response()),
    }
}

async fn read(app: &App, v: &Viewer, waiting: Arc<Waiting>, kind: Kind, name: String, file: Pieces) -> Result<String, Stop> {
    let (engine, by) = (app.engine.clone(), v.by());
    let owner = by.actor.to_string();
    let work = move || {
        let spooled = waiting.spool(file)?;
        let mut rows = 0;
        let view = run(&engine, Import { key: "", kind, file: &name }, spooled.reader()?, &by, true, |done| {
            rows = done;
            Continue(())
        })?;
        waiting.keep(Checked { owner, kind, name, rows, view: Arc::new(view), started: None }, spooled)
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))?
}

fn find(waiting: &Waiting, v: &Viewer, id: &str) -> Result<Checked, Problem> {
    let gone = Refused::invalid("file", "is no longer here: it was checked more than an hour ago, discarded, or on another server. Choose it again");
    waiting.find(id, &v.by().actor).ok_or_else(|| Problem::from(gone))
}

pub async fn checked(Extension(waiting): Extension<Arc<Waiting>>, Path(id): Path<String>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let found = find(&waiting, v, &id)?;
    if let Some(key) = &found.started {
        return Ok(see(&format!("/imports/{}", step(key))));
    }
    if v.asked("format").as_deref() == Some("csv") {
        let cells = |e: &RowError| vec![e.line.to_string(), e.column.clone(), v.whole(&e.detail).into(), e.code.clone(), e.row.clone()];
        let rows: Vec<Vec<String>> = found.view.errors.iter().map(cells).collect();
        return Ok(export::rows("what-is-wrong.csv", &["line", "column", "what_is_wrong", "code", "row"], &rows));
    }
    Ok(show(v, &id, &found).into_response())
}

fn show(v: &Viewer, id: &str, found: &Checked) -> Page {
    let view = &found.view;
    let path = format!("/imports/checked/{id}");
    let good = view.accepted as i64;
    let figure = |name: &'static str, n: i64, note: &'static str, warn: bool| {
        html! { div.kpi { dt { (v.t(name)) } dd { span.val { (v.num(n)) } span.note.is-warn[warn] { (v.t(note)) } } } }
    };
    let body = html! {
        @if view.rejected > 0 {
            div.banner.banner-warn role="status" { (icon("warn")) div {
                b { (v.say("Cannot be imported as in the file: {}.", &[&v.count(view.rejected as i64, "row", "rows")])) } " "
                (v.t("They harm no other row: import the rest and mend them afterwards, or mend the file and choose it again."))
            } }
        } @else {
            div.banner.banner-ok role="status" { (icon("ok")) div { b { (v.t("Every row can be read.")) } " " (v.t("Nothing was imported yet.")) } }
        }
        section.panel aria-label=(v.t("Figures")) { dl.kpis {
            (figure("Rows", found.rows as i64, "In the file", false))
            (figure("Can be imported", good, "As far as the file shows", false))
            (figure("To mend", view.rejected as i64, if view.rejected > 0 { "By line, below" } else { "None" }, view.rejected > 0))
        } }
        @if !view.errors.is_empty() { (errors(v, found)) }
        @if let Some(effect) = view.effect.as_deref().filter(|_| good > 0) { (changes(v, effect)) }
        div.form-foot {
            @if good > 0 { (button(v, &path, "btn btn-primary", &[("do", "import")], html! { (icon("import")) (v.say("Import {}", &[&v.count(good, "row", "rows")])) })) }
            a.btn href={ "/imports?kind=" (found.kind.word()) } { (v.t("Choose another file")) }
            (button(v, &path, "btn btn-ghost", &[("do", "discard")], html! { (v.t("Discard")) }))
        }
        p.small.quiet { (v.t("Whether an order can be filled, or a change is taken, shows when it is done. The file waits here for an hour.")) }
    };
    let sub = html! { a href="/imports" { (v.t("Imports")) } " / " (kinds::name(v, found.kind)) " · " (v.t("checked, not imported")) };
    let title = if found.name.is_empty() { v.t("A file").to_owned() } else { found.name.clone() };
    let head = shell::head(&title, sub, html! {});
    shell::page(v, Sheet { title, here: "/imports", topics: String::new(), head, body })
}

fn errors(v: &Viewer, found: &Checked) -> Markup {
    let view = &found.view;
    let body = html! {
        div.table-wrap { table.table.table-tight.table-stack {
            thead { tr { th.num scope="col" { (v.t("Line")) } th scope="col" { (v.t("Column")) } th scope="col" { (v.t("What is wrong")) } th scope="col" { (v.t("Row")) } } }
            tbody { @for error in view.errors.iter().take(SHOWN) { (shown_error(v, error)) } }
        } }
    };
    let shown = view.errors.len().min(SHOWN) as i64;
    let head =
        html! { @if view.rejected as i64 > shown { span.sub { (v.say("The first {} of {}", &[&v.num(shown), &v.num(view.rejected as i64)])) } } };
    let kept = view.errors.len();
    let label = if kept < view.rejected as usize { v.say("Export the first {}", &[&v.num(kept as i64)]) } else { v.t("Export").to_owned() };
    let right = html! { a.btn.btn-s.btn-ghost.right href="?format=csv" { (icon("download")) (label) } };
    Part::new("errors", v.t("Rows to mend"), body).head(head).right(right).show()
}

/// What a file of stock would change.
fn changes(v: &Viewer, effect: &StockEffect) -> Markup {
    let figure = |name: &'static str, rows: u64, units: i64| {
        let note = if rows == 0 { v.t("None").to_owned() } else { v.say("In {}", &[&v.count(rows as i64, "row", "rows")]) };
        html! { div.kpi { dt { (v.t(name)) } dd { span.val { (v.signed(units)) } span.note { (note) } } } }
    };
    let body = html! {
        dl.kpis {
            (figure("Units more", effect.rows_up, effect.units_up))
            (figure("Units fewer", effect.rows_down, -effect.units_down))
            div.kpi { dt { (v.t("Unchanged")) } dd { span.val { (v.num(effect.rows_same as i64)) } span.note { (v.t("rows that say what is there")) } } }
        }
        @if !effect.largest.is_empty() { div.table-wrap { table.table.table-tight.table-stack {
            thead { tr { th.num scope="col" { (v.t("Line")) } th scope="col" { (v.t("Item")) } th scope="col" { (v.t("Location")) } th.num scope="col" { (v.t("Available now")) } th.num scope="col" { (v.t("After")) } th.num scope="col" { (v.t("Change")) } } }
            tbody { @for c in &effect.largest { @let by = c.after - c.before; tr {
                td.num data-label=(v.t("Line")) { (v.num(c.line as i64)) }
                th scope="row" { a href={ "/items/" (step(&c.sku)) } { (c.sku) } } td data-label=(v.t("Location")) { (c.location) }
                td.num data-label=(v.t("Available now")) { (v.num(c.before)) } td.num.strong data-label=(v.t("After")) { (v.num(c.after)) }
                td.num.is-ok[by > 0].is-danger[by < 0] data-label=(v.t("Change")) { (v.signed(by)) }
            } } }
        } } }
    };
    let changed = (effect.rows_up + effect.rows_down) as i64;
    let shown = effect.largest.len() as i64;
    let head = html! { span.sub { @if changed > shown { (v.say("The {} largest of {}", &[&v.num(shown), &v.count(changed, "change", "changes")])) } @else { (v.t("As the stock was when the file was checked")) } } };
    Part::new("effect", v.t("What it would change"), body).head(head).show()
}

/// Imports a checked file in the background, or forgets it.
pub async fn act(
    State(app): State<App>,
    Extension(waiting): Extension<Arc<Waiting>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response<Body>, Problem> {
    let v = &posted.viewer;
    let found = find(&waiting, v, &id)?;
    if posted.fields.text("do") == "discard" {
        waiting.discard(&id);
        return Ok(see("/imports"));
    }
    let key = match &found.started {
        // Pressed twice.
        Some(key) => key.clone(),
        None => start(&app, waiting, v, &id).await?,
    };
    Ok(see(&format!("/imports/{}", step(&key))))
}

/// Begins the import; one of the same file that stopped goes on.
async fn start(app: &App, waiting: Arc<Waiting>, v: &Viewer, id: &str) -> Result<String, Stop> {
    let gone = || Refused::unknown(Noun::Import, id, "id");
    let prefix = waiting.prefix(id).ok_or_else(gone)?;
    let begins = prefix.clone();
    let key = app.engine.read(move |tx| stopped(tx, &begins)).await?.filter(|key| !Running::is(key));
    let key = key.map_or_else(|| random().map(|end| format!("{prefix}{end}")), Ok)?;
    let running = Running::begin(&key).ok_or(Refused::IdempotencyInProgress)?;
    let file = waiting.take(id, &key).ok_or_else(gone)?;
    let found = waiting.run(&key).ok_or_else(gone)?;
    let (engine, by, under) = (app.engine.clone(), v.by(), key.clone());
    tokio::task::spawn_blocking(move || {
        let _running = running;
        let go_on = |_| if found.is_stopped() { Break(()) } else { Continue(()) };
        if let Err(stop) = run(&engine, Import { key: &under, kind: found.kind, file: &found.name }, file, &by, false, go_on) {
            tracing::warn!("the import {under} ended early: {stop}");
            waiting.failed(&under, stop.to_string());
        }
    });
    Ok(key)
}
