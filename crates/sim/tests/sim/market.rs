//! The marketplace behind all simulated ones: what it shows, sells and takes back.

use sim::markets::Market;
use sim::markets::market::{Listing, No};

#[test]
fn units_are_shown_sold_and_put_back() {
    let market = Market::new(1);
    market.list(Listing { id: "7".into(), sku: "A".into(), shown: 3, ..Listing::default() });
    let order = market.buy("7", 2).unwrap();
    assert_eq!(market.buy("7", 2), None);
    assert_eq!(market.shown("7"), Some(1));
    assert_eq!(market.compare_and_set(&[("7".into(), Some(3), 5)]), Err(vec![(0, Some(1))]));
    assert_eq!(market.compare_and_set(&[("7".into(), Some(1), 5), ("8".into(), None, 5)]), Err(vec![(1, None)]));
    assert_eq!(market.cancel(&order, true), Ok(()));
    assert_eq!(market.cancel(&order, true), Err(No::AlreadyCanceled));
    assert_eq!(market.shown("7"), Some(3));
    let truth = market.truth();
    assert_eq!((truth.units_sold, truth.units_canceled, truth.turned_away, truth.stale), (2, 2, 1, 2));
}
