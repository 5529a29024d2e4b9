//! Does. Every operation on stock, orders and the rest, inside a transaction, on SQLite or PostgreSQL. The only crate that
//! knows SQL.
//!
//! Start at [`Engine`]: `submit` changes, `read` reads. A change goes `command.rs` (what there is) → `sequencer.rs` (the one
//! writer) → `batch.rs` (load, write) → the operation's own file, such as `orders/place.rs` → `domain` (decide).

mod backup;
mod batch;

mod config;
pub mod contracts;
mod kept;
pub mod keys;
mod rehearse;
pub mod secrets;
mod sequencer;
mod statements;
mod verify;

pub mod access;
pub mod alerts;
pub mod catalog;
pub mod channels;
pub mod command;
pub mod dashboard;
pub mod db;
pub mod events;
pub mod exceptions;
pub mod imports;
pub mod jobs;
pub mod orders;
pub mod page;
pub mod people;
pub mod reservations;
pub mod routing;
pub mod search;
pub mod stock;
pub mod views;
pub mod warehouses;

pub use access::{By, Visitor};
pub use backup::{backup, restore};
pub use batch::day_of;
pub use catalog::rows::WhenShort;
pub use command::{Answer, Command, Reply};
pub use config::Config;
pub use db::{Fault, Faults, Url};
pub use keys::{Key, beside, create_key};
pub use rehearse::{Effect, Rehearsed, Step, rehearse};
pub use sequencer::{Figures, IdempotencyKey, MAX_WAITING};
pub use statements::{LOOKUPS, TABLES};
pub use verify::{Report, verify};

use db::{Conn, Tx, Why};
use domain::Refused;
use sequencer::{Alone, Job, Queue, Sequencer, Work};
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use stock::feed::Feed;
use stock::table::StockTable;
use tokio::sync::{oneshot, watch};

/// Why a call did not do what was asked.
#[derive(Debug, Clone)]
pub enum Stop {
    /// A person can act on it.
    Refused(Refused),
    /// The refusal that was given the first time, for a repeated idempotency key.
    Replayed(Box<Refused>),
    /// A fault of the program or the machine. Nobody but the log needs the text.
    Broken { text: String },
    /// The engine is shutting down.
    Stopped,
}

impl Stop {
    pub fn broken(text: impl Into<String>) -> Stop {
        Stop::Broken { text: text.into() }
    }

    /// The refusal, first or repeated, if it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Stop::Refused(refused) => Some(refused),
            Stop::Replayed(refused) => Some(refused),
            _ => None,
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Refused(refused) => refused.fmt(f),
            Stop::Replayed(refused) => refused.fmt(f),
            Stop::Broken { text } => f.write_str(text),
            Stop::Stopped => f.write_str("the engine has stopped"),
        }
    }
}

impl std::error::Error for Stop {}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Stop {
        Stop::Refused(refused)
    }
}

impl From<db::Error> for Stop {
    fn from(error: db::Error) -> Stop {
        match error.why {
            Why::Full => Refused::StorageFull.into(),
            _ => Stop::broken(error.text),
        }
    }
}

/// Where time comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// Microseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new(|| jiff::Timestamp::now().as_microsecond())
    }
}

/// How to open an engine.
#[derive(Clone)]
pub struct Options {
    pub url: Url,
    pub clock: Clock,
    pub faults: Faults,
    /// Connections for reading.
    pub readers: usize,
}

impl Options {
    pub fn new(url: Url) -> Options {
        Options { url, clock: Clock::default(), faults: Faults::default(), readers: 4 }
    }
}

/// A database with its one writer of this node. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    queue: Mutex<Option<Queue>>,
    figures: Arc<Figures>,
    /// Idle connections for reading, by their age.
    readers: Mutex<BTreeMap<u64, Conn>>,
    opened: AtomicU64,
    /// Idle connections of background work.
    background: Mutex<Vec<Conn>>,
    reading: tokio::sync::Semaphore,
    last_event: watch::Receiver<i64>,
    stock_table: Arc<StockTable>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Held while a server works on an embedded file.
    _lock: Option<File>,
}

