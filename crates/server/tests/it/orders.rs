//! Orders: kits, policies, backorders, shipping, canceling, returning.

use crate::support::{Site, fulfillments, on_both};
use serde_json::{Value, json};

fn path(order: &Value, call: &str) -> String {
    format!("POST /orders/{}/{call}", order["id"].as_str().unwrap())
}

fn ship(site: &Site, order: &Value, place: usize, body: Value) -> crate::support::Reply {
    site.call(&format!("POST /fulfillments/{}/ship", order["fulfillments"][place]["id"].as_str().unwrap()), body)
}

#[test]
fn the_same_reference_is_the_same_order() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 5");
        let first = site.order("1", "A 2");
        let again = site.order("1", "A 2");
        assert_eq!((first.status, again.status), (201, 200));
        assert_eq!(first.body, again.body);
        assert_eq!(site.stock("A"), "available 3 committed 2");
        assert_eq!(site.get("/orders?channel=web&reference=1")["data"][0]["id"], first.body["id"]);
        assert_eq!(site.get("/orders?status=open")["data"].as_array().unwrap().len(), 1);
        assert_eq!(site.get("/orders?status=canceled")["data"].as_array().unwrap().len(), 0);
        site.verify();
    });
}

#[test]
fn a_kit_is_its_components() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("CUP", json!({}), "LON 10, LEE 1");
        site.item("POT", json!({}), "LON 2, LEE 1");
        site.item("TEA", json!({"components": [{"sku": "CUP", "quantity": 4}, {"sku": "POT", "quantity": 1}]}), "");
        assert_eq!(site.stock("TEA"), "available 2");
        assert_eq!(
            site.call("POST /stock/receive", json!({"location": "LON", "lines": [{"sku": "TEA", "quantity": 1}]})).told(),
            "422 kit_has_no_stock"
        );
        assert_eq!(
            site.call("POST /items", json!({"sku": "X", "name": "x", "components": [{"sku": "TEA", "quantity": 1}]})).told(),
            "422 invalid_field"
        );

        // Each line alone could be had; together they need 8 + 4 of the 11 cups.
        let both = site.order("both", "TEA 2, CUP 4");
        assert_eq!(both.told(), "409 insufficient_stock");
        assert_eq!(site.stock("CUP"), "available 11");
        let order = site.order("kit", "TEA 2, CUP 2");
        assert_eq!((order.told().as_str(), fulfillments(&order.body).as_str()), ("201", "LON: CUP 8, CUP 2, POT 2"));
        assert_eq!(order.body["lines"][0]["sku"], "TEA");
        assert_eq!(order.body["lines"][0]["components"].as_array().unwrap().len(), 2);
        let shipped = ship(&site, &order.body, 0, json!({"lines": [{"sku": "TEA", "quantity": 1}]})).body;
        assert_eq!((&shipped["lines"][0]["shipped"], &shipped["status"]), (&json!(1), &json!("partially_fulfilled")));
        let canceled = site.ok(&path(&order.body, "cancel"), json!({"lines": [{"sku": "TEA", "quantity": 1}]}));
        assert_eq!(canceled["lines"][0]["canceled"], 1);
        let done = ship(&site, &order.body, 0, json!({})).body;
        assert_eq!(done["status"], "fulfilled");
        assert_eq!(site.stock("CUP"), "available 5");
        let held = site.reserve("TEA 1");
        assert_eq!(held.told(), "201");
        assert_eq!(site.reserve("TEA 2").body["shortfalls"][0], json!({"sku": "TEA", "requested": 2, "available": 0}));
        site.verify();
    });
}

#[test]
fn each_item_says_what_happens_when_it_is_short() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("DENY", json!({}), "LON 2");
        site.item("PART", json!({"when_short": "partial"}), "LON 2");
        site.item("BACK", json!({"when_short": "backorder"}), "LON 2");
        let release = jiff::Timestamp::from_microsecond(site.time.now() + 86_400_000_000).unwrap().to_string();
        site.item("PRE", json!({"when_short": "preorder", "available_from": release}), "");

        assert_eq!(site.order("1", "DENY 3, BACK 1").told(), "409 insufficient_stock");
        assert_eq!(site.stock("BACK"), "available 2");
        let part = site.order("2", "PART 3").body;
        assert_eq!((&part["lines"][0]["canceled"], fulfillments(&part).as_str(), &part["status"]), (&json!(1), "LON: PART 2", &json!("open")));
        assert_eq!(site.order("3", "PART 1").told(), "409 insufficient_stock", "nothing at all is no order");
        let back = site.order("4", "BACK 5, DENY 1").body;
        assert_eq!((&back["status"], &back["backordered"]), (&json!("backordered"), &json!([{"sku": "BACK", "quantity": 3}])));
        assert_eq!(fulfillments(&back), "LON: BACK 2, DENY 1");

        let pre = site.order("5", "PRE 2").body;
        site.receive("LON", "PRE", 5);
        assert_eq!(site.stock("PRE"), "available 5", "nothing is sent before its day");
        assert_eq!(site.block_on(engine::jobs::fill(&site.engine)).unwrap(), 0);
        site.time.advance(86_400);
        assert_eq!(site.block_on(engine::jobs::fill(&site.engine)).unwrap(), 1);
        assert_eq!(site.get(&format!("/orders/{}", pre["id"].as_str().unwrap()))["status"], "open");
        assert_eq!(site.stock("PRE"), "available 3 committed 2");
        site.verify();
    });
}

