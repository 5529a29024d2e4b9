//! The database: SQLite or PostgreSQL behind one thin [`Tx`]. One SQL text serves both.
//!
//! Here: connections, transactions, parameters, rows, bulk writes, faults for the simulation. Not here: any statement of
//! the business; those stand beside the operation that uses them, as `Sql("…")`, `Lookup` or `Table` constants.

mod checkpoint;
mod faults;
mod migrate;
mod postgres;
mod sqlite;
mod tls;

pub use checkpoint::Checkpoints;
pub use faults::{Fault, Faults};
pub use migrate::{MIGRATIONS, is_current, migrate};

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the data is.
#[derive(Clone, PartialEq, Eq)]
pub enum Url {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Url {
    /// Reads `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    pub fn parse(text: &str) -> Result<Url> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(Error::other("sqlite: needs a path, such as sqlite:holdfast.db"));
            }
            return Ok(Url::Sqlite(path.into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Url::Postgres(text.into()));
        }
        Err(Error::other("a database URL begins with sqlite: or postgres://"))
    }

    /// Whether what is asked and answered crosses a network without being encrypted.
    pub fn is_in_the_clear(&self) -> bool {
        match self {
            Url::Sqlite(_) => false,
            Url::Postgres(url) => postgres::is_in_the_clear(url),
        }
    }
}

/// Without the password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Url::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Url::Postgres(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
                write!(f, "{scheme}://{}", address.split('?').next().unwrap_or(""))
            }
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why the database said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Serialization failure, deadlock or a lost race for a unique key: the same transaction may pass when tried again.
    Retry,
    /// A CHECK constraint: the program was about to write something impossible.
    Check,
    /// No space left.
    Full,
    /// The connection broke; whether a commit under way was applied is unknown.
    Lost,
    /// The simulation said: the process dies here.
    Crash,
    Other,
}

#[derive(Debug, Clone)]
pub struct Error {
    pub why: Why,
    pub text: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

impl Error {
    pub fn other(text: impl Into<String>) -> Error {
        Error { why: Why::Other, text: text.into() }
    }
}

pub type Result<T> = std::result::Result<T, Error>;

/// A statement. Parameters are `$1..$n`, in the order of their first appearance (SQLite numbers them so).
#[derive(Clone, Copy)]
pub struct Sql(pub &'static str);

/// A read of many rows by one key column, in one round trip: `SELECT {columns} FROM {from} WHERE {key} = $1 {and}`.
pub struct Lookup {
    pub columns: &'static str,
    pub from: &'static str,
    pub key: &'static str,
    /// Further conditions on `$2…`.
    pub and: &'static str,
    /// Rows are read, and locked, in this order.
    pub order: &'static str,
    /// Lock the rows until the transaction ends. SQLite has one writer and needs none.
    pub lock: bool,
}

/// A read that will be asked for: what [`Tx::ahead`] is told.
#[derive(Clone, Copy)]
pub enum Ahead<'a> {
    /// By [`Tx::rows`] or [`Tx::one`].
    Rows(Sql, &'a [Value<'a>]),
    /// By [`Tx::by_ids`], with its further values.
    Ids(&'a Lookup, &'a [i64], &'a [Value<'a>]),
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Int,
    Text,
    Hash,
}

/// A table that is written in bulk. Its `key` finds the row that a changed one overwrites.
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Type)],
    pub key: &'static str,
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub fn opt_int(value: Option<i64>) -> Value<'a> {
        value.map_or(Value::Null, Value::Int)
    }

    pub fn opt_text(value: Option<&'a str>) -> Value<'a> {
        value.map_or(Value::Null, Value::Text)
    }
}

