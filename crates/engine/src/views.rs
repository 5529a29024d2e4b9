//! What the engine answers: the documents as callers see them. The API sends them as they are.

use crate::catalog::rows::{Item, WhenShort, kind_word};
use crate::imports::effect::StockEffect;
use crate::kept::Names;
use crate::orders::rows::{Order, OrderLine};
use crate::reservations::rows::Reservation;
use crate::stock::rows::Transfer;
use domain::Money;
use domain::money::Currency;
use domain::routing::Location;
use domain::stock::{Account, Level, STATES};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::ToSchema;

/// An id, shown as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub i64);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// Microseconds since 1970 UTC, shown as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub i64);

/// Reads RFC 3339, such as `2026-03-02T09:00:00Z`.
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(|_| serde::de::Error::custom("a time is written as 2026-03-02T09:00:00Z"))?;
        Ok(Time(time.as_microsecond()))
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => f.write_str("9999-12-31T23:59:59Z"),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Reads a field that may be left out (None), null (`Some(None)`), or there.
pub(crate) fn nullable<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// An amount of money: a decimal in a string, and an ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    #[schema(example = "9.99")]
    pub amount: String,
    #[schema(example = "GBP")]
    pub currency: String,
}

impl Amount {
    /// From minor units; None without a currency.
    pub fn from_minor(minor: i64, currency: Option<&str>) -> Option<Amount> {
        let money = Money { minor, currency: Currency::parse("currency", currency?).ok()? };
        Some(Amount { amount: money.amount(), currency: money.currency.code().to_owned() })
    }

