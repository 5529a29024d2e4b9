//! The audit log: who did what to what, before and after, from where and by which session or key. Append-only; each record
//! carries a hash of itself and the one before it, which [`verify`] recomputes.
//!
//! Here: what of a command is recorded, writing, reading, verifying. Trade that programs do by the thousand a second (holds and
//! orders by key) is not recorded again: its entries and events say who made it.

use super::By;
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Command};
use crate::db::{self, Cell, Row, Rows, Sql, Table, Tx, Type, Value, Write};
use crate::stock::transfer::{CancelTransfer, ReceiveTransfer};
use crate::views::{ItemView, LocationView, OrderSummary, Time};
use crate::{keys, people};
use domain::{Noun, Refused};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use utoipa::ToSchema;

use Type::{Hash, Int, Text};

pub const AUDIT: Table = Table {
    name: "audit",
    columns: &[
        ("number", Int),
        ("at", Int),
        ("actor", Text),
        ("means", Text),
        ("address", Text),
        ("action", Text),
        ("noun", Text),
        ("subject", Text),
        ("before", Text),
        ("after", Text),
        ("hash", Hash),
    ],
    key: "",
};

const NEXT: Sql = Sql("UPDATE counters SET value = value + $1 WHERE name = 'audit' RETURNING value");
const HASH_OF: Sql = Sql("SELECT hash FROM audit WHERE number = $1");
const COUNT: Sql = Sql("SELECT value FROM counters WHERE name = 'audit'");

/// Longest state that is recorded whole, in bytes; of a longer one its length and hash are.
const MAX_STATE: usize = 16 << 10;
/// Records read at once while verifying.
const PAGE: i64 = 5_000;
/// Most people, and most keys, that a part of a name is taken for.
const MAX_ACTORS: usize = 20;

/// A record before it has a number.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Microseconds since 1970 UTC.
    pub at: i64,
    pub actor: String,
    pub means: String,
    pub address: String,
    /// Such as `stock.adjust`.
    pub action: String,
    /// What kind of thing, such as `item`, and which.
    pub noun: String,
    pub subject: String,
    /// JSON; None if it was not there.
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Record {
    /// What somebody did at an instant.
    pub fn new(by: &By, at: i64, action: &str, noun: &str, subject: impl Into<String>) -> Record {
        let (means, address) = by.visitor.as_ref().map_or_else(Default::default, |v| (v.means.to_string(), v.address.to_string()));
        let (action, noun, subject) = (action.into(), noun.into(), subject.into());
        Record { at, actor: by.actor.to_string(), means, address, action, noun, subject, before: None, after: None }
    }

    /// With the states before and after, as JSON.
    pub fn states(mut self, before: Option<String>, after: Option<String>) -> Record {
        self.before = before.map(shortened);
        self.after = after.map(shortened);
        self
    }
}

fn shortened(state: String) -> String {
    if state.len() <= MAX_STATE {
        return state;
    }
    format!("{{\"omitted_bytes\":{},\"blake3\":\"{}\"}}", state.len(), blake3::hash(state.as_bytes()).to_hex())
}

/// A short name of a state, to notice that it changed: the first 16 hexadecimal digits of its hash.
pub fn etag(state: &str) -> String {
    blake3::hash(state.as_bytes()).to_hex()[..16].to_owned()
}

/// The etag of a document as callers see it.
pub fn etag_of(view: &impl Serialize) -> String {
    etag(&json(view))
}

fn json(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_else(|_| "null".into())
}

