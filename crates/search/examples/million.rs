//! Measures search on this machine: fills an SQLite file with items and orders while the index follows, asks it, and makes it anew.
//!
//! `cargo run --release -p holdfast-search --example million -- FOLDER [ITEMS] [ORDERS]`

use engine::catalog::locations::NewLocation;
use engine::orders::place::{PlaceLine, PlaceOrder, ShipTo};
use engine::{Command, Engine, Options, Url, imports};
use holdfast_search::{Query, Search};
use std::collections::VecDeque;
use std::ops::ControlFlow::Continue;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ADJECTIVES: [&str; 20] = [
    "Red", "Blue", "Vintage", "Ceramic", "Wooden", "Large", "Small", "Knitted", "Crème", "Rustic", "Glass", "Paper", "Retro", "Silver", "Gold",
    "Mini", "Giant", "Set of 3", "Hanging", "Folding",
];
const THINGS: [&str; 25] = [
    "Mug",
    "Lantern",
    "Teapot",
    "Cushion",
    "Bowl",
    "Basket",
    "Clock",
    "Candle holder",
    "Doormat",
    "Photo frame",
    "Umbrella",
    "Bag",
    "Cake tin",
    "Plate",
    "Garland",
    "Jar",
    "Spoon",
    "Tray",
    "Hook",
    "Chair",
    "Wreath",
    "Notebook",
    "Ribbon",
    "Blanket",
    "Vase",
];
const FIRST: [&str; 16] =
    ["Anna", "Jürgen", "Zoë", "Liam", "Maria", "José", "Chloe", "Omar", "Ines", "Björn", "Łukasz", "Sofia", "Noah", "Emma", "Yusuf", "Grace"];
const CITIES: [&str; 12] = ["London", "Leeds", "Köln", "Paris", "Zürich", "Gdańsk", "Málaga", "Oslo", "Brighton", "Cardiff", "Lyon", "New York"];

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let mut number = |or: usize| arguments.next().map_or(or, |n| n.parse().expect("a number"));
    let (items, orders) = (number(1_000_000), number(1_000_000));
    std::fs::create_dir_all(&folder).expect("the folder");
    let engine = Engine::open(Options::new(Url::Sqlite(folder.join("million.db")))).expect("the database");

    let begun = Instant::now();
    import(&engine, items).await;
    println!("{items} items imported without search: {:.0}/s", items as f64 / begun.elapsed().as_secs_f64());
    place(&engine, 0, orders / 2, "without search").await;

    let index = folder.join("million.search");
    let search = Arc::new(Search::new(engine.clone(), Some(index.clone())));
    let begun = Instant::now();
    let running = tokio::spawn(search.clone().run());
    wait(&engine, &search).await;
    println!("index of {items} items and {} orders made in {:.1} s, {}", orders / 2, begun.elapsed().as_secs_f64(), size(&index));
    memory("after it was made");

    place(&engine, orders / 2, orders, "with search").await;
    let begun = Instant::now();
    wait(&engine, &search).await;
    println!("search was up to date {:.1} s after the last order, {}", begun.elapsed().as_secs_f64(), size(&index));
    memory("after following");
    ask_all(&search, items, orders);
    memory("after asking");
    running.abort();
    engine.shut_down();
}

fn size(folder: &Path) -> String {
    let mut bytes = 0;
    let mut files = 0;
    for entry in std::fs::read_dir(folder.join("index")).expect("the index").flatten() {
        bytes += entry.metadata().map_or(0, |m| m.len());
        files += usize::from(entry.path().extension().is_some_and(|e| e == "idx"));
    }
    format!("{} MB in {files} segments", bytes / 1_000_000)
}

fn memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0);
    println!(
        "memory {when}: {} MB of its own, {} MB of mapped files, {} MB at most",
        kb("RssAnon:") / 1_000,
        kb("RssFile:") / 1_000,
        kb("VmHWM:") / 1_000
    );
}

async fn import(engine: &Engine, items: usize) {
    let mut text = String::from("sku,name,barcode,when_short\n");
    for n in 0..items {
        let name = format!("{} {} {}", ADJECTIVES[n % 20], THINGS[n / 20 % 25], ADJECTIVES[n / 500 % 20]);
        text.push_str(&format!("SKU-{:05}-{}{n:06},{name},50{:011},backorder\n", n % 90_000, &name[..2], n * 7_919 % 99_999_999_999));
    }
    let engine = engine.clone();
    let run = move || {
        imports::run(
            &engine,
            imports::Import { key: "items", kind: imports::Kind::Items, file: "items.csv" },
            std::io::Cursor::new(text),
            &"million".into(),
            false,
            |_| Continue(()),
        )
    };
    let view = tokio::task::spawn_blocking(run).await.expect("no panic").expect("an import");
    assert_eq!(view.rejected, 0, "{:?}", view.errors.first());
}

fn sku(n: usize) -> String {
    let name = format!("{} ", ADJECTIVES[n % 20]);
    format!("SKU-{:05}-{}{n:06}", n % 90_000, &name[..2])
}

