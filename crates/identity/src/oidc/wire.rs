//! What goes over the wire: where requests may lead, and how large answers may be. The sending itself is the caller's.

use super::Refusal;
use openidconnect::AsyncHttpClient;
use openidconnect::url::{Host, Url};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// One request, as it is to be sent.
pub type Request = http::Request<Vec<u8>>;
/// Its answer, whatever the status.
pub type Response = http::Response<Vec<u8>>;

/// Most bytes of an answer: a provider's keys with their certificates are the largest, some 20 KB.
pub const LARGEST: usize = 256 * 1024;

/// Longest URL in bytes.
const MAX_URL: usize = 2_048;

/// A request that got no usable answer.
#[derive(Debug)]
pub struct Unsent(pub(super) Refusal);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Unsent {}

/// The caller's way out, with the limits of this crate on it. It is owned rather than borrowed, so that the compiler sees
/// that a sign-in may move between threads.
pub struct Wire<S>(pub S);

impl<'c, S, F> AsyncHttpClient<'c> for Wire<S>
where
    S: Fn(Request) -> F + Sync + 'static,
    F: Future<Output = Result<Response, String>> + Send + 'static,
{
    type Error = Unsent;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Unsent>> + Send + 'c>>;

    /// Sends one request, if it may be sent, and takes its answer, if that is not too large.
    fn call(&'c self, request: Request) -> Self::Future {
        Box::pin(async move {
            // Wherever the provider's own documents lead.
            let url = address(&request.uri().to_string()).map_err(Unsent)?;
            let unreachable = |why| Unsent(Refusal::Unreachable(format!("{}: {why}", url.host_str().unwrap_or_default())));
            let answer = (self.0)(request).await.map_err(unreachable)?;
            if answer.body().len() > LARGEST {
                return Err(Unsent(Refusal::NotUnderstood(format!("its answer is larger than {} KiB", LARGEST / 1024))));
            }
            Ok(answer)
        })
    }
}

/// Reads an address that secrets may be sent to: `https`, or a server on this machine.
pub fn address(text: &str) -> Result<Url, Refusal> {
    let bad = |why: String| Err(Refusal::Address(why));
    if text.len() > MAX_URL {
        return bad(format!("it is longer than {MAX_URL} bytes"));
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(e) => return bad(format!("{text} cannot be read: {e}")),
    };
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(number)) => number.is_loopback(),
        Some(Host::Ipv6(number)) => number.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(here && url.scheme() == "http") {
        return bad(format!("{text} must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return bad("it must not hold a user, a password or a fragment".into());
    }
    Ok(url)
}
