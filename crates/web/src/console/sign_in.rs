//! Signing in and out: password, passkey, the company's provider, and the second factor. Beside: the first owner and links that open
//! once (`links.rs`), the company's provider (`company.rs`).

use super::fields::{Fields, Posted, own_path, see};
use super::parts::{Field, csrf, icon};
use super::shell::{Page, bare, brand};
use super::viewer::{Viewer, Wrong};
use crate::App;
use crate::auth::{COOKIE, set_cookie};
use crate::problem::Problem;
use crate::visit::text;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use domain::Refused;
use engine::people::reseal::totp_place;
use engine::people::settings::{self, Company};
use engine::people::sign_in::{self, How, Shown, Standing, Try};
use engine::people::{self, is_empty};
use engine::secrets::Vault;
use engine::{By, Stop};
use identity::{password, recovery, totp};
use maud::{Markup, html};
use std::sync::LazyLock;
use tokio::sync::Semaphore;

/// Passwords looked at together: each takes 19 MiB and most of a core for a while.
static LOOKING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Sends somebody who is not signed in to the way in, and back afterwards. A script is told so.
pub fn redirect(request: &Request) -> Response<Body> {
    if request.headers().contains_key("x-part")
        || request.headers().get(header::ACCEPT).is_some_and(|a| a == "application/json" || a == "text/event-stream")
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let next = request.uri().path_and_query().map_or("/", |p| p.as_str());
    if next == "/" || !request.method().is_safe() {
        return Redirect::to("/sign-in").into_response();
    }
    see(&super::fields::address("/sign-in", [("next".to_owned(), next.to_owned())].into_iter()))
}

/// Sends somebody on who has to show or set a second factor first.
pub fn finish_first(standing: Standing) -> Response<Body> {
    see(if standing == Standing::SetSecondFactor { "/account/second-factor" } else { "/sign-in/second" })
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if viewer.caller.is_some() {
        return Ok(see("/"));
    }
    let (nobody, company) = app.engine.read(|tx| Ok((is_empty(tx)?, settings::get::<Company>(tx, Company::NAME)?))).await?;
    if nobody {
        return Ok(see("/setup"));
    }
    Ok(show(&viewer, &company, StatusCode::OK).into_response())
}

fn show(v: &Viewer, company: &Company, status: StatusCode) -> Page {
    let next = v.asked("next").or_else(|| v.typed("next").map(str::to_owned)).and_then(|next| own_path(&next)).unwrap_or_default();
    let body = html! {
        @if v.visit.is_private() {
            form.stack action="/sign-in" method="post" {
                h1 { (v.t("Sign in")) }
                (super::parts::said(v))
                (super::parts::wrong(v))
                input type="hidden" name="next" value=(next);
                (Field::new("login", "Mail address").kind("email").autocomplete("username webauthn").value("").required().focus().show(v))
                (Field::new("password", "Password").kind("password").autocomplete("current-password").required().show(v))
                button.btn.btn-primary.btn-wide type="submit" { (v.t("Sign in")) }
                p #passkey-error.error role="alert" hidden {}
                button.btn.btn-wide type="button" data-passkey="sign-in" data-begin="/sign-in/passkey/begin" data-finish="/sign-in/passkey/finish" data-error="passkey-error" data-fields="next" data-failed=(v.t("The passkey was not accepted.")) hidden { (icon("key")) (v.t("Sign in with a passkey")) }
                @if !company.issuer.is_empty() {
                    a.btn.btn-wide href="/sign-in/company" { (icon("people")) @if company.label.is_empty() { (v.t("Sign in through your company")) } @else { (company.label) } }
                }
                p.small { a href="/forgot" { (v.t("Forgot your password?")) } }
            }
        } @else {
            h1 { (v.t("Sign in")) }
            div.banner.banner-danger role="alert" { (icon("danger")) div { b { (v.t("This page needs HTTPS.")) " " } (v.t("Over plain HTTP whoever listens on the network could read your password. Put HTTPS in front of this server, or open it on the machine itself as localhost.")) } }
        }
    };
    Page(status, bare(v, v.t("Sign in"), gate(v, body)))
}

/// The two halves of a page before signing in.
pub fn gate(v: &Viewer, body: Markup) -> Markup {
    html! {
        div.gate {
            section.gate-side aria-label=(v.t("About Holdfast")) {
                (brand("brand brand-flush"))
                div {
                    p.say { (v.t("Every unit counted once, promised once.")) }
                    p { (v.t("The stock ledger for every warehouse and every channel: what is here, what is promised, and why.")) }
                }
                dl.facts-row {
                    div { dt { (v.t("System")) } dd { span.st.st-ok { (icon("ok")) (v.t("Answers")) } } }
                    div { dt { (v.t("For programs")) } dd { a href="/docs" { (v.t("API reference")) } } }
                }
            }
            main.gate-form #main { (body) }
        }
    }
}

