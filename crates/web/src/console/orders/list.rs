//! The list of orders: a million of them, by time, in views, filtered, searched, chosen for what is done to several at once.

use super::{destination, is_unfinished, late};
use crate::App;
use crate::console::export;
use crate::console::find::{self, Hits};
use crate::console::parts::{bar, empty, icon, kept, pager, search_box, sorted, tabs};
use crate::console::shell::{self, Page, Sheet};
use crate::console::show::iso;
use crate::console::status;
use crate::console::today::pause;
use crate::console::viewer::Viewer;
use crate::counted::Whose;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Grant;
use domain::Permission::{OrdersCancel, OrdersPlace, OrdersShip};
use domain::steps::Status;
use engine::db::Tx;
use engine::orders::counts::{self, Count, Counts};
use engine::orders::list::{self, OrderQuery, OrderRow};
use engine::page::Cursor;
use engine::{Config, Stop, day_of};
use jiff::civil::Date;
use maud::{Markup, html};
use search::Search;

/// Rows of a page.
const SHOWN: usize = 50;
/// Channels and locations that a filter offers by name.
const OFFERED: usize = 100;
/// Hits of a search that the list is made from.
const HITS: usize = 900;

/// The views: the word in the address, and the name.
const VIEWS: [(&str, &str); 8] = [
    ("", "All"),
    ("open", "Open"),
    ("backordered", "Backordered"),
    ("queued", "Queued"),
    ("partially_fulfilled", "Partly shipped"),
    ("late", "Late"),
    ("fulfilled", "Shipped"),
    ("canceled", "Canceled"),
];

/// What the address asks for.
#[derive(Clone, Default)]
struct Asked {
    view: &'static str,
    channel: Option<String>,
    location: Option<String>,
    /// Days in the reader's zone, the last included.
    from: Option<Date>,
    to: Option<Date>,
    text: Option<String>,
    /// A SKU: only orders that have lines of it.
    item: Option<String>,
    oldest_first: bool,
    after: Option<Cursor<2>>,
}

impl Asked {
    fn of(v: &Viewer) -> Asked {
        let view = v.asked("status").and_then(|word| VIEWS.iter().find(|(known, _)| *known == word)).map_or("", |(word, _)| word);
        Asked {
            view,
            channel: v.asked("channel"),
            location: v.asked("location"),
            from: v.day_asked("from"),
            to: v.day_asked("to"),
            text: v.asked("q").map(|q| q.trim().to_owned()).filter(|q| !q.is_empty()),
            item: v.asked("item").map(|sku| sku.trim().to_owned()).filter(|sku| !sku.is_empty()),
            oldest_first: v.asked("sort").as_deref() == Some("placed"),
            after: v.asked("after").and_then(|text| Cursor::parse("after", &text).ok()),
        }
    }

    fn is_filtered(&self) -> bool {
        self.channel.is_some() || self.location.is_some() || self.from.is_some() || self.to.is_some() || self.is_searched()
    }

    fn is_searched(&self) -> bool {
        self.text.is_some() || self.item.is_some()
    }

    /// What the search index knows of it; None if nothing is searched for.
    fn hits(&self, tx: &mut Tx<'_>, search: &Search, channels: Option<&[String]>) -> Result<Option<Hits>, Stop> {
        if !self.is_searched() {
            return Ok(None);
        }
        let item = match &self.item {
            None => None,
            Some(sku) => match item_of(tx, sku)? {
                None => return Ok(Some(Hits::default())),
                known => known,
            },
        };
        find::orders(tx, search, self.text.as_deref().unwrap_or_default(), item, channels, HITS).map(Some)
    }
}

