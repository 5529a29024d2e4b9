//! Databases to test on, and short ways to say things.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use engine::alerts::worker::{self, Outside};
use engine::db::Url;
use engine::people::{self, NewPerson};
use engine::secrets::Vault;
use engine::{By, Clock, Engine, Faults, Options, create_key};
use search::Search;
use serde_json::Value;
use sim::postgres::{TempFolder, TempPostgres};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use tower::ServiceExt;
use web::App;

/// One PostgreSQL for all tests of this process; it stops when the process has gone.
pub fn postgres() -> &'static TempPostgres {
    static SERVER: OnceLock<TempPostgres> = OnceLock::new();
    SERVER.get_or_init(|| TempPostgres::start().unwrap_or_else(|e| panic!("a PostgreSQL for the tests: {e}")))
}

/// A new database on it. It is copied from one that has its tables already, which takes a fraction of the time of making them.
pub fn on_postgres() -> Url {
    static READY: OnceLock<String> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        let url = postgres().database().unwrap();
        engine::beside(&Url::parse(&url).unwrap(), |_| Ok(())).unwrap();
        url
    });
    Url::parse(&postgres().copy(ready).unwrap()).unwrap()
}

/// Runs a test on a new database of each kind.
pub fn on_both(test: impl Fn(Url)) {
    let folder = TempFolder::new("test").unwrap();
    let sqlite = Url::Sqlite(folder.path().join("holdfast.db"));
    for url in [sqlite, on_postgres()] {
        eprintln!("on {url}");
        test(url);
    }
}

/// A time that only moves when told to: it begins at 2026-03-02 09:00 UTC, a Monday.
#[derive(Clone)]
pub struct TestTime(Arc<AtomicI64>);

impl TestTime {
    pub fn new() -> TestTime {
        TestTime(Arc::new(AtomicI64::new(1_772_442_000_000_000)))
    }

    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::new(move || time.now())
    }
}

/// The whole site on a database, driven through its real router.
pub struct Site {
    pub engine: Engine,
    pub time: TestTime,
    pub url: Url,
    pub key: String,
    pub app: App,
    router: Router,
    runtime: tokio::runtime::Runtime,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    /// A page's text.
    pub fn text(&self) -> String {
        self.body.as_str().map_or_else(|| self.body.to_string(), str::to_owned)
    }

    /// The status and the code of a refusal, such as `409 insufficient_stock`; of a success just the status.
    pub fn told(&self) -> String {
        match self.body["code"].as_str() {
            Some(code) if self.status >= 400 => format!("{} {code}", self.status),
            _ => self.status.to_string(),
        }
    }
}

/// A browser of somebody who is signed in.
pub struct Visitor<'s> {
    site: &'s Site,
    /// What forms carry.
    pub token: String,
    pub cookie: String,
}

impl Visitor<'_> {
    pub fn get(&self, path: &str) -> Reply {
        self.site.ask("GET", path, Vec::new(), &[("cookie", &self.cookie)])
    }

    /// Sends a form, as the page that shows it would.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let pairs = fields.iter().copied().chain([("csrf", self.token.as_str())]);
        let escape = |text: &str| {
            text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect::<String>()
        };
        let body: Vec<String> = pairs.map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        let headers = [("cookie", self.cookie.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.site.ask("POST", path, body.join("&").into_bytes(), &headers)
    }

    /// Where a form that was taken sends the browser.
    pub fn sent(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let reply = self.post(path, fields);
        assert_eq!(reply.status, 303, "{path} {fields:?}: {}", reply.text());
        reply.headers["location"].to_str().unwrap().to_owned()
    }
}

fn blake3_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

impl Site {
    pub fn new(url: Url) -> Site {
        Site::with(url, TestTime::new(), Faults::default(), Outside::default())
    }

    /// At a time that goes on from another site's, with faults, with ways out.
    pub fn with(url: Url, time: TestTime, faults: Faults, outside: Outside) -> Site {
        let mut options = Options::new(url.clone());
        options.clock = time.clock();
        options.faults = faults;
        let engine = Engine::open(options).unwrap();
        let (_, key) = create_key(&url, "tester", "admin", time.now(), None).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let vault = Vault::parse(&"c4".repeat(32)).unwrap();
        let app = App::new(engine.clone()).with_vault(vault).with_outside(outside);
        let router = runtime.block_on(async { app.router() });
        Site { engine, time, url, key, app, router, runtime }
    }

