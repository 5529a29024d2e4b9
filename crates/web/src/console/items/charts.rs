//! An item over time: on hand and available as lines with the slider that looks back, and what was ordered a day as columns. Each
//! with the same numbers as a table behind it.

use super::asof::AsOf;
use crate::console::chart::{short, step};
use crate::console::parts::Part;
use crate::console::viewer::Viewer;
use engine::stock::list::{DAYS, LATELY, StockRow};
use engine::stock::movements::DayEnd;
use maud::{Markup, html};

/// The plot within its box of 784 by 164.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 776.0;
const TOP: f64 = 8.0;
const AXIS: f64 = 138.0;
pub const DAY_MICROS: i64 = 86_400_000_000;
/// Days that the lines and the slider reach back.
pub const BACK: i64 = 30;

/// From units to pixels.
struct Scale {
    most: f64,
    lines: Vec<i64>,
}

impl Scale {
    fn of(most: i64) -> Scale {
        let gap = step(most.max(0));
        let count = (most.max(1) + gap - 1) / gap;
        Scale { most: (count * gap) as f64, lines: (0..=count).map(|n| n * gap).collect() }
    }

    fn y(&self, units: i64) -> f64 {
        AXIS - (AXIS - TOP) * units as f64 / self.most
    }

    fn grid(&self, v: &Viewer) -> Markup {
        html! {
            @for line in &self.lines {
                @let y = format!("{:.0}.5", self.y(*line));
                line class=(if *line == 0 { "axis" } else { "grid" }) x1=(LEFT) x2=(RIGHT) y1=(y) y2=(y) {}
                text.end x=(LEFT - 6.0) y=(format!("{:.1}", self.y(*line) + 4.0)) { (short(v, *line)) }
            }
        }
    }
}

/// The lines, a step a day (UTC). `as_of` marks the instant that is looked at, when so many were on hand.
pub fn movement(v: &Viewer, days: &[DayEnd], as_of: &AsOf, on_hand: i64, keep: &[(&str, &str)]) -> Markup {
    let mark = as_of.instant().map(|at| (at, on_hand));
    let body = html! {
        div.panel-body { (lines(v, days, mark)) (days_table(v, days)) }
        (as_of.slider(v, keep))
    };
    let head = html! { span.sub { (v.say("Last {} days", &[&BACK])) } };
    let right = html! {
        div.legend.right {
            span { svg.key aria-hidden="true" { line.ln-1 x1="0" x2="14" y1="4" y2="4" {} } (v.t("On hand")) }
            span { svg.key aria-hidden="true" { line.ln-3 x1="0" x2="14" y1="4" y2="4" {} } (v.t("Available")) }
        }
    };
    Part::new("movement", v.t("Movement"), body).head(head).right(right).show()
}

fn lines(v: &Viewer, days: &[DayEnd], mark: Option<(i64, i64)>) -> Markup {
    let most = |figure: fn(&DayEnd) -> i64| days.iter().map(figure).max().unwrap_or(0);
    let scale = Scale::of(most(|d| d.on_hand).max(most(|d| d.available)).max(mark.map_or(0, |(_, on_hand)| on_hand)));
    let gap = (RIGHT - LEFT) / days.len().max(1) as f64;
    let x = |n: usize| LEFT + gap * n as f64;
    let path = |figure: fn(&DayEnd) -> i64| {
        let mut path = format!("M{LEFT:.1} {:.1}", scale.y(days.first().map_or(0, figure)));
        days.iter().enumerate().for_each(|(n, day)| path.push_str(&format!("V{:.1}H{:.1}", scale.y(figure(day)), x(n + 1))));
        path
    };
    let (on_hand, available) = (path(|d| d.on_hand), path(|d| d.available));
    let finding = match (days.last(), days.iter().max_by_key(|d| d.on_hand)) {
        (Some(newest), Some(high)) => v.say(
            "{} on hand and {} available at the end; most on hand: {} on {}.",
            &[&v.num(newest.on_hand), &v.num(newest.available), &v.num(high.on_hand), &v.day(high.day)],
        ),
        _ => String::new(),
    };
    let first = days.first().map_or(0, |d| d.day * DAY_MICROS);
    let marked =
        mark.map(|(at, on_hand)| (LEFT + gap * (at - first) as f64 / DAY_MICROS as f64, on_hand)).filter(|(x, _)| (LEFT..=RIGHT).contains(x));
    html! {
        figure data-chart tabindex="0" aria-labelledby="mv-title mv-finding" {
            div.chart-wrap { svg.chart viewBox="0 0 784 164" role="img" aria-labelledby="mv-title mv-finding" {
                title #mv-title { (v.t("On hand and available")) }
                desc #mv-finding { (finding) }
                (scale.grid(v))
                path.area d={ (on_hand) "V" (AXIS) "H" (LEFT) "Z" } {}
                path.ln.ln-3 d=(available) {}
                path.ln.ln-1 d=(on_hand) {}
                @if let Some((at, on_hand)) = marked {
                    @let at = format!("{at:.1}");
                    line.now x1=(at) x2=(at) y1=(TOP) y2=(AXIS) {}
                    circle.pt cx=(at) cy=(format!("{:.1}", scale.y(on_hand))) r="4" {}
                }
                @for (n, day) in days.iter().enumerate() {
                    rect.hit x=(format!("{:.1}", x(n))) width=(format!("{gap:.1}")) y=(TOP) height=(AXIS - TOP)
                        data-x=(v.day(day.day)) data-y=(v.say("{} on hand, {} available", &[&v.num(day.on_hand), &v.num(day.available)])) {}
                    // A date a week.
                    @if (days.len() - 1 - n).is_multiple_of(LATELY) { text class=(if n + 1 == days.len() { "end" } else { "mid" }) x=(format!("{:.1}", if n + 1 == days.len() { RIGHT } else { x(n) + gap / 2.0 })) y=(AXIS + 18.0) { (v.day(day.day)) } }
                }
            } }
            figcaption.readout data-readout {}
        }
    }
}

