//! ShipBob, a warehouse for hire (API 2026-01). An order is named by our own reference, which is used once in a channel.

mod subscribe;

use crate::account::{Account, Setting, Work};
use crate::marketplace::{Page, Rejected};
use crate::read::{escape, json, rows, text, time, whole};
use crate::standard_webhooks;
use crate::transport::{Fault, Limit, Request, Response, Wire};
use crate::warehouse::{HandOver, Handed, HandedState, Held, Parcel, Warehouse};
use serde_json::{Value, json};

/// The warehouse.
pub struct ShipBob;

const ORDER: &str = "/2026-01/order";
const LEVELS: &str = "/2026-01/inventory-level";
/// The British spelling, as ShipBob writes it.
const CANCELED: &str = concat!("Cancel", "led");

fn get(what: &'static str, path: String) -> Request {
    Request { what, method: "GET", path, headers: Vec::new(), body: None, repeatable: true }
}

const SETTINGS: &[Setting] = &[
    Setting { name: "token", help: "Personal Access Token", secret: true },
    Setting { name: "channel_id", help: "of the channel with write scope", secret: false },
    Setting { name: "service", help: "the shipping method that orders name; Standard if empty", secret: false },
    Setting { name: "webhook_secret", help: "whsec_…; several apart by spaces while they are being changed", secret: true },
];

impl Account for ShipBob {
    fn word(&self) -> &'static str {
        "shipbob"
    }

    fn name(&self) -> &'static str {
        "ShipBob"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn sign_in(&self, _setting: &dyn Fn(&str) -> String) -> Option<Request> {
        None
    }

    fn headers(&self, setting: &dyn Fn(&str) -> String, _token: &str) -> Vec<(&'static str, String)> {
        vec![
            ("accept", "application/json".into()),
            ("authorization", format!("Bearer {}", setting("token"))),
            ("shipbob_channel_id", setting("channel_id")),
        ]
    }

    fn fault(&self, answer: &Response) -> Option<Fault> {
        crate::read::fault(answer, &["/title"], &["/detail"])
    }

    /// About 150 calls in any minute for the whole account: never more than 30 at once and two a second after them.
    fn limit(&self, _what: &'static str, answer: Option<&Response>) -> Option<Limit> {
        answer.is_none().then_some(Limit { bucket: "account", per_second: 2.0, burst: 30.0, cost: 1.0, keep: 0.0, left: None })
    }

    fn check<'a>(&'a self, wire: &'a Wire) -> Work<'a, String> {
        Box::pin(channel(wire))
    }
}

impl Warehouse for ShipBob {
    fn service(&self) -> &'static str {
        "Standard"
    }

    fn hand_over<'a>(&'a self, wire: &'a Wire, order: &'a HandOver) -> Work<'a, String> {
        Box::pin(hand_over(wire, order))
    }

    fn follow<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, Handed> {
        Box::pin(async move {
            let answer = json(&wire.send(get("get-order", format!("{ORDER}/{}", escape(id)))).await?)?;
            read(&answer).ok_or_else(|| Fault::NotUnderstood { detail: format!("order {id} without its id") })
        })
    }

    fn cancel<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, bool> {
        Box::pin(async move {
            let path = format!("{ORDER}/{}:cancel", escape(id));
            let request = Request { method: "POST", ..get("cancel-order", path) };
            let answer = json(&wire.send(request).await?)?;
            Ok(text(&answer, "/status").as_deref() == Some("Success"))
        })
    }

    fn stock<'a>(&'a self, wire: &'a Wire, page: Option<String>) -> Work<'a, Page<Held>> {
        Box::pin(stock(wire, page))
    }

    fn subscribe<'a>(&'a self, wire: &'a Wire, address: &'a str) -> Work<'a, Vec<String>> {
        Box::pin(subscribe::subscribe(wire, address))
    }

    /// Orders are spoken of by `order_id`, wherever a topic has it.
    fn notice(&self, secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Vec<String>, Rejected> {
        standard_webhooks::verify(&secrets("webhook_secret").unwrap_or_default(), headers, body, now)?;
        let notice: Value = serde_json::from_slice(body).map_err(|e| Rejected::NotUnderstood(e.to_string()))?;
        let mut orders = Vec::new();
        order_ids(&notice, &mut orders);
        Ok(orders)
    }
}

async fn channel(wire: &Wire) -> Result<String, Fault> {
    let answer = json(&wire.send(get("get-channels", "/2026-01/channel?RecordsPerPage=250".into())).await?)?;
    let wanted = wire.setting("channel_id");
    let mine = rows(&answer, "/items").iter().find(|c| text(c, "/id").as_deref() == Some(wanted));
    let detail = format!("this token does not reach channel {wanted}");
    let mine = mine.ok_or(Fault::Refused { status: 404, code: "no_such_channel".into(), detail })?;
    Ok(text(mine, "/name").unwrap_or_else(|| wanted.to_owned()))
}

