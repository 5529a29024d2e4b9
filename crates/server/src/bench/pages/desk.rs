//! What the console lists besides stock and orders, in bulk: a shop with a listing of each item, exceptions on the desk, a long audit log.
//! Written by the engine's own commands, to a database that has its items.

use super::plain;
use super::world::name;
use crate::Failed;
use crate::bench::growth::sku;
use crate::bench::{Figure, Place};
use engine::access::audit::{self, Filter, Record};
use engine::channels::connect::{NewChannel, UpdateChannel};
use engine::channels::listings::{ListedRow, PutListings};
use engine::exceptions::{Kind, report};
use engine::{Answer, By, Command, Config, Engine, Options};
use std::sync::Arc;
use std::time::Instant;

/// The shop's code.
pub const SHOP: &str = "shop";
/// Who did what the audit log tells of, and how much it tells.
pub const ACTORS: usize = 20;
const RECORDS: usize = 100_000;
const EXCEPTIONS: usize = 1_000;
/// Listings, and records, written at once.
const PIECE: usize = 5_000;

/// Writes it all, unless it is there.
pub fn fill(place: &Place, items: u64) -> Result<Option<Figure>, Failed> {
    let engine = Engine::open(Options::new(place.url.clone()))?;
    let mut config: Arc<Config> = Arc::default();
    engine.read_blocking(|tx| Ok(Config::refresh(tx, &mut config)?))?;
    if config.channel_by_code(SHOP).is_some() {
        // The log is written last.
        let filter = Filter { actor: "person0@example.com".into(), ..Filter::default() };
        let known = engine.read_blocking(|tx| audit::list(tx, &filter, None, 1))?;
        engine.shut_down();
        if known.is_empty() {
            return Err(Failed("the shop was written in part: begin with a database that is empty".into()));
        }
        return Ok(None);
    }
    let began = Instant::now();
    let shop = connect(&engine)?;
    list(&engine, shop, items)?;
    for n in 0..EXCEPTIONS {
        let kind = Kind::ALL[n % Kind::ALL.len()];
        let title = format!("Order {n} of the shop needs somebody to look at it");
        engine.submit_blocking(report(kind, format!("order:shop:{n}"), shop, title, "It was written for a benchmark.".into()), "bench")?;
    }
    engine.shut_down();
    remember(place, items)?;
    let (rows, seconds) = (items as usize + EXCEPTIONS + RECORDS, began.elapsed().as_secs_f64());
    Ok(Some(plain("listings, exceptions and audit records, written", place, rows as f64 / seconds, format!("{seconds:.0} s"))))
}

/// The shop, paused, because nobody answers there; answers its id.
fn connect(engine: &Engine) -> Result<i64, Failed> {
    let new = NewChannel {
        code: SHOP.into(),
        // Any: nothing is sent.
        kind: connectors::marketplace::ALL.first().map_or_else(String::new, |market| market.word().to_owned()),
        name: "The shop".into(),
        address: "http://127.0.0.1:1".into(),
        settings: Default::default(),
        secrets: String::new(),
        policy: Default::default(),
        compares: true,
        restocks: true,
        late: 60_000_000,
        location: None,
    };
    let Answer::Channel(channel) = engine.submit_blocking(Command::ConnectChannel(Box::new(new)), "bench")?.answer else {
        return Err(Failed("the shop was not connected".into()));
    };
    let pause = UpdateChannel { code: SHOP.into(), paused: Some(true), ..UpdateChannel::default() };
    engine.submit_blocking(Command::UpdateChannel(pause), "bench")?;
    Ok(channel.id.0)
}

/// A listing of each item, one in a thousand with a SKU that is no item's.
fn list(engine: &Engine, shop: i64, items: u64) -> Result<(), Failed> {
    let row = |n: u64| ListedRow {
        external: format!("gid-{n}"),
        sku: Some(if n % 1_000 == 999 { format!("X{n:07}") } else { sku(n) }),
        barcode: None,
        title: name(n as usize),
        shown: Some(0),
    };
    for first in (0..items).step_by(PIECE) {
        let rows = (first..items.min(first + PIECE as u64)).map(row).collect();
        engine.submit_blocking(Command::PutListings(PutListings { channel: shop, rows, asked_at: engine.now() }), "bench")?;
    }
    Ok(())
}

/// Records of what people did, one a minute until now.
fn remember(place: &Place, items: u64) -> Result<(), Failed> {
    let (by, now) = (By::from("bench"), crate::now());
    let record = |n: usize| {
        let (action, noun) = [("item.update", "item"), ("stock.adjust", "location"), ("order.note", "order")][n % 3];
        let subject = if n.is_multiple_of(3) { sku(n as u64 * 7 % items) } else { format!("{}", n * 11) };
        let at = now - (RECORDS - n) as i64 * 60_000_000;
        let record = Record { actor: format!("person{}@example.com", n % ACTORS), ..Record::new(&by, at, action, noun, subject) };
        record.states(Some("{\"name\":\"Mug\",\"active\":true}".into()), Some("{\"name\":\"Cup\",\"active\":true}".into()))
    };
    for first in (0..RECORDS).step_by(PIECE) {
        let records: Vec<Record> = (first..first + PIECE).map(record).collect();
        engine::beside(&place.url, |tx| Ok(audit::append(tx, &records)?))?;
    }
    Ok(())
}
