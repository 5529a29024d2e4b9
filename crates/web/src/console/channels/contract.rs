//! Contracts with business customers: making one, and one with what was ordered, what is left, and what is set aside.

use crate::App;
use crate::console::export;
use crate::console::fields::{Fields, Posted, see, step};
use crate::console::parts::{Field, Part, bar, button, confirm, csrf, fault, form, icon, once, seen, state};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::{ContractsEdit, ContractsView, StockView};
use domain::{Noun, Refused};
use engine::access::audit::etag_of;
use engine::contracts::agree::{AgreedLine, ChangeContract, NewContract, SetAside};
use engine::contracts::read::{self, ContractLineView, ContractView};
use engine::db::Tx;
use engine::views::{Amount, Time};
use engine::{Command, Config};
use maud::{Markup, html};

/// Lines that an empty form has; more are a press away, up to the most of one contract.
pub const ROWS: usize = 8;
const MOST: usize = domain::limits::MAX_LINES;

/// Whether it runs at this moment.
pub fn standing(v: &Viewer, from: i64, until: i64) -> Markup {
    match () {
        () if v.now < from => state("queued", "st-info", v.t("Not yet")),
        () if v.now >= until => state("off", "st-off", v.t("Ended")),
        () => state("ok", "st-ok", v.t("Running")),
    }
}

/// The page of a contract, or its lines as a file.
pub async fn page(app: &App, v: &Viewer, code: &str) -> Result<Response<Body>, Problem> {
    match v.asked("format").as_deref() {
        Some("csv") => Ok(file(&find(app, v, code).await?)),
        _ => Ok(show(app, v, code).await?.into_response()),
    }
}

async fn find(app: &App, v: &Viewer, code: &str) -> Result<ContractView, Problem> {
    if !v.may(ContractsView) {
        return Err(Refused::NotAllowed { permission: ContractsView.word().into() }.into());
    }
    let (wanted, grant) = (code.to_owned(), v.grant());
    let read = move |tx: &mut Tx<'_>, config: &Config| match grant.on(&wanted) {
        true => read::one(tx, config, &wanted),
        false => Err(Refused::unknown(Noun::Contract, &wanted, "code").into()),
    };
    Ok(app.read(read).await?)
}

fn file(found: &ContractView) -> Response<Body> {
    let head = ["sku", "unit_price", "currency", "quantity", "minimum", "ordered", "left", "to_order", "set_aside", "set_aside_now"];
    let row = |l: &ContractLineView| {
        let (price, currency) = l.unit_price.as_ref().map(|p| (p.amount.clone(), p.currency.clone())).unwrap_or_default();
        let figures = [l.quantity, l.minimum, l.ordered, l.left, l.to_order, l.set_aside, l.set_aside_now].map(|n| n.to_string());
        [l.sku.to_string(), price, currency].into_iter().chain(figures).collect()
    };
    export::rows(&format!("contract-{}.csv", found.code), &head, &found.lines.iter().map(row).collect::<Vec<_>>())
}

async fn show(app: &App, v: &Viewer, code: &str) -> Result<Page, Problem> {
    let found = find(app, v, code).await?;
    let may = v.may(ContractsEdit);
    let (ordered, agreed): (i64, i64) = (found.lines.iter().map(|l| l.ordered).sum(), found.lines.iter().map(|l| l.quantity).sum());
    let minimum: i64 = found.lines.iter().map(|l| l.minimum).sum();
    let is_over = v.now >= found.ends_at.0;
    let kpi = |name: &'static str, value: String, note: String| html! { div.kpi { dt { (v.t(name)) } dd { span.val.val-m { (value) } span.note { (note) } } } };
    let body = html! {
        div.stack {
            section.panel aria-label=(v.t("Figures")) {
                dl.kpis.kpis-4 {
                    (kpi("Ordered", v.num(ordered), v.say("of {} units agreed", &[&v.num(agreed)])))
                    (kpi("Left to order", v.num(found.lines.iter().map(|l| l.left).sum()), v.say("{} of them promised to be", &[&v.num(found.lines.iter().map(|l| l.to_order).sum())])))
                    (kpi("Set aside now", v.num(found.lines.iter().map(|l| l.set_aside_now).sum()), v.t("units that nobody else is promised").to_owned()))
                    (kpi("Until", v.date(found.ends_at.0), v.say("since {}", &[&v.date(found.starts_at.0)])))
                }
                div.sum { span { (v.t("Ordered of agreed")) } (bar(&v.say("{} of {} units ordered", &[&v.num(ordered), &v.num(agreed)]), agreed.max(1), &[("b-a", ordered.min(agreed))], (minimum > 0).then_some(minimum)))
                    div.legend { span { svg.key aria-hidden="true" { rect.b-tick x="6" width="2" height="8" {} } (v.t("Agreed to be ordered")) } } }
            }
            (lines(v, &found, may && !is_over))
            @if may && !is_over { (ending(v, &found)) }
        }
    };
    let sub = html! { (standing(v, found.starts_at.0, found.ends_at.0)) " · " (v.say("Orders name “{}” as their channel.", &[&found.code])) };
    let head = shell::head(
        &found.customer,
        sub,
        html! { a.btn href={ "/channels/" (step(&found.code)) "?format=csv" } { (icon("download")) (v.t("Export")) } },
    );
    Ok(shell::page(v, Sheet { title: found.customer.clone(), here: "/channels", topics: "channels stock orders".into(), head, body }))
}

