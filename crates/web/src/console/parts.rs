//! The parts that pages are made of: panels, forms and their fields, tabs, pagers, banners. Each takes the [`Viewer`] for words,
//! figures and what was typed before.

use super::fields::step;
use super::viewer::Viewer;
use domain::Permission;
use maud::{Markup, html};

pub use super::show::{bar, icon};

/// A panel: title, what is said beside it, what stands at the right of it, and the rest.
pub struct Part {
    pub id: &'static str,
    pub title: String,
    pub head: Markup,
    pub right: Markup,
    pub body: Markup,
}

impl Part {
    pub fn new(id: &'static str, title: impl Into<String>, body: Markup) -> Part {
        Part { id, title: title.into(), head: html! {}, right: html! {}, body }
    }

    /// With words beside the title.
    pub fn head(self, head: Markup) -> Part {
        Part { head, ..self }
    }

    /// With something at the right of the title.
    pub fn right(self, right: Markup) -> Part {
        Part { right, ..self }
    }

    pub fn show(self) -> Markup {
        let Part { id, title, head, right, body } = self;
        html! {
            section.panel #(id) data-part data-key=(id) aria-labelledby={ "h-" (id) } {
                div.panel-head { h2 id={ "h-" (id) } { (title) } (head) (right) }
                (body)
            }
        }
    }
}

/// A sentence in the reader's language with markup where `{}` stands: names in bold, links.
pub fn phrase(v: &Viewer, english: &'static str, parts: &[Markup]) -> Markup {
    let mut pieces = v.t(english).split("{}");
    let first = pieces.next().unwrap_or_default();
    html! { (first) @for (n, piece) in pieces.enumerate() { @if let Some(part) = parts.get(n) { (part) } (piece) } }
}

/// What every form of a session carries, so that no other page can have it sent.
pub fn csrf(v: &Viewer) -> Markup {
    html! { input type="hidden" name="csrf" value=(v.csrf()); }
}

/// A form that is sent once, however often its button is pressed.
pub fn form(v: &Viewer, action: &str, body: Markup) -> Markup {
    html! { form.form.stack action=(action) method="post" { (csrf(v)) (once()) (body) } }
}

/// A button of its own, with what it sends.
pub fn button(v: &Viewer, action: &str, class: &str, hidden: &[(&str, &str)], label: Markup) -> Markup {
    html! {
        form action=(action) method="post" {
            (csrf(v)) (once())
            @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
            button class=(class) type="submit" { (label) }
        }
    }
}

/// Names one showing of a form.
pub fn once() -> Markup {
    let mut random = [0u8; 16];
    // Without randomness the form is not safe to repeat, and that is all.
    let known = getrandom::fill(&mut random).is_ok();
    html! { @if known { input type="hidden" name="once" value=(format!("{:032x}", u128::from_le_bytes(random))) data-keep; } }
}

/// What was seen when the form was shown (`engine::access::audit::etag`): a change by somebody else meanwhile is noticed.
pub fn seen(etag: &str) -> Markup {
    html! { input type="hidden" name="seen" value=(etag); }
}

/// A field of a form: `Field::new("name", "Name").value(&item.name).required().show(v)`.
pub struct Field<'a> {
    name: &'a str,
    label: &'static str,
    kind: &'static str,
    value: String,
    hint: Option<Markup>,
    placeholder: String,
    autocomplete: &'a str,
    is_required: bool,
    has_focus: bool,
    data_key: Option<&'a str>,
    form: Option<&'a str>,
    suggest: Option<&'static str>,
    has_many: bool,
}

