//! What happened, in words: one sentence an event.

use super::live::View;
use super::parts::Part;
use super::show::{clock, count, iso, minute, num};
use super::today::pause;
use engine::events::EventView;
use maud::{Markup, html};
use serde_json::Value;

/// Every kind of event there is, for the script: a stream tells them apart by name.
pub const KINDS: &str = "item.created item.updated location.created location.updated rules.changed import.progressed \
    reservation.held reservation.extended reservation.released reservation.expired reservation.ordered \
    order.placed order.routed order.left_over order.filled order.shipped order.canceled order.returned order.return_expected order.handed_over order.recalled order.rerouted order.noted \
    stock.received stock.adjusted stock.moved stock.counted transfer.sent transfer.received \
    channel.connected channel.updated listing.mapped contract.agreed contract.changed exception.opened exception.solved \
    alert.created alert.updated alert.deleted alert.switched_off alert.failed";

pub fn panel(view: &View) -> Markup {
    let events = &view.newest.events;
    let head = html! { span.sub { (count(view.newest.seq, "event", "events")) " in all" } };
    let body = html! {
        ol.feed aria-live="off" {
            @for event in events {
                li data-key={ "e" (event.id.0) } { time datetime=(iso(event.time.0)) { (clock(event.time.0)) } span { (words(event)) } }
            }
        }
    };
    Part { id: "feed", title: "Events".into(), head, right: pause("btn btn-s btn-ghost right"), body }.show()
}

fn words(event: &EventView) -> Markup {
    let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
    let text = |name: &str| data[name].as_str().unwrap_or("–").to_owned();
    let int = |name: &str| data[name].as_i64().unwrap_or(0);
    let id = event.subject.0;
    match event.kind.as_str() {
        "order.placed" => {
            html! { b { (text("number")) } " placed on " (text("channel")) ", " (units(int("units"))) (from(&data)) (waiting(int("backordered"))) }
        }
        "order.routed" => html! { b { (text("number")) } " routed" (from(&data)) (waiting(int("backordered"))) },
        "order.left_over" => html! { b { (text("number")) } " found no place, waits for the next routing run" },
        "order.filled" => html! { b { (text("number")) } " filled from new stock" (waiting(int("backordered"))) },
        "order.shipped" => html! { b { (text("number")) } " shipped, " (num(int("shipped"))) " of " (units(int("units"))) },
        "order.return_expected" => html! { (units(int("units"))) " of " b { (text("number")) } " are on their way back" },
        "order.handed_over" => html! { b { (text("number")) } " is with the warehouse" },
        "order.recalled" => html! { b { (text("number")) } " asked back from the warehouse" },
        "order.rerouted" => html! { b { (text("number")) } " sent from elsewhere" },
        "order.noted" => html! { "Note on " b { (text("number")) } },
        "order.canceled" => html! { b { (text("number")) } " canceled" @if int("units") > 0 { ", " (units(int("units"))) " stay" } },
        "order.returned" => html! { b { (text("number")) } " came back, whole or in parts" },
        "reservation.held" => {
            html! { "Hold " b { (id) } ", " (lines(&data)) " until " (data["expires_at"].as_str().and_then(|t| t.get(11..16)).unwrap_or("–")) }
        }
        "reservation.extended" => {
            html! { "Hold " b { (id) } " extended until " (data["expires_at"].as_str().and_then(|t| t.get(11..16)).unwrap_or("–")) }
        }
        "reservation.released" => html! { "Hold " b { (id) } " released, " (lines(&data)) },
        "reservation.expired" => html! { "Hold " b { (id) } " ran out, " (lines(&data)) " free again" },
        "reservation.ordered" => html! { "Hold " b { (id) } " became an order" },
        "stock.received" => html! { "Received " (levels(&data)) },
        "stock.adjusted" => html! { "Adjusted " (levels(&data)) },
        "stock.moved" => html! { "Moved " (levels(&data)) },
        "stock.counted" => html! { "Counted " (levels(&data)) },
        "transfer.sent" => html! { "Transfer " b { (id) } " left " (text("from")) " for " (text("to")) ", " (lines(&data)) },
        "transfer.received" => html! { "Transfer " b { (id) } " from " (text("from")) " arrived at " (text("to")) },
        "item.created" => html! { "New item " b { (text("sku")) } },
        "item.updated" => html! { "Item " b { (text("sku")) } " changed" },
        "location.created" => html! { "New location " b { (text("code")) } ", " (text("name")) },
        "location.updated" => html! { "Location " b { (text("code")) } " changed" },
        "channel.connected" => html! { "Channel " b { (text("code")) } " connected" },
        "contract.agreed" => html! { "Contract " b { (text("code")) } " with " (text("customer")) },
        "contract.changed" => html! { "Contract " b { (text("code")) } " changed" },
        "channel.updated" => html! { "Channel " b { (text("code")) } @if data["paused"] == true { " paused" } @else { " changed" } },
        "listing.mapped" => html! { "Listing of " b { (text("item")) } " on " (text("channel")) " mapped" },
        "exception.opened" => html! { a href={ "/exceptions/" (id) } { (text("title")) } },
        "exception.solved" => html! { "Solved: " (text("title")) },
        "alert.created" => html! { a href={ "/alerts/" (id) } { (text("name")) } " will be told of exceptions" },
        "alert.updated" => {
            html! { "Alerts to " a href={ "/alerts/" (id) } { (text("name")) } @if data["active"] == false { " switched off" } @else { " changed" } }
        }
        "alert.deleted" => html! { (text("name")) " is no longer told of exceptions" },
        "alert.switched_off" => html! { "Alerts to " a href={ "/alerts/" (id) } { (text("name")) } " switched off: " (text("reason")) },
        "alert.failed" => html! { "An alert to " a href={ "/alerts/" (id) } { (text("alert")) } " did not arrive" },
        "rules.changed" => html! { "Routing rules changed" },
        "import.progressed" => {
            html! { "Import of " (text("kind").replace('_', " ")) ", " (count(int("accepted"), "row", "rows")) @if int("rejected") > 0 { ", " (num(int("rejected"))) " refused" } @if data["finished"] == true { ", done" } }
        }
        other => html! { (other) " " (id) " at " (minute(event.time.0)) },
    }
}

