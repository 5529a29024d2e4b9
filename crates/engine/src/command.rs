//! Every change that can be asked for, what each needs to have loaded, and which file decides it.

use crate::Stop;
use crate::batch::{Batch, postal_key};
use crate::views::*;
use crate::{alerts, catalog, channels, contracts, exceptions, imports, orders, reservations, routing, stock, warehouses};
use serde::Serialize;
use serde_json::value::RawValue;

/// A change.
#[derive(Debug, Clone)]
pub enum Command {
    CreateItem(catalog::items::NewItem),
    UpdateItem(catalog::items::UpdateItem),
    CreateLocation(catalog::locations::NewLocation),
    UpdateLocation(catalog::locations::UpdateLocation),
    SetRules(routing::rules::SetRules),
    Receive(stock::receive::Receive),
    Adjust(stock::adjust::Adjust),
    Move(stock::r#move::Move),
    Count(stock::count::Count),
    Undo(stock::undo::Undo),
    SendTransfer(stock::transfer::SendTransfer),
    ReceiveTransfer(stock::transfer::ReceiveTransfer),
    CancelTransfer(stock::transfer::CancelTransfer),
    Reserve(reservations::reserve::Reserve),
    Release(reservations::release::Release),
    Extend(reservations::extend::Extend),
    Expire(reservations::expire::Expire),
    PlaceOrder(Box<orders::place::PlaceOrder>),
    CancelOrder(orders::cancel::CancelOrder),
    Ship(orders::ship::Ship),
    Reroute(Box<orders::reroute::Reroute>),
    ReturnOrder(orders::r#return::ReturnOrder),
    AddNote(orders::notes::AddNote),
    Fill(orders::fill::Fill),
    RouteQueued(routing::run::RouteQueued),
    Import(imports::ImportRows),
    ConnectChannel(Box<channels::connect::NewChannel>),
    UpdateChannel(channels::connect::UpdateChannel),
    PutListings(channels::listings::PutListings),
    MapListing(channels::listings::MapListing),
    Replan(channels::listings::Replan),
    TakeOrders(Box<channels::take_orders::TakeOrders>),
    BeginPushes(channels::push::BeginPushes),
    EndPushes(channels::push::EndPushes),
    ReadBack(channels::push::ReadBack),
    EndLetters(channels::outbox::EndLetters),
    BeginHandover(warehouses::hand_over::BeginHandover),
    EndHandover(warehouses::hand_over::EndHandover),
    Followed(Box<warehouses::follow::Followed>),
    Snapshot(warehouses::snapshot::Snapshot),
    AgreeContract(Box<contracts::agree::NewContract>),
    ChangeContract(Box<contracts::agree::ChangeContract>),
    Solve(Box<exceptions::solve::Solve>),
    Report(exceptions::Report),
    Alert(alerts::Change),
}

/// What a command needs to have loaded before it is decided.
#[derive(Debug, Default)]
pub struct Needs<'a> {
    pub skus: Vec<&'a str>,
    pub item_ids: Vec<i64>,
    pub reservations: Vec<i64>,
    pub orders: Vec<i64>,
    pub fulfillments: Vec<i64>,
    pub transfers: Vec<i64>,
    /// Movements that may have been undone.
    pub undone: Vec<i64>,
    pub references: Vec<(&'a str, &'a str)>,
    pub postal_codes: Vec<String>,
    pub imports: Vec<&'a str>,
    pub listings: Vec<i64>,
    /// Listings by the marketplaces' names of them.
    pub externals: Vec<&'a str>,
    /// Orders on marketplaces, by channel and the marketplace's id.
    pub market_orders: Vec<String>,
    pub exceptions: Vec<i64>,
    /// Exceptions that may be opened or settled, by what they are about.
    pub exception_keys: Vec<String>,
    /// Channels whose progress may change.
    pub progress: Vec<i64>,
    pub capacity: bool,
    /// Stock may come free, so whoever waits for it is needed too.
    pub supplies: bool,
    /// The reservations that hold the units of queued orders.
    pub queued_holds: bool,
}

impl Needs<'_> {
    pub fn postal_code(&mut self, country: &str, postal_code: Option<&String>) {
        if let Some(code) = postal_code {
            self.postal_codes.push(postal_key(country, code));
        }
    }

    /// Stock may come free: orders that wait for it may be filled, which takes capacity.
    pub fn supplies(&mut self) {
        self.supplies = true;
        self.capacity = true;
    }
}

/// What a command answers.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Item(Box<ItemView>),
    Location(Box<LocationView>),
    Movement(MovementView),
    Transfer(Box<TransferView>),
    Reservation(ReservationView),
    Order(Box<OrderView>),
    Import(Box<ImportView>),
    Routed(routing::run::Routed),
    Rules(Box<routing::rules::RuleSetView>),
    Count {
        count: usize,
    },
    Channel(Box<channels::connect::ChannelView>),
    Listing(Box<channels::listings::ListingView>),
    Contract(Box<contracts::read::ContractView>),
    Taken(channels::take_orders::Taken),
    Pushes(Vec<channels::push::Push>),
    Exception(Box<exceptions::read::ExceptionView>),
    Alert(Box<alerts::edit::AlertView>),
    Delivery(Box<alerts::read::DeliveryView>),
    /// A message that was written to be sent.
    Sent {
        delivery: String,
    },
    /// A note that was written.
    Noted {
        note: String,
    },
    /// The answer that was given the first time.
    Stored(Box<RawValue>),
}