/// Writes records, in the caller's transaction, after everything else: the counter's lock makes one order of all of them.
pub fn append(tx: &mut Tx<'_>, records: &[Record]) -> db::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let count = records.len() as i64;
    let last = tx.one(NEXT, &[Value::Int(count)], |r| r.int(0))?.ok_or_else(|| db::Error::other("the audit counter is missing"))?;
    let mut previous = tx.one(HASH_OF, &[Value::Int(last - count)], |r| r.hash(0))?.unwrap_or([0; 32]);
    let mut rows = Rows::default();
    for (n, record) in records.iter().enumerate() {
        let number = last - count + 1 + n as i64;
        previous = chain(&previous, number, record);
        let r = record.clone();
        rows.0.extend([number.into(), r.at.into(), r.actor.into(), r.means.into(), r.address.into(), r.action.into(), r.noun.into()]);
        rows.0.extend([r.subject.into(), r.before.into(), r.after.into(), Cell::Hash(previous)]);
    }
    tx.write(vec![Write::new(&AUDIT, rows)])
}

/// The hash of a record after the one before it: fixed-width numbers and length-prefixed texts, so that no two different
/// records read the same.
fn chain(previous: &[u8; 32], number: i64, record: &Record) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous);
    hasher.update(&number.to_le_bytes());
    hasher.update(&record.at.to_le_bytes());
    for text in [&record.actor, &record.means, &record.address, &record.action, &record.noun, &record.subject] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    for state in [&record.before, &record.after] {
        // One more than its length, so that none and an empty one differ.
        hasher.update(&state.as_ref().map_or(0, |s| s.len() as u64 + 1).to_le_bytes());
        hasher.update(state.as_deref().unwrap_or_default().as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// What a command is about: the action, the kind of thing and which one.
struct About {
    action: &'static str,
    what: Noun,
    subject: String,
}

/// None for what is not recorded of this visitor.
fn about(command: &Command, is_person: bool) -> Option<About> {
    let about = |action, what, subject: &dyn ToString| Some(About { action, what, subject: subject.to_string() });
    match command {
        Command::Reserve(_) if !is_person => None,
        Command::Release(_) | Command::Extend(_) | Command::PlaceOrder(_) if !is_person => None,
        Command::CreateItem(c) => about("item.create", Noun::Item, &c.sku),
        Command::UpdateItem(c) => about("item.update", Noun::Item, &c.sku),
        Command::CreateLocation(c) => about("location.create", Noun::Location, &c.code),
        Command::UpdateLocation(c) => about("location.update", Noun::Location, &c.code),
        Command::SetRules(c) => about("rules.set", Noun::RuleSet, &c.name),
        Command::Receive(c) => about("stock.receive", Noun::Location, &c.location),
        Command::Adjust(c) => about("stock.adjust", Noun::Location, &c.location),
        Command::Move(c) => about("stock.move", Noun::Location, &c.from.location),
        Command::Count(c) => about("stock.count", Noun::Location, &c.location),
        Command::Undo(c) => about("stock.undo", Noun::Movement, &c.document),
        Command::SendTransfer(c) => about("transfer.send", Noun::Location, &c.from),
        Command::ReceiveTransfer(c) => about("transfer.receive", Noun::Transfer, &c.id),
        Command::CancelTransfer(c) => about("transfer.cancel", Noun::Transfer, &c.id),
        Command::Reserve(_) => about("reservation.hold", Noun::Reservation, &""),
        Command::Release(c) => about("reservation.release", Noun::Reservation, &c.id),
        Command::Extend(c) => about("reservation.extend", Noun::Reservation, &c.id),
        Command::PlaceOrder(c) => about("order.place", Noun::Order, &format!("{} {}", c.channel, c.reference)),
        Command::CancelOrder(c) => about("order.cancel", Noun::Order, &c.id),
        Command::Ship(c) => about("order.ship", Noun::Fulfillment, &c.fulfillment),
        Command::Reroute(c) => about("order.reroute", Noun::Fulfillment, &c.fulfillment),
        Command::ReturnOrder(c) => about("order.return", Noun::Order, &c.id),
        Command::AddNote(c) => about("order.note", Noun::Order, &c.id),
        Command::RouteQueued(_) => about("orders.route", Noun::RuleSet, &""),
        // A file comes in many pieces; the last one tells how it ended.
        Command::Import(c) if c.finished => about("import", Noun::Import, &c.kind.word()),
        Command::ConnectChannel(c) => about("channel.connect", Noun::Channel, &c.code),
        Command::UpdateChannel(c) => about("channel.update", Noun::Channel, &c.code),
        Command::MapListing(c) => about("listing.map", Noun::Listing, &c.id),
        Command::AgreeContract(c) => about("contract.agree", Noun::Contract, &c.code),
        Command::ChangeContract(c) => about("contract.change", Noun::Contract, &c.code),
        Command::Solve(c) => about("exception.solve", Noun::Exception, &c.id),
        Command::Alert(c) => about(c.action()?, Noun::Alert, &c.id().map(|id| id.to_string()).unwrap_or_default()),
        _ => None,
    }
}

/// Watches one command: what it is about stood so before it was decided.
pub(crate) struct Watched {
    about: About,
    before: Option<String>,
}

impl Watched {
    /// None if nothing of this command is to be recorded.
    pub(crate) fn begin(command: &Command, by: &By, batch: &Batch<'_>) -> Option<Watched> {
        let about = about(command, by.visitor.as_ref()?.is_person)?;
        Some(Watched { about, before: standing(command, batch) })
    }

    /// Whether the visitor saw what stands now.
    pub(crate) fn is_as_seen(&self, seen: &str) -> bool {
        self.before.as_deref().is_some_and(|before| etag(before) == seen)
    }

    /// The refusal of who decided on something that has changed since.
    pub(crate) fn changed(&self) -> Refused {
        Refused::Changed { noun: self.about.what, name: self.about.subject.clone() }
    }

    /// The record, if the command changed anything.
    pub(crate) fn end(self, command: &Command, by: &By, batch: &Batch<'_>, answer: &Answer) -> Option<Record> {
        let after = standing(command, batch).or_else(|| Some(json(answer)));
        if after == self.before {
            return None;
        }
        let subject = match answer {
            Answer::Reservation(view) => view.id.0.to_string(),
            Answer::Order(view) if self.about.what == Noun::Order => view.id.0.to_string(),
            Answer::Transfer(view) => view.id.0.to_string(),
            Answer::Alert(view) => view.id.0.to_string(),
            _ => self.about.subject,
        };
        Some(Record::new(by, batch.now, self.about.action, self.about.what.word(), subject).states(self.before, after))
    }
}

/// What a command is about, as it stands in the batch now. None if it is not there, or is a set of things.
fn standing(command: &Command, batch: &Batch<'_>) -> Option<String> {
    match command {
        Command::CreateItem(c) => item(batch, &c.sku),
        Command::UpdateItem(c) => item(batch, &c.sku),
        Command::CreateLocation(c) => location(batch, &c.code),
        Command::UpdateLocation(c) => location(batch, &c.code),
        Command::SetRules(_) => Some(json(&RulesState { name: &batch.config.rules_name, rules: &batch.config.rules })),
        Command::Receive(c) => levels(batch, c.lines.iter().map(|l| (l.sku.as_str(), c.location.as_str()))),
        Command::Adjust(c) => levels(batch, c.lines.iter().map(|l| (l.sku.as_str(), c.location.as_str()))),
        Command::Count(c) => levels(batch, c.lines.iter().map(|l| (l.sku.as_str(), c.location.as_str()))),
        Command::Move(c) => {
            let places = |sku| [(sku, c.from.location.as_str()), (sku, c.to.location.as_str())];
            levels(batch, c.lines.iter().flat_map(|l| places(l.sku.as_str())))
        }
        Command::Undo(c) => levels(batch, c.entries.iter().map(|e| (e.sku.as_str(), e.location.as_str()))),
        Command::CancelOrder(c) => order(batch, Some(c.id)),
        Command::ReturnOrder(c) => order(batch, Some(c.id)),
        Command::Ship(c) => order(batch, batch.order_of_fulfillment(c.fulfillment)),
        Command::Reroute(c) => order(batch, batch.order_of_fulfillment(c.fulfillment)),
        Command::ReceiveTransfer(ReceiveTransfer { id, .. }) | Command::CancelTransfer(CancelTransfer { id }) => {
            batch.transfers.get(*id).map(|t| json(&crate::views::TransferView::new(t, &batch.names())))
        }
        Command::Release(crate::reservations::release::Release { id }) | Command::Extend(crate::reservations::extend::Extend { id, .. }) => {
            batch.reservations.get(*id).map(|r| json(&crate::views::ReservationView::new(r, &batch.names())))
        }
        Command::UpdateChannel(c) => {
            batch.config.channel_by_code(&c.code).map(|channel| json(&crate::channels::connect::ChannelView::new(channel, &batch.config)))
        }
        Command::MapListing(c) => listing(batch, c.id),
        Command::ChangeContract(c) => contract(batch, &c.code),
        Command::Solve(c) => batch.exceptions.get(c.id).map(|e| json(&crate::exceptions::read::ExceptionView::new(e, &batch.config).decided())),
        Command::Alert(c) => {
            c.id().and_then(|id| batch.config.alert(id)).map(|e| json(&crate::alerts::edit::AlertView::new(e, &batch.config, batch.now)))
        }
        _ => None,
    }
}

/// The rules in force, as they are recorded and as [`etag_of`] knows them.
#[derive(Serialize)]
pub struct RulesState<'a> {
    pub name: &'a str,
    pub rules: &'a domain::routing::RuleSet,
}

fn item(batch: &Batch<'_>, sku: &str) -> Option<String> {
    batch.any_item(sku).map(|item| json(&ItemView::new(&item, &batch.names())))
}

fn location(batch: &Batch<'_>, code: &str) -> Option<String> {
    batch.config.by_code(code).map(|location| json(&LocationView::from(location)))
}

/// The levels of these items at these locations.
fn levels<'a>(batch: &Batch<'_>, places: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let pairs = places.filter_map(|(sku, code)| Some((batch.any_item(sku)?.id, batch.config.by_code(code)?.id)));
    Some(json(&crate::stock::moved(batch, pairs.collect::<Vec<_>>())))
}

