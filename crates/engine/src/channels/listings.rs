//! Listings: what a channel has for sale, and which item each of it is. One listing can be a pack of several units, or a kit.

use super::push::touch;
use super::rows::{LISTING_ITEMS, Listing};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Needs, Reply};
use crate::db::{Cell, Rows, Write};
use crate::views::Id;
use domain::quota::Policy;
use domain::{Noun, Refused, limits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What a channel says it has for sale. New ones whose SKU is an item's are mapped to it; known ones keep their mapping.
#[derive(Debug, Clone)]
pub struct PutListings {
    pub channel: i64,
    pub rows: Vec<ListedRow>,
    /// When it was asked, microseconds since 1970 UTC.
    pub asked_at: i64,
}

#[derive(Debug, Clone)]
pub struct ListedRow {
    pub external: String,
    pub sku: Option<String>,
    pub barcode: Option<String>,
    pub title: String,
    pub shown: Option<i64>,
}

/// Says which item a listing is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MapListing {
    #[serde(skip)]
    pub id: i64,
    /// The item's SKU; left out, the mapping stays.
    #[serde(default)]
    pub sku: Option<String>,
    /// Units of the item in one listing; 1 if left out.
    #[serde(default)]
    pub units_per_listing: Option<i64>,
    /// Its own policy instead of the channel's.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub policy: Option<Policy>,
    /// Follow the channel's policy again.
    #[serde(default)]
    pub inherit: bool,
    /// Try again after the marketplace refused a quantity.
    #[serde(default)]
    pub retry: bool,
}

/// A listing as people see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ListingView {
    #[schema(value_type = String)]
    pub id: Id,
    #[schema(value_type = String)]
    pub channel: Arc<str>,
    /// The marketplace's name of it.
    pub external: String,
    pub sku: Option<String>,
    pub title: String,
    /// The item that it is, once it is mapped.
    #[schema(value_type = Option<String>)]
    pub item: Option<Arc<str>>,
    pub units_per_listing: i64,
    #[schema(value_type = Option<Object>)]
    pub policy: Option<Policy>,
    /// The most it can still sell that has not been counted.
    pub exposure: i64,
    /// What the marketplace is believed to show.
    pub shown: Option<i64>,
    pub write_wanted: bool,
    pub write_under_way: bool,
    pub fault: Option<String>,
}

impl ListingView {
    pub fn new(listing: &Listing, channel: Arc<str>, item: Option<Arc<str>>) -> ListingView {
        ListingView {
            id: Id(listing.id),
            channel,
            external: listing.external.clone(),
            sku: listing.sku.clone(),
            title: listing.title.clone(),
            item,
            units_per_listing: listing.per,
            policy: listing.policy.clone(),
            exposure: listing.exposure.total(),
            shown: listing.exposure.shown(),
            write_wanted: listing.due.is_some(),
            write_under_way: listing.exposure.in_flight().is_some(),
            fault: listing.fault.clone(),
        }
    }
}

/// What people say about a listing, without what sales change of it every moment: for noticing that somebody else said something else
/// meanwhile, and for the audit log.
#[derive(Debug, Serialize)]
pub struct Mapping<'a> {
    pub channel: &'a str,
    pub external: &'a str,
    pub item: Option<&'a str>,
    pub units_per_listing: i64,
    pub policy: Option<&'a Policy>,
    pub fault: Option<&'a str>,
}

impl ListingView {
    pub fn mapping(&self) -> Mapping<'_> {
        Mapping {
            channel: &self.channel,
            external: &self.external,
            item: self.item.as_deref(),
            units_per_listing: self.units_per_listing,
            policy: self.policy.as_ref(),
            fault: self.fault.as_deref(),
        }
    }
}

/// Notes in the database which item a listing sells.
pub(crate) fn link(batch: &mut Batch<'_>, listing: i64, item: i64, per: i64) {
    let mut rows = Rows::default();
    rows.0.extend([Cell::Int(item), Cell::Int(listing), Cell::Int(per)]);
    batch.more.push(Write::changed(&LISTING_ITEMS, rows));
}

