//! Contracts with business customers: agreed prices and quantities, and units set aside that nobody else is promised.

use crate::support::{Site, fulfillments, lines_of, on_both};
use serde_json::{Value, json};

fn site(url: engine::db::Url) -> Site {
    let site = Site::new(url);
    site.locations(&[("LON", json!({}))]);
    site.item("TEA", json!({}), "LON 10");
    site.item("MUG", json!({}), "LON 10");
    site
}

fn contract(lines: Value) -> Value {
    json!({"code": "astoria", "customer": "Hotel Astoria", "currency": "GBP", "ends_at": "2026-12-31T00:00:00Z", "lines": lines})
}

fn line(sku: &str, more: Value) -> Value {
    let mut line = json!({"sku": sku, "unit_price": {"amount": "2.50", "currency": "GBP"}, "quantity": 8});
    for (name, value) in more.as_object().unwrap() {
        line[name] = value.clone();
    }
    line
}

fn order(site: &Site, reference: &str, lines: Value) -> crate::support::Reply {
    site.call("POST /orders", json!({"channel": "astoria", "reference": reference, "ship_to": {"country": "GB"}, "lines": lines}))
}

fn told(site: &Site) -> String {
    let line = &site.get("/contracts/astoria")["lines"][0];
    ["ordered", "left", "to_order", "set_aside_now"].map(|name| format!("{name} {}", line[name])).join(", ")
}

#[test]
fn what_is_set_aside_is_promised_to_nobody_else() {
    on_both(|url| {
        let site = site(url);
        let agreed = site.call("POST /contracts", contract(json!([line("TEA", json!({"minimum": 6, "set_aside": 5}))])));
        assert_eq!((agreed.told().as_str(), told(&site).as_str()), ("201", "ordered 0, left 8, to_order 6, set_aside_now 5"));
        assert_eq!(site.reserve("TEA 6").told(), "409 insufficient_stock", "five of ten are the hotel's");
        assert_eq!(site.order("ours", "TEA 5").told(), "201");
        assert_eq!(site.order("more", "TEA 1").told(), "409 insufficient_stock");

        // The hotel takes what is its own, at its price.
        let placed = order(&site, "1", lines_of("TEA 3"));
        assert_eq!((placed.told().as_str(), fulfillments(&placed.body).as_str()), ("201", "LON: TEA 3"));
        assert_eq!((&placed.body["total"]["amount"], &placed.body["customer"]), (&json!("7.50"), &json!("Hotel Astoria")));
        assert_eq!(told(&site), "ordered 3, left 5, to_order 3, set_aside_now 2");
        // What comes in goes there first.
        site.receive("LON", "TEA", 2);
        assert_eq!(told(&site), "ordered 3, left 5, to_order 3, set_aside_now 4");
        site.receive("LON", "TEA", 10);
        assert_eq!(told(&site), "ordered 3, left 5, to_order 3, set_aside_now 5");
        assert_eq!(order(&site, "2", lines_of("TEA 6")).told(), "409 beyond_contract");
        // Canceled units may be ordered again.
        site.ok(&format!("POST /orders/{}/cancel", placed.body["id"].as_str().unwrap()), json!({"lines": [{"sku": "TEA", "quantity": 1}]}));
        assert_eq!(told(&site), "ordered 2, left 6, to_order 4, set_aside_now 5");
        assert_eq!(order(&site, "3", lines_of("TEA 6")).told(), "201");
        assert_eq!(told(&site), "ordered 8, left 0, to_order 0, set_aside_now 0");
        assert_eq!(order(&site, "3", lines_of("TEA 6")).told(), "200", "the same order again is the same order");
        assert_eq!(order(&site, "4", lines_of("TEA 1")).told(), "409 beyond_contract");
        site.verify();
    });
}

#[test]
fn a_contract_says_what_is_wrong_with_it() {
    on_both(|url| {
        let site = site(url);
        let refused = |lines: Value| {
            let reply = site.call("POST /contracts", contract(lines));
            format!("{} {}", reply.told(), reply.body["field"].as_str().unwrap_or_default())
        };
        assert_eq!(refused(json!([])), "422 invalid_field lines");
        assert_eq!(refused(json!([line("NONE", json!({}))])), "422 unknown_item lines[0].sku");
        assert_eq!(refused(json!([line("TEA", json!({"minimum": 9}))])), "422 invalid_field lines[0].minimum");
        assert_eq!(refused(json!([line("TEA", json!({"set_aside": -1}))])), "422 invalid_field lines[0].set_aside");
        assert_eq!(refused(json!([line("TEA", json!({})), line("TEA", json!({}))])), "422 duplicate_line lines[1].sku");
        let euros = json!({"unit_price": {"amount": "1", "currency": "EUR"}});
        assert_eq!(refused(json!([line("TEA", euros)])), "422 mixed_currency lines[0].unit_price");
        let mut past = contract(json!([line("TEA", json!({}))]));
        past["ends_at"] = json!("2020-01-01T00:00:00Z");
        assert_eq!(site.call("POST /contracts", past).body["field"], "ends_at");
        assert_eq!(site.call("GET /contracts/astoria", Value::Null).told(), "404 unknown_contract");
        assert_eq!(site.stock("TEA"), "available 10");

        site.ok("POST /contracts", contract(json!([line("TEA", json!({})), line("MUG", json!({"set_aside": 0}))])));
        assert_eq!(site.call("POST /contracts", contract(json!([line("TEA", json!({}))]))).told(), "409 channel_exists");
        let dear = json!([{"sku": "TEA", "quantity": 1, "unit_price": {"amount": "2.60", "currency": "GBP"}}]);
        assert_eq!(order(&site, "1", dear).told(), "422 price_not_agreed");
        assert_eq!(order(&site, "2", lines_of("TEA 1, MUG 2")).told(), "201");
        assert_eq!(site.get("/channels")["data"], json!([]), "a contract is no marketplace");
        assert_eq!(site.call("POST /channels/astoria/pause", json!({})).told(), "404 unknown_channel");
        site.verify();
    });
}

#[test]
fn a_contract_that_has_ended_holds_nothing() {
    on_both(|url| {
        let site = site(url);
        site.ok("POST /contracts", contract(json!([line("TEA", json!({}))])));
        assert_eq!(site.reserve("TEA 3").told(), "409 insufficient_stock");
        let fewer = json!({"set_aside": [{"sku": "TEA", "units": 4}]});
        assert_eq!(site.ok("PATCH /contracts/astoria", fewer)["lines"][0]["set_aside_now"], 4);
        assert_eq!(site.reserve("TEA 6").told(), "201");
        site.ok("PATCH /contracts/astoria", json!({"ends_at": "2026-03-02T10:00:00Z"}));
        site.time.advance(2 * 3_600);
        site.block_on(engine::jobs::expire(&site.engine)).unwrap();
        site.block_on(engine::jobs::contracts(&site.engine)).unwrap();
        assert_eq!(site.get("/contracts/astoria")["lines"][0]["set_aside_now"], 0);
        assert_eq!(site.reserve("TEA 10").told(), "201", "all of it is free again");
        site.verify();
    });
}
