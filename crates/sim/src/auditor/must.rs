//! What a command must come to, from the books alone: done, the same answer again, or refused with this code.

use super::{AVAILABLE, Auditor, STATES};
use crate::world::{B2B, BATCH, DAY};
use engine::orders::place::PlaceOrder;
use engine::reservations::reserve::Reserve;
use engine::stock::SkuLine;
use engine::{Command, WhenShort};
use std::collections::{BTreeMap, HashMap, HashSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// Something changes.
    Do,
    /// It was done before: the answer shows how things stand.
    Same,
    Refuse(&'static str),
}

/// The code of a refusal.
type No = &'static str;

const MOST: i64 = 1_000_000_000;
const LONGEST_HOLD: i64 = 30 * 24 * 3600;

/// How the units of an order are come by.
#[derive(Debug, Default)]
pub(super) struct Ration {
    /// (item, units) in the order of the lines.
    pub wants: Vec<(usize, i64)>,
    /// Taken from the hold, and left in it: (item, location, units).
    pub used: Vec<(usize, usize, i64)>,
    pub left: Vec<(usize, usize, i64)>,
    /// Units that routing finds, and units that it does not.
    pub routed: BTreeMap<usize, i64>,
    pub missing: BTreeMap<usize, i64>,
    pub waits: bool,
}

impl Ration {
    pub fn held(&self, item: usize) -> i64 {
        self.used.iter().filter(|(i, ..)| *i == item).map(|(.., q)| q).sum()
    }
}

fn units(quantity: i64) -> Result<i64, No> {
    if (1..=MOST).contains(&quantity) { Ok(quantity) } else { Err("quantity_out_of_range") }
}

fn seconds(seconds: i64) -> Result<(), No> {
    if (1..=LONGEST_HOLD).contains(&seconds) { Ok(()) } else { Err("quantity_out_of_range") }
}

fn once<'a>(skus: impl IntoIterator<Item = &'a str>) -> Result<(), No> {
    let mut seen = HashSet::new();
    if !skus.into_iter().all(|sku| seen.insert(sku)) {
        return Err("duplicate_line");
    }
    if seen.is_empty() { Err("invalid_field") } else { Ok(()) }
}

/// A state that people may book by hand.
pub(super) fn by_hand(word: Option<&str>) -> Result<usize, No> {
    let word = word.unwrap_or("available");
    let place = STATES.iter().position(|s| *s == word).ok_or("invalid_field")?;
    if matches!(place, AVAILABLE | 3..=5) { Ok(place) } else { Err("invalid_field") }
}

impl Auditor {
    pub fn must(&self, command: &Command, now: i64) -> Must {
        self.judge(command, now).unwrap_or_else(Must::Refuse)
    }

