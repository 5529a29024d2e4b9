//! Shopify's webhooks: signed, repeated, in no order. Of an order they only say that it is to be asked for, so that neither
//! an old nor a repeated one does harm.

use super::gid;
use crate::marketplace::{Notice, Rejected};
use crate::read::{is_by_one_of, parse_time, text, whole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// Shopify tries again for four hours; an hour is left for clocks that differ. In microseconds.
const OLDEST: i64 = 5 * 3600 * 1_000_000;

pub(super) fn read(secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Notice, Rejected> {
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim());
    let secret = secrets("client_secret").ok_or(Rejected::Signature)?;
    let signature = header("x-shopify-hmac-sha256").and_then(|s| STANDARD.decode(s).ok()).ok_or(Rejected::Signature)?;
    // Compares in a time that does not tell how much is right.
    let is_by =
        |secret: &str| Hmac::<Sha256>::new_from_slice(secret.as_bytes()).is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok());
    if !is_by_one_of(&secret, is_by) {
        return Err(Rejected::Signature);
    }
    // The signature covers the body only: this keeps old repetitions out, not somebody who copied one.
    if header("x-shopify-triggered-at").and_then(parse_time).is_some_and(|at| now - at > OLDEST) {
        return Err(Rejected::Old);
    }
    let payload: Value = serde_json::from_slice(body).map_err(|e| Rejected::NotUnderstood(format!("not JSON: {e}")))?;
    let topic = header("x-shopify-topic").unwrap_or_default();
    match topic.split_once('/') {
        Some(("orders", _)) => {
            let id = text(&payload, "/admin_graphql_api_id").or_else(|| text(&payload, "/id"));
            let id = id.ok_or_else(|| Rejected::NotUnderstood(format!("{topic} without an order's id")))?;
            Ok(Notice::Ask(vec![gid("Order", &id)]))
        }
        Some(("refunds", _)) => {
            let id = text(&payload, "/order_id").ok_or_else(|| Rejected::NotUnderstood(format!("{topic} without an order's id")))?;
            Ok(Notice::Ask(vec![gid("Order", &id)]))
        }
        Some(("inventory_levels", "update")) => {
            let numbers = (text(&payload, "/inventory_item_id"), text(&payload, "/location_id"));
            let (Some(item), Some(place)) = numbers else { return Err(Rejected::NotUnderstood(format!("{topic} without ids"))) };
            let is_ours = secrets("location").filter(|l| !l.is_empty()).is_none_or(|l| gid("Location", &l) == gid("Location", &place));
            match whole(&payload, "/available") {
                Some(available) if is_ours => Ok(Notice::Quantities(vec![(gid("InventoryItem", &item), available)])),
                _ => Ok(Notice::Other(topic.to_owned())),
            }
        }
        _ => Ok(Notice::Other(topic.to_owned())),
    }
}
