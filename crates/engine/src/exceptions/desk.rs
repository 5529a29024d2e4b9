//! The desk's list: exceptions filtered and searched, open ones by when they are due, solved ones the latest first, or by a figure; and how many
//! open ones there are of each sort. Not here: what is done about them (`solve.rs`).

use super::read::ExceptionView;
use super::{EXCEPTION_COLUMNS, Exception, Kind, Severity};
use crate::Stop;
use crate::access::reach;
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use crate::page::{Cursor, Page};
use domain::{Grant, limits};
use std::sync::Arc;

// Without what the marketplace said and the history, which may be long.
const OPEN: Sql = Sql(
    "SELECT id, key, kind, severity, channel, title, detail, '' AS payload, open, owner, due_at, created_at, updated_at, times, '[]' AS history, snoozed_until FROM exceptions WHERE open = 1 AND (due_at, id) > ($1, $2) ORDER BY due_at, id LIMIT $3",
);
const OPEN_LAST: Sql = Sql(
    "SELECT id, key, kind, severity, channel, title, detail, '' AS payload, open, owner, due_at, created_at, updated_at, times, '[]' AS history, snoozed_until FROM exceptions WHERE open = 1 AND (due_at, id) < ($1, $2) ORDER BY due_at DESC, id DESC LIMIT $3",
);
const SOLVED: Sql = Sql(
    "SELECT id, key, kind, severity, channel, title, detail, '' AS payload, open, owner, due_at, created_at, updated_at, times, '[]' AS history, snoozed_until FROM exceptions WHERE open = 0 AND (updated_at, id) < ($1, $2) ORDER BY updated_at DESC, id DESC LIMIT $3",
);
// No index serves these orders: all open ones are sorted, which people keep few.
const OPEN_BY_FIGURE: Sql = Sql(
    "SELECT id, key, kind, severity, channel, title, detail, payload, open, owner, due_at, created_at, updated_at, times, history, snoozed_until FROM (SELECT id, key, kind, severity, channel, title, detail, '' AS payload, open, owner, due_at, created_at, updated_at, times, '[]' AS history, snoozed_until, CAST($1 AS BIGINT) * CASE CAST($2 AS BIGINT) WHEN 1 THEN CASE severity WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END WHEN 2 THEN -created_at ELSE times END AS figure FROM exceptions WHERE open = 1) AS x WHERE (figure, id) > ($3, $4) ORDER BY figure, id LIMIT $5",
);
const SOLVED_FIRST: Sql = Sql(
    "SELECT id, key, kind, severity, channel, title, detail, '' AS payload, open, owner, due_at, created_at, updated_at, times, '[]' AS history, snoozed_until FROM exceptions WHERE open = 0 AND (updated_at, id) > ($1, $2) ORDER BY updated_at, id LIMIT $3",
);
const SORTS: Sql = Sql(
    "SELECT kind, severity, channel, owner, later, COUNT(*), MIN(created_at) FROM (SELECT kind, severity, channel, COALESCE(owner, '') AS owner, CAST(CASE WHEN snoozed_until > $1 THEN 1 ELSE 0 END AS BIGINT) AS later, created_at FROM exceptions WHERE open = 1) AS x GROUP BY kind, severity, channel, owner, later",
);

/// Exceptions that one page looks at. Beyond, it ends with what it found.
const EXAMINED: usize = 4_000;
const STEP: usize = 400;

/// Which exceptions by their standing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// Open, and not put aside.
    #[default]
    Open,
    /// Open, and put aside.
    Snoozed,
    Solved,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    /// When open ones are due, the next first; when solved ones were, the last first.
    #[default]
    Time,
    /// The mildest first. This and the following are of open ones.
    Severity,
    /// The one that was opened last.
    Age,
    /// The one that was met the fewest times.
    Times,
}

/// Which part of the list.
#[derive(Debug, Clone, Default)]
pub struct DeskQuery {
    pub standing: Standing,
    pub kind: Option<Kind>,
    pub severity: Option<Severity>,
    /// The id of a channel.
    pub channel: Option<i64>,
    /// Who looks after it; an empty text is nobody.
    pub owner: Option<String>,
    /// Part of the title, the detail or what it is about, whatever the case of its letters.
    pub text: String,
    pub by: By,
    /// The other way round.
    pub reversed: bool,
    /// Of whoever asks: nothing beyond their channels.
    pub grant: Arc<Grant>,
    /// Microseconds since 1970 UTC.
    pub now: i64,
    /// Where the page before ended: the figure of its last one, and its id.
    pub after: Option<Cursor<2>>,
    pub limit: usize,
}

