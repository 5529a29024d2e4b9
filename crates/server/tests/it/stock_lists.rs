//! The reads behind the stock list and the item's page: every order and filter of the table held against the database, movements, days,
//! sales. Who holds an item: `holders.rs`.

use crate::support::{Site, on_both};
use engine::alerts::worker::Outside;
use engine::db::Conn;
use engine::page::Cursor;
use engine::stock::Ledger;
use engine::stock::list::{self as stock, StockPage, StockRow};
use engine::stock::movements::{self, MovementCursor, MovementQuery};
use engine::stock::sales;
use engine::stock::table::{Only, STATES, Sort, State, StockQuery};
use engine::{Config, Stop, day_of};
use serde_json::{Value, json};
use std::sync::Arc;

const DAY: i64 = 86_400;

pub fn config(site: &Site) -> Arc<Config> {
    let mut config = Arc::default();
    site.engine.read_blocking(|tx| Ok(Config::refresh(tx, &mut config)?)).unwrap();
    config
}

pub fn locations(site: &Site, codes: &[&str]) -> Vec<i64> {
    let config = config(site);
    codes.iter().map(|code| config.by_code(code).unwrap().id).collect()
}

pub fn item(site: &Site, sku: &str) -> i64 {
    site.engine.read_blocking(|tx| engine::stock::read::item(tx, sku)).unwrap().id
}

fn id(document: &Value) -> i64 {
    document["id"].as_str().unwrap().parse().unwrap()
}

/// Counts what was sold, as the background work does.
fn count_sales(site: &Site) -> i64 {
    sales::count(&mut Conn::open(&site.url).unwrap()).unwrap()
}

fn page(site: &Site, query: &StockQuery) -> Result<StockPage, Stop> {
    let (config, now) = (config(site), site.time.now());
    site.engine.read_blocking(|tx| stock::page(tx, &config, site.engine.stock_table(), query, now))
}

/// All pages of a list.
fn walk(site: &Site, query: &StockQuery) -> Vec<StockRow> {
    let mut query = StockQuery { limit: 3, ..query.clone() };
    let mut rows = Vec::new();
    loop {
        let page = page(site, &query).unwrap();
        assert!(page.rows.len() <= 3);
        rows.extend(page.rows);
        let Some(next) = page.next else { return rows };
        query.after = Some(Cursor::parse("after", &next.to_string()).unwrap());
        assert!(rows.len() < 1_000, "the pages do not end");
    }
}

/// Items in every state at two locations, a kit, one that is not sold any more; sold at different rates on different days.
fn shelves(site: &Site) {
    site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
    for (n, (sku, stock)) in [
        ("C1", "LON 9, LEE 3"),
        ("b2", "LEE 40"),
        ("A3", "LON 5"),
        ("D4", ""),
        ("e5", "LON 7, LEE 7"),
        ("F6", "LON 2"),
        ("G7", "LEE 9"),
        ("H8", "LON 900"),
    ]
    .into_iter()
    .enumerate()
    {
        site.item(sku, json!({"name": format!("{} thing", ["zebra", "Apple", "mango", "apple", "Quince", "fig", "Fig", "date"][n])}), stock);
        site.time.advance(60);
    }
    site.item("KIT", json!({"name": "Kit", "components": [{"sku": "C1", "quantity": 2}, {"sku": "e5", "quantity": 1}]}), "");
    site.item("KIT0", json!({"name": "Nothing", "components": [{"sku": "D4", "quantity": 1}]}), "");
    site.order("old", "b2 3, C1 1");
    site.time.advance(9 * DAY);
    site.order("1", "b2 20, C1 5");
    site.time.advance(DAY);
    site.order("2", "A3 5, e5 1");
    assert_eq!(site.reserve("F6 2").status, 201);
    site.ok("POST /stock/move", json!({"from": {"location": "LEE", "state": "available"}, "to": {"location": "LEE", "state": "damaged"}, "lines": [{"sku": "e5", "quantity": 2}], "reason": "wet"}));
    site.ok("POST /transfers", json!({"from": "LEE", "to": "LON", "lines": [{"sku": "b2", "quantity": 4}]}));
    site.ok("PATCH /items/G7", json!({"active": false}));
}

