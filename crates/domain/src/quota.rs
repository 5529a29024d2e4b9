//! Quotas: how an item's units are divided among the listings that sell it, and which writes that takes.
//!
//! Each listing gets a share by its demand. A listing that runs low is raised from what is free; when nothing is free, the
//! listing that has most beyond its share is lowered first, and its units are lent again only when they are proved to be back
//! ([`crate::exposure`]). A sale on one channel needs no write to any other. The argument in full: docs/quotas.md.

use crate::exposure::Exposure;
use serde::{Deserialize, Serialize};

/// A listing is raised when less than this share of its quota is left. Lower means fewer writes and more sales missed.
const LOW: f64 = 0.35;

/// Demand of a listing that nobody has bought from lately, in units of a half-life: small beside any real demand.
const PRIOR: f64 = 0.25;

/// Demand is forgotten by half in this time: 2 hours, in microseconds.
const HALF_LIFE: f64 = 7_200e6;

/// How a listing takes part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Mode {
    /// A share by demand; the sum of all shares is never more than there is.
    #[default]
    Quota,
    /// Everything less a buffer, beside others that do the same. For deep stock: it can oversell when stock runs out faster than
    /// the buffer allows for.
    Shared { buffer: i64 },
    /// This many listing units as long as there are as many; lent as a quota is.
    Fixed { units: i64 },
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    pub mode: Mode,
    /// Do not sell it here.
    pub never: bool,
    /// Stop selling here when no more than this many units of the item are left.
    #[serde(skip_serializing_if = "is_zero")]
    pub stop_at: i64,
    /// Never show more than this many listing units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
    /// At most this share of the item's units, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<i64>,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

impl Policy {
    /// Whether units are promised to the channel before it shows them.
    pub fn lends(&self) -> bool {
        !matches!(self.mode, Mode::Shared { .. })
    }
}

/// Units sold lately, each counting half after every half-life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    units: f64,
    at: i64,
}

impl Demand {
    /// As it is stored: millionths of a unit, and when.
    pub fn to_store(self) -> (i64, i64) {
        ((self.units * 1e6).round() as i64, self.at)
    }

    pub fn stored(units: i64, at: i64) -> Demand {
        Demand { units: units as f64 / 1e6, at }
    }

    /// With these units sold at `now` (microseconds).
    pub fn sold(self, units: i64, now: i64) -> Demand {
        Demand { units: self.at(now) + units as f64, at: now.max(self.at) }
    }

    /// What is left of it at `now`.
    pub fn at(self, now: i64) -> f64 {
        self.units * 0.5f64.powf((now - self.at).max(0) as f64 / HALF_LIFE)
    }

    /// Units a second.
    pub fn rate(self, now: i64) -> f64 {
        self.at(now) * std::f64::consts::LN_2 / (HALF_LIFE / 1e6)
    }
}

/// One listing that sells the item.
#[derive(Debug, Clone)]
pub struct Seat<'a> {
    pub listing: i64,
    /// Units of the item in one listing unit.
    pub per: i64,
    pub policy: &'a Policy,
    pub exposure: &'a Exposure,
    pub demand: Demand,
    /// The channel compares before it writes.
    pub compares: bool,
    /// It can be written to now: the channel is not paused, and the listing takes writes.
    pub open: bool,
    /// More listing units than this are not there, whatever this item allows: a kit's other components.
    pub most: i64,
    /// Nothing is sold on the channel for now, whatever the policy says.
    pub stopped: bool,
}

/// The item that the seats share.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pool {
    /// Units that can be promised, lent ones included.
    pub available: i64,
    /// Units sold on our own storefront and API lately.
    pub own: Demand,
    /// Units that a sale of our own wanted and did not find free.
    pub own_short: i64,
    pub now: i64,
}

/// A quantity that a listing should show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    pub listing: i64,
    pub to: i64,
    pub compares: bool,
    pub why: Why,
}

/// Most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Fewer units are there than are lent.
    Overdrawn,
    /// It must not be sold here (any more).
    Stop,
    /// Another listing, or our own shop, needs the units.
    Recall,
    /// It shows nothing, or next to nothing.
    Empty,
    Refill,
}

