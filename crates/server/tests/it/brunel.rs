//! A real day: 9,215 orders of a microchip maker over 18 plants with daily capacity. The integral optimum, by linear
//! programming, is 2,444 orders placed at a warehouse cost of 1,181,335.93; the cheapest plant with room in file order
//! gives 2,357 at 3,108,229.89.

use crate::support::{Site, on_both};
use connectors::brunel::Day;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const OPTIMUM: f64 = 1_181_335.93;

fn day() -> Day {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/brunel");
    Day::read(&folder).unwrap_or_else(|e| panic!("{}: {e}; these tests need the data beside the project", folder.display()))
}

/// Plants as locations, products as items with plenty of stock at each plant that makes them.
fn set_up(site: &Site, day: &Day, timing: &str) {
    for plant in &day.plants {
        let body = json!({"code": plant.code, "name": plant.code, "kind": "warehouse", "country": "US", "daily_capacity": plant.daily_capacity, "cost_per_unit": plant.cost_per_unit});
        site.ok("POST /locations", body);
    }
    let mut products: Vec<&str> = day.products.iter().map(|(_, p)| p.as_str()).chain(day.orders.iter().map(|o| o.product.as_str())).collect();
    products.sort_unstable();
    products.dedup();
    let items: String = std::iter::once("sku,name\n".to_owned()).chain(products.iter().map(|p| format!("{p},Product {p}\n"))).collect();
    assert_eq!(site.send("POST /imports/items", items.into_bytes(), &[]).body["rejected"], 0);
    let known: std::collections::HashSet<&str> = day.plants.iter().map(|p| p.code.as_str()).collect();
    let stock =
        day.products.iter().filter(|(plant, _)| known.contains(plant.as_str())).map(|(plant, product)| format!("{product},{plant},1000000000\n"));
    let stock: String = std::iter::once("sku,location,quantity\n".to_owned()).chain(stock).collect();
    assert_eq!(site.send("POST /imports/stock", stock.into_bytes(), &[]).body["rejected"], 0);
    let mut only: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (plant, customer) in day.vendor_managed.iter().filter(|(plant, _)| known.contains(plant.as_str())) {
        only.entry(plant).or_default().push(customer);
    }
    let only: Vec<Value> = only.into_iter().map(|(location, customers)| json!({"location": location, "customers": customers})).collect();
    let rule = json!({"name": "cheapest plant", "max_fulfillments": 1, "timing": timing, "cost": {"per_fulfillment": 0, "per_km": 0, "split_penalty": 0, "stock_out_risk": 0}});
    site.ok("POST /routing/rules", json!({"name": "Brunel", "rules": {"rules": [rule], "only_for": only}}));
}

/// Orders in file order; the answers' statuses.
fn place(site: &Site, day: &Day) -> Vec<(usize, Value)> {
    let mut refused = Vec::new();
    // The file repeats an order for each of its products, so the row's number is part of the reference.
    let actor: std::sync::Arc<str> = "test".into();
    let mut answers = Vec::new();
    for (n, order) in day.orders.iter().enumerate() {
        let body = json!({"channel": "brunel", "reference": format!("{}-{n}", order.id), "ship_to": {"country": "US"}, "customer": order.customer, "lines": [{"sku": order.product, "quantity": order.quantity}]});
        let command = engine::Command::PlaceOrder(Box::new(serde_json::from_value(body).unwrap()));
        answers.push(site.engine.send(command, actor.clone(), None).unwrap());
        if answers.len() == 2_000 || n + 1 == day.orders.len() {
            for (m, answer) in answers.drain(..).enumerate() {
                if let Err(stop) = answer.blocking_recv().unwrap() {
                    let refused_by = stop.refused().unwrap_or_else(|| panic!("{stop}"));
                    refused.push((n + 1 - 2_000.min(n + 1) + m, json!({"code": refused_by.code(), "detail": refused_by.to_string()})));
                }
            }
        }
    }
    refused
}

/// (orders placed, warehouse cost, orders by plant) from the orders themselves.
fn outcome(site: &Site, day: &Day) -> (usize, f64, HashMap<String, i64>) {
    let cost: HashMap<&str, i64> = day.plants.iter().map(|p| (p.code.as_str(), p.cost_per_unit)).collect();
    let (mut placed, mut total, mut by_plant) = (0, 0i64, HashMap::new());
    let mut after = String::new();
    loop {
        let page = site.get(&format!("/orders?limit=250&status=open&after={after}"));
        for order in page["data"].as_array().unwrap() {
            let fulfillment = &order["fulfillments"][0];
            let plant = fulfillment["location"].as_str().unwrap();
            placed += 1;
            total += cost[plant] * fulfillment["lines"][0]["quantity"].as_i64().unwrap();
            *by_plant.entry(plant.to_owned()).or_insert(0) += 1;
        }
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return (placed, total as f64 / 1e6, by_plant),
        }
    }
}

fn check_capacity(day: &Day, by_plant: &HashMap<String, i64>) {
    for plant in &day.plants {
        let used = by_plant.get(&plant.code).copied().unwrap_or(0);
        assert!(used <= plant.daily_capacity, "{} took {used} of {}", plant.code, plant.daily_capacity);
    }
}

#[test]
fn a_run_reaches_the_optimum() {
    let day = day();
    assert_eq!((day.orders.len(), day.plants.len(), day.plants.iter().map(|p| p.daily_capacity).sum::<i64>()), (9_215, 18, 5_784));
    on_both(|url| {
        let site = Site::new(url);
        set_up(&site, &day, "run");
        let refused = place(&site, &day);
        assert!(refused.iter().all(|(_, r)| !r["detail"].as_str().unwrap().is_empty()), "each that could never be sent says why");
        let began = std::time::Instant::now();
        let run = site.ok("POST /routing/runs", json!(null));
        let elapsed = began.elapsed();
        let (placed, cost, by_plant) = outcome(&site, &day);
        eprintln!("run: {placed} placed at {cost:.2} in {elapsed:?}; {} refused at the door, {run}", refused.len());
        check_capacity(&day, &by_plant);
        assert_eq!(placed, 2_444);
        assert!(cost <= 1.02 * OPTIMUM, "{cost}");
        assert!(elapsed.as_secs() < 10, "{elapsed:?}");
        assert_eq!(refused.len() + placed + run["left_over"].as_u64().unwrap() as usize, day.orders.len(), "every order is somewhere");
        let left = &site.get("/orders?limit=1&status=queued")["data"][0];
        assert!(left["decision"]["candidates"].as_array().unwrap().iter().all(|c| !c["reason"].as_str().unwrap().is_empty()), "{left}");
        site.verify();
    });
}

#[test]
fn at_once_is_no_worse_than_file_order() {
    let day = day();
    on_both(|url| {
        let site = Site::new(url);
        set_up(&site, &day, "at_once");
        let refused = place(&site, &day);
        let (placed, cost, by_plant) = outcome(&site, &day);
        eprintln!("at once: {placed} placed at {cost:.2}, {} refused", refused.len());
        check_capacity(&day, &by_plant);
        assert!(placed >= 2_357, "{placed}");
        assert_eq!(refused.len() + placed, day.orders.len());
        site.verify();
    });
}
