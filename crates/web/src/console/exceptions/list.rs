//! The list of exceptions: narrow beside the one that is looked at, or as a table to tick many in.

use super::Names;
use super::ask::{Asked, NOBODY, Shown, kind_name, severity};
use crate::console::parts::{csrf, empty, once, pager, search_box, sorted, state, tabs};
use crate::console::show::iso;
use crate::console::viewer::Viewer;
use domain::Permission::ExceptionsSolve;
use engine::exceptions::read::ExceptionView;
use engine::exceptions::{Kind, Severity};
use maud::{Markup, html};

/// The name of whoever looks after something: of a person, or as a program said it.
pub fn owner_name<'n>(names: &'n Names, owner: &'n str) -> &'n str {
    names.iter().find(|(login, _)| login == owner).map_or(owner, |(_, name)| name)
}

pub fn avatar(names: &Names, owner: &str) -> Markup {
    let name = owner_name(names, owner);
    let initials: String = name.split(|c: char| !c.is_alphanumeric()).filter_map(|word| word.chars().next()).take(2).collect();
    html! { span.avatar.avatar-s title=(name) { span aria-hidden="true" { (initials.to_uppercase()) } span.vh { (name) } } }
}

/// Views by standing, with how many each has.
fn standings(v: &Viewer, asked: &Asked, shown: &Shown) -> Markup {
    let count = |wanted: &dyn Fn(&&engine::exceptions::desk::Sort) -> bool| {
        let sum: i64 = shown.sorts.iter().filter(wanted).map(|s| s.count).sum();
        Some(v.num(sum))
    };
    let view = |is: &'static str, name: &'static str, count: Option<String>| {
        let address = asked
            .address(&[("is", if is == "open" { "" } else { is }), ("owner", if is == "mine" { "" } else { asked.owner.as_deref().unwrap_or("") })]);
        (address, v.t(name).to_owned(), count, asked.is == is)
    };
    let views = [
        view("open", "Open", count(&|s| !s.snoozed)),
        view("mine", "Mine", count(&|s| !s.snoozed && s.owner == asked.me)),
        view("snoozed", "Snoozed", count(&|s| s.snoozed)),
        view("solved", "Solved", None),
    ];
    tabs(v, "State", &views)
}

/// The filter: a form whose fields apply as they are changed.
fn filter(v: &Viewer, asked: &Asked, shown: &Shown, names: &Names) -> Markup {
    let sum = |of: &dyn Fn(&&engine::exceptions::desk::Sort) -> bool| -> i64 { shown.sorts.iter().filter(of).map(|s| s.count).sum() };
    let kinds = Kind::ALL.map(|kind| (kind, sum(&|s| s.kind == kind.word())));
    let mut owners: Vec<&str> = shown.sorts.iter().map(|s| s.owner.as_str()).filter(|o| !o.is_empty()).collect();
    owners.sort_unstable();
    owners.dedup();
    let hidden = [("is", if asked.is == "open" { "" } else { asked.is }), ("as", if asked.as_table { "table" } else { "" }), ("sort", &asked.sort())];
    html! {
        form.filters method="get" action="/exceptions" role="search" aria-label=(v.t("Filter")) {
            @for (name, value) in hidden.iter().filter(|(_, value)| !value.is_empty()) { input type="hidden" name=(name) value=(value); }
            (search_box(v, "Title, detail or order", &asked.q))
            (choice(v, "kind", "Kind", "All kinds", kinds.iter().filter(|(kind, n)| *n > 0 || asked.kind == Some(*kind) || asked.is == "solved").map(|(kind, n)| {
                (kind.word(), if asked.is == "solved" { kind_name(v, kind.word()).to_owned() } else { format!("{} ({})", kind_name(v, kind.word()), v.num(*n)) })
            }), asked.kind.map(Kind::word)))
            (choice(v, "severity", "Severity", "All severities", Severity::ALL.iter().rev().map(|s| (s.word(), v.t(severity(s.word()).3).to_owned())), asked.severity.map(Severity::word)))
            @if shown.channels.len() > 1 {
                (choice(v, "channel", "Channel", "All channels", shown.channels.iter().map(|(code, name)| (code.as_str(), name.clone())), asked.channel.as_deref()))
            }
            @if asked.is != "mine" {
                (choice(v, "owner", "Owner", "All owners", [(NOBODY, v.t("Nobody").to_owned())].into_iter().chain(owners.iter().map(|o| (*o, owner_name(names, o).to_owned()))), asked.owner.as_deref()))
            }
            button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            @if !asked.is_plain() { a.btn.btn-s.btn-ghost href=(asked.address(&[("kind", ""), ("severity", ""), ("channel", ""), ("owner", ""), ("q", "")])) { (v.t("Clear")) } }
        }
    }
}

