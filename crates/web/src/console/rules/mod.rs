//! Routing rules: the ones in force, a draft beside them that travels in its form, and what the draft would have made of past orders.
//!
//! Here: reading, trying, making live, versions. The draft itself: `draft.rs`; the form: `editor.rs`; a rule in words: `sentence.rs`; the
//! replay in figures: `replay.rs`.

mod draft;
mod editor;
mod replay;
mod sentence;

use super::fields::{Fields, Posted, see};
use super::parts::{button, empty, icon, pager};
use super::shell::{self, Page, Sheet};
use super::show::actor;
use super::viewer::{Viewer, Wrong};
use crate::App;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use axum::response::IntoResponse;
use domain::routing::{Rule, RuleSet};
use domain::{Noun, Permission, Refused};
use draft::Draft;
use engine::access::audit;
use engine::routing::rules::{self, SetRules, Version};
use engine::routing::whatif::what_if;
use engine::{Command, Stop};
use maud::{Markup, html};
use replay::Replay;
use std::time::Instant;
use tokio::sync::Semaphore;

/// One replay at a time: each reads for up to some seconds.
static REPLAYS: Semaphore = Semaphore::const_new(1);
/// How many of the last orders can be replayed.
const ORDERS: [i64; 3] = [100, 500, 2_000];
/// Versions of a page.
const ROWS: i64 = 50;

/// What the editor stands beside.
struct Standing {
    name: String,
    live: RuleSet,
    version: Option<Version>,
    /// (code, name)
    locations: Vec<(String, String)>,
    etag: String,
}

async fn standing(app: &App) -> Result<Standing, Stop> {
    app.read(|tx, config| {
        let etag = audit::etag_of(&audit::RulesState { name: &config.rules_name, rules: &config.rules });
        Ok(Standing {
            name: config.rules_name.clone(),
            live: config.rules.clone(),
            version: rules::versions(tx, i64::MAX, 1)?.pop(),
            locations: config.locations.iter().map(|l| (l.code.clone(), l.name.clone())).collect(),
            etag,
        })
    })
    .await
}

/// Rules are about all locations and channels, so whoever sees some of them does not see the rules.
fn whole(v: &Viewer) -> Option<Page> {
    let body = || {
        let why = html! { (v.t("Routing rules are about all locations and channels, and you see some of them only.")) };
        empty(v.t("Not for your limits"), why, html! { a.btn href="/" { (v.t("Back to today")) } })
    };
    v.is_limited().then(|| {
        let sheet = Sheet {
            title: v.t("Routing rules").into(),
            here: "/rules",
            topics: String::new(),
            head: html! {},
            body: html! { section.panel { (body()) } },
        };
        Page(axum::http::StatusCode::FORBIDDEN, shell::page(v, sheet).1)
    })
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    if let Some(page) = whole(&viewer) {
        return Ok(page);
    }
    let standing = standing(&app).await?;
    let draft = Draft::of(standing.live.clone());
    Ok(show(&viewer, &standing, &draft, &standing.etag, None))
}

/// Addresses that forms are sent to lead back when they are opened.
pub async fn back() -> Response<Body> {
    see("/rules")
}

fn show(v: &Viewer, standing: &Standing, draft: &Draft, seen: &str, replay: Option<&Replay>) -> Page {
    let changes = draft.changes(&standing.live);
    let by = standing.version.as_ref().map(|version| v.say("live since {}, by {}", &[&v.moment(version.created_at), &actor(&version.actor)]));
    let sub = html! {
        @if standing.name.is_empty() { (v.t("No rules yet: any location, the cheapest first.")) } @else { b { (standing.name) } " " @if let Some(by) = by { (by) } }
    };
    let head = html! {
        div.page-head {
            div.grow { h1.row { (v.t("Routing rules")) " " @if changes > 0 { span.tag.tag-accent { (v.t("Draft, not saved")) } } } p.sub { (sub) } }
            (editor::buttons(v, draft, changes))
        }
    };
    let body = html! {
        @if seen != standing.etag { div.banner.banner-warn role="status" { (icon("warn")) div {
            b { (v.say("“{}” went live meanwhile.", &[&standing.name])) } " "
            (v.t("Your draft is compared with it now. Making the draft live is refused once, so that nobody's work is lost unseen."))
        } } }
        div.cols.cols-rules {
            (editor::form(v, standing, draft, changes, seen))
            div.stack.sticky { (replay::panel(v, changes, replay)) @if let Some(replay) = replay { (replay::locations(v, standing, replay)) (replay::moves(v, standing, replay)) } }
        }
    };
    shell::page(v, Sheet { title: v.t("Routing rules").into(), here: "/rules", topics: String::new(), head, body })
}

