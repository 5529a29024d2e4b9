//! What the engine keeps: items, reservations, orders, transfers, and how each is written and read.

use crate::db::{Cell, Lookup, Row, Rows, Table, Type};
use domain::routing::Location;
use domain::steps::{Progress, Status};
use domain::stock::Level;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

use Type::{Hash, Int, Text};

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

pub const LEVEL_COLUMNS: &str = "item, location, available, reserved, committed, damaged, quality_control, safety_stock, incoming, entries, head";

pub const LEVELS: Table = Table {
    name: "levels",
    columns: &[
        ("item", Int),
        ("location", Int),
        ("available", Int),
        ("reserved", Int),
        ("committed", Int),
        ("damaged", Int),
        ("quality_control", Int),
        ("safety_stock", Int),
        ("incoming", Int),
        ("entries", Int),
        ("head", Hash),
    ],
    key: "item, location",
};

/// (item, location, level)
pub fn read_level(row: &Row<'_>) -> (i64, i64, Level) {
    let balances = std::array::from_fn(|state| row.int(2 + state));
    (row.int(0), row.int(1), Level::from_parts(balances, row.int(9), row.hash(10)))
}

pub fn write_level(item: i64, location: i64, level: &Level, rows: &mut Rows) {
    rows.0.extend([item.into(), location.into()]);
    rows.0.extend(level.balances().iter().map(|b| Cell::Int(*b)));
    rows.0.extend([level.entries.into(), Cell::Hash(level.head)]);
}

pub const ENTRIES: Table = Table {
    name: "entries",
    columns: &[
        ("item", Int),
        ("location", Int),
        ("number", Int),
        ("at", Int),
        ("source", Int),
        ("target", Int),
        ("quantity", Int),
        ("cause", Text),
        ("document", Int),
        ("actor", Text),
        ("reason", Text),
        ("reference", Text),
        ("hash", Hash),
    ],
    key: "",
};

/// Units set aside at one location for a reservation: item, location, quantity.
pub type HeldLine = (i64, i64, i64);

#[derive(Debug, Clone)]
pub struct Reservation {
    pub id: i64,
    pub status: Status,
    pub channel: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    pub order: Option<i64>,
    pub lines: Vec<HeldLine>,
}

pub const RESERVATION_COLUMNS: &str = "id, status, channel, created_at, expires_at, order_id, lines";

pub const RESERVATIONS: Table = Table {
    name: "reservations",
    columns: &[("id", Int), ("status", Text), ("channel", Text), ("created_at", Int), ("expires_at", Int), ("order_id", Int), ("lines", Text)],
    key: "id",
};

pub const RESERVATIONS_BY_ID: Lookup = Lookup { columns: RESERVATION_COLUMNS, from: "reservations", key: "id", and: "", order: "id", lock: true };

impl Reservation {
    pub fn read(row: &Row<'_>) -> Reservation {
        Reservation {
            id: row.int(0),
            status: Status::parse(&row.text(1)).unwrap_or(Status::Released),
            channel: row.opt_text(2),
            created_at: row.int(3),
            expires_at: row.int(4),
            order: row.opt_int(5),
            lines: serde_json::from_str(&row.text(6)).unwrap_or_default(),
        }
    }

    pub fn write(&self, rows: &mut Rows) {
        let mut lines = String::with_capacity(16 * self.lines.len() + 2);
        for (n, (item, location, quantity)) in self.lines.iter().enumerate() {
            let open = if n == 0 { "[[" } else { ",[" };
            let _ = std::fmt::Write::write_fmt(&mut lines, format_args!("{open}{item},{location},{quantity}]"));
        }
        lines.push_str(if self.lines.is_empty() { "[]" } else { "]" });
        rows.0.extend([
            self.id.into(),
            self.status.word().into(),
            self.channel.clone().into(),
            self.created_at.into(),
            self.expires_at.into(),
            self.order.into(),
            lines.into(),
        ]);
    }
}

