//! The page while there is nothing to show: what would be here, why it is not, and the first steps.

use super::live::View;
use super::show::count;
use maud::{Markup, html};

pub fn first_steps(view: &View, host: &str) -> Markup {
    let send = |kind: &str| {
        format!("curl -X POST {host}/api/v1/imports/{kind} -H 'Authorization: Bearer hf_…' -H 'Content-Type: text/csv' --data-binary @{kind}.csv")
    };
    let places = view.locations.len() as i64;
    html! {
        section.panel.empty data-part data-key="empty" aria-labelledby="h-empty" {
            svg.art viewBox="0 0 96 56" aria-hidden="true" {
                path d="M4 52V6M92 52V6M4 20h88M4 36h88M4 52h88" {}
                path.hot d="M14 20V9h13v11M33 36V27h11v9" {}
            }
            h2 #h-empty { "No items yet" }
            p { "Orders, stock at risk and every event stand here as they happen. There is nothing to show because this database holds no items. Bring your own with an admin key, or look at the demo first." }
            ol.steps {
                li {
                    span.n aria-hidden="true" { "1" }
                    div { h3 { "Locations" } p { "Where stock lies: code, name, kind, country." @if places > 0 { " There " (if places == 1 { "is " } else { "are " }) (count(places, "location", "locations")) " already." } } pre.cmd { code { (send("locations")) } } }
                }
                li {
                    span.n aria-hidden="true" { "2" }
                    div { h3 { "Items" } p { "What is sold: SKU and name." } pre.cmd { code { (send("items")) } } }
                }
                li {
                    span.n aria-hidden="true" { "3" }
                    div { h3 { "Stock" } p { "How much of it is where: SKU, location, quantity." } pre.cmd { code { (send("stock")) } } }
                }
                li {
                    span.n aria-hidden="true" { svg.i.i-s { use href="#i-play" {} } }
                    div { h3 { "Or see it run" } p { "Starts a server with a catalog, six locations and orders coming in." } pre.cmd { code { "holdfast demo" } } }
                }
            }
            p.small { "This page follows by itself; you need not reload it. All calls are in the " a href="/docs" { "API reference" } "." }
        }
    }
}
