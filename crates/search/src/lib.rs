//! Finds. Items and orders by what a person types: a code, the beginning of a name, a postal code. An index of its own beside the
//! database, made from it and fed by its events; it can be thrown away at any time and is then made anew.
//!
//! Start at [`Search`]: `run` keeps the index up to date (`follow.rs`, in the files of `folder.rs`), `find` asks it (`find.rs`). What
//! an item or order consists of is in `schema.rs`, what a word is in `text.rs`. Not here: SQL, and what is shown of a hit.

mod find;
mod folder;
mod follow;
mod schema;
mod text;

pub use find::{Hit, Kind, MAX_LIMIT, MAX_TOTAL, Query};

use domain::Refused;
use engine::{Engine, Stop};
use folder::{Opened, Reading, State, Writing, broken};
use follow::Follower;
use schema::Fields;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tantivy::Searcher;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longest between two looks at the database when nothing happens on this node.
const LOOK: Duration = Duration::from_millis(500);
/// Shortest between two steps; one that took longer is followed by a rest as long, so that others get half of the machine.
const GAP: Duration = Duration::from_millis(50);
/// Between two looks at an index that another process writes, and before the first try again after a failure.
const AGAIN: Duration = Duration::from_secs(2);
/// Before the tries of a failure that lasts.
const MAX_AGAIN: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The best first: a code that is just what was typed, a code that begins so, whole words, words that begin so; then items before
    /// orders; then the newest.
    pub hits: Vec<Hit>,
    /// How many there are, counted up to [`MAX_TOTAL`].
    pub total: usize,
    /// Nothing was found as it was typed; these are found with a letter of a word forgiven.
    pub is_near: bool,
    /// Number of the last event that the index is up to date with.
    pub up_to_seq: i64,
    /// While the index is being made, the share of all rows that can be found, 0 to 1.
    pub building: Option<f64>,
}

/// The search index of one database on one machine.
pub struct Search {
    engine: Engine,
    folder: Option<PathBuf>,
    view: RwLock<Option<View>>,
}

/// What can be found at the moment. Cheap to clone.
#[derive(Clone)]
struct View {
    searcher: Searcher,
    fields: Fields,
    up_to_seq: i64,
    building: Option<f64>,
}

impl View {
    fn new(reading: &Reading, state: &State) -> View {
        View { searcher: reading.searcher(), fields: reading.fields, up_to_seq: state.mark.seq, building: state.scan.map(|s| s.share) }
    }
}

impl Search {
    /// A search over the index in a folder of its own, or over nothing. Touches no file; [`Search::run`] does.
    pub fn new(engine: Engine, folder: Option<PathBuf>) -> Search {
        Search { engine, folder, view: RwLock::default() }
    }

    /// Finds items and orders, within milliseconds once the index is in memory; before that it waits for the disk. Says
    /// [`Refused::SearchNotReady`] while there is no index to ask.
    pub fn find(&self, query: &Query<'_>) -> Result<Found, Stop> {
        let view = self.view.read().unwrap_or_else(|e| e.into_inner()).clone();
        let View { searcher, fields, up_to_seq, building } = view.ok_or(Refused::SearchNotReady)?;
        let find::Matches { hits, total, is_near } = find::find(&searcher, &fields, query).map_err(broken)?;
        Ok(Found { hits, total, is_near, up_to_seq, building })
    }

    /// Makes the index where it is missing, and keeps it up to date until the engine stops. May be dropped at any time. Whatever
    /// goes wrong here goes into the log and is tried again.
    pub async fn run(self: Arc<Search>) {
        let Some(folder) = self.folder.clone() else { return };
        let mut events = self.engine.watch_events();
        let mut failed = AGAIN;
        loop {
            let (engine, place) = (self.engine.clone(), folder.clone());
            let done = match blocking(move || folder::open(&engine, &place)).await {
                Ok(Opened::Mine(writing)) => match self.keep(writing, &mut events).await {
                    Ok(()) => return,
                    Err(stop) => Err(stop),
                },
                Ok(Opened::Theirs(reading, state)) => {
                    self.show(View::new(&reading, &state));
                    Ok(())
                }
                Err(stop) => Err(stop),
            };
            match done {
                Ok(()) => failed = AGAIN,
                Err(stop) => {
                    tracing::warn!("search is not up to date and will be tried again in {} s: {stop}", failed.as_secs());
                    tokio::time::sleep(failed).await;
                    failed = (failed * 2).min(MAX_AGAIN);
                    continue;
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Keeps an index up to date; ends well when the engine stops.
    async fn keep(&self, writing: Box<Writing>, events: &mut watch::Receiver<i64>) -> Result<(), Stop> {
        let mut follower = Follower::new(self.engine.clone(), writing);
        loop {
            let began = Instant::now();
            let step = blocking(move || {
                let more = follower.step()?;
                Ok((follower, more))
            });
            let (back, more) = step.await?;
            follower = back;
            let (writing, state) = follower.shown();
            self.show(View::new(&writing.reading, state));
            tokio::time::sleep(began.elapsed().max(GAP)).await;
            if !more && let Ok(Err(_)) = tokio::time::timeout(LOOK, events.changed()).await {
                return Ok(());
            }
        }
    }

    fn show(&self, view: View) {
        *self.view.write().unwrap_or_else(|e| e.into_inner()) = Some(view);
    }
}

/// Does work that may wait for the disk or the database.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Stop> + Send + 'static) -> Result<T, Stop> {
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}
