//! Shopify, by its Admin GraphQL API, version 2026-10. A listing is a variant's inventory item, by whose id quantities are
//! set; an order's lines lead to it through their variants. Quantities are those available at one location.
//!
//! `queries.rs` has all that is ever asked; `answers.rs` says what an answer that says no means.

mod answers;
mod orders;
mod queries;
mod refund;
mod ship;
mod stock;
mod subscribe;
mod webhook;

pub use queries::{QUERIES, Query, VERSION};

use crate::account::{Account, Setting, Work};
use crate::marketplace::{MarketListing, MarketOrder, Marketplace, Notice, Page, Refund, Rejected, SetOutcome, SetQuantity, Shipped, Writes};
use crate::read::{first, json, text};
use crate::transport::{Fault, Limit, Request, Response, Wire};
use serde_json::{Value, json};

/// The connector.
pub struct Shopify;

const SETTINGS: &[Setting] = &[
    Setting { name: "access_token", help: "of a custom app, shpat_…; empty for an app that signs in by its client id", secret: true },
    Setting { name: "client_id", help: "of an app of the developer dashboard; empty if there is an access token", secret: false },
    Setting {
        name: "client_secret",
        help: "of the app: signs webhooks, and signs in if there is a client id; several apart by blanks, the new one first, while it is being changed",
        secret: true,
    },
    Setting { name: "location", help: "whose stock is kept here, as gid://shopify/Location/1 or just its number", secret: false },
    Setting { name: "poll_seconds", help: "between two readings of the orders; 30 if empty. A page of orders costs about 500 points", secret: false },
];

/// Points a second and at most of the standard plan, until an answer tells this shop's own.
const STANDARD: Limit = Limit { bucket: "points", per_second: 100.0, burst: 2000.0, cost: 100.0, keep: 0.0, left: None };

impl Account for Shopify {
    fn word(&self) -> &'static str {
        "shopify"
    }

    fn name(&self) -> &'static str {
        "Shopify"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    /// Only for apps without an access token of their own: the client credentials grant, whose tokens live for a day.
    fn sign_in(&self, setting: &dyn Fn(&str) -> String) -> Option<Request> {
        if !setting("access_token").is_empty() || setting("client_id").is_empty() {
            return None;
        }
        let body = json!({
            "client_id": setting("client_id"),
            "client_secret": first(&setting("client_secret")),
            "grant_type": "client_credentials",
        });
        Some(Request {
            what: "access_token",
            method: "POST",
            path: "/admin/oauth/access_token".into(),
            headers: Vec::new(),
            body: Some(("application/json", body.to_string().into_bytes())),
            repeatable: true,
        })
    }

    fn headers(&self, setting: &dyn Fn(&str) -> String, token: &str) -> Vec<(&'static str, String)> {
        let token = if token.is_empty() { setting("access_token") } else { token.to_owned() };
        vec![("x-shopify-access-token", token)]
    }

    fn fault(&self, answer: &Response) -> Option<Fault> {
        answers::fault(answer)
    }

    /// One bucket of points for everything. Lists cost much and can wait: half of it is left for quantities.
    fn limit(&self, what: &'static str, answer: Option<&Response>) -> Option<Limit> {
        let limit = match answer {
            None => STANDARD,
            Some(answer) => answers::limit(&json(answer).ok()?)?,
        };
        let is_list = [queries::ORDERS.name, queries::ORDER_LINES.name, queries::LISTINGS.name].contains(&what);
        Some(Limit { keep: if is_list { limit.burst / 2.0 } else { 0.0 }, ..limit })
    }

    fn webhook_names(&self) -> &'static [&'static str] {
        &["x-shopify-webhook-id", "x-shopify-event-id"]
    }

    fn check<'a>(&'a self, wire: &'a Wire) -> Work<'a, String> {
        Box::pin(async move {
            let answer = ask(wire, &queries::SHOP, json!({ "location": location(wire) })).await?;
            if answer["location"].is_null() {
                let detail = format!("this shop has no location “{}”", wire.setting("location"));
                return Err(Fault::Refused { status: 200, code: "location".into(), detail });
            }
            text(&answer, "/shop/name").ok_or_else(|| Fault::NotUnderstood { detail: "a shop without a name".into() })
        })
    }
}

