//! Reads exceptions: the desk's list, the most urgent first, and one with its history.

use super::{EXCEPTION_COLUMNS, EXCEPTIONS_BY_ID, Exception, OPEN_EXCEPTIONS_BY_KEY, Step};
use crate::Stop;
use crate::batch::sorted;
use crate::config::Config;
use crate::db::{Lookup, Sql, Tx, Value};
use crate::views::{Id, Time};
use domain::{Noun, Refused};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

const LIST: Sql = Sql(
    "SELECT id, key, kind, severity, channel, title, detail, payload, open, owner, due_at, created_at, updated_at, times, history, snoozed_until FROM exceptions WHERE open = $1 AND (due_at > $2 OR (due_at = $3 AND id > $4)) ORDER BY due_at, id LIMIT $5",
);

/// Something that a person must look at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExceptionView {
    #[schema(value_type = String)]
    pub id: Id,
    #[schema(example = "unmapped")]
    pub kind: String,
    #[schema(example = "warning")]
    pub severity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub channel: Option<Arc<str>>,
    /// What it is about, such as `order:shopify:1001`.
    pub about: String,
    pub title: String,
    pub detail: String,
    pub open: bool,
    /// Who looks after it: the login of a person, or whatever a program says.
    pub owner: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Time,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Time,
    /// It was put aside until then, which may have passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub snoozed_until: Option<Time>,
    /// How often it was met.
    pub times: i64,
    /// What can be done about it, by the names of `POST /exceptions/{id}/{action}`.
    pub actions: Vec<&'static str>,
}

/// With everything that is known of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExceptionDetail {
    #[serde(flatten)]
    pub exception: ExceptionView,
    /// What the marketplace said, as it came.
    pub payload: String,
    pub history: Vec<StepView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepView {
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    pub actor: String,
    pub what: String,
}

/// What people decide about an exception, without how often it is met: for noticing that somebody else decided meanwhile, and for the
/// audit log.
#[derive(Debug, Serialize)]
pub struct Decided<'a> {
    pub kind: &'a str,
    pub about: &'a str,
    pub open: bool,
    pub owner: Option<&'a str>,
    pub snoozed_until: Option<Time>,
}

impl ExceptionView {
    pub fn decided(&self) -> Decided<'_> {
        Decided { kind: &self.kind, about: &self.about, open: self.open, owner: self.owner.as_deref(), snoozed_until: self.snoozed_until }
    }

    pub fn new(exception: &Exception, config: &Config) -> ExceptionView {
        ExceptionView {
            id: Id(exception.id),
            kind: exception.kind.clone(),
            severity: exception.severity.clone(),
            channel: exception.channel.and_then(|id| config.channel(id)).map(|c| c.code.clone()),
            about: exception.key.clone(),
            title: exception.title.clone(),
            detail: exception.detail.clone(),
            open: exception.open,
            owner: exception.owner.clone(),
            due_at: Time(exception.due_at),
            created_at: Time(exception.created_at),
            updated_at: Time(exception.updated_at),
            snoozed_until: Some(exception.snoozed_until).filter(|until| *until > 0).map(Time),
            times: exception.times,
            actions: super::solve::actions(exception),
        }
    }
}

/// Open ones, or solved ones, the earliest due first. `after` is the last one's id of the page before.
pub fn list(tx: &mut Tx<'_>, config: &Config, open: bool, after: Option<i64>, limit: i64) -> Result<Vec<ExceptionView>, Stop> {
    let (due_at, id) = match after {
        Some(id) => (one(tx, id)?.due_at, id),
        None => (i64::MIN, 0),
    };
    let values = [Value::Int(i64::from(open)), Value::Int(due_at), Value::Int(due_at), Value::Int(id), Value::Int(limit)];
    let found = tx.rows(LIST, &values, Exception::read)?;
    Ok(found.iter().map(|e| ExceptionView::new(e, config)).collect())
}

fn one(tx: &mut Tx<'_>, id: i64) -> Result<Exception, Stop> {
    debug_assert!(LIST.0.contains(EXCEPTION_COLUMNS));
    let lookup = Lookup { lock: false, ..EXCEPTIONS_BY_ID };
    let found = tx.by_ids(&lookup, &[id], &[], Exception::read)?.pop();
    found.ok_or_else(|| Refused::unknown(Noun::Exception, id.to_string(), "id").into())
}

/// Those of these that are there, by their ids.
pub fn some(tx: &mut Tx<'_>, config: &Config, ids: &[i64]) -> Result<Vec<ExceptionView>, Stop> {
    let lookup = Lookup { lock: false, ..EXCEPTIONS_BY_ID };
    Ok(tx.by_ids(&lookup, &sorted(ids), &[], Exception::read)?.iter().map(|e| ExceptionView::new(e, config)).collect())
}

pub fn detail(tx: &mut Tx<'_>, config: &Config, id: i64) -> Result<ExceptionDetail, Stop> {
    let found = one(tx, id)?;
    let history = found.history.iter().map(|Step { at, actor, what }| StepView { at: Time(*at), actor: actor.clone(), what: what.clone() });
    Ok(ExceptionDetail { exception: ExceptionView::new(&found, config), payload: found.payload.clone(), history: history.collect() })
}

/// Those that are open under these keys.
pub(crate) fn open_by_keys(tx: &mut Tx<'_>, config: &Config, keys: &[String]) -> Result<Vec<ExceptionView>, Stop> {
    let mut keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    keys.sort_unstable();
    let lookup = Lookup { lock: false, ..OPEN_EXCEPTIONS_BY_KEY };
    Ok(tx.by_names(&lookup, &keys, Exception::read)?.iter().map(|e| ExceptionView::new(e, config)).collect())
}
