//! The Amazon connector against a simulated Amazon, every word of both held against Amazon's own documents.

use super::schema::{Exception, Schemas};
use super::wires::{Done, done_by_fault, done_by_outcome, faults, run, seeds, wire};
use connectors::account::Account;
use connectors::amazon::Amazon;
use connectors::amazon::fba::{Fba, all_stock};
use connectors::marketplace::{Address, MarketOrder, MarketState, Marketplace, Notice, Rejected, SetOutcome, SetQuantity, Shipped};
use connectors::transport::{Fault, Wire};
use connectors::warehouse::{HandOver, HandOverLine, HandedState, Warehouse};
use holdfast_sim::markets::amazon::{self as simulated, MARKETPLACE, SELLER};
use holdfast_sim::markets::market::{Listing, Order};
use holdfast_sim::markets::{Faults, Market, Served, serve};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

const DOCUMENTS: &[(&str, &str)] = &[
    ("", "amazon/orders_2026-01-01.json"),
    ("", "amazon/ordersV0.json"),
    ("", "amazon/listingsItems_2021-08-01.json"),
    ("", "amazon/feeds_2021-06-30.json"),
    ("", "amazon/fbaInventory.json"),
    ("", "amazon/fulfillmentOutbound_2026-07-04.json"),
    ("", "amazon/sellers.json"),
    ("", "amazon/notifications.json"),
];
const OUTSIDE: &[Exception] = &[
    ("POST", "/auth/o2/token", "Login with Amazon has no document among those of the API"),
    ("PUT", "/uploads/", "an address that Amazon gives"),
    ("GET", "/downloads/", "an address that Amazon gives"),
];
const EXCEPTIONS: &[Exception] = &[];
const MINUTE: i64 = 60_000_000;
const CONNECTOR: Amazon = Amazon;
const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";
const ADDRESS: &str = "https://holdfast.example/api/v1/webhooks/amazon";

struct World {
    market: Arc<Market>,
    front: Arc<simulated::Amazon>,
    schemas: Arc<Schemas>,
    wire: Wire,
    /// Added to the market's clock.
    ahead: Arc<AtomicI64>,
    _served: Served,
}

impl World {
    async fn new(seed: u64) -> World {
        World::at_speed(seed, 100_000.0).await
    }

    async fn at_speed(seed: u64, speed: f64) -> World {
        let ahead = Arc::new(AtomicI64::new(0));
        let later = ahead.clone();
        let market = Market::with_clock(seed, Arc::new(move || jiff::Timestamp::now().as_microsecond() + later.load(Ordering::Relaxed)));
        let front = simulated::Amazon::new(market.clone(), speed);
        let schemas = Schemas::new(DOCUMENTS, OUTSIDE, EXCEPTIONS);
        let served = serve(schemas.around(front.router())).await.unwrap();
        let settings = [
            ("client_id", "app"),
            ("client_secret", "a-secret"),
            ("refresh_token", "Atzr|refresh"),
            ("seller_id", SELLER),
            ("marketplace_id", MARKETPLACE),
            ("login_address", &served.address),
            ("feed_poll_milliseconds", "1"),
            ("notifications_to", QUEUE),
        ];
        let wire = wire(&CONNECTOR, &served.address, &settings, seed);
        World { market, front, schemas, wire, ahead, _served: served }
    }

    fn list(&self, count: usize, shown: i64) {
        for n in 0..count {
            self.market.list(Listing { id: (10_000 + n).to_string(), sku: sku(n), barcode: None, title: format!("Thing {n}"), shown, price: 1050 });
        }
    }

    fn shown(&self, n: usize) -> i64 {
        self.market.by_sku(&sku(n)).unwrap().shown
    }

    fn pass(&self, microseconds: i64) {
        self.ahead.fetch_add(microseconds, Ordering::Relaxed);
    }
}

/// With characters that need escaping.
fn sku(n: usize) -> String {
    format!("S/{n} ü&+")
}