fn choice<'o>(
    v: &Viewer,
    name: &str,
    label: &'static str,
    all: &'static str,
    options: impl Iterator<Item = (&'o str, String)>,
    chosen: Option<&str>,
) -> Markup {
    let id = format!("x-{name}");
    html! {
        label.vh for=(id) { (v.t(label)) }
        select.select.select-s #(id) name=(name) data-auto {
            option value="" { (v.t(all)) }
            @for (value, text) in options { option value=(value) selected[chosen == Some(value)] { (text) } }
        }
    }
}

/// Beside the one that is chosen.
pub fn panel(v: &Viewer, asked: &Asked, shown: &Shown, chosen: Option<i64>, names: &Names) -> Markup {
    html! {
        section.panel.triage-list.is-behind[chosen.is_some()] aria-label=(v.t("Exceptions")) {
            (standings(v, asked, shown))
            (filter(v, asked, shown, names))
            @if shown.list.rows.is_empty() { (none(v, asked, shown)) }
            @else {
                ul.list { @for e in &shown.list.rows { (entry(v, asked, e, chosen == Some(e.id.0), names)) } }
                (pager(v, shown.list.rows.len(), shown.list.next.map(|c| c.to_string()).as_deref()))
            }
        }
    }
}

fn entry(v: &Viewer, asked: &Asked, e: &ExceptionView, is_chosen: bool, names: &Names) -> Markup {
    let (shape, _, class, word) = severity(&e.severity);
    let when = if e.open { e.created_at.0 } else { e.updated_at.0 };
    html! {
        li data-row=(e.id.0) data-key={ "x" (e.id.0) } {
            a.list-a href=(asked.at(e.id.0)) data-open aria-current=[is_chosen.then_some("true")] {
                svg.i class=(class) aria-hidden="true" { use href={ "#i-" (shape) } {} }
                span { span.what { span.vh { (v.t(word)) ": " } (kind_name(v, &e.kind)) } span.why { (v.whole(&e.title)) } }
                span.when.row {
                    @if let Some(owner) = &e.owner { (avatar(names, owner)) }
                    @if e.open && e.due_at.0 < v.now { span.is-warn title=(v.say("due {}", &[&v.moment(e.due_at.0)])) { (v.age(v.now - when)) } }
                    @else { time datetime=(iso(when)) { (v.age(v.now - when)) } }
                }
            }
        }
    }
}

/// Nothing in the list: why, and what to do.
fn none(v: &Viewer, asked: &Asked, shown: &Shown) -> Markup {
    if shown.list.next.is_some() {
        return html! {
            (empty(v.t("Nothing so far"), html! { (v.t("None of the exceptions that were looked at fits; there are more.")) }, html! {}))
            (pager(v, 0, shown.list.next.map(|c| c.to_string()).as_deref()))
        };
    }
    if !asked.is_plain() {
        let all = asked.address(&[("kind", ""), ("severity", ""), ("channel", ""), ("owner", ""), ("q", "")]);
        return empty(
            v.t("None fits"),
            html! { (v.t("No exception has all that is asked for.")) },
            html! { div { a.btn href=(all) { (v.t("Show all")) } } },
        );
    }
    let (title, why) = match asked.is {
        "mine" => ("Nothing is yours", "Take one from the open ones: A gives it to you."),
        "snoozed" => ("Nothing is put aside", "What waits for somebody else can be put aside until a time; it comes back by itself."),
        "solved" => ("Nothing was solved yet", "What was solved or dismissed stands here with its history."),
        _ => ("No open exceptions", "Nothing needs a person now."),
    };
    empty(v.t(title), html! { (v.t(why)) }, html! {})
}

