//! Shopify over a [`Market`]: answers the operations that the connector asks, by their names, as the Admin GraphQL API of
//! 2026-10 does, with its points, its keys and its three layers of saying no; and words its webhooks.
//!
//! Plain ids become global ids: listing 101 is InventoryItem 101, order 5001 is Order 5001.

mod refunds;

use super::market::{Line, Market, No, Order, Shipment};
use super::subscriptions::Subscriptions;
use super::{Delivery, Event, EventKind, Mishap};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A shop and how it is configured.
pub struct Shopify {
    pub market: Arc<Market>,
    /// Opens the shop for good; None for a shop whose apps sign in by their client id.
    pub access_token: Option<String>,
    pub client_id: String,
    pub client_secret: String,
    pub location: String,
    /// Every second line of an order is sent from here, if there is one.
    pub second_location: Option<String>,
    /// Points, and points a second.
    pub points: f64,
    pub points_per_second: f64,
    /// How long tokens of signing in live.
    pub token_seconds: i64,
    /// Topics as the API spells them.
    pub subscriptions: Subscriptions,
    keys: Mutex<BTreeMap<String, Kept>>,
    asked: Mutex<Vec<Exchange>>,
}

/// What a key was used for, and what came of it: None if it failed.
struct Kept {
    parameters: String,
    answer: Option<Value>,
}

/// A request and the answer that was made for it, whether or not it arrived.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub request: Value,
    pub answer: Value,
}

type Answer = Result<Value, Value>;

