//! The reads behind lists of orders, reservations, transfers and listings: every page of every filter, held against all documents.

use crate::support::{Site, on_both};
use domain::steps::Status;
use engine::channels::listings::{ListedRow, PutListings};
use engine::channels::search::{self, ListingQuery};
use engine::orders::counts::{self, Count};
use engine::orders::list::{self as orders, MAX_IDS, OrderQuery, OrderRow};
use engine::page::Cursor;
use engine::reservations::list::{self as reservations, ReservationQuery};
use engine::stock::transfers::{self, TransferQuery};
use engine::{Command, Config, Stop, day_of};
use serde_json::{Value, json};
use std::sync::Arc;

const STATUSES: [Status; 6] = [Status::Queued, Status::Open, Status::Backordered, Status::PartiallyFulfilled, Status::Fulfilled, Status::Canceled];
const CHANNELS: [&str; 3] = ["web", "ebay", "shop"];

pub fn config(site: &Site) -> Arc<Config> {
    let mut config = Arc::default();
    site.engine.read_blocking(|tx| Ok(Config::refresh(tx, &mut config)?)).unwrap();
    config
}

fn location(config: &Config, code: &str) -> i64 {
    config.by_code(code).unwrap().id
}

fn id(document: &Value) -> i64 {
    document["id"].as_str().unwrap().parse().unwrap()
}

/// Orders of every status at two locations and on three channels, some at the same instant, some days old, one sent from elsewhere
/// than was planned.
fn orders_of_all_kinds(site: &Site) {
    site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
    site.item("A", json!({}), "LON 500");
    site.item("B", json!({}), "LEE 500");
    site.item("W", json!({"when_short": "backorder"}), "LON 4");
    site.item("M", json!({}), "LON 1");
    for n in 0..24 {
        let lines = ["A 1", "B 2", "A 1, B 1", "A 2, W 1"][n % 4];
        let body = json!({
            "channel": CHANNELS[n % 3], "reference": format!("R{n}"), "customer": "Helen Marsh", "lines": crate::support::lines_of(lines),
            "ship_to": { "country": "GB", "postal_code": "GL50 1AA", "city": "Cheltenham" },
        });
        let order = site.ok("POST /orders", body);
        let fulfillment = format!("POST /fulfillments/{}/ship", order["fulfillments"][0]["id"].as_str().unwrap());
        match n {
            1 | 8 | 14 => drop(site.ok(&fulfillment, json!({}))),
            2 | 10 | 15 => drop(site.ok(&fulfillment, json!({}))),
            3 | 12 => drop(site.ok(&format!("POST /orders/{}/cancel", order["id"].as_str().unwrap()), json!({}))),
            _ => {}
        }
        // Three at each instant.
        if n % 3 == 2 {
            site.time.advance(if n == 11 { 3 * 86_400 } else { 60 });
        }
    }
    let moved = site.order("moved", "M 1").body;
    site.receive("LEE", "M", 5);
    site.ok(&format!("POST /fulfillments/{}/reroute", moved["fulfillments"][0]["id"].as_str().unwrap()), json!({}));
    site.ok("POST /routing/rules", json!({"name": "runs", "rules": {"rules": [{"name": "all", "timing": "run"}]}}));
    assert_eq!(site.order("queued", "A 1").body["status"], "queued");
}

/// What a query must find, from the orders as the API tells them.
fn expected(all: &[Value], query: &OrderQuery, config: &Config) -> Vec<i64> {
    let micros = |order: &Value| order["placed_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let is_wanted = |order: &&Value| {
        let status = Status::parse(order["status"].as_str().unwrap()).unwrap();
        let theirs: Vec<&Value> = order["fulfillments"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| query.locations.as_ref().is_none_or(|l| l.iter().any(|l| f["location"] == *config.code(*l))))
            .filter(|f| f["status"] != "canceled" || status == Status::Canceled)
            .collect();
        let today = query.late_on.map(|day| jiff::Timestamp::from_second(day * 86_400).unwrap().to_string()[..10].to_owned());
        let is_late = |f: &&Value| matches!(f["status"].as_str(), Some("open" | "partially_fulfilled")) && f["day"].as_str() < today.as_deref();
        (query.statuses.is_empty() || query.statuses.contains(&status))
            && query.channels.as_ref().is_none_or(|c| c.iter().any(|c| order["channel"] == **c))
            && (query.locations.is_none() || !theirs.is_empty())
            && query.placed_from.is_none_or(|from| micros(order) >= from)
            && query.placed_to.is_none_or(|to| micros(order) < to)
            && query.ids.as_ref().is_none_or(|ids| ids.contains(&id(order)))
            && (query.late_on.is_none() || theirs.iter().any(is_late))
    };
    let mut found: Vec<(i64, i64)> = all.iter().filter(is_wanted).map(|order| (micros(order), id(order))).collect();
    found.sort_unstable();
    if !query.oldest_first {
        found.reverse();
    }
    found.into_iter().map(|(_, id)| id).collect()
}

