//! The worker of alerts: sends what is due. One node at a time; whatever it was doing when it died, the next one takes up from the
//! database, so a message arrives at least once. Endpoints do not wait for each other.

use super::deliver::{BeginMail, End, Outcome, Tried};
use super::edit::{SealAgain, place};
use super::rows::{Attempt, Endpoint, Way};
use super::{Change, mail};
use crate::db::{Row, Sql, Tx, Value};
use crate::keys::random_text;
use crate::secrets::Vault;
use crate::{Command, Config, Engine, Stop, jobs};
use connectors::alerts::Told;
use connectors::alerts::mail::Mail;
use connectors::alerts::transport::{Mailer, Poster};
use connectors::standard_webhooks;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

/// How long a node sends before it asks again whether it still may, and how long one that may not waits before it asks again.
const LEASED: Duration = Duration::from_secs(5);
const REFUSED: Duration = Duration::from_secs(2);
/// Longest between two looks when nothing happens on this node.
const LOOK: Duration = Duration::from_millis(500);
/// Shortest between two looks, however much happens.
const GAP: Duration = Duration::from_millis(50);
/// Between two looks while nobody is to be told of anything.
const IDLE: Duration = Duration::from_secs(1);
/// Webhooks under way to one endpoint at once.
const AT_ONCE: i64 = 8;
/// Most messages in one mail.
const IN_A_MAIL: i64 = 500;
/// From one mail of an endpoint to the next: a minute, so that a burst becomes one.
const BETWEEN_MAILS: i64 = 60_000_000;
/// The answer of a receiver that wants no more (RFC 9110, section 15.5.11).
const GONE: u16 = 410;

const DUE_ENDPOINTS: Sql = Sql("SELECT alert FROM alert_deliveries WHERE state = 'pending' AND due_at <= $1 GROUP BY alert");
const DUE: Sql = Sql(
    "SELECT id, message, body, tries, attempts, mail FROM alert_deliveries WHERE alert = $1 AND state = 'pending' AND due_at <= $2 ORDER BY due_at, exception, id LIMIT $3",
);
const IN_MAIL: Sql = Sql(
    "SELECT id, message, body, tries, attempts, mail FROM alert_deliveries WHERE alert = $1 AND state = 'pending' AND mail = $2 ORDER BY created_at, exception, id",
);
const HEALTH: Sql = Sql("SELECT failing_since, mailed_at FROM alerts WHERE id = $1");

/// How this server reaches people elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// None where no mail server was named.
    pub mailer: Option<Arc<Mailer>>,
    /// Where people find the pages, without a slash at its end; for links in mails.
    pub public_url: Option<String>,
}

impl Outside {
    /// Whether there is a mail server.
    pub fn can_mail(&self) -> bool {
        self.mailer.is_some()
    }

    /// Whether links can be mailed: there is a mail server, and it is known where people find the pages.
    pub fn can_mail_links(&self) -> bool {
        self.mailer.is_some() && self.public_url.is_some()
    }

    /// Mails a text to one address, once, without trying again. `id` is letters and digits by which it is known when it comes twice.
    pub async fn mail(&self, to: &str, subject: &str, text: String, id: String, now: i64) -> Result<(), Stop> {
        let Some(mailer) = &self.mailer else { return Err(Stop::broken("this server sends no mail: --smtp-url is not set")) };
        let told = mailer.send(&Mail { to: vec![to.to_owned()], subject: subject.to_owned(), text, id, at: now }).await;
        match (told.status, told.fault) {
            (Some(200..300), _) => Ok(()),
            (status, fault) => Err(Stop::broken(format!("the mail server said {status:?} {} {}", told.answer, fault.unwrap_or_default()))),
        }
    }
}

/// Something to be sent.
struct Due {
    id: String,
    message: String,
    body: String,
    tries: i64,
    attempts: Vec<Attempt>,
    mail: Option<String>,
}

impl Due {
    fn read(row: &Row<'_>) -> Due {
        Due {
            id: row.text(0),
            message: row.text(1),
            body: row.text(2),
            tries: row.int(3),
            attempts: serde_json::from_str(&row.text(4)).unwrap_or_default(),
            mail: row.opt_text(5),
        }
    }

    /// What became of a try of this one.
    fn tried(self, at: i64, took: Duration, told: &Told, outcome: Outcome) -> Tried {
        let took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let attempt = Attempt { at, took_ms, status: told.status, answer: told.answer.clone(), fault: told.fault.clone() };
        let attempts = self.attempts.into_iter().chain([attempt]).collect();
        Tried { delivery: self.id, tries: self.tries + 1, attempts, outcome }
    }
}

