//! eBay's Sell APIs as far as a connector uses them: lists paged by offset over a set that moves, a status for each row,
//! 250 revisions of a listing a day, signed notifications, one for each line of an order.

mod notices;
mod refunds;

use super::ask::{Ask, Front, date, empty, json, time, with_header, with_unknown};
use super::market::{Listing, Market, No, Order};
use super::{Delivery, Event, EventKind};
use axum::Router;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use notices::Notices;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json as value};
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Revisions of a listing a day.
pub const REVISIONS: u32 = 250;
const DAY: i64 = 86_400_000_000;
/// The name of the key that signs.
pub const KEY: &str = "5a3c4f1e-0000-4000-8000-0123456789ab";
/// What stands before the point of a P-256 public key.
const P256_KEY: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03,
    0x42, 0x00,
];

pub struct Ebay {
    market: Arc<Market>,
    key: SigningKey,
    state: Mutex<State>,
}

struct State {
    rng: fastrand::Rng,
    /// By SKU: the day, and how often on it.
    revisions: BTreeMap<String, (i64, u32)>,
    /// Orders, by plain id, that the buyer asked to cancel; true if the seller said no.
    asked_to_cancel: BTreeMap<String, bool>,
    /// When a shipment left, as the seller says, by its plain id.
    shipped: BTreeMap<String, String>,
    /// Rows fail as often as this, half of them after they were done.
    rows_fail: f64,
    notices: Notices,
    /// Refunds that are under way, by plain order: for how many more readings of the order.
    under_way: BTreeMap<String, u32>,
    /// How many readings each is under way.
    lag: u32,
}

fn order_id(plain: &str) -> String {
    format!("08-{plain}-00001")
}

/// An amount in hundredths.
fn amount(hundredths: i64) -> Value {
    value!({ "value": format!("{}.{:02}", hundredths / 100, hundredths % 100), "currency": "USD" })
}

fn error(status: u16, id: i64, domain: &str, message: &str) -> Response {
    json(status, &errors(id, domain, message))
}

fn errors(id: i64, domain: &str, message: &str) -> Value {
    value!({ "errors": [{ "errorId": id, "domain": domain, "category": "REQUEST", "message": message, "parameters": [] }] })
}

impl Ebay {
    pub fn new(market: Arc<Market>) -> Arc<Ebay> {
        let mut rng = fastrand::Rng::with_seed(market.seed);
        let key = loop {
            let mut scalar = [0; 32];
            rng.fill(&mut scalar);
            if let Ok(key) = SigningKey::from_slice(&scalar) {
                break key;
            }
        };
        let state = State {
            rng,
            revisions: BTreeMap::new(),
            asked_to_cancel: BTreeMap::new(),
            shipped: BTreeMap::new(),
            rows_fail: 0.0,
            notices: Notices::default(),
            under_way: BTreeMap::new(),
            lag: 0,
        };
        Arc::new(Ebay { market, key, state: Mutex::new(state) })
    }

    pub fn router(self: &Arc<Ebay>) -> Router {
        super::ask::router(self.clone())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buyer asks to cancel an order, by its plain id.
    pub fn ask_to_cancel(&self, order: &str) {
        self.state().asked_to_cancel.insert(order.to_owned(), false);
    }

    /// The seller says no to it.
    pub fn reject_cancel(&self, order: &str) {
        self.state().asked_to_cancel.insert(order.to_owned(), true);
    }

    pub fn let_rows_fail(&self, chance: f64) {
        self.state().rows_fail = chance;
    }

    pub fn public_key(&self) -> String {
        let point = self.key.verifying_key().to_sec1_point(false);
        let der: Vec<u8> = P256_KEY.iter().chain(point.as_bytes()).copied().collect();
        format!("-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----", STANDARD.encode(der))
    }

    /// The header by which eBay signs a body.
    pub fn sign(&self, body: &[u8]) -> String {
        let signature: Result<Signature, _> = self.key.sign_prehash(&Sha1::digest(body));
        let signature = signature.map(|s| STANDARD.encode(s.to_der().as_bytes())).unwrap_or_default();
        STANDARD.encode(value!({ "alg": "ecdsa", "kid": KEY, "signature": signature, "digest": "SHA1" }).to_string())
    }

    /// Notices of what happened since the last call.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.market.events().iter().flat_map(|event| self.word(event)).collect()
    }

