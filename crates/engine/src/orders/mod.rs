//! Orders: accepted and routed in one step, shipped, canceled, returned; backorders filled as stock arrives.

pub mod cancel;
pub mod counts;
pub mod detail;
pub mod fill;
pub mod list;
pub mod notes;
pub mod place;
pub mod read;
pub mod reroute;
pub mod r#return;
pub(crate) mod rows;
pub mod ship;
mod ways;

use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Reply};
use crate::orders::rows::{Fulfillment, FulfillmentLine, Order};
use crate::views::{OrderSummary, OrderView};
use crate::warehouses::hand_over;
use domain::steps::Status;
use domain::stock::Account;
use domain::{Noun, Refused};

/// The order's units of (item, quantity) handed to `location`: moves them from `source` to committed and puts them into
/// the order's open fulfillment there, or a new one, which takes capacity.
pub(crate) fn commit_units(
    batch: &mut Batch<'_>,
    order: &mut Order,
    location: i64,
    item: i64,
    mut quantity: i64,
    source: Account,
    cause: &'static str,
) -> Result<(), Stop> {
    batch.post(item, location, source, Account::Committed, quantity, Because::of(cause, order.id))?;
    // Lines of the order that still want this item, in turn.
    let mut shares: Vec<(i64, i64)> = Vec::new();
    for n in 0..order.lines.len() {
        if order.lines[n].item != item || quantity == 0 {
            continue;
        }
        let l = &order.lines[n];
        let (line, mut allotted, mut canceled_there) = (l.line, 0, 0);
        for known in order.fulfillments.iter().flat_map(|f| &f.lines).filter(|k| k.line == line && k.item == item) {
            allotted += known.quantity;
            canceled_there += known.canceled;
        }
        // Units that were canceled before they reached a fulfillment, or that wait, are not wanted here.
        let wanted = l.quantity - allotted - (l.canceled - canceled_there) - l.backordered;
        let share = wanted.min(quantity);
        if share > 0 {
            shares.push((line, share));
            quantity -= share;
        }
    }
    if quantity > 0 {
        return Err(Stop::broken(format!("{quantity} units of item {item} fit no line of order {}", order.id)));
    }
    // What somebody else's warehouse has been told to send takes nothing more.
    let takes = |f: &Fulfillment| f.location == location && f.status == Status::Open && !hand_over::is_away(batch, f.id);
    let place = match order.fulfillments.iter().position(takes) {
        Some(place) => place,
        None => {
            let day = batch.take_capacity(location);
            let id = batch.id()?;
            hand_over::expect(batch, order.id, id, location);
            order.fulfillments.push(Fulfillment {
                id,
                location,
                status: Status::Open,
                day,
                created_at: batch.now,
                lines: Vec::new(),
                shipments: Vec::new(),
            });
            order.fulfillments.len() - 1
        }
    };
    for (line, share) in shares {
        let lines = &mut order.fulfillments[place].lines;
        match lines.iter_mut().find(|l| l.line == line && l.item == item) {
            Some(known) => known.quantity += share,
            None => lines.push(FulfillmentLine { line, item, quantity: share, shipped: 0, canceled: 0 }),
        }
    }
    Ok(())
}

/// Which of an order's plain items (item, units) a request about some of its SKUs means. A kit's SKU means its components.
pub(crate) fn units_of_sku(batch: &Batch<'_>, order: &Order, sku: &str, quantity: i64, field: &str) -> Result<Vec<(i64, i64)>, Refused> {
    let item = batch.any_item(sku).ok_or_else(|| Refused::unknown(Noun::Item, sku, field))?;
    if item.is_kit {
        let lines: Vec<_> = order.lines.iter().filter(|l| l.kit == Some(item.id)).collect();
        if lines.is_empty() {
            return Err(Refused::unknown(Noun::Item, sku, field));
        }
        let first = lines[0].line;
        return Ok(lines.iter().filter(|l| l.line == first).map(|l| (l.item, l.per_kit.saturating_mul(quantity))).collect());
    }
    if !order.lines.iter().any(|l| l.item == item.id) {
        return Err(Refused::unknown(Noun::Item, sku, field));
    }
    Ok(vec![(item.id, quantity)])
}

/// Puts the changed order back, tells the world, with the reason that was given (empty if none was), and answers with it.
pub(crate) fn finish(batch: &mut Batch<'_>, order: Order, kind: &'static str, reason: &str) -> Result<Reply, Stop> {
    let view = OrderView::new(&order, &batch.names());
    tell(batch, &order, kind, reason);
    let kept = batch.orders.change(order.id).ok_or_else(|| Stop::broken("the order vanished"))?;
    *kept = order;
    Ok(Reply::done(Answer::Order(Box::new(view))))
}

pub(crate) fn announce(batch: &mut Batch<'_>, order: &Order, kind: &'static str) {
    tell(batch, order, kind, "");
}

fn tell(batch: &mut Batch<'_>, order: &Order, kind: &'static str, reason: &str) {
    let names = batch.names();
    let summary = OrderSummary { reason, ..OrderSummary::new(order, &names) };
    let data = serde_json::to_value(&summary).unwrap_or_default();
    batch.event(kind, order.id, &data);
}
