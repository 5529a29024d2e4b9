//! The exceptions desk: what the program cannot solve alone, the list beside the one that is looked at, and what a person does about it.
//!
//! Here: the pages and what their forms ask of the engine. Beside: which exceptions are asked for (`ask.rs`), the list and the table
//! (`list.rs`), one exception (`detail.rs`), its remedies (`remedies.rs`), many at once (`many.rs`).

mod ask;
mod detail;
mod list;
mod many;
mod remedies;

pub use ask::kind_name;
pub use many::{act as act_on_many, preview as preview_many};

use super::export::{self, STEP};
use super::fields::{Posted, see};
use super::parts::{empty, icon};
use super::shell::{self, Page, Sheet};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use crate::request::id as number;
use ask::{Asked, Shown};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use detail::Chosen;
use domain::Permission::ExceptionsSolve;
use domain::{Noun, Refused};
use engine::access::reach;
use engine::exceptions::read::{self, ExceptionView};
use engine::exceptions::solve::{Solve, with_subject};
use engine::exceptions::{Kind, context, desk};
use engine::people;
use engine::{Answer, Command, Stop};
use maud::{Markup, html};

/// Exceptions on one page.
const SHOWN: usize = 50;

/// Everybody's login and name.
type Names = Vec<(String, String)>;

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if viewer.asked("format").as_deref() == Some("csv") {
        return export(&app, &viewer).await;
    }
    Ok(show(&app, &viewer, None).await?.into_response())
}

pub async fn one(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    show(&app, &viewer, Some(number(Noun::Exception, &id)?)).await
}

/// The desk, with one exception chosen or none.
async fn show(app: &App, v: &Viewer, id: Option<i64>) -> Result<Page, Problem> {
    let (asked, grant) = (Asked::of(v), v.grant());
    let query = asked.clone();
    let (shown, chosen, names) = app
        .read(move |tx, config| {
            let list = desk::list(tx, config, &query.desk(config, SHOWN)?)?;
            let sorts = desk::sorts(tx, query.now)?.into_iter().filter(|s| s.reaches(config, &grant)).collect();
            let channels = config.channels.iter().filter(|c| grant.on(&c.code)).map(|c| (c.code.to_string(), c.name.clone())).collect();
            let chosen = match id {
                Some(id) => {
                    let found = read::detail(tx, config, id)?;
                    if !reach::exception(&found.exception, &grant) {
                        return Err(Refused::unknown(Noun::Exception, id.to_string(), "id").into());
                    }
                    let context = context::read(tx, config, &grant, &found.exception.about)?;
                    let locations =
                        config.locations.iter().filter(|l| l.active && grant.at(l.id)).map(|l| (l.code.clone(), l.name.clone())).collect();
                    let channel = found.exception.channel.as_deref().and_then(|code| config.channel_by_code(code)).map(|c| c.name.clone());
                    Some(Chosen { found, context, locations, channel })
                }
                None => None,
            };
            Ok((Shown { list, sorts, channels }, chosen, people::names(tx)?))
        })
        .await?;
    let title = chosen.as_ref().map_or(v.t("Exceptions").to_owned(), |c| c.found.exception.title.clone());
    let body = html! {
        (undo(v))
        @if asked.as_table && chosen.is_none() { (list::table(v, &asked, &shown, &names)) }
        @else {
            div.cols.cols-triage {
                (list::panel(v, &asked, &shown, id, &names))
                @match &chosen {
                    Some(chosen) => (detail::article(v, &asked, &shown, chosen, &names)),
                    None => (nothing_chosen(v, &asked, &shown)),
                }
            }
        }
    };
    let head = head(v, &asked, &shown, chosen.is_some());
    Ok(shell::page(v, Sheet { title, here: "/exceptions", topics: "exceptions".into(), head, body }))
}

