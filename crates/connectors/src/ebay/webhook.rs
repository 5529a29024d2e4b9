//! eBay's notifications: is it from eBay, and which orders does it speak of. And the answer that eBay wants before it
//! sends any.

use crate::marketplace::{Notice, Rejected};
use crate::read::{text, time};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// eBay tries again for hours; what is older than a day is not taken, so that a copied notice cannot be played again later.
const OLDEST: i64 = 24 * 3600 * 1_000_000;
/// A clock may be ahead of ours by this much, microseconds.
const AHEAD: i64 = 300 * 1_000_000;
/// Longest name of a key; eBay's are UUIDs, of 36 characters.
const LONGEST_NAME: usize = 64;
/// What stands before the point of every P-256 public key (RFC 5480, SubjectPublicKeyInfo).
const P256_KEY: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03,
    0x42, 0x00,
];

/// The answer to eBay's question whether an address for notifications is ours, as `challengeResponse`: hexadecimal SHA-256.
pub fn challenge(code: &str, verification_token: &str, endpoint: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::new().chain_update(code).chain_update(verification_token).chain_update(endpoint).finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The name of the key that signed. Anybody can send one: only what looks like one is asked for.
pub fn key_name(headers: &[(String, String)]) -> Option<String> {
    let name = text(&signature_header(headers)?, "/kid")?;
    (name.len() <= LONGEST_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')).then_some(name)
}

fn signature_header(headers: &[(String, String)]) -> Option<Value> {
    let (_, value) = headers.iter().find(|(name, _)| name == "x-ebay-signature")?;
    serde_json::from_slice(&STANDARD.decode(value.trim()).ok()?).ok()
}

/// Checks a notification and reads it. `secrets("public_key:<kid>")` is the key's text as eBay gives it.
pub fn read(secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Notice, Rejected> {
    let signed = signature_header(headers).ok_or(Rejected::Signature)?;
    let key = text(&signed, "/kid").and_then(|kid| secrets(&format!("public_key:{kid}"))).ok_or(Rejected::Signature)?;
    verify(&key, &signed, body).ok_or(Rejected::Signature)?;

    let notice: Value = serde_json::from_slice(body).map_err(|e| Rejected::NotUnderstood(e.to_string()))?;
    let published = time(&notice, "/notification/publishDate").ok_or_else(|| Rejected::NotUnderstood("it has no publishDate".into()))?;
    if published < now - OLDEST || published > now + AHEAD {
        return Err(Rejected::Old);
    }
    let mut orders = Vec::new();
    order_ids(&notice["notification"]["data"], &mut orders);
    if orders.is_empty() {
        return Ok(Notice::Other(text(&notice, "/metadata/topic").unwrap_or_default()));
    }
    Ok(Notice::Ask(orders))
}

/// ECDSA with P-256; the digest is the one that the header names, which is SHA-1 to this day.
fn verify(key: &str, signed: &Value, body: &[u8]) -> Option<()> {
    let signature = STANDARD.decode(text(signed, "/signature")?).ok()?;
    let signature = Signature::from_der(&signature).ok()?;
    let base64: String = key.split("-----").find(|part| part.len() > 60)?.split_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    let key = VerifyingKey::from_sec1_bytes(der.strip_prefix(&P256_KEY)?).ok()?;
    match text(signed, "/digest")?.as_str() {
        "SHA1" => key.verify_prehash(&Sha1::digest(body), &signature).ok(),
        "SHA256" => key.verify_prehash(&Sha256::digest(body), &signature).ok(),
        _ => None,
    }
}

/// Every `orderId`, wherever a topic has it, each once.
fn order_ids(data: &Value, found: &mut Vec<String>) {
    match data {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "orderId") {
                    Some(id) if !id.is_empty() && !found.iter().any(|f| f == id) => found.push(id.to_owned()),
                    _ => order_ids(value, found),
                }
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| order_ids(row, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_answered_with_the_hash_of_all_three() {
        // printf '%s' 'abctokenhttps://example.com/ebay' | sha256sum
        assert_eq!(challenge("abc", "token", "https://example.com/ebay"), "abc46799e7e1932f5c6c0a4001829974461bb824a067d78d8a6a12bccc01d625");
    }
}
