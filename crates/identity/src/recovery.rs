//! Recovery codes: ten that a person keeps on paper, each good once, for the day that the authenticator is lost.

use crate::fault::{Fault, random};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Codes of one set.
pub const CODES: usize = 10;
/// Of each code, without its hyphens: 120 bits.
const LETTERS: usize = 24;
const GROUP: usize = 4;
/// Crockford's base32 in lower case: without i, l, o and u, which people misread.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What is stored of a code.
pub type Hash = [u8; 32];

/// A set of codes such as `k7mp-3xqd-9fhw-t2ca-0wze-5rkn`, to be shown once, and their hashes, to be stored, in the same order.
pub struct Codes {
    pub texts: Vec<String>,
    pub hashes: Vec<Hash>,
}

impl Codes {
    /// A new set.
    pub fn random() -> Result<Codes, Fault> {
        let letters: Vec<[u8; LETTERS]> = (0..CODES).map(|_| random()).collect::<Result<_, Fault>>()?;
        // 256 is a multiple of 32: each letter is as likely as any other.
        let words: Vec<[u8; LETTERS]> = letters.into_iter().map(|bytes| bytes.map(|b| ALPHABET[usize::from(b) % ALPHABET.len()])).collect();
        Ok(Codes { texts: words.iter().map(grouped).collect(), hashes: words.iter().map(|word| hash(word)).collect() })
    }
}

fn grouped(word: &[u8; LETTERS]) -> String {
    let groups: Vec<String> = word.chunks(GROUP).map(|group| group.iter().copied().map(char::from).collect()).collect();
    groups.join("-")
}

/// A fast hash is enough: there are no likely codes to try first, and 2^120 of them are too many to try at all. The context keeps these
/// hashes apart from any others.
fn hash(word: &[u8]) -> Hash {
    blake3::derive_key("holdfast 2026 recovery code", word)
}

/// Which of these hashes a code belongs to; the caller strikes it out, so that it is good once. Upper case, missing or additional hyphens and
/// blanks are overlooked, and o, i and l are read as digits. Takes the same time whichever matches, if any.
pub fn find(hashes: &[Hash], code: &str) -> Option<usize> {
    let hash = hash(&read(code)?);
    let (mut found, mut place) = (subtle::Choice::from(0), 0u64);
    for (n, other) in (0u64..).zip(hashes) {
        let same = hash.ct_eq(other);
        place.conditional_assign(&n, same);
        found |= same;
    }
    if bool::from(found) { usize::try_from(place).ok() } else { None }
}

/// The letters of a code. A shorter one may be of an earlier set.
fn read(code: &str) -> Option<Vec<u8>> {
    let letters = code.bytes().filter(|b| !b.is_ascii_whitespace() && *b != b'-').take(LETTERS + 1);
    let letters = letters.map(|b| match b.to_ascii_lowercase() {
        b'o' => b'0',
        b'i' | b'l' => b'1',
        other => other,
    });
    let letters: Vec<u8> = letters.collect();
    (letters.len() <= LETTERS).then_some(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_found_once() {
        let Codes { texts, mut hashes } = Codes::random().unwrap();
        assert_eq!((texts.len(), hashes.len()), (10, 10));
        for text in &texts {
            let place = find(&hashes, text).unwrap();
            hashes.remove(place);
            assert_eq!(find(&hashes, text), None, "used");
        }
        assert!(hashes.is_empty());
    }

    #[test]
    fn the_place_is_that_of_the_hash() {
        let codes = Codes::random().unwrap();
        for (n, text) in codes.texts.iter().enumerate() {
            assert_eq!(find(&codes.hashes, text), Some(n));
        }
    }

    #[test]
    fn codes_look_as_people_can_copy_them() {
        let codes = Codes::random().unwrap();
        for text in &codes.texts {
            assert_eq!(text.len(), 29);
            assert!(text.split('-').all(|g| g.len() == 4 && g.bytes().all(|b| ALPHABET.contains(&b))), "{text}");
        }
        let again = Codes::random().unwrap();
        assert!(codes.texts.iter().all(|text| !again.texts.contains(text)));
    }

    #[test]
    fn what_people_write_is_read() {
        let hashes = [hash(b"k7mp3x0d9fhwt1ca9e5r0wzx")];
        for good in ["k7mp-3x0d-9fhw-t1ca-9e5r-0wzx", "K7MP 3XOD 9FHW TICA 9E5R OWZX", "k7mp3x0d9fhwtlca9e5r0wzx", " k7-mp3x0d9fhw-t1ca9e5r0wzx\n"] {
            assert_eq!(find(&hashes, good), Some(0), "{good}");
        }
        for bad in [
            "",
            "k7mp-3x0d-9fhw-t1ca-9e5r-0wz",
            "k7mp-3x0d-9fhw-t1ca-9e5r-0wzxx",
            "k7mp-3x0d-9fhw-t1ca-9e5r-0wzy",
            "k7mp-3x0d-9fhw-t1ca-9e5r-0wz\u{e4}",
            "-----------------------------",
        ] {
            assert_eq!(find(&hashes, bad), None, "{bad}");
        }
        assert_eq!(find(&[], "k7mp-3x0d-9fhw-t1ca-9e5r-0wzx"), None);
        assert_eq!(find(&[hash(b"k7mp3x0d9fhwt1ca")], "k7mp-3x0d-9fhw-t1ca"), Some(0), "of an earlier set");
    }
}
