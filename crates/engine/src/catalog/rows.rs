//! The rows of items, kits, locations and postal codes: how they are read and written.

use crate::db::{Lookup, Row, Rows, Table, Type};
use domain::routing::Location;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

use Type::{Int, Text};

/// What to do when more is ordered than can be promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenShort {
    /// Refuse the whole order.
    #[default]
    Deny,
    /// Accept what there is, cancel the rest of the line.
    Partial,
    /// Accept all; what is missing waits for stock to arrive.
    Backorder,
    /// As backorder, but nothing is sent before the item's `available_from`.
    Preorder,
}

impl WhenShort {
    pub fn word(self) -> &'static str {
        match self {
            WhenShort::Deny => "deny",
            WhenShort::Partial => "partial",
            WhenShort::Backorder => "backorder",
            WhenShort::Preorder => "preorder",
        }
    }

    pub fn parse(word: &str) -> Option<WhenShort> {
        [WhenShort::Deny, WhenShort::Partial, WhenShort::Backorder, WhenShort::Preorder].into_iter().find(|w| w.word() == word)
    }
}

/// Something that is sold. A kit has components and no stock of its own.
#[derive(Debug, Clone)]
pub struct Item {
    pub id: i64,
    pub sku: Arc<str>,
    pub name: String,
    pub barcode: Option<String>,
    pub price_minor: Option<i64>,
    pub currency: Option<String>,
    pub weight_grams: Option<i64>,
    pub length_mm: Option<i64>,
    pub width_mm: Option<i64>,
    pub height_mm: Option<i64>,
    pub when_short: WhenShort,
    pub available_from: Option<i64>,
    pub is_kit: bool,
    pub active: bool,
    pub created_at: i64,
    /// (component item, units of it in one kit)
    pub components: Vec<(i64, i64)>,
}

pub const ITEM_COLUMNS: &str = "id, sku, name, barcode, price_minor, currency, weight_grams, length_mm, width_mm, height_mm, when_short, available_from, is_kit, active, created_at";

pub const ITEMS: Table = Table {
    name: "items",
    columns: &[
        ("id", Int),
        ("sku", Text),
        ("name", Text),
        ("barcode", Text),
        ("price_minor", Int),
        ("currency", Text),
        ("weight_grams", Int),
        ("length_mm", Int),
        ("width_mm", Int),
        ("height_mm", Int),
        ("when_short", Text),
        ("available_from", Int),
        ("is_kit", Int),
        ("active", Int),
        ("created_at", Int),
    ],
    key: "id",
};

pub const KIT_COMPONENTS: Table =
    Table { name: "kit_components", columns: &[("kit", Int), ("component", Int), ("quantity", Int)], key: "kit, component" };

pub const ITEMS_BY_SKU: Lookup = Lookup { columns: ITEM_COLUMNS, from: "items", key: "sku", and: "", order: "sku", lock: false };

pub const ITEMS_BY_ID: Lookup = Lookup { columns: ITEM_COLUMNS, from: "items", key: "id", and: "", order: "id", lock: false };

pub const COMPONENTS_BY_KIT: Lookup =
    Lookup { columns: "kit, component, quantity", from: "kit_components", key: "kit", and: "", order: "kit, component", lock: false };

impl Item {
    pub fn read(row: &Row<'_>) -> Item {
        Item {
            id: row.int(0),
            sku: row.text(1).into(),
            name: row.text(2),
            barcode: row.opt_text(3),
            price_minor: row.opt_int(4),
            currency: row.opt_text(5),
            weight_grams: row.opt_int(6),
            length_mm: row.opt_int(7),
            width_mm: row.opt_int(8),
            height_mm: row.opt_int(9),
            when_short: WhenShort::parse(&row.text(10)).unwrap_or_default(),
            available_from: row.opt_int(11),
            is_kit: row.flag(12),
            active: row.flag(13),
            created_at: row.int(14),
            components: Vec::new(),
        }
    }

