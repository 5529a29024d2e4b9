//! `/keys`: API keys with roles.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{Change, List, json};
use crate::rules::Calls;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::Permission::KeysManage;
use engine::keys::{self, KeyView, NewKey};
use serde::Serialize;
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls.may(KeysManage, routes!(list)).may(KeysManage, routes!(create)).may(KeysManage, routes!(revoke))
}

/// A key that was just made: the only time that its text is shown.
#[derive(Serialize, utoipa::ToSchema)]
struct MadeKey {
    #[serde(flatten)]
    made: KeyView,
    key: String,
}

/// All keys, without their secrets.
#[utoipa::path(get, path = "/keys", tag = "Keys", responses((status = 200, body = List<KeyView>)))]
async fn list(State(app): State<App>) -> Result<Response<Body>, Problem> {
    let data = app.read(|tx, config| Ok(keys::list_keys(tx)?.iter().map(|k| KeyView::new(k, config)).collect())).await?;
    Ok(json(StatusCode::OK, &List { data, next: None }))
}

/// Create a key. Its text is in this answer and nowhere else, so this call takes no idempotency key.
#[utoipa::path(post, path = "/keys", tag = "Keys", request_body = NewKey, responses((status = 201, body = MadeKey), (status = 403, description = "a key may not be given more than one has", body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn create(State(app): State<App>, change: Change<NewKey>) -> Result<Response<Body>, Problem> {
    let (by, new) = (change.caller.by(), change.body);
    let (key, text) = app.engine.transact(move |tx, now| keys::create(tx, &by, now, &new)).await?;
    let made = app.read(move |_, config| Ok(KeyView::new(&key, config))).await?;
    Ok(json(StatusCode::CREATED, &MadeKey { made, key: text }))
}

/// Revoke a key; every server notices within a second.
#[utoipa::path(delete, path = "/keys/{id}", tag = "Keys", params(("id" = String, Path)), responses((status = 204), (status = 404, body = super::ProblemDetails)))]
async fn revoke(State(app): State<App>, Path(id): Path<String>, Extension(caller): Extension<Caller>) -> Result<StatusCode, Problem> {
    app.engine.transact(move |tx, now| keys::revoke(tx, &caller.by(), now, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
