//! Orders come in from a channel: counted as sold, placed and routed, or put before a person; in one step, and the same whatever
//! order they come in and however often.
//!
//! The newest version of each order is kept. What a version says beyond the one before is done: units sold are counted, an
//! order is placed, canceled units are given back. A version that is older than the known one changes nothing.

use super::push::touch;
use super::rows::{OrderThere, market_key};
use crate::Stop;
use crate::batch::Batch;
use crate::catalog::rows::Item;
use crate::command::{Answer, Needs, Reply};
use crate::exceptions::{self, Kind, Trouble};
use crate::orders::cancel::CancelOrder;
use crate::orders::place::{PlaceLine, PlaceOrder};
use crate::reservations::reserve::{Reserve, ReserveLine};
use crate::stock::SkuLine;
use crate::views::Amount;
use connectors::marketplace::{MarketLine, MarketOrder, MarketState};
use domain::steps::Status;
use domain::{Refused, limits};
use serde::Serialize;
use std::collections::BTreeMap;

/// Units of an order that is not paid yet are held this long.
const HOLD_SECONDS: i64 = limits::MAX_HOLD_SECONDS;

/// An order that is first told longer than this after it was placed is late: 1 minute.
const LATE: i64 = 60_000_000;

/// Orders as a channel told them, and how far it has been read.
#[derive(Debug, Clone)]
pub struct TakeOrders {
    pub channel: i64,
    pub channel_code: String,
    pub orders: Vec<MarketOrder>,
    /// Orders that made no sense: (the marketplace's id or nothing, why, the text it came as).
    pub unread: Vec<(String, String, String)>,
    /// Every order placed there before this is in this command or in one before it.
    pub watermark: Option<i64>,
    /// Where the next reading begins.
    pub orders_from: Option<i64>,
    /// Listings of which something waits for the watermark.
    pub settle: Vec<i64>,
}

/// How an order is taken on.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// What is missing waits for stock.
    pub backorder: bool,
    /// Even if nothing about it has changed.
    pub again: bool,
    /// (the SKU that was ordered, the one that is sent)
    pub substitute: Option<(String, String)>,
}

/// What became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    pub placed: usize,
    pub held: usize,
    pub canceled: usize,
    pub known: usize,
    /// First told more than a minute after they were placed.
    pub late: usize,
    pub exceptions: usize,
}

/// The key of an exception about an order.
pub(crate) fn order_key(channel: &str, external: &str) -> String {
    format!("order:{channel}:{external}")
}

impl TakeOrders {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.progress.push(self.channel);
        needs.listings.extend(&self.settle);
        for told in &self.orders {
            needs.market_orders.push(market_key(self.channel, &told.id));
            needs.references.push((&self.channel_code, &told.id));
            needs.exception_keys.push(order_key(&self.channel_code, &told.id));
            needs.postal_code(&told.ship_to.country, told.ship_to.postal_code.as_ref());
            for line in &told.lines {
                needs.externals.push(&line.listing);
                needs.skus.extend(line.sku.as_deref());
            }
        }
        for (id, ..) in &self.unread {
            needs.exception_keys.push(order_key(&self.channel_code, id));
        }
        if !self.orders.is_empty() {
            needs.queued_holds = true;
            needs.supplies();
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut taken = Taken::default();
        for told in &self.orders {
            take(batch, self.channel, told, How::default(), &mut taken)?;
        }
        for (id, why, raw) in &self.unread {
            let title = format!("An order from {} could not be understood", self.channel_code);
            let key = order_key(&self.channel_code, id);
            let trouble = Trouble { kind: Kind::NotUnderstood, key: &key, channel: self.channel, title, detail: why.clone(), payload: raw };
            exceptions::raise(batch, trouble)?;
            taken.exceptions += 1;
        }
        if let Some(progress) = batch.progress.change(self.channel) {
            // An order that could not be read may have sold anything: nothing is known to be counted.
            if self.unread.is_empty() {
                progress.watermark = progress.watermark.max(self.watermark.unwrap_or(0));
            }
            progress.orders_from = progress.orders_from.max(self.orders_from.unwrap_or(0));
        }
        for listing in &self.settle {
            settle(batch, *listing)?;
        }
        Ok(Reply::done(Answer::Taken(taken)))
    }
}

