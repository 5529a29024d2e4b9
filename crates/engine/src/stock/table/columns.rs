//! All levels in memory, one column a figure: what is read from the database at once and changed as commits are told.
//!
//! Here: the figures of every item at every location. Not here: adding them up for somebody who may see some locations (`view.rs`), or
//! finding the first hundred of them (`scan.rs`).

use super::super::feed::{Change, Figures};
use super::view::View;
use std::collections::HashMap;

/// What is the same for everybody who looks: items by their place (0, 1, … in the order of their ids), and their levels.
#[derive(Debug, Default)]
pub struct Base {
    /// Ascending.
    pub ids: Vec<i64>,
    pub active: Vec<bool>,
    pub is_kit: Vec<bool>,
    /// Units ordered in the last seven days.
    pub sold: Vec<u32>,
    /// The levels of item `n` are those from `first[n]` to `first[n + 1]`.
    first: Vec<u32>,
    locations_of: Vec<u16>,
    figures: Vec<Figures>,
    /// Levels that came to be since.
    more: HashMap<u32, Vec<(u16, Figures)>>,
    /// Ids of locations, and whether orders may be sent from there; levels name them by their places here.
    locations: Vec<(i64, bool)>,
    /// The components of each kit: item, units in one kit.
    kits: HashMap<u32, Vec<(u32, u32)>>,
    kits_with: HashMap<u32, Vec<u32>>,
    /// Items in the order of their SKUs and of their names.
    pub by_sku: Vec<u32>,
    pub by_name: Vec<u32>,
}

/// What the database says, as it was read.
#[derive(Default)]
pub struct Read {
    /// Id, whether it is active.
    pub items: Vec<(i64, bool)>,
    pub locations: Vec<(i64, bool)>,
    pub levels: Vec<Change>,
    /// Kit, component, units in one kit.
    pub kits: Vec<(i64, i64, u32)>,
    /// Ids in the order of SKUs and of names.
    pub by_sku: Vec<i64>,
    pub by_name: Vec<i64>,
}

/// The figures of an item over some locations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum(pub Figures);

impl Sum {
    fn add(&mut self, more: &Figures) {
        let Figures { on_hand, available, held, damaged, incoming, moved } = &mut self.0;
        *on_hand = on_hand.saturating_add(more.on_hand);
        *available = available.saturating_add(more.available);
        *held = held.saturating_add(more.held);
        *damaged = damaged.saturating_add(more.damaged);
        *incoming = incoming.saturating_add(more.incoming);
        *moved = (*moved).max(more.moved);
    }
}

impl Base {
    pub fn new(mut read: Read) -> Base {
        read.items.sort_unstable();
        let (ids, active): (Vec<i64>, Vec<bool>) = read.items.into_iter().unzip();
        let mut base = Base { sold: vec![0; ids.len()], is_kit: vec![false; ids.len()], ids, active, locations: read.locations, ..Base::default() };
        base.by_sku = read.by_sku.iter().filter_map(|id| base.place_of(*id)).map(|n| n as u32).collect();
        base.by_name = read.by_name.iter().filter_map(|id| base.place_of(*id)).map(|n| n as u32).collect();
        for (kit, component, per) in read.kits {
            if let (Some(kit), Some(component)) = (base.place_of(kit), base.place_of(component)) {
                base.is_kit[kit] = true;
                base.kits.entry(kit as u32).or_default().push((component as u32, per.max(1)));
                base.kits_with.entry(component as u32).or_default().push(kit as u32);
            }
        }
        // Both databases hold them in about this order already.
        read.levels.sort_by_key(|level| level.item);
        base.first.reserve(base.ids.len() + 1);
        base.locations_of.reserve_exact(read.levels.len());
        base.figures.reserve_exact(read.levels.len());
        let mut levels = read.levels.into_iter().peekable();
        for n in 0..base.ids.len() {
            base.first.push(base.figures.len() as u32);
            while levels.next_if(|level| level.item < base.ids[n]).is_some() {}
            while let Some(level) = levels.next_if(|level| level.item == base.ids[n]) {
                let location = base.location(level.location);
                base.locations_of.push(location);
                base.figures.push(level.figures);
            }
        }
        base.first.push(base.figures.len() as u32);
        base
    }

