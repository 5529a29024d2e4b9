//! A shop to test with, and the way to it.

use connectors::account::Work;
use connectors::marketplace::{MarketListing, MarketOrder, Marketplace, Page};
use connectors::shopify::Shopify;
use connectors::transport::{Fault, Pace, Wire, WireOptions};
use sim::markets::market::{Listing, Market};
use sim::markets::{Served, serve, shopify};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub const TOKEN: &str = "shpat_simulated";
pub const SECRET: &str = "hush-hush";
pub const CONNECTOR: Shopify = Shopify;

pub struct Shop {
    pub market: Arc<Market>,
    pub front: Arc<shopify::Shopify>,
    pub served: Served,
}

impl Shop {
    /// Listings 101 and so on, each showing 100.
    pub async fn open(seed: u64, listings: usize, change: impl FnOnce(&mut shopify::Shopify)) -> Shop {
        let market = Market::new(seed);
        for n in 0..listings {
            let (id, sku) = ((10_001 + n).to_string(), format!("SKU-{n}"));
            market.list(Listing { id, sku, title: format!("Thing {n}"), barcode: Some(format!("{n:013}")), shown: 100, price: 1250 });
        }
        let mut front = shopify::Shopify::new(market.clone());
        (front.points, front.points_per_second, front.client_secret) = (1e6, 1e6, SECRET.into());
        change(&mut front);
        let front = Arc::new(front);
        let served = serve(front.clone().router()).await.expect("a port");
        Shop { market, front, served }
    }

    pub fn wire(&self) -> Wire {
        self.wire_with(&[("access_token", TOKEN)], |_| {})
    }

    pub fn wire_with(&self, settings: &[(&str, &str)], change: impl FnOnce(&mut WireOptions)) -> Wire {
        let mut options = options(&self.served.address, settings);
        options.seed = self.market.seed;
        change(&mut options);
        Wire::new(options).expect("a wire")
    }
}

pub fn options(address: &str, settings: &[(&str, &str)]) -> WireOptions {
    let mut settings: BTreeMap<String, String> = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    settings.insert("location".into(), "gid://shopify/Location/1".into());
    settings.insert("client_secret".into(), SECRET.into());
    let clock = Arc::new(|| jiff::Timestamp::now().as_microsecond());
    let pace = Pace { first_wait: Duration::from_millis(1), tries: 8, ..Pace::default() };
    WireOptions { account: &Shopify, address: address.into(), settings, clock, seed: 1, pace }
}

/// The names by which the connector and the market call the same thing.
pub fn item(listing: &str) -> String {
    format!("gid://shopify/InventoryItem/{listing}")
}

pub async fn all_orders(wire: &Wire, from: i64) -> Result<Vec<MarketOrder>, Fault> {
    all(|page| CONNECTOR.orders(wire, from, page)).await
}

pub async fn all_listings(wire: &Wire) -> Result<Vec<MarketListing>, Fault> {
    all(|page| CONNECTOR.listings(wire, page)).await
}

async fn all<'a, T>(read: impl Fn(Option<String>) -> Work<'a, Page<T>>) -> Result<Vec<T>, Fault> {
    let (mut rows, mut page) = (Vec::new(), None);
    loop {
        let found = read(page).await?;
        assert_eq!(found.unread, []);
        rows.extend(found.rows);
        page = found.next;
        if page.is_none() {
            return Ok(rows);
        }
    }
}
