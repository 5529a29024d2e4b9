//! Lines of a form: an item and how many of it, one below the other, typed or pasted from a spreadsheet. Fields are named as the
//! engine names them (`lines[2].sku`), so that a refusal finds its cell. Not here: any rule about what may stand in a line.

use super::fields::Fields;
use super::parts::{fault, icon};
use super::viewer::{Viewer, Wrong};
use domain::{Refused, limits};
use engine::stock::SkuLine;
use maud::{Markup, html};

/// Rows of an empty form, and how many more are added at once.
const FIRST: usize = 5;
const MORE: usize = 10;

/// A line as it was typed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Typed {
    pub sku: String,
    pub quantity: String,
    pub price: String,
}

/// The lines of a form that hold anything, in their order: typed ones, then pasted ones.
pub fn typed(fields: &Fields) -> Vec<Typed> {
    let rows = fields.0.iter().filter_map(|(name, _)| name.strip_prefix("lines[")?.strip_suffix("].sku")?.parse::<usize>().ok());
    let row = |n: usize| Typed {
        sku: fields.text(&format!("lines[{n}].sku")).to_owned(),
        quantity: fields.text(&format!("lines[{n}].quantity")).to_owned(),
        price: fields.text(&format!("lines[{n}].unit_price")).to_owned(),
    };
    let typed = rows.take(limits::MAX_LINES).map(row).filter(|line| *line != Typed::default());
    let pasted = fields.raw("paste").lines().map(str::trim).filter(|line| !line.is_empty()).take(limits::MAX_LINES + 1).map(pasted);
    typed.chain(pasted).collect()
}

/// `MUG-1<tab>3`, `MUG-1;3`, `MUG-1 3` or only `MUG-1`, which is one of it.
fn pasted(line: &str) -> Typed {
    let line = line.trim_end_matches([';', ',', '\t', ' ']);
    let parted = [&['\t'][..], &[';'], &[' ', ',']].into_iter().find_map(|marks| line.rsplit_once(marks));
    match parted.filter(|(_, quantity)| quantity.trim().bytes().all(|b| b.is_ascii_digit())) {
        Some((sku, quantity)) => {
            let sku = sku.trim().trim_end_matches([',', ';']).trim().trim_matches('"');
            Typed { sku: sku.trim().to_owned(), quantity: quantity.trim().to_owned(), price: String::new() }
        }
        None => Typed { sku: line.to_owned(), quantity: "1".into(), price: String::new() },
    }
}

/// What was typed, for the form that is shown again: its lines without gaps, so that a refusal's number is the row's, and what was
/// pasted among them.
pub fn again(fields: Fields, lines: &[Typed]) -> Vec<(String, String)> {
    let mut again: Vec<(String, String)> =
        fields.0.into_iter().filter(|(name, _)| !name.starts_with("lines[") && !["paste", "more", "once"].contains(&name.as_str())).collect();
    for (n, line) in lines.iter().enumerate() {
        again.push((format!("lines[{n}].sku"), line.sku.clone()));
        again.push((format!("lines[{n}].quantity"), line.quantity.clone()));
        again.push((format!("lines[{n}].unit_price"), line.price.clone()));
    }
    again
}

/// The lines for a command. Refuses a quantity that is no number.
pub fn sku_lines(lines: &[Typed]) -> Result<Vec<SkuLine>, Refused> {
    lines.iter().enumerate().map(|(n, line)| Ok(SkuLine { sku: line.sku.clone(), quantity: quantity(n, line)? })).collect()
}

/// Units of line number `n`.
pub fn quantity(n: usize, line: &Typed) -> Result<i64, Refused> {
    let name = format!("lines[{n}].quantity");
    Fields(vec![(name.clone(), line.quantity.clone())]).int(&name)
}

/// What people call a field of a line, if it is one.
fn called(v: &Viewer, field: &str) -> Option<String> {
    let (n, name) = field.strip_prefix("lines[")?.split_once("].")?;
    let n = n.parse::<usize>().ok()? + 1;
    match name {
        "sku" => Some(v.say("SKU of line {}", &[&n])),
        "quantity" => Some(v.say("Quantity of line {}", &[&n])),
        "unit_price" => Some(v.say("Unit price of line {}", &[&n])),
        _ => None,
    }
}

