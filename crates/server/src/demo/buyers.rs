//! The demo's marketplaces: some of the catalog is listed on each, small mishaps happen, and buyers come.

use crate::Failed;
use crate::markets::Markets;
use engine::Engine;
use engine::secrets::Vault;
use sim::markets::Faults;
use std::time::Duration;

/// Items of the catalog that are listed on the marketplaces.
const LISTED: usize = 40;
/// Milliseconds between two buyers of one marketplace, on average.
const BUYERS: u64 = 1_500;

/// Starts the marketplaces, lists some of the catalog on each, and connects them.
pub async fn open(engine: &Engine, vault: &Vault) -> Result<Markets, Failed> {
    let skus: Vec<(String, i64)> =
        engine.read(|tx| Ok(engine::stock::read::list(tx, "", 250)?.into_iter().map(|s| (s.sku, s.balances.available)).collect())).await?;
    let mut skus: Vec<(String, i64)> = skus.into_iter().filter(|(_, available)| *available >= 12).collect();
    skus.sort_by_key(|(_, available)| std::cmp::Reverse(*available));
    skus.truncate(LISTED);
    let markets = Markets::start(0).await?;
    for (n, (sku, _)) in skus.iter().enumerate() {
        markets.list(n, sku);
    }
    let faults = Faults { throttled: 0.01, too_many: 0.01, error: 0.01, half: 0.01, unknown: 0.002, ..Faults::default() };
    for place in &markets.places {
        place.market.set_faults(faults);
    }
    // More than half of the stock stays with the shop whose orders are played.
    let policy = domain::quota::Policy { percent: Some(15), ..Default::default() };
    markets.connect(engine, vault, &policy, "demo").await?;
    Ok(markets)
}

/// Buyers come for as long as this is polled. Some change their minds.
pub async fn buy(markets: &Markets) {
    let mut random = fastrand::Rng::with_seed(7);
    loop {
        let place = &markets.places[random.usize(..markets.places.len())];
        let shown: Vec<(String, i64)> = place.market.listings().into_iter().map(|l| (l.id, l.shown)).filter(|(_, shown)| *shown > 0).collect();
        if !shown.is_empty() {
            let (listing, most) = &shown[random.usize(..shown.len())];
            let bought = place.market.buy(listing, random.i64(1..=3).min(*most));
            if let (Some(order), 0) = (bought, random.u32(..25)) {
                let _ = place.market.cancel(&order, place.code == "shopify");
            }
        }
        tokio::time::sleep(Duration::from_millis(random.u64(1..2 * BUYERS / markets.places.len() as u64))).await;
    }
}
