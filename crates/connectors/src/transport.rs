//! The only place that opens a socket: sends what connectors build, with tokens, limits, back-off and a circuit breaker.
//!
//! What a fault says is true: a request is told as not done only if no try of it can have been done.

mod circuit;
mod limits;
mod manners;
mod words;

pub use manners::{by_status, retry_after_ms};

use crate::account::Account;
use circuit::Circuit;
use limits::{Limits, Taken};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Most bytes of an answer.
const LARGEST: usize = 20 << 20;

/// Longest time that an answer can keep calls away.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);

/// A token is renewed this long before it ends, in microseconds, or at three quarters of a shorter life.
const EARLY: i64 = 60_000_000;

/// A request as a connector builds it; the transport adds the address, the token and the time-out.
#[derive(Clone)]
pub struct Request {
    /// The operation by the vendor's own name, for limits, figures and schemas.
    pub what: &'static str,
    pub method: &'static str,
    /// From the root of the marketplace's address, with its query, escaped; or a whole URL, as uploads have, which gets
    /// no headers but the request's own.
    pub path: String,
    /// They take the place of the account's own of the same name.
    pub headers: Vec<(&'static str, String)>,
    /// With its media type.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Doing it twice is as good as doing it once: it may be tried again when the answer got lost.
    pub repeatable: bool,
}

/// Shows no header values and no body: a request for a token holds secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.what)
    }
}

/// An answer with a status of the 200s, or one that the connector asked to see.
#[derive(Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Shows no body: it may be a token.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bytes", self.status, self.body.len())
    }
}

impl Response {
    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Too many calls; not done. Milliseconds to wait, if the marketplace said.
    Throttled { retry_after_ms: Option<u64> },
    /// The credentials do not open it; not done.
    Unauthorized { detail: String },
    /// Surely not done: no connection, the circuit is open, or 503 before any work.
    Unavailable { detail: String },
    /// No answer: it may have been done or not, or be done later.
    Lost { detail: String },
    /// Understood and refused; not done.
    Refused { status: u16, code: String, detail: String },
    /// An answer that makes no sense.
    NotUnderstood { detail: String },
}

/// A token and when it ends, microseconds since 1970 UTC.
pub struct Token {
    pub text: String,
    pub expires_at: i64,
}

/// A limit of calls, as a marketplace keeps it: a bucket that holds `burst` and fills by `per_second`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Operations that name the same bucket share it.
    pub bucket: &'static str,
    pub per_second: f64,
    pub burst: f64,
    /// What this operation takes out.
    pub cost: f64,
    /// What must be left in the bucket after it, for calls that matter more: it waits until there is as much.
    pub keep: f64,
    /// What was left after this answer, if it says so.
    pub left: Option<f64>,
}

/// Times and counts by which calls are made.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub connect: Duration,
    /// From sending to the last byte of the answer.
    pub whole: Duration,
    pub tries: u32,
    /// Of back-off; doubled with each try.
    pub first_wait: Duration,
    /// A call that would have to wait longer comes back as [`Fault::Throttled`].
    pub longest_wait: Duration,
    /// Failures in a row that open the circuit, and for how long at first.
    pub circuit_after: u32,
    pub circuit_open: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(30),
            tries: 5,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(30),
            circuit_after: 8,
            circuit_open: Duration::from_secs(10),
        }
    }
}

pub struct WireOptions {
    pub account: &'static dyn Account,
    /// Such as `https://shop.example`; `http` only to this machine.
    pub address: String,
    /// Secret ones too.
    pub settings: BTreeMap<String, String>,
    /// Microseconds since 1970 UTC, by which tokens end.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Of the jitter.
    pub seed: u64,
    pub pace: Pace,
}

/// What calls came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// By operation.
    pub operations: BTreeMap<&'static str, Counts>,
    /// What is left of each limit that is known: (name, left, burst). Below 0 when calls wait.
    pub limits: Vec<(&'static str, f64, f64)>,
    pub circuit_is_open: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests sent, tries included.
    pub calls: u64,
    pub throttled: u64,
    /// No usable answer, throttled ones not included.
    pub failed: u64,
    pub retries: u64,
    pub last_latency_ms: u64,
}

