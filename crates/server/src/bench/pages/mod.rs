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
use engine::{Config, Engine, Options};
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
