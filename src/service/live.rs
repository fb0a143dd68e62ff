//! Recent changes for open pages, kept in memory, with a signal when there are new ones.
//!
//! Each reader reads at its own pace. A reader that is too slow, or asks for changes that were dropped, has to reload
//! everything. The writer thread only adds to the ring and wakes one task, which wakes the readers. The changes of each
//! incident between two positions are combined once for all readers that ask for the same two positions.
//!
//! Changes that only the clock causes, such as an end in the future or an acknowledgement that expires, are entries
//! like any others. The task that wakes readers waits for the next such moment by the time of day, and adds those
//! incidents.

mod moments;
mod ring;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustc_hash::{FxHashMap, FxHashSet};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use self::ring::{Ring, RingBounds, RingEntry};
use super::{Service, ServiceError};
use crate::domain::{
    Committed, Incident, IncidentChange, IncidentId, Message, MessageSubject, Seq, Timestamp,
    limits::{CLOCK_STEP_MICROS, LIVE_CLOCK_EVERY, LIVE_EVERY, LIVE_MOMENTS, LIVE_ROWS},
};
use crate::store::{Follower, Store};

pub use self::ring::{Changes, Update};

/// Number of times that incidents changed by the clock are read again because of a commit in between.
const LAPSE_TRIES: usize = 20;
const LAPSE_RETRY: Duration = Duration::from_millis(5);

/// Number of recent updates that are kept for readers that ask for the same positions.
const UPDATES_KEPT: usize = 8;

/// The recent changes. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    inner: Arc<LiveState>,
}

struct LiveState {
    ring: Mutex<Ring>,
    /// Signals that there is something that readers have not been woken for.
    news: Notify,
    /// Number of the entry up to which readers were woken.
    published: watch::Sender<u64>,
    /// Whether the task that wakes readers is running.
    is_waking: Mutex<bool>,
    updates: Mutex<VecDeque<Arc<Update>>>,
}

/// Result of a reader's request for new changes.
#[derive(Clone, Debug)]
pub enum News {
    Nothing,
    Update(Arc<Update>),
    /// More than is kept or can be sent. The reader has to reload everything, and continues from there.
    TooMuch,
    /// The server is shutting down; nothing follows.
    Closed,
}

/// The position of one page in the changes.
pub struct Reader {
    live: Live,
    /// The number of the next entry.
    next: u64,
    published: watch::Receiver<u64>,
}

