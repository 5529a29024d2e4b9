//! Alerts: exceptions told to people and programs elsewhere, by signed webhook (Standard Webhooks) and by mail; and any other kind of
//! event, to webhooks that asked for it. A message is written with what it tells of, in one transaction; so nothing is told that did not happen, and nothing that
//! happened stays untold. Sending it is the worker's.

pub mod deliver;
pub mod edit;
mod mail;
pub mod read;
pub mod rows;
pub mod worker;

use crate::Stop;
use crate::batch::Batch;
use crate::command::Reply;
use crate::config::Config;
use crate::db::{self, Rows, Tx, Write};
use crate::exceptions::read::ExceptionView;
use crate::views::{Id, Time};
use rows::{DELIVERIES, State, TOLD};
use serde::Serialize;

/// Kinds of messages.
pub const OPENED: &str = "exception.opened";
pub const SOLVED: &str = "exception.solved";
pub const TEST: &str = "alert.test";

/// A change of endpoints or deliveries.
#[derive(Debug, Clone)]
pub enum Change {
    Create(Box<edit::NewAlert>),
    Update(Box<edit::UpdateAlert>),
    Delete(edit::DeleteAlert),
    AddSecret(edit::AddSecret),
    RemoveSecret(edit::RemoveSecret),
    SealAgain(edit::SealAgain),
    Test(edit::TestAlert),
    Replay(deliver::Replay),
    ReplayFailed(deliver::ReplayFailed),
    BeginMail(deliver::BeginMail),
    End(deliver::End),
}

impl Change {
    /// What the audit log calls it; None for what the program does by itself.
    pub(crate) fn action(&self) -> Option<&'static str> {
        match self {
            Change::Create(_) => Some("webhook.create"),
            Change::Update(_) => Some("webhook.update"),
            Change::Delete(_) => Some("webhook.delete"),
            Change::AddSecret(_) => Some("webhook.add_secret"),
            Change::RemoveSecret(_) => Some("webhook.remove_secret"),
            Change::Test(_) => Some("webhook.test"),
            Change::Replay(_) => Some("webhook.replay"),
            Change::ReplayFailed(_) => Some("webhook.replay_failed"),
            Change::SealAgain(_) | Change::BeginMail(_) | Change::End(_) => None,
        }
    }

    /// The endpoint that it is about, if it is there already.
    pub(crate) fn id(&self) -> Option<i64> {
        match self {
            Change::Create(_) => None,
            Change::Update(c) => Some(c.id),
            Change::Delete(c) => Some(c.id),
            Change::AddSecret(c) => Some(c.id),
            Change::RemoveSecret(c) => Some(c.id),
            Change::SealAgain(c) => Some(c.id),
            Change::Test(c) => Some(c.id),
            Change::Replay(c) => Some(c.delivery.alert.0),
            Change::ReplayFailed(c) => Some(c.alert),
            Change::BeginMail(c) => Some(c.alert),
            Change::End(c) => Some(c.alert),
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        match self {
            Change::Create(c) => c.decide(batch),
            Change::Update(c) => c.decide(batch),
            Change::Delete(c) => c.decide(batch),
            Change::AddSecret(c) => c.decide(batch),
            Change::RemoveSecret(c) => c.decide(batch),
            Change::SealAgain(c) => c.decide(batch),
            Change::Test(c) => c.decide(batch),
            Change::Replay(c) => c.decide(batch),
            Change::ReplayFailed(c) => c.decide(batch),
            Change::BeginMail(c) => c.decide(batch),
            Change::End(c) => c.decide(batch),
        }
    }
}

/// What is sent: at once the `type`, `timestamp` and `data` of Standard Webhooks, and a CloudEvent 1.0.
#[derive(Serialize)]
struct Message<'a, T> {
    specversion: &'static str,
    id: &'a str,
    source: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: Id,
    time: Time,
    timestamp: Time,
    datacontenttype: &'static str,
    /// Of an event that is no exception: its number, in the order in which things happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Id>,
    data: &'a T,
}

/// Notes which endpoints were told of the exceptions that are loaded. Costs nothing where nobody is to be told.
pub(crate) fn load(batch: &mut Batch<'_>, tx: &mut Tx<'_>) -> db::Result<()> {
    if batch.config.alerts.is_empty() {
        return Ok(());
    }
    let open: Vec<i64> = batch.exceptions.values().filter(|e| e.open).map(|e| e.id).collect();
    for (exception, endpoint) in tx.by_ids(&TOLD, &open, &[], |r| (r.int(0), r.int(1)))? {
        if let Some(mut known) = batch.exceptions.get(exception).cloned() {
            known.alerted.push(endpoint);
            batch.exceptions.load(exception, known);
        }
    }
    Ok(())
}

