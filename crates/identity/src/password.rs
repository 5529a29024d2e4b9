//! Passwords: hashed with argon2id, verified, and refused while they are weak.
//!
//! Every function but [`check`] and [`needs_rehash`] works for tens of milliseconds in 19 MiB of memory: call it off the threads that serve
//! requests, and few at a time. Counting failed attempts is the caller's.
//!
//! Text is taken as it was typed. Unicode is not normalized: browsers hand over composed characters (NFC) on every usual keyboard.

mod weak;

pub use weak::{MAX_CHARS, MIN_CHARS, Weak, check};

use crate::fault::{Fault, random};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// OWASP Password Storage Cheat Sheet, argon2id: 19 MiB of memory, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;

/// Nothing longer was ever accepted: passwords once had up to 256 characters.
const MAX_BYTES: usize = 4 * 256;

fn hasher() -> Result<Argon2<'static>, Fault> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(|e| Fault::new(format!("argon2: {e}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password with a salt of its own. The answer is a PHC string (`$argon2id$v=19$m=19456,t=2,p=1$…`), which holds all that
/// [`verify`] needs.
pub fn hash(password: &str) -> Result<String, Fault> {
    let hashed: PasswordHash = hasher()?
        .hash_password_with_salt(password.as_bytes(), &random::<16>()?)
        .map_err(|e| Fault::new(format!("a password could not be hashed: {e}")))?;
    Ok(hashed.to_string())
}

/// Whether this password made this PHC string, by the algorithm and costs that the string names. A string that cannot be read is no
/// password's, and takes as long to say so.
pub fn verify(password: &str, phc: &str) -> bool {
    if password.len() > MAX_BYTES {
        return false;
    }
    let Ok(stored) = PasswordHash::new(phc) else { return verify_nobody(password) };
    Argon2::default().verify_password(password.as_bytes(), &stored).is_ok()
}

/// Always false, after the same work as [`verify`] against a fresh hash: for a login that nobody has, so that an answer's time does not tell.
pub fn verify_nobody(password: &str) -> bool {
    let mut out = [0; HASH_BYTES];
    if password.len() <= MAX_BYTES
        && let Ok(hasher) = hasher()
    {
        // Whatever becomes of it, nobody signs in.
        let _ = hasher.hash_password_into(password.as_bytes(), b"nobody's own salt", &mut out);
        std::hint::black_box(&out);
    }
    false
}

/// Whether a hash was made otherwise than [`hash`] makes it now: hash the password anew when it was just found right.
pub fn needs_rehash(phc: &str) -> bool {
    let Ok(stored) = PasswordHash::new(phc) else { return true };
    let Ok(params) = Params::try_from(&stored) else { return true };
    let made = (stored.algorithm.as_str(), stored.version, params.m_cost(), params.t_cost(), params.p_cost());
    made != (Algorithm::Argon2id.as_str(), Some(Version::V0x13.into()), MEMORY_KIB, PASSES, LANES) || params.output_len() != Some(HASH_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_opens_and_others_do_not() {
        let phc = hash("correct horse battery").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify("correct horse battery", &phc));
        for wrong in ["correct horse batterY", "correct horse battery ", "", "correct horse batter"] {
            assert!(!verify(wrong, &phc), "{wrong}");
        }
        assert!(!verify(&"a".repeat(MAX_BYTES + 1), &phc));
        assert_ne!(phc, hash("correct horse battery").unwrap(), "each hash has a salt of its own");
        assert!(!needs_rehash(&phc));
    }

    #[test]
    fn letters_beyond_ascii_are_kept() {
        let phc = hash("Grüße aus 東京 🏬").unwrap();
        assert!(verify("Grüße aus 東京 🏬", &phc));
        assert!(!verify("Grusse aus 東京 🏬", &phc));
    }

    /// Made with the reference implementation's command line, as its own tests have it: `argon2 somesalt -id -t 2 -m 16 -p 1` over "password".
    const REFERENCE: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[test]
    fn hashes_of_other_costs_are_verified_by_their_own_and_made_anew() {
        assert!(verify("password", REFERENCE));
        assert!(!verify("passwore", REFERENCE));
        assert!(needs_rehash(REFERENCE));
    }

    #[test]
    fn what_cannot_be_read_opens_nothing() {
        for phc in [
            "",
            "password",
            "$argon2id$",
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ",
            "$2b$12$abcdefghijklmnopqrstuu",
            "$argon2id$v=19$m=1,t=0,p=0$c29tZXNhbHQ$AAAAAAAAAAA",
        ] {
            assert!(!verify("password", phc), "{phc}");
            assert!(needs_rehash(phc), "{phc}");
        }
    }

    #[test]
    fn nobody_costs_what_somebody_costs() {
        let phc = hash("correct horse battery").unwrap();
        let timed = |work: &dyn Fn() -> bool| {
            let started = std::time::Instant::now();
            assert!(!work());
            started.elapsed().as_secs_f64()
        };
        // Others use this machine too: what counts is the quickest of as many tries as it takes to get one undisturbed.
        let (mut somebody, mut nobody) = (f64::MAX, f64::MAX);
        for _ in 0..60 {
            somebody = somebody.min(timed(&|| verify("wrong horse battery", &phc)));
            nobody = nobody.min(timed(&|| verify_nobody("wrong horse battery")));
            if (0.8..1.25).contains(&(nobody / somebody)) {
                return;
            }
        }
        panic!("nobody took {nobody} s, somebody {somebody} s");
    }
}
