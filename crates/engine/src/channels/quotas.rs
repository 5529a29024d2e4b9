//! Quotas in the batch: what is lent of an item, what is left for our own sales, and which listings want a write.

use super::rows::Listing;
use crate::Stop;
use crate::batch::Batch;
use domain::quota::{self, Demand, Policy, Pool, Seat, Why, Wish};
use domain::stock::Account::Available;
use std::collections::{BTreeSet, HashMap};

/// The channel of our own shop and API.
pub const OWN: i64 = 0;
/// Channels are asked for units that a sale of our own missed for this long after it: 10 s, as in the season's simulation.
const MISSED: i64 = 10_000_000;

/// The listings of a batch and what they sell.
#[derive(Default)]
pub struct Seats {
    /// By item: (listing, units of the item in one listing unit).
    pub by_item: HashMap<i64, Vec<(i64, i64)>>,
    /// By listing: the items it sells.
    pub by_listing: HashMap<i64, Vec<(i64, i64)>>,
    /// Items whose listings are to be looked at again.
    pub touched: BTreeSet<i64>,
}

impl Seats {
    pub fn add(&mut self, item: i64, listing: i64, per: i64) {
        let put = |map: &mut HashMap<i64, Vec<(i64, i64)>>, at: i64, what: (i64, i64)| {
            let known = map.entry(at).or_default();
            if !known.contains(&what) {
                known.push(what);
            }
        };
        put(&mut self.by_item, item, (listing, per));
        put(&mut self.by_listing, listing, (item, per));
    }
}