fn want(n: usize, from: Option<i64>, to: i64) -> SetQuantity {
    SetQuantity { listing: sku(n), from, to, key: format!("key-{n}-{to}") }
}

#[test]
fn all_listings_are_read_beyond_the_reach_of_a_search() {
    run(async {
        let world = World::new(1).await;
        world.list(2150, 4);
        let (mut all, mut page) = (BTreeMap::new(), None);
        loop {
            let found = CONNECTOR.listings(&world.wire, page).await.unwrap();
            assert!(found.unread.is_empty());
            all.extend(found.rows.into_iter().map(|l| (l.id.clone(), l.quantity)));
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        assert_eq!(all.len(), 2150);
        assert!(all.values().all(|q| *q == Some(4)));
        let mut asked: Vec<String> = (0..45).map(sku).collect();
        asked.push("nobody".into());
        let shown: BTreeMap<String, i64> = CONNECTOR.quantities(&world.wire, &asked).await.unwrap().into_iter().collect();
        assert_eq!(shown, (0..45).map(|n| (sku(n), 4)).collect());
        assert_eq!(CONNECTOR.quantities(&world.wire, &["nobody".to_owned()]).await.unwrap(), []);
        assert_eq!(CONNECTOR.quantities(&world.wire, &[sku(3)]).await.unwrap(), [(sku(3), 4)]);
        assert_eq!(CONNECTOR.check(&world.wire).await.unwrap(), "A Store");
        world.schemas.assert_kept(1);
    });
}

fn as_amazon_sees(order: &Order) -> (MarketState, i64) {
    let state = match order {
        o if o.canceled_at.is_some() => MarketState::Canceled,
        o if o.is_shipped() => MarketState::Shipped,
        o if o.paid => MarketState::Open,
        _ => MarketState::Pending,
    };
    (state, order.updated_at / 1000)
}

async fn read_all(world: &World, from: i64, known: &mut BTreeMap<String, MarketOrder>, mut between: impl FnMut()) -> Result<(), Fault> {
    let mut page = None;
    loop {
        let found = CONNECTOR.orders(&world.wire, from, page).await?;
        assert_eq!(found.unread, []);
        for order in found.rows {
            if known.get(&order.id).is_none_or(|k| k.updated_at <= order.updated_at) {
                known.insert(order.id.clone(), order);
            }
        }
        between();
        page = found.next;
        if page.is_none() {
            return Ok(());
        }
    }
}

#[test]
fn no_order_is_missed_and_none_that_amazon_sends_is_taken() {
    run(async {
        for seed in seeds(12) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed).await;
            world.list(5, 1_000_000);
            let from = world.market.now();
            let listing = || (10_000 + 1).to_string();
            let mut ids: Vec<String> = (0..rng.usize(1..350)).filter_map(|_| world.market.buy(&listing(), 2)).collect();
            world.front.is_sent_by_amazon(&ids[0]);
            world.pass(3 * MINUTE);
            let mut known = BTreeMap::new();
            let between = || {
                for _ in 0..rng.usize(0..30) {
                    let id = ids[rng.usize(0..ids.len())].clone();
                    match rng.u32(0..5) {
                        0 => ids.extend(world.market.buy(&listing(), 1)),
                        1 => drop(world.market.cancel(&id, true)),
                        2 => drop(world.market.cancel_units(&id, &format!("{id}00"), 1, true)),
                        3 => drop(world.market.ship(&id, &[(format!("{id}00"), 1)], None, None)),
                        _ => drop(world.market.pay(&id)),
                    }
                }
            };
            let again = world.market.now() - 2 * MINUTE;
            read_all(&world, from, &mut known, between).await.unwrap();
            world.pass(CONNECTOR.settles_in());
            read_all(&world, again, &mut known, || {}).await.unwrap();
            for order in world.market.orders_since(0) {
                let name = format!("111-{:0>7}-0000001", order.id);
                if order.id == ids[0] {
                    assert!(!known.contains_key(&name), "seed {seed}");
                    assert!(matches!(CONNECTOR.order(&world.wire, &name).await.unwrap().state, MarketState::Other(_)));
                    continue;
                }
                let read = known.get(&name).unwrap_or_else(|| panic!("seed {seed}: order {} was missed", order.id));
                assert_eq!((read.state.clone(), read.updated_at / 1000), as_amazon_sees(&order), "seed {seed}: order {}", order.id);
                let canceled: Vec<i64> = order.lines.iter().map(|l| if order.canceled_at.is_some() { l.quantity } else { l.canceled }).collect();
                if order.paid {
                    assert_eq!(read.lines.iter().map(|l| l.canceled).collect::<Vec<_>>(), canceled, "seed {seed}: order {}", order.id);
                }
            }
            world.schemas.assert_kept(seed);
        }
    });
}

