//! What a run is made on: an embedded file, a PostgreSQL database, or two nodes on one of those. PostgreSQL databases are
//! emptied and used again, because making one costs more than a whole run.

use crate::postgres::{TempFolder, TempPostgres};
use engine::db::{Conn, Url};
use engine::{Engine, Options, Stop};
use std::sync::{Arc, Mutex};

/// A PostgreSQL server and its idle databases.
pub struct Server {
    pub postgres: TempPostgres,
    idle: Mutex<Vec<String>>,
    /// Whether runs may stop and start the server: only where nothing else uses it.
    pub may_restart: bool,
}

impl Server {
    pub fn start(may_restart: bool) -> std::io::Result<Arc<Server>> {
        Ok(Arc::new(Server { postgres: TempPostgres::start()?, idle: Mutex::default(), may_restart }))
    }
}

/// Where to run.
#[derive(Clone)]
pub enum Target {
    Sqlite,
    Postgres(Arc<Server>),
    TwoNodes(Arc<Server>),
}

impl Target {
    pub fn name(&self) -> &'static str {
        match self {
            Target::Sqlite => "SQLite",
            Target::Postgres(_) => "PostgreSQL",
            Target::TwoNodes(_) => "PostgreSQL, two nodes",
        }
    }

    pub fn nodes(&self) -> usize {
        if matches!(self, Target::TwoNodes(_)) { 2 } else { 1 }
    }

    pub fn server(&self) -> Option<&Arc<Server>> {
        match self {
            Target::Sqlite => None,
            Target::Postgres(server) | Target::TwoNodes(server) => Some(server),
        }
    }

    /// An empty database.
    pub fn database(&self) -> Result<Database, Stop> {
        let broken = |e: std::io::Error| Stop::broken(e.to_string());
        let Some(server) = self.server() else {
            let folder = TempFolder::new("sim").map_err(broken)?;
            return Ok(Database { url: Url::Sqlite(folder.path().join("sim.db")), _folder: Some(folder), server: None });
        };
        let idle = server.idle.lock().unwrap_or_else(|e| e.into_inner()).pop();
        let url = match idle {
            Some(url) => {
                empty(&url)?;
                url
            }
            None => server.postgres.database().map_err(broken)?,
        };
        Ok(Database { url: Url::parse(&url)?, _folder: None, server: Some((server.clone(), url)) })
    }
}

/// Makes a database as it was after its migrations. Caches see by the `config` counter that all is different.
fn empty(url: &str) -> Result<(), Stop> {
    let mut tables: Vec<&str> = engine::TABLES.iter().map(|t| t.name).collect();
    tables.extend(["leases", "api_keys"]);
    let sql = format!(
        "TRUNCATE {}; UPDATE counters SET value = CASE name WHEN 'id' THEN 1000 WHEN 'event' THEN 0 WHEN 'audit' THEN 0 ELSE value + 1 END",
        tables.join(", ")
    );
    Ok(Conn::open(&Url::parse(url)?)?.batch(&sql)?)
}

/// A database for one run; handed back when dropped.
pub struct Database {
    pub url: Url,
    _folder: Option<TempFolder>,
    server: Option<(Arc<Server>, String)>,
}

impl Database {
    pub fn open(&self, options: impl FnOnce(&mut Options)) -> Result<Engine, Stop> {
        let mut made = Options::new(self.url.clone());
        made.readers = 2;
        options(&mut made);
        Engine::open(made)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, url)) = self.server.take() {
            server.idle.lock().unwrap_or_else(|e| e.into_inner()).push(url);
        }
    }
}
