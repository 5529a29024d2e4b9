//! Setting quantities: an outcome for each row that is true, also after a reply was lost.

use super::shop::{CONNECTOR, Shop, TOKEN, item};
use connectors::marketplace::{Marketplace, SetOutcome, SetQuantity};
use connectors::transport::Fault;
use sim::markets::Faults;
use std::time::Duration;

pub fn row(listing: usize, from: Option<i64>, to: i64) -> SetQuantity {
    SetQuantity { listing: item(&(10_001 + listing).to_string()), from, to, key: format!("write-{listing}") }
}

#[tokio::test]
async fn each_row_has_its_own_outcome() {
    let shop = Shop::open(1, 600, |_| {}).await;
    let wire = shop.wire();
    shop.market.edit_behind_our_back("10003", 7);
    let mut rows: Vec<SetQuantity> = (0..600).map(|n| row(n, Some(100), 50)).collect();
    rows[1].from = None;
    rows[5].to = 2_000_000_000;
    rows[6].listing = item("nowhere");
    rows[7].to = -1;
    let outcomes = CONNECTOR.set_quantities(&wire, &rows).await.unwrap();
    assert_eq!(outcomes.len(), 600);
    assert_eq!(outcomes[2], SetOutcome::Stale { shown: Some(7) });
    for (n, code) in [(5, "INVALID_QUANTITY_TOO_HIGH"), (6, "INVALID_INVENTORY_ITEM"), (7, "INVALID_QUANTITY_NEGATIVE")] {
        assert!(matches!(&outcomes[n], SetOutcome::Refused { code: c, .. } if c == code), "{:?}", outcomes[n]);
    }
    assert_eq!(outcomes.iter().filter(|o| **o == SetOutcome::Applied).count(), 596);
    assert_eq!(shop.market.truth().writes, 596);
    assert_eq!((shop.market.shown("10003"), shop.market.shown("10600")), (Some(7), Some(50)));

    let calls = wire.figures().operations["SetQuantities"].calls;
    assert!(calls < 40, "{calls} calls for four bad rows in 600");
    let all_stale: Vec<SetQuantity> = (100..350).map(|n| row(n, Some(1), 2)).collect();
    let outcomes = CONNECTOR.set_quantities(&wire, &all_stale).await.unwrap();
    assert!(outcomes.iter().all(|o| *o == SetOutcome::Stale { shown: Some(50) }));
    assert_eq!(wire.figures().operations["SetQuantities"].calls, calls + 1, "all rows are known to be stale at once");
}

#[tokio::test]
async fn a_lost_reply_is_found_out_by_repeating() {
    let shop = Shop::open(2, 9, |_| {}).await;
    let wire = shop.wire_with(&[("access_token", TOKEN)], |o| (o.pace.tries, o.pace.whole) = (1, Duration::from_millis(500)));
    shop.market.edit_behind_our_back("10004", 1);
    let rows: Vec<SetQuantity> = (0..9).map(|n| row(n, Some(100), 50)).collect();
    shop.market.set_faults(Faults { hang: 1.0, ..Faults::default() });
    let mut lost = 0;
    // Each try gets one call further: every call that was lost is answered by its key the next time.
    let outcomes = loop {
        match CONNECTOR.set_quantities(&wire, &rows).await {
            Err(Fault::Lost { .. }) => lost += 1,
            other => break other.unwrap(),
        }
        if lost == 1 {
            shop.market.buy("10009", 1);
        }
        // The repeated calls are answered, the first new one is lost.
        shop.market.set_faults(Faults { hang: if lost < 12 { 0.4 } else { 0.0 }, ..Faults::default() });
        assert!(lost < 100);
    };
    assert!(lost > 0);
    assert_eq!(outcomes[3], SetOutcome::Stale { shown: Some(1) });
    let applied = outcomes.iter().filter(|o| **o == SetOutcome::Applied).count() as u64;
    assert_eq!(shop.market.truth().writes, applied, "what is told as done was done, once");
    assert!(applied >= 7);
}

#[tokio::test]
async fn a_repeated_write_does_not_undo_a_sale() {
    let shop = Shop::open(3, 1, |_| {}).await;
    let wire = shop.wire_with(&[("access_token", TOKEN)], |o| (o.pace.tries, o.pace.whole) = (1, Duration::from_millis(500)));
    // Not even where nothing is compared.
    let rows = [row(0, None, 5)];
    shop.market.set_faults(Faults { hang: 1.0, ..Faults::default() });
    assert!(matches!(CONNECTOR.set_quantities(&wire, &rows).await, Err(Fault::Lost { .. })));
    shop.market.set_faults(Faults::default());
    assert_eq!(shop.market.shown("10001"), Some(5), "it was done, only nobody heard of it");
    shop.market.buy("10001", 1).unwrap();
    assert_eq!(CONNECTOR.set_quantities(&wire, &rows).await, Ok(vec![SetOutcome::Applied]));
    assert_eq!(shop.market.shown("10001"), Some(4));
}

#[tokio::test]
async fn what_is_shown_is_read() {
    let shop = Shop::open(4, 300, |_| {}).await;
    let wire = shop.wire();
    shop.market.buy("10300", 1).unwrap();
    let mut listings: Vec<String> = (0..300).map(|n| item(&(10_001 + n).to_string())).collect();
    listings.push(item("1"));
    let shown = CONNECTOR.quantities(&wire, &listings).await.unwrap();
    assert_eq!((shown.len(), shown[299].clone()), (300, (item("10300"), 99)));
}