/// The scripts of a page before signing in.
pub async fn enter(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    if !viewer.visit.is_private() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "https_required", "Passwords are taken over HTTPS or on the machine itself only."));
    }
    match try_password(&app, &viewer, &fields).await? {
        Ok(person) => begin(&app, &viewer, &person, How::Password, &headers, &fields).await,
        Err(why) => {
            let company = app.engine.read(|tx| settings::get::<Company>(tx, Company::NAME)).await?;
            let typed = fields.0.into_iter().filter(|(name, _)| name != "password").collect();
            let viewer = Viewer { wrong: Some(Wrong::plain(None, viewer.whole(&why).into_owned())), typed, ..viewer };
            Ok(show(&viewer, &company, StatusCode::UNAUTHORIZED).into_response())
        }
    }
}

/// The id of whom the login and password belong to, or why not, in the same words and after the same time for a wrong login and a
/// wrong password.
async fn try_password(app: &App, v: &Viewer, fields: &Fields) -> Result<Result<String, String>, Stop> {
    if let Err(seconds) = app.tries.count(v.visit.address) {
        tracing::info!(address = %v.visit.address, "too many tries at signing in from one address");
        return Ok(Err(v.say("Too many tries from here. Come again in {} s.", &[&seconds])));
    }
    let (login, given) = (fields.text("login").to_lowercase(), fields.raw("password").to_owned());
    if given.chars().count() > 1_000 || login.len() > 200 {
        return Ok(Err(v.t("The mail address or the password is wrong.").to_owned()));
    }
    let by = v.by();
    let tried = app.engine.transact(move |tx, now| sign_in::attempt(tx, &by, now, &login)).await?;
    let person = match tried {
        Try::Locked { until } => {
            tracing::info!(address = %v.visit.address, "a try at an account that takes none for a while");
            let seconds = (until - v.now).max(0) / 1_000_000 + 1;
            return Ok(Err(v.say("Too many wrong tries with this account. Come again in {} s, or sign in with a passkey.", &[&seconds])));
        }
        Try::Nobody => None,
        Try::Go(person) => Some(*person),
    };
    let phc = person.as_ref().and_then(|p| p.password.clone());
    let again = given.clone();
    let right = blocking(move || match phc {
        Some(phc) => password::verify(&given, &phc),
        None => password::verify_nobody(&given),
    })
    .await?;
    if right && let Some(id) = person.as_ref().filter(|p| p.password.as_deref().is_some_and(password::needs_rehash)).map(|p| p.id.clone()) {
        let phc = blocking(move || password::hash(&again)).await?.map_err(|e| Stop::broken(e.to_string()))?;
        app.engine.transact(move |tx, _| people::rehash(tx, &id, &phc)).await?;
    }
    if !right {
        // Not the name: it may be a password that was typed in the wrong field.
        tracing::info!(person = person.as_ref().map_or("nobody known", |p| p.id.as_str()), address = %v.visit.address, "wrong password");
    }
    Ok(person.filter(|_| right).map(|p| p.id).ok_or_else(|| v.t("The mail address or the password is wrong.").to_owned()))
}

/// Work with passwords, off the threads that serve, a few at a time.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stop> {
    let _permit = LOOKING.acquire().await.map_err(|_| Stop::Stopped)?;
    tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))
}

/// Begins a session and sends the browser on with its cookie.
pub async fn begin(app: &App, v: &Viewer, person: &str, how: How, headers: &HeaderMap, fields: &Fields) -> Result<Response<Body>, Problem> {
    let cookie = session(app, v.by(), person, how, headers).await?;
    let next = own_path(fields.text("next")).unwrap_or_else(|| "/".into());
    Ok(with_cookie(&cookie, see(&next)))
}

/// Begins a session; answers its cookie.
pub async fn session(app: &App, by: By, person: &str, how: How, headers: &HeaderMap) -> Result<String, Stop> {
    let agent = text(headers, header::USER_AGENT).unwrap_or("").to_owned();
    let person = person.to_owned();
    let (_, value) = app.engine.transact(move |tx, now| sign_in::begin(tx, &by, now, &person, how, &agent)).await?;
    Ok(set_cookie(COOKIE, &value, Some(sign_in::LONGEST_MICROS / 1_000_000)))
}

pub fn with_cookie(cookie: &str, mut response: Response<Body>) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

