//! What happens in a season whatever the regime does about it: items, listings, buyers, receipts, corrections, edits at the
//! channels, an outage and restarts. Made from the seed alone, so that every regime meets the same.

use super::market::CHANNELS;
use super::{DAY, HOUR, MINUTE, Options, SECOND, START};
use fastrand::Rng;

/// Where a buyer may come: the marketplaces, then our own shop.
pub const OUTLETS: usize = CHANNELS + 1;

#[derive(Debug, Clone)]
pub struct Item {
    /// Units at the start.
    pub stock: i64,
    /// In cents.
    pub price: i64,
    /// It is in the flash sale.
    pub hot: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Listing {
    pub item: usize,
    pub channel: usize,
    /// Units of the item in one listing unit.
    pub per: i64,
}

/// Somebody who wants to buy, and what will become of the order if there is one.
#[derive(Debug, Clone)]
pub struct Buyer {
    pub at: i64,
    pub item: usize,
    /// A listing, or our own shop.
    pub listing: Option<usize>,
    /// Listing units.
    pub units: i64,
    /// The buyer cancels this long after buying.
    pub cancels_after: Option<i64>,
    /// The channel puts the canceled units back on sale by itself.
    pub restocks: bool,
    /// Decides how the channel tells us.
    pub luck: u64,
}

#[derive(Debug, Clone)]
pub enum Act {
    Receipt {
        item: usize,
        units: i64,
    },
    /// A count found more or fewer; never more than a tenth of what is there, and only of items that have 40 or more.
    Correction {
        item: usize,
        per_mille: i64,
    },
    /// Somebody changes the number at the channel to this share of it.
    Lower {
        listing: usize,
        percent: i64,
    },
    /// Somebody adds units at the channel that nobody promised to it.
    Raise {
        listing: usize,
        units: i64,
    },
    /// Our program is gone for 20 seconds.
    Restart,
}

#[derive(Debug, Clone)]
pub struct World {
    pub items: Vec<Item>,
    pub listings: Vec<Listing>,
    /// In the order of time.
    pub buyers: Vec<Buyer>,
    /// In the order of time.
    pub acts: Vec<(i64, Act)>,
    /// Channel, from, until: its interface does not answer, and buyers buy on.
    pub outage: (usize, i64, i64),
    /// How far each channel's clock is ahead of ours.
    pub skews: [i64; CHANNELS],
    pub flash: (i64, i64),
    pub end: i64,
}

/// Listings that sell the item.
pub fn listings_of(listings: &[Listing], item: usize) -> Vec<usize> {
    (0..listings.len()).filter(|l| listings[*l].item == item).collect()
}

/// Time to the next event of a Poisson process.
fn wait(rng: &mut Rng, rate: f64) -> i64 {
    (-(1.0 - rng.f64()).ln() / rate * SECOND as f64) as i64
}

/// A wave of buyers of one item.
struct Wave {
    from: i64,
    until: i64,
    /// Buyers a second, over all outlets.
    rate: f64,
}

impl World {
    pub fn new(options: &Options) -> World {
        let mut rng = Rng::with_seed(options.seed ^ 0x5EA5_0000);
        let end = START + options.days * DAY;
        // Saturday evening of the first week, or the middle of a shorter season.
        let flash_from = START + (options.days * DAY / 2).min(6 * DAY) + 19 * HOUR;
        let flash = (flash_from, flash_from + 8 * MINUTE);
        let mut world = World {
            items: Vec::new(),
            listings: Vec::new(),
            buyers: Vec::new(),
            acts: Vec::new(),
            outage: (0, 0, 0),
            skews: std::array::from_fn(|_| rng.i64(-1_900_000..=1_900_000)),
            flash,
            end,
        };
        for n in 0..options.items.max(4) {
            world.add_item(n, &mut rng);
        }
        world.buyers.sort_by_key(|b| b.at);
        world.add_acts(options, &mut rng);
        world
    }

    fn add_item(&mut self, n: usize, rng: &mut Rng) {
        let seconds = ((self.end - START) / SECOND) as f64;
        let whole = |rate: f64| Wave { from: START, until: self.end, rate };
        let flash = |rate: f64| Wave { from: self.flash.0, until: self.flash.1, rate };
        let day = START + rng.i64(1..((self.end - START) / DAY).max(2)) * DAY + 10 * HOUR;
        let (stock, waves) = match n {
            // Flash sale: scarce, tens of buyers a second, a trickle before and after.
            0 => (200, vec![flash(20.0), whole(20.0 / seconds)]),
            1 => (20, vec![flash(5.0), whole(4.0 / seconds)]),
            2 => (60, vec![flash(10.0), whole(8.0 / seconds)]),
            // Sold in single units and in packs of six.
            3 => (600, vec![whole(560.0 / seconds)]),
            // A day of its own: one buyer every 20 seconds until it is gone.
            4 => (300, vec![Wave { from: day, until: day + 4 * HOUR, rate: 0.05 }, whole(20.0 / seconds)]),
            // Deep stock.
            n if n % 3 == 0 => {
                let stock = rng.i64(500..3000);
                (stock, vec![whole(stock as f64 * (0.3 + 0.4 * rng.f64()) / seconds)])
            }
            // Slow movers.
            _ => {
                let stock = rng.i64(4..40);
                (stock, vec![whole(stock as f64 * (0.5 + rng.f64()) / seconds)])
            }
        };
        self.items.push(Item { stock, price: rng.i64(500..12_000), hot: n < 3 });
        let first = self.listings.len();
        self.listings.extend((0..CHANNELS).map(|channel| Listing { item: n, channel, per: 1 }));
        if n == 3 {
            self.listings.push(Listing { item: n, channel: 1, per: 6 });
            self.add_buyers(n, &[(0.0, None), (1.0, Some(first + CHANNELS))], &[Wave { from: START, until: self.end, rate: 40.0 / seconds }], rng);
        }
        let mut weights: Vec<(f64, Option<usize>)> =
            (0..OUTLETS).map(|outlet| (0.2 + rng.f64(), (outlet < CHANNELS).then_some(first + outlet))).collect();
        rng.shuffle(&mut weights);
        self.add_buyers(n, &weights, &waves, rng);
    }

