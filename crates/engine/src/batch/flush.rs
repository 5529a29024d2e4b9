//! Writes what a group of commands changed. The event counter comes last, just before the commit, so that events have one order without
//! gaps.

use super::{Batch, CAPACITY, Written};
use crate::access::audit;
use crate::alerts::rows::DELIVERIES;
use crate::alerts::{self, Happened};
use crate::catalog::rows::{ITEMS, KIT_COMPONENTS};
use crate::channels::rows::{LISTINGS, MARKET_ORDERS, PROGRESS};
use crate::channels::sums;
use crate::config::Config;
use crate::contracts::rows::CONTRACT_LINES;
use crate::db::{self, Cell, Rows, Sql, Tx, Value, Write};
use crate::events::EVENTS;
use crate::exceptions::EXCEPTIONS;
use crate::orders::rows::ORDER_TABLES;
use crate::reservations::rows::RESERVATIONS;
use crate::stock::closings::CLOSINGS;
use crate::stock::feed::{Change, News};
use crate::stock::rows::{ENTRIES, LEVELS, TRANSFER_LINES, TRANSFERS, write_level};
use crate::warehouses::rows::HANDOVERS;

const NEXT_EVENTS: Sql = Sql("UPDATE counters SET value = value + $1 WHERE name = 'event' RETURNING value");

impl Batch<'_> {
    /// Writes what changed. None if nothing did. Tells of changed levels if somebody listens.
    pub fn flush(mut self, tx: &mut Tx<'_>, listening: bool) -> db::Result<Option<Written>> {
        self.replan();
        let sums = self.changed_sums();
        let mut writes: Vec<Write> = Vec::with_capacity(32);
        for new in [true, false] {
            let mut items = [Rows::default(), Rows::default()];
            for item in self.changed_items.iter().filter(|(_, is_new)| **is_new == new).filter_map(|(id, _)| self.cache.by_id.get(id)) {
                item.write(&mut items);
            }
            let mut reservations = Rows::default();
            self.reservations.dirty(new).for_each(|r| r.write(&mut reservations));
            let mut orders: [Rows; 5] = Default::default();
            self.orders.dirty(new).for_each(|o| o.write(&mut orders));
            let mut transfers = [Rows::default(), Rows::default()];
            self.transfers.dirty(new).for_each(|t| t.write(&mut transfers));
            let mut channels: [Rows; 5] = Default::default();
            self.listings.dirty(new).for_each(|l| l.write(&mut channels[0]));
            self.exceptions.dirty(new).for_each(|e| e.write(&mut channels[1]));
            self.progress.dirty(new).for_each(|p| p.write(&mut channels[2]));
            self.handovers.dirty(new).for_each(|h| h.write(&mut channels[3]));
            self.contract_lines.dirty(new).for_each(|l| l.write(&mut channels[4]));
            let tables = [&ITEMS, &KIT_COMPONENTS].into_iter().chain([&RESERVATIONS]).chain(ORDER_TABLES).chain([&TRANSFERS, &TRANSFER_LINES]);
            let tables = tables.chain([&LISTINGS, &EXCEPTIONS, &PROGRESS, &HANDOVERS, &CONTRACT_LINES]);
            let rows = items.into_iter().chain([reservations]).chain(orders).chain(transfers).chain(channels);
            writes.extend(tables.zip(rows).map(|(table, rows)| Write { table, rows, new }));
        }
        let changed = listening.then(|| self.changes());
        writes.push(Write::changed(&LEVELS, self.changed_levels()));
        writes.push(Write::new(&ENTRIES, std::mem::take(&mut self.entries)));
        // A day is closed twice where a clock has gone back.
        writes.push(Write::changed(&CLOSINGS, std::mem::take(&mut self.closings)));
        writes.push(Write::changed(&CAPACITY, self.changed_capacity()));
        let mut told = Rows::default();
        self.market_orders.values().filter(|k| k.dirty).for_each(|k| k.value.write(&mut told));
        writes.push(Write::changed(&MARKET_ORDERS, told));
        self.write_changes(tx)?;
        writes.append(&mut self.more);
        writes.retain(|write| !write.rows.0.is_empty());
        if writes.is_empty() && self.events.is_empty() && self.statements.is_empty() && self.unlink.is_empty() && !self.config_changed {
            return Ok(None);
        }
        tx.write(writes)?;
        if self.config_changed {
            Config::changed(tx)?;
        }
        let count = self.events.len() as i64;
        // From here on, other nodes wait for the commit.
        let last = tx.one(NEXT_EVENTS, &[Value::Int(count)], |r| r.int(0))?.ok_or_else(|| db::Error::other("the event counter is missing"))?;
        sums::add(tx, &sums)?;
        let (mut events, mut messages) = (Rows::default(), Rows::default());
        let (at, subject) = self.events.last().map_or((self.now, 0), |e| (e.at, e.subject));
        for (n, event) in self.events.into_iter().enumerate() {
            let seq = last - count + 1 + n as i64;
            let told = Happened { seq, at: event.at, kind: event.kind, subject: event.subject, data: &event.data };
            alerts::happened(&self.config, &told, &mut messages);
            events.0.extend([Cell::Int(seq), event.at.into(), event.kind.into(), event.subject.into(), event.actor.into(), event.data.into()]);
        }
        let written = [Write::new(&EVENTS, events), Write::new(&DELIVERIES, messages)];
        tx.write(written.into_iter().filter(|w| !w.rows.0.is_empty()).collect())?;
        audit::append(tx, &self.audit)?;
        let news = News { levels: changed, config: self.config_changed || !self.changed_items.is_empty(), after_event: last - count };
        Ok(Some(Written { last_event: last, at, subject, news }))
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (item, levels) in &self.levels {
            changes.extend(levels.iter().filter(|k| k.dirty).map(|k| Change::of(*item, k.value.0, &k.value.1)));
        }
        changes
    }

    fn changed_levels(&self) -> Rows {
        let mut rows = Rows::default();
        let mut touched: Vec<i64> = self.levels.keys().copied().collect();
        touched.sort_unstable();
        for item in touched {
            for kept in self.levels[&item].iter().filter(|k| k.dirty) {
                write_level(item, kept.value.0, &kept.value.1, &mut rows);
            }
        }
        rows
    }

    fn changed_capacity(&self) -> Rows {
        let mut changed: Vec<(i64, i64, i64)> = self.capacity.iter().filter(|(_, k)| k.dirty).map(|((l, d), k)| (*l, *d, k.value)).collect();
        changed.sort_unstable();
        let mut rows = Rows::default();
        for (location, day, used) in changed {
            let most = self.config.by_id(location).and_then(|l| l.daily_capacity).unwrap_or(i64::MAX);
            // A limit that was lowered below what was promised before does not break those promises.
            rows.0.extend([location.into(), day.into(), used.into(), Cell::Int(most.max(used))]);
        }
        rows
    }
}
