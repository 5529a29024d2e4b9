//! Who may do what: every route as every role, limits to locations and channels, signing in, the audit log.

use crate::support::{Site, Visitor, on_both};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::access::BUILT_IN;
use engine::people::links::{self, Kind};
use engine::people::settings::Company;
use engine::people::{self, NewPerson, reseal};
use engine::secrets::Vault;
use engine::{By, Url, create_key};
use identity::{password, totp};
use serde_json::json;
use tower::ServiceExt;
use web::rules::{Known, Rule};

const PASSWORD: &str = "four odd lanterns sing";

/// The status alone: some answers never end.
fn status(site: &Site, request: Request<Body>) -> StatusCode {
    let router = site.app.router();
    site.block_on(async { router.oneshot(request).await.unwrap().status() })
}

/// A route with something in place of its parameters that stands for nothing here.
fn path(known: &Known) -> String {
    let steps = known.path.split('/').map(|step| match step {
        "{kind}" => "items",
        step if step.starts_with('{') => "999999999",
        step => step,
    });
    steps.collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_obeys_every_role() {
    on_both(|url| {
        let site = Site::new(url.clone());
        site.locations(&[("LON", json!({}))]);
        let known = site.app.routes().1;
        assert!(known.len() > 100, "{}", known.len());
        let ruled: Vec<&Known> = known.iter().filter(|k| matches!(k.rule, Rule::May(_))).collect();
        for role in &BUILT_IN {
            let visitor = site.visitor(role.name);
            let (_, key) = create_key(&url, role.name, role.name, site.time.now(), None).unwrap();
            for route in &ruled {
                let Rule::May(permission) = route.rule else { continue };
                let told = status(&site, ask(route, Some((&visitor, &key))));
                let may = role.permissions.has(permission);
                let name = format!("{} {} as {}", route.method, route.path, role.name);
                assert_eq!(told != StatusCode::FORBIDDEN, may, "{name} answered {told}");
                assert!(!told.is_server_error(), "{name} answered {told}");
            }
        }
    });
}

/// A request of a route, by nobody or by somebody; forms carry their token.
fn ask(route: &Known, who: Option<(&Visitor<'_>, &str)>) -> Request<Body> {
    let mut request = Request::builder().method(route.method.as_str()).uri(path(route)).header("sec-fetch-site", "same-origin");
    let is_page = !route.path.starts_with("/api") && route.path != "/metrics";
    let mut body = String::new();
    match who {
        Some((visitor, _)) if is_page => {
            request = request.header("cookie", &visitor.cookie).header("content-type", "application/x-www-form-urlencoded");
            body = format!("csrf={}", visitor.token);
        }
        Some((_, key)) => request = request.header("authorization", format!("Bearer {key}")),
        None if is_page => request = request.header("content-type", "application/x-www-form-urlencoded"),
        None => {}
    }
    request.body(Body::from(if route.method == "POST" && is_page { body } else { String::new() })).unwrap()
}

#[test]
fn strangers_get_nowhere() {
    on_both(|url| {
        let site = Site::new(url);
        site.visitor("owner");
        for route in site.app.routes().1.iter().filter(|k| k.rule != Rule::Open) {
            let told = status(&site, ask(route, None));
            let is_page = !route.path.starts_with("/api") && route.path != "/metrics";
            assert_eq!(told, if is_page { StatusCode::SEE_OTHER } else { StatusCode::UNAUTHORIZED }, "{} {}", route.method, route.path);
        }
        // A session opens no call of the API, and a key opens no page.
        let owner = site.visitor("owner");
        assert_eq!(site.ask("GET", "/api/v1/items", Vec::new(), &[("cookie", &owner.cookie)]).told(), "401 key_required");
        assert_eq!(site.ask("GET", "/people", Vec::new(), &[("authorization", &format!("Bearer {}", site.key))]).status, 303);
    });
}

#[test]
fn forms_need_their_token_and_their_own_site() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        let send = |token: &str, site_header: (&str, &str)| {
            let form = ("content-type", "application/x-www-form-urlencoded");
            let body = format!("csrf={token}&name=Ada&login=ada@example.com&role=support").into_bytes();
            site.ask("POST", "/people", body, &[("cookie", &owner.cookie), form, site_header]).told()
        };
        assert_eq!(send("", ("sec-fetch-site", "same-origin")), "403 form_too_old");
        assert_eq!(send(&"0".repeat(32), ("sec-fetch-site", "same-origin")), "403 form_too_old");
        assert_eq!(send(&owner.token, ("sec-fetch-site", "cross-site")), "403 cross_site");
        assert_eq!(send(&owner.token, ("origin", "https://evil.example")), "403 cross_site");
        assert_eq!(send(&owner.token, ("sec-fetch-site", "same-origin")), "200");
        // The token of another session is worth nothing.
        let other = site.visitor("support");
        assert_eq!(send(&other.token, ("sec-fetch-site", "same-origin")), "403 form_too_old");
    });
}

