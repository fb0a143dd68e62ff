//! The next times at which incidents change without an event: ends, and expirations of acknowledgements.
//!
//! The number of moments is limited. Beyond the limit the latest are forgotten, and must be looked up before they are
//! due.

use std::collections::BTreeSet;

use crate::domain::{Incident, IncidentId, Timestamp};

#[derive(Debug)]
pub(super) struct Moments {
    limit: usize,
    known: BTreeSet<(Timestamp, IncidentId)>,
    /// Time from which moments may be missing. `None`: all are known.
    horizon: Option<Timestamp>,
}

impl Moments {
    /// Creates an empty set, in which no moments are known yet.
    pub fn new(limit: usize) -> Self {
        Self { limit, known: BTreeSet::new(), horizon: Some(Timestamp::MIN) }
    }

    /// Returns whether moments have to be looked up because some up to `now` may be missing.
    pub fn are_missing_at(&self, now: Timestamp) -> bool {
        self.horizon.is_some_and(|horizon| horizon <= now)
    }

    /// Replaces all moments by the first ones after some time, in order: all of them, or at least `limit`.
    pub fn refill(&mut self, found: &[(Timestamp, IncidentId)]) {
        self.horizon = found.last().filter(|_| found.len() >= self.limit).map(|(last, _)| *last);
        self.known = found.iter().take(self.limit).copied().collect();
    }

    pub fn forget(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Applies a change of an incident. Ignores moments up to `clock`, which have passed already.
    pub fn follow(&mut self, before: Option<&Incident>, after: Option<&Incident>, clock: Timestamp) {
        if let Some(incident) = before {
            for at in incident.lapses() {
                self.known.remove(&(at, incident.id));
            }
        }
        if let Some(incident) = after {
            for at in incident.lapses() {
                if at > clock && self.horizon.is_none_or(|horizon| at < horizon) {
                    self.known.insert((at, incident.id));
                }
            }
        }
        while self.known.len() > self.limit {
            self.horizon = self.known.pop_last().map(|(at, _)| at);
        }
    }

    /// Returns when an incident changes or moments have to be looked up. `None`: never, as far as is known.
    pub fn next(&self) -> Option<Timestamp> {
        let first = self.known.first().map(|(at, _)| *at);
        first.into_iter().chain(self.horizon).min()
    }

    /// Returns the incidents that changed up to `now`, at most `most` + 1.
    pub fn due(&self, now: Timestamp, most: usize) -> BTreeSet<IncidentId> {
        self.known.iter().take_while(|(at, _)| *at <= now).take(most + 1).map(|(_, id)| *id).collect()
    }

    /// Removes the moments up to `now`.
    pub fn pass(&mut self, now: Timestamp) {
        while self.known.first().is_some_and(|(at, _)| *at <= now) {
            self.known.pop_first();
        }
    }
}

#[cfg(test)]
mod tests;
