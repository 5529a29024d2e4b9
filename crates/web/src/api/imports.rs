//! `/imports`: files of any length, streamed.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{idempotency_key, json};
use crate::rules::Calls;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use domain::Permission::ImportsRun;
use domain::{Noun, Refused};
use engine::Stop;
use engine::imports::{Kind, find, run};
use engine::views::ImportView;
use futures_util::StreamExt;
use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::mpsc;
use utoipa_axum::routes;

/// A file must go on arriving: so long may a pause be.
const PAUSE: Duration = Duration::from_secs(60);

pub fn calls(calls: Calls) -> Calls {
    calls.may(ImportsRun, routes!(get_import)).may(ImportsRun, routes!(import))
}

/// Imports under way in this node, by key.
static RUNNING: Mutex<Option<HashSet<String>>> = Mutex::new(None);

struct Running(String);

impl Running {
    fn begin(key: &str) -> Option<Running> {
        let mut running = RUNNING.lock().unwrap_or_else(|e| e.into_inner());
        running.get_or_insert_default().insert(key.to_owned()).then(|| Running(key.to_owned()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(running) = RUNNING.lock().unwrap_or_else(|e| e.into_inner()).as_mut() {
            running.remove(&self.0);
        }
    }
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
    let (pieces, file) = mpsc::channel::<io::Result<Bytes>>(16);
    let mut body = request.into_body().into_data_stream();
    tokio::spawn(async move {
        loop {
            let piece = match tokio::time::timeout(PAUSE, body.next()).await {
                Ok(Some(Ok(bytes))) => Ok(bytes),
                Ok(Some(Err(error))) => Err(io::Error::other(error)),
                Ok(None) => return,
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the file stopped arriving")),
            };
            let failed = piece.is_err();
            if pieces.send(piece).await.is_err() || failed {
                return;
            }
        }
    });
    let engine = app.engine.clone();
    let actor = caller.by();
    let work = move || {
        let _running = running;
        run(&engine, &key, kind, Pieces { file, current: Bytes::new() }, &actor, dry_run, |_| {})
    };
    let view = tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))??;
    Ok(json(StatusCode::OK, &view))
}

/// A body as something to read from, on a thread that may block.
struct Pieces {
    file: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.file.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let count = to.len().min(self.current.len());
        to[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
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
