//! From where a request comes: the network address, and whether the visitor's browser speaks HTTPS. Headers of a proxy count
//! only when the proxy is trusted.

use crate::App;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use futures_util::future::BoxFuture;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The other end of a connection, noted when it was accepted.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What the installation says of itself and of what stands before it.
#[derive(Clone, Default)]
pub struct Outer {
    /// Proxies whose word counts, besides this machine itself.
    pub proxies: Arc<[IpAddr]>,
    /// Where people find the pages, such as `https://stock.example.com`.
    pub public_url: Option<Arc<str>>,
    /// How a request gets to the company's provider of identities; None where nothing may go out.
    pub fetch: Option<Fetch>,
}

/// Sends one request and brings its answer, within limits of time and size.
pub type Fetch = Arc<dyn Fn(http::Request<Vec<u8>>) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, String>> + Send + Sync>;

/// Where a request comes from.
#[derive(Debug, Clone)]
pub struct Visit {
    pub address: IpAddr,
    pub is_https: bool,
    /// As the browser named it; for display, never for decisions.
    pub host: String,
}

pub fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

impl Visit {
    pub fn of(app: &App, parts: &Parts) -> Visit {
        Visit::from(app, &parts.headers, &parts.extensions)
    }

    pub fn from(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Visit {
        let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |p| p.0.ip().to_canonical());
        let is_trusted = peer.is_loopback() || app.outer.proxies.contains(&peer);
        // A proxy adds the address that it saw at the end; what stands before it may be made up.
        let forwarded = text(headers, "x-forwarded-for").and_then(|f| f.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
        let address = forwarded.filter(|_| is_trusted).map_or(peer, |a| a.to_canonical());
        let is_https = is_trusted && text(headers, "x-forwarded-proto") == Some("https");
        Visit { address, is_https, host: text(headers, header::HOST).unwrap_or("127.0.0.1:7070").chars().take(200).collect() }
    }

    /// Whether browsers keep secrets here: over HTTPS, or without leaving the machine.
    pub fn is_private(&self) -> bool {
        self.is_https || is_own_machine(&self.host)
    }

    /// The address of the pages as the visitor used it.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.host)
    }
}

/// Whether a host with its port names the machine itself.
pub fn is_own_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether one of our own pages sent this. Browsers say where a request comes from; over plain HTTP to another machine they
/// say it by `Origin` alone. Without either it is no browser of this decade, and nothing that a foreign page could steer.
pub fn is_own_page(headers: &HeaderMap) -> bool {
    match (text(headers, "sec-fetch-site"), text(headers, header::ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == text(headers, header::HOST),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        let pairs = text.split(", ").filter_map(|line| line.split_once(": "));
        pairs.map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn forms_from_elsewhere_are_told() {
        for (text, ours) in [
            ("host: a.example, sec-fetch-site: same-origin, origin: https://a.example", true),
            ("host: a.example, sec-fetch-site: none", true),
            ("host: 10.0.0.7:7070, origin: http://10.0.0.7:7070", true),
            ("host: a.example", true),
            ("host: a.example, sec-fetch-site: cross-site, origin: https://a.example", false),
            ("host: a.example, sec-fetch-site: same-site", false),
            ("host: a.example, origin: http://b.example", false),
            ("host: a.example, origin: null", false),
        ] {
            assert_eq!(is_own_page(&headers(text)), ours, "{text}");
        }
    }

    #[test]
    fn own_machines() {
        for (host, own) in [
            ("127.0.0.1:7070", true),
            ("[::1]:7070", true),
            ("localhost:7070", true),
            ("stock.example", false),
            ("10.0.0.7:7070", false),
            ("127.evil.example", false),
        ] {
            assert_eq!(is_own_machine(host), own, "{host}");
        }
    }
}
