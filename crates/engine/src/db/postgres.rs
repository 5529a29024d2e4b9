//! PostgreSQL: each connection has a small runtime of its own, so that the engine stays synchronous inside a transaction
//! and yet can send several bulk writes without waiting between them.

use super::{Ahead, Cell, Error, Lookup, Result, Row, Table, Type, Value, Why, Write, insert_sql};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, TryStreamExt, future::join, future::join_all, future::try_join_all, pin_mut};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{IsNull, ToSql, Type as PgType, to_sql_checked};
use tokio_postgres::{Client, NoTls, Socket, Statement};

pub struct Postgres {
    runtime: tokio::runtime::Runtime,
    client: Client,
    statements: HashMap<String, Statement>,
    url: String,
    /// Run when the connection is made.
    settings: &'static str,
    /// What begins a transaction, until its first statement takes it along.
    begin: Option<&'static str>,
    /// Reads that were told ahead and are not sent yet, and what those that were sent found, by their names.
    told: Vec<Told>,
    known: HashMap<String, Found>,
    /// How often reads were sent and waited for.
    pub trips: u64,
}

type Values<'v> = [&'v (dyn ToSql + Sync)];
type Found = Arc<Vec<tokio_postgres::Row>>;

/// Whether a server of this URL is elsewhere and not asked to encrypt.
pub fn is_in_the_clear(url: &str) -> bool {
    let Ok(config) = url.parse::<tokio_postgres::Config>() else { return false };
    let elsewhere = |host: &Host| match host {
        Host::Tcp(name) => name != "localhost" && !name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        _ => false,
    };
    // An address that is given goes before the name.
    let by_address = config.get_hostaddrs().iter().any(|address| !address.is_loopback());
    config.get_ssl_mode() != SslMode::Require && (by_address || config.get_hosts().iter().any(elsewhere))
}

