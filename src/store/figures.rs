//! Figures of the writer since the start: commits, decisions, and what was created.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::domain::{ChangeKind, Committed, MonotonicTime};
use crate::metrics::{BATCHES, COMPUTATIONS, Counter, DURATIONS, Histogram};

#[derive(Debug)]
pub struct WriterFigures {
    /// Time from the beginning of a transaction until it is synced, in microseconds.
    pub commits: Histogram,
    /// Accepted commands of each commit.
    pub batches: Histogram,
    /// Time in microseconds to decide who is notified of an event.
    pub decisions: Histogram,
    /// Incidents that were created.
    pub incidents: Counter,
    /// Events that were stored, the first ones of incidents included.
    pub events: Counter,
    /// Batches that could not be written.
    pub failures: Counter,
    is_failing: AtomicBool,
    /// Monotonic time of the last commit, in microseconds.
    last_commit: AtomicI64,
}

impl Default for WriterFigures {
    fn default() -> Self {
        Self {
            commits: Histogram::new(DURATIONS),
            batches: Histogram::new(BATCHES),
            decisions: Histogram::new(COMPUTATIONS),
            incidents: Counter::default(),
            events: Counter::default(),
            failures: Counter::default(),
            is_failing: AtomicBool::new(false),
            last_commit: AtomicI64::new(i64::MIN),
        }
    }
}

impl WriterFigures {
    /// Returns whether the last batch could not be written.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Acquire)
    }

    /// Returns the time of the last commit. [`MonotonicTime::MIN`]: there was none since the start.
    #[must_use]
    pub fn last_commit(&self) -> MonotonicTime {
        MonotonicTime::from_micros(self.last_commit.load(Ordering::Acquire))
    }

    pub(super) fn committed(&self, batch: &[Committed], started: MonotonicTime, now: MonotonicTime) {
        self.commits.observe_micros(now.micros_since(started));
        self.batches.observe(batch.len() as u64);
        let (mut incidents, mut events) = (0, 0);
        for change in batch.iter().flat_map(|committed| &committed.changes) {
            match change.kind {
                ChangeKind::IncidentCreated { .. } => {
                    incidents += 1;
                    events += 1;
                }
                ChangeKind::EventAdded { .. } => events += 1,
                _ => {}
            }
        }
        self.incidents.add(incidents);
        self.events.add(events);
        self.last_commit.store(now.micros(), Ordering::Release);
    }

    /// Records whether a batch was written.
    pub(super) fn ended(&self, is_written: bool) {
        if !is_written {
            self.failures.add(1);
        }
        self.is_failing.store(!is_written, Ordering::Release);
    }
}
