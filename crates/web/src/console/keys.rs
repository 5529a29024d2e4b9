//! API keys: what programs may do, since when they were used, until when they hold.

use super::account::{own, proof, prove};
use super::export;
use super::fields::{Posted, see};
use super::parts::{Field, button, confirm, empty, form, icon, kept, search_box, select, sort, sorted, state};
use super::people::{joined, limit_fields, limits_of};
use super::shell::{self, Page, Sheet};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use engine::keys::{self, Key, KeyView, NewKey};
use engine::people::Limits;
use maud::{Markup, html};

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let all = app.read(|tx, config| Ok(keys::list_keys(tx)?.into_iter().map(|k| (KeyView::new(&k, config), k)).collect::<Vec<_>>())).await?;
    let with_old = v.asked("old").is_some();
    let wanted = v.asked("q").unwrap_or_default().to_lowercase();
    let mut shown: Vec<&(KeyView, Key)> =
        all.iter().filter(|(view, key)| (with_old || key.is_in_force(v.now)) && view.name.to_lowercase().contains(&wanted)).collect();
    sort(v, &mut shown, sort_by);
    if v.asked("format").as_deref() == Some("csv") {
        return Ok(exported(&shown));
    }
    let body = html! {
        section.panel aria-label=(v.t("API keys")) {
            form.filters method="get" {
                (kept(v, &["sort"]))
                (search_box(v, "Name", &v.asked("q").unwrap_or_default()))
                label.check { input type="checkbox" name="old" value="yes" checked[with_old] data-auto; (v.t("With those that hold no more")) }
                button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            }
            @if shown.is_empty() && !wanted.is_empty() { (empty(v.t("None fits"), html! { (v.t("No key has this name.")) }, html! { div { a.btn href="/keys" { (v.t("Show all")) } } })) }
            @else if shown.is_empty() { (empty(v.t("No key"), html! { (v.t("A program that talks to the API needs one.")) }, html! { a.btn.btn-primary href="/keys/new" { (v.t("Make a key")) } })) }
            @else { div.table-wrap { table.table.table-stack {
                thead { tr { (sorted(v, "name", "Name", "", "name")) th scope="col" { (v.t("Begins with")) } (sorted(v, "role", "Role", "", "name")) th scope="col" { (v.t("Limited to")) } th scope="col" { (v.t("State")) } (sorted(v, "made", "Made", "", "name")) (sorted(v, "used", "Last used", "", "name")) th {} } }
                tbody { @for (view, key) in &shown { (row(v, view, key)) } }
            } } }
        }
    };
    let head = shell::head(
        v.t("API keys"),
        html! { (v.count(all.iter().filter(|(_, k)| k.is_in_force(v.now)).count() as i64, "key in force", "keys in force")) },
        html! { a.btn href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) } a.btn.btn-primary href="/keys/new" data-key="n" title=(v.t("Make a key")) { (icon("plus")) (v.t("Make a key")) } },
    );
    Ok(shell::page(v, Sheet { title: v.t("API keys").into(), here: "/keys", topics: String::new(), head, body }).into_response())
}

fn sort_by(shown: &mut [&(KeyView, Key)], column: &str) {
    shown.sort_by_key(|(view, _)| view.name.to_lowercase());
    match column {
        "role" => shown.sort_by(|a, b| a.0.role.cmp(&b.0.role)),
        "made" => shown.sort_by_key(|(_, key)| key.created_at),
        "used" => shown.sort_by_key(|(_, key)| key.used_at),
        _ => {}
    }
}

/// Without the secrets, which are not kept.
fn exported(shown: &[&(KeyView, Key)]) -> Response<Body> {
    let head = ["id", "name", "role", "locations", "channels", "created_at", "expires_at", "revoked_at", "used_at"];
    let line = |(view, _): &&(KeyView, Key)| {
        let times = [Some(&view.created_at), view.expires_at.as_ref(), view.revoked_at.as_ref(), view.used_at.as_ref()];
        let facts = [view.id.clone(), view.name.clone(), view.role.clone(), joined(&view.limits.locations), joined(&view.limits.channels)];
        facts.into_iter().chain(times.map(|at| at.map(ToString::to_string).unwrap_or_default())).collect()
    };
    export::rows("keys.csv", &head, &shown.iter().map(line).collect::<Vec<_>>())
}

