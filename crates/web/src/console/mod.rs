//! Pages for people. Each file is a noun of the navigation; every page is a function of a [`viewer::Viewer`].
//!
//! Here: the routes with their rules, and what every page's answer carries. Not here: SQL (`engine`), scripts and styles (`static/`).

mod account;
mod alerts;
mod audit;
mod channels;
mod chart;
mod company;
mod empty;
mod exceptions;
mod export;
mod feed;
mod fields;
mod files;
mod find;
mod guide;
mod icons;
mod keys;
mod language;
mod lines;
mod links;
mod live;
mod orders;
mod panels;
mod parts;
mod passkeys;
mod people;
mod reservations;
mod roles;
mod settings;
mod shell;
mod show;
pub mod sign_in;
mod status;
mod stream;
mod today;
mod transfers;
mod viewer;

use crate::App;
use crate::problem::Problem;
use crate::rules::{Known, Pages, Rule};
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::{Extension, Router};
use domain::Permission;
use live::Live;
use maud::html;
use shell::{Page, Sheet};
use std::sync::Arc;
use viewer::Viewer;

/// Nothing from elsewhere, nothing inline, no frame around it.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The pages, and every route of them with its rule.
pub fn router(app: &App) -> (Router<App>, Vec<Known>) {
    use Rule::{HalfSignedIn, May, Open, SignedIn};
    let live = Arc::new(Live::new(app.engine.now()));
    let pages = Pages::new(app)
        .get("/sign-in", Open, sign_in::page)
        .post("/sign-in", Open, sign_in::enter)
        .post("/sign-in/passkey/begin", Open, passkeys::begin_sign_in)
        .post("/sign-in/passkey/finish", Open, passkeys::finish_sign_in)
        .get("/sign-in/company", Open, company::go)
        .get("/sign-in/company/back", Open, company::back)
        .get("/sign-in/second", HalfSignedIn, sign_in::second)
        .post("/sign-in/second", HalfSignedIn, sign_in::check_second)
        .post("/sign-out", HalfSignedIn, sign_in::leave)
        .get("/setup", Open, links::page)
        .post("/setup", Open, links::setup)
        .get("/link", Open, links::page)
        .post("/link", Open, links::open)
        .get("/forgot", Open, links::forgot)
        .post("/forgot", Open, links::send)
        .get("/account", SignedIn, account::page)
        .post("/account/preferences", SignedIn, account::set_preferences)
        .post("/account/password", SignedIn, account::set_password)
        .get("/account/second-factor", HalfSignedIn, account::enroll)
        .post("/account/second-factor", HalfSignedIn, account::set_second_factor)
        .post("/account/second-factor/remove", SignedIn, account::remove_second_factor)
        .post("/account/passkeys/begin", SignedIn, passkeys::begin_registration)
        .post("/account/passkeys/finish", SignedIn, passkeys::finish_registration)
        .post("/account/passkeys/{id}/remove", SignedIn, account::remove_passkey)
        .post("/account/sessions/{id}/end", SignedIn, account::end_session)
        .get("/", SignedIn, today)
        .get("/live", SignedIn, stream::stream)
        .get("/orders", May(Permission::OrdersView), orders::list::page)
        .get("/orders/new", May(Permission::OrdersPlace), orders::new::page)
        .post("/orders/new", May(Permission::OrdersPlace), orders::new::place)
        .get("/orders/new/preview", May(Permission::OrdersPlace), orders::new::preview)
        .get("/orders/ship", May(Permission::OrdersShip), orders::bulk::ship)
        .post("/orders/ship", May(Permission::OrdersShip), orders::bulk::do_ship)
        .get("/orders/cancel", May(Permission::OrdersCancel), orders::bulk::cancel)
        .post("/orders/cancel", May(Permission::OrdersCancel), orders::bulk::do_cancel)
        .get("/orders/{id}", May(Permission::OrdersView), orders::one::page)
        .get("/orders/{id}/ship", May(Permission::OrdersShip), orders::deeds::ask_ship)
        .post("/orders/{id}/ship", May(Permission::OrdersShip), orders::deeds::ship)
        .get("/orders/{id}/reroute", May(Permission::OrdersReroute), orders::deeds::ask_reroute)
        .post("/orders/{id}/reroute", May(Permission::OrdersReroute), orders::deeds::reroute)
        .get("/orders/{id}/cancel", May(Permission::OrdersCancel), orders::deeds::ask_cancel)
        .post("/orders/{id}/cancel", May(Permission::OrdersCancel), orders::deeds::cancel)
        .get("/orders/{id}/return", May(Permission::OrdersCancel), orders::deeds::ask_return)
        .post("/orders/{id}/return", May(Permission::OrdersCancel), orders::deeds::take_back)
        .post("/orders/{id}/note", May(Permission::OrdersNote), orders::deeds::note)
        .get("/reservations", May(Permission::OrdersView), reservations::page)
        .get("/reservations/{id}", May(Permission::OrdersView), reservations::one)
        .post("/reservations/{id}/release", May(Permission::OrdersPlace), reservations::release)
        .post("/reservations/{id}/extend", May(Permission::OrdersPlace), reservations::extend)
        .get("/transfers", May(Permission::StockView), transfers::list::page)
        .get("/transfers/new", May(Permission::StockTransfer), transfers::new::page)
        .post("/transfers/new", May(Permission::StockTransfer), transfers::new::send)
        .get("/transfers/new/preview", May(Permission::StockTransfer), transfers::new::preview)
        .get("/transfers/{id}", May(Permission::StockView), transfers::one::page)
        .post("/transfers/{id}/receive", May(Permission::StockTransfer), transfers::one::receive)
        .get("/palette", SignedIn, guide::palette)
        .get("/search", SignedIn, guide::search)
        .get("/guide", SignedIn, guide::page)
        .get("/people", May(Permission::PeopleManage), people::page)
        .post("/people", May(Permission::PeopleManage), people::create)
        .get("/people/new", May(Permission::PeopleManage), people::new)
        .get("/people/{id}", May(Permission::PeopleManage), people::one)
        .post("/people/{id}", May(Permission::PeopleManage), people::update)
        .post("/people/{id}/active", May(Permission::PeopleManage), people::set_active)
        .post("/people/{id}/reset", May(Permission::PeopleManage), people::reset)
        .post("/people/{id}/second-factor", May(Permission::PeopleManage), people::remove_second_factor)
        .post("/people/{id}/sessions/{session}/end", May(Permission::PeopleManage), people::end_session)
        .get("/roles", May(Permission::PeopleManage), roles::page)
        .post("/roles", May(Permission::PeopleManage), roles::set)
        .get("/roles/new", May(Permission::PeopleManage), roles::new)
        .get("/roles/{name}", May(Permission::PeopleManage), roles::one)
        .post("/roles/{name}/delete", May(Permission::PeopleManage), roles::delete)
        .get("/keys", May(Permission::KeysManage), keys::page)
        .post("/keys", May(Permission::KeysManage), keys::create)
        .get("/keys/new", May(Permission::KeysManage), keys::new)
        .post("/keys/{id}/revoke", May(Permission::KeysManage), keys::revoke)
        .get("/audit", May(Permission::AuditView), audit::page)
        .get("/audit/{number}", May(Permission::AuditView), audit::one)
        .get("/settings", May(Permission::SettingsEdit), settings::page)
        .post("/settings/house", May(Permission::SettingsEdit), settings::set_house)
        .post("/settings/company", May(Permission::SettingsEdit), settings::set_company)
        .get("/channels", May(Permission::ChannelsView), channels::page)
        .get("/channels/{code}", May(Permission::ChannelsView), channels::one)
        .get("/exceptions", May(Permission::ExceptionsView), exceptions::page)
        .get("/exceptions/{id}", May(Permission::ExceptionsView), exceptions::one)
        .get("/webhooks", May(Permission::WebhooksView), alerts::page)
        .get("/webhooks/{id}", May(Permission::WebhooksView), alerts::one);
    let (pages, known) = pages.finish();
    let files = Router::new().route("/static/{version}/{name}", axum::routing::get(files::file));
    let router = pages.layer(Extension(live)).layer(map_response(never_stored)).merge(files).layer(map_response(guarded));
    (router, known)
}

