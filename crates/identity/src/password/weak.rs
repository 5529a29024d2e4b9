//! Which passwords are refused as too easy to guess, and what a person can do about it. Rules and lists; nothing is looked up
//! outside.

use std::fmt;

/// In characters, as a person counts them.
pub const MIN_CHARS: usize = 12;
pub const MAX_CHARS: usize = 128;

/// A part of somebody's name or login counts from here, in characters.
const MIN_PART: usize = 4;
/// Fewer different characters are a pattern, whatever their order.
const MIN_DIFFERENT: usize = 5;
/// A password made of so few common words, with digits and signs around them, is a guess away.
const MAX_WORDS: usize = 3;

/// Parts of it are refused in passwords, as those of the person's name are.
const PRODUCT: &str = "holdfast";

/// Words, walks over the keyboard and runs of digits, in lower case. Lines with # say what follows.
const COMMON: &str = include_str!("common.txt");

/// Whole passwords that were leaked often, in lower case. Lines with # say where they are from.
const BREACHED: &str = include_str!("breached.txt");

/// Why a password is refused. Its text tells the person what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weak {
    Short,
    Long,
    /// It holds this part of the person's name, login or of the product's name.
    Personal(String),
    Pattern,
    Common,
}

impl fmt::Display for Weak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weak::Short => write!(f, "Use at least {MIN_CHARS} characters. Four words that do not belong together are easy to remember."),
            Weak::Long => write!(f, "Use at most {MAX_CHARS} characters."),
            Weak::Personal(part) => write!(f, "Leave out “{part}”: your name, your login and the product's name are tried first."),
            Weak::Pattern => write!(f, "Use something that does not repeat or count up."),
            Weak::Common => write!(f, "Use something less common: add a few words that do not belong together."),
        }
    }
}

impl std::error::Error for Weak {}

/// Refuses a weak password. `about` is what is known of the person: login, name, mail address, company.
pub fn check(password: &str, about: &[&str]) -> Result<(), Weak> {
    let chars = password.chars().count();
    if chars < MIN_CHARS {
        return Err(Weak::Short);
    }
    if chars > MAX_CHARS {
        return Err(Weak::Long);
    }
    let lower = password.to_lowercase();
    if let Some(part) = about.iter().copied().chain([PRODUCT]).find_map(|text| part_in(&lower, text)) {
        return Err(Weak::Personal(part));
    }
    if is_pattern(&lower) {
        return Err(Weak::Pattern);
    }
    if lines(BREACHED).any(|known| known == lower) || is_common(&lower) {
        return Err(Weak::Common);
    }
    Ok(())
}

/// The first part of a name or address that stands in the password.
fn part_in(lower: &str, text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| part.chars().count() >= MIN_PART);
    parts.filter(|part| lower.contains(part)).map(str::to_owned).next()
}

fn is_pattern(lower: &str) -> bool {
    let all: Vec<char> = lower.chars().collect();
    let mut different = all.clone();
    different.sort_unstable();
    different.dedup();
    let digits: Vec<char> = all.iter().copied().filter(char::is_ascii_digit).collect();
    let letters: Vec<char> = all.iter().copied().filter(|c| c.is_alphabetic()).collect();
    different.len() < MIN_DIFFERENT || repeats(&all) || repeats(&without_counters(&all)) || (counts(&digits) && counts(&letters))
}

/// Whether it is one piece, written twice or more; the last time perhaps cut short.
fn repeats(chars: &[char]) -> bool {
    (1..=chars.len() / 2).any(|piece| chars.iter().zip(&chars[piece..]).all(|(a, b)| a == b))
}

/// With each run of digits as one, so that `shop1shop2shop3` repeats too. Digits alone are left alone.
fn without_counters(chars: &[char]) -> Vec<char> {
    let mut masked: Vec<char> = chars.iter().map(|c| if c.is_ascii_digit() { '0' } else { *c }).collect();
    if masked.iter().all(|c| *c == '0') {
        return Vec::new();
    }
    masked.dedup_by(|a, b| *a == '0' && *b == '0');
    masked
}

/// Whether each character is the next, the one before or the same as its neighbor, all in one direction: `abcdef`, `9876`, `1111`, `890123`.
fn counts(chars: &[char]) -> bool {
    let step = |pair: &[char]| match (pair[0], pair[1]) {
        ('9', '0') => 1,
        ('0', '9') => -1,
        (a, b) => i64::from(u32::from(b)) - i64::from(u32::from(a)),
    };
    [-1, 0, 1].iter().any(|direction| chars.windows(2).all(|pair| step(pair) == *direction))
}

