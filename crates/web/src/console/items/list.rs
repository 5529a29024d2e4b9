//! The list of items: views with their counts, filters, every figure to sort by, the whole of it as a file, and boxes to tick for
//! what is done to many.

use super::charts::spark;
use super::done::Done;
use super::{Spot, Where, path, words};
use crate::App;
use crate::console::export;
use crate::console::find::{self, Hits};
use crate::console::parts::{csrf, empty, help, icon, pages, search_box, sorted, state, tabs};
use crate::console::shell::{self, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State as Of;
use axum::http::Response;
use axum::response::IntoResponse;
use domain::{Permission, Refused};
use engine::page::Cursor;
use engine::stock::list::{DAYS, LATELY, StockPage, StockRow};
use engine::stock::table::{Counts, Only, STATES, Sort, State, StockQuery};
use engine::{Config, Stop};
use maud::{Markup, html};

/// Rows on a page.
const ROWS: usize = 50;
/// Hits of a search that the list is made from.
const HITS: usize = 1_000;

/// The views: word in the address, name, which items.
const VIEWS: [(&str, &str, Only); 8] = [
    ("", "All items", Only::Any),
    ("none", "None free", Only::State(State::NoneFree)),
    ("low", "Low cover", Only::State(State::Low)),
    ("sale", "On sale", Only::State(State::OnSale)),
    ("incoming", "Incoming", Only::Incoming),
    ("damaged", "Damaged", Only::Damaged),
    ("empty", "No stock", Only::State(State::NoStock)),
    ("off", "Switched off", Only::State(State::Inactive)),
];

const SORTS: [(&str, Sort); 9] = [
    ("sku", Sort::Sku),
    ("name", Sort::Name),
    ("on_hand", Sort::OnHand),
    ("held", Sort::Held),
    ("available", Sort::Available),
    ("incoming", Sort::Incoming),
    ("cover", Sort::Cover),
    ("sold", Sort::Sold),
    ("moved", Sort::Moved),
];

/// What the address, or a form that carries it on, asks of the list.
#[derive(Debug, Clone)]
pub struct Asked {
    pub view: String,
    /// A location's code.
    pub at: Option<String>,
    pub q: Option<String>,
    sort: String,
    after: Option<Cursor<2>>,
    limit: Where,
}

impl Asked {
    /// `get` finds a parameter by its name. Refuses a cursor that no page gave out.
    pub fn read(v: &Viewer, get: impl Fn(&str) -> Option<String>) -> Result<Asked, Refused> {
        let after = get("after").map(|text| Cursor::parse("after", &text)).transpose()?;
        let view = get("view").filter(|w| VIEWS.iter().any(|(word, ..)| word == w)).unwrap_or_default();
        Ok(Asked {
            view,
            at: get("at"),
            q: get("q").map(|q| q.trim().to_owned()),
            sort: get("sort").unwrap_or_else(|| "sku".into()),
            after,
            limit: Where::of(v),
        })
    }

    fn only(&self) -> Only {
        VIEWS.iter().find(|(word, ..)| *word == self.view).map_or(Only::Any, |(.., only)| *only)
    }

    fn locations(&self, config: &Config) -> Option<Vec<i64>> {
        match &self.at {
            // A location that is not there, or not for this reader, has no units.
            Some(code) => Some(config.by_code(code).map(|l| l.id).filter(|id| self.limit.at(*id)).into_iter().collect()),
            None => self.limit.ids().map(<[i64]>::to_vec),
        }
    }

    fn query(&self, config: &Config, ids: Option<Vec<i64>>, limit: usize) -> StockQuery {
        let (word, descending) = match self.sort.strip_prefix('-') {
            Some(word) => (word, true),
            None => (self.sort.as_str(), false),
        };
        let sort = SORTS.iter().find(|(known, _)| *known == word).map_or(Sort::Sku, |(_, sort)| *sort);
        StockQuery { locations: self.locations(config), only: self.only(), ids, sort, descending, after: self.after, limit }
    }

    /// Whether anything narrows the list down.
    fn is_narrow(&self) -> bool {
        !self.view.is_empty() || self.at.is_some() || self.q.is_some()
    }

    /// What the search finds; None without one.
    async fn hits(&self, app: &App) -> Result<Option<Hits>, Stop> {
        let (Some(text), search) = (self.q.clone(), app.search.clone()) else { return Ok(None) };
        app.engine.read(move |tx| find::items(tx, &search, &text, HITS)).await.map(Some)
    }

    /// The first `limit` items of the list, and how many it has.
    pub async fn first(&self, app: &App, limit: usize) -> Result<StockPage, Stop> {
        let hits = self.hits(app).await?.map(|hits| hits.ids);
        let (asked, table, now) = (Asked { after: None, ..self.clone() }, app.engine.stock_table().clone(), app.engine.now());
        table.ready().await?;
        app.read(move |tx, config| engine::stock::list::page(tx, config, &table, &asked.query(config, hits, limit), now)).await
    }
}

pub async fn page(Of(app): Of<App>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let asked = Asked::read(&viewer, |name| viewer.asked(name))?;
    let hits = asked.hits(&app).await?;
    let ids = hits.as_ref().map(|hits| hits.ids.clone());
    let table = app.engine.stock_table().clone();
    let is_file = viewer.asked("format").as_deref() == Some("csv");
    if is_file || !asked.query(&Config::default(), ids.clone(), ROWS).is_plain() {
        table.ready().await?;
    }
    if is_file {
        return Ok(file(&app, asked, ids));
    }
    let (reader, filter) = (viewer.clone(), asked.clone());
    let (found, spots, done) = app
        .read_shared(move |tx, config| {
            let found = engine::stock::list::page(tx, config, &table, &filter.query(config, ids, ROWS), reader.now)?;
            Ok((found, filter.limit.spots(config), Done::read(tx, config, &reader)?))
        })
        .await?;
    Ok(sheet(&viewer, &asked, &found, hits.as_ref(), &spots, done.as_ref()).into_response())
}

fn sheet(v: &Viewer, asked: &Asked, found: &StockPage, hits: Option<&Hits>, spots: &[Spot], done: Option<&Done>) -> shell::Page {
    let known = |n: usize| v.count(n as i64, "item", "items");
    let sub = html! {
        @if let Some(counts) = found.counts { (known(counts.items)) ", " } (v.count(spots.len() as i64, "location", "locations"))
    };
    let key = |key: &str, text: &'static str| html! { span { kbd { (key) } (v.t(text)) } };
    let right = html! {
        div.hints { span { kbd { "J" } kbd { "K" } (v.t("Next row, row before")) } (key("X", "Select")) (key("Enter", "Open the row")) (key("?", "All keys")) }
        a.btn href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) }
        @if v.may(Permission::ItemsEdit) { a.btn.btn-primary href="/items/new" data-key="n" { (icon("plus")) (v.t("Add item")) } }
    };
    let body = html! {
        @if let Some(done) = done { (done.flash(v, spots)) }
        section.panel data-part data-key="items" aria-label=(v.t("Items")) {
            (views(v, asked, found.counts))
            (filters(v, asked, spots))
            @if let Some(hits) = hits {
                @if hits.near { p.none { (v.t("Nothing is written just so. These come close.")) } }
                @if hits.more { p.none { (v.say("Many items fit. Of them, {} are looked at.", &[&v.num(HITS as i64)])) } }
            }
            @if found.rows.is_empty() { (nothing(v, asked)) } @else { (rows(v, asked, found)) }
        }
    };
    // Until the counts are known the page asks again soon.
    let topics = if found.counts.is_some() { "stock items locations" } else { "stock items locations tick" };
    shell::page(v, Sheet { title: v.t("Items").into(), here: "/items", topics: topics.into(), head: shell::head(v.t("Items"), sub, right), body })
}