#[test]
fn an_order_that_changed_a_moment_ago_is_in_the_list_of_what_was_placed() {
    run(async {
        let world = World::new(1).await;
        world.list(1, 10);
        let from = world.market.now();
        let id = world.market.buy_lines(&[("10000", 2)], false).unwrap();
        world.pass(4 * MINUTE);
        world.market.pay(&id).unwrap();
        let by_change = CONNECTOR.orders(&world.wire, from, None).await.unwrap();
        assert!(by_change.rows.is_empty(), "the list of changes ends two minutes ago");
        let placed = CONNECTOR.orders_placed(&world.wire, from, None).unwrap().await.unwrap();
        assert_eq!(placed.rows.iter().map(|o| o.lines[0].quantity).collect::<Vec<_>>(), [2]);
        world.schemas.assert_kept(1);
    });
}

#[test]
fn few_go_one_by_one_and_many_by_feed_and_all_are_only_taken() {
    run(async {
        let world = World::new(3).await;
        world.list(80, 50);
        let few = [want(0, Some(50), 60), want(1, Some(50), -1), SetQuantity { listing: "nobody".into(), ..want(9, None, 1) }];
        let outcomes = CONNECTOR.set_quantities(&world.wire, &few).await.unwrap();
        assert_eq!(outcomes[0], SetOutcome::Accepted);
        assert!(matches!(&outcomes[1], SetOutcome::Refused { code, .. } if code == "90220"), "{outcomes:?}");
        assert!(matches!(&outcomes[2], SetOutcome::Refused { code, .. } if code == "InvalidInput"), "{outcomes:?}");
        assert_eq!(world.schemas.seen().get("createFeed"), None);

        world.front.let_feeds_fail(0.3, 0.0);
        let many: Vec<SetQuantity> = (0..80).map(|n| want(n, Some(world.shown(n)), if n < 5 { 7 } else { 90 })).collect();
        let outcomes = CONNECTOR.set_quantities(&world.wire, &many).await.unwrap();
        for (n, outcome) in outcomes.iter().enumerate() {
            match outcome {
                SetOutcome::Accepted => assert_eq!(world.shown(n), many[n].to, "row {n}"),
                SetOutcome::Refused { code, .. } => assert!(code == "99022" && n >= 5 && world.shown(n) == 50, "row {n}: {code}"),
                other => panic!("row {n}: {other:?}"),
            }
        }
        let refused = outcomes.iter().filter(|o| matches!(o, SetOutcome::Refused { .. })).count();
        assert!((5..60).contains(&refused), "{refused} rows of the feed failed");
        assert_eq!(world.schemas.seen().get("createFeed"), Some(&1));
        assert_eq!(world.schemas.seen().get("patchListingsItem"), Some(&8));
        world.schemas.assert_kept(3);
    });
}

