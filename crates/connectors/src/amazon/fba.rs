//! Amazon's own warehouses: what is in them (FBA Inventory), and orders from elsewhere that they send (Fulfillment
//! Outbound 2026-07-04). It goes over the same [`Wire`] as the marketplace.

use super::{Amazon, get, marketplace};
use crate::account::{Account, Setting, Work};
use crate::marketplace::{Notice, Page, Rejected};
use crate::read::{CANCELED, escape, json, rows, text, time, whole};
use crate::transport::{Fault, Limit, Request, Response, Wire};
use crate::warehouse::{HandOver, Handed, HandedState, Held, Parcel, Warehouse};
use serde_json::{Value, json};

/// The warehouse.
pub struct Fba;

/// How often a reading of the whole stock begins anew when Amazon forgot where it was.
const READINGS: usize = 3;
const ORDERS: &str = "/fulfillment/outbound/2026-07-04/orders";

/// The seller's account, by another name.
impl Account for Fba {
    fn word(&self) -> &'static str {
        "amazon-fba"
    }

    fn name(&self) -> &'static str {
        "Amazon multi-channel fulfillment"
    }

    fn settings(&self) -> &'static [Setting] {
        Amazon.settings()
    }

    fn sign_in(&self, setting: &dyn Fn(&str) -> String) -> Option<Request> {
        Amazon.sign_in(setting)
    }

    fn headers(&self, setting: &dyn Fn(&str) -> String, token: &str) -> Vec<(&'static str, String)> {
        Amazon.headers(setting, token)
    }

    fn fault(&self, answer: &Response) -> Option<Fault> {
        Amazon.fault(answer)
    }

    fn limit(&self, what: &'static str, answer: Option<&Response>) -> Option<Limit> {
        Amazon.limit(what, answer)
    }

    fn check<'a>(&'a self, wire: &'a Wire) -> Work<'a, String> {
        Amazon.check(wire)
    }
}

impl Warehouse for Fba {
    fn service(&self) -> &'static str {
        "STANDARD"
    }

    /// The order's name at Amazon is our own reference, so a second try meets the first.
    fn hand_over<'a>(&'a self, wire: &'a Wire, order: &'a HandOver) -> Work<'a, String> {
        Box::pin(hand_over(wire, order))
    }

    fn follow<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, Handed> {
        Box::pin(async move {
            let answer = json(&wire.send(get("getOrder.outbound", format!("{ORDERS}/{}?shipments=INCLUDE", escape(id)))).await?)?;
            read(&answer["order"]).ok_or_else(|| Fault::NotUnderstood { detail: format!("order {id} without its id") })
        })
    }

    /// Amazon only promises to try: whether it stopped is to be followed.
    fn cancel<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, bool> {
        Box::pin(async move {
            let request = Request {
                what: "cancelOrder",
                method: "PUT",
                path: format!("{ORDERS}/{}/cancel", escape(id)),
                headers: Vec::new(),
                body: None,
                repeatable: true,
            };
            wire.send(request).await?;
            let now = self.follow(wire, id).await?;
            Ok(now.state == HandedState::Canceled && now.parcels.is_empty())
        })
    }

    /// One page. The name of the next one lives 30 seconds: see [`all_stock`].
    fn stock<'a>(&'a self, wire: &'a Wire, page: Option<String>) -> Work<'a, Page<Held>> {
        Box::pin(stock(wire, page))
    }

    fn subscribe<'a>(&'a self, wire: &'a Wire, address: &'a str) -> Work<'a, Vec<String>> {
        Box::pin(super::notifications::subscribe(wire, address, "FULFILLMENT_ORDER_STATUS"))
    }

    fn notice(&self, secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Vec<String>, Rejected> {
        super::is_ours(secrets, headers)?;
        let event: Value = serde_json::from_slice(body).map_err(|e| Rejected::NotUnderstood(e.to_string()))?;
        let event = event.get("detail").unwrap_or(&event);
        match super::notification(event, now)? {
            Notice::Other(kind) if kind == "FULFILLMENT_ORDER_STATUS" => {
                Ok(text(event, "/Payload/FulfillmentOrderStatusNotification/SellerFulfillmentOrderId").into_iter().collect())
            }
            _ => Ok(Vec::new()),
        }
    }
}

