//! The rows of channels, listings and the orders that marketplaces told: how they are read and written.

use crate::db::{Lookup, Row, Rows, Table, Type};
use connectors::marketplace::MarketOrder;
use domain::exposure::Exposure;
use domain::quota::{Demand, Policy, Why};
use std::sync::Arc;

use Type::{Int, Text};

/// A place that sells. Its secrets stay in the database until the transport asks for them.
#[derive(Debug, Clone)]
pub struct Channel {
    pub id: i64,
    pub code: Arc<str>,
    /// Which connector speaks with it.
    pub kind: String,
    pub name: String,
    pub address: String,
    /// Settings that are no secret, JSON.
    pub settings: String,
    /// No quantities are sent.
    pub paused: bool,
    /// Nothing is sold there for now: each listing is set to nothing, whatever its policy says.
    pub stopped: bool,
    pub policy: Policy,
    /// It compares what it shows before it takes a quantity.
    pub compares: bool,
    /// A canceled order puts its units back into what it shows.
    pub restocks: bool,
    /// How long after it was sent a write may still be applied, microseconds.
    pub late: i64,
    pub created_at: i64,
    /// The location that it stands for, if it is somebody else's warehouse; None for a place that sells.
    pub location: Option<i64>,
}

pub const CHANNELS: Table = Table {
    name: "channels",
    columns: &[
        ("id", Int),
        ("code", Text),
        ("kind", Text),
        ("name", Text),
        ("address", Text),
        ("settings", Text),
        ("secrets", Text),
        ("paused", Int),
        ("policy", Text),
        ("compares", Int),
        ("restocks", Int),
        ("late", Int),
        ("created_at", Int),
        ("location", Int),
        ("stopped", Int),
    ],
    key: "id",
};

pub const CHANNEL_COLUMNS: &str = "id, code, kind, name, address, settings, paused, policy, compares, restocks, late, created_at, location, stopped";

impl Channel {
    /// It stands for a contract with a business customer.
    pub fn is_contract(&self) -> bool {
        self.kind == crate::contracts::rows::KIND
    }

    pub fn read(row: &Row<'_>) -> Channel {
        Channel {
            id: row.int(0),
            code: row.text(1).into(),
            kind: row.text(2),
            name: row.text(3),
            address: row.text(4),
            settings: row.text(5),
            paused: row.flag(6),
            policy: serde_json::from_str(&row.text(7)).unwrap_or_default(),
            compares: row.flag(8),
            restocks: row.flag(9),
            late: row.int(10),
            created_at: row.int(11),
            location: row.opt_int(12),
            stopped: row.flag(13),
        }
    }

    pub fn write(&self, secrets: &str, rows: &mut Rows) {
        rows.0.extend([
            self.id.into(),
            self.code.clone().into(),
            self.kind.clone().into(),
            self.name.clone().into(),
            self.address.clone().into(),
            self.settings.clone().into(),
            secrets.to_owned().into(),
            self.paused.into(),
            serde_json::to_string(&self.policy).unwrap_or_default().into(),
            self.compares.into(),
            self.restocks.into(),
            self.late.into(),
            self.created_at.into(),
            self.location.into(),
            self.stopped.into(),
        ]);
    }
}

/// How far a channel has been read.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub channel: i64,
    /// Every order placed there before this has been counted.
    pub watermark: i64,
    /// Orders that changed since this are to be read next.
    pub orders_from: i64,
    pub drift_found: i64,
    pub drift_units: i64,
    pub oversold_units: i64,
}

pub const PROGRESS: Table = Table {
    name: "channel_progress",
    columns: &[("channel", Int), ("watermark", Int), ("orders_from", Int), ("drift_found", Int), ("drift_units", Int), ("oversold_units", Int)],
    key: "channel",
};

pub const PROGRESS_BY_CHANNEL: Lookup = Lookup {
    columns: "channel, watermark, orders_from, drift_found, drift_units, oversold_units",
    from: "channel_progress",
    key: "channel",
    and: "",
    order: "channel",
    lock: true,
};

impl Progress {
    pub fn read(row: &Row<'_>) -> Progress {
        Progress {
            channel: row.int(0),
            watermark: row.int(1),
            orders_from: row.int(2),
            drift_found: row.int(3),
            drift_units: row.int(4),
            oversold_units: row.int(5),
        }
    }