/// What a row is sorted by, so that more comes later.
fn figure(row: &StockRow, sort: Sort, descending: bool) -> i64 {
    let b = &row.balances;
    let never = if descending { -1 } else { i64::MAX };
    match sort {
        Sort::Sku | Sort::Name => 0,
        Sort::OnHand => b.on_hand,
        Sort::Held => b.reserved + b.committed,
        Sort::Available => b.available,
        Sort::Incoming => b.incoming,
        Sort::Sold => row.sold_7d,
        Sort::Cover => row.cover_days.map_or(never, |days| (days / 7.0 * 1_000.0) as i64),
        Sort::Moved => row.moved_at.map_or(0, |at| if row.is_kit { 0 } else { at.0 / 1_000_000 }),
    }
}

const SORTS: [Sort; 9] = [Sort::Sku, Sort::Name, Sort::OnHand, Sort::Held, Sort::Available, Sort::Incoming, Sort::Sold, Sort::Cover, Sort::Moved];

fn expected(all: &[StockRow], query: &StockQuery) -> Vec<String> {
    let is_wanted = |row: &&StockRow| {
        let only = match query.only {
            Only::Any => true,
            Only::State(state) => row.state == state,
            Only::Damaged => row.balances.damaged > 0,
            Only::Incoming => row.balances.incoming > 0,
        };
        only && query.ids.as_ref().is_none_or(|ids| ids.contains(&row.id.0))
    };
    let mut rows: Vec<&StockRow> = all.iter().filter(is_wanted).collect();
    rows.sort_by_key(|row| row.id.0);
    match query.sort {
        // Those that are the same in it come in the order of their ids, backwards with the list.
        Sort::Sku => rows.sort_by_key(|row| row.sku.clone()),
        Sort::Name => rows.sort_by_key(|row| row.name.to_lowercase()),
        sort => {
            rows.sort_by_key(|row| if query.descending { -figure(row, sort, true) } else { figure(row, sort, false) });
            return rows.iter().map(|row| row.sku.to_string()).collect();
        }
    }
    if query.descending {
        rows.reverse();
    }
    rows.iter().map(|row| row.sku.to_string()).collect()
}

#[test]
fn every_order_and_filter_of_the_stock_list_agrees_with_the_database() {
    on_both(|url| {
        let site = Site::new(url);
        shelves(&site);
        assert!(count_sales(&site) > 0);
        site.engine.stock_table().wait().unwrap();
        let ids: Vec<i64> = ["C1", "b2", "A3", "D4", "e5", "F6", "G7", "H8", "KIT", "KIT0"].map(|sku| item(&site, sku)).into();
        let config = config(&site);
        let now = site.time.now();
        for places in [None, Some(&["LON"][..]), Some(&["LEE"]), Some(&["LON", "LEE"]), Some(&[])] {
            let locations = places.map(|codes| locations(&site, codes));
            let all = site.engine.read_blocking(|tx| stock::rows(tx, &config, &ids, locations.as_deref(), now)).unwrap();
            let filters = [Only::Any, Only::Damaged, Only::Incoming].into_iter().chain(STATES.map(Only::State));
            for only in filters {
                for sort in SORTS {
                    for (descending, hits) in [(false, None), (true, None), (false, Some(vec![ids[2], ids[8], 7, ids[0]]))] {
                        let query = StockQuery { locations: locations.clone(), only, sort, descending, ids: hits, ..StockQuery::default() };
                        let found: Vec<String> = walk(&site, &query).iter().map(|row| row.sku.to_string()).collect();
                        assert_eq!(found, expected(&all, &query), "{query:?}");
                        let told = page(&site, &StockQuery { limit: 1, ..query.clone() }).unwrap();
                        assert_eq!(told.matched, Some(found.len()), "{query:?}");
                    }
                }
            }
            let counts = page(&site, &StockQuery { locations, limit: 1, ..StockQuery::default() }).unwrap().counts.unwrap();
            assert_eq!(counts.items, 10);
            assert_eq!(counts.states, STATES.map(|state| all.iter().filter(|row| row.state == state).count()));
        }
    });
}

