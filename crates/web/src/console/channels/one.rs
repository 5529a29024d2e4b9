//! One channel: its state and figures, charts of the last hour, listings, policy, connection; for a warehouse what it was handed.

use super::listings::{self, Asked};
use super::policy;
use super::{SLOW, contract, find, handovers, ms, settings, standing};
use crate::App;
use crate::console::fields::step;
use crate::console::line_chart::{Lines, Series};
use crate::console::parts::{Part, icon};
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Permission::{ChannelsEdit, ListingsEdit};
use engine::channels::health::{Health, Minute, Resync};
use engine::channels::read::ChannelStatus;
use maud::{Markup, html};

const MINUTE: i64 = 60_000_000;

/// Each minute of the last hour, the running one last; those that nothing is known of are empty.
pub fn hour(health: &Health, now: i64) -> Vec<Minute> {
    let last = now - now.rem_euclid(MINUTE);
    let known = health.minutes(now);
    let at = |n: i64| last - (59 - n) * MINUTE;
    (0..60).map(|n| known.iter().find(|m| m.at == at(n)).copied().unwrap_or(Minute { at: at(n), queue: -1, ..Minute::default() })).collect()
}

pub async fn page(State(app): State<App>, Path(code): Path<String>, viewer: Viewer) -> Result<Response<Body>, Problem> {
    let channel = find(&app, &viewer, &code).await?;
    if channel.is_contract() {
        return contract::page(&app, &viewer, &code).await;
    }
    if viewer.asked("format").as_deref() == Some("csv") {
        return listings::export(&app, &viewer, &code).await;
    }
    Ok(show(&app, &viewer, &code, html! {}).await?.into_response())
}

/// The page of a channel, with something to say above all.
pub async fn show(app: &App, v: &Viewer, code: &str, said: Markup) -> Result<Page, Problem> {
    let asked = Asked::of(v);
    let (status, list) = listings::read(app, v, code, &asked).await?;
    let status = &status;
    let health = app.workers.health(status.channel.id.0).unwrap_or_default();
    let is_warehouse = list.is_none();
    let main = match &list {
        None => handovers::latest(app, v, code).await?,
        Some(list) => listings::part(v, status, &asked, list),
    };
    let body = html! {
        (said)
        (trouble(v, status, &health))
        div.stack {
            (figures(v, status, &health))
            @if !is_warehouse { (charts(v, &health)) }
            div.cols.cols-side {
                (main)
                div.stack { @if !is_warehouse { (policy_part(v, status)) } (budget_part(v, &health)) (settings::connection(v, status)) }
            }
        }
    };
    let channel = &status.channel;
    let sub = html! { (standing(v, status, &health)) " · " (settings::kind_name(&channel.kind)) " · " (channel.code) };
    let head = shell::head(&channel.name, sub, doing(v, status, &health));
    Ok(shell::page(v, Sheet { title: channel.name.clone(), here: "/channels", topics: "tick channels".into(), head, body }))
}

