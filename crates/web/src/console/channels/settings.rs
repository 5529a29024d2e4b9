//! The settings of a channel: what it is called, where it is, how one signs in there; its policy; where its notices come to. Secrets can
//! be replaced, never read.

use super::{find, one, policy};
use crate::App;
use crate::console::fields::{Fields, Posted, see, step};
use crate::console::parts::{Field, Part, fault, form, icon, seen};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::{Viewer, capital};
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::ChannelsEdit;
use domain::{Grant, Noun, Refused};
use engine::access::audit::etag_of;
use engine::channels::connect::{ChannelView, KindView, SettingView, UpdateChannel, WEBHOOK_ADDRESS, kinds};
use engine::channels::read::ChannelStatus;
use engine::channels::webhook as hook;
use engine::channels::workers::changed_settings;
use engine::{Command, Config, Stop};
use maud::{Markup, html};
use std::collections::BTreeMap;

pub fn kind(word: &str) -> Option<KindView> {
    kinds().into_iter().find(|k| k.kind == word)
}

pub fn kind_name(word: &str) -> String {
    kind(word).map_or_else(|| word.to_owned(), |k| k.name.to_owned())
}

/// `access_token` as “Access token”.
pub fn label(name: &str) -> String {
    capital(&name.replace('_', " "))
}

/// “such as EBAY_US” as “Such as EBAY_US.”
fn as_sentence(text: &str) -> String {
    let begun = capital(text);
    if begun.is_empty() || begun.ends_with('.') { begun } else { format!("{begun}.") }
}

/// The field of a setting, with what it is. A secret is never shown: `is_kept` says that one is there, which an empty field keeps.
pub fn field(v: &Viewer, setting: &SettingView, value: &str, is_kept: bool) -> Markup {
    let name = format!("settings.{}", setting.name);
    let (id, told) = (format!("f-{}", setting.name), format!("d-{}", setting.name));
    let called = label(setting.name);
    let called = v.whole(&called);
    let fault = fault(v, &name, &called);
    let shown = if setting.secret { "" } else { v.typed(&name).unwrap_or(value) };
    html! {
        div.field {
            label for=(id) { (called) }
            input.input #(id) name=(name) type=(if setting.secret { "password" } else { "text" }) value=(shown) autocomplete=(if setting.secret { "new-password" } else { "off" }) spellcheck="false"
                placeholder=[(setting.secret && is_kept).then(|| v.t("Kept; type to replace"))] aria-describedby=(told) aria-invalid=[fault.as_ref().map(|_| "true")];
            @match fault {
                Some(fault) => p.error id=(told) role="alert" { (fault) },
                None => p.hint id=(told) { (as_sentence(v.t(setting.help))) @if setting.secret { " " (v.t("Encrypted, and never shown again.")) } },
            }
        }
    }
}

/// The settings of a form by their names.
pub fn typed(fields: &Fields) -> BTreeMap<String, String> {
    fields.0.iter().filter_map(|(name, value)| Some((name.strip_prefix("settings.")?.to_owned(), value.trim().to_owned()))).collect()
}

/// Beside the listings: where it is, and where its notices come to.
pub fn connection(v: &Viewer, status: &ChannelStatus) -> Markup {
    let channel = &status.channel;
    let webhook = channel.settings.get(WEBHOOK_ADDRESS).filter(|a| !a.is_empty());
    let body = html! { div.panel-body.stack {
        dl.facts {
            dt { (v.t("Kind")) } dd { (kind_name(&channel.kind)) }
            dt { (v.t("Address")) } dd.anywhere { (channel.address) }
            @for (name, value) in channel.settings.iter().filter(|(name, value)| *name != WEBHOOK_ADDRESS && !value.is_empty()) { dt { (v.whole(&label(name))) } dd.anywhere { (value) } }
            dt { (v.t("Notices come to")) } dd.anywhere { (webhook.map_or(v.t("none are asked for").to_owned(), Clone::clone)) }
            dt { (v.t("Connected")) } dd { (v.date(channel.created_at.0)) }
        }
    } };
    let right = html! { @if v.may(ChannelsEdit) { div.right { a href={ "/channels/" (step(&channel.code)) "/settings" } { (v.t("Edit")) } } } };
    Part::new("connection", v.t("Connection"), body).right(right).show()
}

pub async fn page(State(app): State<App>, Path(code): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    show(&app, &viewer, &code, html! {}).await
}

/// The channel as it is now, for a form that changes it.
pub async fn view(app: &App, v: &Viewer, code: &str) -> Result<ChannelView, Stop> {
    let (code, grant) = (code.to_owned(), v.grant());
    app.read(move |_, config| Ok(view_of(config, &grant, &code)?)).await
}

/// The channel as it is now. Refuses one that is not there or that `grant` does not reach, and a contract.
pub fn view_of(config: &Config, grant: &Grant, code: &str) -> Result<ChannelView, Refused> {
    let found = config.channel_by_code(code).filter(|c| !c.is_contract() && grant.on(&c.code));
    found.map(|c| ChannelView::new(c, config)).ok_or_else(|| Refused::unknown(Noun::Channel, code, "code"))
}

