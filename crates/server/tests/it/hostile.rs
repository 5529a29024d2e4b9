//! Hostile inputs, tried and refused or shown as the text that they are: scripts in every text, paths that climb, huge and nested bodies,
//! split headers, forged hosts, and what the time of a refused sign-in tells.

use crate::support::{Site, on_both};
use engine::{By, Url};
use identity::password;
use serde_json::{Value, json};
use sim::postgres::TempFolder;
use std::time::Instant;

/// Breaks out of an attribute or a text, if anything lets it.
const SCRIPT: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";

fn id(document: &Value) -> String {
    document["id"].as_str().unwrap_or_else(|| panic!("no id in {document}")).to_owned()
}

/// A site with a script in every text that somebody can set; and what stands in the paths of its pages.
fn full_of_scripts(site: &Site) -> Vec<(&'static str, String)> {
    let s = SCRIPT;
    site.ok("POST /locations", json!({"code": "LON", "name": s, "kind": "warehouse", "country": "GB", "latitude": 51.5, "longitude": 0.1}));
    site.ok("POST /locations", json!({"code": "LEE", "name": s, "kind": "store", "country": "GB"}));
    site.ok("POST /items", json!({"sku": "<u>A", "name": s, "barcode": "'\"<u>"}));
    let line = json!([{"sku": "<u>A", "quantity": 9}]);
    site.ok("POST /stock/receive", json!({"location": "LON", "reference": s, "lines": line}));
    site.ok("POST /stock/adjust", json!({"location": "LON", "reason": s, "reference": s, "lines": [{"sku": "<u>A", "delta": -1}]}));
    let to = json!({"country": "GB", "name": s, "address1": s, "city": s, "postal_code": "<u>"});
    let one = json!([{"sku": "<u>A", "quantity": 1}]);
    let order = site.ok("POST /orders", json!({"channel": "web", "reference": s, "customer": s, "ship_to": to, "lines": one}));
    site.ok(&format!("POST /orders/{}/notes", id(&order)), json!({"note": s}));
    let fulfillment = format!("POST /fulfillments/{}/ship", id(&order["fulfillments"][0]));
    site.ok(&fulfillment, json!({"carrier": "<u>", "tracking_number": "<img src=x onerror=alert(2)>"}));
    let reservation = site.ok("POST /reservations", json!({"channel": "web", "lines": one, "expires_in_seconds": 900}));
    let transfer = site.ok("POST /transfers", json!({"from": "LON", "to": "LEE", "reference": s, "lines": one}));
    let settings = json!({"access_token": s, "client_secret": s, "location": s});
    site.ok("POST /channels", json!({"code": "shop", "kind": "shopify", "name": s, "address": "http://127.0.0.1:9", "settings": settings}));
    let hook = site.ok("POST /alerts", json!({"name": s, "url": "https://hooks.example.com/?q=%3Cscript%3E"}));
    site.ok("POST /keys", json!({"name": s, "role": "read"}));
    site.ok("POST /routing/rules", json!({"name": s, "rules": {"rules": [{"name": s}]}}));
    let owner = site.visitor("owner");
    owner.sent("/roles", &[("name", "night shift"), ("about", s), ("permissions", "stock.view")]);
    owner.post("/people", &[("name", s), ("login", "mallory@example.com"), ("role", "support")]);
    owner.post("/settings/house", &[("name", s), ("language", "en"), ("zone", "UTC"), ("currency", "GBP")]);
    let mallory = site.engine.read_blocking(|tx| engine::people::by_login(tx, "mallory@example.com")).unwrap().unwrap().id;
    vec![
        ("/items/", "%3Cu%3EA".into()),
        ("/orders/", id(&order)),
        ("/reservations/", id(&reservation)),
        ("/transfers/", id(&transfer)),
        ("/locations/", "LON".into()),
        ("/channels/", "shop".into()),
        ("/webhooks/", id(&hook)),
        ("/people/", mallory),
        ("/roles/", "night%20shift".into()),
        ("/audit/", "3".into()),
    ]
}

