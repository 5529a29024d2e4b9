//! Following events: one reader for all open streams of this node. It reads only while somebody listens.
//!
//! Two kinds of listeners: programs get every event ([`Listener::after`]); pages ask which of their topics were touched
//! ([`Listener::touched`]), a few times a second at most, so that a thousand of them cost little.

use engine::events::{self, EventView};
use engine::{Engine, Stop};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Events kept for streams that are nearly up to date; older ones are read from the database.
const RING: usize = 4_096;
/// Events read at once.
const PAGE: i64 = 500;
/// How often to look for what other nodes did.
const POLL: Duration = Duration::from_millis(150);
/// Pages hear of changes this often at most.
const PULSE: Duration = Duration::from_millis(50);
/// Topics remembered; beyond, all count as touched.
const MAX_TOPICS: usize = 50_000;

/// An event as it goes over the wire.
#[derive(Clone)]
pub struct Told {
    pub seq: i64,
    pub kind: Arc<str>,
    pub json: Arc<str>,
    pub view: Arc<EventView>,
}

impl Told {
    fn new(event: &EventView) -> Told {
        Told {
            seq: event.id.0,
            kind: event.kind.as_str().into(),
            json: serde_json::to_string(event).unwrap_or_default().into(),
            view: Arc::new(event.clone()),
        }
    }
}

pub struct Follow {
    engine: Engine,
    ring: Mutex<VecDeque<Told>>,
    newest: watch::Sender<i64>,
    /// As `newest`, for pages.
    pulse: watch::Sender<i64>,
    topics: Mutex<Topics>,
    listening: Mutex<Listening>,
}

/// Who listens, and whether the one reader is at work for them.
#[derive(Default)]
struct Listening {
    listeners: usize,
    reads: bool,
}

/// The number of the last event that touched each topic.
#[derive(Default)]
struct Topics {
    last: HashMap<String, i64>,
    /// Whatever is not in here was touched then at the latest.
    floor: i64,
}

impl Follow {
    pub fn new(engine: Engine) -> Follow {
        Follow {
            engine,
            ring: Mutex::default(),
            newest: watch::Sender::new(0),
            pulse: watch::Sender::new(0),
            topics: Mutex::default(),
            listening: Mutex::default(),
        }
    }

    /// Begins to listen; the reader runs until the last listener is dropped.
    pub fn listen(self: &Arc<Self>) -> Listener {
        let mut listening = self.listening();
        listening.listeners += 1;
        if !listening.reads {
            listening.reads = true;
            tokio::spawn(read_on(self.clone()));
        }
        drop(listening);
        Listener { follow: self.clone(), newest: self.newest.subscribe(), pulse: self.pulse.subscribe() }
    }

    /// How many listen now.
    pub fn listeners(&self) -> usize {
        self.listening().listeners
    }

    fn listening(&self) -> MutexGuard<'_, Listening> {
        self.listening.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Whether the reader is to go on. Decided together with who listens, so that there is never a second one.
    fn goes_on(&self) -> bool {
        let mut listening = self.listening();
        listening.reads = listening.listeners > 0;
        listening.reads
    }

    fn touch(&self, page: &[EventView]) {
        let mut topics = self.topics.lock().unwrap_or_else(|e| e.into_inner());
        for event in page {
            for topic in events::topics(event) {
                topics.last.insert(topic, event.id.0);
            }
            if topics.last.len() > MAX_TOPICS {
                *topics = Topics { floor: event.id.0, ..Topics::default() };
            }
        }
    }

    fn ring_after(&self, after: i64) -> Option<Vec<Told>> {
        let ring = self.ring.lock().unwrap_or_else(|e| e.into_inner());
        let first = ring.front()?.seq;
        (first <= after + 1).then(|| ring.iter().filter(|t| t.seq > after).take(PAGE as usize).cloned().collect())
    }
}

async fn read_on(follow: Arc<Follow>) {
    let mut committed = follow.engine.watch_events();
    let mut last = follow.engine.read(events::last).await.unwrap_or_default();
    follow.ring.lock().unwrap_or_else(|e| e.into_inner()).clear();
    follow.newest.send_replace(last);
    follow.pulse.send_replace(last);
    *follow.topics.lock().unwrap_or_else(|e| e.into_inner()) = Topics { floor: last, ..Topics::default() };
    let mut pulsed = Instant::now();
    while follow.goes_on() {
        let untold = *follow.pulse.borrow() < last;
        let patience = if untold { PULSE.saturating_sub(pulsed.elapsed()) } else { POLL };
        let _ = tokio::time::timeout(patience, committed.changed()).await;
        if untold && pulsed.elapsed() >= PULSE {
            follow.pulse.send_replace(last);
            pulsed = Instant::now();
        }
        let after = last;
        let page = follow.engine.read(move |tx| events::after(tx, after, PAGE)).await;
        match page {
            Ok(page) if !page.is_empty() => {
                let mut ring = follow.ring.lock().unwrap_or_else(|e| e.into_inner());
                for event in &page {
                    last = event.id.0;
                    ring.push_back(Told::new(event));
                }
                let extra = ring.len().saturating_sub(RING);
                ring.drain(..extra);
                drop(ring);
                follow.touch(&page);
                follow.newest.send_replace(last);
                if page.len() == PAGE as usize {
                    committed.mark_changed();
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("cannot read events: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// One who listens.
pub struct Listener {
    follow: Arc<Follow>,
    newest: watch::Receiver<i64>,
    pulse: watch::Receiver<i64>,
}

impl Listener {
    /// Waits until an event after a number touches one of these topics; the number of the last event then, or None after a while
    /// in which none did.
    pub async fn touched(&mut self, topics: &[String], after: i64, patience: Duration) -> Option<i64> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let told = *self.pulse.borrow_and_update();
            {
                let known = self.follow.topics.lock().unwrap_or_else(|e| e.into_inner());
                if known.floor > after || topics.iter().any(|t| known.last.get(t).is_some_and(|seq| *seq > after)) {
                    return Some(told.max(after + 1));
                }
            }
            if tokio::time::timeout_at(deadline, self.pulse.changed()).await.is_err() {
                return None;
            }
        }
    }

    /// The events after a number, as soon as there are any; an empty answer after a while of silence.
    pub async fn after(&mut self, after: i64, patience: Duration) -> Result<Vec<Told>, Stop> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let told = match self.follow.ring_after(after) {
                Some(told) => told,
                None => self.follow.engine.read(move |tx| events::after(tx, after, PAGE)).await?.iter().map(Told::new).collect(),
            };
            if !told.is_empty() {
                return Ok(told);
            }
            if tokio::time::timeout_at(deadline, self.newest.changed()).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.follow.listening().listeners -= 1;
    }
}
