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
