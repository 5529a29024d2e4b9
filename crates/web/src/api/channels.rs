//! `/channels`: places that sell our stock: connecting them, how they are doing, their listings; and the webhooks they send.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{Change, List, Nothing, Page, Params, cursor, id as number, json, limit};
use crate::rules::Calls;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use domain::Permission::{ChannelsEdit, ChannelsView, ListingsEdit};
use domain::quota::Policy;
use domain::{Noun, Refused};
use engine::channels::connect::{self, ChannelView, Connection, KindView, UpdateChannel};
use engine::channels::listings::{ListingView, MapListing};
use engine::channels::push::{self, BeginPushes, Push};
use engine::channels::suggest::{self, Suggestion};
use engine::channels::{check as ask, read, webhook as hook};
use engine::views::{Id, Time};
use engine::warehouses::list::{self as handed, HandoverQuery, HandoverView};
use engine::{Answer, Command};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls
        .may(ChannelsView, routes!(kinds))
        .may(ChannelsView, routes!(list))
        .may(ChannelsView, routes!(one))
        .may(ChannelsView, routes!(listings))
        .may(ChannelsView, routes!(waiting))
        .may(ChannelsView, routes!(handovers))
        .may(ChannelsView, routes!(suggestions))
        .may(ListingsEdit, routes!(pause))
        .may(ListingsEdit, routes!(resume))
        .may(ListingsEdit, routes!(resync))
        .may(ListingsEdit, routes!(map))
        .may(ChannelsEdit, routes!(create))
        .may(ChannelsEdit, routes!(update))
        .may(ChannelsEdit, routes!(check))
        .may(ChannelsEdit, routes!(subscribe))
        .open(routes!(webhook, challenge))
}

/// Open to everybody: the signature says who sent it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewChannel {
    /// Its short name here, such as `shopify-de`; orders carry it as their channel.
    code: String,
    /// One of `GET /channels/kinds`.
    #[schema(example = "shopify")]
    kind: String,
    name: String,
    /// Where its API is, such as `https://shop.myshopify.com`.
    address: String,
    /// As its kind asks for; secret ones are encrypted and never shown again.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default)]
    #[schema(value_type = Object)]
    policy: Policy,
    /// For a warehouse that somebody else runs: the code of the location that it stands for, which must be of kind third_party.
    #[serde(default)]
    location: Option<String>,
}

/// The fields to change; those left out stay. Settings are given whole.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChannelChange {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    settings: Option<BTreeMap<String, String>>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    policy: Option<Policy>,
    /// Sell nothing there, whatever the policies of its listings say; or sell again.
    #[serde(default)]
    stopped: Option<bool>,
}

/// A channel, how it is doing, and how its worker is doing on this server.
#[derive(Serialize, utoipa::ToSchema)]
struct ChannelStatus {
    #[serde(flatten)]
    status: read::ChannelStatus,
    /// Milliseconds from the commit to the marketplace's acknowledgement, of the latest 10,000 writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<Latency>,
    writes: u64,
    calls: u64,
    throttled: u64,
    /// What is left of each limit of calls that is known on this server.
    budget: Vec<Budget>,
    orders_read: u64,
    orders_late: u64,
    /// What went wrong last, if nothing has worked since.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    fault_at: Option<Time>,
    /// The last resync that was asked for on this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    resync: Option<Resync>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Resync {
    #[schema(value_type = String, format = DateTime)]
    began_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
    /// Listings whose quantity was read, of how many; 0 of 0 while the catalog is still being read.
    read: usize,
    of: usize,
    fault: Option<String>,
}