fn head(v: &Viewer, asked: &Asked, shown: &Shown, is_one: bool) -> Markup {
    let open = || shown.sorts.iter().filter(|s| !s.snoozed);
    let (all, critical) = (v.signs.exceptions, v.signs.critical);
    let oldest = open().map(|s| s.oldest).min();
    let sub = html! {
        @if all == 0 { (v.t("Nothing is open.")) }
        @else {
            (v.say("{} open", &[&v.num(all)])) @if critical > 0 { (v.say(", {} critical", &[&v.num(critical)])) } "."
            @if let Some(at) = oldest { " " (v.say("The oldest since {}.", &[&v.age(v.now - at)])) }
        }
    };
    let hint = |keys: &[&str], text: &'static str| html! { span { @for key in keys { kbd { (key) } } (v.t(text)) } };
    let right = html! {
        @if is_one || !asked.as_table {
            div.hints {
                (hint(&["J", "K"], "Next, previous"))
                @if !is_one { (hint(&["Enter"], "Open the row")) }
                @else if v.may(ExceptionsSolve) { (hint(&["R"], "First remedy")) (hint(&["E"], "Resolve")) (hint(&["A"], "Assign")) (hint(&["S"], "Snooze")) (hint(&["Z"], "Undo")) }
            }
        }
        @if !is_one {
            a.btn href=(asked.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) }
            div.seg role="group" aria-label=(v.t("View")) {
                a href=(asked.address(&[("as", "")])) aria-current=[(!asked.as_table).then_some("true")] { (v.t("Desk")) }
                a href=(asked.address(&[("as", "table")])) aria-current=[asked.as_table.then_some("true")] { (v.t("Table")) }
            }
        }
    };
    shell::head(v.t("Exceptions"), sub, right)
}

/// Beside the list while nothing is chosen of it.
fn nothing_chosen(v: &Viewer, asked: &Asked, shown: &Shown) -> Markup {
    let open: i64 = shown.sorts.iter().map(|s| s.count).sum();
    html! {
        section.panel.wide-only aria-label=(v.t("No exception is chosen")) {
            @if open == 0 && asked.is_plain() {
                div.empty {
                    svg.art viewBox="0 0 96 56" aria-hidden="true" { path d="M4 52h88M14 52V14h68v38" {} path.good d="m34 32 10 10 20-22" {} }
                    h2 { (v.t("No open exceptions")) }
                    p { (v.t("Orders that cannot be taken on, quantities that a channel refuses, channels that do not answer and counts that differ stand here as soon as they are met.")) }
                }
            } @else {
                (empty(v.t("Choose one"), html! { (v.t("What happened, what can be done about it and its history stand here.")) }, html! {
                    @if let Some(first) = shown.list.rows.first() { div { a.btn href=(asked.at(first.id.0)) { (v.t("Open the first")) (icon("right")) } } }
                }))
            }
        }
    }
}

/// What was just done, with the way back where there is one.
fn undo(v: &Viewer) -> Markup {
    let (said, done) = (v.asked("said").unwrap_or_default(), v.asked("done"));
    let text = match said.as_str() {
        "dismissed" => "Dismissed.",
        "snoozed" => "Put aside.",
        "solved" => "Solved.",
        "told" => "Told again; if it is not taken there, it comes back.",
        "tried" => "Tried again; it is still open. Its history says why.",
        "woken" => "Taken up again.",
        "reopened" => "Opened again.",
        "assigned" => "Assigned.",
        _ => return html! {},
    };
    let back = match said.as_str() {
        "dismissed" => Some("reopen"),
        "snoozed" => Some("wake"),
        _ => None,
    };
    let id = done.and_then(|id| id.parse::<i64>().ok()).filter(|_| v.may(ExceptionsSolve));
    html! {
        div.flash role="status" {
            (icon("ok")) span { (v.t(text)) }
            @if let (Some(action), Some(id)) = (back, id) {
                form action={ "/exceptions/" (id) "/" (action) } method="post" {
                    (super::parts::csrf(v)) (super::parts::once())
                    button.btn.btn-s type="submit" data-undo { (icon("undo")) (v.t("Undo")) " " kbd { "Z" } }
                }
            }
        }
    }
}

