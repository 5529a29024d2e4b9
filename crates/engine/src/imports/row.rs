//! Reads one row of a file as what it stands for. Not here: whether that can be done (`imports.rs` asks the operations).

use super::{ImportRow, Kind};
use crate::catalog::items::NewItem;
use crate::catalog::locations::NewLocation;
use crate::catalog::rows::WhenShort;
use crate::orders::place::{PlaceLine, PlaceOrder, ShipTo};
use crate::stock::SkuLine;
use crate::views::Amount;
use connectors::csv::Record;
use domain::Refused;
use domain::money::Money;
use std::borrow::Cow;

pub(super) type Fault = (String, Refused);

/// A number with a point, as spreadsheets of other countries write it with a comma: `6,90`, `1.234,50`. A comma before three digits may
/// part thousands as well, and stays for a refusal, but for `many` decimals.
fn pointed(text: &str, many: bool) -> Cow<'_, str> {
    match text.rsplit_once(',') {
        Some((whole, part)) if !whole.contains(',') && !part.contains('.') && (many || (1..=2).contains(&part.len())) => {
            Cow::Owned(format!("{}.{part}", whole.replace('.', "")))
        }
        _ => Cow::Borrowed(text),
    }
}

fn whole(record: &Record<'_>, column: &str) -> Result<Option<i64>, Fault> {
    match record.get(column) {
        "" => Ok(None),
        // Spreadsheets write whole numbers as 6.0.
        text => domain::money::decimal(&pointed(text, false), 0).map(Some).ok_or_else(|| {
            let is_whole = text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit());
            let why = if is_whole { "is too large a number".into() } else { format!("must be a whole number, is “{text}”") };
            (column.to_owned(), Refused::invalid(column, why))
        }),
    }
}

fn number(record: &Record<'_>, column: &str) -> Result<Option<f64>, Fault> {
    match record.get(column) {
        "" => Ok(None),
        text => {
            pointed(text, true).parse().map(Some).map_err(|_| (column.to_owned(), Refused::invalid(column, format!("must be a number, is “{text}”"))))
        }
    }
}

fn text(record: &Record<'_>, column: &str) -> Option<String> {
    Some(record.get(column)).filter(|t| !t.is_empty()).map(str::to_owned)
}

fn must(record: &Record<'_>, column: &str) -> Result<String, Fault> {
    text(record, column).ok_or_else(|| (column.to_owned(), Refused::invalid(column, "must not be empty")))
}

fn price(record: &Record<'_>, column: &str) -> Result<Option<Amount>, Fault> {
    let Some(text) = text(record, column) else { return Ok(None) };
    let (amount, currency) = (pointed(&text, false).into_owned(), record.get("currency").to_owned());
    let read = Money::parse(column, &amount, &currency);
    let at = |refused: &Refused| if refused.field().is_some_and(|f| f.ends_with(".currency")) { "currency" } else { column }.to_owned();
    read.map_err(|refused| (at(&refused), refused))?;
    Ok(Some(Amount { amount, currency }))
}

/// What a row says, or which column of it cannot be read and why.
pub(super) fn parse(kind: Kind, record: &Record<'_>) -> Result<ImportRow, Fault> {
    Ok(match kind {
        Kind::Items => ImportRow::Item(NewItem {
            sku: must(record, "sku")?,
            name: must(record, "name")?,
            barcode: text(record, "barcode"),
            price: price(record, "price")?,
            weight_grams: whole(record, "weight_grams")?,
            length_mm: whole(record, "length_mm")?,
            width_mm: whole(record, "width_mm")?,
            height_mm: whole(record, "height_mm")?,
            when_short: match record.get("when_short") {
                "" => WhenShort::Deny,
                word => WhenShort::parse(word)
                    .ok_or_else(|| ("when_short".to_owned(), Refused::invalid("when_short", "must be deny, partial, backorder or preorder")))?,
            },
            available_from: text(record, "available_from"),
            components: components(record.get("components"))?,
        }),
        Kind::Locations => ImportRow::Location(NewLocation {
            code: must(record, "code")?,
            name: must(record, "name")?,
            kind: must(record, "kind")?,
            country: must(record, "country")?,
            postal_code: text(record, "postal_code"),
            latitude: number(record, "latitude")?,
            longitude: number(record, "longitude")?,
            daily_capacity: whole(record, "daily_capacity")?,
            cost_per_unit: whole(record, "cost_per_unit")?,
        }),
        Kind::Stock => ImportRow::Stock {
            sku: must(record, "sku")?,
            location: must(record, "location")?,
            quantity: whole(record, "quantity")?.ok_or_else(|| ("quantity".to_owned(), Refused::invalid("quantity", "must not be empty")))?,
        },
        Kind::Orders => ImportRow::Order(Box::new(PlaceOrder {
            channel: must(record, "channel")?,
            reference: must(record, "reference")?,
            customer: text(record, "customer"),
            ship_to: ShipTo {
                country: must(record, "country")?,
                postal_code: text(record, "postal_code"),
                latitude: number(record, "latitude")?,
                longitude: number(record, "longitude")?,
                ..ShipTo::default()
            },
            lines: vec![PlaceLine {
                sku: must(record, "sku")?,
                quantity: whole(record, "quantity")?.unwrap_or(0),
                unit_price: price(record, "unit_price")?,
                pack: 1,
            }],
            reservation: None,
            backorder: false,
        })),
        Kind::PostalCodes => ImportRow::PostalCode {
            country: must(record, "country")?,
            postal_code: must(record, "postal_code")?,
            latitude: number(record, "latitude")?.unwrap_or(f64::NAN),
            longitude: number(record, "longitude")?.unwrap_or(f64::NAN),
        },
    })
}

/// Reads `SKU*2;OTHER` as components of a kit.
fn components(text: &str) -> Result<Vec<SkuLine>, Fault> {
    text.split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (sku, quantity) = part.rsplit_once('*').unwrap_or((part, "1"));
            let quantity = quantity.trim().parse();
            let quantity = quantity.map_err(|_| ("components".to_owned(), Refused::invalid("components", "must read like SKU*2;OTHER")))?;
            Ok(SkuLine { sku: sku.trim().to_owned(), quantity })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::pointed;

    #[test]
    fn commas_of_other_countries() {
        for (text, many, expected) in [
            ("6.90", false, "6.90"),
            ("6,90", false, "6.90"),
            ("6,9", false, "6.9"),
            ("1.234,50", false, "1234.50"),
            ("1,234", false, "1,234"),
            ("1,234.50", false, "1,234.50"),
            ("1,2,3", false, "1,2,3"),
            ("51,5074", true, "51.5074"),
            ("", true, ""),
        ] {
            assert_eq!(pointed(text, many), expected, "{text}");
        }
    }
}
