//! Routing through the API: distance, capacity, rules as data, runs, what-if.

use crate::support::{Site, fulfillments, on_both};
use serde_json::{Value, json};

fn order_to(site: &Site, reference: &str, to: (f64, f64), lines: Value) -> crate::support::Reply {
    site.call(
        "POST /orders",
        json!({"channel": "web", "reference": reference, "ship_to": {"country": "GB", "latitude": to.0, "longitude": to.1}, "lines": lines}),
    )
}

const LONDON: (f64, f64) = (51.51, -0.13);
const LEEDS: (f64, f64) = (53.80, -1.55);

fn two_cities(site: &Site) {
    site.locations(&[("LON", json!({"latitude": LONDON.0, "longitude": LONDON.1})), ("LEE", json!({"latitude": LEEDS.0, "longitude": LEEDS.1}))]);
}

#[test]
fn the_nearest_with_everything_sends_and_says_why() {
    on_both(|url| {
        let site = Site::new(url);
        two_cities(&site);
        site.item("A", json!({}), "LON 5, LEE 5");
        site.item("B", json!({}), "LEE 5");
        let near = order_to(&site, "1", LONDON, json!([{"sku": "A", "quantity": 1}])).body;
        assert_eq!(fulfillments(&near), "LON: A 1");
        let whole = order_to(&site, "2", LONDON, json!([{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1}])).body;
        assert_eq!(fulfillments(&whole), "LEE: A 1, B 1", "one parcel from afar beats two");
        let decision = site.get(&format!("/orders/{}/decision", whole["id"].as_str().unwrap()));
        assert_eq!(decision["candidates"][0]["location"], "LEE");
        assert!((decision["candidates"][0]["distance_km"].as_f64().unwrap() - 272.0).abs() < 3.0, "{decision}");
        assert_eq!(decision["candidates"][1]["reason"], "has only 1 of 2 lines whole");
        // A postal code stands for its centroid once those are imported.
        let csv = "country,postal_code,latitude,longitude\nGB,LS1 4AP,53.80,-1.55\n";
        site.send("POST /imports/postal_codes", csv.as_bytes().to_vec(), &[]);
        let by_code = site.call("POST /orders", json!({"channel": "web", "reference": "3", "ship_to": {"country": "GB", "postal_code": "ls14ap"}, "lines": [{"sku": "A", "quantity": 1}]})).body;
        assert_eq!(fulfillments(&by_code), "LEE: A 1");
        site.verify();
    });
}

#[test]
fn daily_capacity_is_never_exceeded() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("SMALL", json!({"daily_capacity": 3})), ("BIG", json!({"cost_per_unit": 9_000_000}))]);
        site.item("A", json!({}), "SMALL 100, BIG 2");
        site.item("W", json!({"when_short": "backorder"}), "SMALL 10");
        let placed: Vec<String> = (1..=5).map(|n| fulfillments(&site.order(&n.to_string(), "A 1").body)).collect();
        assert_eq!(placed, ["SMALL: A 1", "SMALL: A 1", "SMALL: A 1", "BIG: A 1", "BIG: A 1"]);
        let full = site.order("6", "A 1");
        assert_eq!(full.told(), "409 not_routable");
        assert_eq!(
            full.body["reasons"].as_array().unwrap().iter().find(|r| r["location"] == "SMALL").unwrap()["reason"],
            "daily capacity of 3 is used up"
        );
        let waits = site.order("7", "W 1").body;
        assert_eq!(waits["status"], "backordered", "it can wait, so it waits for tomorrow");

        // An order that is canceled the same day gives its place back.
        let first = site.get("/orders?channel=web&reference=1")["data"][0].clone();
        site.ok(&format!("POST /orders/{}/cancel", first["id"].as_str().unwrap()), json!({}));
        assert_eq!(site.block_on(engine::jobs::fill(&site.engine)).unwrap(), 1);
        assert_eq!(site.order("8", "A 1").told(), "409 not_routable");
        site.time.advance(86_400);
        assert_eq!(site.order("9", "A 1").told(), "201");
        site.verify();
    });
}

