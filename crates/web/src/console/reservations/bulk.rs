//! Several reservations let go at once: first what would be released, then each by a command of its own.

use super::held;
use crate::App;
use crate::console::fields::{Fields, Posted, pairs, saying, see};
use crate::console::parts::{empty, form, icon};
use crate::console::several;
use crate::console::shell::{self, Page, Sheet};
use crate::console::status;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Refused;
use engine::access::{audit, reach};
use engine::reservations::read;
use engine::reservations::release::Release;
use engine::views::ReservationView;
use engine::{Command, Stop};
use maud::{Markup, html};

/// Most reservations at once.
const MOST: usize = 100;

/// Those that are there and that the reader may see.
async fn chosen(app: &App, v: &Viewer, ids: Vec<i64>) -> Result<Vec<ReservationView>, Stop> {
    let grant = v.grant();
    app.read(move |tx, config| {
        let mut found: Vec<ReservationView> = Vec::new();
        for id in ids {
            match read::one(tx, config, id) {
                Ok(held) if reach::reservation(&held, &grant, config) => found.push(held),
                Err(stop) if stop.refused().is_none() => return Err(stop),
                _ => {}
            }
        }
        Ok(found)
    })
    .await
}

/// What would be released.
pub async fn ask(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let v = &viewer;
    let asked = Fields(pairs(&v.query));
    let found = chosen(&app, v, several::ids(&asked, MOST)).await?;
    let (back, title) = (asked.back("/reservations"), v.t("Release reservations"));
    let open: Vec<&ReservationView> = found.iter().filter(|r| r.status == "held").collect();
    let units = open.iter().flat_map(|r| &r.lines).map(|l| l.quantity).sum::<i64>();
    let body = html! {
        @if open.is_empty() {
            section.panel { (empty(v.t("No reservations were chosen"), html! { (v.t("Tick some that are held in the list first.")) }, html! { a.btn.btn-primary href=(back) { (v.t("Reservations")) } })) }
        } @else {
            (form(v, "/reservations/release", html! { section.panel aria-label=(title) {
                input type="hidden" name="next" value=(back);
                div.panel-body { p { (v.say("{} can be promised to others at once. Whoever holds them can no longer order from this reservation.", &[&v.count(units, "unit", "units")])) } }
                (table(v, &found, |r| html! {
                    @if r.status == "held" { input type="hidden" name="id" value=(r.id.0); (several::seen(r.id.0, &audit::etag_of(r))) (v.t("Released")) }
                    @else { span.quiet { (v.t("Held no more: left alone")) } }
                }))
                div.panel-foot {
                    button.btn.btn-danger type="submit" { (v.say("Release {}", &[&v.count(open.len() as i64, "reservation", "reservations")])) }
                    a.btn href=(back) { (v.t("Leave as it is")) }
                }
            } }))
        }
    };
    let head = shell::head(
        title,
        html! { (v.count(open.len() as i64, "reservation", "reservations")) },
        html! { a.btn href=(back) { (v.t("Back to the list")) } },
    );
    Ok(shell::page(v, Sheet { title: title.into(), here: "/reservations", topics: String::new(), head, body }))
}

fn table(v: &Viewer, rows: &[ReservationView], what: impl Fn(&ReservationView) -> Markup) -> Markup {
    html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("Reservations")) }
            thead { tr { th scope="col" { (v.t("Reservation")) } th scope="col" { (v.t("State")) } th scope="col" { (v.t("Channel")) } th scope="col" { (v.t("Holds")) } th scope="col" { (v.t("What is done")) } } }
            tbody { @for r in rows { tr {
                th scope="row" { a href={ "/reservations/" (r.id.0) } { (r.id.0) } }
                td data-label=(v.t("State")) { (status::cell(v, status::parse(r.status))) }
                td data-label=(v.t("Channel")) { (r.channel.as_deref().unwrap_or("–")) }
                td.wrap data-label=(v.t("Holds")) { (held(v, &r.lines)) }
                td.wrap data-label=(v.t("What is done")) { (what(r)) }
            } } }
        } }
    }
}

/// Each by itself: what is refused of one does not keep the others.
pub async fn release(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let v = &posted.viewer;
    let found = chosen(&app, v, several::ids(&posted.fields, MOST)).await?;
    let release = |held: &ReservationView| (held.id.0.to_string(), Command::Release(Release { id: held.id.0 }));
    let outcomes = several::each(&app, &posted, found.iter().map(release).collect()).await?;
    let refused: Vec<Option<Refused>> = outcomes.into_iter().map(Result::err).collect();
    let back = posted.back("/reservations");
    let failed = refused.iter().filter(|why| why.is_some()).count();
    if failed == 0 {
        return Ok(see(&saying(if found.is_empty() { "nothing" } else { "released" }, &back)));
    }
    // As they are now.
    let now = chosen(&app, v, found.iter().map(|held| held.id.0).collect()).await?;
    let why = |r: &ReservationView| found.iter().zip(&refused).find(|(f, _)| f.id == r.id).and_then(|(_, why)| why.as_ref());
    let title = v.say("{} done, {} not.", &[&v.num((found.len() - failed) as i64), &v.num(failed as i64)]);
    let body = html! {
        section.panel aria-label=(title) {
            (table(v, &now, |r| match why(r) {
                Some(refused) => several::why(v, refused),
                None => html! { (icon("ok")) " " (v.t("Released")) },
            }))
        }
    };
    let head = shell::head(&title, html! {}, html! { a.btn.btn-primary href=(back) { (v.t("Back to the list")) } });
    Ok(shell::page(v, Sheet { title: title.clone(), here: "/reservations", topics: String::new(), head, body }).into_response())
}
