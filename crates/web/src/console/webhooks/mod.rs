//! Webhooks and mail: who is told of what happens, whether it arrives, and the log of what each was told.
//!
//! Here: the list, and one endpoint. Beside: adding and changing them (`edit.rs`), secrets (`secrets.rs`), the log (`log.rs`). In the
//! engine and the API they are called alerts.

mod edit;
mod log;
mod secrets;

pub use edit::{create, delete, new, set_active, test, update};
pub use log::{replay, replay_failed};
pub use secrets::{add as add_secret, remove as remove_secret};

use super::export;
use super::parts::{Part, button, empty, icon, kept, search_box, sort, sorted, state};
use super::shell::{self, Page, Sheet};
use super::show::iso;
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Noun;
use domain::Permission::WebhooksEdit;
use engine::alerts::edit::AlertView;
use engine::alerts::read::{self, AlertStatus};
use maud::{Markup, html};

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let now = v.now;
    let all = app.read(move |tx, config| read::all(tx, config, now)).await?;
    let wanted = v.asked("q").unwrap_or_default().to_lowercase();
    let fits = |a: &AlertView| wanted.is_empty() || a.name.to_lowercase().contains(&wanted) || target(a).to_lowercase().contains(&wanted);
    let mut shown: Vec<&AlertStatus> = all.iter().filter(|s| fits(&s.alert)).collect();
    sort(v, &mut shown, sort_by);
    if v.asked("format").as_deref() == Some("csv") {
        return Ok(exported(&shown));
    }
    let body = html! {
        section.panel aria-label=(v.t("Webhooks and mail")) {
            @if all.is_empty() { (nobody(v)) }
            @else {
                form.filters method="get" {
                    (kept(v, &["sort"]))
                    (search_box(v, "Name or address", &v.asked("q").unwrap_or_default()))
                    button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
                }
                @if shown.is_empty() { (empty(v.t("None fits"), html! { (v.t("No webhook and no mail has this name or address.")) }, html! { div { a.btn href="/webhooks" { (v.t("Show all")) } } })) }
                @else { (table(v, &shown)) }
            }
        }
    };
    let failing = all.iter().filter(|s| s.failing_since.is_some() || s.alert.reason.is_some()).count() as i64;
    let sub = html! {
        (v.t("Who is told of what happens, and whether it arrives.")) @if failing > 0 { " " span.is-danger { (v.say("{} failing.", &[&v.num(failing)])) } }
    };
    let add = html! { @if !all.is_empty() { a.btn href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) } } @if v.may(WebhooksEdit) { a.btn.btn-primary href="/webhooks/new" data-key="n" title=(v.t("Tell somebody")) { (icon("plus")) (v.t("Tell somebody")) } } };
    let head = shell::head(v.t("Webhooks and mail"), sub, add);
    Ok(shell::page(v, Sheet { title: v.t("Webhooks and mail").into(), here: "/webhooks", topics: "tick webhooks".into(), head, body })
        .into_response())
}

fn sort_by(shown: &mut [&AlertStatus], column: &str) {
    shown.sort_by_key(|s| s.alert.name.to_lowercase());
    match column {
        "pending" => shown.sort_by_key(|s| s.pending),
        "failed" => shown.sort_by_key(|s| s.failed),
        "arrived" => shown.sort_by_key(|s| s.delivered_at.as_ref().map(|at| at.0)),
        _ => {}
    }
}

/// Without the secrets.
fn exported(shown: &[&AlertStatus]) -> Response<Body> {
    let head = ["id", "name", "leads_to", "active", "pending", "failed", "delivered_at"];
    let line = |s: &&AlertStatus| {
        let delivered = s.delivered_at.as_ref().map(ToString::to_string).unwrap_or_default();
        let (id, active) = (s.alert.id.0.to_string(), u8::from(s.alert.active).to_string());
        vec![id, s.alert.name.clone(), target(&s.alert), active, s.pending.to_string(), s.failed.to_string(), delivered]
    };
    export::rows("webhooks.csv", &head, &shown.iter().map(line).collect::<Vec<_>>())
}

