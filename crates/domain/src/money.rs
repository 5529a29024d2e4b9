//! Money: a whole number of minor units (cents, pence) and an ISO 4217 currency. Never a float.

use crate::Refused;

/// An amount in minor units of a currency, e.g. 999 and `GBP` for 9.99 pounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

/// An ISO 4217 alphabetic code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

/// Currencies without minor units, and with three (ISO 4217, table A.1). All others have two.
const NO_MINOR: [&str; 16] = ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF"];
const THREE_MINOR: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

impl Currency {
    /// Three capital letters; whether the code is in use is not checked.
    pub fn parse(field: &str, code: &str) -> Result<Currency, Refused> {
        match code.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Currency([a, b, c])),
            _ => Err(Refused::invalid(field, "must be a three-letter ISO 4217 code such as GBP")),
        }
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits after the decimal point: 0, 2 or 3.
    pub fn decimals(&self) -> u32 {
        if NO_MINOR.contains(&self.code()) {
            0
        } else if THREE_MINOR.contains(&self.code()) {
            3
        } else {
            2
        }
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl Money {
    /// Reads `"9.99"`; more decimals than the currency has are refused, not rounded.
    pub fn parse(field: &str, amount: &str, currency: &str) -> Result<Money, Refused> {
        let currency = Currency::parse(&format!("{field}.currency"), currency)?;
        let decimals = currency.decimals() as usize;
        let minor = decimal(amount, decimals).ok_or_else(|| {
            Refused::invalid(format!("{field}.amount"), format!("must be a decimal with at most {decimals} decimals, such as \"9.99\""))
        })?;
        Ok(Money { minor, currency })
    }

    /// The amount as `"9.99"`.
    pub fn amount(&self) -> String {
        let decimals = self.currency.decimals();
        if decimals == 0 {
            return self.minor.to_string();
        }
        let scale = 10i64.pow(decimals);
        let sign = if self.minor < 0 { "-" } else { "" };
        let (whole, part) = (self.minor.unsigned_abs() / scale as u64, self.minor.unsigned_abs() % scale as u64);
        format!("{sign}{whole}.{part:0width$}", width = decimals as usize)
    }
}

/// Reads a plain decimal (`-12.50`) as an integer of 10^-`decimals`; None if it has more decimals, or does not fit 15 digits.
pub fn decimal(text: &str, decimals: usize) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = part.trim_end_matches('0');
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || part.len() > decimals || !plain(whole) || !plain(part) {
        return None;
    }
    let scaled = whole.parse::<i64>().ok()?.checked_mul(10i64.pow(decimals as u32))?;
    let part = if part.is_empty() { 0 } else { part.parse::<i64>().ok()? * 10i64.pow((decimals - part.len()) as u32) };
    Some(sign * scaled.checked_add(part)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_and_print() {
        for (amount, currency, minor) in
            [("9.99", "GBP", 999), ("-0.05", "EUR", -5), ("12", "USD", 1200), ("300", "JPY", 300), ("1.250", "KWD", 1250), ("2.500", "USD", 250)]
        {
            assert_eq!(Money::parse("price", amount, currency).unwrap().minor, minor, "{amount} {currency}");
        }
        assert_eq!(Money::parse("p", "-0.05", "EUR").unwrap().amount(), "-0.05");
        for (amount, currency) in [
            ("9.999", "GBP"),
            ("", "GBP"),
            ("1e3", "GBP"),
            ("1.5", "JPY"),
            ("9", "gbp"),
            ("9", "EURO"),
            ("1234567890123456", "GBP"),
            ("+1", "GBP"),
            ("--1", "GBP"),
        ] {
            assert!(Money::parse("price", amount, currency).is_err(), "{amount} {currency}");
        }
    }
}
