//! The stock table: a copy in memory of all levels, for sorting, filtering and counting a million items in a few milliseconds. The figures
//! that people see are read from the database; this only says which items are on a page.
//!
//! It is read from the database when it is first needed, kept current by what the writer tells of each commit, and given up when nobody
//! has asked for a while. What it costs in memory: about 26 bytes a level, 20 an item, and 21 an item for each set of locations that
//! people are limited to and looked at lately.
//!
//! How fresh it is: changes of stock at this node are in it when they are acknowledged. New items and changed kits are in it after a
//! second, or ten times the time that reading everything takes, whichever is longer; changes by other nodes after half a minute; what was
//! sold after a minute.
//!
//! Here: the life of the table. Columns: `columns.rs`; sums for somebody who may see some locations: `view.rs`; finding a page:
//! `scan.rs`; reading the database: `build.rs`.

mod build;
mod columns;
mod scan;
mod view;

pub use scan::{Found, Only, Sort, StockQuery};
pub use view::{Counts, STATES, State};

use super::feed::{Change, Feed};
use crate::db::{Conn, Url};
use crate::{Clock, Stop};
use columns::Columns;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

/// How often the keeper looks after the table.
const TICK: Duration = Duration::from_millis(100);
/// How often what was sold is read again.
const SOLD_EVERY: Duration = Duration::from_secs(60);
/// How often, at most, everything is read again because another node wrote.
const OTHERS_EVERY: Duration = Duration::from_secs(30);
/// How often another node is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Reading everything may take a tenth of the time at most.
const REST: u32 = 10;
const REST_AT_LEAST: Duration = Duration::from_secs(1);
/// Nobody asked for so long: it is given up.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Nobody asked for so long: other nodes' changes can wait.
const LATELY: Duration = Duration::from_secs(60);

/// The table of a node. One thread keeps it while it is there.
pub struct StockTable {
    url: Url,
    clock: Clock,
    pub feed: Arc<Feed>,
    held: RwLock<Held>,
    phase: Mutex<Phase>,
    turned: Condvar,
    asked: Mutex<Instant>,
}

#[derive(Default)]
struct Held {
    columns: Option<Columns>,
    /// What changed since everything began to be read again.
    since: Option<Vec<Change>>,
}

/// How the table stands.
#[derive(Debug, Clone)]
enum Phase {
    Absent,
    /// It is being read for the first time.
    Coming,
    There,
    Failed(Stop),
}

fn whole<T>(guard: Result<T, PoisonError<T>>) -> T {
    guard.unwrap_or_else(PoisonError::into_inner)
}

impl StockTable {
    pub fn new(url: Url, clock: Clock, feed: Arc<Feed>) -> StockTable {
        StockTable {
            url,
            clock,
            feed,
            held: RwLock::default(),
            phase: Mutex::new(Phase::Absent),
            turned: Condvar::new(),
            asked: Mutex::new(Instant::now()),
        }
    }

    /// Begins to read everything if nobody has. Returns at once.
    pub fn begin(self: &Arc<Self>) {
        let phase = whole(self.phase.lock());
        if matches!(*phase, Phase::Absent | Phase::Failed(_)) {
            drop(self.spawn(phase));
        }
    }

    fn spawn<'p>(self: &Arc<Self>, mut phase: MutexGuard<'p, Phase>) -> MutexGuard<'p, Phase> {
        *phase = Phase::Coming;
        *whole(self.asked.lock()) = Instant::now();
        let table = Arc::downgrade(self);
        let spawned = std::thread::Builder::new().name("stock table".into()).spawn(move || keep(&table));
        if let Err(error) = spawned {
            *phase = Phase::Failed(Stop::broken(format!("the thread of the stock table: {error}")));
        }
        phase
    }

    /// Waits until the table is there: a second or so for each million levels, once. For threads that may block, and hold no connection
    /// that others wait for.
    pub fn wait(self: &Arc<Self>) -> Result<(), Stop> {
        let mut phase = whole(self.phase.lock());
        let mut tried = false;
        loop {
            match &*phase {
                Phase::There => return Ok(()),
                Phase::Failed(stop) if tried => return Err(stop.clone()),
                Phase::Coming => phase = whole(self.turned.wait(phase)),
                Phase::Absent | Phase::Failed(_) => phase = self.spawn(phase),
            }
            tried = true;
        }
    }

    /// As [`StockTable::wait`], for tasks.
    pub async fn ready(self: &Arc<Self>) -> Result<(), Stop> {
        if matches!(*whole(self.phase.lock()), Phase::There) {
            return Ok(());
        }
        let table = self.clone();
        tokio::task::spawn_blocking(move || table.wait()).await.map_err(|e| Stop::broken(e.to_string()))?
    }

    /// The items of a page, with everything in it that this node has acknowledged. Waits for the table if it is not there.
    pub fn find(self: &Arc<Self>, query: &StockQuery) -> Result<Found, Stop> {
        loop {
            self.wait()?;
            if let Some(found) = self.looked(query.locations.as_deref(), |columns| columns.find(query)) {
                return Ok(found);
            }
        }
    }

    /// The numbers beside the filters; None if the table is not there yet, which begins to come then.
    pub fn counts(self: &Arc<Self>, locations: Option<&[i64]>) -> Option<Counts> {
        self.begin();
        self.looked(locations, |columns| columns.view(locations).map(|view| view.counts))
    }

    /// Looks at the columns as they are after all that was told, with the sums over these locations. None if they are not there.
    fn looked<T>(&self, locations: Option<&[i64]>, look: impl Fn(&Columns) -> Option<T>) -> Option<T> {
        *whole(self.asked.lock()) = Instant::now();
        if self.feed.has_news() {
            self.apply();
        }
        let found = whole(self.held.read()).columns.as_ref().and_then(&look);
        if found.is_some() {
            return found;
        }
        let mut held = whole(self.held.write());
        let columns = held.columns.as_mut()?;
        columns.keep(locations?);
        look(columns)
    }

    /// Takes over what the writer told.
    fn apply(&self) {
        let mut held = whole(self.held.write());
        let changes = self.feed.take();
        if let Some(since) = &mut held.since {
            since.extend_from_slice(&changes);
        }
        if let Some(columns) = &mut held.columns {
            columns.apply(&changes);
        }
    }

    fn turn(&self, to: Phase) {
        *whole(self.phase.lock()) = to;
        self.turned.notify_all();
    }

    fn idle(&self) -> Duration {
        whole(self.asked.lock()).elapsed()
    }

    /// Reads everything, while what changes meanwhile is noted, and puts it in the place of what was there.
    fn read_all(&self, conn: &mut Conn) -> Result<i64, Stop> {
        whole(self.held.write()).since = Some(Vec::new());
        self.feed.listen(true);
        self.feed.take_missed();
        self.feed.take_others();
        let kept = whole(self.held.read()).columns.as_ref().map(Columns::kept);
        let read = build::read(conn, self.clock.now()).map(|(mut columns, last_event)| {
            match kept {
                Some(kept) => kept.iter().for_each(|locations| columns.keep(locations)),
                None => columns.keep_each_location(),
            }
            (columns, last_event)
        });
        self.apply();
        let mut held = whole(self.held.write());
        let since = held.since.take().unwrap_or_default();
        let (mut columns, last_event) = read?;
        columns.apply(&since);
        held.columns = Some(columns);
        Ok(last_event)
    }

    fn read_sold(&self, conn: &mut Conn) -> Result<(), Stop> {
        let sold = build::sold(conn, self.clock.now())?;
        if let Some(columns) = &mut whole(self.held.write()).columns {
            columns.set_sold(&sold);
        }
        Ok(())
    }
}

