//! Edit: endpoints are added, changed, switched off, tried out; their secrets are made here, shown once, and replaced.

use super::rows::{ALERTS, Endpoint, Secret, Way, json};
use super::{TEST, deliver, tell};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Reply};
use crate::config::Config;
use crate::db::{Rows, Sql, Write};
use crate::events::KINDS;
use crate::exceptions::{Kind, Severity};
use crate::keys::random_text;
use crate::secrets::Vault;
use crate::views::{Id, Time};
use connectors::alerts::{mail, transport};
use connectors::standard_webhooks;
use domain::{Noun, Refused, limits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Most endpoints.
const MAX_ENDPOINTS: usize = 50;
/// Most addresses of one endpoint.
const MAX_ADDRESSES: usize = 20;
/// Most secrets that sign at the same time.
const MAX_SECRETS: usize = 5;
/// A secret that was replaced signs this much longer unless it is said otherwise: a day.
const KEEP_SECONDS: i64 = 86_400;
const MAX_KEEP_SECONDS: i64 = 365 * 86_400;

const UPDATE: Sql = Sql(
    "UPDATE alerts SET name = $1, way = $2, severity = $3, kinds = $4, channels = $5, solved = $6, active = $7, reason = $8, secrets = $9, events = $10, exceptions = $11 WHERE id = $12",
);
const WELL: Sql = Sql("UPDATE alerts SET failing_since = NULL WHERE id = $1");
const DELETE: Sql = Sql("DELETE FROM alerts WHERE id = $1");
const DELETE_DELIVERIES: Sql = Sql("DELETE FROM alert_deliveries WHERE alert = $1");

/// An endpoint to be added: a webhook or mail.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlert {
    #[schema(example = "Operations on call")]
    pub name: String,
    /// Where webhooks are posted; this or `mail`.
    #[serde(default)]
    #[schema(example = "https://alerts.example.com/holdfast")]
    pub url: Option<String>,
    /// Addresses that mails go to, all in one mail; this or `url`.
    #[serde(default)]
    pub mail: Option<Vec<String>>,
    /// Nothing milder is told; critical if left out.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Only these kinds of exceptions; all if left out.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// Only exceptions of these channels, by code; all if left out.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Tell, too, when an exception is solved; yes if left out.
    #[serde(default)]
    pub solved: Option<bool>,
    /// Tell of exceptions at all; yes if left out.
    #[serde(default)]
    pub exceptions: Option<bool>,
    /// Kinds of other events to be told by webhook, such as `order.placed`; none if left out.
    #[serde(default)]
    pub events: Vec<String>,
    /// Yes if left out.
    #[serde(default)]
    pub active: Option<bool>,
    /// What a webhook is signed with: (its id, encrypted).
    #[serde(skip)]
    pub secret: Option<(String, String)>,
}

/// The fields to change; those left out stay. Lists are given whole. A webhook stays one, and so does mail.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateAlert {
    #[serde(skip)]
    pub id: i64,
    pub name: Option<String>,
    pub url: Option<String>,
    pub mail: Option<Vec<String>>,
    pub severity: Option<Severity>,
    pub kinds: Option<Vec<Kind>>,
    pub channels: Option<Vec<String>>,
    pub solved: Option<bool>,
    pub exceptions: Option<bool>,
    pub events: Option<Vec<String>>,
    pub active: Option<bool>,
}

#[derive(Debug, Clone)]
pub struct DeleteAlert {
    pub id: i64,
}

/// A new secret; those before it go on signing for a while, so that the receiver can change over.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AddSecret {
    #[serde(skip)]
    pub id: i64,
    /// How long the older ones go on signing: 0 to a year; a day if left out. They can be removed earlier.
    pub keep_old_seconds: Option<i64>,
    /// (its id, encrypted)
    #[serde(skip)]
    pub secret: (String, String),
}

#[derive(Debug, Clone)]
pub struct RemoveSecret {
    pub id: i64,
    pub secret: String,
}

/// Secrets that were encrypted anew, because the key that encrypted them is being replaced: (id, encrypted).
#[derive(Debug, Clone)]
pub struct SealAgain {
    pub id: i64,
    pub secrets: Vec<(String, String)>,
}

