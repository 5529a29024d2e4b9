//! Figures for operators: Prometheus text at `/metrics`, and whether the server lives and is ready.

use crate::App;
use crate::problem::Problem;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// What the web side counts.
#[derive(Default)]
pub struct Metrics {
    pub connections: AtomicUsize,
}

/// Health is open to everybody; the figures need a key that may read.
pub fn router(app: &App) -> Router<App> {
    let figures = Router::new().route("/metrics", get(metrics)).route_layer(axum::middleware::from_fn_with_state(app.clone(), crate::auth::read));
    Router::new().route("/health/live", get(|| async { "live\n" })).route("/health/ready", get(ready)).merge(figures)
}

/// 200 when the database answers and changes are accepted.
async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    app.engine.read(engine::events::last).await.map_err(|error| {
        tracing::warn!("not ready: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "The database does not answer.")
    })?;
    Ok("ready\n")
}

async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let figures = app.engine.figures();
    let events = app.engine.read(engine::events::last).await?;
    let mut text = String::new();
    let mut tell = |name: &str, kind: &str, help: &str, value: i64| {
        let _ = write!(text, "# HELP holdfast_{name} {help}\n# TYPE holdfast_{name} {kind}\nholdfast_{name} {value}\n");
    };
    let get = |figure: &AtomicI64| figure.load(Ordering::Relaxed);
    tell("commands_total", "counter", "Changes that were answered.", get(&figures.commands));
    tell("refused_total", "counter", "Changes that were refused.", get(&figures.refused));
    tell("broken_total", "counter", "Changes that failed by a fault of the program or the machine.", get(&figures.broken));
    tell("commits_total", "counter", "Transactions committed; several changes share one.", get(&figures.commits));
    tell("retries_total", "counter", "Transactions tried again.", get(&figures.retries));
    tell("waiting", "gauge", "Changes that wait for the writer.", figures.waiting.load(Ordering::Relaxed) as i64);
    tell("events_total", "counter", "Events in the database.", events);
    tell("streams", "gauge", "Open event streams.", app.follow.listeners() as i64);
    tell("connections", "gauge", "Open HTTP connections.", app.metrics.connections.load(Ordering::Relaxed) as i64);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}