#[test]
fn pages_carry_their_headers() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        for path in ["/", "/people", "/sign-in", "/static/x/holdfast.css", "/api/v1/items", "/openapi.json", "/nowhere"] {
            let reply = owner.get(path);
            let header = |name: &str| reply.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!((header("x-content-type-options"), header("referrer-policy")), ("nosniff".into(), "same-origin".into()), "{path}");
            assert!(header("strict-transport-security").starts_with("max-age="), "{path}");
            if !path.starts_with("/static") {
                assert_eq!(header("cache-control"), "no-store", "{path}");
            }
        }
        // The document of the API writes styles into its elements, and runs no scripts but its own.
        let policy = owner.get("/docs/").headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    });
}

/// Limited to one location and one channel: the rest is not there, neither to be seen nor to be changed.
#[test]
fn limits_hold_everywhere() {
    on_both(|url| {
        let site = Site::new(url.clone());
        site.locations(&[("LON", json!({})), ("YRK", json!({}))]);
        site.item("MUG", json!({}), "LON 5, YRK 7");
        let mine = site.order("A-1", "MUG 9").body["id"].as_str().unwrap().to_owned();
        let other = site.call(
            "POST /orders",
            json!({ "channel": "shopify", "reference": "S-1", "ship_to": { "country": "GB" }, "lines": [{ "sku": "MUG", "quantity": 1 }] }),
        );
        let other = other.body["id"].as_str().unwrap().to_owned();
        let key = site.ok("POST /keys", json!({ "name": "york", "role": "operate", "locations": ["YRK"], "channels": ["web"] }))["key"].clone();
        let bearer = format!("Bearer {}", key.as_str().unwrap());
        let call = |what: &str, body: serde_json::Value| {
            let text = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            site.send(what, text, &[("authorization", &bearer)])
        };
        let null = || serde_json::Value::Null;
        assert_eq!(call("GET /stock/MUG", null()).body["locations"].as_array().unwrap().len(), 1);
        let codes: Vec<String> =
            call("GET /locations", null()).body["data"].as_array().unwrap().iter().map(|l| l["code"].as_str().unwrap().to_owned()).collect();
        assert_eq!(codes, ["YRK"]);
        assert_eq!(call(&format!("GET /orders/{other}"), null()).told(), "404 unknown_order");
        assert_eq!(call("GET /orders", null()).body["data"].as_array().unwrap().iter().filter(|o| o["channel"] != "web").count(), 0);
        let line = |quantity: i64| json!([{ "sku": "MUG", "quantity": quantity }]);
        for (what, body, told) in [
            ("POST /stock/receive", json!({ "location": "LON", "lines": line(1) }), "403 out_of_scope"),
            ("POST /stock/receive", json!({ "location": "YRK", "lines": line(1) }), "201"),
            ("POST /stock/adjust", json!({ "location": "LON", "reason": "found", "lines": [{ "sku": "MUG", "delta": 1 }] }), "403 out_of_scope"),
            ("POST /transfers", json!({ "from": "LON", "to": "YRK", "lines": line(1) }), "403 out_of_scope"),
            ("POST /reservations", json!({ "expires_in_seconds": 60, "lines": line(1) }), "403 out_of_scope"),
            (
                "POST /reservations",
                json!({ "expires_in_seconds": 60, "channel": "web", "lines": [{ "sku": "MUG", "quantity": 1, "location": "YRK" }] }),
                "201",
            ),
            (
                "POST /orders",
                json!({ "channel": "shopify", "reference": "S-2", "ship_to": { "country": "GB" }, "lines": line(1) }),
                "403 out_of_scope",
            ),
        ] {
            assert_eq!(call(what, body.clone()).told(), told, "{what} {body}");
        }
        assert_eq!(call(&format!("POST /orders/{other}/cancel"), json!({})).told(), "403 out_of_scope");
        // Its own order is sent from both places, so it may be seen, and not canceled whole.
        assert_eq!(call(&format!("GET /orders/{mine}"), null()).status, 200);
        assert_eq!(call(&format!("POST /orders/{mine}/cancel"), json!({})).told(), "403 out_of_scope");
        // Events name no place beyond.
        let events = call("GET /events?limit=250", null()).body;
        for event in events["data"].as_array().unwrap() {
            assert!(event["data"]["channel"] != "shopify", "{event}");
        }
        site.verify();
    });
}

