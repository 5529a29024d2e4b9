//! Warehouses that somebody else runs: orders handed over, followed, asked back; what they have held against the books.

use crate::support::{Site, fulfillments, lines_of, on_both};
use serde_json::{Value, json};
use sim::markets::shipbob::{CHANNEL, ShipBob, TOKEN};
use sim::markets::{Faults, Market, Served, serve};
use std::sync::Arc;

/// A site with a warehouse of its own and one at ShipBob, where most of the stock is.
fn bob(site: &Site) -> (Arc<Market>, Arc<ShipBob>, Served) {
    site.locations(&[("LON", json!({})), ("BOB", json!({"kind": "third_party"})), ("BOB2", json!({"kind": "third_party"}))]);
    site.item("TEA", json!({}), "BOB 10");
    site.item("MUG", json!({}), "BOB 5, LON 1");
    let time = site.time.clone();
    let market = Market::with_clock(9, Arc::new(move || time.now()));
    let front = ShipBob::new(market.clone(), 20.0);
    front.store("TEA", 10, 10);
    front.store("MUG", 5, 5);
    let served = site.block_on(serve(front.router())).unwrap();
    (market, front, served)
}

fn connection(bob: &ShipBob, served: &Served) -> Value {
    json!({
        "code": "bob", "kind": "shipbob", "name": "ShipBob", "address": served.address, "location": "BOB",
        "settings": { "token": TOKEN, "channel_id": CHANNEL, "webhook_secret": bob.secret() }
    })
}

/// An order with an address that a warehouse can send to.
fn order(site: &Site, reference: &str, lines: &str) -> Value {
    let ship_to = json!({"country": "GB", "name": "Ada Byron", "address1": "12 St James's Square", "city": "London", "postal_code": "SW1Y 4JH"});
    site.ok("POST /orders", json!({"channel": "web", "reference": reference, "ship_to": ship_to, "lines": lines_of(lines)}))
}

/// The order's only fulfillment once the warehouse has it: (our id, its id there).
fn handed(site: &Site, bob: &ShipBob, order: &Value) -> (String, i64) {
    let fulfillment = order["fulfillments"][0]["id"].as_str().unwrap().to_owned();
    let there = site.until("the warehouse has it", || bob.taken(&fulfillment).first().copied());
    site.until("that it has it is known", || (state(site, &fulfillment) == "working").then_some(()));
    (fulfillment, there)
}

fn state(site: &Site, fulfillment: &str) -> String {
    let found = site.get("/channels/bob/handovers")["data"].as_array().unwrap().clone();
    found.iter().find(|h| h["fulfillment"] == fulfillment).map_or_else(String::new, |h| h["state"].as_str().unwrap().to_owned())
}

fn status(site: &Site, order: &Value) -> String {
    site.get(&format!("/orders/{}", order["id"].as_str().unwrap()))["status"].as_str().unwrap().to_owned()
}

fn exceptions(site: &Site) -> Vec<Value> {
    site.get("/exceptions")["data"].as_array().unwrap().clone()
}

fn deliver(site: &Site, bob: &ShipBob) {
    for delivery in bob.deliveries() {
        let headers: Vec<(&str, &str)> = delivery.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain([("authorization", "")]).collect();
        for _ in 0..2 {
            assert_eq!(site.send("POST /webhooks/bob", delivery.body.clone(), &headers).told(), "200", "twice does no harm");
        }
    }
}