    fn judge(&self, command: &Command, now: i64) -> Result<Must, No> {
        match command {
            Command::Receive(c) => {
                once(c.lines.iter().map(|l| l.sku.as_str()))?;
                self.place(&c.location)?;
                for line in &c.lines {
                    self.plain_item(&line.sku)?;
                    units(line.quantity)?;
                }
            }
            Command::Adjust(c) => {
                once(c.lines.iter().map(|l| l.sku.as_str()))?;
                let location = self.place(&c.location)?;
                let mut is_short = false;
                for line in &c.lines {
                    let item = self.plain_item(&line.sku)?;
                    if line.delta == 0 || !(-MOST..=MOST).contains(&line.delta) {
                        return Err("quantity_out_of_range");
                    }
                    let state = by_hand(line.state.as_deref())?;
                    is_short |= self.level(item, location)[state] + line.delta < 0;
                }
                enough(!is_short)?;
            }
            Command::Move(c) => {
                once(c.lines.iter().map(|l| l.sku.as_str()))?;
                let (from, to) = (self.place(&c.from.location)?, self.place(&c.to.location)?);
                let (source, target) = (by_hand(Some(&c.from.state))?, by_hand(Some(&c.to.state))?);
                if (from, source) == (to, target) {
                    return Err("invalid_field");
                }
                self.has_lines(&c.lines, from, source)?;
            }
            Command::Count(c) => {
                once(c.lines.iter().map(|l| l.sku.as_str()))?;
                let location = self.place(&c.location)?;
                for line in &c.lines {
                    let item = self.plain_item(&line.sku)?;
                    if line.counted != 0 {
                        units(line.counted)?;
                    }
                    let level = self.level(item, location);
                    let promised: i64 = level[1..6].iter().sum();
                    if line.counted < promised {
                        return Err("count_below_promised");
                    }
                }
            }
            Command::SendTransfer(c) => {
                once(c.lines.iter().map(|l| l.sku.as_str()))?;
                let (from, to) = (self.place(&c.from)?, self.place(&c.to)?);
                if from == to {
                    return Err("invalid_field");
                }
                self.has_lines(&c.lines, from, AVAILABLE)?;
            }
            Command::ReceiveTransfer(c) => {
                let transfer = self.transfers.get(&c.id).ok_or("unknown_transfer")?;
                if !transfer.is_open() {
                    return Err("step_not_allowed");
                }
                if let Some(lines) = &c.lines {
                    once(lines.iter().map(|l| l.sku.as_str()))?;
                    for line in lines {
                        let item = self.plain_item(&line.sku)?;
                        if !transfer.lines.contains_key(&item) {
                            return Err("unknown_item");
                        }
                        if line.received != 0 || line.lost == 0 {
                            units(line.received)?;
                        }
                        if line.lost != 0 {
                            units(line.lost)?;
                        }
                        if line.received + line.lost > transfer.left(item) {
                            return Err("too_many");
                        }
                    }
                }
            }
            Command::CancelTransfer(c) => {
                let transfer = self.transfers.get(&c.id).ok_or("unknown_transfer")?;
                if !transfer.is_open() {
                    return Err("step_not_allowed");
                }
            }
            Command::Reserve(c) => self.judge_reserve(c, now)?,
            Command::Release(c) => {
                if self.holds.get(&c.id).is_some_and(|h| h.status == "released") {
                    return Ok(Must::Same);
                }
                self.live(c.id, now)?;
            }
            Command::Extend(c) => {
                seconds(c.expires_in_seconds)?;
                self.live(c.id, now)?;
            }
            Command::PlaceOrder(c) => {
                if self.references.contains_key(&(c.channel.clone(), c.reference.clone())) {
                    return Ok(Must::Same);
                }
                self.ration(c, now)?;
            }
            Command::CancelOrder(c) => {
                let order = self.orders.get(&c.id).ok_or("unknown_order")?;
                if matches!(order.status(), "fulfilled" | "canceled") {
                    return Err("step_not_allowed");
                }
                if let Some(lines) = &c.lines {
                    once(lines.iter().map(|l| l.sku.as_str()))?;
                    if order.queued {
                        return Err("invalid_field");
                    }
                    let mut asked: BTreeMap<usize, i64> = BTreeMap::new();
                    for line in lines {
                        units(line.quantity)?;
                        for (item, quantity) in self.units_of(order, &line.sku, line.quantity)? {
                            *asked.entry(item).or_default() += quantity;
                        }
                    }
                    not_too_many(asked.iter().all(|(item, asked)| *asked <= order.units[item].unshipped()))?;
                }
            }
            Command::Ship(c) => {
                let (order, part) = self.part(c.fulfillment).ok_or("unknown_fulfillment")?;
                if matches!(part.status(), "fulfilled" | "canceled") {
                    return Err("step_not_allowed");
                }
                self.bounded(order, c.lines.as_deref(), |item| part.open(item))?;
            }
            Command::ReturnOrder(c) => {
                let order = self.orders.get(&c.id).ok_or("unknown_order")?;
                if !matches!(order.status(), "partially_fulfilled" | "fulfilled") {
                    return Err("step_not_allowed");
                }
                once(c.lines.iter().map(|l| l.sku.as_str()))?;
                self.place(&c.location)?;
                by_hand(c.state.as_deref())?;
                self.bounded(order, Some(&c.lines), |item| order.units.get(&item).map_or(0, |u| u.shipped - u.returned))?;
            }
            _ => {}
        }
        Ok(Must::Do)
    }

