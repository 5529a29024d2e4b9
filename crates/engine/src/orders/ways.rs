//! Candidates for a list of orders, in the order of the list: several indexes walked side by side, the next of all taken each time.
//!
//! Here: which indexes a query walks, and walking them. Not here: whether a candidate is wanted; that is `list.rs`.

use super::list::OrderQuery;
use crate::batch::DAY_MICROS;
use crate::db::{Ahead, Result, Sql, Tx, Value};
use crate::page::Cursor;
use domain::steps::Status;
use std::collections::{BTreeSet, VecDeque};

/// Statuses of orders, in the order of their lives.
pub const STATUSES: [Status; 6] =
    [Status::Queued, Status::Open, Status::Backordered, Status::PartiallyFulfilled, Status::Fulfilled, Status::Canceled];

/// Statuses of orders that may still be late.
const UNSENT: [Status; 3] = [Status::Open, Status::Backordered, Status::PartiallyFulfilled];

/// Most indexes' ranges that are walked for one page. Beyond, the statuses are walked and what is unwanted is left out.
const MAX_WAYS: usize = 64;

const STATUS_NEWEST: Sql = Sql(
    "SELECT placed_at, id FROM orders WHERE status = $1 AND placed_at >= $2 AND (placed_at, id) < ($3, $4) ORDER BY placed_at DESC, id DESC LIMIT $5",
);
const STATUS_OLDEST: Sql =
    Sql("SELECT placed_at, id FROM orders WHERE status = $1 AND placed_at < $2 AND (placed_at, id) > ($3, $4) ORDER BY placed_at, id LIMIT $5");
const CHANNEL_NEWEST: Sql = Sql(
    "SELECT placed_at, id FROM orders WHERE channel = $1 AND status = $2 AND placed_at >= $3 AND (placed_at, id) < ($4, $5) ORDER BY placed_at DESC, id DESC LIMIT $6",
);
const CHANNEL_OLDEST: Sql = Sql(
    "SELECT placed_at, id FROM orders WHERE channel = $1 AND status = $2 AND placed_at < $3 AND (placed_at, id) > ($4, $5) ORDER BY placed_at, id LIMIT $6",
);
const LOCATION_NEWEST: Sql = Sql(
    "SELECT placed_at, order_id FROM fulfillments WHERE location = $1 AND status = $2 AND placed_at >= $3 AND (placed_at, order_id) < ($4, $5) ORDER BY placed_at DESC, order_id DESC LIMIT $6",
);
const LOCATION_OLDEST: Sql = Sql(
    "SELECT placed_at, order_id FROM fulfillments WHERE location = $1 AND status = $2 AND placed_at < $3 AND (placed_at, order_id) > ($4, $5) ORDER BY placed_at, order_id LIMIT $6",
);

/// When an order was placed, and its id: what lists are sorted by.
pub type Key = (i64, i64);