/// A limit of calls as the marketplace keeps it.
#[derive(Serialize, utoipa::ToSchema)]
struct Budget {
    /// Such as `points`, or the operation that it is for.
    name: &'static str,
    /// Below 0 when calls wait.
    left: i64,
    of: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Latency {
    p50: f64,
    p95: f64,
    p99: f64,
}

impl ChannelStatus {
    fn new(app: &App, status: read::ChannelStatus) -> ChannelStatus {
        let health = app.workers.health(status.channel.id.0).unwrap_or_default();
        let ms = |micros: u32| f64::from(micros) / 1_000.0;
        let (fault_at, fault) = health.fault.clone().unzip();
        ChannelStatus {
            status,
            latency_ms: health.latency().map(|(p50, p95, p99)| Latency { p50: ms(p50), p95: ms(p95), p99: ms(p99) }),
            writes: health.pushed,
            calls: health.calls,
            throttled: health.throttled,
            budget: health.limits.iter().map(|(name, left, of)| Budget { name, left: left.floor() as i64, of: of.floor() as i64 }).collect(),
            orders_read: health.orders_read,
            orders_late: health.orders_late,
            fault,
            fault_at: fault_at.map(Time),
            resync: health.resync.map(|r| Resync {
                began_at: Time(r.began_at),
                ended_at: r.ended_at.map(Time),
                read: r.read,
                of: r.of,
                fault: r.fault,
            }),
        }
    }
}

/// The marketplaces that can be connected, and what each needs.
#[utoipa::path(get, path = "/channels/kinds", tag = "Channels", responses((status = 200, body = List<KindView>)))]
async fn kinds() -> Response<Body> {
    json(StatusCode::OK, &List { data: connect::kinds(), next: None })
}

/// All channels and how they are doing.
#[utoipa::path(get, path = "/channels", tag = "Channels", responses((status = 200, body = List<ChannelStatus>)))]
async fn list(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response<Body>, Problem> {
    let found = app.read(read::all).await?;
    Ok(json(
        StatusCode::OK,
        &List { data: found.into_iter().filter(|s| caller.grant.on(&s.channel.code)).map(|s| ChannelStatus::new(&app, s)).collect(), next: None },
    ))
}

/// A channel and how it is doing.
#[utoipa::path(get, path = "/channels/{code}", tag = "Channels", params(("code" = String, Path)), responses((status = 200, body = ChannelStatus), (status = 404, body = super::ProblemDetails)))]
async fn one(State(app): State<App>, Extension(caller): Extension<Caller>, Path(code): Path<String>) -> Result<Response<Body>, Problem> {
    within(&caller, &code)?;
    let found = app.read(move |tx, config| read::status(tx, config, &code)).await?;
    Ok(json(StatusCode::OK, &ChannelStatus::new(&app, found)))
}

/// Connect a channel. Its worker starts within a second.
#[utoipa::path(post, path = "/channels", tag = "Channels", request_body = NewChannel, responses((status = 201, body = ChannelView), (status = 409, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn create(State(app): State<App>, change: Change<NewChannel>) -> Result<Response<Body>, Problem> {
    let NewChannel { code, kind, name, address, settings, policy, location } = &change.body;
    let (code, kind, name, address) = (code.clone(), kind.clone(), name.clone(), address.clone());
    let connection = Connection { code, kind, name, address, settings: settings.clone(), policy: policy.clone(), location: location.clone() };
    let new = connect::read_new(&app.vault, connection)?;
    change.run(&app, |_| Command::ConnectChannel(Box::new(new))).await
}

/// Change a channel.
#[utoipa::path(patch, path = "/channels/{code}", tag = "Channels", params(("code" = String, Path)), request_body = ChannelChange, responses((status = 200, body = ChannelView), (status = 404, body = super::ProblemDetails)))]
async fn update(State(app): State<App>, Path(code): Path<String>, change: Change<ChannelChange>) -> Result<Response<Body>, Problem> {
    let ChannelChange { name, address, settings, policy, stopped } = &change.body;
    let wanted = code.clone();
    let kind = app.read(move |tx, config| Ok(read::status(tx, config, &wanted)?.channel.kind)).await?;
    let (settings, secrets) = connect::read_settings(&app.vault, &kind, &code, settings.clone())?.unzip();
    let update = UpdateChannel {
        code,
        name: name.clone(),
        stopped: *stopped,
        policy: policy.clone(),
        address: address.clone(),
        settings,
        secrets,
        ..Default::default()
    };
    change.run(&app, |_| Command::UpdateChannel(update)).await
}

/// Ask the marketplace something harmless, to see whether the settings are right.
#[utoipa::path(post, path = "/channels/{code}/check", tag = "Channels", params(("code" = String, Path)), responses((status = 200), (status = 404, body = super::ProblemDetails), (status = 502, body = super::ProblemDetails)))]
async fn check(State(app): State<App>, Extension(caller): Extension<Caller>, Path(code): Path<String>) -> Result<Response<Body>, Problem> {
    within(&caller, &code)?;
    let channel = find(&app, &code).await?;
    match ask::check(&app.engine, &app.vault, &channel).await? {
        Ok(account) => Ok(json(StatusCode::OK, &serde_json::json!({ "account": account }))),
        Err(fault) => Err(Problem::new(StatusCode::BAD_GATEWAY, "channel_unreachable", fault.why)),
    }
}

/// Where a channel's notices are to come.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SubscribeChannel {
    /// As the channel reaches it: `https://…/api/v1/webhooks/CODE`. For a channel that sends into a cloud of its own, the place there.
    address: String,
}

