//! What can be done about an order: ship, reroute, cancel, take back, note. Each has an address of its own, which shows the order with
//! the form above it, and says what will happen before it does. Not here: any rule; the engine has them all.

use super::one::{self, Whole};
use super::why;
use crate::App;
use crate::console::fields::{Fields, Posted, see};
use crate::console::line_editor::{self, Cell};
use crate::console::parts::{Field, check, form, icon, seen, select};
use crate::console::shell::Page;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::routing::Considered;
use domain::steps::Status;
use domain::{Noun, Refused};
use engine::orders::cancel::CancelOrder;
use engine::orders::detail::SoldOn;
use engine::orders::notes::AddNote;
use engine::orders::place::StoredDecision;
use engine::orders::reroute::Reroute;
use engine::orders::r#return::ReturnOrder;
use engine::orders::ship::Ship;
use engine::stock::SkuLine;
use engine::views::FulfillmentView;
use engine::{Answer, Command, Reply, Stop};
use maud::{Markup, html};

/// Locations that are offered in a list; beyond, the code is typed.
const OFFERED: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Ship,
    Reroute,
    Cancel,
    Return,
}

impl Deed {
    /// Where its form is, and is sent to.
    pub fn address(self, order: i64) -> String {
        let word = match self {
            Deed::Ship => "ship",
            Deed::Reroute => "reroute",
            Deed::Cancel => "cancel",
            Deed::Return => "return",
        };
        format!("/orders/{order}/{word}")
    }

    pub fn key(self) -> &'static str {
        match self {
            Deed::Ship => "s",
            Deed::Reroute => "r",
            Deed::Cancel => "c",
            Deed::Return => "b",
        }
    }
}

/// A form to be shown, about one of the order's fulfillments where it is about one.
pub struct Form {
    deed: Deed,
    fulfillment: Option<i64>,
}

impl Form {
    fn of(deed: Deed, text: Option<&str>) -> Form {
        Form { deed, fulfillment: text.and_then(|id| id.parse().ok()) }
    }

    pub async fn panel(&self, app: &App, v: &Viewer, whole: &Whole) -> Result<Markup, Problem> {
        let chosen = || whole.unsent().map(|(f, _)| f).find(|f| self.fulfillment.is_none_or(|id| f.id.0 == id));
        Ok(match self.deed {
            Deed::Ship => match chosen() {
                Some(f) => ship_form(v, whole, f),
                None => nothing(v, whole, v.t("Nothing of this order is ready to be shipped.")),
            },
            Deed::Reroute => match chosen() {
                Some(f) => reroute_form(app, v, whole, f).await?,
                None => nothing(v, whole, v.t("Nothing of this order is ready to be sent from elsewhere.")),
            },
            Deed::Cancel => cancel_form(v, whole),
            Deed::Return => return_form(v, whole),
        })
    }
}

async fn ask(app: App, id: &str, v: Viewer, deed: Deed) -> Result<Page, Problem> {
    let form = Form::of(deed, v.asked("fulfillment").as_deref());
    one::with(&app, &v, number(Noun::Order, id)?, form).await
}

pub async fn ask_ship(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    ask(app, &id, viewer, Deed::Ship).await
}

pub async fn ask_reroute(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    ask(app, &id, viewer, Deed::Reroute).await
}

pub async fn ask_cancel(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    ask(app, &id, viewer, Deed::Cancel).await
}

pub async fn ask_return(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    ask(app, &id, viewer, Deed::Return).await
}

/// A panel with a form, and the way out of it.
fn panel(v: &Viewer, whole: &Whole, deed: Deed, title: &str, body: Markup) -> Markup {
    let id = whole.detail.order.id.0;
    html! {
        section.panel #deed data-part aria-labelledby="h-deed" {
            div.panel-head { h2 #h-deed { (title) } a.btn.btn-ghost.btn-s.btn-icon.right href={ "/orders/" (id) } aria-label=(v.t("Leave as it is")) { (icon("x")) } }
            div.panel-body { (form(v, &deed.address(id), html! { (seen(&whole.detail.seen)) (body) })) }
        }
    }
}

fn nothing(v: &Viewer, whole: &Whole, why: &str) -> Markup {
    html! { div.banner { (icon("info")) div { (why) } a.btn.btn-s href={ "/orders/" (whole.detail.order.id.0) } { (v.t("Close")) } } }
}

