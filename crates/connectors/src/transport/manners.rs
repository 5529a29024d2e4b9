//! What a status means where the vendor says nothing better, how long it asks to wait, and how long to wait unasked.

use super::{Fault, Response};
use std::time::Duration;

/// What a status says by itself; None for the 200s. A 500 may come after the work was done (RFC 9110, section 15.6), so it
/// counts as lost; 503 is told before any work.
pub fn by_status(answer: &Response) -> Option<Fault> {
    let detail = || format!("status {}", answer.status);
    match answer.status {
        200..=299 => None,
        401 => Some(Fault::Unauthorized { detail: detail() }),
        408 | 425 | 503 => Some(Fault::Unavailable { detail: detail() }),
        429 => Some(Fault::Throttled { retry_after_ms: None }),
        400..=499 => Some(Fault::Refused { status: answer.status, code: answer.status.to_string(), detail: detail() }),
        500..=599 => Some(Fault::Lost { detail: detail() }),
        _ => Some(Fault::NotUnderstood { detail: detail() }),
    }
}

/// Milliseconds that an answer asks to wait: Retry-After in seconds or as a date (RFC 9110, section 10.2.3), or the
/// x-retry-after of some vendors. `now` in microseconds.
pub fn retry_after_ms(answer: &Response, now: i64) -> Option<u64> {
    let text = answer.header("retry-after").or_else(|| answer.header("x-retry-after"))?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then(|| (seconds.min(86_400.0) * 1000.0).ceil() as u64);
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from((date.timestamp().as_microsecond() - now).max(0) / 1000).ok()
}

/// Exponential back-off with full jitter: anything up to `first`, doubled with each try, at most `longest`.
pub(super) fn back_off(rng: &mut fastrand::Rng, first: Duration, longest: Duration, try_number: u32) -> Duration {
    let most = first.saturating_mul(1 << try_number.saturating_sub(1).min(16)).min(longest);
    most.mul_f64(rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_are_read() {
        let wait = |name: &str, value: &str| {
            let answer = Response { status: 429, headers: vec![(name.into(), value.into())], body: Vec::new() };
            retry_after_ms(&answer, 1_000_000)
        };
        assert_eq!(wait("retry-after", "2.0"), Some(2000));
        assert_eq!(wait("x-retry-after", "1"), Some(1000));
        assert_eq!(wait("retry-after", "Thu, 01 Jan 1970 00:00:31 GMT"), Some(30_000));
        assert_eq!(wait("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(wait("retry-after", "soon"), None);
        assert_eq!(wait("retry-after", "-1"), None);
        assert_eq!(wait("other", "2"), None);
    }

    #[test]
    fn waits_grow_and_end() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut most = |n| (0..1000).map(|_| back_off(&mut rng, first, longest, n)).max().unwrap();
        assert!(most(1) <= first && most(2) > first && most(9) <= longest);
    }
}
