//! What a simulated marketplace is, whatever its language: listings with what they show, orders, buyers, tokens, limits, and
//! the counters of what truly happened. Seeded, so that a run can be repeated.

use super::mishaps::{Faults, Mishap};
use super::{Event, EventKind};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Microseconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Plain, such as `101`; a front may word it as its vendor does.
    pub id: String,
    pub sku: String,
    pub barcode: Option<String>,
    pub title: String,
    pub shown: i64,
    /// Price of a unit in hundredths.
    pub price: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub id: String,
    pub listing: String,
    pub quantity: i64,
    pub canceled: i64,
    pub shipped: i64,
    /// Of those that were shipped, paid back since.
    pub returned: i64,
}

/// Money paid back to the buyer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refund {
    pub id: String,
    pub note: String,
    pub lines: Vec<RefundLine>,
    pub at: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefundLine {
    /// Empty for the order as a whole.
    pub line: String,
    /// 0 where only money is told.
    pub quantity: i64,
    /// Hundredths.
    pub amount: i64,
    /// Of those that have not left, which are shown again; otherwise those that left go first.
    pub restock: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipment {
    pub id: String,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    /// (line, how often)
    pub lines: Vec<(String, i64)>,
    pub at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Plain, such as `5001`.
    pub id: String,
    pub placed_at: i64,
    pub updated_at: i64,
    pub paid: bool,
    pub canceled_at: Option<i64>,
    pub buyer: String,
    pub country: &'static str,
    pub lines: Vec<Line>,
    pub shipments: Vec<Shipment>,
    pub refunds: Vec<Refund>,
}

impl Order {
    /// Whether all that was not canceled has left.
    pub fn is_shipped(&self) -> bool {
        self.canceled_at.is_none() && self.lines.iter().all(|l| l.canceled + l.shipped >= l.quantity)
    }
}

/// What truly happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    pub orders: u64,
    pub units_sold: i64,
    pub units_canceled: i64,
    pub units_shipped: i64,
    pub refunds: u64,
    /// Hundredths paid back.
    pub refunded: i64,
    /// Buyers who found too little shown.
    pub turned_away: u64,
    /// Quantities set by the seller's program, and those refused because something else was shown.
    pub writes: u64,
    pub stale: u64,
    /// Quantities taken that were never applied.
    pub forgotten: u64,
    pub requests: u64,
    pub edits_behind: u64,
}

/// Why a shipment or a cancellation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    Unknown,
    AlreadyCanceled,
    AlreadyShipped,
    TooMany,
}

#[derive(Default)]
struct State {
    rng: fastrand::Rng,
    faults: Faults,
    /// Down until then.
    down_until: Option<Instant>,
    listings: BTreeMap<String, Listing>,
    /// (SKU, listing), to find listings by their SKU.
    skus: BTreeSet<(String, String)>,
    orders: BTreeMap<u64, Order>,
    /// (last change, order), to find what changed without looking at every order there ever was.
    changes: BTreeSet<(i64, u64)>,
    truth: Truth,
    events: Vec<Event>,
    event_number: u64,
    /// Taken and not applied yet: (not before, listing, quantity).
    waiting: Vec<(i64, String, i64)>,
    /// Good tokens and when they end.
    tokens: BTreeMap<String, i64>,
    /// What limits have left, as of when.
    buckets: BTreeMap<String, (f64, Instant)>,
    last_updated_at: i64,
    next: u64,
}

/// One marketplace with one seller.
pub struct Market {
    state: Mutex<State>,
    clock: Clock,
    pub seed: u64,
}

fn system_clock() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

impl Market {
    pub fn new(seed: u64) -> Arc<Market> {
        Market::with_clock(seed, Arc::new(system_clock))
    }

