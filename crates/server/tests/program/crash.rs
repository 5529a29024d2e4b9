//! kill -9 at random under load: every acknowledged write is there, exactly once, and the books verify. At least fifty
//! times; more with HOLDFAST_CRASHES. The seed is printed and can be given as HOLDFAST_FIRST_SEED.

use super::binary::{Client, Server, admin_key, verify};
use serde_json::{Value, json};
use sim::postgres::{TempFolder, TempPostgres};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// What a client asked for, and what it was told if it was told anything.
#[derive(Clone)]
struct Asked {
    call: &'static str,
    key: String,
    body: Value,
    told: Option<(u16, Value)>,
}

const UNITS: i64 = 40_000;

fn crash(database: &str, times: u64, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = Server::start(database);
    let key = admin_key(database);
    let mut client = Client::new(&server.address, &key);
    client.ok("POST /locations", json!({"code": "LON", "name": "London", "kind": "warehouse", "country": "GB"}));
    for sku in ["A", "B"] {
        client.ok("POST /items", json!({"sku": sku, "name": sku}));
        client.ok("POST /stock/receive", json!({"location": "LON", "lines": [{"sku": sku, "quantity": UNITS}]}));
    }
    let log: Arc<Mutex<Vec<Asked>>> = Arc::default();
    for round in 0..times {
        let clients: Vec<_> = (0..4)
            .map(|n| {
                let (address, key, log) = (server.address.clone(), key.clone(), log.clone());
                let mut random = random.fork();
                std::thread::spawn(move || {
                    let mut client = Client::new(&address, &key);
                    for i in 0.. {
                        let name = format!("{seed}-{round}-{n}-{i}");
                        let lines = json!([{"sku": "A", "quantity": random.i64(1..3)}, {"sku": "B", "quantity": 1}]);
                        let (call, body) = if random.bool() {
                            ("POST /orders", json!({"channel": "web", "reference": name, "ship_to": {"country": "GB"}, "lines": lines}))
                        } else {
                            ("POST /reservations", json!({"lines": lines, "expires_in_seconds": 86_400}))
                        };
                        let told = client.call(call, &body, Some(&name));
                        let lost = told.is_none();
                        log.lock().unwrap().push(Asked { call, key: name, body, told });
                        if lost {
                            return;
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(random.u64(5..120)));
        server.process.kill().unwrap();
        server.process.wait().unwrap();
        for client in clients {
            client.join().unwrap();
        }
        server = Server::start(database);
        check(&server, &key, &log, round + 1 == times);
    }
    drop(server);
    verify(database);
}

/// Asks everything that was left without an answer again, and compares what there is with what was told.
fn check(server: &Server, key: &str, log: &Mutex<Vec<Asked>>, last: bool) {
    let mut client = Client::new(&server.address, key);
    let mut log = log.lock().unwrap();
    for asked in log.iter_mut().filter(|a| a.told.is_none()) {
        let (status, body) = client.call(asked.call, &asked.body, Some(&asked.key)).expect("an answer");
        assert!([200, 201].contains(&status), "{} {}: {status} {body}", asked.call, asked.key);
        asked.told = Some((status, body));
    }
    // Everything at the end; before, a few of the latest, which are the ones in danger.
    let from = if last { 0 } else { log.len().saturating_sub(12) };
    for asked in &log[from..] {
        let (_, told) = asked.told.as_ref().unwrap();
        let (status, again) = client.call(asked.call, &asked.body, Some(&asked.key)).expect("an answer");
        assert!(status == 200 || status == 201);
        assert_eq!(again["id"], told["id"], "{}: the same answer again", asked.key);
        let (status, there) = client.must(&format!("GET {}/{}", &asked.call[5..], told["id"].as_str().unwrap()), Value::Null);
        assert_eq!((status, &there["lines"].as_array().map(Vec::len)), (200, &told["lines"].as_array().map(Vec::len)), "{}", asked.key);
    }
    let wanted = |sku: &str| -> i64 {
        log.iter().flat_map(|a| a.body["lines"].as_array().unwrap()).filter(|l| l["sku"] == sku).map(|l| l["quantity"].as_i64().unwrap()).sum()
    };
    for sku in ["A", "B"] {
        let (_, stock) = client.must(&format!("GET /stock/{sku}"), Value::Null);
        let promised = stock["reserved"].as_i64().unwrap() + stock["committed"].as_i64().unwrap();
        assert_eq!((promised, stock["available"].as_i64().unwrap()), (wanted(sku), UNITS - wanted(sku)), "{sku}: every write once");
    }
}

#[test]
fn killed_at_random_under_load_on_sqlite() {
    let folder = TempFolder::new("crash").unwrap();
    let seed = number("HOLDFAST_FIRST_SEED", 1);
    let times = number("HOLDFAST_CRASHES", 50);
    let began = Instant::now();
    crash(&format!("sqlite:{}", folder.path().join("holdfast.db").display()), times, seed);
    eprintln!("seed {seed}: killed {times} times on SQLite in {:?}", began.elapsed());
}

#[test]
fn killed_at_random_under_load_on_postgresql() {
    let postgres = TempPostgres::start().unwrap();
    let seed = number("HOLDFAST_FIRST_SEED", 1);
    let times = number("HOLDFAST_CRASHES", 50) / 2;
    crash(&postgres.database().unwrap(), times, seed);
    eprintln!("seed {seed}: killed {times} times on PostgreSQL");
}
