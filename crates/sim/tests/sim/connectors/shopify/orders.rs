//! Reading orders and listings, shipping, canceling; and all that is asked for against the schema.

use super::graphql::Schema;
use super::shop::{CONNECTOR, Shop, all_listings, all_orders, item};
use connectors::account::Account;
use connectors::marketplace::{MarketState, Marketplace, Refund, RefundLine, SetOutcome, SetQuantity, Shipped};
use connectors::shopify::QUERIES;
use connectors::transport::Fault;
use sim::markets::Faults;
use std::collections::BTreeSet;

#[test]
fn every_query_is_in_the_schema_and_costs_under_a_thousand_points() {
    let schema = Schema::shopify();
    for query in QUERIES {
        assert_eq!(schema.check_query(query.text), [""; 0], "{}", query.name);
        assert!(query.text.contains(&format!(" {}", query.name)), "{} is not the operation's name", query.name);
        let cost = schema.cost(query.text);
        assert!((1..=1000).contains(&cost), "{} costs {cost}", query.name);
    }
}

#[tokio::test]
async fn every_request_and_every_answer_is_as_the_schema_says() {
    let shop = Shop::open(1, 12, |front| front.second_location = Some("gid://shopify/Location/2".into())).await;
    let wire = shop.wire();
    let lines: Vec<(String, i64)> = (0..12).map(|n| ((10_001 + n).to_string(), 1)).collect();
    let lines: Vec<(&str, i64)> = lines.iter().map(|(id, q)| (id.as_str(), *q)).collect();
    let order = shop.market.buy_lines(&lines, true).unwrap();
    let other = shop.market.buy("10001", 1).unwrap();
    CONNECTOR.check(&wire).await.unwrap();
    all_listings(&wire).await.unwrap();
    let orders = all_orders(&wire, 0).await.unwrap();
    let row = |listing: &str, from| SetQuantity { listing: item(listing), from, to: 5, key: "k".into() };
    let rows = [row("10001", Some(1)), row("10002", None), row("10003", Some(99)), row("99999", Some(1))];
    CONNECTOR.set_quantities(&wire, &rows).await.unwrap();
    let mut shipped = Shipped {
        order: orders[0].id.clone(),
        key: "s".into(),
        carrier: Some("UPS".into()),
        tracking_number: Some("1Z".into()),
        shipped_at: 0,
        lines: orders[0].lines.iter().map(|l| (l.id.clone(), 1)).collect(),
    };
    CONNECTOR.ship(&wire, &shipped).await.unwrap();
    CONNECTOR.ship(&wire, &shipped).await.unwrap();
    shipped.lines.iter_mut().for_each(|(_, quantity)| *quantity = 9);
    assert!(matches!(CONNECTOR.ship(&wire, &shipped).await, Err(Fault::Refused { .. })));
    let line = RefundLine { line: orders[0].lines[0].id.clone(), quantity: 1, unit_price: None, came_back: true };
    let refund = Refund { order: orders[0].id.clone(), key: "r".into(), reason: "torn".into(), lines: vec![line] };
    CONNECTOR.refund(&wire, &refund).await.unwrap();
    CONNECTOR.subscribe(&wire, "https://holdfast.example/api/v1/webhooks/shop").await.unwrap();
    CONNECTOR.cancel(&wire, &other, "inventory").await.unwrap();
    assert!(matches!(CONNECTOR.cancel(&wire, &order, "too late").await, Err(Fault::Refused { .. })), "it was shipped");

    let schema = Schema::shopify();
    let mut seen = BTreeSet::new();
    for exchange in shop.front.exchanges() {
        let (text, variables) = (exchange.request["query"].as_str().unwrap(), &exchange.request["variables"]);
        let name = exchange.request["operationName"].as_str().unwrap();
        assert!(QUERIES.iter().any(|q| q.name == name && q.text == text), "{name} is not in the list");
        assert_eq!(schema.check_variables(text, variables), [""; 0], "{name} {variables}");
        assert_eq!(schema.check_answer(text, &exchange.answer["data"]), [""; 0], "{name} {:#}", exchange.answer);
        seen.insert(name.to_owned());
    }
    let all: BTreeSet<String> = QUERIES.iter().map(|q| q.name.to_owned()).collect();
    assert_eq!(seen, all, "every query was asked");
}

