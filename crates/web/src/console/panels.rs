//! The panels with tables: locations, channels, newest orders, exceptions, stock at risk. Each shows what the reader may see of it.

use super::fields::step;
use super::live::View;
use super::parts::{Part, help, phrase, state};
use super::show::{bar, iso};
use super::viewer::Viewer;
use domain::Permission;
use domain::routing::Location;
use engine::access::reach;
use engine::channels::health::Health;
use engine::dashboard::{AtRisk, Due, LATELY};
use engine::exceptions::read::ExceptionView;
use engine::views::OrderView;
use maud::{Markup, html};

/// Rows of the lists that have a page of their own.
const ORDERS: usize = 10;
const EXCEPTIONS: usize = 6;
/// Locations in the table; the page of locations has all.
const PLACES: usize = 12;
/// A queue older than this is slow, in microseconds.
const SLOW: i64 = 60_000_000;

/// What is to be sent by today: late, for today, and what of today's has gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Today {
    pub late: i64,
    pub open: i64,
    pub part: i64,
    pub shipped: i64,
}

impl Today {
    /// Of one location, or of all that `counts` says yes to.
    pub fn of(due: &[Due], today: i64, counts: impl Fn(i64) -> bool) -> Today {
        let mut sum = Today::default();
        for d in due.iter().filter(|d| d.day <= today && counts(d.location)) {
            sum.open += d.open;
            sum.part += d.part;
            if d.day < today {
                sum.late += d.unshipped();
            } else {
                sum.shipped += d.shipped;
            }
        }
        sum
    }

    pub fn unshipped(&self) -> i64 {
        self.open + self.part
    }

    pub fn all(&self) -> i64 {
        self.unshipped() + self.shipped
    }
}

/// A location's orders of today against what it can take.
pub fn used(view: &View, place: &Location, today: i64) -> i64 {
    match place.daily_capacity {
        Some(most) if most > 0 => view.newest.capacity.get(&place.id).copied().unwrap_or(0),
        _ => view.totals.due.iter().filter(|d| d.location == place.id && d.day == today).map(Due::all).sum(),
    }
}

pub fn locations(v: &Viewer, view: &View, today: i64) -> Markup {
    let mut places: Vec<&Location> = view.config.locations.iter().filter(|l| v.at(l.id) && l.active).collect();
    let all = Today::of(&view.totals.due, today, |id| v.at(id));
    let count = places.len();
    places.sort_by_cached_key(|l| (std::cmp::Reverse(Today::of(&view.totals.due, today, |id| id == l.id).all()), l.name.clone()));
    places.truncate(PLACES);
    let body = html! {
        @if places.is_empty() {
            p.none { (phrase(v, "No locations yet. Stock lies at locations; {} the first one.", &[html! { a href="/locations/new" { (v.t("add")) } }])) }
        } @else {
            div.table-wrap {
                table.table.table-tight {
                    thead { tr {
                        th scope="col" { (v.t("Location")) } th.num scope="col" { (v.t("Due")) } th.w-bar scope="col" { (v.t("Shipped of due")) }
                        th.num scope="col" { (v.t("Late")) } th.w-bar2 scope="col" { (v.t("Capacity today")) } th.num scope="col" { (v.t("Orders")) }
                    } }
                    tbody { @for place in &places { (location_row(v, view, place, today)) } }
                }
            }
            @if count > places.len() { div.panel-foot { a href="/locations" { (v.say("All {} locations", &[&v.num(count as i64)])) } } }
        }
    };
    let head = html! {
        span.sub {
            (v.say("{} due by today", &[&v.num(all.all())])) @if all.late > 0 { ", " span.is-warn { (v.say("{} late", &[&v.num(all.late)])) } }
            @if view.totals_old { ", " (v.say("as of {}", &[&v.clock(view.totals_at)])) }
        }
        (help(v, "Fulfillments due today or earlier, by the day whose capacity they take. A location's day begins at 00:00 UTC. Late are those of days before today."))
    };
    let key = |class: &str| html! { svg.key aria-hidden="true" { rect.b-track width="14" height="8" rx="1" {} rect class=(class) width="14" height="8" rx="1" {} } };
    let right = html! { div.legend.right { span { (key("b-a")) (v.t("Shipped")) } span { (key("b-b")) (v.t("Part shipped")) } span { (key("b-n")) (v.t("Taken")) } } };
    Part::new("locations", v.t("Locations"), body).head(head).right(right).show()
}

