//! eBay's orders: how a window of changes is read without missing one, and what an order's fields mean.
//!
//! The list is paged by offset over a set that changes meanwhile: an order that is touched again leaves its window, those
//! behind it move up, and the next offset skips one. So a window that does not fit into one answer is cut in two and each
//! half is read whole; windows are read from old to new and the last has no end, so that whatever moves, moves into a
//! window still to be read.

use super::refund::{cost, hundredths};
use crate::marketplace::{Address, MarketLine, MarketOrder, MarketState, Page};
use crate::read::{date, divide, escape, json, rows, text, time, whole};
use crate::transport::{Fault, Request, Wire};
use serde_json::Value;
use std::fmt::Write;

/// Most orders in one answer.
pub const LIMIT: usize = 200;
const MILLISECOND: i64 = 1000;

/// A stretch of time, both ends included, in microseconds; without an end it is open. `offset` is used only where a single
/// millisecond holds more orders than one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: i64,
    to: Option<i64>,
    offset: usize,
}

/// The windows still to be read, from old to new, as text: `from-to+offset` in milliseconds, apart by commas.
fn write_windows(windows: &[Window]) -> Option<String> {
    let mut words = String::new();
    for window in windows {
        let comma = if words.is_empty() { "" } else { "," };
        let to = window.to.map_or(String::new(), |to| (to / MILLISECOND).to_string());
        let _ = write!(words, "{comma}{}-{to}+{}", window.from / MILLISECOND, window.offset);
    }
    (!words.is_empty()).then_some(words)
}

fn read_windows(words: &str) -> Option<Vec<Window>> {
    let window = |word: &str| {
        let (times, offset) = word.split_once('+')?;
        let (from, to) = times.split_once('-')?;
        let millis = |t: &str| t.parse::<i64>().ok()?.checked_mul(MILLISECOND);
        let to = if to.is_empty() { None } else { Some(millis(to)?) };
        Some(Window { from: millis(from)?, to, offset: offset.parse().ok()? })
    };
    words.split(',').map(window).collect()
}

/// Cuts a window in which more changed than one answer holds. `seen` are the times of those that were answered.
fn cut(window: Window, seen: &mut [i64]) -> [Window; 2] {
    seen.sort_unstable();
    let inside = |t: i64| t > window.from && window.to.is_none_or(|to| t < to);
    let middle = seen.get(seen.len() / 2).copied().filter(|t| inside(*t)).or_else(|| seen.iter().copied().find(|t| inside(*t)));
    match middle {
        Some(middle) => [Window { to: Some(middle), ..window }, Window { from: middle, ..window }],
        // All in the first millisecond, or in the last: it stands alone, and is paged by offset.
        None if seen.first().is_none_or(|t| *t <= window.from) || window.to.is_none() => {
            [Window { to: Some(window.from), ..window }, Window { from: window.from + MILLISECOND, ..window }]
        }
        None => {
            let last = window.to.unwrap_or(window.from);
            [Window { to: Some(last - MILLISECOND), ..window }, Window { from: last, ..window }]
        }
    }
}

fn list(window: Window) -> Request {
    let to = window.to.map(date).unwrap_or_default();
    let filter = escape(&format!("lastmodifieddate:[{}..{to}]", date(window.from)));
    let offset = if window.offset > 0 { format!("&offset={}", window.offset) } else { String::new() };
    get("getOrders", format!("/sell/fulfillment/v1/order?filter={filter}&limit={LIMIT}{offset}"))
}

pub fn get(what: &'static str, path: String) -> Request {
    Request { what, method: "GET", path, headers: Vec::new(), body: None, repeatable: true }
}

/// Reads one window; `page` names the windows that are left.
pub async fn page(wire: &Wire, from: i64, page: Option<String>) -> Result<Page<MarketOrder>, Fault> {
    let mut windows = match &page {
        None => vec![Window { from: from.div_euclid(MILLISECOND) * MILLISECOND, to: None, offset: 0 }],
        Some(words) => {
            read_windows(words).filter(|w| !w.is_empty()).ok_or_else(|| Fault::NotUnderstood { detail: format!("no page “{words}”") })?
        }
    };
    let answer = loop {
        let window = windows[0];
        let answer = json(&wire.send(list(window)).await?)?;
        let orders = rows(&answer, "/orders");
        let total = whole(&answer, "/total").and_then(|t| usize::try_from(t).ok()).unwrap_or(orders.len());
        let all_seen = window.offset + orders.len() >= total && answer.get("next").is_none_or(Value::is_null);
        if all_seen || orders.is_empty() {
            windows.remove(0);
            break answer;
        }
        if window.to == Some(window.from) {
            // Half a page is read again, for what moved up meanwhile.
            windows[0].offset += (orders.len() / 2).max(1);
            break answer;
        }
        let mut seen: Vec<i64> =
            orders.iter().filter_map(|o| time(o, "/lastModifiedDate")).map(|t| t.div_euclid(MILLISECOND) * MILLISECOND).collect();
        if seen.is_empty() {
            return Err(Fault::NotUnderstood { detail: "orders without lastModifiedDate cannot be read in windows".into() });
        }
        windows.splice(0..1, cut(window, &mut seen));
    };
    let mut found = Page { rows: Vec::new(), next: write_windows(&windows), unread: Vec::new() };
    for row in rows(&answer, "/orders") {
        let known = if asks_to_cancel(row) { whole_order(wire, row).await? } else { row.clone() };
        match read(&known) {
            Ok(order) => found.rows.push(order),
            Err(why) => found.unread.push((text(row, "/orderId").unwrap_or_default(), why, known.to_string())),
        }
    }
    Ok(found)
}