#[test]
fn a_row_says_what_is_there_for_those_who_may_see_it() {
    on_both(|url| {
        let site = Site::new(url);
        shelves(&site);
        count_sales(&site);
        let rows = |places: Option<&[&str]>| {
            let query = StockQuery { locations: places.map(|codes| locations(&site, codes)), ..StockQuery::default() };
            walk(&site, &query)
        };
        let of = |rows: &[StockRow], sku: &str| rows.iter().find(|row| &*row.sku == sku).unwrap().clone();
        let all = rows(None);
        let c1 = of(&all, "C1");
        assert_eq!((c1.balances.on_hand, c1.balances.committed, c1.balances.available), (12, 6, 6));
        assert_eq!((c1.locations, c1.sold_7d, c1.state, c1.name.as_str()), (2, 5, State::OnSale, "zebra thing"));
        assert_eq!((&c1.days[15..], c1.cover_days), (&[0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0][..], Some(6.0 * 7.0 / 5.0)));
        assert_eq!((of(&all, "b2").state, of(&all, "b2").balances.available), (State::Low, 13));
        assert_eq!((of(&all, "D4").state, of(&all, "D4").moved_at, of(&all, "D4").cover_days), (State::NoStock, None, None));
        assert_eq!((of(&all, "F6").state, of(&all, "G7").state, of(&all, "G7").active), (State::NoneFree, State::Inactive, false));
        assert_eq!(of(&all, "e5").moved_at.unwrap().0, site.time.now());
        let kit = of(&all, "KIT");
        // At each location as many as its components make.
        let at = |places: &str| {
            [site.stock_at("C1", places), site.stock_at("e5", places)]
                .map(|told| told.split_whitespace().nth(1).unwrap().trim_matches(',').parse::<i64>().unwrap())
        };
        let makes = |place: &str| {
            let [c1, e5] = at(place);
            (c1 / 2).min(e5)
        };
        let (lon, lee_makes) = (makes("LON"), makes("LEE"));
        assert_eq!((kit.is_kit, kit.balances.available, kit.state, of(&all, "KIT0").state), (true, lon + lee_makes, State::OnSale, State::NoneFree));
        let lee = rows(Some(&["LEE"]));
        assert_eq!((of(&lee, "C1").balances.on_hand, of(&lee, "C1").locations, of(&lee, "C1").sold_7d), (3, 1, 5));
        assert_eq!((of(&lee, "A3").state, of(&lee, "A3").moved_at), (State::NoStock, None));
        assert_eq!((of(&lee, "KIT").balances.available, of(&rows(Some(&["LON"])), "KIT").balances.available), (lee_makes, lon));
        assert!(lon > 0 && lee_makes > 0);
    });
}

#[test]
fn the_table_knows_what_was_acknowledged_and_soon_what_is_new() {
    on_both(|url| {
        let site = Site::new(url);
        shelves(&site);
        let first = |only, sort| {
            let query = StockQuery { only, sort, descending: true, limit: 1, ..StockQuery::default() };
            page(&site, &query).unwrap().rows.first().map(|row| row.sku.to_string()).unwrap_or_default()
        };
        assert_eq!(first(Only::Any, Sort::OnHand), "H8");
        for n in 0..20 {
            let sku = ["D4", "A3", "F6"][n % 3];
            site.receive(["LON", "LEE"][n % 2], sku, 1_000 * (n as i64 + 1));
            assert_eq!(first(Only::Any, Sort::OnHand), sku, "after receipt {n}");
        }
        assert_eq!(first(Only::State(State::NoStock), Sort::Available), "");
        assert_eq!(first(Only::Any, Sort::Held), "b2");
        let held = site.reserve("F6 500").body;
        assert_eq!(first(Only::Any, Sort::Held), "F6");
        site.ok(&format!("POST /reservations/{}/release", held["id"].as_str().unwrap()), json!({}));
        assert_eq!(first(Only::Any, Sort::Held), "b2");
        // A kit is as free as its components, at once; a new item comes with the next reading of everything.
        let kit_is_free = |site: &Site| {
            let query = StockQuery { ids: Some(vec![item(site, "KIT0")]), limit: 1, ..StockQuery::default() };
            page(site, &query).unwrap().counts.unwrap().states[State::OnSale as usize] == 1
        };
        assert!(kit_is_free(&site));
        site.item("NEW", json!({}), "LON 99999");
        site.soon("the new item is in the table", || (first(Only::Any, Sort::OnHand) == "NEW").then_some(()));
        site.ok("POST /stock/adjust", json!({"location": "LON", "reason": "lost", "lines": [{"sku": "NEW", "delta": -99_999}]}));
        assert_ne!(first(Only::Any, Sort::OnHand), "NEW", "the writer is heard after everything was read again");
    });
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    on_both(|url| {
        let site = Site::new(url);
        shelves(&site);
        let read = |sort, after| page(&site, &StockQuery { sort, after: Some(Cursor(after)), limit: 5, ..StockQuery::default() });
        for sort in SORTS {
            for after in [[0, 0], [0, i64::MAX], [i64::MIN, -1]] {
                assert_eq!(read(sort, after).unwrap_err().refused().unwrap().code(), "invalid_field", "{sort:?} {after:?}");
            }
            let last = read(sort, [i64::MAX, item(&site, "KIT0")]).unwrap();
            assert!(matches!(sort, Sort::Sku | Sort::Name) || last.rows.is_empty() && last.next.is_none());
        }
    });
}

