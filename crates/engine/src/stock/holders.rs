//! Who holds an item: the reservations and orders behind the units that are reserved and committed.
//!
//! No index leads from an item to them; one would cost every order a page. The ledger does: each held unit was moved by an entry that
//! names its document. So the newest entries are gone through until the documents found there account for all that is held.

use super::walk::Ledger;
use crate::Stop;
use crate::batch::sorted;
use crate::config::Config;
use crate::db::{self, Ahead, Lookup, Sql, Tx, Value};
use crate::orders::rows::{ORDERS_BY_ID, Order};
use crate::reservations::rows::{RESERVATIONS_BY_ID, Reservation};
use crate::views::{Id, Time, order_number};
use domain::steps::Status;
use domain::stock::Account;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// Entries of a stretch of the ledger that took units to be held. Entries are numbered without gaps, so that a stretch of numbers is as
/// many entries, whatever is found in it.
const TAKEN: Sql = Sql(
    "SELECT at, cause, document FROM entries WHERE item = $1 AND location = $2 AND number >= $3 AND number < $4 AND target IN ($5, $6) ORDER BY number DESC",
);

/// Units of an item that an order still has to get from a location.
const COMMITTED: Lookup = Lookup {
    columns: "f.order_id, f.location, l.quantity - l.shipped - l.canceled",
    from: "fulfillments f JOIN fulfillment_lines l ON l.fulfillment = f.id",
    key: "f.order_id",
    and: "AND l.item = $2 AND l.quantity > l.shipped + l.canceled",
    order: "f.order_id, f.id, l.line",
    lock: false,
};

/// A queued order's units are held by a reservation of its own.
const QUEUED: Lookup = Lookup {
    columns: "id, reservation",
    from: "orders",
    key: "id",
    and: "AND status = 'queued' AND reservation IS NOT NULL",
    order: "id",
    lock: false,
};

const HELD: Lookup = Lookup { and: "AND status = 'held'", lock: false, ..RESERVATIONS_BY_ID };

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&COMMITTED, &QUEUED, &HELD];

/// Entries gone through at most.
const EXAMINED: i64 = 1_000;
/// Entries of a location gone through at once, and how many times as many the next time: of most items the first are enough.
const FIRST: i64 = 24;
const GROWS: i64 = 8;
/// Documents looked at in one step, once the first step was not enough: of most items, every document that was met holds some.
const STEP: usize = 250;

/// Units of an item at a location that a document holds.
#[derive(Debug, Clone)]
pub struct Holder {
    pub document: Document,
    pub location: Arc<str>,
    /// reserved or committed
    pub state: &'static str,
    pub units: i64,
}

#[derive(Debug, Clone)]
pub enum Document {
    Reservation { id: Id, channel: Option<String>, expires_at: Time },
    Order { id: Id, number: String, channel: String, reference: String, status: Status },
}

/// All who hold an item, as far as they were found.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    /// Those that took their units last come first.
    pub rows: Vec<Holder>,
    /// What the levels say.
    pub reserved: i64,
    pub committed: i64,
    /// Of both: held by documents further back than was looked, or than fit.
    pub others: i64,
}

/// What is still to be accounted for, by location and state.
type Left = BTreeMap<(i64, Account), i64>;

/// Who holds an item: at most `limit` holders, found in about a thousand of the newest entries.
pub fn holders(tx: &mut Tx<'_>, config: &Config, ledger: &Ledger, limit: usize) -> Result<Holders, Stop> {
    let mut holders = Holders::default();
    let mut left = Left::new();
    let mut below = Vec::new();
    for (location, level) in &ledger.levels {
        let (reserved, committed) = (level.get(Account::Reserved), level.get(Account::Committed));
        if reserved + committed > 0 {
            left.insert((*location, Account::Reserved), reserved);
            left.insert((*location, Account::Committed), committed);
            below.push((*location, level.entries + 1));
            holders.reserved += reserved;
            holders.committed += committed;
        }
    }
    let mut taken = Taken::new(ledger.item, below);
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut step = 2 * limit;
    while found.len() < limit && left.values().any(|units| *units > 0) {
        let mut documents = Vec::new();
        while documents.len() < step
            && let Some(document) = taken.next(tx)?
        {
            if seen.insert(document) {
                documents.push(document);
            }
        }
        if documents.is_empty() {
            break;
        }
        let held = held(tx, ledger.item, &documents)?;
        for document in documents {
            for ((location, state), units_left) in &mut left {
                if let Some(units) = held.get(&(document, *location, *state)) {
                    *units_left -= units;
                    found.push((document, *location, *state, *units));
                }
            }
        }
        step = STEP;
    }
    found.truncate(limit);
    holders.rows = shown(tx, config, &found)?;
    holders.others = holders.reserved + holders.committed - holders.rows.iter().map(|r| r.units).sum::<i64>();
    Ok(holders)
}

/// What an entry names: an id, and whether it is a reservation's and not an order's.
type Source = (i64, bool);

/// The documents that took units of an item to be held, the newest first: one range of the ledger for each location, side by side.
struct Taken {
    item: i64,
    ranges: Vec<Range>,
    step: i64,
    examined: i64,
}

/// The entries of one location.
struct Range {
    location: i64,
    /// Those below this number are still to be gone through.
    mark: i64,
    /// When each took its units, and its document.
    ready: VecDeque<(i64, Source)>,
}

