//! Bulk changes of pages: run in the background while their owner watches, and can be undone within a minute if the
//! action permits it. Jobs are in memory only; if a job is lost, its changes remain.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use super::{
    BulkAction, BulkKind, BulkRefusal, SliceRow, check_text,
    selection::{Check, Selection, Since},
    slice_len,
    undo::{Undo, UndoMemory, Undone},
};
use crate::domain::{
    Criteria, MonotonicTime, Timestamp, UserId,
    limits::{PAGE_SIZE_MAX, UNDO_FOR, WORK_KEPT, WORK_KEPT_PER_USER},
};
use crate::service::{Caller, Cursor, Incidents, ServiceError};

/// Delay after which a user whose bulk change found no free slot may try again.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The incidents of a bulk change.
pub enum BulkSubjects {
    Chosen(Vec<u64>),
    /// All incidents that a filter matched when its list was shown, and that still match at their turn.
    Matching(Arc<Selection>),
}

/// The bulk changes that began recently.
#[derive(Default)]
pub(super) struct Jobs {
    kept: Mutex<VecDeque<Arc<Job>>>,
    undo_memory: UndoMemory,
}

struct Job {
    id: String,
    owner: UserId,
    kind: BulkKind,
    state: Mutex<JobState>,
    finished: watch::Sender<bool>,
}

#[derive(Default)]
struct JobState {
    done: usize,
    of: usize,
    refusals: Vec<(BulkRefusal, usize)>,
    /// `None`: cannot be undone, or not anymore.
    undo: Option<Undo>,
    /// Whether undo is impossible for lack of memory.
    undo_lost: bool,
    finished: Option<MonotonicTime>,
    failure: Option<String>,
}

/// Progress of a bulk change.
#[derive(Clone, Debug)]
pub struct BulkStatus {
    pub id: String,
    pub kind: BulkKind,
    pub done: usize,
    /// Number of incidents, as far as it is known.
    pub of: usize,
    /// Incidents that were left out, by reason.
    pub refusals: Vec<(BulkRefusal, usize)>,
    pub finished: Option<MonotonicTime>,
    /// Error that ended the change early.
    pub failure: Option<String>,
    /// Time left in which the change can be undone. `None`: it cannot be undone, or not anymore.
    pub undo_left: Option<Duration>,
    /// Whether undo is impossible because it would have taken too much memory.
    pub undo_lost: bool,
}

/// A bulk change that was begun.
pub struct BulkJob(Arc<Job>);

impl BulkJob {
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Waits until the change has ended, whether it succeeded or not.
    pub async fn finished(&self) {
        let mut finished = self.0.finished.subscribe();
        // The sender lives as long as the job.
        let _ = finished.wait_for(|finished| *finished).await;
    }
}

impl Incidents {
    /// Begins a bulk change in the background. `of` is the number of incidents, as far as it is known.
    pub fn begin_bulk(
        &self,
        caller: &Caller,
        action: BulkAction,
        subjects: BulkSubjects,
        of: usize,
    ) -> Result<BulkJob, ServiceError> {
        let action = self.checked(caller, action)?;
        check_text(&action, of)?;
        let slot = self.bulk_slot(caller, of)?;
        let jobs = &self.inner.bulks.jobs;
        let job = Arc::new(Job {
            id: uuid::Uuid::new_v4().simple().to_string(),
            owner: caller.id(),
            kind: action.kind(),
            state: Mutex::new(JobState { of, undo: jobs.undo_memory.begin(&action), ..JobState::default() }),
            finished: watch::Sender::new(false),
        });
        jobs.keep(&job);
        let work = {
            let (service, caller, job) = (self.clone(), caller.clone(), Arc::clone(&job));
            tokio::spawn(async move { service.carry_out(&caller, &job, &action, subjects).await })
        };
        let (service, watched) = (self.clone(), Arc::clone(&job));
        tokio::spawn(async move {
            let failure = match work.await {
                Ok(outcome) => outcome.err().map(|error| error.to_string()),
                Err(_) => Some("the server made a mistake; its log says more".to_owned()),
            };
            drop(slot);
            watched.finish(failure, service.moment());
            // The wait must not keep the service or the job alive.
            drop(service);
            let job = Arc::downgrade(&watched);
            drop(watched);
            sleep(UNDO_FOR).await;
            if let Some(job) = job.upgrade() {
                job.state().undo = None;
            }
        });
        Ok(BulkJob(job))
    }

    /// Returns the progress of a bulk change of the caller. `None` for those of other users.
    #[must_use]
    pub fn bulk_status(&self, caller: &Caller, id: &str) -> Option<BulkStatus> {
        self.inner.bulks.jobs.find(id, caller.id()).map(|job| job.status(self.moment()))
    }

    /// Undoes a bulk change of the caller, once, even if the caller disconnects. `None`: it cannot be undone, or not
    /// anymore.
    pub async fn undo_bulk(&self, caller: &Caller, id: &str) -> Result<Option<Undone>, ServiceError> {
        let Some(job) = self.inner.bulks.jobs.find(id, caller.id()) else { return Ok(None) };
        let undo = {
            let mut state = job.state();
            if state.undo_left(self.moment()).is_none() {
                return Ok(None);
            }
            state.undo.take()
        };
        let Some(undo) = undo else { return Ok(None) };
        let (service, caller) = (self.clone(), caller.clone());
        let undone = tokio::spawn(async move { service.undo(&caller, undo).await }).await;
        undone.map(Some).map_err(|_| ServiceError::Internal("undoing a bulk change ended by an internal error"))
    }

