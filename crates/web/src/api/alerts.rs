//! `/alerts`: who is told of exceptions by webhook or mail, and the log of what they were told.

use crate::App;
use crate::problem::Problem;
use crate::request::{Change, List, Nothing, Params, answer, id as number, json, limit};
use crate::rules::Calls;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::Permission::{WebhooksEdit, WebhooksView};
use domain::{Noun, Refused};
use engine::alerts::Change as Alert;
use engine::alerts::deliver::Replay;
use engine::alerts::edit::{AddSecret, AlertView, DeleteAlert, NewAlert, RemoveSecret, TestAlert, UpdateAlert, new_secret};
use engine::alerts::read::{self, AlertStatus, DeliveryView, LogQuery};
use engine::alerts::rows;
use engine::{Answer, Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls
        .may(WebhooksView, routes!(list))
        .may(WebhooksView, routes!(one))
        .may(WebhooksView, routes!(deliveries))
        .may(WebhooksEdit, routes!(create))
        .may(WebhooksEdit, routes!(update))
        .may(WebhooksEdit, routes!(delete))
        .may(WebhooksEdit, routes!(add_secret))
        .may(WebhooksEdit, routes!(remove_secret))
        .may(WebhooksEdit, routes!(test))
        .may(WebhooksEdit, routes!(replay))
}

/// All endpoints and how they are doing.
#[utoipa::path(get, path = "/alerts", tag = "Alerts", responses((status = 200, body = List<AlertStatus>)))]
async fn list(State(app): State<App>) -> Result<Response<Body>, Problem> {
    let now = app.engine.now();
    let data = app.read(move |tx, config| read::all(tx, config, now)).await?;
    Ok(json(StatusCode::OK, &List { data, next: None }))
}

/// An endpoint and how it is doing.
#[utoipa::path(get, path = "/alerts/{id}", tag = "Alerts", params(("id" = String, Path)), responses((status = 200, body = AlertStatus), (status = 404, body = super::ProblemDetails)))]
async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Response<Body>, Problem> {
    let (id, now) = (number(Noun::Alert, &id)?, app.engine.now());
    let found = app.read(move |tx, config| read::status(tx, config, id, now)).await?;
    Ok(json(StatusCode::OK, &found))
}

/// Tell somebody of exceptions. The answer holds the secret that webhooks are signed with, this once: a repeated request with the same
/// idempotency key answers without it.
#[utoipa::path(post, path = "/alerts", tag = "Alerts", request_body = NewAlert, responses((status = 201, body = AlertView), (status = 409, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn create(State(app): State<App>, change: Change<NewAlert>) -> Result<Response<Body>, Problem> {
    if change.body.mail.is_some() && app.outside.mailer.is_none() {
        let why = "cannot be sent by this server: start it with HOLDFAST_SMTP_URL and HOLDFAST_MAIL_FROM";
        return Err(Refused::invalid("mail", why).into());
    }
    let (text, secret) = match &change.body.url {
        Some(_) => new_secret(&app.vault).map(|(text, secret)| (Some(text), Some(secret)))?,
        None => (None, None),
    };
    let reply = change.reply(&app, |body| Command::Alert(Alert::Create(Box::new(NewAlert { secret, ..body })))).await?;
    Ok(answer(shown(reply, text)))
}

/// Puts a new secret into the first answer. What is kept for repeated requests was kept without it.
fn shown(mut reply: Reply, text: Option<String>) -> Reply {
    if let Answer::Alert(view) = &mut reply.answer {
        view.secret = text;
    }
    reply
}

/// Change an endpoint, switch it off or on. Switching off ends what was still to be sent; it can be replayed.
#[utoipa::path(patch, path = "/alerts/{id}", tag = "Alerts", params(("id" = String, Path)), request_body = UpdateAlert, responses((status = 200, body = AlertView), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn update(State(app): State<App>, Path(id): Path<String>, change: Change<UpdateAlert>) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    change.run(&app, |body| Command::Alert(Alert::Update(Box::new(UpdateAlert { id, ..body })))).await
}