fn nobody(v: &Viewer) -> Markup {
    let why = html! {
        (v.t("Exceptions stand on the ")) a href="/exceptions" { (v.t("exceptions desk")) }
        (v.t(" and nowhere else. A mail reaches people; a signed webhook reaches programs, and can tell them any other event, too."))
    };
    let add = html! { @if v.may(WebhooksEdit) { div.row { a.btn.btn-primary href="/webhooks/new?way=mail" { (v.t("Tell by mail")) } a.btn href="/webhooks/new?way=webhook" { (v.t("Tell by webhook")) } } } };
    empty(v.t("Nobody is told"), why, add)
}

fn table(v: &Viewer, shown: &[&AlertStatus]) -> Markup {
    html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("Webhooks and mail")) }
            thead { tr {
                (sorted(v, "name", "Name", "", "name")) th scope="col" { (v.t("State")) } th scope="col" { (v.t("Leads to")) } th scope="col" { (v.t("Told of")) }
                (sorted(v, "pending", "Pending", "num", "name")) th.num scope="col" { (v.t("Oldest")) } (sorted(v, "failed", "Failed", "num", "name")) (sorted(v, "arrived", "Last arrived", "num", "name"))
            } }
            tbody { @for status in shown {
                @let alert = &status.alert;
                tr data-row=(alert.id.0) data-key={ "w" (alert.id.0) } {
                    th scope="row" { a href={ "/webhooks/" (alert.id.0) } data-open { (alert.name) } }
                    td data-label=(v.t("State")) { (standing(v, status)) }
                    td.clip data-label=(v.t("Leads to")) title=(target(alert)) { (target(alert)) }
                    td.clip data-label=(v.t("Told of")) { (told_of(v, alert)) }
                    td.num.zero[status.pending == 0] data-label=(v.t("Pending")) { (v.num(status.pending)) }
                    td.num data-label=(v.t("Oldest")) { (status.oldest_pending.map_or("–".to_owned(), |t| v.age(v.now - t.0))) }
                    td.num.zero[status.failed == 0] data-label=(v.t("Failed")) { @if status.failed > 0 { span.is-danger { (v.num(status.failed)) } } @else { "0" } }
                    td.num data-label=(v.t("Last arrived")) { (last(v, status)) }
                }
            } }
        } }
    }
}

fn last(v: &Viewer, status: &AlertStatus) -> Markup {
    html! { @match status.delivered_at { Some(at) => time datetime=(iso(at.0)) { (v.ago(at.0)) }, None => (v.t("never")) } }
}

/// Where it leads.
fn target(alert: &AlertView) -> String {
    alert.url.clone().or_else(|| Some(alert.mail.as_ref()?.join(", "))).unwrap_or_default()
}

/// What it is told of, in short.
fn told_of(v: &Viewer, alert: &AlertView) -> String {
    let mut told = Vec::new();
    if alert.exceptions {
        let from = match alert.severity.word() {
            "critical" => v.t("critical exceptions"),
            "warning" => v.t("exceptions from warnings on"),
            _ => v.t("all exceptions"),
        };
        told.push(if alert.kinds.is_empty() && alert.channels.is_empty() { from.to_owned() } else { v.say("some {}", &[&from]) });
    }
    if !alert.events.is_empty() {
        told.push(v.count(alert.events.len() as i64, "kind of event", "kinds of events"));
    }
    if told.is_empty() { v.t("nothing").to_owned() } else { told.join(", ") }
}

fn standing(v: &Viewer, status: &AlertStatus) -> Markup {
    match () {
        () if status.alert.reason.is_some() => state("danger", "st-danger", v.t("Switched off by the program")),
        () if !status.alert.active => state("pause", "st-off", v.t("Off")),
        () if status.failing_since.is_some() => {
            let since = v.now - status.failing_since.map_or(v.now, |t| t.0);
            state("danger", "st-danger", &v.say("Failing for {}", &[&v.age(since)]))
        }
        () if status.delivered_at.is_some() => state("ok", "st-ok", v.t("Arrives")),
        () => state("open", "st-info", v.t("Nothing sent yet")),
    }
}

