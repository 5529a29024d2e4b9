//! Orders by the minute and by the day, counted from the events. Counts on from where it was, so that an event is read once.

use crate::Stop;
use crate::db::{Sql, Tx, Value};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

const AT_OR_AFTER: Sql = Sql("SELECT seq, at FROM events WHERE seq >= $1 ORDER BY seq LIMIT 1");
// A shipping event tells what has shipped in all; the event before it, about the same order, tells what had. The `+ 0` keeps
// SQLite from walking back over everybody's events instead of taking the index of the order's own, which holds `order.%` alone.
const COUNTED: Sql = Sql(
    "SELECT e.at, e.kind, e.data, CASE WHEN e.kind = 'order.shipped' THEN (SELECT p.data FROM events p WHERE p.subject = e.subject AND p.kind LIKE 'order.%' AND p.seq + 0 < e.seq ORDER BY p.seq + 0 DESC LIMIT 1) END FROM events e WHERE e.seq > $1 AND e.seq <= $2 AND e.kind IN ('order.placed', 'order.shipped') ORDER BY e.seq",
);

const MINUTE_MICROS: i64 = 60_000_000;
/// Days begin at a quarter of an hour in every time zone, so quarters add up to everybody's day.
const QUARTER_MICROS: i64 = 15 * MINUTE_MICROS;
/// How far back quarters are kept: a day, and an hour more where clocks are set back.
const KEPT_MICROS: i64 = 25 * 60 * MINUTE_MICROS;
/// Events read at once while counting.
const PAGE: i64 = 2_000;
/// Events looked at in one step of counting: about a fifth of a second.
const STEP: i64 = 100_000;
/// Minutes that the chart shows.
pub const MINUTES: i64 = 60;
/// Combinations of a channel and locations that are told apart; the orders of further ones are counted together.
const MOST_SCOPES: usize = 2_000;

/// What happened since a day began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    pub orders: i64,
    /// Units of all orders placed.
    pub ordered: i64,
    pub shipped: i64,
}

/// Whose orders: the channel, and the codes of the locations that had something to send when the order was placed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    pub channel: String,
    pub locations: Vec<String>,
}

/// Counts orders by the minute for an hour, and by the quarter for a day.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    started: bool,
    counted_to: i64,
    /// None for those beyond what is told apart.
    scopes: Vec<Option<Scope>>,
    known: HashMap<Scope, usize>,
    /// By the number of the quarter or minute since 1970 UTC, and the place of the scope.
    quarters: BTreeMap<(i64, usize), Day>,
    minutes: BTreeMap<(i64, usize), i64>,
    /// Until when it has counted, if it is not done: microseconds since 1970 UTC.
    pub behind: Option<i64>,
}

/// The part of an order's event that is counted.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Summary {
    channel: String,
    locations: Vec<String>,
    units: i64,
    shipped: i64,
}

impl Tally {
    /// Counts the events up to number `last`, or as many of them as one step may take. The first call finds where to begin by halving;
    /// each later one reads what is new.
    pub fn advance(&mut self, tx: &mut Tx<'_>, now: i64, last: i64) -> Result<(), Stop> {
        let oldest = now - KEPT_MICROS;
        if !self.started {
            // The clocks of several nodes differ a little.
            self.counted_to = first_at(tx, oldest - MINUTE_MICROS, last)? - 1;
            self.started = true;
        }
        let end = last.min(self.counted_to + STEP);
        while self.counted_to < end {
            let page_end = end.min(self.counted_to + PAGE);
            let rows = tx.rows(COUNTED, &[Value::Int(self.counted_to), Value::Int(page_end)], |r| (r.int(0), r.text(1), r.text(2), r.opt_text(3)))?;
            for (at, kind, data, before) in rows {
                let told: Summary = serde_json::from_str(&data).unwrap_or_default();
                let before: Summary = before.and_then(|b| serde_json::from_str(&b).ok()).unwrap_or_default();
                self.count(at, kind == "order.placed", told, before.shipped);
            }
            self.counted_to = page_end;
        }
        self.behind = if end < last { tx.one(AT_OR_AFTER, &[Value::Int(end)], |r| r.int(1))? } else { None };
        self.minutes = self.minutes.split_off(&(now.div_euclid(MINUTE_MICROS) - MINUTES, 0));
        self.quarters = self.quarters.split_off(&(oldest.div_euclid(QUARTER_MICROS), 0));
        Ok(())
    }

