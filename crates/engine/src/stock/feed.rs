//! What the writer tells the stock table: the levels that a commit changed. Nobody listening costs the writer one load of a flag for
//! each commit; somebody listening, a copy of a few figures for each changed level.

use domain::stock::{Account, Level};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Changes that may wait. Beyond, they are dropped and the table reads everything again.
const MOST_WAITING: usize = 1_000_000;

/// The figures of a level that lists are sorted and filtered by. Units beyond four billion count as that many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub on_hand: u32,
    pub available: u32,
    /// Reserved or committed.
    pub held: u32,
    pub damaged: u32,
    pub incoming: u32,
    /// When the last entry was made, in seconds since 1970 UTC.
    pub moved: u32,
}

/// Units, or as many of them as fit.
pub fn fit(units: i64) -> u32 {
    u32::try_from(units.max(0)).unwrap_or(u32::MAX)
}

impl Figures {
    pub fn of(level: &Level) -> Figures {
        Figures {
            on_hand: fit(level.on_hand()),
            available: fit(level.get(Account::Available)),
            held: fit(level.get(Account::Reserved) + level.get(Account::Committed)),
            damaged: fit(level.get(Account::Damaged)),
            incoming: fit(level.get(Account::Incoming)),
            moved: fit(level.moved_at / 1_000_000),
        }
    }
}

/// A level as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub item: i64,
    pub location: i64,
    pub figures: Figures,
}

impl Change {
    pub fn of(item: i64, location: i64, level: &Level) -> Change {
        Change { item, location, figures: Figures::of(level) }
    }
}

/// What a commit wrote, as far as the table cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// None if nobody listened when it was written.
    pub levels: Option<Vec<Change>>,
    /// Items, kits or locations changed.
    pub config: bool,
    /// The number of the last event before this commit's.
    pub after_event: i64,
}

/// Between the writer and the table.
#[derive(Debug, Default)]
pub struct Feed {
    listening: AtomicBool,
    waiting: Mutex<Vec<Change>>,
    /// Something changed that is not among the changes that wait.
    missed: AtomicBool,
    /// Another node wrote.
    others: AtomicBool,
    last_event: AtomicI64,
}

impl Feed {
    /// Of a writer whose last event is number `last_event`.
    pub fn after(last_event: i64) -> Feed {
        Feed { last_event: AtomicI64::new(last_event), ..Feed::default() }
    }

    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    pub fn listen(&self, listening: bool) {
        self.listening.store(listening, Ordering::Release);
        if !listening {
            drop(self.take());
        }
    }

    /// The writer tells of a commit whose last event is number `last_event`.
    pub fn tell(&self, news: News, last_event: i64) {
        if self.last_event.swap(last_event, Ordering::AcqRel) != news.after_event {
            self.others.store(true, Ordering::Release);
        }
        if !self.is_listening() {
            return;
        }
        let Some(levels) = news.levels else { return self.miss() };
        if news.config {
            self.miss();
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(|e| e.into_inner());
        if waiting.len() + levels.len() > MOST_WAITING {
            waiting.clear();
            return self.miss();
        }
        waiting.extend(levels);
    }

    /// Something may have been written that cannot be told.
    pub fn miss(&self) {
        self.missed.store(true, Ordering::Release);
    }

    /// Whether something was missed since it was last asked.
    pub fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::AcqRel)
    }

    pub fn has_missed(&self) -> bool {
        self.missed.load(Ordering::Acquire)
    }

    /// Whether another node wrote since it was last asked, as far as this one's commits show.
    pub fn take_others(&self) -> bool {
        self.others.swap(false, Ordering::AcqRel)
    }

    pub fn has_others(&self) -> bool {
        self.others.load(Ordering::Acquire)
    }

    /// The last event of this node.
    pub fn last_event(&self) -> i64 {
        self.last_event.load(Ordering::Acquire)
    }

    pub fn has_news(&self) -> bool {
        !self.waiting.lock().unwrap_or_else(|e| e.into_inner()).is_empty()
    }

    /// The changes that wait, in the order in which they were made.
    pub fn take(&self) -> Vec<Change> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(|e| e.into_inner()))
    }
}
