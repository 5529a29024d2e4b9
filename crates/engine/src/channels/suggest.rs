//! Suggest: which item an unmapped listing may be. Only suggestions: a person says so, for a wrong mapping sells the wrong goods.

use super::rows::{LISTINGS_BY_ID, Listing};
use crate::Stop;
use crate::catalog::rows::{ITEM_COLUMNS, ITEMS_BY_SKU, Item};
use crate::db::{Lookup, Sql, Tx, Value};
use domain::{Noun, Refused};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// Most suggestions for one listing.
const MOST: usize = 5;

const BY_BARCODE: Sql = Sql(
    "SELECT id, sku, name, barcode, price_minor, currency, weight_grams, length_mm, width_mm, height_mm, when_short, available_from, is_kit, active, created_at FROM items WHERE barcode = $1 AND active = 1 ORDER BY id LIMIT 5",
);
const BY_PREFIX: Sql = Sql(
    "SELECT id, sku, name, barcode, price_minor, currency, weight_grams, length_mm, width_mm, height_mm, when_short, available_from, is_kit, active, created_at FROM items WHERE sku >= $1 AND sku < $2 AND active = 1 ORDER BY sku LIMIT 5",
);

const WITH_SKU: Sql =
    Sql("SELECT id, external, title, sku FROM listings WHERE channel = $1 AND item IS NULL AND sku IS NOT NULL AND id > $2 ORDER BY id LIMIT $3");

/// An item that a listing may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Suggestion {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub name: String,
    pub units_per_listing: i64,
    /// Why it may be that item, in words.
    pub why: String,
}

