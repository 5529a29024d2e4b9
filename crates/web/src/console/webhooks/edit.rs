//! Adding an endpoint, changing it, switching it off and on, trying it, removing it.

use super::show;
use crate::App;
use crate::console::exceptions::kind_name;
use crate::console::fields::{Fields, Posted, see};
use crate::console::parts::{Field, Part, area, button, check, confirm, form, seen, select};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::{Noun, Refused};
use engine::access::audit::etag_of;
use engine::alerts::Change;
use engine::alerts::edit::{AlertView, DeleteAlert, NewAlert, TestAlert, UpdateAlert, new_secret, tellable};
use engine::exceptions::{Kind, Severity};
use engine::{Answer, Command, Stop};
use maud::{Markup, html};

/// What may be chosen of an endpoint besides its name and where it leads.
struct Chosen {
    severity: Severity,
    exceptions: bool,
    kinds: Vec<String>,
    channels: Vec<String>,
    solved: bool,
    events: Vec<String>,
}

impl Chosen {
    fn of(alert: &AlertView) -> Chosen {
        Chosen {
            severity: alert.severity,
            exceptions: alert.exceptions,
            kinds: alert.kinds.clone(),
            channels: alert.channels.iter().map(|c| c.to_string()).collect(),
            solved: alert.solved,
            events: alert.events.clone(),
        }
    }

    /// As a form says.
    fn read(fields: &Fields) -> Result<Chosen, Refused> {
        let severity = Severity::parse(fields.text("severity")).ok_or_else(|| Refused::invalid("severity", "must be critical, warning or info"))?;
        let (kinds, channels, events) = (fields.all("kinds"), fields.all("channels"), fields.all("events"));
        Ok(Chosen { severity, exceptions: fields.is_on("exceptions"), kinds, channels, solved: fields.is_on("solved"), events })
    }

    fn kinds(&self) -> Result<Vec<Kind>, Refused> {
        let bad = |word: &String| Refused::invalid("kinds", format!("names no kind of exception: “{word}”"));
        self.kinds.iter().map(|word| Kind::parse(word).ok_or_else(|| bad(word))).collect()
    }
}

fn choices(v: &Viewer, chosen: &Chosen, channels: &[(String, String)], is_webhook: bool) -> Markup {
    let severities = [("critical", "Critical only"), ("warning", "Warnings, and what is graver"), ("info", "All")]
        .map(|(word, text)| (word.to_owned(), v.t(text).to_owned()));
    let mut nouns: Vec<&str> = tellable().map(|(kind, _)| kind.split('.').next().unwrap_or_default()).collect();
    nouns.dedup();
    html! {
        fieldset.field { legend { (v.t("Exceptions")) }
            (check(v, "exceptions", "yes", chosen.exceptions, html! { (v.t("Tell of exceptions")) }))
            (check(v, "solved", "yes", chosen.solved, html! { (v.t("Tell, too, when one is solved that was told")) }))
        }
        (select(v, "severity", "From which severity on", &severities, chosen.severity.word()))
        details open[!chosen.kinds.is_empty() || !chosen.channels.is_empty()] {
            summary { (v.t("Only some kinds or channels")) }
            fieldset.field { legend { (v.t("Kinds")) } p.hint { (v.t("None ticked: all of them.")) }
                div.row { @for kind in Kind::ALL { (check(v, "kinds", kind.word(), chosen.kinds.iter().any(|k| k == kind.word()), html! { (kind_name(v, kind.word())) })) } }
            }
            @if !channels.is_empty() { fieldset.field { legend { (v.t("Channels")) } p.hint { (v.t("None ticked: all of them.")) }
                div.row { @for (code, name) in channels { (check(v, "channels", code, chosen.channels.contains(code), html! { (name) })) } }
            } }
        }
        @if is_webhook {
            details open[!chosen.events.is_empty()] {
                summary { (v.t("Other events")) @if !chosen.events.is_empty() { " (" (v.num(chosen.events.len() as i64)) ")" } }
                p.small.quiet { (v.t("Each is told as it happens, whatever its channel. Ask for what the receiver needs: every order and every entry is a message.")) }
                @for noun in nouns {
                    fieldset.field { legend { (noun) }
                        @for (kind, about) in tellable().filter(|(kind, _)| kind.split('.').next() == Some(noun)) {
                            (check(v, "events", kind, chosen.events.iter().any(|e| e == kind), html! { code { (kind) } " " span.quiet { (v.t(about)) } }))
                        }
                    }
                }
            }
        }
    }
}