/// Maps a listing to an item: to each component, if it is a kit.
fn map(batch: &mut Batch<'_>, listing: i64, item: &crate::catalog::rows::Item, per: i64) {
    let parts = if item.is_kit { item.components.clone() } else { vec![(item.id, 1)] };
    for (part, of_kit) in parts {
        batch.seats.add(part, listing, of_kit * per);
        link(batch, listing, part, of_kit * per);
    }
    if let Some(kept) = batch.listings.change(listing) {
        (kept.item, kept.per) = (Some(item.id), per);
    }
    touch(batch, listing);
}

impl PutListings {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        for row in &self.rows {
            needs.externals.push(&row.external);
            needs.skus.extend(row.sku.as_deref());
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let now = batch.now;
        let late = batch.config.channel(self.channel).map_or(1, |c| c.late);
        for row in &self.rows {
            if row.external.is_empty() || row.external.len() > 512 {
                continue;
            }
            let title: String = row.title.chars().filter(|c| !c.is_control()).take(200).collect();
            let id = match batch.external(self.channel, &row.external) {
                Some(id) => id,
                None => {
                    let id = batch.id()?;
                    batch.add_listing(Listing { sku: row.sku.clone(), title: title.clone(), ..Listing::new(id, self.channel, row.external.clone()) });
                    id
                }
            };
            let mapped = batch.listings.get(id).is_some_and(|l| l.item.is_some());
            if let Some(kept) = batch.listings.change(id) {
                (kept.title, kept.sku, kept.barcode) = (title, row.sku.clone(), row.barcode.clone());
                if let Some(shown) = row.shown {
                    kept.exposure.read(shown, self.asked_at, now, late);
                }
            }
            let item = row.sku.as_deref().and_then(|sku| batch.any_item(sku)).filter(|i| i.active);
            if let (false, Some(item)) = (mapped, item) {
                map(batch, id, &item, 1);
            }
            touch(batch, id);
        }
        Ok(Reply::done(Answer::Count { count: self.rows.len() }))
    }
}

/// Looks again at what these listings should show, because what it depends on besides stock and sales has changed.
#[derive(Debug, Clone)]
pub struct Replan {
    pub listings: Vec<i64>,
}

impl Replan {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.listings.extend(&self.listings);
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        self.listings.iter().for_each(|id| touch(batch, *id));
        Ok(Reply::done(Answer::Count { count: self.listings.len() }))
    }
}

impl MapListing {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.listings.push(self.id);
        needs.skus.extend(self.sku.as_deref());
        needs.exception_keys.push(format!("listing:{}", self.id));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let unknown = || Refused::unknown(Noun::Listing, self.id.to_string(), "id");
        let known = batch.listings.get(self.id).filter(|l| l.channel != super::quotas::OWN).ok_or_else(unknown)?.clone();
        if let Some(policy) = &self.policy {
            super::connect::check_policy(policy)?;
        }
        let per = self.units_per_listing.unwrap_or(known.per);
        if !(1..=10_000).contains(&per) {
            return Err(Refused::invalid("units_per_listing", "must be 1 to 10,000").into());
        }
        if let Some(sku) = &self.sku {
            limits::name("sku", sku)?;
            let item = batch.item(sku, "sku")?;
            let changes = known.item.is_some_and(|old| old != item.id) || (known.item.is_some() && known.per != per);
            if changes && known.exposure.total() > 0 {
                let reason = "cannot be changed while the channel may still sell units of the old one; set its policy to never, and wait until its exposure is 0";
                return Err(Refused::invalid("sku", reason).into());
            }
            if changes {
                batch.unlink.push(self.id);
                batch.seats.by_listing.remove(&self.id);
                batch.seats.by_item.values_mut().for_each(|seats| seats.retain(|(listing, _)| *listing != self.id));
            }
            map(batch, self.id, &item, per);
        }
        if let Some(kept) = batch.listings.change(self.id) {
            kept.policy = self.policy.clone().or(kept.policy.take().filter(|_| !self.inherit));
            if self.retry {
                kept.fault = None;
            }
        }
        if self.retry {
            crate::exceptions::settle(batch, &format!("listing:{}", self.id), "tried again");
        }
        touch(batch, self.id);
        let kept = batch.listings.get(self.id).ok_or_else(unknown)?;
        let channel = batch.config.channel(kept.channel).map(|c| c.code.clone()).unwrap_or_default();
        let view = ListingView::new(kept, channel, kept.item.map(|item| batch.names().sku(item)));
        batch.event("listing.mapped", self.id, &view);
        Ok(Reply::done(Answer::Listing(Box::new(view))))
    }
}
