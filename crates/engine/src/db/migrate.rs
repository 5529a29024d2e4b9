//! Migrations: numbered texts that only add. Released ones never change; their hashes are kept in the database and compared.

use super::{Conn, Error, Faults, Result, Sql, Value};

/// All migrations, oldest first.
pub const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "ledger", include_str!("../../migrations/0001_ledger.sql")),
    (2, "channels", include_str!("../../migrations/0002_channels.sql")),
    (3, "alerts", include_str!("../../migrations/0003_alerts.sql")),
    (4, "warehouses", include_str!("../../migrations/0004_warehouses.sql")),
    (5, "contracts", include_str!("../../migrations/0005_contracts.sql")),
    (6, "access", include_str!("../../migrations/0006_access.sql")),
    (7, "lists", include_str!("../../migrations/0007_lists.sql")),
    (8, "notes", include_str!("../../migrations/0008_notes.sql")),
    (10, "desk", include_str!("../../migrations/0010_desk.sql")),
    (11, "imports", include_str!("../../migrations/0011_imports.sql")),
    (12, "closings", include_str!("../../migrations/0012_closings.sql")),
    (13, "orders_of_lists", include_str!("../../migrations/0013_orders_of_lists.sql")),
    (14, "transfers_and_handovers", include_str!("../../migrations/0014_transfers_and_handovers.sql")),
    (15, "listing_sums", include_str!("../../migrations/0015_listing_sums.sql")),
];

const CREATE: &str = "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, hash BYTEA NOT NULL)";
const APPLIED: Sql = Sql("SELECT hash FROM migrations WHERE version = $1");
const RECORD: Sql = Sql("INSERT INTO migrations (version, name, hash) VALUES ($1, $2, $3)");
const NEWEST: Sql = Sql("SELECT COALESCE(MAX(version), 0) FROM migrations");

/// Brings the database up to date. Several nodes may do so at once: one works, the others wait and find it done.
pub fn migrate(conn: &mut Conn) -> Result<()> {
    // Two nodes that create the first table at once collide in PostgreSQL's catalog; the loser finds it on the second try.
    if conn.batch(CREATE).is_err() {
        conn.batch(CREATE)?;
    }
    let none = Faults::default();
    let mut tx = conn.begin(&none)?;
    if tx.is_postgres() {
        // A migration reads whole tables, where who writes else finds rows by their keys.
        tx.conn.batch("LOCK TABLE migrations IN ACCESS EXCLUSIVE MODE; SET LOCAL enable_seqscan = on")?;
    }
    let newest = tx.one(NEWEST, &[], |row| row.int(0))?.unwrap_or(0);
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    if newest > known {
        return Err(Error::other(format!("the database is at version {newest}, this program knows only {known}; run a newer holdfast")));
    }
    for (version, name, text) in MIGRATIONS {
        let hash = *blake3::hash(text.as_bytes()).as_bytes();
        match tx.one(APPLIED, &[Value::Int(*version)], |row| row.hash(0))? {
            Some(applied) if applied == hash => continue,
            Some(_) => return Err(Error::other(format!("migration {version} ({name}) was changed after it was applied"))),
            None => {}
        }
        let text = if tx.is_postgres() { (*text).to_owned() } else { for_sqlite(text) };
        tx.conn.batch(&text)?;
        tx.execute(RECORD, &[Value::Int(*version), Value::Text(name), Value::Bytes(&hash)])?;
    }
    tx.commit()
}

/// Whether this database has had all migrations.
pub fn is_current(conn: &mut Conn) -> Result<bool> {
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    Ok(conn.begin_read()?.one(NEWEST, &[], |row| row.int(0))?.unwrap_or(0) >= known)
}

fn for_sqlite(text: &str) -> String {
    text.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY").replace("/* clustered */", "WITHOUT ROWID")
}
