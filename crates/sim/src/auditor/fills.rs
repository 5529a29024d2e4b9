//! Orders that wait: units that come free must go to them, oldest first, in the same step. The events say which orders
//! were served; the books say which had to be.

use super::orders::Part;
use super::{AVAILABLE, Auditor, COMMITTED, News, Told, Wrong, day, int, list, same, text};
use crate::world::DAY;
use serde_json::Value;
use std::collections::HashMap;

impl Auditor {
    /// Orders with units of an item on backorder, oldest first.
    fn waiting_for(&self, item: usize) -> Vec<i64> {
        let waiting = self.orders.iter().filter(|(_, o)| o.units.get(&item).is_some_and(|u| u.backordered > 0));
        let mut waiting: Vec<(i64, i64)> = waiting.map(|(id, o)| (o.placed_at, *id)).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, id)| id).collect()
    }

    fn may_serve(&self, item: usize, location: usize, now: i64) -> bool {
        self.world.locations[location].active
            && !self.is_embargoed(item, now)
            && self.available(item, location) > 0
            && self.room(location, now.div_euclid(DAY)).is_none_or(|left| left > 0)
    }

    /// The orders that would be served from this level next: the first that must be, and those before it that may be.
    fn next(&self, item: usize, location: usize, now: i64, news: &News) -> Vec<i64> {
        if !self.may_serve(item, location, now) {
            return Vec::new();
        }
        let waiting = self.waiting_for(item);
        let must = waiting.iter().position(|id| !news.unseen.contains(id)).map_or(waiting.len(), |n| n + 1);
        waiting[..must].to_vec()
    }

    /// Whether serving an order from a level would be told like this.
    fn would_tell(&self, told: &Told, item: usize, location: usize) -> bool {
        let Some(order) = self.orders.get(&told.subject) else { return false };
        let left = order.backordered() - order.units[&item].backordered.min(self.available(item, location));
        let mut places: Vec<usize> = order.parts.iter().map(|p| p.location).collect();
        if !order.parts.iter().any(|p| p.location == location && p.status() == "open") {
            places.push(location);
        }
        let mut codes: Vec<&str> = places.into_iter().map(|n| self.world.locations[n].code).collect();
        let mut named: Vec<&str> = list(&told.data, "locations").iter().filter_map(Value::as_str).collect();
        codes.sort_unstable();
        named.sort_unstable();
        left == int(&told.data, "backordered") && codes == named
    }

    /// Follows the orders that were served from what came free, in the order in which it came free, and makes sure that
    /// none was forgotten.
    pub(super) fn serve(&mut self, now: i64, news: &mut News) -> Result<(), Wrong> {
        let calls = std::mem::take(&mut news.calls);
        while let Some(told) = news.events.front().filter(|e| e.kind == "order.filled").cloned() {
            let after = int(&told.data, "backordered");
            let served = calls
                .iter()
                .copied()
                .find(|(item, location)| self.next(*item, *location, now, news).contains(&told.subject) && self.would_tell(&told, *item, *location));
            let Some((item, location)) = served else {
                return Err(format!("order {} was served and has {after} units left to wait for, which the books cannot follow", told.subject));
            };
            let quantity = self.orders[&told.subject].units[&item].backordered.min(self.available(item, location));
            self.serve_one(told.subject, item, location, quantity, now)?;
            news.events.pop_front();
        }
        for (item, location) in calls {
            if let Some(id) = self.next(item, location, now, news).into_iter().find(|id| !news.unseen.contains(id)) {
                let (sku, code) = (self.world.items[item].sku, self.world.locations[location].code);
                return Err(format!("order {id} waits for {sku}, {} are free at {code}, and it was not served", self.available(item, location)));
            }
        }
        Ok(())
    }

    fn serve_one(&mut self, id: i64, item: usize, location: usize, quantity: i64, now: i64) -> Result<(), Wrong> {
        self.book(item, location, Some(AVAILABLE), Some(COMMITTED), quantity)?;
        let known = self.orders[&id].parts.iter().position(|p| p.location == location && p.status() == "open");
        let day = if known.is_none() { self.take_room(location, now) } else { 0 };
        let order = self.orders.get_mut(&id).ok_or("no such order")?;
        if let Some(units) = order.units.get_mut(&item) {
            units.backordered -= quantity;
        }
        let part = match known {
            Some(part) => part,
            None => {
                order.parts.push(Part { id: None, location, day, lines: Default::default() });
                order.parts.len() - 1
            }
        };
        order.parts[part].lines.entry(item).or_default().quantity += quantity;
        Ok(())
    }

    /// Books what a look at all waiting orders did. It says only how many orders it served, so the orders themselves are
    /// read and compared with the books; `views` holds all that wait.
    pub fn looked_again(&mut self, views: &HashMap<i64, Value>, now: i64) -> Result<(), Wrong> {
        let waiting: Vec<i64> = self.orders.iter().filter(|(_, o)| o.backordered() > 0).map(|(id, _)| *id).collect();
        for id in waiting {
            let view = views.get(&id).ok_or_else(|| format!("order {id} was not read"))?;
            let mut served = Vec::new();
            for part in list(view, "fulfillments") {
                let location = self.location(text(part, "location"))?;
                let known = self.orders[&id].parts.iter().find(|p| p.id == Some(int(part, "id")));
                same(format!("the day of fulfillment {}", int(part, "id")), day(part, "day"), known.map_or(now.div_euclid(DAY), |p| p.day))?;
                let mut found: HashMap<usize, i64> = HashMap::new();
                for line in list(part, "lines") {
                    *found.entry(self.item(text(line, "sku"))?).or_default() += int(line, "quantity");
                }
                for (item, quantity) in found {
                    let more = quantity - known.and_then(|p| p.lines.get(&item)).map_or(0, |l| l.quantity);
                    if more > 0 {
                        served.push((item, location, more));
                    }
                }
            }
            for (item, location, quantity) in served {
                if !self.world.locations[location].active || self.is_embargoed(item, now) {
                    return Err(format!("order {id} was served from a place or at a time that is not allowed"));
                }
                self.serve_one(id, item, location, quantity, now)?;
            }
            self.check_order(id, view)?;
        }
        for (item, location) in self.levels.keys().copied().collect::<Vec<_>>() {
            if self.may_serve(item, location, now)
                && let Some(id) = self.waiting_for(item).first()
            {
                let (sku, code) = (self.world.items[item].sku, self.world.locations[location].code);
                return Err(format!(
                    "order {id} waits for {sku}, {} are free at {code}, and a look at it did not serve it",
                    self.available(item, location)
                ));
            }
        }
        Ok(())
    }
}
