//! What an import of stock would change, for whoever looks before it is done.

use super::ImportRow;
use crate::Stop;
use crate::config::Config;
use crate::db::Tx;
use crate::stock::rows::LEVELS_OF;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use utoipa::ToSchema;

/// Rows that are told one by one: those that change the most.
const TOLD: usize = 50;

/// What the rows of a file would change. A level that stands in a file several times may be counted from where it is now each time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockEffect {
    /// Rows that bring units in, that take units away, and that change nothing.
    pub rows_up: u64,
    pub rows_down: u64,
    pub rows_same: u64,
    /// The units that come in, and that go.
    pub units_up: i64,
    pub units_down: i64,
    /// The fifty rows that change the most, the largest change first.
    pub largest: Vec<StockChange>,
}

/// What one row would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockChange {
    /// Counting from 1, the header being line 1.
    pub line: u64,
    pub sku: String,
    pub location: String,
    /// Units available before, and after.
    pub before: i64,
    pub after: i64,
}

impl StockChange {
    fn size(&self) -> i64 {
        (self.after - self.before).abs()
    }
}

impl StockEffect {
    /// Adds the rows of a chunk. `items` are the ids of the SKUs that the chunk names.
    pub fn add(&mut self, tx: &mut Tx<'_>, config: &Config, items: &HashMap<String, i64>, rows: &[(u64, ImportRow)]) -> Result<(), Stop> {
        let ids: Vec<i64> = items.values().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let mut available: HashMap<(i64, i64), i64> = tx.by_ids(&LEVELS_OF, &ids, &[], |r| ((r.int(0), r.int(1)), r.int(2)))?.into_iter().collect();
        for (line, row) in rows {
            let ImportRow::Stock { sku, location, quantity } = row else { continue };
            let (Some(item), Some(place)) = (items.get(sku), config.by_code(location)) else { continue };
            let before = available.insert((*item, place.id), *quantity).unwrap_or(0);
            self.count(StockChange { line: *line, sku: sku.clone(), location: location.clone(), before, after: *quantity });
        }
        self.largest.sort_by_key(|change| (-change.size(), change.line));
        self.largest.truncate(TOLD);
        Ok(())
    }

    fn count(&mut self, change: StockChange) {
        match change.after - change.before {
            0 => self.rows_same += 1,
            up if up > 0 => (self.rows_up, self.units_up) = (self.rows_up + 1, self.units_up + up),
            down => (self.rows_down, self.units_down) = (self.rows_down + 1, self.units_down - down),
        }
        if change.before != change.after {
            self.largest.push(change);
        }
    }
}
