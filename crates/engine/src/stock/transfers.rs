//! The list of transfers, newest or oldest first.

use super::rows::TRANSFERS_BY_ID;
use crate::Stop;
use crate::batch::sorted;
use crate::config::Config;
use crate::db::{Ahead, Lookup, Sql, Tx, Value};
use crate::page::{Cursor, Page};
use crate::views::{Id, Time};
use domain::steps::Status;
use std::collections::HashMap;
use std::sync::Arc;

const ALL: Sql = Sql(
    "SELECT created_at, id, source, target, status, reference FROM transfers WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3",
);
const OPEN: Sql = Sql(
    "SELECT created_at, id, source, target, status, reference FROM transfers WHERE status <> 'received' AND status <> 'canceled' AND (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3",
);
const ALL_OLDEST: Sql =
    Sql("SELECT created_at, id, source, target, status, reference FROM transfers WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3");
const OPEN_OLDEST: Sql = Sql(
    "SELECT created_at, id, source, target, status, reference FROM transfers WHERE status <> 'received' AND status <> 'canceled' AND (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3",
);
const UNITS: Lookup = Lookup {
    columns: "transfer, COUNT(*), CAST(SUM(quantity) AS BIGINT), CAST(SUM(received) AS BIGINT), CAST(SUM(lost) AS BIGINT), CAST(SUM(canceled) AS BIGINT)",
    from: "transfer_lines",
    key: "transfer",
    and: "GROUP BY transfer",
    order: "transfer",
    lock: false,
};

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&UNITS];

/// Transfers that one page looks at. Beyond, it ends with what it found.
const EXAMINED: usize = 2_000;
const STEP: usize = 500;

/// Which transfers.
#[derive(Debug, Clone, Default)]
pub struct TransferQuery {
    /// In any of these statuses; all if empty.
    pub statuses: Vec<Status>,
    /// From or to one of these locations (ids); any if left out.
    pub locations: Option<Vec<i64>>,
    /// With this number, or with this in the reference, whatever the case of its letters; any if left out.
    pub text: Option<String>,
    pub oldest_first: bool,
    /// Where the page before ended: when its last one was sent, and its id.
    pub after: Option<Cursor<2>>,
    /// Most rows.
    pub limit: usize,
}

/// A transfer in a list.
#[derive(Debug, Clone)]
pub struct TransferRow {
    pub id: Id,
    pub status: Status,
    pub from: Arc<str>,
    pub to: Arc<str>,
    pub reference: Option<String>,
    pub created_at: Time,
    pub lines: i64,
    /// Units sent; of them, received, lost and taken back.
    pub units: i64,
    pub received: i64,
    pub lost: i64,
    pub canceled: i64,
}

/// A page of transfers. Looks at a page of them and 1,500 more at most.
pub fn list(tx: &mut Tx<'_>, config: &Config, query: &TransferQuery) -> Result<Page<TransferRow, Cursor<2>>, Stop> {
    let (ids, next) = matching(tx, query)?;
    let wanted = sorted(&ids);
    let lookup = Lookup { lock: false, ..TRANSFERS_BY_ID };
    tx.ahead(&[Ahead::Ids(&UNITS, &wanted, &[]), Ahead::Ids(&lookup, &wanted, &[])]);
    let units = tx.by_ids(&UNITS, &wanted, &[], |r| (r.int(0), [r.int(1), r.int(2), r.int(3), r.int(4), r.int(5)]))?;
    let units: HashMap<i64, [i64; 5]> = units.into_iter().collect();
    let rows = tx.by_ids(&lookup, &wanted, &[], |r| {
        let [lines, units, received, lost, canceled] = units.get(&r.int(0)).copied().unwrap_or_default();
        TransferRow {
            id: Id(r.int(0)),
            status: Status::parse(&r.text(3)).unwrap_or(Status::InTransit),
            from: config.code(r.int(1)),
            to: config.code(r.int(2)),
            reference: r.opt_text(4),
            created_at: Time(r.int(5)),
            lines,
            units,
            received,
            lost,
            canceled,
        }
    })?;
    let mut rows: HashMap<i64, TransferRow> = rows.into_iter().map(|row| (row.id.0, row)).collect();
    Ok(Page { rows: ids.iter().filter_map(|id| rows.remove(id)).collect(), next })
}

/// The ids of a page, and where it ended.
fn matching(tx: &mut Tx<'_>, query: &TransferQuery) -> Result<(Vec<i64>, Option<Cursor<2>>), Stop> {
    let ended = [Status::Received, Status::Canceled];
    let all = query.statuses.is_empty() || query.statuses.iter().any(|s| ended.contains(s));
    let (sql, first) = match (all, query.oldest_first) {
        (true, false) => (ALL, i64::MAX),
        (false, false) => (OPEN, i64::MAX),
        (true, true) => (ALL_OLDEST, i64::MIN),
        (false, true) => (OPEN_OLDEST, i64::MIN),
    };
    let text = query.text.as_ref().map(|text| text.to_lowercase());
    let named = |id: i64, reference: Option<String>| {
        text.as_ref().is_none_or(|text| *text == id.to_string() || reference.is_some_and(|r| r.to_lowercase().contains(text)))
    };
    let here = |location: i64| query.locations.as_ref().is_none_or(|l| l.contains(&location));
    let mut last = query.after.unwrap_or(Cursor([first, first]));
    let mut ids = Vec::new();
    for n in 0..EXAMINED / STEP {
        // Of most lists, all that are read are wanted.
        let step = if n == 0 { query.limit + 1 } else { STEP };
        let values = [Value::Int(last.0[0]), Value::Int(last.0[1]), Value::Int(step as i64)];
        let found = tx.rows(sql, &values, |r| {
            let wanted = (here(r.int(2)) || here(r.int(3))) && named(r.int(1), r.opt_text(5));
            (Cursor([r.int(0), r.int(1)]), wanted, Status::parse(&r.text(4)))
        })?;
        for (at, is_wanted, status) in &found {
            if *is_wanted && status.is_some_and(|s| query.statuses.is_empty() || query.statuses.contains(&s)) {
                if ids.len() == query.limit {
                    return Ok((ids, Some(last)));
                }
                ids.push(at.0[1]);
            }
            last = *at;
        }
        if found.len() < step {
            return Ok((ids, None));
        }
    }
    Ok((ids, Some(last)))
}
