//! Passkeys: registering one for oneself, and signing in with one. The browser talks JSON here.

use super::account;
use super::fields::{Fields, check_token};
use super::sign_in;
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use crate::request::{json, parse};
use crate::visit::text;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use domain::Refused;
use engine::Stop;
use engine::people::{self, Passkey, pending, sign_in::How};
use identity::passkey::{Credential, Person as Holder, Refusal, Registering, Relying, SigningIn, credential_id};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Longest message of a browser.
const MAX_BODY: usize = 64 << 10;

#[derive(Deserialize)]
struct Finished {
    #[serde(default)]
    name: String,
    #[serde(default)]
    next: String,
    credential: Box<RawValue>,
}

#[derive(Serialize)]
struct Done {
    location: String,
}

/// This site, as devices know it: by its public address, or as localhost on the machine itself.
fn relying(app: &App, v: &Viewer) -> Result<Relying, Problem> {
    let origin = match &app.outer.public_url {
        Some(url) => url.to_string(),
        None if v.visit.host.split(':').next() == Some("localhost") => v.visit.origin(),
        None => {
            let detail = "Passkeys belong to an address: start the server with --public-url, or open it as localhost.";
            return Err(Problem::new(StatusCode::CONFLICT, "passkeys_unavailable", detail));
        }
    };
    let host = origin.split_once("://").map_or("", |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default().to_owned();
    Relying::new(&host, &origin).map_err(refused)
}

fn refused(refusal: Refusal) -> Problem {
    tracing::info!(detail = refusal.detail(), "wrong passkey: {refusal}");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "passkey_refused", refusal.to_string())
}

fn seconds(micros: i64) -> u64 {
    (micros / 1_000_000).max(0) as u64
}

/// What a person is called on devices: 16 bytes that say nothing about them, and are always the same.
fn handle(person: &str) -> [u8; 16] {
    let hash = blake3::derive_key("holdfast passkey handle", person.as_bytes());
    std::array::from_fn(|n| hash[n])
}

fn read<'b, T: Deserialize<'b>>(body: &'b Bytes) -> Result<T, Problem> {
    if body.len() > MAX_BODY {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "This is too long for a passkey."));
    }
    let bytes = if body.is_empty() { &b"{}"[..] } else { &body[..] };
    serde_json::from_slice(bytes).map_err(|_| {
        parse::<serde_json::Value>(bytes)
            .err()
            .unwrap_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", "The message lacks a field."))
    })
}

const PENDING: &str = "__Host-holdfast-passkey";

/// The answer with the challenge; what was begun is found again by a cookie.
async fn challenge(app: &App, options: String, begun: &impl Serialize) -> Result<Response<Body>, Problem> {
    let begun = serde_json::to_string(begun).map_err(|e| Stop::broken(e.to_string()))?;
    let id = app.engine.transact(move |tx, now| pending::put(tx, now, &begun)).await?;
    let mut response = Response::new(Body::from(options));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(sign_in::with_cookie(&crate::auth::set_cookie(PENDING, &id, Some(600)), response))
}

async fn begun<T: serde::de::DeserializeOwned>(app: &App, headers: &HeaderMap) -> Result<T, Problem> {
    let id = crate::auth::named_cookie(headers, PENDING).unwrap_or_default().to_owned();
    let found = app.engine.transact(move |tx, now| pending::take(tx, now, &id)).await?;
    let old = || Problem::new(StatusCode::CONFLICT, "passkey_too_old", "This took too long. Try again.");
    serde_json::from_str(&found.ok_or_else(old)?).map_err(|_| old())
}

fn token(v: &Viewer, headers: &HeaderMap) -> Result<(), Problem> {
    check_token(v, text(headers, "x-csrf-token").unwrap_or_default())
}

/// Begins to register a passkey for whoever is signed in.
/// What stands in the form beside the button.
#[derive(Deserialize)]
struct Asked {
    #[serde(default, rename = "passkey.old")]
    old: String,
}

