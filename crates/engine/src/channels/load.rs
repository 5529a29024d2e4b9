//! What a batch loads of channels: what marketplaces told before, the listings that sell its items, the exceptions that are open.

use super::rows::{LISTINGS_BY_EXTERNAL, LISTINGS_BY_ID, LISTINGS_BY_ITEM, Listing, MARKET_ORDERS_BY_KEY, OrderThere, PROGRESS_BY_CHANNEL, Progress};
use crate::batch::{Batch, sorted};
use crate::command::Needs;
use crate::contracts::rows::{CONTRACT_LINES_BY_LISTING, ContractLine};
use crate::db::{self, Ahead, Cell, Lookup, Sql, Tx, Value};
use crate::exceptions::{EXCEPTIONS_BY_ID, Exception, OPEN_EXCEPTIONS_BY_KEY};
use crate::kept::Keep;
use crate::warehouses::rows::HANDOVERS_BY_FULFILLMENT;
use std::collections::BTreeSet;

pub const ITEMS_BY_LISTING: Lookup =
    Lookup { columns: "item, listing, per", from: "listing_items", key: "listing", and: "", order: "listing, item", lock: false };

const UNLINK: Sql = Sql("DELETE FROM listing_items WHERE listing = $1");
const UPDATE_CHANNEL: Sql = Sql(
    "UPDATE channels SET name = $1, address = $2, settings = $3, paused = $4, policy = $5, secrets = COALESCE($6, secrets), stopped = $7 WHERE id = $8",
);

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[
    &MARKET_ORDERS_BY_KEY,
    &PROGRESS_BY_CHANNEL,
    &LISTINGS_BY_ID,
    &LISTINGS_BY_EXTERNAL,
    &LISTINGS_BY_ITEM,
    &ITEMS_BY_LISTING,
    &EXCEPTIONS_BY_ID,
    &OPEN_EXCEPTIONS_BY_KEY,
    &HANDOVERS_BY_FULFILLMENT,
    &CONTRACT_LINES_BY_LISTING,
];

impl Batch<'_> {
    /// Writes what is changed row by row: mappings that end, channels, and rows that only one operation changes.
    pub(crate) fn write_changes(&self, tx: &mut Tx<'_>) -> db::Result<()> {
        for listing in &self.unlink {
            tx.execute(UNLINK, &[Value::Int(*listing)])?;
        }
        for (sql, cells) in &self.statements {
            let values: Vec<Value<'_>> = cells.iter().map(Cell::value).collect();
            tx.execute(*sql, &values)?;
        }
        for (channel, secrets) in &self.changed_channels {
            let policy = serde_json::to_string(&channel.policy).unwrap_or_default();
            let values = [
                Value::Text(&channel.name),
                Value::Text(&channel.address),
                Value::Text(&channel.settings),
                Value::Int(i64::from(channel.paused)),
                Value::Text(&policy),
                Value::opt_text(secrets.as_deref()),
                Value::Int(i64::from(channel.stopped)),
                Value::Int(channel.id),
            ];
            tx.execute(UPDATE_CHANNEL, &values)?;
        }
        Ok(())
    }

    /// What marketplaces told before, and what is known to be wrong.
    pub(crate) fn load_told(&mut self, tx: &mut Tx<'_>, needs: &Needs<'_>) -> db::Result<()> {
        for progress in tx.by_ids(&PROGRESS_BY_CHANNEL, &sorted(&needs.progress), &[], Progress::read)? {
            self.progress.load(progress.channel, progress);
        }
        let keys: BTreeSet<&str> = needs.market_orders.iter().map(String::as_str).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        for (key, order) in tx.by_names(&MARKET_ORDERS_BY_KEY, &keys, OrderThere::read)?.into_iter().flatten() {
            self.market_orders.insert(key, Keep { value: order, dirty: false, new: false });
        }
        for exception in tx.by_ids(&EXCEPTIONS_BY_ID, &sorted(&needs.exceptions), &[], Exception::read)? {
            self.exceptions.load(exception.id, exception);
        }
        Ok(())
    }

    /// The listings that are named, and those that sell any of the items; and the items that they sell.
    pub(crate) fn load_listings(&mut self, tx: &mut Tx<'_>, needs: &Needs<'_>, items: &mut BTreeSet<i64>) -> db::Result<()> {
        let externals: BTreeSet<&str> = needs.externals.iter().copied().collect();
        let mut ids: BTreeSet<i64> = needs.listings.iter().copied().collect();
        for (id, channel, external) in
            tx.by_names(&LISTINGS_BY_EXTERNAL, &externals.into_iter().collect::<Vec<_>>(), |r| (r.int(0), r.int(1), r.text(2)))?
        {
            self.by_external.insert((channel, external), id);
            ids.insert(id);
        }
        let named = tx.by_ids(&ITEMS_BY_LISTING, &sorted(&ids), &[], |r| r.int(0))?;
        items.extend(named);
        // Once for the items, and once more for what the kits among their listings need besides.
        let mut asked: BTreeSet<i64> = BTreeSet::new();
        for _ in 0..2 {
            let new: Vec<i64> = items.difference(&asked).copied().collect();
            if new.is_empty() {
                break;
            }
            for (item, listing, per) in tx.by_ids(&LISTINGS_BY_ITEM, &new, &[], |r| (r.int(0), r.int(1), r.int(2)))? {
                self.seats.add(item, listing, per);
                ids.insert(listing);
            }
            asked.extend(new);
            tx.ahead(&[Ahead::Ids(&LISTINGS_BY_ID, &sorted(&ids), &[])]);
            for (item, listing, per) in tx.by_ids(&ITEMS_BY_LISTING, &sorted(&ids), &[], |r| (r.int(0), r.int(1), r.int(2)))? {
                self.seats.add(item, listing, per);
                items.insert(item);
            }
        }
        for listing in tx.by_ids(&LISTINGS_BY_ID, &sorted(&ids), &[], Listing::read)? {
            self.by_external.insert((listing.channel, listing.external.clone()), listing.id);
            // The item itself may be a kit, which has no stock to be loaded for.
            items.extend(listing.item);
            self.had_listing(&listing);
            self.listings.load(listing.id, listing);
        }
        if !self.config.contracts.is_empty() {
            let under: Vec<i64> = self.listings.values().filter(|l| self.config.contract(l.channel).is_some()).map(|l| l.id).collect();
            for line in tx.by_ids(&CONTRACT_LINES_BY_LISTING, &sorted(&under), &[], ContractLine::read)? {
                self.contract_lines.load(line.listing, line);
            }
        }
        let mut keys: BTreeSet<String> = needs.exception_keys.iter().cloned().collect();
        if !needs.progress.is_empty() {
            keys.extend(self.listings.values().flat_map(|l| [format!("drift:{}", l.id), format!("oversold:{}", l.id)]));
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for exception in tx.by_names(&OPEN_EXCEPTIONS_BY_KEY, &keys, Exception::read)? {
            self.exceptions.load(exception.id, exception);
        }
        crate::alerts::load(self, tx)
    }

    /// The listing that a channel calls so.
    pub fn external(&self, channel: i64, external: &str) -> Option<i64> {
        self.by_external.get(&(channel, external.to_owned())).copied()
    }

    pub fn add_listing(&mut self, listing: Listing) {
        self.by_external.insert((listing.channel, listing.external.clone()), listing.id);
        self.listings.add(listing.id, listing);
    }

    /// Keeps what a marketplace told of an order.
    pub fn put_market_order(&mut self, key: String, order: OrderThere) {
        self.market_orders.insert(key, Keep { value: order, dirty: true, new: false });
    }
}
