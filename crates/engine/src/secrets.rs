//! Secrets at rest: encrypted with a key that is not in the database (ChaCha20-Poly1305, RFC 8439). Several keys may be given:
//! the first encrypts, all decrypt, so that a key can be replaced without a pause.

use crate::Stop;
use crate::db::Url;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use std::path::Path;
use std::sync::Arc;

/// Names the variable with the keys: 64 hexadecimal digits each, separated by commas.
pub const VARIABLE: &str = "HOLDFAST_SECRET_KEY";

/// Holds the keys. Shows none of them.
#[derive(Clone, Default)]
pub struct Vault(Arc<Vec<[u8; 32]>>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault with {} keys", self.0.len())
    }
}

impl Vault {
    /// Reads keys as [`VARIABLE`] holds them.
    pub fn parse(text: &str) -> Result<Vault, Stop> {
        let bad =
            || Stop::broken(format!("{VARIABLE} must hold keys of 64 hexadecimal digits, separated by commas; `openssl rand -hex 32` makes one"));
        let keys: Result<Vec<[u8; 32]>, Stop> = text.split(',').map(|k| from_hex(k.trim()).and_then(|b| b.try_into().ok()).ok_or_else(bad)).collect();
        Ok(Vault(Arc::new(keys?)))
    }

    /// The keys of the environment; else, for an embedded database, of the file beside it, which is made if it is not there.
    pub fn open(url: &Url) -> Result<Vault, Stop> {
        if let Ok(text) = std::env::var(VARIABLE) {
            return Vault::parse(&text);
        }
        match url {
            Url::Sqlite(path) => {
                let mut name = path.as_os_str().to_owned();
                name.push(".key");
                Vault::of_file(Path::new(&name))
            }
            Url::Postgres(_) => Ok(Vault::default()),
        }
    }

    fn of_file(path: &Path) -> Result<Vault, Stop> {
        let fault = |e: std::io::Error| Stop::broken(format!("{}: {e}", path.display()));
        match std::fs::read_to_string(path) {
            Ok(text) => return Vault::parse(text.trim()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(fault(e)),
        }
        let mut key = [0u8; 32];
        getrandom::fill(&mut key).map_err(|e| Stop::broken(format!("no randomness: {e}")))?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(fault)?;
        std::io::Write::write_all(&mut file, to_hex(&key).as_bytes()).map_err(fault)?;
        Ok(Vault(Arc::new(vec![key])))
    }

    /// Encrypts for one place, such as a channel's code: elsewhere it opens nothing.
    pub fn encrypt(&self, place: &str, text: &str) -> Result<String, Stop> {
        let Some(key) = self.0.first() else {
            return Err(domain::Refused::invalid(
                "settings",
                format!("hold secrets, and this server has no key to encrypt them with: set {VARIABLE}"),
            )
            .into());
        };
        let mut nonce = [0u8; 12];
        getrandom::fill(&mut nonce).map_err(|e| Stop::broken(format!("no randomness: {e}")))?;
        let cipher = ChaCha20Poly1305::new(Key::from_slice(key));
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        let sealed = cipher.encrypt(Nonce::from_slice(&nonce), payload).map_err(|_| Stop::broken("encryption failed"))?;
        Ok(format!("v1:{}{}", to_hex(&nonce), to_hex(&sealed)))
    }

    /// Decrypts with whichever key fits; the text, and whether it should be encrypted anew with the first.
    pub fn decrypt(&self, place: &str, sealed: &str) -> Result<(String, bool), Stop> {
        let bad = || Stop::broken("secrets cannot be read: the key that encrypted them is not among those of this server");
        let bytes = sealed.strip_prefix("v1:").and_then(from_hex).filter(|b| b.len() > 12).ok_or_else(bad)?;
        let (nonce, sealed) = bytes.split_at(12);
        for (n, key) in self.0.iter().enumerate() {
            let cipher = ChaCha20Poly1305::new(Key::from_slice(key));
            if let Ok(text) = cipher.decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad: place.as_bytes() }) {
                return Ok((String::from_utf8(text).map_err(|_| bad())?, n > 0));
            }
        }
        Err(bad())
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|n| u8::from_str_radix(&text[n..n + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_open_with_their_key_in_their_place_only() {
        let old = Vault::parse(&"11".repeat(32)).unwrap();
        let both = Vault::parse(&format!("{},{}", "22".repeat(32), "11".repeat(32))).unwrap();
        let sealed = old.encrypt("shop", "hush").unwrap();
        assert!(!sealed.contains("hush"));
        assert_eq!(old.decrypt("shop", &sealed).unwrap(), ("hush".into(), false));
        assert_eq!(both.decrypt("shop", &sealed).unwrap(), ("hush".into(), true));
        assert!(old.decrypt("other", &sealed).is_err());
        assert!(Vault::parse(&"33".repeat(32)).unwrap().decrypt("shop", &sealed).is_err());
        assert!(Vault::parse("abc").is_err() && Vault::default().encrypt("shop", "hush").is_err());
        assert_eq!(format!("{old:?}"), "Vault with 1 keys");
    }
}