    fn add_buyers(&mut self, item: usize, weights: &[(f64, Option<usize>)], waves: &[Wave], rng: &mut Rng) {
        let all: f64 = weights.iter().map(|(w, _)| w).sum();
        for wave in waves {
            let mut at = wave.from;
            loop {
                at += wait(rng, wave.rate).max(1);
                if at >= wave.until {
                    break;
                }
                let mut pick = rng.f64() * all;
                let listing = weights.iter().find(|(w, _)| {
                    pick -= w;
                    pick < 0.0
                });
                let units = match rng.u32(0..100) {
                    0..88 => 1,
                    88..97 => 2,
                    _ => 3,
                };
                let cancels_after = (rng.u32(0..100) < 3).then(|| SECOND + (rng.f64().powi(3) * 12.0 * HOUR as f64) as i64);
                let listing = listing.and_then(|(_, l)| *l);
                self.buyers.push(Buyer { at, item, listing, units, cancels_after, restocks: rng.bool(), luck: rng.u64(..) });
            }
        }
    }

    fn add_acts(&mut self, options: &Options, rng: &mut Rng) {
        let any = |rng: &mut Rng| START + rng.i64(0..self.end - START);
        for item in 3..self.items.len() {
            if rng.bool() {
                self.acts.push((any(rng), Act::Receipt { item, units: self.items[item].stock / 3 + 1 }));
            }
            if rng.bool() {
                self.acts.push((any(rng), Act::Correction { item, per_mille: rng.i64(-30..=20) }));
            }
        }
        self.acts.push((self.flash.1 + DAY, Act::Receipt { item: 0, units: 40 }));
        let outage_from = if rng.bool() { self.flash.0 - 30 * MINUTE } else { any(rng) };
        self.outage = (rng.usize(..CHANNELS), outage_from, outage_from + HOUR);
        if options.faults {
            for _ in 0..6 {
                self.acts.push((any(rng), Act::Lower { listing: rng.usize(..self.listings.len()), percent: rng.i64(0..100) }));
            }
            for _ in 0..4 {
                self.acts.push((any(rng), Act::Restart));
            }
            self.acts.push((self.flash.0 + rng.i64(0..60 * SECOND), Act::Restart));
            let raises: Vec<(i64, Act)> =
                (0..4).map(|_| (any(rng), Act::Raise { listing: rng.usize(..self.listings.len()), units: rng.i64(1..30) })).collect();
            if options.raises {
                // One of them on the hottest item, in the first minute of the flash sale.
                let (at, listing, units) = (self.flash.0 + rng.i64(0..60 * SECOND), rng.usize(..CHANNELS), rng.i64(5..30));
                self.acts.push((at, Act::Raise { listing, units }));
                self.acts.extend(raises);
            }
        } else {
            self.outage = (0, 0, 0);
        }
        self.acts.sort_by_key(|(at, _)| *at);
    }
}

/// What one counter shared by all outlets would have sold to the same buyers: units in all, and units of hot items during the
/// flash sale. Units that buyers gave back do not count.
pub fn oracle(world: &World) -> (i64, i64) {
    let mut free: Vec<i64> = world.items.iter().map(|i| i.stock).collect();
    let mut back: std::collections::BinaryHeap<std::cmp::Reverse<(i64, usize, i64)>> = Default::default();
    let mut acts = world.acts.iter().peekable();
    let (mut all, mut flash) = (0, 0);
    for buyer in &world.buyers {
        while let Some((_, act)) = acts.next_if(|(at, _)| *at <= buyer.at) {
            match act {
                Act::Receipt { item, units } => free[*item] += units,
                Act::Correction { item, per_mille } => free[*item] += correction(free[*item], world.items[*item].stock, *per_mille),
                _ => {}
            }
        }
        while back.peek().is_some_and(|b| b.0.0 <= buyer.at) {
            if let Some(std::cmp::Reverse((_, item, units))) = back.pop() {
                free[item] += units;
            }
        }
        let units = buyer.units * buyer.listing.map_or(1, |l| world.listings[l].per);
        if free[buyer.item] < units {
            continue;
        }
        free[buyer.item] -= units;
        match buyer.cancels_after {
            Some(after) => back.push(std::cmp::Reverse((buyer.at + after, buyer.item, units))),
            None => {
                all += units;
                flash += if world.in_flash(buyer.item, buyer.at) { units } else { 0 };
            }
        }
    }
    (all, flash)
}

impl World {
    /// Whether this is a sale of the flash sale.
    pub fn in_flash(&self, item: usize, at: i64) -> bool {
        self.items[item].hot && at >= self.flash.0 && at < self.flash.1
    }
}

/// Units that a correction adds or takes away when there are so many of once so many.
pub fn correction(free: i64, stock: i64, per_mille: i64) -> i64 {
    let units = stock * per_mille / 1000;
    if free < 40 || units.abs() > free / 10 { 0 } else { units }
}
