//! Amazon, by the Selling Partner API: Orders 2026-01-01, Listings Items, Feeds. A listing is named by the seller's SKU.
//! Amazon's own warehouses are in `fba`. Notifications only say which orders to ask for.

pub mod fba;
mod listings;
mod notifications;
mod orders;
mod quantities;

use crate::account::{Account, Setting, Work};
use crate::marketplace::{MarketListing, MarketOrder, Marketplace, Notice, Page, Rejected, SetOutcome, SetQuantity, Shipped, Writes};
use crate::read::{date, escape, is_by_one_of, json, text, time};
use crate::transport::{Fault, Limit, Request, Response, Wire};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

/// The connector.
pub struct Amazon;

const SETTINGS: &[Setting] = &[
    Setting { name: "client_id", help: "of the application, amzn1.application-oa2-client.…", secret: false },
    Setting { name: "client_secret", help: "of the application", secret: true },
    Setting { name: "refresh_token", help: "what the seller's consent gave, Atzr|…", secret: true },
    Setting { name: "seller_id", help: "Merchant token, such as A2EXAMPLE", secret: false },
    Setting { name: "marketplace_id", help: "such as ATVPDKIKX0DER for amazon.com, which is also what is taken if empty", secret: false },
    Setting {
        name: "webhook_secret",
        help: "what comes as x-api-key with a notification; several apart by blanks while they are being changed",
        secret: true,
    },
    Setting {
        name: "notifications_to",
        help: "where Amazon sends notifications: the ARN of a standard SQS queue, or account/region of AWS for EventBridge",
        secret: false,
    },
    Setting { name: "login_address", help: "where tokens come from; https://api.amazon.com if empty", secret: false },
    Setting { name: "feed_poll_milliseconds", help: "how long to wait before asking after a feed; 5000 if empty", secret: false },
];
/// EventBridge tries again for a day; what is older is not taken, so that a copied notice cannot be played again later.
const OLDEST: i64 = 24 * 3600 * 1_000_000;
/// A clock may be ahead of ours by this much, microseconds.
const AHEAD: i64 = 300 * 1_000_000;

/// (operation, calls a second, burst) as Amazon publishes them.
const LIMITS: [(&str, f64, f64); 19] = [
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
    ("getOrder.outbound", 2.0, 30.0),
    ("cancelOrder", 2.0, 30.0),
    ("getDestinations", 1.0, 5.0),
    ("createDestination", 1.0, 5.0),
    ("getSubscription", 1.0, 5.0),
    ("createSubscription", 1.0, 5.0),
    ("deleteSubscriptionById", 1.0, 5.0),
];

fn get(what: &'static str, path: String) -> Request {
    Request { what, method: "GET", path, headers: Vec::new(), body: None, repeatable: true }
}

fn marketplace(wire: &Wire) -> &str {
    Some(wire.setting("marketplace_id")).filter(|id| !id.is_empty()).unwrap_or("ATVPDKIKX0DER")
}

impl Account for Amazon {
    fn word(&self) -> &'static str {
        "amazon"
    }

    fn name(&self) -> &'static str {
        "Amazon"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn sign_in(&self, setting: &dyn Fn(&str) -> String) -> Option<Request> {
        Some(sign_in("token", setting, format!("refresh_token&refresh_token={}", escape(&setting("refresh_token")))))
    }

    fn headers(&self, _setting: &dyn Fn(&str) -> String, token: &str) -> Vec<(&'static str, String)> {
        // Amazon asks every application for its name, version and language.
        let mut headers =
            vec![("accept", "application/json".into()), ("user-agent", concat!("Holdfast/", env!("CARGO_PKG_VERSION"), " (Language=Rust)").into())];
        if !token.is_empty() {
            headers.push(("x-amz-access-token", token.to_owned()));
        }
        headers
    }

    fn fault(&self, answer: &Response) -> Option<Fault> {
        // A token that ran out may be answered by 403, and is told apart by its words.
        match crate::read::fault(answer, &["/errors/0/code", "/error"], &["/errors/0/details", "/errors/0/message", "/error_description"])? {
            Fault::Refused { status: 403, detail, .. } if detail.contains("expired") => Some(Fault::Unauthorized { detail }),
            fault => Some(fault),
        }
    }

    /// As published for each operation; answers tell the rate of the account, which may be higher.
    fn limit(&self, what: &'static str, answer: Option<&Response>) -> Option<Limit> {
        let (_, per_second, burst) = *LIMITS.iter().find(|(operation, ..)| *operation == what)?;
        let limit = Limit { bucket: what, per_second, burst, cost: 1.0, keep: 0.0, left: None };
        let Some(answer) = answer else { return Some(limit) };
        let told: f64 = answer.header("x-amzn-ratelimit-limit")?.trim().parse().ok()?;
        (told.is_finite() && told > 0.0).then_some(Limit { per_second: told, ..limit })
    }

    fn check<'a>(&'a self, wire: &'a Wire) -> Work<'a, String> {
        Box::pin(async move {
            let answer = json(&wire.send(get("getMarketplaceParticipations", "/sellers/v1/marketplaceParticipations".into())).await?)?;
            let mine = crate::read::rows(&answer, "/payload").iter().find(|p| text(p, "/marketplace/id").as_deref() == Some(marketplace(wire)));
            let Some(mine) = mine else {
                let detail = format!("this account does not sell in {}", marketplace(wire));
                return Err(Fault::Refused { status: 404, code: "not_in_marketplace".into(), detail });
            };
            Ok(text(mine, "/storeName").unwrap_or_else(|| wire.setting("seller_id").to_owned()))
        })
    }
}

