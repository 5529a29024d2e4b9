//! Line charts over time: one to four series, drawn as SVG with lengths as attributes, the same numbers as a table behind, and words
//! for each moment that the script reads out. Not here: columns (`chart.rs`), or where the numbers come from.

use super::parts::icon;
use super::show::iso;
use super::viewer::Viewer;
use maud::{Markup, html};

/// The drawing's size, and the plot within it, in its own units.
const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 172.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 462.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 146.0;
/// Lines of the grid above the axis, at most.
const STEPS: f64 = 4.0;
/// Times below the axis.
const TICKS: usize = 5;

/// One line.
pub struct Series {
    pub name: &'static str,
    /// In the order of the chart's times; None where nothing is known.
    pub values: Vec<Option<f64>>,
}

pub struct Lines<'a> {
    pub id: &'static str,
    pub title: &'static str,
    /// What stands beside the title.
    pub sub: &'static str,
    /// What the chart shows, in a sentence.
    pub finding: String,
    /// Microseconds since 1970 UTC, rising.
    pub times: &'a [i64],
    pub series: Vec<Series>,
    /// A line with its name, such as “Slow above 2 s”.
    pub limit: Option<(f64, String)>,
    /// How a value reads.
    pub words: &'a dyn Fn(f64) -> String,
}

impl Lines<'_> {
    pub fn show(&self, v: &Viewer) -> Markup {
        let top = self.top();
        let (title, finding) = (format!("{}-t", self.id), format!("{}-d", self.id));
        html! {
            figure data-chart data-key=(self.id) {
                figcaption.fig-cap {
                    h3 { (v.t(self.title)) } @if !self.sub.is_empty() { span.small.quiet { (v.t(self.sub)) } }
                    @if self.series.len() > 1 {
                        span.legend { @for (n, series) in self.series.iter().enumerate() {
                            span { svg.key aria-hidden="true" { line class={ "ln-" (n + 1) } x1="0" x2="14" y1="4" y2="4" {} } (v.t(series.name)) }
                        } }
                    }
                }
                svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" tabindex="0" aria-labelledby=(title) aria-describedby=(finding) {
                    title id=(title) { (v.t(self.title)) }
                    desc id=(finding) { (self.finding) }
                    (self.grid(top)) (self.ticks(v))
                    @if let Some((at, name)) = self.limit.as_ref().filter(|(at, _)| *at <= top) {
                        line.ln-limit x1=(LEFT) x2=(RIGHT) y1=(one(y(*at, top))) y2=(one(y(*at, top))) {}
                        text x=(LEFT + 6.0) y=(one(y(*at, top) - 5.0)) { (name) }
                    }
                    @for (n, series) in self.series.iter().enumerate() { (self.line(n, series, top)) }
                    (self.ends(top))
                    (self.hits(v))
                }
                p.readout data-readout {}
                (self.table(v))
            }
        }
    }

    /// The highest line of the grid: a round number that no value and no limit near them exceeds.
    fn top(&self) -> f64 {
        let most = self.series.iter().flat_map(|s| s.values.iter().flatten()).copied().fold(0.0, f64::max);
        let limit = self.limit.as_ref().map_or(0.0, |(at, _)| *at);
        // A limit far above what is would press that flat.
        round_up(if limit < 4.0 * most { most.max(limit) } else { most })
    }

    fn grid(&self, top: f64) -> Markup {
        // What is counted comes in whole steps.
        let whole = self.series.iter().flat_map(|s| s.values.iter().flatten()).all(|value| value.fract() == 0.0) && top.fract() == 0.0;
        let fits = |step: f64| is_round(step) && (!whole || step.fract() == 0.0);
        let count = (1..=STEPS as usize).rev().find(|n| fits(top / *n as f64)).unwrap_or(1);
        html! {
            @for n in 0..=count {
                @let value = top * n as f64 / count as f64;
                @let at = y(value, top).round() + 0.5;
                line class=(if n == 0 { "axis" } else { "grid" }) x1=(LEFT) x2=(RIGHT) y1=(at) y2=(at) {}
                text.end x=(LEFT - 8.0) y=(at + 3.5) { ((self.words)(value)) }
            }
        }
    }

    fn ticks(&self, v: &Viewer) -> Markup {
        let last = self.times.len().saturating_sub(1);
        html! {
            @if last > 0 { @for n in 0..TICKS {
                @let place = last * n / (TICKS - 1);
                @if let Some(at) = self.times.get(place) { text.mid x=(one(x(place, last))) y="164" { (v.minute(*at)) } }
            } }
        }
    }

    fn line(&self, n: usize, series: &Series, top: f64) -> Markup {
        let last = self.times.len().saturating_sub(1);
        let mut path = String::new();
        let mut joined = false;
        let mut alone = Vec::new();
        for (place, value) in series.values.iter().enumerate() {
            let Some(value) = value else {
                joined = false;
                continue;
            };
            let (left, height) = (x(place, last), y(*value, top));
            path.push_str(&format!("{}{left:.1} {height:.1}", if joined { " " } else { "M" }));
            // A moment between two that are unknown is a dot.
            let known = |at: Option<usize>| at.and_then(|at| series.values.get(at)).is_some_and(Option::is_some);
            if !known(place.checked_sub(1)) && !known(place.checked_add(1)) {
                alone.push((left, height));
            }
            joined = true;
        }
        let whole = series.values.iter().all(Option::is_some) && self.series.len() == 1 && last > 0;
        html! {
            @if whole { path.area d={ (path) "V" (BOTTOM) " H" (LEFT) "Z" } {} }
            path class={ "ln ln-" (n + 1) } d=(path) {}
            @for (left, height) in alone { circle.pt cx=(one(left)) cy=(one(height)) r="3" {} }
        }
    }

    /// The last value of each line beside its end, where they do not fall on one another.
    fn ends(&self, top: f64) -> Markup {
        let mut taken: Vec<f64> = Vec::new();
        let mut words = Vec::new();
        for series in self.series.iter().rev() {
            let Some(value) = series.values.last().copied().flatten() else { continue };
            let at = y(value, top) + 4.0;
            if taken.iter().all(|other| (other - at).abs() >= 12.0) {
                taken.push(at);
                words.push((at, (self.words)(value)));
            }
        }
        html! { @for (at, text) in words { text.t-strong x=(RIGHT + 7.0) y=(one(at)) { (text) } } }
    }

    fn hits(&self, v: &Viewer) -> Markup {
        let last = self.times.len().saturating_sub(1);
        let width = (RIGHT - LEFT) / (last.max(1) as f64);
        html! {
            @for (place, at) in self.times.iter().enumerate() {
                @let words = self.at(v, place);
                @if !words.is_empty() { rect.hit x=(one(x(place, last) - width / 2.0)) y=(TOP) width=(one(width)) height=(BOTTOM - TOP) data-x=(v.minute(*at)) data-y=(words.join(", ")) {} }
            }
        }
    }

    /// What is known of a moment.
    fn at(&self, v: &Viewer, place: usize) -> Vec<String> {
        let value = |s: &Series| s.values.get(place).copied().flatten();
        let many = self.series.len() > 1;
        self.series
            .iter()
            .filter_map(|s| value(s).map(|n| if many { format!("{} {}", v.t(s.name), (self.words)(n)) } else { (self.words)(n) }))
            .collect()
    }

    fn table(&self, v: &Viewer) -> Markup {
        let known = |place: &usize| self.series.iter().any(|s| s.values.get(*place).is_some_and(Option::is_some));
        let places: Vec<usize> = (0..self.times.len()).rev().filter(known).collect();
        html! {
            details.as-table {
                summary { (icon("columns")) " " (v.t("View as table")) }
                div tabindex="0" role="region" aria-label=(v.t(self.title)) {
                    table.table.table-tight {
                        thead { tr { th scope="col" { (v.t("Minute")) } @for s in &self.series { th.num scope="col" { (v.t(s.name)) } } } }
                        tbody { @for place in places { @if let Some(at) = self.times.get(place) {
                            tr { th scope="row" { time datetime=(iso(*at)) { (v.minute(*at)) } } @for s in &self.series { td.num { (s.values.get(place).copied().flatten().map_or("–".to_owned(), |n| (self.words)(n))) } } }
                        } } }
                    }
                }
            }
        }
    }
}

