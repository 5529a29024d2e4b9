//! Properties that hold whatever the order of things: many buyers share few units exactly, releasing undoes reserving, and
//! a repeated key changes nothing.

use engine::{Command, Config, Engine, IdempotencyKey, Stop};
use holdfast_sim::target::Database;
use holdfast_sim::world::World;
use holdfast_sim::{Server, Target};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

static SERVER: LazyLock<Arc<Server>> = LazyLock::new(|| Server::start(false).expect("a PostgreSQL for the simulation"));

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn submit(engine: &Engine, command: Command) -> Result<Value, Stop> {
    engine.submit_blocking(command, "test").map(|reply| serde_json::to_value(&reply.answer).unwrap())
}

/// An engine with the small world in it.
fn open(target: &Target) -> (Database, Engine) {
    let database = target.database().unwrap();
    let engine = database.open(|_| {}).unwrap();
    let world = World::default();
    for command in world.create().into_iter().chain(world.stock(&mut fastrand::Rng::with_seed(1))) {
        submit(&engine, command).unwrap();
    }
    (database, engine)
}

/// All stock, and how many events there were.
fn snapshot(engine: &Engine) -> Vec<Value> {
    let read = engine.read_blocking(|tx| {
        let mut config = Arc::default();
        Config::refresh(tx, &mut config)?;
        let mut all = Vec::new();
        for item in World::default().items {
            all.push(serde_json::to_value(engine::stock::read::stock(tx, &config, item.sku, None)?).unwrap());
        }
        Ok(all)
    });
    read.unwrap()
}

fn last_event(engine: &Engine) -> i64 {
    engine.read_blocking(engine::events::last).unwrap()
}

/// 400 buyers want one of 100 units each, half of them by an order, half by a hold.
fn rush(target: &Target) {
    // The engine is opened outside: it blocks while it connects.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let database = target.database().unwrap();
    let engines: Vec<Engine> = (0..target.nodes()).map(|_| database.open(|_| {}).unwrap()).collect();
    let engine = &engines[0];
    let setup = [
        Command::CreateLocation(read(json!({"code": "A", "name": "A", "kind": "warehouse", "country": "GB"}))),
        Command::CreateLocation(read(json!({"code": "B", "name": "B", "kind": "store", "country": "GB"}))),
        Command::CreateItem(read(json!({"sku": "HOT", "name": "Hot"}))),
        Command::Receive(read(json!({"location": "A", "lines": [{"sku": "HOT", "quantity": 60}]}))),
        Command::Receive(read(json!({"location": "B", "lines": [{"sku": "HOT", "quantity": 40}]}))),
    ];
    for command in setup {
        submit(engine, command).unwrap();
    }
    let buyers: Vec<_> = (0..400)
        .map(|n: usize| {
            let engine = engines[n % engines.len()].clone();
            let lines = json!([{"sku": "HOT", "quantity": 1}]);
            let command = if n % 4 < 2 {
                let order = json!({"channel": "web", "reference": n.to_string(), "ship_to": {"country": "GB"}, "lines": lines});
                Command::PlaceOrder(Box::new(read(order)))
            } else {
                Command::Reserve(read(json!({"lines": lines, "expires_in_seconds": 600})))
            };
            runtime.spawn(async move { engine.submit(command, format!("buyer {n}").as_str(), None).await })
        })
        .collect();
    let mut sold = 0;
    for buyer in buyers {
        match runtime.block_on(buyer).unwrap() {
            Ok(_) => sold += 1,
            Err(stop) => assert_eq!(stop.refused().map(|r| r.code()), Some("insufficient_stock"), "{stop}"),
        }
    }
    assert_eq!(sold, 100, "on {}", target.name());
    engines.iter().for_each(Engine::shut_down);
    let report = engine::verify(&database.url, |_| {}).unwrap();
    assert_eq!(report.discrepancies, 0, "{:?}", report.told);
}

