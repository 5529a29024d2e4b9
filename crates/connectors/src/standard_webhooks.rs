//! Webhooks in the Standard Webhooks format (standardwebhooks.com), as several vendors send them and as we do: signed with one of
//! several secrets, and sent just now. What one says is for the vendor's connector to read.

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

/// A secret as both sides keep it. The format asks for 24 to 64 random bytes.
pub fn secret(bytes: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(bytes))
}

/// The signatures of one attempt, one for each secret, as the header `webhook-signature` holds them. `at` in seconds. None if a
/// secret is none, or if there is none.
pub fn sign(secrets: &[String], id: &str, at: i64, body: &[u8]) -> Option<String> {
    let at = at.to_string();
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
    let mut signatures = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok().filter(|key| !key.is_empty())?;
        let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?.chain_update(&signed);
        signatures.push(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
    Some(signatures.join(" ")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same key, message and signature as below.
    #[test]
    fn what_we_sign_is_what_others_reckon() {
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), secret(&[7; 32])];
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        let one = sign(&secrets[..1], id, at, body).unwrap();
        assert_eq!(one, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = sign(&secrets, id, at, body).unwrap();
        assert!(both.starts_with(&one) && both.split(' ').count() == 2);
        let headers = [("webhook-id", id), ("webhook-timestamp", "1614265330"), ("webhook-signature", &both)].map(|(n, v)| (n.into(), v.to_owned()));
        for secret in &secrets {
            assert_eq!(verify(secret, &headers, body, at * 1_000_000), Ok(()));
        }
        assert_eq!((sign(&[], id, at, body), sign(&["whsec_".into()], id, at, body), sign(&["MfKQ".into()], id, at, body)), (None, None, None));
    }

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