fn days_table(v: &Viewer, days: &[DayEnd]) -> Markup {
    html! {
        details.as-table {
            summary { (v.t("View as table")) }
            div tabindex="0" role="region" aria-label=(v.t("On hand and available")) { table.table {
                thead { tr { th scope="col" { (v.t("End of day (UTC)")) } th.num scope="col" { (v.t("On hand")) } th.num scope="col" { (v.t("Available")) } } }
                tbody { @for d in days.iter().rev() { tr { th scope="row" { (v.day(d.day)) } td.num { (v.num(d.on_hand)) } td.num { (v.num(d.available)) } } } }
            } }
        }
    }
}

/// Units ordered a day in the last four weeks (UTC days), this week beside those before.
pub fn sold(v: &Viewer, row: &StockRow) -> Markup {
    let days = &row.days;
    let today = engine::day_of(v.now);
    let day = |n: usize| v.day(today + 1 - DAYS as i64 + n as i64);
    let scale = Scale::of(days.iter().copied().max().unwrap_or(0));
    let gap = (RIGHT - LEFT) / DAYS as f64;
    let before: i64 = days[DAYS - 2 * LATELY..DAYS - LATELY].iter().sum();
    let finding = v.say("{} in the last seven days, {} in the seven before.", &[&v.num(row.sold_7d), &v.num(before)]);
    let body = html! {
        div.panel-body {
            @if days.iter().all(|n| *n == 0) { p.muted { (v.t("Nothing was ordered in the last four weeks.")) } }
            @else {
                figure data-chart tabindex="0" aria-labelledby="sold-title sold-finding" {
                    div.chart-wrap { svg.chart viewBox="0 0 784 164" role="img" aria-labelledby="sold-title sold-finding" {
                        title #sold-title { (v.t("Units ordered a day")) }
                        desc #sold-finding { (finding) }
                        (scale.grid(v))
                        @for (n, units) in days.iter().enumerate() {
                            @let left = LEFT + gap * n as f64;
                            rect class=(if n + LATELY >= DAYS { "bar-1" } else { "bar-past" }) x=(format!("{:.1}", left + gap * 0.15)) width=(format!("{:.1}", gap * 0.7))
                                y=(format!("{:.1}", scale.y(*units))) height=(format!("{:.1}", AXIS - scale.y(*units))) data-x=(day(n)) data-y=(v.count(*units, "unit", "units")) {}
                            @if (DAYS - 1 - n).is_multiple_of(LATELY) { text class=(if n + 1 == DAYS { "end" } else { "mid" }) x=(format!("{:.1}", left + gap / 2.0)) y=(AXIS + 18.0) { (day(n)) } }
                        }
                    } }
                    figcaption.readout data-readout {}
                }
                details.as-table {
                    summary { (v.t("View as table")) }
                    div tabindex="0" role="region" aria-label=(v.t("Units ordered a day")) { table.table {
                        thead { tr { th scope="col" { (v.t("Day (UTC)")) } th.num scope="col" { (v.t("Units")) } } }
                        tbody { @for n in (0..DAYS).rev() { tr { th scope="row" { (day(n)) } td.num.zero[days[n] == 0] { (v.num(days[n])) } } } }
                    } }
                }
            }
        }
    };
    let head = html! { span.sub { (finding) } };
    Part::new("sold", v.t("Ordered a day"), body).head(head).show()
}

/// A small line that shows direction only, `width` by `height` pixels; nothing for what was never ordered.
pub fn spark(days: &[i64], width: i64, height: i64, class: &str) -> Markup {
    let most = days.iter().copied().max().unwrap_or(0);
    if most == 0 || days.len() < 2 {
        return html! {};
    }
    let x = |n: usize| n as i64 * width * 10 / (days.len() as i64 - 1);
    // In tenths of a pixel, within two at either edge.
    let y = |units: i64| (height - 2) * 10 - (height - 4) * 10 * units / most;
    let tenths = |n: i64| if n % 10 == 0 { (n / 10).to_string() } else { format!("{}.{}", n / 10, n % 10) };
    let points: Vec<String> = days.iter().enumerate().map(|(n, units)| format!("{} {}", tenths(x(n)), tenths(y(*units)))).collect();
    let line = format!("M{}", points.join(" "));
    html! {
        svg class=(class) width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) aria-hidden="true" {
            path d=(line) {}
            circle cx=(width) cy=(tenths(y(days[days.len() - 1]))) r="2.5" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::spark;

    #[test]
    fn a_spark_goes_from_edge_to_edge() {
        assert_eq!(spark(&[0, 0], 10, 10, "spark").into_string(), "");
        let line = spark(&[0, 4, 2], 56, 18, "spark").into_string();
        assert!(line.contains("M0 16 28 2 56 9"), "{line}");
    }
}
