//! Sign-in at a provider that is made here: it answers requests from a table, and signs with keys of its own.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use holdfast_identity::oidc::{Callback, Claims, LARGEST, Pending, Provider, Refusal, Registration, Request, Response, begin, discover, finish};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};

const ISSUER: &str = "https://login.example.com/staff";
const NOW: u64 = 1_790_000_000;

/// A key of the provider's.
enum Key {
    Ec(SigningKey),
    Rsa(Box<RsaPrivateKey>),
    /// Signs nothing.
    None,
    /// Signs with what client and provider share.
    Secret,
}

impl Key {
    fn ec(seed: u8) -> Key {
        Key::Ec(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Key::Ec(_) => "ES256",
            Key::Rsa(_) => "RS256",
            Key::None => "none",
            Key::Secret => "HS256",
        }
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Key::Ec(key) => {
                let signature: Signature = key.sign(text);
                signature.to_bytes().to_vec()
            }
            Key::Rsa(key) => {
                // RFC 8017, section 9.2: what stands before a SHA-256 digest.
                let prefix = [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
                key.sign(Pkcs1v15Sign { hash_len: Some(32), prefix: prefix.into() }, &Sha256::digest(text)).unwrap()
            }
            Key::None => Vec::new(),
            Key::Secret => {
                // HMAC by hand: RFC 2104.
                let pad = |byte: u8| (0..64).map(|n| b"hush".get(n).copied().unwrap_or(0) ^ byte).collect::<Vec<u8>>();
                let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
                Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
            }
        }
    }

    fn public(&self, id: &str) -> Value {
        match self {
            Key::Ec(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let [x, y] = [point.x().unwrap(), point.y().unwrap()].map(|n| BASE64.encode(n));
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": id, "use": "sig", "alg": "ES256" })
            }
            Key::Rsa(key) => {
                let [n, e] = [key.n(), key.e()].map(|n| BASE64.encode(n.to_bytes_be()));
                json!({ "kty": "RSA", "n": n, "e": e, "kid": id, "use": "sig", "alg": "RS256" })
            }
            Key::None | Key::Secret => json!({ "kty": "oct", "kid": id }),
        }
    }
}

/// A provider: what it answers at which address, and what it was asked.
struct Fake {
    answers: Mutex<BTreeMap<String, (u16, Vec<u8>)>>,
    asked: Mutex<Vec<(String, String, String)>>,
}

impl Fake {
    fn new(key: &Key, id: &str) -> Arc<Fake> {
        let fake = Arc::new(Fake { answers: Mutex::default(), asked: Mutex::default() });
        fake.says("/.well-known/openid-configuration", 200, &metadata());
        fake.says("/keys", 200, &json!({ "keys": [key.public(id)] }));
        fake
    }

    fn says(&self, path: &str, status: u16, body: &Value) {
        self.answers.lock().unwrap().insert(format!("{ISSUER}{path}"), (status, body.to_string().into_bytes()));
    }

    fn gives(&self, token: &str) {
        self.says("/token", 200, &json!({ "access_token": "opens-userinfo", "token_type": "Bearer", "expires_in": 300, "id_token": token }));
    }

    /// The way to it.
    fn wire(self: &Arc<Fake>) -> impl Fn(Request) -> Ready<Result<Response, String>> + 'static {
        let fake = self.clone();
        move |request| ready(fake.answer(request))
    }

    fn answer(&self, request: Request) -> Result<Response, String> {
        let url = request.uri().to_string();
        let authorization = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        self.asked.lock().unwrap().push((url.clone(), authorization, String::from_utf8(request.into_body()).unwrap()));
        let answers = self.answers.lock().unwrap();
        match answers.get(&url) {
            Some((status, body)) => {
                Ok(http::Response::builder().status(*status).header("content-type", "application/json").body(body.clone()).unwrap())
            }
            None => Err("connection refused".into()),
        }
    }

    async fn found(self: &Arc<Fake>) -> Provider {
        discover(registration(), self.wire()).await.unwrap()
    }

    /// Begins, lets the provider make a token of these claims, and finishes.
    async fn sign_in(self: &Arc<Fake>, provider: &Provider, key: &Key, id: &str, change: impl FnOnce(&mut Value)) -> Result<Claims, Refusal> {
        let (url, pending) = begin(provider, NOW).unwrap();
        let mut claims = claims(&url);
        change(&mut claims);
        self.gives(&token(key, id, &claims));
        finish(provider, pending, comes_back(&url), NOW + 30, self.wire()).await
    }
}

