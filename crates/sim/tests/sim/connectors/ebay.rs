//! The eBay connector against a simulated eBay, every word of both held against eBay's own documents.

use super::schema::{Exception, Schemas};
use super::wires::{Done, done_by_fault, done_by_outcome, faults, run, seeds, wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connectors::account::Account;
use connectors::ebay::{Ebay, call_limits};
use connectors::marketplace::{MarketOrder, MarketState, Marketplace, Notice, Refund, RefundLine, Rejected, SetOutcome, SetQuantity, Shipped};
use connectors::transport::{Fault, Wire};
use holdfast_sim::markets::market::{Listing, Order};
use holdfast_sim::markets::{Faults, Market, Served, ebay, serve};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const DOCUMENTS: &[(&str, &str)] = &[
    ("/sell/inventory/v1", "ebay/sell_inventory_v1_oas3.json"),
    ("/sell/fulfillment/v1", "ebay/sell_fulfillment_v1_oas3.json"),
    ("/commerce/notification/v1", "ebay/commerce_notification_v1_oas3.json"),
    ("/developer/analytics/v1_beta", "ebay/developer_analytics_v1_beta_oas3.json"),
];
const OUTSIDE: &[Exception] = &[("POST", "/identity/v1/oauth2/token", "OAuth has no document among eBay's")];
const EXCEPTIONS: &[Exception] = &[
    ("*", "status 401 is not in the document", "told in eBay's guide to OAuth, for all of its APIs"),
    ("*", "status 429 is not in the document", "told in eBay's guide to call limits, for all of its APIs"),
];

struct World {
    market: Arc<Market>,
    front: Arc<ebay::Ebay>,
    schemas: Arc<Schemas>,
    wire: Wire,
    seed: u64,
    _served: Served,
}

const CONNECTOR: Ebay = Ebay;
const ADDRESS: &str = "https://holdfast.example/api/v1/webhooks/ebay";
const VERIFICATION: &str = "a_token-of-our-own-with-40-characters-in";

impl World {
    async fn new(seed: u64, market: Arc<Market>) -> World {
        let front = ebay::Ebay::new(market.clone());
        let schemas = Schemas::new(DOCUMENTS, OUTSIDE, EXCEPTIONS);
        let served = serve(schemas.around(front.router())).await.unwrap();
        let settings = [
            ("client_id", "app"),
            ("client_secret", "cert"),
            ("refresh_token", "v^1.1#refresh"),
            ("verification_token", VERIFICATION),
            ("webhook_address", ADDRESS),
            ("alert_email", "alerts@example.com"),
        ];
        let wire = wire(&CONNECTOR, &served.address, &settings, seed);
        World { market, front, schemas, wire, seed, _served: served }
    }

    fn list(&self, count: usize, shown: i64) {
        for n in 0..count {
            let barcode = (n % 3 == 0).then(|| format!("40{n:011}"));
            let (id, sku) = ((100 + n).to_string(), sku(n));
            self.market.list(Listing { id, sku, barcode, title: format!("Thing {n}"), shown, price: 1000 + n as i64 });
        }
    }

    fn listing(&self, n: usize) -> String {
        self.market.by_sku(&sku(n)).unwrap().id
    }

    fn shown(&self, n: usize) -> i64 {
        self.market.by_sku(&sku(n)).unwrap().shown
    }
}

/// With characters that need escaping.
fn sku(n: usize) -> String {
    format!("A/{n} ü&+")
}

fn want(n: usize, to: i64) -> SetQuantity {
    SetQuantity { listing: sku(n), from: None, to, key: format!("key-{n}-{to}") }
}

#[test]
fn all_listings_are_read_whatever_an_offset_counts() {
    run(async {
        for seed in [2, 3] {
            let world = World::new(seed, Market::new(seed)).await;
            world.list(450, 7);
            let (mut all, mut page) = (BTreeMap::new(), None);
            loop {
                let found = CONNECTOR.listings(&world.wire, page).await.unwrap();
                assert!(found.unread.is_empty());
                all.extend(found.rows.into_iter().map(|l| (l.id.clone(), l)));
                page = found.next;
                if page.is_none() {
                    break;
                }
            }
            assert_eq!(all.len(), 450, "seed {seed}");
            let first = &all[&sku(0)];
            assert_eq!((first.sku.as_deref(), first.quantity, first.title.as_str()), (Some("A/0 ü&+"), Some(7), "Thing 0"));
            assert_eq!(first.barcode.as_deref(), Some("4000000000000"));
            world.schemas.assert_kept(seed);
        }
    });
}

fn as_ebay_sees(order: &Order) -> (MarketState, i64) {
    let state = match order {
        o if o.canceled_at.is_some() => MarketState::Canceled,
        o if o.is_shipped() => MarketState::Shipped,
        o if o.paid => MarketState::Open,
        _ => MarketState::Pending,
    };
    (state, order.updated_at / 1000)
}

#[test]
fn no_order_is_missed_while_they_change() {
    run(async {
        for seed in seeds(12) {
            let mut rng = fastrand::Rng::with_seed(seed);
            // Some clocks put hundreds of orders into one millisecond.
            let step = rng.i64(1..2_000);
            let now = Arc::new(AtomicI64::new(1_800_000_000_000_000));
            let ticking = now.clone();
            let market = Market::with_clock(seed, Arc::new(move || ticking.fetch_add(step, Ordering::Relaxed)));
            let world = World::new(seed, market).await;
            world.list(5, 1_000_000);
            let from = now.load(Ordering::Relaxed);
            let mut ids: Vec<String> = (0..rng.usize(1..700)).filter_map(|_| world.market.buy(&(100 + rng.u32(0..5)).to_string(), 1)).collect();
            let mut known: BTreeMap<String, MarketOrder> = BTreeMap::new();
            let (mut page, mut pages) = (None, 0);
            loop {
                for _ in 0..rng.usize(0..30) {
                    let id = ids[rng.usize(0..ids.len())].clone();
                    match rng.u32(0..4) {
                        0 => ids.extend(world.market.buy("101", 1)),
                        1 => drop(world.market.cancel(&id, true)),
                        2 => drop(world.market.ship(&id, &[(format!("{id}00"), 1)], None, None)),
                        _ => drop(world.market.pay(&id)),
                    }
                }
                let found = CONNECTOR.orders(&world.wire, from, page).await.unwrap();
                assert_eq!(found.unread, []);
                for order in found.rows {
                    let newer = known.get(&order.id).is_none_or(|k| k.updated_at <= order.updated_at);
                    if newer {
                        known.insert(order.id.clone(), order);
                    }
                }
                (page, pages) = (found.next, pages + 1);
                assert!(pages < 200, "seed {seed}: it does not end");
                if page.is_none() {
                    break;
                }
            }
            for order in world.market.orders_since(0) {
                let read = known.get(&format!("08-{}-00001", order.id)).unwrap_or_else(|| panic!("seed {seed}: order {} was missed", order.id));
                assert_eq!((read.state.clone(), read.updated_at / 1000), as_ebay_sees(&order), "seed {seed}: order {}", order.id);
            }
            world.schemas.assert_kept(seed);
        }
    });
}

#[test]
fn an_order_says_what_was_bought_and_whether_it_may_leave() {
    run(async {
        let world = World::new(7, Market::new(7)).await;
        world.list(3, 10);
        let id = world.market.buy_lines(&[(&world.listing(0), 2), (&world.listing(1), 1)], false).unwrap();
        let name = format!("08-{id}-00001");
        let order = CONNECTOR.order(&world.wire, &name).await.unwrap();
        assert_eq!((order.id.as_str(), order.number.as_str(), order.state), (name.as_str(), id.as_str(), MarketState::Pending));
        assert_eq!((order.currency.as_deref(), order.ship_to.city.as_deref()), (Some("USD"), Some("Springfield")));
        let line = &order.lines[0];
        assert_eq!((line.listing.clone(), line.quantity, line.canceled, line.unit_price.as_deref()), (sku(0), 2, 0, Some("10.00")));
        let state = async |what: &str| {
            let page = CONNECTOR.orders(&world.wire, 0, None).await.unwrap();
            assert_eq!(page.rows.len(), 1, "{what}");
            page.rows[0].state.clone()
        };
        world.market.pay(&id).unwrap();
        assert_eq!(state("paid").await, MarketState::Open);
        // Only the order itself says what became of a wish to cancel.
        world.front.ask_to_cancel(&id);
        assert_eq!(state("asked to cancel").await, MarketState::Pending);
        world.front.reject_cancel(&id);
        assert_eq!(state("rejected").await, MarketState::Open);
        world.market.cancel(&id, true).unwrap();
        assert_eq!(state("canceled").await, MarketState::Canceled);
        assert_eq!(CONNECTOR.order(&world.wire, &name).await.unwrap().lines.iter().map(|l| l.canceled).collect::<Vec<_>>(), [2, 1]);
        assert!(matches!(CONNECTOR.order(&world.wire, "08-1-00001").await, Err(Fault::Refused { status: 404, .. })));
        assert!(matches!(CONNECTOR.cancel(&world.wire, &name, "x").await, Err(Fault::Refused { code, .. }) if code == "cancel_not_offered"));
        world.schemas.assert_kept(7);
    });
}

#[test]
fn each_quantity_has_an_outcome_of_its_own() {
    run(async {
        let world = World::new(1, Market::new(1)).await;
        world.list(30, 5);
        let mut wanted: Vec<SetQuantity> = (0..24).map(|n| want(n, 40 + n as i64)).collect();
        wanted.insert(3, SetQuantity { listing: "nobody".into(), ..want(99, 1) });
        let outcomes = CONNECTOR.set_quantities(&world.wire, &wanted).await.unwrap();
        for (n, (wanted, outcome)) in wanted.iter().zip(&outcomes).enumerate() {
            match n {
                3 => assert!(matches!(outcome, SetOutcome::Refused { code, .. } if code == "25702"), "{outcome:?}"),
                _ => assert_eq!((outcome, world.market.by_sku(&wanted.listing).unwrap().shown), (&SetOutcome::Applied, wanted.to)),
            }
        }
        let too_many: Vec<SetQuantity> = (0..26).map(|n| want(n, 1)).collect();
        assert!(matches!(CONNECTOR.set_quantities(&world.wire, &too_many).await, Err(Fault::Refused { .. })));
        let asked: Vec<String> = (0..30).map(sku).chain(["nobody".to_owned()]).collect();
        let shown = CONNECTOR.quantities(&world.wire, &asked).await.unwrap();
        assert_eq!(shown, (0..30).map(|n| (sku(n), world.shown(n))).collect::<Vec<_>>());
        world.schemas.assert_kept(1);
    });
}

#[test]
fn a_listing_takes_250_revisions_a_day() {
    run(async {
        let world = World::new(1, Market::new(1)).await;
        world.list(1, 5);
        for n in 0..i64::from(ebay::REVISIONS) {
            assert_eq!(CONNECTOR.set_quantities(&world.wire, &[want(0, n)]).await.unwrap(), [SetOutcome::Applied], "revision {n}");
        }
        let last = CONNECTOR.set_quantities(&world.wire, &[want(0, 999)]).await.unwrap();
        assert!(matches!(&last[0], SetOutcome::Refused { .. }) && world.shown(0) == i64::from(ebay::REVISIONS) - 1);
        world.schemas.assert_kept(1);
    });
}

#[test]
fn whatever_goes_wrong_what_is_said_is_true() {
    run(async {
        for seed in seeds(40) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed, Market::new(seed)).await;
            world.list(8, 100);
            world.market.set_faults(faults(&mut rng));
            world.front.let_rows_fail(rng.f64() * 0.3);
            for round in 0..15 {
                let rows: Vec<usize> = (0..8).filter(|_| rng.bool()).collect();
                let wanted: Vec<SetQuantity> = rows.iter().map(|n| want(*n, 1000 + round)).collect();
                let before: Vec<i64> = rows.iter().map(|n| world.shown(*n)).collect();
                let done: Vec<Done> = match CONNECTOR.set_quantities(&world.wire, &wanted).await {
                    Ok(outcomes) => outcomes.iter().map(done_by_outcome).collect(),
                    Err(fault) => vec![done_by_fault(&fault); rows.len()],
                };
                assert_eq!(done.len(), rows.len());
                for ((n, before), done) in rows.iter().zip(before).zip(done) {
                    let now = world.shown(*n);
                    let good = match done {
                        Done::Surely => now == 1000 + round,
                        Done::SurelyNot => now == before,
                        Done::Perhaps => now == before || now == 1000 + round,
                    };
                    assert!(good, "seed {seed}, round {round}, listing {n}: {done:?}, yet {before} became {now}");
                }
            }
            world.schemas.assert_kept(seed);
        }
    });
}

