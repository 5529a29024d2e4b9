//! The sequencer: the one writer of a node. It takes what has queued up, decides it in memory, commits it as one, and
//! answers all. There is no timer: a batch forms while the one before it commits.
//!
//! Here: forming batches, retrying, surviving a poisoned command, a full disk and a lost connection. Not here: any rule.

use crate::access::By;
use crate::access::audit::Watched;
use crate::access::scope;
use crate::batch::{Batch, Written};
use crate::command::{Answer, Command, Needs, Reply};
use crate::config::Config;
use crate::db::{self, Cell, Conn, Faults, Lookup, Rows, Sql, Table, Type, Url, Value, Why, Write};
use crate::kept::{Ids, ItemCache};
use crate::stock::feed::Feed;

use crate::{Clock, Stop};
use domain::Refused;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

pub const IDEMPOTENCY: Table = Table {
    name: "idempotency",
    columns: &[("key", Type::Text), ("request", Type::Hash), ("status", Type::Int), ("answer", Type::Text), ("at", Type::Int)],
    key: "",
};

/// Most commands in one commit. A commit on PostgreSQL costs more for itself, and less for each row when there are many.
fn max_batch(conn: &Conn) -> usize {
    if conn.is_postgres() { 4_096 } else { 1_024 }
}
/// Commands that may wait. Beyond, callers are asked to come again: a queue that only grows answers nobody in time.
pub const MAX_WAITING: usize = 16_384;
/// Ids taken from the database at once.
const ID_BLOCK: i64 = 100_000;
/// A whole batch is tried again this many times when it collides with another node, then command by command.
const TRIES: u32 = 12;

const TAKE_IDS: Sql = Sql("UPDATE counters SET value = value + $1 WHERE name = 'id' RETURNING value");
const SEEN: Lookup = Lookup { columns: "key, request, status, answer", from: "idempotency", key: "key", and: "", order: "key", lock: false };
const LAST_EVENT: Sql = Sql("SELECT value FROM counters WHERE name = 'event'");
const LAST_INSTANT: Sql = Sql("SELECT at FROM events ORDER BY seq DESC LIMIT 1");
const LOCK_EVENTS: Sql = Sql("UPDATE counters SET value = value + 0 WHERE name = 'event'");
const EVENT_IS: Sql = Sql("SELECT COUNT(*) FROM events WHERE seq = $1 AND at = $2 AND subject = $3");

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&SEEN];

/// A key that makes a request safe to repeat: who asks and the key itself, and a hash of what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    pub request: [u8; 32],
}

/// A command on its way.
pub struct Job {
    pub command: Box<Command>,
    pub by: By,
    pub key: Option<IdempotencyKey>,
    /// When it happened, if not now.
    pub at: Option<i64>,
    pub reply: oneshot::Sender<Result<Reply, Stop>>,
}

/// Work with a transaction of its own.
pub struct Alone {
    pub run: Box<dyn FnMut(&mut db::Tx<'_>, i64) -> Result<(), Stop> + Send>,
    pub done: oneshot::Sender<Result<(), Stop>>,
}

/// What the queue holds.
pub enum Work {
    Job(Job),
    Alone(Alone),
}

/// What the world may know of the writer.
#[derive(Debug, Default)]
pub struct Figures {
    pub waiting: AtomicUsize,
    pub commits: AtomicI64,
    pub commands: AtomicI64,
    pub refused: AtomicI64,
    pub broken: AtomicI64,
    pub retries: AtomicI64,
}

/// The way in.
#[derive(Clone)]
pub struct Queue {
    sender: SyncSender<Work>,
    pub figures: Arc<Figures>,
}

impl Queue {
    pub fn push(&self, job: Work) -> Result<(), Stop> {
        self.figures.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.try_send(job).map_err(|error| {
            self.figures.waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => Refused::Overloaded { retry_after_seconds: 1 }.into(),
                TrySendError::Disconnected(_) => Stop::Stopped,
            }
        })
    }
}

/// A queue and its other end.
pub fn queue() -> (Queue, Receiver<Work>) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(MAX_WAITING);
    (Queue { sender, figures: Arc::default() }, receiver)
}

