//! What all items add up to over some locations, and what state that is.

use super::columns::{Base, Sum, is_in};

/// What can be said of an item's stock in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Units can be promised.
    OnSale,
    /// They can, but fewer than were ordered in the last seven days.
    Low,
    /// Units are there, all of them held, set aside or damaged; or a kit that lacks a component.
    NoneFree,
    /// No units are there.
    NoStock,
    /// The item is not sold any more.
    Inactive,
}

pub const STATES: [State; 5] = [State::OnSale, State::Low, State::NoneFree, State::NoStock, State::Inactive];

impl State {
    /// From units on hand, units that can be promised, and units ordered in the last seven days.
    pub fn of(active: bool, is_kit: bool, on_hand: i64, available: i64, sold_7d: i64) -> State {
        if !active {
            State::Inactive
        } else if available > 0 {
            if available < sold_7d { State::Low } else { State::OnSale }
        } else if on_hand > 0 || is_kit {
            State::NoneFree
        } else {
            State::NoStock
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            State::OnSale => "on_sale",
            State::Low => "low",
            State::NoneFree => "none_free",
            State::NoStock => "no_stock",
            State::Inactive => "inactive",
        }
    }
}

/// How many items there are, of each state, and with units that are damaged or on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub items: usize,
    /// In the order of [`STATES`].
    pub states: [usize; 5],
    pub damaged: usize,
    pub incoming: usize,
}

/// Bits of an item beside its state, which is the lowest three.
pub const DAMAGED: u8 = 8;
pub const INCOMING: u8 = 16;

impl Counts {
    fn add(&mut self, flags: u8) {
        self.items += 1;
        self.states[usize::from(flags & 7)] += 1;
        self.damaged += usize::from(flags & DAMAGED != 0);
        self.incoming += usize::from(flags & INCOMING != 0);
    }

    fn remove(&mut self, flags: u8) {
        self.items -= 1;
        self.states[usize::from(flags & 7)] -= 1;
        self.damaged -= usize::from(flags & DAMAGED != 0);
        self.incoming -= usize::from(flags & INCOMING != 0);
    }

    /// Of some items, by their flags.
    pub fn of(flags: impl Iterator<Item = u8>) -> Counts {
        let mut counts = Counts::default();
        flags.for_each(|f| counts.add(f));
        counts
    }
}

/// Columns of sums, one row an item in the order of the base.
#[derive(Debug)]
pub struct View {
    /// Ids of the locations; None is all.
    locations: Option<Vec<i64>>,
    mask: Option<Vec<bool>>,
    pub on_hand: Vec<u32>,
    pub available: Vec<u32>,
    pub held: Vec<u32>,
    pub incoming: Vec<u32>,
    pub moved: Vec<u32>,
    pub flags: Vec<u8>,
    pub counts: Counts,
}

impl View {
    pub fn new(base: &Base, locations: Option<Vec<i64>>) -> View {
        let items = base.ids.len();
        let mask = locations.as_ref().map(|l| base.mask(l));
        let column = || vec![0; items];
        let mut view = View {
            locations,
            mask,
            on_hand: column(),
            available: column(),
            held: column(),
            incoming: column(),
            moved: column(),
            flags: vec![0; items],
            counts: Counts::default(),
        };
        for n in 0..items {
            view.flags[n] = view.put(base, n);
            view.counts.add(view.flags[n]);
        }
        view
    }

    /// Ids of the locations that it adds up; None is all.
    pub fn locations(&self) -> Option<&[i64]> {
        self.locations.as_deref()
    }

    pub fn counts_at(&self, location: u16) -> bool {
        is_in(self.mask.as_deref(), location)
    }

    /// Writes an item's sums; answers its flags.
    fn put(&mut self, base: &Base, n: usize) -> u8 {
        let Sum(sum) = base.sum(n, self.mask.as_deref());
        (self.on_hand[n], self.available[n], self.held[n]) = (sum.on_hand, sum.available, sum.held);
        (self.incoming[n], self.moved[n]) = (sum.incoming, sum.moved);
        let mut flags = self.state(base, n) as u8;
        flags |= if sum.damaged > 0 { DAMAGED } else { 0 };
        flags | if sum.incoming > 0 { INCOMING } else { 0 }
    }

    fn state(&self, base: &Base, n: usize) -> State {
        let units = |column: &[u32]| i64::from(column[n]);
        State::of(base.active[n], base.is_kit[n], units(&self.on_hand), units(&self.available), units(&base.sold))
    }

    /// Adds an item up again.
    pub fn renew(&mut self, base: &Base, n: usize) {
        let flags = self.put(base, n);
        self.counts.remove(self.flags[n]);
        self.counts.add(flags);
        self.flags[n] = flags;
    }
}