/// An answer, and whether something new came to be.
#[derive(Debug, Clone)]
pub struct Reply {
    pub created: bool,
    /// The first answer again, because the idempotency key or the order's reference was seen before.
    pub replayed: bool,
    pub answer: Answer,
}

impl Reply {
    pub fn created(answer: Answer) -> Reply {
        Reply { created: true, replayed: false, answer }
    }

    pub fn done(answer: Answer) -> Reply {
        Reply { created: false, replayed: false, answer }
    }
}

impl Command {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        match self {
            Command::CreateItem(c) => c.needs(needs),
            Command::UpdateItem(c) => c.needs(needs),
            Command::CreateLocation(_) | Command::UpdateLocation(_) | Command::SetRules(_) => {}
            Command::ConnectChannel(_) | Command::UpdateChannel(_) | Command::Alert(_) => {}
            Command::Receive(c) => c.needs(needs),
            Command::Adjust(c) => c.needs(needs),
            Command::Move(c) => c.needs(needs),
            Command::Count(c) => c.needs(needs),
            Command::Undo(c) => c.needs(needs),
            Command::SendTransfer(c) => c.needs(needs),
            Command::ReceiveTransfer(c) => c.needs(needs),
            Command::CancelTransfer(c) => c.needs(needs),
            Command::Reserve(c) => c.needs(needs),
            Command::Release(c) => c.needs(needs),
            Command::Extend(c) => c.needs(needs),
            Command::Expire(c) => c.needs(needs),
            Command::PlaceOrder(c) => c.needs(needs),
            Command::CancelOrder(c) => c.needs(needs),
            Command::Ship(c) => c.needs(needs),
            Command::Reroute(c) => c.needs(needs),
            Command::ReturnOrder(c) => c.needs(needs),
            Command::AddNote(c) => c.needs(needs),
            Command::Fill(c) => c.needs(needs),
            Command::RouteQueued(c) => c.needs(needs),
            Command::Import(c) => c.needs(needs),
            Command::PutListings(c) => c.needs(needs),
            Command::MapListing(c) => c.needs(needs),
            Command::Replan(c) => c.needs(needs),
            Command::TakeOrders(c) => c.needs(needs),
            Command::BeginPushes(c) => c.needs(needs),
            Command::EndPushes(c) => c.needs(needs),
            Command::ReadBack(c) => c.needs(needs),
            Command::EndLetters(c) => c.needs(needs),
            Command::BeginHandover(c) => c.needs(needs),
            Command::EndHandover(c) => c.needs(needs),
            Command::Followed(c) => c.needs(needs),
            Command::Snapshot(c) => c.needs(needs),
            Command::AgreeContract(c) => c.needs(needs),
            Command::ChangeContract(c) => c.needs(needs),
            Command::Solve(c) => c.needs(needs),
            Command::Report(c) => c.needs(needs),
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        match self {
            Command::CreateItem(c) => c.decide(batch),
            Command::UpdateItem(c) => c.decide(batch),
            Command::CreateLocation(c) => c.decide(batch),
            Command::UpdateLocation(c) => c.decide(batch),
            Command::SetRules(c) => c.decide(batch),
            Command::Receive(c) => c.decide(batch),
            Command::Adjust(c) => c.decide(batch),
            Command::Move(c) => c.decide(batch),
            Command::Count(c) => c.decide(batch),
            Command::Undo(c) => c.decide(batch),
            Command::SendTransfer(c) => c.decide(batch),
            Command::ReceiveTransfer(c) => c.decide(batch),
            Command::CancelTransfer(c) => c.decide(batch),
            Command::Reserve(c) => c.decide(batch),
            Command::Release(c) => c.decide(batch),
            Command::Extend(c) => c.decide(batch),
            Command::Expire(c) => c.decide(batch),
            Command::PlaceOrder(c) => c.decide(batch),
            Command::CancelOrder(c) => c.decide(batch),
            Command::Ship(c) => c.decide(batch),
            Command::Reroute(c) => c.decide(batch),
            Command::ReturnOrder(c) => c.decide(batch),
            Command::AddNote(c) => c.decide(batch),
            Command::Fill(c) => c.decide(batch),
            Command::RouteQueued(c) => c.decide(batch),
            Command::Import(c) => c.decide(batch),
            Command::ConnectChannel(c) => c.decide(batch),
            Command::UpdateChannel(c) => c.decide(batch),
            Command::PutListings(c) => c.decide(batch),
            Command::MapListing(c) => c.decide(batch),
            Command::Replan(c) => c.decide(batch),
            Command::TakeOrders(c) => c.decide(batch),
            Command::BeginPushes(c) => c.decide(batch),
            Command::EndPushes(c) => c.decide(batch),
            Command::ReadBack(c) => c.decide(batch),
            Command::EndLetters(c) => c.decide(batch),
            Command::BeginHandover(c) => c.decide(batch),
            Command::EndHandover(c) => c.decide(batch),
            Command::Followed(c) => c.decide(batch),
            Command::Snapshot(c) => c.decide(batch),
            Command::AgreeContract(c) => c.decide(batch),
            Command::ChangeContract(c) => c.decide(batch),
            Command::Solve(c) => c.decide(batch),
            Command::Report(c) => c.decide(batch),
            Command::Alert(c) => c.decide(batch),
        }
    }
}
