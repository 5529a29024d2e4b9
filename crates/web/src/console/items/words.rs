//! The words of stock: states, causes, who made an entry, what happens when an item runs short. Plain functions of the viewer.

use super::on;
use crate::console::viewer::Viewer;
use engine::stock::table::State;
use engine::{Config, WhenShort};

const DAY_MICROS: f64 = 86_400e6;

/// A state of stock, or an outer account, by its word.
pub fn account(v: &Viewer, word: &str) -> &'static str {
    v.t(match word {
        "available" => "Available",
        "reserved" => "Reserved",
        "committed" => "Committed",
        "damaged" => "Damaged",
        "quality_control" => "Quality control",
        "safety_stock" => "Safety stock",
        "incoming" => "Incoming",
        "supplier" => "Supplier",
        "customer" => "Customer",
        "scrap" => "Written off",
        "count" => "Count",
        "in_transit" => "In transit",
        _ => "Elsewhere",
    })
}

/// Every cause that an entry can have, with its words, in the order in which a filter lists them.
pub const CAUSES: [(&str, &str); 20] = [
    ("stock.received", "Received"),
    ("stock.adjusted", "Adjusted"),
    ("stock.moved", "Moved"),
    ("stock.counted", "Counted"),
    ("stock.undone", "Undone"),
    ("stock.imported", "Imported"),
    ("transfer.sent", "Transfer sent"),
    ("transfer.received", "Transfer received"),
    ("transfer.canceled", "Transfer canceled"),
    ("reservation.held", "Hold"),
    ("reservation.released", "Hold released"),
    ("reservation.expired", "Hold ran out"),
    ("order.placed", "Order"),
    ("order.filled", "Order filled"),
    ("order.queued", "Order queued"),
    ("order.routed", "Order routed"),
    ("order.rerouted", "Order rerouted"),
    ("order.shipped", "Shipped"),
    ("order.canceled", "Order canceled"),
    ("order.returned", "Return"),
];

pub fn cause(v: &Viewer, word: &str) -> String {
    CAUSES.iter().find(|(known, _)| *known == word).map_or_else(|| word.replace(['.', '_'], " "), |(_, text)| v.t(text).to_owned())
}

/// Where the document behind an entry is shown.
pub fn document(v: &Viewer, cause: &str, id: i64) -> Option<String> {
    use domain::Permission::OrdersView;
    match cause.split('.').next() {
        Some("order") if v.may(OrdersView) => Some(format!("/orders/{id}")),
        Some("reservation") if v.may(OrdersView) => Some(format!("/reservations/{id}")),
        Some("transfer") => Some(format!("/transfers/{id}")),
        _ => None,
    }
}

/// Who made an entry. The names of channels that somebody may not see stay away.
pub fn actor(v: &Viewer, config: &Config, actor: &str) -> String {
    match actor.split_once(':') {
        Some(("person", login)) => login.to_owned(),
        Some(("key", name)) => v.say("Key {}", &[&name]),
        Some(("channel", code)) if on(v, code) => config.channel_by_code(code).map_or_else(|| code.to_owned(), |c| c.name.clone()),
        Some(("channel", _)) => v.t("A channel").to_owned(),
        _ if actor == "system" => "Holdfast".to_owned(),
        _ => actor.to_owned(),
    }
}

/// What happens when more is ordered than can be promised.
pub fn when_short(v: &Viewer, when: WhenShort) -> &'static str {
    v.t(match when {
        WhenShort::Deny => "Refuse the order",
        WhenShort::Partial => "Send what there is",
        WhenShort::Backorder => "Take it, send later",
        WhenShort::Preorder => "Pre-order",
    })
}

/// Shape, class and words of an item's state. One that has less than a week sells says until when it lasts.
pub fn state(v: &Viewer, state: State, cover_days: Option<f64>) -> (&'static str, &'static str, String) {
    match state {
        State::OnSale => ("ok", "st-ok", v.t("On sale").into()),
        State::Low => ("warn", "st-warn", runs_out(v, cover_days.unwrap_or(0.0))),
        State::NoneFree => ("danger", "st-danger", v.t("None free").into()),
        State::NoStock => ("open", "st-off", v.t("No stock").into()),
        State::Inactive => ("off", "st-off", v.t("Switched off").into()),
    }
}

fn runs_out(v: &Viewer, days: f64) -> String {
    let at = v.now + (days * DAY_MICROS) as i64;
    if v.date(at) == v.date(v.now) {
        return v.t("Runs out today").into();
    }
    let date = v.date(at);
    v.say("Runs out {}", &[&date.split(' ').next().unwrap_or(&date)])
}
