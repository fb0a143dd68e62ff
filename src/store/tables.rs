//! Typed reads of the tables, the same for snapshots and for the write transaction.

use redb::{ReadableTable, Table, WriteTransaction};
use uuid::Uuid;

use super::{
    StoreError,
    codec::{AgendaKey, TaskKey, VersionKey, id_key, key_pair, pair_key, pairs_of, source_incident_key},
    contacts,
    kind::KINDS,
    record::{
        event::{decode_ack, decode_event},
        incident::decode_incident,
        message::decode_message,
        preferences::decode_preferences,
    },
    schema::{self, IdKey, PairKey, UuidKey, UuidPairKey, all_tables},
};
use crate::domain::{
    Acknowledgement, Contact, ContactGroup, Event, EventId, Incident, IncidentId, Message, MessageId, Preferences,
    SourceId, UserId,
};

macro_rules! write_tables {
    ($($(#[$doc:meta])* $field:ident: $table:ident = $name:literal, $key:ty => $value:ty;)+) => {
        /// The tables, open for writing, except those of kinds.
        pub struct WriteTables<'t> {
            $(pub $field: Table<'t, $key, $value>,)+
            /// Transaction in which the tables of kinds are opened, which are written one at a time.
            pub txn: &'t WriteTransaction,
        }

        impl<'t> WriteTables<'t> {
            /// Opens the tables, and creates missing ones.
            pub fn open(txn: &'t WriteTransaction) -> Result<Self, StoreError> {
                Ok(Self { $($field: txn.open_table(schema::$table)?,)+ txn })
            }
        }
    };
}
all_tables!(write_tables);

/// Creates missing tables.
pub fn create(txn: &WriteTransaction) -> Result<(), StoreError> {
    WriteTables::open(txn)?;
    KINDS.iter().try_for_each(|kind| kind.create_table(txn))
}

/// Reads that a command can do while it decides.
pub trait Reads {
    fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError>;
    fn incident_with_source_id(&self, source: SourceId, id: &str) -> Result<Option<IncidentId>, StoreError>;
    fn event(&self, incident: IncidentId, event: EventId) -> Result<Option<Event>, StoreError>;
    /// Returns the events of an incident, sorted by id.
    fn events_of(&self, incident: IncidentId) -> Result<Vec<Event>, StoreError>;
    /// Returns the events of an incident that were added after `event`, sorted by id.
    fn events_after(&self, incident: IncidentId, event: EventId) -> Result<Vec<Event>, StoreError>;
    fn ack(&self, incident: IncidentId, event: EventId) -> Result<Option<Acknowledgement>, StoreError>;
    /// Returns the acknowledgements of an incident, sorted by id of the event.
    fn acks_of(&self, incident: IncidentId) -> Result<Vec<Acknowledgement>, StoreError>;
    /// Returns the messages about an incident, sorted by id.
    fn messages_of(&self, incident: IncidentId) -> Result<Vec<Message>, StoreError>;
    /// Returns a message of the outbox.
    fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError>;
    /// Returns the preferences. `None`: the user has not set any.
    fn preferences(&self, user: UserId) -> Result<Option<Preferences>, StoreError>;
    fn contact(&self, uuid: Uuid) -> Result<Option<Contact>, StoreError>;
    /// Returns the contact with this username, regardless of case.
    fn contact_named(&self, username: &str) -> Result<Option<Uuid>, StoreError>;
    fn contact_group(&self, uuid: Uuid) -> Result<Option<ContactGroup>, StoreError>;
    /// Returns the contact group with this name, regardless of case.
    fn contact_group_named(&self, name: &str) -> Result<Option<Uuid>, StoreError>;
    /// Returns the members of a contact group, sorted by UUID.
    fn members_of(&self, group: Uuid) -> Result<Vec<Uuid>, StoreError>;
    /// Returns whether the channel is the default channel of a contact.
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

    fn messages_of(&self, incident: IncidentId) -> Result<Vec<Message>, StoreError> {
        let mut found = Vec::new();
        for row in self.incident_messages.range(pair_key(incident.0, 0)..=pair_key(incident.0, u64::MAX))? {
            let (_, id) = key_pair(row?.0.value());
            found.extend(message(&self.messages, MessageId(id))?);
        }
        Ok(found)
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
