//! One order: what it is, how far it is, who sends it, why, and what happened. What can be done about it is in `deeds.rs`; a deed
//! that is asked for stands above the rest.

use super::deeds::{self, Deed};
use super::{Places, destination, is_unfinished, late, map, timeline, why};
use crate::App;
use crate::console::parts::{Part, bar, icon, state};
use crate::console::shell::{self, Page, Sheet};
use crate::console::show::iso;
use crate::console::status;
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::request::id as number;
use axum::extract::{Path, State};
use domain::Permission::{ExceptionsView, OrdersCancel, OrdersReroute, OrdersShip, StockView};
use domain::steps::{Progress, Status};
use domain::{Money, Noun};
use engine::orders::detail::{self, Handed, HandoverView, OrderDetail, SoldOn};
use engine::orders::list::Destination;
use engine::views::{Amount, FulfillmentView, OrderLineView};
use engine::{Stop, day_of};
use maud::{Markup, html};

/// An order with the names of the locations that may be seen.
pub struct Whole {
    pub detail: OrderDetail,
    pub places: Places,
}

impl Whole {
    /// Fulfillments of which something is still to be sent, with the day that is meant for it (days since 1970 UTC).
    pub fn unsent(&self) -> impl Iterator<Item = (&FulfillmentView, i64)> {
        let open = |f: &&FulfillmentView| matches!(status::parse(f.status), Status::Open | Status::PartiallyFulfilled);
        self.detail.order.fulfillments.iter().filter(open).map(|f| (f, day(f)))
    }

    pub fn status(&self) -> Status {
        status::parse(self.detail.order.status)
    }

    pub fn currency(&self) -> Option<&str> {
        self.detail.order.total.as_ref().map(|t| t.currency.as_str())
    }

    pub fn name<'a>(&'a self, sku: &'a str) -> &'a str {
        self.detail.names.get(sku).map_or(sku, String::as_str)
    }
}

/// A fulfillment's day as it counts days: since 1970 UTC.
fn day(f: &FulfillmentView) -> i64 {
    let date: Option<jiff::civil::Date> = f.day.parse().ok();
    date.and_then(|d| d.to_zoned(jiff::tz::TimeZone::UTC).ok()).map_or(0, |z| z.timestamp().as_second() / 86_400)
}

pub async fn load(app: &App, v: &Viewer, id: i64) -> Result<Whole, Stop> {
    let grant = v.grant();
    app.read(move |tx, config| Ok(Whole { detail: detail::detail(tx, config, id, &grant)?, places: Places::of(config, &grant) })).await
}

pub async fn page(State(app): State<App>, Path(id): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let whole = load(&app, &viewer, number(Noun::Order, &id)?).await?;
    Ok(show(&viewer, &whole, None))
}

/// The page, with what is to be done above the rest.
pub fn show(v: &Viewer, whole: &Whole, deed: Option<Markup>) -> Page {
    let order = &whole.detail.order;
    let body = html! {
        (figures(v, whole))
        @if v.may(ExceptionsView) { @for e in &whole.detail.exceptions {
            div.banner.banner-warn { (icon("warn")) div { b { (v.whole(&e.title)) } " " (v.whole(&e.detail)) } a.btn.btn-s href={ "/exceptions/" (e.id.0) } { (v.t("Look at it")) } }
        } }
        div.cols.cols-side {
            div.stack {
                @if let Some(deed) = deed { (deed) }
                (lines(v, whole))
                @for (n, f) in order.fulfillments.iter().enumerate() { (fulfillment(v, whole, n, f)) }
                @if whole.detail.elsewhere > 0 { p.muted { (v.say("{} of other locations are not shown.", &[&v.count(whole.detail.elsewhere as i64, "fulfillment", "fulfillments")])) } }
                @if let Some(decision) = &whole.detail.decision { (why::panel(v, &whole.places, decision, whole.currency(), reroute_link(v, whole))) }
            }
            aside.stack { (map::panel(v, whole)) (address(v, whole)) (timeline::panel(v, whole)) }
        }
    };
    let topics = format!("order:{} exceptions", order.id.0);
    shell::page(v, Sheet { title: order.number.clone(), here: "/orders", topics, head: head(v, whole), body })
}

