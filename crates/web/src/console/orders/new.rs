//! A new order typed in by hand: for support and for orders by telephone. What it would come to is shown while it is typed, by the
//! very rules that will decide.

use super::Places;
use crate::App;
use crate::console::fields::{Fields, Posted, pairs, see};
use crate::console::line_editor::{self, Typed};
use crate::console::parts::{Field, check, csrf, icon, once, select};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::{Html, IntoResponse};
use domain::{Refused, Shortfall};
use engine::access::reach;
use engine::catalog::read::{Named, by_skus, names};
use engine::db::Tx;
use engine::orders::place::{PlaceLine, PlaceOrder, ShipTo};
use engine::stock::read::stock;
use engine::views::{Amount, OrderView, StockView};
use engine::{Answer, Command, Config, Reply, Stop, rehearse};
use maud::{Markup, html};
use std::sync::Arc;

/// Lines whose stock is looked up while one types.
const LOOKED_UP: usize = 50;
/// Channels that are offered.
const OFFERED: usize = 100;

/// The form as an order. Refuses what cannot be read; what may not be ordered, the engine refuses.
fn order(v: &Viewer, fields: &Fields, typed: &[Typed]) -> Result<PlaceOrder, Refused> {
    let to = |name: &str| fields.given(&format!("ship_to.{name}"));
    let currency = currency(v, fields);
    let price = |line: &Typed| {
        // A comma where the reader's language parts decimals by one.
        let amount = if v.language.marks().1 == ',' { line.price.replace(',', ".") } else { line.price.clone() };
        (!amount.is_empty()).then(|| Amount { amount, currency: currency.clone() })
    };
    let line = |(n, line): (usize, &Typed)| {
        Ok(PlaceLine { sku: line.sku.clone(), quantity: line_editor::quantity(n, line)?, unit_price: price(line), pack: 1 })
    };
    Ok(PlaceOrder {
        channel: fields.text("channel").to_owned(),
        reference: fields.text("reference").to_owned(),
        ship_to: ShipTo {
            country: fields.text("ship_to.country").to_uppercase(),
            postal_code: to("postal_code"),
            latitude: None,
            longitude: None,
            name: to("name"),
            company: to("company"),
            address1: to("address1"),
            address2: to("address2"),
            city: to("city"),
            province: to("province"),
            phone: to("phone"),
            email: to("email"),
        },
        lines: typed.iter().enumerate().map(line).collect::<Result<_, Refused>>()?,
        reservation: None,
        customer: fields.given("customer"),
        backorder: fields.is_on("backorder"),
    })
}

/// What stands beside the form: names that it offers.
struct Offered {
    channels: Vec<(String, String)>,
    places: Places,
}

async fn offered(app: &App, v: &Viewer) -> Result<Offered, Stop> {
    let grant = v.grant();
    app.read(move |_, config| {
        let sells = config.channels.iter().filter(|c| c.location.is_none() && grant.on(&c.code));
        Ok(Offered { channels: sells.map(|c| (c.code.to_string(), c.name.clone())).take(OFFERED).collect(), places: Places::of(config, &grant) })
    })
    .await
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let offered = offered(&app, &viewer).await?;
    Ok(show(&viewer, &offered, &[], &html! { p.muted { (viewer.t("Type lines to see what is available and where they would leave from.")) } }))
}

