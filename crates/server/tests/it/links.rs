//! What ties a channel to us beside its orders: subscriptions to its webhooks, the challenge that proves an address, the keys and
//! secrets that notices are signed with.

use crate::support::{Reply, Site, on_both};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use sim::markets::ebay::Ebay;
use sim::markets::market::Listing;
use sim::markets::shopify::Shopify;
use sim::markets::{Delivery, Market, Served, serve};
use std::sync::Arc;
use tower::ServiceExt;

const VERIFICATION: &str = "a_token-of-our-own-with-40-characters-in";
const AUCTION: &str = "https://holdfast.example/api/v1/webhooks/auction";

/// A site with 30 lamps, and a market by its clock that sells ten of them.
fn market(site: &Site) -> Arc<Market> {
    site.locations(&[("LON", json!({}))]);
    site.item("LAMP", json!({}), "LON 30");
    let time = site.time.clone();
    let market = Market::with_clock(5, Arc::new(move || time.now()));
    market.list(Listing { id: "101".into(), sku: "LAMP".into(), title: "LAMP".into(), shown: 10, price: 999, ..Listing::default() });
    market
}

/// The same, connected as a simulated eBay.
fn auction(site: &Site, change: impl Fn(&mut Value)) -> (Arc<Market>, Arc<Ebay>, Served) {
    let market = market(site);
    let front = Ebay::new(market.clone());
    let served = site.block_on(serve(front.router())).unwrap();
    let mut body = json!({
        "code": "auction", "kind": "ebay", "name": "Auction", "address": served.address,
        "settings": {
            "client_id": "app", "client_secret": "cert", "refresh_token": "v^1.1#refresh", "verification_token": VERIFICATION,
            "webhook_address": AUCTION, "alert_email": "alerts@example.com",
        },
    });
    change(&mut body);
    site.ok("POST /channels", body);
    (market, front, served)
}

/// As a marketplace sends it, without a key of ours.
fn deliver(site: &Site, code: &str, delivery: &Delivery) -> String {
    let headers: Vec<(&str, &str)> = delivery.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain([("authorization", "")]).collect();
    site.send(&format!("POST /webhooks/{code}"), delivery.body.clone(), &headers).told()
}

fn open(site: &Site, path: &str) -> Reply {
    site.send(&format!("GET {path}"), Vec::new(), &[("authorization", "")])
}

fn subscribe(site: &Site, code: &str, address: &str) -> Reply {
    site.call(&format!("POST /channels/{code}/subscribe"), json!({ "address": address }))
}

/// Answers eBay's challenges as the site does, by a request of its own to the public address.
fn answering(site: &Site, front: &Ebay) {
    let app = site.app.clone();
    front.probe_with(Arc::new(move |address, code| {
        let (app, path) = (app.clone(), address.split_once("holdfast.example")?.1.to_owned());
        let request = Request::builder().uri(format!("{path}?challenge_code={code}")).body(Body::empty()).ok()?;
        let asked = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let answer = app.router().oneshot(request).await.ok()?;
                let is_json = answer.headers().get("content-type").is_some_and(|t| t == "application/json");
                let body = axum::body::to_bytes(answer.into_body(), 10_000).await.ok()?;
                let body: Value = serde_json::from_slice(&body).ok()?;
                body["challengeResponse"].as_str().filter(|_| is_json).map(str::to_owned)
            })
        });
        asked.join().ok()?
    }));
}