#[test]
fn movements_come_newest_first_and_add_up() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 30, LEE 20");
        site.item("OTHER", json!({}), "LON 5");
        for n in 0..9 {
            site.time.advance(i64::from(n % 2 == 0));
            match n % 3 {
                0 => drop(site.ok("POST /stock/adjust", json!({"location": "LEE", "reason": "lost", "lines": [{"sku": "A", "delta": -1}]}))),
                1 => drop(site.ok("POST /reservations", json!({"lines": [{"sku": "A", "quantity": 2}], "expires_in_seconds": 60}))),
                _ => drop(site.ok("POST /transfers", json!({"from": "LON", "to": "LEE", "lines": [{"sku": "A", "quantity": 3}]}))),
            }
        }
        let a = item(&site, "A");
        let config = config(&site);
        let read = |item: i64, places: Option<&[&str]>, query: &MovementQuery| {
            let seen = places.map(|p| locations(&site, p));
            site.engine.read_blocking(|tx| {
                let ledger = Ledger::read(tx, item, seen.as_deref())?;
                movements::list(tx, &config, &ledger, query, None)
            })
        };
        let pages = |places: Option<&[&str]>, mut query: MovementQuery| {
            let limit = query.limit;
            let mut rows = Vec::new();
            loop {
                let page = read(a, places, &query).unwrap();
                assert!(page.rows.len() <= limit);
                rows.extend(page.rows);
                let Some(next) = page.next else { return rows };
                query.after = Some(MovementCursor::parse("after", &next.to_string()).unwrap());
                assert!(rows.len() < 100, "the pages do not end");
            }
        };
        let walk = |places: Option<&[&str]>, causes: &[&str], limit: usize| {
            let causes = causes.iter().map(|c| (*c).to_owned()).collect();
            pages(places, MovementQuery { causes, limit, ..MovementQuery::default() })
        };
        let whole = walk(None, &[], 50);
        assert_eq!(whole.len(), site.get("/stock/A/entries?limit=200")["data"].as_array().unwrap().len());
        assert!(whole.windows(2).all(|w| w[0].entry.at.0 >= w[1].entry.at.0));
        assert!(whole.windows(2).all(|w| w[0].on_hand - w[0].change == w[1].on_hand));
        assert_eq!((whole[0].on_hand, whole.last().unwrap().on_hand - whole.last().unwrap().change), (38, 0));
        let key = |rows: &[movements::Movement]| rows.iter().map(|m| (m.entry.location.to_string(), m.entry.number, m.on_hand)).collect::<Vec<_>>();
        for limit in [1, 2, 3, 5] {
            assert_eq!(key(&walk(None, &[], limit)), key(&whole), "{limit}");
            let lost = walk(None, &["stock.adjusted", "nothing"], limit);
            assert_eq!(key(&lost), key(&whole.iter().filter(|m| m.entry.cause == "stock.adjusted").cloned().collect::<Vec<_>>()));
            assert!(lost.iter().all(|m| m.entry.reason.as_deref() == Some("lost") && m.entry.actor.ends_with("tester")));
            let lee = walk(Some(&["LEE"]), &[], limit);
            assert_eq!(lee.len(), whole.iter().filter(|m| &*m.entry.location == "LEE").count());
            assert_eq!(lee[0].on_hand, 17);
            // The other way round, each with what was on hand after it.
            let upward = pages(None, MovementQuery { oldest_first: true, limit, ..MovementQuery::default() });
            let mut reversed = key(&upward);
            reversed.reverse();
            assert_eq!(reversed, key(&whole), "{limit}");
            let of_it = |e: &engine::stock::read::EntryView| e.document == whole[3].entry.document;
            let found = site.engine.read_blocking(|tx| {
                let ledger = Ledger::read(tx, a, None)?;
                let query = MovementQuery { oldest_first: limit % 2 == 0, limit: 50, ..MovementQuery::default() };
                movements::list(tx, &config, &ledger, &query, Some(&of_it))
            });
            assert_eq!(found.unwrap().rows.len(), whole.iter().filter(|m| of_it(&m.entry)).count());
        }
        // As it was at each instant: what had happened by then, and what was on hand then.
        for at in whole.iter().map(|m| m.entry.at.0) {
            let past = site.engine.read_blocking(|tx| {
                let ledger = Ledger::read(tx, a, None)?.as_of(tx, Some(at))?;
                let query = |oldest_first| MovementQuery { oldest_first, limit: 50, ..MovementQuery::default() };
                let list = |tx: &mut engine::db::Tx<'_>, oldest_first| movements::list(tx, &config, &ledger, &query(oldest_first), None);
                Ok((list(tx, false)?.rows, list(tx, true)?.rows))
            });
            let (down, mut up) = past.unwrap();
            assert_eq!(key(&down), key(&whole.iter().filter(|m| m.entry.at.0 <= at).cloned().collect::<Vec<_>>()));
            up.reverse();
            assert_eq!(key(&up), key(&down));
        }
        // Where something moves for the first time between two pages, it is on the next one.
        let first = read(a, None, &MovementQuery { oldest_first: true, limit: 3, ..MovementQuery::default() }).unwrap();
        site.locations(&[("NEW", json!({}))]);
        site.time.advance(60);
        site.ok("POST /stock/receive", json!({"location": "NEW", "lines": [{"sku": "A", "quantity": 2}]}));
        let after = Some(MovementCursor::parse("after", &first.next.unwrap().to_string()).unwrap());
        let config = self::config(&site);
        let rest = site.engine.read_blocking(|tx| {
            let query = MovementQuery { oldest_first: true, after, limit: 100, ..MovementQuery::default() };
            let ledger = Ledger::read(tx, a, None)?;
            movements::list(tx, &config, &ledger, &query, None)
        });
        let rest = rest.unwrap().rows;
        let (newest, before) = (rest.last().unwrap(), &rest[rest.len() - 2]);
        assert_eq!((rest.len(), &*newest.entry.location, newest.on_hand), (whole.len() - 3 + 1, "NEW", before.on_hand + 2));
        assert!(
            walk(Some(&["LON", "LEE"]), &[], 5).len() == whole.len() && walk(Some(&[]), &[], 5).is_empty() && walk(None, &["nothing"], 5).is_empty()
        );
        let refused = |places: Option<&[&str]>, item: i64, after: &str| {
            let after = Some(MovementCursor::parse("after", after).unwrap());
            read(item, places, &MovementQuery { after, limit: 3, ..MovementQuery::default() }).unwrap_err().refused().unwrap().code()
        };
        let both = read(a, None, &MovementQuery { limit: 3, ..MovementQuery::default() }).unwrap().next.unwrap().to_string();
        assert_eq!(refused(Some(&["LON"]), a, &both), "invalid_field", "of more locations than may be seen");
        assert_eq!(refused(None, item(&site, "OTHER"), &both), "invalid_field");
        assert_eq!(refused(None, a, "0.77-5"), "invalid_field");
    });
}

