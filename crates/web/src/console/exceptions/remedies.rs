//! What can be done about an exception: a form each, with words for what it will do; and the forms read back. Not here: doing it
//! (`engine/exceptions/solve.rs`), or whether it can be done, which the engine says of each exception.

use super::Names;
use super::ask::{Asked, Shown};
use super::detail::Chosen;
use crate::console::fields::{Fields, step};
use crate::console::parts::{Field, csrf, fault, icon, once, seen, select};
use crate::console::viewer::Viewer;
use domain::Permission::ChannelsEdit;
use domain::Refused;
use engine::Stop;
use engine::access::audit::etag_of;
use engine::exceptions::Kind;
use engine::exceptions::context::{Context, OrderThere};
use engine::exceptions::solve::{Action, Solve};
use engine::views::Time;
use maud::{Markup, html};

/// Most people that a field proposes by name; others can be typed.
const PROPOSED: usize = 200;
const HOUR: i64 = 3_600_000_000;

/// What can be put aside for at once: (microseconds, words).
const LATER: [(i64, &str); 4] = [(HOUR, "1 hour"), (4 * HOUR, "4 hours"), (24 * HOUR, "1 day"), (7 * 24 * HOUR, "1 week")];

/// Something that a form asks for.
#[derive(Clone, Copy)]
pub struct Remedy {
    /// As its address ends; its fields begin with it, so that each of the page has a name of its own.
    word: &'static str,
    action: Action,
}

const REMEDIES: [Remedy; 11] = [
    Remedy { word: "retry", action: Action::Retry },
    Remedy { word: "remap", action: Action::Remap },
    Remedy { word: "reroute", action: Action::Reroute },
    Remedy { word: "backorder", action: Action::Backorder },
    Remedy { word: "substitute", action: Action::Substitute },
    Remedy { word: "cancel", action: Action::Cancel },
    Remedy { word: "dismiss", action: Action::Dismiss },
    Remedy { word: "assign", action: Action::Assign },
    Remedy { word: "snooze", action: Action::Snooze },
    Remedy { word: "wake", action: Action::Snooze },
    Remedy { word: "reopen", action: Action::Reopen },
];

pub fn by_word(word: &str) -> Option<Remedy> {
    REMEDIES.into_iter().find(|r| r.word == word)
}

/// What a form asks the engine for. Refuses what cannot be read.
pub fn read(v: &Viewer, fields: &Fields, id: i64, remedy: Remedy) -> Result<Solve, Stop> {
    let name = |field: &str| format!("{}-{field}", remedy.word);
    let given = |field: &str| fields.given(&name(field));
    let units_per_listing =
        fields.opt_int(&name("units_per_listing")).map_err(|_| Refused::invalid("units_per_listing", "must be a whole number"))?;
    Ok(Solve {
        owner: (remedy.action == Action::Assign).then(|| fields.text(&name("owner")).to_owned()),
        until: if remedy.word == "snooze" { Some(until(v, fields)?) } else { None },
        note: given("note"),
        sku: given("sku"),
        listing: given("listing"),
        units_per_listing,
        instead_of: given("instead_of"),
        to: given("to"),
        ..Solve::new(id, remedy.action)
    })
}

/// Until when something is put aside: for so long, or until a time of the reader's zone.
pub fn until(v: &Viewer, fields: &Fields) -> Result<Time, Refused> {
    let bad = || Refused::invalid("until", "must be a date and a time");
    match fields.given("snooze-for") {
        Some(micros) => Ok(Time(v.now + micros.parse::<i64>().map_err(|_| bad())?.clamp(1, 90 * 24 * HOUR))),
        None => fields.given("snooze-until").and_then(|text| v.instant(&text)).map(Time).ok_or_else(bad),
    }
}

/// The viewer after the form of this word was refused: the refusal stands at its field.
pub fn at_field(mut viewer: Viewer, word: &str) -> Viewer {
    if let Some(wrong) = &mut viewer.wrong {
        wrong.field = wrong.field.as_ref().map(|field| format!("{word}-{field}"));
    }
    viewer
}

/// Whether the form of this word was just refused, so that it stays open.
fn was_refused(v: &Viewer, word: &str) -> bool {
    v.wrong.is_some() && v.typed("remedy") == Some(word)
}

