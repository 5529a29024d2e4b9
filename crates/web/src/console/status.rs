//! How statuses look everywhere: shape, color and word.

use super::parts::{icon, state};
use super::viewer::Viewer;
use domain::steps::Status;
use maud::{Markup, html};

/// (icon, color, word)
fn look(status: Status) -> (&'static str, &'static str, &'static str) {
    match status {
        Status::Held => ("hold", "info", "Held"),
        Status::Released => ("undo", "off", "Released"),
        Status::Expired => ("clock", "off", "Expired"),
        Status::Ordered => ("ok", "ok", "Ordered"),
        Status::Queued => ("queued", "off", "Queued"),
        Status::Open => ("open", "info", "Open"),
        Status::Backordered => ("hold", "warn", "Backordered"),
        Status::PartiallyFulfilled => ("half", "info", "Partly shipped"),
        Status::Fulfilled => ("ok", "ok", "Shipped"),
        Status::Canceled => ("off", "off", "Canceled"),
        Status::InTransit => ("truck", "info", "On its way"),
        Status::PartiallyReceived => ("half", "info", "Partly received"),
        Status::Received => ("ok", "ok", "Received"),
    }
}

/// For a cell or a line.
pub fn cell(v: &Viewer, status: Status) -> Markup {
    let (shape, color, word) = look(status);
    state(shape, &format!("st-{color}"), v.t(word))
}

/// The word alone.
pub fn word(v: &Viewer, status: Status) -> &'static str {
    v.t(look(status).2)
}

/// Beside a title.
pub fn tag(v: &Viewer, status: Status) -> Markup {
    let (shape, color, word) = look(status);
    let class = if color == "off" { "tag".to_owned() } else { format!("tag tag-{color}") };
    html! { span class=(class) { (icon(shape)) (v.t(word)) } }
}

/// A document's status by its word, as the API writes it; open if it is none.
pub fn parse(word: &str) -> Status {
    Status::parse(word).unwrap_or(Status::Open)
}