fn addresses(fields: &Fields) -> Vec<String> {
    fields.text("mail").split([',', '\n', ' ', ';']).map(str::trim).filter(|a| !a.is_empty()).map(str::to_owned).collect()
}

pub async fn new(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    show_new(&app, &viewer).await
}

async fn show_new(app: &App, v: &Viewer) -> Result<Page, Problem> {
    let way = v.typed("way").map(str::to_owned).or_else(|| v.asked("way")).unwrap_or_else(|| "webhook".into());
    let is_webhook = way != "mail";
    let channels: Vec<(String, String)> =
        app.read(|_, config| Ok(config.channels.iter().map(|c| (c.code.to_string(), c.name.clone())).collect())).await?;
    let chosen = Chosen { severity: Severity::Critical, exceptions: true, kinds: Vec::new(), channels: Vec::new(), solved: true, events: Vec::new() };
    let body = html! {
        section.panel.form-narrow aria-label=(v.t("Tell somebody")) { div.panel-body.stack {
            div.seg role="group" aria-label=(v.t("Way")) {
                a href="/webhooks/new?way=webhook" aria-current=[is_webhook.then_some("true")] { (v.t("Webhook")) }
                a href="/webhooks/new?way=mail" aria-current=[(!is_webhook).then_some("true")] { (v.t("Mail")) }
            }
            @if !is_webhook && app.outside.mailer.is_none() { div.banner.banner-warn { div { b { (v.t("This server sends no mail.")) } " " (v.t("It has to be started with HOLDFAST_SMTP_URL and HOLDFAST_MAIL_FROM.")) } } }
            (form(v, "/webhooks", html! {
                input type="hidden" name="way" value=(if is_webhook { "webhook" } else { "mail" });
                (Field::new("name", "Name").placeholder(v.t(if is_webhook { "On call" } else { "Warehouse office" })).required().focus().show(v))
                @if is_webhook { (Field::new("url", "Address").kind("url").placeholder("https://alerts.example.com/holdfast").hint(html! { (v.t("Whoever may see webhooks sees it: put no secret into it.")) }).required().show(v)) }
                @else { (area(v, "mail", "Mail addresses, one a line", "", 3)) }
                (choices(v, &chosen, &channels, is_webhook))
                div.form-foot { button.btn.btn-primary type="submit" { (v.t("Add")) } a.btn.btn-ghost href="/webhooks" { (v.t("Cancel")) } }
            }))
        } }
    };
    let sub = if is_webhook {
        "Posted with a signature, tried again for three days (Standard Webhooks)."
    } else {
        "One mail a minute at most, with everything that came meanwhile."
    };
    let head = shell::head(v.t("Tell somebody"), html! { (v.t(sub)) }, html! {});
    Ok(shell::page(v, Sheet { title: v.t("Tell somebody").into(), here: "/webhooks", topics: String::new(), head, body }))
}