fn head(v: &Viewer, whole: &Whole) -> Markup {
    let order = &whole.detail.order;
    let to = Destination {
        country: whole.detail.ship_to.country.clone(),
        postal_code: whole.detail.ship_to.postal_code.clone(),
        city: whole.detail.ship_to.city.clone(),
    };
    let who = order.customer.as_deref().or(whole.detail.ship_to.name.as_deref());
    html! {
        div.page-head {
            div.grow {
                p.crumb { a href="/orders" { (v.t("Orders")) } (icon("right")) a href={ "/orders?channel=" (order.channel) } { (order.channel) } (icon("right")) span { (order.reference) } }
                h1.row { (v.say("Order {}", &[&order.number])) " " (status::tag(v, whole.status())) }
                p.sub {
                    @if let Some(who) = who { (who) ", " } (destination(&to)) ". "
                    (v.t("Placed")) " " time datetime=(iso(order.placed_at.0)) { (v.moment(order.placed_at.0)) } "."
                }
            }
            (deeds_row(v, whole))
        }
    }
}

/// What can be done, each with its key, where the status and the role allow it.
fn deeds_row(v: &Viewer, whole: &Whole) -> Markup {
    let id = whole.detail.order.id.0;
    let deed = |deed: Deed, class: &str, shape: &str, text: &'static str| {
        html! { a class=(class) href=(deed.address(id)) data-key=(deed.key()) { (icon(shape)) (v.t(text)) " " kbd { (deed.key().to_uppercase()) } } }
    };
    let ready = whole.unsent().next().is_some();
    let status = whole.status();
    html! {
        @if v.may(OrdersCancel) && matches!(status, Status::PartiallyFulfilled | Status::Fulfilled) { (deed(Deed::Return, "btn", "undo", "Return")) }
        @if v.may(OrdersCancel) && is_unfinished(status) { (deed(Deed::Cancel, "btn", "off", "Cancel the order")) }
        @if v.may(OrdersReroute) && ready { (deed(Deed::Reroute, "btn", "route", "Reroute")) }
        @if v.may(OrdersShip) && ready { (deed(Deed::Ship, "btn btn-primary", "truck", "Ship")) }
    }
}

fn reroute_link(v: &Viewer, whole: &Whole) -> Markup {
    html! { @if v.may(OrdersReroute) && whole.unsent().next().is_some() { a href=(Deed::Reroute.address(whole.detail.order.id.0)) { (v.t("Route it again with the stock of now")) } } }
}

fn figures(v: &Viewer, whole: &Whole) -> Markup {
    let order = &whole.detail.order;
    let sum = |figure: fn(&OrderLineView) -> i64| order.lines.iter().map(figure).sum::<i64>();
    let (units, shipped, returned) = (sum(|l| l.quantity - l.canceled), sum(|l| l.shipped), sum(|l| l.returned));
    let waiting: i64 = order.backordered.iter().map(|b| b.quantity).sum();
    let left = order.fulfillments.iter().flat_map(|f| &f.shipments).map(|s| s.shipped_at.0).max();
    let took = if is_unfinished(whole.status()) { v.now } else { left.unwrap_or(v.now) } - order.placed_at.0;
    let (name, value) = match whole.status() {
        Status::Fulfilled => ("Took", v.age(took)),
        Status::Canceled => ("Age", "–".to_owned()),
        _ => ("Age", v.age(took)),
    };
    let more = [(returned, "{} returned"), (waiting, "{} wait for stock"), (sum(|l| l.canceled), "{} canceled")];
    let more: Vec<String> = more.into_iter().filter(|(n, _)| *n > 0).map(|(n, text)| v.say(text, &[&v.num(n)])).collect();
    let cost = whole.detail.decision.as_ref().map(|d| d.explanation.cost).filter(|cost| *cost > 0);
    html! {
        dl.panel.kpis.kpis-4 data-key="figures" {
            (figure(v.t(name), html! { (value) }, promise(v, whole)))
            (figure(v.t("Shipped"), html! { (v.num(shipped)) " " small { (v.say("of {}", &[&v.count(units, "unit", "units")])) } }, html! {
                @if more.is_empty() { (bar(&v.say("{} of {} units shipped", &[&v.num(shipped), &v.num(units)]), units.max(1), &[("b-a", shipped)], None)) } @else { (more.join(", ")) }
            }))
            (figure(v.t("Total"), html! { @if let Some(total) = &order.total { (v.money(total)) } @else { "–" } }, html! { (v.count(order.lines.len() as i64, "line", "lines")) }))
            (figure(v.t("Cost to serve"), html! { @if let Some(cost) = cost { (why::cost(v, cost, whole.currency())) } @else { "–" } }, html! { (share(v, whole, cost)) }))
        }
    }
}