/// Whether nothing but a few common words is left when signs, or signs and digits, are taken out, or digits are read as the letters that
/// they stand for.
fn is_common(lower: &str) -> bool {
    let plain: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    let letters: String = plain.chars().filter(|c| !c.is_numeric()).collect();
    let read: String = lower.trim_end_matches(|c: char| !c.is_alphabetic()).chars().map(letter_for).filter(|c| c.is_alphabetic()).collect();
    [plain, letters, read].iter().any(|text| !text.is_empty() && is_made_of_common(text, MAX_WORDS))
}

fn letter_for(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

fn lines(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn is_made_of_common(text: &str, words: usize) -> bool {
    text.is_empty() || (words > 0 && lines(COMMON).any(|word| text.strip_prefix(word).is_some_and(|rest| is_made_of_common(rest, words - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(password: &str) -> Result<(), Weak> {
        check(password, &["anna.schmidt@example.com", "Anna Schmidt-Øre", "Nord Outdoor"])
    }

    #[test]
    fn good_ones_pass() {
        for good in [
            "correct horse battery staple",
            "K7!mp3xqd9#fhw",
            "ein Zebra frisst Kühlschränke",
            "the summer we sold umbrellas",
            "834190275516",
            "мой кот спит на складе",
            "倉庫の猫は午後三時に目を覚ます",
            "winter coats, size 44, shelf B",
            &"long but alive ".repeat(2).replace("alive long", "alive and longer"),
        ] {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(verdict("zebra-trunk"), Err(Weak::Short));
        assert_eq!(verdict("zebra-trunks"), Ok(()));
        assert_eq!(verdict("ö¿ä¡üß§€đŋħ"), Err(Weak::Short), "eleven characters of more bytes");
        let words: String =
            (0xab..).map(|n| format!("{n:x} zebra trunk, ")).flat_map(|w| w.chars().collect::<Vec<_>>()).take(MAX_CHARS + 1).collect();
        assert_eq!(verdict(&words), Err(Weak::Long));
        assert_eq!(verdict(&words[1..]), Ok(()));
    }

    #[test]
    fn what_is_known_of_the_person_is_refused() {
        for (password, part) in [
            ("zebra-SCHMIDT-trunk", "schmidt"),
            ("anna likes zebras", "anna"),
            ("zebra at example", "example"),
            ("the outdoor zebra", "outdoor"),
            ("Holdfast zebra 9", "holdfast"),
        ] {
            assert_eq!(verdict(password), Err(Weak::Personal(part.into())), "{password}");
        }
        // Three letters are in too many words.
        assert_eq!(verdict("comet øre zebra"), Ok(()));
        assert_eq!(check("anna likes zebras", &["bob", ""]), Ok(()));
    }

    #[test]
    fn patterns_are_refused() {
        for pattern in [
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "zebra9zebra9",
            "zebra-trunkzebra-trunk",
            "zebratrunk1zebratrunk2",
            "abcdefghijkl",
            "lkjihgfedcba",
            "123456789012",
            "098765432109",
            "a1b2c3d4e5f6",
            "aaaaaa111111",
            "abababababba",
            "1-2-3-4-5-6-7",
        ] {
            assert_eq!(verdict(pattern), Err(Weak::Pattern), "{pattern}");
        }
    }

    #[test]
    fn common_ones_are_refused() {
        for common in [
            "Password2024!",
            "P@ssw0rd2024!",
            "password-password1",
            "SummerWinter2025",
            "qwertyuiop123",
            "1q2w3e4r5t6y",
            "Welcome 2024, boss",
            "iloveyou123456",
            "Admin12345678",
            "letmeinletmein7",
            "Passwort123456",
            "qazwsxedcrfv",
            "GhbdtnRfrLtkf",
            "SystemOfADown",
            "1qaz2wsx3edc4rfv",
        ] {
            assert_eq!(verdict(common), Err(Weak::Common), "{common}");
        }
    }

    #[test]
    fn the_lists_are_tidy() {
        assert!(lines(BREACHED).count() >= 200 && lines(BREACHED).all(|known| known.chars().count() >= MIN_CHARS && known == known.to_lowercase()));
        let words: Vec<&str> = lines(COMMON).collect();
        assert!(words.len() >= 300, "{}", words.len());
        for (n, word) in words.iter().enumerate() {
            assert!(word.chars().count() >= 3 && word.chars().all(|c| c.is_alphanumeric() && !c.is_uppercase()), "{word}");
            assert!(!words[..n].contains(word), "{word} stands there twice");
        }
    }
}
