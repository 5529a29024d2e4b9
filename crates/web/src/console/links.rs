//! Links that open once: the first owner, an invitation, a new password; and asking for a new password by mail.

use super::fields::{Fields, Posted, see};
use super::language::Language;
use super::notice;
use super::parts::{Field, icon};
use super::shell::{Page, bare};
use super::sign_in::{self, gate, new_password, with_cookie};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use engine::people::links::{self, Kind};
use engine::people::{self, NewPerson, Person, is_empty, sign_in::How};
use engine::{By, Stop};
use maud::html;

/// The page where the first owner is made, or a link's new password is set.
pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let nobody = app.engine.read(is_empty).await?;
    if viewer.path == "/setup" && !nobody {
        return Ok(see("/sign-in"));
    }
    // A link that opens nothing any more says so before a password is thought up.
    if let Some(text) = viewer.asked("link") {
        count(&app, &viewer)?;
        let now = viewer.now;
        if let Err(stop) = app.engine.read(move |tx| links::find(tx, now, &text).map(drop)).await {
            let typed = vec![("link".to_owned(), viewer.asked("link").unwrap_or_default())];
            return Ok(show(&viewer.refused(typed, stop)?, nobody).into_response());
        }
    }
    Ok(show(&viewer, nobody).into_response())
}

fn show(v: &Viewer, is_first: bool) -> Page {
    let link = v.typed("link").map(str::to_owned).or_else(|| v.asked("link")).unwrap_or_default();
    let title = if is_first { v.t("Make the first owner") } else { v.t("Set your password") };
    let body = html! {
        form.stack action=(if is_first { "/setup" } else { "/link" }) method="post" {
            h1 { (title) }
            (super::parts::wrong(v))
            @if is_first { p.quiet { (v.t("Nobody can sign in yet. The server printed a one-time code when it started; whoever has it becomes the owner.")) } }
            (Field::new("link", "One-time code").value(link).required().hint(html! { (v.say("Such as {}", &[&"hl_…"])) }).show(v))
            @if is_first {
                (Field::new("name", "Your name").autocomplete("name").required().show(v))
                (Field::new("login", "Mail address").kind("email").autocomplete("username").required().show(v))
            }
            (Field::new("password", "Password").kind("password").autocomplete("new-password").required().hint(html! { (v.t("At least 12 characters; four words that do not belong together are easy to remember.")) }).show(v))
            (Field::new("again", "Password again").kind("password").autocomplete("new-password").required().show(v))
            button.btn.btn-primary.btn-wide type="submit" { (v.t("Go on")) }
        }
    };
    let status = if v.wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Page(status, bare(v, title, gate(v, body)))
}

/// Makes the first owner.
pub async fn setup(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    match make_owner(&app, &viewer, &fields).await {
        Ok(person) => {
            let cookie = sign_in::session(&app, viewer.by(), &person, How::Link, &headers).await?;
            Ok(with_cookie(&cookie, see("/guide")))
        }
        Err(stop) => {
            let nobody = app.engine.read(is_empty).await?;
            Ok(show(&viewer.refused(fields.0, stop)?, nobody).into_response())
        }
    }
}

async fn make_owner(app: &App, v: &Viewer, fields: &Fields) -> Result<String, Stop> {
    count(app, v)?;
    let (name, login) = (fields.text("name").to_owned(), fields.text("login").to_owned());
    let phc = new_password(fields, &[&name, &login]).await?;
    let (text, address) = (fields.text("link").to_owned(), v.by());
    app.engine
        .transact(move |tx, now| {
            let link = links::find(tx, now, &text)?;
            if link.kind != Kind::Owner || !is_empty(tx)? {
                return Err(domain::Refused::invalid("link", "does not make an owner; there is one already").into());
            }
            links::consume(tx, now, &link)?;
            let new = NewPerson { login: login.clone(), name: name.clone(), role: "owner".into(), locations: None, channels: None };
            // Whoever holds the code that the server printed may do what the server may.
            let by = By { visitor: None, ..address.clone() };
            let person = people::create(tx, &by, now, &new)?;
            people::set_password(tx, &by, now, &person.id, &phc, "")?;
            Ok(person.id)
        })
        .await
}

/// Sets the password that an invitation or a reset asks for, and signs in.
pub async fn open(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    match set_password(&app, &viewer, &fields).await {
        Ok(person) => {
            let cookie = sign_in::session(&app, viewer.by(), &person.id, How::Link, &headers).await?;
            app.callers.forget_sessions();
            notice::tell(&app, &viewer, &person, "Your password was changed.");
            Ok(with_cookie(&cookie, see("/")))
        }
        Err(stop) => Ok(show(&viewer.refused(fields.0, stop)?, false).into_response()),
    }
}

