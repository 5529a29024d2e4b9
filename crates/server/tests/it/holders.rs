//! Who holds an item, found in its ledger.

use crate::stock_lists::{config, item, locations};
use crate::support::{Site, on_both};
use engine::stock::Ledger;
use engine::stock::holders::{self, Document};
use serde_json::{Value, json};

#[test]
fn who_holds_an_item_is_found_in_its_ledger() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 20, LEE 30");
        site.item("B", json!({}), "LON 20");
        site.item("C", json!({}), "LON 20");
        let ship = |order: &Value, lines: Value| {
            site.ok(&format!("POST /fulfillments/{}/ship", order["fulfillments"][0]["id"].as_str().unwrap()), lines);
        };
        let done = site.order("done", "A 2").body;
        ship(&done, json!({}));
        let part = site.order("part", "A 3, B 1").body;
        ship(&part, json!({"lines": [{"sku": "A", "quantity": 1}]}));
        let held = site.ok("POST /reservations", json!({"lines": [{"sku": "A", "quantity": 4, "location": "LEE"}, {"sku": "A", "quantity": 2, "location": "LON"}], "expires_in_seconds": 60}));
        let freed = site.reserve("A 5").body;
        site.ok(&format!("POST /reservations/{}/release", freed["id"].as_str().unwrap()), json!({}));
        let split = site.order("split", "A 30").body;
        assert_eq!(split["fulfillments"].as_array().unwrap().len(), 2);
        site.item("D", json!({}), "LON 50");
        site.order("old", "D 1");
        for n in 0..6 {
            ship(&site.order(&format!("sent {n}"), "D 1").body, json!({}));
        }
        site.ok("POST /routing/rules", json!({"name": "runs", "rules": {"rules": [{"name": "all", "timing": "run"}]}}));
        site.time.advance(1);
        let queued = site.order("queued", "A 1").body;
        assert_eq!(queued["status"], "queued");
        let (a, config) = (item(&site, "A"), config(&site));
        let read = |item: i64, places: Option<&[&str]>, limit: usize| {
            let seen = places.map(|codes| locations(&site, codes));
            let read = |tx: &mut engine::db::Tx<'_>| {
                let ledger = Ledger::read(tx, item, seen.as_deref())?;
                holders::holders(tx, &config, &ledger, limit)
            };
            site.engine.read_blocking(read).unwrap()
        };
        let found = read(a, None, 50);
        let name = |d: &Document| match d {
            Document::Order { reference, .. } => reference.clone(),
            Document::Reservation { id, .. } => id.0.to_string(),
        };
        let mut rows: Vec<String> = found.rows.iter().map(|h| format!("{} {} {} {}", name(&h.document), h.location, h.state, h.units)).collect();
        rows.sort();
        let held = held["id"].as_str().unwrap();
        let place = |order: &Value, n: usize| order["fulfillments"][n]["location"].as_str().unwrap().to_owned();
        let units = |n: usize| split["fulfillments"][n]["lines"][0]["quantity"].as_i64().unwrap();
        let mut told = vec![
            format!("{held} LEE reserved 4"),
            format!("{held} LON reserved 2"),
            format!("part {} committed 2", place(&part, 0)),
            format!("split {} committed {}", place(&split, 0), units(0)),
            format!("split {} committed {}", place(&split, 1), units(1)),
        ];
        told.sort();
        rows.retain(|row| !row.starts_with("queued"));
        assert_eq!(rows, told);
        let is_queued = |h: &&holders::Holder| name(&h.document) == "queued";
        assert!(is_queued(&&found.rows[0]), "who took units last comes first");
        assert_eq!(found.rows.iter().filter(is_queued).map(|h| (h.state, h.units)).collect::<Vec<_>>(), [("reserved", 1)]);
        assert_eq!((found.reserved, found.committed, found.others), (7, 32, 0));
        let lee = read(a, Some(&["LEE"]), 50);
        assert!(lee.rows.iter().all(|h| &*h.location == "LEE") && lee.others == 0);
        assert_eq!(lee.reserved + lee.committed, lee.rows.iter().map(|h| h.units).sum::<i64>());
        let first = read(a, None, 1);
        assert_eq!((first.rows.len(), first.rows[0].units + first.others), (1, 39));
        assert!(read(item(&site, "C"), None, 50).rows.is_empty() && read(-5, None, 50).rows.is_empty());
        // Behind others that hold nothing any more; then behind more entries than are gone through.
        let d = item(&site, "D");
        let behind = read(d, None, 1);
        assert_eq!((behind.rows.iter().map(|h| name(&h.document)).collect::<Vec<_>>(), behind.others), (vec!["old".to_owned()], 0));
        for _ in 0..1_000 {
            site.receive("LON", "D", 1);
        }
        let behind = read(d, None, 1);
        assert_eq!((behind.rows.len(), behind.committed, behind.others), (0, 1, 1));
    });
}
