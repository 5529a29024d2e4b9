//! Passkeys (WebAuthn): registering one, and signing in with it and nothing else. The device has verified its owner, by finger, face or PIN,
//! so a passkey is two factors in one.
//!
//! Passkeys registered here are discoverable: the device knows whose they are, and signing in asks for no login first. Attestation is not asked
//! for, so any make of device will do. Looking up credentials, and making sure that an id is registered once only, is the caller's.

mod refusal;

pub use refusal::Refusal;

use crate::fault::{Fault, random};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

/// How long a person may take between beginning and finishing; browsers give up after the same time.
pub const SECONDS: u64 = 300;

/// Most bytes of an answer from a browser. A signed-in device's is about 1 KB, one with attestation up to 8 KB.
const MAX_ANSWER: usize = 32 * 1024;

/// What the device shows beside the site's name.
const NAME: &str = "Holdfast";

/// This site, as devices know it.
#[derive(Debug, Clone)]
pub struct Relying(Webauthn);

/// Whom a device keeps a passkey for.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// Of [`new_handle`], stored with the person.
    pub handle: [u8; 16],
    /// Shown by the device when it offers passkeys.
    pub login: &'a str,
    pub name: &'a str,
}

/// 16 random bytes that stand for a person on devices. They say nothing about the person, and never change.
pub fn new_handle() -> Result<[u8; 16], Fault> {
    random()
}

/// A registration that was begun. Good once: it is to be kept on the server, in memory or in a row that is deleted by the request that reads it.
/// It can be serialized for that, and must never be given to a browser, which could play it again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Registering {
    state: PasskeyRegistration,
    handle: Uuid,
    registered: Vec<String>,
    until: u64,
}

/// A sign-in that was begun. Kept as [`Registering`] is.
#[derive(Debug, Serialize, Deserialize)]
pub struct SigningIn {
    state: DiscoverableAuthentication,
    /// If not empty: no other passkeys than these.
    only: Vec<String>,
    until: u64,
}

/// A registered passkey: its id, unique among all of this site, and what [`Relying::finish_sign_in`] needs to know of it, as JSON. No secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: String,
    pub text: String,
}

/// What is written in [`Credential::text`].
#[derive(Serialize, Deserialize)]
struct Stored {
    handle: Uuid,
    passkey: Passkey,
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Of the person that the passkey was registered for.
    pub handle: [u8; 16],
    /// To be stored in place of the credential's text. In the same transaction the text must still be the one that was given: two sign-ins
    /// at once with copies of one device would otherwise both count.
    pub changed: Option<String>,
}