async fn place(engine: &Engine, from: usize, to: usize, how: &str) {
    let location = NewLocation { code: "MAIN".into(), name: "Main".into(), kind: "warehouse".into(), country: "GB".into(), ..NewLocation::default() };
    let _ = engine.submit(Command::CreateLocation(location), "million", None).await;
    let begun = Instant::now();
    let mut waiting: VecDeque<tokio::sync::oneshot::Receiver<Result<engine::Reply, engine::Stop>>> = VecDeque::new();
    for n in from..to {
        if waiting.len() >= 2_000 {
            let answer = waiting.pop_front().expect("one");
            let _ = answer.await.expect("an answer").expect("an order");
        }
        waiting.push_back(engine.send(Command::PlaceOrder(Box::new(order(n))), "million", None).expect("a place in the queue"));
    }
    for answer in waiting {
        answer.await.expect("an answer").expect("an order");
    }
    println!("{} orders placed {how}: {:.0}/s", to - from, (to - from) as f64 / begun.elapsed().as_secs_f64());
}

fn order(n: usize) -> PlaceOrder {
    let name = format!("{} {}son", FIRST[n % 16], FIRST[n / 16 % 16]);
    let random = fastrand::Rng::with_seed(n as u64).u64(..);
    PlaceOrder {
        channel: ["shopify-de", "amazon-uk", "ebay", "web"][n % 4].into(),
        reference: format!("{:03}-{:07}-{:07}", random % 999, random / 1_000 % 9_999_999, n),
        ship_to: ShipTo {
            country: "GB".into(),
            name: Some(name.clone()),
            postal_code: Some(format!("{}{} {}AB", ["SW", "LS", "EC", "N"][n % 4], n % 97, n % 9)),
            city: Some(CITIES[n % 12].into()),
            ..ShipTo::default()
        },
        lines: vec![PlaceLine { sku: sku(n % 1_000), quantity: 1, unit_price: None, pack: 1 }],
        reservation: None,
        customer: Some(format!("{}.{}@example.com", FIRST[n % 16].to_lowercase(), n % 5_000)),
        backorder: true,
    }
}

async fn wait(engine: &Engine, search: &Search) {
    let last = engine.read(engine::events::last).await.expect("the last event");
    loop {
        match search.find(&query("x")) {
            Ok(found) if found.building.is_none() && found.up_to_seq >= last => return,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn query(text: &str) -> Query<'_> {
    Query { text, kind: None, channels: None, of_item: None, active_only: true, limit: 20 }
}

fn ask_all(search: &Search, items: usize, orders: usize) {
    let channels = ["web".to_owned(), "ebay".to_owned()];
    let mut rng = fastrand::Rng::with_seed(7);
    let kinds: [(&str, &dyn Fn(usize) -> String); 12] = [
        ("a letter", &|n| ["s", "h", "a", "5", "m"][n % 5].into()),
        ("two letters", &|n| ["sk", "h1", "an", "50", "mu", "lo"][n % 6].into()),
        ("a whole SKU", &|n| sku(n % items)),
        ("the beginning of a SKU", &|n| sku(n % items)[..9].into()),
        ("an order's number", &|n| format!("H{}", 1_100_000 + n % orders)),
        ("its beginning", &|n| format!("H{}", (1_100_000 + n % orders) / 100)),
        ("words of a name", &|n| format!("{} {}", ADJECTIVES[n % 20], THINGS[n / 20 % 25])),
        ("a word and a beginning", &|n| format!("{} {}", THINGS[n / 20 % 25], &ADJECTIVES[n % 20][..2])),
        ("a customer in a city", &|n| format!("{} {} {}", FIRST[n % 16], CITIES[n / 7 % 12], FIRST[n / 5 % 16])),
        ("a letter and a word", &|n| format!("h {} l", FIRST[n % 16])),
        ("nothing that is there", &|n| format!("zzq{n} mug")),
        ("a slip", &|n| format!("{} lantrn", ADJECTIVES[n % 20])),
    ];
    let mut all = Vec::new();
    for (name, text) in kinds {
        for narrowed in [false, true] {
            let mut times: Vec<f64> = Vec::new();
            let mut hits = 0;
            for _ in 0..300 {
                let text = text(rng.usize(0..1_000_000_000));
                let query = Query { channels: narrowed.then_some(&channels[..]), ..query(&text) };
                let begun = processor_ms();
                hits += search.find(&query).expect("an answer").hits.len();
                times.push(processor_ms() - begun);
            }
            all.extend(&times);
            println!("{name}{}: {} hits, {}", if narrowed { " (two channels)" } else { "" }, hits / 300, percentiles(&mut times));
        }
    }
    println!("all: {}", percentiles(&mut all));
}

/// Milliseconds of a processor that this thread has had so far: what a query takes while nothing else wants the machine.
fn processor_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("nanoseconds") / 1e6
}

fn percentiles(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms", at(0.5), at(0.99), at(1.0))
}
