//! Rehearsal: what commands would come to if they were done now, one after another. For previews: the very rules decide on the very
//! rows, nothing is written, nothing is locked, and the writer does not hear of it.

use crate::Stop;
use crate::access::By;
use crate::batch::Batch;
use crate::command::{Command, Needs, Reply};
use crate::config::Config;
use crate::db::Tx;
use crate::kept::{Ids, ItemCache};
use crate::sequencer::decide;
use std::sync::Arc;

/// Ids in rehearsed answers begin here, where real ones never come; they name nothing.
const IDS: i64 = 1 << 60;

/// What each command would answer at `now` (microseconds since 1970 UTC) after the ones before it, or how it would be refused. A fault
/// of the program ends the rehearsal.
pub fn foresee(tx: &mut Tx<'_>, config: &Config, now: i64, by: &By, commands: &[Command]) -> Result<Vec<Result<Reply, Stop>>, Stop> {
    let mut needs = Needs::default();
    commands.iter().for_each(|command| command.needs(&mut needs));
    let (mut ids, mut cache) = (Ids::default(), ItemCache::default());
    ids.refill(2 * IDS, IDS);
    let mut batch = Batch::load(tx, &needs, now, Arc::new(config.clone()), &mut ids, &mut cache)?;
    batch.actor = by.actor.clone();
    let mut outcomes = Vec::with_capacity(commands.len());
    for command in commands {
        outcomes.push(match decide(command, by, &mut batch) {
            Err(stop) if stop.refused().is_none() => return Err(stop),
            outcome => outcome,
        });
    }
    Ok(outcomes)
}