#[test]
fn days_end_with_what_was_there_and_so_do_instants() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 30");
        let mut random = fastrand::Rng::with_seed(12);
        // Some days without a move, some with several; the entries are the truth that the closings are held against.
        for n in 0..60 {
            site.time.advance([600, 7_200, 40_000, 200_000][random.usize(0..4)]);
            match n % 4 {
                0 => site.receive("LEE", "A", 10 + n),
                1 => drop(site.ok("POST /reservations", json!({"lines": [{"sku": "A", "quantity": 2}], "expires_in_seconds": 60}))),
                2 => drop(site.ok("POST /stock/adjust", json!({"location": "LEE", "reason": "lost", "lines": [{"sku": "A", "delta": -1}]}))),
                _ => drop(site.ok("POST /transfers", json!({"from": "LEE", "to": "LON", "lines": [{"sku": "A", "quantity": 3}]}))),
            }
        }
        let (a, config, now) = (item(&site, "A"), config(&site), site.time.now());
        let entries = site.get("/stock/A/entries?limit=200");
        let entries = entries["data"].as_array().unwrap();
        assert!(entries.len() > 70 && entries.len() < 200, "{}", entries.len());
        let sums = |at: i64, places: Option<&[&str]>| {
            let mut sums = (0, 0);
            let at = engine::views::Time(at).to_string();
            for e in entries.iter().filter(|e| e["at"].as_str().unwrap() <= at.as_str()) {
                if places.is_none_or(|p| p.contains(&e["location"].as_str().unwrap())) {
                    let states = ["available", "reserved", "committed", "damaged", "quality_control", "safety_stock"];
                    for (account, sign) in [(&e["to"], 1), (&e["from"], -1)] {
                        let units = sign * e["quantity"].as_i64().unwrap();
                        sums.0 += if states.contains(&account.as_str().unwrap()) { units } else { 0 };
                        sums.1 += if account == "available" { units } else { 0 };
                    }
                }
            }
            sums
        };
        let days = |seen: Option<&[i64]>, count| {
            let read = |tx: &mut engine::db::Tx<'_>| {
                let ledger = Ledger::read(tx, a, seen)?;
                movements::days(tx, &ledger, now, count)
            };
            site.engine.read_blocking(read).unwrap()
        };
        let last = day_of(now);
        for places in [None, Some(&["LON"][..]), Some(&["LEE"])] {
            let seen = places.map(|codes| locations(&site, codes));
            let days = days(seen.as_deref(), 30);
            assert_eq!(days.iter().map(|d| d.day).collect::<Vec<_>>(), (last - 29..=last).collect::<Vec<_>>());
            for day in days {
                let end = ((day.day + 1) * 86_400_000_000 - 1).min(now);
                assert_eq!((day.on_hand, day.available), sums(end, places), "day {} {places:?}", day.day - last);
            }
        }
        // Each second hour, and each instant at which something moved.
        let moved = entries.iter().map(|e| e["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let hours = (0..400).map(|n| now - 7_200_000_000 * n);
        for at in moved.flat_map(|at| [at - 1, at]).chain(hours) {
            let then = site.engine.read_blocking(|tx| engine::stock::read::stock(tx, &config, "A", Some(at))).unwrap();
            assert_eq!((then.total.on_hand, then.total.available), sums(at, None), "at {at}");
            assert_eq!(then.locations.iter().map(|l| l.balances.on_hand).sum::<i64>(), then.total.on_hand);
        }
        assert!(days(None, 0).is_empty());
        let told = || engine::verify(&site.url, |_| {}).unwrap().told;
        assert_eq!(told(), [""; 0]);
        let mut conn = Conn::open(&site.url).unwrap();
        // What a database of before closings gets from its entries is the same.
        let (_, _, migration) = engine::db::MIGRATIONS.iter().find(|(_, name, _)| *name == "closings").unwrap();
        conn.batch(&format!("DELETE FROM closings; {}", &migration[migration.find("INSERT INTO closings").unwrap()..])).unwrap();
        assert_eq!(told(), [""; 0]);
        let [lon, lee] = [locations(&site, &["LON"])[0], locations(&site, &["LEE"])[0]];
        conn.batch(&format!("UPDATE closings SET damaged = damaged + 1 WHERE location = {lon} AND day > 20515")).unwrap();
        conn.batch(&format!("DELETE FROM closings WHERE location = {lee} AND day > 20515")).unwrap();
        let told = told();
        assert!(told.iter().any(|t| t.contains("is not what the entries say")) && told.iter().any(|t| t.contains("is missing")), "{told:?}");
        assert_eq!(told.len(), 2, "the first of each place: {told:?}");
    });
}

