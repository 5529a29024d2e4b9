//! The stock list: a page of items with their figures, as the database has them now.
//!
//! Which items are on the page is found along the index of SKUs, or by the stock table (`table/`) for every other order and filter.

use super::read::{Levels, levels_of};
use super::rows::LEVELS_OF;
use super::sales;
use super::table::{Counts, State, StockQuery, StockTable};
use crate::Stop;
use crate::batch::sorted;
use crate::catalog::rows::{COMPONENTS_BY_KIT, ITEMS_BY_ID, Item};
use crate::config::Config;
use crate::db::{Ahead, Lookup, Sql, Tx, Value};
use crate::page::{Cursor, unreadable};
use crate::views::{Amount, Balances, Id, Time};
use domain::stock::Account;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const SKU: Sql = Sql("SELECT sku FROM items WHERE id = $1");
const FIRST: Sql = Sql("SELECT id FROM items ORDER BY sku LIMIT $1");
const LAST: Sql = Sql("SELECT id FROM items ORDER BY sku DESC LIMIT $1");
const AFTER: Sql = Sql("SELECT id FROM items WHERE sku > $1 ORDER BY sku LIMIT $2");
const BEFORE: Sql = Sql("SELECT id FROM items WHERE sku < $1 ORDER BY sku DESC LIMIT $2");

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&LEVELS_OF];

/// Days of the small chart beside an item.
pub const DAYS: usize = 28;
/// Days that "sold lately" means, the running one among them.
pub const LATELY: usize = 7;

/// An item in the stock list.
#[derive(Debug, Clone)]
pub struct StockRow {
    pub id: Id,
    pub sku: Arc<str>,
    pub name: String,
    pub barcode: Option<String>,
    pub state: State,
    /// Over the locations that count. A kit has no units of its own: it is available where its components are.
    pub balances: Balances,
    /// Locations, of those that count, with units of it on hand.
    pub locations: usize,
    /// Units ordered in the last seven days (UTC), and on each of the last 28, the running one last.
    pub sold_7d: i64,
    pub days: [i64; DAYS],
    /// How many days what is available lasts at the rate of the last seven; None if nothing was sold.
    pub cover_days: Option<f64>,
    pub price: Option<Amount>,
    pub active: bool,
    pub is_kit: bool,
    /// When the last entry at the locations that count was made.
    pub moved_at: Option<Time>,
}

/// A page of the stock list.
#[derive(Debug, Clone)]
pub struct StockPage {
    pub rows: Vec<StockRow>,
    pub next: Option<Cursor<2>>,
    /// Items that the whole list has, and the numbers beside the filters. None while the stock table is being read for the first time.
    pub matched: Option<usize>,
    pub counts: Option<Counts>,
}

/// A page of items. `now` is in microseconds since 1970 UTC. A query that is not plain needs the table: wait for it before holding a
/// connection, with `StockTable::ready`. Refuses a cursor of another list.
pub fn page(tx: &mut Tx<'_>, config: &Config, table: &Arc<StockTable>, query: &StockQuery, now: i64) -> Result<StockPage, Stop> {
    let last_sku = match query.after {
        Some(Cursor([_, id])) => Some(tx.one(SKU, &[Value::Int(id)], |r| r.text(0))?.ok_or_else(|| unreadable("after"))?),
        None => None,
    };
    let locations = query.locations.as_deref();
    let (items, next, matched, counts) = if query.is_plain() {
        let (items, next) = by_sku(tx, last_sku.as_deref(), query)?;
        let counts = table.counts(locations);
        (items, next, counts.map(|c| c.items), counts)
    } else {
        let found = table.find(query)?;
        (found.items, found.next, Some(found.matched), Some(found.counts))
    };
    Ok(StockPage { rows: rows(tx, config, &items, locations, now)?, next, matched, counts })
}

fn by_sku(tx: &mut Tx<'_>, last: Option<&str>, query: &StockQuery) -> Result<(Vec<i64>, Option<Cursor<2>>), Stop> {
    let limit = Value::Int(query.limit as i64 + 1);
    let mut items = match last {
        None => tx.rows(if query.descending { LAST } else { FIRST }, &[limit], |r| r.int(0))?,
        Some(last) => tx.rows(if query.descending { BEFORE } else { AFTER }, &[Value::Text(last), limit], |r| r.int(0))?,
    };
    let more = items.len() > query.limit;
    items.truncate(query.limit);
    let next = items.last().filter(|_| more).map(|id| Cursor([0, *id]));
    Ok((items, next))
}

