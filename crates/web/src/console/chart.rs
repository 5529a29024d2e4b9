//! Orders a minute in the last hour, as columns, with the same numbers as a table behind.
//!
//! Lengths are shares of the width, so that columns follow the page and text keeps its size.

use super::live::View;
use super::parts::Part;
use super::show::{minute, num, percent};
use maud::{Markup, html};

/// Pixels from the top to the axis, and to the highest line.
const AXIS: i64 = 128;
const TOP: i64 = 8;

pub fn panel(view: &View) -> Markup {
    let minutes = &view.minutes;
    let all: i64 = minutes.iter().map(|(_, n)| n).sum();
    let (full, running) = minutes.split_at(minutes.len().saturating_sub(1));
    let last = full.last().map_or(0, |(_, n)| *n);
    let peak = full.iter().copied().max_by_key(|(at, n)| (*n, *at)).unwrap_or_default();
    let step = step(minutes.iter().map(|(_, n)| *n).max().unwrap_or(0));
    let most = step * (minutes.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1) + step - 1).div_euclid(step);
    let lines: Vec<i64> = (0..=most / step).map(|n| n * step).collect();
    let height = |n: i64| (AXIS - TOP) as f64 * n as f64 / most as f64;
    let finding = match peak {
        (_, 0) => "No orders in the last hour.".to_owned(),
        (at, n) => format!("Most at {}: {}. In the last full minute: {}. In the last hour: {}.", minute(at), num(n), num(last), num(all)),
    };
    let whole = minutes.len() as i64;
    let head = html! { span.sub { (num(all)) " in the last hour" } };
    let body = html! {
        div.panel-body {
            div.plot {
                svg.plot-y aria-hidden="true" {
                    @for line in &lines { text.end x="100%" y=(format!("{:.1}", AXIS as f64 - height(*line) + 3.5)) { (short(*line)) } }
                }
                svg.chart role="img" aria-labelledby="chart-title chart-finding" {
                    title #chart-title { "Orders a minute, last hour" }
                    desc #chart-finding { (finding) }
                    @for line in &lines {
                        @let y = format!("{:.0}.5", AXIS as f64 - height(*line));
                        line class=(if *line == 0 { "axis" } else { "grid" }) x1="0" x2="100%" y1=(y) y2=(y) {}
                    }
                    @for (n, (at, orders)) in minutes.iter().enumerate() {
                        @let left = n as i64 * 1_000;
                        @if *orders > 0 {
                            @let is_running = n + 1 == minutes.len();
                            rect class=(if is_running { "b-hatch" } else { "b-a" }) fill=[is_running.then_some("url(#hatch)")]
                                x=(percent(left + 120, whole * 1_000)) width=(percent(760, whole * 1_000))
                                y=(format!("{:.1}", AXIS as f64 - height(*orders))) height=(format!("{:.1}", height(*orders))) {}
                        }
                        @if at / 60_000_000 % 10 == 0 {
                            @let x = percent(left + 500, whole * 1_000);
                            line.axis x1=(x) x2=(x) y1=(AXIS) y2=(AXIS + 4) {}
                            // The first and the last would stand out over the edge.
                            @if (2..minutes.len() - 2).contains(&n) { text.mid x=(x) y=(AXIS + 18) { (minute(*at)) } }
                        }
                    }
                }
            }
            details.as-table {
                summary { "View as table" }
                div tabindex="0" role="region" aria-label="Orders a minute" {
                    table.table {
                        thead { tr { th scope="col" { "Minute (UTC)" } th.num scope="col" { "Orders" } } }
                        tbody {
                            @for (at, orders) in running { tr { th scope="row" { (minute(*at)) span.aside { "so far" } } (super::show::cell(*orders)) } }
                            @for (at, orders) in full.iter().rev() { tr { th scope="row" { (minute(*at)) } (super::show::cell(*orders)) } }
                        }
                    }
                }
            }
        }
    };
    Part { id: "rate", title: "Orders a minute".into(), head, right: legend(), body }.show()
}

fn legend() -> Markup {
    html! {
        div.legend.right {
            span { svg.key aria-hidden="true" { rect.b-a width="14" height="8" rx="1" {} } "Full minute" }
            span { svg.key aria-hidden="true" { rect width="14" height="8" rx="1" fill="url(#hatch)" {} } "Running minute" }
        }
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
pub(super) fn short(n: i64) -> String {
    match n {
        10_000..10_000_000 if n % 1_000 == 0 => format!("{}k", num(n / 1_000)),
        _ => num(n),
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