pub struct Sequencer {
    pub url: Url,
    pub conn: Conn,
    pub clock: Clock,
    pub faults: Faults,
    pub figures: Arc<Figures>,
    /// Made beside this writer for as long as it lives.
    pub _checkpoints: Option<db::Checkpoints>,
    /// The number of the last event that is committed here.
    pub last_event: watch::Sender<i64>,
    /// Who keeps all levels in memory hears of the ones that changed.
    pub feed: Arc<Feed>,
    pub config: Arc<Config>,
    pub ids: Ids,
    pub cache: ItemCache,
    pub last_now: i64,
}

type Outcome = Result<Reply, Stop>;

/// How an attempt at a batch ended.
enum Attempt {
    Done(Vec<Outcome>),
    /// A command failed in a way that may concern only itself.
    Poisoned(Stop),
    Failed(db::Error),
}

impl Sequencer {
    /// Works until every way in is gone, or the simulation says crash.
    pub fn run(mut self, receiver: Receiver<Work>) {
        let mut next = None;
        while let Some(first) = next.take().or_else(|| receiver.recv().ok()) {
            let mut jobs = match first {
                Work::Job(job) => vec![job],
                Work::Alone(alone) => {
                    self.figures.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.alone(alone);
                    continue;
                }
            };
            while jobs.len() < max_batch(&self.conn) {
                match receiver.try_recv() {
                    Ok(Work::Job(job)) => jobs.push(job),
                    Ok(other) => {
                        next = Some(other);
                        break;
                    }
                    Err(_) => break,
                }
            }
            self.figures.waiting.fetch_sub(jobs.len(), Ordering::Relaxed);
            let Some(outcomes) = self.settle(&jobs) else { return };
            self.figures.commands.fetch_add(jobs.len() as i64, Ordering::Relaxed);
            for (job, outcome) in jobs.into_iter().zip(outcomes) {
                match &outcome {
                    Ok(_) => {}
                    Err(Stop::Refused(_) | Stop::Replayed(_)) => drop(self.figures.refused.fetch_add(1, Ordering::Relaxed)),
                    Err(_) => drop(self.figures.broken.fetch_add(1, Ordering::Relaxed)),
                }
                let _ = job.reply.send(outcome);
            }
        }
    }

