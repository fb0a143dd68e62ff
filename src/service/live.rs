//! Recent changes for open pages: kept in memory, with a signal when there are new ones.
//!
//! Everybody reads at their own pace; who is too slow, or asks for what is gone, is told to look at everything again.
//! The writer thread only adds to the ring and wakes one task; that task wakes the readers. What became of each incident
//! between two places is worked out once for all readers that ask about the same two places.
//!
//! What changes by the clock alone, an end that comes or an acknowledgement that expires, is a change like any other: the
//! task that wakes readers waits for the next such moment by the time of day, and adds those incidents.

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
use crate::{
    domain::{
        change::{Committed, IncidentChange},
        ids::{IncidentId, Seq},
        incident::Incident,
        limits::{CLOCK_STEP_MICROS, LIVE_CLOCK_EVERY, LIVE_EVERY, LIVE_MOMENTS, LIVE_ROWS},
        message::{Message, MessageSubject},
        time::Timestamp,
    },
    store::{Follower, Store},
};

pub use self::ring::{Changes, Update};

/// How often the incidents that changed by the clock alone are read again because of a commit in between.
const LAPSE_TRIES: usize = 20;
const LAPSE_RETRY: Duration = Duration::from_millis(5);

/// Updates that are kept for readers that ask about the same places.
const UPDATES_KEPT: usize = 8;

/// A handle.
#[derive(Clone)]
pub struct Live {
    inner: Arc<LiveState>,
}

struct LiveState {
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
    pub fn join(&self, known: Option<u64>, service: &Service) -> (Reader, bool) {
        let published = self.inner.published.subscribe();
        self.wake_readers(service);
        let (next, end) = {
            let mut ring = self.ring();
            if ring.moments.are_missing_at(Timestamp::MIN) {
                // The first reader since the start: nobody needed it before.
                let search = service.search();
                ring.clock = ring.clock.max(service.now());
                ring.clock_floor = search.last_lapse(ring.clock);
                let found = search.lapses(ring.clock, LIVE_MOMENTS);
                ring.moments.refill(&found);
            }
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

    /// Adds what changed by the clock alone up to now. Sees also when the clock was set, in either direction.
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
                    // Briefly: a pass over columns in memory, once in a while.
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
                // As they are after the last entry, neither older nor newer, and still all of those that are due.
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

    /// How long nothing changes by the clock alone, if it is not set.
    fn until_lapse(&self, now: Timestamp) -> Duration {
        let next = self.ring().moments.next();
        let left = next.map(|next| next.micros().saturating_sub(now.micros()).max(0).unsigned_abs());
        left.map_or(LIVE_CLOCK_EVERY, Duration::from_micros).min(LIVE_CLOCK_EVERY)
    }

    /// Starts the task that wakes readers, unless it runs. It ends when there are none.
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

    /// The part of `update` that lies after change `seq` and, of what changed by the clock alone, after `at`; perhaps
    /// nothing. `None`: it is gone.
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

    /// Whether something changed by the clock alone after `at` of which this reader will not hear.
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

/// These incidents, without their metadata, and the change up to which that is so.
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
