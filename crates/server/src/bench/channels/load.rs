//! The load: orders that come whether or not the ones before were answered (an open loop), to our own shop over HTTP and to the
//! marketplaces; and lorries that bring about as much as is sold.

use super::super::http::{Connection, post};
use super::world::{Books, LOCATIONS, World, sku};
use crate::Failed;
use crate::markets::{Markets, listing_ids};
use engine::stock::SkuLine;
use engine::stock::receive::Receive;
use engine::{Command, Engine};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Orders a second at Shopify, eBay and Amazon; the rest is our own shop's. Reading an order costs 59 points at Shopify, of which
/// its Plus plan gives 1,000 a second; Amazon lets a seller read one order in two seconds.
const MARKETS: [f64; 3] = [2.0, 20.0, 0.5];
/// Connections of our own shop's buyers.
const CALLERS: usize = 64;
/// A lorry comes this often.
const LORRY: Duration = Duration::from_millis(250);
/// Units of an item that a lorry brings.
const PALLET: i64 = 12;
/// Units brought for each unit that buyers ask for.
const SUPPLY: f64 = 1.1;
/// Lines of an order of our own shop, on average.
const LINES: f64 = 2.0;

/// How many orders a second come, and where.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    pub shop: f64,
    pub markets: [f64; 3],
}

impl Rates {
    /// Of so many orders a second in all, at most half at the marketplaces.
    pub fn of(all: u64) -> Rates {
        let all = all as f64;
        let wanted: f64 = MARKETS.iter().sum();
        let markets = MARKETS.map(|rate| rate * (all / 2.0 / wanted).min(1.0));
        Rates { shop: all - markets.iter().sum::<f64>(), markets }
    }
}

/// What became of our own shop's orders: when each came, after the load began, and how long its answer took.
#[derive(Default)]
pub struct Sales {
    taken: Vec<(Duration, Duration)>,
    /// Too little stock, by the same times.
    refused: Vec<Duration>,
    failed: u64,
    /// Why the first one failed.
    pub why: Option<String>,
}

/// What our own shop came to within a stretch of time.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Shop {
    pub orders_per_second: f64,
    /// Orders a second for which there was too little stock.
    pub refused_per_second: f64,
    /// Answers that were neither; over the whole run.
    pub failed: u64,
    /// From the moment at which the order was due until its answer, milliseconds.
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Sales {
    pub fn between(&self, from: Duration, until: Duration) -> Shop {
        let inside = |at: &Duration| (from..until).contains(at);
        let mut times: Vec<Duration> = self.taken.iter().filter(|(at, _)| inside(at)).map(|(_, took)| *took).collect();
        times.sort_unstable();
        let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).map_or(0.0, |t| t.as_secs_f64() * 1e3);
        let seconds = (until - from).as_secs_f64();
        let refused = self.refused.iter().filter(|at| inside(at)).count();
        Shop {
            orders_per_second: times.len() as f64 / seconds,
            refused_per_second: refused as f64 / seconds,
            failed: self.failed,
            p50_ms: at(50),
            p99_ms: at(99),
        }
    }

    fn add(&mut self, other: Sales) {
        self.taken.extend(other.taken);
        self.refused.extend(other.refused);
        self.failed += other.failed;
        self.why = self.why.take().or(other.why);
    }
}

/// The load while it lasts.
pub struct Load {
    began: Instant,
    stop: Arc<AtomicBool>,
    shop: Vec<JoinHandle<Result<Sales, Failed>>>,
    others: Vec<JoinHandle<Result<(), Failed>>>,
}

