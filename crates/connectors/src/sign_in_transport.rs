//! Opens the sockets of sign-in at a company's own provider: one request, one answer, nothing followed, nothing repeated. What is
//! asked, and what an answer is worth, is decided where people are known.
//!
//! Private addresses are allowed: companies run their own providers, and who may set one up may also reach it.

use crate::transport::chain;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(5);
/// From sending to the last byte of the answer; somebody waits for it before a page.
const WHOLE: Duration = Duration::from_secs(15);
/// Most bytes of an answer.
const LARGEST: usize = 256 * 1024;

/// The way to sign-in providers. Copies share their connections.
#[derive(Debug, Clone)]
pub struct Sender(reqwest::Client);

impl Sender {
    pub fn new() -> Result<Sender, String> {
        // Another part of the program may have installed it already; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("Holdfast/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Sender)
            .map_err(|e| format!("no HTTP client: {e}"))
    }

    /// Sends one request, and gives back whatever is answered, redirects and refusals included. Refuses plain HTTP to other machines.
    /// Faults name neither query nor headers, which hold secrets. What is answered here can be waited for on any thread.
    pub fn send(&self, request: http::Request<Vec<u8>>) -> impl Future<Output = Result<http::Response<Vec<u8>>, String>> + Send + use<> {
        let client = self.0.clone();
        async move {
            let request = reqwest::Request::try_from(request).map_err(|e| chain(&e.without_url()))?;
            check(request.url())?;
            let mut answer = client.execute(request).await.map_err(|e| chain(&e.without_url()))?;
            let mut body = Vec::new();
            while let Some(piece) = answer.chunk().await.map_err(|e| chain(&e.without_url()))? {
                if body.len() + piece.len() > LARGEST {
                    return Err(format!("the answer is larger than {} KiB", LARGEST / 1024));
                }
                body.extend_from_slice(&piece);
            }
            let mut whole = http::Response::new(body);
            *whole.status_mut() = answer.status();
            *whole.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(whole)
        }
    }
}

fn check(url: &reqwest::Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|n| n.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if here => Ok(()),
        _ => Err("the address must begin with https://".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server on this machine that answers one request with these bytes, and then says what it was asked.
    async fn answering(answer: Vec<u8>) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let length = socket.read(&mut request).await.unwrap();
            // Whoever finds the answer too large hangs up.
            let _ = socket.write_all(&answer).await;
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        (address, asked)
    }

    fn get(url: &str) -> http::Request<Vec<u8>> {
        http::Request::get(url).header("authorization", "Bearer hush").body(b"a=b".to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_request_is_sent_and_its_answer_given_back_whatever_it_is() {
        let answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nx-one: 1\r\ncontent-length: 4\r\n\r\nbody".to_vec();
        let (address, asked) = answering(answer).await;
        let answer = Sender::new().unwrap().send(get(&format!("{address}/path?q=1"))).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["x-one"].to_str().unwrap(), answer.body().as_slice()), (302, "1", b"body".as_slice()));
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /path?q=1 HTTP/1.1\r\n") && asked.contains("authorization: Bearer hush\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn large_answers_are_cut_off() {
        for length in [LARGEST, LARGEST + 1] {
            let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
            answer.resize(answer.len() + length, b'x');
            let (address, _asked) = answering(answer).await;
            let answer = Sender::new().unwrap().send(get(&address)).await;
            assert_eq!(answer.is_ok(), length == LARGEST, "{length}");
        }
    }

    #[tokio::test]
    async fn other_machines_are_reached_safely_or_not_at_all() {
        let sender = Sender::new().unwrap();
        for url in ["http://login.example.com/", "http://10.0.0.1/", "http://localhost.example.com/", "ftp://127.0.0.1/"] {
            assert_eq!(sender.send(get(url)).await.unwrap_err(), "the address must begin with https://", "{url}");
        }
        for url in ["https://login.example.com/", "https://10.0.0.1/", "http://127.0.0.2/", "http://[::1]:9/", "http://localhost/"] {
            assert_eq!(check(&url.parse().unwrap()), Ok(()), "{url}");
        }
        let fault = sender.send(get("http://127.0.0.1:1/?code=hush")).await.unwrap_err();
        assert!(!fault.contains("hush"), "{fault}");
    }
}
