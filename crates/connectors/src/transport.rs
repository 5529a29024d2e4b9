//! The only place that opens a socket: sends what connectors build, with tokens, limits, back-off and a circuit breaker.

/// A request as a connector builds it; the transport adds the address, the token and the time-out.
#[derive(Debug, Clone)]
pub struct Request {
    /// The operation by the vendor's own name, for limits, figures and schemas.
    pub what: &'static str,
    pub method: &'static str,
    /// From the root of the marketplace's address, with its query, escaped; or a whole URL, as uploads have.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    /// With its media type.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Doing it twice is as good as doing it once: it may be tried again when the answer got lost.
    pub repeatable: bool,
}

/// An answer with a status of the 200s, or one that the connector asked to see.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no answer. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Too many calls; not done. Milliseconds to wait, if the marketplace said.
    Throttled { retry_after_ms: Option<u64> },
    /// The credentials do not open it; not done.
    Unauthorized { detail: String },
    /// Surely not done: no connection, the circuit is open, or 503 before any work.
    Unavailable { detail: String },
    /// No answer: it may have been done or not, or be done later.
    Lost { detail: String },
    /// Understood and refused; not done.
    Refused { status: u16, code: String, detail: String },
    /// An answer that makes no sense.
    NotUnderstood { detail: String },
}

/// A token and when it ends, microseconds since 1970 UTC.
pub struct Token {
    pub text: String,
    pub expires_at: i64,
}

/// The way to one marketplace account.
pub struct Wire {}

impl Wire {
    pub async fn send(&self, _request: Request) -> Result<Response, Fault> {
        Err(Fault::Unavailable { detail: "not connected".into() })
    }

    /// A setting of this account, such as the seller's id.
    pub fn setting(&self, _name: &str) -> &str {
        ""
    }
}
