//! Tries at signing in, by network address: so many in a window, then none until it is over. Kept in memory of this server, beside
//! the lock of each account, which is in the database.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Tries of one address in a window. A whole office may stand behind one.
const MOST: u32 = 60;
const WINDOW: Duration = Duration::from_secs(300);
/// Addresses remembered at once; beyond, those whose window is over are forgotten.
const MAX_REMEMBERED: usize = 50_000;

#[derive(Default)]
pub struct Throttle(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Throttle {
    /// Counts a try; answers after how many seconds to come again if there were too many.
    pub fn count(&self, address: IpAddr) -> Result<(), u64> {
        // A household has a whole /64 of IPv6.
        let address = match address {
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
            v4 => v4,
        };
        let mut known = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if known.len() >= MAX_REMEMBERED {
            known.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
        let (since, tries) = known.entry(address).or_insert((Instant::now(), 0));
        if since.elapsed() >= WINDOW {
            (*since, *tries) = (Instant::now(), 0);
        }
        *tries += 1;
        if *tries > MOST { Err(WINDOW.saturating_sub(since.elapsed()).as_secs() + 1) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_stopped_and_others_are_not() {
        let throttle = Throttle::default();
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        assert!((0..MOST).all(|_| throttle.count(v4).is_ok()));
        assert!(throttle.count(v4).is_err_and(|seconds| (1..=301).contains(&seconds)));
        assert!(throttle.count("10.0.0.2".parse().unwrap()).is_ok());
        assert!((0..MOST).all(|n| throttle.count(format!("2001:db8::{n:x}").parse().unwrap()).is_ok()));
        assert!(throttle.count("2001:db8::ffff".parse().unwrap()).is_err(), "one household");
        assert!(throttle.count("2001:db8:0:1::1".parse().unwrap()).is_ok(), "another");
    }
}
