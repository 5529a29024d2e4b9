//! What the simulation once found in the engine, each as the few commands that it came down to.

use engine::db::{Conn, Sql};
use engine::{Clock, Command, Engine, Fault, Faults, Options};
use holdfast_sim::world::{BEGIN, DAY};
use holdfast_sim::{Server, Target};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn submit(engine: &Engine, command: Command) -> Value {
    serde_json::to_value(engine.submit_blocking(command, "test").unwrap().answer).unwrap()
}

fn location(engine: &Engine, code: &str, capacity: Option<i64>) {
    let location = json!({"code": code, "name": code, "kind": "warehouse", "country": "GB", "daily_capacity": capacity});
    submit(engine, Command::CreateLocation(read(location)));
}

fn item(engine: &Engine, sku: &str) {
    submit(engine, Command::CreateItem(read(json!({"sku": sku, "name": sku, "when_short": "backorder"}))));
}

fn receive(engine: &Engine, location: &str, sku: &str, quantity: i64) {
    submit(engine, Command::Receive(read(json!({"location": location, "lines": [{"sku": sku, "quantity": quantity}]}))));
}

fn order(channel: &str, reference: &str, sku: &str, quantity: i64) -> Command {
    Command::PlaceOrder(Box::new(read(
        json!({"channel": channel, "reference": reference, "ship_to": {"country": "GB"}, "lines": [{"sku": sku, "quantity": quantity}]}),
    )))
}

/// An order that waited for a run and for stock at once was taken out of the queue when stock came, and left its hold behind.
#[test]
fn an_order_waits_for_a_run_or_for_stock() {
    let database = Target::Sqlite.database().unwrap();
    let engine = database.open(|_| {}).unwrap();
    location(&engine, "A", None);
    item(&engine, "X");
    let rules = json!({"name": "r", "rules": {"rules": [{"name": "run", "when": {"channels": ["batch"]}, "timing": "run"}]}});
    submit(&engine, Command::SetRules(read(rules)));
    receive(&engine, "A", "X", 3);
    submit(&engine, order("batch", "1", "X", 5));
    receive(&engine, "A", "X", 10);
    engine.shut_down();
    let report = engine::verify(&database.url, |_| {}).unwrap();
    assert_eq!(report.discrepancies, 0, "{:?}", report.told);
}

/// Goods that arrived by a transfer whose lines were left out went past the orders that waited for them.
#[test]
fn a_transfer_serves_who_waits() {
    let database = Target::Sqlite.database().unwrap();
    let engine = database.open(|_| {}).unwrap();
    location(&engine, "A", None);
    location(&engine, "B", None);
    item(&engine, "X");
    receive(&engine, "A", "X", 5);
    let transfer = submit(&engine, Command::SendTransfer(read(json!({"from": "A", "to": "B", "lines": [{"sku": "X", "quantity": 5}]}))));
    submit(&engine, order("web", "1", "X", 2));
    let arrived = engine::stock::transfer::ReceiveTransfer { id: transfer["id"].as_str().unwrap().parse().unwrap(), lines: None };
    submit(&engine, Command::ReceiveTransfer(arrived));
    let again = submit(&engine, order("web", "1", "X", 2));
    assert_eq!(again["status"], "open", "{again:#}");
}

/// The first orders of a day, placed by two nodes at once, each counted themselves as the only one.
#[test]
fn two_nodes_share_a_days_capacity() {
    let server = Server::start(false).expect("a PostgreSQL for the simulation");
    let database = Target::TwoNodes(server).database().unwrap();
    let clock = Arc::new(AtomicI64::new(BEGIN));
    let open = |options: &mut Options| {
        let clock = clock.clone();
        options.clock = Clock::new(move || clock.fetch_add(1, Ordering::Relaxed));
    };
    let (one, two) = (database.open(open).unwrap(), database.open(open).unwrap());
    location(&one, "A", Some(1_000));
    for sku in ["X", "Y"] {
        item(&one, sku);
        receive(&one, "A", sku, 1_000);
    }
    for day in 0..60 {
        let send = |engine: &Engine, sku: &str| engine.send(order("web", &format!("{sku}{day}"), sku, 1), "test", None).unwrap();
        let answers = [send(&one, "X"), send(&two, "Y")];
        answers.into_iter().for_each(|answer| drop(answer.blocking_recv().unwrap().unwrap()));
        clock.fetch_add(DAY, Ordering::Relaxed);
    }
    let mut conn = Conn::open_to_read(&database.url).unwrap();
    let used = conn.begin_read().unwrap().rows(Sql("SELECT used FROM capacity ORDER BY day"), &[], |row| row.int(0)).unwrap();
    assert_eq!(used, [2; 60]);
}

/// A commit that went through while its connection broke was answered with the error of the question after it.
#[test]
fn a_commit_in_doubt_is_not_a_refusal() {
    let database = Target::Sqlite.database().unwrap();
    let step = Arc::new(AtomicI64::new(0));
    let engine = {
        let step = step.clone();
        let faults = move |name: &str| {
            let due = |n: i64| step.compare_exchange(n, n + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            match name {
                "committed" if due(1) => Some(Fault::Cut),
                "write" if due(2) => Some(Fault::Full),
                _ => None,
            }
        };
        database.open(|options| options.faults = Faults::new(faults)).unwrap()
    };
    location(&engine, "A", None);
    item(&engine, "X");
    step.store(1, Ordering::Relaxed);
    receive(&engine, "A", "X", 5);
    assert_eq!(step.load(Ordering::Relaxed), 3, "both faults happened");
    let total = engine.read_blocking(|tx| engine::stock::read::stock(tx, &engine::Config::default(), "X", None)).unwrap().total;
    assert_eq!(total.on_hand, 5);
}
