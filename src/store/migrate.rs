//! Brings files that older releases made up to date: tables that they did not have, versions of configuration that was
//! there before versions were kept, and rows of the agenda.

use redb::{Database, ReadableDatabase, TableHandle};

use super::{
    StoreError, agenda,
    codec::version_key,
    kind::KINDS,
    load,
    schema::{DUE_TO_TASK, VERSION},
    tables::{self, WriteTables},
};
use crate::domain::{
    agenda::{Task, TaskKind},
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
    tables::create(&txn)?;
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
            for kind in KINDS.iter().filter(|kind| kind.has_versions()) {
                for (id, record) in kind.versions(&directory)? {
                    tables.versions.insert(version_key(kind.subject(), id, 0), record.as_slice())?;
                }
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
