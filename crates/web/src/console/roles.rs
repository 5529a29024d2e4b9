//! Roles: what each allows, those of the merchant's own, and which of them ask for a second factor.

use super::fields::{Posted, see, step};
use super::parts::{Field, Part, button, check, confirm, empty, form, icon, kept, search_box, seen, sort, sorted};
use super::shell::{self, Page, Sheet};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::access::BUILT_IN;
use domain::{Noun, Permission, Refused};
use engine::access::audit::etag_of;
use engine::people::roles::{self, Role, SetRole};
use maud::{Markup, html};

/// What a role is for; those that are always there say it in the reader's language.
pub fn about(v: &Viewer, role: &Role) -> String {
    BUILT_IN.iter().find(|b| b.name == role.name).map_or_else(|| role.about.clone(), |b| v.t(b.about).to_owned())
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let mut all = app.engine.read(roles::list).await?;
    let wanted = v.asked("q").unwrap_or_default().to_lowercase();
    // Whoever looks for what may be done finds the roles that allow it.
    let allows =
        |role: &Role| Permission::ALL.into_iter().any(|(p, _, words)| role.permissions.has(p) && v.t(words).to_lowercase().contains(&wanted));
    all.retain(|r| r.name.to_lowercase().contains(&wanted) || about(v, r).to_lowercase().contains(&wanted) || allows(r));
    sort(v, &mut all, |all, column| match column {
        "name" => all.sort_by_key(|r| r.name.to_lowercase()),
        "permissions" => all.sort_by_key(|r| r.permissions.iter().count()),
        _ => {}
    });
    if v.asked("format").as_deref() == Some("csv") {
        return Ok(exported(&all));
    }
    let body = html! { div.stack {
        section.panel aria-label=(v.t("Roles")) {
            form.filters method="get" {
                (kept(v, &["sort"]))
                (search_box(v, "Role, or what it allows", &v.asked("q").unwrap_or_default()))
                button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            }
            @if all.is_empty() { (empty(v.t("None fits"), html! { (v.t("No role has this name or allows this.")) }, html! { div { a.btn href="/roles" { (v.t("Show all")) } } })) }
            @else { div.table-wrap { table.table.table-stack {
                thead { tr { (sorted(v, "name", "Role", "", "")) th scope="col" { (v.t("What it is for")) } (sorted(v, "permissions", "Permissions", "num", "")) th scope="col" { (v.t("Second factor")) } th scope="col" { (v.t("Kind")) } } }
                tbody { @for role in &all {
                    tr data-row=(role.name) data-key=(role.name) {
                        th scope="row" { a href={ "/roles/" (step(&role.name)) } data-open { (role.name) } }
                        td.wrap data-label=(v.t("What it is for")) { (about(v, role)) } td.num data-label=(v.t("Permissions")) { (role.permissions.iter().count()) }
                        td data-label=(v.t("Second factor")) { @if role.second_factor { (v.t("Asked for")) } @else { span.quiet { (v.t("Up to each")) } } }
                        td data-label=(v.t("Kind")) { @if role.built_in { (v.t("Always there")) } @else { (v.t("Your own")) } }
                    }
                } }
            } } }
        }
        @if !all.is_empty() { (matrix(v, &all)) }
    } };
    let head = shell::head(
        v.t("Roles"),
        html! { (v.t("Sets of permissions that people and keys have.")) },
        html! { a.btn href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) } a.btn.btn-primary href="/roles/new" data-key="n" title=(v.t("Make a role")) { (icon("plus")) (v.t("Make a role")) } },
    );
    Ok(shell::page(v, Sheet { title: v.t("Roles").into(), here: "/roles", topics: String::new(), head, body }).into_response())
}

/// One line a role, one column a permission.
fn exported(all: &[Role]) -> Response<Body> {
    let head: Vec<&str> = ["role", "built_in", "second_factor"].into_iter().chain(Permission::ALL.into_iter().map(|(_, word, _)| word)).collect();
    let flag = |is: bool| u8::from(is).to_string();
    let line = |role: &Role| {
        let allowed = Permission::ALL.into_iter().map(|(permission, ..)| flag(role.permissions.has(permission)));
        [role.name.clone(), flag(role.built_in), flag(role.second_factor)].into_iter().chain(allowed).collect()
    };
    super::export::rows("roles.csv", &head, &all.iter().map(line).collect::<Vec<_>>())
}

