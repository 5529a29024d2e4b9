//! Why a sign-in at a provider is not accepted.

use super::wire::Unsent;
use crate::fault::Fault;
use openidconnect::core::CoreErrorResponseType;
use openidconnect::{ClaimsVerificationError, DiscoveryError, RequestTokenError, StandardErrorResponse, UserInfoError};
use std::error::Error;
use std::fmt;

/// Longest text that is kept of what a provider says, in characters.
const MAX_TEXT: usize = 300;

/// Its text is for the person; what [`Refusal::detail`] says is for the log and for whoever sets the provider up. Neither holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// An address that secrets must not be sent to.
    Address(String),
    /// No answer.
    Unreachable(String),
    /// An answer that makes no sense, or is too large.
    NotUnderstood(String),
    /// The provider said no, to the person or to this site.
    Declined(String),
    /// More than ten minutes passed.
    Late,
    /// The person came back with another sign-in's answer, or with one used before.
    OtherAttempt,
    /// Another issuer than the one that was asked.
    Issuer(String),
    /// The token is for somebody else.
    Audience(String),
    /// The token belongs to another sign-in.
    Nonce(String),
    /// The token has ended.
    Expired(String),
    /// The token is not signed, or not by the provider.
    Signature(String),
    Fault(Fault),
}

impl Refusal {
    /// What a person at the screen has no use for.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Refusal::Address(detail)
            | Refusal::Unreachable(detail)
            | Refusal::NotUnderstood(detail)
            | Refusal::Declined(detail)
            | Refusal::Issuer(detail)
            | Refusal::Audience(detail)
            | Refusal::Nonce(detail)
            | Refusal::Expired(detail)
            | Refusal::Signature(detail) => Some(detail),
            Refusal::Late | Refusal::OtherAttempt | Refusal::Fault(_) => None,
        }
    }

    pub(super) fn declined(error: &str, description: Option<&str>) -> Refusal {
        let text = [error, description.unwrap_or_default()].join(" ");
        Refusal::Declined(clean(text.trim()))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Address(_) => "The sign-in provider has an address that is not safe to use. Ask your administrator.",
            Refusal::Unreachable(_) => "The sign-in provider does not answer. Try again in a minute.",
            Refusal::NotUnderstood(_) => "The sign-in provider's answer could not be read. Ask your administrator.",
            Refusal::Declined(_) => "The sign-in provider did not sign you in.",
            Refusal::Late => "That took more than ten minutes. Begin again.",
            Refusal::OtherAttempt => "This answer belongs to another attempt to sign in. Begin again.",
            Refusal::Issuer(_) | Refusal::Audience(_) | Refusal::Nonce(_) | Refusal::Signature(_) => {
                "The sign-in provider's answer could not be trusted. Begin again; if it happens again, tell your administrator."
            }
            Refusal::Expired(_) => "The sign-in provider's answer had already ended. Begin again; if it happens again, a clock is wrong.",
            Refusal::Fault(fault) => return write!(f, "{fault}"),
        })
    }
}

impl Error for Refusal {}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Fault(fault)
    }
}

impl From<ClaimsVerificationError> for Refusal {
    fn from(error: ClaimsVerificationError) -> Refusal {
        let detail = clean(&chain(&error));
        match error {
            ClaimsVerificationError::Expired(_) | ClaimsVerificationError::InvalidAuthTime(_) => Refusal::Expired(detail),
            ClaimsVerificationError::InvalidAudience(_) => Refusal::Audience(detail),
            ClaimsVerificationError::InvalidIssuer(_) => Refusal::Issuer(detail),
            ClaimsVerificationError::InvalidNonce(_) => Refusal::Nonce(detail),
            ClaimsVerificationError::SignatureVerification(_) => Refusal::Signature(detail),
            _ => Refusal::NotUnderstood(detail),
        }
    }
}

impl From<DiscoveryError<Unsent>> for Refusal {
    fn from(error: DiscoveryError<Unsent>) -> Refusal {
        match error {
            DiscoveryError::Request(unsent) => unsent.0,
            DiscoveryError::Validation(why) => Refusal::Issuer(clean(&why)),
            other => Refusal::NotUnderstood(clean(&chain(&other))),
        }
    }
}

impl From<RequestTokenError<Unsent, StandardErrorResponse<CoreErrorResponseType>>> for Refusal {
    fn from(error: RequestTokenError<Unsent, StandardErrorResponse<CoreErrorResponseType>>) -> Refusal {
        match error {
            RequestTokenError::Request(unsent) => unsent.0,
            RequestTokenError::ServerResponse(answer) => Refusal::declined(answer.error().as_ref(), answer.error_description().map(String::as_str)),
            other => Refusal::NotUnderstood(clean(&chain(&other))),
        }
    }
}

impl From<UserInfoError<Unsent>> for Refusal {
    fn from(error: UserInfoError<Unsent>) -> Refusal {
        match error {
            UserInfoError::Request(unsent) => unsent.0,
            UserInfoError::ClaimsVerification(error) => error.into(),
            other => Refusal::NotUnderstood(clean(&chain(&other))),
        }
    }
}

/// Fit for a line of a log: no control characters, not long.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect()
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
