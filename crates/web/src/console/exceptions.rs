//! The exceptions desk: what a person must look at, the earliest due first, and one with what was said and what happened.

use super::parts::Part;
use super::shell::{self, Page, Sheet};
use super::show::{age, icon, iso, minute, num};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use crate::request::id as number;
use axum::extract::{Path, State};
use domain::Noun;
use engine::exceptions::read::{self, ExceptionDetail, ExceptionView};
use maud::{Markup, html};

/// Exceptions on the page.
const SHOWN: i64 = 100;

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let found = app.read(|tx, config| read::list(tx, config, true, None, SHOWN)).await?;
    let now = app.engine.now();
    let rows = html! {
        @if found.is_empty() {
            p.none { "Nothing needs a person. Orders that cannot be taken on, refused quantities and drift stand here as soon as they are met." }
        } @else {
            div.table-wrap { table.table {
                thead { tr { th scope="col" { "What" } th scope="col" { "Kind" } th scope="col" { "Severity" } th scope="col" { "Channel" } th scope="col" { "Owner" } th.num scope="col" { "Times" } th.num scope="col" { "Due" } } }
                tbody { @for e in &found { (row(e, now)) } }
            } }
        }
    };
    let head = html! { span.sub { (num(found.len() as i64)) " open" } };
    let body = html! {
        div.page-head { div.grow { h1 { "Exceptions" } p.sub { "What the program cannot solve alone. Nothing that a marketplace said is lost: it is an order, or it stands here." } } }
        (Part { id: "exceptions", title: "Open".into(), head, right: html! {}, body: rows }.show())
    };
    Ok(shell::page(
        &viewer,
        Sheet { title: "Exceptions".to_string(), here: "/exceptions", topics: "orders stock channels exceptions".into(), head: html! {}, body },
    ))
}

fn row(e: &ExceptionView, now: i64) -> Markup {
    let due = e.due_at.0 - now;
    html! {
        tr data-key={ "e" (e.id.0) } {
            th scope="row" { a href={ "/exceptions/" (e.id.0) } { (e.title) } }
            td { (e.kind.replace('_', " ")) }
            td { (severity(&e.severity)) }
            td { (e.channel.as_deref().unwrap_or("–")) }
            td { (e.owner.as_deref().unwrap_or("Nobody")) }
            td.num { (num(e.times)) }
            td.num.is-warn[due < 0] { @if due < 0 { (age(-due)) " late" } @else { "in " (age(due)) } }
        }
    }
}

fn severity(word: &str) -> Markup {
    let (shape, class) = match word {
        "critical" => ("danger", "st-danger"),
        "warning" => ("warn", "st-warn"),
        _ => ("open", "st-info"),
    };
    html! { span class={ "st " (class) } { (icon(shape)) (word) } }
}

pub async fn one(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let id = number(Noun::Exception, &id)?;
    let found = app.read(move |tx, config| read::detail(tx, config, id)).await?;
    let now = app.engine.now();
    let title = found.exception.title.clone();
    let body = detail(&found, now);
    Ok(shell::page(
        &viewer,
        Sheet { title: title.clone(), here: "/exceptions", topics: "orders stock channels exceptions".into(), head: html! {}, body },
    ))
}

fn detail(found: &ExceptionDetail, now: i64) -> Markup {
    let e = &found.exception;
    let fact = |name: &str, value: String| html! { div { dt { (name) } dd { (value) } } };
    let call = |action: &str| {
        let more = match action {
            "remap" => r#", "sku": "…", "units_per_listing": 1"#,
            "substitute" => r#", "instead_of": "…", "sku": "…""#,
            "assign" => r#", "owner": "…""#,
            "reroute" => r#", "to": "…""#,
            "cancel" | "dismiss" => r#", "note": "…""#,
            _ => "",
        };
        format!("curl -X POST …/api/v1/exceptions/{} -H 'Authorization: Bearer hf_…' -d '{{\"action\": \"{action}\"{more}}}'", e.id.0)
    };
    let means = |action: &str| match action {
        "retry" => "do it again, now that the cause is gone",
        "remap" => "say which item the listing is, for this order and all later ones",
        "reroute" => "let another location send it; the rules choose if you leave out “to”",
        "backorder" => "take the order on, and let what is missing wait for stock",
        "substitute" => "send another item instead, for the same price",
        "cancel" => "cancel it here and there, with the money back",
        "dismiss" => "it is dealt with elsewhere",
        "assign" => "give it to somebody",
        _ => "",
    };
    html! {
        div.page-head { div.grow { h1 { (e.title) } p.sub { (e.detail) } } (severity(&e.severity)) }
        div.stack {
        section.panel aria-label="Facts" { div.panel-body { dl.facts-row {
            (fact("State", if e.open { "Open".into() } else { "Solved".into() }))
            (fact("Kind", e.kind.replace('_', " "))) (fact("About", e.about.clone())) (fact("Channel", e.channel.as_deref().unwrap_or("–").to_owned()))
            (fact("Owner", e.owner.clone().unwrap_or_else(|| "Nobody".into()))) (fact("Met", format!("{} times, first {} ago", num(e.times), age(now - e.created_at.0))))
        } } }
        @if !e.actions.is_empty() {
            section.panel aria-labelledby="h-do" { div.panel-head { h2 #h-do { "What can be done" } } div.panel-body { @for action in &e.actions { p { b { (action) } ": " (means(action)) } pre.cmd { code { (call(action)) } } } } }
        }
        section.panel aria-labelledby="h-history" { div.panel-head { h2 #h-history { "History" } } div.panel-body { ol.plain { @for step in &found.history {
            li { time datetime=(iso(step.at.0)) { (minute(step.at.0)) } " " b { (step.actor) } " " (step.what) }
        } } } }
        @if !found.payload.is_empty() {
            section.panel aria-labelledby="h-said" { div.panel-head { h2 #h-said { "What the marketplace said" } } div.panel-body { pre.cmd { code { (found.payload) } } } }
        }
        }
    }
}
