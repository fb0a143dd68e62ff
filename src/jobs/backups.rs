//! Writes backups by a schedule, and deletes old ones.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch::Receiver, task::spawn_blocking, time::sleep};
use tracing::{info, warn};

use crate::domain::{
    MonotonicTime, Now, Timestamp,
    backup::{self, Schedule},
};
use crate::service::{Backups, Service};
use crate::store::{BackupError, NewFile, Store, bytes_on_disk};

/// Interval at which the directory and the clock are looked at.
const EVERY: Duration = Duration::from_secs(30);
/// Number of later minutes that are tried as a name if there is a backup of this minute.
const FURTHER_NAMES: i64 = 60;
const MINUTE_MICROS: i64 = 60_000_000;
/// Time after the start in which a backup that was missed is written.
const SETTLED_MICROS: i64 = 60 * MINUTE_MICROS;

/// Settings of the schedule.
#[derive(Clone, Debug)]
pub struct BackupPlan {
    /// Directory, relative to that of the data file.
    pub directory: PathBuf,
    /// Period. `None`: no backups are written.
    pub every: Option<Duration>,
    /// Number of backups that are kept.
    pub keep: usize,
}

/// The job that writes backups.
pub struct ScheduledBackups {
    service: Service,
    plan: BackupPlan,
    directory: PathBuf,
    /// Name of the data file without its extension, with which the names of its backups begin.
    stem: String,
    started: MonotonicTime,
    history: Arc<Mutex<History>>,
}

/// Results of this process.
#[derive(Debug, Default)]
struct History {
    last_success: Option<MonotonicTime>,
    last_attempt: Option<MonotonicTime>,
    failure: Option<(Timestamp, String)>,
    /// Backups with inconsistencies. They are complete, but not good.
    faulty: Vec<Timestamp>,
}

impl ScheduledBackups {
    /// Creates the job, which counts its first delay from now on.
    #[must_use]
    pub fn new(service: Service, plan: BackupPlan) -> Self {
        let path = service.store().path();
        let folder = path.parent().unwrap_or(Path::new(""));
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let directory = folder.join(&plan.directory);
        let started = service.store().clock().moment();
        Self { plan, directory, stem, started, history: Arc::default(), service }
    }

    pub(super) async fn run(self, mut stopping: Receiver<bool>) {
        loop {
            let stop = stopping.clone();
            self.look(move || *stop.borrow()).await;
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => return,
                () = sleep(EVERY) => {}
            }
        }
    }

    /// Writes a backup if one is due, and records the state of the backups.
    pub async fn look(&self, is_stopping: impl Fn() -> bool + Send + Sync + 'static) {
        self.record().await;
        let Some(every) = self.every() else { return };
        let now = self.service.store().clock().both();
        let found = self.found().await;
        let schedule = {
            let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            Schedule {
                every,
                zone: self.service.settings().time_zone,
                started: self.started,
                newest: backup::newest(&found, now.wall),
                last_success: history.last_success,
                last_attempt: history.last_attempt,
            }
        };
        if schedule.is_due(now) {
            self.write(now, is_stopping).await;
            self.record().await;
        }
    }

    fn every(&self) -> Option<i64> {
        self.plan.every.map(|every| i64::try_from(every.as_micros()).unwrap_or(i64::MAX / 4))
    }

    async fn found(&self) -> Vec<Timestamp> {
        let (directory, stem) = (self.directory.clone(), self.stem.clone());
        spawn_blocking(move || backups_in(&directory, &stem)).await.unwrap_or_default()
    }

    async fn record(&self) {
        let (found, now) = (self.found().await, self.service.store().clock().both());
        let (failure, is_settled, good) = {
            let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            let good: Vec<Timestamp> = found.into_iter().filter(|at| !history.faulty.contains(at)).collect();
            let is_settled = history.last_attempt.is_some() || now.moment.micros_since(self.started) >= SETTLED_MICROS;
            (history.failure.clone(), is_settled, good)
        };
        self.service.system().record_backups(Backups {
            directory: self.directory.clone(),
            every: self.every(),
            keep: self.plan.keep,
            newest: backup::newest(&good, now.wall),
            failure,
            is_settled,
        });
    }

    async fn write(&self, now: Now, is_stopping: impl Fn() -> bool + Send + Sync + 'static) {
        let (store, directory, stem, keep) =
            (self.service.store().clone(), self.directory.clone(), self.stem.clone(), self.plan.keep);
        let (written, moment) = {
            let clock = Arc::clone(store.clock());
            let job = move || write_backup(&store, &directory, &stem, now.wall, keep, &is_stopping);
            let written = spawn_blocking(job).await;
            (written.unwrap_or_else(|error| Err(error.to_string().into())), clock.moment())
        };
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.last_attempt = Some(moment);
        let failure = match written {
            Ok(Written { findings, .. }) if findings.is_empty() => {
                history.last_success = Some(moment);
                None
            }
            Ok(Written { at, path, findings }) => {
                history.faulty.push(at);
                history.last_success = Some(moment);
                let first = findings.first().cloned().unwrap_or_default();
                Some(format!("{} is complete, but the data file is inconsistent: {first}", path.display()))
            }
            Err(ScheduleError::Stopped) => return,
            Err(ScheduleError::Failed(reason)) => Some(reason),
        };
        if let Some(reason) = &failure {
            warn!("the scheduled backup failed: {reason}");
        }
        history.failure = failure.map(|reason| (now.wall, reason));
    }
}