fn figure(name: &str, value: Markup, note: Markup) -> Markup {
    html! { div.kpi { dt { (name) } dd { span.fig { span.val.val-m { (value) } } span.note { (note) } } } }
}

/// What a share of the total the cost is.
fn share(v: &Viewer, whole: &Whole, cost: Option<i64>) -> String {
    let total = whole.detail.order.total.as_ref().and_then(|t| t.amount.parse::<f64>().ok()).filter(|t| *t > 0.0);
    match cost.zip(total) {
        Some((cost, total)) => v.say("{}% of the order, as routed", &[&v.decimal(cost as f64 / 1e4 / total, 1)]),
        None => v.t("Shipping, handling, risk").to_owned(),
    }
}

/// Whether it leaves as it should. There is no promised date; each location means to send what it has to on a day.
fn promise(v: &Viewer, whole: &Whole) -> Markup {
    let today = day_of(v.now);
    let first = whole.unsent().min_by_key(|(_, day)| *day);
    html! {
        @match (whole.status(), first) {
            (Status::Fulfilled, _) => (state("ok", "st-ok", v.t("All has shipped"))),
            (Status::Canceled, _) => (v.t("Nothing is to be sent")),
            (Status::Queued, _) => (v.t("Waits for a routing run")),
            (_, Some((f, day))) => {
                @if let Some(late) = late(v, day, today) { (state("warn", "st-warn", &v.say("{} at {}", &[&late, &whole.places.name(&f.location)]))) }
                @else if day == today { (state("ok", "st-ok", &v.say("Leaves {} today", &[&whole.places.name(&f.location)]))) }
                @else { (v.say("Leaves {} {}", &[&whole.places.name(&f.location), &v.day(day)])) }
            }
            _ => (v.t("Waits for stock")),
        }
    }
}

/// A price times a number of units.
fn times(price: &Amount, units: i64) -> Option<Amount> {
    let money = price.parse("price").ok()?;
    let money = Money { minor: money.minor.checked_mul(units)?, ..money };
    Some(Amount { amount: money.amount(), currency: money.currency.code().to_owned() })
}

fn lines(v: &Viewer, whole: &Whole) -> Markup {
    let order = &whole.detail.order;
    let has = |figure: fn(&OrderLineView) -> i64| order.lines.iter().any(|l| figure(l) > 0);
    let columns: Vec<(&'static str, fn(&[i64; 5]) -> i64)> = [
        (true, "Ordered", (|f| f[0]) as fn(&[i64; 5]) -> i64),
        (true, "Shipped", |f| f[1]),
        (has(|l| l.backordered), "Backordered", |f| f[2]),
        (has(|l| l.canceled), "Canceled", |f| f[3]),
        (has(|l| l.returned), "Returned", |f| f[4]),
    ]
    .into_iter()
    .filter(|(shown, ..)| *shown)
    .map(|(_, name, figure)| (name, figure))
    .collect();
    let priced = order.lines.iter().any(|l| l.unit_price.is_some());
    let figures =
        |f: [i64; 5]| html! { @for (name, figure) in &columns { @let n = figure(&f); td.num.zero[n == 0] data-label=(v.t(name)) { (v.num(n)) } } };
    let item = |sku: &str| html! { @if v.may(StockView) { a href={ "/items/" (crate::console::fields::step(sku)) } { (whole.name(sku)) } } @else { (whole.name(sku)) } };
    let body = html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("Lines")) }
            thead { tr {
                th scope="col" { (v.t("Item")) } th scope="col" { (v.t("State")) }
                @for (name, _) in &columns { th.num scope="col" { (v.t(name)) } }
                @if priced { th.num scope="col" { (v.t("Price")) } th.num scope="col" { (v.t("Total")) } }
            } }
            tbody { @for l in &order.lines {
                tr {
                    th scope="row" { (item(&l.sku)) small { (l.sku) @if !l.components.is_empty() { ", " (v.t("kit")) } } }
                    td data-label=(v.t("State")) { (status::cell(v, line_status(l, whole.status()))) }
                    (figures([l.quantity, l.shipped, l.backordered, l.canceled, l.returned]))
                    @if priced {
                        td.num data-label=(v.t("Price")) { @if let Some(price) = &l.unit_price { (v.money(price)) } @else { "–" } }
                        td.num.strong data-label=(v.t("Total")) { @if let Some(total) = l.unit_price.as_ref().and_then(|p| times(p, l.quantity)) { (v.money(&total)) } @else { "–" } }
                    }
                }
                @for c in &l.components { tr.component {
                    td { span.quiet { "└ " } (item(&c.sku)) " " span.aside { (c.sku) } }
                    td {}
                    (figures([c.quantity, c.shipped, c.backordered, c.canceled, c.returned]))
                    @if priced { td {} td {} }
                } }
            } }
            @if let Some(total) = &order.total { tfoot.foot-sum { tr { th.num scope="row" colspan=(columns.len() + 3) { (v.t("Total")) } td.num { (v.money(total)) } } } }
        } }
    };
    let head = html! { span.sub { (v.count(order.lines.len() as i64, "line", "lines")) ", " (v.count(order.lines.iter().map(|l| l.quantity).sum(), "unit", "units")) } };
    Part::new("lines", v.t("Lines"), body).head(head).show()
}

