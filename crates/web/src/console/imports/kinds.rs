//! What a file of each kind looks like: its columns in words, and a template to begin with.

use crate::console::viewer::Viewer;
use engine::imports::Kind;
use maud::{Markup, html};

/// What a kind is called.
pub fn name(v: &Viewer, kind: Kind) -> &'static str {
    v.t(match kind {
        Kind::Items => "Items",
        Kind::Locations => "Locations",
        Kind::Stock => "Stock",
        Kind::Orders => "Orders",
        Kind::PostalCodes => "Postal codes",
    })
}

/// What importing it does.
pub fn about(v: &Viewer, kind: Kind) -> &'static str {
    v.t(match kind {
        Kind::Items => "Creates items, and changes those that are there already, by their SKU.",
        Kind::Locations => "Creates locations, and changes those that are there already, by their code.",
        Kind::Stock => "Says how much is free to sell: each row sets an item's available units at a location. Units that are promised, held or damaged come on top: of 100 counted, 30 of them promised, the file says 70.",
        Kind::Orders => "Places orders. Rows that follow one another with the same channel and reference are lines of one order.",
        Kind::PostalCodes => "Says where postal codes lie, so that distances are known for orders without coordinates.",
    })
}

/// A file to begin with: the header, and a row or two as they may look.
pub fn template(kind: Kind) -> &'static str {
    match kind {
        Kind::Items => {
            "sku,name,barcode,price,currency,weight_grams,length_mm,width_mm,height_mm,when_short,available_from,components\r\nMUG-WHITE,White mug,5012345678900,7.50,GBP,340,120,90,95,deny,,\r\nSET-2,Breakfast for two,,14.00,GBP,,,,,deny,,MUG-WHITE*2\r\n"
        }
        Kind::Locations => {
            "code,name,kind,country,postal_code,latitude,longitude,daily_capacity,cost_per_unit\r\nLON-1,London,warehouse,GB,E16 2RD,51.5074,-0.1278,400,250000\r\n"
        }
        Kind::Stock => "sku,location,quantity\r\nMUG-WHITE,LON-1,120\r\n",
        Kind::Orders => {
            "channel,reference,country,postal_code,customer,sku,quantity,unit_price,currency\r\nweb,1001,GB,LS1 4AP,ada@example.com,MUG-WHITE,2,7.50,GBP\r\nweb,1001,GB,LS1 4AP,ada@example.com,SET-2,1,14.00,GBP\r\n"
        }
        Kind::PostalCodes => "country,postal_code,latitude,longitude\r\nGB,E16 2RD,51.5074,0.0278\r\n",
    }
}

fn column(v: &Viewer, kind: Kind, column: &str) -> &'static str {
    v.t(match (kind, column) {
        (Kind::Items, "sku") => "Its name for people and programs; it never changes.",
        (Kind::Stock | Kind::Orders, "sku") => "Of an item that is there.",
        (Kind::Items, "components") => "Makes it a kit: SKU*2;OTHER.",
        (Kind::Items, "when_short") => "When more is ordered than there is: deny, partial, backorder or preorder.",
        (Kind::Items, "available_from") => "For pre-orders: nothing is sent before, such as 2026-12-24T09:00:00Z.",
        (Kind::Locations, "kind") => "warehouse, store, third_party or dark_store.",
        (Kind::Locations, "code") => "Short, for people and programs; it never changes.",
        (Kind::Locations, "daily_capacity") => "Orders a day; empty is without limit.",
        (Kind::Locations, "cost_per_unit") => "Handling of one unit in millionths: 250000 is 0.25.",
        (Kind::Stock, "quantity") => "Available units after the import, without those that are promised or set aside.",
        (Kind::Stock, "location") => "The code of a location that is there.",
        (Kind::Stock, "reason") => "For your own use; it is not kept.",
        (Kind::Orders, "reference") => "The order's number on its channel.",
        (Kind::Orders, "quantity") => "Units ordered.",
        (Kind::Orders, "unit_price") => "Such as 7.50 or 7,50.",
        (Kind::Items, "price") => "Such as 7.50 or 7,50.",
        (_, "currency") => "Three letters, ISO 4217.",
        (_, "country") => "Two letters, ISO 3166-1.",
        (_, "latitude") => "Degrees, north is positive.",
        (_, "longitude") => "Degrees, east is positive.",
        (_, "name") => "As people read it.",
        (_, "barcode") => "EAN, UPC or your own.",
        (_, "weight_grams") => "A whole number.",
        (_, "length_mm" | "width_mm" | "height_mm") => "A whole number of millimeters.",
        (_, "postal_code") => "As it is written in its country.",
        (_, "channel") => "Where it was sold: web, till, a marketplace's code.",
        (_, "customer") => "Who bought it.",
        _ => "",
    })
}

/// The columns of a kind, those that must be there first.
pub fn columns(v: &Viewer, kind: Kind) -> Markup {
    let row = |name: &str, must: bool| {
        html! { tr data-key=(name) { th scope="row" { code { (name) } } td { @if must { span.tag.tag-accent { (v.t("Needed")) } } } td.wrap { (column(v, kind, name)) } } }
    };
    html! {
        div.table-wrap { table.table.table-tight.no-top {
            thead { tr { th scope="col" { (v.t("Column")) } th scope="col" { span.vh { (v.t("Needed")) } } th scope="col" { (v.t("What it holds")) } } }
            tbody { @for name in kind.required() { (row(name, true)) } @for name in kind.optional() { (row(name, false)) } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each template can be imported as it is, as far as its columns go.
    #[test]
    fn templates_have_known_columns() {
        for kind in Kind::ALL {
            let head = template(kind).split("\r\n").next().unwrap();
            let columns: Vec<&str> = head.split(',').collect();
            assert!(kind.required().iter().all(|c| columns.contains(c)), "{head}");
            assert!(columns.iter().all(|c| kind.required().contains(c) || kind.optional().contains(c)), "{head}");
            for line in template(kind).trim_end().split("\r\n") {
                assert_eq!(line.split(',').count(), columns.len(), "{line}");
            }
        }
    }
}
