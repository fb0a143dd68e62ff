//! Decides who is told of an event, in the event's own transaction, and writes messages with their indexes.

use std::sync::Arc;

use super::{
    StoreError,
    codec::{id_key, pair_key},
    index::Applier,
    record::message::{encode_message, encode_near_misses},
    tables::Reads,
};
use crate::domain::{
    change::Committed,
    event::Event,
    ids::MessageId,
    incident::Incident,
    message::{About, Message, Route, State},
    plan::{Intent, Occurrence, plan},
    subscription::Subscriptions,
    time::Timestamp,
};

impl Applier<'_, '_> {
    /// The event's incident was put before it, by this command.
    pub fn decide(&mut self, event: &Event, done: &mut Committed, at: Timestamp) -> Result<(), StoreError> {
        if self.subscriptions.revision != self.directory.revision {
            *self.subscriptions = Arc::new(Subscriptions::compile(self.directory));
        }
        let staged =
            done.incidents.iter().rev().find_map(|change| change.after.as_ref().filter(|it| it.id == event.incident));
        let incident: Arc<Incident> = match staged {
            Some(incident) => Arc::clone(incident),
            None => Arc::new(self.tables.incident(event.incident)?.ok_or_else(|| {
                StoreError::Damaged(format!("event {} has no incident {}", event.id, event.incident))
            })?),
        };
        let has_ticket = !incident.ticket_url.is_empty();
        let occurrence =
            Occurrence::new(event, incident.source, incident.end.is_stateful(), has_ticket, &incident.tags);
        let plan = plan(self.subscriptions, &occurrence);
        for intent in plan.intents {
            self.counters.last_message += 1;
            let id = MessageId(self.counters.last_message);
            done.messages.push(self.put_message(message(id, event, intent, at))?);
        }
        if !plan.near_misses.is_empty() {
            let record = encode_near_misses(&plan.near_misses, plan.more_near_misses)?;
            self.tables.near_misses.insert(pair_key(event.incident.0, event.id.0), record.as_slice())?;
        }
        Ok(())
    }

    pub fn put_message(&mut self, message: Message) -> Result<Arc<Message>, StoreError> {
        let key = id_key(message.id.0);
        let is_new = self.tables.messages.insert(key, encode_message(&message)?.as_slice())?.is_none();
        if let Some(incident) = message.incident().filter(|_| is_new) {
            self.tables.incident_messages.insert(pair_key(incident.0, message.id.0), ())?;
        }
        if message.is_due() {
            self.tables.due_messages.insert(key, ())?;
        } else {
            self.tables.due_messages.remove(key)?;
        }
        if message.is_dead() {
            self.tables.dead_messages.insert(key, ())?;
        } else if !is_new {
            self.tables.dead_messages.remove(key)?;
        }
        Ok(Arc::new(message))
    }
}

fn message(id: MessageId, event: &Event, intent: Intent, now: Timestamp) -> Message {
    let Intent { user, profile, destination } = intent;
    Message {
        id,
        created: now,
        about: About::Event { incident: event.incident, event: event.id },
        address: destination.shown(),
        route: Route::Destination { user, profile, destination: destination.id, medium: destination.medium.clone() },
        state: State::Due { at: now, since: now },
        attempts: 0,
        last_attempt: None,
        answer: String::new(),
    }
}
