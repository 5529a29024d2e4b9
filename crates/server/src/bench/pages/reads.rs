//! The reads that are measured, each with other parameters every time.

use super::world::{CHANNELS, LOCATIONS};
use crate::bench::growth::sku;
use domain::steps::Status;
use engine::db::{Sql, Tx};
use engine::orders::counts;
use engine::orders::list::{self as orders, OrderQuery};
use engine::page::Cursor;
use engine::reservations::list::{self as reservations, ReservationQuery};
use engine::stock::Ledger;
use engine::stock::movements::{self, MovementQuery};
use engine::stock::table::{Only, Sort, State, StockQuery};
use engine::stock::transfers::{self, TransferQuery};
use engine::stock::{holders, list as stock, sales};
use engine::{Config, Engine, Stop, day_of};

/// Rows of a page.
const PAGE: usize = 50;

/// A read; answers how many rows it found.
pub struct Read<'a> {
    pub what: &'static str,
    pub run: Box<dyn Fn(&mut Tx<'_>, usize) -> Result<usize, Stop> + 'a>,
}

/// Ids that the reads go by.
pub struct Known {
    /// Of the first item, which has more entries than anybody will read.
    hot: i64,
    locations: Vec<i64>,
    receipt: i64,
}

impl Known {
    pub fn new(tx: &mut Tx<'_>, config: &Config) -> Result<Known, Stop> {
        let hot = engine::stock::read::item(tx, &sku(0))?.id;
        let ledger = Ledger::read(tx, hot + 99, None)?;
        let first =
            movements::list(tx, config, &ledger, &MovementQuery { causes: vec!["stock.received".into()], limit: 1, ..Default::default() }, None)?;
        let receipt = first.rows.first().map_or(0, |m| m.entry.document.0);
        Ok(Known { hot, locations: config.locations.iter().map(|l| l.id).collect(), receipt })
    }
}

const FIRST: [Sql; 3] = [Sql("SELECT MIN(id) FROM orders"), Sql("SELECT MIN(id) FROM reservations"), Sql("SELECT MIN(id) FROM transfers")];

/// The lowest id of an order, a reservation and a transfer.
pub fn first_documents(tx: &mut Tx<'_>) -> Result<[i64; 3], Stop> {
    let mut first = [0; 3];
    for (n, sql) in FIRST.into_iter().enumerate() {
        first[n] = tx.one(sql, &[], |r| r.opt_int(0))?.flatten().unwrap_or(0);
    }
    Ok(first)
}

/// All of them.
pub fn all<'a>(engine: &'a Engine, config: &'a Config, known: &'a Known) -> Vec<Read<'a>> {
    let mut reads = Vec::new();
    order_lists(engine, config, known, &mut reads);
    stock_lists(engine, config, known, &mut reads);
    of_an_item(engine, config, known, &mut reads);
    let reservation = move |what, query: ReservationQuery| {
        let run = move |tx: &mut Tx<'_>, n: usize| {
            let channels = query.channels.as_ref().map(|_| vec![CHANNELS[n % 4].to_owned()]);
            Ok(reservations::list(tx, config, &ReservationQuery { channels, limit: PAGE, ..query.clone() })?.rows.len())
        };
        Read { what, run: Box::new(run) }
    };
    let channels = Some(Vec::new());
    let status = Some(Status::Expired);
    reads.push(reservation("reservations, those held first", ReservationQuery::default()));
    reads.push(reservation("reservations of a channel", ReservationQuery { channels, ..Default::default() }));
    reads.push(reservation("reservations that ran out", ReservationQuery { status, ..Default::default() }));
    let transfer = move |what, statuses: Vec<Status>, here: bool| {
        let run = move |tx: &mut Tx<'_>, n: usize| {
            let locations = here.then(|| vec![known.locations[n % LOCATIONS]]);
            Ok(transfers::list(tx, config, &TransferQuery { statuses: statuses.clone(), locations, limit: PAGE, ..Default::default() })?.rows.len())
        };
        Read { what, run: Box::new(run) }
    };
    reads.push(transfer("transfers, newest", Vec::new(), false));
    reads.push(transfer("transfers on their way, of a location", vec![Status::InTransit], true));
    reads
}