/// A field of a row that is written in bulk.
#[derive(Debug, Clone)]
pub enum Cell {
    Null,
    Int(i64),
    Word(&'static str),
    Shared(Arc<str>),
    Text(String),
    Hash([u8; 32]),
}

impl Cell {
    /// As a parameter of a single statement.
    pub fn value(&self) -> Value<'_> {
        match self {
            Cell::Null => Value::Null,
            Cell::Int(value) => Value::Int(*value),
            Cell::Hash(hash) => Value::Bytes(hash),
            text => Value::Text(text.text().unwrap_or_default()),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Cell::Word(text) => Some(text),
            Cell::Shared(text) => Some(text),
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Cell {
        Cell::Int(value)
    }
}
impl From<bool> for Cell {
    fn from(value: bool) -> Cell {
        Cell::Int(i64::from(value))
    }
}
impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(value)
    }
}
impl From<&'static str> for Cell {
    fn from(value: &'static str) -> Cell {
        Cell::Word(value)
    }
}
impl From<Arc<str>> for Cell {
    fn from(value: Arc<str>) -> Cell {
        Cell::Shared(value)
    }
}
impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

/// Rows for one table, one field after another.
#[derive(Default)]
pub struct Rows(pub Vec<Cell>);

/// Rows to be written into a table.
pub struct Write {
    pub table: &'static Table,
    pub rows: Rows,
    /// None of the rows is there yet. Else, one that is there is overwritten.
    pub new: bool,
}

impl Write {
    pub fn new(table: &'static Table, rows: Rows) -> Write {
        Write { table, rows, new: true }
    }

    pub fn changed(table: &'static Table, rows: Rows) -> Write {
        Write { table, rows, new: false }
    }
}

/// A row that was read. Columns count from 0.
pub enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    pub fn int(&self, column: usize) -> i64 {
        self.opt_int(column).unwrap_or_default()
    }

    pub fn opt_int(&self, column: usize) -> Option<i64> {
        match self {
            Row::Sqlite(row) => row.get(column).ok().flatten(),
            Row::Postgres(row) => row.try_get(column).ok().flatten(),
        }
    }

    pub fn flag(&self, column: usize) -> bool {
        self.int(column) != 0
    }

    pub fn text(&self, column: usize) -> String {
        self.opt_text(column).unwrap_or_default()
    }

    pub fn opt_text(&self, column: usize) -> Option<String> {
        match self {
            Row::Sqlite(row) => row.get(column).ok().flatten(),
            Row::Postgres(row) => row.try_get(column).ok().flatten(),
        }
    }

    pub fn hash(&self, column: usize) -> [u8; 32] {
        let bytes: Vec<u8> = match self {
            Row::Sqlite(row) => row.get(column).unwrap_or_default(),
            Row::Postgres(row) => row.try_get(column).unwrap_or_default(),
        };
        bytes.try_into().unwrap_or([0; 32])
    }
}

/// One connection.
pub enum Conn {
    Sqlite(sqlite::Sqlite),
    Postgres(Box<postgres::Postgres>),
}

impl Conn {
    /// Opens a connection that may write.
    pub fn open(url: &Url) -> Result<Conn> {
        match url {
            Url::Sqlite(path) => Ok(Conn::Sqlite(sqlite::Sqlite::open(path, false)?)),
            // The writer finds rows by their keys. A plan made while a table was empty would be a walk over all of it, and would stay one
            // while the table grows.
            Url::Postgres(url) => Ok(Conn::Postgres(Box::new(postgres::Postgres::open(url, "SET enable_seqscan = off")?))),
        }
    }

    /// Opens a connection that only reads. The database must exist.
    pub fn open_to_read(url: &Url) -> Result<Conn> {
        match url {
            Url::Sqlite(path) => Ok(Conn::Sqlite(sqlite::Sqlite::open(path, true)?)),
            Url::Postgres(url) => Ok(Conn::Postgres(Box::new(postgres::Postgres::open(url, "")?))),
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self, Conn::Postgres(_))
    }