/// Ask the channel to tell of its orders by webhook. Safe to repeat: only what is not asked for yet is asked for.
#[utoipa::path(post, path = "/channels/{code}/subscribe", tag = "Channels", params(("code" = String, Path)), request_body = SubscribeChannel, responses((status = 200), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails), (status = 502, body = super::ProblemDetails)))]
async fn subscribe(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(code): Path<String>,
    change: Change<SubscribeChannel>,
) -> Result<Response<Body>, Problem> {
    within(&caller, &code)?;
    let channel = find(&app, &code).await?;
    match hook::subscribe(&app.workers, &app.engine, &app.vault, &channel, &change.body.address).await? {
        Ok(topics) => Ok(json(StatusCode::OK, &serde_json::json!({ "topics": topics }))),
        Err(why) => Err(Problem::new(StatusCode::BAD_GATEWAY, "channel_unreachable", why)),
    }
}

/// Stop sending quantities. Orders are still counted.
#[utoipa::path(post, path = "/channels/{code}/pause", tag = "Channels", params(("code" = String, Path)), responses((status = 200, body = ChannelView), (status = 404, body = super::ProblemDetails)))]
async fn pause(State(app): State<App>, Path(code): Path<String>, change: Change<Nothing>) -> Result<Response<Body>, Problem> {
    change.run(&app, |_| Command::UpdateChannel(UpdateChannel { code, paused: Some(true), ..UpdateChannel::default() })).await
}

/// Send quantities again.
#[utoipa::path(post, path = "/channels/{code}/resume", tag = "Channels", params(("code" = String, Path)), responses((status = 200, body = ChannelView), (status = 404, body = super::ProblemDetails)))]
async fn resume(State(app): State<App>, Path(code): Path<String>, change: Change<Nothing>) -> Result<Response<Body>, Problem> {
    change.run(&app, |_| Command::UpdateChannel(UpdateChannel { code, paused: Some(false), ..UpdateChannel::default() })).await
}

/// Read everything that the channel lists and shows, now. It goes on by itself; `resync` of `GET /channels/{code}` tells how far it is.
/// Answers whether it was begun by this call, or was under way already.
#[utoipa::path(post, path = "/channels/{code}/resync", tag = "Channels", params(("code" = String, Path)), responses((status = 202), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn resync(State(app): State<App>, Extension(caller): Extension<Caller>, Path(code): Path<String>) -> Result<Response<Body>, Problem> {
    within(&caller, &code)?;
    let channel = find(&app, &code).await?;
    let begun = app.workers.resync(&app.engine, &app.vault, &channel);
    Ok(json(StatusCode::ACCEPTED, &serde_json::json!({ "begun": begun })))
}