/// The list leaves the requests to cancel empty; only the order itself has them. Without them it counts as asked for.
fn asks_to_cancel(order: &Value) -> bool {
    text(order, "/cancelStatus/cancelState").is_some_and(|state| state != "NONE_REQUESTED")
}

async fn whole_order(wire: &Wire, row: &Value) -> Result<Value, Fault> {
    let Some(id) = text(row, "/orderId") else { return Ok(row.clone()) };
    match wire.send(get("getOrder", format!("/sell/fulfillment/v1/order/{}", escape(&id)))).await {
        Err(Fault::Refused { .. }) => Ok(row.clone()),
        answer => json(&answer?),
    }
}

/// What an order's fields mean; refuses, in words, an order that cannot be understood.
pub fn read(order: &Value) -> Result<MarketOrder, String> {
    let id = text(order, "/orderId").ok_or("it has no orderId")?;
    let placed_at = time(order, "/creationDate").ok_or("it has no creationDate")?;
    let state = state(order);
    let canceled = state == MarketState::Canceled;
    let mut lines = Vec::new();
    for line in rows(order, "/lineItems") {
        lines.push(read_line(order, line, canceled)?);
    }
    if lines.is_empty() {
        return Err("it has no lineItems".into());
    }
    Ok(MarketOrder {
        number: text(order, "/salesRecordReference").unwrap_or_else(|| id.clone()),
        id,
        placed_at,
        updated_at: time(order, "/lastModifiedDate").unwrap_or(placed_at),
        state,
        currency: text(order, "/pricingSummary/total/currency").or_else(|| text(order, "/lineItems/0/lineItemCost/currency")),
        customer: text(order, "/buyer/username"),
        ship_to: address(order),
        lines,
        raw: order.to_string(),
    })
}

fn read_line(order: &Value, line: &Value, canceled: bool) -> Result<MarketLine, String> {
    let id = text(line, "/lineItemId").ok_or("a line has no lineItemId")?;
    let quantity = whole(line, "/quantity").filter(|q| *q > 0).ok_or_else(|| format!("line {id} has no quantity"))?;
    let sku = text(line, "/sku");
    // Listings made in the old way may have no SKU; they are named by their item, and by the variation if there is one.
    let item = || {
        let item = text(line, "/legacyItemId")?;
        Some(text(line, "/legacyVariationId").filter(|v| v != "0").map_or(format!("item/{item}"), |v| format!("item/{item}/{v}")))
    };
    Ok(MarketLine {
        listing: sku.clone().or_else(item).ok_or_else(|| format!("line {id} has neither sku nor legacyItemId"))?,
        id,
        sku,
        title: text(line, "/title").unwrap_or_default(),
        quantity,
        canceled: if canceled { quantity } else { 0 },
        returned: if is_paid_back(order, line) { quantity } else { 0 },
        unit_price: text(line, "/discountedLineItemCost/value")
            .or_else(|| text(line, "/lineItemCost/value"))
            .and_then(|cost| divide(&cost, quantity)),
    })
}

/// Whether a line that was sent was paid back whole. Of less eBay tells amounts of money and not of units; it may be a kindness.
fn is_paid_back(order: &Value, line: &Value) -> bool {
    let amounts = || rows(line, "/refunds").iter().filter_map(|row| hundredths(&text(row, "/amount/value")?));
    let all = cost(line).is_some_and(|cost| cost > 0 && amounts().sum::<i64>() >= cost);
    line["lineItemFulfillmentStatus"] == "FULFILLED" && (all || order["orderPaymentStatus"] == "FULLY_REFUNDED")
}

/// Cancellation says most, then payment, then what was sent.
fn state(order: &Value) -> MarketState {
    let word = |pointer| text(order, pointer).unwrap_or_default();
    let cancel = word("/cancelStatus/cancelState");
    match cancel.as_str() {
        "CANCELED" => return MarketState::Canceled,
        // Asked for and not decided: it must not leave meanwhile.
        "IN_PROGRESS" => {
            let requests = rows(order, "/cancelStatus/cancelRequests");
            let rejected = |r: &Value| text(r, "/cancelRequestState").is_some_and(|s| s == "REJECTED");
            if requests.is_empty() || !requests.iter().all(rejected) {
                return MarketState::Pending;
            }
        }
        "NONE_REQUESTED" | "" => {}
        other => return MarketState::Other(other.to_owned()),
    }
    let sent = word("/orderFulfillmentStatus");
    if sent == "FULFILLED" {
        return MarketState::Shipped;
    }
    match word("/orderPaymentStatus").as_str() {
        "PENDING" | "FAILED" => MarketState::Pending,
        // All was paid back and nothing sent: nothing is to be sent.
        "FULLY_REFUNDED" if sent == "NOT_STARTED" => MarketState::Canceled,
        "PAID" | "PARTIALLY_REFUNDED" => match sent.as_str() {
            "NOT_STARTED" | "IN_PROGRESS" => MarketState::Open,
            _ => MarketState::Other(sent),
        },
        other => MarketState::Other(other.to_owned()),
    }
}

