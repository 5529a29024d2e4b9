//! Finds the first items of a list in one pass over the columns.

use super::columns::{Base, Columns};
use super::view::{Counts, DAMAGED, INCOMING, State, View};
use crate::page::Cursor;

/// Which items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Only {
    #[default]
    Any,
    State(State),
    /// Some units are damaged.
    Damaged,
    /// Some units are on their way here.
    Incoming,
}

impl Only {
    /// Which bits of an item's flags are looked at, and what they must be: told once a pass, not once an item.
    fn bits(self) -> (u8, u8) {
        match self {
            Only::Any => (0, 0),
            Only::State(state) => (7, state as u8),
            Only::Damaged => (DAMAGED, DAMAGED),
            Only::Incoming => (INCOMING, INCOMING),
        }
    }

    fn of(self, counts: &Counts) -> usize {
        match self {
            Only::Any => counts.items,
            Only::State(state) => counts.states[state as usize],
            Only::Damaged => counts.damaged,
            Only::Incoming => counts.incoming,
        }
    }
}

/// What a list is sorted by. Items that are the same in it come in the order of their ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Sku,
    /// Whatever the case of its letters.
    Name,
    OnHand,
    /// Reserved or committed.
    Held,
    Available,
    Incoming,
    /// Units ordered in the last seven days.
    Sold,
    /// Days that what is available lasts; items of which nothing was sold come last either way.
    Cover,
    /// When the last entry was made.
    Moved,
}

/// Which items to list.
#[derive(Debug, Clone, Default)]
pub struct StockQuery {
    /// Count what is at these locations (ids) only; everywhere if left out.
    pub locations: Option<Vec<i64>>,
    pub only: Only,
    /// Only these, the hits of a text search.
    pub ids: Option<Vec<i64>>,
    pub sort: Sort,
    pub descending: bool,
    /// Where the page before ended: the figure of its last item, and its id.
    pub after: Option<Cursor<2>>,
    /// Most items.
    pub limit: usize,
}

impl StockQuery {
    /// Everything by SKU: a walk along an index, without the table.
    pub fn is_plain(&self) -> bool {
        self.sort == Sort::Sku && self.only == Only::Any && self.ids.is_none()
    }
}

/// What a pass found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Ids, in the order of the list.
    pub items: Vec<i64>,
    pub next: Option<Cursor<2>>,
    /// Items that the whole list has.
    pub matched: usize,
    /// Of all items, or of the `ids`: the numbers beside the filters.
    pub counts: Counts,
}

/// Candidates kept before the best of them are chosen.
const ROOM: usize = 4_096;

/// The smallest (figure, place) beyond `after`. Keeps a bounded number and throws the larger half away when that is full, which costs the
/// same in whatever order they come.
struct Smallest {
    want: usize,
    after: Option<(i64, u32)>,
    kept: Vec<(i64, u32)>,
    /// Those at or above are not among the smallest.
    bound: (i64, u32),
}

impl Smallest {
    fn new(want: usize, after: Option<(i64, u32)>) -> Smallest {
        Smallest { want, after, kept: Vec::with_capacity(ROOM.max(2 * want)), bound: (i64::MAX, u32::MAX) }
    }

    /// Takes one below the bound.
    fn take(&mut self, new: (i64, u32)) {
        if self.after.is_some_and(|after| new <= after) {
            return;
        }
        if self.kept.len() == self.kept.capacity() {
            self.kept.select_nth_unstable(self.want);
            self.kept.truncate(self.want);
            self.bound = self.kept.iter().max().copied().unwrap_or(self.bound);
        }
        self.kept.push(new);
    }

    fn sorted(mut self) -> Vec<(i64, u32)> {
        self.kept.sort_unstable();
        self.kept.truncate(self.want);
        self.kept
    }
}

/// What a page holds: (figure as it is sorted by, place of the item).
type Ranked = Vec<(i64, u32)>;

