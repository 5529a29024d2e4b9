//! Channels measured with real workers over real HTTP, on simulated marketplaces that keep to the vendors' limits: a busy hour, an
//! outage, memory. What a listed item costs the reservations stands in `engine_only.rs`.

mod busy;
mod load;
mod memory;
mod outage;
mod world;

pub use busy::{Busy, measure as busy};
pub use memory::{Memory, measure as memory};
pub use outage::{Outage, measure as outage};

use crate::Failed;
use crate::progress::thousands;
use load::Shop;
use world::{Traffic, World};

/// What these measurements can be told.
pub struct Options {
    pub seconds: u64,
    pub warm_up: u64,
    /// Orders a second in all; each measurement has its own if left out.
    pub rate: Option<u64>,
    pub outage: u64,
    /// Items on each marketplace in the busy hour and around the outage.
    pub listed: usize,
    /// The longest that memory is watched, seconds.
    pub limit: u64,
    pub amazon_speed: f64,
    pub seed: u64,
}

/// Whether all that was sold was there.
#[derive(Debug, Default, serde::Serialize)]
pub struct Checked {
    /// Units sold, by the marketplaces' books and our shop's, beyond all that ever came in.
    pub oversold_units: i64,
    /// What `holdfast verify` finds wrong.
    pub discrepancies: u64,
    pub entries: u64,
    /// Why an order of our own shop failed, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Checked {
    fn close(world: World, failed: Option<String>) -> Result<Checked, Failed> {
        let oversold_units = world.oversold();
        let report = world.close()?;
        Ok(Checked { oversold_units, discrepancies: report.discrepancies, entries: report.entries, failed })
    }

    fn print(&self) {
        println!("  oversold units           {:>10}", self.oversold_units);
        println!("  discrepancies            {:>10}   in {} entries, recomputed", self.discrepancies, thousands(self.entries));
        if let Some(why) = &self.failed {
            println!("  an order failed: {why}");
        }
    }
}

impl Shop {
    fn print(&self) {
        println!(
            "  own shop over HTTP       {:>10.1}/s p50 {:.2} ms, p99 {:.2} ms; {:.1}/s found too little stock, {} failed",
            self.orders_per_second, self.p50_ms, self.p99_ms, self.refused_per_second, self.failed
        );
    }
}

fn print_traffic(channels: &[Traffic]) {
    println!(
        "  {:<9}{:>8}{:>8}{:>9}{:>9}{:>8}{:>8}{:>6} |{:>8}{:>10}{:>10}{:>10} |{:>9}{:>10}",
        "",
        "orders",
        "turned",
        "counted",
        "counted",
        "not in",
        "unfill-",
        "late",
        "writes",
        "ack p50 s",
        "ack p95 s",
        "ack p99 s",
        "requests",
        "throttled"
    );
    println!("  {:<9}{:>8}{:>8}{:>9}{:>9}{:>8}{:>8}{:>6} |", "", "there", "away", "p50 s", "p99 s", "yet", "able", "");
    let time = |s: Option<f64>| s.map_or_else(|| "–".to_owned(), |s| format!("{s:.2}"));
    for c in channels {
        let [p50, p95, p99] = [0, 1, 2].map(|n: usize| time(c.acknowledged_s.map(|a| a[n])));
        println!(
            "  {:<9}{:>8}{:>8}{:>9}{:>9}{:>8}{:>8}{:>6} |{:>8}{p50:>10}{p95:>10}{p99:>10} |{:>9}{:>10}",
            c.channel,
            c.orders,
            c.turned_away,
            time(c.counted_p50_s),
            time(c.counted_p99_s),
            c.not_counted_yet,
            c.unfillable,
            c.orders_late,
            c.writes,
            c.requests,
            c.throttled
        );
    }
}