fn listing(batch: &Batch<'_>, id: i64) -> Option<String> {
    let listing = batch.listings.get(id)?;
    let channel = batch.config.channel(listing.channel).map(|c| c.code.clone()).unwrap_or_default();
    let item = listing.item.map(|item| batch.names().sku(item));
    Some(json(&crate::channels::listings::ListingView::new(listing, channel, item).mapping()))
}

fn contract(batch: &Batch<'_>, code: &str) -> Option<String> {
    let id = batch.config.channel_by_code(code)?.id;
    let view = crate::contracts::read::ContractView::of_batch(batch, batch.config.contract(id)?);
    Some(json(&view.terms()))
}

fn order(batch: &Batch<'_>, id: Option<i64>) -> Option<String> {
    batch.orders.get(id?).map(|order| json(&OrderSummary::new(order, &batch.names())))
}

/// A record as it is read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecordView {
    /// Counts up by one.
    pub number: i64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    pub actor: String,
    /// The session or key.
    pub means: String,
    pub address: String,
    #[schema(example = "stock.adjust")]
    pub action: String,
    pub noun: String,
    pub subject: String,
    #[schema(value_type = Option<Object>)]
    pub before: Option<Box<RawValue>>,
    #[schema(value_type = Option<Object>)]
    pub after: Option<Box<RawValue>>,
    /// Of this record and the one before it, hexadecimal.
    pub hash: String,
}

