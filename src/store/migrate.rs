//! Updates files of older releases: adds missing tables, versions of configuration from before versions were kept, and
//! rows of the agenda.

use std::collections::BTreeSet;

use redb::{Database, ReadTransaction, ReadableDatabase, TableHandle};

use super::{
    StoreError, agenda,
    codec::version_key,
    kind::KINDS,
    load,
    schema::{DUE_TO_TASK, VERSION},
    tables::{self, WriteTables},
};
use crate::domain::{
    Directory, Timestamp,
    agenda::{Task, TaskKind},
    directory::Subject,
};

pub fn migrate(database: &Database) -> Result<(), StoreError> {
    let before = database.begin_read()?;
    let has = |name: &str| Ok::<_, StoreError>(before.list_tables()?.any(|table| table.name() == name));
    let (has_versions, has_agenda) = (has(VERSION.name())?, has(DUE_TO_TASK.name())?);
    drop(before);
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    let tables_before = txn.list_tables()?.count();
    tables::create(&txn)?;
    if txn.list_tables()?.count() == tables_before {
        txn.abort()?;
    } else {
        txn.commit()?;
    }
    let read = database.begin_read()?;
    // If there are versions, only sources and tokens are read, for their rows in the agenda.
    let directory = if has_versions { sources_and_tokens(&read)? } else { load::directory(&read)? };
    let mut tasks = if has_agenda { agenda::needed(&directory) } else { first_tasks(&directory).collect() };
    let rows: BTreeSet<Task> = agenda::load(&read)?.into_iter().map(|(task, _)| task).collect();
    tasks.retain(|task| !rows.contains(task));
    drop(read);
    if has_versions && tasks.is_empty() {
        return Ok(());
    }
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    {
        let mut tables = WriteTables::open(&txn)?;
        if !has_versions {
            for kind in KINDS.iter().filter(|kind| kind.has_versions()) {
                for (id, record) in kind.versions(&directory)? {
                    tables.versions.insert(version_key(kind.subject(), id, 0), record.as_slice())?;
                }
            }
        }
        // An older release wrote no rows while it had the file.
        for task in tasks {
            agenda::put(&mut tables, task, Some(Timestamp::MIN))?;
        }
    }
    txn.commit()?;
    Ok(())
}

fn sources_and_tokens(txn: &ReadTransaction) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    let read = [Subject::Source, Subject::Token];
    KINDS.iter().filter(|kind| read.contains(&kind.subject())).try_for_each(|kind| kind.load(txn, &mut directory))?;
    Ok(directory)
}

/// Returns all tasks of all sources. Each is executed once, and rows that are not needed are deleted then.
fn first_tasks(directory: &Directory) -> impl Iterator<Item = Task> {
    directory.sources.keys().flat_map(|source| TaskKind::OF_SOURCES.map(|kind| kind.of_source(*source)))
}
