//! Passkeys, with a device written for it: it makes a key, answers a registration without attestation, and signs challenges.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use holdfast_identity::passkey::{Credential, Person, Refusal, Registering, Relying, SigningIn, credential_id, new_handle};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ORIGIN: &str = "https://stock.example.com";
const NOW: u64 = 1_790_000_000;

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const HAS_CREDENTIAL: u8 = 0x40;

/// A device that holds one passkey, in a browser that says what it is told to.
#[derive(Clone)]
struct Device {
    key: SigningKey,
    id: Vec<u8>,
    handle: Option<String>,
    counter: u32,
    origin: &'static str,
    rp_id: &'static str,
    flags: u8,
}

impl Device {
    fn new(seed: u8) -> Device {
        Device {
            key: SigningKey::from_slice(&[seed; 32]).unwrap(),
            id: vec![seed; 16],
            handle: None,
            counter: 0,
            origin: ORIGIN,
            rp_id: "stock.example.com",
            flags: PRESENT | VERIFIED,
        }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false }).to_string().into_bytes()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(self.rp_id.as_bytes()).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// What `navigator.credentials.create` answers, as JSON.
    fn register(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        self.handle = Some(options["user"]["id"].as_str().unwrap().to_owned());
        let mut data = self.authenticator_data(self.flags | HAS_CREDENTIAL);
        data.extend([0; 16]); // of no known make
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        let point = self.key.verifying_key().to_sec1_point(false);
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]); // {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x
        data.extend(point.x().unwrap());
        data.extend([0x22, 0x58, 0x20]); // -3: y}
        data.extend(point.y().unwrap());
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut attestation = vec![0xa3, 0x63];
        attestation.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x58");
        attestation.push(u8::try_from(data.len()).unwrap());
        attestation.extend(&data);
        json!({
            "id": BASE64.encode(&self.id), "rawId": BASE64.encode(&self.id), "type": "public-key", "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": BASE64.encode(self.client_data("webauthn.create", &options)),
                "attestationObject": BASE64.encode(attestation), "transports": ["internal"],
            },
            "clientExtensionResults": { "credProps": { "rk": true } },
        })
        .to_string()
    }

    /// What `navigator.credentials.get` answers, as JSON.
    fn sign_in(&self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let data = self.authenticator_data(self.flags);
        let client_data = self.client_data("webauthn.get", &options);
        let signature: Signature = self.key.sign(&[data.clone(), Sha256::digest(&client_data).to_vec()].concat());
        let mut response = json!({
            "clientDataJSON": BASE64.encode(client_data), "authenticatorData": BASE64.encode(data),
            "signature": BASE64.encode(signature.to_der().as_bytes()),
        });
        if let Some(handle) = &self.handle {
            response["userHandle"] = json!(handle);
        }
        json!({ "id": BASE64.encode(&self.id), "rawId": BASE64.encode(&self.id), "type": "public-key", "response": response, "clientExtensionResults": {} })
            .to_string()
    }
}

fn site() -> Relying {
    Relying::new("stock.example.com", ORIGIN).unwrap()
}

const ANNA: Person<'static> = Person { handle: [7; 16], login: "anna", name: "Anna Schmidt" };

fn registered(device: &mut Device) -> Credential {
    let (options, begun) = site().begin_registration(ANNA, &[], NOW).unwrap();
    site().finish_registration(begun, &device.register(&options), NOW + 20).unwrap()
}

/// Signs in, with what the device makes of the challenge.
fn sign_in(device: &Device, credential: &Credential) -> Result<Option<String>, Refusal> {
    let (options, begun) = site().begin_sign_in(NOW).unwrap();
    let signed_in = site().finish_sign_in(begun, &device.sign_in(&options), &credential.text, NOW + 20)?;
    assert_eq!(signed_in.handle, ANNA.handle);
    Ok(signed_in.changed)
}

#[test]
fn a_passkey_is_registered_and_signs_in() {
    let mut device = Device::new(1);
    let credential = registered(&mut device);
    assert_eq!(credential.id, BASE64.encode([1; 16]));
    let (options, begun) = site().begin_sign_in(NOW).unwrap();
    let answer = device.sign_in(&options);
    assert_eq!(credential_id(&answer).unwrap(), credential.id);
    let signed_in = site().finish_sign_in(begun, &answer, &credential.text, NOW + 300).unwrap();
    assert_eq!((signed_in.handle, signed_in.changed), (ANNA.handle, None), "this device does not count");
}

#[test]
fn options_ask_for_what_a_passkey_must_be() {
    let (options, _) = site().begin_registration(ANNA, &["AQEB", "AgIC"], NOW).unwrap();
    let options: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(options["rp"], json!({ "id": "stock.example.com", "name": "Holdfast" }));
    assert_eq!(options["user"], json!({ "id": BASE64.encode([7; 16]), "name": "anna", "displayName": "Anna Schmidt" }));
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["timeout"], 300_000);
    let selection = json!({ "residentKey": "required", "requireResidentKey": true, "userVerification": "required" });
    assert_eq!(options["authenticatorSelection"], selection);
    assert_eq!(options["excludeCredentials"], json!([{ "type": "public-key", "id": "AQEB" }, { "type": "public-key", "id": "AgIC" }]));
    assert!(options["pubKeyCredParams"].as_array().unwrap().contains(&json!({ "type": "public-key", "alg": -7 })));

    let (options, _) = site().begin_sign_in(NOW).unwrap();
    let options: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(options["rpId"], "stock.example.com");
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["allowCredentials"], json!([]));
    assert_eq!(BASE64.decode(options["challenge"].as_str().unwrap()).unwrap().len(), 32);
}