fn line_status(l: &OrderLineView, order: Status) -> Status {
    match (Progress { ordered: l.quantity, canceled: l.canceled, shipped: l.shipped, backordered: l.backordered }).status() {
        Status::Open if order == Status::Queued => Status::Queued,
        status => status,
    }
}

/// “6”, or “2 of 6” while some are shipped.
fn units(v: &Viewer, shipped: i64, quantity: i64) -> String {
    if shipped == 0 || shipped == quantity { v.num(quantity) } else { v.say("{} of {}", &[&v.num(shipped), &v.num(quantity)]) }
}

fn fulfillment(v: &Viewer, whole: &Whole, n: usize, f: &FulfillmentView) -> Markup {
    let id = whole.detail.order.id.0;
    let all = whole.detail.order.fulfillments.len();
    let is_open = matches!(status::parse(f.status), Status::Open | Status::PartiallyFulfilled);
    let title = if all == 1 { v.t("Fulfillment").to_owned() } else { v.say("Fulfillment {} of {}", &[&(n + 1), &all]) };
    let canceled: i64 = f.lines.iter().map(|l| l.canceled).sum();
    let wanted: Vec<_> = f.lines.iter().filter(|l| l.quantity > l.canceled).collect();
    let today = day_of(v.now);
    let fact = |name: &'static str, value: Markup| html! { dt { (v.t(name)) } dd { (value) } };
    let body = html! {
        div.panel-body.stack-m {
            dl.facts {
                (fact("From", html! { (whole.places.name(&f.location)) }))
                (fact("Day", html! { (v.day(day(f))) @if let Some(late) = late(v, day(f), today).filter(|_| is_open) { " " (state("warn", "st-warn", &late)) } }))
                @if !wanted.is_empty() { (fact("Units", html! {
                    ul.plain { @for l in &wanted { li { (units(v, l.shipped, l.quantity - l.canceled)) " × " (l.sku) " " span.quiet { (whole.name(&l.sku)) } } } }
                })) }
                @if canceled > 0 { (fact("Canceled here", html! { (v.count(canceled, "unit", "units")) })) }
                @if let Some(handover) = whole.detail.handovers.get(&f.id.0) { (fact("Warehouse", with_warehouse(v, handover))) }
                @for s in &f.shipments {
                    (fact("Shipped", html! {
                        time datetime=(iso(s.shipped_at.0)) { (v.moment(s.shipped_at.0)) } ", " (v.count(s.lines.iter().map(|l| l.quantity).sum(), "unit", "units"))
                        @if let Some(carrier) = &s.carrier { ", " (carrier) }
                        @if let Some(tracking) = &s.tracking_number { ", " span.mono { (tracking) } " " button.btn.btn-ghost.btn-s.btn-icon type="button" data-copy=(tracking) data-js aria-label=(v.t("Copy the tracking number")) { (icon("copy")) span.done { (icon("ok")) } } }
                    }))
                }
            }
        }
        @if is_open && (v.may(OrdersShip) || v.may(OrdersReroute)) && all > 1 { div.panel-foot {
            @if v.may(OrdersShip) { a.btn.btn-s href={ (Deed::Ship.address(id)) "?fulfillment=" (f.id.0) } { (icon("truck")) (v.t("Ship this one")) } }
            @if v.may(OrdersReroute) { a.btn.btn-s href={ (Deed::Reroute.address(id)) "?fulfillment=" (f.id.0) } { (icon("route")) (v.t("Reroute this one")) } }
        } }
    };
    html! {
        section.panel data-part data-key={ "f" (f.id.0) } aria-labelledby={ "h-f" (f.id.0) } {
            div.panel-head { h2 id={ "h-f" (f.id.0) } { (title) } span.sub { (whole.places.name(&f.location)) } span.right { (status::cell(v, status::parse(f.status))) } }
            (body)
        }
    }
}

