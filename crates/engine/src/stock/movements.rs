//! The movements of an item: its entries, newest first over all locations, what was on hand after each, and day by day. At a bounded cost
//! however many entries there are.

use super::closings;
use super::read::EntryView;
use super::walk::{Entry, Ledger, Walk};
use crate::Stop;
use crate::batch::day_of;
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use crate::page::{Page, unreadable};
use crate::views::{Id, Time};
use domain::Refused;
use domain::stock::{Account, Level};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

const OF_DOCUMENT: Sql = Sql(
    "SELECT i.sku, e.location, e.number, e.at, e.source, e.target, e.quantity, e.cause, e.document, e.actor, e.reason, e.reference FROM entries e JOIN items i ON i.id = e.item WHERE e.document = $1 AND e.cause > 'stock.' AND e.cause <> 'stock.imported' ORDER BY e.item, e.location, e.number LIMIT $2",
);

/// Entries that one page looks at. Beyond, it ends with what it found.
const EXAMINED: usize = 1_000;
/// Entries of a document: two for each line that goes from one location to another, and as many for its way back.
const OF_ONE: i64 = 4 * domain::limits::MAX_LINES as i64;
/// Locations in a cursor, and its length in bytes.
const MARKS: usize = 1_000;
const MARKS_LENGTH: usize = 40_000;

/// The states that are units on hand, by their numbers.
const ON_HAND: Range<i64> = 0..6;
const AVAILABLE: Range<i64> = 0..1;

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct MovementQuery {
    /// With one of these causes, such as `order.placed`; any if empty.
    pub causes: Vec<String>,
    pub oldest_first: bool,
    pub after: Option<MovementCursor>,
    /// Most entries.
    pub limit: usize,
}

/// Where a page of movements ends: what was on hand then, and how far each location was read. Shown as `929.1001-17.1002-4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementCursor {
    on_hand: i64,
    /// Location, and the number below which its entries follow; the oldest first, from which on.
    marks: Vec<(i64, i64)>,
}

impl MovementCursor {
    /// Reads what a page gave out. Refuses anything else, naming `field`.
    pub fn parse(field: &str, text: &str) -> Result<MovementCursor, Refused> {
        let mut parts = text.split('.');
        let on_hand = parts.next().and_then(|part| part.parse().ok());
        let mark = |part: &str| {
            let (location, below) = part.split_once('-')?;
            Some((location.parse().ok()?, below.parse().ok().filter(|n: &i64| *n > 0)?))
        };
        let marks: Option<Vec<(i64, i64)>> = parts.take(MARKS + 1).map(mark).collect();
        match (on_hand, marks) {
            (Some(on_hand), Some(marks)) if marks.len() <= MARKS && text.len() <= MARKS_LENGTH => Ok(MovementCursor { on_hand, marks }),
            _ => Err(unreadable(field)),
        }
    }
}

impl fmt::Display for MovementCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.on_hand)?;
        self.marks.iter().try_for_each(|(location, below)| write!(f, ".{location}-{below}"))
    }
}

/// An entry, and what it meant for the units on hand at the locations that are looked at.
#[derive(Debug, Clone)]
pub struct Movement {
    pub entry: EntryView,
    /// Units more or fewer on hand; 0 if they only changed their state.
    pub change: i64,
    /// On hand after it.
    pub on_hand: i64,
}

/// Which entries are wanted.
pub type Wanted<'a> = &'a dyn Fn(&EntryView) -> bool;

/// Tells that a page of an item's movements, all or those that are wanted, and its days will be asked for.
pub fn ahead(tx: &mut Tx<'_>, (of_page, of_days): (&Ledger, &Ledger), query: &MovementQuery, is_narrow: bool, now: i64, count: i64) {
    if let Ok((_, walk)) = start(of_page, query, is_narrow) {
        walk.ahead(tx);
    }
    closings::by_day_ahead(tx, of_days, day_of(now) - count + 1);
}

/// What was on hand where a page begins, and the walk from there. `is_narrow`: few of the entries are wanted.
fn start(ledger: &Ledger, query: &MovementQuery, is_narrow: bool) -> Result<(i64, Walk), Refused> {
    let levels = &ledger.levels;
    let (on_hand, marks) = match &query.after {
        None if query.oldest_first => (0, levels.keys().map(|location| (*location, 1)).collect()),
        None => (levels.values().map(Level::on_hand).sum(), levels.iter().map(|(location, l)| (*location, l.entries + 1)).collect()),
        Some(cursor) => {
            if !cursor.marks.iter().all(|(location, _)| levels.contains_key(location)) {
                return Err(unreadable("after"));
            }
            let mut marks = cursor.marks.clone();
            if query.oldest_first {
                // Where something moved for the first time since the page before.
                let known: BTreeSet<i64> = marks.iter().map(|(location, _)| *location).collect();
                marks.extend(levels.keys().filter(|location| !known.contains(location)).map(|location| (*location, 1)));
            }
            (cursor.on_hand, marks)
        }
    };
    let step = if is_narrow || !query.causes.is_empty() { EXAMINED / 4 } else { query.limit + 1 };
    let walk = if query.oldest_first { Walk::up(ledger, marks, step) } else { Walk::new(ledger.item, marks, step) };
    Ok((on_hand, walk))
}

