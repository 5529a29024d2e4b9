//! Books what was done: the postings of a command, checked against the reply that it got.

use super::must::by_hand;
use super::{AVAILABLE, Auditor, Hold, INCOMING, Must, News, RESERVED, STATES, Transfer, Wrong, int, list, micros, same, text};
use crate::world::SECOND;
use engine::Command;
use engine::reservations::reserve::Reserve;
use engine::stock::SkuLine;
use engine::stock::transfer::ReceiveTransfer;
use serde_json::Value;
use std::collections::BTreeMap;

impl Auditor {
    /// Books a command that changed something. `now` is the instant that its events carry.
    pub fn done(&mut self, command: &Command, view: &Value, now: i64, news: &mut News) -> Result<(), Wrong> {
        same("what it must come to", Must::Do, self.must(command, now))?;
        match command {
            Command::Receive(c) => {
                let location = self.location(&c.location)?;
                for (item, quantity) in self.items(&c.lines)? {
                    self.book(item, location, None, Some(AVAILABLE), quantity)?;
                    news.calls.push((item, location));
                }
            }
            Command::Adjust(c) => {
                let location = self.location(&c.location)?;
                for line in &c.lines {
                    let (item, state) = (self.item(&line.sku)?, by_hand(line.state.as_deref())?);
                    if line.delta > 0 {
                        self.book(item, location, None, Some(state), line.delta)?;
                        news.calls.extend((state == AVAILABLE).then_some((item, location)));
                    } else {
                        self.book(item, location, Some(state), None, -line.delta)?;
                    }
                }
            }
            Command::Move(c) => {
                let (from, to) = (self.location(&c.from.location)?, self.location(&c.to.location)?);
                let (source, target) = (by_hand(Some(&c.from.state))?, by_hand(Some(&c.to.state))?);
                for (item, quantity) in self.items(&c.lines)? {
                    self.book(item, from, Some(source), None, quantity)?;
                    self.book(item, to, None, Some(target), quantity)?;
                    news.calls.extend((target == AVAILABLE).then_some((item, to)));
                }
            }
            Command::Count(c) => {
                let location = self.location(&c.location)?;
                for line in &c.lines {
                    let item = self.item(&line.sku)?;
                    let on_hand: i64 = self.level(item, location)[..INCOMING].iter().sum();
                    if line.counted > on_hand {
                        self.book(item, location, None, Some(AVAILABLE), line.counted - on_hand)?;
                        news.calls.push((item, location));
                    } else {
                        self.book(item, location, Some(AVAILABLE), None, on_hand - line.counted)?;
                    }
                }
            }
            Command::SendTransfer(c) => {
                let (from, to) = (self.location(&c.from)?, self.location(&c.to)?);
                let mut lines = BTreeMap::new();
                for (item, quantity) in self.items(&c.lines)? {
                    self.book(item, from, Some(AVAILABLE), None, quantity)?;
                    self.book(item, to, None, Some(INCOMING), quantity)?;
                    lines.insert(item, (quantity, 0, 0, 0));
                }
                let known = self.transfers.insert(int(view, "id"), Transfer { source: from, target: to, lines });
                same("a transfer of that id was there before", known.is_some(), false)?;
                self.check_transfer(int(view, "id"), view)?;
            }
            Command::ReceiveTransfer(c) => self.arrived(c, news)?,
            Command::CancelTransfer(c) => self.taken_back(c.id, news)?,
            Command::Reserve(c) => self.reserved(c, view, now, news)?,
            Command::Release(c) => self.give_back(c.id, "released", news)?,
            Command::Extend(c) => {
                let expires_at = now + c.expires_in_seconds * SECOND;
                if let Some(hold) = self.holds.get_mut(&c.id) {
                    hold.expires_at = expires_at;
                }
                self.check_hold(c.id, view)?;
            }
            Command::PlaceOrder(c) => self.placed(c, view, now, news)?,
            Command::CancelOrder(c) => self.canceled(c, view, news)?,
            Command::Ship(c) => self.shipped(c, view)?,
            Command::ReturnOrder(c) => self.returned(c, view, news)?,
            Command::UpdateLocation(c) => {
                let location = self.location(&c.code)?;
                let facts = &mut self.world.locations[location];
                facts.active = c.active.unwrap_or(facts.active);
                facts.capacity = c.daily_capacity.unwrap_or(facts.capacity);
            }
            Command::UpdateItem(c) => {
                let item = self.item(&c.sku)?;
                let facts = &mut self.world.items[item];
                facts.active = c.active.unwrap_or(facts.active);
                facts.when_short = c.when_short.unwrap_or(facts.when_short);
            }
            _ => {}
        }
        self.serve(now, news)?;
        match command {
            Command::Receive(_) | Command::Adjust(_) | Command::Move(_) | Command::Count(_) => self.check_levels(view)?,
            Command::ReceiveTransfer(c) => self.check_transfer(c.id, view)?,
            Command::CancelTransfer(c) => self.check_transfer(c.id, view)?,
            Command::Release(c) => self.check_hold(c.id, view)?,
            _ => {}
        }
        match news.events.iter().find(|e| e.kind == "order.filled") {
            Some(event) => Err(format!("order {} was served, and the books do not know from what", event.subject)),
            None => Ok(()),
        }
    }

