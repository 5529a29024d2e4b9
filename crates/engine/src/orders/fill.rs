//! Fill: units that come free go to the orders that wait for them, oldest first, in the same step.

use super::{announce, commit_units};
use crate::Stop;
use crate::batch::{Batch, day_of};
use crate::catalog::rows::WhenShort;
use crate::command::{Answer, Needs, Reply};
use crate::db::Sql;
use domain::stock::Account::Available;

/// Items that orders wait for although units of them are available, at most `$1`: left by two nodes that acted at the same
/// moment, or because a release date came or a day's capacity was used up.
pub const FILLABLE: Sql =
    Sql("SELECT DISTINCT l.item FROM order_lines l JOIN levels s ON s.item = l.item WHERE l.backordered > 0 AND s.available > 0 LIMIT $1");

/// Serves waiting orders from what is available of an item at a location.
pub(crate) fn from_level(batch: &mut Batch<'_>, item: i64, location: i64) -> Result<usize, Stop> {
    let mut filled = 0;
    let Some(known) = batch.item_by_id(item).cloned() else { return Ok(0) };
    let Some(place) = batch.config.by_id(location).filter(|l| l.active).cloned() else { return Ok(0) };
    if known.when_short == WhenShort::Preorder && known.available_from.is_some_and(|from| from > batch.now) {
        return Ok(0);
    }
    for id in batch.waiting_for(item) {
        let waiting: i64 = batch.orders.get(id).map_or(0, |o| o.lines.iter().filter(|l| l.item == item).map(|l| l.backordered).sum());
        // What is lent to channels may have been sold there; it is asked for.
        let available = batch.level(item, location).get(Available).min(batch.unlent(item));
        if available < waiting {
            batch.ask_back(item, waiting)?;
        }
        if available <= 0 {
            break;
        }
        if batch.capacity_left(&place, day_of(batch.now)).is_some_and(|left| left <= 0) {
            break;
        }
        let Some(mut order) = batch.orders.get(id).cloned() else { continue };
        let mut taken = 0;
        for line in order.lines.iter_mut().filter(|l| l.item == item && l.backordered > 0) {
            let share = line.backordered.min(available - taken);
            line.backordered -= share;
            taken += share;
        }
        if taken == 0 {
            continue;
        }
        commit_units(batch, &mut order, location, item, taken, Available, "order.filled")?;
        order.refresh_status();
        announce(batch, &order, "order.filled");
        if let Some(kept) = batch.orders.change(id) {
            *kept = order;
        }
        filled += 1;
    }
    Ok(filled)
}

/// Looks again at items that orders wait for.
#[derive(Debug, Clone)]
pub struct Fill {
    pub items: Vec<i64>,
}

impl Fill {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.item_ids.extend(&self.items);
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut count = 0;
        for item in &self.items {
            batch.seats.touched.insert(*item);
            let locations: Vec<i64> = batch.levels_of(*item).map(|(location, _)| location).collect();
            for location in locations {
                count += from_level(batch, *item, location)?;
            }
        }
        Ok(Reply::done(Answer::Count { count }))
    }
}
