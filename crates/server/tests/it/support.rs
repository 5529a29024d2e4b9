//! Databases to test on, and short ways to say things.

use engine::db::Url;
use sim::postgres::{TempFolder, TempPostgres};
use std::sync::OnceLock;

/// One PostgreSQL for all tests of this process, stopped by the watchdog below when the process ends.
fn postgres() -> &'static TempPostgres {
    static SERVER: OnceLock<TempPostgres> = OnceLock::new();
    SERVER.get_or_init(|| TempPostgres::start(false).expect("a PostgreSQL for the tests"))
}

/// A database of each kind, new and empty.
pub struct Databases {
    _folder: TempFolder,
    pub urls: Vec<Url>,
}

pub fn databases() -> Databases {
    let folder = TempFolder::new("test").unwrap();
    let sqlite = Url::Sqlite(folder.path().join("holdfast.db"));
    let postgres = Url::parse(&postgres().database().unwrap()).unwrap();
    Databases { _folder: folder, urls: vec![sqlite, postgres] }
}

/// Runs a test on a new database of each kind.
pub fn on_both(test: impl Fn(Url)) {
    let databases = databases();
    for url in &databases.urls {
        eprintln!("on {url}");
        test(url.clone());
    }
}
