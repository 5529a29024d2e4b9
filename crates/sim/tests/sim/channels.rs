//! The whole way: simulated marketplaces on real sockets, buyers on all of them and in our own shop, everything going wrong, and
//! the real engine with its workers between them. No unit is sold twice, and every order ends up here.

use engine::catalog::items::NewItem;
use engine::catalog::locations::NewLocation;
use engine::channels::connect::{self, Connection};
use engine::channels::read;
use engine::channels::workers::Workers;
use engine::orders::place::{PlaceLine, PlaceOrder, ShipTo};
use engine::secrets::Vault;
use engine::stock::SkuLine;
use engine::stock::receive::Receive;
use engine::{Command, Engine, Options, Url};
use holdfast_sim::markets::market::Listing;
use holdfast_sim::markets::{Faults, Market, Served, ebay, serve, shopify};
use holdfast_sim::postgres::{TempFolder, TempPostgres};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const STOCK: i64 = 60;

struct World {
    engine: Engine,
    vault: Vault,
    shop: Arc<Market>,
    auction: Arc<Market>,
    _served: Vec<Served>,
}

async fn submit(engine: &Engine, command: Command) {
    engine.submit(command, "test", None).await.unwrap();
}

async fn world(url: Url, seed: u64) -> World {
    let engine = tokio::task::spawn_blocking(move || Engine::open(Options::new(url)).unwrap()).await.unwrap();
    let vault = Vault::parse(&"5a".repeat(32)).unwrap();
    let location =
        NewLocation { code: "LONDON".into(), name: "London".into(), kind: "warehouse".into(), country: "GB".into(), ..NewLocation::default() };
    submit(&engine, Command::CreateLocation(location)).await;
    let (shop, auction) = (Market::new(seed), Market::new(seed + 1));
    for (n, sku) in ["LAMP", "BOX"].into_iter().enumerate() {
        submit(&engine, Command::CreateItem(NewItem { sku: sku.into(), name: sku.to_lowercase(), ..NewItem::default() })).await;
        let lines = vec![SkuLine { sku: sku.into(), quantity: STOCK }];
        submit(&engine, Command::Receive(Receive { location: "LONDON".into(), lines, reference: None })).await;
        for (market, id) in [(&shop, (101 + n).to_string()), (&auction, sku.to_owned())] {
            market.list(Listing { id, sku: sku.into(), title: sku.into(), shown: 0, price: 999, ..Listing::default() });
        }
    }
    let mut served = Vec::new();
    let front = Arc::new(shopify::Shopify::new(shop.clone()));
    served.push(serve(front.router()).await.unwrap());
    served.push(serve(ebay::Ebay::new(auction.clone()).router()).await.unwrap());
    let settings: [(&str, &[(&str, &str)]); 2] = [
        ("shopify", &[("access_token", "shpat_simulated"), ("client_secret", "hush"), ("location", "1"), ("poll_seconds", "5")]),
        ("ebay", &[("client_id", "app"), ("client_secret", "cert"), ("refresh_token", "v^1.1#refresh")]),
    ];
    for ((kind, settings), served) in settings.into_iter().zip(&served) {
        let settings: BTreeMap<String, String> = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let connection =
            Connection { kind: kind.into(), code: kind.into(), name: kind.into(), address: served.address.clone(), settings, ..Default::default() };
        let new = connect::read_new(&vault, connection).unwrap();
        submit(&engine, Command::ConnectChannel(Box::new(new))).await;
    }
    World { engine, vault, shop, auction, _served: served }
}

/// (available, lent on all channels, open exceptions as words)
async fn state(engine: &Engine) -> (i64, i64, Vec<String>) {
    engine
        .read(|tx| {
            let mut config = Arc::default();
            engine::Config::refresh(tx, &mut config)?;
            let lent = read::all(tx, &config)?.iter().map(|s| s.exposure).sum();
            let available: i64 =
                ["LAMP", "BOX"].iter().map(|sku| engine::stock::read::stock(tx, &config, sku, None).map_or(0, |s| s.total.available)).sum();
            let open = engine::exceptions::read::list(tx, &config, true, None, 100)?;
            Ok((available, lent, open.into_iter().map(|e| format!("{}: {} {}", e.kind, e.title, e.detail)).collect()))
        })
        .await
        .unwrap()
}

