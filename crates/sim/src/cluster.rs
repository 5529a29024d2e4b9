//! The engines of a run: one node or two on one database, each with its own faults, all with one clock that can jump.

use crate::faults::{Kind, Trigger};
use crate::target::{Database, Server, Target};
use crate::world::{BEGIN, DAY};
use engine::{Clock, Engine, MAX_AHEAD, Stop};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Closer than this to a turning point, what must happen would depend on how fast this machine is.
const MARGIN: i64 = 50_000;

/// An engine, and what is known of it from outside.
pub struct Node {
    engine: Option<Engine>,
    pub trigger: Trigger,
    /// The latest instants it may have booked something at; its time does not go back behind the one it did.
    latest: Vec<i64>,
}

pub struct Cluster {
    pub database: Database,
    pub nodes: Vec<Node>,
    target: Target,
    clock: Arc<AtomicI64>,
}

impl Cluster {
    pub fn open(target: &Target) -> Result<Cluster, Stop> {
        let database = target.database()?;
        let nodes = (0..target.nodes()).map(|_| Node { engine: None, trigger: Trigger::default(), latest: vec![0] }).collect();
        let mut cluster = Cluster { database, nodes, target: target.clone(), clock: Arc::new(AtomicI64::new(BEGIN)) };
        for node in 0..cluster.nodes.len() {
            cluster.reopen(node)?;
        }
        Ok(cluster)
    }

    pub fn engine(&self, node: usize) -> Result<&Engine, Stop> {
        self.nodes[node].engine.as_ref().ok_or(Stop::Stopped)
    }

    /// Opens a node as a new process would, whatever became of the last.
    pub fn reopen(&mut self, node: usize) -> Result<(), Stop> {
        if let Some(engine) = self.nodes[node].engine.take() {
            engine.shut_down();
        }
        let clock = self.clock.clone();
        // Every reading is a microsecond later than the one before, so that no two batches happen at the same instant.
        let clock = Clock::new(move || clock.fetch_add(1, Ordering::Relaxed));
        let server = self.target.server().cloned();
        let url = match &self.database.url {
            engine::db::Url::Postgres(url) => url.clone(),
            _ => String::new(),
        };
        let faults = self.nodes[node].trigger.faults(move |kind| {
            let Some(server) = &server else { return };
            // What comes of it shows in what the engine does.
            let _ = if kind == Kind::Restart { server.postgres.restart() } else { server.postgres.cut_connections_to(&url) };
        });
        let engine = self.database.open(|options| {
            options.clock = clock;
            options.faults = faults;
        })?;
        let last = engine.read_blocking(|tx| {
            let last = engine::events::last(tx)?;
            Ok(engine::events::after(tx, last - 1, 1)?.pop().map_or(0, |event| event.time.0))
        })?;
        self.nodes[node].engine = Some(engine);
        self.nodes[node].latest = vec![if last > self.clock() + MAX_AHEAD { 0 } else { last }];
        Ok(())
    }

    /// The instants that a node may work at now.
    pub fn now(&self, node: usize) -> Vec<i64> {
        let mut now: Vec<i64> = self.nodes[node].latest.iter().map(|latest| self.clock().max(*latest)).collect();
        now.dedup();
        now
    }

    /// What the clock shows, whether a node follows it or not.
    pub fn clock(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// A node may have booked something now.
    pub fn worked(&mut self, node: usize) {
        let now = self.now(node);
        let latest = &mut self.nodes[node].latest;
        latest.extend(now);
        latest.sort_unstable();
        latest.dedup();
    }

    /// A node has booked something at this instant.
    pub fn booked(&mut self, node: usize, at: i64) {
        self.nodes[node].latest = vec![at];
    }

    /// Moves the clock, but to no instant at which it would not be clear what must happen.
    pub fn jump(&mut self, micros: i64, turning_points: &[i64]) {
        self.clock.fetch_add(micros, Ordering::Relaxed);
        for _ in 0..100 {
            let is_near = |now: i64| turning_points.iter().any(|at| (at - now).abs() < MARGIN) || (now + MARGIN).rem_euclid(DAY) < 2 * MARGIN;
            if !is_near(self.clock()) && (0..self.nodes.len()).all(|node| !self.now(node).into_iter().any(is_near)) {
                break;
            }
            self.clock.fetch_add(1_000_000, Ordering::Relaxed);
        }
    }

    pub fn server(&self) -> Option<&Server> {
        self.target.server().map(|server| &**server)
    }

    pub fn shut_down(&mut self) {
        for node in &mut self.nodes {
            if let Some(engine) = node.engine.take() {
                engine.shut_down();
            }
        }
    }
}
