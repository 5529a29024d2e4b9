//! Token buckets that keep calls within what the marketplace allows, as published and then as its answers tell.

use super::Limit;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Limits {
    buckets: BTreeMap<&'static str, Bucket>,
    /// What each operation takes out of which bucket, as last told.
    told: BTreeMap<&'static str, Limit>,
}

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    /// Below 0 when calls wait already.
    left: f64,
    at: Instant,
    /// Taken out by calls that have not come back.
    out: f64,
    not_before: Instant,
}

/// What a call took out; to be given to [`Limits::settle`] when it is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    bucket: &'static str,
    cost: f64,
}

impl Limits {
    /// Takes out what a call costs: how long to wait before it is sent. If that is longer than `longest`, takes nothing and
    /// answers how long it would be.
    pub(super) fn take(
        &mut self,
        what: &'static str,
        published: Option<Limit>,
        now: Instant,
        longest: Duration,
    ) -> Result<(Taken, Duration), Duration> {
        let limit = self.told.get(what).copied().or(published).unwrap_or(Limit {
            bucket: what,
            per_second: f64::INFINITY,
            burst: f64::INFINITY,
            cost: 0.0,
            keep: 0.0,
            left: None,
        });
        let bucket = self.buckets.entry(limit.bucket).or_insert_with(|| Bucket::full(&limit, now));
        bucket.fill(now);
        // No more than a full bucket holds, or it would never go; figures of others may be below 0.
        let cost = limit.cost.min(bucket.burst).max(0.0);
        let keep = limit.keep.min(bucket.burst - cost).max(0.0);
        let missing = cost + keep - bucket.left;
        // A bucket that never fills is asked once a second: a marketplace that tells a rate of 0 must not be asked in a loop.
        let fills_in = if missing <= 0.0 { Duration::ZERO } else { Duration::try_from_secs_f64(missing / bucket.per_second).unwrap_or(ONE) };
        let wait = fills_in.max(bucket.not_before.saturating_duration_since(now));
        if wait > longest {
            return Err(wait);
        }
        bucket.left -= cost;
        bucket.out += cost;
        Ok((Taken { bucket: limit.bucket, cost }, wait))
    }

    /// A call is over; `told` is what its answer said.
    pub(super) fn settle(&mut self, what: &'static str, taken: Taken, told: Option<Limit>, now: Instant) {
        if let Some(bucket) = self.buckets.get_mut(taken.bucket) {
            bucket.out -= taken.cost;
        }
        let Some(told) = told else { return };
        self.told.insert(what, told);
        let bucket = self.buckets.entry(told.bucket).or_insert_with(|| Bucket::full(&told, now));
        bucket.fill(now);
        (bucket.per_second, bucket.burst) = (told.per_second, told.burst);
        if let Some(left) = told.left {
            bucket.left = left - bucket.out;
        }
    }

    /// A call that was never sent.
    pub(super) fn give_back(&mut self, taken: Taken) {
        if let Some(bucket) = self.buckets.get_mut(taken.bucket) {
            bucket.out -= taken.cost;
            bucket.left += taken.cost;
        }
    }

    /// Nothing more from this bucket for a while.
    pub(super) fn hold(&mut self, taken: Taken, until: Instant) {
        if let Some(bucket) = self.buckets.get_mut(taken.bucket) {
            bucket.not_before = bucket.not_before.max(until);
        }
    }

    /// What is left of each limit that is known: (name, left, burst).
    pub(super) fn left(&mut self, now: Instant) -> Vec<(&'static str, f64, f64)> {
        let known = self.buckets.iter_mut().filter(|(_, b)| b.burst.is_finite());
        let left = known.map(|(name, bucket)| {
            bucket.fill(now);
            (*name, bucket.left, bucket.burst)
        });
        left.collect()
    }
}

const ONE: Duration = Duration::from_secs(1);

impl Bucket {
    fn full(limit: &Limit, now: Instant) -> Bucket {
        Bucket { per_second: limit.per_second, burst: limit.burst, left: limit.burst, at: now, out: 0.0, not_before: now }
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        if seconds > 0.0 {
            self.left = (self.left + seconds * self.per_second).min(self.burst);
        }
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_as_long_as_the_bucket_needs() {
        let now = Instant::now();
        let limit = |left| Limit { bucket: "shop", per_second: 10.0, burst: 20.0, cost: 15.0, keep: 0.0, left };
        let mut limits = Limits::default();
        let (first, wait) = limits.take("orders", Some(limit(None)), now, ONE).unwrap();
        assert_eq!(wait, Duration::ZERO);
        let (second, wait) = limits.take("orders", Some(limit(None)), now, ONE).unwrap();
        assert_eq!(wait, ONE, "5 are left, 15 are needed");
        assert_eq!(limits.take("orders", Some(limit(None)), now, ONE).unwrap_err(), Duration::from_millis(2500));
        limits.give_back(second);
        limits.settle("orders", first, Some(limit(Some(20.0))), now);
        let (third, wait) = limits.take("orders", None, now, ONE).unwrap();
        assert_eq!(wait, Duration::ZERO, "the answer said that all is left");
        limits.hold(third, now + ONE);
        assert!(limits.take("orders", None, now + ONE / 2, ONE).unwrap().1 >= ONE / 2);
        let mut stuck = Limits::default();
        let never = Limit { per_second: 0.0, burst: -1.0, ..limit(Some(-5.0)) };
        let (taken, _) = stuck.take("orders", Some(never), now, ONE).unwrap();
        stuck.settle("orders", taken, Some(never), now);
        assert_eq!(stuck.take("orders", None, now, ONE).unwrap().1, ONE, "a rate of 0 is asked once a second, not in a loop");
    }

    #[test]
    fn what_matters_less_leaves_room_for_what_matters_more() {
        let now = Instant::now();
        let limit = |cost, keep| Some(Limit { bucket: "points", per_second: 100.0, burst: 2000.0, cost, keep, left: None });
        let mut limits = Limits::default();
        assert_eq!(limits.take("orders", limit(500.0, 1000.0), now, ONE).unwrap().1, Duration::ZERO);
        assert_eq!(limits.take("orders", limit(500.0, 1000.0), now, ONE).unwrap().1, Duration::ZERO);
        assert!(limits.take("orders", limit(500.0, 1000.0), now, ONE).is_err(), "half of it is left for quantities");
        for _ in 0..100 {
            assert_eq!(limits.take("quantities", limit(10.0, 0.0), now, ONE).unwrap().1, Duration::ZERO);
        }
        assert!(limits.take("orders", limit(500.0, 5000.0), now + ONE * 30, ONE * 30).is_ok(), "a full bucket is always enough");
    }
}
