//! What is done to several orders at once: first what would be done, what is refused and why; then each order by a command of its
//! own, told one by one.

use crate::App;
use crate::console::fields::{Fields, Posted, pairs};
use crate::console::line_editor::Cell;
use crate::console::parts::{Field, empty, form, icon, state};
use crate::console::several;
use crate::console::shell::{self, Page, Sheet};
use crate::console::status;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::extract::State;
use domain::Refused;
use domain::steps::Status;
use engine::orders::cancel::CancelOrder;
use engine::orders::read;
use engine::orders::ship::Ship;
use engine::views::{FulfillmentView, OrderView};
use engine::{Answer, Command, Reply, rehearse};
use maud::{Markup, html};

/// Most orders at once.
const MOST: usize = 100;

/// What is to be done to each order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Cancel,
    Ship,
}

/// What would be done to an order, or why not.
struct Plan {
    order: OrderView,
    seen: String,
    would: Result<OrderView, String>,
}

pub async fn cancel(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    preview(&app, viewer, Deed::Cancel).await
}

pub async fn ship(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    preview(&app, viewer, Deed::Ship).await
}

async fn preview(app: &App, v: Viewer, deed: Deed) -> Result<Page, Problem> {
    let ids = several::ids(&Fields(pairs(&v.query)), MOST);
    plan(app, v, deed, ids).await
}

async fn plan(app: &App, v: Viewer, deed: Deed, ids: Vec<i64>) -> Result<Page, Problem> {
    let (by, grant, now, reader) = (v.by(), v.grant(), v.now, v.clone());
    let plans = app
        .read_shared(move |tx, config| {
            let orders = read::seen(tx, config, &ids, &grant)?;
            let commands: Vec<Command> = orders.iter().filter_map(|(order, _)| deed.command(order).ok()).collect();
            let mut outcomes = rehearse(tx, config, now, &by, &commands)?.into_iter().map(|r| r.outcome);
            let mut would = |order: &OrderView| {
                deed.command(order).map_err(|why| reader.t(why).to_owned())?;
                match outcomes.next() {
                    Some(Ok(Reply { answer: Answer::Order(after), .. })) => Ok(*after),
                    Some(Err(refused)) => Err(reader.whole(&refused.to_string()).into_owned()),
                    _ => Err(String::new()),
                }
            };
            Ok(orders.into_iter().map(|(order, seen)| Plan { would: would(&order), order, seen }).collect::<Vec<Plan>>())
        })
        .await?;
    Ok(show_plan(&v, deed, &plans))
}

impl Deed {
    /// The command for one order, or why there is none.
    fn command(self, order: &OrderView) -> Result<Command, &'static str> {
        match self {
            Deed::Cancel => Ok(Command::CancelOrder(CancelOrder { id: order.id.0, ..CancelOrder::default() })),
            Deed::Ship => match open(order).as_slice() {
                [one] => Ok(Command::Ship(Ship { fulfillment: one.id.0, ..Ship::default() })),
                [] => Err("Nothing of it is ready to be shipped."),
                _ => Err("Several locations send it: ship them one by one."),
            },
        }
    }

    /// The command for one order as the form says. None if it does not say what is to be shipped.
    fn chosen(self, order: i64, fields: &Fields) -> Option<Command> {
        Some(match self {
            Deed::Cancel => Command::CancelOrder(CancelOrder { id: order, reason: fields.given("reason"), ..CancelOrder::default() }),
            Deed::Ship => Command::Ship(Ship {
                fulfillment: fields.text(&format!("fulfillment.{order}")).parse().ok()?,
                carrier: fields.given("carrier"),
                tracking_number: fields.given(&format!("tracking.{order}")),
                lines: None,
            }),
        })
    }

    fn address(self) -> &'static str {
        match self {
            Deed::Cancel => "/orders/cancel",
            Deed::Ship => "/orders/ship",
        }
    }

    fn title(self, v: &Viewer) -> &'static str {
        match self {
            Deed::Cancel => v.t("Cancel orders"),
            Deed::Ship => v.t("Ship orders"),
        }
    }
}

/// Fulfillments of which something can still be sent.
fn open(order: &OrderView) -> Vec<&FulfillmentView> {
    let is_open = |f: &&FulfillmentView| matches!(status::parse(f.status), Status::Open | Status::PartiallyFulfilled);
    order.fulfillments.iter().filter(is_open).collect()
}

fn sum(order: &OrderView, figure: fn(&engine::views::OrderLineView) -> i64) -> i64 {
    order.lines.iter().map(figure).sum()
}

