//! What a channel has for sale: the list with search, filters and export, and one listing: which item it is, how many units, its policy,
//! trying again after a refusal.

use super::settings::view_of;
use super::{find, policy};
use crate::App;
use crate::console::export::{self, STEP};
use crate::console::fields::{Posted, see, step};
use crate::console::parts::{Field, Part, bar, button, empty, form, icon, kept, pager, search_box, seen, sorted, state};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use crate::request::id as number;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::{ListingsEdit, StockView};
use domain::{Noun, Refused};
use engine::access::audit::etag_of;
use engine::channels::listings::{ListingView, MapListing};
use engine::channels::read::{self as reads, ChannelStatus};
use engine::channels::search::{self, ListingCursor, ListingQuery, Only};
use engine::channels::suggest::{self, Suggestion};
use engine::page::Page as Rows;
use engine::{Command, Stop};
use maud::{Markup, html};

/// Listings on one page.
const SHOWN: usize = 50;

/// Which of them the address asks for.
pub struct Asked {
    only: Only,
    q: String,
    reversed: bool,
    after: Option<String>,
}

const VIEWS: [(Only, &str, &str); 3] = [(Only::Any, "", "All"), (Only::Unmapped, "unmapped", "Unmapped"), (Only::Refused, "refused", "Refused")];

impl Asked {
    pub fn of(v: &Viewer) -> Asked {
        let word = v.asked("only").unwrap_or_default();
        let only = VIEWS.iter().find(|(_, known, _)| *known == word).map_or(Only::Any, |(only, ..)| *only);
        let reversed = v.asked("sort").as_deref() == Some("-title");
        Asked { only, q: v.asked("q").unwrap_or_default(), reversed, after: v.asked("after") }
    }

    fn query(&self, code: &str, limit: usize) -> Result<ListingQuery, Refused> {
        let after = self.after.as_deref().map(|text| ListingCursor::parse("after", text)).transpose()?;
        Ok(ListingQuery { channel: code.to_owned(), only: self.only, begins: self.q.clone(), reversed: self.reversed, after, limit })
    }
}

/// The channel as it is now, and its listings; None of a warehouse.
pub async fn read(app: &App, v: &Viewer, code: &str, asked: &Asked) -> Result<(ChannelStatus, Option<Rows<ListingView, ListingCursor>>), Problem> {
    let (query, grant, code) = (asked.query(code, SHOWN)?, v.grant(), code.to_owned());
    let read = move |tx: &mut engine::db::Tx<'_>, config: &engine::Config| {
        view_of(config, &grant, &code)?;
        let status = engine::channels::read::status(tx, config, &code)?;
        let list = if status.channel.location.is_none() { Some(search::list(tx, config, &query)?) } else { None };
        Ok((status, list))
    };
    Ok(app.read(read).await?)
}

