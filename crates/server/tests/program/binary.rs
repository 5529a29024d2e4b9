//! The binary as a process, and an HTTP client that is small enough to trust.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

pub const HOLDFAST: &str = env!("CARGO_BIN_EXE_holdfast");

/// A server that is killed when dropped.
pub struct Server {
    pub process: Child,
    pub address: String,
}

impl Server {
    /// Starts on a free port and waits until it listens.
    pub fn start(database: &str) -> Server {
        Server::spawn(Command::new(HOLDFAST).args(["serve", "--listen", "127.0.0.1:0", "--database", database]))
    }

    pub fn spawn(command: &mut Command) -> Server {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address =
            first.split("http://").nth(1).unwrap_or_else(|| panic!("no address in “{first}”")).split_whitespace().next().unwrap().to_owned();
        Server { process, address }
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn holdfast(args: &[&str]) -> Output {
    Command::new(HOLDFAST).args(args).output().unwrap()
}

/// The first line that a command prints; it must succeed.
pub fn line(args: &[&str]) -> String {
    let output = holdfast(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap_or("").to_owned()
}

pub fn admin_key(database: &str) -> String {
    line(&["key", "create", "--name", "test", "--role", "admin", "--database", database])
}

/// `0 discrepancies`, or a panic with what was told.
pub fn verify(database: &str) -> String {
    let output = holdfast(&["verify", "--database", database]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(told.contains(" 0 discrepancies"), "{told}");
    told
}

/// A connection that sends one call after another. Any fault of the connection is None: whether the call was carried out is unknown.
pub struct Client {
    stream: Option<BufReader<TcpStream>>,
    address: String,
    key: String,
}

impl Client {
    pub fn new(address: &str, key: &str) -> Client {
        Client { stream: None, address: address.to_owned(), key: key.to_owned() }
    }

    pub fn call(&mut self, what: &str, body: &Value, idempotency_key: Option<&str>) -> Option<(u16, Value)> {
        let answer = self.exchange(what, body, idempotency_key);
        if answer.is_none() {
            self.stream = None;
        }
        answer
    }

    fn exchange(&mut self, what: &str, body: &Value, idempotency_key: Option<&str>) -> Option<(u16, Value)> {
        let (method, path) = what.split_once(' ')?;
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut()?;
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let extra = idempotency_key.map(|k| format!("Idempotency-Key: {k}\r\n")).unwrap_or_default();
        let key = &self.key;
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{extra}Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.get_mut().write_all(request.as_bytes()).ok()?;
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().ok()?;
            }
            if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
                length = value.trim().parse().ok()?;
            }
        }
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).ok()?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// A call that must be answered.
    pub fn must(&mut self, what: &str, body: Value) -> (u16, Value) {
        self.call(what, &body, None).unwrap_or_else(|| panic!("{what}: no answer"))
    }

    /// A call that must succeed.
    pub fn ok(&mut self, what: &str, body: Value) -> Value {
        let (status, answer) = self.must(what, body);
        assert!(status < 300, "{what}: {status} {answer}");
        answer
    }
}
