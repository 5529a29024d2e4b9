//! Who holds an item: the reservations and orders behind the units that are reserved and committed.
//!
//! No index leads from an item to them; one would cost every order a page. The ledger does: each held unit was moved by an entry that
//! names its document. So the newest entries are walked back until the documents found there account for all that is held.

use super::walk::{Depth, Ledger, Walk};
use crate::Stop;
use crate::batch::sorted;
use crate::config::Config;
use crate::db::{Ahead, Lookup, Tx, Value};
use crate::orders::rows::{ORDERS_BY_ID, Order};
use crate::reservations::rows::{RESERVATIONS_BY_ID, Reservation};
use crate::views::{Id, Time, order_number};
use domain::steps::Status;
use domain::stock::Account;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

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

/// Entries walked back at most.
const EXAMINED: usize = 1_000;
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

/// Who holds an item: at most `limit` holders, found in the thousand newest entries.
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
    let mut step = 2 * limit;
    let mut walk = Walk::new(ledger.item, below, step, Depth::Causes);
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut examined = 0;
    while found.len() < limit && examined < EXAMINED && left.values().any(|units| *units > 0) {
        let (mut documents, mut ended) = (Vec::new(), false);
        while documents.len() < step && examined < EXAMINED {
            let Some(entry) = walk.next(tx)? else {
                ended = true;
                break;
            };
            examined += 1;
            let takes = [Account::Reserved, Account::Committed].iter().any(|a| a.number() == entry.target);
            let document = (entry.document, entry.cause.starts_with("reservation."));
            if takes && seen.insert(document) {
                documents.push(document);
            }
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
        if ended {
            break;
        }
        step = STEP;
    }
    found.truncate(limit);
    holders.rows = named(tx, config, &found)?;
    holders.others = holders.reserved + holders.committed - holders.rows.iter().map(|r| r.units).sum::<i64>();
    Ok(holders)
}

/// What an entry names: an id, and whether it is a reservation's and not an order's.
type Named = (i64, bool);

fn ids(documents: impl Iterator<Item = Named>, wanted: bool) -> Vec<i64> {
    documents.filter(|(_, is)| *is == wanted).map(|(id, _)| id).collect::<BTreeSet<i64>>().into_iter().collect()
}

/// Units of an item that these documents hold, each at a location, reserved or committed.
fn held(tx: &mut Tx<'_>, item: i64, documents: &[Named]) -> Result<HashMap<(Named, i64, Account), i64>, Stop> {
    let (orders, reservations) = (ids(documents.iter().copied(), false), ids(documents.iter().copied(), true));
    tx.ahead(&[Ahead::Ids(&COMMITTED, &orders, &[Value::Int(item)]), Ahead::Ids(&QUEUED, &orders, &[]), Ahead::Ids(&HELD, &reservations, &[])]);
    let mut held: HashMap<(Named, i64, Account), i64> = HashMap::new();
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
fn named(tx: &mut Tx<'_>, config: &Config, found: &[(Named, i64, Account, i64)]) -> Result<Vec<Holder>, Stop> {
    let (orders, reservations) = (Lookup { lock: false, ..ORDERS_BY_ID }, Lookup { lock: false, ..RESERVATIONS_BY_ID });
    let documents = || found.iter().map(|(document, ..)| *document);
    tx.ahead(&[Ahead::Ids(&orders, &ids(documents(), false), &[]), Ahead::Ids(&reservations, &ids(documents(), true), &[])]);
    let orders = tx.by_ids(&orders, &ids(documents(), false), &[], |r| Document::from(Order::read(r)))?;
    let reservations = tx.by_ids(&reservations, &ids(documents(), true), &[], |r| Document::from(Reservation::read(r)))?;
    let known: HashMap<Named, Document> = orders.into_iter().chain(reservations).map(|document| (document.named(), document)).collect();
    let holder = |(document, location, state, units): &(Named, i64, Account, i64)| {
        Some(Holder { document: known.get(document)?.clone(), location: config.code(*location), state: state.word(), units: *units })
    };
    Ok(found.iter().filter_map(holder).collect())
}

impl Document {
    fn named(&self) -> Named {
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
