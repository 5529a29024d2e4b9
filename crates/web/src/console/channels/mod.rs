//! Channels: places that sell our stock, somebody else's warehouses, and contracts with business customers.
//!
//! Here: the list of all of them, and what a channel's state is called. Beside: connecting one (`connect.rs`), one channel (`one.rs`) with its settings (`settings.rs`) and what can be done (`doing.rs`), its listings
//! (`listings.rs`) or what a warehouse was given (`handovers.rs`), mapping (`mapping.rs`), policies (`policy.rs`, of several listings `policies.rs`), contracts (`contract.rs`).

mod connect;
mod contract;
mod doing;
mod handovers;
mod listings;
mod mapping;
mod one;
mod policies;
mod policy;
mod settings;

pub use connect::{go_on, new};
pub use contract::{agree, change as change_contract};
pub use doing::{check, pause, resume, resync, sell, stop, waiting};
pub use handovers::page as all_handovers;
pub use listings::{one as listing, set as set_listing};
pub use mapping::{map_alike, page as alike};
pub use one::page as one;
pub use policies::{ask as ask_policies, set as set_policies};
pub use settings::{page as settings, set as set_settings, set_policy, subscribe};

use super::export;
use super::fields::{address, step};
use super::line_chart::spark;
use super::parts::{Part, bar, button, empty, help, icon, search_box, sort, sorted, state};
use super::shell::{self, Sheet};
use super::viewer::Viewer;
use crate::App;
use crate::console::live::Live;
use crate::problem::Problem;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::{ChannelsEdit, ContractsEdit, ContractsView, ExceptionsView, ListingsEdit};
use domain::{Noun, Refused};
use engine::Stop;
use engine::channels::health::Health;
use engine::channels::read::{self, ChannelStatus};
use engine::channels::rows::Channel;
use engine::contracts::read::{self as contracts, Sums};
use maud::{Markup, html};
use std::sync::Arc;

/// A queue older than this is slow, in microseconds: a minute.
const SLOW: i64 = 60_000_000;

/// A contract, when it runs (microseconds since 1970 UTC, up to just before the end), and what its lines come to.
type ContractStatus = (Channel, (i64, i64), Sums);

/// A channel that is there, and that the viewer may see.
async fn find(app: &App, v: &Viewer, code: &str) -> Result<Channel, Stop> {
    let (code, grant) = (code.to_owned(), v.grant());
    app.read(move |_, config| {
        let found = config.channel_by_code(&code).filter(|c| grant.on(&c.code)).cloned();
        found.ok_or_else(|| Refused::unknown(Noun::Channel, &code, "code").into())
    })
    .await
}

