//! Shopify's quantities: reading what is available at the location, and setting it so that a write is done once or not.
//!
//! A call of `inventorySetQuantities` is done whole or not at all, so one stale row keeps all others out. Such a batch is
//! cut in halves, again and again, and each piece has a key made of its rows. A piece that was done before answers so by
//! its key, one that was refused before is cut again: repeating the same rows after a lost reply walks the same way and
//! comes to the truth, without any memory here.

use super::{ask, gid, location, next_page, queries};
use crate::marketplace::{MarketListing, Page, SetOutcome, SetQuantity};
use crate::read::{rows, text, whole};
use crate::transport::{Fault, Wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;

/// Most rows in one call.
pub(super) const BATCH: usize = 250;

pub(super) async fn listings(wire: &Wire, after: Option<String>) -> Result<Page<MarketListing>, Fault> {
    let answer = ask(wire, &queries::LISTINGS, json!({ "location": location(wire), "after": after })).await?;
    let mut found = Page { rows: Vec::new(), next: next_page(&answer["productVariants"]), unread: Vec::new() };
    for row in rows(&answer, "/productVariants/nodes") {
        let Some(id) = text(row, "/inventoryItem/id") else {
            found.unread.push((text(row, "/id").unwrap_or_default(), "a variant without inventory item".into(), row.to_string()));
            continue;
        };
        // What is not tracked can be sold without end: a quantity would mean nothing.
        let is_tracked = row["inventoryItem"]["tracked"] != false;
        found.rows.push(MarketListing {
            id,
            sku: text(row, "/sku"),
            barcode: text(row, "/barcode"),
            title: text(row, "/displayName").unwrap_or_default(),
            quantity: available(&row["inventoryItem"]).filter(|_| is_tracked),
        });
    }
    Ok(found)
}

pub(super) async fn quantities(wire: &Wire, listings: &[String]) -> Result<Vec<(String, i64)>, Fault> {
    let mut found = Vec::with_capacity(listings.len());
    for some in listings.chunks(BATCH) {
        let ids: Vec<String> = some.iter().map(|id| gid("InventoryItem", id)).collect();
        let answer = ask(wire, &queries::QUANTITIES, json!({ "ids": ids, "location": location(wire) })).await?;
        // What is not there answers null.
        found.extend(rows(&answer, "/nodes").iter().filter_map(|item| Some((text(item, "/id")?, available(item)?))));
    }
    Ok(found)
}

/// None for an item that is not stocked at the location.
fn available(item: &Value) -> Option<i64> {
    let quantities = rows(item, "/inventoryLevel/quantities");
    quantities.iter().find(|q| q["name"] == "available").and_then(|q| whole(q, "/quantity"))
}

pub(super) async fn set(wire: &Wire, wanted: &[SetQuantity]) -> Result<Vec<SetOutcome>, Fault> {
    let mut outcomes: Vec<Option<SetOutcome>> = vec![None; wanted.len()];
    let mut pieces: Vec<Range<usize>> = (0..wanted.len()).step_by(BATCH).map(|from| from..(from + BATCH).min(wanted.len())).collect();
    while let Some(piece) = pieces.pop() {
        // Known to be refused from the answer to a larger piece, and never sent by itself.
        if outcomes[piece.clone()].iter().all(Option::is_some) {
            continue;
        }
        let answer = send(wire, &wanted[piece.clone()]).await;
        let errors = match answer {
            Ok(errors) => errors,
            Err(fault) => return Err(if outcomes.contains(&Some(SetOutcome::Applied)) { partly(fault) } else { fault }),
        };
        if errors.is_empty() {
            outcomes[piece].fill(Some(SetOutcome::Applied));
            continue;
        }
        for error in &errors {
            let rows = match error.row {
                Some(row) if row < piece.len() => piece.start + row..piece.start + row + 1,
                // Of the whole call. What an earlier try was refused for is not told again: its pieces will.
                _ if error.code == FAILED_BEFORE && piece.len() > 1 => continue,
                _ => piece.clone(),
            };
            outcomes[rows].fill(Some(error.outcome()));
        }
        if piece.len() > 1 {
            let middle = piece.start + piece.len() / 2;
            pieces.extend([middle..piece.end, piece.start..middle]);
        }
    }
    let mut outcomes: Vec<SetOutcome> = outcomes.into_iter().map(|o| o.unwrap_or(SetOutcome::Stale { shown: None })).collect();
    read_back(wire, wanted, &mut outcomes).await;
    Ok(outcomes)
}

/// Some rows are done, so the call as a whole can no longer be told as not done.
fn partly(fault: Fault) -> Fault {
    Fault::Lost { detail: format!("some of these quantities were set before this happened: {fault:?}") }
}

const FAILED_BEFORE: &str = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED";

/// Why a call was refused; `row` if it says which row is to blame.
struct UserError {
    row: Option<usize>,
    code: String,
    message: String,
}

impl UserError {
    fn outcome(&self) -> SetOutcome {
        match self.code.as_str() {
            "CHANGE_FROM_QUANTITY_STALE" | "COMPARE_QUANTITY_STALE" | FAILED_BEFORE => SetOutcome::Stale { shown: None },
            _ => SetOutcome::Refused { code: self.code.clone(), detail: self.message.clone() },
        }
    }
}

/// Sends one piece; answers why it was refused, nothing if it was done.
async fn send(wire: &Wire, piece: &[SetQuantity]) -> Result<Vec<UserError>, Fault> {
    let key = key(wire, piece);
    let location = location(wire);
    // `changeFromQuantity` must stand there, also when it is null: no comparison.
    let row = |q: &SetQuantity| {
        let item = gid("InventoryItem", &q.listing);
        json!({ "inventoryItemId": item, "locationId": location, "quantity": q.to, "changeFromQuantity": q.from })
    };
    let input = json!({
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": format!("gid://holdfast/Write/{key}"),
        "quantities": piece.iter().map(row).collect::<Vec<_>>(),
    });
    let answer = ask(wire, &queries::SET_QUANTITIES, json!({ "input": input, "key": key })).await?;
    let payload = &answer["inventorySetQuantities"];
    if !payload["userErrors"].is_array() {
        return Err(Fault::Lost { detail: "the answer does not say whether quantities were set".into() });
    }
    let read = |error: &Value| {
        // As in ["input", "quantities", "3", "changeFromQuantity"].
        let mut path = rows(error, "/field").iter().skip_while(|word| *word != "quantities").skip(1);
        UserError {
            row: path.next().and_then(|n| n.as_str()?.parse().ok()),
            code: text(error, "/code").unwrap_or_else(|| "userErrors".into()),
            message: text(error, "/message").unwrap_or_default(),
        }
    };
    Ok(rows(payload, "/userErrors").iter().map(read).collect())
}

/// The same for every try of the same rows, and for no other rows.
fn key(wire: &Wire, piece: &[SetQuantity]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(location(wire).as_bytes());
    for q in piece {
        hasher.update(format!("\n{:?} {:?} {} {:?}", q.listing, q.from, q.to, q.key).as_bytes());
    }
    hasher.finalize().to_hex().as_str()[..32].to_owned()
}

/// Tells of each stale row what is shown; if that cannot be read now, the row says so.
async fn read_back(wire: &Wire, wanted: &[SetQuantity], outcomes: &mut [SetOutcome]) {
    let stale = |outcome: &SetOutcome| matches!(outcome, SetOutcome::Stale { .. });
    let listings: Vec<String> = wanted.iter().zip(&*outcomes).filter(|(_, o)| stale(o)).map(|(q, _)| gid("InventoryItem", &q.listing)).collect();
    if listings.is_empty() {
        return;
    }
    let shown: BTreeMap<String, i64> = quantities(wire, &listings).await.unwrap_or_default().into_iter().collect();
    for (q, outcome) in wanted.iter().zip(outcomes) {
        if stale(outcome) {
            *outcome = SetOutcome::Stale { shown: shown.get(&gid("InventoryItem", &q.listing)).copied() };
        }
    }
}