/// A row of a form that says how many: SKU, how many at most, and how many stand in it at first.
struct Row {
    sku: String,
    most: i64,
    first: Option<i64>,
}

/// Rows of the same SKU are one: requests name each SKU once.
fn merged(rows: impl Iterator<Item = (String, i64)>, prefilled: bool) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for (sku, most) in rows.filter(|(_, most)| *most > 0) {
        match merged.iter_mut().find(|row| row.sku == sku) {
            Some(known) => known.most += most,
            None => merged.push(Row { sku, most, first: None }),
        }
    }
    if prefilled {
        merged.iter_mut().for_each(|row| row.first = Some(row.most));
    }
    merged
}

fn quantities(v: &Viewer, whole: &Whole, rows: &[Row], most: &'static str, label: &'static str) -> Markup {
    html! {
        div.table-wrap { table.table.table-tight.table-flush.no-top {
            caption.vh { (v.t(label)) }
            thead { tr { th scope="col" { (v.t("Item")) } th.num scope="col" { (v.t(most)) } th.num scope="col" { (v.t(label)) } } }
            tbody { @for (n, row) in rows.iter().enumerate() { tr {
                th.wrap scope="row" { (whole.name(&row.sku)) " " span.aside { (row.sku) } }
                td.num { (v.num(row.most)) }
                td.num {
                    input type="hidden" name={ "lines[" (n) "].sku" } value=(row.sku);
                    input type="hidden" name={ "lines[" (n) "].most" } value=(row.most);
                    (Cell::new(&format!("lines[{n}].quantity"), v.say("{} of {}", &[&v.t(label), &row.sku])).number().value(row.first.map(|n| v.num(n)).unwrap_or_default()).show(v))
                }
            } } }
        } }
    }
}

/// What a form says of its rows.
struct Chosen {
    /// Those with a quantity. None: all of every row.
    lines: Option<Vec<SkuLine>>,
    /// The row of each line.
    rows: Vec<usize>,
}

fn chosen(fields: &Fields) -> Result<Chosen, Refused> {
    let (mut lines, mut rows, mut all) = (Vec::new(), Vec::new(), true);
    for (n, typed) in line_editor::typed(fields).iter().enumerate() {
        let name = format!("lines[{n}].quantity");
        let quantity = fields.opt_int(&name)?.unwrap_or(0);
        all &= fields.opt_int(&format!("lines[{n}].most"))? == Some(quantity);
        if quantity != 0 {
            lines.push(SkuLine { sku: typed.sku.clone(), quantity });
            rows.push(n);
        }
    }
    if lines.is_empty() {
        return Err(Refused::invalid("lines[0].quantity", "is needed: type how many units"));
    }
    Ok(Chosen { lines: Some(lines).filter(|_| !all), rows })
}

/// Shows the form again with why it was refused, beside the row that it is about.
async fn again(app: &App, posted: Posted, order: i64, form: Form, stop: Stop) -> Result<Response<Body>, Problem> {
    let rows = chosen(&posted.fields).map(|c| c.rows).unwrap_or_default();
    let too_many = match stop.refused() {
        Some(Refused::TooMany { sku, .. } | Refused::HandedOver { sku, .. }) => Some(sku.clone()),
        _ => None,
    };
    let Posted { viewer, fields, .. } = posted;
    let of_sku = too_many.and_then(|sku| (0..).map_while(|n| fields.given(&format!("lines[{n}].sku"))).position(|known| known == sku));
    let mut viewer = viewer.refused(fields.0, stop)?;
    if let Some(wrong) = &mut viewer.wrong {
        let of_line = wrong.field.as_deref().and_then(|field| field.strip_prefix("lines[")?.split_once(']')?.0.parse::<usize>().ok());
        if let Some(row) = of_line.and_then(|line| rows.get(line).copied()).or(of_sku) {
            wrong.field = Some(format!("lines[{row}].quantity"));
        }
    }
    Ok(one::with(app, &viewer, order, form).await?.into_response())
}

/// Has a command carried out, and goes back to the order; or shows the form again.
async fn carry_out(
    app: &App,
    posted: Posted,
    order: i64,
    form: Form,
    command: Result<Command, Refused>,
    said: &str,
) -> Result<Response<Body>, Problem> {
    let outcome = match command {
        Ok(command) => posted.submit(app, command).await,
        Err(refused) => Err(refused.into()),
    };
    match outcome {
        Ok(_) => Ok(see(&format!("/orders/{order}?said={said}"))),
        Err(stop) => again(app, posted, order, form, stop).await,
    }
}

