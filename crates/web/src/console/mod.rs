//! Pages for people. Each file is a noun of the navigation; every page is a function of a [`viewer::Viewer`].
//!
//! Here: the routes with their rules, and what every page's answer carries. Not here: SQL (`engine`), scripts and styles (`static/`).

mod account;
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
mod imports;
mod items;
mod keys;
mod language;
mod line_chart;
mod line_editor;
mod links;
mod live;
mod locations;
mod notice;
mod orders;
mod panels;
mod parts;
mod passkeys;
mod people;
mod reservations;
mod roles;
mod rules;
mod settings;
mod several;
mod shell;
mod show;
pub mod sign_in;
mod status;
mod stream;
mod suggest;
mod today;
mod transfers;
mod viewer;
mod webhooks;

use crate::App;
use crate::rules::{Known, Pages, Rule};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
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
    let live = Arc::new(Live::default());
    let waiting = Arc::new(imports::waiting::Waiting::default());
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
        .get("/", SignedIn, today::page)
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
        .get("/reservations/release", May(Permission::OrdersPlace), reservations::bulk::ask)
        .post("/reservations/release", May(Permission::OrdersPlace), reservations::bulk::release)
        .get("/reservations/{id}", May(Permission::OrdersView), reservations::one)
        .post("/reservations/{id}/release", May(Permission::OrdersPlace), reservations::release)
        .post("/reservations/{id}/extend", May(Permission::OrdersPlace), reservations::extend)
        .get("/transfers", May(Permission::StockView), transfers::list::page)
        .get("/transfers/new", May(Permission::StockTransfer), transfers::new::page)
        .post("/transfers/new", May(Permission::StockTransfer), transfers::new::send)
        .get("/transfers/new/preview", May(Permission::StockTransfer), transfers::new::preview)
        .get("/transfers/{id}", May(Permission::StockView), transfers::one::page)
        .post("/transfers/{id}/receive", May(Permission::StockTransfer), transfers::one::receive)
        .post("/transfers/{id}/cancel", May(Permission::StockTransfer), transfers::one::cancel)
        .get("/palette", SignedIn, guide::palette)
        .get("/search", SignedIn, guide::search)
        .get("/suggest/{what}", SignedIn, suggest::suggest)
        .get("/guide", SignedIn, guide::page)
        .get("/locations", May(Permission::StockView), locations::page)
        .post("/locations", May(Permission::LocationsEdit), locations::edit::create)
        .get("/locations/new", May(Permission::LocationsEdit), locations::edit::new)
        .get("/locations/{code}", May(Permission::StockView), locations::one::page)
        .post("/locations/{code}", May(Permission::LocationsEdit), locations::edit::update)
        .post("/locations/{code}/active", May(Permission::LocationsEdit), locations::edit::set_active)
        .get("/imports", May(Permission::ImportsRun), imports::page)
        .get("/imports/check", May(Permission::ImportsRun), imports::back)
        .post("/imports/check", May(Permission::ImportsRun), imports::upload::check)
        .get("/imports/checked/{id}", May(Permission::ImportsRun), imports::upload::checked)
        .post("/imports/checked/{id}", May(Permission::ImportsRun), imports::upload::act)
        .get("/imports/template/{name}", May(Permission::ImportsRun), imports::template)
        .post("/imports/sample", May(Permission::ImportsRun), imports::load_sample)
        .get("/imports/{key}", May(Permission::ImportsRun), imports::one::page)
        .post("/imports/{key}/stop", May(Permission::ImportsRun), imports::one::do_stop)
        .get("/imports/{key}/refused", May(Permission::ImportsRun), imports::one::download)
        .get("/imports/{key}/mend", May(Permission::ImportsRun), imports::one::mend_page)
        .post("/imports/{key}/mend", May(Permission::ImportsRun), imports::one::mend)
        .get("/rules", May(Permission::RoutingView), rules::page)
        .post("/rules", May(Permission::RoutingView), rules::edit)
        .get("/rules/try", May(Permission::RoutingView), rules::back)
        .post("/rules/try", May(Permission::RoutingView), rules::try_out)
        .get("/rules/live", May(Permission::RoutingView), rules::back)
        .post("/rules/live", May(Permission::RoutingEdit), rules::make_live)
        .get("/rules/history", May(Permission::RoutingView), rules::history)
        .get("/rules/export", May(Permission::RoutingView), rules::export)
        .post("/rules/export", May(Permission::RoutingView), rules::export_draft)
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
        .get("/channels/new", May(Permission::ChannelsView), channels::new)
        .post("/channels/new", May(Permission::ChannelsEdit), channels::go_on)
        .post("/channels/new/contract", May(Permission::ContractsEdit), channels::agree)
        .get("/channels/{code}", May(Permission::ChannelsView), channels::one)
        .post("/channels/{code}/check", May(Permission::ChannelsEdit), channels::check)
        .post("/channels/{code}/pause", May(Permission::ListingsEdit), channels::pause)
        .post("/channels/{code}/resume", May(Permission::ListingsEdit), channels::resume)
        .post("/channels/{code}/stop", May(Permission::ListingsEdit), channels::stop)
        .post("/channels/{code}/sell", May(Permission::ListingsEdit), channels::sell)
        .post("/channels/{code}/resync", May(Permission::ListingsEdit), channels::resync)
        .get("/channels/{code}/waiting", May(Permission::ChannelsView), channels::waiting)
        .get("/channels/{code}/handovers", May(Permission::ChannelsView), channels::all_handovers)
        .get("/channels/{code}/settings", May(Permission::ChannelsEdit), channels::settings)
        .post("/channels/{code}/settings", May(Permission::ChannelsEdit), channels::set_settings)
        .post("/channels/{code}/policy", May(Permission::ChannelsEdit), channels::set_policy)
        .post("/channels/{code}/subscribe", May(Permission::ChannelsEdit), channels::subscribe)
        .get("/channels/{code}/alike", May(Permission::ListingsEdit), channels::alike)
        .post("/channels/{code}/alike", May(Permission::ListingsEdit), channels::map_alike)
        .get("/channels/{code}/policies", May(Permission::ListingsEdit), channels::ask_policies)
        .post("/channels/{code}/policies", May(Permission::ListingsEdit), channels::set_policies)
        .get("/channels/{code}/listings/{id}", May(Permission::ChannelsView), channels::listing)
        .post("/channels/{code}/listings/{id}", May(Permission::ListingsEdit), channels::set_listing)
        .post("/channels/{code}/contract", May(Permission::ContractsEdit), channels::change_contract)
        .get("/exceptions", May(Permission::ExceptionsView), exceptions::page)
        .get("/exceptions/{id}", May(Permission::ExceptionsView), exceptions::one)
        .post("/exceptions/many", May(Permission::ExceptionsSolve), exceptions::preview_many)
        .post("/exceptions/many/do", May(Permission::ExceptionsSolve), exceptions::act_on_many)
        .post("/exceptions/{id}/{action}", May(Permission::ExceptionsSolve), exceptions::act)
        .get("/webhooks", May(Permission::WebhooksView), webhooks::page)
        .post("/webhooks", May(Permission::WebhooksEdit), webhooks::create)
        .get("/webhooks/new", May(Permission::WebhooksEdit), webhooks::new)
        .get("/webhooks/{id}", May(Permission::WebhooksView), webhooks::one)
        .post("/webhooks/{id}", May(Permission::WebhooksEdit), webhooks::update)
        .post("/webhooks/{id}/active", May(Permission::WebhooksEdit), webhooks::set_active)
        .post("/webhooks/{id}/delete", May(Permission::WebhooksEdit), webhooks::delete)
        .post("/webhooks/{id}/test", May(Permission::WebhooksEdit), webhooks::test)
        .post("/webhooks/{id}/secrets", May(Permission::WebhooksEdit), webhooks::add_secret)
        .post("/webhooks/{id}/secrets/{secret}/remove", May(Permission::WebhooksEdit), webhooks::remove_secret)
        .post("/webhooks/{id}/replay", May(Permission::WebhooksEdit), webhooks::replay_failed)
        .post("/webhooks/{id}/deliveries/{delivery}/replay", May(Permission::WebhooksEdit), webhooks::replay);
    let pages = items::routes(pages);
    let (pages, known) = pages.finish();
    let files = Router::new().route("/static/{version}/{name}", axum::routing::get(files::file));
    let router = pages
        .layer(Extension(live))
        .layer(Extension(waiting))
        .fallback(crate::rules::nowhere)
        .layer(map_response(never_stored))
        .merge(files)
        .layer(map_response(guarded));
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
    crate::ON_ALL_ANSWERS.into_iter().for_each(|(name, value)| set(name, value));
    set("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()");
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
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