    fn count(&mut self, at: i64, placed: bool, told: Summary, shipped_before: i64) {
        let (units, shipped) = (told.units, told.shipped - shipped_before);
        let scope = self.place(Scope { channel: told.channel, locations: told.locations });
        let quarter = self.quarters.entry((at.div_euclid(QUARTER_MICROS), scope)).or_default();
        if placed {
            quarter.orders += 1;
            quarter.ordered += units;
            *self.minutes.entry((at.div_euclid(MINUTE_MICROS), scope)).or_default() += 1;
        } else {
            quarter.shipped += shipped;
        }
    }

    fn place(&mut self, scope: Scope) -> usize {
        if self.scopes.is_empty() {
            self.scopes.push(None);
        }
        if let Some(place) = self.known.get(&scope) {
            return *place;
        }
        if self.scopes.len() > MOST_SCOPES {
            return 0;
        }
        self.scopes.push(Some(scope.clone()));
        self.known.insert(scope, self.scopes.len() - 1);
        self.scopes.len() - 1
    }

    /// What happened since an instant within the last day, of the orders that `sees` says yes to; it is asked None for those that are
    /// not told apart.
    pub fn since(&self, from: i64, sees: impl Fn(Option<&Scope>) -> bool) -> Day {
        let mut day = Day::default();
        for ((_, scope), quarter) in
            self.quarters.range((from.div_euclid(QUARTER_MICROS), 0)..).filter(|((_, scope), _)| sees(self.scopes[*scope].as_ref()))
        {
            debug_assert!(*scope < self.scopes.len());
            day.orders += quarter.orders;
            day.ordered += quarter.ordered;
            day.shipped += quarter.shipped;
        }
        day
    }

    /// Orders in each of the last minutes, the running one last: (its beginning, orders).
    pub fn minutes(&self, now: i64, sees: impl Fn(Option<&Scope>) -> bool) -> Vec<(i64, i64)> {
        let first = now.div_euclid(MINUTE_MICROS) - MINUTES + 1;
        let mut minutes: Vec<(i64, i64)> = (0..MINUTES).map(|n| ((first + n) * MINUTE_MICROS, 0)).collect();
        for ((minute, _), orders) in self.minutes.range((first, 0)..).filter(|((_, scope), _)| sees(self.scopes[*scope].as_ref())) {
            if let Some((_, sum)) = usize::try_from(minute - first).ok().and_then(|n| minutes.get_mut(n)) {
                *sum += orders;
            }
        }
        minutes
    }
}

/// The number of the first event at or after an instant, or one past the last.
fn first_at(tx: &mut Tx<'_>, at: i64, last: i64) -> Result<i64, Stop> {
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match tx.one(AT_OR_AFTER, &[Value::Int(middle)], |r| (r.int(0), r.int(1)))? {
            Some((seq, found)) if found < at => low = seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_their_own_orders_and_their_own_day() {
        let mut tally = Tally::default();
        let now = 1_772_442_000_000_000; // 2026-03-02 09:00 UTC
        let hour = 60 * MINUTE_MICROS;
        let summary = |channel: &str, places: &str, units: i64, shipped: i64| Summary {
            channel: channel.into(),
            locations: places.split(' ').filter(|p| !p.is_empty()).map(str::to_owned).collect(),
            units,
            shipped,
        };
        tally.count(now - 10 * hour, true, summary("web", "LON", 4, 0), 0);
        tally.count(now - 2 * MINUTE_MICROS, true, summary("web", "LON LEE", 3, 0), 0);
        tally.count(now, true, summary("ebay", "", 1, 0), 0);
        tally.count(now, false, summary("web", "LON", 4, 3), 1);
        let all = |_: Option<&Scope>| true;
        assert_eq!(tally.since(now - 9 * hour, all), Day { orders: 2, ordered: 4, shipped: 2 });
        assert_eq!(tally.since(now - 10 * hour, all), Day { orders: 3, ordered: 8, shipped: 2 });
        let at = |code: &'static str| move |scope: Option<&Scope>| scope.is_some_and(|s| s.locations.iter().any(|l| l == code));
        assert_eq!(tally.since(now - 10 * hour, at("LEE")).orders, 1);
        assert_eq!(tally.since(now - 10 * hour, at("LON")).orders, 2);
        let web = |scope: Option<&Scope>| scope.is_some_and(|s| s.channel == "web");
        let minutes = tally.minutes(now, web);
        assert_eq!((minutes.len(), minutes[57], minutes[59].1), (60, (now - 2 * MINUTE_MICROS, 1), 0));
        assert_eq!(tally.minutes(now, all)[59].1, 1);
        for n in 0..MOST_SCOPES + 10 {
            tally.count(now, true, summary(&format!("c{n}"), "", 1, 0), 0);
        }
        assert_eq!(tally.scopes.len(), MOST_SCOPES + 1);
        assert!(tally.since(now, |scope| scope.is_none()).orders >= 10);
    }
}
