//! Notes: what people write beside an order. The text stands in a table of its own; the event and the audit log say that somebody
//! wrote one, and which.

use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Needs, Reply};
use crate::db::{Ahead, Rows, Sql, Table, Tx, Type, Value, Write};
use crate::views::{Id, OrderSummary, Time};
use domain::{Noun, Refused, limits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub const ORDER_NOTES: Table = Table {
    name: "order_notes",
    columns: &[("id", Type::Int), ("order_id", Type::Int), ("at", Type::Int), ("actor", Type::Text), ("note", Type::Text)],
    key: "",
};

const OF_ORDER: Sql = Sql("SELECT id, at, actor, note FROM order_notes WHERE order_id = $1 ORDER BY id DESC LIMIT $2");

/// Write a note beside an order.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    #[serde(skip)]
    pub id: i64,
    /// One or more lines, 1 to 4,000 bytes.
    pub note: String,
}

/// A note as it is read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NoteView {
    #[schema(value_type = String)]
    pub id: Id,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// Who wrote it.
    pub actor: String,
    pub note: String,
}

/// What the event tells: the order as it stands, and which note.
#[derive(Serialize)]
struct Noted<'a> {
    #[serde(flatten)]
    order: OrderSummary<'a>,
    note: Id,
}

impl AddNote {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.orders.push(self.id);
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let order = batch.orders.get(self.id).ok_or_else(|| Refused::unknown(Noun::Order, self.id.to_string(), "id"))?.clone();
        let note = limits::note("note", &self.note)?;
        let id = batch.id()?;
        let mut rows = Rows::default();
        rows.0.extend([id.into(), order.id.into(), batch.now.into(), batch.actor.clone().into(), note.to_owned().into()]);
        batch.more.push(Write::new(&ORDER_NOTES, rows));
        let data = serde_json::to_value(Noted { order: OrderSummary::new(&order, &batch.names()), note: Id(id) }).unwrap_or_default();
        batch.event("order.noted", order.id, &data);
        Ok(Reply::created(Answer::Noted { note: id.to_string() }))
    }
}

/// Tells that [`of_order`] will be asked for.
pub(super) fn of_order_ahead(tx: &mut Tx<'_>, order: i64, limit: i64) {
    tx.ahead(&[Ahead::Rows(OF_ORDER, &[Value::Int(order), Value::Int(limit)])]);
}

/// The newest notes of an order, the newest first.
pub fn of_order(tx: &mut Tx<'_>, order: i64, limit: i64) -> Result<Vec<NoteView>, Stop> {
    let read = |r: &crate::db::Row<'_>| NoteView { id: Id(r.int(0)), at: Time(r.int(1)), actor: r.text(2), note: r.text(3) };
    Ok(tx.rows(OF_ORDER, &[Value::Int(order), Value::Int(limit)], read)?)
}
