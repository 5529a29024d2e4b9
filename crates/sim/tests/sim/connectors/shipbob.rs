//! The ShipBob connector against a simulated ShipBob, every word of both held against ShipBob's own document.

use super::schema::{Exception, Schemas};
use super::wires::{Done, done_by_fault, faults, run, seeds, wire};
use connectors::account::Account;
use connectors::marketplace::{Address, Rejected};
use connectors::shipbob::ShipBob;
use connectors::transport::{Fault, Wire};
use connectors::warehouse::{HandOver, HandOverLine, HandedState, Warehouse};
use holdfast_sim::markets::shipbob::{self as simulated, CHANNEL, TOKEN};
use holdfast_sim::markets::{Faults, Market, Served, serve};
use std::sync::Arc;
use std::time::Duration;

const DOCUMENTS: &[(&str, &str)] = &[("", "shipbob/shipbob-openapi.json")];
const EXCEPTIONS: &[Exception] = &[
    ("*", "status 429 is not in the document", "told in ShipBob's guide to limits, for all operations"),
    ("get-all-inventory-levels", "query cursor is not in the document", "the link to the next page has it"),
];

const ADDRESS: &str = "https://holdfast.example/api/v1/webhooks/bob";
/// The new one first, as while they are being changed.
const SECRETS: &str = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3 whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";

struct World {
    market: Arc<Market>,
    front: Arc<simulated::ShipBob>,
    schemas: Arc<Schemas>,
    wire: Wire,
    _served: Served,
}

impl World {
    async fn new(seed: u64) -> World {
        let market = Market::new(seed);
        let front = simulated::ShipBob::new(market.clone(), 1000.0);
        let schemas = Schemas::new(DOCUMENTS, &[], EXCEPTIONS);
        let served = serve(schemas.around(front.router())).await.unwrap();
        let settings = [("token", TOKEN), ("channel_id", CHANNEL), ("webhook_secret", SECRETS)];
        let wire = wire(&ShipBob, &served.address, &settings, seed);
        World { market, front, schemas, wire, _served: served }
    }
}

fn order(reference: &str) -> HandOver {
    let some = |text: &str| Some(text.to_owned());
    let ship_to = Address {
        country: "US".into(),
        postal_code: some("62701"),
        name: some("A Buyer"),
        address1: some("1 Main Street"),
        city: some("Springfield"),
        province: some("IL"),
        ..Address::default()
    };
    let line = |sku: &str, quantity| HandOverLine { sku: sku.into(), name: format!("Thing {sku}"), quantity };
    HandOver { reference: reference.into(), number: "1001".into(), service: "Standard".into(), ship_to, lines: vec![line("A", 2), line("B", 1)] }
}

#[test]
fn an_order_is_taken_once_however_often_it_is_handed_over() {
    run(async {
        for seed in seeds(30) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed).await;
            world.market.set_faults(faults(&mut rng));
            let order = order("our-77 &");
            let mut tries = 0;
            let id = loop {
                let before = world.front.taken(&order.reference).len();
                match ShipBob.hand_over(&world.wire, &order).await {
                    Ok(id) => break id,
                    Err(fault) if done_by_fault(&fault) == Done::SurelyNot => {
                        assert_eq!(world.front.taken(&order.reference).len(), before, "seed {seed}: {fault:?}");
                    }
                    Err(_) => {}
                }
                tries += 1;
                assert!(tries < 500, "seed {seed}: it never succeeds");
                tokio::time::sleep(Duration::from_millis(30)).await;
            };
            let taken: Vec<String> = world.front.taken(&order.reference).iter().map(i64::to_string).collect();
            assert_eq!(taken, [id], "seed {seed}");
            world.schemas.assert_kept(seed);
        }
    });
}

#[test]
fn an_order_is_followed_until_it_left_or_is_stuck() {
    run(async {
        let world = World::new(1).await;
        let follow = async |id: &str| ShipBob.follow(&world.wire, id).await.unwrap();
        let first = ShipBob.hand_over(&world.wire, &order("first")).await.unwrap();
        assert_eq!(ShipBob.hand_over(&world.wire, &order("first")).await.unwrap(), first);
        let number: i64 = first.parse().unwrap();
        let now = follow(&first).await;
        assert_eq!((now.reference.as_str(), now.state, now.parcels.len()), ("first", HandedState::Working, 0));
        world.front.send_out(number, 1);
        let now = follow(&first).await;
        assert_eq!((now.state, now.parcels[0].lines.clone()), (HandedState::Working, vec![("A".to_owned(), 2)]));
        assert!(now.parcels[0].tracking_number.as_ref().is_some_and(|t| t.starts_with("1ZBOB")) && now.parcels[0].shipped_at.is_some());
        assert!(!ShipBob.cancel(&world.wire, &first).await.unwrap(), "part of it left");

        let second = ShipBob.hand_over(&world.wire, &order("second")).await.unwrap();
        world.front.send_out(second.parse().unwrap(), 9);
        let now = follow(&second).await;
        assert_eq!((now.state, now.parcels.len()), (HandedState::Shipped, 2));
        assert!(matches!(ShipBob.cancel(&world.wire, &second).await, Err(Fault::Refused { status: 422, .. })));

        let third = ShipBob.hand_over(&world.wire, &order("third")).await.unwrap();
        world.front.get_stuck(third.parse().unwrap(), "no such address");
        assert_eq!(follow(&third).await.state, HandedState::Stuck("no such address".into()));
        assert!(ShipBob.cancel(&world.wire, &third).await.unwrap());
        assert_eq!(follow(&third).await.state, HandedState::Canceled);

        assert!(matches!(ShipBob.follow(&world.wire, "1").await, Err(Fault::Refused { status: 404, .. })));
        let blank = HandOver { ship_to: Address::default(), ..order("fourth") };
        assert!(matches!(ShipBob.hand_over(&world.wire, &blank).await, Err(Fault::Refused { code, .. }) if code == "address_incomplete"));
        assert!(matches!(ShipBob.hand_over(&world.wire, &order("a,b")).await, Err(Fault::Refused { code, .. }) if code == "reference"));
        assert_eq!(ShipBob.check(&world.wire).await.unwrap(), "A Channel");
        world.schemas.assert_kept(1);
    });
}