/// Units promised to the listings.
pub fn lent(seats: &[Seat<'_>]) -> i64 {
    seats.iter().filter(|s| s.policy.lends()).map(|s| s.per.saturating_mul(s.exposure.total())).sum()
}

/// Which writes the item needs now; units for them are free at this moment, all together.
pub fn plan(pool: Pool, seats: &[Seat<'_>]) -> Vec<Wish> {
    let mut free = pool.available - lent(seats);
    let (targets, own) = divide(pool, seats);
    let mut wishes: Vec<Wish> = Vec::new();
    let can_write = |s: &Seat<'_>| s.open && s.exposure.in_flight().is_none();
    let mut wanted = (-free).max(pool.own_short - free.max(0)).max(0);
    // Our own shop sells what is free: it has a share like any listing, and runs low like one.
    if is_low(free.max(0), own) {
        wanted = wanted.max(own - free.max(0));
    }
    let kept = own.max(pool.own_short).min(free.max(0));
    free -= kept;
    let overdrawn = free < 0;
    // Whoever needs units for a customer of ours takes from quotas too, not only from what is beyond them; but no more than that.
    let urgent = overdrawn || pool.own_short > kept;

    for (seat, target) in seats.iter().zip(&targets).filter(|(s, _)| can_write(s)) {
        if !seat.policy.lends() {
            let shown = seat.exposure.shown();
            let near = |shown: i64| (shown - target).abs() <= target / 20 && (*target > 20 || shown == *target);
            if shown.is_none_or(|shown| !near(shown)) {
                let why = if *target == 0 { Why::Stop } else { Why::Refill };
                wishes.push(Wish { listing: seat.listing, to: *target, compares: false, why });
            }
        } else if *target == 0 && seat.exposure.total() > 0 && !returning(seat) && must_stop(pool, seat) {
            wishes.push(lower(seat, seat.exposure.total(), Why::Stop));
        }
    }

    let mut order: Vec<usize> = (0..seats.len()).filter(|n| seats[*n].policy.lends()).collect();
    order.sort_by(|a, b| weight(&seats[*b], pool.now).total_cmp(&weight(&seats[*a], pool.now)).then(a.cmp(b)));
    for n in order {
        let (seat, target) = (&seats[n], targets[n]);
        let has = seat.exposure.total();
        if !is_low(has, target) || !can_write(seat) {
            continue;
        }
        let compares = compares(seat);
        let room = (free / seat.per).min(if compares { target - has } else { target });
        let why = if has == 0 { Why::Empty } else { Why::Refill };
        let to = match (compares, seat.exposure.shown()) {
            (true, Some(shown)) if room > 0 => Some(shown + room),
            (false, _) if room > has => Some(room),
            _ => None,
        };
        match to {
            Some(to) => {
                free -= room * seat.per;
                wishes.push(Wish { listing: seat.listing, to, compares, why });
            }
            None => wanted = wanted.max(seat.per * (target - has) - free.max(0)).max(1),
        }
    }

    // What is on its way back already is not asked for twice.
    let coming: i64 = seats.iter().filter(|s| s.policy.lends() && (returning(s) || lowering(s))).map(|s| s.per * s.exposure.total()).sum();
    wanted -= coming;
    let mut donors: Vec<(i64, usize)> = (0..seats.len())
        .filter(|n| can_write(&seats[*n]) && seats[*n].policy.lends() && !wishes.iter().any(|w| w.listing == seats[*n].listing))
        .filter(|n| !returning(&seats[*n]))
        .map(|n| {
            let keeps = if urgent { 0 } else { targets[n] };
            (seats[n].exposure.total() - keeps, n)
        })
        .filter(|(surplus, _)| *surplus >= 1)
        .collect();
    // A listing that compares gives just what is beyond its share; any other shows nothing for a while.
    donors.sort_by_key(|(surplus, n)| (!compares(&seats[*n]), std::cmp::Reverse(surplus * seats[*n].per), *n));
    let enough = if urgent { 0 } else { wanted / 2 };
    for (surplus, n) in donors {
        if wanted <= enough {
            break;
        }
        let seat = &seats[n];
        let why = if overdrawn { Why::Overdrawn } else { Why::Recall };
        let part = if urgent { surplus.min((wanted + seat.per - 1) / seat.per) } else { surplus };
        let wish = lower(seat, part, why);
        // Nothing of it is shown any more: it is sold and not counted yet, and waiting will tell.
        if seat.exposure.shown() == Some(wish.to) {
            continue;
        }
        wanted -= surplus * seat.per;
        wishes.push(wish);
    }
    wishes.sort_by_key(|w| w.why);
    wishes
}

/// Which listings to read because units are wanted and they may hold some that they cannot sell: more is promised to them than
/// they are believed to show, no write is under way, and nothing is waited for that would tell.
pub fn look(pool: Pool, seats: &[Seat<'_>]) -> Vec<i64> {
    let free = pool.available - lent(seats);
    let (targets, own) = divide(pool, seats);
    let low = |(seat, target): (&Seat<'_>, i64)| seat.policy.lends() && is_low(seat.exposure.total(), target);
    let wanted = free < pool.own_short || is_low(free, own) || seats.iter().zip(targets).any(low);
    let unproven = |seat: &&Seat<'_>| {
        let exposure = seat.exposure;
        let idle = seat.policy.lends() && seat.open && exposure.in_flight().is_none() && !exposure.settles();
        idle && exposure.total() > exposure.shown().unwrap_or(0)
    };
    if wanted { seats.iter().filter(unproven).map(|seat| seat.listing).collect() } else { Vec::new() }
}

/// So little is left of its share that it should be raised.
fn is_low(has: i64, target: i64) -> bool {
    target > has && (has as f64) < (LOW * target as f64).max(1.0)
}

/// Comparing is worth a try, and something is known to compare with.
fn compares(seat: &Seat<'_>) -> bool {
    seat.compares && !seat.exposure.stale() && seat.exposure.shown().is_some()
}

/// Takes this many listing units back: exactly where the channel compares, else all of them.
fn lower(seat: &Seat<'_>, units: i64, why: Why) -> Wish {
    let compares = compares(seat);
    let to = if compares { (seat.exposure.shown().unwrap_or(0) - units).max(0) } else { 0 };
    Wish { listing: seat.listing, to, compares, why }
}

/// It shows nothing, and what it may have sold is being counted.
fn returning(seat: &Seat<'_>) -> bool {
    seat.exposure.shown() == Some(0) && seat.exposure.settles()
}

/// A write that lowers it is under way.
fn lowering(seat: &Seat<'_>) -> bool {
    seat.exposure.in_flight().is_some_and(|w| w.from.map_or(w.to == 0, |from| w.to < from))
}

fn must_stop(pool: Pool, seat: &Seat<'_>) -> bool {
    seat.stopped || seat.policy.never || seat.policy.cap == Some(0) || pool.available <= seat.policy.stop_at
}

fn weight(seat: &Seat<'_>, now: i64) -> f64 {
    seat.demand.at(now) * seat.per as f64 + PRIOR
}

/// What each listing should have, in listing units: by demand, within its policy, every unit given to somebody.
pub fn targets(pool: Pool, seats: &[Seat<'_>]) -> Vec<i64> {
    divide(pool, seats).0
}

/// As [`targets`], and what our own shop should have.
fn divide(pool: Pool, seats: &[Seat<'_>]) -> (Vec<i64>, i64) {
    let units = pool.available.max(0);
    let limits: Vec<i64> = seats.iter().map(|seat| limit(pool, seat)).collect();
    let mut targets: Vec<i64> = seats
        .iter()
        .zip(&limits)
        .map(|(seat, limit)| match seat.policy.mode {
            Mode::Fixed { units } => units.min(*limit),
            Mode::Shared { buffer } => ((units - buffer).max(0) / seat.per).min(*limit),
            Mode::Quota => 0,
        })
        .collect();
    let fixed: i64 = seats.iter().zip(&targets).filter(|(s, _)| matches!(s.policy.mode, Mode::Fixed { .. })).map(|(s, t)| s.per * t).sum();
    let mut left = (units - fixed).max(0);
    let mut open: Vec<usize> = (0..seats.len()).filter(|n| seats[*n].policy.mode == Mode::Quota && limits[*n] > 0).collect();
    let weigh = |n: usize| weight(&seats[n], pool.now);
    open.sort_by(|a, b| weigh(*b).total_cmp(&weigh(*a)).then(a.cmp(b)));
    let own = pool.own.at(pool.now) + PRIOR;
    let divided = left;
    let all: f64 = open.iter().map(|n| weigh(*n)).sum::<f64>() + own;
    for n in &open {
        let share = (divided as f64 * weigh(*n) / all).floor() as i64 / seats[*n].per;
        targets[*n] = share.min(limits[*n]);
        left -= targets[*n] * seats[*n].per;
    }
    // The rest by the size of demand, one each, except what our own shop is likely to sell.
    let own_share = (divided as f64 * own / all).floor() as i64;
    left -= own_share;
    for n in open {
        if left >= seats[n].per && targets[n] < limits[n] {
            targets[n] += 1;
            left -= seats[n].per;
        }
    }
    (targets, own_share)
}

/// The most listing units that policy and stock allow it.
fn limit(pool: Pool, seat: &Seat<'_>) -> i64 {
    let units = pool.available.max(0);
    if must_stop(pool, seat) {
        return 0;
    }
    let share = seat.policy.percent.map_or(units, |p| (units as f64 * p as f64 / 100.0).floor() as i64);
    (share / seat.per).min(seat.policy.cap.unwrap_or(i64::MAX)).min(seat.most).max(0)
}

/// The buffer of a shared listing: the least number that demand during `latency_s` seconds exceeds with at most this `risk`
/// (0 to 1), demand being Poisson with `rate` units a second.
pub fn buffer(rate: f64, latency_s: f64, risk: f64) -> i64 {
    let mean = (rate * latency_s).clamp(0.0, 1e6);
    if mean > 500.0 {
        // The normal approximation, with the quantile by Abramowitz and Stegun 26.2.23 (error below 4.5e-4).
        let t = (-2.0 * risk.clamp(1e-12, 0.5).ln()).sqrt();
        let z = t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1.0 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t);
        return (mean + z * mean.sqrt()).ceil() as i64;
    }
    let mut chance = (-mean).exp();
    let mut sum = chance;
    let mut n = 0i64;
    while 1.0 - sum > risk && n < 10_000 {
        n += 1;
        chance *= mean / n as f64;
        sum += chance;
    }
    n
}