#[test]
fn what_the_limit_stops_is_told_as_not_done() {
    run(async {
        let world = World::at_speed(4, 1.0).await;
        world.list(12, 50);
        let wanted: Vec<SetQuantity> = (0..12).map(|n| want(n, Some(50), 8)).collect();
        let outcomes = CONNECTOR.set_quantities(&world.wire, &wanted).await.unwrap();
        let taken = outcomes.iter().filter(|o| **o == SetOutcome::Accepted).count();
        assert!((5..12).contains(&taken), "{outcomes:?}");
        for (n, outcome) in outcomes.iter().enumerate() {
            let expected = if n < taken { (SetOutcome::Accepted, 8) } else { (SetOutcome::Stale { shown: None }, 50) };
            assert_eq!((outcome.clone(), world.shown(n)), expected);
        }
        // The list of orders goes 20 times and then once in three minutes.
        world.pass(3 * MINUTE);
        let mut throttled = None;
        for n in 0..25 {
            if let Err(fault) = CONNECTOR.orders(&world.wire, 0, None).await {
                throttled = Some((n, fault));
                break;
            }
        }
        assert!(matches!(throttled, Some((20, Fault::Throttled { retry_after_ms: Some(_) }))), "{throttled:?}");
        world.schemas.assert_kept(4);
    });
}

#[test]
fn whatever_goes_wrong_what_is_said_is_true() {
    run(async {
        for seed in seeds(40) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed).await;
            world.list(40, 100);
            let delay = if rng.bool() { 0.5 } else { 0.0 };
            world.market.set_faults(Faults { delay, never: 0.3, ..faults(&mut rng) });
            world.front.let_feeds_fail(rng.f64() * 0.3, rng.f64() * 0.3);
            // What each listing may show, and what it must never show.
            let mut may: Vec<BTreeSet<i64>> = vec![BTreeSet::from([100]); 40];
            let mut never: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); 40];
            for round in 0..6 {
                let to = 1000 + round;
                let rows: Vec<usize> = (0..40).filter(|_| rng.u32(0..10) < 3 + 7 * (seed % 2) as u32).collect();
                let wanted: Vec<SetQuantity> = rows.iter().map(|n| want(*n, rng.bool().then_some(to - rng.i64(-1..2)), to)).collect();
                let done: Vec<Done> = match CONNECTOR.set_quantities(&world.wire, &wanted).await {
                    Ok(outcomes) => outcomes.iter().map(done_by_outcome).collect(),
                    Err(fault) => vec![done_by_fault(&fault); rows.len()],
                };
                assert_eq!(done.len(), rows.len());
                for (n, done) in rows.iter().zip(done) {
                    match done {
                        Done::Surely => panic!("seed {seed}: Amazon never says that it is done"),
                        Done::Perhaps => drop(may[*n].insert(to)),
                        Done::SurelyNot => drop(never[*n].insert(to)),
                    }
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            world.front.finish_feeds();
            for _ in 0..2 {
                for n in 0..40 {
                    let shown = world.shown(n);
                    assert!(
                        may[n].contains(&shown) && !never[n].contains(&shown),
                        "seed {seed}: listing {n} shows {shown}, told as not done: {:?}",
                        never[n]
                    );
                }
                world.pass(MINUTE);
            }
            world.schemas.assert_kept(seed);
        }
    });
}

#[test]
fn a_shipment_is_told_once_however_often_it_is_tried() {
    run(async {
        for seed in seeds(30) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed).await;
            world.list(2, 100);
            let id = world.market.buy_lines(&[("10000", 2), ("10001", 3)], true).unwrap();
            world.market.set_faults(faults(&mut rng));
            let shipped = Shipped {
                order: format!("111-{id:0>7}-0000001"),
                key: format!("k{seed}"),
                carrier: rng.bool().then(|| "UPS".into()),
                tracking_number: Some("1Z999".into()),
                shipped_at: 1_800_000_000_123_456,
                // Less than was bought, so that a second telling would be taken, too.
                lines: vec![(format!("{id}00"), 1), (format!("{id}01"), 1)],
            };
            let mut tries = 0;
            while let Err(fault) = CONNECTOR.ship(&world.wire, &shipped).await {
                tries += 1;
                let told = world.market.order(&id).unwrap().shipments.len();
                assert!(told <= 1, "seed {seed}: told {told} times, {fault:?}");
                assert!(tries < 500, "seed {seed}: it never succeeds");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            CONNECTOR.ship(&world.wire, &shipped).await.ok();
            assert_eq!(world.market.order(&id).unwrap().shipments.len(), 1, "seed {seed}");
            let blank = Shipped { tracking_number: None, ..shipped };
            assert!(matches!(CONNECTOR.ship(&world.wire, &blank).await, Err(Fault::Refused { code, .. }) if code == "tracking_number_needed"));
            world.schemas.assert_kept(seed);
        }
    });
}

