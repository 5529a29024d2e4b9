//! Hand over: a fulfillment at somebody else's warehouse is told to it. The row comes with the fulfillment, in the same
//! transaction; that it is being sent is durable before it is sent; doing it again does no harm, by its reference.

use super::rows::{Handover, Recall, State, key};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Needs, Reply};
use crate::exceptions::{self, Kind, Trouble};
use crate::orders::rows::Order;
use std::collections::BTreeMap;

/// Longest wait between two tries: 15 minutes.
const LONGEST: i64 = 900_000_000;

/// Notes that a new fulfillment is to be handed over, if its location is a connected warehouse of somebody else.
pub(crate) fn expect(batch: &mut Batch<'_>, order: i64, fulfillment: i64, location: i64) {
    let Some(channel) = batch.config.warehouse_at(location).map(|c| c.id) else { return };
    let handover = Handover {
        fulfillment,
        channel,
        order,
        external: None,
        state: State::Waiting,
        recall: None,
        due_at: batch.now,
        tries: 0,
        handed_at: batch.now,
        heard_at: batch.now,
        parcels: Vec::new(),
        fault: None,
    };
    batch.handovers.add(fulfillment, handover);
}

/// Whether a fulfillment is with somebody else's warehouse, or may be: it takes no more units, and gives none back by itself.
pub(crate) fn is_away(batch: &Batch<'_>, fulfillment: i64) -> bool {
    batch.handovers.get(fulfillment).is_some_and(|h| h.state.is_away())
}

/// The order's open units by item that are away.
pub(crate) fn away(batch: &Batch<'_>, order: &Order) -> BTreeMap<i64, i64> {
    let mut units = BTreeMap::new();
    for line in order.fulfillments.iter().filter(|f| is_away(batch, f.id)).flat_map(|f| &f.lines) {
        *units.entry(line.item).or_default() += line.open();
    }
    units
}

/// Asks back what of the order is away; answers whether anything is. It is canceled when the warehouse says so.
pub(crate) fn ask_back(batch: &mut Batch<'_>, order: &Order, by: Recall) -> bool {
    let mut any = false;
    for fulfillment in order.fulfillments.iter().filter(|f| f.lines.iter().any(|l| l.open() > 0)) {
        if !is_away(batch, fulfillment.id) {
            continue;
        }
        any = true;
        ask_back_one(batch, fulfillment.id, by);
    }
    any
}

/// Asks one fulfillment back. To be canceled weighs more than to be rerouted.
pub(crate) fn ask_back_one(batch: &mut Batch<'_>, fulfillment: i64, by: Recall) {
    let now = batch.now;
    let Some(kept) = batch.handovers.change(fulfillment) else { return };
    if kept.recall.is_none() {
        (kept.due_at, kept.tries) = (now, 0);
    }
    if kept.recall.is_none() || by != Recall::Reroute {
        kept.recall = Some(by);
    }
}

/// Begins to hand a fulfillment over. Answers 1, or 0 if it is no longer to be.
#[derive(Debug, Clone)]
pub struct BeginHandover {
    pub fulfillment: i64,
}

impl BeginHandover {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.fulfillments.push(self.fulfillment);
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let id = self.fulfillment;
        let order = batch.order_of_fulfillment(id).and_then(|order| batch.orders.get(order));
        let open = order.and_then(|o| o.fulfillments.iter().find(|f| f.id == id)).is_some_and(|f| f.lines.iter().any(|l| l.open() > 0));
        let now = batch.now;
        let Some(kept) = batch.handovers.change(id).filter(|h| matches!(h.state, State::Waiting | State::Sending)) else {
            return Ok(Reply::done(Answer::Count { count: 0 }));
        };
        if !open {
            kept.state = State::Canceled;
            return Ok(Reply::done(Answer::Count { count: 0 }));
        }
        if kept.state == State::Waiting {
            kept.handed_at = now;
        }
        kept.state = State::Sending;
        kept.tries += 1;
        kept.due_at = now + (1_000_000i64 << kept.tries.clamp(0, 12)).min(LONGEST);
        Ok(Reply::done(Answer::Count { count: 1 }))
    }
}

/// What the warehouse said to it.
#[derive(Debug, Clone)]
pub enum Handed {
    /// It has it, by this id.
    Taken { external: String },
    /// It does not take it, and would not the next time.
    Refused { code: String, detail: String },
    /// It is not known; to be tried again.
    Later { why: String },
}

/// Ends a try.
#[derive(Debug, Clone)]
pub struct EndHandover {
    pub fulfillment: i64,
    pub handed: Handed,
}

impl EndHandover {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.fulfillments.push(self.fulfillment);
        needs.exception_keys.push(key(self.fulfillment));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let now = batch.now;
        let Some(kept) = batch.handovers.change(self.fulfillment).filter(|h| h.state == State::Sending) else {
            return Ok(Reply::done(Answer::Count { count: 0 }));
        };
        match &self.handed {
            Handed::Taken { external } => {
                (kept.state, kept.external, kept.fault) = (State::Working, Some(external.clone()), None);
                (kept.heard_at, kept.tries) = (now, 0);
                kept.due_at = if kept.recall.is_some() { now } else { super::follow::next(now, now) };
                let order = kept.order;
                exceptions::settle(batch, &key(self.fulfillment), "the warehouse has it");
                if let Some(order) = batch.orders.get(order).cloned() {
                    crate::orders::announce(batch, &order, "order.handed_over");
                }
            }
            Handed::Later { why } => kept.fault = Some(why.clone()),
            Handed::Refused { code, detail } => {
                (kept.state, kept.fault) = (State::Refused, Some(format!("{code}: {detail}")));
                let (channel, order) = (kept.channel, kept.order);
                let name = super::follow::name(batch, order);
                let trouble = Trouble {
                    kind: Kind::Unfillable,
                    key: &key(self.fulfillment),
                    channel,
                    title: format!("The warehouse does not take order {name}"),
                    detail: format!("{code}: {detail}. Mend it and retry, or reroute it to another location."),
                    payload: "",
                };
                exceptions::raise(batch, trouble)?;
            }
        }
        Ok(Reply::done(Answer::Count { count: 1 }))
    }
}

/// A person wants it handed over again, or looked after now.
pub(crate) fn again(batch: &mut Batch<'_>, fulfillment: i64) {
    let now = batch.now;
    let Some(kept) = batch.handovers.change(fulfillment) else { return };
    if matches!(kept.state, State::Refused | State::Canceled) {
        kept.state = State::Waiting;
    }
    (kept.due_at, kept.tries, kept.fault) = (now, 0, None);
}
