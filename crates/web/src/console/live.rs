//! What the live page shows, read once for everybody who looks at it.
//!
//! The newest orders and events are read whenever an event has come, the later the more of them come. Sums over all levels take
//! longer the more there are, so they are kept in memory for twenty times as long as they took to read: they never cost more
//! than a twentieth of one core. The page says of when they are. What was put into words for one reader is shown to others who would
//! read the same, for a moment.

use super::viewer::Viewer;
use crate::App;
use engine::dashboard::{self, Day, Most, Newest, Scope, Tally, Totals};
use engine::{Config, Stop, events};
use maud::{Markup, PreEscaped};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Between two reads of the newest lies what the last one took, for each event that has come since, up to this: a change is seen at once,
/// and a flood of them is read ten times a second.
const GAP: Duration = Duration::from_millis(100);
/// Sums that are read within this time are read together with the page; slower ones beside it.
const QUICK: Duration = Duration::from_millis(50);
/// For each second that the sums took, they are kept this many.
const KEEP: u32 = 20;
/// Without events only ages change, and the day.
const IDLE: Duration = Duration::from_secs(60);
/// Words that equal readers share are kept so long, and so many of them.
const WORDS: Duration = Duration::from_millis(250);
const MOST_WORDS: usize = 256;

/// Of these the page shows as many as the reader may see, and it shows fewer.
const MOST: Most = Most { orders: 20, events: 80, exceptions: 50 };
const AT_RISK: i64 = 7;

/// One true state of everything the page shows.
#[derive(Debug, Clone)]
pub struct View {
    pub newest: Arc<Newest>,
    /// The names that go with it.
    pub config: Arc<Config>,
    /// Until when orders are counted, if that is not up to now.
    pub counted_until: Option<i64>,
    pub totals: Arc<Totals>,
    /// When the sums were read, and whether events have come since.
    pub totals_at: i64,
    pub totals_old: bool,
}

/// Orders of those that a reader may see: since their midnight, and in each of the last minutes (its beginning, orders).
#[derive(Debug, Clone)]
pub struct Counted {
    pub day: Day,
    pub minutes: Vec<(i64, i64)>,
}

#[derive(Default)]
struct Fast {
    read_at: Option<Instant>,
    took: Duration,
    newest: Option<(Arc<Newest>, Arc<Config>)>,
}

struct Slow {
    totals: Arc<Totals>,
    read_at: Instant,
    /// The same in microseconds since 1970 UTC.
    at: i64,
    took: Duration,
    seq: i64,
}

#[derive(Default)]
pub struct Live {
    fast: tokio::sync::Mutex<Fast>,
    tally: Arc<Mutex<Tally>>,
    slow: Arc<Mutex<Option<Slow>>>,
    /// Held by whoever reads the sums.
    summing: Arc<tokio::sync::Mutex<()>>,
    words: Mutex<HashMap<String, (Instant, Arc<str>)>>,
}

impl Live {
    /// A state with the event of this number and all before it in it, but for sums that are told to be older. Whoever asks has read the
    /// number of the last event ([`super::viewer::Signs`]).
    pub async fn view(&self, app: &App, seq: i64) -> Result<View, Stop> {
        let asked_at = Instant::now();
        let (newest, config) = {
            let mut fast = self.fast.lock().await;
            // Whoever waited for the lock may find that the one before read after it asked.
            let is_fresh = fast.read_at.is_some_and(|at| at > asked_at);
            match fast.newest.clone() {
                Some(newest) if is_fresh || self.is_current(&newest.0, seq, fast.read_at) => newest,
                _ => {
                    if let Some(at) = fast.read_at {
                        let came = fast.newest.as_ref().map_or(1, |(newest, _)| seq.saturating_sub(newest.seq).max(1));
                        let rest = (fast.took * u32::try_from(came).unwrap_or(0)).min(GAP);
                        tokio::time::sleep((fast.took + rest).saturating_sub(at.elapsed())).await;
                    }
                    let read_at = Instant::now();
                    let newest = self.read(app).await?;
                    *fast = Fast { read_at: Some(read_at), took: read_at.elapsed(), newest: Some(newest.clone()) };
                    newest
                }
            }
        };
        self.sum(app, newest.seq).await?;
        let counted_until = self.tally.lock().unwrap_or_else(|e| e.into_inner()).behind;
        let (totals, totals_at, seq) = self.totals()?;
        Ok(View { config, counted_until, totals, totals_at, totals_old: seq < newest.seq, newest })
    }

    /// Units that can be promised, of all items at all locations: those of the sums.
    pub async fn available(&self, app: &App, seq: i64) -> Result<i64, Stop> {
        self.sum(app, seq).await?;
        Ok(self.totals()?.0.stock.values().map(|balances| balances.available).sum())
    }