/// A read that will be asked for.
struct Told {
    name: String,
    sql: Cow<'static, str>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Postgres {
    /// Connects, and runs these statements on the new connection.
    pub fn open(url: &str, settings: &'static str) -> Result<Postgres> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| Error::other(e.to_string()))?;
        let mut config: tokio_postgres::Config = url.parse().map_err(error)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(std::time::Duration::from_secs(5));
        }
        config.application_name("holdfast");
        let client = if config.get_ssl_mode() == SslMode::Require {
            runtime.block_on(connect(&config, super::tls::connector()?))?
        } else {
            runtime.block_on(connect(&config, NoTls))?
        };
        let mut this = Postgres {
            runtime,
            client,
            statements: HashMap::new(),
            url: url.to_owned(),
            settings,
            begin: None,
            told: Vec::new(),
            known: HashMap::new(),
            trips: 0,
        };
        if !settings.is_empty() {
            this.batch(settings)?;
        }
        Ok(this)
    }

    /// Begins a transaction together with its first statement, in one round trip.
    pub fn begin_later(&mut self, begin: &'static str) {
        self.told.clear();
        self.known.clear();
        self.begin = Some(begin);
    }

    /// Ends a transaction that changed nothing. Sends that and does not wait for the answer: whatever went wrong, the next statement
    /// on this connection says so.
    pub fn let_go(&mut self) {
        self.told.clear();
        self.known.clear();
        if self.begin.take().is_some() {
            return;
        }
        let rollback = self.client.batch_execute("ROLLBACK");
        self.runtime.block_on(async {
            pin_mut!(rollback);
            poll_fn(|cx| Poll::Ready(rollback.as_mut().poll(cx).is_ready())).await;
            // The connection's own task writes it to the socket.
            tokio::task::yield_now().await;
        });
    }

    pub fn batch(&mut self, sql: &str) -> Result<()> {
        self.begin = None;
        self.runtime.block_on(self.client.batch_execute(sql)).map_err(error)
    }

    pub fn check(&mut self, sql: &str) -> Result<()> {
        self.runtime.block_on(self.client.prepare(sql)).map(drop).map_err(error)
    }

    /// Runs a statement. The first one of a transaction takes along what begins it; if the connection had died while it lay idle, it is
    /// run on a new one, as nothing was read yet.
    fn run<T>(&mut self, work: impl Fn(&mut Postgres, Option<&'static str>) -> Result<T>) -> Result<T> {
        let begin = self.begin.take();
        match work(self, begin) {
            Err(error) if begin.is_some() && error.why == Why::Lost => {
                *self = Postgres::open(&self.url, self.settings)?;
                work(self, begin)
            }
            done => done,
        }
    }

    /// Waits for a statement, which is sent together with what begins its transaction.
    fn wait<T>(&self, begin: Option<&'static str>, work: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>) -> Result<T> {
        let done = match begin {
            None => self.runtime.block_on(work),
            Some(begin) => self.runtime.block_on(async {
                let (begun, done) = join(self.client.batch_execute(begin), work).await;
                begun.and(done)
            }),
        };
        done.map_err(error)
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
        self.query(sql, &borrowed(values), each)
    }

    /// Notes reads that will be asked for.
    pub fn ahead(&mut self, reads: &[Ahead<'_>]) {
        for read in reads {
            let told = match *read {
                Ahead::Ids(_, [], _) => continue,
                // What is read of very many is not kept beside what is made of it.
                Ahead::Ids(_, keys, _) if keys.len() > MAX_KEYS => continue,
                Ahead::Ids(lookup, keys, more) => {
                    let sql = lookup_sql(&Lookup { lock: false, ..*lookup });
                    let values = std::iter::once(Box::new(keys.to_vec()) as _).chain(more.iter().map(Value::owned)).collect();
                    Told { name: name(&sql, &keyed(&keys, more)), sql: sql.into(), values }
                }
                Ahead::Rows(sql, values) => {
                    Told { name: name(sql.0, &borrowed(values)), sql: sql.0.into(), values: values.iter().map(Value::owned).collect() }
                }
            };
            let is_new = !self.known.contains_key(&told.name) && self.told.iter().all(|t| t.name != told.name);
            if is_new && self.told.len() < MAX_TOLD {
                self.told.push(told);
            }
        }
    }

    /// What a statement finds for each set of values: what is known, and the others in one round trip with all reads that were told.
    fn found<'v>(&mut self, sql: &str, sets: &[impl AsRef<Values<'v>>]) -> Result<Vec<Found>> {
        if self.told.is_empty() && self.known.is_empty() {
            return self.send(&sets.iter().map(|values| (sql, values.as_ref().to_vec())).collect::<Vec<_>>());
        }
        let names: Vec<String> = sets.iter().map(|values| name(sql, values.as_ref())).collect();
        let mut asked: HashMap<&str, Found> = HashMap::new();
        if !names.iter().all(|name| self.known.contains_key(name)) {
            let told = std::mem::take(&mut self.told);
            let (others, mut found) = {
                let of_told: HashSet<&str> = told.iter().map(|t| t.name.as_str()).collect();
                let mut reads: Vec<(&str, Vec<&(dyn ToSql + Sync)>)> =
                    told.iter().map(|t| (&*t.sql, t.values.iter().map(|v| v.as_ref() as _).collect())).collect();
                let mut others: Vec<&str> = Vec::new();
                for (name, values) in names.iter().zip(sets) {
                    if !self.known.contains_key(name) && !of_told.contains(name.as_str()) {
                        others.push(name);
                        reads.push((sql, values.as_ref().to_vec()));
                    }
                }
                (others, self.send(&reads)?)
            };
            // What was not told is not kept.
            asked.extend(others.into_iter().zip(found.split_off(told.len())));
            self.known.extend(told.into_iter().map(|t| t.name).zip(found));
        }
        Ok(names.iter().filter_map(|name| self.known.get(name).or_else(|| asked.get(name.as_str())).cloned()).collect())
    }

    /// Sends statements with their values without waiting in between.
    fn send(&mut self, reads: &[(&str, Vec<&(dyn ToSql + Sync)>)]) -> Result<Vec<Found>> {
        self.trips += 1;
        self.run(|this, begin| {
            let statements = reads.iter().map(|(sql, _)| this.statement(sql)).collect::<Result<Vec<Statement>>>()?;
            let queries = statements.iter().zip(reads).map(|(statement, (_, values))| this.client.query(statement, values));
            let found = this.wait(begin, try_join_all(queries))?;
            Ok(found.into_iter().map(Arc::new).collect())
        })
    }

    /// Reads the rows of all sets of values.
    pub fn rows_of_each<const N: usize>(&mut self, sql: &str, sets: &[[Value<'_>; N]], each: &mut dyn FnMut(usize, &Row<'_>)) -> Result<()> {
        let sets: Vec<[&(dyn ToSql + Sync); N]> = sets.iter().map(|values| values.each_ref().map(|v| v as _)).collect();
        for (n, rows) in self.found(sql, &sets)?.iter().enumerate() {
            rows.iter().for_each(|row| each(n, &Row::Postgres(row)));
        }
        Ok(())
    }

    pub fn lookup(&mut self, lookup: &Lookup, keys: &(dyn ToSql + Sync), more: &[Value<'_>], each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        self.query(&lookup_sql(lookup), &keyed(keys, more), each)
    }

    fn query(&mut self, sql: &str, values: &Values<'_>, each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        for rows in self.found(sql, &[values])? {
            rows.iter().for_each(|row| each(&Row::Postgres(row)));
        }
        Ok(())
    }

    pub fn stream(&mut self, sql: &str, values: &[Value<'_>], each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        let rows = self.run(|this, begin| {
            let statement = this.statement(sql)?;
            this.wait(begin, this.client.query_raw(&statement, borrowed(values)))
        })?;
        self.runtime.block_on(async {
            pin_mut!(rows);
            while let Some(row) = rows.try_next().await.map_err(error)? {
                each(&Row::Postgres(&row));
            }
            Ok(())
        })
    }

    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let values = borrowed(values);
        self.run(|this, begin| {
            let statement = this.statement(sql)?;
            this.wait(begin, this.client.execute(&statement, &values))
        })
    }

    pub fn write(&mut self, writes: &[Write]) -> Result<()> {
        if let Some(begin) = self.begin.take() {
            self.batch(begin)?;
        }
        let (copied, inserted): (Vec<&Write>, Vec<&Write>) =
            writes.iter().filter(|w| !w.rows.0.is_empty()).partition(|w| w.new && w.rows.0.len() >= COPY_FROM * w.table.columns.len());
        let mut work = Vec::with_capacity(inserted.len());
        for write in inserted {
            work.push((self.statement(&insert_unnest_sql(write.table, write.new))?, columns(write.table, &write.rows.0)));
        }
        let client = &self.client;
        let inserts = work.iter().map(|(statement, columns)| async move {
            let values: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| c.as_ref() as _).collect();
            client.execute(statement, &values).await
        });
        // Sent without waiting in between. After the first failure the others only say that the transaction is aborted.
        let results = self.runtime.block_on(join_all(inserts));
        if let Some(failed) = results.into_iter().find_map(|r| r.err()) {
            return Err(error(failed));
        }
        copied.into_iter().try_for_each(|write| self.copy(write))
    }

    /// COPY costs the server about half of what an insert from arrays does. Sent in pieces, so that the server reads one
    /// while the next is made.
    fn copy(&mut self, write: &Write) -> Result<()> {
        let statement = self.statement(&copy_sql(write.table))?;
        let width = write.table.columns.len();
        self.runtime
            .block_on(async {
                let sink = self.client.copy_in(&statement).await?;
                pin_mut!(sink);
                sink.feed(Bytes::from_static(COPY_HEAD)).await?;
                for piece in write.rows.0.chunks(COPY_PIECE * width) {
                    sink.send(copy_bytes(width, piece)).await?;
                }
                sink.feed(Bytes::from_static(COPY_END)).await?;
                sink.finish().await
            })
            .map(drop)
            .map_err(error)
    }
}

