//! Every table of the data file. Keys are bytes in the order that we need; values are a version byte and a record.

use redb::TableDefinition;

/// The format of the file as a whole; a file with a higher number is refused.
pub const FORMAT: u32 = 1;

/// An id, a sequence number: big-endian.
pub type IdKey = [u8; 8];
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
pub const HASH_TO_TOKEN: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("hash_to_token");
pub const SOURCE_ID_TO_SOURCE: TableDefinition<IdKey, &[u8]> = TableDefinition::new("source_id_to_source");
pub const SOURCE_TYPE: TableDefinition<&str, ()> = TableDefinition::new("source_type");
pub const SOURCE_ID_TO_LAST_SEEN: TableDefinition<IdKey, i64> = TableDefinition::new("source_id_to_last_seen");
pub const TIMESLOT_ID_TO_TIMESLOT: TableDefinition<IdKey, &[u8]> = TableDefinition::new("timeslot_id_to_timeslot");
pub const DESTINATION_ID_TO_DESTINATION: TableDefinition<IdKey, &[u8]> =
    TableDefinition::new("destination_id_to_destination");
pub const FILTER_ID_TO_FILTER: TableDefinition<IdKey, &[u8]> = TableDefinition::new("filter_id_to_filter");

/// Totals, and the last id given out of each kind.
pub const NAME_TO_COUNTER: TableDefinition<&str, u64> = TableDefinition::new("name_to_counter");
/// `format` (u32, little-endian) and `generation` (UUID).
pub const NAME_TO_META: TableDefinition<&str, &[u8]> = TableDefinition::new("name_to_meta");
