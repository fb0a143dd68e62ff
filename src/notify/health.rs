//! Records since when the servers that messages are sent to cannot be reached.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use rustc_hash::FxHashMap;

use tracing::{info, warn};

use crate::domain::{
    AttemptOutcome, MonotonicTime, Now, Timestamp, destination::EMAIL, limits::MEDIUM_FIGURES, message::full_answer,
};

/// Results of sending by medium, shared by senders and monitoring.
#[derive(Debug, Default)]
pub struct Health {
    media: Mutex<FxHashMap<String, MediumRecord>>,
    counts: Mutex<FxHashMap<String, MessageCounts>>,
    /// Monotonic time of the last round of the loop that sends messages, in microseconds. 0: there was none.
    last_round: AtomicI64,
}

/// Numbers of attempts via one medium, by their results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    pub sent: u64,
    pub retried: u64,
    /// Messages that are not tried again.
    pub failed: u64,
}

/// Stored result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageResult {
    Sent,
    Retried,
    Failed,
}

/// Label of the media beyond [`MEDIUM_FIGURES`].
const OTHER_MEDIA: &str = "other";

/// Results of the attempts to send via one medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediumRecord {
    pub reach: MediumReach,
    pub last_success: Option<Timestamp>,
    pub last_failure: Option<Timestamp>,
}

/// Result of the last attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediumReach {
    Reachable,
    /// Time of the first failure since the last success.
    UnreachableSince(MonotonicTime),
}

/// Difference between an attempt and the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachChange {
    /// The first failure since the start or since the last success.
    Lost,
    /// The first success after a failure.
    Found,
}

impl Health {
    /// Records the result of an attempt, as [`Health::note`] does. Logs when the mail server cannot be reached any
    /// longer, with the reason, and when it can be again. Other media have many servers, so they are not logged.
    pub fn note_attempt(&self, medium: &str, outcome: &AttemptOutcome, now: Now) {
        let since = self.unreachable_since(medium);
        let change = self.note(medium, outcome.reached, now);
        if medium != EMAIL {
            return;
        }
        match change {
            Some(ReachChange::Lost) => warn!("the mail server does not accept mail: {}", full_answer(&outcome.answer)),
            Some(ReachChange::Found) => {
                let seconds = since.map_or(0, |since| now.moment.micros_since(since) / 1_000_000);
                info!("the mail server accepts mail again, after {seconds} seconds");
            }
            None => {}
        }
    }

    /// Counts stored results.
    pub fn count(&self, results: &[(String, MessageResult)]) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (medium, result) in results {
            let is_known = counts.contains_key(medium) || counts.len() < MEDIUM_FIGURES;
            let medium = if is_known { medium } else { OTHER_MEDIA };
            let counts = counts.entry(medium.to_owned()).or_default();
            match result {
                MessageResult::Sent => counts.sent += 1,
                MessageResult::Retried => counts.retried += 1,
                MessageResult::Failed => counts.failed += 1,
            }
        }
    }

    /// Returns the numbers of all media, sorted by medium.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, MessageCounts)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = counts.iter().map(|(medium, counts)| (medium.clone(), *counts)).collect();
        counts.sort_by(|(one, _), (other, _)| one.cmp(other));
        counts
    }

    /// Records that the loop that sends messages is at work.
    pub fn note_round(&self, now: MonotonicTime) {
        self.last_round.store(now.micros(), Ordering::Relaxed);
    }

    /// Returns the time of the last round of that loop.
    #[must_use]
    pub fn last_round(&self) -> MonotonicTime {
        MonotonicTime::from_micros(self.last_round.load(Ordering::Relaxed))
    }

    /// Records whether an attempt reached the medium's server. Returns whether that is news.
    pub fn note(&self, medium: &str, reachable: bool, now: Now) -> Option<ReachChange> {
        let mut media = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        let new = MediumRecord { reach: MediumReach::Reachable, last_success: None, last_failure: None };
        let record = media.entry(medium.to_owned()).or_insert(new);
        if reachable {
            let before = std::mem::replace(&mut record.reach, MediumReach::Reachable);
            record.last_success = Some(now.wall);
            return (before != MediumReach::Reachable).then_some(ReachChange::Found);
        }
        record.last_failure = Some(now.wall);
        if record.reach != MediumReach::Reachable {
            return None;
        }
        record.reach = MediumReach::UnreachableSince(now.moment);
        Some(ReachChange::Lost)
    }

    /// Returns all records, sorted by medium.
    #[must_use]
    pub fn records(&self) -> Vec<(String, MediumRecord)> {
        let media = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records: Vec<_> = media.iter().map(|(medium, record)| (medium.clone(), *record)).collect();
        records.sort_by(|(one, _), (other, _)| one.cmp(other));
        records
    }

    /// Returns the result of the last attempts. `None`: nothing was sent via the medium yet.
    #[must_use]
    pub fn reach(&self, medium: &str) -> Option<MediumReach> {
        self.media.lock().unwrap_or_else(PoisonError::into_inner).get(medium).map(|record| record.reach)
    }

    /// Returns the time of the first failure since the last success. `None` if the last attempt reached the server, or
    /// there was none.
    #[must_use]
    pub fn unreachable_since(&self, medium: &str) -> Option<MonotonicTime> {
        match self.reach(medium) {
            Some(MediumReach::UnreachableSince(since)) => Some(since),
            Some(MediumReach::Reachable) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    const fn wall(micros: i64) -> Timestamp {
        Timestamp::saturating_from_micros(micros)
    }

    const fn moment(micros: i64) -> MonotonicTime {
        MonotonicTime::from_micros(micros)
    }

    /// The time of day is an hour ahead of the monotonic clock.
    const fn at(micros: i64) -> Now {
        Now { wall: wall(micros + HOUR), moment: moment(micros) }
    }

    #[test]
    fn the_first_failure_in_a_row_counts() {
        let health = Health::default();
        assert_eq!(health.reach("email"), None);
        for (now, change) in [(1, Some(ReachChange::Lost)), (2, None)] {
            assert_eq!(health.note("email", false, at(now)), change);
            assert_eq!(health.unreachable_since("email"), Some(moment(1)));
        }
        assert_eq!(health.unreachable_since("sms"), None);
        assert_eq!(health.note("email", true, at(3)), Some(ReachChange::Found));
        assert_eq!((health.unreachable_since("email"), health.reach("email")), (None, Some(MediumReach::Reachable)));
        health.note("email", false, at(4));
        assert_eq!(health.unreachable_since("email"), Some(moment(4)));
        let record = MediumRecord {
            reach: MediumReach::UnreachableSince(moment(4)),
            last_success: Some(wall(3 + HOUR)),
            last_failure: Some(wall(4 + HOUR)),
        };
        assert_eq!(health.records(), [("email".to_owned(), record)]);
    }

    #[test]
    fn media_with_counts_are_limited() {
        let health = Health::default();
        for number in 0..MEDIUM_FIGURES + 50 {
            health.count(&[(format!("plugin{number}"), MessageResult::Sent)]);
        }
        health.count(&[("plugin0".to_owned(), MessageResult::Failed), ("plugin0".to_owned(), MessageResult::Retried)]);
        let counts: FxHashMap<String, MessageCounts> = health.counts().into_iter().collect();
        assert_eq!(counts.len(), MEDIUM_FIGURES + 1);
        assert_eq!(counts["plugin0"], MessageCounts { sent: 1, retried: 1, failed: 1 });
        assert_eq!(counts[OTHER_MEDIA], MessageCounts { sent: 50, ..MessageCounts::default() });
    }
}