/// Connects; a task of its own carries what is sent and answered.
async fn connect<T>(config: &tokio_postgres::Config, tls: T) -> Result<Client>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await.map_err(error)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("PostgreSQL connection ended: {error}");
        }
    });
    Ok(client)
}

/// Most reads that are told ahead at once, and most keys of one.
const MAX_TOLD: usize = 200;
const MAX_KEYS: usize = 1_000;

/// A statement and its values, to know it by.
fn name(sql: &str, values: &Values<'_>) -> String {
    format!("{sql} {values:?}")
}

fn borrowed<'v>(values: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|v| v as _).collect()
}

/// The values of a lookup.
fn keyed<'v>(keys: &'v (dyn ToSql + Sync), more: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    std::iter::once(keys).chain(borrowed(more)).collect()
}

impl Value<'_> {
    fn owned(&self) -> Box<dyn ToSql + Sync + Send> {
        match *self {
            Value::Null => Box::new(Value::Null),
            Value::Int(value) => Box::new(Value::Int(value)),
            Value::Text(text) => Box::new(text.to_owned()),
            Value::Bytes(bytes) => Box::new(bytes.to_vec()),
        }
    }
}

/// Fewer rows than these are inserted from arrays, which takes one round trip instead of two.
const COPY_FROM: usize = 16;

