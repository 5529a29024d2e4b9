//! Refunds: as much as Shopify suggests, once for a key, and without showing a unit that was not sent there.

use super::shop::{CONNECTOR, Shop, TOKEN};
use connectors::marketplace::{Marketplace, Refund, RefundLine};
use connectors::transport::Fault;
use sim::markets::Faults;
use std::time::Duration;

/// Of lines: (which, how many, whether they came back).
fn refund(order: &str, key: &str, lines: &[(usize, i64, bool)]) -> Refund {
    let line = |(n, quantity, came_back): &(usize, i64, bool)| {
        let line = format!("gid://shopify/LineItem/{order}{n:02}");
        RefundLine { line, quantity: *quantity, unit_price: None, came_back: *came_back }
    };
    Refund { order: order.into(), key: key.into(), reason: "torn".into(), lines: lines.iter().map(line).collect() }
}

/// Of each line: (canceled, returned), as the connector tells them.
async fn told(shop: &Shop, order: &str) -> Vec<(i64, i64)> {
    let order = CONNECTOR.order(&shop.wire(), order).await.unwrap();
    order.lines.iter().map(|l| (l.canceled, l.returned)).collect()
}

#[tokio::test]
async fn what_came_back_is_paid_once_and_not_shown() {
    let shop = Shop::open(1, 2, |_| {}).await;
    let wire = shop.wire();
    let id = shop.market.buy_lines(&[("10001", 3), ("10002", 2)], true).unwrap();
    shop.market.ship(&id, &[(format!("{id}00"), 3), (format!("{id}01"), 2)], None, None).unwrap();
    let back = refund(&id, "return-1", &[(0, 2, true), (1, 1, true)]);
    for _ in 0..3 {
        CONNECTOR.refund(&wire, &back).await.unwrap();
    }
    let truth = shop.market.truth();
    assert_eq!((truth.refunds, truth.refunded), (1, 3 * 1250));
    assert_eq!(told(&shop, &id).await, [(0, 2), (0, 1)]);
    assert_eq!((shop.market.shown("10001"), shop.market.shown("10002")), (Some(97), Some(98)), "they are told by quantities, like all others");
    shop.front.forget_keys();
    CONNECTOR.refund(&wire, &back).await.unwrap();
    assert_eq!(shop.market.truth().refunds, 1, "its note is remembered longer than its key");
    // As much again is another refund, by its key.
    CONNECTOR.refund(&wire, &refund(&id, "return-2", &[(1, 1, true)])).await.unwrap();
    assert_eq!((shop.market.truth().refunded, told(&shop, &id).await), (4 * 1250, vec![(0, 2), (0, 2)]));
    let too_many = CONNECTOR.refund(&wire, &refund(&id, "return-3", &[(1, 1, true)])).await;
    assert!(matches!(too_many, Err(Fault::Refused { .. })), "{too_many:?}");
    assert_eq!(shop.market.truth().refunds, 2);
    assert!(matches!(CONNECTOR.refund(&wire, &refund(&id, "k", &[])).await, Err(Fault::Refused { code, .. }) if code == "nothing_to_refund"));
    assert!(matches!(CONNECTOR.refund(&wire, &refund("1", "k", &[(0, 1, true)])).await, Err(Fault::Refused { code, .. }) if code == "not_found"));
}

#[tokio::test]
async fn what_never_left_is_taken_from_what_never_left() {
    let shop = Shop::open(2, 2, |_| {}).await;
    let wire = shop.wire();
    // Nothing sent: nothing is shown that was not sent there as a quantity.
    let whole = shop.market.buy("10001", 3).unwrap();
    CONNECTOR.refund(&wire, &refund(&whole, "a", &[(0, 1, false)])).await.unwrap();
    assert_eq!((told(&shop, &whole).await, shop.market.shown("10001")), (vec![(1, 0)], Some(97)));
    // Sent in part: Shopify would refund the unit that was sent and wait for the other for ever.
    let part = shop.market.buy("10002", 3).unwrap();
    shop.market.ship(&part, &[(format!("{part}00"), 1)], None, None).unwrap();
    CONNECTOR.refund(&wire, &refund(&part, "b", &[(0, 1, false)])).await.unwrap();
    assert_eq!(told(&shop, &part).await, [(1, 0)]);
    assert_eq!(shop.market.shown("10002"), Some(98), "shown again, which an order that tells of canceled units makes us expect");
    // The unit that was sent comes back, and then one that was not sent is dropped, too.
    CONNECTOR.refund(&wire, &refund(&part, "c", &[(0, 1, true)])).await.unwrap();
    CONNECTOR.refund(&wire, &refund(&part, "d", &[(0, 1, false)])).await.unwrap();
    assert_eq!((told(&shop, &part).await, shop.market.shown("10002")), (vec![(2, 1)], Some(98)));
    // Nothing was paid, so nothing is paid back; the units are dropped all the same.
    let before = shop.market.truth().refunded;
    let unpaid = shop.market.buy_lines(&[("10001", 2)], false).unwrap();
    CONNECTOR.refund(&wire, &refund(&unpaid, "e", &[(0, 2, false)])).await.unwrap();
    assert_eq!((shop.market.truth().refunded, told(&shop, &unpaid).await), (before, vec![(2, 0)]));
}

#[tokio::test]
async fn a_refund_is_paid_once_whatever_goes_wrong() {
    for seed in 1..31 {
        let shop = Shop::open(seed, 2, |_| {}).await;
        let wire = shop.wire_with(&[("access_token", TOKEN)], |o| {
            (o.pace.whole, o.pace.tries, o.pace.circuit_after) = (Duration::from_millis(200), 3, 1000);
        });
        let id = shop.market.buy_lines(&[("10001", 3), ("10002", 2)], true).unwrap();
        shop.market.ship(&id, &[(format!("{id}00"), 3)], None, None).unwrap();
        // Of all, Shopify suggests nothing more once it is paid: another try asks for something else by the same key.
        let (back, dropped) = if seed % 2 == 0 { (3, 2) } else { (1, 1) };
        let some = refund(&id, "once", &[(0, back, true), (1, dropped, false)]);
        shop.market.set_faults(Faults {
            throttled: 0.1,
            too_many: 0.1,
            error: 0.2,
            cut: 0.1,
            hang: 0.1,
            half: 0.2,
            unknown: 0.2,
            ..Faults::default()
        });
        let mut tries = 0;
        loop {
            let before = shop.market.truth().refunds;
            let result = CONNECTOR.refund(&wire, &some).await;
            let now = shop.market.truth().refunds;
            assert!(now <= 1, "seed {seed}: paid {now} times");
            match result {
                Ok(()) => break assert_eq!(now, 1, "seed {seed}: told as paid"),
                Err(fault @ Fault::Refused { .. }) => panic!("seed {seed}: {fault:?}"),
                Err(Fault::Lost { .. } | Fault::NotUnderstood { .. }) => {}
                Err(fault) => assert_eq!(now, before, "seed {seed}: {fault:?}"),
            }
            tries += 1;
            assert!(tries < 200, "seed {seed}: it never succeeds");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(shop.market.truth().refunded, (back + dropped) * 1250, "seed {seed}");
    }
}