#[test]
fn the_whole_stock_is_read_by_its_links() {
    run(async {
        let world = World::new(2).await;
        for n in 0..250 {
            world.front.store(&format!("S{n}"), 10 + n, n);
        }
        let (mut all, mut page) = (Vec::new(), None);
        loop {
            let found = ShipBob.stock(&world.wire, page).await.unwrap();
            assert_eq!(found.unread, []);
            all.extend(found.rows);
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        assert_eq!(all.len(), 250);
        assert_eq!((all[7].sku.as_str(), all[7].on_hand, all[7].available), ("S7", 17, 7));
        world.schemas.assert_kept(2);
    });
}

#[test]
fn no_more_is_asked_than_the_limit_lets_through() {
    run(async {
        let world = World::new(3).await;
        let mut asked = 0;
        while ShipBob.stock(&world.wire, None).await.is_ok() {
            asked += 1;
            assert!(asked < 100);
        }
        assert!(asked >= 30, "{asked}");
        world.market.set_faults(Faults { throttled: 1.0, ..Faults::default() });
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(matches!(ShipBob.stock(&world.wire, None).await, Err(Fault::Throttled { retry_after_ms: Some(1000) })));
        world.schemas.assert_kept(3);
    });
}

#[test]
fn a_notice_is_taken_only_from_shipbob_and_only_when_it_is_new() {
    run(async {
        let world = World::new(4).await;
        let id = ShipBob.hand_over(&world.wire, &order("first")).await.unwrap();
        world.front.send_out(id.parse().unwrap(), 9);
        let delivery = &world.front.deliveries()[0];
        let (now, secret) = (world.market.now(), world.front.secret());
        let read = |secret: &str, body: &[u8], now| ShipBob.notice(&|_| Some(secret.to_owned()), &delivery.headers, body, now);
        assert_eq!(read(&secret, &delivery.body, now), Ok(vec![id]));
        assert_eq!(read(&secret, &delivery.body, now + 301_000_000), Err(Rejected::Old));
        assert_eq!(read("whsec_AAAA", &delivery.body, now), Err(Rejected::Signature));
        assert_eq!(read(&secret, b"{\"topic\":\"order.shipped\"}", now), Err(Rejected::Signature));
        assert_eq!(ShipBob.notice(&|_| None, &delivery.headers, &delivery.body, now), Err(Rejected::Signature));
    });
}

#[test]
fn shipbob_tells_those_who_asked_and_signs_with_their_secret() {
    run(async {
        let world = World::new(5).await;
        let id = ShipBob.hand_over(&world.wire, &order("first")).await.unwrap();
        let number: i64 = id.parse().unwrap();
        world.front.send_out(number, 1);
        assert!(world.front.told().is_empty());
        world.front.crowd(120);
        for _ in 0..3 {
            let topics = ShipBob.subscribe(&world.wire, ADDRESS).await.unwrap();
            assert!(topics.contains(&"order.shipped".to_owned()) && topics.contains(&"order.shipment.exception".to_owned()), "{topics:?}");
            assert_eq!(world.front.webhooks(), 121);
        }
        let heard = || {
            world.front.send_out(number, 9);
            let told: Vec<_> = world.front.told().into_iter().filter(|(address, _)| address == ADDRESS).collect();
            let read = |d: &holdfast_sim::markets::Delivery, secrets: &str| {
                ShipBob.notice(&|_| Some(secrets.to_owned()), &d.headers, &d.body, world.market.now())
            };
            told.iter().map(|(_, d)| (read(d, SECRETS), read(d, SECRETS.split(' ').nth(1).unwrap()))).collect::<Vec<_>>()
        };
        assert_eq!(heard(), [(Ok(vec![id.clone()]), Err(Rejected::Signature))], "by the new secret");
        world.front.switch_off();
        assert!(heard().is_empty());
        ShipBob.subscribe(&world.wire, ADDRESS).await.unwrap();
        assert_eq!((heard().len(), world.front.webhooks()), (1, 121), "the one that was switched off is replaced");

        let without = wire(&ShipBob, &world._served.address, &[("token", TOKEN), ("channel_id", CHANNEL)], 5);
        assert!(matches!(ShipBob.subscribe(&without, ADDRESS).await, Err(Fault::Refused { code, .. }) if code == "webhook_secret"));
        assert!(matches!(ShipBob.subscribe(&world.wire, "http://x.example").await, Err(Fault::Refused { code, .. }) if code == "address"));
        world.schemas.assert_kept(5);
    });
}

#[test]
fn subscribing_leaves_one_subscription_whatever_goes_wrong() {
    run(async {
        for seed in seeds(20) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let world = World::new(seed).await;
            world.market.set_faults(faults(&mut rng));
            let mut tries = 0;
            while let Err(fault) = ShipBob.subscribe(&world.wire, ADDRESS).await {
                assert!(!matches!(fault, Fault::Refused { .. }), "seed {seed}: {fault:?}");
                tries += 1;
                assert!(tries < 500, "seed {seed}: it never succeeds");
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            assert_eq!(world.front.webhooks(), 1, "seed {seed}");
            world.schemas.assert_kept(seed);
        }
    });
}
