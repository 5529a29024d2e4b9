//! Alerts: who is told of exceptions and whether it arrives, and one with the log of what it was told.

use super::parts::Part;
use super::shell::{self, Page, Sheet};
use super::show::{age, cell, count, icon, iso, minute, num};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use crate::request::id as number;
use axum::extract::{Path, State};
use domain::Noun;
use engine::alerts::read::{self, AlertStatus, AttemptView, DeliveryView};
use engine::alerts::rows;
use maud::{Markup, html};

/// Deliveries on an endpoint's page.
const LISTED: i64 = 100;

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let now = app.engine.now();
    let found = app.read(move |tx, config| read::all(tx, config, now)).await?;
    let body = html! {
        div.page-head { div.grow { h1 { "Alerts" } p.sub { "Who is told of exceptions, by signed webhook or by mail, and whether it arrives." } } }
        @if found.is_empty() { (empty()) } @else { (table(&found, now)) }
    };
    Ok(shell::page(
        &viewer,
        Sheet { title: "Alerts".to_string(), here: "/alerts", topics: "orders stock channels exceptions".into(), head: html! {}, body },
    ))
}

fn empty() -> Markup {
    html! {
        section.panel.empty aria-labelledby="h-empty" {
            h2 #h-empty { "Nobody is told" }
            p { "Exceptions stand on the " a href="/exceptions" { "exceptions desk" } " and nowhere else. Add a webhook or mail with an admin key; the answer shows the secret that webhooks are signed with, this once." }
            pre.cmd { code { "curl -X POST …/api/v1/alerts -H 'Authorization: Bearer hf_…' -d '{\"name\": \"On call\", \"url\": \"https://…\"}'" } }
            pre.cmd { code { "curl -X POST …/api/v1/alerts -H 'Authorization: Bearer hf_…' -d '{\"name\": \"Warehouse office\", \"mail\": [\"ops@example.com\"]}'" } }
        }
    }
}

fn table(found: &[AlertStatus], now: i64) -> Markup {
    let body = html! {
        div.table-wrap { table.table {
            thead { tr {
                th scope="col" { "Endpoint" } th scope="col" { "State" } th scope="col" { "Leads to" } th scope="col" { "Told from" } th scope="col" { "Kinds" } th scope="col" { "Channels" }
                th.num scope="col" { "Pending" } th.num scope="col" { "Oldest" } th.num scope="col" { "Failed" } th.num scope="col" { "Last arrived" }
            } }
            tbody { @for status in found { (row(status, now)) } }
        } }
    };
    Part { id: "alerts", title: "All endpoints".into(), head: html! {}, right: html! {}, body }.show()
}

fn row(status: &AlertStatus, now: i64) -> Markup {
    let alert = &status.alert;
    html! {
        tr data-key={ "a" (alert.id.0) } {
            th scope="row" { a href={ "/alerts/" (alert.id.0) } { (alert.name) } }
            td { (state(status, now)) }
            td.clip title=(target(status)) { (target(status)) }
            td { (alert.severity.word()) } td { (list(&alert.kinds)) } td { (list(&alert.channels)) }
            (cell(status.pending))
            td.num { (status.oldest_pending.map_or("–".to_owned(), |t| age(now - t.0))) }
            (cell(status.failed))
            td.num { (status.delivered_at.map_or("–".to_owned(), |t| format!("{} ago", age(now - t.0)))) }
        }
    }
}

/// Where it leads.
fn target(status: &AlertStatus) -> String {
    status.alert.url.clone().or_else(|| Some(status.alert.mail.as_ref()?.join(", "))).unwrap_or_default()
}

fn list(words: &[impl AsRef<str>]) -> String {
    let words: Vec<String> = words.iter().map(|w| w.as_ref().replace('_', " ")).collect();
    if words.is_empty() { "all".into() } else { words.join(", ") }
}

fn state(status: &AlertStatus, now: i64) -> Markup {
    let (shape, class, word) = match () {
        () if status.alert.reason.is_some() => ("danger", "st-danger", "Switched off".to_owned()),
        () if !status.alert.active => ("pause", "st-off", "Off".into()),
        () if status.failing_since.is_some() => {
            ("danger", "st-danger", format!("Failing for {}", age(now - status.failing_since.map_or(now, |t| t.0))))
        }
        () if status.delivered_at.is_some() => ("ok", "st-ok", "Arrives".into()),
        () => ("open", "st-info", "Nothing sent yet".into()),
    };
    html! { span class={ "st " (class) } title=[status.alert.reason.as_deref()] { (icon(shape)) (word) } }
}

pub async fn one(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let (id, now) = (number(Noun::Alert, &id)?, app.engine.now());
    let (status, log) =
        app.read(move |tx, config| Ok((read::status(tx, config, id, now)?, read::deliveries(tx, config, id, None, None, LISTED)?))).await?;
    let title = status.alert.name.clone();
    let body = detail(&status, &log, now);
    Ok(shell::page(&viewer, Sheet { title: title.clone(), here: "/alerts", topics: "orders stock channels exceptions".into(), head: html! {}, body }))
}