fn metadata() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/authorize"), "token_endpoint": format!("{ISSUER}/token"), "jwks_uri": format!("{ISSUER}/keys"),
        "userinfo_endpoint": format!("{ISSUER}/userinfo"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    })
}

fn registration() -> Registration {
    Registration {
        issuer: ISSUER.into(),
        client_id: "holdfast".into(),
        client_secret: "hush".into(),
        redirect: "https://stock.example.com/sign-in/staff".into(),
    }
}

fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').unwrap().1;
    query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_else(|| panic!("{name} in {url}")).to_owned()
}

fn comes_back(url: &str) -> Callback {
    Callback { state: Some(parameter(url, "state")), code: Some("a-code".into()), ..Callback::default() }
}

fn claims(url: &str) -> Value {
    json!({
        "iss": ISSUER, "sub": "person-17", "aud": "holdfast", "exp": NOW + 900, "iat": NOW, "nonce": parameter(url, "nonce"),
        "email": "anna@example.com", "email_verified": true, "name": "Anna Schmidt",
    })
}

fn token(key: &Key, id: &str, claims: &Value) -> String {
    let header = json!({ "alg": key.algorithm(), "typ": "JWT", "kid": id });
    let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    format!("{signed}.{}", BASE64.encode(key.sign(signed.as_bytes())))
}

fn anna() -> Claims {
    Claims {
        issuer: ISSUER.into(),
        subject: "person-17".into(),
        email: Some("anna@example.com".into()),
        email_verified: true,
        name: Some("Anna Schmidt".into()),
    }
}

#[tokio::test]
async fn somebody_signs_in() {
    let key = Key::ec(1);
    let fake = Fake::new(&key, "k1");
    let provider = fake.found().await;
    let (url, pending) = begin(&provider, NOW).unwrap();
    assert!(url.starts_with(&format!("{ISSUER}/authorize?")), "{url}");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "holdfast"),
        ("scope", "openid+email+profile"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "https%3A%2F%2Fstock.example.com%2Fsign-in%2Fstaff"),
    ] {
        assert_eq!(parameter(&url, name), value);
    }
    fake.gives(&token(&key, "k1", &claims(&url)));
    let found = finish(&provider, pending, comes_back(&url), NOW + 600, fake.wire()).await;
    assert_eq!(found, Ok(anna()));

    let asked = fake.asked.lock().unwrap();
    let (at, authorization, body) = asked.last().unwrap();
    assert_eq!(*at, format!("{ISSUER}/token"));
    assert_eq!(*authorization, format!("Basic {}", BASE64_STANDARD.encode("holdfast:hush")));
    let body = format!("?{body}");
    assert_eq!(parameter(&body, "code"), "a-code");
    let challenge = BASE64.encode(Sha256::digest(parameter(&body, "code_verifier")));
    assert_eq!(challenge, parameter(&url, "code_challenge"), "the verifier is what the challenge was made of");
}