    pub fn write(&self, rows: &mut Rows) {
        let Progress { channel, watermark, orders_from, drift_found, drift_units, oversold_units } = *self;
        rows.0.extend([channel, watermark, orders_from, drift_found, drift_units, oversold_units].map(Into::into));
    }
}

/// An item on a channel.
#[derive(Debug, Clone)]
pub struct Listing {
    pub id: i64,
    /// 0 is our own shop and API: it lends nothing and is here for its demand.
    pub channel: i64,
    pub external: String,
    pub sku: Option<String>,
    pub title: String,
    pub item: Option<i64>,
    /// Units of the item in one listing unit.
    pub per: i64,
    pub policy: Option<Policy>,
    pub exposure: Exposure,
    pub demand: Demand,
    /// A write is wanted since then, and how urgently.
    pub due: Option<(i64, Why)>,
    pub fault: Option<String>,
    /// For our own shop: units that a sale wanted and did not find free, and when.
    pub missed: (i64, i64),
    pub barcode: Option<String>,
}

pub const LISTING_COLUMNS: &str = "id, channel, external, sku, title, item, per, policy, knowledge, demand_units, demand_at, due, urgency, due_at, fault, missed, missed_at, barcode";

pub const LISTINGS: Table = Table {
    name: "listings",
    columns: &[
        ("id", Int),
        ("channel", Int),
        ("external", Text),
        ("sku", Text),
        ("title", Text),
        ("item", Int),
        ("per", Int),
        ("policy", Text),
        ("exposure", Int),
        ("knowledge", Text),
        ("demand_units", Int),
        ("demand_at", Int),
        ("due", Int),
        ("urgency", Int),
        ("due_at", Int),
        ("settling", Int),
        ("writing", Int),
        ("unsure", Int),
        ("fault", Text),
        ("missed", Int),
        ("missed_at", Int),
        ("barcode", Text),
    ],
    key: "id",
};

pub const LISTINGS_BY_ID: Lookup = Lookup { columns: LISTING_COLUMNS, from: "listings", key: "id", and: "", order: "id", lock: true };
pub const LISTINGS_BY_EXTERNAL: Lookup =
    Lookup { columns: "id, channel, external", from: "listings", key: "external", and: "", order: "external, channel", lock: false };

pub const LISTING_ITEMS: Table = Table { name: "listing_items", columns: &[("item", Int), ("listing", Int), ("per", Int)], key: "item, listing" };
pub const LISTINGS_BY_ITEM: Lookup =
    Lookup { columns: "item, listing, per", from: "listing_items", key: "item", and: "", order: "item, listing", lock: false };

const URGENCIES: [Why; 5] = [Why::Overdrawn, Why::Stop, Why::Recall, Why::Empty, Why::Refill];

impl Listing {
    pub fn read(row: &Row<'_>) -> Listing {
        let urgency = URGENCIES.get(row.int(12) as usize).copied().unwrap_or(Why::Refill);
        Listing {
            id: row.int(0),
            channel: row.int(1),
            external: row.text(2),
            sku: row.opt_text(3),
            title: row.text(4),
            item: row.opt_int(5),
            per: row.int(6),
            policy: row.opt_text(7).and_then(|text| serde_json::from_str(&text).ok()),
            exposure: serde_json::from_str(&row.text(8)).unwrap_or_default(),
            demand: Demand::stored(row.int(9), row.int(10)),
            due: row.flag(11).then_some((row.int(13), urgency)),
            fault: row.opt_text(14),
            missed: (row.int(15), row.int(16)),
            barcode: row.opt_text(17),
        }
    }

    pub fn write(&self, rows: &mut Rows) {
        let (demand_units, demand_at) = self.demand.to_store();
        let (due_at, why) = self.due.unwrap_or((0, Why::Refill));
        rows.0.extend([
            self.id.into(),
            self.channel.into(),
            self.external.clone().into(),
            self.sku.clone().into(),
            self.title.clone().into(),
            self.item.into(),
            self.per.into(),
            self.policy.as_ref().map(|p| serde_json::to_string(p).unwrap_or_default()).into(),
            self.exposure.total().into(),
            serde_json::to_string(&self.exposure).unwrap_or_default().into(),
            demand_units.into(),
            demand_at.into(),
            self.due.is_some().into(),
            (URGENCIES.iter().position(|u| *u == why).unwrap_or(0) as i64).into(),
            due_at.into(),
            self.exposure.settles().into(),
            self.exposure.in_flight().is_some().into(),
            self.unsure().into(),
            self.fault.clone().into(),
            self.missed.0.into(),
            self.missed.1.into(),
            self.barcode.clone().into(),
        ]);
    }
}

