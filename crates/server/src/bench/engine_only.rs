//! The engine without HTTP: reservations of one unit, all on one hot item, through one writer.

use super::load::{Seen, drive, figure};
use super::{Figure, Place, kind};
use crate::Failed;
use engine::catalog::items::NewItem;
use engine::catalog::locations::NewLocation;
use engine::channels::connect::NewChannel;
use engine::channels::listings::{ListedRow, PutListings};
use engine::channels::push::{BeginPushes, DUE, EndPushes, Pushed};
use engine::db::Value;
use engine::reservations::reserve::{Reserve, ReserveLine};
use engine::stock::SkuLine;
use engine::stock::receive::Receive;
use engine::{Answer, Command, Engine, Options};
use std::sync::Arc;
use std::time::Instant;

/// Locations `L1…`, items `S1…`, and plenty of each everywhere.
pub fn seed(engine: &Engine, items: usize, locations: usize) -> Result<(), Failed> {
    seed_with(engine, items, locations, 1_000_000_000)
}

/// The same with this many of each item in each location.
pub fn seed_with(engine: &Engine, items: usize, locations: usize, quantity: i64) -> Result<(), Failed> {
    // Around Britain, so that distances differ.
    for n in 1..=locations {
        let location = NewLocation {
            code: format!("L{n}"),
            name: format!("Location {n}"),
            kind: "warehouse".into(),
            country: "GB".into(),
            latitude: Some(50.5 + 0.8 * n as f64),
            longitude: Some(-3.0 + 0.4 * n as f64),
            ..NewLocation::default()
        };
        engine.submit_blocking(Command::CreateLocation(location), "bench")?;
    }
    for n in 1..=items {
        engine.submit_blocking(Command::CreateItem(NewItem { sku: format!("S{n}"), name: format!("Item {n}"), ..NewItem::default() }), "bench")?;
    }
    for location in 1..=locations {
        let all: Vec<usize> = (1..=items).collect();
        for chunk in all.chunks(500) {
            let lines = chunk.iter().map(|n| SkuLine { sku: format!("S{n}"), quantity }).collect();
            engine.submit_blocking(Command::Receive(Receive { location: format!("L{location}"), lines, reference: None }), "bench")?;
        }
    }
    Ok(())
}

pub fn one_unit(sku: &str) -> Command {
    Command::Reserve(Reserve {
        lines: vec![ReserveLine { sku: sku.into(), quantity: 1, location: None }],
        expires_in_seconds: 3_600,
        channel: None,
        replaces: None,
    })
}

/// Reserves one unit of an item that `choose` names, from many callers at once.
pub fn drive_engine(
    runtime: &tokio::runtime::Runtime,
    engine: &Engine,
    callers: usize,
    seconds: u64,
    choose: impl Fn(u64) -> String + Clone + Send + 'static,
) -> Result<(f64, Vec<u32>), Failed> {
    runtime.block_on(drive(callers, seconds, |n, phase| {
        let (engine, choose) = (engine.clone(), choose.clone());
        async move {
            let actor: Arc<str> = "bench".into();
            let mut seen = Seen::default();
            let mut count = n as u64 * 1_000_003;
            while !phase.is_over() {
                let began = Instant::now();
                let reply = engine.submit(one_unit(&choose(count)), actor.clone(), None).await;
                seen.note(&phase, began, reply.is_ok());
                count += 1;
            }
            Ok(seen)
        }
    }))
}

pub fn reservations(runtime: &tokio::runtime::Runtime, place: &Place, callers: usize, seconds: u64) -> Result<Figure, Failed> {
    let engine = Engine::open(Options::new(place.url.clone()))?;
    seed(&engine, 1, 1)?;
    let driven = drive_engine(runtime, &engine, callers, seconds, |_| "S1".to_owned())?;
    engine.shut_down();
    Ok(figure("engine, one hot item, no HTTP", kind(&place.url), callers, driven))
}

/// Rounds of each, in turns, so that a slow minute of the machine is both's.
const ROUNDS: usize = 3;

/// The same reservations without a channel and with the item listed on three, in turns; answers both, and the ratio.
pub fn with_channels(runtime: &tokio::runtime::Runtime, alone: &Place, listed: &Place, callers: usize, seconds: u64) -> Result<Vec<Figure>, Failed> {
    let mut rounds: Vec<Vec<(f64, Vec<u32>)>> = vec![Vec::new(), Vec::new()];
    let engines = [Engine::open(Options::new(alone.url.clone()))?, Engine::open(Options::new(listed.url.clone()))?];
    for engine in &engines {
        seed(engine, 1, 1)?;
    }
    connect(&engines[1])?;
    for _ in 0..ROUNDS {
        for (engine, rounds) in engines.iter().zip(&mut rounds) {
            rounds.push(drive_engine(runtime, engine, callers, seconds, |_| "S1".to_owned())?);
        }
    }
    engines.iter().for_each(Engine::shut_down);
    let mut figures = Vec::new();
    for (what, mut rounds) in ["one hot item, no channel", "the same, listed on three channels"].into_iter().zip(rounds) {
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        figures.push(figure(what, kind(&alone.url), callers, rounds.swap_remove(ROUNDS / 2)));
    }
    figures[1].note = format!("costs {:.2} times as much, medians of {ROUNDS} rounds in turns", figures[0].per_second / figures[1].per_second);
    Ok(figures)
}

/// Three channels that list the item, each with units lent to it.
fn connect(engine: &Engine) -> Result<(), Failed> {
    for n in 1..=3 {
        let new = NewChannel {
            code: format!("C{n}"),
            // Any: nothing is sent.
            kind: connectors::marketplace::ALL.first().map_or_else(String::new, |market| market.word().to_owned()),
            name: format!("Channel {n}"),
            address: "http://127.0.0.1:1".into(),
            settings: Default::default(),
            secrets: String::new(),
            policy: domain::quota::Policy { percent: Some(20), ..Default::default() },
            compares: n == 1,
            restocks: true,
            late: 60_000_000,
            location: None,
        };
        let Answer::Channel(channel) = engine.submit_blocking(Command::ConnectChannel(Box::new(new)), "bench")?.answer else { continue };
        let row = ListedRow { external: "S1".into(), sku: Some("S1".into()), barcode: None, title: "S1".into(), shown: Some(0) };
        let put = PutListings { channel: channel.id.0, rows: vec![row], asked_at: engine.now() };
        engine.submit_blocking(Command::PutListings(put), "bench")?;
        let due = engine.read_blocking(|tx| Ok(tx.rows(DUE, &[Value::Int(channel.id.0), Value::Int(10)], |r| r.int(0))?))?;
        let begun = engine.submit_blocking(Command::BeginPushes(BeginPushes { listings: due, dry: false }), "bench")?;
        let Answer::Pushes(pushes) = begun.answer else { continue };
        if pushes.is_empty() {
            return Err(Failed("nothing was lent to the channel; a figure would mean nothing".into()));
        }
        let results = pushes.into_iter().map(|p| (p.listing, p.write, Pushed::Applied)).collect();
        engine.submit_blocking(Command::EndPushes(EndPushes { results }), "bench")?;
    }
    Ok(())
}
