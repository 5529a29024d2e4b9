//! Search follows what the API does, on both databases and over several nodes.

use crate::support::{Site, on_both, on_postgres};
use search::{Found, Kind, Query, Search};
use serde_json::json;
use sim::postgres::TempFolder;

/// What is found once the index is up to date with this node's events, as SKUs and `#references`.
fn find(site: &Site, search: &Search, text: &str) -> String {
    let last = site.engine.read_blocking(engine::events::last).unwrap();
    let query = Query { text, kind: None, channels: None, of_item: None, active_only: false, limit: 50 };
    let up_to_date = |found: &Found| found.building.is_none() && found.up_to_seq >= last;
    let found = site.soon("an index that is up to date", || search.find(&query).ok().filter(up_to_date));
    let name = |(kind, id): (Kind, i64)| match kind {
        Kind::Item => site.engine.read_blocking(|tx| Ok(engine::search::items(tx, &[id])?[0].sku.clone())).unwrap(),
        Kind::Order => site.engine.read_blocking(|tx| Ok(format!("#{}", engine::search::orders(tx, &[id])?[0].reference))).unwrap(),
    };
    found.hits.iter().map(|hit| name((hit.kind, hit.id))).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_the_api_does_is_found() {
    on_both(|url| {
        let folder = TempFolder::new("search").unwrap();
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A-1", json!({"name": "Paper lantern", "barcode": "4006381333931"}), "LON 10");
        let search = site.search(folder.path());
        assert_eq!(find(&site, &search, "lantern"), "A-1");
        let ship_to = json!({"country": "GB", "name": "Zoë Ångström", "postal_code": "SW1A 1AA", "city": "London"});
        let body = json!({"channel": "web", "reference": "W-1", "ship_to": ship_to, "lines": [{"sku": "A-1", "quantity": 1}]});
        let order = site.ok("POST /orders", body);
        assert_eq!(find(&site, &search, "zoe angstrom sw1a1aa"), "#W-1");
        assert_eq!(find(&site, &search, order["number"].as_str().unwrap()), "#W-1");
        let fulfillment = order["fulfillments"][0]["id"].as_str().unwrap();
        site.ok(&format!("POST /fulfillments/{fulfillment}/ship"), json!({"tracking_number": "JD0002"}));
        assert_eq!(find(&site, &search, "jd0002"), "#W-1");
        // By what was ordered: the item itself, or the kit that it was in.
        let item = |sku: &str| site.engine.read_blocking(|tx| Ok(engine::stock::read::item(tx, sku)?.id)).unwrap();
        let of = |sku: &str, text: &str, channels: Option<&[String]>| {
            let query = Query { text, kind: None, channels, of_item: Some(item(sku)), active_only: false, limit: 50 };
            let found = search.find(&query).unwrap();
            (found.hits.len(), found.total, found.hits.iter().all(|hit| hit.kind == Kind::Order))
        };
        site.item("B-1", json!({}), "LON 10");
        site.ok("POST /items", json!({"sku": "SET", "name": "A set", "components": [{"sku": "A-1", "quantity": 1}, {"sku": "B-1", "quantity": 1}]}));
        site.ok(
            "POST /orders",
            json!({"channel": "shop", "reference": "XMAS-77", "ship_to": {"country": "GB"}, "lines": [{"sku": "SET", "quantity": 1}]}),
        );
        assert_eq!(find(&site, &search, "xmas-77"), "#XMAS-77");
        assert_eq!((of("A-1", "", None), of("B-1", "", None), of("SET", "", None)), ((2, 2, true), (1, 1, true), (1, 1, true)));
        assert_eq!(
            (of("A-1", "angstrom", None), of("B-1", "angstrom", None), of("A-1", "lantern", None)),
            ((1, 1, true), (0, 0, true), (0, 0, true))
        );
        assert_eq!((of("A-1", "", Some(&["shop".into()])), of("A-1", "", Some(&[]))), ((1, 1, true), (0, 0, true)));
        site.ok("PATCH /items/A-1", json!({"name": "Paper moon"}));
        assert_eq!((find(&site, &search, "lantern").as_str(), find(&site, &search, "moon").as_str()), ("", "A-1"));
        site.send("POST /imports/items", b"sku,name\nA-1,Paper sun\nB-1,Glass sun\n".to_vec(), &[]);
        assert_eq!((find(&site, &search, "sun").as_str(), find(&site, &search, "moon").as_str()), ("B-1 A-1", ""));
        site.verify();
    });
}

/// Each node has a block of ids of its own, so the younger row may have the lower id.
#[test]
fn a_low_id_that_comes_late_is_found() {
    let url = on_postgres();
    let (folder_one, folder_two) = (TempFolder::new("search").unwrap(), TempFolder::new("search").unwrap());
    let (one, two) = (Site::new(url.clone()), Site::new(url));
    one.locations(&[("LON", json!({}))]);
    two.item("B", json!({"name": "Blue lantern"}), "");
    let (search_one, search_two) = (one.search(folder_one.path()), two.search(folder_two.path()));
    assert_eq!(find(&one, &search_one, "lantern"), "B");
    assert_eq!(find(&two, &search_two, "lantern"), "B");
    one.item("A", json!({"name": "Amber lantern"}), "LON 1");
    assert_eq!(find(&one, &search_one, "lantern"), "B A", "the newest by id");
    assert_eq!(find(&two, &search_two, "lantern"), "B A", "what another node did");
    two.engine.shut_down();
    one.verify();
}
