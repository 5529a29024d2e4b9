//! The instant that a page looks at: now, or a past one that the address names.

use super::charts::{BACK, DAY_MICROS};
use crate::console::parts::icon;
use crate::console::viewer::Viewer;
use maud::{Markup, html};

/// A second, microseconds.
const SECOND: i64 = 1_000_000;

/// Now if None; else an instant in the past, microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf(Option<i64>);

impl AsOf {
    /// From `as_of` in the address: seconds since 1970 UTC, as the slider writes it, or a time in the reader's zone; of a day, its end.
    /// What is not past is now, and so is what cannot be read.
    pub fn asked(v: &Viewer) -> AsOf {
        let text = v.asked("as_of").unwrap_or_default();
        let time = || if text.contains('T') { v.instant(&text) } else { v.instant(&format!("{text}T23:59:59")) };
        let at = text.parse::<i64>().ok().and_then(|s| s.checked_mul(SECOND)).or_else(time);
        AsOf(at.filter(|at| (0..v.now).contains(at)))
    }

    pub fn instant(self) -> Option<i64> {
        self.0
    }

    /// What the whole page says when it shows the past.
    pub fn banner(self, v: &Viewer) -> Markup {
        html! {
            @if let Some(at) = self.0 {
                div.banner.banner-info role="status" {
                    (icon("clock"))
                    div { b { (v.say("As of {}.", &[&v.moment(at)])) } " " (v.t("Levels are those of then; stock cannot be changed in the past.")) }
                    a.btn.btn-s href=(v.address(&[("as_of", "")])) { (v.t("Back to now")) }
                }
            }
        }
    }

    /// A day at a time over a month, each at its end; with a field for any time. `keep` are the parameters that stay.
    pub fn slider(self, v: &Viewer, keep: &[(&str, &str)]) -> Markup {
        let end = end_of_day(v, v.now);
        let days: Vec<i64> = (0..BACK).rev().map(|n| end_of_day(v, v.now - n * DAY_MICROS) / SECOND).collect();
        let (least, most) = (days.first().copied().unwrap_or(0), end / SECOND);
        let value = self.0.map_or(most, |at| at / SECOND).clamp(least, most);
        let words = match self.0 {
            Some(at) => v.moment(at),
            None => v.t("Now").to_owned(),
        };
        html! {
            div.slider data-js {
                label for="asof" { (v.t("Show levels as of")) }
                input #asof type="range" min=(least) max=(most) step=(DAY_MICROS / SECOND) value=(value) data-asof aria-valuetext=(words);
                output for="asof" { b { (words) } }
            }
            form.slider method="get" action=(v.path) {
                @for (name, value) in keep { input type="hidden" name=(name) value=(value); }
                label for="asof-at" { (v.t("Any time")) }
                input.input #asof-at type="datetime-local" name="as_of" value=(v.local(self.0.unwrap_or(v.now)));
                button.btn.btn-s type="submit" { (v.t("Show")) }
            }
        }
    }
}

/// The last second of the reader's day that holds an instant.
fn end_of_day(v: &Viewer, at: i64) -> i64 {
    let day = v.local(at);
    let date = day.split('T').next().unwrap_or_default();
    v.instant(&format!("{date}T23:59:59")).unwrap_or(at)
}
