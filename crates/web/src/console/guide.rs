//! The first-run guide: owner, location, items and stock, channel. Each step is done where it belongs; here is what is done already and
//! what comes next. And the palette: what one can go to and do.

use super::fields::{address, step};
use super::items::Deed;
use super::parts::{icon, state};
use super::shell::{self, Page, Sheet, places};
use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::extract::State;
use axum::response::Html;
use domain::{Grant, Permission};
use engine::dashboard;
use engine::stock::list::StockRow;
use maud::{Markup, html};

pub async fn page(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let v = &viewer;
    let began = app.read(dashboard::began).await?;
    let steps = [
        Step {
            done: true,
            title: "An owner",
            words: "You. Let others in when there is something to do for them.",
            to: "/people/new",
            action: "Let somebody in",
            needs: Permission::PeopleManage,
        },
        Step {
            done: began.locations > 0,
            title: "A location",
            words: "Where stock lies: a warehouse, a store, somebody else's warehouse.",
            to: "/locations/new",
            action: "Add a location",
            needs: Permission::LocationsEdit,
        },
        Step {
            done: began.any_item,
            title: "Items and stock",
            words: "From a file with SKU and name, and one with quantities; or a small sample to look around with.",
            to: "/imports",
            action: "Import a file",
            needs: Permission::ImportsRun,
        },
        Step {
            done: began.channels > 0,
            title: "A channel",
            words: "A place that sells: orders come in from it, quotas of your stock go out to it.",
            to: "/channels/new",
            action: "Connect a channel",
            needs: Permission::ChannelsEdit,
        },
        Step {
            done: began.any_order,
            title: "An order",
            words: "From a channel, from your own shop through the API, or typed in.",
            to: "/orders/new",
            action: "Place an order",
            needs: Permission::OrdersPlace,
        },
    ];
    let next = steps.iter().position(|s| !s.done);
    let may_sample = !began.any_item && v.may(Permission::ImportsRun) && !v.is_limited();
    let body = html! {
        section.panel aria-label=(v.t("First steps")) { ol.steps.panel-body {
            @for (n, step) in steps.iter().enumerate() {
                (item(v, n + 1, step, next == Some(n), html! { @if may_sample && step.to == "/imports" { (super::imports::sample(v, false, "/guide")) } }))
            }
        } }
    };
    let done = steps.iter().filter(|s| s.done).count();
    let head =
        shell::head(v.t("First steps"), html! { (v.say("{} of {} done", &[&done, &steps.len()])) }, html! { a.btn href="/" { (v.t("To today")) } });
    Ok(shell::page(v, Sheet { title: v.t("First steps").into(), here: "", topics: "items locations channels orders".into(), head, body }))
}

/// A step of the guide: whether it is done, what it is, where it is done, and what one must be allowed.
struct Step {
    done: bool,
    title: &'static str,
    words: &'static str,
    to: &'static str,
    action: &'static str,
    needs: Permission,
}

/// The one to do next has the button that stands out.
fn item(v: &Viewer, n: usize, step: &Step, is_next: bool, beside: Markup) -> Markup {
    html! {
        li data-key=(n) aria-current=[is_next.then_some("step")] {
            span.n aria-hidden="true" { (n) }
            div {
                h3 { (v.t(step.title)) " " @if step.done { (state("ok", "st-ok", v.t("Done"))) } @else if is_next { span.tag { (v.t("Next")) } } }
                p { (v.t(step.words)) }
                @if v.may(step.needs) { div.row { a.btn.btn-primary[is_next] href=(step.to) { (v.t(step.action)) } (beside) } }
            }
        }
    }
}

