//! People: who can sign in, in which role, limited to which locations and channels; invitations and their sessions.

use super::account::sessions_table;
use super::export;
use super::fields::{Fields, Posted, see, step};
use super::links::send_link;
use super::parts::{Field, Part, button, check, confirm, empty, fact, form, icon, kept, search_box, seen, select, sort, sorted, state};
use super::shell::{self, Page, Sheet};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use engine::Stop;
use engine::access::audit;
use engine::people::links::{self, Kind};
use engine::people::roles::{self, Role};
use engine::people::{self, Limits, NewPerson, Person, PersonView, Session, UpdatePerson};
use maud::{Markup, html};

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let everybody = app.read(|tx, config| Ok(people::list(tx)?.into_iter().map(|p| (PersonView::new(&p, config), p)).collect::<Vec<_>>())).await?;
    let wanted = v.asked("q").unwrap_or_default().to_lowercase();
    let role = v.asked("role").unwrap_or_default();
    let is_wanted = |p: &PersonView| {
        (role.is_empty() || p.role == role) && (wanted.is_empty() || p.name.to_lowercase().contains(&wanted) || p.login.contains(&wanted))
    };
    let mut shown: Vec<&(PersonView, Person)> = everybody.iter().filter(|(p, _)| is_wanted(p)).collect();
    sort(v, &mut shown, sort_by);
    if v.asked("format").as_deref() == Some("csv") {
        return Ok(exported(&shown));
    }
    let mut names: Vec<&str> = everybody.iter().map(|(p, _)| p.role.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let body = html! {
        section.panel aria-label=(v.t("People")) {
            form.filters method="get" {
                (kept(v, &["sort"]))
                (search_box(v, "Name or mail address", &v.asked("q").unwrap_or_default()))
                label.vh for="f-role" { (v.t("Role")) }
                select.select.select-s #f-role name="role" data-auto { option value="" { (v.t("All roles")) } @for name in &names { option value=(name) selected[*name == role] { (name) } } }
                button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            }
            @if shown.is_empty() { (empty(v.t("Nobody fits"), html! { (v.t("No person has this name, mail address and role.")) }, html! { a.btn href="/people" { (v.t("Show all")) } })) }
            @else { (table(v, &shown)) }
        }
    };
    let sub = html! { (v.count(everybody.len() as i64, "person", "people")) };
    let head = shell::head(
        v.t("People"),
        sub,
        html! { a.btn href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) } a.btn.btn-primary href="/people/new" data-key="n" title=(v.t("Let somebody in")) { (icon("plus")) (v.t("Let somebody in")) } },
    );
    Ok(shell::page(v, Sheet { title: v.t("People").into(), here: "/people", topics: String::new(), head, body }).into_response())
}

fn sort_by(shown: &mut [&(PersonView, Person)], column: &str) {
    shown.sort_by_key(|(view, _)| view.name.to_lowercase());
    match column {
        "login" => shown.sort_by(|a, b| a.0.login.cmp(&b.0.login)),
        "role" => shown.sort_by(|a, b| a.0.role.cmp(&b.0.role)),
        "seen" => shown.sort_by_key(|(_, person)| person.seen_at),
        _ => {}
    }
}

fn exported(shown: &[&(PersonView, Person)]) -> Response<Body> {
    let head = ["login", "name", "role", "locations", "channels", "active", "second_factor", "created_at", "seen_at"];
    let line = |(view, person): &&(PersonView, Person)| {
        let flags = [view.active, view.has_second_factor].map(|is| u8::from(is).to_string());
        let times = [view.created_at.to_string(), person.seen_at.map(|at| engine::views::Time(at).to_string()).unwrap_or_default()];
        let facts = [view.login.clone(), view.name.clone(), view.role.clone(), joined(&view.limits.locations), joined(&view.limits.channels)];
        facts.into_iter().chain(flags).chain(times).collect()
    };
    export::rows("people.csv", &head, &shown.iter().map(line).collect::<Vec<_>>())
}

/// Codes with blanks between; a star where there is no limit.
pub fn joined(limit: &Option<Vec<String>>) -> String {
    limit.as_ref().map_or_else(|| "*".to_owned(), |codes| codes.join(" "))
}