impl Marketplace for Amazon {
    fn writes(&self) -> Writes {
        Writes::Blind
    }

    fn batch(&self) -> usize {
        quantities::AT_ONCE
    }

    fn bulk(&self) -> Option<usize> {
        Some(quantities::BULK)
    }

    /// The list ends two minutes before now, by Amazon's own rule; one more for clocks.
    fn settles_in(&self) -> i64 {
        180 * 1_000_000
    }

    /// searchOrders refills by one in 178 seconds.
    fn polls_every(&self) -> u64 {
        180
    }

    /// An order that ends before it is paid gives its units back; one that the seller cancels does not. It answers yes:
    /// to expect units back that never come shows too few for a while; not to expect units that do come back would sell
    /// them twice.
    fn restocks_on_cancel(&self) -> bool {
        true
    }

    fn orders<'a>(&'a self, wire: &'a Wire, from: i64, page: Option<String>) -> Work<'a, Page<MarketOrder>> {
        Box::pin(orders::page(wire, orders::By::Change, from, page))
    }

    fn orders_placed<'a>(&'a self, wire: &'a Wire, from: i64, page: Option<String>) -> Option<Work<'a, Page<MarketOrder>>> {
        Some(Box::pin(orders::page(wire, orders::By::Placement, from, page)))
    }

    fn order<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, MarketOrder> {
        Box::pin(orders::one(wire, id))
    }

    fn listings<'a>(&'a self, wire: &'a Wire, page: Option<String>) -> Work<'a, Page<MarketListing>> {
        Box::pin(listings::page(wire, page))
    }

    fn quantities<'a>(&'a self, wire: &'a Wire, listings: &'a [String]) -> Work<'a, Vec<(String, i64)>> {
        Box::pin(listings::quantities(wire, listings))
    }

    fn set_quantities<'a>(&'a self, wire: &'a Wire, wanted: &'a [SetQuantity]) -> Work<'a, Vec<SetOutcome>> {
        Box::pin(quantities::set(wire, wanted))
    }

    fn ship<'a>(&'a self, wire: &'a Wire, shipped: &'a Shipped) -> Work<'a, ()> {
        Box::pin(ship(wire, shipped))
    }

    fn cancels(&self) -> bool {
        false
    }

    /// The API of orders can only be read; canceling is an XML feed of old that says nothing of its success.
    fn cancel<'a>(&'a self, _wire: &'a Wire, order: &'a str, _reason: &'a str) -> Work<'a, ()> {
        let detail = format!("Amazon's Orders API cannot cancel: cancel order {order} in Seller Central");
        Box::pin(async move { Err(Fault::Refused { status: 405, code: "cancel_not_offered".into(), detail }) })
    }

    fn late(&self) -> i64 {
        86_400 * 1_000_000
    }

    fn subscribe<'a>(&'a self, wire: &'a Wire, address: &'a str) -> Work<'a, Vec<String>> {
        Box::pin(notifications::subscribe(wire, address, "ORDER_CHANGE"))
    }

    /// An event as Amazon publishes it, or wrapped by EventBridge, whose API destination sends the secret as `x-api-key`.
    fn webhook(&self, secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Notice, Rejected> {
        is_ours(secrets, headers)?;
        let event: Value = serde_json::from_slice(body).map_err(|e| Rejected::NotUnderstood(e.to_string()))?;
        let event = event.get("detail").unwrap_or(&event);
        // A seller's notices are of all marketplaces; each is a channel of its own.
        let told = text(event, "/Payload/OrderChangeNotification/Summary/MarketplaceId");
        let ours = secrets("marketplace_id").filter(|id| !id.is_empty());
        if told.zip(ours).is_some_and(|(told, ours)| told != ours) {
            return Ok(Notice::Other("an order of another marketplace".into()));
        }
        notification(event, now)
    }
}