pub fn part(v: &Viewer, status: &ChannelStatus, asked: &Asked, list: &Rows<ListingView, ListingCursor>) -> Markup {
    let code = &status.channel.code;
    let count = |only: Only| match only {
        Only::Any => status.listings,
        Only::Unmapped => status.listings - status.mapped,
        Only::Refused => status.refused,
    };
    let views: Vec<(String, String, Option<String>, bool)> = VIEWS
        .iter()
        .map(|(only, word, name)| (v.address(&[("only", word)]), v.t(name).to_owned(), Some(v.num(count(*only))), asked.only == *only))
        .collect();
    let scale = list.rows.iter().map(|l| l.exposure.max(l.shown.unwrap_or(0))).max().unwrap_or(0).max(1);
    let next = list.next.as_ref().map(|c| c.to_string());
    let may = v.may(ListingsEdit);
    let body = html! {
        (crate::console::parts::tabs(v, "Listings", &views))
        form.filters method="get" role="search" aria-label=(v.t("Filter")) {
            (kept(v, &["only", "sort"]))
            (search_box(v, "Title, SKU or name there", &asked.q))
            button.btn.btn-s.no-js type="submit" { (v.t("Filter")) }
            @if status.listings > status.mapped && may { a.btn.btn-s href={ "/channels/" (step(code)) "/alike" } { (v.t("Map by equal SKUs…")) } }
            a.btn.btn-s href={ "/channels/" (step(code)) "/waiting" } { (v.t("What would be sent")) }
            a.btn.btn-s.btn-ghost href=(v.address(&[("format", "csv")])) { (icon("download")) (v.t("Export")) }
        }
        @if list.rows.is_empty() { (none(v, status, asked)) }
        @else { div data-select {
            div.table-wrap { table.table.table-stack {
                caption.vh { (v.t("Listings and quotas")) }
                thead { tr {
                    @if may { th.th-check scope="col" { label { input type="checkbox" data-check-all data-js aria-label=(v.t("Select all rows on this page")); } } }
                    @if asked.q.is_empty() { (sorted(v, "title", "Listing", "", "title")) } @else { th scope="col" { (v.t("Listing")) } }
                    th scope="col" { (v.t("Item")) } th.num scope="col" { (v.t("Units each")) } th.num scope="col" { (v.t("Shown")) }
                    th.w-bar2 scope="col" { (v.t("May still sell")) } th scope="col" { (v.t("Policy")) } th scope="col" { (v.t("State")) }
                } }
                tbody { @for l in &list.rows { (row(v, l, scale, may)) } }
            } }
            @if may { form #bulk action={ "/channels/" (step(code)) "/policies" } {
                input type="hidden" name="next" value=(v.address(&[]));
                div.bulk role="toolbar" aria-label=(v.t("Selected listings")) {
                    b { span data-count data-js {} " " (v.t("selected")) } span.sep {}
                    button.btn.btn-s type="submit" data-key="y" { (v.t("Policy…")) " " kbd { "Y" } }
                    button.btn.btn-s.btn-icon type="button" data-clear data-js aria-label=(v.t("Clear the selection")) { (icon("x")) }
                }
            } }
        } }
        @if !list.rows.is_empty() || next.is_some() { (pager(v, list.rows.len(), next.as_deref())) }
    };
    let legend = html! { div.legend.right {
        span { svg.key aria-hidden="true" { rect.b-track width="14" height="8" rx="1" {} rect.b-a width="9" height="8" rx="1" {} } (v.t("Shown")) }
        span { svg.key aria-hidden="true" { rect width="14" height="8" rx="1" fill="url(#hatch)" {} } (v.t("Lent beyond it: perhaps sold, not counted yet")) }
    } };
    Part::new("listings", v.t("Listings and quotas"), body).right(legend).show()
}

fn none(v: &Viewer, status: &ChannelStatus, asked: &Asked) -> Markup {
    if status.listings == 0 {
        return empty(
            v.t("Nothing is listed yet"),
            html! { (v.t("What is for sale there is read every quarter of an hour, first a few seconds after it was connected. List something there, or compare now.")) },
            html! {},
        );
    }
    if !asked.q.is_empty() {
        return empty(
            v.t("None fits"),
            html! { (v.t("No title and no SKU begins so, and none is called so there.")) },
            html! { div { a.btn href=(v.address(&[("q", "")])) { (v.t("Show all")) } } },
        );
    }
    let (title, why) = match asked.only {
        Only::Unmapped => ("All are mapped", "Each listing is an item here."),
        Only::Refused => ("None is refused", "The channel took the last quantity of each."),
        Only::Any => ("Nothing here", "There are no more."),
    };
    empty(v.t(title), html! { (v.t(why)) }, html! {})
}

fn row(v: &Viewer, l: &ListingView, scale: i64, may: bool) -> Markup {
    let shown = l.shown.unwrap_or(0).min(l.exposure);
    let label = v.say("{} shown, {} may still be sold", &[&l.shown.map_or("–".to_owned(), |n| v.num(n)), &v.num(l.exposure)]);
    html! {
        tr data-row=(l.id.0) data-key={ "l" (l.id.0) } {
            @if may { td.check { label { input type="checkbox" name="id" value=(l.id.0) form="bulk" data-check aria-label=(v.say("Select {}", &[&l.title])); } } }
            th.clip scope="row" title=(l.title) { a href={ "/channels/" (step(&l.channel)) "/listings/" (l.id.0) } data-open { (l.title) } " " span.aside { (l.external) } }
            td data-label=(v.t("Item")) { @match &l.item { Some(sku) if v.may(StockView) => a href={ "/items/" (step(sku)) } { (sku) }, Some(sku) => (sku), None => (state("warn", "st-warn", v.t("Unmapped"))) } }
            td.num data-label=(v.t("Units each")) { (v.num(l.units_per_listing)) }
            td.num data-label=(v.t("Shown")) { (l.shown.map_or("–".to_owned(), |n| v.num(n))) }
            td.w-bar2 data-label=(v.t("May still sell")) { div.barcell { (bar(&label, scale, &[("b-a", shown), ("b-hatch", l.exposure - shown)], None)) span.num { (v.num(l.exposure)) } } }
            td.clip data-label=(v.t("Policy")) { @match &l.policy { Some(own) => (policy::words(v, own)), None => span.quiet { (v.t("as the channel")) } } }
            td data-label=(v.t("State")) { (standing(v, l)) }
        }
    }
}