    fn word(&self, event: &Event) -> Vec<Delivery> {
        let (EventKind::Placed(id) | EventKind::Paid(id)) = &event.kind else { return Vec::new() };
        let Some(order) = self.market.order(id) else { return Vec::new() };
        let line = |line: &super::market::Line| {
            let body = value!({
                "metadata": { "topic": "ORDER_CONFIRMATION", "schemaVersion": "1.0", "deprecated": false },
                "notification": {
                    "notificationId": format!("{}-{}", event.number, line.id),
                    "eventDate": date(event.at),
                    "publishDate": date(self.market.now()),
                    "publishAttemptCount": 1,
                    "data": { "order": { "orderId": order_id(id), "orderLineItemId": line.id } },
                },
            });
            let body = body.to_string().into_bytes();
            Delivery { headers: vec![("content-type".into(), "application/json".into()), ("x-ebay-signature".into(), self.sign(&body))], body }
        };
        order.lines.iter().map(line).collect()
    }

    fn order_json(&self, order: &Order, whole: bool) -> Value {
        let asked = self.state().asked_to_cancel.get(&order.id).copied();
        let cancel = match (order.canceled_at, asked) {
            (Some(_), _) => "CANCELED",
            (None, Some(_)) => "IN_PROGRESS",
            (None, None) => "NONE_REQUESTED",
        };
        let requests: Vec<Value> = match asked {
            Some(rejected) if whole => {
                let state = if rejected { "REJECTED" } else { "REQUESTED" };
                vec![
                    value!({ "cancelRequestId": "7", "cancelRequestState": state, "cancelInitiator": "BUYER", "cancelReason": "BUYER_ASKED_CANCEL" }),
                ]
            }
            _ => Vec::new(),
        };
        let listing = |id: &str| self.market.listing(id).unwrap_or_default();
        let total: i64 = order.lines.iter().map(|l| listing(&l.listing).price * l.quantity).sum();
        let (refunds, refund_status) = (&order.refunds, self.refund_status(order));
        let lines = order.lines.iter().map(|line| {
            let listing = listing(&line.listing);
            let sent = if line.shipped >= line.quantity { "FULFILLED" } else { "NOT_STARTED" };
            value!({
                "lineItemId": line.id, "legacyItemId": listing.id, "legacyVariationId": "0", "sku": listing.sku, "title": listing.title,
                "quantity": line.quantity, "lineItemCost": amount(listing.price * line.quantity), "lineItemFulfillmentStatus": sent,
                "soldFormat": "FIXED_PRICE", "listingMarketplaceId": "EBAY_US", "purchaseMarketplaceId": "EBAY_US",
                "refunds": refunds::of(refunds, &line.id, None),
            })
        });
        let sent = if order.is_shipped() {
            "FULFILLED"
        } else if order.shipments.is_empty() {
            "NOT_STARTED"
        } else {
            "IN_PROGRESS"
        };
        let to = value!({ "fullName": order.buyer, "email": "buyer@example.com", "primaryPhone": { "phoneNumber": "555 0100" }, "contactAddress": {
            "addressLine1": "1 Main Street", "city": "Springfield", "stateOrProvince": "IL", "postalCode": "62701", "countryCode": order.country,
        }});
        let body = value!({
            "orderId": order_id(&order.id), "salesRecordReference": order.id, "creationDate": date(order.placed_at), "lastModifiedDate": date(order.updated_at),
            "orderFulfillmentStatus": sent, "orderPaymentStatus": refunds::payment(order, refunds, total), "sellerId": "a-seller",
            "paymentSummary": { "payments": [], "refunds": refunds::of(refunds, "", Some(refund_status)) },
            "buyer": { "username": order.buyer.replace(' ', "-") }, "pricingSummary": { "total": amount(total) },
            "cancelStatus": { "cancelState": cancel, "cancelRequests": requests },
            "fulfillmentStartInstructions": [{ "fulfillmentInstructionsType": "SHIP_TO", "shippingStep": { "shipTo": to } }],
            "lineItems": lines.collect::<Vec<_>>(),
        });
        with_unknown(&self.market, body)
    }

