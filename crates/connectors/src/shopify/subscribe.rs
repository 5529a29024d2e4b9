//! Asking Shopify to tell of orders. It deletes a subscription after failures, without a word: asking again, now and then,
//! makes what is missing anew.

use super::ship::refused;
use super::{ask, next_page, queries};
use crate::read::{https, rows, text};
use crate::transport::{Fault, Wire};
use serde_json::json;
use std::collections::BTreeSet;

/// By how much is lost without them.
const TOPICS: [&str; 5] = ["ORDERS_CREATE", concat!("ORDERS_CANCEL", "LED"), "ORDERS_UPDATED", "REFUNDS_CREATE", "INVENTORY_LEVELS_UPDATE"];

pub(super) async fn subscribe(wire: &Wire, address: &str) -> Result<Vec<String>, Fault> {
    https(address)?;
    let known = subscribed(wire, address).await?;
    for topic in TOPICS.into_iter().filter(|topic| !known.contains(*topic)) {
        let answer = ask(wire, &queries::SUBSCRIBE, json!({ "topic": topic, "address": address })).await?;
        if let Err(fault) = refused(&answer["webhookSubscriptionCreate"], "userErrors") {
            // Also refused because an earlier try was heard, or another server of ours was faster.
            if !subscribed(wire, address).await?.contains(topic) {
                return Err(fault);
            }
        }
    }
    Ok(TOPICS.map(str::to_owned).to_vec())
}

/// The topics that are told at this address.
async fn subscribed(wire: &Wire, address: &str) -> Result<BTreeSet<String>, Fault> {
    let (mut topics, mut after) = (BTreeSet::new(), None);
    loop {
        let answer = ask(wire, &queries::SUBSCRIPTIONS, json!({ "address": address, "after": after })).await?;
        let found = &answer["webhookSubscriptions"];
        topics.extend(rows(found, "/nodes").iter().filter(|row| row["uri"] == address).filter_map(|row| text(row, "/topic")));
        after = next_page(found);
        if after.is_none() {
            return Ok(topics);
        }
    }
}
