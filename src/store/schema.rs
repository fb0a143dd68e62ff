//! The tables of the data file, but for those of the kinds of configuration, which say theirs. Keys are bytes in the order that we need; values are a version byte and a record.

use redb::TableDefinition;

use super::codec::{AgendaKey, TaskKey, VersionKey};

/// The format of the file as a whole; a file with a higher number is refused.
pub const FORMAT: u32 = 1;

/// An id, a sequence number: big-endian.
pub type IdKey = [u8; 8];
/// The bytes of a UUID; they sort as its text does.
pub type UuidKey = [u8; 16];
pub type UuidPairKey = [u8; 32];
/// Two of them, or a moment and an id.
pub type PairKey = [u8; 16];

/// Calls a macro with all tables but those of the kinds in [`super::kind`] and the description of the file: the field of
/// [`super::tables::WriteTables`], the constant, the name in the file, and the types of keys and values. What is opened
/// and what is backed up comes from this list and from that of kinds.
macro_rules! all_tables {
    ($with:ident) => {
        $with! {
            incidents: INCIDENT_ID_TO_INCIDENT = "incident_id_to_incident", IdKey => &'static [u8];
            /// A covering index in the order of lists: (start, id). The columns in memory are filled from it.
            summaries: START_TO_SUMMARY = "start_to_summary", PairKey => &'static [u8];
            /// Unique; (source, source incident id), without those that are empty.
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
            /// What users chose for the pages. Nothing else depends on it, so it has no versions and is not in the
            /// change log.
            preferences: USER_ID_TO_PREFERENCES = "user_id_to_preferences", IdKey => &'static [u8];
            source_types: SOURCE_TYPE = "source_type", &'static str => ();
            last_seen: SOURCE_ID_TO_LAST_SEEN = "source_id_to_last_seen", IdKey => i64;
            contacts: CONTACT_UUID_TO_CONTACT = "contact_uuid_to_contact", UuidKey => &'static [u8];
            groups: GROUP_UUID_TO_GROUP = "group_uuid_to_group", UuidKey => &'static [u8];
            /// Unique; folded usernames of contacts.
            contact_usernames: USERNAME_TO_CONTACT_UUID = "username_to_contact_uuid", &'static str => UuidKey;
            /// Unique; folded names of groups.
            group_names: NAME_TO_GROUP_UUID = "name_to_group_uuid", &'static str => UuidKey;
            /// (group, contact)
            group_contacts: GROUP_CONTACT = "group_contact", UuidPairKey => ();
            /// (channel, contact): whose default channel it is.
            channel_contacts: CHANNEL_CONTACT = "channel_contact", UuidPairKey => ();
            /// What the configuration was after which change, for ever; an empty record says that it was deleted.
            versions: VERSION = "version", VersionKey => &'static [u8];
            /// (incident, version of its set of tags): sets that an incident has no more.
            old_tags: TAGS_VERSION_TO_TAGS = "tags_version_to_tags", PairKey => &'static [u8];
            /// The outbox.
            messages: MESSAGE_ID_TO_MESSAGE = "message_id_to_message", IdKey => &'static [u8];
            /// (incident, message)
            incident_messages: INCIDENT_MESSAGE = "incident_message", PairKey => ();
            /// Messages that still have to be sent.
            due_messages: DUE_MESSAGE = "due_message", IdKey => ();
            /// Messages that were given up.
            dead_messages: DEAD_MESSAGE = "dead_message", IdKey => ();
            /// (incident, event): who was nearly told.
            near_misses: EVENT_ID_TO_NEAR_MISSES = "event_id_to_near_misses", PairKey => &'static [u8];
            /// Rules whose last event had more contacts to tell than it may.
            overflows: RULE_ID_TO_OVERFLOW = "rule_id_to_overflow", IdKey => &'static [u8];
            /// What has to be looked at at which time.
            agenda: DUE_TO_TASK = "due_to_task", AgendaKey => &'static [u8];
            /// The same by task, each once.
            task_due: TASK_TO_DUE = "task_to_due", TaskKey => i64;
            /// Totals, and the last id given out of each kind.
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

/// `format` (u32, little-endian) and `generation` (UUID).
pub const NAME_TO_META: TableDefinition<&str, &[u8]> = TableDefinition::new("name_to_meta");