fn standing(v: &Viewer, l: &ListingView) -> Markup {
    match () {
        () if l.fault.is_some() => html! { span title=[l.fault.as_deref().map(|f| v.whole(f))] { (state("danger", "st-danger", v.t("Refused"))) } },
        () if l.item.is_none() => state("off", "st-off", v.t("Not sold here")),
        () if l.write_under_way => state("half", "st-info", v.t("Sending")),
        () if l.write_wanted => state("queued", "st-info", v.t("Waits")),
        () => state("ok", "st-ok", v.t("Level")),
    }
}

/// All that are asked for, as a file.
pub async fn export(app: &App, v: &Viewer, code: &str) -> Result<Response<Body>, Problem> {
    let (asked, wanted) = (Asked::of(v), code.to_owned());
    let head = ["listing", "there", "title", "sku_there", "item", "units_each", "shown", "may_still_sell", "own_policy", "waits", "fault"];
    let rows = move |tx: &mut engine::db::Tx<'_>, config: &engine::Config, after| {
        let page = search::list(tx, config, &ListingQuery { after, ..asked.query(&wanted, STEP)? })?;
        let row = |l: ListingView| {
            let own = l.policy.as_ref().and_then(|p| serde_json::to_string(p).ok()).unwrap_or_default();
            let item = l.item.map(|i| i.to_string()).unwrap_or_default();
            let (shown, units) = (l.shown.map(|n| n.to_string()).unwrap_or_default(), l.units_per_listing.to_string());
            let wanted = l.write_wanted.to_string();
            vec![
                l.id.0.to_string(),
                l.external,
                l.title,
                l.sku.unwrap_or_default(),
                item,
                units,
                shown,
                l.exposure.to_string(),
                own,
                wanted,
                l.fault.unwrap_or_default(),
            ]
        };
        Ok((page.rows.into_iter().map(row).collect(), page.next.map(Some)))
    };
    Ok(export::csv(app.clone(), &format!("listings-{code}.csv"), &head, None, rows))
}

pub async fn one(State(app): State<App>, Path((code, id)): Path<(String, String)>, viewer: Viewer) -> Result<Page, Problem> {
    show(&app, &viewer, &code, number(Noun::Listing, &id)?).await
}

async fn show(app: &App, v: &Viewer, code: &str, id: i64) -> Result<Page, Problem> {
    let channel = find(app, v, code).await?;
    let wanted = channel.code.clone();
    let (listing, item, suggestions) = app
        .read(move |tx, config| {
            let listing = reads::listing(tx, config, id)?;
            if listing.channel != wanted {
                return Err(Refused::unknown(Noun::Listing, id.to_string(), "id").into());
            }
            let item = listing.item.as_deref().map(|sku| engine::stock::read::item(tx, sku)).transpose()?.map(|i| i.name);
            Ok((listing, item, suggest::suggest(tx, id)?))
        })
        .await?;
    let may = v.may(ListingsEdit);
    let body = html! {
        @if let Some(fault) = &listing.fault {
            div.banner.banner-danger { (icon("danger")) div { b { (v.t("The channel refuses its quantity.")) } " " (v.whole(fault)) ". " (v.t("Mend the listing there, then try again; until then nothing is sent for it.")) }
                @if may { (button(v, &v.path, "btn", &[("do", "retry"), ("seen", &etag_of(&listing.mapping()))], html! { (v.t("Try again")) })) }
            }
        }
        div.cols.cols-side {
            div.stack { @if may { (mapping(v, &listing, &suggestions)) (own_policy(v, &listing, &channel.policy)) } @else { (facts(v, &listing, item.as_deref())) } }
            div.stack { @if may { (facts(v, &listing, item.as_deref())) } }
        }
    };
    let sub = html! { a href={ "/channels/" (step(code)) } { (channel.name) } " · " (listing.external) " · " (standing(v, &listing)) };
    let head = shell::head(&listing.title, sub, html! {});
    Ok(shell::page(v, Sheet { title: listing.title.clone(), here: "/channels", topics: "channels".into(), head, body }))
}

