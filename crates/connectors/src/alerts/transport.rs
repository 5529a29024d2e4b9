//! Opens the sockets of alerts: posts webhooks, hands mails to a mail server. One try each; nothing is followed, nothing repeated.

use super::addresses::is_public;
use super::mail::{Mail, build};
use super::{KEPT, Told, clean};
use crate::transport::{Response, retry_after_ms};
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Standard Webhooks recommends 15 to 30 seconds from sending to the last byte of the answer.
const WHOLE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(5);
/// A mail takes several exchanges.
const WHOLE_MAIL: Duration = Duration::from_secs(30);
/// Longest URL in bytes.
const MAX_URL: usize = 1_024;

/// Where a URL may lead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Public,
    /// For a receiver beside this server, and for tests.
    Here,
}

impl Reach {
    fn allows(self, address: IpAddr) -> bool {
        match self {
            Reach::Public => is_public(address),
            Reach::Here => address.is_loopback(),
        }
    }

    fn refusal(self) -> &'static str {
        match self {
            Reach::Public => "leads to a private address, or to none",
            Reach::Here => "does not lead to this machine",
        }
    }
}

/// Reads a URL that webhooks are to be sent to. The refusal goes on after the field's name.
fn read(url: &str) -> Result<(reqwest::Url, Reach), String> {
    if url.len() > MAX_URL || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("must be at most {MAX_URL} bytes long, without blanks"));
    }
    let parsed = reqwest::Url::parse(url).map_err(|e| format!("cannot be read: {e}"))?;
    let host = parsed.host_str().unwrap_or("").trim_matches(['[', ']']).to_owned();
    let number: Option<IpAddr> = host.parse().ok();
    let reach = match parsed.scheme() {
        "https" => Reach::Public,
        "http" if host == "localhost" || number.is_some_and(|n| n.is_loopback()) => Reach::Here,
        _ => return Err("must begin with https://".into()),
    };
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
        return Err("must not hold a user, a password or a fragment; the signature says who sent it".into());
    }
    // A name is looked up, and checked, whenever something is sent.
    if number.is_some_and(|number| !reach.allows(number)) {
        return Err(reach.refusal().into());
    }
    Ok((parsed, reach))
}

/// Refuses a URL that webhooks cannot be sent to, in words that go on after the field's name.
pub fn check_url(url: &str) -> Result<(), String> {
    read(url).map(drop)
}

