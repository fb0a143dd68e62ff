//! The data file: one redb file with one writer.
//!
//! The only module that names redb and postcard. Changes are [commands](Store::write), and reads use [`Snapshot`]s and
//! the [`Directory`] in memory. Whatever has to follow changes is a [`Follower`].

mod agenda;
mod backup;
mod codec;
mod command;
mod configure;
mod contacts;
mod counters;
mod disk;
mod error;
mod figures;
mod file;
mod index;
mod kind;
mod load;
mod migrate;
mod new_file;
mod outbox;
mod owner;
mod pages;
mod purge;
mod read;
mod record;
mod schema;
mod tables;
mod verify;
mod writer;

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod fuzz;

use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use tokio::{runtime::Handle, sync::mpsc};
use uuid::Uuid;

pub use self::{
    agenda::LiveAgenda,
    backup::{BackupError, GoOn},
    command::Command,
    counters::Counters,
    error::{OpenError, StoreError, WriteError},
    figures::WriterFigures,
    file::lock_file,
    kind::{Kind, Map, Numbered},
    new_file::{NewFile, bytes_on_disk},
    owner::Owner,
    purge::StartPosition,
    read::{Direction, Messages, Snapshot},
    verify::verify_pages,
    writer::Follower,
};
use self::{
    command::Staged,
    file::{Access, DataFile},
    writer::{ClosureJob, Job, Published, Writer, WriterActivity},
};
use crate::clock::Clock;
use crate::domain::{
    Directory, MonotonicTime, Now, Seq, SourceId, Timestamp, UserId, limits::WRITE_QUEUE, matcher::Matcher,
};

/// Options for opening a data file.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub cache_bytes: usize,
    /// Whether to create the file if it does not exist.
    pub create: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 128 << 20, create: true }
    }
}

/// Faults of the data file itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFaults {
    /// Reason why nothing can be written. `None`: writing is possible.
    pub misplaced: Option<&'static str>,
    /// One sentence for each damaged page or table.
    pub damage: Vec<String>,
    /// Whether all pages were read since the start.
    pub is_verified: bool,
}

/// A handle on the open data file. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<StoreState>,
}

struct StoreState {
    file: Arc<DataFile>,
    clock: Arc<dyn Clock>,
    published: Arc<Published>,
    sender: ArcSwap<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    activity: Arc<WriterActivity>,
    last_seen: RwLock<FxHashMap<SourceId, SeenFigures>>,
    is_verified: AtomicBool,
}

#[derive(Clone, Copy)]
struct SeenFigures {
    /// Time of day.
    at: Timestamp,
    /// Monotonic time. If an earlier run saw the source, computed from its stored time, but never in the future.
    moment: MonotonicTime,
    written: bool,
}

impl SeenFigures {
    /// Returns the figures of an earlier run, whose clock may have been ahead.
    fn stored(at: Timestamp, now: Now) -> Self {
        let ago = now.wall.micros().saturating_sub(at.micros()).max(0);
        Self { at, moment: now.moment.saturating_add_micros(-ago), written: true }
    }
}

impl Store {
    pub fn open(path: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::start(DataFile::open(path, options.create, Access::with_cache(options.cache_bytes))?, clock)
    }

    /// Opens a file that must not change. What is written stays in memory and is discarded.
    pub fn open_unchanged(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::start(DataFile::open(path, false, Access::unchanged())?, clock)
    }