/// What would be sent now, without sending it: for a channel that is paused, or to see what waits.
#[utoipa::path(get, path = "/channels/{code}/waiting", tag = "Channels", params(("code" = String, Path)), responses((status = 200, body = List<Waiting>), (status = 404, body = super::ProblemDetails)))]
async fn waiting(State(app): State<App>, Extension(caller): Extension<Caller>, Path(code): Path<String>) -> Result<Response<Body>, Problem> {
    within(&caller, &code)?;
    let channel = find(&app, &code).await?;
    let due = app.engine.read(move |tx| Ok(push::may_wait(tx, &channel, 500)?)).await?;
    let reply = app.engine.submit(Command::BeginPushes(BeginPushes { listings: due, dry: true }), caller.actor, None).await?;
    let pushes = if let Answer::Pushes(pushes) = reply.answer { pushes } else { Vec::new() };
    Ok(json(StatusCode::OK, &List { data: pushes.into_iter().map(Waiting::from).collect(), next: None }))
}

/// A write that waits.
#[derive(Serialize, utoipa::ToSchema)]
struct Waiting {
    #[schema(value_type = String)]
    listing: Id,
    external: String,
    from: Option<i64>,
    to: i64,
    #[schema(value_type = String, format = DateTime)]
    since: Time,
}

impl From<Push> for Waiting {
    fn from(push: Push) -> Waiting {
        Waiting { listing: Id(push.listing), external: push.external, from: push.from, to: push.to, since: Time(push.since) }
    }
}

#[derive(Deserialize, Default, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Listed {
    /// 1 to 250; 50 if left out.
    limit: Option<i64>,
    /// `next` of the page before.
    after: Option<String>,
    /// Only those that are no item here yet.
    unmapped: bool,
}

/// Which item an unmapped listing may be, the likeliest first; at most five. Nothing is mapped by this.
#[utoipa::path(get, path = "/listings/{id}/suggestions", tag = "Channels", params(("id" = String, Path)), responses((status = 200, body = List<Suggestion>), (status = 404, body = super::ProblemDetails)))]
async fn suggestions(State(app): State<App>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Result<Response<Body>, Problem> {
    let listing = number(Noun::Listing, &id)?;
    let data = app
        .read(move |tx, config| {
            let seen = read::listing(tx, config, listing)?;
            if !caller.grant.on(&seen.channel) {
                return Err(Refused::unknown(Noun::Listing, listing.to_string(), "id").into());
            }
            suggest::suggest(tx, listing)
        })
        .await?;
    Ok(json(StatusCode::OK, &List { data, next: None }))
}

/// A channel's listings, in the order in which they came.
#[utoipa::path(get, path = "/channels/{code}/listings", tag = "Channels", params(("code" = String, Path), Listed), responses((status = 200, body = List<ListingView>), (status = 404, body = super::ProblemDetails)))]
async fn listings(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(code): Path<String>,
    Params(params): Params<Listed>,
) -> Result<Response<Body>, Problem> {
    within(&caller, &code)?;
    let (limit, after) = (limit(params.limit)?, cursor(params.after.as_deref(), 0)?);
    let found = app.read(move |tx, config| read::listings(tx, config, &code, params.unmapped, after, limit + 1)).await?;
    Ok(json(StatusCode::OK, &List::new(found, limit, |l| l.id.0.to_string())))
}

/// What was handed over to a warehouse that somebody else runs, the newest first.
#[utoipa::path(get, path = "/channels/{code}/handovers", tag = "Channels", params(("code" = String, Path), Page), responses((status = 200, body = List<HandoverView>), (status = 404, body = super::ProblemDetails)))]
async fn handovers(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(code): Path<String>,
    Params(params): Params<Page>,
) -> Result<Response<Body>, Problem> {
    within(&caller, &code)?;
    let (limit, before) = (limit(params.limit)?, cursor(params.after.as_deref(), i64::MAX)?);
    let query = HandoverQuery { after: Some(before), limit: limit as usize, ..HandoverQuery::default() };
    let found = app.read(move |tx, config| handed::list(tx, config, &code, &query)).await?;
    Ok(json(StatusCode::OK, &List { data: found.rows, next: found.next.map(|id| id.to_string()) }))
}

/// Say which item a listing is, how many units it is, its policy; or try it again after a refusal.
#[utoipa::path(post, path = "/listings/{id}", tag = "Channels", params(("id" = String, Path)), request_body = MapListing, responses((status = 200, body = ListingView), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn map(State(app): State<App>, Path(id): Path<String>, change: Change<MapListing>) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Listing, &id)?;
    change.run(&app, |body| Command::MapListing(MapListing { id, ..body })).await
}