impl Engine {
    /// Opens the database, creates or migrates it, and starts the writer. Refuses a SQLite file that another server holds.
    pub fn open(options: Options) -> Result<Engine, Stop> {
        let lock = match &options.url {
            Url::Sqlite(path) => Some(lock_file(path)?),
            Url::Postgres(_) => None,
        };
        let mut conn = Conn::open(&options.url)?;
        db::migrate(&mut conn)?;
        let (last, last_at) = {
            let mut tx = conn.begin_read()?;
            (sequencer::last_event(&mut tx)?, sequencer::last_instant(&mut tx)?)
        };
        let ahead = last_at - options.clock.now();
        if ahead > MAX_AHEAD {
            tracing::warn!("the last event is {} s ahead of this machine's clock; the clock is followed", ahead / 1_000_000);
        }
        let (queue, receiver) = sequencer::queue();
        let (last_event, watching) = watch::channel(last);
        let figures = queue.figures.clone();
        let feed = Arc::new(Feed::after(last));
        let sequencer = Sequencer {
            url: options.url.clone(),
            conn,
            clock: options.clock.clone(),
            faults: options.faults.clone(),
            figures: figures.clone(),
            _checkpoints: db::Checkpoints::begin(&options.url, figures.clone())?,
            last_event,
            feed: feed.clone(),
            config: Arc::default(),
            ids: Default::default(),
            cache: Default::default(),
            last_now: if ahead > MAX_AHEAD { 0 } else { last_at },
        };
        let writer =
            std::thread::Builder::new().name("writer".into()).spawn(move || sequencer.run(receiver)).map_err(|e| Stop::broken(e.to_string()))?;
        let inner = Inner {
            reading: tokio::sync::Semaphore::new(options.readers.max(1)),
            stock_table: Arc::new(StockTable::new(options.url.clone(), options.clock.clone(), feed)),
            options,
            queue: Mutex::new(Some(queue)),
            figures,
            readers: Mutex::default(),
            opened: AtomicU64::default(),
            background: Mutex::default(),
            last_event: watching,
            writer: Mutex::new(Some(writer)),
            _lock: lock,
        };
        Ok(Engine { inner: Arc::new(inner) })
    }

    pub fn url(&self) -> &Url {
        &self.inner.options.url
    }

    pub fn now(&self) -> i64 {
        self.inner.options.clock.now()
    }

    pub fn figures(&self) -> &Figures {
        &self.inner.figures
    }

    /// The number of the last event that this node committed; wakes whoever follows events.
    pub fn watch_events(&self) -> watch::Receiver<i64> {
        self.inner.last_event.clone()
    }

    /// All levels in memory, for sorting and filtering lists of items.
    pub fn stock_table(&self) -> &Arc<StockTable> {
        &self.inner.stock_table
    }

    /// Hands a change to the writer and gives back where its answer will come.
    pub fn send(&self, command: Command, by: impl Into<By>, key: Option<IdempotencyKey>) -> Result<oneshot::Receiver<Result<Reply, Stop>>, Stop> {
        self.send_at(None, command, by, key)
    }

    /// As [`Engine::send`], for what happened at an instant (microseconds since 1970 UTC) that a replay of history knows. Time
    /// still only runs forward: it is booked no earlier than what this node booked before.
    pub fn send_at(
        &self,
        at: Option<i64>,
        command: Command,
        by: impl Into<By>,
        key: Option<IdempotencyKey>,
    ) -> Result<oneshot::Receiver<Result<Reply, Stop>>, Stop> {
        let (reply, answer) = oneshot::channel();
        let queue = self.inner.queue.lock().unwrap_or_else(|e| e.into_inner()).clone();
        queue.ok_or(Stop::Stopped)?.push(Work::Job(Job { command: Box::new(command), by: by.into(), key, at, reply }))?;
        Ok(answer)
    }

    /// Makes a change and waits until it is durable.
    pub async fn submit(&self, command: Command, by: impl Into<By>, key: Option<IdempotencyKey>) -> Result<Reply, Stop> {
        let answer = self.send(command, by, key)?;
        answer.await.unwrap_or(Err(Stop::Stopped))
    }

    /// As [`Engine::submit`], for threads that may block.
    pub fn submit_blocking(&self, command: Command, by: impl Into<By>) -> Result<Reply, Stop> {
        self.send(command, by, None)?.blocking_recv().unwrap_or(Err(Stop::Stopped))
    }