#[test]
fn ebay_proves_the_address_and_its_notices_are_taken_by_their_key() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, front, _served) = auction(&site, |_| {});
        answering(&site, &front);
        assert_eq!(subscribe(&site, "auction", "https://elsewhere.example/hooks").told(), "422 invalid_field");
        assert_eq!(subscribe(&site, "auction", "http://holdfast.example/api/v1/webhooks/auction").told(), "422 invalid_field");
        assert_eq!(subscribe(&site, "nowhere", AUCTION).told(), "404 unknown_channel");
        assert_eq!(site.call("POST /channels/auction/subscribe", json!({ "adress": AUCTION })).told(), "400 unknown_field");
        for _ in 0..2 {
            assert_eq!(subscribe(&site, "auction", AUCTION).body, json!({ "topics": ["ORDER_CONFIRMATION"] }));
            assert_eq!(front.known(), (1, 1));
        }

        // No worker runs: what comes in comes by notice.
        market.buy("101", 2).unwrap();
        let told = front.told();
        assert_eq!(told.iter().map(|(address, _)| address.as_str()).collect::<Vec<_>>(), [AUCTION, AUCTION], "placed, and paid");
        for (_, delivery) in &told {
            assert_eq!(deliver(&site, "auction", delivery), "200");
        }
        let orders = || site.get("/orders?channel=auction")["data"].as_array().unwrap().clone();
        assert_eq!((orders().len(), &orders()[0]["lines"][0]["sku"]), (1, &json!("LAMP")));
        assert_eq!(front.keys_asked(), 1, "the key is kept");

        // Signed by nobody, by another, or for another body.
        let good = &told[0].1;
        let other = Ebay::new(Market::new(6));
        let with = |signature: String| {
            let mut changed = good.clone();
            changed.headers.retain(|(name, _)| name != "x-ebay-signature");
            changed.headers.push(("x-ebay-signature".into(), signature));
            changed
        };
        let mut tampered = good.clone();
        tampered.body.push(b' ');
        for bad in [with(String::new()), with("e30=".into()), with(other.sign(&good.body)), tampered] {
            assert_eq!(deliver(&site, "auction", &bad), "401 signature_invalid");
        }
        assert_eq!(front.keys_asked(), 1);

        // Strangers name keys that do not exist, and make us ask a few times a minute.
        for n in 0..30 {
            let name = base64(&format!("{{\"alg\":\"ecdsa\",\"kid\":\"stranger-{n}\",\"signature\":\"AAAA\",\"digest\":\"SHA1\"}}"));
            assert_eq!(deliver(&site, "auction", &with(name)), "401 signature_invalid");
        }
        assert!((2..=4).contains(&front.keys_asked()), "asked {} times", front.keys_asked());
        let asked = front.keys_asked();
        assert_eq!(deliver(&site, "auction", good), "200", "the good key is none the worse for it");

        // An hour later the key is fetched again, whatever strangers ask for; and the notice of an hour ago is not too old.
        site.time.advance(3_601);
        assert_eq!(deliver(&site, "auction", good), "200");
        assert_eq!(front.keys_asked(), asked + 1);
        site.time.advance(24 * 3_600);
        assert_eq!(deliver(&site, "auction", good), "401 signature_invalid", "a day later it is");

        // What eBay switched off is switched on by asking again.
        front.mark_down();
        market.buy("101", 1).unwrap();
        assert!(front.told().is_empty());
        assert_eq!(subscribe(&site, "auction", AUCTION).told(), "200");
        market.buy("101", 1).unwrap();
        assert!(!front.told().is_empty());
        site.verify();
    });
}

/// RFC 4648.
fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |some: &[u8]| {
        let bits = some.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - some.len()));
        let digit = |n: usize| if n <= some.len() { char::from(DIGITS[(bits >> (18 - 6 * n)) as usize & 63]) } else { '=' };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    text.as_bytes().chunks(3).flat_map(digits).collect()
}

#[test]
fn a_challenge_is_answered_to_whom_it_concerns_and_tells_nothing_else() {
    on_both(|url| {
        let site = Site::new(url);
        let (_, front, _served) = auction(&site, |_| {});
        // printf '%s' "abc$VERIFICATION$AUCTION" | sha256sum
        let answer = open(&site, "/webhooks/auction?challenge_code=abc");
        assert_eq!((answer.status, &answer.body), (200, &json!({ "challengeResponse": EXPECTED })));
        for (path, told) in [
            ("/webhooks/auction", "400 invalid_parameter"),
            ("/webhooks/auction?challenge_code=", "400 invalid_parameter"),
            ("/webhooks/auction?challenge_code=a%20b", "400 invalid_parameter"),
            (&format!("/webhooks/auction?challenge_code={}", "a".repeat(257)), "400 invalid_parameter"),
            ("/webhooks/nowhere?challenge_code=abc", "404 unknown_path"),
        ] {
            assert_eq!(open(&site, path).told(), told, "{path}");
        }
        // Without the token or the address there is no answer, and eBay's own refusal is told.
        let settings = json!({ "client_id": "app", "client_secret": "cert", "refresh_token": "v^1.1#refresh", "alert_email": "a@example.com", "webhook_address": AUCTION });
        site.ok("PATCH /channels/auction", json!({ "settings": settings }));
        assert_eq!(open(&site, "/webhooks/auction?challenge_code=abc").told(), "404 unknown_path");
        answering(&site, &front);
        let refused = subscribe(&site, "auction", AUCTION);
        assert!(refused.body["detail"].as_str().unwrap().contains("verification_token"), "{}", refused.body);
        let mut settings = settings;
        settings["verification_token"] = json!("another-token-with-more-than-32-characters");
        settings["webhook_address"] = json!("https://holdfast.example/api/v1/webhooks/typo");
        site.ok("PATCH /channels/auction", json!({ "settings": settings }));
        let refused = subscribe(&site, "auction", "https://holdfast.example/api/v1/webhooks/typo");
        assert!(refused.body["detail"].as_str().unwrap().contains("Challenge verification failed"), "{}", refused.body);
        let shown = format!("{} {}", site.get("/channels"), site.get("/events"));
        assert!(!shown.contains(VERIFICATION) && !shown.contains("another-token"), "{shown}");
    });
}

