//! Which destinations have messages that were given up, kept in step with the outbox.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    domain::{
        ids::{DestinationId, MessageId},
        message::{Message, Route, State},
        time::Timestamp,
    },
    store::{Messages, Snapshot, StoreError},
};

const PAGE: usize = 1_000;

/// Letters that are dead, by destination. Deliveries are remembered from the start of the server on.
#[derive(Debug, Default)]
pub struct DeadLetters(Mutex<Letters>);

#[derive(Debug, Default)]
struct Letters {
    dead: FxHashMap<DestinationId, BTreeMap<MessageId, Timestamp>>,
    delivered: FxHashMap<DestinationId, Timestamp>,
    loading: Loading,
    /// So often all was forgotten.
    age: u64,
}

#[derive(Debug)]
enum Loading {
    /// Holds those that were heard of since, which are newer than what is read.
    Needed(FxHashSet<MessageId>),
    Done,
}

impl Default for Loading {
    fn default() -> Self {
        Self::Needed(FxHashSet::default())
    }
}

impl DeadLetters {
    /// True if that may change what is to be said of a destination.
    pub fn note(&self, messages: &[Arc<Message>]) -> bool {
        let mut letters = self.lock();
        let noted: Vec<bool> = messages.iter().map(|message| letters.note(message)).collect();
        noted.contains(&true)
    }

    /// The file may hold what was not told: it has to be read again.
    pub fn forget(&self) {
        let mut letters = self.lock();
        letters.dead.clear();
        letters.loading = Loading::default();
        letters.age += 1;
    }

    /// Reads those that were there before, if that is still to be done. Blocking.
    pub fn load(&self, snapshot: impl FnOnce() -> Result<Snapshot, StoreError>) -> Result<(), StoreError> {
        let age = {
            let letters = self.lock();
            if matches!(letters.loading, Loading::Done) {
                return Ok(());
            }
            letters.age
        };
        let snapshot = snapshot()?;
        let mut before = None;
        loop {
            let page = snapshot.messages_page(Messages::Dead, before, PAGE)?;
            before = page.last().map(|message| message.id);
            let mut letters = self.lock();
            let Loading::Needed(heard) = &letters.loading else { return Ok(()) };
            if letters.age != age {
                return Ok(());
            }
            let unheard: Vec<&Message> = page.iter().filter(|message| !heard.contains(&message.id)).collect();
            for message in unheard {
                letters.set(message);
            }
            if page.len() < PAGE {
                letters.loading = Loading::Done;
                return Ok(());
            }
        }
    }

    /// Destinations that have taken nothing since their newest dead letter: how many are dead since they took something,
    /// and when the newest died.
    #[must_use]
    pub fn stuck(&self) -> Vec<(DestinationId, usize, Timestamp)> {
        let letters = self.lock();
        let stuck = letters.dead.iter().filter_map(|(destination, dead)| {
            let delivered = letters.delivered.get(destination);
            let since = |at: &&Timestamp| delivered.is_none_or(|delivered| *at > delivered);
            let newest = dead.values().filter(since).max()?;
            Some((*destination, dead.values().filter(since).count(), *newest))
        });
        stuck.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Letters {
    fn note(&mut self, message: &Message) -> bool {
        if let Loading::Needed(heard) = &mut self.loading {
            heard.insert(message.id);
        }
        self.set(message)
    }

    fn set(&mut self, message: &Message) -> bool {
        // Contacts belong to whoever syncs them.
        let Route::Destination { destination, .. } = message.route else { return false };
        if let State::Dead { at } = message.state {
            self.dead.entry(destination).or_default().insert(message.id, at);
            return true;
        }
        if let State::Delivered { at } = message.state {
            let last = self.delivered.entry(destination).or_insert(at);
            *last = at.max(*last);
        }
        let Some(dead) = self.dead.get_mut(&destination) else { return false };
        dead.remove(&message.id);
        if dead.is_empty() {
            self.dead.remove(&destination);
        }
        true
    }
}

#[cfg(test)]
mod tests;