/// The watermark has moved: what a listing can still sell is known better.
fn settle(batch: &mut Batch<'_>, listing: i64) -> Result<(), Stop> {
    let Some(known) = batch.listings.get(listing) else { return Ok(()) };
    let Some(late) = batch.config.channel(known.channel).map(|c| c.late) else { return Ok(()) };
    let mapped = known.item.is_some();
    let (channel, name) = (known.channel, known.sku.clone().unwrap_or_else(|| known.external.clone()));
    let Some(watermark) = batch.progress.get(channel).map(|p| p.watermark) else { return Ok(()) };
    let Some(kept) = batch.listings.change(listing) else { return Ok(()) };
    let settled = kept.exposure.counted_until(watermark, late);
    touch(batch, listing);
    // Of what is no item here nothing was ever given.
    if !mapped {
        return Ok(());
    }
    if settled.oversold > 0 {
        if let Some(progress) = batch.progress.change(channel) {
            progress.oversold_units += settled.oversold;
        }
        let trouble = Trouble {
            kind: Kind::OversoldElsewhere,
            key: &format!("oversold:{listing}"),
            channel,
            title: format!("{} of {name} were sold that the channel was never given", settled.oversold),
            detail: "Somebody raised the quantity on the marketplace. The orders are here; whether there is stock for them is told of each.".into(),
            payload: "",
        };
        exceptions::raise(batch, trouble)?;
    }
    if settled.raised > 0 {
        if let Some(progress) = batch.progress.change(channel) {
            progress.drift_found += 1;
            progress.drift_units += settled.raised;
        }
        let trouble = Trouble {
            kind: Kind::Drift,
            key: &format!("drift:{listing}"),
            channel,
            title: format!("{name} showed {} more than it was given", settled.raised),
            detail: "Somebody changed the quantity on the marketplace. It is being put right.".into(),
            payload: "",
        };
        exceptions::raise(batch, trouble)?;
    }
    Ok(())
}

/// Tries an order again that is kept as it came.
pub(crate) fn again(batch: &mut Batch<'_>, key: &str, how: How) -> Result<(), Stop> {
    let known = batch.market_orders.get(key).ok_or_else(|| Refused::unknown(domain::Noun::Order, key, "id"))?.value.clone();
    take(batch, known.channel, &known.told, how, &mut Taken::default())
}

/// Cancels an order that is kept as it came: here if it was taken on, and there. Answers whether the marketplace was asked to.
pub(crate) fn cancel_there(batch: &mut Batch<'_>, key: &str, reason: &str) -> Result<bool, Stop> {
    let mut known = batch.market_orders.get(key).ok_or_else(|| Refused::unknown(domain::Noun::Order, key, "id"))?.value.clone();
    if let Some(id) = known.order {
        CancelOrder { id, reason: Some(reason.to_owned()), ..CancelOrder::default() }.decide(batch)?;
        return Ok(true);
    }
    if known.told.state == MarketState::Canceled {
        return Ok(false);
    }
    if let Some(id) = known.reservation.take()
        && batch.reservations.get(id).is_some_and(|r| r.status == Status::Held)
    {
        crate::reservations::give_back(batch, id, Status::Released, "reservation.released")?;
    }
    super::outbox::not_taken(batch, known.channel, &known.told.id, reason)?;
    batch.put_market_order(key.to_owned(), known);
    Ok(true)
}