#[test]
fn a_warehouse_is_connected_to_the_one_location_that_it_stands_for() {
    on_both(|url| {
        let site = Site::new(url);
        let (_, bob, served) = bob(&site);
        let with = |location: Value| {
            let mut body = connection(&bob, &served);
            body["location"] = location;
            let reply = site.call("POST /channels", body);
            format!("{} {}", reply.told(), reply.body["field"].as_str().unwrap_or_default())
        };
        assert_eq!(with(Value::Null), "422 invalid_field location");
        assert_eq!(with(json!("LON")), "422 invalid_field location", "our own warehouse is no third party");
        assert_eq!(with(json!("NONE")), "422 unknown_location location");
        let connected = site.ok("POST /channels", connection(&bob, &served));
        assert_eq!(site.call("PATCH /locations/BOB", json!({"kind": "store"})).told(), "422 invalid_field");
        assert_eq!(site.ok("PATCH /locations/BOB2", json!({"kind": "store"}))["kind"], "store");
        site.ok("PATCH /locations/BOB2", json!({"kind": "third_party"}));
        assert_eq!(connected["location"], "BOB");
        let mut again = connection(&bob, &served);
        again["code"] = json!("bob-again");
        assert_eq!(site.call("POST /channels", again).told(), "422 invalid_field", "one connection for each location");
        assert_eq!(site.ok("POST /channels/bob/check", Value::Null)["account"], "A Channel");
        assert!(!site.get("/channels").to_string().contains("whsec_"));

        // One that does not answer is shown so, also while there is nothing to ask it.
        let mut silent = connection(&bob, &served);
        (silent["code"], silent["location"], silent["address"]) = (json!("mute"), json!("BOB2"), json!("http://127.0.0.1:9"));
        site.ok("POST /channels", silent);
        site.work();
        let fault = || site.get("/channels/mute")["fault"].as_str().map(str::to_owned);
        site.until("it is told", fault);
        for _ in 0..10 {
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(fault().is_some(), "it has not answered since");
        }
    });
}

#[test]
fn orders_are_handed_over_followed_and_booked_parcel_by_parcel() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, bob, served) = bob(&site);
        site.ok("POST /channels", connection(&bob, &served));
        // Answers that get lost and calls that are refused for a moment change nothing.
        market.set_faults(Faults { half: 0.15, error: 0.1, too_many: 0.1, ..Faults::default() });
        site.work();
        let placed = order(&site, "1", "TEA 2, MUG 3");
        assert_eq!(fulfillments(&placed), "BOB: TEA 2, MUG 3");
        let (fulfillment, there) = handed(&site, &bob, &placed);
        assert_eq!(bob.taken(&fulfillment).len(), 1, "once, whatever got lost");
        let some = json!({"lines": [{"sku": "TEA", "quantity": 1}]});
        let path = format!("POST /orders/{}/cancel", placed["id"].as_str().unwrap());
        assert_eq!(site.call(&path, some).told(), "409 handed_over");

        market.set_faults(Faults::default());
        bob.send_out(there, 1);
        deliver(&site, &bob);
        site.until("the first parcel is booked", || (status(&site, &placed) == "partially_fulfilled").then_some(()));
        assert_eq!(site.stock_at("TEA", "BOB"), "available 8");
        bob.send_out(there, 9);
        // No notice comes; it is looked after all the same.
        site.time.advance(120);
        site.until("all of it is booked", || (status(&site, &placed) == "fulfilled").then_some(()));
        let shipments = site.get(&format!("/orders/{}", placed["id"].as_str().unwrap()))["fulfillments"][0]["shipments"].clone();
        assert_eq!((shipments.as_array().unwrap().len(), &shipments[0]["carrier"]), (2, &json!("UPS")), "{shipments}");
        assert_eq!((site.stock_at("MUG", "BOB").as_str(), state(&site, &fulfillment).as_str()), ("available 2", "shipped"));
        assert!(exceptions(&site).is_empty(), "{:?}", exceptions(&site));
        site.verify();
    });
}

