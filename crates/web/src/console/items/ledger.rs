//! The entries behind an item's numbers, newest or oldest first, by location, cause and words, and all of them as a file.

use super::asof::AsOf;
use super::charts::BACK;
use super::{Deed, Spot, Where, words};
use crate::App;
use crate::console::export;
use crate::console::fields::step;
use crate::console::orders::id_of;
use crate::console::parts::{Part, icon, kept, pager, search_box, sorted};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::Response;
use domain::Refused;
use engine::db::Tx;
use engine::page::Page;
use engine::stock::Ledger;
use engine::stock::movements::{self, Movement, MovementCursor, MovementQuery, Wanted};
use engine::stock::read::EntryView;
use engine::{Config, Stop};
use maud::{Markup, html};
use std::borrow::Cow;

/// Entries on a page.
const ROWS: usize = 20;

/// What the address asks of the ledger.
#[derive(Debug, Clone)]
pub struct Asked {
    /// A location's code.
    pub at: Option<String>,
    pub cause: Option<String>,
    /// In what is shown as reason, reference or who booked it; or the number of the document.
    pub text: Option<String>,
    pub oldest_first: bool,
    after: Option<MovementCursor>,
}

impl Asked {
    /// Refuses a cursor that no page gave out.
    pub fn read(v: &Viewer) -> Result<Asked, Refused> {
        let after = v.asked("after").map(|text| MovementCursor::parse("after", &text)).transpose()?;
        let text = v.asked("q").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Asked { at: v.asked("at"), cause: v.asked("cause"), text, oldest_first: v.asked("sort").as_deref() == Some("time"), after })
    }

    /// Tells that a page of a ledger, and the days of the present one, will be asked for.
    pub fn ahead(&self, tx: &mut Tx<'_>, config: &Config, (then, present): (&Ledger, &Ledger), now: i64) {
        movements::ahead(tx, (&self.of(config, then), present), &self.query(ROWS, self.after.clone()), self.text.is_some(), now, BACK);
    }

    /// A page of a ledger.
    pub fn page(&self, tx: &mut Tx<'_>, config: &Config, v: &Viewer, ledger: &Ledger) -> Result<Page<Movement, MovementCursor>, Stop> {
        self.part(tx, config, v, ledger, (ROWS, self.after.clone()))
    }

    fn part(
        &self,
        tx: &mut Tx<'_>,
        config: &Config,
        v: &Viewer,
        ledger: &Ledger,
        (limit, after): (usize, Option<MovementCursor>),
    ) -> Result<Page<Movement, MovementCursor>, Stop> {
        let query = self.query(limit, after);
        let text = self.text.as_ref().map(|text| (text.to_lowercase(), id_of(text)));
        let wanted = text.as_ref().map(|(text, number)| {
            move |e: &EntryView| {
                let shown = [why(v, e).join(", "), words::actor(v, config, &e.actor)];
                shown.iter().any(|shown| shown.to_lowercase().contains(text)) || *number == Some(e.document.0)
            }
        });
        let wanted = wanted.as_ref().map(|w| w as Wanted<'_>);
        movements::list(tx, config, &self.of(config, ledger), &query, wanted)
    }

    fn query(&self, limit: usize, after: Option<MovementCursor>) -> MovementQuery {
        MovementQuery { causes: self.cause.iter().cloned().collect(), oldest_first: self.oldest_first, after, limit }
    }

    /// What is asked for of a ledger: a location that is not there has no entries.
    fn of<'l>(&self, config: &Config, ledger: &'l Ledger) -> Cow<'l, Ledger> {
        match &self.at {
            Some(code) => Cow::Owned(ledger.at(config.by_code(code).map(|l| l.id).as_slice())),
            None => Cow::Borrowed(ledger),
        }
    }
}

/// The reason and the reference of an entry.
fn why<'e>(v: &Viewer, entry: &'e EntryView) -> Vec<&'e str> {
    [entry.reason.as_deref().map(|r| Deed::reason(v, r)), entry.reference.as_deref()].into_iter().flatten().collect()
}

pub fn panel(v: &Viewer, config: &Config, asked: &Asked, page: &Page<Movement, MovementCursor>, spots: &[Spot]) -> Markup {
    let filtered = asked.at.is_some() || asked.cause.is_some() || asked.text.is_some();
    let body = html! {
        (filters(v, asked, spots, filtered))
        @if page.rows.is_empty() {
            p.none {
                @if page.next.is_some() { (v.t("None among those looked through; go on to look further.")) }
                @else if filtered { (v.t("No entry is like that.")) } @else { (v.t("No entries yet: nothing has ever moved.")) }
            }
        } @else {
            div.table-wrap { table.table.table-stack {
                caption.vh { (v.t("Entries of this item")) }
                thead { tr {
                    (sorted(v, "time", "Time", "", "-time")) th scope="col" { (v.t("Cause")) } th scope="col" { (v.t("Where")) } th scope="col" { (v.t("From and to")) }
                    th.num scope="col" { (v.t("Units")) } th.num scope="col" { (v.t("On hand")) } th.num scope="col" { (v.t("After")) } th scope="col" { (v.t("By")) }
                } }
                tbody { @for movement in &page.rows { (row(v, config, movement, spots)) } }
            } }
        }
        @let next = page.next.as_ref().map(|cursor| cursor.to_string());
        (pager(v, page.rows.len(), next.as_deref()))
    };
    let head =
        html! { span.sub { @match &asked.at { Some(_) => (v.t("On hand there after each")), None => (v.t("On hand everywhere after each")) } } };
    let right = html! { div.right { a href=(v.address(&[("format", "csv")])) { (icon("download")) " " (v.t("Export")) } } };
    Part::new("ledger", v.t("Entries"), body).head(head).right(right).show()
}

