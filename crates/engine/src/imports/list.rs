//! The list of imports, newest or oldest first, and one with the rows that it refused.

use super::{ImportState, Kind, find};
use crate::Stop;
use crate::db::{Row, Sql, Tx, Value};
use crate::page::Page;
use std::collections::HashSet;

const LIST: Sql = Sql(
    "SELECT key, kind, rows_done, accepted, rejected, finished, began_at, at, actor, file FROM imports WHERE (began_at, key) < ($1, $2) ORDER BY began_at DESC, key DESC LIMIT $3",
);
const LIST_OLDEST: Sql = Sql(
    "SELECT key, kind, rows_done, accepted, rejected, finished, began_at, at, actor, file FROM imports WHERE (began_at, key) > ($1, $2) ORDER BY began_at, key LIMIT $3",
);
/// Imports of rows that were refused before and mended in the page, the newest first.
const MENDS: Sql = Sql("SELECT key FROM imports WHERE key LIKE 'web:mended:%' ORDER BY began_at DESC LIMIT $1");
/// Imports that one page looks at, and imports of mended rows.
const LOOKED_AT: usize = 2_000;
/// Imports among which one that stopped is looked for.
const LATELY: usize = 200;

/// An import in the list.
#[derive(Debug, Clone)]
pub struct ImportLine {
    pub key: String,
    pub kind: Option<Kind>,
    /// Rows of the file that are done.
    pub rows_done: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// Whether the file was read to its end.
    pub finished: bool,
    /// Of the first chunk, and of the last one so far: microseconds since 1970 UTC.
    pub began_at: i64,
    pub at: i64,
    pub actor: String,
    /// The file's name.
    pub file: String,
    /// Rows of it were mended and imported since.
    pub mended: bool,
}

impl ImportLine {
    fn read(row: &Row<'_>) -> ImportLine {
        ImportLine {
            key: row.text(0),
            kind: Kind::parse(&row.text(1)),
            rows_done: row.int(2) as u64,
            accepted: row.int(3) as u64,
            rejected: row.int(4) as u64,
            finished: row.flag(5),
            began_at: row.int(6),
            at: row.int(7),
            actor: row.text(8),
            file: row.text(9),
            mended: false,
        }
    }

    fn of(key: &str, state: &ImportState) -> ImportLine {
        ImportLine {
            key: key.to_owned(),
            kind: Kind::parse(&state.kind),
            rows_done: state.rows_done,
            accepted: state.view.accepted,
            rejected: state.view.rejected,
            finished: state.view.finished,
            began_at: state.began_at,
            at: state.at,
            actor: state.actor.clone(),
            file: state.file.clone(),
            mended: false,
        }
    }
}

/// Where a page of the list ends: when its last import began, and its key.
pub type Place = (i64, String);

/// How an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The file was read to its end, and no refused row is left to be mended.
    Done,
    /// The file was read to its end; refused rows were not mended yet.
    ToMend,
    /// It runs, or stopped early.
    Unfinished,
}

impl Standing {
    pub const ALL: [Standing; 3] = [Standing::Done, Standing::ToMend, Standing::Unfinished];

    /// The word in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Done => "done",
            Standing::ToMend => "to_mend",
            Standing::Unfinished => "unfinished",
        }
    }

    fn of(import: &ImportLine) -> Standing {
        match import.finished {
            false => Standing::Unfinished,
            true if import.rejected > 0 && !import.mended => Standing::ToMend,
            true => Standing::Done,
        }
    }
}

/// Which imports.
#[derive(Debug, Clone, Default)]
pub struct ImportQuery {
    /// With this in the file's name, the key or who imported it, whatever the case of its letters; any if empty.
    pub text: String,
    pub kind: Option<Kind>,
    pub standing: Option<Standing>,
    pub oldest_first: bool,
    pub after: Option<Place>,
    /// Most rows.
    pub limit: usize,
}

impl ImportQuery {
    fn is_narrow(&self) -> bool {
        !self.text.is_empty() || self.kind.is_some() || self.standing.is_some()
    }
}

/// A page of imports. Looks at two thousand at most.
pub fn list(tx: &mut Tx<'_>, query: &ImportQuery) -> Result<Page<ImportLine, Place>, Stop> {
    let (sql, first) = if query.oldest_first { (LIST_OLDEST, i64::MIN) } else { (LIST, i64::MAX) };
    let (at, key) = query.after.as_ref().map_or((first, ""), |(at, key)| (*at, key.as_str()));
    let looked_at = if query.is_narrow() { LOOKED_AT } else { query.limit + 1 };
    let mut all = tx.rows(sql, &[Value::Int(at), Value::Text(key), Value::Int(looked_at as i64)], ImportLine::read)?;
    tell_mended(tx, &mut all)?;
    let text = query.text.to_lowercase();
    let fits = |import: &ImportLine| {
        let holds = || [&import.file, &import.key, &import.actor].iter().any(|part| part.to_lowercase().contains(&text));
        query.kind.is_none_or(|kind| import.kind == Some(kind)) && query.standing.is_none_or(|s| s == Standing::of(import)) && holds()
    };
    Ok(Page::of(all, looked_at, query.limit, fits, |import| (import.began_at, import.key.clone())))
}

/// How the keys of imports begin that mend refused rows of the one with this key.
pub fn mends(key: &str) -> String {
    format!("web:mended:{}:", &blake3::hash(key.as_bytes()).to_hex()[..16])
}

fn tell_mended(tx: &mut Tx<'_>, found: &mut [ImportLine]) -> Result<(), Stop> {
    if found.iter().all(|import| import.rejected == 0) {
        return Ok(());
    }
    let beginning = |key: String| key.rsplit_once(':').map(|(begins, _)| format!("{begins}:"));
    let known: HashSet<String> = tx.rows(MENDS, &[Value::Int(LOOKED_AT as i64)], |r| r.text(0))?.into_iter().filter_map(beginning).collect();
    found.iter_mut().filter(|import| import.rejected > 0).for_each(|import| import.mended = known.contains(&mends(&import.key)));
    Ok(())
}

/// One import, with its refused rows and the columns of its file. Refuses an unknown key.
pub fn one(tx: &mut Tx<'_>, key: &str) -> Result<(ImportLine, ImportState), Stop> {
    let state = find(tx, key)?;
    let mut line = ImportLine::of(key, &state);
    tell_mended(tx, std::slice::from_mut(&mut line))?;
    Ok((line, state))
}

/// The key of an import that stopped before its end, of those lately begun whose keys begin so.
pub fn stopped(tx: &mut Tx<'_>, prefix: &str) -> Result<Option<String>, Stop> {
    let lately = list(tx, &ImportQuery { limit: LATELY, ..ImportQuery::default() })?.rows;
    Ok(lately.into_iter().find(|import| !import.finished && import.key.starts_with(prefix)).map(|import| import.key))
}
