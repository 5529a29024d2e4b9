//! ShipBob's API as far as a warehouse connector uses it: references that are taken once, pages by cursor, 150 calls a
//! minute, webhooks in the Standard Webhooks format.

use super::Delivery;
use super::ask::{Ask, Front, date, empty, json, with_header, with_unknown};
use super::market::Market;
use axum::Router;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json as value};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub const TOKEN: &str = "a-personal-access-token";
pub const CHANNEL: &str = "433";
const CANCELED: &str = concat!("Cancel", "led");
const PAGE: usize = 100;

pub struct ShipBob {
    /// Its clock, its mishaps and its limits; nothing is sold here.
    market: Arc<Market>,
    /// Limits are this many times as high.
    speed: f64,
    key: [u8; 24],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: i64,
    orders: BTreeMap<i64, Value>,
    /// (SKU, in the building, sellable)
    held: Vec<(String, i64, i64)>,
    notices: Vec<(i64, &'static str)>,
    webhooks: Vec<Value>,
}

impl ShipBob {
    pub fn new(market: Arc<Market>, speed: f64) -> Arc<ShipBob> {
        let mut key = [0; 24];
        fastrand::Rng::with_seed(market.seed).fill(&mut key);
        Arc::new(ShipBob { market, speed, key, state: Mutex::new(State { next: 100_000, ..State::default() }) })
    }

