//! The movements of an item: its entries, newest first over all locations, what was on hand after each, and a chart of it. At a bounded
//! cost however many entries there are.

use super::read::EntryView;
use super::rows::{LEVELS_OF, read_level};
use super::walk::{Depth, Entry, Walk};
use crate::Stop;
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use crate::page::{Page, unreadable};
use crate::views::{Id, Time};
use domain::Refused;
use domain::stock::{Account, Level};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

const OF_DOCUMENT: Sql = Sql(
    "SELECT i.sku, e.location, e.number, e.at, e.source, e.target, e.quantity, e.cause, e.document, e.actor, e.reason, e.reference FROM entries e JOIN items i ON i.id = e.item WHERE e.document = $1 AND e.cause > 'stock.' AND e.cause <> 'stock.imported' ORDER BY e.item, e.location, e.number LIMIT $2",
);

/// Entries that one page looks at. Beyond, it ends with what it found.
const EXAMINED: usize = 2_000;
/// Entries that a chart is made from.
const CHARTED: usize = 4_000;
/// Entries of a document: two for each line that goes from one location to another.
const OF_ONE: i64 = 2 * domain::limits::MAX_LINES as i64;
/// Locations in a cursor, and its length in bytes.
const MARKS: usize = 1_000;
const MARKS_LENGTH: usize = 40_000;

/// The states that are units on hand, by their numbers.
const ON_HAND: Range<i64> = 0..6;
const AVAILABLE: Range<i64> = 0..1;

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct MovementQuery {
    pub item: i64,
    /// At these locations (ids); everywhere if left out.
    pub locations: Option<Vec<i64>>,
    /// With one of these causes, such as `order.placed`; any if empty.
    pub causes: Vec<String>,
    pub after: Option<MovementCursor>,
    /// Most entries.
    pub limit: usize,
}

/// Where a page of movements ends: what was on hand then, and how far each location was read. Shown as `929.1001-17.1002-4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementCursor {
    on_hand: i64,
    /// Location, and the number below which its entries follow.
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

/// The levels of an item at these locations, or everywhere.
fn levels(tx: &mut Tx<'_>, item: i64, locations: Option<&[i64]>) -> Result<Vec<(i64, Level)>, Stop> {
    let found = tx.by_ids(&LEVELS_OF, &[item], &[], read_level)?;
    let mut levels: Vec<(i64, Level)> = found.into_iter().map(|(_, location, level)| (location, level)).collect();
    levels.retain(|(location, _)| locations.is_none_or(|l| l.contains(location)));
    Ok(levels)
}

/// A page of an item's movements. Looks at two thousand entries at most, so that a rare cause can yield few rows, or none, and a next page.
/// An item that is at very many locations costs one read for each. Refuses a cursor of another item or of other locations.
pub fn list(tx: &mut Tx<'_>, config: &Config, query: &MovementQuery) -> Result<Page<Movement, MovementCursor>, Stop> {
    let levels = levels(tx, query.item, query.locations.as_deref())?;
    let (mut on_hand, below) = match &query.after {
        None => (levels.iter().map(|(_, l)| l.on_hand()).sum(), levels.iter().map(|(location, l)| (*location, l.entries + 1)).collect()),
        Some(cursor) => {
            if !cursor.marks.iter().all(|(location, _)| levels.iter().any(|(known, _)| known == location)) {
                return Err(unreadable("after").into());
            }
            (cursor.on_hand, cursor.marks.clone())
        }
    };
    let step = if query.causes.is_empty() { query.limit + 1 } else { EXAMINED / 8 };
    let mut walk = Walk::new(query.item, below, step, Depth::All);
    let mut rows = Vec::with_capacity(query.limit);
    let mut next = None;
    for examined in 0.. {
        if rows.len() == query.limit || examined == EXAMINED {
            next = Some(MovementCursor { on_hand, marks: walk.below().collect() });
            break;
        }
        let Some(entry) = walk.next(tx)? else { break };
        let change = entry.change(ON_HAND);
        if query.causes.is_empty() || query.causes.contains(&entry.cause) {
            rows.push(Movement { entry: view(entry, config), change, on_hand });
        }
        on_hand = on_hand.saturating_sub(change);
    }
    // A page that ended with the last entry of all has none after it.
    next = next.filter(|cursor| cursor.marks.iter().any(|(_, below)| *below > 1));
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

/// Units at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Microseconds since 1970 UTC.
    pub at: i64,
    pub on_hand: i64,
    pub available: i64,
}

/// Units over time.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The oldest first.
    pub points: Vec<Point>,
    /// What was before this instant (microseconds since 1970 UTC) is not known: the newest entries reach back to it. None if all are.
    pub reaches: Option<i64>,
}

/// What was on hand and available at `count` instants from `from` until `to` (microseconds since 1970 UTC), the last one `to` itself:
/// reckoned back from the present over the four thousand newest entries, and left out before the oldest of them.
pub fn chart(tx: &mut Tx<'_>, item: i64, locations: Option<&[i64]>, from: i64, to: i64, count: usize) -> Result<Chart, Stop> {
    let levels = levels(tx, item, locations)?;
    let mut on_hand: i64 = levels.iter().map(|(_, l)| l.on_hand()).sum();
    let mut available: i64 = levels.iter().map(|(_, l)| l.get(Account::Available)).sum();
    let step = CHARTED / 4 / levels.len().max(1) + 50;
    let mut walk = Walk::new(item, levels.iter().map(|(location, l)| (*location, l.entries + 1)), step, Depth::Changes);
    let mut points = Vec::with_capacity(count);
    let mut entry = walk.next(tx)?;
    let mut reaches = None;
    let mut walked = 0;
    for at in instants(from, to, count).rev() {
        while let Some(later) = entry.take_if(|e| e.at > at) {
            if walked == CHARTED {
                reaches = Some(later.at);
                break;
            }
            on_hand -= later.change(ON_HAND);
            available -= later.change(AVAILABLE);
            walked += 1;
            entry = walk.next(tx)?;
        }
        if reaches.is_some() {
            break;
        }
        points.push(Point { at, on_hand, available });
    }
    points.reverse();
    Ok(Chart { points, reaches })
}

/// `count` instants at equal distances, the first `from`, the last `to`.
fn instants(from: i64, to: i64, count: usize) -> impl DoubleEndedIterator<Item = i64> {
    let span = i128::from(to) - i128::from(from);
    let gaps = count.saturating_sub(1).max(1) as i128;
    (0..count).map(move |n| (i128::from(to) - span * (count - 1 - n) as i128 / gaps) as i64)
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

    #[test]
    fn instants_begin_and_end_where_they_should() {
        assert_eq!(instants(0, 100, 5).collect::<Vec<_>>(), [0, 25, 50, 75, 100]);
        assert_eq!(instants(0, 100, 1).collect::<Vec<_>>(), [100]);
        assert_eq!(instants(0, 100, 0).count(), 0);
        assert_eq!(instants(i64::MIN, i64::MAX, 3).collect::<Vec<_>>(), [i64::MIN, 0, i64::MAX]);
    }
}