/// The rows of these items, in the same order; unknown ones are left out. Units at other than the given locations do not count.
pub fn rows(tx: &mut Tx<'_>, config: &Config, ids: &[i64], locations: Option<&[i64]>, now: i64) -> Result<Vec<StockRow>, Stop> {
    let today = crate::batch::day_of(now);
    let wanted = sorted(ids);
    let first = sales::first_day::<DAYS>(today);
    tx.ahead(&[
        Ahead::Ids(&ITEMS_BY_ID, &wanted, &[]),
        Ahead::Ids(&LEVELS_OF, &wanted, &[]),
        Ahead::Ids(&sales::SINCE, &wanted, &[Value::Int(first)]),
    ]);
    let mut items: HashMap<i64, Item> = tx.by_ids(&ITEMS_BY_ID, &wanted, &[], Item::read)?.into_iter().map(|i| (i.id, i)).collect();
    let kits = sorted(items.values().filter(|i| i.is_kit).map(|i| &i.id));
    for (kit, component, per) in tx.by_ids(&COMPONENTS_BY_KIT, &kits, &[], |r| (r.int(0), r.int(1), r.int(2)))? {
        if let Some(item) = items.get_mut(&kit) {
            item.components.push((component, per));
        }
    }
    let mut levels = levels_of(tx, &wanted, locations)?;
    let parts = items.values().flat_map(|i| &i.components).map(|(component, _)| component).filter(|c| wanted.binary_search(c).is_err());
    levels.extend(levels_of(tx, &sorted(parts), locations)?);
    let days = sales::by_day::<DAYS>(tx, &wanted, today)?;
    let row = |id: &i64| Some(row(items.get(id)?, &levels, config, days.get(id).copied().unwrap_or([0; DAYS])));
    Ok(ids.iter().filter_map(row).collect())
}

/// Tells that the levels of an item and its row will be asked for.
pub fn row_ahead(tx: &mut Tx<'_>, item: &Item, now: i64) {
    let stocked = sorted(item.components.iter().map(|(component, _)| component).chain([&item.id]));
    let first = sales::first_day::<DAYS>(crate::batch::day_of(now));
    tx.ahead(&[Ahead::Ids(&LEVELS_OF, &stocked, &[]), Ahead::Ids(&sales::SINCE, &[item.id], &[Value::Int(first)])]);
}

/// The row of an item that has these levels.
pub fn row_of(tx: &mut Tx<'_>, config: &Config, item: &Item, levels: &Levels, now: i64) -> Result<StockRow, Stop> {
    let days = sales::by_day::<DAYS>(tx, &[item.id], crate::batch::day_of(now))?;
    Ok(row(item, levels, config, days.get(&item.id).copied().unwrap_or([0; DAYS])))
}

fn row(item: &Item, levels: &Levels, config: &Config, days: [i64; DAYS]) -> StockRow {
    let of = levels.get(&item.id);
    let mut sums = [0; 7];
    for level in of.into_iter().flat_map(BTreeMap::values) {
        sums.iter_mut().zip(level.balances()).for_each(|(sum, units)| *sum += units);
    }
    let mut balances = Balances::new(&sums);
    if item.is_kit {
        balances.available = kits(item, levels, config);
    }
    let sold_7d = days[DAYS - LATELY..].iter().sum();
    StockRow {
        id: Id(item.id),
        sku: item.sku.clone(),
        name: item.name.clone(),
        barcode: item.barcode.clone(),
        state: State::of(item.active, item.is_kit, balances.on_hand, balances.available, sold_7d),
        locations: of.map_or(0, |l| l.values().filter(|level| level.on_hand() > 0).count()),
        sold_7d,
        days,
        cover_days: (sold_7d > 0).then(|| balances.available as f64 * LATELY as f64 / sold_7d as f64),
        price: item.price_minor.and_then(|minor| Amount::from_minor(minor, item.currency.as_deref())),
        active: item.active,
        is_kit: item.is_kit,
        moved_at: of.and_then(|l| l.values().map(|level| level.moved_at).max()).map(Time),
        balances,
    }
}

/// Kits that can be promised: at each active location as many as its components make.
fn kits(kit: &Item, levels: &Levels, config: &Config) -> i64 {
    let Some((first, _)) = kit.components.first() else { return 0 };
    let at = |item: &i64, location: &i64| levels.get(item).and_then(|l| l.get(location)).map_or(0, |level| level.get(Account::Available));
    let places = levels.get(first).into_iter().flat_map(BTreeMap::keys).filter(|location| config.is_active(**location));
    places.map(|location| domain::kit::available(kit.components.iter().map(|(item, per)| (*per, at(item, location))))).sum()
}
