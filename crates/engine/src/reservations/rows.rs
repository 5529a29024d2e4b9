//! The rows of reservations: how they are read and written.

use crate::db::{Lookup, Row, Rows, Table, Type};
use domain::steps::Status;

use Type::{Int, Text};

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
