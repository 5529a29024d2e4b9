//! Verify: recomputes every balance and every hash from the entries, and compares the levels with the documents that
//! claim units of them, closings with the entries they close, and sums of listings with the listings. Reads one consistent state; works beside a running server.

use crate::Stop;
use crate::access::audit;
use crate::channels::sums;
use crate::db::{Conn, Row, Sql, Tx, Url, Value};
use crate::reservations::rows::Reservation;
use crate::stock::closings::{Sums, closed_by};
use crate::stock::rows::{LEVEL_COLUMNS, read_level};
use domain::stock::{Account, Level, Posting, chain};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const ENTRIES: Sql = Sql(
    "SELECT item, location, number, at, source, target, quantity, cause, document, actor, reason, reference, hash FROM entries WHERE (item, location, number) > ($1, $2, $3) ORDER BY item, location, number LIMIT $4",
);
const LEVELS: Sql = Sql(
    "SELECT item, location, available, reserved, committed, damaged, quality_control, safety_stock, incoming, entries, head, moved_at FROM levels WHERE (item, location) > ($1, $2) ORDER BY item, location LIMIT $3",
);
const CLOSINGS: Sql = Sql(
    "SELECT item, location, day, number, available, reserved, committed, damaged, quality_control, safety_stock, incoming FROM closings WHERE (item, location, day) > ($1, $2, $3) ORDER BY item, location, day LIMIT $4",
);
const HOLDS: Sql = Sql(
    "SELECT r.id, r.status, r.channel, r.created_at, r.expires_at, r.order_id, r.lines FROM reservations r WHERE r.status = 'held' UNION ALL SELECT r.id, r.status, r.channel, r.created_at, r.expires_at, r.order_id, r.lines FROM orders o JOIN reservations r ON r.id = o.reservation WHERE o.status = 'queued'",
);
const COMMITTED: Sql = Sql(
    "SELECT l.item, f.location, CAST(SUM(l.quantity - l.shipped - l.canceled) AS BIGINT) FROM fulfillment_lines l JOIN fulfillments f ON f.id = l.fulfillment WHERE l.quantity > l.shipped + l.canceled GROUP BY l.item, f.location",
);
const INCOMING: Sql = Sql(
    "SELECT l.item, t.target, CAST(SUM(l.quantity - l.received - l.lost - l.canceled) AS BIGINT) FROM transfer_lines l JOIN transfers t ON t.id = l.transfer WHERE l.quantity > l.received + l.lost + l.canceled GROUP BY l.item, t.target",
);
const EVENTS: Sql = Sql("SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM events");

const PAGE: i64 = 20_000;
/// Discrepancies that are told one by one; the rest are counted.
const MAX_TOLD: usize = 100;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub entries: u64,
    pub levels: u64,
    /// Records of the audit log.
    pub audit: u64,
    pub discrepancies: u64,
    /// The first hundred, in words.
    pub told: Vec<String>,
}

impl Report {
    fn tell(&mut self, text: String) {
        self.discrepancies += 1;
        if self.told.len() < MAX_TOLD {
            self.told.push(text);
        }
    }
}

/// Checks the whole database. `progress` hears how many entries were read.
pub fn verify(url: &Url, mut progress: impl FnMut(u64)) -> Result<Report, Stop> {
    let mut conn = Conn::open_to_read(url)?;
    let mut tx = conn.begin_read()?;
    let mut report = Report::default();
    let mut claimed = claims(&mut tx)?;
    let mut levels = Levels { next: Vec::new(), last: (i64::MIN, i64::MIN), done: false };
    let mut closings = Closings { next: Vec::new(), last: (i64::MIN, i64::MIN, i64::MIN), done: false };
    let mut current: Option<((i64, i64), Level)> = None;
    // By day, what the level of the current place was when it had ended.
    let mut closed: BTreeMap<i64, Closing> = BTreeMap::new();
    let mut last = (i64::MIN, i64::MIN, i64::MIN);
    loop {
        let values = [Value::Int(last.0), Value::Int(last.1), Value::Int(last.2), Value::Int(PAGE)];
        let page = tx.rows(ENTRIES, &values, Entry::read)?;
        for entry in &page {
            let place = (entry.item, entry.location);
            if current.as_ref().is_none_or(|(known, _)| *known != place) {
                if let Some((known, level)) = current.take() {
                    levels.compare(&mut tx, known, &level, &mut claimed, &mut report)?;
                    closings.compare(&mut tx, known, &mut closed, &mut report)?;
                }
                current = Some((place, Level::default()));
            }
            if let Some((_, level)) = &mut current {
                if let Some(day) = closed_by(level, entry.at) {
                    closed.insert(day, Closing { number: level.entries, sums: *level.balances() });
                }
                entry.replay(level, &mut report);
            }
            report.entries += 1;
            last = (entry.item, entry.location, entry.number);
        }
        progress(report.entries);
        if page.len() < PAGE as usize {
            break;
        }
    }
    if let Some((known, level)) = current.take() {
        levels.compare(&mut tx, known, &level, &mut claimed, &mut report)?;
        closings.compare(&mut tx, known, &mut closed, &mut report)?;
    }
    closings.compare(&mut tx, (i64::MAX, i64::MAX), &mut closed, &mut report)?;
    while let Some((item, location, level)) = levels.take(&mut tx)? {
        report.levels += 1;
        if level != Level::default() {
            report.tell(format!("item {item} at location {location}: a level without any entry"));
        }
    }
    for ((item, location, account), units) in claimed.into_iter().filter(|(_, units)| *units != 0) {
        report.tell(format!("item {item} at location {location}: documents claim {units} more {} than the level has", account.word()));
    }
    if let Some((count, newest)) = tx.one(EVENTS, &[], |r| (r.int(0), r.int(1)))?
        && count != newest
    {
        report.tell(format!("events: {count} of {newest} are there"));
    }
    contracts(&mut tx, &mut report)?;
    listings(&mut tx, &mut report)?;
    let (records, wrong) = audit::verify(&mut tx)?;
    report.audit = records;
    wrong.into_iter().for_each(|text| report.tell(text));
    Ok(report)
}

