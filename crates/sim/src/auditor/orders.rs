//! Orders in the auditor's books: their units by item, and what each location sends.

use super::{AVAILABLE, Auditor, COMMITTED, Hold, News, RESERVED, Wrong, day, int, list, micros, same, text};
use crate::world::DAY;
use engine::WhenShort;
use engine::orders::cancel::CancelOrder;
use engine::orders::place::PlaceOrder;
use engine::orders::r#return::ReturnOrder;
use engine::orders::ship::Ship;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Units of one item in an order, over all its lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    pub quantity: i64,
    pub canceled: i64,
    pub backordered: i64,
    pub shipped: i64,
    pub returned: i64,
}

impl Units {
    pub fn unshipped(&self) -> i64 {
        self.quantity - self.canceled - self.shipped
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartLine {
    pub quantity: i64,
    pub shipped: i64,
    pub canceled: i64,
}

/// What one location sends.
#[derive(Debug, Clone)]
pub struct Part {
    /// None until the order was seen since it came to be.
    pub id: Option<i64>,
    pub location: usize,
    pub day: i64,
    pub lines: BTreeMap<usize, PartLine>,
}

impl Part {
    pub fn open(&self, item: usize) -> i64 {
        self.lines.get(&item).map_or(0, |l| l.quantity - l.shipped - l.canceled)
    }

    pub fn status(&self) -> &'static str {
        let sum = |figure: fn(&PartLine) -> i64| self.lines.values().map(figure).sum();
        word(sum(|l| l.quantity), sum(|l| l.canceled), sum(|l| l.shipped), 0)
    }
}

#[derive(Debug, Clone)]
pub struct Order {
    pub channel: String,
    pub reference: String,
    pub placed_at: i64,
    pub queued: bool,
    /// The hold of a queued order.
    pub hold: Option<i64>,
    pub units: BTreeMap<usize, Units>,
    pub kits: BTreeSet<usize>,
    pub parts: Vec<Part>,
}

impl Order {
    fn sum(&self, figure: fn(&Units) -> i64) -> i64 {
        self.units.values().map(figure).sum()
    }

    pub fn backordered(&self) -> i64 {
        self.sum(|u| u.backordered)
    }

    pub fn status(&self) -> &'static str {
        if self.queued {
            return "queued";
        }
        word(self.sum(|u| u.quantity), self.sum(|u| u.canceled), self.sum(|u| u.shipped), self.backordered())
    }
}

/// The status that sums of units mean.
fn word(ordered: i64, canceled: i64, shipped: i64, backordered: i64) -> &'static str {
    match (ordered - canceled, shipped) {
        (0, _) => "canceled",
        (wanted, shipped) if shipped == wanted => "fulfilled",
        (_, shipped) if shipped > 0 => "partially_fulfilled",
        _ if backordered > 0 => "backordered",
        _ => "open",
    }
}

impl Auditor {
    /// A fulfillment and its order.
    pub(super) fn part(&self, id: i64) -> Option<(&Order, &Part)> {
        self.orders.values().find_map(|o| o.parts.iter().find(|p| p.id == Some(id)).map(|p| (o, p)))
    }

