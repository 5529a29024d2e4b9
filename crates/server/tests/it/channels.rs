//! Channels: connected, sold on, told; exceptions solved; webhooks that are ours and that are not.

use crate::support::{Site, on_both};
use engine::Command;
use engine::channels::listings::{ListedRow, PutListings};
use engine::db::Conn;
use serde_json::{Value, json};
use sim::markets::market::Listing;
use sim::markets::{Market, Served, serve, shopify::Shopify};
use std::sync::Arc;

/// A site with 30 lamps, and a simulated shop that lists the lamp and a pack of six of them.
fn shop(site: &Site) -> (Arc<Market>, Arc<Shopify>, Served) {
    site.locations(&[("LON", json!({}))]);
    site.item("LAMP", json!({}), "LON 30");
    let time = site.time.clone();
    let market = Market::with_clock(5, Arc::new(move || time.now()));
    for (id, sku) in [("101", "LAMP"), ("102", "LAMP-6")] {
        market.list(Listing { id: id.into(), sku: sku.into(), title: sku.into(), price: 999, ..Listing::default() });
    }
    let front = Arc::new(Shopify::new(market.clone()));
    let served = site.block_on(serve(front.clone().router())).unwrap();
    (market, front, served)
}

fn connection(served: &Served) -> Value {
    json!({
        "code": "shop", "kind": "shopify", "name": "Our shop", "address": served.address,
        "settings": { "access_token": "shpat_simulated", "client_secret": "hush", "location": "1", "poll_seconds": "5" }
    })
}

fn orders(site: &Site) -> Vec<Value> {
    site.get("/orders?channel=shop")["data"].as_array().unwrap().clone()
}

#[test]
fn a_channel_is_connected_with_what_it_needs_and_shows_no_secret() {
    on_both(|url| {
        let site = Site::new(url);
        let (_, _, served) = shop(&site);
        let with = |field: &str, value: Value| {
            let mut body = connection(&served);
            body[field] = value;
            site.call("POST /channels", body).told()
        };
        assert_eq!(with("kind", json!("nowhere")), "422 invalid_field");
        assert_eq!(with("address", json!("http://shop.example")), "422 invalid_field");
        assert_eq!(with("settings", json!({"acess_token": "x"})), "400 unknown_field");
        assert_eq!(with("policy", json!({"percent": 101})), "422 invalid_field");
        assert_eq!(site.get("/channels/kinds")["data"].as_array().unwrap().len(), 5);
        assert_eq!(site.call("POST /channels", connection(&served)).told(), "201");
        assert_eq!(site.call("POST /channels", connection(&served)).told(), "409 channel_exists");
        let shown = format!("{} {}", site.get("/channels"), site.get("/events"));
        assert!(shown.contains("\"location\"") && !shown.contains("shpat_") && !shown.contains("hush"), "{shown}");
        assert!(site.ok("POST /channels/shop/check", Value::Null)["account"].is_string());
        assert_eq!(site.call("GET /channels/other", Value::Null).told(), "404 unknown_channel");
    });
}

#[test]
fn orders_come_in_and_what_happens_to_them_is_told() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, front, served) = shop(&site);
        site.ok("POST /channels", connection(&served));
        site.work();
        site.until("the lamp is for sale", || market.shown("101").filter(|shown| *shown > 0));

        // A webhook is taken by its signature only.
        market.events();
        market.buy("101", 2).unwrap();
        let delivery = front.delivery(&market.events()[0]);
        let headers = |secret: bool| -> Vec<(String, String)> {
            let change = |(name, value): &(String, String)| {
                let wrong = !secret && name.contains("hmac");
                (name.clone(), if wrong { value.chars().rev().collect() } else { value.clone() })
            };
            delivery.headers.iter().map(change).chain([("authorization".into(), String::new())]).collect()
        };
        let send = |path: &str, secret: bool| {
            let headers = headers(secret);
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            site.send(&format!("POST /webhooks/{path}"), delivery.body.clone(), &headers).told()
        };
        assert_eq!((send("shop", false).as_str(), send("other", true).as_str()), ("401 signature_invalid", "401 signature_invalid"));
        assert_eq!(send("shop", true), "200");
        assert_eq!(send("shop", true), "200");
        let order = site.until("the order is here", || orders(&site).into_iter().next());
        assert_eq!((&order["lines"][0]["sku"], &order["lines"][0]["quantity"], orders(&site).len()), (&json!("LAMP"), &json!(2), 1));

        // What leaves is told there; what is canceled here is canceled there.
        let fulfillment = order["fulfillments"][0]["id"].as_str().unwrap().to_owned();
        site.ok(&format!("POST /fulfillments/{fulfillment}/ship"), json!({"carrier": "DHL", "tracking_number": "T1"}));
        let first = market.orders_since(0)[0].id.clone();
        site.until("the shop knows that it left", || market.order(&first).filter(|o| o.is_shipped()));
        let second = market.buy("101", 1).unwrap();
        let order = site.until("the second order is here", || orders(&site).into_iter().find(|o| o["status"] == "open"));
        site.ok(&format!("POST /orders/{}/cancel", order["id"].as_str().unwrap()), json!({"reason": "torn"}));
        site.until("the shop knows that it is canceled", || market.order(&second).and_then(|o| o.canceled_at));
        site.until("its unit can be sold again", || (site.stock("LAMP") == "available 28").then_some(()));
        site.verify();
    });
}

