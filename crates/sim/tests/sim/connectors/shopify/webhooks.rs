//! Webhooks: signed ones are read, all others are refused.

use super::shop::{CONNECTOR, SECRET, Shop, item};
use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use connectors::marketplace::{Marketplace, Notice, Rejected};
use connectors::transport::Fault;
use sim::markets::{Delivery, Faults, post, serve};
use std::sync::{Arc, Mutex};

fn secrets(name: &str) -> Option<String> {
    match name {
        "client_secret" => Some(SECRET.into()),
        "location" => Some("gid://shopify/Location/1".into()),
        _ => None,
    }
}

fn read(delivery: &Delivery, now: i64) -> Result<Notice, Rejected> {
    CONNECTOR.webhook(&secrets, &delivery.headers, &delivery.body, now)
}

async fn deliveries(faults: Faults) -> (Shop, Vec<Delivery>) {
    let shop = Shop::open(1, 1, |_| {}).await;
    shop.market.set_faults(faults);
    let order = shop.market.buy("10001", 2).unwrap();
    shop.market.cancel(&order, false).unwrap();
    let deliveries = shop.market.events().iter().map(|e| shop.front.delivery(e)).collect();
    (shop, deliveries)
}

#[tokio::test]
async fn each_says_what_to_ask_for() {
    let (shop, deliveries) = deliveries(Faults::default()).await;
    let order = format!("gid://shopify/Order/{}", shop.market.orders_since(0)[0].id);
    let read: Vec<_> = deliveries.iter().map(|d| read(d, shop.market.now()).unwrap()).collect();
    let asks = read.iter().filter(|n| **n == Notice::Ask(vec![order.clone()])).count();
    assert_eq!(asks, 3, "placed, paid, canceled: {read:?}");
    assert!(read.contains(&Notice::Quantities(vec![(item("10001"), 98)])));
}

#[tokio::test]
async fn what_is_not_signed_is_refused() {
    let (shop, deliveries) = deliveries(Faults::default()).await;
    let now = shop.market.now();
    let good = deliveries.iter().find(|d| String::from_utf8_lossy(&d.body).contains("Order/")).unwrap();
    let with = |name: &str, value: &str| {
        let mut changed = good.clone();
        changed.headers.retain(|(n, _)| n != name);
        changed.headers.push((name.into(), value.into()));
        changed
    };
    assert!(read(good, now).is_ok());
    let mut tampered = good.clone();
    tampered.body.push(b' ');
    let mut missing = good.clone();
    missing.headers.retain(|(name, _)| name != "x-shopify-hmac-sha256");
    let wrong = with("x-shopify-hmac-sha256", "c2lnbmVkIGJ5IG5vYm9keQ==");
    let garbage = with("x-shopify-hmac-sha256", "ü%");
    for bad in [&tampered, &missing, &wrong, &garbage] {
        assert_eq!(read(bad, now), Err(Rejected::Signature));
    }
    assert_eq!(CONNECTOR.webhook(&|_| None, &good.headers, &good.body, now), Err(Rejected::Signature), "no secret opens nothing");
    let empty = |_: &str| Some(String::new());
    assert_eq!(CONNECTOR.webhook(&empty, &good.headers, &good.body, now), Err(Rejected::Signature), "nor does an empty one");

    let hour = 3600 * 1_000_000;
    assert!(read(good, now + 4 * hour).is_ok(), "it is repeated for four hours");
    assert_eq!(read(good, now + 6 * hour), Err(Rejected::Old));
    assert_eq!(read(&with("x-shopify-topic", "carts/update"), now), Ok(Notice::Other("carts/update".into())));
    let signed = |body: &[u8]| {
        let mut delivery = with("x-shopify-hmac-sha256", &shop.front.sign(body));
        delivery.body = body.to_vec();
        delivery
    };
    // A secret is changed without a gap: the old and the new one are good meanwhile.
    let by =
        |secrets: &'static str| CONNECTOR.webhook(&move |name| (name == "client_secret").then(|| secrets.to_owned()), &good.headers, &good.body, now);
    assert!(by("new hush-hush").is_ok() && by("hush-hush\nnew").is_ok());
    assert_eq!(by("new hush"), Err(Rejected::Signature));
    assert!(matches!(read(&signed(b"<html>"), now), Err(Rejected::NotUnderstood(_))));
    assert!(matches!(read(&signed(b"{}"), now), Err(Rejected::NotUnderstood(_))));
    assert_eq!(read(&signed(b"{\"id\": 5}"), now), Ok(Notice::Ask(vec!["gid://shopify/Order/5".into()])));
    let mut refund = signed(b"{\"id\": 5, \"order_id\": 6}");
    refund.headers.push(("x-shopify-topic".into(), "refunds/create".into()));
    refund.headers.retain(|(name, topic)| name != "x-shopify-topic" || topic == "refunds/create");
    assert_eq!(read(&refund, now), Ok(Notice::Ask(vec!["gid://shopify/Order/6".into()])));
}