fn location_row(v: &Viewer, view: &View, place: &Location, today: i64) -> Markup {
    let due = Today::of(&view.totals.due, today, |id| id == place.id);
    let used = used(view, place, today);
    let limit = place.daily_capacity.filter(|most| *most > 0);
    let words = v.say("{} of {} shipped, {} in part", &[&v.num(due.shipped), &v.num(due.all()), &v.num(due.part)]);
    html! {
        tr data-row={ "l" (place.id) } data-key={ "l" (place.id) } {
            th scope="row" { a href={ "/locations/" (step(&place.code)) } data-open { (place.name) } }
            td.num.zero[due.all() == 0] { (v.num(due.all())) }
            td { div.barcell {
                (bar(&words, due.all().max(1), &[("b-a", due.shipped), ("b-b", due.part)], None))
                span.num { @if due.all() == 0 { "–" } @else { (due.shipped * 100 / due.all()) "%" } }
            } }
            td.num.zero[due.late == 0] { @if due.late > 0 { span.is-warn { (v.num(due.late)) } } @else { (v.num(0)) } }
            td { (capacity(v, used, limit)) }
            td.num { (v.num(used)) @if let Some(most) = limit { " / " (v.num(most)) } }
        }
    }
}

/// The tick stands in the same place in each row; a fill beyond it means that the limit was lowered later.
pub fn capacity(v: &Viewer, used: i64, limit: Option<i64>) -> Markup {
    let Some(most) = limit else { return html! { span.quiet { (v.t("No limit")) } } };
    let share = (i128::from(used) * 100 / i128::from(most)) as i64;
    let (class, word, text) = match share {
        100.. => ("b-danger", "is-danger", v.t("Full").to_owned()),
        90.. => ("b-warn", "is-warn", format!("{share}%")),
        _ => ("b-n", "", format!("{share}%")),
    };
    let label = v.say("{} of {} orders", &[&v.num(used), &v.num(most)]);
    html! {
        div.barcell {
            // In hundredths of the limit, with a tenth of it beyond.
            (bar(&label, 110, &[(class, share.clamp(i64::from(used > 0), 110))], Some(100)))
            span.num { @if word.is_empty() { (text) } @else { span class=(word) { (text) } } }
        }
    }
}

/// How the channels do: state, how fast they hear of changes, what waits. `health` is of this server's workers.
pub fn channels(v: &Viewer, view: &View, health: impl Fn(i64) -> Option<Health>) -> Markup {
    let shown: Vec<_> = view.config.channels.iter().filter(|c| !c.is_contract() && v.on(&c.code)).collect();
    let row = |channel: &&engine::channels::rows::Channel| {
        let health = health(channel.id).unwrap_or_default();
        let (queue, since) = view.newest.queues.iter().find(|q| q.0 == channel.id).map_or((0, None), |q| (q.1, q.2));
        let waits = since.map(|at| v.now - at);
        let is_slow = waits.is_some_and(|w| w > SLOW);
        let ms = |micros: Option<u32>| micros.map_or("–".to_owned(), |m| v.num(i64::from(m / 1_000)));
        let latency = health.latency();
        html! {
            tr data-row={ "c" (channel.id) } data-key={ "c" (channel.id) } {
                th scope="row" { a href={ "/channels/" (step(&channel.code)) } data-open { (channel.name) } }
                td title=[health.fault.as_ref().map(|(_, text)| v.whole(text))] {
                    @match () {
                        () if channel.paused => (state("pause", "st-off", v.t("Paused"))),
                        () if health.fault.is_some() => (state("danger", "st-danger", v.t("Failing"))),
                        () if is_slow => (state("warn", "st-warn", v.t("Slow"))),
                        () => (state("ok", "st-ok", v.t("Healthy"))),
                    }
                }
                td.num { (ms(latency.map(|l| l.0))) } td.num { (ms(latency.map(|l| l.2))) }
                td.num.zero[queue == 0] { (v.num(queue)) }
                td.num { @if is_slow { span.is-warn { (waits.map_or("–".to_owned(), |w| v.age(w))) } } @else { (waits.map_or("–".to_owned(), |w| v.age(w))) } }
            }
        }
    };
    let body = html! {
        @if shown.is_empty() {
            p.none { (phrase(v, "No channel is connected. {}", &[html! { @if v.may(Permission::ChannelsEdit) { a href="/channels/new" { (v.t("Connect one")) } } }])) }
        } @else {
            div.table-wrap { table.table.table-tight {
                thead { tr {
                    th scope="col" { (v.t("Channel")) } th scope="col" { (v.t("State")) } th.num scope="col" { (v.t("p50 ms")) } th.num scope="col" { (v.t("p99 ms")) }
                    th.num scope="col" { (v.t("Queue")) } th.num scope="col" { (v.t("Oldest")) }
                } }
                tbody { @for channel in &shown { (row(channel)) } }
            } }
        }
    };
    let head = html! { span.sub { (v.t("From a change of stock to the channel's acknowledgement")) } };
    let right = html! { div.right { a href="/channels" { (v.t("All channels")) } } };
    Part::new("channels", v.t("Channels"), body).head(head).right(right).show()
}