/// Refuses a channel beyond the caller's as one that is not there.
fn within(caller: &Caller, code: &str) -> Result<(), Problem> {
    if caller.grant.on(code) { Ok(()) } else { Err(Refused::unknown(Noun::Channel, code, "code").into()) }
}

async fn find(app: &App, code: &str) -> Result<engine::channels::rows::Channel, Problem> {
    let code = code.to_owned();
    let found =
        app.read(move |_, config| Ok(config.channel_by_code(&code).cloned().ok_or_else(|| Refused::unknown(Noun::Channel, &code, "code"))?)).await?;
    Ok(found)
}

/// Largest webhook in bytes.
const MAX_WEBHOOK: usize = 2 << 20;

/// What a marketplace tells by itself. The signature over the raw body says who it is.
#[utoipa::path(post, path = "/webhooks/{code}", tag = "Channels", params(("code" = String, Path)), security(()), responses((status = 200), (status = 401, body = super::ProblemDetails)))]
async fn webhook(State(app): State<App>, Path(code): Path<String>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let Some(_place) = app.enter() else { return Err(Refused::Overloaded { retry_after_seconds: 1 }.into()) };
    if body.len() > MAX_WEBHOOK {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("A webhook may have at most {MAX_WEBHOOK} bytes.")));
    }
    let headers: Vec<(String, String)> =
        headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect();
    match hook::receive(&app.workers, &app.engine, &app.vault, &code, &headers, &body).await? {
        Ok(_) => Ok(StatusCode::OK),
        // The same answer for a channel that does not exist, a wrong signature and an old one: nothing to be learned.
        Err(_) => Err(Problem::new(StatusCode::UNAUTHORIZED, "signature_invalid", "This is not signed by the channel, or it is too old.")),
    }
}

/// Longest code of a challenge, characters; eBay's have 64.
const MAX_CHALLENGE: usize = 256;

/// What a marketplace asks an address with.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct Challenge {
    challenge_code: String,
}

/// A marketplace asks whether this address is ours, before it sends anything to it. The answer proves a shared secret and tells nothing of it.
#[utoipa::path(get, path = "/webhooks/{code}", tag = "Channels", params(("code" = String, Path), Challenge), security(()), responses((status = 200), (status = 400, body = super::ProblemDetails), (status = 404, body = super::ProblemDetails)))]
async fn challenge(State(app): State<App>, Path(code): Path<String>, Params(asked): Params<Challenge>) -> Result<Response<Body>, Problem> {
    let Some(_place) = app.enter() else { return Err(Refused::Overloaded { retry_after_seconds: 1 }.into()) };
    let text = asked.challenge_code;
    if text.is_empty() || text.len() > MAX_CHALLENGE || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = format!("challenge_code must be 1 to {MAX_CHALLENGE} visible ASCII characters.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail).with("field", "challenge_code"));
    }
    match hook::challenge(&app.engine, &app.vault, &code, &text).await? {
        Some(answer) => Ok(json(StatusCode::OK, &serde_json::json!({ "challengeResponse": answer }))),
        // The same answer for a channel that does not exist and one that does not ask.
        None => Err(Problem::new(StatusCode::NOT_FOUND, "unknown_path", "There is nothing at this address.")),
    }
}