fn ship_form(v: &Viewer, whole: &Whole, f: &FulfillmentView) -> Markup {
    let rows = merged(f.lines.iter().map(|l| (l.sku.to_string(), l.quantity - l.shipped - l.canceled)), true);
    let body = html! {
        input type="hidden" name="fulfillment" value=(f.id.0);
        (quantities(v, whole, &rows, "Open", "Ship"))
        div.form-grid {
            (Field::new("carrier", "Carrier").focus().show(v))
            (Field::new("tracking_number", "Tracking number").show(v))
        }
        @match &whole.detail.sold_on {
            SoldOn::Marketplace { name, .. } => p.muted { (v.say("{} is told, with carrier and number.", &[name])) },
            SoldOn::Own | SoldOn::Contract => {}
        }
        div.form-foot { button.btn.btn-primary type="submit" { (icon("truck")) (v.t("Ship")) } (others(v, whole, Deed::Ship, f)) }
    };
    panel(v, whole, Deed::Ship, &v.say("Ship from {}", &[&whole.places.name(&f.location)]), body)
}

/// Links to the order's other open fulfillments.
fn others(v: &Viewer, whole: &Whole, deed: Deed, shown: &FulfillmentView) -> Markup {
    let address = deed.address(whole.detail.order.id.0);
    html! { @for (f, _) in whole.unsent().filter(|(f, _)| f.id != shown.id) { a href={ (address) "?fulfillment=" (f.id.0) } { (v.say("The one from {}", &[&whole.places.name(&f.location)])) } } }
}

pub async fn ship(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Order, &id)?;
    let fulfillment = posted.fields.text("fulfillment").to_owned();
    let command = || -> Result<Command, Refused> {
        Ok(Command::Ship(Ship {
            fulfillment: fulfillment.parse().map_err(|_| Refused::unknown(Noun::Fulfillment, &fulfillment, "fulfillment"))?,
            carrier: posted.fields.given("carrier"),
            tracking_number: posted.fields.given("tracking_number"),
            lines: chosen(&posted.fields)?.lines,
        }))
    };
    let command = command();
    carry_out(&app, posted, id, Form::of(Deed::Ship, Some(&fulfillment)), command, "shipped").await
}

fn cancel_form(v: &Viewer, whole: &Whole) -> Markup {
    let order = &whole.detail.order;
    if !super::is_unfinished(whole.status()) {
        return nothing(v, whole, v.t("Nothing of this order is left to be canceled."));
    }
    let rows = merged(order.lines.iter().map(|l| (l.sku.to_string(), l.quantity - l.canceled - l.shipped)), true);
    let body = html! {
        // An order that waits for a routing run is canceled whole.
        @if whole.status() != Status::Queued { (quantities(v, whole, &rows, "Not shipped", "Cancel these units")) }
        (Field::new("reason", "Reason").focus().required().hint(html! { (v.t("Stands in the ledger, and is told to the channel.")) }).show(v))
        ul.plain { @for text in what_canceling_does(v, whole) { li { (icon("arrow")) " " (text) } } }
        div.form-foot { button.btn.btn-danger type="submit" { (v.t("Cancel these units")) } a.btn href={ "/orders/" (order.id.0) } { (v.t("Leave as it is")) } }
    };
    panel(v, whole, Deed::Cancel, v.t("Cancel the order"), body)
}

