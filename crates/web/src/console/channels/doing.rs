//! What is done with a channel at once: checked, compared, paused, stopped; and what would be sent, without sending it.

use super::{find, one};
use crate::App;
use crate::console::fields::{Posted, see, step};
use crate::console::parts::{empty, icon};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use engine::channels::check::{self as ask, Unanswered};
use engine::channels::connect::UpdateChannel;
use engine::channels::push::{self, BeginPushes};
use engine::{Answer, Command};
use maud::{Markup, html};

/// Writes that are looked at.
const WAITING: i64 = 50;

async fn update(app: App, posted: Posted, change: UpdateChannel) -> Result<Response<Body>, Problem> {
    let code = change.code.clone();
    find(&app, &posted.viewer, &code).await?;
    match posted.submit(&app, Command::UpdateChannel(change)).await {
        Ok(_) => Ok(see(&posted.back(&format!("/channels/{}?said=saved", step(&code))))),
        Err(stop) => Ok(one::show(&app, &posted.viewer.refused(Vec::new(), stop)?, &code, html! {}).await?.into_response()),
    }
}

pub async fn pause(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    update(app, posted, UpdateChannel { code, paused: Some(true), ..UpdateChannel::default() }).await
}

pub async fn resume(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    update(app, posted, UpdateChannel { code, paused: Some(false), ..UpdateChannel::default() }).await
}

/// Everything there is set to nothing, which has to be sent: a pause ends with it.
pub async fn stop(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    update(app, posted, UpdateChannel { code, stopped: Some(true), paused: Some(false), ..UpdateChannel::default() }).await
}

pub async fn sell(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    update(app, posted, UpdateChannel { code, stopped: Some(false), ..UpdateChannel::default() }).await
}

pub async fn resync(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let channel = find(&app, &posted.viewer, &code).await?;
    app.workers.resync(&app.engine, &app.vault, &channel);
    Ok(see(&format!("/channels/{}", step(&code))))
}

/// Asks it something harmless, and shows what it said.
pub async fn check(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Page, Problem> {
    let v = &posted.viewer;
    let channel = find(&app, v, &code).await?;
    let answer = ask::check(&app.engine, &app.vault, &channel).await?;
    one::show(&app, v, &code, answered(v, &answer)).await
}

/// What an account said, or why it did not and what to do.
pub fn answered(v: &Viewer, answer: &Result<String, Unanswered>) -> Markup {
    match answer {
        Ok(account) => {
            html! { div.banner.banner-ok role="status" { (icon("ok")) div { b { (v.t("It answered.")) } " " (v.say("The account is “{}”.", &[account])) } } }
        }
        Err(Unanswered { why, advice }) => {
            html! { div.banner.banner-danger role="alert" { (icon("danger")) div { b { (v.t("It did not answer as it should.")) } " " (why) ". " (v.t(advice)) } } }
        }
    }
}

/// What would be sent now, without sending it: for a channel that is paused, or to see what waits.
pub async fn waiting(State(app): State<App>, Path(code): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let v = &viewer;
    let channel = find(&app, v, &code).await?;
    let known = channel.clone();
    let due = app.engine.read(move |tx| Ok(push::may_wait(tx, &known, WAITING)?)).await?;
    let reply = app.engine.submit(Command::BeginPushes(BeginPushes { listings: due, dry: true }), v.by().actor, None).await?;
    let pushes = if let Answer::Pushes(pushes) = reply.answer { pushes } else { Vec::new() };
    let body = html! {
        section.panel aria-label=(v.t("What waits")) {
            @if pushes.is_empty() { (empty(v.t("Nothing waits"), html! { (v.t("Every listing there shows what it should, as far as is known.")) }, html! {})) }
            @else {
                div.table-wrap { table.table {
                    caption.vh { (v.t("What waits")) }
                    thead { tr { th scope="col" { (v.t("Listing")) } th.num scope="col" { (v.t("Shows")) } th.num scope="col" { (v.t("Would be set to")) } th.num scope="col" { (v.t("Waits for")) } } }
                    tbody { @for p in &pushes { tr data-row=(p.listing) data-key={ "l" (p.listing) } {
                        th scope="row" { a href={ "/channels/" (step(&code)) "/listings/" (p.listing) } data-open { (p.external) } }
                        td.num { (p.from.map_or(v.t("not compared").to_owned(), |n| v.num(n))) } td.num.strong { (v.num(p.to)) } td.num { (v.age(v.now - p.since)) }
                    } } }
                } }
                div.panel-foot { span { (v.say("The {} most urgent; as it would be at this moment.", &[&v.num(pushes.len() as i64)])) } }
            }
        }
    };
    let sub = html! { (v.t("Nothing is sent by looking.")) " " a href={ "/channels/" (step(&code)) } { (channel.name) } };
    let head = shell::head(v.t("What would be sent"), sub, html! {});
    Ok(shell::page(v, Sheet { title: v.t("What would be sent").into(), here: "/channels", topics: "tick channels".into(), head, body }))
}
