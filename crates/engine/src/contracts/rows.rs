//! The rows of contracts and their lines.

use crate::db::{Lookup, Row, Rows, Table, Type};

use Type::{Int, Text};

/// The kind of the channel that stands for a contract.
pub const KIND: &str = "contract";

/// An agreement with a business customer; kept in the configuration.
#[derive(Debug, Clone)]
pub struct Contract {
    pub channel: i64,
    pub customer: String,
    pub currency: String,
    /// Microseconds since 1970 UTC; from the first instant to just before the other.
    pub starts_at: i64,
    pub ends_at: i64,
}

pub const CONTRACTS: Table = Table {
    name: "contracts",
    columns: &[("channel", Int), ("customer", Text), ("currency", Text), ("starts_at", Int), ("ends_at", Int)],
    key: "channel",
};

impl Contract {
    pub fn read(row: &Row<'_>) -> Contract {
        Contract { channel: row.int(0), customer: row.text(1), currency: row.text(2), starts_at: row.int(3), ends_at: row.int(4) }
    }

    pub fn write(&self, rows: &mut Rows) {
        rows.0.extend([self.channel.into(), self.customer.clone().into(), self.currency.clone().into(), self.starts_at.into(), self.ends_at.into()]);
    }

    pub fn runs_at(&self, now: i64) -> bool {
        (self.starts_at..self.ends_at).contains(&now)
    }
}

/// What was agreed about one item.
#[derive(Debug, Clone)]
pub struct ContractLine {
    pub listing: i64,
    pub channel: i64,
    pub item: i64,
    pub unit_price_minor: i64,
    /// Most units that the customer may order.
    pub quantity: i64,
    /// Units that it agreed to order.
    pub minimum: i64,
    /// Units that are set aside for it at any time, as long as there are as many left to order.
    pub set_aside: i64,
    /// Units that it ordered so far, canceled ones not counted.
    pub ordered: i64,
}

pub const CONTRACT_LINES: Table = Table {
    name: "contract_lines",
    columns: &[
        ("listing", Int),
        ("channel", Int),
        ("item", Int),
        ("unit_price_minor", Int),
        ("quantity", Int),
        ("minimum", Int),
        ("set_aside", Int),
        ("ordered", Int),
    ],
    key: "listing",
};

pub const CONTRACT_LINE_COLUMNS: &str = "listing, channel, item, unit_price_minor, quantity, minimum, set_aside, ordered";

pub const CONTRACT_LINES_BY_LISTING: Lookup =
    Lookup { columns: CONTRACT_LINE_COLUMNS, from: "contract_lines", key: "listing", and: "", order: "listing", lock: true };

impl ContractLine {
    pub fn read(row: &Row<'_>) -> ContractLine {
        ContractLine {
            listing: row.int(0),
            channel: row.int(1),
            item: row.int(2),
            unit_price_minor: row.int(3),
            quantity: row.int(4),
            minimum: row.int(5),
            set_aside: row.int(6),
            ordered: row.int(7),
        }
    }

    pub fn write(&self, rows: &mut Rows) {
        let ContractLine { listing, channel, item, unit_price_minor, quantity, minimum, set_aside, ordered } = *self;
        rows.0.extend([listing, channel, item, unit_price_minor, quantity, minimum, set_aside, ordered].map(Into::into));
    }
}
