//! Reads stock: the levels of an item now or at a past instant, and the entries behind them.

use crate::Stop;
use crate::batch::sorted;
use crate::catalog::rows::{COMPONENTS_BY_KIT, ITEMS_BY_ID, ITEMS_BY_SKU, Item};
use crate::config::Config;
use crate::db::{Row, Sql, Tx, Value};
use crate::stock::rows::{LEVELS_OF, read_level};
use crate::stock::walk::Ledger;
use crate::views::{Balances, Id, LocationStock, SkuQuantity, StockView, Time};
use domain::stock::{Account, Level};
use domain::{Noun, Refused};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use utoipa::ToSchema;

const ENTRIES: Sql = Sql(
    "SELECT location, number, at, source, target, quantity, cause, document, actor, reason, reference FROM entries WHERE item = $1 AND (location, number) > ($2, $3) ORDER BY location, number LIMIT $4",
);
const LIST: Sql = Sql(
    "SELECT i.id, i.sku, CAST(COALESCE(SUM(l.available), 0) AS BIGINT), CAST(COALESCE(SUM(l.reserved), 0) AS BIGINT), CAST(COALESCE(SUM(l.committed), 0) AS BIGINT), CAST(COALESCE(SUM(l.damaged), 0) AS BIGINT), CAST(COALESCE(SUM(l.quality_control), 0) AS BIGINT), CAST(COALESCE(SUM(l.safety_stock), 0) AS BIGINT), CAST(COALESCE(SUM(l.incoming), 0) AS BIGINT) FROM (SELECT id, sku FROM items WHERE sku > $1 AND is_kit = 0 ORDER BY sku LIMIT $2) AS i LEFT JOIN levels l ON l.item = i.id GROUP BY i.id, i.sku ORDER BY i.sku",
);

/// An item by its SKU, with its components if it is a kit.
pub fn item(tx: &mut Tx<'_>, sku: &str) -> Result<Item, Stop> {
    let mut found = tx.by_names(&ITEMS_BY_SKU, &[sku], Item::read)?;
    let mut item = found.pop().ok_or_else(|| Refused::unknown(Noun::Item, sku, "sku"))?;
    if item.is_kit {
        item.components = tx.by_ids(&COMPONENTS_BY_KIT, &[item.id], &[], |r| (r.int(1), r.int(2)))?;
    }
    Ok(item)
}

/// Levels of items, by item and location.
pub type Levels = HashMap<i64, BTreeMap<i64, Level>>;

/// The levels of an item, and of its components if it is a kit, at these locations (ids), or everywhere.
pub fn levels(tx: &mut Tx<'_>, item: &Item, locations: Option<&[i64]>) -> Result<Levels, Stop> {
    levels_of(tx, &sorted(item.components.iter().map(|(component, _)| component).chain([&item.id])), locations)
}

/// The levels of these items (ids, sorted) at these locations (ids), or everywhere.
pub fn levels_of(tx: &mut Tx<'_>, items: &[i64], locations: Option<&[i64]>) -> Result<Levels, Stop> {
    let mut levels = Levels::new();
    for (item, location, level) in tx.by_ids(&LEVELS_OF, items, &[], read_level)? {
        if locations.is_none_or(|l| l.contains(&location)) {
            levels.entry(item).or_default().insert(location, level);
        }
    }
    Ok(levels)
}

/// The same levels as they were at an instant (microseconds since 1970 UTC).
pub fn as_of(tx: &mut Tx<'_>, present: &Levels, at: i64) -> Result<Levels, Stop> {
    let mut levels = Levels::new();
    for id in present.keys() {
        levels.insert(*id, Ledger::new(*id, present).as_of(tx, Some(at))?.levels);
    }
    Ok(levels)
}