fn filters(v: &Viewer, asked: &Asked, spots: &[Spot], filtered: bool) -> Markup {
    html! {
        form.filters method="get" action=(v.path) role="search" {
            (kept(v, &["as_of", "do", "sort"]))
            (search_box(v, "Reason, reference, who, or number", asked.text.as_deref().unwrap_or_default()))
            label.vh for="ledger-at" { (v.t("Location")) }
            select.select.select-s #ledger-at name="at" data-auto {
                option value="" { (v.t("All locations")) }
                @for spot in spots { option value=(spot.code) selected[asked.at.as_deref() == Some(spot.code.as_str())] { (spot.name) } }
            }
            label.vh for="ledger-cause" { (v.t("Cause")) }
            select.select.select-s #ledger-cause name="cause" data-auto {
                option value="" { (v.t("All causes")) }
                @for (word, name) in words::CAUSES { option value=(word) selected[asked.cause.as_deref() == Some(word)] { (v.t(name)) } }
            }
            button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            @if filtered { a href=(v.address(&[("at", ""), ("cause", ""), ("q", "")])) { (v.t("Clear")) } }
        }
    }
}

fn row(v: &Viewer, config: &Config, movement: &Movement, spots: &[Spot]) -> Markup {
    let Movement { entry, change, on_hand } = movement;
    let place = spots.iter().find(|s| s.code == *entry.location).map_or(&*entry.location, |s| s.name.as_str());
    let cause = words::cause(v, &entry.cause);
    let why = why(v, entry);
    html! {
        tr data-row={ (entry.location) (entry.number) } data-key={ (entry.location) (entry.number) } {
            td.nowrap data-label=(v.t("Time")) { time datetime=(crate::console::show::iso(entry.at.0)) title=(v.moment(entry.at.0)) { (time(v, entry)) } }
            th scope="row" {
                span { @match words::document(v, &entry.cause, entry.document.0).or_else(|| movement_of(v, entry)) { Some(to) => { a href=(to) data-open { (cause) } }, None => (cause) } @if !why.is_empty() { " " small.clip title=(why.join(", ")) { (why.join(", ")) } } }
            }
            td data-label=(v.t("Where")) { (place) }
            td data-label=(v.t("From and to")) { span.nowrap { (words::account(v, entry.from)) " → " (words::account(v, entry.to)) } }
            td.num data-label=(v.t("Units")) { (v.num(entry.quantity)) }
            td.num.is-ok[*change > 0].zero[*change == 0] data-label=(v.t("On hand")) { @if *change == 0 { "–" } @else { (v.signed(*change)) } }
            td.num.strong data-label=(v.t("After")) { (v.num(*on_hand)) }
            td.anywhere data-label=(v.t("By")) { (words::actor(v, config, &entry.actor)) }
        }
    }
}

/// What was booked by hand shows itself whole above the item's figures, with the way to take it back.
fn movement_of(v: &Viewer, entry: &EntryView) -> Option<String> {
    let by_hand = entry.cause.starts_with("stock.") && entry.cause != "stock.imported" && !entry.actor.starts_with("channel:");
    by_hand.then(|| v.address(&[("done", &entry.document.0.to_string())]))
}

/// To the second, with the day if it is not today's.
fn time(v: &Viewer, entry: &EntryView) -> String {
    let (day, clock) = (v.date(entry.at.0), v.clock(entry.at.0));
    if day == v.date(v.now) { clock } else { format!("{day}, {clock}") }
}

/// All entries that the address asks for. Refuses an unknown item.
pub async fn file(app: &App, v: &Viewer, sku: &str) -> Result<Response<Body>, Problem> {
    let asked = Asked { after: None, ..Asked::read(v)? };
    let owned = sku.to_owned();
    let item = app.read(move |tx, _| Ok(engine::stock::read::item(tx, &owned)?.id)).await?;
    let head = [
        "time",
        "location",
        "number",
        "from",
        "to",
        "quantity",
        "on_hand_change",
        "on_hand_after",
        "cause",
        "document",
        "actor",
        "reason",
        "reference",
    ];
    let (reader, limit, then) = (v.clone(), Where::of(v), AsOf::asked(v).instant());
    Ok(export::csv(app.clone(), &format!("entries-{}.csv", step(sku)), &head, None, move |tx, config, after| {
        let ledger = Ledger::read(tx, item, limit.ids())?.as_of(tx, then)?;
        let page = asked.part(tx, config, &reader, &ledger, (export::STEP, after))?;
        Ok((page.rows.iter().map(|m| cells(&reader, config, m)).collect(), page.next.map(Some)))
    }))
}

fn cells(v: &Viewer, config: &Config, movement: &Movement) -> Vec<String> {
    let e = &movement.entry;
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    vec![
        e.at.to_string(),
        e.location.to_string(),
        e.number.to_string(),
        e.from.into(),
        e.to.into(),
        e.quantity.to_string(),
        movement.change.to_string(),
        movement.on_hand.to_string(),
        e.cause.clone(),
        e.document.0.to_string(),
        words::actor(v, config, &e.actor),
        text(&e.reason),
        text(&e.reference),
    ]
}