/// Remove an endpoint and its log.
#[utoipa::path(delete, path = "/alerts/{id}", tag = "Alerts", params(("id" = String, Path)), responses((status = 204), (status = 404, body = super::ProblemDetails)))]
async fn delete(State(app): State<App>, Path(id): Path<String>, change: Change<Nothing>) -> Result<StatusCode, Problem> {
    let id = number(Noun::Alert, &id)?;
    change.run(&app, |_| Command::Alert(Alert::Delete(DeleteAlert { id }))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign with a new secret, which this answer holds this once. The older ones go on signing, too, for a day or as long as is said.
#[utoipa::path(post, path = "/alerts/{id}/secrets", tag = "Alerts", params(("id" = String, Path)), request_body = AddSecret, responses((status = 201, body = AlertView), (status = 404, body = super::ProblemDetails), (status = 409, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn add_secret(State(app): State<App>, Path(id): Path<String>, change: Change<AddSecret>) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    let (text, secret) = new_secret(&app.vault)?;
    let reply = change.reply(&app, |body| Command::Alert(Alert::AddSecret(AddSecret { id, secret, ..body }))).await?;
    Ok(answer(shown(reply, Some(text))))
}

/// Stop signing with a secret, at once.
#[utoipa::path(delete, path = "/alerts/{id}/secrets/{secret}", tag = "Alerts", params(("id" = String, Path), ("secret" = String, Path)), responses((status = 200, body = AlertView), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn remove_secret(
    State(app): State<App>,
    Path((id, secret)): Path<(String, String)>,
    change: Change<Nothing>,
) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    change.run(&app, |_| Command::Alert(Alert::RemoveSecret(RemoveSecret { id, secret }))).await
}

/// Send a message that means nothing, to see whether it arrives: look at the endpoint's deliveries.
#[utoipa::path(post, path = "/alerts/{id}/test", tag = "Alerts", params(("id" = String, Path)), responses((status = 201, body = Sent), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn test(State(app): State<App>, Path(id): Path<String>, change: Change<Nothing>) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    change.run(&app, |_| Command::Alert(Alert::Test(TestAlert { id }))).await
}

/// A message that was written to be sent.
#[derive(Serialize, utoipa::ToSchema)]
#[allow(dead_code)]
struct Sent {
    delivery: String,
}

/// Which part of a log.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Log {
    /// pending, delivered or failed; all if left out.
    state: Option<rows::State>,
    /// 1 to 250; 50 if left out.
    limit: Option<i64>,
    /// `next` of the page before.
    after: Option<String>,
}

/// What an endpoint was told or is still to be, the newest first, with every try.
#[utoipa::path(get, path = "/alerts/{id}/deliveries", tag = "Alerts", params(("id" = String, Path), Log), responses((status = 200, body = List<DeliveryView>), (status = 404, body = super::ProblemDetails)))]
async fn deliveries(State(app): State<App>, Path(id): Path<String>, Params(params): Params<Log>) -> Result<Response<Body>, Problem> {
    let (id, limit) = (number(Noun::Alert, &id)?, limit(params.limit)?);
    let after = params.after.filter(|text| !text.is_empty());
    let query = LogQuery { state: params.state, after, limit: limit as usize, ..LogQuery::default() };
    let found = app.read(move |tx, config| read::deliveries(tx, config, id, &query)).await?;
    Ok(json(StatusCode::OK, &List { data: found.rows, next: found.next }))
}

/// Send a delivery again now, under the same `webhook-id`.
#[utoipa::path(post, path = "/deliveries/{id}/replay", tag = "Alerts", params(("id" = String, Path)), responses((status = 200, body = DeliveryView), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn replay(State(app): State<App>, Path(id): Path<String>, change: Change<Nothing>) -> Result<Response<Body>, Problem> {
    let delivery = app.read(move |tx, _| read::one(tx, &id)).await?;
    change.run(&app, |_| Command::Alert(Alert::Replay(Replay { delivery }))).await
}
