//! Creating a location, changing it, closing and opening it again.

use super::one;
use super::{KINDS, kind_name};
use crate::App;
use crate::console::fields::{Fields, Posted, see, step};
use crate::console::live::Live;
use crate::console::parts::{Field, confirm, form, icon, seen, select};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::{Permission, Refused};
use engine::access::audit;
use engine::catalog::locations::{NewLocation, UpdateLocation};
use engine::views::{Amount, LocationView};
use engine::{Command, Stop};
use maud::{Markup, html};
use std::sync::Arc;

/// Micro-units as people write them: 0.25, 3.00.
pub fn decimal(micro: i64) -> String {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let rest = rest.trim_end_matches('0');
    format!("{whole}.{rest:0<2}")
}

/// Micro-units of the house's currency.
pub fn money(v: &Viewer, micro: i64) -> String {
    let sign = if micro < 0 { "−" } else { "" };
    format!("{sign}{}", v.money(&Amount { amount: decimal(micro.abs()), currency: v.house.currency.clone() }))
}

/// What was typed as micro-units; a comma may stand for the point. None if nothing was.
pub fn micro(fields: &Fields, name: &str) -> Result<Option<i64>, Refused> {
    let text = fields.text(name).replace(',', ".");
    if text.is_empty() {
        return Ok(None);
    }
    domain::money::decimal(&text, 6).map(Some).ok_or_else(|| Refused::invalid(name, "must be an amount such as 0.25"))
}

/// A number with decimals; a comma may stand for the point. None if nothing was typed.
pub fn number(fields: &Fields, name: &str) -> Result<Option<f64>, Refused> {
    let text = fields.text(name).replace(',', ".").replace('−', "-");
    if text.is_empty() {
        return Ok(None);
    }
    text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Some).ok_or_else(|| Refused::invalid(name, "must be a number such as 51.5"))
}

pub async fn new(viewer: Viewer) -> Result<Page, Problem> {
    Ok(show_new(&viewer))
}

fn show_new(v: &Viewer) -> Page {
    let body = html! {
        section.panel aria-label=(v.t("Add a location")) { div.panel-body { (form(v, "/locations", html! {
            div.form-grid {
                (Field::new("code", "Code").required().focus().placeholder("LON-1").hint(html! { (v.t("Short, for people and programs. It never changes.")) }).show(v))
                (Field::new("name", "Name").required().placeholder("London").show(v))
            }
            (fields(v, &LocationView { code: String::new(), name: String::new(), kind: "warehouse", country: String::new(), postal_code: None, latitude: None, longitude: None, daily_capacity: None, cost_per_unit: 0, active: true }))
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Add the location")) } a.btn.btn-ghost href="/locations" { (v.t("Cancel")) } }
        })) } }
    };
    let head = shell::head(
        v.t("Add a location"),
        html! { (v.t("Stock can be received there at once, and orders sent from there as soon as there is some.")) },
        html! {},
    );
    shell::page(v, Sheet { title: v.t("Add a location").into(), here: "/locations", topics: String::new(), head, body })
}

/// The fields that can be changed later, besides the name.
fn fields(v: &Viewer, place: &LocationView) -> Markup {
    let opt = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
    let kinds: Vec<(String, String)> = KINDS.iter().map(|(word, kind)| ((*word).to_owned(), kind_name(v, *kind).to_owned())).collect();
    html! {
        div.form-grid {
            (select(v, "kind", "Kind", &kinds, place.kind))
            (Field::new("country", "Country").value(&place.country).required().placeholder("GB").hint(html! { (v.t("Two letters, ISO 3166-1.")) }).show(v))
            (Field::new("postal_code", "Postal code").value(place.postal_code.as_deref().unwrap_or_default()).show(v))
            (Field::new("latitude", "Latitude").value(opt(place.latitude)).placeholder("51.5074").hint(html! { (v.t("Degrees, north is positive.")) }).show(v))
            (Field::new("longitude", "Longitude").value(opt(place.longitude)).placeholder("-0.1278").hint(html! { (v.t("East is positive.")) }).show(v))
            (Field::new("daily_capacity", "Orders a day").value(place.daily_capacity.map(|n| n.to_string()).unwrap_or_default())
                .hint(html! { (v.t("Empty is without limit; 0 takes none.")) }).show(v))
            (Field::new("cost_per_unit", "Cost of one unit").value(decimal(place.cost_per_unit)).hint(html! { (v.say("Handling, in {}; routing weighs it.", &[&v.house.currency])) }).show(v))
        }
    }
}

pub async fn create(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let read = |f: &Fields| {
        Ok::<_, Refused>(NewLocation {
            code: f.text("code").into(),
            name: f.text("name").into(),
            kind: f.text("kind").into(),
            country: f.text("country").to_uppercase(),
            postal_code: f.given("postal_code"),
            latitude: number(f, "latitude")?,
            longitude: number(f, "longitude")?,
            daily_capacity: f.opt_int("daily_capacity")?,
            cost_per_unit: micro(f, "cost_per_unit")?,
        })
    };
    let made = match read(&posted.fields) {
        Ok(new) => posted.submit(&app, Command::CreateLocation(new)).await.map(drop),
        Err(refused) => Err(refused.into()),
    };
    let Posted { viewer, fields, .. } = posted;
    match made {
        Ok(()) => Ok(see(&format!("/locations/{}?said=created", step(fields.text("code"))))),
        Err(stop) => Ok(show_new(&viewer.refused(fields.0, stop)?).into_response()),
    }
}