/// Something that can be done from the palette: words, where, and what one must be allowed.
const ACTIONS: [(&str, &str, &str, Permission); 10] = [
    ("Add an item", "/items/new", "plus", Permission::ItemsEdit),
    ("Add a location", "/locations/new", "plus", Permission::LocationsEdit),
    ("Place an order", "/orders/new", "plus", Permission::OrdersPlace),
    ("Send a transfer", "/transfers/new", "truck", Permission::StockTransfer),
    ("Connect a channel", "/channels/new", "plug", Permission::ChannelsEdit),
    ("Import a file", "/imports", "import", Permission::ImportsRun),
    ("Let somebody in", "/people/new", "people", Permission::PeopleManage),
    ("Make an API key", "/keys/new", "key", Permission::KeysManage),
    ("Try other routing rules", "/rules", "route", Permission::RoutingView),
    ("First steps", "/guide", "book", Permission::StockView),
];

/// Most items, and most orders, that are offered.
const OFFERED: usize = 7;

/// Most items that an act is offered for.
const ACTED_ON: usize = 3;

/// “rec mug”: what is done to stock by hand, for the items that the rest of the words finds.
async fn act_on(app: &App, v: &Viewer, words: &str, grant: &Grant) -> Result<Vec<(Deed, StockRow)>, Problem> {
    let Some((verb, rest)) = words.trim().split_once(' ') else { return Ok(Vec::new()) };
    let verb = verb.to_lowercase();
    let begins = |name: &str| name.to_lowercase().starts_with(&verb);
    let deeds: Vec<Deed> = Deed::ALL.into_iter().filter(|d| v.may(d.permission()) && (begins(v.t(d.name())) || begins(d.name()))).collect();
    if deeds.is_empty() {
        return Ok(Vec::new());
    }
    let (items, _) = super::find::find(app, grant, rest, OFFERED).await?;
    let of = |deed: Deed| {
        // What has nothing to be taken comes last.
        let mut items = items.clone();
        items.sort_by_key(|i| deed == Deed::Transfer && i.balances.available <= 0);
        items.into_iter().take(ACTED_ON).map(move |i| (deed, i))
    };
    Ok(deeds.into_iter().flat_map(of).collect())
}

/// Locations and channels, as far as the viewer sees them: (address, glyph, name, code).
async fn named(app: &App, v: &Viewer) -> Result<Vec<(String, &'static str, String, String)>, Problem> {
    let grant = v.grant();
    let (locations, channels) = (v.may(Permission::StockView), v.may(Permission::ChannelsView));
    let known = app
        .read(move |_, config| {
            let mut known = Vec::new();
            for l in config.locations.iter().filter(|l| locations && grant.at(l.id)) {
                known.push((format!("/locations/{}", step(&l.code)), "pin", l.name.clone(), l.code.to_string()));
            }
            for c in config.channels.iter().filter(|c| channels && grant.on(&c.code)) {
                known.push((format!("/channels/{}", step(&c.code)), "plug", c.name.clone(), c.code.to_string()));
            }
            Ok(known)
        })
        .await?;
    Ok(known)
}

