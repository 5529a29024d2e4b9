//! One round: commands that are sent at the same time, the faults that meet them, and everything that was heard of them.

use crate::cluster::Cluster;
use crate::faults::{Armed, Kind};
use crate::workload::Ask;
use engine::{Command, IdempotencyKey, Reply, Stop, jobs};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How often a command is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    Once,
    /// Twice at the same time, with one key.
    Twice,
    /// Again with the same key, as if the first reply had been lost.
    Again,
    /// The key again, with another request.
    Reused,
}

/// How a command ended, for who asked.
#[derive(Debug, Clone)]
pub enum Outcome {
    Done { view: Value, replayed: bool },
    Refused(&'static str),
    Stopped,
    Broken(String),
}

impl Outcome {
    fn of(result: Result<Reply, Stop>) -> Outcome {
        match result {
            Ok(reply) => Outcome::Done { view: serde_json::to_value(&reply.answer).unwrap_or_default(), replayed: reply.replayed },
            Err(stop) => Outcome::stopped(stop),
        }
    }

    fn stopped(stop: Stop) -> Outcome {
        match (stop.refused(), &stop) {
            (Some(refused), _) => Outcome::Refused(refused.code()),
            (None, Stop::Stopped) => Outcome::Stopped,
            (None, stop) => Outcome::Broken(stop.to_string()),
        }
    }
}

/// A command, and all that was heard of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its place in the run, for leaving it out: (step, number within the step).
    pub place: (usize, usize),
    /// Who asks; no two commands come from the same.
    pub actor: String,
    pub ask: Ask,
    pub node: usize,
    pub key: Option<String>,
    pub copies: Copies,
    pub outcomes: Vec<Outcome>,
    /// What another request with the same key came to.
    pub reused: Option<Outcome>,
    /// The instants at which it may have been decided.
    pub instants: Vec<i64>,
}

impl Asked {
    fn key(&self, other: bool) -> Option<IdempotencyKey> {
        let mut request = [u8::from(other); 32];
        request[1..9].copy_from_slice(&(self.place.0 as u64).to_le_bytes());
        self.key.as_ref().map(|key| IdempotencyKey { key: key.clone(), request })
    }

    fn send(&mut self, cluster: &Cluster, node: usize, other: bool) -> Option<oneshot::Receiver<Result<Reply, Stop>>> {
        let Ask::Command(command) = &self.ask else { return None };
        self.instants.extend(cluster.now(node));
        let sent = cluster.engine(node).and_then(|engine| engine.send((**command).clone(), Arc::from(&*self.actor), self.key(other)));
        match sent {
            Ok(receiver) => Some(receiver),
            Err(stop) => {
                self.outcomes.push(Outcome::stopped(stop));
                None
            }
        }
    }

    fn hear(&mut self, receiver: oneshot::Receiver<Result<Reply, Stop>>) {
        self.outcomes.push(Outcome::of(receiver.blocking_recv().unwrap_or(Err(Stop::Stopped))));
    }

    fn was_stopped(&self) -> bool {
        matches!(self.outcomes.last(), Some(Outcome::Stopped))
    }

    /// In one line, for the story of a failure.
    pub fn line(&self) -> String {
        let ask = match &self.ask {
            Ask::Command(command) => format!("{command:?}"),
            ask => format!("{ask:?}"),
        };
        let ends: Vec<String> = self
            .outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Done { view, replayed } => format!("{}done {}", if *replayed { "again: " } else { "" }, short(view)),
                other => format!("{other:?}"),
            })
            .collect();
        let key = if self.key.is_some() { format!(", {:?} with a key", self.copies) } else { String::new() };
        format!("{}.{} on node {}{key}: {ask} → {}", self.place.0, self.place.1, self.node, ends.join("; "))
    }
}

/// What a view says, without what nobody needs in order to follow a story.
fn short(view: &Value) -> String {
    let mut view = view.clone();
    if let Some(fields) = view.as_object_mut() {
        for field in ["decision", "ship_to", "number", "reference", "channel", "created_at", "placed_at"] {
            fields.remove(field);
        }
    }
    view.to_string()
}

