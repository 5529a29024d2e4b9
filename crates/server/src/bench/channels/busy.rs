//! The busy hour: orders come to our own shop and to three marketplaces at once, for a time.

use super::super::{Place, kind};
use super::load::{Load, Rates, Shop};
use super::world::{Traffic, World};
use super::{Checked, Options, print_traffic};
use crate::Failed;
use crate::progress::thousands;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Orders of the last seconds come with the next reading, which is waited for so long.
pub const LAST_ORDERS: Duration = Duration::from_secs(20);

#[derive(Debug, serde::Serialize)]
pub struct Busy {
    pub database: String,
    pub warm_up_s: u64,
    pub seconds: u64,
    pub items: usize,
    /// Orders a second that came, our own shop's and the marketplaces'.
    pub asked_per_second: f64,
    pub orders_per_second: f64,
    pub shop: Shop,
    pub channels: Vec<Traffic>,
    /// Listings that wanted a write when the load ended, and for how long the oldest had: Shopify, eBay, Amazon.
    pub queue: [i64; 3],
    pub oldest_wish_s: [f64; 3],
    pub checked: Checked,
}

pub fn measure(clients: &Runtime, place: &Place, options: &Options) -> Result<Busy, Failed> {
    let database = kind(&place.url);
    eprintln!("busy hour, {database}");
    let world = World::open(clients, place, options.listed, options.seed)?;
    let rates = Rates::of(options.rate.unwrap_or(1_000));
    let (mut busy, sales) = clients.block_on(async {
        let load = Load::start(&world, rates, options.seed);
        watch(&world, Instant::now() + Duration::from_secs(options.warm_up)).await?;
        let (before, from) = (world.moment().await?, load.elapsed());
        watch(&world, Instant::now() + Duration::from_secs(options.seconds)).await?;
        let (after, until) = (world.moment().await?, load.elapsed());
        let statuses = world.statuses().await?;
        let now = world.engine.now();
        let sales = load.stop().await?;
        let waiting = Instant::now();
        let mut channels = world.between(&before, &after).await?;
        while waiting.elapsed() < LAST_ORDERS && channels.iter().any(|c| c.not_counted_yet > 0) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            channels = world.between(&before, &after).await?;
        }
        let shop = sales.between(from, until);
        let there: usize = channels.iter().map(|c| c.orders).sum();
        let busy = Busy {
            database,
            warm_up_s: options.warm_up,
            seconds: options.seconds,
            items: options.listed,
            asked_per_second: rates.shop + rates.markets.iter().sum::<f64>(),
            orders_per_second: shop.orders_per_second + there as f64 / (until - from).as_secs_f64(),
            shop,
            channels,
            queue: [0, 1, 2].map(|n: usize| statuses[n].queue),
            oldest_wish_s: [0, 1, 2].map(|n: usize| statuses[n].oldest_wish.map_or(0.0, |since| (now - since.0) as f64 / 1e6)),
            checked: Checked::default(),
        };
        Ok::<_, Failed>((busy, sales))
    })?;
    busy.checked = Checked::close(world, sales.why)?;
    Ok(busy)
}

/// Tells how it goes until then.
pub async fn watch(world: &World, until: Instant) -> Result<(), Failed> {
    let mut next = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        tokio::time::sleep_until(next.min(until).into()).await;
        next += Duration::from_secs(10);
        let statuses = world.statuses().await?;
        let orders: Vec<u64> = world.markets.places.iter().map(|p| p.market.truth().orders).collect();
        let part = |(n, s): (usize, &engine::channels::read::ChannelStatus)| format!("{} sold {}, queue {}", s.channel.code, orders[n], s.queue);
        eprintln!("  {}", statuses.iter().enumerate().map(part).collect::<Vec<_>>().join("; "));
    }
    Ok(())
}

impl Busy {
    pub fn print(&self) {
        println!(
            "\nBusy hour, {}: {} items on three marketplaces, for {} s after {} s",
            self.database,
            thousands(self.items as i64),
            self.seconds,
            self.warm_up_s
        );
        println!("  orders a second          {:>10.1}   of {:.1} that came", self.orders_per_second, self.asked_per_second);
        self.shop.print();
        print_traffic(&self.channels);
        for (n, channel) in self.channels.iter().enumerate() {
            println!("  {:<9}{} listings wait at the end, the oldest for {:.1} s", channel.channel, thousands(self.queue[n]), self.oldest_wish_s[n]);
        }
        self.checked.print();
    }
}