impl Relying {
    /// `rp_id` is the host name that passkeys are bound to for good, or a parent of it, such as `stock.example.com`; `origin` is where the console
    /// is reached, such as `https://stock.example.com`. Refuses plain HTTP except at `localhost`, and addresses without a name, which WebAuthn
    /// does not know.
    pub fn new(rp_id: &str, origin: &str) -> Result<Relying, Refusal> {
        let bad = |why: &str| Refusal::Site(why.to_owned());
        let url = Url::parse(origin).map_err(|e| Refusal::Site(format!("its address cannot be read: {e}")))?;
        let here = url.domain() == Some("localhost");
        if url.domain().is_none() {
            return Err(bad("it is reached by a number; give it a name"));
        }
        if url.scheme() != "https" && !(here && url.scheme() == "http") {
            return Err(bad("it is not reached by https://"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(bad("its address must be a name and nothing after it"));
        }
        let builder = WebauthnBuilder::new(rp_id, &url).map_err(|_| bad("passkeys would be bound to another name than it has"))?;
        let webauthn = builder.rp_name(NAME).timeout(std::time::Duration::from_secs(SECONDS)).build();
        Ok(Relying(webauthn.map_err(|e| Refusal::Site(e.to_string()))?))
    }

    /// Begins registering a passkey for a person who is signed in. `registered` are the ids of the person's passkeys: their devices are not
    /// registered twice. Answers the options as JSON, for `PublicKeyCredential.parseCreationOptionsFromJSON`, and what to keep.
    pub fn begin_registration(&self, person: Person<'_>, registered: &[&str], now_seconds: u64) -> Result<(String, Registering), Refusal> {
        let handle = Uuid::from_bytes(person.handle);
        let begun = self.0.start_passkey_registration(handle, person.login, person.name, None);
        let (options, state) = begun.map_err(|e| Fault::new(format!("a passkey could not be begun: {e}")))?;
        let mut options = serde_json::to_value(&options.public_key).map_err(|e| Fault::new(e.to_string()))?;
        // The library would leave out what is discoverable, for the sake of old security keys with little room.
        options["authenticatorSelection"]["residentKey"] = "required".into();
        options["authenticatorSelection"]["requireResidentKey"] = true.into();
        options["excludeCredentials"] = descriptors(registered);
        let registered = registered.iter().map(|id| (*id).to_owned()).collect();
        Ok((json(&options)?, Registering { state, handle, registered, until: now_seconds.saturating_add(SECONDS) }))
    }

    /// Finishes a registration with the browser's answer: the JSON of `PublicKeyCredential.toJSON()`.
    pub fn finish_registration(&self, begun: Registering, answer: &str, now_seconds: u64) -> Result<Credential, Refusal> {
        if now_seconds > begun.until {
            return Err(Refusal::Late);
        }
        let answer: RegisterPublicKeyCredential = read(answer)?;
        let passkey = self.0.finish_passkey_registration(&answer, &begun.state)?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(passkey.cred_id());
        if begun.registered.contains(&id) {
            return Err(Refusal::Registered);
        }
        Ok(Credential { id, text: json(&Stored { handle: begun.handle, passkey })? })
    }

    /// Begins a sign-in: any passkey of this site will do, and says who it is. Answers the options as JSON, for
    /// `PublicKeyCredential.parseRequestOptionsFromJSON`, and what to keep.
    pub fn begin_sign_in(&self, now_seconds: u64) -> Result<(String, SigningIn), Refusal> {
        self.begin(&[], now_seconds)
    }

    /// As [`Relying::begin_sign_in`], for somebody who is signed in and is to prove once more who they are: with one of these credentials, which are
    /// all of that person's. Refuses if there are none.
    pub fn begin_proof(&self, registered: &[&str], now_seconds: u64) -> Result<(String, SigningIn), Refusal> {
        if registered.is_empty() {
            return Err(Refusal::Unknown);
        }
        self.begin(registered, now_seconds)
    }

    fn begin(&self, only: &[&str], now_seconds: u64) -> Result<(String, SigningIn), Refusal> {
        let begun = self.0.start_discoverable_authentication();
        let (options, state) = begun.map_err(|e| Fault::new(format!("a sign-in could not be begun: {e}")))?;
        let mut options = serde_json::to_value(&options.public_key).map_err(|e| Fault::new(e.to_string()))?;
        options["allowCredentials"] = descriptors(only);
        let only = only.iter().map(|id| (*id).to_owned()).collect();
        Ok((json(&options)?, SigningIn { state, only, until: now_seconds.saturating_add(SECONDS) }))
    }

    /// Finishes a sign-in, or a proof, with the browser's answer and the text of the credential that it names ([`credential_id`]).
    pub fn finish_sign_in(&self, begun: SigningIn, answer: &str, credential: &str, now_seconds: u64) -> Result<SignedIn, Refusal> {
        if now_seconds > begun.until {
            return Err(Refusal::Late);
        }
        let answer: PublicKeyCredential = read(answer)?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(&answer.raw_id);
        if !begun.only.is_empty() && !begun.only.contains(&id) {
            return Err(Refusal::Unknown);
        }
        let mut stored: Stored = serde_json::from_str(credential).map_err(|e| Fault::new(format!("a stored passkey cannot be read: {e}")))?;
        match answer.get_user_unique_id() {
            Some(handle) if handle == stored.handle.as_bytes() => {}
            // A device that was told which passkey to use may leave out whose it is.
            None if !begun.only.is_empty() => {}
            _ => return Err(Refusal::Unknown),
        }
        let result = self.0.finish_discoverable_authentication_v2(&answer, begun.state, &stored.passkey)?;
        let changed = stored.passkey.update_credential(&result) == Some(true);
        Ok(SignedIn { handle: *stored.handle.as_bytes(), changed: if changed { Some(json(&stored)?) } else { None } })
    }
}

/// The id of the credential that a browser's answer to a sign-in names, by which its text is found. Proves nothing yet.
pub fn credential_id(answer: &str) -> Result<String, Refusal> {
    let answer: PublicKeyCredential = read(answer)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(answer.get_credential_id()))
}

fn read<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Refusal> {
    if answer.len() > MAX_ANSWER {
        return Err(Refusal::NotUnderstood(format!("it is larger than {MAX_ANSWER} bytes")));
    }
    serde_json::from_str(answer).map_err(|e| Refusal::NotUnderstood(e.to_string()))
}

fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::new(format!("a passkey could not be written down: {e}")))
}

/// Credentials as options name them.
fn descriptors(ids: &[&str]) -> serde_json::Value {
    ids.iter().map(|id| serde_json::json!({ "type": "public-key", "id": id })).collect()
}
