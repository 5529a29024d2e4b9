//! Release: give a hold back before it runs out.

use super::{give_back, live};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Needs, Reply};
use crate::views::ReservationView;
use domain::steps::{Status, Step};

#[derive(Debug, Clone)]
pub struct Release {
    pub id: i64,
}

impl Release {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.reservations.push(self.id);
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        // A hold that was released already is released: saying so again harms nobody.
        if let Some(known) = batch.reservations.get(self.id).filter(|r| r.status == Status::Released) {
            return Ok(Reply::done(Answer::Reservation(ReservationView::new(known, &batch.names()))));
        }
        live(batch, self.id, "id", Step::Release)?;
        give_back(batch, self.id, Status::Released, "reservation.released")?;
        let kept = batch.reservations.get(self.id).ok_or_else(|| Stop::broken("the reservation vanished"))?;
        let view = ReservationView::new(kept, &batch.names());
        batch.event("reservation.released", self.id, &view);
        Ok(Reply::done(Answer::Reservation(view)))
    }
}
