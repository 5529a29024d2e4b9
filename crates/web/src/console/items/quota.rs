//! Quota and exposure: what each channel shows of an item, what it may still sell unseen, and what it should have.

use crate::console::parts::{Part, bar, help, state};
use crate::console::viewer::Viewer;
use domain::Permission;
use engine::channels::shares::{Mode, Share, Shares, Why};
use maud::{Markup, html};

pub fn panel(v: &Viewer, shares: &Shares) -> Markup {
    let scale = shares.listings.iter().map(|s| s.per * s.listing.exposure.max(s.quota.unwrap_or(0))).max().unwrap_or(0).max(shares.available).max(1);
    let body = html! {
        @if shares.listings.is_empty() {
            p.none {
                (v.t("No channel sells it. Listings with its SKU are mapped to it as soon as a channel tells of them."))
                @if v.may(Permission::ChannelsView) { " " a href="/channels" { (v.t("Channels")) } }
            }
        } @else {
            div.table-wrap { table.table {
                caption.vh { (v.t("Listings of this item by channel, with what each shows and may still sell")) }
                thead { tr {
                    th scope="col" { (v.t("Channel")) } th.num scope="col" { (v.t("Quota")) } th.num scope="col" { (v.t("Shown")) } th.num scope="col" { (v.t("Exposure")) }
                    th.w-bar2 scope="col" { (v.t("Of what is available")) } th scope="col" { (v.t("Policy")) } th scope="col" { (v.t("State")) }
                } }
                tbody { @for share in &shares.listings { (row(v, share, scale)) } }
            } }
        }
    };
    let free = shares.available - shares.lent;
    let head = html! {
        @if !shares.listings.is_empty() {
            span.sub { (v.say("{} of {} lent, {} free for our own sales", &[&v.num(shares.lent), &v.num(shares.available), &v.num(free.max(0))])) }
            (help(v, "Quota: the most it may be given now. Shown: what it is believed to show. Exposure: the most it can still sell that was not counted here; so many units no other channel is promised."))
        }
    };
    Part::new("quota", v.t("Quota and exposure"), body).head(head).right(legend(v)).show()
}

fn legend(v: &Viewer) -> Markup {
    html! {
        div.legend.right {
            span { svg.key aria-hidden="true" { rect.b-a width="14" height="8" rx="1" {} } (v.t("Shown")) }
            span { svg.key aria-hidden="true" { rect.b-tick x="6" width="2" height="8" {} } (v.t("Quota")) }
            span { svg.key aria-hidden="true" { rect.b-track width="14" height="8" rx="1" {} rect width="14" height="8" rx="1" fill="url(#hatch)" {} } (v.t("May be sold unseen")) }
        }
    }
}

/// Bars are in units of the item, figures in units of the listing.
fn row(v: &Viewer, share: &Share, scale: i64) -> Markup {
    let Share { listing, per, .. } = share;
    let shown = listing.shown.unwrap_or(0);
    let label = v.say("{} shown, {} may still be sold", &[&v.num(shown), &v.num(listing.exposure)]);
    let parts = [("b-a", per * shown.min(listing.exposure)), ("b-hatch", per * (listing.exposure - shown).max(0))];
    html! {
        tr data-key=(listing.id.0) {
            th scope="row" {
                @if v.may(Permission::ChannelsView) && !share.is_contract { a href={ "/channels/" (super::step(&listing.channel)) } { (share.channel) } } @else { (share.channel) }
                small title=(listing.external) { @if share.is_contract { (v.t("Contract")) } @else if listing.title.is_empty() { (listing.external) } @else { (listing.title) } @if *per != 1 { ", " (v.say("{} in one", &[&v.num(*per)])) } }
            }
            td.num { @match share.quota { Some(n) => (v.num(n)), None => "–" } }
            td.num { @match listing.shown { Some(n) => (v.num(n)), None => "–" } }
            td.num { (v.num(listing.exposure)) }
            td { (bar(&label, scale, &parts, share.quota.map(|n| per * n))) }
            td { (policy(v, share)) }
            td { (standing(v, share)) }
        }
    }
}

fn policy(v: &Viewer, share: &Share) -> Markup {
    let policy = &share.policy;
    let mode = match policy.mode {
        _ if share.is_contract => v.t("As agreed").to_owned(),
        _ if policy.never => v.t("Never").to_owned(),
        Mode::Quota => v.t("Quota").to_owned(),
        Mode::Shared { buffer } => v.say("Shared, less {}", &[&v.num(buffer)]),
        Mode::Fixed { units } => v.say("Fixed at {}", &[&v.num(units)]),
    };
    html! {
        (mode)
        @if let Some(cap) = policy.cap { ", " (v.say("at most {}", &[&v.num(cap)])) }
        @if let Some(percent) = policy.percent { ", " (v.say("at most {} %", &[&v.num(percent)])) }
        @if policy.stop_at > 0 { ", " (v.say("stops at {}", &[&v.num(policy.stop_at)])) }
        @if share.is_own { " " span.tag { (v.t("Own")) } }
    }
}

/// What is the matter with it, the worst first.
fn standing(v: &Viewer, share: &Share) -> Markup {
    let listing = &share.listing;
    if let Some(fault) = &listing.fault {
        return html! { (state("danger", "st-danger", v.t("Refused"))) small title=(fault) { (fault.chars().take(48).collect::<String>()) } };
    }
    if share.paused {
        return state("pause", "st-off", v.t("Paused"));
    }
    let since = |text: &'static str, at: i64| v.say(text, &[&v.age(v.now - at)]);
    match share.due {
        Some((at, Why::Overdrawn | Why::Stop | Why::Recall)) => return state("warn", "st-warn", &since("To be lowered for {}", at.0)),
        Some((at, Why::Empty | Why::Refill)) => return state("queued", "st-info", &since("To be raised for {}", at.0)),
        None => {}
    }
    if listing.write_under_way {
        return state("queued", "st-info", v.t("Being written"));
    }
    match listing.shown {
        Some(shown) if shown == listing.exposure => state("ok", "st-ok", v.t("In step")),
        Some(shown) if shown < listing.exposure => state("warn", "st-warn", &v.say("{} not confirmed", &[&v.num(listing.exposure - shown)])),
        Some(_) => state("ok", "st-ok", v.t("Shared")),
        None => state("open", "st-off", v.t("Not shown yet")),
    }
}