fn walk(site: &Site, config: &Config, query: &OrderQuery) -> Vec<OrderRow> {
    let mut query = query.clone();
    let mut rows = Vec::new();
    loop {
        let page = site.engine.read_blocking(|tx| orders::list(tx, config, &query)).unwrap();
        assert!(page.rows.len() <= query.limit);
        rows.extend(page.rows);
        let Some(next) = page.next else { return rows };
        // As it goes through a URL.
        query.after = Some(Cursor::parse("after", &next.to_string()).unwrap());
        assert!(rows.len() < 1_000, "the pages do not end");
    }
}

#[test]
fn every_page_of_every_filter_of_orders_holds_what_it_should() {
    on_both(|url| {
        let site = Site::new(url);
        orders_of_all_kinds(&site);
        let config = config(&site);
        let all = site.get("/orders?limit=200")["data"].as_array().unwrap().clone();
        assert_eq!(all.len(), 26);
        for status in STATUSES {
            assert!(all.iter().any(|o| o["status"] == status.word()), "none is {}", status.word());
        }
        let [lon, lee] = ["LON", "LEE"].map(|code| location(&config, code));
        let early = site.time.now() - 2 * 86_400_000_000;
        let mut queries = Vec::new();
        let places = [None, Some(vec![]), Some(vec![lon]), Some(vec![lee]), Some(vec![lon, lee]), Some((1..=40).chain([lee]).collect())];
        let channels = [None, Some(vec![]), Some(vec!["ebay"]), Some(vec!["ebay", "web", "nowhere"])];
        let statuses: Vec<Vec<Status>> =
            std::iter::once(vec![]).chain(STATUSES.map(|s| vec![s])).chain([vec![Status::Open, Status::Canceled]]).collect();
        for locations in &places {
            for channels in &channels {
                for statuses in &statuses {
                    let channels = channels.as_ref().map(|c| c.iter().map(|c| (*c).to_owned()).collect());
                    queries.push(OrderQuery { statuses: statuses.clone(), channels, locations: locations.clone(), ..OrderQuery::default() });
                }
            }
            let query = OrderQuery { locations: locations.clone(), ..OrderQuery::default() };
            queries.push(OrderQuery { late_on: Some(day_of(site.time.now())), ..query.clone() });
            queries.push(OrderQuery { placed_from: Some(early), ..query.clone() });
            queries.push(OrderQuery { placed_to: Some(early), ..query.clone() });
            queries.push(OrderQuery { placed_from: Some(early), placed_to: Some(early), ..query.clone() });
            queries.push(OrderQuery { ids: Some(all.iter().step_by(3).map(id).chain([1, 999_999]).collect()), ..query });
        }
        let mut found = 0;
        for query in &queries {
            for oldest_first in [false, true] {
                let query = OrderQuery { oldest_first, limit: 4, ..query.clone() };
                let rows: Vec<i64> = walk(&site, &config, &query).iter().map(|r| r.id.0).collect();
                assert_eq!(rows, expected(&all, &query, &config), "{query:?}");
                found += rows.len();
            }
        }
        assert!(found > 1_000, "{found} rows in all");
    });
}

#[test]
fn a_row_of_the_list_says_what_the_order_says() {
    on_both(|url| {
        let site = Site::new(url);
        orders_of_all_kinds(&site);
        let config = config(&site);
        let all = site.get("/orders?limit=200")["data"].as_array().unwrap().clone();
        let rows = walk(&site, &config, &OrderQuery { limit: 50, ..OrderQuery::default() });
        for (row, order) in rows.iter().map(|row| (row, all.iter().find(|o| id(o) == row.id.0).unwrap())) {
            let sum = |field: &str| order["lines"].as_array().unwrap().iter().map(|l| l[field].as_i64().unwrap()).sum::<i64>();
            assert_eq!((row.number.as_str(), row.reference.as_str()), (order["number"].as_str().unwrap(), order["reference"].as_str().unwrap()));
            assert_eq!((row.channel.as_str(), row.status.word()), (order["channel"].as_str().unwrap(), order["status"].as_str().unwrap()));
            assert_eq!((row.units, row.shipped), (sum("quantity") - sum("canceled"), sum("shipped")), "{order}");
            assert_eq!(row.backordered, sum("backordered"));
            assert_eq!(row.placed_at.to_string(), order["placed_at"].as_str().unwrap());
            let places: Vec<(&str, &str)> = row.places.iter().map(|p| (&*p.location, p.status.word())).collect();
            let told = order["fulfillments"].as_array().unwrap().iter();
            assert_eq!(places, told.map(|f| (f["location"].as_str().unwrap(), f["status"].as_str().unwrap())).collect::<Vec<_>>());
        }
        let row = rows.iter().find(|r| r.reference == "R0").unwrap();
        let to = &row.ship_to;
        assert_eq!((to.country.as_str(), to.postal_code.as_deref(), to.city.as_deref()), ("GB", Some("GL50 1AA"), Some("Cheltenham")));
        assert_eq!((row.customer.as_deref(), &row.total), (Some("Helen Marsh"), &None));
    });
}

