//! Walks an item's entries, the newest or the oldest of all its locations first: one range of the ledger for each location, side by side.

use super::read::Levels;
use crate::Stop;
use crate::db::{self, Ahead, Row, Sql, Tx, Value};
use domain::stock::{GENESIS, Level};
use std::collections::{BTreeMap, VecDeque};

const ENTRIES: Sql = Sql(
    "SELECT number, at, source, target, quantity, cause, document, actor, reason, reference FROM entries WHERE item = $1 AND location = $2 AND number < $3 ORDER BY number DESC LIMIT $4",
);
const OLDEST: Sql = Sql(
    "SELECT number, at, source, target, quantity, cause, document, actor, reason, reference FROM entries WHERE item = $1 AND location = $2 AND number >= $3 ORDER BY number LIMIT $4",
);

/// An entry as it is stored.
#[derive(Debug, Clone)]
pub struct Entry {
    pub location: i64,
    pub number: i64,
    pub at: i64,
    /// Numbers of accounts.
    pub source: i64,
    pub target: i64,
    pub quantity: i64,
    pub cause: String,
    pub document: i64,
    pub actor: String,
    pub reason: Option<String>,
    pub reference: Option<String>,
}

impl Entry {
    fn read(location: i64, row: &Row<'_>) -> Entry {
        Entry {
            location,
            number: row.int(0),
            at: row.int(1),
            source: row.int(2),
            target: row.int(3),
            quantity: row.int(4),
            cause: row.text(5),
            document: row.int(6),
            actor: row.text(7),
            reason: row.opt_text(8),
            reference: row.opt_text(9),
        }
    }

    /// By how much it changed the sum of these accounts, given by their numbers.
    pub fn change(&self, accounts: std::ops::Range<i64>) -> i64 {
        let side = |account: i64| if accounts.contains(&account) { self.quantity } else { 0 };
        side(self.target) - side(self.source)
    }
}

/// Which way entries are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    NewestFirst,
    OldestFirst,
}

/// The entries of one location.
struct Range {
    location: i64,
    /// Those below this number are still to be taken; the oldest first, those from it on.
    mark: i64,
    /// The last number that there is.
    last: i64,
    ready: VecDeque<Entry>,
}

impl Range {
    /// The values that read its next entries.
    fn asked(&self, item: i64, step: usize) -> [Value<'static>; 4] {
        [item, self.location, self.mark, step as i64].map(Value::Int)
    }

    /// Entries are numbered from 1 without gaps, so that it is known whether there are more.
    fn has_more(&self, way: Way) -> bool {
        match way {
            Way::NewestFirst => self.mark > 1,
            Way::OldestFirst => self.mark <= self.last,
        }
    }
}

/// The ledger of an item at the locations that are looked at, with the levels that its entries add up to.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub item: i64,
    /// By location.
    pub levels: BTreeMap<i64, Level>,
}

impl Ledger {
    /// Of a plain item, whose levels were read.
    pub fn new(item: i64, levels: &Levels) -> Ledger {
        Ledger { item, levels: levels.get(&item).cloned().unwrap_or_default() }
    }

    /// Of a plain item at these locations (ids), or everywhere.
    pub fn read(tx: &mut Tx<'_>, item: i64, locations: Option<&[i64]>) -> Result<Ledger, Stop> {
        Ok(Ledger::new(item, &super::read::levels_of(tx, &[item], locations)?))
    }

    /// The same as it was at an instant (microseconds since 1970 UTC), if one is given.
    pub fn as_of(self, tx: &mut Tx<'_>, at: Option<i64>) -> Result<Ledger, Stop> {
        let Some(at) = at else { return Ok(self) };
        let then = super::closings::as_of(tx, &self, at)?;
        let levels = then.into_iter().map(|(location, (sums, entries))| (location, Level::from_parts(sums, entries, GENESIS, 0))).collect();
        Ok(Ledger { item: self.item, levels })
    }

    /// The same at a few locations (ids) of these.
    pub fn at(&self, locations: &[i64]) -> Ledger {
        let levels = self.levels.iter().filter(|(location, _)| locations.contains(location));
        Ledger { item: self.item, levels: levels.map(|(location, level)| (*location, *level)).collect() }
    }
}

pub struct Walk {
    item: i64,
    way: Way,
    /// Entries that are read at once from a location.
    step: usize,
    ranges: Vec<Range>,
}

impl Walk {
    /// Over the entries of an item at each location that are below a number, the newest first.
    pub fn new(item: i64, below: impl IntoIterator<Item = (i64, i64)>, step: usize) -> Walk {
        let range = |(location, below)| Range { location, mark: below, last: below - 1, ready: VecDeque::new() };
        Walk { item, way: Way::NewestFirst, step, ranges: below.into_iter().map(range).collect() }
    }

    /// Over the entries of a ledger from a number on at each location, the oldest first.
    pub fn up(ledger: &Ledger, from: impl IntoIterator<Item = (i64, i64)>, step: usize) -> Walk {
        let last = |location| ledger.levels.get(&location).map_or(0, |level| level.entries);
        let range = |(location, from)| Range { location, mark: from, last: last(location), ready: VecDeque::new() };
        Walk { item: ledger.item, way: Way::OldestFirst, step, ranges: from.into_iter().map(range).collect() }
    }

    fn sql(&self) -> Sql {
        match self.way {
            Way::OldestFirst => OLDEST,
            Way::NewestFirst => ENTRIES,
        }
    }

    /// Tells that the first ones will be asked for.
    pub fn ahead(&self, tx: &mut Tx<'_>) {
        let places = self.ranges.iter().filter(|r| r.has_more(self.way));
        places.for_each(|r| tx.ahead(&[Ahead::Rows(self.sql(), &r.asked(self.item, self.step))]));
    }

    /// The next that was not taken yet.
    pub fn next(&mut self, tx: &mut Tx<'_>) -> db::Result<Option<Entry>> {
        let (way, sql) = (self.way, self.sql());
        let mut empty: Vec<&mut Range> = self.ranges.iter_mut().filter(|r| r.ready.is_empty() && r.has_more(way)).collect();
        let asked: Vec<[Value<'static>; 4]> = empty.iter().map(|r| r.asked(self.item, self.step)).collect();
        tx.rows_of_each(sql, &asked, &mut |n, row| {
            let entry = Entry::read(empty[n].location, row);
            // The ledger may be one of the past.
            if entry.number <= empty[n].last {
                empty[n].ready.push_back(entry);
            }
        })?;
        empty.iter_mut().filter(|r| r.ready.is_empty()).for_each(|r| r.mark = if way == Way::NewestFirst { 1 } else { r.last + 1 });
        let ready = self.ranges.iter_mut().filter_map(|r| r.ready.front().map(|e| (e.at, e.location)).map(|place| (place, r)));
        let next = match way {
            Way::NewestFirst => ready.max_by_key(|(place, _)| *place),
            Way::OldestFirst => ready.min_by_key(|(place, _)| *place),
        };
        let Some((_, range)) = next else { return Ok(None) };
        let taken = range.ready.pop_front();
        if let Some(entry) = &taken {
            range.mark = if way == Way::NewestFirst { entry.number } else { entry.number + 1 };
        }
        Ok(taken)
    }

    /// Where each location's walk stands, as [`Walk::new`] or [`Walk::up`] takes it to go on.
    pub fn marks(&self) -> impl Iterator<Item = (i64, i64)> {
        self.ranges.iter().map(|r| (r.location, r.mark))
    }

    pub fn has_more(&self) -> bool {
        self.ranges.iter().any(|r| !r.ready.is_empty() || r.has_more(self.way))
    }
}
