//! Refunds at Shopify: what it suggests, and paying it once for a key. Without restocking, units that left are refunded before
//! those that did not, whatever was meant.

use super::{Answer, Kept, Shopify, failure, gid, list, plain};
use crate::markets::market::{Line, No, Order, Refund, RefundLine};
use serde_json::{Value, json};
use std::sync::PoisonError;

fn remaining(line: &Line) -> i64 {
    line.quantity - line.canceled - line.returned
}

fn hundredths(amount: &Value) -> Option<i64> {
    let (whole, decimals) = amount.as_str()?.split_once('.')?;
    if decimals.len() == 2 { format!("{whole}{decimals}").parse().ok() } else { None }
}

impl Shopify {
    pub(super) fn refunds(&self, id: &str, lines: &Value) -> Value {
        let order = self.market.order(plain(id));
        let find = |id: &Value| order.as_ref().and_then(|o| o.lines.iter().find(|l| gid("LineItem", &l.id) == *id));
        let node = |id: &Value| match find(id) {
            Some(line) => {
                json!({ "id": id, "currentQuantity": remaining(line), "unfulfilledQuantity": line.quantity - line.canceled - line.shipped })
            }
            None => Value::Null,
        };
        let nodes: Vec<Value> = list(lines).iter().map(node).collect();
        let notes = |o: &Order| json!({ "refunds": o.refunds.iter().map(|r| json!({ "note": r.note })).collect::<Vec<_>>() });
        json!({ "order": order.as_ref().map(notes), "nodes": nodes })
    }

    /// What these units cost, as far as they have not been refunded; nothing before the buyer paid.
    fn worth(&self, order: &Order, lines: &Value) -> i64 {
        let of = |row: &Value| {
            let line = order.lines.iter().find(|l| row["lineItemId"] == gid("LineItem", &l.id))?;
            let price = self.market.listing(&line.listing).map_or(0, |l| l.price);
            Some(price * row["quantity"].as_i64()?.min(remaining(line)))
        };
        if order.paid { list(lines).iter().filter_map(of).sum() } else { 0 }
    }

    pub(super) fn suggested_refund(&self, id: &str, lines: &Value) -> Value {
        let Some(order) = self.market.order(plain(id)) else { return json!({ "order": null }) };
        let amount = self.worth(&order, lines);
        let transaction = json!({
            "kind": "SUGGESTED_REFUND",
            "gateway": "bogus",
            "amountSet": { "presentmentMoney": { "amount": format!("{}.{:02}", amount / 100, amount % 100), "currencyCode": "USD" } },
            "parentTransaction": { "id": gid("OrderTransaction", &order.id) },
        });
        let transactions: Vec<Value> = (amount > 0).then_some(transaction).into_iter().collect();
        json!({ "order": { "suggestedRefund": { "suggestedTransactions": transactions } } })
    }

    pub(super) fn create_refund(&self, text: &str, variables: &Value) -> Answer {
        let key = variables["key"].as_str().unwrap_or_default().trim();
        if key.is_empty() || !text.contains("@idempotent(key: $key)") {
            return Err(failure("BAD_REQUEST", "The @idempotent directive is required for this mutation but was not provided."));
        }
        // Held to the end, so that two calls with one key cannot both be the first.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let parameters = variables["input"].to_string();
        if let Some(kept) = keys.get(key) {
            let code = match &kept.answer {
                _ if kept.parameters != parameters => "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
                Some(answer) => return Ok(answer.clone()),
                None => "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
            };
            return Err(failure(code, code));
        }
        let done = self.pay_back(&variables["input"]);
        let answer = match &done {
            Ok(id) => json!({ "refundCreate": { "refund": { "id": gid("Refund", id) }, "userErrors": [] } }),
            Err(message) => json!({ "refundCreate": { "refund": null, "userErrors": [{ "field": ["input"], "message": message }] } }),
        };
        keys.insert(key.to_owned(), Kept { parameters, answer: done.is_ok().then(|| answer.clone()) });
        Ok(answer)
    }

    fn pay_back(&self, input: &Value) -> Result<String, &'static str> {
        let order = self.market.order(plain(input["orderId"].as_str().unwrap_or_default())).ok_or("Order does not exist")?;
        let mut paid = 0;
        for row in list(&input["transactions"]) {
            if row["kind"] != "REFUND" || row["gateway"] != "bogus" || row["parentId"].is_null() || row["orderId"] != gid("Order", &order.id) {
                return Err("Transaction is not a refund of this order's payment");
            }
            paid += hundredths(&row["amount"]).filter(|a| *a > 0).ok_or("Transaction amount is invalid")?;
        }
        if paid > self.worth(&order, &input["refundLineItems"]) {
            return Err("Refund amount is more than what is left to refund");
        }
        let mut lines = Vec::new();
        for row in list(&input["refundLineItems"]) {
            let restock = match (row["restockType"].as_str(), row["locationId"] == *self.location) {
                (Some("NO_RESTOCK"), _) => false,
                (Some("CANCEL"), true) => true,
                _ => return Err("Restock type or location is invalid"),
            };
            let (line, quantity) = (plain(row["lineItemId"].as_str().unwrap_or_default()).to_owned(), row["quantity"].as_i64().unwrap_or(0));
            lines.push(RefundLine { line, quantity, amount: std::mem::take(&mut paid), restock });
        }
        let note = input["note"].as_str().unwrap_or_default().to_owned();
        self.market.refund(&order.id, Refund { note, lines, ..Refund::default() }).map_err(|no| match no {
            No::Unknown => "Line item does not exist",
            No::TooMany => "Quantity cannot refund more items than were purchased",
            No::AlreadyCanceled | No::AlreadyShipped => "Order cannot be refunded",
        })
    }
}
