//! Who holds an item: the reservations and orders behind the units that are reserved and committed.
//!
//! No index leads from an item to them; one would cost every order a page. The ledger does: each held unit was moved by an entry that
//! names its document. So the newest entries are walked back until the documents found there account for all that is held.

use super::walk::{Depth, Ledger, Walk};
use crate::Stop;
use crate::batch::sorted;
use crate::config::Config;
use crate::db::{Ahead, Lookup, Tx, Value};
use crate::orders::rows::{FULFILLMENTS_BY_ORDER, ORDERS_BY_ID, Order};
use crate::reservations::rows::{RESERVATIONS_BY_ID, Reservation};
use crate::views::{Id, Time, order_number};
use domain::steps::Status;
use domain::stock::Account;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

const OPEN_LINES: Lookup = Lookup {
    columns: "fulfillment, quantity - shipped - canceled",
    from: "fulfillment_lines",
    key: "fulfillment",
    and: "AND item = $2 AND quantity > shipped + canceled",
    order: "fulfillment, line",
    lock: false,
};

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&OPEN_LINES];

/// Entries walked back at most.
const EXAMINED: usize = 1_000;
/// Documents looked at in one step, once the first step was not enough: of most items, every document that was met holds some.
const STEP: usize = 100;

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
    let mut seen = BTreeSet::new();
    let mut examined = 0;
    while holders.rows.len() < limit && examined < EXAMINED && left.values().any(|units| *units > 0) {
        let (mut documents, mut ended) = (Vec::new(), false);
        while documents.len() < step && examined < EXAMINED {
            let Some(entry) = walk.next(tx)? else {
                ended = true;
                break;
            };
            examined += 1;
            let takes = [Account::Reserved, Account::Committed].iter().any(|a| a.number() == entry.target);
            if takes && seen.insert(entry.document) {
                documents.push((entry.document, entry.cause.starts_with("reservation.")));
            }
        }
        holders.rows.extend(look_at(tx, config, ledger.item, &documents, &mut left)?);
        if ended {
            break;
        }
        step = STEP;
    }
    holders.rows.truncate(limit);
    holders.others = holders.reserved + holders.committed - holders.rows.iter().map(|r| r.units).sum::<i64>();
    Ok(holders)
}

/// What these documents (id, whether it is a reservation) hold of what is left, which it is taken from.
fn look_at(tx: &mut Tx<'_>, config: &Config, item: i64, documents: &[(i64, bool)], left: &mut Left) -> Result<Vec<Holder>, Stop> {
    let ids = |wanted: bool| sorted(documents.iter().filter(|(_, is)| *is == wanted).map(|(id, _)| id));
    tx.ahead(&[
        Ahead::Ids(&ORDERS_BY_ID, &ids(false), &[]),
        Ahead::Ids(&FULFILLMENTS_BY_ORDER, &ids(false), &[]),
        Ahead::Ids(&RESERVATIONS_BY_ID, &ids(true), &[]),
    ]);
    let lookup = Lookup { lock: false, ..ORDERS_BY_ID };
    let orders: HashMap<i64, Order> = tx.by_ids(&lookup, &ids(false), &[], Order::read)?.into_iter().map(|o| (o.id, o)).collect();
    let lookup = Lookup { lock: false, ..RESERVATIONS_BY_ID };
    // A queued order's units are held by a reservation of its own.
    let queued = orders.values().filter(|o| o.status == Status::Queued).filter_map(|o| o.reservation);
    let reservations: BTreeSet<i64> = ids(true).into_iter().chain(queued).collect();
    let reservations = tx.by_ids(&lookup, &sorted(&reservations), &[], Reservation::read)?;
    let mut held: HashMap<(i64, i64, Account), i64> = HashMap::new();
    for reservation in &reservations {
        let owner = reservation.order.filter(|id| orders.get(id).is_some_and(|o| o.status == Status::Queued));
        if owner.is_some() || reservation.status == Status::Held {
            for (_, location, units) in reservation.lines.iter().filter(|(of, ..)| *of == item) {
                *held.entry((owner.unwrap_or(reservation.id), *location, Account::Reserved)).or_default() += units;
            }
        }
    }
    let places = tx.by_ids(&FULFILLMENTS_BY_ORDER, &ids(false), &[], |r| (r.int(1), (r.int(0), r.int(2))))?;
    let places: HashMap<i64, (i64, i64)> = places.into_iter().collect();
    for (fulfillment, open) in tx.by_ids(&OPEN_LINES, &sorted(places.keys()), &[Value::Int(item)], |r| (r.int(0), r.int(1)))? {
        let (order, location) = places[&fulfillment];
        *held.entry((order, location, Account::Committed)).or_default() += open;
    }
    let reservations: HashMap<i64, Reservation> = reservations.into_iter().map(|r| (r.id, r)).collect();
    let mut rows = Vec::new();
    for (id, _) in documents {
        for ((location, state), units_left) in left.iter_mut() {
            let Some(units) = held.get(&(*id, *location, *state)).copied() else { continue };
            let Some(document) = document(orders.get(id), reservations.get(id)) else { continue };
            *units_left -= units;
            rows.push(Holder { document, location: config.code(*location), state: state.word(), units });
        }
    }
    Ok(rows)
}

fn document(order: Option<&Order>, reservation: Option<&Reservation>) -> Option<Document> {
    if let Some(o) = order {
        let number = order_number(o.id);
        return Some(Document::Order { id: Id(o.id), number, channel: o.channel.clone(), reference: o.reference.clone(), status: o.status });
    }
    reservation.map(|r| Document::Reservation { id: Id(r.id), channel: r.channel.clone(), expires_at: Time(r.expires_at) })
}