#[test]
fn what_the_listings_of_a_channel_add_up_to_is_kept_with_them_and_checked() {
    on_both(|url| {
        let site = Site::new(url);
        let (_, _, served) = shop(&site);
        site.ok("POST /channels", connection(&served));
        let channel = crate::lists::config(&site).channel_by_code("shop").unwrap().id;
        let row = |sku: &str, shown| ListedRow { external: sku.into(), sku: Some(sku.into()), barcode: None, title: sku.into(), shown };
        let rows = vec![row("LAMP", Some(3)), row("LAMP-6", Some(1)), row("CUP", None)];
        site.engine.submit_blocking(Command::PutListings(PutListings { channel, rows, asked_at: site.time.now() }), "test").unwrap();
        let figures = || {
            let shop = site.get("/channels/shop");
            ["listings", "mapped", "refused", "queue"].map(|name| shop[name].as_i64().unwrap())
        };
        assert_eq!(figures(), [3, 1, 0, 1]);
        let six = site.get("/channels/shop/listings")["data"].as_array().unwrap().iter().find(|l| l["sku"] == "LAMP-6").unwrap()["id"].clone();
        site.ok(&format!("POST /listings/{}", six.as_str().unwrap()), json!({"sku": "LAMP", "units_per_listing": 6}));
        let after = figures();
        assert_eq!(after, [3, 2, 0, 2]);

        let told = || engine::verify(&site.url, |_| {}).unwrap().told;
        assert_eq!(told(), [""; 0]);
        let mut conn = Conn::open(&site.url).unwrap();
        // A database of before gets the same from its listings.
        let (_, _, migration) = engine::db::MIGRATIONS.iter().find(|(_, name, _)| *name == "listing_sums").unwrap();
        conn.batch(&format!("DELETE FROM listing_sums; {}", &migration[migration.find("INSERT INTO").unwrap()..])).unwrap();
        assert_eq!((told(), figures()), (Vec::new(), after));
        conn.batch("UPDATE listing_sums SET exposure = exposure + 1 WHERE channel <> 0").unwrap();
        let told = told();
        assert!(told.len() == 1 && told[0].contains("they add up to"), "{told:?}");
    });
}