fn table(v: &Viewer, shown: &[&(PersonView, Person)]) -> Markup {
    html! {
        div.table-wrap { table.table.table-stack {
            thead { tr { (sorted(v, "name", "Name", "", "name")) (sorted(v, "login", "Mail address", "", "name")) (sorted(v, "role", "Role", "", "name")) th scope="col" { (v.t("Limited to")) } th scope="col" { (v.t("State")) } (sorted(v, "seen", "Last seen", "", "name")) } }
            tbody { @for (view, person) in shown {
                tr data-row=(view.id) data-key=(view.id) {
                    th scope="row" { a href={ "/people/" (view.id) } data-open { (view.name) } }
                    td data-label=(v.t("Mail address")) { (view.login) } td data-label=(v.t("Role")) { (view.role) }
                    td data-label=(v.t("Limited to")) { (limits(v, &view.limits)) } td data-label=(v.t("State")) { (standing(v, person)) }
                    td data-label=(v.t("Last seen")) { @if let Some(at) = person.seen_at { (v.ago(at)) } @else { "–" } }
                }
            } }
        } }
    }
}

fn limits(v: &Viewer, limits: &Limits) -> Markup {
    let all: Vec<String> = limits.locations.iter().chain(&limits.channels).flatten().cloned().collect();
    html! { @if limits.locations.is_none() && limits.channels.is_none() { span.quiet { (v.t("Everywhere")) } } @else if all.is_empty() { (v.t("Nothing")) } @else { (all.join(", ")) } }
}

fn standing(v: &Viewer, person: &Person) -> Markup {
    match () {
        () if !person.active => state("off", "st-off", v.t("Switched off")),
        () if person.locked_until > v.now => state("warn", "st-warn", v.t("Locked for now")),
        () if person.password.is_none() && person.seen_at.is_none() => state("queued", "st-info", v.t("Invited")),
        () if person.totp.is_some() => state("ok", "st-ok", v.t("Two factors")),
        () => state("ok", "st-ok", v.t("Can sign in")),
    }
}

/// What may be given to people and keys: roles, locations by code and name, channels.
pub struct Offer {
    roles: Vec<Role>,
    pub locations: Vec<(String, String)>,
    pub channels: Vec<String>,
}

pub async fn offer(app: &App) -> Result<Offer, Stop> {
    app.read(|tx, config| {
        let mut channels: Vec<String> = config.channels.iter().map(|c| c.code.to_string()).collect();
        channels.extend(engine::orders::read::channel_names(tx)?);
        channels.sort_unstable();
        channels.dedup();
        Ok(Offer { roles: roles::list(tx)?, locations: config.locations.iter().map(|l| (l.code.clone(), l.name.clone())).collect(), channels })
    })
    .await
}

/// The roles that the viewer may give: those within their own.
pub fn role_field(v: &Viewer, offer: &Offer, chosen: &str) -> Markup {
    let may = |r: &&Role| v.caller.as_ref().is_some_and(|c| r.permissions.within(c.grant.permissions));
    let options: Vec<(String, String)> =
        offer.roles.iter().filter(may).map(|r| (r.name.clone(), format!("{} – {}", r.name, super::roles::about(v, r)))).collect();
    select(v, "role", "Role", &options, chosen)
}

/// Boxes for limits; none ticked in a list is everywhere.
pub fn limit_fields(v: &Viewer, locations: &[(String, String)], channels: &[String], limits: &Limits) -> Markup {
    let has = |list: &Option<Vec<String>>, code: &str| list.as_ref().is_some_and(|l| l.iter().any(|c| c == code));
    html! {
        fieldset.field { legend { (v.t("Limited to locations")) } p.hint { (v.t("None ticked: all of them.")) }
            div.row { @for (code, name) in locations { (check(v, "locations", code, has(&limits.locations, code), html! { (name) })) } }
        }
        fieldset.field { legend { (v.t("Limited to channels")) } p.hint { (v.t("None ticked: all of them.")) }
            div.row { @for code in channels { (check(v, "channels", code, has(&limits.channels, code), html! { (code) })) } }
        }
    }
}

/// Limits as the boxes say.
pub fn limits_of(fields: &Fields) -> Limits {
    let list = |name: &str| Some(fields.all(name)).filter(|l| !l.is_empty());
    Limits { locations: list("locations"), channels: list("channels") }
}

pub async fn new(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    show_new(&app, &viewer).await
}

async fn show_new(app: &App, v: &Viewer) -> Result<Page, Problem> {
    let offer = offer(app).await?;
    let body = html! {
        section.panel.form-narrow aria-label=(v.t("Let somebody in")) { div.panel-body { (form(v, "/people", html! {
            (Field::new("name", "Name").required().focus().show(v))
            (Field::new("login", "Mail address").kind("email").required().show(v))
            (role_field(v, &offer, "warehouse"))
            (limit_fields(v, &offer.locations, &offer.channels, &Limits::default()))
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Let in")) } a.btn.btn-ghost href="/people" { (v.t("Cancel")) } }
        })) } }
    };
    let head = shell::head(v.t("Let somebody in"), html! { (v.t("They get a link with which they set their password.")) }, html! {});
    Ok(shell::page(v, Sheet { title: v.t("Let somebody in").into(), here: "/people", topics: String::new(), head, body }))
}

