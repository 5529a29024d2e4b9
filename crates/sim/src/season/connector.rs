//! How a write gets to its channel: the newest wish of each listing, near-zero first, as many in a call as the channel takes,
//! within its limits, with back-off; and how orders and numbers are read. A write is promised in the books when it is sent.

use super::market::{Answer, Bucket, CHANNELS, Fate, Row, RowAnswer, TIMEOUT, TRAITS, What, lognormal};
use super::play::{Event, NO_CHANGE, Season};
use super::{DAY, MINUTE, Regime, SECOND};
use domain::exposure::SKEW;
use domain::quota::{Why, Wish};
use std::collections::BTreeMap;

/// Wishes of one moment wait this long for company in a call: 50 ms.
const COMPANY: i64 = 50_000;
/// Calls that may be under way to one channel.
const AT_ONCE: usize = 4;
/// Polls reach back before the watermark this far.
const OVERLAP: i64 = 2 * MINUTE;
/// A write that can be repeated under its key is sent so often.
const TRIES: u32 = 6;

#[derive(Debug, Default)]
pub struct Wishes {
    pub write: Vec<Wish>,
    /// Listings to read.
    pub read: Vec<i64>,
}

pub struct Connector {
    /// Listings that may need a write, and since when.
    waiting: BTreeMap<usize, i64>,
    /// Writes to be repeated under their key.
    again: Vec<Row>,
    /// Listings to read, and when.
    reads: BTreeMap<usize, i64>,
    read_last: BTreeMap<usize, i64>,
    bucket: Bucket,
    polls: Bucket,
    under_way: usize,
    failures: u32,
    backs_off_until: i64,
    pump_at: i64,
    pub poll_at: i64,
    pub watermark: i64,
}

impl Connector {
    pub fn new(channel: usize, now: i64) -> Connector {
        let traits = &TRAITS[channel];
        Connector {
            waiting: BTreeMap::new(),
            again: Vec::new(),
            reads: BTreeMap::new(),
            read_last: BTreeMap::new(),
            bucket: Bucket::new(traits.rate, traits.burst),
            polls: Bucket::new(traits.polls, traits.poll_burst - 2.0),
            under_way: 0,
            failures: 0,
            backs_off_until: 0,
            pump_at: 0,
            poll_at: 0,
            watermark: now,
        }
    }
}

pub struct Call {
    pub channel: usize,
    pub what: What,
    pub fate: Fate,
    sent_at: i64,
    answer: Option<Answer>,
    /// Nobody waits for its answer any more.
    closed: bool,
}

impl Season {
    /// The channel is not paused.
    pub fn open(&self, channel: usize) -> bool {
        self.connectors[channel].failures < 4
    }

    /// Something about the item changed; `since` is when it happened.
    pub fn touch(&mut self, item: usize, since: i64) {
        let wishes = self.wishes(item);
        for wish in wishes.write {
            let listing = wish.listing as usize;
            let channel = self.world.listings[listing].channel;
            self.connectors[channel].waiting.entry(listing).or_insert(since);
            self.pump_soon(channel, self.now + COMPANY);
        }
        for listing in wishes.read {
            let listing = listing as usize;
            let channel = self.world.listings[listing].channel;
            let last = self.connectors[channel].read_last.get(&listing).copied().unwrap_or(0);
            self.read_at(listing, (last + TRAITS[channel].poll_eager).max(self.now));
        }
    }

    pub fn read_at(&mut self, listing: usize, at: i64) {
        let channel = self.world.listings[listing].channel;
        let due = self.connectors[channel].reads.entry(listing).or_insert(at);
        *due = (*due).min(at);
        self.pump_soon(channel, at);
    }

    fn pump_soon(&mut self, channel: usize, at: i64) {
        let connector = &mut self.connectors[channel];
        if connector.pump_at <= self.now || at < connector.pump_at {
            connector.pump_at = at;
            self.events.push(at, Event::Pump(channel));
        }
    }