#[test]
fn a_shipment_is_told_once_however_often_it_is_tried() {
    run(async {
        for seed in seeds(40) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed, Market::new(seed)).await;
            world.list(2, 100);
            let id = world.market.buy_lines(&[(&world.listing(0), 2), (&world.listing(1), 3)], true).unwrap();
            world.market.set_faults(faults(&mut rng));
            let tracked = rng.bool();
            let shipped = Shipped {
                order: format!("08-{id}-00001"),
                key: "k".into(),
                carrier: tracked.then(|| "UPS".into()),
                tracking_number: tracked.then(|| "1Z 999-AA1".into()),
                shipped_at: 1_800_000_000_123_456,
                // Less than was bought, so that a second telling would be taken, too.
                lines: vec![(format!("{id}00"), 1), (format!("{id}01"), 1)],
            };
            let mut tries = 0;
            loop {
                tries += 1;
                let before = world.market.order(&id).unwrap().shipments.len();
                let result = CONNECTOR.ship(&world.wire, &shipped).await;
                let told = world.market.order(&id).unwrap().shipments.len();
                assert!(told <= 1, "seed {seed}: told {told} times");
                match result {
                    Ok(()) => break assert_eq!(told, 1, "seed {seed}"),
                    Err(fault) if done_by_fault(&fault) == Done::SurelyNot => assert_eq!(told, before, "seed {seed}: {fault:?}"),
                    Err(_) => {}
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(tries < 500, "seed {seed}: it never succeeds");
            }
            CONNECTOR.ship(&world.wire, &shipped).await.ok();
            let order = world.market.order(&id).unwrap();
            assert_eq!(order.shipments.len(), 1, "seed {seed}");
            assert_eq!(order.shipments[0].tracking_number.as_deref(), tracked.then_some("1Z999AA1"));
            world.schemas.assert_kept(seed);
        }
    });
}