fn views(v: &Viewer, asked: &Asked, counts: Option<Counts>) -> Markup {
    let count = |only: Only| {
        let counts = counts?;
        let n = match only {
            Only::Any => counts.items,
            Only::State(state) => counts.states[STATES.iter().position(|s| *s == state)?],
            Only::Damaged => counts.damaged,
            Only::Incoming => counts.incoming,
        };
        Some(v.num(n as i64))
    };
    let views: Vec<(String, String, Option<String>, bool)> =
        VIEWS.iter().map(|(word, name, only)| (v.address(&[("view", word)]), v.t(name).to_owned(), count(*only), asked.view == *word)).collect();
    tabs(v, "Views", &views)
}

fn filters(v: &Viewer, asked: &Asked, spots: &[Spot]) -> Markup {
    let sort = v.asked("sort").unwrap_or_default();
    html! {
        form.toolbar.toolbar-top method="get" action="/items" {
            @for (name, value) in [("view", asked.view.as_str()), ("sort", sort.as_str())] { @if !value.is_empty() { input type="hidden" name=(name) value=(value); } }
            (search_box(v, "SKU, name or barcode", asked.q.as_deref().unwrap_or("")))
            label.vh for="items-at" { (v.t("Location")) }
            select.select.select-s #items-at name="at" data-auto {
                option value="" { (v.t("All locations")) }
                @for spot in spots { option value=(spot.code) selected[asked.at.as_deref() == Some(spot.code.as_str())] { (spot.name) } }
            }
            button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            @if asked.is_narrow() { a.small href="/items" { (v.t("Clear")) } }
            (help(v, "Held: reserved for a while, or committed to orders. Cover: the days that what is available lasts if it sells as in the last seven days."))
        }
    }
}