#[test]
fn a_clock_that_was_wrong_does_not_hide_what_came_after() {
    on_both(|url| {
        let again = |site: Site, days: i64| {
            let time = site.time.clone();
            drop(site);
            time.advance(days * DAY);
            Site::with(url.clone(), time, engine::Faults::default(), Outside::default())
        };
        let site = Site::new(url.clone());
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 10");
        let site = again(site, 400);
        site.receive("LON", "A", 5);
        site.time.advance(DAY);
        site.receive("LON", "A", 7);
        let site = again(site, -399);
        site.receive("LON", "A", 3);
        let (a, config, now) = (item(&site, "A"), config(&site), site.time.now());
        let read = |tx: &mut engine::db::Tx<'_>| {
            let ledger = Ledger::read(tx, a, None)?;
            Ok((movements::days(tx, &ledger, now, 30)?, engine::stock::read::stock(tx, &config, "A", Some(now))?.total.on_hand))
        };
        let (days, then) = site.engine.read_blocking(read).unwrap();
        assert_eq!(days[27..].iter().map(|d| d.on_hand).collect::<Vec<_>>(), [10, 10, 25], "the last is the present");
        assert_eq!(then, 13, "what is dated later had not happened yet");
        site.verify();
    });
}

#[test]
fn what_was_booked_by_hand_is_found_by_its_document() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
        site.item("A", json!({}), "LON 30");
        site.item("B", json!({}), "LON 30");
        let lines = json!([{"sku": "B", "quantity": 2}, {"sku": "A", "quantity": 1}]);
        let place = |location: &str, state: &str| json!({"location": location, "state": state});
        let moved =
            site.ok("POST /stock/move", json!({"from": place("LON", "available"), "to": place("LEE", "damaged"), "lines": lines, "reason": "wet"}));
        let received = site.ok("POST /stock/receive", json!({"location": "LEE", "lines": lines, "reference": "GRN-1"}));
        let order = site.order("1", "A 1").body;
        let config = config(&site);
        let read = |document: i64, places: Option<&[&str]>| {
            let seen = places.map(|codes| locations(&site, codes));
            let found = site.engine.read_blocking(|tx| movements::of_document(tx, &config, document, seen.as_deref())).unwrap();
            let entry = |e: &movements::DocumentEntry| format!("{} {} {}>{} {}", e.sku, e.entry.location, e.entry.from, e.entry.to, e.entry.quantity);
            found.iter().map(entry).collect::<Vec<_>>()
        };
        assert_eq!(
            read(id(&moved), None),
            ["A LON available>in_transit 1", "A LEE in_transit>damaged 1", "B LON available>in_transit 2", "B LEE in_transit>damaged 2"]
        );
        assert_eq!(read(id(&moved), Some(&["LEE"])), ["A LEE in_transit>damaged 1", "B LEE in_transit>damaged 2"]);
        assert_eq!(read(id(&received), None), ["A LEE supplier>available 1", "B LEE supplier>available 2"]);
        assert_eq!(read(id(&order), None), [""; 0], "orders have a page of their own");
        assert_eq!(read(-1, None), [""; 0]);
    });
}

