//! One run: a world, and a number of rounds from a seed; `judge.rs` has the auditor follow each.

use crate::auditor::{Auditor, News, Wrong, int};
use crate::cluster::Cluster;
use crate::faults::{Armed, Kind as FaultKind};
use crate::round::{Asked, Copies, Outcome, own_event, play};
use crate::target::Target;
use crate::workload::{Ask, Kind, Workload};
use crate::{Failure, Plan, Sabotage, Stats};
use engine::Stop;
use engine::db::Conn;
use fastrand::Rng;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// Between two comparisons of everything.
const ROUNDS_BETWEEN: usize = 25;
/// Lines of the story that a failure tells.
const TOLD: usize = 14;

pub(crate) struct Run<'p> {
    plan: &'p Plan,
    pub cluster: Cluster,
    pub auditor: Auditor,
    runtime: tokio::runtime::Runtime,
    pub last_event: i64,
    /// Commands that were carried out: none may be twice.
    pub carried_out: HashSet<String>,
    story: VecDeque<String>,
    /// Places of all commands that were sent.
    sent: BTreeSet<(usize, usize)>,
    pub stats: Stats,
    sabotaged: bool,
}

pub(crate) fn broken(stop: Stop) -> Wrong {
    stop.to_string()
}

/// Carries a plan out. Err when the auditor found something; the failure lists which commands were sent.
pub(crate) fn carry_out(plan: &Plan, target: &Target) -> Result<Stats, Box<Failure>> {
    let failure = |step: usize, what: Wrong, story: Vec<String>, sent| {
        Box::new(Failure { plan: plan.clone(), target: target.name(), step, what, story, sent, original: None })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| failure(0, e.to_string(), Vec::new(), BTreeSet::new()))?;
    let cluster = Cluster::open(target).map_err(|e| failure(0, broken(e), Vec::new(), BTreeSet::new()))?;
    let mut run = Run {
        plan,
        cluster,
        auditor: Auditor::default(),
        runtime,
        last_event: 0,
        carried_out: HashSet::new(),
        story: VecDeque::new(),
        sent: BTreeSet::new(),
        stats: Stats::default(),
        sabotaged: false,
    };
    let mut result = run.begin();
    let mut step = 0;
    while result.is_ok() && step < plan.steps {
        result = run.step(step);
        if result.is_ok() && step % ROUNDS_BETWEEN == ROUNDS_BETWEEN - 1 {
            result = run.compare();
        }
        step += 1;
    }
    let result = result.and_then(|()| run.end());
    run.cluster.shut_down();
    match result {
        Ok(()) => Ok(run.stats),
        Err(what) => Err(failure(step, what, run.story.into(), run.sent)),
    }
}