fn form(v: &Viewer, chosen: &Chosen, word: &str, next: &str, body: Markup) -> Markup {
    let e = &chosen.found.exception;
    html! {
        form.form.stack-m action={ "/exceptions/" (e.id.0) "/" (word) } method="post" {
            (csrf(v)) (once()) (seen(&etag_of(&e.decided())))
            input type="hidden" name="remedy" value=(word);
            input type="hidden" name="next" value=(next);
            (body)
        }
    }
}

/// A button that unfolds a form, and the key that does so.
fn fold(v: &Viewer, word: &str, class: &str, key: &str, label: Markup, body: Markup) -> Markup {
    html! {
        details.confirm open[was_refused(v, word)] {
            summary class=(class) data-key=[(!key.is_empty()).then_some(key)] { (label) @if !key.is_empty() { " " kbd { (key.to_uppercase()) } } }
            div { (body) }
        }
    }
}

/// Where the browser goes when this one is done: to the one after it in the list, else to the list.
fn next(asked: &Asked, shown: &Shown, id: i64) -> String {
    let rows = &shown.list.rows;
    let place = rows.iter().position(|e| e.id.0 == id);
    let after = place.and_then(|n| rows.get(n + 1).or_else(|| rows.get(n.checked_sub(1)?)));
    after.map_or_else(|| asked.address(&[]), |e| asked.at(e.id.0))
}

/// Who looks after it, and when.
pub fn whose(v: &Viewer, chosen: &Chosen, asked: &Asked, shown: &Shown, names: &Names) -> Markup {
    let e = &chosen.found.exception;
    if !e.open {
        return html! {};
    }
    let (to, here) = (next(asked, shown, e.id.0), asked.at(e.id.0));
    let is_mine = e.owner.as_deref() == Some(asked.me.as_str());
    let give = |owner: &str, key: Option<&str>, label: &'static str| {
        let body = html! {
            input type="hidden" name="assign-owner" value=(owner);
            button.btn.btn-s type="submit" data-key=[key] { (v.t(label)) @if let Some(key) = key { " " kbd { (key.to_uppercase()) } } }
        };
        form(v, chosen, "assign", &here, body)
    };
    let is_snoozed = e.snoozed_until.is_some_and(|until| until.0 > v.now);
    html! {
        div.row {
            @if is_mine { (give("", Some("a"), "Give back")) } @else { (give(&asked.me, Some("a"), "Assign to me")) }
            (fold(v, "assign", "btn btn-s", "", html! { (v.t("To…")) }, form(v, chosen, "assign", &here, html! {
                (owner_field(v, e.owner.as_deref().unwrap_or(""), names))
                button.btn.btn-primary type="submit" { (v.t("Assign")) }
            })))
            @if is_snoozed { (form(v, chosen, "wake", &here, html! { button.btn.btn-s type="submit" data-key="s" { (v.t("Take up again")) " " kbd { "S" } } })) }
            @else { (fold(v, "snooze", "btn btn-s", "s", html! { (v.t("Snooze")) }, form(v, chosen, "snooze", &to, snooze_fields(v)))) }
        }
    }
}