fn outcome(told: &Told, is_webhook: bool) -> Outcome {
    match told.status {
        _ if told.arrived() => Outcome::Arrived,
        Some(GONE) if is_webhook => Outcome::Gone,
        _ => Outcome::Failed { leave_alone: told.retry_after_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000)) },
    }
}

/// What every endpoint's sender needs.
#[derive(Clone)]
struct Sender {
    engine: Engine,
    vault: Vault,
    outside: Outside,
    poster: Arc<Poster>,
}

/// Sends for all endpoints until the engine stops.
pub async fn run(engine: Engine, vault: Vault, outside: Outside) {
    let (poster, holder) = match (Poster::new(), random_text(12)) {
        (Ok(poster), Ok(holder)) => (Arc::new(poster), holder),
        (Err(why), _) => return tracing::error!("no alert can be sent: {why}"),
        (_, Err(stop)) => return tracing::error!("no alert can be sent: {stop}"),
    };
    let sender = Sender { engine, vault, outside, poster };
    let mut events = sender.engine.watch_events();
    let mut turn = Turn::default();
    // They end with the set, when this ends.
    let mut tasks = JoinSet::new();
    let mut running: HashMap<i64, AbortHandle> = HashMap::new();
    loop {
        while tasks.try_join_next().is_some() {}
        running.retain(|_, task| !task.is_finished());
        match sender.round(&holder, &mut turn).await {
            Ok(due) => {
                for endpoint in due.into_iter().filter(|e| !running.contains_key(&e.id)).collect::<Vec<_>>() {
                    running.insert(endpoint.id, tasks.spawn(sender.clone().serve(endpoint)));
                }
            }
            Err(Stop::Stopped) => return,
            Err(error) => {
                tracing::warn!("alerts cannot be read and will be tried again: {error}");
                tokio::time::sleep(IDLE).await;
            }
        }
        tokio::time::sleep(if turn.is_idle() { IDLE } else { GAP }).await;
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, events.changed()).await {
            return;
        }
    }
}

/// What is known from one look to the next.
#[derive(Default)]
struct Turn {
    config: Arc<Config>,
    /// When this node asked last whether it may send, and whether it may.
    lease: Option<(Instant, bool)>,
}

impl Turn {
    fn is_idle(&self) -> bool {
        !self.config.alerts.iter().any(|e| e.active)
    }

    fn may_send(&self) -> bool {
        self.lease.is_some_and(|(_, may)| may)
    }
}

