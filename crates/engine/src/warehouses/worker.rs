//! The worker of a warehouse that somebody else runs: hands over what waits, follows what is there, asks back what was canceled,
//! and holds what it has against the books. One for each warehouse, on one node at a time.

use super::follow::Followed;
use super::hand_over::{BeginHandover, EndHandover, Handed};
use super::read;
use super::rows::{Handover, State};
use super::snapshot::{Snapshot, SnapshotRow};
use crate::channels::worker::SUBSCRIBE;
use crate::channels::workers::{Alarm, Desk, Round, Stopped};
use crate::exceptions::{Kind, report};
use crate::{Answer, Command, Stop};
use connectors::marketplace::Page;
use connectors::transport::{Fault, Wire};
use connectors::warehouse::Warehouse;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How long a node works on a warehouse before it asks again whether it still may.
const LEASED: Duration = Duration::from_secs(5);
/// Longest between two looks at what waits when nothing happens on this node.
const LOOK: Duration = Duration::from_millis(200);
/// How often what it has is held against the books.
const SNAPSHOT: Duration = Duration::from_secs(900);
/// How often it is asked whether anything has gone silent.
const WATCH: Duration = Duration::from_secs(60);
/// Without any answer for this long, or without news of a fulfillment, a person is told: an hour and two days, in microseconds.
const SILENT: i64 = 3_600_000_000;
const OVERDUE: i64 = 2 * 86_400_000_000;
/// Fulfillments looked after in one round.
const MANY: i64 = 50;

/// Lives until the engine stops.
pub(crate) async fn live(desk: &Desk, warehouse: &'static dyn Warehouse, wire: &Wire) {
    let worker = Worker { desk, warehouse, wire };
    let mut silence = Alarm::new(Kind::ThirdPartySilence, "silence");
    let (mut snapshot, mut watch, mut subscribe) = (Instant::now(), Instant::now(), Instant::now() + SUBSCRIBE);
    let mut overdue = BTreeSet::new();
    let began = desk.engine.now();
    loop {
        match desk.lease().await {
            Ok(true) => {}
            Ok(false) => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                continue;
            }
            Err(Stop::Stopped) => return,
            Err(_) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        }
        if worker.rounds(Instant::now() + LEASED).await.is_err() {
            return;
        }
        if Instant::now() >= snapshot {
            let taken = worker.snapshot(|_| {}).await;
            match desk.noted(taken).await {
                Ok(true) => snapshot = Instant::now() + SNAPSHOT,
                Ok(false) => snapshot = Instant::now() + WATCH,
                Err(Stopped) => return,
            }
        }
        if Instant::now() >= subscribe {
            subscribe = Instant::now() + SUBSCRIBE;
            desk.subscribe_again(wire).await;
        }
        if Instant::now() >= watch {
            watch = Instant::now() + WATCH;
            if let Err(Stop::Stopped) = worker.watch(&mut silence, &mut overdue, began).await {
                return;
            }
        }
    }
}

/// Reads what it has, and holds it against the books, now. `told` hears how many items were read.
pub(crate) async fn snapshot(desk: &Desk, warehouse: &'static dyn Warehouse, wire: &Wire, told: impl Fn(usize)) -> Round {
    Worker { desk, warehouse, wire }.snapshot(told).await
}

struct Worker<'a> {
    desk: &'a Desk,
    warehouse: &'static dyn Warehouse,
    wire: &'a Wire,
}

