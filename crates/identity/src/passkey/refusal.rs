//! Why a passkey is not accepted.

use crate::fault::Fault;
use std::fmt;
use webauthn_rs::prelude::WebauthnError;

/// Its text is for the person; what [`Refusal::detail`] says is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// This site cannot have passkeys, because …
    Site(String),
    /// More than five minutes passed.
    Late,
    /// The answer belongs to another attempt, or was used before.
    OtherAttempt,
    /// The answer was made for another site: somebody may be passing it on.
    OtherSite,
    /// The device did not check who holds it.
    NotVerified,
    /// This device has a passkey of this person already.
    Registered,
    /// Not the passkey that was asked for, or another person's.
    Unknown,
    /// The signature is not by the passkey.
    Forged,
    /// The device's counter went back: there are two copies of it. The passkey should be blocked, and its owner told.
    Copied,
    NotUnderstood(String),
    Fault(Fault),
}

impl Refusal {
    /// What a person at the screen has no use for.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Refusal::NotUnderstood(detail) => Some(detail),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Site(why) => return write!(f, "This site cannot have passkeys: {why}."),
            Refusal::Late => "That took more than five minutes. Begin again.",
            Refusal::OtherAttempt => "This answer belongs to another attempt. Begin again.",
            Refusal::OtherSite => "This passkey was used for another site. Check the address of this page.",
            Refusal::NotVerified => "The device did not check that it is you. Set a PIN, a fingerprint or a face on it, and begin again.",
            Refusal::Registered => "This device has a passkey here already.",
            Refusal::Unknown => "This passkey is not known here. Use another one, or sign in with a password.",
            Refusal::Forged => "This passkey could not be verified. Begin again.",
            Refusal::Copied => "There seem to be two copies of this passkey, so it is not accepted. Sign in another way and replace it.",
            Refusal::NotUnderstood(_) => "The browser's answer could not be read. Begin again, or use another browser.",
            Refusal::Fault(fault) => return write!(f, "{fault}"),
        })
    }
}

impl std::error::Error for Refusal {}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Fault(fault)
    }
}

impl From<WebauthnError> for Refusal {
    fn from(error: WebauthnError) -> Refusal {
        match error {
            WebauthnError::MismatchedChallenge => Refusal::OtherAttempt,
            WebauthnError::InvalidRPOrigin | WebauthnError::InvalidRPIDHash | WebauthnError::CredentialCrossOrigin => Refusal::OtherSite,
            WebauthnError::UserNotVerified | WebauthnError::UserNotPresent => Refusal::NotVerified,
            WebauthnError::CredentialNotFound => Refusal::Unknown,
            WebauthnError::AuthenticationFailure => Refusal::Forged,
            WebauthnError::CredentialPossibleCompromise => Refusal::Copied,
            other => Refusal::NotUnderstood(format!("{other}")),
        }
    }
}
