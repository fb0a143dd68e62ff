//! Complete, consistent and compact copies of the data file, written during reads and writes.

use std::{
    fs::{self, File},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{
    Database, Durability, Key, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableError,
    Value,
};

use super::{
    Snapshot, StoreError,
    disk::Disk,
    file,
    kind::KINDS,
    schema::{self, all_tables},
};

const CACHE_BYTES: usize = 32 << 20;
const ROWS_PER_COMMIT: usize = 50_000;

pub fn backup(snapshot: &Snapshot, live: &Path, to: &Path) -> Result<(), StoreError> {
    if same_file(live, to) {
        return Err(StoreError::Io(format!("{} is the data file itself", to.display())));
    }
    let partial = beside(to);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let copied = copy(snapshot, &partial).and_then(|()| {
        File::open(&partial)?.sync_all()?;
        fs::rename(&partial, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(())
    });
    if copied.is_err() {
        // The rest of the copy is useless, and the first error is the one that matters.
        let _ = fs::remove_file(&partial);
    }
    copied
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn beside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn copy(snapshot: &Snapshot, partial: &Path) -> Result<(), StoreError> {
    let (copy, disk) = file::create_database(partial, CACHE_BYTES)?;
    // A damaged file can make redb panic.
    catch_unwind(AssertUnwindSafe(|| write(snapshot, copy, &disk))).unwrap_or_else(|_| Err(StoreError::unreadable()))
}

fn write(snapshot: &Snapshot, mut copy: Database, disk: &Arc<Disk>) -> Result<(), StoreError> {
    let copier = Copier { from: snapshot, to: &copy };
    copier.all_tables()?;
    KINDS.iter().try_for_each(|kind| kind.copy_table(&copier))?;
    let mut last = copy.begin_write()?;
    last.set_quick_repair(true);
    file::mark(&last)?;
    last.commit()?;
    copy.compact().map_err(|error| StoreError::Io(error.to_string()))?;
    // After closing, the bytes on the disk are final.
    copy.close()?;
    let findings = disk.verify(true, &mut || Ok(()))?;
    findings.into_iter().next().map_or(Ok(()), |finding| Err(StoreError::Io(format!("the copy is damaged: {finding}"))))
}

/// Copier of tables from one file to another.
pub struct Copier<'a> {
    from: &'a Snapshot,
    to: &'a Database,
}

macro_rules! copy_tables {
    ($($(#[$doc:meta])* $field:ident: $table:ident = $name:literal, $key:ty => $value:ty;)+) => {
        impl Copier<'_> {
            fn all_tables(&self) -> Result<(), StoreError> {
                $(self.table(schema::$table)?;)+
                Ok(())
            }
        }
    };
}
all_tables!(copy_tables);

impl Copier<'_> {
    /// Copies all rows of a table, and fails if their number differs from what the table says.
    pub fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<(), StoreError> {
        let named = |error: StoreError| match error {
            StoreError::Damaged(what) => {
                StoreError::Damaged(format!("table {}: {what}", redb::TableHandle::name(&table)))
            }
            error => error,
        };
        self.rows(table).map_err(named)
    }

    fn rows<K: Key + 'static, V: Value + 'static>(&self, table: TableDefinition<'_, K, V>) -> Result<(), StoreError> {
        let source = match self.from.txn.open_table(table) {
            Ok(source) => source,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let expected = source.len()?;
        let (mut rows, mut read) = (source.iter()?, 0);
        loop {
            let mut txn = self.to.begin_write()?;
            txn.set_durability(Durability::None).map_err(|error| StoreError::Io(error.to_string()))?;
            let mut written = 0;
            {
                let mut copy = txn.open_table(table)?;
                for row in rows.by_ref().take(ROWS_PER_COMMIT) {
                    let (key, value) = row?;
                    copy.insert(key.value(), value.value())?;
                    written += 1;
                }
            }
            txn.commit()?;
            read += written as u64;
            if written < ROWS_PER_COMMIT || read > expected {
                break;
            }
        }
        let copied = self.to.begin_read()?.open_table(table)?.len()?.max(read);
        if copied == expected {
            return Ok(());
        }
        Err(StoreError::Damaged(format!("it should have {expected} rows, but {copied} were read")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        clock::ManualClock,
        domain::{ids::UserId, time::Timestamp, timeslot::all_the_time},
        store::{Options, Store, schema::NAME_TO_META},
    };

    /// Returns the tables with the number of their rows.
    fn tables(path: &Path) -> BTreeMap<String, u64> {
        let database = Database::create(path).unwrap();
        let txn = database.begin_read().unwrap();
        let tables = txn.list_tables().unwrap();
        let rows = |table: redb::UntypedTableHandle| {
            (redb::TableHandle::name(&table).to_owned(), txn.open_untyped_table(table).unwrap().len().unwrap())
        };
        tables.map(rows).collect()
    }

    #[test]
    fn copies_every_table_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("argusd.redb"), folder.path().join("copy.redb"));
        let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(0)));
        let store = Store::open(&path, Options::default(), clock).unwrap();
        let furnish = |command: &mut crate::store::Command<'_>| {
            let id = command.new_timeslot_id();
            command.put_timeslot(all_the_time(id, UserId(1)));
            Ok::<(), StoreError>(())
        };
        store.write_blocking(None, furnish).unwrap();
        store.backup(&copy).unwrap();
        store.close().unwrap();
        let original = tables(&path);
        assert_eq!(original, tables(&copy));
        assert_eq!(original["timeslot_id_to_timeslot"], 1);
        for table in KINDS.iter().map(|kind| kind.table()).chain([redb::TableHandle::name(&NAME_TO_META)]) {
            assert!(original.contains_key(table), "{table}");
        }
    }
}