/// Contracts count what was ordered under them: compared with the orders themselves.
fn contracts(tx: &mut Tx<'_>, report: &mut Report) -> Result<(), Stop> {
    const ORDERED: Sql = Sql(
        "SELECT l.item, c.code, l.ordered, CAST(COALESCE(SUM(x.quantity - x.canceled), 0) AS BIGINT) FROM contract_lines l JOIN channels c ON c.id = l.channel LEFT JOIN orders o ON o.channel = c.code AND o.placed_at >= c.created_at LEFT JOIN order_lines x ON x.order_id = o.id AND x.item = l.item GROUP BY l.listing, l.item, c.code, l.ordered ORDER BY l.listing",
    );
    for (item, code, counted, ordered) in tx.rows(ORDERED, &[], |r| (r.int(0), r.text(1), r.int(2), r.int(3)))? {
        if counted != ordered {
            report.tell(format!("contract {code}, item {item}: {counted} are counted as ordered, the orders say {ordered}"));
        }
    }
    Ok(())
}

/// What the listings of each channel add up to: compared with the listings themselves.
fn listings(tx: &mut Tx<'_>, report: &mut Report) -> Result<(), Stop> {
    let (kept, counted) = (sums::all(tx)?, sums::counted(tx)?);
    let channels: BTreeSet<i64> = kept.keys().chain(counted.keys()).copied().collect();
    for channel in channels {
        let of = |sums: &sums::ByChannel| sums.get(&channel).copied().unwrap_or_default();
        if of(&kept) != of(&counted) {
            report.tell(format!("channel {channel}: {:?} is kept of its listings, they add up to {:?}", of(&kept), of(&counted)));
        }
    }
    Ok(())
}

/// Units that documents claim, by (item, location, state).
type Claims = HashMap<(i64, i64, Account), i64>;

fn claims(tx: &mut Tx<'_>) -> Result<Claims, Stop> {
    let mut claims = Claims::new();
    tx.each(HOLDS, &[], &mut |row| {
        for (item, location, quantity) in Reservation::read(row).lines {
            *claims.entry((item, location, Account::Reserved)).or_insert(0) += quantity;
        }
    })?;
    for (sql, account) in [(COMMITTED, Account::Committed), (INCOMING, Account::Incoming)] {
        tx.each(sql, &[], &mut |row| {
            *claims.entry((row.int(0), row.int(1), account)).or_insert(0) += row.int(2);
        })?;
    }
    Ok(claims)
}

struct Entry {
    item: i64,
    location: i64,
    number: i64,
    at: i64,
    source: Option<Account>,
    target: Option<Account>,
    quantity: i64,
    cause: String,
    document: i64,
    actor: String,
    reason: String,
    reference: String,
    hash: [u8; 32],
}

impl Entry {
    fn read(row: &Row<'_>) -> Entry {
        Entry {
            item: row.int(0),
            location: row.int(1),
            number: row.int(2),
            at: row.int(3),
            source: Account::from_number(row.int(4)),
            target: Account::from_number(row.int(5)),
            quantity: row.int(6),
            cause: row.text(7),
            document: row.int(8),
            actor: row.text(9),
            reason: row.text(10),
            reference: row.text(11),
            hash: row.hash(12),
        }
    }

    /// Repeats the posting on a level that is built up from nothing.
    fn replay(&self, level: &mut Level, report: &mut Report) {
        let name = format!("item {} at location {}, entry {}", self.item, self.location, self.number);
        if self.number != level.entries + 1 {
            report.tell(format!("{name}: comes after entry {}", level.entries));
        }
        let (Some(source), Some(target)) = (self.source, self.target) else {
            report.tell(format!("{name}: unknown account"));
            return;
        };
        let posting = Posting {
            item: self.item,
            location: self.location,
            source,
            target,
            quantity: self.quantity,
            at: self.at,
            cause: &self.cause,
            document: self.document,
            actor: &self.actor,
            reason: &self.reason,
            reference: &self.reference,
        };
        if chain(&level.head, self.number, &posting) != self.hash {
            report.tell(format!("{name}: the hash does not fit the entry and the one before it"));
        }
        if let Err(why) = level.post(&posting) {
            report.tell(format!("{name}: {why:?}"));
        }
        // Go on from what is stored, so that one fault is told once.
        level.entries = self.number;
        level.head = self.hash;
        level.moved_at = self.at;
    }
}

