//! What a REST front needs of a request, and how it answers: one function of plain values for each vendor, with the mishaps
//! of its market around it.

use super::{Market, Mishap};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::sync::Arc;

const LARGEST: usize = 64 << 20;

/// A request, taken apart.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub method: String,
    /// Unescaped, without the first slash.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Ask {
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A number in the query, or this if there is none.
    pub fn number(&self, name: &str, otherwise: usize) -> usize {
        self.param(name).and_then(|v| v.parse().ok()).unwrap_or(otherwise)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }

    /// Null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The fields of a form.
    pub fn form(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        pairs(&text).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Method and path, for matching.
    pub fn route(&self) -> (&str, Vec<&str>) {
        (&self.method, self.path.iter().map(String::as_str).collect())
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (unescape(name), unescape(value)));
    query.split('&').filter_map(pair).collect()
}

pub fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                at += 2;
            }
            (byte, _) => plain.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// An answer with JSON.
pub fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

/// An answer with nothing in it.
pub fn empty(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

pub fn with_header(mut answer: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
    answer
}

/// Microseconds since 1970 as RFC 3339 with milliseconds.
pub fn date(microseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(microseconds.div_euclid(1000)).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Microseconds since 1970.
pub fn time(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|t| t.as_microsecond())
}

/// Puts fields into an answer that nobody knows.
pub fn with_unknown(market: &Market, mut body: Value) -> Value {
    if market.says_unknown() {
        body["zzNobodyKnows"] = serde_json::json!({ "of": ["what", 1, null] });
    }
    body
}

/// A vendor's language over a market.
pub trait Front: Send + Sync + 'static {
    fn market(&self) -> &Market;
    /// Answers a request, whatever goes wrong around it.
    fn answer(&self, ask: &Ask) -> Response;
    /// “Too many calls”, in the vendor's own way.
    fn throttled(&self) -> Response;
}

pub fn router<F: Front>(front: Arc<F>) -> Router {
    Router::new().fallback(move |request: Request| {
        let front = front.clone();
        async move {
            let (head, body) = request.into_parts();
            let Ok(body) = to_bytes(Body::new(body), LARGEST).await else { return empty(400) };
            let ask = Ask {
                method: head.method.to_string(),
                path: head.uri.path().trim_start_matches('/').split('/').map(unescape).collect(),
                query: pairs(head.uri.query().unwrap_or("")),
                headers: head.headers,
                body: body.to_vec(),
            };
            let mishap = front.market().mishap();
            if let Some(answer) = mishap.before() {
                return answer;
            }
            if mishap == Mishap::Throttled {
                return front.throttled();
            }
            mishap.after(front.answer(&ask))
        }
    })
}