impl Load {
    pub fn start(world: &World, rates: Rates, seed: u64) -> Load {
        let (began, stop) = (Instant::now() + Duration::from_millis(100), Arc::new(AtomicBool::new(false)));
        let caller = |n: usize| Caller {
            first: n,
            rate: rates.shop,
            began,
            address: world.address.clone(),
            key: world.key.clone(),
            books: world.books.clone(),
            stop: stop.clone(),
            random: fastrand::Rng::with_seed((seed << 16) | n as u64),
        };
        let shop = (0..CALLERS).map(|n| tokio::spawn(caller(n).run())).collect();
        let lines = (rates.shop * LINES + rates.markets.iter().sum::<f64>()) * SUPPLY * LORRY.as_secs_f64() / PALLET as f64;
        let random = |n: u64| fastrand::Rng::with_seed((seed << 16) | (0xffff - n));
        let mut others = vec![tokio::spawn(lorries(world.engine.clone(), world.books.clone(), lines, stop.clone(), random(3)))];
        for (n, rate) in rates.markets.into_iter().enumerate() {
            let random = random(n as u64);
            others.push(tokio::spawn(buyers(world.markets.clone(), n, rate, world.books.items(), stop.clone(), random)));
        }
        Load { began, stop, shop, others }
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Nobody comes any more; answers what became of those who came.
    pub async fn stop(self) -> Result<Sales, Failed> {
        self.stop.store(true, Ordering::SeqCst);
        let mut sales = Sales::default();
        for task in self.shop {
            sales.add(task.await??);
        }
        for task in self.others {
            task.await??;
        }
        Ok(sales)
    }
}

/// An item, the first ones much more often: the first hundredth of them is in every tenth line.
fn choose(random: &mut fastrand::Rng, items: usize) -> usize {
    (random.f64().powi(2) * items as f64) as usize
}

/// Every `CALLERS`th order of our own shop.
struct Caller {
    first: usize,
    rate: f64,
    began: Instant,
    address: String,
    key: String,
    books: Arc<Books>,
    stop: Arc<AtomicBool>,
    random: fastrand::Rng,
}

impl Caller {
    async fn run(mut self) -> Result<Sales, Failed> {
        let mut sales = Sales::default();
        let mut connection = Connection::open(&self.address).await?;
        for n in (self.first..).step_by(CALLERS) {
            let due = self.began + Duration::from_secs_f64(n as f64 / self.rate);
            tokio::time::sleep_until(due.into()).await;
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let (items, request) = self.order(n);
            let answer = connection.exchange(&request).await;
            let at = due.saturating_duration_since(self.began);
            match answer {
                Ok(201) => {
                    Books::add(&self.books.sold, &items, 1);
                    sales.taken.push((at, due.elapsed()));
                }
                Ok(409) => sales.refused.push(at),
                Ok(status) => {
                    sales.failed += 1;
                    sales.why.get_or_insert_with(|| format!("{status}: {}", String::from_utf8_lossy(connection.body())));
                }
                Err(Failed(why)) => {
                    sales.failed += 1;
                    sales.why.get_or_insert(why);
                    connection = Connection::open(&self.address).await?;
                }
            }
        }
        Ok(sales)
    }

    /// An order of one to three items, a unit of each.
    fn order(&mut self, n: usize) -> (Vec<usize>, Vec<u8>) {
        let count = self.random.usize(1..=3);
        let mut items: Vec<usize> = (0..count).map(|_| choose(&mut self.random, self.books.items())).collect();
        items.sort_unstable();
        items.dedup();
        let line = |item: &usize| format!(r#"{{"sku":"{}","quantity":1,"unit_price":{{"amount":"9.99","currency":"GBP"}}}}"#, sku(*item));
        let lines: Vec<String> = items.iter().map(line).collect();
        let body = format!(
            r#"{{"channel":"web","reference":"own-{n}","ship_to":{{"country":"GB","latitude":{:.4},"longitude":{:.4}}},"lines":[{}]}}"#,
            50.0 + 7.0 * self.random.f64(),
            -4.0 + 5.0 * self.random.f64(),
            lines.join(",")
        );
        (items, post("/orders", &self.key, None, &body))
    }
}

/// Buyers of one marketplace, each of one unit.
async fn buyers(
    markets: Arc<Markets>,
    place: usize,
    rate: f64,
    items: usize,
    stop: Arc<AtomicBool>,
    mut random: fastrand::Rng,
) -> Result<(), Failed> {
    let began = Instant::now();
    for n in 0u64.. {
        tokio::time::sleep_until((began + Duration::from_secs_f64(n as f64 / rate)).into()).await;
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let item = choose(&mut random, items);
        let _ = markets.places[place].market.buy(&listing_ids(item, &sku(item))[place], 1);
    }
    Ok(())
}

/// What is sold most is brought most, to one location or another; `lines` pallets a lorry, on average.
async fn lorries(engine: Engine, books: Arc<Books>, lines: f64, stop: Arc<AtomicBool>, mut random: fastrand::Rng) -> Result<(), Failed> {
    let began = Instant::now();
    for n in 1u32.. {
        tokio::time::sleep_until((began + LORRY * n).into()).await;
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let count = lines as usize + usize::from(random.f64() < lines.fract());
        let mut items: Vec<usize> = (0..count).map(|_| choose(&mut random, books.items())).collect();
        items.sort_unstable();
        items.dedup();
        if items.is_empty() {
            continue;
        }
        let brought = items.iter().map(|item| SkuLine { sku: sku(*item), quantity: PALLET }).collect();
        // Counted before it is there: whoever sells it at once sells what is counted.
        Books::add(&books.received, &items, PALLET);
        let receive = Receive { location: format!("L{}", random.usize(1..=LOCATIONS)), lines: brought, reference: None };
        engine.submit(Command::Receive(receive), "bench", None).await?;
    }
    Ok(())
}