impl Batch<'_> {
    /// The policy that a listing follows.
    pub(crate) fn policy<'b>(&'b self, listing: &'b Listing) -> Option<&'b Policy> {
        listing.policy.as_ref().or_else(|| self.config.channel(listing.channel).map(|c| &c.policy))
    }

    /// Units of an item promised to channels: they may have been sold there, unseen.
    pub fn lent(&self, item: i64) -> i64 {
        self.lent_but(item, None)
    }

    fn lent_but(&self, item: i64, but: Option<i64>) -> i64 {
        let Some(seats) = self.seats.by_item.get(&item) else { return 0 };
        seats
            .iter()
            .filter(|(listing, _)| Some(*listing) != but)
            .filter_map(|(listing, per)| Some((self.listings.get(*listing)?, per)))
            .filter(|(listing, _)| listing.channel != OWN && self.policy(listing).is_some_and(Policy::lends))
            .map(|(listing, per)| per.saturating_mul(listing.exposure.total()))
            .sum()
    }

    /// Units of an item that are lent to no channel: what we may sell and promise ourselves.
    pub fn unlent(&self, item: i64) -> i64 {
        self.available(item) - self.lent(item)
    }

    /// Units of an item at a location that may be sent away or set aside by hand: those that are lent may have been sold already.
    pub fn spare(&self, item: i64, location: i64) -> i64 {
        let here = self.level(item, location).get(Available);
        // Nothing is lent of what a closed location has.
        if self.config.is_active(location) { here.min(self.unlent(item)).max(0) } else { here }
    }

    /// A sale of our own wanted units that are lent: the channels are asked for them, for a while.
    pub fn ask_back(&mut self, item: i64, units: i64) -> Result<(), Stop> {
        let now = self.now;
        if let Some(kept) = self.own_listing(item)?.and_then(|id| self.listings.change(id)) {
            let known = if now - kept.missed.1 < MISSED { kept.missed.0 } else { 0 };
            kept.missed = (known.max(units), now);
            self.seats.touched.insert(item);
        }
        Ok(())
    }

    /// Units that our own shop sold: they weigh in when shares are made.
    pub fn sold_here(&mut self, item: i64, units: i64) -> Result<(), Stop> {
        let now = self.now;
        if let Some(kept) = self.own_listing(item)?.and_then(|id| self.listings.change(id)) {
            kept.demand = kept.demand.sold(units, now);
        }
        Ok(())
    }

    /// The listing that stands for our own shop, if the item is listed anywhere else.
    fn own_listing(&mut self, item: i64) -> Result<Option<i64>, Stop> {
        let Some(seats) = self.seats.by_item.get(&item).filter(|s| !s.is_empty()) else { return Ok(None) };
        let own = seats.iter().map(|(listing, _)| *listing).find(|id| self.listings.get(*id).is_some_and(|l| l.channel == OWN));
        if own.is_some() {
            return Ok(own);
        }
        let id = self.id()?;
        self.listings.add(id, Listing { item: Some(item), ..Listing::new(id, OWN, format!("item:{item}")) });
        self.seats.add(item, id, 1);
        super::listings::link(self, id, item, 1);
        Ok(Some(id))
    }

    /// What is divided of an item, and the listings that it is divided among.
    pub(crate) fn seats_of(&self, item: i64) -> (Pool, Vec<Seat<'_>>) {
        self.seats_with(item, None)
    }

    /// The same as if one channel were not paused.
    fn seats_with(&self, item: i64, resumed: Option<i64>) -> (Pool, Vec<Seat<'_>>) {
        let (mut own, mut own_short) = (Demand::default(), self.owed_beyond(item));
        let mut to_contracts = 0;
        let mut seats: Vec<Seat<'_>> = Vec::new();
        for (id, per) in self.seats.by_item.get(&item).into_iter().flatten() {
            let Some(listing) = self.listings.get(*id) else { continue };
            if listing.channel == OWN {
                own = listing.demand;
                if self.now - listing.missed.1 < MISSED {
                    own_short = own_short.max(listing.missed.0);
                }
                continue;
            }
            let (Some(channel), Some(policy)) = (self.config.channel(listing.channel), self.policy(listing)) else { continue };
            if channel.is_contract() {
                to_contracts += per * listing.exposure.total();
                continue;
            }
            seats.push(Seat {
                listing: *id,
                per: *per,
                policy,
                exposure: &listing.exposure,
                demand: listing.demand,
                compares: channel.compares,
                open: (!channel.paused || resumed == Some(channel.id)) && listing.fault.is_none(),
                most: self.most(*id, item),
                stopped: channel.stopped || !self.is_sold(listing),
            });
        }
        // What is set aside under contracts is nobody else's; what they are owed beyond it is asked for as for a sale of our own.
        (Pool { available: self.available(item) - to_contracts, own, own_short, now: self.now }, seats)
    }

    /// Whether what a listing sells is still for sale.
    fn is_sold(&self, listing: &Listing) -> bool {
        listing.item.and_then(|id| self.item_by_id(id)).is_none_or(|item| item.active)
    }

    /// The most listing units that the other components of a kit allow.
    fn most(&self, listing: i64, item: i64) -> i64 {
        let others = self.seats.by_listing.get(&listing).into_iter().flatten().filter(|(other, _)| *other != item);
        others.map(|(other, per)| ((self.available(*other) - self.lent_but(*other, Some(listing))) / per).max(0)).min().unwrap_or(i64::MAX)
    }

    /// What a listing should show, by all the items that it sells: the least of what they allow, a lowering before a raising.
    pub(crate) fn wish(&self, listing: i64) -> Option<Wish> {
        self.wish_with(listing, None)
    }

    /// The same once its channel goes on.
    pub(crate) fn wish_when_resumed(&self, listing: i64) -> Option<Wish> {
        self.wish_with(listing, self.listings.get(listing).map(|l| l.channel))
    }

    fn wish_with(&self, listing: i64, resumed: Option<i64>) -> Option<Wish> {
        let items = self.seats.by_listing.get(&listing)?;
        let of_item = |item: i64| {
            let (pool, seats) = self.seats_with(item, resumed);
            quota::plan(pool, &seats).into_iter().find(|w| w.listing == listing)
        };
        let wishes: Vec<Option<Wish>> = items.iter().map(|(item, _)| of_item(*item)).collect();
        let lowers = |w: &Wish| matches!(w.why, Why::Overdrawn | Why::Stop | Why::Recall);
        if let Some(least) = wishes.iter().flatten().filter(|w| lowers(w)).min_by_key(|w| w.to) {
            return Some(*least);
        }
        if wishes.iter().any(Option::is_none) {
            return None;
        }
        wishes.into_iter().flatten().min_by_key(|w| w.to)
    }

    /// Looks again at the listings of every item that changed, and notes which of them want a write.
    pub(crate) fn replan(&mut self) {
        if self.config.channels.is_empty() {
            return;
        }
        let mut items = std::mem::take(&mut self.seats.touched);
        items.extend(self.changed_items_of_levels());
        let now = self.now;
        let mut listings: BTreeSet<i64> = BTreeSet::new();
        for item in &items {
            self.set_aside(*item);
            listings.extend(self.seats.by_item.get(item).into_iter().flatten().map(|(listing, _)| *listing));
        }
        for id in listings {
            let Some(listing) = self.listings.get(id).filter(|l| l.channel != OWN && self.contract_lines.get(id).is_none()) else { continue };
            let due = self.wish(id).map(|wish| (listing.due.map_or(now, |(since, _)| since), wish.why));
            if due != listing.due
                && let Some(kept) = self.listings.change(id)
            {
                kept.due = due;
            }
        }
    }
}