impl Columns {
    /// The items of a page. None if the sums over its locations are not kept.
    pub fn find(&self, query: &StockQuery) -> Option<Found> {
        let view = self.view(query.locations.as_deref())?;
        let hits: Option<Vec<u32>> = query.ids.as_ref().map(|ids| {
            let mut hits: Vec<u32> = ids.iter().filter_map(|id| self.base.place_of(*id)).map(|n| n as u32).collect();
            hits.sort_unstable();
            hits.dedup();
            hits
        });
        let counts = match &hits {
            Some(hits) => Counts::of(hits.iter().map(|n| view.flags[*n as usize])),
            None => view.counts,
        };
        let mut ranked = match query.sort {
            Sort::Sku => self.base.walk(&self.base.by_sku, view, query, hits.as_deref()),
            Sort::Name => self.base.walk(&self.base.by_name, view, query, hits.as_deref()),
            _ => self.base.rank(view, query, hits.as_deref()),
        };
        let more = ranked.len() > query.limit;
        ranked.truncate(query.limit);
        let last = ranked.last().filter(|_| more).map(|(figure, n)| Cursor([*figure, self.base.ids[*n as usize]]));
        let items = ranked.into_iter().map(|(_, n)| self.base.ids[n as usize]).collect();
        Some(Found { items, next: last, matched: query.only.of(&counts), counts })
    }
}

impl Base {
    /// Along an order that is there already.
    fn walk(&self, order: &[u32], view: &View, query: &StockQuery, hits: Option<&[u32]>) -> Ranked {
        let at = match query.after.map(|Cursor([_, id])| self.place_of(id)) {
            None => None,
            Some(last) => match last.and_then(|last| order.iter().position(|n| *n as usize == last)) {
                Some(at) => Some(at),
                // It is too new to be here, and nobody knows what comes after it.
                None => return Ranked::new(),
            },
        };
        let hit: Option<Vec<bool>> = hits.map(|hits| {
            let mut hit = vec![false; self.ids.len()];
            hits.iter().for_each(|n| hit[*n as usize] = true);
            hit
        });
        let (mask, bits) = query.only.bits();
        let wanted = |n: &&u32| {
            let n = **n as usize;
            view.flags[n] & mask == bits && hit.as_ref().is_none_or(|hit| hit[n])
        };
        let row = |n: &u32| (0, *n);
        if query.descending {
            let rest = &order[..at.unwrap_or(order.len())];
            rest.iter().rev().filter(wanted).take(query.limit + 1).map(row).collect()
        } else {
            let rest = &order[at.map_or(0, |at| at + 1)..];
            rest.iter().filter(wanted).take(query.limit + 1).map(row).collect()
        }
    }

    /// By a figure.
    fn rank(&self, view: &View, query: &StockQuery, hits: Option<&[u32]>) -> Ranked {
        let column = |column: &[u32]| self.rank_by(view, query, hits, |n| i64::from(column[n]));
        match query.sort {
            Sort::OnHand => column(&view.on_hand),
            Sort::Held => column(&view.held),
            Sort::Available => column(&view.available),
            Sort::Incoming => column(&view.incoming),
            Sort::Moved => column(&view.moved),
            Sort::Sold => column(&self.sold),
            Sort::Cover | Sort::Sku | Sort::Name => {
                let never = if query.descending { -1 } else { i64::MAX - 1 };
                // In thousandths of the seven days. The quotient of two such numbers as floats, cut off, is that of the integers: it lies at
                // least 1 / sold from the next integer, and the float at most 2^42 / sold * 2^-53 from it. It is found in a third of the time.
                let cover = |n: usize| match self.sold[n] {
                    0 => never,
                    sold => (f64::from(view.available[n]) * 1_000.0 / f64::from(sold)) as i64,
                };
                self.rank_by(view, query, hits, cover)
            }
        }
    }

    /// By a figure.
    fn rank_by(&self, view: &View, query: &StockQuery, hits: Option<&[u32]>, figure: impl Fn(usize) -> i64) -> Ranked {
        let sign = if query.descending { -1 } else { 1 };
        // An item that is gone would have stood at the place where it would be.
        let place = |id: i64| self.ids.partition_point(|known| *known <= id).saturating_sub(1) as u32;
        let after = query.after.map(|Cursor([figure, id])| (figure, place(id)));
        let mut smallest = Smallest::new(query.limit + 1, after);
        let (mask, bits) = query.only.bits();
        let mut offer = |n: usize, flags: u8| {
            let new = (sign * figure(n), n as u32);
            if flags & mask == bits && new < smallest.bound {
                smallest.take(new);
            }
        };
        match hits {
            Some(hits) => hits.iter().for_each(|n| offer(*n as usize, view.flags[*n as usize])),
            None => view.flags.iter().enumerate().for_each(|(n, flags)| offer(n, *flags)),
        }
        smallest.sorted()
    }
}