/// The page again after a refusal: with the draft as it travelled, and what was typed where it could not be read.
fn show_wrong(viewer: Viewer, standing: &Standing, fields: Fields, read: Option<Draft>, stop: Stop, seen: &str) -> Result<Page, Problem> {
    let Some(refused) = stop.refused().cloned() else { return Err(stop.into()) };
    let mut wrong = Wrong::new(&viewer, &refused);
    let mut draft = read.clone().or_else(|| Draft::carried(&fields).ok()).unwrap_or_else(|| Draft::of(standing.live.clone()));
    // What was read stands in the draft; what was typed is shown only where it could not be.
    let typed = if read.is_some() { Vec::new() } else { fields.0 };
    if let Some((n, field)) = wrong.field.as_deref().and_then(draft::field_of).filter(|(n, _)| *n < draft.rules.rules.len()) {
        draft.open = Some(n);
        wrong.field = Some(field);
    }
    let viewer = Viewer { wrong: Some(wrong), typed, ..viewer };
    Ok(show(&viewer, standing, &draft, seen, None))
}

/// A step of editing: nothing is saved.
pub async fn edit(State(app): State<App>, posted: Posted) -> Result<Page, Problem> {
    let Posted { viewer, fields, .. } = posted;
    if let Some(page) = whole(&viewer) {
        return Ok(page);
    }
    let standing = standing(&app).await?;
    let seen = fields.text("seen").to_owned();
    let what = fields.text("do").to_owned();
    match step(&app, &standing, &fields, &what).await {
        Ok(draft) => {
            // What is begun anew is begun from what is live now; a version is taken from a page that has shown no rules.
            let seen = if what == "discard" || seen.is_empty() { &standing.etag } else { &seen };
            Ok(show(&viewer, &standing, &draft, seen, None))
        }
        Err(stop) => show_wrong(viewer, &standing, fields, None, stop, &seen),
    }
}

async fn step(app: &App, standing: &Standing, fields: &Fields, what: &str) -> Result<Draft, Stop> {
    match what.split_once(':') {
        _ if what == "discard" => Ok(Draft::of(standing.live.clone())),
        _ if what == "import" => Ok(Draft::of(draft::parse("json", fields.raw("json"))?)),
        Some(("restore", id)) => {
            let id: i64 = id.parse().map_err(|_| Refused::unknown(Noun::RuleSet, id, "id"))?;
            Ok(Draft::of(app.engine.read(move |tx| rules::one(tx, id)).await?.1))
        }
        _ => {
            let mut draft = Draft::read(fields)?;
            if let Some(n) = draft.open.filter(|_| what == "close") {
                // The others are looked at when they are closed; this one keeps its place.
                let before = vec![Rule::default(); n];
                check(standing, &RuleSet { rules: before.into_iter().chain([draft.rules.rules[n].clone()]).collect(), ..RuleSet::default() })?;
            }
            draft.act(what, fields)?;
            Ok(draft)
        }
    }
}

/// Refuses rules that name what is not there, or figures out of range.
fn check(standing: &Standing, rules: &RuleSet) -> Result<(), Refused> {
    rules::check(rules, |code| standing.locations.iter().any(|(known, _)| known == code))
}

/// Replays the last orders under the draft, beside the rules in force.
pub async fn try_out(State(app): State<App>, posted: Posted) -> Result<Page, Problem> {
    let Posted { viewer, fields, .. } = posted;
    if let Some(page) = whole(&viewer) {
        return Ok(page);
    }
    let standing = standing(&app).await?;
    let seen = fields.text("seen").to_owned();
    let draft = match Draft::read(&fields) {
        Ok(draft) => draft,
        Err(refused) => return show_wrong(viewer, &standing, fields, None, refused.into(), &seen),
    };
    let asked = fields.text("orders").parse().ok().filter(|n| ORDERS.contains(n)).unwrap_or(ORDERS[0]);
    match replayed(&app, &standing, &draft.rules, asked).await {
        Ok(replay) => Ok(show(&viewer, &standing, &draft, &seen, Some(&replay))),
        Err(stop) => show_wrong(viewer, &standing, fields, Some(draft), stop, &seen),
    }
}

async fn replayed(app: &App, standing: &Standing, proposed: &RuleSet, asked: i64) -> Result<Replay, Stop> {
    check(standing, proposed)?;
    let _alone = REPLAYS.try_acquire().map_err(|_| Refused::Overloaded { retry_after_seconds: 2 })?;
    let began = Instant::now();
    let proposed = proposed.clone();
    let found = app.read(move |tx, config| what_if(tx, config, &proposed, asked)).await?;
    Ok(Replay { asked, found, took: began.elapsed() })
}

