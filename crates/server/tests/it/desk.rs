//! The exceptions desk: what people do about orders from a marketplace that cannot be taken on as they are.

use crate::alerts::{channel, raise};
use crate::lists::config;
use crate::reading::hidden;
use crate::support::{Site, on_both};
use engine::exceptions::desk::By::{Age, Severity, Time, Times};
use engine::exceptions::read::ExceptionView;
use engine::exceptions::{Kind, desk};
use engine::page::{Cursor, Page};
use serde_json::{Value, json};
use sim::markets::market::Listing;
use sim::markets::{Market, Served, serve, shopify::Shopify};
use std::sync::Arc;

/// A site with 10 lamps and 10 torches, a shop that lists the lamp and a box that is no item here, and its worker at work.
fn shop(site: &Site) -> (Arc<Market>, Served) {
    site.locations(&[("LON", json!({}))]);
    site.item("LAMP", json!({}), "LON 10");
    site.item("TORCH", json!({}), "LON 10");
    let time = site.time.clone();
    let market = Market::with_clock(5, Arc::new(move || time.now()));
    for (id, sku) in [("101", "LAMP"), ("102", "BOX")] {
        market.list(Listing { id: id.into(), sku: sku.into(), title: sku.into(), price: 999, ..Listing::default() });
    }
    let served = site.block_on(serve(Arc::new(Shopify::new(market.clone())).router())).unwrap();
    let settings = json!({ "access_token": "shpat_simulated", "client_secret": "hush", "location": "1", "poll_seconds": "1" });
    site.ok("POST /channels", json!({"code": "shop", "kind": "shopify", "name": "Our shop", "address": served.address, "settings": settings}));
    site.work();
    site.until("the lamp is for sale", || market.shown("101").filter(|shown| *shown > 0));
    (market, served)
}

fn orders(site: &Site) -> Vec<Value> {
    site.get("/orders?channel=shop")["data"].as_array().unwrap().clone()
}

fn open(site: &Site, kind: &str) -> Option<(String, Value)> {
    let found = site.get("/exceptions")["data"].as_array().unwrap().iter().find(|e| e["kind"] == kind).cloned();
    found.map(|e| (format!("POST /exceptions/{}", e["id"].as_str().unwrap()), e))
}

#[test]
fn a_listing_is_mapped_where_its_order_waits() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, _served) = shop(&site);
        market.edit_behind_our_back("102", 3);
        market.buy("102", 1).unwrap();
        let (act, exception) = site.until("a person is told", || open(&site, "unmapped"));
        assert_eq!(exception["actions"], json!(["remap", "retry", "cancel", "dismiss", "assign", "snooze"]));
        assert_eq!(site.call(&act, json!({"action": "substitute"})).told(), "422 invalid_field");
        assert_eq!(site.call(&act, json!({"action": "remap"})).told(), "422 invalid_field", "which item?");
        assert_eq!(site.call(&act, json!({"action": "remap", "sku": "NONE"})).told(), "404 unknown_item");
        assert_eq!(site.call(&act, json!({"action": "remap", "sku": "LAMP", "units_per_listing": 4})).body["open"], false);
        let order = orders(&site).pop().unwrap();
        assert_eq!(crate::support::fulfillments(&order), "LON: LAMP 4");
        market.edit_behind_our_back("102", 1);
        market.buy("102", 1).unwrap();
        site.until("the next one needs nobody", || (orders(&site).len() == 2).then_some(()));
        // Listed and bought before the catalog was read again.
        market.list(Listing { id: "103".into(), sku: "LAMP-NEW".into(), title: "A lamp".into(), price: 999, ..Listing::default() });
        market.edit_behind_our_back("103", 1);
        market.buy("103", 1).unwrap();
        let (act, _) = site.until("a person is told", || open(&site, "unmapped"));
        assert_eq!(site.call(&act, json!({"action": "remap", "sku": "LAMP", "listing": "999"})).told(), "422 unknown_listing");
        assert_eq!(site.call(&act, json!({"action": "remap", "sku": "LAMP"})).body["open"], false);
        site.until("it is here", || (orders(&site).len() == 3).then_some(()));
        site.verify();
    });
}

#[test]
fn what_cannot_be_filled_is_substituted_or_canceled_with_its_money_back() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, _served) = shop(&site);
        market.edit_behind_our_back("101", 90);
        let substituted = market.buy("101", 12).unwrap();
        let (act, exception) = site.until("a person is told", || open(&site, "unfillable"));
        assert_eq!(exception["actions"], json!(["retry", "backorder", "substitute", "cancel", "dismiss", "assign", "snooze"]));
        assert_eq!(site.call(&act, json!({"action": "substitute", "sku": "TORCH"})).told(), "422 invalid_field", "instead of what?");
        let torches = json!({"action": "substitute", "instead_of": "LAMP", "sku": "TORCH"});
        assert_eq!(site.call(&act, torches.clone()).body["open"], true, "there are 10");
        site.receive("LON", "TORCH", 5);
        assert_eq!(site.call(&act, torches).body["open"], false);
        let order = orders(&site).pop().unwrap();
        assert_eq!((&order["lines"][0]["sku"], &order["lines"][0]["unit_price"]["amount"]), (&json!("TORCH"), &json!("9.99")));
        // What is canceled there later is the substitute here.
        market.cancel(&substituted, false).ok();
        site.until("it is canceled here", || (orders(&site)[0]["status"] == "canceled").then_some(()));
        assert_eq!(site.stock("TORCH"), "available 15");

        market.edit_behind_our_back("101", 90);
        let hopeless = market.buy("101", 40).unwrap();
        let (act, _) = site.until("a person is told again", || open(&site, "unfillable"));
        site.ok(&act, json!({"action": "cancel", "note": "out of stock"}));
        site.until("it is canceled there", || market.order(&hopeless).and_then(|o| o.canceled_at));
        assert_eq!(orders(&site).len(), 1, "it never was an order here");
        site.verify();
    });
}