fn detail(status: &AlertStatus, log: &[DeliveryView], now: i64) -> Markup {
    let alert = &status.alert;
    let fact = |name: &str, value: String| html! { div { dt { (name) } dd { (value) } } };
    let id = alert.id.0;
    let call = |what: &str, body: &str| format!("curl -X {what} -H 'Authorization: Bearer hf_…' -d '{body}'");
    let secrets = match alert.secrets.as_slice() {
        [] => "–".to_owned(),
        all => {
            all.iter().map(|s| s.expires_at.map_or(s.id.clone(), |t| format!("{} for {} more", s.id, age(t.0 - now)))).collect::<Vec<_>>().join(", ")
        }
    };
    html! {
        div.page-head { div.grow { h1 { (alert.name) } p.sub { (target(status)) } } (state(status, now)) }
        @if let Some(reason) = &alert.reason {
            div.banner { (icon("danger")) div { b { "It was switched off: " } (reason) ". Mend it, then switch it on again; what was not sent can be replayed." } }
        }
        div.stack {
        section.panel aria-label="Facts" { div.panel-body { dl.facts-row {
            (fact("Told from", alert.severity.word().into())) (fact("Kinds", list(&alert.kinds))) (fact("Channels", list(&alert.channels)))
            (fact("When solved", if alert.solved { "told too".into() } else { "not told".into() }))
            (fact("Pending", num(status.pending))) (fact("Failed", num(status.failed)))
            (fact("Last arrived", status.delivered_at.map_or("never".to_owned(), |t| format!("{} ago", age(now - t.0)))))
            @if alert.url.is_some() { (fact("Signs with", secrets)) }
        } } }
        section.panel aria-labelledby="h-do" { div.panel-head { h2 #h-do { "What can be done" } } div.panel-body {
            p { b { "Try it out" } } pre.cmd { code { (call(&format!("POST …/api/v1/alerts/{id}/test"), "{}")) } }
            @if alert.active { p { b { "Switch it off" } } pre.cmd { code { (call(&format!("PATCH …/api/v1/alerts/{id}"), "{\"active\": false}")) } } }
            @else { p { b { "Switch it on" } } pre.cmd { code { (call(&format!("PATCH …/api/v1/alerts/{id}"), "{\"active\": true}")) } } }
            @if alert.url.is_some() { p { b { "Change the secret" } } pre.cmd { code { (call(&format!("POST …/api/v1/alerts/{id}/secrets"), "{\"keep_old_seconds\": 86400}")) } } }
            p { b { "Send one again" } } pre.cmd { code { (call("POST …/api/v1/deliveries/DELIVERY/replay", "{}")) } }
        } }
        (told(log, now))
        }
    }
}

fn told(log: &[DeliveryView], now: i64) -> Markup {
    let body = html! {
        @if log.is_empty() { p.none { "Nothing was to be told yet." } } @else {
            div.table-wrap { table.table {
                thead { tr { th scope="col" { "Delivery" } th scope="col" { "What" } th scope="col" { "State" } th.num scope="col" { "Written" } th.num scope="col" { "Tries" } th scope="col" { "Last answer" } } }
                tbody { @for d in log { tr data-key=(d.id) {
                    th scope="row" { (d.id) }
                    td { @if let Some(exception) = d.exception { a href={ "/exceptions/" (exception.0) } { (d.kind) } } @else { (d.kind) } }
                    td { (standing(d, now)) }
                    td.num { time datetime=(iso(d.created_at.0)) { (minute(d.created_at.0)) } " " span.aside { (age(now - d.created_at.0)) " ago" } }
                    td.num title=(tries(&d.attempts)) { (num(d.attempts.len() as i64)) }
                    td.clip title=[d.attempts.last().map(said)] { (d.attempts.last().map_or("–".to_owned(), said)) }
                } } }
            } }
        }
    };
    let head = html! { span.sub { (count(log.len() as i64, "delivery", "deliveries")) ", the newest first; more in the API" } };
    Part { id: "log", title: "Deliveries".into(), head, right: html! {}, body }.show()
}

fn standing(delivery: &DeliveryView, now: i64) -> Markup {
    let (shape, class, word) = match delivery.state {
        rows::State::Delivered => ("ok", "st-ok", "Delivered".to_owned()),
        rows::State::Failed => ("danger", "st-danger", "Failed".into()),
        rows::State::Pending => match delivery.due_at.map_or(0, |t| t.0 - now) {
            wait if wait > 0 => ("queued", "st-warn", format!("Tried again in {}", age(wait))),
            _ => ("queued", "st-info", "To be sent".into()),
        },
    };
    html! { span class={ "st " (class) } { (icon(shape)) (word) } }
}

fn said(attempt: &AttemptView) -> String {
    match (&attempt.fault, attempt.status) {
        (Some(fault), _) => fault.clone(),
        (None, Some(status)) => format!("{status} in {} ms. {}", num(attempt.took_ms), attempt.answer),
        (None, None) => "–".into(),
    }
}

/// When it was tried, and with what status.
fn tries(attempts: &[AttemptView]) -> String {
    let line = |a: &AttemptView| format!("{} {}", minute(a.at.0), a.status.map_or("no answer".to_owned(), |s| s.to_string()));
    attempts.iter().map(line).collect::<Vec<_>>().join(", ")
}
