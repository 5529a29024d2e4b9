//! Sign-in at a company's own provider: OpenID Connect Core, authorization code flow with PKCE (RFC 7636), state and nonce; the provider is
//! found by discovery.
//!
//! Requests are sent by a function of the caller's, one at a time and without following redirects; here they are built and their answers
//! checked. Who a known or an unknown subject is, and whose mail addresses count, is decided elsewhere: a person is
//! `(issuer, subject)`, and a mail address is only what the provider says.

mod refusal;
mod wire;

pub use refusal::Refusal;
pub use wire::{LARGEST, Request, Response};

use crate::fault::random_word;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKeySet,
    CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndUserName, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, LocalizedClaim, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    SignatureVerificationError, TokenResponse,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use subtle::ConstantTimeEq;
use wire::{Wire, address};

/// How long a person may take at the provider, second factor included.
pub const SECONDS: u64 = 600;

/// Most bytes of a code or state that comes back.
const MAX_WORD: usize = 4_096;

/// A token counts as valid this long after it ended, for clocks that differ.
const LEEWAY_SECONDS: u64 = 60;

/// Signatures by the provider's published keys. None by the client's secret, which more people know, and not `none`.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// What the provider's administrator and this site agreed on.
#[derive(Clone)]
pub struct Registration {
    /// Exactly as the provider writes it, such as `https://login.example.com/realms/staff`.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    /// Where the provider sends people back to. One of its own for each provider, so that one cannot pass off its answers as another's.
    pub redirect: String,
}

/// Shows no secret.
impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registration of {} at {}", self.client_id, self.issuer)
    }
}

/// A provider as it was found. Keep it and share it; find it anew about once a day, and when sign-ins fail. New keys of the provider are
/// fetched when a token asks for them.
#[derive(Debug)]
pub struct Provider {
    registration: Registration,
    metadata: CoreProviderMetadata,
    keys: Mutex<CoreJsonWebKeySet>,
}

/// A sign-in that was begun. Good once, and only in the browser that began it: it is to be kept on the server under a cookie of that
/// browser, in memory or in a row that is deleted by the request that reads it.
#[derive(Serialize, Deserialize)]
pub struct Pending {
    issuer: String,
    state: String,
    nonce: String,
    verifier: String,
    until: u64,
}

/// Shows no secret.
impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending at {}", self.issuer)
    }
}

/// The query with which a person comes back from the provider. Not for a log: the code opens something.
#[derive(Clone, Default, Deserialize)]
pub struct Callback {
    pub state: Option<String>,
    pub code: Option<String>,
    /// RFC 9207: who sent the person back.
    pub iss: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
}

/// Who somebody is, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub issuer: String,
    /// The provider's name for the person, which never changes and is nobody else's.
    pub subject: String,
    pub email: Option<String>,
    /// Whether the provider has seen that the address is the person's.
    pub email_verified: bool,
    pub name: Option<String>,
}

/// Finds a provider: its addresses and keys. `send` sends one request and answers whatever came back, up to [`LARGEST`] bytes.
pub async fn discover<S, F>(registration: Registration, send: S) -> Result<Provider, Refusal>
where
    S: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response, String>> + Send + 'static,
{
    let issuer = address(&registration.issuer)?;
    if issuer.query().is_some() {
        return Err(Refusal::Address(format!("{issuer} must not have a query")));
    }
    address(&registration.redirect)?;
    let issuer = IssuerUrl::new(registration.issuer.clone()).map_err(|e| Refusal::Address(e.to_string()))?;
    let wire = Wire(send);
    let metadata = CoreProviderMetadata::discover_async(issuer, &wire).await?;
    // A browser is sent there, and the code.
    address(metadata.authorization_endpoint().as_str())?;
    let token = metadata.token_endpoint().ok_or_else(|| Refusal::NotUnderstood("it names no token endpoint".into()))?;
    address(token.as_str())?;
    let keys = Mutex::new(metadata.jwks().clone());
    Ok(Provider { registration, metadata, keys })
}

/// Begins a sign-in: the URL to send the browser to, and what to keep.
pub fn begin(provider: &Provider, now_seconds: u64) -> Result<(String, Pending), Refusal> {
    let pending = Pending {
        issuer: provider.registration.issuer.clone(),
        state: random_word()?,
        nonce: random_word()?,
        verifier: random_word()?,
        until: now_seconds.saturating_add(SECONDS),
    };
    let (state, nonce) = (CsrfToken::new(pending.state.clone()), Nonce::new(pending.nonce.clone()));
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(pending.verifier.clone()));
    let client = provider.client()?;
    let request = client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce);
    let scopes = ["email", "profile"].map(|scope| Scope::new(scope.to_owned()));
    let (url, ..) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
    Ok((url.into(), pending))
}