fn show(v: &Viewer, offered: &Offered, short: &[Shortfall], outlook: &Markup) -> Page {
    let head = html! {
        div.page-head {
            div.grow {
                p.crumb { a href="/orders" { (v.t("Orders")) } (icon("right")) span { (v.t("New order")) } }
                h1 { (v.t("New order")) }
                p.sub { (v.t("Accepted, promised and routed in one step, or not at all.")) }
            }
        }
    };
    let of_line = |n: usize| {
        let sku = v.typed(&format!("lines[{n}].sku")).unwrap_or_default();
        let found = short.iter().find(|s| s.sku == sku);
        html! { @if let Some(s) = found { p.error.small role="alert" { (v.say("{} asked, {} available", &[&v.num(s.requested), &v.num(s.available)])) } } }
    };
    let body = html! {
        form action="/orders/new" method="post" data-guard {
            (csrf(v)) (once())
            // What Enter does in a field.
            button.vh type="submit" tabindex="-1" aria-hidden="true" { (v.t("Place order")) }
            div.cols.cols-side data-preview="/orders/new/preview" data-preview-target="outlook" {
                div.stack {
                    section.panel aria-labelledby="h-lines" { div.panel-head { h2 #h-lines { (v.t("Lines")) } } (line_editor::editor(v, true, of_line)) }
                    section.panel aria-labelledby="h-to" { div.panel-head { h2 #h-to { (v.t("Destination")) } } div.panel-body { (ship_to(v, offered)) } }
                }
                aside.stack {
                    section.panel aria-labelledby="h-order" { div.panel-head { h2 #h-order { (v.t("Order")) } } div.panel-body.stack-m { (whose(v, offered)) } }
                    section.panel aria-labelledby="h-outlook" {
                        div.panel-head { h2 #h-outlook { (v.t("Outlook")) } }
                        div.panel-body #outlook aria-live="polite" { (outlook) }
                    }
                }
            }
        }
    };
    shell::page(v, Sheet { title: v.t("New order").into(), here: "/orders", topics: String::new(), head, body })
}

/// A name for an order that has none of its own; another one each time.
fn reference() -> String {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_or_else(|_| String::new(), |()| format!("S-{:08X}", u64::from_le_bytes(random) >> 32))
}

/// Gives lines without a price their items' own, where that is in the order's currency. A contract has prices of its own.
fn price(tx: &mut Tx<'_>, config: &Config, order: &mut PlaceOrder, currency: &str) -> Result<(), Stop> {
    if config.channel_by_code(&order.channel).is_some_and(|c| c.is_contract()) {
        return Ok(());
    }
    let open: Vec<&str> = order.lines.iter().filter(|l| l.unit_price.is_none()).map(|l| l.sku.as_str()).collect();
    let known = by_skus(tx, config, &open)?;
    for line in order.lines.iter_mut().filter(|l| l.unit_price.is_none()) {
        let own = known.iter().find(|(_, item)| *item.sku == *line.sku).and_then(|(_, item)| item.price.as_ref());
        line.unit_price = own.filter(|p| p.currency == currency).cloned();
    }
    Ok(())
}

/// In which currency the order is.
fn currency(v: &Viewer, fields: &Fields) -> String {
    fields.given("currency").unwrap_or_else(|| v.house.currency.clone()).to_uppercase()
}

fn whose(v: &Viewer, offered: &Offered) -> Markup {
    let is_limited = v.grant().channels.is_some();
    html! {
        @if is_limited { (select(v, "channel", "Channel", &offered.channels, "")) }
        @else { (Field::new("channel", "Channel").value("support").required().hint(html! { (v.t("Where it was sold.")) }).show(v)) }
        (Field::new("reference", "Reference").value(reference()).required().hint(html! { (v.t("Its name there. The same again is the same order, never a second one.")) }).show(v))
        (Field::new("customer", "Customer").show(v))
        (Field::new("currency", "Currency").value(&v.house.currency).show(v))
        (check(v, "backorder", "on", false, html! { (v.t("What is missing waits for stock, whatever the items say")) }))
        div.form-foot {
            button.btn.btn-primary type="submit" { (v.t("Place order")) }
            button.btn.no-js type="submit" name="look" value="on" formnovalidate { (v.t("Outlook")) }
        }
    }
}

fn ship_to(v: &Viewer, offered: &Offered) -> Markup {
    let country = offered.places.0.iter().find(|l| l.active).map_or("", |l| &l.country);
    html! {
        div.form-grid {
            (Field::new("ship_to.name", "Name").show(v))
            (Field::new("ship_to.company", "Company").show(v))
            (Field::new("ship_to.address1", "Street and number").show(v))
            (Field::new("ship_to.address2", "Further address").show(v))
            (Field::new("ship_to.postal_code", "Postal code").show(v))
            (Field::new("ship_to.city", "City").show(v))
            (Field::new("ship_to.province", "Province").show(v))
            (Field::new("ship_to.country", "Country").value(country).required().hint(html! { (v.t("Two letters, such as GB")) }).show(v))
            (Field::new("ship_to.phone", "Phone").show(v))
            (Field::new("ship_to.email", "Mail").kind("email").show(v))
        }
    }
}

pub async fn place(State(app): State<App>, posted: Posted) -> Result<Response<Body>, Problem> {
    let typed = line_editor::typed(&posted.fields);
    let offered = offered(&app, &posted.viewer).await?;
    let wants_look = posted.fields.is_on("rows") || posted.fields.is_on("look");
    if wants_look {
        let Posted { mut viewer, fields, .. } = posted;
        let outlook = outlook(&app, &viewer, &fields, &typed).await?;
        viewer.typed = line_editor::again(fields, &typed);
        return Ok(show(&viewer, &offered, &[], &outlook).into_response());
    }
    let outcome = match order(&posted.viewer, &posted.fields, &typed) {
        Ok(mut order) => {
            let currency = currency(&posted.viewer, &posted.fields);
            let order = app
                .read(move |tx, config| {
                    price(tx, config, &mut order, &currency)?;
                    Ok(order)
                })
                .await?;
            posted.submit(&app, Command::PlaceOrder(Box::new(order))).await
        }
        Err(refused) => Err(refused.into()),
    };
    match outcome {
        Ok(reply) => Ok(see(&landing(&reply)?)),
        Err(stop) => {
            let short = match stop.refused() {
                Some(Refused::InsufficientStock { shortfalls }) => shortfalls.clone(),
                _ => Vec::new(),
            };
            let Posted { viewer, fields, .. } = posted;
            let outlook = outlook(&app, &viewer, &fields, &typed).await?;
            let viewer = viewer.refused(line_editor::again(fields, &typed), stop)?;
            Ok(show(&viewer, &offered, &short, &outlook).into_response())
        }
    }
}

/// Where the order that was placed, or was there already, is.
fn landing(reply: &Reply) -> Result<String, Stop> {
    let (id, said) = match &reply.answer {
        Answer::Order(order) => (order.id.0.to_string(), if reply.created { "placed" } else { "known" }),
        Answer::Stored(json) => {
            let order: serde_json::Value = serde_json::from_str(json.get()).unwrap_or_default();
            (order["id"].as_str().unwrap_or_default().to_owned(), "placed")
        }
        _ => return Err(Stop::broken("an order was placed and another thing answered")),
    };
    Ok(format!("/orders/{id}?said={said}"))
}

/// What the order would come to, for the page to put beside the form while it is filled in.
pub async fn preview(State(app): State<App>, viewer: Viewer) -> Result<Html<String>, Problem> {
    let fields = Fields(pairs(&viewer.query));
    let typed = line_editor::typed(&fields);
    Ok(Html(outlook(&app, &viewer, &fields, &typed).await?.into_string()))
}

/// What is there of each line, and what would come of the whole.
struct Outlook {
    stock: Vec<Option<StockView>>,
    named: Named,
    order: Option<Result<OrderView, String>>,
    /// The order is there already.
    known: bool,
}

async fn outlook(app: &App, v: &Viewer, fields: &Fields, typed: &[Typed]) -> Result<Markup, Problem> {
    if typed.is_empty() {
        return Ok(html! { p.muted { (v.t("Type lines to see what is available and where they would leave from.")) } });
    }
    // A line that is still being typed fails for nothing yet.
    let is_whole = typed.iter().all(|line| !line.quantity.is_empty());
    let order = is_whole.then(|| order(v, fields, typed)).map(|order| {
        order.map(|order| PlaceOrder {
            // What is not typed yet is not what it fails for.
            reference: if order.reference.is_empty() { format!("outlook {}", v.now) } else { order.reference },
            channel: if order.channel.is_empty() { "support".into() } else { order.channel },
            ..order
        })
    });
    let skus: Vec<String> = typed.iter().take(LOOKED_UP).map(|line| line.sku.clone()).collect();
    let (reader, currency) = (v.clone(), currency(v, fields));
    let outlook = app.read_shared(move |tx, config| look(tx, config, &reader, &skus, &currency, order)).await?;
    Ok(tell(v, typed, &outlook))
}

/// What the form calls its fields beside those of the lines.
const LABELS: [(&str, &str); 5] = [
    ("channel", "Channel"),
    ("reference", "Reference"),
    ("currency", "Currency"),
    ("ship_to.country", "Country"),
    ("ship_to.postal_code", "Postal code"),
];

fn look(
    tx: &mut Tx<'_>,
    config: &Arc<Config>,
    v: &Viewer,
    skus: &[String],
    currency: &str,
    order: Option<Result<PlaceOrder, Refused>>,
) -> Result<Outlook, Stop> {
    let grant = v.grant();
    let mut found = Vec::with_capacity(skus.len());
    for sku in skus {
        found.push(match stock(tx, config, sku, None) {
            Ok(view) => Some(reach::stock(view, &grant, config)),
            Err(stop) if stop.refused().is_some() => None,
            Err(stop) => return Err(stop),
        });
    }
    let named = names(tx, &skus.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut outlook = Outlook { stock: found, named, order: None, known: false };
    match order {
        None => {}
        Some(Err(refused)) => outlook.order = Some(Err(line_editor::why(v, &refused, &LABELS))),
        Some(Ok(mut order)) => {
            price(tx, config, &mut order, currency)?;
            match rehearse(tx, config, v.now, &v.by(), &[Command::PlaceOrder(Box::new(order))])?.pop().map(|r| r.outcome) {
                Some(Ok(Reply { answer: Answer::Order(order), replayed, .. })) => {
                    outlook.known = replayed;
                    outlook.order = Some(Ok(*order));
                }
                Some(Err(refused)) => outlook.order = Some(Err(line_editor::why(v, &refused, &LABELS))),
                _ => {}
            }
        }
    }
    Ok(outlook)
}

fn tell(v: &Viewer, typed: &[Typed], outlook: &Outlook) -> Markup {
    html! {
        div.stack-m {
            @match &outlook.order {
                Some(Ok(order)) if outlook.known => p { (icon("info")) " " a href={ "/orders/" (order.id.0) } { (v.say("Order {} is there already under this reference.", &[&order.number])) } },
                Some(Ok(order)) => (would(v, order)),
                Some(Err(why)) => p.is-danger { (icon("danger")) " " (why) },
                None => {}
            }
            div.table-wrap { table.table.table-tight.table-flush.no-top {
                caption.vh { (v.t("Available")) }
                thead { tr { th scope="col" { (v.t("Item")) } th scope="col" { (v.t("Where")) } th.num scope="col" { (v.t("Available")) } } }
                tbody { @for (line, stock) in typed.iter().zip(&outlook.stock) { tr {
                    th.wrap scope="row" { (line.sku) @if let Some(name) = outlook.named.get(&*line.sku) { small.blk { (name) } } }
                    @match stock {
                        None => td.is-danger colspan="2" { (v.t("There is no such item")) },
                        Some(stock) => {
                            @let here: Vec<_> = stock.locations.iter().filter(|l| l.balances.available > 0).collect();
                            td.wrap { @for (n, l) in here.iter().enumerate() { @if n > 0 { ", " } (l.location) " " (v.num(l.balances.available)) } @if here.is_empty() { span.quiet { "–" } } }
                            td.num.strong { (v.num(here.iter().map(|l| l.balances.available).sum())) }
                        }
                    }
                } } }
            } }
            @if typed.len() > outlook.stock.len() { p.small.quiet { (v.say("{} further lines are not looked up.", &[&v.num((typed.len() - outlook.stock.len()) as i64)])) } }
        }
    }
}

/// Where it would leave from, and what would wait or be left out.
fn would(v: &Viewer, order: &OrderView) -> Markup {
    let canceled: i64 = order.lines.iter().map(|l| l.canceled).sum();
    let waiting: i64 = order.backordered.iter().map(|b| b.quantity).sum();
    html! {
        ul.plain {
            @for f in &order.fulfillments { li { (icon("ok")) " " (v.say("{} from {}", &[&v.count(f.lines.iter().map(|l| l.quantity).sum(), "unit", "units"), &f.location])) } }
            @if order.status == "queued" { li { (icon("queued")) " " (v.t("Waits for the next routing run; its units are held")) } }
            @if waiting > 0 { li.is-warn { (icon("hold")) " " (v.say("{} wait for stock", &[&v.count(waiting, "unit", "units")])) } }
            @if canceled > 0 { li.is-warn { (icon("off")) " " (v.say("{} are not accepted", &[&v.count(canceled, "unit", "units")])) } }
            @if let Some(total) = &order.total { li { (v.t("Total")) " " b { (v.money(total)) } } }
        }
    }
}
