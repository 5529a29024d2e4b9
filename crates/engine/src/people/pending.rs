//! What was begun with a browser and waits for its answer, such as the challenge of a passkey. Read once, and soon.

use crate::Stop;
use crate::db::{Sql, Tx, Value};
use crate::keys::random_text;

const PUT: Sql = Sql("INSERT INTO pending (id, value, expires_at) VALUES ($1, $2, $3)");
const TAKE: Sql = Sql("DELETE FROM pending WHERE id = $1 RETURNING value, expires_at");
const PRUNE: Sql = Sql("DELETE FROM pending WHERE expires_at < $1");

/// For how long, microseconds.
const LASTS: i64 = 10 * 60 * 1_000_000;

/// Keeps a value; answers what it is asked for by, which nobody can guess.
pub fn put(tx: &mut Tx<'_>, now: i64, value: &str) -> Result<String, Stop> {
    let id = random_text(43)?;
    tx.execute(PRUNE, &[Value::Int(now)])?;
    tx.execute(PUT, &[Value::Text(&id), Value::Text(value), Value::Int(now + LASTS)])?;
    Ok(id)
}

/// The value, once; None if it is not there, was taken, or is too old.
pub fn take(tx: &mut Tx<'_>, now: i64, id: &str) -> Result<Option<String>, Stop> {
    let found = tx.one(TAKE, &[Value::Text(id)], |r| (r.text(0), r.int(1)))?;
    Ok(found.filter(|(_, expires_at)| *expires_at > now).map(|(value, _)| value))
}
