//! eBay's Notification API: the address that eBay sends notifications to, the topics, and the keys that they are signed with.
//! The address and the keys belong to the application, which signs in for itself; the topics belong to the seller.

use super::orders::get;
use super::sign_in;
use super::stock::post;
use crate::read::{escape, https, json, rows, text};
use crate::transport::{Fault, Request, Response, Wire};
use serde_json::{Value, json};

/// One notice for each line of an order, when it is placed and when it is paid.
const TOPICS: [&str; 1] = ["ORDER_CONFIRMATION"];
const BASE: &str = "/commerce/notification/v1";
/// Most pages of a list that are read, of 100 rows each.
const MOST_PAGES: usize = 50;

/// Safe to repeat: what is there is found, what was switched off is switched on, what leads elsewhere is led here.
pub async fn subscribe(wire: &Wire, address: &str) -> Result<Vec<String>, Fault> {
    https(address)?;
    let refused = |code: &str, detail: String| Err(Fault::Refused { status: 0, code: code.into(), detail });
    if wire.setting("webhook_address") != address {
        return refused("webhook_address", format!("eBay asks whether the address is ours: enter {address} as webhook_address first"));
    }
    let token = wire.setting("verification_token");
    if !(32..=80).contains(&token.len()) || !token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return refused("verification_token", "enter a verification_token first: 32 to 80 letters, digits, underscores and hyphens".into());
    }
    alerts(wire).await?;
    let destination = destination(wire, address, token).await?;
    for topic in TOPICS {
        subscription(wire, topic, &destination).await?;
    }
    Ok(TOPICS.map(str::to_owned).to_vec())
}

/// A key's text as eBay gives it. To be kept for an hour: it must not be asked for at every notification.
pub async fn public_key(wire: &Wire, name: &str) -> Result<String, Fault> {
    let answer = json(&by_application(wire, get("getPublicKey", format!("{BASE}/public_key/{}", escape(name)))).await?)?;
    text(&answer, "/key").ok_or_else(|| Fault::NotUnderstood { detail: "a public key without its key".into() })
}

/// Sends with the application's own token, which lives as long as the seller's and is got by the same keyset.
async fn by_application(wire: &Wire, request: Request) -> Result<Response, Fault> {
    let scope = format!("grant_type=client_credentials&scope={}", escape("https://api.ebay.com/oauth/api_scope"));
    let sign_in = sign_in("application_token", &|name| wire.setting(name).to_owned(), scope);
    wire.send_as(&sign_in, |token| ("authorization", format!("Bearer {token}")), request).await
}

/// eBay wants to know first whom to write to when notices cannot be delivered.
async fn alerts(wire: &Wire) -> Result<(), Fault> {
    match by_application(wire, get("getConfig", format!("{BASE}/config"))).await {
        Ok(answer) if text(&json(&answer)?, "/alertEmail").is_some() => return Ok(()),
        Ok(_) | Err(Fault::Refused { status: 404, .. }) => {}
        Err(fault) => return Err(fault),
    }
    let email = wire.setting("alert_email");
    if email.is_empty() {
        let detail = "eBay wants to know whom to write to when notices cannot be delivered: enter an alert_email first".into();
        return Err(Fault::Refused { status: 0, code: "alert_email".into(), detail });
    }
    by_application(wire, put("updateConfig", format!("{BASE}/config"), &json!({ "alertEmail": email }))).await.map(|_| ())
}

fn put(what: &'static str, path: String, body: &Value) -> Request {
    Request { method: "PUT", repeatable: true, ..post(what, path, body) }
}

