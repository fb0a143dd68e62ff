//! Records since when the servers that messages are sent to cannot be reached.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::domain::{MonotonicTime, Now, Timestamp};

/// Results of sending by medium, shared by senders and monitoring.
#[derive(Debug, Default)]
pub struct Health {
    media: Mutex<FxHashMap<String, MediumRecord>>,
}

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

impl Health {
    /// Records whether an attempt reached the medium's server.
    pub fn note(&self, medium: &str, reachable: bool, now: Now) {
        let mut media = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        let new = MediumRecord { reach: MediumReach::Reachable, last_success: None, last_failure: None };
        let record = media.entry(medium.to_owned()).or_insert(new);
        if reachable {
            (record.reach, record.last_success) = (MediumReach::Reachable, Some(now.wall));
            return;
        }
        record.last_failure = Some(now.wall);
        if record.reach == MediumReach::Reachable {
            record.reach = MediumReach::UnreachableSince(now.moment);
        }
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
        for now in [1, 2] {
            health.note("email", false, at(now));
            assert_eq!(health.unreachable_since("email"), Some(moment(1)));
        }
        assert_eq!(health.unreachable_since("sms"), None);
        health.note("email", true, at(3));
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
}