impl<'a> Field<'a> {
    pub fn new(name: &'a str, label: &'static str) -> Field<'a> {
        Field {
            name,
            label,
            kind: "text",
            value: String::new(),
            hint: None,
            placeholder: String::new(),
            autocomplete: "off",
            is_required: false,
            has_focus: false,
            data_key: None,
            form: None,
            suggest: None,
            has_many: false,
        }
    }

    /// text, number, password, email, search, datetime-local, url
    pub fn kind(self, kind: &'static str) -> Field<'a> {
        Field { kind, ..self }
    }

    pub fn value(self, value: impl ToString) -> Field<'a> {
        Field { value: value.to_string(), ..self }
    }

    pub fn hint(self, hint: Markup) -> Field<'a> {
        Field { hint: Some(hint), ..self }
    }

    pub fn placeholder(self, text: impl Into<String>) -> Field<'a> {
        Field { placeholder: text.into(), ..self }
    }

    pub fn autocomplete(self, what: &'a str) -> Field<'a> {
        Field { autocomplete: what, ..self }
    }

    pub fn required(self) -> Field<'a> {
        Field { is_required: true, ..self }
    }

    pub fn focus(self) -> Field<'a> {
        Field { has_focus: true, ..self }
    }

    /// Of a form that it does not stand in, by its id.
    pub fn of_form(self, form: &'a str) -> Field<'a> {
        Field { form: Some(form), ..self }
    }

    /// The single key that leads into it.
    pub fn key(self, key: &'a str) -> Field<'a> {
        Field { data_key: Some(key), ..self }
    }

    /// What could stand there is offered while one types: "items", "locations" or "channels" (`suggest.rs`).
    pub fn suggest(self, what: &'static str) -> Field<'a> {
        Field { suggest: Some(what), ..self }
    }

    /// Several, with commas between.
    pub fn many(self) -> Field<'a> {
        Field { has_many: true, ..self }
    }

    pub fn show(self, v: &Viewer) -> Markup {
        let secret = self.kind == "password";
        let value = if secret { String::new() } else { v.typed(self.name).map_or(self.value, str::to_owned) };
        let fault = fault(v, self.name, v.t(self.label));
        // Whoever was refused mends what is at fault.
        let has_focus = fault.is_some() || self.has_focus && v.wrong.as_ref().is_none_or(|w| w.field.is_none());
        let (id, told) = (format!("f-{}", self.name), format!("d-{}", self.name));
        let described = fault.is_some() || self.hint.is_some();
        let is_number = self.kind == "number";
        html! {
            div.field {
                label for=(id) { (v.t(self.label)) }
                input.input #(id) name=(self.name) type=(if is_number { "text" } else { self.kind }) inputmode=[is_number.then_some("numeric")] value=(value)
                    autocomplete=(self.autocomplete) placeholder=[(!self.placeholder.is_empty()).then_some(&self.placeholder)] required[self.is_required] autofocus[has_focus]
                    spellcheck=[(self.kind != "text").then_some("false")] aria-invalid=[fault.as_ref().map(|_| "true")] aria-describedby=[described.then_some(&told)] data-key=[self.data_key] form=[self.form] data-suggest=[self.suggest] data-many[self.has_many];
                @if secret { button.btn.btn-s.btn-ghost type="button" data-reveal=(id) aria-pressed="false" aria-label=(v.say("Show: {}", &[&v.t(self.label)])) hidden data-keep { (v.t("Show")) } }
                (below(&told, fault, self.hint))
            }
        }
    }
}

/// Why the field was refused, if it was; `label` is what people know it by.
pub fn fault(v: &Viewer, name: &str, label: &str) -> Option<String> {
    v.wrong.as_ref().and_then(|w| w.beside(name, label))
}

fn below(id: &str, fault: Option<String>, hint: Option<Markup>) -> Markup {
    html! {
        @if let Some(fault) = fault { p.error id=(id) role="alert" { svg.i.i-s aria-hidden="true" { use href="#i-danger" {} } (fault) } }
        @else if let Some(hint) = hint { p.hint id=(id) { (hint) } }
    }
}

/// A choice of one: (value, text). `chosen` is overridden by what was typed before.
pub fn select(v: &Viewer, name: &str, label: &'static str, options: &[(String, String)], chosen: &str) -> Markup {
    let chosen = v.typed(name).unwrap_or(chosen);
    let (id, told) = (format!("f-{name}"), format!("d-{name}"));
    let fault = fault(v, name, v.t(label));
    html! {
        div.field {
            label for=(id) { (v.t(label)) }
            select.select #(id) name=(name) aria-invalid=[fault.as_ref().map(|_| "true")] aria-describedby=[fault.as_ref().map(|_| &told)] {
                @for (value, text) in options { option value=(value) selected[value == chosen] { (text) } }
            }
            (below(&told, fault, None))
        }
    }
}