/// Sends all commands at once, runs a job beside them, and goes on until each has an answer or is known to have none.
/// Answers which faults happened.
pub fn play(cluster: &mut Cluster, asked: &mut [Asked], faults: &[Option<Armed>], runtime: &tokio::runtime::Runtime) -> Result<Vec<Kind>, Stop> {
    for (node, armed) in cluster.nodes.iter().zip(faults) {
        node.trigger.arm(*armed);
    }
    let mut waiting = Vec::new();
    for (n, asked) in asked.iter_mut().enumerate() {
        let node = asked.node;
        waiting.extend(asked.send(cluster, node, false).map(|receiver| (n, receiver)));
        if asked.copies == Copies::Twice {
            let node = (node + 1) % cluster.nodes.len();
            waiting.extend(asked.send(cluster, node, false).map(|receiver| (n, receiver)));
        }
    }
    for asked in asked.iter_mut().filter(|a| !matches!(a.ask, Ask::Command(_))) {
        asked.instants.extend(cluster.now(asked.node));
        let engine = cluster.engine(asked.node)?;
        let done = match asked.ask {
            Ask::Expire => runtime.block_on(jobs::expire(engine)).map(Value::from),
            Ask::Fill => runtime.block_on(jobs::fill(engine)).map(Value::from),
            Ask::Route => runtime.block_on(jobs::route_queued(engine)).map(|routed| serde_json::to_value(routed).unwrap_or_default()),
            _ => continue,
        };
        asked.outcomes.push(match done {
            Ok(view) => Outcome::Done { view, replayed: false },
            Err(stop) => Outcome::stopped(stop),
        });
    }
    for (n, receiver) in waiting {
        asked[n].hear(receiver);
    }
    let mut happened = Vec::new();
    for node in 0..cluster.nodes.len() {
        cluster.worked(node);
        let fired = cluster.nodes[node].trigger.fired();
        cluster.nodes[node].trigger.arm(None);
        happened.extend(fired);
        if fired == Some(Kind::Crash) {
            cluster.reopen(node)?;
        }
    }
    for asked in asked.iter_mut().filter(|a| a.key.is_some()) {
        let is_lost = |outcome: &Outcome| matches!(outcome, Outcome::Stopped);
        if asked.was_stopped() || asked.outcomes.iter().all(is_lost) || asked.copies == Copies::Again {
            // The other node, where there is one, must know of the key as well.
            let node = (asked.node + 1) % cluster.nodes.len();
            if let Some(receiver) = asked.send(cluster, node, false) {
                asked.hear(receiver);
            }
            cluster.worked(node);
        }
        // A request that a full disk stopped has left its key free.
        let is_kept =
            asked.outcomes.iter().any(|o| matches!(o, Outcome::Done { .. } | Outcome::Refused(_)) && !matches!(o, Outcome::Refused("storage_full")));
        if asked.copies == Copies::Reused && is_kept {
            let node = asked.node;
            if let Some(receiver) = asked.send(cluster, node, true) {
                asked.reused = Some(Outcome::of(receiver.blocking_recv().unwrap_or(Err(Stop::Stopped))));
            }
        }
    }
    Ok(happened)
}

/// The event that says that a command was carried out, where it has one of its own.
pub fn own_event(command: &Command) -> &'static str {
    match command {
        Command::Receive(_) => "stock.received",
        Command::Adjust(_) => "stock.adjusted",
        Command::Move(_) => "stock.moved",
        Command::Count(_) => "stock.counted",
        Command::SendTransfer(_) => "transfer.sent",
        Command::ReceiveTransfer(_) => "transfer.received",
        Command::CancelTransfer(_) => "transfer.canceled",
        Command::Reserve(_) => "reservation.held",
        Command::Release(_) => "reservation.released",
        Command::Extend(_) => "reservation.extended",
        Command::PlaceOrder(_) => "order.placed",
        Command::CancelOrder(_) => "order.canceled",
        Command::Ship(_) => "order.shipped",
        Command::ReturnOrder(_) => "order.returned",
        Command::UpdateItem(_) => "item.updated",
        Command::UpdateLocation(_) => "location.updated",
        _ => "",
    }
}