#[test]
fn the_tabs_count_what_the_lists_hold() {
    on_both(|url| {
        let site = Site::new(url);
        orders_of_all_kinds(&site);
        let config = config(&site);
        let today = day_of(site.time.now());
        let lee = vec![location(&config, "LEE")];
        let ebay = vec!["ebay".to_owned()];
        for (channels, locations) in [(None, None), (Some(&ebay), None), (None, Some(&lee)), (Some(&ebay), Some(&lee))] {
            let read = |tx: &mut engine::db::Tx<'_>| counts::counts(tx, channels.map(|c| &c[..]), locations.map(|l| &l[..]), today);
            let told = site.engine.read_blocking(read).unwrap();
            let query = OrderQuery { channels: channels.cloned(), locations: locations.cloned(), limit: 50, ..OrderQuery::default() };
            let count = |query: &OrderQuery| Count { orders: walk(&site, &config, query).len() as i64, more: false };
            for (status, counted) in told.statuses {
                assert_eq!(counted, count(&OrderQuery { statuses: vec![status], ..query.clone() }), "{} {channels:?} {locations:?}", status.word());
            }
            let late = count(&OrderQuery { late_on: Some(today), ..query });
            assert!(late.orders > 0 || channels.is_some());
            assert_eq!(told.late, late);
        }
    });
}

#[test]
fn a_cursor_that_no_page_gave_out_ends_in_an_empty_page_or_a_refusal() {
    on_both(|url| {
        let site = Site::new(url);
        orders_of_all_kinds(&site);
        let config = config(&site);
        let page = |query: OrderQuery| site.engine.read_blocking(|tx| orders::list(tx, &config, &OrderQuery { limit: 10, ..query }));
        for (after, oldest_first, rows) in [
            ([i64::MIN, i64::MIN], false, 0),
            ([i64::MAX, i64::MAX], false, 10),
            ([i64::MAX, i64::MAX], true, 0),
            ([i64::MIN, i64::MIN], true, 10),
            ([0, 0], false, 0),
        ] {
            let found = page(OrderQuery { after: Some(Cursor(after)), oldest_first, ..OrderQuery::default() }).unwrap();
            assert_eq!((found.rows.len(), found.next.is_some()), (rows, rows == 10), "{after:?} {oldest_first}");
        }
        let many = page(OrderQuery { ids: Some(vec![7; MAX_IDS + 1]), ..OrderQuery::default() });
        assert_eq!(many.unwrap_err().refused().unwrap().code(), "invalid_field");
        let other_statuses = page(OrderQuery { statuses: vec![Status::Held], ..OrderQuery::default() }).unwrap();
        assert!(other_statuses.rows.is_empty() && other_statuses.next.is_none());
    });
}

/// Walks all pages of a list.
fn pages<T, C: Clone>(limit: usize, mut page: impl FnMut(Option<C>) -> engine::page::Page<T, C>) -> Vec<T> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = page(after.clone());
        assert!(page.rows.len() <= limit);
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return rows;
        }
        assert!(rows.len() < 1_000, "the pages do not end");
    }
}