#[test]
fn a_hundred_units_go_to_a_hundred_of_four_hundred_buyers() {
    for target in [Target::Sqlite, Target::Postgres(SERVER.clone()), Target::TwoNodes(SERVER.clone())] {
        rush(&target);
    }
}

#[test]
fn releasing_undoes_reserving() {
    for target in [Target::Sqlite, Target::Postgres(SERVER.clone())] {
        let (_database, engine) = open(&target);
        let mut rng = fastrand::Rng::with_seed(2);
        let (mut held, mut tries) = (0, 0);
        while held < 40 && tries < 400 {
            tries += 1;
            let line = |rng: &mut fastrand::Rng| {
                let sku = ["DENY", "PART", "BACK", "SOON", "KIT-1", "KIT-2"][rng.usize(..6)];
                let mut line = json!({"sku": sku, "quantity": rng.i64(1..6)});
                if rng.bool() {
                    line["location"] = json!(["NORTH", "SOUTH", "EAST", "WEST"][rng.usize(..4)]);
                }
                line
            };
            let lines: Vec<Value> = (0..rng.usize(1..4)).map(|_| line(&mut rng)).collect();
            let before = snapshot(&engine);
            let Ok(hold) = submit(&engine, Command::Reserve(read(json!({"lines": lines, "expires_in_seconds": 60})))) else {
                assert_eq!(snapshot(&engine), before, "a refusal changed something");
                continue;
            };
            held += 1;
            assert_ne!(snapshot(&engine), before);
            let id = hold["id"].as_str().unwrap().parse().unwrap();
            submit(&engine, Command::Release(engine::reservations::release::Release { id })).unwrap();
            assert_eq!(snapshot(&engine), before);
        }
        assert_eq!(held, 40);
    }
}

#[test]
fn a_repeated_key_changes_nothing() {
    for target in [Target::Sqlite, Target::Postgres(SERVER.clone())] {
        let (_database, engine) = open(&target);
        let commands = [
            Command::Receive(read(json!({"location": "NORTH", "lines": [{"sku": "DENY", "quantity": 5}]}))),
            Command::Adjust(read(json!({"location": "NORTH", "reason": "damaged", "lines": [{"sku": "DENY", "delta": -1}]}))),
            Command::Reserve(read(json!({"lines": [{"sku": "KIT-1", "quantity": 1}], "expires_in_seconds": 60}))),
            Command::Reserve(read(json!({"lines": [{"sku": "DENY", "quantity": 999}], "expires_in_seconds": 60}))),
            Command::SendTransfer(read(json!({"from": "NORTH", "to": "SOUTH", "lines": [{"sku": "DENY", "quantity": 2}]}))),
            Command::PlaceOrder(Box::new(read(
                json!({"channel": "web", "reference": "1", "ship_to": {"country": "GB"}, "lines": [{"sku": "BACK", "quantity": 50}]}),
            ))),
        ];
        for (n, command) in commands.into_iter().enumerate() {
            let key = |request: u8| Some(IdempotencyKey { key: format!("key {n}"), request: [request; 32] });
            let send = |request: u8| {
                let answer = engine.send(command.clone(), "test", key(request)).unwrap().blocking_recv().unwrap();
                answer.map(|reply| (serde_json::to_value(&reply.answer).unwrap(), reply.replayed)).map_err(|stop| stop.refused().map(|r| r.code()))
            };
            let first = send(0);
            let (stock, events) = (snapshot(&engine), last_event(&engine));
            for _ in 0..3 {
                match (&first, send(0)) {
                    (Ok((view, false)), Ok((again, true))) => assert_eq!(*view, again),
                    (Err(Some(code)), Err(Some(again))) => assert_eq!(*code, again),
                    (first, again) => panic!("{first:?} and then {again:?}"),
                }
            }
            assert_eq!(send(1).unwrap_err(), Some("idempotency_key_reused"));
            assert_eq!((snapshot(&engine), last_event(&engine)), (stock, events));
        }
    }
}
