//! How the worker of a channel is doing on this node: the last fault, latencies, calls, and the last hour by the minute. Kept in
//! memory; a node that starts anew begins with nothing. Not here: what is true of the channel itself, which the database keeps (`read.rs`).

use std::collections::VecDeque;

const MINUTE: i64 = 60_000_000;
/// Minutes that are kept.
const MINUTES: usize = 60;
/// Latencies that are kept.
const LATENCIES: usize = 10_000;

/// Microseconds from the wish to the marketplace's acknowledgement: (p50, p95, p99).
pub type Latency = (u32, u32, u32);

#[derive(Debug, Clone, Default)]
pub struct Health {
    /// The last fault, and when; None once something worked.
    pub fault: Option<(i64, String)>,
    /// When something worked last; 0 if nothing did.
    pub worked_at: i64,
    /// Microseconds from the wish to the acknowledgement, the latest 10,000.
    latencies: VecDeque<u32>,
    /// The last hour, the oldest first.
    minutes: VecDeque<Minute>,
    pub pushed: u64,
    pub calls: u64,
    pub throttled: u64,
    /// What is left of each limit of calls that is known: (name, left, at most).
    pub limits: Vec<(&'static str, f64, f64)>,
    pub orders_read: u64,
    /// Orders that were told later than a minute after they were placed.
    pub orders_late: u64,
    /// The last resync, if one was asked for.
    pub resync: Option<Resync>,
}

/// What a minute came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Minute {
    /// Its beginning, microseconds since 1970 UTC.
    pub at: i64,
    /// Writes that were acknowledged.
    pub writes: usize,
    /// None without writes.
    pub latency: Option<Latency>,
    /// The most writes that waited when it was looked, each quarter of a minute.
    pub queue: i64,
}

/// How far reading everything anew is.
#[derive(Debug, Clone, Default)]
pub struct Resync {
    /// Microseconds since 1970 UTC.
    pub began_at: i64,
    pub ended_at: Option<i64>,
    pub read: usize,
    /// Listings to be read; 0 while they are still being listed.
    pub of: usize,
    pub fault: Option<String>,
}

impl Health {
    /// Of the latest 10,000 writes; None before the first.
    pub fn latency(&self) -> Option<Latency> {
        self.latency_since(0)
    }

    /// The same of the writes after the first `pushed`, as far as they are among the latest 10,000.
    pub fn latency_since(&self, pushed: u64) -> Option<Latency> {
        let count = usize::try_from(self.pushed.saturating_sub(pushed)).unwrap_or(usize::MAX);
        percentiles(self.latencies.iter().rev().take(count).copied().collect())
    }

    /// The last hour up to `now`, the oldest first, the running minute last. Minutes in which no worker of this node looked are left out.
    pub fn minutes(&self, now: i64) -> Vec<Minute> {
        let from = now - now.rem_euclid(MINUTE) - (MINUTES as i64 - 1) * MINUTE;
        let newest = self.minutes.back().map_or(0, |m| m.at);
        let kept = self.minutes.iter().filter(|m| m.at >= from);
        kept.map(|m| if m.at == newest { Minute { latency: self.latency_of_last(m.writes), ..*m } } else { *m }).collect()
    }

    /// A write was acknowledged so many microseconds after it was wished.
    pub(super) fn acknowledged(&mut self, now: i64, micros: u32) {
        self.minute(now, |m| m.writes += 1);
        self.pushed += 1;
        self.latencies.push_back(micros);
        if self.latencies.len() > LATENCIES {
            self.latencies.pop_front();
        }
    }

    /// So many writes wait.
    pub(super) fn waits(&mut self, now: i64, queue: i64) {
        self.minute(now, |m| m.queue = m.queue.max(queue));
    }

    fn minute(&mut self, now: i64, note: impl FnOnce(&mut Minute)) {
        let at = now - now.rem_euclid(MINUTE);
        if self.minutes.back().is_none_or(|m| m.at < at) {
            let latency = self.latency_of_last(self.minutes.back().map_or(0, |m| m.writes));
            if let Some(ended) = self.minutes.back_mut() {
                ended.latency = latency;
            }
            self.minutes.push_back(Minute { at, ..Minute::default() });
            if self.minutes.len() > MINUTES {
                self.minutes.pop_front();
            }
        }
        if let Some(running) = self.minutes.back_mut() {
            note(running);
        }
    }

    fn latency_of_last(&self, writes: usize) -> Option<Latency> {
        percentiles(self.latencies.iter().rev().take(writes).copied().collect())
    }
}

fn percentiles(mut micros: Vec<u32>) -> Option<Latency> {
    micros.sort_unstable();
    let at = |share: usize| micros.get((micros.len() * share / 100).min(micros.len().saturating_sub(1))).copied();
    Some((at(50)?, at(95)?, at(99)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_has_its_own_writes_and_an_hour_is_kept() {
        let mut health = Health::default();
        assert_eq!((health.latency(), health.minutes(0)), (None, Vec::new()));
        for micros in 1..=100 {
            health.acknowledged(5 * MINUTE, micros);
        }
        health.waits(5 * MINUTE + 1, 7);
        health.waits(5 * MINUTE + 2, 3);
        health.waits(6 * MINUTE, 0);
        health.acknowledged(8 * MINUTE, 9_000);
        let minute = |at: i64, writes, latency, queue| Minute { at: at * MINUTE, writes, latency, queue };
        let expected = vec![minute(5, 100, Some((51, 96, 100)), 7), minute(6, 0, None, 0), minute(8, 1, Some((9_000, 9_000, 9_000)), 0)];
        assert_eq!(health.minutes(8 * MINUTE + 5), expected);
        assert_eq!(health.minutes(66 * MINUTE).len(), 1, "an hour later only the last is within it");
        assert_eq!((health.latency_since(100), health.latency_since(101)), (Some((9_000, 9_000, 9_000)), None));
        for n in 0..200 {
            health.acknowledged((9 + n) * MINUTE, 1);
        }
        assert_eq!(health.minutes(208 * MINUTE).len(), MINUTES);
        // A clock that is put back adds to the running minute.
        health.acknowledged(0, 5);
        assert_eq!(health.minutes(208 * MINUTE).last().map(|m| m.writes), Some(2));
    }
}
