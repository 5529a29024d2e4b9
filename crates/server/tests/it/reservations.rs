//! Reservations: all or nothing, never honored late, never in their owner's way.

use crate::support::{Site, fulfillments, on_both};
use serde_json::json;

#[test]
fn all_or_nothing_over_lines_and_locations() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 3, LEE 2");
        site.item("B", json!({}), "LON 1");
        let held = site.reserve("A 4, B 1");
        assert_eq!(held.told(), "201");
        assert_eq!(
            (&held.body["status"], site.stock("A").as_str(), site.stock("B").as_str()),
            (&json!("held"), "available 1 reserved 4", "reserved 1")
        );

        let short = site.reserve("A 1, B 1");
        assert_eq!(short.told(), "409 insufficient_stock");
        assert_eq!(short.body["shortfalls"], json!([{"sku": "B", "requested": 1, "available": 0}]));
        assert_eq!(site.stock("A"), "available 1 reserved 4", "nothing was held");
        assert_eq!(site.reserve("A 1, A 1").told(), "409 insufficient_stock", "two lines of the same item are checked together");

        let place = |location: &str| json!({"lines": [{"sku": "A", "quantity": 1, "location": location}], "expires_in_seconds": 60});
        let rest = if site.stock_at("A", "LON").contains("available") { ("LON", "LEE") } else { ("LEE", "LON") };
        assert_eq!(site.call("POST /reservations", place(rest.1)).told(), "409 insufficient_stock");
        assert_eq!(site.call("POST /reservations", place(rest.0)).told(), "201");
        assert_eq!(site.get("/reservations")["data"].as_array().unwrap().len(), 2);
        site.verify();
    });
}

#[test]
fn release_extend_and_expiry() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 5");
        let id = |reply: crate::support::Reply| reply.body["id"].as_str().unwrap().to_owned();
        let (first, second, third) = (id(site.reserve("A 2")), id(site.reserve("A 2")), id(site.reserve("A 1")));
        assert_eq!(site.call(&format!("POST /reservations/{first}/release"), json!({})).told(), "200");
        assert_eq!(site.call(&format!("POST /reservations/{first}/release"), json!(null)).told(), "200", "twice harms nobody");
        assert_eq!(site.stock("A"), "available 2 reserved 3");
        assert_eq!(site.call(&format!("POST /reservations/{second}/extend"), json!({"expires_in_seconds": 600})).told(), "200");

        site.time.advance(61);
        // Not swept yet, and still not honored.
        for call in ["release", "extend"] {
            let reply = site
                .call(&format!("POST /reservations/{third}/{call}"), if call == "extend" { json!({"expires_in_seconds": 60}) } else { json!({}) });
            assert_eq!(reply.told(), "409 reservation_expired", "{call}");
        }
        let late = json!({"channel": "web", "reference": "late", "ship_to": {"country": "GB"}, "lines": [{"sku": "A", "quantity": 1}], "reservation": third});
        assert_eq!(site.call("POST /orders", late.clone()).told(), "409 reservation_expired");
        assert_eq!(site.block_on(engine::jobs::expire(&site.engine)).unwrap(), 1);
        assert_eq!(site.block_on(engine::jobs::expire(&site.engine)).unwrap(), 0);
        assert_eq!(site.stock("A"), "available 3 reserved 2");
        assert_eq!(site.call("POST /orders", late).told(), "409 reservation_expired");
        assert_eq!(site.get(&format!("/reservations/{third}"))["status"], "expired");
        assert_eq!(site.call("POST /reservations/7/release", json!({})).told(), "404 unknown_reservation");
        assert_eq!(site.call("POST /reservations/x/release", json!({})).told(), "404 unknown_reservation");
        site.verify();
    });
}

#[test]
fn an_order_takes_its_hold_over_without_letting_go() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 3, LEE 2");
        let held = site.call("POST /reservations", json!({"lines": [{"sku": "A", "quantity": 2, "location": "LEE"}], "expires_in_seconds": 60})).body;
        site.reserve("A 3");
        assert_eq!(site.stock("A"), "reserved 5");
        let order = |reference: &str, quantity: i64| json!({"channel": "web", "reference": reference, "ship_to": {"country": "GB"}, "lines": [{"sku": "A", "quantity": quantity}], "reservation": held["id"]});
        assert_eq!(site.call("POST /orders", order("too many", 3)).told(), "409 insufficient_stock");
        let placed = site.call("POST /orders", order("right", 1));
        assert_eq!((placed.told().as_str(), fulfillments(&placed.body).as_str()), ("201", "LEE: A 1"));
        assert_eq!(site.stock("A"), "available 1 reserved 3 committed 1", "what the order did not want is free");
        assert_eq!(site.call("POST /orders", order("again", 1)).told(), "409 step_not_allowed", "a hold makes one order");
        assert_eq!(site.get(&format!("/reservations/{}", held["id"].as_str().unwrap()))["status"], "ordered");
        site.verify();
    });
}

#[test]
fn a_shopper_is_never_blocked_by_their_own_hold() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 5");
        let cart = site.reserve("A 3").body;
        let more = json!({"lines": [{"sku": "A", "quantity": 5}], "expires_in_seconds": 60, "replaces": cart["id"]});
        let bigger = site.call("POST /reservations", more.clone());
        assert_eq!((bigger.told().as_str(), site.stock("A").as_str()), ("201", "reserved 5"));
        assert_eq!(site.call("POST /reservations", more).told(), "409 step_not_allowed", "the old cart is gone");
        let too_big = json!({"lines": [{"sku": "A", "quantity": 6}], "expires_in_seconds": 60, "replaces": bigger.body["id"]});
        assert_eq!(site.call("POST /reservations", too_big).told(), "409 insufficient_stock");
        assert_eq!(
            site.get(&format!("/reservations/{}", bigger.body["id"].as_str().unwrap()))["status"],
            "held",
            "a refusal leaves the cart as it is"
        );
        site.verify();
    });
}

#[test]
fn a_repeated_request_is_answered_again() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 5");
        let body = |quantity: i64| json!({"lines": [{"sku": "A", "quantity": quantity}], "expires_in_seconds": 60}).to_string().into_bytes();
        let send = |quantity: i64, key: &str| site.send("POST /reservations", body(quantity), &[("idempotency-key", key)]);
        let first = send(2, "k1");
        let again = send(2, "k1");
        assert_eq!((first.told(), first.body.clone()), (again.told(), again.body));
        assert_eq!((first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"].to_str().unwrap()), (None, "true"));
        assert_eq!(site.stock("A"), "available 3 reserved 2");
        assert_eq!(send(3, "k1").told(), "422 idempotency_key_reused");

        let refused = send(4, "k2");
        assert_eq!(refused.told(), "409 insufficient_stock");
        site.receive("LON", "A", 10);
        let still = send(4, "k2");
        assert_eq!(
            (still.told().as_str(), still.headers["idempotent-replayed"].to_str().unwrap()),
            ("409 insufficient_stock", "true"),
            "the first answer again"
        );
        assert_eq!(send(4, "k3").told(), "201");
        assert_eq!(send(1, "bad key").told(), "400 idempotency_key_invalid");
        site.verify();
    });
}