/// Rows in one message of a COPY.
const COPY_PIECE: usize = 256;

/// How PostgreSQL's binary COPY begins and ends (manual, section "COPY", Binary Format).
const COPY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_END: &[u8] = &(-1i16).to_be_bytes();

/// Rows in PostgreSQL's binary COPY format.
fn copy_bytes(width: usize, cells: &[Cell]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(cells.len() * 24);
    let field = |bytes: &mut BytesMut, value: &[u8]| {
        bytes.extend_from_slice(&(value.len() as i32).to_be_bytes());
        bytes.extend_from_slice(value);
    };
    for row in cells.chunks_exact(width) {
        bytes.extend_from_slice(&(width as i16).to_be_bytes());
        for cell in row {
            match cell {
                Cell::Null => bytes.extend_from_slice(&(-1i32).to_be_bytes()),
                Cell::Int(value) => field(&mut bytes, &value.to_be_bytes()),
                Cell::Hash(hash) => field(&mut bytes, hash),
                text => field(&mut bytes, text.text().unwrap_or_default().as_bytes()),
            }
        }
    }
    bytes.freeze()
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
    // A limit is one for each key, as on SQLite, which asks for one key at a time.
    if let Some((order, limit)) = order.split_once(" LIMIT ") {
        let each = format!("SELECT * FROM {from} WHERE {key} = wanted.value {and} ORDER BY {order} LIMIT {limit}");
        return format!(
            "SELECT {columns} FROM UNNEST(CAST($1 AS BIGINT[])) AS wanted (value) CROSS JOIN LATERAL ({each}) AS found ORDER BY {order} {lock}"
        );
    }
    format!("SELECT {columns} FROM {from} WHERE {key} = ANY($1) {and} ORDER BY {order} {lock}")
}

pub fn copy_sql(table: &Table) -> String {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    format!("COPY {} ({}) FROM STDIN BINARY", table.name, names.join(", "))
}

pub fn insert_unnest_sql(table: &Table, new: bool) -> String {
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
    insert_sql(table, new, &format!("SELECT * FROM UNNEST({})", arrays.join(", ")))
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
        None => match error.source() {
            Some(cause) => format!("PostgreSQL: {error}: {cause}"),
            None => format!("PostgreSQL: {error}"),
        },
    };
    Error { why, text }
}