fn raw(state: Option<String>) -> Option<Box<RawValue>> {
    state.and_then(|s| RawValue::from_string(s).ok())
}

fn read(row: &Row<'_>) -> (RecordView, Record, [u8; 32]) {
    let record = Record {
        at: row.int(1),
        actor: row.text(2),
        means: row.text(3),
        address: row.text(4),
        action: row.text(5),
        noun: row.text(6),
        subject: row.text(7),
        before: row.opt_text(8),
        after: row.opt_text(9),
    };
    let hash = row.hash(10);
    let r = record.clone();
    let view = RecordView {
        number: row.int(0),
        at: Time(r.at),
        actor: r.actor,
        means: r.means,
        address: r.address,
        action: r.action,
        noun: r.noun,
        subject: r.subject,
        before: raw(r.before),
        after: raw(r.after),
        hash: hash.iter().map(|b| format!("{b:02x}")).collect(),
    };
    (view, record, hash)
}

/// Which records to list; empty texts mean any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// As the log has it (`person:ada@example.com`), or a part of somebody's name or login, or of a key's name.
    pub actor: String,
    /// Such as `stock.adjust`.
    pub action: String,
    pub noun: String,
    pub subject: String,
    /// At or after, and before: microseconds since 1970 UTC.
    pub from: i64,
    pub until: i64,
    pub oldest_first: bool,
}

