//! `/events`: what happened, as a list and as a live stream.

use crate::App;
use crate::auth::Caller;
use crate::follow::Told;
use crate::problem::Problem;
use crate::request::{List, Page, Params, cursor, json, limit};
use crate::rules::Calls;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use domain::Grant;
use domain::Permission::EventsView;
use engine::access::reach;
use engine::events::{self, EventView};
use futures_util::stream::{self, StreamExt};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use utoipa_axum::routes;

/// A silent stream says that it lives this often, so that proxies keep it open.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub fn calls(calls: Calls) -> Calls {
    calls.may(EventsView, routes!(list_events)).may(EventsView, routes!(stream_events))
}

/// Events in the order in which things happened, as CloudEvents.
#[utoipa::path(get, path = "/events", tag = "Events", params(Page), responses((status = 200, body = List<EventView>)))]
async fn list_events(State(app): State<App>, Extension(caller): Extension<Caller>, Params(page): Params<Page>) -> Result<Response<Body>, Problem> {
    let (limit, after) = (limit(page.limit)?, cursor(page.after.as_deref(), 0)?);
    let list = app
        .read(move |tx, config| {
            let list = List::new(events::after(tx, after, limit + 1)?, limit, |e| e.id.0.to_string());
            Ok(list.only(|e| reach::event(e, &caller.grant, config)))
        })
        .await?;
    Ok(json(StatusCode::OK, &list))
}

/// The events among these that somebody may see.
async fn own(app: &App, grant: Arc<Grant>, page: Vec<Told>) -> Result<Vec<Told>, engine::Stop> {
    if !grant.is_limited() {
        return Ok(page);
    }
    app.read(move |_, config| Ok(page.into_iter().filter(|t| reach::event(&t.view, &grant, config)).collect())).await
}

/// Events as they happen (SSE). Resumes after `Last-Event-ID` or `after`; without either it begins now.
#[utoipa::path(get, path = "/events/stream", tag = "Events", params(Page), responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn stream_events(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Params(page): Params<Page>,
) -> Result<Response<Body>, Problem> {
    let resume = headers.get("last-event-id").and_then(|v| v.to_str().ok()).or(page.after.as_deref());
    let start = match resume {
        Some(_) => cursor(resume, 0)?,
        None => app.engine.read(events::last).await?,
    };
    let listener = app.follow.listen();
    let (reader, grant) = (app.clone(), caller.grant.clone());
    let told = stream::unfold((listener, start), move |(mut listener, after)| {
        let (app, grant) = (reader.clone(), grant.clone());
        async move {
            let page = listener.after(after, HEARTBEAT).await.ok()?;
            let last = page.last().map_or(after, |t| t.seq);
            let page = own(&app, grant, page).await.ok()?;
            let mut lines: Vec<Result<Event, Infallible>> =
                page.into_iter().map(|t| Ok(Event::default().id(t.seq.to_string()).event(&*t.kind).data(&*t.json))).collect();
            if lines.is_empty() {
                lines.push(Ok(Event::default().comment("")));
            }
            Some((stream::iter(lines), (listener, last)))
        }
    });
    // Says at once that it is open, so that a page need not wait for the first event.
    let hello = stream::iter([Ok(Event::default().comment("open").retry(Duration::from_secs(1)))]);
    let mut stopping = app.stopping.subscribe();
    let until_stop = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
    let mut response = Sse::new(hello.chain(told.flatten()).take_until(until_stop)).into_response();
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    Ok(response)
}
