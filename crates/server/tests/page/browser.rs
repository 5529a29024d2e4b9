//! A browser, and the program beside it, for tests: started, driven, stopped.

use axum::body::Bytes;
use axum::http::{Request, Response};
use serde_json::{Value, json};
use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{Capabilities, WebDriver};

const HOW_TO_INSTALL: &str = "the browser tests need Chromium: apt-get install chromium chromium-driver";

/// A folder that goes with its owner.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("holdfast-page-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program, serving a new database.
pub struct Server {
    child: Child,
    _folder: Folder,
    database: String,
    /// Such as http://127.0.0.1:49153.
    pub url: String,
    /// Where the first owner is made.
    pub setup: String,
}

impl Server {
    /// With an embedded database.
    pub fn start() -> Server {
        let folder = Folder::new("data");
        let database = format!("sqlite:{}", folder.0.join("holdfast.db").display());
        Server::start_on(folder, database)
    }

    pub fn start_on(folder: Folder, database: String) -> Server {
        let (child, url, setup) = Server::run(&database, "127.0.0.1:0", true);
        Server { child, _folder: folder, database, url, setup }
    }

    fn run(database: &str, listen: &str, setup: bool) -> (Child, String, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["serve", "--listen", listen, "--database", database])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut word = || {
            let mut line = String::new();
            said.read_line(&mut line).unwrap();
            line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_else(|| panic!("the server said: {line}")).to_owned()
        };
        let url = word();
        // While nobody can sign in, the second line has the way for the first owner.
        let setup = if setup { word() } else { String::new() };
        (child, url, setup)
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// At the same address.
    pub fn start_again(&mut self) {
        let listen = self.url.trim_start_matches("http://").to_owned();
        self.child = Server::run(&self.database, &listen, false).0;
    }

    /// A key that may do everything.
    pub fn key(&self, name: &str) -> String {
        let made = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["key", "create", "--name", name, "--role", "admin", "--database", &self.database])
            .output()
            .unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// Lets somebody in, who has no password yet.
    pub fn person(&self, login: &str, name: &str, role: &str) {
        let made = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["person", "create", login, "--name", name, "--role", role, "--database", &self.database])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// What the API says.
    pub fn get(&self, key: &str, path: &str) -> Value {
        let (status, answer) = exchange(&self.url, "GET", &format!("/api/v1{path}"), &format!("Authorization: Bearer {key}\r\n"), "").unwrap();
        assert_eq!(status, 200, "GET {path}");
        serde_json::from_slice(&answer).unwrap()
    }

    /// Makes a change through the API and gives back the answer.
    pub fn post(&self, key: &str, path: &str, body: Value) -> Value {
        let header = format!("Authorization: Bearer {key}\r\n");
        let (status, answer) = exchange(&self.url, "POST", &format!("/api/v1{path}"), &header, &body.to_string()).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        assert!((200..300).contains(&status), "POST {path}: {status} {answer}");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One HTTP exchange on a connection of its own.
fn exchange(url: &str, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<(u16, Vec<u8>)> {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), None);
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
    let mut answer = Vec::new();
    match length {
        Some(length) => drop(reader.take(length).read_to_end(&mut answer)?),
        None => drop(reader.read_to_end(&mut answer)?),
    }
    Ok((status, answer))
}

/// How thirtyfour reaches the driver: its own client would bring a second HTTP stack along.
struct Wire;

type Answer<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

impl HttpClient for Wire {
    fn send<'s, 'r, 'f>(&'s self, request: Request<Body<'r>>) -> Answer<'f, WebDriverResult<Response<Bytes>>>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        let uri = request.uri().clone();
        let url = format!("http://{}", uri.authority().map_or("", |a| a.as_str()));
        let path = uri.path().to_owned();
        let method = request.method().to_string();
        let body = match request.body() {
            Body::Empty => String::new(),
            Body::Json(json) => json.to_string(),
        };
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || exchange(&url, &method, &path, "", &body)).await;
            let failed = |text: String| WebDriverError::FatalError(text);
            let (status, answer) = done.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
            Response::builder().status(status).body(answer.into()).map_err(|e| failed(e.to_string()))
        })
    }

    fn new<'s, 'f>(&'s self) -> Answer<'f, Arc<dyn HttpClient>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async { Arc::new(Wire) as Arc<dyn HttpClient> })
    }
}

/// The driver's process; ends with its owner.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Browser {
    pub driver: WebDriver,
    at: String,
    _process: Driver,
    _profile: Folder,
}