/// What was or would be done, from the order before and after.
fn told(v: &Viewer, deed: Deed, before: &OrderView, after: &OrderView) -> String {
    let units = |n: i64| v.count(n, "unit", "units");
    match deed {
        Deed::Ship => {
            let shipped = sum(after, |l| l.shipped) - sum(before, |l| l.shipped);
            let from: Vec<&str> = open(before).iter().map(|f| &*f.location).collect();
            v.say("{} from {}", &[&units(shipped), &from.join(", ")])
        }
        Deed::Cancel => match sum(after, |l| l.canceled) - sum(before, |l| l.canceled) {
            0 => v.t("The warehouse is asked to give it back; it is canceled when the warehouse says so").to_owned(),
            canceled if sum(after, |l| l.shipped) > 0 => v.say("{}; what has shipped stays shipped", &[&units(canceled)]),
            canceled => units(canceled),
        },
    }
}

fn show_plan(v: &Viewer, deed: Deed, plans: &[Plan]) -> Page {
    // From the list, or from the form that was refused.
    let back = Fields(if v.typed.is_empty() { pairs(&v.query) } else { v.typed.clone() }).back("/orders");
    let good = plans.iter().filter(|p| p.would.is_ok()).count() as i64;
    let refused = plans.len() as i64 - good;
    let sub = match (good, refused) {
        (good, 0) => v.say("{} chosen", &[&v.count(good, "order", "orders")]),
        (good, refused) => v.say("{} can be done, {} cannot", &[&v.num(good), &v.num(refused)]),
    };
    let head = shell::head(deed.title(v), html! { (sub) }, html! { a.btn href=(back) { (v.t("Back to the orders")) } });
    let label = match deed {
        Deed::Cancel => v.say("Cancel {}", &[&v.count(good, "order", "orders")]),
        Deed::Ship => v.say("Ship {}", &[&v.count(good, "order", "orders")]),
    };
    let body = html! {
        @if plans.is_empty() {
            section.panel { (empty(v.t("No orders were chosen"), html! { (v.t("Tick some in the list first.")) }, html! { a.btn.btn-primary href=(back) { (v.t("Orders")) } })) }
        } @else {
            (form(v, deed.address(), html! { section.panel aria-label=(deed.title(v)) {
                input type="hidden" name="next" value=(back);
                div.panel-body {
                    @match deed {
                        Deed::Cancel => { div.stack-s {
                            (Field::new("reason", "Reason").required().focus().hint(html! { (v.t("Stands in the ledger, and is told to the channel.")) }).show(v))
                            p.muted { (v.t("The units can be promised again at once. A marketplace that can be told pays the buyer back; what cannot be told comes to the desk. Other payments are yours to return.")) }
                        } }
                        Deed::Ship => (Field::new("carrier", "Carrier").focus().hint(html! { (v.t("Of all of them; tracking numbers stand beside each order.")) }).show(v)),
                    }
                }
                (table(v, deed, plans))
                div.panel-foot {
                    @if good > 0 { button class=(if deed == Deed::Cancel { "btn btn-danger" } else { "btn btn-primary" }) type="submit" { (label) } }
                    a.btn href=(back) { (v.t("Leave as it is")) }
                }
            } }))
        }
    };
    shell::page(v, Sheet { title: deed.title(v).into(), here: "/orders", topics: String::new(), head, body })
}

fn table(v: &Viewer, deed: Deed, plans: &[Plan]) -> Markup {
    html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (deed.title(v)) }
            thead { tr {
                th scope="col" { (v.t("Order")) } th scope="col" { (v.t("Channel")) } th scope="col" { (v.t("Customer")) } th scope="col" { (v.t("State")) }
                th scope="col" { (v.t("What is done")) } @if deed == Deed::Ship { th scope="col" { (v.t("Tracking number")) } } @else { th.num scope="col" { (v.t("Total")) } }
            } }
            tbody { @for Plan { order, seen: etag, would } in plans { @let id = order.id.0; tr {
                th scope="row" {
                    a href={ "/orders/" (id) } { (order.number) }
                    @if would.is_ok() {
                        input type="hidden" name="id" value=(id); (several::seen(id, etag))
                        @if deed == Deed::Ship { @for f in open(order) { input type="hidden" name={ "fulfillment." (id) } value=(f.id.0); } }
                    }
                }
                td data-label=(v.t("Channel")) { (order.channel) " " span.quiet { (order.reference) } }
                td data-label=(v.t("Customer")) { (order.customer.as_deref().unwrap_or("–")) }
                td data-label=(v.t("State")) { (status::cell(v, status::parse(order.status))) }
                td.wrap data-label=(v.t("What is done")) {
                    @match would {
                        Ok(after) => (told(v, deed, order, after)),
                        Err(why) => span.is-danger { (icon("x")) " " (why) },
                    }
                }
                @if deed == Deed::Ship {
                    td data-label=(v.t("Tracking number")) { @if would.is_ok() { (Cell::new(&format!("tracking.{id}"), v.say("Tracking number of {}", &[&order.number])).show(v)) } }
                } @else {
                    td.num data-label=(v.t("Total")) { @if let Some(total) = &order.total { (v.money(total)) } @else { "–" } }
                }
            } } }
        } }
    }
}