    pub(super) fn placed(&mut self, c: &PlaceOrder, view: &Value, now: i64, news: &mut News) -> Result<(), Wrong> {
        let ration = self.ration(c, now)?;
        let id = int(view, "id");
        let mut units: BTreeMap<usize, Units> = BTreeMap::new();
        for (item, quantity) in &ration.wants {
            let missing = ration.missing.get(item).copied().unwrap_or(0);
            let cut = self.world.items[*item].when_short == WhenShort::Partial;
            let (canceled, backordered) = if cut { (missing, 0) } else { (0, missing) };
            units.insert(*item, Units { quantity: *quantity, canceled, backordered, ..Units::default() });
        }
        let kits = c.lines.iter().filter_map(|l| self.world.item(&l.sku)).filter(|n| !self.world.items[*n].components.is_empty()).collect();
        let mut order = Order {
            channel: c.channel.clone(),
            reference: c.reference.clone(),
            placed_at: now,
            queued: ration.waits,
            hold: None,
            units,
            kits,
            parts: Vec::new(),
        };
        // Where routing may send from is settled before this order takes anything.
        let may_send: Vec<bool> = (0..self.world.locations.len()).map(|location| self.may_send(location, &c.channel, ration.waits, now)).collect();
        let mut held: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        for (item, location, quantity) in &ration.used {
            self.book(*item, *location, Some(RESERVED), Some(COMMITTED), *quantity)?;
            *held.entry((*item, *location)).or_default() += quantity;
        }
        // What routing takes, it takes from what is free before the rest of the hold is.
        let mut found: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        let mut lines = Vec::new();
        if ration.waits {
            let hold = int(&view["hold"], "id");
            same("the hold of a queued order", int(view, "reservation"), hold)?;
            order.hold = Some(hold);
            for line in list(&view["hold"], "lines") {
                let (item, location, quantity) = (self.item(text(line, "sku"))?, self.location(text(line, "location"))?, int(line, "quantity"));
                *found.entry((item, location)).or_default() += quantity;
                lines.push((item, location, quantity));
            }
            self.holds.insert(hold, Hold { status: "ordered", expires_at: i64::MAX, lines });
        } else {
            for view in list(view, "fulfillments") {
                let location = self.location(text(view, "location"))?;
                if order.parts.iter().any(|p| p.location == location) {
                    return Err("one location has two fulfillments of a new order".into());
                }
                let day = self.take_room(location, now);
                same(format!("the day of fulfillment {}", int(view, "id")), super::day(view, "day"), day)?;
                let mut part = Part { id: Some(int(view, "id")), location, day, lines: BTreeMap::new() };
                for line in list(view, "lines") {
                    let (item, quantity) = (self.item(text(line, "sku"))?, int(line, "quantity"));
                    part.lines.entry(item).or_default().quantity += quantity;
                    *found.entry((item, location)).or_default() += quantity;
                }
                order.parts.push(part);
            }
        }
        let target = if ration.waits { RESERVED } else { COMMITTED };
        let mut routed: BTreeMap<usize, i64> = BTreeMap::new();
        for ((item, location), quantity) in found {
            let more = quantity - held.remove(&(item, location)).unwrap_or(0);
            if more != 0 && !may_send[location] {
                return Err(format!("{} may not send this order, and {more} units are to come from there", self.world.locations[location].code));
            }
            self.book(item, location, Some(AVAILABLE), Some(target), more)?;
            *routed.entry(item).or_default() += more;
        }
        routed.retain(|_, quantity| *quantity != 0);
        same("units that routing found", &routed, &ration.routed)?;
        same("held units that no fulfillment sends", held.len(), 0)?;
        for (item, location, quantity) in &ration.left {
            self.book(*item, *location, Some(RESERVED), Some(AVAILABLE), *quantity)?;
            news.calls.push((*item, *location));
        }
        if let Some(hold) = c.reservation.as_ref().and_then(|id| id.parse().ok()).and_then(|id: i64| self.holds.get_mut(&id)) {
            hold.status = "ordered";
        }
        // The order's own units are not among those that wait while it is placed.
        self.serve(now, news)?;
        same("an order of that id was there before", self.orders.insert(id, order).is_some(), false)?;
        self.references.insert((c.channel.clone(), c.reference.clone()), id);
        same("when the order was placed", micros(view, "placed_at"), now)?;
        self.check_order(id, view)
    }