#[test]
fn an_order_for_an_unmapped_listing_waits_for_a_person() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, _, served) = shop(&site);
        site.ok("POST /channels", connection(&served));
        site.work();
        site.until("the lamp is for sale", || market.shown("101").filter(|shown| *shown > 0));
        market.edit_behind_our_back("102", 3);
        market.buy("102", 1).unwrap();
        let open = || site.get("/exceptions")["data"].as_array().unwrap().clone();
        let exception = site.until("an exception is open", || open().into_iter().next());
        assert_eq!((&exception["kind"], &exception["severity"]), (&json!("unmapped"), &json!("warning")));
        let id = exception["id"].as_str().unwrap();
        let detail = site.get(&format!("/exceptions/{id}"));
        assert!(detail["payload"].as_str().unwrap().contains("LAMP-6"), "{detail}");
        assert_eq!(site.call(&format!("POST /exceptions/{id}"), json!({"action": "retry"})).body["open"], true);
        site.ok(&format!("POST /exceptions/{id}"), json!({"action": "assign", "owner": "Ada"}));

        let listings = site.get("/channels/shop/listings")["data"].as_array().unwrap().clone();
        let pack = listings.iter().find(|l| l["sku"] == "LAMP-6").unwrap()["id"].as_str().unwrap().to_owned();
        assert_eq!(site.call(&format!("POST /listings/{pack}"), json!({"sku": "NONE"})).told(), "404 unknown_item");
        site.ok(&format!("POST /listings/{pack}"), json!({"sku": "LAMP", "units_per_listing": 6}));
        site.call(&format!("POST /exceptions/{id}"), json!({"action": "retry"}));
        let order = site.until("the order is here", || orders(&site).into_iter().next());
        assert_eq!(
            (&order["lines"][0]["sku"], &order["lines"][0]["quantity"], &order["total"]["amount"]),
            (&json!("LAMP"), &json!(1), &json!("9.99"))
        );
        assert_eq!(crate::support::fulfillments(&order), "LON: LAMP 6", "one pack is six lamps");
        site.until("the exception is solved", || open().iter().all(|e| e["kind"] != "unmapped").then_some(()));
        assert_eq!(site.call(&format!("POST /exceptions/{id}"), json!({"action": "dismiss"})).told(), "422 invalid_field");

        // What would be sent can be looked at without sending it.
        site.until("the lamp is for sale again", || market.shown("101").filter(|shown| *shown > 0));
        site.ok("POST /channels/shop/pause", json!({}));
        let shown = market.shown("101").unwrap();
        site.ok("POST /stock/adjust", json!({"location": "LON", "reason": "broken", "lines": [{"sku": "LAMP", "delta": -24}]}));
        site.time.advance(5);
        assert_eq!(market.shown("101"), Some(shown));
        site.ok("POST /channels/shop/resume", json!({}));
        site.until("the channel heard that none is left", || market.shown("101").filter(|now| *now == 0));
        site.verify();
    });
}

#[test]
fn a_copy_of_a_webhook_is_not_acted_on_again() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, front, served) = shop(&site);
        site.ok("POST /channels", connection(&served));
        // Nobody works for the channel: whatever it is asked, it is asked because of a webhook.
        market.edit_behind_our_back("101", 5);
        let order = market.buy("101", 1).unwrap();
        let deliver = |copies: usize| {
            for event in market.events() {
                let delivery = front.delivery(&event);
                let headers: Vec<(&str, &str)> =
                    delivery.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain([("authorization", "")]).collect();
                for _ in 0..copies {
                    assert_eq!(site.send("POST /webhooks/shop", delivery.body.clone(), &headers).told(), "200");
                }
            }
            market.truth().requests
        };
        let asked = deliver(10);
        assert!((1..=2).contains(&asked), "asked {asked} times for ten copies");
        assert_eq!(orders(&site).len(), 1);
        market.cancel(&order, true).unwrap();
        assert!(deliver(3) > asked, "news is no copy");
        assert_eq!(orders(&site)[0]["status"], "canceled");
        site.verify();
    });
}

#[test]
fn what_is_switched_off_is_shown_nowhere() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, _, served) = shop(&site);
        site.item("KIT", json!({"components": [{"sku": "LAMP", "quantity": 2}]}), "");
        market.list(Listing { id: "103".into(), sku: "KIT".into(), title: "Two lamps".into(), price: 1_999, ..Listing::default() });
        site.ok("POST /channels", connection(&served));
        site.work();
        let shows = |id: &str| market.shown(id).unwrap_or(0);
        site.until("both are for sale", || (shows("101") > 0 && shows("103") > 0).then_some(()));
        site.ok("PATCH /items/KIT", json!({"active": false}));
        site.until("the kit is shown no more", || (shows("103") == 0).then_some(()));
        assert!(shows("101") > 0, "its component is still for sale");
        site.ok("PATCH /items/LAMP", json!({"active": false}));
        site.until("the lamp is shown no more", || (shows("101") == 0).then_some(()));
        site.ok("PATCH /items/LAMP", json!({"active": true}));
        site.until("the lamp is for sale again", || (shows("101") > 0).then_some(()));
        assert_eq!(shows("103"), 0);
        site.verify();
    });
}
