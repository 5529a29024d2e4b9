//! Stock as a warehouse would tell it.

use crate::support::{Site, on_both};
use serde_json::json;

#[test]
fn receive_adjust_move_and_count() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({"barcode": "5012345678900", "weight_grams": 250}), "LON 10");
        assert_eq!(site.stock("A"), "available 10");

        let adjust = |delta: i64, reason: &str, state: &str| {
            site.call("POST /stock/adjust", json!({"location": "LON", "reason": reason, "lines": [{"sku": "A", "delta": delta, "state": state}]}))
                .told()
        };
        assert_eq!(adjust(5, "found", "available"), "201");
        assert_eq!(adjust(-3, "theft", "available"), "201");
        assert_eq!(adjust(2, "return", "quality_control"), "201");
        assert_eq!(adjust(-13, "theft", "available"), "409 insufficient_stock");
        assert_eq!(adjust(1, "trick", "reserved"), "422 invalid_field");
        assert_eq!(site.stock("A"), "available 12 quality_control 2");

        let shift = |from: (&str, &str), to: (&str, &str), quantity: i64| {
            let body = json!({"from": {"location": from.0, "state": from.1}, "to": {"location": to.0, "state": to.1}, "lines": [{"sku": "A", "quantity": quantity}], "reason": "test"});
            site.call("POST /stock/move", body).told()
        };
        assert_eq!(shift(("LON", "available"), ("LON", "damaged"), 1), "201");
        assert_eq!(shift(("LON", "available"), ("LON", "safety_stock"), 4), "201");
        assert_eq!(shift(("LON", "quality_control"), ("LEE", "available"), 2), "201");
        assert_eq!(shift(("LON", "available"), ("LON", "committed"), 1), "422 invalid_field");
        assert_eq!(shift(("LON", "available"), ("LON", "available"), 1), "422 invalid_field");
        assert_eq!(shift(("LON", "available"), ("LEE", "available"), 8), "409 insufficient_stock");
        assert_eq!(site.stock_at("A", "LON"), "available 7 damaged 1 safety_stock 4");
        assert_eq!(site.stock_at("A", "LEE"), "available 2");

        let count = |counted: i64| site.call("POST /stock/count", json!({"location": "LON", "lines": [{"sku": "A", "counted": counted}]})).told();
        assert_eq!(count(9), "201");
        assert_eq!(site.stock_at("A", "LON"), "available 4 damaged 1 safety_stock 4");
        assert_eq!(count(4), "409 count_below_promised");
        assert_eq!(site.get("/stock/A")["on_hand"], 11);
        site.verify();
    });
}

#[test]
fn transfers_arrive_in_parts_and_with_losses() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 10");
        let sent = site.ok("POST /transfers", json!({"from": "LON", "to": "LEE", "lines": [{"sku": "A", "quantity": 6}]}));
        let receive = format!("POST /transfers/{}/receive", sent["id"].as_str().unwrap());
        assert_eq!(site.stock("A"), "available 4 incoming 6");
        assert_eq!(site.get("/stock/A")["on_hand"], 4, "incoming stands beside on hand");
        assert_eq!(site.reserve("A 5").told(), "409 insufficient_stock", "what is on its way cannot be promised");

        let part = site.ok(&receive, json!({"lines": [{"sku": "A", "received": 2, "lost": 1}]}));
        assert_eq!(part["status"], "partially_received");
        assert_eq!(site.stock("A"), "available 6 incoming 3");
        assert_eq!(site.call(&receive, json!({"lines": [{"sku": "A", "received": 4}]})).told(), "409 too_many");
        let rest = site.ok(&receive, json!({}));
        assert_eq!(rest["status"], "received");
        assert_eq!(site.stock_at("A", "LEE"), "available 5");
        assert_eq!(site.call(&receive, json!({})).told(), "409 step_not_allowed");
        assert_eq!(
            site.call("POST /transfers", json!({"from": "LON", "to": "LON", "lines": [{"sku": "A", "quantity": 1}]})).told(),
            "422 invalid_field"
        );
        assert_eq!(site.get("/transfers")["data"].as_array().unwrap().len(), 1);
        site.verify();
    });
}