impl Run<'_> {
    fn begin(&mut self) -> Result<(), Wrong> {
        let mut rng = Rng::with_seed(self.plan.seed);
        for command in self.auditor.world.create() {
            self.cluster.engine(0).and_then(|engine| engine.submit_blocking(command, "setup")).map_err(broken)?;
        }
        for command in self.auditor.world.stock(&mut rng) {
            let reply = self.cluster.engine(0).and_then(|engine| engine.submit_blocking(command.clone(), "setup")).map_err(broken)?;
            let view = serde_json::to_value(&reply.answer).map_err(|e| e.to_string())?;
            self.auditor.done(&command, &view, self.cluster.clock(), &mut News::default())?;
        }
        self.cluster.worked(0);
        self.events().map(drop)
    }

    /// The randomness of one command, which no other command's depends on.
    fn rng(&self, step: usize, n: usize) -> Rng {
        Rng::with_seed(self.plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ((step as u64) << 16) ^ n as u64)
    }

    fn step(&mut self, step: usize) -> Result<(), Wrong> {
        let mut rng = self.rng(step, usize::from(u16::MAX));
        let width = if rng.u32(..10) < 6 { 1 } else { rng.usize(2..9) };
        let mut asked: Vec<Asked> = Vec::new();
        for n in 0..width {
            if self.plan.left_out.contains(&(step, n)) {
                continue;
            }
            let mut workload = Workload { books: &self.auditor, rng: self.rng(step, n), number: (step * 16 + n) as u64 };
            let kind = workload.kind();
            if self.plan.without.contains(&kind) {
                continue;
            }
            let ask = workload.ask(kind);
            let mut rng = workload.rng;
            let is_job = |ask: &Ask| !matches!(ask, Ask::Command(_));
            let in_the_way = ask.is_alone() || is_job(&ask) && asked.iter().any(|a| is_job(&a.ask));
            if !asked.is_empty() && in_the_way {
                continue;
            }
            let is_alone = ask.is_alone();
            asked.push(self.asked(step, n, ask, &mut rng));
            if is_alone {
                break;
            }
        }
        if let Some(Ask::Clock(micros)) = asked.first().map(|a| a.ask.clone()) {
            let turning_points: Vec<i64> = self.auditor.instants().collect();
            self.cluster.jump(micros, &turning_points);
            self.sent.insert(asked[0].place);
            self.tell(format!("{}: the clock moves by {} s", step, micros / 1_000_000));
            return Ok(());
        }
        if asked.is_empty() {
            return Ok(());
        }
        let faults: Vec<Option<Armed>> = self.cluster.nodes.iter().map(|_| self.fault(&mut rng)).collect();
        self.sent.extend(asked.iter().map(|a| a.place));
        let happened = play(&mut self.cluster, &mut asked, &faults, &self.runtime).map_err(broken)?;
        self.sabotage(step, &mut asked)?;
        for fault in &happened {
            self.tell(format!("{step}: {fault:?} happened, of {faults:?}"));
            self.stats.count_fault(*fault);
        }
        asked.iter().for_each(|a| self.tell(a.line()));
        self.stats.rounds += 1;
        self.audit(asked, &happened)
    }

    fn asked(&self, step: usize, n: usize, ask: Ask, rng: &mut Rng) -> Asked {
        // What a lost order answered cannot be had from its event, so those always carry a key.
        let needs_key = matches!(&ask, Ask::Command(c) if own_event(c).starts_with("order."));
        let has_key = matches!(ask, Ask::Command(_)) && (needs_key || rng.u32(..3) > 0);
        let copies = match rng.u32(..20) {
            _ if !has_key || !self.plan.faults => Copies::Once,
            0..=1 => Copies::Twice,
            2..=3 => Copies::Again,
            4 => Copies::Reused,
            _ => Copies::Once,
        };
        // Jobs are the system's own doing.
        let actor = if matches!(ask, Ask::Command(_)) { format!("{step}.{n}") } else { "system".into() };
        let node = rng.usize(..self.cluster.nodes.len());
        let key = has_key.then(|| format!("key {actor}"));
        Asked { place: (step, n), actor, ask, node, key, copies, outcomes: Vec::new(), reused: None, instants: Vec::new() }
    }

    fn fault(&self, rng: &mut Rng) -> Option<Armed> {
        let server = self.cluster.server();
        let kind = match rng.u32(..100) {
            0..=4 => FaultKind::Crash,
            5..=7 => FaultKind::Full,
            8..=10 => FaultKind::Slow,
            11..=12 if server.is_some() => FaultKind::Cut,
            13..=14 if server.is_some() => FaultKind::RealCut,
            15 if server.is_some_and(|s| s.may_restart) => FaultKind::Restart,
            _ => return None,
        };
        let armed = Armed::random(kind, rng);
        self.plan.faults.then_some(armed)
    }

    fn tell(&mut self, line: String) {
        self.story.push_back(line);
        if self.story.len() > TOLD && self.plan.is_short_story() {
            self.story.pop_front();
        }
    }

    /// For proving that the auditor notices.
    fn sabotage(&mut self, step: usize, asked: &mut [Asked]) -> Result<(), Wrong> {
        match self.plan.sabotage {
            Some(Sabotage::Sql { at, text }) if at <= step && !self.sabotaged => {
                self.sabotaged = true;
                let mut conn = Conn::open(&self.cluster.database.url).map_err(|e| e.to_string())?;
                conn.batch(text).map_err(|e| e.to_string())
            }
            Some(Sabotage::Reply { kind }) => {
                let fits = |a: &Asked| matches!(&a.ask, Ask::Command(c) if own_event(c) == kind);
                for asked in asked.iter_mut().filter(|a| fits(a)) {
                    for outcome in &mut asked.outcomes {
                        if let Outcome::Done { view, .. } = outcome {
                            view["status"] = Value::from("lost");
                            if let Some(level) = view["levels"].get_mut(0) {
                                level["available"] = Value::from(int(level, "available") + 1);
                            }
                        }
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// All kinds, for leaving one out.
pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    crate::workload::KINDS.iter().map(|(kind, _)| *kind)
}
