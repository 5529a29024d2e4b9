//! What an endpoint was told or is still to be, every try of it, and sending it again.

use super::show;
use crate::App;
use crate::console::fields::{Posted, see, step};
use crate::console::parts::{Part, button, confirm, csrf, empty, icon, once, pager, sorted, state, tabs};
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
use maud::{Markup, html};

/// Deliveries on one page.
const SHOWN: i64 = 50;
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
        Asked { query: LogQuery { state, oldest_first, after: v.asked("after"), limit: SHOWN + 1 }, hours: SINCE[3].0 }
    }

    /// Since when failed ones are counted that can be sent again: all that are kept.
    pub fn since(&self, now: i64) -> i64 {
        now - self.hours * 3_600_000_000
    }
}

pub fn part(v: &Viewer, status: &AlertStatus, mut log: Vec<DeliveryView>, failed: i64) -> Markup {
    let next = (log.len() as i64 > SHOWN).then(|| log.truncate(SHOWN as usize)).and_then(|()| log.last().map(|d| d.id.clone()));
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
        @if log.is_empty() {
            @if asked.is_empty() { (empty(v.t("Nothing was to be told yet"), html! { (v.t("Send a test to see whether it arrives.")) }, html! {})) }
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