/// All of them with what one may want to sort them out by, to be ticked.
pub fn table(v: &Viewer, asked: &Asked, shown: &Shown, names: &Names) -> Markup {
    let rows = &shown.list.rows;
    let may = v.may(ExceptionsSolve) && asked.is != "solved";
    // Solved ones are many, and sorted by when they were solved only.
    let by = |name: &'static str, label: &'static str, class: &'static str| match asked.is {
        "solved" => html! { th class=(class) scope="col" { (v.t(label)) } },
        _ => sorted(v, name, label, class, "due"),
    };
    html! {
        section.panel aria-label=(v.t("Exceptions")) {
            (standings(v, asked, shown))
            (filter(v, asked, shown, names))
            @if rows.is_empty() { (none(v, asked, shown)) }
            @else {
                form action="/exceptions/many" method="post" data-select {
                    (csrf(v)) (once())
                    input type="hidden" name="next" value=(asked.address(&[("as", "table")]));
                    @if may { (bulk(v)) }
                    div.table-wrap { table.table.table-stack {
                        caption.vh { (v.t("Exceptions")) }
                        thead { tr {
                            @if may { th.th-check scope="col" { input type="checkbox" data-check-all data-js aria-label=(v.t("Tick all")); } }
                            th scope="col" { (v.t("What")) } th scope="col" { (v.t("Kind")) } (by("severity", "Severity", "")) th scope="col" { (v.t("Channel")) }
                            th scope="col" { (v.t("Owner")) } (by("times", "Times", "num")) (by("age", "Open for", "num"))
                            @if asked.is == "solved" { (sorted(v, "solved", "Solved", "num", "-solved")) } @else { (sorted(v, "due", "Due", "num", "due")) }
                        } }
                        tbody { @for e in rows { (row(v, asked, e, may, names)) } }
                    } }
                }
                (pager(v, rows.len(), shown.list.next.map(|c| c.to_string()).as_deref()))
            }
        }
    }
}

fn row(v: &Viewer, asked: &Asked, e: &ExceptionView, may: bool, names: &Names) -> Markup {
    let (shape, class, _, word) = severity(&e.severity);
    let until = if e.open { v.now } else { e.updated_at.0 };
    html! {
        tr data-row=(e.id.0) data-key={ "x" (e.id.0) } {
            @if may { td.check { label { input type="checkbox" name="id" value=(e.id.0) data-check aria-label=(v.say("Tick {}", &[&e.title])); } } }
            th.clip scope="row" { a href=(asked.at(e.id.0)) data-open title=(v.whole(&e.title)) { (v.whole(&e.title)) } }
            td data-label=(v.t("Kind")) { (kind_name(v, &e.kind)) }
            td data-label=(v.t("Severity")) { (state(shape, class, v.t(word))) }
            td data-label=(v.t("Channel")) { (e.channel.as_deref().unwrap_or("–")) }
            td data-label=(v.t("Owner")) { @if let Some(owner) = &e.owner { (owner_name(names, owner)) } @else { span.quiet { (v.t("Nobody")) } } }
            td.num data-label=(v.t("Times")) { (v.num(e.times)) }
            td.num data-label=(v.t("Open for")) { (v.age(until - e.created_at.0)) }
            @if e.open { td.num data-label=(v.t("Due")) { (due(v, e)) } }
            @else { td.num data-label=(v.t("Solved")) { time datetime=(iso(e.updated_at.0)) title=(v.moment(e.updated_at.0)) { (v.when(e.updated_at.0)) } } }
        }
    }
}

/// “in 20 min”, or how late it is.
pub fn due(v: &Viewer, e: &ExceptionView) -> Markup {
    let left = e.due_at.0 - v.now;
    html! { @if left < 0 { span.is-warn { (v.say("{} late", &[&v.age(-left)])) } } @else { (v.say("in {}", &[&v.age(left)])) } }
}

/// What is done with the ticked ones is looked at before it is done.
fn bulk(v: &Viewer) -> Markup {
    html! {
        div.bulk role="group" aria-label=(v.t("With the ticked ones")) {
            span { b data-count { "0" } " " (v.t("ticked")) }
            span.sep {}
            button.btn.btn-s type="submit" name="what" value="retry" data-key="r" { (v.t("Retry…")) " " kbd { "R" } }
            button.btn.btn-s type="submit" name="what" value="assign" data-key="a" { (v.t("Assign…")) " " kbd { "A" } }
            button.btn.btn-s type="submit" name="what" value="snooze" data-key="s" { (v.t("Snooze…")) " " kbd { "S" } }
            button.btn.btn-s type="submit" name="what" value="dismiss" data-key="e" { (v.t("Dismiss…")) " " kbd { "E" } }
        }
    }
}
