//! Amazon's orders (Orders API 2026-01-01): the list of what changed, and what an order's fields mean. Only orders that the
//! seller sends; what Amazon sends from its own warehouses is none of the seller's stock here.

use super::{get, marketplace};
use crate::marketplace::{Address, MarketLine, MarketOrder, MarketState, Page};
use crate::read::{CANCELED, date, escape, json, rows, text, time, whole};
use crate::transport::{Fault, Wire};
use serde_json::Value;

const INCLUDED: &str = "BUYER,RECIPIENT,PROCEEDS,CANCELLATION,FULFILLMENT,PACKAGES";
/// The list ends two minutes ago, and must begin before it ends: it is asked to begin this much earlier, microseconds.
const EARLIER: i64 = 180 * 1_000_000;

/// What the list goes by; Amazon takes exactly one of the two.
#[derive(Debug, Clone, Copy)]
pub enum By {
    Change,
    Placement,
}

/// A page is named by where its reading began and Amazon's token, for the token wants all else to be the same.
pub async fn page(wire: &Wire, by: By, from: i64, page: Option<String>) -> Result<Page<MarketOrder>, Fault> {
    let bad = |page: &str| Fault::NotUnderstood { detail: format!("no page “{page}”") };
    let (from, token) = match &page {
        None => (from.saturating_sub(EARLIER), None),
        Some(page) => {
            let (from, token) = page.split_once('|').ok_or_else(|| bad(page))?;
            (from.parse().map_err(|_| bad(page))?, Some(token))
        }
    };
    let after = match by {
        By::Change => "lastUpdatedAfter",
        By::Placement => "createdAfter",
    };
    let mut path = format!(
        "/orders/2026-01-01/orders?marketplaceIds={}&{after}={}&fulfilledBy=MERCHANT&maxResultsPerPage=100&includedData={INCLUDED}",
        escape(marketplace(wire)),
        escape(&date(from)),
    );
    if let Some(token) = token {
        path.push_str(&format!("&paginationToken={}", escape(token)));
    }
    let answer = json(&wire.send(get("searchOrders", path)).await?)?;
    let next = text(&answer, "/pagination/nextToken").map(|token| format!("{from}|{token}"));
    let mut found = Page { rows: Vec::new(), next, unread: Vec::new() };
    for row in rows(&answer, "/orders") {
        match read(row) {
            Ok(order) => found.rows.push(order),
            Err(why) => found.unread.push((text(row, "/orderId").unwrap_or_default(), why, row.to_string())),
        }
    }
    Ok(found)
}

pub async fn one(wire: &Wire, id: &str) -> Result<MarketOrder, Fault> {
    let answer = json(&wire.send(get("getOrder", format!("/orders/2026-01-01/orders/{}?includedData={INCLUDED}", escape(id)))).await?)?;
    read(answer.get("order").unwrap_or(&Value::Null)).map_err(|why| Fault::NotUnderstood { detail: format!("order {id}: {why}") })
}

/// What an order's fields mean; refuses, in words, an order that cannot be understood.
pub fn read(order: &Value) -> Result<MarketOrder, String> {
    let id = text(order, "/orderId").ok_or("it has no orderId")?;
    let placed_at = time(order, "/createdTime").ok_or("it has no createdTime")?;
    let state = state(order);
    let mut lines = Vec::new();
    for line in rows(order, "/orderItems") {
        lines.push(read_line(order, line, &state)?);
    }
    if lines.is_empty() {
        return Err("it has no orderItems".into());
    }
    Ok(MarketOrder {
        number: id.clone(),
        placed_at,
        updated_at: time(order, "/lastUpdatedTime").unwrap_or(placed_at),
        currency: text(order, "/proceeds/grandTotal/currencyCode").or_else(|| text(order, "/orderItems/0/product/price/unitPrice/currencyCode")),
        customer: text(order, "/buyer/buyerName"),
        ship_to: address(order),
        lines,
        raw: order.to_string(),
        state,
        id,
    })
}

