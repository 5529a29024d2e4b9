//! What Shopify's answers mean: three layers of saying no (the status, `errors`, `userErrors`), and the points that are left.

use crate::read::{excerpt, json, rows, text};
use crate::transport::{Fault, Limit, Response, by_status};
use serde_json::Value;

pub(super) fn fault(answer: &Response) -> Option<Fault> {
    if let Some(fault) = by_status(answer) {
        return Some(match fault {
            Fault::Refused { status, code, .. } => Fault::Refused { status, code, detail: excerpt(&answer.body) },
            other => other,
        });
    }
    // Cut short, or a proxy's page: a query can be asked again, a mutation may have been done.
    let Ok(body) = json(answer) else {
        return Some(Fault::Lost { detail: format!("not JSON: {}", excerpt(&answer.body)) });
    };
    rows(&body, "/errors").iter().find_map(|error| error_fault(error, &body)).or_else(|| still_running(&body))
}

fn error_fault(error: &Value, body: &Value) -> Option<Fault> {
    let code = text(error, "/extensions/code").unwrap_or_else(|| "errors".into());
    let detail = text(error, "/message").unwrap_or_default();
    match code.as_str() {
        "THROTTLED" => Some(Fault::Throttled { retry_after_ms: Some(wait_ms(body)) }),
        // Customer data that the app may not see: the field is null, the rest is there.
        "ACCESS_DENIED" if rows(error, "/path").len() > 1 && body["data"].is_object() => None,
        "ACCESS_DENIED" => Some(Fault::Refused { status: 200, code, detail }),
        "INTERNAL_SERVER_ERROR" | "TIMEOUT" | CONCURRENT => Some(Fault::Lost { detail: format!("{code}: {detail}") }),
        "SHOP_INACTIVE" => Some(Fault::Unauthorized { detail: format!("{code}: {detail}") }),
        _ => Some(Fault::Refused { status: 200, code, detail }),
    }
}

const CONCURRENT: &str = "IDEMPOTENCY_CONCURRENT_REQUEST";

/// An earlier try of the same write has not ended: what becomes of it is not known yet.
fn still_running(body: &Value) -> Option<Fault> {
    let errors = rows(body, "/data/inventorySetQuantities/userErrors");
    errors.iter().any(|e| e["code"] == CONCURRENT).then(|| Fault::Lost { detail: format!("{CONCURRENT}: an earlier try is still running") })
}

/// Milliseconds until the bucket holds what the query costs; a second where the figures do not say, as when a cost or a
/// rate of 0 is told: never 0, or calls would run in a loop.
fn wait_ms(body: &Value) -> u64 {
    let cost = &body["extensions"]["cost"];
    let status = &cost["throttleStatus"];
    let figures = (cost["requestedQueryCost"].as_f64(), status["currentlyAvailable"].as_f64(), status["restoreRate"].as_f64());
    let (Some(wanted), Some(available), Some(rate)) = figures else { return 1000 };
    let seconds = (wanted - available) / rate;
    if seconds.is_finite() && seconds > 0.0 { (seconds * 1000.0).ceil().min(3_600_000.0) as u64 } else { 1000 }
}

/// The points of the shop, and what this query costs of them.
pub(super) fn limit(body: &Value) -> Option<Limit> {
    let cost = &body["extensions"]["cost"];
    let status = &cost["throttleStatus"];
    Some(Limit {
        bucket: "points",
        per_second: status["restoreRate"].as_f64()?,
        burst: status["maximumAvailable"].as_f64()?,
        cost: cost["requestedQueryCost"].as_f64().unwrap_or(1.0),
        keep: 0.0,
        left: status["currentlyAvailable"].as_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(status: u16, body: Value) -> Option<Fault> {
        fault(&Response { status, headers: Vec::new(), body: body.to_string().into_bytes() })
    }

    #[test]
    fn throttled_is_status_200_and_never_waits_for_nothing() {
        let throttled = |wanted: f64, available: f64, rate: f64| {
            let status = json!({"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": rate});
            let cost = json!({"requestedQueryCost": wanted, "throttleStatus": status});
            read(200, json!({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": cost}}))
        };
        let wait = |ms| Some(Fault::Throttled { retry_after_ms: Some(ms) });
        assert_eq!(throttled(600.0, 100.0, 100.0), wait(5000));
        assert_eq!(throttled(0.0, 100.0, 100.0), wait(1000));
        assert_eq!(throttled(600.0, 100.0, 0.0), wait(1000));
        assert_eq!(read(200, json!({"errors": [{"extensions": {"code": "THROTTLED"}}]})), wait(1000));
    }

    #[test]
    fn refusals_are_told_from_what_is_only_missing() {
        let denied = json!({"message": "no", "path": ["order", "email"], "extensions": {"code": "ACCESS_DENIED"}});
        assert_eq!(read(200, json!({"data": {"order": {"email": null}}, "errors": [denied]})), None);
        let bad = read(200, json!({"errors": [{"message": "Field 'x' doesn't exist"}]}));
        assert_eq!(bad, Some(Fault::Refused { status: 200, code: "errors".into(), detail: "Field 'x' doesn't exist".into() }));
        assert!(matches!(read(401, json!({"errors": "[API] Invalid API key"})), Some(Fault::Unauthorized { .. })));
        assert!(matches!(read(502, json!({})), Some(Fault::Lost { .. })));
        assert!(matches!(read(404, json!({"errors": "Not Found"})), Some(Fault::Refused { status: 404, .. })));
        let set = |code: &str| read(200, json!({"data": {"inventorySetQuantities": {"userErrors": [{"code": code}]}}}));
        assert_eq!(set("SOMETHING_NEW"), None, "of a row");
        assert!(matches!(set("IDEMPOTENCY_CONCURRENT_REQUEST"), Some(Fault::Lost { .. })), "of an earlier try, not known yet");
    }
}
