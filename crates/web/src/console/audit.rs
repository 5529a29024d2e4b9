//! The audit log: who did what to what, before and after, from where, by which session or key.

use super::fields::address;
use super::parts::{empty, fact, icon, kept, pager, select, sorted};
use super::shell::{self, Page, Sheet};
use super::viewer::{Viewer, capital};
use crate::App;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::{Noun, Refused};
use engine::access::audit::{self, Filter, RecordView};
use maud::{Markup, html};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Records on a page.
const SHOWN: i64 = 50;
/// Records read at once for the export.
const CHUNK: i64 = 1_000;

/// What is recorded, by its code, in words.
const ACTIONS: [(&str, &str); 57] = [
    ("item.create", "Item created"),
    ("item.update", "Item changed"),
    ("location.create", "Location created"),
    ("location.update", "Location changed"),
    ("rules.set", "Routing rules made live"),
    ("stock.receive", "Stock received"),
    ("stock.adjust", "Stock adjusted"),
    ("stock.move", "Stock moved"),
    ("stock.count", "Stock counted"),
    ("stock.undo", "Stock entry undone"),
    ("transfer.send", "Transfer sent"),
    ("transfer.receive", "Transfer received"),
    ("transfer.cancel", "Transfer canceled"),
    ("reservation.hold", "Units reserved"),
    ("reservation.release", "Reservation released"),
    ("reservation.extend", "Reservation extended"),
    ("order.place", "Order placed"),
    ("order.cancel", "Order canceled"),
    ("order.ship", "Fulfillment shipped"),
    ("order.reroute", "Fulfillment rerouted"),
    ("order.return", "Return taken back"),
    ("order.note", "Note on an order"),
    ("orders.route", "Waiting orders routed"),
    ("import", "File imported"),
    ("channel.connect", "Channel connected"),
    ("channel.update", "Channel changed"),
    ("listing.map", "Listing mapped"),
    ("contract.agree", "Contract agreed"),
    ("contract.change", "Contract changed"),
    ("exception.solve", "Exception worked on"),
    ("webhook.create", "Webhook created"),
    ("webhook.update", "Webhook changed"),
    ("webhook.delete", "Webhook deleted"),
    ("webhook.add_secret", "Secret of a webhook added"),
    ("webhook.remove_secret", "Secret of a webhook removed"),
    ("webhook.test", "Webhook tested"),
    ("webhook.replay", "Delivery sent again"),
    ("webhook.replay_failed", "Failed deliveries sent again"),
    ("key.create", "Key created"),
    ("key.revoke", "Key revoked"),
    ("person.create", "Person invited"),
    ("person.update", "Person changed"),
    ("person.locked", "Sign-in locked"),
    ("person.sign_in", "Signed in"),
    ("person.sign_out", "Signed out"),
    ("person.set_password", "Password set"),
    ("person.set_company", "Company sign-in tied"),
    ("person.set_second_factor", "Second factor set"),
    ("person.remove_second_factor", "Second factor removed"),
    ("person.show_second_factor", "Second factor shown"),
    ("person.use_recovery_code", "Recovery code used"),
    ("person.add_passkey", "Passkey added"),
    ("person.remove_passkey", "Passkey removed"),
    ("link.create", "Sign-in link made"),
    ("role.set", "Role set"),
    ("role.delete", "Role deleted"),
    ("settings.set", "Settings changed"),
];

/// An action in words; its code if it has none.
fn words<'a>(v: &Viewer, action: &'a str) -> &'a str {
    ACTIONS.iter().find(|(code, _)| *code == action).map_or(action, |(_, words)| v.t(words))
}

/// What actions are about.
const NOUNS: [&str; 21] = [
    "item",
    "location",
    "rule set",
    "movement",
    "transfer",
    "reservation",
    "order",
    "fulfillment",
    "import",
    "channel",
    "listing",
    "contract",
    "exception",
    "alert endpoint",
    "key",
    "person",
    "owner",
    "invite",
    "reset",
    "role",
    "setting",
];

