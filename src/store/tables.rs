//! Typed reads over the tables, the same for snapshots and for the transaction that is being written.

use redb::{ReadableTable, Table, WriteTransaction};
use uuid::Uuid;

use super::{
    StoreError,
    codec::{VersionKey, id_key, key_pair, pair_key, pairs_of, source_incident_key},
    contacts,
    record::{
        event::{decode_ack, decode_event},
        incident::decode_incident,
        message::decode_message,
        preferences::decode_preferences,
    },
    schema::{
        CHANNEL_CONTACT, CHANNEL_UUID_TO_CHANNEL, CONTACT_UUID_TO_CONTACT, DEAD_MESSAGE, DESTINATION_ID_TO_DESTINATION,
        DUE_MESSAGE, EVENT_ID_TO_ACK, EVENT_ID_TO_EVENT, EVENT_ID_TO_NEAR_MISSES, FILTER_ID_TO_FILTER, GROUP_CONTACT,
        GROUP_UUID_TO_GROUP, HASH_TO_TOKEN, INCIDENT_ID_TO_INCIDENT, INCIDENT_MESSAGE, IdKey,
        MAINTENANCE_ID_TO_MAINTENANCE, MESSAGE_ID_TO_MESSAGE, NAME_TO_COUNTER, NAME_TO_GROUP_UUID,
        PROFILE_ID_TO_PROFILE, PairKey, RULE_ID_TO_OVERFLOW, RULE_ID_TO_RULE, SEQ_TO_CHANGE, SOURCE_ID_TO_LAST_SEEN,
        SOURCE_ID_TO_SOURCE, SOURCE_INCIDENT_ID_TO_INCIDENT_ID, SOURCE_TYPE, START_TO_SUMMARY, TAGS_VERSION_TO_TAGS,
        TIMESLOT_ID_TO_TIMESLOT, TIMESTAMP_TO_INCIDENT_ID, USER_ID_TO_PREFERENCES, USER_ID_TO_USER,
        USERNAME_TO_CONTACT_UUID, UuidKey, UuidPairKey, VERSION,
    },
};
use crate::domain::{
    ack::Acknowledgement,
    contact::{Contact, ContactGroup},
    event::Event,
    ids::{EventId, IncidentId, MessageId, SourceId, UserId},
    incident::Incident,
    message::Message,
    preferences::Preferences,
};

/// All tables, open for writing.
pub struct WriteTables<'t> {
    pub incidents: Table<'t, IdKey, &'static [u8]>,
    pub summaries: Table<'t, PairKey, &'static [u8]>,
    pub source_incident_ids: Table<'t, &'static [u8], IdKey>,
    pub events: Table<'t, PairKey, &'static [u8]>,
    pub event_times: Table<'t, PairKey, IdKey>,
    pub acks: Table<'t, PairKey, &'static [u8]>,
    pub changes: Table<'t, IdKey, &'static [u8]>,
    pub users: Table<'t, IdKey, &'static [u8]>,
    pub preferences: Table<'t, IdKey, &'static [u8]>,
    pub tokens: Table<'t, [u8; 32], &'static [u8]>,
    pub sources: Table<'t, IdKey, &'static [u8]>,
    pub source_types: Table<'t, &'static str, ()>,
    pub last_seen: Table<'t, IdKey, i64>,
    pub timeslots: Table<'t, IdKey, &'static [u8]>,
    pub destinations: Table<'t, IdKey, &'static [u8]>,
    pub filters: Table<'t, IdKey, &'static [u8]>,
    pub profiles: Table<'t, IdKey, &'static [u8]>,
    pub maintenances: Table<'t, IdKey, &'static [u8]>,
    pub rules: Table<'t, IdKey, &'static [u8]>,
    pub versions: Table<'t, VersionKey, &'static [u8]>,
    pub old_tags: Table<'t, PairKey, &'static [u8]>,
    pub messages: Table<'t, IdKey, &'static [u8]>,
    pub incident_messages: Table<'t, PairKey, ()>,
    pub due_messages: Table<'t, IdKey, ()>,
    pub dead_messages: Table<'t, IdKey, ()>,
    pub overflows: Table<'t, IdKey, &'static [u8]>,
    pub near_misses: Table<'t, PairKey, &'static [u8]>,
    pub channels: Table<'t, UuidKey, &'static [u8]>,
    pub contacts: Table<'t, UuidKey, &'static [u8]>,
    pub groups: Table<'t, UuidKey, &'static [u8]>,
    pub contact_usernames: Table<'t, &'static str, UuidKey>,
    pub group_names: Table<'t, &'static str, UuidKey>,
    pub group_contacts: Table<'t, UuidPairKey, ()>,
    pub channel_contacts: Table<'t, UuidPairKey, ()>,
    pub counters: Table<'t, &'static str, u64>,
}