/// The destination that leads to this address, switched on; eBay asks the address for its answer to a challenge meanwhile.
async fn destination(wire: &Wire, address: &str, token: &str) -> Result<String, Fault> {
    let wanted = json!({ "name": "Holdfast", "status": "ENABLED", "deliveryConfig": { "endpoint": address, "verificationToken": token } });
    for _ in 0..2 {
        let known = all(wire, true, "getDestinations", "destination").await?;
        let found = known.iter().find(|row| text(row, "/deliveryConfig/endpoint").as_deref() == Some(address));
        let Some(found) = found else {
            // Refused if an earlier try was heard: then it is in the list now.
            seen_before(by_application(wire, post("createDestination", format!("{BASE}/destination"), &wanted)).await, "195021")?;
            continue;
        };
        let id = text(found, "/destinationId").ok_or_else(|| Fault::NotUnderstood { detail: "a destination without its id".into() })?;
        let same_token = text(found, "/deliveryConfig/verificationToken").is_none_or(|t| t == token);
        if text(found, "/status").as_deref() != Some("ENABLED") || !same_token {
            by_application(wire, put("updateDestination", format!("{BASE}/destination/{}", escape(&id)), &wanted)).await?;
        }
        return Ok(id);
    }
    Err(Fault::Lost { detail: "eBay does not list the destination that it made".into() })
}

async fn subscription(wire: &Wire, topic: &str, destination: &str) -> Result<(), Fault> {
    for _ in 0..2 {
        let known = all(wire, false, "getSubscriptions", "subscription").await?;
        let found = known.iter().find(|row| text(row, "/topicId").as_deref() == Some(topic));
        let is_right = |row: &Value| row["destinationId"] == destination && row["status"] == "ENABLED";
        if found.is_some_and(is_right) {
            return Ok(());
        }
        let mut body = json!({ "destinationId": destination, "status": "ENABLED", "payload": payload(wire, topic).await? });
        if let Some(id) = found.and_then(|row| text(row, "/subscriptionId")) {
            wire.send(put("updateSubscription", format!("{BASE}/subscription/{}", escape(&id)), &body)).await?;
            return Ok(());
        }
        body["topicId"] = topic.into();
        seen_before(wire.send(post("createSubscription", format!("{BASE}/subscription"), &body)).await, "195012")?;
    }
    Ok(())
}

/// The newest form in which a topic is told.
async fn payload(wire: &Wire, topic: &str) -> Result<Value, Fault> {
    let answer = json(&by_application(wire, get("getTopic", format!("{BASE}/topic/{}", escape(topic)))).await?)?;
    let usable = |row: &&Value| row["deprecated"] != true && rows(row, "/format").iter().any(|f| f == "JSON");
    let version = rows(&answer, "/supportedPayloads").iter().filter(usable).filter_map(|row| text(row, "/schemaVersion")).max();
    let detail = format!("{topic} is not told in JSON");
    let version = version.ok_or(Fault::NotUnderstood { detail })?;
    Ok(json!({ "format": "JSON", "schemaVersion": version, "deliveryProtocol": "HTTPS" }))
}

/// What is refused with this code is there already.
fn seen_before(answer: Result<Response, Fault>, exists: &str) -> Result<(), Fault> {
    match answer {
        Err(Fault::Refused { code, .. }) if code == exists => Ok(()),
        answer => answer.map(|_| ()),
    }
}

/// All rows of a list, which is named after its rows.
async fn all(wire: &Wire, of_application: bool, what: &'static str, name: &str) -> Result<Vec<Value>, Fault> {
    let (mut found, mut more) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let request = get(what, format!("{BASE}/{name}?limit=100{more}"));
        let answer = if of_application { by_application(wire, request).await? } else { wire.send(request).await? };
        let answer = json(&answer)?;
        found.extend(rows(&answer, &format!("/{name}s")).iter().cloned());
        // The link to the next page has all else in it, too; only its token is followed.
        let next = text(&answer, "/next");
        let token = next.as_deref().and_then(|link| link.split(['?', '&']).find(|pair| pair.starts_with("continuation_token=")));
        match token {
            Some(token) => more = format!("&{token}"),
            None => break,
        }
    }
    Ok(found)
}