    /// Whether an answer that changed nothing is how things stand.
    pub fn unchanged(&mut self, command: &Command, view: &Value, now: i64) -> Result<(), Wrong> {
        same("what it must come to", Must::Same, self.must(command, now))?;
        match command {
            Command::Release(c) => self.check_hold(c.id, view),
            Command::PlaceOrder(c) => {
                let id = self.references.get(&(c.channel.clone(), c.reference.clone())).copied().unwrap_or(0);
                self.check_order(id, view)
            }
            _ => Ok(()),
        }
    }

    /// Books the holds that a sweep ended, as its events tell; answers how many.
    pub fn expired(&mut self, now: i64, news: &mut News) -> Result<usize, Wrong> {
        let mut count = 0;
        while let Some(id) = news.events.iter().find(|e| e.kind == "reservation.expired").map(|e| e.subject) {
            if !self.is_over(id, now) || self.holds[&id].status != "held" {
                return Err(format!("reservation {id} was swept, but it is not one that ran out"));
            }
            self.give_back(id, "expired", news)?;
            self.serve(now, news)?;
            same("what happened next in the sweep", news.events.pop_front().map(|e| e.subject), Some(id))?;
            count += 1;
        }
        Ok(count)
    }

    /// Holds that have run out and are not swept yet.
    pub fn due(&self, now: i64) -> Vec<i64> {
        self.holds.iter().filter(|(_, h)| h.status == "held" && h.expires_at <= now).map(|(id, _)| *id).collect()
    }

    fn arrived(&mut self, c: &ReceiveTransfer, news: &mut News) -> Result<(), Wrong> {
        let mut transfer = self.transfers.get(&c.id).cloned().ok_or("no such transfer")?;
        let mut arrived = Vec::new();
        match &c.lines {
            None => arrived.extend(transfer.lines.keys().map(|item| (*item, transfer.left(*item), 0))),
            Some(lines) => {
                for line in lines {
                    arrived.push((self.item(&line.sku)?, line.received, line.lost));
                }
            }
        }
        for (item, received, lost) in arrived {
            self.book(item, transfer.target, Some(INCOMING), Some(AVAILABLE), received)?;
            self.book(item, transfer.target, Some(INCOMING), None, lost)?;
            if let Some(line) = transfer.lines.get_mut(&item) {
                line.1 += received;
                line.2 += lost;
            }
            news.calls.extend((received > 0).then_some((item, transfer.target)));
        }
        self.transfers.insert(c.id, transfer);
        Ok(())
    }

    fn taken_back(&mut self, id: i64, news: &mut News) -> Result<(), Wrong> {
        let mut transfer = self.transfers.get(&id).cloned().ok_or("no such transfer")?;
        let left: Vec<(usize, i64)> = transfer.lines.keys().map(|item| (*item, transfer.left(*item))).filter(|(_, left)| *left > 0).collect();
        for (item, left) in left {
            self.book(item, transfer.target, Some(INCOMING), None, left)?;
            self.book(item, transfer.source, None, Some(AVAILABLE), left)?;
            if let Some(line) = transfer.lines.get_mut(&item) {
                line.3 += left;
            }
            news.calls.push((item, transfer.source));
        }
        self.transfers.insert(id, transfer);
        Ok(())
    }

