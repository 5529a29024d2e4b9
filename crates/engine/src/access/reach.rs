//! What somebody who is limited to locations or channels may see of a document: all of it, a part, or nothing.

use crate::config::Config;
use crate::events::EventView;
use crate::exceptions::read::ExceptionView;
use crate::views::{Balances, OrderView, ReservationView, StockView, TransferView};
use domain::Grant;
use serde_json::Value;

fn at(grant: &Grant, config: &Config, code: &str) -> bool {
    grant.locations.is_none() || config.by_code(code).is_some_and(|location| grant.at(location.id))
}

/// An order on a channel of theirs, with something to send from a location of theirs.
pub fn order(order: &OrderView, grant: &Grant, config: &Config) -> bool {
    grant.on(&order.channel) && (grant.locations.is_none() || order.fulfillments.iter().any(|f| at(grant, config, &f.location)))
}

/// A hold on a channel of theirs, at locations of theirs alone.
pub fn reservation(held: &ReservationView, grant: &Grant, config: &Config) -> bool {
    grant.on(held.channel.as_deref().unwrap_or("")) && held.lines.iter().all(|line| at(grant, config, &line.location))
}

/// A transfer from or to a location of theirs.
pub fn transfer(transfer: &TransferView, grant: &Grant, config: &Config) -> bool {
    at(grant, config, &transfer.from) || at(grant, config, &transfer.to)
}

/// An exception about a channel of theirs; one about no channel is for who is not limited.
pub fn exception(exception: &ExceptionView, grant: &Grant) -> bool {
    match &exception.channel {
        Some(channel) => grant.on(channel),
        None => !grant.is_limited(),
    }
}

/// The stock at locations of theirs, and its sum.
pub fn stock(stock: StockView, grant: &Grant, config: &Config) -> StockView {
    if grant.locations.is_none() {
        return stock;
    }
    let locations: Vec<_> = stock.locations.into_iter().filter(|l| at(grant, config, &l.location)).collect();
    let mut total = Balances::default();
    for l in &locations {
        let b = &l.balances;
        total.available += b.available;
        total.reserved += b.reserved;
        total.committed += b.committed;
        total.damaged += b.damaged;
        total.quality_control += b.quality_control;
        total.safety_stock += b.safety_stock;
        total.on_hand += b.on_hand;
        total.incoming += b.incoming;
    }
    StockView { total, locations, ..stock }
}

/// An event that names no location and no channel beyond theirs. One that names none at all is about the house, and everybody's.
pub fn event(event: &EventView, grant: &Grant, config: &Config) -> bool {
    if !grant.is_limited() {
        return true;
    }
    let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
    let channel = data["channel"].as_str().or_else(|| event.kind.starts_with("channel.").then(|| data["code"].as_str()).flatten());
    if !channel.is_none_or(|code| grant.on(code)) {
        return false;
    }
    let lists = ["lines", "levels"].into_iter().filter_map(|name| data[name].as_array()).flatten();
    let named =
        lists.filter_map(|line| line["location"].as_str()).chain(data["locations"].as_array().into_iter().flatten().filter_map(Value::as_str));
    let ends = [&data["from"], &data["to"]].into_iter().filter_map(Value::as_str);
    let places: Vec<&str> = named.chain(ends).collect();
    places.is_empty() || places.iter().any(|code| at(grant, config, code))
}
