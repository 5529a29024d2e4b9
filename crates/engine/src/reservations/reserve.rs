//! Reserve: set units aside for a while, over several lines and locations, all or nothing.

use super::{expiry, live};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::orders::fill;
use crate::reservations::rows::{HeldLine, Reservation};
use crate::views::ReservationView;
use domain::steps::{Status, Step};
use domain::stock::Account::{Available, Reserved};
use domain::{Refused, Shortfall, limits};
use serde::Deserialize;
use std::collections::HashMap;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    pub lines: Vec<ReserveLine>,
    /// 1 second to 30 days.
    pub expires_in_seconds: i64,
    #[serde(default)]
    pub channel: Option<String>,
    /// A hold to give back in the same step, for a cart that changed: its units count as free for this one.
    #[serde(default)]
    pub replaces: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveLine {
    pub sku: String,
    pub quantity: i64,
    /// Left out: wherever the units are, at as few locations as possible.
    #[serde(default)]
    pub location: Option<String>,
}

impl Reserve {
    fn replaced(&self) -> Result<Option<i64>, Refused> {
        let parse = |id: &String| id.parse().map_err(|_| Refused::unknown(domain::Noun::Reservation, id, "replaces"));
        self.replaces.as_ref().map(parse).transpose()
    }

    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
        if let Ok(Some(id)) = self.replaced() {
            needs.reservations.push(id);
            needs.supplies();
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        limits::lines(self.lines.len())?;
        let expires_at = expiry(batch.now, self.expires_in_seconds)?;
        if let Some(channel) = &self.channel {
            limits::name("channel", channel)?;
        }
        let replaced = match self.replaced()? {
            Some(id) => Some(live(batch, id, "replaces", Step::Release)?),
            None => None,
        };
        let mut free = Free::new(replaced.as_ref());
        let mut wanted: Vec<(i64, i64, Option<i64>)> = Vec::with_capacity(self.lines.len());
        for (n, line) in self.lines.iter().enumerate() {
            let item = batch.item(&line.sku, format!("lines[{n}].sku"))?;
            limits::quantity(&format!("lines[{n}].quantity"), line.quantity)?;
            let location = match &line.location {
                Some(code) => Some(batch.location(code, &format!("lines[{n}].location"))?.id),
                None => None,
            };
            if item.is_kit {
                wanted.extend(item.components.iter().map(|(component, per_kit)| (*component, per_kit.saturating_mul(line.quantity), location)));
            } else {
                wanted.push((item.id, line.quantity, location));
            }
        }
        let held = match free.take_all(batch, &wanted) {
            Ok(held) => held,
            Err(short) => {
                for (item, quantity, _) in &short.0 {
                    batch.ask_back(*item, *quantity)?;
                }
                return Err(shortfalls(batch, self, &short).into());
            }
        };
        let id = batch.id()?;
        if let Some(old) = &replaced {
            // Taken before it is given back to others: nobody in between, not even a waiting order, gets these units.
            swap(batch, id, old, &held)?;
        } else {
            for (item, location, quantity) in &held {
                batch.post(*item, *location, Available, Reserved, *quantity, Because::of("reservation.held", id))?;
            }
        }
        let reservation =
            Reservation { id, status: Status::Held, channel: self.channel.clone(), created_at: batch.now, expires_at, order: None, lines: held };
        let view = ReservationView::new(&reservation, &batch.names());
        batch.reservations.add(id, reservation);
        batch.event("reservation.held", id, &view);
        Ok(Reply::created(Answer::Reservation(view)))
    }
}

/// Gives the old hold back and takes the new one, with the waiting orders served only from what neither needs.
fn swap(batch: &mut Batch<'_>, id: i64, old: &Reservation, held: &[HeldLine]) -> Result<(), Stop> {
    for (item, location, quantity) in &old.lines {
        batch.post(*item, *location, Reserved, Available, *quantity, Because::of("reservation.released", old.id))?;
    }
    for (item, location, quantity) in held {
        batch.post(*item, *location, Available, Reserved, *quantity, Because::of("reservation.held", id))?;
    }
    let kept = batch.reservations.change(old.id).ok_or_else(|| Stop::broken("the reservation vanished"))?;
    kept.status = Status::Released;
    let view = ReservationView::new(&kept.clone(), &batch.names());
    batch.event("reservation.released", old.id, &view);
    for (item, location, _) in &old.lines {
        fill::from_level(batch, *item, *location)?;
    }
    Ok(())
}

/// Units that can still be taken while one command is decided: what is available, plus what a replaced hold frees.
struct Free {
    extra: HashMap<(i64, i64), i64>,
    taken: HashMap<(i64, i64), i64>,
}

/// An item of which fewer units are free than wanted: (item, wanted, free).
struct Short(Vec<(i64, i64, i64)>);

