//! Reading requests: bodies, idempotency keys, lists, ids. Nothing malformed gets past here.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use domain::{Noun, Refused};
use engine::{Command, IdempotencyKey, Reply};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Largest body of a call in bytes; imports are streamed and have no such limit.
const MAX_BODY: usize = 1 << 20;
/// A body must arrive within this time.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Deepest nesting: no request needs more, and a hostile one must not exhaust the stack.
const MAX_DEPTH: usize = 32;

/// A change that was asked for, read whole and known to be well-formed.
pub struct Change<T> {
    pub body: T,
    pub caller: Caller,
    key: Option<IdempotencyKey>,
    /// What the caller saw before deciding (`If-Match`).
    seen: Option<String>,
}

impl<T: DeserializeOwned + Send> FromRequest<App> for Change<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Change<T>, Problem> {
        let (mut parts, body) = request.into_parts();
        let Some(caller) = parts.extensions.remove::<Caller>() else {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "key_required", "Send an API key: Authorization: Bearer hf_…"));
        };
        let bytes = read_body(&parts.headers, body).await?;
        let key = match idempotency_key(&parts.headers)? {
            Some(key) => {
                let mut hasher = blake3::Hasher::new();
                for part in [parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), &bytes] {
                    hasher.update(&(part.len() as u64).to_le_bytes());
                    hasher.update(part);
                }
                // Two keyholders may use the same words without meeting each other's answers.
                Some(IdempotencyKey { key: format!("{}:{key}", caller.id), request: *hasher.finalize().as_bytes() })
            }
            None => None,
        };
        // A call without a body, such as release, says nothing rather than {}.
        let text = if bytes.is_empty() { &b"{}"[..] } else { &bytes[..] };
        let seen = parts.headers.get(header::IF_MATCH).and_then(|v| v.to_str().ok()).map(|t| t.trim().trim_matches('"').to_owned());
        Ok(Change { body: parse(text)?, caller, key, seen })
    }
}

impl<T> Change<T> {
    /// Has the engine carry it out, and answers when it is durable.
    pub async fn run(self, app: &App, command: impl FnOnce(T) -> Command) -> Result<Response<Body>, Problem> {
        Ok(answer(self.reply(app, command).await?))
    }

    /// The same, for an answer that something is added to which must not be kept.
    pub async fn reply(self, app: &App, command: impl FnOnce(T) -> Command) -> Result<Reply, Problem> {
        Ok(app.engine.submit(command(self.body), self.caller.by().expecting(self.seen), self.key).await?)
    }
}

/// The idempotency key of a request: 1 to 255 visible ASCII characters, in quotes or not.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let bad = || Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", "Idempotency-Key must be 1 to 255 visible ASCII characters.");
    let text = value.to_str().map_err(|_| bad())?.trim().trim_matches('"');
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(bad());
    }
    Ok(Some(text))
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("A body may have at most {MAX_BODY} bytes."));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time.")),
    }
}

/// Reads JSON, or says where and why it cannot.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if depth(bytes) > MAX_DEPTH {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("The body is nested deeper than {MAX_DEPTH} levels.")));
    }
    // Nearly every request is well-formed; only the others pay for finding out where they are not.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = match serde_path_to_error::deserialize(&mut reader) {
        Ok(value) => value,
        Err(error) => {
            let path = error.path().to_string();
            return Err(parse_problem(path, error.into_inner()));
        }
    };
    reader.end().map_err(|e| parse_problem(".".into(), e))?;
    Ok(value)
}

/// How deep the brackets go, without regard to texts: enough to stop a hostile body early.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    for byte in bytes {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn parse_problem(path: String, error: serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        let text = error.to_string();
        if let Some(name) = text.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
            // The path ends with the unknown name itself.
            let field = if path.ends_with(name) || path == "." { path.trim_start_matches('.').to_owned() } else { format!("{path}.{name}") };
            let field = if field.is_empty() { name.to_owned() } else { field };
            return Refused::UnknownField { field }.into();
        }
        let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let field = match (missing, path.as_str()) {
            (Some(name), ".") => name.to_owned(),
            (Some(name), path) => format!("{path}.{name}"),
            (None, path) => path.to_owned(),
        };
        let reason = if missing.is_some() { "is missing".to_owned() } else { text.split(" at line ").next().unwrap_or(&text).to_owned() };
        return Problem::new(StatusCode::BAD_REQUEST, "invalid_field", format!("“{field}”: {reason}."))
            .with("field", field)
            .with("line", line)
            .with("column", column);
    }
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("The body is not JSON: {error}.")).with("line", line).with("column", column)
}

/// A number that a path names; anything else names nothing.
pub fn id(noun: Noun, text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Refused::unknown(noun, text, "id").into())
}

/// Query parameters of a list; unknown ones are refused by name.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &App) -> Result<Params<T>, Problem> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(value)| Params(value)).map_err(|error| {
            let text = error.to_string();
            if let Some(name) = text.split("unknown field `").nth(1).and_then(|rest| rest.split('`').next()) {
                return Refused::UnknownField { field: name.to_owned() }.into();
            }
            Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", text)
        })
    }
}

/// The body of a call that has nothing to say.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Which part of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// 1 to 250; 50 if left out.
    pub limit: Option<i64>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// Most rows of a page.
const MAX_LIMIT: i64 = 250;

pub fn limit(limit: Option<i64>) -> Result<i64, Problem> {
    match limit.unwrap_or(50) {
        limit if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", format!("limit must be 1 to {MAX_LIMIT}.")).with("field", "limit")),
    }
}

/// A cursor that is a number; the given start if left out.
pub fn cursor(after: Option<&str>, start: i64) -> Result<i64, Problem> {
    let Some(text) = after.filter(|t| !t.is_empty()) else { return Ok(start) };
    text.parse().map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", "after must be a cursor that an answer gave as “next”.").with("field", "after")
    })
}

/// A page of a list: `next` is the cursor of the page after it, or null.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct List<T> {
    pub data: Vec<T>,
    pub next: Option<String>,
}

impl<T> List<T> {
    /// From one row more than asked for, which tells whether there is a next page.
    pub fn new(mut rows: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> List<T> {
        let more = rows.len() as i64 > limit;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(cursor);
        List { data: rows, next }
    }

    /// Without the rows that the caller may not see; the next page begins where it would.
    pub fn only(mut self, is_own: impl FnMut(&T) -> bool) -> List<T> {
        self.data.retain(is_own);
        self
    }
}

/// JSON with a status.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => Problem::from(engine::Stop::broken(error.to_string())).into_response(),
    }
}

/// The engine's answer as HTTP.
pub fn answer(reply: Reply) -> Response<Body> {
    let status = if reply.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = json(status, &reply.answer);
    if reply.replayed {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}