/// The request of somebody who reads pages in a browser, kept in case its answer is a problem.
pub struct Asked(Option<Parts>);

impl Asked {
    /// Scripts ask for parts of pages, and read problems as they are.
    pub fn of(request: &axum::extract::Request) -> Asked {
        let headers = request.headers();
        let reads = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("text/html"));
        if !reads || headers.contains_key("x-part") {
            return Asked(None);
        }
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        (parts.method, parts.uri, parts.headers) = (request.method().clone(), request.uri().clone(), headers.clone());
        parts.extensions = request.extensions().clone();
        Asked(Some(parts))
    }

    /// The answer itself, or if it is a problem the page that tells it.
    pub async fn answer(self, app: &App, response: Response<Body>) -> Response<Body> {
        let (Some(mut parts), Some(told)) = (self.0, response.extensions().get::<crate::problem::Told>().cloned()) else { return response };
        let Ok(v) = Viewer::from_request_parts(&mut parts, app).await else { return response };
        let v = &v;
        let (title, detail) = (v.whole(&told.title), v.whole(&told.detail));
        let back = if parts.method.is_safe() { "/".to_owned() } else { fields::own_path(&referer(&parts.headers)).unwrap_or_else(|| "/".into()) };
        let body = parts::empty(
            &title,
            html! { (detail) },
            html! { div.row { a.btn.btn-primary href=(back) { @if back == "/" { (v.t("Back to today")) } @else { (v.t("Back")) } } a.btn href="/search" { (v.t("Search")) } } },
        );
        let sheet = Sheet { title: title.to_string(), here: "", topics: String::new(), head: html! {}, body: html! { section.panel { (body) } } };
        let page = if v.caller.is_some() { shell::page(v, sheet).1 } else { shell::bare(v, &title, html! { main #main { (sheet.body) } }) };
        let mut shown = Page(response.status(), page).into_response();
        if let Some(after) = response.headers().get(header::RETRY_AFTER) {
            shown.headers_mut().insert(header::RETRY_AFTER, after.clone());
        }
        shown
    }
}

/// The path of the page that a form stood on.
fn referer(headers: &HeaderMap) -> String {
    let text = headers.get(header::REFERER).and_then(|r| r.to_str().ok()).unwrap_or_default();
    text.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned())).unwrap_or_default()
}