fn filter(v: &Viewer) -> Filter {
    let text = |name: &str| v.asked(name).unwrap_or_default().trim().to_owned();
    let until = v.day_asked("until").and_then(|day| v.end_of(day)).unwrap_or(0);
    let oldest_first = v.asked("sort").as_deref() == Some("number");
    let from = v.day_asked("from").and_then(|day| v.begin_of(day)).unwrap_or(0);
    Filter { actor: text("actor"), action: text("action"), noun: text("noun"), subject: text("subject"), from, until, oldest_first }
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let v = &viewer;
    let wanted = filter(v);
    if v.asked("format").as_deref() == Some("csv") {
        return Ok(export(&app, wanted));
    }
    let after = v.asked("after").and_then(|a| a.parse().ok());
    let asked = wanted.clone();
    let mut rows = app.engine.read(move |tx| audit::list(tx, &asked, after, SHOWN + 1)).await?;
    let more = rows.len() as i64 > SHOWN;
    rows.truncate(SHOWN as usize);
    let next = rows.last().filter(|_| more).map(|r| r.number.to_string());
    let body = html! {
        section.panel aria-label=(v.t("Records")) {
            (filters(v, &wanted))
            @if rows.is_empty() { (empty(v.t("No record"), html! { (v.t("Nothing was done that fits these filters.")) }, html! { a.btn href="/audit" { (v.t("Show all")) } })) }
            @else { (table(v, &rows)) (pager(v, rows.len(), next.as_deref())) }
        }
    };
    let sub = html! { (v.t("Nothing here can be changed: each record carries a hash of itself and the one before it.")) " " code { "holdfast verify" } " " (v.t("recomputes them.")) };
    let head = shell::head(v.t("Audit"), sub, html! { a.btn href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) } });
    Ok(shell::page(v, Sheet { title: v.t("Audit").into(), here: "/audit", topics: String::new(), head, body }).into_response())
}

