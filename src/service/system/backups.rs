//! Age and result of the scheduled backups.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use crate::domain::{
    Timestamp,
    fault::{FaultFinding, late_backup},
};
use crate::service::System;

/// State of the scheduled backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backups {
    pub directory: PathBuf,
    /// Period in microseconds. `None`: no backups are scheduled.
    pub every: Option<i64>,
    /// Number of backups that are kept.
    pub keep: usize,
    /// Time of the last good backup.
    pub newest: Option<Timestamp>,
    /// Time and reason of the failure of the last attempt. `None`: it succeeded, or there was none since the start.
    pub failure: Option<(Timestamp, String)>,
    /// Whether there was time since the start for a backup that was missed before.
    pub is_settled: bool,
}

impl Backups {
    /// Returns the microseconds since the last good backup.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<i64> {
        self.newest.map(|newest| now.micros().saturating_sub(newest.micros()).max(0))
    }

    /// Returns the finding about a late backup.
    #[must_use]
    pub fn findings(&self, now: Timestamp) -> Vec<FaultFinding> {
        let failure = self.failure.as_ref().map(|(at, reason)| (*at, reason.as_str()));
        late_backup(self.every, self.newest, failure, self.is_settled, now)
    }

    /// Returns whether no good backup was written for two periods, or a schedule without any backup fails.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.findings(now).iter().any(FaultFinding::is_fault)
    }
}

/// The state of the backups, as the job last recorded it.
#[derive(Debug, Default)]
pub(in crate::service) struct BackupRecord(Mutex<Option<Backups>>);

impl System {
    /// Returns the state of the scheduled backups. `None`: their directory was not looked at since the start.
    #[must_use]
    pub fn backups(&self) -> Option<Backups> {
        self.inner.backups.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn record_backups(&self, backups: Backups) {
        *self.inner.backups.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(backups);
    }
}