    pub fn router(self: &Arc<ShipBob>) -> Router {
        super::ask::router(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn store(&self, sku: &str, on_hand: i64, sellable: i64) {
        self.state().held.push((sku.to_owned(), on_hand, sellable));
    }

    /// What it says it has of something, from now on.
    pub fn count(&self, sku: &str, on_hand: i64) {
        self.state().held.iter_mut().filter(|(held, ..)| held == sku).for_each(|(_, there, sellable)| (*there, *sellable) = (on_hand, on_hand));
    }

    /// Ids of the orders with this reference.
    pub fn taken(&self, reference: &str) -> Vec<i64> {
        self.state().orders.iter().filter(|(_, o)| o["reference_id"] == reference).map(|(id, _)| *id).collect()
    }

    /// The first so many of an order's parcels leave, all of them if there are no more.
    pub fn send_out(&self, order: i64, parcels: usize) {
        let now = date(self.market.now());
        let mut state = self.state();
        let Some(found) = state.orders.get_mut(&order) else { return };
        let shipments = found["shipments"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
        for shipment in shipments.iter_mut().take(parcels) {
            shipment["status"] = "Completed".into();
            shipment["actual_fulfillment_date"] = now.as_str().into();
            shipment["tracking"] = value!({ "carrier": "UPS", "tracking_number": format!("1ZBOB{}", shipment["id"]) });
        }
        let all = shipments.iter().all(|s| s["status"] == "Completed");
        found["status"] = if all { "Fulfilled" } else { "PartiallyFulfilled" }.into();
        state.notices.push((order, "order.shipped"));
    }

    /// An order meets something that needs a person.
    pub fn get_stuck(&self, order: i64, why: &str) {
        let mut state = self.state();
        let Some(found) = state.orders.get_mut(&order) else { return };
        found["status"] = "Exception".into();
        found["shipments"][0]["status"] = "Exception".into();
        found["shipments"][0]["status_details"] = value!([{ "id": 1, "name": "Exception", "description": why }]);
        state.notices.push((order, "order.shipment.exception"));
    }

    /// The secret as ShipBob shows it.
    pub fn secret(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.key))
    }

    /// Notices since the last call, signed now.
    pub fn deliveries(&self) -> Vec<Delivery> {
        let notices = std::mem::take(&mut self.state().notices);
        notices.into_iter().enumerate().map(|(n, notice)| self.word(n, notice, &self.key)).collect()
    }

    /// The same, to those who asked to be told, each by the secret that they gave: (address, notice).
    pub fn told(&self) -> Vec<(String, Delivery)> {
        let notices = std::mem::take(&mut self.state().notices);
        let webhooks = self.state().webhooks.clone();
        let to_all = |(n, notice): (usize, (i64, &'static str))| {
            let wants = move |w: &&Value| w["enabled"] == true && w["topics"].as_array().is_some_and(|all| all.iter().any(|t| t == notice.1));
            let told = |w: &Value| {
                let secret = w["secret"].as_str().unwrap_or_default().trim_start_matches("whsec_");
                let key = STANDARD.decode(secret).unwrap_or_default();
                (w["url"].as_str().unwrap_or_default().to_owned(), self.word(n, notice, &key))
            };
            webhooks.iter().filter(wants).map(told).collect::<Vec<_>>()
        };
        notices.into_iter().enumerate().flat_map(to_all).collect()
    }

    fn word(&self, n: usize, (order, topic): (i64, &str), key: &[u8]) -> Delivery {
        let body = value!({ "topic": topic, "data": { "order_id": order, "status": "Completed" } }).to_string();
        let (id, at) = (format!("msg_{order}_{n}"), (self.market.now() / 1_000_000).to_string());
        let signature = Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(format!("{id}.{at}.{body}")).finalize().into_bytes());
        let signature = format!("v1,{}", STANDARD.encode(signature.unwrap_or_default()));
        let headers = [("content-type", "application/json"), ("webhook-id", &id), ("webhook-timestamp", &at), ("webhook-signature", &signature)];
        Delivery { headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(), body: body.into_bytes() }
    }

    /// How many subscriptions there are.
    pub fn webhooks(&self) -> usize {
        self.state().webhooks.len()
    }

    /// Every subscription is switched off, as after many failures.
    pub fn switch_off(&self) {
        for webhook in &mut self.state().webhooks {
            webhook["enabled"] = false.into();
        }
    }

    /// So many subscriptions of others.
    pub fn crowd(&self, count: usize) {
        for n in 0..count {
            let row = value!({ "id": format!("other-{n}"), "url": "https://other.example", "topics": ["order.shipped"], "enabled": true });
            self.state().webhooks.push(row);
        }
    }

    fn subscribe(&self, ask: &Ask) -> Response {
        let mut row = ask.json();
        if !row["url"].as_str().is_some_and(|url| url.starts_with("https://")) || row["topics"].as_array().is_none_or(Vec::is_empty) {
            return json(422, &value!({ "$type": "UnprocessableEntity", "status_code": 422 }));
        }
        let mut state = self.state();
        state.next += 1;
        row["id"] = state.next.to_string().into();
        row["created_at"] = date(self.market.now()).into();
        let answer = row.clone();
        row["enabled"] = true.into();
        state.webhooks.push(row);
        drop(state);
        json(200, &with_unknown(&self.market, answer))
    }

    /// Without the secrets: those are told once.
    fn list_webhooks(&self, ask: &Ask) -> Response {
        let (size, from) = (ask.number("RecordsPerPage", 50), ask.number("Cursor", 0));
        let mut rows = self.state().webhooks.clone();
        let more = from + size < rows.len();
        rows.iter_mut().filter_map(Value::as_object_mut).for_each(|row| drop(row.remove("secret")));
        let page: Vec<Value> = rows.into_iter().skip(from).take(size).collect();
        let next = more.then(|| format!("/2026-01/webhook?RecordsPerPage={size}&Cursor={}", from + size));
        json(200, &with_unknown(&self.market, value!({ "items": page, "next": next, "prev": null })))
    }

    fn create(&self, ask: &Ask) -> Response {
        if ask.header("shipbob_channel_id") != CHANNEL {
            return json(422, &value!({ "shipbob_channel_id": ["The channel is missing or has no write scope"] }));
        }
        let asked = ask.json();
        let reference = asked["reference_id"].as_str().unwrap_or("").to_owned();
        let mut state = self.state();
        if reference.is_empty() || state.orders.values().any(|o| o["reference_id"] == reference.as_str()) {
            return json(422, &value!({ "reference_id": ["An order with this reference exists in this channel"] }));
        }
        state.next += 10;
        let id = state.next;
        // Every line goes in a parcel of its own.
        let products = asked["products"].as_array().cloned().unwrap_or_default();
        let shipment = |(n, product): (usize, &Value)| {
            let item = value!({ "id": 7, "name": product["name"], "quantity": product["quantity"] });
            let product = value!({ "id": 9, "reference_id": product["reference_id"], "sku": product["sku"], "name": product["name"], "inventory_items": [item] });
            value!({ "id": id + 1 + n as i64, "order_id": id, "status": "Processing", "products": [product] })
        };
        let shipments: Vec<Value> = products.iter().enumerate().map(shipment).collect();
        let line = |p: &Value| value!({ "id": 9, "reference_id": p["reference_id"], "sku": p["sku"], "quantity": p["quantity"] });
        let order = value!({
            "id": id, "reference_id": reference, "order_number": asked["order_number"], "status": "Processing", "type": asked["type"],
            "created_date": date(self.market.now()), "shipping_method": asked["shipping_method"], "recipient": asked["recipient"],
            "channel": { "id": 433, "name": "A Channel" }, "products": products.iter().map(line).collect::<Vec<_>>(), "shipments": shipments,
        });
        state.orders.insert(id, order.clone());
        drop(state);
        json(201, &with_unknown(&self.market, order))
    }

    fn cancel(&self, id: &str) -> Response {
        let mut state = self.state();
        let Some(order) = id.parse().ok().and_then(|id: i64| state.orders.get_mut(&id)) else { return json(404, &value!("not found")) };
        let left = order["shipments"].as_array().map_or(0, |all| all.iter().filter(|s| s["status"] == "Completed").count());
        let status = match (left, order["status"].as_str()) {
            (_, Some("Fulfilled")) => return json(422, &value!({ "order": ["The order cannot be stopped any more"] })),
            (0, _) => {
                order["status"] = CANCELED.into();
                "Success"
            }
            _ => "PartialSuccess",
        };
        for shipment in order["shipments"].as_array_mut().into_iter().flatten().filter(|s| s["status"] != "Completed") {
            shipment["status"] = CANCELED.into();
        }
        json(200, &value!({ "order": order, "order_id": order["id"], "status": status, "canceled_shipment_results": [] }))
    }

    fn levels(&self, ask: &Ask) -> Response {
        let from = ask.number("cursor", 0);
        let size = ask.number("PageSize", 50).min(PAGE);
        let state = self.state();
        let row = |(n, (sku, on_hand, sellable)): (usize, &(String, i64, i64))| {
            value!({
                "inventory_id": from + n + 1, "name": sku, "sku": sku, "total_on_hand_quantity": on_hand, "total_sellable_quantity": sellable,
                "total_fulfillable_quantity": on_hand, "total_committed_quantity": on_hand - sellable,
            })
        };
        let items: Vec<Value> = state.held.iter().skip(from).take(size).enumerate().map(row).collect();
        let link = |at: usize| format!("/2026-01/inventory-level?PageSize={size}&cursor={at}");
        let next = (from + size < state.held.len()).then(|| link(from + size));
        drop(state);
        json(200, &with_unknown(&self.market, value!({ "first": link(0), "items": items, "next": next, "prev": null, "last": null })))
    }
}

impl Front for ShipBob {
    fn market(&self) -> &Market {
        &self.market
    }