/// Something is done about an exception: `action` is a word of the API, or `wake`.
pub async fn act(State(app): State<App>, Path((id, word)): Path<(String, String)>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Exception, &id)?;
    let remedy = remedies::by_word(&word)
        .ok_or_else(|| Problem::new(axum::http::StatusCode::NOT_FOUND, "unknown_path", "There is nothing at this address."))?;
    let done = async {
        let solve = remedies::read(&posted.viewer, &posted.fields, id, remedy)?;
        submit(&app, &posted, solve, "").await
    };
    match done.await {
        Ok(view) => Ok(see(&after(&posted, &word, &view))),
        Err(stop) => {
            let fields = posted.fields.0;
            let viewer = posted.viewer.refused(fields, stop)?;
            Ok(show(&app, &remedies::at_field(viewer, &word), Some(id)).await?.into_response())
        }
    }
}

/// Has the engine do it; answers how the exception stands after it. Of a form about several, `part` tells which one it is.
async fn submit(app: &App, posted: &Posted, solve: Solve, part: &str) -> Result<ExceptionView, Stop> {
    let (id, grant) = (solve.id, posted.viewer.grant());
    let owner = solve.owner.clone();
    let solve = app
        .read(move |tx, config| {
            let found = read::detail(tx, config, solve.id)?;
            if !reach::exception(&found.exception, &grant) {
                return Err(Refused::unknown(Noun::Exception, solve.id.to_string(), "id").into());
            }
            let names = people::names(tx)?;
            let owner = owner.map(|text| ask::login(&names, &text)).transpose()?;
            with_subject(tx, config, Solve { owner, ..solve })
        })
        .await?;
    let reply = posted.submit_one(app, part, Command::Solve(Box::new(solve))).await?;
    match reply.answer {
        Answer::Exception(view) => Ok(*view),
        // The same form once more: as it stands now.
        _ => app.read(move |tx, config| Ok(read::detail(tx, config, id)?.exception)).await,
    }
}

/// Where the browser goes after something was done: on to the next one when this one needs nobody any more.
fn after(posted: &Posted, word: &str, view: &ExceptionView) -> String {
    let snoozed = view.snoozed_until.is_some_and(|until| until.0 > posted.viewer.now);
    let said = match word {
        "dismiss" => "dismissed",
        "snooze" => "snoozed",
        "wake" => "woken",
        "reopen" => "reopened",
        "assign" => "assigned",
        "retry" if !view.open && view.kind == Kind::NotTold.word() => "told",
        _ if !view.open => "solved",
        _ => "tried",
    };
    let here = format!("/exceptions/{}", view.id.0);
    let is_done = matches!(said, "dismissed" | "snoozed" | "solved" | "told") && (!view.open || snoozed);
    let to = posted.back(&here);
    let to = if is_done { to } else { here };
    let (path, query) = to.split_once('?').unwrap_or((&to, ""));
    let kept = super::fields::pairs(query).into_iter().filter(|(name, _)| name != "said" && name != "done");
    super::fields::address(path, kept.chain([("said".into(), said.into()), ("done".into(), view.id.0.to_string())]))
}

/// All that are asked for, as a file.
async fn export(app: &App, v: &Viewer) -> Result<Response<Body>, Problem> {
    let asked = Asked::of(v);
    let head = ["id", "kind", "severity", "channel", "about", "title", "detail", "owner", "opened", "due", "put_aside_until", "times", "open"];
    let step = move |tx: &mut engine::db::Tx<'_>, config: &engine::Config, after| {
        let page = desk::list(tx, config, &desk::DeskQuery { after, ..asked.desk(config, STEP)? })?;
        let row = |e: ExceptionView| {
            let channel = e.channel.map(|c| c.to_string()).unwrap_or_default();
            let aside = e.snoozed_until.map(|t| t.to_string()).unwrap_or_default();
            let (opened, due) = (e.created_at.to_string(), e.due_at.to_string());
            let (id, times, owner) = (e.id.0.to_string(), e.times.to_string(), e.owner.unwrap_or_default());
            vec![id, e.kind, e.severity, channel, e.about, e.title, e.detail, owner, opened, due, aside, times, e.open.to_string()]
        };
        Ok((page.rows.into_iter().map(row).collect(), page.next.map(Some)))
    };
    Ok(export::csv(app.clone(), "exceptions.csv", &head, None, step))
}
