//! What is broken, as against what is refused; and randomness, whose lack is the usual cause.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::fmt;

/// A fault of the machine or of what is stored: nothing that the person at the screen can mend. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    pub(crate) fn new(what: impl Into<String>) -> Fault {
        Fault(what.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| Fault::new(format!("no randomness: {e}")))?;
    Ok(bytes)
}

/// 256 random bits as 43 letters that need no escaping in a URL.
pub(crate) fn random_word() -> Result<String, Fault> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?))
}