    fn find_order(&self, id: &str) -> Option<Order> {
        self.market.order(id.strip_prefix("08-")?.strip_suffix("-00001")?)
    }

    fn orders(&self, ask: &Ask) -> Response {
        let limit = ask.number("limit", 50);
        if limit == 0 || limit > 200 {
            return error(400, 30820, "API_FULFILLMENT", "Invalid limit");
        }
        let offset = ask.number("offset", 0);
        let mut from = i64::MIN;
        let mut to = i64::MAX;
        let by_creation = ask.param("filter").is_some_and(|f| f.contains("creationdate"));
        if let Some(filter) = ask.param("filter") {
            let name = if by_creation { "creationdate:[" } else { "lastmodifieddate:[" };
            let range = filter.split_once(name).and_then(|(_, rest)| rest.split_once(']')).and_then(|(range, _)| range.split_once(".."));
            let Some((a, b)) = range else { return error(400, 30700, "API_FULFILLMENT", "Invalid filter") };
            let Some(a) = time(a) else { return error(400, 30700, "API_FULFILLMENT", "Invalid filter") };
            from = a;
            to = time(b).map_or(i64::MAX, |b| b.saturating_add(999));
        }
        let at = |o: &Order| if by_creation { o.placed_at } else { o.updated_at };
        // Whatever was placed then has changed since then at the earliest.
        let (total, orders) = self.market.among_orders_since(from, |orders| {
            let mut found: Vec<&Order> = orders.filter(|o| (from..=to).contains(&at(o))).collect();
            // The newest first, by when they were placed: not the order in which they change.
            found.sort_by_key(|o| std::cmp::Reverse(o.placed_at));
            (found.len(), found.into_iter().skip(offset).take(limit).cloned().collect::<Vec<Order>>())
        });
        let page: Vec<Value> = orders.iter().map(|o| self.order_json(o, false)).collect();
        let link = |offset: usize| format!("https://api.ebay.com/sell/fulfillment/v1/order?limit={limit}&offset={offset}");
        let mut body = value!({ "href": link(offset), "total": total, "limit": limit, "offset": offset, "orders": page });
        if offset + limit < total {
            body["next"] = link(offset + limit).into();
        }
        json(200, &with_unknown(&self.market, body))
    }

    fn item_json(listing: &Listing) -> Value {
        let mut product = value!({ "title": listing.title, "aspects": "{}" });
        if let Some(barcode) = &listing.barcode {
            product["ean"] = value!([barcode]);
        }
        value!({ "sku": listing.sku, "condition": "NEW", "product": product, "availability": { "shipToLocationAvailability": { "quantity": listing.shown } } })
    }

    fn items(&self, ask: &Ask) -> Response {
        let (limit, offset) = (ask.number("limit", 25), ask.number("offset", 0));
        if !(1..=200).contains(&limit) {
            return error(400, 25709, "API_INVENTORY", "Invalid value for limit");
        }
        // Some accounts see the offset count pages, as it is written, and some see it count items.
        let step = if self.market.seed.is_multiple_of(2) { 1 } else { limit };
        let from = offset * limit / step;
        let (listings, total) = self.market.listings_from(from, limit);
        let rows: Vec<Value> = listings.iter().map(Ebay::item_json).collect();
        let mut body = value!({ "total": total, "size": rows.len(), "limit": limit, "inventoryItems": rows, "href": ask.path.join("/") });
        if from + limit < total {
            body["next"] = format!("/sell/inventory/v1/inventory_item?limit={limit}&offset={}", offset + step).into();
        }
        json(200, &with_unknown(&self.market, body))
    }

    fn bulk_get(&self, ask: &Ask) -> Response {
        let body = ask.json();
        let Some(rows) = body["requests"].as_array().filter(|r| r.len() <= 25) else { return error(400, 25709, "API_INVENTORY", "Invalid requests") };
        let answer = rows.iter().map(|row| {
            let sku = row["sku"].as_str().unwrap_or("");
            match self.market.by_sku(sku) {
                Some(listing) => value!({ "sku": sku, "statusCode": 200, "inventoryItem": Ebay::item_json(&listing), "errors": [], "warnings": [] }),
                None => value!({ "sku": sku, "statusCode": 404, "errors": errors(25710, "API_INVENTORY", "not found")["errors"] }),
            }
        });
        multi_status(answer.collect())
    }