    pub(super) fn canceled(&mut self, c: &CancelOrder, view: &Value, news: &mut News) -> Result<(), Wrong> {
        let mut order = self.orders.get(&c.id).cloned().ok_or("no such order")?;
        let mut wanted: BTreeMap<usize, i64> = BTreeMap::new();
        match &c.lines {
            None => wanted.extend(order.units.iter().map(|(item, u)| (*item, u.unshipped()))),
            Some(lines) => {
                for line in lines {
                    for (item, quantity) in self.units_of(&order, &line.sku, line.quantity)? {
                        *wanted.entry(item).or_default() += quantity;
                    }
                }
            }
        }
        for (item, quantity) in &mut wanted {
            let units = order.units.get_mut(item).ok_or("no such line")?;
            units.canceled += *quantity;
            let waited = units.backordered.min(*quantity);
            units.backordered -= waited;
            *quantity -= waited;
        }
        if let Some(hold) = order.hold.filter(|_| order.queued) {
            let hold = self.holds.get_mut(&hold).ok_or("a queued order without a hold")?;
            hold.status = "released";
            for (item, location, quantity) in hold.lines.clone() {
                self.book(item, location, Some(RESERVED), Some(AVAILABLE), quantity)?;
                news.calls.push((item, location));
            }
            order.queued = false;
        } else {
            self.learn_parts(&mut order, view)?;
            // The latest fulfillment gives back first.
            for part in order.parts.iter_mut().rev() {
                let was_canceled = part.status() == "canceled";
                let found = self.part_lines(view, part.id)?;
                for (item, line) in &mut part.lines {
                    let more = found.get(item).map_or(0, |l| l.canceled) - line.canceled;
                    line.canceled += more;
                    self.book(*item, part.location, Some(COMMITTED), Some(AVAILABLE), more)?;
                    *wanted.entry(*item).or_default() -= more;
                    news.calls.extend((more > 0).then_some((*item, part.location)));
                }
                if part.status() == "canceled" && !was_canceled && part.day >= news.today {
                    self.used.entry((part.location, part.day)).and_modify(|used| *used -= 1);
                }
            }
            same("units to cancel that are nowhere", wanted.values().any(|left| *left != 0), false)?;
        }
        self.orders.insert(c.id, order);
        self.check_order(c.id, view)
    }

    pub(super) fn shipped(&mut self, c: &Ship, view: &Value) -> Result<(), Wrong> {
        let id = int(view, "id");
        let mut order = self.orders.get(&id).cloned().ok_or("no such order")?;
        let place = order.parts.iter().position(|p| p.id == Some(c.fulfillment)).ok_or("no such fulfillment")?;
        let mut wanted: BTreeMap<usize, i64> = BTreeMap::new();
        match &c.lines {
            None => wanted.extend(order.parts[place].lines.keys().map(|item| (*item, order.parts[place].open(*item)))),
            Some(lines) => {
                for line in lines {
                    for (item, quantity) in self.units_of(&order, &line.sku, line.quantity)? {
                        *wanted.entry(item).or_default() += quantity;
                    }
                }
            }
        }
        let location = order.parts[place].location;
        for (item, quantity) in wanted {
            self.book(item, location, Some(COMMITTED), None, quantity)?;
            if let Some(line) = order.parts[place].lines.get_mut(&item) {
                line.shipped += quantity;
            }
            if let Some(units) = order.units.get_mut(&item) {
                units.shipped += quantity;
            }
        }
        self.orders.insert(id, order);
        self.check_order(id, view)
    }

    pub(super) fn returned(&mut self, c: &ReturnOrder, view: &Value, news: &mut News) -> Result<(), Wrong> {
        let mut order = self.orders.get(&c.id).cloned().ok_or("no such order")?;
        let (location, state) = (self.location(&c.location)?, super::must::by_hand(c.state.as_deref())?);
        for line in &c.lines {
            for (item, quantity) in self.units_of(&order, &line.sku, line.quantity)? {
                self.book(item, location, None, Some(state), quantity)?;
                if let Some(units) = order.units.get_mut(&item) {
                    units.returned += quantity;
                }
                news.calls.extend((state == AVAILABLE).then_some((item, location)));
            }
        }
        self.orders.insert(c.id, order);
        self.check_order(c.id, view)
    }

    /// Books an order that a routing run placed.
    pub fn routed(&mut self, id: i64, code: &str, now: i64) -> Result<(), Wrong> {
        let location = self.location(code)?;
        if !self.world.locations[location].active || self.room(location, now.div_euclid(DAY)).is_some_and(|left| left <= 0) {
            return Err(format!("order {id} was routed to {code}, which is closed or full"));
        }
        let mut order =
            self.orders.get(&id).cloned().filter(|o| o.queued).ok_or_else(|| format!("order {id} was routed, but did not wait for it"))?;
        let mut needs: BTreeMap<usize, i64> = order.units.iter().map(|(item, u)| (*item, u.unshipped())).collect();
        let hold = order.hold.and_then(|id| self.holds.get(&id)).cloned().ok_or("a queued order without a hold")?;
        let day = self.take_room(location, now);
        let lines = needs.iter().filter(|(_, q)| **q > 0).map(|(item, q)| (*item, PartLine { quantity: *q, ..PartLine::default() })).collect();
        for (item, held_at, quantity) in hold.lines {
            let need = needs.entry(item).or_default();
            let keep = if held_at == location { quantity.min(*need) } else { 0 };
            *need -= keep;
            self.book(item, held_at, Some(RESERVED), Some(COMMITTED), keep)?;
            self.book(item, held_at, Some(RESERVED), Some(AVAILABLE), quantity - keep)?;
        }
        for (item, quantity) in needs {
            self.book(item, location, Some(AVAILABLE), Some(COMMITTED), quantity)?;
        }
        order.queued = false;
        order.parts.push(Part { id: None, location, day, lines });
        self.orders.insert(id, order);
        Ok(())
    }