impl Live {
    pub(super) fn new(store: &Store) -> Self {
        let mut ring = Ring::new(store.counters().last_seq, RingBounds::default());
        ring.clock = store.clock().now();
        let inner = LiveState {
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

    /// Returns the number of the last change that was added.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.ring().last
    }

    /// Returns these incidents as they were after change `seq`, as far as that is known. `None` in the map: the
    /// incident did not exist.
    #[must_use]
    pub fn before(&self, seq: u64, ids: &FxHashSet<u64>) -> FxHashMap<u64, Option<Arc<Incident>>> {
        self.ring().before(seq, ids)
    }

    /// Creates a reader that has seen everything up to change `known`, or needs no past changes if that is `None`. Also
    /// returns whether all changes after `known` are still in memory. Must be called within a runtime.
    #[must_use]
    pub fn join(&self, known: Option<u64>, service: &Service) -> (Reader, bool) {
        let published = self.inner.published.subscribe();
        self.wake_readers(service);
        let (next, end) = {
            let mut ring = self.ring();
            if ring.moments.are_missing_at(Timestamp::MIN) {
                // This is the first reader since the start or a reset; nobody needed the moments before.
                let search = service.search();
                ring.clock = ring.clock.max(service.now());
                ring.clock_floor = search.last_lapse(ring.clock);
                let found = search.lapses(ring.clock, LIVE_MOMENTS);
                ring.moments.refill(&found);
            }
            (known.map_or(Some(ring.end()), |seq| ring.after(seq)), ring.end())
        };
        // This reader reads at once what it missed. Other readers see it with the next signal.
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

    /// Combines the changes of each incident in the entries from `from` up to, but without, `to`. `None`: some were
    /// dropped.
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

    /// Adds incidents that changed by the clock until now. Also notices that the clock was set, in either direction.
    async fn lapse(&self, service: &Service) -> Result<(), ServiceError> {
        for _ in 0..LAPSE_TRIES {
            let now = service.now();
            let due = {
                let mut ring = self.ring();
                if now.micros() < ring.clock.micros().saturating_sub(CLOCK_STEP_MICROS) {
                    ring.moments.forget();
                    ring.set_clock(now);
                }
                if ring.moments.are_missing_at(now) {
                    // This blocks briefly and rarely: it is one pass over columns in memory.
                    let found = service.search().lapses(ring.clock, LIVE_MOMENTS);
                    ring.moments.refill(&found);
                }
                ring.advance(now);
                let due = ring.moments.due(now, LIVE_ROWS);
                if due.len() > LIVE_ROWS {
                    ring.set_clock(now);
                    return Ok(());
                }
                due
            };
            if due.is_empty() {
                return Ok(());
            }
            let (seq, incidents) = service.blocking(read(service, due.clone())).await?;
            {
                let mut ring = self.ring();
                // The records must be exactly those after the last entry, and include all incidents that are due.
                if ring.last == seq.0 && ring.moments.due(now, LIVE_ROWS) == due {
                    ring.push_lapsed(incidents, now);
                    return Ok(());
                }
            }
            sleep(LAPSE_RETRY).await;
        }
        self.ring().set_clock(service.now());
        Ok(())
    }

    /// Returns how long to wait for the next change by the clock, at most [`LIVE_CLOCK_EVERY`] because the clock may be
    /// set.
    fn until_lapse(&self, now: Timestamp) -> Duration {
        let next = self.ring().moments.next();
        let left = next.map(|next| next.micros().saturating_sub(now.micros()).max(0).unsigned_abs());
        left.map_or(LIVE_CLOCK_EVERY, Duration::from_micros).min(LIVE_CLOCK_EVERY)
    }

    /// Starts the task that wakes readers, unless it is running. It ends when there are no readers.
    fn wake_readers(&self, service: &Service) {
        let mut is_waking = lock(&self.inner.is_waking);
        if *is_waking {
            return;
        }
        *is_waking = true;
        let (live, service, inner) = (self.clone(), service.clone(), Arc::clone(&self.inner));
        tokio::spawn(async move {
            loop {
                let mut is_news = true;
                tokio::select! {
                    () = inner.news.notified() => {}
                    () = sleep(live.until_lapse(service.now())) => is_news = false,
                    () = inner.published.closed() => {
                        let mut is_waking = lock(&inner.is_waking);
                        if inner.published.receiver_count() == 0 {
                            *is_waking = false;
                            return;
                        }
                        continue;
                    }
                }
                if let Err(error) = live.lapse(&service).await {
                    tracing::error!(%error, "what changed by the clock alone cannot be read; pages are told to reload");
                    live.ring().set_clock(service.now());
                }
                let end = lock(&inner.ring).end();
                let has_changed = inner.published.send_if_modified(|published| {
                    let has_changed = is_news || *published != end;
                    *published = end;
                    has_changed
                });
                if has_changed {
                    sleep(LIVE_EVERY).await;
                }
            }
        });
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        lock(&self.inner.ring)
    }
}

impl Reader {
    /// Waits until there may be news: changes, a changed configuration such as rights of a user, or the end.
    pub async fn changed(&mut self) {
        // Cannot fail: `live` keeps the sender alive.
        let _ = self.published.changed().await;
    }

    /// Returns what was published since the last call.
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

    /// Returns the part of `update` after change `seq` and, for changes by the clock, after `at`. It may be empty.
    /// `None`: some entries were dropped.
    #[must_use]
    pub fn part_after(&self, update: &Update, seq: u64, at: Option<Timestamp>) -> Option<Update> {
        let mut entries: Vec<Arc<RingEntry>> = self.live.ring().range(update.from, update.to)?;
        entries.retain(|entry| {
            let is_later = || at.is_none_or(|at| entry.clock > at);
            entry.seq > seq || entry.seq == seq && entry.is_lapse && is_later()
        });
        let (from, to) = (update.from, update.to);
        Some(
            Update::new(from, to, &entries)
                .unwrap_or_else(|| Update { changes: Some(Arc::default()), ..update.clone() }),
        )
    }

    /// Returns whether an incident changed by the clock after `at` in an entry that this reader will not get.
    #[must_use]
    pub fn has_missed(&self, at: Timestamp) -> bool {
        self.live.ring().has_lapsed_unseen(self.next, at)
    }
}

impl Follower for Live {
    fn committed(&self, batch: &[Committed], last: Seq, at: Timestamp) {
        let incidents: Vec<IncidentChange> = batch.iter().flat_map(|it| it.incidents.iter().cloned()).collect();
        self.ring().advance(at);
        if incidents.is_empty() {
            self.ring().last = last.0;
            if !batch.iter().any(|committed| committed.directory_changed) {
                return;
            }
        } else {
            let mut ring = self.ring();
            let clock = ring.clock;
            for change in &incidents {
                ring.moments.follow(change.before.as_deref(), change.after.as_deref(), clock);
            }
            ring.push(last.0, &incidents, Vec::new());
        }
        self.inner.news.notify_one();
    }

    fn messages(&self, messages: &[Arc<Message>]) {
        let about = messages.iter().filter_map(|message| match message.about {
            MessageSubject::Event { incident, .. } => Some(incident),
            MessageSubject::Summary(_) => None,
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
        let mut ring = self.ring();
        ring.moments.forget();
        ring.forget();
        drop(ring);
        self.inner.news.notify_one();
    }
}

/// Reads these incidents without their metadata, and the number of the change as of which they were read.
fn read(
    service: &Service,
    ids: BTreeSet<IncidentId>,
) -> impl FnOnce() -> Result<(Seq, Vec<Arc<Incident>>), ServiceError> + Send + use<> {
    let service = service.clone();
    move || {
        let snapshot = service.store().snapshot()?;
        let incidents = snapshot.incidents(&ids.into_iter().collect::<Vec<_>>())?;
        let without = |incident| Arc::new(Incident { metadata: String::new(), ..incident });
        Ok((snapshot.seq()?, incidents.into_iter().map(without).collect()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