fn order_lists<'a>(engine: &'a Engine, config: &'a Config, known: &'a Known, reads: &mut Vec<Read<'a>>) {
    let now = engine.now();
    let day = 86_400_000_000;
    let mut add = |what, query: fn(usize, &Known) -> OrderQuery| {
        let run = move |tx: &mut Tx<'_>, n: usize| {
            let mut query = OrderQuery { limit: PAGE, ..query(n, known) };
            // Deep in the list for every other.
            if n % 2 == 1 && query.late_on.is_none() {
                query.after = Some(Cursor([now - day * (n as i64 % 300), 0]));
            }
            Ok(orders::list(tx, config, &query)?.rows.len())
        };
        reads.push(Read { what, run: Box::new(run) });
    };
    add("orders, newest", |_, _| OrderQuery::default());
    add("orders, oldest", |_, _| OrderQuery { oldest_first: true, ..Default::default() });
    add("orders that are open, oldest", |_, _| OrderQuery { statuses: vec![Status::Open], oldest_first: true, ..Default::default() });
    add("orders that are backordered", |_, _| OrderQuery { statuses: vec![Status::Backordered], ..Default::default() });
    add("orders of a channel", |n, _| OrderQuery { channels: Some(vec![CHANNELS[n % 5].into()]), ..Default::default() });
    add("orders of a channel that were canceled", |n, _| OrderQuery {
        channels: Some(vec![CHANNELS[n % 5].into()]),
        statuses: vec![Status::Canceled],
        ..Default::default()
    });
    add("orders of a location", |n, k| OrderQuery { locations: Some(vec![k.locations[n % LOCATIONS]]), ..Default::default() });
    add("open orders of a location, oldest", |n, k| OrderQuery {
        locations: Some(vec![k.locations[n % LOCATIONS]]),
        statuses: vec![Status::Open],
        oldest_first: true,
        ..Default::default()
    });
    add("orders of a location and a channel", |n, k| OrderQuery {
        locations: Some(vec![k.locations[n % LOCATIONS]]),
        channels: Some(vec![CHANNELS[n % 5].into()]),
        ..Default::default()
    });
    add("half-sent orders of two locations", |n, k| OrderQuery {
        locations: Some(vec![k.locations[n % LOCATIONS], k.locations[(n + 1) % LOCATIONS]]),
        statuses: vec![Status::PartiallyFulfilled],
        ..Default::default()
    });
    let today = day_of(now);
    let late = move |tx: &mut Tx<'_>, _: usize| {
        let query = OrderQuery { late_on: Some(today), oldest_first: true, limit: PAGE, ..Default::default() };
        Ok(orders::list(tx, config, &query)?.rows.len())
    };
    reads.push(Read { what: "orders that are late", run: Box::new(late) });
    let count = move |what, channels: bool, locations: bool| {
        let run = move |tx: &mut Tx<'_>, n: usize| {
            let channels = channels.then(|| vec![CHANNELS[n % 5].to_owned()]);
            let locations = locations.then(|| vec![known.locations[n % LOCATIONS]]);
            Ok(counts::counts(tx, channels.as_deref(), locations.as_deref(), today)?.statuses.len())
        };
        Read { what, run: Box::new(run) }
    };
    reads.push(count("orders, counted by status", false, false));
    reads.push(count("orders of a channel, counted", true, false));
    reads.push(count("orders of a location, counted", false, true));
}