/// A message that means nothing, to see whether it arrives.
#[derive(Debug, Clone)]
pub struct TestAlert {
    pub id: i64,
}

/// An endpoint, without what it signs with.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertView {
    #[schema(value_type = String)]
    pub id: Id,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Vec<String>>,
    pub severity: Severity,
    pub kinds: Vec<String>,
    #[schema(value_type = Vec<String>)]
    pub channels: Vec<Arc<str>>,
    pub solved: bool,
    /// Whether it is told of exceptions at all.
    pub exceptions: bool,
    /// Kinds of other events that it is told.
    pub events: Vec<String>,
    pub active: bool,
    /// Why the program switched it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The secrets that sign now, the newest first.
    pub secrets: Vec<SecretView>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// The secret itself, only in the first answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SecretView {
    pub id: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// Signs until then; if there is none, until it is replaced or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Time>,
}

impl AlertView {
    pub fn new(endpoint: &Endpoint, config: &Config, now: i64) -> AlertView {
        let (url, mail) = match endpoint.way.clone() {
            Way::Webhook(url) => (Some(url), None),
            Way::Mail(addresses) => (None, Some(addresses)),
        };
        let code = |id: &i64| config.channel(*id).map_or_else(|| format!("#{id}").into(), |c| c.code.clone());
        let secret = |s: &Secret| SecretView { id: s.id.clone(), created_at: Time(s.created_at), expires_at: s.until.map(Time) };
        AlertView {
            id: Id(endpoint.id),
            name: endpoint.name.clone(),
            url,
            mail,
            severity: endpoint.severity,
            kinds: endpoint.kinds.clone(),
            channels: endpoint.channels.iter().map(code).collect(),
            solved: endpoint.solved,
            exceptions: endpoint.exceptions,
            events: endpoint.events.clone(),
            active: endpoint.active,
            reason: endpoint.reason.clone(),
            secrets: endpoint.signing(now).map(secret).collect(),
            created_at: Time(endpoint.created_at),
            secret: None,
        }
    }
}

/// A new secret: its text, which is shown once, and what is kept: (its id, encrypted).
pub fn new_secret(vault: &Vault) -> Result<(String, (String, String)), Stop> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| Stop::broken(format!("no randomness: {e}")))?;
    let (text, id) = (standard_webhooks::secret(&bytes), random_text(12)?);
    let sealed = vault.encrypt(&place(&id), &text).map_err(|stop| match stop {
        Stop::Refused(_) => {
            let why = format!("needs a secret, and this server has no key to encrypt it with: set {}", crate::secrets::VARIABLE);
            Refused::invalid("url", why).into()
        }
        other => other,
    })?;
    Ok((text, (id, sealed)))
}

/// What a secret is encrypted for: elsewhere it opens nothing.
pub(super) fn place(secret: &str) -> String {
    format!("alert secret {secret}")
}

fn way(url: Option<&String>, addresses: Option<&Vec<String>>) -> Result<Way, Refused> {
    match (url, addresses) {
        (Some(url), None) => {
            transport::check_url(url).map_err(|why| Refused::invalid("url", why))?;
            Ok(Way::Webhook(url.clone()))
        }
        (None, Some(addresses)) => {
            if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
                return Err(Refused::invalid("mail", format!("must hold 1 to {MAX_ADDRESSES} addresses")));
            }
            for (n, address) in addresses.iter().enumerate() {
                mail::check(address).map_err(|why| Refused::invalid(format!("mail[{n}]"), why))?;
            }
            Ok(Way::Mail(addresses.clone()))
        }
        _ => Err(Refused::invalid("url", "or “mail” must be given, and not both")),
    }
}

fn words(kinds: &[Kind]) -> Vec<String> {
    let mut words: Vec<String> = kinds.iter().map(|kind| kind.word().to_owned()).collect();
    words.dedup();
    words
}

/// Kinds of events that a webhook can be told besides exceptions. Not what becomes of the webhooks themselves: telling one that it was
/// not told would not end.
pub fn tellable() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.into_iter().filter(|(kind, _)| !kind.starts_with("exception.") && !kind.starts_with("alert."))
}

