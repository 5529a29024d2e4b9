//! Faults at the steps of a transaction: a crash, a full or slow disk, a connection that is cut. At most one is armed a
//! node at a time; when its step comes, it happens and is gone.

use engine::{Fault, Faults};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Crash,
    Full,
    Slow,
    /// The engine is told that its connection broke.
    Cut,
    /// The server really cuts the connection.
    RealCut,
    /// The server really stops and starts again.
    Restart,
}

/// When it is to go wrong: at the nth step, of this name if one is given.
#[derive(Debug, Clone, Copy)]
pub struct Armed {
    pub kind: Kind,
    pub step: Option<&'static str>,
    pub nth: u32,
}

/// The steps that are worth aiming at.
const STEPS: [&str; 8] = ["begin", "read", "levels", "entries", "events", "idempotency", "commit", "committed"];

impl Armed {
    pub fn random(kind: Kind, rng: &mut fastrand::Rng) -> Armed {
        let armed = if rng.bool() {
            Armed { kind, step: Some(STEPS[rng.usize(..STEPS.len())]), nth: rng.u32(0..2) }
        } else {
            Armed { kind, step: None, nth: rng.u32(0..40) }
        };
        match (kind, armed.step) {
            // A disk that is full after the commit has not stopped anything.
            (Kind::Full, None | Some("begin" | "read" | "committed")) => Armed { kind, step: Some("commit"), nth: 0 },
            _ => armed,
        }
    }
}

/// A node's faults, from outside.
#[derive(Clone, Default)]
pub struct Trigger(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    armed: Option<Armed>,
    fired: Option<Kind>,
}

impl Trigger {
    pub fn arm(&self, armed: Option<Armed>) {
        let mut state = self.lock();
        state.armed = armed;
        state.fired = None;
    }

    /// What went wrong since it was armed.
    pub fn fired(&self) -> Option<Kind> {
        self.lock().fired
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn due(&self, step: &str) -> Option<Kind> {
        let mut state = self.lock();
        let armed = state.armed.as_mut()?;
        if armed.step.is_some_and(|aimed| aimed != step) {
            return None;
        }
        if armed.nth > 0 {
            armed.nth -= 1;
            return None;
        }
        state.fired = Some(armed.kind);
        state.armed.take().map(|a| a.kind)
    }

    /// For the engine. `really` does to the server what cannot be simulated inside.
    pub fn faults(&self, really: impl Fn(Kind) + Send + Sync + 'static) -> Faults {
        let trigger = self.clone();
        Faults::new(move |step| match trigger.due(step)? {
            Kind::Crash => Some(Fault::Crash),
            Kind::Full => Some(Fault::Full),
            Kind::Slow => Some(Fault::Slow(Duration::from_millis(4))),
            Kind::Cut => Some(Fault::Cut),
            kind @ (Kind::RealCut | Kind::Restart) => {
                really(kind);
                None
            }
        })
    }
}