fn address(order: &Value) -> Address {
    let instructions = rows(order, "/fulfillmentStartInstructions").first();
    let Some(to) = instructions.and_then(|i| i.pointer("/shippingStep/shipTo")) else { return Address::default() };
    Address {
        country: text(to, "/contactAddress/countryCode").unwrap_or_default(),
        postal_code: text(to, "/contactAddress/postalCode"),
        name: text(to, "/fullName"),
        company: text(to, "/companyName"),
        address1: text(to, "/contactAddress/addressLine1"),
        address2: text(to, "/contactAddress/addressLine2"),
        city: text(to, "/contactAddress/city"),
        province: text(to, "/contactAddress/stateOrProvince"),
        phone: text(to, "/primaryPhone/phoneNumber"),
        email: text(to, "/email"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_written_and_read() {
        for words in ["5-+0", "5-9+0,9-+0", "5-5+100,6-+0"] {
            assert_eq!(read_windows(words).as_deref().and_then(write_windows).as_deref(), Some(words));
        }
        for words in ["", "5", "5-9", "x-9+0", "5-9+-1", "99999999999999999-+0"] {
            assert_eq!(read_windows(words), None, "{words}");
        }
    }

    #[test]
    fn a_window_is_cut_into_smaller_ones_that_leave_nothing_out() {
        let at = |words: &str| read_windows(words).and_then(|w| w.first().copied()).unwrap_or(Window { from: 0, to: None, offset: 0 });
        for (window, seen, halves) in [
            ("0-+0", &[1, 2, 3][..], "0-2+0,2-+0"),
            ("0-9+0", &[0, 0, 0, 4][..], "0-4+0,4-9+0"),
            ("0-+0", &[0, 0][..], "0-0+0,1-+0"),
            ("0-9+0", &[0, 0][..], "0-0+0,1-9+0"),
            ("0-9+0", &[9, 9][..], "0-8+0,9-9+0"),
            ("8-9+0", &[9, 8, 8][..], "8-8+0,9-9+0"),
        ] {
            let mut seen: Vec<i64> = seen.iter().map(|t| t * MILLISECOND).collect();
            assert_eq!(write_windows(&cut(at(window), &mut seen)).as_deref(), Some(halves), "{window} {seen:?}");
        }
    }

    #[test]
    fn words_that_nobody_knows_are_kept_and_orders_that_make_no_sense_are_refused() {
        let line =
            serde_json::json!({ "lineItemId": "1", "sku": "A", "quantity": 2, "title": "T", "lineItemCost": { "value": "9.99", "currency": "EUR" } });
        let order = serde_json::json!({
            "orderId": "o", "creationDate": "2026-01-02T03:04:05.678Z", "orderPaymentStatus": "PAID", "orderFulfillmentStatus": "NOT_STARTED", "lineItems": [line],
        });
        let changed = |place: &str, value: Value| {
            let mut order = order.clone();
            if let Some(field) = order.pointer_mut(place) {
                *field = value;
            }
            read(&order)
        };
        let good = read(&order).unwrap();
        assert_eq!((good.state, good.number.as_str(), good.placed_at), (MarketState::Open, "o", 1_767_323_045_678_000));
        assert_eq!((good.lines[0].unit_price.as_deref(), good.currency.as_deref()), (None, Some("EUR")), "9.99 for two is no exact price");
        for (place, word, state) in [
            ("/orderPaymentStatus", "PENDING", MarketState::Pending),
            ("/orderPaymentStatus", "FULLY_REFUNDED", MarketState::Canceled),
            ("/orderPaymentStatus", "SOMEHOW", MarketState::Other("SOMEHOW".into())),
            ("/orderFulfillmentStatus", "FULFILLED", MarketState::Shipped),
            ("/orderFulfillmentStatus", "BEAMED_UP", MarketState::Other("BEAMED_UP".into())),
        ] {
            assert_eq!(changed(place, word.into()).unwrap().state, state, "{word}");
        }
        for (place, value) in [
            ("/orderId", Value::Null),
            ("/creationDate", "yesterday".into()),
            ("/lineItems", serde_json::json!([])),
            ("/lineItems/0/quantity", serde_json::json!(0)),
            ("/lineItems/0/quantity", serde_json::json!(1.5)),
            ("/lineItems/0/sku", Value::Null),
        ] {
            assert!(changed(place, value).is_err(), "{place}");
        }
    }
}