#[tokio::test]
async fn rsa_signatures_are_accepted() {
    let key = Key::Rsa(Box::new(RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap()));
    let fake = Fake::new(&key, "k1");
    let provider = fake.found().await;
    assert_eq!(fake.sign_in(&provider, &key, "k1", |_| {}).await, Ok(anna()));
    let other = Key::Rsa(Box::new(RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap()));
    assert!(matches!(fake.sign_in(&provider, &other, "k1", |_| {}).await, Err(Refusal::Signature(_))));
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused() {
    let key = Key::ec(1);
    let fake = Fake::new(&key, "k1");
    let provider = fake.found().await;
    type Check = fn(&Refusal) -> bool;
    let cases: [(&str, fn(&mut Value), Check); 11] = [
        ("another nonce", |c| c["nonce"] = json!("guessed"), |r| matches!(r, Refusal::Nonce(_))),
        ("no nonce", |c| drop(c.as_object_mut().unwrap().remove("nonce")), |r| matches!(r, Refusal::Nonce(_))),
        ("another audience", |c| c["aud"] = json!("payroll"), |r| matches!(r, Refusal::Audience(_))),
        ("a second audience", |c| c["aud"] = json!(["holdfast", "payroll"]), |r| matches!(r, Refusal::Audience(_))),
        ("no audience", |c| c["aud"] = json!([]), |r| matches!(r, Refusal::Audience(_))),
        ("another issuer", |c| c["iss"] = json!("https://login.example.com/guests"), |r| matches!(r, Refusal::Issuer(_))),
        ("ended", |c| c["exp"] = json!(NOW - 30), |r| matches!(r, Refusal::Expired(_))),
        ("no end", |c| drop(c.as_object_mut().unwrap().remove("exp")), |r| matches!(r, Refusal::NotUnderstood(_))),
        ("no subject", |c| drop(c.as_object_mut().unwrap().remove("sub")), |r| matches!(r, Refusal::NotUnderstood(_))),
        ("an odd end", |c| c["exp"] = json!(1e300), |r| matches!(r, Refusal::NotUnderstood(_))),
        ("a list of claims", |c| *c = json!([1, 2]), |r| matches!(r, Refusal::NotUnderstood(_))),
    ];
    for (what, change, check) in cases {
        let refusal = fake.sign_in(&provider, &key, "k1", change).await.unwrap_err();
        assert!(check(&refusal), "{what}: {refusal:?}");
    }
    // Clocks may differ by a minute: this one ended 29 seconds before it came.
    assert_eq!(fake.sign_in(&provider, &key, "k1", |c| c["exp"] = json!(NOW + 1)).await, Ok(anna()));
    assert_eq!(fake.sign_in(&provider, &key, "k1", |c| c["email_verified"] = json!("true")).await, Ok(anna()), "as some providers write it");
    let unseen = fake.sign_in(&provider, &key, "k1", |c| drop(c.as_object_mut().unwrap().remove("email_verified"))).await;
    assert_eq!(unseen, Ok(Claims { email_verified: false, ..anna() }));
}

#[tokio::test]
async fn only_the_providers_own_signature_counts() {
    let key = Key::ec(1);
    let fake = Fake::new(&key, "k1");
    let provider = fake.found().await;
    for (what, signer, id) in [
        ("not signed", Key::None, "k1"),
        ("signed with the client's secret", Key::Secret, "k1"),
        ("signed by somebody else", Key::ec(2), "k1"),
        ("signed by nobody known", Key::ec(2), "k9"),
    ] {
        let refusal = fake.sign_in(&provider, &signer, id, |_| {}).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Signature(_)), "{what}: {refusal:?}");
    }
    // A good token, changed afterwards.
    let (url, pending) = begin(&provider, NOW).unwrap();
    let good = token(&key, "k1", &claims(&url));
    let mut other = claims(&url);
    other["sub"] = json!("person-1");
    let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
    parts[1] = BASE64.encode(other.to_string());
    fake.gives(&parts.join("."));
    let refusal = finish(&provider, pending, comes_back(&url), NOW, fake.wire()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Signature(_)), "{refusal:?}");
}

#[tokio::test]
async fn new_keys_are_fetched_once() {
    let fake = Fake::new(&Key::ec(1), "k1");
    let provider = fake.found().await;
    let fetched = || fake.asked.lock().unwrap().iter().filter(|(url, ..)| url.ends_with("/keys")).count();
    assert_eq!(fetched(), 1);
    let new = Key::ec(2);
    fake.says("/keys", 200, &json!({ "keys": [Key::ec(1).public("k1"), new.public("k2")] }));
    assert_eq!(fake.sign_in(&provider, &new, "k2", |_| {}).await, Ok(anna()));
    assert_eq!(fetched(), 2);
    assert_eq!(fake.sign_in(&provider, &new, "k2", |_| {}).await, Ok(anna()));
    assert_eq!(fetched(), 2, "they are kept");
    assert!(fake.sign_in(&provider, &Key::ec(3), "k3", |_| {}).await.is_err());
    assert_eq!(fetched(), 3, "asked for once, not again and again");
}

