//! A shop to search in: an SQLite file, its engine and an index that is kept up to date.

use engine::search as rows;
use engine::{Answer, Command, Engine, Options, Url, imports};
use holdfast_search::{Found, Hit, Kind, Query, Search};
use serde_json::{Value, json};
use std::ops::ControlFlow::Continue;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// A folder that is removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let path = std::env::temp_dir().join(format!("holdfast-search-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Shop {
    pub engine: Engine,
    pub search: Arc<Search>,
    pub folder: Folder,
    running: Option<JoinHandle<()>>,
    runtime: Runtime,
}

pub fn query(text: &str) -> Query<'_> {
    Query { text, kind: None, channels: None, of_item: None, active_only: false, limit: 50 }
}

impl Shop {
    /// An empty shop whose search runs.
    pub fn new() -> Shop {
        let folder = Folder::new();
        let engine = Engine::open(Options::new(Url::Sqlite(folder.path().join("shop.db")))).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let search = Arc::new(Search::new(engine.clone(), None));
        let mut shop = Shop { engine, search, folder, running: None, runtime };
        shop.change(json!({"code": "LON", "name": "London", "kind": "warehouse", "country": "GB"}), Command::CreateLocation);
        shop.start();
        shop
    }

    pub fn index(&self) -> PathBuf {
        self.folder.path().join("shop.db.search")
    }

    /// Begins to keep the index, as a new server does.
    pub fn start(&mut self) {
        self.search = Arc::new(Search::new(self.engine.clone(), Some(self.index())));
        self.running = Some(self.runtime.spawn(self.search.clone().run()));
    }

    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = self.runtime.block_on(running);
        }
    }

    /// Runs another search beside it, until the runtime ends.
    pub fn run(&self, search: &Arc<Search>) {
        self.runtime.spawn(search.clone().run());
    }

    fn change<T: serde::de::DeserializeOwned>(&self, body: Value, command: fn(T) -> Command) -> Answer {
        self.engine.submit_blocking(command(serde_json::from_value(body).unwrap()), "test").unwrap().answer
    }

    /// Creates an item.
    pub fn item(&self, sku: &str, name: &str, barcode: Option<&str>) {
        let body = json!({"sku": sku, "name": name, "barcode": barcode, "when_short": "backorder"});
        self.change(body, Command::CreateItem);
    }

    /// Changes an item.
    pub fn update(&self, sku: &str, fields: Value) {
        let fields: engine::catalog::items::UpdateItem = serde_json::from_value(fields).unwrap();
        let update = engine::catalog::items::UpdateItem { sku: sku.into(), ..fields };
        self.engine.submit_blocking(Command::UpdateItem(update), "test").unwrap();
    }

    /// Places an order of the first item; answers its id.
    pub fn order(&self, channel: &str, reference: &str, customer: Option<&str>, ship_to: Value) -> i64 {
        let mut to = json!({"country": "GB"});
        to.as_object_mut().unwrap().extend(ship_to.as_object().unwrap().clone());
        let (items, _) = self.engine.read_blocking(|tx| rows::items_after(tx, 0, 1)).unwrap();
        let lines = json!([{"sku": items[0].sku, "quantity": 1}]);
        let body = json!({"channel": channel, "reference": reference, "customer": customer, "ship_to": to, "lines": lines});
        let Answer::Order(order) = self.change(body, |order| Command::PlaceOrder(Box::new(order))) else { panic!() };
        order.id.0
    }

    /// Ships all of the order that was placed last, which needs stock.
    pub fn ship(&self, fulfillment: i64, tracking_number: &str) {
        let ship = engine::orders::ship::Ship { fulfillment, tracking_number: Some(tracking_number.into()), ..Default::default() };
        self.engine.submit_blocking(Command::Ship(ship), "test").unwrap();
    }

    /// The first fulfillment of an order.
    pub fn fulfillment(&self, order: i64) -> i64 {
        let view = self.engine.read_blocking(|tx| {
            let mut config = Arc::default();
            engine::Config::refresh(tx, &mut config)?;
            engine::orders::read::one(tx, &config, order)
        });
        view.unwrap().fulfillments[0].id.0
    }

    pub fn receive(&self, sku: &str, quantity: i64) {
        self.change(json!({"location": "LON", "lines": [{"sku": sku, "quantity": quantity}]}), Command::Receive);
    }

    /// Imports items from CSV.
    pub fn import(&self, key: &str, text: String) {
        let view = imports::run(
            &self.engine,
            imports::Import { key, kind: imports::Kind::Items, file: "items.csv" },
            std::io::Cursor::new(text),
            &"test".into(),
            false,
            |_| Continue(()),
        )
        .unwrap();
        assert_eq!(view.rejected, 0, "{:?}", view.errors);
    }

    /// Waits until all that happened can be found, then asks.
    pub fn find(&self, query: &Query<'_>) -> Found {
        self.find_in(&self.search, query)
    }

    pub fn find_in(&self, search: &Search, query: &Query<'_>) -> Found {
        let last = self.engine.read_blocking(engine::events::last).unwrap();
        let begun = Instant::now();
        loop {
            match search.find(query) {
                Ok(found) if found.building.is_none() && found.up_to_seq >= last => return found,
                found => assert!(begun.elapsed() < Duration::from_secs(60), "not up to date with {last}: {found:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is found, by SKU or `#reference`, in order.
    pub fn found(&self, query: &Query<'_>) -> String {
        let name = |hit: &Hit| match hit.kind {
            Kind::Item => self.engine.read_blocking(|tx| Ok(rows::items(tx, &[hit.id])?[0].sku.clone())).unwrap(),
            Kind::Order => self.engine.read_blocking(|tx| Ok(format!("#{}", rows::orders(tx, &[hit.id])?[0].reference))).unwrap(),
        };
        self.find(query).hits.iter().map(name).collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.stop();
        self.engine.shut_down();
    }
}
