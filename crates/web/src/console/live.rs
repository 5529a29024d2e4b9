//! What the live page shows, read once for everybody who looks at it.
//!
//! The newest orders and events are read whenever an event has come, five times a second at most. Sums over all levels take
//! longer the more there are, so they are kept in memory for twenty times as long as they took to read: they never cost more
//! than a twentieth of one core. The page says of when they are.

use crate::App;
use domain::routing::Location;
use engine::dashboard::{self, AtRisk, Day, Newest, Tally, Totals};
use engine::{Stop, events};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Between two reads of the newest.
const GAP: Duration = Duration::from_millis(200);
/// Sums that are read within this time are read together with the page; slower ones beside it.
const QUICK: Duration = Duration::from_millis(50);
/// For each second that the sums took, they are kept this many.
const KEEP: u32 = 20;
/// Without events only ages change, and the day.
const IDLE: Duration = Duration::from_secs(60);

const ORDERS: i64 = 10;
const EVENTS: i64 = 16;
const AT_RISK: i64 = 7;

/// One true state of everything the page shows.
#[derive(Debug, Clone)]
pub struct View {
    /// Microseconds since 1970 UTC.
    pub now: i64,
    pub newest: Arc<Newest>,
    pub locations: Arc<Vec<Location>>,
    pub day: Day,
    /// Orders in each of the last minutes: (its beginning, orders).
    pub minutes: Vec<(i64, i64)>,
    /// Until when orders are counted, if that is not up to now.
    pub counted_until: Option<i64>,
    pub totals: Arc<Totals>,
    /// When the sums were read, and whether events have come since.
    pub totals_at: i64,
    pub totals_old: bool,
    pub refused: i64,
    pub started_at: i64,
}

impl View {
    pub fn at_risk(&self) -> &[AtRisk] {
        &self.totals.at_risk
    }

    /// Whether a newer state will follow without any event.
    pub fn is_counting(&self) -> bool {
        self.counted_until.is_some() || self.totals_old
    }
}

#[derive(Default)]
struct Fast {
    read_at: Option<Instant>,
    newest: Option<(Arc<Newest>, Arc<Vec<Location>>)>,
}

struct Slow {
    totals: Arc<Totals>,
    read_at: Instant,
    /// The same in microseconds since 1970 UTC.
    at: i64,
    took: Duration,
    seq: i64,
}

pub struct Live {
    started_at: i64,
    fast: tokio::sync::Mutex<Fast>,
    tally: Arc<Mutex<Tally>>,
    slow: Arc<Mutex<Option<Slow>>>,
    /// Held by whoever reads the sums.
    summing: Arc<tokio::sync::Mutex<()>>,
}

impl Live {
    pub fn new(started_at: i64) -> Live {
        Live { started_at, fast: Default::default(), tally: Arc::default(), slow: Arc::default(), summing: Arc::default() }
    }

    /// The state now: everything that was committed before the call is in it, but for sums that are told to be older.
    pub async fn view(&self, app: &App) -> Result<View, Stop> {
        let asked_at = Instant::now();
        let (newest, locations) = {
            let mut fast = self.fast.lock().await;
            // Whoever waited for the lock may find that the one before read after it asked.
            let is_fresh = fast.read_at.is_some_and(|at| at > asked_at);
            match fast.newest.clone() {
                Some(newest) if is_fresh || self.is_current(app, &newest.0, fast.read_at).await? => newest,
                _ => {
                    if let Some(at) = fast.read_at {
                        tokio::time::sleep(GAP.saturating_sub(at.elapsed())).await;
                    }
                    let read_at = Instant::now();
                    let newest = self.read(app).await?;
                    *fast = Fast { read_at: Some(read_at), newest: Some(newest.clone()) };
                    newest
                }
            }
        };
        self.sum(app, newest.seq).await?;
        let now = app.engine.now();
        let (day, minutes, counted_until) = {
            let tally = self.tally.lock().unwrap_or_else(|e| e.into_inner());
            (tally.day(now), tally.minutes(now), tally.behind)
        };
        let slow = self.slow.lock().unwrap_or_else(|e| e.into_inner());
        let Some(slow) = slow.as_ref() else { return Err(Stop::broken("the sums were not read")) };
        Ok(View {
            now,
            locations,
            day,
            minutes,
            counted_until,
            totals: slow.totals.clone(),
            totals_at: slow.at,
            totals_old: slow.seq < newest.seq,
            newest,
            refused: app.engine.figures().refused.load(Ordering::Relaxed),
            started_at: self.started_at,
        })
    }

    async fn is_current(&self, app: &App, newest: &Newest, read_at: Option<Instant>) -> Result<bool, Stop> {
        let counting = self.tally.lock().unwrap_or_else(|e| e.into_inner()).behind.is_some();
        Ok(!counting && read_at.is_some_and(|at| at.elapsed() < IDLE) && app.engine.read(events::last).await? == newest.seq)
    }

    async fn read(&self, app: &App) -> Result<(Arc<Newest>, Arc<Vec<Location>>), Stop> {
        let tally = self.tally.clone();
        let now = app.engine.now();
        app.read(move |tx, config| {
            let newest = dashboard::newest(tx, config, now, ORDERS, EVENTS)?;
            tally.lock().unwrap_or_else(|e| e.into_inner()).advance(tx, now, newest.seq)?;
            Ok((Arc::new(newest), Arc::new(config.locations.clone())))
        })
        .await
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
