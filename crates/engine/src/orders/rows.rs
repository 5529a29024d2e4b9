//! The rows of orders and all that belongs to them: how they are read and written.

use crate::db::{Ahead, Lookup, Row, Rows, Table, Type};
use domain::steps::{Progress, Status};

use Type::{Int, Text};

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
    columns: &[("id", Int), ("order_id", Int), ("location", Int), ("status", Text), ("day", Int), ("created_at", Int), ("placed_at", Int)],
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
            fulfillments.0.extend([
                f.id.into(),
                self.id.into(),
                f.location.into(),
                f.status.word().into(),
                f.day.into(),
                f.created_at.into(),
                self.placed_at.into(),
            ]);
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
    tx.ahead(&[&lookup, &LINES_BY_ORDER, &FULFILLMENTS_BY_ORDER].map(|lookup| Ahead::Ids(lookup, ids, &[])));
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
    tx.ahead(&[&LINES_BY_FULFILLMENT, &SHIPMENTS_BY_FULFILLMENT].map(|lookup| Ahead::Ids(lookup, &ids, &[])));
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