    /// Sends what may be sent now.
    pub fn pump(&mut self, channel: usize) {
        if self.connectors[channel].pump_at == self.now {
            self.connectors[channel].pump_at = 0;
        }
        if self.now < self.down_until || self.now < self.connectors[channel].backs_off_until {
            let at = self.down_until.max(self.connectors[channel].backs_off_until);
            return self.pump_soon(channel, at);
        }
        loop {
            let connector = &mut self.connectors[channel];
            let reads_due = connector.reads.values().any(|at| *at <= self.now);
            let nothing = connector.waiting.is_empty() && connector.again.is_empty() && !reads_due;
            if nothing || connector.under_way >= AT_ONCE {
                break;
            }
            let rows = self.rows(channel);
            let what = if rows.is_empty() { self.listings_to_read(channel).map(What::Read) } else { Some(What::Write(rows)) };
            let Some(what) = what else { break };
            if let Err(at) = self.connectors[channel].bucket.take(self.now) {
                self.put_back(channel, what);
                return self.pump_soon(channel, at);
            }
            self.send(channel, what);
        }
        if let Some(at) = self.connectors[channel].reads.values().min().copied()
            && at > self.now
        {
            self.pump_soon(channel, at);
        }
    }

    fn put_back(&mut self, channel: usize, what: What) {
        match what {
            What::Write(rows) => {
                for row in rows {
                    if row.tries > 1 {
                        // This copy was not taken. Nobody knows about the one before it.
                        self.connectors[channel].again.push(row);
                        continue;
                    }
                    self.books.exposure[row.listing].refused(row.id, None);
                    self.connectors[channel].waiting.entry(row.listing).or_insert(row.since);
                }
            }
            What::Read(listings) => self.connectors[channel].reads.extend(listings.into_iter().map(|l| (l, self.now))),
            What::Poll { .. } => {}
        }
    }

    /// The rows of the next writing call, promised in the books.
    fn rows(&mut self, channel: usize) -> Vec<Row> {
        let again = std::mem::take(&mut self.connectors[channel].again);
        if !again.is_empty() {
            return again;
        }
        let waiting: Vec<(usize, i64)> = self.connectors[channel].waiting.iter().map(|(l, since)| (*l, *since)).collect();
        let mut found: Vec<(Why, i64, usize)> = Vec::new();
        for (listing, since) in waiting {
            let wishes = self.wishes(self.world.listings[listing].item);
            match wishes.write.iter().find(|w| w.listing == listing as i64) {
                Some(wish) => found.push((wish.why, since, listing)),
                // Nothing to do any more, or the channel is busy with it.
                None => drop(self.connectors[channel].waiting.remove(&listing)),
            }
        }
        found.sort_unstable();
        let mut rows = Vec::new();
        for (_, since, listing) in found.into_iter().take(TRAITS[channel].rows) {
            self.connectors[channel].waiting.remove(&listing);
            // Decided again: the row before may have taken the units.
            let wishes = self.wishes(self.world.listings[listing].item);
            if let Some(wish) = wishes.write.iter().find(|w| w.listing == listing as i64) {
                self.next_write += 1;
                let exposure = &mut self.books.exposure[listing];
                exposure.lend(self.next_write, wish.compares, wish.to, self.now);
                let from = exposure.in_flight().and_then(|w| w.from);
                rows.push(Row { listing, id: self.next_write, from, to: wish.to, tries: 1, since });
            }
        }
        rows
    }

    fn listings_to_read(&mut self, channel: usize) -> Option<Vec<usize>> {
        let now = self.now;
        let connector = &mut self.connectors[channel];
        let due: Vec<usize> = connector.reads.iter().filter(|(_, at)| **at <= now).map(|(l, _)| *l).take(TRAITS[channel].rows).collect();
        for listing in &due {
            connector.reads.remove(listing);
            connector.read_last.insert(*listing, now);
        }
        (!due.is_empty()).then_some(due)
    }

