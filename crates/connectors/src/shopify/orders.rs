//! Shopify's orders: the list by the time of their last change, and what their fields mean.

use super::{ask, gid, next_page, queries};
use crate::marketplace::{Address, MarketLine, MarketOrder, MarketState, Page};
use crate::read::{rows, text, time, whole};
use crate::transport::{Fault, Wire};
use serde_json::{Value, json};

/// Most pages of lines of one order; Shopify takes orders of 500 lines.
const MOST_LINE_PAGES: usize = 20;

/// The cursor holds the time and the id of the last row, so an order that changes meanwhile moves to the end and is read
/// there: none is skipped.
pub(super) async fn page(wire: &Wire, from: i64, after: Option<String>) -> Result<Page<MarketOrder>, Fault> {
    let since = jiff::Timestamp::from_second(from.div_euclid(1_000_000)).unwrap_or_default();
    let variables = json!({ "query": format!("updated_at:>='{since}'"), "after": after });
    let answer = ask(wire, &queries::ORDERS, variables).await?;
    let mut found = Page { rows: Vec::new(), next: next_page(&answer["orders"]), unread: Vec::new() };
    for row in rows(&answer, "/orders/nodes") {
        let row = with_all_lines(wire, row.clone()).await?;
        match read(&row) {
            Ok(order) => found.rows.push(order),
            Err(why) => found.unread.push((text(&row, "/id").unwrap_or_default(), why, row.to_string())),
        }
    }
    Ok(found)
}

pub(super) async fn one(wire: &Wire, id: &str) -> Result<MarketOrder, Fault> {
    let id = gid("Order", id);
    let mut answer = ask(wire, &queries::ORDER, json!({ "id": id })).await?;
    if answer["order"].is_null() {
        return Err(Fault::Refused { status: 200, code: "not_found".into(), detail: format!("there is no order {id}") });
    }
    let order = with_all_lines(wire, answer["order"].take()).await?;
    read(&order).map_err(|why| Fault::NotUnderstood { detail: format!("order {id}: {why}") })
}

/// Asks for the lines that did not fit.
async fn with_all_lines(wire: &Wire, mut order: Value) -> Result<Value, Fault> {
    let mut next = next_page(&order["lineItems"]);
    for _ in 0..MOST_LINE_PAGES {
        let Some(after) = next else { return Ok(order) };
        let mut answer = ask(wire, &queries::ORDER_LINES, json!({ "id": order["id"], "after": after })).await?;
        let more = answer["order"]["lineItems"].take();
        next = next_page(&more);
        if let Some(lines) = order["lineItems"]["nodes"].as_array_mut() {
            lines.extend(rows(&more, "/nodes").iter().cloned());
        }
    }
    Err(Fault::NotUnderstood { detail: format!("order {} has too many pages of lines", order["id"]) })
}

fn read(order: &Value) -> Result<MarketOrder, String> {
    let need = |pointer: &str| text(order, pointer).ok_or_else(|| format!("no {pointer}"));
    let need_time = |pointer: &str| time(order, pointer).ok_or_else(|| format!("no {pointer}"));
    let state = state(order);
    let is_canceled = state == MarketState::Canceled;
    let lines = rows(order, "/lineItems/nodes").iter().map(|row| line(row, is_canceled)).collect::<Result<Vec<_>, _>>()?;
    let mut ship_to = address(&order["shippingAddress"]);
    ship_to.email = text(order, "/email");
    ship_to.phone = ship_to.phone.or_else(|| text(order, "/phone"));
    Ok(MarketOrder {
        id: need("/id")?,
        number: need("/name")?,
        placed_at: need_time("/createdAt")?,
        updated_at: need_time("/updatedAt")?,
        state,
        currency: text(order, "/currencyCode"),
        customer: ship_to.name.clone().or_else(|| ship_to.email.clone()),
        ship_to,
        lines,
        raw: order.to_string(),
    })
}

/// The words of OrderDisplayFinancialStatus decide whether it may be sent: an authorized payment is taken when it is sent.
fn state(order: &Value) -> MarketState {
    if !order["cancelledAt"].is_null() {
        return MarketState::Canceled;
    }
    if order["displayFulfillmentStatus"] == "FULFILLED" {
        return MarketState::Shipped;
    }
    match order["displayFinancialStatus"].as_str() {
        Some("PAID" | "AUTHORIZED" | "PARTIALLY_REFUNDED" | "REFUNDED") => MarketState::Open,
        Some("PENDING" | "PARTIALLY_PAID" | "EXPIRED" | "VOIDED") | None => MarketState::Pending,
        Some(other) => MarketState::Other(other.to_owned()),
    }
}

/// A line whose variant was deleted names no listing; its SKU is still known.
fn line(row: &Value, order_is_canceled: bool) -> Result<MarketLine, String> {
    let id = text(row, "/id").ok_or("a line without id")?;
    let quantity = whole(row, "/quantity").filter(|q| *q >= 0).ok_or_else(|| format!("line {id} without quantity"))?;
    // Refunded units count here only if they never left: those that did are returns.
    let removed = quantity - whole(row, "/currentQuantity").unwrap_or(quantity);
    let never_left = whole(row, "/nonFulfillableQuantity").unwrap_or(removed);
    let canceled = if order_is_canceled { quantity } else { removed.min(never_left).clamp(0, quantity) };
    Ok(MarketLine {
        id,
        listing: text(row, "/variant/inventoryItem/id").unwrap_or_default(),
        sku: text(row, "/sku"),
        title: text(row, "/title").unwrap_or_default(),
        quantity,
        canceled,
        returned: (removed - canceled).clamp(0, quantity),
        unit_price: text(row, "/discountedUnitPriceSet/shopMoney/amount"),
    })
}

fn address(row: &Value) -> Address {
    let field = |pointer: &str| text(row, pointer);
    Address {
        country: field("/countryCodeV2").unwrap_or_default(),
        postal_code: field("/zip"),
        name: field("/name"),
        company: field("/company"),
        address1: field("/address1"),
        address2: field("/address2"),
        city: field("/city"),
        province: field("/provinceCode"),
        phone: field("/phone"),
        email: None,
    }
}