    fn judge_reserve(&self, c: &Reserve, now: i64) -> Result<(), No> {
        if c.lines.is_empty() {
            return Err("invalid_field");
        }
        seconds(c.expires_in_seconds)?;
        let mut free: HashMap<(usize, usize), i64> = HashMap::new();
        if let Some(id) = &c.replaces {
            let id: i64 = id.parse().map_err(|_| "unknown_reservation")?;
            for (item, location, quantity) in &self.live(id, now)?.lines {
                *free.entry((*item, *location)).or_default() += quantity;
            }
        }
        let mut here: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        let mut anywhere: BTreeMap<usize, i64> = BTreeMap::new();
        for line in &c.lines {
            let item = self.sold(&line.sku)?;
            units(line.quantity)?;
            let location = line.location.as_deref().map(|code| self.place(code)).transpose()?;
            for (item, quantity) in self.world.units_in(item, line.quantity) {
                match location {
                    Some(location) => *here.entry((item, location)).or_default() += quantity,
                    None => *anywhere.entry(item).or_default() += quantity,
                }
            }
        }
        let has = |item: usize, location: usize| self.available(item, location) + free.get(&(item, location)).copied().unwrap_or(0);
        enough(here.iter().all(|((item, location), wanted)| self.is_open(*location) && has(*item, *location) >= *wanted))?;
        enough(anywhere.iter().all(|(item, wanted)| {
            let taken = |location: usize| here.get(&(*item, location)).copied().unwrap_or(0);
            let total: i64 = self.open_locations().map(|location| has(*item, location) - taken(location)).sum();
            total >= *wanted
        }))
    }

    /// How an order that is not known yet must be served, or why it must be refused.
    pub(super) fn ration(&self, c: &PlaceOrder, now: i64) -> Result<Ration, No> {
        if c.lines.is_empty() {
            return Err("invalid_field");
        }
        let mut ration = Ration::default();
        for line in &c.lines {
            let item = self.sold(&line.sku)?;
            units(line.quantity)?;
            for (item, quantity) in self.world.units_in(item, line.quantity) {
                match ration.wants.iter_mut().find(|(i, _)| *i == item) {
                    Some(known) => known.1 += quantity,
                    None => ration.wants.push((item, quantity)),
                }
            }
        }
        for line in &c.lines {
            let item = self.sold(&line.sku)?;
            for (_, quantity) in self.world.units_in(item, line.quantity) {
                units(quantity)?;
            }
        }
        if let Some(id) = &c.reservation {
            let id: i64 = id.parse().map_err(|_| "unknown_reservation")?;
            for (item, location, quantity) in self.live(id, now)?.lines.clone() {
                let wanted = ration.wants.iter().find(|(i, _)| *i == item).map_or(0, |(_, q)| *q);
                let take = (wanted - ration.held(item)).min(quantity);
                if take > 0 {
                    ration.used.push((item, location, take));
                }
                if take < quantity {
                    ration.left.push((item, location, quantity - take));
                }
            }
        }
        ration.waits = c.channel == BATCH && c.reservation.is_none();
        self.share(&mut ration, &c.channel, now);
        if ration.waits && ration.missing.keys().any(|item| self.world.items[*item].when_short != WhenShort::Partial) {
            // An order that has to wait for stock anyway does not also wait for a run.
            ration.waits = false;
            self.share(&mut ration, &c.channel, now);
        }
        self.settle(&ration)?;
        Ok(ration)
    }

    fn share(&self, ration: &mut Ration, channel: &str, now: i64) {
        (ration.routed, ration.missing) = (BTreeMap::new(), BTreeMap::new());
        for (item, quantity) in &ration.wants {
            let rest = quantity - ration.held(*item);
            let found: i64 = (0..self.world.locations.len())
                .filter(|location| self.may_send(*location, channel, ration.waits, now))
                .map(|location| self.available(*item, location))
                .sum();
            let found = if self.is_embargoed(*item, now) { 0 } else { found.min(rest) };
            if found > 0 {
                ration.routed.insert(*item, found);
            }
            if found < rest {
                ration.missing.insert(*item, rest - found);
            }
        }
    }

    /// Whether routing may take units from a location for a channel.
    pub(super) fn may_send(&self, location: usize, channel: &str, waits: bool, now: i64) -> bool {
        self.is_open(location) && (channel != B2B || location < 2) && (waits || self.room(location, now.div_euclid(DAY)).is_none_or(|left| left > 0))
    }

