//! The closing balances of the ledger: what a level was when a day (UTC) on which something moved had ended. They make it cheap to look
//! back, however many entries there are: to the end of a day without any entry, to an instant with those of its day.

use crate::Stop;
use crate::batch::day_of;
use crate::db::{Cell, Row, Rows, Sql, Table, Tx, Type::Int, Value};
use domain::stock::{Level, STATES};
use std::collections::BTreeMap;

pub const CLOSINGS: Table = Table {
    name: "closings",
    columns: &[
        ("item", Int),
        ("location", Int),
        ("day", Int),
        ("number", Int),
        ("available", Int),
        ("reserved", Int),
        ("committed", Int),
        ("damaged", Int),
        ("quality_control", Int),
        ("safety_stock", Int),
        ("incoming", Int),
    ],
    key: "item, location, day",
};

const BEFORE: Sql = Sql(
    "SELECT c.location, c.day, c.available, c.reserved, c.committed, c.damaged, c.quality_control, c.safety_stock, c.incoming FROM levels l JOIN closings c ON c.item = l.item AND c.location = l.location AND c.day = (SELECT MAX(b.day) FROM closings b WHERE b.item = l.item AND b.location = l.location AND b.day < $1) WHERE l.item = $2",
);
const SINCE: Sql = Sql(
    "SELECT c.location, c.day, c.available, c.reserved, c.committed, c.damaged, c.quality_control, c.safety_stock, c.incoming FROM levels l JOIN closings c ON c.item = l.item AND c.location = l.location AND c.day >= $1 WHERE l.item = $2 ORDER BY c.location, c.day",
);
/// The entries between the closing before a day and the next one.
const OF_DAY: Sql = Sql(
    "SELECT e.location, e.source, e.target, CAST(SUM(e.quantity) AS BIGINT) FROM levels l JOIN entries e ON e.item = l.item AND e.location = l.location AND e.number > COALESCE((SELECT MAX(b.number) FROM closings b WHERE b.item = l.item AND b.location = l.location AND b.day < $1), 0) AND e.number <= COALESCE((SELECT MIN(b.number) FROM closings b WHERE b.item = l.item AND b.location = l.location AND b.day >= $1), l.entries) WHERE l.item = $2 AND e.at <= $3 GROUP BY e.location, e.source, e.target",
);

/// Units by state, in the order of [`STATES`].
pub type Sums = [i64; STATES.len()];

/// The day (since 1970 UTC) that an entry at this instant closes: the one of the level's newest entry, if it is past.
pub fn closed_by(level: &Level, at: i64) -> Option<i64> {
    let day = day_of(level.moved_at);
    (level.entries > 0 && day < day_of(at)).then_some(day)
}

/// A row of [`CLOSINGS`].
pub fn write_closing(item: i64, location: i64, day: i64, level: &Level, rows: &mut Rows) {
    rows.0.extend([item, location, day, level.entries].map(Cell::Int));
    rows.0.extend(level.balances().map(Cell::Int));
}

fn read_closing(row: &Row<'_>) -> (i64, i64, Sums) {
    (row.int(0), row.int(1), std::array::from_fn(|state| row.int(2 + state)))
}

/// What an item had at each location at an instant (microseconds since 1970 UTC). Locations where nothing had ever moved are left out.
pub fn as_of(tx: &mut Tx<'_>, item: i64, at: i64) -> Result<BTreeMap<i64, Sums>, Stop> {
    let day = day_of(at);
    let before = tx.rows(BEFORE, &[Value::Int(day), Value::Int(item)], read_closing)?;
    let mut places: BTreeMap<i64, Sums> = before.into_iter().map(|(location, _, sums)| (location, sums)).collect();
    let read = |r: &Row<'_>| (r.int(0), r.int(1), r.int(2), r.int(3));
    for (location, source, target, quantity) in tx.rows(OF_DAY, &[Value::Int(day), Value::Int(item), Value::Int(at)], read)? {
        let sums = places.entry(location).or_default();
        for (account, change) in [(source, -quantity), (target, quantity)] {
            if let Some(state) = usize::try_from(account).ok().filter(|n| *n < STATES.len()) {
                sums[state] += change;
            }
        }
    }
    Ok(places)
}

/// What an item had in sum at the end of each of the days from `first` to `last` (days since 1970 UTC), at the locations of these
/// levels, which are its present ones.
pub fn by_day(tx: &mut Tx<'_>, item: i64, levels: &BTreeMap<i64, Level>, first: i64, last: i64) -> Result<Vec<Sums>, Stop> {
    let values = [Value::Int(first), Value::Int(item)];
    let mut closings = tx.rows(BEFORE, &values, read_closing)?;
    closings.extend(tx.rows(SINCE, &values, read_closing)?);
    closings.extend(levels.iter().map(|(location, level)| (*location, day_of(level.moved_at), *level.balances())));
    let mut days = vec![Sums::default(); usize::try_from(last - first + 1).unwrap_or(0)];
    for location in levels.keys() {
        let mut of_place = closings.iter().filter(|(place, ..)| place == location).peekable();
        let mut sums = Sums::default();
        for (n, day) in days.iter_mut().enumerate() {
            while let Some((.., newer)) = of_place.next_if(|(_, closed, _)| *closed <= first + n as i64) {
                sums = *newer;
            }
            day.iter_mut().zip(sums).for_each(|(sum, units)| *sum += units);
        }
    }
    Ok(days)
}
