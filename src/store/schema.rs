//! Every table of the data file. Keys are bytes in the order that we need; values are a version byte and a record.

use redb::TableDefinition;

use super::codec::VersionKey;

/// The format of the file as a whole; a file with a higher number is refused.
pub const FORMAT: u32 = 1;

/// An id, a sequence number: big-endian.
pub type IdKey = [u8; 8];
/// The bytes of a UUID; they sort as its text does.
pub type UuidKey = [u8; 16];
pub type UuidPairKey = [u8; 32];
/// Two of them, or a moment and an id.
pub type PairKey = [u8; 16];

pub const INCIDENT_ID_TO_INCIDENT: TableDefinition<IdKey, &[u8]> = TableDefinition::new("incident_id_to_incident");
/// A covering index in the order of lists: (start, id). The columns in memory are filled from it.
pub const START_TO_SUMMARY: TableDefinition<PairKey, &[u8]> = TableDefinition::new("start_to_summary");
/// Unique; (source, source incident id), without those that are empty.
pub const SOURCE_INCIDENT_ID_TO_INCIDENT_ID: TableDefinition<&[u8], IdKey> =
    TableDefinition::new("source_incident_id_to_incident_id");
/// (incident, event)
pub const EVENT_ID_TO_EVENT: TableDefinition<PairKey, &[u8]> = TableDefinition::new("event_id_to_event");
/// (timestamp, event)
pub const TIMESTAMP_TO_INCIDENT_ID: TableDefinition<PairKey, IdKey> = TableDefinition::new("timestamp_to_incident_id");
/// (incident, event)
pub const EVENT_ID_TO_ACK: TableDefinition<PairKey, &[u8]> = TableDefinition::new("event_id_to_ack");
/// The change log.
pub const SEQ_TO_CHANGE: TableDefinition<IdKey, &[u8]> = TableDefinition::new("seq_to_change");

pub const USER_ID_TO_USER: TableDefinition<IdKey, &[u8]> = TableDefinition::new("user_id_to_user");
/// What users chose for the pages. Nothing else depends on it, so it has no versions and is not in the change log.
pub const USER_ID_TO_PREFERENCES: TableDefinition<IdKey, &[u8]> = TableDefinition::new("user_id_to_preferences");
pub const HASH_TO_TOKEN: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("hash_to_token");
pub const SOURCE_ID_TO_SOURCE: TableDefinition<IdKey, &[u8]> = TableDefinition::new("source_id_to_source");
pub const SOURCE_TYPE: TableDefinition<&str, ()> = TableDefinition::new("source_type");
pub const SOURCE_ID_TO_LAST_SEEN: TableDefinition<IdKey, i64> = TableDefinition::new("source_id_to_last_seen");
pub const TIMESLOT_ID_TO_TIMESLOT: TableDefinition<IdKey, &[u8]> = TableDefinition::new("timeslot_id_to_timeslot");
pub const DESTINATION_ID_TO_DESTINATION: TableDefinition<IdKey, &[u8]> =
    TableDefinition::new("destination_id_to_destination");
pub const FILTER_ID_TO_FILTER: TableDefinition<IdKey, &[u8]> = TableDefinition::new("filter_id_to_filter");
pub const PROFILE_ID_TO_PROFILE: TableDefinition<IdKey, &[u8]> = TableDefinition::new("profile_id_to_profile");
pub const MAINTENANCE_ID_TO_MAINTENANCE: TableDefinition<IdKey, &[u8]> =
    TableDefinition::new("maintenance_id_to_maintenance");
pub const RULE_ID_TO_RULE: TableDefinition<IdKey, &[u8]> = TableDefinition::new("rule_id_to_rule");
pub const CHANNEL_UUID_TO_CHANNEL: TableDefinition<UuidKey, &[u8]> = TableDefinition::new("channel_uuid_to_channel");
pub const CONTACT_UUID_TO_CONTACT: TableDefinition<UuidKey, &[u8]> = TableDefinition::new("contact_uuid_to_contact");
pub const GROUP_UUID_TO_GROUP: TableDefinition<UuidKey, &[u8]> = TableDefinition::new("group_uuid_to_group");
/// Unique; folded usernames of contacts.
pub const USERNAME_TO_CONTACT_UUID: TableDefinition<&str, UuidKey> = TableDefinition::new("username_to_contact_uuid");
/// Unique; folded names of groups.
pub const NAME_TO_GROUP_UUID: TableDefinition<&str, UuidKey> = TableDefinition::new("name_to_group_uuid");
/// (group, contact)
pub const GROUP_CONTACT: TableDefinition<UuidPairKey, ()> = TableDefinition::new("group_contact");
/// (channel, contact): whose default channel it is.
pub const CHANNEL_CONTACT: TableDefinition<UuidPairKey, ()> = TableDefinition::new("channel_contact");
/// What the configuration was after which change, for ever; an empty record says that it was deleted.
pub const VERSION: TableDefinition<VersionKey, &[u8]> = TableDefinition::new("version");
/// (incident, version of its set of tags): sets that an incident has no more.
pub const TAGS_VERSION_TO_TAGS: TableDefinition<PairKey, &[u8]> = TableDefinition::new("tags_version_to_tags");

/// The outbox.
pub const MESSAGE_ID_TO_MESSAGE: TableDefinition<IdKey, &[u8]> = TableDefinition::new("message_id_to_message");
/// (incident, message)
pub const INCIDENT_MESSAGE: TableDefinition<PairKey, ()> = TableDefinition::new("incident_message");
/// Messages that still have to be sent.
pub const DUE_MESSAGE: TableDefinition<IdKey, ()> = TableDefinition::new("due_message");
/// Messages that were given up.
pub const DEAD_MESSAGE: TableDefinition<IdKey, ()> = TableDefinition::new("dead_message");
/// (incident, event): who was nearly told.
pub const EVENT_ID_TO_NEAR_MISSES: TableDefinition<PairKey, &[u8]> = TableDefinition::new("event_id_to_near_misses");

/// Rules whose last event had more contacts to tell than it may.
pub const RULE_ID_TO_OVERFLOW: TableDefinition<IdKey, &[u8]> = TableDefinition::new("rule_id_to_overflow");

/// Totals, and the last id given out of each kind.
pub const NAME_TO_COUNTER: TableDefinition<&str, u64> = TableDefinition::new("name_to_counter");
/// `format` (u32, little-endian) and `generation` (UUID).
pub const NAME_TO_META: TableDefinition<&str, &[u8]> = TableDefinition::new("name_to_meta");