#[test]
fn several_are_retried_at_once_when_the_stock_has_come() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, _served) = shop(&site);
        for units in [12, 13] {
            market.edit_behind_our_back("101", 90);
            market.buy("101", units).unwrap();
        }
        let waiting = || -> Vec<String> {
            let all = site.get("/exceptions")["data"].as_array().unwrap().clone();
            all.iter().filter(|e| e["kind"] == "unfillable").map(|e| e["id"].as_str().unwrap().to_owned()).collect()
        };
        let ids = site.until("a person is told of both", || Some(waiting()).filter(|ids| ids.len() == 2));
        let owner = site.visitor("owner");
        let chosen = [("what", "retry"), ("id", &*ids[0]), ("id", &*ids[1]), ("next", "/exceptions?as=table&sort=age")];
        assert!(owner.post("/exceptions/many", &chosen).text().contains("Retry 2 exceptions"));
        // There is enough for one of them.
        site.receive("LON", "LAMP", 5);
        let told = owner.post("/exceptions/many/do", &chosen).text();
        assert!(told.contains("1 done, 1 not.") && told.contains("/exceptions?as=table&amp;sort=age"), "{told}");
        assert_eq!((orders(&site).len(), waiting().len()), (1, 1));
        site.receive("LON", "LAMP", 20);
        let left = waiting();
        let last = [("what", "retry"), ("id", &*left[0]), ("next", "/exceptions?as=table&sort=age")];
        assert_eq!(owner.sent("/exceptions/many/do", &last), "/exceptions?as=table&sort=age&said=saved");
        assert_eq!((orders(&site).len(), waiting().len()), (2, 0));
        site.verify();
    });
}

#[test]
fn money_goes_back_for_what_came_back_and_for_what_never_left() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, _served) = shop(&site);
        let bought = market.buy("101", 3).unwrap();
        let order = site.until("the order is here", || orders(&site).pop());
        let path = |what: &str| format!("POST /orders/{}/{what}", order["id"].as_str().unwrap());
        let paid_back =
            |refunds: usize| site.until("the shop paid back", || market.order(&bought).filter(|o| o.refunds.len() == refunds)).refunds.pop().unwrap();
        // One is canceled before it left, the others leave, and one of them comes back.
        site.ok(&path("cancel"), json!({"lines": [{"sku": "LAMP", "quantity": 1}], "reason": "broken"}));
        let first = paid_back(1);
        assert_eq!((first.lines[0].quantity, first.lines[0].amount), (1, 999));
        let fulfillment = order["fulfillments"][0]["id"].as_str().unwrap();
        site.ok(&format!("POST /fulfillments/{fulfillment}/ship"), json!({"carrier": "DHL", "tracking_number": "T1"}));
        site.until("the shop knows that they left", || market.order(&bought).filter(|o| !o.shipments.is_empty()));
        let back = |refund: bool| json!({"location": "LON", "lines": [{"sku": "LAMP", "quantity": 1}], "refund": refund});
        site.ok(&path("return"), back(true));
        assert_eq!(paid_back(2).lines[0].quantity, 1);
        site.ok(&path("return"), back(false));
        site.time.advance(30);
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(market.order(&bought).unwrap().refunds.len(), 2, "only where it was asked for");
        let told = site.get(&format!("/orders/{}/events", order["id"].as_str().unwrap()));
        let expected = |e: &Value| e["type"].as_str().is_some_and(|t| t.ends_with("order.return_expected"));
        site.until("what the shop says of it is in the timeline", || {
            let told = site.get(&format!("/orders/{}/events", order["id"].as_str().unwrap()));
            told["data"].as_array().unwrap().iter().any(expected).then_some(())
        });
        assert!(told["data"].as_array().unwrap().len() >= 4);
        site.verify();
    });
}

#[test]
fn a_queue_that_is_stuck_is_told() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, _served) = shop(&site);
        market.down_for(3_600_000);
        site.ok("POST /stock/adjust", json!({"location": "LON", "reason": "lost", "lines": [{"sku": "LAMP", "delta": -9}]}));
        site.time.advance(1_200);
        let (_, told) = site.until("a person is told", || open(&site, "stuck_queue"));
        assert!(told["title"].as_str().unwrap().contains("has not answered for 2"), "{told}");
        market.down_for(0);
        site.until("it is well again", || open(&site, "stuck_queue").is_none().then_some(()));
        site.until("it shows no more than there is", || market.shown("101").filter(|shown| *shown <= 1));
        site.verify();
    });
}

