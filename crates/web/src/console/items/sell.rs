//! Many items switched at once: whether they are sold, and what happens when more is ordered than there is. Looked at first, then
//! done item by item, so that each has its own record; and a way to have all of it as it was.

use super::bulk::{back, kept};
use super::{here, path, words};
use crate::App;
use crate::console::fields::{Fields, Posted};
use crate::console::parts::{csrf, icon, once, select};
use crate::console::several;
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::Response;
use axum::response::IntoResponse;
use engine::access::audit::etag_of;
use engine::catalog::items::UpdateItem;
use engine::views::ItemView;
use engine::{Answer, Command, WhenShort};
use maud::{Markup, html};

/// How an item is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Selling {
    active: bool,
    when_short: WhenShort,
}

impl Selling {
    fn of(item: &ItemView) -> Selling {
        Selling { active: item.active, when_short: item.when_short }
    }

    /// What the form makes of it: the row's own word, or that of all, or as it is.
    fn changed(self, fields: &Fields, sku: &str) -> Selling {
        let given = |name: &str| fields.given(&format!("{name}:{sku}")).or_else(|| fields.given(name));
        Selling {
            active: given("active").map_or(self.active, |word| word == "yes"),
            when_short: given("when_short").and_then(|word| WhenShort::parse(&word)).unwrap_or(self.when_short),
        }
    }

    fn words(self, v: &Viewer) -> String {
        if self.active { words::when_short(v, self.when_short).to_owned() } else { v.t("Switched off").to_owned() }
    }
}

/// An item, and how it would be sold.
type Row = several::Row<ItemView, Selling>;

fn changes(row: &Row) -> bool {
    Selling::of(&row.thing) != row.to
}

fn change(row: &Row) -> Option<(String, Command)> {
    let (sku, active, when_short) = (row.thing.sku.to_string(), Some(row.to.active), Some(row.to.when_short));
    changes(row).then(|| (sku.clone(), Command::UpdateItem(UpdateItem { sku, active, when_short, ..UpdateItem::default() })))
}

fn etag(answer: &Answer) -> Option<String> {
    if let Answer::Item(item) = answer { Some(etag_of(&**item)) } else { None }
}

pub async fn page(app: &App, posted: Posted, skus: Vec<String>) -> Result<Response<Body>, Problem> {
    let items = app
        .read(move |tx, config| {
            let names: Vec<&str> = skus.iter().map(String::as_str).collect();
            engine::catalog::read::by_skus(tx, config, &names)
        })
        .await?;
    let row = |(_, item): (i64, ItemView)| {
        let to = Selling::of(&item).changed(&posted.fields, &item.sku);
        Row::new(item, to)
    };
    let mut rows: Vec<Row> = items.into_iter().map(row).collect();
    let goes = posted.fields.text("step") == "go";
    if goes {
        several::change(app, &posted, &mut rows, change, etag).await?;
    }
    let Posted { viewer, fields, .. } = posted;
    let v = Viewer { typed: fields.0.clone(), ..here(viewer, "/items/bulk".into()) };
    Ok(if goes { result(&v, &fields, &rows) } else { preview(&v, &fields, &rows) }.into_response())
}

