//! What a large database costs: reservations on random items of ten thousand and of a million, import, start, memory.

use super::engine_only::drive_engine;
use super::http::{Server, random_items};
use super::load::figure;
use super::{Figure, Place};
use crate::Failed;
use engine::catalog::locations::NewLocation;
use engine::imports::{Import, Kind, run};
use engine::{Command, Engine, Options, Url, create_key};
use std::io::Read;
use std::ops::ControlFlow::Continue;
use std::time::Instant;

const LOCATIONS: u64 = 4;
const SMALL: u64 = 10_000;

/// A CSV file that is made as it is read.
struct Rows<F> {
    next: u64,
    end: u64,
    row: F,
    ready: Vec<u8>,
}

impl<F: FnMut(u64, &mut Vec<u8>)> Read for Rows<F> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        while self.ready.len() < to.len() && self.next < self.end {
            (self.row)(self.next, &mut self.ready);
            self.next += 1;
        }
        let count = to.len().min(self.ready.len());
        to[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        Ok(count)
    }
}

fn csv(header: &str, end: u64, row: impl FnMut(u64, &mut Vec<u8>) + Send + 'static) -> impl Read + Send + 'static {
    Rows { next: 0, end, row, ready: header.as_bytes().to_vec() }
}

/// An item by its number, which counts from 0.
pub fn sku(n: u64) -> String {
    format!("S{n:07}")
}

/// Items and stock in every location; answers the rows a second of both imports.
pub fn fill(engine: &Engine, items: u64) -> Result<(f64, f64), Failed> {
    for n in 1..=LOCATIONS {
        let location = NewLocation {
            code: format!("L{n}"),
            name: format!("Location {n}"),
            kind: "warehouse".into(),
            country: "GB".into(),
            ..NewLocation::default()
        };
        engine.submit_blocking(Command::CreateLocation(location), "bench")?;
    }
    let write = |text: String, to: &mut Vec<u8>| to.extend_from_slice(text.as_bytes());
    let began = Instant::now();
    let file = csv("sku,name,price,currency\n", items, move |n, to| write(format!("{},Item number {n},9.99,GBP\n", sku(n)), to));
    let done = run(engine, Import { key: "items", kind: Kind::Items, file: "items.csv" }, file, &"bench".into(), false, |_| Continue(()))?;
    let items_rate = items as f64 / began.elapsed().as_secs_f64();
    let rows = items * LOCATIONS;
    let began = Instant::now();
    let file = csv("sku,location,quantity\n", rows, move |n, to| write(format!("{},L{},1000000\n", sku(n / LOCATIONS), n % LOCATIONS + 1), to));
    let stock = run(engine, Import { key: "stock", kind: Kind::Stock, file: "stock.csv" }, file, &"bench".into(), false, |_| Continue(()))?;
    if done.accepted != items || stock.accepted != rows {
        return Err(Failed(format!("only {} items and {} stock rows were accepted", done.accepted, stock.accepted)));
    }
    Ok((items_rate, rows as f64 / began.elapsed().as_secs_f64()))
}

fn plain(what: &str, per_second: f64, note: String) -> Figure {
    Figure { what: what.into(), database: "SQLite".into(), callers: 1, per_second, p50_ms: 0.0, p99_ms: 0.0, note }
}

pub fn measure(runtime: &tokio::runtime::Runtime, small: &Place, large: &Place, items: u64, seconds: u64) -> Result<Vec<Figure>, Failed> {
    let mut figures = Vec::new();
    let mut rates = Vec::new();
    for (place, items) in [(small, SMALL), (large, items)] {
        let engine = Engine::open(Options::new(place.url.clone()))?;
        let (items_rate, stock_rate) = fill(&engine, items)?;
        if items != SMALL {
            figures.push(plain("import, items", items_rate, format!("{items} rows")));
            figures.push(plain("import, stock rows", stock_rate, format!("{} rows", items * LOCATIONS)));
        }
        // One hot item, then all of them: a step that shares no factor with their number visits them in no apparent order.
        let hot = drive_engine(runtime, &engine, 1_024, seconds, |_| sku(0))?;
        let choose = move |n: u64| sku(n.wrapping_mul(7_919) % items);
        let random = drive_engine(runtime, &engine, 1_024, seconds, choose)?;
        engine.shut_down();
        for (what, driven) in [("engine, one hot item", hot), ("engine, items in no order,", random)] {
            rates.push(driven.0);
            let mut figure = figure(&format!("{what} of {items}"), "SQLite".into(), 1_024, driven);
            if let [.., small, _, large] = rates[..] {
                figure.note = format!("costs {:.2} times the small one", small / large);
            }
            figures.push(figure);
        }
    }
    let (_, key) = create_key(&large.url, "bench", "operate", crate::now(), None)?;
    let began = Instant::now();
    let server = Server::start(large)?;
    let start = began.elapsed().as_secs_f64();
    figures.push(plain(
        "start on the large database",
        1.0 / start,
        format!("{start:.3} s until it listens, {:.0} MB resident", server.memory_mb().0),
    ));
    if let Url::Sqlite(path) = &large.url {
        let size = std::fs::metadata(path).map(|m| m.len()).unwrap_or(0) as f64 / 1e9;
        if let Some(last) = figures.last_mut() {
            last.note.push_str(&format!(", file {size:.2} GB"));
        }
    }
    figures.push(random_items(runtime, &server, &key, items, seconds)?);
    Ok(figures)
}