pub fn orders(v: &Viewer, view: &View) -> Markup {
    let grant = v.caller.as_ref().map(|c| c.grant.clone()).unwrap_or_default();
    let shown: Vec<&OrderView> = view.newest.orders.iter().filter(|o| reach::order(o, &grant, &view.config)).take(ORDERS).collect();
    let body = html! {
        @if shown.is_empty() && !view.newest.orders.is_empty() {
            p.none { (v.t("The newest orders are on other channels or from other locations than yours.")) }
        } @else if shown.is_empty() {
            p.none { (v.t("No orders yet. An order stands here as soon as a channel, a program or a person places one.")) }
        } @else {
            div.table-wrap { table.table {
                thead { tr {
                    th scope="col" { (v.t("Order")) } th scope="col" { (v.t("Channel")) } th.wide scope="col" { (v.t("Reference")) } th scope="col" { (v.t("Status")) }
                    th.num scope="col" { (v.t("Units")) } th.wide scope="col" { (v.t("From")) } th.num scope="col" { (v.t("Age")) }
                } }
                tbody { @for order in &shown { (order_row(v, order)) } }
            } }
        }
    };
    let right = html! { div.right { a href="/orders" { (v.t("All orders")) } } };
    Part::new("orders", v.t("Newest orders"), body).right(right).show()
}

fn order_row(v: &Viewer, order: &OrderView) -> Markup {
    let (shape, class, word) = status(order.status);
    let units: i64 = order.lines.iter().map(|l| l.quantity - l.canceled).sum();
    let mut places: Vec<&str> = order.fulfillments.iter().filter(|f| f.status != "canceled").map(|f| &*f.location).collect();
    places.dedup();
    let places = if places.is_empty() { "–".to_owned() } else { places.join(", ") };
    html! {
        tr data-row={ "o" (order.id.0) } data-key={ "o" (order.id.0) } {
            th scope="row" { a href={ "/orders/" (order.id.0) } data-open { (order.number) } }
            td.channel { (order.channel) }
            td.clip.wide { (order.reference) }
            td { (state(shape, class, v.t(word))) }
            td.num { (v.num(units)) }
            td.places.wide { (places) }
            td.num { time datetime=(iso(order.placed_at.0)) { (v.age(v.now - order.placed_at.0)) } }
        }
    }
}

/// Shape, class and word of an order's status.
fn status(word: &str) -> (&'static str, &'static str, &'static str) {
    match word {
        "queued" => ("queued", "st-info", "Queued"),
        "open" => ("open", "st-info", "Open"),
        "backordered" => ("warn", "st-warn", "Backordered"),
        "partially_fulfilled" => ("half", "st-info", "Part shipped"),
        "fulfilled" => ("ok", "st-ok", "Shipped"),
        _ => ("off", "st-off", "Canceled"),
    }
}

