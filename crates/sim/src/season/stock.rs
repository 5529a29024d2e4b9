//! Units that really are there, and every order that a buyer placed: who was sold a unit that is not there, and why.

use super::world::{Buyer, World};

#[derive(Debug, Clone)]
pub struct Order {
    pub item: usize,
    /// None at our own shop.
    pub listing: Option<usize>,
    /// Listing units, and units of the item.
    pub units: i64,
    pub item_units: i64,
    pub placed_at: i64,
    pub canceled_at: Option<i64>,
    pub restocks: bool,
    /// There is nothing to send: it is refunded.
    pub void: bool,
    /// Units missing for it that an edit explains.
    pub explained: i64,
    pub luck: u64,
}

pub struct Stock {
    /// Units that are there and that nobody bought, by item.
    pub free: Vec<i64>,
    pub orders: Vec<Order>,
    /// Units sold only because somebody had raised a number, less those that explain one that is missing: each explains one, at most.
    pub debt: Vec<i64>,
    /// Units on sale beyond what is there because a count found fewer; may only shrink.
    pub short: Vec<i64>,
}

impl Stock {
    pub fn new(world: &World) -> Stock {
        let n = world.items.len();
        Stock { free: world.items.iter().map(|i| i.stock).collect(), orders: Vec::new(), debt: vec![0; n], short: vec![0; n] }
    }

    /// An outlet takes an order: its place, and the units beyond what is there, those apart that only an edit let in. `honest` is
    /// false if the outlet could only take it because somebody had raised its number.
    pub fn accept(&mut self, buyer: &Buyer, per: i64, honest: bool) -> (usize, i64, i64) {
        let item_units = buyer.units * per;
        let free = &mut self.free[buyer.item];
        let void = *free < item_units;
        let debt = &mut self.debt[buyer.item];
        *debt += if honest { 0 } else { item_units };
        let beyond = if void { item_units - (*free).max(0) } else { 0 };
        let edited = beyond.min(*debt);
        *debt -= edited;
        if !void {
            *free -= item_units;
        }
        let oversold = beyond - edited;
        self.orders.push(Order {
            item: buyer.item,
            listing: buyer.listing,
            units: buyer.units,
            item_units,
            placed_at: buyer.at,
            canceled_at: None,
            restocks: buyer.restocks && buyer.listing.is_some(),
            void,
            explained: edited,
            luck: buyer.luck,
        });
        (self.orders.len() - 1, oversold, edited)
    }

    /// The invariant, of one item: no more is on sale than there is, save what a count explains. Any other excess is told.
    pub fn excess(&mut self, item: usize, on_sale: i64) -> Option<String> {
        let over = (on_sale - self.free[item]).max(0);
        let allowed = self.short[item];
        self.short[item] = allowed.min(over);
        (over > allowed).then(|| format!("item {item}: {over} more units on sale than the {} there, {allowed} explained", self.free[item]))
    }

    /// A count changes what is there, while so much is on sale.
    pub fn correct(&mut self, item: usize, units: i64, on_sale: i64) {
        self.free[item] += units;
        if units < 0 {
            self.short[item] = (on_sale - self.free[item]).max(0);
        }
    }
}