/// Why a form with lines would be refused, with what people call the field: one of a line, or one of these (field, label).
pub fn why(v: &Viewer, refused: &Refused, others: &[(&str, &'static str)]) -> String {
    let wrong = Wrong::new(v, refused);
    let field = wrong.field.clone().unwrap_or_default();
    let other = || others.iter().find(|(name, _)| *name == field).map(|(_, label)| v.t(label).to_owned());
    if let Some(label) = called(v, &field).or_else(other) {
        wrong.beside(&field, &label);
    }
    wrong.above()
}

/// How many rows the form shows: those that hold something, one or some more, and more still if they were asked for.
fn rows(v: &Viewer) -> usize {
    let filled = v.typed.iter().filter(|(name, _)| name.starts_with("lines[") && name.ends_with("].sku")).count();
    let more = if v.typed("rows").is_some() { MORE } else { 1 };
    (filled + more).clamp(FIRST, limits::MAX_LINES)
}

/// The lines as a table of fields. `below` stands below a row's SKU: what is wrong with it, or what it is.
pub fn editor(v: &Viewer, with_price: bool, below: impl Fn(usize) -> Markup) -> Markup {
    html! {
        div.table-wrap { table.table.table-tight.no-top {
            caption.vh { (v.t("Lines")) }
            thead { tr {
                th scope="col" { (v.t("SKU")) } th.num scope="col" { (v.t("Quantity")) }
                @if with_price { th.num scope="col" { (v.t("Unit price")) } }
            } }
            tbody { @for n in 0..rows(v) { tr {
                td { (Cell::new(&format!("lines[{n}].sku"), v.say("SKU of line {}", &[&(n + 1)])).item().show(v)) (below(n)) }
                td.num { (Cell::new(&format!("lines[{n}].quantity"), v.say("Quantity of line {}", &[&(n + 1)])).number().show(v)) }
                @if with_price { td.num { (Cell::new(&format!("lines[{n}].unit_price"), v.say("Unit price of line {}", &[&(n + 1)])).number().show(v)) } }
            } } }
        } }
        div.panel-body.stack-s {
            @if with_price { p.small.quiet { (v.t("A price left out is the item's own.")) } }
            div.row { button.btn.btn-s type="submit" name="rows" value="more" formnovalidate { (icon("plus")) (v.t("More lines")) } }
            details.raw {
                summary { (v.t("Paste lines from a spreadsheet")) }
                div.field {
                    label for="f-paste" { (v.t("SKU and quantity, one item a line")) }
                    textarea.input.textarea #f-paste name="paste" rows="4" spellcheck="false" { (v.typed("paste").unwrap_or_default()) }
                }
            }
        }
    }
}

/// A field in a cell: its column names it to those who see, its label to others.
pub struct Cell<'a> {
    name: &'a str,
    label: String,
    value: String,
    is_number: bool,
    is_item: bool,
    key: Option<&'a str>,
}

impl<'a> Cell<'a> {
    pub fn new(name: &'a str, label: String) -> Cell<'a> {
        Cell { name, label, value: String::new(), is_number: false, is_item: false, key: None }
    }

    /// For an item's SKU, of which those that fit are offered.
    pub fn item(self) -> Cell<'a> {
        Cell { is_item: true, ..self }
    }

    /// For a whole number.
    pub fn number(self) -> Cell<'a> {
        Cell { is_number: true, ..self }
    }

    /// What stands in it at first.
    pub fn value(self, value: String) -> Cell<'a> {
        Cell { value, ..self }
    }

    /// The single key that leads into it.
    pub fn key(self, key: Option<&'a str>) -> Cell<'a> {
        Cell { key, ..self }
    }

    pub fn show(self, v: &Viewer) -> Markup {
        let fault = fault(v, self.name, &self.label);
        let told = format!("d-{}", self.name);
        html! {
            input class=(if self.is_number { "input input-s" } else { "input" }) name=(self.name) aria-label=(self.label) value=(v.typed(self.name).unwrap_or(&self.value))
                inputmode=[self.is_number.then_some("numeric")] autocomplete="off" spellcheck="false" data-key=[self.key] data-suggest=[self.is_item.then_some("items")] placeholder=[self.is_item.then(|| v.t("SKU or name"))]
                autofocus[fault.is_some()] aria-invalid=[fault.as_ref().map(|_| "true")] aria-describedby=[fault.as_ref().map(|_| &told)];
            @if let Some(fault) = fault { p.error.small id=(told) role="alert" { (fault) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_typed_and_pasted() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = Fields(vec![
            field("lines[0].sku", ""),
            field("lines[1].sku", " MUG-1 "),
            field("lines[1].quantity", "3"),
            field("paste", "CUP,1\t4\r\nBOX A;5\n\n\"PEN 7\", 6\nCAP\nHAT 2;\n"),
        ]);
        let lines = typed(&fields);
        let told: Vec<String> = lines.iter().map(|l| format!("{}×{}", l.sku, l.quantity)).collect();
        assert_eq!(told, ["MUG-1×3", "CUP,1×4", "BOX A×5", "PEN 7×6", "CAP×1", "HAT×2"]);
        assert_eq!(sku_lines(&lines).unwrap()[0], SkuLine { sku: "MUG-1".into(), quantity: 3 });
        let again = Fields(again(fields, &lines));
        assert_eq!((again.text("lines[0].sku"), again.text("lines[5].quantity"), again.text("paste")), ("MUG-1", "2", ""));
        let bad = Typed { sku: "A".into(), quantity: "x".into(), ..Typed::default() };
        assert_eq!(sku_lines(&[bad]).unwrap_err().field(), Some("lines[0].quantity"));
    }
}
