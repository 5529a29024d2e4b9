//! Who holds an item: the reservations and orders behind reserved and committed.

use super::{Spot, on};
use crate::console::fields::address;
use crate::console::parts::Part;
use crate::console::viewer::Viewer;
use domain::Permission;
use engine::stock::holders::{Document, Holder, Holders};
use maud::{Markup, html};

/// Holders on channels that the viewer may not see are counted, not named.
pub fn panel(v: &Viewer, sku: &str, holders: &Holders, spots: &[Spot]) -> Markup {
    let orders = v.may(Permission::OrdersView).then(|| address("/orders", [("item".to_owned(), sku.to_owned())].into_iter()));
    let channel = |holder: &Holder| match &holder.document {
        Document::Order { channel, .. } => channel.clone(),
        Document::Reservation { channel, .. } => channel.clone().unwrap_or_default(),
    };
    let (shown, hidden): (Vec<&Holder>, Vec<&Holder>) = holders.rows.iter().partition(|h| v.may(Permission::OrdersView) && on(v, &channel(h)));
    let others = holders.others + hidden.iter().map(|h| h.units).sum::<i64>();
    let held = holders.reserved + holders.committed;
    let body = html! {
        @if held == 0 {
            p.none { (v.t("Nobody: no unit is reserved or committed.")) }
        } @else {
            div.table-wrap { table.table {
                caption.vh { (v.t("Who holds units of this item")) }
                thead { tr {
                    th scope="col" { (v.t("Holder")) } th scope="col" { (v.t("Channel")) } th scope="col" { (v.t("Location")) }
                    th.num scope="col" { (v.t("Units")) } th scope="col" { (v.t("State")) } th scope="col" { (v.t("Until")) }
                } }
                tbody {
                    @for holder in shown { (row(v, holder, spots)) }
                    @if others > 0 { tr data-key="others" {
                        th scope="row" colspan="3" { (v.t("Others")) span.aside { (v.t("further back in the ledger, or not shown to you")) } }
                        td.num { (v.num(others)) } td colspan="2" {}
                    } }
                }
            } }
        }
    };
    let head = html! { @if held > 0 { span.sub { (v.say("{} reserved, {} committed", &[&v.num(holders.reserved), &v.num(holders.committed)])) } } };
    let right = html! { @if let Some(to) = &orders { div.right { a href=(to) { (v.t("Orders with it")) } } } };
    Part::new("holders", v.t("Who holds it"), body).head(head).right(right).show()
}

fn row(v: &Viewer, holder: &Holder, spots: &[Spot]) -> Markup {
    let place = spots.iter().find(|s| s.code == *holder.location).map_or(&*holder.location, |s| s.name.as_str());
    let (key, address, name, channel, until) = match &holder.document {
        Document::Order { id, number, channel, reference, status } => {
            let name = html! { (number) @if !reference.is_empty() { span.aside { (reference) } } };
            (
                id.0,
                format!("/orders/{}", id.0),
                name,
                channel.clone(),
                html! { (v.t("until shipped")) ", " (crate::console::status::word(v, *status)) },
            )
        }
        Document::Reservation { id, channel, expires_at } => {
            let until = html! { time datetime=(crate::console::show::iso(expires_at.0)) { (v.when(expires_at.0)) } };
            (id.0, format!("/reservations/{}", id.0), html! { (v.say("Hold {}", &[&id.0])) }, channel.clone().unwrap_or_default(), until)
        }
    };
    html! {
        tr data-key={ (key) (holder.location) (holder.state) } {
            th scope="row" { a href=(address) { (name) } }
            td { @if channel.is_empty() { "–" } @else { (channel) } }
            td { (place) }
            td.num { (v.num(holder.units)) }
            td { (super::words::account(v, holder.state)) }
            td.quiet { (until) }
        }
    }
}
