//! Files on their way in: what arrives as something to read from on a thread that may block, and which imports run here.

use axum::body::Bytes;
use futures_util::{Stream, StreamExt};
use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::mpsc;

/// A file must go on arriving: so long may a pause be.
const PAUSE: Duration = Duration::from_secs(60);
/// Most bytes of one file, as it arrives: hundreds of millions of rows. Larger ones are sent in parts.
pub const MOST_BYTES: u64 = 8 << 30;
/// Pieces that wait to be read.
const WAITING: usize = 16;

/// Imports under way in this node, by key.
static RUNNING: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// The right to run an import, given back when dropped.
pub struct Running(String);

impl Running {
    /// None while another one with this key runs.
    pub fn begin(key: &str) -> Option<Running> {
        let mut running = RUNNING.lock().unwrap_or_else(|e| e.into_inner());
        running.get_or_insert_default().insert(key.to_owned()).then(|| Running(key.to_owned()))
    }

    /// Whether an import runs here now.
    pub fn is(key: &str) -> bool {
        RUNNING.lock().unwrap_or_else(|e| e.into_inner()).as_ref().is_some_and(|running| running.contains(key))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(running) = RUNNING.lock().unwrap_or_else(|e| e.into_inner()).as_mut() {
            running.remove(&self.0);
        }
    }
}

/// What arrives, as something to read from.
pub struct Pieces {
    file: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Pieces {
    /// Reads a stream on, a few pieces ahead; one that pauses too long is an error.
    pub fn of<E: std::error::Error + Send + Sync + 'static>(stream: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Pieces {
        let (pieces, file) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream);
            let mut arrived = 0;
            loop {
                let piece = match tokio::time::timeout(PAUSE, stream.next()).await {
                    Ok(Some(Ok(bytes))) => {
                        arrived += bytes.len() as u64;
                        if arrived > MOST_BYTES { Err(io::Error::other("the file is larger than 8 GiB: send it in parts")) } else { Ok(bytes) }
                    }
                    Ok(Some(Err(error))) => Err(io::Error::other(error)),
                    Ok(None) => return,
                    Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the file stopped arriving")),
                };
                let failed = piece.is_err();
                if pieces.send(piece).await.is_err() || failed {
                    return;
                }
            }
        });
        Pieces { file, current: Bytes::new() }
    }
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.file.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let count = to.len().min(self.current.len());
        to[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
