//! Reads alerts: endpoints and how they are doing, the log of deliveries, the figures.

use super::edit::AlertView;
use super::rows::{Attempt, State};
use crate::Stop;
use crate::config::Config;
use crate::db::{Row, Sql, Tx, Value};
use crate::page::Page;
use crate::views::{Id, Time};
use domain::{Noun, Refused};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use utoipa::ToSchema;

const HEALTH: Sql = Sql("SELECT id, failing_since, delivered_at FROM alerts ORDER BY id");
const PENDING: Sql = Sql("SELECT alert, COUNT(*), MIN(created_at) FROM alert_deliveries WHERE state = 'pending' GROUP BY alert");
const FAILED: Sql = Sql("SELECT alert, COUNT(*) FROM alert_deliveries WHERE state = 'failed' GROUP BY alert");
const FAILED_SINCE: Sql = Sql("SELECT COUNT(*) FROM alert_deliveries WHERE alert = $1 AND state = 'failed' AND created_at >= $2");
const LIST: Sql = Sql(
    "SELECT id, alert, message, kind, exception, body, state, due_at, tries, attempts, created_at, ended_at FROM alert_deliveries WHERE alert = $1 AND created_at >= $2 AND created_at < $3 AND (created_at, id) < ($4, $5) AND (state = $6 OR $7 = 1) ORDER BY created_at DESC, id DESC LIMIT $8",
);
const LIST_OLDEST: Sql = Sql(
    "SELECT id, alert, message, kind, exception, body, state, due_at, tries, attempts, created_at, ended_at FROM alert_deliveries WHERE alert = $1 AND created_at >= $2 AND created_at < $3 AND (created_at, id) > ($4, $5) AND (state = $6 OR $7 = 1) ORDER BY created_at, id LIMIT $8",
);
const ONE: Sql =
    Sql("SELECT id, alert, message, kind, exception, body, state, due_at, tries, attempts, created_at, ended_at FROM alert_deliveries WHERE id = $1");

/// An endpoint and how it is doing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertStatus {
    #[serde(flatten)]
    pub alert: AlertView,
    /// Messages to be sent, or sent again.
    pub pending: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_pending: Option<Time>,
    /// Messages of the last 30 days that did not arrive and are not tried again.
    pub failed: i64,
    /// Everything that was tried since then has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Time>,
    /// When something arrived last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Time>,
}

/// One message to one endpoint.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryView {
    pub id: String,
    #[schema(value_type = String)]
    pub alert: Id,
    /// The header `webhook-id`: the same for every try.
    #[schema(example = "msg_4f1c07a6b1f64d1e8f0c6f6a4f6f3b52")]
    pub message: String,
    #[serde(rename = "type")]
    #[schema(example = "exception.opened")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub exception: Option<Id>,
    pub state: State,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// When it is tried next, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Time>,
    /// How often it was tried on the present schedule.
    pub tries: i64,
    /// The log, the oldest first.
    pub attempts: Vec<AttemptView>,
    /// What is sent.
    #[schema(value_type = Object)]
    pub body: Box<RawValue>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttemptView {
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    pub took_ms: i64,
    /// The HTTP status, or the code of the SMTP reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How the answer begins, at most 1,024 bytes.
    pub answer: String,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl DeliveryView {
    fn read(row: &Row<'_>) -> DeliveryView {
        let attempts: Vec<Attempt> = serde_json::from_str(&row.text(9)).unwrap_or_default();
        let state = [State::Pending, State::Delivered].into_iter().find(|s| s.word() == row.text(6)).unwrap_or(State::Failed);
        let view = |a: Attempt| AttemptView { at: Time(a.at), took_ms: a.took_ms, status: a.status, answer: a.answer, fault: a.fault };
        DeliveryView {
            id: row.text(0),
            alert: Id(row.int(1)),
            message: row.text(2),
            kind: row.text(3),
            exception: row.opt_int(4).map(Id),
            body: RawValue::from_string(row.text(5)).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            state,
            due_at: Some(Time(row.int(7))).filter(|_| state == State::Pending),
            tries: row.int(8),
            attempts: attempts.into_iter().map(view).collect(),
            created_at: Time(row.int(10)),
            ended_at: row.opt_int(11).map(Time),
        }
    }

    /// As it is when it is to be sent again now.
    pub(super) fn again(self, now: i64) -> DeliveryView {
        DeliveryView { state: State::Pending, due_at: Some(Time(now)), ended_at: None, tries: 0, ..self }
    }
}

/// All endpoints and how they are doing.
pub fn all(tx: &mut Tx<'_>, config: &Config, now: i64) -> Result<Vec<AlertStatus>, Stop> {
    let health = tx.rows(HEALTH, &[], |r| (r.int(0), (r.opt_int(1), r.opt_int(2))))?;
    let health: HashMap<i64, (Option<i64>, Option<i64>)> = health.into_iter().collect();
    let pending: HashMap<i64, (i64, i64)> = tx.rows(PENDING, &[], |r| (r.int(0), (r.int(1), r.int(2))))?.into_iter().collect();
    let failed: HashMap<i64, i64> = tx.rows(FAILED, &[], |r| (r.int(0), r.int(1)))?.into_iter().collect();
    let status = |endpoint: &super::rows::Endpoint| {
        let (failing_since, delivered_at) = health.get(&endpoint.id).copied().unwrap_or_default();
        let waits = pending.get(&endpoint.id);
        AlertStatus {
            alert: AlertView::new(endpoint, config, now),
            pending: waits.map_or(0, |w| w.0),
            oldest_pending: waits.map(|w| Time(w.1)),
            failed: failed.get(&endpoint.id).copied().unwrap_or(0),
            failing_since: failing_since.map(Time),
            delivered_at: delivered_at.map(Time),
        }
    };
    Ok(config.alerts.iter().map(status).collect())
}

/// One endpoint and how it is doing.
pub fn status(tx: &mut Tx<'_>, config: &Config, id: i64, now: i64) -> Result<AlertStatus, Stop> {
    let found = all(tx, config, now)?.into_iter().find(|s| s.alert.id == Id(id));
    found.ok_or_else(|| Refused::unknown(Noun::Alert, id.to_string(), "id").into())
}

/// Which part of an endpoint's log.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// Those that stand so; all if left out.
    pub state: Option<State>,
    /// With this in what it tells of (`order.shipped`), or with this id of the message, the delivery or the exception; any if left out.
    pub text: Option<String>,
    /// Written from then on, and before then: microseconds since 1970 UTC.
    pub from: Option<i64>,
    pub until: Option<i64>,
    pub oldest_first: bool,
    /// The last one's id of the page before.
    pub after: Option<String>,
    /// Most rows.
    pub limit: usize,
}

