//! Limits to locations and channels: whether a change stays within what somebody may reach. Every command is here, so that a
//! new one has to say what it touches.

use crate::batch::Batch;
use crate::command::Command;
use domain::{Grant, Noun, Refused};

/// Refuses a change that reaches beyond the locations or channels that the grant is limited to. Names that stand for nothing
/// are left to the operation to refuse.
pub fn check(command: &Command, batch: &Batch<'_>, grant: &Grant) -> Result<(), Refused> {
    if !grant.is_limited() {
        return Ok(());
    }
    let reach = Reach { batch, grant };
    match command {
        Command::Receive(c) => reach.location(&c.location),
        Command::Adjust(c) => reach.location(&c.location),
        Command::Count(c) => reach.location(&c.location),
        Command::Move(c) => reach.location(&c.from.location).and(reach.location(&c.to.location)),
        Command::Undo(c) => reach.undone(&c.entries),
        Command::SendTransfer(c) => reach.location(&c.from),
        Command::ReceiveTransfer(c) => match batch.transfers.get(c.id) {
            Some(transfer) => reach.location_id(transfer.target),
            None => Ok(()),
        },
        // Whoever sent it takes it back.
        Command::CancelTransfer(c) => match batch.transfers.get(c.id) {
            Some(transfer) => reach.location_id(transfer.source),
            None => Ok(()),
        },
        Command::Reserve(c) => {
            reach.channel_of(c.channel.as_deref())?;
            c.lines.iter().try_for_each(|line| match &line.location {
                Some(code) => reach.location(code),
                None => reach.everywhere(),
            })
        }
        Command::Release(c) => reach.reservation(c.id),
        Command::Extend(c) => reach.reservation(c.id),
        Command::PlaceOrder(c) => reach.channel(&c.channel),
        Command::CancelOrder(c) => reach.order(c.id),
        Command::AddNote(c) => reach.noted(c.id),
        Command::ReturnOrder(c) => reach.location(&c.location).and(reach.order_channel(c.id)),
        Command::Ship(c) => reach.fulfillment(c.fulfillment),
        Command::Reroute(c) => {
            reach.fulfillment(c.fulfillment)?;
            c.to.as_deref().map_or(Ok(()), |to| reach.location(to))
        }
        Command::UpdateLocation(c) => reach.location(&c.code),
        Command::UpdateChannel(c) => reach.channel(&c.code),
        Command::ChangeContract(c) => reach.channel(&c.code),
        Command::MapListing(c) => match batch.listings.get(c.id) {
            Some(listing) => reach.channel_id(listing.channel),
            None => Ok(()),
        },
        Command::Solve(c) => match batch.exceptions.get(c.id).and_then(|e| e.channel) {
            Some(channel) => reach.channel_id(channel),
            None => reach.everything(),
        },
        // What belongs to no single location or channel is for those who are not limited.
        Command::CreateLocation(_) | Command::SetRules(_) | Command::RouteQueued(_) | Command::Import(_) | Command::Alert(_) => reach.everything(),
        Command::ConnectChannel(_) | Command::AgreeContract(_) => reach.everything(),
        // The catalog is everybody's.
        Command::CreateItem(_) | Command::UpdateItem(_) => Ok(()),
        // The program's own work.
        Command::Expire(_)
        | Command::Fill(_)
        | Command::PutListings(_)
        | Command::Replan(_)
        | Command::TakeOrders(_)
        | Command::BeginPushes(_)
        | Command::EndPushes(_)
        | Command::ReadBack(_)
        | Command::EndLetters(_)
        | Command::BeginHandover(_)
        | Command::EndHandover(_)
        | Command::Followed(_)
        | Command::Snapshot(_)
        | Command::Report(_) => Ok(()),
    }
}

struct Reach<'a> {
    batch: &'a Batch<'a>,
    grant: &'a Grant,
}

impl Reach<'_> {
    fn location(&self, code: &str) -> Result<(), Refused> {
        match self.batch.config.by_code(code) {
            Some(location) if !self.grant.at(location.id) => Err(Refused::OutOfScope { noun: Noun::Location, name: code.into() }),
            _ => Ok(()),
        }
    }

    fn location_id(&self, id: i64) -> Result<(), Refused> {
        if self.grant.at(id) { Ok(()) } else { Err(Refused::OutOfScope { noun: Noun::Location, name: self.batch.config.code(id).to_string() }) }
    }

    fn channel(&self, code: &str) -> Result<(), Refused> {
        if self.grant.on(code) { Ok(()) } else { Err(Refused::OutOfScope { noun: Noun::Channel, name: code.into() }) }
    }

    fn channel_id(&self, id: i64) -> Result<(), Refused> {
        self.batch.config.channel(id).map_or(Ok(()), |channel| self.channel(&channel.code))
    }

    /// A channel that may be left out: then it is nobody's, and only for those who are limited to none.
    fn channel_of(&self, code: Option<&str>) -> Result<(), Refused> {
        self.channel(code.unwrap_or(""))
    }

    fn everywhere(&self) -> Result<(), Refused> {
        if self.grant.locations.is_none() { Ok(()) } else { Err(Refused::OutOfScope { noun: Noun::Location, name: "any".into() }) }
    }

    fn everything(&self) -> Result<(), Refused> {
        self.everywhere()?;
        if self.grant.channels.is_none() { Ok(()) } else { Err(Refused::OutOfScope { noun: Noun::Channel, name: "any".into() }) }
    }

    fn reservation(&self, id: i64) -> Result<(), Refused> {
        let Some(reservation) = self.batch.reservations.get(id) else { return Ok(()) };
        self.channel_of(reservation.channel.as_deref())?;
        reservation.lines.iter().try_for_each(|(_, location, _)| self.location_id(*location))
    }

    fn order_channel(&self, id: i64) -> Result<(), Refused> {
        self.batch.orders.get(id).map_or(Ok(()), |order| self.channel(&order.channel))
    }

    /// The whole order: its channel, and every location that has something of it to send.
    fn order(&self, id: i64) -> Result<(), Refused> {
        self.order_channel(id)?;
        let Some(order) = self.batch.orders.get(id) else { return Ok(()) };
        let open = order.fulfillments.iter().filter(|f| f.lines.iter().any(|l| l.open() > 0));
        open.map(|f| f.location).try_for_each(|location| self.location_id(location))
    }

    /// An order that can be seen (`reach::order`): its channel, and a location that has something of it.
    fn noted(&self, id: i64) -> Result<(), Refused> {
        self.order_channel(id)?;
        let Some(order) = self.batch.orders.get(id) else { return Ok(()) };
        if order.fulfillments.iter().any(|f| self.grant.at(f.location)) { Ok(()) } else { self.everywhere() }
    }

    fn fulfillment(&self, id: i64) -> Result<(), Refused> {
        let Some(order) = self.batch.order_of_fulfillment(id).and_then(|order| self.batch.orders.get(order)) else { return Ok(()) };
        self.channel(&order.channel)?;
        let place = order.fulfillments.iter().find(|f| f.id == id);
        place.map_or(Ok(()), |f| self.location_id(f.location))
    }

    fn undone(&self, entries: &[crate::stock::undo::Undone]) -> Result<(), Refused> {
        entries.iter().try_for_each(|entry| self.location(&entry.location))
    }
}
