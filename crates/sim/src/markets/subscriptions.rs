//! Who asked a simulated marketplace to be told of what.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct Subscriptions(Mutex<(u64, Vec<Subscription>)>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub id: String,
    /// As the vendor spells it.
    pub topic: String,
    pub address: String,
}

impl Subscriptions {
    fn lock(&self) -> MutexGuard<'_, (u64, Vec<Subscription>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn all(&self) -> Vec<Subscription> {
        self.lock().1.clone()
    }

    /// Answers the id; None if this topic is told at this address already.
    pub fn add(&self, topic: &str, address: &str) -> Option<String> {
        let mut kept = self.lock();
        if kept.1.iter().any(|s| s.topic == topic && s.address == address) {
            return None;
        }
        kept.0 += 1;
        let id = kept.0.to_string();
        kept.1.push(Subscription { id: id.clone(), topic: topic.to_owned(), address: address.to_owned() });
        Some(id)
    }

    /// Vendors do so by themselves after failures, and tell nobody.
    pub fn remove(&self, topic: &str) {
        self.lock().1.retain(|s| s.topic != topic);
    }

    /// Where this topic is told.
    pub fn addresses(&self, topic: &str) -> Vec<String> {
        self.lock().1.iter().filter(|s| s.topic == topic).map(|s| s.address.clone()).collect()
    }
}
