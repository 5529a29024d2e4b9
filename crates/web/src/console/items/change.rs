//! Changing an item's stock in place: the form of each deed, what will come of it while it is typed, doing it, and taking it back.

use super::deeds::{BY_HAND, Deed};
use super::effect::Ahead;
use super::{Spot, Where, here, one, path, words};
use crate::App;
use crate::console::fields::{Fields, Posted, address, saying, see};
use crate::console::parts::{Field, Part, csrf, once, select};
use crate::console::viewer::{Viewer, Wrong};
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::Html;
use domain::{Noun, Refused};
use engine::stock::undo::{self, Undo};
use engine::views::{Balances, StockView};
use engine::{Command, Stop};
use maud::{Markup, html};

/// The deed that the address asks for, or the first that the viewer may do.
pub fn chosen(v: &Viewer) -> Option<Deed> {
    let may = |d: &Deed| v.may(d.permission());
    let asked = v.typed("do").map(str::to_owned).or_else(|| v.asked("do"));
    asked.and_then(|word| Deed::parse(&word)).filter(may).or_else(|| [Deed::Adjust, Deed::Receive, Deed::Transfer].into_iter().find(may))
}

/// The panel with the form. `stock` is that of now.
pub fn panel(v: &Viewer, deed: Deed, stock: &StockView, spots: &[Spot]) -> Markup {
    let open: Vec<&Spot> = spots.iter().filter(|s| s.active || stock.locations.iter().any(|l| *l.location == *s.code)).collect();
    let body = html! {
        div.panel-body.stack-m {
            nav.seg.seg-fill aria-label=(v.t("Action")) {
                @for other in Deed::ALL.into_iter().filter(|d| v.may(d.permission())) {
                    a href=(v.address(&[("do", other.word())])) data-key=(other.key()) aria-current=[(other == deed).then_some("true")] { (v.t(other.name())) }
                }
            }
            @if open.is_empty() { p.muted { (v.t("There is no location yet that stock could lie at.")) } }
            @else { (form(v, deed, stock, &open)) }
        }
    };
    Part::new("change", v.t("Change stock"), body).show()
}

fn form(v: &Viewer, deed: Deed, stock: &StockView, open: &[&Spot]) -> Markup {
    let place = v.typed("location").map(str::to_owned).or_else(|| v.asked("location"));
    let most = stock.locations.iter().max_by_key(|l| l.balances.on_hand).map(|l| l.location.to_string());
    let known = |code: &String| open.iter().any(|s| s.code == *code);
    let code = place.filter(known).or(most.filter(known)).unwrap_or_else(|| open[0].code.clone());
    let places: Vec<(String, String)> = open.iter().map(|s| (s.code.clone(), s.name.clone())).collect();
    let to = path(&stock.sku);
    html! {
        form.stack-m action={ (to) "/" (deed.word()) } method="post" data-preview={ (to) "/ahead" } data-preview-target="ahead" {
            (csrf(v)) (once())
            input type="hidden" name="do" value=(deed.word());
            (select(v, "location", if deed == Deed::Transfer { "From" } else { "Location" }, &places, &code))
            (particulars(v, deed, &places, &code))
            div.stack-s #ahead aria-live="polite" { (ahead(deed, &Fields(v.typed.clone()), stock, open, &code).show(v)) }
        }
    }
}

/// The fields of a deed after its location.
fn particulars(v: &Viewer, deed: Deed, places: &[(String, String)], code: &str) -> Markup {
    let states: Vec<(String, String)> = BY_HAND.map(|word| (word.to_owned(), words::account(v, word).to_owned())).into();
    let reasons: Vec<(String, String)> = deed.reasons().iter().map(|(value, text)| ((*value).to_owned(), v.t(text).to_owned())).collect();
    let units = Field::new("units", deed.units_label()).kind("number").required();
    // Whoever came for this by its key types the number next; whoever has just done something has all keys.
    let is_next = v.asked("do").is_some() && v.asked("done").is_none() && v.asked("said").is_none();
    let units = if is_next || v.wrong.is_some() { units.focus() } else { units };
    let reason = |v: &Viewer| select(v, "reason", "Reason", &reasons, "");
    html! {
        @match deed {
            Deed::Receive => (units.show(v)),
            Deed::Adjust => {
                div.field-2 { (units.placeholder("−12").show(v)) (select(v, "state", "State", &states, "available")) }
                (reason(v))
            }
            Deed::Move => {
                div.field-2 { (select(v, "from_state", "From", &states, "available")) (select(v, "to_state", "To", &states, "damaged")) }
                div.field-2 { (units.show(v)) (reason(v)) }
            }
            Deed::Transfer => {
                (select(v, "to", "To", places, places.iter().map(|(other, _)| other.as_str()).find(|other| *other != code).unwrap_or("")))
                (units.show(v))
            }
            Deed::Count => { div.field-2 { (units.show(v)) (reason(v)) } }
        }
        (Field::new("reference", if deed == Deed::Receive { "Delivery note or remark" } else { "Note" }).show(v))
    }
}