fn stock_lists<'a>(engine: &'a Engine, config: &'a Config, known: &'a Known, reads: &mut Vec<Read<'a>>) {
    let now = engine.now();
    let mut add = |what, query: StockQuery, here: bool| {
        let run = move |tx: &mut Tx<'_>, n: usize| {
            let locations = here.then(|| vec![known.locations[n % LOCATIONS]]);
            let mut query = StockQuery { locations, limit: PAGE, ..query.clone() };
            // Deep in the list for every other.
            if n % 2 == 1 && matches!(query.sort, Sort::Sku | Sort::Name) && query.ids.is_none() {
                query.after = Some(Cursor([0, known.hot + 97 * n as i64 % 1_000]));
            }
            Ok(stock::page(tx, config, engine.stock_table(), &query, now)?.rows.len())
        };
        reads.push(Read { what, run: Box::new(run) });
    };
    let by = |sort, descending| StockQuery { sort, descending, ..Default::default() };
    let only = |state, sort| StockQuery { only: Only::State(state), sort, ..Default::default() };
    add("stock by SKU", StockQuery::default(), false);
    add("stock by SKU, of a location", StockQuery::default(), true);
    add("stock by name", by(Sort::Name, false), false);
    add("stock, most on hand", by(Sort::OnHand, true), false);
    add("stock, most sold", by(Sort::Sold, true), false);
    add("stock, least cover", by(Sort::Cover, false), false);
    add("stock, longest unmoved", by(Sort::Moved, false), false);
    add("stock, low, least cover, of a location", only(State::Low, Sort::Cover), true);
    add("stock, none free, by SKU", only(State::NoneFree, Sort::Sku), false);
    add("stock, damaged, by name", StockQuery { only: Only::Damaged, sort: Sort::Name, ..Default::default() }, false);
    let hits = (0..1_000).map(|n| known.hot + n * 7).collect();
    add(
        "stock, a thousand hits, most available",
        StockQuery { ids: Some(hits), sort: Sort::Available, descending: true, ..Default::default() },
        false,
    );
}

fn of_an_item<'a>(engine: &'a Engine, config: &'a Config, known: &'a Known, reads: &mut Vec<Read<'a>>) {
    let now = engine.now();
    // Every second one is the hot item.
    let item = |n: usize| known.hot + if n.is_multiple_of(2) { 0 } else { n as i64 };
    let mut add = |what, run: Box<dyn Fn(&mut Tx<'_>, usize) -> Result<usize, Stop> + 'a>| reads.push(Read { what, run });
    add(
        "movements of an item, two pages",
        Box::new(move |tx, n| {
            let ledger = Ledger::read(tx, item(n), None)?;
            let query = MovementQuery { limit: PAGE, ..Default::default() };
            let first = movements::list(tx, config, &ledger, &query, None)?;
            let second = movements::list(tx, config, &ledger, &MovementQuery { after: first.next, ..query }, None)?;
            Ok(first.rows.len() + second.rows.len())
        }),
    );
    add(
        "movements of an item, a rare cause",
        Box::new(move |tx, n| {
            let query = MovementQuery { causes: vec!["stock.moved".into()], limit: PAGE, ..Default::default() };
            let ledger = Ledger::read(tx, item(n), None)?;
            Ok(movements::list(tx, config, &ledger, &query, None)?.rows.len())
        }),
    );
    add(
        "an item day by day, 30 days",
        Box::new(move |tx, n| {
            let ledger = Ledger::read(tx, item(n), None)?;
            Ok(movements::days(tx, &ledger, now, 30)?.len())
        }),
    );
    add(
        "stock of an item as of a time of last month",
        Box::new(move |tx, n| {
            let sku = if n.is_multiple_of(2) { sku(0) } else { sku(n as u64) };
            Ok(engine::stock::read::stock(tx, config, &sku, Some(now - 3_600_000_000 * n as i64 % (30 * 86_400_000_000)))?.locations.len())
        }),
    );
    add("entries of a receipt", Box::new(move |tx, n| Ok(movements::of_document(tx, config, known.receipt + n as i64, None)?.len())));
    add(
        "who holds an item",
        Box::new(move |tx, n| {
            let ledger = Ledger::read(tx, item(n), None)?;
            Ok(holders::holders(tx, config, &ledger, PAGE)?.rows.len())
        }),
    );
    add(
        "sold by day, fifty items",
        Box::new(move |tx, n| {
            let items: Vec<i64> = (0..50).map(|i| known.hot + n as i64 + i).collect();
            Ok(sales::by_day::<28>(tx, &items, day_of(now))?.len())
        }),
    );
}
