//! The thread that moves the tail into the text index, and rebuilds the index when necessary.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    catch_up::{self, CatchUpError},
    tail::{Batch, Tail},
    text_index::{IndexError, Position, TextIndex, TextSearcher},
};
use crate::domain::Seq;
use crate::store::{Owner, Store};

/// Time without new changes after which the tail is committed.
const QUIET: Duration = Duration::from_millis(250);
/// Age of the oldest change in the tail at which it is committed under load.
const PERIOD: Duration = Duration::from_secs(1);
/// Factor between the duration of a commit and the pause after it, which limits the share of time that commits take.
const REST: u32 = 8;
/// Number of incidents and events in the tail above which commits do not pause.
const LONG_TAIL: usize = 20_000;
/// Interval at which the index records changes that do not concern it, so that little is replayed after a start.
const IDLE_PERIOD: Duration = Duration::from_secs(30);
/// Number of incidents up to which a store is read at the start, instead of in the background.
const SMALL: u64 = 5_000;
/// Pause after a failed build.
const RETRY: Duration = Duration::from_secs(5);

/// State that is shared by the thread, the writer and the searches.
pub(super) struct IndexerShared {
    state: Mutex<IndexerState>,
    /// Notified when there is work for the thread.
    wake: Condvar,
    /// Notified when the thread has done some work.
    done: Condvar,
}

struct IndexerState {
    /// `None` while the index cannot be searched.
    searcher: Option<TextSearcher>,
    tail: Tail,
    /// Whether commits go to the tail. Otherwise they are read from the change log later.
    collecting: bool,
    /// Position of the last change that is committed in the store.
    last: Position,
    indexed: Position,
    dirty_since: Option<Instant>,
    last_push: Instant,
    wish: Option<Wish>,
    flush: bool,
    stop: bool,
}

/// Work that the index needs before it can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    /// Read the change log from the last position on.
    CatchUp,
    Rebuild,
}

/// The index with the tail that belongs to it.
pub(super) struct IndexView {
    pub(super) searcher: TextSearcher,
    pub(super) tail: Vec<Arc<Batch>>,
}

impl IndexerShared {
    pub(super) fn new(last: Position) -> Self {
        Self {
            state: Mutex::new(IndexerState {
                searcher: None,
                tail: Tail::default(),
                collecting: false,
                last,
                indexed: Position { seq: Seq(0), at: last.at },
                dirty_since: None,
                last_push: Instant::now(),
                wish: None,
                flush: false,
                stop: false,
            }),
            wake: Condvar::new(),
            done: Condvar::new(),
        }
    }

    /// Returns the index with its tail. `None` while the index cannot be searched.
    pub(super) fn view(&self) -> Option<IndexView> {
        let state = self.lock();
        let searcher = state.searcher.clone()?;
        Some(IndexView { searcher, tail: state.tail.batches() })
    }

    /// Adds a commit to the tail. Called on the writer thread. `batch` is called only if commits go to the tail. If it
    /// returns `None`, its records could not be read, and the index has to catch up.
    pub(super) fn push(&self, last: Position, batch: impl FnOnce() -> Option<Batch>) {
        let collecting = self.lock().collecting;
        // Not under the lock, because this may read records. If collecting starts in between, it starts with a change
        // log that contains these changes.
        let batch = collecting.then(batch);
        let mut state = self.lock();
        state.last = last;
        match batch {
            Some(Some(batch)) if batch.len() > 0 && state.collecting => {
                state.tail.push(last.seq, batch);
                let was_clean = state.dirty_since.is_none();
                let now = Instant::now();
                state.last_push = now;
                state.dirty_since.get_or_insert(now);
                if was_clean || state.tail.len() > LONG_TAIL {
                    self.wake.notify_one();
                }
            }
            Some(None) => state.distrust(Wish::CatchUp, &self.wake),
            _ => {}
        }
    }

    pub(super) fn rebuild(&self) {
        self.lock().distrust(Wish::Rebuild, &self.wake);
    }

    /// Requests reading the change log, because the store may contain changes that were not pushed. `last` is the
    /// position of the last one, if it is known.
    pub(super) fn catch_up(&self, last: Option<Position>) {
        let mut state = self.lock();
        state.last = last.unwrap_or(state.last);
        state.distrust(Wish::CatchUp, &self.wake);
    }

    /// Returns the number of incidents and events in the tail. `None` while the index cannot be searched.
    pub(super) fn behind(&self) -> Option<usize> {
        let state = self.lock();
        state.searcher.as_ref().map(|_| state.tail.len())
    }

    /// Returns the number of the last change that the index has on disk.
    pub(super) fn indexed(&self) -> Seq {
        self.lock().indexed.seq
    }

