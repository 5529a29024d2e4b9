//! What is listed at eBay and how many are shown: inventory items by SKU.
//!
//! The quantity here is the item's own, for all of eBay. An offer with a smaller quantity of its own shows that smaller
//! one, so what buyers see is never more than what is set here.

use super::orders::get;
use crate::marketplace::{MarketListing, Page, SetOutcome, SetQuantity};
use crate::read::{json, rows, text, whole};
use crate::transport::{Fault, Request, Wire};
use serde_json::{Value, json};

/// Most SKUs in one request.
pub const BATCH: usize = 25;
/// Most inventory items on one page.
const LIMIT: usize = 200;
const QUANTITY: &str = "/availability/shipToLocationAvailability/quantity";

/// A page of inventory items. eBay says that `offset` counts pages and shows links in which it counts items: only the
/// link to the next page is followed, never reckoned.
pub async fn listings(wire: &Wire, page: Option<String>) -> Result<Page<MarketListing>, Fault> {
    let offset = page.unwrap_or_else(|| "0".into());
    let answer = json(&wire.send(get("getInventoryItems", format!("/sell/inventory/v1/inventory_item?limit={LIMIT}&offset={offset}"))).await?)?;
    let mut found = Page { rows: Vec::new(), next: text(&answer, "/next").and_then(|link| offset_in(&link)), unread: Vec::new() };
    for item in rows(&answer, "/inventoryItems") {
        let Some(sku) = text(item, "/sku") else {
            found.unread.push((String::new(), "it has no sku".into(), item.to_string()));
            continue;
        };
        found.rows.push(MarketListing {
            id: sku.clone(),
            sku: Some(sku),
            barcode: ["/product/ean/0", "/product/upc/0", "/product/isbn/0"].iter().find_map(|p| text(item, p)),
            title: text(item, "/product/title").unwrap_or_default(),
            quantity: whole(item, QUANTITY),
        });
    }
    // A next page that is this page would be read for ever.
    found.next = found.next.filter(|next| *next != offset && !rows(&answer, "/inventoryItems").is_empty());
    Ok(found)
}

fn offset_in(link: &str) -> Option<String> {
    let query = link.split_once('?')?.1;
    let offset = query.split('&').find_map(|pair| pair.strip_prefix("offset="))?;
    (!offset.is_empty() && offset.len() < 10 && offset.bytes().all(|b| b.is_ascii_digit())).then(|| offset.to_owned())
}

/// Items that eBay does not know, or cannot read just now, are left out.
pub async fn quantities(wire: &Wire, listings: &[String]) -> Result<Vec<(String, i64)>, Fault> {
    let mut found = Vec::new();
    for some in listings.chunks(BATCH) {
        let asked: Vec<Value> = some.iter().map(|sku| json!({ "sku": sku })).collect();
        let request =
            Request { repeatable: true, ..post("bulkGetInventoryItem", "/sell/inventory/v1/bulk_get_inventory_item", &json!({ "requests": asked })) };
        let answer = json(&wire.send(request).await?)?;
        for row in rows(&answer, "/responses") {
            let good = whole(row, "/statusCode").is_some_and(|s| (200..300).contains(&s));
            if let (true, Some(sku), Some(item)) = (good, text(row, "/sku"), row.get("inventoryItem")) {
                found.push((sku, whole(item, QUANTITY).unwrap_or(0)));
            }
        }
    }
    Ok(found)
}

pub fn post(what: &'static str, path: impl Into<String>, body: &Value) -> Request {
    let body = Some(("application/json", body.to_string().into_bytes()));
    Request { what, method: "POST", path: path.into(), headers: Vec::new(), body, repeatable: false }
}

/// Sets at most [`BATCH`] quantities, each answered by a status of its own.
pub async fn set_quantities(wire: &Wire, wanted: &[SetQuantity]) -> Result<Vec<SetOutcome>, Fault> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    if wanted.len() > BATCH {
        return Err(Fault::Refused { status: 400, code: "too_many_rows".into(), detail: format!("at most {BATCH} quantities a call") });
    }
    let row = |w: &SetQuantity| json!({ "sku": w.listing, "shipToLocationAvailability": { "quantity": w.to } });
    let body = json!({ "requests": wanted.iter().map(row).collect::<Vec<_>>() });
    let answer = json(&wire.send(post("bulkUpdatePriceQuantity", "/sell/inventory/v1/bulk_update_price_quantity", &body)).await?)?;
    let answered = rows(&answer, "/responses");
    Ok(wanted
        .iter()
        .map(|w| {
            // One SKU may be answered in several rows; the worst of them counts.
            let of_it = answered.iter().filter(|row| text(row, "/sku").as_deref() == Some(&w.listing));
            of_it.map(outcome).max_by_key(badness).unwrap_or(SetOutcome::Accepted)
        })
        .collect())
}

/// A row that eBay failed at, or did not answer, may be done or not: it is to be read back.
fn outcome(row: &Value) -> SetOutcome {
    match whole(row, "/statusCode") {
        Some(200..=299) => SetOutcome::Applied,
        Some(status @ 400..=499) => SetOutcome::Refused {
            code: text(row, "/errors/0/errorId").unwrap_or_else(|| status.to_string()),
            detail: text(row, "/errors/0/longMessage").or_else(|| text(row, "/errors/0/message")).unwrap_or_default(),
        },
        _ => SetOutcome::Accepted,
    }
}

fn badness(outcome: &SetOutcome) -> u8 {
    match outcome {
        SetOutcome::Applied => 0,
        SetOutcome::Stale { .. } => 1,
        SetOutcome::Refused { .. } => 2,
        SetOutcome::Accepted => 3,
    }
}
