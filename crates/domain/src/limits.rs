//! Limits on everything that comes from outside. A figure beyond them is a refusal, never a crash.

use crate::Refused;

/// Most units in one line of a request.
pub const MAX_LINE_QUANTITY: i64 = 1_000_000_000;
/// Most units of one item in one state at one location; sums over 10,000 locations still fit an i64.
pub const MAX_LEVEL: i64 = 100_000_000_000_000;
/// Most lines in one request.
pub const MAX_LINES: usize = 500;
/// Longest SKU, code, reference or channel, in bytes.
pub const MAX_NAME: usize = 128;
/// Longest free text (names, reasons, notes), in bytes.
pub const MAX_TEXT: usize = 512;
/// Longest note that a person writes beside a document, in bytes.
pub const MAX_NOTE: usize = 4_000;
/// Longest hold, in seconds: 30 days.
pub const MAX_HOLD_SECONDS: i64 = 30 * 24 * 3600;

/// Units of one line: 1 to [`MAX_LINE_QUANTITY`].
pub fn quantity(field: &str, quantity: i64) -> Result<i64, Refused> {
    if !(1..=MAX_LINE_QUANTITY).contains(&quantity) {
        return Err(Refused::QuantityOutOfRange { field: field.into(), quantity, min: 1, max: MAX_LINE_QUANTITY });
    }
    Ok(quantity)
}

/// Units that somebody counted: 0 to [`MAX_LINE_QUANTITY`].
pub fn counted(field: &str, quantity: i64) -> Result<i64, Refused> {
    if !(0..=MAX_LINE_QUANTITY).contains(&quantity) {
        return Err(Refused::QuantityOutOfRange { field: field.into(), quantity, min: 0, max: MAX_LINE_QUANTITY });
    }
    Ok(quantity)
}

/// A change of units: not zero, at most [`MAX_LINE_QUANTITY`] either way.
pub fn delta(field: &str, delta: i64) -> Result<i64, Refused> {
    if delta == 0 || !(-MAX_LINE_QUANTITY..=MAX_LINE_QUANTITY).contains(&delta) {
        return Err(Refused::QuantityOutOfRange { field: field.into(), quantity: delta, min: -MAX_LINE_QUANTITY, max: MAX_LINE_QUANTITY });
    }
    Ok(delta)
}

/// A name that people and machines use (SKU, code, reference): 1 to [`MAX_NAME`] bytes, no control characters, no outer blanks.
pub fn name<'a>(field: &str, text: &'a str) -> Result<&'a str, Refused> {
    if text.is_empty() || text.len() > MAX_NAME {
        return Err(Refused::invalid(field, format!("must be 1 to {MAX_NAME} bytes long, is {}", text.len())));
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err(Refused::invalid(field, "must not hold control characters or begin or end with a blank"));
    }
    Ok(text)
}

/// Free text for people: up to [`MAX_TEXT`] bytes, no control characters.
pub fn text<'a>(field: &str, text: &'a str) -> Result<&'a str, Refused> {
    if text.len() > MAX_TEXT {
        return Err(Refused::invalid(field, format!("must be at most {MAX_TEXT} bytes long, is {}", text.len())));
    }
    if text.chars().any(|c| c.is_control()) {
        return Err(Refused::invalid(field, "must not hold control characters"));
    }
    Ok(text)
}

/// What people know a thing by: as [`text`], and not empty.
pub fn title<'a>(field: &str, given: &'a str) -> Result<&'a str, Refused> {
    if given.trim().is_empty() {
        return Err(Refused::invalid(field, "must not be empty"));
    }
    text(field, given)
}

/// The codes of countries that ISO 3166-1 assigns (2024), and XK, which the Universal Postal Union uses for Kosovo.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// The country of a place of our own. Buyers' countries are taken as channels tell them.
pub fn country<'a>(field: &str, code: &'a str) -> Result<&'a str, Refused> {
    if code.len() == 2 && COUNTRIES.split(' ').any(|known| known == code) {
        return Ok(code);
    }
    let reason = if code == "UK" { "must be GB for the United Kingdom" } else { "must be a two-letter ISO 3166-1 code such as GB" };
    Err(Refused::invalid(field, reason))
}

/// Whether an address is reached over HTTPS, or is on this very machine. A name that only begins like it is not.
pub fn is_https_or_here(address: &str) -> bool {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([':', '/', '?']) && !rest.contains('@');
    let here = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
    address.starts_with("https://") || here.iter().any(|begin| address.strip_prefix(begin).is_some_and(ends))
}

/// A note of one or more lines: 1 to [`MAX_NOTE`] bytes, no control characters but line ends and tabs. Answers it without outer blanks.
pub fn note<'a>(field: &str, text: &'a str) -> Result<&'a str, Refused> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_NOTE {
        return Err(Refused::invalid(field, format!("must be 1 to {MAX_NOTE} bytes long, is {}", text.len())));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Refused::invalid(field, "must not hold control characters"));
    }
    Ok(text)
}

/// Lines of a request: 1 to [`MAX_LINES`].
pub fn lines(count: usize) -> Result<(), Refused> {
    if count == 0 || count > MAX_LINES {
        return Err(Refused::invalid("lines", format!("must hold 1 to {MAX_LINES} lines, holds {count}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_countries_that_are() {
        assert_eq!(COUNTRIES.split(' ').count(), 250);
        assert!(["GB", "DE", "XK"].iter().all(|code| country("country", code).is_ok()));
        assert!(["UK", "XQ", "gb", "GBR", "", "G "].iter().all(|code| country("country", code).is_err()));
    }

    #[test]
    fn here_is_this_machine_only() {
        for good in ["https://a.example", "http://127.0.0.1", "http://localhost:9/x", "http://[::1]/", "http://localhost?x"] {
            assert!(is_https_or_here(good), "{good}");
        }
        for bad in
            ["http://a.example", "http://localhost.example.com", "http://127.0.0.1@a.example", "http://127.0.0.1:1@a.example", "", "ftp://localhost"]
        {
            assert!(!is_https_or_here(bad), "{bad}");
        }
    }
}
