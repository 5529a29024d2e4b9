//! eBay, by its Sell APIs: Inventory for what is shown, Fulfillment for orders. A listing is an inventory item, named by
//! its SKU. Notifications only say which orders to ask for.

mod notify;
mod orders;
mod refund;
mod stock;
mod webhook;

use crate::account::{Account, Setting, Work};
use crate::marketplace::{MarketListing, MarketOrder, Marketplace, Notice, Page, Refund, Rejected, SetOutcome, SetQuantity, Shipped, Writes};
use crate::read::{date, escape, json, rows, text, time, whole};
use crate::transport::{Fault, Request, Response, Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orders::get;
use serde_json::{Value, json};
use stock::post;

/// The connector.
pub struct Ebay;

const SETTINGS: &[Setting] = &[
    Setting { name: "client_id", help: "App ID of the keyset", secret: false },
    Setting { name: "client_secret", help: "Cert ID of the keyset", secret: true },
    Setting { name: "refresh_token", help: "what the seller's consent gave; it lives 18 months", secret: true },
    Setting { name: "marketplace", help: "such as EBAY_US, which is also what is taken if empty", secret: false },
    Setting { name: "language", help: "of the listings, such as en-US, which is also what is taken if empty", secret: false },
    Setting { name: "verification_token", help: "32 to 80 characters of your own, for notifications", secret: true },
    Setting { name: "webhook_address", help: "where eBay sends notifications, as it knows it: https://…/api/v1/webhooks/CODE", secret: false },
    Setting { name: "alert_email", help: "whom eBay writes to when notifications cannot be delivered", secret: false },
];

impl Account for Ebay {
    fn word(&self) -> &'static str {
        "ebay"
    }

    fn name(&self) -> &'static str {
        "eBay"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn sign_in(&self, setting: &dyn Fn(&str) -> String) -> Option<Request> {
        let form = format!("grant_type=refresh_token&refresh_token={}", escape(&setting("refresh_token")));
        Some(sign_in("token", setting, form))
    }

    fn headers(&self, setting: &dyn Fn(&str) -> String, token: &str) -> Vec<(&'static str, String)> {
        let or = |name: &str, default: &str| Some(setting(name)).filter(|s| !s.is_empty()).unwrap_or_else(|| default.into());
        let language = or("language", "en-US");
        let mut headers = vec![
            ("accept", "application/json".into()),
            ("accept-language", language.clone()),
            ("content-language", language),
            ("x-ebay-c-marketplace-id", or("marketplace", "EBAY_US")),
        ];
        if !token.is_empty() {
            headers.push(("authorization", format!("Bearer {token}")));
        }
        headers
    }

    fn fault(&self, answer: &Response) -> Option<Fault> {
        let details = ["/errors/0/longMessage", "/errors/0/message", "/error_description"];
        crate::read::fault(answer, &["/errors/0/errorId", "/error"], &details)
    }

    fn check<'a>(&'a self, wire: &'a Wire) -> Work<'a, String> {
        Box::pin(async move {
            let answer = json(&wire.send(get("getOrders", "/sell/fulfillment/v1/order?limit=1".into())).await?)?;
            Ok(text(&answer, "/orders/0/sellerId").unwrap_or_else(|| "an eBay seller without orders".into()))
        })
    }
}

impl Marketplace for Ebay {
    fn writes(&self) -> Writes {
        Writes::Blind
    }

    fn batch(&self) -> usize {
        stock::BATCH
    }

    /// eBay promises nothing here; five minutes is what its own guides take between two readings.
    fn settles_in(&self) -> i64 {
        300 * 1_000_000
    }

    /// It does, unless the reason is that there was none left. It answers yes: to expect units back that never come shows
    /// too few for a while; not to expect units that do come back would sell them twice.
    fn restocks_on_cancel(&self) -> bool {
        true
    }

    fn orders<'a>(&'a self, wire: &'a Wire, from: i64, page: Option<String>) -> Work<'a, Page<MarketOrder>> {
        Box::pin(orders::page(wire, from, page))
    }

    fn order<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, MarketOrder> {
        Box::pin(async move {
            let answer = json(&wire.send(get("getOrder", format!("/sell/fulfillment/v1/order/{}", escape(id)))).await?)?;
            orders::read(&answer).map_err(|why| Fault::NotUnderstood { detail: format!("order {id}: {why}") })
        })
    }

    fn listings<'a>(&'a self, wire: &'a Wire, page: Option<String>) -> Work<'a, Page<MarketListing>> {
        Box::pin(stock::listings(wire, page))
    }

