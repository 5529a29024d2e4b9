//! The form that a draft travels in: rules as sentences, one of them open with its fields, and what can be done with each.

use super::Standing;
use super::draft::{Draft, OTHERWISE, PREFER, TIMING, cost_text};
use super::sentence::{costs, last_sentence, sentence};
use crate::console::locations::{KINDS, kind_name};
use crate::console::parts::{Field, check, csrf, icon, once, select};
use crate::console::viewer::Viewer;
use domain::Permission;
use domain::routing::Rule;
use maud::{Markup, html};

/// Discards, saves: what stands at the top. The first button is what Enter does in a field: it takes over what was typed, no more.
pub fn buttons(v: &Viewer, draft: &Draft, changes: usize) -> Markup {
    html! {
        button.vh type="submit" form="draft" name="do" value="apply" tabindex="-1" aria-hidden="true" { (v.t("Apply")) }
        a.btn.btn-ghost href="/rules/history" { (icon("clock")) (v.t("Versions")) }
        @if changes > 0 { button.btn type="submit" form="draft" name="do" value="discard" { (v.t("Discard the draft")) } }
        @if v.may(Permission::RoutingEdit) {
            details.confirm open[v.wrong.as_ref().is_some_and(|w| w.field.as_deref() == Some("name"))] {
                summary.btn.btn-primary { (v.t("Make live…")) }
                div {
                    p { (v.t("New orders are routed by the draft from then on. Orders that are routed already stay where they are.")) }
                    (Field::new("name", "Name of this version").value(&draft.name).placeholder(v.t("Autumn")).of_form("draft").show(v))
                    button.btn.btn-primary type="submit" form="draft" formaction="/rules/live" { (v.t("Make it live")) }
                }
            }
        }
    }
}

pub fn form(v: &Viewer, standing: &Standing, draft: &Draft, changes: usize, seen: &str) -> Markup {
    html! {
        section.panel aria-labelledby="h-rules" {
            div.panel-head { h2 #h-rules { (v.t("How an order finds its location")) } @if changes > 0 { span.sub { (v.count(changes as i64, "change", "changes")) } } }
            form #draft action="/rules" method="post" data-guard data-dirty[changes > 0] {
                (csrf(v)) (once())
                input type="hidden" name="seen" value=(seen);
                input #draft-json type="hidden" name="draft" value=(draft.text());
                @if let Some(n) = draft.open { input type="hidden" name="open" value=(n); }
                p.rule-group { b { (v.t("From the top.")) } " " (v.t("The first rule that is for an order decides; where it cannot fill the order whole, it says what happens then.")) }
                ol { @for (n, rule) in draft.rules.rules.iter().enumerate() { (row(v, standing, draft, n, rule)) } }
                @if draft.rules.rules.is_empty() { p.none { (v.t("No rule of your own yet.")) } }
                div.rule { span.grip {} span.n { "–" } span { span.say { b { (v.t("Otherwise")) } } span.why.blk { (last_sentence(v)) " " (v.say("Orders call it “{}”.", &[&v.whole(&Rule::default().name)])) } } span {} }
                (reserved(v, standing, draft))
                div.panel-foot {
                    button.btn.btn-s type="submit" name="do" value="add" data-key="n" title=(v.t("Add a rule")) { (icon("plus")) (v.t("Add a rule")) }
                    span.grow {}
                    button.btn.btn-s.btn-ghost type="submit" formaction="/rules/export" { (icon("download")) (v.t("Export the draft")) }
                }
                details.raw.panel-foot {
                    summary { (v.t("Import JSON")) }
                    div.stack-s.grow {
                        (crate::console::parts::area(v, "json", "A rule set, as it was exported", "", 6))
                        div.row { button.btn.btn-s type="submit" name="do" value="import" { (v.t("Take into the draft")) } }
                    }
                }
            }
        }
    }
}

fn row(v: &Viewer, standing: &Standing, draft: &Draft, n: usize, rule: &Rule) -> Markup {
    let is_open = draft.open == Some(n);
    let is_new = !draft.is_known(n, &standing.live);
    let last = draft.rules.rules.len() - 1;
    let act = |verb: &str| format!("{verb}:{n}");
    let name = if rule.name.is_empty() { v.t("Without a name") } else { &rule.name };
    html! {
        li.rule.is-new[is_new] id={ "rule-" (n) } data-key={ "rule" (n) } {
            span.grip {} span.n { (n + 1) }
            div {
                div.say { b { (name) } @if is_new { " " span.tag.tag-accent { (v.t("Changed")) } } }
                p.why { (sentence(v, rule)) @if let Some(costs) = costs(v, &rule.cost) { " " (costs) } }
            }
            div.row {
                @if !is_open { button.btn.btn-s.btn-ghost type="submit" name="do" value=(act("open")) { (icon("edit")) span { (v.t("Edit")) span.vh { " " (name) } } } }
                details.menu {
                    summary.btn.btn-s.btn-icon.btn-ghost aria-label=(v.say("Rule {}, more actions", &[&(n + 1)])) { (icon("dots")) }
                    div.menu-body {
                        @if n > 0 { button type="submit" name="do" value=(act("up")) { (v.t("Move up")) } }
                        @if n < last { button type="submit" name="do" value=(act("down")) { (v.t("Move down")) } }
                        button type="submit" name="do" value=(act("copy")) { (v.t("Duplicate")) }
                        button type="submit" name="do" value=(act("delete")) { (icon("trash")) (v.t("Delete")) }
                    }
                }
            }
            @if is_open { (fields(v, rule)) }
        }
    }
}

