//! Exceptions: what the program cannot solve alone and a person must look at. Nothing that a marketplace said is lost: it
//! became an order here, or it is an open exception here.

pub mod context;
pub mod desk;
pub mod read;
pub mod solve;

use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Command, Needs, Reply};
use crate::db::{Lookup, Row, Rows, Table, Type};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use Type::{Int, Text};

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An order for a listing that stands for no item here.
    Unmapped,
    /// An order that cannot be filled.
    Unfillable,
    /// A channel sold units that were never promised to it.
    OversoldElsewhere,
    /// A channel refused a quantity.
    PushRefused,
    /// A channel no longer accepts our credentials.
    AuthorizationExpired,
    /// A channel shows another quantity than it was given.
    Drift,
    /// Writes to a channel have been waiting too long.
    StuckQueue,
    /// A third-party warehouse has not been heard of.
    ThirdPartySilence,
    /// An order that could not be understood.
    NotUnderstood,
    /// A channel does not take what happened to its order.
    NotTold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

impl Kind {
    pub const ALL: [Kind; 10] = [
        Kind::Unmapped,
        Kind::Unfillable,
        Kind::OversoldElsewhere,
        Kind::PushRefused,
        Kind::AuthorizationExpired,
        Kind::Drift,
        Kind::StuckQueue,
        Kind::ThirdPartySilence,
        Kind::NotUnderstood,
        Kind::NotTold,
    ];

    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The word in the API and the database.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Unmapped => "unmapped",
            Kind::Unfillable => "unfillable",
            Kind::OversoldElsewhere => "oversold_elsewhere",
            Kind::PushRefused => "push_refused",
            Kind::AuthorizationExpired => "authorization_expired",
            Kind::Drift => "drift",
            Kind::StuckQueue => "stuck_queue",
            Kind::ThirdPartySilence => "third_party_silence",
            Kind::NotUnderstood => "not_understood",
            Kind::NotTold => "not_told",
        }
    }

    pub fn severity(self) -> Severity {
        match self {
            Kind::Unfillable | Kind::OversoldElsewhere | Kind::AuthorizationExpired | Kind::NotUnderstood => Severity::Critical,
            Kind::Unmapped | Kind::PushRefused | Kind::StuckQueue | Kind::ThirdPartySilence | Kind::NotTold => Severity::Warning,
            Kind::Drift => Severity::Info,
        }
    }

    /// Hours until it should be solved: a buyer waits for an order, nobody for a drift that was repaired.
    fn hours(self) -> i64 {
        match self.severity() {
            Severity::Critical => 1,
            Severity::Warning => 4,
            Severity::Info => 24,
        }
    }
}

impl Severity {
    /// The mildest first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    pub fn parse(word: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|s| s.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// One line of an exception's history.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// Microseconds since 1970 UTC.
    pub at: i64,
    pub actor: String,
    pub what: String,
}

/// Something a person must look at.
#[derive(Debug, Clone)]
pub struct Exception {
    pub id: i64,
    pub key: String,
    pub kind: String,
    pub severity: String,
    pub channel: Option<i64>,
    pub title: String,
    pub detail: String,
    /// What the marketplace said, as it came.
    pub payload: String,
    pub open: bool,
    /// Who looks after it: the login of a person, or whatever a program says.
    pub owner: Option<String>,
    pub due_at: i64,
    pub created_at: i64,
    pub updated_at: i64,
    /// How often it was met.
    pub times: i64,
    pub history: Vec<Step>,
    /// Put aside until then (microseconds since 1970 UTC); 0 if it never was.
    pub snoozed_until: i64,
    /// The endpoints that were told of it; known while it is open.
    pub alerted: Vec<i64>,
}

pub const EXCEPTIONS: Table = Table {
    name: "exceptions",
    columns: &[
        ("id", Int),
        ("key", Text),
        ("kind", Text),
        ("severity", Text),
        ("channel", Int),
        ("title", Text),
        ("detail", Text),
        ("payload", Text),
        ("open", Int),
        ("owner", Text),
        ("due_at", Int),
        ("created_at", Int),
        ("updated_at", Int),
        ("times", Int),
        ("history", Text),
        ("snoozed_until", Int),
    ],
    key: "id",
};

pub const EXCEPTION_COLUMNS: &str =
    "id, key, kind, severity, channel, title, detail, payload, open, owner, due_at, created_at, updated_at, times, history, snoozed_until";

pub const EXCEPTIONS_BY_ID: Lookup = Lookup { columns: EXCEPTION_COLUMNS, from: "exceptions", key: "id", and: "", order: "id", lock: true };
pub const OPEN_EXCEPTIONS_BY_KEY: Lookup =
    Lookup { columns: EXCEPTION_COLUMNS, from: "exceptions", key: "key", and: "AND open = 1", order: "key, id", lock: true };

impl Exception {
    pub fn read(row: &Row<'_>) -> Exception {
        Exception {
            id: row.int(0),
            key: row.text(1),
            kind: row.text(2),
            severity: row.text(3),
            channel: row.opt_int(4),
            title: row.text(5),
            detail: row.text(6),
            payload: row.text(7),
            open: row.flag(8),
            owner: row.opt_text(9),
            due_at: row.int(10),
            created_at: row.int(11),
            updated_at: row.int(12),
            times: row.int(13),
            history: serde_json::from_str(&row.text(14)).unwrap_or_default(),
            snoozed_until: row.int(15),
            alerted: Vec::new(),
        }
    }