/// Puts the draft in force.
pub async fn make_live(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    if let Some(page) = whole(&posted.viewer) {
        return Ok(page.into_response());
    }
    let standing = standing(&app).await?;
    let draft = Draft::read(&posted.fields);
    let done = match &draft {
        Ok(draft) => match check(&standing, &draft.rules) {
            Ok(()) => {
                let set = SetRules { name: draft.name.clone(), rules: draft.rules.clone() };
                posted.submit(&app, Command::SetRules(set)).await.map(drop)
            }
            Err(refused) => Err(refused.into()),
        },
        Err(refused) => Err(refused.clone().into()),
    };
    let Posted { viewer, fields, .. } = posted;
    match done {
        Ok(()) => Ok(see("/rules?said=saved")),
        Err(stop) => {
            // Whoever was told that it changed has seen the new state; whoever was refused for something else has not.
            let told = matches!(stop.refused(), Some(Refused::Changed { .. }));
            let seen = if told { standing.etag.clone() } else { fields.text("seen").to_owned() };
            Ok(show_wrong(viewer, &standing, fields, draft.ok(), stop, &seen)?.into_response())
        }
    }
}

/// A file with a rule set, as [`draft::parse`] reads it.
fn file(name: &str, rules: &RuleSet) -> Result<Response<Body>, Problem> {
    let text = serde_json::to_string_pretty(&serde_json::json!({ "name": name, "rules": rules })).map_err(|e| Stop::broken(e.to_string()))?;
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"routing-rules.json\""));
    Ok(response)
}

/// A version as a file: the one in force, or the one that the address names.
pub async fn export(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if let Some(page) = whole(&viewer) {
        return Ok(page.into_response());
    }
    let (name, rules) = match viewer.asked("version") {
        Some(id) => {
            let id = number(Noun::RuleSet, &id)?;
            app.engine.read(move |tx| rules::one(tx, id)).await?
        }
        None => standing(&app).await.map(|s| (s.name, s.live))?,
    };
    file(&name, &rules)
}

/// The draft as a file.
pub async fn export_draft(posted: Posted) -> Result<Response<Body>, Problem> {
    let draft = Draft::read(&posted.fields)?;
    file(&draft.name, &draft.rules)
}

/// Versions, the newest first; each can be taken into the draft.
pub async fn history(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    if let Some(page) = whole(&viewer) {
        return Ok(page);
    }
    let v = &viewer;
    let before = v.asked("after").and_then(|id| id.parse().ok()).unwrap_or(i64::MAX);
    let mut found = app.engine.read(move |tx| rules::versions(tx, before, ROWS + 1)).await?;
    let more = found.len() as i64 > ROWS;
    found.truncate(ROWS as usize);
    let next = found.last().filter(|_| more).map(|version| version.id.to_string());
    let body = html! {
        section.panel aria-label=(v.t("Versions")) {
            @if found.is_empty() { (empty(v.t("No versions yet"), html! { (v.t("Each rule set that goes live stands here, with who made it live and when.")) }, html! { a.btn href="/rules" { (v.t("To the rules")) } })) }
            @else { (versions(v, &found, before == i64::MAX)) (pager(v, found.len(), next.as_deref())) }
        }
    };
    let head = shell::head(v.t("Versions of the routing rules"), html! { a href="/rules" { (v.t("Routing rules")) } }, html! {});
    Ok(shell::page(v, Sheet { title: v.t("Versions").into(), here: "/rules", topics: "rules".into(), head, body }))
}

fn versions(v: &Viewer, found: &[Version], from_the_first: bool) -> Markup {
    html! {
        div.table-wrap { table.table.table-stack {
            thead { tr { th scope="col" { (v.t("Name")) } th scope="col" { (v.t("Went live")) } th scope="col" { (v.t("By")) } th { span.vh { (v.t("Actions")) } } } }
            tbody { @for (n, version) in found.iter().enumerate() { tr data-row={ "v" (version.id) } data-key={ "v" (version.id) } {
                th scope="row" { (version.name) " " @if n == 0 && from_the_first { span.tag.tag-ok { (v.t("Live")) } } }
                td data-label=(v.t("Went live")) { (v.moment(version.created_at)) } td data-label=(v.t("By")) { (actor(&version.actor)) }
                td.num { div.row {
                    a.btn.btn-s href={ "/rules/export?version=" (version.id) } { (icon("download")) (v.t("Export")) }
                    @if v.may(Permission::RoutingView) { (button(v, "/rules", "btn btn-s", &[("do", &format!("restore:{}", version.id))], html! { (icon("undo")) (v.t("Take into the draft")) })) }
                } }
            } } }
        } }
    }
}