fn own_order(n: usize, sku: &str) -> Command {
    Command::PlaceOrder(Box::new(PlaceOrder {
        channel: "web".into(),
        reference: format!("own-{n}"),
        ship_to: ShipTo { country: "GB".into(), ..ShipTo::default() },
        lines: vec![PlaceLine { sku: sku.into(), quantity: 1, unit_price: None, pack: 1 }],
        reservation: None,
        customer: None,
        backorder: false,
    }))
}

/// Sells everything on two marketplaces and in our own shop, with these faults.
async fn sell_out(url: Url, seed: u64, faults: Faults) {
    let world = world(url, seed).await;
    let workers = Workers::default();
    let work = tokio::spawn(workers.clone().run(world.engine.clone(), world.vault.clone()));
    let mut random = fastrand::Rng::with_seed(seed);
    // The first quotas come before the mishaps, so that there is something to buy.
    let began = Instant::now();
    while world.shop.shown("101") == Some(0) || world.auction.shown("LAMP") == Some(0) {
        assert!(began.elapsed() < Duration::from_secs(30), "seed {seed}: nothing is for sale: {:?}", state(&world.engine).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.shop.set_faults(faults);
    world.auction.set_faults(faults);
    let (mut own, mut bought) = (0i64, Vec::new());
    for n in 0..400 {
        let item = random.usize(..2);
        let sku = ["LAMP", "BOX"][item];
        match random.u32(..5) {
            0..=1 => bought.extend(world.shop.buy(["101", "102"][item], 1).map(|id| (true, id))),
            2..=3 => bought.extend(world.auction.buy(sku, 1).map(|id| (false, id))),
            _ => own += i64::from(world.engine.submit(own_order(n, sku), "test", None).await.is_ok()),
        }
        if random.u32(..40) == 0 && !bought.is_empty() {
            let (in_shop, id) = &bought[random.usize(..bought.len())];
            let _ = if *in_shop { world.shop.cancel(id, true) } else { world.auction.cancel(id, false) };
        }
        tokio::time::sleep(Duration::from_millis(random.u64(1..40))).await;
    }
    world.shop.set_faults(Faults::default());
    world.auction.set_faults(Faults::default());
    // When all is quiet, what was sold there is counted here.
    let sold = |market: &Market| market.truth().units_sold - market.truth().units_canceled;
    let began = Instant::now();
    loop {
        let (available, _, open) = state(&world.engine).await;
        let out = sold(&world.shop) + sold(&world.auction) + own;
        assert!(out <= 2 * STOCK, "seed {seed}: {out} sold of {}", 2 * STOCK);
        if available == 2 * STOCK - out && open.iter().all(|e| e.starts_with("drift") || e.starts_with("authorization")) {
            break;
        }
        let late = began.elapsed() > Duration::from_secs(60);
        assert!(!late, "seed {seed}: {available} available, {out} sold of {}, own {own}; {open:?}", 2 * STOCK);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    work.abort();
    let engine = world.engine.clone();
    let url = engine.url().clone();
    tokio::task::spawn_blocking(move || {
        engine.shut_down();
        let report = engine::verify(&url, |_| {}).unwrap();
        assert_eq!(report.discrepancies, 0, "seed {seed}: {:?}", report.told);
    })
    .await
    .unwrap();
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work);
}

fn faults() -> Faults {
    Faults { throttled: 0.05, too_many: 0.05, error: 0.05, cut: 0.05, half: 0.05, expire: 0.02, unknown: 0.2, ..Faults::default() }
}

#[test]
fn nothing_is_sold_twice_on_sqlite() {
    run(async {
        let folder = TempFolder::new("channels").unwrap();
        sell_out(Url::Sqlite(folder.path().join("calm.db")), 1, Faults::default()).await;
        for seed in 2..4 {
            sell_out(Url::Sqlite(folder.path().join(format!("{seed}.db"))), seed, faults()).await;
        }
    });
}

#[test]
fn nothing_is_sold_twice_on_postgresql() {
    let postgres = TempPostgres::start().unwrap();
    run(async {
        let url = postgres.database().unwrap();
        sell_out(Url::parse(&url).unwrap(), 11, faults()).await;
    });
}
