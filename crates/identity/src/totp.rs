//! One-time codes from an authenticator app (TOTP, RFC 6238): six digits that change every 30 seconds, by HMAC-SHA-1, which is what
//! every app knows. A code counts once, and for one step before and after its time.

use crate::fault::{Fault, random};
use qrcode::QrCode;
use qrcode::render::svg::Color;
use std::fmt;
use subtle::ConstantTimeEq;
use totp_rs::{Algorithm, Builder, Totp};

/// 160 bits, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
const STEP_SECONDS: u64 = 30;
const DIGITS: u8 = 6;
/// Steps before and after the present one, for clocks that differ and fingers that are slow. RFC 6238 recommends one.
const SKEW: u64 = 1;

/// What the app and this server share. Shows nothing of itself.
#[derive(Clone)]
pub struct Secret([u8; SECRET_BYTES]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A new one.
    pub fn random() -> Result<Secret, Fault> {
        Ok(Secret(random()?))
    }

    /// Reads what [`Secret::to_text`] wrote.
    pub fn parse(text: &str) -> Result<Secret, Fault> {
        let bytes = totp_rs::Secret::try_from_base32(text).map_err(|_| Fault::new("a stored secret of one-time codes cannot be read"))?;
        let bytes = bytes.as_bytes().try_into().map_err(|_| Fault::new("a stored secret of one-time codes has another length"))?;
        Ok(Secret(bytes))
    }

    /// In base32, to be stored encrypted, and for a person whose camera does not work.
    pub fn to_text(&self) -> String {
        totp_rs::Secret::from(self.0).to_base32()
    }

    fn totp(&self, issuer: &str, account: &str) -> Result<Totp, Fault> {
        // A colon stands between the two in the URI, so neither may hold one.
        let plain = |text: &str| text.replace(':', " ");
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_step_duration(STEP_SECONDS)
            .with_secret(self.0)
            .with_issuer(Some(plain(issuer)))
            .with_account_name(plain(account))
            .build()
            .map_err(|e| Fault::new(format!("one-time codes: {e}")))
    }

    /// The `otpauth://` URI that apps read. It holds the secret: show it once, to its owner, and write it nowhere.
    pub fn uri(&self, issuer: &str, account: &str) -> Result<String, Fault> {
        self.totp(issuer, account)?.to_url().map_err(|e| Fault::new(format!("one-time codes: {e}")))
    }

    /// Whether this code is right at `now_seconds` (since 1970 UTC) and was not used yet. Answers the step that it belongs to, to be
    /// stored with the secret and given as `last_used_step` from then on: codes of that step and of earlier ones are refused.
    ///
    /// Blanks in the code are overlooked. Storing the step must fail if another request has stored as late a one meanwhile.
    pub fn check(&self, code: &str, now_seconds: u64, last_used_step: Option<u64>) -> Option<u64> {
        let code: Vec<u8> = code.bytes().filter(|b| !b.is_ascii_whitespace()).take(usize::from(DIGITS) + 1).collect();
        // Names do not matter to codes.
        let totp = self.totp("", "-").ok()?;
        let now = now_seconds / STEP_SECONDS;
        let mut found = None;
        // All steps are compared, so that the time taken does not tell which one matched.
        for step in now.saturating_sub(SKEW)..=now.saturating_add(SKEW) {
            let right = totp.generate(step.saturating_mul(STEP_SECONDS)).to_string();
            let matches = bool::from(right.as_bytes().ct_eq(&code));
            if matches && last_used_step.is_none_or(|last| step > last) {
                found = Some(step);
            }
        }
        found
    }
}