/// What the keeper knows of its own work.
struct Keeper {
    conn: Conn,
    read_at: Instant,
    reading_took: Duration,
    sold_at: Instant,
    looked_at: Instant,
    /// The last event that is in the table, as far as it was read, and as it was when another node was last looked for.
    last_read: i64,
    last_seen: i64,
}

/// Reads the table, keeps it current until nobody wants it, and gives it up. Ends when its engine does.
fn keep(table: &Weak<StockTable>) {
    let mut keeper = None;
    loop {
        let Some(table) = table.upgrade() else { return };
        match tend(&table, &mut keeper) {
            Ok(true) => {}
            Ok(false) => return give_up(&table, Phase::Absent),
            Err(stop) => {
                tracing::warn!("the stock table is given up until it is wanted again: {stop}");
                return give_up(&table, Phase::Failed(stop));
            }
        }
        drop(table);
        std::thread::sleep(TICK);
    }
}

fn give_up(table: &StockTable, phase: Phase) {
    table.feed.listen(false);
    *whole(table.held.write()) = Held::default();
    table.turn(phase);
}

/// One look at the table; answers whether it is still wanted.
fn tend(table: &StockTable, keeper: &mut Option<Keeper>) -> Result<bool, Stop> {
    let Some(known) = keeper else {
        *keeper = Some(Keeper::begin(table)?);
        table.turn(Phase::There);
        return Ok(true);
    };
    table.apply();
    if table.idle() > IDLE {
        return Ok(false);
    }
    if known.must_read_all(table)? {
        known.read_all(table)?;
    } else if known.sold_at.elapsed() > SOLD_EVERY && table.idle() < LATELY {
        table.read_sold(&mut known.conn)?;
        known.sold_at = Instant::now();
    }
    Ok(true)
}

impl Keeper {
    fn begin(table: &StockTable) -> Result<Keeper, Stop> {
        let conn = Conn::open_to_read(&table.url)?;
        let now = Instant::now();
        let mut keeper = Keeper { conn, read_at: now, reading_took: Duration::ZERO, sold_at: now, looked_at: now, last_read: 0, last_seen: 0 };
        keeper.read_all(table)?;
        Ok(keeper)
    }

    fn read_all(&mut self, table: &StockTable) -> Result<(), Stop> {
        let began = Instant::now();
        self.last_read = table.read_all(&mut self.conn)?;
        self.last_seen = self.last_read;
        self.reading_took = began.elapsed();
        (self.read_at, self.sold_at) = (Instant::now(), Instant::now());
        Ok(())
    }

    fn must_read_all(&mut self, table: &StockTable) -> Result<bool, Stop> {
        let rested = self.read_at.elapsed();
        if rested < REST_AT_LEAST.max(self.reading_took * REST) {
            return Ok(false);
        }
        if table.feed.has_missed() {
            return Ok(true);
        }
        let looks = matches!(table.url, Url::Postgres(_)) && table.idle() < LATELY && rested >= OTHERS_EVERY;
        Ok(looks && self.others_wrote(table)?)
    }

    /// Whether another node wrote: there are events between this one's, or after them for longer than a commit takes to be told.
    fn others_wrote(&mut self, table: &StockTable) -> Result<bool, Stop> {
        if table.feed.has_others() {
            return Ok(true);
        }
        if self.looked_at.elapsed() < LOOK_EVERY {
            return Ok(false);
        }
        self.looked_at = Instant::now();
        let seen_before = self.last_seen;
        self.last_seen = build::last_event(&mut self.conn)?;
        Ok(seen_before > table.feed.last_event().max(self.last_read))
    }
}
