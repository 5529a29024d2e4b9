//! The folder of an index: who may write there, whether what is there can be used, beginning anew if not. Everything in it can be
//! made again from the database. Not here: what is written, and when (`follow.rs`).

use crate::schema::{self, Fields};
use engine::search::{Mark, knows, newest};
use engine::{Engine, Stop};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, TryLockError};
use std::path::Path;
use tantivy::directory::MmapDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, TantivyError};

/// Raised with every change of what the index holds or of how words are read: an index of another format is made anew.
const FORMAT: u32 = 2;
/// What new documents may take in memory before they go to the disk.
const MEMORY_BYTES: usize = 40_000_000;
/// Larger segments are left alone; merging them would take the machine for seconds.
const MAX_MERGED_DOCUMENTS: usize = 500_000;
/// A segment of which more than this share was deleted is written anew.
const MAX_DELETED: f32 = 0.3;
/// Marks the folder as ours, and is held by the one process that writes there.
const LOCK: &str = "holdfast.lock";
const INDEX: &str = "index";

/// What an index is up to date with; committed with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    /// Everything that happened up to here is in it, but for what the scan has still to come to.
    pub mark: Mark,
    /// What came to be after this event is not in it before its own event says so.
    pub settled_at: i64,
    /// How far all rows have been read; None once they have been.
    pub scan: Option<Scan>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// Items are read first, then orders.
    pub orders: bool,
    /// The last id that was read.
    pub after: i64,
    /// Of all, 0 to 1.
    pub share: f64,
}

impl State {
    /// Before the first row is read.
    fn begin(mark: Mark) -> State {
        State { format: FORMAT, mark, settled_at: 0, scan: Some(Scan { orders: false, after: 0, share: 0.0 }) }
    }
}

/// An index that can be searched.
pub struct Reading {
    index: Index,
    reader: IndexReader,
    pub fields: Fields,
}

/// An index that this process alone writes.
pub struct Writing {
    pub reading: Reading,
    writer: IndexWriter,
    pub state: State,
    _lock: File,
}

/// Whose an index is.
pub enum Opened {
    Mine(Box<Writing>),
    /// Another process writes it; it can be searched here all the same.
    Theirs(Box<Reading>, State),
}

pub fn broken(error: impl std::fmt::Display) -> Stop {
    Stop::broken(format!("search index: {error}"))
}

/// Opens the index in a folder that is our own, or begins it anew where there is none of this database that could be used.
pub fn open(engine: &Engine, folder: &Path) -> Result<Opened, Stop> {
    let lock = lock_file(folder)?;
    let path = folder.join(INDEX);
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let (reading, state) = Reading::open(&path).map_err(broken)?;
            if !is_of(engine, &state)? {
                return Err(broken("another process keeps one of another database or format in this folder"));
            }
            return Ok(Opened::Theirs(Box::new(reading), state));
        }
        Err(TryLockError::Error(error)) => return Err(broken(error)),
    }
    let (reading, state) = match usable(engine, &path)? {
        Some(found) => found,
        None => {
            let state = State::begin(engine.read_blocking(newest)?);
            (begin(&path).map_err(broken)?, state)
        }
    };
    Ok(Opened::Mine(Box::new(Writing::new(reading, state, lock).map_err(broken)?)))
}

/// Opens the file that marks a folder as ours. A folder that holds something else is left alone.
fn lock_file(folder: &Path) -> Result<File, Stop> {
    let told = |error: std::io::Error| broken(format!("{}: {error}", folder.display()));
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(told)?;
    let lock = folder.join(LOCK);
    if !lock.exists() && std::fs::read_dir(folder).map_err(told)?.next().is_some() {
        return Err(broken(format!("{} holds something else; name an empty folder", folder.display())));
    }
    File::options().create(true).truncate(false).write(true).open(&lock).map_err(told)
}

/// Whether it is in our format, and of the history that the database tells.
fn is_of(engine: &Engine, state: &State) -> Result<bool, Stop> {
    // What began with an empty database says nothing of whose it is.
    Ok(state.format == FORMAT && state.mark.seq > 0 && engine.read_blocking(|tx| knows(tx, &state.mark))?)
}

/// The index that is there, if it is whole and of this database.
fn usable(engine: &Engine, path: &Path) -> Result<Option<(Reading, State)>, Stop> {
    if !path.exists() {
        return Ok(None);
    }
    let found = Reading::open(path).and_then(|found| Ok((found.0.index.validate_checksum()?, found)));
    match found {
        Ok((damaged, (reading, state))) if damaged.is_empty() => {
            let is_ours = is_of(engine, &state)?;
            if !is_ours {
                tracing::info!("the search index is of another database or format and is made anew");
            }
            Ok(is_ours.then_some((reading, state)))
        }
        Ok((damaged, _)) => {
            tracing::warn!("the search index is damaged and is made anew: {damaged:?}");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!("the search index cannot be read and is made anew: {error}");
            Ok(None)
        }
    }
}

/// An empty index in the place of whatever is there.
fn begin(path: &Path) -> tantivy::Result<Reading> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => std::fs::create_dir(path)?,
    }
    let index = Index::create(MmapDirectory::open(path)?, schema::fields().1, schema::settings())?;
    Reading::new(index)
}

impl Reading {
    /// Opens an index and reads what it is up to date with.
    fn open(path: &Path) -> tantivy::Result<(Reading, State)> {
        let index = Index::open(MmapDirectory::open(path)?)?;
        // Before the reader, so that no more is claimed than can be found.
        let payload = index.load_metas()?.payload.unwrap_or_default();
        let state = serde_json::from_str(&payload).map_err(|e| TantivyError::InvalidArgument(e.to_string()))?;
        Ok((Reading::new(index)?, state))
    }

    fn new(index: Index) -> tantivy::Result<Reading> {
        let (fields, schema) = schema::fields();
        if index.schema() != schema {
            return Err(TantivyError::SchemaError("it has other fields".into()));
        }
        schema::register(&index);
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Reading { index, reader, fields })
    }

    pub fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }
}

impl Writing {
    fn new(reading: Reading, state: State, lock: File) -> tantivy::Result<Writing> {
        let options = IndexWriterOptions::builder().num_worker_threads(1).num_merge_threads(1).memory_budget_per_thread(MEMORY_BYTES).build();
        let writer: IndexWriter = reading.index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_max_docs_before_merge(MAX_MERGED_DOCUMENTS);
        policy.set_del_docs_ratio_before_merge(MAX_DELETED);
        writer.set_merge_policy(Box::new(policy));
        Ok(Writing { reading, writer, state, _lock: lock })
    }

    /// Puts a document into the index, in the place of the one with this id unless there surely is none.
    pub fn put(&mut self, id: i64, document: TantivyDocument, is_new: bool) -> Result<(), Stop> {
        if !is_new {
            self.writer.delete_term(self.reading.fields.id(id));
        }
        self.writer.add_document(document).map(drop).map_err(broken)
    }

    /// Makes what was put durable and findable, and the state with it.
    pub fn commit(&mut self) -> Result<(), Stop> {
        let payload = serde_json::to_string(&self.state).map_err(broken)?;
        self.try_commit(&payload).map_err(broken)
    }

    fn try_commit(&mut self, payload: &str) -> tantivy::Result<()> {
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(payload);
        prepared.commit()?;
        self.reading.reader.reload()
    }
}