async fn hand_over(wire: &Wire, order: &HandOver) -> Result<String, Fault> {
    let to = &order.ship_to;
    let needed = [("name", &to.name), ("address1", &to.address1), ("postal_code", &to.postal_code)];
    if let Some((field, _)) = needed.iter().find(|(_, value)| value.is_none()) {
        return Err(Fault::Refused { status: 400, code: "address_incomplete".into(), detail: format!("the address has no {field}") });
    }
    let lines = order.lines.iter().enumerate().map(|(n, line)| {
        json!({
            "lineItemId": (n + 1).to_string(),
            "product": { "productIdentifier": { "amazonSku": line.sku } },
            "amount": { "unit": "EACHES", "value": line.quantity.to_string() },
        })
    });
    let mut address = json!({ "name": to.name, "addressLine1": to.address1, "postalCode": to.postal_code, "countryCode": to.country });
    for (field, value) in [("addressLine2", &to.address2), ("city", &to.city), ("stateOrRegion", &to.province), ("phone", &to.phone)] {
        if let Some(value) = value {
            address[field] = value.as_str().into();
        }
    }
    let body = json!({
        "orderId": order.reference,
        "destination": { "deliveryAddress": address },
        "lineItems": lines.collect::<Vec<_>>(),
        "fulfillmentConfiguration": { "serviceLevel": { "serviceTiers": [order.service] } },
    });
    let body = Some(("application/json", body.to_string().into_bytes()));
    let request = Request { what: "createOrder", method: "POST", path: ORDERS.into(), headers: Vec::new(), body, repeatable: true };
    match wire.send(request).await {
        Ok(_) => Ok(order.reference.clone()),
        // Perhaps an earlier try was heard: then it is there under this very name.
        Err(fault @ Fault::Refused { status: 400..=499, .. }) => match Fba.follow(wire, &order.reference).await {
            Ok(_) => Ok(order.reference.clone()),
            Err(Fault::Refused { .. }) => Err(fault),
            // Not known whether it is there; asking again tells.
            Err(_) => Err(Fault::Lost { detail: "whether the order was taken is not known yet".into() }),
        },
        Err(fault) => Err(fault),
    }
}

fn read(order: &Value) -> Option<Handed> {
    let id = text(order, "/orderId")?;
    let state = match text(order, "/status").unwrap_or_default().as_str() {
        "PROCESSING" => HandedState::Working,
        "COMPLETE" => HandedState::Shipped,
        CANCELED => HandedState::Canceled,
        word @ ("COMPLETE_PARTIAL" | "UNFULFILLABLE" | "INVALID") => HandedState::Stuck(word.to_owned()),
        word => HandedState::Other(word.to_owned()),
    };
    let mut parcels = Vec::new();
    for shipment in rows(order, "/shipments").iter().filter(|s| text(s, "/status").as_deref() == Some("SHIPPED")) {
        let items = rows(shipment, "/items");
        let packages = rows(shipment, "/packages");
        let lines_of = |package: Option<&str>| -> Vec<(String, i64)> {
            let here = items.iter().filter(|i| package.is_none() || text(i, "/packageId").as_deref() == package);
            here.filter_map(|i| Some((text(i, "/productIdentifier/amazonSku")?, whole(i, "/amount/value")?))).collect()
        };
        let parcel = |package: Option<&Value>, id: String, lines| {
            let tracking = |field: &str| package.and_then(|p| text(p, &format!("/tracking/{field}")));
            Parcel {
                id,
                carrier: tracking("carrier/carrierCode"),
                tracking_number: tracking("carrier/trackingNumber").or_else(|| tracking("amazon/trackingNumber")),
                shipped_at: time(shipment, "/shipTime"),
                lines,
            }
        };
        match packages {
            // Items need not say in which package they are.
            [] | [_] => parcels.push(parcel(packages.first(), text(shipment, "/amazonShipmentId").unwrap_or_default(), lines_of(None))),
            several => {
                for package in several {
                    let id = text(package, "/packageId").unwrap_or_default();
                    parcels.push(parcel(Some(package), id.clone(), lines_of(Some(&id))));
                }
            }
        }
    }
    Some(Handed { reference: id.clone(), id, state, parcels })
}

async fn stock(wire: &Wire, page: Option<String>) -> Result<Page<Held>, Fault> {
    let marketplace = escape(marketplace(wire));
    let mut path =
        format!("/fba/inventory/v1/summaries?details=true&granularityType=Marketplace&granularityId={marketplace}&marketplaceIds={marketplace}");
    if let Some(token) = &page {
        path.push_str(&format!("&nextToken={}", escape(token)));
    }
    let answer = json(&wire.send(get("getInventorySummaries", path)).await?)?;
    let mut found = Page { rows: Vec::new(), next: text(&answer, "/pagination/nextToken"), unread: Vec::new() };
    for row in rows(&answer, "/payload/inventorySummaries") {
        let held = || {
            let available = whole(row, "/inventoryDetails/fulfillableQuantity")?;
            Some(Held { id: text(row, "/fnSku")?, sku: text(row, "/sellerSku")?, on_hand: whole(row, "/totalQuantity")?, available })
        };
        match held() {
            Some(held) => found.rows.push(held),
            None => {
                found.unread.push((
                    text(row, "/sellerSku").unwrap_or_default(),
                    "it lacks fnSku, sellerSku, totalQuantity or its details".into(),
                    row.to_string(),
                ));
            }
        }
    }
    Ok(found)
}

/// The whole stock in one go, as the names of pages do not live long enough to be kept. Begins anew when one was forgotten.
pub async fn all_stock(wire: &Wire) -> Result<Page<Held>, Fault> {
    let mut readings = 0;
    loop {
        let mut all = Page { rows: Vec::new(), next: None, unread: Vec::new() };
        let ended = loop {
            match stock(wire, all.next.take()).await {
                Ok(page) => {
                    all.rows.extend(page.rows);
                    all.unread.extend(page.unread);
                    all.next = page.next;
                    if all.next.is_none() {
                        break Ok(());
                    }
                }
                Err(fault) => break Err(fault),
            }
        };
        readings += 1;
        match ended {
            Ok(()) => return Ok(all),
            Err(Fault::Refused { status: 400, .. }) if !all.rows.is_empty() && readings < READINGS => {}
            Err(fault) => return Err(fault),
        }
    }
}
