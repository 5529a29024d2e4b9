//! The worker of a channel: reads its orders, sends what waits, reads back what is doubtful, tells what happened. One for each
//! channel, on one node at a time; whatever it was doing when it died, the next one takes up from the database.

use super::listings::{ListedRow, PutListings};
use super::outbox::{self, EndLetters, Heard};
use super::push::{BeginPushes, DUE, EndPushes, MAPPED, Push, Pushed, ReadBack, SETTLING, UNSURE, WRITING};
use super::rows::Channel;
use super::take_orders::TakeOrders;
use super::webhook::told;
use super::{connect, read};
use crate::db::{Conn, Value};
use crate::exceptions::{Kind, report};
use crate::secrets::Vault;
use crate::{Answer, Command, Config, Engine, Stop, jobs};
use connectors::marketplace::{self, Marketplace, Page, SetOutcome, SetQuantity, Shipped};
use connectors::transport::{Fault, Pace, Wire, WireOptions};
use domain::exposure::{Exposure, SKEW};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Orders are read again this far back, so that none is missed that was written late: 1 minute.
const OVERLAP: i64 = 60_000_000;
/// How long a node works on a channel before it asks again whether it still may.
const LEASED: Duration = Duration::from_secs(5);
/// How often numbers that are doubtful are read.
const READ: Duration = Duration::from_secs(3);
/// How often everything that is listed is read, and drift found.
const RECONCILE: Duration = Duration::from_secs(900);
/// Longest between two looks at the queue when nothing happens on this node.
const LOOK: Duration = Duration::from_millis(200);
/// Rows read or settled at once.
const MANY: i64 = 500;
/// Tries of a write whose answer is lost, on a marketplace that knows it again.
const TRIES: u32 = 5;

/// What the workers of this node came to, for figures and pages.
#[derive(Clone, Default)]
pub struct Workers {
    health: Arc<Mutex<HashMap<i64, Health>>>,
    /// The ways to the channels, shared by their workers and their webhooks, so that limits and tokens are.
    wires: Arc<Mutex<HashMap<i64, (String, Arc<Wire>)>>>,
}

/// How a channel's worker is doing on this node.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// The last fault, and when; None once something worked.
    pub fault: Option<(i64, String)>,
    /// Microseconds from the wish to the marketplace's acknowledgement, the latest 10,000.
    latencies: std::collections::VecDeque<u32>,
    pub pushed: u64,
    pub calls: u64,
    pub throttled: u64,
    pub orders_read: u64,
    /// Orders that were told later than a minute after they were placed.
    pub orders_late: u64,
}

impl Health {
    /// Microseconds from the wish to the acknowledgement: (p50, p95, p99); None before the first.
    pub fn latency(&self) -> Option<(u32, u32, u32)> {
        self.latency_since(0)
    }

    /// The same of the writes after the first `pushed`, as far as they are among the latest 10,000.
    pub fn latency_since(&self, pushed: u64) -> Option<(u32, u32, u32)> {
        let count = usize::try_from(self.pushed.saturating_sub(pushed)).unwrap_or(usize::MAX);
        let mut sorted: Vec<u32> = self.latencies.iter().rev().take(count).copied().collect();
        sorted.sort_unstable();
        let at = |share: usize| sorted.get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1))).copied();
        Some((at(50)?, at(95)?, at(99)?))
    }
}

impl Workers {
    pub fn health(&self, channel: i64) -> Option<Health> {
        self.lock().get(&channel).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel's connector and the way to it, made anew when its settings have changed.
    pub(super) async fn wire(&self, engine: &Engine, vault: &Vault, channel: &Channel) -> Result<(&'static dyn Marketplace, Arc<Wire>), Stop> {
        let version = format!("{channel:?}");
        let market = marketplace::by_word(&channel.kind).ok_or_else(|| Stop::broken(format!("there is no connector “{}”", channel.kind)))?;
        let known = self.wires.lock().unwrap_or_else(PoisonError::into_inner).get(&channel.id).filter(|(v, _)| *v == version).map(|(_, w)| w.clone());
        if let Some(wire) = known {
            return Ok((market, wire));
        }
        let wire = Arc::new(wire(engine, vault, channel).await?.1);
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.id, (version, wire.clone()));
        Ok((market, wire))
    }