#[test]
fn reservations_that_hold_come_first_and_the_next_to_run_out_before_the_others() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 100");
        site.item("B", json!({}), "LEE 100");
        let hold = |lines: &str, seconds: i64, channel: &str| {
            let body = json!({"lines": crate::support::lines_of(lines), "expires_in_seconds": seconds, "channel": channel});
            id(&site.ok("POST /reservations", body))
        };
        let released = hold("A 1", 50, "web");
        site.ok(&format!("POST /reservations/{released}/release"), json!({}));
        let expired = hold("B 1", 5, "web");
        site.time.advance(6);
        assert_eq!(site.block_on(engine::jobs::expire(&site.engine)).unwrap(), 1);
        let ordered = hold("A 2", 50, "ebay");
        let order = json!({"channel": "ebay", "reference": "1", "ship_to": {"country": "GB"}, "lines": [{"sku": "A", "quantity": 2}], "reservation": ordered.to_string()});
        site.ok("POST /orders", order);
        let held: Vec<i64> =
            [("A 1", 300, "web"), ("B 1", 100, "ebay"), ("A 1, B 1", 200, "ebay"), ("B 2", 100, "web")].map(|(l, s, c)| hold(l, s, c)).into();
        site.ok("POST /routing/rules", json!({"name": "runs", "rules": {"rules": [{"name": "all", "timing": "run"}]}}));
        assert_eq!(site.order("queued", "A 1").body["status"], "queued");
        let config = config(&site);
        let [lon, lee] = ["LON", "LEE"].map(|code| location(&config, code));
        let walk = |query: ReservationQuery| {
            let page = |after: Option<Cursor<3>>| {
                let query = ReservationQuery { after: after.or(query.after), limit: 2, ..query.clone() };
                site.engine.read_blocking(|tx| reservations::list(tx, &config, &query)).unwrap()
            };
            pages(2, page).iter().map(|r| r.id.0).collect::<Vec<_>>()
        };
        let by_expiry = [held[1], held[3], held[2], held[0]];
        let any = ReservationQuery::default;
        assert_eq!(walk(any()), [&by_expiry[..], &[ordered, expired, released]].concat(), "the hold of a queued order is not shown");
        assert_eq!(walk(ReservationQuery { status: Some(Status::Held), ..any() }), by_expiry);
        assert_eq!(walk(ReservationQuery { status: Some(Status::Expired), ..any() }), [expired]);
        assert_eq!(walk(ReservationQuery { channels: Some(vec!["ebay".into()]), ..any() }), [held[1], held[2], ordered]);
        assert_eq!(walk(ReservationQuery { locations: Some(vec![lon]), ..any() }), [held[2], held[0], ordered, released]);
        assert_eq!(walk(ReservationQuery { locations: Some(vec![lee]), channels: Some(vec!["web".into()]), ..any() }), [held[3], expired]);
        assert_eq!(walk(ReservationQuery { locations: Some(vec![]), ..any() }), [0; 0]);
        assert_eq!(walk(ReservationQuery { after: Some(Cursor([1, i64::MIN, i64::MIN])), ..any() }), [0; 0]);
        assert_eq!(site.engine.read_blocking(|tx| reservations::count_held(tx, 3)).unwrap(), (3, true));
        assert_eq!(site.engine.read_blocking(|tx| reservations::count_held(tx, 4)).unwrap(), (4, false));
    });
}

#[test]
fn transfers_are_listed_by_status_to_those_at_either_end() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({})), ("YRK", json!({}))]);
        site.item("A", json!({}), "LON 100, LEE 100");
        let mut sent = Vec::new();
        for n in 0..7 {
            let (from, to) = [("LON", "LEE"), ("LEE", "YRK"), ("LON", "YRK")][n % 3];
            sent.push(id(&site.ok("POST /transfers", json!({"from": from, "to": to, "lines": [{"sku": "A", "quantity": 4}]}))));
            site.time.advance(i64::from(n % 2 == 0));
        }
        site.ok(&format!("POST /transfers/{}/receive", sent[2]), json!({}));
        site.ok(&format!("POST /transfers/{}/receive", sent[4]), json!({"lines": [{"sku": "A", "received": 1, "lost": 1}]}));
        let config = config(&site);
        let walk = |statuses: &[Status], places: Option<&[&str]>| {
            let locations: Option<Vec<i64>> = places.map(|p| p.iter().map(|code| location(&config, code)).collect());
            let page = |after| {
                let query = TransferQuery { statuses: statuses.to_vec(), locations: locations.clone(), after, limit: 2, ..TransferQuery::default() };
                site.engine.read_blocking(|tx| transfers::list(tx, &config, &query)).unwrap()
            };
            pages(2, page)
        };
        let ids = |statuses: &[Status], places: Option<&[&str]>| walk(statuses, places).iter().map(|t| t.id.0).collect::<Vec<_>>();
        let of = |places: &[usize]| places.iter().map(|n| sent[*n]).collect::<Vec<_>>();
        assert_eq!(ids(&[], None), of(&[6, 5, 4, 3, 2, 1, 0]));
        assert_eq!(ids(&[Status::Received], None), of(&[2]));
        assert_eq!(ids(&[Status::InTransit, Status::PartiallyReceived], None), of(&[6, 5, 4, 3, 1, 0]));
        assert_eq!(ids(&[], Some(&["LEE"])), of(&[6, 4, 3, 1, 0]));
        assert_eq!(ids(&[Status::InTransit], Some(&["YRK"])), of(&[5, 1]));
        assert_eq!(ids(&[], Some(&[])), of(&[]));
        let partly = walk(&[Status::PartiallyReceived], None).pop().unwrap();
        assert_eq!((partly.lines, partly.units, partly.received, partly.lost), (1, 4, 1, 1));
        assert_eq!((&*partly.from, &*partly.to), ("LEE", "YRK"));
    });
}