/// A longer text.
pub fn area(v: &Viewer, name: &str, label: &'static str, value: &str, rows: u32) -> Markup {
    let (id, told, fault) = (format!("f-{name}"), format!("d-{name}"), fault(v, name, v.t(label)));
    html! {
        div.field {
            label for=(id) { (v.t(label)) }
            textarea.input #(id) name=(name) rows=(rows) spellcheck="false" aria-invalid=[fault.as_ref().map(|_| "true")] aria-describedby=[fault.as_ref().map(|_| &told)] { (v.typed(name).unwrap_or(value)) }
            (below(&told, fault, None))
        }
    }
}

/// A box to tick, with its words.
pub fn check(v: &Viewer, name: &str, value: &str, is_on: bool, words: Markup) -> Markup {
    let is_on = if v.typed.is_empty() { is_on } else { v.typed.iter().any(|(n, typed)| n == name && typed == value) };
    html! { label.check { input type="checkbox" name=(name) value=(value) checked[is_on]; span { (words) } } }
}

/// An item as tables name it: its SKU, as the way to it for whoever may look, and below it its name.
pub fn item(v: &Viewer, sku: &str, name: Option<&String>) -> Markup {
    html! {
        @if v.may(Permission::StockView) { a href={ "/items/" (step(sku)) } { (sku) } } @else { (sku) }
        @if let Some(name) = name { small.blk { (name) } }
    }
}

/// What a form that was refused is told by, when no field of it is at fault.
pub fn wrong(v: &Viewer) -> Markup {
    let unchanged = v.t("Nothing was changed.").trim_end_matches('.').to_lowercase();
    let says_so = |detail: &str| v.caller.is_none() || detail.to_lowercase().contains(&unchanged);
    html! {
        @if let Some(wrong) = v.wrong.as_ref().map(|w| w.above()) {
            div.banner.banner-danger role="alert" { (icon("danger")) div { @if !says_so(&wrong) { b { (v.t("Nothing was changed.")) " " } } (wrong) } }
        }
    }
}

/// What was just done, as the address says by a word.
pub fn said(v: &Viewer) -> Markup {
    let text = match v.asked("said").as_deref() {
        Some("saved") => "Saved.",
        Some("created") => "Created.",
        Some("deleted") => "Deleted.",
        Some("sent") => "Sent.",
        Some("undone") => "Undone by a counter-entry.",
        Some("ended") => "Signed out there.",
        Some("password") => "The password is set; all other sessions are signed out.",
        Some("second") => "The second factor is set.",
        Some("mailed") => "If there is such an account, a mail is on its way.",
        Some("shipped") => "Shipped.",
        Some("canceled") => "Canceled; the units can be promised again.",
        Some("rerouted") => "Rerouted.",
        Some("returned") => "Taken back.",
        Some("noted") => "The note stands in the timeline.",
        Some("placed") => "Placed, promised and routed.",
        Some("known") => {
            "This order was there already under its reference; what you typed was not added. If it is another order, give it a reference of its own."
        }
        Some("released") => "Released; the units can be promised again.",
        Some("extended") => "Held longer.",
        Some("received") => "Received.",
        Some("nothing") => "Nothing had to be changed.",
        _ => return html! {},
    };
    // It stays until it is read: what was typed is not there.
    let was_known = v.asked("said").as_deref() == Some("known");
    html! { div.banner.banner-warn[was_known].banner-ok[!was_known].flash[!was_known] role="status" { (icon(if was_known { "warn" } else { "ok" })) div { (v.t(text)) } } }
}