fn events(way: &Way, kinds: &[String]) -> Result<Vec<String>, Refused> {
    if matches!(way, Way::Mail(_)) && !kinds.is_empty() {
        return Err(Refused::invalid("events", "can be told by webhook only"));
    }
    if let Some((n, kind)) = kinds.iter().enumerate().find(|(_, kind)| !tellable().any(|(known, _)| known == *kind)) {
        return Err(Refused::invalid(format!("events[{n}]"), format!("names no kind of event that can be told: “{kind}”")));
    }
    let mut kinds = kinds.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn channels(config: &Config, codes: &[String]) -> Result<Vec<i64>, Refused> {
    let unknown = |n: usize, code: &String| Refused::unknown(Noun::Channel, code, format!("channels[{n}]"));
    codes.iter().enumerate().map(|(n, code)| config.channel_by_code(code).map(|c| c.id).ok_or_else(|| unknown(n, code))).collect()
}

fn find(batch: &Batch<'_>, id: i64) -> Result<Endpoint, Refused> {
    batch.config.alert(id).cloned().ok_or_else(|| Refused::unknown(Noun::Alert, id.to_string(), "id"))
}

/// Writes a changed endpoint, and tells of it.
pub(super) fn put(batch: &mut Batch<'_>, endpoint: Endpoint, event: &'static str) -> AlertView {
    let e = &endpoint;
    let cells = vec![
        e.name.clone().into(),
        json(&e.way).into(),
        e.severity.word().into(),
        json(&e.kinds).into(),
        json(&e.channels).into(),
        e.solved.into(),
        e.active.into(),
        e.reason.clone().into(),
        json(&e.secrets).into(),
        json(&e.events).into(),
        e.exceptions.into(),
        e.id.into(),
    ];
    batch.statements.push((UPDATE, cells));
    let view = AlertView::new(e, &batch.config, batch.now);
    batch.event(event, e.id, &view);
    if let Some(known) = Arc::make_mut(&mut batch.config).alerts.iter_mut().find(|known| known.id == endpoint.id) {
        *known = endpoint;
    }
    batch.config_changed = true;
    view
}

fn answer(view: AlertView) -> Answer {
    Answer::Alert(Box::new(view))
}

impl NewAlert {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let name = limits::name("name", &self.name)?.to_owned();
        let way = way(self.url.as_ref(), self.mail.as_ref())?;
        let channels = channels(&batch.config, &self.channels)?;
        let events = events(&way, &self.events)?;
        if batch.config.alerts.len() >= MAX_ENDPOINTS {
            return Err(Refused::LimitReached { noun: Noun::Alert, most: MAX_ENDPOINTS }.into());
        }
        let now = batch.now;
        let secret = |(id, sealed): &(String, String)| Secret { id: id.clone(), sealed: sealed.clone(), created_at: now, until: None };
        let endpoint = Endpoint {
            id: batch.id()?,
            name,
            way,
            severity: self.severity.unwrap_or(Severity::Critical),
            kinds: words(&self.kinds),
            channels,
            solved: self.solved.unwrap_or(true),
            exceptions: self.exceptions.unwrap_or(true),
            events,
            active: self.active.unwrap_or(true),
            reason: None,
            secrets: self.secret.iter().map(secret).collect(),
            created_at: now,
        };
        let mut rows = Rows::default();
        endpoint.write(&mut rows);
        batch.more.push(Write::new(&ALERTS, rows));
        let view = AlertView::new(&endpoint, &batch.config, now);
        batch.event("alert.created", endpoint.id, &view);
        Arc::make_mut(&mut batch.config).alerts.push(endpoint);
        batch.config_changed = true;
        Ok(Reply::created(answer(view)))
    }
}

