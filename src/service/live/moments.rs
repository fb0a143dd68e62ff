//! The next times at which incidents change without an event: ends, and expirations of acknowledgements.
//!
//! Bounded in number: beyond that the latest are forgotten, and have to be looked up again before their time.

use std::collections::BTreeSet;

use crate::domain::{ids::IncidentId, incident::Incident, time::Timestamp};

#[derive(Debug)]
pub(super) struct Moments {
    limit: usize,
    known: BTreeSet<(Timestamp, IncidentId)>,
    /// From here on some may be missing; `None`: all are known.
    horizon: Option<Timestamp>,
}

impl Moments {
    /// Nothing is known yet.
    pub fn new(limit: usize) -> Self {
        Self { limit, known: BTreeSet::new(), horizon: Some(Timestamp::MIN) }
    }

    /// The time from which on they have to be looked up.
    pub fn are_missing_at(&self, now: Timestamp) -> bool {
        self.horizon.is_some_and(|horizon| horizon <= now)
    }

    /// Takes the first ones after some time, in order: all of them, or as many as are kept.
    pub fn refill(&mut self, found: &[(Timestamp, IncidentId)]) {
        self.horizon = found.last().filter(|_| found.len() >= self.limit).map(|(last, _)| *last);
        self.known = found.iter().take(self.limit).copied().collect();
    }

    pub fn forget(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Follows a change; `clock`: moments up to this one have passed already.
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

    /// When something happens or has to be looked up; `None`: never, as far as is known.
    pub fn next(&self) -> Option<Timestamp> {
        let first = self.known.first().map(|(at, _)| *at);
        first.into_iter().chain(self.horizon).min()
    }

    /// The incidents that changed up to now, at most `most` of them and one more.
    pub fn due(&self, now: Timestamp, most: usize) -> BTreeSet<IncidentId> {
        self.known.iter().take_while(|(at, _)| *at <= now).take(most + 1).map(|(_, id)| *id).collect()
    }

    /// Drops the moments up to now.
    pub fn pass(&mut self, now: Timestamp) {
        while self.known.first().is_some_and(|(at, _)| *at <= now) {
            self.known.pop_first();
        }
    }
}

#[cfg(test)]
mod tests;