#[test]
fn a_device_is_registered_once_for_a_person() {
    let mut device = Device::new(1);
    let credential = registered(&mut device);
    let (options, begun) = site().begin_registration(ANNA, &[&credential.id], NOW).unwrap();
    assert_eq!(site().finish_registration(begun, &device.register(&options), NOW), Err(Refusal::Registered));
    let (options, begun) = site().begin_registration(ANNA, &[&credential.id], NOW).unwrap();
    assert!(site().finish_registration(begun, &Device::new(2).register(&options), NOW).is_ok());
}

#[test]
fn another_site_gets_nowhere() {
    let mut device = Device::new(1);
    let credential = registered(&mut device);
    for origin in ["https://stock.example.com.evil.test", "http://stock.example.com", "https://stock.example.com:8443", "https://example.com"] {
        assert_eq!(sign_in(&Device { origin, ..device.clone() }, &credential), Err(Refusal::OtherSite), "{origin}");
        let (options, begun) = site().begin_registration(ANNA, &[], NOW).unwrap();
        let answer = Device { origin, ..Device::new(3) }.register(&options);
        assert_eq!(site().finish_registration(begun, &answer, NOW), Err(Refusal::OtherSite), "{origin}");
    }
    assert_eq!(sign_in(&Device { rp_id: "example.com", ..device }, &credential), Err(Refusal::OtherSite));
}

#[test]
fn an_answer_is_good_for_its_own_challenge() {
    let mut device = Device::new(1);
    let credential = registered(&mut device);
    let (first, _) = site().begin_sign_in(NOW).unwrap();
    let (second, begun) = site().begin_sign_in(NOW).unwrap();
    assert_ne!(first, second);
    assert_eq!(site().finish_sign_in(begun, &device.sign_in(&first), &credential.text, NOW), Err(Refusal::OtherAttempt));

    let (first, _) = site().begin_registration(ANNA, &[], NOW).unwrap();
    let (_, begun) = site().begin_registration(ANNA, &[], NOW).unwrap();
    assert_eq!(site().finish_registration(begun, &Device::new(2).register(&first), NOW), Err(Refusal::OtherAttempt));
}

#[test]
fn what_was_begun_ends_after_five_minutes_and_can_be_kept_in_a_row() {
    let mut device = Device::new(1);
    let (options, begun) = site().begin_registration(ANNA, &[], NOW).unwrap();
    let row = serde_json::to_string(&begun).unwrap();
    let again = || serde_json::from_str::<Registering>(&row).unwrap();
    let answer = device.register(&options);
    assert_eq!(site().finish_registration(again(), &answer, NOW + 301), Err(Refusal::Late));
    let credential = site().finish_registration(again(), &answer, NOW + 300).unwrap();

    let (options, begun) = site().begin_sign_in(NOW).unwrap();
    let row = serde_json::to_string(&begun).unwrap();
    let again = || serde_json::from_str::<SigningIn>(&row).unwrap();
    let answer = device.sign_in(&options);
    assert_eq!(site().finish_sign_in(again(), &answer, &credential.text, NOW + 301), Err(Refusal::Late));
    assert!(site().finish_sign_in(again(), &answer, &credential.text, NOW + 300).is_ok());
}

#[test]
fn a_counter_moves_on_and_a_copy_shows() {
    let mut device = Device::new(1);
    device.counter = 5;
    let mut credential = registered(&mut device);
    let copy = device.clone();
    device.counter = 6;
    let (options, begun) = site().begin_sign_in(NOW).unwrap();
    let row = serde_json::to_string(&begun).unwrap();
    let answer = device.sign_in(&options);
    credential.text = site().finish_sign_in(begun, &answer, &credential.text, NOW).unwrap().changed.expect("the counter moved");

    // The same answer and state once more, as if the row had not been deleted.
    let begun = serde_json::from_str(&row).unwrap();
    assert_eq!(site().finish_sign_in(begun, &answer, &credential.text, NOW), Err(Refusal::Copied));
    assert_eq!(sign_in(&copy, &credential), Err(Refusal::Copied), "behind");
    assert_eq!(sign_in(&Device { counter: 6, ..copy.clone() }, &credential), Err(Refusal::Copied), "level");
    assert_eq!(sign_in(&Device { counter: 0, ..copy }, &credential), Err(Refusal::Copied), "stopped counting");
    device.counter = 7;
    assert!(sign_in(&device, &credential).unwrap().is_some());
}

