//! Stops calling a marketplace that does not answer: after some failures in a row calls are refused for a while, then one
//! may try (a probe), and its result decides for all.

use std::time::Duration;
use tokio::time::Instant;

/// Longest time that the circuit stays open before the next probe.
const LONGEST: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Circuit {
    /// Failures in a row that open it.
    after: u32,
    /// How long it stays open at first; twice as long after each probe that fails.
    first: Duration,
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    until: Instant,
    lasts: Duration,
    /// A probe is out, and forgotten at this time if it never comes back.
    probe_until: Option<Instant>,
}

impl Circuit {
    pub(super) fn new(after: u32, first: Duration) -> Circuit {
        Circuit { after: after.max(1), first, failures: 0, open: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a call may go out now, which may last as long as `longest`; if not, when to ask again.
    pub(super) fn admit(&mut self, now: Instant, longest: Duration) -> Result<(), Duration> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if now < open.until {
            return Err(open.until - now);
        }
        if let Some(until) = open.probe_until.filter(|until| now < *until) {
            return Err(until - now);
        }
        open.probe_until = Some(now + longest);
        Ok(())
    }

    /// The other side answered, whatever it said.
    pub(super) fn answered(&mut self) {
        self.failures = 0;
        self.open = None;
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.failures += 1;
        match &mut self.open {
            // Calls that were out before it opened fail late; only the probe counts.
            Some(open) if open.probe_until.is_some() => {
                let lasts = (open.lasts * 2).min(LONGEST);
                *open = Open { until: now + lasts, lasts, probe_until: None };
            }
            Some(_) => {}
            None if self.failures >= self.after => {
                self.open = Some(Open { until: now + self.first, lasts: self.first, probe_until: None });
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_lets_one_probe_through_and_closes() {
        let (second, now) = (Duration::from_secs(1), Instant::now());
        let mut circuit = Circuit::new(2, second);
        circuit.failed(now);
        assert_eq!(circuit.admit(now, second), Ok(()), "one failure is not enough");
        circuit.failed(now);
        assert_eq!(circuit.admit(now, second), Err(second));
        let later = now + second;
        assert_eq!(circuit.admit(later, second), Ok(()), "the probe");
        assert_eq!(circuit.admit(later, second), Err(second), "only one probe");
        circuit.failed(later);
        assert_eq!(circuit.admit(later + second, second), Err(second), "twice as long");
        assert_eq!(circuit.admit(later + 2 * second, second), Ok(()));
        assert_eq!(circuit.admit(later + 3 * second, second), Ok(()), "a probe that never came back is forgotten");
        circuit.answered();
        assert_eq!(circuit.admit(now, second), Ok(()));
    }
}
