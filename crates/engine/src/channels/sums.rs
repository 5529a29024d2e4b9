//! What the listings of a channel add up to, kept beside them in the same transaction: nobody counts a million rows to show a number.

use super::rows::Listing;
use crate::batch::Batch;
use crate::db::{self, Row, Sql, Table, Tx, Type, Value};
use std::collections::BTreeMap;

const ADD: Sql = Sql(
    "INSERT INTO listing_sums (channel, listings, mapped, refused, exposure, exposure_units, queue) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (channel) DO UPDATE SET listings = listing_sums.listings + excluded.listings, mapped = listing_sums.mapped + excluded.mapped, refused = listing_sums.refused + excluded.refused, exposure = listing_sums.exposure + excluded.exposure, exposure_units = listing_sums.exposure_units + excluded.exposure_units, queue = listing_sums.queue + excluded.queue RETURNING channel",
);
const ALL: Sql = Sql("SELECT channel, listings, mapped, refused, exposure, exposure_units, queue FROM listing_sums");
const COUNTED: Sql = Sql(
    "SELECT channel, COUNT(*), COUNT(item), COUNT(fault), CAST(SUM(exposure) AS BIGINT), CAST(SUM(exposure * per) AS BIGINT), CAST(SUM(due) AS BIGINT) FROM listings GROUP BY channel",
);

pub const LISTING_SUMS: Table = Table {
    name: "listing_sums",
    columns: &[
        ("channel", Type::Int),
        ("listings", Type::Int),
        ("mapped", Type::Int),
        ("refused", Type::Int),
        ("exposure", Type::Int),
        ("exposure_units", Type::Int),
        ("queue", Type::Int),
    ],
    key: "channel",
};

/// What the listings of one channel add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub listings: i64,
    pub mapped: i64,
    /// The marketplace refused the last write.
    pub refused: i64,
    /// Listing units that the channel may still sell, and the same in units of the items.
    pub exposure: i64,
    pub exposure_units: i64,
    /// Listings that want a write.
    pub queue: i64,
}

impl Sums {
    fn of(listing: &Listing) -> Sums {
        let exposure = listing.exposure.total();
        Sums {
            listings: 1,
            mapped: i64::from(listing.item.is_some()),
            refused: i64::from(listing.fault.is_some()),
            exposure,
            exposure_units: exposure * listing.per,
            queue: i64::from(listing.due.is_some()),
        }
    }

    /// Adds the others so many times: once, or once less.
    fn add(&mut self, other: Sums, times: i64) {
        self.listings += times * other.listings;
        self.mapped += times * other.mapped;
        self.refused += times * other.refused;
        self.exposure += times * other.exposure;
        self.exposure_units += times * other.exposure_units;
        self.queue += times * other.queue;
    }

    fn read(row: &Row<'_>) -> (i64, Sums) {
        let [listings, mapped, refused, exposure, exposure_units, queue] = std::array::from_fn(|n| row.int(n + 1));
        (row.int(0), Sums { listings, mapped, refused, exposure, exposure_units, queue })
    }
}

/// By the id of the channel (0 is our own shop); one that never had a listing is left out.
pub type ByChannel = BTreeMap<i64, Sums>;

/// As they are kept.
pub fn all(tx: &mut Tx<'_>) -> db::Result<ByChannel> {
    Ok(tx.rows(ALL, &[], Sums::read)?.into_iter().collect())
}

/// As the listings say: reads them all.
pub fn counted(tx: &mut Tx<'_>) -> db::Result<ByChannel> {
    Ok(tx.rows(COUNTED, &[], Sums::read)?.into_iter().collect())
}

impl Batch<'_> {
    /// A listing as it was before this batch.
    pub(super) fn had_listing(&mut self, listing: &Listing) {
        self.listing_sums.entry(listing.channel).or_default().add(Sums::of(listing), -1);
    }

    /// What the listings of this batch add to the sums of each channel.
    pub(crate) fn changed_sums(&self) -> ByChannel {
        let mut sums = self.listing_sums.clone();
        for listing in self.listings.values() {
            sums.entry(listing.channel).or_default().add(Sums::of(listing), 1);
        }
        sums.retain(|_, sums| *sums != Sums::default());
        sums
    }
}

/// Adds to what is kept. One row for a channel: written while the event counter is held, so that no two nodes wait for each other.
pub(crate) fn add(tx: &mut Tx<'_>, sums: &ByChannel) -> db::Result<()> {
    let values = |(channel, s): (&i64, &Sums)| [*channel, s.listings, s.mapped, s.refused, s.exposure, s.exposure_units, s.queue].map(Value::Int);
    tx.rows_of_each(ADD, &sums.iter().map(values).collect::<Vec<_>>(), &mut |_, _| ())
}
