//! Webhooks in the Standard Webhooks format (standardwebhooks.com), as several vendors send them: is it signed with one of
//! our secrets, and was it sent just now. What it says is for the vendor's connector to read.

use crate::marketplace::Rejected;
use crate::read::is_by_one_of;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far the time of an attempt may be from ours, seconds. Every attempt is signed anew, with its own time.
const TOLERANCE: i64 = 300;

/// Checks a webhook. `secrets` are `whsec_` and base64, several apart by spaces while they are being changed; `headers` in
/// lower case, `now` in microseconds.
pub fn verify(secrets: &str, headers: &[(String, String)], body: &[u8], now: i64) -> Result<(), Rejected> {
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let (Some(id), Some(at), Some(signatures)) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")) else {
        return Err(Rejected::Signature);
    };
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
    let is_by = |secret: &str| {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok().filter(|key| !key.is_empty());
        let Some(mac) = key.and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok()).map(|mac| mac.chain_update(&signed)) else { return false };
        // Several signatures, too, while secrets are being changed; other versions are passed over.
        let mut given = signatures.split(' ').filter_map(|s| STANDARD.decode(s.strip_prefix("v1,")?).ok());
        given.any(|signature| mac.clone().verify_slice(&signature).is_ok())
    };
    if !is_by_one_of(secrets, is_by) {
        return Err(Rejected::Signature);
    }
    let at: i64 = at.parse().map_err(|_| Rejected::Signature)?;
    if at.abs_diff(now.div_euclid(1_000_000)) > TOLERANCE.unsigned_abs() {
        return Err(Rejected::Old);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key, the message and the signature were reckoned with Python's hmac.
    #[test]
    fn only_what_we_share_a_secret_for_is_taken() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = b"{\"test\": 2432232314}";
        let at = "1614265330";
        let headers = |signature: &str| {
            [("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), ("webhook-timestamp", at), ("webhook-signature", signature)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let now = 1_614_265_330_000_000;
        let two = format!("whsec_AAAA {secret}");
        assert_eq!(verify(secret, &headers(good), body, now), Ok(()));
        assert_eq!(verify(&two, &headers(&format!("v1a,xxxx v1,AAAA {good}")), body, now + 299_000_000), Ok(()));
        assert_eq!(verify(secret, &headers(good), body, now + 302_000_000), Err(Rejected::Old));
        assert_eq!(verify(secret, &headers(good), body, now - 302_000_000), Err(Rejected::Old));
        for (secret, signature, body) in [
            ("whsec_AAAA", good, &body[..]),
            ("", good, &body[..]),
            ("whsec_", good, &body[..]),
            (secret, "v1,AAAA", &body[..]),
            (secret, &good[3..], &body[..]),
            (secret, good, b"{\"test\": 2432232315}"),
        ] {
            assert_eq!(verify(secret, &headers(signature), body, now), Err(Rejected::Signature), "{signature}");
        }
        assert_eq!(verify(secret, &[], body, now), Err(Rejected::Signature));
    }
}