/// How far somebody else's warehouse is.
fn with_warehouse(v: &Viewer, h: &HandoverView) -> Markup {
    let (shape, class, word) = match h.state {
        Handed::Waiting => ("queued", "st-off", "To be handed over"),
        Handed::Sending => ("clock", "st-info", "Being handed over"),
        Handed::Working => ("ok", "st-info", "At work"),
        Handed::Stuck => ("warn", "st-warn", "Waits for a person there"),
        Handed::Refused => ("danger", "st-danger", "Not taken"),
        Handed::Shipped => ("ok", "st-ok", "Shipped"),
        Handed::Canceled => ("off", "st-off", "Given back"),
    };
    html! {
        (state(shape, class, v.t(word)))
        @if h.asked_back { ", " (v.t("asked to give it back")) }
        @if let Some(external) = &h.external { ", " (v.say("there as {}", &[external])) }
        ", " (v.say("heard {}", &[&v.ago(h.heard_at.0)]))
        @if let Some(fault) = &h.fault { small.blk { (fault) } }
    }
}

fn address(v: &Viewer, whole: &Whole) -> Markup {
    let (order, to) = (&whole.detail.order, &whole.detail.ship_to);
    let town: Vec<&str> = [to.postal_code.as_deref(), to.city.as_deref(), to.province.as_deref()].into_iter().flatten().collect();
    let town = Some(town.join(" ")).filter(|t| !t.is_empty());
    let lines = [to.name.clone(), to.company.clone(), to.address1.clone(), to.address2.clone(), town, Some(to.country.clone())];
    let fact = |name: &'static str, value: Markup| html! { dt { (v.t(name)) } dd { (value) } };
    let body = html! {
        div.panel-body { dl.facts {
            (fact("Ships to", html! { @for line in lines.into_iter().flatten().filter(|l| !l.is_empty()) { span.blk { (line) } } }))
            @if let Some(phone) = &to.phone { (fact("Phone", html! { (phone) })) }
            @if let Some(email) = &to.email { (fact("Mail", html! { (email) })) }
            @if let Some(customer) = &order.customer { (fact("Customer", html! { (customer) })) }
            (fact("Sold on", html! { @match &whole.detail.sold_on {
                SoldOn::Marketplace { name, .. } => { @if v.may(domain::Permission::ChannelsView) { a href={ "/channels/" (crate::console::fields::step(&order.channel)) } { (name) } } @else { (name) } }
                SoldOn::Contract => (v.say("{}, under contract", &[&order.channel])),
                SoldOn::Own => (order.channel),
            } }))
            @if let Some(reservation) = &order.reservation { (fact("Hold", html! { a href={ "/reservations/" (reservation.0) } { (v.say("Reservation {}", &[&reservation.0])) } })) }
        } }
    };
    Part::new("address", v.t("Destination"), body).show()
}

/// For deeds: the page with a form above it.
pub async fn with(app: &App, v: &Viewer, id: i64, form: deeds::Form) -> Result<Page, Problem> {
    let whole = load(app, v, id).await?;
    let panel = form.panel(app, v, &whole).await?;
    Ok(show(v, &whole, Some(panel)))
}
