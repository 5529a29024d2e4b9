//! Driving load: many callers that each wait for their answer, for a time, with how long each took.

use super::Figure;
use crate::Failed;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What one caller saw: the time of each answer in microseconds, and how many were not what was asked for.
#[derive(Default)]
pub struct Seen {
    pub micros: Vec<u32>,
    pub failed: u64,
}

/// Runs `callers` at once for a second of warm-up and then `seconds`. A caller calls until the flag is set.
pub async fn drive<F, Work>(callers: usize, seconds: u64, caller: F) -> Result<(f64, Vec<u32>), Failed>
where
    F: Fn(usize, Arc<Phase>) -> Work,
    Work: Future<Output = Result<Seen, Failed>> + Send + 'static,
{
    let phase = Arc::new(Phase::default());
    let tasks: Vec<_> = (0..callers).map(|n| tokio::spawn(caller(n, phase.clone()))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    phase.measuring.store(true, Ordering::Relaxed);
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    phase.over.store(true, Ordering::Relaxed);
    let elapsed = began.elapsed().as_secs_f64();
    let mut all = Vec::new();
    let mut failed = 0;
    for task in tasks {
        let seen = task.await??;
        all.extend(seen.micros);
        failed += seen.failed;
    }
    if failed > 0 {
        return Err(Failed(format!("{failed} answers were not what was asked for; a figure would mean nothing")));
    }
    Ok((all.len() as f64 / elapsed, all))
}

/// When to measure and when to stop.
#[derive(Default)]
pub struct Phase {
    measuring: AtomicBool,
    over: AtomicBool,
}

impl Phase {
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub fn is_measuring(&self) -> bool {
        self.measuring.load(Ordering::Relaxed)
    }
}

impl Seen {
    /// Notes an answer that was asked for at `began`.
    pub fn note(&mut self, phase: &Phase, began: Instant, good: bool) {
        if !good {
            self.failed += 1;
        } else if phase.is_measuring() && !phase.is_over() {
            self.micros.push(began.elapsed().as_micros() as u32);
        }
    }
}

/// A figure from what was driven.
pub fn figure(what: &str, database: String, callers: usize, (per_second, mut micros): (f64, Vec<u32>)) -> Figure {
    micros.sort_unstable();
    let at = |share: f64| {
        micros.get(((micros.len() as f64 * share) as usize).min(micros.len().saturating_sub(1))).map_or(0.0, |m| f64::from(*m) / 1_000.0)
    };
    Figure { what: what.into(), database, callers, per_second, p50_ms: at(0.50), p99_ms: at(0.99), note: String::new() }
}