#[test]
fn what_it_has_is_asked_back_before_its_units_are_promised_again() {
    on_both(|url| {
        let site = Site::new(url);
        let (_, bob, served) = bob(&site);
        site.ok("POST /channels", connection(&bob, &served));
        let cancel = |order: &Value| site.ok(&format!("POST /orders/{}/cancel", order["id"].as_str().unwrap()), json!({"reason": "torn"}));
        // Before it was handed over it is just canceled.
        let early = order(&site, "0", "TEA 1");
        assert_eq!(cancel(&early)["status"], "canceled");
        site.work();
        let placed = order(&site, "1", "TEA 10");
        let (_, there) = handed(&site, &bob, &placed);
        assert_eq!(cancel(&placed)["status"], "open", "the warehouse may be packing it");
        assert_eq!(site.reserve("TEA 1").told(), "409 insufficient_stock");
        site.until("the warehouse gives it back", || (status(&site, &placed) == "canceled").then_some(()));
        assert_eq!(site.stock("TEA"), "available 10");
        assert_eq!(bob.taken(placed["fulfillments"][0]["id"].as_str().unwrap()), vec![there]);

        // One that left meanwhile is shipped, and a person is told.
        let late = order(&site, "2", "TEA 4");
        let (_, there) = handed(&site, &bob, &late);
        bob.send_out(there, 9);
        assert_eq!(cancel(&late)["status"], "open");
        site.until("it is known to have left", || (status(&site, &late) == "fulfilled").then_some(()));
        let told = exceptions(&site);
        assert!(told.len() == 1 && told[0]["kind"] == "unfillable" && told[0]["title"].as_str().unwrap().contains("was to be canceled"), "{told:?}");
        assert_eq!(site.stock("TEA"), "available 6");

        // One that needs a person there needs one here.
        let stuck = order(&site, "3", "TEA 1");
        let (fulfillment, there) = handed(&site, &bob, &stuck);
        bob.get_stuck(there, "Address not found");
        deliver(&site, &bob);
        site.until("it is stuck here too", || (state(&site, &fulfillment) == "stuck").then_some(()));
        assert!(exceptions(&site).iter().any(|e| e["title"].as_str().unwrap().contains("is stuck")), "{:?}", exceptions(&site));

        // All of them stand in the list: by state, by number, either way round.
        let owner = site.visitor("owner");
        let shown = |query: &str| {
            let page = owner.get(&format!("/channels/bob/handovers?{query}")).text();
            page.split("data-row=\"").skip(1).map(|row| row.split('"').next().unwrap().to_owned()).collect::<Vec<String>>()
        };
        let mut all = shown("");
        assert_eq!((all.len(), all[0].as_str()), (4, fulfillment.as_str()));
        all.reverse();
        assert_eq!(shown("sort=handed"), all);
        assert_eq!(
            (shown("view=trouble"), shown("view=open"), shown("view=canceled").len()),
            (vec![fulfillment.clone()], vec![fulfillment.clone()], 2)
        );
        for query in [format!("q={fulfillment}"), format!("q={there}"), format!("q={}&sort=handed", stuck["number"].as_str().unwrap())] {
            assert_eq!(shown(&query), std::slice::from_ref(&fulfillment), "{query}");
        }
        assert!(shown("q=nothing").is_empty() && shown("view=shipped&q=nothing").is_empty());
        assert!(owner.get("/channels/bob/handovers?view=trouble").text().contains("st-danger"));
        let file = owner.get("/channels/bob/handovers?view=trouble&format=csv").text();
        assert!(file.lines().count() == 2 && file.contains(&fulfillment), "{file}");
        assert_eq!(owner.get("/channels/bob/handovers?after=x").status, 400);
        site.verify();
    });
}

#[test]
fn what_it_has_is_held_against_the_books() {
    on_both(|url| {
        let site = Site::new(url);
        let (_, bob, served) = bob(&site);
        site.ok("POST /channels", connection(&bob, &served));
        site.work();
        let count = |sku: &str, on_hand: i64| {
            bob.count(sku, on_hand);
            site.time.advance(1);
            let began = site.time.now();
            site.ok("POST /channels/bob/resync", Value::Null);
            site.until("its stock was read", || {
                let resync = site.get("/channels/bob")["resync"].clone();
                let at = resync["ended_at"].as_str()?.parse::<jiff::Timestamp>().unwrap().as_microsecond();
                (at >= began).then_some(resync)
            });
        };
        count("TEA", 12);
        assert_eq!(site.stock_at("TEA", "BOB"), "available 12", "two more were found there");
        let placed = order(&site, "1", "TEA 3");
        let (_, there) = handed(&site, &bob, &placed);
        count("TEA", 9);
        assert_eq!(site.stock_at("TEA", "BOB"), "available 9 committed 3", "those three may have left: that is no loss");
        count("TEA", 7);
        assert_eq!(site.stock_at("TEA", "BOB"), "available 7 committed 3", "two more than the order explains are lost");
        bob.send_out(there, 9);
        deliver(&site, &bob);
        site.until("it is booked", || (status(&site, &placed) == "fulfilled").then_some(()));
        count("TEA", 7);
        assert_eq!(site.stock_at("TEA", "BOB"), "available 7");
        assert!(exceptions(&site).iter().all(|e| e["kind"] != "drift"), "they agree again: {:?}", exceptions(&site));
        let status = site.get("/channels/bob");
        assert_eq!((&status["drift_found"], &status["drift_units"]), (&json!(2), &json!(4)));
        site.verify();
    });
}

