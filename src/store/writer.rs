//! The writer thread: takes commands from the queue, commits them in batches, publishes changes, and replies.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwap;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{
    StoreError, WriteError,
    agenda::{self, LiveAgenda},
    command::{Command, Staged},
    counters::Counters,
    figures::WriterFigures,
    file::DataFile,
    index::Applier,
    load,
    schema::NAME_TO_COUNTER,
    tables::WriteTables,
};
use crate::clock::Clock;
use crate::domain::{
    Committed, Directory, Message, MonotonicTime, Seq, Timestamp, UserId, limits::BATCH_COMMANDS, matcher::Matcher,
};

/// Receiver of all batches, on the writer thread, after the commit and before the replies. Its functions must be fast.
pub trait Follower: Send + Sync {
    /// Receives a batch. `last` and `at` belong to its last change.
    fn committed(&self, batch: &[Committed], last: Seq, at: Timestamp);

    /// Receives the messages of a batch that were created or changed, before [`Follower::committed`]. If the batch
    /// logged no changes, only this function is called.
    fn messages(&self, messages: &[Arc<Message>]) {
        let _ = messages;
    }

    /// Receives the messages of a batch that were deleted with their incidents, before [`Follower::committed`].
    fn deleted_messages(&self, messages: &[Arc<Message>]) {
        let _ = messages;
    }

    /// Called after the file was opened again with changes that were never published. Everything must be read again.
    fn reset(&self);
}

/// State that the writer publishes.
pub struct Published {
    pub directory: ArcSwap<Directory>,
    pub counters: ArcSwap<Counters>,
    pub agenda: LiveAgenda,
    pub followers: RwLock<Vec<Arc<dyn Follower>>>,
    pub figures: Arc<WriterFigures>,
}

/// Monotonic time at which the writer took its current batch, in microseconds.
pub struct WriterActivity(AtomicI64);

impl WriterActivity {
    const IDLE: i64 = i64::MIN;

    fn begin(&self, moment: MonotonicTime) {
        self.0.store(moment.micros(), Ordering::Relaxed);
    }

    fn end(&self) {
        self.0.store(Self::IDLE, Ordering::Relaxed);
    }

    /// Returns when the current batch was taken. `None`: the writer waits for commands.
    pub fn busy_since(&self) -> Option<MonotonicTime> {
        Some(self.0.load(Ordering::Relaxed)).filter(|since| *since != Self::IDLE).map(MonotonicTime::from_micros)
    }
}

impl Default for WriterActivity {
    fn default() -> Self {
        Self(AtomicI64::new(Self::IDLE))
    }
}

/// A command in the queue or in a batch.
pub trait Job: Send {
    fn actor(&self) -> Option<UserId>;
    /// Returns whether the command was accepted. If so, `command` contains what it staged.
    fn decide(&mut self, command: &mut Command<'_>) -> bool;
    fn reply(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A closure with the channel on which its caller waits.
pub struct ClosureJob<T, E, F> {
    actor: Option<UserId>,
    closure: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, WriteError<E>>>,
}

impl<T, E, F> ClosureJob<T, E, F> {
    pub fn new(actor: Option<UserId>, closure: F) -> (Self, oneshot::Receiver<Result<T, WriteError<E>>>) {
        let (reply, answer) = oneshot::channel();
        (Self { actor, closure: Some(closure), outcome: None, reply }, answer)
    }
}

impl<T, E, F> Job for ClosureJob<T, E, F>
where
    T: Send,
    E: Send,
    F: FnOnce(&mut Command<'_>) -> Result<T, E> + Send,
{
    fn actor(&self) -> Option<UserId> {
        self.actor
    }

    fn decide(&mut self, command: &mut Command<'_>) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        // A panic is a fault of the command only. The writer and the rest of the batch continue.
        self.outcome = catch_unwind(AssertUnwindSafe(|| closure(command))).ok();
        matches!(self.outcome, Some(Ok(_)))
    }

    fn reply(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.outcome) {
            (_, Some(Err(refusal))) => Err(WriteError::Refused(refusal)),
            (Err(error), _) => Err(WriteError::Store(error)),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Ok(()), None) => {
                Err(WriteError::Store(StoreError::Io("the command failed by an internal error".to_owned())))
            }
        };
        // A caller that stopped waiting needs no answer.
        let _ = self.reply.send(answer);
    }
}

pub struct Writer {
    pub file: Arc<DataFile>,
    pub clock: Arc<dyn Clock>,
    pub published: Arc<Published>,
    pub queue: mpsc::Receiver<Box<dyn Job>>,
    pub activity: Arc<WriterActivity>,
    pub directory: Arc<Directory>,
    pub counters: Counters,
    /// Compares itself with the directory before each decision, so rolled back changes need not be reported to it.
    pub matcher: Matcher,
    pub broken: bool,
    /// Error of the last batch.
    pub failure: Option<StoreError>,
    /// Runtime of the callers, if there is one.
    pub runtime: Option<Handle>,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH_COMMANDS);
        while self.queue.blocking_recv_many(&mut jobs, BATCH_COMMANDS) > 0 {
            self.activity.begin(self.clock.moment());
            let outcome = self.batch(&mut jobs);
            self.published.figures.ended(outcome.is_ok());
            self.report(outcome.as_ref().err());
            self.reply(mem::take(&mut jobs), outcome);
            self.activity.end();
        }
    }