    /// `call("POST /orders", json!({…}))`
    pub fn call(&self, what: &str, body: Value) -> Reply {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send(what, text.into_bytes(), &[])
    }

    pub fn get(&self, path: &str) -> Value {
        let reply = self.call(&format!("GET {path}"), Value::Null);
        assert_eq!(reply.status, 200, "GET {path}: {}", reply.body);
        reply.body
    }

    /// A call that must succeed.
    pub fn ok(&self, what: &str, body: Value) -> Value {
        let reply = self.call(what, body.clone());
        assert!(reply.status < 300, "{what} {body}: {} {}", reply.status, reply.body);
        reply.body
    }

    /// A call with a key of its own, any bytes and further headers; paths that do not begin with /api get that put before them.
    pub fn send(&self, what: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Reply {
        let (method, path) = what.split_once(' ').unwrap();
        let path =
            if ["/api", "/health", "/metrics", "/openapi"].iter().any(|p| path.starts_with(p)) { path.to_owned() } else { format!("/api/v1{path}") };
        let key = format!("Bearer {}", self.key);
        let given = headers.iter().any(|(name, _)| *name == "authorization");
        let own: &[(&str, &str)] = if given { &[] } else { &[("authorization", &key)] };
        self.ask(method, &path, body, &[own, headers].concat())
    }

    /// A request with these headers and no others; empty ones are left out.
    pub fn ask(&self, method: &str, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
            Reply { status: parts.status.as_u16(), headers: parts.headers, body }
        })
    }

    /// Starts the workers of the channels, which the site does not do by itself.
    pub fn work(&self) {
        self.runtime.spawn(self.app.workers.clone().run(self.engine.clone(), self.app.vault.clone()));
    }

    /// Starts the worker of alerts, which the site does not do by itself.
    pub fn alert(&self) {
        self.alert_with(self.app.vault.clone());
    }

    /// The same with other keys.
    pub fn alert_with(&self, vault: Vault) -> tokio::task::JoinHandle<()> {
        self.runtime.spawn(worker::run(self.engine.clone(), vault, self.app.outside.clone()))
    }

    /// Starts a search over an index in a folder, which the site does not do by itself.
    pub fn search(&self, folder: &std::path::Path) -> Arc<Search> {
        let search = Arc::new(Search::new(self.engine.clone(), Some(folder.to_owned())));
        self.runtime.spawn(search.clone().run());
        search
    }

    /// A page, looked at by an owner.
    pub fn page(&self, path: &str) -> String {
        let owner = self.visitor("owner");
        let reply = owner.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.text()
    }

    /// Somebody with a role who is signed in; the same one each time.
    pub fn visitor(&self, role: &str) -> Visitor<'_> {
        self.limited(role, None, None)
    }

    /// The same, limited to locations and channels.
    pub fn limited(&self, role: &str, locations: Option<&[&str]>, channels: Option<&[&str]>) -> Visitor<'_> {
        let owned = |codes: Option<&[&str]>| codes.map(|c| c.iter().map(|c| (*c).to_owned()).collect::<Vec<String>>());
        let place = format!("{:?}{:?}", locations, channels);
        let login = format!("{role}-{}@example.com", &blake3_of(&place)[..8]);
        let new = NewPerson {
            login: login.clone(),
            name: format!("The {role}"),
            role: role.into(),
            locations: owned(locations),
            channels: owned(channels),
        };
        let now = self.time.now();
        let cookie = self.runtime.block_on(self.engine.transact(move |tx, _| {
            let by = By::from("test");
            let person = match people::by_login(tx, &login)? {
                Some(known) => known,
                None => people::create(tx, &by, now, &new)?,
            };
            people::sign_in::begin(tx, &by, now, &person.id, people::sign_in::How::Passkey, "test")
        }));
        let (session, cookie) = cookie.unwrap();
        Visitor { site: self, token: session.form_token(), cookie: format!("{}={cookie}", web::auth::COOKIE) }
    }

    /// Waits until something is so, while time stands still.
    pub fn soon<T>(&self, what: &str, mut so: impl FnMut() -> Option<T>) -> T {
        let began = std::time::Instant::now();
        loop {
            if let Some(found) = so() {
                return found;
            }
            assert!(began.elapsed().as_secs() < 30, "not soon: {what}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Waits until something is so; time goes on meanwhile, the faster the longer it takes.
    pub fn until<T>(&self, what: &str, mut so: impl FnMut() -> Option<T>) -> T {
        let began = std::time::Instant::now();
        loop {
            if let Some(found) = so() {
                return found;
            }
            assert!(began.elapsed().as_secs() < 60, "not within a minute: {what}");
            self.time.advance(if began.elapsed().as_secs() < 5 { 1 } else { 5 });
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Locations by code, each with what else it has: `locations(&[("LON", json!({"daily_capacity": 2}))])`.
    pub fn locations(&self, codes: &[(&str, Value)]) {
        for (code, more) in codes {
            let mut body = serde_json::json!({ "code": code, "name": code, "kind": "warehouse", "country": "GB" });
            merge(&mut body, more);
            self.ok("POST /locations", body);
        }
    }

    /// An item, with stock as `LON 5, LEE 3`.
    pub fn item(&self, sku: &str, more: Value, stock: &str) {
        let mut body = serde_json::json!({ "sku": sku, "name": format!("Item {sku}") });
        merge(&mut body, &more);
        self.ok("POST /items", body);
        for part in stock.split(", ").filter(|p| !p.is_empty()) {
            let (location, quantity) = part.split_once(' ').unwrap();
            self.receive(location, sku, quantity.parse().unwrap());
        }
    }

    pub fn receive(&self, location: &str, sku: &str, quantity: i64) {
        self.ok("POST /stock/receive", serde_json::json!({ "location": location, "lines": [{ "sku": sku, "quantity": quantity }] }));
    }

    /// An order on the channel `web` with lines as `A 2, B 1`.
    pub fn order(&self, reference: &str, lines: &str) -> Reply {
        self.call(
            "POST /orders",
            serde_json::json!({ "channel": "web", "reference": reference, "ship_to": { "country": "GB" }, "lines": lines_of(lines) }),
        )
    }

    /// A hold of a minute on lines as `A 2, B 1`.
    pub fn reserve(&self, lines: &str) -> Reply {
        self.call("POST /reservations", serde_json::json!({ "lines": lines_of(lines), "expires_in_seconds": 60 }))
    }

    /// What is not zero of an item: `available 5 reserved 2`.
    pub fn stock(&self, sku: &str) -> String {
        balances(&self.get(&format!("/stock/{sku}")))
    }

    /// The same at one location.
    pub fn stock_at(&self, sku: &str, location: &str) -> String {
        let stock = self.get(&format!("/stock/{sku}"));
        stock["locations"].as_array().unwrap().iter().find(|l| l["location"] == location).map(balances).unwrap_or_default()
    }

    /// Ends the engine and checks the books, of which there may be none yet.
    pub fn shut_and_verify(self) {
        self.engine.shut_down();
        let report = engine::verify(&self.url, |_| {}).unwrap();
        assert_eq!(report.discrepancies, 0, "{:#?}", report.told);
    }

    /// Ends the engine and checks the books.
    pub fn verify(self) {
        self.engine.shut_down();
        let report = engine::verify(&self.url, |_| {}).unwrap();
        assert_eq!(report.discrepancies, 0, "{:#?}", report.told);
        assert!(report.entries > 0);
    }
}

/// Connections to PostgreSQL must not end on a thread that serves tasks.
impl Drop for Site {
    fn drop(&mut self) {
        self.engine.shut_down();
    }
}

pub fn balances(stock: &Value) -> String {
    let states = ["available", "reserved", "committed", "damaged", "quality_control", "safety_stock", "incoming"];
    let parts: Vec<String> = states.iter().filter(|s| stock[**s] != 0).map(|s| format!("{s} {}", stock[*s])).collect();
    parts.join(" ")
}

/// `A 2, B 1` as lines.
pub fn lines_of(text: &str) -> Value {
    text.split(", ")
        .map(|part| {
            let (sku, quantity) = part.split_once(' ').unwrap();
            serde_json::json!({ "sku": sku, "quantity": quantity.parse::<i64>().unwrap() })
        })
        .collect()
}

/// Fulfillments as `LON: A 2, B 1; LEE: A 3`.
pub fn fulfillments(order: &Value) -> String {
    let lines = |f: &Value| {
        let lines: Vec<String> = f["lines"].as_array().unwrap().iter().map(|l| format!("{} {}", l["sku"].as_str().unwrap(), l["quantity"])).collect();
        lines.join(", ")
    };
    let parts: Vec<String> =
        order["fulfillments"].as_array().unwrap().iter().map(|f| format!("{}: {}", f["location"].as_str().unwrap(), lines(f))).collect();
    parts.join("; ")
}

fn merge(body: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
}