    fn note(&self, channel: i64, note: impl FnOnce(&mut Health)) {
        note(self.lock().entry(channel).or_default());
    }

    /// Works for all channels until the engine stops: starts a worker for each channel that has none, ends those of channels
    /// that were changed, so that the new one has the new settings.
    pub async fn run(self, engine: Engine, vault: Vault) {
        let holder = format!("{}-{}", std::process::id(), engine.now());
        let mut running: HashMap<i64, (String, tokio::task::AbortHandle)> = HashMap::new();
        loop {
            let channels = match config(&engine).await {
                Ok(config) => config.channels.clone(),
                Err(Stop::Stopped) => return,
                Err(error) => {
                    tracing::warn!("channels cannot be read and will be tried again: {error}");
                    Vec::new()
                }
            };
            for channel in channels {
                let version = format!("{channel:?}");
                let known = running.get(&channel.id);
                if known.is_some_and(|(v, task)| *v == version && !task.is_finished()) {
                    continue;
                }
                if let Some((_, task)) = running.remove(&channel.id) {
                    task.abort();
                }
                let id = channel.id;
                let worker = Worker { engine: engine.clone(), workers: self.clone(), vault: vault.clone(), holder: holder.clone(), channel };
                running.insert(id, (version, tokio::spawn(worker.live()).abort_handle()));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

pub(super) async fn config(engine: &Engine) -> Result<Arc<Config>, Stop> {
    engine
        .read(|tx| {
            let mut config = Arc::default();
            Config::refresh(tx, &mut config)?;
            Ok(config)
        })
        .await
}

pub(super) fn actor() -> Arc<str> {
    "system".into()
}

/// A channel's connector and the way to it, with its secrets. Refuses a channel whose secrets or address cannot be used.
pub async fn wire(engine: &Engine, vault: &Vault, channel: &Channel) -> Result<(&'static dyn Marketplace, Wire), Stop> {
    let id = channel.id;
    let sealed = engine.read(move |tx| connect::secrets(tx, id)).await?;
    let market = marketplace::by_word(&channel.kind).ok_or_else(|| Stop::broken(format!("there is no connector “{}”", channel.kind)))?;
    let mut settings: BTreeMap<String, String> = serde_json::from_str(&channel.settings).unwrap_or_default();
    let (text, old) = vault.decrypt(&channel.code, &sealed)?;
    if old {
        let again = vault.encrypt(&channel.code, &text)?;
        let code = channel.code.to_string();
        let update = connect::UpdateChannel { code, secrets: Some(again), ..Default::default() };
        engine.submit(Command::UpdateChannel(update), actor(), None).await?;
    }
    settings.extend(serde_json::from_str::<BTreeMap<String, String>>(&text).unwrap_or_default());
    let clock = {
        let engine = engine.clone();
        Arc::new(move || engine.now())
    };
    let options = WireOptions { marketplace: market, address: channel.address.clone(), settings, clock, seed: id as u64, pace: Pace::default() };
    let wire = Wire::new(options).map_err(|fault| Stop::broken(format!("{fault:?}")))?;
    Ok((market, wire))
}

struct Worker {
    engine: Engine,
    workers: Workers,
    vault: Vault,
    holder: String,
    channel: Channel,
}

/// What stops a round.
enum Trouble {
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

type Round = Result<(), Trouble>;

/// The engine has stopped, and so does the worker.
struct Stopped;

/// When it is whose turn.
struct Turn {
    poll: Instant,
    list: Instant,
    read: Instant,
    /// The next reading of orders is of what was placed, not of what changed.
    placed: bool,
}

impl Turn {
    fn now() -> Turn {
        let now = Instant::now();
        Turn { poll: now, list: now, read: now, placed: false }
    }
}

impl Worker {
    async fn live(self) {
        let (market, wire) = loop {
            match self.workers.wire(&self.engine, &self.vault, &self.channel).await {
                Ok(found) => break found,
                Err(Stop::Stopped) => return,
                Err(stop) => {
                    self.workers.note(self.channel.id, |h| h.fault = Some((self.engine.now(), stop.to_string())));
                    tokio::time::sleep(Duration::from_secs(10)).await;
                }
            }
        };
        let mut fresh = true;
        let mut turn = Turn::now();
        let mut pending: Vec<(u32, Push)> = Vec::new();
        loop {
            match self.lease().await {
                Ok(true) => {}
                Ok(false) => {
                    // Another node has it. When it comes back here, what that node left behind is not known.
                    (fresh, pending) = (true, Vec::new());
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    continue;
                }
                Err(Stop::Stopped) => return,
                Err(_) => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            }
            if fresh {
                if self.take_over().await.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
                fresh = false;
            }
            // Sending does not wait for reading: an order list that is slow must not hold up a quantity.
            let until = Instant::now() + LEASED;
            let (sent, read) = tokio::join!(self.sending(market, &wire, &mut pending, until), self.reading(market, &wire, &mut turn, until));
            if sent.is_err() || read.is_err() {
                return;
            }
        }
    }

    /// Sends what waits and tells what happened, until then.
    async fn sending(&self, market: &'static dyn Marketplace, wire: &Wire, pending: &mut Vec<(u32, Push)>, until: Instant) -> Result<(), Stopped> {
        let mut events = self.engine.watch_events();
        while Instant::now() < until {
            let round = async {
                if !self.channel.paused {
                    self.push(market, wire, pending).await?;
                }
                self.tell(market, wire).await
            };
            let pause = if self.noted(round.await).await? { LOOK } else { Duration::from_secs(1) };
            let _ = tokio::time::timeout(pause, events.changed()).await;
            // Changes come in bursts; a moment's wait puts them into one call.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Reads orders, listings and numbers when it is their turn, until then.
    async fn reading(&self, market: &'static dyn Marketplace, wire: &Wire, turn: &mut Turn, until: Instant) -> Result<(), Stopped> {
        while Instant::now() < until {
            // Orders are counted even when nothing is sent, or the quotas of other channels would rest on nothing.
            if Instant::now() >= turn.poll {
                turn.poll = Instant::now() + Duration::from_secs(market.polls_every());
                let polled = self.poll(market, wire, turn).await;
                self.noted(polled).await?;
            }
            if Instant::now() >= turn.list && !self.channel.paused {
                let listed = self.list(market, wire).await;
                turn.list = Instant::now() + if self.noted(listed).await? { RECONCILE } else { READ };
            }
            if Instant::now() >= turn.read && !self.channel.paused {
                turn.read = Instant::now() + READ;
                let read = self.read_back(market, wire).await;
                self.noted(read).await?;
            }
            let figures = wire.figures();
            let (calls, throttled) = figures.operations.values().fold((0, 0), |(c, t), o| (c + o.calls, t + o.throttled));
            self.workers.note(self.channel.id, |h| (h.calls, h.throttled) = (calls, throttled));
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Notes how a round ended; answers whether it went well.
    async fn noted(&self, round: Round) -> Result<bool, Stopped> {
        let text = match round {
            Ok(()) => {
                self.workers.note(self.channel.id, |h| h.fault = None);
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
                    let about = format!("authorization:{}", self.channel.code);
                    let _ = self.engine.submit(report(Kind::AuthorizationExpired, about, self.channel.id, title, detail), actor(), None).await;
                }
                format!("{fault:?}")
            }
        };
        tracing::warn!("channel {}: {text}", self.channel.code);
        self.workers.note(self.channel.id, |h| h.fault = Some((self.engine.now(), text)));
        Ok(false)
    }

    async fn lease(&self) -> Result<bool, Stop> {
        if matches!(self.engine.url(), crate::Url::Sqlite(_)) {
            return Ok(true);
        }
        let (engine, holder, name) = (self.engine.clone(), self.holder.clone(), format!("channel:{}", self.channel.id));
        let work = move || jobs::lease(&engine, &mut Conn::open(engine.url())?, &name, &holder, 15);
        tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))?
    }

    /// Writes that a worker before this one left without an answer.
    async fn take_over(&self) -> Result<(), Stop> {
        let id = self.channel.id;
        loop {
            let found = self
                .engine
                .read(move |tx| {
                    let rows = tx.rows(WRITING, &[Value::Int(id), Value::Int(MANY)], |r| (r.int(0), r.text(1)))?;
                    Ok(rows)
                })
                .await?;
            let lost: Vec<(i64, i64, Pushed)> = found
                .into_iter()
                .filter_map(|(listing, knowledge)| Some((listing, serde_json::from_str::<Exposure>(&knowledge).ok()?)))
                .filter_map(|(listing, exposure)| exposure.in_flight().filter(|w| !w.accepted).map(|w| (listing, w.id, Pushed::Lost)))
                .collect();
            if lost.is_empty() {
                return Ok(());
            }
            self.engine.submit(Command::EndPushes(EndPushes { results: lost }), actor(), None).await?;
        }
    }

    /// Reads what is listed, and what is shown.
    async fn list(&self, market: &'static dyn Marketplace, wire: &Wire) -> Round {
        let mut page = None;
        loop {
            let asked_at = self.engine.now();
            let Page { rows, next, .. } = market.listings(wire, page).await?;
            let rows = rows.into_iter().map(|l| ListedRow { external: l.id, sku: l.sku, title: l.title, shown: l.quantity }).collect();
            let command = Command::PutListings(PutListings { channel: self.channel.id, rows, asked_at });
            self.engine.submit(command, actor(), None).await?;
            page = next;
            if page.is_none() {
                return Ok(());
            }
        }
    }

    /// Sends what waits, until nothing does.
    async fn push(&self, market: &'static dyn Marketplace, wire: &Wire, pending: &mut Vec<(u32, Push)>) -> Round {
        let (id, most) = (self.channel.id, market.batch());
        loop {
            if pending.is_empty() {
                let due = self.engine.read(move |tx| Ok(tx.rows(DUE, &[Value::Int(id), Value::Int(most as i64)], |r| r.int(0))?)).await?;
                if due.is_empty() {
                    return Ok(());
                }
                let command = Command::BeginPushes(BeginPushes { listings: due, dry: false });
                if let Answer::Pushes(pushes) = self.engine.submit(command, actor(), None).await?.answer {
                    pending.extend(pushes.into_iter().map(|push| (0, push)));
                }
                if pending.is_empty() {
                    return Ok(());
                }
            }
            let wanted: Vec<SetQuantity> = pending
                .iter()
                .map(|(_, p)| SetQuantity { listing: p.external.clone(), from: p.from, to: p.to, key: format!("holdfast-{}", p.write) })
                .collect();
            let answer = market.set_quantities(wire, &wanted).await;
            let fault = answer.as_ref().err().cloned();
            let mut results: Vec<(i64, i64, Pushed)> = Vec::with_capacity(pending.len());
            let mut again: Vec<(u32, Push)> = Vec::new();
            match answer {
                Ok(outcomes) => {
                    for ((tries, push), outcome) in pending.drain(..).zip(outcomes) {
                        let pushed = match outcome {
                            SetOutcome::Applied => Pushed::Applied,
                            SetOutcome::Accepted => Pushed::Accepted,
                            // Its own number is there: an earlier try of the same write may have put it there.
                            SetOutcome::Stale { shown } if tries > 0 && shown == Some(push.to) => Pushed::Lost,
                            SetOutcome::Stale { shown } => Pushed::Stale { shown },
                            SetOutcome::Refused { code, detail } => Pushed::Refused { code, detail },
                        };
                        self.acknowledged(&push, &pushed);
                        results.push((push.listing, push.write, pushed));
                    }
                }
                // A marketplace that knows a key again may be asked the same again, in the same words.
                Err(fault) => {
                    let lost = matches!(fault, Fault::Lost { .. } | Fault::NotUnderstood { .. });
                    for (tries, push) in pending.drain(..) {
                        let pushed = match &fault {
                            // Not done this time; but a try before it may have been.
                            _ if tries > 0 || lost => {
                                if self.channel.compares && tries < TRIES {
                                    again.push((tries + 1, push));
                                    continue;
                                }
                                Pushed::Lost
                            }
                            Fault::Refused { code, detail, .. } => Pushed::Refused { code: code.clone(), detail: detail.clone() },
                            _ => Pushed::NotSent,
                        };
                        results.push((push.listing, push.write, pushed));
                    }
                }
            }
            *pending = again;
            if !results.is_empty() {
                self.engine.submit(Command::EndPushes(EndPushes { results }), actor(), None).await?;
            }
            if let Some(fault) = fault {
                return Err(fault.into());
            }
        }
    }

    fn acknowledged(&self, push: &Push, pushed: &Pushed) {
        if matches!(pushed, Pushed::Applied | Pushed::Accepted) {
            let micros = u32::try_from((self.engine.now() - push.since).max(0)).unwrap_or(u32::MAX);
            self.workers.note(self.channel.id, |h| {
                h.pushed += 1;
                h.latencies.push_back(micros);
                if h.latencies.len() > 10_000 {
                    h.latencies.pop_front();
                }
            });
        }
    }

    /// Reads the orders that changed, and moves the watermark.
    async fn poll(&self, market: &'static dyn Marketplace, wire: &Wire, turn: &mut Turn) -> Round {
        let id = self.channel.id;
        let progress = self.engine.read(move |tx| read::progress(tx, id)).await?;
        let asked_at = self.engine.now();
        let counted_from = progress.watermark.max(self.channel.created_at) - OVERLAP;
        // Where the list of changes hides an order that changed too lately, what was placed is read in turn with what changed, and
        // only that tells that all has been counted.
        let in_turn = market.orders_placed(wire, counted_from, None).is_some();
        let placed = in_turn && turn.placed;
        turn.placed = !turn.placed;
        let (by_change, by_placement) = (!placed, placed || !in_turn);
        let mut page = None;
        let mut unread_any = false;
        loop {
            let work = match market.orders_placed(wire, counted_from, page.clone()) {
                Some(work) if placed => work,
                _ => market.orders(wire, progress.orders_from - OVERLAP, page),
            };
            let Page { rows, next, unread } = work.await?;
            unread_any |= !unread.is_empty();
            let last = next.is_none();
            let settled = asked_at - market.settles_in();
            let settle: Vec<i64> = match last && !unread_any && by_placement {
                true => self.engine.read(move |tx| Ok(tx.rows(SETTLING, &[Value::Int(id), Value::Int(0), Value::Int(MANY)], |r| r.int(0))?)).await?,
                false => Vec::new(),
            };
            let late = rows.iter().filter(|o| o.placed_at + 60_000_000 < asked_at && o.placed_at > progress.watermark).count() as u64;
            let count = rows.len() as u64;
            self.workers.note(id, |h| {
                h.orders_read += count;
                h.orders_late += late;
            });
            if !rows.is_empty() || !unread.is_empty() || !settle.is_empty() || last {
                let command = TakeOrders {
                    channel: id,
                    channel_code: self.channel.code.to_string(),
                    orders: rows.into_iter().map(told).collect(),
                    unread,
                    watermark: (last && !unread_any && by_placement).then_some(settled - SKEW),
                    orders_from: (last && !unread_any && by_change).then_some(settled),
                    settle,
                };
                self.engine.submit(Command::TakeOrders(Box::new(command)), actor(), None).await?;
            }
            page = next;
            if page.is_none() {
                return Ok(());
            }
        }
    }

    /// Reads the numbers that are doubtful.
    async fn read_back(&self, market: &'static dyn Marketplace, wire: &Wire) -> Round {
        let id = self.channel.id;
        let rows =
            self.engine.read(move |tx| Ok(tx.rows(UNSURE, &[Value::Int(id), Value::Int(0), Value::Int(MANY)], |r| (r.int(0), r.text(1)))?)).await?;
        self.read_rows(market, wire, rows).await
    }

    async fn read_rows(&self, market: &'static dyn Marketplace, wire: &Wire, rows: Vec<(i64, String)>) -> Round {
        if rows.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = rows.iter().map(|(_, external)| external.clone()).collect();
        let asked_at = self.engine.now();
        let shown: HashMap<String, i64> = market.quantities(wire, &names).await?.into_iter().collect();
        let rows = rows.into_iter().filter_map(|(id, external)| Some((id, *shown.get(&external)?, asked_at))).collect();
        self.engine.submit(Command::ReadBack(ReadBack { rows }), actor(), None).await?;
        Ok(())
    }

    /// Tells what happened to the channel's orders.
    async fn tell(&self, market: &'static dyn Marketplace, wire: &Wire) -> Round {
        let (id, now) = (self.channel.id, self.engine.now());
        let (letters, pointless) = self.engine.read(move |tx| outbox::due(tx, id, now, 50)).await?;
        let mut ended: Vec<(i64, String, Heard)> = pointless.into_iter().map(|letter| (letter, String::new(), Heard::Yes)).collect();
        let mut failed = None;
        for letter in letters {
            let answer = match letter.kind.as_str() {
                "ship" => {
                    let shipped = Shipped {
                        order: letter.external.clone(),
                        key: format!("holdfast-{}", letter.id),
                        carrier: letter.carrier.clone(),
                        tracking_number: letter.tracking_number.clone(),
                        shipped_at: letter.shipped_at,
                        lines: letter.lines.clone(),
                    };
                    market.ship(wire, &shipped).await
                }
                _ => market.cancel(wire, &letter.external, "canceled by the seller").await,
            };
            let heard = match answer {
                Ok(()) => Heard::Yes,
                Err(Fault::Refused { code, detail, .. }) => Heard::No { why: format!("{code}: {detail}") },
                Err(fault) => {
                    let wait = 1_000_000i64 << letter.tries.clamp(0, 12);
                    let heard = Heard::Later { at: now + wait, why: format!("{fault:?}") };
                    failed = Some(fault);
                    heard
                }
            };
            ended.push((letter.id, letter.external, heard));
            if failed.is_some() {
                break;
            }
        }
        if !ended.is_empty() {
            self.engine.submit(Command::EndLetters(EndLetters { channel: id, letters: ended }), actor(), None).await?;
        }
        failed.map_or(Ok(()), |fault| Err(fault.into()))
    }
}

/// Reads every number of a channel now, page by page; answers how many. `told` hears of the progress.
pub async fn resync(engine: &Engine, vault: &Vault, channel: &Channel, told: impl Fn(usize)) -> Result<usize, Stop> {
    let (market, wire) = wire(engine, vault, channel).await?;
    let worker =
        Worker { engine: engine.clone(), workers: Workers::default(), vault: vault.clone(), holder: String::new(), channel: channel.clone() };
    let stop = |trouble: Trouble| match trouble {
        Trouble::Stop(stop) => stop,
        Trouble::Fault(fault) => Stop::broken(format!("{fault:?}")),
    };
    worker.list(market, &wire).await.map_err(stop)?;
    let (id, mut after, mut count) = (channel.id, 0, 0);
    loop {
        let rows =
            engine.read(move |tx| Ok(tx.rows(MAPPED, &[Value::Int(id), Value::Int(after), Value::Int(MANY)], |r| (r.int(0), r.text(1)))?)).await?;
        let Some((last, _)) = rows.last() else { return Ok(count) };
        after = *last;
        count += rows.len();
        worker.read_rows(market, &wire, rows).await.map_err(stop)?;
        told(count);
    }
}

/// Asks the marketplace something harmless: the account's name, or why it does not answer.
pub async fn check(engine: &Engine, vault: &Vault, channel: &Channel) -> Result<Result<String, String>, Stop> {
    let (market, wire) = wire(engine, vault, channel).await?;
    Ok(market.check(&wire).await.map_err(|fault| format!("{fault:?}")))
}
