//! What changed lately, for those who watch: the last changes in memory, and a signal when there are more.
//!
//! Everybody reads at their own pace; who is too slow, or asks for what is gone, is told to look at everything again.
//! The writer thread only adds to the ring and wakes one task; that task wakes the readers. What became of each incident
//! between two places is worked out once for all readers that ask about the same two places.

mod ring;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustc_hash::{FxHashMap, FxHashSet};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use self::ring::{Bounds, Entry, Ring};
use crate::{
    domain::{
        change::{Committed, IncidentChange},
        ids::{IncidentId, Seq},
        incident::Incident,
        limits::LIVE_EVERY,
        message::{About, Message},
        time::Timestamp,
    },
    store::{Follower, Store},
};

pub use self::ring::{Changes, Update};

/// Updates that are kept for readers that ask about the same places.
const UPDATES_KEPT: usize = 8;

/// A handle.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    ring: Mutex<Ring>,
    /// There is something that readers do not know of yet.
    news: Notify,
    /// The number of the entry up to which readers were woken.
    published: watch::Sender<u64>,
    /// Whether the task that wakes readers runs.
    is_waking: Mutex<bool>,
    updates: Mutex<VecDeque<Arc<Update>>>,
}

/// What a reader missed.
#[derive(Clone, Debug)]
pub enum News {
    Nothing,
    Update(Arc<Update>),
    /// More than is kept or can be pushed: everything has to be looked at again, and then from here on.
    TooMuch,
    /// There will be no more.
    Closed,
}

/// Somebody's place in the changes.
pub struct Reader {
    live: Live,
    /// The number of the next entry.
    next: u64,
    published: watch::Receiver<u64>,
}

impl Live {
    pub(super) fn new(store: &Store) -> Self {
        let ring = Ring::new(store.counters().last_seq, Bounds::default());
        let inner = Inner {
            published: watch::Sender::new(ring.end()),
            ring: Mutex::new(ring),
            news: Notify::new(),
            is_waking: Mutex::new(false),
            updates: Mutex::default(),
        };
        let live = Self { inner: Arc::new(inner) };
        store.follow(Arc::new(live.clone()));
        live
    }

    /// The last change that readers can hear of.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.ring().last
    }

    /// How these incidents were when change `seq` was the last one, as far as that is known; `None` within: there was no
    /// such incident.
    #[must_use]
    pub fn before(&self, seq: u64, ids: &FxHashSet<u64>) -> FxHashMap<u64, Option<Arc<Incident>>> {
        self.ring().before(seq, ids)
    }

    /// A reader who knows everything up to change `known`, or needs nothing of the past; and whether all that it does
    /// not know is still there. To be called within a runtime.
    #[must_use]
    pub fn join(&self, known: Option<u64>) -> (Reader, bool) {
        let published = self.inner.published.subscribe();
        self.wake_readers();
        let (next, end) = {
            let ring = self.ring();
            (known.map_or(Some(ring.end()), |seq| ring.after(seq)), ring.end())
        };
        // What was missed can be read at once. The others hear of it with the next news.
        self.inner.published.send_if_modified(|published| {
            *published = end.max(*published);
            false
        });
        (Reader { live: self.clone(), next: next.unwrap_or(end), published }, next.is_some())
    }

    /// Ends all readers.
    pub fn close(&self) {
        self.ring().closed = true;
        self.inner.published.send_modify(|_| {});
    }

    /// What became of each incident in the entries from `from` up to `to`; `None`: they are not all there any more.
    fn update(&self, from: u64, to: u64) -> Option<Arc<Update>> {
        let mut updates = lock(&self.inner.updates);
        if let Some(known) = updates.iter().find(|update| update.from == from && update.to == to) {
            return Some(Arc::clone(known));
        }
        let entries = self.ring().range(from, to)?;
        let update = Arc::new(Update::new(from, to, &entries)?);
        updates.push_back(Arc::clone(&update));
        while updates.len() > UPDATES_KEPT {
            updates.pop_front();
        }
        Some(update)
    }

    /// Starts the task that wakes readers, unless it runs. It ends when there are none.
    fn wake_readers(&self) {
        let mut is_waking = lock(&self.inner.is_waking);
        if *is_waking {
            return;
        }
        *is_waking = true;
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = inner.news.notified() => {}
                    () = inner.published.closed() => {
                        let mut is_waking = lock(&inner.is_waking);
                        if inner.published.receiver_count() == 0 {
                            *is_waking = false;
                            return;
                        }
                        continue;
                    }
                }
                let end = lock(&inner.ring).end();
                inner.published.send_replace(end);
                sleep(LIVE_EVERY).await;
            }
        });
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        lock(&self.inner.ring)
    }
}

impl Reader {
    /// Waits until there may be news: changes, other rights of somebody, or the end.
    pub async fn changed(&mut self) {
        // The sender lives as long as this does.
        let _ = self.published.changed().await;
    }

    /// What was published since the last call.
    pub fn news(&mut self) -> News {
        let to = *self.published.borrow_and_update();
        {
            let ring = self.live.ring();
            if ring.closed {
                return News::Closed;
            }
            if self.next >= to {
                return News::Nothing;
            }
        }
        if let Some(update) = self.live.update(self.next, to) {
            self.next = to;
            if update.changes.is_some() { News::Update(update) } else { News::TooMuch }
        } else {
            self.next = self.live.ring().end();
            News::TooMuch
        }
    }

    /// The part of `update` that lies after change `seq`; `None`: it is gone or cannot be pushed.
    #[must_use]
    pub fn part_after(&self, update: &Update, seq: u64) -> Option<Arc<Changes>> {
        let mut entries: Vec<Arc<Entry>> = self.live.ring().range(update.from, update.to)?;
        entries.retain(|entry| entry.seq > seq);
        match Update::new(update.from, update.to, &entries) {
            Some(update) => update.changes,
            None => Some(Arc::default()),
        }
    }
}

impl Follower for Live {
    fn committed(&self, batch: &[Committed], last: Seq, _: Timestamp) {
        let incidents: Vec<IncidentChange> = batch.iter().flat_map(|it| it.incidents.iter().cloned()).collect();
        if incidents.is_empty() {
            self.ring().last = last.0;
            if !batch.iter().any(|committed| committed.directory_changed) {
                return;
            }
        } else {
            self.ring().push(last.0, &incidents, Vec::new());
        }
        self.inner.news.notify_one();
    }

    fn messages(&self, messages: &[Arc<Message>]) {
        let about = messages.iter().filter_map(|message| match message.about {
            About::Event { incident, .. } => Some(incident),
            About::Summary(_) => None,
        });
        let mut touched: Vec<IncidentId> = about.collect();
        touched.sort_unstable();
        touched.dedup();
        if !touched.is_empty() {
            let mut ring = self.ring();
            let seq = ring.last;
            ring.push(seq, &[], touched);
            drop(ring);
            self.inner.news.notify_one();
        }
    }

    fn reset(&self) {
        self.ring().forget();
        self.inner.news.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
