//! Stock as an equation, a row a location: on hand, less what is taken or set aside, is available; incoming stands beside.

use super::Spot;
use crate::console::parts::{Part, help};
use crate::console::viewer::Viewer;
use engine::views::{Balances, LocationStock, StockView};
use maud::{Markup, html};

/// What is taken from on hand, in the order of the columns: (name, how many).
const TAKEN: [(&str, fn(&Balances) -> i64); 5] = [
    ("Reserved", |b| b.reserved),
    ("Committed", |b| b.committed),
    ("Damaged", |b| b.damaged),
    ("Quality control", |b| b.quality_control),
    ("Safety", |b| b.safety_stock),
];

/// The levels of a plain item. `choose` gives the address of the form with a location chosen, if there is a form.
pub fn panel(v: &Viewer, stock: &StockView, spots: &[Spot], choose: Option<&dyn Fn(&str) -> String>) -> Markup {
    let body = html! {
        @if stock.locations.is_empty() {
            p.none { (v.t("Nothing of it has ever been here. Receive some, or import stock.")) }
        } @else {
            div.table-wrap { table.table.table-stack.equation {
                caption.vh { (v.t("Levels by location: on hand less what is taken equals available")) }
                thead { tr {
                    th scope="col" { (v.t("Location")) } th.num scope="col" { (v.t("On hand")) }
                    @for (name, _) in TAKEN { th.num scope="col" { span.op { "−" } (v.t(name)) } }
                    th.num.sum scope="col" { span.op { "=" } (v.t("Available")) } th.num scope="col" { (v.t("Incoming")) }
                } }
                tbody { @for level in &stock.locations { (row(v, level, spots, choose)) } }
                tfoot { tr { th scope="row" { (v.t("All")) } (cells(v, &stock.total)) } }
            } }
        }
    };
    let head = html! { span.sub { (v.t("Each row: on hand less what is taken equals available")) } (help(v, "Reserved: held for a buyer for a while. Committed: of accepted orders, until they ship. Damaged, in quality control or kept as safety stock: here, but not for sale. Incoming: on its way here, promised to nobody.")) };
    Part::new("levels", v.t("Levels"), body).head(head).show()
}

fn row(v: &Viewer, level: &LocationStock, spots: &[Spot], choose: Option<&dyn Fn(&str) -> String>) -> Markup {
    let spot = spots.iter().find(|s| *s.code == *level.location);
    let name = spot.map_or(&*level.location, |s| s.name.as_str());
    html! {
        tr data-key=(level.location) {
            th scope="row" {
                @match choose { Some(choose) => { a href=(choose(&level.location)) title=(v.t("Change stock here")) { (name) } }, None => { (name) } }
                span.aside { a href={ "?at=" (level.location) "#ledger" } title=(v.t("Its entries here")) { (level.location) } @if spot.is_some_and(|s| !s.active) { ", " (v.t("closed")) } }
            }
            (cells(v, &level.balances))
        }
    }
}

fn cells(v: &Viewer, b: &Balances) -> Markup {
    html! {
        td.num data-label=(v.t("On hand")) { (v.num(b.on_hand)) }
        @for (name, taken) in TAKEN { @let n = taken(b); td.num.zero[n == 0] data-label={ "− " (v.t(name)) } { (v.num(n)) } }
        td.num.sum.is-warn[b.available == 0 && b.on_hand > 0] data-label={ "= " (v.t("Available")) } { (v.num(b.available)) }
        td.num.zero[b.incoming == 0] data-label=(v.t("Incoming")) { @if b.incoming == 0 { "–" } @else { (v.signed(b.incoming)) } }
    }
}

/// A kit has no stock of its own: how many can be made at each location, and of what.
pub fn kit(v: &Viewer, stock: &StockView, spots: &[Spot]) -> Markup {
    let body = html! {
        div.table-wrap { table.table {
            caption.vh { (v.t("What one kit is made of")) }
            thead { tr { th scope="col" { (v.t("Component")) } th.num scope="col" { (v.t("In one kit")) } } }
            tbody { @for part in &stock.components { tr data-key=(part.sku) {
                th scope="row" { a href=(super::path(&part.sku)) { (part.sku) } } td.num { (v.num(part.quantity)) }
            } } }
        } }
        @if !stock.locations.is_empty() { div.table-wrap { table.table {
            caption.vh { (v.t("Kits that can be made, by location")) }
            thead { tr { th scope="col" { (v.t("Location")) } th.num.sum scope="col" { (v.t("Kits available")) } } }
            tbody { @for level in &stock.locations { tr data-key=(level.location) {
                th scope="row" { (spots.iter().find(|s| *s.code == *level.location).map_or(&*level.location, |s| s.name.as_str())) span.aside { (level.location) } }
                td.num.sum { (v.num(level.balances.available)) }
            } } }
            tfoot { tr { th scope="row" { (v.t("All")) } td.num.sum { (v.num(stock.total.available)) } } }
        } } }
    };
    let head = html! { span.sub { (v.t("A kit has no stock of its own: it is available where all of its components are")) } };
    Part::new("levels", v.t("Kit"), body).head(head).show()
}
