//! The tables of the data file, except those of the kinds of configuration, which declare their own. Keys are bytes
//! that sort in the required order. Values are a version byte and a record.

use redb::TableDefinition;

use super::codec::{AgendaKey, TaskKey, VersionKey};

/// Format of the whole file. A file with a higher number is refused.
pub const FORMAT: u32 = 1;

/// An id or a sequence number, big-endian.
pub type IdKey = [u8; 8];
/// The bytes of a UUID. They sort like its text.
pub type UuidKey = [u8; 16];
pub type UuidPairKey = [u8; 32];
/// Two ids, or a timestamp and an id.
pub type PairKey = [u8; 16];

/// Calls a macro with all tables except those of the kinds in [`super::kind`] and the description of the file: the
/// field of [`super::tables::WriteTables`], the constant, the name in the file, and the types of keys and values. This
/// list and that of kinds determine what is opened and backed up.
macro_rules! all_tables {
    ($with:ident) => {
        $with! {
            incidents: INCIDENT_ID_TO_INCIDENT = "incident_id_to_incident", IdKey => &'static [u8];
            /// (start, id). Covering index in the order of lists, from which the columns in memory are filled.
            summaries: START_TO_SUMMARY = "start_to_summary", PairKey => &'static [u8];
            /// (source, source incident id). Unique, without empty ids.
            source_incident_ids: SOURCE_INCIDENT_ID_TO_INCIDENT_ID = "source_incident_id_to_incident_id",
                &'static [u8] => IdKey;
            /// (incident, event)
            events: EVENT_ID_TO_EVENT = "event_id_to_event", PairKey => &'static [u8];
            /// (timestamp, event)
            event_times: TIMESTAMP_TO_INCIDENT_ID = "timestamp_to_incident_id", PairKey => IdKey;
            /// (incident, event)
            acks: EVENT_ID_TO_ACK = "event_id_to_ack", PairKey => &'static [u8];
            /// The change log.
            changes: SEQ_TO_CHANGE = "seq_to_change", IdKey => &'static [u8];
            /// Preferences of users for the pages. Nothing else depends on them, so they have no versions and are not
            /// in the change log.
            preferences: USER_ID_TO_PREFERENCES = "user_id_to_preferences", IdKey => &'static [u8];
            source_types: SOURCE_TYPE = "source_type", &'static str => ();
            last_seen: SOURCE_ID_TO_LAST_SEEN = "source_id_to_last_seen", IdKey => i64;
            contacts: CONTACT_UUID_TO_CONTACT = "contact_uuid_to_contact", UuidKey => &'static [u8];
            groups: GROUP_UUID_TO_GROUP = "group_uuid_to_group", UuidKey => &'static [u8];
            /// Folded usernames of contacts. Unique.
            contact_usernames: USERNAME_TO_CONTACT_UUID = "username_to_contact_uuid", &'static str => UuidKey;
            /// Folded names of groups. Unique.
            group_names: NAME_TO_GROUP_UUID = "name_to_group_uuid", &'static str => UuidKey;
            /// (group, contact)
            group_contacts: GROUP_CONTACT = "group_contact", UuidPairKey => ();
            /// (channel, contact): contacts by their default channel.
            channel_contacts: CHANNEL_CONTACT = "channel_contact", UuidPairKey => ();
            /// States of the configuration, with the change after which each applied. They are never deleted. An empty
            /// record is a deletion.
            versions: VERSION = "version", VersionKey => &'static [u8];
            /// (incident, version of its set of tags): earlier sets of tags.
            old_tags: TAGS_VERSION_TO_TAGS = "tags_version_to_tags", PairKey => &'static [u8];
            /// The outbox.
            messages: MESSAGE_ID_TO_MESSAGE = "message_id_to_message", IdKey => &'static [u8];
            /// (incident, message)
            incident_messages: INCIDENT_MESSAGE = "incident_message", PairKey => ();
            /// Queued messages.
            due_messages: DUE_MESSAGE = "due_message", IdKey => ();
            /// Failed messages.
            dead_messages: DEAD_MESSAGE = "dead_message", IdKey => ();
            /// (incident, event): near misses.
            near_misses: EVENT_ID_TO_NEAR_MISSES = "event_id_to_near_misses", PairKey => &'static [u8];
            /// Rules whose last event had more contacts than it may notify.
            overflows: RULE_ID_TO_OVERFLOW = "rule_id_to_overflow", IdKey => &'static [u8];
            /// Tasks by the time at which they are due.
            agenda: DUE_TO_TASK = "due_to_task", AgendaKey => &'static [u8];
            /// Due times by task. Each task has one.
            task_due: TASK_TO_DUE = "task_to_due", TaskKey => i64;
            /// Totals, and the last id used by each kind.
            counters: NAME_TO_COUNTER = "name_to_counter", &'static str => u64;
        }
    };
}
pub(super) use all_tables;

macro_rules! define {
    ($($(#[$doc:meta])* $field:ident: $table:ident = $name:literal, $key:ty => $value:ty;)+) => {
        $($(#[$doc])* pub const $table: TableDefinition<'static, $key, $value> = TableDefinition::new($name);)+
    };
}
all_tables!(define);

/// Description of the file: `format` (u32, little-endian) and `generation` (UUID).
pub const NAME_TO_META: TableDefinition<&str, &[u8]> = TableDefinition::new("name_to_meta");