/// What needs a person, the earliest due first.
pub fn exceptions(v: &Viewer, view: &View) -> Markup {
    let grant = v.caller.as_ref().map(|c| c.grant.clone()).unwrap_or_default();
    let shown: Vec<&ExceptionView> = view.newest.exceptions.iter().filter(|e| reach::exception(e, &grant)).take(EXCEPTIONS).collect();
    let more = v.signs.exceptions - shown.len() as i64;
    let body = html! {
        @if shown.is_empty() {
            p.none { (v.t("No open exceptions. Nothing needs a person.")) }
        } @else {
            ul.list { @for e in &shown {
                @let (shape, class, word) = severity(&e.severity);
                li data-row={ "x" (e.id.0) } data-key={ "x" (e.id.0) } {
                    a.list-a href={ "/exceptions/" (e.id.0) } data-open {
                        svg class={ "i " (class) } aria-hidden="true" { use href={ "#i-" (shape) } {} }
                        span { span.what { span.vh { (v.t(word)) ": " } (v.whole(&e.title)) } span.why { (v.whole(&e.detail)) } }
                        span.when { @if e.due_at.0 < v.now { span.is-warn { (v.say("{} late", &[&v.age(v.now - e.due_at.0)])) } } @else { (v.say("in {}", &[&v.age(e.due_at.0 - v.now)])) } }
                    }
                }
            } }
            @if more > 0 { div.panel-foot { a href="/exceptions" { (v.say("{} more", &[&v.num(more)])) } } }
        }
    };
    let head = html! { span.sub { (v.say("{} open", &[&v.num(v.signs.exceptions)])) @if v.signs.critical > 0 { ", " (v.say("{} critical", &[&v.num(v.signs.critical)])) } } };
    let right = html! { div.right { a href="/exceptions" { (v.t("Triage")) } } };
    Part::new("exceptions", v.t("Exceptions"), body).head(head).right(right).show()
}

fn severity(word: &str) -> (&'static str, &'static str, &'static str) {
    match word {
        "critical" => ("danger", "sev-3", "Critical"),
        "warning" => ("warn", "sev-2", "Warning"),
        _ => ("info", "sev-1", "For your information"),
    }
}

/// The items with the least left. They are added up over all locations, so that whoever sees some locations has another list.
pub fn at_risk(v: &Viewer, view: &View) -> Markup {
    let rows = &view.totals.at_risk;
    let everywhere = v.caller.as_ref().is_none_or(|c| c.grant.locations.is_none());
    let body = html! {
        @if !everywhere {
            p.none { (phrase(v, "This list adds up all locations, and you see some of them. {}", &[html! { a href="/items" { (v.t("The stock at yours")) } }])) }
        } @else if rows.is_empty() {
            p.none { (v.t("Nothing is at risk: no item was ordered yet. The items with the least left stand here, of those that sell or are waited for.")) }
        } @else {
            table.table.risk {
                thead { tr { th scope="col" { (v.t("Item")) } th.num scope="col" { (v.t("Available")) } th.num scope="col" { (v.t("Waiting")) } } }
                tbody { @for row in rows { (risk_row(v, row)) } }
            }
        }
    };
    let head = html! {
        @if everywhere && !rows.is_empty() {
            span.sub { (v.say("Least left of what sold in the last {} orders", &[&v.num(LATELY)])) @if view.totals_old { ", " (v.say("as of {}", &[&v.clock(view.totals_at)])) } }
        }
    };
    Part::new("risk", v.t("Stock at risk"), body).head(head).show()
}

fn risk_row(v: &Viewer, row: &AtRisk) -> Markup {
    let owed = row.promised + row.waiting;
    let scale = owed.max(row.promised + row.available + row.incoming).max(1);
    let mut label = v.say("{} here, {} of them promised", &[&v.num(row.promised + row.available), &v.num(row.promised)]);
    if row.waiting > 0 {
        label.push_str(&v.say(", {} waiting", &[&v.num(row.waiting)]));
    }
    if row.incoming > 0 {
        label.push_str(&v.say(", {} on the way", &[&v.num(row.incoming)]));
    }
    html! {
        tr data-row={ "r" (row.sku) } data-key={ "r" (row.sku) } {
            td.item {
                div { b { a href={ "/items/" (step(&row.sku)) } data-open { (row.sku) } } span title=(row.name) { (row.name) } }
                (bar(&label, scale, &[("b-b", row.promised), ("b-a", row.available), ("b-hatch", row.incoming)], Some(owed)))
            }
            td.num.zero[row.available == 0] { @if row.available == 0 { span.is-warn { (v.t("None")) } } @else { (v.num(row.available)) } }
            td.num.zero[row.waiting == 0] { @if row.waiting > 0 { span.is-danger { (v.num(row.waiting)) } } @else { (v.num(0)) } }
        }
    }
}