/// Which role allows what, at a glance.
fn matrix(v: &Viewer, all: &[Role]) -> Markup {
    let body = html! {
        div.table-wrap { table.table.table-tight {
            thead { tr { th scope="col" { (v.t("Permission")) } @for role in all { th scope="col" { (role.name) } } } }
            tbody { @for (permission, _, about) in Permission::ALL { tr {
                th scope="row" { (v.t(about)) }
                @for role in all { td { @if role.permissions.has(permission) { span.st.st-ok { (icon("ok")) span.vh { (v.t("Yes")) } } } @else { span.quiet { "–" } } } }
            } } }
        } }
    };
    Part::new("matrix", v.t("Who may do what"), body).show()
}

pub async fn new(viewer: Viewer) -> Page {
    show(&viewer, None)
}

pub async fn one(State(app): State<App>, Path(name): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let role = app.engine.read(move |tx| roles::known(tx, &name, "name")).await?;
    Ok(show(&viewer, Some(&role)))
}

fn show(v: &Viewer, role: Option<&Role>) -> Page {
    let fixed = role.is_some_and(|r| r.built_in);
    let title = role.map_or_else(|| v.t("A role of your own").to_owned(), |r| r.name.clone());
    let body = html! {
        section.panel aria-label=(title) { div.panel-body { (form(v, "/roles", html! {
            @if let Some(role) = role { (seen(&etag_of(role))) input type="hidden" name="name" value=(role.name); input type="hidden" name="old" value="yes"; }
            @else { (Field::new("name", "Name").required().focus().show(v)) }
            @if !fixed { (Field::new("about", "What it is for").value(role.map_or("", |r| &r.about)).show(v)) }
            (check(v, "second_factor", "yes", role.is_some_and(|r| r.second_factor), html! { (v.t("People of this role must use a second factor or a passkey")) }))
            fieldset.field { legend { (v.t("Permissions")) }
                div.form-grid { @for (permission, word, about) in Permission::ALL {
                    @let has = role.is_some_and(|r| r.permissions.has(permission));
                    @if fixed {
                        @if has { input type="hidden" name="permissions" value=(word); span.st.st-ok { (icon("ok")) (v.t(about)) } }
                    } @else { (check(v, "permissions", word, has, html! { (v.t(about)) })) }
                } }
            }
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } a.btn.btn-ghost href="/roles" { (v.t("Cancel")) } }
        })) } }
        @if let Some(role) = role.filter(|r| !r.built_in) {
            div.row { (confirm(html! { (v.t("Delete this role…")) }, "btn btn-danger", html! { p { (v.t("Only a role that nobody has can be deleted.")) } (button(v, &format!("/roles/{}/delete", step(&role.name)), "btn btn-danger", &[], html! { (v.t("Delete it")) })) })) }
        }
    };
    let sub = html! { @if let Some(role) = role { (about(v, role)) } @else { (v.t("Give it no more than its people need.")) } };
    let head = shell::head(&title, sub, html! {});
    shell::page(v, Sheet { title, here: "/roles", topics: String::new(), head, body })
}

pub async fn set(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let name = fields.text("name").to_owned();
    let wanted = SetRole { about: fields.text("about").into(), permissions: fields.all("permissions"), second_factor: fields.is_on("second_factor") };
    let is_new = !fields.is_on("old");
    let (by, known) = (viewer.by().expecting(fields.given("seen")), name.clone());
    let done = app
        .engine
        .transact(move |tx, now| {
            if is_new && roles::find(tx, &name)?.is_some() {
                return Err(Refused::Exists { noun: Noun::Role, name: name.clone() }.into());
            }
            roles::set(tx, &by, now, &name, &wanted)
        })
        .await;
    match done {
        Ok(_) => {
            app.callers.forget_sessions();
            Ok(see("/roles?said=saved"))
        }
        Err(stop) => {
            let role = app.engine.read(move |tx| roles::find(tx, &known)).await?.filter(|_| !is_new);
            Ok(show(&viewer.refused(fields.0, stop)?, role.as_ref()).into_response())
        }
    }
}

pub async fn delete(State(app): State<App>, Path(name): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let (by, gone) = (posted.viewer.by(), name.clone());
    match app.engine.transact(move |tx, now| roles::delete(tx, &by, now, &gone)).await {
        Ok(()) => Ok(see("/roles?said=deleted")),
        Err(stop) => {
            let role = app.engine.read(move |tx| roles::known(tx, &name, "name")).await?;
            Ok(show(&posted.viewer.refused(Vec::new(), stop)?, Some(&role)).into_response())
        }
    }
}
