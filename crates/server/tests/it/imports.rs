//! Imports: dirty files, errors by line and column, resuming, dry runs.

use crate::support::{Site, on_both};
use serde_json::json;
use std::ops::ControlFlow::Continue;

#[test]
fn files_of_every_kind() {
    on_both(|url| {
        let site = Site::new(url);
        let import = |kind: &str, text: &str| site.send(&format!("POST /imports/{kind}"), text.as_bytes().to_vec(), &[]).body;
        let accepted = |answer: &serde_json::Value| (answer["accepted"].as_u64().unwrap(), answer["rejected"].as_u64().unwrap());
        assert_eq!(
            accepted(&import("locations", "Code,Name,Kind,Country,Latitude,Longitude\nLON,London,warehouse,GB,51.5,-0.1\nSHOP,Shop,store,GB,,\n")),
            (2, 0)
        );
        assert_eq!(
            accepted(&import(
                "items",
                "\u{feff}sku;name;price;currency;components\nA;Cup;2,50;GBP;\nB;Pot;9.99;GBP;\nC;Pan;1,250;GBP;\nKIT;Set;;;A*4;B\n"
            )),
            (2, 2),
            "a comma before three digits may part thousands, and a row has its fields"
        );
        assert_eq!(accepted(&import("items", "sku,name,price,currency,components\nA,Cup,2.50,GBP,\nKIT,Set,,,A*4;B\n")), (2, 0));
        assert_eq!(
            site.get("/items/KIT")["components"],
            json!([{"sku": "A", "quantity": 4}, {"sku": "B", "quantity": 1}]),
            "in the order in which the items came to be"
        );
        let stock = import("stock", "sku,location,quantity\nA,LON,10.0\nB,LON,x\nC,LON,5\nA,MOON,5\nB,SHOP,3\nB,LON,-1\n");
        assert_eq!(accepted(&stock), (2, 4));
        let errors: Vec<String> = stock["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| format!("{} {} {}", e["line"], e["column"].as_str().unwrap(), e["code"].as_str().unwrap()))
            .collect();
        assert_eq!(errors, ["3 quantity invalid_field", "4 sku unknown_item", "5 location unknown_location", "7 quantity quantity_out_of_range"]);
        assert_eq!(site.stock("A"), "available 10");
        assert_eq!(accepted(&import("stock", "sku,location,quantity\nA,LON,7\n")), (1, 0));
        assert_eq!(site.stock("A"), "available 7", "a stock file says what is there");
        let orders = "channel,reference,country,sku,quantity,unit_price,currency\nweb,1,GB,A,1,2.50,GBP\nweb,1,GB,B,1,9.99,GBP\nweb,2,GB,A,99,2.50,GBP\nweb,1b,GB,B,0,,\n";
        let orders = import("orders", orders);
        assert_eq!(accepted(&orders), (1, 2));
        assert_eq!(site.get("/orders?channel=web&reference=1")["data"][0]["total"]["amount"], "12.49");

        for (kind, text, detail) in [
            ("stock", "sku,quantity\nA,1\n", "has no column “location”; its columns are: sku, quantity"),
            ("stock", "sku,location,quantity,color\nA,LON,1,red\n", "has a column “color” that is not known"),
            ("items", "", "is empty"),
        ] {
            let reply = site.send(&format!("POST /imports/{kind}"), text.as_bytes().to_vec(), &[]);
            assert_eq!(reply.told(), "422 invalid_field", "{text}");
            assert!(reply.body["detail"].as_str().unwrap().contains(detail), "{}", reply.body);
        }
        site.verify();
    });
}

#[test]
fn an_import_goes_on_where_it_stopped() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        let row = |n: usize| format!("S{n},Item {n}\n");
        let file = |rows: usize| format!("sku,name\n{}", (0..rows).map(row).collect::<String>()).into_bytes();
        let send = |bytes: Vec<u8>, key: &str| site.send("POST /imports/items", bytes, &[("idempotency-key", key)]);
        // What was cut off in the middle: the last row is broken, everything before it is done.
        let mut cut = file(4_500);
        cut.truncate(cut.len() - 3);
        let whole = send(file(5_000), "list-1").body;
        assert_eq!((whole["accepted"].as_u64(), whole["finished"].as_bool()), (Some(5_000), Some(true)));
        let events = site.get("/events?limit=250")["data"].as_array().unwrap().len();
        let again = send(file(5_000), "list-1").body;
        assert_eq!((again["accepted"].as_u64(), again["resumed_after"].as_u64()), (Some(5_000), Some(5_000)));
        assert_eq!(site.get("/events?limit=250")["data"].as_array().unwrap().len(), events, "nothing was done twice");
        assert_eq!(send(file(100), "list-1").told(), "422 idempotency_key_reused", "another file");
        assert_eq!(site.get("/imports/items/list-1")["accepted"], 5_000);

        let dry = site.send("POST /imports/items?dry_run=true", b"sku,name\nNEW,New\n,Nameless\n".to_vec(), &[]).body;
        assert_eq!((dry["accepted"].as_u64(), dry["rejected"].as_u64()), (Some(1), Some(1)));
        assert_eq!(site.call("GET /items/NEW", json!(null)).told(), "404 unknown_item");
        site.engine.shut_down();
    });
}

/// An import that is cut off between chunks leaves a place from which it goes on.
#[test]
fn a_crash_between_chunks_loses_and_doubles_nothing() {
    on_both(|url| {
        let text: String = std::iter::once("sku,name\n".to_owned()).chain((0..6_500).map(|n| format!("S{n},Item {n}\n"))).collect();
        let stop_after = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(2));
        let left = stop_after.clone();
        let mut options = engine::Options::new(url.clone());
        options.faults = engine::Faults::new(move |step| {
            let dies = step == "imports" && left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) <= 0;
            dies.then_some(engine::Fault::Crash)
        });
        let import = |engine: &engine::Engine| {
            let import = engine::imports::Import { key: "list", kind: engine::imports::Kind::Items, file: "items.csv" };
            engine::imports::run(engine, import, std::io::Cursor::new(text.clone()), &"test".into(), false, |_| Continue(()))
        };
        let dying = engine::Engine::open(options).unwrap();
        assert!(import(&dying).is_err());
        dying.shut_down();
        drop(dying);
        let site = Site::new(url);
        let view = import(&site.engine).unwrap();
        assert_eq!((view.accepted, view.rejected, view.resumed_after, view.finished), (6_500, 0, 4_000, true));
        assert_eq!(site.get("/items/S6499")["name"], "Item 6499");
        site.engine.shut_down();
    });
}