impl Taken {
    /// By the entries of each location that are below a number.
    fn new(item: i64, below: Vec<(i64, i64)>) -> Taken {
        let ranges = below.into_iter().map(|(location, mark)| Range { location, mark, ready: VecDeque::new() });
        Taken { item, ranges: ranges.collect(), step: FIRST, examined: 0 }
    }

    /// The next; None if there is none, or none in as many entries as are gone through.
    fn next(&mut self, tx: &mut Tx<'_>) -> db::Result<Option<Source>> {
        let held = [Account::Reserved, Account::Committed].map(Account::number);
        loop {
            let mut empty: Vec<&mut Range> = self.ranges.iter_mut().filter(|r| r.ready.is_empty() && r.mark > 1).collect();
            if empty.is_empty() || self.examined >= EXAMINED {
                break;
            }
            let step = self.step;
            let from = |mark: i64| (mark - step).max(1);
            let asked: Vec<[Value<'static>; 6]> =
                empty.iter().map(|r| [self.item, r.location, from(r.mark), r.mark, held[0], held[1]].map(Value::Int)).collect();
            tx.rows_of_each(TAKEN, &asked, &mut |n, row| {
                empty[n].ready.push_back((row.int(0), (row.int(2), row.text(1).starts_with("reservation."))));
            })?;
            for range in empty {
                self.examined += range.mark - from(range.mark);
                range.mark = from(range.mark);
            }
            self.step = (self.step * GROWS).min(EXAMINED - self.examined).max(1);
        }
        let newest = self.ranges.iter_mut().filter(|r| !r.ready.is_empty()).max_by_key(|r| r.ready.front().map(|(at, _)| (*at, r.location)));
        Ok(newest.and_then(|range| range.ready.pop_front()).map(|(_, document)| document))
    }
}

fn ids(documents: impl Iterator<Item = Source>, wanted: bool) -> Vec<i64> {
    documents.filter(|(_, is)| *is == wanted).map(|(id, _)| id).collect::<BTreeSet<i64>>().into_iter().collect()
}

/// Units of an item that these documents hold, each at a location, reserved or committed.
fn held(tx: &mut Tx<'_>, item: i64, documents: &[Source]) -> Result<HashMap<(Source, i64, Account), i64>, Stop> {
    let (orders, reservations) = (ids(documents.iter().copied(), false), ids(documents.iter().copied(), true));
    tx.ahead(&[Ahead::Ids(&COMMITTED, &orders, &[Value::Int(item)]), Ahead::Ids(&QUEUED, &orders, &[]), Ahead::Ids(&HELD, &reservations, &[])]);
    let mut held: HashMap<(Source, i64, Account), i64> = HashMap::new();
    for (order, location, units) in tx.by_ids(&COMMITTED, &orders, &[Value::Int(item)], |r| (r.int(0), r.int(1), r.int(2)))? {
        *held.entry(((order, false), location, Account::Committed)).or_default() += units;
    }
    let queued = tx.by_ids(&QUEUED, &orders, &[], |r| (r.int(1), r.int(0)))?;
    let queued: HashMap<i64, i64> = queued.into_iter().collect();
    let mut all = tx.by_ids(&HELD, &reservations, &[], Reservation::read)?;
    all.extend(tx.by_ids(&Lookup { lock: false, ..RESERVATIONS_BY_ID }, &sorted(queued.keys()), &[], Reservation::read)?);
    for reservation in &all {
        let document = queued.get(&reservation.id).map_or((reservation.id, true), |order| (*order, false));
        for (_, location, units) in reservation.lines.iter().filter(|(of, ..)| *of == item) {
            *held.entry((document, *location, Account::Reserved)).or_default() += units;
        }
    }
    Ok(held)
}

/// The holders with what is to be said of their documents.
fn shown(tx: &mut Tx<'_>, config: &Config, found: &[(Source, i64, Account, i64)]) -> Result<Vec<Holder>, Stop> {
    let (orders, reservations) = (Lookup { lock: false, ..ORDERS_BY_ID }, Lookup { lock: false, ..RESERVATIONS_BY_ID });
    let documents = || found.iter().map(|(document, ..)| *document);
    tx.ahead(&[Ahead::Ids(&orders, &ids(documents(), false), &[]), Ahead::Ids(&reservations, &ids(documents(), true), &[])]);
    let orders = tx.by_ids(&orders, &ids(documents(), false), &[], |r| Document::from(Order::read(r)))?;
    let reservations = tx.by_ids(&reservations, &ids(documents(), true), &[], |r| Document::from(Reservation::read(r)))?;
    let known: HashMap<Source, Document> = orders.into_iter().chain(reservations).map(|document| (document.source(), document)).collect();
    let holder = |(document, location, state, units): &(Source, i64, Account, i64)| {
        Some(Holder { document: known.get(document)?.clone(), location: config.code(*location), state: state.word(), units: *units })
    };
    Ok(found.iter().filter_map(holder).collect())
}

impl Document {
    fn source(&self) -> Source {
        match self {
            Document::Reservation { id, .. } => (id.0, true),
            Document::Order { id, .. } => (id.0, false),
        }
    }
}

impl From<Order> for Document {
    fn from(o: Order) -> Document {
        Document::Order { id: Id(o.id), number: order_number(o.id), channel: o.channel, reference: o.reference, status: o.status }
    }
}

impl From<Reservation> for Document {
    fn from(r: Reservation) -> Document {
        Document::Reservation { id: Id(r.id), channel: r.channel, expires_at: Time(r.expires_at) }
    }
}
