//! The one place where a refusal or a fault becomes a status and a body: problem details (RFC 9457) with a stable `code`.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use domain::Refused;
use engine::Stop;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// A problem on its way to the caller.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: String,
    title: String,
    detail: String,
    retry_after_seconds: Option<u32>,
    replayed: bool,
    more: Map<String, Value>,
}

impl Problem {
    /// A problem of the HTTP exchange itself, before anything reached the engine.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            title: title(code),
            code: code.to_owned(),
            detail: detail.into(),
            retry_after_seconds: None,
            replayed: false,
            more: Map::new(),
        }
    }

    /// With a field of its own.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

/// `insufficient_stock` as “Insufficient stock”.
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// The status that goes with each refusal.
fn status(refused: &Refused) -> StatusCode {
    match refused {
        // Something named by the address is missing; something named in the body is a fault of the body.
        Refused::Unknown { field, .. } if ["id", "sku", "code", "key"].contains(&field.as_str()) => StatusCode::NOT_FOUND,
        Refused::UnknownField { .. } => StatusCode::BAD_REQUEST,
        Refused::Unknown { .. }
        | Refused::Invalid { .. }
        | Refused::QuantityOutOfRange { .. }
        | Refused::DuplicateLine { .. }
        | Refused::MixedCurrency { .. }
        | Refused::PriceNotAgreed { .. }
        | Refused::KitHasNoStock { .. }
        | Refused::LevelTooLarge { .. }
        | Refused::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::InsufficientStock { .. }
        | Refused::NotRoutable { .. }
        | Refused::Exists { .. }
        | Refused::StepNotAllowed { .. }
        | Refused::ReservationExpired { .. }
        | Refused::CountBelowPromised { .. }
        | Refused::HandedOver { .. }
        | Refused::BeyondContract { .. }
        | Refused::TooMany { .. }
        | Refused::LimitReached { .. }
        | Refused::IdempotencyInProgress => StatusCode::CONFLICT,
        Refused::NotAllowed { .. } | Refused::OutOfScope { .. } => StatusCode::FORBIDDEN,
        // What was seen (`If-Match`) is no longer so (RFC 9110, 15.5.13).
        Refused::Changed { .. } => StatusCode::PRECONDITION_FAILED,
        Refused::Overloaded { .. } | Refused::SearchNotReady => StatusCode::SERVICE_UNAVAILABLE,
        Refused::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
    }
}

impl From<&Refused> for Problem {
    fn from(refused: &Refused) -> Problem {
        let mut problem = Problem::new(status(refused), refused.code(), refused.to_string());
        if let Some(field) = refused.field() {
            problem = problem.with("field", field);
        }
        match refused {
            Refused::InsufficientStock { shortfalls } => {
                let shortfalls: Vec<Value> =
                    shortfalls.iter().map(|s| json!({ "sku": s.sku, "requested": s.requested, "available": s.available })).collect();
                problem.with("shortfalls", shortfalls)
            }
            Refused::NotRoutable { reasons } => {
                let reasons: Vec<Value> = reasons.iter().map(|(location, reason)| json!({ "location": location, "reason": reason })).collect();
                problem.with("reasons", reasons)
            }
            Refused::QuantityOutOfRange { quantity, min, max, .. } => problem.with("value", *quantity).with("min", *min).with("max", *max),
            Refused::NotAllowed { permission } => problem.with("permission", permission.as_str()),
            Refused::StepNotAllowed { status, step, .. } => problem.with("current_status", status.word()).with("step", step.word()),
            Refused::LimitReached { most, .. } => problem.with("most", *most),
            Refused::TooMany { sku, asked, left } => problem.with("sku", sku.as_str()).with("asked", *asked).with("left", *left),
            Refused::CountBelowPromised { sku, counted, promised } => {
                problem.with("sku", sku.as_str()).with("counted", *counted).with("promised", *promised)
            }
            Refused::Overloaded { retry_after_seconds } => {
                problem.retry_after_seconds = Some(*retry_after_seconds);
                problem
            }
            Refused::StorageFull => {
                problem.retry_after_seconds = Some(30);
                problem
            }
            _ => problem,
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        Problem::from(&refused)
    }
}

impl From<Stop> for Problem {
    fn from(stop: Stop) -> Problem {
        match stop {
            Stop::Refused(refused) => Problem::from(&refused),
            Stop::Replayed(refused) => Problem { replayed: true, ..Problem::from(&*refused) },
            Stop::Stopped => {
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", "The server is stopping; try again in a moment.");
                Problem { retry_after_seconds: Some(2), ..problem }
            }
            Stop::Broken { text } => {
                // The one place where a fault is logged; the caller gets a number to ask about, never the text.
                static COUNT: AtomicU64 = AtomicU64::new(1);
                let id = format!("{:x}-{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
                tracing::error!(incident = id, "{text}");
                let detail = format!("Something broke on our side and nothing was changed. Incident {id} is in the log.");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail).with("incident", id)
            }
        }
    }
}

/// What went with the answer of a problem, for whoever shows it as a page instead.
#[derive(Debug, Clone)]
pub struct Told {
    pub title: String,
    pub detail: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let told = Told { title: self.title.to_string(), detail: self.detail.clone() };
        let mut body = Map::new();
        body.insert("type".into(), format!("urn:holdfast:problem:{}", self.code).into());
        body.insert("title".into(), self.title.into());
        body.insert("status".into(), self.status.as_u16().into());
        body.insert("detail".into(), self.detail.into());
        body.insert("code".into(), self.code.into());
        body.extend(self.more);
        let mut response = Response::new(Body::from(Value::Object(body).to_string()));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(told);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.replayed {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
