//! Checkpoints of an embedded database, made beside the writer. SQLite copies its log into the file when the log has grown
//! long, and does that inside whichever commit comes next; under load that commit, and everybody who waits for it, stood
//! still for a tenth of a second. What was copied here by then, it need not copy.

use super::{Result, Url, sqlite::Sqlite};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sequencer::Figures;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// Commits since the last look below which it is left alone: the writer's own checkpoints are short then.
const BUSY: i64 = 20;

/// Runs until it is dropped.
pub struct Checkpoints {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Begins; None for a database that sees to it itself.
    pub fn begin(url: &Url, figures: Arc<Figures>) -> Result<Option<Checkpoints>> {
        let Url::Sqlite(path) = url else { return Ok(None) };
        let mut sqlite = Sqlite::open(path, false)?;
        let (stop, stopped) = channel();
        let work = move || {
            let mut known = 0;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let commits = figures.commits.load(Ordering::Relaxed);
                if commits - known >= BUSY {
                    // One that fails is made up for by the next, or by the writer.
                    let _ = sqlite.batch("PRAGMA wal_checkpoint(PASSIVE)");
                }
                known = commits;
            }
            // What was committed last is in the file itself when the server has stopped, for whoever copies only that.
            let _ = sqlite.batch("PRAGMA wal_checkpoint(PASSIVE)");
        };
        let thread = std::thread::Builder::new().name("checkpoints".into()).spawn(work).map_err(|e| super::Error::other(e.to_string()))?;
        Ok(Some(Checkpoints { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