/// The stock of an item, now or as of an instant (microseconds since 1970 UTC).
pub fn stock(tx: &mut Tx<'_>, config: &Config, sku: &str, as_of: Option<i64>) -> Result<StockView, Stop> {
    let item = item(tx, sku)?;
    let mut levels = levels(tx, &item, None)?;
    if let Some(at) = as_of {
        levels = self::as_of(tx, &levels, at)?;
    }
    view(tx, config, &item, &levels)
}

/// The stock of an item that has these levels.
pub fn view(tx: &mut Tx<'_>, config: &Config, item: &Item, levels: &Levels) -> Result<StockView, Stop> {
    let of = |id: i64| levels.get(&id).into_iter().flatten();
    if !item.is_kit {
        return Ok(StockView::new(item.sku.clone(), of(item.id).map(|(location, level)| (config.code(*location), level))));
    }
    // A kit is available where all of its components are.
    let mut places: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (n, (component, _)) in item.components.iter().enumerate() {
        for (location, level) in of(*component).filter(|(location, _)| config.is_active(**location)) {
            places.entry(*location).or_insert_with(|| vec![0; item.components.len()])[n] = level.get(Account::Available);
        }
    }
    let mut locations = Vec::new();
    let mut total = Balances::default();
    for (location, available) in places {
        let kits = domain::kit::available(item.components.iter().map(|(_, per)| *per).zip(available));
        total.available += kits;
        locations.push(LocationStock { location: config.code(location), balances: Balances { available: kits, ..Balances::default() } });
    }
    let names: Vec<i64> = item.components.iter().map(|(c, _)| *c).collect();
    let names: HashMap<i64, Arc<str>> = tx.by_ids(&ITEMS_BY_ID, &names, &[], |r| (r.int(0), r.text(1).into()))?.into_iter().collect();
    let component = |(id, quantity): &(i64, i64)| SkuQuantity { sku: names.get(id).cloned().unwrap_or_default(), quantity: *quantity };
    Ok(StockView { sku: item.sku.clone(), total, locations, components: item.components.iter().map(component).collect() })
}

/// A double entry: units moved from one account to another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntryView {
    #[schema(value_type = String)]
    pub location: Arc<str>,
    /// Counts the entries of this item at this location.
    pub number: i64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    pub from: &'static str,
    pub to: &'static str,
    pub quantity: i64,
    #[schema(example = "order.placed")]
    pub cause: String,
    /// The id of the order, reservation, transfer or movement behind it.
    #[schema(value_type = String)]
    pub document: Id,
    pub actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// The entries of an item, by location and number, after a cursor (location id, number).
pub fn entries(tx: &mut Tx<'_>, config: &Config, sku: &str, after: (i64, i64), limit: i64) -> Result<Vec<(EntryView, (i64, i64))>, Stop> {
    let item = item(tx, sku)?;
    let word = |n: i64| Account::from_number(n).map_or("unknown", Account::word);
    let read = |r: &Row<'_>| {
        let view = EntryView {
            location: config.code(r.int(0)),
            number: r.int(1),
            at: Time(r.int(2)),
            from: word(r.int(3)),
            to: word(r.int(4)),
            quantity: r.int(5),
            cause: r.text(6),
            document: Id(r.int(7)),
            actor: r.text(8),
            reason: r.opt_text(9),
            reference: r.opt_text(10),
        };
        (view, (r.int(0), r.int(1)))
    };
    Ok(tx.rows(ENTRIES, &[Value::Int(item.id), Value::Int(after.0), Value::Int(after.1), Value::Int(limit)], read)?)
}

/// The totals of an item over all locations.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StockTotal {
    pub sku: String,
    #[serde(flatten)]
    pub balances: Balances,
}

/// The totals of plain items in the order of their SKUs, after one.
pub fn list(tx: &mut Tx<'_>, after: &str, limit: i64) -> Result<Vec<StockTotal>, Stop> {
    let read = |r: &Row<'_>| StockTotal { sku: r.text(1), balances: Balances::new(&std::array::from_fn(|n| r.int(2 + n))) };
    Ok(tx.rows(LIST, &[Value::Text(after), Value::Int(limit)], read)?)
}