impl Marketplace for Shopify {
    fn writes(&self) -> Writes {
        Writes::Compared
    }

    fn batch(&self) -> usize {
        stock::BATCH
    }

    /// The list is a search index that follows behind; Shopify promises no time.
    fn settles_in(&self) -> i64 {
        120 * 1_000_000
    }

    /// A page of orders costs what five seconds bring on the standard plan; webhooks tell sooner.
    fn polls_every(&self) -> u64 {
        30
    }

    /// Who cancels there is asked and the answer is yes unless changed; [`Marketplace::cancel`] says yes too.
    fn restocks_on_cancel(&self) -> bool {
        true
    }

    fn orders<'a>(&'a self, wire: &'a Wire, from: i64, page: Option<String>) -> Work<'a, Page<MarketOrder>> {
        Box::pin(orders::page(wire, from, page))
    }

    fn order<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, MarketOrder> {
        Box::pin(orders::one(wire, id))
    }

    fn listings<'a>(&'a self, wire: &'a Wire, page: Option<String>) -> Work<'a, Page<MarketListing>> {
        Box::pin(stock::listings(wire, page))
    }

    fn quantities<'a>(&'a self, wire: &'a Wire, listings: &'a [String]) -> Work<'a, Vec<(String, i64)>> {
        Box::pin(stock::quantities(wire, listings))
    }

    /// After [`Fault::Lost`] the same rows in the same order come to the truth: what was done is told as done and is not
    /// done again. A write that came out stale or refused is over; the next one has a new key.
    fn set_quantities<'a>(&'a self, wire: &'a Wire, wanted: &'a [SetQuantity]) -> Work<'a, Vec<SetOutcome>> {
        Box::pin(stock::set(wire, wanted))
    }

    fn ship<'a>(&'a self, wire: &'a Wire, shipped: &'a Shipped) -> Work<'a, ()> {
        Box::pin(ship::ship(wire, shipped))
    }

    fn cancel<'a>(&'a self, wire: &'a Wire, order: &'a str, reason: &'a str) -> Work<'a, ()> {
        Box::pin(ship::cancel(wire, order, reason))
    }

    fn refunds(&self) -> bool {
        true
    }

    fn refund<'a>(&'a self, wire: &'a Wire, refund: &'a Refund) -> Work<'a, ()> {
        Box::pin(refund::refund(wire, refund))
    }

    fn subscribe<'a>(&'a self, wire: &'a Wire, address: &'a str) -> Work<'a, Vec<String>> {
        Box::pin(subscribe::subscribe(wire, address))
    }

    fn webhook(&self, secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Notice, Rejected> {
        webhook::read(secrets, headers, body, now)
    }
}

/// Asks one query; answers its `data`.
async fn ask(wire: &Wire, query: &Query, variables: Value) -> Result<Value, Fault> {
    let body = json!({ "query": query.text, "operationName": query.name, "variables": variables });
    let request = Request {
        what: query.name,
        method: "POST",
        path: format!("/admin/api/{VERSION}/graphql.json"),
        headers: Vec::new(),
        body: Some(("application/json", body.to_string().into_bytes())),
        repeatable: query.repeatable,
    };
    let mut answer = json(&wire.send(request).await?)?;
    match answer["data"].take() {
        Value::Null => Err(Fault::NotUnderstood { detail: format!("{}: an answer without data", query.name) }),
        data => Ok(data),
    }
}

fn location(wire: &Wire) -> String {
    gid("Location", wire.setting("location"))
}

/// A global id; a bare number becomes one.
fn gid(kind: &str, id: &str) -> String {
    if id.starts_with("gid://") { id.to_owned() } else { format!("gid://shopify/{kind}/{id}") }
}

/// Where the page after this connection begins.
fn next_page(connection: &Value) -> Option<String> {
    (connection["pageInfo"]["hasNextPage"] == true).then(|| text(connection, "/pageInfo/endCursor")).flatten()
}

/// As Shopify spells it.
const CANCELED: &str = concat!("CANCEL", "LED");
