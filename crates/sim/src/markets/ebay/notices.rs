//! eBay's Notification API: whom to write to, where notices go, which topics; and the keys that they are signed with. What belongs
//! to the application wants the application's token, what belongs to the seller wants the seller's.

use super::{Ebay, KEY, error};
use crate::markets::Delivery;
use crate::markets::ask::{Ask, empty, json, with_header, with_unknown};
use axum::response::Response;
use serde_json::{Value, json as value};
use std::collections::BTreeSet;
use std::sync::Arc;

const TOPIC: &str = "ORDER_CONFIRMATION";

/// Asks an address (the first) with a code (the second), and brings its answer.
pub type Prober = Arc<dyn Fn(&str, &str) -> Option<String> + Send + Sync>;

#[derive(Default)]
pub(super) struct Notices {
    application_tokens: BTreeSet<String>,
    alert_email: Option<String>,
    destinations: Vec<Value>,
    subscriptions: Vec<Value>,
    prober: Option<Prober>,
    keys_asked: u64,
}

fn no(status: u16, id: i64, message: &str) -> Response {
    error(status, id, "API_NOTIFICATION", message)
}

impl Ebay {
    /// From now on an address must answer its challenge before notices go there; until then any address will do.
    pub fn probe_with(&self, prober: Prober) {
        self.state().notices.prober = Some(prober);
    }

    /// Addresses that did not answer for a while get nothing more.
    pub fn mark_down(&self) {
        for destination in &mut self.state().notices.destinations {
            destination["status"] = "MARKED_DOWN".into();
        }
    }

    /// So many addresses of other systems of the same application.
    pub fn crowd(&self, count: usize) {
        for n in 0..count {
            let delivery = value!({ "endpoint": format!("https://other-{n}.example"), "verificationToken": "x".repeat(32) });
            let row = value!({ "destinationId": format!("other-{n}"), "name": "other", "status": "ENABLED", "deliveryConfig": delivery });
            self.state().notices.destinations.push(row);
        }
    }

    pub fn forget_subscriptions(&self) {
        self.state().notices.subscriptions.clear();
    }

    /// (destinations, subscriptions), those of a crowd too.
    pub fn known(&self) -> (usize, usize) {
        let state = self.state();
        (state.notices.destinations.len(), state.notices.subscriptions.len())
    }

    /// How often a public key was asked for.
    pub fn keys_asked(&self) -> u64 {
        self.state().notices.keys_asked
    }

    /// What happened since the last call, to the address that asked to be told: (address, notice).
    pub fn told(&self) -> Vec<(String, Delivery)> {
        let deliveries = self.deliveries();
        let state = self.state();
        let address = |subscription: &Value| {
            let destination = state.notices.destinations.iter().find(|d| d["destinationId"] == subscription["destinationId"])?;
            let is_on = subscription["status"] == "ENABLED" && destination["status"] == "ENABLED";
            destination["deliveryConfig"]["endpoint"].as_str().filter(|_| is_on).map(str::to_owned)
        };
        let addresses: Vec<String> = state.notices.subscriptions.iter().filter_map(address).collect();
        addresses.iter().flat_map(|a| deliveries.iter().map(|d| (a.clone(), d.clone()))).collect()
    }

    pub(super) fn application_token(&self, ask: &Ask) -> Response {
        if ask.form("scope").as_deref() != Some("https://api.ebay.com/oauth/api_scope") || !ask.header("authorization").starts_with("Basic ") {
            return json(400, &value!({ "error": "invalid_scope", "error_description": "The requested scope is invalid" }));
        }
        let token = self.market.issue_token(7200);
        self.state().notices.application_tokens.insert(token.clone());
        json(200, &value!({ "access_token": token, "expires_in": 7200, "token_type": "Application Access Token" }))
    }

    pub(super) fn notification_api(&self, ask: &Ask, rest: &[&str]) -> Response {
        let token = ask.header("authorization").trim_start_matches("Bearer ").to_owned();
        let by_application = self.state().notices.application_tokens.contains(&token);
        if by_application == (rest.first() == Some(&"subscription")) {
            return error(403, 1100, "ACCESS", "Insufficient permissions to fulfill the request.");
        }
        let body = ask.json();
        let mut state = self.state();
        let notices = &mut state.notices;
        match (ask.method.as_str(), rest) {
            ("GET", ["public_key", key]) => {
                notices.keys_asked += 1;
                match *key == KEY {
                    true => {
                        drop(state);
                        json(200, &value!({ "algorithm": "ECDSA", "digest": "SHA1", "key": self.public_key() }))
                    }
                    false => no(404, 195_001, "The specified key id is invalid."),
                }
            }
            ("GET", ["config"]) => match &notices.alert_email {
                Some(email) => json(200, &value!({ "alertEmail": email })),
                None => no(404, 195_026, "Configuration Not Found."),
            },
            ("PUT", ["config"]) => match body["alertEmail"].as_str().filter(|e| e.contains('@')) {
                Some(email) => {
                    notices.alert_email = Some(email.to_owned());
                    empty(204)
                }
                None => no(400, 195_025, "Invalid alert email."),
            },
            ("GET", ["topic", TOPIC]) => {
                let payload = |version: &str, old: bool| value!({ "deliveryProtocol": "HTTPS", "deprecated": old, "format": ["JSON"], "schemaVersion": version });
                let payloads = [payload("0.9", true), payload("1.0", false)];
                json(200, &value!({ "topicId": TOPIC, "scope": "USER", "status": "ENABLED", "supportedPayloads": payloads }))
            }
            ("GET", ["destination"]) => {
                let rows = notices.destinations.clone();
                drop(state);
                self.page(ask, "destination", &rows)
            }
            ("GET", ["subscription"]) => {
                let rows = notices.subscriptions.clone();
                drop(state);
                self.page(ask, "subscription", &rows)
            }
            ("POST", ["destination"]) => notices.destination(None, &body),
            ("PUT", ["destination", id]) => notices.destination(Some(id), &body),
            ("POST", ["subscription"]) => notices.subscribe(None, &body),
            ("PUT", ["subscription", id]) => notices.subscribe(Some(id), &body),
            _ => empty(404),
        }
    }

