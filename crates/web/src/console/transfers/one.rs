//! One transfer, and what arrived of it: whole, in parts, or with losses. What has not arrived can be called off.

use super::place;
use crate::App;
use crate::console::fields::{Fields, Posted, saying, see};
use crate::console::line_editor::Cell;
use crate::console::orders::Places;
use crate::console::parts::{Part, bar, csrf, fact, form, icon, item, once, seen};
use crate::console::shell::{self, Page, Sheet};
use crate::console::status;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::StockTransfer;
use domain::{Noun, Refused};
use engine::access::{audit, reach};
use engine::catalog::read::{Named, names};
use engine::orders::read;
use engine::stock::transfer::{CancelTransfer, ReceiveTransfer, ReceivedLine};
use engine::views::{TransferLineView, TransferView};
use engine::{Command, Stop};
use maud::{Markup, html};

async fn load(app: &App, v: &Viewer, id: i64) -> Result<(TransferView, Places, Named), Stop> {
    let grant = v.grant();
    app.read(move |tx, config| {
        let view = read::transfer(tx, config, id)?;
        if !reach::transfer(&view, &grant, config) {
            return Err(Refused::unknown(Noun::Transfer, id.to_string(), "id").into());
        }
        let names = names(tx, &view.lines.iter().map(|l| &*l.sku).collect::<Vec<_>>())?;
        Ok((view, Places::of(config, &grant), names))
    })
    .await
}

pub async fn page(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let (transfer, places, named) = load(&app, &viewer, number(Noun::Transfer, &id)?).await?;
    Ok(show(&viewer, &transfer, &places, &named))
}

fn left(line: &TransferLineView) -> i64 {
    line.quantity - line.received - line.lost - line.canceled
}

fn show(v: &Viewer, t: &TransferView, places: &Places, named: &Named) -> Page {
    let sum = |figure: fn(&TransferLineView) -> i64| t.lines.iter().map(figure).sum::<i64>();
    let (units, received, lost, canceled, open) = (sum(|l| l.quantity), sum(|l| l.received), sum(|l| l.lost), sum(|l| l.canceled), sum(left));
    let (from, to) = (place(v, places, &t.from), place(v, places, &t.to));
    // Whoever receives is where it arrives.
    let receives = open > 0 && v.may(StockTransfer) && places.get(&t.to).is_some();
    let head = html! {
        div.page-head {
            div.grow {
                p.crumb { a href="/transfers" { (v.t("Transfers")) } (icon("right")) span { (t.reference.as_deref().map_or_else(|| t.id.0.to_string(), str::to_owned)) } }
                h1.row { (v.say("Transfer {}", &[&t.id.0])) " " (status::tag(v, status::parse(t.status))) }
                p.sub { (from) " " (icon("arrow")) " " (to) }
            }
            @if open > 0 && v.may(StockTransfer) && places.get(&t.from).is_some() { (call_off(v, t, open, from)) }
        }
    };
    let body = html! {
        section.panel data-part data-key="facts" aria-label=(v.t("Facts")) { div.panel-body.stack-m {
            dl.facts-row {
                (fact(v.t("Sent"), html! { (v.moment(t.created_at.0)) }))
                @if open > 0 { (fact(v.t("On its way for"), html! { (v.age(v.now - t.created_at.0)) })) }
                (fact(v.t("Units"), html! { (v.num(units)) }))
                (fact(v.t("Received"), html! { (v.num(received)) }))
                (fact(v.t("Lost"), html! { span.is-danger[lost > 0] { (v.num(lost)) } }))
                @if canceled > 0 { (fact(v.t("Canceled"), html! { (v.num(canceled)) })) }
                (fact(v.t("Still to come"), html! { (v.num(open)) }))
            }
            (bar(&v.say("{} of {} units arrived, {} lost", &[&v.num(received), &v.num(units), &v.num(lost)]), units.max(1), &[("b-a", received), ("b-danger", lost)], None))
        } }
        @if receives {
            (form(v, &format!("/transfers/{}/receive", t.id.0), html! {
                (seen(&audit::etag_of(t)))
                (Part::new("lines", v.t("Receive"), html! {
                    (lines(v, t, named, true))
                    div.panel-foot {
                        button.btn.btn-primary type="submit" { (icon("ok")) (v.t("Receive")) }
                        span.small.quiet { (v.t("What is neither received nor lost is still on its way. Lost units are written off.")) }
                    }
                }).head(html! { span.sub { (v.say("at {}", &[&to])) } }).show())
            }))
        } @else { (Part::new("lines", v.t("Lines"), lines(v, t, named, false)).show()) }
    };
    shell::page(v, Sheet { title: v.say("Transfer {}", &[&t.id.0]), here: "/transfers", topics: "transfers".into(), head, body })
}

/// Whoever sent it calls off what has not arrived.
fn call_off(v: &Viewer, t: &TransferView, open: i64, from: &str) -> Markup {
    let units = v.count(open, "unit", "units");
    let body = html! {
        p { (v.say("{} are available at {} again at once; orders that wait there for them are served. What has arrived stays.", &[&units, &from])) }
        form action={ "/transfers/" (t.id.0) "/cancel" } method="post" {
            (csrf(v)) (once()) (seen(&audit::etag_of(t)))
            button.btn.btn-danger type="submit" { (v.say("Cancel {}", &[&units])) }
        }
    };
    html! { details.confirm { summary.btn data-key="c" { (icon("undo")) (v.t("Cancel the transfer")) " " kbd { "C" } } div { (body) } } }
}

