//! What the measurements stand on: a server with its workers in this process, three simulated marketplaces that list its items, all
//! of it on loopback; and books of our own of what came in and what was sold.

use super::super::Place;
use super::super::engine_only::seed_with;
use super::super::http::SECRET_KEY;
use crate::Failed;
use crate::markets::{Markets, listing_ids};
use crate::serve::{bind, runtime, serve_app};
use engine::channels::health::Health;
use engine::channels::read::{self, ChannelStatus};
use engine::channels::workers::Workers;
use engine::secrets::Vault;
use engine::{Config, Engine, Options, Url, create_key};
use sim::markets::market::Truth;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const LOCATIONS: usize = 4;
/// Units of each item in each location to begin with.
const STOCK: i64 = 25;
/// Amazon's rates while the first quantities go out, as many times as published: they would take minutes, and are not measured.
const HURRY: f64 = 100.0;
/// Longest time until everything is shown.
const SETTLED_IN: Duration = Duration::from_secs(300);

pub struct World {
    pub engine: Engine,
    pub workers: Workers,
    /// `host:port` of the server.
    pub address: String,
    pub key: String,
    pub markets: Arc<Markets>,
    pub books: Arc<Books>,
    url: Url,
    server: Runtime,
    serving: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    webhooks: JoinHandle<()>,
}

/// Units that came in and that our own shop sold, by item.
pub struct Books {
    pub received: Vec<AtomicI64>,
    pub sold: Vec<AtomicI64>,
}

impl Books {
    /// So many more of each of these items.
    pub fn add(side: &[AtomicI64], items: &[usize], units: i64) {
        for item in items {
            side[*item].fetch_add(units, Ordering::SeqCst);
        }
    }

    pub fn items(&self) -> usize {
        self.received.len()
    }
}

/// What the channels had come to at a moment.
pub struct Moment {
    /// Microseconds since 1970 UTC, a whole millisecond.
    pub at: i64,
    health: [Health; 3],
    truth: [Truth; 3],
}

