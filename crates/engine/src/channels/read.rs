//! Reads channels: how each is doing, its listings, and what its worker has to do next.

use super::connect::ChannelView;
use super::listings::ListingView;
use super::rows::{Channel, LISTING_COLUMNS, LISTINGS_BY_ID, Listing, Progress};
use super::sums::{self, Sums};
use crate::Stop;
use crate::batch::sorted;
use crate::catalog::rows::{ITEMS_BY_ID, Item};
use crate::config::Config;
use crate::db::{Lookup, Sql, Tx, Value};
use crate::views::Time;
use domain::{Noun, Refused};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::ToSchema;

const PROGRESS: Sql =
    Sql("SELECT channel, watermark, orders_from, drift_found, drift_units, oversold_units FROM channel_progress WHERE channel = $1");
const ALL_PROGRESS: Sql = Sql("SELECT channel, watermark, orders_from, drift_found, drift_units, oversold_units FROM channel_progress");
/// The first of each urgency in the index of what is due, so that none are walked.
const OLDEST: Sql = Sql(
    "SELECT MIN(at) FROM (SELECT MIN(due_at) AS at FROM listings WHERE channel = $1 AND due = 1 AND urgency = 0 UNION ALL SELECT MIN(due_at) FROM listings WHERE channel = $1 AND due = 1 AND urgency = 1 UNION ALL SELECT MIN(due_at) FROM listings WHERE channel = $1 AND due = 1 AND urgency = 2 UNION ALL SELECT MIN(due_at) FROM listings WHERE channel = $1 AND due = 1 AND urgency = 3 UNION ALL SELECT MIN(due_at) FROM listings WHERE channel = $1 AND due = 1 AND urgency = 4) AS oldest",
);
const LIST: Sql = Sql(
    "SELECT id, channel, external, sku, title, item, per, policy, knowledge, demand_units, demand_at, due, urgency, due_at, fault, missed, missed_at, barcode FROM listings WHERE channel = $1 AND id > $2 AND ($3 = 0 OR item IS NULL) ORDER BY id LIMIT $4",
);
const COUNTED: Sql = Sql("SELECT seen_at - placed_at, order_id FROM market_orders WHERE channel = $1 AND placed_at >= $2 AND placed_at < $3");

/// A channel and how it is doing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelStatus {
    #[serde(flatten)]
    pub channel: ChannelView,
    /// Every order placed there before this has been counted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub orders_counted_until: Option<Time>,
    pub listings: i64,
    pub mapped: i64,
    pub refused: i64,
    /// Listing units that the channel may still sell.
    pub exposure: i64,
    /// The same in units of the items.
    pub exposure_units: i64,
    /// Listings that want a write.
    pub queue: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_wish: Option<Time>,
    pub drift_found: i64,
    pub drift_units: i64,
    pub oversold_units: i64,
}

pub fn progress(tx: &mut Tx<'_>, channel: i64) -> Result<Progress, Stop> {
    Ok(tx.one(PROGRESS, &[Value::Int(channel)], Progress::read)?.unwrap_or_default())
}

/// Since when the oldest write that is wanted has been; None if none is.
fn oldest_wish(tx: &mut Tx<'_>, channel: i64, sums: &Sums) -> Result<Option<i64>, Stop> {
    Ok(if sums.queue > 0 { tx.one(OLDEST, &[Value::Int(channel)], |r| r.opt_int(0))?.flatten() } else { None })
}

/// Listings of each of these channels that want a write, and since when the oldest does.
pub fn queues(tx: &mut Tx<'_>, channels: impl Iterator<Item = i64>) -> Result<Vec<(i64, i64, Option<i64>)>, Stop> {
    let sums = sums::all(tx)?;
    let of = |id: i64| sums.get(&id).copied().unwrap_or_default();
    channels.map(|id| Ok((id, of(id).queue, oldest_wish(tx, id, &of(id))?))).collect()
}

/// How one channel is doing; contracts are no channels here.
pub fn status(tx: &mut Tx<'_>, config: &Config, code: &str) -> Result<ChannelStatus, Stop> {
    let unknown = || Refused::unknown(Noun::Channel, code, "code");
    let channel = config.channel_by_code(code).filter(|c| !c.is_contract()).ok_or_else(unknown)?;
    Ok(statuses(tx, config, &[channel])?.pop().ok_or_else(unknown)?)
}

