//! The engine's operations as a merchant would tell them, on both databases.

use crate::support::on_both;
use engine::db::{Conn, Url};
use engine::{Command, Engine, Options};

fn open(url: &Url) -> Engine {
    Engine::open(Options::new(url.clone())).unwrap()
}

fn json(engine: &Engine, command: Command) -> serde_json::Value {
    match engine.submit_blocking(command, "test") {
        Ok(reply) => serde_json::to_value(&reply.answer).unwrap(),
        Err(stop) => match stop.refused() {
            Some(refused) => serde_json::json!({ "refused": refused.code(), "detail": refused.to_string() }),
            None => panic!("{stop}"),
        },
    }
}

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

use serde_json::json;

#[test]
fn smoke() {
    on_both(|url| {
        let engine = open(&url);
        for code in ["LON", "LEE"] {
            json(&engine, Command::CreateLocation(read(json!({"code": code, "name": code, "kind": "warehouse", "country": "GB"}))));
        }
        json(&engine, Command::CreateItem(read(json!({"sku": "A", "name": "Thing A"}))));
        json(&engine, Command::Receive(read(json!({"location": "LON", "lines": [{"sku": "A", "quantity": 10}]}))));
        let held = json(&engine, Command::Reserve(read(json!({"lines": [{"sku": "A", "quantity": 4}], "expires_in_seconds": 60}))));
        eprintln!("{held}");
        let order = json(
            &engine,
            Command::PlaceOrder(Box::new(read(
                json!({"channel": "web", "reference": "1", "ship_to": {"country": "GB"}, "lines": [{"sku": "A", "quantity": 5}], "reservation": held["id"]}),
            ))),
        );
        eprintln!("{order:#}");
        let none = json(&engine, Command::Reserve(read(json!({"lines": [{"sku": "A", "quantity": 6}], "expires_in_seconds": 60}))));
        eprintln!("{none}");
        engine.shut_down();
        let report = engine::verify(&url, |_| {}).unwrap();
        eprintln!("{report:?}");
        assert_eq!(report.discrepancies, 0);
    });
}

/// Every statement in the program can be prepared on both databases, with parameters in the order that SQLite numbers them.
#[test]
fn all_statements_prepare() {
    let mut statements = Vec::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/src");
    let mut folders = vec![std::path::PathBuf::from(source)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                for part in text.split("Sql(").skip(1) {
                    let Some(rest) = part.trim_start().strip_prefix('"') else { continue };
                    let statement = rest.split('"').next().unwrap();
                    if statement.contains(' ') {
                        statements.push(statement.to_owned());
                    }
                }
            }
        }
    }
    assert!(statements.len() > 20, "the search found only {}", statements.len());
    on_both(|url| {
        open(&url).shut_down();
        let mut conn = Conn::open(&url).unwrap();
        let mut texts = statements.clone();
        let lookups: Vec<_> = engine::LOOKUPS.iter().flat_map(|l| l.iter().copied()).collect();
        texts.extend(engine::db::texts(&lookups, engine::TABLES, conn.is_postgres()));
        for text in &texts {
            let mut first = 0;
            for number in text.split('$').skip(1).filter_map(|t| t.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()) {
                assert!(number <= first + 1, "parameters must first appear in order: {text}");
                first = first.max(number);
            }
            conn.check(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        }
    });
}
