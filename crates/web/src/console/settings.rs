//! Settings of the installation: what pages assume, and sign-in through the company's own provider.

use super::fields::{Fields, Posted, see};
use super::language::Language;
use super::parts::{Field, Part, form, seen, select};
use super::shell::{self, Page, Sheet};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::{Refused, limits};
use engine::Stop;
use engine::access::audit::etag;
use engine::people::reseal::COMPANY_PLACE;
use engine::people::roles::{self, Role};
use engine::people::settings::{self, Company, House};
use maud::{Markup, html};

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    show(&app, &viewer).await
}

async fn show(app: &App, v: &Viewer) -> Result<Page, Problem> {
    let (house, company, all) =
        app.engine.read(|tx| Ok((settings::get::<House>(tx, House::NAME)?, settings::get::<Company>(tx, Company::NAME)?, roles::list(tx)?))).await?;
    let body = html! { div.cols.cols-2 { (house_part(v, &house)) (company_part(app, v, &company, &all)) } };
    let head = shell::head(v.t("Settings"), html! { (v.t("For everybody who works here.")) }, html! {});
    Ok(shell::page(v, Sheet { title: v.t("Settings").into(), here: "/settings", topics: String::new(), head, body }))
}

fn house_part(v: &Viewer, house: &House) -> Markup {
    let languages: Vec<(String, String)> = Language::ALL.iter().map(|l| (l.code().to_owned(), l.name().to_owned())).collect();
    let body = html! { div.panel-body { (form(v, "/settings/house", html! {
            (seen(&etag(&as_set(house))))
        div.form-grid {
            (Field::new("name", "Name of the company").value(&house.name).hint(html! { (v.t("Stands in the titles of pages.")) }).show(v))
            (select(v, "language", "Language", &languages, &house.language))
            (Field::new("zone", "Time zone").value(&house.zone).required().hint(html! { (v.say("Such as {}", &[&"Europe/London"])) }).show(v))
            (Field::new("currency", "Currency").value(&house.currency).required().hint(html! { (v.say("Such as {}", &[&"GBP"])) }).show(v))
        }
        div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } }
    })) } };
    Part::new("house", v.t("The company"), body).show()
}

fn company_part(app: &App, v: &Viewer, company: &Company, all: &[Role]) -> Markup {
    let may = |r: &&Role| v.caller.as_ref().is_some_and(|c| r.permissions.within(c.grant.permissions));
    let options: Vec<(String, String)> = all.iter().filter(may).map(|r| (r.name.clone(), r.name.clone())).collect();
    let back = app.outer.public_url.as_deref().map_or_else(|| v.visit.origin(), str::to_owned);
    let body = html! { div.panel-body.stack {
        p { (v.t("People sign in with your company's own accounts (OpenID Connect). Register this address with your provider:")) " " code { (back) "/sign-in/company/back" } }
        (form(v, "/settings/company", html! {
            (seen(&etag(&without_secret(company))))
            (Field::new("issuer", "Issuer").kind("url").value(&company.issuer).placeholder("https://login.example.com").hint(html! { (v.t("Empty: nobody signs in through the company.")) }).show(v))
            div.form-grid {
                (Field::new("client_id", "Client id").value(&company.client_id).show(v))
                (Field::new("client_secret", "Client secret").kind("password").autocomplete("off").hint(html! { @if company.client_secret.is_empty() { (v.t("Never shown again.")) } @else { (v.t("Set. Leave it empty to keep it.")) } }).show(v))
            }
            (Field::new("label", "Words on the button").value(&company.label).show(v))
            div.form-grid {
                (Field::new("domain", "Let in everybody with an address at").value(&company.domain).placeholder("example.com").hint(html! { (v.t("Empty: only who was let in here before.")) }).show(v))
                (select(v, "role", "In this role", &options, if company.role.is_empty() { "support" } else { &company.role }))
            }
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } }
        }))
    } };
    Part::new("company", v.t("Sign-in through the company"), body).show()
}

/// As it is recorded.
fn as_set(house: &House) -> String {
    serde_json::to_string(house).unwrap_or_default()
}

fn without_secret(c: &Company) -> String {
    serde_json::json!({ "issuer": c.issuer, "client_id": c.client_id, "label": c.label, "domain": c.domain, "role": c.role }).to_string()
}

fn read_house(fields: &Fields) -> Result<House, Refused> {
    let zone = fields.text("zone").to_owned();
    if jiff::tz::TimeZone::get(&zone).is_err() {
        return Err(Refused::invalid("zone", "is no time zone; write it as Europe/London"));
    }
    let currency = domain::money::Currency::parse("currency", fields.text("currency"))?.code().to_owned();
    let language = Language::parse(fields.text("language")).unwrap_or_default().code().to_owned();
    Ok(House { name: limits::text("name", fields.text("name"))?.to_owned(), language, zone, currency })
}

pub async fn set_house(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    match save_house(&app, &viewer, &fields).await {
        Ok(()) => Ok(see("/settings?said=saved")),
        Err(stop) => Ok(show(&app, &viewer.refused(fields.0, stop)?).await?.into_response()),
    }
}

async fn save_house(app: &App, v: &Viewer, fields: &Fields) -> Result<(), Stop> {
    let house = read_house(fields)?;
    let by = v.by().expecting(fields.given("seen"));
    app.engine
        .transact(move |tx, now| {
            let before: House = settings::get(tx, House::NAME)?;
            settings::set(tx, &by, now, House::NAME, &house, (Some(as_set(&before)), as_set(&house)))
        })
        .await
}

pub async fn set_company(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    match save_company(&app, &viewer, &fields).await {
        Ok(()) => Ok(see("/settings?said=saved")),
        Err(stop) => {
            Ok(show(&app, &viewer.refused(fields.0.into_iter().filter(|(n, _)| n != "client_secret").collect(), stop)?).await?.into_response())
        }
    }
}

async fn save_company(app: &App, v: &Viewer, fields: &Fields) -> Result<(), Stop> {
    let issuer = fields.text("issuer").trim_end_matches('/').to_owned();
    if !issuer.is_empty() && !domain::limits::is_https_or_here(&issuer) {
        return Err(Refused::invalid("issuer", "must begin with https://").into());
    }
    if !issuer.is_empty() && fields.given("client_id").is_none() {
        return Err(Refused::invalid("client_id", "is needed: the provider's name for Holdfast").into());
    }
    for name in ["issuer", "client_id", "label", "domain"] {
        limits::text(name, fields.text(name))?;
    }
    let sealed = match fields.given("client_secret") {
        Some(secret) => Some(app.vault.encrypt(COMPANY_PLACE, &secret)?),
        None => None,
    };
    let domain = fields.text("domain").trim_start_matches('@').to_lowercase();
    let new = Company {
        issuer,
        client_id: fields.text("client_id").into(),
        client_secret: String::new(),
        label: fields.text("label").into(),
        domain,
        role: fields.text("role").into(),
    };
    let by = v.by().expecting(fields.given("seen"));
    app.engine
        .transact(move |tx, now| {
            let before: Company = settings::get(tx, Company::NAME)?;
            let role = roles::known(tx, &new.role, "role")?;
            roles::may_give_role(&by, &role)?;
            let company = Company { client_secret: sealed.clone().unwrap_or_else(|| before.client_secret.clone()), ..new.clone() };
            settings::set(tx, &by, now, Company::NAME, &company, (Some(without_secret(&before)), without_secret(&company)))
        })
        .await
}
