//! Push: quantities go out. A write is begun (its units lent, durably), sent by whoever called, and ended with what became of it.
//! What waits is only the newest wish of each listing; how much it is, is decided when it is begun.

use super::rows::{Channel, Listing};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Needs, Reply};
use crate::db::{self, Sql, Tx, Value};
use crate::exceptions::{self, Kind, Trouble};
use domain::quota::Why;
use serde::Serialize;

/// Listings of channel `$1` that want a write, the most urgent first, at most `$2`.
pub const DUE: Sql = Sql("SELECT id FROM listings WHERE channel = $1 AND due = 1 ORDER BY urgency, due_at LIMIT $2");
/// Those of them that can wait, the least urgent first, at most `$2`.
pub const DUE_IN_BULK: Sql =
    Sql("SELECT id FROM listings WHERE channel = $1 AND due = 1 AND urgency >= 3 ORDER BY urgency DESC, due_at DESC LIMIT $2");
/// Listings of channel `$1` with an id beyond `$2` of which something is known that waits for the watermark, at most `$3`.
pub const SETTLING: Sql = Sql("SELECT id, external FROM listings WHERE channel = $1 AND settling = 1 AND id > $2 ORDER BY id LIMIT $3");

/// Listings of channel `$1` whose write has no answer yet, at most `$2`: (id, what is known of it).
pub const WRITING: Sql = Sql("SELECT id, knowledge FROM listings WHERE channel = $1 AND writing = 1 ORDER BY id LIMIT $2");
/// Listings of channel `$1` with an id beyond `$2` whose shown number should be read, at most `$3`: (id, external).
pub const UNSURE: Sql = Sql("SELECT id, external FROM listings WHERE channel = $1 AND unsure = 1 AND id > $2 ORDER BY id LIMIT $3");
/// All mapped listings of channel `$1` with an id beyond `$2`, at most `$3`: (id, external).
pub const MAPPED: Sql = Sql("SELECT id, external FROM listings WHERE channel = $1 AND item IS NOT NULL AND id > $2 ORDER BY id LIMIT $3");

/// Listings of a channel for which something may wait, the most urgent first. While it is paused nothing is asked for, so that each of
/// its listings may be one.
pub fn may_wait(tx: &mut Tx<'_>, channel: &Channel, most: i64) -> db::Result<Vec<i64>> {
    if channel.paused {
        tx.rows(MAPPED, &[Value::Int(channel.id), Value::Int(0), Value::Int(most)], |r| r.int(0))
    } else {
        tx.rows(DUE, &[Value::Int(channel.id), Value::Int(most)], |r| r.int(0))
    }
}

/// Begins writes for these listings, as far as they still want one.
#[derive(Debug, Clone)]
pub struct BeginPushes {
    pub listings: Vec<i64>,
    /// Only say what would be sent, on a paused channel what would be sent if it went on.
    pub dry: bool,
}

/// A write to be sent.
#[derive(Debug, Clone, Serialize)]
pub struct Push {
    pub listing: i64,
    pub write: i64,
    /// The marketplace's name of the listing.
    pub external: String,
    /// What it must show; None writes over whatever it shows.
    pub from: Option<i64>,
    pub to: i64,
    /// Since when the write was wanted, microseconds since 1970 UTC.
    pub since: i64,
}

impl BeginPushes {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.listings.extend(&self.listings);
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut pushes = Vec::new();
        let now = batch.now;
        for id in &self.listings {
            let wish = if self.dry { batch.wish_when_resumed(*id) } else { batch.wish(*id) };
            if self.dry {
                if let (Some(wish), Some(listing)) = (wish, batch.listings.get(*id)) {
                    let (from, since) = (listing.exposure.shown().filter(|_| wish.compares), listing.due.map_or(now, |(since, _)| since));
                    pushes.push(Push { listing: *id, write: 0, external: listing.external.clone(), from, to: wish.to, since });
                }
                continue;
            }
            let write = batch.id()?;
            let Some(kept) = batch.listings.change(*id) else { continue };
            let since = kept.due.take().map_or(now, |(since, _)| since);
            let Some(wish) = wish else { continue };
            kept.exposure.lend(write, wish.compares, wish.to, now);
            let from = kept.exposure.in_flight().and_then(|w| w.from);
            pushes.push(Push { listing: *id, write, external: kept.external.clone(), from, to: wish.to, since });
            touch(batch, *id);
        }
        Ok(Reply::done(Answer::Pushes(pushes)))
    }
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    Applied,
    /// Taken, to be applied later or never.
    Accepted,
    /// Surely not done; the number that is shown, if it was said.
    Stale {
        shown: Option<i64>,
    },
    /// Surely not done, and the same again would be refused again.
    Refused {
        code: String,
        detail: String,
    },
    /// Surely not done, and worth another try; it has been wanted since then.
    NotSent {
        since: i64,
    },
    /// Nobody will ever know.
    Lost,
}

