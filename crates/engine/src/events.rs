//! Events: everything that happened, in one order without gaps, as CloudEvents 1.0.

use crate::Stop;
use crate::db::{Ahead, Sql, Table, Tx, Type, Value};
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

/// Every kind of event, and what it tells; those of one noun stand together. A test finds a kind that is missing.
pub const KINDS: [(&str, &str); 45] = [
    ("order.placed", "An order was taken on"),
    ("order.routed", "A queued order was routed"),
    ("order.left_over", "A queued order could not be routed"),
    ("order.filled", "Units that an order waited for were committed to it"),
    ("order.rerouted", "A part of an order leaves from elsewhere"),
    ("order.handed_over", "A part of an order was handed over to a third-party warehouse"),
    ("order.recalled", "A part of an order was asked back from a third-party warehouse"),
    ("order.shipped", "Units of an order left"),
    ("order.canceled", "Units of an order were canceled"),
    ("order.return_expected", "A channel announced a return"),
    ("order.returned", "Units of an order came back"),
    ("order.noted", "Somebody wrote a note on an order"),
    ("reservation.held", "Units were held"),
    ("reservation.extended", "A hold lasts longer"),
    ("reservation.ordered", "A hold became an order"),
    ("reservation.released", "A hold was given back"),
    ("reservation.expired", "A hold ran out"),
    ("stock.received", "Units were received"),
    ("stock.adjusted", "Units were adjusted"),
    ("stock.moved", "Units were moved from one state to another"),
    ("stock.counted", "Units were counted"),
    ("stock.undone", "A movement was undone"),
    ("transfer.sent", "A transfer left"),
    ("transfer.received", "A transfer, or part of it, came in"),
    ("transfer.canceled", "A transfer, or what was still on its way, was taken back"),
    ("item.created", "An item was created"),
    ("item.updated", "An item was changed"),
    ("location.created", "A location was created"),
    ("location.updated", "A location was changed"),
    ("rules.changed", "The routing rules were changed"),
    ("import.progressed", "A part of a file was imported"),
    ("channel.connected", "A channel was connected"),
    ("channel.updated", "A channel was changed, paused or stopped"),
    ("listing.mapped", "A listing was mapped, or its policy was changed"),
    ("contract.agreed", "A contract was made"),
    ("contract.changed", "A contract was changed"),
    ("exception.opened", "Something needs a person"),
    ("exception.changed", "Somebody looks after an exception, or it became another one"),
    ("exception.solved", "An exception was solved"),
    ("alert.created", "Somebody is to be told by webhook or mail"),
    ("alert.updated", "Who is told of what was changed"),
    ("alert.deleted", "Somebody is told no more"),
    ("alert.failed", "A message did not arrive and is not tried again"),
    ("alert.switched_off", "A webhook or mail was switched off because nothing arrives"),
    ("alert.replayed", "Messages are sent again"),
];

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

/// Tells that [`of_order`] will be asked for.
pub(crate) fn of_order_ahead(tx: &mut Tx<'_>, order: i64, limit: i64) {
    tx.ahead(&[Ahead::Rows(OF_ORDER, &[Value::Int(order), Value::Int(limit)])]);
}

/// The timeline of an order, the oldest first.
pub fn of_order(tx: &mut Tx<'_>, order: i64, limit: i64) -> Result<Vec<EventView>, Stop> {
    Ok(tx.rows(OF_ORDER, &[Value::Int(order), Value::Int(limit)], read)?)
}

/// The number of the last event.
pub fn last(tx: &mut Tx<'_>) -> Result<i64, Stop> {
    Ok(crate::sequencer::last_event(tx)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|e| e.to_str()) {
                Some("rs") => found.push_str(std::fs::read_to_string(&path).unwrap().split("#[cfg(test)]").next().unwrap()),
                _ if path.is_dir() => sources(&path, found),
                _ => {}
            }
        }
    }

    #[test]
    fn every_kind_of_event_is_in_the_list() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        let mut told = 0;
        for call in ["event(", "announce(batch", "finish(batch", "put(batch"].iter().flat_map(|start| text.split(start).skip(1)) {
            let call = call.split(';').next().unwrap_or_default();
            let is_kind = |word: &&str| word.split_once('.').is_some_and(|(noun, _)| KINDS.iter().any(|(k, _)| k.starts_with(&format!("{noun}."))));
            for kind in call.split('"').skip(1).step_by(2).filter(is_kind) {
                assert!(KINDS.iter().any(|(known, _)| *known == kind), "{kind} is missing");
                told += 1;
            }
        }
        assert!(told >= KINDS.len(), "the search found only {told}");
    }
}