async fn show(app: &App, v: &Viewer, code: &str, said: Markup) -> Result<Page, Problem> {
    let channel = view(app, v, code).await?;
    let Some(kind) = kind(&channel.kind) else { return Err(Stop::broken(format!("there is no connector “{}”", channel.kind)).into()) };
    let to = format!("/channels/{}", step(code));
    // Where it tells is set by asking for it, below.
    let settings = kind.settings.iter().filter(|s| s.name != WEBHOOK_ADDRESS);
    let value = |s: &SettingView| channel.settings.get(s.name).cloned().unwrap_or_default();
    let body = html! {
        (said)
        div.cols.cols-2 {
            section.panel aria-labelledby="h-settings" { div.panel-head { h2 #h-settings { (v.t("Connection")) } } div.panel-body {
                (form(v, &format!("{to}/settings"), html! {
                    (seen(&etag_of(&channel)))
                    (Field::new("name", "Name").value(&channel.name).required().show(v))
                    (Field::new("address", "Address").kind("url").value(&channel.address).required().show(v))
                    @for setting in settings { (field(v, setting, &value(setting), true)) }
                    div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } a.btn.btn-ghost href=(to) { (v.t("Back")) } span.small.quiet { (v.t("It starts anew with them within a second; check it then.")) } }
                }))
            } }
            (notices(app, v, &channel, &to))
        }
    };
    let head = shell::head(&channel.name, html! { (kind.name) " · " (channel.code) }, html! {});
    Ok(shell::page(v, Sheet { title: channel.name.clone(), here: "/channels", topics: String::new(), head, body }))
}

/// Where the channel tells of its orders by itself, so that they need not wait for the next reading.
fn notices(app: &App, v: &Viewer, channel: &ChannelView, to: &str) -> Markup {
    let public = app.outside.public_url.clone().unwrap_or_else(|| v.visit.origin());
    let known = channel.settings.get(WEBHOOK_ADDRESS).filter(|a| !a.is_empty());
    let proposed = known.cloned().unwrap_or_else(|| format!("{public}/api/v1/webhooks/{}", step(&channel.code)));
    let body = html! { div.panel-body.stack {
        p { (v.t("The channel can tell of each order as it is placed, which is seconds sooner than the next reading. Every notice is verified by its signature; reading goes on beside it.")) }
        @if app.outside.public_url.is_none() { p.small.quiet { (v.t("This server was started without HOLDFAST_PUBLIC_URL: the address below is a guess. The channel must be able to reach it over HTTPS.")) } }
        (form(v, &format!("{to}/subscribe"), html! {
            (Field::new("notices", "Address for its notices").kind("url").value(proposed).required().hint(html! { (v.t("For a channel that sends into a cloud of its own, the place there.")) }).show(v))
            div.form-foot { button.btn type="submit" { @if known.is_some() { (v.t("Ask for them again")) } @else { (v.t("Ask for notices")) } } }
        }))
        @if known.is_some() { p.small.quiet { (icon("ok")) " " (v.t("They are asked for, and asked for again every four hours in case the channel gave up.")) } }
    } };
    Part::new("notices", v.t("Notices"), body).show()
}

pub async fn set(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let work = async {
        let channel = find(&app, &posted.viewer, &code).await?;
        let (settings, secrets) = changed_settings(&app.engine, &app.vault, &channel, typed(&posted.fields)).await?;
        let (name, address) = (Some(posted.fields.text("name").to_owned()), Some(posted.fields.text("address").to_owned()));
        let update =
            UpdateChannel { code: code.clone(), name, address, settings: Some(settings), secrets: Some(secrets), ..UpdateChannel::default() };
        posted.submit(&app, Command::UpdateChannel(update)).await
    };
    match work.await {
        Ok(_) => Ok(see(&format!("/channels/{}?said=saved", step(&code)))),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(posted.fields.0, stop)?, &code, html! {}).await?.into_response()),
    }
}

pub async fn set_policy(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let work = async {
        find(&app, &posted.viewer, &code).await?;
        let policy = policy::read(&posted.fields)?.ok_or_else(|| Refused::invalid("policy.mode", "must be quota, shared or fixed"))?;
        posted.submit(&app, Command::UpdateChannel(UpdateChannel { code: code.clone(), policy: Some(policy), ..UpdateChannel::default() })).await
    };
    match work.await {
        Ok(_) => Ok(see(&format!("/channels/{}?said=saved", step(&code)))),
        Err(stop) => Ok(one::show(&app, &posted.viewer.refused(posted.fields.0, stop)?, &code, html! {}).await?.into_response()),
    }
}

pub async fn subscribe(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let work = async {
        let channel = find(&app, &posted.viewer, &code).await?;
        hook::subscribe(&app.workers, &app.engine, &app.vault, &channel, posted.fields.text("notices")).await
    };
    match work.await {
        Ok(Ok(topics)) => {
            let v = &posted.viewer;
            let told = html! { div.banner.banner-ok role="status" { (icon("ok")) div { b { (v.t("It tells of its orders there.")) } " " (topics.join(", ")) } } };
            Ok(show(&app, v, &code, told).await?.into_response())
        }
        Ok(Err(why)) => {
            let v = &posted.viewer;
            let told = html! { div.banner.banner-danger role="alert" { (icon("danger")) div { b { (v.t("It was not asked for.")) } " " (why) ". " (v.t("Orders are read all the same.")) } } };
            Ok(show(&app, v, &code, told).await?.into_response())
        }
        Err(stop) => {
            let mut viewer = posted.viewer.refused(posted.fields.0, stop)?;
            // The engine knows the field by another name than the page, which has two addresses.
            if let Some(wrong) = viewer.wrong.as_mut().filter(|w| w.field.as_deref() == Some("address")) {
                wrong.field = Some("notices".into());
            }
            Ok(show(&app, &viewer, &code, html! {}).await?.into_response())
        }
    }
}
