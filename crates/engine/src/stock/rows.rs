//! The rows of levels, entries and transfers: how they are read and written.

use crate::db::{Cell, Lookup, Row, Rows, Table, Type};
use domain::steps::Status;
use domain::stock::Level;

use Type::{Hash, Int, Text};

pub const LEVEL_COLUMNS: &str =
    "item, location, available, reserved, committed, damaged, quality_control, safety_stock, incoming, entries, head, moved_at";

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
        ("moved_at", Int),
    ],
    key: "item, location",
};

/// (item, location, level)
pub fn read_level(row: &Row<'_>) -> (i64, i64, Level) {
    let balances = std::array::from_fn(|state| row.int(2 + state));
    (row.int(0), row.int(1), Level::from_parts(balances, row.int(9), row.hash(10), row.int(11)))
}

pub fn write_level(item: i64, location: i64, level: &Level, rows: &mut Rows) {
    rows.0.extend([item.into(), location.into()]);
    rows.0.extend(level.balances().iter().map(|b| Cell::Int(*b)));
    rows.0.extend([level.entries.into(), Cell::Hash(level.head), level.moved_at.into()]);
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
    /// Taken back to where they came from.
    pub canceled: i64,
}

impl TransferLine {
    /// Units that are still on their way.
    pub fn left(&self) -> i64 {
        self.quantity - self.received - self.lost - self.canceled
    }
}

pub const TRANSFERS: Table = Table {
    name: "transfers",
    columns: &[("id", Int), ("source", Int), ("target", Int), ("status", Text), ("reference", Text), ("created_at", Int)],
    key: "id",
};

pub const TRANSFER_LINES: Table = Table {
    name: "transfer_lines",
    columns: &[("transfer", Int), ("item", Int), ("quantity", Int), ("received", Int), ("lost", Int), ("canceled", Int)],
    key: "transfer, item",
};

/// All levels of an item.
pub const LEVELS_OF: Lookup = Lookup { columns: LEVEL_COLUMNS, from: "levels", key: "item", and: "", order: "item, location", lock: false };
pub const TRANSFERS_BY_ID: Lookup =
    Lookup { columns: "id, source, target, status, reference, created_at", from: "transfers", key: "id", and: "", order: "id", lock: true };

pub const LINES_BY_TRANSFER: Lookup = Lookup {
    columns: "transfer, item, quantity, received, lost, canceled",
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
        let line = TransferLine { item: row.int(1), quantity: row.int(2), received: row.int(3), lost: row.int(4), canceled: row.int(5) };
        (row.int(0), line)
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
            lines.0.extend([self.id.into(), l.item.into(), l.quantity.into(), l.received.into(), l.lost.into(), l.canceled.into()]);
        }
    }
}
