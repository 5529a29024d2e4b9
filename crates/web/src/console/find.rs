//! Finds items and orders by what somebody types: codes, names, references, within what they may see.

use crate::App;
use domain::{Grant, Permission};
use engine::Stop;

/// An item that was found.
pub struct FoundItem {
    pub sku: String,
    pub name: String,
    pub available: i64,
}

/// An order that was found.
pub struct FoundOrder {
    pub id: i64,
    pub number: String,
    pub channel: String,
    pub reference: String,
    pub status: &'static str,
}

/// At most `limit` items and as many orders, the likeliest first.
pub async fn find(app: &App, grant: &Grant, words: &str, limit: i64) -> Result<(Vec<FoundItem>, Vec<FoundOrder>), Stop> {
    let (grant, words) = (grant.clone(), words.trim().to_owned());
    app.read(move |tx, config| {
        let mut items = Vec::new();
        if grant.may(Permission::StockView) {
            for (sku, name) in engine::stock::read::by_prefix(tx, &words, limit)? {
                let stock = engine::stock::read::stock(tx, config, &sku, None)?;
                let own = stock.locations.iter().filter(|l| config.by_code(&l.location).is_some_and(|place| grant.at(place.id)));
                items.push(FoundItem { available: own.map(|l| l.balances.available).sum(), sku, name });
            }
        }
        let mut orders = Vec::new();
        let id = words.trim_start_matches(['H', 'h']).parse::<i64>();
        if grant.may(Permission::OrdersView)
            && let Ok(id) = id
            && let Ok(order) = engine::orders::read::one(tx, config, id)
            && engine::access::reach::order(&order, &grant, config)
        {
            orders.push(FoundOrder { id, number: order.number, channel: order.channel, reference: order.reference, status: order.status });
        }
        Ok((items, orders))
    })
    .await
}
