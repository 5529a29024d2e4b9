//! The rows of alerts: who is told, and what each is still to be told or was.

use crate::db::{Lookup, Row, Rows, Table, Type};
use crate::exceptions::{Exception, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use Type::{Int, Text};

/// Where an endpoint's messages go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To a URL.
    Webhook(String),
    /// To these addresses.
    Mail(Vec<String>),
}

/// What webhooks are signed with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Secret {
    pub id: String,
    /// Encrypted.
    pub sealed: String,
    pub created_at: i64,
    /// Signs until then; None is until it is removed.
    pub until: Option<i64>,
}

/// Somebody who is told of exceptions.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: i64,
    pub name: String,
    pub way: Way,
    /// Nothing milder is told.
    pub severity: Severity,
    /// Kinds of exceptions; none is all.
    pub kinds: Vec<String>,
    /// Channels; none is all, and those of no channel.
    pub channels: Vec<i64>,
    /// To be told, too, when an exception is solved that it was told of.
    pub solved: bool,
    /// Whether it is told of exceptions at all.
    pub exceptions: bool,
    /// Kinds of other events that it is told, of [`crate::events::KINDS`]; only a webhook is.
    pub events: Vec<String>,
    pub active: bool,
    /// Why the program switched it off.
    pub reason: Option<String>,
    /// The newest first.
    pub secrets: Vec<Secret>,
    pub created_at: i64,
}

pub const ALERTS: Table = Table {
    name: "alerts",
    columns: &[
        ("id", Int),
        ("name", Text),
        ("way", Text),
        ("severity", Text),
        ("kinds", Text),
        ("channels", Text),
        ("solved", Int),
        ("active", Int),
        ("reason", Text),
        ("secrets", Text),
        ("created_at", Int),
        ("failing_since", Int),
        ("delivered_at", Int),
        ("mailed_at", Int),
        ("events", Text),
        ("exceptions", Int),
    ],
    key: "id",
};

impl Endpoint {
    pub fn read(row: &Row<'_>) -> Option<Endpoint> {
        Some(Endpoint {
            id: row.int(0),
            name: row.text(1),
            // One that a newer version wrote, and this one cannot read, is told nothing.
            way: serde_json::from_str(&row.text(2)).ok()?,
            severity: Severity::parse(&row.text(3))?,
            kinds: serde_json::from_str(&row.text(4)).ok()?,
            channels: serde_json::from_str(&row.text(5)).ok()?,
            solved: row.flag(6),
            active: row.flag(7),
            reason: row.opt_text(8),
            secrets: serde_json::from_str(&row.text(9)).ok()?,
            created_at: row.int(10),
            events: serde_json::from_str(&row.text(11)).ok()?,
            exceptions: row.flag(12),
        })
    }

    /// A new one, to which nothing was sent yet.
    pub fn write(&self, rows: &mut Rows) {
        rows.0.extend([
            self.id.into(),
            self.name.clone().into(),
            json(&self.way).into(),
            self.severity.word().into(),
            json(&self.kinds).into(),
            json(&self.channels).into(),
            self.solved.into(),
            self.active.into(),
            self.reason.clone().into(),
            json(&self.secrets).into(),
            self.created_at.into(),
            None::<i64>.into(),
            None::<i64>.into(),
            None::<i64>.into(),
            json(&self.events).into(),
            self.exceptions.into(),
        ]);
    }

    /// Whether it asked to be told of this exception.
    pub fn wants(&self, exception: &Exception) -> bool {
        self.active
            && self.exceptions
            && Severity::parse(&exception.severity).is_some_and(|severity| severity >= self.severity)
            && (self.kinds.is_empty() || self.kinds.contains(&exception.kind))
            && (self.channels.is_empty() || exception.channel.is_some_and(|channel| self.channels.contains(&channel)))
    }

    /// Whether it asked to be told of events of this kind.
    pub fn wants_event(&self, kind: &str) -> bool {
        self.active && self.events.iter().any(|wanted| wanted == kind)
    }

    /// The secrets that sign now, the newest first.
    pub fn signing(&self, now: i64) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.until.is_none_or(|until| until > now))
    }
}

pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be sent, or sent again.
    Pending,
    /// It has arrived.
    Delivered,
    /// It was tried as often as the schedule says, or the endpoint was switched off.
    Failed,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Delivered => "delivered",
            State::Failed => "failed",
        }
    }
}

/// One try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Microseconds since 1970 UTC.
    pub at: i64,
    pub took_ms: i64,
    /// The HTTP status, or the code of the SMTP reply.
    pub status: Option<u16>,
    /// How the answer begins.
    pub answer: String,
    /// Why there was no answer.
    pub fault: Option<String>,
}

pub const DELIVERIES: Table = Table {
    name: "alert_deliveries",
    columns: &[
        ("id", Text),
        ("alert", Int),
        ("message", Text),
        ("kind", Text),
        ("exception", Int),
        ("body", Text),
        ("state", Text),
        ("due_at", Int),
        ("tries", Int),
        ("attempts", Text),
        ("mail", Text),
        ("created_at", Int),
        ("ended_at", Int),
    ],
    key: "id",
};

/// Who was told of an exception: (exception, endpoint).
pub const TOLD: Lookup = Lookup {
    columns: "exception, alert",
    from: "alert_deliveries",
    key: "exception",
    and: "AND kind = 'exception.opened'",
    order: "exception, alert",
    lock: false,
};

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&TOLD];