fn filters(v: &Viewer, wanted: &Filter) -> Markup {
    let field = |name: &str, label: &'static str, kind: &str, value: &str| {
        html! { div.field { label for={ "f-" (name) } { (v.t(label)) } input.input #{ "f-" (name) } name=(name) type=(kind) value=(value) data-filter[name == "actor"]; } }
    };
    let mut actions: Vec<(String, String)> = ACTIONS.iter().map(|(code, words)| ((*code).to_owned(), v.t(words).to_owned())).collect();
    actions.sort_by(|a, b| a.1.cmp(&b.1));
    let mut nouns: Vec<(String, String)> = NOUNS.iter().map(|noun| ((*noun).to_owned(), capital(&v.whole(noun)))).collect();
    nouns.sort_by(|a, b| a.1.cmp(&b.1));
    let any = (String::new(), v.t("Any").to_owned());
    [&mut actions, &mut nouns].into_iter().for_each(|options| options.insert(0, any.clone()));
    html! {
        form.filters.filters-fields method="get" {
            (kept(v, &["sort"]))
            (field("actor", "Who", "search", &wanted.actor))
            (select(v, "action", "What", &actions, &wanted.action))
            (select(v, "noun", "Kind of thing", &nouns, &wanted.noun))
            (field("subject", "Which one", "search", &wanted.subject))
            (field("from", "From", "date", &v.asked("from").unwrap_or_default()))
            (field("until", "Until", "date", &v.asked("until").unwrap_or_default()))
            button.btn.btn-s type="submit" { (v.t("Filter")) }
            a.btn.btn-s.btn-ghost href="/audit" { (v.t("Clear")) }
        }
    }
}

fn table(v: &Viewer, rows: &[RecordView]) -> Markup {
    let to = |name: &str, value: &str| address("/audit", [(name.to_owned(), value.to_owned())].into_iter());
    html! {
        div.table-wrap { table.table.table-stack {
            thead { tr { (sorted(v, "number", "No.", "num", "-number")) th scope="col" { (v.t("When")) } th scope="col" { (v.t("Who")) } th scope="col" { (v.t("What")) } th scope="col" { (v.t("To what")) } th scope="col" { (v.t("Change")) } th scope="col" { (v.t("From where")) } } }
            tbody { @for r in rows {
                tr data-row=(r.number) data-key=(r.number) {
                    td.num data-label=(v.t("No.")) { a href={ "/audit/" (r.number) } data-open { (r.number) } }
                    td data-label=(v.t("When")) { (v.date(r.at.0)) " " (v.clock(r.at.0)) }
                    td data-label=(v.t("Who")) { a href=(to("actor", &r.actor)) { (r.actor) } }
                    th scope="row" { a href=(to("action", &r.action)) title=(r.action) { (words(v, &r.action)) } }
                    td data-label=(v.t("To what")) { p { (capital(&v.whole(&r.noun))) " " a href=(address("/audit", [("noun".to_owned(), r.noun.clone()), ("subject".to_owned(), r.subject.clone())].into_iter())) { (r.subject) } } }
                    td.clip data-label=(v.t("Change")) { (summary(v, r)) } td data-label=(v.t("From where")) { (r.address) }
                }
            } }
        } }
    }
}

fn value(state: &Option<Box<serde_json::value::RawValue>>) -> Value {
    state.as_ref().and_then(|s| serde_json::from_str(s.get()).ok()).unwrap_or(Value::Null)
}

/// What differs: (name, before, after), the names as paths.
fn changes(record: &RecordView) -> Vec<(String, String, String)> {
    fn leaves(path: &str, value: &Value, into: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(name, v)| leaves(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, v, into))
            }
            Value::Array(list) => list.iter().enumerate().for_each(|(n, v)| leaves(&format!("{path}[{n}]"), v, into)),
            Value::Null => {}
            Value::String(text) => into.push((path.to_owned(), text.clone())),
            other => into.push((path.to_owned(), other.to_string())),
        }
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    leaves("", &value(&record.before), &mut before);
    leaves("", &value(&record.after), &mut after);
    let find = |list: &[(String, String)], name: &str| list.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let names: BTreeSet<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
    let pairs = names.into_iter().map(|name| (name.clone(), find(&before, name), find(&after, name)));
    pairs.filter(|(_, before, after)| before != after).collect()
}

/// A value as the reader writes it: an instant in their zone.
fn plain<'t>(v: &Viewer, value: &'t str) -> Cow<'t, str> {
    value.parse::<jiff::Timestamp>().map_or(Cow::Borrowed(value), |at| Cow::Owned(v.moment(at.as_microsecond())))
}

fn summary(v: &Viewer, record: &RecordView) -> Markup {
    let found = changes(record);
    let first = found.iter().take(2).map(|(name, before, after)| {
        let name = name.rsplit('.').next().unwrap_or(name).replace('_', " ");
        let (before, after) = (plain(v, before), plain(v, after));
        if before.is_empty() { format!("{name} {after}") } else { format!("{name} {before} → {after}") }
    });
    let text = first.collect::<Vec<_>>().join(", ");
    html! { (text) @if found.len() > 2 { " " span.quiet { (v.say("and {} more", &[&(found.len() - 2)])) } } }
}