const COLUMNS: &str = "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit";
const LIST: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE number < $1 AND at >= $2 AND at < $3 ORDER BY number DESC LIMIT $4",
);
const LIST_OLDEST: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE number > $1 AND at >= $2 AND at < $3 ORDER BY number LIMIT $4",
);
const BY_SUBJECT: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE subject = $1 AND number < $2 AND at >= $3 AND at < $4 AND ($5 = '' OR actor = $5) AND ($6 = '' OR noun = $6) AND ($7 = '' OR action = $7) ORDER BY number DESC LIMIT $8",
);
const BY_SUBJECT_OLDEST: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE subject = $1 AND number > $2 AND at >= $3 AND at < $4 AND ($5 = '' OR actor = $5) AND ($6 = '' OR noun = $6) AND ($7 = '' OR action = $7) ORDER BY number LIMIT $8",
);
const BY_ACTOR: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE actor = $1 AND number < $2 AND at >= $3 AND at < $4 AND ($5 = '' OR noun = $5) AND ($6 = '' OR action = $6) ORDER BY number DESC LIMIT $7",
);
const BY_ACTOR_OLDEST: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE actor = $1 AND number > $2 AND at >= $3 AND at < $4 AND ($5 = '' OR noun = $5) AND ($6 = '' OR action = $6) ORDER BY number LIMIT $7",
);
const BY_NOUN: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE noun = $1 AND number < $2 AND at >= $3 AND at < $4 AND ($5 = '' OR action = $5) ORDER BY number DESC LIMIT $6",
);
const BY_NOUN_OLDEST: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE noun = $1 AND number > $2 AND at >= $3 AND at < $4 AND ($5 = '' OR action = $5) ORDER BY number LIMIT $6",
);
const BY_ACTION: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE action = $1 AND number < $2 AND at >= $3 AND at < $4 ORDER BY number DESC LIMIT $5",
);
const BY_ACTION_OLDEST: Sql = Sql(
    "SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE action = $1 AND number > $2 AND at >= $3 AND at < $4 ORDER BY number LIMIT $5",
);
const FROM: Sql =
    Sql("SELECT number, at, actor, means, address, action, noun, subject, before, after, hash FROM audit WHERE number > $1 ORDER BY number LIMIT $2");

/// Whom a text means that is no actor as the log has them: people by a part of their login or name, keys by a part of theirs.
fn actors(tx: &mut Tx<'_>, text: &str) -> Result<Vec<String>, Stop> {
    let mut found = vec![text.to_owned()];
    if !text.contains(':') {
        let wanted = text.to_lowercase();
        let fits = |name: &str| name.to_lowercase().contains(&wanted);
        let people = people::list(tx)?.into_iter().filter(|p| fits(&p.login) || fits(&p.name)).map(|p| p.actor().to_string());
        found.extend(people.take(MAX_ACTORS));
        let keys: BTreeSet<String> = keys::list_keys(tx)?.into_iter().filter(|k| fits(&k.name)).map(|k| format!("key:{}", k.name)).collect();
        found.extend(keys.into_iter().take(MAX_ACTORS));
    }
    Ok(found)
}