#[test]
fn the_device_must_have_checked_its_owner() {
    let mut device = Device::new(1);
    let credential = registered(&mut device);
    for flags in [PRESENT, VERIFIED, 0] {
        assert_eq!(sign_in(&Device { flags, ..device.clone() }, &credential), Err(Refusal::NotVerified), "{flags}");
        let (options, begun) = site().begin_registration(ANNA, &[], NOW).unwrap();
        let answer = Device { flags, ..Device::new(2) }.register(&options);
        assert_eq!(site().finish_registration(begun, &answer, NOW), Err(Refusal::NotVerified), "{flags}");
    }
}

#[test]
fn other_keys_and_other_people_are_refused() {
    let mut device = Device::new(1);
    let credential = registered(&mut device);
    let forged = Device { key: SigningKey::from_slice(&[9; 32]).unwrap(), ..device.clone() };
    assert_eq!(sign_in(&forged, &credential), Err(Refusal::Forged));
    assert_eq!(sign_in(&Device { id: vec![2; 16], ..device.clone() }, &credential), Err(Refusal::Unknown), "another id");
    assert_eq!(sign_in(&Device { handle: Some(BASE64.encode([8; 16])), ..device.clone() }, &credential), Err(Refusal::Unknown), "another person");
    assert_eq!(sign_in(&Device { handle: None, ..device.clone() }, &credential), Err(Refusal::Unknown), "nobody");

    // Somebody who is to prove who they are again.
    let with_only = |only: &[&str], device: &Device| {
        let (options, begun) = site().begin_proof(only, NOW).unwrap();
        site().finish_sign_in(begun, &device.sign_in(&options), &credential.text, NOW).map(|_| ())
    };
    assert_eq!(with_only(&[&credential.id], &device), Ok(()));
    assert_eq!(with_only(&[&credential.id], &Device { handle: None, ..device.clone() }), Ok(()));
    assert_eq!(with_only(&["AgICAgICAgICAgICAgICAg"], &device), Err(Refusal::Unknown));
    assert_eq!(site().begin_proof(&[], NOW).unwrap_err(), Refusal::Unknown, "none is not any");
}

#[test]
fn nonsense_is_refused_and_does_not_panic() {
    let mut device = Device::new(1);
    let credential = registered(&mut device);
    let long = format!("\"{}\"", "a".repeat(40_000));
    for nonsense in ["", "{}", "null", "[[[[[[", &long] {
        let (_, begun) = site().begin_registration(ANNA, &[], NOW).unwrap();
        let refusal = site().finish_registration(begun, nonsense, NOW).unwrap_err();
        assert!(matches!(&refusal, Refusal::NotUnderstood(_)) && refusal.detail().is_some(), "{refusal:?}");
        let (_, begun) = site().begin_sign_in(NOW).unwrap();
        assert!(matches!(site().finish_sign_in(begun, nonsense, &credential.text, NOW), Err(Refusal::NotUnderstood(_))));
        assert!(matches!(credential_id(nonsense), Err(Refusal::NotUnderstood(_))));
    }
    let (options, _) = site().begin_registration(ANNA, &[], NOW).unwrap();
    let answer: Value = serde_json::from_str(&device.register(&options)).unwrap();
    let attestation = BASE64.decode(answer["response"]["attestationObject"].as_str().unwrap()).unwrap();
    for end in 0..attestation.len() {
        let (options, begun) = site().begin_registration(ANNA, &[], NOW).unwrap();
        let mut answer: Value = serde_json::from_str(&device.register(&options)).unwrap();
        answer["response"]["attestationObject"] = json!(BASE64.encode(&attestation[..end]));
        assert!(site().finish_registration(begun, &answer.to_string(), NOW).is_err(), "cut at {end}");
    }
    let (options, begun) = site().begin_sign_in(NOW).unwrap();
    assert!(matches!(site().finish_sign_in(begun, &device.sign_in(&options), "{}", NOW), Err(Refusal::Fault(_))), "a broken row is no refusal");
}

#[test]
fn a_site_has_a_name_and_is_reached_safely() {
    for (rp_id, origin) in [
        ("stock.example.com", "https://stock.example.com"),
        ("example.com", "https://stock.example.com"),
        ("stock.example.com", "https://stock.example.com:8443/"),
        ("localhost", "http://localhost:8080"),
    ] {
        assert!(Relying::new(rp_id, origin).is_ok(), "{rp_id} {origin}");
    }
    for (rp_id, origin) in [
        ("stock.example.com", "http://stock.example.com"),
        ("stock.example.com", "https://example.com"),
        ("ample.com", "https://example.com"),
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("[::1]", "http://[::1]:8080"),
        ("stock.example.com", "https://stock.example.com/console"),
        ("stock.example.com", "https://anna@stock.example.com"),
        ("stock.example.com", "ftp://stock.example.com"),
        ("stock.example.com", "stock.example.com"),
        ("stock.example.com", ""),
    ] {
        let refusal = Relying::new(rp_id, origin).unwrap_err();
        assert!(matches!(refusal, Refusal::Site(_)), "{rp_id} {origin}: {refusal}");
    }
}

#[test]
fn handles_are_random() {
    assert_ne!(new_handle().unwrap(), new_handle().unwrap());
}