impl UpdateAlert {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut endpoint = find(batch, self.id)?;
        if let Some(name) = &self.name {
            endpoint.name = limits::name("name", name)?.to_owned();
        }
        if self.url.is_some() || self.mail.is_some() {
            let way = way(self.url.as_ref(), self.mail.as_ref())?;
            if std::mem::discriminant(&way) != std::mem::discriminant(&endpoint.way) {
                return Err(Refused::invalid("url", "or “mail” must be what it was before; add another endpoint instead").into());
            }
            endpoint.way = way;
        }
        if let Some(codes) = &self.channels {
            endpoint.channels = channels(&batch.config, codes)?;
        }
        if let Some(kinds) = &self.kinds {
            endpoint.kinds = words(kinds);
        }
        if let Some(kinds) = &self.events {
            endpoint.events = events(&endpoint.way, kinds)?;
        }
        endpoint.exceptions = self.exceptions.unwrap_or(endpoint.exceptions);
        endpoint.severity = self.severity.unwrap_or(endpoint.severity);
        endpoint.solved = self.solved.unwrap_or(endpoint.solved);
        match self.active {
            // Whoever switches it on again says that the trouble is over.
            Some(true) => {
                (endpoint.active, endpoint.reason) = (true, None);
                batch.statements.push((WELL, vec![endpoint.id.into()]));
            }
            Some(false) => {
                endpoint.active = false;
                deliver::give_up(batch, endpoint.id);
            }
            None => {}
        }
        Ok(Reply::done(answer(put(batch, endpoint, "alert.updated"))))
    }
}

impl DeleteAlert {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let endpoint = find(batch, self.id)?;
        batch.statements.push((DELETE_DELIVERIES, vec![self.id.into()]));
        batch.statements.push((DELETE, vec![self.id.into()]));
        let view = AlertView::new(&endpoint, &batch.config, batch.now);
        batch.event("alert.deleted", self.id, &view);
        Arc::make_mut(&mut batch.config).alerts.retain(|e| e.id != self.id);
        batch.config_changed = true;
        Ok(Reply::done(answer(view)))
    }
}

impl AddSecret {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut endpoint = find(batch, self.id)?;
        if matches!(endpoint.way, Way::Mail(_)) {
            return Err(Refused::invalid("id", "names mail, which is not signed").into());
        }
        let keep = self.keep_old_seconds.unwrap_or(KEEP_SECONDS);
        if !(0..=MAX_KEEP_SECONDS).contains(&keep) {
            return Err(Refused::invalid("keep_old_seconds", format!("must be 0 to {MAX_KEEP_SECONDS}")).into());
        }
        let (now, until) = (batch.now, batch.now + keep * 1_000_000);
        let old = endpoint.signing(now).map(|s| Secret { until: Some(s.until.map_or(until, |u| u.min(until))), ..s.clone() });
        let old: Vec<Secret> = old.filter(|s| s.until > Some(now)).collect();
        if old.len() >= MAX_SECRETS {
            return Err(Refused::LimitReached { noun: Noun::Secret, most: MAX_SECRETS }.into());
        }
        let (id, sealed) = self.secret.clone();
        endpoint.secrets = std::iter::once(Secret { id, sealed, created_at: now, until: None }).chain(old).collect();
        Ok(Reply::created(answer(put(batch, endpoint, "alert.updated"))))
    }
}

impl RemoveSecret {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut endpoint = find(batch, self.id)?;
        endpoint.secrets = endpoint.signing(batch.now).cloned().collect();
        if !endpoint.secrets.iter().any(|s| s.id == self.secret) {
            return Err(Refused::unknown(Noun::Secret, &self.secret, "id").into());
        }
        if endpoint.secrets.len() == 1 {
            return Err(Refused::invalid("secret", "is the only one; add another first").into());
        }
        endpoint.secrets.retain(|s| s.id != self.secret);
        Ok(Reply::done(answer(put(batch, endpoint, "alert.updated"))))
    }
}

impl SealAgain {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut endpoint = find(batch, self.id)?;
        for secret in &mut endpoint.secrets {
            if let Some((_, sealed)) = self.secrets.iter().find(|(id, _)| *id == secret.id) {
                secret.sealed = sealed.clone();
            }
        }
        Ok(Reply::done(answer(put(batch, endpoint, "alert.updated"))))
    }
}

/// What a test says.
#[derive(Serialize)]
struct TestData<'a> {
    /// Every test is another one.
    number: Id,
    alert: &'a str,
    note: &'static str,
}

impl TestAlert {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let endpoint = find(batch, self.id)?;
        if !endpoint.active {
            return Err(Refused::invalid("id", "names an endpoint that is switched off; switch it on first").into());
        }
        let number = Id(batch.id()?);
        let data = TestData { number, alert: &endpoint.name, note: "A test. Nothing has happened." };
        let delivery = tell(batch, TEST, None, self.id, &data, &[self.id]).pop().unwrap_or_default();
        Ok(Reply::created(Answer::Sent { delivery }))
    }
}
