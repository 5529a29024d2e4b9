//! Refunds at eBay: amounts of money for an order or its lines, paid as often as asked for; but none while another one is under way.

use super::{Ebay, amount, error};
use crate::markets::ask::{Ask, date, json};
use crate::markets::market::{No, Order, Refund, RefundLine};
use axum::response::Response;
use serde_json::{Value, json as value};

const REASONS: [&str; 7] =
    ["BUYER_CANCEL", "SELLER_CANCEL", "ITEM_NOT_RECEIVED", "BUYER_RETURN", "ITEM_NOT_AS_DESCRIBED", "OTHER_ADJUSTMENT", "SHIPPING_DISCOUNT"];

fn no(status: u16, id: i64, message: &str) -> Response {
    error(status, id, "API_FULFILLMENT", message)
}

/// Hundredths of an amount as the seller must write it.
fn hundredths(told: &Value) -> Option<i64> {
    let text = told["value"].as_str().filter(|_| told["currency"] == "USD")?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "00"));
    if decimals.len() == 2 { format!("{whole}{decimals}").parse().ok().filter(|n| *n > 0) } else { None }
}

/// The refunds of a line, or of the order as a whole.
pub(super) fn of(refunds: &[Refund], line: &str, status: Option<&str>) -> Vec<Value> {
    let rows = refunds.iter().flat_map(|r| r.lines.iter().filter(|l| l.line == line).map(move |l| (r, l)));
    let row = |(refund, told): (&Refund, &RefundLine)| {
        let mut row = value!({ "refundId": refund.id, "amount": amount(told.amount), "refundDate": date(refund.at) });
        if let Some(status) = status {
            row["refundStatus"] = status.into();
        }
        row
    };
    rows.map(row).collect()
}

pub(super) fn payment(order: &Order, refunds: &[Refund], total: i64) -> &'static str {
    let paid_back: i64 = refunds.iter().flat_map(|r| &r.lines).map(|l| l.amount).sum();
    match paid_back {
        _ if !order.paid => "PENDING",
        0 => "PAID",
        some if some < total => "PARTIALLY_REFUNDED",
        _ => "FULLY_REFUNDED",
    }
}

impl Ebay {
    /// From now on a refund is under way for so many readings of its order.
    pub fn let_refunds_lag(&self, readings: u32) {
        self.state().lag = readings;
    }

    /// How far the refunds of an order are, which is being read.
    pub(super) fn refund_status(&self, order: &Order) -> &'static str {
        match self.state().under_way.get_mut(&order.id).filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                "PENDING"
            }
            None => "REFUNDED",
        }
    }

    pub(super) fn refund(&self, ask: &Ask, order: &Order) -> Response {
        let body = ask.json();
        let price = |line: &str| {
            let line = order.lines.iter().find(|l| l.id == line)?;
            Some(self.market.listing(&line.listing)?.price * line.quantity)
        };
        let gone = |line: &str| order.refunds.iter().flat_map(|r| &r.lines).filter(|l| l.line == line).map(|l| l.amount).sum::<i64>();
        let total: i64 = order.lines.iter().filter_map(|l| price(&l.id)).sum();
        let all_gone: i64 = order.refunds.iter().flat_map(|r| &r.lines).map(|l| l.amount).sum();
        if !body["reasonForRefund"].as_str().is_some_and(|r| REASONS.contains(&r)) {
            return no(400, 34903, "The refund reason must be specified.");
        }
        if body["comment"].as_str().is_some_and(|c| c.chars().count() > 100) {
            return no(400, 34921, "The comment exceeds the length limit, please make sure it doesn't exceed 1000 characters.");
        }
        if !order.paid {
            return no(409, 34929, "You cannot refund this order yet since the buyer payment has not been processed. Please try again later.");
        }
        if self.state().under_way.get(&order.id).is_some_and(|left| *left > 0) {
            return no(400, 34922, "Refund can't be issued while previous refund is processing.");
        }
        let mut lines = Vec::new();
        match (body["refundItems"].as_array(), body.get("orderLevelRefundAmount")) {
            (Some(items), None) => {
                for item in items {
                    let line = item["lineItemId"].as_str().unwrap_or_default();
                    let Some(price) = price(line) else { return no(400, 34914, "Can't find the item in the order.") };
                    let Some(amount) = hundredths(&item["refundAmount"]) else {
                        return no(400, 34907, "The amount value must be positive and within two decimals.");
                    };
                    if gone(line) + amount > price {
                        return no(409, 34924, "The item refund amount exceeds the item remaining amount.");
                    }
                    lines.push(RefundLine { line: line.to_owned(), amount, ..RefundLine::default() });
                }
            }
            (None, Some(whole)) => match hundredths(whole) {
                Some(amount) => lines.push(RefundLine { amount, ..RefundLine::default() }),
                None => return no(400, 34907, "The amount value must be positive and within two decimals."),
            },
            _ => return no(400, 34905, "Either orderLevelRefundAmount or refundItems must be specified."),
        }
        if all_gone + lines.iter().map(|l| l.amount).sum::<i64>() > total {
            return no(400, 34915, "The refund amount exceeds order amount.");
        }
        let note = body["comment"].as_str().unwrap_or_default().to_owned();
        match self.market.refund(&order.id, Refund { note, lines, ..Refund::default() }) {
            Ok(id) => {
                let mut state = self.state();
                let lag = state.lag;
                state.under_way.insert(order.id.clone(), lag);
                json(200, &value!({ "refundId": id, "refundStatus": "PENDING" }))
            }
            Err(No::AlreadyCanceled | No::AlreadyShipped | No::TooMany | No::Unknown) => {
                no(400, 34923, "Refund cannot be issued for this type of order.")
            }
        }
    }
}