/// What can be done, at the right of the title.
fn doing(v: &Viewer, status: &ChannelStatus, health: &Health) -> Markup {
    let channel = &status.channel;
    let to = |what: &str| format!("/channels/{}/{what}", step(&channel.code));
    let press = |what: &str, class: &str, label: Markup| crate::console::parts::button(v, &to(what), class, &[], label);
    let runs = health.resync.as_ref().is_some_and(|r| r.ended_at.is_none());
    let is_place = channel.location.is_none();
    html! {
        div.row {
            @if v.may(ChannelsEdit) { (press("check", "btn", html! { (v.t("Check")) })) }
            @if v.may(ListingsEdit) {
                @if runs { button.btn type="button" disabled { (v.t("Comparing…")) } } @else { (press("resync", "btn", html! { (v.t("Compare now")) })) }
                @if channel.paused { (press("resume", "btn btn-primary", html! { (icon("play")) (v.t("Resume")) })) }
                @else { (press("pause", "btn", html! { (icon("pause")) (v.t("Pause")) })) }
                @if is_place {
                    @if channel.stopped { (press("sell", "btn btn-primary", html! { (icon("play")) (v.t("Sell again")) })) }
                    @else {
                        details.confirm {
                            summary.btn.btn-danger data-key="s" { (v.t("Stop selling…")) " " kbd { "S" } }
                            div {
                                p { (v.say("Each of its {} is set to nothing as fast as {} takes it, whatever their policies say. What was sold until then still comes as orders.", &[&v.count(status.mapped, "mapped listing", "mapped listings"), &channel.name])) }
                                (press("stop", "btn btn-danger", html! { (v.say("Stop selling on {}", &[&channel.name])) }))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is wrong, and what it means meanwhile.
fn trouble(v: &Viewer, status: &ChannelStatus, health: &Health) -> Markup {
    let channel = &status.channel;
    let waits = status.oldest_wish.map_or(0, |since| v.now - since.0);
    let banner = |class: &str, shape: &str, title: String, text: String| html! { div class={ "banner " (class) } { (icon(shape)) div { b { (title) } " " (text) } } };
    html! {
        @if channel.stopped {
            @let words = if channel.paused { "Nothing is sent while it is paused: resume it, so that its listings can be set to nothing." } else { "Its listings are set to nothing. Orders from before still come in." };
            (banner("banner-info", "off", v.t("Selling there is stopped.").to_owned(), v.t(words).to_owned()))
        } @else if channel.paused {
            (banner("banner-info", "pause", v.t("Updates are paused.").to_owned(), v.t("It goes on selling what it shows, all of which is lent to it; orders are counted. Quantities that change wait.").to_owned()))
        }
        @if let Some((at, text)) = &health.fault {
            (banner("banner-danger", "danger", v.say("The last call failed {}.", &[&v.ago(*at)]), v.whole(text).into_owned()))
        } @else if waits > SLOW && !channel.paused {
            (banner("banner-warn", "warn", v.say("Quantities wait for {}.", &[&v.age(waits)]), v.t("Units that were lent stay lent until it has taken them back, so that nothing is sold twice meanwhile.").to_owned()))
        }
        @if let Some(resync) = &health.resync { (compared(v, resync)) }
    }
}

/// How far comparing is.
fn compared(v: &Viewer, resync: &Resync) -> Markup {
    let count = v.say("{} of {}", &[&v.num(resync.read as i64), &v.num(resync.of as i64)]);
    match (&resync.fault, resync.ended_at) {
        (Some(fault), _) => {
            html! { div.banner.banner-warn { (icon("warn")) div { b { (v.say("Comparing stopped after {}.", &[&count])) } " " (v.whole(fault)) } } }
        }
        (None, Some(at)) => html! { p.small.quiet { (v.say("{} compared, {}.", &[&v.count(resync.read as i64, "number", "numbers"), &v.ago(at)])) } },
        (None, None) => html! {
            div.banner.banner-info { (icon("half")) div { b { (v.t("Comparing with what is shown there.")) } " " @if resync.of == 0 { (v.t("The list is being read.")) } @else { (count) } }
                @if resync.of > 0 { (crate::console::parts::bar(&count, resync.of as i64, &[("b-a", resync.read.min(resync.of) as i64)], None)) }
            }
        },
    }
}

fn figures(v: &Viewer, status: &ChannelStatus, health: &Health) -> Markup {
    let kpi = |name: &'static str, value: String, note: String, is_warning: bool| {
        html! {
            div.kpi { dt { (v.t(name)) } dd { span.val.val-m.is-warn[is_warning] { (value) } span.note title=(note) { (note) } } }
        }
    };
    let latency = health.latency();
    let counted = status.orders_counted_until.map_or(v.t("not counted yet").to_owned(), |t| v.say("counted until {} ago", &[&v.age(v.now - t.0)]));
    let waits = status.oldest_wish.map_or(v.t("nothing waits").to_owned(), |t| v.say("oldest {}", &[&v.age(v.now - t.0)]));
    let is_place = status.channel.location.is_none();
    html! {
        section.panel aria-label=(v.t("Figures")) { dl.kpis {
            @if is_place {
                (kpi("Latency p99, ms", ms(v, latency.map(|l| l.2)), v.say("p50 {}, p95 {}", &[&ms(v, latency.map(|l| l.0)), &ms(v, latency.map(|l| l.1))]), false))
                (kpi("Queue", v.num(status.queue), waits, status.oldest_wish.is_some_and(|t| v.now - t.0 > SLOW)))
                (kpi("May still sell", v.num(status.exposure_units), v.t("units lent to it").to_owned(), false))
                (kpi("Orders read", v.num(health.orders_read as i64), if health.orders_late > 0 { v.say("{} late, {}", &[&v.num(health.orders_late as i64), &counted]) } else { counted }, false))
                (kpi("Oversold there", v.num(status.oversold_units), v.t("units that nobody lent").to_owned(), status.oversold_units > 0))
            }
            (kpi(if is_place { "Drift" } else { "Counted otherwise" }, v.num(status.drift_units), v.say("units, {}", &[&v.count(status.drift_found, "time", "times")]), status.drift_units > 0))
            @if !is_place {
                (kpi("Calls", v.num(health.calls as i64), v.say("{} throttled", &[&v.num(health.throttled as i64)]), false))
                (kpi("Stands for", status.channel.location.as_deref().unwrap_or("–").to_owned(), v.t("location").to_owned(), false))
            }
        }
        @if is_place { p.panel-foot.small.quiet { (v.t("Latency is that of the latest 10,000 quantities, orders are those read since this server was started; drift and what was oversold count from the day the channel was connected.")) } }
        }
    }
}

fn charts(v: &Viewer, health: &Health) -> Markup {
    let minutes = hour(health, v.now);
    let times: Vec<i64> = minutes.iter().map(|m| m.at).collect();
    let of =
        |which: fn(&(u32, u32, u32)) -> u32| minutes.iter().map(|m| m.latency.as_ref().map(|l| f64::from(which(l)) / 1_000.0)).collect::<Vec<_>>();
    let worst = minutes.iter().filter_map(|m| Some((m.latency?.2, m.at))).max();
    let seconds = |ms: f64| {
        if ms >= 1_000.0 {
            format!("{} s", v.decimal(ms / 1_000.0, 1))
        } else {
            format!("{} ms", v.decimal(ms, if ms > 0.0 && ms < 10.0 { 1 } else { 0 }))
        }
    };
    let latency = Lines {
        id: "latency",
        title: "Latency",
        sub: "From the change here to its acknowledgement there",
        finding: match worst {
            Some((p99, at)) => {
                v.say("The slowest minute of the last hour was {}, with a p99 of {}.", &[&v.minute(at), &seconds(f64::from(p99) / 1_000.0)])
            }
            None => v.t("Nothing was sent in the last hour.").to_owned(),
        },
        times: &times,
        series: vec![Series { name: "p50", values: of(|l| l.0) }, Series { name: "p99", values: of(|l| l.2) }],
        limit: Some(((SLOW / 1_000) as f64, v.t("Slow above 60 s").to_owned())),
        words: &seconds,
    };
    let most = minutes.iter().map(|m| m.queue).max().unwrap_or(0).max(0);
    let count = |n: f64| if n.fract() == 0.0 { v.num(n as i64) } else { v.decimal(n, 1) };
    let queue = Lines {
        id: "queue",
        title: "Queue",
        sub: "Quantities that wait, the most of each minute",
        finding: v.say("At most {} waited in the last hour.", &[&v.num(most)]),
        times: &times,
        series: vec![Series { name: "Waiting", values: minutes.iter().map(|m| Some(m.queue).filter(|q| *q >= 0).map(|q| q as f64)).collect() }],
        limit: None,
        words: &count,
    };
    let known = minutes.iter().any(|m| m.queue >= 0 || m.latency.is_some());
    html! {
        section.panel aria-label=(v.t("The last hour")) { div.panel-body {
            @if known { div.cols.cols-2 { (latency.show(v)) (queue.show(v)) } }
            @else { p.quiet { (v.t("Nothing is known of the last hour on this server: it has just started, or another one works for this channel.")) } }
        } }
    }
}

fn policy_part(v: &Viewer, status: &ChannelStatus) -> Markup {
    let channel = &status.channel;
    let action = format!("/channels/{}/policy", step(&channel.code));
    let body = html! { div.panel-body.stack {
        p { (policy::words(v, &channel.policy)) "." }
        p.small.quiet { (v.t("Of listings that have no policy of their own.")) }
        @if v.may(ChannelsEdit) {
            details open[v.wrong.as_ref().is_some_and(|w| w.field.as_deref().is_some_and(|f| f.starts_with("policy")))] {
                summary { (v.t("Change it")) }
                (crate::console::parts::form(v, &action, html! {
                    (crate::console::parts::seen(&engine::access::audit::etag_of(channel)))
                    (policy::fields(v, &channel.policy, None))
                    button.btn.btn-primary type="submit" { (v.t("Save the policy")) }
                }))
            }
        }
    } };
    Part::new("policy", v.t("Policy"), body).show()
}

fn budget_part(v: &Viewer, health: &Health) -> Markup {
    let body = html! { div.panel-body.stack-s {
        @if health.limits.is_empty() { p.quiet { (v.t("No limit of calls is known yet.")) } }
        @for (name, left, of) in &health.limits {
            @let (left, of) = (left.floor().max(0.0) as i64, of.floor() as i64);
            div.barcell {
                div { span.small { (name) } (crate::console::parts::bar(&v.say("{} of {} calls left", &[&v.num(left), &v.num(of)]), of.max(1), &[(if left * 5 < of { "b-warn" } else { "b-n" }, left.clamp(0, of.max(1)))], None)) }
                span.num { (v.num(left)) " / " (v.num(of)) }
            }
        }
        p.small.quiet { (v.say("{} so far, {} told to wait.", &[&v.count(health.calls as i64, "call", "calls"), &v.num(health.throttled as i64)])) }
    } };
    Part::new("budget", v.t("Calls left"), body).show()
}