#[test]
fn an_event_is_taken_only_with_the_secret_and_only_when_it_is_new() {
    run(async {
        let world = World::new(5).await;
        world.list(1, 10);
        world.market.set_faults(Faults { duplicate: 1.0, out_of_order: 1.0, ..Faults::default() });
        let id = world.market.buy("10000", 1).unwrap();
        let deliveries = world.front.deliveries("a key");
        assert!(deliveries.len() > 2, "told many times");
        let now = world.market.now();
        let secrets = |name: &str| (name == "webhook_secret").then(|| "a key".to_owned());
        for delivery in &deliveries {
            let read = |now| CONNECTOR.webhook(&secrets, &delivery.headers, &delivery.body, now);
            assert_eq!(read(now), Ok(Notice::Ask(vec![format!("111-{id:0>7}-0000001")])));
            assert_eq!(read(now + 25 * 60 * MINUTE), Err(Rejected::Old));
        }
        let wrong = world.front.deliveries("");
        assert!(wrong.is_empty());
        let body = &deliveries[0].body;
        for headers in [vec![], vec![("x-api-key".to_owned(), "another".to_owned())], vec![("x-api-key".to_owned(), String::new())]] {
            assert_eq!(CONNECTOR.webhook(&secrets, &headers, body, now), Err(Rejected::Signature));
        }
        assert_eq!(CONNECTOR.webhook(&|_| None, &deliveries[0].headers, body, now), Err(Rejected::Signature));
        assert_eq!(CONNECTOR.webhook(&|_| Some(String::new()), &[("x-api-key".into(), String::new())], body, now), Err(Rejected::Signature));
        // Secrets are changed without a gap: the old and the new one are good meanwhile.
        let change = |secret: &'static str| {
            CONNECTOR.webhook(&move |name| (name == "webhook_secret").then(|| secret.to_owned()), &headers_of("old"), body, now)
        };
        assert!(change("new old").is_ok() && change("old new").is_ok());
        assert_eq!(change("new older"), Err(Rejected::Signature));
        let elsewhere = |name: &str| match name {
            "webhook_secret" => Some("old".to_owned()),
            _ => Some("A1F83G8C2ARO7P".to_owned()),
        };
        let told = CONNECTOR.webhook(&elsewhere, &headers_of("old"), body, now);
        assert!(matches!(told, Ok(Notice::Other(_))), "an order of another marketplace: {told:?}");
        let other = format!("{{\"NotificationType\":\"FEED_PROCESSING_FINISHED\",\"EventTime\":\"{}\"}}", jiff::Timestamp::now());
        assert_eq!(CONNECTOR.webhook(&secrets, &deliveries[0].headers, other.as_bytes(), now), Ok(Notice::Other("FEED_PROCESSING_FINISHED".into())));
        assert!(matches!(CONNECTOR.webhook(&secrets, &deliveries[0].headers, b"[]", now), Err(Rejected::NotUnderstood(_))));
    });
}

fn headers_of(secret: &str) -> Vec<(String, String)> {
    vec![("x-api-key".to_owned(), secret.to_owned())]
}