#[tokio::test]
async fn an_answer_belongs_to_its_own_sign_in() {
    let key = Key::ec(1);
    let fake = Fake::new(&key, "k1");
    let provider = fake.found().await;
    let begun = || begin(&provider, NOW).unwrap();
    let (first, second) = (begun().0, begun().0);
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(parameter(&first, name), parameter(&second, name));
        assert_eq!(parameter(&first, name).len(), 43, "256 bits");
    }
    let refused = async |change: fn(&mut Callback), pending: fn(&mut Value), now: u64| {
        let (url, begun) = begun();
        let mut row = serde_json::to_value(&begun).unwrap();
        pending(&mut row);
        let begun: Pending = serde_json::from_value(row).unwrap();
        let mut callback = comes_back(&url);
        change(&mut callback);
        fake.gives(&token(&key, "k1", &claims(&url)));
        finish(&provider, begun, callback, now, fake.wire()).await.map_err(|refusal| (refusal.clone(), refusal.to_string()))
    };
    let asked = fake.asked.lock().unwrap().len();
    let refusal = async |change, now| refused(change, |_| {}, now).await.unwrap_err().0;
    assert_eq!(refusal(|c| c.state = Some("guessed".into()), NOW).await, Refusal::OtherAttempt);
    assert_eq!(refusal(|c| c.state = None, NOW).await, Refusal::OtherAttempt);
    assert_eq!(refusal(|_| {}, NOW + 601).await, Refusal::Late);
    assert!(matches!(refusal(|c| c.iss = Some("https://evil.example.com".into()), NOW).await, Refusal::Issuer(_)));
    assert!(matches!(refusal(|c| c.code = None, NOW).await, Refusal::NotUnderstood(_)));
    assert!(matches!(refusal(|c| c.code = Some("c".repeat(5_000)), NOW).await, Refusal::NotUnderstood(_)));
    let declined = refusal(|c| (c.error, c.error_description) = (Some("access_denied".into()), Some("no\r\nthanks".into())), NOW).await;
    assert_eq!(declined, Refusal::Declined("access_denied no  thanks".into()));
    let other_provider = refused(|_| {}, |row| row["issuer"] = json!("https://login.example.com/guests"), NOW).await.unwrap_err();
    assert_eq!(other_provider.0, Refusal::OtherAttempt);
    assert_eq!(fake.asked.lock().unwrap().len(), asked, "nothing was sent");
    assert_eq!(refused(|c| c.iss = Some(ISSUER.into()), |_| {}, NOW).await, Ok(anna()));
}

#[tokio::test]
async fn what_the_token_leaves_out_is_asked_for() {
    let key = Key::ec(1);
    let fake = Fake::new(&key, "k1");
    let provider = fake.found().await;
    let bare = |c: &mut Value| {
        for name in ["email", "email_verified"] {
            c.as_object_mut().unwrap().remove(name);
        }
    };
    fake.says("/userinfo", 200, &json!({ "sub": "person-17", "email": "anna@example.com", "email_verified": true }));
    assert_eq!(fake.sign_in(&provider, &key, "k1", bare).await, Ok(anna()));
    assert_eq!(fake.asked.lock().unwrap().last().unwrap().1, "Bearer opens-userinfo");
    fake.says("/userinfo", 200, &json!({ "sub": "person-18", "email": "boss@example.com", "email_verified": true }));
    let refusal = fake.sign_in(&provider, &key, "k1", bare).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotUnderstood(_)), "somebody else's: {refusal:?}");
    fake.says("/userinfo", 403, &json!({}));
    assert!(matches!(fake.sign_in(&provider, &key, "k1", bare).await, Err(Refusal::NotUnderstood(_))));
    // An access token that no header can hold.
    let (url, pending) = begin(&provider, NOW).unwrap();
    let mut claims = claims(&url);
    bare(&mut claims);
    fake.says("/token", 200, &json!({ "access_token": "a\nb", "token_type": "Bearer", "id_token": token(&key, "k1", &claims) }));
    let refusal = finish(&provider, pending, comes_back(&url), NOW, fake.wire()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotUnderstood(_)), "{refusal:?}");
}

#[tokio::test]
async fn a_provider_that_says_no_or_nothing_is_told_as_it_is() {
    let key = Key::ec(1);
    let fake = Fake::new(&key, "k1");
    let provider = fake.found().await;
    let answer = async |status: u16, body: Value| {
        fake.says("/token", status, &body);
        let (url, pending) = begin(&provider, NOW).unwrap();
        finish(&provider, pending, comes_back(&url), NOW, fake.wire()).await.unwrap_err()
    };
    let refusal = answer(400, json!({ "error": "invalid_grant", "error_description": "code used" })).await;
    assert_eq!(refusal, Refusal::Declined("invalid_grant code used".into()));
    for (status, body) in [
        (500, json!("oops")),
        (200, json!({})),
        (200, json!({ "access_token": "a", "token_type": "Bearer" })),
        (200, json!({ "access_token": "a", "token_type": "Bearer", "id_token": "a.b.c" })),
        (302, json!({ "access_token": "a", "token_type": "Bearer" })),
        (200, json!({ "access_token": "a", "token_type": "Bearer", "padding": "x".repeat(LARGEST) })),
    ] {
        let refusal = answer(status, body).await;
        assert!(matches!(refusal, Refusal::NotUnderstood(_)), "{refusal:?}");
        assert!(!refusal.detail().unwrap().contains("hush"));
    }
    fake.answers.lock().unwrap().remove(&format!("{ISSUER}/token"));
    let (url, pending) = begin(&provider, NOW).unwrap();
    let refusal = finish(&provider, pending, comes_back(&url), NOW, fake.wire()).await.unwrap_err();
    assert_eq!(refusal, Refusal::Unreachable("login.example.com: connection refused".into()));
}

