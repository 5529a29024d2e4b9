//! What many pages show and what takes its time to count, kept in memory until the next event.

use engine::Stop;
use engine::exceptions::desk::Sort;
use engine::orders::counts::Counts;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

/// Most answers of a kind that are kept at once.
const MOST: usize = 256;

/// Answers of one kind, all as of the same event.
pub struct Counted<K, V>(Mutex<(i64, HashMap<K, V>)>);

impl<K, V> Default for Counted<K, V> {
    fn default() -> Counted<K, V> {
        Counted(Mutex::new((0, HashMap::new())))
    }
}

impl<K: Eq + Hash, V: Clone> Counted<K, V> {
    /// The answer as of the event of this number: the one that is kept, or what `read` finds. It must follow from the key and from what
    /// events told.
    pub fn get(&self, seq: i64, key: K, read: impl FnOnce() -> Result<V, Stop>) -> Result<V, Stop> {
        let known = |kept: &(i64, HashMap<K, V>)| if kept.0 == seq { kept.1.get(&key).cloned() } else { None };
        if let Some(answer) = known(&self.0.lock().unwrap_or_else(|e| e.into_inner())) {
            return Ok(answer);
        }
        let answer = read()?;
        let mut kept = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if kept.0 < seq || kept.1.len() >= MOST {
            *kept = (seq.max(kept.0), HashMap::new());
        }
        if kept.0 == seq {
            kept.1.insert(key, answer.clone());
        }
        Ok(answer)
    }
}

/// Whose orders are counted: of these channels, at these locations (any if left out), on this day.
pub type Whose = (Option<Vec<String>>, Option<Vec<i64>>, i64);

/// What is kept.
#[derive(Default)]
pub struct Shown {
    /// Open exceptions, in a second of time.
    pub exceptions: Counted<i64, Arc<Vec<Sort>>>,
    /// The numbers beside the tabs of the orders.
    pub orders: Counted<Whose, Counts>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_until_the_next_event() {
        let kept: Counted<&str, i64> = Counted::default();
        let get = |seq, key, found| kept.get(seq, key, || Ok(found)).unwrap();
        assert_eq!((get(1, "a", 10), get(1, "a", 11), get(1, "b", 12)), (10, 10, 12));
        assert_eq!((get(2, "a", 20), get(2, "b", 21), get(2, "a", 22)), (20, 21, 20));
        // Who still reads the state before is answered from it, and spoils nothing.
        assert_eq!((get(1, "a", 30), get(2, "a", 31)), (30, 20));
        assert!(kept.get(3, "a", || Err(Stop::Stopped)).is_err());
        assert_eq!(get(3, "a", 40), 40);
        for key in 0..2 * MOST {
            get(3, Box::leak(key.to_string().into_boxed_str()), 0);
        }
        assert!(kept.0.lock().unwrap().1.len() <= MOST);
    }
}
