//! Connecting a channel in steps: which kind, where it is and how one signs in there, whether it answers, and its policy. What was typed
//! travels with the forms, its secrets encrypted, and nothing is kept here before the last step. The check can be left out, if the
//! person says so.

use super::{contract, doing, policy, settings};
use crate::App;
use crate::console::fields::{Fields, Posted, see, step};
use crate::console::parts::{Field, csrf, icon, once, select};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::{ChannelsEdit, ContractsEdit};
use domain::Refused;
use domain::quota::Policy;
use domain::routing::Kind as Place;
use engine::channels::check::{Unanswered, check_new};
use engine::channels::connect::{Connection, KindView, kinds, read_new};
use engine::{Command, Stop};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was said so far.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Draft {
    kind: String,
    name: String,
    code: String,
    address: String,
    settings: BTreeMap<String, String>,
    /// Whether the account answered, and by which name.
    account: Option<String>,
}

/// What the draft of one session is encrypted for: elsewhere it opens nothing.
fn place(v: &Viewer) -> String {
    format!("channel draft {}", v.caller.as_ref().map_or("", |c| &c.id))
}

impl Draft {
    /// The one that a form carries along, with what was typed into it since.
    fn read(app: &App, v: &Viewer, fields: &Fields) -> Draft {
        let sealed = fields.text("draft");
        let opened = app.vault.decrypt(&place(v), sealed).ok().map(|(text, _)| text);
        let mut draft: Draft = opened.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let Some(kind) = settings::kind(fields.given("kind").as_deref().unwrap_or(&draft.kind)) else { return draft };
        draft.kind = kind.kind.to_owned();
        let put = |into: &mut String, name: &str| {
            *into = fields.0.iter().find(|(n, _)| n == name).map_or(into.clone(), |(_, value)| value.trim().to_owned())
        };
        put(&mut draft.name, "name");
        put(&mut draft.code, "code");
        put(&mut draft.address, "address");
        for (name, value) in settings::typed(fields) {
            let is_secret = kind.settings.iter().any(|s| s.name == name && s.secret);
            // A secret that was typed before is not typed again.
            if !(is_secret && value.is_empty()) {
                draft.settings.insert(name, value);
            }
        }
        draft
    }

    fn seal(&self, app: &App, v: &Viewer) -> Result<String, Stop> {
        app.vault.encrypt(&place(v), &serde_json::to_string(self).unwrap_or_default())
    }

    fn connection(&self, policy: Policy, location: Option<String>) -> Connection {
        let settings = self.settings.iter().filter(|(_, value)| !value.is_empty()).map(|(n, value)| (n.clone(), value.clone())).collect();
        let Draft { kind, name, code, address, .. } = self.clone();
        Connection { kind, name, code, address, settings, policy, location }
    }
}

pub async fn new(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let v = &viewer;
    match v.asked("kind").as_deref() {
        Some("contract") if v.may(ContractsEdit) => contract::show_new(&app, v, contract::ROWS).await,
        Some(word) if v.may(ChannelsEdit) && settings::kind(word).is_some() => {
            Ok(account(&app, v, &Draft { kind: word.to_owned(), ..Draft::default() }, None)?)
        }
        _ => Ok(choose(v)),
    }
}

/// The steps, and which one this is.
fn steps(v: &Viewer, at: usize) -> Markup {
    let all = [
        ("Kind", "What it is that sells, or keeps, the goods."),
        ("Account", "Where it is and how one signs in there; then it is asked something harmless."),
        ("Policy", "How many units it is lent."),
    ];
    html! {
        section.panel aria-label=(v.t("Steps")) { div.panel-body { ol.steps { @for (n, (name, about)) in all.iter().enumerate() {
            li.done[n < at] aria-current=[(n == at).then_some("step")] {
                span.n aria-hidden="true" { @if n < at { (icon("ok")) } @else { (n + 1) } }
                div { h3 { (v.t(name)) @if n < at { span.vh { ", " (v.t("done")) } } } p.small.quiet { (v.t(about)) } }
            }
        } } } }
    }
}

fn sheet(v: &Viewer, at: usize, sub: String, main: Markup) -> Page {
    let body = html! { div.cols.cols-side { div.stack { (main) } (steps(v, at)) } };
    let head = shell::head(v.t("Connect a channel"), html! { (sub) }, html! { a.btn.btn-ghost href="/channels" { (v.t("Cancel")) } });
    shell::page(v, Sheet { title: v.t("Connect a channel").into(), here: "/channels", topics: String::new(), head, body })
}