    /// Begins a transaction that writes. It is rolled back unless committed.
    pub fn begin<'a>(&'a mut self, faults: &'a Faults) -> Result<Tx<'a>> {
        faults.at("begin")?;
        let begin = if self.is_postgres() { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.batch(begin)?;
        Ok(Tx { conn: self, faults, open: true, locks: true })
    }

    /// Begins a transaction that reads one consistent state.
    pub fn begin_read(&mut self) -> Result<Tx<'_>> {
        match self {
            Conn::Sqlite(conn) => conn.batch("BEGIN")?,
            Conn::Postgres(conn) => conn.begin_later("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        }
        Ok(Tx { conn: self, faults: faults::none(), open: true, locks: false })
    }

    /// Runs statements without parameters.
    pub fn batch(&mut self, sql: &str) -> Result<()> {
        match self {
            Conn::Sqlite(conn) => conn.batch(sql),
            Conn::Postgres(conn) => conn.batch(sql),
        }
    }

    /// Whether a statement can be prepared here: for the test that tries them all.
    pub fn check(&mut self, sql: &str) -> Result<()> {
        match self {
            Conn::Sqlite(conn) => conn.check(sql),
            Conn::Postgres(conn) => conn.check(sql),
        }
    }

    /// How often reads were sent to PostgreSQL and waited for, since the connection was opened.
    pub fn trips(&self) -> u64 {
        match self {
            Conn::Sqlite(_) => 0,
            Conn::Postgres(conn) => conn.trips,
        }
    }

    /// The SQLite connection, for its own backup.
    pub fn sqlite(&self) -> Option<&rusqlite::Connection> {
        match self {
            Conn::Sqlite(conn) => Some(&conn.conn),
            Conn::Postgres(_) => None,
        }
    }
}

/// A transaction.
pub struct Tx<'a> {
    conn: &'a mut Conn,
    faults: &'a Faults,
    open: bool,
    /// Only who writes has anything to lock.
    locks: bool,
}

impl Tx<'_> {
    pub fn is_postgres(&self) -> bool {
        self.conn.is_postgres()
    }

