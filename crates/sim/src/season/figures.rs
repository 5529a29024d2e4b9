//! What a season came to under one regime, and what a person's minute is assumed to be spent on.

use super::Regime;
use serde::Serialize;

/// Deciding by hand where an order ships from and keying it in: a minute, as one reads, looks up and types.
const MINUTES_AN_ORDER: f64 = 1.0;
/// Exporting a sheet, adjusting it and uploading it to three marketplaces: a quarter of an hour.
const MINUTES_AN_UPLOAD: f64 = 15.0;
/// Finding out why one number differs and putting it right.
const MINUTES_A_DIFFERENCE: f64 = 3.0;
/// Writing to a buyer whose order cannot be sent, refunding it, and answering what comes back.
const MINUTES_A_CANCELLATION: f64 = 8.0;
/// Looking at one thing that the program could not settle by itself.
const MINUTES_AN_EXCEPTION: f64 = 4.0;

/// Figures of the whole season or of the flash sale.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Units accepted beyond what exists.
    pub oversold: i64,
    /// Those of them that were only sold because somebody added units at the channel; not in `oversold`.
    pub sold_after_edit: i64,
    pub canceled_orders: i64,
    /// In cents.
    pub refunds: i64,
    /// Units sold, sent and kept.
    pub sold: i64,
    /// What one counter shared by all outlets would have sold to the same buyers.
    pub oracle: i64,
    /// Units that buyers wanted, that were there, and that the outlet did not show.
    pub lost: i64,
    /// Writes and readings of numbers.
    pub calls: i64,
    /// Calls that only ask for orders.
    pub polls: i64,
    pub orders: i64,
    pub uploads: i64,
    pub differences: i64,
    pub exceptions: i64,
    /// From the sale or receipt to the acknowledgment of each write it made necessary, microseconds.
    #[serde(skip)]
    pub latencies: Vec<i64>,
    pub latency_p50_s: f64,
    pub latency_p95_s: f64,
    pub latency_p99_s: f64,
    /// Share of (listing, time) at which the number shown and the units there were as recorded.
    pub accuracy: f64,
    pub accuracy_reconciled: f64,
    pub human_minutes: f64,
}

impl Figures {
    pub fn finish(&mut self, regime: Regime) {
        self.latencies.sort_unstable();
        let at = |share: f64| {
            let place = ((self.latencies.len() as f64 * share) as usize).min(self.latencies.len().saturating_sub(1));
            self.latencies.get(place).map_or(0.0, |l| *l as f64 / 1e6)
        };
        (self.latency_p50_s, self.latency_p95_s, self.latency_p99_s) = (at(0.5), at(0.95), at(0.99));
        let by_hand = if regime == Regime::Before { self.orders as f64 * MINUTES_AN_ORDER + self.uploads as f64 * MINUTES_AN_UPLOAD } else { 0.0 };
        self.human_minutes = by_hand
            + self.differences as f64 * MINUTES_A_DIFFERENCE
            + self.canceled_orders as f64 * MINUTES_A_CANCELLATION
            + self.exceptions as f64 * MINUTES_AN_EXCEPTION;
    }

    /// Percent of what one shared counter would have sold.
    pub fn sold_percent(&self) -> f64 {
        if self.oracle == 0 { 100.0 } else { 100.0 * self.sold as f64 / self.oracle as f64 }
    }
}

/// One season under one regime.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub seed: u64,
    pub regime: Regime,
    pub season: Figures,
    pub flash: Figures,
}