/// Finds the addresses of a name, and gives only those that may be reached. What is connected to is what was checked.
struct Guard(Reach);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.filter(|a| reach.allows(a.ip())).collect();
            if found.is_empty() {
                return Err(format!("{} {}", name.as_str(), reach.refusal()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Posts webhooks.
pub struct Poster {
    public: reqwest::Client,
    here: reqwest::Client,
}

impl Poster {
    pub fn new() -> Result<Poster, String> {
        // Another part of the program may have installed it already; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |reach: Reach| {
            reqwest::Client::builder()
                .connect_timeout(CONNECT)
                .timeout(WHOLE)
                .redirect(reqwest::redirect::Policy::none())
                // A proxy would look names up by itself, where they are not checked.
                .no_proxy()
                .dns_resolver(Guard(reach))
                .pool_max_idle_per_host(1)
                .user_agent(concat!("Holdfast/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|e| format!("no HTTP client: {e}"))
        };
        Ok(Poster { public: client(Reach::Public)?, here: client(Reach::Here)? })
    }

    /// Posts once. `now` in microseconds, for answers that name a time.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: String, now: i64) -> Told {
        let (url, reach) = match read(url) {
            Ok(read) => read,
            Err(why) => return Told::fault(format!("the URL {why}")),
        };
        let client = if reach == Reach::Public { &self.public } else { &self.here };
        let mut request = client.post(url).header("content-type", "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let failed = |error: reqwest::Error| Told::fault(chain(&error.without_url()));
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return failed(error),
        };
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let mut head = Response { status: answer.status().as_u16(), headers, body: Vec::new() };
        // What it says is for people; the status has said whether it arrived.
        while head.body.len() < KEPT
            && let Ok(Some(piece)) = answer.chunk().await
        {
            head.body.extend_from_slice(&piece);
        }
        let retry_after_ms = retry_after_ms(&head, now);
        Told { status: Some(head.status), answer: clean(&String::from_utf8_lossy(&head.body)), retry_after_ms, fault: None }
    }
}

/// The way to a mail server. Shows neither its password nor its name.
pub struct Mailer {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// What must never be shown: the password, as it was given and as it is.
    password: Vec<String>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer for {}", self.from.email)
    }
}

impl Mailer {
    /// Reads `smtps://user:password@host:465`, `smtp://user:password@host:587?tls=required` or `smtp://127.0.0.1:25`; and whom mails
    /// are from, such as `Holdfast <alerts@example.com>`. Refuses to send a password in the clear to another machine.
    pub fn new(url: &str, from: &str) -> Result<Mailer, String> {
        let shape = "it must be like smtps://user:password@host:465 or smtp://host:587?tls=required, with what is special in the password escaped";
        // Neither error may quote the text: it holds a password.
        let parsed = reqwest::Url::parse(url).map_err(|_| format!("the mail server's URL cannot be read: {shape}"))?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| format!("the mail server's URL cannot be used: {shape}"))?;
        let host = parsed.host_str().unwrap_or("").trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse().is_ok_and(|n: IpAddr| n.is_loopback());
        let is_safe = parsed.scheme() == "smtps" || parsed.query_pairs().any(|(name, value)| name == "tls" && value == "required");
        if parsed.password().is_some() && !is_safe && !is_here {
            return Err("the mail server's password would be sent in the clear: use smtps://, or add ?tls=required".into());
        }
        let from: Mailbox = from.parse().map_err(|_| "the sender of mails must be like Holdfast <alerts@example.com>".to_owned())?;
        let password: Vec<String> = parsed.password().filter(|p| !p.is_empty()).map(|p| vec![p.to_owned(), unescape(p)]).unwrap_or_default();
        // Another part of the program may have installed it already; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Mailer { smtp: builder.timeout(Some(WHOLE)).build(), from, password })
    }

    /// Hands one mail over, once.
    pub async fn send(&self, mail: &Mail) -> Told {
        let message = match build(&self.from, mail) {
            Ok(message) => message,
            Err(why) => return Told::fault(why),
        };
        let told = match tokio::time::timeout(WHOLE_MAIL, self.smtp.send(message)).await {
            Err(_) => Told::fault(format!("the mail server did not answer within {} seconds", WHOLE_MAIL.as_secs())),
            Ok(Ok(reply)) => Told { status: number(reply.code()), answer: clean(&reply.message().collect::<Vec<_>>().join("\n")), ..Told::default() },
            Ok(Err(error)) => match error.status() {
                Some(code) => Told { status: number(code), answer: clean(&chain(&error)), ..Told::default() },
                None => Told::fault(chain(&error)),
            },
        };
        let hide = |text: String| self.password.iter().fold(text, |text, secret| text.replace(secret.as_str(), "[hidden]"));
        Told { answer: hide(told.answer), fault: told.fault.map(hide), ..told }
    }
}

fn number(code: lettre::transport::smtp::response::Code) -> Option<u16> {
    code.to_string().parse().ok()
}

/// `%40` as `@`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An error with its causes, each told once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_out_or_to_this_machine() {
        for good in ["https://hooks.example.com/a?b=c", "https://1.1.1.1/", "http://127.0.0.1:8080/x", "http://localhost:1/", "http://[::1]:1/"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL));
        for bad in [
            "http://hooks.example.com/",
            "ftp://example.com/",
            "example.com",
            "",
            "https://",
            "https://user@example.com/",
            "https://:word@example.com/",
            "https://example.com/#part",
            "https://10.0.0.1/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "https://exam ple.com/",
            "https://example.com/\r\nx",
            &long,
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_neither_told_nor_sent_in_the_clear() {
        let from = "Holdfast <alerts@example.com>";
        for good in
            ["smtps://u:hu%40sh@mail.example.com:465", "smtp://u:hush@mail.example.com?tls=required", "smtp://u:hush@127.0.0.1:25", "smtp://relay:25"]
        {
            let mailer = Mailer::new(good, from).unwrap();
            assert!(!format!("{mailer:?}").contains("hush"));
        }
        for bad in ["smtp://u:hush@mail.example.com", "smtp://u:hush@mail.example.com?tls=opportunistic", "http://u:hush@x", "hush", "smtp://:hush@"]
        {
            let why = Mailer::new(bad, from).unwrap_err();
            assert!(!why.contains("hush"), "{why}");
        }
        assert!(Mailer::new("smtp://127.0.0.1:25", "nobody").is_err());
        assert_eq!(unescape("a%40b%zz%4"), "a@b%zz%4");
    }
}