    fn start(file: DataFile, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let file = Arc::new(file);
        let path = file.path().to_owned();
        let failed = |source: StoreError| OpenError::Store { path: path.clone(), source };
        let loaded = file.database().and_then(Snapshot::new).and_then(|snapshot| {
            // A damaged file can make redb panic.
            catch_unwind(AssertUnwindSafe(|| {
                let counters = load::counters(&snapshot.txn)?;
                load::check_counters(&snapshot.txn, &counters)?;
                let agenda = agenda::load(&snapshot.txn)?;
                Ok((load::directory(&snapshot.txn)?, counters, load::last_seen(&snapshot.txn)?, agenda))
            }))
            .unwrap_or_else(|_| Err(StoreError::unreadable()))
        });
        let (directory, counters, seen, agenda) = loaded.map_err(|error| failed(file.damage().explain(error)))?;
        let directory = Arc::new(directory);
        let published = Arc::new(Published {
            directory: ArcSwap::new(Arc::clone(&directory)),
            counters: ArcSwap::from_pointee(counters),
            agenda: LiveAgenda::new(agenda, Arc::clone(&clock)),
            followers: RwLock::default(),
            figures: Arc::default(),
        });
        let (sender, queue) = mpsc::channel(WRITE_QUEUE);
        let activity = Arc::<WriterActivity>::default();
        let writer = Writer {
            file: Arc::clone(&file),
            clock: Arc::clone(&clock),
            published: Arc::clone(&published),
            queue,
            activity: Arc::clone(&activity),
            // Built here, before anything waits for the writer.
            matcher: Matcher::new(&directory),
            directory,
            counters,
            broken: false,
            failure: None,
            runtime: Handle::try_current().ok(),
        };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| failed(error.into()))?;
        let now = clock.both();
        let last_seen = seen.into_iter().map(|(source, at)| (source, SeenFigures::stored(at, now))).collect();
        Ok(Self {
            inner: Arc::new(StoreState {
                file,
                clock,
                published,
                sender: ArcSwap::from_pointee(Some(sender)),
                thread: Mutex::new(Some(thread)),
                activity,
                last_seen: RwLock::new(last_seen),
                is_verified: AtomicBool::new(false),
            }),
        })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.file.path()
    }

    /// Returns the identifier of this file. A backup gets another one.
    #[must_use]
    pub fn generation(&self) -> Uuid {
        self.inner.file.generation()
    }

    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Returns the configuration after the last commit.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        self.inner.published.directory.load_full()
    }

    /// Returns the agenda: what is due, and when other rows will be.
    #[must_use]
    pub fn agenda(&self) -> &LiveAgenda {
        &self.inner.published.agenda
    }

    /// Returns the counters after the last commit.
    #[must_use]
    pub fn counters(&self) -> Counters {
        **self.inner.published.counters.load()
    }

    /// Returns the figures of the writer since the start.
    #[must_use]
    pub fn figures(&self) -> Arc<WriterFigures> {
        Arc::clone(&self.inner.published.figures)
    }

    /// Returns a snapshot for blocking reads. On async threads use [`Store::read`].
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Snapshot::new(self.inner.file.database()?)
    }

    /// Runs a blocking read on a thread for blocking work.
    pub async fn read<T, E>(&self, read: impl FnOnce(&Snapshot) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        tokio::task::spawn_blocking(move || read(&store.snapshot()?))
            .await
            .unwrap_or_else(|error| Err(StoreError::Io(format!("a read failed: {error}")).into()))
    }

    /// Reads a small, bounded number of records on the calling thread. They usually come from memory, so handing the
    /// work to another thread would cost more than the work. Otherwise use [`Store::read`].
    pub async fn read_few<T, E>(&self, read: impl FnOnce(&Snapshot) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self.snapshot_now() {
            Ok(snapshot) => catch_unwind(AssertUnwindSafe(|| read(&snapshot)))
                .unwrap_or_else(|_| Err(StoreError::Io("a read failed by an internal error".to_owned()).into())),
            Err(_) => self.read(read).await,
        }
    }

    /// Returns a snapshot without waiting, or an error while the file is being opened again.
    pub fn snapshot_now(&self) -> Result<Snapshot, StoreError> {
        Snapshot::new(self.inner.file.database_now()?)
    }

    /// Queues a command and waits until it is committed or refused.
    ///
    /// `actor` is the user that the change log names. The closure runs on the writer thread and must not block. If it
    /// refuses, nothing that it staged is written; otherwise all of it is on disk when this function returns.
    pub async fn write<T, E>(
        &self,
        actor: Option<UserId>,
        command: impl FnOnce(&mut Command<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (job, answer) = ClosureJob::new(actor, command);
        let closed = || WriteError::Store(StoreError::Closed);
        self.queue().ok_or_else(closed)?.send(Box::new(job)).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// [`Store::write`] for threads without a runtime.
    pub fn write_blocking<T, E>(
        &self,
        actor: Option<UserId>,
        command: impl FnOnce(&mut Command<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (job, answer) = ClosureJob::new(actor, command);
        let closed = || WriteError::Store(StoreError::Closed);
        self.queue().ok_or_else(closed)?.blocking_send(Box::new(job)).map_err(|_| closed())?;
        answer.blocking_recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Returns for how long the writer has been busy with one batch, in microseconds. 0: it waits for commands.
    /// `i64::MAX`: its thread has ended.
    #[must_use]
    pub fn writer_busy_micros(&self) -> i64 {
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.as_ref().is_some_and(thread::JoinHandle::is_finished) {
            return i64::MAX;
        }
        let now = self.inner.clock.moment();
        self.inner.activity.busy_since().map_or(0, |since| now.micros_since(since))
    }

    /// Passes each batch from the next one on to `follower`.
    pub fn follow(&self, follower: Arc<dyn Follower>) {
        self.inner.published.followers.write().unwrap_or_else(PoisonError::into_inner).push(follower);
    }

    /// Notes a sign of life of a source. [`Store::flush_seen`] writes it to the file.
    pub fn seen(&self, source: SourceId) {
        let Now { wall: at, moment } = self.inner.clock.both();
        let seen = SeenFigures { at, moment, written: false };
        self.inner.last_seen.write().unwrap_or_else(PoisonError::into_inner).insert(source, seen);
    }

    #[must_use]
    pub fn last_seen(&self, source: SourceId) -> Option<Timestamp> {
        self.inner.last_seen.read().unwrap_or_else(PoisonError::into_inner).get(&source).map(|seen| seen.at)
    }

    /// Returns when the source was last seen, as the clock shows it now: setting the clock makes no source silent, and
    /// hides no silence.
    #[must_use]
    pub fn silent_since(&self, source: SourceId) -> Option<Timestamp> {
        let now = self.inner.clock.both();
        let last_seen = self.inner.last_seen.read().unwrap_or_else(PoisonError::into_inner);
        last_seen.get(&source).map(|seen| now.wall_at(seen.moment))
    }

    /// Writes the signs of life since the last call that succeeded. Blocks.
    pub fn flush_seen(&self) -> Result<(), StoreError> {
        let mut unwritten = Vec::new();
        for (source, seen) in self.inner.last_seen.write().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            if !seen.written {
                seen.written = true;
                unwritten.push((*source, seen.at));
            }
        }
        if unwritten.is_empty() {
            return Ok(());
        }
        let staged = unwritten.iter().map(|(source, at)| Staged::SetLastSeen(*source, *at)).collect();
        let written = self.write_staged(move || staged);
        if written.is_err() {
            let mut last_seen = self.inner.last_seen.write().unwrap_or_else(PoisonError::into_inner);
            for (source, _) in &unwritten {
                last_seen.entry(*source).and_modify(|seen| seen.written = false);
            }
        }
        written
    }

    /// Deletes creations and events up to `up_to` from the change log. The audit trail stays. Blocks.
    pub fn trim_changes(&self, up_to: Seq) -> Result<(), StoreError> {
        self.write_staged(move || vec![Staged::TrimChanges { up_to }])
    }

    fn write_staged(&self, staged: impl FnOnce() -> Vec<Staged> + Send + 'static) -> Result<(), StoreError> {
        let written = self.write_blocking(None, move |command| {
            command.staged.extend(staged());
            Ok(())
        });
        written.map_err(WriteError::into_error)
    }

    /// Returns the bytes of the data file and the free bytes of its disk. Blocks.
    pub fn disk(&self) -> Result<(u64, u64), StoreError> {
        self.inner.file.disk()
    }

    /// Checks whether the path still leads to the open file. Returns why nothing can be written if not. Blocks.
    #[must_use]
    pub fn look_at_file(&self) -> Option<&'static str> {
        self.inner.file.look()
    }

    /// Checks that the path leads to the open file, that there is space, and that the disk accepts writes. Writes a
    /// small file beside the data file for that, unless a commit succeeded within the last `proof` microseconds. Blocks.
    pub fn probe(&self, proof: i64) -> Result<(), StoreError> {
        self.inner.file.check_writable()?;
        let last_commit = self.inner.published.figures.last_commit();
        if self.inner.clock.moment().micros_since(last_commit) <= proof {
            return Ok(());
        }
        self.inner.file.probe(".ready")
    }

    /// Returns the known faults of the file: that nothing can be written because its path leads to another file, and
    /// damaged pages.
    #[must_use]
    pub fn file_faults(&self) -> FileFaults {
        let file = &self.inner.file;
        FileFaults {
            misplaced: file.misplaced(),
            damage: file.damage().found(),
            is_verified: self.inner.is_verified.load(Ordering::Acquire),
        }
    }

    /// Compares all pages that hold data with their checksums, on the disk, during reads and writes. `pause` is called
    /// after each page and can end the verification by an error. Returns one sentence for each damaged page. Blocks.
    pub fn verify_pages(&self, pause: &mut dyn FnMut() -> io::Result<()>) -> Result<Vec<String>, StoreError> {
        let (database, disk) = self.inner.file.open_now()?;
        // Held while the pages are read, so that none of them is reused for something else.
        let snapshot = Snapshot::new(database)?;
        let findings = disk.verify(false, &mut || {
            // Fails if the file is about to be opened again or closed.
            self.inner.file.open_now().map_err(io::Error::other)?;
            pause()
        })?;
        drop(snapshot);
        self.inner.is_verified.store(true, Ordering::Release);
        for finding in &findings {
            self.inner.file.damage().note(finding.clone());
        }
        Ok(findings)
    }

    /// Writes a complete, compact and verified copy to `to`, during reads and writes. Returns inconsistencies, which
    /// the copy has from this file. Blocks.
    pub fn backup(&self, to: &Path) -> Result<Vec<String>, BackupError> {
        backup::backup(&self.snapshot()?, to)
    }

    /// Like [`Store::backup`], into an empty file. `go_on` is called from time to time and can stop it. Blocks.
    pub fn backup_into(&self, target: &File, go_on: GoOn<'_>) -> Result<Vec<String>, BackupError> {
        backup::backup_into(&self.snapshot()?, target, go_on)
    }

    /// Returns whether this is the data file, by whatever name it was opened.
    #[must_use]
    pub fn is_same_file(&self, other: &std::fs::Metadata) -> bool {
        self.inner.file.is_same(other)
    }

    /// Returns the faults of pages or, if there are none, those of records, indexes and counters. Empty: none. Blocks.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        let findings = self.verify_pages(&mut || Ok(()))?;
        if findings.is_empty() { verify::verify(&self.snapshot()?) } else { Ok(findings) }
    }

    /// Refuses new commands, finishes queued ones, and closes the file. Blocks.
    pub fn close(&self) -> Result<(), StoreError> {
        let flushed = self.flush_seen();
        self.inner.sender.store(Arc::new(None));
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = thread.map(thread::JoinHandle::join);
        self.inner.file.close();
        if let Err(error) = flushed {
            // Only the times at which sources were seen in the last minute are lost.
            tracing::warn!("the last signs of life of sources could not be stored: {error}");
        }
        match ended {
            Some(Err(_)) => Err(StoreError::Io("the writer ended by an internal error".to_owned())),
            _ => Ok(()),
        }
    }

    fn queue(&self) -> Option<mpsc::Sender<Box<dyn Job>>> {
        (**self.inner.sender.load()).clone()
    }
}
