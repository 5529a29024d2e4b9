//! What happened to an order, in words, with what people wrote beside it; and what is to happen next.

use super::one::Whole;
use crate::console::parts::{Part, csrf, fault, icon, once};
use crate::console::show::iso;
use crate::console::viewer::Viewer;
use crate::console::{orders, status};
use domain::Permission::OrdersNote;
use domain::steps::Status;
use engine::day_of;
use engine::events::EventView;
use engine::orders::notes::NoteView;
use maud::{Markup, html};
use serde_json::Value;

pub fn panel(v: &Viewer, whole: &Whole) -> Markup {
    enum Step<'a> {
        Event(&'a EventView),
        Note(&'a NoteView),
    }
    let events = whole.detail.events.iter().filter(|e| e.kind != "order.noted").map(|e| (e.time.0, Step::Event(e)));
    let mut steps: Vec<(i64, Step<'_>)> = events.chain(whole.detail.notes.iter().map(|n| (n.at.0, Step::Note(n)))).collect();
    steps.sort_by_key(|(at, _)| *at);
    let body = html! {
        div.panel-body.stack {
            ol.timeline {
                @for (at, step) in &steps { @match step {
                    Step::Event(event) => (happened(v, event)),
                    Step::Note(note) => li data-key={ "n" (note.id.0) } {
                        (icon("edit"))
                        span { @for line in note.note.lines() { span.blk { (line) } } small { (who(v, &note.actor)) } }
                        (when(v, *at))
                    },
                } }
                @for (text, at) in next(v, whole) { li.later { svg.i.next aria-hidden="true" { use href="#i-ring" {} } span { (text) } @if let Some(at) = at { span.small.nowrap { (at) } } } }
            }
            @if v.may(OrdersNote) { (form(v, whole)) }
        }
    };
    Part::new("timeline", v.t("Timeline"), body).show()
}

fn when(v: &Viewer, at: i64) -> Markup {
    let today = v.date(at) == v.date(v.now);
    html! { time datetime=(iso(at)) title=(v.moment(at)) { @if today { (v.clock(at)) } @else { (v.date(at)) ", " (v.minute(at)) } } }
}

/// Somebody as people name them, from what stands in events: `person:ada@example.com`, `key:shop`, `channel:web`, `system`.
fn who(v: &Viewer, actor: &str) -> String {
    match actor.split_once(':') {
        Some(("key", name)) => v.say("by the key {}", &[&name]),
        Some((_, name)) => name.to_owned(),
        None if actor == "system" => "Holdfast".to_owned(),
        None => actor.to_owned(),
    }
}

fn happened(v: &Viewer, event: &EventView) -> Markup {
    let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
    let int = |name: &str| data[name].as_i64().unwrap_or(0);
    let units = |n: i64| v.count(n, "unit", "units");
    let waiting = |n: i64| if n > 0 { v.say("{} wait for stock", &[&units(n)]) } else { String::new() };
    let reason = data["reason"].as_str().unwrap_or_default();
    let (class, text, more) = match event.kind.as_str() {
        "order.placed" => {
            let more = [units(int("units")), waiting(int("backordered"))].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ");
            ("done", v.say("Placed on {}", &[&data["channel"].as_str().unwrap_or("–")]), more)
        }
        "order.routed" => ("done", v.t("Routed").to_owned(), waiting(int("backordered"))),
        "order.left_over" => ("next", v.t("Found no place in the routing run").to_owned(), v.t("It waits for the next one").to_owned()),
        "order.filled" => ("done", v.t("Filled from new stock").to_owned(), waiting(int("backordered"))),
        "order.handed_over" => ("done", v.t("The warehouse has it").to_owned(), String::new()),
        "order.recalled" => ("next", v.t("Asked back from the warehouse").to_owned(), String::new()),
        "order.rerouted" => ("done", v.t("Sent from elsewhere").to_owned(), String::new()),
        "order.shipped" => ("done", v.t("Shipped").to_owned(), v.say("{} of {}", &[&v.num(int("shipped")), &units(int("units"))])),
        "order.canceled" => {
            let more = if int("units") > 0 { v.say("{} stay", &[&units(int("units"))]) } else { String::new() };
            ("bad", v.t("Canceled").to_owned(), more)
        }
        "order.returned" => ("done", v.t("Came back").to_owned(), String::new()),
        "order.return_expected" => ("next", v.t("On its way back").to_owned(), units(int("units"))),
        other => ("done", other.to_owned(), String::new()),
    };
    let shape = if class == "bad" {
        "off"
    } else if class == "next" {
        "ring"
    } else {
        "ok"
    };
    html! {
        li data-key={ "e" (event.id.0) } {
            svg class={ "i " (class) } aria-hidden="true" { use href={ "#i-" (shape) } {} }
            span { (text) @if !reason.is_empty() { span.blk { (reason) } } small { @if !more.is_empty() { (more) ", " } (who(v, &event.actor)) } }
            (when(v, event.time.0))
        }
    }
}

/// What is to happen next, and when.
fn next(v: &Viewer, whole: &Whole) -> Vec<(String, Option<String>)> {
    let order = &whole.detail.order;
    let today = day_of(v.now);
    let mut steps = Vec::new();
    match status::parse(order.status) {
        Status::Queued => steps.push((v.t("The next routing run").to_owned(), None)),
        Status::Fulfilled | Status::Canceled => return steps,
        _ => {}
    }
    for (fulfillment, day) in whole.unsent() {
        let when = orders::late(v, day, today).unwrap_or_else(|| if day == today { v.t("today").to_owned() } else { v.day(day) });
        steps.push((v.say("Leaves {}", &[&whole.places.name(&fulfillment.location)]), Some(when)));
    }
    if !order.backordered.is_empty() {
        steps.push((v.t("Stock arrives for what waits").to_owned(), None));
    }
    steps
}

fn form(v: &Viewer, whole: &Whole) -> Markup {
    let fault = fault(v, "note", v.t("Note"));
    html! {
        form.stack-s action={ "/orders/" (whole.detail.order.id.0) "/note" } method="post" {
            (csrf(v)) (once())
            div.field {
                label for="f-note" { (v.t("Note")) " " kbd { "N" } }
                textarea.input.textarea #f-note name="note" rows="2" maxlength=(domain::limits::MAX_NOTE) required data-key="n" aria-invalid=[fault.as_ref().map(|_| "true")] aria-describedby=[fault.as_ref().map(|_| "d-note")] { (v.typed("note").unwrap_or("")) }
                @if let Some(fault) = &fault { p.error #d-note role="alert" { (fault) } }
            }
            div.form-foot { button.btn.btn-s type="submit" { (v.t("Add note")) } }
        }
    }
}