/// Pages show what is true now, to one person.
async fn never_stored(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &'static str| drop(headers.insert(name, HeaderValue::from_static(value)));
    set("content-security-policy", CONTENT_POLICY);
    set("x-content-type-options", "nosniff");
    // Not `no-referrer`: with it, browsers send `Origin: null` and a form could not tell its own page from another.
    set("referrer-policy", "same-origin");
    set("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()");
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
    // Browsers heed it over HTTPS only, and for this host alone.
    set("strict-transport-security", "max-age=31536000");
    response
}

/// What somebody sees who asks for a page that their role does not show.
pub async fn not_allowed(app: &App, parts: &mut Parts, permission: Permission) -> Response<Body> {
    let v = match Viewer::from_request_parts(parts, app).await {
        Ok(viewer) => viewer,
        Err(problem) => return problem.into_response(),
    };
    let body = parts::empty(
        v.t("Not for your role"),
        html! { (v.say("This needs the permission “{}”, which your role does not have. Whoever manages people here can give it to you.", &[&v.t(permission.about())])) },
        html! { a.btn href="/" { (v.t("Back to today")) } },
    );
    let page = shell::page(&v, Sheet { title: v.t("Not for your role").into(), here: "", topics: String::new(), head: html! {}, body });
    Page(StatusCode::FORBIDDEN, page.1).into_response()
}

async fn today(State(app): State<App>, Extension(live): Extension<Arc<Live>>, viewer: Viewer) -> Result<Page, Problem> {
    let view = live.view(&app).await?;
    Ok(today::page(&viewer, &view))
}
