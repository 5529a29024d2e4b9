//! The panels with tables: newest orders, stock at risk, locations.

use super::live::View;
use super::parts::Part;
use super::show::{age, bar, cell, count, icon, iso, minute, num};
use engine::dashboard::{AtRisk, LATELY};
use engine::views::OrderView;
use maud::{Markup, html};

pub fn orders(view: &View) -> Markup {
    let orders = &view.newest.orders;
    let body = html! {
        @if orders.is_empty() {
            p.none { "No orders yet. An order stands here as soon as a channel or a program places one; " a href="/docs" { "the API reference" } " shows how." }
        } @else {
            div.table-wrap {
                table.table {
                    thead { tr {
                        th scope="col" { "Order" } th scope="col" { "Channel" } th.wide scope="col" { "Reference" } th scope="col" { "Status" }
                        th.num scope="col" { "Units" } th.wide scope="col" { "From" } th.num scope="col" { "Age" }
                    } }
                    tbody { @for order in orders { (order_row(order, view.now)) } }
                }
            }
        }
    };
    let head = html! { @if !orders.is_empty() { span.sub { "The last " (num(orders.len() as i64)) } } };
    Part { id: "orders", title: "Newest orders".into(), head, right: html! {}, body }.show()
}

fn order_row(order: &OrderView, now: i64) -> Markup {
    let (shape, class, word) = status(order.status);
    let units: i64 = order.lines.iter().map(|l| l.quantity - l.canceled).sum();
    let mut places: Vec<&str> = order.fulfillments.iter().filter(|f| f.status != "canceled").map(|f| &*f.location).collect();
    places.dedup();
    let places = if places.is_empty() { "–".to_owned() } else { places.join(", ") };
    html! {
        tr data-key={ "o" (order.id.0) } {
            th scope="row" { (order.number) }
            td.channel { (order.channel) }
            td.clip.wide { (order.reference) }
            td { span class={ "st " (class) } { (icon(shape)) (word) } }
            (cell(units))
            td.places.wide { (places) }
            td.num { time datetime=(iso(order.placed_at.0)) { (age(now - order.placed_at.0)) } }
        }
    }
}

/// Shape, class and word of an order's status.
fn status(word: &str) -> (&'static str, &'static str, &'static str) {
    match word {
        "queued" => ("queued", "st-info", "Queued"),
        "open" => ("open", "st-info", "Open"),
        "backordered" => ("warn", "st-warn", "Backordered"),
        "partially_fulfilled" => ("half", "st-info", "Part shipped"),
        "fulfilled" => ("ok", "st-ok", "Fulfilled"),
        _ => ("off", "st-off", "Canceled"),
    }
}

pub fn at_risk(view: &View) -> Markup {
    let rows = view.at_risk();
    let body = html! {
        @if rows.is_empty() {
            p.none { "Nothing is at risk: no item was ordered yet. The items with the least left stand here, of those that sell or are waited for." }
        } @else {
            table.table.risk {
                thead { tr { th scope="col" { "Item" } th.num scope="col" { "Available" } th.num scope="col" { "Waiting" } } }
                tbody { @for row in rows { (risk_row(row)) } }
            }
        }
    };
    let head = html! { @if !rows.is_empty() { span.sub { "Least left, of the last " (num(LATELY)) " orders" } } };
    Part { id: "risk", title: "Stock at risk".into(), head, right: html! {}, body }.show()
}

/// Fill: here, the part in full color still free. Tick: promised. Hatch: on its way.
fn risk_row(row: &AtRisk) -> Markup {
    let owed = row.promised + row.waiting;
    let scale = owed.max(row.promised + row.available + row.incoming).max(1);
    let mut label = format!("{} here, {} of them promised", num(row.promised + row.available), num(row.promised));
    if row.waiting > 0 {
        label.push_str(&format!(", {} waiting", num(row.waiting)));
    }
    if row.incoming > 0 {
        label.push_str(&format!(", {} on the way", num(row.incoming)));
    }
    html! {
        tr data-key={ "r" (row.sku) } {
            td.item {
                div { b { (row.sku) } span title=(row.name) { (row.name) } }
                (bar(&label, scale, &[("b-b", row.promised), ("b-a", row.available), ("b-hatch", row.incoming)], Some(owed)))
            }
            @if row.available == 0 { td.num { span.is-warn { "None" } } } @else { (cell(row.available)) }
            @if row.waiting > 0 { td.num { span.is-danger { (num(row.waiting)) } } } @else { (cell(0)) }
        }
    }
}

pub fn locations(view: &View) -> Markup {
    let places: Vec<_> = view.locations.iter().filter(|l| l.active).collect();
    let closed = view.locations.len() - places.len();
    let row = |place: &&domain::routing::Location| {
        let (open, today) = view.totals.fulfillments.iter().find(|f| f.0 == place.id).map_or((0, 0), |f| (f.1, f.2));
        let limit = place.daily_capacity.filter(|most| *most > 0);
        let used = match limit {
            Some(_) => view.newest.capacity.iter().find(|c| c.0 == place.id).map_or(0, |c| c.1),
            None => today,
        };
        html! {
            tr data-key={ "l" (place.id) } {
                th scope="row" { (place.name) span.aside.wide { (place.code) } }
                td.w-bar { (capacity(used, limit)) }
                td.num { (num(used)) @if let Some(most) = limit { " / " (num(most)) } }
                (cell(open))
            }
        }
    };
    let body = html! {
        @if places.is_empty() {
            p.none { "No locations yet. Stock lies at locations; add one with " code { "POST /api/v1/locations" } "." }
        } @else {
            div.table-wrap {
                table.table {
                    thead { tr { th scope="col" { "Location" } th scope="col" { "Daily capacity" } th.num scope="col" { "Orders today" } th.num scope="col" { "Open" } } }
                    tbody { @for place in &places { (row(place)) } }
                }
            }
        }
    };
    let head = html! {
        span.sub {
            (count(places.len() as i64, "location", "locations")) @if closed > 0 { ", " (num(closed as i64)) " closed" }
            @if view.totals_old { ", open as of " (minute(view.totals_at)) }
        }
    };
    let right = html! {
        div.legend.right {
            span { svg.key aria-hidden="true" { rect.b-n width="14" height="8" rx="1" {} } "Taken" }
            span { svg.key aria-hidden="true" { rect.b-tick x="6" width="2" height="8" {} } "Allowed" }
        }
    };
    Part { id: "locations", title: "Locations".into(), head, right, body }.show()
}

/// The tick stands in the same place in each row; a fill beyond it means that the limit was lowered later.
fn capacity(used: i64, limit: Option<i64>) -> Markup {
    let Some(most) = limit else { return html! { span.quiet { "No limit" } } };
    let share = (i128::from(used) * 100 / i128::from(most)) as i64;
    let (class, word, text) = match share {
        100.. => ("b-danger", "is-danger", "Full".to_owned()),
        90.. => ("b-warn", "is-warn", format!("{share}%")),
        _ => ("b-n", "", format!("{share}%")),
    };
    let label = format!("{} of {} orders", num(used), num(most));
    html! {
        div.barcell {
            // In hundredths of the limit, with a tenth of it beyond.
            (bar(&label, 110, &[(class, share.clamp(i64::from(used > 0), 110))], Some(100)))
            span.num { @if word.is_empty() { (text) } @else { span class=(word) { (text) } } }
        }
    }
}
