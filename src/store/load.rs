//! Reads the configuration into memory when the data file is opened.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable, TableDefinition, TableHandle};

use super::{
    StoreError,
    codec::{key_id, split_version_key, timestamp, version_key},
    counters::Counters,
    kind::{KINDS, decode_settings, kinds_beginning_with},
    schema::{
        INCIDENT_ID_TO_INCIDENT, IdKey, MESSAGE_ID_TO_MESSAGE, NAME_TO_COUNTER, SEQ_TO_CHANGE, SOURCE_ID_TO_LAST_SEEN,
        VERSION,
    },
};
use crate::domain::{Directory, Seq, SourceId, Timestamp, directory::Subject, limits::UNLOGGED_IDS};

pub fn counters(txn: &ReadTransaction) -> Result<Counters, StoreError> {
    Counters::load(&txn.open_table(NAME_TO_COUNTER)?)
}

/// Refuses impossible counters, because ids would be used twice, and loops and allocations depend on them.
pub fn check_counters(txn: &ReadTransaction, counters: &Counters) -> Result<(), StoreError> {
    let key = |txn: &ReadTransaction, table| highest_key(txn, table).map(Option::unwrap_or_default);
    check_last(INCIDENT_ID_TO_INCIDENT.name(), key(txn, INCIDENT_ID_TO_INCIDENT)?, counters.last_incident)?;
    check_last(MESSAGE_ID_TO_MESSAGE.name(), key(txn, MESSAGE_ID_TO_MESSAGE)?, counters.last_message)?;
    let mut logged_ids = vec![counters.last_incident, counters.last_seq];
    for kind in kinds_beginning_with(&[Subject::User, Subject::Source, Subject::Timeslot, Subject::Filter]) {
        check_last(kind.table(), kind.highest_key(txn)?.unwrap_or_default(), kind.last(counters))?;
        logged_ids.extend(kind.has_versions().then(|| kind.last(counters)));
    }
    check_last(SEQ_TO_CHANGE.name(), key(txn, SEQ_TO_CHANGE)?, counters.last_seq)?;
    let logged = highest_key(txn, SEQ_TO_CHANGE)?.unwrap_or(counters.trimmed);
    // Each of these ids is logged when it is created. Refused commands may have used further ones.
    let most = logged.saturating_mul(2).saturating_add(UNLOGGED_IDS);
    if counters.trimmed > counters.last_seq || logged_ids.into_iter().any(|last| last > most) {
        return Err(StoreError::Damaged("table name_to_counter has a number that was never reached".to_owned()));
    }
    Ok(())
}

fn check_last(table: &str, highest: u64, last: u64) -> Result<(), StoreError> {
    if highest <= last {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("table {table} has the key {highest}, but {last} was the last one")))
}

fn highest_key(
    txn: &ReadTransaction,
    table: TableDefinition<'_, IdKey, &'static [u8]>,
) -> Result<Option<u64>, StoreError> {
    Ok(txn.open_table(table)?.last()?.map(|(key, _)| key_id(key.value())))
}

pub fn directory(txn: &ReadTransaction) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    KINDS.iter().try_for_each(|kind| kind.load(txn, &mut directory))?;
    let settings = version_key(Subject::Settings, 0, 0)..=version_key(Subject::Settings, 0, u64::MAX);
    if let Some(row) = txn.open_table(VERSION)?.range(settings)?.next_back() {
        directory.settings = Arc::new(decode_settings(row?.1.value())?);
    }
    Ok(directory)
}

/// Returns the configuration after change `seq`, as far as decisions depend on it, without secrets. Blocks, and reads
/// all versions. Contacts and their groups are not part of it; see `Snapshot::contact_at`.
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
    if subject == Subject::Settings.byte() {
        directory.settings = Arc::new(decode_settings(record)?);
    } else if let Some(kind) = KINDS.iter().find(|kind| kind.subject().byte() == subject) {
        kind.load_version(id, record, directory)?;
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