async fn set_password(app: &App, v: &Viewer, fields: &Fields) -> Result<Person, Stop> {
    count(app, v)?;
    let (text, now) = (fields.text("link").to_owned(), v.now);
    let known = text.clone();
    let person = app
        .engine
        .read(move |tx| {
            let id = links::find(tx, now, &known)?.person.unwrap_or_default();
            people::by_id(tx, &id)
        })
        .await?;
    let phc = new_password(fields, &[&person.name, &person.login]).await?;
    let by = By { actor: person.actor(), ..v.by() };
    app.engine
        .transact(move |tx, now| {
            let link = links::find(tx, now, &text)?;
            links::consume(tx, now, &link)?;
            people::set_password(tx, &by, now, &person.id, &phc, "")?;
            Ok(person.clone())
        })
        .await
}

fn count(app: &App, v: &Viewer) -> Result<(), Stop> {
    if !v.visit.is_private() {
        return Err(domain::Refused::invalid("link", "opens over HTTPS or on the machine itself only").into());
    }
    app.tries.count(v.visit.address).map_err(|seconds| domain::Refused::Overloaded { retry_after_seconds: seconds as u32 }.into())
}

/// Where a new password is asked for.
pub async fn forgot(State(app): State<App>, viewer: Viewer) -> Page {
    let v = &viewer;
    let can_mail = app.outside.can_mail_links();
    let body = html! {
        div.stack {
            h1 { (v.t("A new password")) }
            (super::parts::said(v))
            (super::parts::wrong(v))
            @if can_mail {
                form.stack action="/forgot" method="post" {
                    (Field::new("login", "Mail address").kind("email").autocomplete("username").required().focus().show(v))
                    button.btn.btn-primary.btn-wide type="submit" { (v.t("Send me a link")) }
                }
            } @else {
                p { (v.t("This server sends no mail. Whoever runs it makes a link for you:")) }
                pre.cmd { code { "holdfast person reset you@example.com" } }
            }
            p.small { a href="/sign-in" { (icon("left")) " " (v.t("Back to sign-in")) } }
        }
    };
    Page(StatusCode::OK, bare(v, v.t("A new password"), gate(v, body)))
}

/// Mails a link, if there is such an account; says the same and takes the same time either way.
pub async fn send(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    if let Err(seconds) = app.tries.count(viewer.visit.address) {
        return Err(Problem::from(domain::Refused::Overloaded { retry_after_seconds: seconds as u32 }));
    }
    let login = fields.text("login").to_lowercase();
    let by = viewer.by();
    // Beside the answer, so that it tells nothing by how long it takes.
    tokio::spawn(async move {
        if let Err(error) = mail(&app, viewer.language, by, login).await {
            tracing::warn!("a link for a new password was not mailed: {error}");
        }
    });
    Ok(see("/forgot?said=mailed"))
}

async fn mail(app: &App, language: Language, by: By, login: String) -> Result<(), Stop> {
    let made = app
        .engine
        .transact(move |tx, now| {
            let Some(person) = people::by_login(tx, &login)?.filter(|p| p.active) else { return Ok(None) };
            let text = links::create(tx, &by, now, Kind::Reset, Some(&person.id))?;
            Ok(Some((person.login, text)))
        })
        .await?;
    let Some((to, link)) = made else { return Ok(()) };
    send_link(
        app,
        language,
        &to,
        "A new password for Holdfast",
        "Somebody, hopefully you, asked for a new password. This link sets it, once, within an hour:",
        &link,
    )
    .await
}

/// Mails a link to one address, in the language of whoever asked for it.
pub async fn send_link(app: &App, language: Language, to: &str, subject: &'static str, words: &'static str, link: &str) -> Result<(), Stop> {
    let url = app.outside.public_url.as_deref().ok_or_else(|| Stop::broken("where people find the pages is not known: --public-url is not set"))?;
    let [subject, words, otherwise] = [subject, words, "If you did not expect this, do nothing."].map(|text| language.text(text));
    let text = format!("{words}\n\n{url}/link?link={link}\n\n{otherwise}\n");
    let id = blake3::hash(link.as_bytes()).to_hex()[..32].to_owned();
    app.outside.mail(to, subject, text, id, app.engine.now()).await
}
