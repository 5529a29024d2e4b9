//! The marketplaces as they really are: what each listing shows, how they take writes, answer and fail, and what they tell
//! about orders. Nothing in here knows what we believe.

use super::world::{Listing, World};
use super::{DAY, MINUTE, SECOND};
use fastrand::Rng;
use std::collections::BTreeMap;

pub const CHANNELS: usize = 3;

/// How long we wait for an answer.
pub const TIMEOUT: i64 = 10 * SECOND;

/// What a kind of channel can do, and how much it lets one ask.
pub struct Traits {
    /// A write says which number it replaces, and a write repeated under the same key is done once.
    pub compares: bool,
    /// Its answer says that it took the write, not that buyers see it.
    pub only_accepts: bool,
    /// Listings in one writing or reading call.
    pub rows: usize,
    /// Calls a second, and how many at once after a rest.
    pub rate: f64,
    pub burst: f64,
    pub polls: f64,
    pub poll_burst: f64,
    /// Between two polls when nothing presses, and when something waits for the watermark.
    pub poll_idle: i64,
    pub poll_eager: i64,
    /// Writes to one listing in a day.
    pub revisions: Option<u32>,
    /// The longest that a write takes from being sent to being applied, if it ever is.
    pub late: i64,
    /// An order is in the list this long after it was placed.
    pub lag: i64,
}

/// Like Shopify, eBay and Amazon, in this order; the figures are those of their documentation where there are any.
pub const TRAITS: [Traits; CHANNELS] = [
    Traits {
        compares: true,
        only_accepts: false,
        rows: 250,
        rate: 10.0,
        burst: 100.0,
        polls: 1.0,
        poll_burst: 10.0,
        poll_idle: MINUTE,
        poll_eager: 3 * SECOND,
        revisions: None,
        late: MINUTE,
        lag: SECOND,
    },
    Traits {
        compares: false,
        only_accepts: false,
        rows: 25,
        rate: 5.0,
        burst: 20.0,
        polls: 1.0,
        poll_burst: 10.0,
        poll_idle: MINUTE,
        poll_eager: 3 * SECOND,
        revisions: Some(250),
        late: MINUTE,
        lag: SECOND,
    },
    Traits {
        compares: false,
        only_accepts: true,
        rows: 1,
        rate: 5.0,
        burst: 5.0,
        polls: 0.0056,
        poll_burst: 20.0,
        poll_idle: 15 * MINUTE,
        poll_eager: 20 * SECOND,
        revisions: None,
        late: 5 * MINUTE,
        lag: 2 * MINUTE,
    },
];

/// A bucket that fills at a rate and holds so much.
#[derive(Debug, Clone)]
pub struct Bucket {
    tokens: f64,
    at: i64,
    rate: f64,
    burst: f64,
}

impl Bucket {
    pub fn new(rate: f64, burst: f64) -> Bucket {
        Bucket { tokens: burst, at: 0, rate, burst }
    }

    /// Takes one, or tells when there will be one.
    pub fn take(&mut self, now: i64) -> Result<(), i64> {
        self.tokens = (self.tokens + (now - self.at).max(0) as f64 / 1e6 * self.rate).min(self.burst);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(now + ((1.0 - self.tokens) / self.rate * 1e6) as i64 + 1000)
    }
}

/// One listing's write in a call.
#[derive(Debug, Clone)]
pub struct Row {
    pub listing: usize,
    /// The write, and the key under which it is done once where that is offered.
    pub id: i64,
    pub from: Option<i64>,
    pub to: i64,
    pub tries: u32,
    /// When what made it necessary happened.
    pub since: i64,
}

#[derive(Debug, Clone)]
pub enum What {
    Write(Vec<Row>),
    Read(Vec<usize>),
    /// Orders placed or changed since then, by the channel's clock.
    Poll {
        since: i64,
    },
}

/// What goes wrong with a call, drawn when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Well,
    RequestLost,
    ReplyLost,
    /// It arrives long after we stopped waiting.
    Slow(i64),
    Throttled,
    /// 500, after doing it or not.
    Failed {
        done: bool,
    },
}

