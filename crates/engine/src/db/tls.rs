//! Encrypting connections to PostgreSQL, where the URL says `sslmode=require`: the server must have a certificate for the name in the URL
//! that the machine trusts, or that an authority in the file vouches for which [`AUTHORITY`] names.

use super::{Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::sync::{Arc, OnceLock};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The environment variable that names a file of certificates (PEM) which are trusted here besides the machine's.
pub const AUTHORITY: &str = "HOLDFAST_DATABASE_CA";

/// What encrypts. Reading the machine's certificates takes milliseconds, so it is made once.
pub fn connector() -> Result<MakeRustlsConnect> {
    static KEPT: OnceLock<MakeRustlsConnect> = OnceLock::new();
    if let Some(kept) = KEPT.get() {
        return Ok(kept.clone());
    }
    let made = make(&authorities()?).map_err(|e| Error::other(format!("connections to PostgreSQL cannot be encrypted: {e}")))?;
    Ok(KEPT.get_or_init(|| made).clone())
}

/// The certificates of the file that the environment names; none if it names none.
fn authorities() -> Result<Vec<CertificateDer<'static>>> {
    let Some(file) = std::env::var_os(AUTHORITY).filter(|file| !file.is_empty()) else { return Ok(Vec::new()) };
    let unreadable = |why: String| Error::other(format!("{AUTHORITY}: {}: {why}", std::path::Path::new(&file).display()));
    let read = CertificateDer::pem_file_iter(&file).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(unreadable("there is no certificate in it".into())),
        found => found.map_err(|e| unreadable(e.to_string())),
    }
}

fn make(authorities: &[CertificateDer<'static>]) -> std::result::Result<MakeRustlsConnect, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match authorities {
        [] => Verifier::new(provider.clone())?,
        more => Verifier::new_with_extra_roots(more.iter().cloned(), provider.clone())?,
    };
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    // Not as dangerous as its name: the platform's own verifier, with an authority more.
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