    pub fn with_clock(seed: u64, clock: Clock) -> Arc<Market> {
        let state = State { rng: fastrand::Rng::with_seed(seed), next: 1000, ..State::default() };
        Arc::new(Market { state: Mutex::new(state), clock, seed })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    // Listings

    pub fn list(&self, listing: Listing) {
        let mut state = self.lock();
        state.skus.insert((listing.sku.clone(), listing.id.clone()));
        if let Some(old) = state.listings.insert(listing.id.clone(), listing.clone())
            && old.sku != listing.sku
        {
            state.skus.remove(&(old.sku, old.id));
        }
    }

    /// In the order of their ids.
    pub fn listings(&self) -> Vec<Listing> {
        self.settle();
        self.lock().listings.values().cloned().collect()
    }

    /// How many of them show something.
    pub fn listings_on_sale(&self) -> usize {
        self.settle();
        self.lock().listings.values().filter(|l| l.shown > 0).count()
    }

    /// At most `count` of them, after this one or from the first.
    pub fn listings_after(&self, after: Option<&str>, count: usize) -> Vec<Listing> {
        self.settle();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.lock().listings.range::<str, _>((from, Bound::Unbounded)).take(count).map(|(_, l)| l.clone()).collect()
    }

    /// At most `count` of them from the `place`th on, counting from 0; and how many there are in all.
    pub fn listings_from(&self, place: usize, count: usize) -> (Vec<Listing>, usize) {
        self.settle();
        let state = self.lock();
        (state.listings.values().skip(place).take(count).cloned().collect(), state.listings.len())
    }

    pub fn listing(&self, id: &str) -> Option<Listing> {
        self.settle();
        self.lock().listings.get(id).cloned()
    }

    pub fn by_sku(&self, sku: &str) -> Option<Listing> {
        self.settle();
        let state = self.lock();
        let (found, id) = state.skus.range((sku.to_owned(), String::new())..).next()?;
        state.listings.get(id).filter(|_| found == sku).cloned()
    }

    pub fn shown(&self, listing: &str) -> Option<i64> {
        self.listing(listing).map(|l| l.shown)
    }

    /// The seller's own program sets a quantity, whatever is shown; false if there is no such listing. May be applied later or
    /// never, as the faults say.
    pub fn set(&self, listing: &str, to: i64) -> bool {
        let now = self.now();
        let mut state = self.lock();
        if !state.listings.contains_key(listing) {
            return false;
        }
        let faults = state.faults;
        if state.rng.f64() < faults.delay {
            if state.rng.f64() < faults.never {
                state.truth.forgotten += 1;
            } else {
                let later = state.rng.i64(1_000..200_000);
                state.waiting.push((now + later, listing.to_owned(), to));
            }
        } else {
            state.show(listing, to, now);
            state.truth.writes += 1;
        }
        true
    }

    /// Sets all or none, at once: where `from` is said, only while just that is shown. Answers the places of the rows that
    /// stand in the way: a listing that does not exist shows None.
    pub fn compare_and_set(&self, rows: &[(String, Option<i64>, i64)]) -> Result<(), Vec<(usize, Option<i64>)>> {
        let now = self.now();
        let mut state = self.lock();
        let mut bad = Vec::new();
        for (n, (listing, from, _)) in rows.iter().enumerate() {
            let shown = state.listings.get(listing).map(|l| l.shown);
            if shown.is_none() || (from.is_some() && *from != shown) {
                bad.push((n, shown));
            }
        }
        if !bad.is_empty() {
            state.truth.stale += bad.len() as u64;
            return Err(bad);
        }
        for (listing, _, to) in rows {
            state.show(listing, *to, now);
            state.truth.writes += 1;
        }
        Ok(())
    }

    /// Applies what was taken and is due.
    fn settle(&self) {
        let now = self.now();
        let mut state = self.lock();
        let (due, waiting) = std::mem::take(&mut state.waiting).into_iter().partition(|(at, ..)| *at <= now);
        state.waiting = waiting;
        let due: Vec<(i64, String, i64)> = due;
        for (_, listing, to) in due {
            state.show(&listing, to, now);
            state.truth.writes += 1;
        }
    }

    /// A person changes a quantity in the marketplace's own pages.
    pub fn edit_behind_our_back(&self, listing: &str, quantity: i64) {
        let now = self.now();
        let mut state = self.lock();
        state.truth.edits_behind += 1;
        state.show(listing, quantity, now);
    }

    // Orders

    /// A buyer buys one listing and pays; None if too little is shown.
    pub fn buy(&self, listing: &str, quantity: i64) -> Option<String> {
        self.buy_lines(&[(listing, quantity)], true)
    }

    /// A buyer buys all of these or nothing; a listing may stand there once.
    pub fn buy_lines(&self, wanted: &[(&str, i64)], paid: bool) -> Option<String> {
        self.settle();
        let now = self.now();
        let mut state = self.lock();
        let enough = wanted.iter().all(|(id, quantity)| *quantity > 0 && state.listings.get(*id).is_some_and(|l| l.shown >= *quantity));
        if !enough {
            state.truth.turned_away += 1;
            return None;
        }
        state.next += 1;
        let number = state.next;
        let mut lines = Vec::new();
        for (n, (id, quantity)) in wanted.iter().enumerate() {
            let left = state.listings.get(*id).map_or(0, |l| l.shown) - quantity;
            state.show(id, left, now);
            state.truth.units_sold += quantity;
            lines.push(Line { id: format!("{number}{n:02}"), listing: (*id).to_owned(), quantity: *quantity, canceled: 0, shipped: 0, returned: 0 });
        }
        state.truth.orders += 1;
        let buyer = format!("Buyer {}", state.rng.u32(1..1000));
        let country = ["US", "GB", "DE", "FR", "CA"][state.rng.usize(0..5)];
        let updated_at = state.tick(now);
        let order = Order {
            id: number.to_string(),
            placed_at: updated_at,
            updated_at,
            paid,
            canceled_at: None,
            buyer,
            country,
            lines,
            shipments: Vec::new(),
            refunds: Vec::new(),
        };
        state.orders.insert(number, order);
        state.changes.insert((updated_at, number));
        state.tell(EventKind::Placed(number.to_string()), now);
        if paid {
            state.tell(EventKind::Paid(number.to_string()), now);
        }
        Some(number.to_string())
    }

    pub fn pay(&self, order: &str) -> Result<(), No> {
        self.change(order, EventKind::Paid, |_, o| {
            o.paid = true;
            Ok(())
        })
    }

    /// Cancels what has not left; with `restock` its units are shown again. By the buyer or by the seller.
    pub fn cancel(&self, order: &str, restock: bool) -> Result<(), No> {
        self.change(order, EventKind::Canceled, |state, order| {
            if order.is_shipped() {
                return Err(No::AlreadyShipped);
            }
            order.canceled_at = Some(order.updated_at);
            for line in &mut order.lines {
                let open = line.quantity - line.canceled - line.shipped;
                line.canceled += open;
                state.truth.units_canceled += open;
                let shown = state.listings.get(&line.listing).map_or(0, |l| l.shown);
                if restock && open > 0 {
                    state.show(&line.listing, shown + open, order.updated_at);
                }
            }
            Ok(())
        })
    }

    /// The buyer takes back some units of a line that have not left.
    pub fn cancel_units(&self, order: &str, line: &str, quantity: i64, restock: bool) -> Result<(), No> {
        self.change(order, EventKind::Changed, |state, order| {
            let line = order.lines.iter_mut().find(|l| l.id == line).ok_or(No::Unknown)?;
            if line.canceled + line.shipped + quantity > line.quantity {
                return Err(No::TooMany);
            }
            line.canceled += quantity;
            state.truth.units_canceled += quantity;
            let shown = state.listings.get(&line.listing).map_or(0, |l| l.shown);
            if restock {
                state.show(&line.listing, shown + quantity, order.updated_at);
            }
            Ok(())
        })
    }

    /// Notes what left; answers the shipment's id.
    pub fn ship(&self, order: &str, lines: &[(String, i64)], carrier: Option<&str>, tracking_number: Option<&str>) -> Result<String, No> {
        self.change(order, EventKind::Changed, |state, order| {
            for (id, quantity) in lines {
                let line = order.lines.iter().find(|l| l.id == *id).ok_or(No::Unknown)?;
                if *quantity <= 0 || line.canceled + line.shipped + quantity > line.quantity {
                    return Err(No::TooMany);
                }
            }
            for (id, quantity) in lines {
                for line in order.lines.iter_mut().filter(|l| l.id == *id) {
                    line.shipped += quantity;
                    state.truth.units_shipped += quantity;
                }
            }
            state.next += 1;
            let id = state.next.to_string();
            let (carrier, tracking_number) = (carrier.map(str::to_owned), tracking_number.map(str::to_owned));
            order.shipments.push(Shipment { id: id.clone(), carrier, tracking_number, lines: lines.to_vec(), at: order.updated_at });
            Ok(id)
        })
    }

    /// Pays back; answers the refund's id, which is made here. All lines or none.
    pub fn refund(&self, order: &str, mut refund: Refund) -> Result<String, No> {
        self.change(order, EventKind::Changed, |state, order| {
            let mut canceled = Vec::new();
            for told in refund.lines.iter().filter(|l| l.quantity > 0) {
                let line = order.lines.iter_mut().find(|l| l.id == told.line).ok_or(No::Unknown)?;
                let left = if told.restock { 0 } else { (line.shipped - line.returned).min(told.quantity) };
                let open = told.quantity - left;
                if line.canceled + line.shipped + open > line.quantity {
                    return Err(No::TooMany);
                }
                line.returned += left;
                line.canceled += open;
                canceled.push((line.listing.clone(), open, told.restock));
            }
            for (listing, units, restock) in canceled {
                state.truth.units_canceled += units;
                let shown = state.listings.get(&listing).map_or(0, |l| l.shown);
                if restock {
                    state.show(&listing, shown + units, order.updated_at);
                }
            }
            state.next += 1;
            (refund.id, refund.at) = (state.next.to_string(), order.updated_at);
            state.truth.refunds += 1;
            state.truth.refunded += refund.lines.iter().map(|l| l.amount).sum::<i64>();
            order.refunds.push(refund.clone());
            Ok(refund.id)
        })
    }

    fn change<T>(&self, id: &str, kind: fn(String) -> EventKind, work: impl FnOnce(&mut State, &mut Order) -> Result<T, No>) -> Result<T, No> {
        let now = self.now();
        let mut state = self.lock();
        let key: u64 = id.parse().map_err(|_| No::Unknown)?;
        let mut order = state.orders.get(&key).cloned().ok_or(No::Unknown)?;
        if order.canceled_at.is_some() {
            return Err(No::AlreadyCanceled);
        }
        let before = order.updated_at;
        order.updated_at = state.tick(now);
        let done = work(&mut state, &mut order)?;
        state.changes.remove(&(before, key));
        state.changes.insert((order.updated_at, key));
        state.orders.insert(key, order);
        state.tell(kind(id.to_owned()), now);
        Ok(done)
    }

    pub fn order(&self, id: &str) -> Option<Order> {
        self.lock().orders.get(&id.parse().ok()?).cloned()
    }

    /// All that changed at or after `from`, in the order of their last change.
    pub fn orders_since(&self, from: i64) -> Vec<Order> {
        self.among_orders_since(from, |orders| orders.cloned().collect())
    }

    /// Looks through all that changed at or after `from`, in the order of their last change, without a copy of each. The market
    /// stands still meanwhile: `look` must not ask it anything.
    pub fn among_orders_since<T>(&self, from: i64, look: impl FnOnce(&mut dyn Iterator<Item = &Order>) -> T) -> T {
        let state = self.lock();
        look(&mut state.changes.range((from, 0)..).filter_map(|(_, order)| state.orders.get(order)))
    }

    pub fn truth(&self) -> Truth {
        self.lock().truth.clone()
    }

    // Events

    /// The events since the last call, as often and in the order in which the faults have them told.
    pub fn events(&self) -> Vec<Event> {
        let mut state = self.lock();
        let faults = state.faults;
        let mut told = Vec::new();
        for event in std::mem::take(&mut state.events) {
            if state.rng.f64() < faults.drop {
                continue;
            }
            let times = if state.rng.f64() < faults.duplicate { state.rng.usize(2..=10) } else { 1 };
            told.extend(std::iter::repeat_n(event, times));
        }
        if state.rng.f64() < faults.out_of_order {
            state.rng.shuffle(&mut told);
        }
        told
    }

    // Faults, tokens, limits

    pub fn faults(&self) -> Faults {
        self.lock().faults
    }

    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Nothing works from now on, for so long; 0 ends it.
    pub fn down_for(&self, milliseconds: u64) {
        self.lock().down_until = Some(Instant::now() + std::time::Duration::from_millis(milliseconds));
    }

    /// Counts a request and draws what happens to it. A front calls it once for each request; tokens may run out by it.
    pub fn mishap(&self) -> Mishap {
        let mut state = self.lock();
        state.truth.requests += 1;
        if state.down_until.is_some_and(|until| Instant::now() < until) {
            return if state.rng.bool() { Mishap::Down } else { Mishap::CutBefore };
        }
        let faults = state.faults;
        if state.rng.f64() < faults.expire {
            state.tokens.clear();
        }
        Mishap::draw(&faults, &mut state.rng)
    }

    /// Whether this answer should have something unknown in it.
    pub fn says_unknown(&self) -> bool {
        let mut state = self.lock();
        let chance = state.faults.unknown;
        state.rng.f64() < chance
    }

    /// A new token.
    pub fn issue_token(&self, lifetime_seconds: i64) -> String {
        let now = self.now();
        let mut state = self.lock();
        let token = format!("token-{:016x}", state.rng.u64(..));
        state.tokens.insert(token.clone(), now + lifetime_seconds * 1_000_000);
        token
    }

    pub fn token_is_good(&self, token: &str) -> bool {
        let now = self.now();
        self.lock().tokens.get(token).is_some_and(|ends| *ends > now)
    }

    pub fn expire_tokens(&self) {
        self.lock().tokens.clear();
    }

    /// Takes from a leaky bucket of this name: what is left, or, if it holds too little, what it holds.
    pub fn spend(&self, name: &str, burst: f64, per_second: f64, cost: f64) -> Result<f64, f64> {
        let now = Instant::now();
        let mut state = self.lock();
        let (left, at) = state.buckets.get(name).copied().unwrap_or((burst, now));
        let left = (left + (now - at).as_secs_f64() * per_second).min(burst);
        let enough = left >= cost;
        let left = if enough { left - cost } else { left };
        state.buckets.insert(name.to_owned(), (left, now));
        if enough { Ok(left) } else { Err(left) }
    }
}

impl State {
    fn show(&mut self, listing: &str, quantity: i64, now: i64) {
        if let Some(found) = self.listings.get_mut(listing) {
            found.shown = quantity;
            self.tell(EventKind::Shown(listing.to_owned(), quantity), now);
        }
    }

    fn tell(&mut self, kind: EventKind, at: i64) {
        self.event_number += 1;
        self.events.push(Event { number: self.event_number, kind, at });
    }

    /// A time that no other change has.
    fn tick(&mut self, now: i64) -> i64 {
        self.last_updated_at = now.max(self.last_updated_at + 1);
        self.last_updated_at
    }
}