/// A range of an index that holds orders by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// Orders of a status, by its word.
    Status(&'static str),
    /// Those of them of one channel.
    Channel(String, &'static str),
    /// Fulfillments of a status at a location.
    Location(i64, &'static str),
}

/// The status of a location's fulfillment from which an order of this status can be found. None: it can have any.
fn of_fulfillment(status: Status) -> Option<Status> {
    match status {
        Status::Backordered => Some(Status::Open),
        Status::Open | Status::Fulfilled | Status::Canceled => Some(status),
        _ => None,
    }
}

/// Which ranges hold every order that a query can want.
fn sources(query: &OrderQuery) -> BTreeSet<Source> {
    let statuses = query.wanted_statuses();
    let channels = query.channels.as_deref();
    let mut sources = BTreeSet::new();
    for status in statuses {
        let word = status.word();
        match (&query.locations, of_fulfillment(status)) {
            // Nobody has it yet.
            (Some(_), _) if status == Status::Queued => {}
            (Some(locations), Some(there)) if locations.len() * STATUSES.len() <= MAX_WAYS => {
                sources.extend(locations.iter().map(|location| Source::Location(*location, there.word())));
            }
            _ => match channels {
                Some(channels) if channels.len() * STATUSES.len() <= MAX_WAYS => {
                    sources.extend(channels.iter().map(|channel| Source::Channel(channel.clone(), word)));
                }
                _ => drop(sources.insert(Source::Status(word))),
            },
        }
    }
    sources
}

/// An order that a query may want, and what the range that it was found in says of it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    pub key: Key,
    /// None: it has to be looked up.
    pub status: Option<Status>,
    /// Its channel, and a location, are among the wanted ones for certain.
    pub of_channel: bool,
    pub of_location: bool,
}

/// A range that is being walked.
struct Way {
    source: Source,
    /// Read, and not taken yet.
    ready: VecDeque<Key>,
    /// The last that was read.
    last: Key,
    done: bool,
}

/// The candidates of a query, one after another.
pub struct Candidates {
    ways: Vec<Way>,
    any_channel: bool,
    any_location: bool,
    oldest_first: bool,
    /// Where the list ends: orders before it, or from it on.
    end: i64,
    /// The last that was taken: an order of two fulfillments is met twice.
    taken: Option<Key>,
}

impl Candidates {
    /// Everything that the query can want after its cursor.
    pub fn of(query: &OrderQuery) -> Candidates {
        let (from, to) = (query.placed_from.unwrap_or(i64::MIN), query.placed_before());
        let start = match (query.after, query.oldest_first) {
            (Some(Cursor([at, id])), true) => (at, id).max((from, i64::MIN)),
            (Some(Cursor([at, id])), false) => (at, id).min((to, i64::MIN)),
            (None, true) => (from, i64::MIN),
            (None, false) => (to, i64::MIN),
        };
        let way = |source| Way { source, ready: VecDeque::new(), last: start, done: false };
        Candidates {
            ways: sources(query).into_iter().map(way).collect(),
            any_channel: query.channels.is_none(),
            any_location: query.locations.is_none(),
            oldest_first: query.oldest_first,
            end: if query.oldest_first { to } else { from },
            taken: None,
        }
    }

    /// Tells that this many will be taken.
    pub fn ahead(&self, tx: &mut Tx<'_>, count: usize) {
        let asked: Vec<_> = self.ways.iter().filter(|w| w.is_empty()).map(|w| w.asked(self.oldest_first, self.end, count)).collect();
        tx.ahead(&asked.iter().map(|(sql, values)| Ahead::Rows(*sql, values)).collect::<Vec<_>>());
    }

    /// The next ones, at most `count`; fewer only at the end.
    pub fn take(&mut self, tx: &mut Tx<'_>, count: usize) -> Result<Vec<Candidate>> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let (oldest_first, end) = (self.oldest_first, self.end);
            if self.ways.iter().filter(|w| w.is_empty()).count() > 1 {
                self.ahead(tx, count);
            }
            for way in self.ways.iter_mut().filter(|w| w.is_empty()) {
                way.read(tx, oldest_first, end, count)?;
            }
            let heads = self.ways.iter().enumerate().filter_map(|(n, way)| Some((*way.ready.front()?, n)));
            let Some((key, n)) = (if self.oldest_first { heads.min() } else { heads.max() }) else { break };
            self.ways[n].ready.pop_front();
            if self.taken != Some(key) {
                self.taken = Some(key);
                taken.push(self.candidate(key, &self.ways[n].source));
            }
        }
        Ok(taken)
    }

    fn candidate(&self, key: Key, source: &Source) -> Candidate {
        let (status, of_channel, of_location) = match source {
            Source::Status(status) => (Status::parse(status), self.any_channel, self.any_location),
            Source::Channel(_, status) => (Status::parse(status), true, self.any_location),
            // What was canceled there counts only if the whole order was.
            Source::Location(_, there) => (None, self.any_channel, *there != Status::Canceled.word()),
        };
        Candidate { key, status, of_channel, of_location }
    }
}

impl Way {
    /// Whether more has to be read to know its next order.
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && !self.done
    }

    /// The read of its next orders.
    fn asked(&self, oldest_first: bool, end: i64, count: usize) -> (Sql, Vec<Value<'_>>) {
        let ((oldest, newest), what) = match &self.source {
            Source::Status(status) => ((STATUS_OLDEST, STATUS_NEWEST), [Some(Value::Text(status)), None]),
            Source::Channel(channel, status) => ((CHANNEL_OLDEST, CHANNEL_NEWEST), [Some(Value::Text(channel)), Some(Value::Text(status))]),
            Source::Location(location, status) => ((LOCATION_OLDEST, LOCATION_NEWEST), [Some(Value::Int(*location)), Some(Value::Text(status))]),
        };
        let (at, id) = self.last;
        let values = what.into_iter().flatten().chain([end, at, id, count as i64].map(Value::Int)).collect();
        (if oldest_first { oldest } else { newest }, values)
    }

    fn read(&mut self, tx: &mut Tx<'_>, oldest_first: bool, end: i64, count: usize) -> Result<()> {
        let (sql, values) = self.asked(oldest_first, end, count);
        let found = tx.rows(sql, &values, |r| (r.int(0), r.int(1)))?;
        self.done = found.len() < count;
        self.last = found.last().copied().unwrap_or(self.last);
        self.ready.extend(found);
        Ok(())
    }
}

impl OrderQuery {
    /// The statuses that an order of this list can have.
    pub(super) fn wanted_statuses(&self) -> Vec<Status> {
        let asked = |status: &Status| self.statuses.is_empty() || self.statuses.contains(status);
        let possible = |status: &Status| self.late_on.is_none() || UNSENT.contains(status);
        STATUSES.into_iter().filter(|status| asked(status) && possible(status)).collect()
    }

    /// Orders of this list were placed before this instant. What was placed today cannot be late.
    fn placed_before(&self) -> i64 {
        let to = self.placed_to.unwrap_or(i64::MAX);
        self.late_on.map_or(to, |today| to.min(today.saturating_mul(DAY_MICROS)))
    }
}