/// An order with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: i64,
    pub channel: String,
    pub reference: String,
    pub status: Status,
    pub customer: Option<String>,
    /// As it was given, as JSON.
    pub ship_to: String,
    pub currency: Option<String>,
    pub total_minor: i64,
    pub placed_at: i64,
    /// The hold that it came from, or that keeps its units while it is queued.
    pub reservation: Option<i64>,
    /// Why it was routed so, as JSON.
    pub decision: String,
    pub lines: Vec<OrderLine>,
    pub fulfillments: Vec<Fulfillment>,
}

/// Units of one plain item that an order line asks for; a line for a kit has one of these for each component.
#[derive(Debug, Clone)]
pub struct OrderLine {
    pub line: i64,
    pub item: i64,
    pub kit: Option<i64>,
    pub per_kit: i64,
    pub quantity: i64,
    pub unit_price_minor: Option<i64>,
    pub canceled: i64,
    pub backordered: i64,
    pub shipped: i64,
    pub returned: i64,
}

/// What one location sends for one order.
#[derive(Debug, Clone)]
pub struct Fulfillment {
    pub id: i64,
    pub location: i64,
    pub status: Status,
    /// Days since 1970 UTC on which it takes up capacity.
    pub day: i64,
    pub created_at: i64,
    pub lines: Vec<FulfillmentLine>,
    pub shipments: Vec<Shipment>,
}

#[derive(Debug, Clone)]
pub struct FulfillmentLine {
    pub line: i64,
    pub item: i64,
    pub quantity: i64,
    pub shipped: i64,
    pub canceled: i64,
}

impl FulfillmentLine {
    /// Units committed and not shipped.
    pub fn open(&self) -> i64 {
        self.quantity - self.shipped - self.canceled
    }
}

#[derive(Debug, Clone)]
pub struct Shipment {
    pub id: i64,
    pub shipped_at: i64,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    /// (item, units) as JSON
    pub lines: String,
    pub is_new: bool,
}

pub const ORDER_COLUMNS: &str = "id, channel, reference, status, customer, ship_to, currency, total_minor, placed_at, reservation, decision";

pub const ORDERS: Table = Table {
    name: "orders",
    columns: &[
        ("id", Int),
        ("channel", Text),
        ("reference", Text),
        ("status", Text),
        ("customer", Text),
        ("ship_to", Text),
        ("currency", Text),
        ("total_minor", Int),
        ("placed_at", Int),
        ("reservation", Int),
        ("decision", Text),
    ],
    key: "id",
};

pub const ORDER_LINES: Table = Table {
    name: "order_lines",
    columns: &[
        ("order_id", Int),
        ("line", Int),
        ("item", Int),
        ("kit", Int),
        ("per_kit", Int),
        ("quantity", Int),
        ("unit_price_minor", Int),
        ("canceled", Int),
        ("backordered", Int),
        ("shipped", Int),
        ("returned", Int),
    ],
    key: "order_id, line, item",
};

pub const FULFILLMENTS: Table = Table {
    name: "fulfillments",
    columns: &[("id", Int), ("order_id", Int), ("location", Int), ("status", Text), ("day", Int), ("created_at", Int)],
    key: "id",
};

pub const FULFILLMENT_LINES: Table = Table {
    name: "fulfillment_lines",
    columns: &[("fulfillment", Int), ("line", Int), ("item", Int), ("quantity", Int), ("shipped", Int), ("canceled", Int)],
    key: "fulfillment, line, item",
};

pub const SHIPMENTS: Table = Table {
    name: "shipments",
    columns: &[("id", Int), ("fulfillment", Int), ("shipped_at", Int), ("carrier", Text), ("tracking_number", Text), ("lines", Text)],
    key: "",
};

pub const ORDERS_BY_ID: Lookup = Lookup { columns: ORDER_COLUMNS, from: "orders", key: "id", and: "", order: "id", lock: true };
pub const ORDERS_BY_REFERENCE: Lookup =
    Lookup { columns: "id, channel, reference", from: "orders", key: "reference", and: "", order: "reference", lock: false };