/// What fits the words typed: items, orders, actions, locations and channels, pages. Empty words offer the pages.
async fn find(app: &App, v: &Viewer, words: &str) -> Result<Markup, Problem> {
    let lower = words.trim().to_lowercase();
    let fits = |text: &str| lower.split_whitespace().all(|word| text.to_lowercase().split_whitespace().any(|t| t.starts_with(word)));
    let pages: Vec<_> = places(v).filter(|(_, _, name)| fits(v.t(name)) || fits(name)).collect();
    let actions: Vec<_> = ACTIONS.iter().filter(|a| v.may(a.3) && !lower.is_empty() && (fits(v.t(a.0)) || fits(a.0))).collect();
    let grant = v.caller.as_ref().map(|c| c.grant.clone()).unwrap_or_default();
    let (items, orders) = if lower.is_empty() { (Vec::new(), Vec::new()) } else { super::find::find(app, &grant, words, OFFERED).await? };
    let acts = act_on(app, v, words, &grant).await?;
    let named = if lower.is_empty() { Vec::new() } else { named(app, v).await? };
    let named: Vec<_> = named.into_iter().filter(|(_, _, name, code)| fits(name) || fits(code)).take(OFFERED).collect();
    let option = |href: &str, glyph: &str, text: Markup, aside: Markup| {
        html! { a.opt role="option" href=(href) { (icon(glyph)) span.grow { (text) } span.aside { (aside) } } }
    };
    // There may be more than fit here.
    let all_in = |list: &str| {
        option(&address(list, [("q".to_owned(), words.trim().to_owned())].into_iter()), "search", html! { (v.t("All that are found")) }, html! {})
    };
    let is_nothing = items.is_empty() && orders.is_empty() && actions.is_empty() && acts.is_empty() && pages.is_empty() && named.is_empty();
    Ok(html! {
        @if !items.is_empty() { div role="group" aria-label=(v.t("Items")) { div.group role="presentation" { (v.t("Items")) }
            @for i in &items { (option(&format!("/items/{}", step(&i.sku)), "box", html! { b { (i.sku) } " " (i.name) }, html! { (v.say("{} available", &[&v.num(i.balances.available)])) })) }
            @if items.len() == OFFERED { (all_in("/items")) }
        } }
        @if !orders.is_empty() { div role="group" aria-label=(v.t("Orders")) { div.group role="presentation" { (v.t("Orders")) }
            @for o in &orders { (option(&format!("/orders/{}", o.id.0), "order", html! { b { (o.number) } " " (o.channel) " " (o.reference) }, html! { (super::status::cell(v, o.status)) })) }
            @if orders.len() == OFFERED { (all_in("/orders")) }
        } }
        @if !actions.is_empty() || !acts.is_empty() { div role="group" aria-label=(v.t("Actions")) { div.group role="presentation" { (v.t("Actions")) }
            @for (deed, i) in &acts { (option(&format!("/items/{}?do={}", step(&i.sku), deed.word()), deed.icon(), html! { (v.t(deed.name())) " " b { (i.sku) } " " (i.name) }, html! { (v.say("{} available", &[&v.num(i.balances.available)])) })) }
            @for (text, href, glyph, _) in actions { (option(href, glyph, html! { (v.t(text)) }, html! {})) }
        } }
        @if !named.is_empty() { div role="group" aria-label=(v.t("Locations and channels")) { div.group role="presentation" { (v.t("Locations and channels")) }
            @for (href, glyph, name, code) in &named { (option(href, glyph, html! { (name) }, html! { (code) })) }
        } }
        @if !pages.is_empty() { div role="group" aria-label=(v.t("Pages")) { div.group role="presentation" { (v.t("Pages")) }
            @for (href, glyph, name) in &pages { (option(href, glyph, html! { (v.t(name)) }, html! {})) }
        } }
        @if is_nothing { p.none { (v.say("Nothing is called “{}”.", &[&words])) } }
    })
}

/// The palette's answer to what is typed.
pub async fn palette(State(app): State<App>, viewer: Viewer) -> Result<Html<String>, Problem> {
    let words: String = viewer.asked("q").unwrap_or_default().chars().take(200).collect();
    Ok(Html(find(&app, &viewer, &words).await?.into_string()))
}

/// The same as a page, where no scripts run.
pub async fn search(State(app): State<App>, viewer: Viewer) -> Result<Page, Problem> {
    let v = &viewer;
    let words: String = v.asked("q").unwrap_or_default().chars().take(200).collect();
    let found = find(&app, v, &words).await?;
    let body = html! {
        section.panel aria-label=(v.t("Results")) {
            form.filters action="/search" { label.vh for="words" { (v.t("Search")) } input.input #words name="q" type="search" value=(words) autofocus data-filter; button.btn type="submit" { (v.t("Search")) } }
            div.palette-list role="listbox" aria-label=(v.t("Results")) { (found) }
        }
    };
    let title = v.say("Search: {}", &[&words]);
    let head = shell::head(&title, html! {}, html! {});
    Ok(shell::page(v, Sheet { title: title.clone(), here: "", topics: String::new(), head, body }))
}