pub async fn do_cancel(State(app): State<App>, posted: Posted) -> Result<Page, Problem> {
    if posted.fields.given("reason").is_none() {
        let ids = several::ids(&posted.fields, MOST);
        let Posted { viewer, fields, .. } = posted;
        let viewer = viewer.said_no(fields.0, Refused::invalid("reason", "is empty; say why they are canceled"))?;
        return plan(&app, viewer, Deed::Cancel, ids).await;
    }
    carry_out(&app, posted, Deed::Cancel).await
}

pub async fn do_ship(State(app): State<App>, posted: Posted) -> Result<Page, Problem> {
    carry_out(&app, posted, Deed::Ship).await
}

/// Each order by a command of its own: what is refused of one does not keep the others.
async fn carry_out(app: &App, posted: Posted, deed: Deed) -> Result<Page, Problem> {
    let (ids, grant) = (several::ids(&posted.fields, MOST), posted.viewer.grant());
    let orders = app.read(move |tx, config| read::seen(tx, config, &ids, &grant)).await?;
    let chosen = orders.into_iter().filter_map(|(order, _)| Some((deed.chosen(order.id.0, &posted.fields)?, order)));
    let (commands, orders): (Vec<Command>, Vec<OrderView>) = chosen.unzip();
    let keyed = orders.iter().map(|order| order.id.0.to_string()).zip(commands);
    let outcomes = several::each(app, &posted, keyed.collect()).await?;
    let results: Vec<_> = orders.into_iter().zip(outcomes).collect();
    let back = posted.back("/orders");
    Ok(show_results(&posted.viewer, deed, &results, &back))
}

fn show_results(v: &Viewer, deed: Deed, results: &[(OrderView, Result<Reply, Refused>)], back: &str) -> Page {
    let done = results.iter().filter(|(_, result)| result.is_ok()).count() as i64;
    let refused = results.len() as i64 - done;
    let title = match deed {
        Deed::Cancel => v.say("{} canceled", &[&v.count(done, "order", "orders")]),
        Deed::Ship => v.say("{} shipped", &[&v.count(done, "order", "orders")]),
    };
    let sub =
        if refused == 0 { v.t("Nothing was refused.").to_owned() } else { v.say("{} refused, with the reason beside each.", &[&v.num(refused)]) };
    let head = shell::head(&title, html! { (sub) }, html! { a.btn.btn-primary href=(back) { (v.t("Back to the orders")) } });
    let word = if deed == Deed::Cancel { v.t("Canceled") } else { v.t("Shipped") };
    let body = html! {
        section.panel aria-label=(title) { div.table-wrap { table.table.table-stack.no-top {
            caption.vh { (title) }
            thead { tr { th scope="col" { (v.t("Order")) } th scope="col" { (v.t("Customer")) } th scope="col" { (v.t("Result")) } th scope="col" { (v.t("What was done")) } } }
            tbody { @for (order, result) in results { tr {
                th scope="row" { a href={ "/orders/" (order.id.0) } { (order.number) } }
                td data-label=(v.t("Customer")) { (order.customer.as_deref().unwrap_or("–")) }
                td data-label=(v.t("Result")) { @if result.is_ok() { (state("ok", "st-ok", word)) } @else { (state("danger", "st-danger", v.t("Refused"))) } }
                td.wrap data-label=(v.t("What was done")) {
                    @match result {
                        Ok(Reply { answer: Answer::Order(after), .. }) => (told(v, deed, order, after)),
                        Ok(_) => (v.t("Done by the first sending of this form")),
                        Err(refused) => (v.whole(&refused.to_string())),
                    }
                }
            } } }
        } } }
    };
    shell::page(v, Sheet { title, here: "/orders", topics: String::new(), head, body })
}
