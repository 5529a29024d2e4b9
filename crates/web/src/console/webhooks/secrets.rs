//! The secrets that a webhook is signed with: shown once when they are made, replaced with an overlap, removed.

use super::show;
use crate::App;
use crate::console::fields::{Posted, see, step};
use crate::console::parts::{Part, button, confirm, form, icon, seen, select};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Noun;
use domain::Permission::WebhooksEdit;
use engine::access::audit::etag_of;
use engine::alerts::Change;
use engine::alerts::edit::{AddSecret, AlertView, RemoveSecret, new_secret};
use engine::{Answer, Command, Stop};
use maud::{Markup, html};

/// How long older secrets go on signing: (seconds, words).
const OVERLAPS: [(i64, &str); 5] = [(86_400, "1 day"), (3_600, "1 hour"), (7 * 86_400, "1 week"), (30 * 86_400, "30 days"), (0, "Not at all")];

pub fn part(v: &Viewer, alert: &AlertView) -> Markup {
    let may = v.may(WebhooksEdit);
    let to = format!("/webhooks/{}/secrets", alert.id.0);
    let overlaps = OVERLAPS.map(|(seconds, words)| (seconds.to_string(), v.t(words).to_owned()));
    let body = html! { div.panel-body.stack {
        p.small { (v.t("Each message is signed with all of these, so that the receiver can change over without missing one.")) }
        ul.plain { @for secret in &alert.secrets { li.row {
            span.grow { code { (secret.id) } " " span.quiet.small {
                (v.say("since {}", &[&v.date(secret.created_at.0)]))
                @if let Some(until) = secret.expires_at { ", " (v.say("signs for {} more", &[&v.age(until.0 - v.now)])) }
            } }
            @if may && alert.secrets.len() > 1 {
                (confirm(html! { (v.t("Remove…")) }, "btn btn-s btn-ghost", html! {
                    p { (v.t("It signs no more at once. A receiver that knows no other refuses everything from then on.")) }
                    (button(v, &format!("{to}/{}/remove", step(&secret.id)), "btn btn-danger", &[("seen", &etag_of(alert))], html! { (v.t("Remove it")) }))
                }))
            }
        } } }
        @if may {
            (confirm(html! { (v.t("Add a secret…")) }, "btn", form(v, &to, html! {
                (seen(&etag_of(alert)))
                (select(v, "keep", "The older ones go on signing for", &overlaps, "86400"))
                button.btn.btn-primary type="submit" { (v.t("Make one and show it")) }
            })))
        }
    } };
    Part::new("secrets", v.t("Signing secrets"), body).show()
}

/// A new secret, this once.
pub fn shown(v: &Viewer, alert: &AlertView, secret: &str) -> Page {
    let body = html! {
        section.panel.form-narrow aria-labelledby="h-secret" { div.panel-head { h2 #h-secret { (v.t("The secret it is signed with")) } } div.panel-body.stack {
            p { (v.t("Give it to the receiver. It is shown this once; whoever has it can sign messages that pass for ours.")) }
            div.code-line { pre.code #secret { (secret) } button.btn type="button" data-copy-from="secret" data-js { span { (icon("copy")) (v.t("Copy")) } span.done { (icon("ok")) (v.t("Copied")) } } }
            p.small { (v.t("Every library of standardwebhooks.com verifies with it.")) }
            div.form-foot { a.btn.btn-primary href={ "/webhooks/" (alert.id.0) } { (v.t("I have it")) } }
        } }
    };
    let head = shell::head(&alert.name, html! { (super::target(alert)) }, html! {});
    shell::page(v, Sheet { title: alert.name.clone(), here: "/webhooks", topics: String::new(), head, body })
}

pub async fn add(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    let work = async {
        let keep_old_seconds = posted.fields.opt_int("keep")?;
        let (text, secret) = new_secret(&app.vault)?;
        let reply = posted.submit(&app, Command::Alert(Change::AddSecret(AddSecret { id, keep_old_seconds, secret }))).await?;
        Ok::<_, Stop>((reply.answer, text))
    };
    match work.await {
        Ok((Answer::Alert(view), text)) => Ok(shown(&posted.viewer, &view, &text).into_response()),
        // The same form once more: the secret was shown then.
        Ok(_) => Ok(see(&format!("/webhooks/{id}"))),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(posted.fields.0, stop)?, id).await?.into_response()),
    }
}

pub async fn remove(State(app): State<App>, Path((id, secret)): Path<(String, String)>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    match posted.submit(&app, Command::Alert(Change::RemoveSecret(RemoveSecret { id, secret }))).await {
        Ok(_) => Ok(see(&format!("/webhooks/{id}?said=deleted"))),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(Vec::new(), stop)?, id).await?.into_response()),
    }
}