fn lines(v: &Viewer, t: &TransferView, named: &Named, receives: bool) -> Markup {
    let figure = |label: &'static str, n: i64| html! { td.num.zero[n == 0] data-label=(v.t(label)) { (v.num(n)) } };
    let is_canceled = t.lines.iter().any(|l| l.canceled > 0);
    let open = t.lines.iter().enumerate().filter(|(_, l)| left(l) > 0).map(|(n, _)| n).next();
    html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("Lines")) }
            thead { tr {
                th scope="col" { (v.t("Item")) } th.num scope="col" { (v.t("Sent")) } th.num scope="col" { (v.t("Received")) } th.num scope="col" { (v.t("Lost")) }
                @if is_canceled { th.num scope="col" { (v.t("Canceled")) } }
                th.num scope="col" { (v.t("Still to come")) } @if receives { th.num scope="col" { (v.t("Received now")) } th.num scope="col" { (v.t("Lost now")) } }
            } }
            tbody { @for (n, l) in t.lines.iter().enumerate() { tr {
                th scope="row" { (item(v, &l.sku, named.get(&*l.sku))) }
                (figure("Sent", l.quantity)) (figure("Received", l.received)) (figure("Lost", l.lost)) @if is_canceled { (figure("Canceled", l.canceled)) } (figure("Still to come", left(l)))
                @if receives {
                    @if left(l) > 0 {
                        td.num data-label=(v.t("Received now")) {
                            input type="hidden" name={ "lines[" (n) "].sku" } value=(l.sku);
                            @if open == Some(n) { span data-js { kbd { "R" } " " } }
                            (Cell::new(&format!("lines[{n}].received"), v.say("Received of {}", &[&l.sku])).number().value(v.num(left(l))).key((open == Some(n)).then_some("r")).show(v))
                        }
                        td.num data-label=(v.t("Lost now")) { (Cell::new(&format!("lines[{n}].lost"), v.say("Lost of {}", &[&l.sku])).number().show(v)) }
                    } @else { td {} td {} }
                }
            } } }
        } }
    }
}

/// What the form says arrived, and the row of each line. Rows with neither figure are left out.
fn arrived(fields: &Fields) -> Result<(Vec<ReceivedLine>, Vec<usize>), Refused> {
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    let known = fields.0.iter().filter_map(|(name, _)| name.strip_prefix("lines[")?.strip_suffix("].sku")?.parse::<usize>().ok());
    for n in known.take(domain::limits::MAX_LINES) {
        let received = fields.opt_int(&format!("lines[{n}].received"))?.unwrap_or(0);
        let lost = fields.opt_int(&format!("lines[{n}].lost"))?.unwrap_or(0);
        if received != 0 || lost != 0 {
            lines.push(ReceivedLine { sku: fields.text(&format!("lines[{n}].sku")).to_owned(), received, lost });
            rows.push(n);
        }
    }
    Ok((lines, rows))
}

pub async fn receive(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Transfer, &id)?;
    let found = arrived(&posted.fields);
    let rows = found.as_ref().map(|(_, rows)| rows.clone()).unwrap_or_default();
    let outcome = match found {
        Ok((lines, _)) => posted.submit(&app, Command::ReceiveTransfer(ReceiveTransfer { id, lines: Some(lines) })).await,
        Err(refused) => Err(refused.into()),
    };
    let stop = match outcome {
        Ok(_) => return Ok(see(&format!("/transfers/{id}?said=received"))),
        Err(stop) => stop,
    };
    let too_many = match stop.refused() {
        Some(Refused::TooMany { sku, .. }) => Some(sku.clone()),
        _ => None,
    };
    let Posted { viewer, fields, .. } = posted;
    let of_sku = too_many.and_then(|sku| rows.iter().copied().find(|n| fields.text(&format!("lines[{n}].sku")) == sku));
    let mut viewer = viewer.refused(fields.0, stop)?;
    if let Some(wrong) = &mut viewer.wrong {
        let of_line = wrong
            .field
            .as_deref()
            .and_then(|f| f.strip_prefix("lines[")?.split_once("]."))
            .and_then(|(n, name)| Some((rows.get(n.parse::<usize>().ok()?)?, name)));
        match (of_line, of_sku) {
            (Some((row, name)), _) => wrong.field = Some(format!("lines[{row}].{name}")),
            (None, Some(row)) => wrong.field = Some(format!("lines[{row}].received")),
            _ => {}
        }
    }
    let (transfer, places, named) = load(&app, &viewer, id).await?;
    Ok(show(&viewer, &transfer, &places, &named).into_response())
}

/// Calls off what has not arrived, and goes back to where that was asked.
pub async fn cancel(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Transfer, &id)?;
    match posted.submit(&app, Command::CancelTransfer(CancelTransfer { id })).await {
        Ok(_) => Ok(see(&saying("canceled", &posted.back(&format!("/transfers/{id}"))))),
        Err(stop) => {
            let viewer = posted.viewer.refused(Vec::new(), stop)?;
            let (transfer, places, named) = load(&app, &viewer, id).await?;
            Ok(show(&viewer, &transfer, &places, &named).into_response())
        }
    }
}