fn lines(v: &Viewer, found: &ContractView, may: bool) -> Markup {
    let table = html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("Agreed lines")) }
            thead { tr {
                th scope="col" { (v.t("Item")) } th.num scope="col" { (v.t("Price")) } th.num scope="col" { (v.t("Agreed")) } th.num scope="col" { (v.t("To be ordered")) }
                th.w-bar2 scope="col" { (v.t("Ordered")) } th.num scope="col" { (v.t("Left")) } th.num scope="col" { (v.t("Set aside")) } th.num scope="col" { (v.t("of")) }
            } }
            tbody { @for (n, line) in found.lines.iter().enumerate() { (line_row(v, n, line, may)) } }
        } }
    };
    let body = if may {
        html! {
            form action={ "/channels/" (step(&found.code)) "/contract" } method="post" data-guard {
                (csrf(v)) (once()) (seen(&etag_of(&found.terms())))
                (table)
                div.panel-foot { button.btn.btn-primary type="submit" { (v.t("Save what is set aside")) } span.quiet { (v.t("Prices and quantities that were agreed do not change: end the contract and make a new one.")) } }
            }
        }
    } else {
        table
    };
    Part::new("lines", v.t("Agreed"), body).head(html! { span.sub { (v.count(found.lines.len() as i64, "item", "items")) } }).show()
}

fn line_row(v: &Viewer, n: usize, line: &ContractLineView, may: bool) -> Markup {
    let name = format!("set_aside[{n}].units");
    let called = v.say("Units of {} to be set aside", &[&line.sku]);
    let fault = fault(v, &name, &called);
    html! {
        tr data-row=(line.sku) data-key={ "i" (line.sku) } {
            th scope="row" { @if v.may(StockView) { a href={ "/items/" (step(&line.sku)) } data-open { (line.sku) } } @else { (line.sku) } }
            td.num data-label=(v.t("Price")) { (line.unit_price.as_ref().map_or("–".to_owned(), |p| v.money(p))) }
            td.num data-label=(v.t("Agreed")) { (v.num(line.quantity)) }
            td.num data-label=(v.t("To be ordered")) { (v.num(line.to_order)) }
            td.w-bar2 data-label=(v.t("Ordered")) { div.barcell { (bar(&v.say("{} of {} ordered", &[&v.num(line.ordered), &v.num(line.quantity)]), line.quantity.max(1), &[("b-a", line.ordered.min(line.quantity))], (line.minimum > 0).then_some(line.minimum))) span.num { (v.num(line.ordered)) } } }
            td.num data-label=(v.t("Left")) { (v.num(line.left)) }
            td.num data-label=(v.t("Set aside")) { @if line.set_aside_now < line.set_aside.min(line.left) { span.is-warn { (v.num(line.set_aside_now)) } } @else { (v.num(line.set_aside_now)) } }
            td.num data-label=(v.t("of")) {
                @if may {
                    input type="hidden" name={ "set_aside[" (n) "].sku" } value=(line.sku);
                    input.input.input-s type="text" inputmode="numeric" name=(name) value=(v.typed(&name).map_or(line.set_aside.to_string(), str::to_owned)) size="6" aria-label=(called) aria-invalid=[fault.as_ref().map(|_| "true")];
                    @if let Some(fault) = fault { p.error role="alert" { (fault) } }
                } @else { (v.num(line.set_aside)) }
            }
        }
    }
}

