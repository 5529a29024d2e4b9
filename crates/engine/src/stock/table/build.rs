//! Reads everything that the stock table holds, as of one moment.

use super::columns::{Columns, Read};
use crate::Stop;
use crate::batch::day_of;
use crate::db::{Conn, Sql, Tx};
use crate::sequencer;
use crate::stock::feed::{Change, Figures, fit};
use crate::stock::sales;

const ITEMS: Sql = Sql("SELECT id, active FROM items");
const LOCATIONS: Sql = Sql("SELECT id, active FROM locations ORDER BY id");
const KITS: Sql = Sql("SELECT kit, component, quantity FROM kit_components");
const LEVELS: Sql = Sql(
    "SELECT item, location, available + reserved + committed + damaged + quality_control + safety_stock, available, reserved + committed, damaged, incoming, moved_at FROM levels",
);
const BY_SKU: Sql = Sql("SELECT id FROM items ORDER BY sku");
const BY_NAME: Sql = Sql("SELECT id FROM items ORDER BY lower(name), id");

/// Days that "sold lately" means, the running one among them.
const SOLD_DAYS: i64 = 7;

/// All columns, and the number of the last event in them. `now` in microseconds since 1970 UTC.
pub fn read(conn: &mut Conn, now: i64) -> Result<(Columns, i64), Stop> {
    let mut tx = conn.begin_read()?;
    let last_event = sequencer::last_event(&mut tx)?;
    let mut read = Read { locations: tx.rows(LOCATIONS, &[], |r| (r.int(0), r.flag(1)))?, ..Read::default() };
    read.kits = tx.rows(KITS, &[], |r| (r.int(0), r.int(1), fit(r.int(2))))?;
    tx.each(ITEMS, &[], &mut |r| read.items.push((r.int(0), r.flag(1))))?;
    tx.each(BY_SKU, &[], &mut |r| read.by_sku.push(r.int(0)))?;
    tx.each(BY_NAME, &[], &mut |r| read.by_name.push(r.int(0)))?;
    tx.each(LEVELS, &[], &mut |r| {
        let [on_hand, available, held, damaged, incoming] = std::array::from_fn(|n| fit(r.int(2 + n)));
        let figures = Figures { on_hand, available, held, damaged, incoming, moved: fit(r.int(7) / 1_000_000) };
        read.levels.push(Change { item: r.int(0), location: r.int(1), figures });
    })?;
    let sold = sold_in(&mut tx, now)?;
    drop(tx);
    let mut columns = Columns::new(read);
    columns.set_sold(&sold);
    Ok((columns, last_event))
}

/// What was ordered lately: (item, units), several times for some items.
pub fn sold(conn: &mut Conn, now: i64) -> Result<Vec<(i64, i64)>, Stop> {
    sold_in(&mut conn.begin_read()?, now)
}

fn sold_in(tx: &mut Tx<'_>, now: i64) -> Result<Vec<(i64, i64)>, Stop> {
    let mut sold = Vec::new();
    sales::all_since(tx, day_of(now) + 1 - SOLD_DAYS, &mut |item, units| sold.push((item, units)))?;
    Ok(sold)
}

/// The number of the last event in the database.
pub fn last_event(conn: &mut Conn) -> Result<i64, Stop> {
    Ok(sequencer::last_event(&mut conn.begin_read()?)?)
}
