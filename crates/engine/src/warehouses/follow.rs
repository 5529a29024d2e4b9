//! Follow: what a warehouse says of a fulfillment that it was given. Parcels that left are booked as shipped, once each; what it
//! will not send is canceled here if it was asked back, and put before a person if not.

use super::rows::{Handover, Recall, State, key};
use crate::Stop;
use crate::batch::{Batch, Because};
use crate::command::{Answer, Needs, Reply};
use crate::exceptions::{self, Kind, Trouble};
use crate::orders::ship::Ship;
use crate::orders::{announce, cancel, fill, reroute};
use crate::stock::SkuLine;
use connectors::warehouse::{Handed, HandedState, Parcel};

/// A fulfillment is looked after again when a tenth of the time has passed since it was handed over, within these bounds
/// (microseconds): the young ones often, the old ones seldom. Notices tell sooner.
const SOONEST: i64 = 60_000_000;
const LATEST: i64 = 1_800_000_000;

/// When to look after a fulfillment next.
pub fn next(handed_at: i64, now: i64) -> i64 {
    now + ((now - handed_at) / 10).clamp(SOONEST, LATEST)
}

/// What people call an order.
pub(super) fn name(batch: &Batch<'_>, order: i64) -> String {
    batch.orders.get(order).map_or_else(|| order.to_string(), |o| o.reference.clone())
}

/// What the warehouse told.
#[derive(Debug, Clone)]
pub struct Followed {
    pub fulfillment: i64,
    pub told: Handed,
}

impl Followed {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.fulfillments.push(self.fulfillment);
        needs.skus.extend(self.told.parcels.iter().flat_map(|p| &p.lines).map(|(sku, _)| sku.as_str()));
        needs.exception_keys.push(key(self.fulfillment));
        needs.supplies();
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let id = self.fulfillment;
        let Some(mut known) = batch.handovers.get(id).filter(|h| h.state.is_away()).cloned() else {
            return Ok(Reply::done(Answer::Count { count: 0 }));
        };
        let before = (known.state, known.parcels.len());
        for parcel in &self.told.parcels {
            if !known.parcels.contains(&parcel.id) {
                known.parcels.push(parcel.id.clone());
                self.book(batch, &known, parcel)?;
            }
        }
        let now = batch.now;
        known.due_at = next(known.handed_at, now);
        known.external = Some(self.told.id.clone());
        match &self.told.state {
            HandedState::Working => {
                known.state = State::Working;
                exceptions::settle(batch, &known.key(), "the warehouse goes on with it");
            }
            HandedState::Shipped => self.shipped(batch, &mut known)?,
            HandedState::Canceled => self.canceled(batch, &mut known)?,
            HandedState::Stuck(words) => {
                known.state = State::Stuck;
                let title = format!("Order {} is stuck at the warehouse", name(batch, known.order));
                raise(batch, &known, title, format!("It says “{words}”. Solve it there, or cancel or reroute it."))?;
            }
            HandedState::Other(word) => {
                let title = format!("The warehouse says “{word}” of order {}", name(batch, known.order));
                raise(batch, &known, title, "This word is not known here; nothing was done.".into())?;
            }
        }
        if (known.state, known.parcels.len()) != before {
            known.heard_at = now;
        }
        known.fault = None;
        if let Some(kept) = batch.handovers.change(id) {
            *kept = known;
        }
        Ok(Reply::done(Answer::Count { count: 1 }))
    }

    /// Books what left. What cannot be booked is told to a person, once.
    fn book(&self, batch: &mut Batch<'_>, known: &Handover, parcel: &Parcel) -> Result<(), Stop> {
        let lines: Vec<SkuLine> = parcel.lines.iter().map(|(sku, quantity)| SkuLine { sku: sku.clone(), quantity: *quantity }).collect();
        let ship = Ship {
            fulfillment: known.fulfillment,
            carrier: parcel.carrier.clone(),
            tracking_number: parcel.tracking_number.clone(),
            lines: if lines.is_empty() { None } else { Some(lines) },
        };
        match ship.decide(batch) {
            Ok(_) => Ok(()),
            Err(Stop::Refused(refused)) => {
                let title = format!("A parcel of order {} cannot be booked", name(batch, known.order));
                let number = parcel.tracking_number.as_deref().unwrap_or("no tracking number");
                raise(batch, known, title, format!("{} ({number}) left the warehouse: {refused} Book it by hand.", parcel.id))
            }
            Err(stop) => Err(stop),
        }
    }

    /// All of it left, whatever the parcels said.
    fn shipped(&self, batch: &mut Batch<'_>, known: &mut Handover) -> Result<(), Stop> {
        if open_units(batch, known) > 0 {
            let last = self.told.parcels.last();
            let ship = Ship {
                fulfillment: known.fulfillment,
                carrier: last.and_then(|p| p.carrier.clone()),
                tracking_number: last.and_then(|p| p.tracking_number.clone()),
                lines: None,
            };
            ship.decide(batch)?;
        }
        known.state = State::Shipped;
        if known.recall.take().is_some_and(|by| by != Recall::Reroute) {
            let title = format!("Order {} was to be canceled, and the warehouse sent it", name(batch, known.order));
            return raise(batch, known, title, "It was asked back too late. Stop the parcel, or expect it as a return.".into());
        }
        exceptions::settle(batch, &known.key(), "the warehouse sent it");
        Ok(())
    }

    /// Nothing more of it will be sent.
    fn canceled(&self, batch: &mut Batch<'_>, known: &mut Handover) -> Result<(), Stop> {
        known.state = State::Canceled;
        let Some(by) = known.recall.take() else {
            if open_units(batch, known) == 0 {
                return Ok(());
            }
            let title = format!("The warehouse canceled order {}", name(batch, known.order));
            return raise(
                batch,
                known,
                title,
                "Its units are still set aside here. Retry it, reroute it to another location, or cancel the order.".into(),
            );
        };
        exceptions::settle(batch, &known.key(), "the warehouse canceled it");
        let Some(mut order) = batch.orders.get(known.order).cloned() else { return Ok(()) };
        if by == Recall::Reroute {
            return match reroute::elsewhere(batch, order, known.fulfillment, None) {
                Ok(_) => Ok(()),
                Err(Stop::Refused(refused)) => {
                    let title = format!("Order {} was given back, and no other location can send it", name(batch, known.order));
                    raise(batch, known, title, refused.to_string())
                }
                Err(stop) => Err(stop),
            };
        }
        let freed = cancel::fulfillment(batch, &mut order, known.fulfillment, Because::of("order.canceled", known.order))?;
        order.refresh_status();
        if by == Recall::Us && order.status == domain::steps::Status::Canceled {
            crate::channels::outbox::canceled(batch, &order, "canceled by the seller")?;
        }
        announce(batch, &order, "order.canceled");
        if let Some(kept) = batch.orders.change(order.id) {
            *kept = order;
        }
        for (item, location) in freed {
            fill::from_level(batch, item, location)?;
        }
        Ok(())
    }
}

fn open_units(batch: &Batch<'_>, known: &Handover) -> i64 {
    let order = batch.orders.get(known.order);
    let fulfillment = order.and_then(|o| o.fulfillments.iter().find(|f| f.id == known.fulfillment));
    fulfillment.map_or(0, |f| f.lines.iter().map(|l| l.open()).sum())
}

fn raise(batch: &mut Batch<'_>, known: &Handover, title: String, detail: String) -> Result<(), Stop> {
    let trouble = Trouble { kind: Kind::Unfillable, key: &known.key(), channel: known.channel, title, detail, payload: "" };
    exceptions::raise(batch, trouble)
}