    fn send(&mut self, channel: usize, what: What) {
        let fate = Fate::draw(&mut self.rng, self.options.faults);
        let poll = matches!(what, What::Poll { .. });
        self.count(|f| if poll { f.polls += 1 } else { f.calls += 1 });
        if !poll {
            self.connectors[channel].under_way += 1;
        }
        if let What::Write(rows) = &what
            && fate != Fate::RequestLost
        {
            self.markets.under_way.extend(rows.iter().map(|r| (r.listing, r.id, r.from, r.to)));
        }
        let slow = if let Fate::Slow(by) = fate { by } else { 0 };
        let arrives = self.now + lognormal(&mut self.rng, 300_000, 0.6).min(TIMEOUT) + slow;
        let number = self.calls.len();
        self.calls.push(Call { channel, what, fate, sent_at: self.now, answer: None, closed: false });
        if fate != Fate::RequestLost {
            self.events.push(arrives, Event::Arrives(number));
        }
        self.events.push(self.now + TIMEOUT, Event::TimesOut(number));
    }

    /// A call is at the channel.
    pub fn arrives(&mut self, number: usize) {
        let call = &self.calls[number];
        let channel = call.channel;
        let (broken, from, until) = self.world.outage;
        let out = broken == channel && self.now >= from && self.now < until;
        let orders = &self.stock.orders;
        let order = |n: usize| (orders[n].placed_at, orders[n].canceled_at.is_some());
        let (answer, later) = self.markets.arrive(channel, &call.what, call.fate, self.now, &self.world, out, &order);
        for (delay, row) in later {
            self.events.push(self.now + delay, Event::Applies(row));
        }
        if answer.is_some() && !self.calls[number].closed {
            self.calls[number].answer = answer;
            let back = lognormal(&mut self.rng, 150_000, 0.6);
            self.events.push(self.now + back, Event::Answers(number));
        }
        self.check_call(number);
    }

    pub fn answers(&mut self, number: usize) {
        if self.calls[number].closed {
            return;
        }
        self.calls[number].closed = true;
        let (channel, sent_at) = (self.calls[number].channel, self.calls[number].sent_at);
        let Some(answer) = self.calls[number].answer.take() else { return };
        let what = self.calls[number].what.clone();
        match (&what, answer) {
            (What::Write(rows), Answer::Rows(answers)) => {
                self.went_well(channel);
                for (row, answer) in rows.iter().zip(answers) {
                    self.answered(row, answer);
                }
            }
            (What::Read(listings), Answer::Shown(shown)) => {
                self.went_well(channel);
                for (listing, shown) in listings.iter().zip(shown) {
                    self.have_read(*listing, shown, sent_at);
                }
            }
            (What::Poll { .. }, Answer::Orders(orders)) => {
                for (order, canceled) in orders {
                    self.order_seen(order, canceled);
                }
                self.read_until(channel, sent_at - TRAITS[channel].lag - SKEW);
                self.next_poll(channel);
                return;
            }
            (What::Poll { .. }, _) => return self.next_poll(channel),
            (_, Answer::Throttled | Answer::Unreachable) => {
                self.back_off(channel);
                self.put_back(channel, what);
            }
            _ => {
                self.back_off(channel);
                self.answer_is_lost(channel, what);
            }
        }
        self.connectors[channel].under_way -= 1;
        self.pump_soon(channel, self.now);
    }

    pub fn times_out(&mut self, number: usize) {
        if self.calls[number].closed {
            return;
        }
        self.calls[number].closed = true;
        let channel = self.calls[number].channel;
        let what = self.calls[number].what.clone();
        self.back_off(channel);
        if matches!(what, What::Poll { .. }) {
            return self.next_poll(channel);
        }
        self.answer_is_lost(channel, what);
        self.connectors[channel].under_way -= 1;
        self.pump_soon(channel, self.now);
    }

