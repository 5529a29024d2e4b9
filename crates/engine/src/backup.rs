//! Backup and restore. A backup is a SQLite file with everything in it, made from one consistent state while the server
//! runs, from either database; it is restored into an empty database of either kind. So it is also the way to move.

use crate::Stop;
use crate::db::{self, Cell, Conn, Faults, Rows, Sql, Table, Tx, Type, Url, Write};
use crate::statements::TABLES;
use std::path::{Path, PathBuf};

const COUNTERS: Table = Table { name: "counters", columns: &[("name", Type::Text), ("value", Type::Int)], key: "name" };
const IS_USED: Sql = Sql("SELECT COUNT(*) FROM (SELECT 1 FROM items LIMIT 1) AS some_item");

const CHUNK: usize = 5_000;

/// Writes everything into a new SQLite file. `progress` hears how many rows were copied.
pub fn backup(url: &Url, file: &Path, progress: impl FnMut(u64)) -> Result<(), Stop> {
    if file.exists() {
        return Err(Stop::broken(format!("{} exists already; a backup never overwrites", file.display())));
    }
    let mut source = Conn::open_to_read(url)?;
    if let Some(sqlite) = source.sqlite() {
        let name = file.to_string_lossy();
        sqlite.execute("VACUUM INTO ?1", [&*name]).map_err(|e| Stop::broken(format!("{}: {e}", file.display())))?;
        return std::fs::File::open(file).and_then(|f| f.sync_all()).map_err(|e| Stop::broken(e.to_string()));
    }
    let mut target = Conn::open(&Url::Sqlite(file.to_owned()))?;
    copy(&mut source, &mut target, progress)
}

/// Fills an empty database from a backup. One that an earlier version made is brought up to date in a copy beside it first.
pub fn restore(file: &Path, url: &Url, progress: impl FnMut(u64)) -> Result<(), Stop> {
    let mut source = Conn::open_to_read(&Url::Sqlite(file.to_owned()))?;
    let mut target = Conn::open(url)?;
    if db::is_current(&mut source)? {
        return copy(&mut source, &mut target, progress);
    }
    drop(source);
    let newer = Removed(file.with_extension(format!("{}.newer", std::process::id())));
    std::fs::copy(file, &newer.0).map_err(|e| Stop::broken(format!("{}, a copy of the backup for this version: {e}", newer.0.display())))?;
    let url = Url::Sqlite(newer.0.clone());
    db::migrate(&mut Conn::open(&url)?)?;
    copy(&mut Conn::open_to_read(&url)?, &mut target, progress)
}

/// A database that is there for a while.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(end);
            // What is not there need not go.
            let _ = std::fs::remove_file(name);
        }
    }
}

fn copy(source: &mut Conn, target: &mut Conn, mut progress: impl FnMut(u64)) -> Result<(), Stop> {
    crate::db::migrate(target)?;
    let none = Faults::default();
    let mut from = source.begin_read()?;
    let mut to = target.begin(&none)?;
    if to.one(IS_USED, &[], |r| r.int(0))?.unwrap_or(0) > 0 {
        return Err(Stop::broken("the database to restore into is not empty; choose another"));
    }
    let mut copied = 0;
    for table in TABLES.iter().copied().chain([&COUNTERS]) {
        copy_table(table, &mut from, &mut to, |rows| {
            copied += rows;
            progress(copied);
        })?;
    }
    Ok(to.commit()?)
}

fn copy_table(table: &'static Table, from: &mut Tx<'_>, to: &mut Tx<'_>, mut progress: impl FnMut(u64)) -> Result<(), Stop> {
    let width = table.columns.len();
    let mut rows = Rows::default();
    let mut failed = Ok(());
    from.each_row(table, &mut |row| {
        for (n, (_, kind)) in table.columns.iter().enumerate() {
            rows.0.push(match kind {
                Type::Int => row.opt_int(n).into(),
                Type::Text => row.opt_text(n).into(),
                Type::Hash => Cell::Hash(row.hash(n)),
            });
        }
        if rows.0.len() >= CHUNK * width && failed.is_ok() {
            progress(CHUNK as u64);
            failed = to.write(vec![Write { table, rows: std::mem::take(&mut rows), new: table.name != COUNTERS.name }]);
        }
    })?;
    failed?;
    progress((rows.0.len() / width) as u64);
    Ok(to.write(vec![Write { table, rows, new: table.name != COUNTERS.name }])?)
}
