//! Exposure: the most that a listing can still sell on its channel that has not been counted here.
//!
//! A channel is a counter that is somewhere else: it shows a number, sells from it unseen, and takes our writes late, once,
//! or never. The books promise units to it *before* a write that may let it sell them is sent, and take units back only on
//! proof that it cannot sell them any more. Proof is one of two things:
//!
//! - a write that compared and was applied: the channel showed exactly `from`, and now shows exactly `to`;
//! - a *sighting*, a moment at which the shown number is known (an acknowledged write, or a reading), once every order placed
//!   before that moment has been counted (the *watermark* has passed it). All that can still be sold then is the number seen, less
//!   what was sold since, plus the writes that may still be applied.
//!
//! Clocks differ and a moment is only known within an interval, so each sighting keeps two bounds: `most` counts only sales
//! that were surely after it, `least` all that may have been. The argument in full: docs/quotas.md.
//!
//! Quantities are in listing units (one listing can be a pack of six); times are microseconds since 1970 UTC.

use serde::{Deserialize, Serialize};

/// How far a channel's clock and ours may be apart: 2 s. Marketplaces keep their clocks; ours is checked by its operator.
pub const SKEW: i64 = 2_000_000;

/// Sales and restocks of the last minute are remembered in steps of a quarter of a second, for the sightings that are told late.
const STEP: i64 = 250_000;
const REMEMBERED: i64 = 60_000_000;

/// Most sightings kept; the oldest goes first. One is enough, more make the freeing sooner.
const MAX_SIGHTINGS: usize = 4;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exposure {
    total: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    writes: Vec<Write>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sightings: Vec<Sighting>,
    /// What was last known to be shown, to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<i64>,
    /// Counted lately, by the step in which it happened there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lately: Vec<Lately>,
    /// What was counted of steps before this is not remembered.
    remembered_from: i64,
    /// When the last write that was done was answered: a reading that was asked for before may show the number before it.
    #[serde(skip_serializing_if = "is_zero")]
    written_at: i64,
    /// The last write that compared found another number: the channel sells too fast for comparing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stale: bool,
    /// Sold beyond the total, the last of them at `beyond_at`: either units of a canceled order that were put back and sold again
    /// before we read of the cancellation, or units that nobody gave the channel. The watermark tells which.
    #[serde(skip_serializing_if = "is_zero")]
    beyond: i64,
    #[serde(skip_serializing_if = "is_zero")]
    beyond_at: i64,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// A write that was sent and may still be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    pub id: i64,
    /// What the channel must show for the write to be applied; None is a blind write, which replaces whatever is there.
    pub from: Option<i64>,
    pub to: i64,
    pub sent_at: i64,
    /// Units promised to the channel for it.
    lent: i64,
    /// The channel said that it took the write, not that buyers see it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// Its answer is lost for good: nobody will ever say whether it was applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// A moment between `from` and `until` at which the shown number was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sighting {
    from: i64,
    until: i64,
    /// Bounds of what of it is still there to be sold or not yet counted.
    most: i64,
    least: i64,
}

/// Units sold and put back within one step of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lately {
    at: i64,
    sold: i64,
    restocked: i64,
}

/// What a watermark brought to light.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Listing units that the channel surely cannot sell any more.
    pub freed: i64,
    /// Listing units that the channel shows and that nobody here ever promised to it: it was edited behind our back.
    pub raised: i64,
    /// Listing units that were sold and that nobody here ever promised to it.
    pub oversold: i64,
}

impl Exposure {
    /// The most that the channel can still sell that has not been counted.
    pub fn total(&self) -> i64 {
        self.total
    }

    /// The write whose answer is awaited: there is never more than one, or the order in which two were applied would be unknown.
    pub fn in_flight(&self) -> Option<&Write> {
        self.writes.iter().find(|w| !w.given_up)
    }

    /// Writes whose answer is lost and that may still be applied.
    pub fn doubtful(&self) -> usize {
        self.writes.iter().filter(|w| w.given_up).count()
    }

    /// What the channel is believed to show, to compare with.
    pub fn shown(&self) -> Option<i64> {
        self.shown
    }

    /// Whether the last write that compared found another number.
    pub fn stale(&self) -> bool {
        self.stale
    }

