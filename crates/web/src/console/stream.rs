//! The stream that pages listen to: that something they show has changed, never what. They ask for themselves again then.

use super::fields::pairs;
use super::viewer::Viewer;
use crate::App;
use crate::auth;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use domain::Permission;
use futures_util::stream::{self, StreamExt};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// A silent stream says that it lives this often, and looks whether its session still does.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What is in memory of the program alone, such as the health of channels, is shown anew this often: the topic `tick`.
const TICK: Duration = Duration::from_secs(2);
/// Most topics of one page.
const MAX_TOPICS: usize = 32;
/// A page asks for itself again this often at most, in milliseconds; and, the more pages are open, the less often.
const GAP: u64 = 150;
const GAP_PER_PAGE: u64 = 1;
const LONGEST_GAP: u64 = 5_000;

/// Whether somebody may hear of a topic.
fn may_hear(v: &Viewer, topic: &str) -> bool {
    let needs = match topic.split(':').next().unwrap_or_default() {
        "orders" | "order" | "reservations" => Permission::OrdersView,
        "stock" | "item" | "items" | "transfers" | "locations" => Permission::StockView,
        "channels" => Permission::ChannelsView,
        "exceptions" => Permission::ExceptionsView,
        "imports" => Permission::ImportsRun,
        "rules" => Permission::RoutingView,
        "webhooks" => Permission::WebhooksView,
        "tick" => return true,
        _ => return false,
    };
    v.may(needs)
}

pub async fn stream(State(app): State<App>, headers: HeaderMap, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let asked = pairs(&viewer.query);
    let text = |name: &str| asked.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or_default();
    let topics: Vec<String> = text("topics").split_whitespace().take(MAX_TOPICS).filter(|t| may_hear(&viewer, t)).map(str::to_owned).collect();
    let resumed = headers.get("last-event-id").and_then(|v| v.to_str().ok()?.parse::<i64>().ok());
    let start = match resumed.or_else(|| text("after").parse().ok()) {
        Some(after) => after,
        None => app.engine.read(engine::events::last).await?,
    };
    let patience = if topics.iter().any(|t| t == "tick") { TICK } else { HEARTBEAT };
    let ticks = patience == TICK;
    let cookie = auth::cookie(&headers).unwrap_or_default().to_owned();
    let (follow, mut stopping) = (app.follow.clone(), app.stopping.subscribe());
    let state = (app, follow.listen(), start, Instant::now(), topics, viewer.visit.clone());
    let told = stream::unfold(state, move |(app, mut listener, after, quiet, topics, visit)| {
        let cookie = cookie.clone();
        async move {
            // The page would not ask for itself sooner.
            tokio::time::sleep_until(quiet).await;
            let touched = listener.touched(&topics, after, patience).await;
            // Whoever was signed out hears nothing more.
            app.callers.person(&cookie, &visit).await.ok()??;
            let gap = (app.follow.listeners() as u64 * GAP_PER_PAGE).clamp(GAP, LONGEST_GAP);
            let (event, seq) = match touched {
                Some(seq) => (Event::default().id(seq.to_string()).event("changed").data(format!("{{\"seq\":{seq},\"gap\":{gap}}}")), seq),
                None if ticks => (Event::default().event("changed").data(format!("{{\"seq\":null,\"gap\":{gap}}}")), after),
                None => (Event::default().comment(""), after),
            };
            let is_asked = touched.is_some() || ticks;
            let quiet = Instant::now() + Duration::from_millis(if is_asked { gap } else { 0 });
            Some((Ok::<Event, Infallible>(event), (app, listener, seq, quiet, topics, visit)))
        }
    });
    // Says at once that it is open, so that a page need not wait for the first event.
    let hello = stream::iter([Ok(Event::default().comment("open").retry(Duration::from_secs(1)))]);
    let until_stop = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
    let mut response = Sse::new(hello.chain(told).take_until(until_stop)).into_response();
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
