//! Channels: how each is doing, and one with its listings and quotas.

use super::parts::Part;
use super::shell::{self, Page, Sheet};
use super::show::{age, cell, icon, num};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::extract::{Path, State};
use engine::channels::health::{Health, Resync};
use engine::channels::listings::ListingView;
use engine::channels::read::{self, ChannelStatus};
use engine::warehouses::read::{self as handed, HandoverView};
use maud::{Markup, html};

/// A queue older than this is slow, in microseconds.
const SLOW: i64 = 60_000_000;
/// Listings on a channel's page.
const LISTED: i64 = 200;

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let found = app.read(read::all).await?;
    let now = app.engine.now();
    let body = html! {
        div.page-head { div.grow { h1 { "Channels" } p.sub { "Places that sell this stock: what each may still sell, how fast it hears of changes, and what drifted." } } }
        @if found.is_empty() { (empty()) } @else { (table(&app, &found, now)) }
    };
    Ok(shell::page(
        &viewer,
        Sheet { title: "Channels".to_string(), here: "/channels", topics: "orders stock channels exceptions".into(), head: html! {}, body },
    ))
}

fn empty() -> Markup {
    html! {
        section.panel.empty aria-labelledby="h-empty" {
            h2 #h-empty { "No channel is connected" }
            p { "Orders come in from a channel, and quotas of the stock go out to it. Connect one with an admin key; " a href="/docs" { "the API reference" } " lists what each marketplace needs." }
            pre.cmd { code { "curl -X POST …/api/v1/channels -H 'Authorization: Bearer hf_…' -d '{\"code\": \"shopify\", \"kind\": \"shopify\", …}'" } }
        }
    }
}

fn table(app: &App, found: &[ChannelStatus], now: i64) -> Markup {
    let body = html! {
        div.table-wrap { table.table {
            thead { tr {
                th scope="col" { "Channel" } th scope="col" { "State" } th.num scope="col" { "p50 ms" } th.num scope="col" { "p95 ms" } th.num scope="col" { "p99 ms" }
                th.num scope="col" { "Queue" } th.num scope="col" { "Oldest" } th.num scope="col" { "May still sell" } th.num scope="col" { "Drift" }
                th.num scope="col" { "Oversold" } th.num scope="col" { "Listings" } th.num scope="col" { "Calls" }
            } }
            tbody { @for status in found { (row(status, &app.workers.health(status.channel.id.0).unwrap_or_default(), now)) } }
        } }
    };
    Part { id: "channels", title: "All channels".into(), head: html! {}, right: html! {}, body }.show()
}

fn row(status: &ChannelStatus, health: &Health, now: i64) -> Markup {
    let channel = &status.channel;
    let waits = status.oldest_wish.map(|since| now - since.0);
    let ms = |micros: Option<u32>| micros.map_or("–".to_owned(), |m| num(i64::from(m / 1_000)));
    let latency = health.latency();
    html! {
        tr data-key={ "c" (channel.id.0) } {
            th scope="row" { a href={ "/channels/" (channel.code) } { (channel.name) } " " span.aside { (channel.code) } }
            td { (state(status, health, waits)) }
            td.num { (ms(latency.map(|l| l.0))) } td.num { (ms(latency.map(|l| l.1))) } td.num { (ms(latency.map(|l| l.2))) }
            (cell(status.queue))
            td.num { (waits.map_or("–".to_owned(), age)) }
            (cell(status.exposure)) (cell(status.drift_units)) (cell(status.oversold_units)) (cell(status.listings)) (cell(health.calls as i64))
        }
    }
}

fn state(status: &ChannelStatus, health: &Health, waits: Option<i64>) -> Markup {
    let (shape, class, word) = match () {
        () if status.channel.paused => ("pause", "st-off", "Paused"),
        () if health.fault.is_some() => ("danger", "st-danger", "Failing"),
        () if waits.is_some_and(|w| w > SLOW) => ("warn", "st-warn", "Slow"),
        () if status.refused > 0 => ("warn", "st-warn", "Refusals"),
        () => ("ok", "st-ok", "Healthy"),
    };
    let title = health.fault.as_ref().map(|(_, text)| text.as_str());
    html! { span class={ "st " (class) } title=[title] { (icon(shape)) (word) } }
}