impl World {
    /// Items `S1…`, stocked, listed on all three, on sale there.
    pub fn open(clients: &Runtime, place: &Place, items: usize, seed: u64) -> Result<World, Failed> {
        let engine = Engine::open(Options::new(place.url.clone()))?;
        seed_with(&engine, items, LOCATIONS, STOCK)?;
        let (_, key) = create_key(&place.url, "bench", "admin", crate::now(), None)?;
        let vault = Vault::parse(SECRET_KEY)?;
        let markets = clients.block_on(async {
            let markets = Markets::start(seed).await?;
            for n in 0..items {
                markets.list(n, &sku(n));
            }
            markets.bazaar.set_speed(HURRY);
            markets.connect(&engine, &vault, &Default::default(), "bench").await?;
            Ok::<_, Failed>(Arc::new(markets))
        })?;
        let server = runtime()?;
        let listener = server.block_on(bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?.to_string();
        let app = web::App::new(engine.clone()).with_vault(vault);
        let workers = app.workers.clone();
        let (stop, stopped) = oneshot::channel();
        let serving = server.spawn(serve_app(app, listener, 60, async move { drop(stopped.await) }));
        let (told, to) = (markets.clone(), format!("http://{address}"));
        let webhooks = clients.spawn(async move { told.webhooks(&to).await });
        let received = (0..items).map(|_| AtomicI64::new(STOCK * LOCATIONS as i64)).collect();
        let books = Arc::new(Books { received, sold: (0..items).map(|_| AtomicI64::new(0)).collect() });
        let world = World { engine, workers, address, key, markets, books, url: place.url.clone(), server, serving, stop, webhooks };
        clients.block_on(world.settle())?;
        Ok(world)
    }

    /// Waits until every listing is known and shows its first quantity.
    async fn settle(&self) -> Result<(), Failed> {
        let began = Instant::now();
        loop {
            let statuses = self.statuses().await?;
            let all = self.books.items() as i64;
            let written = |s: &ChannelStatus| self.workers.health(s.channel.id.0).map_or(0, |h| h.pushed as i64);
            if statuses.iter().all(|s| s.mapped == all && s.queue == 0 && written(s) >= all) {
                break;
            }
            if began.elapsed() > SETTLED_IN {
                return Err(Failed(format!("not everything is on sale after {} s", SETTLED_IN.as_secs())));
            }
            let part = |s: &ChannelStatus| format!("{} {} listed, {} written", s.channel.code, s.mapped, written(s));
            eprintln!("  listing: {}", statuses.iter().map(part).collect::<Vec<_>>().join("; "));
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        eprintln!("  all is on sale after {:.0} s", began.elapsed().as_secs_f64());
        self.markets.bazaar.set_speed(1.0);
        Ok(())
    }

    /// Shopify, eBay, Amazon.
    pub async fn statuses(&self) -> Result<[ChannelStatus; 3], Failed> {
        let found = self
            .engine
            .read(|tx| {
                let mut config = Arc::default();
                Config::refresh(tx, &mut config)?;
                let mut found = read::all(tx, &config)?;
                found.sort_by_key(|s| s.channel.id.0);
                Ok(found)
            })
            .await?;
        <[ChannelStatus; 3]>::try_from(found).map_err(|found| Failed(format!("{} channels instead of 3", found.len())))
    }

    pub async fn moment(&self) -> Result<Moment, Failed> {
        let ids = self.statuses().await?.map(|s| s.channel.id.0);
        let truth = [0, 1, 2].map(|n: usize| self.markets.places[n].market.truth());
        Ok(Moment { at: self.engine.now() / 1_000 * 1_000, health: ids.map(|id| self.workers.health(id).unwrap_or_default()), truth })
    }

    /// Orders that were placed at marketplace `n` from one moment until another.
    pub fn bought(&self, n: usize, from: i64, until: i64) -> usize {
        let placed = |placed_at: i64| (from..until).contains(&placed_at);
        self.markets.places[n].market.among_orders_since(from, |orders| orders.filter(|o| placed(o.placed_at)).count())
    }

    /// After how many microseconds each of those was counted here, as far as they are, and whether it became an order.
    pub async fn counted(&self, channel: i64, from: i64, until: i64) -> Result<Vec<(i64, bool)>, Failed> {
        Ok(self.engine.read(move |tx| read::counted(tx, channel, from, until)).await?)
    }

    /// What happened on each channel between two moments.
    pub async fn between(&self, from: &Moment, until: &Moment) -> Result<Vec<Traffic>, Failed> {
        let mut all = Vec::new();
        for (n, status) in self.statuses().await?.into_iter().enumerate() {
            let (before, after) = (&from.health[n], &until.health[n]);
            let counted = self.counted(status.channel.id.0, from.at, until.at).await?;
            let bought = self.bought(n, from.at, until.at);
            let seconds = |micros: u32| f64::from(micros) / 1e6;
            let mut delays: Vec<i64> = counted.iter().map(|(delay, _)| *delay).collect();
            delays.sort_unstable();
            let at = |share: usize| delays.get((delays.len() * share / 100).min(delays.len().saturating_sub(1))).map(|d| *d as f64 / 1e6);
            all.push(Traffic {
                channel: status.channel.code.to_string(),
                orders: bought,
                turned_away: until.truth[n].turned_away - from.truth[n].turned_away,
                not_counted_yet: bought - counted.len().min(bought),
                unfillable: counted.iter().filter(|(_, placed)| !placed).count(),
                counted_p50_s: at(50),
                counted_p99_s: at(99),
                orders_late: after.orders_late - before.orders_late,
                writes: after.pushed - before.pushed,
                acknowledged_s: after.latency_since(before.pushed).filter(|_| after.pushed > before.pushed).map(|(a, b, c)| [a, b, c].map(seconds)),
                requests: until.truth[n].requests - from.truth[n].requests,
                throttled: after.throttled.saturating_sub(before.throttled),
            });
        }
        Ok(all)
    }

    /// Units sold, by the marketplaces' own books and our shop's, beyond all that ever came in; item by item.
    pub fn oversold(&self) -> i64 {
        let mut sold: Vec<i64> = self.books.sold.iter().map(|s| s.load(Ordering::SeqCst)).collect();
        for (n, place) in self.markets.places.iter().enumerate() {
            let items: HashMap<String, usize> = (0..sold.len()).map(|item| (listing_ids(item, &sku(item))[n].clone(), item)).collect();
            place.market.among_orders_since(i64::MIN, |orders| {
                for line in orders.flat_map(|order| &order.lines) {
                    if let Some(item) = items.get(&line.listing) {
                        sold[*item] += line.quantity - line.canceled;
                    }
                }
            });
        }
        sold.iter().zip(&self.books.received).map(|(sold, received)| (sold - received.load(Ordering::SeqCst)).max(0)).sum()
    }

    /// Ends everything, and recomputes the books.
    pub fn close(self) -> Result<engine::Report, Failed> {
        self.webhooks.abort();
        drop(self.stop);
        self.server.block_on(self.serving)?;
        self.server.shutdown_background();
        Ok(engine::verify(&self.url, |_| {})?)
    }
}

/// An item by its number, which counts from 0.
pub fn sku(n: usize) -> String {
    format!("S{}", n + 1)
}

/// What happened on a channel within a stretch of time. Times are seconds.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Traffic {
    pub channel: String,
    /// Orders placed there.
    pub orders: usize,
    /// Buyers there who found too little shown.
    pub turned_away: u64,
    /// Of the orders, those that are not here yet.
    pub not_counted_yet: usize,
    /// Of the orders, those for which there was no stock here: an oversale at that moment.
    pub unfillable: usize,
    /// From the sale there until it was counted here.
    pub counted_p50_s: Option<f64>,
    pub counted_p99_s: Option<f64>,
    /// Orders that were told later than a minute after they were placed.
    pub orders_late: u64,
    /// Quantities that the marketplace acknowledged.
    pub writes: u64,
    /// From the commit by which a quantity was wanted until its acknowledgement: p50, p95, p99 of the latest 10,000.
    pub acknowledged_s: Option<[f64; 3]>,
    /// Requests of every kind that reached the marketplace.
    pub requests: u64,
    pub throttled: u64,
}
