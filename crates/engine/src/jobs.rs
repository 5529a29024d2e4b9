//! Background work, each a small function that is safe to run twice. On several nodes, the one whose lease has not run out
//! does it.

use crate::db::{Conn, Faults, Sql, Value};
use crate::orders::fill::{FILLABLE, Fill};
use crate::reservations::expire::{DUE, Expire};
use crate::routing::run::{RouteQueued, Routed, plan};
use crate::{Answer, Command, Config, Engine, Stop, Url, alerts, people};
use std::sync::Arc;

const LEASE: Sql = Sql(
    "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE leases.until < $4 OR leases.holder = excluded.holder",
);
const PRUNE: Sql = Sql("DELETE FROM idempotency WHERE at < $1");

/// Holds swept in one command.
const SWEEP: i64 = 500;
/// Placements in one command: few enough that orders at once are not kept waiting.
const PLACEMENTS: usize = 200;
/// Answers are kept for repeated requests for a week.
const KEEP_ANSWERS_MICROS: i64 = 7 * 86_400 * 1_000_000;

fn actor() -> Arc<str> {
    "system".into()
}

/// Whether this node may do this work for the next `seconds`.
pub async fn lease(engine: &Engine, name: &str, holder: &str, seconds: i64) -> Result<bool, Stop> {
    // An embedded database has one server, which need not ask.
    if matches!(engine.url(), Url::Sqlite(_)) {
        return Ok(true);
    }
    let (engine, name, holder) = (engine.clone(), name.to_owned(), holder.to_owned());
    let work = move || engine.in_background(|conn| take(conn, engine.now(), &name, &holder, seconds));
    tokio::task::spawn_blocking(work).await.map_err(|e| Stop::broken(e.to_string()))?
}

fn take(conn: &mut Conn, now: i64, name: &str, holder: &str, seconds: i64) -> Result<bool, Stop> {
    let none = Faults::default();
    let mut tx = conn.begin(&none)?;
    let got = tx.execute(LEASE, &[Value::Text(name), Value::Text(holder), Value::Int(now + seconds * 1_000_000), Value::Int(now)])?;
    tx.commit()?;
    Ok(got == 1)
}

/// Gives back the units of holds that ran out; answers how many holds.
pub async fn expire(engine: &Engine) -> Result<usize, Stop> {
    let mut swept = 0;
    loop {
        let now = engine.now();
        let ids = engine.read(move |tx| Ok(tx.rows(DUE, &[Value::Int(now), Value::Int(SWEEP)], |r| r.int(0))?)).await?;
        if ids.is_empty() {
            return Ok(swept);
        }
        let asked = ids.len();
        let reply = engine.submit(Command::Expire(Expire { ids }), actor(), None).await?;
        if let Answer::Count { count } = reply.answer {
            swept += count;
        }
        if asked < SWEEP as usize {
            return Ok(swept);
        }
    }
}

/// Serves orders that wait although units are there; answers how many orders.
pub async fn fill(engine: &Engine) -> Result<usize, Stop> {
    let items = engine.read(|tx| Ok(tx.rows(FILLABLE, &[Value::Int(SWEEP)], |r| r.int(0))?)).await?;
    if items.is_empty() {
        return Ok(0);
    }
    match engine.submit(Command::Fill(Fill { items }), actor(), None).await?.answer {
        Answer::Count { count } => Ok(count),
        _ => Ok(0),
    }
}

/// Sets aside what contracts are owed and gives back what ended ones hold, where that did not happen with a change of the stock.
pub async fn contracts(engine: &Engine) -> Result<(), Stop> {
    let now = engine.now();
    let items = engine.read(move |tx| crate::contracts::read::amiss(tx, now, SWEEP)).await?;
    if !items.is_empty() {
        engine.submit(Command::Fill(Fill { items }), actor(), None).await?;
    }
    Ok(())
}

/// Solves the queue of waiting orders together and places them.
pub async fn route_queued(engine: &Engine) -> Result<Routed, Stop> {
    let now = engine.now();
    let placements = engine
        .read(move |tx| {
            let mut config = Arc::default();
            Config::refresh(tx, &mut config)?;
            plan(tx, &config, now)
        })
        .await?;
    let mut total = Routed::default();
    for chunk in placements.chunks(PLACEMENTS) {
        let command = Command::RouteQueued(RouteQueued { placements: chunk.to_vec() });
        if let Answer::Routed(done) = engine.submit(command, actor(), None).await?.answer {
            total.queued += done.queued;
            total.placed += done.placed;
            total.left_over += done.left_over;
            total.cost += done.cost;
        }
    }
    Ok(total)
}

/// Forgets answers that nobody will ask for again, alerts that were delivered long ago, and sessions that ended long ago.
pub fn prune(engine: &Engine, conn: &mut Conn) -> Result<u64, Stop> {
    let none = Faults::default();
    let mut tx = conn.begin(&none)?;
    let gone = tx.execute(PRUNE, &[Value::Int(engine.now() - KEEP_ANSWERS_MICROS)])? + alerts::deliver::prune(&mut tx, engine.now())?;
    let gone = gone + people::sign_in::prune(&mut tx, engine.now())?;
    tx.commit()?;
    Ok(gone)
}
