//! Context: what an exception is about, with what a person wants to know before deciding: the order as the marketplace told it and
//! what there is of each line, the listing, the fulfillment, the word that was not taken. Not here: the exception itself (`read.rs`).

use crate::Stop;
use crate::access::reach;
use crate::catalog::rows::{ITEMS_BY_ID, ITEMS_BY_SKU, Item};
use crate::channels::rows::{LISTINGS_BY_EXTERNAL, LISTINGS_BY_ID, Listing, market_key};
use crate::channels::suggest::{self, Suggestion};
use crate::channels::{self, listings::ListingView};
use crate::config::Config;
use crate::db::{Lookup, Sql, Tx, Value};
use crate::stock::read::stock;
use connectors::marketplace::{MarketLine, MarketOrder};
use domain::Grant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Lines of an order that are looked into; the others are counted.
const LINES: usize = 20;

const TOLD: Sql = Sql("SELECT told, order_id FROM market_orders WHERE key = $1");
const LETTER: Sql = Sql("SELECT kind, order_id, external, tries FROM channel_outbox WHERE id = $1");
const HANDED: Sql = Sql("SELECT order_id, location FROM fulfillments WHERE id = $1");

/// What an exception is about.
#[derive(Debug, Clone)]
pub enum Context {
    Order(Box<OrderThere>),
    Listing(Box<ListingView>),
    /// A part of an order at somebody else's warehouse.
    Handover {
        fulfillment: i64,
        order: i64,
        /// The code of the location.
        location: Arc<str>,
    },
    /// What a marketplace was to be told: `ship`, `cancel` or `refund`.
    Letter {
        kind: String,
        /// The order here, if it became one, and the marketplace's id where it did not.
        order: Option<i64>,
        external: Option<String>,
        tries: i64,
    },
    /// An item that somebody else's warehouse counted otherwise.
    Item {
        sku: String,
    },
    /// The channel as a whole.
    Channel,
}

/// An order on a marketplace.
#[derive(Debug, Clone)]
pub struct OrderThere {
    /// The marketplace's own id, and what people call it there.
    pub id: String,
    pub number: String,
    /// Microseconds since 1970 UTC.
    pub placed_at: i64,
    pub state: String,
    pub currency: Option<String>,
    /// The order here, if it became one.
    pub order: Option<i64>,
    pub lines: Vec<LineThere>,
    /// Lines that are not in here.
    pub more: usize,
}

#[derive(Debug, Clone)]
pub struct LineThere {
    /// The marketplace's name of the listing.
    pub listing: String,
    pub sku: Option<String>,
    pub title: String,
    /// How often the listing is to be sent.
    pub quantity: i64,
    /// Decimal text in the order's currency.
    pub unit_price: Option<String>,
    /// The item that it is here, and units of it in one listing.
    pub item: Option<Arc<str>>,
    pub per: i64,
    /// Units of the item that are available, at locations that whoever asks may see.
    pub available: Option<i64>,
    /// What it may be, the likeliest first, while it is no item here.
    pub suggestions: Vec<Suggestion>,
}

/// What the exception with this key (`about`) is about. What is gone meanwhile is the channel as a whole.
pub fn read(tx: &mut Tx<'_>, config: &Config, grant: &Grant, about: &str) -> Result<Context, Stop> {
    let number = |text: &str| text.parse::<i64>().ok();
    let found = match about.split_once(':') {
        Some(("order", name)) => order(tx, config, grant, name)?,
        Some(("listing" | "drift" | "oversold", id)) => number(id).map(|id| listing(tx, config, id)).transpose()?.flatten(),
        Some(("handover", id)) => number(id).map(|id| handover(tx, config, id)).transpose()?.flatten(),
        Some(("letter", id)) => number(id).map(|id| letter(tx, id)).transpose()?.flatten(),
        Some(("snapshot", name)) => name.split_once(':').map(|(_, sku)| Context::Item { sku: sku.to_owned() }),
        _ => None,
    };
    Ok(found.unwrap_or(Context::Channel))
}

fn listing(tx: &mut Tx<'_>, config: &Config, id: i64) -> Result<Option<Context>, Stop> {
    match channels::read::listing(tx, config, id) {
        Ok(view) => Ok(Some(Context::Listing(Box::new(view)))),
        Err(Stop::Refused(_)) => Ok(None),
        Err(stop) => Err(stop),
    }
}

