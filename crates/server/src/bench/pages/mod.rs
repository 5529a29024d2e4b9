//! What the reads behind the console's lists take on a large database: a made-up year (`world.rs`), written in bulk (`seed.rs`), with a shop's listings, exceptions and an audit log (`desk.rs`), and each
//! read measured alone, one caller after another, without HTTP (`reads.rs`), then the pages themselves (`shown.rs`).

mod desk;
mod reads;
mod seed;
pub mod shown;
mod world;

use super::load::figure;
use super::{Figure, Place, kind};
use crate::Failed;
use crate::progress::thousands;
use engine::db::Conn;
use engine::{Config, Engine, Options, Url};
use std::sync::Arc;
use std::time::Instant;

/// Times that each read is measured.
const TIMES: usize = 400;
/// Items and orders of the smallest year: with fewer, some statuses would have no order.
pub const FEWEST: u64 = 1_000;

/// Fills an empty database with this many items and orders.
pub fn fill(place: &Place, items: u64, orders: u64) -> Result<Figure, Failed> {
    if items < FEWEST {
        return Err(Failed(format!("the lists are measured with {FEWEST} items or more")));
    }
    let began = Instant::now();
    let rows = seed::fill(&place.url, items as usize, orders as usize)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(plain("a year of orders, written in bulk", place, rows as f64 / seconds, format!("{} rows in {seconds:.0} s", thousands(rows))))
}

pub use desk::fill as fill_desk;

/// Whether [`fill`] filled it before.
pub fn is_filled(place: &Place) -> Result<bool, Failed> {
    let engine = Engine::open(Options::new(place.url.clone()))?;
    let (mut config, mut filled) = (Arc::default(), false);
    engine.read_blocking(|tx| {
        Config::refresh(tx, &mut config)?;
        filled = engine::dashboard::began(tx, &config)?.any_item;
        Ok(())
    })?;
    engine.shut_down();
    Ok(filled)
}

/// Reads the database in, after PostgreSQL has tidied it, so that what is measured is one that has been in use, not how fast a disk wakes up.
pub fn settle(place: &Place) -> Result<Figure, Failed> {
    let began = Instant::now();
    let read = match &place.url {
        Url::Sqlite(path) => std::fs::File::open(path).and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink())).is_ok(),
        Url::Postgres(_) => {
            let mut conn = Conn::open(&place.url)?;
            conn.batch("VACUUM (ANALYZE)")?;
            // What was filled in is still being written; whoever may not ask for this waits for it.
            let _ = conn.batch("CHECKPOINT");
            // A module of PostgreSQL's own, which not every server has.
            let read = conn.batch("CREATE EXTENSION IF NOT EXISTS pg_prewarm").and_then(|()| conn.batch(READ_IN));
            read.and_then(|()| conn.batch("DROP EXTENSION pg_prewarm")).is_ok()
        }
    };
    let note = format!("{:.0} s{}", began.elapsed().as_secs_f64(), if read { "" } else { "; not possible here" });
    Ok(plain("the database, read in", place, 0.0, note))
}

const READ_IN: &str =
    "DO $$ BEGIN PERFORM pg_prewarm(oid::regclass) FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace; END $$";

/// A run during which the host kept more than this share of the processors' time for others is made again, so many times in all.
const DISTURBED: f64 = 0.02;
const RUNS: usize = 5;

/// What the least disturbed of a few runs came to, and which share of the processors' time the host kept for others meanwhile.
fn undisturbed<T>(mut run: impl FnMut() -> Result<T, Failed>) -> Result<(T, f64), Failed> {
    let mut best = run_once(&mut run)?;
    for _ in 1..RUNS {
        if best.1 <= DISTURBED {
            break;
        }
        let again = run_once(&mut run)?;
        if again.1 < best.1 {
            best = again;
        }
    }
    Ok(best)
}

fn run_once<T>(run: &mut impl FnMut() -> Result<T, Failed>) -> Result<(T, f64), Failed> {
    let before = ticks();
    let came_to = run()?;
    let (all, stolen) = ticks().zip(before).map_or((0, 0), |(now, before)| (now.0 - before.0, now.1 - before.1));
    Ok((came_to, stolen as f64 / all.max(1) as f64))
}

/// Ticks of all processors since the machine started, and how many of them the host kept for others (`steal` in proc(5)), where Linux
/// tells.
fn ticks() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let counts: Vec<u64> = text.lines().next()?.split_whitespace().skip(1).take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    Some((counts.iter().sum(), *counts.get(7)?))
}

fn plain(what: &str, place: &Place, per_second: f64, note: String) -> Figure {
    Figure { what: what.into(), database: kind(&place.url), callers: 1, per_second, p50_ms: 0.0, p99_ms: 0.0, note }
}

/// Measures each read on a database that [`fill`] filled.
pub fn measure(place: &Place, items: u64, tell: &mut dyn FnMut(Figure)) -> Result<(), Failed> {
    let engine = Engine::open(Options::new(place.url.clone()))?;
    let began = Instant::now();
    engine.stock_table().wait()?;
    let seconds = began.elapsed().as_secs_f64();
    tell(plain("stock table, read at first use", place, items as f64 / seconds, format!("{seconds:.2} s")));
    let mut config = Arc::default();
    let known = engine.read_blocking(|tx| {
        Config::refresh(tx, &mut config)?;
        reads::Known::new(tx, &config)
    })?;
    for read in reads::all(&engine, &config, &known) {
        let (mut micros, mut busy) = (Vec::with_capacity(TIMES), Vec::with_capacity(TIMES));
        let mut rows = 0;
        let began = Instant::now();
        for n in 0..TIMES {
            let (began, busy_before) = (Instant::now(), on_processor());
            rows += engine.read_blocking(|tx| (read.run)(tx, n))?;
            micros.push(began.elapsed().as_micros() as u32);
            busy.extend(on_processor().zip(busy_before).map(|(after, before)| ((after - before) / 1_000) as u32));
        }
        let per_second = TIMES as f64 / began.elapsed().as_secs_f64();
        let mut measured = figure(read.what, kind(&place.url), 1, (per_second, micros));
        let busy = figure("", String::new(), 1, (0.0, busy));
        measured.note = format!("{:.2} and {:.2} ms on the processor, {:.1} rows each", busy.p50_ms, busy.p99_ms, rows as f64 / TIMES as f64);
        tell(measured);
    }
    engine.shut_down();
    Ok(())
}

/// Nanoseconds that this thread has been on a processor, where Linux tells: on a busy machine most of a p99 is waiting for one. What a
/// database server of its own does is not among it.
fn on_processor() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}
