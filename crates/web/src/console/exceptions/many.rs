//! Many exceptions at once: what will be done is shown first, then done to one after another. Each is its own change: one that is
//! refused does not keep the others from being done.

use super::ask;
use super::list::owner_name;
use super::remedies::{owner_field, snooze_fields, until};
use super::{Names, submit};
use crate::App;
use crate::console::fields::{Fields, Posted, saying, see};
use crate::console::parts::{Field, csrf, empty, icon, once, state};
use crate::console::several;
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Refused;
use engine::access::audit::etag_of;
use engine::access::reach;
use engine::exceptions::read::{self, ExceptionView};
use engine::exceptions::solve::{Action, Solve};
use engine::{Stop, people};
use maud::{Markup, html};

/// Most that are done at once: a page of them, four times.
const MOST: usize = 200;

/// What is to be done with all of them.
fn action(fields: &Fields) -> Result<Action, Refused> {
    match fields.text("what") {
        "assign" => Ok(Action::Assign),
        "snooze" => Ok(Action::Snooze),
        "dismiss" => Ok(Action::Dismiss),
        "retry" => Ok(Action::Retry),
        _ => Err(Refused::invalid("what", "must be assign, snooze, dismiss or retry")),
    }
}

/// Those that are there and that the viewer may see, and everybody's names.
async fn chosen(app: &App, v: &Viewer, ids: Vec<i64>) -> Result<(Vec<ExceptionView>, Names), Stop> {
    let grant = v.grant();
    app.read(move |tx, config| Ok((read::some(tx, config, &ids)?.into_iter().filter(|e| reach::exception(e, &grant)).collect(), people::names(tx)?)))
        .await
}

/// What will be done, and to what; with what it needs to know.
pub async fn preview(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    Ok(show(&app, &viewer, &fields).await?.into_response())
}

async fn show(app: &App, v: &Viewer, fields: &Fields) -> Result<Page, Problem> {
    let what = action(fields)?;
    let back = fields.back("/exceptions?as=table");
    let (found, names) = chosen(app, v, several::ids(fields, MOST)).await?;
    let open: Vec<&ExceptionView> = found.iter().filter(|e| e.open).collect();
    let (title, will) = match what {
        Action::Assign => ("Assign several", "They get the same owner; each is noted in its history."),
        Action::Snooze => ("Put several aside", "They leave the desk and come back by themselves."),
        Action::Retry => {
            ("Retry several", "Each is done again as it came, now that the cause is gone. What cannot be retried stays as it is, and is told.")
        }
        _ => ("Dismiss several", "They are dealt with elsewhere; the program does nothing more about them."),
    };
    let body = html! {
        @if open.is_empty() { section.panel { (empty(v.t("Nothing is ticked"), html! { (v.t("None of them is open, or none was ticked.")) }, html! { div { a.btn href=(back) { (v.t("Back")) } } })) } }
        @else {
            form.stack action="/exceptions/many/do" method="post" {
                (csrf(v)) (once())
                input type="hidden" name="what" value=(fields.text("what")); input type="hidden" name="next" value=(back);
                @for e in &open { input type="hidden" name="id" value=(e.id.0); (several::seen(e.id.0, &etag_of(&e.decided()))) }
                section.panel.form-narrow aria-label=(v.t(title)) { div.panel-body.stack {
                    p { (v.t(will)) }
                    @match what {
                        Action::Assign => { (owner_field(v, "", &names)) button.btn.btn-primary type="submit" { (v.say("Assign {}", &[&v.count(open.len() as i64, "exception", "exceptions")])) } },
                        Action::Snooze => (snooze_fields(v)),
                        Action::Retry => { button.btn.btn-primary type="submit" { (v.say("Retry {}", &[&v.count(open.len() as i64, "exception", "exceptions")])) } },
                        _ => { (Field::new("dismiss-note", "Why, for the history").show(v)) button.btn.btn-primary type="submit" { (v.say("Dismiss {}", &[&v.count(open.len() as i64, "exception", "exceptions")])) } },
                    }
                    a.btn.btn-ghost href=(back) { (v.t("Cancel")) }
                } }
                (table(v, &found, &names))
            }
        }
    };
    let head = shell::head(v.t(title), html! { (v.count(open.len() as i64, "exception", "exceptions")) }, html! {});
    Ok(shell::page(v, Sheet { title: v.t(title).into(), here: "/exceptions", topics: String::new(), head, body }))
}

