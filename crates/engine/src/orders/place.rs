//! Place: an order is accepted, its units are promised and it is routed, in one step or not at all.
//!
//! The story: read the lines, use the hold if there is one, route the rest against the very levels that are being
//! changed, let each item's policy say what to do about units that are missing, then commit.

use super::{announce, commit_units};
use crate::Stop;
use crate::batch::{Batch, Because, day_of};
use crate::catalog::rows::{Item, WhenShort};
use crate::command::{Answer, Needs, Reply};
use crate::contracts;
use crate::orders::fill;
use crate::orders::rows::{Order, OrderLine};
use crate::reservations::live;
use crate::reservations::rows::{HeldLine, Reservation};
use crate::views::{Amount, OrderView, ReservationView};
use connectors::marketplace::Address;
use domain::routing::{self, Candidate, Considered, Decision, Explanation, Facts};
use domain::steps::{Status, Step};
use domain::stock::Account::{Available, Reserved};
use domain::{Noun, Refused, Shortfall, limits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// Where it was sold, such as `web` or `shopify-de`.
    pub channel: String,
    /// The order's name on that channel. The same pair again answers the same order, never a second one.
    pub reference: String,
    pub ship_to: ShipTo,
    pub lines: Vec<PlaceLine>,
    /// A hold whose units become this order's, without ever being let go.
    #[serde(default)]
    pub reservation: Option<String>,
    #[serde(default)]
    pub customer: Option<String>,
    /// Whatever is missing waits for stock, whatever the items' policies say: a person decided so.
    #[serde(skip)]
    pub backorder: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipTo {
    /// ISO 3166-1 alpha-2.
    #[schema(example = "GB")]
    pub country: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address1: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address2: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl From<ShipTo> for Address {
    fn from(ship_to: ShipTo) -> Address {
        let ShipTo { country, postal_code, name, company, address1, address2, city, province, phone, email, .. } = ship_to;
        Address { country, postal_code, name, company, address1, address2, city, province, phone, email }
    }
}

impl From<Address> for ShipTo {
    fn from(address: Address) -> ShipTo {
        let Address { country, postal_code, name, company, address1, address2, city, province, phone, email } = address;
        ShipTo { country, postal_code, name, company, address1, address2, city, province, phone, email, latitude: None, longitude: None }
    }
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceLine {
    pub sku: String,
    pub quantity: i64,
    #[serde(default)]
    pub unit_price: Option<Amount>,
    /// Units in one of what was sold: a marketplace's listing can be a pack. The price is for the pack.
    #[serde(skip, default = "single")]
    pub pack: i64,
}

fn single() -> i64 {
    1
}

/// Why an order is as it is: stored with it, shown to people, replayed by what-if.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredDecision {
    pub rule_set: String,
    #[serde(flatten)]
    pub explanation: Explanation,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Units of one item that the order wants, over all its lines.
struct Want {
    item: Arc<Item>,
    quantity: i64,
    /// Lent to the very contract that it is ordered under.
    lent: i64,
    /// Taken from the hold.
    held: i64,
    /// Cannot be sent now.
    missing: i64,
}

impl PlaceOrder {
    fn held_by(&self) -> Result<Option<i64>, Refused> {
        let parse = |id: &String| id.parse().map_err(|_| Refused::unknown(Noun::Reservation, id, "reservation"));
        self.reservation.as_ref().map(parse).transpose()
    }

    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
        needs.references.push((&self.channel, &self.reference));
        needs.postal_code(&self.ship_to.country, self.ship_to.postal_code.as_ref());
        needs.capacity = true;
        if let Ok(Some(id)) = self.held_by() {
            needs.reservations.push(id);
            needs.supplies();
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        if let Some(known) = batch.order_by_reference(&self.channel, &self.reference).and_then(|id| batch.orders.get(id)) {
            let view = OrderView::new(known, &batch.names());
            return Ok(Reply { created: false, replayed: true, answer: Answer::Order(Box::new(view)) });
        }
        let mut order = self.read(batch)?;
        let mut wants = wants(batch, &order);
        contracts::check(batch, &self.channel, wants.iter().map(|w| (w.item.id, w.quantity)))?;
        let hold = match self.held_by()? {
            Some(id) => Some(live(batch, id, "reservation", Step::Order)?),
            None => None,
        };
        let facts = self.facts(batch, &order);
        let (from_hold, left_in_hold) = split_hold(hold.as_ref(), &mut wants);
        let mut wait = hold.is_none() && batch.config.rules.waits_for_run(&facts);
        let mut decision = decide_rest(batch, &facts, &mut wants, wait);
        if wait && wants.iter().any(|w| w.missing > 0 && w.item.when_short != WhenShort::Partial) {
            // A run places whole orders; one that has to wait for stock would be in two queues at once.
            wait = false;
            decision = decide_rest(batch, &facts, &mut wants, wait);
        }
        for want in wants.iter().filter(|w| w.missing > 0) {
            batch.ask_back(want.item.id, want.quantity - want.held)?;
        }
        let mut notes = Vec::new();
        if hold.is_some() && !from_hold.is_empty() {
            notes.push("Units from the reservation stay at the locations that hold them.".to_owned());
        }
        self.settle_missing(batch, &mut order, &wants, &decision, &mut notes)?;

        // Nothing below refuses.
        order.id = batch.id()?;
        if let Some(hold) = &hold {
            use_hold(batch, &mut order, hold, &from_hold, &left_in_hold)?;
        }
        if wait {
            queue(batch, &mut order, &decision, &wants)?;
            notes.push("Waits for the next routing run; its units are held.".to_owned());
        } else {
            for part in &decision.parts {
                commit_units(batch, &mut order, part.location, wants[part.need].item.id, part.quantity, Available, "order.placed")?;
            }
            order.refresh_status();
        }
        order.decision = stored(batch, decision.explanation, notes);
        for (item, location, _) in &left_in_hold {
            fill::from_level(batch, *item, *location)?;
        }
        contracts::count(batch, None, &order);
        if batch.config.channel_by_code(&self.channel).is_none() {
            for want in &wants {
                batch.sold_here(want.item.id, want.quantity)?;
            }
        }
        let view = OrderView::new(&order, &batch.names());
        announce(batch, &order, "order.placed");
        batch.add_order(order);
        Ok(Reply::created(Answer::Order(Box::new(view))))
    }

    /// The order as it was asked for: kits taken apart, prices added up.
    fn read(&self, batch: &Batch<'_>) -> Result<Order, Refused> {
        limits::name("channel", &self.channel)?;
        limits::name("reference", &self.reference)?;
        limits::lines(self.lines.len())?;
        check_ship_to(&self.ship_to)?;
        if let Some(customer) = &self.customer {
            limits::name("customer", customer)?;
        }
        let mut lines: Vec<OrderLine> = Vec::with_capacity(self.lines.len());
        let mut currency: Option<String> = None;
        let mut total = 0i64;
        for (n, asked) in self.lines.iter().enumerate() {
            let item = batch.item(&asked.sku, format!("lines[{n}].sku"))?;
            limits::quantity(&format!("lines[{n}].quantity"), asked.quantity)?;
            let mut unit_price_minor = None;
            let field = format!("lines[{n}].unit_price");
            let given = asked.unit_price.as_ref().map(|price| price.parse(&field)).transpose()?;
            if let Some(money) = contracts::price(batch, &self.channel, item.id, given, &field)? {
                let code = money.currency.code().to_owned();
                if let Some(expected) = currency.as_ref().filter(|c| **c != code) {
                    return Err(Refused::MixedCurrency { expected: expected.clone(), found: code, field });
                }
                currency = Some(code);
                unit_price_minor = Some(money.minor);
                total = money
                    .minor
                    .checked_mul(asked.quantity)
                    .and_then(|line| total.checked_add(line))
                    .ok_or_else(|| Refused::invalid(field, "makes a total that is too large"))?;
            }
            let line = |item: i64, kit: Option<i64>, per_kit: i64| OrderLine {
                line: n as i64 + 1,
                item,
                kit,
                per_kit,
                quantity: per_kit.saturating_mul(asked.quantity),
                unit_price_minor,
                canceled: 0,
                backordered: 0,
                shipped: 0,
                returned: 0,
            };
            if item.is_kit {
                lines.extend(item.components.iter().map(|(component, per_kit)| line(*component, Some(item.id), per_kit * asked.pack)));
            } else {
                lines.push(line(item.id, None, asked.pack));
            }
        }
        if let Some(huge) = lines.iter().find(|l| l.quantity > limits::MAX_LINE_QUANTITY) {
            let field = format!("lines[{}].quantity", huge.line - 1);
            return Err(Refused::QuantityOutOfRange { field, quantity: huge.quantity, min: 1, max: limits::MAX_LINE_QUANTITY });
        }
        Ok(Order {
            id: 0,
            channel: self.channel.clone(),
            reference: self.reference.clone(),
            status: Status::Open,
            customer: self.customer.clone().or_else(|| batch.contract(&self.channel).map(|c| c.customer.clone())),
            ship_to: serde_json::to_string(&self.ship_to).unwrap_or_else(|_| "{}".into()),
            currency,
            total_minor: total,
            placed_at: batch.now,
            reservation: None,
            decision: String::new(),
            lines,
            fulfillments: Vec::new(),
        })
    }

    fn facts(&self, batch: &Batch<'_>, order: &Order) -> Facts {
        let ship_to = &self.ship_to;
        let given = ship_to.latitude.zip(ship_to.longitude).and_then(|(lat, lon)| domain::geo::Point::new(lat, lon));
        let by_code = || ship_to.postal_code.as_ref().and_then(|code| batch.postal_code_point(&ship_to.country, code));
        Facts {
            channel: self.channel.clone(),
            customer: self.customer.clone().unwrap_or_default(),
            country: ship_to.country.clone(),
            postal_code: ship_to.postal_code.clone().unwrap_or_default(),
            point: given.or_else(by_code),
            skus: self.lines.iter().map(|l| l.sku.clone()).collect(),
            units: order.lines.iter().map(|l| l.quantity).sum(),
        }
    }

    /// Each item's policy on the units that are missing: refuse the order, cut the line, or let it wait.
    fn settle_missing(
        &self,
        batch: &Batch<'_>,
        order: &mut Order,
        wants: &[Want],
        decision: &Decision,
        notes: &mut Vec<String>,
    ) -> Result<(), Refused> {
        let short: Vec<&Want> = wants.iter().filter(|w| w.missing > 0).collect();
        if short.is_empty() {
            return Ok(());
        }
        let all_missing = wants.iter().all(|w| w.missing == w.quantity);
        let denied = !self.backorder && short.iter().any(|w| w.item.when_short == WhenShort::Deny);
        let nothing_left = !self.backorder && all_missing && short.iter().all(|w| w.item.when_short == WhenShort::Partial);
        if denied || nothing_left {
            let really_short = short.iter().any(|w| batch.unlent(w.item.id) + w.lent < w.quantity - w.held);
            if !really_short {
                let reasons = decision.explanation.candidates.iter().map(|c: &Considered| (c.location.clone(), c.reason.clone())).collect();
                return Err(Refused::NotRoutable { reasons });
            }
            return Err(Refused::InsufficientStock { shortfalls: self.shortfalls(batch, &short) });
        }
        for want in short {
            let waits = self.backorder || want.item.when_short != WhenShort::Partial;
            let mut missing = want.missing;
            // The last lines go short first: the first line of an order is served first.
            for line in order.lines.iter_mut().rev().filter(|l| l.item == want.item.id) {
                let share = missing.min(line.quantity);
                missing -= share;
                if waits {
                    line.backordered = share;
                } else {
                    line.canceled = share;
                }
            }
            let what = if waits { "backordered" } else { "not accepted" };
            notes.push(format!("{} of {} {what}.", want.missing, want.item.sku));
        }
        Ok(())
    }

    /// What is short in the caller's own lines: a kit's shortage is told as the kit's.
    fn shortfalls(&self, batch: &Batch<'_>, short: &[&Want]) -> Vec<Shortfall> {
        let is_short = |id: i64| short.iter().any(|w| w.item.id == id && w.item.when_short != WhenShort::Backorder);
        let held = |id: i64| short.iter().find(|w| w.item.id == id).map_or(0, |w| w.held);
        let has = |id: i64| (batch.unlent(id) + batch.lent_to(&self.channel, id)).max(0) + held(id);
        let mut told: Vec<Shortfall> = Vec::new();
        for line in &self.lines {
            let Some(item) = batch.any_item(&line.sku) else { continue };
            if !is_short(item.id) && !item.components.iter().any(|(component, _)| is_short(*component)) {
                continue;
            }
            let available = if item.is_kit { domain::kit::available(item.components.iter().map(|(c, per)| (*per, has(*c)))) } else { has(item.id) };
            match told.iter_mut().find(|s| s.sku == line.sku) {
                Some(known) => known.requested += line.quantity,
                None => told.push(Shortfall { sku: line.sku.clone(), requested: line.quantity, available }),
            }
        }
        told
    }
}

fn check_ship_to(ship_to: &ShipTo) -> Result<(), Refused> {
    if ship_to.country.len() != 2 || !ship_to.country.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Refused::invalid("ship_to.country", "must be a two-letter ISO 3166-1 code such as GB"));
    }
    if let Some(code) = &ship_to.postal_code {
        limits::name("ship_to.postal_code", code)?;
    }
    match (ship_to.latitude, ship_to.longitude) {
        (None, None) => {}
        (Some(latitude), Some(longitude)) if domain::geo::Point::new(latitude, longitude).is_some() => {}
        _ => return Err(Refused::invalid("ship_to.latitude", "must come together with the longitude, within -90..90 and -180..180")),
    }
    for (field, text) in [
        ("ship_to.name", &ship_to.name),
        ("ship_to.company", &ship_to.company),
        ("ship_to.address1", &ship_to.address1),
        ("ship_to.address2", &ship_to.address2),
        ("ship_to.city", &ship_to.city),
        ("ship_to.province", &ship_to.province),
        ("ship_to.phone", &ship_to.phone),
        ("ship_to.email", &ship_to.email),
    ] {
        limits::text(field, text.as_deref().unwrap_or(""))?;
    }
    Ok(())
}

/// The order's units by item: two lines that need the same component are one want.
fn wants(batch: &Batch<'_>, order: &Order) -> Vec<Want> {
    let mut wants: Vec<Want> = Vec::new();
    for line in &order.lines {
        match wants.iter_mut().find(|w| w.item.id == line.item) {
            Some(known) => known.quantity += line.quantity,
            None => {
                if let Some(item) = batch.item_by_id(line.item) {
                    let lent = batch.lent_to(&order.channel, line.item);
                    wants.push(Want { item: item.clone(), quantity: line.quantity, lent, held: 0, missing: 0 });
                }
            }
        }
    }
    wants
}

/// Shares the hold out: what the order uses of it, and what it leaves.
fn split_hold(hold: Option<&Reservation>, wants: &mut [Want]) -> (Vec<HeldLine>, Vec<HeldLine>) {
    let (mut used, mut left) = (Vec::new(), Vec::new());
    for (item, location, quantity) in hold.into_iter().flat_map(|h| &h.lines) {
        let want = wants.iter_mut().find(|w| w.item.id == *item);
        let take = want.as_ref().map_or(0, |w| (w.quantity - w.held).min(*quantity));
        if let Some(want) = want {
            want.held += take;
        }
        if take > 0 {
            used.push((*item, *location, take));
        }
        if take < *quantity {
            left.push((*item, *location, quantity - take));
        }
    }
    (used, left)
}

/// Routes what the hold does not cover. Sets each want's `missing`. An order that waits for a run is only placed
/// tentatively, so capacity does not matter to it.
fn decide_rest(batch: &Batch<'_>, facts: &Facts, wants: &mut [Want], wait: bool) -> Decision {
    let today = day_of(batch.now);
    let now = batch.now;
    let rest: Vec<i64> = wants
        .iter()
        .map(|w| {
            let embargoed = w.item.when_short == WhenShort::Preorder && w.item.available_from.is_some_and(|from| from > now);
            // What is lent to channels may have been sold there.
            if embargoed { 0 } else { (w.quantity - w.held).min((batch.unlent(w.item.id) + w.lent).max(0)) }
        })
        .collect();
    let open: Vec<usize> = (0..wants.len()).filter(|n| rest[*n] > 0).collect();
    let needs: Vec<i64> = open.iter().map(|n| rest[*n]).collect();
    let mut decision = Decision::default();
    if !needs.is_empty() {
        let candidates: Vec<Candidate<'_>> = batch
            .config
            .locations
            .iter()
            .map(|location| Candidate {
                location,
                available: open.iter().map(|n| batch.level(wants[*n].item.id, location.id).get(Available)).collect(),
                capacity_left: if wait { None } else { batch.capacity_left(location, today) },
            })
            .collect();
        decision = routing::route(&batch.config.rules, facts, &needs, &candidates);
        for part in &mut decision.parts {
            part.need = open[part.need];
        }
    }
    for want in wants.iter_mut() {
        want.missing = want.quantity - want.held;
    }
    for part in &decision.parts {
        wants[part.need].missing -= part.quantity;
    }
    decision
}

fn use_hold(batch: &mut Batch<'_>, order: &mut Order, hold: &Reservation, used: &[HeldLine], left: &[HeldLine]) -> Result<(), Stop> {
    for (item, location, quantity) in used {
        commit_units(batch, order, *location, *item, *quantity, Reserved, "order.placed")?;
    }
    for (item, location, quantity) in left {
        batch.post(*item, *location, Reserved, Available, *quantity, Because::of("reservation.released", hold.id))?;
    }
    order.reservation = Some(hold.id);
    let kept = batch.reservations.change(hold.id).ok_or_else(|| Stop::broken("the reservation vanished"))?;
    kept.status = Status::Ordered;
    kept.order = Some(order.id);
    let view = ReservationView::new(&kept.clone(), &batch.names());
    batch.event("reservation.ordered", hold.id, &view);
    Ok(())
}

/// Holds the units of an order that waits for a routing run, in a reservation that belongs to it and never runs out.
fn queue(batch: &mut Batch<'_>, order: &mut Order, decision: &Decision, wants: &[Want]) -> Result<(), Stop> {
    let id = batch.id()?;
    let mut lines: Vec<HeldLine> = Vec::new();
    for part in &decision.parts {
        let item = wants[part.need].item.id;
        batch.post(item, part.location, Available, Reserved, part.quantity, Because::of("order.queued", order.id))?;
        lines.push((item, part.location, part.quantity));
    }
    let hold = Reservation {
        id,
        status: Status::Ordered,
        channel: Some(order.channel.clone()),
        created_at: batch.now,
        expires_at: i64::MAX,
        order: Some(order.id),
        lines,
    };
    batch.reservations.add(id, hold);
    order.reservation = Some(id);
    order.status = Status::Queued;
    Ok(())
}

/// The decision as it is stored.
pub(crate) fn stored(batch: &Batch<'_>, explanation: Explanation, notes: Vec<String>) -> String {
    let decision = StoredDecision { rule_set: batch.config.rules_name.clone(), explanation, notes };
    serde_json::to_string(&decision).unwrap_or_else(|_| "{}".into())
}
