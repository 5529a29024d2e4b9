//! Public keys that marketplaces sign their webhooks with, as long as they are good, in the memory of this node.
//!
//! Who names a key has not shown yet who he is. So a stranger may make us ask for keys a few times a minute and no more; and one
//! that was good before is fetched again whatever strangers ask for.

use connectors::transport::Fault;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A key is kept for an hour, as eBay says; microseconds.
const LIFE: i64 = 3_600_000_000;
/// A name that nobody knows is not asked for again for ten minutes.
const UNKNOWN: i64 = 600_000_000;
const MINUTE: i64 = 60_000_000;
/// After a fetch that got no answer, none is tried for this long.
const PAUSE: i64 = 5_000_000;
/// Names asked for in a minute, of each channel, that were never good.
const STRANGE: usize = 3;
/// Most names that are remembered of a channel.
const MOST: usize = 32;

/// The keys of all channels.
#[derive(Clone, Default)]
pub(super) struct Keys(Arc<Mutex<BTreeMap<i64, Arc<Channel>>>>);

#[derive(Default)]
struct Channel {
    known: Mutex<Known>,
    /// Held while a key is being fetched, so that all who want it wait for that one.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    by_name: BTreeMap<String, Entry>,
    /// When names were asked for that were never good.
    strange: Vec<i64>,
    /// When a fetch got no answer last.
    failed: Option<i64>,
}

struct Entry {
    /// None for a name that the marketplace does not know.
    key: Option<String>,
    until: i64,
}

impl Keys {
    /// A key by its name; `fetch` asks the marketplace for it. None if it is not known, or may not be asked for now.
    pub(super) async fn get(&self, channel: i64, name: &str, now: i64, fetch: impl AsyncFnOnce() -> Result<String, Fault>) -> Option<String> {
        let channel = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(channel).or_default().clone();
        if let Some(found) = channel.known().find(name, now) {
            return found;
        }
        let _alone = channel.fetching.lock().await;
        if let Some(found) = channel.known().find(name, now) {
            return found;
        }
        if !channel.known().may_ask(name, now) {
            return None;
        }
        let fetched = fetch().await;
        let until = if fetched.is_ok() { now + LIFE } else { now + UNKNOWN };
        let key = match fetched {
            Ok(key) => Some(key),
            Err(Fault::Refused { .. }) => None,
            // Not known whether there is such a key: a later webhook asks again.
            Err(fault) => {
                tracing::warn!("a public key cannot be fetched: {fault}");
                channel.known().failed = Some(now);
                return None;
            }
        };
        channel.known().put(name, Entry { key: key.clone(), until });
        key
    }
}

impl Channel {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What is known of a name: its key, or that there is none. Outer None if it is to be asked for.
    fn find(&self, name: &str, now: i64) -> Option<Option<String>> {
        self.by_name.get(name).filter(|entry| now < entry.until).map(|entry| entry.key.clone())
    }

    fn may_ask(&mut self, name: &str, now: i64) -> bool {
        if self.failed.is_some_and(|at| now - at < PAUSE) {
            return false;
        }
        if self.by_name.get(name).is_some_and(|entry| entry.key.is_some()) {
            return true;
        }
        self.strange.retain(|at| now - at < MINUTE);
        if self.strange.len() >= STRANGE {
            return false;
        }
        self.strange.push(now);
        true
    }

    /// Makes room by forgetting a name that was never good, or else the oldest key.
    fn put(&mut self, name: &str, entry: Entry) {
        if self.by_name.len() >= MOST && !self.by_name.contains_key(name) {
            let oldest = self.by_name.iter().min_by_key(|(_, e)| (e.key.is_some(), e.until)).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.by_name.remove(&name));
        }
        self.by_name.insert(name.to_owned(), entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NO: fn() -> Result<String, Fault> = || Err(Fault::Refused { status: 404, code: "195001".into(), detail: String::new() });

    async fn ask(keys: &Keys, name: &str, now: i64, asked: &AtomicUsize, answer: Result<String, Fault>) -> Option<String> {
        let fetch = async || {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            answer
        };
        keys.get(1, name, now, fetch).await
    }

    #[test]
    fn a_key_is_fetched_once_and_again_when_its_hour_is_over() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (keys, asked) = (Keys::default(), AtomicUsize::new(0));
            let many = tokio::join!(
                ask(&keys, "a", 0, &asked, Ok("key".into())),
                ask(&keys, "a", 0, &asked, Ok("key".into())),
                ask(&keys, "a", 0, &asked, Ok("key".into())),
            );
            assert_eq!((many.0.as_deref(), many.2.as_deref(), asked.load(Ordering::Relaxed)), (Some("key"), Some("key"), 1));
            assert_eq!(ask(&keys, "a", LIFE - 1, &asked, NO()).await.as_deref(), Some("key"));
            assert_eq!(ask(&keys, "a", LIFE, &asked, Ok("new".into())).await.as_deref(), Some("new"));
            assert_eq!(asked.load(Ordering::Relaxed), 2);
        });
    }

    #[test]
    fn strangers_make_us_ask_three_times_a_minute_and_no_more() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (keys, asked) = (Keys::default(), AtomicUsize::new(0));
            assert!(ask(&keys, "good", 0, &asked, Ok("key".into())).await.is_some());
            for n in 0..100 {
                assert_eq!(ask(&keys, &format!("bad-{n}"), MINUTE, &asked, NO()).await, None);
                assert_eq!(ask(&keys, "bad-0", MINUTE, &asked, NO()).await, None);
            }
            assert_eq!(asked.load(Ordering::Relaxed), 1 + STRANGE);
            // The one that was good before is asked for all the same, and strangers do not push it out.
            assert!(ask(&keys, "good", LIFE, &asked, Ok("key".into())).await.is_some());
            for n in 0..200 {
                assert_eq!(ask(&keys, &format!("worse-{n}"), LIFE + n * MINUTE / 4, &asked, NO()).await, None);
            }
            let before = asked.load(Ordering::Relaxed);
            assert!(ask(&keys, "good", 2 * LIFE - 1, &asked, NO()).await.is_some());
            assert_eq!(asked.load(Ordering::Relaxed), before);
            // A marketplace that does not answer is no proof that there is no such key.
            let lost = Err(Fault::Lost { detail: String::new() });
            assert_eq!(ask(&keys, "late", 3 * LIFE, &asked, lost).await, None);
            assert_eq!(ask(&keys, "late", 3 * LIFE + PAUSE - 1, &asked, Ok("key".into())).await, None);
            assert!(ask(&keys, "late", 3 * LIFE + PAUSE, &asked, Ok("key".into())).await.is_some());
        });
    }
}
