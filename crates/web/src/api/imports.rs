//! `/imports`: files of any length, streamed.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{idempotency_key, json};
use crate::rules::Calls;
use crate::upload::{Pieces, Running};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use domain::Permission::ImportsRun;
use domain::{Noun, Refused};
use engine::Stop;
use engine::imports::{Import, Kind, find, run};
use engine::views::ImportView;
use std::ops::ControlFlow::Continue;
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls.may(ImportsRun, routes!(get_import)).may(ImportsRun, routes!(import))
}

/// Import a CSV file (gzip or not): items, locations, stock, orders or postal_codes. The same file sent again with the same
/// `Idempotency-Key` goes on where it stopped. Bad rows are told by line and column and harm no other row.
#[utoipa::path(post, path = "/imports/{kind}", tag = "Imports", params(("kind" = String, Path), ("dry_run" = Option<bool>, Query, description = "only read and check the file")),
    request_body(content = String, content_type = "text/csv"), responses((status = 200, body = ImportView), (status = 422, body = super::ProblemDetails)))]
async fn import(
    State(app): State<App>,
    Path(kind): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let kind = Kind::parse(&kind).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "unknown_path", format!("There is no import of {kind}.")))?;
    let dry_run = request.uri().query().is_some_and(|q| q.split('&').any(|p| p == "dry_run=true" || p == "dry_run=1"));
    let key = match idempotency_key(&headers)? {
        Some(key) => format!("{}:{key}", caller.id),
        None => {
            let mut random = [0u8; 16];
            getrandom::fill(&mut random).map_err(|e| Stop::broken(e.to_string()))?;
            format!("{}:{:032x}", caller.id, u128::from_le_bytes(random))
        }
    };
    let running = Running::begin(&key).ok_or(Refused::IdempotencyInProgress)?;
    let file = Pieces::of(request.into_body().into_data_stream());
    let engine = app.engine.clone();
    let actor = caller.by();
    let work = move || {
        let _running = running;
        run(&engine, Import { key: &key, kind, file: "" }, file, &actor, dry_run, |_| Continue(()))
    };
    let view = tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))??;
    Ok(json(StatusCode::OK, &view))
}

/// How far an import has come, by its idempotency key.
#[utoipa::path(get, path = "/imports/{kind}/{key}", tag = "Imports", params(("kind" = String, Path), ("key" = String, Path)), responses((status = 200, body = ImportView), (status = 404, body = super::ProblemDetails)))]
async fn get_import(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((_, key)): Path<(String, String)>,
) -> Result<Response<Body>, Problem> {
    let unknown = Refused::unknown(Noun::Import, &key, "key");
    let key = format!("{}:{key}", caller.id);
    let state = app.read(move |tx, _| find(tx, &key).map_err(|_| unknown.into())).await?;
    Ok(json(StatusCode::OK, &state.view))
}
