//! Since when the servers that messages go through cannot be reached.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::domain::time::Timestamp;

/// Shared by whoever sends and whoever watches.
#[derive(Debug, Default)]
pub struct Health {
    unreachable: Mutex<FxHashMap<String, Timestamp>>,
}

impl Health {
    /// What an attempt to send over the medium showed.
    pub fn note(&self, medium: &str, reachable: bool, now: Timestamp) {
        let mut unreachable = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        if reachable {
            unreachable.remove(medium);
        } else {
            unreachable.entry(medium.to_owned()).or_insert(now);
        }
    }

    /// When the first of the attempts failed that have failed in a row; `None` if the last one did not.
    #[must_use]
    pub fn unreachable_since(&self, medium: &str) -> Option<Timestamp> {
        self.unreachable.lock().unwrap_or_else(PoisonError::into_inner).get(medium).copied()
    }
}
