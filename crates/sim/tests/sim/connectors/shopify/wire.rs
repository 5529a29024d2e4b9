//! The transport: tokens, limits, the circuit breaker, what is told as not done, and that no secret is ever shown.

use super::shop::{CONNECTOR, SECRET, Shop, TOKEN, all_orders, options};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use connectors::account::Account;
use connectors::marketplace::Marketplace;
use connectors::transport::{Fault, Request, Wire};
use sim::markets::mishaps::{Break, broken};
use sim::markets::{Faults, serve};
use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SIGNS_IN: [(&str, &str); 1] = [("client_id", "client")];

fn sign_ins(wire: &Wire) -> u64 {
    wire.figures().operations.get("access_token").map_or(0, |c| c.calls)
}

#[tokio::test]
async fn one_token_is_fetched_for_all_and_again_when_it_ends() {
    let clock = Arc::new(AtomicI64::new(jiff::Timestamp::now().as_microsecond()));
    let shop = Shop::open(1, 3, |front| front.access_token = None).await;
    let time = clock.clone();
    let wire = shop.wire_with(&SIGNS_IN, |o| o.clock = Arc::new(move || time.load(Ordering::Relaxed)));
    let calls: Vec<_> = (0..20).map(|_| CONNECTOR.check(&wire)).collect();
    for call in futures_util::future::join_all(calls).await {
        call.unwrap();
    }
    assert_eq!(sign_ins(&wire), 1);
    clock.fetch_add(86_300 * 1_000_000, Ordering::Relaxed);
    CONNECTOR.check(&wire).await.unwrap();
    assert_eq!(sign_ins(&wire), 1, "not yet");
    clock.fetch_add(60 * 1_000_000, Ordering::Relaxed);
    CONNECTOR.check(&wire).await.unwrap();
    assert_eq!(sign_ins(&wire), 2, "shortly before it ends");
    shop.market.expire_tokens();
    let calls: Vec<_> = (0..20).map(|_| CONNECTOR.check(&wire)).collect();
    for call in futures_util::future::join_all(calls).await {
        call.unwrap();
    }
    assert_eq!(sign_ins(&wire), 3, "one for all whose token was refused");
}

#[tokio::test]
async fn a_token_may_end_between_two_pages() {
    let shop = Shop::open(2, 1, |front| front.access_token = None).await;
    (0..30).for_each(|_| assert!(shop.market.buy("10001", 1).is_some()));
    let wire = shop.wire_with(&SIGNS_IN, |_| {});
    let first = CONNECTOR.orders(&wire, 0, None).await.unwrap();
    shop.market.expire_tokens();
    let second = CONNECTOR.orders(&wire, 0, first.next).await.unwrap();
    assert_eq!((second.rows.len(), sign_ins(&wire)), (10, 2));
    shop.market.set_faults(Faults { expire: 0.7, ..Faults::default() });
    // Twice in one call is too much, as it would be for wrong credentials; the caller comes back.
    let seen = loop {
        match all_orders(&wire, 0).await {
            Ok(orders) => break orders.len(),
            Err(fault) => assert!(matches!(fault, Fault::Unauthorized { .. }), "{fault:?}"),
        }
    };
    assert_eq!(seen, 30);
}

#[tokio::test]
async fn wrong_credentials_are_told_and_asked_about_once() {
    let shop = Shop::open(3, 1, |_| {}).await;
    let wire = shop.wire_with(&[("access_token", "shpat_wrong")], |_| {});
    assert!(matches!(CONNECTOR.check(&wire).await, Err(Fault::Unauthorized { .. })));
    assert_eq!(wire.figures().operations["Shop"].calls, 1);
    let wire = shop.wire_with(&[("client_id", "nobody")], |_| {});
    assert!(matches!(CONNECTOR.check(&wire).await, Err(Fault::Unauthorized { .. })));
    assert_eq!((sign_ins(&wire), wire.figures().operations.contains_key("Shop")), (1, false));
}

#[tokio::test]
async fn calls_keep_to_the_points_that_the_shop_tells() {
    let shop = Shop::open(4, 1, |front| (front.points, front.points_per_second) = (1200.0, 6000.0)).await;
    (0..20).for_each(|_| assert!(shop.market.buy("10001", 1).is_some()));
    let wire = shop.wire();
    all_orders(&wire, 0).await.unwrap();
    let started = std::time::Instant::now();
    let calls: Vec<_> = (0..8).map(|_| all_orders(&wire, 0)).collect();
    for orders in futures_util::future::join_all(calls).await {
        assert_eq!(orders.unwrap().len(), 20);
    }
    // 16 or more calls of 592 points, at 6,000 a second.
    assert!(started.elapsed() > Duration::from_secs(1), "{:?}", started.elapsed());
    let figures = wire.figures();
    let orders = &figures.operations["Orders"];
    assert!(orders.throttled <= 2, "it waits by itself: {orders:?}");
    assert_eq!(figures.limits.iter().map(|(name, _, burst)| (*name, *burst)).collect::<Vec<_>>(), [("points", 1200.0)]);

    shop.market.set_faults(Faults { throttled: 0.5, too_many: 0.2, ..Faults::default() });
    for _ in 0..3 {
        match all_orders(&wire, 0).await {
            Ok(orders) => assert_eq!(orders.len(), 20),
            Err(fault) => assert!(matches!(fault, Fault::Throttled { .. }), "{fault:?}"),
        }
    }
    assert!(wire.figures().operations["Orders"].throttled > 0);
}