#[test]
fn nobody_gives_more_than_they_have_and_an_owner_stays() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("YRK", json!({}))]);
        let owner = site.visitor("owner");
        // A role of one's own, with all that manages people and nothing else.
        let fields = [("name", "hr"), ("about", "People"), ("permissions", "people.manage"), ("permissions", "stock.view")];
        assert_eq!(owner.sent("/roles", &fields), "/roles?said=saved");
        let hr = site.visitor("hr");
        let made = hr.post("/people", &[("name", "Eve"), ("login", "eve@example.com"), ("role", "owner")]);
        assert!(made.status == 422 && made.text().contains("permission"), "{} {:?} {}", made.status, made.headers, made.text());
        assert_eq!(hr.post("/people", &[("name", "Eve"), ("login", "eve@example.com"), ("role", "hr")]).status, 200);
        let page = made.text();
        assert!(page.contains("value=\"eve@example.com\""), "what was typed is kept");
        // The only owner cannot step down.
        let (id, etag) = site
            .block_on(site.engine.read(|tx| {
                let person = people::list(tx)?.into_iter().find(|p| p.role == "owner").unwrap();
                Ok((person.id, String::new()))
            }))
            .unwrap();
        assert_eq!(etag, "");
        let refused = owner.post(&format!("/people/{id}"), &[("name", "Owner"), ("role", "support")]);
        assert!(refused.status == 422 && refused.text().contains("leave nobody"), "{}", refused.text());
        let refused = hr.post(&format!("/people/{id}/active"), &[("active", "")]);
        assert_eq!(refused.status, 422, "who has more is not theirs to change: {}", refused.text());
        site.shut_and_verify();
    });
}

#[test]
fn two_people_at_one_form_notice_each_other() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        assert_eq!(owner.post("/people", &[("name", "Ada"), ("login", "ada@example.com"), ("role", "support")]).status, 200);
        let id = site.block_on(site.engine.read(|tx| Ok(people::by_login(tx, "ada@example.com")?.unwrap().id))).unwrap();
        let page = owner.get(&format!("/people/{id}")).text();
        let seen = page.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let form = |name: &'static str| [("name", name), ("role", "support"), ("seen", seen)];
        assert_eq!(owner.sent(&format!("/people/{id}"), &form("Ada Lovelace")), format!("/people/{id}?said=saved"));
        let late = owner.post(&format!("/people/{id}"), &form("Ada King"));
        assert!(late.status == 422 && late.text().contains("Somebody else changed"), "{}", late.text());
        // The API says it by If-Match.
        site.item("MUG", json!({ "name": "Mug" }), "");
        let change = |tag: &str| site.send("PATCH /items/MUG", json!({ "name": "Cup" }).to_string().into_bytes(), &[("if-match", tag)]).told();
        assert_eq!(change("\"0000000000000000\""), "412 changed_meanwhile");
        let view = site.get("/items/MUG").to_string();
        drop(view);
        site.shut_and_verify();
    });
}