fn nothing(v: &Viewer, asked: &Asked) -> Markup {
    if asked.is_narrow() {
        let why = match &asked.q {
            Some(q) => v.say("Nothing like “{}” is in this view.", &[q]),
            None => v.t("No item is like that at the moment.").to_owned(),
        };
        return empty(v.t("None here"), html! { (why) }, html! { a.btn href="/items" { (v.t("Show all items")) } });
    }
    let action = html! {
        div.row {
            @if v.may(Permission::ItemsEdit) { a.btn.btn-primary href="/items/new" { (icon("plus")) (v.t("Add item")) } }
            @if v.may(Permission::ImportsRun) { a.btn href="/imports" { (icon("import")) (v.t("Import a file")) } }
        }
    };
    empty(
        v.t("No items yet"),
        html! { (v.t("Everything that is sold stands here, with its stock. Add the first item, or import all of them from a file.")) },
        action,
    )
}

fn rows(v: &Viewer, asked: &Asked, found: &StockPage) -> Markup {
    let head = |name: &str, label: &'static str, class: &str| sorted(v, name, label, class, "sku");
    let sort = v.asked("sort");
    html! {
        form action="/items/bulk" method="post" data-select {
            (csrf(v))
            @for (name, value) in [("view", Some(&asked.view)), ("at", asked.at.as_ref()), ("q", asked.q.as_ref()), ("sort", sort.as_ref())] {
                @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
            }
            div.table-wrap.table-long { table.table.table-tight.table-stack {
                caption.vh { (v.t("Items with their stock")) }
                thead { tr {
                    td.th-check { input type="checkbox" data-check-all data-js aria-label=(v.t("Select all rows on this page")); }
                    (head("sku", "SKU", "")) (head("name", "Item", "")) th scope="col" { (v.t("State")) }
                    (head("on_hand", "On hand", "num")) (head("held", "Held", "num")) (head("available", "Available", "num")) (head("incoming", "Incoming", "num"))
                    (head("cover", "Cover, days", "num")) (head("sold", "Sold, 7 d", "num")) th.wide scope="col" { span.vh { (v.t("Trend")) } } (head("moved", "Moved", "num"))
                } }
                tbody { @for row in &found.rows { (line(v, row)) } }
            } }
            (foot(v, found))
        }
    }
}

fn line(v: &Viewer, row: &StockRow) -> Markup {
    let (shape, class, word) = words::state(v, row.state, row.cover_days);
    let b = &row.balances;
    let cell = |class: &str, label: &str, n: i64| html! { td class={ (class) @if n == 0 { " zero" } } data-label=(label) { (v.num(n)) } };
    html! {
        tr data-row=(row.sku) data-key=(row.sku) {
            td.check { label { input type="checkbox" name="sku" value=(row.sku) data-check aria-label=(v.say("Select {}", &[&row.sku])); } }
            td.nowrap data-label=(v.t("SKU")) { (row.sku) }
            th.clip scope="row" { a href=(path(&row.sku)) data-open { @if row.name.is_empty() { (row.sku) } @else { (row.name) } } @if row.is_kit { " " span.tag { (v.t("Kit")) } } }
            td data-label=(v.t("State")) { (state(shape, class, &word)) }
            @if row.is_kit { td.num.zero { "–" } td.num.zero.wide { "–" } } @else { (cell("num", v.t("On hand"), b.on_hand)) (cell("num wide", v.t("Held"), b.reserved + b.committed)) }
            td.num.strong.zero[b.available == 0] data-label=(v.t("Available")) { (v.num(b.available)) }
            td.num.wide.zero[b.incoming == 0] { @if b.incoming == 0 { "–" } @else { (v.signed(b.incoming)) } }
            (cover(v, row.cover_days))
            (cell("num wide", v.t("Sold, 7 d"), row.sold_7d))
            td.wide { (spark(&row.days[DAYS - LATELY..], 56, 18, "spark spark-n")) }
            td.num.quiet.wide { @match row.moved_at.filter(|t| t.0 > 0) { Some(at) => { time datetime=(crate::console::show::iso(at.0)) { (v.when(at.0)) } }, None => "–" } }
        }
    }
}

