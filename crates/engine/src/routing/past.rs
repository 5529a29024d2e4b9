//! What was available at an instant, and what arrived since, for the items of some orders: read backwards from what is there now, so
//! that it costs what has happened since, not all that ever happened.

use crate::Stop;
use crate::db::{Lookup, Row, Sql, Tx, Value};
use crate::stock::rows::{LEVELS_OF, read_level};
use domain::Refused;
use domain::stock::Account;
use std::collections::HashMap;

/// The last entries of each level of an item. Most levels need no more.
const NEWEST: Lookup = Lookup {
    columns: "e.item, e.location, e.number, e.at, e.source, e.target, e.quantity, e.cause",
    from: "levels l JOIN entries e ON e.item = l.item AND e.location = l.location AND e.number > l.entries - 32",
    key: "l.item",
    and: "",
    order: "e.item, e.location, e.number",
    lock: false,
};
const BEFORE: Sql = Sql(
    "SELECT item, location, number, at, source, target, quantity, cause FROM entries WHERE item = $1 AND location = $2 AND number < $3 ORDER BY number DESC LIMIT $4",
);

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&LEVELS_OF, &NEWEST];

/// Entries read at once of a level that moves much.
const PAGE: i64 = 1_000;
/// Most entries that are looked at: some seconds of reading.
const MOST: usize = 5_000_000;

/// Units by item and location.
type Units = HashMap<(i64, i64), i64>;

/// How things stood.
#[derive(Debug, Default)]
pub struct Past {
    /// Available at the instant.
    pub available: Units,
    /// What came or went since by other causes than orders and holds: (when, (item, location), units), in the order of time.
    pub arrivals: Vec<(i64, (i64, i64), i64)>,
}

/// An entry, as far as it tells what was available.
struct Entry {
    place: (i64, i64),
    number: i64,
    at: i64,
    /// By how much it changed what is available.
    change: i64,
    arrives: bool,
}

impl Entry {
    fn read(row: &Row<'_>) -> Entry {
        let available = Account::Available.number();
        let side = |column: usize| if row.int(column) == available { row.int(6) } else { 0 };
        let cause = row.text(7);
        let arrives = cause.starts_with("stock.") || cause.starts_with("transfer.") || cause == "order.returned";
        Entry { place: (row.int(0), row.int(1)), number: row.int(2), at: row.int(3), change: side(5) - side(4), arrives }
    }
}

/// What was available of these items (sorted ids) just before an instant (microseconds since 1970 UTC), and what arrived since.
/// Refuses when more than five million entries would have to be read.
pub fn since(tx: &mut Tx<'_>, items: &[i64], at: i64) -> Result<Past, Stop> {
    let mut past = Past::default();
    for (item, location, level) in tx.by_ids(&LEVELS_OF, items, &[], read_level)? {
        past.available.insert((item, location), level.get(Account::Available));
    }
    let newest = tx.by_ids(&NEWEST, items, &[], Entry::read)?;
    let mut looked_at = newest.len();
    // The oldest that was read of each level, where it is not older than the instant.
    let mut busy: Vec<((i64, i64), i64)> = Vec::new();
    for level in newest.chunk_by(|a, b| a.place == b.place) {
        if let Some(oldest) = level.first().filter(|e| e.at >= at && e.number > 1) {
            busy.push((oldest.place, oldest.number));
        }
    }
    newest.into_iter().for_each(|entry| past.take_back(entry, at));
    for (place, mut below) in busy {
        loop {
            let page = tx.rows(BEFORE, &[Value::Int(place.0), Value::Int(place.1), Value::Int(below), Value::Int(PAGE)], Entry::read)?;
            looked_at += page.len();
            if looked_at > MOST {
                return Err(Refused::invalid("orders", "reach back over too many movements of stock; choose fewer").into());
            }
            let Some(oldest) = page.last().map(|e| (e.at, e.number)) else { break };
            page.into_iter().for_each(|entry| past.take_back(entry, at));
            if oldest.0 < at {
                break;
            }
            below = oldest.1;
        }
    }
    past.arrivals.sort_unstable();
    Ok(past)
}

impl Past {
    /// Undoes an entry that was made at the instant or later.
    fn take_back(&mut self, entry: Entry, at: i64) {
        if entry.at < at || entry.change == 0 {
            return;
        }
        *self.available.entry(entry.place).or_insert(0) -= entry.change;
        if entry.arrives {
            self.arrivals.push((entry.at, entry.place, entry.change));
        }
    }
}
