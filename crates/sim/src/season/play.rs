//! Time: the events of a season in their order, and what each does to the world, to the marketplaces and to our books.

use super::books::{Books, Seen};
use super::connector::{Call, Connector};
use super::figures::{Figures, Outcome};
use super::market::{CHANNELS, Markets, Row, What};
use super::regimes::UPLOAD_EVERY;
use super::stock::{Order, Stock};
use super::world::{Act, Buyer, World, correction, oracle};
use super::{DAY, HOUR, MINUTE, Options, Regime, SECOND, START};
use fastrand::Rng;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Nothing happened that a write would tell: it is sent because it is time to.
pub const NO_CHANGE: i64 = i64::MAX;

#[derive(Debug)]
pub enum Event {
    Buyer(usize),
    Act(usize),
    /// A buyer takes an order back.
    Cancels(usize),
    /// We are notified of an order, or of its cancellation.
    Told {
        order: usize,
        canceled: bool,
    },
    Arrives(usize),
    Applies(Row),
    Answers(usize),
    TimesOut(usize),
    Pump(usize),
    Poll(usize),
    Read(usize),
    Touch(usize),
    /// An order has waited long enough for units.
    Short(usize),
    Sample,
    /// The sheet is uploaded.
    Upload,
    /// Once a night every number is looked at.
    Night,
}

/// Events by time, and by order of coming within one microsecond.
#[derive(Default)]
pub struct Events {
    heap: BinaryHeap<Reverse<(i64, u64)>>,
    what: BTreeMap<u64, Event>,
    next: u64,
}

impl Events {
    pub fn push(&mut self, at: i64, event: Event) {
        self.next += 1;
        self.heap.push(Reverse((at, self.next)));
        self.what.insert(self.next, event);
    }

    fn pop(&mut self) -> Option<(i64, Event)> {
        let Reverse((at, number)) = self.heap.pop()?;
        Some((at, self.what.remove(&number)?))
    }
}

pub struct Season {
    pub options: Options,
    pub regime: Regime,
    pub world: World,
    pub now: i64,
    pub events: Events,
    pub rng: Rng,
    pub stock: Stock,
    pub markets: Markets,
    pub books: Books,
    pub connectors: Vec<Connector>,
    pub calls: Vec<Call>,
    pub next_write: i64,
    /// Our program is gone until then.
    pub down_until: i64,
    pub season: Figures,
    pub flash: Figures,
    /// By listing: units sold there and not counted here, less units put back there and not counted here.
    uncounted: Vec<i64>,
    /// What our own shop shows under `before`.
    own_shown: Vec<i64>,
    /// Samples taken, and right: in the season, and at the flash sale.
    samples: [(u64, u64); 2],
    trouble: Option<String>,
}

impl Season {
    pub fn new(options: &Options, regime: Regime) -> Season {
        let world = World::new(options);
        Season {
            now: START,
            events: Events::default(),
            rng: Rng::with_seed(options.seed ^ 0x0C0FFEE0),
            stock: Stock::new(&world),
            markets: Markets::new(&world, options.seed, options.faults),
            books: Books::new(&world),
            connectors: (0..CHANNELS).map(|c| Connector::new(c, START)).collect(),
            calls: Vec::new(),
            next_write: 0,
            down_until: 0,
            season: Figures::default(),
            flash: Figures::default(),
            own_shown: world.items.iter().map(|i| i.stock).collect(),
            uncounted: vec![0; world.listings.len()],
            samples: [(0, 0); 2],
            trouble: None,
            options: options.clone(),
            regime,
            world,
        }
    }

