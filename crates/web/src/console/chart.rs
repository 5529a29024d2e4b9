//! Orders over time: a minute at a time in the last hour, as columns; an hour at a time in the last day, as a line beside the same day of
//! the week before. Each with the same numbers as a table behind.
//!
//! Lengths are shares of the width, so that columns follow the page and text keeps its size.

use super::live::{Counted, View};
use super::parts::Part;
use super::show::percent;
use super::viewer::Viewer;
use engine::dashboard::{HOURS_SHOWN, WEEK_HOURS};
use maud::{Markup, html};

/// Pixels from the top to the axis, and to the highest line.
const AXIS: i64 = 128;
const TOP: i64 = 8;
const HOUR_MICROS: i64 = 3_600_000_000;

/// The panel: the last hour, or the last day where there is one and it is asked for. Orders of all locations are in the longer chart, so
/// that whoever sees some locations has the shorter one alone.
pub fn panel(v: &Viewer, view: &View, counted: &Counted) -> Markup {
    let has_day = v.caller.as_ref().is_none_or(|c| c.grant.locations.is_none());
    let hours = if has_day { Hours::of(v, view) } else { Hours::default() };
    let by_day = has_day && v.asked("chart").map_or(hours.is_older, |chart| chart == "day");
    let (head, body) = if by_day { (hours.head(v), hours.body(v)) } else { minutes(v, &counted.minutes) };
    let right = html! {
        @if has_day {
            div.right { div.seg role="group" aria-label=(v.t("Range")) {
                a href=(v.address(&[("chart", "hour")])) aria-current=[(!by_day).then_some("true")] { (v.t("Last hour")) }
                a href=(v.address(&[("chart", "day")])) aria-current=[by_day.then_some("true")] { (v.t("24 hours")) }
            } }
        }
    };
    let title = if by_day { v.t("Orders an hour") } else { v.t("Orders a minute") };
    Part::new("rate", title, body).head(head).right(right).show()
}

/// What the lines of a chart stand for.
struct Scale {
    most: i64,
    lines: Vec<i64>,
}

impl Scale {
    fn of(most: i64) -> Scale {
        let step = step(most);
        let most = step * (most.max(1) + step - 1).div_euclid(step);
        Scale { most, lines: (0..=most / step).map(|n| n * step).collect() }
    }

    fn height(&self, n: i64) -> f64 {
        (AXIS - TOP) as f64 * n as f64 / self.most as f64
    }

    /// The figures beside the lines.
    fn side(&self, v: &Viewer) -> Markup {
        html! {
            svg.plot-y aria-hidden="true" {
                @for line in &self.lines { text.end x="100%" y=(format!("{:.1}", AXIS as f64 - self.height(*line) + 3.5)) { (short(v, *line)) } }
            }
        }
    }

    fn grid(&self) -> Markup {
        html! {
            @for line in &self.lines {
                @let y = format!("{:.0}.5", AXIS as f64 - self.height(*line));
                line class=(if *line == 0 { "axis" } else { "grid" }) x1="0" x2="100%" y1=(y) y2=(y) {}
            }
        }
    }
}

/// A tick of the time axis, with words below it unless they would stand out over the edge.
fn tick(x: &str, words: Option<&str>) -> Markup {
    html! { line.axis x1=(x) x2=(x) y1=(AXIS) y2=(AXIS + 4) {} @if let Some(words) = words { text.mid x=(x) y=(AXIS + 18) { (words) } } }
}