/// How all channels are doing, in a few reads however many listings they have.
pub fn all(tx: &mut Tx<'_>, config: &Config) -> Result<Vec<ChannelStatus>, Stop> {
    statuses(tx, config, &config.channels.iter().filter(|c| !c.is_contract()).collect::<Vec<_>>())
}

fn statuses(tx: &mut Tx<'_>, config: &Config, channels: &[&Channel]) -> Result<Vec<ChannelStatus>, Stop> {
    let sums = sums::all(tx)?;
    let progress: HashMap<i64, Progress> = tx.rows(ALL_PROGRESS, &[], |r| (r.int(0), Progress::read(r)))?.into_iter().collect();
    let status = |channel: &&Channel| {
        let progress = progress.get(&channel.id).cloned().unwrap_or_default();
        let sums = sums.get(&channel.id).copied().unwrap_or_default();
        Ok(ChannelStatus {
            channel: ChannelView::new(channel, config),
            orders_counted_until: Some(progress.watermark).filter(|w| *w > 0).map(Time),
            listings: sums.listings,
            mapped: sums.mapped,
            refused: sums.refused,
            exposure: sums.exposure,
            exposure_units: sums.exposure_units,
            queue: sums.queue,
            oldest_wish: oldest_wish(tx, channel.id, &sums)?.map(Time),
            drift_found: progress.drift_found,
            drift_units: progress.drift_units,
            oversold_units: progress.oversold_units,
        })
    };
    channels.iter().map(status).collect()
}

/// A channel's listings in the order of their ids, after `after`; `unmapped` leaves out those that are an item.
pub fn listings(tx: &mut Tx<'_>, config: &Config, code: &str, unmapped: bool, after: i64, limit: i64) -> Result<Vec<ListingView>, Stop> {
    debug_assert!(LIST.0.contains(LISTING_COLUMNS));
    let channel = config.channel_by_code(code).ok_or_else(|| Refused::unknown(Noun::Channel, code, "code"))?;
    let found = tx.rows(LIST, &[Value::Int(channel.id), Value::Int(after), Value::Int(i64::from(unmapped)), Value::Int(limit)], Listing::read)?;
    let mut ids: Vec<i64> = found.iter().filter_map(|l| l.item).collect();
    ids.sort_unstable();
    ids.dedup();
    let items: HashMap<i64, Arc<str>> = tx.by_ids(&ITEMS_BY_ID, &ids, &[], Item::read)?.into_iter().map(|i| (i.id, i.sku)).collect();
    Ok(found.iter().map(|l| ListingView::new(l, channel.code.clone(), l.item.and_then(|i| items.get(&i).cloned()))).collect())
}

/// One listing of a channel.
pub fn listing(tx: &mut Tx<'_>, config: &Config, id: i64) -> Result<ListingView, Stop> {
    let unknown = || Refused::unknown(Noun::Listing, id.to_string(), "id");
    Ok(some_listings(tx, config, &[id])?.pop().ok_or_else(unknown)?)
}

/// Listings by their ids (sorted), in that order; those that are not there are left out.
pub fn some_listings(tx: &mut Tx<'_>, config: &Config, ids: &[i64]) -> Result<Vec<ListingView>, Stop> {
    let lookup = Lookup { lock: false, ..LISTINGS_BY_ID };
    let found = tx.by_ids(&lookup, &sorted(ids), &[], Listing::read)?;
    let items = sorted(found.iter().filter_map(|l| l.item.as_ref()));
    let items: HashMap<i64, Arc<str>> = tx.by_ids(&ITEMS_BY_ID, &items, &[], Item::read)?.into_iter().map(|i| (i.id, i.sku)).collect();
    let view = |l: &Listing| Some(ListingView::new(l, config.channel(l.channel)?.code.clone(), l.item.and_then(|i| items.get(&i).cloned())));
    Ok(found.iter().filter_map(view).collect())
}

/// The orders placed at a channel from one time until another (microseconds since 1970 UTC) that are counted here: after how many
/// microseconds each was, and whether it became an order here.
pub fn counted(tx: &mut Tx<'_>, channel: i64, from: i64, until: i64) -> Result<Vec<(i64, bool)>, Stop> {
    Ok(tx.rows(COUNTED, &[Value::Int(channel), Value::Int(from), Value::Int(until)], |r| (r.int(0), r.opt_int(1).is_some()))?)
}
