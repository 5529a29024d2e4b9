//! Shows. The HTTP API and the pages: parses requests so that nothing after it meets a malformed one, and turns answers and
//! refusals into HTTP.
//!
//! One file a noun under `api/` and `console/`. Not here: any rule, any SQL.

pub mod api;
pub mod auth;
pub mod console;
pub mod counted;
pub mod follow;
pub mod metrics;
pub mod problem;
pub mod request;
pub mod rules;
pub mod serve;
pub mod throttle;
pub mod upload;
pub mod visit;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response};
use engine::{Config, Engine, Stop};
use search::Search;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Requests under way at once; beyond, callers are asked to come again.
const MAX_IN_FLIGHT: usize = 20_000;

/// What every handler can reach. Each request clones it several times, so that it is one pointer.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What [`App`] points to.
#[derive(Clone)]
pub struct Parts {
    pub engine: Engine,
    pub callers: Arc<auth::Callers>,
    pub follow: Arc<follow::Follow>,
    pub metrics: Arc<metrics::Metrics>,
    /// What the workers of the channels came to on this server, and the keys of the channels' secrets.
    pub workers: engine::channels::workers::Workers,
    pub vault: engine::secrets::Vault,
    /// How alerts leave this server.
    pub outside: engine::alerts::worker::Outside,
    /// What stands before this server, and where people find it.
    pub outer: visit::Outer,
    /// Tries at signing in, by address.
    pub tries: Arc<throttle::Throttle>,
    /// What many pages show, until the next event.
    pub counted: Arc<counted::Shown>,
    /// Finds items and orders; not ready where nobody keeps an index.
    pub search: Arc<Search>,
    /// Turns true when the server stops: streams, which never end by themselves, end then.
    pub stopping: tokio::sync::watch::Sender<bool>,
    config: Arc<Mutex<Arc<Config>>>,
    in_flight: Arc<AtomicUsize>,
}

/// What stands on every answer.
pub(crate) const ON_ALL_ANSWERS: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    // Not `no-referrer`: with it, browsers send `Origin: null` and a form could not tell its own page from another.
    ("referrer-policy", "same-origin"),
    // Browsers heed it over HTTPS only, and for this host alone.
    ("strict-transport-security", "max-age=31536000"),
];

/// What stands on every answer that is no page of the console, for whoever opens one in a browser.
async fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in [
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ]
    .into_iter()
    .chain(ON_ALL_ANSWERS)
    {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

impl App {
    pub fn new(engine: Engine) -> App {
        App(Arc::new(Parts {
            callers: Arc::new(auth::Callers::new(engine.clone())),
            follow: Arc::new(follow::Follow::new(engine.clone())),
            metrics: Arc::default(),
            workers: Default::default(),
            vault: Default::default(),
            outside: Default::default(),
            outer: Default::default(),
            tries: Default::default(),
            counted: Default::default(),
            search: Arc::new(Search::new(engine.clone(), None)),
            stopping: tokio::sync::watch::Sender::new(false),
            config: Arc::default(),
            in_flight: Arc::default(),
            engine,
        }))
    }

    /// With the keys that open the channels' secrets.
    pub fn with_vault(mut self, vault: engine::secrets::Vault) -> App {
        Arc::make_mut(&mut self.0).vault = vault;
        self
    }

    /// With the ways that alerts leave by.
    pub fn with_outside(mut self, outside: engine::alerts::worker::Outside) -> App {
        Arc::make_mut(&mut self.0).outside = outside;
        self
    }

    /// With what stands before this server.
    pub fn with_outer(mut self, outer: visit::Outer) -> App {
        Arc::make_mut(&mut self.0).outer = outer;
        self
    }

    /// With a search that is kept up to date.
    pub fn with_search(mut self, search: Arc<Search>) -> App {
        Arc::make_mut(&mut self.0).search = search;
        self
    }

    /// The whole site.
    pub fn router(&self) -> Router {
        self.routes().0
    }

    /// The whole site, and every route of it with its rule.
    pub fn routes(&self) -> (Router, Vec<rules::Known>) {
        let (api, mut known) = api::router(self);
        let (pages, more) = console::router(self);
        known.extend(more);
        let (figures, more) = metrics::router(self);
        known.extend(more);
        let answers = api.merge(figures).layer(axum::middleware::map_response(guarded));
        (answers.merge(pages).with_state(self.clone()), known)
    }

    /// Reads one consistent state with the names that go with it.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut engine::db::Tx<'_>, &Config) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        self.read_as_of(move |tx, config, _| read(tx, config)).await
    }

    /// As [`App::read`], with names that may be kept.
    pub async fn read_shared<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut engine::db::Tx<'_>, &Arc<Config>) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        self.read_as_of(move |tx, config, _| read(tx, config)).await
    }

    /// As [`App::read_shared`], with the number of the last event of that state.
    pub async fn read_as_of<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut engine::db::Tx<'_>, &Arc<Config>, i64) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let mut config = self.config.lock().unwrap_or_else(|e| e.into_inner()).clone();
        let known = self.config.clone();
        self.engine
            .read(move |tx| {
                let seq = Config::refresh(tx, &mut config)?;
                let value = read(tx, &config, seq)?;
                *known.lock().unwrap_or_else(|e| e.into_inner()) = config;
                Ok(value)
            })
            .await
    }

    /// The names that went with the last read.
    pub(crate) fn names(&self) -> Arc<Config> {
        self.config.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// What changes would do if they were made now; nothing is written.
    pub async fn rehearse(&self, commands: Vec<engine::Command>, by: engine::By) -> Result<Vec<engine::Rehearsed>, Stop> {
        let now = self.engine.now();
        self.read_shared(move |tx, config| engine::rehearse(tx, config, now, &by, &commands)).await
    }

    /// A place among the requests under way, or None when there are too many.
    pub(crate) fn enter(&self) -> Option<InFlight> {
        let guard = InFlight(self.in_flight.clone());
        (guard.0.fetch_add(1, Ordering::Relaxed) < MAX_IN_FLIGHT).then_some(guard)
    }
}

/// Leaves when dropped.
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
