//! Units that really are there, and every order that a buyer placed: who was sold a unit that is not there, and why.

use super::figures::Figures;
use super::market::Markets;
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
    /// There was nothing to send: it is refunded.
    pub void: bool,
    pub luck: u64,
}

pub struct Stock {
    /// Units that are there and that nobody bought, by item.
    pub free: Vec<i64>,
    pub orders: Vec<Order>,
    /// Units that went to orders which a number raised behind our back let in, while more is on sale than there is.
    pub debt: Vec<i64>,
    /// Units on sale beyond what is there because a count found fewer; may only shrink.
    pub short: Vec<i64>,
}

impl Stock {
    pub fn new(world: &World) -> Stock {
        let n = world.items.len();
        Stock { free: world.items.iter().map(|i| i.stock).collect(), orders: Vec::new(), debt: vec![0; n], short: vec![0; n] }
    }

    /// An outlet takes an order. `honest` is false if it could only because somebody had raised its number.
    pub fn accept(&mut self, buyer: &Buyer, per: i64, honest: bool, price: i64, season: &mut Figures, flash: Option<&mut Figures>) -> usize {
        let item_units = buyer.units * per;
        let free = &mut self.free[buyer.item];
        let void = *free < item_units;
        let mut now = Figures { orders: 1, ..Figures::default() };
        if void {
            let beyond = item_units - *free;
            let edited = if honest { beyond.min(self.debt[buyer.item]) } else { beyond };
            if honest {
                self.debt[buyer.item] -= edited;
            }
            now.oversold = beyond - edited;
            now.sold_after_edit = edited;
            now.canceled_orders = 1;
            now.refunds = item_units * price;
        } else {
            *free -= item_units;
            if !honest {
                self.debt[buyer.item] += item_units;
            }
            now.sold = if buyer.cancels_after.is_none() { item_units } else { 0 };
        }
        for figures in [Some(season), flash].into_iter().flatten() {
            figures.orders += now.orders;
            figures.oversold += now.oversold;
            figures.sold_after_edit += now.sold_after_edit;
            figures.canceled_orders += now.canceled_orders;
            figures.refunds += now.refunds;
            figures.sold += now.sold;
        }
        self.orders.push(Order {
            item: buyer.item,
            listing: buyer.listing,
            units: buyer.units,
            item_units,
            placed_at: buyer.at,
            canceled_at: None,
            restocks: buyer.restocks && buyer.listing.is_some(),
            void,
            luck: buyer.luck,
        });
        self.orders.len() - 1
    }

    /// The invariant, of one item: no more can be sold than there is, save what a count or an edit took or added. An excess that
    /// neither explains is told.
    pub fn excess(&mut self, item: usize, markets: &Markets, world: &World, of: &[usize]) -> Option<String> {
        let over = (markets.may_sell(&world.listings, of) - self.free[item]).max(0);
        if over == 0 {
            self.debt[item] = 0;
        }
        let allowed = self.short[item];
        self.short[item] = allowed.min(over);
        (over > allowed).then(|| format!("item {item}: {over} more units on sale than the {} there, {allowed} explained", self.free[item]))
    }

    /// A count changes what is there.
    pub fn correct(&mut self, item: usize, units: i64, markets: &Markets, world: &World, of: &[usize]) {
        self.free[item] += units;
        if units < 0 {
            self.short[item] = (markets.may_sell(&world.listings, of) - self.free[item]).max(0);
        }
    }
}
