//! Proves. A seeded workload that knows what each reply must be, an auditor with its own books, faults, and the databases
//! to try them on. Nothing in the product depends on it but the commands that measure and demonstrate.
//!
//! A run (`run.rs`) makes a small world (`world.rs`), asks in rounds (`round.rs`) for what the workload chooses
//! (`workload.rs`), lets things go wrong (`faults.rs`), and has the auditor follow every reply (`judge.rs`, `auditor/`). A run that fails is made small (`shrink.rs`).
//!
//! `markets/` holds simulated marketplaces, to try connectors on.

pub mod auditor;
pub mod faults;
pub mod markets;
pub mod postgres;
pub mod season;
pub mod target;
pub mod workload;
pub mod world;

mod cluster;
mod judge;
mod round;
mod run;
mod shrink;

pub use target::{Server, Target};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a run does; the seed alone decides unless something is left out.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub steps: usize,
    pub faults: bool,
    /// Kinds of commands that are left out.
    pub without: BTreeSet<workload::Kind>,
    /// Commands that are left out: (step, number within the step).
    pub left_out: BTreeSet<(usize, usize)>,
    /// Keep every line of the story, not only the last.
    pub whole_story: bool,
    pub sabotage: Option<Sabotage>,
}

/// Something made wrong on purpose, to prove that it is noticed.
#[derive(Debug, Clone, Copy)]
pub enum Sabotage {
    /// The database is changed behind the engine's back, after this step.
    Sql { at: usize, text: &'static str },
    /// Replies to commands with this event are falsified.
    Reply { kind: &'static str },
}

impl Plan {
    pub fn new(seed: u64) -> Plan {
        let steps = 50 + fastrand::Rng::with_seed(seed).usize(..50);
        Plan { seed, steps, faults: true, without: BTreeSet::new(), left_out: BTreeSet::new(), whole_story: false, sabotage: None }
    }

    fn is_short_story(&self) -> bool {
        !self.whole_story
    }
}

/// What runs did, added up.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    pub seeds: u64,
    pub rounds: u64,
    /// Commands that were carried out.
    pub done: u64,
    /// Answers that showed what was done before.
    pub replayed: u64,
    /// Refusals by code.
    pub refused: BTreeMap<&'static str, u64>,
    pub orders: u64,
    /// Times that a waiting order was served.
    pub filled: u64,
    pub routed: u64,
    pub entries: u64,
    pub crashes: u64,
    pub full_disks: u64,
    pub slow_disks: u64,
    pub cuts: u64,
    /// Times that the server went down.
    pub restarts: u64,
}

impl Stats {
    fn count_fault(&mut self, kind: faults::Kind) {
        match kind {
            faults::Kind::Crash => self.crashes += 1,
            faults::Kind::Full => self.full_disks += 1,
            faults::Kind::Slow => self.slow_disks += 1,
            faults::Kind::Cut | faults::Kind::RealCut => self.cuts += 1,
            faults::Kind::Restart => self.restarts += 1,
        }
    }

    fn add(&mut self, other: &Stats) {
        for (code, count) in &other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        for (sum, more) in [
            (&mut self.seeds, other.seeds),
            (&mut self.rounds, other.rounds),
            (&mut self.done, other.done),
            (&mut self.replayed, other.replayed),
            (&mut self.orders, other.orders),
            (&mut self.filled, other.filled),
            (&mut self.routed, other.routed),
            (&mut self.entries, other.entries),
            (&mut self.crashes, other.crashes),
            (&mut self.full_disks, other.full_disks),
            (&mut self.slow_disks, other.slow_disks),
            (&mut self.cuts, other.cuts),
            (&mut self.restarts, other.restarts),
        ] {
            *sum += more;
        }
    }
}

/// A run in which the auditor found something.
#[derive(Debug, Clone)]
pub struct Failure {
    pub plan: Plan,
    pub target: &'static str,
    /// The step after which it was found.
    pub step: usize,
    pub what: String,
    /// The last commands and what they came to.
    pub story: Vec<String>,
    /// The commands that were sent.
    pub sent: BTreeSet<(usize, usize)>,
    /// What was found before the run was made smaller.
    pub original: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} on {} fails after {} steps with {} commands: {}", self.plan.seed, self.target, self.step, self.sent.len(), self.what)?;
        if let Some(original) = &self.original {
            writeln!(f, "before it was made smaller: {original}")?;
        }
        writeln!(f, "faults: {}; the story:", if self.plan.faults { "on" } else { "off" })?;
        self.story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for Failure {}

/// Runs one seed. A failure is made as small as it gets before it is told.
pub fn run(seed: u64, target: &Target) -> Result<Stats, Box<Failure>> {
    run_plan(&Plan::new(seed), target)
}

/// Runs a plan of one's own.
pub fn run_plan(plan: &Plan, target: &Target) -> Result<Stats, Box<Failure>> {
    run::carry_out(plan, target).map_err(|failure| shrink::shrink(failure, target))
}

/// Runs `count` seeds from `first` on, spread over the targets in turn, on as many threads as given. Stops at the first
/// failure. `progress` hears of each seed that passed.
pub fn run_many(first: u64, count: u64, targets: &[Target], threads: usize, progress: impl Fn(u64) + Sync) -> Result<Stats, Box<Failure>> {
    let next = AtomicU64::new(0);
    let found: Mutex<(Stats, Option<Box<Failure>>)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count || targets.is_empty() {
                        break;
                    }
                    let seed = first + n;
                    let result = run(seed, &targets[(seed % targets.len() as u64) as usize]);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    match result {
                        Ok(stats) => found.0.add(&stats),
                        Err(failure) => {
                            next.fetch_max(count, Ordering::Relaxed);
                            found.1.get_or_insert(failure);
                        }
                    }
                    drop(found);
                    progress(seed);
                }
            });
        }
    });
    let (stats, failure) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(stats), Err)
}