    pub fn parse(&self, field: &str) -> Result<Money, domain::Refused> {
        Money::parse(field, &self.amount, &self.currency)
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SkuQuantity {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub quantity: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeldView {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub quantity: i64,
    #[schema(value_type = String)]
    pub location: Arc<str>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReservationView {
    #[schema(value_type = String)]
    pub id: Id,
    /// held, released, expired or ordered
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub order: Option<Id>,
    pub lines: Vec<HeldView>,
}

impl ReservationView {
    pub fn new(reservation: &Reservation, names: &Names<'_>) -> ReservationView {
        ReservationView {
            id: Id(reservation.id),
            status: reservation.status.word(),
            channel: reservation.channel.clone(),
            created_at: Time(reservation.created_at),
            expires_at: Time(reservation.expires_at),
            order: reservation.order.map(Id),
            lines: reservation
                .lines
                .iter()
                .map(|(item, location, quantity)| HeldView { sku: names.sku(*item), quantity: *quantity, location: names.code(*location) })
                .collect(),
        }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderView {
    #[schema(value_type = String)]
    pub id: Id,
    /// For people, such as H1042.
    pub number: String,
    pub channel: String,
    pub reference: String,
    /// queued, open, backordered, partially_fulfilled, fulfilled or canceled
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Time,
    #[schema(value_type = Object)]
    pub ship_to: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reservation: Option<Id>,
    pub lines: Vec<OrderLineView>,
    pub fulfillments: Vec<FulfillmentView>,
    /// Units of plain items that wait for stock.
    pub backordered: Vec<SkuQuantity>,
    /// Which rule decided, what it cost, and why each location won or lost.
    #[schema(value_type = Object)]
    pub decision: Box<RawValue>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderLineView {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub quantity: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Amount>,
    pub canceled: i64,
    pub backordered: i64,
    pub shipped: i64,
    pub returned: i64,
    /// What a kit is made of, with the same figures in units of each component.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<ComponentView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ComponentView {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub quantity: i64,
    pub canceled: i64,
    pub backordered: i64,
    pub shipped: i64,
    pub returned: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FulfillmentView {
    #[schema(value_type = String)]
    pub id: Id,
    #[schema(value_type = String)]
    pub location: Arc<str>,
    /// open, partially_fulfilled, fulfilled or canceled
    pub status: &'static str,
    /// The day whose capacity it takes up.
    #[schema(value_type = String, format = Date)]
    pub day: String,
    pub lines: Vec<FulfillmentLineView>,
    pub shipments: Vec<ShipmentView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FulfillmentLineView {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub quantity: i64,
    pub shipped: i64,
    pub canceled: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShipmentView {
    #[schema(value_type = String)]
    pub id: Id,
    #[schema(value_type = String, format = DateTime)]
    pub shipped_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    pub lines: Vec<SkuQuantity>,
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn day(day: i64) -> String {
    jiff::Timestamp::from_second(day.saturating_mul(86_400)).map_or_else(|_| String::new(), |t| t.to_string()[..10].to_owned())
}

/// The number that people use for an order.
pub fn order_number(id: i64) -> String {
    format!("H{id}")
}

impl OrderView {
    pub fn new(order: &Order, names: &Names<'_>) -> OrderView {
        let mut backordered: Vec<SkuQuantity> = Vec::new();
        for line in order.lines.iter().filter(|l| l.backordered > 0) {
            let sku = names.sku(line.item);
            match backordered.iter_mut().find(|b| b.sku == sku) {
                Some(known) => known.quantity += line.backordered,
                None => backordered.push(SkuQuantity { sku, quantity: line.backordered }),
            }
        }
        OrderView {
            id: Id(order.id),
            number: order_number(order.id),
            channel: order.channel.clone(),
            reference: order.reference.clone(),
            status: order.status.word(),
            customer: order.customer.clone(),
            placed_at: Time(order.placed_at),
            ship_to: raw(&order.ship_to),
            total: Amount::from_minor(order.total_minor, order.currency.as_deref()),
            reservation: order.reservation.map(Id),
            lines: order_lines(order, names),
            fulfillments: order
                .fulfillments
                .iter()
                .map(|f| FulfillmentView {
                    id: Id(f.id),
                    location: names.code(f.location),
                    status: f.status.word(),
                    day: day(f.day),
                    lines: f
                        .lines
                        .iter()
                        .map(|l| FulfillmentLineView { sku: names.sku(l.item), quantity: l.quantity, shipped: l.shipped, canceled: l.canceled })
                        .collect(),
                    shipments: f
                        .shipments
                        .iter()
                        .map(|s| ShipmentView {
                            id: Id(s.id),
                            shipped_at: Time(s.shipped_at),
                            carrier: s.carrier.clone(),
                            tracking_number: s.tracking_number.clone(),
                            lines: serde_json::from_str::<Vec<(i64, i64)>>(&s.lines)
                                .unwrap_or_default()
                                .into_iter()
                                .map(|(item, quantity)| SkuQuantity { sku: names.sku(item), quantity })
                                .collect(),
                        })
                        .collect(),
                })
                .collect(),
            backordered,
            decision: raw(&order.decision),
        }
    }
}

/// The lines as they were ordered: the components of a kit stand below it, and its figures are whole kits.
fn order_lines(order: &Order, names: &Names<'_>) -> Vec<OrderLineView> {
    let mut views: Vec<OrderLineView> = Vec::new();
    for group in order.lines.chunk_by(|a, b| a.line == b.line) {
        let kits = |figure: fn(&OrderLine) -> i64| group.iter().map(|l| figure(l) / l.per_kit).min().unwrap_or(0);
        let most = |figure: fn(&OrderLine) -> i64| group.iter().map(|l| (figure(l) + l.per_kit - 1) / l.per_kit).max().unwrap_or(0);
        let first = &group[0];
        let components = if first.kit.is_none() { &[][..] } else { group };
        views.push(OrderLineView {
            sku: names.sku(first.kit.unwrap_or(first.item)),
            quantity: first.quantity / first.per_kit,
            unit_price: first.unit_price_minor.and_then(|minor| Amount::from_minor(minor, order.currency.as_deref())),
            canceled: kits(|l| l.canceled),
            backordered: most(|l| l.backordered),
            shipped: kits(|l| l.shipped),
            returned: kits(|l| l.returned),
            components: components
                .iter()
                .map(|l| ComponentView {
                    sku: names.sku(l.item),
                    quantity: l.quantity,
                    canceled: l.canceled,
                    backordered: l.backordered,
                    shipped: l.shipped,
                    returned: l.returned,
                })
                .collect(),
        });
    }
    views
}

/// What an order event tells; the whole order is one call away.
#[derive(Debug, Serialize)]
pub struct OrderSummary<'a> {
    pub id: Id,
    pub number: String,
    pub channel: &'a str,
    pub reference: &'a str,
    pub status: &'static str,
    pub units: i64,
    pub backordered: i64,
    pub shipped: i64,
    pub locations: Vec<Arc<str>>,
    /// Why it was canceled, or came back, if somebody said.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'a str,
}

impl<'a> OrderSummary<'a> {
    pub fn new(order: &'a Order, names: &Names<'_>) -> OrderSummary<'a> {
        let progress = order.progress();
        OrderSummary {
            id: Id(order.id),
            number: order_number(order.id),
            channel: &order.channel,
            reference: &order.reference,
            status: order.status.word(),
            units: progress.ordered - progress.canceled,
            backordered: progress.backordered,
            shipped: progress.shipped,
            locations: order.fulfillments.iter().map(|f| names.code(f.location)).collect(),
            reason: "",
        }
    }
}

/// The balances of a level, or of several added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Balances {
    pub available: i64,
    pub reserved: i64,
    pub committed: i64,
    pub damaged: i64,
    pub quality_control: i64,
    pub safety_stock: i64,
    /// The sum of the six above.
    pub on_hand: i64,
    /// On its way here; beside on hand.
    pub incoming: i64,
}

impl Balances {
    pub fn new(balances: &[i64; 7]) -> Balances {
        let [available, reserved, committed, damaged, quality_control, safety_stock, incoming] = *balances;
        let on_hand = balances[..6].iter().sum();
        Balances { available, reserved, committed, damaged, quality_control, safety_stock, on_hand, incoming }
    }

    /// Adds the balances of another place.
    pub fn add(&mut self, more: &Balances) {
        self.available += more.available;
        self.reserved += more.reserved;
        self.committed += more.committed;
        self.damaged += more.damaged;
        self.quality_control += more.quality_control;
        self.safety_stock += more.safety_stock;
        self.on_hand += more.on_hand;
        self.incoming += more.incoming;
    }

    pub fn get(&self, state: Account) -> i64 {
        [self.available, self.reserved, self.committed, self.damaged, self.quality_control, self.safety_stock, self.incoming]
            .get(STATES.iter().position(|s| *s == state).unwrap_or(STATES.len()))
            .copied()
            .unwrap_or(0)
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StockView {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    #[serde(flatten)]
    pub total: Balances,
    pub locations: Vec<LocationStock>,
    /// For a kit: available is derived from these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<SkuQuantity>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LocationStock {
    #[schema(value_type = String)]
    pub location: Arc<str>,
    #[serde(flatten)]
    pub balances: Balances,
}

impl StockView {
    /// Adds up levels of one plain item: (location, level).
    pub fn new<'l>(sku: Arc<str>, levels: impl Iterator<Item = (Arc<str>, &'l Level)>) -> StockView {
        let mut total = [0i64; 7];
        let mut locations = Vec::new();
        for (location, level) in levels {
            for (sum, balance) in total.iter_mut().zip(level.balances()) {
                *sum += balance;
            }
            locations.push(LocationStock { location, balances: Balances::new(level.balances()) });
        }
        locations.sort_by(|a, b| a.location.cmp(&b.location));
        StockView { sku, total: Balances::new(&total), locations, components: Vec::new() }
    }
}

/// The answer to a change of stock: the document that the entries carry, and the levels after it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MovementView {
    #[schema(value_type = String)]
    pub id: Id,
    /// The levels that changed, as they are now.
    pub levels: Vec<MovedLevel>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MovedLevel {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    #[schema(value_type = String)]
    pub location: Arc<str>,
    #[serde(flatten)]
    pub balances: Balances,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TransferView {
    #[schema(value_type = String)]
    pub id: Id,
    /// in_transit, partially_received, received or canceled
    pub status: &'static str,
    #[schema(value_type = String)]
    pub from: Arc<str>,
    #[schema(value_type = String)]
    pub to: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    pub lines: Vec<TransferLineView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TransferLineView {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub quantity: i64,
    pub received: i64,
    pub lost: i64,
    /// Taken back to where they came from.
    pub canceled: i64,
}

impl TransferView {
    pub fn new(transfer: &Transfer, names: &Names<'_>) -> TransferView {
        TransferView {
            id: Id(transfer.id),
            status: transfer.status.word(),
            from: names.code(transfer.source),
            to: names.code(transfer.target),
            reference: transfer.reference.clone(),
            created_at: Time(transfer.created_at),
            lines: transfer
                .lines
                .iter()
                .map(|l| TransferLineView { sku: names.sku(l.item), quantity: l.quantity, received: l.received, lost: l.lost, canceled: l.canceled })
                .collect(),
        }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemView {
    #[schema(value_type = String)]
    pub sku: Arc<str>,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barcode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_grams: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_mm: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width_mm: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height_mm: Option<i64>,
    pub when_short: WhenShort,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub available_from: Option<Time>,
    pub active: bool,
    /// What a kit is made of; empty for a plain item.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<SkuQuantity>,
}

impl ItemView {
    pub fn new(item: &Item, names: &Names<'_>) -> ItemView {
        ItemView {
            sku: item.sku.clone(),
            name: item.name.clone(),
            barcode: item.barcode.clone(),
            price: item.price_minor.and_then(|minor| Amount::from_minor(minor, item.currency.as_deref())),
            weight_grams: item.weight_grams,
            length_mm: item.length_mm,
            width_mm: item.width_mm,
            height_mm: item.height_mm,
            when_short: item.when_short,
            available_from: item.available_from.map(Time),
            active: item.active,
            components: item.components.iter().map(|(component, quantity)| SkuQuantity { sku: names.sku(*component), quantity: *quantity }).collect(),
        }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LocationView {
    pub code: String,
    pub name: String,
    /// warehouse, store, third_party or dark_store
    pub kind: &'static str,
    pub country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_capacity: Option<i64>,
    /// In micro-units of the currency: 1.00 is 1,000,000.
    pub cost_per_unit: i64,
    pub active: bool,
}

impl From<&Location> for LocationView {
    fn from(location: &Location) -> LocationView {
        LocationView {
            code: location.code.clone(),
            name: location.name.clone(),
            kind: kind_word(location.kind),
            country: location.country.clone(),
            postal_code: location.postal_code.clone(),
            latitude: location.point.map(|p| p.latitude),
            longitude: location.point.map(|p| p.longitude),
            daily_capacity: location.daily_capacity,
            cost_per_unit: location.cost_per_unit,
            active: location.active,
        }
    }
}

/// How an import stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ImportView {
    pub accepted: u64,
    pub rejected: u64,
    /// The first thousand rows that were refused.
    pub errors: Vec<RowError>,
    /// Whether the file was read to its end.
    pub finished: bool,
    /// Rows that an earlier attempt with the same key had done already.
    pub resumed_after: u64,
    /// Of a dry run of stock: what the rows that can be imported would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StockEffect>)]
    pub effect: Option<Box<StockEffect>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RowError {
    /// Counting from 1, the header being line 1.
    pub line: u64,
    pub column: String,
    pub code: String,
    pub detail: String,
    /// The row as it came, a line of CSV with the columns of the file; an order may have several. Left out if it is very long.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub row: String,
}