/// Deliveries that one page looks at for a text. Beyond, it ends with what it found.
const EXAMINED: usize = 2_000;

/// A page of an endpoint's deliveries, the newest first unless the oldest are asked for. Looks at two thousand at most.
pub fn deliveries(tx: &mut Tx<'_>, config: &Config, alert: i64, query: &LogQuery) -> Result<Page<DeliveryView, String>, Stop> {
    config.alert(alert).ok_or_else(|| Refused::unknown(Noun::Alert, alert.to_string(), "id"))?;
    let (sql, first) = if query.oldest_first { (LIST_OLDEST, i64::MIN) } else { (LIST, i64::MAX) };
    let (created_at, id) = match query.after.as_deref() {
        Some(id) => (one(tx, id)?.created_at.0, id),
        None => (first, ""),
    };
    let looked_at = if query.text.is_some() { EXAMINED } else { query.limit + 1 };
    let word = query.state.map_or("", State::word);
    let values = [
        Value::Int(alert),
        Value::Int(query.from.unwrap_or(i64::MIN)),
        Value::Int(query.until.unwrap_or(i64::MAX)),
        Value::Int(created_at),
        Value::Text(id),
        Value::Text(word),
        Value::Int(i64::from(query.state.is_none())),
        Value::Int(looked_at as i64),
    ];
    let found = tx.rows(sql, &values, DeliveryView::read)?;
    let text = query.text.as_ref().map(|text| (text, text.to_lowercase()));
    let fits = |d: &DeliveryView| {
        text.as_ref().is_none_or(|(text, lower)| {
            let ids = [&d.message, &d.id].into_iter().any(|id| id == *text) || d.exception.is_some_and(|e| e.0.to_string() == **text);
            ids || d.kind.contains(lower)
        })
    };
    Ok(Page::of(found, looked_at, query.limit, fits, |d| d.id.clone()))
}

/// How many messages of an endpoint, written at or after an instant, did not arrive and are not tried again.
pub fn failed_since(tx: &mut Tx<'_>, alert: i64, since: i64) -> Result<i64, Stop> {
    Ok(tx.one(FAILED_SINCE, &[Value::Int(alert), Value::Int(since)], |r| r.int(0))?.unwrap_or(0))
}

pub fn one(tx: &mut Tx<'_>, id: &str) -> Result<DeliveryView, Stop> {
    let found = tx.one(ONE, &[Value::Text(id)], DeliveryView::read)?;
    found.ok_or_else(|| Refused::unknown(Noun::Delivery, id, "id").into())
}
