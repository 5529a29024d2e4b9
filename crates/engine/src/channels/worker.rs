//! The worker of a channel: reads its orders, sends what waits, reads back what is doubtful, tells what happened. One for each
//! channel, on one node at a time; whatever it was doing when it died, the next one takes up from the database.

use super::listings::{ListedRow, PutListings, Replan};
use super::outbox::{self, EndLetters, Heard, News};
use super::push::{BeginPushes, DUE, DUE_IN_BULK, EndPushes, MAPPED, Push, Pushed, ReadBack, SETTLING, UNSURE, WRITING};
use super::read;
use super::take_orders::TakeOrders;
use super::workers::{Alarm, Desk, Round, Stopped, Trouble};
use crate::db::{Sql, Value};
use crate::exceptions::Kind;
use crate::{Answer, Command, Stop};
use connectors::marketplace::{MarketListing, Marketplace, Page, SetOutcome, SetQuantity};
use connectors::transport::{Fault, Wire};
use domain::exposure::{Exposure, SKEW};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Orders are read again this far back, so that none is missed that was written late: 1 minute.
const OVERLAP: i64 = 60_000_000;
/// How long a node works on a channel before it asks again whether it still may.
const LEASED: Duration = Duration::from_secs(5);
/// How often all orders are read again that may have been missed, at most; every sixth reading where orders are read more often.
const WHOLE: Duration = Duration::from_secs(30);
/// How often numbers that are doubtful are read.
const READ: Duration = Duration::from_secs(3);
/// How often everything that is listed is read, and drift found.
const RECONCILE: Duration = Duration::from_secs(900);
/// Longest between two looks at the queue when nothing happens on this node.
const LOOK: Duration = Duration::from_millis(200);
/// How often webhooks are asked for again: Shopify deletes a subscription after four hours without an answer.
pub(crate) const SUBSCRIBE: Duration = Duration::from_secs(4 * 3_600);
/// How often the queue is watched, and how long a quantity may wait before a person is told, in microseconds.
const WATCH: Duration = Duration::from_secs(15);
const STUCK: i64 = 900_000_000;
/// Rows read or settled at once.
const MANY: i64 = 500;
/// With fewer quantities than this the slow way for many is not worth it.
const BULK_FROM: usize = 20;
/// Tries of a write whose answer is lost, on a marketplace that knows it again.
const TRIES: u32 = 5;

/// Which quantities are sent: by which statement, and how many at least and at most.
struct Lane {
    due: Sql,
    least: usize,
    most: usize,
}

/// As the account's own settings say, or as its marketplace is.
fn polls_every(market: &dyn Marketplace, wire: &Wire) -> Duration {
    let set = wire.setting("poll_seconds").parse().ok().filter(|seconds| (1..=3_600).contains(seconds));
    Duration::from_secs(set.unwrap_or_else(|| market.polls_every()))
}

/// When it is whose turn.
struct Turn {
    poll: Instant,
    list: Instant,
    read: Instant,
    subscribe: Instant,
    /// The next reading of orders is of what was placed, not of what changed.
    placed: bool,
    /// When all orders that may have been missed are read again; between, only those that are newer than the newest known.
    whole: Instant,
    newest: i64,
}

impl Turn {
    fn now() -> Turn {
        let now = Instant::now();
        Turn { poll: now, list: now, read: now, subscribe: now + SUBSCRIBE, placed: false, whole: now, newest: 0 }
    }
}

/// Lives until the engine stops.
pub(crate) async fn live(desk: &Desk, market: &'static dyn Marketplace, wire: &Wire) {
    let worker = Worker { desk, market, wire };
    worker.live().await;
}

/// One channel's worker.
struct Worker<'a> {
    desk: &'a Desk,
    market: &'static dyn Marketplace,
    wire: &'a Wire,
}