fn choose(v: &Viewer) -> Page {
    let (warehouses, markets): (Vec<KindView>, Vec<KindView>) = kinds().into_iter().partition(|k| k.is_warehouse);
    let offer = |kind: &KindView, what: &'static str| {
        html! {
            li { span { b { (kind.name) } small { (v.t(what)) " " (v.say("Asks for {}.", &[&kind.settings.iter().map(|s| v.whole(&settings::label(s.name)).into_owned()).collect::<Vec<_>>().join(", ")])) } }
                a.btn href={ "/channels/new?kind=" (kind.kind) } { (v.t("Choose")) (icon("right")) } }
        }
    };
    let main = html! {
        @if v.may(ChannelsEdit) {
            section.panel aria-labelledby="h-markets" { div.panel-head { h2 #h-markets { (v.t("Marketplaces")) } } div.panel-body { ul.options { @for kind in &markets { (offer(kind, "Orders come in, quotas go out.")) } } } }
            section.panel aria-labelledby="h-houses" { div.panel-head { h2 #h-houses { (v.t("Third-party warehouses")) } } div.panel-body { ul.options { @for kind in &warehouses { (offer(kind, "Keeps stock and ships what is routed to it.")) } } } }
        }
        @if v.may(ContractsEdit) {
            section.panel aria-labelledby="h-b2b" { div.panel-head { h2 #h-b2b { (v.t("Business customers")) } } div.panel-body { ul.options {
                li { span { b { (v.t("Contract")) } small { (v.t("Agreed prices and quantities, with units set aside; the customer orders over the API.")) } } a.btn href="/channels/new?kind=contract" { (v.t("Choose")) (icon("right")) } }
            } } }
        }
    };
    sheet(v, 0, v.t("Nothing is kept before the last step.").to_owned(), main)
}

/// The second step: where it is and how one signs in.
fn account(app: &App, v: &Viewer, draft: &Draft, answer: Option<&Unanswered>) -> Result<Page, Problem> {
    let Some(kind) = settings::kind(&draft.kind) else { return Ok(choose(v)) };
    // Nothing secret is typed yet in a fresh one, which needs no key then.
    let sealed = if draft.settings.is_empty() { String::new() } else { draft.seal(app, v)? };
    let value = |name: &str| draft.settings.get(name).map(String::as_str).unwrap_or_default();
    let main = html! {
        @if let Some(unanswered) = answer { (doing::answered(v, &Err(unanswered.clone()))) }
        section.panel aria-labelledby="h-account" { div.panel-head { h2 #h-account { (kind.name) } } div.panel-body {
            form.form.stack action="/channels/new" method="post" {
                (csrf(v)) (once())
                input type="hidden" name="kind" value=(kind.kind); input type="hidden" name="draft" value=(sealed);
                div.form-grid {
                    (Field::new("name", "Name").value(&draft.name).placeholder(kind.name).hint(html! { (v.t("As people here call it.")) }).required().show(v))
                    (Field::new("code", "Code").value(&draft.code).placeholder(format!("{}-uk", kind.kind)).hint(html! { (v.t("Short, in orders and addresses; it never changes.")) }).required().show(v))
                }
                (Field::new("address", "Address").kind("url").value(&draft.address).placeholder("https://").hint(html! { (v.t("Where its API is, as its own pages say.")) }).required().show(v))
                div.form-grid { @for s in &kind.settings { (settings::field(v, s, value(s.name), !value(s.name).is_empty())) } }
                div.form-foot {
                    button.btn.btn-primary type="submit" name="do" value="check" { (v.t("Check it")) }
                    @if answer.is_some() { button.btn type="submit" name="do" value="skip" { (v.t("Go on without an answer")) } }
                    @else { button.btn.btn-ghost type="submit" name="do" value="skip" { (v.t("Go on without a check")) } }
                    a.btn.btn-ghost href="/channels/new" { (v.t("Another kind")) }
                }
            }
        } }
    };
    Ok(sheet(v, 1, v.t("The check asks for the account's name and changes nothing there.").to_owned(), main))
}

/// The last step: its policy, and for a warehouse the location that it stands for.
async fn last(app: &App, v: &Viewer, draft: &Draft, chosen: &Policy) -> Result<Page, Problem> {
    let Some(kind) = settings::kind(&draft.kind) else { return Ok(choose(v)) };
    let sealed = draft.seal(app, v)?;
    let places: Vec<(String, String)> = app
        .read(|_, config| {
            let free = |id: i64| config.warehouse_at(id).is_none();
            let own = config.locations.iter().filter(|l| l.kind == Place::ThirdParty && l.active && free(l.id));
            Ok(own.map(|l| (l.code.clone(), l.name.clone())).collect())
        })
        .await?;
    let main = html! {
        @match &draft.account {
            Some(account) => (doing::answered(v, &Ok(account.clone()))),
            None => div.banner.banner-warn { (icon("warn")) div { b { (v.t("It was not checked.")) } " " (v.t("Nothing says yet that these settings are right.")) } },
        }
        section.panel aria-labelledby="h-last" { div.panel-head { h2 #h-last { (draft.name) } span.sub { (kind.name) " · " (draft.code) } } div.panel-body {
            form.form.stack action="/channels/new" method="post" {
                (csrf(v)) (once())
                input type="hidden" name="draft" value=(sealed);
                @if kind.is_warehouse {
                    @if places.is_empty() { div.banner.banner-warn { (icon("warn")) div { (v.t("There is no location of the kind third_party that no other warehouse stands for. ")) a href="/locations/new" { (v.t("Add one first.")) } } } }
                    @else { (select(v, "location", "Location that it stands for", &places, "")) }
                } @else {
                    h3 { (v.t("Policy")) " " span.quiet { (v.t("of listings that have none of their own")) } }
                    (policy::fields(v, chosen, None))
                }
                div.form-foot {
                    button.btn.btn-primary type="submit" name="do" value="connect" { (v.say("Connect {}", &[&draft.name])) }
                    button.btn.btn-ghost type="submit" name="do" value="back" { (icon("left")) (v.t("Back")) }
                }
                p.small.quiet { @if kind.is_warehouse { (v.t("It starts within a second: its stock is read and held against the books.")) } @else { (v.t("It starts within a second: what is listed there is read, and listings whose SKU is an item's are mapped. Orders from before stay whose they were.")) } }
            }
        } }
    };
    Ok(sheet(v, 2, v.t("Connecting keeps it, and starts it.").to_owned(), main))
}

/// One step on, as the button that was pressed says.
pub async fn go_on(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let draft = Draft::read(&app, &posted.viewer, &posted.fields);
    let v = &posted.viewer;
    match posted.fields.text("do") {
        "check" => match check_new(&app.engine, &draft.connection(Policy::default(), None)).await {
            Ok(Ok(account)) => next(&app, &posted, Draft { account: Some(account), ..draft }).await,
            Ok(Err(unanswered)) => Ok(account(&app, v, &draft, Some(&unanswered))?.into_response()),
            Err(stop) => Ok(account(&app, &posted.viewer.refused(posted.fields.0, stop)?, &draft, None)?.into_response()),
        },
        "skip" => next(&app, &posted, Draft { account: None, ..draft }).await,
        "connect" => connect(app, posted, draft).await,
        _ => Ok(account(&app, v, &draft, None)?.into_response()),
    }
}

/// To the last step, if what was said so far can be kept.
async fn next(app: &App, posted: &Posted, draft: Draft) -> Result<Response<Body>, Problem> {
    let refused = |stop: Stop| -> Result<Response<Body>, Problem> {
        Ok(account(app, &posted.viewer.clone().refused(posted.fields.0.clone(), stop)?, &draft, None)?.into_response())
    };
    let (code, name) = (draft.code.clone(), draft.name.clone());
    let fits = app
        .read(move |_, config| {
            domain::limits::name("code", &code)?;
            domain::limits::name("name", &name)?;
            match config.channel_by_code(&code) {
                Some(_) => Err(Refused::Exists { noun: domain::Noun::Channel, name: code.clone() }.into()),
                None => Ok(()),
            }
        })
        .await;
    if let Err(stop) = fits {
        return refused(stop);
    }
    // The location is chosen in the last step; any name does here.
    let location = settings::kind(&draft.kind).filter(|k| k.is_warehouse).map(|_| "-".to_owned());
    if let Err(stop) = read_new(&app.vault, draft.connection(Policy::default(), location)) {
        return refused(stop);
    }
    Ok(last(app, &posted.viewer, &draft, &Policy::default()).await?.into_response())
}

async fn connect(app: App, posted: Posted, draft: Draft) -> Result<Response<Body>, Problem> {
    let work = async {
        let policy = policy::read(&posted.fields)?.unwrap_or_default();
        let is_warehouse = settings::kind(&draft.kind).is_some_and(|k| k.is_warehouse);
        let location = Some(posted.fields.text("location").to_owned()).filter(|_| is_warehouse);
        let new = read_new(&app.vault, draft.connection(policy, location))?;
        posted.submit(&app, Command::ConnectChannel(Box::new(new))).await
    };
    match work.await {
        Ok(_) => Ok(see(&format!("/channels/{}?said=created", step(&draft.code)))),
        Err(stop) => {
            let of_account = |field: &str| ["code", "name", "address"].contains(&field) || field.starts_with("settings");
            let viewer = posted.viewer.refused(posted.fields.0, stop)?;
            let is_account = viewer.wrong.as_ref().and_then(|w| w.field.as_deref()).is_some_and(of_account);
            let page = if is_account { account(&app, &viewer, &draft, None)? } else { last(&app, &viewer, &draft, &Policy::default()).await? };
            Ok(page.into_response())
        }
    }
}
