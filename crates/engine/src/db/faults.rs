//! Faults that the simulation asks for, at the steps of a transaction. In production there are none, and asking costs a branch.

use super::{Error, Result, Why};
use std::sync::Arc;
use std::time::Duration;

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies here: no rollback is sent, no caller is answered.
    Crash,
    /// The connection breaks here.
    Cut,
    /// The database takes this long.
    Slow(Duration),
    /// The disk is full here.
    Full,
}

/// Asked before each step with its name: `begin`, `read`, `write`, a table's name, `commit`, `committed`.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<dyn Fn(&str) -> Option<Fault> + Send + Sync>>);

static NONE: Faults = Faults(None);

pub(super) fn none() -> &'static Faults {
    &NONE
}

impl Faults {
    pub fn new(decide: impl Fn(&str) -> Option<Fault> + Send + Sync + 'static) -> Faults {
        Faults(Some(Arc::new(decide)))
    }

    pub(super) fn at(&self, step: &str) -> Result<()> {
        let Some(decide) = &self.0 else { return Ok(()) };
        let fail = |why, text: &str| Err(Error { why, text: format!("{text} at step “{step}”") });
        match decide(step) {
            None => Ok(()),
            Some(Fault::Slow(time)) => {
                std::thread::sleep(time);
                Ok(())
            }
            Some(Fault::Crash) => fail(Why::Crash, "simulated crash"),
            Some(Fault::Cut) => fail(Why::Lost, "simulated lost connection"),
            Some(Fault::Full) => fail(Why::Full, "simulated full disk"),
        }
    }
}