    pub(super) fn wait_until_indexed(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        let target = state.last.seq;
        let deadline = Instant::now().checked_add(patience);
        loop {
            if state.searcher.is_some() && state.indexed.seq >= target {
                return true;
            }
            let left = deadline.map_or(patience, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() || state.stop {
                return false;
            }
            state.flush = true;
            self.wake.notify_one();
            state = self.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.wake.notify_all();
        self.done.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.lock().stop
    }

    fn lock(&self) -> MutexGuard<'_, IndexerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IndexerState {
    fn distrust(&mut self, wish: Wish, wake: &Condvar) {
        self.searcher = None;
        self.collecting = false;
        self.tail = Tail::default();
        self.dirty_since = None;
        self.wish = self.wish.max(Some(wish));
        wake.notify_one();
    }

    /// Begins a new tail. Until the index is published with it, searches read records: an index that is still in use,
    /// because a rebuild was requested while another one ran, belongs to the old tail.
    fn collect(&mut self) {
        self.searcher = None;
        self.tail = Tail::default();
        self.collecting = true;
    }

    /// Returns the time until there is work. Zero: now.
    fn idle(&self, commit_ended: Instant, commit_took: Duration) -> Duration {
        if self.stop || self.flush || self.wish.is_some() || self.tail.len() > LONG_TAIL {
            return Duration::ZERO;
        }
        let rested = commit_took.saturating_mul(REST).saturating_sub(commit_ended.elapsed());
        match self.dirty_since {
            Some(since) => {
                let quiet = QUIET.saturating_sub(self.last_push.elapsed());
                let due = PERIOD.saturating_sub(since.elapsed());
                quiet.min(due).max(rested)
            }
            None if self.last.seq > self.indexed.seq => IDLE_PERIOD.saturating_sub(commit_ended.elapsed()),
            None => IDLE_PERIOD,
        }
    }
}

pub(super) struct Indexer {
    pub(super) store: Store,
    pub(super) directory: PathBuf,
    pub(super) shared: Arc<IndexerShared>,
    index: Option<TextIndex>,
    /// Owner of the files of the index, if it is not the user of this process.
    owner: Option<Owner>,
}

impl Indexer {
    /// Opens the index. If it cannot be used, [`Indexer::run`] rebuilds it.
    pub(super) fn open(store: Store, directory: PathBuf, shared: Arc<IndexerShared>) -> Result<Self, CatchUpError> {
        let owner = Owner::of(store.path());
        let mut indexer = Self { store, directory, shared, index: None, owner };
        match guarded(|| TextIndex::open(&indexer.directory)) {
            Ok(Some((index, position))) => {
                if indexer.attach(&index, position)? {
                    indexer.index = Some(index);
                    indexer.give_files();
                    return Ok(indexer);
                }
                tracing::info!("the search index does not belong to the end of the change log; it is being rebuilt");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the search index cannot be opened; it is being rebuilt"),
        }
        if indexer.store.counters().incidents <= SMALL {
            indexer.index = Some(indexer.build_small()?);
            indexer.give_files();
        } else {
            indexer.shared.rebuild();
        }
        Ok(indexer)
    }

    pub(super) fn run(mut self) {
        let (mut commit_ended, mut commit_took) = (Instant::now(), Duration::ZERO);
        loop {
            let stop = self.wait(commit_ended, commit_took);
            let wish = self.shared.lock().wish.take();
            let outcome = match (wish, self.index.take()) {
                (wish, index) if stop && (wish.is_some() || index.is_none()) => return,
                (Some(Wish::CatchUp), Some(index)) => self.catch_up(index),
                (None, Some(index)) => {
                    let started = Instant::now();
                    let committed = self.commit(index);
                    (commit_ended, commit_took) = (Instant::now(), started.elapsed());
                    committed
                }
                (_, old) => {
                    drop(old);
                    self.rebuild()
                }
            };
            match outcome {
                Ok(index) => self.index = Some(index),
                Err(CatchUpError::Stopped) => return,
                Err(error) => {
                    tracing::error!(%error, "the search index could not be written; it will be rebuilt");
                    self.shared.rebuild();
                    self.pause();
                }
            }
            self.give_files();
            self.shared.done.notify_all();
            if stop {
                self.index = None;
                self.give_files();
                return;
            }
        }
    }

    /// Gives the files of the index to their owner.
    fn give_files(&self) {
        if let Some(owner) = self.owner {
            owner.give_directory(&self.directory);
        }
    }

    /// Waits for work. Returns true if the thread must end.
    fn wait(&self, commit_ended: Instant, commit_took: Duration) -> bool {
        let mut state = self.shared.lock();
        loop {
            let idle = state.idle(commit_ended, commit_took);
            if idle.is_zero() {
                state.flush = false;
                return state.stop;
            }
            state = self.shared.wake.wait_timeout(state, idle).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn pause(&self) {
        let until = Instant::now();
        let mut state = self.shared.lock();
        while !state.stop && until.elapsed() < RETRY {
            let left = RETRY.saturating_sub(until.elapsed());
            state = self.shared.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn commit(&self, mut index: TextIndex) -> Result<TextIndex, CatchUpError> {
        let (batches, last) = {
            let mut state = self.shared.lock();
            if state.last == state.indexed || !state.collecting {
                return Ok(index);
            }
            state.dirty_since = None;
            (state.tail.batches(), state.last)
        };
        guarded(|| {
            batches.iter().try_for_each(|batch| catch_up::apply(batch, &index))?;
            index.commit(last)
        })?;
        let mut state = self.shared.lock();
        state.indexed = last;
        if state.collecting {
            state.tail.drop_first(batches.len());
            state.searcher = Some(index.searcher());
        }
        drop(state);
        Ok(index)
    }

    fn catch_up(&self, index: TextIndex) -> Result<TextIndex, CatchUpError> {
        let position = self.shared.lock().indexed;
        if self.attach(&index, position)? {
            return Ok(index);
        }
        drop(index);
        self.rebuild()
    }

    /// Publishes the index, with a tail of all changes after `from`. Returns false if the change log is not sufficient.
    fn attach(&self, index: &TextIndex, from: Position) -> Result<bool, CatchUpError> {
        self.shared.lock().collect();
        // Taken after collecting began, so that later changes are in the tail.
        let snapshot = self.store.snapshot()?;
        let Some(batch) = catch_up::from_log(&snapshot, from)? else {
            self.shared.lock().collecting = false;
            return Ok(false);
        };
        self.publish(index, from, batch, snapshot.seq()?);
        Ok(true)
    }

    fn publish(&self, index: &TextIndex, indexed: Position, batch: Batch, seq: Seq) {
        let mut state = self.shared.lock();
        if !state.collecting {
            // The index was found to be faulty in the meantime.
            return;
        }
        state.tail.push_front(seq, batch);
        state.indexed = indexed;
        state.searcher = Some(index.searcher());
        if state.tail.len() > 0 {
            state.dirty_since.get_or_insert_with(Instant::now);
        }
    }

    fn build_small(&self) -> Result<TextIndex, CatchUpError> {
        let index = guarded(|| TextIndex::create(&self.directory, self.owner)?.built())?;
        self.shared.lock().collecting = true;
        let snapshot = self.store.snapshot()?;
        let batch = catch_up::everything(&snapshot)?;
        let position = catch_up::position(&snapshot)?;
        self.publish(&index, Position { seq: Seq(0), at: position.at }, batch, position.seq);
        Ok(index)
    }

    fn rebuild(&self) -> Result<TextIndex, CatchUpError> {
        let started = Instant::now();
        tracing::info!("building the search index; until it is there, searches for tags and texts read records");
        loop {
            self.shared.lock().wish = None;
            let mut index = guarded(|| TextIndex::create(&self.directory, self.owner))?;
            let mut position = {
                let snapshot = self.store.snapshot()?;
                guarded_build(|| catch_up::build(&snapshot, &index, || self.shared.is_stopping()))?;
                catch_up::position(&snapshot)?
            };
            guarded(|| index.commit(position))?;
            let mut index = guarded(|| index.built())?;
            // Reduces the backlog before the rest goes to memory.
            while let Some((batch, next)) = self.far_behind(position)? {
                guarded(|| {
                    catch_up::apply(&batch, &index)?;
                    index.commit(next)
                })?;
                position = next;
            }
            if self.attach(&index, position)? {
                tracing::info!(seconds = started.elapsed().as_secs_f32(), "the search index is built");
                return Ok(index);
            }
        }
    }

    /// Returns the changes after `from`. `None` if they are few, or the change log is not sufficient.
    fn far_behind(&self, from: Position) -> Result<Option<(Batch, Position)>, CatchUpError> {
        if self.shared.is_stopping() {
            return Err(CatchUpError::Stopped);
        }
        let snapshot = self.store.snapshot()?;
        let position = catch_up::position(&snapshot)?;
        if position.seq.0.saturating_sub(from.seq.0) < LONG_TAIL as u64 {
            return Ok(None);
        }
        Ok(catch_up::from_log(&snapshot, from)?.map(|batch| (batch, position)))
    }
}

/// Runs `work` and converts a panic to an error: a damaged index may make its reader panic.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(IndexError::broken()))
}

fn guarded_build(work: impl FnOnce() -> Result<(), CatchUpError>) -> Result<(), CatchUpError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(IndexError::broken().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    /// Changes that are only in the tail must not be missing while a new tail is read from the change log.
    #[test]
    fn a_new_tail_is_not_searched_with_the_old_index() {
        let directory = tempfile::tempdir().unwrap();
        let index = TextIndex::create(directory.path(), None).unwrap().built().unwrap();
        let shared = IndexerShared::new(Position { seq: Seq(0), at: Timestamp::MIN });
        {
            let mut state = shared.lock();
            state.collecting = true;
            state.searcher = Some(index.searcher());
        }
        assert!(shared.view().is_some());
        shared.lock().collect();
        assert!(shared.view().is_none());
    }
}