/// The fields of the rule that is open.
fn fields(v: &Viewer, rule: &Rule) -> Markup {
    let list = |list: &[String]| list.join(", ");
    let opt = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let options = |all: &[(&str, &str)]| all.iter().map(|(word, text)| ((*word).to_owned(), (*text).to_owned())).collect::<Vec<_>>();
    let word = |all: &[(&str, bool)]| all.iter().find(|(_, is)| *is).map_or("", |(word, _)| word).to_owned();
    let prefer = options(&PREFER.map(|(_, word, text)| (word, v.t(text))));
    let otherwise = options(&OTHERWISE.map(|(_, word, text)| (word, v.t(text))));
    let timing = options(&TIMING.map(|(_, word, text)| (word, v.t(text))));
    let cost = &rule.cost;
    html! {
        div.stack.rule-fields {
            (Field::new("r.name", "Name").value(&rule.name).focus().show(v))
            fieldset.stack-s { legend { (v.t("Which orders")) } p.small.quiet { (v.t("Commas between several; empty means any.")) }
                div.form-grid {
                    (Field::new("r.channels", "Channels").value(list(&rule.when.channels)).suggest("channels").many().show(v))
                    (Field::new("r.countries", "Countries").value(list(&rule.when.countries)).placeholder("GB, IE").show(v))
                    (Field::new("r.postal_prefixes", "Postal codes that begin with").value(list(&rule.when.postal_prefixes)).show(v))
                    (Field::new("r.customers", "Customers").value(list(&rule.when.customers)).show(v))
                    (Field::new("r.skus", "SKUs").value(list(&rule.when.skus)).suggest("items").many().show(v))
                    div.field-2 {
                        (Field::new("r.min_units", "Units, from").value(opt(rule.when.min_units)).show(v))
                        (Field::new("r.max_units", "to").value(opt(rule.when.max_units)).show(v))
                    }
                }
            }
            fieldset.stack-s { legend { (v.t("From which locations")) }
                div.form-grid {
                    (Field::new("r.locations", "Locations").value(list(&rule.from.locations)).suggest("locations").many().hint(html! { (v.t("Codes, in the order that “In the order listed” follows.")) }).show(v))
                    (Field::new("r.from_countries", "In the countries").value(list(&rule.from.countries)).show(v))
                    (Field::new("r.max_distance_km", "Within, km").value(rule.from.max_distance_km.map(|km| km.to_string()).unwrap_or_default()).show(v))
                }
                div.checks { @for (word, kind) in KINDS { (check(v, "r.kinds", word, rule.from.kinds.contains(&kind), html! { (kind_name(v, kind)) })) } }
            }
            fieldset.stack-s { legend { (v.t("In which order, and then")) }
                div.form-grid {
                    (select(v, "r.prefer", "Which first", &prefer, &word(&PREFER.map(|(value, word, _)| (word, value == rule.prefer)))))
                    (Field::new("r.max_fulfillments", "Parcels at most").value(rule.max_fulfillments).show(v))
                    (select(v, "r.otherwise", "If it cannot be filled whole", &otherwise, &word(&OTHERWISE.map(|(value, word, _)| (word, value == rule.otherwise)))))
                    (select(v, "r.timing", "When", &timing, &word(&TIMING.map(|(value, word, _)| (word, value == rule.timing)))))
                }
            }
            fieldset.stack-s { legend { (v.say("What the cheapest weighs, {}", &[&v.house.currency])) }
                div.form-grid {
                    (Field::new("r.per_fulfillment", "A parcel").value(cost_text(cost.per_fulfillment)).show(v))
                    (Field::new("r.per_km", "A kilometer").value(cost_text(cost.per_km)).show(v))
                    (Field::new("r.split_penalty", "Each further parcel").value(cost_text(cost.split_penalty)).show(v))
                    (Field::new("r.stock_out_risk", "Emptying a shelf, up to").value(cost_text(cost.stock_out_risk)).show(v))
                }
            }
            div.row {
                button.btn.btn-s.btn-primary type="submit" name="do" value="close" { (v.t("Done")) }
                span.small.quiet { (v.t("Changes the draft; orders are routed as before until it is made live.")) }
            }
        }
    }
}

/// Locations that serve some customers only.
fn reserved(v: &Viewer, standing: &Standing, draft: &Draft) -> Markup {
    let name = |code: &str| standing.locations.iter().find(|(known, _)| known == code).map_or_else(|| code.to_owned(), |(_, name)| name.clone());
    let choices: Vec<(String, String)> =
        [(String::new(), v.t("Choose a location").to_owned())].into_iter().chain(standing.locations.iter().cloned()).collect();
    html! {
        p.rule-group { b { (v.t("Kept for some.")) } " " (v.t("These locations send to their own customers only, whatever a rule says.")) }
        @if !draft.rules.only_for.is_empty() { ul { @for (n, only) in draft.rules.only_for.iter().enumerate() {
            li.rule.is-new[!standing.live.only_for.contains(only)] data-key={ "only" (n) } {
                span.grip {} span.n { (icon("pin")) }
                div { div.say { (v.say("{} serves {} only", &[&name(&only.location), &only.customers.join(", ")])) } }
                div { button.btn.btn-s.btn-ghost type="submit" name="do" value={ "free:" (n) } { (v.t("Remove")) span.vh { " " (only.location) } } }
            }
        } } }
        details.raw.panel-body {
            summary { (v.t("Keep a location for some customers")) }
            div.form-grid {
                (select(v, "only.location", "Location", &choices, ""))
                (Field::new("only.customers", "Customers").placeholder("acme, bigco").show(v))
            }
            div.row { button.btn.btn-s type="submit" name="do" value="only" { (v.t("Keep it for them")) } }
        }
    }
}
