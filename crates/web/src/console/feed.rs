//! What happened, in words: one sentence an event, of those that the reader may see.

use super::fields::step;
use super::live::View;
use super::parts::{Part, phrase};
use super::show::iso;
use super::today::pause;
use super::viewer::Viewer;
use domain::{Grant, Permission};
use engine::access::reach;
use engine::events::EventView;
use maud::{Markup, html};
use serde_json::Value;

/// Sentences on the page.
const SHOWN: usize = 16;

pub fn panel(v: &Viewer, view: &View) -> Markup {
    let grant = v.caller.as_ref().map(|c| c.grant.clone()).unwrap_or_default();
    let seen = view.newest.events.iter().filter(|e| is_seen(v, e, &grant) && reach::event(e, &grant, &view.config)).take(SHOWN);
    let body = html! {
        ol.feed aria-live="off" {
            @for event in seen { li data-key={ "e" (event.id.0) } { time datetime=(iso(event.time.0)) { (v.clock(event.time.0)) } span { (words(v, event)) } } }
        }
    };
    let head = html! { span.sub { (v.say("{} in all", &[&v.count(view.newest.seq, "event", "events")])) } };
    Part::new("feed", v.t("Events"), body).head(head).right(pause(v, "btn btn-s btn-ghost right")).show()
}

/// Whether the reader's role shows what the event is about.
fn is_seen(v: &Viewer, event: &EventView, grant: &Grant) -> bool {
    match event.kind.split('.').next().unwrap_or_default() {
        "order" | "reservation" => v.may(Permission::OrdersView),
        "stock" | "transfer" | "item" | "location" => v.may(Permission::StockView),
        "channel" | "listing" => v.may(Permission::ChannelsView),
        "contract" => v.may(Permission::ContractsView),
        "exception" => v.may(Permission::ExceptionsView),
        "rules" => v.may(Permission::RoutingView) && !grant.is_limited(),
        "import" => v.may(Permission::ImportsRun) && !grant.is_limited(),
        _ => v.may(Permission::WebhooksView) && !grant.is_limited(),
    }
}

/// An event's data, read for its sentence.
struct Told<'v> {
    v: &'v Viewer,
    id: i64,
    data: Value,
}