fn units(n: i64) -> String {
    count(n, "unit", "units")
}

fn from(order: &Value) -> String {
    let places: Vec<&str> = order["locations"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if places.is_empty() { String::new() } else { format!(" from {}", places.join(", ")) }
}

fn waiting(n: i64) -> String {
    if n == 0 { String::new() } else { format!(", {} waiting", num(n)) }
}

/// “3 × MUG-1” or “12 units of 4 items”.
fn lines(document: &Value) -> String {
    let lines: Vec<(&str, i64)> =
        document["lines"].as_array().into_iter().flatten().filter_map(|l| Some((l["sku"].as_str()?, l["quantity"].as_i64()?))).collect();
    match lines.as_slice() {
        [] => "nothing".to_owned(),
        [(sku, quantity)] => format!("{} × {sku}", num(*quantity)),
        more => format!("{} of {}", units(more.iter().map(|l| l.1).sum()), count(more.len() as i64, "line", "lines")),
    }
}

/// The levels after a movement.
fn levels(movement: &Value) -> Markup {
    let levels: Vec<&Value> = movement["levels"].as_array().into_iter().flatten().collect();
    let Some(first) = levels.first() else { return html! { "nothing" } };
    let text = |name: &str| first[name].as_str().unwrap_or("–");
    html! {
        b { (text("sku")) } " at " (text("location")) ", now " (num(first["available"].as_i64().unwrap_or(0))) " available"
        @if levels.len() > 1 { " (and " (count(levels.len() as i64 - 1, "other level", "other levels")) ")" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kind that is not listed would change the database without changing the page.
    #[test]
    fn every_kind_of_event_is_listed() {
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/src"))];
        let mut found = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let source = std::fs::read_to_string(&path).unwrap();
                for call in [".event(", "announce(", "finish(batch"] {
                    for rest in source.split(call).skip(1) {
                        let arguments = rest.split(';').next().unwrap();
                        let kinds = arguments.split('"').skip(1).step_by(2).filter(|t| t.contains('.') && !t.contains(' '));
                        for kind in kinds {
                            assert!(KINDS.split(' ').any(|k| k == kind), "{kind}, told in {}, is missing from KINDS and words()", path.display());
                            found += 1;
                        }
                    }
                }
            }
        }
        assert!(found > 15, "the search found only {found}");
    }
}