    fn page(&self, ask: &Ask, name: &str, rows: &[Value]) -> Response {
        let limit = ask.number("limit", 20);
        if !(10..=100).contains(&limit) {
            return no(400, 195_004, "Invalid limit. Supported ranges 10 - 100.");
        }
        let from = ask.number("continuation_token", 0);
        let page: Vec<&Value> = rows.iter().skip(from).take(limit).collect();
        let mut body = value!({ "total": rows.len(), "limit": limit, "href": ask.path.join("/") });
        body[format!("{name}s")] = value!(page);
        if from + limit < rows.len() {
            body["next"] = format!("https://api.ebay.com/commerce/notification/v1/{name}?continuation_token={}&limit={limit}", from + limit).into();
        }
        json(200, &with_unknown(&self.market, body))
    }
}

impl Notices {
    /// Makes a destination, or changes one, once its address has proved that it is ours.
    fn destination(&mut self, id: Option<&str>, body: &Value) -> Response {
        let word = |place: &str| body.pointer(place).and_then(Value::as_str).unwrap_or("");
        let (endpoint, token) = (word("/deliveryConfig/endpoint"), word("/deliveryConfig/verificationToken"));
        let exists = self.destinations.iter().any(|d| d["deliveryConfig"]["endpoint"] == endpoint && id.is_none_or(|id| d["destinationId"] != *id));
        let code = format!("{:064x}", self.destinations.len() + 17);
        let answers = || self.prober.as_ref().is_none_or(|ask| ask(endpoint, &code).is_some_and(|answer| answer == expected(&code, token, endpoint)));
        match () {
            () if self.alert_email.is_none() => {
                return no(409, 195_003, "Please provide configurations required for notifications. Refer to /config");
            }
            () if !endpoint.starts_with("https://") => return no(400, 195_017, "Invalid or missing endpoint."),
            () if !["ENABLED", "DISABLED"].contains(&word("/status")) => return no(400, 195_018, "Invalid or missing destination status."),
            () if !(32..=80).contains(&token.len()) => return no(400, 195_019, "Invalid or missing verification token for this endpoint."),
            () if exists => return no(409, 195_021, "Destination exists for this endpoint"),
            () if !answers() => return no(409, 195_020, "Challenge verification failed for requested endpoint"),
            () => {}
        }
        let made = id.map_or_else(|| format!("d-{}", self.destinations.len() + 1), str::to_owned);
        let mut row = body.clone();
        row["destinationId"] = made.as_str().into();
        let known = self.destinations.iter_mut().find(|d| d["destinationId"] == made.as_str());
        match (known, id) {
            (Some(known), _) => *known = row,
            (None, None) => self.destinations.push(row),
            (None, Some(_)) => return no(404, 195_022, "Invalid or missing destination id."),
        }
        match id {
            Some(_) => empty(204),
            None => with_header(json(201, &value!({})), "location", &format!("https://api.ebay.com/commerce/notification/v1/destination/{made}")),
        }
    }

    fn subscribe(&mut self, id: Option<&str>, body: &Value) -> Response {
        let destination = self.destinations.iter().find(|d| d["destinationId"] == body["destinationId"]);
        let exists = self.subscriptions.iter().any(|s| s["topicId"] == body["topicId"]);
        match () {
            () if id.is_none() && body["topicId"] != TOPIC => return no(400, 195_027, "Invalid or missing topic id."),
            () if body["payload"]["schemaVersion"] != "1.0" => return no(400, 195_008, "Invalid or missing schema version."),
            () if body["payload"]["deliveryProtocol"] != "HTTPS" => return no(400, 195_010, "Invalid or missing protocol"),
            () if destination.is_none() => return no(400, 195_007, "Invalid or missing destination id."),
            () if destination.is_some_and(|d| d["status"] != "ENABLED") => {
                return no(409, 195_015, "The subscription cannot be enabled since the destination is not enabled.");
            }
            () if id.is_none() && exists => return no(409, 195_012, "Subscription already exists"),
            () => {}
        }
        let mut row = body.clone();
        match id {
            None => {
                let id = format!("s-{}", self.subscriptions.len() + 1);
                row["subscriptionId"] = id.as_str().into();
                self.subscriptions.push(row);
                with_header(json(201, &value!({})), "location", &format!("https://api.ebay.com/commerce/notification/v1/subscription/{id}"))
            }
            Some(id) => match self.subscriptions.iter_mut().find(|s| s["subscriptionId"] == *id) {
                Some(known) => {
                    (row["subscriptionId"], row["topicId"]) = (id.into(), known["topicId"].take());
                    *known = row;
                    empty(204)
                }
                None => no(404, 195_013, "The subscription id does not exist."),
            },
        }
    }
}

/// What an address must answer: hexadecimal SHA-256 of the code, the token and the address.
fn expected(code: &str, token: &str, endpoint: &str) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::new().chain_update(code).chain_update(token).chain_update(endpoint).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