/// A page of an item's movements: those that are wanted, all if nothing says which. Looks at a thousand entries at most, so that a rare cause can yield few rows, or none, and a next page.
/// An item that is at very many locations costs one read for each. Refuses a cursor of another item or of other locations.
pub fn list(
    tx: &mut Tx<'_>,
    config: &Config,
    ledger: &Ledger,
    query: &MovementQuery,
    wanted: Option<Wanted<'_>>,
) -> Result<Page<Movement, MovementCursor>, Stop> {
    let (mut on_hand, mut walk) = start(ledger, query, wanted.is_some())?;
    let mut rows = Vec::with_capacity(query.limit);
    let mut next = None;
    for examined in 0.. {
        if rows.len() == query.limit || examined == EXAMINED {
            // A page that ended with the last entry of all has none after it.
            next = walk.has_more().then(|| MovementCursor { on_hand, marks: walk.marks().collect() });
            break;
        }
        let Some(entry) = walk.next(tx)? else { break };
        let change = entry.change(ON_HAND);
        let before = on_hand;
        on_hand = if query.oldest_first { before.saturating_add(change) } else { before.saturating_sub(change) };
        if query.causes.is_empty() || query.causes.contains(&entry.cause) {
            let entry = view(entry, config);
            if wanted.is_none_or(|wanted| wanted(&entry)) {
                rows.push(Movement { change, on_hand: if query.oldest_first { on_hand } else { before }, entry });
            }
        }
    }
    Ok(Page { rows, next })
}

fn view(entry: Entry, config: &Config) -> EntryView {
    let word = |number| Account::from_number(number).map_or("unknown", Account::word);
    EntryView {
        location: config.code(entry.location),
        number: entry.number,
        at: Time(entry.at),
        from: word(entry.source),
        to: word(entry.target),
        quantity: entry.quantity,
        cause: entry.cause,
        document: Id(entry.document),
        actor: entry.actor,
        reason: entry.reason,
        reference: entry.reference,
    }
}

/// Units at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayEnd {
    /// Days since 1970 UTC.
    pub day: i64,
    pub on_hand: i64,
    pub available: i64,
}

/// What was on hand and available at the end of each of the last `count` days (UTC), the oldest first; of the running one, now
/// (microseconds since 1970 UTC).
pub fn days(tx: &mut Tx<'_>, ledger: &Ledger, now: i64, count: i64) -> Result<Vec<DayEnd>, Stop> {
    let last = day_of(now);
    let first = last - count + 1;
    let sums = closings::by_day(tx, ledger, first, last)?;
    let units = |range: Range<i64>, sums: &closings::Sums| range.map(|state| sums[state as usize]).sum();
    let end = |(n, sums)| DayEnd { day: first + n as i64, on_hand: units(ON_HAND, sums), available: units(AVAILABLE, sums) };
    Ok(sums.iter().enumerate().map(end).collect())
}

/// An entry of a document, with the item that it is about.
#[derive(Debug, Clone)]
pub struct DocumentEntry {
    pub sku: Arc<str>,
    pub entry: EntryView,
}

/// What was booked by hand under a document (what a receipt, adjustment, move or count answered with, or a transfer) at these locations, or
/// at all: to show it, or to book the opposite. Empty for anything else.
pub fn of_document(tx: &mut Tx<'_>, config: &Config, document: i64, locations: Option<&[i64]>) -> Result<Vec<DocumentEntry>, Stop> {
    let read = |r: &crate::db::Row<'_>| {
        let entry = Entry {
            location: r.int(1),
            number: r.int(2),
            at: r.int(3),
            source: r.int(4),
            target: r.int(5),
            quantity: r.int(6),
            cause: r.text(7),
            document: r.int(8),
            actor: r.text(9),
            reason: r.opt_text(10),
            reference: r.opt_text(11),
        };
        (Arc::from(r.text(0)), entry)
    };
    let mut found: Vec<(Arc<str>, Entry)> = tx.rows(OF_DOCUMENT, &[Value::Int(document), Value::Int(OF_ONE)], read)?;
    found.retain(|(_, entry)| locations.is_none_or(|l| l.contains(&entry.location)));
    Ok(found.into_iter().map(|(sku, entry)| DocumentEntry { sku, entry: view(entry, config) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were_and_nothing_else_does() {
        let cursor = MovementCursor { on_hand: -4, marks: vec![(1001, 17), (1002, 4)] };
        assert_eq!(MovementCursor::parse("after", &cursor.to_string()), Ok(cursor));
        let many = format!("1{}", ".7-7".repeat(MARKS + 1));
        for text in ["", "x", "1.", "1.2", "1.2-", "1.2-0", "1.2--3", "1.2-3.", "1.2-3-4", many.as_str()] {
            assert!(MovementCursor::parse("after", text).is_err(), "{text:?}");
        }
    }
}
