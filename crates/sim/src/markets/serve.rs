//! Sockets of the simulated marketplaces: a server on loopback that can cut a connection, and a client that delivers webhooks.

use super::mishaps::Break;
use axum::Router;
use hyper_util::rt::TokioIo;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

/// Longest that a request is left hanging; whoever asks should have given up by then.
const HANG: Duration = Duration::from_secs(60);

/// A running server; it ends, with its connections, when dropped.
pub struct Served {
    /// `http://127.0.0.1:port`
    pub address: String,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves on a free port of loopback.
pub async fn serve(router: Router) -> io::Result<Served> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let task = tokio::spawn(async move {
        // Connections end with the set when the task is aborted.
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let router = router.clone();
            connections.spawn(async move {
                let answer = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let router = router.clone();
                    async move {
                        let answer = router.oneshot(request).await.map_err(io::Error::other)?;
                        match answer.extensions().get::<Break>() {
                            None => return Ok(answer),
                            Some(Break::Cut) => {}
                            Some(Break::Hang) => tokio::time::sleep(HANG).await,
                        }
                        Err(io::Error::other("simulated"))
                    }
                });
                // A connection that breaks is what these servers are for.
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    Ok(Served { address, task })
}

/// A webhook as a front words and signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Posts to `http://host:port/path`; answers the status.
pub async fn post(address: &str, delivery: &Delivery) -> io::Result<u16> {
    let rest = address.strip_prefix("http://").ok_or_else(|| io::Error::other("webhooks go to http addresses only"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut head = format!("POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n", delivery.body.len());
    for (name, value) in &delivery.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut socket = TcpStream::connect(host).await?;
    socket.write_all(format!("{head}\r\n").as_bytes()).await?;
    socket.write_all(&delivery.body).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await??;
    let status = answer.get(9..12).and_then(|s| std::str::from_utf8(s).ok()).and_then(|s| s.parse().ok());
    status.ok_or_else(|| io::Error::other("no status"))
}
