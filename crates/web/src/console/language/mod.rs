//! Languages of the pages. The English text is the key; another language is tables from it (`de/`). Texts with figures have `{}`
//! where each goes, in their order.

mod de;
mod whole;

use std::collections::HashMap;
use std::sync::LazyLock;

/// A language that pages are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    German,
}

static GERMAN: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| de::TABLES.into_iter().flatten().copied().collect());

impl Language {
    pub const ALL: [Language; 2] = [Language::English, Language::German];

    /// As HTML and HTTP name it.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
        }
    }

    /// Its own name.
    pub fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::German => "Deutsch",
        }
    }

    pub fn parse(code: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|l| l.code() == code)
    }

    /// The first language of an `Accept-Language` header that there is.
    pub fn accepted(header: &str) -> Option<Language> {
        header.split(',').filter_map(|part| part.trim().get(..2)).find_map(Language::parse)
    }

    /// A text in this language; English where it was not translated.
    pub fn text(self, english: &'static str) -> &'static str {
        match self {
            Language::English => english,
            Language::German => GERMAN.get(english).copied().unwrap_or(english),
        }
    }

    /// What parts thousands, and what parts decimals.
    pub fn marks(self) -> (char, char) {
        match self {
            Language::English => (',', '.'),
            Language::German => ('.', ','),
        }
    }
}