const EXPECTED: &str = "f2a2acb5ca6a0ff722758161423d008b01891ace9801301b0cc7e55d4ce64f67";

#[test]
fn a_secret_is_changed_without_a_gap_and_only_subscribers_are_told() {
    on_both(|url| {
        let site = Site::new(url);
        let market = market(&site);
        let front = Arc::new(Shopify::new(market.clone()));
        let served = site.block_on(serve(front.clone().router())).unwrap();
        let settings = |secret: &str| json!({ "access_token": "shpat_simulated", "client_secret": secret, "location": "1" });
        site.ok(
            "POST /channels",
            json!({ "code": "shop", "kind": "shopify", "name": "Shop", "address": served.address, "settings": settings("hush") }),
        );
        let address = "https://holdfast.example/api/v1/webhooks/shop";
        market.buy("101", 1).unwrap();
        assert!(front.told().is_empty(), "nobody asked");

        let (_, operator) = engine::create_key(&site.url, "operator", "operate", site.time.now(), None).unwrap();
        let bearer = format!("Bearer {operator}");
        let body = json!({ "address": address }).to_string().into_bytes();
        let by_operator = site.send("POST /channels/shop/subscribe", body.clone(), &[("authorization", &bearer)]);
        assert_eq!(by_operator.status, 403, "{}", by_operator.body);
        assert_eq!(site.send("POST /channels/shop/subscribe", body, &[("authorization", "")]).status, 401);
        let topics = subscribe(&site, "shop", address).body["topics"].as_array().unwrap().len();
        assert_eq!((topics, front.subscriptions.all().len()), (5, 5));
        assert_eq!(open(&site, "/webhooks/shop?challenge_code=abc").told(), "404 unknown_path", "Shopify asks nothing");

        // A notice of an order, by the secret of then.
        let order_told = || {
            market.buy("101", 1).unwrap();
            let told = front.told().into_iter().map(|(_, delivery)| delivery);
            told.into_iter().find(|d| d.headers.iter().any(|(_, value)| value == "orders/create")).unwrap()
        };
        assert_eq!(deliver(&site, "shop", &order_told()), "200");
        for (secrets, told) in [("new hush", "200"), ("hush new", "200"), ("new", "401 signature_invalid")] {
            site.ok("PATCH /channels/shop", json!({ "settings": settings(secrets) }));
            assert_eq!(deliver(&site, "shop", &order_told()), told, "{secrets}");
        }

        // An app that signs in by its secret: a new one is used at once, without starting anything anew.
        let mut front = Shopify::new(market.clone());
        (front.access_token, front.client_secret) = (None, "new".into());
        let signs_in = site.block_on(serve(Arc::new(front).router())).unwrap();
        let settings = |secret: &str| json!({ "client_id": "client", "client_secret": secret, "location": "1" });
        site.ok("PATCH /channels/shop", json!({ "address": signs_in.address, "settings": settings("old") }));
        assert_eq!(subscribe(&site, "shop", address).told(), "502 channel_unreachable");
        site.ok("PATCH /channels/shop", json!({ "settings": settings("new old") }));
        assert_eq!(subscribe(&site, "shop", address).told(), "200");

        // Shopify does not answer; it is told as what it is.
        drop(served);
        site.ok("PATCH /channels/shop", json!({ "address": "http://127.0.0.1:1" }));
        assert_eq!(subscribe(&site, "shop", address).told(), "502 channel_unreachable");
    });
}
