//! What could stand in a field, for `static/suggest.js`: items by SKU, name and barcode, locations and channels by code and name. Each
//! person is offered what it may see; who may see none is offered none, and types.

use super::find;
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::extract::{Path, State};
use axum::response::Html;
use domain::Permission::{ChannelsView, OrdersView, RoutingView, StockView};
use domain::{Grant, Noun, Permissions, Refused};
use maud::html;

/// Most that are offered.
const OFFERED: usize = 8;

/// What goes into the field, its name, and what else helps to choose.
struct Proposal {
    value: String,
    name: String,
    aside: String,
}

pub async fn suggest(State(app): State<App>, Path(what): Path<String>, viewer: Viewer) -> Result<Html<String>, Problem> {
    let v = &viewer;
    let words: String = v.asked("q").unwrap_or_default().trim().chars().take(200).collect();
    let proposals = match what.as_str() {
        "items" => items(&app, v, &words).await?,
        "locations" => locations(&app, v, &words).await?,
        "channels" => channels(&app, v, &words).await?,
        _ => return Err(Refused::unknown(Noun::Record, what, "id").into()),
    };
    let list = html! { @for p in &proposals {
        li.opt role="option" data-value=(p.value) { b { (p.value) } span { (p.name) } span.meta { (p.aside) } }
    } };
    Ok(Html(list.into_string()))
}

async fn items(app: &App, v: &Viewer, words: &str) -> Result<Vec<Proposal>, Problem> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    // The orders that fit are of no use here.
    let permissions = v.grant().permissions.without(Permissions::of(&[OrdersView]));
    let grant = Grant { permissions, ..Grant::clone(&v.grant()) };
    let (rows, _) = find::find(app, &grant, words, OFFERED).await?;
    let proposal = |i: engine::stock::list::StockRow| Proposal {
        aside: v.say("{} available", &[&v.num(i.balances.available)]),
        value: i.sku.to_string(),
        name: i.name.to_string(),
    };
    Ok(rows.into_iter().map(proposal).collect())
}

/// Codes and names, those first whose code begins so.
fn fitting(all: impl Iterator<Item = (String, String)>, words: &str) -> Vec<Proposal> {
    let words = words.to_lowercase();
    let begins = |text: &str| text.to_lowercase().starts_with(&words);
    let mut found: Vec<(String, String)> = all.filter(|(code, name)| begins(code) || begins(name) || name.split_whitespace().any(begins)).collect();
    found.sort_by_key(|(code, _)| (!begins(code), code.clone()));
    found.into_iter().take(OFFERED).map(|(value, name)| Proposal { value, name, aside: String::new() }).collect()
}

async fn locations(app: &App, v: &Viewer, words: &str) -> Result<Vec<Proposal>, Problem> {
    if !v.may(StockView) && !v.may(RoutingView) {
        return Ok(Vec::new());
    }
    let all = app.read(|_, config| Ok(config.locations.iter().map(|l| (l.id, l.code.to_string(), l.name.clone())).collect::<Vec<_>>())).await?;
    Ok(fitting(all.into_iter().filter(|(id, ..)| v.at(*id)).map(|(_, code, name)| (code, name)), words))
}

async fn channels(app: &App, v: &Viewer, words: &str) -> Result<Vec<Proposal>, Problem> {
    if ![ChannelsView, OrdersView, RoutingView].into_iter().any(|p| v.may(p)) {
        return Ok(Vec::new());
    }
    let all = app.read(|_, config| Ok(config.channels.iter().map(|c| (c.code.to_string(), c.name.clone())).collect::<Vec<_>>())).await?;
    Ok(fitting(all.into_iter().filter(|(code, _)| v.on(code)), words))
}
