//! Simulated marketplaces on loopback that behave as Shopify, eBay and Amazon do, connected as real ones would be: for the demo
//! and for measuring. Who buys there, and what goes wrong, is said by whoever starts them.

use crate::Failed;
use domain::quota::Policy;
use engine::channels::connect::{self, Connection};
use engine::secrets::Vault;
use engine::{Command, Engine, Stop};
use sim::markets::market::Listing;
use sim::markets::{EventKind, Market, Served, amazon, ebay, post, serve, shopify};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Webhooks on their way at once; Amazon's wait for their turn to ask for the order.
const DELIVERIES: usize = 64;
/// What the simulated Amazon sends with its notifications.
const NOTICE_SECRET: &str = "notices-of-the-simulation";

/// One marketplace.
pub struct Place {
    pub code: &'static str,
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    pub market: Arc<Market>,
    served: Served,
}

/// The marketplaces while they run; they end when dropped.
pub struct Markets {
    /// Shopify, eBay, Amazon.
    pub places: [Place; 3],
    shop: Arc<shopify::Shopify>,
    pub bazaar: Arc<amazon::Amazon>,
}

impl Markets {
    /// Starts them, with nothing listed. What chance decides there follows from the seed.
    pub async fn start(seed: u64) -> Result<Markets, Failed> {
        // One seller's pages of eBay count items, another's count pages: this seed decides that too.
        let [shop, auction, bazaar] = [1, 2, 3].map(|n| Market::new(3 * seed + n));
        // A shop on the Plus plan; on the standard one, reading orders and sending quantities wait for each other.
        let mut front = shopify::Shopify::new(shop.clone());
        (front.points, front.points_per_second) = (20_000.0, 1_000.0);
        let front = Arc::new(front);
        let stall = amazon::Amazon::new(bazaar.clone(), 1.0);
        let places = [
            Place {
                code: "shopify",
                name: "Simulated Shopify",
                settings: &[("access_token", "shpat_simulated"), ("client_secret", "hush"), ("location", "1")],
                served: serve(front.clone().router()).await?,
                market: shop,
            },
            Place {
                code: "ebay",
                name: "Simulated eBay",
                settings: &[("client_id", "app"), ("client_secret", "cert"), ("refresh_token", "v^1.1#refresh")],
                served: serve(ebay::Ebay::new(auction.clone()).router()).await?,
                market: auction,
            },
            Place {
                code: "amazon",
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
        Ok(Markets { places, shop: front, bazaar: stall })
    }

    /// Lists an item on each; `n` counts from 0.
    pub fn list(&self, n: usize, sku: &str) {
        for (place, id) in self.places.iter().zip(listing_ids(n, sku)) {
            place.market.list(Listing { id, sku: sku.into(), title: sku.into(), price: 499, ..Listing::default() });
        }
    }

    /// Connects those that are not connected yet; the others are told where they are now.
    pub async fn connect(&self, engine: &Engine, vault: &Vault, policy: &Policy, actor: &str) -> Result<(), Failed> {
        for place in &self.places {
            let mut settings: BTreeMap<String, String> = place.settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let address = place.served.address.clone();
            if place.code == "amazon" {
                settings.insert("login_address".into(), address.clone());
            }
            let connection = Connection {
                kind: place.code.into(),
                code: place.code.into(),
                name: place.name.into(),
                address: address.clone(),
                settings: settings.clone(),
                policy: policy.clone(),
                location: None,
            };
            let new = connect::read_new(vault, connection)?;
            match engine.submit(Command::ConnectChannel(Box::new(new)), actor, None).await {
                Ok(_) => {}
                // A database that was played before has it; the address is another one now.
                Err(Stop::Refused(domain::Refused::Exists { .. })) => {
                    let (settings, secrets) = connect::read_settings(vault, place.code, place.code, Some(settings))?.unzip();
                    let update = connect::UpdateChannel { code: place.code.into(), address: Some(address), settings, secrets, ..Default::default() };
                    engine.submit(Command::UpdateChannel(update), actor, None).await?;
                }
                Err(stop) => return Err(stop.into()),
            }
        }
        Ok(())
    }

    /// Delivers what Shopify and Amazon tell of orders to `http://host:port` for as long as this is polled. eBay tells nobody: its
    /// orders are polled.
    pub async fn webhooks(&self, address: &str) {
        let mut under_way: JoinSet<()> = JoinSet::new();
        loop {
            let of_orders = self.shop.market.events().into_iter().filter(|event| !matches!(event.kind, EventKind::Shown(..)));
            let told = of_orders.map(|event| ("shopify", self.shop.delivery(&event)));
            for (code, delivery) in told.chain(self.bazaar.deliveries(NOTICE_SECRET).into_iter().map(|d| ("amazon", d))) {
                while under_way.len() >= DELIVERIES {
                    under_way.join_next().await;
                }
                let address = format!("{address}/api/v1/webhooks/{code}");
                // One that fails is not told again: the poll finds the order.
                under_way.spawn(async move { drop(post(&address, &delivery).await) });
            }
            // What nobody asks for would pile up.
            drop((self.places[1].market.events(), self.shop.exchanges()));
            while under_way.try_join_next().is_some() {}
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What Shopify, eBay and Amazon call the listing of an item.
pub fn listing_ids(n: usize, sku: &str) -> [String; 3] {
    [(101 + n).to_string(), sku.to_owned(), (10_000 + n).to_string()]
}