pub async fn create(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let work = async {
        let fields = &posted.fields;
        let chosen = Chosen::read(fields)?;
        let (mut new, mut text) = (NewAlert { name: fields.text("name").to_owned(), ..NewAlert::default() }, None);
        if fields.text("way") == "mail" {
            if app.outside.mailer.is_none() {
                return Err(Refused::invalid("mail", "cannot be sent by this server, which was started without HOLDFAST_SMTP_URL").into());
            }
            new.mail = Some(addresses(fields));
        } else {
            let (shown, secret) = new_secret(&app.vault)?;
            (new.url, new.secret, text) = (Some(fields.text("url").to_owned()), Some(secret), Some(shown));
        }
        (new.severity, new.exceptions, new.solved) = (Some(chosen.severity), Some(chosen.exceptions), Some(chosen.solved));
        (new.kinds, new.channels, new.events) = (chosen.kinds()?, chosen.channels, chosen.events);
        let reply = posted.submit(&app, Command::Alert(Change::Create(Box::new(new)))).await?;
        Ok::<_, Stop>((reply.answer, text))
    };
    match work.await {
        // The secret is in no answer that is kept: the same form once more does not show it.
        Ok((Answer::Alert(view), Some(secret))) => Ok(super::secrets::shown(&posted.viewer, &view, &secret).into_response()),
        Ok((Answer::Alert(view), None)) => Ok(see(&format!("/webhooks/{}?said=created", view.id.0))),
        Ok(_) => Ok(see("/webhooks?said=created")),
        Err(stop) => Ok(show_new(&app, &posted.viewer.refused(posted.fields.0, stop)?).await?.into_response()),
    }
}

/// Changing it, below its log.
pub fn part(v: &Viewer, alert: &AlertView, channels: &[(String, String)]) -> Markup {
    let is_webhook = alert.url.is_some();
    let body = html! { div.panel-body.stack {
        (form(v, &format!("/webhooks/{}", alert.id.0), html! {
            (seen(&etag_of(alert)))
            div.form-grid {
                (Field::new("name", "Name").value(&alert.name).required().show(v))
                @if let Some(url) = &alert.url { (Field::new("url", "Address").kind("url").value(url).required().show(v)) }
            }
            @if let Some(mail) = &alert.mail { (area(v, "mail", "Mail addresses, one a line", &mail.join("\n"), 3)) }
            (choices(v, &Chosen::of(alert), channels, is_webhook))
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } }
        }))
        (confirm(html! { (v.t("Remove it…")) }, "btn btn-danger", html! {
            p { (v.t("It is told nothing more, and its log goes with it. Switching it off keeps both.")) }
            (button(v, &format!("/webhooks/{}/delete", alert.id.0), "btn btn-danger", &[], html! { (v.t("Remove it and its log")) }))
        }))
    } };
    Part::new("edit", v.t("What it is told"), body).show()
}

pub async fn update(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    let work = async {
        let fields = &posted.fields;
        let chosen = Chosen::read(fields)?;
        let update = UpdateAlert {
            id,
            name: Some(fields.text("name").to_owned()),
            url: fields.given("url"),
            mail: Some(addresses(fields)).filter(|_| fields.0.iter().any(|(name, _)| name == "mail")),
            severity: Some(chosen.severity),
            exceptions: Some(chosen.exceptions),
            kinds: Some(chosen.kinds()?),
            channels: Some(chosen.channels),
            solved: Some(chosen.solved),
            events: Some(chosen.events),
            active: None,
        };
        posted.submit(&app, Command::Alert(Change::Update(Box::new(update)))).await
    };
    match work.await {
        Ok(_) => Ok(see(&format!("/webhooks/{id}?said=saved"))),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(posted.fields.0, stop)?, id).await?.into_response()),
    }
}

/// Does something that needs no more to be said, and goes back to the endpoint.
async fn simply(app: &App, posted: Posted, id: i64, change: Change, said: &str) -> Result<Response<Body>, Problem> {
    match posted.submit(app, Command::Alert(change)).await {
        Ok(_) => Ok(see(&format!("/webhooks/{id}?said={said}"))),
        Err(stop) => Ok(show(app, &posted.viewer.refused(Vec::new(), stop)?, id).await?.into_response()),
    }
}

pub async fn set_active(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    let update = UpdateAlert { id, active: Some(posted.fields.is_on("active")), ..UpdateAlert::default() };
    simply(&app, posted, id, Change::Update(Box::new(update)), "saved").await
}

pub async fn test(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    simply(&app, posted, id, Change::Test(TestAlert { id }), "sent").await
}

pub async fn delete(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Alert, &id)?;
    match posted.submit(&app, Command::Alert(Change::Delete(DeleteAlert { id }))).await {
        Ok(_) => Ok(see("/webhooks?said=deleted")),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(Vec::new(), stop)?, id).await?.into_response()),
    }
}
