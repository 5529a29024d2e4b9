//! The frame of a page: its head, navigation, the line on top, the palette and the list of keys.

use super::files::address;
use super::icons::SPRITE;
use super::parts::{csrf, icon};
use super::show::iso;
use super::viewer::Viewer;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::response::{Html, IntoResponse};
use domain::Permission::{self, *};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A page on its way to the browser.
pub struct Page(pub StatusCode, pub Markup);

impl IntoResponse for Page {
    fn into_response(self) -> Response<Body> {
        (self.0, Html(self.1.into_string())).into_response()
    }
}

/// What a page of the console consists of.
pub struct Sheet {
    pub title: String,
    /// The link of the navigation that this page belongs to.
    pub here: &'static str,
    /// What the page shows, so that it is asked for again when that changes: `orders stock item:SKU …`; empty stays as it is.
    pub topics: String,
    /// The title row.
    pub head: Markup,
    pub body: Markup,
}

/// A place in the navigation: address, icon, name, its letter after G, and what one must be allowed to see it.
type Place = (&'static str, &'static str, &'static str, &'static str, Option<Permission>);

const GROUPS: [(&str, &[Place]); 4] = [
    (
        "Operate",
        &[
            ("/", "today", "Today", "t", None),
            ("/orders", "order", "Orders", "o", Some(OrdersView)),
            ("/exceptions", "flag", "Exceptions", "e", Some(ExceptionsView)),
            ("/reservations", "hold", "Reservations", "h", Some(OrdersView)),
        ],
    ),
    (
        "Stock",
        &[
            ("/items", "box", "Items", "i", Some(StockView)),
            ("/transfers", "truck", "Transfers", "f", Some(StockView)),
            ("/locations", "pin", "Locations", "l", Some(StockView)),
            ("/imports", "import", "Imports", "m", Some(ImportsRun)),
        ],
    ),
    ("Sell", &[("/channels", "plug", "Channels", "c", Some(ChannelsView)), ("/rules", "route", "Routing rules", "r", Some(RoutingView))]),
    (
        "Control",
        &[
            ("/people", "people", "People", "p", Some(PeopleManage)),
            ("/roles", "role", "Roles", "", Some(PeopleManage)),
            ("/keys", "key", "API keys", "k", Some(KeysManage)),
            ("/webhooks", "bell", "Webhooks and mail", "w", Some(WebhooksView)),
            ("/audit", "audit", "Audit", "a", Some(AuditView)),
            ("/settings", "gear", "Settings", "s", Some(SettingsEdit)),
        ],
    ),
];

/// Places about all locations and channels, which nobody opens who sees some of them only.
const ABOUT_ALL: [&str; 3] = ["/imports", "/rules", "/webhooks"];

/// Whether a place of the navigation opens for this viewer.
fn opens(v: &Viewer, place: &Place) -> bool {
    place.4.is_none_or(|permission| v.may(permission)) && !(v.is_limited() && ABOUT_ALL.contains(&place.0))
}

/// Every place of the navigation that this viewer may see: (address, icon, name).
pub fn places(v: &Viewer) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> + '_ {
    let all = GROUPS.iter().flat_map(|(_, places)| places.iter());
    all.filter(|place| opens(v, place)).map(|place| (place.0, place.1, place.2))
}

/// A page with nothing around it: before signing in.
pub fn bare(v: &Viewer, title: &str, body: Markup) -> Markup {
    // The scripts that have work before anybody is signed in.
    document(v, title, "", html! { @for name in ["passkey.js", "password.js"] { script type="module" src=(address(name)) {} } }, body)
}

/// A page within the console.
pub fn page(v: &Viewer, sheet: Sheet) -> Page {
    let status = if v.wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let scripts = html! {
        meta name="csrf" content=(v.csrf());
        script type="module" src=(address("console.js")) {}
    };
    let Sheet { title, here, topics, head, body } = sheet;
    // What was typed into a refused form stays as it is.
    let topics = if v.wrong.is_some() { String::new() } else { topics };
    let main = html! {
        main.page #main data-topics=[(!topics.is_empty()).then_some(&topics)] data-seq=(v.signs.seq) {
            (head)
            div.banner.banner-danger #alarm role="alert" hidden data-keep {
                (icon("danger"))
                div { b { (v.t("Not connected.")) " " } (v.t("What stands below was true at")) " " span data-since {} ". " (v.t("Trying again.")) }
            }
            (super::parts::said(v))
            (super::parts::wrong(v))
            (body)
        }
    };
    Page(status, document(v, &title, "app", scripts, html! { (nav(v, here)) (top(v)) (main) (palette(v)) (keys(v)) }))
}

/// What the script has to say about the page; the style shows the one that holds.
pub fn status(v: &Viewer) -> Markup {
    html! {
        span.live #status {
            span data-when="still" { (v.t("As of")) " " } span data-when="live" { (v.t("Live, updated")) " " }
            span data-when="paused" { (v.t("Paused, as of")) " " } span data-when="lost" { (v.t("Reconnecting, as of")) " " }
            time datetime=(iso(v.now)) { (v.clock(v.now)) }
        }
    }
}

/// The title row: a title, what is said below it, and what stands at the right.
pub fn head(title: &str, sub: Markup, right: Markup) -> Markup {
    html! { div.page-head { div.grow { h1 { (title) } p.sub { (sub) } } (right) } }
}