    /// Whether something waits for the watermark: a sighting, or sales that it will explain.
    pub fn settles(&self) -> bool {
        !self.sightings.is_empty() || self.beyond > 0
    }

    /// How many units a write to this number needs from what is free.
    pub fn needs(&self, compares: bool, to: i64) -> i64 {
        if compares { (to - self.shown.unwrap_or(0)).max(0) } else { to }
    }

    /// Promises units for a write that is about to be sent, when none is in flight. To be durable before it is sent.
    pub fn lend(&mut self, id: i64, compares: bool, to: i64, now: i64) {
        let from = if compares { self.shown } else { None };
        let lent = match from {
            Some(from) => (to - from).max(0),
            None => to,
        };
        self.total += lent;
        self.writes.push(Write { id, from, to, sent_at: now, lent, accepted: false, given_up: false });
    }

    /// The channel surely did not do it and never will; `shown` is what it shows, if it said. Answers the units that are free again.
    pub fn refused(&mut self, id: i64, shown: Option<i64>) -> i64 {
        let Some(write) = self.take(id) else { return 0 };
        self.stale = write.from.is_some() && shown.is_some();
        self.shown = shown.or(self.shown);
        let freed = write.lent.min(self.total);
        self.total -= freed;
        freed
    }

    /// The channel took it, and will apply it later or not at all.
    pub fn accepted(&mut self, id: i64) {
        if let Some(write) = self.writes.iter_mut().find(|w| w.id == id) {
            write.accepted = true;
        }
    }

    /// Its answer will not come: the units stay promised until a number is seen that no longer can be from before it.
    pub fn given_up(&mut self, id: i64) {
        if let Some(write) = self.writes.iter_mut().find(|w| w.id == id) {
            write.given_up = true;
        }
    }

    /// The channel did it, once, at some moment between sending it and `now`. Answers the units that are free again.
    pub fn applied(&mut self, id: i64, now: i64) -> i64 {
        let Some(write) = self.take(id) else { return 0 };
        self.shown = Some(write.to);
        self.stale = false;
        self.written_at = now;
        let Some(from) = write.from else {
            // What was seen before does not know of the units that came with this write.
            self.sightings.clear();
            self.sight(write.to, write.sent_at, now);
            return 0;
        };
        // What was seen while the write was under way may show the number before it or after; it proves nothing.
        self.sightings.retain(|s| s.until < write.sent_at);
        for sighting in &mut self.sightings {
            sighting.most += write.to - from;
            sighting.least += write.to - from;
        }
        let freed = (from - write.to).clamp(0, self.total);
        self.total -= freed;
        freed
    }

    /// The channel shows this number at some moment between `asked_at` and `now`. `late` as for [`Exposure::counted_until`].
    /// A reading that was under way together with a write that is done by now tells nothing.
    pub fn read(&mut self, shown: i64, asked_at: i64, now: i64, late: i64) {
        if asked_at < self.written_at {
            return;
        }
        self.shown = Some(shown);
        // A write that compares may have been applied or not at that moment: nothing to build on, until it is too old for that.
        if self.writes.iter().all(|w| w.from.is_none() || w.sent_at + late <= asked_at) {
            self.sight(shown, asked_at, now);
        }
    }

    fn sight(&mut self, shown: i64, from: i64, until: i64) {
        let possible = from - SKEW;
        if possible < self.remembered_from {
            return;
        }
        let shown = shown.max(0);
        let since = self.lately.iter().filter(|l| l.at + STEP > possible);
        let (sold, restocked) = since.fold((0, 0), |(sold, restocked), l| (sold + l.sold, restocked + l.restocked));
        self.sightings.push(Sighting { from, until, most: shown + restocked, least: shown - sold });
        if self.sightings.len() > MAX_SIGHTINGS {
            self.sightings.remove(0);
        }
    }

    fn remember(&mut self, at: i64, sold: i64, restocked: i64) {
        let at = at - at.rem_euclid(STEP);
        match self.lately.iter_mut().find(|l| l.at == at) {
            Some(step) => {
                step.sold += sold;
                step.restocked += restocked;
            }
            None => self.lately.push(Lately { at, sold, restocked }),
        }
        let newest = self.lately.iter().map(|l| l.at).max().unwrap_or(at);
        self.remembered_from = self.remembered_from.max(newest - REMEMBERED);
        let from = self.remembered_from;
        self.lately.retain(|l| l.at >= from);
    }