/// SKUs that somebody may have meant by this one, the likeliest first: (SKU, units of it, why).
fn guesses(sku: &str) -> Vec<(String, i64, &'static str)> {
    let mut found: Vec<(String, i64, &'static str)> = Vec::new();
    let spellings = |sku: &str| {
        let dashed: String = sku.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let bare: String = sku.chars().filter(|c| c.is_alphanumeric()).collect();
        let all = [sku.to_owned(), dashed, bare];
        all.iter().flat_map(|s| [s.clone(), s.to_uppercase(), s.to_lowercase()]).collect::<Vec<String>>()
    };
    found.extend(spellings(sku).into_iter().map(|s| (s, 1, "the same but for its spelling")));
    // LAMP-6, LAMP_6PK, LAMP x6, 6xLAMP: a pack of LAMP.
    if let Some((base, units)) = pack(sku) {
        found.extend(spellings(base).into_iter().map(|s| (s, units, "a pack of it, by its name")));
    }
    // What marketplaces append: AMZ-LAMP, LAMP-FBA.
    for (head, tail) in [sku.split_once(['-', '_', ' ']), sku.rsplit_once(['-', '_', ' '])].into_iter().flatten() {
        for part in [head, tail] {
            found.extend(spellings(part).into_iter().map(|s| (s, 1, "a part of its name")));
        }
    }
    found.retain(|(sku, ..)| !sku.is_empty());
    found
}

/// The SKU and the number in the name of a pack.
fn pack(sku: &str) -> Option<(&str, i64)> {
    let number = |text: &str| {
        let text = text.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
        let digits = text.trim_start_matches(['x']).trim_end_matches("pack").trim_end_matches("pcs").trim_end_matches("pk").trim_end_matches(['x']);
        digits.parse::<i64>().ok().filter(|n| (2..=10_000).contains(n))
    };
    let tail = sku.rsplit_once(['-', '_', ' ']);
    let head = sku.split_once(['x', 'X', '-', '_', ' ']).map(|(units, base)| (base, units));
    [tail, head].into_iter().flatten().find_map(|(base, units)| Some((base, number(units)?)))
}

/// What a listing may be, the likeliest first; nothing for one that is mapped.
pub fn suggest(tx: &mut Tx<'_>, id: i64) -> Result<Vec<Suggestion>, Stop> {
    debug_assert!(BY_BARCODE.0.contains(ITEM_COLUMNS) && BY_PREFIX.0.contains(ITEM_COLUMNS));
    let lookup = Lookup { lock: false, ..LISTINGS_BY_ID };
    let listing = tx.by_ids(&lookup, &[id], &[], Listing::read)?.pop().ok_or_else(|| Refused::unknown(Noun::Listing, id.to_string(), "id"))?;
    if listing.item.is_some() {
        return Ok(Vec::new());
    }
    by_names(tx, listing.sku.as_deref(), listing.barcode.as_deref(), &listing.external)
}

/// What something may be that a marketplace calls so, the likeliest first: also for a listing that was not read yet.
pub fn by_names(tx: &mut Tx<'_>, sku: Option<&str>, barcode: Option<&str>, external: &str) -> Result<Vec<Suggestion>, Stop> {
    let mut found: Vec<Suggestion> = Vec::new();
    let mut add = |item: &Item, units: i64, why: &str| {
        if item.active && found.len() < MOST && !found.iter().any(|s| s.sku == item.sku) {
            found.push(Suggestion { sku: item.sku.clone(), name: item.name.clone(), units_per_listing: units, why: why.to_owned() });
        }
    };
    if let Some(barcode) = barcode {
        tx.rows(BY_BARCODE, &[Value::Text(barcode)], Item::read)?.iter().for_each(|item| add(item, 1, "the same barcode"));
    }
    for sku in [sku, Some(external)].into_iter().flatten() {
        let guesses = guesses(sku);
        let mut names: Vec<&str> = guesses.iter().map(|(sku, ..)| sku.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let items: BTreeMap<Arc<str>, Item> = tx.by_names(&ITEMS_BY_SKU, &names, Item::read)?.into_iter().map(|i| (i.sku.clone(), i)).collect();
        for (sku, units, why) in &guesses {
            if let Some(item) = items.get(sku.as_str()) {
                add(item, *units, why);
            }
        }
    }
    if let Some(sku) = sku.filter(|s| s.chars().count() >= 3) {
        // Everything that begins with it: the last character is the highest that there is.
        let end = format!("{sku}\u{10FFFF}");
        tx.rows(BY_PREFIX, &[Value::Text(sku), Value::Text(&end)], Item::read)?.iter().for_each(|item| add(item, 1, "begins with the same"));
    }
    Ok(found)
}

/// A listing that is no item here yet, and the item of the same SKU.
#[derive(Debug, Clone)]
pub struct Alike {
    pub listing: i64,
    pub external: String,
    pub title: String,
    /// As the marketplace writes it, and as it is here.
    pub sku: String,
    pub item: Arc<str>,
    pub name: String,
    /// Whether both are written alike to the letter.
    pub exact: bool,
}

/// Unmapped listings of a channel whose SKU is an item's, whatever the case of its letters, of the next `limit` unmapped ones after a
/// listing; and the last one that was looked at, if there are more.
pub fn alike(tx: &mut Tx<'_>, channel: i64, after: i64, limit: usize) -> Result<(Vec<Alike>, Option<i64>), Stop> {
    let values = [Value::Int(channel), Value::Int(after), Value::Int(limit as i64)];
    let rows = tx.rows(WITH_SKU, &values, |r| (r.int(0), r.text(1), r.text(2), r.text(3)))?;
    let next = rows.last().map(|row| row.0).filter(|_| rows.len() == limit);
    let cases = |sku: &str| [sku.to_owned(), sku.to_uppercase(), sku.to_lowercase()];
    let spellings: BTreeSet<String> = rows.iter().flat_map(|(.., sku)| cases(sku)).collect();
    let names: Vec<&str> = spellings.iter().map(String::as_str).collect();
    let items: BTreeMap<Arc<str>, Item> = tx.by_names(&ITEMS_BY_SKU, &names, Item::read)?.into_iter().map(|i| (i.sku.clone(), i)).collect();
    let alike = rows.into_iter().filter_map(|(listing, external, title, sku)| {
        let item = cases(&sku).iter().find_map(|name| items.get(name.as_str()).filter(|i| i.active))?;
        let exact = *item.sku == *sku;
        Some(Alike { listing, external, title, sku, item: item.sku.clone(), name: item.name.clone(), exact })
    });
    Ok((alike.collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_read_from_names() {
        for (sku, told) in [
            ("LAMP-6", Some(("LAMP", 6))),
            ("LAMP_6PK", Some(("LAMP", 6))),
            ("LAMP x12", Some(("LAMP", 12))),
            ("6xLAMP", Some(("LAMP", 6))),
            ("RED-LAMP-6", Some(("RED-LAMP", 6))),
            ("LAMP", None),
            ("LAMP-1", None),
            ("85123A", None),
        ] {
            assert_eq!(pack(sku), told, "{sku}");
        }
    }

    #[test]
    fn spellings_come_before_parts() {
        let all = guesses("red lamp");
        assert_eq!((all[0].0.as_str(), all[0].1), ("red lamp", 1));
        assert!(all.iter().any(|(sku, ..)| sku == "RED-LAMP"));
        assert!(all.iter().position(|(sku, ..)| sku == "RED-LAMP") < all.iter().position(|(sku, ..)| sku == "lamp"));
    }
}