#[test]
fn what_is_on_its_way_can_be_taken_back() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({ "when_short": "backorder" }), "LON 10");
        let send = |quantity: i64| {
            let sent = site.ok("POST /transfers", json!({"from": "LON", "to": "LEE", "lines": [{"sku": "A", "quantity": quantity}]}));
            format!("POST /transfers/{}", sent["id"].as_str().unwrap())
        };
        // Whole, and once.
        let mistaken = send(6);
        let back = site.ok(&format!("{mistaken}/cancel"), json!({}));
        assert_eq!((&back["status"], &back["lines"][0]["canceled"]), (&json!("canceled"), &json!(6)));
        assert_eq!((site.stock_at("A", "LON"), site.stock_at("A", "LEE")), ("available 10".into(), String::new()));
        assert_eq!(site.call(&format!("{mistaken}/cancel"), json!({})).told(), "409 step_not_allowed");
        assert_eq!(site.call(&format!("{mistaken}/receive"), json!({})).told(), "409 step_not_allowed");
        // What arrived or was lost stays; who waits for the rest gets it.
        let late = send(8);
        site.ok(&format!("{late}/receive"), json!({"lines": [{"sku": "A", "received": 2, "lost": 1}]}));
        let order = site.order("waits", "A 7").body;
        assert_eq!(order["status"], "backordered", "{order}");
        let rest = site.ok(&format!("{late}/cancel"), json!({}));
        assert_eq!((&rest["status"], &rest["lines"][0]["canceled"]), (&json!("received"), &json!(5)));
        assert_eq!(site.get(&format!("/orders/{}", order["id"].as_str().unwrap()))["status"], "open");
        assert_eq!((site.stock_at("A", "LON"), site.stock_at("A", "LEE")), ("available 2 committed 5".into(), "committed 2".into()));
        assert_eq!(site.call("POST /transfers/7/cancel", json!({})).told(), "404 unknown_transfer");
        let all = site.get("/transfers");
        let statuses: Vec<&str> = all["data"].as_array().unwrap().iter().map(|t| t["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["received", "canceled"]);
        site.verify();
    });
}

#[test]
fn every_number_can_be_explained() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 10");
        let morning = site.time.now();
        site.time.advance(3_600);
        site.ok(
            "POST /stock/adjust",
            json!({"location": "LON", "reason": "shrinkage", "reference": "audit 7", "lines": [{"sku": "A", "delta": -4}]}),
        );
        site.reserve("A 1");
        assert_eq!(site.stock("A"), "available 5 reserved 1");

        let as_of = |micros: i64| {
            let time = jiff::Timestamp::from_microsecond(micros).unwrap();
            crate::support::balances(&site.get(&format!("/stock/A?as_of={time}")))
        };
        assert_eq!(as_of(morning), "available 10");
        assert_eq!(as_of(morning - 1), "");
        assert_eq!(as_of(site.time.now()), "available 5 reserved 1");

        let entries = site.get("/stock/A/entries?limit=2");
        let first = &entries["data"][1];
        assert_eq!(
            (&first["from"], &first["to"], &first["quantity"], &first["reason"], &first["reference"], &first["actor"]),
            (&json!("available"), &json!("scrap"), &json!(4), &json!("shrinkage"), &json!("audit 7"), &json!("key:tester"))
        );
        let rest = site.get(&format!("/stock/A/entries?limit=2&after={}", entries["next"].as_str().unwrap()));
        assert_eq!((rest["data"].as_array().unwrap().len(), &rest["next"]), (1, &json!(null)));
        assert_eq!(rest["data"][0]["cause"], "reservation.held");
        site.verify();
    });
}

