//! Today's page while there is nothing to show: what would be here, why it is not, and the first steps.

use super::live::View;
use super::parts::{icon, phrase, state};
use super::viewer::Viewer;
use domain::Permission;
use maud::{Markup, html};

pub fn first_steps(v: &Viewer, view: &View) -> Markup {
    let places = view.config.locations.len() as i64;
    let step = |n: &str, done: bool, title: &'static str, words: Markup, action: Markup| {
        html! {
            li {
                span.n aria-hidden="true" { (n) }
                div { h3 { (v.t(title)) " " @if done { (state("ok", "st-ok", v.t("Done"))) } } p { (words) } @if !done { div.row { (action) } } }
            }
        }
    };
    let imports = |kind: &str, label: &'static str| html! { @if v.may(Permission::ImportsRun) { a.btn href={ "/imports?kind=" (kind) } { (icon("import")) (v.t(label)) } } };
    html! {
        section.panel.empty data-part data-key="empty" aria-labelledby="h-empty" {
            svg.art viewBox="0 0 96 56" aria-hidden="true" {
                path d="M4 52V6M92 52V6M4 20h88M4 36h88M4 52h88" {}
                path.hot d="M14 20V9h13v11M33 36V27h11v9" {}
            }
            h2 #h-empty { (v.t("No items yet")) }
            p { (v.t("Orders, stock at risk and every event stand here as they happen. There is nothing to show because this database holds no items.")) }
            div.row {
                a.btn.btn-primary href="/guide" { (icon("book")) (v.t("First steps")) }
                @if v.may(Permission::ImportsRun) && !v.is_limited() { (super::imports::sample(v, false, "/")) }
            }
            ol.steps {
                (step("1", places > 0, "Locations", html! { (v.t("Where stock lies: code, name, kind, country.")) @if places > 0 { " " (v.say("There are {} already.", &[&v.num(places)])) } },
                    html! { @if v.may(Permission::LocationsEdit) { a.btn href="/locations/new" { (icon("plus")) (v.t("Add a location")) } } (imports("locations", "Import locations")) }))
                (step("2", false, "Items", html! { (v.t("What is sold: SKU and name.")) }, imports("items", "Import items")))
                (step("3", false, "Stock", html! { (v.t("How much of it is where: SKU, location, quantity.")) }, imports("stock", "Import stock")))
                (step("4", false, "Or see it run", html! { (phrase(v, "{} starts a server of its own with a catalog, six locations, simulated marketplaces and real orders coming in.", &[html! { code { "holdfast demo" } }])) }, html! {}))
            }
            p.small { (phrase(v, "This page follows by itself; you need not reload it. Programs use the {}.", &[html! { a href="/docs" { (v.t("API reference")) } }])) }
        }
    }
}