/// The way to one marketplace account.
pub struct Wire {
    account: &'static dyn Account,
    address: String,
    settings: BTreeMap<String, String>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    pace: Pace,
    client: reqwest::Client,
    token: tokio::sync::Mutex<Held>,
    /// Other tokens than the account's, by the operation that gets them, and when each is to be renewed.
    others: tokio::sync::Mutex<BTreeMap<&'static str, (String, i64)>>,
    /// What must never be shown: secret settings, and the last tokens.
    secrets: Vec<String>,
    tokens: Mutex<VecDeque<String>>,
    state: Mutex<State>,
}

struct State {
    limits: Limits,
    circuit: Circuit,
    counts: BTreeMap<&'static str, Counts>,
    rng: fastrand::Rng,
}

/// The token that all calls share, and how the last try to get one ended.
#[derive(Default)]
struct Held {
    token: Option<Arc<Token>>,
    renew_at: i64,
    failed: Option<(Instant, Fault)>,
}

/// Shows where it leads and nothing else.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire to {}", self.account.word())
    }
}

impl Wire {
    /// Refuses an address that would carry secrets over plain HTTP to another machine.
    pub fn new(options: WireOptions) -> Result<Wire, Fault> {
        // Another part of the program may have installed it already; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bad = |detail: String| Fault::Refused { status: 0, code: "address".into(), detail };
        let url = reqwest::Url::parse(&options.address).map_err(|e| bad(format!("the address cannot be read: {e}")))?;
        let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err(bad("the address must begin with https://".into()));
        }
        let pace = options.pace;
        let client = reqwest::Client::builder()
            .connect_timeout(pace.connect)
            .timeout(pace.whole)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("Holdfast/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Fault::Unavailable { detail: format!("no HTTP client: {e}") })?;
        let secret = options.account.settings().iter().filter(|s| s.secret).filter_map(|s| options.settings.get(s.name));
        // One setting may hold several, while they are being changed.
        let secrets = secret.flat_map(|all| std::iter::once(all.as_str()).chain(all.split_whitespace()));
        let secrets = secrets.filter(|s| !s.is_empty()).map(str::to_owned).collect();
        let state = State {
            limits: Limits::default(),
            circuit: Circuit::new(pace.circuit_after, pace.circuit_open),
            counts: BTreeMap::new(),
            rng: fastrand::Rng::with_seed(options.seed),
        };
        Ok(Wire {
            account: options.account,
            address: options.address.trim_end_matches('/').to_owned(),
            settings: options.settings,
            clock: options.clock,
            pace,
            client,
            token: tokio::sync::Mutex::default(),
            others: tokio::sync::Mutex::default(),
            secrets,
            tokens: Mutex::default(),
            state: Mutex::new(state),
        })
    }

    /// A setting of this account, such as the seller's id; empty if there is none.
    pub fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    pub fn figures(&self) -> Figures {
        let mut state = self.state();
        Figures { operations: state.counts.clone(), limits: state.limits.left(Instant::now()), circuit_is_open: state.circuit.is_open() }
    }