    /// Writes the item and its components.
    pub fn write(&self, [rows, components]: &mut [Rows; 2]) {
        for (component, quantity) in &self.components {
            components.0.extend([self.id.into(), (*component).into(), (*quantity).into()]);
        }
        rows.0.extend([
            self.id.into(),
            self.sku.clone().into(),
            self.name.clone().into(),
            self.barcode.clone().into(),
            self.price_minor.into(),
            self.currency.clone().into(),
            self.weight_grams.into(),
            self.length_mm.into(),
            self.width_mm.into(),
            self.height_mm.into(),
            self.when_short.word().into(),
            self.available_from.into(),
            self.is_kit.into(),
            self.active.into(),
            self.created_at.into(),
        ]);
    }
}

pub const LOCATION_COLUMNS: &str =
    "id, code, name, kind, country, postal_code, latitude, longitude, daily_capacity, cost_per_unit, active, created_at";

pub const LOCATIONS: Table = Table {
    name: "locations",
    columns: &[
        ("id", Int),
        ("code", Text),
        ("name", Text),
        ("kind", Text),
        ("country", Text),
        ("postal_code", Text),
        ("latitude", Int),
        ("longitude", Int),
        ("daily_capacity", Int),
        ("cost_per_unit", Int),
        ("active", Int),
        ("created_at", Int),
    ],
    key: "id",
};

pub const LOCATIONS_BY_CODE: Lookup = Lookup { columns: LOCATION_COLUMNS, from: "locations", key: "code", and: "", order: "code", lock: false };

const KINDS: [(domain::routing::Kind, &str); 4] = [
    (domain::routing::Kind::Warehouse, "warehouse"),
    (domain::routing::Kind::Store, "store"),
    (domain::routing::Kind::ThirdParty, "third_party"),
    (domain::routing::Kind::DarkStore, "dark_store"),
];

pub fn kind_word(kind: domain::routing::Kind) -> &'static str {
    KINDS.iter().find(|(k, _)| *k == kind).map_or("warehouse", |(_, word)| word)
}

pub fn parse_kind(word: &str) -> Option<domain::routing::Kind> {
    KINDS.iter().find(|(_, w)| *w == word).map(|(kind, _)| *kind)
}

/// A coordinate of degrees as it is stored: millionths, rounded.
pub fn micro(degrees: f64) -> i64 {
    (degrees * 1e6).round() as i64
}

pub fn point(latitude: Option<i64>, longitude: Option<i64>) -> Option<domain::geo::Point> {
    domain::geo::Point::new(latitude? as f64 / 1e6, longitude? as f64 / 1e6)
}

pub fn read_location(row: &Row<'_>) -> Location {
    Location {
        id: row.int(0),
        code: row.text(1),
        name: row.text(2),
        kind: parse_kind(&row.text(3)).unwrap_or(domain::routing::Kind::Warehouse),
        country: row.text(4),
        postal_code: row.opt_text(5),
        point: point(row.opt_int(6), row.opt_int(7)),
        daily_capacity: row.opt_int(8),
        cost_per_unit: row.int(9),
        active: row.flag(10),
    }
}

pub fn write_location(location: &Location, created_at: i64, rows: &mut Rows) {
    rows.0.extend([
        location.id.into(),
        location.code.clone().into(),
        location.name.clone().into(),
        kind_word(location.kind).into(),
        location.country.clone().into(),
        location.postal_code.clone().into(),
        location.point.map(|p| micro(p.latitude)).into(),
        location.point.map(|p| micro(p.longitude)).into(),
        location.daily_capacity.into(),
        location.cost_per_unit.into(),
        location.active.into(),
        created_at.into(),
    ]);
}

pub const POSTAL_CODES: Table = Table { name: "postal_codes", columns: &[("code", Text), ("latitude", Int), ("longitude", Int)], key: "code" };