    fn answered(&mut self, row: &Row, answer: RowAnswer) {
        let (listing, now) = (row.listing, self.now);
        let item = self.world.listings[listing].item;
        let exposure = &mut self.books.exposure[listing];
        match answer {
            RowAnswer::Applied => {
                exposure.applied(row.id, now);
                self.books.pushed[listing] = Some(row.to);
                self.acknowledged(item, row.since);
            }
            // Who does not read back takes it for done.
            RowAnswer::Accepted if matches!(self.regime, Regime::Before | Regime::Broadcast) => {
                exposure.applied(row.id, now);
                self.books.pushed[listing] = Some(row.to);
                self.acknowledged(item, row.since);
            }
            RowAnswer::Accepted => {
                exposure.accepted(row.id);
                self.acknowledged(item, row.since);
                self.read_at(listing, now + 15 * SECOND);
            }
            RowAnswer::Stale(shown) => {
                // The number comes with a reading.
                self.count(|f| f.calls += 1);
                self.books.exposure[listing].refused(row.id, Some(shown));
                self.books.pushed[listing] = None;
            }
            RowAnswer::Refused => {
                exposure.refused(row.id, None);
                self.books.pushed[listing] = None;
                self.count(|f| f.exceptions += 1);
            }
            RowAnswer::Blocked => {
                exposure.refused(row.id, None);
                self.books.pushed[listing] = None;
                self.books.blocked_until[listing] = (now / DAY + 1) * DAY + MINUTE;
                self.count(|f| f.exceptions += 1);
                self.events.push((now / DAY + 1) * DAY + MINUTE, Event::Touch(item));
            }
        }
        self.touch(item, if matches!(answer, RowAnswer::Stale(_) | RowAnswer::Refused) { row.since } else { now });
    }

    fn acknowledged(&mut self, item: usize, since: i64) {
        if since == NO_CHANGE {
            return;
        }
        let latency = self.now - since;
        self.season.latencies.push(latency);
        if self.world.in_flash(item, since) {
            self.flash.latencies.push(latency);
        }
    }

    /// Nobody knows whether it was done.
    fn answer_is_lost(&mut self, channel: usize, what: What) {
        let rows = match what {
            What::Write(rows) => rows,
            What::Read(_) => return self.put_back(channel, what),
            What::Poll { .. } => return,
        };
        for row in rows {
            if TRAITS[channel].compares && row.tries < TRIES {
                self.connectors[channel].again.push(Row { tries: row.tries + 1, ..row });
                continue;
            }
            self.give_up(row.listing, row.id);
            self.touch(self.world.listings[row.listing].item, row.since);
        }
    }

    fn give_up(&mut self, listing: usize, id: i64) {
        self.books.exposure[listing].given_up(id);
        self.books.pushed[listing] = None;
        if matches!(self.regime, Regime::Quota | Regime::Shared) {
            let late = TRAITS[self.world.listings[listing].channel].late;
            self.events.push(self.now + SECOND, Event::Read(listing));
            self.events.push(self.now + late + SECOND, Event::Read(listing));
        }
    }

    fn have_read(&mut self, listing: usize, shown: i64, asked_at: i64) {
        let channel = self.world.listings[listing].channel;
        let late = TRAITS[channel].late;
        let exposure = &mut self.books.exposure[listing];
        let before = exposure.shown();
        exposure.read(shown, asked_at, self.now, late);
        let accepted = exposure.in_flight().filter(|w| w.accepted).map(|w| (w.id, w.to, w.sent_at));
        match accepted {
            // It shows, or it never will: either way there is nothing to wait for.
            Some((id, to, sent_at)) if shown == to || sent_at + late <= asked_at => self.give_up_quietly(listing, id, sent_at + late),
            Some(_) => self.read_at(listing, self.now + 20 * SECOND),
            None if before.is_some_and(|b| b != shown) => self.books.pushed[listing] = None,
            None => {}
        }
        self.hurry_poll(channel);
        self.touch(self.world.listings[listing].item, self.now);
    }

