//! Telling Shopify that something left, or that an order is canceled. Neither has a key that makes it happen once, so what
//! was done before is looked for first.

use super::{CANCELED, ask, gid, location, next_page, orders, queries};
use crate::marketplace::{MarketState, Shipped};
use crate::read::{rows, text, whole};
use crate::transport::{Fault, Wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most fulfillment orders of one order that are looked at.
const MOST: usize = 50;

/// A fulfillment goes out from one location, so there is one call for each.
pub(super) async fn ship(wire: &Wire, shipped: &Shipped) -> Result<(), Fault> {
    let order = gid("Order", &shipped.order);
    let done = told_before(wire, &order, shipped.tracking_number.as_deref()).await?;
    let mut open = open_lines(wire, &order).await?;
    // Our own location first, if the marketplace has put parts of the order on several.
    let ours = location(wire);
    open.sort_by_key(|line| line.location != ours);
    let mut by_location: BTreeMap<&str, BTreeMap<&str, Vec<Value>>> = BTreeMap::new();
    for (line, quantity) in &shipped.lines {
        let line = gid("LineItem", line);
        let mut missing = quantity - done.get(&line).copied().unwrap_or(0);
        let remains: i64 = open.iter().filter(|o| o.line == line).map(|o| o.remaining).sum();
        // Without a tracking number, nothing left to send means that it was told before.
        if missing <= 0 || (remains == 0 && shipped.tracking_number.is_none()) {
            continue;
        }
        if remains < missing {
            let detail = format!("{missing} of line {line} are to be told as sent, but only {remains} are open there");
            return Err(Fault::Refused { status: 200, code: "not_open".into(), detail });
        }
        for part in open.iter().filter(|o| o.line == line) {
            let quantity = missing.min(part.remaining);
            if quantity > 0 {
                let items = by_location.entry(&part.location).or_default().entry(&part.fulfillment_order).or_default();
                items.push(json!({ "id": part.id, "quantity": quantity }));
                missing -= quantity;
            }
        }
    }
    let mut told = 0;
    for fulfillment_orders in by_location.into_values() {
        let lines: Vec<Value> =
            fulfillment_orders.into_iter().map(|(id, items)| json!({ "fulfillmentOrderId": id, "fulfillmentOrderLineItems": items })).collect();
        let mut fulfillment = json!({ "lineItemsByFulfillmentOrder": lines, "notifyCustomer": true });
        if shipped.carrier.is_some() || shipped.tracking_number.is_some() {
            fulfillment["trackingInfo"] = json!({ "company": shipped.carrier, "number": shipped.tracking_number });
        }
        let answer = ask(wire, &queries::CREATE_FULFILLMENT, json!({ "fulfillment": fulfillment })).await;
        match answer.and_then(|answer| refused(&answer["fulfillmentCreate"], "userErrors")) {
            Ok(()) => told += 1,
            Err(fault) if told == 0 => return Err(fault),
            Err(fault) => return Err(Fault::Lost { detail: format!("a part of it was told before this happened: {fault:?}") }),
        }
    }
    Ok(())
}

/// A line of a fulfillment order from which something may still be sent.
struct OpenLine {
    id: String,
    fulfillment_order: String,
    location: String,
    /// The order's line.
    line: String,
    remaining: i64,
}

async fn open_lines(wire: &Wire, order: &str) -> Result<Vec<OpenLine>, Fault> {
    let mut lines = Vec::new();
    let mut after = None;
    for _ in 0..MOST {
        let answer = ask(wire, &queries::FULFILLMENT_ORDERS, json!({ "id": order, "after": after })).await?;
        if answer["order"].is_null() {
            return Err(Fault::Refused { status: 200, code: "not_found".into(), detail: format!("there is no order {order}") });
        }
        let connection = &answer["order"]["fulfillmentOrders"];
        for found in rows(connection, "/nodes").iter().filter(|f| f["status"] == "OPEN" || f["status"] == "IN_PROGRESS") {
            lines.extend(rows(found, "/lineItems/nodes").iter().filter_map(|row| {
                Some(OpenLine {
                    id: text(row, "/id")?,
                    fulfillment_order: text(found, "/id")?,
                    location: text(found, "/assignedLocation/location/id").unwrap_or_default(),
                    line: text(row, "/lineItem/id")?,
                    remaining: whole(row, "/remainingQuantity")?,
                })
            }));
        }
        after = next_page(connection);
        if after.is_none() {
            break;
        }
    }
    Ok(lines)
}

/// How many of each line were told as sent with this tracking number: by an earlier try whose reply got lost.
async fn told_before(wire: &Wire, order: &str, tracking_number: Option<&str>) -> Result<BTreeMap<String, i64>, Fault> {
    let mut told = BTreeMap::new();
    let Some(number) = tracking_number else { return Ok(told) };
    let answer = ask(wire, &queries::FULFILLMENTS, json!({ "id": order })).await?;
    for fulfillment in rows(&answer, "/order/fulfillments") {
        let is_same = rows(fulfillment, "/trackingInfo").iter().any(|t| t["number"] == number);
        if !is_same || fulfillment["status"] == CANCELED {
            continue;
        }
        let lines = ask(wire, &queries::FULFILLMENT_LINES, json!({ "id": fulfillment["id"] })).await?;
        for row in rows(&lines, "/fulfillment/fulfillmentLineItems/nodes") {
            if let (Some(line), Some(quantity)) = (text(row, "/lineItem/id"), whole(row, "/quantity")) {
                *told.entry(line).or_default() += quantity;
            }
        }
    }
    Ok(told)
}

/// Refunds the payment as it was made and puts the units back. The reason is one of Shopify's own words, such as
/// `inventory`, or anything else, which is kept as a note.
pub(super) async fn cancel(wire: &Wire, order: &str, reason: &str) -> Result<(), Fault> {
    const REASONS: [&str; 5] = ["CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "STAFF"];
    let found = orders::one(wire, order).await?;
    if found.state == MarketState::Canceled {
        return Ok(());
    }
    let word = REASONS.into_iter().find(|word| word.eq_ignore_ascii_case(reason)).unwrap_or("OTHER");
    let note: String = reason.chars().take(255).collect();
    let answer = ask(wire, &queries::CANCEL_ORDER, json!({ "order": found.id, "reason": word, "note": note })).await?;
    refused(&answer["orderCancel"], "orderCancelUserErrors")
}

/// A mutation that answers errors was not done.
pub(super) fn refused(payload: &Value, list: &str) -> Result<(), Fault> {
    let Some(errors) = payload[list].as_array() else {
        return Err(Fault::Lost { detail: format!("the answer has no {list}") });
    };
    let Some(first) = errors.first() else { return Ok(()) };
    let detail = errors.iter().filter_map(|e| text(e, "/message")).collect::<Vec<_>>().join("; ");
    Err(Fault::Refused { status: 200, code: text(first, "/code").unwrap_or_else(|| list.to_owned()), detail })
}
