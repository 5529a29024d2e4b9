//! What open pages cost: many copies of Today, each with its stream, each asking for itself again when it is told to, as the script of the
//! pages does, while orders come in at a steady rate. The server is a process of its own.

use super::engine_only::seed;
use super::http::{Connection, Server, page, post};
use super::load::figure;
use super::pages::shown::owner;
use super::{Figure, Place, kind};
use crate::Failed;
use engine::{Engine, Options, create_key};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Orders a second: so few that each change is seen by itself, and so many that something always changes.
const FEW: u64 = 1;
const MANY: u64 = 20;
const ITEMS: usize = 1_000;

/// What all of one measurement share.
struct Shared {
    address: String,
    cookie: String,
    began: Instant,
    over: AtomicBool,
    /// Microseconds after `began` at which the last order was acknowledged.
    placed: AtomicI64,
    /// What pages fetched, and how long after an order was acknowledged they had it, in microseconds.
    fetched: AtomicU64,
    bytes: AtomicU64,
    shown: Mutex<Vec<u32>>,
}

/// No page, one, and many: what the server takes of a processor, and how soon pages show a change.
pub fn measure(runtime: &tokio::runtime::Runtime, place: &Place, pages: usize, seconds: u64) -> Result<Vec<Figure>, Failed> {
    let engine = Engine::open(Options::new(place.url.clone()))?;
    seed(&engine, ITEMS, 8)?;
    engine.shut_down();
    drop(engine);
    let (_, key) = create_key(&place.url, "bench", "admin", crate::now(), None)?;
    let cookie = owner(place)?;
    let server = Server::start(place)?;
    let mut figures = Vec::new();
    for (orders, open) in [(FEW, 1), (FEW, pages), (MANY, 0), (MANY, 1), (MANY, pages)] {
        let shared = Arc::new(Shared {
            address: server.address.clone(),
            cookie: cookie.clone(),
            began: Instant::now(),
            over: AtomicBool::new(false),
            placed: AtomicI64::new(-1),
            fetched: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            shown: Mutex::default(),
        });
        let busy = runtime.block_on(run(&server, shared.clone(), &key, (orders, open), seconds))?;
        let shown = std::mem::take(&mut *shared.shown.lock().unwrap_or_else(|e| e.into_inner()));
        let fetched = shared.fetched.load(SeqCst);
        let mut measured =
            figure(&format!("open pages of Today, {orders} orders a second"), kind(&place.url), open, (fetched as f64 / seconds as f64, shown));
        let kilobytes = shared.bytes.load(SeqCst) as f64 / 1_000.0 / fetched.max(1) as f64;
        measured.note = format!("{:.0}% of one core, {:.0} MB, {kilobytes:.0} KB a page fetched", 100.0 * busy, server.memory_mb().0);
        figures.push(measured);
    }
    Ok(figures)
}

/// Answers how much of a core the server took.
async fn run(server: &Server, shared: Arc<Shared>, key: &str, (orders, open): (u64, usize), seconds: u64) -> Result<f64, Failed> {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..open {
        let shared = shared.clone();
        tasks.spawn(async move { listen(&shared, n).await });
    }
    // All are open, and have shown themselves once.
    let patience = Instant::now();
    while shared.fetched.load(SeqCst) < open as u64 && patience.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shared.fetched.store(0, SeqCst);
    shared.bytes.store(0, SeqCst);
    shared.shown.lock().unwrap_or_else(|e| e.into_inner()).clear();
    let (before, began) = (server.on_processor(), Instant::now());
    let mut connection = Connection::open(&shared.address).await?;
    let mut clock = tokio::time::interval(Duration::from_millis(1_000 / orders));
    let mut random = fastrand::Rng::with_seed(open as u64);
    let mut count = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        clock.tick().await;
        count += 1;
        let item = random.usize(1..=ITEMS);
        let body = format!(
            r#"{{"channel":"web","reference":"{orders}-{open}-{count}","ship_to":{{"country":"GB"}},"lines":[{{"sku":"S{item}","quantity":1}}]}}"#
        );
        if connection.exchange(&post("/orders", key, None, &body)).await? != 201 {
            return Err(Failed("an order was refused".into()));
        }
        shared.placed.store(shared.began.elapsed().as_micros() as i64, SeqCst);
    }
    let busy = (server.on_processor() - before) / began.elapsed().as_secs_f64();
    shared.over.store(true, SeqCst);
    tasks.abort_all();
    Ok(busy)
}

/// One open page.
async fn listen(shared: &Shared, n: usize) -> Result<(), Failed> {
    let mut shown = Connection::open(&shared.address).await?;
    // Pages are opened one after another, not all in the same instant.
    tokio::time::sleep(Duration::from_millis(n as u64 * 4)).await;
    fetch(shared, &mut shown).await?;
    let mut stream = TcpStream::connect(&shared.address).await?;
    let request = format!(
        "GET /live?topics=orders+stock+channels+exceptions+locations+tick HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nCookie: {}\r\n\r\n",
        shared.cookie
    );
    stream.write_all(request.as_bytes()).await?;
    let (mut text, mut last, mut seen) = (String::new(), Instant::now(), -1);
    let mut buffer = [0u8; 4_096];
    while !shared.over.load(SeqCst) {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(Failed("a stream was closed".into()));
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let Some(end) = text.rfind("\n\n") else { continue };
        let events: String = text.drain(..end).collect();
        let Some(gap) = events.rsplit("\"gap\":").next().and_then(|rest| rest.split('}').next()?.parse::<u64>().ok()) else { continue };
        let placed = shared.placed.load(SeqCst);
        let is_new = placed != seen && events.split("\"seq\":").skip(1).any(|rest| !rest.starts_with("null"));
        tokio::time::sleep(Duration::from_millis(gap).saturating_sub(last.elapsed())).await;
        last = Instant::now();
        fetch(shared, &mut shown).await?;
        if is_new {
            seen = placed;
            let after = shared.began.elapsed().as_micros() as i64 - placed;
            shared.shown.lock().unwrap_or_else(|e| e.into_inner()).push(after.max(0) as u32);
        }
    }
    Ok(())
}

async fn fetch(shared: &Shared, connection: &mut Connection) -> Result<(), Failed> {
    let status = connection.exchange(&page("/", &shared.cookie)).await?;
    if status != 200 {
        return Err(Failed(format!("a page answered {status}")));
    }
    shared.fetched.fetch_add(1, SeqCst);
    shared.bytes.fetch_add(connection.body().len() as u64, SeqCst);
    Ok(())
}
