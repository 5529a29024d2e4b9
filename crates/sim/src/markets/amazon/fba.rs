//! Amazon's own warehouse: what is in it, by pages whose names live 30 seconds, and orders from elsewhere that it sends.

use super::{Amazon, CANCELED, MARKETPLACE, SECOND, error};
use crate::markets::ask::{Ask, date, json, with_unknown};
use axum::response::Response;
use serde_json::{Value, json as value};
use std::collections::BTreeMap;

const PAGE: usize = 50;
/// How long the name of a page lives.
const LIFE: i64 = 30 * SECOND;

#[derive(Default)]
pub(super) struct Fba {
    /// (SKU, in the building, free)
    held: Vec<(String, i64, i64)>,
    orders: BTreeMap<String, (Value, u64)>,
    /// Where a page begins, and until when its name lives.
    pages: BTreeMap<String, (usize, i64)>,
}

impl Fba {
    pub(super) fn store(&mut self, sku: &str, on_hand: i64, available: i64) {
        self.held.push((sku.to_owned(), on_hand, available));
    }

    pub(super) fn taken(&self, order: &str) -> u64 {
        self.orders.get(order).map_or(0, |(_, times)| *times)
    }

    pub(super) fn send_out(&mut self, order: &str, now: i64) {
        let Some((order, _)) = self.orders.get_mut(order) else { return };
        let lines = order["lineItems"].as_array().cloned().unwrap_or_default();
        let item = |line: &Value| value!({ "productIdentifier": line["product"]["productIdentifier"], "lineItemId": line["lineItemId"], "amount": line["amount"], "packageId": "1" });
        let package = value!({ "packageId": "1", "tracking": { "carrier": { "carrierCode": "UPS", "trackingNumber": "1ZFBA" } } });
        let items: Vec<Value> = lines.iter().map(item).collect();
        order["status"] = "COMPLETE".into();
        order["shipments"] = value!([{
            "amazonShipmentId": "D1", "amazonFacility": { "facilityId": "ABE2" }, "status": "SHIPPED", "shipTime": date(now), "items": items, "packages": [package],
        }]);
    }
}

impl Amazon {
    pub(super) fn summaries(&self, ask: &Ask) -> Response {
        let now = self.market.now();
        let bad = |message: &str| json(400, &value!({ "errors": [{ "code": "InvalidInput", "message": message }] }));
        let mut state = self.state();
        let from = match ask.param("nextToken") {
            None => 0,
            Some(token) => match state.fba.pages.get(token) {
                Some((from, until)) if now < *until => *from,
                _ => return bad("nextToken has expired"),
            },
        };
        let row = |(sku, on_hand, available): &(String, i64, i64)| {
            let details = value!({ "fulfillableQuantity": available, "reservedQuantity": { "totalReservedQuantity": on_hand - available } });
            value!({ "fnSku": format!("X{sku}"), "asin": "B000000000", "sellerSku": sku, "condition": "NewItem", "totalQuantity": on_hand, "inventoryDetails": details })
        };
        let rows: Vec<Value> = state.fba.held.iter().skip(from).take(PAGE).map(row).collect();
        let granularity = value!({ "granularityType": "Marketplace", "granularityId": MARKETPLACE });
        let mut body = value!({ "payload": { "granularity": granularity, "inventorySummaries": rows } });
        if from + PAGE < state.fba.held.len() {
            let token = format!("{:x}=", state.rng.u64(..));
            state.fba.pages.insert(token.clone(), (from + PAGE, now + LIFE));
            body["pagination"] = value!({ "nextToken": token });
        }
        drop(state);
        json(200, &with_unknown(&self.market, body))
    }

    pub(super) fn outbound(&self, ask: &Ask, rest: &[&str]) -> Response {
        let now = self.market.now();
        let mut state = self.state();
        match (ask.method.as_str(), rest) {
            ("POST", ["orders"]) => {
                let mut order = ask.json();
                let id = order["orderId"].as_str().unwrap_or("").to_owned();
                if id.is_empty() || id.len() > 40 || state.fba.orders.contains_key(&id) {
                    return error(400, "InvalidInput", "orderId is missing or was used before");
                }
                order["status"] = "PROCESSING".into();
                order["receiveTime"] = date(now).into();
                state.fba.orders.insert(id.clone(), (order.clone(), 1));
                match state.rng.bool() {
                    true => json(200, &value!({ "order": order })),
                    false => json(202, &value!({ "orderId": id, "status": "PROCESSING" })),
                }
            }
            ("GET", ["orders", id]) => match state.fba.orders.get(*id) {
                Some((order, _)) => json(200, &value!({ "order": order })),
                None => error(404, "NotFound", "no such order"),
            },
            ("PUT", ["orders", id, "cancel"]) => match state.fba.orders.get_mut(*id) {
                Some((order, _)) if order["status"] == "PROCESSING" => {
                    order["status"] = CANCELED.into();
                    json(202, &value!({}))
                }
                Some((order, _)) if order["status"] == CANCELED => json(202, &value!({})),
                Some(_) => error(400, "InvalidInput", "it cannot be stopped any more"),
                None => error(404, "NotFound", "no such order"),
            },
            _ => error(404, "NotFound", "no such operation"),
        }
    }
}