#[test]
fn a_notification_is_taken_only_from_ebay_and_only_when_it_is_new() {
    run(async {
        let world = World::new(5, Market::new(5)).await;
        world.list(2, 10);
        let id = world.market.buy_lines(&[(&world.listing(0), 1), (&world.listing(1), 1)], true).unwrap();
        let deliveries = world.front.deliveries();
        assert_eq!(deliveries.len(), 4, "one for each line, when it is placed and when it is paid");
        let now = world.market.now();
        let good = &deliveries[0];
        let kid = CONNECTOR.key_wanted(&good.headers).unwrap();
        let key = CONNECTOR.fetch_key(&world.wire, &kid).await.unwrap();
        let secrets = |name: &str| (name == format!("public_key:{kid}")).then(|| key.clone());
        let read = |headers: &[(String, String)], body: &[u8], now| CONNECTOR.webhook(&secrets, headers, body, now);

        for delivery in &deliveries {
            assert_eq!(read(&delivery.headers, &delivery.body, now), Ok(Notice::Ask(vec![format!("08-{id}-00001")])));
        }
        let mut tampered = good.body.clone();
        let at = tampered.windows(3).position(|w| w == b"08-").unwrap();
        tampered[at] = b'9';
        assert_eq!(read(&good.headers, &tampered, now), Err(Rejected::Signature));
        assert_eq!(read(&[], &good.body, now), Err(Rejected::Signature));
        // By another key, or by a key that was never asked for.
        let other = ebay::Ebay::new(Market::new(6));
        let headers = vec![("x-ebay-signature".to_owned(), other.sign(&good.body))];
        assert_eq!(read(&headers, &good.body, now), Err(Rejected::Signature));
        assert_eq!(CONNECTOR.webhook(&|_| None, &good.headers, &good.body, now), Err(Rejected::Signature));
        for header in ["", "e30=", "!", &STANDARD.encode(format!("{{\"kid\":\"{kid}\",\"signature\":\"AAAA\",\"digest\":\"SHA1\"}}"))] {
            assert_eq!(read(&[("x-ebay-signature".into(), header.into())], &good.body, now), Err(Rejected::Signature), "{header}");
        }
        let day = 24 * 3_600_000_000;
        assert_eq!(read(&good.headers, &good.body, now + 2 * day), Err(Rejected::Old));
        assert_eq!(read(&good.headers, &good.body, now - day), Err(Rejected::Old));
        // Signed, and of no use.
        let body =
            format!("{{\"metadata\":{{\"topic\":\"ITEM_AVAILABILITY\"}},\"notification\":{{\"publishDate\":\"{}\"}}}}", jiff::Timestamp::now());
        let headers = [("x-ebay-signature".to_owned(), world.front.sign(body.as_bytes()))];
        assert_eq!(read(&headers, body.as_bytes(), now), Ok(Notice::Other("ITEM_AVAILABILITY".into())));
        assert!(matches!(read(&[("x-ebay-signature".to_owned(), world.front.sign(b"[]"))], b"[]", now), Err(Rejected::NotUnderstood(_))));
        assert!(matches!(CONNECTOR.fetch_key(&world.wire, "../x").await, Err(Fault::Refused { status: 404, .. })));
        for strange in ["", "../../sell/inventory/v1", "a b", &"a".repeat(65)] {
            let header = STANDARD.encode(format!("{{\"kid\":\"{strange}\"}}"));
            assert_eq!(CONNECTOR.key_wanted(&[("x-ebay-signature".into(), header)]), None, "{strange} is not asked for");
        }
        let setting = |name: &str| if name == "verification_token" { "b".to_owned() } else { String::new() };
        let answer = CONNECTOR.challenge(&setting, "a", "c");
        assert_eq!(answer.as_deref(), Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert_eq!((CONNECTOR.challenge(&setting, "a", ""), CONNECTOR.challenge(&|_| String::new(), "a", "c")), (None, None));
        world.schemas.assert_kept(5);
    });
}

#[test]
fn limits_and_the_account_can_be_read_and_tokens_run_out() {
    run(async {
        let world = World::new(9, Market::new(9)).await;
        world.list(1, 5);
        world.market.buy(&world.listing(0), 1).unwrap();
        let limits = call_limits(&world.wire).await.unwrap();
        assert_eq!((limits[0].operation.as_str(), limits[0].limit, limits[0].remaining), ("sell.inventory", 5000, 4983));
        for _ in 0..5 {
            world.market.expire_tokens();
            assert_eq!(CONNECTOR.check(&world.wire).await.unwrap(), "a-seller");
        }
        world.market.set_faults(Faults { throttled: 1.0, ..Faults::default() });
        assert!(matches!(CONNECTOR.check(&world.wire).await, Err(Fault::Throttled { .. })));
        world.schemas.assert_kept(9);
        let seen = world.schemas.seen();
        assert!(seen.contains_key("getRateLimits") && seen.contains_key("getOrders"), "{seen:?}");
        assert_eq!(world.seed, 9);
    });
}

/// Answers a challenge as our server would.
fn answering(world: &World, token: &'static str) {
    let setting = move |name: &str| if name == "verification_token" { token.to_owned() } else { String::new() };
    world.front.probe_with(Arc::new(move |address, code| CONNECTOR.challenge(&setting, code, address)));
}

#[test]
fn ebay_tells_of_orders_once_it_was_asked_and_its_challenge_was_answered() {
    run(async {
        let world = World::new(3, Market::new(3)).await;
        world.list(1, 10);
        let subscribe = async |address: &str| CONNECTOR.subscribe(&world.wire, address).await;
        let refused = async |address: &str| match subscribe(address).await {
            Err(Fault::Refused { code, .. }) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused("http://holdfast.example/hooks").await, "address");
        assert_eq!(refused("https://elsewhere.example/hooks").await, "webhook_address");
        answering(&world, "another token");
        assert_eq!(refused(ADDRESS).await, "195020", "the challenge was not answered");
        assert_eq!(world.front.known(), (0, 0));
        world.market.buy(&world.listing(0), 1).unwrap();
        assert!(world.front.told().is_empty());

        answering(&world, VERIFICATION);
        // More destinations of others than fit on a page.
        world.front.crowd(230);
        for _ in 0..3 {
            assert_eq!(subscribe(ADDRESS).await.unwrap(), ["ORDER_CONFIRMATION"]);
            assert_eq!(world.front.known(), (231, 1));
        }
        let order = world.market.buy(&world.listing(0), 1).unwrap();
        let told = world.front.told();
        let key = CONNECTOR.fetch_key(&world.wire, ebay::KEY).await.unwrap();
        let read = |d: &holdfast_sim::markets::Delivery| CONNECTOR.webhook(&|_| Some(key.clone()), &d.headers, &d.body, world.market.now());
        assert_eq!(
            told.iter().map(|(address, d)| (address.as_str(), read(d))).next(),
            Some((ADDRESS, Ok(Notice::Ask(vec![format!("08-{order}-00001")]))))
        );

        // What eBay switched off or lost is found missing, and made again.
        for broken in [ebay::Ebay::mark_down, ebay::Ebay::forget_subscriptions] {
            broken(&world.front);
            world.market.buy(&world.listing(0), 1).unwrap();
            assert!(world.front.told().is_empty());
            subscribe(ADDRESS).await.unwrap();
            world.market.buy(&world.listing(0), 1).unwrap();
            assert!(!world.front.told().is_empty());
            assert_eq!(world.front.known(), (231, 1));
        }
        world.schemas.assert_kept(3);
        let seen = world.schemas.seen();
        for operation in ["getConfig", "updateConfig", "updateDestination", "createSubscription", "getTopic"] {
            assert!(seen.contains_key(operation), "{operation}: {seen:?}");
        }
    });
}

#[test]
fn subscribing_leaves_one_subscription_whatever_goes_wrong() {
    run(async {
        for seed in seeds(30) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed, Market::new(seed)).await;
            answering(&world, VERIFICATION);
            world.market.set_faults(faults(&mut rng));
            for _ in 0..2 {
                let mut tries = 0;
                while let Err(fault) = CONNECTOR.subscribe(&world.wire, ADDRESS).await {
                    assert!(!matches!(fault, Fault::Refused { .. }), "seed {seed}: {fault:?}");
                    tries += 1;
                    assert!(tries < 500, "seed {seed}: it never succeeds");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                assert_eq!(world.front.known(), (1, 1), "seed {seed}");
                world.front.mark_down();
            }
            world.schemas.assert_kept(seed);
        }
    });
}