/// Takes one version of one order.
fn take(batch: &mut Batch<'_>, channel: i64, told: &MarketOrder, how: How, taken: &mut Taken) -> Result<(), Stop> {
    let Some(place) = batch.config.channel(channel).cloned() else { return Ok(()) };
    let key = market_key(channel, &told.id);
    let known = batch.market_orders.get(&key).map(|k| k.value.clone());
    let unchanged =
        known.as_ref().is_some_and(|k| told.updated_at < k.told.updated_at || (told == &k.told && (k.order.is_some() || !wants_order(told))));
    if unchanged && !how.again {
        taken.known += 1;
        return Ok(());
    }
    taken.late += usize::from(known.is_none() && told.placed_at + LATE < batch.now);
    let before = known.as_ref().map(|k| k.told.clone());
    let mut kept = known.unwrap_or_else(|| OrderThere::new(channel, told.clone(), batch.now));
    kept.told = told.clone();
    kept.substitutes.extend(how.substitute);

    count(batch, &place, before.as_ref(), &mut kept)?;
    tell_returns(batch, before.as_ref(), &kept);
    let exception = order_key(&place.code, &told.id);
    let trouble = |kind: Kind, title: String, detail: String| (kind, title, detail);
    let problem: Option<(Kind, String, String)> = match &told.state {
        MarketState::Canceled => cancel(batch, &mut kept, taken)?
            .map(|why| trouble(Kind::Unfillable, format!("{} was canceled there and cannot be here", told.number), why)),
        MarketState::Other(word) => Some(trouble(
            Kind::NotUnderstood,
            format!("Order {} is “{word}”", told.number),
            "This state is not known here; the order is kept and nothing was done with it.".into(),
        )),
        _ => match lines(batch, channel, &kept) {
            Err(unmapped) => Some(trouble(
                Kind::Unmapped,
                format!("Order {} has a listing that is no item here", told.number),
                format!("Map {unmapped} to an item, and retry."),
            )),
            Ok(lines) => enter(batch, &place.code, &mut kept, lines, how.backorder, taken)?.map(|refused| {
                let kind = match refused {
                    Refused::InsufficientStock { .. } | Refused::NotRoutable { .. } => Kind::Unfillable,
                    _ => Kind::NotUnderstood,
                };
                trouble(kind, format!("Order {} cannot be taken on", told.number), refused.to_string())
            }),
        },
    };
    match problem {
        Some((kind, title, detail)) => {
            taken.exceptions += 1;
            exceptions::raise(batch, Trouble { kind, key: &exception, channel, title, detail, payload: &told.raw })?;
        }
        None => exceptions::settle(batch, &exception, "solved: the order is in order"),
    }
    batch.put_market_order(key, kept);
    Ok(())
}

fn wants_order(told: &MarketOrder) -> bool {
    matches!(told.state, MarketState::Open | MarketState::Shipped | MarketState::Pending)
}

/// Counts what was sold beyond what has been counted, and what was canceled since the version before.
fn count(batch: &mut Batch<'_>, channel: &super::rows::Channel, before: Option<&MarketOrder>, kept: &mut OrderThere) -> Result<(), Stop> {
    let told = kept.told.clone();
    let sum = |told: &MarketOrder, of: &dyn Fn(&MarketOrder, &MarketLine) -> i64| {
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for line in &told.lines {
            *sums.entry(line.listing.clone()).or_default() += of(told, line).clamp(0, limits::MAX_LINE_QUANTITY);
        }
        sums
    };
    let gone = |told: &MarketOrder, line: &MarketLine| if told.state == MarketState::Canceled { line.quantity } else { line.canceled };
    let was_gone = before.map(|b| sum(b, &gone)).unwrap_or_default();
    for (external, now_gone) in sum(&told, &gone) {
        let Some(id) = batch.external(kept.channel, &external) else { continue };
        let sold: i64 = told.lines.iter().filter(|l| l.listing == external).map(|l| l.quantity.clamp(0, limits::MAX_LINE_QUANTITY)).sum();
        let place = match kept.counted.iter().position(|(listing, _)| *listing == id) {
            Some(place) => place,
            None => {
                kept.counted.push((id, 0));
                kept.counted.len() - 1
            }
        };
        // Canceled units of a version that was never counted were sold first all the same.
        let fresh = (sold - kept.counted[place].1).max(0);
        let back = if channel.restocks { (now_gone - was_gone.get(&external).copied().unwrap_or(0)).clamp(0, sold) } else { 0 };
        if fresh == 0 && back == 0 {
            continue;
        }
        kept.counted[place].1 += fresh;
        let now = batch.now;
        let Some(listing) = batch.listings.change(id) else { continue };
        if fresh > 0 {
            // What was sold beyond the promise shows when the watermark has passed it.
            let _ = listing.exposure.sold(fresh, told.placed_at);
        }
        if back > 0 {
            listing.exposure.restocked(back, told.updated_at);
        }
        listing.demand = listing.demand.sold(fresh, now);
        touch(batch, id);
    }
    Ok(())
}