    /// Writes in a transaction of its own, on the writer's thread, for what is no [`Command`]: people, sessions, settings. The
    /// closure gets the time; it may be called again from the beginning after a collision with another node.
    pub async fn transact<T: Send + 'static>(&self, mut write: impl FnMut(&mut Tx<'_>, i64) -> Result<T, Stop> + Send + 'static) -> Result<T, Stop> {
        let value = Arc::new(Mutex::new(None));
        let kept = value.clone();
        let run = move |tx: &mut Tx<'_>, now: i64| {
            *kept.lock().unwrap_or_else(|e| e.into_inner()) = Some(write(tx, now)?);
            Ok(())
        };
        let (done, answer) = oneshot::channel();
        let queue = self.inner.queue.lock().unwrap_or_else(|e| e.into_inner()).clone();
        queue.ok_or(Stop::Stopped)?.push(Work::Alone(Alone { run: Box::new(run), done }))?;
        answer.await.unwrap_or(Err(Stop::Stopped))?;
        let value = value.lock().unwrap_or_else(|e| e.into_inner()).take();
        value.ok_or_else(|| Stop::broken("a transaction ended without an answer"))
    }

    /// Reads one consistent state, on a thread that may block.
    pub async fn read<T: Send + 'static>(&self, read: impl FnOnce(&mut Tx<'_>) -> Result<T, Stop> + Send + 'static) -> Result<T, Stop> {
        let _permit = self.inner.reading.acquire().await.map_err(|_| Stop::Stopped)?;
        let engine = self.clone();
        tokio::task::spawn_blocking(move || engine.read_blocking(read)).await.map_err(|e| Stop::broken(e.to_string()))?
    }

    /// As [`Engine::read`], for threads that may block.
    pub fn read_blocking<T>(&self, read: impl FnOnce(&mut Tx<'_>) -> Result<T, Stop>) -> Result<T, Stop> {
        // The oldest one has prepared the most statements.
        let idle = self.inner.readers.lock().unwrap_or_else(|e| e.into_inner()).pop_first();
        let (age, mut conn) = match idle {
            Some(idle) => idle,
            None => (self.inner.opened.fetch_add(1, Ordering::Relaxed), Conn::open_to_read(self.url())?),
        };
        let result = {
            let mut tx = conn.begin_read()?;
            read(&mut tx)
        };
        if result.is_ok() || matches!(result, Err(Stop::Refused(_))) {
            self.inner.readers.lock().unwrap_or_else(|e| e.into_inner()).insert(age, conn);
        }
        result
    }

    /// Works on a connection that is not the writer's, and keeps it for the next time: for what is done every few seconds and is safe to
    /// do twice, on a thread that may block.
    pub fn in_background<T>(&self, mut work: impl FnMut(&mut Conn) -> Result<T, Stop>) -> Result<T, Stop> {
        let idle = || self.inner.background.lock().unwrap_or_else(|e| e.into_inner());
        let kept = idle().pop();
        let (mut conn, is_kept) = match kept {
            Some(conn) => (conn, true),
            None => (Conn::open(self.url())?, false),
        };
        let mut done = work(&mut conn);
        // It may have died while it lay idle, and the others with it.
        if is_kept && matches!(done, Err(Stop::Broken { .. })) {
            idle().clear();
            conn = Conn::open(self.url())?;
            done = work(&mut conn);
        }
        let is_open = self.inner.queue.lock().unwrap_or_else(|e| e.into_inner()).is_some();
        let mut idle = idle();
        if done.is_ok() && is_open && idle.len() < MAX_BACKGROUND {
            idle.push(conn);
        }
        done
    }

    /// Finishes what was accepted and stops the writer. Later changes are answered with [`Stop::Stopped`].
    pub fn shut_down(&self) {
        drop(self.inner.queue.lock().unwrap_or_else(|e| e.into_inner()).take());
        let writer = self.inner.writer.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
        self.inner.readers.lock().unwrap_or_else(|e| e.into_inner()).clear();
        self.inner.background.lock().unwrap_or_else(|e| e.into_inner()).clear();
    }
}

/// Connections that background work keeps; what more is needed at once is opened for it and closed again.
const MAX_BACKGROUND: usize = 2;

/// Time in the books does not run back over a restart, unless it is further ahead than this (microseconds): then it was
/// the clock of before that was wrong, and waiting for the right one to catch up would stop all holds from running out.
pub const MAX_AHEAD: i64 = 3_600_000_000;

/// Makes sure that one server at most works on an embedded file.
fn lock_file(path: &std::path::Path) -> Result<File, Stop> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let shown = std::path::Path::new(&name).display().to_string();
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(|e| Stop::broken(format!("{shown}: {e}")))?;
    file.try_lock().map_err(|_| {
        Stop::broken(format!(
            "another holdfast works on this file ({shown} is locked). Stop it, or send it the request over HTTP; several servers need PostgreSQL."
        ))
    })?;
    Ok(file)
}
