//! A new transfer: goods leave one location for another. What the one has of each line is shown while it is typed.

use crate::App;
use crate::console::fields::{Fields, Posted, pairs, see};
use crate::console::line_editor;
use crate::console::orders::Places;
use crate::console::parts::{Field, csrf, icon, once, select};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::{Html, IntoResponse};
use domain::{Refused, Shortfall};
use engine::catalog::read::names;
use engine::stock::read::stock;
use engine::stock::transfer::SendTransfer;
use engine::{Answer, Command, Reply, Stop, rehearse};
use maud::{Markup, html};

/// Locations that are offered in a list; beyond, the code is typed.
const OFFERED: usize = 200;
/// Lines whose stock is looked up while one types.
const LOOKED_UP: usize = 50;

fn transfer(fields: &Fields, typed: &[line_editor::Typed]) -> Result<SendTransfer, Refused> {
    Ok(SendTransfer {
        from: fields.text("from").to_owned(),
        to: fields.text("to").to_owned(),
        lines: line_editor::sku_lines(typed)?,
        reference: fields.given("reference"),
    })
}

/// The locations that goods may leave from and go to, as far as the reader may know them.
struct Ends {
    places: Places,
    /// There are others, which go by their codes.
    others: bool,
}

async fn ends(app: &App, v: &Viewer) -> Result<Ends, Stop> {
    let grant = v.grant();
    app.read(move |_, config| {
        let mut ends = Ends { places: Places::of(config, &grant), others: grant.locations.is_some() };
        ends.places.0.retain(|l| l.active);
        Ok(ends)
    })
    .await
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let ends = ends(&app, &viewer).await?;
    Ok(show(&viewer, &ends, &[], &html! { p.muted { (viewer.t("Type lines to see what is there.")) } }))
}