fn cover(v: &Viewer, days: Option<f64>) -> Markup {
    match days {
        Some(days) => {
            html! { td.num.is-danger[days < 1.0].is-warn[(1.0..7.0).contains(&days)] data-label=(v.t("Cover, days")) { (v.decimal(days.min(9_999.0), 1)) } }
        }
        None => html! { td.num.zero.wide { "–" } },
    }
}

fn foot(v: &Viewer, found: &StockPage) -> Markup {
    let matched = found.matched.unwrap_or(0);
    let button = |word: &str, key: &str, name: &'static str| html! { button.btn.btn-s type="submit" name="do" value=(word) data-key=(key) { (v.t(name)) " " kbd { (key.to_uppercase()) } } };
    let next = found.next.map(|cursor| cursor.to_string());
    html! {
        div.panel-foot.foot-sticky {
            div.bulk role="toolbar" aria-label=(v.t("Selected items")) {
                b { span data-count { (v.t("Some")) } " " (v.t("selected")) } span.sep {}
                @if v.may(Permission::StockReceive) { (button("receive", "r", "Receive")) }
                @if v.may(Permission::StockAdjust) { (button("count", "c", "Count")) (button("adjust", "a", "Adjust")) (button("move", "m", "Move")) }
                @if v.may(Permission::StockTransfer) { (button("transfer", "t", "Transfer")) }
                @if v.may(Permission::ItemsEdit) { (button("sell", "s", "Selling")) }
                @if matched > found.rows.len() && matched <= domain::limits::MAX_LINES {
                    span.sep {} label.check { input type="checkbox" name="all" value="yes"; span { (v.say("All {} that match", &[&v.num(matched as i64)])) } }
                }
                span.sep {} button.btn.btn-s.btn-icon type="button" data-clear data-js aria-label=(v.t("Clear selection")) { svg.i.i-s aria-hidden="true" { use href="#i-x" {} } }
            }
            span.grow { @match found.matched { Some(matched) => (v.count(matched as i64, "item", "items")), None => (v.count(found.rows.len() as i64, "row", "rows")) } }
            (pages(v, next.as_deref()))
        }
    }
}

/// The whole list as it is filtered and sorted.
fn file(app: &App, asked: Asked, hits: Option<Vec<i64>>) -> Response<Body> {
    let head = [
        "sku",
        "name",
        "barcode",
        "kit",
        "state",
        "on_hand",
        "available",
        "reserved",
        "committed",
        "damaged",
        "quality_control",
        "safety_stock",
        "incoming",
        "sold_7d",
        "cover_days",
        "price",
        "currency",
        "moved_at",
    ];
    let (table, engine) = (app.engine.stock_table().clone(), app.engine.clone());
    export::csv(app.clone(), "items.csv", &head, None, move |tx, config, after: Option<Cursor<2>>| {
        let query = StockQuery { after, ..asked.query(config, hits.clone(), export::STEP) };
        let found = engine::stock::list::page(tx, config, &table, &query, engine.now())?;
        Ok((found.rows.iter().map(cells).collect(), found.next.map(Some)))
    })
}

fn cells(row: &StockRow) -> Vec<String> {
    let b = &row.balances;
    let figures = [b.on_hand, b.available, b.reserved, b.committed, b.damaged, b.quality_control, b.safety_stock, b.incoming, row.sold_7d];
    let (price, currency) = row.price.as_ref().map_or_else(Default::default, |p| (p.amount.clone(), p.currency.clone()));
    let mut cells = vec![
        row.sku.to_string(),
        row.name.clone(),
        row.barcode.clone().unwrap_or_default(),
        if row.is_kit { "yes" } else { "" }.into(),
        row.state.word().into(),
    ];
    cells.extend(figures.map(|n| n.to_string()));
    cells.push(row.cover_days.map_or_else(String::new, |days| format!("{days:.1}")));
    cells.extend([price, currency, row.moved_at.filter(|t| t.0 > 0).map_or_else(String::new, |t| t.to_string())]);
    cells
}