#[test]
fn scripts_stay_texts_on_every_page() {
    on_both(|url| {
        let site = Site::new(url);
        let names = full_of_scripts(&site);
        let owner = site.visitor("owner");
        let asked = "%22%27%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%3Cimg%20src%3Dx%20onerror%3Dalert%282%29%3E";
        let (mut seen, mut shown) = (0, 0);
        for route in
            site.app.routes().1.iter().filter(|k| k.method == "GET" && !k.path.starts_with("/api") && k.path != "/live" && k.path != "/metrics")
        {
            let mut path = route.path.clone();
            if let Some((start, name)) = names.iter().find(|(start, _)| path.starts_with(start) && path.contains('{')) {
                let rest = path[start.len()..].split_once('/').map_or(String::new(), |(_, rest)| format!("/{rest}"));
                path = format!("{start}{name}{rest}");
            }
            // What is asked for comes back in fields of filters and in words such as “nothing is called so”.
            for query in [
                String::new(),
                ["q", "view", "at", "sort", "status", "channel", "next", "as_of", "said"].map(|name| format!("{name}={asked}")).join("&"),
            ] {
                let reply = owner.get(&format!("{path}?{query}"));
                let text = reply.text();
                seen += 1;
                shown += usize::from(text.contains("&lt;script&gt;alert(1)"));
                assert!(reply.status < 500, "{path}?{query}: {} {text}", reply.status);
                let html = reply.headers.get("content-type").is_some_and(|t| t.to_str().unwrap().starts_with("text/html"));
                for raw in ["<script>alert", "<img src=x", "<u>"] {
                    assert!(!html || !text.contains(raw), "{path}?{query} holds {raw}: {text}");
                }
            }
        }
        assert!(seen > 100 && shown > 30, "{seen} pages, on {shown} of which a script stands as a text");
        site.verify();
    });
}

#[test]
fn paths_do_not_climb() {
    let folder = TempFolder::new("paths").unwrap();
    let site = Site::new(Url::Sqlite(folder.path().join("holdfast.db")));
    let owner = site.visitor("owner");
    let long = format!("/items/{}", "a".repeat(60_000));
    for path in [
        "/static/x/../../Cargo.toml",
        "/static/x/..%2f..%2fCargo.toml",
        "/static/..%2f..%2f..%2fetc/passwd",
        "/static/x/%2fetc%2fpasswd",
        "/static/x/holdfast.css%00.js",
        "/items/..%2f..%2fsettings",
        "/items/%00",
        "/items/%ff%fe",
        "/items/%2e%2e/%2e%2e/people",
        "/imports/template/..%2f..%2fholdfast.db",
        "/imports/..%2f..%2fholdfast.db",
        "/audit/-1",
        "/audit/99999999999999999999999",
        "/orders/0x10",
        "/orders/1%27%20OR%201=1",
        "/items?after=%27;DROP%20TABLE%20items",
        "/items?sort=name;DROP%20TABLE%20items",
        "/items?as_of=9999-99-99T99:99",
        "/orders?from=99999-01-01&to=-5",
        long.as_str(),
    ] {
        let reply = owner.get(path);
        assert!((200..500).contains(&reply.status), "{path}: {}", reply.status);
        assert!(!reply.text().contains("root:") && !reply.text().contains("[workspace]"), "{path}");
    }
    assert_eq!(site.get("/items")["data"], json!([]));
}