#[tokio::test]
async fn providers_are_found_where_they_say_they_are() {
    let fake = Fake::new(&Key::ec(1), "k1");
    let with = async |change: fn(&mut Value)| {
        let mut document = metadata();
        change(&mut document);
        fake.says("/.well-known/openid-configuration", 200, &document);
        discover(registration(), fake.wire()).await.map(|_| ()).unwrap_err()
    };
    assert!(matches!(with(|d| d["issuer"] = json!("https://login.example.com/guests")).await, Refusal::Issuer(_)));
    assert!(matches!(with(|d| d["jwks_uri"] = json!("http://login.example.com/keys")).await, Refusal::Address(_)));
    assert!(matches!(with(|d| d["authorization_endpoint"] = json!("http://login.example.com/a")).await, Refusal::Address(_)));
    assert!(matches!(with(|d| d["token_endpoint"] = json!("http://login.example.com/t")).await, Refusal::Address(_)));
    assert!(matches!(with(|d| d["token_endpoint"] = json!(null)).await, Refusal::NotUnderstood(_)));
    assert!(matches!(with(|d| *d = json!({})).await, Refusal::NotUnderstood(_)));
    assert!(matches!(with(|d| d["padding"] = json!("x".repeat(300_000))).await, Refusal::NotUnderstood(_)));
    assert!(matches!(with(|d| d["jwks_uri"] = json!("https://keys.example.com/")).await, Refusal::Unreachable(_)));
}

#[tokio::test]
async fn addresses_are_safe_or_on_this_machine() {
    let fake = Fake::new(&Key::ec(1), "k1");
    let at = async |issuer: &str, redirect: &str| {
        let registration = Registration { issuer: issuer.into(), redirect: redirect.into(), ..registration() };
        discover(registration, fake.wire()).await.map(|_| ()).unwrap_err()
    };
    let redirect = registration().redirect;
    for issuer in [
        "http://login.example.com",
        "ftp://login.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "https://anna:word@login.example.com",
        "https://login.example.com?a=b",
        "https://login.example.com#a",
        "login.example.com",
        "",
    ] {
        assert!(matches!(at(issuer, &redirect).await, Refusal::Address(_)), "{issuer}");
    }
    assert!(matches!(at(ISSUER, "http://stock.example.com/back").await, Refusal::Address(_)));
    assert!(fake.asked.lock().unwrap().is_empty());
    for issuer in ["http://127.0.0.1:9000", "http://localhost:9000/realm", "http://[::1]:9000", "https://10.0.0.1"] {
        assert!(matches!(at(issuer, "http://localhost:8080/back").await, Refusal::Unreachable(_)), "{issuer}");
    }
}

#[tokio::test]
async fn the_secret_goes_where_the_provider_takes_it_and_is_not_shown() {
    let key = Key::ec(1);
    let fake = Fake::new(&key, "k1");
    let mut document = metadata();
    document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post", "private_key_jwt"]);
    fake.says("/.well-known/openid-configuration", 200, &document);
    let provider = fake.found().await;
    assert_eq!(fake.sign_in(&provider, &key, "k1", |_| {}).await, Ok(anna()));
    let (_, authorization, body) = fake.asked.lock().unwrap().last().unwrap().clone();
    assert_eq!((authorization.as_str(), parameter(&format!("?{body}"), "client_secret").as_str()), ("", "hush"));
    let pending = begin(&provider, NOW).unwrap().1;
    assert!(!format!("{provider:?} {pending:?} {:?}", provider.registration()).contains("hush"));
    assert_eq!(format!("{pending:?}"), format!("Pending at {ISSUER}"));
}

/// A server's handlers run on any thread.
#[test]
fn futures_may_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let fake = Fake::new(&Key::ec(1), "k1");
    moves(discover(registration(), fake.wire()));
    moves(async move {
        let provider = fake.found().await;
        let (_, pending) = begin(&provider, NOW).unwrap();
        finish(&provider, pending, Callback::default(), NOW, fake.wire()).await
    });
}
