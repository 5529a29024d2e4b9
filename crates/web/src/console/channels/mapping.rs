//! Mapping many listings at once: those whose SKU is an item's. What will be mapped is shown first; a person says so, for a wrong
//! mapping sells the wrong goods.

use super::find;
use crate::App;
use crate::console::fields::{Posted, see, step};
use crate::console::parts::{csrf, empty, icon, once, state};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use engine::Command;
use engine::channels::listings::MapListing;
use engine::channels::rows::Channel;
use engine::channels::suggest::{self, Alike};
use maud::{Markup, html};

/// Unmapped listings that are looked at for one page.
const LOOKED_AT: usize = 200;

pub async fn page(State(app): State<App>, Path(code): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let channel = find(&app, &viewer, &code).await?;
    let after = crate::request::cursor(viewer.asked("after").as_deref(), 0)?;
    show(&app, &viewer, &channel, after, None).await
}

/// What became of some that were to be mapped: how many were, and which were refused and why.
struct Became {
    mapped: i64,
    refused: Vec<String>,
}

async fn show(app: &App, v: &Viewer, channel: &Channel, after: i64, became: Option<Became>) -> Result<Page, Problem> {
    let id = channel.id;
    let (found, next) = app.engine.read(move |tx| suggest::alike(tx, id, after, LOOKED_AT)).await?;
    let to = format!("/channels/{}", step(&channel.code));
    let body = html! {
        @if let Some(became) = &became {
            div.banner.banner-warn role="alert" { (icon("warn")) div {
                b { (v.say("{} mapped, {} not.", &[&v.num(became.mapped), &v.num(became.refused.len() as i64)])) }
                ul.plain { @for why in &became.refused { li { (why) } } }
            } }
        }
        section.panel aria-label=(v.t("Equal SKUs")) {
            @if found.is_empty() {
                (empty(v.t("No equal SKUs"), html! { (v.t("Of the unmapped listings that were looked at, none has a SKU that is an item's.")) }, html! { div.row {
                    @if let Some(next) = next { a.btn href={ (to) "/alike?after=" (next) } { (v.t("Look further")) } }
                    a.btn href={ (to) "?only=unmapped" } { (v.t("Map them one by one")) }
                } }))
            } @else { (table(v, &to, &found, next)) }
        }
    };
    let sub = html! { (v.t("Listings whose SKU is an item's, to be mapped one unit each. Look through them: packs have SKUs, too.")) };
    let head = shell::head(v.t("Map by equal SKUs"), sub, html! { a.btn href=(to) { (channel.name) } });
    Ok(shell::page(v, Sheet { title: v.t("Map by equal SKUs").into(), here: "/channels", topics: String::new(), head, body }))
}

fn table(v: &Viewer, to: &str, found: &[Alike], next: Option<i64>) -> Markup {
    html! {
        form action={ (to) "/alike" } method="post" data-select {
            (csrf(v)) (once())
            div.table-wrap { table.table.no-top {
                caption.vh { (v.t("What will be mapped")) }
                thead { tr {
                    th.th-check scope="col" { input type="checkbox" data-check-all data-js checked aria-label=(v.t("Tick all")); }
                    th scope="col" { (v.t("Listing")) } th scope="col" { (v.t("SKU there")) } th scope="col" { (v.t("Becomes")) } th scope="col" { (v.t("Spelling")) }
                } }
                tbody { @for a in found { tr data-row=(a.listing) data-key={ "l" (a.listing) } {
                    td.check { label { input type="checkbox" name="map" value={ (a.listing) " " (a.item) } data-check checked[a.exact] aria-label=(v.say("Map {}", &[&a.title])); } }
                    th.clip scope="row" title=(a.title) { (a.title) " " span.aside { (a.external) } }
                    td { (a.sku) } td { (a.item) " " span.quiet { (a.name) } }
                    td { @if a.exact { (state("ok", "st-ok", v.t("Alike"))) } @else { (state("warn", "st-warn", v.t("But for its letters' case"))) } }
                } } }
            } }
            div.panel-foot.foot-sticky {
                button.btn.btn-primary type="submit" { (v.t("Map the ticked ones")) }
                span.grow {}
                @if let Some(next) = next { a.btn.btn-s href={ (to) "/alike?after=" (next) } { (v.t("Next")) (icon("right")) } }
            }
        }
    }
}

pub async fn map_alike(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let channel = find(&app, &posted.viewer, &code).await?;
    let (mut mapped, mut refused) = (0, Vec::new());
    for chosen in posted.fields.all("map").iter().take(LOOKED_AT) {
        let Some((id, sku)) = chosen.split_once(' ') else { continue };
        let Ok(id) = id.parse::<i64>() else { continue };
        let command = MapListing { id, sku: Some(sku.to_owned()), ..MapListing::default() };
        // Each by itself: one that is refused does not keep the others from being mapped.
        match app.engine.submit(Command::MapListing(command), posted.viewer.by(), posted.once(&id.to_string())).await {
            Ok(_) => mapped += 1,
            Err(stop) if stop.refused().is_some() => refused.push(format!("{sku}: {}", posted.viewer.whole(&stop.to_string()))),
            Err(stop) => return Err(stop.into()),
        }
    }
    if refused.is_empty() {
        return Ok(see(&format!("/channels/{}?said={}", step(&code), if mapped > 0 { "saved" } else { "nothing" })));
    }
    Ok(show(&app, &posted.viewer, &channel, 0, Some(Became { mapped, refused })).await?.into_response())
}