#[test]
fn backorders_are_filled_in_order_as_stock_arrives() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({"when_short": "backorder"}), "");
        let first = site.order("1", "A 3").body;
        site.time.advance(1);
        let second = site.order("2", "A 2").body;
        let status = |order: &Value| site.get(&format!("/orders/{}", order["id"].as_str().unwrap()));
        site.receive("LON", "A", 4);
        assert_eq!(site.stock("A"), "committed 4", "nobody else gets them");
        assert_eq!((&status(&first)["status"], &status(&second)["backordered"][0]["quantity"]), (&json!("open"), &json!(1)));
        site.ok(&path(&first, "cancel"), json!({"lines": [{"sku": "A", "quantity": 1}]}));
        assert_eq!(status(&second)["status"], "open", "a canceled unit goes to who waits");
        let third = site.order("3", "A 2").body;
        site.ok(&path(&third, "cancel"), json!({}));
        assert_eq!(status(&third)["status"], "canceled");
        site.receive("LEE", "A", 1);
        assert_eq!(site.stock("A"), "available 1 committed 4", "a canceled order waits no more");
        let timeline: Vec<Value> = site.get(&format!("/orders/{}/events", second["id"].as_str().unwrap()))["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["type"].clone())
            .collect();
        assert_eq!(timeline, ["order.placed", "order.filled", "order.filled"]);
        site.verify();
    });
}

#[test]
fn ship_cancel_and_return() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 6");
        site.item("B", json!({}), "LEE 2");
        let order = site.call("POST /orders", json!({"channel": "web", "reference": "1", "ship_to": {"country": "GB"}, "lines": [{"sku": "A", "quantity": 4, "unit_price": {"amount": "2.50", "currency": "GBP"}}, {"sku": "B", "quantity": 1, "unit_price": {"amount": "1.05", "currency": "GBP"}}]})).body;
        assert_eq!(order["total"], json!({"amount": "11.05", "currency": "GBP"}));
        let place = |location: &str| order["fulfillments"].as_array().unwrap().iter().position(|f| f["location"] == location).unwrap();
        let part =
            ship(&site, &order, place("LON"), json!({"carrier": "Royal Mail", "tracking_number": "AB1", "lines": [{"sku": "A", "quantity": 1}]}));
        assert_eq!((part.status, &part.body["status"]), (200, &json!("partially_fulfilled")));
        assert_eq!(part.body["fulfillments"][place("LON")]["shipments"][0]["tracking_number"], "AB1");
        assert_eq!(ship(&site, &order, place("LON"), json!({"lines": [{"sku": "A", "quantity": 4}]})).told(), "409 too_many");
        assert_eq!(ship(&site, &order, place("LON"), json!({"lines": [{"sku": "B", "quantity": 1}]})).told(), "409 too_many");
        assert_eq!(
            site.call(&path(&order, "cancel"), json!({"lines": [{"sku": "A", "quantity": 4}]})).told(),
            "409 too_many",
            "what left cannot be canceled"
        );
        assert_eq!(site.stock("A"), "available 2 committed 3");
        site.ok(&path(&order, "cancel"), json!({"lines": [{"sku": "A", "quantity": 2}], "reason": "changed their mind"}));
        assert_eq!(site.stock("A"), "available 4 committed 1");
        ship(&site, &order, place("LON"), json!({}));
        let done = ship(&site, &order, place("LEE"), json!({})).body;
        assert_eq!(done["status"], "fulfilled");
        assert_eq!(ship(&site, &order, place("LEE"), json!({})).told(), "409 step_not_allowed");
        assert_eq!(site.call(&path(&order, "cancel"), json!({})).told(), "409 step_not_allowed");

        let back = |quantity: i64, state: &str| {
            site.call(&path(&order, "return"), json!({"location": "LEE", "state": state, "lines": [{"sku": "A", "quantity": quantity}]}))
        };
        assert_eq!(back(3, "available").told(), "409 too_many");
        assert_eq!(back(1, "damaged").body["lines"][0]["returned"], 1);
        assert_eq!(back(1, "available").told(), "200");
        assert_eq!(site.stock_at("A", "LEE"), "available 1 damaged 1");

        let whole = site.order("2", "A 3").body;
        let canceled = site.ok(&path(&whole, "cancel"), json!({}));
        assert_eq!((&canceled["status"], &canceled["fulfillments"][0]["status"]), (&json!("canceled"), &json!("canceled")));
        assert_eq!(site.call(&path(&whole, "cancel"), json!({})).told(), "409 step_not_allowed");
        assert_eq!(site.call("POST /fulfillments/9/ship", json!({})).told(), "404 unknown_fulfillment");
        site.verify();
    });
}