/// A QR code of this text as an SVG element, to be written into a page as it is: black on white with a quiet margin, scaled by its
/// attributes, without styles or scripts. Refuses text of more than about 2,000 bytes.
pub fn svg(text: &str) -> Result<String, Fault> {
    let code = QrCode::new(text).map_err(|e| Fault::new(format!("QR code: {e}")))?;
    let image = code.render::<Color<'_>>().min_dimensions(240, 240).build();
    // Within a page there is no XML declaration.
    let start = image.find("<svg").ok_or_else(|| Fault::new("QR code: no picture"))?;
    Ok(image[start..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "12345678901234567890", the secret of RFC 6238, appendix B.
    fn of_the_rfc() -> Secret {
        Secret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap()
    }

    /// RFC 6238, appendix B, SHA-1, the last six of its eight digits.
    const VECTORS: [(u64, &str); 6] =
        [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")];

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in VECTORS {
            assert_eq!(of_the_rfc().check(code, seconds, None), Some(seconds / 30), "{seconds}");
        }
        assert_eq!(of_the_rfc().check(" 081 804 ", 1111111109, None), Some(37037036));
    }

    #[test]
    fn clocks_may_differ_by_one_step() {
        let secret = of_the_rfc();
        // The code of step 37037036, which lasts from 1111111080 to 1111111109.
        for (seconds, accepted) in
            [(1111111049, false), (1111111050, true), (1111111080, true), (1111111109, true), (1111111139, true), (1111111140, false)]
        {
            assert_eq!(secret.check("081804", seconds, None).is_some(), accepted, "{seconds}");
        }
        assert_eq!(secret.check("755224", 0, None), Some(0), "at the beginning of time there is no step before");
        assert_eq!(secret.check("755224", u64::MAX, None), None);
    }

    #[test]
    fn a_code_counts_once() {
        let secret = of_the_rfc();
        let step = secret.check("081804", 1111111109, Some(37037035)).unwrap();
        assert_eq!(secret.check("081804", 1111111109, Some(step)), None, "used");
        assert_eq!(secret.check("081804", 1111111139, Some(step)), None, "used, within its drift");
        assert_eq!(secret.check("050471", 1111111111, Some(step)), Some(37037037), "the next one");
        assert_eq!(secret.check("081804", 1111111109, Some(37037037)), None, "an earlier one");
    }

    #[test]
    fn other_codes_are_refused() {
        let secret = of_the_rfc();
        for wrong in ["", "081805", "81804", "0818040", "081804081804", "07081804", "-81804", "０８１８０４", "abcdef", "0818o4"] {
            assert_eq!(secret.check(wrong, 1111111109, None), None, "{wrong}");
        }
        assert_eq!(Secret::random().unwrap().check("081804", 1111111109, None), None);
    }

    #[test]
    fn secrets_are_kept_as_text_and_not_shown() {
        let secret = Secret::random().unwrap();
        let text = secret.to_text();
        assert_eq!(text.len(), 32);
        assert_eq!(Secret::parse(&text).unwrap().to_text(), text);
        assert_ne!(Secret::random().unwrap().to_text(), text);
        assert_eq!(format!("{secret:?}"), "Secret");
        for bad in ["", "GEZDGNBV", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGE", "not base32!"] {
            assert!(Secret::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn apps_read_the_uri() {
        let uri = of_the_rfc().uri("Holdfast: Nord & Søn", "anna@example.com").unwrap();
        assert_eq!(
            uri,
            "otpauth://totp/Holdfast%20%20Nord%20%26%20S%C3%B8n:anna%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Holdfast%20%20Nord%20%26%20S%C3%B8n"
        );
        assert!(of_the_rfc().uri("Holdfast", "").is_err());
    }

    #[test]
    fn the_picture_obeys_a_strict_page() {
        let picture = svg(&of_the_rfc().uri("Holdfast", "anna@example.com").unwrap()).unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>"), "{picture}");
        for never in ["style", "<?xml", "<script", "href", "<style", "GEZDG"] {
            assert!(!picture.contains(never), "{never}");
        }
        assert!(picture.len() < 64_000, "{}", picture.len());
        assert!(svg(&"a".repeat(4_000)).is_err());
    }
}