/// A small line without axes: direction only. Nothing where less than two values are known.
pub fn spark(values: &[Option<f64>]) -> Markup {
    let known: Vec<(usize, f64)> = values.iter().enumerate().filter_map(|(n, value)| Some((n, (*value)?))).collect();
    if known.len() < 2 {
        return html! { span.quiet { "–" } };
    }
    let most = known.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let last = values.len().saturating_sub(1).max(1) as f64;
    let place = |(n, value): &(usize, f64)| format!("{:.1} {:.1}", *n as f64 / last * 72.0, 18.0 - value / most * 16.0);
    let points: Vec<String> = known.iter().map(place).collect();
    html! { svg.spark width="72" height="20" viewBox="0 0 72 20" aria-hidden="true" { path d={ "M" (points.join(" ")) } {} } }
}

fn x(place: usize, last: usize) -> f64 {
    LEFT + (RIGHT - LEFT) * place as f64 / last.max(1) as f64
}

fn y(value: f64, top: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * value / top
}

fn one(n: f64) -> String {
    format!("{n:.1}")
}

/// 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten: the least that is no less.
fn round_up(most: f64) -> f64 {
    if !most.is_finite() || most <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(most.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].into_iter().map(|n| n * power).find(|n| *n >= most * (1.0 - 1e-9)).unwrap_or(most)
}

/// Reads well below an axis: 1, 2, 2.5 or 5 times a power of ten.
fn is_round(step: f64) -> bool {
    let digits = step / 10f64.powf(step.log10().floor());
    [1.0, 2.0, 2.5, 5.0].into_iter().any(|n| (digits - n).abs() < 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (most, top) in [(0.0, 1.0), (0.7, 0.8), (1.0, 1.0), (1.2, 1.5), (42.0, 50.0), (1_204.0, 1_500.0), (8_001.0, 10_000.0), (f64::NAN, 1.0)] {
            let found = round_up(most);
            assert!((found - top).abs() < 1e-9, "{most}: {found}");
        }
        assert!(is_round(0.5) && is_round(250.0) && is_round(2.0) && !is_round(3.0) && !is_round(0.75));
        assert_eq!((y(0.0, 5.0), y(5.0, 5.0), x(0, 59), x(59, 59)), (BOTTOM, TOP, LEFT, RIGHT));
    }

    #[test]
    fn a_small_line_needs_two_points() {
        assert!(spark(&[Some(1.0), None]).into_string().contains("–"));
        assert!(spark(&[Some(1.0), None, Some(2.0)]).into_string().contains("M0.0 10.0 72.0 2.0"));
    }
}