fn ending(v: &Viewer, found: &ContractView) -> Markup {
    let to = format!("/channels/{}/contract", step(&found.code));
    let etag = etag_of(&found.terms());
    let body = html! { div.panel-body.row {
        (form(v, &to, html! { (seen(&etag)) (Field::new("ends_at", "Until").kind("datetime-local").value(v.local(found.ends_at.0)).required().show(v)) button.btn type="submit" { (v.t("Change the end")) } }))
        (confirm(html! { (v.t("End it now…")) }, "btn btn-danger", html! {
            p { (v.t("What is set aside for it comes free at once, and no more orders are taken under it.")) }
            (button(v, &to, "btn btn-danger", &[("end", "now"), ("seen", &etag)], html! { (v.t("End the contract")) }))
        }))
    } };
    Part::new("ending", v.t("Its end"), body).show()
}

pub async fn change(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let work = async {
        let (v, fields) = (&posted.viewer, &posted.fields);
        let (wanted, grant) = (code.clone(), v.grant());
        let unknown = |code: &str| Refused::unknown(Noun::Contract, code, "code");
        let listings =
            app.read(move |tx, config| if grant.on(&wanted) { read::listings(tx, config, &wanted) } else { Err(unknown(&wanted).into()) }).await?;
        let ends_at = match fields.given("ends_at") {
            _ if fields.is_on("end") => Some(Time(v.now + 1)),
            Some(text) => Some(Time(v.instant(&text).ok_or_else(|| Refused::invalid("ends_at", "must be a date and a time"))?)),
            None => None,
        };
        let mut set_aside = Vec::new();
        for n in 0..MOST {
            let Some(sku) = fields.given(&format!("set_aside[{n}].sku")) else { break };
            set_aside.push(SetAside { sku, units: fields.int(&format!("set_aside[{n}].units"))? });
        }
        posted.submit(&app, Command::ChangeContract(Box::new(ChangeContract { code: code.clone(), ends_at, set_aside, listings }))).await
    };
    match work.await {
        Ok(_) => Ok(see(&format!("/channels/{}?said=saved", step(&code)))),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(posted.fields.0, stop)?, &code).await?.into_response()),
    }
}

/// An empty form, or one that was refused, with so many lines.
pub async fn show_new(app: &App, v: &Viewer, rows: usize) -> Result<Page, Problem> {
    // Most merchants agree in one currency.
    let currency = app.read(|_, config| Ok(config.contracts.last().map(|c| c.currency.clone()))).await?;
    let body = html! {
        section.panel aria-label=(v.t("Contract")) { div.panel-body {
            form.form.stack action="/channels/new/contract" method="post" data-guard {
                (csrf(v)) (once())
                input type="hidden" name="rows" value=(rows);
                div.form-grid {
                    (Field::new("customer", "Customer").required().focus().show(v))
                    (Field::new("code", "Code").placeholder("hotel-astoria").hint(html! { (v.t("Orders under it carry it as their channel; it never changes.")) }).required().show(v))
                    (Field::new("currency", "Currency").value(currency.unwrap_or_default()).placeholder("GBP").required().show(v))
                    (Field::new("starts_at", "From").kind("datetime-local").hint(html! { (v.t("From now on if empty.")) }).show(v))
                    (Field::new("ends_at", "Until").kind("datetime-local").value(v.local(v.now + 365 * 86_400_000_000)).required().show(v))
                }
                (new_lines(v, rows))
                div.form-foot {
                    button.btn.btn-primary type="submit" { (v.t("Make the contract")) }
                    @if rows < MOST { button.btn type="submit" name="do" value="more" formnovalidate { (icon("plus")) (v.t("More lines")) } }
                    a.btn.btn-ghost href="/channels/new" { (v.t("Cancel")) }
                    span.small.quiet { (v.t("Its units are set aside at once, as far as there are enough; the rest as they come.")) }
                }
            }
        } }
    };
    let head = shell::head(
        v.t("A contract with a customer"),
        html! { (v.t("An agreed price, a quantity that may be ordered, one that was promised to be, and units set aside.")) },
        html! {},
    );
    Ok(shell::page(v, Sheet { title: v.t("A contract with a customer").into(), here: "/channels", topics: String::new(), head, body }))
}