impl DeskQuery {
    /// `text` is the searched one in lower case.
    fn wants(&self, found: &Exception, text: &str) -> bool {
        let snoozed = found.snoozed_until > self.now;
        let holds = |part: &str| part.to_lowercase().contains(text);
        (self.standing == Standing::Solved || snoozed == (self.standing == Standing::Snoozed))
            && self.kind.is_none_or(|kind| found.kind == kind.word())
            && self.severity.is_none_or(|severity| found.severity == severity.word())
            && self.channel.is_none_or(|channel| found.channel == Some(channel))
            && self.owner.as_deref().is_none_or(|owner| found.owner.as_deref().unwrap_or("") == owner)
            && (text.is_empty() || holds(&found.title) || holds(&found.detail) || holds(&found.key))
    }

    /// The exceptions that follow a place, as many as are looked at in one step.
    fn step(&self, tx: &mut Tx<'_>, [figure, id]: [i64; 2]) -> Result<Vec<Exception>, Stop> {
        let sql = match (self.standing == Standing::Solved, self.by, self.reversed) {
            (true, _, false) => SOLVED,
            (true, _, true) => SOLVED_FIRST,
            (false, By::Time, false) => OPEN,
            (false, By::Time, true) => OPEN_LAST,
            (false, by, _) => {
                let values = [self.direction(), by as i64, figure, id, STEP as i64].map(Value::Int);
                return Ok(tx.rows(OPEN_BY_FIGURE, &values, Exception::read)?);
            }
        };
        Ok(tx.rows(sql, &[figure, id, STEP as i64].map(Value::Int), Exception::read)?)
    }

    fn direction(&self) -> i64 {
        if self.reversed { -1 } else { 1 }
    }

    /// Where one stands in the list.
    fn place(&self, found: &Exception) -> [i64; 2] {
        let severity = || match Severity::parse(&found.severity) {
            Some(Severity::Critical) => 2,
            Some(Severity::Warning) => 1,
            _ => 0,
        };
        let figure = match self.by {
            _ if self.standing == Standing::Solved => found.updated_at,
            By::Time => found.due_at,
            By::Severity => self.direction() * severity(),
            By::Age => self.direction() * -found.created_at,
            By::Times => self.direction() * found.times,
        };
        [figure, found.id]
    }

    /// Before all that are there.
    fn first(&self) -> [i64; 2] {
        let solved = self.standing == Standing::Solved;
        let downward = (self.by == By::Time || solved) && solved != self.reversed;
        if downward { [i64::MAX; 2] } else { [i64::MIN; 2] }
    }
}

/// A page of the desk. Looks at four thousand exceptions at most.
pub fn list(tx: &mut Tx<'_>, config: &Config, query: &DeskQuery) -> Result<Page<ExceptionView, Cursor<2>>, Stop> {
    debug_assert!(EXCEPTION_COLUMNS.ends_with("history, snoozed_until"));
    limits::text("q", &query.text)?;
    let text = query.text.to_lowercase();
    let mut at = query.after.map_or_else(|| query.first(), |Cursor(at)| at);
    let mut rows = Vec::new();
    for _ in 0..EXAMINED / STEP {
        let found = query.step(tx, at)?;
        let ended = found.len() < STEP;
        for exception in found {
            let view = ExceptionView::new(&exception, config);
            if query.wants(&exception, &text) && reach::exception(&view, &query.grant) {
                if rows.len() == query.limit {
                    return Ok(Page { rows, next: Some(Cursor(at)) });
                }
                rows.push(view);
            }
            at = query.place(&exception);
        }
        if ended {
            return Ok(Page { rows, next: None });
        }
    }
    Ok(Page { rows, next: Some(Cursor(at)) })
}

/// How many open exceptions there are that are alike.
#[derive(Debug, Clone)]
pub struct Sort {
    pub kind: String,
    pub severity: String,
    pub channel: Option<i64>,
    /// Empty if nobody looks after them.
    pub owner: String,
    pub snoozed: bool,
    pub count: i64,
    /// When the oldest of them was opened.
    pub oldest: i64,
}

impl Sort {
    /// Whether somebody may see them.
    pub fn reaches(&self, config: &Config, grant: &Grant) -> bool {
        match self.channel.and_then(|id| config.channel(id)) {
            Some(channel) => grant.on(&channel.code),
            None => !grant.is_limited(),
        }
    }
}

/// All sorts of open exceptions.
pub fn sorts(tx: &mut Tx<'_>, now: i64) -> Result<Vec<Sort>, Stop> {
    Ok(tx.rows(SORTS, &[Value::Int(now)], |r| Sort {
        kind: r.text(0),
        severity: r.text(1),
        channel: r.opt_int(2),
        owner: r.text(3),
        snoozed: r.flag(4),
        count: r.int(5),
        oldest: r.int(6),
    })?)
}
