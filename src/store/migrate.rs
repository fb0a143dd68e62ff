//! Brings files that older releases made up to date: tables that they did not have, and versions of configuration that
//! was there before versions were kept.

use redb::{Database, ReadableDatabase, TableHandle};

use super::{StoreError, codec::version_key, kind::KINDS, load, schema::VERSION, tables};

pub fn migrate(database: &Database) -> Result<(), StoreError> {
    let has_versions = database.begin_read()?.list_tables()?.any(|table| table.name() == VERSION.name());
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    let tables_before = txn.list_tables()?.count();
    tables::create(&txn)?;
    if txn.list_tables()?.count() == tables_before {
        txn.abort()?;
    } else {
        txn.commit()?;
    }
    if has_versions {
        return Ok(());
    }
    let directory = load::directory(&database.begin_read()?)?;
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    {
        let mut versions = txn.open_table(VERSION)?;
        for kind in KINDS.iter().filter(|kind| kind.has_versions()) {
            for (id, record) in kind.versions(&directory)? {
                versions.insert(version_key(kind.subject(), id, 0), record.as_slice())?;
            }
        }
    }
    txn.commit()?;
    Ok(())
}