#[tokio::test]
async fn all_pages_are_read_and_nothing_twice() {
    let shop = Shop::open(2, 400, |_| {}).await;
    let wire = shop.wire();
    let many: Vec<String> = (0..123).map(|n| (10_001 + n).to_string()).collect();
    let many: Vec<(&str, i64)> = many.iter().map(|id| (id.as_str(), 2)).collect();
    let long = shop.market.buy_lines(&many, true).unwrap();
    let mut placed = vec![long.clone()];
    placed.extend((0..24).map(|n| shop.market.buy(&(10_001 + n).to_string(), 1).unwrap()));

    let listings = all_listings(&wire).await.unwrap();
    assert_eq!(listings.iter().map(|l| &l.id).collect::<BTreeSet<_>>().len(), 400);
    assert_eq!(listings.len(), 400);
    let first = &listings[0];
    assert_eq!((first.sku.as_deref(), first.barcode.as_deref(), first.title.as_str()), (Some("SKU-0"), Some("0000000000000"), "Thing 0"));
    assert_eq!(first.quantity, Some(97));

    let orders = all_orders(&wire, 0).await.unwrap();
    assert_eq!(orders.iter().map(|o| o.number.clone()).collect::<Vec<_>>(), placed.iter().map(|id| format!("#{id}")).collect::<Vec<_>>());
    assert_eq!(orders[0].lines.len(), 123);
    assert_eq!(orders[0].lines[122].listing, item("10123"), "a line leads to the listing by whose id quantities are set");
    assert_eq!(orders[0].lines[122].unit_price.as_deref(), Some("12.50"));
    assert_eq!((&orders[0].state, orders[0].currency.as_deref()), (&MarketState::Open, Some("USD")));
    let whole = CONNECTOR.order(&wire, &long).await.unwrap();
    assert_eq!(whole.lines, orders[0].lines);

    let last = orders.last().unwrap().updated_at;
    assert!(all_orders(&wire, last + 2_000_000).await.unwrap().is_empty());
    assert!(all_orders(&wire, last).await.unwrap().iter().any(|o| o.number == orders[24].number), "whole seconds are not cut off");
    assert!(matches!(CONNECTOR.order(&wire, "1").await, Err(Fault::Refused { .. })));
}

#[tokio::test]
async fn what_becomes_of_orders_is_told() {
    let shop = Shop::open(3, 3, |_| {}).await;
    let wire = shop.wire();
    let unpaid = shop.market.buy_lines(&[("10001", 2)], false).unwrap();
    let canceled = shop.market.buy("10001", 1).unwrap();
    let shipped = shop.market.buy_lines(&[("10001", 3), ("10002", 1)], true).unwrap();
    shop.market.cancel(&canceled, true).unwrap();
    let line = |n: usize| shop.market.order(&shipped).unwrap().lines[n].id.clone();
    shop.market.cancel_units(&shipped, &line(0), 1, true).unwrap();
    let state = async |id: &str| CONNECTOR.order(&wire, id).await.unwrap().state;
    assert_eq!(state(&unpaid).await, MarketState::Pending);
    assert_eq!(state(&canceled).await, MarketState::Canceled);
    assert_eq!(CONNECTOR.order(&wire, &canceled).await.unwrap().lines[0].canceled, 1);
    let order = CONNECTOR.order(&wire, &shipped).await.unwrap();
    assert_eq!((order.state, order.lines[0].quantity, order.lines[0].canceled), (MarketState::Open, 3, 1));

    let mut parcel = Shipped {
        order: order.id,
        key: "a".into(),
        carrier: None,
        tracking_number: None,
        shipped_at: 0,
        lines: vec![(order.lines[0].id.clone(), 2)],
    };
    CONNECTOR.ship(&wire, &parcel).await.unwrap();
    CONNECTOR.ship(&wire, &parcel).await.unwrap();
    assert_eq!(shop.market.truth().units_shipped, 2, "nothing left means that it was told before");
    assert_eq!(state(&shipped).await, MarketState::Open);
    parcel.lines = vec![(order.lines[1].id.clone(), 1)];
    CONNECTOR.ship(&wire, &parcel).await.unwrap();
    assert_eq!(state(&shipped).await, MarketState::Shipped);
    CONNECTOR.cancel(&wire, &unpaid, "nobody paid").await.unwrap();
    CONNECTOR.cancel(&wire, &unpaid, "nobody paid").await.unwrap();
    assert_eq!(shop.market.shown("10001"), Some(98), "its units are shown again");
}

#[tokio::test]
async fn a_check_tells_the_shop_and_a_wrong_location() {
    let shop = Shop::open(4, 1, |_| {}).await;
    assert_eq!(CONNECTOR.check(&shop.wire()).await, Ok("Simulated Shop".into()));
    let elsewhere = shop.wire_with(&[("access_token", super::shop::TOKEN)], |o| {
        o.settings.insert("location".into(), "7".into());
    });
    assert!(matches!(CONNECTOR.check(&elsewhere).await, Err(Fault::Refused { code, .. }) if code == "location"));
    let outcome = CONNECTOR.set_quantities(&elsewhere, &[SetQuantity { listing: item("10001"), from: None, to: 1, key: "k".into() }]).await;
    assert!(matches!(&outcome.unwrap()[..], [SetOutcome::Refused { code, .. }] if code == "INVALID_LOCATION"));
}

#[tokio::test]
async fn fields_and_words_of_tomorrow_are_kept_and_do_no_harm() {
    let shop = Shop::open(5, 3, |_| {}).await;
    let wire = shop.wire();
    shop.market.buy("10001", 1).unwrap();
    shop.market.set_faults(Faults { unknown: 1.0, ..Faults::default() });
    let orders = all_orders(&wire, 0).await.unwrap();
    assert_eq!(orders[0].state, MarketState::Other("A_WORD_OF_TOMORROW".into()));
    assert!(orders[0].raw.contains("aFieldOfTomorrow"));
    assert_eq!(all_listings(&wire).await.unwrap().len(), 3);
    let row = SetQuantity { listing: item("10001"), from: Some(99), to: 5, key: "k".into() };
    assert_eq!(CONNECTOR.set_quantities(&wire, &[row]).await, Ok(vec![SetOutcome::Applied]));
}