pub async fn page(State(app): State<App>, Extension(live): Extension<Arc<Live>>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let grant = v.grant();
    let (channels, contracts) = app.read(|tx, config| Ok((read::all(tx, config)?, contracts::sums(tx, config)?))).await?;
    // Figures of all locations are for those who may see all of them.
    let available = if grant.locations.is_none() { Some(live.available(&app, v.signs.seq).await?) } else { None };
    let wanted = v.asked("q").unwrap_or_default().to_lowercase();
    let fits = |code: &str, name: &str| grant.on(code) && (code.to_lowercase().contains(&wanted) || name.to_lowercase().contains(&wanted));
    let health = |s: &ChannelStatus| app.workers.health(s.channel.id.0).unwrap_or_default();
    let mut shown: Vec<(&ChannelStatus, Health)> =
        channels.iter().filter(|s| fits(&s.channel.code, &s.channel.name)).map(|s| (s, health(s))).collect();
    sort(v, &mut shown, sort_by);
    if v.asked("format").as_deref() == Some("csv") {
        return Ok(exported(&shown));
    }
    let mut contracts: Vec<&ContractStatus> = contracts.iter().filter(|(c, ..)| v.may(ContractsView) && fits(&c.code, &c.name)).collect();
    sort(v, &mut contracts, |contracts, column| match column {
        "until" => contracts.sort_by_key(|(_, (_, until), _)| *until),
        "items" => contracts.sort_by_key(|(.., sums)| sums.lines),
        "ordered" => contracts.sort_by_key(|(.., sums)| sums.ordered),
        "missing" => contracts.sort_by_key(|(.., sums)| missing(sums)),
        _ => contracts.sort_by_key(|(channel, ..)| channel.name.to_lowercase()),
    });
    let (warehouses, markets): (Vec<_>, Vec<_>) = shown.into_iter().partition(|(s, _)| s.channel.location.is_some());
    let any = !markets.is_empty() || !warehouses.is_empty() || !contracts.is_empty();
    let body = html! {
        @if !any && wanted.is_empty() { (nothing_yet(v)) }
        @else {
            div.stack {
                (filter(v, &wanted))
                @if !any { section.panel { (empty(v.t("None fits"), html! { (v.t("No channel has this name.")) }, html! { div { a.btn href="/channels" { (v.t("Show all")) } } })) } }
                @if !markets.is_empty() { (places(v, &markets, available)) }
                @if !warehouses.is_empty() { (others(v, &warehouses)) }
                @if !contracts.is_empty() { (agreed(v, &contracts)) }
            }
        }
    };
    let connected = markets.len() + warehouses.len();
    let sub = html! {
        (v.say("{} connected", &[&v.num(connected as i64)])) @if !contracts.is_empty() { ", " (v.count(contracts.len() as i64, "contract", "contracts")) }
        "."
    };
    let add = html! { @if connected > 0 { a.btn href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) } } @if v.may(ChannelsEdit) || v.may(ContractsEdit) { a.btn.btn-primary href="/channels/new" data-key="n" title=(v.t("Connect a channel")) { (icon("plus")) (v.t("Connect a channel")) } } };
    let head = shell::head(v.t("Channels"), sub, add);
    Ok(shell::page(v, Sheet { title: v.t("Channels").into(), here: "/channels", topics: "tick channels".into(), head, body }).into_response())
}

fn sort_by(shown: &mut [(&ChannelStatus, Health)], column: &str) {
    shown.sort_by_key(|(s, _)| s.channel.name.to_lowercase());
    match column {
        "latency" => shown.sort_by_key(|(_, health)| health.latency().map(|l| l.2)),
        "queue" => shown.sort_by_key(|(s, _)| s.queue),
        "drift" => shown.sort_by_key(|(s, _)| s.drift_units),
        "oversold" => shown.sort_by_key(|(s, _)| s.oversold_units),
        "lent" => shown.sort_by_key(|(s, _)| s.exposure_units),
        "calls" => shown.sort_by_key(|(_, health)| health.calls),
        "worked" => shown.sort_by_key(|(_, health)| health.worked_at),
        _ => {}
    }
}

/// Times of the latency in milliseconds; empty where no quantity was acknowledged yet.
fn exported(shown: &[(&ChannelStatus, Health)]) -> Response<Body> {
    let head = [
        "code",
        "name",
        "kind",
        "location",
        "paused",
        "stopped",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "queue",
        "drift_units",
        "oversold_units",
        "lent_units",
        "orders_read",
        "orders_late",
    ];
    let line = |(status, health): &(&ChannelStatus, Health)| {
        let channel = &status.channel;
        let latency = health.latency();
        let ms = [latency.map(|l| l.0), latency.map(|l| l.1), latency.map(|l| l.2)]
            .map(|m| m.map_or_else(String::new, |m| (f64::from(m) / 1_000.0).to_string()));
        let facts =
            [channel.code.to_string(), channel.name.clone(), channel.kind.to_string(), channel.location.as_deref().unwrap_or_default().to_owned()];
        let flags = [channel.paused, channel.stopped].map(|is| u8::from(is).to_string());
        let units = [status.queue, status.drift_units, status.oversold_units, status.exposure_units].map(|n| n.to_string());
        facts.into_iter().chain(flags).chain(ms).chain(units).chain([health.orders_read.to_string(), health.orders_late.to_string()]).collect()
    };
    export::rows("channels.csv", &head, &shown.iter().map(line).collect::<Vec<_>>())
}