/// The id of an item.
fn item_of(tx: &mut Tx<'_>, sku: &str) -> Result<Option<i64>, Stop> {
    match engine::stock::read::item(tx, sku) {
        Ok(item) => Ok(Some(item.id)),
        Err(stop) if stop.refused().is_some() => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// The orders that the address asks for, as far as the reader may see them.
fn query(v: &Viewer, config: &Config, grant: &Grant, asked: &Asked, limit: usize) -> OrderQuery {
    let seen: Option<Vec<String>> = grant.channels.as_ref().map(|codes| codes.iter().map(|c| c.to_string()).collect());
    let here: Option<Vec<i64>> = grant.locations.as_ref().map(|ids| ids.to_vec());
    let channel = asked.channel.as_ref().map(|code| if grant.on(code) { vec![code.clone()] } else { Vec::new() });
    let location = asked.location.as_ref().map(|code| config.by_code(code).map(|l| l.id).filter(|id| grant.at(*id)).into_iter().collect());
    OrderQuery {
        statuses: Status::parse(asked.view).into_iter().collect(),
        channels: channel.or(seen),
        locations: location.or(here),
        placed_from: asked.from.and_then(|day| v.begin_of(day)),
        placed_to: asked.to.and_then(|day| v.end_of(day)),
        ids: None,
        late_on: (asked.view == "late").then(|| day_of(v.now)),
        oldest_first: asked.oldest_first,
        after: asked.after,
        limit,
    }
}

/// What stands on the page.
struct Found {
    rows: Vec<OrderRow>,
    next: Option<Cursor<2>>,
    counts: Option<Counts>,
    hits: Option<Hits>,
    /// What is searched for is just this item's SKU.
    item_named: Option<String>,
    channels: Vec<(String, String)>,
    locations: Vec<(String, String)>,
}

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let asked = Asked::of(&viewer);
    if viewer.asked("format").as_deref() == Some("csv") {
        return Ok(file(&app, viewer, asked));
    }
    let (v, wanted) = (viewer.clone(), asked.clone());
    let (search, counted) = (app.search.clone(), app.counted.clone());
    let found = app
        .read_as_of(move |tx, config, seq| {
            let counts =
                |tx: &mut Tx<'_>, of: Whose| counted.orders.get(seq, of.clone(), || counts::counts(tx, of.0.as_deref(), of.1.as_deref(), of.2));
            read(tx, config, &search, &v, &wanted, counts)
        })
        .await?;
    Ok(show(&viewer, &asked, &found).into_response())
}

fn read(
    tx: &mut Tx<'_>,
    config: &Config,
    search: &Search,
    v: &Viewer,
    asked: &Asked,
    counts: impl FnOnce(&mut Tx<'_>, Whose) -> Result<Counts, Stop>,
) -> Result<Found, Stop> {
    let grant = v.grant();
    let mut query = query(v, config, &grant, asked, SHOWN);
    let is_whole = asked.from.is_none() && asked.to.is_none() && !asked.is_searched();
    let counts = match is_whole {
        true => Some(counts(tx, (query.channels.clone(), query.locations.clone(), day_of(v.now)))?),
        false => None,
    };
    let mut hits = asked.hits(tx, search, query.channels.as_deref())?;
    let item_named = match &asked.text {
        Some(text) if asked.item.is_none() => item_of(tx, text)?.map(|_| text.clone()),
        _ => None,
    };
    query.ids = hits.as_mut().map(|hits| std::mem::take(&mut hits.ids));
    let page = list::list(tx, config, &query)?;
    let mut rows = page.rows;
    for row in &mut rows {
        row.places.retain(|place| config.by_code(&place.location).is_none_or(|l| grant.at(l.id)));
    }
    let channels = config.channels.iter().filter(|c| c.location.is_none() && grant.on(&c.code)).map(|c| (c.code.to_string(), c.name.clone()));
    let locations = config.locations.iter().filter(|l| grant.at(l.id)).map(|l| (l.code.clone(), l.name.clone()));
    Ok(Found {
        rows,
        next: page.next,
        counts,
        hits,
        item_named,
        channels: channels.take(OFFERED).collect(),
        locations: locations.take(OFFERED).collect(),
    })
}

fn file(app: &App, v: Viewer, asked: Asked) -> Response<Body> {
    const HEAD: [&str; 15] = [
        "id",
        "number",
        "placed_at",
        "channel",
        "reference",
        "status",
        "customer",
        "country",
        "postal_code",
        "city",
        "locations",
        "units",
        "shipped",
        "backordered",
        "total",
    ];
    let (first, search) = (asked.after, app.search.clone());
    export::csv(app.clone(), "orders.csv", &[&HEAD[..], &["currency"]].concat(), first, move |tx, config, after| {
        let grant = v.grant();
        let mut query = OrderQuery { after, ..query(&v, config, &grant, &asked, export::STEP) };
        query.ids = asked.hits(tx, &search, query.channels.as_deref())?.map(|hits| hits.ids);
        let page = list::list(tx, config, &query)?;
        let rows = page.rows.into_iter().map(|row| {
            let here = row.places.iter().filter(|p| config.by_code(&p.location).is_none_or(|l| grant.at(l.id)));
            let places: Vec<&str> = here.map(|p| &*p.location).collect();
            let (total, currency) = row.total.map_or_else(Default::default, |t| (t.amount, t.currency));
            let to = row.ship_to;
            vec![
                row.id.0.to_string(),
                row.number,
                row.placed_at.to_string(),
                row.channel,
                row.reference,
                row.status.word().to_owned(),
                row.customer.unwrap_or_default(),
                to.country,
                to.postal_code.unwrap_or_default(),
                to.city.unwrap_or_default(),
                places.join(" "),
                row.units.to_string(),
                row.shipped.to_string(),
                row.backordered.to_string(),
                total,
                currency,
            ]
        });
        Ok((rows.collect(), page.next.map(Some)))
    })
}

fn show(v: &Viewer, asked: &Asked, found: &Found) -> Page {
    let right = html! {
        (pause(v, "btn"))
        a.btn href=(v.address(&[("format", "csv")])) download { (icon("download")) (v.t("Export")) }
        @if v.may(OrdersPlace) { a.btn.btn-primary href="/orders/new" data-key="n" { (icon("plus")) (v.t("New order")) } }
    };
    let head = shell::head(v.t("Orders"), shell::status(v), right);
    let body = html! {
        section.panel data-select aria-label=(v.t("Orders")) {
            (tabs(v, "Views", &views(v, asked, found.counts.as_ref())))
            (filters(v, asked, found))
            @if let Some(sku) = &found.item_named {
                p.none { (v.say("{} is an item.", &[sku])) " " a href=(v.address(&[("q", ""), ("item", sku)])) { (v.t("Orders with it")) } }
            }
            @if let Some(hits) = &found.hits {
                @if hits.near { p.none { (v.t("Nothing is written just so. These come close.")) } }
                @if hits.more { p.none { (v.say("Many orders fit. Of them, the newest {} are looked at.", &[&v.num(HITS as i64)])) } }
            }
            @if found.rows.is_empty() { (nothing(v, asked, found.next.is_some())) } @else { (table(v, found)) }
            (foot(v, found))
        }
    };
    shell::page(v, Sheet { title: v.t("Orders").into(), here: "/orders", topics: "orders".into(), head, body })
}

fn views(v: &Viewer, asked: &Asked, counts: Option<&Counts>) -> Vec<(String, String, Option<String>, bool)> {
    let told = |count: Count| if count.more { format!("{}+", v.num(count.orders)) } else { v.num(count.orders) };
    let count = |word: &str| {
        let counts = counts?;
        Some(match word {
            "" => {
                told(counts.statuses.iter().fold(Count::default(), |sum, (_, c)| Count { orders: sum.orders + c.orders, more: sum.more || c.more }))
            }
            "late" => told(counts.late),
            word => told(counts.statuses.iter().find(|(status, _)| status.word() == word)?.1),
        })
    };
    VIEWS.iter().map(|(word, name)| (v.address(&[("status", word)]), v.t(name).to_owned(), count(word), *word == asked.view)).collect()
}

fn filters(v: &Viewer, asked: &Asked, found: &Found) -> Markup {
    let chosen = |name: &'static str, label: &'static str, value: Option<&String>, all: &'static str, options: &[(String, String)]| {
        let known = |code: &str| options.iter().find(|(c, _)| c == code).map_or(code.to_owned(), |(_, name)| name.clone());
        html! {
            @if let Some(value) = value { (kept(v, &[name])) (chip(v, label, &known(value), &[name])) }
            @else if !options.is_empty() {
                select.select.select-s name=(name) aria-label=(v.t(label)) data-auto {
                    option value="" { (v.t(all)) }
                    @for (code, name) in options { option value=(code) { (name) } }
                }
            }
        }
    };
    html! {
        form.filters action="/orders" role="search" {
            (search_box(v, "Number, customer, tracking", asked.text.as_deref().unwrap_or("")))
            (kept(v, &["status", "sort"]))
            (chosen("channel", "Channel", asked.channel.as_ref(), "All channels", &found.channels))
            (chosen("location", "Location", asked.location.as_ref(), "All locations", &found.locations))
            @if let Some(sku) = &asked.item { (kept(v, &["item"])) (chip(v, "Item", sku, &["item"])) }
            (placed(v, asked))
            @if asked.is_filtered() { a.small href=(v.address(&[("q", ""), ("item", ""), ("channel", ""), ("location", ""), ("from", ""), ("to", "")])) { (v.t("Clear")) } }
            button.btn.btn-s.no-js type="submit" { (v.t("Apply")) }
        }
    }
}

fn chip(v: &Viewer, label: &'static str, value: &str, names: &[&str]) -> Markup {
    let without: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
    html! {
        span.chip { (v.t(label)) b { (value) } a href=(v.address(&without)) aria-label=(v.say("Remove the filter {}", &[&v.t(label)])) { (icon("x")) } }
    }
}

/// The days between which orders were placed.
fn placed(v: &Viewer, asked: &Asked) -> Markup {
    let day = |day: Date| v.begin_of(day).map_or_else(String::new, |at| v.date(at));
    let told = match (asked.from, asked.to) {
        (None, None) => None,
        (Some(from), Some(to)) if from == to => Some(day(from)),
        (Some(from), Some(to)) => Some(v.say("{} to {}", &[&day(from), &day(to)])),
        (Some(from), None) => Some(v.say("from {}", &[&day(from)])),
        (None, Some(to)) => Some(v.say("until {}", &[&day(to)])),
    };
    let field = |name: &'static str, label: &'static str, day: Option<Date>| {
        html! { div.field { label for={ "f-" (name) } { (v.t(label)) } input.input id={ "f-" (name) } name=(name) type="date" value=(day.map(|d| d.to_string()).unwrap_or_default()); } }
    };
    html! {
        @if let Some(told) = &told { (chip(v, "Placed", told, &["from", "to"])) }
        details.menu.menu-left {
            summary.btn.btn-s { (icon("clock")) @if told.is_some() { (v.t("Change days")) } @else { (v.t("Any day")) } }
            div.menu-body.stack-s { (field("from", "First day", asked.from)) (field("to", "Last day", asked.to)) button.btn.btn-primary.btn-s type="submit" { (v.t("Apply")) } }
        }
    }
}

fn table(v: &Viewer, found: &Found) -> Markup {
    let chooses = v.may(OrdersCancel) || v.may(OrdersShip);
    html! {
        div.table-wrap.table-long { table.table.table-tight.table-stack {
            caption.vh { (v.t("Orders")) }
            thead { tr {
                @if chooses { th.th-check scope="col" { label { input type="checkbox" data-check-all data-js aria-label=(v.t("Select all")); } } }
                th scope="col" { (v.t("Order")) }
                (sorted(v, "placed", "Placed", "", "-placed"))
                th scope="col" { (v.t("Channel")) } th.wide scope="col" { (v.t("Reference")) } th scope="col" { (v.t("Customer")) } th.wide scope="col" { (v.t("Destination")) }
                th scope="col" { (v.t("State")) } th scope="col" { (v.t("From")) } th.w-bar scope="col" { (v.t("Shipped")) }
                th.num scope="col" { (v.t("Total")) } th.num scope="col" { (v.t("Age")) }
            } }
            tbody { @for row in &found.rows { (line(v, row, chooses)) } }
        } }
    }
}

fn line(v: &Viewer, row: &OrderRow, chooses: bool) -> Markup {
    let places: Vec<&str> = row.places.iter().map(|p| &*p.location).collect();
    let places = if places.is_empty() { "–".to_owned() } else { places.join(", ") };
    let waits = if row.backordered > 0 { v.say(", {} wait for stock", &[&v.num(row.backordered)]) } else { String::new() };
    let shipped = format!("{}{waits}", v.say("{} of {} units shipped", &[&v.num(row.shipped), &v.num(row.units)]));
    let to = destination(&row.ship_to);
    html! {
        tr data-row data-key=(row.number) {
            @if chooses { td.check { label { input type="checkbox" name="id" value=(row.id.0) form="bulk" data-check aria-label=(v.say("Select {}", &[&row.number])); } } }
            th scope="row" { a data-open href={ "/orders/" (row.id.0) } { (row.number) } }
            td.nowrap data-label=(v.t("Placed")) { time datetime=(iso(row.placed_at.0)) title=(v.moment(row.placed_at.0)) { (v.when(row.placed_at.0)) } }
            td.channel data-label=(v.t("Channel")) { (row.channel) }
            td.places.wide title=(row.reference) { (row.reference) }
            td.places data-label=(v.t("Customer")) title=[row.customer.as_deref()] { (row.customer.as_deref().unwrap_or("–")) }
            td.places.wide title=(to) { (to) }
            td data-label=(v.t("State")) { (status::cell(v, row.status)) }
            td.places data-label=(v.t("From")) title=(places) { (places) }
            td data-label=(v.t("Shipped")) { div.barcell {
                (bar(&shipped, row.units.max(1), &[("b-a", row.shipped), ("b-hatch", row.backordered)], None))
                span.num { (v.num(row.shipped)) "/" (v.num(row.units)) }
            } }
            td.num data-label=(v.t("Total")) { @if let Some(total) = &row.total { (v.money(total)) } @else { span.quiet { "–" } } }
            td.num data-label=(v.t("Age")) { (waiting(v, row)) }
        }
    }
}

/// How long an order has waited, and whether a location should have sent it on a day before this.
fn waiting(v: &Viewer, row: &OrderRow) -> Markup {
    let today = day_of(v.now);
    let unsent = row.places.iter().filter(|p| matches!(p.status, Status::Open | Status::PartiallyFulfilled));
    let worst = unsent.filter_map(|place| Some((place, late(v, place.day, today)?))).min_by_key(|(place, _)| place.day);
    html! {
        @if !is_unfinished(row.status) { span.quiet { "–" } }
        @else if let Some((place, late)) = worst {
            span.st.st-warn title=(v.say("{} was to send it {}", &[&place.location, &v.count(today - place.day, "day ago", "days ago")])) { (icon("warn")) (late) }
        }
        @else { (v.age(v.now - row.placed_at.0)) }
    }
}

fn nothing(v: &Viewer, asked: &Asked, goes_on: bool) -> Markup {
    let all = html! { a.btn href="/orders" { (v.t("All orders")) } };
    if goes_on {
        return empty(v.t("None so far"), html! { (v.t("Many orders were looked at and none was such. Go on to look at older ones.")) }, html! {});
    }
    if asked.is_filtered() {
        return empty(v.t("No such order"), html! { (v.t("Nothing fits the search and the filters together.")) }, all);
    }
    match asked.view {
        "" => empty(
            v.t("No orders yet"),
            html! { (v.t("Orders come from channels, from the API, from a file, or are typed in here.")) },
            html! { div.row { @if v.may(OrdersPlace) { a.btn.btn-primary href="/orders/new" { (v.t("New order")) } } @if v.may(domain::Permission::ChannelsView) { a.btn href="/channels" { (v.t("Channels")) } } } },
        ),
        "late" => empty(v.t("Nothing is late"), html! { (v.t("Every location has sent what it was to send before today.")) }, all),
        "backordered" => empty(v.t("Nothing waits for stock"), html! { (v.t("Orders stand here while units of them are backordered.")) }, all),
        "queued" => {
            empty(v.t("Nothing waits for a routing run"), html! { (v.t("Orders stand here while a rule has them wait to be routed together.")) }, all)
        }
        _ => empty(v.t("No orders here"), html! { (v.t("No order is in this state now.")) }, all),
    }
}

fn foot(v: &Viewer, found: &Found) -> Markup {
    let next = found.next.map(|cursor| cursor.to_string());
    html! {
        div.foot-sticky {
            @if !found.rows.is_empty() && (v.may(OrdersCancel) || v.may(OrdersShip)) {
                form #bulk action="/orders" {
                    input type="hidden" name="next" value=(v.address(&[]));
                    div.bulk role="toolbar" aria-label=(v.t("Selected orders")) {
                        b { span data-count data-js {} " " (v.t("selected")) } span.sep {}
                        @if v.may(OrdersShip) { button.btn.btn-s type="submit" formaction="/orders/ship" data-key="s" { (v.t("Ship")) " " kbd { "S" } } }
                        @if v.may(OrdersCancel) { button.btn.btn-s type="submit" formaction="/orders/cancel" data-key="c" { (v.t("Cancel orders")) " " kbd { "C" } } }
                        button.btn.btn-s.btn-icon type="button" data-clear data-js aria-label=(v.t("Clear the selection")) { (icon("x")) }
                    }
                }
            }
            (pager(v, found.rows.len(), next.as_deref()))
        }
    }
}
