//! What is done to many items at once: first looked at, a row an item with what it is and would become, or why not; then done as one
//! change. Selling is switched in `sell.rs`.

use super::deeds::{BY_HAND, Deed};
use super::list::Asked;
use super::{Spot, Where, change, here, path, sell, words};
use crate::App;
use crate::console::fields::{Fields, Posted, address, see};
use crate::console::parts::{Field, csrf, icon, once, select};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::stock::Account;
use domain::{Permission, Refused, limits};
use engine::stock::list::StockRow;
use engine::views::Balances;
use engine::{Rehearsed, Stop};
use maud::{Markup, html};
use std::collections::HashMap;

/// Filters of the list, that are kept while one is here.
const KEPT: [&str; 4] = ["view", "at", "q", "sort"];

pub async fn page(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let word = posted.fields.text("do").to_owned();
    let deed = Deed::parse(&word);
    let needs = match deed {
        Some(deed) => deed.permission(),
        None if word == "sell" => Permission::ItemsEdit,
        None => return Err(Refused::invalid("do", "must be receive, count, adjust, move, transfer or sell").into()),
    };
    if !posted.viewer.may(needs) {
        return Err(Refused::NotAllowed { permission: needs.word().into() }.into());
    }
    let skus = skus(&app, &posted).await?;
    if skus.is_empty() {
        return Ok(see(&back(&posted.fields, ("said", "nothing"))));
    }
    match deed {
        Some(deed) if posted.fields.text("step") == "go" => go(&app, posted, deed, skus).await,
        Some(deed) => look(&app, posted.viewer, posted.fields, deed, skus).await.map(IntoResponse::into_response),
        None => sell::page(&app, posted, skus).await,
    }
}

/// The items that are ticked, or all that the filter matches. Refuses more than one change can hold.
async fn skus(app: &App, posted: &Posted) -> Result<Vec<String>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    if fields.is_on("all") {
        let found = Asked::read(viewer, |name| fields.given(name))?.first(app, limits::MAX_LINES + 1).await?;
        limits::lines(found.rows.len().max(1))?;
        return Ok(found.rows.iter().map(|r| r.sku.to_string()).collect());
    }
    let mut skus = fields.all("sku");
    skus.sort();
    skus.dedup();
    limits::lines(skus.len().max(1))?;
    Ok(skus)
}

/// The list again, as it was filtered.
pub(super) fn back(fields: &Fields, told: (&str, &str)) -> String {
    let kept = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), fields.given(name)?)));
    address("/items", kept.chain([(told.0.to_owned(), told.1.to_owned())]))
}

/// The list's filters, as fields of a form.
pub(super) fn kept(fields: &Fields) -> Markup {
    html! { @for name in KEPT { @if let Some(value) = fields.given(name) { input type="hidden" name=(name) value=(value); } } }
}

/// Units of a row: its own, or those of all.
fn units(fields: &Fields, sku: &str) -> Result<Option<i64>, Refused> {
    match fields.opt_int(&format!("units:{sku}"))? {
        Some(units) => Ok(Some(units)),
        None => fields.opt_int("units"),
    }
}

/// A row that is looked at.
struct Row {
    item: StockRow,
    /// What it has at the location.
    now: Balances,
    units: Option<i64>,
    /// None without units.
    ahead: Option<Result<Rehearsed, Refused>>,
}

impl Row {
    fn refused(&self) -> Option<&Refused> {
        match self.ahead.as_ref()? {
            Ok(rehearsed) => rehearsed.outcome.as_ref().err(),
            Err(refused) => Some(refused),
        }
    }

    /// What it would have at the location; what it has if nothing would be booked.
    fn after(&self, code: &str) -> Option<&Balances> {
        let rehearsed = self.ahead.as_ref()?.as_ref().ok().filter(|r| r.outcome.is_ok())?;
        let mut levels = rehearsed.items.iter().flat_map(|item| &item.levels);
        Some(levels.find(|(c, ..)| **c == *code).map_or(&self.now, |(_, _, after)| after))
    }
}

async fn look(app: &App, viewer: Viewer, fields: Fields, deed: Deed, skus: Vec<String>) -> Result<Page, Problem> {
    let limit = Where::of(&viewer);
    let (wanted, code, now) = (skus.clone(), fields.given("location").or_else(|| fields.given("at")), viewer.now);
    let (spots, code, items) = app
        .read(move |tx, config| {
            let spots: Vec<Spot> = limit.spots(config).into_iter().filter(|s| s.active).collect();
            let code = code.filter(|c| spots.iter().any(|s| s.code == *c)).or_else(|| spots.first().map(|s| s.code.clone())).unwrap_or_default();
            let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let ids: Vec<i64> = engine::catalog::read::by_skus(tx, config, &names)?.into_iter().map(|(id, _)| id).collect();
            let place: Vec<i64> = config.by_code(&code).map(|l| l.id).into_iter().collect();
            Ok((spots, code, engine::stock::list::rows(tx, config, &ids, Some(&place), now)?))
        })
        .await?;
    let mut asked = Fields(fields.0.iter().filter(|(name, _)| name != "location").cloned().collect());
    asked.0.push(("location".into(), code.clone()));
    let rows = rehearse(app, &viewer, &asked, deed, items).await?;
    Ok(sheet(&Viewer { typed: asked.0.clone(), ..here(viewer, "/items/bulk".into()) }, &asked, deed, &rows, &spots, &code))
}

