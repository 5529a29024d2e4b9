//! The frame of a page: its head, the icons, navigation, the line on top.

use super::files::address;
use super::show::{date, icon, iso, minute};
use crate::auth::Caller;
use engine::Url;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A page with nothing around it.
pub fn bare(title: &str, body: Markup) -> Markup {
    document(title, "", html! {}, body)
}

/// A page within the console.
pub fn page(title: &str, here: &str, caller: &Caller, now: i64, foot: Markup, body: Markup) -> Markup {
    let scripts = html! { script type="module" src=(address("console.js")) {} };
    let name = caller.actor.strip_prefix("key:").unwrap_or(&caller.actor);
    document(
        title,
        "app",
        scripts,
        html! {
            (nav(here, foot))
            header.top {
                span.grow {}
                time.small.quiet datetime=(iso(now)) { (date(now)) ", times in UTC" }
                details.menu {
                    summary { span.avatar { (icon("key")) } span.who { (name) } (icon("down")) }
                    div.menu-body {
                        p { "API key with the role " b { (caller.role.word()) } }
                        button type="button" data-keys data-js { "Keyboard shortcuts" }
                        form action="/sign-out" method="post" { button type="submit" { "Sign out" } }
                    }
                }
            }
            main.page #main { (body) }
            (keys())
        },
    )
}

/// Which program this is, and on what.
pub fn foot(database: &Url) -> Markup {
    html! {
        span { "Holdfast " (env!("CARGO_PKG_VERSION")) }
        span { (match database { Url::Sqlite(_) => "On SQLite", Url::Postgres(_) => "On PostgreSQL" }) }
    }
}

fn document(title: &str, class: &str, scripts: Markup, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Holdfast" }
                link rel="icon" type="image/svg+xml" href=(address("icon.svg"));
                link rel="stylesheet" href=(address("holdfast.css"));
                link rel="stylesheet" href=(address("charts.css"));
                (scripts)
            }
            body class=[(!class.is_empty()).then_some(class)] {
                a.skip href="#main" { "Skip to content" }
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

fn nav(here: &str, foot: Markup) -> Markup {
    let link =
        |to: &str, name: &str, text: &str| html! { li { a.nav-a href=(to) aria-current=[(to == here).then_some("page")] { (icon(name)) (text) } } };
    html! {
        nav.nav #nav aria-label="Main" {
            (brand("brand"))
            section.nav-group { h2 { "Operate" } ul { (link("/", "today", "Today")) (link("/channels", "channels", "Channels")) (link("/exceptions", "warn", "Exceptions")) (link("/alerts", "bell", "Alerts")) } }
            section.nav-group {
                h2 { "Build" }
                ul { (link("/docs", "book", "API reference")) (link("/openapi.json", "braces", "OpenAPI document")) (link("/metrics", "chart", "Metrics")) }
            }
            div.nav-foot { (foot) }
        }
    }
}

fn keys() -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keyboard" }
            dl.keys {
                dt { kbd { "P" } } dd { "Pause, or go on" }
                dt { kbd { "?" } } dd { "This list" }
                dt { kbd { "Esc" } } dd { "Close" }
            }
            form.row method="dialog" {
                label.check { input #single-keys type="checkbox" checked; "Single keys are on" }
                button.btn.btn-primary { "Close" }
            }
        }
    }
}

/// Drawn for this product on a 16-pixel grid.
const SPRITE: &str = concat!(
    r##"<svg class="sprite" aria-hidden="true"><defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch-a" d="M1 0V5"/></pattern></defs>"##,
    r##"<symbol id="i-today" viewBox="0 0 16 16"><path d="M2 9h3l2-5 3 9 2-4h2"/></symbol>"##,
    r##"<symbol id="i-book" viewBox="0 0 16 16"><path d="M8 4C6.5 2.8 4.5 2.5 2.5 2.5v10c2 0 4 .3 5.5 1.5 1.5-1.2 3.5-1.5 5.5-1.5v-10c-2 0-4 .3-5.5 1.5zM8 4v10"/></symbol>"##,
    r##"<symbol id="i-braces" viewBox="0 0 16 16"><path d="M6 2.5c-3 0 0 5.5-3.5 5.5C6 8 3 13.5 6 13.5M10 2.5c3 0 0 5.5 3.5 5.5C10 8 13 13.5 10 13.5"/></symbol>"##,
    r##"<symbol id="i-chart" viewBox="0 0 16 16"><path d="M2.5 13.5h11M4.5 11V8M8 11V3.5M11.5 11V6"/></symbol>"##,
    r##"<symbol id="i-channels" viewBox="0 0 16 16"><path d="M2.5 5h9M9 2.5 11.5 5 9 7.5M13.5 11h-9M7 8.5 4.5 11 7 13.5"/></symbol>"##,
    r##"<symbol id="i-key" viewBox="0 0 16 16"><circle cx="5" cy="11" r="2.5"/><path d="m6.8 9.2 6-6M10.5 5.5l2 2"/></symbol>"##,
    r##"<symbol id="i-down" viewBox="0 0 16 16"><path d="m3.5 6 4.5 4.5L12.5 6"/></symbol>"##,
    r##"<symbol id="i-pause" viewBox="0 0 16 16"><path d="M5.5 3.5v9M10.5 3.5v9"/></symbol>"##,
    r##"<symbol id="i-play" viewBox="0 0 16 16"><path d="M5 3.5v9L12.5 8z"/></symbol>"##,
    r##"<symbol id="i-ok" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="m5.3 8.2 1.9 1.9 3.5-4"/></symbol>"##,
    r##"<symbol id="i-warn" viewBox="0 0 16 16"><path d="M8 2.2 14.2 13H1.8z"/><path d="M8 6.3v3.2M8 11.3v.1"/></symbol>"##,
    r##"<symbol id="i-danger" viewBox="0 0 16 16"><path d="M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5z"/><path d="M8 5v3.6M8 10.9v.1"/></symbol>"##,
    r##"<symbol id="i-open" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/></symbol>"##,
    r##"<symbol id="i-half" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="M8 2a6 6 0 0 0 0 12z" fill="currentColor"/></symbol>"##,
    r##"<symbol id="i-queued" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="M8 4.8V8l2.2 1.5"/></symbol>"##,
    r##"<symbol id="i-bell" viewBox="0 0 16 16"><path d="M3 11.5c1.2-1 1.5-2.2 1.5-4.5a3.5 3.5 0 0 1 7 0c0 2.3.3 3.5 1.5 4.5zM6.5 13.5h3M8 3.5V2"/></symbol>"##,
    r##"<symbol id="i-off" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="m5.8 5.8 4.4 4.4M10.2 5.8l-4.4 4.4"/></symbol></svg>"##
);

/// 14:32, or the day before it if that was another one.
pub fn since(at: i64, now: i64) -> String {
    if date(at) == date(now) { minute(at) } else { date(at) }
}