/// Records after the last one's number of the page before: the newest first unless the oldest are asked for.
pub fn list(tx: &mut Tx<'_>, filter: &Filter, after: Option<i64>, limit: i64) -> Result<Vec<RecordView>, Stop> {
    if filter.actor.is_empty() {
        return list_of(tx, filter, after, limit);
    }
    let mut records = Vec::new();
    for actor in actors(tx, &filter.actor)? {
        records.extend(list_of(tx, &Filter { actor, ..filter.clone() }, after, limit)?);
    }
    records.sort_unstable_by_key(|r: &RecordView| if filter.oldest_first { r.number } else { -r.number });
    records.truncate(limit as usize);
    Ok(records)
}

/// As [`list`], of one actor at most.
fn list_of(tx: &mut Tx<'_>, filter: &Filter, after: Option<i64>, limit: i64) -> Result<Vec<RecordView>, Stop> {
    debug_assert!(LIST.0.starts_with(COLUMNS));
    let oldest = filter.oldest_first;
    let until = if filter.until == 0 { i64::MAX } else { filter.until };
    let after = Value::Int(after.unwrap_or(if oldest { 0 } else { i64::MAX }));
    let (from, until, limit) = (Value::Int(filter.from), Value::Int(until), Value::Int(limit));
    let [actor, action, noun, subject] = [&filter.actor, &filter.action, &filter.noun, &filter.subject].map(|text| Value::Text(text));
    // The index of what fits the fewest leads.
    let (sql, values) = if !filter.subject.is_empty() {
        (if oldest { BY_SUBJECT_OLDEST } else { BY_SUBJECT }, vec![subject, after, from, until, actor, noun, action, limit])
    } else if !filter.actor.is_empty() {
        (if oldest { BY_ACTOR_OLDEST } else { BY_ACTOR }, vec![actor, after, from, until, noun, action, limit])
    } else if !filter.noun.is_empty() {
        (if oldest { BY_NOUN_OLDEST } else { BY_NOUN }, vec![noun, after, from, until, action, limit])
    } else if !filter.action.is_empty() {
        (if oldest { BY_ACTION_OLDEST } else { BY_ACTION }, vec![action, after, from, until, limit])
    } else {
        (if oldest { LIST_OLDEST } else { LIST }, vec![after, from, until, limit])
    };
    Ok(tx.rows(sql, &values, |r| read(r).0)?)
}

/// What is wrong with the log: numbers missing, hashes that do not fit. Empty if nothing is; and how many records there are.
pub fn verify(tx: &mut Tx<'_>) -> Result<(u64, Vec<String>), Stop> {
    let mut wrong = Vec::new();
    let (mut previous, mut last) = ([0; 32], 0);
    loop {
        let page = tx.rows(FROM, &[Value::Int(last), Value::Int(PAGE)], |r| (r.int(0), read(r)))?;
        for (number, (_, record, hash)) in &page {
            if *number != last + 1 {
                wrong.push(format!("audit record {number} comes after {last}"));
            }
            if chain(&previous, *number, record) != *hash {
                wrong.push(format!("audit record {number}: the hash does not fit the record and the one before it"));
            }
            // Go on from what is stored, so that one fault is told once.
            (previous, last) = (*hash, *number);
        }
        if page.len() < PAGE as usize {
            break;
        }
    }
    let counted = tx.one(COUNT, &[], |r| r.int(0))?.unwrap_or(0);
    if counted != last {
        wrong.push(format!("audit: {last} records are there, {counted} were written"));
    }
    Ok((last as u64, wrong))
}
