//! Keeps track of the destinations and contacts that have failed messages.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use crate::{
    domain::{
        ids::{ChannelId, ContactId, DestinationId, IncidentId, MessageId},
        message::{Message, Route, State},
        time::Timestamp,
        trouble::Unreached,
    },
    store::{Messages, Snapshot, StoreError},
};

const PAGE: usize = 1_000;

/// Letters that are dead, by where they were to go. Deliveries are remembered from the start of the server on.
#[derive(Debug, Default)]
pub struct DeadLetters(Mutex<Letters>);

#[derive(Debug, Default)]
struct Letters {
    dead: FxHashMap<Place, BTreeMap<MessageId, Letter>>,
    delivered: FxHashMap<Place, Turn>,
    loading: Loading,
    /// Of the change that was heard of last.
    turn: Turn,
    /// When each letter died that was heard of; what is read from the file died before.
    deaths: FxHashMap<MessageId, Turn>,
    /// Number of times that everything was forgotten.
    age: u64,
}

/// The place of a change in the order in which changes are heard of, which the clock does not disturb; 0: before the
/// start of the server.
type Turn = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Destination(DestinationId),
    Contact(ContactId, ChannelId),
}

#[derive(Clone, Debug)]
struct Letter {
    died: Timestamp,
    turn: Turn,
    incident: Option<IncidentId>,
    /// Of a contact: UUID and name.
    whose: Option<(Uuid, String)>,
    /// It counts for certain.
    examined: bool,
}

/// A letter to a contact, of which it is to be found out whether it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubtful {
    pub contact: ContactId,
    pub uuid: Uuid,
    pub channel: ChannelId,
    message: MessageId,
    /// `None`: a summary, or it is known not to matter.
    pub incident: Option<IncidentId>,
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
                let Letters { dead, delivered, .. } = &mut *letters;
                delivered.retain(|place, _| dead.contains_key(place));
                return Ok(());
            }
        }
    }

    /// Destinations that have taken nothing since their newest dead letter: how many are dead since they took something,
    /// and when the newest died.
    #[must_use]
    pub fn stuck(&self) -> Vec<(DestinationId, usize, Timestamp)> {
        let letters = self.lock();
        let stuck = letters.dead.keys().filter_map(|place| {
            let Place::Destination(destination) = place else { return None };
            let since_delivery = letters.since_delivery(place);
            let newest = since_delivery.iter().max_by_key(|letter| (letter.turn, letter.died))?;
            Some((*destination, since_delivery.len(), newest.died))
        });
        stuck.collect()
    }

    /// The same of contacts.
    #[must_use]
    pub fn unreached(&self) -> Vec<Unreached> {
        let letters = self.lock();
        let unreached = letters.dead.keys().filter_map(|place| {
            let Place::Contact(_, channel) = place else { return None };
            let since_delivery = letters.since_delivery(place);
            let oldest = since_delivery.iter().map(|letter| letter.died).min()?;
            let newest = since_delivery.iter().max_by_key(|letter| (letter.turn, letter.died))?;
            let full_name = newest.whose.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
            let letters = since_delivery.len();
            Some(Unreached { channel: *channel, full_name, letters, oldest, newest: newest.died })
        });
        unreached.collect()
    }

    /// One letter of each contact that could not be reached, and all that were not asked about before.
    #[must_use]
    pub fn doubtful(&self) -> Vec<Doubtful> {
        let letters = self.lock();
        let mut doubtful = Vec::new();
        for (place, dead) in &letters.dead {
            let Place::Contact(contact, channel) = *place else { continue };
            for (index, (message, letter)) in dead.iter().enumerate() {
                if let Some((uuid, _)) = letter.whose.as_ref().filter(|_| index == 0 || !letter.examined) {
                    let incident = letter.incident.filter(|_| !letter.examined);
                    doubtful.push(Doubtful { contact, uuid: *uuid, channel, message: *message, incident });
                }
            }
        }
        doubtful
    }

    /// No letter to it counts any more.
    pub fn is_gone(&self, doubtful: &Doubtful) {
        self.lock().dead.remove(&Place::Contact(doubtful.contact, doubtful.channel));
    }

    /// It counts, or it does not.
    pub fn settle(&self, doubtful: &Doubtful, counts: bool) {
        let place = Place::Contact(doubtful.contact, doubtful.channel);
        let mut letters = self.lock();
        let Some(dead) = letters.dead.get_mut(&place) else { return };
        if counts {
            if let Some(letter) = dead.get_mut(&doubtful.message) {
                letter.examined = true;
            }
            return;
        }
        dead.remove(&doubtful.message);
        if dead.is_empty() {
            letters.dead.remove(&place);
        }
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
        self.turn += 1;
        if message.is_dead() {
            self.deaths.insert(message.id, self.turn);
        } else {
            self.deaths.remove(&message.id);
        }
        self.set(message)
    }

    fn since_delivery(&self, place: &Place) -> Vec<&Letter> {
        let delivered = self.delivered.get(place);
        let dead = self.dead.get(place).into_iter().flat_map(BTreeMap::values);
        dead.filter(|letter| delivered.is_none_or(|delivered| letter.turn > *delivered)).collect()
    }

    fn set(&mut self, message: &Message) -> bool {
        let (place, whose) = match &message.route {
            Route::Destination { destination, .. } => (Place::Destination(*destination), None),
            Route::Contact { contact, uuid, full_name, channel, .. } => {
                (Place::Contact(*contact, *channel), Some((*uuid, full_name.clone())))
            }
        };
        if let State::Dead { at: died } = message.state {
            let turn = self.deaths.get(&message.id).copied().unwrap_or_default();
            let letter = Letter { died, turn, incident: message.incident(), whose, examined: false };
            self.dead.entry(place).or_default().insert(message.id, letter);
            return true;
        }
        let is_loading = matches!(self.loading, Loading::Needed(_));
        if matches!(message.state, State::Delivered { .. }) && (is_loading || self.dead.contains_key(&place)) {
            self.delivered.insert(place, self.turn);
        }
        let Some(dead) = self.dead.get_mut(&place) else { return false };
        dead.remove(&message.id);
        if dead.is_empty() {
            self.dead.remove(&place);
            if !is_loading {
                self.delivered.remove(&place);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