/// What stands below the fields before anything is typed.
fn ahead<'a>(deed: Deed, fields: &'a Fields, stock: &StockView, open: &[&Spot], code: &str) -> Ahead<'a> {
    let place = open.iter().find(|s| s.code == code).map(|s| s.name.clone()).unwrap_or_default();
    Ahead { deed, fields, place, now: level(stock, code), units: fields.opt_int("units").ok().flatten(), rehearsed: None }
}

fn level(stock: &StockView, code: &str) -> Balances {
    stock.locations.iter().find(|l| *l.location == *code).map(|l| l.balances.clone()).unwrap_or_default()
}

/// What will come of a form as it is filled in: asked while somebody types.
pub async fn look_ahead(State(app): State<App>, Path(sku): Path<String>, viewer: Viewer) -> Result<Html<String>, Problem> {
    let fields = Fields(crate::console::fields::pairs(&viewer.query));
    let deed = Deed::parse(fields.text("do")).ok_or_else(|| Refused::invalid("do", "must be receive, adjust, move, transfer or count"))?;
    let (owned, place) = (sku.clone(), fields.text("location").to_owned());
    let limit = Where::of(&viewer);
    let (now, name) = app
        .read(move |tx, config| {
            let stock = limit.stock(engine::stock::read::stock(tx, config, &owned, None)?, config);
            Ok((level(&stock, &place), config.by_code(&place).filter(|l| limit.at(l.id)).map(|l| l.name.clone()).unwrap_or_default()))
        })
        .await?;
    let (units, rehearsed) = match fields.opt_int("units") {
        Ok(None) => (None, None),
        Err(refused) => (None, Some(Err(refused))),
        Ok(Some(units)) => {
            let command = deed.command(&fields, vec![(sku, units)]);
            let mut outcomes = app.rehearse(vec![command], viewer.by()).await?;
            (Some(units), outcomes.pop().map(Ok))
        }
    };
    Ok(Html(Ahead { deed, fields: &fields, place: name, now, units, rehearsed }.show(&viewer).into_string()))
}

pub async fn receive(state: State<App>, sku: Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    act(state, sku, posted, Deed::Receive).await
}

pub async fn adjust(state: State<App>, sku: Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    act(state, sku, posted, Deed::Adjust).await
}

pub async fn move_units(state: State<App>, sku: Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    act(state, sku, posted, Deed::Move).await
}

pub async fn transfer(state: State<App>, sku: Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    act(state, sku, posted, Deed::Transfer).await
}

pub async fn count(state: State<App>, sku: Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    act(state, sku, posted, Deed::Count).await
}

async fn act(State(app): State<App>, Path(sku): Path<String>, posted: Posted, deed: Deed) -> Result<Response<Body>, Problem> {
    let outcome = match posted.fields.int("units") {
        Ok(units) => posted.submit(&app, deed.command(&posted.fields, vec![(sku.clone(), units)])).await,
        Err(refused) => Err(refused.into()),
    };
    let Posted { viewer, fields, .. } = posted;
    match outcome {
        Ok(reply) => {
            let kept = [("do", deed.word()), ("location", fields.text("location"))].map(|(name, value)| (name.to_owned(), value.to_owned()));
            let told = booked(&app, &reply).await?;
            Ok(see(&address(&path(&sku), kept.into_iter().chain([told]))))
        }
        Err(stop) => {
            let viewer = here(deed.refused(viewer, fields, stop)?, path(&sku));
            one::show(&app, viewer, &sku).await
        }
    }
}

/// The parameter that tells a page what was booked; a count that agrees with the books leaves nothing behind.
pub async fn booked(app: &App, reply: &engine::Reply) -> Result<(String, String), Problem> {
    let answer = serde_json::to_value(&reply.answer).unwrap_or_default();
    let document: i64 = answer["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or(0);
    let entries = app.read(move |tx, config| engine::stock::movements::of_document(tx, config, document, None)).await?;
    Ok(if entries.is_empty() { ("said".into(), "nothing".into()) } else { ("done".into(), document.to_string()) })
}

/// Takes back what was booked by hand, by counter-entries, and goes back to where it was done.
pub async fn take_back(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let document: i64 = posted.fields.text("id").parse().map_err(|_| Refused::unknown(Noun::Movement, posted.fields.text("id"), "id"))?;
    let entries = app.read(move |tx, config| undo::entries(tx, config, document)).await?;
    let sku = entries.first().map(|e| e.sku.clone()).unwrap_or_default();
    match posted.submit(&app, Command::Undo(Undo { document, entries })).await {
        Ok(_) => Ok(see(&saying("undone", &posted.back(&path(&sku))))),
        Err(stop @ Stop::Broken { .. }) => Err(stop.into()),
        Err(stop) => {
            let is_gone = matches!(stop.refused(), Some(Refused::InsufficientStock { .. }));
            let mut viewer = here(posted.viewer.refused(Vec::new(), stop)?, path(&sku));
            if is_gone {
                let why = "Units of it were promised, shipped or moved since: below stands who holds them. What is left can be adjusted or counted.";
                viewer.wrong = Some(Wrong::plain(None, viewer.t(why).to_owned()));
            }
            one::show(&app, viewer, &sku).await
        }
    }
}