fn table(v: &Viewer, found: &[ExceptionView], names: &Names) -> Markup {
    html! {
        section.panel aria-label=(v.t("What it is done to")) { div.table-wrap { table.table.no-top {
            thead { tr { th scope="col" { (v.t("What")) } th scope="col" { (v.t("Kind")) } th scope="col" { (v.t("Channel")) } th scope="col" { (v.t("Owner")) } th scope="col" { (v.t("State")) } } }
            tbody { @for e in found { tr {
                th.clip scope="row" title=(v.whole(&e.title)) { (v.whole(&e.title)) }
                td { (ask::kind_name(v, &e.kind)) } td { (e.channel.as_deref().unwrap_or("–")) }
                td { (e.owner.as_deref().map_or(v.t("Nobody"), |o| owner_name(names, o))) }
                td { @if e.open { (state("open", "st-info", v.t("Open"))) } @else { (state("off", "st-off", v.t("Solved already: left alone"))) } }
            } } }
        } } }
    }
}

pub async fn act(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let what = action(&posted.fields)?;
    let (mut done, mut refused) = (0, Vec::new());
    for id in several::ids(&posted.fields, MOST) {
        match one(&app, &posted, id, what).await {
            // It was tried, and what was in the way still is.
            Ok(view) if what == Action::Retry && view.open => {
                let v = &posted.viewer;
                refused.push((id, v.say("Still open: {}", &[&v.whole(&view.detail)])));
            }
            Ok(_) => done += 1,
            Err(stop) if at_fault(&stop) => {
                let viewer = posted.viewer.clone().refused(posted.fields.0.clone(), stop)?;
                let word = posted.fields.text("what").to_owned();
                return Ok(show(&app, &super::remedies::at_field(viewer, &word), &posted.fields).await?.into_response());
            }
            Err(stop) if stop.refused().is_some() => refused.push((id, posted.viewer.whole(&stop.to_string()).into_owned())),
            Err(stop) => return Err(stop.into()),
        }
    }
    if refused.is_empty() {
        return Ok(see(&saying("saved", &posted.back("/exceptions?as=table"))));
    }
    Ok(report(&posted.viewer, done, &refused, &posted.back("/exceptions?as=table")).into_response())
}

/// Whether what was typed is refused, and so would be for each of them.
fn at_fault(stop: &Stop) -> bool {
    stop.refused().and_then(Refused::field).is_some_and(|field| ["owner", "until", "note"].contains(&field))
}

async fn one(app: &App, posted: &Posted, id: i64, what: Action) -> Result<ExceptionView, Stop> {
    let (v, fields) = (&posted.viewer, &posted.fields);
    let solve = match what {
        Action::Assign => Solve { owner: Some(fields.text("assign-owner").to_owned()), ..Solve::new(id, what) },
        Action::Snooze => Solve { until: Some(until(v, fields)?), ..Solve::new(id, what) },
        Action::Retry => Solve::new(id, what),
        _ => Solve { note: fields.given("dismiss-note"), ..Solve::new(id, what) },
    };
    submit(app, posted, solve, &id.to_string()).await
}

/// What was not done, and why.
fn report(v: &Viewer, done: i64, refused: &[(i64, String)], back: &str) -> Page {
    let body = html! {
        div.banner.banner-warn { (icon("warn")) div { b { (v.say("{} done, {} not.", &[&v.num(done), &v.num(refused.len() as i64)])) } } a.btn.btn-s href=(back) { (v.t("Back to the list")) } }
        section.panel aria-label=(v.t("Not done")) { ul.list { @for (id, why) in refused { li { a.list-a href={ "/exceptions/" (id) } { (icon("warn")) span { span.what { (v.say("Exception {}", &[id])) } span.why { (why) } } span.when {} } } } } }
    };
    let head = shell::head(v.t("Several exceptions"), html! {}, html! {});
    shell::page(v, Sheet { title: v.t("Several exceptions").into(), here: "/exceptions", topics: String::new(), head, body })
}