fn read_line(order: &Value, line: &Value, state: &MarketState) -> Result<MarketLine, String> {
    let id = text(line, "/orderItemId").ok_or("an item has no orderItemId")?;
    let quantity = whole(line, "/quantityOrdered").filter(|q| *q >= 0).ok_or_else(|| format!("item {id} has no quantityOrdered"))?;
    let sku = text(line, "/product/sellerSku").ok_or_else(|| format!("item {id} has no sellerSku"))?;
    // What neither left nor is to leave was canceled; an order that waits for payment says nothing of it.
    let left = whole(line, "/fulfillment/quantityFulfilled").zip(whole(line, "/fulfillment/quantityUnfulfilled"));
    let canceled = match (state, left) {
        (MarketState::Canceled, _) => quantity,
        (MarketState::Open | MarketState::Shipped, Some((sent, open))) => (quantity - sent - open).clamp(0, quantity),
        _ => 0,
    };
    let returned = returned(order, &id).clamp(0, quantity - canceled);
    Ok(MarketLine {
        id,
        listing: sku.clone(),
        sku: Some(sku),
        title: text(line, "/product/title").unwrap_or_default(),
        quantity,
        canceled,
        returned,
        unit_price: text(line, "/product/price/unitPrice/amount"),
    })
}

/// Units of a line that the carrier brought back. What buyers send back themselves, and what they are paid, is not in the order.
fn returned(order: &Value, line: &str) -> i64 {
    let back = rows(order, "/packages").iter().filter(|p| text(p, "/packageStatus/detailedStatus").as_deref() == Some("RETURNED_TO_SELLER"));
    let items = back.flat_map(|package| rows(package, "/packageItems"));
    items.filter(|item| text(item, "/orderItemId").as_deref() == Some(line)).filter_map(|item| whole(item, "/quantity")).sum()
}

fn state(order: &Value) -> MarketState {
    if text(order, "/fulfillment/fulfilledBy").as_deref() == Some("AMAZON") {
        return MarketState::Other("sent by Amazon".into());
    }
    match text(order, "/fulfillment/fulfillmentStatus").unwrap_or_default().as_str() {
        "PENDING_AVAILABILITY" | "PENDING" => MarketState::Pending,
        // A buyer's wish to cancel leaves it open: the seller decides, by canceling or by sending.
        "UNSHIPPED" | "PARTIALLY_SHIPPED" => MarketState::Open,
        "SHIPPED" => MarketState::Shipped,
        CANCELED => MarketState::Canceled,
        other => MarketState::Other(other.to_owned()),
    }
}

fn address(order: &Value) -> Address {
    let Some(to) = order.pointer("/recipient/deliveryAddress") else { return Address::default() };
    Address {
        country: text(to, "/countryCode").unwrap_or_default(),
        postal_code: text(to, "/postalCode"),
        name: text(to, "/name"),
        company: text(to, "/companyName"),
        address1: text(to, "/addressLine1"),
        address2: text(to, "/addressLine2"),
        city: text(to, "/city"),
        province: text(to, "/stateOrRegion"),
        phone: text(to, "/phone"),
        email: text(order, "/buyer/buyerEmail"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_nobody_knows_are_kept_and_orders_that_make_no_sense_are_refused() {
        let item = serde_json::json!({
            "orderItemId": "1", "quantityOrdered": 5, "product": { "sellerSku": "A" }, "fulfillment": { "quantityFulfilled": 1, "quantityUnfulfilled": 2 },
        });
        let order = serde_json::json!({
            "orderId": "o", "createdTime": "2026-01-02T03:04:05Z", "fulfillment": { "fulfillmentStatus": "UNSHIPPED" }, "orderItems": [item],
        });
        let changed = |place: &str, value: Value| {
            let mut order = order.clone();
            if let Some(field) = order.pointer_mut(place) {
                *field = value;
            }
            read(&order)
        };
        for (word, state, canceled) in [
            ("PENDING", MarketState::Pending, 0),
            ("UNSHIPPED", MarketState::Open, 2),
            ("PARTIALLY_SHIPPED", MarketState::Open, 2),
            ("SHIPPED", MarketState::Shipped, 2),
            (CANCELED, MarketState::Canceled, 5),
            ("UNFULFILLABLE", MarketState::Other("UNFULFILLABLE".into()), 0),
            ("BEAMED_UP", MarketState::Other("BEAMED_UP".into()), 0),
        ] {
            let order = changed("/fulfillment/fulfillmentStatus", word.into()).unwrap();
            assert_eq!((order.state, order.lines[0].canceled), (state, canceled), "{word}");
        }
        for (place, value) in [
            ("/orderId", Value::Null),
            ("/createdTime", "yesterday".into()),
            ("/orderItems", serde_json::json!([])),
            ("/orderItems/0/quantityOrdered", serde_json::json!(-1)),
            ("/orderItems/0/product/sellerSku", Value::Null),
        ] {
            assert!(changed(place, value).is_err(), "{place}");
        }
    }
}
