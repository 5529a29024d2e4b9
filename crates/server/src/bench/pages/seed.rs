//! Writes a made-up year into the real tables in bulk, so that `holdfast verify` finds nothing wrong with it.

use super::world::{CANCELED_AFTER, CHANNELS, Fate, Kind, LOCATIONS, Line, Move, PEOPLE, PLACES, SENT, SHIPPED_AFTER, World, name};
use crate::Failed;
use crate::bench::growth::sku;
use crate::progress::bar;
use domain::routing::{Considered, Explanation, Price};
use domain::steps::Status;
use domain::stock::{Level, Posting};
use engine::catalog::locations::NewLocation;
use engine::db::{Cell, Conn, Faults, Rows, Sql, Table, Type, Value, Write};
use engine::orders::place::StoredDecision;
use engine::stock::closings::closed_by;
use engine::{Command, Engine, Options, Url, day_of};
use std::collections::BTreeMap;

/// Rows written at once, and rows in one commit.
const PIECE: usize = 10_000;
const COMMIT: usize = 200_000;

const COUNTER: Sql = Sql("SELECT value FROM counters WHERE name = $1");
const LOCATION_IDS: Sql = Sql("SELECT id FROM locations ORDER BY id");
const COUNTERS: Table = Table { name: "counters", columns: &[("name", Type::Text), ("value", Type::Int)], key: "name" };

/// Ids of documents, each kind in a row of its own.
struct Ids {
    items: i64,
    orders: i64,
    fulfillments: i64,
    shipments: i64,
    holds: i64,
    transfers: i64,
    queued: i64,
    receipts: i64,
    adjustments: i64,
    end: i64,
}

impl Ids {
    fn after(last: i64, world: &World) -> Ids {
        let (items, orders) = (world.items as i64, world.orders.len() as i64);
        let mut next = last + 1;
        let mut take = |count: i64| {
            next += count;
            next - count
        };
        Ids {
            items: take(items),
            orders: take(orders),
            // A location at most for each of an order's places.
            fulfillments: take(orders * LOCATIONS as i64),
            shipments: take(orders * LOCATIONS as i64),
            holds: take(world.holds.len() as i64),
            transfers: take(world.transfers.len() as i64),
            queued: take(orders),
            receipts: take(items),
            adjustments: take(items),
            end: take(0),
        }
    }
}

/// Fills an empty database; answers how many rows were written.
pub fn fill(url: &Url, items: usize, orders: usize) -> Result<u64, Failed> {
    let engine = Engine::open(Options::new(url.clone()))?;
    for n in 1..=LOCATIONS {
        let location = NewLocation {
            code: format!("L{n}"),
            name: format!("Location {n}"),
            kind: "warehouse".into(),
            country: "GB".into(),
            latitude: Some(50.5 + 0.8 * n as f64),
            longitude: Some(-3.0 + 0.4 * n as f64),
            ..NewLocation::default()
        };
        engine.submit_blocking(Command::CreateLocation(location), "bench")?;
    }
    engine.shut_down();
    let world = World::new(items, orders, engine.now());
    let mut conn = Conn::open(url)?;
    // Nothing is lost that could not be made again.
    conn.batch(match url {
        Url::Sqlite(_) => "PRAGMA synchronous = OFF; PRAGMA cache_size = -500000",
        Url::Postgres(_) => "SET synchronous_commit = off",
    })?;
    let mut seed = Seed::new(conn, &world)?;
    seed.items()?;
    let mut moves = seed.orders()?;
    seed.holds(&mut moves)?;
    seed.transfers(&mut moves)?;
    seed.levels(moves)?;
    seed.events()?;
    seed.end()?;
    Ok(seed.written)
}

struct Seed<'w> {
    conn: Conn,
    world: &'w World,
    ids: Ids,
    locations: Vec<i64>,
    first_event: i64,
    events: i64,
    pieces: Vec<(&'static Table, Rows)>,
    pending: usize,
    ready: Vec<Write>,
    written: u64,
    bar: indicatif::ProgressBar,
    /// Units ordered, by item and day.
    sold: BTreeMap<(u32, i64), i64>,
}