fn minutes(v: &Viewer, minutes: &[(i64, i64)]) -> (Markup, Markup) {
    let all: i64 = minutes.iter().map(|(_, n)| n).sum();
    let (full, running) = minutes.split_at(minutes.len().saturating_sub(1));
    let last = full.last().map_or(0, |(_, n)| *n);
    let peak = full.iter().copied().max_by_key(|(at, n)| (*n, *at)).unwrap_or_default();
    let scale = Scale::of(minutes.iter().map(|(_, n)| *n).max().unwrap_or(0));
    let finding = match peak {
        (_, 0) => v.t("No orders in the last hour.").to_owned(),
        (at, n) => {
            v.say("Most at {}: {}. In the last full minute: {}. In the last hour: {}.", &[&v.minute(at), &v.num(n), &v.num(last), &v.num(all)])
        }
    };
    let whole = minutes.len() as i64;
    let columns = html! {
        @for (n, (at, orders)) in minutes.iter().enumerate() {
            @let left = n as i64 * 1_000;
            @let is_running = n + 1 == minutes.len();
            @if *orders > 0 {
                rect class=(if is_running { "b-hatch" } else { "b-a" }) fill=[is_running.then_some("url(#hatch)")]
                    x=(percent(left + 120, whole * 1_000)) width=(percent(760, whole * 1_000))
                    y=(format!("{:.1}", AXIS as f64 - scale.height(*orders))) height=(format!("{:.1}", scale.height(*orders))) {}
            }
            rect.hit x=(percent(left, whole * 1_000)) width=(percent(1_000, whole * 1_000)) y=(TOP) height=(AXIS - TOP)
                data-x=(v.minute(*at)) data-y=(v.count(*orders, "order", "orders")) {}
            @if at / 60_000_000 % 10 == 0 {
                @let words = v.minute(*at);
                (tick(&percent(left + 500, whole * 1_000), (2..minutes.len() - 2).contains(&n).then_some(words.as_str())))
            }
        }
    };
    let table = html! {
        thead { tr { th scope="col" { (v.t("Minute")) } th.num scope="col" { (v.t("Orders")) } } }
        tbody {
            @for (at, orders) in running { tr { th scope="row" { (v.minute(*at)) span.aside { (v.t("so far")) } } td.num.zero[*orders == 0] { (v.num(*orders)) } } }
            @for (at, orders) in full.iter().rev() { tr { th scope="row" { (v.minute(*at)) } td.num.zero[*orders == 0] { (v.num(*orders)) } } }
        }
    };
    let head = html! { span.sub { (v.say("{} in the last hour", &[&v.num(all)])) } };
    let title = v.t("Orders a minute, last hour");
    (head, figure(v, &scale, title, &finding, columns, table))
}

/// A chart with its description, and its numbers as a table.
fn figure(v: &Viewer, scale: &Scale, title: &str, finding: &str, marks: Markup, table: Markup) -> Markup {
    html! {
        div.panel-body {
            figure data-chart tabindex="0" aria-labelledby="chart-title chart-finding" {
                div.plot {
                    (scale.side(v))
                    svg.chart role="img" aria-labelledby="chart-title chart-finding" {
                        title #chart-title { (title) }
                        desc #chart-finding { (finding) }
                        (scale.grid()) (marks)
                    }
                }
                figcaption.readout data-readout {}
            }
            details.as-table {
                summary { (v.t("View as table")) }
                div tabindex="0" role="region" aria-label=(title) { table.table { (table) } }
            }
        }
    }
}

/// Orders in each of the last 24 hours and in the same hours a week before, of the channels that the reader may see.
#[derive(Default)]
struct Hours {
    /// The hour (hours since 1970 UTC) of the first.
    first: i64,
    now: Vec<i64>,
    before: Vec<i64>,
    /// Whether there are orders from before the last hours.
    is_older: bool,
}

impl Hours {
    fn of(v: &Viewer, view: &View) -> Hours {
        let first = v.now.div_euclid(HOUR_MICROS) - HOURS_SHOWN + 1;
        let mut hours = Hours { first, now: vec![0; HOURS_SHOWN as usize], before: vec![0; HOURS_SHOWN as usize], is_older: false };
        for hour in view.totals.hours.iter().filter(|h| v.on(&h.channel)) {
            for (series, offset) in [(&mut hours.now, 0), (&mut hours.before, WEEK_HOURS)] {
                if let Some(sum) = usize::try_from(hour.hour + offset - first).ok().and_then(|n| series.get_mut(n)) {
                    *sum += hour.orders;
                }
            }
        }
        let last = hours.now.len().saturating_sub(3);
        hours.is_older = hours.now[..last].iter().chain(&hours.before).any(|n| *n > 0);
        hours
    }

    fn sums(&self) -> (i64, i64) {
        (self.now.iter().sum(), self.before.iter().sum())
    }

