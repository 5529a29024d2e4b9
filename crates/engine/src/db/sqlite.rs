//! SQLite: WAL, every commit synced, one writer.

use super::{Cell, Error, Lookup, Result, Row, Table, Value, Why, Write, insert_sql};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement, ToSql};
use std::path::Path;
use std::time::Duration;

pub struct Sqlite {
    pub conn: Connection,
}

/// The books are for whoever runs the server, as their key is; SQLite gives the files beside it the same rights. Where the file system
/// knows no rights there is nothing to be done.
fn keep_from_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    }
}

impl Sqlite {
    pub fn open(path: &Path, read_only: bool) -> Result<Sqlite> {
        let flags = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE };
        let is_new = !read_only && !path.exists();
        let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| Error { text: format!("{}: {e}", path.display()), ..error(e) })?;
        if is_new {
            keep_from_others(path);
        }
        conn.busy_timeout(Duration::from_secs(20)).map_err(error)?;
        conn.set_prepared_statement_cache_capacity(256);
        if !read_only {
            conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 16000; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;")
                .map_err(error)?;
        } else {
            conn.execute_batch("PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;").map_err(error)?;
        }
        Ok(Sqlite { conn })
    }

    pub fn batch(&mut self, sql: &str) -> Result<()> {
        self.conn.execute_batch(sql).map_err(error)
    }

    pub fn check(&mut self, sql: &str) -> Result<()> {
        self.conn.prepare(sql).map(drop).map_err(error)
    }

    pub fn rows(&mut self, sql: &str, values: &[Value<'_>], each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        let mut statement = self.conn.prepare_cached(sql).map_err(error)?;
        run(&mut statement, values, each)
    }

    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let mut statement = self.conn.prepare_cached(sql).map_err(error)?;
        bind(&mut statement, values)?;
        statement.raw_execute().map(|n| n as u64).map_err(error)
    }

    pub fn lookup<'v>(
        &mut self,
        lookup: &Lookup,
        keys: impl Iterator<Item = Value<'v>>,
        more: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>),
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(&lookup_sql(lookup)).map_err(error)?;
        for key in keys {
            let mut values = vec![key];
            values.extend_from_slice(more);
            run(&mut statement, &values, each)?;
        }
        Ok(())
    }

    pub fn write(&mut self, write: &Write) -> Result<()> {
        if write.rows.0.is_empty() {
            return Ok(());
        }
        let mut statement = self.conn.prepare_cached(&insert_values_sql(write.table, write.new)).map_err(error)?;
        for row in write.rows.0.chunks_exact(write.table.columns.len()) {
            for (n, cell) in row.iter().enumerate() {
                statement.raw_bind_parameter(n + 1, cell).map_err(error)?;
            }
            statement.raw_execute().map_err(error)?;
        }
        Ok(())
    }
}

pub fn lookup_sql(lookup: &Lookup) -> String {
    let Lookup { columns, from, key, and, order, .. } = lookup;
    format!("SELECT {columns} FROM {from} WHERE {key} = $1 {and} ORDER BY {order}")
}

pub fn insert_values_sql(table: &Table, new: bool) -> String {
    let marks: Vec<String> = (1..=table.columns.len()).map(|n| format!("${n}")).collect();
    insert_sql(table, new, &format!("VALUES ({})", marks.join(", ")))
}

fn bind(statement: &mut Statement<'_>, values: &[Value<'_>]) -> Result<()> {
    for (n, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(n + 1, value).map_err(error)?;
    }
    Ok(())
}

fn run(statement: &mut Statement<'_>, values: &[Value<'_>], each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
    bind(statement, values)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(error)? {
        each(&Row::Sqlite(row));
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Int(value) => ValueRef::Integer(*value),
            Cell::Hash(value) => ValueRef::Blob(value),
            other => ValueRef::Text(other.text().unwrap_or_default().as_bytes()),
        }))
    }
}

fn error(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::*;
    let why = match error.sqlite_error() {
        Some(e) if e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_CHECK => Why::Check,
        Some(e) => match e.code {
            ConstraintViolation | DatabaseBusy | DatabaseLocked => Why::Retry,
            DiskFull => Why::Full,
            _ => Why::Other,
        },
        None => Why::Other,
    };
    Error { why, text: format!("SQLite: {error}") }
}