#[test]
fn what_it_does_not_take_is_sent_from_elsewhere_or_canceled() {
    on_both(|url| {
        let site = Site::new(url);
        let (_, bob, served) = bob(&site);
        site.ok("POST /channels", connection(&bob, &served));
        site.work();
        // An order without an address is no order to a warehouse.
        let bad = site.order("1", "MUG 2").body;
        let exception = site.until("a person is told", || exceptions(&site).into_iter().next());
        assert_eq!((&exception["kind"], &exception["actions"][1]), (&json!("unfillable"), &json!("reroute")), "{exception}");
        let id = exception["id"].as_str().unwrap().to_owned();
        let act = |body: Value| site.call(&format!("POST /exceptions/{id}"), body).told();
        assert_eq!(act(json!({"action": "backorder"})), "422 invalid_field");
        assert_eq!(act(json!({"action": "reroute"})), "409 insufficient_stock", "London has one");
        assert_eq!(fulfillments(&site.get(&format!("/orders/{}", bad["id"].as_str().unwrap()))), "BOB: MUG 2", "nothing was changed");
        site.receive("LON", "MUG", 4);
        assert_eq!(act(json!({"action": "reroute", "to": "BOB"})), "422 invalid_field");
        assert_eq!(act(json!({"action": "reroute"})), "200");
        let moved = site.get(&format!("/orders/{}", bad["id"].as_str().unwrap()));
        let open: Vec<&Value> = moved["fulfillments"].as_array().unwrap().iter().filter(|f| f["status"] == "open").collect();
        assert_eq!((open.len(), &open[0]["location"]), (1, &json!("LON")), "{moved}");
        assert_eq!((site.stock_at("MUG", "BOB"), site.stock_at("MUG", "LON")), ("available 5".into(), "available 3 committed 2".into()));
        assert!(exceptions(&site).is_empty());

        // One that the warehouse has is asked back first.
        let there = order(&site, "2", "MUG 3");
        let (fulfillment, _) = handed(&site, &bob, &there);
        site.ok(&format!("POST /fulfillments/{fulfillment}/reroute"), json!({}));
        site.until("London sends it", || (site.stock_at("MUG", "LON") == "committed 5").then_some(()));
        assert_eq!(site.stock_at("MUG", "BOB"), "available 5");

        let again = site.order("3", "TEA 1").body;
        let exception = site.until("a person is told again", || exceptions(&site).into_iter().next());
        site.ok(&format!("POST /exceptions/{}", exception["id"].as_str().unwrap()), json!({"action": "cancel", "note": "no address"}));
        assert_eq!((status(&site, &again).as_str(), site.stock("TEA").as_str()), ("canceled", "available 10"));
        site.verify();
    });
}

#[test]
fn silence_is_told() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, bob, served) = bob(&site);
        site.ok("POST /channels", connection(&bob, &served));
        site.work();
        let placed = order(&site, "1", "TEA 1");
        let (fulfillment, there) = handed(&site, &bob, &placed);
        market.down_for(3_600_000);
        site.time.advance(2 * 86_400 + 60);
        // A worker looks at once when it begins, and it begins anew when the channel changes.
        site.ok("PATCH /channels/bob", json!({"name": "ShipBob Chicago"}));
        let silent = || exceptions(&site).into_iter().find(|e| e["kind"] == "third_party_silence");
        let told = site.until("a person is told", silent);
        assert_eq!((&told["severity"], &told["about"]), (&json!("warning"), &json!(format!("handover:{fulfillment}"))));
        market.down_for(0);
        bob.send_out(there, 9);
        deliver(&site, &bob);
        site.until("it is heard of again", || (status(&site, &placed) == "fulfilled" && silent().is_none()).then_some(()));
        site.verify();
    });
}
