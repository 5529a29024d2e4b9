//! Asking ShipBob to tell of orders: when something left, arrived, is held, stuck or stopped. Notices are signed with our own secret,
//! which is given to it here.

use super::get;
use crate::read::{escape, first, https, json, rows, text};
use crate::transport::{Fault, Request, Wire};
use serde_json::{Value, json};

const TOPICS: [&str; 5] =
    ["order.shipped", "order.shipment.delivered", "order.shipment.exception", "order.shipment.on_hold", concat!("order.shipment.cancel", "led")];
const WEBHOOKS: &str = "/2026-01/webhook";

/// Safe to repeat: only topics that are not told yet are asked for. A subscription that was switched off is replaced. Two that tell
/// the same, of servers that asked at the same time, do no harm.
pub async fn subscribe(wire: &Wire, address: &str) -> Result<Vec<String>, Fault> {
    https(address)?;
    let secret = first(wire.setting("webhook_secret"));
    if secret.is_empty() {
        let detail = "enter a webhook_secret first: whsec_ and 32 random bytes in base64".into();
        return Err(Fault::Refused { status: 0, code: "webhook_secret".into(), detail });
    }
    let known = all(wire).await?;
    let (on, off): (Vec<&Value>, Vec<&Value>) = known.iter().filter(|row| row["url"] == address).partition(|row| row["enabled"] != false);
    let told = |topic: &str| on.iter().any(|row| rows(row, "/topics").iter().any(|t| t == topic));
    let missing: Vec<&str> = TOPICS.into_iter().filter(|topic| !told(topic)).collect();
    if !missing.is_empty() {
        let body = json!({ "url": address, "topics": missing, "secret": secret, "description": "Holdfast" });
        let body = Some(("application/json", body.to_string().into_bytes()));
        wire.send(Request { method: "POST", body, repeatable: false, ..get("create-subscription", WEBHOOKS.into()) }).await?;
    }
    for id in off.into_iter().filter_map(|row| text(row, "/id")) {
        wire.send(Request { method: "DELETE", ..get("delete-subscription", format!("{WEBHOOKS}/{}", escape(&id))) }).await?;
    }
    Ok(TOPICS.map(str::to_owned).to_vec())
}

/// Every subscription. The next page is named by a link, of which only the query is kept.
async fn all(wire: &Wire) -> Result<Vec<Value>, Fault> {
    let (mut found, mut query) = (Vec::new(), "RecordsPerPage=50".to_owned());
    loop {
        let answer = json(&wire.send(get("get-subscriptions", format!("{WEBHOOKS}?{query}"))).await?)?;
        found.extend(rows(&answer, "/items").iter().cloned());
        match text(&answer, "/next").and_then(|link| link.split_once('?').map(|(_, query)| query.to_owned())).filter(|next| *next != query) {
            Some(next) => query = next,
            None => return Ok(found),
        }
    }
}
