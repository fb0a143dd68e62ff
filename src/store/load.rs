//! Reads the configuration into memory when the data file is opened.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};
use uuid::Uuid;

use super::{
    StoreError,
    codec::{key_id, timestamp, version_key},
    counters::Counters,
    record::{
        configuration::{decode_destination, decode_filter, decode_source, decode_timeslot, decode_token, decode_user},
        contact::{decode_channel, decode_channel_version},
        rule::decode_rule,
        subscription::{decode_maintenance, decode_profile, decode_settings},
        version::{split_version_key, subject_byte},
    },
    schema::{
        CHANNEL_UUID_TO_CHANNEL, DESTINATION_ID_TO_DESTINATION, FILTER_ID_TO_FILTER, HASH_TO_TOKEN,
        MAINTENANCE_ID_TO_MAINTENANCE, NAME_TO_COUNTER, PROFILE_ID_TO_PROFILE, RULE_ID_TO_RULE, SOURCE_ID_TO_LAST_SEEN,
        SOURCE_ID_TO_SOURCE, SOURCE_TYPE, TIMESLOT_ID_TO_TIMESLOT, USER_ID_TO_USER, VERSION,
    },
};
use crate::domain::{
    change::Subject,
    directory::Directory,
    ids::{DestinationId, FilterId, MaintenanceId, ProfileId, RuleId, Seq, SourceId, TimeslotId},
    time::Timestamp,
};

pub fn counters(txn: &ReadTransaction) -> Result<Counters, StoreError> {
    Counters::load(&txn.open_table(NAME_TO_COUNTER)?)
}

pub fn directory(txn: &ReadTransaction) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    for row in txn.open_table(USER_ID_TO_USER)?.iter()? {
        let (key, value) = row?;
        directory.put_user(decode_user(key_id(key.value()), value.value())?);
    }
    for row in txn.open_table(HASH_TO_TOKEN)?.iter()? {
        let (key, value) = row?;
        directory.put_token(decode_token(key.value(), value.value())?);
    }
    for row in txn.open_table(SOURCE_ID_TO_SOURCE)?.iter()? {
        let (key, value) = row?;
        directory.put_source(decode_source(key_id(key.value()), value.value())?);
    }
    for row in txn.open_table(SOURCE_TYPE)?.iter()? {
        directory.source_types.insert(row?.0.value().to_owned());
    }
    for row in txn.open_table(TIMESLOT_ID_TO_TIMESLOT)?.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        directory.timeslots.insert(TimeslotId(id), Arc::new(decode_timeslot(id, value.value())?));
    }
    for row in txn.open_table(DESTINATION_ID_TO_DESTINATION)?.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        directory.destinations.insert(DestinationId(id), Arc::new(decode_destination(id, value.value())?));
    }
    for row in txn.open_table(FILTER_ID_TO_FILTER)?.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        directory.filters.insert(FilterId(id), Arc::new(decode_filter(id, value.value())?));
    }
    for row in txn.open_table(PROFILE_ID_TO_PROFILE)?.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        directory.profiles.insert(ProfileId(id), Arc::new(decode_profile(id, value.value())?));
    }
    for row in txn.open_table(MAINTENANCE_ID_TO_MAINTENANCE)?.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        directory.maintenances.insert(MaintenanceId(id), Arc::new(decode_maintenance(id, value.value())?));
    }
    for row in txn.open_table(RULE_ID_TO_RULE)?.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        directory.rules.insert(RuleId(id), Arc::new(decode_rule(id, value.value())?));
    }
    for row in txn.open_table(CHANNEL_UUID_TO_CHANNEL)?.iter()? {
        let (key, value) = row?;
        let channel = decode_channel(Uuid::from_bytes(key.value()), value.value())?;
        directory.channels.insert(channel.uuid, Arc::new(channel));
    }
    let settings = version_key(Subject::Settings, 0, 0)..=version_key(Subject::Settings, 0, u64::MAX);
    if let Some(row) = txn.open_table(VERSION)?.range(settings)?.next_back() {
        directory.settings = Arc::new(decode_settings(row?.1.value())?);
    }
    Ok(directory)
}

/// The configuration as it was after change `seq`, as far as decisions depend on it, without secrets. Blocking, and as
/// slow as there are versions. Contacts and their groups are not part of it; see `Snapshot::contact_at`.
pub fn directory_at(txn: &ReadTransaction, seq: Seq) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    let versions = txn.open_table(VERSION)?;
    let mut rows = versions.range(..version_key(Subject::Contact, 0, 0))?.peekable();
    while let Some(row) = rows.next() {
        let (key, value) = row?;
        let (subject, id, at) = split_version_key(key.value());
        if at > seq.0 {
            continue;
        }
        let is_last = !rows.peek().is_some_and(|next| {
            next.as_ref().is_ok_and(|(key, _)| {
                let (next_subject, next_id, next_at) = split_version_key(key.value());
                (next_subject, next_id) == (subject, id) && next_at <= seq.0
            })
        });
        if is_last && !value.value().is_empty() {
            put_version(&mut directory, subject, id, value.value())?;
        }
    }
    Ok(directory)
}

fn put_version(directory: &mut Directory, subject: u8, id: u64, record: &[u8]) -> Result<(), StoreError> {
    let is = |other| subject == subject_byte(other);
    if is(Subject::User) {
        directory.put_user(decode_user(id, record)?);
    } else if is(Subject::Source) {
        let source = decode_source(id, record)?;
        directory.source_types.insert(source.source_type.clone());
        directory.put_source(source);
    } else if is(Subject::Timeslot) {
        directory.timeslots.insert(TimeslotId(id), Arc::new(decode_timeslot(id, record)?));
    } else if is(Subject::Destination) {
        directory.destinations.insert(DestinationId(id), Arc::new(decode_destination(id, record)?));
    } else if is(Subject::Filter) {
        directory.filters.insert(FilterId(id), Arc::new(decode_filter(id, record)?));
    } else if is(Subject::Profile) {
        directory.profiles.insert(ProfileId(id), Arc::new(decode_profile(id, record)?));
    } else if is(Subject::Maintenance) {
        directory.maintenances.insert(MaintenanceId(id), Arc::new(decode_maintenance(id, record)?));
    } else if is(Subject::Rule) {
        directory.rules.insert(RuleId(id), Arc::new(decode_rule(id, record)?));
    } else if is(Subject::Channel) {
        let channel = decode_channel_version(record)?;
        directory.channels.insert(channel.uuid, Arc::new(channel));
    } else if is(Subject::Settings) {
        directory.settings = Arc::new(decode_settings(record)?);
    }
    Ok(())
}

pub fn last_seen(txn: &ReadTransaction) -> Result<Vec<(SourceId, Timestamp)>, StoreError> {
    let mut seen = Vec::new();
    for row in txn.open_table(SOURCE_ID_TO_LAST_SEEN)?.iter()? {
        let (key, value) = row?;
        seen.push((SourceId(key_id(key.value())), timestamp(value.value())?));
    }
    Ok(seen)
}
