//! The outcome of many seasons as one table.

use super::figures::{Figures, Outcome};
use super::{REGIMES, Regime};
use serde::Serialize;

/// Mean and worst over the seeds, of one regime.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub regime: Regime,
    pub seeds: usize,
    /// Name of the figure, its unit in it.
    pub season: Vec<Line>,
    pub flash: Vec<Line>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub figure: &'static str,
    pub mean: f64,
    pub worst: f64,
}

/// A figure, how to get it, and whether more of it is better.
type Row = (&'static str, fn(&Figures) -> f64, bool, usize);

const ROWS: [Row; 18] = [
    ("oversold units", |f| f.oversold as f64, false, 1),
    ("sold after an edit, units", |f| f.sold_after_edit as f64, false, 1),
    ("canceled for it, orders", |f| f.canceled_orders as f64, false, 1),
    ("refunds", |f| f.refunds as f64 / 100.0, false, 0),
    ("sold units", |f| f.sold as f64, true, 1),
    ("oracle units", |f| f.oracle as f64, true, 1),
    ("sold of oracle, %", |f| f.sold_percent(), true, 2),
    ("turned away, units there", |f| f.lost as f64, false, 1),
    ("accuracy, %", |f| 100.0 * f.accuracy, true, 2),
    ("accuracy reconciled, %", |f| 100.0 * f.accuracy_reconciled, true, 2),
    ("sale to ack p50, s", |f| f.latency_p50_s, false, 2),
    ("sale to ack p95, s", |f| f.latency_p95_s, false, 2),
    ("sale to ack p99, s", |f| f.latency_p99_s, false, 1),
    ("calls", |f| f.calls as f64, false, 0),
    ("polls for orders", |f| f.polls as f64, false, 0),
    ("exceptions", |f| f.exceptions as f64, false, 1),
    ("differences put right", |f| f.differences as f64, false, 1),
    ("human minutes", |f| f.human_minutes, false, 0),
];

pub fn summarize(outcomes: &[Outcome]) -> Vec<Summary> {
    let summary = |regime: Regime| {
        let of: Vec<&Outcome> = outcomes.iter().filter(|o| o.regime == regime).collect();
        let lines = |part: fn(&Outcome) -> &Figures| {
            let line = |row: &Row| {
                let values: Vec<f64> = of.iter().map(|o| row.1(part(o))).collect();
                let worse = if row.2 { f64::min } else { f64::max };
                let worst = values.iter().copied().reduce(worse).unwrap_or(0.0);
                Line { figure: row.0, mean: values.iter().sum::<f64>() / values.len().max(1) as f64, worst }
            };
            ROWS.iter().map(line).collect()
        };
        Summary { regime, seeds: of.len(), season: lines(|o| &o.season), flash: lines(|o| &o.flash) }
    };
    REGIMES.into_iter().map(summary).filter(|s| s.seeds > 0).collect()
}

/// 1234567.8 as 1,234,567.8.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

/// Mean and, after a stroke, the worst seed.
pub fn table(summaries: &[Summary]) -> String {
    let mut text = String::new();
    for (title, lines) in [("the season", (|s: &Summary| &s.season) as fn(&Summary) -> &Vec<Line>), ("the flash sale", |s| &s.flash)] {
        text += &format!("{:<26}", format!("{title}: mean | worst"));
        for summary in summaries {
            text += &format!("{:>24}", summary.regime.name());
        }
        text.push('\n');
        for (n, row) in ROWS.iter().enumerate() {
            text += &format!("{:<26}", row.0);
            for summary in summaries {
                let line = &lines(summary)[n];
                text += &format!("{:>24}", format!("{} | {}", number(line.mean, row.3), number(line.worst, row.3)));
            }
            text.push('\n');
        }
        text.push('\n');
    }
    text
}