fn filter(v: &Viewer, wanted: &str) -> Markup {
    html! {
        form.row method="get" role="search" {
            (search_box(v, "Name or code", wanted))
            @if let Some(sort) = v.asked("sort") { input type="hidden" name="sort" value=(sort); }
            button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
        }
    }
}

fn nothing_yet(v: &Viewer) -> Markup {
    let why = v.t("Orders come in from a channel, and quotas of the stock go out to it: each may sell only units that no other was promised. Connect a marketplace or a third-party warehouse, or make a contract with a customer who orders over the API.");
    let add = html! {
        @if v.may(ChannelsEdit) { div.row { a.btn.btn-primary href="/channels/new" { (icon("plug")) (v.t("Connect the first one")) } } }
        @else { p.small { (v.t("Whoever may change channels here can connect one.")) } }
    };
    html! { section.panel { (empty(v.t("No channel is connected"), html! { (why) }, add)) } }
}

/// What a channel is doing, in a word.
fn standing(v: &Viewer, status: &ChannelStatus, health: &Health) -> Markup {
    let channel = &status.channel;
    let waits = status.oldest_wish.map(|since| v.now - since.0);
    match () {
        () if channel.stopped => state("off", "st-off", v.t("Stopped")),
        () if channel.paused => state("pause", "st-off", v.t("Paused")),
        () if health.fault.is_some() => state("danger", "st-danger", v.t("Failing")),
        () if waits.is_some_and(|w| w > SLOW) => state("warn", "st-warn", v.t("Slow")),
        () if status.refused > 0 => state("warn", "st-warn", v.t("Refusals")),
        () if health.worked_at == 0 => state("open", "st-info", v.t("Not heard of yet")),
        () => state("ok", "st-ok", v.t("Healthy")),
    }
}

fn ms(v: &Viewer, micros: Option<u32>) -> String {
    micros.map_or("–".to_owned(), |m| if m < 10_000 { v.decimal(f64::from(m) / 1_000.0, 1) } else { v.num(i64::from(m / 1_000)) })
}

/// The least that is left of any limit of calls, as a share.
fn budget(health: &Health) -> Option<(&'static str, i64, i64)> {
    let least = health.limits.iter().filter(|(_, _, of)| *of > 0.0).min_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2)))?;
    // A call may be on its way before there is room for it.
    Some((least.0, least.1.floor().max(0.0) as i64, least.2.floor() as i64))
}

fn places(v: &Viewer, shown: &[(&ChannelStatus, Health)], available: Option<i64>) -> Markup {
    let scale = available.unwrap_or_else(|| shown.iter().map(|(s, _)| s.exposure_units).sum()).max(1);
    let body = html! {
        div.table-wrap { table.table.table-tight.table-stack.table-many {
            caption.vh { (v.t("Places that sell")) }
            thead { tr {
                (sorted(v, "name", "Channel", "", "name")) th scope="col" { (v.t("State")) } th.num scope="col" { "p50 ms" } th.num scope="col" { "p95 ms" } (sorted(v, "latency", "p99 ms", "num", "name")) th scope="col" { (v.t("Last hour")) }
                (sorted(v, "queue", "Queue", "num", "name")) th.num scope="col" { (v.t("Oldest")) } (sorted(v, "drift", "Drift", "num", "name")) (sorted(v, "oversold", "Oversold", "num", "name"))
                (sorted(v, "lent", "Lent, units", "w-bar2", "name")) th.num scope="col" { (v.t("Calls left")) } th.num scope="col" { (v.t("Orders read")) } th {}
            } }
            tbody { @for (status, health) in shown { (row(v, status, health, available, scale)) } }
        } }
    };
    let legend = html! { div.legend.right {
        span { svg.key aria-hidden="true" { rect.b-track width="14" height="8" rx="1" {} rect.b-a width="8" height="8" rx="1" {} } (v.t("Lent")) }
        @if available.is_some() { span { svg.key aria-hidden="true" { rect.b-track width="14" height="8" rx="1" {} } (v.t("of all available")) } }
    } };
    let head = help(
        v,
        "Latency is from a change here to the channel's acknowledgement. Lent: units that it may still sell. Drift: units that it showed otherwise than it was told. Oversold: units sold there that it was not lent.",
    );
    Part::new("places", v.t("Places that sell"), body).head(head).right(legend).show()
}