    /// Brings a batch to an end, whatever it takes. None only when the simulation crashes the process.
    fn settle(&mut self, jobs: &[Job]) -> Option<Vec<Outcome>> {
        let mut tries = 0;
        loop {
            let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.attempt(jobs)))
                .unwrap_or_else(|_| Attempt::Poisoned(Stop::broken("a command panicked; see the log")));
            let error = match attempt {
                Attempt::Done(outcomes) => return Some(outcomes),
                Attempt::Poisoned(stop) => {
                    self.cache = ItemCache::default();
                    if jobs.len() == 1 {
                        return Some(vec![Err(stop)]);
                    }
                    return self.one_by_one(jobs);
                }
                Attempt::Failed(error) => error,
            };
            self.cache = ItemCache::default();
            tries += 1;
            self.figures.retries.fetch_add(1, Ordering::Relaxed);
            match error.why {
                Why::Crash => return None,
                Why::Full => return Some(jobs.iter().map(|_| Err(Refused::StorageFull.into())).collect()),
                Why::Retry if tries < TRIES => std::thread::sleep(Duration::from_micros(u64::from(tries * tries) * 200)),
                Why::Lost if tries < TRIES => self.reconnect(tries),
                _ if jobs.len() > 1 => return self.one_by_one(jobs),
                _ => return Some(vec![Err(Stop::broken(error.to_string()))]),
            }
        }
    }

    /// Runs a transaction that stands alone, again if it collided with another node or the connection broke before the commit.
    fn alone(&mut self, mut alone: Alone) {
        let mut tries = 0;
        let outcome = loop {
            let now = self.clock.now();
            let mut attempt = || -> Result<(), (Why, Stop)> {
                let mut tx = self.conn.begin(&self.faults).map_err(|e| (e.why.clone(), e.into()))?;
                (alone.run)(&mut tx, now).map_err(|stop| (if stop.refused().is_some() { Why::Other } else { Why::Retry }, stop))?;
                tx.commit().map_err(|e| (e.why.clone(), e.into()))
            };
            match attempt() {
                Ok(()) => break Ok(()),
                Err((Why::Retry, _)) if tries < TRIES / 4 => std::thread::sleep(Duration::from_millis(1)),
                Err((Why::Lost, stop)) => {
                    self.reconnect(1);
                    break Err(stop);
                }
                Err((_, stop)) => break Err(stop),
            }
            tries += 1;
        };
        let _ = alone.done.send(outcome);
    }

    fn one_by_one(&mut self, jobs: &[Job]) -> Option<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.extend(self.settle(std::slice::from_ref(job))?);
        }
        Some(outcomes)
    }

    fn reconnect(&mut self, tries: u32) {
        std::thread::sleep(Duration::from_millis(20 << tries.min(8)));
        match Conn::open(&self.url) {
            Ok(conn) => self.conn = conn,
            Err(error) => tracing::warn!("cannot reach the database again yet: {error}"),
        }
    }

    fn attempt(&mut self, jobs: &[Job]) -> Attempt {
        match self.try_batch(jobs) {
            Ok(attempt) => attempt,
            Err(error) => Attempt::Failed(error),
        }
    }

    fn take_ids(&mut self, needed: i64) -> db::Result<()> {
        if self.ids.left() >= needed {
            return Ok(());
        }
        let count = ID_BLOCK.max(needed);
        let mut tx = self.conn.begin(&self.faults)?;
        let end = tx.one(TAKE_IDS, &[Value::Int(count)], |r| r.int(0))?.ok_or_else(|| db::Error::other("the id counter is missing"))?;
        tx.commit()?;
        self.ids.refill(end, count);
        Ok(())
    }

    fn try_batch(&mut self, jobs: &[Job]) -> db::Result<Attempt> {
        let mut needs = Needs::default();
        jobs.iter().for_each(|job| job.command.needs(&mut needs));
        let lines = needs.skus.len() + needs.item_ids.len() + 64 * (needs.orders.len() + needs.reservations.len() + needs.transfers.len());
        self.take_ids(8 * (jobs.len() + lines) as i64 + 10_000)?;
        // Time never runs backwards in the books, whatever the clock or a replay of history says.
        let clock = self.clock.now();
        let mut now = jobs.first().and_then(|job| job.at).unwrap_or(clock).max(self.last_now);

        let mut tx = self.conn.begin(&self.faults)?;
        Config::refresh(&mut tx, &mut self.config)?;
        let mut keys: Vec<&str> = jobs.iter().filter_map(|j| j.key.as_ref()).map(|k| k.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        let seen = tx.by_names(&SEEN, &keys, |r| (r.text(0), (r.hash(1), r.int(2), r.text(3))))?;
        let mut seen: HashMap<String, ([u8; 32], i64, String)> = seen.into_iter().collect();
        let cache = self.cache.at_version(self.config.version);
        let mut batch = Batch::load(&mut tx, &needs, now, self.config.clone(), &mut self.ids, cache)?;

        let mut outcomes: Vec<Outcome> = Vec::with_capacity(jobs.len());
        let mut keyed = Rows::default();
        for job in jobs {
            batch.actor = job.by.actor.clone();
            now = job.at.unwrap_or(clock).max(now);
            batch.now = now;
            if let Some(key) = &job.key
                && let Some((request, status, answer)) = seen.get(&key.key)
            {
                outcomes.push(if *request == key.request { replay(*status, answer) } else { Err(Refused::IdempotencyKeyReused.into()) });
                continue;
            }
            let outcome = decide(job, &mut batch);
            if let Err(stop @ (Stop::Broken { .. } | Stop::Stopped)) = outcome {
                return Ok(Attempt::Poisoned(stop));
            }
            if let Some(key) = &job.key {
                let (status, answer) = remember(&outcome);
                keyed.0.extend([key.key.clone().into(), Cell::Hash(key.request), status.into(), answer.clone().into(), now.into()]);
                seen.insert(key.key.clone(), (key.request, status, answer));
            }
            outcomes.push(outcome);
        }
        if !keyed.0.is_empty() {
            batch.more.push(Write::new(&IDEMPOTENCY, keyed));
        }
        let Some(written) = batch.flush(&mut tx, self.feed.is_listening())? else { return Ok(Attempt::Done(outcomes)) };
        match tx.commit() {
            Ok(()) => {}
            Err(error) if error.why == Why::Lost => match self.was_committed(&written) {
                Ok(true) => {}
                Ok(false) => return Err(error),
                Err(error) if error.why == Why::Crash => return Err(error),
                // What may have been done must not be tried again, and nobody may be told that nothing happened.
                Err(error) => {
                    self.cache = ItemCache::default();
                    self.feed.miss();
                    let text = format!("the connection broke during the commit, and whether it was applied could not be found out: {error}");
                    return Ok(Attempt::Done(jobs.iter().map(|_| Err(Stop::broken(text.as_str()))).collect()));
                }
            },
            Err(error) => return Err(error),
        }
        self.last_now = now;
        self.figures.commits.fetch_add(1, Ordering::Relaxed);
        self.feed.tell(written.news, written.last_event);
        self.last_event.send_replace(written.last_event);
        Ok(Attempt::Done(outcomes))
    }

    /// After a connection broke during the commit: asks the database whether it was applied. The event counter's lock makes
    /// sure that the lost transaction has ended either way.
    fn was_committed(&mut self, written: &Written) -> db::Result<bool> {
        let mut tries = 0;
        loop {
            self.reconnect(tries);
            let mut check = || {
                let mut tx = self.conn.begin(&self.faults)?;
                tx.execute(LOCK_EVENTS, &[])?;
                let values = [Value::Int(written.last_event), Value::Int(written.at), Value::Int(written.subject)];
                let found = tx.one(EVENT_IS, &values, |r| r.int(0))?;
                Ok::<bool, db::Error>(found == Some(1))
            };
            match check() {
                Err(error) if error.why != Why::Crash && tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }
}

/// Decides a command: within what its visitor may reach, on what the visitor saw, and recorded.
fn decide(job: &Job, batch: &mut Batch<'_>) -> Outcome {
    let Some(visitor) = &job.by.visitor else { return job.command.decide(batch) };
    scope::check(&job.command, batch, &visitor.grant)?;
    let watched = Watched::begin(&job.command, &job.by, batch);
    if let (Some(seen), Some(watched)) = (&job.by.expect, &watched)
        && !watched.is_as_seen(seen)
    {
        return Err(watched.changed().into());
    }
    let reply = job.command.decide(batch)?;
    if let Some(watched) = watched
        && !reply.replayed
    {
        let record = watched.end(&job.command, &job.by, batch, &reply.answer);
        batch.audit.extend(record);
    }
    Ok(reply)
}

/// The number of the last event in the database.
pub fn last_event(tx: &mut db::Tx<'_>) -> db::Result<i64> {
    Ok(tx.one(LAST_EVENT, &[], |r| r.int(0))?.unwrap_or(0))
}

/// When the last event in the database happened; 0 if there is none.
pub fn last_instant(tx: &mut db::Tx<'_>) -> db::Result<i64> {
    Ok(tx.one(LAST_INSTANT, &[], |r| r.int(0))?.unwrap_or(0))
}

const CREATED: i64 = 201;
const DONE: i64 = 200;
const REFUSED: i64 = 0;

/// What is kept of an outcome for a repeated request.
fn remember(outcome: &Outcome) -> (i64, String) {
    match outcome {
        Ok(reply) => {
            let status = if reply.created { CREATED } else { DONE };
            (status, serde_json::to_string(&reply.answer).unwrap_or_else(|_| "null".into()))
        }
        Err(Stop::Refused(refused)) => (REFUSED, serde_json::to_string(refused).unwrap_or_else(|_| "null".into())),
        Err(_) => (REFUSED, "null".into()),
    }
}

fn replay(status: i64, answer: &str) -> Outcome {
    if status == REFUSED {
        let refused: Refused = serde_json::from_str(answer).map_err(|e| Stop::broken(e.to_string()))?;
        return Err(Stop::Replayed(Box::new(refused)));
    }
    let json = RawValue::from_string(answer.to_owned()).map_err(|e| Stop::broken(e.to_string()))?;
    Ok(Reply { created: status == CREATED, replayed: true, answer: Answer::Stored(json) })
}