fn facts(v: &Viewer, l: &ListingView, item: Option<&str>) -> Markup {
    let body = html! { div.panel-body { dl.facts {
        dt { (v.t("Name there")) } dd.anywhere { (l.external) }
        dt { (v.t("SKU there")) } dd { (l.sku.as_deref().unwrap_or("–")) }
        dt { (v.t("Item")) } dd { @match &l.item { Some(sku) => { @if v.may(StockView) { a href={ "/items/" (step(sku)) } { (sku) } } @else { (sku) } " " span.quiet { (item.unwrap_or_default()) } }, None => (v.t("none yet")) } }
        dt { (v.t("Units in one")) } dd { (v.num(l.units_per_listing)) }
        dt { (v.t("Shown there")) } dd { (l.shown.map_or("–".to_owned(), |n| v.num(n))) }
        dt { (v.t("May still sell")) } dd { (v.num(l.exposure)) }
        dt { (v.t("A write")) } dd { @if l.write_under_way { (v.t("is under way")) } @else if l.write_wanted { (v.t("waits")) } @else { (v.t("is not wanted")) } }
    } } };
    Part::new("facts", v.t("Facts"), body).show()
}

fn mapping(v: &Viewer, l: &ListingView, suggestions: &[Suggestion]) -> Markup {
    let etag = etag_of(&l.mapping());
    let best = suggestions.first();
    let body = html! { div.panel-body.stack {
        @if l.item.is_none() {
            @if suggestions.is_empty() { p { (v.t("Nothing here is written like it: type the SKU of the item that it is.")) } }
            @else { ul.options { @for s in suggestions {
                li data-key={ "s" (s.sku) } {
                    span { b { (s.sku) @if s.units_per_listing > 1 { " × " (v.num(s.units_per_listing)) } } small { (s.name) ": " (s.why) } }
                    (button(v, &v.path, "btn", &[("do", "map"), ("sku", &s.sku), ("units_per_listing", &s.units_per_listing.to_string()), ("seen", &etag)], html! { (v.t("It is this")) }))
                }
            } } }
        } @else if l.exposure > 0 {
            p.small.quiet { (v.t("While the channel may still sell units of it, it cannot become another item: never sell it here by its own policy first, and wait until nothing is lent.")) }
        }
        (form(v, &v.path, html! {
            (seen(&etag)) input type="hidden" name="do" value="map";
            div.form-grid {
                (Field::new("sku", "SKU of the item").value(l.item.as_deref().or(best.map(|s| &*s.sku)).unwrap_or_default()).required().key("m").suggest("items").show(v))
                (Field::new("units_per_listing", "Units of it in one listing").kind("number").value(best.filter(|_| l.item.is_none()).map_or(l.units_per_listing, |s| s.units_per_listing)).hint(html! { (v.t("6 for a pack of six.")) }).show(v))
            }
            div.form-foot { button.btn.btn-primary type="submit" { @if l.item.is_some() { (v.t("Map it anew")) } @else { (v.t("Map it")) } } }
        }))
    } };
    Part::new("mapping", v.t("Which item it is"), body).show()
}

fn own_policy(v: &Viewer, l: &ListingView, channel: &domain::quota::Policy) -> Markup {
    let body = html! { div.panel-body {
        (form(v, &v.path, html! {
            (seen(&etag_of(&l.mapping()))) input type="hidden" name="do" value="policy";
            p.small.quiet { (v.say("The channel's: {}.", &[&policy::words(v, channel)])) }
            (policy::fields(v, l.policy.as_ref().unwrap_or(channel), Some(l.policy.is_none())))
            div.form-foot { button.btn.btn-primary type="submit" { (v.t("Save the policy")) } }
        }))
    } };
    Part::new("policy", v.t("Its own policy"), body).show()
}

/// Maps it, gives it a policy, or has it tried again.
pub async fn set(State(app): State<App>, Path((code, id)): Path<(String, String)>, posted: Posted) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Listing, &id)?;
    let work = async {
        find(&app, &posted.viewer, &code).await?;
        let fields = &posted.fields;
        let change = match fields.text("do") {
            "map" => MapListing {
                sku: Some(fields.text("sku").to_owned()),
                units_per_listing: fields.opt_int("units_per_listing")?,
                ..MapListing::default()
            },
            "retry" => MapListing { retry: true, ..MapListing::default() },
            "policy" => match policy::read(fields)? {
                Some(own) => MapListing { policy: Some(own), ..MapListing::default() },
                None => MapListing { inherit: true, ..MapListing::default() },
            },
            _ => return Err(Stop::from(Refused::invalid("do", "must be map, policy or retry"))),
        };
        posted.submit(&app, Command::MapListing(MapListing { id, ..change })).await
    };
    match work.await {
        Ok(_) => Ok(see(&format!("/channels/{}/listings/{id}?said=saved", step(&code)))),
        Err(stop) => Ok(show(&app, &posted.viewer.refused(posted.fields.0, stop)?, &code, id).await?.into_response()),
    }
}