#[test]
fn tampering_shows() {
    on_both(|url| {
        for (tamper, told) in [
            ("UPDATE entries SET quantity = 11 WHERE number = 1", "hash does not fit"),
            ("UPDATE levels SET available = 99", "not the sum"),
            ("UPDATE entries SET actor = 'nobody' WHERE number = 2", "hash does not fit"),
            ("DELETE FROM entries WHERE number = 2", "comes after entry 1"),
            ("UPDATE reservations SET status = 'released'", "documents claim 0"),
            ("DELETE FROM events WHERE seq = 2", "events"),
        ] {
            let url = match &url {
                engine::Url::Sqlite(path) => engine::Url::Sqlite(path.with_extension(format!("{}.db", told.len() * 100 + tamper.len()))),
                engine::Url::Postgres(_) => crate::support::on_postgres(),
            };
            let site = Site::new(url.clone());
            site.locations(&[("LON", json!({}))]);
            site.item("A", json!({}), "LON 10");
            site.reserve("A 3");
            site.receive("LON", "A", 1);
            site.engine.shut_down();
            assert_eq!(engine::verify(&url, |_| {}).unwrap().discrepancies, 0);
            engine::db::Conn::open(&url).unwrap().batch(tamper).unwrap();
            let report = engine::verify(&url, |_| {}).unwrap();
            assert!(report.told.iter().any(|t| t.contains(told)), "{tamper}: {:?}", report.told);
        }
    });
}

#[test]
fn a_backup_made_while_running_can_be_restored_anywhere() {
    on_both(|url| {
        let folder = sim::postgres::TempFolder::new("backup").unwrap();
        let file = folder.path().join("backup.db");
        let site = Site::new(url.clone());
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 10");
        site.order("1", "A 3");
        engine::backup(&url, &file, |_| {}).unwrap();
        assert!(engine::backup(&url, &file, |_| {}).is_err(), "a backup never overwrites");
        site.order("2", "A 3");
        site.verify();
        on_both(|other| {
            engine::restore(&file, &other, |_| {}).unwrap();
            assert!(engine::restore(&file, &other, |_| {}).is_err(), "only into an empty database");
            let restored = Site::new(other);
            assert_eq!(restored.stock("A"), "available 7 committed 3");
            assert_eq!(restored.order("1", "A 3").body["reference"], "1");
            assert_eq!(restored.stock("A"), "available 7 committed 3", "the restored order is known");
            assert_eq!(restored.order("3", "A 7").told(), "201");
            restored.verify();
        });
        // As a version before closings would have written it, with an entry on a later day.
        let file = folder.path().join("older.db");
        let url = another(&url);
        let site = Site::new(url.clone());
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 10");
        site.time.advance(86_400);
        site.reserve("A 3");
        engine::backup(&url, &file, |_| {}).unwrap();
        site.verify();
        let older = engine::Url::Sqlite(file.clone());
        engine::db::Conn::open(&older).unwrap().batch("DROP TABLE listing_sums; DROP TABLE closings; DROP INDEX listings_unmapped_title; DROP INDEX listings_refused_title; DROP INDEX audit_noun; DROP INDEX handovers_listed; DROP INDEX handovers_unsettled; ALTER TABLE transfer_lines DROP COLUMN canceled; CREATE INDEX listings_refused ON listings (channel, id); DELETE FROM migrations WHERE version >= 12").unwrap();
        on_both(|other| {
            engine::restore(&file, &other, |_| {}).unwrap();
            let restored = Site::new(other);
            assert_eq!(restored.stock("A"), "available 7 reserved 3");
            restored.verify();
        });
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).filter(|f| f.to_string_lossy().contains("newer")).collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

/// Another new database of the same kind.
fn another(url: &engine::Url) -> engine::Url {
    match url {
        engine::Url::Sqlite(path) => engine::Url::Sqlite(path.with_extension("another.db")),
        engine::Url::Postgres(_) => crate::support::on_postgres(),
    }
}