pub async fn one(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    if viewer.asked("format").as_deref() == Some("csv") {
        return log::file(app, &viewer, id).await;
    }
    Ok(show(&app, &viewer, id).await?.into_response())
}

/// One endpoint: how it is doing, what it is told of, its secrets, what it was told.
async fn show(app: &App, v: &Viewer, id: i64) -> Result<Page, Problem> {
    let (now, asked) = (v.now, log::Asked::of(v));
    let (status, channels, deliveries, failed) = app
        .read(move |tx, config| {
            let channels: Vec<(String, String)> = config.channels.iter().map(|c| (c.code.to_string(), c.name.clone())).collect();
            let deliveries = read::deliveries(tx, config, id, &asked.query)?;
            let failed = read::failed_since(tx, id, asked.since(now))?;
            Ok((read::status(tx, config, id, now)?, channels, deliveries, failed))
        })
        .await?;
    let alert = &status.alert;
    let may = v.may(WebhooksEdit);
    let body = html! {
        @if let Some(reason) = &alert.reason {
            div.banner.banner-danger { (icon("danger")) div { b { (v.t("It was switched off: ")) } (reason) ". " (v.t("Mend it, switch it on again, then send again what was missed.")) } }
        }
        div.cols.cols-side {
            div.stack { (log::part(v, &status, deliveries, failed)) @if may { (edit::part(v, alert, &channels)) } }
            div.stack { (facts(v, &status)) @if alert.url.is_some() { (secrets::part(v, alert)) } }
        }
    };
    let head = shell::head(&alert.name, html! { (target(alert)) " · " (standing(v, &status)) }, html! { @if may { (doing(v, alert)) } });
    Ok(shell::page(v, Sheet { title: alert.name.clone(), here: "/webhooks", topics: "tick webhooks".into(), head, body }))
}

/// What can be done at once.
fn doing(v: &Viewer, alert: &AlertView) -> Markup {
    let to = |what: &str| format!("/webhooks/{}/{what}", alert.id.0);
    html! {
        div.row {
            @if alert.active {
                (button(v, &to("test"), "btn", &[], html! { (v.t("Send a test")) }))
                (super::parts::confirm(html! { (icon("pause")) (v.t("Switch off…")) }, "btn", html! {
                    p { (v.t("Nothing more is written for it, and what was still to be sent ends as failed; it can be sent again later.")) }
                    (button(v, &to("active"), "btn btn-danger", &[("active", "")], html! { (v.t("Switch off")) }))
                }))
            } @else { (button(v, &to("active"), "btn btn-primary", &[("active", "yes")], html! { (icon("play")) (v.t("Switch on")) })) }
        }
    }
}

fn facts(v: &Viewer, status: &AlertStatus) -> Markup {
    let alert = &status.alert;
    let list = |words: Vec<String>| if words.is_empty() { v.t("all").to_owned() } else { words.join(", ") };
    let body = html! { div.panel-body { dl.facts {
        dt { (v.t("Told of")) } dd { (told_of(v, alert)) }
        @if alert.exceptions {
            dt { (v.t("Kinds")) } dd { (list(alert.kinds.iter().map(|k| super::exceptions::kind_name(v, k).to_owned()).collect())) }
            dt { (v.t("Channels")) } dd { (list(alert.channels.iter().map(|c| c.to_string()).collect())) }
            dt { (v.t("When solved")) } dd { @if alert.solved { (v.t("told, too")) } @else { (v.t("not told")) } }
        }
        @if !alert.events.is_empty() { dt { (v.t("Events")) } dd { @for kind in &alert.events { code { (kind) } " " } } }
        dt { (v.t("Pending")) } dd { (v.num(status.pending)) }
        dt { (v.t("Failed")) } dd { (v.num(status.failed)) }
        dt { (v.t("Last arrived")) } dd { (last(v, status)) }
        dt { (v.t("Added")) } dd { (v.date(alert.created_at.0)) }
    } } };
    Part::new("facts", v.t("Facts"), body).show()
}