impl Free {
    fn new(replaced: Option<&Reservation>) -> Free {
        let mut extra = HashMap::new();
        for (item, location, quantity) in replaced.iter().flat_map(|r| &r.lines) {
            *extra.entry((*item, *location)).or_insert(0) += quantity;
        }
        Free { extra, taken: HashMap::new() }
    }

    fn at(&self, batch: &Batch<'_>, item: i64, location: i64) -> i64 {
        let of = |map: &HashMap<(i64, i64), i64>| map.get(&(item, location)).copied().unwrap_or(0);
        batch.level(item, location).get(Available) + of(&self.extra) - of(&self.taken)
    }

    /// Finds every wanted unit, or nothing: (item, quantity, location or anywhere).
    fn take_all(&mut self, batch: &Batch<'_>, wanted: &[(i64, i64, Option<i64>)]) -> Result<Vec<HeldLine>, Short> {
        let mut held: Vec<HeldLine> = Vec::with_capacity(wanted.len());
        let mut short = Vec::new();
        // What is lent to channels may have been sold there.
        let mut items: Vec<i64> = wanted.iter().map(|(item, ..)| *item).collect();
        items.sort_unstable();
        items.dedup();
        for item in items {
            let all: i64 = wanted.iter().filter(|w| w.0 == item).map(|w| w.1).fold(0, i64::saturating_add);
            let lent = batch.lent(item);
            let free = batch.available(item) - lent + self.extra.iter().filter(|((i, _), _)| *i == item).map(|(_, units)| units).sum::<i64>();
            if lent > 0 && free < all {
                short.push((item, all, free.max(0)));
            }
        }
        if !short.is_empty() {
            return Err(Short(short));
        }
        // Named locations first, so that a line without one does not take what another line insists on.
        for (item, quantity, location) in wanted.iter().filter(|w| w.2.is_some()) {
            let Some(location) = *location else { continue };
            let free = self.at(batch, *item, location);
            if free < *quantity || !batch.config.is_active(location) {
                short.push((*item, *quantity, free));
            } else {
                self.take(&mut held, *item, location, *quantity);
            }
        }
        for (item, quantity, _) in wanted.iter().filter(|w| w.2.is_none()) {
            let mut places: Vec<(i64, i64)> = batch
                .levels_of(*item)
                .filter(|(location, _)| batch.config.is_active(*location))
                .map(|(location, _)| (location, self.at(batch, *item, location)))
                .filter(|(_, free)| *free > 0)
                .collect();
            let free: i64 = places.iter().map(|(_, free)| free).sum();
            if free < *quantity {
                short.push((*item, *quantity, free));
                continue;
            }
            // One location that has all of it if there is one, and one already used before others; else the fullest first.
            let used = |location: i64| held.iter().any(|(_, l, _)| *l == location);
            places.sort_by_key(|(location, free)| (*free < *quantity, !used(*location), std::cmp::Reverse(*free), *location));
            let mut left = *quantity;
            for (location, free) in places {
                let part = free.min(left);
                if part > 0 {
                    self.take(&mut held, *item, location, part);
                    left -= part;
                }
            }
        }
        if short.is_empty() { Ok(held) } else { Err(Short(short)) }
    }

    fn take(&mut self, held: &mut Vec<HeldLine>, item: i64, location: i64, quantity: i64) {
        *self.taken.entry((item, location)).or_insert(0) += quantity;
        match held.iter_mut().find(|(i, l, _)| (*i, *l) == (item, location)) {
            Some(line) => line.2 += quantity,
            None => held.push((item, location, quantity)),
        }
    }
}

/// What was asked for against what is free, in the caller's own lines: a kit's shortage is told as the kit's.
fn shortfalls(batch: &Batch<'_>, asked: &Reserve, short: &Short) -> Refused {
    let mut told: Vec<Shortfall> = Vec::new();
    for line in &asked.lines {
        let Some(item) = batch.any_item(&line.sku) else { continue };
        let is_short = |id: i64| short.0.iter().any(|(item, ..)| *item == id);
        if !is_short(item.id) && !item.components.iter().any(|(component, _)| is_short(*component)) {
            continue;
        }
        let place = line.location.as_ref().and_then(|code| batch.config.by_code(code)).map(|l| l.id);
        let has = |id: i64| match place {
            Some(location) => batch.level(id, location).get(Available).min(batch.unlent(id).max(0)),
            None => batch.unlent(id).max(0),
        };
        let available = if item.is_kit { domain::kit::available(item.components.iter().map(|(c, per)| (*per, has(*c)))) } else { has(item.id) };
        match told.iter_mut().find(|s| s.sku == line.sku) {
            Some(known) => known.requested += line.quantity,
            None => told.push(Shortfall { sku: line.sku.clone(), requested: line.quantity, available }),
        }
    }
    Refused::InsufficientStock { shortfalls: told }
}
