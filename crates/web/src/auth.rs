//! Who asks, and whether they may: API keys as bearer tokens, or as the cookie of a signed-in page.

use crate::App;
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use engine::{Engine, Key, Role, Stop, find_key};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

/// How long a key that was read may be trusted: a revoked key works this much longer at most.
const TRUST: Duration = Duration::from_secs(1);
/// Most keys remembered.
const MAX_REMEMBERED: usize = 10_000;

/// The cookie of a signed-in page.
pub const COOKIE: &str = "hf_key";

/// Who asks.
#[derive(Clone)]
pub struct Caller {
    /// As it stands in entries and events: `key:NAME`.
    pub actor: Arc<str>,
    pub key_id: Arc<str>,
    pub role: Role,
}

/// Keys that were read lately.
pub struct Keys {
    engine: Engine,
    known: RwLock<HashMap<String, (Instant, Key, Caller)>>,
}

impl Keys {
    pub fn new(engine: Engine) -> Keys {
        Keys { engine, known: RwLock::default() }
    }

    /// The caller behind a key's text, or None if it opens nothing.
    pub async fn caller(&self, text: &str) -> Result<Option<Caller>, Stop> {
        let Some((id, secret)) = Key::split(text) else { return Ok(None) };
        let now = self.engine.now();
        if let Some((read_at, key, caller)) = self.known.read().unwrap_or_else(|e| e.into_inner()).get(id)
            && read_at.elapsed() < TRUST
        {
            return Ok(key.opens(secret, now).then(|| caller.clone()));
        }
        let owned = id.to_owned();
        let found = self.engine.read(move |tx| find_key(tx, &owned)).await?;
        let Some(key) = found else { return Ok(None) };
        let caller = Caller { actor: format!("key:{}", key.name).into(), key_id: id.into(), role: key.role };
        let opens = key.opens(secret, now);
        let mut known = self.known.write().unwrap_or_else(|e| e.into_inner());
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(id.to_owned(), (Instant::now(), key, caller.clone()));
        Ok(opens.then_some(caller))
    }
}

/// The key that a request carries: a bearer token, or the cookie of a page.
pub fn key_text(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return value.to_str().ok()?.strip_prefix("Bearer ").map(str::trim);
    }
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|c| c.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Whether the request carries its key as a bearer token, which no foreign page can make a browser send.
fn is_bearer(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION)
}

/// Lets a request pass if its key has at least this role, and tells the handler who asks.
async fn require(role: Role, app: App, mut request: Request, next: Next) -> Result<Response, Problem> {
    let Some(_place) = app.enter() else {
        return Err(domain::Refused::Overloaded { retry_after_seconds: 1 }.into());
    };
    let Some(text) = key_text(request.headers()) else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "key_required", "Send an API key: Authorization: Bearer hf_…"));
    };
    let Some(caller) = app.keys.caller(text).await? else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "key_invalid", "This API key is unknown, expired or revoked."));
    };
    if caller.role < role {
        let detail = format!("This call needs the role {}; the key has {}.", role.word(), caller.role.word());
        return Err(Problem::new(StatusCode::FORBIDDEN, "role_insufficient", detail));
    }
    if !request.method().is_safe() && !is_bearer(request.headers()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "bearer_required", "Changes need the key as a bearer token, not as a cookie."));
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

pub async fn read(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    require(Role::Read, app, request, next).await
}

pub async fn operate(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    require(Role::Operate, app, request, next).await
}

pub async fn admin(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    require(Role::Admin, app, request, next).await
}