    fn quantities<'a>(&'a self, wire: &'a Wire, listings: &'a [String]) -> Work<'a, Vec<(String, i64)>> {
        Box::pin(stock::quantities(wire, listings))
    }

    fn set_quantities<'a>(&'a self, wire: &'a Wire, wanted: &'a [SetQuantity]) -> Work<'a, Vec<SetOutcome>> {
        Box::pin(stock::set_quantities(wire, wanted))
    }

    fn ship<'a>(&'a self, wire: &'a Wire, shipped: &'a Shipped) -> Work<'a, ()> {
        Box::pin(ship(wire, shipped))
    }

    fn cancels(&self) -> bool {
        false
    }

    /// Neither Inventory nor Fulfillment can cancel; eBay leaves that to its website and to an older API with other keys.
    fn cancel<'a>(&'a self, _wire: &'a Wire, order: &'a str, _reason: &'a str) -> Work<'a, ()> {
        let detail = format!("eBay's Sell APIs cannot cancel: cancel order {order} in Seller Hub");
        Box::pin(async move { Err(Fault::Refused { status: 405, code: "cancel_not_offered".into(), detail }) })
    }

    fn refunds(&self) -> bool {
        true
    }

    fn refund<'a>(&'a self, wire: &'a Wire, refund: &'a Refund) -> Work<'a, ()> {
        Box::pin(refund::refund(wire, refund))
    }

    fn subscribe<'a>(&'a self, wire: &'a Wire, address: &'a str) -> Work<'a, Vec<String>> {
        Box::pin(notify::subscribe(wire, address))
    }

    fn key_wanted(&self, headers: &[(String, String)]) -> Option<String> {
        webhook::key_name(headers)
    }

    fn fetch_key<'a>(&'a self, wire: &'a Wire, name: &'a str) -> Work<'a, String> {
        Box::pin(notify::public_key(wire, name))
    }

    fn challenge(&self, setting: &dyn Fn(&str) -> String, code: &str, address: &str) -> Option<String> {
        let token = setting("verification_token");
        (!token.is_empty() && !address.is_empty()).then(|| webhook::challenge(code, &token, address))
    }

    fn webhook(&self, secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Notice, Rejected> {
        webhook::read(secrets, headers, body, now)
    }
}

/// Gets a token with the keyset, by one of OAuth's grants.
fn sign_in(what: &'static str, setting: &dyn Fn(&str) -> String, form: String) -> Request {
    let basic = STANDARD.encode(format!("{}:{}", setting("client_id"), setting("client_secret")));
    Request {
        what,
        method: "POST",
        path: "/identity/v1/oauth2/token".into(),
        headers: vec![("authorization", format!("Basic {basic}"))],
        body: Some(("application/x-www-form-urlencoded", form.into_bytes())),
        repeatable: true,
    }
}

/// Tells what left. There is no key that makes a second try harmless, so what eBay has is read first.
async fn ship(wire: &Wire, shipped: &Shipped) -> Result<(), Fault> {
    let path = format!("/sell/fulfillment/v1/order/{}/shipping_fulfillment", escape(&shipped.order));
    // Only letters and digits are taken, and each of carrier and number needs the other.
    let number: Option<String> = shipped.tracking_number.as_ref().map(|n| n.chars().filter(char::is_ascii_alphanumeric).collect());
    let number = number.filter(|n: &String| !n.is_empty());
    let known = json(&wire.send(get("getShippingFulfillments", path.clone())).await?)?;
    if rows(&known, "/fulfillments").iter().any(|one| is_told(one, shipped, number.as_deref())) {
        return Ok(());
    }
    let lines: Vec<Value> = shipped.lines.iter().map(|(id, quantity)| json!({ "lineItemId": id, "quantity": quantity })).collect();
    let mut body = json!({ "lineItems": lines, "shippedDate": date(shipped.shipped_at) });
    if let Some(number) = number {
        body["trackingNumber"] = number.into();
        body["shippingCarrierCode"] = shipped.carrier.clone().unwrap_or_else(|| "Other".into()).into();
    }
    wire.send(post("createShippingFulfillment", path, &body)).await.map(|_| ())
}

/// Whether eBay knows of this shipment: by its number, or without one by its time and its lines.
fn is_told(one: &Value, shipped: &Shipped, number: Option<&str>) -> bool {
    if let Some(number) = number {
        return text(one, "/shipmentTrackingNumber").as_deref() == Some(number);
    }
    let lines = rows(one, "/lineItems");
    let has = |(id, _): &(String, i64)| lines.iter().any(|line| text(line, "/lineItemId").as_ref() == Some(id));
    time(one, "/shippedDate").is_some_and(|at| at / 1000 == shipped.shipped_at / 1000)
        && lines.len() == shipped.lines.len()
        && shipped.lines.iter().all(has)
}

/// How many calls of an operation are left until a time, by eBay's own count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimit {
    pub operation: String,
    pub limit: i64,
    pub remaining: i64,
    /// Microseconds since 1970 UTC.
    pub resets_at: Option<i64>,
}

/// The daily limits of this application, which differ from one to the next and change.
pub async fn call_limits(wire: &Wire) -> Result<Vec<CallLimit>, Fault> {
    let answer = json(&wire.send(get("getRateLimits", "/developer/analytics/v1_beta/rate_limit/?api_context=sell".into())).await?)?;
    let mut limits = Vec::new();
    for resource in rows(&answer, "/rateLimits").iter().flat_map(|api| rows(api, "/resources")) {
        for rate in rows(resource, "/rates") {
            if let (Some(operation), Some(limit), Some(remaining)) = (text(resource, "/name"), whole(rate, "/limit"), whole(rate, "/remaining")) {
                limits.push(CallLimit { operation, limit, remaining, resets_at: time(rate, "/reset") });
            }
        }
    }
    Ok(limits)
}