pub async fn create(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let Limits { locations, channels } = limits_of(&fields);
    let new =
        NewPerson { login: fields.text("login").into(), name: fields.text("name").into(), role: fields.text("role").into(), locations, channels };
    let by = viewer.by();
    let made = app
        .engine
        .transact(move |tx, now| {
            let person = people::create(tx, &by, now, &new)?;
            let link = links::create(tx, &by, now, Kind::Invite, Some(&person.id))?;
            Ok((person, link))
        })
        .await;
    match made {
        Ok((person, link)) => Ok(show_link(&app, &viewer, &person, &link, Kind::Invite).await.into_response()),
        Err(stop) => Ok(show_new(&app, &viewer.refused(fields.0, stop)?).await?.into_response()),
    }
}

/// Mails the link, and shows it this once: mails get lost.
async fn show_link(app: &App, v: &Viewer, person: &Person, link: &str, kind: Kind) -> Page {
    let invited = kind == Kind::Invite;
    let (subject, words) = if invited {
        ("Holdfast: set your password", "You can sign in to Holdfast. This link sets your password, once, within seven days:")
    } else {
        ("A new password for Holdfast", "This link sets a new password for Holdfast, once, within an hour:")
    };
    let mailed = app.outside.can_mail_links() && send_link(app, v.language, &person.login, subject, words, link).await.is_ok();
    let url = app.outside.public_url.clone().unwrap_or_else(|| v.visit.origin());
    let body = html! {
        section.panel.form-narrow aria-labelledby="h-link" { div.panel-head { h2 #h-link { (v.t("A link for them")) } } div.panel-body.stack {
            @if mailed { p { (icon("ok")) " " (v.say("It was mailed to {}.", &[&person.login])) } }
            @else { p { (v.t("Give it to them yourself; it opens once and is shown only now.")) } }
            pre.code #link { (url) "/link?link=" (link) }
            div.form-foot { button.btn type="button" data-copy="link" data-js { (icon("copy")) (v.t("Copy")) } a.btn.btn-primary href="/people" { (v.t("Done")) } }
        } }
    };
    let head = shell::head(&person.name, html! { (person.login) }, html! {});
    shell::page(v, Sheet { title: person.name.clone(), here: "/people", topics: String::new(), head, body })
}

pub async fn one(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    show(&app, &viewer, &id).await
}

async fn show(app: &App, v: &Viewer, id: &str) -> Result<Page, Problem> {
    let (id, now) = (id.to_owned(), v.now);
    let (person, view, sessions, passkeys) = app
        .read(move |tx, config| {
            let person = people::by_id(tx, &id)?;
            let view = PersonView::new(&person, config);
            let (sessions, passkeys) = (people::sign_in::list(tx, &person.id, now)?, people::passkeys(tx, &person.id)?.len());
            Ok((person, view, sessions, passkeys))
        })
        .await?;
    let offer = offer(app).await?;
    let etag = audit::etag_of(&view);
    let mine = v.caller.as_ref().map_or("", |c| &c.id);
    let body = html! {
        div.cols.cols-main {
            div.stack {
                (edit(v, &view, &offer, &etag))
                (sessions_part(v, &person, &sessions, mine))
            }
            div.stack { (facts(v, &person, passkeys)) (doing(v, &view)) }
        }
    };
    let head = shell::head(&view.name, html! { (view.login) }, standing(v, &person));
    Ok(shell::page(v, Sheet { title: view.name.clone(), here: "/people", topics: String::new(), head, body }))
}

fn edit(v: &Viewer, view: &PersonView, offer: &Offer, etag: &str) -> Markup {
    let body = html! { div.panel-body { (form(v, &format!("/people/{}", view.id), html! {
        (seen(etag))
        div.form-grid { (Field::new("name", "Name").value(&view.name).required().show(v)) (role_field(v, offer, &view.role)) }
        (limit_fields(v, &offer.locations, &offer.channels, &view.limits))
        div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } }
    })) } };
    Part::new("edit", v.t("Role and limits"), body).show()
}

fn facts(v: &Viewer, person: &Person, passkeys: usize) -> Markup {
    let yes = |is: bool| html! { @if is { (v.t("Yes")) } @else { (v.t("No")) } };
    let body = html! { div.panel-body { dl.facts {
        (fact(v.t("Password"), yes(person.password.is_some())))
        (fact(v.t("Second factor"), yes(person.totp.is_some())))
        (fact(v.t("Passkeys"), html! { (v.num(passkeys as i64)) }))
        (fact(v.t("Through the company"), yes(person.subject.is_some())))
        (fact(v.t("Let in"), html! { (v.moment(person.created_at)) }))
        (fact(v.t("Last seen"), html! { @if let Some(at) = person.seen_at { (v.ago(at)) } @else { "–" } }))
    } p { a href=(super::fields::address("/audit", [("actor".to_owned(), person.actor().to_string())].into_iter())) { (v.t("What they did")) } } } };
    Part::new("facts", v.t("Facts"), body).show()
}

