//! Over HTTP: the real binary as a process of its own, and a load generator that does no more than it must.

use super::engine_only::seed;
use super::load::{Seen, drive, figure};
use super::{Figure, Place, kind};
use crate::Failed;
use engine::{Engine, Options, create_key};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Encrypts the secrets of channels that exist for as long as the measurement.
pub const SECRET_KEY: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

/// A server of our own, ended when dropped.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    pub fn start(place: &Place) -> Result<Server, Failed> {
        Server::start_with(place, &[])
    }

    /// With further arguments.
    pub fn start_with(place: &Place, arguments: &[&OsStr]) -> Result<Server, Failed> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let url = match &place.url {
            engine::Url::Sqlite(path) => format!("sqlite:{}", path.display()),
            engine::Url::Postgres(url) => url.clone(),
        };
        let mut process = command.env("HOLDFAST_DATABASE", url).env(engine::secrets::VARIABLE, SECRET_KEY).spawn()?;
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

    /// Seconds that it has been on a processor since it began.
    pub fn on_processor(&self) -> f64 {
        // Of proc_pid_stat(5): fields 14 and 15, in ticks of which every Linux has a hundred a second; the name in field 2 may hold spaces.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Resident memory in MB: now, and the most there was.
    pub fn memory_mb(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let mb = |name: &str| {
            let kb = status.lines().find_map(|l| l.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
            kb.unwrap_or(0.0) / 1_024.0
        };
        (mb("VmRSS:"), mb("VmHWM:"))
    }

    /// A figure that says how much memory the server took for it.
    fn noted(&self, mut figure: Figure) -> Figure {
        figure.note = format!("{:.0} MB resident at most", self.memory_mb().1);
        figure
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A keep-alive connection that sends one request at a time.
pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    /// Where the body begins in the last answer.
    body: usize,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Connection, Failed> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, answer: Vec::with_capacity(4_096), body: 0 })
    }

    /// Sends a request and reads its answer whole; answers the status.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<u16, Failed> {
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
                self.body = end + 4;
                return Ok(status);
            }
        }
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        self.answer.get(self.body..).unwrap_or_default()
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|w| w == mark)
}

/// A POST with everything a real one has.
pub fn post(path: &str, key: &str, idempotency_key: Option<&str>, body: &str) -> Vec<u8> {
    let extra = idempotency_key.map(|k| format!("Idempotency-Key: {k}\r\n")).unwrap_or_default();
    format!(
        "POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A GET with the same.
pub fn get(path: &str, key: &str) -> Vec<u8> {
    format!("GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n").into_bytes()
}

/// A GET of a page by somebody who is signed in.
pub fn page(path: &str, cookie: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n").into_bytes()
}

fn prepare(place: &Place, items: usize, locations: usize) -> Result<(Server, String), Failed> {
    let engine = Engine::open(Options::new(place.url.clone()))?;
    seed(&engine, items, locations)?;
    engine.shut_down();
    drop(engine);
    let (_, key) = create_key(&place.url, "bench", "admin", crate::now(), None)?;
    Ok((Server::start(place)?, key))
}

/// One reservation a request, all on one hot item; without and with an idempotency key.
pub fn reservations(runtime: &tokio::runtime::Runtime, place: &Place, callers: usize, seconds: u64) -> Result<Vec<Figure>, Failed> {
    let (server, key) = prepare(place, 1, 1)?;
    let mut figures = Vec::new();
    for keyed in [false, true] {
        let driven = reserve(runtime, &server, &key, callers, seconds, keyed, |_| "S1".to_owned())?;
        let what = if keyed { "HTTP, one hot item, random idempotency keys" } else { "HTTP, one reservation a request, one hot item" };
        figures.push(server.noted(figure(what, kind(&place.url), callers, driven)));
    }
    Ok(figures)
}

/// One reservation a request on items in no order, of a server with this many.
pub fn random_items(runtime: &tokio::runtime::Runtime, server: &Server, key: &str, items: u64, seconds: u64) -> Result<Figure, Failed> {
    let choose = move |n: u64| super::growth::sku(n.wrapping_mul(7_919) % items);
    let driven = reserve(runtime, server, key, 256, seconds, false, choose)?;
    Ok(server.noted(figure(&format!("HTTP, random items of {items}"), "SQLite".into(), 256, driven)))
}

/// Reserves one unit of an item that `choose` names, from many connections at once.
fn reserve(
    runtime: &tokio::runtime::Runtime,
    server: &Server,
    key: &str,
    callers: usize,
    seconds: u64,
    keyed: bool,
    choose: impl Fn(u64) -> String + Clone + Send + 'static,
) -> Result<(f64, Vec<u32>), Failed> {
    runtime.block_on(drive(callers, seconds, |n, phase| {
        let (address, key, choose) = (server.address.clone(), key.to_owned(), choose.clone());
        async move {
            let mut connection = Connection::open(&address).await?;
            let mut random = fastrand::Rng::with_seed(n as u64);
            let mut seen = Seen::default();
            let mut count = n as u64 * 1_000_003;
            while !phase.is_over() {
                let body = format!(r#"{{"lines":[{{"sku":"{}","quantity":1}}],"expires_in_seconds":3600}}"#, choose(count));
                let name = keyed.then(|| format!("{:032x}", random.u128(..)));
                let request = post("/reservations", &key, name.as_deref(), &body);
                let began = Instant::now();
                let status = connection.exchange(&request).await?;
                seen.note(&phase, began, status == 201);
                count += 1;
            }
            Ok(seen)
        }
    }))
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
    Ok(server.noted(figure("HTTP, orders of 3 lines over 8 locations", kind(&place.url), callers, driven)))
}
