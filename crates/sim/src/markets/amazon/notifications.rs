//! Amazon's Notifications API: destinations in AWS, which belong to the application and want its own token, and one subscription
//! for each kind of notice, which belongs to the seller. Orders are told to queues only.

use super::{Amazon, error};
use crate::markets::Delivery;
use crate::markets::ask::{Ask, json};
use axum::response::Response;
use serde_json::{Value, json as value};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of notices that go to queues and not to EventBridge.
const QUEUES_ONLY: [&str; 2] = ["ORDER_CHANGE", "FULFILLMENT_ORDER_STATUS"];

#[derive(Default)]
pub(super) struct Notifications {
    application_tokens: BTreeSet<String>,
    destinations: Vec<Value>,
    /// By the kind of notice.
    subscriptions: BTreeMap<String, Value>,
    made: u64,
}

impl Amazon {
    /// The destination of each kind of notice that is subscribed to.
    pub fn subscriptions(&self) -> BTreeMap<String, Value> {
        let state = self.state();
        let kept = &state.notifications;
        let place = |s: &Value| kept.destinations.iter().find(|d| d["destinationId"] == s["destinationId"]).map(|d| d["resource"].clone());
        kept.subscriptions.iter().filter_map(|(kind, s)| Some((kind.clone(), place(s)?))).collect()
    }

    pub fn forget_subscriptions(&self) {
        self.state().notifications.subscriptions.clear();
    }

    /// How many destinations there are.
    pub fn destinations(&self) -> usize {
        self.state().notifications.destinations.len()
    }

    /// What happened since the last call, if it is to be told.
    pub fn told(&self, secret: &str) -> Vec<Delivery> {
        let deliveries = self.deliveries(secret);
        if self.subscriptions().contains_key("ORDER_CHANGE") { deliveries } else { Vec::new() }
    }

    pub(super) fn application_token(&self, ask: &Ask) -> Response {
        let right = ask.form("scope").as_deref() == Some("sellingpartnerapi::notifications");
        if !right || ["client_id", "client_secret"].iter().any(|n| ask.form(n).is_none()) {
            return json(400, &value!({ "error": "invalid_scope", "error_description": "The requested scope is invalid" }));
        }
        let token = self.market.issue_token(3600);
        self.state().notifications.application_tokens.insert(token.clone());
        json(200, &value!({ "access_token": token, "token_type": "bearer", "expires_in": 3600 }))
    }

    pub(super) fn notifications(&self, ask: &Ask, rest: &[&str]) -> Response {
        let mut state = self.state();
        let kept = &mut state.notifications;
        let by_application = kept.application_tokens.contains(ask.header("x-amz-access-token"));
        let wants_application = rest.first() == Some(&"destinations") || rest.len() == 3;
        if by_application != wants_application {
            return error(403, "Unauthorized", "Access to requested resource is denied.");
        }
        kept.made += 1;
        let made = kept.made;
        let body = ask.json();
        match (ask.method.as_str(), rest) {
            ("GET", ["destinations"]) => json(200, &value!({ "payload": kept.destinations })),
            ("POST", ["destinations"]) => {
                let mut resource = body["resourceSpecification"].clone();
                if kept.destinations.iter().any(|d| d["name"] == body["name"]) {
                    return error(409, "Conflict", "A destination of this name exists");
                }
                if let Some(bridge) = resource.get_mut("eventBridge").filter(|b| b.is_object()) {
                    bridge["name"] = "aws.partner/sellingpartnerapi.amazon.com/app".into();
                }
                let made = value!({ "destinationId": format!("d-{made}"), "name": body["name"], "resource": resource });
                kept.destinations.push(made.clone());
                json(200, &value!({ "payload": made }))
            }
            ("GET", ["subscriptions", kind]) => match kept.subscriptions.get(*kind) {
                Some(found) => json(200, &value!({ "payload": found })),
                None => error(404, "NotFound", "No subscription of this type exists"),
            },
            ("POST", ["subscriptions", kind]) => {
                let Some(destination) = kept.destinations.iter().find(|d| d["destinationId"] == body["destinationId"]) else {
                    return error(400, "InvalidInput", "The destination does not exist");
                };
                if destination["resource"]["sqs"].is_null() && QUEUES_ONLY.contains(kind) {
                    let detail = format!("Notification type {kind} does not support AWS_EVENT_BRIDGE");
                    return json(
                        400,
                        &value!({ "errors": [{ "code": "InvalidInput", "message": "Request has invalid parameters", "details": detail }] }),
                    );
                }
                if kept.subscriptions.contains_key(*kind) {
                    return error(409, "Conflict", "A subscription of this type exists");
                }
                let made = value!({ "subscriptionId": format!("s-{made}"), "payloadVersion": body["payloadVersion"], "destinationId": body["destinationId"] });
                kept.subscriptions.insert((*kind).to_owned(), made.clone());
                json(200, &value!({ "payload": made }))
            }
            ("DELETE", ["subscriptions", kind, id]) => match kept.subscriptions.get(*kind).is_some_and(|s| s["subscriptionId"] == *id) {
                true => {
                    kept.subscriptions.remove(*kind);
                    json(200, &value!({}))
                }
                false => error(404, "NotFound", "No such subscription"),
            },
            _ => error(404, "NotFound", "it does not exist"),
        }
    }
}
