//! Reservations: units set aside for a while, all or nothing.

pub mod expire;
pub mod extend;
pub mod list;
pub mod read;
pub mod release;
pub mod reserve;
pub(crate) mod rows;

use crate::Stop;
use crate::batch::{Batch, Because};
use crate::orders::fill;
use crate::reservations::rows::Reservation;
use domain::steps::{Status, Step};
use domain::stock::Account::{Available, Reserved};
use domain::{Noun, Refused, limits};

/// A hold that may still be used: held, and not run out, swept or not.
pub(crate) fn live(batch: &Batch<'_>, id: i64, field: &str, step: Step) -> Result<Reservation, Refused> {
    let reservation = batch.reservations.get(id).ok_or_else(|| Refused::unknown(Noun::Reservation, id.to_string(), field))?;
    reservation.status.check(Noun::Reservation, id, step)?;
    if reservation.expires_at <= batch.now {
        return Err(Refused::ReservationExpired { id: id.to_string() });
    }
    Ok(reservation.clone())
}

/// Gives the units of a hold back, and serves whoever waits for them.
pub(crate) fn give_back(batch: &mut Batch<'_>, id: i64, status: Status, cause: &'static str) -> Result<(), Stop> {
    let kept = batch.reservations.change(id).ok_or_else(|| Stop::broken("the reservation vanished"))?;
    kept.status = status;
    let lines = kept.lines.clone();
    for (item, location, quantity) in &lines {
        batch.post(*item, *location, Reserved, Available, *quantity, Because::of(cause, id))?;
    }
    for (item, location, _) in &lines {
        fill::from_level(batch, *item, *location)?;
    }
    Ok(())
}

/// When a hold of this many seconds from now ends.
pub(crate) fn expiry(now: i64, seconds: i64) -> Result<i64, Refused> {
    if !(1..=limits::MAX_HOLD_SECONDS).contains(&seconds) {
        return Err(Refused::QuantityOutOfRange { field: "expires_in_seconds".into(), quantity: seconds, min: 1, max: limits::MAX_HOLD_SECONDS });
    }
    Ok(now + seconds * 1_000_000)
}