impl Told<'_> {
    fn text(&self, name: &str) -> String {
        self.data[name].as_str().unwrap_or("–").to_owned()
    }

    fn bold(&self, name: &str) -> Markup {
        html! { b { (self.text(name)) } }
    }

    fn int(&self, name: &str) -> i64 {
        self.data[name].as_i64().unwrap_or(0)
    }

    fn say(&self, english: &'static str, parts: &[Markup]) -> Markup {
        phrase(self.v, english, parts)
    }

    fn units(&self, n: i64) -> Markup {
        html! { (self.v.count(n, "unit", "units")) }
    }

    fn link(&self, to: &str, name: &str) -> Markup {
        html! { a href=(to) { (self.text(name)) } }
    }

    /// An order's number, as the way to it.
    fn order(&self) -> Markup {
        html! { a href={ "/orders/" (self.id) } { b { (self.text("number")) } } }
    }

    /// An exception by its title.
    fn exception(&self) -> Markup {
        html! { a href={ "/exceptions/" (self.id) } { (self.v.whole(&self.text("title"))) } }
    }

    /// “ from LON, LEE”, “, 3 waiting”: what an order's sentence ends with.
    fn tail(&self) -> Markup {
        let places: Vec<&str> = self.data["locations"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let waiting = self.int("backordered");
        html! {
            @if !places.is_empty() { " " (self.v.say("from {}", &[&places.join(", ")])) }
            @if waiting > 0 { ", " (self.v.say("{} waiting", &[&self.v.num(waiting)])) }
        }
    }

    /// “3 × MUG-1” or “12 units of 4 lines”.
    fn lines(&self) -> Markup {
        let lines: Vec<(&str, i64)> =
            self.data["lines"].as_array().into_iter().flatten().filter_map(|l| Some((l["sku"].as_str()?, l["quantity"].as_i64()?))).collect();
        let all = lines.iter().map(|l| l.1).sum();
        match lines.as_slice() {
            [] => html! { (self.v.t("nothing")) },
            [(sku, quantity)] => html! { (self.v.num(*quantity)) " × " (sku) },
            more => self.say("{} of {}", &[self.units(all), html! { (self.v.count(more.len() as i64, "line", "lines")) }]),
        }
    }

    /// The levels after a movement.
    fn levels(&self) -> Markup {
        let levels: Vec<&Value> = self.data["levels"].as_array().into_iter().flatten().collect();
        let Some(first) = levels.first() else {
            // A warehouse's own count tells one level by itself.
            let by = self.v.signed(self.int("delta"));
            return self.say("{} at {}, by {}", &[self.bold("sku"), html! { (self.text("location")) }, html! { (by) }]);
        };
        let text = |name: &str| first[name].as_str().unwrap_or("–").to_owned();
        let now = self.v.num(first["available"].as_i64().unwrap_or(0));
        let item = html! { a href={ "/items/" (step(&text("sku"))) } { b { (text("sku")) } } };
        html! {
            (self.say("{} at {}, now {} available", &[item, html! { (text("location")) }, html! { (now) }]))
            @if levels.len() > 1 { " " (self.v.say("(and {})", &[&self.v.count(levels.len() as i64 - 1, "other level", "other levels")])) }
        }
    }

    /// Until when a hold lasts.
    fn until(&self) -> Markup {
        let at = self.data["expires_at"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
        html! { (at.map_or_else(|| "–".into(), |t| self.v.minute(t.as_microsecond()))) }
    }
}

fn words(v: &Viewer, event: &EventView) -> Markup {
    let t = Told { v, id: event.subject.0, data: serde_json::from_str(event.data.get()).unwrap_or_default() };
    match event.kind.split('.').next().unwrap_or_default() {
        "order" => of_order(&t, &event.kind),
        "reservation" => of_hold(&t, &event.kind),
        "alert" => of_alert(&t, &event.kind),
        _ => of_others(&t, &event.kind),
    }
}

fn of_order(t: &Told<'_>, kind: &str) -> Markup {
    let order = t.order();
    match kind {
        "order.placed" => html! { (t.say("{} placed on {}, {}", &[order, html! { (t.text("channel")) }, t.units(t.int("units"))])) (t.tail()) },
        "order.routed" => html! { (t.say("{} routed", &[order])) (t.tail()) },
        "order.left_over" => t.say("{} found no place, waits for the next routing run", &[order]),
        "order.filled" => html! { (t.say("{} filled from new stock", &[order])) (t.tail()) },
        "order.shipped" => t.say("{} shipped, {} of {}", &[order, html! { (t.v.num(t.int("shipped"))) }, t.units(t.int("units"))]),
        "order.return_expected" => t.say("{} of {} are on their way back", &[t.units(t.int("units")), order]),
        "order.handed_over" => t.say("{} is with the warehouse", &[order]),
        "order.recalled" => t.say("{} asked back from the warehouse", &[order]),
        "order.rerouted" => t.say("{} sent from elsewhere", &[order]),
        "order.noted" => t.say("Note on {}", &[order]),
        "order.canceled" if t.int("units") > 0 => t.say("{} canceled, {} stay", &[order, t.units(t.int("units"))]),
        "order.canceled" => t.say("{} canceled", &[order]),
        "order.returned" => t.say("{} came back, whole or in parts", &[order]),
        other => html! { (other) " " (order) },
    }
}

fn of_hold(t: &Told<'_>, kind: &str) -> Markup {
    let hold = html! { a href={ "/reservations/" (t.id) } { (t.id) } };
    match kind {
        "reservation.held" => t.say("Hold {}, {} until {}", &[hold, t.lines(), t.until()]),
        "reservation.extended" => t.say("Hold {} extended until {}", &[hold, t.until()]),
        "reservation.released" => t.say("Hold {} released, {}", &[hold, t.lines()]),
        "reservation.expired" => t.say("Hold {} ran out, {} free again", &[hold, t.lines()]),
        "reservation.ordered" => t.say("Hold {} became an order", &[hold]),
        other => html! { (other) " " (hold) },
    }
}

fn of_alert(t: &Told<'_>, kind: &str) -> Markup {
    let webhook = t.link(&format!("/webhooks/{}", t.id), "name");
    match kind {
        "alert.created" => t.say("{} will be told of exceptions", &[webhook]),
        "alert.updated" if t.data["active"] == false => t.say("Alerts to {} switched off", &[webhook]),
        "alert.updated" => t.say("Alerts to {} changed", &[webhook]),
        "alert.deleted" => t.say("{} is no longer told of exceptions", &[html! { (t.text("name")) }]),
        "alert.switched_off" => t.say("Alerts to {} switched off: {}", &[webhook, html! { (t.v.whole(&t.text("reason"))) }]),
        "alert.failed" => t.say("An alert to {} did not arrive", &[t.link(&format!("/webhooks/{}", t.id), "alert")]),
        "alert.replayed" => t.say(
            "{} sent again to {}",
            &[html! { (t.v.count(t.int("deliveries"), "alert", "alerts")) }, t.link(&format!("/webhooks/{}", t.id), "alert")],
        ),
        other => html! { (other) },
    }
}

fn of_others(t: &Told<'_>, kind: &str) -> Markup {
    let transfer = html! { a href={ "/transfers/" (t.id) } { (t.id) } };
    let plain = |name: &str| html! { (t.text(name)) };
    let at = |folder: &str, name: &str| t.link(&format!("/{folder}/{}", step(&t.text(name))), name);
    match kind {
        "stock.received" => t.say("Received {}", &[t.levels()]),
        "stock.adjusted" => t.say("Adjusted {}", &[t.levels()]),
        "stock.moved" => t.say("Moved {}", &[t.levels()]),
        "stock.counted" => t.say("Counted {}", &[t.levels()]),
        "stock.undone" => t.say("Undone: {}", &[t.levels()]),
        "transfer.sent" => t.say("Transfer {} left {} for {}, {}", &[transfer, plain("from"), plain("to"), t.lines()]),
        "transfer.received" => t.say("Transfer {} from {} arrived at {}", &[transfer, plain("from"), plain("to")]),
        "transfer.canceled" => t.say("Transfer {} from {} to {} was canceled", &[transfer, plain("from"), plain("to")]),
        "item.created" => t.say("New item {}", &[at("items", "sku")]),
        "item.updated" => t.say("Item {} changed", &[at("items", "sku")]),
        "location.created" => t.say("New location {}, {}", &[at("locations", "code"), plain("name")]),
        "location.updated" => t.say("Location {} changed", &[at("locations", "code")]),
        "channel.connected" => t.say("Channel {} connected", &[at("channels", "code")]),
        "channel.updated" if t.data["paused"] == true => t.say("Channel {} paused", &[at("channels", "code")]),
        "channel.updated" => t.say("Channel {} changed", &[at("channels", "code")]),
        "contract.agreed" => t.say("Contract {} with {}", &[t.bold("code"), plain("customer")]),
        "contract.changed" => t.say("Contract {} changed", &[t.bold("code")]),
        "listing.mapped" => t.say("Listing of {} on {} mapped", &[t.bold("item"), plain("channel")]),
        "exception.opened" => t.exception(),
        "exception.changed" if t.data["owner"].is_string() => t.say("{} looks after {}", &[t.bold("owner"), t.exception()]),
        "exception.changed" => t.say("Changed: {}", &[t.exception()]),
        "exception.solved" => t.say("Solved: {}", &[t.exception()]),
        "rules.changed" => t.say("Routing rules {} are live", &[t.bold("name")]),
        "import.progressed" => import(t),
        other => html! { (other) " " (t.id) },
    }
}

fn import(t: &Told<'_>) -> Markup {
    let kind = t.text("kind").replace('_', " ");
    let key = t.text("key");
    let (accepted, refused) = (t.v.count(t.int("accepted"), "row", "rows"), t.int("rejected"));
    html! {
        (t.say("Import of {}, {}", &[html! { a href={ "/imports/" (step(&key)) } { (kind) } }, html! { (accepted) }]))
        @if refused > 0 { ", " (t.v.say("{} refused", &[&t.v.num(refused)])) }
        @if t.data["finished"] == true { ", " (t.v.t("done")) }
    }
}

#[cfg(test)]
mod tests {
    /// An event without words would be shown by its bare name.
    #[test]
    fn every_kind_of_event_has_words() {
        let words = include_str!("feed.rs");
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
                            assert!(words.contains(&format!("\"{kind}\"")), "{kind}, told in {}, has no words", path.display());
                            found += 1;
                        }
                    }
                }
            }
        }
        assert!(found > 15, "the search found only {found}");
    }
}
