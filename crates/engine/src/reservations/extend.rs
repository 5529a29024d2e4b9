//! Extend: keep a hold for longer, counted from now. One that ran out cannot be revived.

use super::{expiry, live};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Needs, Reply};
use crate::views::ReservationView;
use domain::steps::Step;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    #[serde(skip)]
    pub id: i64,
    /// From now: 1 second to 30 days.
    pub expires_in_seconds: i64,
}

impl Extend {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.reservations.push(self.id);
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let expires_at = expiry(batch.now, self.expires_in_seconds)?;
        live(batch, self.id, "id", Step::Extend)?;
        let kept = batch.reservations.change(self.id).ok_or_else(|| Stop::broken("the reservation vanished"))?;
        kept.expires_at = expires_at;
        let kept = kept.clone();
        let view = ReservationView::new(&kept, &batch.names());
        batch.event("reservation.extended", self.id, &view);
        Ok(Reply::done(Answer::Reservation(view)))
    }
}
