//! Decides who is notified of an event, in the transaction of the event, and writes messages with their indexes.

use std::sync::Arc;

use redb::ReadableTable;
use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::{
    StoreError,
    codec::{id_key, pair_key},
    index::Applier,
    kind::encode_overflow,
    record::message::{encode_message, encode_near_misses},
    tables::{Reads, WriteTables},
};
use crate::domain::{
    Channel, Committed, Contact, Event, Incident, Message, MessageId, MessageState, MessageSubject, Overflow, Rule,
    Timestamp,
    destination::shows_settings,
    limits::{CALLS_PER_EVENT, WAYS_PER_EVENT},
    message::Route,
    plan::{Intent, NearMissRecipient, NearReason, Occurrence, Plan, plan},
    recipients::{ContactCall, Contacts, ExpandedRule, NotifiedAlready, expand},
};

impl Applier<'_, '_> {
    /// Decides about an event. Its incident was put before it, by the same command or an earlier one.
    pub fn decide(&mut self, event: &Event, done: &mut Committed, at: Timestamp) -> Result<(), StoreError> {
        self.matcher.update(self.directory);
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
        let mut plan = plan(self.matcher, self.directory, &occurrence);
        let calls = if plan.rules.is_empty() { Vec::new() } else { self.calls(&mut plan)? };
        // An incident about an overflow could overflow as well, and would then keep itself open.
        if !self.directory.is_own_source(incident.source) {
            self.note_overflows(&plan, &calls, at)?;
        }
        for intent in std::mem::take(&mut plan.intents) {
            done.messages.push(self.promise(event, to_user(intent), at)?);
        }
        for (rule, call) in calls {
            done.messages.push(self.promise(event, to_contact(&rule, &call), at)?);
        }
        if !plan.near_misses.is_empty() {
            let record = encode_near_misses(&plan.near_misses, plan.more_near_misses)?;
            self.tables.near_misses.insert(pair_key(event.incident.0, event.id.0), record.as_slice())?;
        }
        Ok(())
    }

    /// Returns the notifications of contacts by the rules of the plan. Notes in the plan what prevented others.
    fn calls(&self, plan: &mut Plan) -> Result<Vec<(Arc<Rule>, ContactCall)>, StoreError> {
        let mut notified = NotifiedAlready::default();
        for intent in &plan.intents {
            notified.add_profile(self.directory, intent.user, intent.profile, &intent.destination);
        }
        let mut contacts = StoredContacts { tables: self.tables, read: FxHashMap::default() };
        let mut calls = Vec::new();
        let mut room = WAYS_PER_EVENT;
        for rule in &plan.rules.clone() {
            let ExpandedRule { ways, mut left_out } = expand(rule, self.directory, &mut contacts, room)?;
            room = room.saturating_sub(ways.len());
            if ways.is_empty() && left_out == 0 {
                let recipient = NearMissRecipient::Contact { rule: rule.id, contact: None, channel: None };
                plan.miss(recipient, NearReason::NoDestination);
            }
            for (contact, channel) in ways {
                let reason = match &channel {
                    None => Some(NearReason::NoDestination),
                    Some(channel) if plan.reported_medium.as_ref().is_some_and(|it| channel.depends_on(it)) => {
                        Some(NearReason::Reported)
                    }
                    Some(channel) if calls.len() >= CALLS_PER_EVENT => {
                        let reason = notified.against(&contact, channel);
                        if reason.is_none() {
                            left_out = left_out.saturating_add(1);
                            continue;
                        }
                        reason
                    }
                    Some(channel) => notified.call(rule.id, &contact, channel),
                };
                let recipient = NearMissRecipient::Contact {
                    rule: rule.id,
                    contact: Some(contact.id),
                    channel: channel.as_ref().map(|channel| channel.id),
                };
                match (reason, channel) {
                    (None, Some(channel)) => calls.push((Arc::clone(rule), ContactCall { contact, channel })),
                    (reason, _) => plan.miss(recipient, reason.unwrap_or(NearReason::NoDestination)),
                }
            }
            if left_out > 0 {
                plan.leave_out(rule.id, u32::try_from(left_out).unwrap_or(u32::MAX));
            }
        }
        Ok(calls)
    }

    /// Stores the overflow of each rule's last event, or deletes it if no contact was left out.
    fn note_overflows(
        &mut self,
        plan: &Plan,
        calls: &[(Arc<Rule>, ContactCall)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for rule in &plan.rules {
            let key = id_key(rule.id.0);
            if let Some(left_out) = plan.left_out(rule.id) {
                let notified = calls.iter().filter(|(by, _)| by.id == rule.id).count();
                let overflow =
                    Overflow { rule: rule.id, at, notified: u32::try_from(notified).unwrap_or(u32::MAX), left_out };
                self.tables.overflows.insert(key, encode_overflow(&overflow)?.as_slice())?;
            } else if self.tables.overflows.get(key)?.is_some() {
                self.tables.overflows.remove(key)?;
            }
        }
        Ok(())
    }

    fn promise(
        &mut self,
        event: &Event,
        (route, address): (Route, String),
        now: Timestamp,
    ) -> Result<Arc<Message>, StoreError> {
        self.counters.last_message += 1;
        self.put_message(Message {
            id: MessageId(self.counters.last_message),
            created: now,
            about: MessageSubject::Event { incident: event.incident, event: event.id },
            route,
            address,
            state: MessageState::Due { at: now, since: now },
            attempts: 0,
            last_attempt: None,
            answer: String::new(),
        })
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

/// Contacts as the transaction sees them. Each is read once.
struct StoredContacts<'a, 't> {
    tables: &'a WriteTables<'t>,
    read: FxHashMap<Uuid, Option<Arc<Contact>>>,
}

impl Contacts for StoredContacts<'_, '_> {
    type Error = StoreError;

    fn contact(&mut self, uuid: Uuid) -> Result<Option<Arc<Contact>>, StoreError> {
        if let Some(contact) = self.read.get(&uuid) {
            return Ok(contact.clone());
        }
        let contact = self.tables.contact(uuid)?.map(Arc::new);
        self.read.insert(uuid, contact.clone());
        Ok(contact)
    }

    fn members_of(&mut self, group: Uuid) -> Result<Vec<Uuid>, StoreError> {
        self.tables.members_of(group)
    }
}

/// Returns the route, with the address as people may read it.
fn to_user(intent: Intent) -> (Route, String) {
    let Intent { user, profile, destination } = intent;
    let medium = destination.medium.clone();
    (Route::Destination { user, profile, destination: destination.id, medium }, destination.shown())
}

fn to_contact(rule: &Rule, call: &ContactCall) -> (Route, String) {
    let (contact, channel) = (&call.contact, &call.channel);
    let route = Route::Contact {
        rule: rule.id,
        contact: contact.id,
        uuid: contact.uuid,
        full_name: contact.full_name.clone(),
        channel: channel.id,
        medium: channel.kind.clone(),
    };
    (route, shown(contact, channel))
}

/// Returns the address, unless it is of a type whose address may be all that is needed to post.
fn shown(contact: &Contact, channel: &Channel) -> String {
    if shows_settings(&channel.kind) { channel.address_of(contact).unwrap_or_default() } else { String::new() }
}
