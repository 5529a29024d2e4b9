//! Lists of orders: light rows in the order of time, filtered, a page at a time, at a bounded cost whatever the filter.
//!
//! Here: which candidates are wanted, and what a row shows. Not here: decisions and timelines; those are read for one order.

use super::ways::{Candidate, Candidates, Key};
use crate::Stop;
use crate::batch::sorted;
use crate::config::Config;
use crate::db::{self, Ahead, Lookup, Row, Tx};
use crate::page::{Cursor, Page};
use crate::views::{Amount, Id, Time, order_number};
use domain::Refused;
use domain::steps::Status;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

const CHECKS: Lookup = Lookup { columns: "id, status, channel, placed_at", from: "orders", key: "id", and: "", order: "id", lock: false };
const HEADS: Lookup = Lookup {
    columns: "id, channel, reference, status, customer, ship_to, currency, total_minor, placed_at",
    from: "orders",
    key: "id",
    and: "",
    order: "id",
    lock: false,
};
const PLACES: Lookup =
    Lookup { columns: "order_id, location, status, day", from: "fulfillments", key: "order_id", and: "", order: "order_id, id", lock: false };
const UNITS: Lookup = Lookup {
    columns: "order_id, CAST(SUM(quantity - canceled) AS BIGINT), CAST(SUM(shipped) AS BIGINT), CAST(SUM(backordered) AS BIGINT)",
    from: "order_lines",
    key: "order_id",
    and: "GROUP BY order_id",
    order: "order_id",
    lock: false,
};

/// For the test that prepares all statements.
pub const LOOKUPS: &[&Lookup] = &[&CHECKS, &HEADS, &PLACES, &UNITS];

/// Candidates that one page looks at. Beyond, it ends with what it found.
const EXAMINED: usize = 1_000;
/// Candidates looked at in one step, where as many as are wanted are not enough.
const STEP: usize = 200;
/// Most ids of a text search that a list can be limited to.
pub const MAX_IDS: usize = 1_000;

/// Which orders to list.
#[derive(Debug, Clone, Default)]
pub struct OrderQuery {
    /// Any of these; all if empty.
    pub statuses: Vec<Status>,
    /// Only of these channels; any if left out.
    pub channels: Option<Vec<String>>,
    /// Only with a fulfillment at one of these locations (ids). One that was canceled there counts while the order is canceled too:
    /// else somebody else sends it. An order that waits for a routing run is nobody's yet.
    pub locations: Option<Vec<i64>>,
    /// Placed at this instant or later, microseconds since 1970 UTC.
    pub placed_from: Option<i64>,
    /// Placed before this instant.
    pub placed_to: Option<i64>,
    /// Only these, the hits of a text search: at most [`MAX_IDS`].
    pub ids: Option<Vec<i64>>,
    /// Only those of which a location (one of `locations`, if given) has units to send that it meant to send before this day, which is
    /// today (days since 1970 UTC).
    pub late_on: Option<i64>,
    /// The newest come first if not.
    pub oldest_first: bool,
    /// Where the page before ended: when its last order was placed, and its id.
    pub after: Option<Cursor<2>>,
    /// Most rows.
    pub limit: usize,
}

/// An order in a list.
#[derive(Debug, Clone)]
pub struct OrderRow {
    pub id: Id,
    /// For people, such as H1042.
    pub number: String,
    pub channel: String,
    pub reference: String,
    pub status: Status,
    pub customer: Option<String>,
    pub ship_to: Destination,
    pub placed_at: Time,
    pub total: Option<Amount>,
    /// Units ordered and not canceled; of them, shipped and on backorder.
    pub units: i64,
    pub shipped: i64,
    pub backordered: i64,
    pub places: Vec<Place>,
}

/// Where an order goes, as far as its address says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Destination {
    pub country: String,
    pub postal_code: Option<String>,
    pub city: Option<String>,
}

/// What one location does for an order.
#[derive(Debug, Clone)]
pub struct Place {
    pub location: Arc<str>,
    pub status: Status,
    /// The day whose capacity it takes up, days since 1970 UTC.
    pub day: i64,
}

/// A fulfillment: location, status, day.
type Part = (i64, Status, i64);

impl OrderRow {
    /// Without its lines and fulfillments.
    fn read(row: &Row<'_>) -> OrderRow {
        let id = row.int(0);
        OrderRow {
            id: Id(id),
            number: order_number(id),
            channel: row.text(1),
            reference: row.text(2),
            status: Status::parse(&row.text(3)).unwrap_or(Status::Open),
            customer: row.opt_text(4),
            ship_to: serde_json::from_str(&row.text(5)).unwrap_or_default(),
            total: Amount::from_minor(row.int(7), row.opt_text(6).as_deref()),
            placed_at: Time(row.int(8)),
            units: 0,
            shipped: 0,
            backordered: 0,
            places: Vec::new(),
        }
    }
}

