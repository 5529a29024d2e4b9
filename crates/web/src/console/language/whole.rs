//! Texts that the engine wrote whole: refusals, titles of exceptions, why a location lost. Their figures stand in them already, so the
//! German of such a text is found by its pattern, and the pieces that stood for `{}` go where the German has them.
//!
//! Not here: texts of the pages themselves, whose figures are put in when they are written (`mod.rs`).

use super::{GERMAN, Language, de};
use std::borrow::Cow;
use std::sync::LazyLock;

struct Pattern {
    /// What stands between the figures.
    pieces: Vec<&'static str>,
    german: &'static str,
}

/// Those that say most come first: `“{}” {}.` would take many that a longer one means.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let with_figures = de::WHOLE.into_iter().flatten().filter(|(english, _)| english.contains("{}"));
    let mut patterns: Vec<Pattern> = with_figures.map(|(english, german)| Pattern { pieces: english.split("{}").collect(), german }).collect();
    patterns.sort_by_key(|p| std::cmp::Reverse(p.pieces.iter().map(|piece| piece.len()).sum::<usize>()));
    patterns
});

impl Pattern {
    /// What stands in the text where the pattern has `{}`; None if the text is another one.
    fn figures<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, rest) = self.pieces.split_first()?;
        let (last, middle) = rest.split_last()?;
        let mut text = text.strip_prefix(first)?.strip_suffix(last)?;
        let mut figures = Vec::with_capacity(rest.len());
        for piece in middle {
            let (figure, after) = text.split_once(piece)?;
            figures.push(figure);
            text = after;
        }
        figures.push(text);
        Some(figures)
    }

    /// The German with the figures in it. What stands in quotes is somebody's own name for something, and stays as it is.
    fn fill(&self, figures: &[&str]) -> String {
        let mut pieces = self.german.split("{}");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for (piece, figure) in pieces.zip(figures) {
            let is_name = filled.ends_with(['„', '“']);
            filled.push_str(&if is_name { Cow::Borrowed(*figure) } else { german(figure) });
            filled.push_str(piece);
        }
        filled
    }
}

fn german(text: &str) -> Cow<'_, str> {
    if let Some(known) = GERMAN.get(text) {
        return Cow::Borrowed(known);
    }
    if let Some(reasons) = text.strip_prefix(' ').and_then(|t| t.strip_suffix(';')) {
        return Cow::Owned(format!(" {};", reasons.split("; ").map(named).collect::<Vec<_>>().join("; ")));
    }
    let found = PATTERNS.iter().find_map(|p| Some(p.fill(&p.figures(text)?)));
    found.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// “LON: not active”: a reason behind the location that it is about.
fn named(text: &str) -> String {
    text.split_once(": ").map_or_else(|| german(text).into_owned(), |(name, reason)| format!("{name}: {}", german(reason)))
}

impl Language {
    /// A text that the engine wrote, in this language; as it was written where there is no other.
    pub fn whole(self, text: &str) -> Cow<'_, str> {
        match self {
            Language::English => Cow::Borrowed(text),
            Language::German => german(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{English, German};
    use domain::{Noun, Refused, Shortfall};

    fn check(refused: Refused, expected: &str) {
        let text = refused.to_string();
        assert_eq!(German.whole(&text), expected, "{text}");
        assert_eq!(English.whole(&text), text);
    }

    #[test]
    fn refusals_keep_their_figures() {
        check(Refused::unknown(Noun::Item, "Order", "sku"), "Artikel „Order“ gibt es nicht.");
        check(Refused::TooMany { sku: "MUG".into(), asked: 5, left: 2 }, "5 von MUG gewünscht, nur 2 sind noch zu erledigen.");
        check(Refused::invalid("name", "must not be empty"), "„name“ darf nicht leer sein.");
        check(Refused::invalid("name", "must be 1 to 200 bytes long, is 300"), "„name“ muss 1 bis 200 Bytes lang sein, nicht 300.");
        let short = |sku: &str| Shortfall { sku: sku.into(), requested: 3, available: 1 };
        check(
            Refused::InsufficientStock { shortfalls: vec![short("MUG"), short("CUP")] },
            "Nicht genug Bestand, und nichts wurde geändert: 3 von MUG gewünscht, 1 verfügbar, 3 von CUP gewünscht, 1 verfügbar.",
        );
        let reasons = [("LON", "not active"), ("LEE", "has only 1 of 2 lines whole")];
        check(
            Refused::NotRoutable { reasons: reasons.map(|(l, r)| (l.into(), r.into())).to_vec() },
            "Die Stücke sind da, aber die Routing-Regeln lassen keinen Standort sie senden: LON: nicht aktiv; LEE: hat nur 1 von 2 Positionen ganz;",
        );
    }

    #[test]
    fn what_is_not_known_stays() {
        for text in ["", "“", "The marketplace said: {}", "Überall “x”"] {
            assert_eq!(German.whole(text), text);
        }
    }
}
