//! The workers of this node: one for each channel, started and ended as channels come and change, and what they came to.

use super::health::{Health, Resync};
use super::rows::Channel;
use super::{connect, worker};
use crate::exceptions::{Kind, report, solved};
use crate::secrets::Vault;
use crate::{Command, Config, Engine, Stop, jobs, warehouses};
use connectors::account::{self, Account};
use connectors::transport::{Fault, Pace, Wire, WireOptions};
use connectors::{marketplace, warehouse};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the workers of this node came to, for figures and pages.
#[derive(Clone, Default)]
pub struct Workers {
    health: Arc<Mutex<HashMap<i64, Health>>>,
    pub(super) seen: super::webhook::Seen,
    /// The ways to the channels, shared by their workers and their webhooks, so that limits and tokens are.
    wires: Arc<Mutex<HashMap<i64, (String, Arc<Wire>)>>>,
    /// Public keys by which their webhooks are verified.
    pub(super) keys: super::keys::Keys,
}

impl Workers {
    pub fn health(&self, channel: i64) -> Option<Health> {
        self.lock().get(&channel).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way to a channel, made anew when its settings have changed.
    pub async fn wire(&self, engine: &Engine, vault: &Vault, channel: &Channel) -> Result<Arc<Wire>, Stop> {
        let version = version(engine, channel).await?;
        let known = self.wires.lock().unwrap_or_else(PoisonError::into_inner).get(&channel.id).filter(|(v, _)| *v == version).map(|(_, w)| w.clone());
        if let Some(wire) = known {
            return Ok(wire);
        }
        let wire = Arc::new(wire(engine, vault, channel).await?);
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.id, (version, wire.clone()));
        Ok(wire)
    }

    pub(crate) fn note(&self, channel: i64, note: impl FnOnce(&mut Health)) {
        note(self.lock().entry(channel).or_default());
    }

    /// Reads anew everything that a channel lists and shows, or that a warehouse has, beside its worker; [`Health::resync`] tells how far
    /// it is. False if that is under way already.
    pub fn resync(&self, engine: &Engine, vault: &Vault, channel: &Channel) -> bool {
        let (id, began_at) = (channel.id, engine.now());
        let mut runs = false;
        self.note(id, |h| {
            runs = h.resync.as_ref().is_some_and(|r| r.ended_at.is_none());
            if !runs {
                h.resync = Some(Resync { began_at, ..Resync::default() });
            }
        });
        if runs {
            return false;
        }
        let desk = Desk { engine: engine.clone(), workers: self.clone(), vault: vault.clone(), holder: String::new(), channel: channel.clone() };
        tokio::spawn(async move {
            let told = |read, of| desk.workers.note_resync(id, |r| (r.read, r.of) = (read, of));
            let round = async {
                let wire = desk.workers.wire(&desk.engine, &desk.vault, &desk.channel).await?;
                match (marketplace::by_word(&desk.channel.kind), warehouse::by_word(&desk.channel.kind)) {
                    (Some(market), _) => worker::resync(&desk, market, &wire, told).await,
                    (None, Some(warehouse)) => warehouses::worker::snapshot(&desk, warehouse, &wire, |read| told(read, read)).await.map(drop),
                    (None, None) => Ok(()),
                }
            };
            let fault = match round.await {
                Ok(()) => None,
                Err(Trouble::Stop(stop)) => Some(stop.to_string()),
                Err(Trouble::Fault(fault)) => Some(fault.to_string()),
            };
            let now = desk.engine.now();
            desk.workers.note_resync(id, |r| (r.ended_at, r.fault) = (Some(now), fault));
        });
        true
    }

    fn note_resync(&self, channel: i64, note: impl FnOnce(&mut Resync)) {
        self.note(channel, |h| note(h.resync.get_or_insert_default()));
    }