#[test]
fn rules_are_data() {
    on_both(|url| {
        let site = Site::new(url);
        two_cities(&site);
        site.item("A", json!({}), "LON 50, LEE 50");
        let rules = json!({"rules": [
            {"name": "B2B from Leeds", "when": {"channels": ["b2b"]}, "from": {"locations": ["LEE"]}, "otherwise": "stop"},
            {"name": "Bulk is not split", "when": {"min_units": 60}, "max_fulfillments": 1, "otherwise": "stop"},
            {"name": "Else the nearest", "prefer": "nearest"}
        ]});
        let question = site.ok("POST /routing/what-if", json!({"rules": rules, "orders": 10}));
        assert_eq!(question["current"]["orders"], 0);
        site.ok("POST /routing/rules", json!({"name": "Spring", "rules": rules}));
        let b2b = site.call("POST /orders", json!({"channel": "b2b", "reference": "1", "ship_to": {"country": "GB", "latitude": 51.5, "longitude": 0.0}, "lines": [{"sku": "A", "quantity": 1}]})).body;
        assert_eq!(
            (fulfillments(&b2b).as_str(), &b2b["decision"]["rule"], &b2b["decision"]["rule_set"]),
            ("LEE: A 1", &json!("B2B from Leeds"), &json!("Spring"))
        );
        assert_eq!(order_to(&site, "2", LONDON, json!([{"sku": "A", "quantity": 70}])).told(), "409 not_routable");
        assert_eq!(fulfillments(&order_to(&site, "3", LONDON, json!([{"sku": "A", "quantity": 2}])).body), "LON: A 2");

        let unknown = json!({"name": "x", "rules": {"rules": [{"name": "r", "from": {"locations": ["PARIS"]}}]}});
        assert_eq!(site.call("POST /routing/rules", unknown).told(), "422 unknown_location");
        let typo = json!({"name": "x", "rules": {"rules": [{"name": "r", "wehn": {}}]}});
        let typo = site.call("POST /routing/rules", typo);
        assert_eq!((typo.told().as_str(), &typo.body["field"]), ("400 unknown_field", &json!("rules.rules[0].wehn")));
        assert_eq!(site.get("/routing/rules")["data"][0]["name"], "Spring");

        // Had everything gone by distance alone, the business order would have left from London.
        let nearest = json!({"rules": {"rules": [{"name": "n", "prefer": "nearest"}]}});
        let outcome = site.ok("POST /routing/what-if", nearest);
        assert_eq!((&outcome["current"]["orders"], &outcome["proposed"]["whole"]), (&json!(2), &json!(2)));
        assert!(outcome["proposed"]["mean_distance_km"].as_f64() < outcome["current"]["mean_distance_km"].as_f64(), "{outcome}");
        site.verify();
    });
}

#[test]
fn a_run_places_the_whole_queue_together() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("CHEAP", json!({"daily_capacity": 1, "cost_per_unit": 1_000_000})), ("DEAR", json!({"cost_per_unit": 3_000_000}))]);
        site.item("A", json!({}), "CHEAP 100, DEAR 100");
        site.item("ONLY", json!({}), "CHEAP 5");
        site.ok("POST /routing/rules", json!({"name": "Runs", "rules": {"rules": [{"name": "run", "timing": "run", "cost": {"per_fulfillment": 0, "per_km": 0, "stock_out_risk": 0}}]}}));
        // At once, the first order would take the only cheap place; together, the big one gets it.
        let small = site.order("small", "A 1").body;
        let big = site.order("big", "A 50").body;
        let stuck = site.order("stuck", "ONLY 1").body;
        assert_eq!((&small["status"], site.stock("A").as_str()), (&json!("queued"), "available 149 reserved 51"), "its units are held");
        assert_eq!(site.order("too much", "A 150").told(), "409 insufficient_stock", "and cannot be promised again");
        let run = site.ok("POST /routing/runs", json!(null));
        let of = |order: &Value| site.get(&format!("/orders/{}", order["id"].as_str().unwrap()));
        // The most orders first: `stuck` can only go to the cheap place.
        assert_eq!(run, json!({"queued": 3, "placed": 3, "left_over": 0, "cost": 154_000_000i64}));
        assert_eq!(fulfillments(&of(&stuck)), "CHEAP: ONLY 1");
        assert_eq!(fulfillments(&of(&big)), "DEAR: A 50");
        let late = site.order("late", "ONLY 1").body;
        let again = site.ok("POST /routing/runs", json!(null));
        assert_eq!((&again["placed"], &again["left_over"]), (&json!(0), &json!(1)));
        let left = of(&late);
        assert_eq!(left["status"], "queued");
        assert!(left["decision"]["candidates"].to_string().contains("daily capacity of 1 is used up"), "{}", left["decision"]);
        let canceled = site.ok(&format!("POST /orders/{}/cancel", late["id"].as_str().unwrap()), json!({}));
        assert_eq!((&canceled["status"], site.stock("ONLY").as_str()), (&json!("canceled"), "available 4 committed 1"));
        site.verify();
    });
}
