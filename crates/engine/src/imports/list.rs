//! The list of imports, the newest first, and one with the rows that it refused.

use super::{ImportState, Kind, find};
use crate::Stop;
use crate::db::{Row, Sql, Tx, Value};

const LIST: Sql = Sql(
    "SELECT key, kind, rows_done, accepted, rejected, finished, began_at, at, actor, file FROM imports WHERE (began_at, key) < ($1, $2) ORDER BY began_at DESC, key DESC LIMIT $3",
);
/// Imports of rows that were refused before and mended in the page, the newest first.
const MENDS: Sql = Sql("SELECT key FROM imports WHERE key LIKE 'web:mended:%' ORDER BY began_at DESC LIMIT $1");
/// Imports of mended rows that are looked at.
const LOOKED_AT: i64 = 2_000;
/// Imports among which one that stopped is looked for.
const LATELY: i64 = 200;

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

/// Imports after a place in the list, the newest first.
pub fn list(tx: &mut Tx<'_>, after: Option<&Place>, limit: i64) -> Result<Vec<ImportLine>, Stop> {
    let (at, key) = after.map_or((i64::MAX, ""), |(at, key)| (*at, key.as_str()));
    let mut found = tx.rows(LIST, &[Value::Int(at), Value::Text(key), Value::Int(limit)], ImportLine::read)?;
    tell_mended(tx, &mut found)?;
    Ok(found)
}

/// Those of which file, key or person hold a text, whatever the case of its letters. Looks at two thousand; where the next page begins,
/// if more may follow.
pub fn search(tx: &mut Tx<'_>, text: &str, after: Option<&Place>, limit: usize) -> Result<(Vec<ImportLine>, Option<Place>), Stop> {
    let text = text.to_lowercase();
    let place = |import: &ImportLine| (import.began_at, import.key.clone());
    let holds = |import: &ImportLine| [&import.file, &import.key, &import.actor].iter().any(|part| part.to_lowercase().contains(&text));
    let looked_at = if text.is_empty() { limit as i64 + 1 } else { LOOKED_AT };
    let all = list(tx, after, looked_at)?;
    let end = all.last().filter(|_| all.len() as i64 == looked_at).map(place);
    let mut found: Vec<ImportLine> = all.into_iter().filter(holds).collect();
    if found.len() <= limit {
        return Ok((found, end));
    }
    found.truncate(limit);
    let next = found.last().map(place);
    Ok((found, next))
}

/// How the keys of imports begin that mend refused rows of the one with this key.
pub fn mends(key: &str) -> String {
    format!("web:mended:{}:", &blake3::hash(key.as_bytes()).to_hex()[..16])
}

fn tell_mended(tx: &mut Tx<'_>, found: &mut [ImportLine]) -> Result<(), Stop> {
    if found.iter().all(|import| import.rejected == 0) {
        return Ok(());
    }
    let known: Vec<String> = tx.rows(MENDS, &[Value::Int(LOOKED_AT)], |r| r.text(0))?;
    for import in found.iter_mut().filter(|import| import.rejected > 0) {
        let begins = mends(&import.key);
        import.mended = known.iter().any(|key| key.starts_with(&begins));
    }
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
    let lately = list(tx, None, LATELY)?;
    Ok(lately.into_iter().find(|import| !import.finished && import.key.starts_with(prefix)).map(|import| import.key))
}
