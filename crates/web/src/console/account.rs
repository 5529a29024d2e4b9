//! One's own account: name and preferences, password, second factor, passkeys, sessions.

use super::fields::{Fields, Posted, see};
use super::language::Language;
use super::notice;
use super::parts::{Field, Part, button, confirm, csrf, form, icon, select};
use super::shell::{self, Page, Sheet};
use super::sign_in::{blocking, hex, new_password};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use domain::Refused;
use engine::Stop;
use engine::people::reseal::totp_place;
use engine::people::sign_in::{self, SignedIn, Standing, Try};
use engine::people::{self, Passkey, Preferences, Session};
use identity::{password, recovery, totp};
use maud::{Markup, PreEscaped, html};
use std::sync::Arc;

/// Whoever is signed in; routes that need a session have one.
pub(super) fn own(v: &Viewer) -> Result<Arc<SignedIn>, Problem> {
    let signed_in = v.caller.as_ref().and_then(|c| c.signed_in.clone());
    signed_in.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "session_required", "Sign in again."))
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    show(&app, &viewer).await
}

async fn show(app: &App, v: &Viewer) -> Result<Page, Problem> {
    let me = own(v)?;
    let (id, now) = (me.person.id.clone(), v.now);
    let (person, passkeys, sessions) =
        app.engine.read(move |tx| Ok((people::by_id(tx, &id)?, people::passkeys(tx, &id)?, people::sign_in::list(tx, &id, now)?))).await?;
    let body = html! {
        div.stack {
        div.cols.cols-2 {
            div.stack { (preferences(v, &person.preferences)) (password_part(v)) }
            div.stack { (second_factor(v, person.totp.is_some(), person.recovery.len())) (passkeys_part(v, &passkeys)) }
        }
        (sessions_part(v, &sessions, &me.session.id))
        }
    };
    let head = shell::head(&person.name, html! { (person.login) ", " (person.role) }, html! {});
    Ok(shell::page(v, Sheet { title: v.t("Your account").into(), here: "/account", topics: String::new(), head, body }))
}

fn preferences(v: &Viewer, chosen: &Preferences) -> Markup {
    let languages: Vec<(String, String)> = [(String::new(), v.t("As the browser says").to_owned())]
        .into_iter()
        .chain(Language::ALL.iter().map(|l| (l.code().to_owned(), l.name().to_owned())))
        .collect();
    let themes = [("", "As the system says"), ("light", "Light"), ("dark", "Dark")].map(|(value, text)| (value.to_owned(), v.t(text).to_owned()));
    let body = html! {
        div.panel-body { (form(v, "/account/preferences", html! {
            div.form-grid {
                (select(v, "language", "Language", &languages, chosen.language.as_deref().unwrap_or("")))
                (Field::new("zone", "Time zone").value(chosen.zone.as_deref().unwrap_or("")).placeholder(v.house.zone.clone()).hint(html! { "Europe/London" }).show(v))
                (select(v, "theme", "Appearance", &themes, chosen.theme.as_deref().unwrap_or("")))
            }
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } }
        })) }
    };
    Part::new("preferences", v.t("Preferences"), body).show()
}

pub async fn set_preferences(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let id = own(&viewer)?.person.id.clone();
    let zone = fields.given("zone");
    if zone.as_ref().is_some_and(|z| jiff::tz::TimeZone::get(z).is_err()) {
        let viewer = viewer.said_no(fields.0, Refused::invalid("zone", "is no time zone; write it as Europe/London"))?;
        return Ok(show(&app, &viewer).await?.into_response());
    }
    let preferences = Preferences {
        language: fields.given("language").filter(|l| Language::parse(l).is_some()),
        zone,
        theme: fields.given("theme").filter(|t| t == "light" || t == "dark"),
    };
    app.engine.transact(move |tx, _| people::set_preferences(tx, &id, preferences.clone())).await?;
    app.callers.forget_sessions();
    Ok(see("/account?said=saved"))
}

fn password_part(v: &Viewer) -> Markup {
    let body = html! {
        div.panel-body { (form(v, "/account/password", html! {
            (proof(v, "old"))
            div.form-grid {
                (Field::new("password", "New password").kind("password").autocomplete("new-password").required().show(v))
                (Field::new("again", "New password again").kind("password").autocomplete("new-password").required().show(v))
            }
            div.form-foot { button.btn type="submit" { (v.t("Set password")) } span.small.quiet { (v.t("All other sessions are signed out.")) } }
        })) }
    };
    Part::new("password", v.t("Password"), body).show()
}