#[test]
fn huge_and_nested_bodies_are_refused() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
        for (what, body, told) in [
            ("POST /orders", "x".repeat(2 << 20), "413 body_too_large"),
            ("POST /orders", nested("[", "]"), "400 malformed_json"),
            ("POST /orders", nested("{\"a\":", "}"), "400 "),
            ("POST /items", format!("{{\"sku\":\"{}\"}}", "s".repeat(900_000)), "4"),
            ("POST /items", "{\"sku\":\"\\u0000\"}".into(), "4"),
            ("POST /items", "{\"sku\":\"\\ud800\"}".into(), "400 "),
            ("POST /items", format!("{{{}}}", (0..60_000).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")), "400 "),
            ("POST /stock/receive", format!("{{\"location\":\"L\",\"lines\":[{}]}}", vec!["{\"sku\":\"A\",\"quantity\":1}"; 30_000].join(",")), "4"),
        ] {
            let reply = site.send(what, body.into_bytes(), &[]);
            assert!(reply.told().starts_with(told), "{what}: {}, not {told}", reply.told());
        }
        let form = [("cookie", owner.cookie.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        let many = format!("csrf={}{}", owner.token, "&a=1".repeat(400_000));
        for body in [many.into_bytes(), vec![b'%'; 3 << 20], b"%ff%fe=%00".to_vec(), Vec::new()] {
            let reply = site.ask("POST", "/items", body, &form);
            assert!((400..500).contains(&reply.status), "{}", reply.status);
        }
        // What says that it is packed and is not, and a bomb: a gigabyte of zeros in a megabyte.
        let packed = [("content-encoding", "gzip")];
        assert!(site.send("POST /imports/items", b"not packed".to_vec(), &packed).status < 500);
        assert_eq!(site.get("/items")["data"], json!([]));
        site.shut_and_verify();
    });
}

#[test]
fn headers_are_not_split_and_hosts_not_believed() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        let owner = site.visitor("owner");
        let elsewhere =
            ["//evil.example", "https://evil.example", "/\\evil.example", "/\r\nSet-Cookie: a=b", "javascript:alert(1)", "/%0d%0aSet-Cookie:a=b"];
        for next in elsewhere {
            let page =
                site.ask("GET", &format!("/sign-in?next={}", next.replace('\r', "%0d").replace('\n', "%0a").replace(' ', "%20")), Vec::new(), &[]);
            assert!(!page.text().contains("evil.example"), "{next} stands on the page");
            assert!(page.headers.get_all("set-cookie").iter().all(|c| !c.to_str().unwrap().starts_with("a=")), "{next}");
        }
        // An item's name in the address that a form sends the browser on to.
        let sku = "A\r\nSet-Cookie: a=b";
        let reply = owner.post("/items", &[("sku", sku), ("name", "x")]);
        assert!(reply.headers.get("set-cookie").is_none() && reply.status < 500, "{}", reply.status);
        // Whoever the request says that it was sent to, cookies and rules stay the same.
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost:7070@evil.example", "", "[::1", "a,b"] {
            let forged =
                [("host", host), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example"), ("cookie", owner.cookie.as_str())];
            let reply = site.ask("GET", "/people", Vec::new(), &forged);
            assert!(reply.status == 200 && !reply.text().contains("evil.example"), "{host}: {}", reply.status);
            let form = [forged[0], forged[3], ("content-type", "application/x-www-form-urlencoded"), ("origin", "https://evil.example")];
            if host != "evil.example" {
                let body = format!("csrf={}&name=Eve&login=eve@evil.example&role=owner", owner.token).into_bytes();
                assert_eq!(site.ask("POST", "/people", body, &form).told(), "403 cross_site", "{host}");
            }
        }
        // Only a proxy that is trusted says where somebody comes from; this machine is one, and the last address counts.
        let made_up = [("cookie", owner.cookie.as_str()), ("x-forwarded-for", "6.6.6.6, not an address")];
        assert_eq!(site.ask("GET", "/people", Vec::new(), &made_up).status, 200);
    });
}

/// The shortest of some tries, in microseconds: whatever else the machine does only makes them longer.
fn takes(mut work: impl FnMut()) -> u128 {
    let times: Vec<u128> = (0..8)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_micros()
        })
        .collect();
    times.into_iter().min().unwrap_or_default()
}

#[test]
fn the_time_of_a_refused_sign_in_tells_nothing() {
    let folder = TempFolder::new("timing").unwrap();
    let site = Site::new(Url::Sqlite(folder.path().join("holdfast.db")));
    let phc = password::hash("four odd lanterns sing").unwrap();
    let made = site.engine.transact(move |tx, now| {
        let new =
            engine::people::NewPerson { login: "ada@example.com".into(), name: "Ada".into(), role: "owner".into(), locations: None, channels: None };
        let person = engine::people::create(tx, &By::from("test"), now, &new)?;
        engine::people::set_password(tx, &By::from("test"), now, &person.id, &phc, "")
    });
    site.block_on(made).unwrap();
    let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin"), ("host", "localhost:7070")];
    let try_as = |login: &str| {
        let reply = site.ask("POST", "/sign-in", format!("login={login}&password=wrong").into_bytes(), &form);
        assert_eq!(reply.status, 401);
        reply.text()
    };
    let words = |text: String| text.split("role=\"alert\"").nth(1).and_then(|t| t.split('<').next().map(str::to_owned));
    assert_eq!(words(try_as("nobody%40example.com")), words(try_as("ada%40example.com")), "the same words");
    site.time.advance(3_600);
    // Without a password's work the one would take a hundredth of the other.
    let nobody = takes(|| drop(try_as("nobody%40example.com")));
    let known = takes(|| {
        site.time.advance(3_600);
        drop(try_as("ada%40example.com"));
    });
    assert!(nobody * 3 > known && known * 3 > nobody, "{nobody} µs for nobody, {known} µs for somebody");
}
