//! Keeps track of the destinations and contacts that have failed messages.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use crate::domain::{
    ChannelId, ContactId, DestinationId, IncidentId, Message, MessageId, MessageState, Timestamp, fault::Unreached,
    message::Route,
};
use crate::store::{Messages, Snapshot, StoreError};

const PAGE: usize = 1_000;

/// Failed messages by recipient. The last message that was sent to a recipient is known from the start of the server
/// on.
#[derive(Debug, Default)]
pub struct DeadMessages(Mutex<KnownDeadMessages>);

#[derive(Debug, Default)]
struct KnownDeadMessages {
    dead: FxHashMap<MessageTarget, BTreeMap<MessageId, DeadMessage>>,
    delivered: FxHashMap<MessageTarget, ChangeNumber>,
    loading: Loading,
    /// Number of the last change that was received.
    turn: ChangeNumber,
    /// Numbers of the changes with which messages failed. Messages that are read from the file failed before.
    deaths: FxHashMap<MessageId, ChangeNumber>,
    /// Number of times that everything was forgotten.
    age: u64,
}

/// Number of a change in the order in which changes are received, which does not depend on the clock. 0: before the
/// start of the server.
type ChangeNumber = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum MessageTarget {
    Destination(DestinationId),
    Contact(ContactId, ChannelId),
}

#[derive(Clone, Debug)]
struct DeadMessage {
    died: Timestamp,
    turn: ChangeNumber,
    incident: Option<IncidentId>,
    /// UUID and name of a contact. `None` for destinations.
    whose: Option<(Uuid, String)>,
    /// Whether the message was checked and counts.
    examined: bool,
}

/// A failed message to a contact that has to be checked before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncheckedMessage {
    pub contact: ContactId,
    pub uuid: Uuid,
    pub channel: ChannelId,
    message: MessageId,
    /// Incident of the message. `None`: a summary, or the incident is known not to matter.
    pub incident: Option<IncidentId>,
}

#[derive(Debug)]
enum Loading {
    /// Holds the messages that were received meanwhile, which are newer than those that are read.
    Needed(FxHashSet<MessageId>),
    Done,
}

impl Default for Loading {
    fn default() -> Self {
        Self::Needed(FxHashSet::default())
    }
}

impl DeadMessages {
    /// Updates the messages. Returns whether the findings about a recipient may change.
    pub fn note(&self, messages: &[Arc<Message>]) -> bool {
        let mut known = self.lock();
        let noted: Vec<bool> = messages.iter().map(|message| known.note(message)).collect();
        noted.contains(&true)
    }

    /// Removes messages that were deleted. Returns whether the findings about a recipient may change.
    pub fn remove(&self, messages: &[Arc<Message>]) -> bool {
        let mut known = self.lock();
        let removed: Vec<bool> = messages.iter().map(|message| known.remove_deleted(message)).collect();
        removed.contains(&true)
    }

    /// Forgets the failed messages, because the file may contain changes that were not received. They are read again.
    pub fn forget(&self) {
        let mut known = self.lock();
        known.dead.clear();
        known.loading = Loading::default();
        known.age += 1;
    }

    /// Reads failed messages from the file, if that was not done yet. Blocks.
    pub fn load(&self, snapshot: impl FnOnce() -> Result<Snapshot, StoreError>) -> Result<(), StoreError> {
        let age = {
            let known = self.lock();
            if matches!(known.loading, Loading::Done) {
                return Ok(());
            }
            known.age
        };
        let snapshot = snapshot()?;
        let mut before = None;
        loop {
            let page = snapshot.messages_page(Messages::Dead, before, PAGE)?;
            before = page.last().map(|message| message.id);
            let mut known = self.lock();
            let Loading::Needed(heard) = &known.loading else { return Ok(()) };
            if known.age != age {
                return Ok(());
            }
            let unheard: Vec<&Message> = page.iter().filter(|message| !heard.contains(&message.id)).collect();
            for message in unheard {
                known.set(message);
            }
            if page.len() < PAGE {
                known.loading = Loading::Done;
                let KnownDeadMessages { dead, delivered, .. } = &mut *known;
                delivered.retain(|place, _| dead.contains_key(place));
                return Ok(());
            }
        }
    }

    /// Returns destinations to which no message was sent since their newest failed message, with the number of messages
    /// that failed since one was sent, and the time at which the newest failed.
    #[must_use]
    pub fn stuck(&self) -> Vec<(DestinationId, usize, Timestamp)> {
        let known = self.lock();
        let stuck = known.dead.keys().filter_map(|place| {
            let MessageTarget::Destination(destination) = place else { return None };
            let since_delivery = known.since_delivery(place);
            let newest = since_delivery.iter().max_by_key(|dead_message| (dead_message.turn, dead_message.died))?;
            Some((*destination, since_delivery.len(), newest.died))
        });
        stuck.collect()
    }