fn table(name: &str) -> Result<&'static Table, Failed> {
    engine::TABLES.iter().find(|t| t.name == name).copied().ok_or_else(|| Failed(format!("no table {name}")))
}

fn cells<const N: usize>(cells: [Cell; N]) -> [Cell; N] {
    cells
}

impl<'w> Seed<'w> {
    fn new(mut conn: Conn, world: &'w World) -> Result<Seed<'w>, Failed> {
        let mut tx = conn.begin_read()?;
        let counter = |tx: &mut engine::db::Tx<'_>, name| tx.one(COUNTER, &[Value::Text(name)], |r| r.int(0));
        let last_id = counter(&mut tx, "id")?.unwrap_or(0);
        let last_event = counter(&mut tx, "event")?.unwrap_or(0);
        let locations = tx.rows(LOCATION_IDS, &[], |r| r.int(0))?;
        drop(tx);
        Ok(Seed {
            conn,
            world,
            ids: Ids::after(last_id, world),
            locations,
            first_event: last_event + 1,
            events: 0,
            pieces: Vec::new(),
            pending: 0,
            ready: Vec::new(),
            written: 0,
            bar: bar(0, "rows written"),
            sold: BTreeMap::new(),
        })
    }

    fn put<const N: usize>(&mut self, table: &'static Table, row: [Cell; N]) -> Result<(), Failed> {
        let place = match self.pieces.iter().position(|(t, _)| t.name == table.name) {
            Some(place) => place,
            None => {
                self.pieces.push((table, Rows::default()));
                self.pieces.len() - 1
            }
        };
        let rows = &mut self.pieces[place].1;
        rows.0.extend(row);
        if rows.0.len() >= PIECE * N {
            let rows = std::mem::take(rows);
            self.pending += PIECE;
            self.ready.push(Write::new(table, rows));
        }
        if self.pending >= COMMIT { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<(), Failed> {
        for (table, rows) in self.pieces.drain(..).filter(|(_, rows)| !rows.0.is_empty()) {
            self.ready.push(Write::new(table, rows));
        }
        let rows: usize = self.ready.iter().map(|w| w.rows.0.len() / w.table.columns.len()).sum();
        let none = Faults::default();
        let mut tx = self.conn.begin(&none)?;
        tx.write(std::mem::take(&mut self.ready))?;
        tx.commit()?;
        self.written += rows as u64;
        self.bar.inc(rows as u64);
        self.pending = 0;
        Ok(())
    }

    fn items(&mut self) -> Result<(), Failed> {
        let table = table("items")?;
        let created_at = self.world.now - 400 * 86_400_000_000;
        for n in 0..self.world.items {
            let row = cells([
                (self.ids.items + n as i64).into(),
                sku(n as u64).into(),
                name(n).into(),
                format!("50{:011}", n * 13).into(),
                ((n as i64 * 37) % 9_900 + 99).into(),
                "GBP".into(),
                (n as i64 % 2_000 + 20).into(),
                Cell::Null,
                Cell::Null,
                Cell::Null,
                if n.is_multiple_of(10) { "backorder" } else { "deny" }.into(),
                Cell::Null,
                false.into(),
                // One in fifty is not sold any more.
                (n % 50 != 49).into(),
                created_at.into(),
            ]);
            self.put(table, row)?;
        }
        self.commit()
    }

    /// Orders with all that belongs to them; answers the moves behind them.
    fn orders(&mut self) -> Result<Vec<Move>, Failed> {
        let (orders, lines) = (table("orders")?, table("order_lines")?);
        let world = self.world;
        let decision = decision()?;
        let mut moves = Vec::with_capacity(5 * world.orders.len());
        for (n, order) in world.orders.iter().enumerate() {
            let id = self.ids.orders + n as i64;
            let (place, postal_code) = PLACES[n % PLACES.len()];
            let person = PEOPLE[n / 3 % PEOPLE.len()];
            let channel = CHANNELS[usize::from(order.channel)];
            let ship_to = format!(
                "{{\"country\":\"GB\",\"postal_code\":\"{postal_code}\",\"name\":\"{person}\",\"address1\":\"{} High Street\",\"city\":\"{place}\"}}",
                n % 200 + 1
            );
            let ordered = world.lines(order);
            let total: i64 = ordered.iter().map(|l| i64::from(l.quantity) * 999).sum();
            let queued = order.status == Status::Queued;
            let row = cells([
                id.into(),
                channel.into(),
                format!("{channel}-{n:07}").into(),
                order.status.word().into(),
                person.into(),
                ship_to.into(),
                "GBP".into(),
                total.into(),
                order.at.into(),
                queued.then_some(self.ids.queued + n as i64).into(),
                decision.clone().into(),
            ]);
            self.put(orders, row)?;
            for (number, line) in ordered.iter().enumerate() {
                let quantity = i64::from(line.quantity);
                let when = |fate| if line.fate == fate { quantity } else { 0 };
                let row = cells([
                    id.into(),
                    (number as i64 + 1).into(),
                    (self.ids.items + i64::from(line.item)).into(),
                    Cell::Null,
                    1i64.into(),
                    quantity.into(),
                    999i64.into(),
                    when(Fate::Canceled).into(),
                    when(Fate::Waiting).into(),
                    when(Fate::Shipped).into(),
                    0i64.into(),
                ]);
                self.put(lines, row)?;
                *self.sold.entry((line.item, day_of(order.at))).or_default() += quantity;
                line_moves(line, order.at, id, &mut moves);
            }
            self.fulfillments(n)?;
            if queued {
                self.queued_hold(n)?;
            }
        }
        self.commit()?;
        Ok(moves)
    }

    fn fulfillments(&mut self, n: usize) -> Result<(), Failed> {
        let (fulfillments, parts, shipments) = (table("fulfillments")?, table("fulfillment_lines")?, table("shipments")?);
        let world = self.world;
        let order = &world.orders[n];
        for location in 0..LOCATIONS {
            let sent = |l: &&(usize, &Line)| usize::from(l.1.location) == location && !matches!(l.1.fate, Fate::Queued | Fate::Waiting);
            let all: Vec<(usize, &Line)> = world.lines(order).iter().enumerate().collect();
            let here: Vec<&(usize, &Line)> = all.iter().filter(sent).collect();
            let Some((_, first)) = here.first() else { continue };
            let fate = here.iter().map(|(_, l)| l.fate).find(|fate| *fate != first.fate);
            let status = match (first.fate, fate) {
                (Fate::Shipped, Some(_)) => Status::PartiallyFulfilled,
                (Fate::Shipped, None) => Status::Fulfilled,
                (Fate::Canceled, _) => Status::Canceled,
                _ => Status::Open,
            };
            let id = self.ids.fulfillments + (n * LOCATIONS + location) as i64;
            let order_id = self.ids.orders + n as i64;
            let day = day_of(order.at);
            let row =
                [id.into(), order_id.into(), self.locations[location].into(), status.word().into(), day.into(), order.at.into(), order.at.into()];
            self.put(fulfillments, row)?;
            let mut shipped: Vec<(i64, i64)> = Vec::new();
            for (number, line) in here {
                let (item, quantity) = (self.ids.items + i64::from(line.item), i64::from(line.quantity));
                let when = |fate| if line.fate == fate { quantity } else { 0 };
                let number = *number as i64 + 1;
                let row = [id.into(), number.into(), item.into(), quantity.into(), when(Fate::Shipped).into(), when(Fate::Canceled).into()];
                self.put(parts, row)?;
                if line.fate == Fate::Shipped {
                    shipped.push((item, quantity));
                }
            }
            if !shipped.is_empty() {
                let shipment = self.ids.shipments + (n * LOCATIONS + location) as i64;
                let lines = serde_json::to_string(&shipped)?;
                let row =
                    cells([shipment.into(), id.into(), (order.at + SHIPPED_AFTER).into(), "DPD".into(), format!("T{shipment}").into(), lines.into()]);
                self.put(shipments, row)?;
            }
        }
        Ok(())
    }

    /// The reservation that holds the units of a queued order.
    fn queued_hold(&mut self, n: usize) -> Result<(), Failed> {
        let order = &self.world.orders[n];
        let line = |l: &Line| (self.ids.items + i64::from(l.item), self.locations[usize::from(l.location)], i64::from(l.quantity));
        let lines: Vec<(i64, i64, i64)> = self.world.lines(order).iter().map(line).collect();
        let row = cells([
            (self.ids.queued + n as i64).into(),
            Status::Ordered.word().into(),
            CHANNELS[usize::from(order.channel)].into(),
            order.at.into(),
            i64::MAX.into(),
            (self.ids.orders + n as i64).into(),
            serde_json::to_string(&lines)?.into(),
        ]);
        self.put(table("reservations")?, row)
    }

    fn holds(&mut self, moves: &mut Vec<Move>) -> Result<(), Failed> {
        let reservations = table("reservations")?;
        let world = self.world;
        let lines = format!("[[{},{},1]]", self.ids.items, self.locations[0]);
        for (n, hold) in world.holds.iter().enumerate() {
            let id = self.ids.holds + n as i64;
            let status = if hold.held { Status::Held } else { Status::Expired };
            let expires_at = if hold.held { world.now + (n as i64 % 3_600 + 60) * 1_000_000 } else { hold.at + 900_000_000 };
            let row =
                cells([id.into(), status.word().into(), CHANNELS[n % 4].into(), hold.at.into(), expires_at.into(), Cell::Null, lines.clone().into()]);
            self.put(reservations, row)?;
            let held = Move { item: 0, location: 0, at: hold.at, kind: Kind::Held, quantity: 1, document: id };
            moves.push(held);
            if !hold.held {
                moves.push(Move { at: expires_at, kind: Kind::Expired, ..held });
            }
        }
        self.commit()
    }

    fn transfers(&mut self, moves: &mut Vec<Move>) -> Result<(), Failed> {
        let (transfers, lines) = (table("transfers")?, table("transfer_lines")?);
        let world = self.world;
        for (n, transfer) in world.transfers.iter().enumerate() {
            let id = self.ids.transfers + n as i64;
            let status = if transfer.arrived { Status::Received } else { Status::InTransit };
            let [from, to] = [transfer.from, transfer.to].map(|l| self.locations[usize::from(l)]);
            self.put(transfers, [id.into(), from.into(), to.into(), status.word().into(), Cell::Null, transfer.at.into()])?;
            let received = if transfer.arrived { i64::from(SENT) } else { 0 };
            let item = self.ids.items + i64::from(transfer.item);
            self.put(lines, [id.into(), item.into(), i64::from(SENT).into(), received.into(), 0i64.into(), 0i64.into()])?;
            let sent = Move { item: transfer.item, location: transfer.from, at: transfer.at, kind: Kind::SentFrom, quantity: SENT, document: id };
            moves.push(sent);
            moves.push(Move { location: transfer.to, kind: Kind::SentTo, ..sent });
            if transfer.arrived {
                moves.push(Move { location: transfer.to, kind: Kind::Arrived, at: transfer.at + SHIPPED_AFTER, ..sent });
            }
        }
        self.commit()
    }

    /// Every level with its entries, item by item, as they lie in the ledger.
    fn levels(&mut self, mut moves: Vec<Move>) -> Result<(), Failed> {
        moves.sort_unstable();
        let mut random = fastrand::Rng::with_seed(11);
        let mut moves = moves.into_iter().peekable();
        let begin = self.world.now - 390 * 86_400_000_000;
        for n in 0..self.world.items as u32 {
            for location in 0..LOCATIONS as u8 {
                let mut of_level: Vec<Move> = Vec::new();
                while let Some(next) = moves.next_if(|m| (m.item, m.location) == (n, location)) {
                    of_level.push(next);
                }
                let takes = |m: &&Move| m.kind.entry().0 == domain::stock::Account::Available;
                let taken: u32 = of_level.iter().filter(takes).map(|m| m.quantity).sum();
                let (scrapped, damaged, left) = rest(&mut random, of_level.is_empty());
                let document = self.ids.receipts + i64::from(n);
                let quantity = taken + scrapped + damaged + left;
                let received = Move { item: n, location, at: begin, kind: Kind::Received, quantity, document };
                of_level.insert(0, received);
                for (kind, quantity) in [(Kind::Scrapped, scrapped), (Kind::Damaged, damaged)] {
                    let document = self.ids.adjustments + i64::from(n);
                    of_level.insert(1, Move { item: n, location, at: begin + 1, kind, quantity, document });
                }
                self.level(n, location, &of_level)?;
            }
        }
        self.commit()
    }

    fn level(&mut self, item: u32, location: u8, moves: &[Move]) -> Result<(), Failed> {
        let (levels, entries, closings) = (table("levels")?, table("entries")?, table("closings")?);
        let (item, location) = (self.ids.items + i64::from(item), self.locations[usize::from(location)]);
        let mut level = Level::default();
        for m in moves.iter().filter(|m| m.quantity > 0) {
            let (source, target, cause) = m.kind.entry();
            let reason = if matches!(m.kind, Kind::Scrapped | Kind::Damaged) { "damaged" } else { "" };
            let quantity = i64::from(m.quantity);
            let posting =
                Posting { item, location, source, target, quantity, at: m.at, cause, document: m.document, actor: "bench", reason, reference: "" };
            if let Some(day) = closed_by(&level, m.at) {
                let b = level.balances();
                let row = [item, location, day, level.entries, b[0], b[1], b[2], b[3], b[4], b[5], b[6]].map(Cell::Int);
                self.put(closings, row)?;
            }
            let hash = level.post(&posting).map_err(|why| Failed(format!("item {item} at {location}, {cause} {quantity}: {why:?}")))?;
            let row = cells([
                item.into(),
                location.into(),
                level.entries.into(),
                m.at.into(),
                source.number().into(),
                target.number().into(),
                quantity.into(),
                cause.into(),
                m.document.into(),
                "bench".into(),
                if reason.is_empty() { Cell::Null } else { reason.into() },
                Cell::Null,
                Cell::Hash(hash),
            ]);
            self.put(entries, row)?;
        }
        let b = level.balances();
        let row = cells([
            item.into(),
            location.into(),
            b[0].into(),
            b[1].into(),
            b[2].into(),
            b[3].into(),
            b[4].into(),
            b[5].into(),
            b[6].into(),
            level.entries.into(),
            Cell::Hash(level.head),
            level.moved_at.into(),
        ]);
        self.put(levels, row)
    }

    /// What the outside world was told, in the order of time: each order placed, and a day later shipped.
    fn events(&mut self) -> Result<(), Failed> {
        let world = self.world;
        let mut shipped =
            world.orders.iter().enumerate().filter(|(_, o)| matches!(o.status, Status::Fulfilled | Status::PartiallyFulfilled)).peekable();
        for (n, order) in world.orders.iter().enumerate() {
            while let Some((n, earlier)) = shipped.next_if(|(_, o)| o.at + SHIPPED_AFTER <= order.at) {
                self.event("order.shipped", n, earlier.at + SHIPPED_AFTER)?;
            }
            self.event("order.placed", n, order.at)?;
        }
        for (n, order) in shipped {
            self.event("order.shipped", n, order.at + SHIPPED_AFTER)?;
        }
        self.commit()
    }

    fn event(&mut self, kind: &'static str, n: usize, at: i64) -> Result<(), Failed> {
        let (world, id) = (self.world, self.ids.orders + n as i64);
        let order = &world.orders[n];
        let channel = CHANNELS[usize::from(order.channel)];
        let units: u32 = world.lines(order).iter().map(|l| u32::from(l.quantity)).sum();
        let shipped = if kind == "order.shipped" { units } else { 0 };
        let status = if kind == "order.shipped" { "fulfilled" } else { "open" };
        let data = format!(
            "{{\"id\":\"{id}\",\"number\":\"H{id}\",\"channel\":\"{channel}\",\"reference\":\"{channel}-{n:07}\",\"status\":\"{status}\",\"units\":{units},\"backordered\":0,\"shipped\":{shipped},\"locations\":[\"L1\"]}}"
        );
        let seq = self.first_event + self.events;
        self.events += 1;
        self.put(table("events")?, [seq.into(), at.into(), kind.into(), id.into(), "bench".into(), data.into()])
    }

    /// What was sold by day, and the counters.
    fn end(&mut self) -> Result<(), Failed> {
        let days = table("item_days")?;
        for ((item, day), ordered) in std::mem::take(&mut self.sold) {
            self.put(days, [(self.ids.items + i64::from(item)).into(), day.into(), ordered.into()])?;
        }
        self.commit()?;
        let last_event = self.first_event + self.events - 1;
        let mut rows = Rows::default();
        for (name, value) in [("id", self.ids.end), ("event", last_event), ("sales", last_event)] {
            rows.0.extend([name.into(), value.into()]);
        }
        let none = Faults::default();
        let mut tx = self.conn.begin(&none)?;
        tx.write(vec![Write::changed(&COUNTERS, rows)])?;
        tx.commit()?;
        // The planner of PostgreSQL knows a table by its statistics; and what was written at once is on the disk before anything is measured,
        // as it is where a year took a year.
        if self.conn.is_postgres() {
            self.conn.batch("VACUUM (ANALYZE)")?;
            self.conn.batch("CHECKPOINT")?;
        }
        self.bar.finish_and_clear();
        Ok(())
    }
}

/// What an order line did to the units of its item.
fn line_moves(line: &Line, at: i64, order: i64, moves: &mut Vec<Move>) {
    let one = Move { item: line.item, location: line.location, at, kind: Kind::Placed, quantity: line.quantity.into(), document: order };
    match line.fate {
        Fate::Waiting => {}
        Fate::Queued => moves.push(Move { kind: Kind::Queued, ..one }),
        Fate::Open => moves.push(one),
        Fate::Shipped => moves.extend([one, Move { kind: Kind::Shipped, at: at + SHIPPED_AFTER, ..one }]),
        Fate::Canceled => moves.extend([one, Move { kind: Kind::Canceled, at: at + CANCELED_AFTER, ..one }]),
    }
}

/// Units of a level that nobody ordered: scrapped, damaged, left.
fn rest(random: &mut fastrand::Rng, unsold: bool) -> (u32, u32, u32) {
    let scrapped = if random.u8(0..20) == 0 { random.u32(1..5) } else { 0 };
    let damaged = if random.u8(0..40) == 0 { random.u32(1..5) } else { 0 };
    let left = match random.u8(0..10) {
        0 | 1 => 0,
        2..=5 => random.u32(1..20),
        _ => random.u32(1..500),
    };
    // Something was there once.
    if unsold && scrapped + damaged + left == 0 { (3, 0, 0) } else { (scrapped, damaged, left) }
}

/// Why an order was routed so, as long as a real one.
fn decision() -> Result<String, Failed> {
    let candidate = |n: usize| Considered {
        location: format!("L{n}"),
        chosen: n == 1,
        reason: if n == 1 { "Cheapest that has everything." } else { "Dearer than the one that was chosen." }.into(),
        lines: Some(1),
        capacity_left: None,
        distance_km: Some(57.5 * n as f64),
        cost: Some(Price { shipping: 4_200_000 + 100_000 * n as i64, handling: 900_000, risk: 12_000 }),
    };
    let candidates = (1..=LOCATIONS).map(candidate).collect();
    let explanation = Explanation { rule: "Nearest first".into(), lines: 1, cost: 5_212_000, fulfillments: 1, candidates };
    Ok(serde_json::to_string(&StoredDecision { rule_set: "default".into(), explanation, notes: Vec::new() })?)
}
