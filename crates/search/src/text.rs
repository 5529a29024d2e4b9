//! What a word is: the same for what is found and for what is asked. Letters lose case and accents, punctuation parts words and is
//! dropped. Not here: which fields have words, and how they rank.

use std::iter::once;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// Characters of one text that are read; names and codes are at most 512 bytes long, addresses from outside can be longer.
const READ: usize = 512;
/// Longest beginning of a word, in characters, that is a term of its own.
const BEGINNING: usize = 10;
/// Stands behind a word that is whole. No word holds it: it is no letter.
const END: char = '\0';

/// What stands between two blanks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// Without its punctuation: `85123A-RED` is `85123ared`.
    pub whole: String,
    /// What the punctuation parts, if there is more than one: `85123a` and `red`.
    pub parts: Vec<String>,
}

impl Word {
    fn read(text: impl Iterator<Item = char>) -> Word {
        let mut word = Word::default();
        let mut ended = true;
        for c in text.nfkd().filter(|c| !is_accent(*c)) {
            if !c.is_alphanumeric() {
                ended = true;
                continue;
            }
            if ended || stands_alone(c) {
                word.parts.push(String::new());
            }
            ended = stands_alone(c);
            let at = word.parts.len() - 1;
            for c in c.to_lowercase() {
                push(&mut word.whole, c);
                push(&mut word.parts[at], c);
            }
        }
        if word.parts.len() == 1 {
            word.parts.clear();
        }
        word
    }
}

/// A mark above, below or through a letter; not the signs for vowels that Indic scripts write beside it.
fn is_accent(c: char) -> bool {
    canonical_combining_class(c) != 0 || (is_combining_mark(c) && !c.is_alphanumeric())
}

/// Chinese and Japanese put no blanks between words, so each character counts as one.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Adds a letter in its plain form. Unicode takes most of them apart by itself; these are the ones that it does not.
fn push(text: &mut String, c: char) {
    match c {
        'ß' => text.push_str("ss"),
        'æ' => text.push_str("ae"),
        'œ' => text.push_str("oe"),
        'þ' => text.push_str("th"),
        'ø' => text.push('o'),
        'đ' | 'ð' => text.push('d'),
        'ł' => text.push('l'),
        'ħ' => text.push('h'),
        'ı' => text.push('i'),
        'ς' => text.push('σ'),
        c => text.push(c),
    }
}

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<Word> {
    let end = text.char_indices().nth(READ).map_or(text.len(), |(at, _)| at);
    text[..end].split_whitespace().map(|word| Word::read(word.chars())).filter(|word| !word.whole.is_empty()).collect()
}

/// A code such as a SKU, a reference or a barcode as one word, however it is spaced and punctuated.
pub fn code(text: &str) -> String {
    Word::read(text.chars().take(READ)).whole
}

/// The term of all words that begin so; None if it is so long that only whole words are terms.
pub fn beginning(word: &str) -> Option<&str> {
    word.chars().nth(BEGINNING).is_none().then_some(word)
}

/// The term of the word that is just this one.
pub fn whole(word: &str) -> String {
    word.chars().chain(once(END)).collect()
}

/// Turns a text into terms: each of its words once whole, and once for each of its beginnings, so that looking for a beginning
/// costs no more than looking for a word. Long beginnings, which few words share, are not worth their room.
#[derive(Clone)]
pub struct Beginnings {
    /// Take the text as one code, not as words.
    pub is_code: bool,
}

impl Tokenizer for Beginnings {
    type TokenStream<'a> = Terms;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Terms {
        let words =
            if self.is_code { vec![code(text)] } else { words(text).into_iter().flat_map(|word| once(word.whole).chain(word.parts)).collect() };
        Terms { words: words.into_iter(), rest: Vec::new(), token: Token { position: 0, ..Token::default() } }
    }
}

/// The terms of one text.
pub struct Terms {
    words: std::vec::IntoIter<String>,
    /// What the word under way has left, backwards; its end comes last.
    rest: Vec<char>,
    token: Token,
}

impl TokenStream for Terms {
    fn advance(&mut self) -> bool {
        while self.rest.is_empty() {
            let Some(word) = self.words.next() else { return false };
            if !word.is_empty() {
                self.rest = word.chars().chain(once(END)).collect();
                self.rest.reverse();
                self.token.text.clear();
            }
        }
        let long = self.token.text.chars().count() >= BEGINNING;
        while let Some(c) = self.rest.pop() {
            self.token.text.push(c);
            if !long {
                break;
            }
        }
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let words: Vec<String> = words(text)
            .into_iter()
            .map(|word| if word.parts.is_empty() { word.whole } else { format!("{}({})", word.whole, word.parts.join(" ")) })
            .collect();
        assert_eq!(words.join(" "), expected, "{text}");
    }

    #[test]
    fn words_lose_case_accents_and_punctuation() {
        check("85123A-RED", "85123ared(85123a red)");
        check("Crème  BRÛLÉE, große Tasse", "creme brulee grosse tasse");
        check("Cre\u{300}me e\u{301}", "creme e");
        check("O'Brien & Søn / Łódź", "obrien(o brien) son lodz");
        check("#1001 (new)", "1001 new");
        check("ΟΔΥΣΣΕΎΣ Ёлка Йод İstanbul ISPARTA", "οδυσσευσ елка иод istanbul isparta");
        check("½ ﬁne ① ｆｕｌｌ", "12(1 2) fine 1 full");
        check("東京タワー x", "東京タワー(東 京 タ ワ ー) x");
        check("हिन्दी ไทย שָׁלוֹם", "हिनदी ไทย שלום");
        check("\"*:()[]{}^~\\` -- \u{0}\u{7}\u{200b}", "");
        check("anna.smith@example.com", "annasmithexamplecom(anna smith example com)");
    }

    #[test]
    fn a_code_is_one_word() {
        assert_eq!(code("978-3-16-148410-0"), "9783161484100");
        assert_eq!(code("1Z 999 AA1"), "1z999aa1");
        assert_eq!(code(" -- "), "");
    }

    fn terms(is_code: bool, text: &str) -> Vec<String> {
        let mut tokenizer = Beginnings { is_code };
        let mut stream = tokenizer.token_stream(text);
        let mut terms = Vec::new();
        while stream.advance() {
            terms.push(stream.token().text.replace(END, "$"));
        }
        terms
    }

    #[test]
    fn a_text_becomes_beginnings_and_whole_words() {
        assert_eq!(terms(true, "A-1"), ["a", "a1", "a1$"]);
        assert_eq!(terms(false, "Ab c-d").join(" "), "a ab ab$ c cd cd$ c c$ d d$");
        assert!(terms(true, "").is_empty() && terms(false, " . ").is_empty());
    }

    #[test]
    fn long_words_have_a_few_beginnings() {
        let long = "x".repeat(300);
        let terms = terms(true, &long);
        assert_eq!(terms.len(), BEGINNING + 1);
        assert_eq!(beginning(&terms[BEGINNING - 1]), Some("xxxxxxxxxx"));
        assert_eq!(beginning("xxxxxxxxxxx"), None);
        assert_eq!(terms[BEGINNING], whole(&long).replace(END, "$"));
        assert_eq!(words(&"y".repeat(10_000))[0].whole.len(), READ);
    }
}
