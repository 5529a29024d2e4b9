//! The board: all channels and contracts and how they are doing, read once for everybody who looks. Counting the listings of a channel
//! takes longer the more there are, so what was counted is kept for twenty times as long as it took: it never costs more than a
//! twentieth of one core. A quick one is read anew whenever something has happened.

use crate::App;
use engine::Stop;
use engine::channels::read::{self, ChannelStatus};
use engine::channels::rows::Channel;
use engine::contracts::read::{self as contracts, Sums};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What takes no longer than this is read for each page that asks.
const QUICK: Duration = Duration::from_millis(10);
/// Queues change without an event, so that even this is read again after so long.
const GAP: Duration = Duration::from_millis(200);
/// For each second that reading took, it is kept this many.
const KEEP: u32 = 20;

/// A contract, when it runs (microseconds since 1970 UTC, up to just before the end), and what its lines come to.
pub type ContractStatus = (Channel, (i64, i64), Sums);

#[derive(Debug)]
pub struct Standing {
    pub channels: Vec<ChannelStatus>,
    pub contracts: Vec<ContractStatus>,
    /// When it was read.
    pub at: i64,
}

#[derive(Clone)]
struct Kept {
    standing: Arc<Standing>,
    /// Of the configuration, and the number of the last event, in it.
    version: i64,
    seq: i64,
    read_at: Instant,
    took: Duration,
}

#[derive(Default)]
pub struct Board {
    kept: std::sync::Mutex<Option<Kept>>,
    reading: Arc<tokio::sync::Mutex<()>>,
}

impl Board {
    /// A board that begins to count at once, so that nobody waits for it after a start.
    pub fn begin(app: &App) -> Arc<Board> {
        let board = Arc::new(Board::default());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (board, app) = (board.clone(), app.clone());
            runtime.spawn(async move {
                let _guard = board.reading.lock().await;
                if let Err(error) = board.read(&app).await {
                    tracing::warn!("the channels' figures cannot be read: {error}");
                }
            });
        }
        board
    }

    /// How all of them are doing.
    pub async fn standing(self: &Arc<Board>, app: &App) -> Result<Arc<Standing>, Stop> {
        let kept = match self.kept() {
            Some(kept) => kept,
            None => {
                // Who comes while it is counted for the first time waits for that.
                let _guard = self.reading.lock().await;
                match self.kept() {
                    Some(kept) => kept,
                    None => return self.read(app).await,
                }
            }
        };
        let (version, seq) = app.read_as_of(|_, config, seq| Ok((config.version, seq))).await?;
        // Who has just connected a channel sees it, however long the others take to count.
        if kept.version != version || kept.took <= QUICK && (kept.seq != seq || kept.read_at.elapsed() >= GAP) {
            return self.read(app).await;
        }
        if kept.took > QUICK
            && kept.read_at.elapsed() > kept.took * KEEP
            && let Ok(guard) = self.reading.clone().try_lock_owned()
        {
            // Beside the page, which shows what was so a moment ago.
            let (board, app) = (self.clone(), app.clone());
            tokio::spawn(async move {
                if let Err(error) = board.read(&app).await {
                    tracing::warn!("the channels' figures cannot be read: {error}");
                }
                drop(guard);
            });
        }
        Ok(kept.standing)
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    async fn read(&self, app: &App) -> Result<Arc<Standing>, Stop> {
        let at = app.engine.now();
        let kept = app
            .read_as_of(move |tx, config, seq| {
                let begun = Instant::now();
                let standing = Arc::new(Standing { channels: read::all(tx, config)?, contracts: contracts::sums(tx, config)?, at });
                Ok(Kept { standing, version: config.version, seq, read_at: begun, took: begun.elapsed() })
            })
            .await?;
        *self.kept.lock().unwrap_or_else(|e| e.into_inner()) = Some(kept.clone());
        Ok(kept.standing)
    }
}