/// A page of orders by the time at which they were placed. Looks at a thousand candidates at most, and adds up the lines of the rows that
/// it shows. Refuses more than [`MAX_IDS`] ids.
pub fn list(tx: &mut Tx<'_>, config: &Config, query: &OrderQuery) -> Result<Page<OrderRow, Cursor<2>>, Stop> {
    let (mut found, end) = matching(tx, query, query.limit + 1, EXAMINED)?;
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let next = if more { found.last().copied() } else { end };
    Ok(Page { rows: rows(tx, config, &found)?, next: next.map(|(at, id)| Cursor([at, id])) })
}

/// The rows of these orders.
fn rows(tx: &mut Tx<'_>, config: &Config, found: &[Key]) -> Result<Vec<OrderRow>, Stop> {
    let ids = sorted(found.iter().map(|(_, id)| id));
    tx.ahead(&[&HEADS, &UNITS, &PLACES].map(|lookup| Ahead::Ids(lookup, &ids, &[])));
    let mut rows: HashMap<i64, OrderRow> = tx.by_ids(&HEADS, &ids, &[], OrderRow::read)?.into_iter().map(|row| (row.id.0, row)).collect();
    for (id, units, shipped, backordered) in tx.by_ids(&UNITS, &ids, &[], |r| (r.int(0), r.int(1), r.int(2), r.int(3)))? {
        if let Some(row) = rows.get_mut(&id) {
            (row.units, row.shipped, row.backordered) = (units, shipped, backordered);
        }
    }
    for (id, (location, status, day)) in tx.by_ids(&PLACES, &ids, &[], part)? {
        if let Some(row) = rows.get_mut(&id) {
            row.places.push(Place { location: config.code(location), status, day });
        }
    }
    Ok(found.iter().filter_map(|(_, id)| rows.remove(id)).collect())
}

/// The order of a fulfillment, and itself.
fn part(row: &Row<'_>) -> (i64, Part) {
    (row.int(0), (row.int(1), Status::parse(&row.text(2)).unwrap_or(Status::Open), row.int(3)))
}

/// How many orders each list has, if they are at most `most`, and whether there are more. Looks at one candidate of each more than that,
/// and at all lists together.
pub(super) fn counts(tx: &mut Tx<'_>, queries: &[OrderQuery], most: usize) -> Result<Vec<(usize, bool)>, Stop> {
    let mut walks: Vec<Candidates> = queries.iter().map(Candidates::of).collect();
    walks.iter().for_each(|walk| walk.ahead(tx, most + 1));
    let taken: Vec<Vec<Candidate>> = walks.iter_mut().map(|walk| walk.take(tx, most + 1)).collect::<db::Result<_>>()?;
    let ended: Vec<bool> = taken.iter().map(|taken| taken.len() <= most).collect();
    let found = wanted_of_each(tx, queries.iter().zip(taken).collect())?;
    Ok(found.iter().zip(ended).map(|(found, ended)| (found.len().min(most), !ended)).collect())
}

/// The first `want` orders of a list, and where the walk ended if it ended before the list did.
fn matching(tx: &mut Tx<'_>, query: &OrderQuery, want: usize, examine: usize) -> Result<(Vec<Key>, Option<Key>), Stop> {
    if let Some(ids) = &query.ids {
        return Ok((among(tx, query, ids, want)?, None));
    }
    let mut candidates = Candidates::of(query);
    let mut found: Vec<Key> = Vec::new();
    let mut examined = 0;
    // Of a channel's orders only some are of the location, or the other way about.
    let mut step = if query.channels.is_some() && query.locations.is_some() { STEP.max(want) } else { want };
    loop {
        let taken = candidates.take(tx, step.min(examine - examined))?;
        let Some(last) = taken.last().map(|c| c.key) else { return Ok((found, None)) };
        examined += taken.len();
        found.extend(wanted(tx, query, taken)?);
        if found.len() >= want || examined >= examine {
            return Ok((found, Some(last)));
        }
        step = STEP;
    }
}