const COLUMNS: [(&str, &str, bool); 5] = [
    ("sku", "SKU", false),
    ("unit_price", "Price", true),
    ("quantity", "Agreed, units", true),
    ("minimum", "To be ordered, units", true),
    ("set_aside", "Set aside, units", true),
];

fn new_lines(v: &Viewer, rows: usize) -> Markup {
    html! {
        div.table-wrap { table.table.table-tight.table-flush {
            caption.vh { (v.t("Lines")) }
            thead { tr { @for (_, label, is_number) in COLUMNS { th.num[is_number] scope="col" { (v.t(label)) } } } }
            tbody { @for n in 0..rows { tr { @for (name, label, is_number) in COLUMNS {
                @let field = format!("lines[{n}].{name}");
                @let called = v.say("{}, line {}", &[&v.t(label), &(n + 1)]);
                @let fault = fault(v, &field, &called);
                td {
                    input.input type="text" name=(field) value=(v.typed(&field).unwrap_or_default()) inputmode=[is_number.then_some("decimal")] autocomplete="off" aria-label=(called) aria-invalid=[fault.as_ref().map(|_| "true")];
                    @if let Some(fault) = fault { p.error role="alert" { (fault) } }
                }
            } } } }
        } }
        p.small.quiet { (v.t("Nothing promised to be ordered if that is empty; all that is left to order is set aside if that is empty.")) }
    }
}

/// The lines of the form, and in which row each stands: rows without a SKU are left out.
fn read_lines(fields: &Fields, rows: usize, currency: &str) -> Result<(Vec<AgreedLine>, Vec<usize>), Refused> {
    let (mut lines, mut places) = (Vec::new(), Vec::new());
    for n in 0..rows {
        let name = |field: &str| format!("lines[{n}].{field}");
        let Some(sku) = fields.given(&name("sku")) else { continue };
        let unit_price = Amount { amount: fields.text(&name("unit_price")).replace(',', "."), currency: currency.to_owned() };
        let minimum = fields.opt_int(&name("minimum"))?.unwrap_or(0);
        lines.push(AgreedLine { sku, unit_price, quantity: fields.int(&name("quantity"))?, minimum, set_aside: fields.opt_int(&name("set_aside"))? });
        places.push(n);
    }
    if lines.is_empty() { Err(Refused::invalid("lines[0].sku", "is empty; at least one item belongs into a contract")) } else { Ok((lines, places)) }
}

/// `lines[1].sku` of the engine as the row of the form that it stood in.
fn in_row(field: &str, places: &[usize]) -> Option<String> {
    let (number, rest) = field.strip_prefix("lines[")?.split_once(']')?;
    Some(format!("lines[{}]{rest}", places.get(number.parse::<usize>().ok()?)?))
}

pub async fn agree(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let fields = &posted.fields;
    let rows = fields.int("rows").unwrap_or(ROWS as i64).clamp(1, MOST as i64) as usize;
    if fields.text("do") == "more" {
        let viewer = Viewer { typed: posted.fields.0.clone(), ..posted.viewer };
        return Ok(show_new(&app, &viewer, (rows + ROWS).min(MOST)).await?.into_response());
    }
    let mut places = Vec::new();
    let work = async {
        let v = &posted.viewer;
        let time = |name: &str| {
            fields.given(name).map(|text| v.instant(&text).map(Time).ok_or_else(|| Refused::invalid(name, "must be a date and a time"))).transpose()
        };
        let currency = fields.text("currency").to_uppercase();
        let (lines, rows) = read_lines(fields, rows, &currency)?;
        places = rows;
        let ends_at = time("ends_at")?.ok_or_else(|| Refused::invalid("ends_at", "must be a date and a time"))?;
        let new = NewContract {
            code: fields.text("code").to_owned(),
            customer: fields.text("customer").to_owned(),
            currency,
            starts_at: time("starts_at")?,
            ends_at,
            lines,
        };
        posted.submit(&app, Command::AgreeContract(Box::new(new))).await
    };
    match work.await {
        Ok(_) => Ok(see(&format!("/channels/{}?said=created", step(fields.text("code"))))),
        Err(stop) => {
            let mut viewer = posted.viewer.clone().refused(posted.fields.0.clone(), stop)?;
            if let Some(wrong) = &mut viewer.wrong {
                wrong.field = wrong.field.take().map(|field| in_row(&field, &places).unwrap_or(field));
            }
            Ok(show_new(&app, &viewer, rows).await?.into_response())
        }
    }
}
