//! The instant that a page looks at: now, or a past one that the address names.

use super::charts::{BACK, DAY_MICROS};
use crate::console::parts::icon;
use crate::console::viewer::Viewer;
use maud::{Markup, html};

/// A second, microseconds.
const SECOND: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// Now if None; else an instant in the past, microseconds since 1970 UTC.
    at: Option<i64>,
    /// Something was asked for that is no past time.
    misread: bool,
}

impl AsOf {
    /// From `as_of` in the address: seconds since 1970 UTC, as the slider writes it, or a time in the reader's zone; of a day, its end.
    /// What is not past is now, and so is what cannot be read; the page says so.
    pub fn asked(v: &Viewer) -> AsOf {
        let text = v.asked("as_of").unwrap_or_default();
        let time = || if text.contains('T') { v.instant(&text) } else { v.instant(&format!("{text}T23:59:59")) };
        let at = text.parse::<i64>().ok().and_then(|s| s.checked_mul(SECOND)).or_else(time);
        // The slider's last place is the end of today.
        let misread = !text.is_empty() && at.is_none_or(|at| at < 0 || at > end_of_day(v, v.now));
        AsOf { at: at.filter(|at| (0..v.now).contains(at)), misread }
    }

    pub fn instant(self) -> Option<i64> {
        self.at
    }

    /// What the whole page says when it shows the past.
    pub fn banner(self, v: &Viewer) -> Markup {
        html! {
            @if self.misread {
                div.banner.banner-warn role="status" {
                    (icon("warn"))
                    div { (v.say("“{}” is no time of the past: what stands below is how it is now.", &[&v.asked("as_of").unwrap_or_default()])) }
                    a.btn.btn-s href=(v.address(&[("as_of", "")])) { (v.t("Close")) }
                }
            }
            @if let Some(at) = self.at {
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
        let value = self.at.map_or(most, |at| at / SECOND).clamp(least, most);
        let words = match self.at {
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
                input.input #asof-at type="datetime-local" name="as_of" value=(v.local(self.at.unwrap_or(v.now)));
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