pub async fn set_password(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let me = own(&viewer)?;
    match change_password(&app, &viewer, &me, &fields).await {
        Ok(()) => {
            app.callers.forget_sessions();
            notice::tell(&app, &viewer, &me.person, "Your password was changed.");
            Ok(see("/account?said=password"))
        }
        Err(stop) => Ok(show(&app, &viewer.refused(Vec::new(), stop)?).await?.into_response()),
    }
}

async fn change_password(app: &App, v: &Viewer, me: &SignedIn, fields: &Fields) -> Result<(), Stop> {
    prove(app, v, me, fields, "old").await?;
    let phc = new_password(fields, &[&me.person.name, &me.person.login]).await?;
    let (by, id, session) = (v.by(), me.person.id.clone(), me.session.id.clone());
    app.engine.transact(move |tx, now| people::set_password(tx, &by, now, &id, &phc, &session)).await
}

/// The field that [`prove`] reads, for whoever has a password.
pub(super) fn proof(v: &Viewer, name: &str) -> Markup {
    let has_one = v.caller.as_ref().and_then(|c| c.signed_in.as_ref()).is_some_and(|s| s.person.password.is_some());
    html! { @if has_one { (Field::new(name, "Present password").kind("password").autocomplete("current-password").required().show(v)) } }
}

/// Asks for the present password once more before something that matters, as an open page may be anybody's for a moment.
pub(super) async fn prove(app: &App, v: &Viewer, me: &SignedIn, fields: &Fields, name: &str) -> Result<(), Stop> {
    let Some(phc) = me.person.password.clone() else { return Ok(()) };
    let too_often = |seconds: i64| Refused::invalid(name, format!("was wrong too often; come again in {seconds} s"));
    app.tries.count(v.visit.address).map_err(|seconds| too_often(seconds as i64))?;
    let (by, login, id) = (v.by(), me.person.login.clone(), me.person.id.clone());
    if let Try::Locked { until } = app.engine.transact(move |tx, now| sign_in::attempt(tx, &by, now, &login)).await? {
        return Err(too_often((until - v.now).max(0) / 1_000_000 + 1).into());
    }
    let old = fields.raw(name).to_owned();
    if !blocking(move || password::verify(&old, &phc)).await? {
        tracing::info!(person = me.person.id, address = %v.visit.address, "wrong present password");
        return Err(Refused::invalid(name, "is not your present password").into());
    }
    app.engine.transact(move |tx, _| sign_in::forgive(tx, &id)).await
}

fn second_factor(v: &Viewer, is_set: bool, left: usize) -> Markup {
    let body = html! {
        div.panel-body.stack {
            @if is_set {
                p { (icon("ok")) " " (v.say("Codes from your app are asked for. {} recovery codes are left.", &[&left])) }
                (confirm(html! { (v.t("Remove it…")) }, "btn btn-danger", form(v, "/account/second-factor/remove", html! {
                    p { (v.t("Your password alone will open your account again.")) }
                    (proof(v, "factor.old"))
                    button.btn.btn-danger type="submit" { (v.t("Remove the second factor")) }
                })))
            } @else {
                p { (v.t("A code from an app on your phone, besides the password: whoever learns your password still cannot sign in.")) }
            }
            div { a.btn href="/account/second-factor" { @if is_set { (v.t("Set it anew")) } @else { (v.t("Set it up")) } } }
        }
    };
    Part::new("second", v.t("Second factor"), body).show()
}

/// Shows a new secret to be scanned. It is kept in the form, encrypted, until a code proves that the app has it.
pub async fn enroll(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let me = own(&viewer)?;
    let secret = totp::Secret::random().map_err(|e| Stop::broken(e.to_string()))?;
    let sealed = app.vault.encrypt(&totp_place(&me.person.id), &secret.to_text())?;
    show_enroll(&viewer, &me, &secret, &sealed)
}

