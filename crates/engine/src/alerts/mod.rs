//! Alerts: exceptions told to people and programs elsewhere, by signed webhook (Standard Webhooks) and by mail. A message is
//! written with the exception that it tells of, in one transaction; so nothing is told that did not happen, and nothing that
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
    let hash = blake3::hash(format!("{kind} {subject} {now} {said}").as_bytes());
    let message = format!("msg_{}", &hash.to_hex()[..32]);
    let body = Message {
        specversion: "1.0",
        id: &message,
        source: "holdfast",
        kind,
        subject: Id(subject),
        time: Time(now),
        timestamp: Time(now),
        datacontenttype: "application/json",
        data,
    };
    let body = rows::json(&body);
    let mut rows = Rows::default();
    let mut ids = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        ids.push(format!("{message}-{endpoint}"));
        rows.0.extend([
            format!("{message}-{endpoint}").into(),
            (*endpoint).into(),
            message.clone().into(),
            kind.into(),
            exception.into(),
            body.clone().into(),
            State::Pending.word().into(),
            now.into(),
            0.into(),
            "[]".into(),
            None::<String>.into(),
            now.into(),
            None::<i64>.into(),
        ]);
    }
    batch.more.push(Write::new(&DELIVERIES, rows));
    ids
}