#[tokio::test]
async fn nothing_is_asked_of_a_shop_that_does_not_answer() {
    let shop = Shop::open(5, 1, |_| {}).await;
    let wire = shop.wire_with(&[("access_token", TOKEN)], |o| {
        (o.pace.tries, o.pace.circuit_after, o.pace.circuit_open) = (1, 3, Duration::from_millis(200));
    });
    shop.market.set_faults(Faults { cut: 1.0, ..Faults::default() });
    for _ in 0..3 {
        assert!(matches!(CONNECTOR.check(&wire).await, Err(Fault::Lost { .. })));
    }
    let asked = shop.market.truth().requests;
    assert!(matches!(CONNECTOR.check(&wire).await, Err(Fault::Unavailable { .. })));
    assert!(wire.figures().circuit_is_open);
    assert_eq!(shop.market.truth().requests, asked, "the circuit is open");
    shop.market.set_faults(Faults::default());
    tokio::time::sleep(Duration::from_millis(250)).await;
    CONNECTOR.check(&wire).await.unwrap();
    assert!(!wire.figures().circuit_is_open);
}

#[tokio::test]
async fn no_connection_is_surely_not_done_and_a_cut_one_may_be() {
    let gone = { serve(axum::Router::new()).await.unwrap().address.clone() };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let wire = |address: &str| {
        let mut options = options(address, &[("access_token", TOKEN)]);
        (options.pace.tries, options.pace.whole) = (2, Duration::from_millis(300));
        Wire::new(options).unwrap()
    };
    assert!(matches!(CONNECTOR.check(&wire(&gone)).await, Err(Fault::Unavailable { .. })));
    let shop = Shop::open(6, 1, |_| {}).await;
    for faults in [Faults { cut: 1.0, ..Faults::default() }, Faults { hang: 1.0, ..Faults::default() }, Faults { half: 1.0, ..Faults::default() }] {
        shop.market.set_faults(faults);
        let fault = CONNECTOR.check(&wire(&shop.served.address)).await;
        assert!(matches!(fault, Err(Fault::Lost { .. })), "{faults:?}: {fault:?}");
    }
    let asked = Arc::new(AtomicI64::new(0));
    let first_hangs = move || {
        let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        std::future::ready(if is_first { broken(Break::Hang) } else { StatusCode::SERVICE_UNAVAILABLE.into_response() })
    };
    let hangs = serve(axum::Router::new().fallback(first_hangs)).await.unwrap();
    let fault = CONNECTOR.check(&wire(&hangs.address)).await;
    assert!(matches!(fault, Err(Fault::Lost { .. })), "the earlier try may have been done, whatever the later one says: {fault:?}");
    let huge = serve(axum::Router::new().fallback(|| async { vec![b' '; 21 << 20] })).await.unwrap();
    assert!(matches!(CONNECTOR.check(&wire(&huge.address)).await, Err(Fault::NotUnderstood { .. })));
    let moved = serve(axum::Router::new().fallback(|| async { axum::response::Redirect::temporary("http://127.0.0.1:1/") })).await.unwrap();
    assert!(matches!(CONNECTOR.check(&wire(&moved.address)).await, Err(Fault::NotUnderstood { .. })), "a token follows no redirect");
    for address in ["http://shop.example", "ftp://127.0.0.1", "shop.example"] {
        assert!(matches!(Wire::new(options(address, &[])), Err(Fault::Refused { .. })), "{address}");
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // For all threads: one of another test that came first to a place that logs would switch it off for this one.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut shown = String::new();

    // A server that quotes every request that it gets, body and token, in each way of saying no.
    let quote = |headers: axum::http::HeaderMap, body: String| async move {
        let token = headers.get("x-shopify-access-token").map_or("", |v| v.to_str().unwrap()).to_owned();
        let quoted = format!("{token} {body} {SECRET}");
        let errors = serde_json::json!({ "errors": [{ "message": quoted, "extensions": { "code": quoted } }] });
        match fastrand::u8(0..3) {
            0 => (axum::http::StatusCode::OK, errors.to_string()),
            1 => (axum::http::StatusCode::FORBIDDEN, quoted),
            _ => (axum::http::StatusCode::OK, quoted),
        }
    };
    let mean = serve(axum::Router::new().fallback(quote)).await.unwrap();
    for settings in [&[("access_token", TOKEN)], &SIGNS_IN] {
        let mut options = options(&mean.address, settings);
        options.pace.tries = 1;
        let wire = Wire::new(options).unwrap();
        for _ in 0..20 {
            shown += &format!("{wire:?} {:?}", CONNECTOR.check(&wire).await);
        }
        shown += &format!("{:?}", wire.figures());
    }
    let shop = Shop::open(7, 1, |front| front.access_token = None).await;
    shop.market.set_faults(Faults::all(0.2));
    let wire = shop.wire_with(&SIGNS_IN, |o| o.pace.whole = Duration::from_millis(100));
    for _ in 0..30 {
        shown += &format!("{:?}", CONNECTOR.check(&wire).await);
    }
    let request: Request = CONNECTOR.sign_in(&|name| wire.setting(name).to_owned()).unwrap();
    shown += &format!("{request:?}");

    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("a call failed"), "something was logged");
    assert!(shown.contains("[hidden]"), "something was quoted");
    for secret in [TOKEN, SECRET, "token-"] {
        assert!(!shown.contains(secret) && !log.contains(secret), "{secret} is shown");
    }
}
