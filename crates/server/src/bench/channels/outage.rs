//! An outage: one marketplace answers nothing for a time while its buyers and all others go on; then it comes back.

use super::super::{Place, kind};
use super::busy::{LAST_ORDERS, watch};
use super::load::{Load, Rates, Shop};
use super::world::{Traffic, World};
use super::{Checked, Options, print_traffic};
use crate::Failed;
use crate::progress::thousands;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// eBay, by its place among the marketplaces.
const GONE: usize = 1;
/// What is not in order again by then is told so.
const LONGEST: Duration = Duration::from_secs(1_800);

#[derive(Debug, serde::Serialize)]
pub struct Outage {
    pub database: String,
    pub items: usize,
    pub asked_per_second: f64,
    /// Seconds before it that were measured.
    pub before_s: u64,
    pub outage_s: u64,
    pub before: Stretch,
    pub during: Stretch,
    /// From the return of eBay until all is in order again.
    pub after: Stretch,
    /// Listings of eBay that wanted a write when it came back, and its orders that were not counted.
    pub queue_at_return: i64,
    pub not_counted_at_return: usize,
    /// Seconds from its return until no listing waits; None if that did not happen.
    pub queue_drained_s: Option<f64>,
    /// Seconds from its return until all that was sold there before is counted here.
    pub orders_counted_s: Option<f64>,
    pub checked: Checked,
}

#[derive(Debug, serde::Serialize)]
pub struct Stretch {
    pub shop: Shop,
    pub channels: Vec<Traffic>,
}

pub fn measure(clients: &Runtime, place: &Place, options: &Options) -> Result<Outage, Failed> {
    let database = kind(&place.url);
    eprintln!("outage, {database}");
    let world = World::open(clients, place, options.listed, options.seed)?;
    let rates = Rates::of(options.rate.unwrap_or(100));
    let ebay = world.markets.places[GONE].market.clone();
    let (mut outage, sales) = clients.block_on(async {
        let load = Load::start(&world, rates, options.seed);
        watch(&world, Instant::now() + Duration::from_secs(options.warm_up)).await?;
        let begins = (world.moment().await?, load.elapsed());
        watch(&world, Instant::now() + Duration::from_secs(options.seconds)).await?;
        let goes = (world.moment().await?, load.elapsed());
        eprintln!("  eBay answers nothing from now on");
        // Longer than it takes: it comes back when it is told to.
        ebay.down_for(2_000 * options.outage + 60_000);
        watch(&world, Instant::now() + Duration::from_secs(options.outage)).await?;
        let returns = (world.moment().await?, load.elapsed());
        let gone = &world.statuses().await?[GONE];
        let (channel, queue_at_return) = (gone.channel.id.0, gone.queue);
        let sold = world.bought(GONE, i64::MIN, returns.0.at);
        let missing = |counted: usize| sold - counted.min(sold);
        let not_counted_at_return = missing(world.counted(channel, i64::MIN, returns.0.at).await?.len());
        ebay.down_for(0);
        eprintln!("  eBay is back: {queue_at_return} listings wait, {not_counted_at_return} orders are not counted");
        let back = Instant::now();
        let (mut queue_drained_s, mut orders_counted_s) = (None, None);
        let mut told = Instant::now();
        while back.elapsed() < LONGEST && (queue_drained_s.is_none() || orders_counted_s.is_none()) {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let after = Some(back.elapsed().as_secs_f64());
            let gone = &world.statuses().await?[GONE];
            // A wish whose write could not be sent begins anew, so that the age of the oldest says nothing.
            if gone.queue == 0 && world.workers.health(channel).is_some_and(|h| h.fault.is_none()) {
                queue_drained_s = queue_drained_s.or(after);
            }
            let missing = missing(world.counted(channel, i64::MIN, returns.0.at).await?.len());
            if missing == 0 {
                orders_counted_s = orders_counted_s.or(after);
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                eprintln!("  {:.0} s after: {} listings wait, {missing} orders are not counted", back.elapsed().as_secs_f64(), gone.queue);
            }
        }
        let ends = (world.moment().await?, load.elapsed());
        let sales = load.stop().await?;
        tokio::time::sleep(LAST_ORDERS).await;
        let moments = [&begins, &goes, &returns, &ends];
        let mut stretches = Vec::new();
        for pair in moments.windows(2) {
            let (from, until) = (pair[0], pair[1]);
            stretches.push(Stretch { shop: sales.between(from.1, until.1), channels: world.between(&from.0, &until.0).await? });
        }
        let [before, during, after] = <[Stretch; 3]>::try_from(stretches).map_err(|_| Failed("there are three stretches".into()))?;
        let outage = Outage {
            database,
            items: options.listed,
            asked_per_second: rates.shop + rates.markets.iter().sum::<f64>(),
            before_s: options.seconds,
            outage_s: options.outage,
            before,
            during,
            after,
            queue_at_return,
            not_counted_at_return,
            queue_drained_s,
            orders_counted_s,
            checked: Checked::default(),
        };
        Ok::<_, Failed>((outage, sales))
    })?;
    outage.checked = Checked::close(world, sales.why)?;
    Ok(outage)
}

impl Outage {
    pub fn print(&self) {
        println!(
            "\nOutage, {}: {} items on three marketplaces, {:.0} orders a second; eBay answers nothing for {} s",
            self.database,
            thousands(self.items as i64),
            self.asked_per_second,
            thousands(self.outage_s as i64)
        );
        for (what, stretch) in [("before", &self.before), ("during", &self.during), ("after its return", &self.after)] {
            println!("  {what}:");
            stretch.shop.print();
            print_traffic(&stretch.channels);
        }
        let seconds = |s: Option<f64>| s.map_or_else(|| format!("not within {} s", LONGEST.as_secs()), |s| format!("{s:.1} s"));
        println!("  eBay's {} waiting listings written after  {}", thousands(self.queue_at_return), seconds(self.queue_drained_s));
        println!("  eBay's {} missing orders counted after    {}", thousands(self.not_counted_at_return as i64), seconds(self.orders_counted_s));
        self.checked.print();
    }
}
