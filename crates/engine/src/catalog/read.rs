//! Reads items and locations.

use crate::Stop;
use crate::catalog::rows::{COMPONENTS_BY_KIT, ITEMS_BY_ID, ITEMS_BY_SKU, Item};
use crate::config::Config;
use crate::db::{Ahead, Sql, Tx, Value};
use crate::kept::Names;
use crate::views::{ItemView, LocationView};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

const LIST: Sql = Sql(
    "SELECT id, sku, name, barcode, price_minor, currency, weight_grams, length_mm, width_mm, height_mm, when_short, available_from, is_kit, active, created_at FROM items WHERE sku > $1 ORDER BY sku LIMIT $2",
);
const BEGINNING: Sql = Sql("SELECT id, sku FROM items WHERE sku >= $1 AND sku < $2 ORDER BY sku LIMIT $3");
const BY_BARCODE: Sql = Sql("SELECT id FROM items WHERE barcode = $1 ORDER BY id LIMIT $2");

const CAPACITY: Sql = Sql("SELECT day, used FROM capacity WHERE location = $1 AND day >= $2 AND day < $3 ORDER BY day");

fn views(tx: &mut Tx<'_>, config: &Config, mut items: Vec<Item>) -> Result<Vec<ItemView>, Stop> {
    let mut kits: Vec<i64> = items.iter().filter(|i| i.is_kit).map(|i| i.id).collect();
    kits.sort_unstable();
    items.iter_mut().for_each(|i| i.components.clear());
    for (kit, component, quantity) in tx.by_ids(&COMPONENTS_BY_KIT, &kits, &[], |r| (r.int(0), r.int(1), r.int(2)))? {
        if let Some(item) = items.iter_mut().find(|i| i.id == kit) {
            item.components.push((component, quantity));
        }
    }
    let ids: BTreeSet<i64> = items.iter().flat_map(|i| i.components.iter().map(|(c, _)| *c)).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let known: HashMap<i64, Arc<Item>> = tx.by_ids(&ITEMS_BY_ID, &ids, &[], Item::read)?.into_iter().map(|i| (i.id, Arc::new(i))).collect();
    let names = Names { items: &known, config };
    Ok(items.iter().map(|i| ItemView::new(i, &names)).collect())
}

pub fn item(tx: &mut Tx<'_>, config: &Config, sku: &str) -> Result<ItemView, Stop> {
    let item = crate::stock::read::item(tx, sku)?;
    view(tx, config, item)
}

/// What is told of an item that was read.
pub fn view(tx: &mut Tx<'_>, config: &Config, item: Item) -> Result<ItemView, Stop> {
    views(tx, config, vec![item])?.pop().ok_or_else(|| Stop::broken("the item vanished"))
}

/// Items in the order of their SKUs, after one.
pub fn items(tx: &mut Tx<'_>, config: &Config, after: &str, limit: i64) -> Result<Vec<ItemView>, Stop> {
    let items = tx.rows(LIST, &[Value::Text(after), Value::Int(limit)], Item::read)?;
    views(tx, config, items)
}

/// Items by their SKUs, with their ids, in the order of the SKUs; unknown ones are left out.
pub fn by_skus(tx: &mut Tx<'_>, config: &Config, skus: &[&str]) -> Result<Vec<(i64, ItemView)>, Stop> {
    let wanted: BTreeSet<&str> = skus.iter().copied().collect();
    let items = tx.by_names(&ITEMS_BY_SKU, &wanted.into_iter().collect::<Vec<_>>(), Item::read)?;
    let ids: Vec<i64> = items.iter().map(|i| i.id).collect();
    let mut found: Vec<(i64, ItemView)> = ids.into_iter().zip(views(tx, config, items)?).collect();
    found.sort_by(|a, b| a.1.sku.cmp(&b.1.sku));
    Ok(found)
}

/// Names of items, by their SKUs.
pub type Named = HashMap<Arc<str>, String>;

/// The names of these items; unknown ones are left out.
pub fn names(tx: &mut Tx<'_>, skus: &[&str]) -> Result<Named, Stop> {
    let wanted: BTreeSet<&str> = skus.iter().copied().collect();
    let items = tx.by_names(&ITEMS_BY_SKU, &wanted.into_iter().collect::<Vec<_>>(), Item::read)?;
    Ok(items.into_iter().map(|i| (i.sku, i.name)).collect())
}

/// The ids of items with this barcode, and of those whose SKU begins so, letter by letter: what can be found without a search index.
pub fn named(tx: &mut Tx<'_>, text: &str, limit: i64) -> Result<Vec<i64>, Stop> {
    let end = format!("{text}\u{10ffff}");
    let beginning = [Value::Text(text), Value::Text(&end), Value::Int(limit)];
    tx.ahead(&[Ahead::Rows(BEGINNING, &beginning)]);
    let mut ids = tx.rows(BY_BARCODE, &[Value::Text(text), Value::Int(limit)], |r| r.int(0))?;
    let found = tx.rows(BEGINNING, &beginning, |r| (r.int(0), r.text(1)))?;
    // Some collations sort other texts into the range.
    ids.extend(found.into_iter().filter(|(_, sku)| sku.starts_with(text)).map(|(id, _)| id));
    Ok(ids)
}

/// All locations, by code.
pub fn locations(config: &Config) -> Vec<LocationView> {
    let mut views: Vec<LocationView> = config.locations.iter().map(LocationView::from).collect();
    views.sort_by(|a, b| a.code.cmp(&b.code));
    views
}

/// Orders that took some of a location's capacity on the days from one on (days since 1970 UTC): (day, orders).
pub fn capacity(tx: &mut Tx<'_>, location: i64, from: i64, days: i64) -> Result<Vec<(i64, i64)>, Stop> {
    Ok(tx.rows(CAPACITY, &[Value::Int(location), Value::Int(from), Value::Int(from + days)], |r| (r.int(0), r.int(1)))?)
}
