//! Everything goes wrong, by many seeds: what the connector says must be true of what the market did.
//!
//! `HOLDFAST_SEEDS` says how many seeds, `HOLDFAST_FIRST_SEED` from which one on.

use super::quantities::row;
use super::shop::{CONNECTOR, Shop, all_listings, all_orders};
use connectors::marketplace::{Marketplace, SetOutcome, SetQuantity, Shipped};
use connectors::transport::Fault;
use sim::markets::Faults;
use std::time::Duration;

/// Runs at a time; most of their time is waiting.
const AT_ONCE: usize = 24;
/// Tries after which a caller would give up; with these faults one in a thousand needs more than ten.
const TRIES: usize = 60;

/// Whether a fault says that nothing was done.
fn says_not_done(fault: &Fault) -> bool {
    matches!(fault, Fault::Throttled { .. } | Fault::Unauthorized { .. } | Fault::Unavailable { .. } | Fault::Refused { .. })
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_is_true_whatever_goes_wrong() {
    let (first, count) = (number("HOLDFAST_FIRST_SEED", 1), number("HOLDFAST_SEEDS", 24));
    let seeds: Vec<u64> = (first..first + count).collect();
    for some in seeds.chunks(AT_ONCE) {
        let runs = some.iter().map(|seed| tokio::spawn(run(*seed)));
        for (seed, run) in some.iter().zip(futures_util::future::join_all(runs).await) {
            assert!(run.is_ok(), "seed {seed} fails: {run:?}");
        }
    }
}

async fn run(seed: u64) {
    let shop = Shop::open(seed, 40, |front| front.access_token = None).await;
    let wire = shop.wire_with(&[("client_id", "client")], |o| {
        (o.pace.tries, o.pace.whole) = (8, Duration::from_millis(400));
        (o.pace.circuit_after, o.pace.circuit_open) = (6, Duration::from_millis(5));
        o.pace.longest_wait = Duration::from_millis(50);
    });
    shop.market.set_faults(Faults::all([0.02, 0.05, 0.08][seed as usize % 3]));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut applied = 0;
    for round in 0..6 {
        applied += set_some(&shop, &wire, &mut rng, round).await;
        assert_eq!(shop.market.truth().writes, applied, "seed {seed}, round {round}: writes done, and told as done");
        sell_ship_and_cancel(&shop, &wire, &mut rng, seed).await;
        if round == 3 {
            shop.market.down_for(20);
        }
    }
    let placed = shop.market.orders_since(0).len();
    let orders = insist(seed, || Box::pin(all_orders(&wire, 0))).await;
    assert_eq!(orders.len(), placed, "seed {seed}: all orders are read");
    let listings = insist(seed, || Box::pin(all_listings(&wire))).await;
    assert!(listings.iter().all(|l| l.quantity == shop.market.shown(l.id.rsplit('/').next().unwrap())), "seed {seed}: what is shown");
}

/// Sets quantities of several listings, some said wrongly, and repeats it until the outcome is known: how many were set.
async fn set_some(shop: &Shop, wire: &connectors::transport::Wire, rng: &mut fastrand::Rng, round: usize) -> u64 {
    let seed = shop.market.seed;
    let mut rows: Vec<SetQuantity> = Vec::new();
    for n in 0..40 {
        let shown = shop.market.shown(&(10_001 + n).to_string()).unwrap();
        let said = match rng.u8(0..10) {
            0 => None,
            1 => Some(shown + 1),
            _ => Some(shown),
        };
        // Never what is shown already: then nobody could see whether it was set.
        let to = 200 + rng.i64(0..100);
        let mut row = row(n, said, if to == shown { 300 } else { to });
        row.key = format!("round {round} row {n}");
        if rng.u8(0..40) == 0 {
            row.to = -5;
        }
        if rng.bool() {
            rows.push(row);
        }
    }
    let before = shop.market.truth().writes;
    let mut may_be_done = false;
    for _ in 0..TRIES {
        match CONNECTOR.set_quantities(wire, &rows).await {
            Err(fault) => {
                if says_not_done(&fault) && !may_be_done {
                    assert_eq!(shop.market.truth().writes, before, "seed {seed}: {fault:?} says that nothing was done");
                }
                may_be_done |= !says_not_done(&fault);
                rest(&fault).await;
            }
            Ok(outcomes) => {
                assert_eq!(outcomes.len(), rows.len());
                for (row, outcome) in rows.iter().zip(&outcomes) {
                    let shown = shop.market.shown(row.listing.rsplit('/').next().unwrap()).unwrap();
                    match outcome {
                        SetOutcome::Applied => assert_eq!(shown, row.to, "seed {seed}: {row:?} is told as done"),
                        SetOutcome::Stale { shown: told } => {
                            assert!(told.is_none() || *told == Some(shown), "seed {seed}: {row:?} {outcome:?}");
                            assert!(shown != row.to, "seed {seed}: {row:?} is told as not done");
                        }
                        SetOutcome::Refused { .. } => assert_eq!(row.to, -5, "seed {seed}: {row:?} {outcome:?}"),
                        SetOutcome::Accepted => panic!("seed {seed}: Shopify does it at once"),
                    }
                }
                return outcomes.iter().filter(|o| **o == SetOutcome::Applied).count() as u64;
            }
        }
    }
    panic!("seed {seed}: no outcome after {TRIES} tries");
}

/// Buyers buy, and what they bought is sent or canceled, once.
async fn sell_ship_and_cancel(shop: &Shop, wire: &connectors::transport::Wire, rng: &mut fastrand::Rng, seed: u64) {
    let (one, two) = (rng.u32(10_001..10_041).to_string(), rng.u32(10_001..10_041).to_string());
    if one == two {
        return;
    }
    let kept = shop.market.buy_lines(&[(&one, 3), (&two, 1)], true).unwrap();
    let dropped = shop.market.buy(&one, 1).unwrap();
    let order = insist(seed, || CONNECTOR.order(wire, &kept)).await;
    let lines: Vec<(String, i64)> = order.lines.iter().map(|l| (l.id.clone(), 1)).collect();
    let shipped =
        Shipped { order: order.id, key: "s".into(), carrier: Some("UPS".into()), tracking_number: Some(format!("1Z{kept}")), shipped_at: 0, lines };
    let before = shop.market.truth();
    insist(seed, || CONNECTOR.ship(wire, &shipped)).await;
    insist(seed, || CONNECTOR.ship(wire, &shipped)).await;
    insist(seed, || CONNECTOR.cancel(wire, &dropped, "customer")).await;
    let after = shop.market.truth();
    assert_eq!((after.units_shipped - before.units_shipped, after.units_canceled - before.units_canceled), (2, 1), "seed {seed}: once");
}

/// Repeats until it is done.
async fn insist<'a, T>(seed: u64, work: impl Fn() -> connectors::account::Work<'a, T>) -> T {
    let mut last = None;
    for _ in 0..TRIES {
        match work().await {
            Ok(done) => return done,
            Err(fault) => {
                rest(&fault).await;
                last = Some(fault);
            }
        }
    }
    panic!("seed {seed}: {last:?} after {TRIES} tries");
}

/// As long as a caller would wait: what was asked, or until the circuit lets one through.
async fn rest(fault: &Fault) {
    let asked = if let Fault::Throttled { retry_after_ms: Some(ms) } = fault { *ms } else { 0 };
    tokio::time::sleep(Duration::from_millis(asked + 3)).await;
}