fn handover(tx: &mut Tx<'_>, config: &Config, fulfillment: i64) -> Result<Option<Context>, Stop> {
    let found = tx.one(HANDED, &[Value::Int(fulfillment)], |r| (r.int(0), r.int(1)))?;
    Ok(found.map(|(order, location)| Context::Handover { fulfillment, order, location: config.code(location) }))
}

fn letter(tx: &mut Tx<'_>, id: i64) -> Result<Option<Context>, Stop> {
    let found = tx.one(LETTER, &[Value::Int(id)], |r| (r.text(0), r.int(1), r.opt_text(2), r.int(3)))?;
    Ok(found.map(|(kind, order, external, tries)| Context::Letter { kind, order: Some(order).filter(|id| *id != 0), external, tries }))
}

/// `name` is the channel and the marketplace's id, such as `shop:1001`.
fn order(tx: &mut Tx<'_>, config: &Config, grant: &Grant, name: &str) -> Result<Option<Context>, Stop> {
    let Some((code, external)) = name.split_once(':') else { return Ok(None) };
    let Some(channel) = config.channel_by_code(code) else { return Ok(None) };
    let found = tx.one(TOLD, &[Value::Text(&market_key(channel.id, external))], |r| (r.text(0), r.opt_int(1)))?;
    let Some((told, order)) = found else { return Ok(None) };
    let Ok(told) = serde_json::from_str::<MarketOrder>(&told) else { return Ok(None) };
    let mut lines = Vec::new();
    for line in told.lines.iter().take(LINES) {
        lines.push(line_there(tx, config, grant, channel.id, line)?);
    }
    let more = told.lines.len() - lines.len();
    let (state, placed_at) = (told.state.word().to_owned(), told.placed_at);
    Ok(Some(Context::Order(Box::new(OrderThere { id: told.id, number: told.number, placed_at, state, currency: told.currency, order, lines, more }))))
}

fn line_there(tx: &mut Tx<'_>, config: &Config, grant: &Grant, channel: i64, line: &MarketLine) -> Result<LineThere, Stop> {
    let ids = tx.by_names(&LISTINGS_BY_EXTERNAL, &[line.listing.as_str()], |r| (r.int(0), r.int(1)))?;
    let id = ids.into_iter().find(|(_, of)| *of == channel).map(|(id, _)| id);
    let lookup = Lookup { lock: false, ..LISTINGS_BY_ID };
    let listing = tx.by_ids(&lookup, id.as_slice(), &[], Listing::read)?.pop();
    let item = match (&listing, &line.sku) {
        (Some(listing), _) => tx.by_ids(&ITEMS_BY_ID, listing.item.as_slice(), &[], Item::read)?.pop(),
        // Not in the catalog as it was last read: the SKU itself says what it is.
        (None, Some(sku)) => tx.by_names(&ITEMS_BY_SKU, &[sku.as_str()], Item::read)?.pop(),
        (None, None) => None,
    };
    let available = match &item {
        Some(item) => {
            let stock = reach::stock(stock(tx, config, &item.sku, None)?, grant, config);
            let open = stock.locations.iter().filter(|l| config.by_code(&l.location).is_some_and(|place| place.active));
            Some(open.map(|l| l.balances.available).sum())
        }
        None => None,
    };
    let suggestions = match (&item, id) {
        (None, Some(id)) => suggest::suggest(tx, id)?,
        // Ordered before it was read.
        (None, None) => suggest::by_names(tx, line.sku.as_deref(), None, &line.listing)?,
        (Some(_), _) => Vec::new(),
    };
    Ok(LineThere {
        listing: line.listing.clone(),
        sku: line.sku.clone(),
        title: line.title.clone(),
        quantity: line.quantity - line.canceled,
        unit_price: line.unit_price.clone(),
        item: item.map(|i| i.sku),
        per: listing.map_or(1, |l| l.per),
        available,
        suggestions,
    })
}

impl OrderThere {
    /// Units ordered and available of each item, summed over the lines: (SKU, ordered, available).
    pub fn items(&self) -> Vec<(Arc<str>, i64, i64)> {
        let mut sums: BTreeMap<Arc<str>, (i64, i64)> = BTreeMap::new();
        for line in &self.lines {
            if let (Some(item), Some(available)) = (&line.item, line.available) {
                let sum = sums.entry(item.clone()).or_default();
                *sum = (sum.0 + line.quantity * line.per, available);
            }
        }
        sums.into_iter().map(|(sku, (ordered, available))| (sku, ordered, available)).collect()
    }
}