/// What becomes of the units and of the money.
fn what_canceling_does(v: &Viewer, whole: &Whole) -> Vec<String> {
    let units = |n: i64| v.count(n, "unit", "units");
    let mut told = Vec::new();
    for (f, _) in whole.unsent() {
        let open = f.lines.iter().map(|l| l.quantity - l.shipped - l.canceled).sum();
        let place = whole.places.name(&f.location);
        let is_away = whole.detail.handovers.get(&f.id.0).is_some_and(|h| h.state.is_away());
        told.push(match is_away {
            true => v.say("{} was told to send {}: it is asked to give them back, and they are canceled when it says so.", &[&place, &units(open)]),
            false => v.say("{} can be promised again at {} at once.", &[&units(open), &place]),
        });
    }
    let waiting: i64 = whole.detail.order.backordered.iter().map(|b| b.quantity).sum();
    if waiting > 0 {
        told.push(v.say("{} no longer wait for stock.", &[&units(waiting)]));
    }
    if whole.status() == Status::Queued {
        told.push(v.t("The units that are held for it come free at once.").to_owned());
    }
    told.push(match &whole.detail.sold_on {
        SoldOn::Marketplace { name, cancels: true, refunds: true } => {
            v.say("{} is told, and pays the buyer back: for all of it, or for the part.", &[name])
        }
        SoldOn::Marketplace { name, cancels: true, .. } => v.say("{} is told. For a part it cannot be told to pay back: do so there.", &[name]),
        SoldOn::Marketplace { name, refunds: true, .. } => {
            v.say("{} is told to pay back for a part. A whole order it cannot be told to cancel: do so there; the desk reminds you.", &[name])
        }
        SoldOn::Marketplace { name, .. } => v.say("{} cannot be told: cancel it and pay back there; the desk reminds you.", &[name]),
        SoldOn::Own | SoldOn::Contract => v.t("No money moves: pay back where it was paid.").to_owned(),
    });
    told
}

pub async fn cancel(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Order, &id)?;
    let command = || -> Result<Command, Refused> {
        let reason = posted.fields.given("reason").ok_or_else(|| Refused::invalid("reason", "is empty; say why it is canceled"))?;
        let lines = if posted.fields.given("lines[0].sku").is_some() { chosen(&posted.fields)?.lines } else { None };
        Ok(Command::CancelOrder(CancelOrder { id, lines, reason: Some(reason), ..CancelOrder::default() }))
    };
    let command = command();
    carry_out(&app, posted, id, Form::of(Deed::Cancel, None), command, "canceled").await
}

fn return_form(v: &Viewer, whole: &Whole) -> Markup {
    let order = &whole.detail.order;
    let rows = merged(order.lines.iter().map(|l| (l.sku.to_string(), l.shipped - l.returned)), false);
    if rows.is_empty() {
        return nothing(v, whole, v.t("Nothing of this order can come back: nothing has shipped, or all came back."));
    }
    let from = order.fulfillments.iter().find(|f| !f.shipments.is_empty()).map_or("", |f| &f.location);
    let active = || whole.places.0.iter().filter(|l| l.active);
    let places: Vec<(String, String)> = active().take(OFFERED + 1).map(|l| (l.code.clone(), l.name.clone())).collect();
    let states = [("available", "To be sold again"), ("quality_control", "To be checked"), ("damaged", "Damaged")];
    let states = states.map(|(value, text)| (value.to_owned(), v.t(text).to_owned()));
    let body = html! {
        (quantities(v, whole, &rows, "Shipped", "Came back"))
        div.form-grid {
            @if places.len() > OFFERED { (Field::new("location", "Came back to").value(from).hint(html! { (v.t("The code of a location")) }).show(v)) }
            @else { (select(v, "location", "Came back to", &places, from)) }
            (select(v, "state", "State", &states, "available"))
            (Field::new("reason", "Reason").show(v))
        }
        @match &whole.detail.sold_on {
            SoldOn::Marketplace { name, refunds: true, .. } => (check(v, "refund", "on", true, html! { (v.say("Have {} pay the buyer back for these units", &[name])) })),
            SoldOn::Marketplace { name, .. } => p.muted { (v.say("{} cannot be told to pay back: do so there.", &[name])) },
            SoldOn::Own | SoldOn::Contract => p.muted { (v.t("No money moves: pay back where it was paid.")) },
        }
        div.form-foot { button.btn.btn-primary type="submit" { (v.t("Take back")) } }
    };
    panel(v, whole, Deed::Return, v.t("Return"), body)
}

pub async fn take_back(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Order, &id)?;
    let fields = &posted.fields;
    let command = || -> Result<Command, Refused> {
        let Chosen { lines, .. } = chosen(fields)?;
        let lines = match lines {
            Some(lines) if lines.is_empty() => return Err(Refused::invalid("lines[0].quantity", "is empty; say how many came back")),
            Some(lines) => lines,
            None => line_editor::sku_lines(&line_editor::typed(fields))?,
        };
        Ok(Command::ReturnOrder(ReturnOrder {
            id,
            location: fields.text("location").to_owned(),
            lines,
            state: fields.given("state"),
            reason: fields.given("reason"),
            refund: fields.is_on("refund"),
        }))
    };
    let command = command();
    carry_out(&app, posted, id, Form::of(Deed::Return, None), command, "returned").await
}