impl Listing {
    /// One of which nothing is known yet.
    pub fn new(id: i64, channel: i64, external: String) -> Listing {
        Listing {
            id,
            channel,
            external,
            sku: None,
            title: String::new(),
            item: None,
            per: 1,
            policy: None,
            exposure: Exposure::default(),
            demand: Demand::default(),
            due: None,
            fault: None,
            missed: (0, 0),
            barcode: None,
        }
    }

    /// Whether what is shown should be read: a write may or may not have been applied, or something is lent that is not shown.
    fn unsure(&self) -> bool {
        if self.channel == super::quotas::OWN || self.item.is_none() {
            return false;
        }
        let waits = self.exposure.in_flight().is_some_and(|w| w.accepted) || self.exposure.doubtful() > 0;
        let differs = self.exposure.shown() != Some(self.exposure.total()) && self.exposure.in_flight().is_none() && !self.exposure.settles();
        waits || differs
    }
}

/// Something a marketplace is still to be told.
pub const OUTBOX: Table = Table {
    name: "channel_outbox",
    columns: &[
        ("id", Int),
        ("channel", Int),
        ("kind", Text),
        ("order_id", Int),
        ("shipment", Int),
        ("due_at", Int),
        ("tries", Int),
        ("fault", Text),
        ("external", Text),
        ("lines", Text),
        ("reason", Text),
    ],
    key: "id",
};

/// What is kept of an order on a marketplace.
#[derive(Debug, Clone)]
pub struct OrderThere {
    pub channel: i64,
    /// Its newest version.
    pub told: MarketOrder,
    pub seen_at: i64,
    pub order: Option<i64>,
    pub reservation: Option<i64>,
    /// (listing, listing units) counted as sold.
    pub counted: Vec<(i64, i64)>,
    /// (the SKU that was ordered, the one that is sent)
    pub substitutes: Vec<(String, String)>,
}

pub const MARKET_ORDERS: Table = Table {
    name: "market_orders",
    columns: &[
        ("key", Text),
        ("channel", Int),
        ("external", Text),
        ("updated_at", Int),
        ("placed_at", Int),
        ("seen_at", Int),
        ("state", Text),
        ("order_id", Int),
        ("reservation", Int),
        ("counted", Text),
        ("told", Text),
        ("raw", Text),
        ("substitutes", Text),
    ],
    key: "key",
};

pub const MARKET_ORDER_COLUMNS: &str = "channel, seen_at, order_id, reservation, counted, told, raw, key, substitutes";

pub const MARKET_ORDERS_BY_KEY: Lookup =
    Lookup { columns: MARKET_ORDER_COLUMNS, from: "market_orders", key: "key", and: "", order: "key", lock: true };

/// The key of an order on a channel.
pub fn market_key(channel: i64, external: &str) -> String {
    format!("{channel}:{external}")
}

impl OrderThere {
    /// One that is told for the first time.
    pub fn new(channel: i64, told: MarketOrder, now: i64) -> OrderThere {
        OrderThere { channel, told, seen_at: now, order: None, reservation: None, counted: Vec::new(), substitutes: Vec::new() }
    }

    pub fn read(row: &Row<'_>) -> Option<(String, OrderThere)> {
        let told: MarketOrder = serde_json::from_str(&row.text(5)).ok()?;
        let order = OrderThere {
            channel: row.int(0),
            seen_at: row.int(1),
            order: row.opt_int(2),
            reservation: row.opt_int(3),
            counted: serde_json::from_str(&row.text(4)).unwrap_or_default(),
            substitutes: row.opt_text(8).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            told: MarketOrder { raw: row.text(6), ..told },
        };
        Some((row.text(7), order))
    }

    pub fn write(&self, rows: &mut Rows) {
        rows.0.extend([
            market_key(self.channel, &self.told.id).into(),
            self.channel.into(),
            self.told.id.clone().into(),
            self.told.updated_at.into(),
            self.told.placed_at.into(),
            self.seen_at.into(),
            self.told.state.word().to_owned().into(),
            self.order.into(),
            self.reservation.into(),
            serde_json::to_string(&self.counted).unwrap_or_default().into(),
            serde_json::to_string(&self.told).unwrap_or_default().into(),
            self.told.raw.clone().into(),
            serde_json::to_string(&self.substitutes).unwrap_or_default().into(),
        ]);
    }
}