impl<'t> WriteTables<'t> {
    /// Creates those that are missing.
    pub fn open(txn: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            incidents: txn.open_table(INCIDENT_ID_TO_INCIDENT)?,
            summaries: txn.open_table(START_TO_SUMMARY)?,
            source_incident_ids: txn.open_table(SOURCE_INCIDENT_ID_TO_INCIDENT_ID)?,
            events: txn.open_table(EVENT_ID_TO_EVENT)?,
            event_times: txn.open_table(TIMESTAMP_TO_INCIDENT_ID)?,
            acks: txn.open_table(EVENT_ID_TO_ACK)?,
            changes: txn.open_table(SEQ_TO_CHANGE)?,
            users: txn.open_table(USER_ID_TO_USER)?,
            preferences: txn.open_table(USER_ID_TO_PREFERENCES)?,
            tokens: txn.open_table(HASH_TO_TOKEN)?,
            sources: txn.open_table(SOURCE_ID_TO_SOURCE)?,
            source_types: txn.open_table(SOURCE_TYPE)?,
            last_seen: txn.open_table(SOURCE_ID_TO_LAST_SEEN)?,
            timeslots: txn.open_table(TIMESLOT_ID_TO_TIMESLOT)?,
            destinations: txn.open_table(DESTINATION_ID_TO_DESTINATION)?,
            filters: txn.open_table(FILTER_ID_TO_FILTER)?,
            profiles: txn.open_table(PROFILE_ID_TO_PROFILE)?,
            maintenances: txn.open_table(MAINTENANCE_ID_TO_MAINTENANCE)?,
            rules: txn.open_table(RULE_ID_TO_RULE)?,
            versions: txn.open_table(VERSION)?,
            old_tags: txn.open_table(TAGS_VERSION_TO_TAGS)?,
            messages: txn.open_table(MESSAGE_ID_TO_MESSAGE)?,
            incident_messages: txn.open_table(INCIDENT_MESSAGE)?,
            due_messages: txn.open_table(DUE_MESSAGE)?,
            dead_messages: txn.open_table(DEAD_MESSAGE)?,
            overflows: txn.open_table(RULE_ID_TO_OVERFLOW)?,
            near_misses: txn.open_table(EVENT_ID_TO_NEAR_MISSES)?,
            channels: txn.open_table(CHANNEL_UUID_TO_CHANNEL)?,
            contacts: txn.open_table(CONTACT_UUID_TO_CONTACT)?,
            groups: txn.open_table(GROUP_UUID_TO_GROUP)?,
            contact_usernames: txn.open_table(USERNAME_TO_CONTACT_UUID)?,
            group_names: txn.open_table(NAME_TO_GROUP_UUID)?,
            group_contacts: txn.open_table(GROUP_CONTACT)?,
            channel_contacts: txn.open_table(CHANNEL_CONTACT)?,
            counters: txn.open_table(NAME_TO_COUNTER)?,
        })
    }
}

/// What a command may read while it decides.
pub trait Reads {
    fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError>;
    fn incident_with_source_id(&self, source: SourceId, id: &str) -> Result<Option<IncidentId>, StoreError>;
    fn event(&self, incident: IncidentId, event: EventId) -> Result<Option<Event>, StoreError>;
    fn events_of(&self, incident: IncidentId) -> Result<Vec<Event>, StoreError>;
    fn events_after(&self, incident: IncidentId, event: EventId) -> Result<Vec<Event>, StoreError>;
    fn ack(&self, incident: IncidentId, event: EventId) -> Result<Option<Acknowledgement>, StoreError>;
    fn acks_of(&self, incident: IncidentId) -> Result<Vec<Acknowledgement>, StoreError>;
    fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError>;
    fn preferences(&self, user: UserId) -> Result<Option<Preferences>, StoreError>;
    fn contact(&self, uuid: Uuid) -> Result<Option<Contact>, StoreError>;
    fn contact_named(&self, username: &str) -> Result<Option<Uuid>, StoreError>;
    fn contact_group(&self, uuid: Uuid) -> Result<Option<ContactGroup>, StoreError>;
    fn contact_group_named(&self, name: &str) -> Result<Option<Uuid>, StoreError>;
    fn members_of(&self, group: Uuid) -> Result<Vec<Uuid>, StoreError>;
    fn is_default_channel(&self, channel: Uuid) -> Result<bool, StoreError>;
}