pub const LINES_BY_ORDER: Lookup = Lookup {
    columns: "order_id, line, item, kit, per_kit, quantity, unit_price_minor, canceled, backordered, shipped, returned",
    from: "order_lines",
    key: "order_id",
    and: "",
    order: "order_id, line, item",
    lock: false,
};
pub const FULFILLMENTS_BY_ORDER: Lookup = Lookup {
    columns: "order_id, id, location, status, day, created_at",
    from: "fulfillments",
    key: "order_id",
    and: "",
    order: "order_id, id",
    lock: false,
};
pub const LINES_BY_FULFILLMENT: Lookup = Lookup {
    columns: "fulfillment, line, item, quantity, shipped, canceled",
    from: "fulfillment_lines",
    key: "fulfillment",
    and: "",
    order: "fulfillment, line, item",
    lock: false,
};
pub const SHIPMENTS_BY_FULFILLMENT: Lookup = Lookup {
    columns: "fulfillment, id, shipped_at, carrier, tracking_number, lines",
    from: "shipments",
    key: "fulfillment",
    and: "",
    order: "fulfillment, id",
    lock: false,
};
pub const ORDER_OF_FULFILLMENT: Lookup = Lookup { columns: "id, order_id", from: "fulfillments", key: "id", and: "", order: "id", lock: false };

impl Order {
    /// An order without its lines and fulfillments.
    pub fn read(row: &Row<'_>) -> Order {
        Order {
            id: row.int(0),
            channel: row.text(1),
            reference: row.text(2),
            status: Status::parse(&row.text(3)).unwrap_or(Status::Open),
            customer: row.opt_text(4),
            ship_to: row.text(5),
            currency: row.opt_text(6),
            total_minor: row.int(7),
            placed_at: row.int(8),
            reservation: row.opt_int(9),
            decision: row.text(10),
            lines: Vec::new(),
            fulfillments: Vec::new(),
        }
    }

    /// Brings the statuses of the order and its fulfillments in line with their units.
    pub fn refresh_status(&mut self) {
        for fulfillment in &mut self.fulfillments {
            fulfillment.status = fulfillment.progress().status();
        }
        self.status = self.progress().status();
    }

    pub fn progress(&self) -> Progress {
        self.lines.iter().fold(Progress::default(), |p, l| Progress {
            ordered: p.ordered + l.quantity,
            canceled: p.canceled + l.canceled,
            shipped: p.shipped + l.shipped,
            backordered: p.backordered + l.backordered,
        })
    }

    pub fn line_mut(&mut self, line: i64, item: i64) -> Option<&mut OrderLine> {
        self.lines.iter_mut().find(|l| l.line == line && l.item == item)
    }

    /// Writes the order and all that belongs to it into the five tables, in the order of [`ORDER_TABLES`].
    pub fn write(&self, [orders, lines, fulfillments, fulfillment_lines, shipments]: &mut [Rows; 5]) {
        orders.0.extend([
            self.id.into(),
            self.channel.clone().into(),
            self.reference.clone().into(),
            self.status.word().into(),
            self.customer.clone().into(),
            self.ship_to.clone().into(),
            self.currency.clone().into(),
            self.total_minor.into(),
            self.placed_at.into(),
            self.reservation.into(),
            self.decision.clone().into(),
        ]);
        for l in &self.lines {
            lines.0.extend([
                self.id.into(),
                l.line.into(),
                l.item.into(),
                l.kit.into(),
                l.per_kit.into(),
                l.quantity.into(),
                l.unit_price_minor.into(),
                l.canceled.into(),
                l.backordered.into(),
                l.shipped.into(),
                l.returned.into(),
            ]);
        }
        for f in &self.fulfillments {
            fulfillments.0.extend([f.id.into(), self.id.into(), f.location.into(), f.status.word().into(), f.day.into(), f.created_at.into()]);
            for l in &f.lines {
                fulfillment_lines.0.extend([f.id.into(), l.line.into(), l.item.into(), l.quantity.into(), l.shipped.into(), l.canceled.into()]);
            }
            for s in f.shipments.iter().filter(|s| s.is_new) {
                shipments.0.extend([
                    s.id.into(),
                    f.id.into(),
                    s.shipped_at.into(),
                    s.carrier.clone().into(),
                    s.tracking_number.clone().into(),
                    s.lines.clone().into(),
                ]);
            }
        }
    }
}