fn row(v: &Viewer, status: &ChannelStatus, health: &Health, available: Option<i64>, scale: i64) -> Markup {
    let channel = &status.channel;
    let latency = health.latency();
    let waits = status.oldest_wish.map(|since| v.now - since.0);
    let hour: Vec<Option<f64>> = one::hour(health, v.now).into_iter().map(|m| m.latency.map(|(_, _, p99)| f64::from(p99))).collect();
    let lent = status.exposure_units;
    let label = match available {
        Some(all) => v.say("{} of {} available units are lent to it", &[&v.num(lent), &v.num(all)]),
        None => v.say("{} units are lent to it", &[&v.num(lent)]),
    };
    // What of it is not dealt with yet stands on the desk.
    let warn = |n: i64, kind: &str| {
        let of_kind = [("as", "table"), ("kind", kind), ("channel", &channel.code)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let to = v.may(ExceptionsView).then(|| address("/exceptions", of_kind.into_iter()));
        html! { @if n == 0 { span.zero { "0" } } @else if let Some(to) = to { a.is-warn href=(to) { (v.num(n)) } } @else { span.is-warn { (v.num(n)) } } }
    };
    html! {
        tr data-row=(channel.code) data-key={ "c" (channel.id.0) } {
            th scope="row" { a href={ "/channels/" (step(&channel.code)) } data-open { (channel.name) } " " span.aside { (channel.code) } }
            td data-label=(v.t("State")) title=[health.fault.as_ref().map(|(_, text)| v.whole(text))] { (standing(v, status, health)) }
            td.num data-label="p50 ms" { (ms(v, latency.map(|l| l.0))) } td.num data-label="p95 ms" { (ms(v, latency.map(|l| l.1))) }
            td.num data-label="p99 ms" { (ms(v, latency.map(|l| l.2))) }
            td data-label=(v.t("Last hour")) { (spark(&hour)) }
            td.num data-label=(v.t("Queue")) { (v.num(status.queue)) }
            td.num data-label=(v.t("Oldest")) { @match waits { Some(w) if w > SLOW => span.is-warn { (v.age(w)) }, Some(w) => (v.age(w)), None => span.zero { "–" } } }
            td.num data-label=(v.t("Drift")) { (warn(status.drift_units, "drift")) }
            td.num data-label=(v.t("Oversold")) { (warn(status.oversold_units, "oversold_elsewhere")) }
            td.w-bar2 data-label=(v.t("Lent, units")) { div.barcell { (bar(&label, scale, &[("b-a", lent.min(scale))], None)) span.num { (v.num(lent)) } } }
            td.num data-label=(v.t("Calls left")) { @match budget(health) { Some((name, left, of)) => span title=(name) { (v.num(left)) span.quiet { " / " (v.num(of)) } }, None => span.zero { "–" } } }
            td.num data-label=(v.t("Orders read")) { span { (v.num(health.orders_read as i64)) @if health.orders_late > 0 { span.is-warn { ", " (v.say("{} late", &[&v.num(health.orders_late as i64)])) } } } }
            td.num { @if v.may(ListingsEdit) { (switch(v, &channel.code, channel.paused)) } }
        }
    }
}

/// Pausing or resuming in one press; neither loses anything.
fn switch(v: &Viewer, code: &str, paused: bool) -> Markup {
    let to = |what: &str| format!("/channels/{}/{what}", step(code));
    let next = [("next", "/channels")];
    html! {
        @if paused { (button(v, &to("resume"), "btn btn-s", &next, html! { (icon("play")) (v.t("Resume")) })) }
        @else { (button(v, &to("pause"), "btn btn-s btn-ghost", &next, html! { (icon("pause")) (v.t("Pause")) })) }
    }
}

fn others(v: &Viewer, shown: &[(&ChannelStatus, Health)]) -> Markup {
    let body = html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("Third-party warehouses")) }
            thead { tr {
                (sorted(v, "name", "Warehouse", "", "name")) th scope="col" { (v.t("State")) } th scope="col" { (v.t("Stands for")) }
                (sorted(v, "drift", "Counted otherwise, units", "num", "name")) (sorted(v, "calls", "Calls", "num", "name")) th.num scope="col" { (v.t("Calls left")) }
                (sorted(v, "worked", "Last worked", "num", "name"))
            } }
            tbody { @for (status, health) in shown {
                @let channel = &status.channel;
                tr data-row=(channel.code) data-key={ "c" (channel.id.0) } {
                    th scope="row" { a href={ "/channels/" (step(&channel.code)) } data-open { (channel.name) } " " span.aside { (channel.code) } }
                    td data-label=(v.t("State")) title=[health.fault.as_ref().map(|(_, text)| v.whole(text))] { (standing(v, status, health)) }
                    td data-label=(v.t("Stands for")) { (channel.location.as_deref().unwrap_or("–")) }
                    td.num data-label=(v.t("Counted otherwise, units")) { (v.num(status.drift_units)) }
                    td.num data-label=(v.t("Calls")) { (v.num(health.calls as i64)) }
                    td.num data-label=(v.t("Calls left")) { @match budget(health) { Some((_, left, of)) => { (v.num(left)) span.quiet { " / " (v.num(of)) } }, None => "–" } }
                    td.num data-label=(v.t("Last worked")) { @if health.worked_at > 0 { (v.ago(health.worked_at)) } @else { "–" } }
                }
            } }
        } }
    };
    Part::new("warehouses", v.t("Third-party warehouses"), body).show()
}