struct Written {
    at: Timestamp,
    path: PathBuf,
    findings: Vec<String>,
}

enum ScheduleError {
    Stopped,
    /// Names the directory or the file.
    Failed(String),
}

impl From<String> for ScheduleError {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// Returns the times of all backups of the data file in the directory. Links and directories do not count.
fn backups_in(directory: &Path, stem: &str) -> Vec<Timestamp> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let files = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.filter_map(|entry| backup::time_of(stem, entry.file_name().to_str()?)).collect()
}

fn write_backup(
    store: &Store,
    directory: &Path,
    stem: &str,
    now: Timestamp,
    keep: usize,
    is_stopping: &(dyn Fn() -> bool + Sync),
) -> Result<Written, ScheduleError> {
    let failed = |error: &dyn std::fmt::Display| {
        ScheduleError::Failed(format!("cannot write a backup to {}: {error}", directory.display()))
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| failed(&error))?;
    let target = NewFile::create_in(directory).map_err(|error| failed(&error))?;
    let bytes = fs::metadata(store.path()).map_or(0, |metadata| bytes_on_disk(&metadata));
    target.require_space(bytes).map_err(|error| failed(&error))?;
    let go_on = || {
        if is_stopping() {
            return Err(BackupError::Stopped);
        }
        // The server itself must not run out of space because of a backup.
        target.require_space(0).map_err(|error| BackupError::target(&error))
    };
    let findings = store.backup_into(target.file(), &go_on).map_err(|error| match error {
        BackupError::Stopped => ScheduleError::Stopped,
        error => failed(&error),
    })?;
    let (at, path) =
        free_name(directory, stem, now).ok_or_else(|| failed(&"there are backups of this hour already"))?;
    target.persist_new(&path).map_err(|error| failed(&error))?;
    info!("wrote and verified the backup {}", path.display());
    if findings.is_empty() {
        delete_surplus(directory, stem, at, keep, now);
    }
    Ok(Written { at, path, findings })
}

/// Returns the first minute from now on of which there is no backup.
fn free_name(directory: &Path, stem: &str, now: Timestamp) -> Option<(Timestamp, PathBuf)> {
    (0..FURTHER_NAMES).find_map(|minutes| {
        let name = backup::name(stem, now.saturating_add_micros(minutes * MINUTE_MICROS));
        let path = directory.join(&name);
        path.symlink_metadata().is_err().then_some((backup::time_of(stem, &name)?, path))
    })
}

fn delete_surplus(directory: &Path, stem: &str, written: Timestamp, keep: usize, now: Timestamp) {
    let found = backups_in(directory, stem);
    for at in backup::surplus(&found, written, keep, now) {
        let path = directory.join(backup::name(stem, at));
        match fs::remove_file(&path) {
            Ok(()) => info!("deleted the old backup {}", path.display()),
            Err(error) => warn!("the old backup {} cannot be deleted: {error}", path.display()),
        }
    }
    let ahead = found.iter().filter(|at| backup::is_of_the_future(**at, now)).count();
    if ahead > 0 {
        warn!("{ahead} backups in {} have names of the future, and are never deleted", directory.display());
    }
}