fn preview(v: &Viewer, fields: &Fields, rows: &[Row]) -> Page {
    let looked = fields.given("active").is_some() || fields.given("when_short").is_some();
    let changes = rows.iter().filter(|r| changes(r)).count() as i64;
    let option = |value: &str, text: &'static str| (value.to_owned(), v.t(text).to_owned());
    let active = [option("", "As it is"), option("yes", "Sold"), option("no", "Switched off")];
    let mut when = vec![option("", "As it is")];
    when.extend(
        [WhenShort::Deny, WhenShort::Partial, WhenShort::Backorder, WhenShort::Preorder]
            .map(|w| (w.word().to_owned(), words::when_short(v, w).to_owned())),
    );
    let body = html! {
        form.panel action="/items/bulk" method="post" data-select aria-label=(v.t("Selling")) {
            (csrf(v)) (once())
            input type="hidden" name="do" value="sell";
            (kept(fields))
            @for row in rows { (several::seen(&row.thing.sku, &etag_of(&row.thing))) }
            div.panel-body { div.form-grid { (select(v, "active", "Sold", &active, "")) (select(v, "when_short", "When more is ordered than there is", &when, "")) } }
            (table(v, rows, true))
            div.panel-foot.foot-sticky {
                button.btn type="submit" name="step" value="look" { (icon("play")) @if looked { (v.t("Look again")) } @else { (v.t("See what will come of it")) } }
                @if looked && changes > 0 { button.btn.btn-primary type="submit" name="step" value="go" { (v.say("Change {}", &[&v.count(changes, "item", "items")])) } }
                a.btn.btn-ghost href=(back(fields, ("", ""))) { (v.t("Cancel")) }
            }
        }
    };
    sheet(v, rows, html! { (v.t("Look first: each row says how it is sold and how it would be.")) }, body)
}

/// What was done, and a form that has all of it as it was.
fn result(v: &Viewer, fields: &Fields, rows: &[Row]) -> Page {
    let done: Vec<&Row> = rows.iter().filter(|r| changes(r) && r.refused.is_none()).collect();
    let refused = rows.iter().filter(|r| r.refused.is_some()).count();
    let undo = html! {
        input type="hidden" name="do" value="sell"; input type="hidden" name="step" value="go";
        (kept(fields))
        @for row in &done {
            @let (sku, was) = (&row.thing.sku, Selling::of(&row.thing));
            input type="hidden" name="sku" value=(sku);
            @if let Some(after) = &row.after { (several::seen(sku, after)) }
            input type="hidden" name={ "active:" (sku) } value=(if was.active { "yes" } else { "no" });
            input type="hidden" name={ "when_short:" (sku) } value=(was.when_short.word());
        }
    };
    let changed = v.say("{} changed.", &[&v.count(done.len() as i64, "item", "items")]);
    let body = html! {
        (several::told(v, &changed, refused, (!done.is_empty()).then_some(("/items/bulk", undo))))
        section.panel aria-label=(v.t("Selling")) { (table(v, rows, false)) div.panel-foot { a.btn.btn-s href=(back(fields, ("", ""))) { (v.t("Back to the list")) } } }
    };
    sheet(v, rows, html! { (v.t("Done item by item.")) }, body)
}

fn sheet(v: &Viewer, rows: &[Row], sub: Markup, body: Markup) -> Page {
    let title = format!("{}: {}", v.t("Selling"), v.count(rows.len() as i64, "item", "items"));
    shell::page(v, Sheet { title: title.clone(), here: "/items", topics: String::new(), head: shell::head(&title, sub, html! {}), body })
}

fn table(v: &Viewer, rows: &[Row], boxes: bool) -> Markup {
    html! {
        div.table-wrap { table.table {
            caption.vh { (v.t("The items with how they are sold and would be")) }
            thead { tr {
                @if boxes { td.th-check { input type="checkbox" data-check-all data-js aria-label=(v.t("Select all rows on this page")); } }
                th scope="col" { (v.t("SKU")) } th scope="col" { (v.t("Item")) } th scope="col" { (v.t("Was")) } th scope="col" { (v.t("Becomes")) }
            } }
            tbody { @for row in rows { tr data-row=(row.thing.sku) data-key=(row.thing.sku) {
                @if boxes { td.check { label { input type="checkbox" name="sku" value=(row.thing.sku) data-check checked aria-label=(v.say("Select {}", &[&row.thing.sku])); } } }
                td.nowrap { a href=(path(&row.thing.sku)) { (row.thing.sku) } }
                th.clip scope="row" { (row.thing.name) }
                td { (Selling::of(&row.thing).words(v)) }
                td {
                    @if let Some(refused) = &row.refused { (several::why(v, refused)) }
                    @else if changes(row) { b { (row.to.words(v)) } } @else { span.quiet { (v.t("As it is")) } }
                }
            } } }
        } }
    }
}