#[test]
fn listings_are_found_by_how_their_sku_or_title_begins() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("LAMP-1", json!({}), "LON 30");
        for code in ["one", "two"] {
            let body = json!({"code": code, "kind": "shopify", "name": code, "address": "http://127.0.0.1:9", "settings": {"access_token": "x", "client_secret": "y", "location": "1"}});
            site.ok("POST /channels", body);
        }
        let config = config(&site);
        let rows = [
            ("a", "LAMP-1", "Reading lamp"),
            ("b", "lamp-2", "LAMP of brass"),
            ("c", "CUP", "lamp-shaped cup"),
            ("d", "LAMP_3", "100% light"),
            ("e", "", "Lampe"),
            ("f", "", "Lampe"),
            ("g", "", "lampe"),
        ];
        let listed = rows.map(|(external, sku, title)| ListedRow {
            external: external.into(),
            sku: Some(sku.to_owned()).filter(|s| !s.is_empty()),
            barcode: None,
            title: title.into(),
            shown: None,
        });
        for code in ["one", "two"] {
            let channel = config.channel_by_code(code).unwrap().id;
            let put = PutListings { channel, rows: listed.to_vec(), asked_at: site.time.now() };
            site.engine.submit_blocking(Command::PutListings(put), "test").unwrap();
        }
        let read = |query: &ListingQuery| site.engine.read_blocking(|tx| search::list(tx, &config, query));
        let in_order = |begins: &str, only: search::Only, reversed: bool| {
            let page = |after| read(&ListingQuery { channel: "two".into(), only, begins: begins.into(), reversed, after, limit: 2 }).unwrap();
            let found = pages(2, page);
            assert!(found.iter().all(|l| &*l.channel == "two"));
            found.iter().map(|l| l.external.clone()).collect::<Vec<_>>().join(" ")
        };
        let find = |begins: &str, only: search::Only| in_order(begins, only, false);
        use search::Only::{Any, Refused, Unmapped};
        assert_eq!((find("", Any), in_order("", Any, true)), ("d b c e f g a".into(), "a g f e c b d".into()), "by their titles");
        assert_eq!((find("", Unmapped), in_order("", Unmapped, true)), ("d b c e f g".into(), "g f e c b d".into()));
        assert_eq!(find("", Refused), "");
        assert_eq!(find("lamp", Any), "a b d c e f g", "those whose SKU begins so come first");
        assert_eq!(find("Lamp-", Any), "a b c");
        assert_eq!(find("LAMP", Unmapped), "b d c e f g");
        assert_eq!(find("lamp_", Any), "d");
        assert_eq!(find("100%", Any), "d");
        assert_eq!(find("amp", Any), "");
        assert_eq!(find("%", Any), "");
        let refused = |query: ListingQuery| match read(&query) {
            Err(Stop::Refused(refused)) => refused.code(),
            other => panic!("{other:?}"),
        };
        let of = |channel: &str, begins: &str, after| ListingQuery {
            channel: channel.into(),
            begins: begins.into(),
            after,
            limit: 2,
            ..ListingQuery::default()
        };
        assert_eq!(refused(of("three", "", None)), "unknown_channel");
        let cursor = |text: &str| search::ListingCursor::parse("after", text);
        for text in ["", "title", "title.1", "title.x.Mug", "name.1.Mug", "title.1.a\u{0}", "1.2.3"] {
            assert!(cursor(text).is_err(), "{text:?}");
        }
        assert_eq!(cursor("title.7.1.5 mm drill").unwrap().to_string(), "title.7.1.5 mm drill");
        assert_eq!(refused(of("one", "", Some(cursor("sku.1.lamp").unwrap()))), "invalid_field", "of a search");
        assert_eq!(refused(of("one", "a\u{0}", None)), "invalid_field");
    });
}