impl Shopify {
    /// A shop with the fixed token `shpat_simulated`, the secret `hush` and location 1.
    pub fn new(market: Arc<Market>) -> Shopify {
        Shopify {
            market,
            access_token: Some("shpat_simulated".into()),
            client_id: "client".into(),
            client_secret: "hush".into(),
            location: gid("Location", "1"),
            second_location: None,
            points: 2000.0,
            points_per_second: 100.0,
            token_seconds: 86_399,
            subscriptions: Subscriptions::default(),
            keys: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/admin/api/2026-10/graphql.json", axum::routing::post(graphql))
            .route("/admin/oauth/access_token", axum::routing::post(sign_in))
            .with_state(self)
    }

    /// What was asked and answered since the last call.
    pub fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keys are remembered for a while only.
    pub fn forget_keys(&self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn may_enter(&self, headers: &HeaderMap) -> bool {
        let token = headers.get("x-shopify-access-token").and_then(|v| v.to_str().ok()).unwrap_or_default();
        self.access_token.as_deref() == Some(token) || self.market.token_is_good(token)
    }

    fn answer(&self, request: &Value, throttle: bool) -> Value {
        let name = request["operationName"].as_str().unwrap_or_default();
        let cost = match name {
            "Orders" => 592.0,
            "SetQuantities" | "CreateFulfillment" | "CancelOrder" | "CreateRefund" | "Subscribe" => 10.0,
            "Shop" => 2.0,
            // An order and what it holds; the list of ten of them costs ten times as much, and 2.
            "Order" => 59.0,
            _ => 500.0_f64.min(self.points),
        };
        let spent = match throttle {
            true => Err(0.0),
            false => self.market.spend("points", self.points, self.points_per_second, cost),
        };
        let (Ok(left) | Err(left)) = spent;
        let status = json!({ "maximumAvailable": self.points, "currentlyAvailable": left.floor(), "restoreRate": self.points_per_second });
        let mut answer = match spent {
            Err(_) => json!({ "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED" } }] }),
            Ok(_) => match self.work(name, request) {
                Ok(data) => json!({ "data": data }),
                Err(error) => json!({ "errors": [error] }),
            },
        };
        answer["extensions"] = json!({ "cost": { "requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": status } });
        answer
    }

    fn work(&self, name: &str, request: &Value) -> Answer {
        let (text, variables) = (request["query"].as_str().unwrap_or_default(), &request["variables"]);
        let word = |field: &str| variables[field].as_str().unwrap_or_default();
        match name {
            "Shop" => Ok(json!({ "shop": { "name": "Simulated Shop" }, "location": self.place(word("location")) })),
            "Orders" => Ok(self.orders(word("query"), variables["after"].as_str(), size(text, "orders(first: "))),
            "Order" => Ok(json!({ "order": self.market.order(plain(word("id"))).map(|o| self.order(&o)) })),
            "OrderLines" => {
                let lines = |o: Order| json!({ "lineItems": self.lines(&o, variables["after"].as_str(), size(text, "lineItems(first: ")) });
                Ok(json!({ "order": self.market.order(plain(word("id"))).map(lines) }))
            }
            "Listings" => Ok(self.listings(word("location"), variables["after"].as_str(), size(text, "productVariants(first: "))),
            "Quantities" => Ok(json!({ "nodes": self.quantities(&variables["ids"], word("location")) })),
            "SetQuantities" => self.set_quantities(text, variables),
            "FulfillmentOrders" => Ok(self.fulfillment_orders(word("id"), variables["after"].as_str())),
            "Fulfillments" => Ok(json!({ "order": self.market.order(plain(word("id"))).map(|o| fulfillments(&o)) })),
            "FulfillmentLines" => Ok(json!({ "fulfillment": self.fulfillment_lines(word("id")) })),
            "CreateFulfillment" => Ok(json!({ "fulfillmentCreate": self.create_fulfillment(&variables["fulfillment"]) })),
            "CancelOrder" => Ok(json!({ "orderCancel": self.cancel(word("order")) })),
            "Refunds" => Ok(self.refunds(word("id"), &variables["lines"])),
            "SuggestedRefund" => Ok(self.suggested_refund(word("id"), &variables["lines"])),
            "CreateRefund" => self.create_refund(text, variables),
            "Subscriptions" => Ok(self.subscribed(word("address"), variables["after"].as_str(), size(text, "webhookSubscriptions(first: "))),
            "Subscribe" => Ok(json!({ "webhookSubscriptionCreate": self.subscribe(word("topic"), word("address")) })),
            other => Err(json!({ "message": format!("No operation named \"{other}\"") })),
        }
    }

    fn place(&self, id: &str) -> Value {
        if id == self.location { json!({ "id": id, "name": "Main" }) } else { Value::Null }
    }

    // Orders

    fn orders(&self, query: &str, after: Option<&str>, first: usize) -> Value {
        let since = query.strip_prefix("updated_at:>=").map(|t| t.trim_matches('\'')).and_then(|t| t.parse::<jiff::Timestamp>().ok());
        let after = after.and_then(|c| c.split_once('|')).map(|(at, id)| (at.parse().unwrap_or(0), id.to_owned()));
        let since = since.map_or(i64::MAX, |t| t.as_microsecond()).max(after.as_ref().map_or(i64::MIN, |(at, _)| *at));
        let beyond = |o: &&Order| after.as_ref().is_none_or(|after| (o.updated_at, o.id.clone()) > *after);
        let mut orders: Vec<Order> = self.market.among_orders_since(since, |orders| orders.filter(beyond).take(first + 1).cloned().collect());
        let more = orders.len() > first;
        orders.truncate(first);
        let cursor = orders.last().map(|o| format!("{}|{}", o.updated_at, o.id));
        json!({ "orders": connection(orders.iter().map(|o| self.order(o)).collect(), more, cursor) })
    }

    fn order(&self, order: &Order) -> Value {
        let shipped: i64 = order.lines.iter().map(|l| l.shipped).sum();
        json!({
            "id": gid("Order", &order.id),
            "name": format!("#{}", order.id),
            "createdAt": time(order.placed_at),
            "updatedAt": time(order.updated_at),
            "cancelledAt": order.canceled_at.map(time),
            "displayFinancialStatus": if !order.paid { "PENDING" } else if order.canceled_at.is_some() { "REFUNDED" } else { "PAID" },
            "displayFulfillmentStatus": if order.is_shipped() { "FULFILLED" } else if shipped > 0 { "PARTIALLY_FULFILLED" } else { "UNFULFILLED" },
            "currencyCode": "USD",
            "email": "buyer@example.com",
            "phone": null,
            "shippingAddress": {
                "name": order.buyer, "company": null, "address1": "1 Main Street", "address2": null, "city": "Springfield",
                "provinceCode": null, "zip": "12345", "countryCodeV2": order.country, "phone": null,
            },
            "lineItems": self.lines(order, None, 10),
        })
    }

    fn lines(&self, order: &Order, after: Option<&str>, first: usize) -> Value {
        let from = after.and_then(|id| order.lines.iter().position(|l| l.id == id)).map_or(0, |n| n + 1);
        let rest = &order.lines[from..];
        let nodes: Vec<Value> = rest.iter().take(first).map(|l| self.line(l)).collect();
        let last = rest.iter().take(first).next_back().map(|l| l.id.clone());
        connection(nodes, rest.len() > first, last)
    }

    fn line(&self, line: &Line) -> Value {
        let listing = self.market.listing(&line.listing);
        let price = listing.as_ref().map_or(0, |l| l.price);
        json!({
            "id": gid("LineItem", &line.id),
            "title": listing.as_ref().map_or("deleted", |l| &l.title),
            "sku": listing.as_ref().map(|l| &l.sku),
            "quantity": line.quantity,
            "currentQuantity": line.quantity - line.canceled - line.returned,
            "nonFulfillableQuantity": line.canceled,
            "variant": listing.as_ref().map(|l| json!({ "inventoryItem": { "id": gid("InventoryItem", &l.id) } })),
            "discountedUnitPriceSet": { "shopMoney": { "amount": format!("{}.{:02}", price / 100, price % 100) } },
        })
    }

    // Quantities

    fn listings(&self, location: &str, after: Option<&str>, first: usize) -> Value {
        let mut listings = self.market.listings_after(after, first + 1);
        let more = listings.len() > first;
        listings.truncate(first);
        let nodes = listings.iter().map(|l| {
            let level = self.level(location, l.shown);
            let item = json!({ "id": gid("InventoryItem", &l.id), "tracked": true, "inventoryLevel": level });
            json!({ "id": gid("ProductVariant", &l.id), "displayName": l.title, "sku": l.sku, "barcode": l.barcode, "inventoryItem": item })
        });
        json!({ "productVariants": connection(nodes.collect(), more, listings.last().map(|l| l.id.clone())) })
    }

    fn level(&self, location: &str, shown: i64) -> Value {
        if location == self.location { json!({ "quantities": [{ "name": "available", "quantity": shown }] }) } else { Value::Null }
    }

    fn quantities(&self, ids: &Value, location: &str) -> Vec<Value> {
        let node = |id: &Value| {
            let listing = self.market.listing(plain(id.as_str().unwrap_or_default()));
            listing.map_or(Value::Null, |l| json!({ "id": id, "inventoryLevel": self.level(location, l.shown) }))
        };
        list(ids).iter().map(node).collect()
    }

    fn set_quantities(&self, text: &str, variables: &Value) -> Answer {
        let key = variables["key"].as_str().unwrap_or_default().trim();
        if key.is_empty() || !text.contains("@idempotent(key: $key)") {
            return Err(failure("BAD_REQUEST", "The @idempotent directive is required for this mutation but was not provided."));
        }
        let rows = list(&variables["input"]["quantities"]);
        if rows.len() > 250 {
            return Err(failure("MAX_INPUT_SIZE_EXCEEDED", "The input array size is greater than the maximum allowed of 250."));
        }
        if rows.iter().any(|row| row.get("changeFromQuantity").is_none()) {
            return Err(failure("INVALID_FIELD_ARGUMENTS", "InventoryQuantityInput must include the following argument: changeFromQuantity."));
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
            return Ok(set_answer(vec![json!({ "code": code, "field": null, "message": code })]));
        }
        let errors = self.apply(rows);
        let is_done = errors.is_empty();
        let answer = set_answer(errors);
        keys.insert(key.to_owned(), Kept { parameters, answer: is_done.then(|| answer.clone()) });
        Ok(answer)
    }

    fn apply(&self, rows: &[Value]) -> Vec<Value> {
        let mut errors = Vec::new();
        let mut wanted: Vec<(String, Option<i64>, i64)> = Vec::new();
        for (n, row) in rows.iter().enumerate() {
            let listing = plain(row["inventoryItemId"].as_str().unwrap_or_default()).to_owned();
            let to = row["quantity"].as_i64().unwrap_or(i64::MIN);
            let code = if row["locationId"] != *self.location {
                Some(("INVALID_LOCATION", "locationId"))
            } else if self.market.listing(&listing).is_none() {
                Some(("INVALID_INVENTORY_ITEM", "inventoryItemId"))
            } else if to > 1_000_000_000 {
                Some(("INVALID_QUANTITY_TOO_HIGH", "quantity"))
            } else if to < 0 {
                Some(("INVALID_QUANTITY_NEGATIVE", "quantity"))
            } else if wanted.iter().any(|(other, ..)| *other == listing) {
                Some(("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "inventoryItemId"))
            } else {
                None
            };
            errors.extend(code.map(|(code, field)| row_error(n, field, code)));
            wanted.push((listing, row["changeFromQuantity"].as_i64(), to));
        }
        if errors.is_empty()
            && let Err(stale) = self.market.compare_and_set(&wanted)
        {
            errors.extend(stale.into_iter().map(|(n, _)| row_error(n, "changeFromQuantity", "CHANGE_FROM_QUANTITY_STALE")));
        }
        errors
    }

    // Shipping and canceling

    /// Where each line of an order is sent from: (location, lines).
    fn parts<'a>(&self, order: &'a Order) -> Vec<(String, Vec<&'a Line>)> {
        let Some(second) = &self.second_location else { return vec![(self.location.clone(), order.lines.iter().collect())] };
        let of = |odd: bool| order.lines.iter().enumerate().filter(|(n, _)| (n % 2 == 1) == odd).map(|(_, l)| l).collect::<Vec<_>>();
        let parts = [(second.clone(), of(true)), (self.location.clone(), of(false))];
        parts.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
    }

    fn fulfillment_orders(&self, id: &str, after: Option<&str>) -> Value {
        let Some(order) = self.market.order(plain(id)) else { return json!({ "order": null }) };
        let parts = self.parts(&order);
        let n = after.and_then(|n| n.parse::<usize>().ok()).map_or(0, |n| n + 1);
        let node = parts.get(n).map(|(location, lines)| {
            let remaining = |l: &Line| l.quantity - l.canceled - l.shipped;
            let is_open = order.canceled_at.is_none() && lines.iter().any(|l| remaining(l) > 0);
            let items = lines.iter().map(|l| {
                let line = json!({ "id": gid("LineItem", &l.id) });
                json!({ "id": gid("FulfillmentOrderLineItem", &l.id), "remainingQuantity": remaining(l), "lineItem": line })
            });
            json!({
                "id": gid("FulfillmentOrder", &format!("{}-{n}", order.id)),
                "status": if is_open { "OPEN" } else { "CLOSED" },
                "assignedLocation": { "location": { "id": location } },
                "lineItems": { "nodes": items.collect::<Vec<_>>() },
            })
        });
        json!({ "order": { "fulfillmentOrders": connection(node.into_iter().collect(), n + 1 < parts.len(), Some(n.to_string())) } })
    }

    fn fulfillment_lines(&self, id: &str) -> Value {
        let orders = self.market.orders_since(i64::MIN);
        let found: Option<&Shipment> = orders.iter().flat_map(|o| &o.shipments).find(|s| s.id == plain(id));
        let row = |(line, quantity): &(String, i64)| json!({ "quantity": quantity, "lineItem": { "id": gid("LineItem", line) } });
        found.map_or(Value::Null, |s| json!({ "fulfillmentLineItems": { "nodes": s.lines.iter().map(row).collect::<Vec<_>>() } }))
    }

    fn create_fulfillment(&self, input: &Value) -> Value {
        let no = |message: &str| json!({ "fulfillment": null, "userErrors": [{ "field": ["fulfillment"], "message": message }] });
        let parts = list(&input["lineItemsByFulfillmentOrder"]);
        if parts.len() != 1 {
            return no("All fulfillment orders must be assigned to the same location.");
        }
        let part = &parts[0];
        let order = plain(part["fulfillmentOrderId"].as_str().unwrap_or_default()).split('-').next().unwrap_or_default();
        let items = list(&part["fulfillmentOrderLineItems"]);
        let line = |item: &Value| (plain(item["id"].as_str().unwrap_or_default()).to_owned(), item["quantity"].as_i64().unwrap_or(0));
        let lines: Vec<(String, i64)> = items.iter().map(line).collect();
        let tracking = &input["trackingInfo"];
        match self.market.ship(order, &lines, tracking["company"].as_str(), tracking["number"].as_str()) {
            Ok(id) => json!({ "fulfillment": { "id": gid("Fulfillment", &id) }, "userErrors": [] }),
            Err(No::TooMany) => no("Invalid fulfillment order line item quantity requested."),
            Err(_) => no("Fulfillment order does not exist."),
        }
    }

    fn cancel(&self, id: &str) -> Value {
        let error = |code: &str, message: &str| json!([{ "code": code, "field": ["orderId"], "message": message }]);
        let errors = match self.market.cancel(plain(id), true) {
            Ok(()) => json!([]),
            Err(No::Unknown) => error("NOT_FOUND", "Order does not exist"),
            Err(_) => error("INVALID", "Cannot cancel this order"),
        };
        let job = if list(&errors).is_empty() { json!({ "id": gid("Job", plain(id)) }) } else { Value::Null };
        json!({ "job": job, "orderCancelUserErrors": errors })
    }

    // Webhooks

    fn subscribed(&self, address: &str, after: Option<&str>, first: usize) -> Value {
        let mut found = self.subscriptions.all();
        found.retain(|s| s.address == address);
        let from = after.and_then(|id| found.iter().position(|s| s.id == id)).map_or(0, |n| n + 1);
        let page: Vec<_> = found.iter().skip(from).take(first).collect();
        let nodes = page.iter().map(|s| json!({ "topic": s.topic, "uri": s.address })).collect();
        json!({ "webhookSubscriptions": connection(nodes, from + first < found.len(), page.last().map(|s| s.id.clone())) })
    }

    fn subscribe(&self, topic: &str, address: &str) -> Value {
        let no =
            |message: &str| json!({ "webhookSubscription": null, "userErrors": [{ "field": ["webhookSubscription", "uri"], "message": message }] });
        if !address.starts_with("https://") {
            return no("Address is not allowed");
        }
        match self.subscriptions.add(topic, address) {
            Some(id) => json!({ "webhookSubscription": { "id": gid("WebhookSubscription", &id) }, "userErrors": [] }),
            None => no("Address for this topic has already been taken"),
        }
    }

    /// What happened since the last call, to those who asked to be told: (address, webhook).
    pub fn told(&self) -> Vec<(String, Delivery)> {
        let to_all = |event: &Event| {
            let delivery = self.delivery(event);
            let topic = delivery.headers.iter().find(|(name, _)| name == "x-shopify-topic").map(|(_, topic)| topic.replace('/', "_").to_uppercase());
            let addresses = self.subscriptions.addresses(&topic.unwrap_or_default());
            addresses.into_iter().map(move |address| (address, delivery.clone()))
        };
        self.market.events().iter().flat_map(to_all).collect()
    }

    /// The event in Shopify's words, signed. Each kind goes to one topic.
    pub fn delivery(&self, event: &Event) -> Delivery {
        let order = |id: &str| {
            let number: u64 = id.parse().unwrap_or(0);
            json!({ "id": number, "admin_graphql_api_id": gid("Order", id), "name": format!("#{id}"), "updated_at": time(event.at) })
        };
        let (topic, payload) = match &event.kind {
            EventKind::Placed(id) => ("orders/create", order(id)),
            EventKind::Paid(id) => ("orders/paid", order(id)),
            EventKind::Changed(id) => ("orders/updated", order(id)),
            EventKind::Canceled(id) => (concat!("orders/cancel", "led"), order(id)),
            EventKind::Shown(listing, quantity) => {
                let number = |id: &str| id.parse::<u64>().unwrap_or(0);
                let location = number(plain(&self.location));
                let level =
                    json!({ "inventory_item_id": number(listing), "location_id": location, "available": quantity, "updated_at": time(event.at) });
                ("inventory_levels/update", level)
            }
        };
        let body = payload.to_string().into_bytes();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("x-shopify-topic", topic.to_owned()),
            ("x-shopify-hmac-sha256", self.sign(&body)),
            ("x-shopify-triggered-at", time(event.at)),
            ("x-shopify-event-id", format!("event-{}", event.number)),
            ("x-shopify-api-version", "2026-10".to_owned()),
        ];
        Delivery { headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(), body }
    }

    pub fn sign(&self, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.client_secret.as_bytes()).map(|mac| mac.chain_update(body).finalize().into_bytes());
        mac.map(|mac| STANDARD.encode(mac)).unwrap_or_default()
    }
}

