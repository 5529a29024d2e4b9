//! What the auditor is asked after each round, and at the end: every reply against the books, in the order of the events.

use crate::auditor::{Must, News, Told, Wrong, int, list, read_hold, read_orders};
use crate::faults::Kind as FaultKind;
use crate::round::{Asked, Outcome, own_event};
use crate::run::{Run, broken};
use crate::workload::Ask;
use crate::world::DAY;
use engine::Command;
use engine::db::Conn;
use serde_json::Value;
use std::collections::HashSet;

impl Run<'_> {
    /// Everything that happened since it was last asked, by who caused it, in order.
    pub(crate) fn events(&mut self) -> Result<Vec<(String, Vec<Told>)>, Wrong> {
        let last = self.last_event;
        let events = self.cluster.engine(0).and_then(|engine| engine.read_blocking(|tx| engine::events::after(tx, last, 100_000))).map_err(broken)?;
        let mut groups: Vec<(String, Vec<Told>)> = Vec::new();
        for event in events {
            if event.id.0 != self.last_event + 1 {
                return Err(format!("event {} follows event {}", event.id.0, self.last_event));
            }
            self.last_event = event.id.0;
            let data = serde_json::from_str(event.data.get()).map_err(|e| e.to_string())?;
            let told = Told { kind: event.kind, subject: event.subject.0, at: event.time.0, data };
            match groups.last_mut() {
                Some((actor, group)) if *actor == event.actor => group.push(told),
                _ => groups.push((event.actor, vec![told])),
            }
        }
        Ok(groups)
    }

    /// Holds every reply of a round against the books: those that changed something in the order of their events, the
    /// others at some moment in between.
    pub(crate) fn audit(&mut self, asked: Vec<Asked>, happened: &[FaultKind]) -> Result<(), Wrong> {
        let groups = self.events()?;
        let mut unseen = HashSet::new();
        if self.cluster.nodes.len() > 1 {
            unseen.extend(groups.iter().flat_map(|(_, events)| events).filter(|e| e.kind.starts_with("order.")).map(|e| e.subject));
        }
        let has_events = |a: &Asked| groups.iter().any(|(actor, _)| *actor == a.actor);
        let mut open: Vec<(usize, Outcome)> = Vec::new();
        for (n, a) in asked.iter().enumerate() {
            let keeps = |outcome: &&Outcome| !(has_events(a) && matches!(outcome, Outcome::Done { .. }));
            open.extend(a.outcomes.iter().filter(keeps).map(|outcome| (n, outcome.clone())));
            if let Some(reused) = a.reused.as_ref().filter(|o| !matches!(o, Outcome::Refused("idempotency_key_reused"))) {
                return Err(format!("{}: its key came with another request, and the answer was {reused:?}", a.line()));
            }
        }
        // What a fault excuses needs no moment at which it was right.
        open.retain(|(n, outcome)| !self.is_settled(&asked[*n], outcome, happened));
        if let Some((n, Outcome::Broken(text))) = open.iter().find(|(_, outcome)| matches!(outcome, Outcome::Broken(_))) {
            return Err(format!("{} broke: {text}", asked[*n].line()));
        }
        let due: Vec<i64> =
            asked.iter().filter(|a| matches!(a.ask, Ask::Expire)).flat_map(|a| self.auditor.due(a.instants[0].min(self.cluster.clock()))).collect();
        self.close(&asked, &mut open);
        for (actor, events) in groups {
            let at = events[0].at;
            let mut news = News { unseen: unseen.clone(), today: at.div_euclid(DAY), ..News::default() };
            if actor == "system" {
                let job = asked.iter().find(|a| !matches!(a.ask, Ask::Command(_))).ok_or("something was done that nobody asked for")?;
                self.job_done(job, events, at, &mut news).map_err(|e| format!("{}: {e}", job.line()))?;
            } else {
                let a = asked.iter().find(|a| a.actor == actor).ok_or_else(|| format!("{actor} was carried out again, or late"))?;
                if !self.carried_out.insert(actor) {
                    return Err(format!("carried out twice: {}", a.line()));
                }
                self.check_instant(a, at)?;
                if a.outcomes.len() == 1 && !happened.contains(&FaultKind::Crash) {
                    self.cluster.booked(a.node, at);
                }
                self.command_done(a, events, at, &mut news, happened).map_err(|e| format!("{}: {e}", a.line()))?;
            }
            self.close(&asked, &mut open);
        }
        if let Some((n, outcome)) = open.first() {
            let Ask::Command(command) = &asked[*n].ask else { return Err(format!("{}: says it changed something", asked[*n].line())) };
            let must: Vec<_> = asked[*n].instants.iter().map(|at| self.auditor.must(command, *at)).collect();
            return Err(format!("{}: {outcome:?}, but it must come to {must:?}", asked[*n].line()));
        }
        self.afterwards(&asked, &due)
    }

    /// Whether an outcome needs no further proof.
    fn is_settled(&mut self, asked: &Asked, outcome: &Outcome, happened: &[FaultKind]) -> bool {
        let is_job = !matches!(asked.ask, Ask::Command(_));
        match outcome {
            Outcome::Stopped => happened.contains(&FaultKind::Crash),
            Outcome::Refused("storage_full") => happened.contains(&FaultKind::Full),
            // A job reads before it asks, and what it reads may be cut off.
            Outcome::Broken(_) => is_job && happened.iter().any(|f| matches!(f, FaultKind::RealCut | FaultKind::Restart)),
            Outcome::Done { view, .. } if is_job => view == &Value::from(0) || int(view, "placed") == 0 && int(view, "left_over") == 0,
            _ => false,
        }
    }

    /// Strikes out the outcomes that are right as things stand now.
    fn close(&mut self, asked: &[Asked], open: &mut Vec<(usize, Outcome)>) {
        open.retain(|(n, outcome)| {
            let Ask::Command(command) = &asked[*n].ask else { return true };
            let fits = asked[*n].instants.iter().any(|at| match outcome {
                Outcome::Refused(code) => self.auditor.must(command, *at) == Must::Refuse(code),
                Outcome::Done { view, .. } => self.auditor.unchanged(command, view, *at).is_ok(),
                _ => false,
            });
            match outcome {
                Outcome::Refused(code) if fits => *self.stats.refused.entry(code).or_default() += 1,
                Outcome::Done { .. } if fits => self.stats.replayed += 1,
                _ => {}
            }
            !fits
        });
    }

    /// Time in the books is the node's time.
    fn check_instant(&self, asked: &Asked, at: i64) -> Result<(), Wrong> {
        // Seen from outside, the last instant that a node worked at is a few readings of the clock later than it was.
        let fits = asked.instants.iter().any(|sent| (sent - 1_000..sent + 1_000_000).contains(&at));
        if fits { Ok(()) } else { Err(format!("{}: booked at {at}, asked at {:?}", asked.line(), asked.instants)) }
    }

    fn command_done(&mut self, asked: &Asked, events: Vec<Told>, at: i64, news: &mut News, happened: &[FaultKind]) -> Result<(), Wrong> {
        let Ask::Command(command) = &asked.ask else { return Ok(()) };
        let own: Vec<Told> = events.iter().filter(|e| e.kind == own_event(command)).cloned().collect();
        let own_count = if matches!(&**command, Command::Release(_)) { own.len().min(1) } else { own.len() };
        if own_count != 1 {
            return Err(format!("carried out {own_count} times"));
        }
        news.events = events.into_iter().filter(|e| e.kind == "order.filled").collect();
        let mut view: Option<Value> = None;
        let mut fresh = 0;
        for outcome in &asked.outcomes {
            match outcome {
                Outcome::Done { view: found, replayed } => {
                    fresh += usize::from(!replayed);
                    if view.as_ref().is_some_and(|known| known != found) {
                        return Err("two answers to one key differ".into());
                    }
                    view = Some(found.clone());
                }
                Outcome::Refused(code) if *code != "storage_full" || !happened.contains(&FaultKind::Full) => {
                    return Err(format!("refused with {code}, and carried out"));
                }
                _ => {}
            }
        }
        if fresh > 1 {
            return Err("two answers to one key both say that they are the first".into());
        }
        self.stats.replayed += asked.outcomes.len().saturating_sub(1) as u64;
        self.stats.done += 1;
        self.stats.filled += news.events.len() as u64;
        // Whoever got no answer can still see in the events what was done.
        let mut view = view.unwrap_or_else(|| own[0].data.clone());
        if matches!(&**command, Command::PlaceOrder(_)) && view["status"] == "queued" {
            let hold = int(&view, "reservation");
            view["hold"] = self.cluster.engine(0).and_then(|engine| engine.read_blocking(|tx| read_hold(tx, hold))).map_err(broken)?;
        }
        self.auditor.done(command, &view, at, news)
    }

    fn job_done(&mut self, job: &Asked, events: Vec<Told>, at: i64, news: &mut News) -> Result<(), Wrong> {
        let answered = job.outcomes.iter().find_map(|o| if let Outcome::Done { view, .. } = o { Some(view) } else { None });
        let count = |kind: &str| events.iter().filter(|e| e.kind == kind).count() as i64;
        let said = |field: &str| answered.map(|view| if field.is_empty() { view.as_i64().unwrap_or(-1) } else { int(view, field) });
        let agree = |what: &str, said: Option<i64>, found: i64| match said {
            Some(said) if said != found => Err(format!("says {said} {what}, the events say {found}")),
            _ => Ok(()),
        };
        self.stats.done += 1;
        match job.ask {
            Ask::Expire => {
                agree("holds ended", said(""), count("reservation.expired"))?;
                news.events = events.into();
                self.auditor.expired(at, news).map(drop)
            }
            Ask::Route => {
                agree("orders placed", said("placed"), count("order.routed"))?;
                agree("orders left over", said("left_over"), count("order.left_over"))?;
                for event in events.iter().filter(|e| e.kind == "order.routed") {
                    self.stats.routed += 1;
                    let code = list(&event.data, "locations").first().and_then(Value::as_str).unwrap_or_default().to_owned();
                    self.auditor.routed(event.subject, &code, at)?;
                }
                Ok(())
            }
            Ask::Fill => {
                agree("orders served", said(""), count("order.filled"))?;
                self.stats.filled += events.len() as u64;
                self.look_again(at)
            }
            _ => Ok(()),
        }
    }

    fn look_again(&mut self, at: i64) -> Result<(), Wrong> {
        let ids: Vec<i64> = self.auditor.orders.iter().filter(|(_, o)| o.backordered() > 0).map(|(id, _)| *id).collect();
        let views = self.cluster.engine(0).and_then(|engine| engine.read_blocking(|tx| read_orders(tx, &ids))).map_err(broken)?;
        self.auditor.looked_again(&views, at)
    }

    fn afterwards(&mut self, asked: &[Asked], due: &[i64]) -> Result<(), Wrong> {
        let is_done = |a: &Asked| a.outcomes.iter().any(|o| matches!(o, Outcome::Done { .. }));
        for a in asked.iter().filter(|a| is_done(a)) {
            match a.ask {
                Ask::Expire => {
                    if let Some(id) = due.iter().find(|id| self.auditor.holds.get(id).is_some_and(|h| h.status == "held")) {
                        return Err(format!("reservation {id} ran out, and the sweep left it"));
                    }
                }
                Ask::Fill => self.look_again(a.instants[0])?,
                _ => {}
            }
        }
        let ids = self.auditor.unlearned();
        if ids.is_empty() {
            return Ok(());
        }
        let views = self.cluster.engine(0).and_then(|engine| engine.read_blocking(|tx| read_orders(tx, &ids))).map_err(broken)?;
        views.iter().try_for_each(|(id, view)| self.auditor.check_order(*id, view))
    }

    pub(crate) fn compare(&mut self) -> Result<(), Wrong> {
        let mut conn = Conn::open_to_read(&self.cluster.database.url).map_err(|e| e.to_string())?;
        let reading = self.auditor.read(&mut conn).map_err(broken)?;
        self.auditor.compare(&reading)
    }

    pub(crate) fn end(&mut self) -> Result<(), Wrong> {
        self.events()?.first().map_or(Ok(()), |(actor, _)| Err(format!("{actor} did something after its end")))?;
        self.compare()?;
        let report = engine::verify(&self.cluster.database.url, |_| {}).map_err(broken)?;
        if report.discrepancies > 0 {
            return Err(format!("verify found {} discrepancies: {:#?}", report.discrepancies, report.told));
        }
        self.stats.seeds = 1;
        self.stats.orders = self.auditor.orders.len() as u64;
        self.stats.entries = report.entries;
        Ok(())
    }
}
