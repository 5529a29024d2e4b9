//! A new item: plain, or a kit of others.

use super::{facts, here, path};
use crate::App;
use crate::console::fields::{Fields, Posted, address, see};
use crate::console::parts::{Field, area, form};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Refused;
use engine::Command;
use engine::catalog::items::NewItem;
use engine::stock::SkuLine;
use maud::html;

pub async fn page(viewer: Viewer) -> Page {
    show(&viewer)
}

fn show(v: &Viewer) -> Page {
    let body = html! {
        section.panel aria-labelledby="h-new" {
            div.panel-head { h2 #h-new { (v.t("The item")) } }
            div.panel-body { (form(v, "/items", html! {
                div.form-grid {
                    (Field::new("sku", "SKU").required().focus().hint(html! { (v.t("Never changes; the same as on your channels, so that listings find it.")) }).show(v))
                    (Field::new("name", "Name").required().show(v))
                }
                div.form-grid { (facts::fields(v, None)) }
                div.form-grid {
                    (Field::new("length_mm", "Length, mm").kind("number").show(v))
                    (Field::new("width_mm", "Width, mm").kind("number").show(v))
                    (Field::new("height_mm", "Height, mm").kind("number").show(v))
                }
                div {
                    (area(v, "components", "A kit of these items, one a line: SKU and how many", "", 3))
                    p.small.quiet { (v.t("A kit has no stock of its own: it is available where all of its components are, and an order for it takes them. Leave this empty for a plain item; which of the two it is never changes.")) }
                }
                div.form-foot { button.btn.btn-primary type="submit" { (v.t("Add item")) } a.btn.btn-ghost href="/items" { (v.t("Cancel")) } }
            })) }
        }
    };
    let head =
        shell::head(v.t("Add item"), html! { (v.t("Stock is received on its page afterwards. Many at once come faster as an import.")) }, html! {});
    shell::page(v, Sheet { title: v.t("Add item").into(), here: "/items", topics: String::new(), head, body })
}

pub async fn create(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let outcome = match read(&posted.viewer, &posted.fields) {
        Ok(item) => posted.submit(&app, Command::CreateItem(item)).await,
        Err(refused) => Err(refused.into()),
    };
    let Posted { viewer, fields, .. } = posted;
    match outcome {
        Ok(_) => {
            let told = [("said", "created"), ("do", "receive")].map(|(name, value)| (name.to_owned(), value.to_owned()));
            Ok(see(&address(&path(fields.text("sku")), told.into_iter())))
        }
        Err(stop) => {
            let mut viewer = here(viewer.refused(fields.0, stop)?, "/items/new".into());
            if let Some(wrong) = &mut viewer.wrong {
                // The form has one field for all components; a SKU that is taken is told without a field.
                let place = wrong.field.take().unwrap_or_else(|| "sku".into());
                wrong.field = Some(if place.starts_with("components") || place.starts_with("lines") { "components".into() } else { place });
            }
            Ok(show(&viewer).into_response())
        }
    }
}

fn read(v: &Viewer, fields: &Fields) -> Result<NewItem, Refused> {
    Ok(NewItem { components: components(fields.text("components"))?, ..facts::create(v, fields)? })
}

/// Lines such as `MUG-1 2`, `MUG-1 × 2`, `MUG-1, 2` or `MUG-1` for one.
fn components(text: &str) -> Result<Vec<SkuLine>, Refused> {
    let mut lines = Vec::new();
    for (n, line) in text.lines().map(str::trim).filter(|l| !l.is_empty()).enumerate() {
        let (sku, quantity) = match line.rsplit_once([' ', '\t', ',', ';', '×']) {
            Some((sku, number)) => (sku, number.trim().parse().map_err(|_| wrong(n))?),
            None => (line, 1),
        };
        let sku = sku.trim_end_matches([' ', '\t', ',', ';', '×']).trim_end_matches(" x").trim_end();
        if sku.is_empty() {
            return Err(wrong(n));
        }
        lines.push(SkuLine { sku: sku.to_owned(), quantity });
    }
    Ok(lines)
}

fn wrong(n: usize) -> Refused {
    Refused::invalid("components", format!("must hold a SKU and a number in each line; line {} does not", n + 1))
}

#[cfg(test)]
mod tests {
    use super::components;

    #[test]
    fn components_as_people_write_them() {
        let read =
            |text: &str| components(text).map(|lines| lines.into_iter().map(|l| format!("{}={}", l.sku, l.quantity)).collect::<Vec<_>>().join(" "));
        for (text, lines) in [
            ("", ""),
            ("MUG-1", "MUG-1=1"),
            ("MUG-1 2\n\nTEA-9 × 3\r\n", "MUG-1=2 TEA-9=3"),
            ("MUG-1, 2\nTEA-9;4\nLID\t1", "MUG-1=2 TEA-9=4 LID=1"),
            ("BIG MUG x 2", "BIG MUG=2"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(lines), "{text:?}");
        }
        for text in ["MUG 1.5", "MUG two", "× 3"] {
            assert_eq!(read(text).unwrap_err().field(), Some("components"), "{text:?}");
        }
    }
}
