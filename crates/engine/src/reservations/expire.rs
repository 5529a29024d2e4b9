//! Expire: sweep holds that ran out, so that their units can be promised again. Safe to run twice.

use super::give_back;
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Needs, Reply};
use crate::db::Sql;
use crate::views::ReservationView;
use domain::steps::Status;

/// Holds that ran out by `$1`, longest ago first, at most `$2`.
pub const DUE: Sql = Sql("SELECT id FROM reservations WHERE status = 'held' AND expires_at <= $1 ORDER BY expires_at LIMIT $2");

#[derive(Debug, Clone)]
pub struct Expire {
    pub ids: Vec<i64>,
}

impl Expire {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.reservations.extend(&self.ids);
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let now = batch.now;
        let due: Vec<i64> = self
            .ids
            .iter()
            .copied()
            .filter(|id| batch.reservations.get(*id).is_some_and(|r| r.status == Status::Held && r.expires_at <= now))
            .collect();
        for id in &due {
            give_back(batch, *id, Status::Expired, "reservation.expired")?;
            if let Some(kept) = batch.reservations.get(*id) {
                let view = ReservationView::new(kept, &batch.names());
                batch.event("reservation.expired", *id, &view);
            }
        }
        Ok(Reply::done(Answer::Count { count: due.len() }))
    }
}