/// What else the address asks for, to be asked for again by the filters of a list: hidden fields.
pub fn kept(v: &Viewer, names: &[&str]) -> Markup {
    html! { @for name in names { @if let Some(value) = v.asked(name) { input type="hidden" name=(name) value=(value); } } }
}

/// The box of a list that is filtered as one types; `/` leads to it.
pub fn search_box(v: &Viewer, what: &'static str, words: &str) -> Markup {
    html! {
        div.search.search-s {
            label.vh for="filter" { (v.t(what)) }
            (icon("search")) input #filter name="q" type="search" value=(words) placeholder=(v.t(what)) data-filter data-auto autocomplete="off" maxlength="200";
            span.keys { kbd { "/" } }
        }
    }
}

/// Views of a list: (address, name, how many).
pub fn tabs(v: &Viewer, label: &'static str, views: &[(String, String, Option<String>, bool)]) -> Markup {
    html! {
        nav.tabs.tabs-in aria-label=(v.t(label)) {
            @for (address, name, count, is_here) in views {
                a href=(address) aria-current=[is_here.then_some("page")] { (name) @if let Some(count) = count { " " span.count { (count) } } }
            }
        }
    }
}

/// A column's head that sorts by it. The address says `sort=name` or, the other way round, `sort=-name`.
pub fn sorted(v: &Viewer, name: &str, label: &'static str, class: &str, default: &str) -> Markup {
    let now = v.asked("sort").unwrap_or_else(|| default.to_owned());
    let (up, down) = (now == name, now.strip_prefix('-') == Some(name));
    let next = if up { format!("-{name}") } else { name.to_owned() };
    let direction = if up { Some("ascending") } else { down.then_some("descending") };
    html! {
        th class=(class) scope="col" aria-sort=[direction] { a href=(v.address(&[("sort", &next)])) { (v.t(label)) @if up { " ↑" } @if down { " ↓" } } }
    }
}

/// Puts rows that are at hand in the order that the address asks for. `by` sorts them upward by the column of a name, and by what is
/// usual where it knows none.
pub fn sort<T>(v: &Viewer, rows: &mut [T], by: impl FnOnce(&mut [T], &str)) {
    let sort = v.asked("sort").unwrap_or_default();
    by(rows, sort.trim_start_matches('-'));
    if sort.starts_with('-') {
        rows.reverse();
    }
}

/// The line below a list: how much is shown, and the way on.
pub fn pager(v: &Viewer, shown: usize, next: Option<&str>) -> Markup {
    html! { div.panel-foot.pager { span.grow { (v.count(shown as i64, "row", "rows")) } (pages(v, next)) } }
}

/// The ways to the first and the next page, for a foot that says more.
pub fn pages(v: &Viewer, next: Option<&str>) -> Markup {
    html! {
        @if v.asked("after").is_some() { a.btn.btn-s href=(v.address(&[("after", "")])) { (icon("left")) (v.t("First page")) } }
        @if let Some(next) = next { a.btn.btn-s href=(v.address(&[("after", next)])) rel="next" { (v.t("Next")) (icon("right")) } }
    }
}

/// Where a list has nothing: what would be here, why it is not, the first action.
pub fn empty(title: &str, why: Markup, action: Markup) -> Markup {
    html! { div.empty { h2 { (title) } p { (why) } (action) } }
}

/// Something that hurts: what it does is said before it is done.
pub fn confirm(label: Markup, class: &str, body: Markup) -> Markup {
    html! { details.confirm { summary class=(class) { (label) } div { (body) } } }
}

/// A state in a cell: shape, color and word.
pub fn state(shape: &str, class: &str, word: &str) -> Markup {
    html! { span class={ "st " (class) } { (icon(shape)) (word) } }
}

/// A fact in a list of them.
pub fn fact(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// A term's explanation, where one is needed.
pub fn help(v: &Viewer, text: &'static str) -> Markup {
    html! { details.help { summary aria-label=(v.t("Help")) { (icon("info")) } div { (v.t(text)) } } }
}