    /// Works for all channels until the engine stops: starts a worker for each channel that has none, ends those of channels
    /// that were changed, so that the new one has the new settings.
    pub async fn run(self, engine: Engine, vault: Vault) {
        let holder = format!("{}-{}", std::process::id(), engine.now());
        let mut running: HashMap<i64, (String, tokio::task::AbortHandle)> = HashMap::new();
        loop {
            let channels = match config(&engine).await {
                Ok(config) => config.channels.iter().filter(|c| !c.is_contract()).cloned().collect(),
                Err(Stop::Stopped) => return,
                Err(error) => {
                    tracing::warn!("channels cannot be read and will be tried again: {error}");
                    Vec::new()
                }
            };
            for channel in channels {
                // Without it the database does not answer: it is tried again, as all else is.
                let Ok(version) = version(&engine, &channel).await else { continue };
                let known = running.get(&channel.id);
                if known.is_some_and(|(v, task)| *v == version && !task.is_finished()) {
                    continue;
                }
                if let Some((_, task)) = running.remove(&channel.id) {
                    task.abort();
                }
                let id = channel.id;
                let desk = Desk { engine: engine.clone(), workers: self.clone(), vault: vault.clone(), holder: holder.clone(), channel };
                running.insert(id, (version, tokio::spawn(live(desk)).abort_handle()));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn live(desk: Desk) {
    let wire = loop {
        match desk.workers.wire(&desk.engine, &desk.vault, &desk.channel).await {
            Ok(found) => break found,
            Err(Stop::Stopped) => return,
            Err(stop) => {
                desk.workers.note(desk.channel.id, |h| h.fault = Some((desk.engine.now(), stop.to_string())));
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        }
    };
    match (marketplace::by_word(&desk.channel.kind), warehouse::by_word(&desk.channel.kind)) {
        (Some(market), _) => worker::live(&desk, market, &wire).await,
        (None, Some(warehouse)) => warehouses::worker::live(&desk, warehouse, &wire).await,
        (None, None) => std::future::pending().await,
    }
}

pub(crate) async fn config(engine: &Engine) -> Result<Arc<Config>, Stop> {
    engine
        .read(|tx| {
            let mut config = Arc::default();
            Config::refresh(tx, &mut config)?;
            Ok(config)
        })
        .await
}

pub(crate) fn actor() -> Arc<str> {
    "system".into()
}

/// All settings of a channel, its secrets too, and whether those are still encrypted with an old key.
pub(super) async fn settings(engine: &Engine, vault: &Vault, channel: &Channel) -> Result<(BTreeMap<String, String>, Option<String>), Stop> {
    let id = channel.id;
    let sealed = engine.read(move |tx| connect::secrets(tx, id)).await?;
    let mut settings: BTreeMap<String, String> = serde_json::from_str(&channel.settings).unwrap_or_default();
    let (text, old) = vault.decrypt(&channel.code, &sealed)?;
    settings.extend(serde_json::from_str::<BTreeMap<String, String>>(&text).unwrap_or_default());
    Ok((settings, old.then_some(text)))
}

/// The settings of a channel with some of them changed: the open ones, and the secret ones encrypted. A secret that is left empty stays
/// as it is; any other setting that is left empty is taken away.
pub async fn changed_settings(
    engine: &Engine,
    vault: &Vault,
    channel: &Channel,
    changes: BTreeMap<String, String>,
) -> Result<(BTreeMap<String, String>, String), Stop> {
    let account = account_of(channel)?;
    let is_secret = |name: &str| account.settings().iter().any(|s| s.name == name && s.secret);
    let (mut all, _) = settings(engine, vault, channel).await?;
    for (name, value) in changes {
        match value.is_empty() {
            true if is_secret(&name) => {}
            true => drop(all.remove(&name)),
            false => drop(all.insert(name, value)),
        }
    }
    connect::sort_settings(vault, account, &channel.code, all)
}

/// Changes with whatever was changed of a channel, its secrets too.
async fn version(engine: &Engine, channel: &Channel) -> Result<String, Stop> {
    let id = channel.id;
    let sealed = engine.read(move |tx| connect::secrets(tx, id)).await?;
    Ok(format!("{channel:?} {}", blake3::hash(sealed.as_bytes())))
}

fn account_of(channel: &Channel) -> Result<&'static dyn Account, Stop> {
    account::by_word(&channel.kind).ok_or_else(|| Stop::broken(format!("there is no connector “{}”", channel.kind)))
}

/// The way to a channel, with its secrets. Refuses a channel whose secrets or address cannot be used.
pub async fn wire(engine: &Engine, vault: &Vault, channel: &Channel) -> Result<Wire, Stop> {
    let account = account_of(channel)?;
    let (settings, old) = settings(engine, vault, channel).await?;
    if let Some(text) = old {
        let again = vault.encrypt(&channel.code, &text)?;
        let code = channel.code.to_string();
        let update = connect::UpdateChannel { code, secrets: Some(again), ..Default::default() };
        engine.submit(Command::UpdateChannel(update), actor(), None).await?;
    }
    way(engine, account, channel.address.clone(), settings, channel.id as u64).map_err(|fault| Stop::broken(fault.to_string()))
}

/// The way to an account, with its secrets. `seed` is of the jitter of its waits.
pub(super) fn way(
    engine: &Engine,
    account: &'static dyn Account,
    address: String,
    settings: BTreeMap<String, String>,
    seed: u64,
) -> Result<Wire, Fault> {
    let engine = engine.clone();
    let clock = Arc::new(move || engine.now());
    Wire::new(WireOptions { account, address, settings, clock, seed, pace: Pace::default() })
}

/// What the worker of one channel works with.
pub(crate) struct Desk {
    pub engine: Engine,
    pub workers: Workers,
    pub vault: Vault,
    pub holder: String,
    pub channel: Channel,
}

/// What stops a round.
pub(crate) enum Trouble {
    Stop(Stop),
    Fault(Fault),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Trouble {
        Trouble::Stop(stop)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Fault(fault)
    }
}

/// Whether the account was asked anything, and answered.
pub(crate) type Round = Result<bool, Trouble>;

/// The engine has stopped, and so does the worker.
pub(crate) struct Stopped;

/// Seconds for which a node works on a channel without asking again; a node that died is followed after that.
const LEASE: i64 = 15;

impl Desk {
    /// Whether this node may work on the channel.
    pub async fn lease(&self) -> Result<bool, Stop> {
        jobs::lease(&self.engine, &format!("channel:{}", self.channel.id), &self.holder, LEASE).await
    }

    /// Notes what the calls came to.
    pub fn note_calls(&self, wire: &Wire) {
        let figures = wire.figures();
        let (calls, throttled) = figures.operations.values().fold((0, 0), |(c, t), o| (c + o.calls, t + o.throttled));
        self.workers.note(self.channel.id, |h| (h.calls, h.throttled, h.limits) = (calls, throttled, figures.limits));
    }

    /// Subscribes again where the channel's webhooks come to, if that is known: a marketplace drops a subscription whose address did
    /// not answer for a while. Polling goes on meanwhile, so that a failure waits for the next time.
    pub async fn subscribe_again(&self, wire: &Wire) {
        let address = wire.setting(connect::WEBHOOK_ADDRESS);
        if address.is_empty() {
            return;
        }
        let answer = match (marketplace::by_word(&self.channel.kind), warehouse::by_word(&self.channel.kind)) {
            (Some(market), _) => market.subscribe(wire, address).await,
            (None, Some(warehouse)) => warehouse.subscribe(wire, address).await,
            (None, None) => return,
        };
        if let Err(fault) = answer {
            tracing::warn!("channel {}: its webhooks could not be asked for again: {fault}", self.channel.code);
        }
    }

    pub async fn submit(&self, command: Command) -> Result<crate::Reply, Stop> {
        self.engine.submit(command, actor(), None).await
    }

    /// Notes how a round ended; answers whether it went well.
    pub async fn noted(&self, round: Round) -> Result<bool, Stopped> {
        let (id, now) = (self.channel.id, self.engine.now());
        let text = match round {
            // Who asked nothing knows nothing of how it is.
            Ok(false) => return Ok(true),
            Ok(true) => {
                let (mut first, mut again) = (false, false);
                self.workers.note(id, |h| {
                    again = h.fault.is_some();
                    first = h.worked_at == 0 || again;
                    (h.fault, h.worked_at) = (None, now);
                });
                if again {
                    tracing::info!("channel {}: it answers again", self.channel.code);
                }
                if first {
                    let _ = self.submit(solved(self.about("authorization"), "the credentials are accepted")).await;
                }
                return Ok(true);
            }
            Err(Trouble::Stop(Stop::Stopped)) => return Err(Stopped),
            Err(Trouble::Stop(stop)) => stop.to_string(),
            // Waiting for one's turn is no fault.
            Err(Trouble::Fault(Fault::Throttled { .. })) => return Ok(false),
            Err(Trouble::Fault(fault)) => {
                if let Fault::Unauthorized { detail } = &fault {
                    let title = format!("{} no longer accepts the credentials", self.channel.name);
                    let detail = format!("{detail}. Enter new ones; until then nothing is sent and no orders come.");
                    let _ = self.submit(report(Kind::AuthorizationExpired, self.about("authorization"), id, title, detail)).await;
                }
                fault.to_string()
            }
        };
        let mut is_new = false;
        self.workers.note(id, |h| {
            is_new = h.fault.is_none();
            h.fault = Some((now, text.clone()));
        });
        // An outage is tried again every second, and told of once.
        if is_new {
            tracing::warn!("channel {}: {text}", self.channel.code);
        } else {
            tracing::debug!("channel {}: {text}", self.channel.code);
        }
        Ok(false)
    }

    /// The key of the exception of this kind about the channel.
    pub fn about(&self, what: &str) -> String {
        format!("{what}:{}", self.channel.code)
    }
}

/// Something that is either well or not, told to the exceptions desk when it changes.
pub(crate) struct Alarm {
    kind: Kind,
    what: &'static str,
    rings: Option<bool>,
}

impl Alarm {
    pub fn new(kind: Kind, what: &'static str) -> Alarm {
        Alarm { kind, what, rings: None }
    }

    /// `trouble` is a title and what to do about it.
    pub async fn tell(&mut self, desk: &Desk, trouble: Option<(String, String)>) -> Result<(), Stop> {
        let rings = trouble.is_some();
        if self.rings == Some(rings) {
            return Ok(());
        }
        let about = desk.about(self.what);
        let command = match trouble {
            Some((title, detail)) => report(self.kind, about, desk.channel.id, title, detail),
            None => solved(about, "it is well again"),
        };
        desk.submit(command).await?;
        self.rings = Some(rings);
        Ok(())
    }
}