/// Ends writes. Safe to repeat: a write that has ended is left alone.
#[derive(Debug, Clone)]
pub struct EndPushes {
    /// (listing, write, what became of it)
    pub results: Vec<(i64, i64, Pushed)>,
}

impl EndPushes {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.listings.extend(self.results.iter().map(|(listing, ..)| *listing));
        needs.exception_keys.extend(self.results.iter().map(|(listing, ..)| key(*listing)));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let now = batch.now;
        for (id, write, outcome) in &self.results {
            let Some(kept) = batch.listings.change(*id) else { continue };
            let mut refused = None;
            match outcome {
                Pushed::Applied => drop(kept.exposure.applied(*write, now)),
                Pushed::Accepted => kept.exposure.accepted(*write),
                Pushed::Stale { shown } => drop(kept.exposure.refused(*write, *shown)),
                Pushed::NotSent { since } => {
                    kept.exposure.refused(*write, None);
                    // What is wanted now is looked at again; since when is not forgotten.
                    kept.due = kept.due.or(Some((*since, Why::Refill)));
                }
                Pushed::Lost => kept.exposure.given_up(*write),
                Pushed::Refused { code, detail } => {
                    kept.exposure.refused(*write, None);
                    kept.fault = Some(format!("{code}: {detail}"));
                    refused = Some((kept.clone(), code, detail));
                }
            }
            touch(batch, *id);
            match refused {
                Some((listing, code, detail)) => tell_refused(batch, &listing, code, detail)?,
                None if *outcome == Pushed::Applied => exceptions::settle(batch, &key(*id), "the marketplace took a quantity again"),
                None => {}
            }
        }
        Ok(Reply::done(Answer::Count { count: self.results.len() }))
    }
}

fn key(listing: i64) -> String {
    format!("listing:{listing}")
}

fn tell_refused(batch: &mut Batch<'_>, listing: &Listing, code: &str, detail: &str) -> Result<(), Stop> {
    let name = listing.sku.clone().unwrap_or_else(|| listing.external.clone());
    let trouble = Trouble {
        kind: Kind::PushRefused,
        key: &key(listing.id),
        channel: listing.channel,
        title: format!("The marketplace refuses the quantity of {name}"),
        detail: format!("{code}: {detail}. Nothing more is sent for this listing until it is retried."),
        payload: "",
    };
    exceptions::raise(batch, trouble)
}

/// Numbers that a channel was asked for.
#[derive(Debug, Clone)]
pub struct ReadBack {
    /// (listing, shown, when it was asked)
    pub rows: Vec<(i64, i64, i64)>,
}

impl ReadBack {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.listings.extend(self.rows.iter().map(|(listing, ..)| *listing));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let now = batch.now;
        for (id, shown, asked_at) in &self.rows {
            let late = batch.listings.get(*id).and_then(|l| batch.config.channel(l.channel)).map(|c| c.late);
            let (Some(late), Some(kept)) = (late, batch.listings.change(*id)) else { continue };
            // A write that was taken and is shown has been applied, if sales alone cannot have led to the same number; one to
            // nothing does no harm however late it comes.
            let before = kept.exposure.shown();
            let telling = |to: i64| to == 0 || before.is_none_or(|before| to > before);
            let accepted = kept.exposure.in_flight().filter(|w| w.accepted && w.to == *shown && telling(w.to) && w.sent_at < *asked_at).map(|w| w.id);
            match accepted {
                Some(write) => drop(kept.exposure.applied(write, now)),
                None => kept.exposure.read(*shown, *asked_at, now, late),
            }
            // One that was taken so long ago and is not shown never will be.
            let overdue = kept.exposure.in_flight().filter(|w| w.accepted && w.sent_at + late < *asked_at).map(|w| w.id);
            if let Some(write) = overdue {
                kept.exposure.given_up(write);
                kept.exposure.read(*shown, *asked_at, now, late);
            }
            touch(batch, *id);
        }
        Ok(Reply::done(Answer::Count { count: self.rows.len() }))
    }
}

/// The items of this listing are to be looked at again.
pub(crate) fn touch(batch: &mut Batch<'_>, listing: i64) {
    let items: Vec<i64> = batch.seats.by_listing.get(&listing).into_iter().flatten().map(|(item, _)| *item).collect();
    batch.seats.touched.extend(items);
}