    /// Orders with fulfillments whose ids are not known yet.
    pub fn unlearned(&self) -> Vec<i64> {
        self.orders.iter().filter(|(_, o)| o.parts.iter().any(|p| p.id.is_none())).map(|(id, _)| *id).collect()
    }

    fn learn_parts(&self, order: &mut Order, view: &Value) -> Result<(), Wrong> {
        for part in list(view, "fulfillments") {
            let (id, location) = (int(part, "id"), self.location(text(part, "location"))?);
            if !order.parts.iter().any(|p| p.id == Some(id)) {
                let unknown = order.parts.iter_mut().find(|p| p.id.is_none() && p.location == location && p.day == day(part, "day"));
                unknown.ok_or_else(|| format!("fulfillment {id} at {} is not in the books", text(part, "location")))?.id = Some(id);
            }
        }
        // The order in which the engine goes through them: by id, whichever node they are from.
        let views = list(view, "fulfillments");
        order.parts.sort_by_key(|p| views.iter().position(|v| Some(int(v, "id")) == p.id).unwrap_or(views.len()));
        Ok(())
    }

    fn part_lines(&self, view: &Value, id: Option<i64>) -> Result<BTreeMap<usize, PartLine>, Wrong> {
        let mut lines: BTreeMap<usize, PartLine> = BTreeMap::new();
        let part = list(view, "fulfillments").iter().find(|p| Some(int(p, "id")) == id);
        for line in part.map(|p| list(p, "lines")).unwrap_or_default() {
            let sum = lines.entry(self.item(text(line, "sku"))?).or_default();
            sum.quantity += int(line, "quantity");
            sum.shipped += int(line, "shipped");
            sum.canceled += int(line, "canceled");
        }
        Ok(lines)
    }

    /// An order as the engine shows it against the books.
    pub fn check_order(&mut self, id: i64, view: &Value) -> Result<(), Wrong> {
        let mut order = self.orders.get(&id).cloned().ok_or_else(|| format!("order {id} is not in the books"))?;
        same("the order's id", int(view, "id"), id)?;
        same(format!("the name of order {id}"), (text(view, "channel"), text(view, "reference")), (&*order.channel, &*order.reference))?;
        self.learn_parts(&mut order, view)?;
        let mut units: BTreeMap<usize, Units> = BTreeMap::new();
        for line in list(view, "lines") {
            let components = list(line, "components");
            let lines = if components.is_empty() { std::slice::from_ref(line) } else { components };
            for line in lines {
                let sum = units.entry(self.item(text(line, "sku"))?).or_default();
                sum.quantity += int(line, "quantity");
                sum.canceled += int(line, "canceled");
                sum.backordered += int(line, "backordered");
                sum.shipped += int(line, "shipped");
                sum.returned += int(line, "returned");
            }
        }
        same(format!("the units of order {id}"), &units, &order.units)?;
        same(format!("the status of order {id}"), text(view, "status"), order.status())?;
        same(format!("how many fulfillments order {id} has"), list(view, "fulfillments").len(), order.parts.len())?;
        for part in list(view, "fulfillments") {
            let id = int(part, "id");
            let Some(booked) = order.parts.iter().find(|p| p.id == Some(id)) else { continue };
            same(format!("the units of fulfillment {id}"), &self.part_lines(view, Some(id))?, &booked.lines)?;
            same(format!("the status of fulfillment {id}"), text(part, "status"), booked.status())?;
            same(format!("the day of fulfillment {id}"), day(part, "day"), booked.day)?;
        }
        self.orders.insert(id, order);
        Ok(())
    }
}
