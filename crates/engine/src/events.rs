//! Events: everything that happened, in one order without gaps, as CloudEvents 1.0.

use crate::Stop;
use crate::db::{Sql, Table, Tx, Type, Value};
use crate::views::{Id, Time};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

pub const EVENTS: Table = Table {
    name: "events",
    columns: &[("seq", Type::Int), ("at", Type::Int), ("kind", Type::Text), ("subject", Type::Int), ("actor", Type::Text), ("data", Type::Text)],
    key: "",
};

const AFTER: Sql = Sql("SELECT seq, at, kind, subject, actor, data FROM events WHERE seq > $1 ORDER BY seq LIMIT $2");
const OF_ORDER: Sql = Sql("SELECT seq, at, kind, subject, actor, data FROM events WHERE subject = $1 AND kind LIKE 'order.%' ORDER BY seq LIMIT $2");

/// Something that happened (CloudEvents 1.0, JSON format).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventView {
    pub specversion: &'static str,
    /// Its number: counts up by one, in the order in which things happened.
    #[schema(value_type = String)]
    pub id: Id,
    pub source: &'static str,
    #[serde(rename = "type")]
    #[schema(example = "order.placed")]
    pub kind: String,
    /// The id of what it is about.
    #[schema(value_type = String)]
    pub subject: Id,
    #[schema(value_type = String, format = DateTime)]
    pub time: Time,
    pub datacontenttype: &'static str,
    /// Who caused it.
    pub actor: String,
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
}

fn read(row: &crate::db::Row<'_>) -> EventView {
    EventView {
        specversion: "1.0",
        id: Id(row.int(0)),
        source: "holdfast",
        time: Time(row.int(1)),
        kind: row.text(2),
        subject: Id(row.int(3)),
        datacontenttype: "application/json",
        actor: row.text(4),
        data: RawValue::from_string(row.text(5)).unwrap_or_else(|_| RawValue::NULL.to_owned()),
    }
}

/// What an event touches, for pages that show it: its noun (`orders`, `stock`, `channels`, …), and the very thing (`order:1042`,
/// `item:MUG-1`) where the event names it. An order touches the stock too, without naming its items.
pub fn topics(event: &EventView) -> Vec<String> {
    let noun = event.kind.split('.').next().unwrap_or_default();
    let mut topics: Vec<String> = match noun {
        "order" if event.kind == "order.noted" => vec![format!("order:{}", event.subject.0)],
        "order" => vec!["orders".into(), "stock".into(), format!("order:{}", event.subject.0)],
        "reservation" => vec!["reservations".into(), "stock".into()],
        "transfer" => vec!["transfers".into(), "stock".into()],
        "import" => vec!["imports".into(), "stock".into(), "orders".into(), "items".into(), "locations".into()],
        "stock" => vec!["stock".into()],
        "listing" | "contract" => vec!["channels".into()],
        "alert" => vec!["webhooks".into()],
        "rules" => vec!["rules".into()],
        noun => vec![format!("{noun}s")],
    };
    if matches!(noun, "reservation" | "transfer" | "stock" | "item") {
        let data: serde_json::Value = serde_json::from_str(event.data.get()).unwrap_or_default();
        let lists = ["lines", "levels"].into_iter().filter_map(|name| data[name].as_array()).flatten();
        let skus = lists.filter_map(|line| line["sku"].as_str()).chain(data["sku"].as_str());
        topics.extend(skus.map(|sku| format!("item:{sku}")));
    }
    topics
}

/// Up to `limit` events after number `after`.
pub fn after(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<Vec<EventView>, Stop> {
    Ok(tx.rows(AFTER, &[Value::Int(after), Value::Int(limit)], read)?)
}

/// The timeline of an order, the oldest first.
pub fn of_order(tx: &mut Tx<'_>, order: i64, limit: i64) -> Result<Vec<EventView>, Stop> {
    Ok(tx.rows(OF_ORDER, &[Value::Int(order), Value::Int(limit)], read)?)
}

/// The number of the last event.
pub fn last(tx: &mut Tx<'_>) -> Result<i64, Stop> {
    Ok(crate::sequencer::last_event(tx)?)
}