async fn rehearse(app: &App, v: &Viewer, fields: &Fields, deed: Deed, items: Vec<StockRow>) -> Result<Vec<Row>, Stop> {
    let parsed: Vec<Result<Option<i64>, Refused>> = items.iter().map(|item| units(fields, &item.sku)).collect();
    let with_units = items.iter().zip(&parsed).filter_map(|(item, units)| Some((item.sku.to_string(), units.as_ref().ok()?.as_ref().copied()?)));
    let (skus, commands): (Vec<String>, Vec<_>) = with_units.map(|(sku, n)| (sku.clone(), deed.command(fields, vec![(sku, n)]))).unzip();
    let outcomes = if commands.is_empty() { Vec::new() } else { app.rehearse(commands, v.by()).await? };
    let mut outcomes: HashMap<String, Rehearsed> = skus.into_iter().zip(outcomes).collect();
    let row = |(item, units): (StockRow, Result<Option<i64>, Refused>)| {
        let ahead = match &units {
            Ok(_) => outcomes.remove(&*item.sku).map(Ok),
            Err(refused) => Some(Err(refused.clone())),
        };
        Row { now: item.balances.clone(), units: units.ok().flatten(), ahead, item }
    };
    Ok(items.into_iter().zip(parsed).map(row).collect())
}

async fn go(app: &App, posted: Posted, deed: Deed, skus: Vec<String>) -> Result<Response<Body>, Problem> {
    let lines: Result<Vec<(String, i64)>, Refused> = skus
        .iter()
        .map(|sku| units(&posted.fields, sku)?.map(|n| (sku.clone(), n)).ok_or_else(|| Refused::invalid("units", "is empty; a number belongs here")))
        .collect();
    let outcome = match lines {
        Ok(lines) => posted.submit(app, deed.command(&posted.fields, lines)).await,
        Err(refused) => Err(refused.into()),
    };
    let Posted { viewer, fields, .. } = posted;
    match outcome {
        Ok(reply) => {
            let (name, value) = change::booked(app, &reply).await?;
            Ok(see(&back(&fields, (&name, &value))))
        }
        Err(stop) => {
            let viewer = deed.refused(viewer, fields.clone(), stop)?;
            look(app, viewer, fields, deed, skus).await.map(IntoResponse::into_response)
        }
    }
}

fn sheet(v: &Viewer, fields: &Fields, deed: Deed, rows: &[Row], spots: &[Spot], code: &str) -> Page {
    let count = v.count(rows.len() as i64, "item", "items");
    let title = format!("{}: {count}", v.t(deed.name()));
    let looked = rows.iter().any(|r| r.ahead.is_some());
    let refused = rows.iter().filter(|r| r.refused().is_some()).count() as i64;
    let ready = rows.iter().filter(|r| r.ahead.is_some()).count() as i64 - refused;
    let verdict = html! {
        @if looked {
            div class=(if refused == 0 { "banner banner-info" } else { "banner banner-warn" }) role="status" {
                (icon(if refused == 0 { "info" } else { "warn" }))
                div {
                    (v.say("{} can be done.", &[&v.count(ready, "row", "rows")])) " "
                    @if refused > 0 { (v.say("{} would be refused, and are left out unless they are ticked again.", &[&v.count(refused, "row", "rows")])) }
                    @else { (v.t("Nothing is booked before you say so.")) }
                }
            }
        }
    };
    let body = html! {
        (verdict)
        form.panel action="/items/bulk" method="post" data-select aria-label=(title) {
            (csrf(v)) (once())
            input type="hidden" name="do" value=(deed.word());
            (kept(fields))
            div.panel-body { (particulars(v, deed, spots, code)) }
            div.table-wrap { table.table {
                caption.vh { (v.t("The items with what they are and would become")) }
                thead { tr {
                    td.th-check { input type="checkbox" data-check-all data-js aria-label=(v.t("Select all rows on this page")); }
                    th scope="col" { (v.t("SKU")) } th scope="col" { (v.t("Item")) } th.num scope="col" { (v.t(deed.units_label())) }
                    th.num scope="col" { (figure_name(v, deed, fields)) ", " (v.t("now")) } th.num.sum scope="col" { (v.t("After")) } th scope="col" { (v.t("What comes of it")) }
                } }
                tbody { @for row in rows { (line(v, deed, fields, row, code)) } }
            } }
            div.panel-foot.foot-sticky {
                button.btn type="submit" name="step" value="look" { (icon("play")) @if looked { (v.t("Look again")) } @else { (v.t("See what will come of it")) } }
                @if looked { button.btn.btn-primary type="submit" name="step" value="go" { (v.say("{} the ticked rows", &[&v.t(deed.name())])) } }
                a.btn.btn-ghost href=(back(fields, ("", ""))) { (v.t("Cancel")) }
            }
        }
    };
    let sub = html! { (v.t("Look first: each row says what it would become. All ticked rows are booked together, or none.")) };
    shell::page(v, Sheet { title: title.clone(), here: "/items", topics: String::new(), head: shell::head(&title, sub, html! {}), body })
}