/// The stored levels in order, a page at a time.
struct Levels {
    next: Vec<(i64, i64, Level)>,
    last: (i64, i64),
    done: bool,
}

impl Levels {
    fn take(&mut self, tx: &mut Tx<'_>) -> Result<Option<(i64, i64, Level)>, Stop> {
        if self.next.is_empty() && !self.done {
            debug_assert!(LEVELS.0.contains(LEVEL_COLUMNS));
            self.next = tx.rows(LEVELS, &[Value::Int(self.last.0), Value::Int(self.last.1), Value::Int(PAGE)], read_level)?;
            self.done = self.next.len() < PAGE as usize;
            self.next.reverse();
        }
        let level = self.next.pop();
        if let Some((item, location, _)) = level {
            self.last = (item, location);
        }
        Ok(level)
    }

    /// Compares what the entries of one place add up to with its stored level, and both with what documents claim.
    fn compare(&mut self, tx: &mut Tx<'_>, place: (i64, i64), sum: &Level, claims: &mut Claims, report: &mut Report) -> Result<(), Stop> {
        let (item, location) = place;
        while let Some((found_item, found_location, level)) = self.take(tx)? {
            report.levels += 1;
            if (found_item, found_location) == place {
                if level != *sum {
                    report.tell(format!(
                        "item {item} at location {location}: the level {:?} is not the sum {:?} of its entries",
                        level.balances(),
                        sum.balances()
                    ));
                }
                for account in [Account::Reserved, Account::Committed, Account::Incoming] {
                    let claimed = claims.remove(&(item, location, account)).unwrap_or(0);
                    if claimed != level.get(account) {
                        report.tell(format!(
                            "item {item} at location {location}: {} is {}, documents claim {claimed}",
                            account.word(),
                            level.get(account)
                        ));
                    }
                }
                return Ok(());
            }
            if level != Level::default() {
                report.tell(format!("item {found_item} at location {found_location}: a level without any entry"));
            }
            if (found_item, found_location) > place {
                break;
            }
        }
        report.tell(format!("item {item} at location {location}: entries without a level"));
        Ok(())
    }
}

/// What a level was when a day had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Closing {
    number: i64,
    sums: Sums,
}

/// The stored closings in order, a page at a time: the place, the day, and what is said of it.
struct Closings {
    next: Vec<((i64, i64), i64, Closing)>,
    last: (i64, i64, i64),
    done: bool,
}

impl Closings {
    /// The next one, if it is not of a later place.
    fn take(&mut self, tx: &mut Tx<'_>, place: (i64, i64)) -> Result<Option<((i64, i64), i64, Closing)>, Stop> {
        if self.next.is_empty() && !self.done {
            let values = [Value::Int(self.last.0), Value::Int(self.last.1), Value::Int(self.last.2), Value::Int(PAGE)];
            self.next = tx.rows(CLOSINGS, &values, |r| {
                ((r.int(0), r.int(1)), r.int(2), Closing { number: r.int(3), sums: std::array::from_fn(|state| r.int(4 + state)) })
            })?;
            self.done = self.next.len() < PAGE as usize;
            self.next.reverse();
        }
        let next = self.next.pop_if(|(at, ..)| *at <= place);
        if let Some(((item, location), day, _)) = next {
            self.last = (item, location, day);
        }
        Ok(next)
    }

    /// Compares the closings that the entries of one place make with the stored ones, and tells the first that differs, as all after it
    /// would. Stored ones of places before it have no entries.
    fn compare(&mut self, tx: &mut Tx<'_>, place: (i64, i64), made: &mut BTreeMap<i64, Closing>, report: &mut Report) -> Result<(), Stop> {
        let mut wrong: BTreeMap<(i64, i64), (i64, String)> = BTreeMap::new();
        while let Some((at, day, stored)) = self.take(tx, place)? {
            let fault = match if at == place { made.remove(&day) } else { None } {
                Some(closing) if closing == stored => continue,
                Some(closing) => format!("{stored:?} is not what the entries say, {closing:?}"),
                None => "the entries make none".to_owned(),
            };
            wrong.entry(at).or_insert((day, fault));
        }
        for (day, closing) in std::mem::take(made) {
            wrong.entry(place).or_insert((day, format!("{closing:?} is missing")));
        }
        for ((item, location), (day, fault)) in wrong {
            report.tell(format!("item {item} at location {location}, closing of day {day}: {fault}"));
        }
        Ok(())
    }
}