/// Finishes a sign-in: trades the code for a token, and checks the token.
pub async fn finish<S, F>(provider: &Provider, pending: Pending, callback: Callback, now_seconds: u64, send: S) -> Result<Claims, Refusal>
where
    S: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response, String>> + Send + 'static,
{
    let code = pending.code(&provider.registration.issuer, callback, now_seconds)?;
    let wire = Wire(send);
    let client = provider.client()?;
    let trade = client.exchange_code(AuthorizationCode::new(code)).map_err(|e| Refusal::NotUnderstood(e.to_string()))?;
    let tokens = trade.set_pkce_verifier(PkceCodeVerifier::new(pending.verifier)).request_async(&wire).await?;
    let token = tokens.id_token().ok_or_else(|| Refusal::NotUnderstood("it sent no ID token".into()))?;
    let nonce = Nonce::new(pending.nonce);
    let verified = match provider.verify(token, &nonce, now_seconds) {
        Err(error) if is_about_keys(&error) => {
            let keys = CoreJsonWebKeySet::fetch_async(provider.metadata.jwks_uri(), &wire).await?;
            *provider.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys;
            provider.verify(token, &nonce, now_seconds)
        }
        other => other,
    }?;
    let mut claims = Claims {
        issuer: provider.registration.issuer.clone(),
        subject: verified.subject().to_string(),
        email: verified.email().map(|email| email.to_string()),
        email_verified: verified.email_verified().unwrap_or(false),
        name: plain(verified.name()),
    };
    // Some providers put the mail address nowhere but here.
    if claims.email.is_none() && provider.metadata.userinfo_endpoint().is_some() {
        let request = client.user_info(sendable(tokens.access_token())?, Some(verified.subject().clone()));
        let more: CoreUserInfoClaims = request.map_err(|e| Refusal::NotUnderstood(e.to_string()))?.request_async(&wire).await?;
        claims.email = more.email().map(|email| email.to_string());
        claims.email_verified = more.email_verified().unwrap_or(false);
        claims.name = plain(more.name()).or(claims.name);
    }
    Ok(claims)
}

impl Pending {
    /// The code that a callback brings, if it belongs to this sign-in.
    fn code(&self, issuer: &str, callback: Callback, now_seconds: u64) -> Result<String, Refusal> {
        let state = callback.state.unwrap_or_default();
        if state.len() > MAX_WORD || !bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) || self.issuer != issuer {
            return Err(Refusal::OtherAttempt);
        }
        if now_seconds > self.until {
            return Err(Refusal::Late);
        }
        if callback.iss.is_some_and(|sender| sender != issuer) {
            return Err(Refusal::Issuer("another provider sent the person back".into()));
        }
        if let Some(error) = callback.error {
            return Err(Refusal::declined(&error, callback.error_description.as_deref()));
        }
        callback.code.filter(|code| !code.is_empty() && code.len() <= MAX_WORD).ok_or_else(|| Refusal::NotUnderstood("it sent no code".into()))
    }
}

type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

impl Provider {
    /// As it is known at the provider.
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    fn client(&self) -> Result<Client, Refusal> {
        let Registration { client_id, client_secret, redirect, .. } = &self.registration;
        let redirect = RedirectUrl::new(redirect.clone()).map_err(|e| Refusal::Address(e.to_string()))?;
        let secret = Some(ClientSecret::new(client_secret.clone()));
        let client = CoreClient::from_provider_metadata(self.metadata.clone(), ClientId::new(client_id.clone()), secret);
        // Every provider knows Basic, unless it says otherwise.
        let methods = self.metadata.token_endpoint_auth_methods_supported();
        let in_body =
            methods.is_some_and(|m| m.contains(&CoreClientAuthMethod::ClientSecretPost) && !m.contains(&CoreClientAuthMethod::ClientSecretBasic));
        Ok(client.set_redirect_uri(redirect).set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth }))
    }

    /// Issuer, audience, signature, end and nonce. A token for several audiences is refused.
    fn verify(&self, token: &CoreIdToken, nonce: &Nonce, now_seconds: u64) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = UNIX_EPOCH + Duration::from_secs(now_seconds.saturating_sub(LEEWAY_SECONDS));
        let client_id = ClientId::new(self.registration.client_id.clone());
        // Public: the secret is no key.
        let verifier = CoreIdTokenVerifier::new_public_client(client_id, self.metadata.issuer().clone(), keys);
        token.claims(&verifier.set_allowed_algs(ALGORITHMS).set_time_fn(move || now.into()), nonce).cloned()
    }
}

/// Whether new keys of the provider may mend it.
fn is_about_keys(error: &ClaimsVerificationError) -> bool {
    use SignatureVerificationError::{AmbiguousKeyId, CryptoError, NoMatchingKey};
    matches!(error, ClaimsVerificationError::SignatureVerification(NoMatchingKey | CryptoError(_) | AmbiguousKeyId(_)))
}

/// The library would panic on what cannot stand in a header.
fn sendable(token: &AccessToken) -> Result<AccessToken, Refusal> {
    let good = token.secret().bytes().all(|b| b.is_ascii_graphic());
    if good { Ok(token.clone()) } else { Err(Refusal::NotUnderstood("its access token holds odd characters".into())) }
}

fn plain(name: Option<&LocalizedClaim<EndUserName>>) -> Option<String> {
    let name = name?;
    name.get(None).or_else(|| name.iter().next().map(|(_, name)| name)).map(|name| name.to_string())
}