/// Tells what was given back or paid back there since the version before: those units are on their way home. They are booked when
/// they are there.
fn tell_returns(batch: &mut Batch<'_>, before: Option<&MarketOrder>, kept: &OrderThere) {
    let Some(order) = kept.order else { return };
    let was = |id: &str| before.into_iter().flat_map(|b| &b.lines).find(|l| l.id == id).map_or(0, |l| l.returned);
    let back: Vec<(&MarketLine, i64)> = kept.told.lines.iter().map(|l| (l, l.returned - was(&l.id))).filter(|(_, units)| *units > 0).collect();
    if back.is_empty() {
        return;
    }
    let lines: Vec<serde_json::Value> =
        back.iter().map(|(l, units)| serde_json::json!({ "sku": l.sku, "title": l.title, "quantity": units })).collect();
    let units: i64 = back.iter().map(|(_, units)| units).sum();
    batch.event(
        "order.return_expected",
        order,
        &serde_json::json!({ "id": order.to_string(), "number": kept.told.number, "units": units, "lines": lines }),
    );
}

/// The order's lines as items: (item, how many listings, packs per listing, line).
fn lines(batch: &Batch<'_>, channel: i64, kept: &OrderThere) -> Result<Vec<(std::sync::Arc<Item>, i64, i64, MarketLine)>, String> {
    let mut lines = Vec::with_capacity(kept.told.lines.len());
    for line in &kept.told.lines {
        let listing = batch.external(channel, &line.listing).and_then(|id| batch.listings.get(id));
        let item = match listing {
            Some(listing) => listing.item.and_then(|item| batch.item_by_id(item)).cloned().map(|item| (item, listing.per)),
            // Not in the catalog as it was last read: the SKU itself says what it is, if it is one of ours.
            None => line.sku.as_deref().and_then(|sku| batch.any_item(sku)).map(|item| (item, 1)),
        };
        let item = item.map(|(item, per)| {
            let sent = kept.substitutes.iter().rfind(|(ordered, _)| *ordered == *item.sku).and_then(|(_, sent)| batch.any_item(sent));
            (sent.unwrap_or(item), per)
        });
        match item {
            Some((item, per)) => lines.push((item, line.quantity - line.canceled, per, line.clone())),
            None => return Err(format!("“{}” ({})", line.title, line.sku.as_deref().unwrap_or(&line.listing))),
        }
    }
    Ok(lines)
}