/// Of lines: (which, how many, what one cost).
fn refund_of(order: &str, key: &str, lines: &[(usize, i64, &str)]) -> Refund {
    let line = |(n, quantity, price): &(usize, i64, &str)| {
        let unit_price = Some(((*price).to_owned(), "USD".to_owned()));
        RefundLine { line: format!("{order}{n:02}"), quantity: *quantity, unit_price, came_back: true }
    };
    Refund { order: format!("08-{order}-00001"), key: key.into(), reason: "torn".into(), lines: lines.iter().map(line).collect() }
}

#[test]
fn a_refund_is_paid_and_what_came_back_whole_is_told() {
    run(async {
        let world = World::new(4, Market::new(4)).await;
        world.list(2, 50);
        let id = world.market.buy_lines(&[(&world.listing(0), 3), (&world.listing(1), 1)], true).unwrap();
        world.market.ship(&id, &[(format!("{id}00"), 3), (format!("{id}01"), 1)], None, None).unwrap();
        let refunded = || world.market.truth().refunded;
        let returned = async |name: &str| CONNECTOR.order(&world.wire, name).await.unwrap().lines.iter().map(|l| l.returned).collect::<Vec<_>>();
        let name = format!("08-{id}-00001");

        CONNECTOR.refund(&world.wire, &refund_of(&id, "a", &[(0, 1, "10.00"), (1, 1, "10.01")])).await.unwrap();
        assert_eq!((refunded(), returned(&name).await), (2001, vec![0, 1]), "of a part of a line eBay tells only money");
        // As much of the same lines may be another refund, or this one again: of the second line nothing is left, so it is this one.
        CONNECTOR.refund(&world.wire, &refund_of(&id, "a", &[(0, 1, "10.00"), (1, 1, "10.01")])).await.unwrap();
        CONNECTOR.refund(&world.wire, &refund_of(&id, "b", &[(0, 2, "10.00")])).await.unwrap();
        CONNECTOR.refund(&world.wire, &refund_of(&id, "b", &[(0, 2, "10.00")])).await.unwrap();
        assert_eq!((refunded(), returned(&name).await), (4001, vec![3, 1]));
        assert_eq!(CONNECTOR.order(&world.wire, &name).await.unwrap().state, MarketState::Shipped);

        // Where it cannot be told, a person looks.
        let other = world.market.buy(&world.listing(0), 3).unwrap();
        CONNECTOR.refund(&world.wire, &refund_of(&other, "c", &[(0, 1, "10.00")])).await.unwrap();
        let again = CONNECTOR.refund(&world.wire, &refund_of(&other, "d", &[(0, 1, "10.00")])).await;
        assert!(matches!(&again, Err(Fault::Refused { code, .. }) if code == "perhaps_refunded"), "{again:?}");
        assert_eq!(refunded(), 5001);
        CONNECTOR.refund(&world.wire, &refund_of(&other, "e", &[(0, 2, "10.00")])).await.unwrap();
        let order = CONNECTOR.order(&world.wire, &format!("08-{other}-00001")).await.unwrap();
        assert_eq!((order.state, order.lines[0].canceled, order.lines[0].returned), (MarketState::Canceled, 3, 0), "all paid back, none sent");

        let unpaid = world.market.buy_lines(&[(&world.listing(0), 1)], false).unwrap();
        let early = CONNECTOR.refund(&world.wire, &refund_of(&unpaid, "f", &[(0, 1, "10.00")])).await;
        assert!(matches!(early, Err(Fault::Unavailable { .. })), "the buyer's payment is under way: {early:?}");
        world.market.pay(&unpaid).unwrap();
        let too_much = CONNECTOR.refund(&world.wire, &refund_of(&unpaid, "g", &[(0, 1, "10.50")])).await;
        assert!(matches!(&too_much, Err(Fault::Refused { code, .. }) if code == "34915"), "{too_much:?}");
        let mut nothing = refund_of(&unpaid, "h", &[(0, 1, "10.00")]);
        nothing.lines[0].unit_price = None;
        assert!(matches!(CONNECTOR.refund(&world.wire, &nothing).await, Err(Fault::Refused { code, .. }) if code == "price_unknown"));
        nothing.lines.clear();
        assert!(matches!(CONNECTOR.refund(&world.wire, &nothing).await, Err(Fault::Refused { code, .. }) if code == "nothing_to_refund"));
        world.schemas.assert_kept(4);
    });
}