async fn reroute_form(app: &App, v: &Viewer, whole: &Whole, f: &FulfillmentView) -> Result<Markup, Problem> {
    let place = whole.places.name(&f.location).to_owned();
    let title = v.say("Send from elsewhere than {}", &[&place]);
    let id = f.id.0;
    let hidden = html! { input type="hidden" name="fulfillment" value=(id); };
    if whole.detail.handovers.get(&id).is_some_and(|h| h.state.is_away()) {
        let body = html! {
            (hidden)
            p { (v.say("{} has it. It is asked to give it back; when it says that it stays, the rules choose among the other locations.", &[&place])) }
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Ask it back")) } (others(v, whole, Deed::Reroute, f)) }
        };
        return Ok(panel(v, whole, Deed::Reroute, &title, body));
    }
    let command = Command::Reroute(Box::new(Reroute { fulfillment: id, to: None, ship_to: whole.detail.ship_to.clone() }));
    let outcome = app.rehearse(vec![command], v.by()).await?.pop().map(|r| r.outcome);
    let decision: StoredDecision = match outcome {
        Some(Ok(Reply { answer: Answer::Order(after), .. })) => {
            serde_json::from_str(after.decision.get()).map_err(|e| Stop::broken(format!("a decision cannot be read: {e}")))?
        }
        Some(Err(Refused::InsufficientStock { .. })) => return Ok(nothing(v, whole, v.t("No other location has these units."))),
        Some(Err(refused)) => return Ok(nothing(v, whole, &v.whole(&refused.to_string()))),
        _ => return Ok(nothing(v, whole, v.t("Nothing of this order is ready to be sent from elsewhere."))),
    };
    let mut decision = decision;
    decision.explanation.candidates.retain(|c| whole.places.get(&c.location).is_some());
    let best: Vec<&str> = decision.explanation.candidates.iter().filter(|c| c.chosen).map(|c| whole.places.name(&c.location)).collect();
    let chosen = v.typed("to").unwrap_or_default();
    let choice = |c: &Considered, is_whole: bool| {
        let can = is_whole && c.cost.is_some();
        html! { input type="radio" name="to" value=(c.location) disabled[!can] checked[can && chosen == c.location] aria-label=(v.say("Send all from {}", &[&whole.places.name(&c.location)])); " " }
    };
    let body = html! {
        (hidden)
        label.check {
            input type="radio" name="to" value="" checked[chosen.is_empty()] autofocus;
            span { b { (v.t("Let the rules choose")) } @if !best.is_empty() { ": " (best.join(" + ")) ", " (why::cost(v, decision.explanation.cost, whole.currency())) } }
        }
        (why::candidates(v, &whole.places, &decision, whole.currency(), choice))
        p.muted { (v.say("The units at {} can be promised again at once.", &[&place])) }
        div.form-foot { button.btn.btn-primary type="submit" { (icon("route")) (v.t("Reroute")) } (others(v, whole, Deed::Reroute, f)) }
    };
    Ok(panel(v, whole, Deed::Reroute, &title, body))
}

pub async fn reroute(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Order, &id)?;
    let text = posted.fields.text("fulfillment").to_owned();
    let whole = one::load(&app, &posted.viewer, id).await?;
    let fulfillment = text.parse().map_err(|_| Refused::unknown(Noun::Fulfillment, &text, "fulfillment"));
    let (to, ship_to) = (posted.fields.given("to"), whole.detail.ship_to);
    let command = fulfillment.map(|fulfillment| Command::Reroute(Box::new(Reroute { fulfillment, to, ship_to })));
    carry_out(&app, posted, id, Form::of(Deed::Reroute, Some(&text)), command, "rerouted").await
}

pub async fn note(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Order, &id)?;
    let note = posted.fields.text("note").to_owned();
    match posted.submit(&app, Command::AddNote(AddNote { id, note })).await {
        Ok(_) => Ok(see(&format!("/orders/{id}?said=noted"))),
        Err(stop) => {
            let viewer = posted.viewer.refused(posted.fields.0, stop)?;
            let whole = one::load(&app, &viewer, id).await?;
            Ok(one::show(&viewer, &whole, None).into_response())
        }
    }
}
