//! What pages share that do the same to several things, each by a command of its own, so that what is refused of one does not keep the
//! others: which were chosen, what came of each, and the way back. Stock is booked for several items as one change, in `items/bulk.rs`.

use super::fields::{Fields, Posted};
use super::parts::{csrf, icon, once};
use super::viewer::Viewer;
use crate::App;
use domain::Refused;
use engine::{Answer, Command, Reply, Stop};
use futures_util::future::join_all;
use maud::{Markup, html};
use std::collections::HashSet;
use std::fmt::Display;

/// Numbers of those that were ticked, each once, `most` at most.
pub fn ids(fields: &Fields, most: usize) -> Vec<i64> {
    let mut known = HashSet::new();
    fields.all("id").iter().filter_map(|id| id.parse().ok()).filter(|id| known.insert(*id)).take(most).collect()
}

/// How one of them was when it was shown (`engine::access::audit::etag_of`): if somebody else changes it meanwhile, it is left alone.
pub fn seen(key: impl Display, etag: &str) -> Markup {
    html! { input type="hidden" name={ "seen:" (key) } value=(etag); }
}

/// Has the engine carry them out, each with a key that names it in the form, and tells what came of each, in their order.
pub async fn each(app: &App, posted: &Posted, commands: Vec<(String, Command)>) -> Result<Vec<Result<Reply, Refused>>, Stop> {
    let outcomes = join_all(commands.into_iter().map(|(key, command)| async move { posted.submit_one(app, &key, command).await })).await;
    let told = |outcome: Result<Reply, Stop>| match outcome {
        Ok(reply) => Ok(Ok(reply)),
        Err(stop) => stop.refused().cloned().map(Err).ok_or(stop),
    };
    outcomes.into_iter().map(told).collect()
}

/// One of them that is changed: what it is, what it is to become, and what came of it.
pub struct Row<Thing, To> {
    pub thing: Thing,
    pub to: To,
    pub refused: Option<Refused>,
    /// What it is known by after the change, so that one by somebody else is noticed when this one is taken back.
    pub after: Option<String>,
}

impl<Thing, To> Row<Thing, To> {
    pub fn new(thing: Thing, to: To) -> Row<Thing, To> {
        Row { thing, to, refused: None, after: None }
    }
}

/// Has the engine change the rows for which `command` has one and the key that names it in the form, and notes what came of each. `etag`
/// is what a thing is known by, from the engine's answer; the same form once more is answered without.
pub async fn change<Thing, To>(
    app: &App,
    posted: &Posted,
    rows: &mut [Row<Thing, To>],
    command: impl Fn(&Row<Thing, To>) -> Option<(String, Command)>,
    etag: impl Fn(&Answer) -> Option<String>,
) -> Result<(), Stop> {
    let (changed, commands): (Vec<_>, Vec<_>) = rows.iter_mut().filter_map(|row| command(row).map(|command| (row, command))).unzip();
    let outcomes = each(app, posted, commands).await?;
    for (row, outcome) in changed.into_iter().zip(outcomes) {
        match outcome {
            Ok(reply) => row.after = etag(&reply.answer),
            Err(refused) => row.refused = Some(refused),
        }
    }
    Ok(())
}

/// Why one of them is or would be refused.
pub fn why(v: &Viewer, refused: &Refused) -> Markup {
    html! { span.st.st-danger { (icon("danger")) span.wrap { (v.whole(&refused.to_string())) } } }
}

/// What was done, how many were refused, and, where something was done, a form that has all of it as it was: its address and what it
/// sends.
pub fn told(v: &Viewer, done: &str, refused: usize, undo: Option<(&str, Markup)>) -> Markup {
    html! {
        div class=(if refused == 0 { "banner banner-ok flash" } else { "banner banner-warn flash" }) role="status" {
            (icon(if refused == 0 { "ok" } else { "warn" }))
            div { b { (done) } @if refused > 0 { " " (v.say("{} refused.", &[&v.num(refused as i64)])) } }
            @if let Some((action, sent)) = undo {
                form action=(action) method="post" {
                    (csrf(v)) (once())
                    (sent)
                    button.btn.btn-s type="submit" data-undo { (icon("undo")) (v.t("Undo")) " " kbd { "Z" } }
                }
            }
        }
    }
}