fn doing(v: &Viewer, view: &PersonView) -> Markup {
    let to = |what: &str| format!("/people/{}/{what}", view.id);
    let body = html! { div.panel-body.stack {
        (button(v, &to("reset"), "btn", &[], html! { (v.t("Make a link for a new password")) }))
        @if view.has_second_factor {
            (confirm(html! { (v.t("Remove their second factor…")) }, "btn", html! { p { (v.t("For a lost phone. Be sure that it is them who ask.")) } (button(v, &to("second-factor"), "btn btn-danger", &[], html! { (v.t("Remove it")) })) }))
        }
        @if view.active {
            (confirm(html! { (v.t("Switch off…")) }, "btn btn-danger", html! { p { (v.t("They are signed out everywhere and cannot sign in again until you switch them on.")) } (button(v, &to("active"), "btn btn-danger", &[("active", "")], html! { (v.t("Switch off")) })) }))
        } @else { (button(v, &to("active"), "btn", &[("active", "yes")], html! { (v.t("Switch on")) })) }
    } };
    Part::new("do", v.t("What can be done"), body).show()
}

fn sessions_part(v: &Viewer, person: &Person, sessions: &[Session], mine: &str) -> Markup {
    let body = html! {
        @if sessions.is_empty() { p.none { (v.t("Nowhere signed in.")) } }
        @else { (sessions_table(v, sessions, mine, |id| format!("/people/{}/sessions/{}/end", person.id, step(id)))) }
    };
    Part::new("sessions", v.t("Where they are signed in"), body).show()
}

pub async fn update(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let change = UpdatePerson { name: fields.given("name"), role: fields.given("role"), limits: Some(limits_of(&fields)), active: None };
    change_person(&app, viewer, &id, change, fields).await
}

pub async fn set_active(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let Posted { viewer, fields, .. } = posted;
    let change = UpdatePerson { active: Some(fields.is_on("active")), ..UpdatePerson::default() };
    change_person(&app, viewer, &id, change, fields).await
}

async fn change_person(app: &App, viewer: Viewer, id: &str, change: UpdatePerson, fields: Fields) -> Result<Response<Body>, Problem> {
    let by = viewer.by().expecting(fields.given("seen"));
    let who = id.to_owned();
    match app.engine.transact(move |tx, now| people::update(tx, &by, now, &who, &change)).await {
        Ok(_) => {
            app.callers.forget_sessions();
            Ok(see(&format!("/people/{}?said=saved", step(id))))
        }
        Err(stop) => Ok(show(app, &viewer.refused(fields.0, stop)?, id).await?.into_response()),
    }
}

pub async fn reset(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let by = posted.viewer.by();
    let made = app
        .engine
        .transact(move |tx, now| {
            let person = people::by_id(tx, &id)?;
            people::may_change(tx, &by, &person)?;
            let link = links::create(tx, &by, now, Kind::Reset, Some(&id))?;
            Ok((person, link))
        })
        .await?;
    Ok(show_link(&app, &posted.viewer, &made.0, &made.1, Kind::Reset).await.into_response())
}

pub async fn remove_second_factor(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let (by, who) = (posted.viewer.by(), id.clone());
    let person = app
        .engine
        .transact(move |tx, now| {
            let person = people::by_id(tx, &who)?;
            people::may_change(tx, &by, &person)?;
            people::set_second_factor(tx, &by, now, &who, None, Vec::new())?;
            people::sign_in::end_all(tx, &who, "", now)?;
            Ok(person)
        })
        .await?;
    app.callers.forget_sessions();
    super::notice::tell(&app, &posted.viewer, &person, "Your second factor was removed.");
    Ok(see(&format!("/people/{}?said=saved", step(&id))))
}

pub async fn end_session(State(app): State<App>, Path((id, session)): Path<(String, String)>, posted: Posted) -> Result<Response<Body>, Problem> {
    let (by, who) = (posted.viewer.by(), id.clone());
    app.engine
        .transact(move |tx, now| {
            let person = people::by_id(tx, &who)?;
            people::may_change(tx, &by, &person)?;
            people::sign_in::end(tx, &by, now, &who, &session)
        })
        .await?;
    app.callers.forget_sessions();
    Ok(see(&format!("/people/{}?said=ended", step(&id))))
}
