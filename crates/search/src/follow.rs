//! Keeping an index up to date: all rows are read once, page by page, then the events are followed. A step is short. Not here: reading
//! the database (`engine::search`), the files (`folder.rs`), when to step (`lib.rs`).

use crate::folder::{Scan, State, Writing, broken};
use engine::search;
use engine::{Engine, Stop};
use std::time::{Duration, Instant};

/// Rows read at once.
const PAGE: i64 = 2_000;
/// Between two commits while there are documents to commit.
const BETWEEN_COMMITS: Duration = Duration::from_secs(1);
/// The same while all rows are read: fewer, larger pieces are less work.
const BETWEEN_COMMITS_OF_A_SCAN: Duration = Duration::from_secs(4);
/// Between two commits that only say how far the events were looked through.
const BETWEEN_MARKS: Duration = Duration::from_secs(60);

/// An index, and what waits to be committed to it.
pub struct Follower {
    engine: Engine,
    writing: Box<Writing>,
    /// Documents since the last commit.
    pending: usize,
    /// What was committed last, and when; None before the first.
    committed: State,
    committed_at: Option<Instant>,
}

impl Follower {
    pub fn new(engine: Engine, writing: Box<Writing>) -> Follower {
        Follower { engine, pending: 0, committed: writing.state, committed_at: None, writing }
    }

    /// The index, and what can be found in it.
    pub fn shown(&self) -> (&Writing, &State) {
        (&self.writing, if self.pending == 0 { &self.writing.state } else { &self.committed })
    }

    /// Reads one page of rows or of events, and commits if it is time to. Answers whether more waits to be read.
    pub fn step(&mut self) -> Result<bool, Stop> {
        let more = match self.writing.state.scan {
            Some(scan) => self.scan(scan)?,
            None => self.follow()?,
        };
        let state = self.writing.state;
        let wait = match (state.scan, self.pending) {
            (Some(_), _) => BETWEEN_COMMITS_OF_A_SCAN,
            // The scan ended with this step.
            (None, _) if self.committed.scan.is_some() => Duration::ZERO,
            (None, 0) => BETWEEN_MARKS,
            (None, _) => BETWEEN_COMMITS,
        };
        if state != self.committed && self.committed_at.is_none_or(|at| at.elapsed() >= wait) {
            self.writing.commit()?;
            (self.pending, self.committed, self.committed_at) = (0, state, Some(Instant::now()));
        }
        Ok(more)
    }

    /// Puts the next page of rows into the index. None of them was there before.
    fn scan(&mut self, scan: Scan) -> Result<bool, Stop> {
        let fields = self.writing.reading.fields;
        let (last, most) = if scan.orders {
            let ((orders, most), newest) = self.engine.read_blocking(|tx| Ok((search::orders_after(tx, scan.after, PAGE)?, search::newest(tx)?)))?;
            for order in &orders {
                self.put(order.id, fields.order(order), true)?;
            }
            if orders.is_empty() {
                self.writing.state.settled_at = newest.seq;
            }
            (orders.last().map(|o| o.id), most)
        } else {
            let (items, most) = self.engine.read_blocking(|tx| search::items_after(tx, scan.after, PAGE))?;
            for item in &items {
                self.put(item.id, fields.item(item), true)?;
            }
            (items.last().map(|i| i.id), most)
        };
        self.writing.state.scan = scan.next(last, most);
        Ok(true)
    }

    /// Puts what changed into the index.
    fn follow(&mut self) -> Result<bool, Stop> {
        let State { mark, settled_at, .. } = self.writing.state;
        let changes = self.engine.read_blocking(|tx| search::changes(tx, &mark))?;
        let changes = changes.ok_or_else(|| broken("the database no longer tells the history that was followed"))?;
        let fields = self.writing.reading.fields;
        let is_new = |id: i64| mark.seq >= settled_at && changes.created.contains(&id);
        for item in &changes.items {
            self.put(item.id, fields.item(item), is_new(item.id))?;
        }
        for order in &changes.orders {
            self.put(order.id, fields.order(order), is_new(order.id))?;
        }
        self.writing.state.mark = changes.mark;
        Ok(changes.more)
    }

    fn put(&mut self, id: i64, document: tantivy::TantivyDocument, is_new: bool) -> Result<(), Stop> {
        self.pending += 1;
        self.writing.put(id, document, is_new)
    }
}

impl Scan {
    /// Where to go on after a page that ended with `last`, or held nothing; `most` is the greatest id there is.
    fn next(self, last: Option<i64>, most: i64) -> Option<Scan> {
        let begun = if self.orders { 0.5 } else { 0.0 };
        match last {
            Some(after) => Some(Scan { after, share: begun + 0.5 * (after as f64 / most.max(1) as f64).min(1.0), ..self }),
            None if self.orders => None,
            None => Some(Scan { orders: true, after: 0, share: 0.5 }),
        }
    }
}