impl Worker<'_> {
    async fn live(&self) {
        let mut turn = Turn::now();
        loop {
            match self.desk.lease().await {
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
            // What another node left behind, or this one when it lost the lease, is not known.
            if self.take_over().await.is_err() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            // Each goes on by itself: an order list that is slow must not hold up a quantity, nor a slow write an order.
            let stopped = tokio::select! {
                Stopped = self.in_bulk() => true,
                Stopped = self.sending() => true,
                Stopped = self.reading(&mut turn) => true,
                Stopped = self.watching() => true,
                Stopped = self.looking() => true,
                held = self.hold() => held.is_err(),
            };
            if stopped {
                return;
            }
        }
    }

    /// Keeps the lease for as long as this node may work here. An embedded database has one node.
    async fn hold(&self) -> Result<(), Stopped> {
        let mut held = Instant::now();
        loop {
            tokio::time::sleep(LEASED).await;
            match self.desk.lease().await {
                Ok(true) => held = Instant::now(),
                Ok(false) => return Ok(()),
                Err(Stop::Stopped) => return Err(Stopped),
                Err(_) if held.elapsed() > 2 * LEASED => return Ok(()),
                Err(_) => {}
            }
        }
    }

    /// Sends in bulk what can wait, where the marketplace has a slow way for many; what is urgent goes on beside it. Ends with the
    /// engine. If it is dropped, whoever works here next finds its writes without an answer.
    async fn in_bulk(&self) -> Stopped {
        let Some(most) = self.market.bulk().filter(|_| !self.desk.channel.paused) else { return std::future::pending().await };
        let mut pending = Vec::new();
        loop {
            let round = self.push(&mut pending, Lane { due: DUE_IN_BULK, least: BULK_FROM, most }).await;
            if let Err(stopped) = self.desk.noted(round).await {
                return stopped;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends what waits and tells what happened. Ends with the engine.
    async fn sending(&self) -> Stopped {
        let mut pending: Vec<(u32, Push)> = Vec::new();
        let mut events = self.desk.engine.watch_events();
        loop {
            let round = async {
                let mut asked = false;
                if !self.desk.channel.paused {
                    asked = self.push(&mut pending, Lane { due: DUE, least: 1, most: self.market.batch() }).await?;
                }
                Ok(self.tell().await? || asked)
            };
            match self.desk.noted(round.await).await {
                // Changes come in bursts; a moment's wait puts them into one call.
                Ok(true) => {
                    let _ = tokio::time::timeout(LOOK, events.changed()).await;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                // Whatever happens here meanwhile does not mend it there.
                Ok(false) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(stopped) => return stopped,
            }
        }
    }

    /// Reads orders, listings and numbers when it is their turn. Ends with the engine.
    async fn reading(&self, turn: &mut Turn) -> Stopped {
        loop {
            if let Err(stopped) = self.read_once(turn).await {
                return stopped;
            }
            self.desk.note_calls(self.wire);
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn read_once(&self, turn: &mut Turn) -> Result<(), Stopped> {
        // Orders are counted even when nothing is sent, or the quotas of other channels would rest on nothing.
        if Instant::now() >= turn.poll {
            turn.poll = Instant::now() + polls_every(self.market, self.wire);
            let polled = self.poll(turn).await;
            self.desk.noted(polled).await?;
        }
        if Instant::now() >= turn.list && !self.desk.channel.paused {
            let listed = self.list().await;
            turn.list = Instant::now() + if self.desk.noted(listed).await? { RECONCILE } else { READ };
        }
        if Instant::now() >= turn.read && !self.desk.channel.paused {
            turn.read = Instant::now() + READ;
            let read = self.read_back().await;
            self.desk.noted(read).await?;
        }
        if Instant::now() >= turn.subscribe {
            turn.subscribe = Instant::now() + SUBSCRIBE;
            self.desk.subscribe_again(self.wire).await;
        }
        Ok(())
    }

    /// Looks at every listing once: this worker may be a new one because the channel was stopped, or has another policy. Ends with the
    /// engine.
    async fn looking(&self) -> Stopped {
        let mut after = 0;
        loop {
            let round = async {
                let listings: Vec<i64> = self.page(MAPPED, after).await?.into_iter().map(|(id, _)| id).collect();
                let last = listings.last().copied();
                if last.is_some() {
                    self.desk.submit(Command::Replan(Replan { listings })).await?;
                }
                Ok::<Option<i64>, Stop>(last)
            };
            match round.await {
                Ok(Some(last)) => after = last,
                Ok(None) => return std::future::pending().await,
                Err(Stop::Stopped) => return Stopped,
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Tells when quantities have been waiting too long, or the channel has not answered for as long. Ends with the engine.
    async fn watching(&self) -> Stopped {
        let mut queue = Alarm::new(Kind::StuckQueue, "queue");
        let began = self.desk.engine.now();
        loop {
            if let Err(Stop::Stopped) = self.watch(&mut queue, began).await {
                return Stopped;
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    async fn watch(&self, queue: &mut Alarm, began: i64) -> Result<(), Stop> {
        let (id, now, name) = (self.desk.channel.id, self.desk.engine.now(), &self.desk.channel.name);
        let health = self.desk.workers.health(id).unwrap_or_default();
        let queues = self.desk.engine.read(move |tx| read::queues(tx, [id].into_iter())).await?;
        let (waiting, oldest) = queues.first().map_or((0, None), |(_, waiting, oldest)| (*waiting, *oldest));
        self.desk.workers.note(id, |h| h.waits(now, waiting));
        let waited = oldest.map_or(0, |oldest| now - oldest);
        let silent = now - health.worked_at.max(began);
        let trouble = (!self.desk.channel.paused && waited.max(silent) > STUCK).then(|| {
            let fault = health.fault.map_or_else(String::new, |(_, why)| format!(" Last fault: {why}."));
            let title = match silent > STUCK {
                true => format!("{name} has not answered for {} minutes; {waiting} quantities wait", silent / 60_000_000),
                false => format!("{waiting} quantities wait for {name}, the oldest for {} minutes", waited / 60_000_000),
            };
            (title, format!("They are sent when it answers; nothing is oversold meanwhile.{fault}"))
        });
        queue.tell(self.desk, trouble).await
    }

    /// Writes that a worker before this one left without an answer.
    async fn take_over(&self) -> Result<(), Stop> {
        let id = self.desk.channel.id;
        loop {
            let found = self
                .desk
                .engine
                .read(move |tx| {
                    let rows = tx.rows(WRITING, &[Value::Int(id), Value::Int(MANY)], |r| (r.int(0), r.text(1)))?;
                    Ok(rows)
                })
                .await?;
            let lost: Vec<(i64, i64, Pushed)> = found
                .into_iter()
                .filter_map(|(listing, knowledge)| Some((listing, serde_json::from_str::<Exposure>(&knowledge).ok()?)))
                .filter_map(|(listing, exposure)| exposure.in_flight().filter(|w| !w.accepted).map(|w| (listing, w.id, Pushed::Lost)))
                .collect();
            if lost.is_empty() {
                return Ok(());
            }
            self.desk.submit(Command::EndPushes(EndPushes { results: lost })).await?;
        }
    }

    /// Reads what is listed, and what is shown.
    async fn list(&self) -> Round {
        let mut page = None;
        loop {
            let asked_at = self.desk.engine.now();
            let Page { rows, next, .. } = self.market.listings(self.wire, page).await?;
            // What no code here can be is not kept as one: lists and forms could not carry it.
            let code = |text: Option<String>| text.filter(|text| domain::limits::name("sku", text.trim()).is_ok());
            let row = |l: MarketListing| ListedRow { external: l.id, sku: code(l.sku), barcode: code(l.barcode), title: l.title, shown: l.quantity };
            let rows = rows.into_iter().map(row).collect();
            let command = Command::PutListings(PutListings { channel: self.desk.channel.id, rows, asked_at });
            self.desk.submit(command).await?;
            page = next;
            if page.is_none() {
                return Ok(true);
            }
        }
    }

    /// Sends what waits, until nothing does.
    async fn push(&self, pending: &mut Vec<(u32, Push)>, lane: Lane) -> Round {
        let (id, Lane { due, least, most }) = (self.desk.channel.id, lane);
        let mut asked = false;
        loop {
            if pending.is_empty() {
                let due = self.desk.engine.read(move |tx| Ok(tx.rows(due, &[Value::Int(id), Value::Int(most as i64)], |r| r.int(0))?)).await?;
                if due.len() < least {
                    return Ok(asked);
                }
                let command = Command::BeginPushes(BeginPushes { listings: due, dry: false });
                if let Answer::Pushes(pushes) = self.desk.submit(command).await?.answer {
                    pending.extend(pushes.into_iter().map(|push| (0, push)));
                }
                if pending.is_empty() {
                    return Ok(asked);
                }
            }
            let wanted: Vec<SetQuantity> = pending
                .iter()
                .map(|(_, p)| SetQuantity { listing: p.external.clone(), from: p.from, to: p.to, key: format!("holdfast-{}", p.write) })
                .collect();
            asked = true;
            let answer = self.market.set_quantities(self.wire, &wanted).await;
            let fault = answer.as_ref().err().cloned();
            let mut results: Vec<(i64, i64, Pushed)> = Vec::with_capacity(pending.len());
            let mut again: Vec<(u32, Push)> = Vec::new();
            match answer {
                Ok(outcomes) => {
                    for ((tries, push), outcome) in pending.drain(..).zip(outcomes) {
                        let pushed = match outcome {
                            SetOutcome::Applied => Pushed::Applied,
                            SetOutcome::Accepted => Pushed::Accepted,
                            // Its own number is there: an earlier try of the same write may have put it there.
                            SetOutcome::Stale { shown } if tries > 0 && shown == Some(push.to) => Pushed::Lost,
                            SetOutcome::Stale { shown } => Pushed::Stale { shown },
                            SetOutcome::Refused { code, detail } => Pushed::Refused { code, detail },
                        };
                        self.acknowledged(&push, &pushed);
                        results.push((push.listing, push.write, pushed));
                    }
                }
                // A marketplace that knows a key again may be asked the same again, in the same words.
                Err(fault) => {
                    let lost = matches!(fault, Fault::Lost { .. } | Fault::NotUnderstood { .. });
                    for (tries, push) in pending.drain(..) {
                        let pushed = match &fault {
                            // Not done this time; but a try before it may have been.
                            _ if tries > 0 || lost => {
                                if self.desk.channel.compares && tries < TRIES {
                                    again.push((tries + 1, push));
                                    continue;
                                }
                                Pushed::Lost
                            }
                            Fault::Refused { code, detail, .. } => Pushed::Refused { code: code.clone(), detail: detail.clone() },
                            _ => Pushed::NotSent { since: push.since },
                        };
                        results.push((push.listing, push.write, pushed));
                    }
                }
            }
            *pending = again;
            if !results.is_empty() {
                self.desk.submit(Command::EndPushes(EndPushes { results })).await?;
            }
            if let Some(fault) = fault {
                return Err(fault.into());
            }
        }
    }

    fn acknowledged(&self, push: &Push, pushed: &Pushed) {
        if matches!(pushed, Pushed::Applied | Pushed::Accepted) {
            let now = self.desk.engine.now();
            let micros = u32::try_from((now - push.since).max(0)).unwrap_or(u32::MAX);
            self.desk.workers.note(self.desk.channel.id, |h| h.acknowledged(now, micros));
        }
    }

    /// Reads the orders that changed, and moves the watermark.
    async fn poll(&self, turn: &mut Turn) -> Round {
        let id = self.desk.channel.id;
        let progress = self.desk.engine.read(move |tx| read::progress(tx, id)).await?;
        let asked_at = self.desk.engine.now();
        let counted_from = progress.watermark.max(self.desk.channel.created_at) - OVERLAP;
        // Where the list of changes hides an order that changed too lately, what was placed is read in turn with what changed, and
        // only that tells that all has been counted.
        let in_turn = self.market.orders_placed(self.wire, counted_from, None).is_some();
        let placed = in_turn && turn.placed;
        turn.placed = !turn.placed;
        let (by_change, by_placement) = (!placed, placed || !in_turn);
        let began = Instant::now();
        let whole = in_turn || began >= turn.whole;
        let from = if whole { progress.orders_from - OVERLAP } else { (turn.newest - SKEW).max(progress.orders_from - OVERLAP) };
        let mut page = None;
        let mut unread_any = false;
        loop {
            let work = match self.market.orders_placed(self.wire, counted_from, page.clone()) {
                Some(work) if placed => work,
                _ => self.market.orders(self.wire, from, page),
            };
            let Page { rows, next, unread } = work.await?;
            unread_any |= !unread.is_empty();
            turn.newest = rows.iter().map(|o| o.updated_at).fold(turn.newest, i64::max);
            let last = next.is_none();
            let settled = asked_at - self.market.settles_in();
            let count = rows.len() as u64;
            let counts = whole && last && !unread_any;
            let mut late = 0;
            if !rows.is_empty() || !unread.is_empty() || counts {
                let command = TakeOrders {
                    orders: rows,
                    unread,
                    watermark: (counts && by_placement).then_some(settled - SKEW),
                    orders_from: (counts && by_change).then_some(settled),
                    ..self.nothing()
                };
                if let Answer::Taken(taken) = self.desk.submit(Command::TakeOrders(Box::new(command))).await?.answer {
                    late = taken.late as u64;
                }
            }
            self.desk.workers.note(id, |h| {
                h.orders_read += count;
                h.orders_late += late;
            });
            page = next;
            if page.is_none() {
                break;
            }
        }
        if whole {
            // What takes long is not begun again at once: it would leave no calls for anything else.
            turn.whole = Instant::now() + WHOLE.min(6 * polls_every(self.market, self.wire)).max(4 * began.elapsed());
            if !unread_any && by_placement {
                self.settle().await?;
            }
        }
        Ok(true)
    }

    fn nothing(&self) -> TakeOrders {
        let (channel, channel_code) = (self.desk.channel.id, self.desk.channel.code.to_string());
        TakeOrders { channel, channel_code, orders: Vec::new(), unread: Vec::new(), watermark: None, orders_from: None, settle: Vec::new() }
    }

    /// The watermark has moved: every listing of which something waited for it is looked at again.
    async fn settle(&self) -> Result<(), Trouble> {
        let mut after = 0;
        loop {
            let settle: Vec<i64> = self.page(SETTLING, after).await?.into_iter().map(|(id, _)| id).collect();
            let Some(last) = settle.last().copied() else { return Ok(()) };
            after = last;
            self.desk.submit(Command::TakeOrders(Box::new(TakeOrders { settle, ..self.nothing() }))).await?;
        }
    }

    /// Listings of this channel by one of the statements that page through them: (id, external).
    async fn page(&self, sql: Sql, after: i64) -> Result<Vec<(i64, String)>, Stop> {
        let id = self.desk.channel.id;
        self.desk.engine.read(move |tx| Ok(tx.rows(sql, &[Value::Int(id), Value::Int(after), Value::Int(MANY)], |r| (r.int(0), r.text(1)))?)).await
    }

    /// Reads the numbers that are doubtful.
    async fn read_back(&self) -> Round {
        let (mut after, mut asked) = (0, false);
        loop {
            let rows = self.page(UNSURE, after).await?;
            let Some((last, _)) = rows.last() else { return Ok(asked) };
            after = *last;
            self.read_rows(rows).await?;
            asked = true;
        }
    }

    async fn read_rows(&self, rows: Vec<(i64, String)>) -> Result<(), Trouble> {
        if rows.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = rows.iter().map(|(_, external)| external.clone()).collect();
        let asked_at = self.desk.engine.now();
        let shown: HashMap<String, i64> = self.market.quantities(self.wire, &names).await?.into_iter().collect();
        let rows = rows.into_iter().filter_map(|(id, external)| Some((id, *shown.get(&external)?, asked_at))).collect();
        self.desk.submit(Command::ReadBack(ReadBack { rows })).await?;
        Ok(())
    }

    /// Tells what happened to the channel's orders.
    async fn tell(&self) -> Round {
        let (id, now) = (self.desk.channel.id, self.desk.engine.now());
        let (letters, pointless) = self.desk.engine.read(move |tx| outbox::due(tx, id, now, 50)).await?;
        let mut ended: Vec<(i64, String, Heard)> = pointless.into_iter().map(|letter| (letter, String::new(), Heard::Yes)).collect();
        let (mut failed, asked) = (None, !letters.is_empty());
        for letter in letters {
            let answer = match &letter.news {
                News::Shipped(shipped) => self.market.ship(self.wire, shipped).await,
                News::Canceled { reason } => self.market.cancel(self.wire, &letter.external, reason).await,
                News::Refund(refund) if refund.lines.is_empty() => Ok(()),
                News::Refund(refund) => self.market.refund(self.wire, refund).await,
            };
            let heard = match answer {
                Ok(()) => Heard::Yes,
                Err(Fault::Refused { code, detail, .. }) => Heard::No { why: format!("{code}: {detail}") },
                Err(fault) => {
                    let wait = 1_000_000i64 << letter.tries.clamp(0, 12);
                    let heard = Heard::Later { at: now + wait, why: fault.to_string() };
                    failed = Some(fault);
                    heard
                }
            };
            ended.push((letter.id, letter.external, heard));
            if failed.is_some() {
                break;
            }
        }
        if !ended.is_empty() {
            self.desk.submit(Command::EndLetters(EndLetters { channel: id, letters: ended })).await?;
        }
        failed.map_or(Ok(asked), |fault| Err(fault.into()))
    }
}

/// Reads what a channel lists and every number it shows, now. `told` hears how many are read, and of how many.
pub(super) async fn resync(desk: &Desk, market: &'static dyn Marketplace, wire: &Wire, told: impl Fn(usize, usize)) -> Result<(), Trouble> {
    const COUNT: Sql = Sql("SELECT COUNT(*) FROM listings WHERE channel = $1 AND item IS NOT NULL");
    let worker = Worker { desk, market, wire };
    worker.list().await?;
    let id = desk.channel.id;
    let total = desk.engine.read(move |tx| Ok(tx.one(COUNT, &[Value::Int(id)], |r| r.int(0))?.unwrap_or(0))).await? as usize;
    let (mut after, mut count) = (0, 0);
    told(count, total);
    loop {
        let rows = worker.page(MAPPED, after).await?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        after = *last;
        count += rows.len();
        worker.read_rows(rows).await?;
        told(count, total);
    }
}