/// Tells of an exception that was opened, or that has become another kind, those who want it and were not told of it yet.
pub(crate) fn opened(batch: &mut Batch<'_>, id: i64) {
    let Some(exception) = batch.exceptions.get(id).filter(|_| !batch.config.alerts.is_empty()) else { return };
    let wants = |e: &&rows::Endpoint| e.wants(exception) && !exception.alerted.contains(&e.id);
    let endpoints: Vec<i64> = batch.config.alerts.iter().filter(wants).map(|e| e.id).collect();
    let view = ExceptionView::new(exception, &batch.config);
    tell(batch, OPENED, Some(id), id, &view, &endpoints);
    if let Some(kept) = batch.exceptions.change(id) {
        kept.alerted.extend(endpoints);
    }
}

/// Tells that an exception was solved, those who were told of it.
pub(crate) fn solved(batch: &mut Batch<'_>, id: i64) {
    let Some(exception) = batch.exceptions.get(id).filter(|e| !e.alerted.is_empty()) else { return };
    let wants = |e: &&rows::Endpoint| e.active && e.solved && exception.alerted.contains(&e.id);
    let endpoints: Vec<i64> = batch.config.alerts.iter().filter(wants).map(|e| e.id).collect();
    let view = ExceptionView::new(exception, &batch.config);
    tell(batch, SOLVED, Some(id), id, &view, &endpoints);
}

/// Writes one message to each of these endpoints; answers the ids of the deliveries.
fn tell(batch: &mut Batch<'_>, kind: &'static str, exception: Option<i64>, subject: i64, data: &impl Serialize, endpoints: &[i64]) -> Vec<String> {
    if endpoints.is_empty() {
        return Vec::new();
    }
    let (now, said) = (batch.now, rows::json(data));
    // The same text about the same subject at the same instant is the same message, here and in no other installation.
    let message = name(&format!("{kind} {subject} {now} {said}"));
    let body = Message { kind, subject: Id(subject), ..Message::at(now, &message, data) };
    let mut rows = Rows::default();
    let ids = put(&mut rows, &body, exception, endpoints.iter().copied());
    batch.more.push(Write::new(&DELIVERIES, rows));
    ids
}

fn name(of: &str) -> String {
    format!("msg_{}", &blake3::hash(of.as_bytes()).to_hex()[..32])
}

impl<'a, T> Message<'a, T> {
    fn at(now: i64, id: &'a str, data: &'a T) -> Message<'a, T> {
        Message {
            specversion: "1.0",
            id,
            source: "holdfast",
            kind: "",
            subject: Id(0),
            time: Time(now),
            timestamp: Time(now),
            datacontenttype: "application/json",
            sequence: None,
            data,
        }
    }
}

/// Adds a delivery of a message to each of these endpoints; answers their ids.
fn put(rows: &mut Rows, message: &Message<'_, impl Serialize>, exception: Option<i64>, endpoints: impl Iterator<Item = i64>) -> Vec<String> {
    let body = rows::json(message);
    let mut ids = Vec::new();
    for endpoint in endpoints {
        ids.push(format!("{}-{endpoint}", message.id));
        rows.0.extend([
            format!("{}-{endpoint}", message.id).into(),
            endpoint.into(),
            message.id.to_owned().into(),
            message.kind.into(),
            exception.into(),
            body.clone().into(),
            State::Pending.word().into(),
            message.time.0.into(),
            0.into(),
            "[]".into(),
            None::<String>.into(),
            message.time.0.into(),
            None::<i64>.into(),
        ]);
    }
    ids
}

/// Something that happened, on its way into the database.
pub(crate) struct Happened<'a> {
    pub seq: i64,
    pub at: i64,
    pub kind: &'static str,
    pub subject: i64,
    /// JSON.
    pub data: &'a str,
}

/// Adds a message to each webhook that wants events of this kind.
pub(crate) fn happened(config: &Config, event: &Happened<'_>, rows: &mut Rows) {
    let wants = |e: &&rows::Endpoint| e.wants_event(event.kind);
    if !config.alerts.iter().any(|e| wants(&e)) {
        return;
    }
    let Happened { seq, at, kind, subject, data } = *event;
    let Ok(data) = serde_json::from_str::<&serde_json::value::RawValue>(data) else { return };
    let message = name(&format!("{seq} {kind} {subject} {at} {data}"));
    let body = Message { kind, subject: Id(subject), sequence: Some(Id(seq)), ..Message::at(at, &message, &data) };
    put(rows, &body, None, config.alerts.iter().filter(wants).map(|e| e.id));
}
