//! Deliver: what became of a try, when the next one is, when an endpoint is given up, and sending again what was sent before.

use super::edit::put;
use super::read::DeliveryView;
use super::rows::{Attempt, State, json};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Reply};
use crate::db::{self, Sql, Tx, Value};
use crate::views::Id;
use domain::{Noun, Refused};
use serde::Serialize;

/// Seconds from a try that failed to the next: the schedule of Standard Webhooks 1.0 ("Deliverability and reliability"). The first
/// try is at once; after the tenth there is none.
pub const DELAYS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// An endpoint through which nothing has come for so long, although it was tried, is switched off: 5 days.
const GIVE_UP: i64 = 5 * 86_400_000_000;
/// Longest that a receiver can ask to be left alone: a day.
const LONGEST_WAIT: i64 = 86_400_000_000;
/// Deliveries are kept this long after they ended: 30 days.
const KEEP: i64 = 30 * 86_400_000_000;
/// Most tries in a log.
const LOGGED: usize = 50;

const TRIED: Sql = Sql("UPDATE alert_deliveries SET state = $1, due_at = $2, tries = $3, attempts = $4, ended_at = $5 WHERE id = $6");
const HEALTH: Sql = Sql("UPDATE alerts SET failing_since = $1, delivered_at = COALESCE($2, delivered_at) WHERE id = $3");
const PUT_OFF: Sql = Sql("UPDATE alert_deliveries SET due_at = $1 WHERE alert = $2 AND state = 'pending' AND due_at < $3");
const GIVEN_UP: Sql = Sql("UPDATE alert_deliveries SET state = 'failed', ended_at = $1 WHERE alert = $2 AND state = 'pending'");
const AGAIN: Sql = Sql("UPDATE alert_deliveries SET state = 'pending', due_at = $1, tries = 0, mail = NULL, ended_at = NULL WHERE id = $2");
const FAILED_AGAIN: Sql = Sql(
    "UPDATE alert_deliveries SET state = 'pending', due_at = $1, tries = 0, mail = NULL, ended_at = NULL WHERE alert = $2 AND state = 'failed' AND created_at >= $3",
);
const PUT_INTO_MAIL: Sql = Sql("UPDATE alert_deliveries SET mail = $1 WHERE id = $2 AND state = 'pending'");
const PRUNE: Sql = Sql(
    "DELETE FROM alert_deliveries WHERE ended_at < $1 AND NOT EXISTS (SELECT 1 FROM exceptions WHERE exceptions.id = alert_deliveries.exception AND exceptions.open = 1)",
);
const PRUNE_DELETED: Sql = Sql("DELETE FROM alert_deliveries WHERE NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.id = alert_deliveries.alert)");
const MAILED: Sql = Sql("UPDATE alerts SET mailed_at = $1 WHERE id = $2");

/// Microseconds from this try, counted from 1, to the next, up to a tenth longer so that receivers are not met by all at once;
/// None after the last. The same for the same delivery, whoever asks.
pub fn wait(tries: i64, delivery: &str) -> Option<i64> {
    let delay = DELAYS.get(usize::try_from(tries - 1).ok()?)? * 1_000_000;
    let hash = blake3::hash(format!("{delivery} {tries}").as_bytes());
    let share = i64::from(u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]));
    Some(delay + delay / 10 * share / i64::from(u16::MAX))
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Arrived,
    /// To be tried again, and not before this much time has passed (microseconds), if the receiver said so.
    Failed {
        leave_alone: Option<i64>,
    },
    /// The receiver wants no more.
    Gone,
}

/// A try that ended.
#[derive(Debug, Clone)]
pub struct Tried {
    pub delivery: String,
    /// This one included.
    pub tries: i64,
    /// The log, this one included.
    pub attempts: Vec<Attempt>,
    pub outcome: Outcome,
}

/// Ends tries of one endpoint.
#[derive(Debug, Clone)]
pub struct End {
    pub alert: i64,
    /// Since when nothing had come through before these.
    pub failing_since: Option<i64>,
    pub tried: Vec<Tried>,
}

impl End {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        // Deleted meanwhile, and its deliveries with it.
        let Some(mut endpoint) = batch.config.alert(self.alert).cloned() else { return Ok(Reply::done(Answer::Count { count: 0 })) };
        let now = batch.now;
        let arrived = self.tried.iter().any(|t| t.outcome == Outcome::Arrived);
        let gone = self.tried.iter().any(|t| t.outcome == Outcome::Gone);
        let failing_since = if arrived { None } else { Some(self.failing_since.unwrap_or(now)) };
        let hopeless = failing_since.is_some_and(|since| now - since >= GIVE_UP);
        let goes_on = endpoint.active && !gone && !hopeless;
        let mut leave_alone = 0;
        for tried in &self.tried {
            let next = match tried.outcome {
                Outcome::Failed { leave_alone: asked } if goes_on => {
                    let asked = asked.unwrap_or(0).clamp(0, LONGEST_WAIT);
                    leave_alone = asked.max(leave_alone);
                    wait(tried.tries, &tried.delivery).map(|wait| now + wait.max(asked))
                }
                _ => None,
            };
            let state = match (tried.outcome, next) {
                (Outcome::Arrived, _) => State::Delivered,
                (_, Some(_)) => State::Pending,
                (_, None) => State::Failed,
            };
            if state == State::Failed {
                batch.event("alert.failed", self.alert, &Lost { alert: &endpoint.name, delivery: &tried.delivery });
            }
            let mut attempts = tried.attempts.clone();
            // The first and the last are of use.
            while attempts.len() > LOGGED {
                attempts.remove(1);
            }
            let ended_at = if next.is_none() { Some(now) } else { None };
            let cells = vec![
                state.word().into(),
                next.unwrap_or(now).into(),
                tried.tries.into(),
                json(&attempts).into(),
                ended_at.into(),
                tried.delivery.clone().into(),
            ];
            batch.statements.push((TRIED, cells));
        }
        let delivered_at = if arrived { Some(now) } else { None };
        batch.statements.push((HEALTH, vec![failing_since.into(), delivered_at.into(), self.alert.into()]));
        if leave_alone > 0 {
            let until = now + leave_alone;
            batch.statements.push((PUT_OFF, vec![until.into(), self.alert.into(), until.into()]));
        }
        if endpoint.active && !goes_on {
            endpoint.active = false;
            endpoint.reason = Some(if gone { "it answered 410 Gone: it wants no more" } else { "nothing came through for 5 days" }.into());
            give_up(batch, self.alert);
            put(batch, endpoint, "alert.switched_off");
        }
        Ok(Reply::done(Answer::Count { count: self.tried.len() }))
    }
}