pub const ORDER_TABLES: [&Table; 5] = [&ORDERS, &ORDER_LINES, &FULFILLMENTS, &FULFILLMENT_LINES, &SHIPMENTS];

impl Fulfillment {
    pub fn progress(&self) -> Progress {
        self.lines.iter().fold(Progress::default(), |p, l| Progress {
            ordered: p.ordered + l.quantity,
            canceled: p.canceled + l.canceled,
            shipped: p.shipped + l.shipped,
            backordered: 0,
        })
    }
}

/// Reads orders with everything that belongs to them. `lock` holds them until the transaction ends; `ids` are sorted.
pub fn read_orders(tx: &mut crate::db::Tx<'_>, ids: &[i64], lock: bool) -> crate::db::Result<Vec<Order>> {
    let lookup = Lookup { lock, ..ORDERS_BY_ID };
    let mut orders = tx.by_ids(&lookup, ids, &[], Order::read)?;
    if orders.is_empty() {
        return Ok(orders);
    }
    let place: std::collections::HashMap<i64, usize> = orders.iter().enumerate().map(|(n, o)| (o.id, n)).collect();
    let lines = tx.by_ids(&LINES_BY_ORDER, ids, &[], |row| {
        let line = OrderLine {
            line: row.int(1),
            item: row.int(2),
            kit: row.opt_int(3),
            per_kit: row.int(4),
            quantity: row.int(5),
            unit_price_minor: row.opt_int(6),
            canceled: row.int(7),
            backordered: row.int(8),
            shipped: row.int(9),
            returned: row.int(10),
        };
        (row.int(0), line)
    })?;
    for (order, line) in lines {
        orders[place[&order]].lines.push(line);
    }
    let fulfillments = tx.by_ids(&FULFILLMENTS_BY_ORDER, ids, &[], |row| {
        let fulfillment = Fulfillment {
            id: row.int(1),
            location: row.int(2),
            status: Status::parse(&row.text(3)).unwrap_or(Status::Open),
            day: row.int(4),
            created_at: row.int(5),
            lines: Vec::new(),
            shipments: Vec::new(),
        };
        (row.int(0), fulfillment)
    })?;
    let mut home = std::collections::HashMap::new();
    for (order, fulfillment) in fulfillments {
        let order = place[&order];
        home.insert(fulfillment.id, (order, orders[order].fulfillments.len()));
        orders[order].fulfillments.push(fulfillment);
    }
    let mut ids: Vec<i64> = home.keys().copied().collect();
    ids.sort_unstable();
    let lines = tx.by_ids(&LINES_BY_FULFILLMENT, &ids, &[], |row| {
        let line = FulfillmentLine { line: row.int(1), item: row.int(2), quantity: row.int(3), shipped: row.int(4), canceled: row.int(5) };
        (row.int(0), line)
    })?;
    for (fulfillment, line) in lines {
        let (order, n) = home[&fulfillment];
        orders[order].fulfillments[n].lines.push(line);
    }
    let shipments = tx.by_ids(&SHIPMENTS_BY_FULFILLMENT, &ids, &[], |row| {
        let shipment = Shipment {
            id: row.int(1),
            shipped_at: row.int(2),
            carrier: row.opt_text(3),
            tracking_number: row.opt_text(4),
            lines: row.text(5),
            is_new: false,
        };
        (row.int(0), shipment)
    })?;
    for (fulfillment, shipment) in shipments {
        let (order, n) = home[&fulfillment];
        orders[order].fulfillments[n].shipments.push(shipment);
    }
    Ok(orders)
}

#[derive(Debug, Clone)]
pub struct Transfer {
    pub id: i64,
    pub source: i64,
    pub target: i64,
    pub status: Status,
    pub reference: Option<String>,
    pub created_at: i64,
    pub lines: Vec<TransferLine>,
}

#[derive(Debug, Clone)]
pub struct TransferLine {
    pub item: i64,
    pub quantity: i64,
    pub received: i64,
    pub lost: i64,
}

pub const TRANSFERS: Table = Table {
    name: "transfers",
    columns: &[("id", Int), ("source", Int), ("target", Int), ("status", Text), ("reference", Text), ("created_at", Int)],
    key: "id",
};