    fn bulk_set(&self, ask: &Ask) -> Response {
        if ask.header("content-language").is_empty() || ask.header("accept-language").is_empty() {
            return error(400, 25709, "API_INVENTORY", "Invalid value for header Content-Language");
        }
        let body = ask.json();
        let Some(rows) = body["requests"].as_array().filter(|r| !r.is_empty() && r.len() <= 25) else {
            return error(400, 25709, "API_INVENTORY", "Invalid requests");
        };
        let skus: BTreeSet<&str> = rows.iter().filter_map(|r| r["sku"].as_str()).collect();
        if skus.len() < rows.len() {
            return error(400, 25708, "API_INVENTORY", "Duplicate sku");
        }
        multi_status(rows.iter().map(|row| self.set_row(row)).collect())
    }

    fn set_row(&self, row: &Value) -> Value {
        let sku = row["sku"].as_str().unwrap_or("");
        let no = |status: u16, id: i64, message: &str| value!({ "sku": sku, "statusCode": status, "errors": errors(id, "API_INVENTORY", message)["errors"] });
        let Some(listing) = self.market.by_sku(sku) else { return no(404, 25702, "The SKU was not found") };
        let Some(quantity) = row["shipToLocationAvailability"]["quantity"].as_i64().filter(|q| *q >= 0) else {
            return no(400, 25720, "Invalid quantity");
        };
        let today = self.market.now() / DAY;
        let fails = {
            let mut state = self.state();
            let revised = state.revisions.entry(sku.to_owned()).or_insert((today, 0));
            if revised.0 != today {
                *revised = (today, 0);
            }
            if revised.1 >= REVISIONS {
                return no(400, 25019, "Cannot revise listing: the limit of revisions a day is reached");
            }
            revised.1 += 1;
            let chance = state.rows_fail;
            (state.rng.f64() < chance).then(|| state.rng.bool())
        };
        if fails != Some(false) {
            self.market.set(&listing.id, quantity);
        }
        if fails.is_some() { no(500, 25001, "A system error has occurred") } else { value!({ "sku": sku, "statusCode": 200 }) }
    }

    fn ship(&self, ask: &Ask, order: &Order) -> Response {
        let body = ask.json();
        let (carrier, number) = (body["shippingCarrierCode"].as_str(), body["trackingNumber"].as_str());
        let good = number.is_none_or(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric()));
        if carrier.is_some() != number.is_some() || !good {
            return error(400, 32300, "API_FULFILLMENT", "Invalid shipment tracking number or carrier");
        }
        if body["shippedDate"].as_str().is_some_and(|d| time(d).is_none()) {
            return error(400, 32500, "API_FULFILLMENT", "Invalid shipped date");
        }
        let rows = body["lineItems"].as_array().cloned().unwrap_or_default();
        let lines = rows.iter().map(|l| (l["lineItemId"].as_str().unwrap_or("").to_owned(), l["quantity"].as_i64().unwrap_or(1)));
        match self.market.ship(&order.id, &lines.collect::<Vec<_>>(), carrier, number) {
            Ok(id) => {
                let shipped = body["shippedDate"].as_str().map_or_else(|| date(self.market.now()), str::to_owned);
                self.state().shipped.insert(id.clone(), shipped);
                let name = number.map_or(id, str::to_owned);
                let place = format!("https://api.ebay.com/sell/fulfillment/v1/order/{}/shipping_fulfillment/{name}", order_id(&order.id));
                with_header(json(201, &value!({})), "location", &place)
            }
            Err(No::Unknown) => error(400, 32200, "API_FULFILLMENT", "Invalid line item id"),
            Err(No::AlreadyCanceled | No::AlreadyShipped | No::TooMany) => error(400, 32600, "API_FULFILLMENT", "Invalid input data"),
        }
    }

    fn shipments(&self, order: &Order) -> Response {
        let shipped = self.state().shipped.clone();
        let rows = order.shipments.iter().map(|s| {
            let lines: Vec<Value> = s.lines.iter().map(|(id, quantity)| value!({ "lineItemId": id, "quantity": quantity })).collect();
            let mut row =
                value!({ "fulfillmentId": s.tracking_number.as_ref().unwrap_or(&s.id), "lineItems": lines, "shippedDate": shipped.get(&s.id) });
            if let (Some(carrier), Some(number)) = (&s.carrier, &s.tracking_number) {
                row["shippingCarrierCode"] = carrier.as_str().into();
                row["shipmentTrackingNumber"] = number.as_str().into();
            }
            row
        });
        let rows: Vec<Value> = rows.collect();
        json(200, &value!({ "total": rows.len(), "fulfillments": rows }))
    }
}