    pub fn run(mut self) -> Result<Outcome, String> {
        self.events.push(START, Event::Buyer(0));
        self.events.push(START, Event::Act(0));
        for item in 0..self.world.items.len() {
            self.touch(item, START);
        }
        for channel in 0..CHANNELS {
            self.connectors[channel].poll_at = START + MINUTE;
            self.events.push(START + MINUTE, Event::Poll(channel));
        }
        self.events.push(START + 30 * MINUTE, Event::Sample);
        self.events.push(START + 3 * HOUR, Event::Night);
        self.events.push(START + UPLOAD_EVERY, Event::Upload);
        let quiet_until = self.world.end + 3 * HOUR;
        self.play_until(quiet_until)?;
        self.reconcile(quiet_until)?;
        self.add_up();
        let (all, flash) = oracle(&self.world);
        (self.season.oracle, self.flash.oracle) = (all, flash);
        let share = |(taken, right): (u64, u64)| if taken == 0 { 1.0 } else { right as f64 / taken as f64 };
        self.season.accuracy = share(self.samples[0]);
        self.flash.accuracy = share(self.samples[1]);
        self.flash.accuracy_reconciled = self.season.accuracy_reconciled;
        self.season.finish(self.regime);
        self.flash.finish(self.regime);
        Ok(Outcome { seed: self.options.seed, regime: self.regime, season: self.season, flash: self.flash })
    }

    /// What became of every order.
    fn add_up(&mut self) {
        for order in &self.stock.orders {
            let flash = self.world.in_flash(order.item, order.placed_at).then_some(&mut self.flash);
            for figures in [Some(&mut self.season), flash].into_iter().flatten() {
                figures.orders += 1;
                if order.void {
                    figures.canceled_orders += 1;
                    figures.refunds += order.item_units * self.world.items[order.item].price;
                } else if order.canceled_at.is_none() {
                    figures.sold += order.item_units;
                }
            }
        }
    }