/// The reference is taken once, so a second try is refused, and then looked up.
async fn hand_over(wire: &Wire, order: &HandOver) -> Result<String, Fault> {
    let refused = |code: &str, detail: String| Err(Fault::Refused { status: 400, code: code.into(), detail });
    if order.reference.is_empty() || order.reference.contains(',') {
        return refused("reference", "a reference is not empty and has no comma".into());
    }
    let to = &order.ship_to;
    let needed = [("name", &to.name), ("address1", &to.address1), ("city", &to.city)];
    if let Some((field, _)) = needed.iter().find(|(_, value)| value.is_none()) {
        return refused("address_incomplete", format!("the address has no {field}"));
    }
    let products = order.lines.iter().map(|line| json!({ "reference_id": line.sku, "sku": line.sku, "name": line.name, "quantity": line.quantity }));
    let address = json!({
        "address1": to.address1, "address2": to.address2, "city": to.city, "company_name": to.company,
        "country": to.country, "state": to.province, "zip_code": to.postal_code,
    });
    let body = json!({
        "reference_id": order.reference,
        "order_number": order.number,
        "type": "DTC",
        "shipping_method": order.service,
        "recipient": { "name": to.name, "email": to.email, "phone_number": to.phone, "address": address },
        "products": products.collect::<Vec<_>>(),
    });
    let body = Some(("application/json", body.to_string().into_bytes()));
    let request = Request { method: "POST", body, ..get("create-order", ORDER.into()) };
    let fault = match wire.send(request).await {
        Ok(answer) => match json(&answer).ok().and_then(|order| text(&order, "/id")) {
            Some(id) => return Ok(id),
            None => Fault::Lost { detail: "the answer to an order has no id".into() },
        },
        Err(fault) => fault,
    };
    match &fault {
        Fault::Refused { .. } => match find(wire, &order.reference).await {
            Ok(Some(id)) => Ok(id),
            Ok(None) => Err(fault),
            Err(_) => Err(Fault::Lost { detail: "whether the order was taken is not known yet".into() }),
        },
        Fault::Lost { .. } | Fault::NotUnderstood { .. } => find(wire, &order.reference).await.ok().flatten().ok_or(fault),
        _ => Err(fault),
    }
}

async fn find(wire: &Wire, reference: &str) -> Result<Option<String>, Fault> {
    let answer = json(&wire.send(get("get-orders", format!("{ORDER}?Limit=250&ReferenceIds={}", escape(reference)))).await?)?;
    let found = rows(&answer, "").iter().find(|o| text(o, "/reference_id").as_deref() == Some(reference));
    Ok(found.and_then(|order| text(order, "/id")))
}

fn read(order: &Value) -> Option<Handed> {
    let word = text(order, "/status").unwrap_or_default();
    let state = match word.as_str() {
        "Processing" | "PartiallyFulfilled" => HandedState::Working,
        "Fulfilled" => HandedState::Shipped,
        CANCELED => HandedState::Canceled,
        "Exception" | "ImportReview" => HandedState::Stuck(reason(order).unwrap_or(word)),
        _ => HandedState::Other(word),
    };
    let shipments = rows(order, "/shipments");
    // A label alone is no parcel on its way.
    let left = shipments.iter().filter(|s| text(s, "/status").as_deref() == Some("Completed"));
    let parcel = |shipment: &Value| {
        Some(Parcel {
            id: text(shipment, "/id")?,
            carrier: text(shipment, "/tracking/carrier"),
            tracking_number: text(shipment, "/tracking/tracking_number"),
            shipped_at: time(shipment, "/actual_fulfillment_date"),
            lines: lines(order, shipment, shipments.len() == 1),
        })
    };
    let reference = text(order, "/reference_id").unwrap_or_default();
    Some(Handed { id: text(order, "/id")?, reference, state, parcels: left.filter_map(parcel).collect() })
}

/// Why a shipment is stuck, in ShipBob's words.
fn reason(order: &Value) -> Option<String> {
    rows(order, "/shipments").iter().flat_map(|s| rows(s, "/status_details")).find_map(|d| text(d, "/description").or_else(|| text(d, "/name")))
}

/// What is in a parcel. Units are told only of a product's parts, so a product of several parts is counted by the order,
/// and left out where the order went in several parcels.
fn lines(order: &Value, shipment: &Value, is_alone: bool) -> Vec<(String, i64)> {
    let line = |product: &Value| {
        let sku = text(product, "/reference_id").or_else(|| text(product, "/sku"))?;
        let quantity = match rows(product, "/inventory_items") {
            [one] => whole(one, "/quantity"),
            _ if is_alone => {
                let ordered = rows(order, "/products").iter().find(|p| text(p, "/reference_id").as_ref() == Some(&sku));
                ordered.and_then(|p| whole(p, "/quantity"))
            }
            _ => None,
        };
        Some((sku, quantity?))
    };
    rows(shipment, "/products").iter().filter_map(line).collect()
}

/// The next page is named by a link; only its query is kept, and it is asked for at the address of this account.
async fn stock(wire: &Wire, page: Option<String>) -> Result<Page<Held>, Fault> {
    let query = page.unwrap_or_else(|| "PageSize=100".into());
    let answer = json(&wire.send(get("get-all-inventory-levels", format!("{LEVELS}?{query}"))).await?)?;
    let next = text(&answer, "/next").and_then(|link| link.split_once('?').map(|(_, query)| query.to_owned()));
    let mut found = Page { rows: Vec::new(), next: next.filter(|next| *next != query), unread: Vec::new() };
    for row in rows(&answer, "/items") {
        let held = || {
            let on_hand = whole(row, "/total_on_hand_quantity")?;
            Some(Held { id: text(row, "/inventory_id")?, sku: text(row, "/sku")?, on_hand, available: whole(row, "/total_sellable_quantity")? })
        };
        match held() {
            Some(held) => found.rows.push(held),
            None => {
                let why = "it lacks inventory_id, sku or its quantities".to_owned();
                found.unread.push((text(row, "/inventory_id").unwrap_or_default(), why, row.to_string()));
            }
        }
    }
    Ok(found)
}

fn order_ids(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match text(inner, "").filter(|_| name == "order_id") {
                    Some(id) if !found.contains(&id) => found.push(id),
                    _ => order_ids(inner, found),
                }
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| order_ids(row, found)),
        _ => {}
    }
}
