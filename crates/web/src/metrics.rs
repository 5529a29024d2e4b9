//! Figures for operators: Prometheus text at `/metrics`, and whether the server lives and is ready.

use crate::App;
use crate::problem::Problem;
use crate::rules::{Known, Rule, plain};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use domain::Permission;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// What the web side counts.
#[derive(Default)]
pub struct Metrics {
    pub connections: AtomicUsize,
}

/// Health is open to everybody; the figures need a key that may follow events.
pub fn router(app: &App) -> (Router<App>, Vec<Known>) {
    let mut known = Vec::new();
    let router = plain(app, "/metrics", Rule::May(Permission::EventsView), metrics, &mut known)
        .merge(plain(app, "/health/live", Rule::Open, || async { "live\n" }, &mut known))
        .merge(plain(app, "/health/ready", Rule::Open, ready, &mut known));
    (router, known)
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
    channels(&app, &mut text).await?;
    alerts(&app, &mut text).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}

/// The figures of alerts: all of them together, and by endpoint.
async fn alerts(app: &App, text: &mut String) -> Result<(), Problem> {
    let now = app.engine.now();
    let found = app.read(move |tx, config| engine::alerts::read::all(tx, config, now)).await?;
    let mut tell = |name: &str, help: &str, value: &dyn Fn(&engine::alerts::read::AlertStatus) -> i64| {
        let _ = write!(text, "# HELP holdfast_alert_{name} {help}\n# TYPE holdfast_alert_{name} gauge\n");
        for status in &found {
            let _ = writeln!(text, "holdfast_alert_{name}{{alert=\"{}\"}} {}", status.alert.id.0, value(status));
        }
    };
    tell("active", "Whether the endpoint is told anything.", &|s| i64::from(s.alert.active));
    tell("deliveries_pending", "Messages to be sent, or sent again.", &|s| s.pending);
    tell("deliveries_failed", "Messages of the last 30 days that did not arrive and are not tried again.", &|s| s.failed);
    tell("oldest_pending_seconds", "How long the oldest pending message has waited.", &|s| s.oldest_pending.map_or(0, |t| (now - t.0) / 1_000_000));
    Ok(())
}

/// The figures of each channel, with its code as a label.
async fn channels(app: &App, text: &mut String) -> Result<(), Problem> {
    let found = app.read(engine::channels::read::all).await?;
    let now = app.engine.now();
    let mut tell = |name: &str, kind: &str, help: &str, value: &dyn Fn(&engine::channels::read::ChannelStatus) -> Vec<(&'static str, f64)>| {
        let _ = write!(text, "# HELP holdfast_channel_{name} {help}\n# TYPE holdfast_channel_{name} {kind}\n");
        for status in &found {
            for (quantile, value) in value(status) {
                let label = if quantile.is_empty() { String::new() } else { format!(",quantile=\"{quantile}\"") };
                let _ = writeln!(text, "holdfast_channel_{name}{{channel=\"{}\"{label}}} {value}", status.channel.code);
            }
        }
    };
    let health = |status: &engine::channels::read::ChannelStatus| app.workers.health(status.channel.id.0).unwrap_or_default();
    let one = |value: i64| vec![("", value as f64)];
    tell("exposure", "gauge", "Listing units that the channel may still sell.", &|s| one(s.exposure));
    tell("queue", "gauge", "Listings that want a write.", &|s| one(s.queue));
    tell("oldest_wish_seconds", "gauge", "How long the oldest of them has waited.", &|s| one(s.oldest_wish.map_or(0, |t| (now - t.0) / 1_000_000)));
    tell("drift_units_total", "counter", "Listing units that a channel showed beyond what it was given.", &|s| one(s.drift_units));
    tell("oversold_units_total", "counter", "Listing units sold that were never given to the channel.", &|s| one(s.oversold_units));
    tell("writes_total", "counter", "Quantities acknowledged, on this server.", &|s| one(health(s).pushed as i64));
    tell("calls_total", "counter", "Calls of the marketplace, on this server.", &|s| one(health(s).calls as i64));
    tell("throttled_total", "counter", "Calls that were too many, on this server.", &|s| one(health(s).throttled as i64));
    tell("budget_left", "gauge", "Share of the scarcest limit of calls that is left, on this server; below 0 when calls wait.", &|s| {
        let left = health(s).limits.iter().map(|(_, left, of)| left / of.max(1.0)).min_by(f64::total_cmp);
        left.map_or(Vec::new(), |left| vec![("", left)])
    });
    tell("orders_late_total", "counter", "Orders read later than a minute after they were placed, on this server.", &|s| {
        one(health(s).orders_late as i64)
    });
    tell("latency_seconds", "summary", "From the commit to the marketplace's acknowledgement, on this server.", &|s| {
        let seconds = |micros: u32| f64::from(micros) / 1e6;
        health(s).latency().map_or(Vec::new(), |(p50, p95, p99)| vec![("0.5", seconds(p50)), ("0.95", seconds(p95)), ("0.99", seconds(p99))])
    });
    Ok(())
}