async fn graphql(State(shop): State<Arc<Shopify>>, headers: HeaderMap, body: Bytes) -> Response {
    let mishap = shop.market.mishap();
    if let Some(answer) = mishap.before() {
        return answer;
    }
    if !shop.may_enter(&headers) {
        let body = json!({ "errors": "[API] Invalid API key or access token (unrecognized login or wrong password)" });
        return (StatusCode::UNAUTHORIZED, body.to_string()).into_response();
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut answer = shop.answer(&request, mishap == Mishap::Throttled);
    if shop.market.says_unknown() {
        add_unknown(&mut answer["data"]);
    }
    shop.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Exchange { request, answer: answer.clone() });
    mishap.after(axum::Json(answer).into_response())
}

async fn sign_in(State(shop): State<Arc<Shopify>>, body: Bytes) -> Response {
    let mishap = shop.market.mishap();
    if let Some(answer) = mishap.before() {
        return answer;
    }
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    if asked["client_id"] != *shop.client_id || asked["client_secret"] != *shop.client_secret {
        // Quotes what it was sent, as some servers do.
        return (StatusCode::BAD_REQUEST, json!({ "error": "invalid_client", "got": asked }).to_string()).into_response();
    }
    let token = shop.market.issue_token(shop.token_seconds);
    mishap.after(axum::Json(json!({ "access_token": token, "scope": "read_orders", "expires_in": shop.token_seconds })).into_response())
}