/// A message that did not arrive and is not tried again.
#[derive(Serialize)]
struct Lost<'a> {
    alert: &'a str,
    delivery: &'a str,
}

/// Ends what is still to be sent to an endpoint that is switched off: told much later it would only mislead. It can be sent again
/// by hand.
pub(super) fn give_up(batch: &mut Batch<'_>, alert: i64) {
    batch.statements.push((GIVEN_UP, vec![batch.now.into(), alert.into()]));
}

/// Puts deliveries into one mail, before it is first sent.
#[derive(Debug, Clone)]
pub struct BeginMail {
    pub alert: i64,
    /// The mail's id.
    pub mail: String,
    /// None if the mail was begun before and is to be sent again.
    pub deliveries: Vec<String>,
}

impl BeginMail {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        for delivery in &self.deliveries {
            batch.statements.push((PUT_INTO_MAIL, vec![self.mail.clone().into(), delivery.clone().into()]));
        }
        batch.statements.push((MAILED, vec![batch.now.into(), self.alert.into()]));
        Ok(Reply::done(Answer::Count { count: self.deliveries.len() }))
    }
}

/// Sends something again now, as the same message, with the whole schedule before it.
#[derive(Debug, Clone)]
pub struct Replay {
    /// As whoever calls has read it.
    pub delivery: DeliveryView,
}

impl Replay {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let Id(alert) = self.delivery.alert;
        let endpoint = batch.config.alert(alert).ok_or_else(|| Refused::unknown(Noun::Alert, alert.to_string(), "id"))?;
        if !endpoint.active {
            return Err(Refused::invalid("id", "names a delivery to an endpoint that is switched off; switch it on first").into());
        }
        let now = batch.now;
        let replayed = Replayed { alert: &endpoint.name.clone(), deliveries: 1 };
        batch.event("alert.replayed", alert, &replayed);
        batch.statements.push((AGAIN, vec![now.into(), self.delivery.id.clone().into()]));
        Ok(Reply::done(Answer::Delivery(Box::new(self.delivery.clone().again(now)))))
    }
}

/// Sends again now everything to one endpoint that did not arrive and was written at or after an instant.
#[derive(Debug, Clone)]
pub struct ReplayFailed {
    pub alert: i64,
    /// Microseconds since 1970 UTC.
    pub since: i64,
    /// How many there are, as whoever calls has read it.
    pub count: usize,
}

impl ReplayFailed {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let endpoint = batch.config.alert(self.alert).ok_or_else(|| Refused::unknown(Noun::Alert, self.alert.to_string(), "id"))?;
        if !endpoint.active {
            return Err(Refused::invalid("id", "names an endpoint that is switched off; switch it on first").into());
        }
        let replayed = Replayed { alert: &endpoint.name.clone(), deliveries: self.count };
        batch.event("alert.replayed", self.alert, &replayed);
        batch.statements.push((FAILED_AGAIN, vec![batch.now.into(), self.alert.into(), self.since.into()]));
        Ok(Reply::done(Answer::Count { count: self.count }))
    }
}

/// Messages that are sent again.
#[derive(Serialize)]
struct Replayed<'a> {
    alert: &'a str,
    deliveries: usize,
}

/// Forgets deliveries that ended long ago. While an exception is open it stays known who was told of it.
pub fn prune(tx: &mut Tx<'_>, now: i64) -> db::Result<u64> {
    // Another node may have written to an endpoint at the moment when it was deleted.
    Ok(tx.execute(PRUNE, &[Value::Int(now - KEEP)])? + tx.execute(PRUNE_DELETED, &[])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 75 hours and 35 minutes over ten tries, and at most a tenth more.
    #[test]
    fn the_schedule_is_the_published_one() {
        for n in 0..200 {
            let waits: Vec<i64> = (1..=9).filter_map(|tries| wait(tries, &format!("msg_{n}-1"))).collect();
            for (wait, seconds) in waits.iter().zip(DELAYS) {
                assert!((seconds * 1_000_000..=seconds * 1_100_000).contains(wait), "{wait} for {seconds}");
            }
            assert_eq!(waits.len(), 9);
        }
        assert_eq!(DELAYS.iter().sum::<i64>(), 75 * 3_600 + 35 * 60 + 5);
        assert_eq!((wait(10, "m"), wait(0, "m"), wait(-1, "m"), wait(i64::MAX, "m")), (None, None, None, None));
        assert_ne!(wait(9, "msg_1-1"), wait(9, "msg_2-1"));
        assert_eq!(wait(9, "msg_1-1"), wait(9, "msg_1-1"));
    }
}