fn row(v: &Viewer, view: &KeyView, key: &Key) -> Markup {
    let limits: Vec<String> = view.limits.locations.iter().chain(&view.limits.channels).flatten().cloned().collect();
    let standing = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => state("off", "st-off", &v.say("Revoked {}", &[&v.when(at)])),
        (None, Some(at)) if at <= v.now => state("off", "st-off", &v.say("Expired {}", &[&v.when(at)])),
        (None, Some(at)) => state("ok", "st-ok", &v.say("Until {}", &[&v.date(at)])),
        (None, None) => state("ok", "st-ok", v.t("In force")),
    };
    html! {
        tr data-row=(view.id) data-key=(view.id) {
            th scope="row" { (view.name) } td data-label=(v.t("Begins with")) { code { "hf_" (view.id) } } td data-label=(v.t("Role")) { (view.role) }
            td data-label=(v.t("Limited to")) { @if limits.is_empty() { span.quiet { (v.t("Everywhere")) } } @else { (limits.join(", ")) } }
            td data-label=(v.t("State")) { (standing) } td data-label=(v.t("Made")) { (v.when(key.created_at)) }
            td data-label=(v.t("Last used")) { @if let Some(at) = key.used_at { (v.ago(at)) } @else { "–" } }
            td.num { @if key.is_in_force(v.now) {
                (confirm(html! { (v.t("Revoke…")) }, "btn btn-s", html! { p { (v.t("Programs that use it are refused within a second, for good.")) } (button(v, &format!("/keys/{}/revoke", view.id), "btn btn-danger", &[], html! { (v.t("Revoke it")) })) }))
            } }
        }
    }
}

pub async fn new(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    show_new(&app, &viewer).await
}

async fn show_new(app: &App, v: &Viewer) -> Result<Page, Problem> {
    let offer = super::people::offer(app).await?;
    let lasts = [("", "Until it is revoked"), ("30", "30 days"), ("90", "90 days"), ("365", "A year")]
        .map(|(value, text)| (value.to_owned(), v.t(text).to_owned()));
    let body = html! {
        section.panel.form-narrow aria-label=(v.t("Make a key")) { div.panel-body { (form(v, "/keys", html! {
            (Field::new("name", "Name").required().focus().hint(html! { (v.t("Whom it is for; it stands in the books beside what was done with it.")) }).show(v))
            (super::people::role_field(v, &offer, "operate"))
            (select(v, "days", "Valid for", &lasts, "365"))
            (limit_fields(v, &offer.locations, &offer.channels, &Limits::default()))
            (proof(v, "old"))
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Make the key")) } a.btn.btn-ghost href="/keys" { (v.t("Cancel")) } }
        })) } }
    };
    let head = shell::head(v.t("Make a key"), html! { (v.t("Give it no more than its program needs.")) }, html! {});
    Ok(shell::page(v, Sheet { title: v.t("Make a key").into(), here: "/keys", topics: String::new(), head, body }))
}

pub async fn create(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let Limits { locations, channels } = limits_of(&fields);
    let me = own(&viewer)?;
    let made = async {
        let expires_in_seconds = fields.opt_int("days")?.map(|days| days.saturating_mul(86_400));
        let new = NewKey { name: fields.text("name").into(), role: fields.text("role").into(), expires_in_seconds, locations, channels };
        prove(&app, &viewer, &me, &fields, "old").await?;
        let by = viewer.by();
        app.engine.transact(move |tx, now| keys::create(tx, &by, now, &new)).await
    };
    match made.await {
        Ok((key, text)) => Ok(show_key(&viewer, &key, &text).into_response()),
        Err(stop) => Ok(show_new(&app, &viewer.refused(fields.0, stop)?).await?.into_response()),
    }
}

fn show_key(v: &Viewer, key: &Key, text: &str) -> Page {
    let body = html! {
        section.panel.form-narrow aria-labelledby="h-key" { div.panel-head { h2 #h-key { (v.t("The key")) } } div.panel-body.stack {
            p { (v.t("It is shown this once. Keep it where your program finds it, and nowhere else.")) }
            pre.code #key { (text) }
            div.form-foot { button.btn type="button" data-copy="key" data-js { (icon("copy")) (v.t("Copy")) } a.btn.btn-primary href="/keys" { (v.t("I have it")) } }
        } }
    };
    let head = shell::head(&key.name, html! { (key.role) }, html! {});
    shell::page(v, Sheet { title: key.name.clone(), here: "/keys", topics: String::new(), head, body })
}

pub async fn revoke(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let by = posted.viewer.by();
    app.engine.transact(move |tx, now| keys::revoke(tx, &by, now, &id)).await?;
    Ok(see("/keys?said=deleted"))
}