fn order_to_send(reference: &str) -> HandOver {
    let ship_to = Address {
        country: "US".into(),
        postal_code: Some("62701".into()),
        name: Some("A Buyer".into()),
        address1: Some("1 Main Street".into()),
        city: Some("Springfield".into()),
        ..Address::default()
    };
    let lines = vec![HandOverLine { sku: sku(1), name: "Thing".into(), quantity: 2 }];
    HandOver { reference: reference.into(), number: "1001".into(), service: "STANDARD".into(), ship_to, lines }
}

#[test]
fn amazons_warehouse_sends_an_order_once_however_often_it_is_asked() {
    run(async {
        for seed in seeds(30) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed).await;
            world.market.set_faults(faults(&mut rng));
            let order = order_to_send("our-77");
            let mut tries = 0;
            let id = loop {
                match Fba.hand_over(&world.wire, &order).await {
                    Ok(id) => break id,
                    Err(fault) => assert!(
                        done_by_fault(&fault) == Done::Perhaps || world.front.taken("our-77") <= u64::from(tries > 0),
                        "seed {seed}: {fault:?}"
                    ),
                }
                tries += 1;
                assert!(tries < 500, "seed {seed}: it never succeeds");
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            assert_eq!((id.as_str(), world.front.taken("our-77")), ("our-77", 1), "seed {seed}");
            world.market.set_faults(Faults::default());
            tokio::time::sleep(Duration::from_millis(1100)).await;
            assert_eq!(Fba.follow(&world.wire, &id).await.unwrap().state, HandedState::Working);
            if seed % 2 == 0 {
                assert!(Fba.cancel(&world.wire, &id).await.unwrap());
            } else {
                world.front.send_out(&id);
                let handed = Fba.follow(&world.wire, &id).await.unwrap();
                assert_eq!((handed.state, handed.parcels[0].lines.clone()), (HandedState::Shipped, vec![(sku(1), 2)]));
                assert_eq!(handed.parcels[0].tracking_number.as_deref(), Some("1ZFBA"));
                assert!(matches!(Fba.cancel(&world.wire, &id).await, Err(Fault::Refused { .. })));
            }
            world.schemas.assert_kept(seed);
            if tries == 0 && seed > 8 {
                break;
            }
        }
    });
}

#[test]
fn the_whole_stock_is_read_though_names_of_pages_live_thirty_seconds() {
    run(async {
        for jump_at in [0, 10, 14, 18, 22] {
            let calls = Arc::new(AtomicU64::new(0));
            let world = World::new(6).await;
            for n in 0..120 {
                world.front.store(&sku(n), 10 + n as i64, n as i64);
            }
            let page = Fba.stock(&world.wire, None).await.unwrap();
            assert_eq!(page.rows.len(), 50);
            world.pass(31_000_000);
            assert!(matches!(Fba.stock(&world.wire, page.next).await, Err(Fault::Refused { status: 400, .. })));
            // Time jumps while the whole is being read.
            let ahead = world.ahead.clone();
            let jumping = tokio::spawn(async move {
                while calls.fetch_add(1, Ordering::Relaxed) < jump_at {
                    tokio::task::yield_now().await;
                }
                ahead.fetch_add(31_000_000, Ordering::Relaxed);
            });
            let all = all_stock(&world.wire).await.unwrap();
            jumping.await.unwrap();
            assert_eq!((all.rows.len(), all.unread.len()), (120, 0), "jump {jump_at}");
            assert_eq!((all.rows[3].sku.as_str(), all.rows[3].on_hand, all.rows[3].available), (sku(3).as_str(), 13, 3));
            world.schemas.assert_kept(6);
        }
    });
}