/// A field for somebody's name or mail address, which proposes the people there are.
pub fn owner_field(v: &Viewer, owner: &str, names: &Names) -> Markup {
    let fault = fault(v, "assign-owner", v.t("Who looks after it"));
    html! {
        div.field {
            label for="f-assign-owner" { (v.t("Who looks after it")) }
            input.input #f-assign-owner name="assign-owner" type="text" list="people" autocomplete="off" value=(v.typed("assign-owner").unwrap_or(owner)) aria-describedby="d-assign-owner" aria-invalid=[fault.as_ref().map(|_| "true")];
            datalist #people { @for (login, name) in names.iter().take(PROPOSED) { option value=(login) { (name) } } }
            @match fault { Some(fault) => p.error #d-assign-owner role="alert" { (fault) }, None => p.hint #d-assign-owner { (v.t("Name or mail address; empty gives it back.")) } }
        }
    }
}

pub fn snooze_fields(v: &Viewer) -> Markup {
    html! {
        p.small { (v.t("It leaves the desk and comes back by itself. Whoever is told of it outside is told nothing new.")) }
        div.row role="group" aria-label=(v.t("Put aside for")) { @for (micros, words) in LATER { button.btn.btn-s type="submit" name="snooze-for" value=(micros) { (v.t(words)) } } }
        (Field::new("snooze-until", "Or until").kind("datetime-local").value(v.local(v.now + 24 * HOUR)).show(v))
        button.btn.btn-primary type="submit" { (v.t("Put aside")) }
    }
}

pub fn reopen(v: &Viewer, chosen: &Chosen) -> Markup {
    html! {
        @if chosen.found.exception.actions.contains(&"reopen") {
            (form(v, chosen, "reopen", "", html! { button.btn.btn-s type="submit" { (icon("undo")) (v.t("Open it again")) } }))
        }
    }
}

/// All that can be done, the likeliest first.
pub fn options(v: &Viewer, asked: &Asked, shown: &Shown, chosen: &Chosen) -> Markup {
    let e = &chosen.found.exception;
    let to = next(asked, shown, e.id.0);
    let own = e.actions.iter().filter(|word| !["assign", "snooze", "reopen"].contains(word));
    // What is mended elsewhere goes before what is only said here.
    let settings = e.channel.as_deref().filter(|_| e.open && e.kind == Kind::AuthorizationExpired.word() && v.may(ChannelsEdit));
    html! {
        section aria-labelledby="x-do" {
            h3 #x-do { (v.t("What to do")) }
            ul.options {
                @if let Some(code) = settings {
                    li data-key="do-settings" {
                        span { b { (v.t("Enter new credentials")) } small { (v.t("Opens the settings of the channel. This is over by itself once it answers again.")) } }
                        a.btn.btn-primary href={ "/channels/" (step(code)) "/settings" } data-key="r" { (v.t("Settings")) " " kbd { "R" } }
                    }
                }
                @for (n, word) in own.enumerate() {
                    @let (title, will) = words(word, &chosen.context);
                    li data-key={ "do-" (word) } {
                        span { b { (v.t(title)) } small { (v.t(will)) } }
                        (option(v, chosen, word, &to, n == 0 && settings.is_none()))
                    }
                }
            }
        }
    }
}

/// What a remedy is called, and what it will do.
fn words(word: &str, context: &Context) -> (&'static str, &'static str) {
    match (word, context) {
        ("retry", Context::Order(_)) => ("Try again", "Takes the order on as it came. Of use once the stock or the mapping is there."),
        ("retry", Context::Listing(_)) => ("Try again", "Sends the quantity again. Of use once the listing is mended there."),
        ("retry", Context::Handover { .. }) => ("Hand over again", "Gives it to the warehouse once more. Of use once the cause is mended there."),
        ("retry", _) => ("Tell again", "Tells the channel once more. Of use once the cause is mended there."),
        ("remap", _) => ("Map the listing", "Says which item it is, for this order and all later ones, and takes the order on."),
        ("backorder", _) => ("Let the buyer wait", "Takes the order on; what is missing is committed as soon as it comes in."),
        ("substitute", _) => ("Send another item", "Takes the order on with another item in the place of one, for the same price."),
        ("reroute", _) => ("Send from elsewhere", "Asks it back from the warehouse and lets another location send it."),
        ("cancel", Context::Handover { .. }) => {
            ("Cancel the order", "Cancels what has not left, and tells the channel, which pays back. Cannot be undone.")
        }
        ("cancel", _) => ("Cancel and refund", "Cancels the order there, with the money back; it never becomes one here. Cannot be undone."),
        ("dismiss", Context::Letter { .. }) => ("Dismiss", "You told the channel yourself: the message is thrown away."),
        _ => ("Dismiss", "It is dealt with elsewhere; the program does nothing more about it."),
    }
}

fn option(v: &Viewer, chosen: &Chosen, word: &str, next: &str, is_first: bool) -> Markup {
    let key = match word {
        _ if is_first => "r",
        "dismiss" => "e",
        _ => "",
    };
    let class = if is_first { "btn btn-primary" } else { "btn" };
    let cap = html! { @if !key.is_empty() { kbd { (key.to_uppercase()) } } };
    let at_once = |label: &'static str| {
        form(v, chosen, word, next, html! { button class=(class) type="submit" data-key=[(!key.is_empty()).then_some(key)] { (v.t(label)) (cap) } })
    };
    let asks = |label: &'static str, body: Markup| fold(v, word, class, key, html! { (v.t(label)) }, form(v, chosen, word, next, body));
    let note = |name: &'static str, label: &'static str| Field::new(name, label).show(v);
    match (word, &chosen.context) {
        ("retry", Context::Letter { .. }) => at_once("Tell again"),
        ("retry", Context::Handover { .. }) => at_once("Hand over again"),
        ("retry", _) => at_once("Try again"),
        ("backorder", _) => at_once("Let wait"),
        ("remap", Context::Order(order)) => asks("Map…", remap(v, order)),
        ("substitute", Context::Order(order)) => asks("Substitute…", substitute(v, order)),
        ("reroute", _) => asks("Reroute…", reroute(v, chosen)),
        ("cancel", _) => asks(
            "Cancel…",
            html! { (note("cancel-note", "Reason, which the buyer may see")) button.btn.btn-danger type="submit" { (v.t("Cancel it and pay back")) } },
        ),
        ("dismiss", _) => {
            asks("Dismiss…", html! { (note("dismiss-note", "Why, for the history")) button.btn.btn-primary type="submit" { (v.t("Dismiss")) } })
        }
        _ => html! {},
    }
}