/// Holds or places the order. A refusal is the answer, and nothing was done.
fn enter(
    batch: &mut Batch<'_>,
    channel: &str,
    kept: &mut OrderThere,
    lines: Vec<(std::sync::Arc<Item>, i64, i64, MarketLine)>,
    backorder: bool,
    taken: &mut Taken,
) -> Result<Option<Refused>, Stop> {
    if kept.order.is_some() {
        return cancel_lines(batch, kept, &lines, taken);
    }
    let told = kept.told.clone();
    let wanted = lines.iter().filter(|(_, quantity, ..)| *quantity > 0);
    if told.state == MarketState::Pending {
        if kept.reservation.is_some() {
            return Ok(None);
        }
        let lines: Vec<ReserveLine> =
            wanted.map(|(item, quantity, per, _)| ReserveLine { sku: item.sku.to_string(), quantity: quantity * per, location: None }).collect();
        let reserve = Reserve { lines, expires_in_seconds: HOLD_SECONDS, channel: Some(channel.to_owned()), replaces: None };
        return match reserve.decide(batch) {
            Ok(Reply { answer: Answer::Reservation(view), .. }) => {
                kept.reservation = Some(view.id.0);
                taken.held += 1;
                Ok(None)
            }
            Ok(_) => Ok(None),
            Err(Stop::Refused(refused)) => Ok(Some(refused)),
            Err(stop) => Err(stop),
        };
    }
    let lines: Vec<PlaceLine> = wanted
        .map(|(item, quantity, per, line)| PlaceLine {
            sku: item.sku.to_string(),
            quantity: *quantity,
            unit_price: line.unit_price.clone().zip(told.currency.clone()).map(|(amount, currency)| Amount { amount, currency }),
            pack: *per,
        })
        .collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let now = batch.now;
    let hold = kept.reservation.filter(|id| batch.reservations.get(*id).is_some_and(|r| r.status == Status::Held && r.expires_at > now));
    let place = PlaceOrder {
        channel: channel.to_owned(),
        reference: told.id.clone(),
        ship_to: told.ship_to.clone().into(),
        lines,
        reservation: hold.map(|id| id.to_string()),
        customer: told.customer.clone(),
        backorder,
    };
    match place.decide(batch) {
        Ok(Reply { answer: Answer::Order(view), .. }) => {
            kept.order = Some(view.id.0);
            taken.placed += 1;
            Ok(None)
        }
        Ok(_) => Ok(None),
        Err(Stop::Refused(refused)) => Ok(Some(refused)),
        Err(stop) => Err(stop),
    }
}

/// Cancels what was canceled there of an order that was taken on.
fn cancel_lines(
    batch: &mut Batch<'_>,
    kept: &OrderThere,
    lines: &[(std::sync::Arc<Item>, i64, i64, MarketLine)],
    taken: &mut Taken,
) -> Result<Option<Refused>, Stop> {
    let Some(order) = kept.order.and_then(|id| batch.orders.get(id)) else { return Ok(None) };
    let mut less: Vec<SkuLine> = Vec::new();
    for (item, quantity, per, _) in lines {
        // A kit's canceled units stand on its components; the first tells.
        let (part, of_kit) = item.components.first().copied().unwrap_or((item.id, 1));
        let canceled: i64 = order.lines.iter().filter(|l| l.item == part).map(|l| l.canceled).sum();
        let ordered: i64 = order.lines.iter().filter(|l| l.item == part).map(|l| l.quantity).sum();
        let wanted: i64 = lines.iter().filter(|(i, ..)| i.id == item.id).map(|(_, q, p, _)| q * p * of_kit).sum();
        let gone = (ordered - canceled - wanted).max(0) / of_kit;
        if gone > 0 && *quantity >= 0 && *per > 0 && !less.iter().any(|l| l.sku == *item.sku) {
            less.push(SkuLine { sku: item.sku.to_string(), quantity: gone });
        }
    }
    if less.is_empty() {
        return Ok(None);
    }
    let cancel = CancelOrder { id: order.id, lines: Some(less), reason: Some("canceled on the marketplace".into()), from_channel: true };
    match cancel.decide(batch) {
        Ok(_) => {
            taken.canceled += 1;
            Ok(None)
        }
        Err(Stop::Refused(refused)) => Ok(Some(refused)),
        Err(stop) => Err(stop),
    }
}

/// Cancels all of it. Answers why that cannot be.
fn cancel(batch: &mut Batch<'_>, kept: &mut OrderThere, taken: &mut Taken) -> Result<Option<String>, Stop> {
    if let Some(id) = kept.reservation.take()
        && batch.reservations.get(id).is_some_and(|r| r.status == Status::Held)
    {
        crate::reservations::give_back(batch, id, Status::Released, "reservation.released")?;
    }
    let Some(order) = kept.order.and_then(|id| batch.orders.get(id)) else { return Ok(None) };
    if order.status == Status::Canceled {
        return Ok(None);
    }
    let cancel = CancelOrder { id: order.id, lines: None, reason: Some("canceled on the marketplace".into()), from_channel: true };
    match cancel.decide(batch) {
        Ok(_) => {
            taken.canceled += 1;
            Ok(None)
        }
        Err(Stop::Refused(refused)) => Ok(Some(refused.to_string())),
        Err(stop) => Err(stop),
    }
}