    /// Returns contacts to which no message was sent since their newest failed message.
    #[must_use]
    pub fn unreached(&self) -> Vec<Unreached> {
        let known = self.lock();
        let unreached = known.dead.keys().filter_map(|place| {
            let MessageTarget::Contact(_, channel) = place else { return None };
            let since_delivery = known.since_delivery(place);
            let oldest = since_delivery.iter().map(|dead_message| dead_message.died).min()?;
            let newest = since_delivery.iter().max_by_key(|dead_message| (dead_message.turn, dead_message.died))?;
            let full_name = newest.whose.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
            let messages = since_delivery.len();
            Some(Unreached { channel: *channel, full_name, messages, oldest, newest: newest.died })
        });
        unreached.collect()
    }

    /// Returns one message of each contact with failed messages, and all messages that were not checked yet.
    #[must_use]
    pub fn doubtful(&self) -> Vec<UncheckedMessage> {
        let known = self.lock();
        let mut doubtful = Vec::new();
        for (place, dead) in &known.dead {
            let MessageTarget::Contact(contact, channel) = *place else { continue };
            for (index, (message, dead_message)) in dead.iter().enumerate() {
                if let Some((uuid, _)) = dead_message.whose.as_ref().filter(|_| index == 0 || !dead_message.examined) {
                    let incident = dead_message.incident.filter(|_| !dead_message.examined);
                    doubtful.push(UncheckedMessage { contact, uuid: *uuid, channel, message: *message, incident });
                }
            }
        }
        doubtful
    }

    /// Removes all messages to a contact that was deleted.
    pub fn is_gone(&self, doubtful: &UncheckedMessage) {
        self.lock().dead.remove(&MessageTarget::Contact(doubtful.contact, doubtful.channel));
    }

    /// Notes that a message counts, or removes it if it does not.
    pub fn settle(&self, doubtful: &UncheckedMessage, counts: bool) {
        let place = MessageTarget::Contact(doubtful.contact, doubtful.channel);
        let mut known = self.lock();
        let Some(dead) = known.dead.get_mut(&place) else { return };
        if counts {
            if let Some(dead_message) = dead.get_mut(&doubtful.message) {
                dead_message.examined = true;
            }
            return;
        }
        dead.remove(&doubtful.message);
        if dead.is_empty() {
            known.dead.remove(&place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, KnownDeadMessages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownDeadMessages {
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

    fn since_delivery(&self, place: &MessageTarget) -> Vec<&DeadMessage> {
        let delivered = self.delivered.get(place);
        let dead = self.dead.get(place).into_iter().flat_map(BTreeMap::values);
        dead.filter(|dead_message| delivered.is_none_or(|delivered| dead_message.turn > *delivered)).collect()
    }

    fn remove_deleted(&mut self, message: &Message) -> bool {
        if let Loading::Needed(heard) = &mut self.loading {
            // It may still be in the snapshot that is being read.
            heard.insert(message.id);
        }
        self.deaths.remove(&message.id);
        self.remove(&target(message).0, message.id)
    }

    fn set(&mut self, message: &Message) -> bool {
        let (place, whose) = target(message);
        if let MessageState::Dead { at: died } = message.state {
            let turn = self.deaths.get(&message.id).copied().unwrap_or_default();
            let dead_message = DeadMessage { died, turn, incident: message.incident(), whose, examined: false };
            self.dead.entry(place).or_default().insert(message.id, dead_message);
            return true;
        }
        let is_loading = matches!(self.loading, Loading::Needed(_));
        if matches!(message.state, MessageState::Delivered { .. }) && (is_loading || self.dead.contains_key(&place)) {
            self.delivered.insert(place, self.turn);
        }
        self.remove(&place, message.id)
    }

    fn remove(&mut self, place: &MessageTarget, message: MessageId) -> bool {
        let Some(dead) = self.dead.get_mut(place) else { return false };
        dead.remove(&message);
        if dead.is_empty() {
            self.dead.remove(place);
            if matches!(self.loading, Loading::Done) {
                self.delivered.remove(place);
            }
        }
        true
    }
}

/// Returns the recipient, with UUID and name if it is a contact.
fn target(message: &Message) -> (MessageTarget, Option<(Uuid, String)>) {
    match &message.route {
        Route::Destination { destination, .. } => (MessageTarget::Destination(*destination), None),
        Route::Contact { contact, uuid, full_name, channel, .. } => {
            (MessageTarget::Contact(*contact, *channel), Some((*uuid, full_name.clone())))
        }
    }
}

#[cfg(test)]
mod tests;