/// Gets a token by a grant of Login with Amazon, with what the grant needs.
fn sign_in(what: &'static str, setting: &dyn Fn(&str) -> String, grant: String) -> Request {
    let login = Some(setting("login_address")).filter(|a| !a.is_empty()).unwrap_or_else(|| "https://api.amazon.com".into());
    let [id, secret] = ["client_id", "client_secret"].map(|name| escape(&setting(name)));
    let form = format!("grant_type={grant}&client_id={id}&client_secret={secret}");
    Request {
        what,
        method: "POST",
        path: format!("{login}/auth/o2/token"),
        headers: Vec::new(),
        body: Some(("application/x-www-form-urlencoded;charset=UTF-8", form.into_bytes())),
        repeatable: true,
    }
}

/// Whether the sender knows the secret.
fn is_ours(secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)]) -> Result<(), Rejected> {
    let secret = secrets("webhook_secret").ok_or(Rejected::Signature)?;
    let sent = headers.iter().find(|(name, _)| name == "x-api-key").map(|(_, value)| value.as_bytes()).ok_or(Rejected::Signature)?;
    if is_by_one_of(&secret, |secret| sent.ct_eq(secret.as_bytes()).into()) { Ok(()) } else { Err(Rejected::Signature) }
}

/// Reads a notification that came by a way that vouches for it, such as a queue.
pub fn notification(event: &Value, now: i64) -> Result<Notice, Rejected> {
    let at = time(event, "/EventTime").ok_or_else(|| Rejected::NotUnderstood("it has no EventTime".into()))?;
    if at < now - OLDEST || at > now + AHEAD {
        return Err(Rejected::Old);
    }
    let kind = text(event, "/NotificationType").unwrap_or_default();
    if kind != "ORDER_CHANGE" {
        return Ok(Notice::Other(kind));
    }
    let order = text(event, "/Payload/OrderChangeNotification/AmazonOrderId");
    order.map(|id| Notice::Ask(vec![id])).ok_or_else(|| Rejected::NotUnderstood("an ORDER_CHANGE without AmazonOrderId".into()))
}

/// Tells what left. The same package told twice is one package, told again.
async fn ship(wire: &Wire, shipped: &Shipped) -> Result<(), Fault> {
    let refused = |code: &str, detail: &str| Err(Fault::Refused { status: 400, code: code.into(), detail: detail.into() });
    let Some(number) = shipped.tracking_number.as_ref().filter(|n| !n.trim().is_empty()) else {
        return refused("tracking_number_needed", "Amazon takes no shipment without a tracking number");
    };
    let carrier = shipped.carrier.as_deref().map(str::trim).filter(|c| !c.is_empty()).unwrap_or("Other");
    let items: Vec<Value> = shipped.lines.iter().map(|(id, quantity)| json!({ "orderItemId": id, "quantity": quantity })).collect();
    let mut package = json!({
        "packageReferenceId": package_number(&shipped.key),
        "carrierCode": carrier,
        "trackingNumber": number,
        "shipDate": date(shipped.shipped_at),
        "orderItems": items,
    });
    if carrier == "Other" {
        package["carrierName"] = "Other".into();
    }
    let body = json!({ "packageDetail": package, "marketplaceId": marketplace(wire) });
    let path = format!("/orders/v0/orders/{}/shipmentConfirmation", escape(&shipped.order));
    let body = Some(("application/json", body.to_string().into_bytes()));
    let request = Request { what: "confirmShipment", method: "POST", path, headers: Vec::new(), body, repeatable: true };
    wire.send(request).await.map(|_| ())
}

/// A package's name must be a positive number, written as text; the same key always gives the same.
fn package_number(key: &str) -> String {
    let hash = blake3::hash(key.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    (u64::from_le_bytes(first) % 999_999_999 + 1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_by_digits_that_stay_the_same() {
        let names: Vec<String> = (0..1000).map(|n| package_number(&format!("shipment-{n}"))).collect();
        assert!(names.iter().all(|n| n.parse::<u32>().is_ok_and(|n| n > 0)));
        assert_eq!(names[7], package_number("shipment-7"));
    }
}
