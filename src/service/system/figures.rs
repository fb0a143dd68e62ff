//! Figures for monitoring systems: what can be read when they ask. Counters of requests are kept by `http`, those of the
//! writer by the store.

use std::fs;

use crate::domain::{Criteria, MessageState, Timestamp, limits::SOURCE_FIGURES};
use crate::service::{IndexStatus, MessageFigures, Reached, ServiceError, System};
use crate::store::FileFaults;

#[derive(Clone, Debug)]
pub struct Figures {
    pub now: Timestamp,
    pub started: Timestamp,
    pub data_bytes: u64,
    pub free_bytes: u64,
    pub index_bytes: u64,
    pub index: IndexStatus,
    pub file: FileFaults,
    /// Queued and failed messages.
    pub queued: u64,
    pub failed: u64,
    /// Time since which the oldest queued message waits.
    pub oldest_queued: Option<Timestamp>,
    /// Open incidents from level 1 to level 5.
    pub open_acked: [u64; 5],
    pub open_unacked: [u64; 5],
    /// The first sources by id, at most [`SOURCE_FIGURES`].
    pub sources: Vec<SourceFigures>,
    pub messages: Vec<MessageFigures>,
    pub reached: Vec<Reached>,
    /// Refused logins since the start: with a wrong name or password, and after too many of them.
    pub wrong_logins: u64,
    pub throttled_logins: u64,
    pub last_backup: Option<Timestamp>,
    /// Whether the last attempt to write a backup failed. `None`: not known yet.
    pub is_backup_failing: Option<bool>,
    pub process: Option<ProcessFigures>,
}

#[derive(Clone, Debug)]
pub struct SourceFigures {
    pub name: String,
    pub source_type: String,
    pub last_seen: Option<Timestamp>,
}

/// Figures of the system about this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessFigures {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
    pub open_files: u64,
    /// `None`: no limit.
    pub max_open_files: Option<u64>,
}

impl System {
    /// Collects all figures.
    pub async fn figures(&self) -> Result<Figures, ServiceError> {
        let service = self.clone();
        self.blocking(move || {
            let (store, search, now) = (service.store(), service.search(), service.now());
            let (data_bytes, free_bytes) = store.disk()?;
            let snapshot = store.snapshot()?;
            let (queued, failed) = snapshot.outbox_depth()?;
            let oldest = snapshot.oldest_due_messages(1)?.into_iter().next();
            let open = |acked| -> Result<[u64; 5], ServiceError> {
                let criteria = Criteria { open: Some(true), acked: Some(acked), ..Criteria::default() };
                Ok(search.facets(&criteria, now)?.by_level)
            };
            let sender = service.inner.sender.get();
            let backups = service.backups();
            Ok(Figures {
                now,
                started: service.started(),
                data_bytes,
                free_bytes,
                index_bytes: search.disk_bytes(),
                index: search.status(),
                file: store.file_faults(),
                queued,
                failed,
                oldest_queued: oldest.and_then(|message| match message.state {
                    MessageState::Due { since, .. } => Some(since),
                    _ => None,
                }),
                open_acked: open(true)?,
                open_unacked: open(false)?,
                sources: service.source_figures(),
                messages: sender.map(|sender| sender.messages()).unwrap_or_default(),
                reached: sender.map(|sender| sender.reached()).unwrap_or_default(),
                wrong_logins: service.inner.refused_logins.wrong.get(),
                throttled_logins: service.inner.refused_logins.throttled.get(),
                last_backup: backups.as_ref().and_then(|backups| backups.newest),
                is_backup_failing: backups.map(|backups| backups.failure.is_some()),
                process: process(),
            })
        })
        .await
    }

    fn source_figures(&self) -> Vec<SourceFigures> {
        let directory = self.directory();
        let mut sources: Vec<_> = directory.sources.values().collect();
        sources.sort_by_key(|source| source.id);
        let figures = |source: &&std::sync::Arc<crate::domain::Source>| SourceFigures {
            name: source.name.clone(),
            source_type: source.source_type.clone(),
            last_seen: self.store().last_seen(source.id),
        };
        sources.iter().take(SOURCE_FIGURES).map(figures).collect()
    }
}

fn process() -> Option<ProcessFigures> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Some(ProcessFigures {
        cpu_seconds: cpu_seconds(&fs::read_to_string("/proc/self/stat").ok()?)?,
        resident_bytes: resident_bytes(&fs::read_to_string("/proc/self/status").ok()?)?,
        open_files: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
        max_open_files: limit.current,
    })
}

/// Reads the time in user and kernel mode from `/proc/<pid>/stat`. Linux counts it in hundredths of a second there.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the name of the program in parentheses, and may have spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some((f64::from(ticks()?) + f64::from(ticks()?)) / 100.0)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_system_says_about_a_process() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 123 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("42"), None);
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t   34816 kB\n"), Some(34_816 << 10));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
        assert!(process().is_some_and(|process| process.resident_bytes > 0 && process.open_files > 2));
    }
}