fn show(v: &Viewer, ends: &Ends, short: &[Shortfall], outlook: &Markup) -> Page {
    let head = html! {
        div.page-head { div.grow {
            p.crumb { a href="/transfers" { (v.t("Transfers")) } (icon("right")) span { (v.t("New transfer")) } }
            h1 { (v.t("New transfer")) }
            p.sub { (v.t("The units leave at once, and are incoming at the other end until they are received there.")) }
        } }
    };
    let named: Vec<(String, String)> = ends.places.0.iter().take(OFFERED + 1).map(|l| (l.code.clone(), l.name.clone())).collect();
    let end = |name: &'static str, label: &'static str, others: bool, chosen: &str| {
        let chosen = v.asked(name).unwrap_or_else(|| chosen.to_owned());
        html! { @if named.len() > OFFERED || others { (Field::new(name, label).value(&chosen).required().suggest("locations").hint(html! { (v.t("The code of a location")) }).show(v)) } @else { (select(v, name, label, &named, &chosen)) } }
    };
    let of_line = |n: usize| {
        let sku = v.typed(&format!("lines[{n}].sku")).unwrap_or_default();
        html! { @if let Some(s) = short.iter().find(|s| s.sku == sku) { p.error.small role="alert" { (v.say("{} asked, {} available", &[&v.num(s.requested), &v.num(s.available)])) } } }
    };
    let second = if ends.others { "" } else { ends.places.0.get(1).map_or("", |l| &l.code) };
    let body = html! {
        form action="/transfers/new" method="post" data-guard {
            (csrf(v)) (once())
            // What Enter does in a field.
            button.vh type="submit" tabindex="-1" aria-hidden="true" { (v.t("Send")) }
            div.cols.cols-side data-preview="/transfers/new/preview" data-preview-target="outlook" {
                section.panel aria-labelledby="h-lines" { div.panel-head { h2 #h-lines { (v.t("Lines")) } } (line_editor::editor(v, false, of_line)) }
                aside.stack {
                    section.panel aria-labelledby="h-ends" {
                        div.panel-head { h2 #h-ends { (v.t("Transfer")) } }
                        div.panel-body.stack-m {
                            (end("from", "From", false, "")) (end("to", "To", ends.others, second))
                            (Field::new("reference", "Reference").hint(html! { (v.t("Of a delivery note, if there is one.")) }).show(v))
                            div.form-foot {
                                button.btn.btn-primary type="submit" { (icon("truck")) (v.t("Send")) }
                                button.btn.no-js type="submit" name="look" value="on" formnovalidate { (v.t("Outlook")) }
                            }
                        }
                    }
                    section.panel aria-labelledby="h-outlook" { div.panel-head { h2 #h-outlook { (v.t("Outlook")) } } div.panel-body #outlook aria-live="polite" { (outlook) } }
                }
            }
        }
    };
    shell::page(v, Sheet { title: v.t("New transfer").into(), here: "/transfers", topics: String::new(), head, body })
}

pub async fn send(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let typed = line_editor::typed(&posted.fields);
    let ends = ends(&app, &posted.viewer).await?;
    if posted.fields.is_on("rows") || posted.fields.is_on("look") {
        let Posted { mut viewer, fields, .. } = posted;
        let outlook = outlook(&app, &viewer, &fields, &typed).await?;
        viewer.typed = line_editor::again(fields, &typed);
        return Ok(show(&viewer, &ends, &[], &outlook).into_response());
    }
    let outcome = match transfer(&posted.fields, &typed) {
        Ok(transfer) => posted.submit(&app, Command::SendTransfer(transfer)).await,
        Err(refused) => Err(refused.into()),
    };
    match outcome {
        Ok(reply) => Ok(see(&landing(&reply)?)),
        Err(stop) => {
            let short = match stop.refused() {
                Some(Refused::InsufficientStock { shortfalls }) => shortfalls.clone(),
                _ => Vec::new(),
            };
            let Posted { viewer, fields, .. } = posted;
            let outlook = outlook(&app, &viewer, &fields, &typed).await?;
            let viewer = viewer.refused(line_editor::again(fields, &typed), stop)?;
            Ok(show(&viewer, &ends, &short, &outlook).into_response())
        }
    }
}

fn landing(reply: &Reply) -> Result<String, Stop> {
    let id = match &reply.answer {
        Answer::Transfer(transfer) => transfer.id.0.to_string(),
        Answer::Stored(json) => {
            let transfer: serde_json::Value = serde_json::from_str(json.get()).unwrap_or_default();
            transfer["id"].as_str().unwrap_or_default().to_owned()
        }
        _ => return Err(Stop::broken("a transfer was sent and another thing answered")),
    };
    Ok(format!("/transfers/{id}?said=sent"))
}

/// What would be refused, and what there is of each line, for the page to put beside the form.
pub async fn preview(State(app): State<App>, viewer: Viewer) -> Result<Html<String>, Problem> {
    let fields = Fields(pairs(&viewer.query));
    let typed = line_editor::typed(&fields);
    Ok(Html(outlook(&app, &viewer, &fields, &typed).await?.into_string()))
}

async fn outlook(app: &App, v: &Viewer, fields: &Fields, typed: &[line_editor::Typed]) -> Result<Markup, Problem> {
    if typed.is_empty() {
        return Ok(html! { p.muted { (v.t("Type lines to see what is there.")) } });
    }
    // A line that is still being typed fails for nothing yet.
    let is_whole = typed.iter().all(|line| !line.quantity.is_empty());
    let transfer = is_whole.then(|| transfer(fields, typed));
    let from = fields.text("from").to_owned();
    let skus: Vec<String> = typed.iter().take(LOOKED_UP).map(|line| line.sku.clone()).collect();
    let (by, now, grant) = (v.by(), v.now, v.grant());
    let (has, refused, named) = app
        .read_shared(move |tx, config| {
            let seen = config.by_code(&from).is_some_and(|l| grant.at(l.id));
            let mut has: Vec<Option<i64>> = Vec::new();
            for sku in &skus {
                has.push(match stock(tx, config, sku, None) {
                    Ok(view) => Some(view.locations.iter().filter(|l| seen && *l.location == *from).map(|l| l.balances.available).sum()),
                    Err(stop) if stop.refused().is_some() => None,
                    Err(stop) => return Err(stop),
                });
            }
            let refused = match transfer {
                None => None,
                Some(Err(refused)) => Some(refused),
                Some(Ok(transfer)) => {
                    let rehearsed = rehearse(tx, config, now, &by, &[Command::SendTransfer(transfer)])?.pop();
                    rehearsed.and_then(|r| r.outcome.err())
                }
            };
            let named = names(tx, &skus.iter().map(String::as_str).collect::<Vec<_>>())?;
            Ok((has, refused, named))
        })
        .await?;
    Ok(html! {
        div.stack-m {
            @match &refused {
                Some(refused) => p.is-danger { (icon("danger")) " " (line_editor::why(v, refused, &[("from", "From"), ("to", "To")])) },
                None if !is_whole => {},
                None => p { (icon("ok")) " " (v.t("All of it can be sent.")) },
            }
            div.table-wrap { table.table.table-tight.table-flush.no-top {
                caption.vh { (v.t("Available")) }
                thead { tr { th scope="col" { (v.t("Item")) } th.num scope="col" { (v.t("Available there")) } } }
                tbody { @for (line, has) in typed.iter().zip(&has) { tr { th.wrap scope="row" { (line.sku) @if let Some(name) = named.get(&*line.sku) { small.blk { (name) } } } @match has { Some(n) => td.num.strong { (v.num(*n)) }, None => td.is-danger { (v.t("There is no such item")) } } } } }
            } }
        }
    })
}