/// Units that are to be set aside for a contract and are not.
fn missing(sums: &Sums) -> i64 {
    (sums.set_aside.min((sums.quantity - sums.ordered).max(0)) - sums.set_aside_now).max(0)
}

fn agreed(v: &Viewer, shown: &[&ContractStatus]) -> Markup {
    let body = html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("Contracts")) }
            thead { tr {
                (sorted(v, "name", "Customer", "", "name")) th scope="col" { (v.t("State")) } (sorted(v, "until", "Until", "", "name")) (sorted(v, "items", "Items", "num", "name"))
                (sorted(v, "ordered", "Ordered of agreed, units", "w-bar", "name")) th.num scope="col" { (v.t("Set aside")) } (sorted(v, "missing", "Missing", "num", "name"))
            } }
            tbody { @for (channel, (from, until), sums) in shown {
                @let missing = missing(sums);
                tr data-row=(channel.code) data-key={ "c" (channel.id) } {
                    th scope="row" { a href={ "/channels/" (step(&channel.code)) } data-open { (channel.name) } " " span.aside { (channel.code) } }
                    td data-label=(v.t("State")) { (contract::standing(v, *from, *until)) }
                    td data-label=(v.t("Until")) { (v.date(*until)) }
                    td.num data-label=(v.t("Items")) { (v.num(sums.lines)) }
                    td.w-bar data-label=(v.t("Ordered of agreed, units")) { div.barcell {
                        (bar(&v.say("{} of {} units ordered, {} agreed to be", &[&v.num(sums.ordered), &v.num(sums.quantity), &v.num(sums.minimum)]), sums.quantity.max(1), &[("b-a", sums.ordered.min(sums.quantity))], (sums.minimum > 0).then_some(sums.minimum)))
                        span.num { (v.num(sums.ordered)) " / " (v.num(sums.quantity)) }
                    } }
                    td.num data-label=(v.t("Set aside")) { (v.num(sums.set_aside_now)) }
                    td.num data-label=(v.t("Missing")) { @if missing > 0 && v.now < *until { span.is-warn { (v.num(missing)) } } @else { span.zero { "0" } } }
                }
            } }
        } }
    };
    Part::new("contracts", v.t("Contracts with customers"), body).show()
}