pub async fn one(State(app): State<App>, Path(code): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let read = move |tx: &mut engine::db::Tx<'_>, config: &engine::Config| {
        let handed = handed::list(tx, config, &code, i64::MAX, LISTED)?;
        Ok((read::status(tx, config, &code)?, read::listings(tx, config, &code, false, 0, LISTED)?, handed))
    };
    let (status, listings, handed) = app.read(read).await?;
    let (now, health) = (app.engine.now(), app.workers.health(status.channel.id.0).unwrap_or_default());
    let fact = |name: &str, value: String| html! { div { dt { (name) } dd { (value) } } };
    let counted = status.orders_counted_until.map_or("not yet".to_owned(), |t| format!("{} ago", age(now - t.0)));
    let body = html! {
        div.page-head { div.grow { h1 { (status.channel.name) } p.sub { (status.channel.kind) " · " (status.channel.code) } } (state(&status, &health, None)) }
        @if let Some((at, text)) = &health.fault {
            div.banner.banner-warn { (icon("warn")) div { b { "The last call failed " (age(now - at)) " ago. " } (text) } }
        }
        div.stack {
        section.panel aria-label="Facts" { div.panel-body { dl.facts-row {
            (fact("Orders counted until", counted)) (fact("May still sell", num(status.exposure))) (fact("Queue", num(status.queue)))
            (fact("Listings mapped", format!("{} of {}", num(status.mapped), num(status.listings)))) (fact("Drift found", format!("{} units in {} listings", num(status.drift_units), num(status.drift_found))))
            (fact("Oversold there", num(status.oversold_units))) (fact("Writes", num(health.pushed as i64))) (fact("Calls", format!("{}, {} throttled", num(health.calls as i64), num(health.throttled as i64))))
            @if let Some((p50, p95, p99)) = health.latency() { (fact("Commit to acknowledged", format!("p50 {}, p95 {}, p99 {}", ms(p50), ms(p95), ms(p99)))) }
            @for (name, left, of) in &health.limits { (fact("Budget of calls", format!("{} of {} left ({name})", num(left.floor() as i64), num(of.floor() as i64)))) }
            @if let Some(resync) = &health.resync { (fact("Resync", resync_told(resync, now))) }
            @if let Some(location) = &status.channel.location { (fact("Stands for", location.to_string())) }
            (fact("Orders read", format!("{}, {} late", num(health.orders_read as i64), num(health.orders_late as i64))))
        } } }
        @if status.channel.location.is_some() { (with_warehouse(&handed, now)) } @else { (listed(&listings, status.listings)) }
        }
    };
    let title = status.channel.name.clone();
    Ok(shell::page(
        &viewer,
        Sheet { title: title.clone(), here: "/channels", topics: "orders stock channels exceptions".into(), head: html! {}, body },
    ))
}

fn ms(micros: u32) -> String {
    format!("{:.1} ms", f64::from(micros) / 1_000.0)
}

/// How far a resync is, in words.
fn resync_told(resync: &Resync, now: i64) -> String {
    let count = format!("{} of {}", num(resync.read as i64), num(resync.of as i64));
    match (&resync.fault, resync.ended_at) {
        (Some(fault), _) => format!("stopped after {count}: {fault}"),
        (None, Some(at)) => format!("{} read, {} ago", num(resync.read as i64), age(now - at)),
        (None, None) => format!("{count} read so far"),
    }
}

/// What a warehouse was given, the newest first.
fn with_warehouse(handed: &[HandoverView], now: i64) -> Markup {
    let body = html! {
        @if handed.is_empty() { p.none { "Nothing was handed over yet." } } @else {
            div.table-wrap { table.table {
                thead { tr { th scope="col" { "Fulfillment" } th scope="col" { "Order" } th scope="col" { "There" } th scope="col" { "State" } th.num scope="col" { "Handed over" } th.num scope="col" { "Last heard of" } } }
                tbody { @for h in handed { tr data-key={ "h" (h.fulfillment.0) } {
                    th scope="row" { (h.fulfillment.0) }
                    td { (h.order.0) }
                    td { (h.external.as_deref().unwrap_or("–")) }
                    td { @match h.state {
                        "shipped" | "canceled" => span.st.st-ok { (icon("ok")) (h.state) },
                        "stuck" | "refused" => span.st.st-danger title=[h.fault.as_deref()] { (icon("danger")) (h.state) },
                        _ => span.st.st-info { (icon("half")) (h.state) @if h.recalled { ", asked back" } },
                    } }
                    td.num { (age(now - h.handed_at.0)) " ago" }
                    td.num { (age(now - h.heard_at.0)) " ago" }
                } } }
            } }
        }
    };
    Part { id: "handovers", title: "Handed over".into(), head: html! {}, right: html! {}, body }.show()
}

fn listed(listings: &[ListingView], all: i64) -> Markup {
    let body = html! {
        @if listings.is_empty() { p.none { "Nothing is listed there yet, or the list has not been read." } } @else {
            div.table-wrap { table.table {
                thead { tr { th scope="col" { "Listing" } th scope="col" { "Item" } th.num scope="col" { "Units each" } th.num scope="col" { "Shown" } th.num scope="col" { "May still sell" } th scope="col" { "State" } } }
                tbody { @for l in listings { tr data-key={ "l" (l.id.0) } {
                    th.clip scope="row" { (l.title) " " span.aside { (l.external) } }
                    td { @if let Some(item) = &l.item { (item) } @else { span.st.st-warn { (icon("warn")) "Unmapped" } } }
                    (cell(l.units_per_listing))
                    td.num { (l.shown.map_or("–".to_owned(), num)) }
                    (cell(l.exposure))
                    td { @if let Some(fault) = &l.fault { span.st.st-danger title=(fault) { (icon("danger")) "Refused" } }
                         @else if l.write_under_way { span.st.st-info { (icon("half")) "Sending" } }
                         @else if l.write_wanted { span.st.st-info { (icon("queued")) "Waits" } }
                         @else { span.st.st-ok { (icon("ok")) "Level" } } }
                } } }
            } }
        }
    };
    let head = html! { span.sub { (num(listings.len() as i64)) " of " (num(all)) } };
    Part { id: "listings", title: "Listings and quotas".into(), head, right: html! {}, body }.show()
}
