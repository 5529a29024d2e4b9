//! Paying back at eBay, in amounts of money by line. There is no key that makes a second try harmless, and an order tells of its
//! refunds only their amounts: so what was paid back before is read first, and whatever could pay twice is left to a person.
//!
//! On behalf of sellers in the EU and the United Kingdom eBay takes this call only with a digital signature, which is not made here.

use super::orders::get;
use super::stock::post;
use crate::marketplace::Refund;
use crate::read::{escape, json, rows, text};
use crate::transport::{Fault, Wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As eBay spells them.
const REASONS: [&str; 7] =
    ["BUYER_CANCEL", "SELLER_CANCEL", "ITEM_NOT_RECEIVED", "BUYER_RETURN", "ITEM_NOT_AS_DESCRIBED", "OTHER_ADJUSTMENT", "SHIPPING_DISCOUNT"];
/// Longest comment, characters.
const LONGEST: usize = 100;
/// How often an order is read again after a lost reply.
const LOOKS: usize = 3;

/// Hundredths by line.
type Amounts = BTreeMap<String, i64>;

fn no(code: &str, detail: String) -> Fault {
    Fault::Refused { status: 400, code: code.into(), detail }
}

pub async fn refund(wire: &Wire, refund: &Refund) -> Result<(), Fault> {
    let (wanted, currency) = amounts(refund)?;
    let order = read(wire, refund).await?;
    let before = paid(&order);
    if let Some(known) = before.values().find(|amounts| **amounts == wanted) {
        return perhaps_paid(&order, &before, known);
    }
    let path = format!("/sell/fulfillment/v1/order/{}/issue_refund", escape(&refund.order));
    let request = post("issueRefund", path, &body(refund, &order, &wanted, &currency));
    match wire.send(request).await.and_then(|answer| json(&answer)) {
        Ok(answer) if answer["refundStatus"] == "FAILED" => Err(no("refund_failed", "eBay could not pay it: look at the order in Seller Hub".into())),
        Ok(_) => Ok(()),
        // An earlier refund is under way, or the buyer's own payment is.
        Err(Fault::Refused { code, detail, .. }) if code == "34922" || code == "34929" => Err(Fault::Unavailable { detail }),
        Err(fault @ (Fault::Lost { .. } | Fault::NotUnderstood { .. })) => {
            for _ in 0..LOOKS {
                let Ok(now) = read(wire, refund).await else { continue };
                if paid(&now).iter().any(|(id, amounts)| *amounts == wanted && !before.contains_key(id)) {
                    return Ok(());
                }
            }
            Err(fault)
        }
        // Also refused because an earlier try was heard, and not yet told when it was looked for.
        Err(fault @ Fault::Refused { .. }) => match read(wire, refund).await {
            Ok(now) if paid(&now).values().any(|amounts| *amounts == wanted) => perhaps_paid(&now, &paid(&now), &wanted),
            Ok(_) => Err(fault),
            Err(_) => Err(Fault::Lost { detail: "whether it was refunded is not known yet".into() }),
        },
        Err(fault) => Err(fault),
    }
}

/// The same was paid back before: by an earlier try of this refund, or by another one of as much. Where no more is left of a line
/// than would have to be paid, it was this one; otherwise nobody can tell.
fn perhaps_paid(order: &Value, before: &BTreeMap<String, Amounts>, wanted: &Amounts) -> Result<(), Fault> {
    let enough_left = |(line, amount): (&String, &i64)| {
        let row = rows(order, "/lineItems").iter().find(|row| text(row, "/lineItemId").as_ref() == Some(line));
        let gone: i64 = before.values().filter_map(|amounts| amounts.get(line)).sum();
        row.and_then(cost).is_none_or(|cost| cost - gone >= *amount)
    };
    if !wanted.iter().all(enough_left) {
        return Ok(());
    }
    let detail = "eBay shows a refund of just this amount already, and cannot say whether it is this one: look at the order in Seller Hub, and refund it there if it is not";
    Err(no("perhaps_refunded", detail.into()))
}

fn amounts(refund: &Refund) -> Result<(Amounts, String), Fault> {
    let (mut amounts, mut currencies) = (Amounts::new(), Vec::new());
    for line in &refund.lines {
        let price = line.unit_price.as_ref().and_then(|(price, currency)| Some((hundredths(price)?, currency)));
        let (price, currency) =
            price.ok_or_else(|| no("price_unknown", format!("what was paid for line {} is not known: refund it at eBay", line.line)))?;
        *amounts.entry(line.line.clone()).or_default() += price.saturating_mul(line.quantity);
        currencies.push(currency.clone());
    }
    currencies.dedup();
    match <[String; 1]>::try_from(currencies) {
        Ok([currency]) if amounts.values().all(|amount| *amount > 0) => Ok((amounts, currency)),
        _ => Err(no("nothing_to_refund", "a refund has lines, amounts above 0, and one currency".into())),
    }
}

fn body(refund: &Refund, order: &Value, wanted: &Amounts, currency: &str) -> Value {
    let otherwise = if refund.lines.iter().all(|line| line.came_back) { "BUYER_RETURN" } else { "OTHER_ADJUSTMENT" };
    let reason = REASONS.into_iter().find(|word| word.eq_ignore_ascii_case(&refund.reason)).unwrap_or(otherwise);
    let comment: String = refund.reason.chars().take(LONGEST).collect();
    let amount = |hundredths: i64| json!({ "value": format!("{}.{:02}", hundredths / 100, hundredths % 100), "currency": currency });
    let mut body = json!({ "reasonForRefund": reason, "comment": comment });
    if rows(order, "/lineItems").len() > 1 {
        let item = |(line, hundredths): (&String, &i64)| json!({ "lineItemId": line, "refundAmount": amount(*hundredths) });
        body["refundItems"] = wanted.iter().map(item).collect();
    } else {
        body["orderLevelRefundAmount"] = amount(wanted.values().sum());
    }
    body
}

async fn read(wire: &Wire, refund: &Refund) -> Result<Value, Fault> {
    json(&wire.send(get("getOrder", format!("/sell/fulfillment/v1/order/{}", escape(&refund.order)))).await?)
}

/// What was paid back before, by the refund's id; refunds that failed are none. That of a whole order counts for its line if it
/// has but one.
fn paid(order: &Value) -> BTreeMap<String, Amounts> {
    let mut paid: BTreeMap<String, Amounts> = BTreeMap::new();
    let lines = rows(order, "/lineItems");
    let only = match lines {
        [line] => text(line, "/lineItemId").unwrap_or_default(),
        _ => String::new(),
    };
    let whole = rows(order, "/paymentSummary/refunds").iter().filter(|row| row["refundStatus"] != "FAILED").map(|row| (only.clone(), row));
    let of_line = |line| rows(line, "/refunds").iter().map(move |row| (text(line, "/lineItemId").unwrap_or_default(), row));
    for (line, row) in whole.chain(lines.iter().flat_map(of_line)) {
        if let (Some(id), Some(amount)) = (text(row, "/refundId"), text(row, "/amount/value").and_then(|a| hundredths(&a))) {
            // Told of the order and of its line, it is still one.
            paid.entry(id).or_default().insert(line, amount);
        }
    }
    paid
}

/// What all units of a line cost, in hundredths.
pub fn cost(line: &Value) -> Option<i64> {
    let cost = text(line, "/discountedLineItemCost/value").or_else(|| text(line, "/lineItemCost/value"))?;
    hundredths(&cost)
}

/// An amount in hundredths; nothing if it is finer than that.
pub fn hundredths(amount: &str) -> Option<i64> {
    let (whole, decimals) = amount.trim().split_once('.').unwrap_or((amount.trim(), ""));
    let decimals = decimals.trim_end_matches('0');
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 2 || !digits(whole) || !digits(decimals) {
        return None;
    }
    format!("{whole}{decimals:0<2}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("12.5", Some(1250)),
            ("12", Some(1200)),
            ("0.05", Some(5)),
            ("1.2300", Some(123)),
            ("1.234", None),
            ("-1", None),
            (".5", None),
            ("", None),
        ] {
            assert_eq!(hundredths(text), expected, "{text}");
        }
    }
}
