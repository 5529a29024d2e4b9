//! Who writes which number. `quota` and `shared` ask the product's rules; `broadcast` sends what there is; `before` only
//! writes when its sheet is uploaded.

use super::connector::Wishes;
use super::play::Season;
use super::{HOUR, Regime};
use domain::quota::{self, Mode, Policy, Why, Wish};

/// A sheet is uploaded, and orders are imported, this often.
pub const UPLOAD_EVERY: i64 = 4 * HOUR;

/// The chance that `shared` takes of selling out within one latency: 1 in 100.
const RISK: f64 = 0.01;
/// How long it takes to see a sale and to tell the others, as measured without faults: 4 s.
const LATENCY_S: f64 = 4.0;

impl Season {
    /// Which writes the item needs now.
    pub fn wishes(&mut self, item: usize) -> Wishes {
        match self.regime {
            Regime::Before => self.absolute(item, false),
            Regime::Broadcast => self.absolute(item, true),
            Regime::Shared => {
                self.size_buffers(item);
                self.planned(item)
            }
            Regime::Quota => self.planned(item),
        }
    }

    /// What there is, to every listing that was last set to another number (`before`: that is due).
    fn absolute(&self, item: usize, live: bool) -> Wishes {
        let mut wishes = Wishes::default();
        for l in &self.books.of[item] {
            let listing = &self.world.listings[*l];
            let to = self.books.available[item].max(0) / listing.per;
            let changed = if live { self.books.pushed[*l] != Some(to) } else { self.books.pushed[*l].is_none() };
            let can = self.books.exposure[*l].in_flight().is_none() && self.open(listing.channel) && self.books.blocked_until[*l] <= self.now;
            if changed && can {
                wishes.write.push(Wish { listing: *l as i64, to, compares: false, why: if to == 0 { Why::Stop } else { Why::Refill } });
            }
        }
        wishes
    }

    fn planned(&self, item: usize) -> Wishes {
        let open = |channel: usize| self.open(channel);
        let seats = self.books.seats(item, &self.world.listings, &open, self.now);
        let pool = self.books.pool(item, self.now);
        Wishes { write: quota::plan(pool, &seats), read: quota::look(pool, &seats) }
    }

    fn size_buffers(&mut self, item: usize) {
        let mut rate = self.books.own[item].rate(self.now);
        for l in &self.books.of[item] {
            rate += self.books.demand[*l].rate(self.now) * self.world.listings[*l].per as f64;
        }
        let buffer = quota::buffer(rate, LATENCY_S, RISK);
        for l in &self.books.of[item] {
            self.books.policy[*l] = Policy { mode: Mode::Shared { buffer }, ..Policy::default() };
        }
    }
}