    pub fn write(&self, rows: &mut Rows) {
        rows.0.extend([
            self.id.into(),
            self.key.clone().into(),
            self.kind.clone().into(),
            self.severity.clone().into(),
            self.channel.into(),
            self.title.clone().into(),
            self.detail.clone().into(),
            self.payload.clone().into(),
            self.open.into(),
            self.owner.clone().into(),
            self.due_at.into(),
            self.created_at.into(),
            self.updated_at.into(),
            self.times.into(),
            serde_json::to_string(&self.history).unwrap_or_default().into(),
            self.snoozed_until.into(),
        ]);
    }
}

/// Trouble, before it is an exception.
pub(crate) struct Trouble<'a> {
    pub kind: Kind,
    pub key: &'a str,
    pub channel: i64,
    pub title: String,
    pub detail: String,
    pub payload: &'a str,
}

/// Trouble that was met outside of a transaction.
#[derive(Debug, Clone)]
pub struct Report {
    key: String,
    news: News,
}

#[derive(Debug, Clone)]
enum News {
    Trouble {
        kind: Kind,
        channel: i64,
        title: String,
        detail: String,
    },
    /// It is over: what ended it.
    Over(&'static str),
}

/// The change that puts it on the desk.
pub fn report(kind: Kind, key: String, channel: i64, title: String, detail: String) -> Command {
    Command::Report(Report { key, news: News::Trouble { kind, channel, title, detail } })
}

/// The change that takes it off the desk, if it is on it.
pub fn solved(key: String, what: &'static str) -> Command {
    Command::Report(Report { key, news: News::Over(what) })
}

impl Report {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.exception_keys.push(self.key.clone());
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        match &self.news {
            News::Over(what) => settle(batch, &self.key, what),
            News::Trouble { kind, channel, title, detail } => {
                let (title, detail) = (title.clone(), detail.clone());
                raise(batch, Trouble { kind: *kind, key: &self.key, channel: *channel, title, detail, payload: "" })?;
            }
        }
        Ok(Reply::done(Answer::Count { count: 1 }))
    }
}

/// Opens an exception, or notes that the open one was met again.
pub(crate) fn raise(batch: &mut Batch<'_>, trouble: Trouble<'_>) -> Result<(), Stop> {
    let now = batch.now;
    let Trouble { kind, key, channel, title, detail, payload } = trouble;
    let known = batch.exceptions.values().find(|e| e.key == key && e.open).map(|e| e.id);
    let step = |what: String| Step { at: now, actor: "system".into(), what };
    if let Some(kept) = known.and_then(|id| batch.exceptions.change(id)) {
        let became = (kept.kind != kind.word()).then_some(kept.id);
        if kept.detail != detail {
            kept.history.push(step(detail.clone()));
            // The first and the last are of use; a flood in between is not.
            if kept.history.len() > 50 {
                kept.history.remove(1);
            }
        }
        kept.kind = kind.word().into();
        kept.severity = kind.severity().word().into();
        (kept.title, kept.detail, kept.payload) = (title, detail, payload.to_owned());
        kept.times += 1;
        kept.updated_at = now;
        if let Some(id) = became {
            // Whoever put the one aside knows nothing of the other.
            kept.snoozed_until = 0;
            crate::alerts::opened(batch, id);
            changed(batch, id);
        }
        return Ok(());
    }
    let id = batch.id()?;
    let exception = Exception {
        id,
        key: key.to_owned(),
        kind: kind.word().into(),
        severity: kind.severity().word().into(),
        channel: Some(channel).filter(|c| *c != 0),
        title,
        detail,
        payload: payload.to_owned(),
        open: true,
        owner: None,
        due_at: now + kind.hours() * 3_600_000_000,
        created_at: now,
        updated_at: now,
        times: 1,
        history: vec![step("opened".into())],
        snoozed_until: 0,
        alerted: Vec::new(),
    };
    let view = read::ExceptionView::new(&exception, &batch.config);
    batch.event("exception.opened", id, &view);
    batch.exceptions.add(id, exception);
    crate::alerts::opened(batch, id);
    Ok(())
}

/// Tells that something about an open exception has changed: who looks after it, or what it is.
pub(crate) fn changed(batch: &mut Batch<'_>, id: i64) {
    if let Some(kept) = batch.exceptions.get(id) {
        let view = read::ExceptionView::new(kept, &batch.config);
        batch.event("exception.changed", id, &view);
    }
}

/// Closes the open exception with this key, if there is one: what it was about is done.
pub(crate) fn settle(batch: &mut Batch<'_>, key: &str, what: &str) {
    let known = batch.exceptions.values().find(|e| e.key == key && e.open).map(|e| e.id);
    if let Some(id) = known {
        close(batch, id, what);
    }
}

pub(crate) fn close(batch: &mut Batch<'_>, id: i64, what: &str) {
    let (now, actor) = (batch.now, batch.actor.to_string());
    if let Some(kept) = batch.exceptions.change(id) {
        kept.open = false;
        kept.updated_at = now;
        kept.history.push(Step { at: now, actor, what: what.to_owned() });
        let view = read::ExceptionView::new(&kept.clone(), &batch.config);
        batch.event("exception.solved", id, &view);
        crate::alerts::solved(batch, id);
    }
}
