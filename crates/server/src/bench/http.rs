//! Over HTTP: the real binary as a process of its own, and a load generator that does no more than it must.

use super::engine_only::seed;
use super::load::{Seen, drive, figure};
use super::{Figure, Place, kind};
use crate::Failed;
use engine::{Engine, Options, Role, create_key};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server of our own, ended when dropped.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    pub fn start(place: &Place) -> Result<Server, Failed> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let url = match &place.url {
            engine::Url::Sqlite(path) => format!("sqlite:{}", path.display()),
            engine::Url::Postgres(url) => url.clone(),
        };
        let mut process = command.env("HOLDFAST_DATABASE", url).spawn()?;
        let mut first = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut first)?;
        }
        let address = first.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
        match address {
            Some(address) => Ok(Server { process, address }),
            None => {
                let _ = process.kill();
                Err(Failed("the server did not start".into()))
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A keep-alive connection that sends one request at a time.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Result<Connection, Failed> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, answer: Vec::with_capacity(4_096) })
    }

    /// Sends a request and reads its answer whole; answers the status.
    async fn exchange(&mut self, request: &[u8]) -> Result<u16, Failed> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(Failed("the server closed the connection".into()));
            }
            if let Some(end) = find(&self.answer, b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.answer[..end])?;
                let length = head
                    .lines()
                    .find_map(|l| l.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")))
                    .and_then(|(_, value)| value.trim().parse::<usize>().ok())
                    .unwrap_or(0);
                let status = head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
                while self.answer.len() < end + 4 + length {
                    if self.stream.read_buf(&mut self.answer).await? == 0 {
                        return Err(Failed("the server closed the connection".into()));
                    }
                }
                return Ok(status);
            }
        }
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|w| w == mark)
}

/// A POST with everything a real one has.
fn post(path: &str, key: &str, idempotency_key: Option<&str>, body: &str) -> Vec<u8> {
    let extra = idempotency_key.map(|k| format!("Idempotency-Key: {k}\r\n")).unwrap_or_default();
    format!(
        "POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn prepare(place: &Place, items: usize, locations: usize) -> Result<(Server, String), Failed> {
    let engine = Engine::open(Options::new(place.url.clone()))?;
    seed(&engine, items, locations)?;
    engine.shut_down();
    drop(engine);
    let (_, key) = create_key(&place.url, "bench", Role::Admin, crate::now(), None)?;
    Ok((Server::start(place)?, key))
}

/// One reservation a request, all on one hot item; without and with an idempotency key.
pub fn reservations(runtime: &tokio::runtime::Runtime, place: &Place, callers: usize, seconds: u64) -> Result<Vec<Figure>, Failed> {
    let (server, key) = prepare(place, 1, 1)?;
    let body = r#"{"lines":[{"sku":"S1","quantity":1}],"expires_in_seconds":3600}"#;
    let mut figures = Vec::new();
    for keyed in [false, true] {
        let driven = runtime.block_on(drive(callers, seconds, |n, phase| {
            let (address, key) = (server.address.clone(), key.clone());
            async move {
                let mut connection = Connection::open(&address).await?;
                let plain = post("/reservations", &key, None, body);
                let mut random = fastrand::Rng::with_seed(n as u64);
                let mut seen = Seen::default();
                while !phase.is_over() {
                    let name = keyed.then(|| format!("{:032x}", random.u128(..)));
                    let request = name.map(|k| post("/reservations", &key, Some(&k), body));
                    let began = Instant::now();
                    let status = connection.exchange(request.as_deref().unwrap_or(&plain)).await?;
                    seen.note(&phase, began, status == 201);
                }
                Ok(seen)
            }
        }))?;
        let what = if keyed { "HTTP, one hot item, random idempotency keys" } else { "HTTP, one reservation a request, one hot item" };
        figures.push(figure(what, kind(&place.url), callers, driven));
    }
    Ok(figures)
}

/// Orders of three lines over eight locations, routed and committed.
pub fn orders(runtime: &tokio::runtime::Runtime, place: &Place, callers: usize, seconds: u64) -> Result<Figure, Failed> {
    const ITEMS: usize = 1_000;
    let (server, key) = prepare(place, ITEMS, 8)?;
    let driven = runtime.block_on(drive(callers, seconds, |n, phase| {
        let (address, key) = (server.address.clone(), key.clone());
        async move {
            let mut connection = Connection::open(&address).await?;
            let mut random = fastrand::Rng::with_seed(n as u64);
            let mut seen = Seen::default();
            let mut count = 0u64;
            while !phase.is_over() {
                count += 1;
                let first = random.usize(1..=ITEMS - 2);
                let lines: Vec<String> = (first..first + 3)
                    .map(|item| format!(r#"{{"sku":"S{item}","quantity":{},"unit_price":{{"amount":"9.99","currency":"GBP"}}}}"#, random.i64(1..4)))
                    .collect();
                let body = format!(
                    r#"{{"channel":"web","reference":"{n}-{count}","ship_to":{{"country":"GB","latitude":{:.4},"longitude":{:.4}}},"lines":[{}]}}"#,
                    50.0 + 7.0 * random.f64(),
                    -4.0 + 5.0 * random.f64(),
                    lines.join(",")
                );
                let request = post("/orders", &key, None, &body);
                let began = Instant::now();
                let status = connection.exchange(&request).await?;
                seen.note(&phase, began, status == 201);
            }
            Ok(seen)
        }
    }))?;
    Ok(figure("HTTP, orders of 3 lines over 8 locations", kind(&place.url), callers, driven))
}
