//! The list of what a warehouse that somebody else runs was given, newest or oldest first.

use super::rows::Handover;
pub use super::rows::State;
use crate::Stop;
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use crate::page::Page;
use crate::views::{Id, Time};
use domain::{Noun, Refused};
use serde::Serialize;
use utoipa::ToSchema;

const ALL: Sql = Sql(
    "SELECT fulfillment, channel, order_id, external, state, recall, due_at, tries, handed_at, heard_at, parcels, fault FROM handovers WHERE channel = $1 AND fulfillment < $2 ORDER BY fulfillment DESC LIMIT $3",
);
const ALL_OLDEST: Sql = Sql(
    "SELECT fulfillment, channel, order_id, external, state, recall, due_at, tries, handed_at, heard_at, parcels, fault FROM handovers WHERE channel = $1 AND fulfillment > $2 ORDER BY fulfillment LIMIT $3",
);
const UNSETTLED: Sql = Sql(
    "SELECT fulfillment, channel, order_id, external, state, recall, due_at, tries, handed_at, heard_at, parcels, fault FROM handovers WHERE channel = $1 AND state <> 'shipped' AND state <> 'canceled' AND fulfillment < $2 ORDER BY fulfillment DESC LIMIT $3",
);
const UNSETTLED_OLDEST: Sql = Sql(
    "SELECT fulfillment, channel, order_id, external, state, recall, due_at, tries, handed_at, heard_at, parcels, fault FROM handovers WHERE channel = $1 AND state <> 'shipped' AND state <> 'canceled' AND fulfillment > $2 ORDER BY fulfillment LIMIT $3",
);

/// Rows that one page looks at. Beyond, it ends with what it found.
const EXAMINED: usize = 2_000;

/// Which of them.
#[derive(Debug, Clone, Default)]
pub struct HandoverQuery {
    /// In any of these states; all if empty.
    pub states: Vec<State>,
    /// With this in the warehouse's own id, or the fulfillment or order with this number; any if left out.
    pub text: Option<String>,
    pub number: Option<i64>,
    pub oldest_first: bool,
    /// The last fulfillment of the page before.
    pub after: Option<i64>,
    /// Most rows.
    pub limit: usize,
}

impl HandoverQuery {
    fn fits(&self, text: Option<&str>, h: &Handover) -> bool {
        let is_it = self.number.is_some_and(|n| n == h.fulfillment || n == h.order);
        let holds = |text: &str| is_it || h.external.as_ref().is_some_and(|e| e.to_lowercase().contains(text));
        (self.states.is_empty() || self.states.contains(&h.state)) && text.is_none_or(holds)
    }
}

/// A fulfillment that was handed over.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HandoverView {
    #[schema(value_type = String)]
    pub fulfillment: Id,
    #[schema(value_type = String)]
    pub order: Id,
    /// The warehouse's own id of it.
    pub external: Option<String>,
    /// waiting, sending, working, stuck, refused, shipped or canceled
    #[schema(example = "working")]
    pub state: &'static str,
    /// It was asked back.
    pub recalled: bool,
    #[schema(value_type = String, format = DateTime)]
    pub handed_at: Time,
    /// When the warehouse last told something new.
    #[schema(value_type = String, format = DateTime)]
    pub heard_at: Time,
    pub fault: Option<String>,
}

impl HandoverView {
    fn of(h: Handover) -> HandoverView {
        HandoverView {
            fulfillment: Id(h.fulfillment),
            order: Id(h.order),
            external: h.external,
            state: h.state.word(),
            recalled: h.recall.is_some(),
            handed_at: Time(h.handed_at),
            heard_at: Time(h.heard_at),
            fault: h.fault,
        }
    }
}

/// A page of what was handed over to a channel's warehouse. Looks at two thousand at most. Refuses an unknown channel.
pub fn list(tx: &mut Tx<'_>, config: &Config, code: &str, query: &HandoverQuery) -> Result<Page<HandoverView, i64>, Stop> {
    let channel = config.channel_by_code(code).ok_or_else(|| Refused::unknown(Noun::Channel, code, "code"))?;
    let is_settled = |state: &State| matches!(state, State::Shipped | State::Canceled);
    let unsettled = !query.states.is_empty() && !query.states.iter().any(is_settled);
    let (sql, first) = match (unsettled, query.oldest_first) {
        (false, false) => (ALL, i64::MAX),
        (false, true) => (ALL_OLDEST, i64::MIN),
        (true, false) => (UNSETTLED, i64::MAX),
        (true, true) => (UNSETTLED_OLDEST, i64::MIN),
    };
    let is_narrow = !query.states.is_empty() || query.text.is_some();
    let looked_at = if is_narrow { EXAMINED } else { query.limit + 1 };
    let values = [Value::Int(channel.id), Value::Int(query.after.unwrap_or(first)), Value::Int(looked_at as i64)];
    let found = tx.rows(sql, &values, Handover::read)?;
    let text = query.text.as_ref().map(|text| text.to_lowercase());
    let page = Page::of(found, looked_at, query.limit, |h| query.fits(text.as_deref(), h), |h| h.fulfillment);
    Ok(Page { rows: page.rows.into_iter().map(HandoverView::of).collect(), next: page.next })
}