impl Worker<'_> {
    /// Does what is due, until then.
    async fn rounds(&self, until: Instant) -> Result<(), Stopped> {
        let mut events = self.desk.engine.watch_events();
        while Instant::now() < until {
            let round = self.round().await;
            let pause = if self.desk.noted(round).await? { LOOK } else { Duration::from_secs(1) };
            self.desk.note_calls(self.wire);
            let _ = tokio::time::timeout(pause, events.changed()).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn round(&self) -> Round {
        let (id, now) = (self.desk.channel.id, self.desk.engine.now());
        let due = self.desk.engine.read(move |tx| read::due(tx, id, now, MANY)).await?;
        let mut asked = false;
        for handover in due {
            match (&handover.external, handover.state) {
                // What is asked back while it is being sent is sent first, to learn what it is called there.
                (_, State::Waiting | State::Sending) if self.desk.channel.paused && handover.state == State::Waiting => {}
                (_, State::Waiting | State::Sending) => asked |= self.hand_over(&handover).await?,
                (Some(external), _) => asked |= self.look_after(&handover, external).await?,
                (None, _) => {}
            }
        }
        Ok(asked)
    }

    async fn hand_over(&self, handover: &Handover) -> Round {
        let fulfillment = handover.fulfillment;
        let begun = self.desk.submit(Command::BeginHandover(BeginHandover { fulfillment })).await?;
        if matches!(begun.answer, Answer::Count { count: 0 }) {
            return Ok(false);
        }
        let service = Some(self.wire.setting("service")).filter(|s| !s.is_empty()).unwrap_or(self.warehouse.service()).to_owned();
        let order = self.desk.engine.read(move |tx| read::to_hand_over(tx, fulfillment, &service)).await?;
        let Some(order) = order else { return Ok(false) };
        let (handed, fault) = match self.warehouse.hand_over(self.wire, &order).await {
            Ok(external) => (Handed::Taken { external }, None),
            Err(Fault::Refused { code, detail, .. }) => (Handed::Refused { code, detail }, None),
            Err(fault) => (Handed::Later { why: fault.to_string() }, Some(fault)),
        };
        self.desk.submit(Command::EndHandover(EndHandover { fulfillment, handed })).await?;
        fault.map_or(Ok(true), |fault| Err(fault.into()))
    }

    /// Asks how far it is, and asks it back if it is to be.
    async fn look_after(&self, handover: &Handover, external: &str) -> Round {
        if handover.recall.is_some() {
            match self.warehouse.cancel(self.wire, external).await {
                // Refused: it left, or is canceled already; what it says of itself tells which.
                Ok(_) | Err(Fault::Refused { .. }) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        self.follow(handover.fulfillment, external).await
    }

    async fn follow(&self, fulfillment: i64, external: &str) -> Round {
        let told = self.warehouse.follow(self.wire, external).await?;
        self.desk.submit(Command::Followed(Box::new(Followed { fulfillment, told }))).await?;
        Ok(true)
    }

    /// Reads what it has, and holds it against the books page by page.
    async fn snapshot(&self, told: impl Fn(usize)) -> Round {
        let Some(location) = self.desk.channel.location else { return Ok(false) };
        let (mut page, mut count) = (None, 0);
        loop {
            let asked_at = self.desk.engine.now();
            let Page { rows, next, .. } = self.warehouse.stock(self.wire, page).await?;
            let skus_read = rows.len();
            let skus: Vec<String> = rows.iter().map(|r| r.sku.clone()).collect();
            let known = self.desk.engine.read(move |tx| read::entries_before(tx, location, &skus, asked_at)).await?;
            let rows = rows.into_iter().filter_map(|r| {
                let entries = *known.get(&r.sku)?;
                Some(SnapshotRow { sku: r.sku, on_hand: r.on_hand, entries })
            });
            let rows: Vec<SnapshotRow> = rows.collect();
            if !rows.is_empty() {
                self.desk.submit(Command::Snapshot(Snapshot { channel: self.desk.channel.id, rows })).await?;
            }
            count += skus_read;
            told(count);
            page = next;
            if page.is_none() {
                return Ok(true);
            }
        }
    }

    /// Tells when nothing is heard of the warehouse, or of something that it was given.
    async fn watch(&self, silence: &mut Alarm, overdue: &mut BTreeSet<i64>, began: i64) -> Result<(), Stop> {
        let (id, now) = (self.desk.channel.id, self.desk.engine.now());
        let heard = self.desk.workers.health(id).map_or(0, |h| h.worked_at).max(began);
        let trouble = (now - heard > SILENT).then(|| {
            let title = format!("{} has not answered for {} minutes", self.desk.channel.name, (now - heard) / 60_000_000);
            (title, "Orders for it wait here; nothing is known of those that it has. Call them, or reroute what is urgent.".to_owned())
        });
        silence.tell(self.desk, trouble).await?;
        let silent = self.desk.engine.read(move |tx| read::silent(tx, id, now - OVERDUE)).await?;
        overdue.retain(|known| silent.contains(known));
        for fulfillment in silent {
            if !overdue.insert(fulfillment) {
                continue;
            }
            let title = format!("{} has told nothing of fulfillment {fulfillment} for two days", self.desk.channel.name);
            let detail = "Ask them for it, cancel the order, or reroute it to another location.".to_owned();
            self.desk.submit(report(Kind::ThirdPartySilence, super::rows::key(fulfillment), id, title, detail)).await?;
        }
        Ok(())
    }
}