#[tokio::test]
async fn they_come_over_http_repeated_and_in_any_order() {
    let (shop, deliveries) = deliveries(Faults { duplicate: 1.0, out_of_order: 1.0, ..Faults::default() }).await;
    assert!(deliveries.len() >= 8, "each at least twice");
    let heard: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let into = heard.clone();
    let hear = move |headers: HeaderMap, body: Bytes| async move {
        let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        let now = jiff::Timestamp::now().as_microsecond();
        into.lock().unwrap().push(CONNECTOR.webhook(&secrets, &headers, &body, now).unwrap());
    };
    let receiver = serve(Router::new().route("/webhooks/shopify", axum::routing::post(hear))).await.unwrap();
    for delivery in &deliveries {
        assert_eq!(post(&format!("{}/webhooks/shopify", receiver.address), delivery).await.unwrap(), 200);
    }
    assert_eq!(heard.lock().unwrap().len(), deliveries.len());
    shop.market.set_faults(Faults { drop: 1.0, ..Faults::default() });
    shop.market.buy("10001", 1).unwrap();
    assert_eq!(shop.market.events(), [], "dropped for good");
}

const ADDRESS: &str = "https://holdfast.example/api/v1/webhooks/shop";

#[tokio::test]
async fn shopify_tells_those_who_asked_until_it_forgets_them() {
    let shop = Shop::open(2, 1, |_| {}).await;
    let wire = shop.wire();
    let orders_told = || {
        shop.market.buy("10001", 1).unwrap();
        let told = shop.front.told();
        told.iter().filter(|(address, d)| address == ADDRESS && matches!(read(d, shop.market.now()), Ok(Notice::Ask(_)))).count()
    };
    assert_eq!(orders_told(), 0);
    for _ in 0..3 {
        let topics = CONNECTOR.subscribe(&wire, ADDRESS).await.unwrap();
        assert_eq!((topics.len(), topics[0].as_str()), (5, "ORDERS_CREATE"));
        assert_eq!(shop.front.subscriptions.all().len(), 5);
    }
    assert_eq!(orders_told(), 1, "orders/create; orders/paid was not asked for");
    shop.front.subscriptions.remove("ORDERS_CREATE");
    assert_eq!(orders_told(), 0);
    CONNECTOR.subscribe(&wire, ADDRESS).await.unwrap();
    assert_eq!((orders_told(), shop.front.subscriptions.all().len()), (1, 5));
    let refused = CONNECTOR.subscribe(&wire, "http://holdfast.example/hooks").await;
    assert!(matches!(&refused, Err(Fault::Refused { code, .. }) if code == "address"), "{refused:?}");
}

#[tokio::test]
async fn subscribing_asks_for_each_topic_once_whatever_goes_wrong() {
    for seed in 1..25 {
        let shop = Shop::open(seed, 1, |_| {}).await;
        let wire = shop.wire_with(&[("access_token", super::shop::TOKEN)], |o| o.pace.whole = std::time::Duration::from_millis(200));
        shop.market.set_faults(Faults {
            throttled: 0.1,
            too_many: 0.1,
            error: 0.2,
            cut: 0.1,
            hang: 0.05,
            half: 0.2,
            unknown: 0.2,
            ..Faults::default()
        });
        let mut tries = 0;
        while let Err(fault) = CONNECTOR.subscribe(&wire, ADDRESS).await {
            assert!(!matches!(fault, Fault::Refused { .. }), "seed {seed}: {fault:?}");
            tries += 1;
            assert!(tries < 100, "seed {seed}: it never succeeds");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(shop.front.subscriptions.all().len(), 5, "seed {seed}");
    }
}
