//! One order with everything that is known of it, in one read, as far as somebody may see it.

use super::notes::{self, NoteView};
use super::place::{ShipTo, StoredDecision};
use super::read::items;
use super::rows::{Order, read_orders};
use crate::Stop;
use crate::access::{audit, reach};
use crate::config::Config;
use crate::db::{Ahead, Lookup, Sql, Tx, Value};
use crate::events::{self, EventView};
use crate::exceptions::read::{ExceptionView, open_by_keys};
use crate::kept::Names;
use crate::routing::run::FactsReader;
use crate::views::{Id, OrderSummary, OrderView, Time};
use crate::warehouses::rows::{HANDOVERS_BY_FULFILLMENT, Handover, key as handover_key};
use connectors::marketplace;
use domain::geo::Point;
use domain::{Grant, Noun, Refused};
use std::collections::HashMap;
use std::sync::Arc;

pub use crate::warehouses::rows::State as Handed;

// Letters that the marketplace would not hear rest at the end of time.
const STUCK: Sql = Sql("SELECT id FROM channel_outbox WHERE channel = $1 AND due_at = 9223372036854775807 AND order_id = $2 LIMIT 20");

const HANDOVERS: Lookup = Lookup { lock: false, ..HANDOVERS_BY_FULFILLMENT };

/// Most events of a timeline, and most notes.
const MAX_EVENTS: i64 = 500;
const MAX_NOTES: i64 = 200;

/// An order as a person sees it.
#[derive(Debug, Clone)]
pub struct OrderDetail {
    /// With the fulfillments of the locations that may be seen.
    pub order: OrderView,
    /// Fulfillments of other locations.
    pub elsewhere: usize,
    /// What a form about the order carries, so that a change by somebody else meanwhile is noticed.
    pub seen: String,
    /// The names of items by SKU.
    pub names: HashMap<Arc<str>, String>,
    pub ship_to: ShipTo,
    /// Where it goes, if that is known.
    pub point: Option<Point>,
    /// With the candidates that may be seen. None if it cannot be read any more.
    pub decision: Option<StoredDecision>,
    /// What happened to it, the oldest first; what reservations and others told stands elsewhere.
    pub events: Vec<EventView>,
    /// The newest first.
    pub notes: Vec<NoteView>,
    /// What a person must look at, open ones.
    pub exceptions: Vec<ExceptionView>,
    /// What is known of fulfillments at somebody else's warehouse, by fulfillment.
    pub handovers: HashMap<i64, HandoverView>,
    pub sold_on: SoldOn,
}

/// How a fulfillment is with somebody else's warehouse.
#[derive(Debug, Clone)]
pub struct HandoverView {
    pub state: Handed,
    /// The warehouse's own name of it.
    pub external: Option<String>,
    pub heard_at: Time,
    pub asked_back: bool,
    /// Why the last try failed.
    pub fault: Option<String>,
}

/// Who hears of what happens to the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoldOn {
    /// Our own shop, the API, or support: nobody is told.
    Own,
    /// A contract with a business customer: nobody is told.
    Contract,
    /// A marketplace. It is told of shipments; whether of a whole cancellation, and of refunds for parts, differs.
    Marketplace { name: String, cancels: bool, refunds: bool },
}

/// An order with all that is known of it. Refuses one that `grant` does not reach as one that is not there.
pub fn detail(tx: &mut Tx<'_>, config: &Config, id: i64, grant: &Grant) -> Result<OrderDetail, Stop> {
    let unknown = || Refused::unknown(Noun::Order, id.to_string(), "id");
    events::of_order_ahead(tx, id, MAX_EVENTS);
    notes::of_order_ahead(tx, id, MAX_NOTES);
    let mut order = read_orders(tx, &[id], false)?.pop().ok_or_else(unknown)?;
    let fulfillments: Vec<i64> = order.fulfillments.iter().map(|f| f.id).collect();
    tx.ahead(&[Ahead::Ids(&HANDOVERS, &fulfillments, &[])]);
    if let Some(channel) = config.channel_by_code(&order.channel) {
        tx.ahead(&[Ahead::Rows(STUCK, &[Value::Int(channel.id), Value::Int(id)])]);
    }
    let items = items(tx, order.lines.iter().flat_map(|l| [Some(l.item), l.kit]).flatten().collect())?;
    let names = Names { items: &items, config };
    if !reach::order(&OrderView::new(&order, &names), grant, config) {
        return Err(unknown().into());
    }
    let seen = audit::etag_of(&OrderSummary::new(&order, &names));
    let all = order.fulfillments.len();
    order.fulfillments.retain(|f| grant.at(f.location));
    let point = FactsReader::load(tx, std::slice::from_ref(&order))?.facts(&order, |_| String::new()).point;
    let mut decision: Option<StoredDecision> = serde_json::from_str(&order.decision).ok();
    if let Some(decision) = &mut decision {
        decision.explanation.candidates.retain(|c| config.by_code(&c.location).is_none_or(|l| grant.at(l.id)));
    }
    Ok(OrderDetail {
        elsewhere: all - order.fulfillments.len(),
        seen,
        names: items.values().map(|i| (i.sku.clone(), i.name.clone())).collect(),
        ship_to: serde_json::from_str(&order.ship_to).unwrap_or_default(),
        point,
        decision,
        events: events::of_order(tx, id, MAX_EVENTS)?,
        notes: notes::of_order(tx, id, MAX_NOTES)?,
        exceptions: exceptions(tx, config, &order)?,
        handovers: handovers(tx, &order)?,
        sold_on: sold_on(config, &order),
        order: OrderView::new(&order, &names),
    })
}

fn sold_on(config: &Config, order: &Order) -> SoldOn {
    match config.channel_by_code(&order.channel) {
        None => SoldOn::Own,
        Some(channel) if channel.is_contract() => SoldOn::Contract,
        Some(channel) => {
            let market = marketplace::by_word(&channel.kind);
            let may = |what: fn(&dyn marketplace::Marketplace) -> bool| market.is_some_and(what);
            SoldOn::Marketplace { name: channel.name.clone(), cancels: may(|m| m.cancels()), refunds: may(|m| m.refunds()) }
        }
    }
}

fn handovers(tx: &mut Tx<'_>, order: &Order) -> Result<HashMap<i64, HandoverView>, Stop> {
    let ids: Vec<i64> = order.fulfillments.iter().map(|f| f.id).collect();
    let view = |h: Handover| {
        let view = HandoverView {
            state: h.state,
            external: h.external,
            heard_at: Time(h.heard_at),
            asked_back: h.recall.is_some() && h.state.is_away(),
            fault: h.fault,
        };
        (h.fulfillment, view)
    };
    Ok(tx.by_ids(&HANDOVERS, &ids, &[], Handover::read)?.into_iter().map(view).collect())
}

/// Open exceptions about the order itself, its fulfillments at other people's warehouses, and what its channel would not hear.
fn exceptions(tx: &mut Tx<'_>, config: &Config, order: &Order) -> Result<Vec<ExceptionView>, Stop> {
    let mut keys = vec![crate::channels::take_orders::order_key(&order.channel, &order.reference)];
    keys.extend(order.fulfillments.iter().map(|f| handover_key(f.id)));
    if let Some(channel) = config.channel_by_code(&order.channel) {
        let stuck = tx.rows(STUCK, &[Value::Int(channel.id), Value::Int(order.id)], |r| Id(r.int(0)))?;
        keys.extend(stuck.iter().map(|letter| format!("letter:{}", letter.0)));
    }
    open_by_keys(tx, config, &keys)
}