fn show_enroll(v: &Viewer, me: &SignedIn, secret: &totp::Secret, sealed: &str) -> Result<Page, Problem> {
    let broken = |e: identity::Fault| Problem::from(Stop::broken(e.to_string()));
    let uri = secret.uri("Holdfast", &me.person.login).map_err(broken)?;
    let svg = totp::svg(&uri).map_err(broken)?;
    let must = me.standing == Standing::SetSecondFactor;
    let body = html! {
        @if must { div.banner.banner-info { (icon("info")) div { (v.t("Your role asks for a second factor. Set it up, then go on.")) } } }
        section.panel aria-labelledby="h-enroll" { div.panel-head { h2 #h-enroll { (v.t("Scan, then type the code")) } } div.panel-body.stack {
            div.qr role="img" aria-label=(v.t("The secret as a picture, for your app to scan")) { (PreEscaped(svg)) }
            p.small { (v.t("Cannot scan? Type this into the app:")) " " code { (secret.to_text()) } }
            (form(v, "/account/second-factor", html! {
                input type="hidden" name="sealed" value=(sealed);
                (Field::new("code", "Code from the app").autocomplete("one-time-code").required().focus().show(v))
                (proof(v, "old"))
                div.form-foot { button.btn.btn-primary type="submit" { (v.t("Turn it on")) } @if !must { a.btn.btn-ghost href="/account" { (v.t("Not now")) } } }
            }))
        } }
    };
    let head = shell::head(v.t("Second factor"), html! { (me.person.login) }, html! {});
    Ok(shell::page(v, Sheet { title: v.t("Second factor").into(), here: "/account", topics: String::new(), head, body }))
}

pub async fn set_second_factor(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let me = own(&viewer)?;
    let sealed = fields.text("sealed").to_owned();
    let opened = app.vault.decrypt(&totp_place(&me.person.id), &sealed).map(|(text, _)| text);
    let Some(secret) = opened.ok().and_then(|text| totp::Secret::parse(&text).ok()) else { return Ok(see("/account/second-factor")) };
    match turn_on(&app, &viewer, &me, &fields, &secret, sealed.clone()).await {
        Ok(codes) => {
            app.callers.forget_sessions();
            notice::tell(&app, &viewer, &me.person, "A second factor was set.");
            Ok(show_codes(&viewer, &codes).into_response())
        }
        Err(stop) => Ok(show_enroll(&viewer.refused(Vec::new(), stop)?, &me, &secret, &sealed)?.into_response()),
    }
}

async fn turn_on(app: &App, v: &Viewer, me: &SignedIn, fields: &Fields, secret: &totp::Secret, sealed: String) -> Result<Vec<String>, Stop> {
    prove(app, v, me, fields, "old").await?;
    let step = secret.check(fields.text("code"), (v.now / 1_000_000).max(0) as u64, None);
    let step = step.and_then(|s| i64::try_from(s).ok()).ok_or_else(|| Refused::invalid("code", "is wrong; is the clock of your phone right?"))?;
    let codes = recovery::Codes::random().map_err(|e| Stop::broken(e.to_string()))?;
    let hashes: Vec<String> = codes.hashes.iter().map(hex).collect();
    let (by, id, session) = (v.by(), me.person.id.clone(), me.session.id.clone());
    app.engine
        .transact(move |tx, now| {
            people::set_second_factor(tx, &by, now, &id, Some((sealed.clone(), step)), hashes.clone())?;
            people::sign_in::trust(tx, &session)?;
            people::sign_in::end_all(tx, &id, &session, now).map(drop)
        })
        .await?;
    Ok(codes.texts)
}

fn show_codes(v: &Viewer, codes: &[String]) -> Page {
    let body = html! {
        section.panel aria-labelledby="h-codes" { div.panel-head { h2 #h-codes { (v.t("Recovery codes")) } } div.panel-body.stack {
            p { (v.t("Each of these opens your account once, if your phone is lost. They are shown this once: print them, or keep them where you keep your passwords.")) }
            pre.code #codes { @for code in codes { (code) "\n" } }
            div.form-foot { button.btn type="button" data-copy="codes" data-js { (icon("copy")) (v.t("Copy")) } a.btn.btn-primary href="/" { (v.t("I have them")) } }
        } }
    };
    let head = shell::head(v.t("Second factor"), html! { (v.t("It is on.")) }, html! {});
    shell::page(v, Sheet { title: v.t("Recovery codes").into(), here: "/account", topics: String::new(), head, body })
}

pub async fn remove_second_factor(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let me = own(&viewer)?;
    let work = async {
        prove(&app, &viewer, &me, &fields, "factor.old").await?;
        let (by, id) = (viewer.by(), me.person.id.clone());
        app.engine.transact(move |tx, now| people::set_second_factor(tx, &by, now, &id, None, Vec::new())).await
    };
    match work.await {
        Ok(()) => {
            app.callers.forget_sessions();
            notice::tell(&app, &viewer, &me.person, "Your second factor was removed.");
            Ok(see("/account?said=saved"))
        }
        Err(stop) => Ok(show(&app, &viewer.refused(Vec::new(), stop)?).await?.into_response()),
    }
}