    /// The place of an item among all; None for one that is too new to be here.
    pub fn place_of(&self, id: i64) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// The place of a location. A new one gets a place; orders may be sent from there.
    fn location(&mut self, id: i64) -> u16 {
        let known = self.locations.iter().position(|(known, _)| *known == id);
        let place = known.unwrap_or_else(|| {
            self.locations.push((id, true));
            self.locations.len() - 1
        });
        // More locations than fit share the last place: their figures would be wrong, and nobody has as many.
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    pub fn location_ids(&self) -> impl Iterator<Item = i64> {
        self.locations.iter().map(|(id, _)| *id)
    }

    /// Which places belong to these locations.
    pub fn mask(&self, locations: &[i64]) -> Vec<bool> {
        self.locations.iter().map(|(id, _)| locations.contains(id)).collect()
    }

    fn levels(&self, n: usize) -> impl Iterator<Item = (u16, &Figures)> {
        let range = self.first[n] as usize..self.first[n + 1] as usize;
        let more = self.more.get(&(n as u32)).into_iter().flatten().map(|(location, figures)| (*location, figures));
        self.locations_of[range.clone()].iter().copied().zip(&self.figures[range]).chain(more)
    }

    /// The figures of an item over the locations of a mask, or over all.
    pub fn sum(&self, n: usize, mask: Option<&[bool]>) -> Sum {
        let mut sum = Sum::default();
        if self.is_kit[n]
            && let Some(components) = self.kits.get(&(n as u32))
        {
            sum.0.available = self.kits_available(components, mask);
            return sum;
        }
        for (location, figures) in self.levels(n) {
            if is_in(mask, location) {
                sum.add(figures);
            }
        }
        sum
    }

    /// A kit is available where all of its components are.
    fn kits_available(&self, components: &[(u32, u32)], mask: Option<&[bool]>) -> u32 {
        let Some((first, _)) = components.first() else { return 0 };
        let at = |n: u32, location: u16| self.levels(n as usize).find(|(l, _)| *l == location).map_or(0, |(_, f)| f.available);
        let kits_at = |location: u16| components.iter().map(|(n, per)| at(*n, location) / per).min().unwrap_or(0);
        let sends = |location: &u16| self.locations.get(usize::from(*location)).is_some_and(|(_, active)| *active);
        self.levels(*first as usize)
            .map(|(location, _)| location)
            .filter(|location| is_in(mask, *location) && sends(location))
            .fold(0, |sum: u32, location| sum.saturating_add(kits_at(location)))
    }

    /// Takes a change; answers the place of the item and of the location. None if the item is too new to be here.
    fn set(&mut self, change: &Change) -> Option<(usize, u16)> {
        let n = self.place_of(change.item)?;
        let location = self.location(change.location);
        let range = self.first[n] as usize..self.first[n + 1] as usize;
        if let Some(at) = self.locations_of[range.clone()].iter().position(|l| *l == location) {
            self.figures[range.start + at] = change.figures;
            return Some((n, location));
        }
        let more = self.more.entry(n as u32).or_default();
        match more.iter_mut().find(|(l, _)| *l == location) {
            Some((_, figures)) => *figures = change.figures,
            None => more.push((location, change.figures)),
        }
        Some((n, location))
    }
}

pub fn is_in(mask: Option<&[bool]>, location: u16) -> bool {
    mask.is_none_or(|mask| mask.get(usize::from(location)).copied().unwrap_or(false))
}

/// The base, and what it adds up to for those who looked lately.
#[derive(Debug, Default)]
pub struct Columns {
    pub base: Base,
    views: Vec<View>,
}

/// Sets of locations for which the sums are kept; about 20 MB each with a million items.
const MOST_VIEWS: usize = 16;

impl Columns {
    /// With the view of all locations.
    pub fn new(read: Read) -> Columns {
        let base = Base::new(read);
        let all = View::new(&base, None);
        Columns { base, views: vec![all] }
    }

    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            let Some((n, location)) = self.base.set(change) else { continue };
            for view in self.views.iter_mut().filter(|v| v.counts_at(location)) {
                view.renew(&self.base, n);
                for kit in self.base.kits_with.get(&(n as u32)).into_iter().flatten() {
                    view.renew(&self.base, *kit as usize);
                }
            }
        }
    }

    /// Replaces what was sold lately: (item, units), any number of times each.
    pub fn set_sold(&mut self, sold: &[(i64, i64)]) {
        let mut now = vec![0_u32; self.base.ids.len()];
        for (item, units) in sold {
            if let Some(n) = self.base.place_of(*item) {
                now[n] = now[n].saturating_add(super::super::feed::fit(*units));
            }
        }
        let changed: Vec<usize> = (0..now.len()).filter(|n| now[*n] != self.base.sold[*n]).collect();
        self.base.sold = now;
        for view in &mut self.views {
            changed.iter().for_each(|n| view.renew(&self.base, *n));
        }
    }

    /// The sums over these locations, or over all, if they are kept.
    pub fn view(&self, locations: Option<&[i64]>) -> Option<&View> {
        self.views.iter().find(|v| v.locations() == locations)
    }

    /// Keeps the sums of each location by itself, of as many as there is room for, so that nobody waits for them.
    pub fn keep_each_location(&mut self) {
        let first: Vec<i64> = self.base.location_ids().take(MOST_VIEWS - 1).collect();
        first.iter().for_each(|id| self.keep(&[*id]));
    }

    /// The sets of locations for which sums are kept, beside that of all.
    pub fn kept(&self) -> Vec<Vec<i64>> {
        self.views.iter().filter_map(|v| v.locations().map(<[i64]>::to_vec)).collect()
    }

    /// Begins to keep the sums over these locations; the least lately begun of too many go.
    pub fn keep(&mut self, locations: &[i64]) {
        if self.view(Some(locations)).is_some() {
            return;
        }
        if self.views.len() >= MOST_VIEWS {
            // The first is the one of all.
            self.views.remove(1);
        }
        self.views.push(View::new(&self.base, Some(locations.to_vec())));
    }
}
