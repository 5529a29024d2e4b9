//! A season of selling on three marketplaces and an own shop, in virtual time, with a flash sale in it and all that goes wrong
//! at marketplaces, under four ways of keeping the numbers there. Everything follows from the seed.
//!
//! What happens whatever we do is in `world.rs`, the marketplaces as they really are in `market.rs`, what we know of them in
//! `books.rs`, who writes which number in `regimes.rs`, how a write gets there in `connector.rs`, time in `play.rs`. Units really
//! there, and who was sold one that is not, in `stock.rs`. The rules that are tried here are those of the product:
//! [`domain::exposure`] and [`domain::quota`].

mod books;
mod connector;
mod figures;
mod market;
mod play;
mod regimes;
mod stock;
mod table;
mod world;

pub use figures::{Figures, Outcome};
pub use table::{Summary, summarize, table};

use serde::Serialize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// 2024-11-18T00:00:00Z, a Monday.
pub const START: i64 = 1_731_888_000 * SECOND;

/// How the numbers at the marketplaces are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// A sheet uploaded every four hours, orders imported as often, people in between.
    Before,
    /// Every change is sent everywhere at once.
    Broadcast,
    /// Everything is shown everywhere, less a buffer by demand and latency.
    Shared,
    /// Units are promised to one channel at a time.
    Quota,
}

pub const REGIMES: [Regime; 4] = [Regime::Before, Regime::Broadcast, Regime::Shared, Regime::Quota];

impl Regime {
    pub fn name(self) -> &'static str {
        match self {
            Regime::Before => "before",
            Regime::Broadcast => "broadcast",
            Regime::Shared => "shared",
            Regime::Quota => "quota",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    pub items: usize,
    pub days: i64,
    pub faults: bool,
    /// Somebody adds units at channels behind our back.
    pub raises: bool,
    /// Check after every event that no more can be sold than there is; for `quota`.
    pub check: bool,
}

impl Options {
    pub fn new(seed: u64) -> Options {
        Options { seed, items: 40, days: 14, faults: true, raises: true, check: false }
    }
}

/// Plays one season. Fails if books that must be sound are not, with the seed.
pub fn play(options: &Options, regime: Regime) -> Result<Outcome, String> {
    play::Season::new(options, regime).run()
}

/// Plays these seeds under every regime, on as many threads as given. `progress` hears of each season that was played.
pub fn play_many(options: &Options, seeds: std::ops::Range<u64>, threads: usize, progress: impl Fn() + Sync) -> Result<Vec<Outcome>, String> {
    let todo: Vec<(u64, Regime)> = seeds.flat_map(|seed| REGIMES.map(|regime| (seed, regime))).collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<Result<Vec<(usize, Outcome)>, String>> = Mutex::new(Ok(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((place, (seed, regime))) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, todo.get(n)?))) {
                    let outcome = play(&Options { seed: *seed, ..options.clone() }, *regime);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    match (&mut *done, outcome) {
                        (Ok(outcomes), Ok(outcome)) => outcomes.push((place, outcome)),
                        (Ok(_), Err(text)) => *done = Err(text),
                        (Err(_), _) => break,
                    }
                    drop(done);
                    progress();
                }
            });
        }
    });
    let mut outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    outcomes.sort_by_key(|(place, _)| *place);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}
