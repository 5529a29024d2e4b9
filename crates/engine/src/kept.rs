//! What a batch keeps: documents and whether they have to be written, ids to give out, items that were read before.

use crate::Stop;
use crate::catalog::rows::Item;
use crate::config::Config;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A value, whether it has to be written, and whether its row is not there yet.
#[derive(Debug)]
pub struct Keep<T> {
    pub value: T,
    pub dirty: bool,
    pub new: bool,
}

/// Documents by id, in order.
#[derive(Debug)]
pub struct Kept<T>(BTreeMap<i64, Keep<T>>);

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept(BTreeMap::new())
    }
}

impl<T> Kept<T> {
    pub fn load(&mut self, id: i64, value: T) {
        self.0.insert(id, Keep { value, dirty: false, new: false });
    }

    pub fn get(&self, id: i64) -> Option<&T> {
        self.0.get(&id).map(|k| &k.value)
    }

    /// To change it; it will be written.
    pub fn change(&mut self, id: i64) -> Option<&mut T> {
        self.0.get_mut(&id).map(|k| {
            k.dirty = true;
            &mut k.value
        })
    }

    pub fn add(&mut self, id: i64, value: T) {
        self.0.insert(id, Keep { value, dirty: true, new: true });
    }

    /// What has to be written: the new ones, or those whose row is there.
    pub fn dirty(&self, new: bool) -> impl Iterator<Item = &T> {
        self.0.values().filter(move |k| k.dirty && k.new == new).map(|k| &k.value)
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values().map(|k| &k.value)
    }
}

/// Turns ids into the names that people use.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    pub items: &'a HashMap<i64, Arc<Item>>,
    pub config: &'a Config,
}

impl Names<'_> {
    pub fn sku(&self, item: i64) -> Arc<str> {
        self.items.get(&item).map_or_else(|| format!("#{item}").into(), |i| i.sku.clone())
    }

    pub fn code(&self, location: i64) -> Arc<str> {
        self.config.code(location)
    }
}

/// Ids that this node may give out.
#[derive(Debug, Default)]
pub struct Ids {
    next: i64,
    end: i64,
}

impl Ids {
    pub fn left(&self) -> i64 {
        self.end - self.next
    }

    pub fn refill(&mut self, end: i64, count: i64) {
        (self.next, self.end) = (end - count, end);
    }

    pub fn next(&mut self) -> Result<i64, Stop> {
        if self.next >= self.end {
            return Err(Stop::broken("out of ids within a batch"));
        }
        self.next += 1;
        Ok(self.next)
    }
}

/// Items that were read before; forgotten whenever an item, location or rule changes.
#[derive(Debug, Default)]
pub struct ItemCache {
    pub by_sku: HashMap<Arc<str>, Arc<Item>>,
    pub by_id: HashMap<i64, Arc<Item>>,
    version: i64,
}

/// Most items kept between batches: about 30 MB.
const CACHED_ITEMS: usize = 100_000;

impl ItemCache {
    pub fn at_version(&mut self, version: i64) -> &mut ItemCache {
        if self.version != version || self.by_id.len() > CACHED_ITEMS {
            *self = ItemCache { version, ..ItemCache::default() };
        }
        self
    }

    pub fn add(&mut self, item: Arc<Item>) {
        self.by_sku.insert(item.sku.clone(), item.clone());
        self.by_id.insert(item.id, item);
    }
}
