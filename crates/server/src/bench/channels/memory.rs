//! Memory: a server as a process of its own lists, maps and fills very many listings; how much of it is resident?

use super::super::http::{Connection, SECRET_KEY, Server, get};
use super::super::{Place, growth, kind};
use super::Options;
use crate::Failed;
use crate::markets::Markets;
use crate::progress::thousands;
use engine::secrets::Vault;
use engine::{Engine, Options as EngineOptions, create_key};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

#[derive(Debug, serde::Serialize)]
pub struct Memory {
    pub database: String,
    /// On each of the three marketplaces.
    pub listings: u64,
    /// Amazon's rates, as many times as published.
    pub amazon_speed: f64,
    pub resident_at_start_mb: f64,
    /// When everything was listed and mapped, and when everything was shown too, or when it was given up.
    pub resident_listed_mb: Option<f64>,
    pub resident_at_end_mb: f64,
    pub resident_at_most_mb: f64,
    pub seconds: f64,
    pub channels: Vec<Filled>,
}

/// How far one channel came.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Filled {
    pub channel: String,
    pub mapped: u64,
    /// Listings that show a quantity there.
    pub on_sale: u64,
    /// Quantities that the marketplace acknowledged.
    pub writes: u64,
    /// Listings that want a write, and those whose quantity it refused.
    pub queue: u64,
    pub refused: u64,
    /// Seconds until all was listed and mapped; None if that did not happen.
    pub listed_s: Option<f64>,
    /// Seconds until every listing showed a quantity.
    pub on_sale_s: Option<f64>,
}

pub fn measure(clients: &Runtime, place: &Place, listings: u64, options: &Options) -> Result<Memory, Failed> {
    let database = kind(&place.url);
    eprintln!("memory, {database}, {} listings on each marketplace", thousands(listings));
    let engine = Engine::open(EngineOptions::new(place.url.clone()))?;
    growth::fill(&engine, listings)?;
    let markets = clients.block_on(async {
        let markets = Markets::start(options.seed).await?;
        for n in 0..listings {
            markets.list(n as usize, &growth::sku(n));
        }
        markets.bazaar.set_speed(options.amazon_speed);
        // There are millions of each; Amazon takes no quantity beyond one.
        let policy = domain::quota::Policy { cap: Some(100), ..Default::default() };
        markets.connect(&engine, &Vault::parse(SECRET_KEY)?, &policy, "bench").await?;
        Ok::<_, Failed>(markets)
    })?;
    engine.shut_down();
    drop(engine);
    let (_, key) = create_key(&place.url, "bench", "admin", crate::now(), None)?;
    let server = Server::start(place)?;
    let mut memory = Memory {
        database,
        listings,
        amazon_speed: options.amazon_speed,
        resident_at_start_mb: server.memory_mb().0,
        resident_listed_mb: None,
        resident_at_end_mb: 0.0,
        resident_at_most_mb: 0.0,
        seconds: 0.0,
        channels: ["shopify", "ebay", "amazon"].map(|code| Filled { channel: code.into(), ..Filled::default() }).to_vec(),
    };
    clients.block_on(async {
        let address = format!("http://{}", server.address);
        tokio::select! {
            // Nobody buys; this throws away what the marketplaces note meanwhile.
            () = markets.webhooks(&address) => Ok(()),
            done = memory.watch(&server, &markets, &key, Duration::from_secs(options.limit)) => done,
        }
    })?;
    (memory.resident_at_end_mb, memory.resident_at_most_mb) = server.memory_mb();
    Ok(memory)
}

impl Memory {
    /// Asks the server how far it is, until it is done.
    async fn watch(&mut self, server: &Server, markets: &Markets, key: &str, limit: Duration) -> Result<(), Failed> {
        let (began, mut told) = (Instant::now(), Instant::now());
        let mut connection = Connection::open(&server.address).await?;
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let status = connection.exchange(&get("/channels", key)).await?;
            let found: serde_json::Value = serde_json::from_slice(connection.body())?;
            self.seconds = began.elapsed().as_secs_f64();
            for (filled, place) in self.channels.iter_mut().zip(&markets.places) {
                let Some(row) = found["data"].as_array().into_iter().flatten().find(|c| c["code"] == *filled.channel) else {
                    return Err(Failed(format!("the server answered {status} without the channel {}", filled.channel)));
                };
                let number = |field: &str| row[field].as_u64().unwrap_or(0);
                (filled.mapped, filled.writes, filled.queue, filled.refused) =
                    (number("mapped"), number("writes"), number("queue"), number("refused"));
                filled.on_sale = place.market.listings_on_sale() as u64;
                if filled.mapped >= self.listings {
                    filled.listed_s.get_or_insert(self.seconds);
                }
                if filled.on_sale >= self.listings {
                    filled.on_sale_s.get_or_insert(self.seconds);
                }
            }
            if self.channels.iter().all(|c| c.listed_s.is_some()) {
                self.resident_listed_mb.get_or_insert(server.memory_mb().0);
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                let part = |c: &Filled| format!("{} {} mapped, {} on sale, {} wait", c.channel, c.mapped, c.on_sale, c.queue);
                let parts: Vec<String> = self.channels.iter().map(part).collect();
                eprintln!("  {:.0} s: {}; {:.0} MB", self.seconds, parts.join("; "), server.memory_mb().0);
            }
            if self.channels.iter().all(|c| c.on_sale_s.is_some()) || began.elapsed() > limit {
                return Ok(());
            }
        }
    }

    pub fn print(&self) {
        println!(
            "\nMemory, {}: {} listings on each of three marketplaces, {} in all; Amazon at {} times its published rates",
            self.database,
            thousands(self.listings),
            thousands(3 * self.listings),
            self.amazon_speed
        );
        let listed = self.resident_listed_mb.map_or_else(|| "–".to_owned(), |mb| format!("{mb:.0}"));
        println!(
            "  resident MB: {:.0} at the start, {listed} when all was listed, {:.0} after {:.0} s, {:.0} at most",
            self.resident_at_start_mb, self.resident_at_end_mb, self.seconds, self.resident_at_most_mb
        );
        let seconds = |s: Option<f64>| s.map_or_else(|| "not in this time".to_owned(), |s| format!("{s:.0} s"));
        for c in &self.channels {
            println!(
                "  {:<9}{} mapped, all: {}; {} on sale, all: {}; {} writes, {} wait, {} refused",
                c.channel,
                thousands(c.mapped),
                seconds(c.listed_s),
                thousands(c.on_sale),
                seconds(c.on_sale_s),
                thousands(c.writes),
                thousands(c.queue),
                thousands(c.refused)
            );
        }
    }
}