/// The form that changes a location, and the one that closes or opens it.
pub fn panel(v: &Viewer, place: &LocationView, open: i64, available: i64) -> Markup {
    let etag = audit::etag_of(place);
    let path = format!("/locations/{}", step(&place.code));
    html! {
        section.panel #edit data-part data-key="edit" aria-labelledby="h-edit" {
            div.panel-head { h2 #h-edit { (v.t("Change")) } }
            div.panel-body.stack {
                (form(v, &path, html! {
                    (seen(&etag))
                    (Field::new("name", "Name").value(&place.name).required().show(v))
                    (fields(v, place))
                    div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } }
                }))
                @if place.active {
                    (confirm(html! { (v.t("Close this location…")) }, "btn", form(v, &format!("{path}/active"), html! {
                        (seen(&etag)) input type="hidden" name="active" value="no";
                        (closing(v, open, available))
                        button.btn.btn-danger type="submit" { (v.t("Close it")) }
                    })))
                } @else {
                    (form(v, &format!("{path}/active"), html! {
                        (seen(&etag)) input type="hidden" name="active" value="yes";
                        p { (v.t("Opened again, it gets orders, fills backorders, and its available units can be promised.")) }
                        button.btn type="submit" { (icon("play")) (v.t("Open it again")) }
                    }))
                }
            }
        }
    }
}

/// What becomes of what is under way at a location that closes.
fn closing(v: &Viewer, open: i64, available: i64) -> Markup {
    html! {
        p { (v.t("No new order will be sent from here, and no backorder filled.")) }
        ul.plain.small {
            li { @if open > 0 { (v.say("{} stay: ship them, or send them from elsewhere one by one.", &[&v.count(open, "open fulfillment", "open fulfillments")])) } @else { (v.t("Nothing waits to be shipped here.")) } }
            li { @if available > 0 { (v.say("{} will not be promised or offered on any channel.", &[&v.count(available, "available unit", "available units")])) } @else { (v.t("No units are available here.")) } }
            li { (v.t("Transfers on their way here can still be received, and stock sent away.")) }
        }
    }
}

pub async fn update(
    State(app): State<App>,
    Extension(live): Extension<Arc<Live>>,
    Path(code): Path<String>,
    posted: Posted,
) -> Result<Response<Body>, Problem> {
    one::may_see(&app, &posted.viewer, &code).await?;
    let read = |f: &Fields| {
        Ok::<_, Refused>(UpdateLocation {
            code: code.clone(),
            name: Some(f.text("name").into()),
            kind: f.given("kind"),
            country: f.given("country").map(|c| c.to_uppercase()),
            postal_code: Some(f.given("postal_code")),
            latitude: Some(number(f, "latitude")?),
            longitude: Some(number(f, "longitude")?),
            daily_capacity: Some(f.opt_int("daily_capacity")?),
            cost_per_unit: Some(micro(f, "cost_per_unit")?.unwrap_or(0)),
            active: None,
        })
    };
    let done = match read(&posted.fields) {
        Ok(update) => posted.submit(&app, Command::UpdateLocation(update)).await.map(drop),
        Err(refused) => Err(refused.into()),
    };
    answer(&app, &live, &code, posted, done).await
}

pub async fn set_active(
    State(app): State<App>,
    Extension(live): Extension<Arc<Live>>,
    Path(code): Path<String>,
    posted: Posted,
) -> Result<Response<Body>, Problem> {
    one::may_see(&app, &posted.viewer, &code).await?;
    let active = Some(posted.fields.text("active") == "yes");
    let done =
        posted.submit(&app, Command::UpdateLocation(UpdateLocation { code: code.clone(), active, ..UpdateLocation::default() })).await.map(drop);
    answer(&app, &live, &code, posted, done).await
}

async fn answer(app: &App, live: &Live, code: &str, posted: Posted, done: Result<(), Stop>) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    match done {
        Ok(()) => Ok(see(&format!("/locations/{}?said=saved", step(code)))),
        Err(stop) => Ok(one::show(app, live, &viewer.refused(fields.0, stop)?, code).await?.into_response()),
    }
}

/// Whether the viewer may change locations.
pub fn may_edit(v: &Viewer) -> bool {
    v.may(Permission::LocationsEdit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_and_read() {
        for (micro_units, text) in
            [(0, "0.00"), (250_000, "0.25"), (3_000_000, "3.00"), (10_000, "0.01"), (1_500, "0.0015"), (1_234_500_000, "1234.50")]
        {
            assert_eq!(decimal(micro_units), text);
            let fields = Fields(vec![("a".into(), text.replace('.', ","))]);
            assert_eq!(micro(&fields, "a").unwrap(), Some(micro_units));
        }
        let bad = Fields(vec![("a".into(), "x".into()), ("b".into(), "−0,5".into()), ("c".into(), "inf".into())]);
        assert!(micro(&bad, "a").is_err() && number(&bad, "c").is_err());
        assert_eq!((number(&bad, "b").unwrap(), micro(&bad, "missing").unwrap()), (Some(-0.5), None));
    }
}