#[test]
fn exceptions_come_in_the_order_asked_for() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        // 1 and 2 are warnings, 3 is critical and was met twice, so that it is due before them.
        for (n, kind) in [(1, Kind::Unmapped), (2, Kind::Unmapped), (3, Kind::OversoldElsewhere), (3, Kind::OversoldElsewhere)] {
            raise(&site, kind, &format!("order:shop:{n}"), &format!("Order {n} is odd"));
            site.time.advance(60);
        }
        let order = |text: &str| {
            let mut found: Vec<(usize, u32)> = (1..=3).filter_map(|n| Some((text.find(&format!("Order {n} is"))?, n))).collect();
            found.sort_unstable();
            found.into_iter().map(|(_, n)| n).collect::<Vec<u32>>()
        };
        let owner = site.visitor("owner");
        for path in ["/exceptions?as=table", "/exceptions?format=csv"] {
            let page = |sort: &str| order(&owner.get(&format!("{path}&sort={sort}")).text());
            assert_eq!((page("due"), page("-due")), (vec![3, 1, 2], vec![2, 1, 3]), "{path}");
            assert_eq!((page("severity"), page("-severity")), (vec![1, 2, 3], vec![3, 1, 2]), "{path}");
            assert_eq!((page("age"), page("-age")), (vec![3, 2, 1], vec![1, 2, 3]), "{path}");
            assert_eq!((page("times"), page("-times")), (vec![1, 2, 3], vec![3, 1, 2]), "{path}");
        }
        // Page by page it is the same list.
        let config = config(&site);
        let paged = |standing| {
            for (by, reversed) in [Time, Severity, Age, Times].into_iter().flat_map(|by| [(by, false), (by, true)]) {
                let read = |limit, after| {
                    let query = desk::DeskQuery { standing, by, reversed, limit, after, ..desk::DeskQuery::default() };
                    site.engine.read_blocking(|tx| desk::list(tx, &config, &query)).unwrap()
                };
                let ids = |page: &Page<ExceptionView, Cursor<2>>| page.rows.iter().map(|e| e.id.0).collect::<Vec<_>>();
                let first = read(1, None);
                let second = read(1, first.next);
                let third = read(1, second.next);
                assert_eq!(third.next, None, "{by:?} {standing:?} {reversed}");
                let one_by_one: Vec<i64> = [first, second, third].iter().flat_map(ids).collect();
                let whole = ids(&read(9, None));
                assert_eq!((&one_by_one, whole.len()), (&whole, 3), "{by:?} {standing:?} {reversed}");
            }
        };
        paged(desk::Standing::Open);
        // Several at once, one of which somebody took meanwhile: that one stays theirs.
        let all: Vec<Value> = site.get("/exceptions")["data"].as_array().unwrap().clone();
        let ids: Vec<&str> = all.iter().map(|e| e["id"].as_str().unwrap()).collect();
        let shown = owner.post("/exceptions/many", &[("what", "assign"), ("id", ids[0]), ("id", ids[1])]).text();
        let seen = [ids[0], ids[1]].map(|id| (format!("seen:{id}"), hidden(&shown, &format!("seen:{id}"))));
        site.ok(&format!("POST /exceptions/{}", ids[0]), json!({"action": "assign", "owner": "night program"}));
        let form = [("what", "assign"), ("id", ids[0]), ("id", ids[1]), ("assign-owner", ""), (&seen[0].0, &seen[0].1), (&seen[1].0, &seen[1].1)];
        let told = owner.post("/exceptions/many/do", &form).text();
        assert!(told.contains("1 done, 1 not.") && told.contains("Somebody else changed the exception"), "{told}");
        assert_eq!(site.get(&format!("/exceptions/{}", ids[0]))["owner"], "night program");
        // What cannot be retried stays as it is, and is told.
        let shown = owner.post("/exceptions/many", &[("what", "retry"), ("id", ids[1])]).text();
        assert!(shown.contains("Retry 1 exception"), "{shown}");
        let told = owner.post("/exceptions/many/do", &[("what", "retry"), ("id", ids[1])]).text();
        assert!(told.contains("0 done, 1 not."), "{told}");
        for n in [2, 3, 1] {
            let found =
                site.get("/exceptions")["data"].as_array().unwrap().iter().find(|e| e["title"] == format!("Order {n} is odd")).cloned().unwrap();
            site.ok(&format!("POST /exceptions/{}", found["id"].as_str().unwrap()), json!({"action": "dismiss"}));
            site.time.advance(60);
        }
        let solved = |sort: &str| order(&owner.get(&format!("/exceptions?as=table&is=solved&sort={sort}")).text());
        assert_eq!((solved(""), solved("solved"), solved("-severity")), (vec![1, 3, 2], vec![2, 3, 1], vec![1, 3, 2]));
        paged(desk::Standing::Solved);
    });
}