fn multi_status(rows: Vec<Value>) -> Response {
    let all_good = rows.iter().all(|row| row["statusCode"] == 200);
    json(if all_good { 200 } else { 207 }, &value!({ "responses": rows }))
}

impl Front for Ebay {
    fn market(&self) -> &Market {
        &self.market
    }

    fn throttled(&self) -> Response {
        error(429, 2001, "ACCESS", "Too many requests. The request limit has been reached for the resource.")
    }

    fn answer(&self, ask: &Ask) -> Response {
        let (method, path) = ask.route();
        if let ("POST", ["identity", "v1", "oauth2", "token"]) = (method, &path[..]) {
            if ask.form("grant_type").as_deref() == Some("client_credentials") {
                return self.application_token(ask);
            }
            if ask.form("grant_type").as_deref() != Some("refresh_token") || ask.form("refresh_token").is_none() {
                return json(400, &value!({ "error": "invalid_grant", "error_description": "the provided authorization refresh token is invalid" }));
            }
            return json(200, &value!({ "access_token": self.market.issue_token(7200), "expires_in": 7200, "token_type": "User Access Token" }));
        }
        if !ask.header("authorization").strip_prefix("Bearer ").is_some_and(|token| self.market.token_is_good(token)) {
            return error(401, 1001, "OAuth", "Invalid access token");
        }
        if let ["commerce", "notification", "v1", rest @ ..] = &path[..] {
            return self.notification_api(ask, rest);
        }
        match (method, &path[..]) {
            ("GET", ["sell", "fulfillment", "v1", "order"]) => self.orders(ask),
            ("POST", ["sell", "fulfillment", "v1", "order", id, "issue_refund"]) => {
                self.find_order(id).map_or_else(|| error(404, 34913, "API_FULFILLMENT", "Can not find the order."), |o| self.refund(ask, &o))
            }
            ("GET", ["sell", "fulfillment", "v1", "order", id]) => self
                .find_order(id)
                .map_or_else(|| error(404, 32100, "API_FULFILLMENT", "Invalid order id"), |o| json(200, &self.order_json(&o, true))),
            ("GET", ["sell", "fulfillment", "v1", "order", id, "shipping_fulfillment"]) => {
                self.find_order(id).map_or_else(|| error(400, 32100, "API_FULFILLMENT", "Invalid order id"), |o| self.shipments(&o))
            }
            ("POST", ["sell", "fulfillment", "v1", "order", id, "shipping_fulfillment"]) => {
                self.find_order(id).map_or_else(|| error(400, 32100, "API_FULFILLMENT", "Invalid order id"), |o| self.ship(ask, &o))
            }
            ("GET", ["sell", "inventory", "v1", "inventory_item"]) => self.items(ask),
            ("POST", ["sell", "inventory", "v1", "bulk_get_inventory_item"]) => self.bulk_get(ask),
            ("POST", ["sell", "inventory", "v1", "bulk_update_price_quantity"]) => self.bulk_set(ask),
            ("GET", ["developer", "analytics", "v1_beta", "rate_limit", ""]) => {
                let rate = value!({ "limit": 5000, "count": 17, "remaining": 4983, "reset": date(self.market.now() / DAY * DAY + DAY), "timeWindow": 86400 });
                let resource = value!({ "name": "sell.inventory", "rates": [rate] });
                json(200, &value!({ "rateLimits": [{ "apiContext": "sell", "apiName": "inventory", "apiVersion": "v1", "resources": [resource] }] }))
            }
            _ => empty(404),
        }
    }
}
