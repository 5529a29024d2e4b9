//! The buyer: what to order from suppliers, and when. The file tells sales only, so the receipts are ours; this is how a
//! careful merchant without a forecast would have made them.
//!
//! At each review the buyer knows what was sold up to the evening before and nothing after. From the mean and the spread
//! of the last 28 days follow the level at which to buy again (demand until the next delivery, and a margin for 49
//! weeks in 50) and the level to buy up to (a fortnight more). What is bought arrives some days later. Three things are not sales:
//! - Opening stock is what the first fortnight of the file sold: it stands in for the sales of the autumn before, which the
//!   file does not hold. This is the only look ahead.
//! - An item that appears later gets a first lot by its price on the morning of that day: a merchant knows his new
//!   catalog, not how it will sell.
//! - Goods written off lower the stock, but say nothing about demand.
//!
//! The buyer keeps own books from the file alone, so that a replay that was interrupted buys the same again.

use std::collections::BTreeMap;

/// Days of sales that are remembered.
const DAYS: usize = 28;
/// An item is not judged by fewer days: what sold in its first week may have been curiosity.
const LEAST: usize = 14;
/// Ninety-eight in a hundred, by the normal distribution.
const MARGIN: f64 = 2.0537;

#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub review_days: i64,
    pub lead_days: i64,
}

/// Reviewed on Monday morning, there on Thursday morning.
pub const WEEKLY: Policy = Policy { review_days: 7, lead_days: 3 };

/// Reviewed every morning, there on the next: for the demo, whose days last half a minute.
pub const DAILY: Policy = Policy { review_days: 1, lead_days: 1 };

#[derive(Debug, Clone, Default)]
struct Known {
    /// Whether it is in the catalog yet.
    listed: bool,
    /// On the shelves and on order, less what customers wait for.
    position: i64,
    today: i64,
    /// A ring of net sales a day.
    days: [i64; DAYS],
    /// How many of them are known.
    known: usize,
}

#[derive(Debug)]
pub struct Buyer {
    policy: Policy,
    items: Vec<Known>,
    next: usize,
    on_order: BTreeMap<i64, Vec<(usize, i64)>>,
}

impl Buyer {
    pub fn new(policy: Policy, items: usize) -> Buyer {
        Buyer { policy, items: vec![Known::default(); items], next: 0, on_order: BTreeMap::new() }
    }

    /// Opening stock of an item that sold so many units in the first fortnight.
    pub fn open(&mut self, item: usize, fortnight: i64) -> i64 {
        let known = &mut self.items[item];
        let fortnight = fortnight.max(0);
        let upto = |day: i64| (i128::from(fortnight) * i128::from(day) / 14) as i64;
        for (n, day) in known.days.iter_mut().enumerate() {
            let n = n as i64 % 14;
            *day = upto(n + 1) - upto(n);
        }
        known.known = DAYS;
        known.listed = true;
        known.position += fortnight;
        fortnight
    }

    /// The first lot of an item that is new, at a price in ten-thousandths of a pound.
    pub fn introduce(&mut self, item: usize, price: i64) -> i64 {
        let lot = match price {
            ..10_000 => 96,
            10_000..30_000 => 48,
            30_000..100_000 => 24,
            _ => 6,
        };
        self.items[item].listed = true;
        self.items[item].position += lot;
        lot
    }

    pub fn sold(&mut self, item: usize, units: i64) {
        self.items[item].position -= units;
        self.items[item].today += units;
    }

    pub fn came_back(&mut self, item: usize, units: i64) {
        self.sold(item, -units);
    }

    /// Units were written off; more than there are cannot be.
    pub fn written_off(&mut self, item: usize, units: i64) {
        let known = &mut self.items[item];
        known.position -= units.min(known.position.max(0));
    }

    /// The day is over.
    pub fn evening(&mut self) {
        for known in &mut self.items {
            known.days[self.next] = known.today;
            known.today = 0;
            known.known = (known.known + usize::from(known.listed)).min(DAYS);
        }
        self.next = (self.next + 1) % DAYS;
    }

    /// What arrives on this morning: item and units.
    pub fn arrivals(&mut self, day: i64) -> Vec<(usize, i64)> {
        self.on_order.remove(&day).unwrap_or_default()
    }

    /// On review mornings, decides what to buy.
    pub fn morning(&mut self, day: i64) {
        // 1970-01-01 was a Thursday; weeks begin on Mondays.
        if (day + 3).rem_euclid(7) % self.policy.review_days != 0 {
            return;
        }
        let bought: Vec<(usize, i64)> = (0..self.items.len()).map(|item| (item, self.wanted(item))).filter(|(_, units)| *units > 0).collect();
        for (item, units) in &bought {
            self.items[*item].position += units;
        }
        if !bought.is_empty() {
            self.on_order.entry(day + self.policy.lead_days).or_default().extend(bought);
        }
    }

    fn wanted(&self, item: usize) -> i64 {
        let known = &self.items[item];
        let total: i64 = known.days.iter().sum();
        let a_day = total.max(0) as f64 / known.known.max(LEAST) as f64;
        let weeks: Vec<f64> = (0..4).map(|week| (0..7).map(|day| known.days[(self.next + week * 7 + day) % DAYS]).sum::<i64>() as f64).collect();
        let mean = weeks.iter().sum::<f64>() / 4.0;
        let spread = (weeks.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
        let weeks_to_cover = (self.policy.review_days + self.policy.lead_days) as f64 / 7.0;
        let again = if total > 0 { a_day * 7.0 * weeks_to_cover + MARGIN * spread * weeks_to_cover.sqrt() } else { 0.0 };
        if known.position as f64 >= again {
            return 0;
        }
        ((again + a_day * 14.0).ceil() as i64 - known.position).min(domain::limits::MAX_LINE_QUANTITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An item that sells evenly is bought in time and never in heaps.
    #[test]
    fn even_sales_are_covered() {
        let mut buyer = Buyer::new(WEEKLY, 1);
        let mut stock = buyer.open(0, 140);
        let monday = 4;
        for day in monday..monday + 100 {
            buyer.morning(day);
            stock += buyer.arrivals(day).iter().map(|(_, units)| units).sum::<i64>();
            buyer.sold(0, 10);
            stock -= 10;
            buyer.evening();
            assert!((0..=260).contains(&stock), "{stock} on day {day}");
        }
    }

    #[test]
    fn those_who_wait_are_bought_for_and_the_past_is_not_forgotten_at_once() {
        let mut buyer = Buyer::new(WEEKLY, 2);
        buyer.sold(0, 500);
        buyer.sold(1, 500);
        buyer.came_back(1, 500);
        buyer.evening();
        buyer.morning(4);
        let bought = buyer.arrivals(7);
        assert_eq!(bought.len(), 1, "an item that nobody wants any more is not bought: {bought:?}");
        assert!(bought[0].1 >= 500);
        assert_eq!(buyer.arrivals(7), []);
    }

    #[test]
    fn write_offs_end_at_nothing() {
        let mut buyer = Buyer::new(WEEKLY, 1);
        let lot = buyer.introduce(0, 5_000);
        buyer.written_off(0, lot + 1_000_000);
        buyer.evening();
        buyer.morning(4);
        assert_eq!(buyer.arrivals(7), []);
    }
}