    async fn carry_out(
        &self,
        caller: &Caller,
        job: &Job,
        action: &Arc<BulkAction>,
        subjects: BulkSubjects,
    ) -> Result<(), ServiceError> {
        match subjects {
            BulkSubjects::Chosen(ids) => self.carry_out_on(caller, job, action, &ids, None).await,
            BulkSubjects::Matching(selection) => {
                let now = self.now();
                let (mut since, mut passed) = (Since::new(selection.as_of), Vec::new());
                let mut cursor = None;
                loop {
                    let (found, next) = self.matching_keys(&selection.criteria, cursor, now).await?;
                    let (service, selection) = (self.clone(), Arc::clone(&selection));
                    let (meant, read_to, all) = self
                        .blocking(move || {
                            // After the search, so that the log contains every change that the search saw.
                            since.read(&service.store().snapshot()?, &passed)?;
                            Ok((service.meant(&selection, &since, found.clone()), since, found))
                        })
                        .await?;
                    (since, passed) = (read_to, all);
                    job.leave_out(BulkRefusal::Changed, meant.unknown);
                    self.carry_out_on(caller, job, action, &meant.ids, Some(Arc::new(meant.check))).await?;
                    if next.is_none() {
                        return Ok(());
                    }
                    cursor = next;
                }
            }
        }
    }

    async fn carry_out_on(
        &self,
        caller: &Caller,
        job: &Job,
        action: &Arc<BulkAction>,
        ids: &[u64],
        check: Option<Arc<Check>>,
    ) -> Result<(), ServiceError> {
        for slice in ids.chunks(slice_len(action)) {
            let rows = self.change_slice(caller, action, slice.to_vec(), check.clone()).await?;
            job.note(rows);
        }
        Ok(())
    }

    /// Returns the primary keys of one page of matching incidents, newest first, and the cursor of the next page.
    async fn matching_keys(
        &self,
        criteria: &Criteria,
        cursor: Option<Cursor>,
        now: Timestamp,
    ) -> Result<(Vec<u64>, Option<Cursor>), ServiceError> {
        let (search, criteria) = (self.search().clone(), criteria.clone());
        self.blocking(move || {
            let found = search.page(&criteria, cursor, PAGE_SIZE_MAX, now)?;
            Ok((found.ids.iter().map(|id| id.0).collect(), found.next))
        })
        .await
    }
}

impl Jobs {
    /// Adds a job. Beyond the limits the oldest jobs are dropped, first those of the same owner.
    fn keep(&self, job: &Arc<Job>) {
        let mut kept = lock(&self.kept);
        kept.push_back(Arc::clone(job));
        let own = kept.iter().filter(|other| other.owner == job.owner).count();
        if own > WORK_KEPT_PER_USER
            && let Some(oldest) = kept.iter().position(|other| other.owner == job.owner)
        {
            kept.remove(oldest);
        }
        while kept.len() > WORK_KEPT {
            kept.pop_front();
        }
    }

    fn find(&self, id: &str, owner: UserId) -> Option<Arc<Job>> {
        lock(&self.kept).iter().find(|job| job.id == id && job.owner == owner).cloned()
    }
}

impl Job {
    fn state(&self) -> MutexGuard<'_, JobState> {
        lock(&self.state)
    }

    fn note(&self, mut rows: Vec<SliceRow>) {
        let mut state = self.state();
        if state.undo.as_mut().is_some_and(|undo| !undo.note(&mut rows)) {
            state.undo = None;
            state.undo_lost = true;
        }
        for (_, row) in rows {
            match row {
                Ok(_) => state.done += 1,
                Err(refusal) => state.refuse(refusal, 1),
            }
        }
    }

    fn leave_out(&self, reason: BulkRefusal, count: usize) {
        if count > 0 {
            self.state().refuse(reason, count);
        }
    }

    fn finish(&self, failure: Option<String>, now: MonotonicTime) {
        {
            let mut state = self.state();
            state.failure = failure;
            state.finished = Some(now);
        }
        self.finished.send_replace(true);
    }

    fn status(&self, now: MonotonicTime) -> BulkStatus {
        let state = self.state();
        BulkStatus {
            id: self.id.clone(),
            kind: self.kind,
            done: state.done,
            of: state.of,
            refusals: state.refusals.clone(),
            finished: state.finished,
            failure: state.failure.clone(),
            undo_left: state.undo_left(now),
            undo_lost: state.undo_lost,
        }
    }
}

impl JobState {
    /// Returns the time left for undo. Measured by the clock, but never longer than `undo` is in memory, which does not
    /// depend on it.
    fn undo_left(&self, now: MonotonicTime) -> Option<Duration> {
        let passed = now.micros_since(self.finished?);
        let left = UNDO_FOR.checked_sub(Duration::from_micros(passed.unsigned_abs()))?;
        (!left.is_zero() && self.done > 0 && self.undo.is_some()).then_some(left)
    }

    fn refuse(&mut self, reason: BulkRefusal, more: usize) {
        match self.refusals.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += more,
            None => self.refusals.push((reason, more)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