pub const TRANSFER_LINES: Table = Table {
    name: "transfer_lines",
    columns: &[("transfer", Int), ("item", Int), ("quantity", Int), ("received", Int), ("lost", Int)],
    key: "transfer, item",
};

pub const TRANSFERS_BY_ID: Lookup =
    Lookup { columns: "id, source, target, status, reference, created_at", from: "transfers", key: "id", and: "", order: "id", lock: true };

pub const LINES_BY_TRANSFER: Lookup = Lookup {
    columns: "transfer, item, quantity, received, lost",
    from: "transfer_lines",
    key: "transfer",
    and: "",
    order: "transfer, item",
    lock: false,
};

/// Reads transfers with their lines; `ids` are sorted.
pub fn read_transfers(tx: &mut crate::db::Tx<'_>, ids: &[i64], lock: bool) -> crate::db::Result<Vec<Transfer>> {
    let lookup = Lookup { lock, ..TRANSFERS_BY_ID };
    let mut transfers = tx.by_ids(&lookup, ids, &[], |row| Transfer {
        id: row.int(0),
        source: row.int(1),
        target: row.int(2),
        status: Status::parse(&row.text(3)).unwrap_or(Status::InTransit),
        reference: row.opt_text(4),
        created_at: row.int(5),
        lines: Vec::new(),
    })?;
    let lines = tx.by_ids(&LINES_BY_TRANSFER, ids, &[], |row| {
        (row.int(0), TransferLine { item: row.int(1), quantity: row.int(2), received: row.int(3), lost: row.int(4) })
    })?;
    for (id, line) in lines {
        if let Some(transfer) = transfers.iter_mut().find(|t| t.id == id) {
            transfer.lines.push(line);
        }
    }
    Ok(transfers)
}

impl Transfer {
    pub fn write(&self, [transfers, lines]: &mut [Rows; 2]) {
        transfers.0.extend([
            self.id.into(),
            self.source.into(),
            self.target.into(),
            self.status.word().into(),
            self.reference.clone().into(),
            self.created_at.into(),
        ]);
        for l in &self.lines {
            lines.0.extend([self.id.into(), l.item.into(), l.quantity.into(), l.received.into(), l.lost.into()]);
        }
    }
}

pub const EVENTS: Table =
    Table { name: "events", columns: &[("seq", Int), ("at", Int), ("kind", Text), ("subject", Int), ("actor", Text), ("data", Text)], key: "" };

pub const IDEMPOTENCY: Table =
    Table { name: "idempotency", columns: &[("key", Text), ("request", Hash), ("status", Int), ("answer", Text), ("at", Int)], key: "" };

pub const CAPACITY: Table =
    Table { name: "capacity", columns: &[("location", Int), ("day", Int), ("used", Int), ("most", Int)], key: "location, day" };

pub const POSTAL_CODES: Table = Table { name: "postal_codes", columns: &[("code", Text), ("latitude", Int), ("longitude", Int)], key: "code" };

pub const IMPORTS: Table = Table {
    name: "imports",
    columns: &[
        ("key", Text),
        ("kind", Text),
        ("rows_done", Int),
        ("accepted", Int),
        ("rejected", Int),
        ("digest", Hash),
        ("errors", Text),
        ("finished", Int),
        ("at", Int),
    ],
    key: "key",
};

pub const RULE_SETS: Table =
    Table { name: "rule_sets", columns: &[("id", Int), ("name", Text), ("rules", Text), ("active", Int), ("created_at", Int)], key: "id" };

/// Every table that is written in bulk: for the test that prepares all statements.
pub const TABLES: &[&Table] = &[
    &ITEMS,
    &KIT_COMPONENTS,
    &LOCATIONS,
    &LEVELS,
    &ENTRIES,
    &RESERVATIONS,
    &ORDERS,
    &ORDER_LINES,
    &FULFILLMENTS,
    &FULFILLMENT_LINES,
    &SHIPMENTS,
    &TRANSFERS,
    &TRANSFER_LINES,
    &EVENTS,
    &IDEMPOTENCY,
    &CAPACITY,
    &POSTAL_CODES,
    &IMPORTS,
    &RULE_SETS,
];
