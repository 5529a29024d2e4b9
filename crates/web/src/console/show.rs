//! How figures, times and bars look everywhere: thousands with commas, a true minus, an en dash for none, times in UTC.

use jiff::Timestamp;
use maud::{Markup, html};

/// 1234567 as “1,234,567”.
pub fn num(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 3);
    if n < 0 {
        text.push('−');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn format(micros: i64, how: &str) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| "–".into(), |t| t.strftime(how).to_string())
}

/// For machines: 2026-12-05T14:32:08Z
pub fn iso(micros: i64) -> String {
    format(micros, "%Y-%m-%dT%H:%M:%SZ")
}

/// Who did something, as entries and events name them: `person:ada@example.com` is “ada@example.com”, `key:shop` is “shop (key)”.
pub fn actor(actor: &str) -> String {
    match actor.split_once(':') {
        Some(("person", who)) => who.to_owned(),
        Some((kind, who)) => format!("{who} ({kind})"),
        None if actor.is_empty() => "–".to_owned(),
        None => actor.to_owned(),
    }
}

pub fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" { use href={ "#i-" (name) } {} } }
}

/// A share of a whole as a length: “58.3%”.
pub fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "0%".into();
    }
    let tenths = (i128::from(part.clamp(0, whole)) * 1_000 / i128::from(whole)) as i64;
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// A quantity bar. Parts follow one another: (class, units); units on a scale that is as long as the bar.
pub fn bar(label: &str, scale: i64, parts: &[(&str, i64)], tick: Option<i64>) -> Markup {
    let placed = parts.iter().scan(0, |end, (class, units)| {
        let from = *end;
        *end += units;
        Some((*class, from, *units))
    });
    html! {
        svg.bar role="img" aria-label=(label) {
            rect.b-track width="100%" height="100%" {}
            @for (class, from, units) in placed.filter(|(_, _, units)| *units > 0) {
                // The hatch is an attribute: a style cannot name a pattern of the page it is used on.
                rect class=(class) x=(percent(from, scale)) width=(percent(units, scale)) height="100%" fill=[(class == "b-hatch").then_some("url(#hatch)")] {}
            }
            @if let Some(tick) = tick {
                // A tick at the end stays inside.
                rect.b-tick x=(percent(tick, scale)) width="2" height="100%" transform=[(tick >= scale).then_some("translate(-2)")] {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        for (n, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-12_000, "−12,000"), (i64::MIN, "−9,223,372,036,854,775,808")]
        {
            assert_eq!(num(n), text);
        }
        for (part, whole, text) in [(0, 0, "0%"), (1, 3, "33.3%"), (5, 4, "100.0%"), (i64::MAX, i64::MAX, "100.0%")] {
            assert_eq!(percent(part, whole), text);
        }
        for (text, shown) in [("person:ada@example.com", "ada@example.com"), ("key:shop", "shop (key)"), ("system", "system"), ("", "–")] {
            assert_eq!(actor(text), shown);
        }
        assert_eq!(iso(1_764_945_128_000_000), "2025-12-05T14:32:08Z");
    }
}
