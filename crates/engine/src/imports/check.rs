//! What a dry run can know of rows beyond their form: whether the items and locations that they name are there. Whether an order can be
//! filled, or an item taken, shows when it is done.

use super::effect::StockEffect;
use super::{ImportRow, ImportRows, Kind, row_error};
use crate::Stop;
use crate::catalog::rows::ITEMS_BY_SKU;
use crate::config::Config;
use crate::db::{Lookup, Tx};
use domain::{Noun, Refused, limits};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The chunk, its rows that name what is not there turned into bad ones. What its rows of stock would change is added to the effect.
pub fn names(tx: &mut Tx<'_>, mut chunk: ImportRows, effect: &mut StockEffect) -> Result<ImportRows, Stop> {
    let mut config: Arc<Config> = Arc::default();
    Config::refresh(tx, &mut config)?;
    let wanted: BTreeSet<&str> = chunk.rows.iter().flat_map(|(_, row)| skus(row)).collect();
    let wanted: Vec<&str> = wanted.into_iter().collect();
    let lookup = Lookup { columns: "sku, id", ..ITEMS_BY_SKU };
    let known: HashMap<String, i64> = tx.by_names(&lookup, &wanted, |r| (r.text(0), r.int(1)))?.into_iter().collect();
    for (line, row) in &mut chunk.rows {
        if let Err(refused) = check(row, &known, &config) {
            *row = ImportRow::Bad(row_error(*line, &refused));
        }
    }
    if chunk.kind == Kind::Stock {
        effect.add(tx, &config, &known, &chunk.rows)?;
    }
    Ok(chunk)
}

fn skus(row: &ImportRow) -> Vec<&str> {
    match row {
        ImportRow::Stock { sku, .. } => vec![sku],
        ImportRow::Order(order) => order.lines.iter().map(|l| l.sku.as_str()).collect(),
        _ => Vec::new(),
    }
}

fn check(row: &ImportRow, known: &HashMap<String, i64>, config: &Config) -> Result<(), Refused> {
    if let Some(missing) = skus(row).into_iter().find(|sku| !known.contains_key(*sku)) {
        return Err(Refused::unknown(Noun::Item, missing, "sku"));
    }
    match row {
        ImportRow::Location(new) => new.read().map(drop),
        ImportRow::Stock { location, quantity, .. } => {
            if config.by_code(location).is_none() {
                return Err(Refused::unknown(Noun::Location, location, "location"));
            }
            if *quantity != 0 { limits::quantity("quantity", *quantity).map(drop) } else { Ok(()) }
        }
        ImportRow::Order(order) => order.lines.iter().try_for_each(|l| limits::quantity("quantity", l.quantity).map(drop)),
        _ => Ok(()),
    }
}