pub async fn one(State(app): State<App>, Path(number): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let v = &viewer;
    let unknown = || Refused::unknown(Noun::Record, &number, "id");
    let wanted: i64 = number.parse().map_err(|_| unknown())?;
    let found = app.engine.read(move |tx| audit::list(tx, &Filter::default(), wanted.checked_add(1), 1)).await?;
    let record = found.into_iter().find(|r| r.number == wanted).ok_or_else(unknown)?;
    let changes = changes(&record);
    let body = html! {
        section.panel aria-label=(v.t("Facts")) { div.panel-body { dl.facts-row {
            (fact(v.t("When"), html! { (v.date(record.at.0)) " " (v.clock(record.at.0)) })) (fact(v.t("Who"), html! { (record.actor) }))
            (fact(v.t("By"), html! { (record.means) })) (fact(v.t("From where"), html! { (record.address) }))
            (fact(v.t("To what"), html! { (capital(&v.whole(&record.noun))) " " (record.subject) }))
        } p.small.quiet { (v.t("Hash")) " " code { (record.hash) } } } }
        section.panel aria-labelledby="h-diff" { div.panel-head { h2 #h-diff { (v.t("Before and after")) } }
            @if changes.is_empty() { div.panel-body { p.quiet { (v.t("Nothing that is kept here; secrets are not.")) } } }
            @else { div.table-wrap { table.table.diff {
                thead { tr { th scope="col" { (v.t("Field")) } th scope="col" { (v.t("Before")) } th scope="col" { (v.t("After")) } } }
                tbody { @for (name, before, after) in &changes { tr { th scope="row" { (name) } td { @if !before.is_empty() { del { (plain(v, before)) } } } td { @if !after.is_empty() { ins { (plain(v, after)) } } } } } }
            } } }
        }
    };
    let head = shell::head(
        &format!("{} {}", v.t("Record"), record.number),
        html! { (words(v, &record.action)) " " code { (record.action) } },
        html! { a.btn href="/audit" { (icon("left")) (v.t("All records")) } },
    );
    Ok(shell::page(v, Sheet { title: format!("{} {}", v.t("Record"), record.number), here: "/audit", topics: String::new(), head, body }))
}

/// All records that fit, in the order asked for.
fn export(app: &App, wanted: Filter) -> Response<Body> {
    let columns = ["number", "at", "actor", "means", "address", "action", "noun", "subject", "before", "after", "hash"];
    super::export::csv(app.clone(), "audit.csv", &columns, None, move |tx, _, after| {
        let rows = audit::list(tx, &wanted, after, CHUNK)?;
        let next = rows.last().filter(|_| rows.len() as i64 == CHUNK).map(|r| Some(r.number));
        let state = |s: &Option<Box<serde_json::value::RawValue>>| s.as_ref().map(|s| s.get().to_owned()).unwrap_or_default();
        let line = |r: RecordView| {
            let (before, after) = (state(&r.before), state(&r.after));
            vec![r.number.to_string(), r.at.to_string(), r.actor, r.means, r.address, r.action, r.noun, r.subject, before, after, r.hash]
        };
        Ok((rows.into_iter().map(line).collect(), next))
    })
}

#[cfg(test)]
mod tests {
    use super::ACTIONS;

    /// An action without words would be shown by its code.
    #[test]
    fn every_action_has_words() {
        let sources = [
            include_str!("../../../engine/src/access/audit.rs"),
            include_str!("../../../engine/src/alerts/mod.rs").split("fn ").find(|f| f.starts_with("action(")).unwrap(),
            include_str!("../../../engine/src/keys.rs"),
            include_str!("../../../engine/src/people/sign_in.rs"),
            include_str!("../../../engine/src/people/mod.rs"),
            include_str!("../../../engine/src/people/links.rs"),
            include_str!("../../../engine/src/people/settings.rs"),
            include_str!("../../../engine/src/people/roles.rs"),
        ];
        let is_code = |t: &&str| t.contains('.') && t.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_');
        let is_told = |code: &str| ACTIONS.iter().any(|(known, _)| *known == code);
        let found: Vec<&str> = sources.iter().flat_map(|s| s.split('"').skip(1).step_by(2)).filter(is_code).collect();
        assert!(found.len() > 40, "the search found only {found:?}");
        assert_eq!(found.into_iter().filter(|code| !is_told(code)).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
