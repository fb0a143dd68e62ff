//! Reads the configuration into memory when the data file is opened.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable, TableError};

use super::{
    StoreError,
    codec::{key_id, timestamp},
    counters::Counters,
    record::configuration::{
        decode_destination, decode_filter, decode_source, decode_timeslot, decode_token, decode_user,
    },
    schema::{
        DESTINATION_ID_TO_DESTINATION, FILTER_ID_TO_FILTER, HASH_TO_TOKEN, NAME_TO_COUNTER, SOURCE_ID_TO_LAST_SEEN,
        SOURCE_ID_TO_SOURCE, SOURCE_TYPE, TIMESLOT_ID_TO_TIMESLOT, USER_ID_TO_USER,
    },
};
use crate::domain::{
    directory::Directory,
    ids::{DestinationId, FilterId, SourceId, TimeslotId},
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
    // Files that are older than filters do not have the table yet.
    let filters = match txn.open_table(FILTER_ID_TO_FILTER) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(directory),
        filters => filters?,
    };
    for row in filters.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        directory.filters.insert(FilterId(id), Arc::new(decode_filter(id, value.value())?));
    }
    Ok(directory)
}

pub fn last_seen(txn: &ReadTransaction) -> Result<Vec<(SourceId, Timestamp)>, StoreError> {
    let mut seen = Vec::new();
    for row in txn.open_table(SOURCE_ID_TO_LAST_SEEN)?.iter()? {
        let (key, value) = row?;
        seen.push((SourceId(key_id(key.value())), timestamp(value.value())?));
    }
    Ok(seen)
}
