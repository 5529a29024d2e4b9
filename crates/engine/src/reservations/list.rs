//! The list of reservations: those that hold units first, the next to run out before the others; then those that ended, newest first.

use super::read::views;
use super::rows::{RESERVATION_COLUMNS, RESERVATIONS_BY_ID, Reservation};
use crate::Stop;
use crate::config::Config;
use crate::db::{Lookup, Sql, Tx, Value};
use crate::page::{Cursor, Page};
use crate::views::ReservationView;
use domain::steps::Status;

const HELD: Sql = Sql(
    "SELECT id, status, channel, created_at, expires_at, order_id, lines FROM reservations WHERE status = 'held' AND (expires_at, id) > ($1, $2) ORDER BY expires_at, id LIMIT $3",
);
const HELD_LAST: Sql = Sql(
    "SELECT id, status, channel, created_at, expires_at, order_id, lines FROM reservations WHERE status = 'held' AND (expires_at, id) < ($1, $2) ORDER BY expires_at DESC, id DESC LIMIT $3",
);
// Holds are written fifty thousand a second, so that what became of them has no index of its own.
const ALL: Sql = Sql("SELECT id, status, channel, created_at, expires_at, order_id, lines FROM reservations WHERE id < $1 ORDER BY id DESC LIMIT $2");
const ALL_OLDEST: Sql =
    Sql("SELECT id, status, channel, created_at, expires_at, order_id, lines FROM reservations WHERE id > $1 ORDER BY id LIMIT $2");
const COUNT: Sql = Sql("SELECT COUNT(*) FROM (SELECT 1 FROM reservations WHERE status = 'held' LIMIT $1) AS c");

/// Reservations that one page looks at. Beyond, it ends with what it found.
const EXAMINED: usize = 1_000;
const STEP: usize = 250;

/// Which reservations. The holds of queued orders, which never run out, are not among them.
#[derive(Debug, Clone, Default)]
pub struct ReservationQuery {
    /// held, released, expired or ordered; all if left out.
    pub status: Option<Status>,
    /// Of these channels; any, or none, if left out.
    pub channels: Option<Vec<String>>,
    /// With units at one of these locations (ids); anywhere if left out.
    pub locations: Option<Vec<i64>>,
    /// With this number, or with units of this item; any if both are left out.
    pub number: Option<i64>,
    pub item: Option<i64>,
    /// By their numbers alone, the newest first, whether or not they hold units.
    pub by_number: bool,
    /// The other way round: the oldest number first; the last hold to run out before the others, the oldest of those that ended before the newest.
    pub reversed: bool,
    /// Where the page before ended: 0, when its last hold runs out, and its id; or 1, 0 and the id of its last one of all.
    pub after: Option<Cursor<3>>,
    /// Most rows.
    pub limit: usize,
}

impl ReservationQuery {
    fn wants(&self, found: &Reservation) -> bool {
        let status = self.status.is_none_or(|s| s == found.status) && found.expires_at < i64::MAX;
        let channel = self.channels.as_ref().is_none_or(|c| found.channel.as_ref().is_some_and(|channel| c.contains(channel)));
        let here = self.locations.as_ref().is_none_or(|l| found.lines.iter().any(|(_, location, _)| l.contains(location)));
        let of_item = self.item.is_some_and(|item| found.lines.iter().any(|(held, ..)| *held == item));
        let named = self.number == Some(found.id) || of_item || (self.number.is_none() && self.item.is_none());
        status && channel && here && named
    }
}

/// A page of reservations. Looks at a page of them and 750 more at most.
pub fn list(tx: &mut Tx<'_>, config: &Config, query: &ReservationQuery) -> Result<Page<ReservationView, Cursor<3>>, Stop> {
    debug_assert!(HELD.0.contains(RESERVATION_COLUMNS) && ALL.0.contains(RESERVATION_COLUMNS));
    // What never runs out is no hold of this list, and would come first the other way round.
    let (first_held, first_ended) = match query.reversed {
        false => (Cursor([0, i64::MIN, i64::MIN]), Cursor([1, 0, i64::MAX])),
        true => (Cursor([0, i64::MAX, i64::MIN]), Cursor([1, 0, i64::MIN])),
    };
    let first = if !query.by_number && query.status.is_none_or(|s| s == Status::Held) { first_held } else { first_ended };
    let mut last = query.after.unwrap_or(first);
    let mut rows: Vec<Reservation> = Vec::new();
    // One that is asked for by its number need not be among the thousand.
    let named = query.number.filter(|_| query.after.is_none());
    if let Some(number) = named {
        let lookup = Lookup { lock: false, ..RESERVATIONS_BY_ID };
        rows.extend(tx.by_ids(&lookup, &[number], &[], Reservation::read)?.into_iter().filter(|r| query.wants(r)));
    }
    if query.number.is_some() && query.item.is_none() {
        return Ok(Page { rows: views(tx, config, &rows)?, next: None });
    }
    for n in 0..EXAMINED / STEP {
        let held = last.0[0] == 0;
        // Of most lists, all that are read are wanted.
        let count = if n == 0 { query.limit + 1 } else { STEP };
        let found = step(tx, last, query.reversed, count)?;
        let ended = found.len() < count;
        for reservation in found {
            let at = if held { Cursor([0, reservation.expires_at, reservation.id]) } else { Cursor([1, 0, reservation.id]) };
            let is_here = query.by_number || (reservation.status == Status::Held) == held;
            if is_here && query.number != Some(reservation.id) && query.wants(&reservation) {
                if rows.len() == query.limit {
                    return Ok(Page { rows: views(tx, config, &rows)?, next: Some(last) });
                }
                rows.push(reservation);
            }
            last = at;
        }
        if ended {
            if !held || query.status.is_some() {
                return Ok(Page { rows: views(tx, config, &rows)?, next: None });
            }
            last = first_ended;
        }
    }
    Ok(Page { rows: views(tx, config, &rows)?, next: Some(last) })
}

fn step(tx: &mut Tx<'_>, Cursor([ended, expires_at, id]): Cursor<3>, reversed: bool, count: usize) -> Result<Vec<Reservation>, Stop> {
    let step = Value::Int(count as i64);
    Ok(match ended {
        0 => tx.rows(if reversed { HELD_LAST } else { HELD }, &[Value::Int(expires_at), Value::Int(id), step], Reservation::read)?,
        _ => tx.rows(if reversed { ALL_OLDEST } else { ALL }, &[Value::Int(id), step], Reservation::read)?,
    })
}

/// How many reservations hold units, if they are at most `most`, and whether there are more.
pub fn count_held(tx: &mut Tx<'_>, most: i64) -> Result<(i64, bool), Stop> {
    let found = tx.one(COUNT, &[Value::Int(most.saturating_add(1))], |r| r.int(0))?.unwrap_or(0);
    Ok((found.min(most), found > most))
}
