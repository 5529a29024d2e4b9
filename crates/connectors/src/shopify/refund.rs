//! Paying back at Shopify: as much as it suggests for these units, discounts and taxes included, to whatever they were paid with.
//!
//! What comes back goes into our stock, and the shop hears of it as of any other unit, by a quantity; so a refund puts nothing
//! into what the shop shows (`NO_RESTOCK`). There is one exception: of a line that was sent in part, Shopify takes the units that
//! left before those that did not, whatever is meant, and would go on waiting for the others to be sent. Only `CANCEL` takes the
//! units that did not leave. It shows them again, as canceling the order would, and they are expected back by
//! [`crate::marketplace::Marketplace::restocks_on_cancel`] once the order tells that they are canceled.

use super::ship::refused;
use super::{ask, gid, location, queries};
use crate::marketplace::{Refund, RefundLine};
use crate::read::{rows, text, whole};
use crate::transport::{Fault, Wire};
use serde_json::{Value, json};

/// Longest reason in a note, characters.
const LONGEST: usize = 200;

/// The note of a refund ends with its key, so that a later try knows it, whatever Shopify's own memory of keys has forgotten
/// and however the suggestion has changed since.
pub(super) async fn refund(wire: &Wire, refund: &Refund) -> Result<(), Fault> {
    let order = gid("Order", &refund.order);
    if refund.lines.is_empty() {
        return Err(Fault::Refused { status: 0, code: "nothing_to_refund".into(), detail: format!("no line of order {order} is to be refunded") });
    }
    let known = look(wire, &order, refund).await?;
    if is_paid(&known, refund) {
        return Ok(());
    }
    let lines: Vec<Value> = refund.lines.iter().map(|line| input_line(wire, line, &known)).collect();
    let answer = ask(wire, &queries::SUGGESTED_REFUND, json!({ "id": order, "lines": lines })).await?;
    let suggested = rows(&answer, "/order/suggestedRefund/suggestedTransactions");
    let transactions: Vec<Value> = suggested.iter().filter(|row| row["kind"] == "SUGGESTED_REFUND").map(|row| transaction(&order, row)).collect();
    let reason: String = refund.reason.chars().take(LONGEST).collect();
    let input = json!({
        "orderId": order,
        "note": format!("{reason} {}", mark(refund)),
        "notify": true,
        // In which the buyer paid; nothing if there is nothing to pay.
        "currency": suggested.iter().find_map(|row| text(row, "/amountSet/presentmentMoney/currencyCode")),
        "refundLineItems": lines,
        "transactions": transactions,
    });
    let key = blake3::hash(format!("{order}\n{}", refund.key).as_bytes()).to_hex().as_str()[..32].to_owned();
    let done = ask(wire, &queries::CREATE_REFUND, json!({ "input": input, "key": key })).await;
    match done.and_then(|answer| refused(&answer["refundCreate"], "userErrors")) {
        // Also refused because an earlier try was heard, and not yet told when it was looked for.
        Err(fault @ Fault::Refused { .. }) => match look(wire, &order, refund).await {
            Ok(known) if is_paid(&known, refund) => Ok(()),
            Ok(_) => Err(fault),
            Err(_) => Err(Fault::Lost { detail: "whether it was refunded is not known yet".into() }),
        },
        done => done,
    }
}

async fn look(wire: &Wire, order: &str, refund: &Refund) -> Result<Value, Fault> {
    let lines: Vec<String> = refund.lines.iter().map(|line| gid("LineItem", &line.line)).collect();
    let known = ask(wire, &queries::REFUNDS, json!({ "id": order, "lines": lines })).await?;
    if known["order"].is_null() {
        return Err(Fault::Refused { status: 200, code: "not_found".into(), detail: format!("there is no order {order}") });
    }
    Ok(known)
}

fn mark(refund: &Refund) -> String {
    format!("({})", refund.key)
}

fn is_paid(known: &Value, refund: &Refund) -> bool {
    let mark = mark(refund);
    rows(known, "/order/refunds").iter().any(|row| text(row, "/note").is_some_and(|note| note.ends_with(&mark)))
}

fn input_line(wire: &Wire, line: &RefundLine, known: &Value) -> Value {
    let id = gid("LineItem", &line.line);
    let facts = rows(known, "/nodes").iter().find(|row| row["id"] == *id);
    // Neither refunded nor still to be sent: it left.
    let some_left = facts.is_some_and(|f| whole(f, "/currentQuantity") > whole(f, "/unfulfilledQuantity"));
    if some_left && !line.came_back {
        return json!({ "lineItemId": id, "quantity": line.quantity, "restockType": "CANCEL", "locationId": location(wire) });
    }
    json!({ "lineItemId": id, "quantity": line.quantity, "restockType": "NO_RESTOCK" })
}

fn transaction(order: &str, suggested: &Value) -> Value {
    json!({
        "orderId": order,
        "kind": "REFUND",
        "gateway": suggested["gateway"],
        "amount": suggested["amountSet"]["presentmentMoney"]["amount"],
        "parentId": suggested["parentTransaction"]["id"],
    })
}
