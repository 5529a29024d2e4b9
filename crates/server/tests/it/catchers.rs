//! Receivers for what leaves the program: one of webhooks, one of mails, both on loopback.

use crate::support::Site;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use connectors::standard_webhooks::verify;
use serde_json::Value;
use sim::markets::{Served, serve};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A webhook as it came in.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Webhook {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or("")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether it is signed with this secret, at this time.
    pub fn is_by(&self, secret: &str, now: i64) -> bool {
        verify(secret, &self.headers, &self.body, now).is_ok()
    }
}

/// How to answer: a status, a header, and whether to answer at all.
#[derive(Debug, Clone, Copy)]
pub struct Answer(pub u16, pub Option<(&'static str, &'static str)>);

#[derive(Default)]
struct Script {
    caught: Vec<Webhook>,
    answers: VecDeque<Answer>,
    always: Option<Answer>,
    takes: Duration,
}

/// A receiver of webhooks. It answers 200 unless it was told otherwise.
pub struct Hook {
    pub url: String,
    script: Arc<Mutex<Script>>,
    _served: Served,
}

/// A status that is never sent: the receiver hangs.
pub const HANGS: u16 = 599;

impl Hook {
    pub fn new(site: &Site) -> Hook {
        let script: Arc<Mutex<Script>> = Arc::default();
        let router = Router::new().fallback(receive).with_state(script.clone());
        let served = site.block_on(serve(router)).unwrap();
        Hook { url: format!("{}/alerts", served.address), script, _served: served }
    }

    pub fn caught(&self) -> Vec<Webhook> {
        self.script.lock().unwrap().caught.clone()
    }

    /// Answers so, one after the other, then 200.
    pub fn answers(&self, answers: &[Answer]) {
        self.script.lock().unwrap().answers.extend(answers);
    }

    /// Takes so long over each answer.
    pub fn takes(&self, time: Duration) {
        self.script.lock().unwrap().takes = time;
    }

    /// Answers so from now on; None is 200.
    pub fn always(&self, answer: Option<Answer>) {
        self.script.lock().unwrap().always = answer;
    }
}

async fn receive(State(script): State<Arc<Mutex<Script>>>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap, String) {
    let (answer, takes) = {
        let mut script = script.lock().unwrap();
        let headers = headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.to_str().unwrap().to_owned())).collect();
        script.caught.push(Webhook { headers, body: body.to_vec() });
        (script.answers.pop_front().or(script.always).unwrap_or(Answer(200, None)), script.takes)
    };
    tokio::time::sleep(if answer.0 == HANGS { Duration::from_secs(60) } else { takes }).await;
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = answer.1 {
        headers.insert(name, value.parse().unwrap());
    }
    (StatusCode::from_u16(answer.0).unwrap(), headers, format!("said {}\u{7}{}", answer.0, "x".repeat(5_000)))
}

/// A mail as it came in.
#[derive(Debug, Clone)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub auth: Option<String>,
    pub head: String,
    pub text: String,
}

impl Mail {
    /// A header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let unfolded = self.head.replace("\r\n ", " ");
        unfolded.split("\r\n").find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
    }
}

#[derive(Default)]
struct Kept {
    mails: Vec<Mail>,
    /// Replies to the end of a mail; then all is well.
    replies: VecDeque<String>,
    /// What is said to whoever gives a password.
    auth: Option<String>,
}

/// A mail server that keeps what it gets.
pub struct Post {
    pub address: String,
    kept: Arc<Mutex<Kept>>,
}

impl Post {
    pub fn new() -> Post {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let shared = kept.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = shared.clone();
                std::thread::spawn(move || converse(stream, &kept));
            }
        });
        Post { address, kept }
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.kept.lock().unwrap().mails.clone()
    }

    /// Says this to the next mail, which it keeps all the same.
    pub fn replies(&self, reply: &str) {
        self.kept.lock().unwrap().replies.push_back(reply.to_owned());
    }

    pub fn says_to_passwords(&self, reply: &str) {
        self.kept.lock().unwrap().auth = Some(reply.to_owned());
    }
}

/// One SMTP session (RFC 5321), as far as a client needs it.
fn converse(stream: TcpStream, kept: &Mutex<Kept>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut out = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    let mut say = |text: &str| out.write_all(format!("{text}\r\n").as_bytes()).ok();
    say("220 catcher")?;
    let (mut from, mut to, mut auth) = (String::new(), Vec::new(), None);
    loop {
        let line = lines.next()?.ok()?;
        match line.split([' ', ':']).next()?.to_ascii_uppercase().as_str() {
            "EHLO" => say("250-catcher\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN")?,
            "AUTH" => {
                auth = line.split(' ').nth(2).map(str::to_owned);
                say(kept.lock().unwrap().auth.as_deref().unwrap_or("235 welcome"))?;
            }
            "MAIL" => {
                (from, to) = (line, Vec::new());
                say("250 ok")?;
            }
            "RCPT" => {
                to.push(line);
                say("250 ok")?;
            }
            "DATA" => {
                say("354 go on")?;
                let mut data = String::new();
                loop {
                    let line = lines.next()?.ok()?;
                    if line == "." {
                        break;
                    }
                    data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    data.push_str("\r\n");
                }
                let (head, text) = data.split_once("\r\n\r\n")?;
                let mut kept = kept.lock().unwrap();
                let text = if head.contains("quoted-printable") { plain(text) } else { text.to_owned() };
                kept.mails.push(Mail { from: from.clone(), to: to.clone(), auth: auth.clone(), head: head.to_owned(), text });
                let reply = kept.replies.pop_front().unwrap_or_else(|| "250 2.0.0 kept".into());
                drop(kept);
                say(&reply)?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
}

/// Text from quoted-printable (RFC 2045, section 6.7).
fn plain(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'=').and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}