#[test]
fn what_was_ordered_is_counted_once_by_item_and_day() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 500");
        site.item("B", json!({"when_short": "partial"}), "LON 5");
        site.item("TWO", json!({"components": [{"sku": "A", "quantity": 2}]}), "");
        let today = day_of(site.time.now());
        site.order("1", "A 3, B 9");
        let canceled = site.order("2", "TWO 1, A 1").body;
        site.ok(&format!("POST /orders/{}/cancel", canceled["id"].as_str().unwrap()), json!({}));
        assert!(count_sales(&site) >= 3);
        assert_eq!(count_sales(&site), 0, "nothing new");
        site.time.advance(2 * DAY);
        for n in 0..40 {
            site.order(&format!("n{n}"), "A 1");
        }
        // Two nodes at once, one of which lost its lease without knowing.
        let both = [0, 1].map(|_| {
            let url = site.url.clone();
            std::thread::spawn(move || sales::count(&mut Conn::open(&url).unwrap()))
        });
        for thread in both {
            thread.join().unwrap().unwrap();
        }
        count_sales(&site);
        let (a, b, two) = (item(&site, "A"), item(&site, "B"), item(&site, "TWO"));
        let days = site.engine.read_blocking(|tx| sales::by_day::<4>(tx, &[a, b, two], today + 2)).unwrap();
        assert_eq!(days.get(&a), Some(&[0, 6, 0, 40]), "three, one, and two in a kit");
        assert_eq!((days.get(&b), days.get(&two)), (Some(&[0, 9, 0, 0]), None), "what was asked for, in plain items");
        let earlier = site.engine.read_blocking(|tx| sales::by_day::<2>(tx, &[a], today + 1)).unwrap();
        assert_eq!(earlier.get(&a), Some(&[6, 0]));
    });
}