impl Reads for WriteTables<'_> {
    fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        incident(&self.incidents, id)
    }

    fn incident_with_source_id(&self, source: SourceId, id: &str) -> Result<Option<IncidentId>, StoreError> {
        incident_with_source_id(&self.source_incident_ids, source, id)
    }

    fn event(&self, incident: IncidentId, id: EventId) -> Result<Option<Event>, StoreError> {
        event(&self.events, incident, id)
    }

    fn events_of(&self, incident: IncidentId) -> Result<Vec<Event>, StoreError> {
        events_of(&self.events, incident)
    }

    fn events_after(&self, incident: IncidentId, event: EventId) -> Result<Vec<Event>, StoreError> {
        of_incident_from(&self.events, incident, event.0.saturating_add(1), decode_event)
    }

    fn ack(&self, incident: IncidentId, id: EventId) -> Result<Option<Acknowledgement>, StoreError> {
        ack(&self.acks, incident, id)
    }

    fn acks_of(&self, incident: IncidentId) -> Result<Vec<Acknowledgement>, StoreError> {
        acks_of(&self.acks, incident)
    }

    fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        message(&self.messages, id)
    }

    fn preferences(&self, user: UserId) -> Result<Option<Preferences>, StoreError> {
        preferences(&self.preferences, user)
    }

    fn contact(&self, uuid: Uuid) -> Result<Option<Contact>, StoreError> {
        contacts::contact(&self.contacts, uuid)
    }

    fn contact_named(&self, username: &str) -> Result<Option<Uuid>, StoreError> {
        contacts::named(&self.contact_usernames, username)
    }

    fn contact_group(&self, uuid: Uuid) -> Result<Option<ContactGroup>, StoreError> {
        contacts::contact_group(&self.groups, uuid)
    }

    fn contact_group_named(&self, name: &str) -> Result<Option<Uuid>, StoreError> {
        contacts::named(&self.group_names, name)
    }

    fn members_of(&self, group: Uuid) -> Result<Vec<Uuid>, StoreError> {
        contacts::members_of(&self.group_contacts, group)
    }

    fn is_default_channel(&self, channel: Uuid) -> Result<bool, StoreError> {
        let mut contacts = self.channel_contacts.range(pairs_of(channel))?;
        Ok(contacts.next().transpose()?.is_some())
    }
}

pub fn incident(
    table: &impl ReadableTable<IdKey, &'static [u8]>,
    id: IncidentId,
) -> Result<Option<Incident>, StoreError> {
    table.get(id_key(id.0))?.map(|value| decode_incident(id.0, value.value())).transpose()
}

pub fn message(table: &impl ReadableTable<IdKey, &'static [u8]>, id: MessageId) -> Result<Option<Message>, StoreError> {
    table.get(id_key(id.0))?.map(|value| decode_message(id.0, value.value())).transpose()
}

pub fn incident_with_source_id(
    table: &impl ReadableTable<&'static [u8], IdKey>,
    source: SourceId,
    source_incident_id: &str,
) -> Result<Option<IncidentId>, StoreError> {
    let key = source_incident_key(source.0, source_incident_id);
    Ok(table.get(key.as_slice())?.map(|id| IncidentId(u64::from_be_bytes(id.value()))))
}

pub fn event(
    table: &impl ReadableTable<PairKey, &'static [u8]>,
    incident: IncidentId,
    event: EventId,
) -> Result<Option<Event>, StoreError> {
    table.get(pair_key(incident.0, event.0))?.map(|value| decode_event(incident.0, event.0, value.value())).transpose()
}

pub fn events_of(
    table: &impl ReadableTable<PairKey, &'static [u8]>,
    incident: IncidentId,
) -> Result<Vec<Event>, StoreError> {
    of_incident(table, incident, decode_event)
}

pub fn ack(
    table: &impl ReadableTable<PairKey, &'static [u8]>,
    incident: IncidentId,
    event: EventId,
) -> Result<Option<Acknowledgement>, StoreError> {
    table.get(pair_key(incident.0, event.0))?.map(|value| decode_ack(incident.0, event.0, value.value())).transpose()
}

pub fn acks_of(
    table: &impl ReadableTable<PairKey, &'static [u8]>,
    incident: IncidentId,
) -> Result<Vec<Acknowledgement>, StoreError> {
    of_incident(table, incident, decode_ack)
}

fn of_incident<T>(
    table: &impl ReadableTable<PairKey, &'static [u8]>,
    incident: IncidentId,
    decode: impl Fn(u64, u64, &[u8]) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    of_incident_from(table, incident, 0, decode)
}

fn of_incident_from<T>(
    table: &impl ReadableTable<PairKey, &'static [u8]>,
    incident: IncidentId,
    first: u64,
    decode: impl Fn(u64, u64, &[u8]) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::new();
    for row in table.range::<PairKey>(pair_key(incident.0, first)..=pair_key(incident.0, u64::MAX))? {
        let (key, value) = row?;
        let (incident, id) = key_pair(key.value());
        rows.push(decode(incident, id, value.value())?);
    }
    Ok(rows)
}

pub fn preferences(
    table: &impl ReadableTable<IdKey, &'static [u8]>,
    user: UserId,
) -> Result<Option<Preferences>, StoreError> {
    table.get(id_key(user.0))?.map(|record| decode_preferences(record.value())).transpose()
}
