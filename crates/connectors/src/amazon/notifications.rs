//! Amazon's Notifications API: where notices go, and which. Amazon sends them into AWS only, to an SQS queue or to EventBridge; what
//! brings them from there to us is the seller's to set up. The place belongs to the application, which signs in for itself; the
//! subscription belongs to the seller.

use super::{get, sign_in};
use crate::read::{escape, json, rows, text};
use crate::transport::{Fault, Request, Response, Wire};
use serde_json::{Value, json};

const BASE: &str = "/notifications/v1";

/// Safe to repeat. An `address` that is not in AWS is left to the setting.
pub async fn subscribe(wire: &Wire, address: &str, kind: &'static str) -> Result<Vec<String>, Fault> {
    let place = if address.starts_with("https://") { wire.setting("notifications_to") } else { address };
    let resource = resource(place.trim())?;
    let destination = destination(wire, &resource).await?;
    for _ in 0..2 {
        let known = match wire.send(get("getSubscription", format!("{BASE}/subscriptions/{kind}"))).await {
            Ok(answer) => json(&answer)?["payload"].take(),
            Err(Fault::Refused { status: 404, .. }) => Value::Null,
            Err(fault) => return Err(fault),
        };
        if known["destinationId"] == destination {
            return Ok(vec![kind.to_owned()]);
        }
        if let Some(elsewhere) = text(&known, "/subscriptionId") {
            let path = format!("{BASE}/subscriptions/{kind}/{}", escape(&elsewhere));
            match by_application(wire, Request { method: "DELETE", ..get("deleteSubscriptionById", path) }).await {
                Ok(_) | Err(Fault::Refused { status: 404, .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
        let body = json!({ "payloadVersion": "1.0", "destinationId": destination });
        match wire.send(post("createSubscription", format!("{BASE}/subscriptions/{kind}"), &body)).await {
            // An earlier try was heard, perhaps: it is looked up.
            Err(Fault::Refused { status: 409, .. }) => {}
            answer => return answer.map(|_| vec![kind.to_owned()]),
        }
    }
    Err(Fault::Lost { detail: format!("Amazon does not tell the subscription to {kind} that it has") })
}

/// The place as Amazon words it; refuses what is none.
fn resource(place: &str) -> Result<Value, Fault> {
    if place.starts_with("arn:aws:sqs:") && place.split(':').count() == 6 && !place.ends_with(".fifo") {
        return Ok(json!({ "sqs": { "arn": place } }));
    }
    match place.split_once('/') {
        Some((account, region)) if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && !region.is_empty() => {
            Ok(json!({ "eventBridge": { "accountId": account, "region": region } }))
        }
        _ => {
            let detail = "Amazon sends notifications into AWS only: enter as notifications_to the ARN of a standard SQS queue, or account/region for EventBridge";
            Err(Fault::Refused { status: 0, code: "notifications_to".into(), detail: detail.into() })
        }
    }
}

async fn destination(wire: &Wire, resource: &Value) -> Result<String, Fault> {
    let is_it = |row: &&Value| match resource.get("sqs") {
        Some(queue) => row["resource"]["sqs"]["arn"] == queue["arn"],
        None => ["accountId", "region"].iter().all(|field| row["resource"]["eventBridge"][field] == resource["eventBridge"][field]),
    };
    // A name is taken once.
    let name = format!("Holdfast {}", &blake3::hash(resource.to_string().as_bytes()).to_hex().as_str()[..8]);
    for _ in 0..2 {
        let known = json(&by_application(wire, get("getDestinations", format!("{BASE}/destinations"))).await?)?;
        if let Some(id) = rows(&known, "/payload").iter().find(is_it).and_then(|row| text(row, "/destinationId")) {
            return Ok(id);
        }
        let body = json!({ "name": name, "resourceSpecification": resource });
        match by_application(wire, post("createDestination", format!("{BASE}/destinations"), &body)).await {
            Err(Fault::Refused { status: 409, .. }) => {}
            answer => {
                let made = json(&answer?)?;
                return text(&made, "/payload/destinationId").ok_or_else(|| Fault::NotUnderstood { detail: "a destination without its id".into() });
            }
        }
    }
    Err(Fault::Lost { detail: "Amazon does not list the destination that it has".into() })
}

/// A second try of what these make is refused, and what was made is found: they may be tried again.
fn post(what: &'static str, path: String, body: &Value) -> Request {
    Request { method: "POST", body: Some(("application/json", body.to_string().into_bytes())), ..get(what, path) }
}

/// Sends with the application's own token: these operations take no seller's.
async fn by_application(wire: &Wire, request: Request) -> Result<Response, Fault> {
    let grant = format!("client_credentials&scope={}", escape("sellingpartnerapi::notifications"));
    let sign_in = sign_in("application_token", &|name| wire.setting(name).to_owned(), grant);
    wire.send_as(&sign_in, |token| ("x-amz-access-token", token.to_owned()), request).await
}