    /// Sends, and tries again what may be tried again. Safe to drop while it waits.
    pub async fn send(&self, request: Request) -> Result<Response, Fault> {
        let mut tries = 0;
        let mut renewed = false;
        // A try whose end is not known: after it, nothing but a good answer says what became of the request.
        let mut lost: Option<Fault> = None;
        loop {
            tries += 1;
            if tries > 1 {
                self.state().counts.entry(request.what).or_default().retries += 1;
            }
            let Failed { fault, token, may_retry } = match self.attempt(&request).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if let (Fault::Unauthorized { .. }, Some(token), false) = (&fault, &token, renewed) {
                renewed = true;
                self.others.lock().await.clear();
                self.forget(token).await;
                continue;
            }
            let again = match &fault {
                Fault::Throttled { .. } | Fault::Unavailable { .. } => may_retry,
                Fault::Lost { .. } => request.repeatable,
                Fault::Unauthorized { .. } | Fault::Refused { .. } | Fault::NotUnderstood { .. } => false,
            };
            if matches!(fault, Fault::Lost { .. }) {
                lost = Some(fault.clone());
            }
            let wait = self.wait(&fault, tries);
            if !again || tries >= self.pace.tries || wait > self.pace.longest_wait {
                return Err(self.hide(lost.unwrap_or(fault)));
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn wait(&self, fault: &Fault, tries: u32) -> Duration {
        let jitter = manners::back_off(&mut self.state().rng, self.pace.first_wait, self.pace.longest_wait, tries);
        match fault {
            Fault::Throttled { retry_after_ms: Some(asked) } => Duration::from_millis(*asked) + jitter.min(self.pace.first_wait),
            _ => jitter,
        }
    }

    async fn attempt(&self, request: &Request) -> Result<Response, Failed> {
        let mut turn = self.take_turn(request.what).await?;
        let token = self.token().await.map_err(|fault| Failed { fault, token: None, may_retry: true })?;
        self.admit().map_err(Failed::circuit_is_open)?;
        turn.sent = true;
        let headers = match request.path.starts_with("http") {
            true => Vec::new(),
            false => self.account.headers(&|name| self.setting(name).to_owned(), token.as_ref().map_or("", |t| &t.text)),
        };
        let result = self.exchange(request, &headers).await;
        let told = result.as_ref().ok().and_then(|answer| self.account.limit(request.what, Some(answer)));
        let fault = match &result {
            Ok(answer) => self.account.fault(answer).map(|fault| self.with_wait(fault, answer)),
            Err(fault) => Some(fault.clone()),
        };
        self.note(request.what, turn, told, fault.as_ref());
        match (fault, result) {
            (None, Ok(answer)) => Ok(answer),
            (Some(fault), _) | (None, Err(fault)) => Err(Failed { fault, token, may_retry: true }),
        }
    }

    /// Waits until the limits let this operation go.
    async fn take_turn(&self, what: &'static str) -> Result<Turn<'_>, Failed> {
        let published = self.account.limit(what, None);
        let turn = self.state().limits.take(what, published, Instant::now(), self.pace.longest_wait);
        let (taken, wait) =
            turn.map_err(|wait| Failed { fault: Fault::Throttled { retry_after_ms: Some(wait.as_millis() as u64) }, token: None, may_retry: false })?;
        let turn = Turn { wire: self, what, taken, sent: false, settled: false };
        tokio::time::sleep(wait).await;
        Ok(turn)
    }

    fn admit(&self) -> Result<(), Duration> {
        self.state().circuit.admit(Instant::now(), self.pace.connect + self.pace.whole)
    }

    fn with_wait(&self, fault: Fault, answer: &Response) -> Fault {
        match fault {
            Fault::Throttled { retry_after_ms: None } => Fault::Throttled { retry_after_ms: retry_after_ms(answer, (self.clock)()) },
            other => other,
        }
    }

    /// Keeps the books after a call.
    fn note(&self, what: &'static str, mut turn: Turn<'_>, told: Option<Limit>, fault: Option<&Fault>) {
        let now = Instant::now();
        turn.settled = true;
        let mut state = self.state();
        state.limits.settle(what, turn.taken, told, now);
        match fault {
            Some(Fault::Unavailable { .. } | Fault::Lost { .. }) => state.circuit.failed(now),
            _ => state.circuit.answered(),
        }
        let counts = state.counts.entry(what).or_default();
        match fault {
            None => {}
            Some(Fault::Throttled { retry_after_ms }) => {
                counts.throttled += 1;
                if let Some(wait) = retry_after_ms {
                    state.limits.hold(turn.taken, now + Duration::from_millis(*wait).min(LONGEST_HOLD));
                }
            }
            Some(_) => counts.failed += 1,
        }
        if let Some(fault) = fault {
            tracing::debug!(account = self.account.word(), what, fault = ?self.hide(fault.clone()), "a call failed");
        }
    }

    /// One request and its answer, whatever its status.
    async fn exchange(&self, request: &Request, headers: &[(&'static str, String)]) -> Result<Response, Fault> {
        let started = Instant::now();
        let result = self.exchange_unmeasured(request, headers).await;
        let mut state = self.state();
        let counts = state.counts.entry(request.what).or_default();
        counts.calls += 1;
        counts.last_latency_ms = started.elapsed().as_millis() as u64;
        result
    }

    async fn exchange_unmeasured(&self, request: &Request, headers: &[(&'static str, String)]) -> Result<Response, Fault> {
        let unsendable = |detail: String| Fault::Refused { status: 0, code: "request".into(), detail };
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|e| unsendable(e.to_string()))?;
        let url = if request.path.starts_with("http") { request.path.clone() } else { format!("{}{}", self.address, request.path) };
        let mut builder = self.client.request(method, url);
        let is_own = |name: &str| request.headers.iter().any(|(own, _)| *own == name);
        for (name, value) in headers.iter().filter(|(name, _)| !is_own(name)).chain(&request.headers) {
            builder = builder.header(*name, value);
        }
        if let Some((media_type, body)) = &request.body {
            builder = builder.header("content-type", *media_type).body(body.clone());
        }
        let failed = |error: reqwest::Error| {
            // The URL may hold a secret in its query.
            let error = error.without_url();
            let detail = chain(&error);
            match error {
                e if e.is_builder() => unsendable(detail),
                e if e.is_connect() => Fault::Unavailable { detail },
                _ => Fault::Lost { detail },
            }
        };
        let mut answer = builder.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > LARGEST {
                return Err(Fault::NotUnderstood { detail: format!("the answer is larger than {} MiB", LARGEST >> 20) });
            }
            body.extend_from_slice(&piece);
        }
        Ok(Response { status, headers, body })
    }

    /// The token, if this marketplace has one. Whoever comes while it is being fetched waits for that one, also if it fails.
    async fn token(&self) -> Result<Option<Arc<Token>>, Fault> {
        let setting = |name: &str| self.setting(name).to_owned();
        let Some(request) = self.account.sign_in(&setting) else { return Ok(None) };
        let came = Instant::now();
        let mut held = self.token.lock().await;
        let now = (self.clock)();
        if let Some(token) = held.token.as_ref().filter(|_| now < held.renew_at) {
            return Ok(Some(token.clone()));
        }
        if let Some((_, fault)) = held.failed.as_ref().filter(|(at, _)| *at >= came) {
            return Err(fault.clone());
        }
        match self.sign_in(&request).await {
            Ok(token) => {
                held.renew_at = self.keep(&token, now);
                let token = Arc::new(token);
                (held.token, held.failed) = (Some(token.clone()), None);
                Ok(Some(token))
            }
            Err(fault) => {
                held.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// Sends with another token than the account's, got by `sign_in`, in this header: for the few operations that want one.
    pub async fn send_as(&self, sign_in: &Request, header: impl Fn(&str) -> (&'static str, String), request: Request) -> Result<Response, Fault> {
        let with = |token: &str| Request { headers: vec![header(token)], ..request.clone() };
        match self.send(with(&self.other_token(sign_in).await?)).await {
            // It ended before its time: a new one, once.
            Err(Fault::Unauthorized { .. }) => self.send(with(&self.other_token(sign_in).await?)).await,
            answer => answer,
        }
    }

    async fn other_token(&self, sign_in: &Request) -> Result<String, Fault> {
        let mut others = self.others.lock().await;
        let now = (self.clock)();
        if let Some((text, _)) = others.get(sign_in.what).filter(|(_, renew_at)| now < *renew_at) {
            return Ok(text.clone());
        }
        let mut tries = 1;
        let token = loop {
            match self.sign_in(sign_in).await {
                Ok(token) => break token,
                Err(fault @ (Fault::Unavailable { .. } | Fault::Throttled { .. })) if tries < self.pace.tries => {
                    tokio::time::sleep(self.wait(&fault, tries).min(self.pace.longest_wait)).await;
                    tries += 1;
                }
                Err(fault) => return Err(self.hide(fault)),
            }
        };
        others.insert(sign_in.what, (token.text.clone(), self.keep(&token, now)));
        Ok(token.text)
    }

    /// Notes a token among what must not be shown; answers when it is to be renewed.
    fn keep(&self, token: &Token, now: i64) -> i64 {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.push_front(token.text.clone());
        tokens.truncate(8);
        token.expires_at - EARLY.min((token.expires_at - now) / 4)
    }

    /// Asks for a token once. Without one the request itself is surely not done, so nothing is told as lost.
    async fn sign_in(&self, request: &Request) -> Result<Token, Fault> {
        self.admit().map_err(|wait| Failed::circuit_is_open(wait).fault)?;
        let result = self.exchange(request, &[]).await;
        let answered = !matches!(&result, Err(Fault::Unavailable { .. } | Fault::Lost { .. }));
        let fault = |answer: &Response| by_status(answer).map(|fault| self.with_wait(fault, answer));
        let token = result.and_then(|answer| match fault(&answer) {
            // The detail may quote the answer, and with it a token.
            None => self.account.read_token(&answer, (self.clock)()).map_err(|fault| match fault {
                Fault::NotUnderstood { .. } => Fault::NotUnderstood { detail: "no token in the answer to signing in".into() },
                other => other,
            }),
            Some(Fault::Refused { status, .. }) => Err(Fault::Unauthorized { detail: format!("signing in was refused with status {status}") }),
            Some(fault) => Err(fault),
        });
        let mut state = self.state();
        if answered {
            state.circuit.answered();
        } else {
            state.circuit.failed(Instant::now());
        }
        token.map_err(|fault| match fault {
            Fault::Lost { detail } => Fault::Unavailable { detail: format!("signing in: {detail}") },
            other => other,
        })
    }

    /// Drops a token that was refused, unless another has taken its place.
    async fn forget(&self, refused: &Arc<Token>) {
        let mut held = self.token.lock().await;
        if held.token.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            held.token = None;
        }
    }

    /// Takes secrets out of what people will read: a marketplace may quote what it was sent.
    fn hide(&self, fault: Fault) -> Fault {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let clean = |text: String| self.secrets.iter().chain(tokens.iter()).fold(text, |text, secret| text.replace(secret.as_str(), "[hidden]"));
        match fault {
            Fault::Throttled { .. } => fault,
            Fault::Unauthorized { detail } => Fault::Unauthorized { detail: clean(detail) },
            Fault::Unavailable { detail } => Fault::Unavailable { detail: clean(detail) },
            Fault::Lost { detail } => Fault::Lost { detail: clean(detail) },
            Fault::Refused { status, code, detail } => Fault::Refused { status, code: clean(code), detail: clean(detail) },
            Fault::NotUnderstood { detail } => Fault::NotUnderstood { detail: clean(detail) },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the limits; it is left in order also when the caller goes away.
struct Turn<'a> {
    wire: &'a Wire,
    what: &'static str,
    taken: Taken,
    sent: bool,
    settled: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let limits = &mut self.wire.state().limits;
        match self.sent {
            true => limits.settle(self.what, self.taken, None, Instant::now()),
            false => limits.give_back(self.taken),
        }
    }
}

/// How one try ended without a good answer.
struct Failed {
    fault: Fault,
    /// The token that it was tried with.
    token: Option<Arc<Token>>,
    /// Waiting a moment may help.
    may_retry: bool,
}

impl Failed {
    fn circuit_is_open(wait: Duration) -> Failed {
        let detail = format!("did not answer several times; the next try is in {} ms", wait.as_millis());
        Failed { fault: Fault::Unavailable { detail }, token: None, may_retry: false }
    }
}

/// An error with its causes, without those that only say that a library met one.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source()).map(ToString::to_string);
    let told: Vec<String> = causes.filter(|c| !c.starts_with("error sending request") && !c.starts_with("client error (")).collect();
    let text = if told.is_empty() { error.to_string() } else { told.join(": ") };
    // “Connection refused (os error 111)”: the number is for nobody.
    text.split(" (os error ").next().unwrap_or_default().to_owned()
}
