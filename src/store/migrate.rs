//! Brings files that older releases made up to date: tables that they did not have, versions of configuration that was
//! there before versions were kept, and rows of the agenda.

use std::sync::Arc;

use redb::{Database, ReadableDatabase, TableHandle};

use super::{
    StoreError, agenda,
    codec::version_key,
    load,
    record::{
        configuration::{encode_destination, encode_filter, encode_source, encode_timeslot, encode_user},
        version::{without_password, without_secrets},
    },
    schema::{DUE_TO_TASK, VERSION},
    tables::WriteTables,
};
use crate::domain::{
    agenda::{Task, TaskKind},
    change::Subject,
    directory::Directory,
    time::Timestamp,
};

pub fn migrate(database: &Database) -> Result<(), StoreError> {
    let before = database.begin_read()?;
    let has = |name: &str| Ok::<_, StoreError>(before.list_tables()?.any(|table| table.name() == name));
    let (has_versions, has_agenda) = (has(VERSION.name())?, has(DUE_TO_TASK.name())?);
    drop(before);
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    let tables_before = txn.list_tables()?.count();
    drop(WriteTables::open(&txn)?);
    if txn.list_tables()?.count() == tables_before {
        txn.abort()?;
    } else {
        txn.commit()?;
    }
    if has_versions && has_agenda {
        return Ok(());
    }
    let directory = load::directory(&database.begin_read()?)?;
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    {
        let mut tables = WriteTables::open(&txn)?;
        if !has_versions {
            for (subject, id, record) in first_versions(&directory)? {
                tables.versions.insert(version_key(subject, id, 0), record.as_slice())?;
            }
        }
        if !has_agenda {
            for task in first_tasks(&directory) {
                agenda::put(&mut tables, task, Some(Timestamp::MIN))?;
            }
        }
    }
    txn.commit()?;
    Ok(())
}

/// Everything is looked at once, which withdraws the rows that nothing needs.
fn first_tasks(directory: &Directory) -> impl Iterator<Item = Task> {
    directory.sources.keys().flat_map(|source| TaskKind::OF_SOURCES.map(|kind| kind.of_source(*source)))
}

/// Profiles and maintenance are younger than versions.
fn first_versions(directory: &Directory) -> Result<Vec<(Subject, u64, Vec<u8>)>, StoreError> {
    let mut versions = Vec::new();
    for user in directory.users.values() {
        versions.push((Subject::User, user.id.0, encode_user(&without_password(user))?));
    }
    for source in directory.sources.values().map(Arc::as_ref) {
        versions.push((Subject::Source, source.id.0, encode_source(source)?));
    }
    for timeslot in directory.timeslots.values().map(Arc::as_ref) {
        versions.push((Subject::Timeslot, timeslot.id.0, encode_timeslot(timeslot)?));
    }
    for filter in directory.filters.values().map(Arc::as_ref) {
        versions.push((Subject::Filter, filter.id.0, encode_filter(filter)?));
    }
    for destination in directory.destinations.values() {
        versions.push((Subject::Destination, destination.id.0, encode_destination(&without_secrets(destination))?));
    }
    Ok(versions)
}