    /// The sums that there are, when they were read, and the number of the last event in them.
    fn totals(&self) -> Result<(Arc<Totals>, i64, i64), Stop> {
        let slow = self.slow.lock().unwrap_or_else(|e| e.into_inner());
        slow.as_ref().map(|slow| (slow.totals.clone(), slow.at, slow.seq)).ok_or_else(|| Stop::broken("the sums were not read"))
    }

    /// The orders that a reader may see, counted.
    pub fn counted(&self, v: &Viewer, config: &Config) -> Counted {
        let at = |code: &String| config.by_code(code).is_some_and(|l| v.at(l.id));
        let everywhere = v.caller.as_ref().is_none_or(|c| c.grant.locations.is_none());
        let sees = |scope: Option<&Scope>| match scope {
            _ if !v.is_limited() => true,
            Some(scope) => v.on(&scope.channel) && (everywhere || scope.locations.iter().any(at)),
            None => false,
        };
        let tally = self.tally.lock().unwrap_or_else(|e| e.into_inner());
        Counted { day: tally.since(v.midnight(), sees), minutes: tally.minutes(v.now, sees) }
    }

    /// What `render` makes, or what it made a moment ago under the same key.
    pub fn words(&self, key: String, render: impl FnOnce() -> Markup) -> Markup {
        let known = self.words.lock().unwrap_or_else(|e| e.into_inner()).get(&key).cloned();
        if let Some((_, text)) = known.filter(|(made_at, _)| made_at.elapsed() < WORDS) {
            return PreEscaped(text.to_string());
        }
        let made = render();
        let mut words = self.words.lock().unwrap_or_else(|e| e.into_inner());
        words.retain(|_, (made_at, _)| made_at.elapsed() < WORDS);
        if words.len() < MOST_WORDS {
            words.insert(key, (Instant::now(), made.0.as_str().into()));
        }
        made
    }

    fn is_current(&self, newest: &Newest, seq: i64, read_at: Option<Instant>) -> bool {
        let counting = self.tally.lock().unwrap_or_else(|e| e.into_inner()).behind.is_some();
        !counting && read_at.is_some_and(|at| at.elapsed() < IDLE) && seq <= newest.seq
    }

    async fn read(&self, app: &App) -> Result<(Arc<Newest>, Arc<Config>), Stop> {
        let tally = self.tally.clone();
        let now = app.engine.now();
        let newest = app
            .read(move |tx, config| {
                let newest = dashboard::newest(tx, config, now, MOST)?;
                tally.lock().unwrap_or_else(|e| e.into_inner()).advance(tx, now, newest.seq)?;
                Ok(Arc::new(newest))
            })
            .await?;
        Ok((newest, app.names()))
    }

    /// Makes sure that there are sums, and reads them anew when that is due: at once if it is quick, else beside the page.
    async fn sum(&self, app: &App, seq: i64) -> Result<(), Stop> {
        let due = {
            let slow = self.slow.lock().unwrap_or_else(|e| e.into_inner());
            slow.as_ref().map(|s| {
                let old = s.seq < seq || s.read_at.elapsed() > IDLE;
                (old && s.read_at.elapsed() > (s.took * KEEP).max(GAP), s.took)
            })
        };
        let (summing, slow, app) = (self.summing.clone(), self.slow.clone(), app.clone());
        match due {
            Some((false, _)) => Ok(()),
            Some((true, took)) if took > QUICK => {
                if let Ok(guard) = summing.try_lock_owned() {
                    tokio::spawn(async move {
                        if let Err(error) = read_sums(&app, &slow).await {
                            tracing::warn!("cannot read the sums of the live page: {error}");
                        }
                        drop(guard);
                    });
                }
                Ok(())
            }
            _ => {
                let _guard = summing.lock().await;
                let done = slow.lock().unwrap_or_else(|e| e.into_inner()).as_ref().is_some_and(|s| s.seq >= seq && s.read_at.elapsed() < IDLE);
                if done { Ok(()) } else { read_sums(&app, &slow).await }
            }
        }
    }
}

async fn read_sums(app: &App, slow: &Mutex<Option<Slow>>) -> Result<(), Stop> {
    let at = app.engine.now();
    let (totals, seq, took) = app
        .engine
        .read(move |tx| {
            let begun = Instant::now();
            let seq = events::last(tx)?;
            Ok((dashboard::totals(tx, at, AT_RISK)?, seq, begun.elapsed()))
        })
        .await?;
    *slow.lock().unwrap_or_else(|e| e.into_inner()) = Some(Slow { totals: Arc::new(totals), read_at: Instant::now(), at, took, seq });
    Ok(())
}
