//! `/keys`: API keys with roles.

use crate::App;
use crate::problem::Problem;
use crate::request::{Change, List, json};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::limits;
use engine::views::Time;
use engine::{Key, Role, Stop, create_key, list_keys, revoke_key};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn admin() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(create)).routes(routes!(revoke))
}

#[derive(Serialize, utoipa::ToSchema)]
struct KeyView {
    id: String,
    name: String,
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Time>,
    /// The key itself, only in the answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl KeyView {
    fn new(key: Key, text: Option<String>) -> KeyView {
        KeyView {
            id: key.id,
            name: key.name,
            role: key.role,
            created_at: Time(key.created_at),
            expires_at: key.expires_at.map(Time),
            revoked_at: key.revoked_at.map(Time),
            key: text,
        }
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    role: Role,
    /// Left out: until it is revoked.
    #[serde(default)]
    expires_in_seconds: Option<i64>,
}

/// All keys, without their secrets.
#[utoipa::path(get, path = "/keys", tag = "Keys", responses((status = 200, body = List<KeyView>)))]
async fn list(State(app): State<App>) -> Result<Response<Body>, Problem> {
    let keys = app.read(|tx, _| list_keys(tx)).await?;
    Ok(json(StatusCode::OK, &List { data: keys.into_iter().map(|k| KeyView::new(k, None)).collect(), next: None }))
}

/// Create a key. Its text is in this answer and nowhere else, so this call takes no idempotency key.
#[utoipa::path(post, path = "/keys", tag = "Keys", request_body = NewKey, responses((status = 201, body = KeyView), (status = 422, body = super::ProblemDetails)))]
async fn create(State(app): State<App>, change: Change<NewKey>) -> Result<Response<Body>, Problem> {
    let NewKey { name, role, expires_in_seconds } = change.body;
    let now = app.engine.now();
    let expires_at = match expires_in_seconds {
        Some(seconds) => Some(now + 1_000_000 * limits::quantity("expires_in_seconds", seconds)?),
        None => None,
    };
    let url = app.engine.url().clone();
    let work = move || create_key(&url, &name, role, now, expires_at);
    let (key, text) = tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))??;
    Ok(json(StatusCode::CREATED, &KeyView::new(key, Some(text))))
}

/// Revoke a key; every server notices within a second.
#[utoipa::path(delete, path = "/keys/{id}", tag = "Keys", params(("id" = String, Path)), responses((status = 204), (status = 404, body = super::ProblemDetails)))]
async fn revoke(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let (url, now) = (app.engine.url().clone(), app.engine.now());
    tokio::task::spawn_blocking(move || revoke_key(&url, &id, now)).await.map_err(|e| Stop::broken(e.to_string()))??;
    Ok(StatusCode::NO_CONTENT)
}
