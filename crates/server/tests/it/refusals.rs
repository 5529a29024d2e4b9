//! Bad input: a clear refusal each, with a stable code and the place of the fault, and nothing half done.

use crate::support::{Site, on_both};
use engine::create_key;
use serde_json::json;

#[test]
fn bad_requests_are_refused_and_change_nothing() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 5");
        site.item("B", json!({}), "LON 5");
        let before = site.get("/events")["data"].as_array().unwrap().len();
        let reserve = |lines: &str, rest: &str| format!(r#"{{"lines":{lines},"expires_in_seconds":60{rest}}}"#);
        let order = |lines: &str| format!(r#"{{"channel":"web","reference":"r","ship_to":{{"country":"GB"}},"lines":{lines}}}"#);
        let cases: Vec<(&str, String, &str, &str)> = vec![
            ("POST /reservations", reserve(r#"[{"sku":"NONE","quantity":1}]"#, ""), "422 unknown_item", "lines[0].sku"),
            ("POST /reservations", reserve(r#"[{"sku":"A","quantity":0}]"#, ""), "422 quantity_out_of_range", "lines[0].quantity"),
            (
                "POST /reservations",
                reserve(r#"[{"sku":"A","quantity":1},{"sku":"A","quantity":-1}]"#, ""),
                "422 quantity_out_of_range",
                "lines[1].quantity",
            ),
            ("POST /reservations", reserve(r#"[{"sku":"A","quantity":1000000001}]"#, ""), "422 quantity_out_of_range", "lines[0].quantity"),
            ("POST /reservations", reserve(r#"[{"sku":"A","quantity":9223372036854775808}]"#, ""), "400 invalid_field", "lines[0].quantity"),
            ("POST /reservations", reserve(r#"[{"sku":"A","quantity":1.5}]"#, ""), "400 invalid_field", "lines[0].quantity"),
            ("POST /reservations", reserve(r#"[{"sku":"A","quantity":"1"}]"#, ""), "400 invalid_field", "lines[0].quantity"),
            ("POST /reservations", reserve(r#"[{"sku":"A"}]"#, ""), "400 invalid_field", "lines[0].quantity"),
            ("POST /reservations", reserve("[]", ""), "422 invalid_field", "lines"),
            ("POST /reservations", reserve(r#"[{"sku":"A","quantity":1,"location":"MOON"}]"#, ""), "422 unknown_location", "lines[0].location"),
            ("POST /reservations", reserve(r#"[{"sku":"A","quantity":1}]"#, r#","shade":"red""#), "400 unknown_field", "shade"),
            ("POST /reservations", reserve(r#"[{"sku":"A","quantity":1}]"#, r#","replaces":"5""#), "422 unknown_reservation", "replaces"),
            (
                "POST /reservations",
                r#"{"lines":[{"sku":"A","quantity":1}],"expires_in_seconds":0}"#.into(),
                "422 quantity_out_of_range",
                "expires_in_seconds",
            ),
            (
                "POST /reservations",
                r#"{"lines":[{"sku":"A","quantity":1}],"expires_in_seconds":99999999}"#.into(),
                "422 quantity_out_of_range",
                "expires_in_seconds",
            ),
            ("POST /reservations", "{".into(), "400 malformed_json", ""),
            ("POST /reservations", r#"{"lines":[],"expires_in_seconds":60} x"#.into(), "400 malformed_json", ""),
            ("POST /reservations", "[".repeat(100_000), "400 malformed_json", ""),
            ("POST /reservations", "\u{0}".into(), "400 malformed_json", ""),
            (
                "POST /orders",
                order(
                    r#"[{"sku":"A","quantity":1,"unit_price":{"amount":"1.00","currency":"GBP"}},{"sku":"B","quantity":1,"unit_price":{"amount":"1.00","currency":"EUR"}}]"#,
                ),
                "422 mixed_currency",
                "lines[1].unit_price",
            ),
            (
                "POST /orders",
                order(r#"[{"sku":"A","quantity":1,"unit_price":{"amount":"1.005","currency":"GBP"}}]"#),
                "422 invalid_field",
                "lines[0].unit_price.amount",
            ),
            (
                "POST /orders",
                order(r#"[{"sku":"A","quantity":1,"unit_price":{"amount":"1.00","currency":"POUNDS"}}]"#),
                "422 invalid_field",
                "lines[0].unit_price.currency",
            ),
            (
                "POST /orders",
                order(r#"[{"sku":"A","quantity":1000000000,"unit_price":{"amount":"999999999999","currency":"GBP"}}]"#),
                "422 invalid_field",
                "lines[0].unit_price",
            ),
            (
                "POST /orders",
                r#"{"channel":"","reference":"r","ship_to":{"country":"GB"},"lines":[{"sku":"A","quantity":1}]}"#.into(),
                "422 invalid_field",
                "channel",
            ),
            (
                "POST /orders",
                r#"{"channel":"web","reference":"r","ship_to":{"country":"Britain"},"lines":[{"sku":"A","quantity":1}]}"#.into(),
                "422 invalid_field",
                "ship_to.country",
            ),
            (
                "POST /orders",
                r#"{"channel":"web","reference":"r","ship_to":{"country":"GB","latitude":91,"longitude":0},"lines":[{"sku":"A","quantity":1}]}"#
                    .into(),
                "422 invalid_field",
                "ship_to.latitude",
            ),
            (
                "POST /orders",
                r#"{"channel":"web","reference":"r","ship_to":{"country":"GB"},"lines":[{"sku":"A","quantity":1}],"reservation":"77"}"#.into(),
                "422 unknown_reservation",
                "reservation",
            ),
            (
                "POST /stock/receive",
                r#"{"location":"LON","lines":[{"sku":"A","quantity":1},{"sku":"A","quantity":2}]}"#.into(),
                "422 duplicate_line",
                "lines[1].sku",
            ),
            ("POST /stock/receive", r#"{"location":"MARS","lines":[{"sku":"A","quantity":1}]}"#.into(), "422 unknown_location", "location"),
            (
                "POST /stock/adjust",
                r#"{"location":"LON","reason":"x","lines":[{"sku":"A","delta":0}]}"#.into(),
                "422 quantity_out_of_range",
                "lines[0].delta",
            ),
            ("POST /stock/adjust", r#"{"location":"LON","reason":"","lines":[{"sku":"A","delta":1}]}"#.into(), "422 invalid_field", "reason"),
            ("POST /items", r#"{"sku":"A","name":"again"}"#.into(), "409 item_exists", ""),
            ("POST /items", r#"{"sku":" A","name":"blank"}"#.into(), "422 invalid_field", "sku"),
            ("POST /items", format!(r#"{{"sku":"{}","name":"long"}}"#, "x".repeat(129)), "422 invalid_field", "sku"),
            ("POST /items", r#"{"sku":"K","name":"kit","components":[{"sku":"NONE","quantity":1}]}"#.into(), "422 unknown_item", "components[0].sku"),
            ("POST /locations", r#"{"code":"LON","name":"again","kind":"warehouse","country":"GB"}"#.into(), "409 location_exists", ""),
            ("POST /locations", r#"{"code":"X","name":"x","kind":"garage","country":"GB"}"#.into(), "422 invalid_field", "kind"),
            ("GET /stock/NONE", String::new(), "404 unknown_item", "sku"),
            ("GET /orders/99", String::new(), "404 unknown_order", "id"),
            ("GET /orders/abc", String::new(), "404 unknown_order", "id"),
            ("GET /orders?limit=0", String::new(), "400 invalid_parameter", "limit"),
            ("GET /orders?limit=251", String::new(), "400 invalid_parameter", "limit"),
            ("GET /orders?after=x", String::new(), "400 invalid_parameter", "after"),
            ("GET /orders?sort=up", String::new(), "400 unknown_field", "sort"),
            ("GET /stock/A?as_of=yesterday", String::new(), "422 invalid_field", "as_of"),
            ("GET /nothing", String::new(), "404 unknown_path", ""),
            ("DELETE /orders", String::new(), "405 method_not_allowed", ""),
            ("POST /imports/dreams", String::new(), "404 unknown_path", ""),
        ];
        for (what, body, told, field) in cases {
            let shown: String = body.chars().take(200).collect();
            let reply = site.send(what, body.into_bytes(), &[]);
            assert_eq!(reply.told(), told, "{what} {shown}: {}", reply.body);
            assert_eq!(reply.body["field"].as_str().unwrap_or(""), field, "{what} {shown}: {}", reply.body);
            assert_eq!(reply.headers["content-type"], "application/problem+json", "{what} {shown}");
            for name in ["type", "title", "status", "detail", "code"] {
                assert!(!reply.body[name].is_null(), "{what} {shown}: no {name}");
            }
        }
        let large = site.send("POST /reservations", vec![b' '; (1 << 20) + 1], &[]);
        assert_eq!(large.told(), "413 body_too_large");
        assert_eq!(site.get("/events")["data"].as_array().unwrap().len(), before, "nothing was done");
        assert_eq!((site.stock("A").as_str(), site.stock("B").as_str()), ("available 5", "available 5"));
        site.verify();
    });
}

#[test]
fn levels_do_not_overflow() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "");
        // The most that lines can bring in a few calls is far from the limit, so the limit is set from below.
        let engine = &site.engine;
        engine::db::Conn::open(engine.url()).unwrap();
        site.receive("LON", "A", 1_000_000_000);
        site.receive("LON", "A", 1_000_000_000);
        assert_eq!(site.stock("A"), "available 2000000000");
        site.verify();
    });
}

#[test]
fn keys_and_roles() {
    on_both(|url| {
        let site = Site::new(url.clone());
        site.locations(&[("LON", json!({}))]);
        let call = |what: &str, authorization: &str| site.send(what, b"{}".to_vec(), &[("authorization", authorization)]);
        assert_eq!(call("GET /stock", "").told(), "401 key_required");
        assert_eq!(call("GET /stock", "Bearer hf_no").told(), "401 key_invalid");
        assert_eq!(call("GET /stock", &format!("Bearer {}x", site.key)).told(), "401 key_invalid");
        let mut wrong = site.key.clone();
        wrong.pop();
        wrong.push(if site.key.ends_with('0') { '1' } else { '0' });
        let reply = call("GET /stock", &format!("Bearer {wrong}"));
        assert_eq!(reply.told(), "401 key_invalid");
        assert!(!reply.body.to_string().contains(&wrong[20..]), "no secret in an answer");

        let now = site.time.now();
        let key = |role| create_key(&url, "k", role, now, None).unwrap().1;
        let (reader, operator) = (key("read"), key("operate"));
        for (what, key, told) in [
            ("GET /stock", &reader, "200"),
            ("POST /reservations", &reader, "403 role_insufficient"),
            ("POST /items", &operator, "403 role_insufficient"),
            ("POST /reservations", &operator, "400 invalid_field"),
            ("GET /keys", &operator, "403 role_insufficient"),
        ] {
            assert_eq!(call(what, &format!("Bearer {key}")).told(), told, "{what}");
        }
        let created = site.ok("POST /keys", json!({"name": "shop", "role": "operate", "expires_in_seconds": 60}));
        let bearer = format!("Bearer {}", created["key"].as_str().unwrap());
        assert_eq!(call("GET /stock", &bearer).told(), "200");
        assert!(site.get("/keys")["data"].as_array().unwrap().iter().all(|k| k["key"].is_null() && k["hash"].is_null()));
        site.time.advance(61);
        assert_eq!(call("GET /stock", &bearer).told(), "401 key_invalid", "expired");
        let short = site.ok("POST /keys", json!({"name": "gone", "role": "read"}));
        assert_eq!(site.call(&format!("DELETE /keys/{}", short["id"].as_str().unwrap()), json!(null)).status, 204);
        assert_eq!(call("GET /stock", &format!("Bearer {}", short["key"].as_str().unwrap())).told(), "401 key_invalid", "revoked");
        // A foreign page can make a browser send a cookie, but not a bearer token.
        let cookie = format!("hf_key={}", site.key);
        for what in ["GET /stock", "POST /reservations"] {
            assert_eq!(site.send(what, b"{}".to_vec(), &[("authorization", ""), ("cookie", &cookie)]).told(), "401 key_required");
        }
    });
}