/// A field and words that no version knows, wherever they fit.
fn add_unknown(value: &mut Value) {
    match value {
        Value::Array(rows) => rows.iter_mut().for_each(add_unknown),
        Value::Object(fields) => {
            fields.values_mut().for_each(add_unknown);
            fields.insert("aFieldOfTomorrow".into(), json!({ "nodes": [1, "two", null] }));
            for word in ["displayFinancialStatus", "displayFulfillmentStatus"] {
                if let Some(status) = fields.get_mut(word) {
                    *status = json!("A_WORD_OF_TOMORROW");
                }
            }
        }
        _ => {}
    }
}

fn set_answer(errors: Vec<Value>) -> Value {
    let group = if errors.is_empty() { json!({ "id": gid("InventoryAdjustmentGroup", "1") }) } else { Value::Null };
    json!({ "inventorySetQuantities": { "inventoryAdjustmentGroup": group, "userErrors": errors } })
}

fn row_error(row: usize, field: &str, code: &str) -> Value {
    json!({ "code": code, "field": ["input", "quantities", row.to_string(), field], "message": code })
}

fn failure(code: &str, message: &str) -> Value {
    json!({ "message": message, "extensions": { "code": code } })
}

fn fulfillments(order: &Order) -> Value {
    let one = |s: &Shipment| {
        let tracking: Vec<Value> = s.tracking_number.iter().map(|number| json!({ "number": number })).collect();
        json!({ "id": gid("Fulfillment", &s.id), "status": "SUCCESS", "trackingInfo": tracking })
    };
    json!({ "fulfillments": order.shipments.iter().map(one).collect::<Vec<_>>() })
}

fn connection(nodes: Vec<Value>, more: bool, cursor: Option<String>) -> Value {
    json!({ "nodes": nodes, "pageInfo": { "hasNextPage": more, "endCursor": cursor } })
}

/// The page size in a query's text.
fn size(text: &str, before: &str) -> usize {
    let digits = text.split(before).nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.and_then(|d| d.parse().ok()).unwrap_or(1)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn gid(kind: &str, id: &str) -> String {
    format!("gid://shopify/{kind}/{id}")
}

/// The id in a global id.
fn plain(gid: &str) -> &str {
    gid.rsplit('/').next().unwrap_or_default()
}

fn time(microseconds: i64) -> String {
    jiff::Timestamp::from_microsecond(microseconds).unwrap_or_default().to_string()
}
