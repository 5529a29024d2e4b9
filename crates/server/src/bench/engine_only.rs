//! The engine without HTTP: reservations of one unit, all on one hot item, through one writer.

use super::load::{Seen, drive, figure};
use super::{Figure, Place, kind};
use crate::Failed;
use engine::catalog::items::NewItem;
use engine::catalog::locations::NewLocation;
use engine::reservations::reserve::{Reserve, ReserveLine};
use engine::stock::SkuLine;
use engine::stock::receive::Receive;
use engine::{Command, Engine, Options};
use std::sync::Arc;
use std::time::Instant;

/// Locations `L1…`, items `S1…`, and plenty of each everywhere.
pub fn seed(engine: &Engine, items: usize, locations: usize) -> Result<(), Failed> {
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
            let lines = chunk.iter().map(|n| SkuLine { sku: format!("S{n}"), quantity: 1_000_000_000 }).collect();
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