    /// The write shows, as far as one can see; it is certain when it is too old to be applied once more.
    fn give_up_quietly(&mut self, listing: usize, id: i64, certain_at: i64) {
        self.books.exposure[listing].given_up(id);
        if certain_at > self.now {
            self.events.push(certain_at + SECOND, Event::Read(listing));
        }
    }

    fn went_well(&mut self, channel: usize) {
        self.connectors[channel].failures = 0;
    }

    fn back_off(&mut self, channel: usize) {
        let connector = &mut self.connectors[channel];
        connector.failures += 1;
        let wait = (SECOND << connector.failures.min(6)).min(MINUTE);
        connector.backs_off_until = self.now + wait / 2 + self.rng.i64(0..wait / 2);
    }

    /// Every order up to the watermark was counted.
    fn read_until(&mut self, channel: usize, watermark: i64) {
        let connector = &mut self.connectors[channel];
        connector.watermark = connector.watermark.max(watermark);
        let (watermark, late) = (connector.watermark, TRAITS[channel].late);
        for listing in 0..self.world.listings.len() {
            if self.world.listings[listing].channel != channel || !self.books.exposure[listing].settles() {
                continue;
            }
            let settled = self.books.exposure[listing].counted_until(watermark, late);
            if settled.raised > 0 && self.regime == Regime::Quota {
                self.count(|f| f.exceptions += 1);
            }
            if settled != Default::default() {
                self.touch(self.world.listings[listing].item, self.now);
            }
        }
    }

    /// Polls, unless the limit says later.
    pub fn poll(&mut self, channel: usize) {
        if self.connectors[channel].poll_at != self.now || self.regime == Regime::Before {
            return;
        }
        if self.now < self.down_until {
            return self.poll_at(channel, self.down_until);
        }
        if let Err(at) = self.connectors[channel].polls.take(self.now) {
            return self.poll_at(channel, at);
        }
        let since = self.connectors[channel].watermark - OVERLAP;
        self.send(channel, What::Poll { since });
    }

    fn poll_at(&mut self, channel: usize, at: i64) {
        self.connectors[channel].poll_at = at;
        self.events.push(at, Event::Poll(channel));
    }

    fn next_poll(&mut self, channel: usize) {
        let traits = &TRAITS[channel];
        self.poll_at(channel, self.now + traits.poll_idle);
        self.hurry_poll(channel);
    }

    /// Polls sooner when something waits for the watermark.
    fn hurry_poll(&mut self, channel: usize) {
        let waits = self.regime == Regime::Quota
            && (0..self.world.listings.len()).any(|l| self.world.listings[l].channel == channel && self.books.exposure[l].settles());
        let at = self.now + TRAITS[channel].poll_eager + TRAITS[channel].lag;
        if waits && self.connectors[channel].poll_at > at {
            self.poll_at(channel, at);
        }
    }

    /// Our program was gone: answers are lost, queues are empty.
    pub fn restart(&mut self) {
        for number in 0..self.calls.len() {
            if self.calls[number].closed {
                continue;
            }
            self.calls[number].closed = true;
            let channel = self.calls[number].channel;
            if let What::Write(rows) = self.calls[number].what.clone() {
                for row in rows {
                    self.give_up(row.listing, row.id);
                }
            }
            if matches!(self.calls[number].what, What::Poll { .. }) {
                self.poll_at(channel, self.down_until);
            }
        }
        for channel in 0..CHANNELS {
            for row in std::mem::take(&mut self.connectors[channel].again) {
                self.give_up(row.listing, row.id);
            }
            let watermark = self.connectors[channel].watermark;
            let poll_at = self.connectors[channel].poll_at;
            self.connectors[channel] = Connector::new(channel, watermark);
            self.connectors[channel].poll_at = poll_at;
        }
        for item in 0..self.world.items.len() {
            self.touch(item, self.now);
        }
    }
}
