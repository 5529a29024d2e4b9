//! How an item's units are divided among the listings that sell it: what each may sell now, and what it should have. Reckoned by
//! the same rules that the writer divides by; nothing is written.

use super::listings::ListingView;
use super::quotas::OWN;
use super::rows::{LISTINGS_BY_ITEM, Listing};
use crate::Stop;
use crate::batch::{Batch, sorted};
use crate::catalog::rows::Item;
use crate::command::Needs;
use crate::config::Config;
use crate::db::{Ahead, Tx};
use crate::kept::{Ids, ItemCache};
use crate::views::Time;
use domain::quota::{self, Policy};
use std::collections::HashMap;
use std::sync::Arc;

pub use domain::quota::{Mode, Why};

/// An item's units and who may sell them.
#[derive(Debug, Clone, Default)]
pub struct Shares {
    /// Units that can be promised, over all active locations, lent ones included.
    pub available: i64,
    /// Units of them that channels may sell or contracts hold: nobody else is promised these.
    pub lent: i64,
    /// By channel, then by the marketplace's name.
    pub listings: Vec<Share>,
}

/// A listing that sells units of the item.
#[derive(Debug, Clone)]
pub struct Share {
    pub listing: ListingView,
    pub channel: String,
    pub is_contract: bool,
    pub paused: bool,
    /// Units of the item in one listing unit; of a kit's component, in one kit times kits.
    pub per: i64,
    pub policy: Policy,
    /// The policy is the listing's own, not the channel's.
    pub is_own: bool,
    /// Listing units that it should have now. None under a contract, which says itself what it holds.
    pub quota: Option<i64>,
    /// Since when it waits to be written, and why.
    pub due: Option<(Time, Why)>,
}

/// Tells that the shares of an item will be asked for.
pub fn ahead(tx: &mut Tx<'_>, item: &Item) {
    let items = sorted(item.components.iter().map(|(component, _)| component).chain([&item.id]));
    tx.ahead(&[Ahead::Ids(&LISTINGS_BY_ITEM, &items, &[])]);
}

/// How an item, or each component of a kit, is divided. `now` is in microseconds since 1970 UTC. For a kit: the listings of the kit
/// alone, without quotas, because what they may show depends on all of its components.
pub fn of_item(tx: &mut Tx<'_>, config: Arc<Config>, now: i64, item: &Item) -> Result<Shares, Stop> {
    if config.channels.is_empty() {
        return Ok(Shares::default());
    }
    let needs = Needs { skus: vec![&*item.sku], ..Needs::default() };
    let (mut ids, mut cache) = (Ids::default(), ItemCache::default());
    cache.add(Arc::new(item.clone()));
    let batch = Batch::load(tx, &needs, now, config, &mut ids, &mut cache)?;
    let (pool, seats) = batch.seats_of(item.id);
    let targets: HashMap<i64, i64> = seats.iter().map(|s| s.listing).zip(quota::targets(pool, &seats)).collect();
    let of_kit = |listing: &&Listing| item.is_kit && listing.item == Some(item.id);
    let own: Vec<(i64, i64)> = batch.listings.values().filter(of_kit).map(|l| (l.id, l.per)).collect();
    let known = if item.is_kit { Some(&own) } else { batch.seats.by_item.get(&item.id) };
    let mut listings: Vec<Share> = Vec::new();
    for (id, per) in known.into_iter().flatten() {
        let Some(listing) = batch.listings.get(*id).filter(|l| l.channel != OWN) else { continue };
        let (Some(channel), Some(policy)) = (batch.config.channel(listing.channel), batch.policy(listing)) else { continue };
        listings.push(Share {
            listing: ListingView::new(listing, channel.code.clone(), listing.item.map(|i| batch.names().sku(i))),
            channel: channel.name.clone(),
            is_contract: channel.is_contract(),
            paused: channel.paused,
            per: *per,
            policy: policy.clone(),
            is_own: listing.policy.is_some(),
            quota: targets.get(id).copied(),
            due: listing.due.map(|(since, why)| (Time(since), why)),
        });
    }
    listings.sort_by(|a, b| (&a.listing.channel, &a.listing.external).cmp(&(&b.listing.channel, &b.listing.external)));
    Ok(Shares { available: batch.available(item.id), lent: batch.lent(item.id), listings })
}
