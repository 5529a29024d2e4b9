//! The demo's marketplaces: simulated ones on loopback that behave as Shopify, eBay and Amazon do, with buyers of their own and
//! small mishaps, connected as real ones would be.

use crate::Failed;
use engine::channels::connect::{self, Connection};
use engine::secrets::Vault;
use engine::{Command, Engine, Stop};
use sim::markets::market::Listing;
use sim::markets::{Faults, Market, Served, amazon, ebay, post, serve, shopify};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Items of the catalog that are listed on the marketplaces.
const LISTED: usize = 40;
/// Milliseconds between two buyers of one marketplace, on average.
const BUYERS: u64 = 1_500;

struct Place {
    code: &'static str,
    kind: &'static str,
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    market: Arc<Market>,
    served: Served,
}

/// The marketplaces while they run; they end when dropped.
pub struct Markets {
    places: Vec<Place>,
    shop: Arc<shopify::Shopify>,
    bazaar: Arc<amazon::Amazon>,
}

/// What the simulated Amazon sends with its notifications.
const NOTICE_SECRET: &str = "notices-of-the-demo";

impl Markets {
    /// Starts them, lists some of the catalog on each, and connects those that are not connected yet.
    pub async fn start(engine: &Engine, vault: &Vault) -> Result<Markets, Failed> {
        let skus: Vec<(String, i64)> =
            engine.read(|tx| Ok(engine::stock::read::list(tx, "", 250)?.into_iter().map(|s| (s.sku, s.balances.available)).collect())).await?;
        let mut skus: Vec<(String, i64)> = skus.into_iter().filter(|(_, available)| *available >= 12).collect();
        skus.sort_by_key(|(_, available)| std::cmp::Reverse(*available));
        skus.truncate(LISTED);

        let (shop, auction, bazaar) = (Market::new(1), Market::new(2), Market::new(3));
        for (n, (sku, _)) in skus.iter().enumerate() {
            for (market, id) in [(&shop, (101 + n).to_string()), (&auction, sku.clone()), (&bazaar, (10_000 + n).to_string())] {
                market.list(Listing { id, sku: sku.clone(), title: sku.clone(), price: 499, ..Listing::default() });
            }
        }
        let faults = Faults { throttled: 0.01, too_many: 0.01, error: 0.01, half: 0.01, unknown: 0.002, ..Faults::default() };
        for market in [&shop, &auction, &bazaar] {
            market.set_faults(faults);
        }
        // A shop on the Plus plan; on the standard one, reading orders and sending quantities wait for each other.
        let mut front = shopify::Shopify::new(shop.clone());
        (front.points, front.points_per_second) = (20_000.0, 1_000.0);
        let front = Arc::new(front);
        let stall = amazon::Amazon::new(bazaar.clone(), 1.0);
        let places = vec![
            Place {
                code: "shopify",
                kind: "shopify",
                name: "Simulated Shopify",
                settings: &[("access_token", "shpat_simulated"), ("client_secret", "hush"), ("location", "1")],
                served: serve(front.clone().router()).await?,
                market: shop,
            },
            Place {
                code: "ebay",
                kind: "ebay",
                name: "Simulated eBay",
                settings: &[("client_id", "app"), ("client_secret", "cert"), ("refresh_token", "v^1.1#refresh")],
                served: serve(ebay::Ebay::new(auction.clone()).router()).await?,
                market: auction,
            },
            Place {
                code: "amazon",
                kind: "amazon",
                name: "Simulated Amazon",
                settings: &[
                    ("client_id", "app"),
                    ("client_secret", "a-secret"),
                    ("refresh_token", "Atzr|refresh"),
                    ("webhook_secret", NOTICE_SECRET),
                    ("seller_id", amazon::SELLER),
                    ("marketplace_id", amazon::MARKETPLACE),
                ],
                served: serve(stall.router()).await?,
                market: bazaar,
            },
        ];
        for place in &places {
            let mut settings: BTreeMap<String, String> = place.settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            if place.kind == "amazon" {
                settings.insert("login_address".into(), place.served.address.clone());
            }
            // More than half of the stock stays with the shop whose orders are played.
            let policy = domain::quota::Policy { percent: Some(15), ..Default::default() };
            let connection = Connection {
                kind: place.kind.into(),
                code: place.code.into(),
                name: place.name.into(),
                address: place.served.address.clone(),
                settings: settings.clone(),
                policy,
                location: None,
            };
            let new = connect::read_new(vault, connection)?;
            match engine.submit(Command::ConnectChannel(Box::new(new)), "demo".into(), None).await {
                Ok(_) => {}
                // A database that was played before has it; the address is another one now.
                Err(Stop::Refused(domain::Refused::Exists { .. })) => {
                    let (settings, secrets) = connect::read_settings(vault, place.kind, place.code, Some(settings))?.unzip();
                    let code = place.code.to_owned();
                    let update =
                        connect::UpdateChannel { code, address: Some(place.served.address.clone()), settings, secrets, ..Default::default() };
                    engine.submit(Command::UpdateChannel(update), "demo".into(), None).await?;
                }
                Err(stop) => return Err(stop.into()),
            }
        }
        Ok(Markets { places, shop: front, bazaar: stall })
    }

    /// Delivers the marketplaces' webhooks to `http://host:port` for as long as this is polled.
    pub async fn webhooks(&self, address: &str) {
        loop {
            for event in self.shop.market.events() {
                // One that fails is not told again: the poll finds the order.
                let _ = post(&format!("{address}/api/v1/webhooks/shopify"), &self.shop.delivery(&event)).await;
            }
            for delivery in self.bazaar.deliveries(NOTICE_SECRET) {
                let _ = post(&format!("{address}/api/v1/webhooks/amazon"), &delivery).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Buyers come for as long as this is polled. Some change their minds, some pay late.
    pub async fn buyers(&self) {
        let mut random = fastrand::Rng::with_seed(7);
        loop {
            let place = &self.places[random.usize(..self.places.len())];
            let shown: Vec<(String, i64)> = place.market.listings().into_iter().map(|l| (l.id, l.shown)).filter(|(_, shown)| *shown > 0).collect();
            if !shown.is_empty() {
                let (listing, most) = &shown[random.usize(..shown.len())];
                let bought = place.market.buy(listing, random.i64(1..=3).min(*most));
                if let (Some(order), 0) = (bought, random.u32(..25)) {
                    let _ = place.market.cancel(&order, place.kind == "shopify");
                }
            }
            tokio::time::sleep(Duration::from_millis(random.u64(1..2 * BUYERS / self.places.len() as u64))).await;
        }
    }
}
