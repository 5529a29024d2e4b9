//! A rehearsal: what changes would do if they were made now. Decided by the operations themselves on what the database has, under
//! the same rules and limits, and written nowhere. So a page can say what will come of a form, or why it would be refused, before it
//! is sent. Not here: any rule.

use crate::Stop;
use crate::access::By;
use crate::batch::{Batch, sorted};
use crate::command::{Command, Needs, Reply};
use crate::config::Config;
use crate::db::Tx;
use crate::kept::{Ids, ItemCache};
use crate::sequencer;
use crate::views::Balances;
use domain::Refused;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Ids that a rehearsal may give out: beyond any that a document has.
const IDS: i64 = 1_000_000;

/// What would become of a change.
#[derive(Debug)]
pub struct Rehearsed {
    /// What it would answer, or why it would be refused. Ids in the answer name nothing.
    pub outcome: Result<Reply, Refused>,
    /// The items that it names, in the order of their ids; as they are if it would be refused.
    pub items: Vec<Effect>,
}

/// What would become of an item.
#[derive(Debug, Clone)]
pub struct Effect {
    pub sku: Arc<str>,
    /// Units that can be promised, over all active locations.
    pub available: Step,
    /// Units that channels may sell and that are set aside for nobody else: their quotas.
    pub lent: i64,
    /// The locations where something would change, by code.
    pub levels: Vec<(Arc<str>, Balances, Balances)>,
}

/// A figure before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub before: i64,
    pub after: i64,
}

/// Rehearses changes one after another, each on what those before it would leave. Nothing is locked, and the writer does not hear of it.
/// A fault of the program ends the rehearsal. `now` is in microseconds since 1970 UTC.
pub fn rehearse(tx: &mut Tx<'_>, config: &Arc<Config>, now: i64, by: &By, commands: &[Command]) -> Result<Vec<Rehearsed>, Stop> {
    let mut needs = Needs::default();
    commands.iter().for_each(|command| command.needs(&mut needs));
    let (mut ids, mut cache) = (Ids::default(), ItemCache::default());
    ids.refill(i64::MAX, IDS);
    let mut batch = Batch::load(tx, &needs, now, config.clone(), &mut ids, &mut cache)?;
    batch.actor = by.actor.clone();
    commands.iter().map(|command| one(&mut batch, by, command)).collect()
}

fn one(batch: &mut Batch<'_>, by: &By, command: &Command) -> Result<Rehearsed, Stop> {
    let mut needs = Needs::default();
    command.needs(&mut needs);
    let named: BTreeSet<i64> = needs.skus.iter().filter_map(|sku| batch.any_item(sku)).map(|i| i.id).chain(needs.item_ids).collect();
    let named = sorted(&named);
    let before: Vec<Seen> = named.iter().map(|item| Seen::of(batch, *item)).collect();
    let outcome = match sequencer::decide(command, by, batch) {
        Ok(reply) => Ok(reply),
        Err(Stop::Refused(refused)) => Err(refused),
        Err(stop) => return Err(stop),
    };
    let items = named.iter().zip(before).map(|(item, before)| before.effect(batch, *item)).collect();
    Ok(Rehearsed { outcome, items })
}

/// An item as it stands.
struct Seen {
    available: i64,
    levels: Vec<(i64, [i64; 7])>,
}

impl Seen {
    fn of(batch: &Batch<'_>, item: i64) -> Seen {
        let levels = batch.levels_of(item).map(|(location, level)| (location, *level.balances())).collect();
        Seen { available: batch.available(item), levels }
    }

    fn effect(&self, batch: &Batch<'_>, item: i64) -> Effect {
        let after = Seen::of(batch, item);
        let mut levels: Vec<(Arc<str>, Balances, Balances)> = Vec::new();
        for (location, balances) in &after.levels {
            let before = self.levels.iter().find(|(l, _)| l == location).map_or([0; 7], |(_, balances)| *balances);
            if before != *balances {
                levels.push((batch.names().code(*location), Balances::new(&before), Balances::new(balances)));
            }
        }
        levels.sort_by(|a, b| a.0.cmp(&b.0));
        let available = Step { before: self.available, after: after.available };
        Effect { sku: batch.names().sku(item), available, lent: batch.lent(item), levels }
    }
}