fn passkeys_part(v: &Viewer, passkeys: &[Passkey]) -> Markup {
    let body = html! {
        @if !passkeys.is_empty() { div.table-wrap { table.table.table-tight {
            thead { tr { th scope="col" { (v.t("Name")) } th scope="col" { (v.t("Last used")) } th {} } }
            tbody { @for key in passkeys { tr data-key=(key.id) {
                th scope="row" { (key.name) } td { @if let Some(at) = key.used_at { (v.ago(at)) } @else { "–" } }
                td.num { (removal(v, &key.id)) }
            } } }
        } } }
        div.panel-body.stack {
            p { (v.t("A passkey on your phone, computer or security key signs you in without a password, and counts as a second factor.")) }
            form.row {
                (csrf(v))
                (Field::new("name", "Name of the device").show(v))
                (proof(v, "passkey.old"))
                button.btn type="button" data-passkey="register" data-begin="/account/passkeys/begin" data-finish="/account/passkeys/finish" data-error="passkey-error" data-fields="name passkey.old" data-failed=(v.t("The passkey was not made.")) hidden { (icon("plus")) (v.t("Add a passkey")) }
            }
            p #passkey-error.error role="alert" hidden {}
        }
    };
    Part::new("passkeys", v.t("Passkeys"), body).show()
}

fn removal(v: &Viewer, id: &str) -> Markup {
    let proven = format!("{id}.old");
    let body = form(
        v,
        &format!("/account/passkeys/{}/remove", super::fields::step(id)),
        html! {
            p { (v.t("Whoever holds it cannot sign in with it any more.")) }
            (proof(v, &proven))
            button.btn.btn-danger type="submit" { (v.t("Remove the passkey")) }
        },
    );
    let was_refused = v.wrong.as_ref().is_some_and(|w| w.field.as_ref() == Some(&proven));
    html! { details.confirm open[was_refused] { summary.btn.btn-s.btn-ghost { (v.t("Remove…")) } div { (body) } } }
}

pub async fn remove_passkey(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let me = own(&viewer)?;
    if let Err(stop) = prove(&app, &viewer, &me, &fields, &format!("{id}.old")).await {
        return Ok(show(&app, &viewer.refused(Vec::new(), stop)?).await?.into_response());
    }
    let (by, person) = (viewer.by(), me.person.id.clone());
    app.engine.transact(move |tx, now| people::remove_passkey(tx, &by, now, &person, &id)).await?;
    app.callers.forget_sessions();
    notice::tell(&app, &viewer, &me.person, "A passkey was removed.");
    Ok(see("/account?said=deleted"))
}

/// Sessions of somebody, with a way to end each.
pub fn sessions_table(v: &Viewer, sessions: &[Session], current: &str, action: impl Fn(&str) -> String) -> Markup {
    html! {
        div.table-wrap { table.table {
            thead { tr { th scope="col" { (v.t("Browser")) } th scope="col" { (v.t("Address")) } th scope="col" { (v.t("By")) } th scope="col" { (v.t("Since")) } th scope="col" { (v.t("Last seen")) } th {} } }
            tbody { @for s in sessions { tr data-key=(s.id) {
                th.clip scope="row" title=(s.agent) { (browser(&s.agent)) @if s.id == current { " " span.tag { (v.t("This one")) } } }
                td { (s.address) } td { (way_in(v, &s.how)) } td { (v.moment(s.created_at)) } td { (v.ago(s.seen_at)) }
                td.num { @if s.id != current { (button(v, &action(&s.id), "btn btn-s", &[], html! { (v.t("Sign out")) })) } }
            } } }
        } }
    }
}

/// How a session began.
fn way_in<'h>(v: &Viewer, how: &'h str) -> &'h str {
    match how {
        "password" => v.t("Password"),
        "passkey" => v.t("Passkey"),
        "company" => v.t("Company"),
        "link" => v.t("Link by mail"),
        other => other,
    }
}

fn sessions_part(v: &Viewer, sessions: &[Session], current: &str) -> Markup {
    let body = sessions_table(v, sessions, current, |id| format!("/account/sessions/{id}/end"));
    Part::new("sessions", v.t("Where you are signed in"), body).show()
}

pub async fn end_session(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let (by, person) = (posted.viewer.by(), own(&posted.viewer)?.person.id.clone());
    app.engine.transact(move |tx, now| people::sign_in::end(tx, &by, now, &person, &id)).await?;
    app.callers.forget_sessions();
    Ok(see("/account?said=ended"))
}

/// A browser by the name that people know it by.
fn browser(agent: &str) -> String {
    let product = [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
    let system = [("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux")];
    let find = |list: &[(&str, &'static str)]| list.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (find(&product), find(&system)) {
        (Some(product), Some(system)) => format!("{product}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => agent.chars().take(40).collect(),
    }
}