    fn reserved(&mut self, c: &Reserve, view: &Value, now: i64, news: &mut News) -> Result<(), Wrong> {
        let replaced = c.replaces.as_ref().and_then(|id| id.parse().ok());
        if let Some(id) = replaced {
            self.give_back(id, "released", news)?;
        }
        let mut wanted: BTreeMap<usize, i64> = BTreeMap::new();
        let mut here: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        for line in &c.lines {
            for (item, quantity) in self.world.units_in(self.item(&line.sku)?, line.quantity) {
                *wanted.entry(item).or_default() += quantity;
                if let Some(code) = &line.location {
                    *here.entry((item, self.location(code)?)).or_default() += quantity;
                }
            }
        }
        let mut held: BTreeMap<usize, i64> = BTreeMap::new();
        let mut lines = Vec::new();
        for line in list(view, "lines") {
            let (item, location, quantity) = (self.item(text(line, "sku"))?, self.location(text(line, "location"))?, int(line, "quantity"));
            if !self.world.locations[location].active {
                return Err(format!("units are held at {}, which is not active", self.world.locations[location].code));
            }
            self.book(item, location, Some(AVAILABLE), Some(RESERVED), quantity)?;
            *held.entry(item).or_default() += quantity;
            if let Some(left) = here.get_mut(&(item, location)) {
                *left -= quantity;
            }
            lines.push((item, location, quantity));
        }
        same("units held", held, wanted)?;
        if here.values().any(|left| *left > 0) {
            return Err("units were asked for at one location and held at another".into());
        }
        let id = int(view, "id");
        let hold = Hold { status: "held", expires_at: now + c.expires_in_seconds * SECOND, lines };
        same("a reservation of that id was there before", self.holds.insert(id, hold).is_some(), false)?;
        self.check_hold(id, view)
    }

    /// Frees the units of a hold; whoever waits for them is served next.
    fn give_back(&mut self, id: i64, status: &'static str, news: &mut News) -> Result<(), Wrong> {
        let hold = self.holds.get_mut(&id).ok_or("no such reservation")?;
        hold.status = status;
        for (item, location, quantity) in hold.lines.clone() {
            self.book(item, location, Some(RESERVED), Some(AVAILABLE), quantity)?;
            news.calls.push((item, location));
        }
        Ok(())
    }

    pub(super) fn item(&self, sku: &str) -> Result<usize, Wrong> {
        self.world.item(sku).ok_or_else(|| format!("there is no item “{sku}” in the books"))
    }

    pub(super) fn location(&self, code: &str) -> Result<usize, Wrong> {
        self.world.location(code).ok_or_else(|| format!("there is no location “{code}” in the books"))
    }

    fn items(&self, lines: &[SkuLine]) -> Result<Vec<(usize, i64)>, Wrong> {
        lines.iter().map(|l| Ok((self.item(&l.sku)?, l.quantity))).collect()
    }

    /// The levels in a view against the books.
    pub(super) fn check_levels(&self, view: &Value) -> Result<(), Wrong> {
        for level in list(view, "levels") {
            let (sku, code) = (text(level, "sku"), text(level, "location"));
            let booked = self.level(self.item(sku)?, self.location(code)?);
            same(format!("the level of {sku} at {code}"), STATES.map(|state| int(level, state)), booked)?;
            same(format!("{sku} on hand at {code}"), int(level, "on_hand"), booked[..INCOMING].iter().sum())?;
        }
        Ok(())
    }

    pub(super) fn check_hold(&self, id: i64, view: &Value) -> Result<(), Wrong> {
        let hold = self.holds.get(&id).ok_or_else(|| format!("reservation {id} is not in the books"))?;
        same("the reservation's id", int(view, "id"), id)?;
        same(format!("the status of reservation {id}"), text(view, "status"), hold.status)?;
        if hold.expires_at < i64::MAX {
            same(format!("when reservation {id} ends"), micros(view, "expires_at"), hold.expires_at)?;
        }
        let mut lines = Vec::new();
        for line in list(view, "lines") {
            lines.push((self.item(text(line, "sku"))?, self.location(text(line, "location"))?, int(line, "quantity")));
        }
        same(format!("the lines of reservation {id}"), &lines, &hold.lines)
    }

    pub(super) fn check_transfer(&self, id: i64, view: &Value) -> Result<(), Wrong> {
        let transfer = self.transfers.get(&id).ok_or_else(|| format!("transfer {id} is not in the books"))?;
        same(format!("the status of transfer {id}"), text(view, "status"), transfer.status())?;
        let mut lines = BTreeMap::new();
        for line in list(view, "lines") {
            let counts = (int(line, "quantity"), int(line, "received"), int(line, "lost"), int(line, "canceled"));
            lines.insert(self.item(text(line, "sku"))?, counts);
        }
        same(format!("the lines of transfer {id}"), &lines, &transfer.lines)
    }
}