fn document(v: &Viewer, title: &str, class: &str, scripts: Markup, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(v.language.code()) data-theme=[v.theme.as_deref()] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · " @if !v.house.name.is_empty() { (v.house.name) " · " } "Holdfast" }
                link rel="icon" type="image/svg+xml" href=(address("icon.svg"));
                link rel="stylesheet" href=(address("holdfast.css"));
                link rel="stylesheet" href=(address("charts.css"));
                (scripts)
            }
            body class=[(!class.is_empty()).then_some(class)] {
                a.skip href="#main" { (v.t("Skip to content")) }
                (PreEscaped(SPRITE))
                (body)
            }
        }
    }
}

pub fn brand(class: &str) -> Markup {
    html! {
        a class=(class) href="/" {
            svg viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" aria-hidden="true" {
                path d="M6 2.5v10.5M14 2.5v10.5M6 8h8M2.5 17.5c2 0 3.5-1.5 3.5-4.5M17.5 17.5c-2 0-3.5-1.5-3.5-4.5" {}
            }
            "Holdfast"
        }
    }
}

fn nav(v: &Viewer, here: &str) -> Markup {
    let link = |place: &Place| {
        let (to, name, text, letter, _) = place;
        html! {
            li { a.nav-a href=(to) data-go=[(!letter.is_empty()).then_some(letter)] aria-current=[(*to == here).then_some("page")] {
                (icon(name)) (v.t(text))
                @if *to == "/exceptions" && v.signs.exceptions > 0 { span.count aria-label=(v.say("{} open", &[&v.num(v.signs.exceptions)])) { (v.num(v.signs.exceptions)) } }
            } }
        }
    };
    html! {
        nav.nav #nav aria-label=(v.t("Main")) {
            (brand("brand"))
            @for (title, places) in GROUPS {
                @let shown: Vec<&Place> = places.iter().filter(|place| opens(v, place)).collect();
                @if !shown.is_empty() { section.nav-group { h2 { (v.t(title)) } ul { @for place in shown { (link(place)) } } } }
            }
            div.nav-foot { span { "Holdfast " (env!("CARGO_PKG_VERSION")) } span { a href="/docs" { (v.t("API reference")) } } }
        }
    }
}

fn top(v: &Viewer) -> Markup {
    let initials: String = v.name.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    let role = v.caller.as_ref().and_then(|c| c.signed_in.as_ref()).map(|s| s.person.role.clone()).unwrap_or_default();
    html! {
        header.top {
            form.search role="search" action="/search" {
                label.vh for="q" { (v.t("Search or run a command")) }
                (icon("search")) input #q name="q" type="search" placeholder=(v.t("Search items, orders, pages")) autocomplete="off";
                span.keys { kbd { "Ctrl" } " " kbd { "K" } }
            }
            span.grow {}
            time.clock datetime=(iso(v.now)) title=(v.zone_name()) { (v.date(v.now)) ", " (v.minute(v.now)) }
            details.menu {
                summary { span.avatar aria-hidden="true" { (initials) } span.who { (v.name) } svg.i.i-s aria-hidden="true" { use href="#i-down" {} } }
                div.menu-body {
                    p { (role) }
                    a href="/account" { (v.t("Your account")) }
                    button type="button" data-keys data-js { (v.t("Keyboard shortcuts")) }
                    form action="/sign-out" method="post" { (csrf(v)) button type="submit" { (v.t("Sign out")) } }
                }
            }
        }
    }
}

fn palette(v: &Viewer) -> Markup {
    html! {
        dialog.palette #palette aria-label=(v.t("Search or run a command")) data-person=(v.caller.as_ref().map_or("", |c| &c.actor)) {
            div.palette-in {
                (icon("search"))
                input type="text" role="combobox" aria-label=(v.t("Search or run a command")) aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list" placeholder=(v.t("Item, order, page or action")) autocomplete="off" spellcheck="false";
            }
            div #palette-list role="listbox" aria-label=(v.t("Results")) {}
            div.palette-foot.hints {
                span { kbd { "↑" } kbd { "↓" } (v.t("Next row, row before")) } span { kbd { "Enter" } (v.t("Choose")) } span { kbd { "Esc" } (v.t("Close")) }
            }
        }
    }
}

fn keys(v: &Viewer) -> Markup {
    let line = |keys: &[&str], text: &'static str| html! { dt { @for key in keys { kbd { (key) } " " } } dd { (v.t(text)) } };
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { (v.t("Keyboard")) }
            dl.keys {
                (line(&["Ctrl", "K"], "Search or run a command")) (line(&["/"], "Filter this list")) (line(&["J", "K"], "Next row, row before"))
                (line(&["X"], "Tick the row")) (line(&["Enter"], "Open the row")) (line(&["Z"], "Undo")) (line(&["P"], "Pause, or go on"))
                (line(&["G"], "Then a letter: go to a page")) (line(&["?"], "This list")) (line(&["Esc"], "Close"))
            }
            dl.keys data-keys-here {}
            form.row method="dialog" {
                label.check { input #single-keys type="checkbox" checked; (v.t("Single keys are on")) }
                button.btn.btn-primary { (v.t("Close")) }
            }
        }
    }
}
