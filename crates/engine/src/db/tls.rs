//! Encrypting connections to PostgreSQL, where the URL says `sslmode=require`: the server must have a certificate that the machine trusts
//! (or one of the file that `SSL_CERT_FILE` names), for the name in the URL.

use super::{Error, Result};
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::{Arc, OnceLock};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What encrypts. Reading the machine's certificates takes milliseconds, so it is made once.
pub fn connector() -> Result<MakeRustlsConnect> {
    static KEPT: OnceLock<MakeRustlsConnect> = OnceLock::new();
    if let Some(kept) = KEPT.get() {
        return Ok(kept.clone());
    }
    let made = make().map_err(|e| Error::other(format!("connections to PostgreSQL cannot be encrypted: {e}")))?;
    Ok(KEPT.get_or_init(|| made).clone())
}

fn make() -> std::result::Result<MakeRustlsConnect, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?.with_platform_verifier()?;
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}
