//! Who asks: a program by its API key, or a person by the cookie of a session.

use crate::visit::{Visit, text};
use axum::http::{HeaderMap, header};
use domain::{Grant, Permission};
use engine::access::audit::Record;
use engine::people::sign_in::{self, SignedIn};
use engine::{By, Engine, Key, Stop, Visitor, keys};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

/// How long what was read of a key or session may be trusted: a revoked key works this much longer at most.
const TRUST: Duration = Duration::from_secs(1);
/// Most of either remembered.
const MAX_REMEMBERED: usize = 10_000;
/// Use is noted this often, in microseconds.
const NOTE_MICROS: i64 = 60_000_000;

/// The cookie of a session. Browsers take one of this name over HTTPS or on the machine itself only, from this host, for all paths.
pub const COOKIE: &str = "__Host-holdfast";

/// Who asks.
#[derive(Clone)]
pub struct Caller {
    /// As it stands in entries and events: `key:NAME`, `person:LOGIN`.
    pub actor: Arc<str>,
    /// The id of the key or session.
    pub id: Arc<str>,
    pub grant: Arc<Grant>,
    pub visitor: Arc<Visitor>,
    /// Of a person.
    pub signed_in: Option<Arc<SignedIn>>,
}

impl Caller {
    pub fn by(&self) -> By {
        By::visitor(self.actor.clone(), self.visitor.clone())
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.grant.may(permission)
    }

    /// A record of something that this caller does.
    pub fn record(&self, now: i64, action: &str, noun: &str, subject: impl Into<String>) -> Record {
        Record::new(&self.by(), now, action, noun, subject)
    }
}

#[derive(Clone)]
struct KnownKey {
    key: Key,
    actor: Arc<str>,
    means: Arc<str>,
    grant: Arc<Grant>,
}

/// Keys and sessions that were read lately.
pub struct Callers {
    engine: Engine,
    keys: RwLock<HashMap<String, (Instant, Arc<KnownKey>)>>,
    sessions: RwLock<HashMap<String, (Instant, Arc<SignedIn>)>>,
}

/// What is remembered of an id, if it is fresh.
fn known<T: Clone>(map: &RwLock<HashMap<String, (Instant, T)>>, id: &str) -> Option<T> {
    let map = map.read().unwrap_or_else(|e| e.into_inner());
    map.get(id).filter(|(read_at, _)| read_at.elapsed() < TRUST).map(|(_, value)| value.clone())
}

fn remember<T>(map: &RwLock<HashMap<String, (Instant, T)>>, id: &str, value: T) {
    let mut map = map.write().unwrap_or_else(|e| e.into_inner());
    if map.len() >= MAX_REMEMBERED {
        map.clear();
    }
    map.insert(id.to_owned(), (Instant::now(), value));
}

impl Callers {
    pub fn new(engine: Engine) -> Callers {
        Callers { engine, keys: RwLock::default(), sessions: RwLock::default() }
    }

    /// The program behind a key's text, or None if it opens nothing.
    pub async fn program(&self, text: &str, visit: &Visit) -> Result<Option<Caller>, Stop> {
        let Some((id, secret)) = Key::split(text) else { return Ok(None) };
        let now = self.engine.now();
        let found = match known(&self.keys, id) {
            Some(found) => found,
            None => {
                let owned = id.to_owned();
                let Some((key, grant)) = self.engine.read(move |tx| keys::find_key(tx, &owned)).await? else { return Ok(None) };
                let (actor, means) = (format!("key:{}", key.name).into(), format!("key {id}").into());
                let found = Arc::new(KnownKey { key, actor, means, grant: Arc::new(grant) });
                remember(&self.keys, id, found.clone());
                if found.key.opens(secret, now) && found.key.used_at.is_none_or(|at| at < now - NOTE_MICROS) {
                    self.note(id, keys::used);
                }
                found
            }
        };
        if !found.key.opens(secret, now) {
            return Ok(None);
        }
        let (means, address) = (found.means.clone(), visit.address.to_string().into());
        let visitor = Arc::new(Visitor { grant: found.grant.clone(), means, address, is_person: false });
        Ok(Some(Caller { actor: found.actor.clone(), id: found.key.id.as_str().into(), grant: found.grant.clone(), visitor, signed_in: None }))
    }

    /// The person behind a session's cookie, or None if it opens nothing.
    pub async fn person(&self, text: &str, visit: &Visit) -> Result<Option<Caller>, Stop> {
        let Some(id) = sign_in::session_id(text) else { return Ok(None) };
        let now = self.engine.now();
        let found = match known(&self.sessions, id) {
            Some(found) => found,
            None => {
                let owned = id.to_owned();
                let Some(found) = self.engine.read(move |tx| sign_in::find(tx, &owned)).await?.map(Arc::new) else { return Ok(None) };
                remember(&self.sessions, id, found.clone());
                if found.opens(text, now) && found.session.seen_at < now - NOTE_MICROS {
                    let person = found.person.id.clone();
                    self.note(id, move |tx, now, id| sign_in::seen(tx, now, id, &person));
                }
                found
            }
        };
        if !found.opens(text, now) {
            return Ok(None);
        }
        let grant = Arc::new(found.grant.clone());
        let (means, address) = (format!("session {id}").into(), visit.address.to_string().into());
        let visitor = Arc::new(Visitor { grant: grant.clone(), means, address, is_person: true });
        Ok(Some(Caller { actor: found.person.actor(), id: id.into(), grant, visitor, signed_in: Some(found) }))
    }

    /// Forgets what was read of sessions, after one of them changed.
    pub fn forget_sessions(&self) {
        self.sessions.write().unwrap_or_else(|e| e.into_inner()).clear();
    }

    /// Writes down that something is in use, beside the request.
    fn note(&self, id: &str, write: impl Fn(&mut engine::db::Tx<'_>, i64, &str) -> Result<(), Stop> + Send + 'static) {
        let (engine, id) = (self.engine.clone(), id.to_owned());
        tokio::spawn(async move {
            if let Err(error) = engine.transact(move |tx, now| write(tx, now, &id)).await {
                tracing::debug!("use was not noted: {error}");
            }
        });
    }
}

/// The key that a request carries as a bearer token.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    text(headers, header::AUTHORIZATION)?.strip_prefix("Bearer ").map(str::trim)
}

/// What the session's cookie holds.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    named_cookie(headers, COOKIE)
}

pub fn named_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|c| c.trim().strip_prefix(name)?.strip_prefix('='))
}

/// A cookie that no script can read and no foreign page can send with a form; `seconds` of None lasts as long as the browser.
pub fn set_cookie(name: &str, value: &str, seconds: Option<i64>) -> String {
    let age = seconds.map(|s| format!("; Max-Age={s}")).unwrap_or_default();
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
}