pub async fn begin_registration(State(app): State<App>, viewer: Viewer, headers: HeaderMap, body: Bytes) -> Result<Response<Body>, Problem> {
    token(&viewer, &headers)?;
    let asked: Asked = read(&body)?;
    let fields = Fields(vec![("passkey.old".into(), asked.old)]);
    account::prove(&app, &viewer, &*account::own(&viewer)?, &fields, "passkey.old").await?;
    let person = own(&viewer)?;
    let id = person.id.clone();
    let known = app.engine.read(move |tx| people::passkeys(tx, &id)).await?;
    let ids: Vec<&str> = known.iter().map(|k| k.id.as_str()).collect();
    let holder = Holder { handle: handle(&person.id), login: &person.login, name: &person.name };
    let (options, begun) = relying(&app, &viewer)?.begin_registration(holder, &ids, seconds(viewer.now)).map_err(refused)?;
    challenge(&app, options, &begun).await
}

fn own(v: &Viewer) -> Result<people::Person, Problem> {
    let signed_in = v.caller.as_ref().and_then(|c| c.signed_in.as_ref());
    signed_in.map(|s| s.person.clone()).ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "session_required", "Sign in again."))
}

pub async fn finish_registration(State(app): State<App>, viewer: Viewer, headers: HeaderMap, body: Bytes) -> Result<Response<Body>, Problem> {
    token(&viewer, &headers)?;
    let told: Finished = read(&body)?;
    let begun: Registering = begun(&app, &headers).await?;
    let Credential { id, text } = relying(&app, &viewer)?.finish_registration(begun, told.credential.get(), seconds(viewer.now)).map_err(refused)?;
    let name = if told.name.trim().is_empty() { "Passkey".to_owned() } else { told.name.trim().to_owned() };
    let person = own(&viewer)?;
    let passkey = Passkey { id, person: person.id.clone(), name, credential: text, created_at: viewer.now, used_at: None };
    let by = viewer.by();
    app.engine.transact(move |tx, now| people::add_passkey(tx, &by, now, &passkey)).await?;
    app.callers.forget_sessions();
    super::notice::tell(&app, &viewer, &person, "A passkey was added.");
    Ok(json(StatusCode::OK, &Done { location: "/account?said=saved".into() }))
}

/// Begins to sign in with whichever passkey the browser has for this site.
pub async fn begin_sign_in(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if app.tries.count(viewer.visit.address).is_err() {
        return Err(Refused::Overloaded { retry_after_seconds: 60 }.into());
    }
    let (options, begun) = relying(&app, &viewer)?.begin_sign_in(seconds(viewer.now)).map_err(refused)?;
    challenge(&app, options, &begun).await
}

pub async fn finish_sign_in(State(app): State<App>, viewer: Viewer, headers: HeaderMap, body: Bytes) -> Result<Response<Body>, Problem> {
    let told: Finished = read(&body)?;
    let begun: SigningIn = begun(&app, &headers).await?;
    let id = credential_id(told.credential.get()).map_err(refused)?;
    let known = app.engine.read(move |tx| people::passkey(tx, &id)).await?;
    let wrong = || {
        tracing::info!(address = %viewer.visit.address, "wrong passkey: not known here");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "passkey_refused", "This passkey is not known here.")
    };
    let known = known.ok_or_else(wrong)?;
    let done = relying(&app, &viewer)?.finish_sign_in(begun, told.credential.get(), &known.credential, seconds(viewer.now)).map_err(refused)?;
    if done.handle != handle(&known.person) {
        return Err(wrong());
    }
    let (person, seen) = (known.person.clone(), known.credential.clone());
    app.engine
        .transact(move |tx, now| {
            // Two at once with copies of one device would otherwise both count.
            let now_known = people::passkey(tx, &known.id)?.filter(|k| k.credential == seen);
            let passkey = now_known.ok_or_else(|| Refused::invalid("credential", "was used by somebody else just now"))?;
            let credential = done.changed.clone().unwrap_or(passkey.credential.clone());
            people::use_passkey(tx, now, Passkey { credential, ..passkey })
        })
        .await?;
    let cookie = sign_in::session(&app, viewer.by(), &person, How::Passkey, &headers).await?;
    let location = super::fields::own_path(&told.next).unwrap_or_else(|| "/".into());
    Ok(sign_in::with_cookie(&cookie, json(StatusCode::OK, &Done { location })))
}
