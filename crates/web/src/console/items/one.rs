//! The page of an item: figures, levels, who sells and who holds it, the entries behind all of that, its facts, and the forms that
//! change it in place.

use super::asof::AsOf;
use super::charts::{BACK, spark};
use super::done::Done;
use super::{Spot, Where, change, charts, facts, here, holders, ledger, levels, on, path, quota, words};
use crate::App;
use crate::console::fields::{Posted, see};
use crate::console::parts::icon;
use crate::console::shell::{self, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission;
use engine::channels::shares::{self, Shares};
use engine::db::Tx;
use engine::page::Page as Part;
use engine::stock::Ledger;
use engine::stock::holders::{self as holder_reads, Holders};
use engine::stock::list::{DAYS, LATELY, StockRow};
use engine::stock::movements::{self, DayEnd, Movement, MovementCursor};
use engine::views::{ItemView, StockView};
use engine::{Command, Config, Stop};
use maud::{Markup, html};
use std::sync::Arc;

/// Holders named on the page.
const HOLDERS: usize = 12;

/// One true state of everything that the page shows.
struct Seen {
    config: Arc<Config>,
    item: ItemView,
    row: StockRow,
    /// As of the instant that is looked at.
    stock: StockView,
    spots: Vec<Spot>,
    shares: Shares,
    holders: Holders,
    ledger: Part<Movement, MovementCursor>,
    days: Vec<DayEnd>,
    done: Option<Done>,
}

pub async fn page(State(app): State<App>, Path(sku): Path<String>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if viewer.asked("format").as_deref() == Some("csv") {
        return ledger::file(&app, &viewer, &sku).await;
    }
    show(&app, viewer, &sku).await
}

/// The page as it is now, with whatever form was refused. Refuses an unknown item.
pub async fn show(app: &App, viewer: Viewer, sku: &str) -> Result<Response<Body>, Problem> {
    let asked = ledger::Asked::read(&viewer)?;
    let as_of = AsOf::asked(&viewer);
    let (reader, owned, filter) = (viewer.clone(), sku.to_owned(), asked.clone());
    let seen = app.read_shared(move |tx, config| read(tx, config, &reader, &owned, as_of, &filter)).await?;
    Ok(sheet(&viewer, &seen, as_of, &asked).into_response())
}

fn read(tx: &mut Tx<'_>, config: &Arc<Config>, v: &Viewer, sku: &str, as_of: AsOf, asked: &ledger::Asked) -> Result<Seen, Stop> {
    let limit = Where::of(v);
    let item = engine::stock::read::item(tx, sku)?;
    let now = as_of.instant().is_none();
    let sold = now && v.may(Permission::ChannelsView);
    engine::stock::list::row_ahead(tx, &item, v.now);
    if sold {
        shares::ahead(tx, &item);
    }
    let levels = engine::stock::read::levels(tx, &item, limit.ids())?;
    let row = engine::stock::list::row_of(tx, config, &item, &levels, v.now)?;
    let then = match as_of.instant() {
        None => levels.clone(),
        Some(at) => engine::stock::read::as_of(tx, &levels, at)?,
    };
    let stock = engine::stock::read::view(tx, config, &item, &then)?;
    let mut shares = if sold { shares::of_item(tx, config.clone(), v.now, &item)? } else { Shares::default() };
    shares.listings.retain(|s| on(v, &s.listing.channel));
    // A kit has no units of its own, and no entries.
    let ledger = Ledger::new(item.id, &levels);
    let then = Ledger::new(item.id, &then);
    asked.ahead(tx, config, (&then, &ledger), v.now);
    Ok(Seen {
        holders: if now { holder_reads::holders(tx, config, &ledger, HOLDERS)? } else { Holders::default() },
        ledger: asked.page(tx, config, v, &then)?,
        days: movements::days(tx, &ledger, v.now, BACK)?,
        done: Done::read(tx, config, v)?,
        spots: limit.spots(config),
        config: config.clone(),
        item: engine::catalog::read::view(tx, config, item)?,
        row,
        stock,
        shares,
    })
}

fn sheet(v: &Viewer, seen: &Seen, as_of: AsOf, asked: &ledger::Asked) -> shell::Page {
    let Seen { item, row, stock, spots, .. } = seen;
    let now = as_of.instant().is_none();
    let editing = v.asked("do").as_deref() == Some("edit") || v.typed("do") == Some("edit");
    let deed = change::chosen(v).filter(|_| now && !row.is_kit && item.active);
    let choose = |code: &str| format!("{}#change", v.address(&[("location", code)]));
    let kept = [
        ("at", asked.at.as_deref()),
        ("cause", asked.cause.as_deref()),
        ("q", asked.text.as_deref()),
        ("sort", asked.oldest_first.then_some("time")),
    ];
    let keep: Vec<(&str, &str)> = kept.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let body = html! {
        (as_of.banner(v))
        @if let Some(done) = &seen.done { (done.flash(v, spots)) }
        @if now { (figures(v, seen)) }
        div.cols.cols-side {
            div.stack {
                @if row.is_kit { (levels::kit(v, stock, spots)) } @else { (levels::panel(v, stock, spots, deed.is_some().then_some(&choose))) }
                @if now && v.may(Permission::ChannelsView) { (quota::panel(v, &seen.shares)) }
                @if !row.is_kit { (charts::movement(v, &seen.days, &as_of, stock.total.on_hand, &keep)) }
                @if now { (charts::sold(v, row)) }
                @if now && !row.is_kit { (holders::panel(v, &item.sku, &seen.holders, spots)) }
                @if !row.is_kit { (ledger::panel(v, &seen.config, asked, &seen.ledger, spots)) }
            }
            aside.stack.sticky aria-label=(v.t("Actions")) {
                @if let Some(deed) = deed { (change::panel(v, deed, stock, spots)) }
                (facts::panel(v, item, editing && now))
            }
        }
    };
    let title = if item.name.is_empty() { &item.sku } else { item.name.as_str() };
    shell::page(v, Sheet { title: title.to_owned(), here: "/items", topics: topics(item), head: head(v, seen, title, deed.is_some()), body })
}

/// A SKU with a blank in it cannot be named among topics, so that any change of stock counts.
fn topics(item: &ItemView) -> String {
    let skus: Vec<&str> = item.components.iter().map(|c| &*c.sku).chain([&*item.sku]).collect();
    if skus.iter().any(|sku| sku.contains(char::is_whitespace)) || skus.len() > 24 {
        return "stock items orders".into();
    }
    skus.iter().map(|sku| format!("item:{sku} ")).collect::<String>() + "orders"
}

fn head(v: &Viewer, seen: &Seen, title: &str, can_change: bool) -> Markup {
    let Seen { item, row, .. } = seen;
    let (shape, class, word) = words::state(v, row.state, row.cover_days);
    html! {
        div.page-head {
            div.grow {
                p.crumb { a href="/items" { (v.t("Items")) } svg.i.i-s aria-hidden="true" { use href="#i-right" {} } span { (item.sku) } }
                h1 { (title) }
                p.sub.row {
                    b { (item.sku) }
                    button.btn.btn-s.btn-icon.btn-ghost type="button" data-copy=(item.sku) data-done=(v.t("Copied")) data-js aria-label=(v.t("Copy SKU")) { span { (icon("copy")) } span.done { (icon("ok")) } }
                    @if let Some(code) = &item.barcode { span { (v.say("Barcode {}", &[code])) } }
                    @if row.is_kit { span.tag { (v.t("Kit")) } }
                    span class={ "st " (class) } { (icon(shape)) (word) }
                }
            }
            (shell::status(v))
            @if can_change { a.btn.btn-primary.narrow-only href="#change" { (icon("edit")) (v.t("Change stock")) } }
        }
    }
}

fn figures(v: &Viewer, seen: &Seen) -> Markup {
    let Seen { row, item, .. } = seen;
    let before: i64 = row.days[DAYS - 2 * LATELY..DAYS - LATELY].iter().sum();
    let rate = row.sold_7d as f64 / LATELY as f64;
    let figure =
        |name: &str, value: Markup, note: String| html! { div.kpi { dt { (name) } dd { span.fig { (value) } span.note title=(note) { (note) } } } };
    let places = v.count(row.locations as i64, "location", "locations");
    let available =
        if row.is_kit { v.t("kits, from its components").to_owned() } else { v.say("of {} on hand at {}", &[&v.num(row.balances.on_hand), &places]) };
    let cover = match row.cover_days {
        Some(days) => html! { span.val { (v.decimal(days.min(9_999.0), 1)) " " small { (v.t("days")) } } },
        None => html! { span.val { "–" } },
    };
    let trend = match before {
        0 => v.t("nothing in the week before").to_owned(),
        _ => v.say("{} in the week before", &[&v.num(before)]),
    };
    // Orders are counted by item, wherever they are sent from.
    let pace = match row.sold_7d {
        0 => v.t("Nothing ordered this week").to_owned(),
        _ if v.grant().locations.is_some() => v.say("At {} a day this week, all locations", &[&v.decimal(rate, 1)]),
        _ => v.say("At {} a day this week", &[&v.decimal(rate, 1)]),
    };
    html! {
        dl.panel.kpis data-key="figures" {
            (figure(v.t("Available now"), html! { span.val { (v.num(row.balances.available)) } }, available))
            (figure(v.t("Cover"), cover, pace))
            (figure(v.t("Incoming"), html! { span.val { (v.num(row.balances.incoming)) } }, v.t("on the way in transfers").to_owned()))
            (figure(v.t("Ordered, 7 days"), html! { span.val { (v.num(row.sold_7d)) } (spark(&row.days[DAYS - LATELY..], 72, 24, "spark")) }, trend))
            (figure(v.t("Price"), html! { span.val { @match &item.price { Some(price) => (v.money(price)), None => "–" } } }, words::when_short(v, item.when_short).to_owned()))
        }
    }
}

pub async fn set_facts(State(app): State<App>, Path(sku): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let outcome = match facts::update(&posted.viewer, &sku, &posted.fields) {
        Ok(update) => posted.submit(&app, Command::UpdateItem(update)).await,
        Err(refused) => Err(refused.into()),
    };
    let Posted { viewer, mut fields, .. } = posted;
    match outcome {
        Ok(_) => Ok(see(&format!("{}?said=saved", path(&sku)))),
        Err(stop) => {
            fields.0.push(("do".into(), "edit".into()));
            let viewer = here(viewer.refused(fields.0, stop)?, path(&sku));
            show(&app, viewer, &sku).await
        }
    }
}