/// The fields that all rows share.
fn particulars(v: &Viewer, deed: Deed, spots: &[Spot], code: &str) -> Markup {
    let places: Vec<(String, String)> = spots.iter().map(|s| (s.code.clone(), s.name.clone())).collect();
    let states: Vec<(String, String)> = BY_HAND.map(|word| (word.to_owned(), words::account(v, word).to_owned())).into();
    let reasons: Vec<(String, String)> = deed.reasons().iter().map(|(value, text)| ((*value).to_owned(), v.t(text).to_owned())).collect();
    let elsewhere = places.iter().map(|(other, _)| other.as_str()).find(|other| *other != code).unwrap_or("");
    html! {
        div.form-grid {
            (select(v, "location", if deed == Deed::Transfer { "From" } else { "Location" }, &places, code))
            @if deed == Deed::Transfer { (select(v, "to", "To", &places, elsewhere)) }
            @if deed == Deed::Adjust { (select(v, "state", "State", &states, "available")) }
            @if deed == Deed::Move { (select(v, "from_state", "From", &states, "available")) (select(v, "to_state", "To", &states, "damaged")) }
            // Each is counted by itself.
            @if deed != Deed::Count { (Field::new("units", deed.units_label()).kind("number").hint(html! { (v.t("For each row that has no number of its own")) }).focus().show(v)) }
            @if !reasons.is_empty() { (select(v, "reason", "Reason", &reasons, "")) }
            (Field::new("reference", "Note").show(v))
        }
    }
}

/// The state whose figure is shown; None is on hand, all states together.
fn shown_state(deed: Deed, fields: &Fields) -> Option<Account> {
    let word = match deed {
        Deed::Count => return None,
        Deed::Adjust => fields.text("state"),
        Deed::Move => fields.text("from_state"),
        Deed::Receive | Deed::Transfer => "",
    };
    Some(Account::parse(word).filter(|a| a.is_by_hand()).unwrap_or(Account::Available))
}

fn figure_name(v: &Viewer, deed: Deed, fields: &Fields) -> &'static str {
    shown_state(deed, fields).map_or(v.t("On hand"), |state| words::account(v, state.word()))
}

fn line(v: &Viewer, deed: Deed, fields: &Fields, row: &Row, code: &str) -> Markup {
    let sku = &row.item.sku;
    let figure = |b: &Balances| shown_state(deed, fields).map_or(b.on_hand, |state| b.get(state));
    let (now, after) = (figure(&row.now), row.after(code).map(figure));
    let name = format!("units:{sku}");
    let served = row.after(code).map_or(0, |after| after.committed - row.now.committed);
    html! {
        tr data-row=(sku) data-key=(sku) {
            td.check { label { input type="checkbox" name="sku" value=(sku) data-check checked[row.refused().is_none()] aria-label=(v.say("Select {}", &[sku])); } }
            td.nowrap { a href=(path(sku)) { (sku) } }
            th.clip scope="row" { (row.item.name) }
            td.num { input.input.input-s name=(name) inputmode="numeric" autocomplete="off" value=(fields.text(&name)) placeholder=(row.units.map(|n| v.num(n)).unwrap_or_default()) aria-label=(v.say("Units of {}", &[sku])); }
            td.num { (v.num(now)) }
            td.num.sum { @match after { Some(n) => (v.num(n)), None => "–" } }
            td.wrap {
                @match (row.refused(), &row.ahead) {
                    (Some(refused), _) => span.st.st-danger { (icon("danger")) span.wrap { (Deed::why(v, refused)) } },
                    (None, Some(_)) => {
                        span.st.st-ok { (icon("ok")) (v.t("Can be done")) }
                        @if served > 0 { span.aside { (v.say("{} go to orders that waited", &[&v.num(served)])) } }
                    },
                    (None, None) => span.quiet { "–" },
                }
            }
        }
    }
}
