//! Walks an item's entries, the newest of all its locations first: one range of the ledger for each location, side by side.

use super::read::Levels;
use crate::Stop;
use crate::db::{self, Row, Sql, Tx, Value};
use domain::stock::Level;
use std::collections::{BTreeMap, VecDeque};

const ENTRIES: Sql = Sql(
    "SELECT number, at, source, target, quantity, cause, document, actor, reason, reference FROM entries WHERE item = $1 AND location = $2 AND number < $3 ORDER BY number DESC LIMIT $4",
);
const CAUSES: Sql = Sql(
    "SELECT number, at, source, target, quantity, cause, document FROM entries WHERE item = $1 AND location = $2 AND number < $3 ORDER BY number DESC LIMIT $4",
);

/// How much of each entry is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What moved, when, and the cause with its document.
    Causes,
    /// With who and why.
    All,
}

/// An entry as it is stored, as deep as it was read.
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
    fn read(location: i64, row: &Row<'_>, depth: Depth) -> Entry {
        let word = |n| if depth == Depth::All { row.opt_text(n) } else { None };
        Entry {
            location,
            number: row.int(0),
            at: row.int(1),
            source: row.int(2),
            target: row.int(3),
            quantity: row.int(4),
            cause: row.text(5),
            document: row.int(6),
            actor: word(7).unwrap_or_default(),
            reason: word(8),
            reference: word(9),
        }
    }

    /// By how much it changed the sum of these accounts, given by their numbers.
    pub fn change(&self, accounts: std::ops::Range<i64>) -> i64 {
        let side = |account: i64| if accounts.contains(&account) { self.quantity } else { 0 };
        side(self.target) - side(self.source)
    }
}

/// The entries of one location.
struct Range {
    location: i64,
    /// Those below this number are still to be taken.
    below: i64,
    ready: VecDeque<Entry>,
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

    /// The same at a few locations (ids) of these.
    pub fn at(&self, locations: &[i64]) -> Ledger {
        let levels = self.levels.iter().filter(|(location, _)| locations.contains(location));
        Ledger { item: self.item, levels: levels.map(|(location, level)| (*location, *level)).collect() }
    }
}

pub struct Walk {
    item: i64,
    depth: Depth,
    /// Entries read at once from each location.
    step: usize,
    ranges: Vec<Range>,
}

impl Walk {
    /// Over the entries of an item at each location that are below a number.
    pub fn new(item: i64, below: impl IntoIterator<Item = (i64, i64)>, step: usize, depth: Depth) -> Walk {
        let range = |(location, below)| Range { location, below, ready: VecDeque::new() };
        Walk { item, depth, step, ranges: below.into_iter().map(range).collect() }
    }

    /// The newest that was not taken yet.
    pub fn next(&mut self, tx: &mut Tx<'_>) -> db::Result<Option<Entry>> {
        let sql = match self.depth {
            Depth::Causes => CAUSES,
            Depth::All => ENTRIES,
        };
        // Entries are numbered from 1 without gaps, so that a range has more as long as 1 is not reached.
        let mut empty: Vec<&mut Range> = self.ranges.iter_mut().filter(|r| r.ready.is_empty() && r.below > 1).collect();
        let asked: Vec<[Value<'_>; 4]> = empty.iter().map(|r| [self.item, r.location, r.below, self.step as i64].map(Value::Int)).collect();
        tx.rows_of_each(sql, &asked, &mut |n, row| {
            let entry = Entry::read(empty[n].location, row, self.depth);
            empty[n].ready.push_back(entry);
        })?;
        empty.iter_mut().filter(|r| r.ready.is_empty()).for_each(|r| r.below = 1);
        let newest = self.ranges.iter_mut().max_by_key(|r| r.ready.front().map(|e| (e.at, e.location)));
        let Some(range) = newest else { return Ok(None) };
        let taken = range.ready.pop_front();
        if let Some(entry) = &taken {
            range.below = entry.number;
        }
        Ok(taken)
    }

    /// Where each location's walk stands, as [`Walk::new`] takes it to go on.
    pub fn below(&self) -> impl Iterator<Item = (i64, i64)> {
        self.ranges.iter().map(|r| (r.location, r.below))
    }
}
