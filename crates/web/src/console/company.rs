//! Sign-in through the company's own provider (OpenID Connect): away to it, and back with who somebody is.

use super::fields::{address, pairs, see};
use super::sign_in::{self, with_cookie};
use super::viewer::Viewer;
use crate::App;
use crate::auth::{named_cookie, set_cookie};
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use domain::Refused;
use engine::people::reseal::COMPANY_PLACE;
use engine::people::settings::{self, Company};
use engine::people::{self, NewPerson, pending, sign_in::How};
use engine::{By, Stop};
use futures_util::future::BoxFuture;
use identity::oidc::{self, Callback, Claims, Pending, Provider, Registration};

const PENDING: &str = "__Host-holdfast-company";

fn refused(refusal: oidc::Refusal) -> Problem {
    tracing::info!(detail = refusal.detail(), "sign-in through the company: {refusal}");
    Problem::new(StatusCode::BAD_GATEWAY, "company_refused", refusal.to_string())
}

async fn provider(app: &App, v: &Viewer) -> Result<(Provider, Company), Problem> {
    let company = app.engine.read(|tx| settings::get::<Company>(tx, Company::NAME)).await?;
    if company.issuer.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_path", "Nobody signs in through a company here."));
    }
    let Some(send) = app.outer.fetch.clone() else {
        return Err(Problem::new(StatusCode::CONFLICT, "company_unavailable", "This server was started without a way out to the provider."));
    };
    let client_secret = if company.client_secret.is_empty() { String::new() } else { app.vault.decrypt(COMPANY_PLACE, &company.client_secret)?.0 };
    let here = app.outer.public_url.as_deref().map_or_else(|| v.visit.origin(), str::to_owned);
    let registration = Registration {
        issuer: company.issuer.clone(),
        client_id: company.client_id.clone(),
        client_secret,
        redirect: format!("{here}/sign-in/company/back"),
    };
    let found: BoxFuture<'static, Result<Provider, oidc::Refusal>> =
        Box::pin(oidc::discover(registration, move |request: oidc::Request| send(request)));
    let provider = found.await.map_err(refused)?;
    Ok((provider, company))
}

fn seconds(v: &Viewer) -> u64 {
    (v.now / 1_000_000).max(0) as u64
}

/// Away to the provider.
pub async fn go(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    if !viewer.visit.is_private() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "https_required", "Signing in works over HTTPS or on the machine itself only."));
    }
    let (provider, _) = provider(&app, &viewer).await?;
    let (url, begun) = oidc::begin(&provider, seconds(&viewer)).map_err(refused)?;
    let begun = serde_json::to_string(&begun).map_err(|e| Stop::broken(e.to_string()))?;
    let id = app.engine.transact(move |tx, now| pending::put(tx, now, &begun)).await?;
    Ok(with_cookie(&set_cookie(PENDING, &id, Some(600)), see(&url)))
}

/// Back from the provider.
pub async fn back(State(app): State<App>, viewer: Viewer, headers: HeaderMap) -> Result<Response<Body>, Problem> {
    if let Err(seconds) = app.tries.count(viewer.visit.address) {
        return Err(Refused::Overloaded { retry_after_seconds: seconds as u32 }.into());
    }
    let asked = pairs(&viewer.query);
    let text = |name: &str| asked.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let callback =
        Callback { state: text("state"), code: text("code"), iss: text("iss"), error: text("error"), error_description: text("error_description") };
    let id = named_cookie(&headers, PENDING).unwrap_or_default().to_owned();
    let begun = app.engine.transact(move |tx, now| pending::take(tx, now, &id)).await?;
    let begun: Option<Pending> = begun.and_then(|text| serde_json::from_str(&text).ok());
    let Some(begun) = begun else { return Ok(see(&address("/sign-in", [("said".to_owned(), "old".to_owned())].into_iter()))) };
    let (provider, company) = provider(&app, &viewer).await?;
    let Some(send) = app.outer.fetch.clone() else { return Ok(see("/sign-in")) };
    let now = seconds(&viewer);
    // On a thread that may block: signatures are checked there, too.
    let handle = tokio::runtime::Handle::current();
    let told = tokio::task::spawn_blocking(move || {
        handle.block_on(oidc::finish(&provider, begun, callback, now, move |request: oidc::Request| send(request)))
    });
    let claims = told.await.map_err(|e| Stop::broken(e.to_string()))?.map_err(refused)?;
    let person = find(&app, viewer.by(), claims, company).await?;
    let cookie = sign_in::session(&app, viewer.by(), &person, How::Company, &headers).await?;
    app.callers.forget_sessions();
    Ok(with_cookie(&cookie, see("/")))
}

/// Who the claims mean: whoever is tied to them, else whoever was let in under the same address, else somebody new if the house lets
/// in everybody of the address's domain. Addresses that the provider has not seen to be the person's count for nothing.
async fn find(app: &App, by: By, claims: Claims, company: Company) -> Result<String, Stop> {
    app.engine
        .transact(move |tx, now| {
            let subject = format!("{} {}", claims.issuer, claims.subject);
            if let Some(person) = people::by_subject(tx, &subject)? {
                return Ok(person.id);
            }
            let stranger = || Refused::invalid("login", "of yours is not known here. Ask whoever manages people to let you in");
            let email = claims.email.clone().filter(|_| claims.email_verified).ok_or_else(stranger)?;
            let login = people::login("login", &email)?;
            // The provider's word is as good as that of whoever manages people.
            let program = By { visitor: None, actor: format!("company:{login}").into(), ..by.clone() };
            let person = match people::by_login(tx, &login)? {
                Some(known) if known.subject.is_none() => known,
                Some(_) => return Err(stranger().into()),
                None => {
                    let domain = login.split_once('@').map_or("", |(_, domain)| domain);
                    if company.domain.is_empty() || company.domain != domain {
                        return Err(stranger().into());
                    }
                    let name = claims.name.clone().unwrap_or_else(|| login.clone());
                    people::create(tx, &program, now, &NewPerson { login, name, role: company.role.clone(), locations: None, channels: None })?
                }
            };
            people::set_subject(tx, &program, now, &person.id, &subject)?;
            Ok(person.id)
        })
        .await
}
