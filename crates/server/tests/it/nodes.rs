//! Several nodes on one PostgreSQL.

use crate::support::{Site, postgres};
use engine::Url;
use serde_json::json;
use std::sync::Arc;

fn database() -> Url {
    Url::parse(&postgres().database().unwrap()).unwrap()
}

#[test]
fn nodes_may_start_and_migrate_at_once() {
    let url = database();
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || engine::Engine::open(engine::Options::new(url)).map(|e| e.shut_down()))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}

#[test]
fn what_one_node_changes_the_other_knows() {
    let url = database();
    let (one, two) = (Site::new(url.clone()), Site::new(url));
    one.locations(&[("LON", json!({}))]);
    one.item("A", json!({}), "LON 5");
    assert_eq!(two.reserve("A 3").told(), "201");
    assert_eq!(one.reserve("A 3").told(), "409 insufficient_stock");
    one.ok("PATCH /items/A", json!({"when_short": "backorder"}));
    assert_eq!(two.order("1", "A 3").body["status"], "backordered");
    two.ok("PATCH /locations/LON", json!({"active": false}));
    two.receive("LON", "A", 10);
    assert_eq!(one.reserve("A 1").told(), "409 insufficient_stock", "not from a closed location");
    two.engine.shut_down();
    one.verify();
}

#[test]
fn both_nodes_together_never_oversell_and_never_double_an_order() {
    let url = database();
    let (one, two) = (Site::new(url.clone()), Site::new(url));
    one.locations(&[("LON", json!({"daily_capacity": 40})), ("LEE", json!({}))]);
    one.item("A", json!({}), "LON 60, LEE 40");
    one.item("B", json!({}), "LEE 30");
    let (one, two) = (Arc::new(one), Arc::new(two));
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let site = if n % 2 == 0 { one.clone() } else { two.clone() };
            std::thread::spawn(move || {
                // Every reference is tried by two threads, on different nodes.
                (0..30).map(|i| site.order(&format!("{}-{i}", n / 2), if i % 3 == 0 { "B 1, A 1" } else { "A 1" }).status).collect::<Vec<u16>>()
            })
        })
        .collect();
    let statuses: Vec<u16> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    assert!(statuses.iter().all(|s| [200, 201, 409].contains(s)), "{statuses:?}");
    let created = statuses.iter().filter(|s| **s == 201).count();
    // London may send 40 orders, and Leeds has 40 units.
    assert_eq!(created, 80, "{}", one.stock("A"));
    assert_eq!(one.stock("A"), "available 20 committed 80");
    let at_london = one.get("/orders?limit=250")["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|o| o["fulfillments"].as_array().unwrap().iter().any(|f| f["location"] == "LON"))
        .count();
    assert!(at_london <= 40, "{at_london} orders at a place that can do 40");
    Arc::into_inner(two).unwrap().engine.shut_down();
    Arc::into_inner(one).unwrap().verify();
}

#[test]
fn a_restarted_or_cut_database_loses_nothing() {
    // A server of its own, so that the others are not disturbed.
    let server = sim::postgres::TempPostgres::start().unwrap();
    let url = Url::parse(&server.database().unwrap()).unwrap();
    let site = Site::new(url);
    site.locations(&[("LON", json!({}))]);
    site.item("A", json!({}), "LON 1000");
    let site = Arc::new(site);
    let working = site.clone();
    let worker = std::thread::spawn(move || (0..400).filter(|n| working.order(&n.to_string(), "A 1").status == 201).count());
    for _ in 0..5 {
        std::thread::sleep(std::time::Duration::from_millis(150));
        server.cut_connections().unwrap();
    }
    server.restart().unwrap();
    let placed = worker.join().unwrap();
    let orders = (0..400).filter(|n| site.order(&n.to_string(), "A 1").status == 200).count();
    assert_eq!(orders, placed, "an order was acknowledged exactly when it is there");
    assert_eq!(site.stock("A"), "available 600 committed 400");
    Arc::into_inner(site).unwrap().verify();
}
