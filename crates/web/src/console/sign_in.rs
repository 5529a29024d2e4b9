//! Sign-in with an API key, and sign-out.
//!
//! A shortcut that is known: the cookie holds the key itself. No script can read it and no foreign page can use it, but it is
//! as good as the key. People with passwords, and sessions that can be ended one by one, come with the console.

use super::shell::{bare, brand};
use super::show::icon;
use crate::App;
use crate::auth::COOKIE;
use crate::problem::Problem;
use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use std::time::Duration;

/// The form must arrive within this time.
const FORM_TIME: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
struct Given {
    key: String,
}

pub async fn page(State(app): State<App>, headers: HeaderMap) -> Result<Response<Body>, Problem> {
    if super::signed_in(&app, &headers).await?.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    Ok(Html(form(&headers, None).into_string()).into_response())
}

pub async fn enter(State(app): State<App>, request: Request) -> Result<Response<Body>, Problem> {
    let headers = request.headers().clone();
    own_page(&headers)?;
    let given = match tokio::time::timeout(FORM_TIME, Form::<Given>::from_request(request, &app)).await {
        Ok(Ok(Form(given))) => given,
        _ => return Ok(refuse(&headers, "No key arrived. Paste it and try again.")),
    };
    // People paste blanks and line ends along.
    let key = given.key.trim();
    if key.is_empty() {
        return Ok(refuse(&headers, "The field was empty. Paste a key that begins with hf_."));
    }
    if app.keys.caller(key).await?.is_none() {
        return Ok(refuse(&headers, "This key opens nothing: it is mistyped, expired or revoked."));
    }
    let secure = if is_https(&headers) { "; Secure" } else { "" };
    Ok(with_cookie(&format!("{COOKIE}={key}; Path=/; HttpOnly; SameSite=Strict{secure}"), Redirect::to("/").into_response()))
}

pub async fn leave(headers: HeaderMap) -> Result<Response<Body>, Problem> {
    own_page(&headers)?;
    Ok(with_cookie(&format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"), Redirect::to("/sign-in").into_response()))
}

fn with_cookie(cookie: &str, mut response: Response<Body>) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

fn refuse(headers: &HeaderMap, why: &str) -> Response<Body> {
    (StatusCode::UNAUTHORIZED, Html(form(headers, Some(why)).into_string())).into_response()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Refuses a form that a page from elsewhere sent. Browsers say where a request comes from; over plain HTTP to another
/// machine they say it by `Origin` alone.
fn own_page(headers: &HeaderMap) -> Result<(), Problem> {
    let ours = match (text(headers, "sec-fetch-site"), text(headers, "origin")) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == text(headers, "host"),
        // Not a browser of this decade: nothing that a foreign page could steer.
        (None, None) => true,
    };
    if ours { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", "This form was sent from another site.")) }
}

/// Whether the reader's browser speaks HTTPS, to this server or to a proxy before it.
pub fn is_https(headers: &HeaderMap) -> bool {
    text(headers, "x-forwarded-proto") == Some("https") || text(headers, "origin").is_some_and(|o| o.starts_with("https://"))
}

/// Whether a key typed here crosses a network in clear text.
fn is_overheard(headers: &HeaderMap) -> bool {
    let host = text(headers, "host").unwrap_or("localhost");
    let name = if host.starts_with('[') { host.split(']').next().unwrap_or(host) } else { host.split(':').next().unwrap_or(host) };
    !is_https(headers) && name != "localhost" && !name.starts_with("127.") && name != "[::1"
}

fn form(headers: &HeaderMap, wrong: Option<&str>) -> Markup {
    bare(
        "Sign in",
        html! {
            div.gate {
                section.gate-side aria-label="About Holdfast" {
                    (brand("brand brand-flush"))
                    div {
                        p.say { "Every unit counted once, promised once." }
                        p { "The stock ledger for every warehouse and every channel: what is here, what is promised, and why." }
                    }
                    dl.facts-row {
                        div { dt { "System" } dd { span.st.st-ok { (icon("ok")) "Answers" } } }
                        div { dt { "For programs" } dd { a href="/docs" { "API reference" } } }
                    }
                }
                main.gate-form #main {
                    form action="/sign-in" method="post" {
                        h1 { "Sign in" }
                        div.field {
                            label for="key" { "API key" }
                            input.input #key name="key" type="password" autocomplete="current-password" spellcheck="false" autocapitalize="none" required
                                placeholder="hf_…" autofocus aria-invalid=[wrong.map(|_| "true")] aria-describedby=(if wrong.is_some() { "wrong" } else { "hint" });
                            @if let Some(wrong) = wrong {
                                p.error #wrong role="alert" { svg.i.i-s aria-hidden="true" { use href="#i-danger" {} } (wrong) }
                            }
                        }
                        button.btn.btn-primary.btn-wide type="submit" { "Sign in" }
                        @if is_overheard(headers) {
                            p.small.is-warn { "This page came over plain HTTP: whoever listens on the network can read the key. Put HTTPS in front, or use localhost." }
                        }
                        div #hint {
                            p.small.quiet { "No key yet? Whoever runs the server makes one:" }
                            pre.cmd { code { "holdfast key create --name you --role read" } }
                        }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        let pairs = text.split(", ").filter_map(|line| line.split_once(": "));
        pairs.map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn forms_from_elsewhere_are_refused() {
        let ours = |text: &str| own_page(&headers(text)).is_ok();
        assert!(ours("host: a.example, sec-fetch-site: same-origin, origin: https://a.example"));
        assert!(ours("host: a.example, sec-fetch-site: none"));
        assert!(ours("host: 10.0.0.7:7070, origin: http://10.0.0.7:7070"));
        assert!(ours("host: a.example"));
        assert!(!ours("host: a.example, sec-fetch-site: cross-site, origin: https://a.example"));
        assert!(!ours("host: a.example, sec-fetch-site: same-site"));
        assert!(!ours("host: a.example, origin: http://b.example"));
        assert!(!ours("host: a.example, origin: null"));
    }

    #[test]
    fn clear_text_is_told() {
        let overheard = |text: &str| is_overheard(&headers(text));
        assert!(!overheard("host: 127.0.0.1:7070"));
        assert!(!overheard("host: [::1]:7070"));
        assert!(!overheard("host: localhost:7070"));
        assert!(!overheard("host: stock.example, x-forwarded-proto: https"));
        assert!(overheard("host: stock.example"));
        assert!(overheard("host: 10.0.0.7:7070"));
    }
}