    fn head(&self, v: &Viewer) -> Markup {
        let (now, before) = self.sums();
        html! {
            span.sub { (v.say("{} in 24 hours", &[&v.num(now)])) @if before > 0 { ", " (v.say("{} in those a week ago", &[&v.num(before)])) } }
            div.legend {
                span { svg.key aria-hidden="true" { line.ln-1 x1="0" x2="14" y1="4" y2="4" {} } (v.t("Last 24 hours")) }
                span { svg.key aria-hidden="true" { line.ln-past x1="0" x2="14" y1="4" y2="4" {} } (v.t("A week ago")) }
            }
        }
    }

    fn body(&self, v: &Viewer) -> Markup {
        let scale = Scale::of(self.now.iter().chain(&self.before).copied().max().unwrap_or(0));
        let count = self.now.len() as i64;
        let at = |n: usize| (self.first + n as i64) * HOUR_MICROS;
        // In the middle of its hour, in thousandths of the width.
        let x = |n: usize| (n as i64 * 1_000 + 500) as f64 / count as f64;
        let line = |series: &[i64]| {
            let points = series.iter().enumerate().map(|(n, orders)| format!("{:.1} {:.1}", x(n), (AXIS - TOP) as f64 - scale.height(*orders)));
            format!("M{}", points.collect::<Vec<_>>().join("L"))
        };
        // The running hour is not a fall.
        let full = &self.now[..self.now.len().saturating_sub(1)];
        let (now, before) = (line(full), line(&self.before));
        let peak = self.now.iter().enumerate().max_by_key(|(_, n)| **n).map_or((0, 0), |(n, orders)| (at(n), *orders));
        let running = self.now.last().copied().unwrap_or(0);
        let finding = v.say("Most from {}: {}. In the running hour so far: {}.", &[&v.minute(peak.0), &v.num(peak.1), &v.num(running)]);
        let marks = html! {
            svg x="0" y=(TOP) width="100%" height=(AXIS - TOP) viewBox={ "0 0 1000 " (AXIS - TOP) } preserveAspectRatio="none" overflow="visible" {
                path.area d={ (now) "L" (format!("{:.1}", x(full.len().saturating_sub(1)))) " " (AXIS - TOP) "L" (format!("{:.1}", x(0))) " " (AXIS - TOP) "Z" } {}
                path.ln.ln-past d=(before) {}
                path.ln.ln-1 d=(now) {}
            }
            @for (n, (orders, then)) in self.now.iter().zip(&self.before).enumerate() {
                @let words = v.say("{}, a week ago {}", &[&v.count(*orders, "order", "orders"), &v.num(*then)]);
                rect.hit x=(percent(n as i64, count)) width=(percent(1, count)) y=(TOP) height=(AXIS - TOP) data-x=(v.minute(at(n))) data-y=(words) {}
                @if n % 4 == 2 {
                    @let words = v.minute(at(n));
                    (tick(&percent(n as i64 * 1_000 + 500, count * 1_000), Some(words.as_str())))
                }
            }
        };
        let table = html! {
            thead { tr { th scope="col" { (v.t("Hour from")) } th.num scope="col" { (v.t("Orders")) } th.num scope="col" { (v.t("A week ago")) } } }
            tbody { @for n in (0..self.now.len()).rev() { tr { th scope="row" { (v.moment(at(n))) @if n + 1 == self.now.len() { span.aside { (v.t("so far")) } } } td.num { (v.num(self.now[n])) } td.num { (v.num(self.before[n])) } } } }
        };
        figure(v, &scale, v.t("Orders an hour, last 24 hours"), &finding, marks, table)
    }
}

/// The distance of the lines: 1, 2 or 5 times a power of ten, so that there are two to five of them.
pub(super) fn step(most: i64) -> i64 {
    let mut power = 1;
    loop {
        for step in [power, 2 * power, 5 * power] {
            if most <= 4 * step {
                return step;
            }
        }
        power *= 10;
    }
}

/// A number for the axis: 12,000 as “12k”.
pub(super) fn short(v: &Viewer, n: i64) -> String {
    match n {
        10_000..10_000_000 if n % 1_000 == 0 => format!("{}k", v.num(n / 1_000)),
        _ => v.num(n),
    }
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn lines_stand_on_round_numbers() {
        for (most, expected) in [(0, 1), (1, 1), (4, 1), (5, 2), (8, 2), (9, 5), (20, 5), (21, 10), (54, 20), (400, 100), (12_345, 5_000)] {
            assert_eq!(step(most), expected, "{most}");
        }
    }
}