impl Browser {
    pub async fn start() -> Browser {
        let program =
            ["/usr/bin/chromedriver", "/usr/lib/chromium/chromedriver"].into_iter().find(|p| PathBuf::from(p).exists()).expect(HOW_TO_INSTALL);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process =
            Driver(Command::new(program).arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect(HOW_TO_INSTALL));
        let profile = Folder::new("browser");
        let at = format!("http://127.0.0.1:{port}");
        let begun = Instant::now();
        while exchange(&at, "GET", "/status", "", "").is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "chromedriver does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1440,900",
        ];
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).chain([format!("--user-data-dir={}", profile.0.display())]).collect();
        let mut wanted = Capabilities::new();
        wanted.set("browserName", json!("chrome")).unwrap();
        wanted.set("goog:chromeOptions", json!({ "args": arguments })).unwrap();
        wanted.set("goog:loggingPrefs", json!({ "browser": "ALL" })).unwrap();
        let driver = WebDriver::builder(at.clone(), wanted).client(Wire).await.unwrap_or_else(|e| panic!("{e}; {HOW_TO_INSTALL}"));
        // Looking for what shuts people out takes seconds on a long page and a busy machine.
        driver.set_script_timeout(Duration::from_secs(120)).await.unwrap();
        Browser { driver, at, _process: process, _profile: profile }
    }

    pub async fn quit(self) {
        let _ = self.driver.quit().await;
    }

    /// Goes to a page, and waits until its keys work.
    pub async fn open(&self, address: &str) -> WebDriverResult<()> {
        // Heard when the test fails.
        eprintln!("at {address}");
        self.driver.goto(address).await?;
        self.until("the scripts", "return document.documentElement.hasAttribute('data-scripts')", Duration::from_secs(4)).await;
        Ok(())
    }

    /// The value of a script.
    pub async fn js(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap_or_else(|e| panic!("{script}: {e}")).json().clone()
    }

    /// Waits until a script answers true.
    pub async fn until(&self, what: &str, script: &str, patience: Duration) {
        eprintln!("until {what}");
        let begun = Instant::now();
        // While a page is being replaced, there may be nothing to ask.
        while !matches!(self.driver.execute(script, Vec::new()).await.map(|v| v.json() == true), Ok(true)) {
            if begun.elapsed() > patience {
                let text = self.js("return document.body.innerText").await;
                panic!("{what} did not appear within {patience:?}; the page reads:\n{}", text.as_str().unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// A key, pressed anywhere.
    pub async fn press(&self, key: &str) {
        self.driver.action_chain().send_keys(key).perform().await.unwrap();
    }

    /// A key together with one that is held down.
    pub async fn chord(&self, held: char, key: &str) {
        self.driver.action_chain().key_down(held).send_keys(key).key_up(held).perform().await.unwrap();
    }

    async fn own(&self, path: &str, body: Value) -> Value {
        let path = format!("/session/{}{path}", self.driver.session_id());
        let at = self.at.clone();
        let (_, answer) = tokio::task::spawn_blocking(move || exchange(&at, "POST", &path, "", &body.to_string())).await.unwrap().unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap_or_default()["value"].clone()
    }

    /// A command of the browser's own protocol.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.own("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Warnings and errors of the console since the last call: scripts, broken policies, failed requests. A refused
    /// sign-in is an answer, not a fault; so are a refused password at the setup and a page that is not there.
    pub async fn complaints(&self) -> Vec<String> {
        let lines = self.own("/se/log", json!({ "type": "browser" })).await;
        let lines = lines.as_array().cloned().unwrap_or_default();
        let text = |line: &Value| format!("{} {}", line["level"].as_str().unwrap_or_default(), line["message"].as_str().unwrap_or_default());
        let is_loud = |line: &Value| ["SEVERE", "WARNING"].contains(&line["level"].as_str().unwrap_or_default());
        lines
            .iter()
            .filter(|l| is_loud(l))
            .map(text)
            .filter(|t| !(t.contains("/nothing-here") || t.contains("/sign-in") && t.contains("401") || t.contains("/setup") && t.contains("422")))
            .collect()
    }
}

/// The text of axe-core, which looks for what shuts people out. `./test` fetches it.
pub fn axe() -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/node_modules/axe-core/axe.min.js");
    let file = std::env::var_os("HOLDFAST_AXE").map_or(file, PathBuf::from);
    std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}; get it with: npm install --prefix target/tools axe-core", file.display()))
}
