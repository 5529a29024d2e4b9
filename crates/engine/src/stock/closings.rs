//! The closing balances of the ledger: what a level was when a day (UTC) on which something moved had ended. They make it cheap to look
//! back, however many entries there are: to the end of a day without any entry, to an instant with those of its day.

use super::Ledger;
use crate::Stop;
use crate::batch::day_of;
use crate::db::{Ahead, Cell, Row, Rows, Sql, Table, Tx, Type::Int, Value};
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

/// The closings on both sides of a day's beginning.
const AROUND: Sql = Sql(
    "SELECT * FROM (SELECT day, number, available, reserved, committed, damaged, quality_control, safety_stock, incoming FROM closings WHERE item = $1 AND location = $2 AND day < $3 ORDER BY day DESC LIMIT 1) AS before UNION ALL SELECT * FROM (SELECT day, number, available, reserved, committed, damaged, quality_control, safety_stock, incoming FROM closings WHERE item = $1 AND location = $2 AND day >= $3 ORDER BY day LIMIT 1) AS after",
);
const BETWEEN: Sql = Sql(
    "SELECT source, target, CAST(SUM(quantity) AS BIGINT), MAX(number) FROM entries WHERE item = $1 AND location = $2 AND number > $3 AND number <= $4 AND at <= $5 GROUP BY source, target",
);
/// With the one before the first day.
const SINCE: Sql = Sql(
    "SELECT day, number, available, reserved, committed, damaged, quality_control, safety_stock, incoming FROM closings WHERE item = $1 AND location = $2 AND day >= COALESCE((SELECT MAX(day) FROM closings WHERE item = $1 AND location = $2 AND day < $3), $3) ORDER BY day",
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

/// What a level was when a day had ended.
struct Closing {
    day: i64,
    /// Of the last entry that it holds.
    number: i64,
    sums: Sums,
}

impl Closing {
    fn read(row: &Row<'_>) -> Closing {
        Closing { day: row.int(0), number: row.int(1), sums: std::array::from_fn(|state| row.int(2 + state)) }
    }
}

/// One set of parameters for each location of a ledger.
fn each_place<const N: usize>(ledger: &Ledger, values: impl Fn(i64) -> [i64; N]) -> Vec<[Value<'static>; N]> {
    ledger.levels.keys().map(|location| values(*location).map(Value::Int)).collect()
}

/// What an item had at each location of its ledger at an instant (microseconds since 1970 UTC), with the number of its newest entry then.
/// Locations where nothing had moved yet are left out.
pub fn as_of(tx: &mut Tx<'_>, ledger: &Ledger, at: i64) -> Result<BTreeMap<i64, (Sums, i64)>, Stop> {
    let day = day_of(at);
    let places: Vec<(&i64, &Level)> = ledger.levels.iter().collect();
    // Of each location: what it had before the day, and the first and last entry that may be of the day.
    let mut ranges: Vec<(Sums, i64, i64)> = places.iter().map(|(_, level)| (Sums::default(), 0, level.entries)).collect();
    tx.rows_of_each(AROUND, &each_place(ledger, |location| [ledger.item, location, day]), &mut |n, row| {
        let closing = Closing::read(row);
        let (sums, after, until) = &mut ranges[n];
        if closing.day < day {
            (*sums, *after) = (closing.sums, closing.number);
        } else if day_of(places[n].1.moved_at) > day {
            // A closing of days to come, from when a clock was wrong, bounds nothing.
            *until = closing.number;
        }
    })?;
    let mut newest: Vec<i64> = ranges.iter().map(|(_, after, _)| *after).collect();
    let asked: Vec<[Value<'_>; 5]> =
        places.iter().zip(&ranges).map(|((location, _), (_, after, until))| [ledger.item, **location, *after, *until, at].map(Value::Int)).collect();
    tx.rows_of_each(BETWEEN, &asked, &mut |n, row| {
        newest[n] = newest[n].max(row.int(3));
        for (account, change) in [(row.int(0), -row.int(2)), (row.int(1), row.int(2))] {
            if let Some(state) = usize::try_from(account).ok().filter(|n| *n < STATES.len()) {
                ranges[n].0[state] += change;
            }
        }
    })?;
    let moved = places.into_iter().zip(ranges).zip(newest).filter(|(_, number)| *number > 0);
    Ok(moved.map(|(((location, _), (sums, ..)), number)| (*location, (sums, number))).collect())
}

/// Tells that [`by_day`] will be asked for.
pub fn by_day_ahead(tx: &mut Tx<'_>, ledger: &Ledger, first: i64) {
    each_place(ledger, |location| [ledger.item, location, first]).iter().for_each(|values| tx.ahead(&[Ahead::Rows(SINCE, values)]));
}

/// What an item had in sum at the end of each of the days from `first` to `last` (days since 1970 UTC), at the locations of its ledger.
pub fn by_day(tx: &mut Tx<'_>, ledger: &Ledger, first: i64, last: i64) -> Result<Vec<Sums>, Stop> {
    let mut closings: Vec<Vec<Closing>> = ledger.levels.keys().map(|_| Vec::new()).collect();
    tx.rows_of_each(SINCE, &each_place(ledger, |location| [ledger.item, location, first]), &mut |n, row| {
        closings[n].push(Closing::read(row));
    })?;
    let mut days = vec![Sums::default(); usize::try_from(last - first + 1).unwrap_or(0)];
    for (mut of_place, level) in closings.into_iter().zip(ledger.levels.values()) {
        of_place.push(Closing { day: day_of(level.moved_at), number: level.entries, sums: *level.balances() });
        of_place.sort_by_key(|closing| closing.day);
        let mut of_place = of_place.into_iter().peekable();
        let (mut sums, mut number) = (Sums::default(), 0);
        for (day, n) in days.iter_mut().zip(first..) {
            while let Some(closing) = of_place.next_if(|closing| closing.day <= n) {
                // What comes later by its day alone is from when a clock was wrong.
                if closing.number >= number {
                    (sums, number) = (closing.sums, closing.number);
                }
            }
            day.iter_mut().zip(sums).for_each(|(sum, units)| *sum += units);
        }
    }
    Ok(days)
}