    pub(super) fn is_embargoed(&self, item: usize, now: i64) -> bool {
        let facts = &self.world.items[item];
        facts.when_short == WhenShort::Preorder && facts.from.is_some_and(|from| from > now)
    }

    fn settle(&self, ration: &Ration) -> Result<(), No> {
        if ration.missing.is_empty() {
            return Ok(());
        }
        let policy = |item: &usize| self.world.items[*item].when_short;
        let all_missing = ration.wants.iter().all(|(item, quantity)| ration.missing.get(item) == Some(quantity));
        let denied = ration.missing.keys().any(|item| policy(item) == WhenShort::Deny);
        let nothing_left = all_missing && ration.missing.keys().all(|item| policy(item) == WhenShort::Partial);
        if !denied && !nothing_left {
            return Ok(());
        }
        let is_short = |item: usize| {
            let there: i64 = self.open_locations().map(|location| self.available(item, location)).sum();
            let wanted = ration.wants.iter().find(|(i, _)| *i == item).map_or(0, |(_, q)| *q);
            there < wanted - ration.held(item)
        };
        if ration.missing.keys().any(|item| is_short(*item)) { Err("insufficient_stock") } else { Err("not_routable") }
    }

    /// The lines of a request about an order's units, against what is left to do of each.
    fn bounded(&self, order: &super::Order, lines: Option<&[SkuLine]>, left: impl Fn(usize) -> i64) -> Result<(), No> {
        let Some(lines) = lines else { return Ok(()) };
        once(lines.iter().map(|l| l.sku.as_str()))?;
        let mut asked: BTreeMap<usize, i64> = BTreeMap::new();
        for line in lines {
            units(line.quantity)?;
            for (item, quantity) in self.units_of(order, &line.sku, line.quantity)? {
                let sum = asked.entry(item).or_default();
                *sum += quantity;
                not_too_many(*sum <= left(item))?;
            }
        }
        Ok(())
    }

    /// Which plain units of an order a SKU means.
    pub(super) fn units_of(&self, order: &super::Order, sku: &str, quantity: i64) -> Result<Vec<(usize, i64)>, No> {
        let item = self.world.item(sku).ok_or("unknown_item")?;
        let is_there = if self.world.items[item].components.is_empty() { order.units.contains_key(&item) } else { order.kits.contains(&item) };
        if is_there { Ok(self.world.units_in(item, quantity)) } else { Err("unknown_item") }
    }

    fn has_lines(&self, lines: &[SkuLine], location: usize, state: usize) -> Result<(), No> {
        let mut is_short = false;
        for line in lines {
            let item = self.plain_item(&line.sku)?;
            units(line.quantity)?;
            is_short |= self.level(item, location)[state] < line.quantity;
        }
        enough(!is_short)
    }

    fn live(&self, id: i64, now: i64) -> Result<&super::Hold, No> {
        let hold = self.holds.get(&id).ok_or("unknown_reservation")?;
        match hold.status {
            "held" if self.is_over(id, now) => Err("reservation_expired"),
            "held" => Ok(hold),
            "expired" => Err("reservation_expired"),
            _ => Err("step_not_allowed"),
        }
    }

    fn sold(&self, sku: &str) -> Result<usize, No> {
        self.world.item(sku).filter(|n| self.world.items[*n].active).ok_or("unknown_item")
    }

    fn plain_item(&self, sku: &str) -> Result<usize, No> {
        let item = self.sold(sku)?;
        if self.world.items[item].components.is_empty() { Ok(item) } else { Err("kit_has_no_stock") }
    }

    fn place(&self, code: &str) -> Result<usize, No> {
        self.world.location(code).ok_or("unknown_location")
    }

    fn is_open(&self, location: usize) -> bool {
        self.world.locations[location].active
    }

    pub(super) fn open_locations(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.world.locations.len()).filter(|n| self.is_open(*n))
    }
}

fn enough(is_enough: bool) -> Result<(), No> {
    if is_enough { Ok(()) } else { Err("insufficient_stock") }
}

fn not_too_many(holds: bool) -> Result<(), No> {
    if holds { Ok(()) } else { Err("too_many") }
}