impl Sender {
    /// The endpoints that something is due for, if this node is the one that sends.
    async fn round(&self, holder: &str, turn: &mut Turn) -> Result<Vec<Endpoint>, Stop> {
        let is_old = turn.lease.is_none_or(|(at, may)| at.elapsed() > if may { LEASED } else { REFUSED });
        if is_old && !turn.is_idle() {
            let asked = Instant::now();
            turn.lease = Some((asked, self.lease(holder).await?));
        }
        let (mut config, now) = (turn.config.clone(), self.engine.now());
        let read = move |tx: &mut Tx<'_>| {
            Config::refresh(tx, &mut config)?;
            let active: Vec<Endpoint> = config.alerts.iter().filter(|e| e.active).cloned().collect();
            let due = if active.is_empty() { Vec::new() } else { tx.rows(DUE_ENDPOINTS, &[Value::Int(now)], |r| r.int(0))? };
            Ok((config, active.into_iter().filter(|e| due.contains(&e.id)).collect()))
        };
        let (config, due): (Arc<Config>, Vec<Endpoint>) = self.engine.read(read).await?;
        turn.config = config;
        Ok(if turn.may_send() { due } else { Vec::new() })
    }

    async fn lease(&self, holder: &str) -> Result<bool, Stop> {
        jobs::lease(&self.engine, "alerts", holder, 15).await
    }

    /// Sends what is due for one endpoint, once.
    async fn serve(self, endpoint: Endpoint) {
        let sent = match &endpoint.way {
            Way::Webhook(url) => self.post(&endpoint, url).await,
            Way::Mail(addresses) => self.mail(&endpoint, addresses).await,
        };
        match sent {
            Ok(()) | Err(Stop::Stopped) => {}
            Err(error) => {
                tracing::warn!("alerts to “{}” will be tried again: {error}", endpoint.name);
                // What cannot be written down must not be sent again and again without a pause.
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }

    async fn post(&self, endpoint: &Endpoint, url: &str) -> Result<(), Stop> {
        let (id, now) = (endpoint.id, self.engine.now());
        let read = move |tx: &mut Tx<'_>| {
            let failing_since = tx.one(HEALTH, &[Value::Int(id)], |r| r.opt_int(0))?.flatten();
            Ok((failing_since, tx.rows(DUE, &[Value::Int(id), Value::Int(now), Value::Int(AT_ONCE)], Due::read)?))
        };
        let (failing_since, due) = self.engine.read(read).await?;
        let secrets = self.secrets(endpoint, now).await;
        let tried = join_all(due.into_iter().map(|due| self.post_one(url, &secrets, due))).await;
        self.end(id, failing_since, tried).await
    }

    /// One try of one webhook: the same message and the same id, another time and so another signature.
    async fn post_one(&self, url: &str, secrets: &Result<Vec<String>, Stop>, due: Due) -> Tried {
        let (at, began) = (self.engine.now(), Instant::now());
        let seconds = at.div_euclid(1_000_000);
        let signature = match secrets {
            Ok(secrets) => {
                standard_webhooks::sign(secrets, &due.message, seconds, due.body.as_bytes()).ok_or("there is no secret to sign with".into())
            }
            Err(stop) => Err(stop.to_string()),
        };
        let told = match signature {
            Ok(signature) => {
                let headers = [("webhook-id", due.message.clone()), ("webhook-timestamp", seconds.to_string()), ("webhook-signature", signature)];
                self.poster.post(url, &headers, due.body.clone(), at).await
            }
            Err(why) => Told::fault(why),
        };
        due.tried(at, began.elapsed(), &told, outcome(&told, true))
    }

    /// The secrets that sign now. Those that an older key encrypted are encrypted anew, so that it can be given up.
    async fn secrets(&self, endpoint: &Endpoint, now: i64) -> Result<Vec<String>, Stop> {
        let (mut texts, mut again) = (Vec::new(), Vec::new());
        for secret in endpoint.signing(now) {
            let (text, is_old) = self.vault.decrypt(&place(&secret.id), &secret.sealed)?;
            if is_old {
                again.push((secret.id.clone(), self.vault.encrypt(&place(&secret.id), &text)?));
            }
            texts.push(text);
        }
        if !again.is_empty() {
            self.submit(Change::SealAgain(SealAgain { id: endpoint.id, secrets: again })).await?;
        }
        Ok(texts)
    }

    /// Sends one mail with everything that is due; or one again that was begun before, with the same in it.
    async fn mail(&self, endpoint: &Endpoint, addresses: &[String]) -> Result<(), Stop> {
        let (id, now) = (endpoint.id, self.engine.now());
        let read = move |tx: &mut Tx<'_>| {
            let (failing_since, mailed_at) = tx.one(HEALTH, &[Value::Int(id)], |r| (r.opt_int(0), r.opt_int(1)))?.unwrap_or_default();
            if mailed_at.is_some_and(|at| now - at < BETWEEN_MAILS) {
                return Ok((failing_since, Vec::new()));
            }
            let mut due = tx.rows(DUE, &[Value::Int(id), Value::Int(now), Value::Int(IN_A_MAIL)], Due::read)?;
            match due.first().and_then(|first| first.mail.clone()) {
                Some(mail) => due = tx.rows(IN_MAIL, &[Value::Int(id), Value::Text(&mail)], Due::read)?,
                None => due.retain(|due| due.mail.is_none()),
            }
            Ok((failing_since, due))
        };
        let (failing_since, due) = self.engine.read(read).await?;
        let Some(first) = due.first() else { return Ok(()) };
        // Written down before it is sent: a mail that comes twice is the same twice, under the same id.
        let (name, new) = match first.mail.clone() {
            Some(name) => (name, Vec::new()),
            None => (random_text(24)?, due.iter().map(|due| due.id.clone()).collect()),
        };
        self.submit(Change::BeginMail(BeginMail { alert: id, mail: name.clone(), deliveries: new })).await?;
        let began = Instant::now();
        let told = match &self.outside.mailer {
            Some(mailer) => {
                let bodies: Vec<String> = due.iter().map(|due| due.body.clone()).collect();
                let (subject, text) = mail::compose(endpoint, &bodies, self.outside.public_url.as_deref());
                mailer.send(&Mail { to: addresses.to_vec(), subject, text, id: name, at: now }).await
            }
            None => Told::fault("this server sends no mail: it was started without HOLDFAST_SMTP_URL"),
        };
        let tried = due.into_iter().map(|due| due.tried(now, began.elapsed(), &told, outcome(&told, false))).collect();
        self.end(id, failing_since, tried).await
    }

    async fn end(&self, alert: i64, failing_since: Option<i64>, tried: Vec<Tried>) -> Result<(), Stop> {
        if tried.is_empty() { Ok(()) } else { self.submit(Change::End(End { alert, failing_since, tried })).await }
    }

    async fn submit(&self, change: Change) -> Result<(), Stop> {
        self.engine.submit(Command::Alert(change), "system", None).await.map(drop)
    }
}
