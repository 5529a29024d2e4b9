//! What is known of an item beside its stock, and the form that changes it.

use super::words;
use crate::console::fields::{Fields, amount};
use crate::console::parts::{Field, Part, check, form, icon, seen, select};
use crate::console::viewer::Viewer;
use domain::{Permission, Refused};
use engine::WhenShort;
use engine::access::audit;
use engine::catalog::items::{NewItem, UpdateItem};
use engine::views::{Amount, ItemView};
use maud::{Markup, html};

const WHEN: [WhenShort; 4] = [WhenShort::Deny, WhenShort::Partial, WhenShort::Backorder, WhenShort::Preorder];

pub fn panel(v: &Viewer, item: &ItemView, editing: bool) -> Markup {
    let may = v.may(Permission::ItemsEdit);
    let right = html! {
        @if may && !editing { a.btn.btn-s.btn-ghost.right href=(v.address(&[("do", "edit")])) data-key="e" title=(v.t("Edit the facts")) { (icon("edit")) (v.t("Edit")) } }
    };
    let body = html! { div.panel-body { @if may && editing { (edit(v, item)) } @else { (list(v, item)) } } };
    Part::new("facts", v.t("Facts"), body).right(right).show()
}

fn list(v: &Viewer, item: &ItemView) -> Markup {
    let none = || html! { span.quiet { "–" } };
    let size = [item.length_mm, item.width_mm, item.height_mm];
    html! {
        dl.facts {
            dt { (v.t("Name")) } dd { @if item.name.is_empty() { (none()) } @else { (item.name) } }
            dt { (v.t("Barcode")) } dd { @match &item.barcode { Some(code) => (code), None => (none()) } }
            dt { (v.t("Price")) } dd { @match &item.price { Some(price) => (v.money(price)), None => (none()) } }
            dt { (v.t("Weight")) } dd { @match item.weight_grams { Some(grams) => { (v.num(grams)) " g" }, None => (none()) } }
            @if let [Some(length), Some(width), Some(height)] = size { dt { (v.t("Size")) } dd { (v.num(length)) " × " (v.num(width)) " × " (v.num(height)) " mm" } }
            dt { (v.t("When short")) } dd { (words::when_short(v, item.when_short)) }
            @if let Some(from) = item.available_from { dt { (v.t("Sent from")) } dd { (v.moment(from.0)) } }
            dt { (v.t("Sold")) } dd { @if item.active { (v.t("Yes")) } @else { (v.t("No, switched off")) } }
        }
    }
}

fn edit(v: &Viewer, item: &ItemView) -> Markup {
    form(
        v,
        &format!("{}/facts", super::path(&item.sku)),
        html! {
            (seen(&audit::etag_of(item)))
            (Field::new("name", "Name").value(&item.name).focus().show(v))
            (fields(v, Some(item)))
            (check(v, "active", "yes", item.active, html! { (v.t("Sold: it can be ordered and listed")) }))
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save")) } a.btn.btn-ghost href=(v.address(&[("do", "")])) { (v.t("Cancel")) } }
        },
    )
}

/// The fields that new and known items have in common.
pub fn fields(v: &Viewer, item: Option<&ItemView>) -> Markup {
    let price = item.and_then(|i| i.price.as_ref());
    let when: Vec<(String, String)> = WHEN.map(|w| (w.word().to_owned(), words::when_short(v, w).to_owned())).into();
    let text = |value: Option<String>| value.unwrap_or_default();
    html! {
        (Field::new("barcode", "Barcode").value(text(item.and_then(|i| i.barcode.clone()))).show(v))
        div.field-2 {
            (Field::new("price", "Price").value(price.map_or("", |p| &p.amount)).show(v))
            (Field::new("currency", "Currency").value(price.map_or(&v.house.currency, |p| &p.currency)).show(v))
        }
        (Field::new("weight_grams", "Weight, g").kind("number").value(text(item.and_then(|i| i.weight_grams).map(|n| n.to_string()))).show(v))
        (select(v, "when_short", "When more is ordered than there is", &when, item.map_or("deny", |i| i.when_short.word())))
        (Field::new("available_from", "Pre-orders are sent from").kind("datetime-local").value(text(item.and_then(|i| i.available_from).map(|t| v.local(t.0)))).show(v))
    }
}

/// A price, or none.
fn price(f: &Fields) -> Option<Amount> {
    f.given("price").map(|text| Amount { amount: amount(&text), currency: f.text("currency").to_uppercase() })
}

/// A time in the reader's zone as RFC 3339.
fn time(v: &Viewer, f: &Fields) -> Result<Option<String>, Refused> {
    let Some(text) = f.given("available_from") else { return Ok(None) };
    let at = v.instant(&text).ok_or_else(|| Refused::invalid("available_from", "must be a date and a time"))?;
    Ok(Some(engine::views::Time(at).to_string()))
}

/// The change that the form asks for: every field of it, empty ones emptied.
pub fn update(v: &Viewer, sku: &str, f: &Fields) -> Result<UpdateItem, Refused> {
    Ok(UpdateItem {
        sku: sku.to_owned(),
        name: Some(f.text("name").to_owned()),
        barcode: Some(f.given("barcode")),
        price: Some(price(f)),
        weight_grams: Some(f.opt_int("weight_grams")?),
        when_short: WhenShort::parse(f.text("when_short")),
        available_from: Some(time(v, f)?),
        active: Some(f.is_on("active")),
    })
}

/// The item that the form of a new one describes, without components.
pub fn create(v: &Viewer, f: &Fields) -> Result<NewItem, Refused> {
    Ok(NewItem {
        sku: f.text("sku").to_owned(),
        name: f.text("name").to_owned(),
        barcode: f.given("barcode"),
        price: price(f),
        weight_grams: f.opt_int("weight_grams")?,
        length_mm: f.opt_int("length_mm")?,
        width_mm: f.opt_int("width_mm")?,
        height_mm: f.opt_int("height_mm")?,
        when_short: WhenShort::parse(f.text("when_short")).unwrap_or_default(),
        available_from: time(v, f)?,
        components: Vec::new(),
    })
}