#[test]
fn what_a_carrier_brought_back_is_told() {
    run(async {
        let world = World::new(8).await;
        world.list(2, 10);
        let id = world.market.buy_lines(&[("10000", 2), ("10001", 1)], true).unwrap();
        world.market.ship(&id, &[(format!("{id}00"), 1)], Some("UPS"), Some("1Z")).unwrap();
        let returned = async || {
            let order = CONNECTOR.order(&world.wire, &format!("111-{id:0>7}-0000001")).await.unwrap();
            order.lines.iter().map(|l| l.returned).collect::<Vec<_>>()
        };
        assert_eq!(returned().await, [0, 0]);
        world.front.bring_back(&id);
        assert_eq!(returned().await, [1, 0]);
        let refund = connectors::marketplace::Refund { order: id.clone(), key: "k".into(), reason: String::new(), lines: Vec::new() };
        assert!(matches!(CONNECTOR.refund(&world.wire, &refund).await, Err(Fault::Refused { code, .. }) if code == "refund_not_offered"));
        world.schemas.assert_kept(8);
    });
}

#[test]
fn notices_are_subscribed_to_once_and_only_into_a_queue() {
    run(async {
        let world = World::new(9).await;
        world.list(1, 10);
        let told = || {
            world.market.buy("10000", 1).unwrap();
            world.front.told("a key").len()
        };
        assert_eq!(told(), 0);
        for _ in 0..2 {
            assert_eq!(CONNECTOR.subscribe(&world.wire, ADDRESS).await.unwrap(), ["ORDER_CHANGE"]);
            assert_eq!(Fba.subscribe(&world.wire, ADDRESS).await.unwrap(), ["FULFILLMENT_ORDER_STATUS"]);
            assert_eq!((world.front.destinations(), world.front.subscriptions().len()), (1, 2));
        }
        assert!(told() > 0);
        world.front.forget_subscriptions();
        assert_eq!(told(), 0);
        CONNECTOR.subscribe(&world.wire, ADDRESS).await.unwrap();
        assert!(told() > 0);
        // Another queue takes the place of the first; EventBridge is refused in Amazon's own words.
        let another = "arn:aws:sqs:us-east-1:123456789012:other";
        CONNECTOR.subscribe(&world.wire, another).await.unwrap();
        assert_eq!(world.front.subscriptions()["ORDER_CHANGE"]["sqs"]["arn"], another);
        let bridge = CONNECTOR.subscribe(&world.wire, "123456789012/us-east-1").await;
        assert!(matches!(&bridge, Err(Fault::Refused { detail, .. }) if detail.contains("does not support AWS_EVENT_BRIDGE")), "{bridge:?}");
        for nowhere in ["", "arn:aws:sqs:us-east-1:123456789012:orders.fifo", "arn:aws:sns:us-east-1:123456789012:x", "12345/us-east-1", "ftp://x"] {
            let refused = CONNECTOR.subscribe(&world.wire, nowhere).await;
            assert!(matches!(&refused, Err(Fault::Refused { code, .. }) if code == "notifications_to"), "{nowhere}: {refused:?}");
        }
        world.schemas.assert_kept(9);
    });
}

#[test]
fn subscribing_leaves_one_subscription_whatever_goes_wrong() {
    run(async {
        for seed in seeds(30) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed).await;
            world.market.set_faults(faults(&mut rng));
            for place in [ADDRESS, "arn:aws:sqs:us-east-1:123456789012:other"] {
                let mut tries = 0;
                while let Err(fault) = CONNECTOR.subscribe(&world.wire, place).await {
                    assert!(!matches!(fault, Fault::Refused { .. }), "seed {seed}: {fault:?}");
                    tries += 1;
                    assert!(tries < 500, "seed {seed}: it never succeeds");
                    // Amazon takes one such call a second.
                    let asked = if let Fault::Throttled { retry_after_ms: Some(ms) } = fault { ms } else { 20 };
                    tokio::time::sleep(Duration::from_millis(asked)).await;
                }
                let queue = if place == ADDRESS { QUEUE } else { place };
                assert_eq!(world.front.subscriptions()["ORDER_CHANGE"]["sqs"]["arn"], queue, "seed {seed}");
            }
            assert_eq!((world.front.destinations(), world.front.subscriptions().len()), (2, 1), "seed {seed}");
            world.schemas.assert_kept(seed);
        }
    });
}
