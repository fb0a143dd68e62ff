//! What changed lately, for those who watch: the last changes in memory, and a signal when there are more.
//!
//! Everybody reads at their own pace; who is too slow, or asks for what is gone, is told so and looks at everything anew.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    domain::{
        change::{Committed, IncidentChange},
        ids::{IncidentId, Seq},
        limits::LIVE_KEPT,
        message::{About, Message},
        time::Timestamp,
    },
    store::{Follower, Store},
};

/// A handle.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    ring: Mutex<Ring>,
    /// How many entries there ever were.
    signal: watch::Sender<u64>,
}

struct Ring {
    entries: VecDeque<Arc<Entry>>,
    /// The number of the first entry that is kept.
    first: u64,
    /// All changes up to this one are in no entry.
    floor: u64,
    last: u64,
    closed: bool,
}

/// What one batch changed.
#[derive(Debug, Default)]
pub struct Entry {
    /// The last change in it.
    pub seq: u64,
    pub incidents: Vec<IncidentChange>,
    /// Something about these changed that is not in their records: messages about them.
    pub touched: Vec<IncidentId>,
}

/// What somebody missed.
#[derive(Clone, Debug)]
pub enum News {
    Entries {
        entries: Vec<Arc<Entry>>,
        next: u64,
    },
    /// More than is kept: everything has to be looked at anew, and then from here on.
    TooMuch {
        next: u64,
    },
    /// There will be no more.
    Closed,
}

impl Live {
    pub(super) fn new(store: &Store) -> Self {
        let last = store.counters().last_seq;
        let ring = Ring { entries: VecDeque::new(), first: 0, floor: last, last, closed: false };
        let live = Self { inner: Arc::new(Inner { ring: Mutex::new(ring), signal: watch::Sender::new(0) }) };
        store.follow(Arc::new(live.clone()));
        live
    }

    /// The last change that was told.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.ring().last
    }

    /// Where to begin for somebody who knows everything up to `seq`; `None`: what came after that is gone in part.
    #[must_use]
    pub fn after(&self, seq: u64) -> Option<u64> {
        let ring = self.ring();
        if seq < ring.floor {
            return None;
        }
        // Messages have no numbers of their own: those after the last change that is known may be news.
        let is_known = |entry: &&Arc<Entry>| entry.seq < seq || entry.seq == seq && entry.touched.is_empty();
        let known = ring.entries.iter().take_while(is_known).count();
        Some(ring.first + known as u64)
    }

    /// Where to begin for somebody who needs nothing of the past.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.ring().end()
    }

    #[must_use]
    pub fn news(&self, from: u64) -> News {
        let ring = self.ring();
        if ring.closed {
            return News::Closed;
        }
        let next = ring.end();
        match from.checked_sub(ring.first).and_then(|skip| usize::try_from(skip).ok()) {
            Some(skip) => News::Entries { entries: ring.entries.iter().skip(skip).cloned().collect(), next },
            None => News::TooMuch { next },
        }
    }

    /// Changes whenever there is news, and when users or their rights changed.
    #[must_use]
    pub fn signal(&self) -> watch::Receiver<u64> {
        self.inner.signal.subscribe()
    }

    /// Sends everybody home.
    pub fn close(&self) {
        self.ring().closed = true;
        self.inner.signal.send_modify(|count| *count += 1);
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.inner.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, entry: Entry) {
        {
            let mut ring = self.ring();
            ring.entries.push_back(Arc::new(entry));
            while ring.entries.len() > LIVE_KEPT {
                ring.first += 1;
                if let Some(gone) = ring.entries.pop_front() {
                    ring.floor = ring.floor.max(gone.seq);
                }
            }
        }
        self.inner.signal.send_modify(|count| *count += 1);
    }
}

impl Ring {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }
}

impl Follower for Live {
    fn committed(&self, batch: &[Committed], last: Seq, _: Timestamp) {
        self.ring().last = last.0;
        let incidents: Vec<IncidentChange> = batch.iter().flat_map(|it| it.incidents.iter().cloned()).collect();
        if !incidents.is_empty() {
            self.push(Entry { seq: last.0, incidents, touched: Vec::new() });
        } else if batch.iter().any(|committed| committed.directory_changed) {
            self.inner.signal.send_modify(|count| *count += 1);
        }
    }

    fn messages(&self, messages: &[Arc<Message>]) {
        let about = messages.iter().filter_map(|message| match message.about {
            About::Event { incident, .. } => Some(incident),
            About::Summary(_) => None,
        });
        let touched: Vec<IncidentId> = about.collect();
        if !touched.is_empty() {
            let seq = self.ring().last;
            self.push(Entry { seq, incidents: Vec::new(), touched });
        }
    }

    fn reset(&self) {
        {
            let mut ring = self.ring();
            ring.first = ring.end() + 1;
            ring.entries.clear();
            ring.floor = ring.last;
        }
        self.inner.signal.send_modify(|count| *count += 1);
    }
}