    fn throttled(&self) -> Response {
        with_header(json(429, &value!({ "statusCode": 429, "message": "Rate limit is exceeded." })), "x-retry-after", "1")
    }

    fn answer(&self, ask: &Ask) -> Response {
        if ask.header("authorization").strip_prefix("Bearer ") != Some(TOKEN) {
            return json(401, &value!("unauthorized"));
        }
        if self.market.spend("account", 150.0, 2.5 * self.speed, 1.0).is_err() {
            return self.throttled();
        }
        let find = |id: &str| id.parse().ok().and_then(|id: i64| self.state().orders.get(&id).cloned());
        let (method, path) = ask.route();
        match (method, &path[..]) {
            ("GET", ["2026-01", "channel"]) => {
                let scopes = value!(["orders_read", "orders_write"]);
                json(
                    200,
                    &value!({ "items": [{ "id": 433, "name": "A Channel", "application_name": "ours", "scopes": scopes }], "next": null, "prev": null }),
                )
            }
            ("POST", ["2026-01", "order"]) => self.create(ask),
            ("GET", ["2026-01", "order"]) => {
                let wanted: Vec<&str> = ask.param("ReferenceIds").map_or(Vec::new(), |ids| ids.split(',').collect());
                let is_wanted = |o: &&Value| o["reference_id"].as_str().is_some_and(|r| wanted.contains(&r));
                let found: Vec<Value> = self.state().orders.values().filter(is_wanted).cloned().collect();
                json(200, &Value::Array(found))
            }
            ("GET", ["2026-01", "order", id]) => {
                find(id).map_or_else(|| json(404, &value!("not found")), |order| json(200, &with_unknown(&self.market, order)))
            }
            ("POST", ["2026-01", "order", id]) if id.ends_with(":cancel") => self.cancel(id.trim_end_matches(":cancel")),
            ("GET", ["2026-01", "inventory-level"]) => self.levels(ask),
            ("POST", ["2026-01", "webhook"]) => self.subscribe(ask),
            ("GET", ["2026-01", "webhook"]) => self.list_webhooks(ask),
            ("DELETE", ["2026-01", "webhook", id]) => {
                self.state().webhooks.retain(|w| w["id"] != *id);
                empty(204)
            }
            _ => json(404, &value!("not found")),
        }
    }
}
