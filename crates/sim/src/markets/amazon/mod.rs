//! Amazon's Selling Partner API as far as a connector uses it: rates for each operation, lists that end two minutes ago,
//! quantities that are taken and applied later, feeds with errors in their reports, events told many times.

mod fba;
mod feeds;
mod notifications;

use super::ask::{Ask, Front, date, empty, json, time, with_header, with_unknown};
use super::market::{Listing, Market, No, Order, Shipment};
use super::{Delivery, EventKind};
use axum::Router;
use axum::response::Response;
use fba::Fba;
use feeds::Feeds;
use notifications::Notifications;
use serde_json::{Value, json as value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub const MARKETPLACE: &str = "ATVPDKIKX0DER";
pub const SELLER: &str = "A2SELLER";
const CANCELED: &str = concat!("CANCEL", "LED");
const SECOND: i64 = 1_000_000;
/// Lists end this long ago.
pub const BEHIND: i64 = 120 * SECOND;
const DAY: i64 = 86_400 * SECOND;
/// Searches of listings go no further.
const REACH: usize = 1000;

/// (operation, calls a second, burst)
const RATES: [(&str, f64, f64); 15] = [
    ("searchOrders", 0.0056, 20.0),
    ("getOrder", 0.5, 30.0),
    ("confirmShipment", 2.0, 10.0),
    ("searchListingsItems", 5.0, 5.0),
    ("getListingsItem", 5.0, 10.0),
    ("patchListingsItem", 5.0, 5.0),
    ("createFeedDocument", 0.5, 15.0),
    ("createFeed", 0.0083, 15.0),
    ("getFeed", 2.0, 15.0),
    ("getFeedDocument", 0.0222, 10.0),
    ("getInventorySummaries", 2.0, 2.0),
    ("createOrder", 2.0, 30.0),
    ("getMarketplaceParticipations", 0.016, 15.0),
    ("outbound", 2.0, 30.0),
    ("notifications", 5.0, 25.0),
];

pub struct Amazon {
    market: Arc<Market>,
    state: Mutex<State>,
}

struct State {
    rng: fastrand::Rng,
    /// Rates are this many times as high.
    speed: f64,
    /// Orders, by plain id, that Amazon sends itself.
    sent_by_amazon: BTreeSet<String>,
    /// Tokens of pages: what the other parameters were, where it goes on, when it was made.
    pages: BTreeMap<String, (String, (i64, String), i64, i64)>,
    /// Packages by order and number, with the shipment each became.
    packages: BTreeMap<(String, String), String>,
    feeds: Feeds,
    fba: Fba,
    notifications: Notifications,
    /// Orders, by plain id, whose parcels the carrier brought back.
    brought_back: BTreeSet<String>,
}

fn order_id(plain: &str) -> String {
    format!("111-{plain:0>7}-0000001")
}

fn plain_id(id: &str) -> Option<String> {
    Some(id.strip_prefix("111-")?.strip_suffix("-0000001")?.trim_start_matches('0').to_owned())
}

fn error(status: u16, code: &str, message: &str) -> Response {
    json(status, &value!({ "errors": [{ "code": code, "message": message, "details": "" }] }))
}

fn money(hundredths: i64) -> Value {
    value!({ "amount": format!("{}.{:02}", hundredths / 100, hundredths % 100), "currencyCode": "USD" })
}

impl Amazon {
    pub fn new(market: Arc<Market>, speed: f64) -> Arc<Amazon> {
        let state = State {
            rng: fastrand::Rng::with_seed(market.seed),
            speed,
            sent_by_amazon: BTreeSet::new(),
            pages: BTreeMap::new(),
            packages: BTreeMap::new(),
            feeds: Feeds::default(),
            fba: Fba::default(),
            notifications: Notifications::default(),
            brought_back: BTreeSet::new(),
        };
        Arc::new(Amazon { market, state: Mutex::new(state) })
    }

    /// Rates are this many times as high from now on; answers say so.
    pub fn set_speed(&self, speed: f64) {
        self.state().speed = speed;
    }

    pub fn router(self: &Arc<Amazon>) -> Router {
        super::ask::router(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Amazon sends this order, by its plain id, from its own warehouse.
    pub fn is_sent_by_amazon(&self, order: &str) {
        self.state().sent_by_amazon.insert(order.to_owned());
    }

    /// The carrier finds nobody and brings this order's parcels back, by its plain id.
    pub fn bring_back(&self, order: &str) {
        self.state().brought_back.insert(order.to_owned());
    }

    /// Rows of a feed fail as often as `rows`, a whole feed ends badly as often as `whole`.
    pub fn let_feeds_fail(&self, rows: f64, whole: f64) {
        let mut state = self.state();
        (state.feeds.rows_fail, state.feeds.fail) = (rows, whole);
    }

    /// Puts units into Amazon's warehouse.
    pub fn store(&self, sku: &str, on_hand: i64, available: i64) {
        self.state().fba.store(sku, on_hand, available);
    }

    /// The warehouse sends what it was asked to, the first so many units of each line.
    pub fn send_out(&self, order: &str) {
        let now = self.market.now();
        self.state().fba.send_out(order, now);
    }

    /// How often the warehouse was asked to send an order, and took it.
    pub fn taken(&self, order: &str) -> u64 {
        self.state().fba.taken(order)
    }

    /// Notices of what happened since the last call, as EventBridge delivers them.
    pub fn deliveries(&self, secret: &str) -> Vec<Delivery> {
        let word = |event: super::Event| {
            let (EventKind::Placed(id) | EventKind::Paid(id) | EventKind::Changed(id) | EventKind::Canceled(id)) = &event.kind else { return None };
            let order = self.market.order(id)?;
            let change = value!({
                "NotificationLevel": "OrderLevel", "SellerId": SELLER, "AmazonOrderId": order_id(id), "OrderChangeType": "OrderStatusChange",
                "OrderChangeTrigger": { "TimeOfOrderChange": date(event.at), "ChangeReason": "Not specified" },
                "Summary": { "MarketplaceId": MARKETPLACE, "OrderStatus": Amazon::status(&order) },
            });
            let detail = value!({
                "NotificationVersion": "1.0", "NotificationType": "ORDER_CHANGE", "PayloadVersion": "1.0", "EventTime": date(event.at),
                "Payload": { "OrderChangeNotification": change },
                "NotificationMetadata": { "ApplicationId": "app", "SubscriptionId": "s", "PublishTime": date(event.at), "NotificationId": event.number.to_string() },
            });
            let body =
                value!({ "version": "0", "source": "aws.partner/sellingpartnerapi.amazon.com", "detail-type": "ORDER_CHANGE", "detail": detail });
            let headers = vec![("content-type".into(), "application/json".into()), ("x-api-key".into(), secret.to_owned())];
            Some(Delivery { headers, body: body.to_string().into_bytes() })
        };
        self.market.events().into_iter().filter_map(word).collect()
    }

    fn status(order: &Order) -> &'static str {
        match order {
            o if o.canceled_at.is_some() => CANCELED,
            o if o.is_shipped() => "SHIPPED",
            o if !o.paid => "PENDING",
            o if o.shipments.is_empty() => "UNSHIPPED",
            _ => "PARTIALLY_SHIPPED",
        }
    }

    fn order_json(&self, order: &Order) -> Value {
        let by_amazon = self.state().sent_by_amazon.contains(&order.id);
        let listing = |id: &str| self.market.listing(id).unwrap_or_default();
        let total: i64 = order.lines.iter().map(|l| listing(&l.listing).price * l.quantity).sum();
        let items = order.lines.iter().map(|line| {
            let listing = listing(&line.listing);
            let open = line.quantity - line.canceled - line.shipped;
            value!({
                "orderItemId": line.id, "quantityOrdered": line.quantity,
                "product": { "asin": format!("B{:0>9}", listing.id), "title": listing.title, "sellerSku": listing.sku, "price": { "unitPrice": money(listing.price) } },
                "fulfillment": { "quantityFulfilled": line.shipped, "quantityUnfulfilled": open },
            })
        });
        let address = value!({
            "name": order.buyer, "addressLine1": "1 Main Street", "city": "Springfield", "stateOrRegion": "IL", "postalCode": "62701", "countryCode": order.country,
        });
        let body = value!({
            "orderId": order_id(&order.id), "createdTime": date(order.placed_at), "lastUpdatedTime": date(order.updated_at),
            "salesChannel": { "channelName": "AMAZON", "marketplaceId": MARKETPLACE }, "buyer": { "buyerName": order.buyer },
            "recipient": { "deliveryAddress": address }, "proceeds": { "grandTotal": money(total) },
            "fulfillment": { "fulfillmentStatus": Amazon::status(order), "fulfilledBy": if by_amazon { "AMAZON" } else { "MERCHANT" } },
            "orderItems": items.collect::<Vec<_>>(), "packages": self.packages(order),
        });
        with_unknown(&self.market, body)
    }

    fn packages(&self, order: &Order) -> Vec<Value> {
        let back = self.state().brought_back.contains(&order.id);
        let package = |(n, shipment): (usize, &Shipment)| {
            let items: Vec<Value> = shipment.lines.iter().map(|(line, quantity)| value!({ "orderItemId": line, "quantity": quantity })).collect();
            let (status, detail) = if back { ("UNDELIVERABLE", "RETURNED_TO_SELLER") } else { ("SHIPPED", "PICKED_UP") };
            value!({
                "packageReferenceId": (n + 1).to_string(), "packageStatus": { "status": status, "detailedStatus": detail },
                "shipTime": date(shipment.at), "packageItems": items,
            })
        };
        order.shipments.iter().enumerate().map(package).collect()
    }

    fn orders(&self, ask: &Ask) -> Response {
        let bad = |message: &str| error(400, "InvalidInput", message);
        let now = self.market.now();
        if ask.param("createdAfter").is_some() == ask.param("lastUpdatedAfter").is_some() {
            return bad("Exactly one of createdAfter and lastUpdatedAfter is required");
        }
        let (after_name, before_name, by_placement) = match ask.param("createdAfter") {
            Some(_) => ("createdAfter", "createdBefore", true),
            None => ("lastUpdatedAfter", "lastUpdatedBefore", false),
        };
        let Some(after) = ask.param(after_name).and_then(time) else { return bad("the time to begin at is no time") };
        let before = match ask.param(before_name) {
            None => now - BEHIND,
            Some(before) => match time(before).filter(|b| *b <= now - BEHIND) {
                Some(before) => before,
                None => return bad("the time to end at must be at least two minutes in the past"),
            },
        };
        if after > before {
            return bad("the time to begin at is later than the one to end at");
        }
        let at = |o: &Order| if by_placement { o.placed_at } else { o.updated_at };
        let limit = ask.number("maxResultsPerPage", 100);
        if !(1..=100).contains(&limit) {
            return bad("maxResultsPerPage must be between 1 and 100");
        }
        let others: Vec<String> = ask.query.iter().filter(|(n, _)| n != "paginationToken").map(|(n, v)| format!("{n}={v}")).collect();
        let others = others.join("&");
        let (place, before) = match ask.param("paginationToken") {
            None => ((after, String::new()), before),
            Some(token) => match self.state().pages.get(token) {
                Some((same, place, before, made)) if *same == others && now < made + DAY => (place.clone(), *before),
                _ => return bad("paginationToken is not valid for this request"),
            },
        };
        let by = ask.param("fulfilledBy").unwrap_or("");
        let by_amazon = self.state().sent_by_amazon.clone();
        // Whatever was placed then has changed since then at the earliest.
        let is_by = |o: &Order| by.is_empty() || by.contains(if by_amazon.contains(&o.id) { "AMAZON" } else { "MERCHANT" });
        let (more, found) = self.market.among_orders_since(place.0, |orders| {
            let mut found: Vec<&Order> = orders.filter(|o| at(o) <= before && (at(o), &o.id) > (place.0, &place.1) && is_by(o)).collect();
            found.sort_by_key(|o| (at(o), o.id.clone()));
            (found.len() > limit, found.into_iter().take(limit).cloned().collect::<Vec<Order>>())
        });
        let page: Vec<Value> = found.iter().map(|o| self.order_json(o)).collect();
        let mut body = value!({ "orders": page, before_name: date(before) });
        if let Some(last) = found.last().filter(|_| more) {
            let mut state = self.state();
            let token = format!("{:016x}+/=", state.rng.u64(..));
            state.pages.insert(token.clone(), (others, (at(last), last.id.clone()), before, now));
            body["pagination"] = value!({ "nextToken": token });
        }
        json(200, &with_unknown(&self.market, body))
    }

    fn item_json(&self, place: usize, listing: &Listing) -> Value {
        let summary = value!({
            "marketplaceId": MARKETPLACE, "productType": "PRODUCT", "status": ["BUYABLE"], "itemName": listing.title,
            "createdDate": date(created(place)), "lastUpdatedDate": date(created(place)),
        });
        let channel = value!({ "fulfillmentChannelCode": "DEFAULT", "quantity": listing.shown });
        with_unknown(&self.market, value!({ "sku": listing.sku, "summaries": [summary], "fulfillmentAvailability": [channel] }))
    }

    fn search(&self, ask: &Ask) -> Response {
        let limit = ask.number("pageSize", 10);
        if !(1..=20).contains(&limit) {
            return error(400, "InvalidInput", "pageSize");
        }
        let after = ask.param("createdAfter").and_then(time).unwrap_or(0);
        let names: Option<Vec<&str>> = ask.param("identifiers").map(|names| names.split(',').collect());
        if names.as_ref().is_some_and(|n| n.len() > 20 || ask.param("identifiersType") != Some("SKU")) {
            return error(400, "InvalidInput", "identifiers");
        }
        if let Some(names) = names {
            let items: Vec<Value> = names.iter().filter_map(|sku| self.market.by_sku(sku)).take(limit).map(|l| self.item_json(0, &l)).collect();
            return json(200, &with_unknown(&self.market, value!({ "numberOfResults": items.len(), "items": items })));
        }
        // Each was made a second after the one before.
        let first = usize::try_from((after - created(0) + SECOND - 1).div_euclid(SECOND)).unwrap_or(0);
        let from: usize = ask.param("pageToken").and_then(|t| t.strip_prefix("page=")?.parse().ok()).unwrap_or(0);
        let (listings, total) = self.market.listings_from(first + from, limit.min(REACH.saturating_sub(from)));
        let found = total.saturating_sub(first);
        let items: Vec<Value> = listings.iter().enumerate().map(|(n, l)| self.item_json(first + from + n, l)).collect();
        let mut body = value!({ "numberOfResults": found, "items": items });
        if from + limit < found.min(REACH) {
            body["pagination"] = value!({ "nextToken": format!("page={}", from + limit) });
        }
        json(200, &with_unknown(&self.market, body))
    }

    fn patch(&self, ask: &Ask, sku: &str) -> Response {
        if self.market.by_sku(sku).is_none() {
            return error(400, "InvalidInput", "the SKU does not exist");
        }
        let issues = self.apply(sku, &ask.json()).err();
        let status = if issues.is_some() { "INVALID" } else { "ACCEPTED" };
        let issues: Vec<Value> = issues.into_iter().collect();
        json(200, &value!({ "sku": sku, "status": status, "submissionId": "f1dc2914-75dd-11ea-bc55-0242ac130003", "issues": issues }))
    }

    /// Takes a change of a quantity, or says what is wrong with it.
    fn apply(&self, sku: &str, change: &Value) -> Result<(), Value> {
        let issue =
            |code: &str, message: &str| value!({ "code": code, "message": message, "severity": "ERROR", "categories": ["INVALID_ATTRIBUTE"] });
        let listing = self.market.by_sku(sku).ok_or_else(|| issue("13013", "the SKU does not exist"))?;
        let patch = &change["patches"][0];
        if change["productType"] != "PRODUCT" || patch["op"] != "merge" || patch["path"] != "/attributes/fulfillment_availability" {
            return Err(issue("4000001", "this patch would wipe other attributes"));
        }
        let own = patch["value"][0]["fulfillment_channel_code"] == "DEFAULT";
        let quantity = patch["value"][0]["quantity"].as_i64().filter(|q| own && (0..=1_000_000).contains(q));
        let quantity = quantity.ok_or_else(|| issue("90220", "quantity is not valid"))?;
        self.market.set(&listing.id, quantity);
        Ok(())
    }

    fn confirm(&self, ask: &Ask, order: &Order) -> Response {
        let no = |message: &str| json(400, &value!({ "errors": [{ "code": "InvalidInput", "message": message }] }));
        let body = ask.json();
        let package = &body["packageDetail"];
        let Some(number) = package["packageReferenceId"].as_str().filter(|n| n.parse::<u64>().is_ok_and(|n| n > 0)) else {
            return no("PackageReferenceId is invalid: only positive numeric values are supported");
        };
        let (Some(carrier), Some(tracking)) = (package["carrierCode"].as_str(), package["trackingNumber"].as_str()) else { return no("carrierCode") };
        if carrier == "Other" && package["carrierName"].as_str().is_none_or(str::is_empty) {
            return no("carrierName is required when carrierCode is Other");
        }
        let mut state = self.state();
        let name = (order.id.clone(), number.to_owned());
        // The same package again only changes what is said of it.
        if state.packages.contains_key(&name) {
            return empty(204);
        }
        let items = package["orderItems"].as_array().cloned().unwrap_or_default();
        let lines: Vec<(String, i64)> =
            items.iter().map(|i| (i["orderItemId"].as_str().unwrap_or("").to_owned(), i["quantity"].as_i64().unwrap_or(0))).collect();
        match self.market.ship(&order.id, &lines, Some(carrier), Some(tracking)) {
            Ok(id) => {
                state.packages.insert(name, id);
                empty(204)
            }
            Err(No::Unknown) => no("orderItemId"),
            Err(No::AlreadyCanceled | No::AlreadyShipped | No::TooMany) => no("the order or its items cannot be shipped"),
        }
    }

    /// A call of an operation: within its rate, and with the rate told.
    fn limited(&self, operation: &str, work: impl FnOnce() -> Response) -> Response {
        let (_, rate, burst) = RATES.iter().find(|(name, ..)| *name == operation).copied().unwrap_or((operation, 1.0, 1.0));
        let rate = rate * self.state().speed;
        let answer = if self.market.spend(operation, burst, rate, 1.0).is_ok() { work() } else { self.throttled() };
        with_header(answer, "x-amzn-ratelimit-limit", &rate.to_string())
    }

    fn token(&self, ask: &Ask) -> Response {
        if ask.form("grant_type").as_deref() == Some("client_credentials") {
            return self.application_token(ask);
        }
        if ask.form("grant_type").as_deref() != Some("refresh_token")
            || ["refresh_token", "client_id", "client_secret"].iter().any(|n| ask.form(n).is_none())
        {
            return json(400, &value!({ "error": "invalid_request", "error_description": "a field is missing" }));
        }
        json(
            200,
            &value!({ "access_token": self.market.issue_token(3600), "refresh_token": "Atzr|same", "token_type": "bearer", "expires_in": 3600 }),
        )
    }
}

/// When a listing was made.
fn created(place: usize) -> i64 {
    1_600_000_000 * SECOND + place as i64 * SECOND
}

impl Front for Amazon {
    fn market(&self) -> &Market {
        &self.market
    }

    fn throttled(&self) -> Response {
        error(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")
    }

    fn answer(&self, ask: &Ask) -> Response {
        let (method, path) = ask.route();
        match (method, &path[..]) {
            ("POST", ["auth", "o2", "token"]) => return self.token(ask),
            ("PUT", ["uploads", id]) => return self.upload(ask, id),
            ("GET", ["downloads", id]) => return self.download(id),
            _ => {}
        }
        if !self.market.token_is_good(ask.header("x-amz-access-token")) {
            let expired = value!({ "code": "Unauthorized", "message": "Access to requested resource is denied.", "details": "The access token you provided has expired." });
            return json(403, &value!({ "errors": [expired] }));
        }
        let find = |id: &str| plain_id(id).and_then(|id| self.market.order(&id));
        let unknown = || error(404, "NotFound", "it does not exist");
        match (method, &path[..]) {
            ("GET", ["sellers", "v1", "marketplaceParticipations"]) => self.limited("getMarketplaceParticipations", || {
                let marketplace = value!({ "id": MARKETPLACE, "countryCode": "US", "name": "Amazon.com", "defaultCurrencyCode": "USD", "defaultLanguageCode": "en_US", "domainName": "www.amazon.com" });
                let participation = value!({ "isParticipating": true, "hasSuspendedListings": false });
                json(200, &value!({ "payload": [{ "marketplace": marketplace, "participation": participation, "storeName": "A Store" }] }))
            }),
            ("GET", ["orders", "2026-01-01", "orders"]) => self.limited("searchOrders", || self.orders(ask)),
            ("GET", ["orders", "2026-01-01", "orders", id]) => {
                self.limited("getOrder", || find(id).map_or_else(unknown, |o| json(200, &value!({ "order": self.order_json(&o) }))))
            }
            ("POST", ["orders", "v0", "orders", id, "shipmentConfirmation"]) => {
                self.limited("confirmShipment", || find(id).map_or_else(|| empty(404), |o| self.confirm(ask, &o)))
            }
            ("GET", ["listings", "2021-08-01", "items", SELLER]) => self.limited("searchListingsItems", || self.search(ask)),
            ("GET", ["listings", "2021-08-01", "items", SELLER, sku]) => {
                self.limited("getListingsItem", || self.market.by_sku(sku).map_or_else(unknown, |l| json(200, &self.item_json(0, &l))))
            }
            ("PATCH", ["listings", "2021-08-01", "items", SELLER, sku]) => self.limited("patchListingsItem", || self.patch(ask, sku)),
            ("POST", ["feeds", "2021-06-30", "documents"]) => self.limited("createFeedDocument", || self.create_document(ask)),
            ("POST", ["feeds", "2021-06-30", "feeds"]) => self.limited("createFeed", || self.create_feed(ask)),
            ("GET", ["feeds", "2021-06-30", "feeds", id]) => self.limited("getFeed", || self.feed(id)),
            ("GET", ["feeds", "2021-06-30", "documents", id]) => self.limited("getFeedDocument", || self.document(ask, id)),
            ("GET", ["fba", "inventory", "v1", "summaries"]) => self.limited("getInventorySummaries", || self.summaries(ask)),
            (_, ["notifications", "v1", rest @ ..]) => self.limited("notifications", || self.notifications(ask, rest)),
            (_, ["fulfillment", "outbound", "2026-07-04", rest @ ..]) => self.limited("outbound", || self.outbound(ask, rest)),
            _ => unknown(),
        }
    }
}
