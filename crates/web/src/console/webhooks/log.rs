//! What an endpoint was told or is still to be, every try of it, and sending it again.

use super::show;
use crate::App;
use crate::console::export;
use crate::console::fields::{Posted, see, step};
use crate::console::parts::{Part, button, confirm, csrf, empty, icon, kept, once, pager, search_box, sorted, state, tabs};
use crate::console::show::iso;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::{ExceptionsView, WebhooksEdit};
use domain::{Noun, Refused};
use engine::Command;
use engine::alerts::Change;
use engine::alerts::deliver::{Replay, ReplayFailed};
use engine::alerts::read::{self, AlertStatus, AttemptView, DeliveryView, LogQuery};
use engine::alerts::rows::State as Standing;
use engine::page::Page;
use maud::{Markup, html};

/// Deliveries on one page.
const SHOWN: usize = 50;
/// Since when all that failed can be sent again: (hours, words).
const SINCE: [(i64, &str); 4] = [(24, "the last day"), (1, "the last hour"), (168, "the last week"), (720, "the last 30 days")];

/// Which part of the log the address asks for.
pub struct Asked {
    pub query: LogQuery,
    hours: i64,
}

impl Asked {
    pub fn of(v: &Viewer) -> Asked {
        let wanted = v.asked("state");
        let state = [Standing::Pending, Standing::Delivered, Standing::Failed].into_iter().find(|s| wanted.as_deref() == Some(s.word()));
        let oldest_first = v.asked("sort").as_deref() == Some("written");
        let text = v.asked("q").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let from = v.day_asked("from").and_then(|day| v.begin_of(day));
        let until = v.day_asked("until").and_then(|day| v.end_of(day));
        Asked { query: LogQuery { state, text, from, until, oldest_first, after: v.asked("after"), limit: SHOWN }, hours: SINCE[3].0 }
    }

    /// Since when failed ones are counted that can be sent again: all that are kept.
    pub fn since(&self, now: i64) -> i64 {
        now - self.hours * 3_600_000_000
    }
}

/// All that the address asks for, as a file.
pub async fn file(app: App, v: &Viewer, id: i64) -> Result<Response<Body>, Problem> {
    let now = v.now;
    app.read(move |tx, config| read::status(tx, config, id, now)).await?;
    let head = ["id", "message", "type", "exception", "state", "written_at", "ended_at", "tries", "status", "fault"];
    let asked = Asked::of(v).query;
    Ok(export::csv(app, &format!("deliveries-{id}.csv"), &head, None, move |tx, config, after: Option<String>| {
        let found = read::deliveries(tx, config, id, &LogQuery { after, limit: export::STEP, ..asked.clone() })?;
        let row = |d: DeliveryView| {
            let last = d.attempts.last();
            let told = [last.and_then(|a| a.status).map(|s| s.to_string()), last.and_then(|a| a.fault.clone())];
            let what = [d.id.clone(), d.message.clone(), d.kind.clone(), d.exception.map(|e| e.0.to_string()).unwrap_or_default()];
            let how = [d.state.word().to_owned(), d.created_at.to_string(), d.ended_at.map(|at| at.to_string()).unwrap_or_default()];
            what.into_iter().chain(how).chain([d.attempts.len().to_string()]).chain(told.map(Option::unwrap_or_default)).collect()
        };
        Ok((found.rows.into_iter().map(row).collect(), found.next.map(Some)))
    }))
}

fn filters(v: &Viewer, is_narrow: bool) -> Markup {
    let day = |name: &str, label: &'static str| {
        html! { label.small for={ "log-" (name) } { (v.t(label)) } input.input.input-s id={ "log-" (name) } type="date" name=(name) value=(v.asked(name).unwrap_or_default()) data-auto; }
    };
    html! {
        form.filters action=(v.path) role="search" {
            (search_box(v, "What, or the message's id", &v.asked("q").unwrap_or_default()))
            (kept(v, &["state", "sort"]))
            (day("from", "From")) (day("until", "Until"))
            button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            @if is_narrow { a href=(v.address(&[("q", ""), ("from", ""), ("until", "")])) { (v.t("Clear")) } }
        }
    }
}

