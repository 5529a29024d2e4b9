//! Wires to simulated marketplaces, in a hurry: short waits, so that a thousand mishaps take seconds. And what must be true
//! of a write, whatever became of it.

use connectors::account::Account;
use connectors::marketplace::SetOutcome;
use connectors::transport::{Fault, Pace, Wire, WireOptions};
use holdfast_sim::markets::Faults;
use std::sync::Arc;
use std::time::Duration;

pub fn wire(account: &'static dyn Account, address: &str, settings: &[(&str, &str)], seed: u64) -> Wire {
    let pace = Pace {
        connect: Duration::from_secs(2),
        whole: Duration::from_millis(250),
        tries: 4,
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_millis(50),
        circuit_after: 1000,
        circuit_open: Duration::from_millis(10),
    };
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let clock = Arc::new(|| jiff::Timestamp::now().as_microsecond());
    Wire::new(WireOptions { account, address: address.to_owned(), settings, clock, seed, pace }).unwrap()
}

/// A run of one thread.
pub fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

/// Seeds to try: `HOLDFAST_SEEDS` of them from `HOLDFAST_FIRST_SEED` on.
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let first = number("HOLDFAST_FIRST_SEED").unwrap_or(1);
    first..first + number("HOLDFAST_SEEDS").unwrap_or(usual)
}

/// Some faults, all of requests; nothing is applied late unless asked for.
pub fn faults(rng: &mut fastrand::Rng) -> Faults {
    let mut chance = || if rng.bool() { 0.0 } else { rng.f64() * 0.25 };
    Faults {
        throttled: chance(),
        too_many: chance(),
        error: chance(),
        cut: chance(),
        hang: chance() / 4.0,
        half: chance(),
        expire: chance(),
        unknown: chance(),
        ..Faults::default()
    }
}

/// What may be true after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Surely,
    SurelyNot,
    Perhaps,
}

pub fn done_by_outcome(outcome: &SetOutcome) -> Done {
    match outcome {
        SetOutcome::Applied => Done::Surely,
        SetOutcome::Accepted => Done::Perhaps,
        SetOutcome::Stale { .. } | SetOutcome::Refused { .. } => Done::SurelyNot,
    }
}

pub fn done_by_fault(fault: &Fault) -> Done {
    match fault {
        Fault::Throttled { .. } | Fault::Unauthorized { .. } | Fault::Unavailable { .. } | Fault::Refused { .. } => Done::SurelyNot,
        Fault::Lost { .. } | Fault::NotUnderstood { .. } => Done::Perhaps,
    }
}