    fn play_until(&mut self, end: i64) -> Result<(), String> {
        while let Some((at, event)) = self.events.pop() {
            if at > end {
                self.events.push(at, event);
                break;
            }
            self.now = at;
            self.happen(event);
            if let Some(trouble) = self.trouble.take() {
                let hours = (self.now - START) as f64 / HOUR as f64;
                return Err(format!("seed {}, {}, hour {hours:.4}: {trouble}", self.options.seed, self.regime.name()));
            }
        }
        self.now = end;
        Ok(())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Buyer(n) => {
                let Some(buyer) = self.world.buyers.get(n).cloned() else { return };
                if buyer.at > self.now {
                    return self.events.push(buyer.at, Event::Buyer(n));
                }
                self.buys(&buyer);
                self.events.push(self.now, Event::Buyer(n + 1));
            }
            Event::Act(n) => {
                let Some((at, act)) = self.world.acts.get(n).cloned() else { return };
                if at > self.now {
                    return self.events.push(at, Event::Act(n));
                }
                self.act(act);
                self.events.push(self.now, Event::Act(n + 1));
            }
            Event::Cancels(order) => self.cancels(order),
            Event::Told { order, canceled } => {
                if self.now >= self.down_until && self.regime != Regime::Before {
                    self.order_seen(order, canceled);
                }
            }
            Event::Arrives(call) => self.arrives(call),
            Event::Applies(row) => {
                self.markets.apply(&row);
                self.check(self.world.listings[row.listing].item);
            }
            Event::Answers(call) => self.answers(call),
            Event::TimesOut(call) => self.times_out(call),
            Event::Pump(channel) => self.pump(channel),
            Event::Poll(channel) => self.poll(channel),
            Event::Read(listing) => self.read_at(listing, self.now),
            Event::Touch(item) => self.touch(item, self.now),
            Event::Short(order) if self.books.seen[order] == Seen::Short => self.books.seen[order] = Seen::Void,
            Event::Short(_) => {}
            Event::Sample => self.sample(),
            Event::Upload => self.upload(),
            Event::Night => self.night(),
        }
    }

    /// Adds to the season's figures, and to those of the flash sale while it lasts.
    pub fn count(&mut self, add: impl Fn(&mut Figures)) {
        add(&mut self.season);
        if self.now >= self.world.flash.0 && self.now < self.world.flash.1 {
            add(&mut self.flash);
        }
    }

    fn buys(&mut self, buyer: &Buyer) {
        let (item, now) = (buyer.item, self.now);
        let per = buyer.listing.map_or(1, |l| self.world.listings[l].per);
        let units = buyer.units * per;
        let shown = match buyer.listing {
            Some(l) => self.markets.shown[l],
            None if self.regime == Regime::Before => self.own_shown[item],
            None if now < self.down_until => 0,
            None if self.regime == Regime::Quota => self.books.available[item] - self.books.lent(item, &self.world.listings),
            None => self.books.available[item],
        };
        let in_flash = self.world.in_flash(item, now);
        if shown < buyer.units {
            if self.stock.free[item] >= units {
                self.season.lost += units;
                self.flash.lost += if in_flash { units } else { 0 };
            }
            if buyer.listing.is_none() && now >= self.down_until {
                self.books.miss(item, units, now);
                self.touch(item, now);
            }
            return;
        }
        let honest = buyer.listing.is_none_or(|l| self.markets.honest[l] >= buyer.units);
        let (order, oversold, edited) = self.stock.accept(buyer, per, honest);
        if self.options.check && oversold > 0 {
            self.trouble = Some(format!("item {item}: {oversold} units sold that are not there"));
        }
        for figures in [Some(&mut self.season), in_flash.then_some(&mut self.flash)].into_iter().flatten() {
            figures.oversold += oversold;
            figures.sold_after_edit += edited;
        }
        if let Some(after) = buyer.cancels_after {
            self.events.push(now + after, Event::Cancels(order));
        }
        match buyer.listing {
            Some(l) => {
                self.markets.shown[l] -= buyer.units;
                self.uncounted[l] += buyer.units;
                self.markets.honest[l] = (self.markets.honest[l] - buyer.units).max(0);
                self.list(order, now);
                self.notify(order, false);
            }
            None if self.regime == Regime::Before => self.own_shown[item] -= units,
            None => self.order_seen(order, false),
        }
        self.check(item);
    }

    fn list(&mut self, order: usize, now: i64) {
        if let Some(l) = self.stock.orders[order].listing {
            self.markets.changes[self.world.listings[l].channel].push((now, order));
        }
    }

    /// The channel tells us: soon, late, often, never.
    fn notify(&mut self, order: usize, canceled: bool) {
        let Some(l) = self.stock.orders[order].listing else { return };
        let mut luck = Rng::with_seed(self.stock.orders[order].luck ^ canceled as u64);
        let (broken, from, until) = self.world.outage;
        let out = broken == self.world.listings[l].channel && self.now >= from && self.now < until;
        let copies = match luck.u32(0..100) {
            _ if !self.options.faults => 1,
            _ if out => 0,
            0..3 => 0,
            3..8 => luck.usize(2..=10),
            _ => 1,
        };
        for _ in 0..copies {
            // One in twenty is overtaken by what came after it.
            let late = if self.options.faults && luck.u32(0..20) == 0 { luck.i64(0..2 * MINUTE) } else { 0 };
            let delay = super::market::lognormal(&mut luck, 1_500_000, 0.6) + late;
            self.events.push(self.now + delay, Event::Told { order, canceled });
        }
    }

    fn cancels(&mut self, order: usize) {
        let now = self.now;
        let Order { item, listing, units, item_units, restocks, void, .. } = self.stock.orders[order].clone();
        self.stock.orders[order].canceled_at = Some(now);
        if !void {
            self.stock.free[item] += item_units;
        }
        let Some(l) = listing else {
            if self.regime == Regime::Before {
                self.own_shown[item] += item_units;
            } else {
                self.order_seen(order, true);
            }
            return;
        };
        if restocks {
            self.markets.shown[l] += units;
            self.uncounted[l] -= units;
            if void && restocks {
                // It is let in again.
                self.stock.debt[item] += std::mem::take(&mut self.stock.orders[order].explained);
            }
            // What an order gave back that was sold a unit which is not there is not there either.
            self.markets.honest[l] += if void { 0 } else { units };
        }
        self.list(order, now);
        self.notify(order, true);
        self.check(item);
    }

    /// We see an order, by whichever way and however often.
    pub fn order_seen(&mut self, n: usize, canceled: bool) {
        let Order { item, listing, units, item_units, placed_at, canceled_at, restocks, .. } = self.stock.orders[n].clone();
        if self.books.seen.len() <= n {
            self.books.seen.resize(n + 1, Seen::Not);
        }
        let skew = listing.map_or(0, |l| self.world.skews[self.world.listings[l].channel]);
        let before = self.books.seen[n];
        if before == Seen::Not {
            self.books.seen[n] = Seen::Void;
            if !canceled {
                self.decide(n);
            }
            match listing {
                Some(l) => {
                    self.uncounted[l] -= units;
                    let beyond = self.books.exposure[l].sold(units, placed_at + skew);
                    self.books.demand[l] = self.books.demand[l].sold(units, self.now);
                    if beyond > 0 && self.regime == Regime::Quota {
                        self.count(|f| f.exceptions += 1);
                    }
                }
                None => self.books.own[item] = self.books.own[item].sold(item_units, self.now),
            }
        }
        if let (true, Some(at)) = (canceled && before != Seen::Canceled, canceled_at) {
            let sent = self.books.seen[n] == Seen::Sent;
            self.books.seen[n] = Seen::Canceled;
            if sent {
                self.books.available[item] += item_units;
                self.serve_short(item);
            }
            if let (true, Some(l)) = (restocks, listing) {
                self.uncounted[l] += units;
                self.books.exposure[l].restocked(units, at + skew);
            }
        }
        if self.books.seen[n] != before {
            self.touch(item, if canceled { canceled_at.unwrap_or(self.now) } else { placed_at });
        }
    }

    /// An order is sent if our books have the units, in the order in which we see them.
    fn decide(&mut self, n: usize) {
        let order = &self.stock.orders[n];
        if self.books.available[order.item] < order.item_units {
            // A cancellation that gives the units back may be on its way.
            self.books.seen[n] = Seen::Short;
            self.books.short[order.item].push(n);
            self.agree(n, false);
            return self.events.push(self.now + 30 * MINUTE, Event::Short(n));
        }
        self.books.available[order.item] -= order.item_units;
        self.books.seen[n] = Seen::Sent;
        self.agree(n, true);
    }

    /// Orders that wait for units, when there are some.
    fn serve_short(&mut self, item: usize) {
        for n in std::mem::take(&mut self.books.short[item]) {
            if self.books.seen[n] == Seen::Short {
                self.decide(n);
            }
        }
    }

    /// Another order than the one that came too late may be the one that gets nothing.
    fn agree(&mut self, n: usize, sent: bool) {
        let order = &mut self.stock.orders[n];
        if order.canceled_at.is_none() && order.void == sent {
            order.void = !sent;
            if sent {
                self.stock.debt[order.item] += std::mem::take(&mut order.explained);
            }
            self.stock.free[order.item] += if sent { -order.item_units } else { order.item_units };
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Receipt { item, units } => {
                self.stock.free[item] += units;
                self.corrected(item, units);
            }
            Act::Correction { item, per_mille } => {
                let units = correction(self.stock.free[item], self.world.items[item].stock, per_mille);
                let own = (self.books.available[item] - self.books.lent(item, &self.world.listings)).max(0);
                let on_sale = own + self.markets.may_sell(&self.world.listings, &self.books.of[item]);
                self.stock.correct(item, units, on_sale);
                self.corrected(item, units);
            }
            Act::Lower { listing, percent } => {
                self.markets.shown[listing] = self.markets.shown[listing] * percent / 100;
                self.markets.honest[listing] = self.markets.honest[listing].min(self.markets.shown[listing]);
            }
            Act::Raise { listing, units } => self.markets.shown[listing] += units,
            Act::Restart => {
                if self.regime != Regime::Before {
                    self.down_until = self.now + 20 * SECOND;
                    self.restart();
                }
            }
        }
    }

    fn corrected(&mut self, item: usize, units: i64) {
        self.books.available[item] += units;
        self.serve_short(item);
        self.touch(item, self.now);
    }

    /// Looks whether more can be sold than there is, and whether each listing can sell no more than was promised to it.
    pub fn check(&mut self, item: usize) {
        if self.regime != Regime::Quota || !self.options.check {
            return;
        }
        let (available, lent) = (self.books.available[item], self.books.lent(item, &self.world.listings));
        let beyond = self.books.of[item].iter().find(|l| {
            let can_sell = self.markets.may_sell(&self.world.listings, &[**l]) / self.world.listings[**l].per;
            can_sell + self.uncounted[**l] > self.books.exposure[**l].total()
        });
        if self.options.check {
            let on_sale = self.markets.may_sell(&self.world.listings, &self.books.of[item]) + (available - lent).max(0);
            self.trouble =
                self.stock.excess(item, on_sale).or(beyond.map(|l| format!("item {item}: listing {l} sells more than was promised to it")));
        }
    }

    /// As [`Season::check`], for all items of a call.
    pub fn check_call(&mut self, number: usize) {
        if let What::Write(rows) = &self.calls[number].what {
            let items: Vec<usize> = rows.iter().map(|r| self.world.listings[r.listing].item).collect();
            items.into_iter().for_each(|item| self.check(item));
        }
    }

    fn is_right(&self, listing: usize) -> bool {
        let item = self.world.listings[listing].item;
        self.books.exposure[listing].shown() == Some(self.markets.shown[listing]) && self.books.available[item] == self.stock.free[item]
    }

    fn sample(&mut self) {
        let in_flash = self.now >= self.world.flash.0 && self.now < self.world.flash.1;
        for listing in 0..self.world.listings.len() {
            let right = self.is_right(listing) as u64;
            let hot = self.world.items[self.world.listings[listing].item].hot;
            for (taken, rights) in self.samples.iter_mut().take(if in_flash && hot { 2 } else { 1 }) {
                *taken += 1;
                *rights += right;
            }
        }
        if self.now < self.world.end {
            let near = self.now + 30 * MINUTE > self.world.flash.0 && self.now < self.world.flash.1;
            let next = if in_flash { self.now + 30 * SECOND } else { self.now + 30 * MINUTE };
            let next = if near && !in_flash { next.min(self.world.flash.0 + SECOND) } else { next };
            self.events.push(next, Event::Sample);
        }
    }

    /// Orders of the last hours are imported and the sheet is uploaded.
    fn upload(&mut self) {
        if self.regime != Regime::Before {
            return;
        }
        self.books.pushed.fill(None);
        self.count(|f| f.uploads += 1);
        for order in 0..self.stock.orders.len() {
            self.order_seen(order, self.stock.orders[order].canceled_at.is_some());
        }
        self.own_shown.clone_from(&self.books.available);
        for item in 0..self.world.items.len() {
            self.touch(item, NO_CHANGE);
        }
        if self.now < self.world.end {
            self.events.push(self.now + UPLOAD_EVERY, Event::Upload);
        }
    }

    fn night(&mut self) {
        match self.regime {
            Regime::Before => {}
            Regime::Broadcast => {
                self.books.pushed.fill(None);
                for item in 0..self.world.items.len() {
                    self.touch(item, NO_CHANGE);
                }
            }
            Regime::Shared | Regime::Quota => (0..self.world.listings.len()).for_each(|l| self.read_at(l, self.now)),
        }
        if self.now + DAY < self.world.end {
            self.events.push(self.now + DAY, Event::Night);
        }
    }

    /// The season is over: every order is read, every number is read back, and what differs is counted and put right.
    fn reconcile(&mut self, mut end: i64) -> Result<(), String> {
        for order in 0..self.stock.orders.len() {
            self.order_seen(order, self.stock.orders[order].canceled_at.is_some());
        }
        for item in 0..self.world.items.len() {
            if self.books.available[item] != self.stock.free[item] {
                self.season.differences += 1;
                self.books.available[item] = self.stock.free[item];
                self.touch(item, self.now);
            }
        }
        for _ in 0..3 {
            for listing in 0..self.world.listings.len() {
                self.season.differences += if self.is_right(listing) { 0 } else { 1 };
                self.read_at(listing, self.now);
            }
            end += HOUR;
            self.play_until(end)?;
        }
        let n = self.world.listings.len();
        self.season.accuracy_reconciled = (0..n).filter(|l| self.is_right(*l)).count() as f64 / n as f64;
        Ok(())
    }
}