pub fn part(v: &Viewer, status: &AlertStatus, log: Page<DeliveryView, String>, failed: i64) -> Markup {
    let Page { rows: log, next } = log;
    let is_narrow = ["q", "from", "until"].iter().any(|name| v.asked(name).is_some());
    let asked = v.asked("state").unwrap_or_default();
    let view = |word: &'static str, name: &'static str, count: Option<i64>| {
        (v.address(&[("state", word)]), v.t(name).to_owned(), count.map(|n| v.num(n)), asked == word)
    };
    let views = [
        view("", "All", None),
        view("pending", "Pending", Some(status.pending)),
        view("failed", "Failed", Some(status.failed)),
        view("delivered", "Delivered", None),
    ];
    let id = status.alert.id.0;
    let body = html! {
        (tabs(v, "State", &views))
        @if is_narrow || !log.is_empty() { (filters(v, is_narrow)) }
        @if log.is_empty() {
            @if next.is_some() { (empty(v.t("None so far"), html! { (v.t("Many were looked at and none was such. Go on to look at others.")) }, html! {})) (pager(v, 0, next.as_deref())) }
            @else if is_narrow { (empty(v.t("None fits"), html! { (v.t("No message is like that.")) }, html! {})) }
            @else if asked.is_empty() { (empty(v.t("Nothing was to be told yet"), html! { (v.t("Send a test to see whether it arrives.")) }, html! {})) }
            @else { (empty(v.t("None"), html! { (v.t("No message stands so.")) }, html! {})) }
        } @else {
            div.table-wrap { table.table.table-stack {
                caption.vh { (v.t("Messages")) }
                thead { tr { th scope="col" { (v.t("What")) } th scope="col" { (v.t("State")) } (sorted(v, "written", "Written", "num", "-written")) th.num scope="col" { (v.t("Tries")) } th scope="col" { (v.t("Last answer")) } th {} } }
                tbody { @for d in &log { (row(v, d, status.alert.active)) } }
            } }
            (pager(v, log.len(), next.as_deref()))
        }
    };
    let right = html! {
        @if !log.is_empty() { a.btn.btn-s.btn-ghost.right href=(v.address(&[("format", "csv")])) download { (icon("download")) (v.t("Export")) } }
        @if v.may(WebhooksEdit) && failed > 0 && status.alert.active {
            div.right { (confirm(html! { (v.t("Send failed ones again…")) }, "btn btn-s", html! {
                p { (v.t("The same messages, each with the whole schedule before it. Receivers know one that they have seen by its id.")) }
                form.form.stack-m action={ "/webhooks/" (id) "/replay" } method="post" {
                    (csrf(v)) (once())
                    div.field { label for="f-hours" { (v.t("Of")) } select.select #f-hours name="hours" { @for (hours, words) in SINCE { option value=(hours) { (v.t(words)) } } } }
                    button.btn.btn-primary type="submit" { (v.say("Send again, of {} failed", &[&v.num(failed)])) }
                }
            })) }
        }
    };
    Part::new("log", v.t("Messages"), body).right(right).show()
}

fn row(v: &Viewer, d: &DeliveryView, is_active: bool) -> Markup {
    html! {
        tr data-row=(d.id) data-key=(d.id) {
            th scope="row" {
                @match d.exception { Some(e) if v.may(ExceptionsView) => a href={ "/exceptions/" (e.0) } data-open { (d.kind) }, _ => (d.kind) }
                small { (d.message) }
            }
            td data-label=(v.t("State")) { (standing(v, d)) }
            td.num data-label=(v.t("Written")) { time datetime=(iso(d.created_at.0)) title=(v.moment(d.created_at.0)) { (v.when(d.created_at.0)) } }
            td.num data-label=(v.t("Tries")) { (v.num(d.attempts.len() as i64)) }
            td.wrap data-label=(v.t("Last answer")) {
                @match d.attempts.last() { Some(last) => (said(v, last)), None => "–" }
                details.raw { summary { (v.t("Message and tries")) }
                    @if !d.attempts.is_empty() { ol.plain.small { @for a in &d.attempts { li { time datetime=(iso(a.at.0)) { (v.moment(a.at.0)) } ": " (said(v, a)) } } } }
                    pre tabindex="0" { (pretty(d)) }
                }
            }
            td.num {
                @if v.may(WebhooksEdit) && is_active && d.state != Standing::Pending {
                    (button(v, &format!("/webhooks/{}/deliveries/{}/replay", d.alert.0, step(&d.id)), "btn btn-s btn-ghost", &[], html! { (icon("undo")) (v.t("Send again")) }))
                }
            }
        }
    }
}

fn pretty(d: &DeliveryView) -> String {
    let json = serde_json::from_str::<serde_json::Value>(d.body.get()).ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    json.unwrap_or_else(|| d.body.get().to_owned()).chars().take(8_000).collect()
}

fn standing(v: &Viewer, d: &DeliveryView) -> Markup {
    match d.state {
        Standing::Delivered => state("ok", "st-ok", v.t("Delivered")),
        Standing::Failed => state("danger", "st-danger", v.t("Failed")),
        Standing::Pending => match d.due_at.map_or(0, |t| t.0 - v.now) {
            wait if wait > 0 => state("queued", "st-warn", &v.say("Tried again in {}", &[&v.age(wait)])),
            _ => state("queued", "st-info", v.t("To be sent")),
        },
    }
}

fn said(v: &Viewer, attempt: &AttemptView) -> String {
    match (&attempt.fault, attempt.status) {
        (Some(fault), _) => fault.clone(),
        (None, Some(status)) => {
            let answer: String = attempt.answer.chars().take(120).collect();
            v.say("{} in {} ms. {}", &[&status, &v.num(attempt.took_ms), &answer])
        }
        (None, None) => "–".into(),
    }
}

pub async fn replay(State(app): State<App>, Path((id, delivery)): Path<(String, String)>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    let work = async {
        let known = delivery.clone();
        let delivery = app.read(move |tx, _| read::one(tx, &known)).await?;
        if delivery.alert.0 != id {
            return Err(Refused::unknown(Noun::Delivery, delivery.id, "id").into());
        }
        posted.submit(&app, Command::Alert(Change::Replay(Replay { delivery }))).await
    };
    match work.await {
        Ok(_) => Ok(see(&format!("/webhooks/{id}?said=sent"))),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(Vec::new(), stop)?, id).await?.into_response()),
    }
}

pub async fn replay_failed(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    let work = async {
        let hours = posted.fields.int("hours")?.clamp(1, SINCE[3].0);
        let since = posted.viewer.now - hours * 3_600_000_000;
        let count = app.engine.read(move |tx| read::failed_since(tx, id, since)).await? as usize;
        if count == 0 {
            return Ok(false);
        }
        posted.submit(&app, Command::Alert(Change::ReplayFailed(ReplayFailed { alert: id, since, count }))).await.map(|_| true)
    };
    match work.await {
        Ok(sent) => Ok(see(&format!("/webhooks/{id}?said={}", if sent { "sent" } else { "nothing" }))),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(posted.fields.0, stop)?, id).await?.into_response()),
    }
}