    /// Sales counted now that were made at `placed_at` by the channel's clock. Answers the units that were sold beyond all that
    /// could have been as far as is known: a cancellation that is read later may explain them, see [`Settled::oversold`].
    pub fn sold(&mut self, units: i64, placed_at: i64) -> i64 {
        self.shown = self.shown.map(|shown| (shown - units).max(0));
        self.remember(placed_at, units, 0);
        for sighting in &mut self.sightings {
            if placed_at > sighting.until + SKEW {
                sighting.most -= units;
            }
            if placed_at >= sighting.from - SKEW {
                sighting.least -= units;
            }
        }
        let counted = units.min(self.total);
        self.total -= counted;
        if units > counted {
            self.beyond += units - counted;
            self.beyond_at = self.beyond_at.max(placed_at);
        }
        units - counted
    }

    /// Units that a canceled order put back into the shown number at about `at`. They must be promised to the channel again.
    pub fn restocked(&mut self, units: i64, at: i64) {
        self.shown = self.shown.map(|shown| shown + units);
        self.remember(at, 0, units);
        for sighting in &mut self.sightings {
            if at >= sighting.from - SKEW {
                sighting.most += units;
            }
            if at > sighting.until + SKEW {
                sighting.least += units;
            }
        }
        self.total += units;
        if at <= self.beyond_at + SKEW {
            self.beyond = (self.beyond - units).max(0);
        }
    }

    /// Every order placed before `watermark` has been counted. `late` is how long after it was sent a write may still be applied.
    pub fn counted_until(&mut self, watermark: i64, late: i64) -> Settled {
        let explained = self.beyond_at + SKEW <= watermark;
        let oversold = if explained { std::mem::take(&mut self.beyond) } else { 0 };
        let ripe = |s: &Sighting| s.until + SKEW <= watermark;
        let Some(place) = self.sightings.iter().rposition(ripe) else { return Settled { oversold, ..Settled::default() } };
        let sighting = self.sightings[place].clone();
        self.sightings.drain(..=place);
        // A write so old that it would have been applied before the number was seen is in that number, or nowhere.
        self.writes.retain(|w| w.sent_at + late > sighting.from);
        let loose: i64 = self.writes.iter().map(|w| w.lent).sum();
        let most = sighting.most.max(0) + loose;
        let raised = if self.total < sighting.least { most - self.total } else { 0 };
        let freed = (self.total - most).max(0);
        self.total += raised - freed;
        Settled { freed, raised, oversold }
    }