    /// Tells of reads that will be asked for. They go to the database together with the next one that is asked for, all in one round
    /// trip; whoever then asks for one of them, in the usual way and in this transaction, is answered from there. Nothing depends on it
    /// but time. Nothing happens on SQLite, which has no round trips, nor where the transaction writes, as it could change what was read.
    pub fn ahead(&mut self, reads: &[Ahead<'_>]) {
        if let (Conn::Postgres(conn), false) = (&mut *self.conn, self.locks) {
            conn.ahead(reads);
        }
    }

    /// Reads rows.
    pub fn rows<T>(&mut self, sql: Sql, values: &[Value<'_>], mut read: impl FnMut(&Row<'_>) -> T) -> Result<Vec<T>> {
        self.faults.at("read")?;
        let mut rows = Vec::new();
        let mut each = |row: &Row<'_>| rows.push(read(row));
        match self.conn {
            Conn::Sqlite(conn) => conn.rows(sql.0, values, &mut each)?,
            Conn::Postgres(conn) => conn.rows(sql.0, values, &mut each)?,
        }
        Ok(rows)
    }

    /// Reads rows of one statement for many sets of values, in one round trip. `each` hears the place of the set.
    pub fn rows_of_each<const N: usize>(&mut self, sql: Sql, sets: &[[Value<'_>; N]], each: &mut dyn FnMut(usize, &Row<'_>)) -> Result<()> {
        if sets.is_empty() {
            return Ok(());
        }
        self.faults.at("read")?;
        match self.conn {
            Conn::Sqlite(conn) => sets.iter().enumerate().try_for_each(|(n, values)| conn.rows(sql.0, values, &mut |row| each(n, row))),
            Conn::Postgres(conn) => conn.rows_of_each(sql.0, sets, each),
        }
    }

    /// Reads the first row, if there is one.
    pub fn one<T>(&mut self, sql: Sql, values: &[Value<'_>], read: impl FnMut(&Row<'_>) -> T) -> Result<Option<T>> {
        Ok(self.rows(sql, values, read)?.into_iter().next())
    }

    /// Reads rows one at a time without keeping them: for results of any size.
    pub fn each(&mut self, sql: Sql, values: &[Value<'_>], each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        match self.conn {
            Conn::Sqlite(conn) => conn.rows(sql.0, values, each),
            Conn::Postgres(conn) => conn.stream(sql.0, values, each),
        }
    }

    /// Reads a whole table one row at a time.
    pub fn each_row(&mut self, table: &Table, each: &mut dyn FnMut(&Row<'_>)) -> Result<()> {
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let sql = format!("SELECT {} FROM {}", names.join(", "), table.name);
        match self.conn {
            Conn::Sqlite(conn) => conn.rows(&sql, &[], each),
            Conn::Postgres(conn) => conn.stream(&sql, &[], each),
        }
    }

    /// Writes; answers how many rows changed.
    pub fn execute(&mut self, sql: Sql, values: &[Value<'_>]) -> Result<u64> {
        self.faults.at("write")?;
        match self.conn {
            Conn::Sqlite(conn) => conn.execute(sql.0, values),
            Conn::Postgres(conn) => conn.execute(sql.0, values),
        }
    }

    /// Reads the rows of many integer keys. `keys` must be sorted, so that locks are taken in one order.
    pub fn by_ids<T>(&mut self, lookup: &Lookup, keys: &[i64], more: &[Value<'_>], mut read: impl FnMut(&Row<'_>) -> T) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        if keys.is_empty() {
            return Ok(rows);
        }
        self.faults.at("read")?;
        let lookup = &Lookup { lock: lookup.lock && self.locks, ..*lookup };
        let mut each = |row: &Row<'_>| rows.push(read(row));
        match self.conn {
            Conn::Sqlite(conn) => conn.lookup(lookup, keys.iter().map(|k| Value::Int(*k)), more, &mut each)?,
            Conn::Postgres(conn) => conn.lookup(lookup, &keys, more, &mut each)?,
        }
        Ok(rows)
    }

    /// Reads the rows of many text keys. `keys` must be sorted.
    pub fn by_names<T>(&mut self, lookup: &Lookup, keys: &[&str], mut read: impl FnMut(&Row<'_>) -> T) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        if keys.is_empty() {
            return Ok(rows);
        }
        self.faults.at("read")?;
        let lookup = &Lookup { lock: lookup.lock && self.locks, ..*lookup };
        let mut each = |row: &Row<'_>| rows.push(read(row));
        match self.conn {
            Conn::Sqlite(conn) => conn.lookup(lookup, keys.iter().map(|k| Value::Text(k)), &[], &mut each)?,
            Conn::Postgres(conn) => conn.lookup(lookup, &keys, &[], &mut each)?,
        }
        Ok(rows)
    }

    /// Writes rows into several tables.
    pub fn write(&mut self, writes: Vec<Write>) -> Result<()> {
        for write in &writes {
            self.faults.at(write.table.name)?;
        }
        match self.conn {
            Conn::Sqlite(conn) => writes.iter().try_for_each(|write| conn.write(write)),
            Conn::Postgres(conn) => conn.write(&writes),
        }
    }

    pub fn commit(mut self) -> Result<()> {
        self.faults.at("commit")?;
        self.open = false;
        let done = self.conn.batch("COMMIT");
        if let Err(error) = done {
            if error.why != Why::Lost {
                let _ = self.conn.batch("ROLLBACK");
            }
            return Err(error);
        }
        self.faults.at("committed")
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if self.open {
            match &mut *self.conn {
                Conn::Postgres(conn) if !self.locks => conn.let_go(),
                conn => drop(conn.batch("ROLLBACK")),
            }
        }
    }
}

/// The statements that a lookup or a table turns into here: for the test that prepares them all.
pub fn texts(lookups: &[&Lookup], tables: &[&Table], is_postgres: bool) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for lookup in lookups {
        texts.push(if is_postgres { postgres::lookup_sql(lookup) } else { sqlite::lookup_sql(lookup) });
    }
    for table in tables {
        for new in [true, false] {
            texts.push(if is_postgres { postgres::insert_unnest_sql(table, new) } else { sqlite::insert_values_sql(table, new) });
        }
        if is_postgres {
            texts.push(postgres::copy_sql(table));
        }
    }
    texts
}

/// The text of a bulk write: `INSERT INTO t (a, b) {source} ON CONFLICT …`.
fn insert_sql(table: &Table, new: bool, source: &str) -> String {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let mut sql = format!("INSERT INTO {} ({}) {source}", table.name, names.join(", "));
    if !new && !table.key.is_empty() {
        let keys: Vec<&str> = table.key.split(", ").collect();
        let set: Vec<String> = names.iter().filter(|n| !keys.contains(n)).map(|n| format!("{n} = excluded.{n}")).collect();
        sql.push_str(&format!(" ON CONFLICT ({}) DO UPDATE SET {}", table.key, set.join(", ")));
    }
    sql
}
