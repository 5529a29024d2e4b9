//! Reads reservations.

use crate::Stop;
use crate::catalog::rows::{ITEMS_BY_ID, Item};
use crate::config::Config;
use crate::db::{Lookup, Sql, Tx, Value};
use crate::kept::Names;
use crate::reservations::rows::{RESERVATIONS_BY_ID, Reservation};
use crate::views::ReservationView;
use domain::{Noun, Refused};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

const LIST: Sql = Sql(
    "SELECT id, status, channel, created_at, expires_at, order_id, lines FROM reservations WHERE id < $1 AND expires_at < $2 ORDER BY id DESC LIMIT $3",
);

pub(super) fn views(tx: &mut Tx<'_>, config: &Config, reservations: &[Reservation]) -> Result<Vec<ReservationView>, Stop> {
    let items: BTreeSet<i64> = reservations.iter().flat_map(|r| r.lines.iter().map(|(item, ..)| *item)).collect();
    let items: Vec<i64> = items.into_iter().collect();
    let items: HashMap<i64, Arc<Item>> = tx.by_ids(&ITEMS_BY_ID, &items, &[], Item::read)?.into_iter().map(|i| (i.id, Arc::new(i))).collect();
    let names = Names { items: &items, config };
    Ok(reservations.iter().map(|r| ReservationView::new(r, &names)).collect())
}

pub fn one(tx: &mut Tx<'_>, config: &Config, id: i64) -> Result<ReservationView, Stop> {
    let lookup = Lookup { lock: false, ..RESERVATIONS_BY_ID };
    let found = tx.by_ids(&lookup, &[id], &[], Reservation::read)?;
    views(tx, config, &found)?.pop().ok_or_else(|| Refused::unknown(Noun::Reservation, id.to_string(), "id").into())
}

/// The newest reservations before an id. The holds of queued orders, which never run out, are not among them.
pub fn list(tx: &mut Tx<'_>, config: &Config, before: i64, limit: i64) -> Result<Vec<ReservationView>, Stop> {
    let found = tx.rows(LIST, &[Value::Int(before), Value::Int(i64::MAX), Value::Int(limit)], Reservation::read)?;
    views(tx, config, &found)
}