    /// Logs when an error occurs or changes, and when it is over, but not each time, since each caller gets the error.
    fn report(&mut self, failure: Option<&StoreError>) {
        if self.failure.as_ref() == failure {
            return;
        }
        if let Some(error) = failure {
            tracing::error!(%error, "cannot write to the data file");
        } else {
            tracing::info!("writing works again");
        }
        self.failure = failure.cloned();
    }

    /// Replies to the callers. Waking them takes as long as some commits do, so with a runtime it is done while the
    /// next batch is written.
    fn reply(&self, jobs: Vec<Box<dyn Job>>, outcome: Result<(), StoreError>) {
        let reply_all = move || jobs.into_iter().for_each(|job| job.reply(outcome.clone()));
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(async move { reply_all() })),
            None => reply_all(),
        }
    }

    fn batch(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        if self.broken {
            self.recover()?;
        }
        self.file.check_writable()?;
        let started = self.clock.moment();
        // A damaged file can make redb panic. The next batch opens it again.
        let committed = catch_unwind(AssertUnwindSafe(|| self.commit(jobs)));
        match committed.unwrap_or_else(|_| Err(StoreError::unreadable())) {
            Ok(batch) => {
                if !batch.is_empty() {
                    self.published.figures.committed(&batch, started, self.clock.moment());
                }
                self.publish(&batch);
                Ok(())
            }
            Err(error) => {
                self.broken = true;
                self.directory = self.published.directory.load_full();
                self.counters = self.published.counters.load().with_highest_ids_of(self.counters);
                Err(error)
            }
        }
    }

    fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Committed>, StoreError> {
        let database = self.file.database()?;
        let mut txn = database.begin_write()?;
        txn.set_quick_repair(true);
        let counters_before = **self.published.counters.load();
        let mut batch = Vec::with_capacity(jobs.len());
        let mut written = false;
        {
            let mut tables = WriteTables::open(&txn)?;
            for job in jobs {
                let now = self.clock.now();
                let (accepted, staged) = self.decide(job.as_mut(), &tables, now);
                // Used ids count as written, since they must not be used again after a restart.
                if !accepted || staged.is_empty() && self.counters == counters_before {
                    continue;
                }
                written = true;
                let mut applier = Applier {
                    tables: &mut tables,
                    directory: &mut self.directory,
                    counters: &mut self.counters,
                    matcher: &mut self.matcher,
                    clock: &*self.clock,
                    figures: &self.published.figures,
                    touched: Vec::new(),
                };
                batch.push(applier.apply(staged, job.actor(), now)?);
            }
            if written {
                self.counters.save(counters_before, &mut tables.counters)?;
            }
        }
        if written {
            txn.commit()?;
        } else {
            txn.abort()?;
        }
        Ok(batch)
    }

    fn decide(&mut self, job: &mut dyn Job, tables: &WriteTables<'_>, now: Timestamp) -> (bool, Vec<Staged>) {
        let mut command = Command {
            reads: tables,
            directory: &self.directory,
            counters: &mut self.counters,
            now,
            staged: Vec::new(),
        };
        (job.decide(&mut command), command.staged)
    }

    fn publish(&mut self, batch: &[Committed]) {
        if batch.iter().any(|committed| committed.directory_changed) {
            self.published.directory.store(Arc::clone(&self.directory));
        }
        if !batch.is_empty() {
            self.published.counters.store(Arc::new(self.counters));
        }
        self.published.agenda.follow(batch.iter().flat_map(|committed| &committed.agenda));
        let messages: Vec<Arc<Message>> = batch.iter().flat_map(|committed| &committed.messages).cloned().collect();
        if !messages.is_empty() {
            for follower in self.published.followers.read().unwrap_or_else(PoisonError::into_inner).iter() {
                follower.messages(&messages);
            }
        }
        let deleted: Vec<Arc<Message>> =
            batch.iter().flat_map(|committed| &committed.deleted_messages).cloned().collect();
        if !deleted.is_empty() {
            for follower in self.published.followers.read().unwrap_or_else(PoisonError::into_inner).iter() {
                follower.deleted_messages(&deleted);
            }
        }
        if let Some(last) = batch.iter().rev().find_map(|committed| committed.changes.last()) {
            let followers = self.published.followers.read().unwrap_or_else(PoisonError::into_inner);
            for follower in followers.iter() {
                follower.committed(batch, last.seq, last.at);
            }
        }
    }

    /// Recovers after an error. What reached the file counts, even if the caller got an error.
    fn recover(&mut self) -> Result<(), StoreError> {
        self.file.reopen()?;
        let database = self.file.database()?;
        let txn = redb::ReadableDatabase::begin_read(database.as_ref())?;
        let stored = Counters::load(&txn.open_table(NAME_TO_COUNTER)?)?;
        let published = **self.published.counters.load();
        if stored.last_seq != published.last_seq {
            self.directory = Arc::new(load::directory(&txn)?);
            self.counters = stored.with_highest_ids_of(self.counters);
            self.published.directory.store(Arc::clone(&self.directory));
            self.published.counters.store(Arc::new(self.counters));
            self.published.agenda.load(agenda::load(&txn)?);
            for follower in self.published.followers.read().unwrap_or_else(PoisonError::into_inner).iter() {
                follower.reset();
            }
        }
        self.broken = false;
        tracing::info!("the data file was opened again");
        Ok(())
    }
}
