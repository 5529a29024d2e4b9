//! What we know: units in our books, what each listing may still sell, which orders were counted. The same books serve every
//! regime; only `quota` lends from them.

use super::market::TRAITS;
use super::world::{Listing, World, listings_of};
use domain::exposure::Exposure;
use domain::quota::{Demand, Policy, Pool, Seat};

/// What our own shop missed is wanted for this long: 10 s.
const MISSED: i64 = 10_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Not,
    /// Counted, and there are units for it.
    Sent,
    /// Counted, and there is nothing to send yet.
    Short,
    /// Counted, and its buyer is refunded.
    Void,
    Canceled,
}

pub struct Books {
    /// Units that no counted order has, by item.
    pub available: Vec<i64>,
    pub exposure: Vec<Exposure>,
    pub demand: Vec<Demand>,
    pub own: Vec<Demand>,
    /// Units that our own shop missed, and when it last did.
    pub missed: Vec<(i64, i64)>,
    /// By listing.
    pub policy: Vec<Policy>,
    pub of: Vec<Vec<usize>>,
    /// The last number that a listing was set to, if that is known. Only `before` and `broadcast` use it.
    pub pushed: Vec<Option<i64>>,
    /// No writes before then.
    pub blocked_until: Vec<i64>,
    pub seen: Vec<Seen>,
    /// Orders that wait for units, by item.
    pub short: Vec<Vec<usize>>,
}

impl Books {
    pub fn new(world: &World) -> Books {
        let (items, listings) = (world.items.len(), world.listings.len());
        Books {
            available: world.items.iter().map(|i| i.stock).collect(),
            exposure: vec![Exposure::default(); listings],
            demand: vec![Demand::default(); listings],
            own: vec![Demand::default(); items],
            missed: vec![(0, 0); items],
            policy: vec![Policy::default(); listings],
            of: (0..items).map(|item| listings_of(&world.listings, item)).collect(),
            pushed: vec![None; listings],
            blocked_until: vec![0; listings],
            seen: Vec::new(),
            short: vec![Vec::new(); items],
        }
    }

    pub fn pool(&self, item: usize, now: i64) -> Pool {
        let (missed, at) = self.missed[item];
        let own_short = if now - at < MISSED { missed } else { 0 };
        Pool { available: self.available[item], own: self.own[item], own_short, now }
    }

    pub fn miss(&mut self, item: usize, units: i64, now: i64) {
        let (missed, at) = self.missed[item];
        self.missed[item] = (if now - at < MISSED { missed.max(units) } else { units }, now);
    }

    pub fn seats<'a>(&'a self, item: usize, listings: &[Listing], open: &dyn Fn(usize) -> bool, now: i64) -> Vec<Seat<'a>> {
        let seat = |l: &usize| Seat {
            listing: *l as i64,
            per: listings[*l].per,
            policy: &self.policy[*l],
            exposure: &self.exposure[*l],
            demand: self.demand[*l],
            compares: TRAITS[listings[*l].channel].compares,
            open: open(listings[*l].channel) && self.blocked_until[*l] <= now,
            most: i64::MAX,
            stopped: false,
        };
        self.of[item].iter().map(seat).collect()
    }

    /// Units of the item that are promised to channels.
    pub fn lent(&self, item: usize, listings: &[Listing]) -> i64 {
        self.of[item].iter().filter(|l| self.policy[**l].lends()).map(|l| listings[*l].per * self.exposure[*l].total()).sum()
    }
}