/// The first `want` of these orders that the query wants, or some more, in its order, after its cursor.
fn among(tx: &mut Tx<'_>, query: &OrderQuery, ids: &[i64], want: usize) -> Result<Vec<Key>, Stop> {
    if ids.len() > MAX_IDS {
        return Err(Refused::invalid("ids", format!("must be at most {MAX_IDS}")).into());
    }
    let known = tx.by_ids(&CHECKS, &sorted(ids), &[], |r| {
        let of_channel = query.has_channel(&r.text(2));
        let status = Status::parse(&r.text(1));
        of_channel.then(|| Candidate { key: (r.int(3), r.int(0)), status, of_channel, of_location: query.locations.is_none() })
    })?;
    let mut known: Vec<Candidate> = known.into_iter().flatten().collect();
    known.retain(|Candidate { key, .. }| {
        let within = query.placed_from.is_none_or(|from| key.0 >= from) && query.placed_to.is_none_or(|to| key.0 < to);
        within && query.after.is_none_or(|Cursor([at, id])| if query.oldest_first { *key > (at, id) } else { *key < (at, id) })
    });
    known.sort_unstable_by_key(|candidate| candidate.key);
    if !query.oldest_first {
        known.reverse();
    }
    let mut found = Vec::new();
    // Most of them are not looked at: where one in four is wanted, one step is enough.
    for step in known.chunks(4 * want) {
        found.extend(wanted(tx, query, step.to_vec())?);
        if found.len() >= want {
            break;
        }
    }
    Ok(found)
}

/// Those of the candidates that the query wants, in the same order.
fn wanted(tx: &mut Tx<'_>, query: &OrderQuery, candidates: Vec<Candidate>) -> Result<Vec<Key>, Stop> {
    Ok(wanted_of_each(tx, vec![(query, candidates)])?.into_iter().flatten().collect())
}

/// The same of several queries with candidates of their own, looked up together. What the index said of them is not looked up.
fn wanted_of_each(tx: &mut Tx<'_>, mut lists: Vec<(&OrderQuery, Vec<Candidate>)>) -> Result<Vec<Vec<Key>>, Stop> {
    let unclear = sorted(lists.iter().flat_map(|(_, list)| list).filter(|c| c.status.is_none() || !c.of_channel).map(|c| &c.key.1));
    let read = |r: &Row<'_>| (r.int(0), (Status::parse(&r.text(1)), r.text(2)));
    let checked: HashMap<i64, (Option<Status>, String)> = tx.by_ids(&CHECKS, &unclear, &[], read)?.into_iter().collect();
    for (query, candidates) in &mut lists {
        let statuses = query.wanted_statuses();
        candidates.retain_mut(|candidate| {
            if let Some((status, channel)) = checked.get(&candidate.key.1) {
                (candidate.status, candidate.of_channel) = (*status, query.has_channel(channel));
            }
            candidate.of_channel && candidate.status.is_some_and(|s| statuses.contains(&s))
        });
    }
    let unclear = |(query, list): &(&OrderQuery, Vec<Candidate>)| {
        let is_late = query.late_on.is_some();
        list.iter().filter(move |c| is_late || !c.of_location).map(|c| c.key.1).collect::<Vec<i64>>()
    };
    let unclear = sorted(&lists.iter().flat_map(unclear).collect::<Vec<i64>>());
    let mut parts: HashMap<i64, Vec<Part>> = HashMap::new();
    for (order, part) in tx.by_ids(&PLACES, &unclear, &[], part)? {
        parts.entry(order).or_default().push(part);
    }
    let theirs = |(query, candidates): (&OrderQuery, Vec<Candidate>)| {
        let is_theirs = |c: &Candidate| {
            let is_clear = query.late_on.is_none() && c.of_location;
            is_clear || parts.get(&c.key.1).is_some_and(|parts| query.is_theirs(c.status == Some(Status::Canceled), parts))
        };
        candidates.into_iter().filter(is_theirs).map(|c| c.key).collect()
    };
    Ok(lists.into_iter().map(theirs).collect())
}

impl OrderQuery {
    fn has_channel(&self, channel: &str) -> bool {
        self.channels.as_ref().is_none_or(|c| c.iter().any(|known| known == channel))
    }

    /// Whether the fulfillments of an order, which was canceled or not, are such as the query wants.
    fn is_theirs(&self, canceled: bool, parts: &[Part]) -> bool {
        let counts =
            |(location, status, _): &&Part| self.locations.as_ref().is_none_or(|l| l.contains(location)) && (*status != Status::Canceled || canceled);
        let unsent = |status: Status| matches!(status, Status::Open | Status::PartiallyFulfilled);
        let mut theirs = parts.iter().filter(counts);
        match self.late_on {
            Some(today) => theirs.any(|(_, status, day)| unsent(*status) && *day < today),
            None => self.locations.is_none() || theirs.next().is_some(),
        }
    }
}