/// Which item a listing of the order is, with what it may be.
fn remap(v: &Viewer, order: &OrderThere) -> Markup {
    let unmapped: Vec<_> = order.lines.iter().filter(|l| l.item.is_none()).collect();
    let best = unmapped.first().and_then(|l| l.suggestions.first());
    let listings: Vec<(String, String)> =
        unmapped.iter().map(|l| (l.listing.clone(), format!("{} ({})", l.title, l.sku.as_deref().unwrap_or(&l.listing)))).collect();
    let hint = html! {
        @for s in unmapped.iter().flat_map(|l| &l.suggestions) { span.blk { b { (s.sku) } " " (s.name) @if s.units_per_listing > 1 { ", " (v.count(s.units_per_listing, "unit", "units")) } ": " (s.why) } }
        @if best.is_none() { (v.t("Nothing here is written like it.")) }
    };
    html! {
        @if listings.len() > 1 { (select(v, "remap-listing", "Listing", &listings, "")) }
        (Field::new("remap-sku", "SKU of the item").value(best.map_or("", |s| &s.sku)).hint(hint).required().suggest("items").show(v))
        (Field::new("remap-units_per_listing", "Units of it in one listing").kind("number").value(best.map_or(1, |s| s.units_per_listing)).show(v))
        button.btn.btn-primary type="submit" { (v.t("Map and take the order on")) }
    }
}

fn substitute(v: &Viewer, order: &OrderThere) -> Markup {
    let items: Vec<(String, String)> = order
        .items()
        .into_iter()
        .map(|(sku, ordered, available)| {
            let text = v.say("{}: {} ordered, {} available", &[&sku, &v.num(ordered), &v.num(available)]);
            (sku.to_string(), text)
        })
        .collect();
    html! {
        (select(v, "substitute-instead_of", "In the place of", &items, ""))
        (Field::new("substitute-sku", "SKU of what is sent").required().suggest("items").show(v))
        (Field::new("substitute-note", "Note for the history").show(v))
        button.btn.btn-primary type="submit" { (v.t("Send it instead")) }
    }
}

fn reroute(v: &Viewer, chosen: &Chosen) -> Markup {
    let here = match &chosen.context {
        Context::Handover { location, .. } => location.to_string(),
        _ => String::new(),
    };
    let places = chosen.locations.iter().filter(|(code, _)| *code != here).cloned();
    let options: Vec<(String, String)> = [(String::new(), v.t("As the routing rules say").to_owned())].into_iter().chain(places).collect();
    html! { (select(v, "reroute-to", "To be sent from", &options, "")) button.btn.btn-primary type="submit" { (v.t("Reroute")) } }
}