impl Fate {
    pub fn draw(rng: &mut Rng, faults: bool) -> Fate {
        match rng.u32(0..1000) {
            _ if !faults => Fate::Well,
            0..8 => Fate::RequestLost,
            8..18 => Fate::ReplyLost,
            18..24 => Fate::Slow(rng.i64(10 * SECOND..40 * SECOND)),
            24..34 => Fate::Throttled,
            34..44 => Fate::Failed { done: rng.bool() },
            _ => Fate::Well,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowAnswer {
    Applied,
    Accepted,
    /// It shows another number than the write compared with.
    Stale(i64),
    Refused,
    /// Written to too often today.
    Blocked,
}

#[derive(Debug, Clone)]
pub enum Answer {
    Rows(Vec<RowAnswer>),
    Shown(Vec<i64>),
    /// Places in the order book, and whether it was canceled.
    Orders(Vec<(usize, bool)>),
    /// Surely nothing was done.
    Throttled,
    Unreachable,
    /// Who knows.
    Failed,
}

/// A change of an order, as the channel lists it: (when in truth, order).
type Change = (i64, usize);

pub struct Markets {
    pub shown: Vec<i64>,
    /// What each listing would show if nobody had ever added units there behind our back.
    pub honest: Vec<i64>,
    /// Writes on their way or waiting to be applied: (listing, id, from, to), once for each copy.
    pub under_way: Vec<(usize, i64, Option<i64>, i64)>,
    pub changes: [Vec<Change>; CHANNELS],
    buckets: [Bucket; CHANNELS],
    poll_buckets: [Bucket; CHANNELS],
    revisions: BTreeMap<(usize, i64), u32>,
    /// Answers to writes that were done, by their key.
    done: BTreeMap<i64, RowAnswer>,
    rng: Rng,
    faults: bool,
}

/// Lognormal, with this median, never beyond 20 times of it.
pub fn lognormal(rng: &mut Rng, median: i64, sigma: f64) -> i64 {
    let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    (median as f64 * (sigma * normal).exp().min(20.0)) as i64
}

impl Markets {
    pub fn new(world: &World, seed: u64, faults: bool) -> Markets {
        let n = world.listings.len();
        Markets {
            shown: vec![0; n],
            honest: vec![0; n],
            under_way: Vec::new(),
            changes: Default::default(),
            buckets: std::array::from_fn(|c| Bucket::new(TRAITS[c].rate * 1.2, TRAITS[c].burst + 2.0)),
            poll_buckets: std::array::from_fn(|c| Bucket::new(TRAITS[c].polls, TRAITS[c].poll_burst)),
            revisions: BTreeMap::new(),
            done: BTreeMap::new(),
            rng: Rng::with_seed(seed ^ 0xFA17),
            faults,
        }
    }

    /// A call arrives. What is to be applied later is answered beside it: (delay, row).
    pub fn arrive(
        &mut self,
        channel: usize,
        what: &What,
        fate: Fate,
        now: i64,
        world: &World,
        out: bool,
        order: &dyn Fn(usize) -> (i64, bool),
    ) -> (Option<Answer>, Vec<(i64, Row)>) {
        if let What::Write(rows) = what {
            for row in rows {
                self.leave(row.id);
            }
        }
        if out {
            return (self.rng.bool().then_some(Answer::Unreachable), Vec::new());
        }
        let bucket = if matches!(what, What::Poll { .. }) { &mut self.poll_buckets[channel] } else { &mut self.buckets[channel] };
        if fate == Fate::Throttled || bucket.take(now).is_err() {
            return (Some(Answer::Throttled), Vec::new());
        }
        if fate == (Fate::Failed { done: false }) {
            return (Some(Answer::Failed), Vec::new());
        }
        let mut later = Vec::new();
        let answer = match what {
            What::Write(rows) => Answer::Rows(rows.iter().map(|row| self.write(channel, row, now, &world.listings, &mut later)).collect()),
            What::Read(listings) => Answer::Shown(listings.iter().map(|l| self.shown[*l]).collect()),
            What::Poll { since } => {
                // Listed by creation and by change, without an upper end, so that a changed order never hides.
                let (skew, visible) = (world.skews[channel], now - TRAITS[channel].lag);
                let changes = &self.changes[channel];
                let from = changes.partition_point(|(at, _)| at + skew < *since);
                let listed = changes[from..].iter().map(|(at, o)| (*at, *o, order(*o)));
                Answer::Orders(listed.filter(|(at, _, (placed, _))| *at.min(placed) <= visible).map(|(_, o, (_, canceled))| (o, canceled)).collect())
            }
        };
        match fate {
            Fate::ReplyLost => (None, later),
            Fate::Failed { .. } => (Some(Answer::Failed), later),
            _ => (Some(answer), later),
        }
    }

    fn write(&mut self, channel: usize, row: &Row, now: i64, listings: &[Listing], later: &mut Vec<(i64, Row)>) -> RowAnswer {
        let traits = &TRAITS[channel];
        debug_assert_eq!(listings[row.listing].channel, channel);
        if traits.compares
            && let Some(answer) = self.done.get(&row.id)
        {
            return *answer;
        }
        if let Some(most) = traits.revisions {
            let count = self.revisions.entry((row.listing, now / DAY)).or_default();
            *count += 1;
            if *count > most {
                return RowAnswer::Blocked;
            }
        }
        if self.faults && self.rng.u32(0..500) == 0 {
            if traits.compares {
                self.done.insert(row.id, RowAnswer::Refused);
            }
            return RowAnswer::Refused;
        }
        if traits.only_accepts {
            // Accepted and never applied, one time in fifty.
            if !self.faults || self.rng.u32(0..50) != 0 {
                let delay = lognormal(&mut self.rng, 12 * SECOND, 1.0).min(traits.late - TIMEOUT - MINUTE);
                self.under_way.push((row.listing, row.id, row.from, row.to));
                later.push((delay, row.clone()));
            }
            return RowAnswer::Accepted;
        }
        let answer = match row.from {
            Some(from) if from != self.shown[row.listing] => RowAnswer::Stale(self.shown[row.listing]),
            Some(from) => {
                self.honest[row.listing] = (self.honest[row.listing] + row.to - from).clamp(0, row.to);
                self.shown[row.listing] = row.to;
                RowAnswer::Applied
            }
            None => {
                self.set(row.listing, row.to);
                RowAnswer::Applied
            }
        };
        if traits.compares {
            self.done.insert(row.id, answer);
        }
        answer
    }

    /// A write that was accepted is applied.
    pub fn apply(&mut self, row: &Row) {
        self.leave(row.id);
        self.set(row.listing, row.to);
    }

    pub fn set(&mut self, listing: usize, to: i64) {
        self.shown[listing] = to;
        self.honest[listing] = to;
    }

    fn leave(&mut self, id: i64) {
        if let Some(place) = self.under_way.iter().position(|u| u.1 == id) {
            self.under_way.swap_remove(place);
        }
    }

    /// The most that listings of the item can still sell with nobody being asked: shown, and raised by writes under way.
    pub fn may_sell(&self, listings: &[Listing], of: &[usize]) -> i64 {
        let shown: i64 = of.iter().map(|l| listings[*l].per * self.shown[*l]).sum();
        // Of the copies of a write under its key one is done, at most.
        let mut copies = std::collections::BTreeSet::new();
        let mut coming = 0;
        for (l, id, from, to) in self.under_way.iter().filter(|u| of.contains(&u.0)) {
            let keyed = TRAITS[listings[*l].channel].compares;
            if !keyed || (!self.done.contains_key(id) && copies.insert(id)) {
                coming += listings[*l].per * (to - from.unwrap_or(0)).max(0);
            }
        }
        shown + coming
    }
}