/// Signs in as a browser would; the cookie, or None and the page.
fn sign_in(site: &Site, login: &str, password: &str) -> Result<String, String> {
    let escape = |t: &str| t.replace('@', "%40").replace(' ', "+");
    let body = format!("login={}&password={}", escape(login), escape(password)).into_bytes();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin"), ("host", "localhost:7070")];
    let reply = site.ask("POST", "/sign-in", body, &headers);
    match reply.headers.get("set-cookie") {
        Some(cookie) => {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; Secure") && cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax") && cookie.contains("; Path=/"));
            Ok(cookie.split(';').next().unwrap().to_owned())
        }
        None => Err(reply.text()),
    }
}

/// Somebody with a password.
fn person(site: &Site, login: &'static str, role: &'static str) -> String {
    let phc = password::hash(PASSWORD).unwrap();
    let made = site.engine.transact(move |tx, now| {
        let by = By::from("test");
        let new = NewPerson { login: login.into(), name: "Ada Byron".into(), role: role.into(), locations: None, channels: None };
        let person = people::create(tx, &by, now, &new)?;
        people::set_password(tx, &by, now, &person.id, &phc, "")?;
        Ok(person.id)
    });
    site.block_on(made).unwrap()
}

#[test]
fn wrong_passwords_lock_and_sessions_end() {
    on_both(|url| {
        let site = Site::new(url);
        person(&site, "ada@example.com", "operations");
        let cookie = sign_in(&site, "ADA@example.com", PASSWORD).unwrap();
        assert!(cookie.starts_with("__Host-holdfast=hs_"));
        assert_eq!(site.ask("GET", "/account", Vec::new(), &[("cookie", &cookie)]).status, 200);
        let wrong = |login: &str| sign_in(&site, login, "not the password at all").unwrap_err();
        let plain = |page: String| page.replace("ada@example.com", "X").replace("bob@example.com", "X");
        assert_eq!(plain(wrong("ada@example.com")), plain(wrong("bob@example.com")), "a page tells whether an account is there");
        for _ in 0..4 {
            wrong("ada@example.com");
        }
        assert!(
            sign_in(&site, "ada@example.com", PASSWORD).unwrap_err().contains("Too many wrong tries"),
            "the right one is not taken while it is locked"
        );
        site.time.advance(31);
        let second = sign_in(&site, "ada@example.com", PASSWORD).unwrap();
        // A session that is ended opens nothing; the other one still does.
        let of = |cookie: &str| cookie.split("hs_").nth(1).unwrap()[..12].to_owned();
        let page = site.ask("GET", "/account", Vec::new(), &[("cookie", &second)]).text();
        let token = page.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let form = [("cookie", second.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        let ended = site.ask("POST", &format!("/account/sessions/{}/end", of(&cookie)), format!("csrf={token}").into_bytes(), &form);
        assert_eq!(ended.status, 303, "{}", ended.text());
        assert_eq!(site.ask("GET", "/account", Vec::new(), &[("cookie", &cookie)]).status, 303);
        assert_eq!(site.ask("GET", "/account", Vec::new(), &[("cookie", &second)]).status, 200);
        // Half a day without use ends it.
        site.time.advance(13 * 3_600);
        assert_eq!(site.ask("GET", "/account", Vec::new(), &[("cookie", &second)]).status, 303);
    });
}

#[test]
fn over_plain_http_no_password_is_taken() {
    let folder = sim::postgres::TempFolder::new("http").unwrap();
    let site = Site::new(Url::Sqlite(folder.path().join("holdfast.db")));
    person(&site, "ada@example.com", "operations");
    let form = [("content-type", "application/x-www-form-urlencoded"), ("host", "stock.example"), ("origin", "http://stock.example")];
    assert_eq!(site.ask("POST", "/sign-in", b"login=a%40b.c&password=x".to_vec(), &form).told(), "403 https_required");
    assert!(site.ask("GET", "/sign-in", Vec::new(), &[("host", "stock.example")]).text().contains("needs HTTPS"));
    let proxied = [("host", "stock.example"), ("x-forwarded-proto", "https")];
    assert!(site.ask("GET", "/sign-in", Vec::new(), &proxied).text().contains("name=\"password\""));
}

#[test]
fn second_factors() {
    on_both(|url| {
        let site = Site::new(url);
        let id = person(&site, "ada@example.com", "operations");
        let secret = totp::Secret::parse("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").unwrap();
        let sealed = site.app.vault.encrypt(&format!("totp {id}"), &secret.to_text()).unwrap();
        let codes = identity::recovery::Codes::random().unwrap();
        let hashes: Vec<String> = codes.hashes.iter().map(|h| h.iter().map(|b| format!("{b:02x}")).collect()).collect();
        let set = site
            .engine
            .transact(move |tx, now| people::set_second_factor(tx, &By::from("test"), now, &id, Some((sealed.clone(), 0)), hashes.clone()));
        site.block_on(set).unwrap();
        let half = || {
            let cookie = sign_in(&site, "ada@example.com", PASSWORD).unwrap();
            let page = site.ask("GET", "/sign-in/second", Vec::new(), &[("cookie", &cookie)]).text();
            let token = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
            (cookie, token)
        };
        let show = |(cookie, token): &(String, String), code: &str| {
            let form = [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
            site.ask("POST", "/sign-in/second", format!("csrf={token}&code={code}").into_bytes(), &form).status
        };
        let open = |(cookie, _): &(String, String)| site.ask("GET", "/account", Vec::new(), &[("cookie", cookie)]).status;
        let code = |site: &Site| code_at(&secret, (site.time.now() / 1_000_000) as u64);
        let first = half();
        assert_eq!(open(&first), 303, "half signed in is not in");
        assert_eq!(show(&first, "000000"), 422);
        assert_eq!(open(&first), 303);
        let used = code(&site);
        assert_eq!(show(&first, &used), 303);
        assert_eq!(open(&first), 200);
        // The same step is refused in another session.
        let second = half();
        assert_eq!(show(&second, &used), 422);
        // A recovery code opens once.
        assert_eq!(show(&second, &codes.texts[3]), 303);
        assert_eq!(open(&second), 200);
        assert_eq!(show(&half(), &codes.texts[3]), 422);
        site.time.advance(60);
        let third = half();
        assert_eq!(show(&third, &code(&site)), 303);
    });
}

/// The code of an app at an instant: found by asking, as there are only a million.
fn code_at(secret: &totp::Secret, seconds: u64) -> String {
    (0..1_000_000).map(|n| format!("{n:06}")).find(|code| secret.check(code, seconds, None).is_some_and(|step| step == seconds / 30)).unwrap()
}

#[test]
fn secrets_of_people_move_to_a_new_key() {
    on_both(|url| {
        let site = Site::new(url);
        let id = person(&site, "ada@example.com", "operations");
        let place = reseal::totp_place(&id);
        let sealed = site.app.vault.encrypt(&place, "a secret").unwrap();
        let company = Company { client_secret: site.app.vault.encrypt(reseal::COMPANY_PLACE, "another").unwrap(), ..Company::default() };
        let key = id.clone();
        let set = site.engine.transact(move |tx, now| {
            people::set_second_factor(tx, &By::from("test"), now, &key, Some((sealed.clone(), 0)), Vec::new())?;
            people::settings::set(tx, &By::from("test"), now, Company::NAME, &company, (None, String::new()))
        });
        site.block_on(set).unwrap();
        let new = "d5".repeat(32);
        let both = Vault::parse(&format!("{new},{}", "c4".repeat(32))).unwrap();
        let count = || site.block_on(reseal::reseal(&site.engine, &both)).unwrap();
        assert_eq!((count(), count()), (2, 0));
        let only = Vault::parse(&new).unwrap();
        let totp = site.engine.read_blocking(|tx| people::by_id(tx, &id)).unwrap().totp.unwrap();
        assert_eq!(only.decrypt(&place, &totp).unwrap(), ("a secret".into(), false));
        let company: Company = site.engine.read_blocking(|tx| people::settings::get(tx, Company::NAME)).unwrap();
        assert_eq!(only.decrypt(reseal::COMPANY_PLACE, &company.client_secret).unwrap(), ("another".into(), false));
        // What no key opens stays as it is, and harms nobody else's.
        assert_eq!(site.block_on(reseal::reseal(&site.engine, &site.app.vault)).unwrap(), 0);
    });
}

#[test]
fn a_present_password_is_guessed_a_few_times_only() {
    on_both(|url| {
        let site = Site::new(url);
        person(&site, "ada@example.com", "operations");
        let cookie = sign_in(&site, "ada@example.com", PASSWORD).unwrap();
        let page = site.ask("GET", "/account", Vec::new(), &[("cookie", &cookie)]).text();
        let token = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let form = [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        let change = |old: &str| {
            let body = format!("csrf={token}&old={old}&password=another+fine+lantern&again=another+fine+lantern");
            site.ask("POST", "/account/password", body.into_bytes(), &form)
        };
        for _ in 0..5 {
            assert!(change("wrong").text().contains("Is not your present password"));
        }
        assert!(change(&PASSWORD.replace(' ', "+")).text().contains("Was wrong too often"), "the account waits, whatever the address");
        site.time.advance(31);
        assert_eq!(change(&PASSWORD.replace(' ', "+")).status, 303);
    });
}

#[test]
fn keys_and_passkeys_ask_for_the_password_once_more() {
    on_both(|url| {
        let site = Site::new(url);
        person(&site, "ada@example.com", "owner");
        let cookie = sign_in(&site, "ada@example.com", PASSWORD).unwrap();
        let page = site.ask("GET", "/keys/new", Vec::new(), &[("cookie", &cookie)]).text();
        assert!(page.contains("Present password"), "{page}");
        let token = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let form = [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        let made = |old: &str| site.ask("POST", "/keys", format!("csrf={token}&old={old}&name=till&role=read").into_bytes(), &form);
        for old in ["", "wrong"] {
            let refused = made(old);
            assert!(refused.status == 422 && refused.text().contains("Is not your present password"), "{}", refused.text());
        }
        assert!(made(&PASSWORD.replace(' ', "+")).text().contains("hf_"));
        let begin = |body: serde_json::Value| {
            let headers =
                [("cookie", cookie.as_str()), ("x-csrf-token", token), ("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
            site.ask("POST", "/account/passkeys/begin", body.to_string().into_bytes(), &headers).told()
        };
        for body in [json!({}), json!({ "passkey.old": "wrong" }), json!({ "old": PASSWORD })] {
            assert_eq!(begin(body), "422 invalid_field");
        }
        let removed = |old: &str| site.ask("POST", "/account/passkeys/any/remove", format!("csrf={token}&any.old={old}").into_bytes(), &form);
        assert!(removed("wrong").text().contains("“any.old” is not your present password"));
    });
}

#[test]
fn a_role_can_ask_for_a_second_factor() {
    on_both(|url| {
        let site = Site::new(url);
        person(&site, "ada@example.com", "warehouse");
        let owner = site.visitor("owner");
        let mut fields: Vec<(&str, &str)> = vec![("name", "warehouse"), ("old", "yes"), ("second_factor", "yes")];
        let words = domain::access::built_in("warehouse").unwrap().permissions.words();
        fields.extend(words.iter().map(|w| ("permissions", *w)));
        assert_eq!(owner.sent("/roles", &fields), "/roles?said=saved");
        let cookie = sign_in(&site, "ada@example.com", PASSWORD).unwrap();
        let reply = site.ask("GET", "/", Vec::new(), &[("cookie", &cookie)]);
        assert_eq!(reply.headers["location"], "/account/second-factor");
        assert!(site.ask("GET", "/account/second-factor", Vec::new(), &[("cookie", &cookie)]).text().contains("<svg"));
    });
}

#[test]
fn links_open_once_and_the_first_owner_is_made() {
    on_both(|url| {
        let site = Site::new(url);
        assert_eq!(site.ask("GET", "/sign-in", Vec::new(), &[]).headers["location"], "/setup");
        let made = site.engine.transact(|tx, now| links::create(tx, &By::from("system"), now, Kind::Owner, None));
        let link = site.block_on(made).unwrap();
        let send = |link: &str, password: &str| {
            let body = format!("link={link}&name=Ada&login=ada%40example.com&password={0}&again={0}", password.replace(' ', "+"));
            let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
            site.ask("POST", "/setup", body.into_bytes(), &form)
        };
        assert_eq!(send("hl_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", PASSWORD).status, 422);
        let weak = send(&link, "holdfast1234");
        assert!(weak.status == 422 && !weak.text().contains("holdfast1234"), "the page repeats a password");
        let done = send(&link, PASSWORD);
        assert_eq!((done.status, done.headers["location"].to_str().unwrap()), (303, "/guide"));
        assert_eq!(send(&link, PASSWORD).status, 422, "the code was used up");
        assert!(sign_in(&site, "ada@example.com", PASSWORD).is_ok());
        // A reset ends the sessions, opens once, and not after an hour.
        let reset = || {
            let made = site.engine.transact(|tx, now| {
                let person = people::by_login(tx, "ada@example.com")?.unwrap();
                links::create(tx, &By::from("system"), now, Kind::Reset, Some(&person.id))
            });
            site.block_on(made).unwrap()
        };
        let old = reset();
        site.time.advance(3_700);
        let open = |link: &str| {
            let body = format!("link={link}&password=seven+blue+anvils+hum&again=seven+blue+anvils+hum");
            let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
            site.ask("POST", "/link", body.into_bytes(), &form).status
        };
        assert_eq!(open(&old), 422);
        let (first, newest) = (reset(), reset());
        assert_eq!(open(&first), 422, "a newer link voids the older");
        assert_eq!(open(&newest), 303);
        assert_eq!(open(&newest), 422);
        assert!(sign_in(&site, "ada@example.com", "seven blue anvils hum").is_ok());
        site.shut_and_verify();
    });
}

#[test]
fn the_audit_log_tells_and_cannot_be_changed_unnoticed() {
    on_both(|url| {
        let site = Site::new(url.clone());
        site.locations(&[("LON", json!({}))]);
        site.item("MUG", json!({ "name": "Mug" }), "LON 5");
        site.ok("PATCH /items/MUG", json!({ "name": "Cup" }));
        site.ok("POST /stock/adjust", json!({ "location": "LON", "reason": "damaged", "lines": [{ "sku": "MUG", "delta": -2 }] }));
        let order = site.order("A-1", "MUG 1").body["id"].as_str().unwrap().to_owned();
        site.ok(&format!("POST /orders/{order}/cancel"), json!({}));
        // A refusal changes nothing and is not recorded.
        assert_eq!(site.call("PATCH /items/NONE", json!({ "name": "x" })).status, 404);
        let all = site.block_on(site.engine.read(|tx| engine::access::audit::list(tx, &Default::default(), None, 100))).unwrap();
        let told: Vec<String> = all.iter().rev().map(|r| format!("{} {} {}", r.action, r.noun, r.subject)).collect();
        let key = all.iter().find(|r| r.action == "key.create").unwrap();
        assert_eq!((key.actor.as_str(), key.before.is_none()), ("command line", true));
        for (record, what) in [("item.update item MUG", "the change"), ("stock.adjust location LON", "the adjustment")] {
            assert!(told.iter().any(|t| t == record), "{what} is missing: {told:#?}");
        }
        assert!(told.contains(&format!("order.cancel order {order}")), "{told:#?}");
        assert!(!told.iter().any(|t| t.starts_with("order.place")), "orders of programs are in the events: {told:#?}");
        let update = all.iter().find(|r| r.action == "item.update").unwrap();
        assert!(update.before.as_ref().unwrap().get().contains("\"Mug\"") && update.after.as_ref().unwrap().get().contains("\"Cup\""));
        assert_eq!((update.actor.as_str(), update.address.as_str()), ("key:tester", "127.0.0.1"));
        assert!(update.means.starts_with("key "));
        // What a person does is recorded whole, and can be found and exported.
        let owner = site.visitor("owner");
        for (query, first, last) in [("", "/audit/2\"", "/audit/1\""), ("sort=number", "/audit/1\"", "/audit/2\"")] {
            let page = owner.get(&format!("/audit?{query}")).text();
            assert!(page.find(first).unwrap() < page.find(last).unwrap(), "{query}");
        }
        // A part of a name, and a thing whatever kind it is; page by page both ways.
        for query in ["actor=TEST", "subject=MUG", "subject=MUG&action=item.update"] {
            let file = owner.get(&format!("/audit?{query}&format=csv")).text();
            assert!(file.contains(",item.update,item,MUG,") && !file.contains(",settings.set,"), "{query}: {file}");
            assert_eq!(file.lines().skip(1).all(|line| line.contains(",MUG,")), query.starts_with("subject"), "{query}: {file}");
        }
        assert_eq!(owner.get("/audit?subject=NOTHING&format=csv").text().lines().count(), 1);
        for oldest_first in [false, true] {
            for (actor, action, noun, subject) in
                [("", "", "", ""), ("key:tester", "", "", ""), ("", "", "item", ""), ("", "", "", "MUG"), ("", "key.create", "", "")]
            {
                let [actor, action, noun, subject] = [actor, action, noun, subject].map(str::to_owned);
                let filter = engine::access::audit::Filter { actor, action, noun, subject, oldest_first, ..Default::default() };
                let read = |after, limit| {
                    let filter = filter.clone();
                    let found = site.block_on(site.engine.read(move |tx| engine::access::audit::list(tx, &filter, after, limit))).unwrap();
                    found.iter().map(|r| r.number).collect::<Vec<i64>>()
                };
                let (mut paged, whole) = (Vec::new(), read(None, 1_000));
                while let Some(next) = read(paged.last().copied(), 1).first() {
                    paged.push(*next);
                }
                assert!(paged == whole && !whole.is_empty(), "{filter:?}: {paged:?} {whole:?}");
            }
        }
        let made = owner.get("/audit?action=item.update&noun=item&sort=number&format=csv").text();
        assert!(made.lines().nth(1).unwrap().contains("item.update"), "{made}");
        for query in ["actor=key:tester", "noun=item", "action=item.update", ""] {
            let numbers = |sort: &str| -> Vec<i64> {
                let file = owner.get(&format!("/audit?{query}&sort={sort}&format=csv")).text();
                file.lines().skip(1).filter_map(|line| line.split(',').next()?.parse().ok()).collect()
            };
            let (newest, oldest) = (numbers(""), numbers("number"));
            assert!(!newest.is_empty() && newest.iter().rev().eq(&oldest) && oldest.is_sorted(), "{query}: {newest:?} {oldest:?}");
        }
        let page = owner.get("/audit?action=item.update").text();
        assert!(page.contains("item.update") && !page.contains("stock.adjust</a>"), "{page}");
        assert!(owner.get(&format!("/audit/{}", update.number)).text().contains("Cup"));
        let file = owner.get("/audit?format=csv").text();
        assert!(file.lines().count() > all.len() && file.starts_with("number,at,actor"), "{file}");
        site.shut_and_verify();
        if let Url::Sqlite(path) = &url {
            let file = rusqlite::Connection::open(path).unwrap();
            file.execute("UPDATE audit SET actor = 'key:nobody' WHERE action = 'item.update'", []).unwrap();
            let report = engine::verify(&url, |_| {}).unwrap();
            assert!(report.told.iter().any(|t| t.starts_with("audit record")), "{:#?}", report.told);
            file.execute("DELETE FROM audit WHERE number = 2", []).unwrap();
            assert!(engine::verify(&url, |_| {}).unwrap().told.iter().any(|t| t.contains("comes after")));
        }
    });
}

#[test]
fn pages_speak_the_readers_language() {
    let folder = sim::postgres::TempFolder::new("language").unwrap();
    let site = Site::new(Url::Sqlite(folder.path().join("holdfast.db")));
    let owner = site.visitor("owner");
    let headers = [("cookie", owner.cookie.as_str()), ("accept-language", "de-CH,en;q=0.5")];
    let page = site.ask("GET", "/account", Vec::new(), &headers).text();
    assert!(page.contains("<html lang=\"de\""), "{page}");
    assert_eq!(owner.sent("/account/preferences", &[("language", "en"), ("zone", "Asia/Tokyo")]), "/account?said=saved");
    let page = site.ask("GET", "/account", Vec::new(), &headers).text();
    assert!(page.contains("<html lang=\"en\"") && page.contains("Asia/Tokyo"));
    let wrong = owner.post("/account/preferences", &[("zone", "Mars/Olympus")]);
    assert!(wrong.status == 422 && wrong.text().contains("is no time zone") | wrong.text().contains("Is no time zone"));
}