    fn take(&mut self, id: i64) -> Option<Write> {
        let place = self.writes.iter().position(|w| w.id == id)?;
        Some(self.writes.remove(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A channel as it really is, seen by nobody: what it shows, sales not yet counted, writes under way.
    #[derive(Default)]
    struct Channel {
        shows: i64,
        /// (units, placed at)
        uncounted: Vec<(i64, i64)>,
        /// (id, from, to, applied at, answered at, applied, lost)
        writes: Vec<Under>,
        edited: bool,
    }

    #[derive(Debug, Clone)]
    struct Under {
        id: i64,
        from: Option<i64>,
        to: i64,
        applies_at: i64,
        answers_at: i64,
        outcome: Option<bool>,
        lost: bool,
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    struct Random(u64);
    impl Random {
        fn below(&mut self, n: i64) -> i64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) % n as u64) as i64
        }
    }

    const SECOND: i64 = 1_000_000;
    /// Longest that a write takes to be applied in this history.
    const LATE: i64 = 60 * SECOND;

    /// Plays a random history on one listing. `compares` as the channel can; `edits` lets somebody change the number there.
    fn play(seed: u64, compares: bool, edits: bool) {
        let mut random = Random(seed);
        let (mut channel, mut exposure) = (Channel::default(), Exposure::default());
        let skew = random.below(2 * SKEW - 1) - SKEW + 1;
        let mut now = 1_000 * SECOND;
        let mut next_id = 0;
        let mut log: Vec<String> = Vec::new();
        for step in 0..400 {
            now += 1 + random.below(3 * SECOND);
            let quiet = step > 360;
            // What the world does by itself up to now.
            for under in &mut channel.writes {
                if under.outcome.is_none() && under.applies_at <= now {
                    let fits = under.from.is_none_or(|from| from == channel.shows);
                    if fits {
                        channel.shows = under.to;
                    }
                    under.outcome = Some(fits);
                }
            }
            let (answered, under): (Vec<Under>, Vec<Under>) =
                channel.writes.iter().cloned().partition(|u| u.outcome.is_some() && u.answers_at <= now);
            channel.writes = under;
            for under in &answered {
                log.push(format!("{step} answer {under:?}"));
                match under.outcome {
                    _ if under.lost => {}
                    Some(true) => drop(exposure.applied(under.id, now)),
                    _ => drop(exposure.refused(under.id, Some(channel.shows))),
                }
            }
            match random.below(10) {
                0..=3 if !quiet => {
                    let units = 1 + random.below(3);
                    if channel.shows >= units {
                        channel.shows -= units;
                        channel.uncounted.push((units, now + skew));
                        log.push(format!("{step} sale of {units} at {now}, shows {}", channel.shows));
                    }
                }
                4..=5 if !channel.uncounted.is_empty() => {
                    let which = random.below(channel.uncounted.len() as i64) as usize;
                    let (units, placed_at) = channel.uncounted.remove(which);
                    let beyond = exposure.sold(units, placed_at);
                    log.push(format!("{step} counted {units} of {placed_at}"));
                    assert!(beyond == 0 || channel.edited, "seed {seed}: {beyond} beyond\n{}", log.join("\n"));
                }
                6 if exposure.in_flight().is_some_and(|w| channel.writes.iter().all(|u| u.id != w.id || u.lost)) => {
                    let id = exposure.in_flight().map_or(0, |w| w.id);
                    exposure.given_up(id);
                    log.push(format!("{step} given up {id}"));
                }
                6..=7 if !quiet && exposure.in_flight().is_none() && exposure.doubtful() < 3 => {
                    next_id += 1;
                    let to = random.below(12);
                    let compare = compares && !exposure.stale();
                    exposure.lend(next_id, compare, to, now);
                    let from = exposure.writes.last().and_then(|w| w.from);
                    let lost = random.below(4) == 0;
                    let applies_at = now + random.below(LATE - SECOND);
                    let never = random.below(6) == 0;
                    if never && lost {
                        log.push(format!("{step} write {next_id} to {to}, never comes"));
                    } else {
                        let answers_at = applies_at + random.below(3 * SECOND);
                        log.push(format!("{step} write {next_id} {from:?} to {to} at {applies_at}, answer {answers_at} lost {lost}"));
                        channel.writes.push(Under { id: next_id, from, to, applies_at, answers_at, outcome: None, lost });
                    }
                }
                8 if edits && !quiet && random.below(4) == 0 => {
                    channel.shows = random.below(20);
                    channel.edited = true;
                    log.push(format!("{step} edited to {}", channel.shows));
                }
                8 if !quiet && random.below(3) == 0 => {
                    let units = 1 + random.below(2);
                    channel.shows += units;
                    exposure.restocked(units, now + skew);
                    log.push(format!("{step} restocked {units} at {now}"));
                }
                _ => {
                    exposure.read(channel.shows, now, now, LATE);
                    log.push(format!("{step} read {} at {now}", channel.shows));
                }
            }
            // The watermark: nothing older than it is uncounted.
            let watermark = channel.uncounted.iter().map(|(_, at)| at - 1).min().unwrap_or(now - SECOND + skew.min(0));
            let settled = exposure.counted_until(watermark, LATE);
            if settled != Settled::default() {
                log.push(format!("{step} watermark {watermark}: {settled:?}, total {}", exposure.total()));
            }
            let pending: i64 = channel.writes.iter().filter(|u| u.outcome.is_none() && u.from.is_none()).map(|u| u.to).sum();
            let real = channel.shows + channel.uncounted.iter().map(|(units, _)| units).sum::<i64>();
            if !channel.edited {
                assert!(exposure.total() >= real + pending, "seed {seed}: {} < {real} + {pending}\n{}", exposure.total(), log.join("\n"));
                assert_eq!((settled.raised, settled.oversold), (0, 0), "seed {seed}: an edit that nobody made\n{}", log.join("\n"));
            }
        }
        // When all is quiet, counted and read, the bound is exact, even after edits.
        for (units, placed_at) in std::mem::take(&mut channel.uncounted) {
            exposure.sold(units, placed_at);
        }
        for under in channel.writes.iter().filter(|u| u.outcome.is_none()) {
            if under.from.is_none_or(|from| from == channel.shows) {
                channel.shows = under.to;
            }
        }
        now += 2 * LATE;
        exposure.read(channel.shows, now, now, LATE);
        exposure.counted_until(now + 2 * SKEW, LATE);
        assert_eq!(exposure.total(), channel.shows, "seed {seed}\n{}", log.join("\n"));
    }

    #[test]
    fn the_bound_holds_in_random_histories() {
        for seed in 0..4_000 {
            play(seed, false, false);
            play(seed, true, false);
        }
    }

    #[test]
    fn edits_there_are_found_and_counted() {
        for seed in 0..2_000 {
            play(seed, seed % 2 == 0, true);
        }
    }

    #[test]
    fn a_blind_write_needs_its_units_on_top_until_the_orders_before_it_are_counted() {
        let mut exposure = Exposure::default();
        exposure.lend(1, false, 10, 100 * SECOND);
        assert_eq!((exposure.total(), exposure.applied(1, 101 * SECOND)), (10, 0));
        assert_eq!(exposure.sold(4, 110 * SECOND), 0);
        exposure.lend(2, false, 9, 120 * SECOND);
        assert_eq!(exposure.total(), 15, "6 may still have been sold before the 9 are shown");
        exposure.applied(2, 121 * SECOND);
        assert_eq!(exposure.sold(2, 119 * SECOND), 0);
        assert_eq!(exposure.counted_until(121 * SECOND, LATE), Settled::default(), "clocks differ");
        assert_eq!(exposure.counted_until(123 * SECOND, LATE), Settled { freed: 4, raised: 0, oversold: 0 });
        assert_eq!(exposure.total(), 9);
    }

    #[test]
    fn units_put_back_and_sold_again_are_no_oversale_once_the_cancellation_is_read() {
        for explained in [true, false] {
            let mut exposure = Exposure::default();
            exposure.lend(1, false, 1, 100 * SECOND);
            exposure.applied(1, 101 * SECOND);
            assert_eq!(exposure.sold(1, 110 * SECOND), 0);
            assert_eq!(exposure.sold(1, 130 * SECOND), 1, "the first was canceled at 120 s, which is not known yet");
            if explained {
                exposure.restocked(1, 120 * SECOND);
            }
            assert_eq!(exposure.counted_until(131 * SECOND, LATE).oversold, 0, "too early to tell");
            assert!(exposure.settles() || explained);
            assert_eq!(exposure.counted_until(140 * SECOND, LATE).oversold, i64::from(!explained));
            assert_eq!(exposure.counted_until(150 * SECOND, LATE).oversold, 0, "told once");
        }
    }

    #[test]
    fn a_reading_overtaken_by_a_write_tells_nothing() {
        for compares in [false, true] {
            let mut exposure = Exposure::default();
            exposure.read(0, 0, 0, LATE);
            // Asked for at 10 s, and so is the write; the reading comes first at the channel and last here.
            exposure.lend(1, compares, 9, 10 * SECOND);
            exposure.applied(1, 11 * SECOND);
            exposure.read(0, 10 * SECOND, 12 * SECOND, LATE);
            assert_eq!(exposure.counted_until(20 * SECOND, LATE), Settled::default());
            assert_eq!((exposure.total(), exposure.shown()), (9, Some(9)));
        }
    }

    #[test]
    fn a_write_that_compared_frees_at_once() {
        let mut exposure = Exposure::default();
        exposure.read(0, 0, 0, LATE);
        exposure.lend(1, true, 10, SECOND);
        assert_eq!((exposure.applied(1, 2 * SECOND), exposure.total()), (0, 10));
        exposure.lend(2, true, 3, 3 * SECOND);
        assert_eq!((exposure.total(), exposure.applied(2, 4 * SECOND), exposure.total()), (10, 7, 3));
        exposure.lend(3, true, 8, 5 * SECOND);
        assert_eq!(exposure.total(), 8);
        assert_eq!((exposure.refused(3, Some(1)), exposure.total(), exposure.stale()), (5, 3, true));
    }
}
