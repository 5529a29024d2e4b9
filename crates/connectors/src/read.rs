//! Reading answers that nobody vouches for, and writing the few texts that requests need: fields by JSON pointer, times,
//! escaped paths. Unknown fields are never looked at; a field of another shape than expected is a field that is missing.

use crate::transport::{Fault, Response, Token, by_status};
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::Write;

/// The British spelling, as vendors write it in capitals.
pub const CANCELED: &str = concat!("CANCEL", "LED");

/// Longest excerpt of an answer that is shown in a fault, in characters.
const EXCERPT: usize = 300;

/// The body as JSON; an empty body is null.
pub fn json(answer: &Response) -> Result<Value, Fault> {
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).map_err(|e| Fault::NotUnderstood { detail: format!("not JSON ({e}): {}", excerpt(&answer.body)) })
}

/// The beginning of a body, for people.
pub fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(EXCERPT).collect()
}

/// What a status means, with the code and the words that the vendor's body has at the first of these places.
pub fn fault(answer: &Response, codes: &[&str], details: &[&str]) -> Option<Fault> {
    let fault = by_status(answer)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = details.iter().find_map(|place| text(&body, place)).unwrap_or_else(|| format!("status {}: {}", answer.status, excerpt(&answer.body)));
    Some(match fault {
        Fault::Unauthorized { .. } => Fault::Unauthorized { detail: said },
        Fault::Unavailable { .. } => Fault::Unavailable { detail: said },
        Fault::Lost { .. } => Fault::Lost { detail: said },
        Fault::NotUnderstood { .. } => Fault::NotUnderstood { detail: said },
        Fault::Refused { status, code, .. } => {
            Fault::Refused { status, code: codes.iter().find_map(|place| text(&body, place)).unwrap_or(code), detail: said }
        }
        throttled @ Fault::Throttled { .. } => throttled,
    })
}

/// An access token as OAuth 2 answers it (RFC 6749, 5.1): `access_token`, and `expires_in` in seconds.
pub fn token(answer: &Response, now: i64) -> Result<Token, Fault> {
    let body = json(answer)?;
    let missing = |name: &str| Fault::NotUnderstood { detail: format!("a token without {name}") };
    let text = text(&body, "/access_token").ok_or_else(|| missing("access_token"))?;
    let seconds = whole(&body, "/expires_in").filter(|s| (1..100_000_000).contains(s)).ok_or_else(|| missing("expires_in"))?;
    Ok(Token { text, expires_at: now.saturating_add(seconds * 1_000_000) })
}

/// Text, or a number as text; nothing if it is empty or something else.
pub fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(s) if !s.trim().is_empty() => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// A whole number, also as text or as `2.0`.
pub fn whole(value: &Value, pointer: &str) -> Option<i64> {
    match value.pointer(pointer)? {
        Value::Number(n) => n.as_i64().or_else(|| n.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| f as i64)),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// A time as RFC 3339 writes it, in microseconds since 1970 UTC.
pub fn time(value: &Value, pointer: &str) -> Option<i64> {
    parse_time(value.pointer(pointer)?.as_str()?)
}

pub fn parse_time(text: &str) -> Option<i64> {
    text.trim().parse::<Timestamp>().ok().map(|t| t.as_microsecond())
}

/// Whether it is by one of these secrets; several stand apart by blanks while they are being changed, and one may have blanks in
/// it. All are tried, so that the time that it takes does not tell which it was.
pub fn is_by_one_of(secrets: &str, is_by: impl Fn(&str) -> bool) -> bool {
    let whole = Some(secrets).filter(|s| !s.trim().is_empty());
    whole.into_iter().chain(secrets.split_whitespace()).fold(false, |found, secret| found | is_by(secret))
}

/// The secret that is used where only one can be: the first.
pub fn first(secrets: &str) -> &str {
    secrets.split_whitespace().next().unwrap_or_default()
}

/// Refuses an address that nobody would send webhooks to.
pub fn https(address: &str) -> Result<(), Fault> {
    if address.starts_with("https://") && address.len() <= 512 && !address.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(Fault::Refused { status: 0, code: "address".into(), detail: "the address for webhooks must begin with https://".into() })
}

/// The rows of a list; no list has no rows.
pub fn rows<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// RFC 3339 in UTC with milliseconds, cut off, not rounded.
pub fn date(microseconds: i64) -> String {
    let millis = microseconds.div_euclid(1000);
    Timestamp::from_millisecond(millis).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// An amount for several as the amount for one, exact decimal text; nothing if it does not divide evenly at the same number
/// of decimals.
pub fn divide(amount: &str, by: i64) -> Option<String> {
    let (whole, decimals) = amount.trim().split_once('.').unwrap_or((amount.trim(), ""));
    let minor: i64 = format!("{whole}{decimals}").parse().ok()?;
    let plain = |s: &str| s.chars().all(|c| c.is_ascii_digit());
    if by <= 0 || minor < 0 || minor % by != 0 || !plain(whole) || !plain(decimals) {
        return None;
    }
    let digits = format!("{:0>width$}", minor / by, width = decimals.len() + 1);
    let (whole, decimals) = digits.split_at(digits.len() - decimals.len());
    Some(if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_divide_exactly_or_not_at_all() {
        for (amount, by, one) in [
            ("24.00", 2, Some("12.00")),
            ("0.03", 3, Some("0.01")),
            ("7", 1, Some("7")),
            ("10.00", 3, None),
            ("1,5", 1, None),
            ("5.00", 0, None),
            ("-5.00", 1, None),
            ("", 1, None),
        ] {
            assert_eq!(divide(amount, by).as_deref(), one, "{amount} / {by}");
        }
    }

    #[test]
    fn one_of_several_secrets_is_enough_and_none_opens_nothing() {
        let is_b = |secrets: &str| is_by_one_of(secrets, |secret| secret == "b");
        assert_eq!(["a b", "b a", "b", "a", "", "  "].map(is_b), [true, true, true, false, false, false]);
        assert!(is_by_one_of("a b", |secret| secret == "a b") && !is_by_one_of(" ", |_| true));
        assert_eq!([first("new old"), first(""), first(" one ")], ["new", "", "one"]);
    }

    #[test]
    fn fields_of_another_shape_are_missing() {
        let answer = json!({"a": "12", "b": 12.0, "c": 1.5, "d": {"e": ""}, "t": "2026-11-22T00:00:00.5Z"});
        assert_eq!([whole(&answer, "/a"), whole(&answer, "/b"), whole(&answer, "/c"), whole(&answer, "/d")], [Some(12), Some(12), None, None]);
        assert_eq!(text(&answer, "/d/e"), None);
        assert_eq!(date(time(&answer, "/t").unwrap_or_default()), "2026-11-22T00:00:00.500Z");
        assert_eq!(escape("a b/ü[..]"), "a%20b%2F%C3%BC%5B..%5D");
    }
}