pub async fn leave(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    if let Some(signed_in) = posted.viewer.caller.as_ref().and_then(|c| c.signed_in.clone()) {
        let by = posted.viewer.by();
        app.engine.transact(move |tx, now| sign_in::end(tx, &by, now, &signed_in.person.id, &signed_in.session.id)).await?;
        app.callers.forget_sessions();
    }
    let mut response = with_cookie(&set_cookie(COOKIE, "", Some(0)), see("/sign-in"));
    // What the browser kept of these pages goes with the session.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// Where the second factor is shown.
pub async fn second(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let standing = viewer.caller.as_ref().and_then(|c| c.signed_in.as_ref()).map(|s| (s.standing, s.person.totp.is_some()));
    match standing {
        Some((Standing::ShowSecondFactor, has_app)) => Ok(show_second(&app, &viewer, has_app).into_response()),
        Some((standing, _)) => Ok(if standing == Standing::Full { see("/") } else { finish_first(standing) }),
        None => Ok(see("/sign-in")),
    }
}

fn show_second(_: &App, v: &Viewer, has_app: bool) -> Page {
    let body = html! {
        div.stack {
            h1 { (v.t("Second factor")) }
            (super::parts::wrong(v))
            @if has_app {
                form.stack action="/sign-in/second" method="post" {
                    (csrf(v))
                    (Field::new("code", "Code from your app, or a recovery code").autocomplete("one-time-code").required().focus().show(v))
                    button.btn.btn-primary.btn-wide type="submit" { (v.t("Go on")) }
                }
            } @else {
                p { (v.t("Your role asks for more than a password. Sign out, then sign in with your passkey.")) }
            }
            form action="/sign-out" method="post" { (csrf(v)) button.btn.btn-ghost type="submit" { (v.t("Sign out")) } }
        }
    };
    let status = if v.wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Page(status, bare(v, v.t("Second factor"), gate(v, body)))
}

pub async fn check_second(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let Some(signed_in) = viewer.caller.as_ref().and_then(|c| c.signed_in.clone()) else { return Ok(see("/sign-in")) };
    let refuse = |viewer: Viewer, detail: String| {
        let detail = viewer.whole(&detail).into_owned();
        let viewer = Viewer { wrong: Some(Wrong::plain(Some("code".into()), detail)), ..viewer };
        show_second(&app, &viewer, signed_in.person.totp.is_some()).into_response()
    };
    if let Err(seconds) = app.tries.count(viewer.visit.address) {
        tracing::info!(address = %viewer.visit.address, "too many tries at a second factor from one address");
        let why = viewer.say("Too many tries from here. Come again in {} s.", &[&seconds]);
        return Ok(refuse(viewer, why));
    }
    let (by, login) = (viewer.by(), signed_in.person.login.clone());
    let person = match app.engine.transact(move |tx, now| sign_in::attempt(tx, &by, now, &login)).await? {
        Try::Go(person) => *person,
        Try::Locked { until } => {
            tracing::info!(address = %viewer.visit.address, "a try at an account that takes none for a while");
            let seconds = (until - viewer.now).max(0) / 1_000_000 + 1;
            let why = viewer.say("Too many wrong tries with this account. Come again in {} s.", &[&seconds]);
            return Ok(refuse(viewer, why));
        }
        Try::Nobody => return Ok(see("/sign-in")),
    };
    let Some(shown) = read_code(&app.vault, &person, fields.text("code"), viewer.now)? else {
        tracing::info!(person = person.id, address = %viewer.visit.address, "wrong second factor");
        let why = viewer.t("This code is wrong, or was used already. Wait for the next one.").to_owned();
        return Ok(refuse(viewer, why));
    };
    let (by, session) = (viewer.by(), signed_in.session.id.clone());
    let outcome = app.engine.transact(move |tx, now| sign_in::show_second(tx, &by, now, &session, &person.id, &shown)).await;
    match outcome {
        Ok(()) => {
            app.callers.forget_sessions();
            Ok(see("/"))
        }
        Err(Stop::Refused(refused)) => Ok(refuse(viewer, refused.to_string())),
        Err(stop) => Err(stop.into()),
    }
}

/// Which step or recovery code was typed, if it is right.
pub fn read_code(vault: &Vault, person: &people::Person, code: &str, now: i64) -> Result<Option<Shown>, Stop> {
    let hashes: Vec<recovery::Hash> = person.recovery.iter().filter_map(|h| unhex(h)).collect();
    if let Some(place) = recovery::find(&hashes, code) {
        return Ok(Some(Shown::Recovery(person.recovery[place].clone())));
    }
    let Some(sealed) = &person.totp else { return Ok(None) };
    let (secret, _) = vault.decrypt(&totp_place(&person.id), sealed)?;
    let secret = totp::Secret::parse(&secret).map_err(|e| Stop::broken(e.to_string()))?;
    let last = u64::try_from(person.totp_step).ok().filter(|step| *step > 0);
    let step = secret.check(code, (now / 1_000_000).max(0) as u64, last);
    Ok(step.and_then(|s| i64::try_from(s).ok()).map(Shown::Step))
}

pub fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(|n| u8::from_str_radix(text.get(n..n + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}

/// A new password's PHC string. Refuses a weak one, and two that differ.
pub async fn new_password(fields: &Fields, about: &[&str]) -> Result<String, Stop> {
    let given = fields.raw("password").to_owned();
    password::check(&given, about).map_err(|weak| Refused::invalid("password", weak.to_string().trim_end_matches('.')))?;
    if given != fields.raw("again") {
        return Err(Refused::invalid("again", "is not the same as above").into());
    }
    blocking(move || password::hash(&given)).await?.map_err(|e| Stop::broken(e.to_string()))
}
