//! Pages for people: sign-in, and today's page, which stays up to date by itself.
//!
//! Here: the routes and what every page's answer carries. Not here: SQL (`engine::dashboard`), scripts and styles (`static/`).

mod alerts;
mod channels;
mod chart;
mod empty;
mod exceptions;
mod feed;
mod files;
mod live;
mod panels;
mod shell;
mod show;
mod sign_in;
mod today;

use crate::App;
use crate::auth::{Caller, key_text};
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::{get, post};
use axum::{Extension, Router};
use live::Live;
use std::sync::Arc;

/// Nothing from elsewhere, nothing inline, no frame around it.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub fn router(app: &App) -> Router<App> {
    let live = Arc::new(Live::new(app.engine.now()));
    Router::new()
        .route("/", get(today))
        .route("/live", get(fragment))
        .route("/channels", get(channels::page))
        .route("/channels/{code}", get(channels::one))
        .route("/exceptions", get(exceptions::page))
        .route("/exceptions/{id}", get(exceptions::one))
        .route("/alerts", get(alerts::page))
        .route("/alerts/{id}", get(alerts::one))
        .route("/sign-in", get(sign_in::page).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .layer(Extension(live))
        .layer(map_response(never_stored))
        .route("/static/{version}/{name}", get(files::file))
        .layer(map_response(guarded))
}

/// Pages show what is true now, to one person.
async fn never_stored(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: with it, browsers send `Origin: null` and sign-in could not tell its own page from another.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Who looks at a page, if the cookie's key opens anything.
async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    match key_text(headers) {
        Some(text) => Ok(app.keys.caller(text).await?),
        None => Ok(None),
    }
}

async fn today(State(app): State<App>, Extension(live): Extension<Arc<Live>>, headers: HeaderMap) -> Result<Response<Body>, Problem> {
    let Some(caller) = signed_in(&app, &headers).await? else { return Ok(Redirect::to("/sign-in").into_response()) };
    let view = live.view(&app).await?;
    let host = host(&headers);
    Ok(Html(today::page(&view, &caller, &host, app.engine.url()).into_string()).into_response())
}

/// The part of the page that changes, as the script fetches it.
async fn fragment(State(app): State<App>, Extension(live): Extension<Arc<Live>>, headers: HeaderMap) -> Result<Response<Body>, Problem> {
    if signed_in(&app, &headers).await?.is_none() {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "key_required", "Sign in again."));
    }
    let view = live.view(&app).await?;
    Ok(Html(today::fragment(&view, &host(&headers)).into_string()).into_response())
}

/// The address that the reader used, for commands to copy.
fn host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("127.0.0.1:7070");
    let scheme = if sign_in::is_https(headers) { "https" } else { "http" };
    format!("{scheme}://{host}")
}
