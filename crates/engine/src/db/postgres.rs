//! PostgreSQL: each connection has a small runtime of its own, so that the engine stays synchronous inside a transaction
//! and yet can send several bulk writes without waiting between them.

use super::{Cell, Error, Lookup, Result, Row, Rows, Table, Type, Value, Why, insert_sql};
use futures_util::{TryStreamExt, future::join_all, pin_mut};
use std::collections::HashMap;
use tokio_postgres::types::{IsNull, ToSql, Type as PgType, private::BytesMut, to_sql_checked};
use tokio_postgres::{Client, Statement};

pub struct Postgres {
    runtime: tokio::runtime::Runtime,
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Postgres {
    pub fn open(url: &str) -> Result<Postgres> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| Error::other(e.to_string()))?;
        let mut config: tokio_postgres::Config = url.parse().map_err(error)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(std::time::Duration::from_secs(5));
        }
        config.application_name("holdfast");
        let client = runtime.block_on(async {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(error)?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!("PostgreSQL connection ended: {error}");
                }
            });
            Ok::<_, Error>(client)
        })?;
        Ok(Postgres { runtime, client, statements: HashMap::new() })
    }

    pub fn batch(&mut self, sql: &str) -> Result<()> {
        self.runtime.block_on(self.client.batch_execute(sql)).map_err(error)
    }

    pub fn check(&mut self, sql: &str) -> Result<()> {
        self.runtime.block_on(self.client.prepare(sql)).map(drop).map_err(error)
    }

    fn statement(&mut self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.runtime.block_on(self.client.prepare(sql)).map_err(|e| {
            let inner = error(e);
            Error { text: format!("{} in: {sql}", inner.text), ..inner }
        })?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub fn rows(&mut self, sql: &str, values: &[Value<'_>], each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        let statement = self.statement(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|v| v as _).collect();
        let rows = self.runtime.block_on(self.client.query(&statement, &values)).map_err(error)?;
        rows.iter().for_each(|row| each(&Row::Postgres(row)));
        Ok(())
    }

    pub fn stream(&mut self, sql: &str, values: &[Value<'_>], each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        let statement = self.statement(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|v| v as _).collect();
        self.runtime.block_on(async {
            let rows = self.client.query_raw(&statement, values).await.map_err(error)?;
            pin_mut!(rows);
            while let Some(row) = rows.try_next().await.map_err(error)? {
                each(&Row::Postgres(&row));
            }
            Ok(())
        })
    }

    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let statement = self.statement(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|v| v as _).collect();
        self.runtime.block_on(self.client.execute(&statement, &values)).map_err(error)
    }

    pub fn lookup(&mut self, lookup: &Lookup, keys: &(dyn ToSql + Sync), more: &[Value<'_>], each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        let statement = self.statement(&lookup_sql(lookup))?;
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![keys];
        values.extend(more.iter().map(|v| v as &(dyn ToSql + Sync)));
        let rows = self.runtime.block_on(self.client.query(&statement, &values)).map_err(error)?;
        rows.iter().for_each(|row| each(&Row::Postgres(row)));
        Ok(())
    }

    pub fn write(&mut self, tables: &[(&'static Table, Rows)]) -> Result<()> {
        let mut work = Vec::with_capacity(tables.len());
        for (table, rows) in tables.iter().filter(|(_, rows)| !rows.0.is_empty()) {
            work.push((self.statement(&insert_unnest_sql(table))?, columns(table, &rows.0)));
        }
        let client = &self.client;
        let writes = work.iter().map(|(statement, columns)| async move {
            let values: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| c.as_ref() as _).collect();
            client.execute(statement, &values).await
        });
        let results = self.runtime.block_on(join_all(writes));
        // After the first failure the others only say that the transaction is aborted.
        results.into_iter().find_map(|r| r.err()).map_or(Ok(()), |e| Err(error(e)))
    }
}

/// Turns rows into one array a column.
fn columns<'a>(table: &Table, cells: &'a [Cell]) -> Vec<Box<dyn ToSql + Sync + 'a>> {
    let width = table.columns.len();
    let mut columns: Vec<Box<dyn ToSql + Sync + 'a>> = Vec::with_capacity(width);
    for (n, (_, kind)) in table.columns.iter().enumerate() {
        let fields = cells.iter().skip(n).step_by(width);
        columns.push(match kind {
            Type::Int => Box::new(fields.map(|c| if let Cell::Int(value) = c { Some(*value) } else { None }).collect::<Vec<Option<i64>>>()),
            Type::Text => Box::new(fields.map(Cell::text).collect::<Vec<Option<&str>>>()),
            Type::Hash => Box::new(fields.map(|c| if let Cell::Hash(hash) = c { Some(&hash[..]) } else { None }).collect::<Vec<Option<&[u8]>>>()),
        });
    }
    columns
}

pub fn lookup_sql(lookup: &Lookup) -> String {
    let Lookup { columns, from, key, and, order, lock } = lookup;
    let lock = if *lock { "FOR UPDATE" } else { "" };
    format!("SELECT {columns} FROM {from} WHERE {key} = ANY($1) {and} ORDER BY {order} {lock}")
}

pub fn insert_unnest_sql(table: &Table) -> String {
    let arrays: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(n, (_, kind))| {
            let kind = match kind {
                Type::Int => "BIGINT[]",
                Type::Text => "TEXT[]",
                Type::Hash => "BYTEA[]",
            };
            format!("CAST(${} AS {kind})", n + 1)
        })
        .collect();
    insert_sql(table, &format!("SELECT * FROM UNNEST({})", arrays.join(", ")))
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &PgType, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) if *kind == PgType::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Value::Int(value) => value.to_sql(kind, out),
            Value::Text(value) => value.to_sql(kind, out),
            Value::Bytes(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(_: &PgType) -> bool {
        true
    }

    to_sql_checked!();
}

fn error(error: tokio_postgres::Error) -> Error {
    let why = match error.code().map(|c| c.code()) {
        Some("40001" | "40P01" | "23505" | "55P03") => Why::Retry,
        Some("23514") => Why::Check,
        Some("53100") => Why::Full,
        Some(code) if code.starts_with("57P") || code.starts_with("08") || code == "53300" => Why::Lost,
        Some(_) => Why::Other,
        None => Why::Lost,
    };
    let text = match error.as_db_error() {
        Some(db) => format!("PostgreSQL {}: {}{}", db.code().code(), db.message(), db.constraint().map(|c| format!(" ({c})")).unwrap_or_default()),
        None => format!("PostgreSQL: {error}"),
    };
    Error { why, text }
}