#[test]
fn a_refund_is_never_paid_twice_however_often_it_is_tried() {
    run(async {
        let (mut paid, mut asked) = (0, 0);
        for seed in seeds(40) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed, Market::new(seed)).await;
            world.list(2, 100);
            let id = world.market.buy_lines(&[(&world.listing(0), 3), (&world.listing(1), 1)], true).unwrap();
            world.market.set_faults(faults(&mut rng));
            world.front.let_refunds_lag(rng.u32(0..6));
            let lines: &[(usize, i64, &str)] = [&[(0, 1, "10.00")][..], &[(0, 1, "10.00"), (1, 1, "10.01")], &[(0, 3, "10.00")]][rng.usize(0..3)];
            let refund = refund_of(&id, "k", lines);
            let mut tries = 0;
            loop {
                let before = world.market.truth().refunds;
                let result = CONNECTOR.refund(&world.wire, &refund).await;
                let now = world.market.truth().refunds;
                assert!(now <= 1, "seed {seed}: paid {now} times");
                match result {
                    Ok(()) => {
                        paid += 1;
                        break assert_eq!(now, 1, "seed {seed}: told as paid");
                    }
                    // Paid by a try whose reply was lost: eBay cannot tell whose it is.
                    Err(Fault::Refused { code, .. }) if code == "perhaps_refunded" => {
                        asked += 1;
                        break assert_eq!(now, 1, "seed {seed}: a person looks only where something was paid");
                    }
                    Err(fault @ Fault::Refused { .. }) => panic!("seed {seed}: {fault:?}"),
                    Err(fault) if done_by_fault(&fault) == Done::SurelyNot => assert_eq!(now, before, "seed {seed}: {fault:?}"),
                    Err(_) => {}
                }
                tries += 1;
                assert!(tries < 500, "seed {seed}: it never ends");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            world.schemas.assert_kept(seed);
        }
        assert!(paid > 3 * asked, "{paid} paid, {asked} left to a person");
    });
}
