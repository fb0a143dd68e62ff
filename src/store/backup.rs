//! Complete, consistent and compact copies of the data file, written during reads and writes.

use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use redb::{
    Database, Durability, Key, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableError,
    Value,
};

use super::{
    NewFile, Snapshot, StoreError,
    disk::Disk,
    file,
    kind::KINDS,
    schema::{self, all_tables},
    verify,
};

const CACHE_BYTES: usize = 32 << 20;
const ROWS_PER_COMMIT: usize = 50_000;
/// Pages of the copy that are verified between two looks at whether to go on.
const PAGES_AT_ONCE: u32 = 256;

/// Reason why there is no copy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// The data file cannot be read.
    #[error(transparent)]
    Source(#[from] StoreError),
    /// The copy cannot be written, or is not what was written. The text does not name the copy.
    #[error("{0}")]
    Target(String),
    #[error("the backup was stopped before it was complete")]
    Stopped,
}

impl BackupError {
    /// Returns the error for a file that cannot be written.
    #[must_use]
    pub fn target(error: &io::Error) -> Self {
        Self::Target(error.to_string())
    }

    fn writing(error: impl Into<StoreError>) -> Self {
        Self::Target(match error.into() {
            StoreError::Full => "no space left on device".to_owned(),
            StoreError::Io(text) => text,
            error => error.to_string(),
        })
    }
}

/// Called during a copy. An error stops it.
pub type GoOn<'a> = &'a (dyn Fn() -> Result<(), BackupError> + Sync);

/// Writes a copy to a new file beside `to`, verifies it, and then gives it its name.
pub fn backup(snapshot: &Snapshot, to: &Path) -> Result<Vec<String>, BackupError> {
    let target = NewFile::create_beside(to).map_err(|error| BackupError::target(&error))?;
    let findings = backup_into(snapshot, target.file(), &|| Ok(()))?;
    target.persist(to).map_err(|error| BackupError::target(&error))?;
    Ok(findings)
}

/// Writes a copy into an empty file and verifies it. A copy that differs from what was written is an error. The
/// returned findings are inconsistencies of records, indexes and counters, which the copy has from the data file.
pub fn backup_into(snapshot: &Snapshot, target: &File, go_on: GoOn<'_>) -> Result<Vec<String>, BackupError> {
    // A damaged file can make redb panic.
    catch_unwind(AssertUnwindSafe(|| {
        let disk = copy(snapshot, target, go_on)?;
        verify_copy(target, &disk, go_on)
    }))
    .unwrap_or_else(|_| Err(StoreError::unreadable().into()))
}

fn copy(snapshot: &Snapshot, target: &File, go_on: GoOn<'_>) -> Result<Arc<Disk>, BackupError> {
    let own = target.try_clone().map_err(|error| BackupError::target(&error))?;
    let (mut copy, disk) = file::create_database(own, CACHE_BYTES).map_err(BackupError::writing)?;
    let copier = Copier { from: snapshot, to: &copy, file: target, go_on };
    copier.all_tables()?;
    KINDS.iter().try_for_each(|kind| kind.copy_table(&copier))?;
    let mut last = copy.begin_write().map_err(BackupError::writing)?;
    last.set_quick_repair(true);
    file::mark(&last).map_err(BackupError::writing)?;
    last.commit().map_err(BackupError::writing)?;
    go_on()?;
    copy.compact().map_err(|error| BackupError::Target(error.to_string()))?;
    // After closing, the bytes on the disk are final.
    copy.close().map_err(|error| BackupError::Target(error.to_string()))?;
    target.sync_all().map_err(|error| BackupError::target(&error))?;
    Ok(disk)
}

fn verify_copy(target: &File, disk: &Disk, go_on: GoOn<'_>) -> Result<Vec<String>, BackupError> {
    let (mut pages, mut stopped) = (0_u32, None);
    let damage = disk.verify(true, &mut || {
        pages = pages.wrapping_add(1);
        if !pages.is_multiple_of(PAGES_AT_ONCE) {
            return Ok(());
        }
        go_on().map_err(|error| {
            stopped = Some(error);
            io::ErrorKind::Interrupted.into()
        })
    });
    let damage = damage.map_err(|error| stopped.take().unwrap_or_else(|| BackupError::target(&error)))?;
    if let Some(first) = damage.first() {
        return Err(BackupError::Target(format!("the copy is damaged: {first}")));
    }
    go_on()?;
    let own = target.try_clone().map_err(|error| BackupError::target(&error))?;
    let database = file::read_database(own, CACHE_BYTES).map_err(BackupError::writing)?;
    let snapshot = Snapshot::new(Arc::new(database)).map_err(BackupError::writing)?;
    verify::verify(&snapshot).map_err(BackupError::writing)
}

/// Copier of tables from one file to another.
pub struct Copier<'a> {
    from: &'a Snapshot,
    to: &'a Database,
    file: &'a File,
    go_on: GoOn<'a>,
}

macro_rules! copy_tables {
    ($($(#[$doc:meta])* $field:ident: $table:ident = $name:literal, $key:ty => $value:ty;)+) => {
        impl Copier<'_> {
            fn all_tables(&self) -> Result<(), BackupError> {
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
    ) -> Result<(), BackupError> {
        let named = |error: BackupError| match error {
            BackupError::Source(StoreError::Damaged(what)) => {
                StoreError::Damaged(format!("table {}: {what}", redb::TableHandle::name(&table))).into()
            }
            error => error,
        };
        self.rows(table).map_err(named)
    }

    fn rows<K: Key + 'static, V: Value + 'static>(&self, table: TableDefinition<'_, K, V>) -> Result<(), BackupError> {
        let read = |error| BackupError::Source(StoreError::from(error));
        let source = match self.from.txn.open_table(table) {
            Ok(source) => source,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(StoreError::from(error).into()),
        };
        let expected = source.len().map_err(read)?;
        let (mut rows, mut copied) = (source.iter().map_err(read)?, 0);
        loop {
            (self.go_on)()?;
            let mut txn = self.to.begin_write().map_err(BackupError::writing)?;
            txn.set_durability(Durability::None).map_err(|error| BackupError::Target(error.to_string()))?;
            let mut written = 0;
            {
                let mut copy = txn.open_table(table).map_err(BackupError::writing)?;
                for row in rows.by_ref().take(ROWS_PER_COMMIT) {
                    let (key, value) = row.map_err(read)?;
                    copy.insert(key.value(), value.value()).map_err(BackupError::writing)?;
                    written += 1;
                }
            }
            txn.commit().map_err(BackupError::writing)?;
            copied += written as u64;
            if written < ROWS_PER_COMMIT || copied > expected {
                break;
            }
            // Little by little, so that commits of the server do not wait for all of it at once.
            self.file.sync_data().map_err(|error| BackupError::target(&error))?;
        }
        let stored = self.to.begin_read().map_err(BackupError::writing)?.open_table(table);
        let stored = stored.map_err(BackupError::writing)?.len().map_err(BackupError::writing)?.max(copied);
        if stored == expected {
            return Ok(());
        }
        Err(StoreError::Damaged(format!("it should have {expected} rows, but {stored} were read")).into())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::atomic::AtomicU32, sync::atomic::Ordering};

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

    fn store_in(folder: &Path) -> Store {
        let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(0)));
        let store = Store::open(&folder.join("argusd.redb"), Options::default(), clock).unwrap();
        let furnish = |command: &mut crate::store::Command<'_>| {
            let id = command.new_timeslot_id();
            command.put_timeslot(all_the_time(id, UserId(1)));
            Ok::<(), StoreError>(())
        };
        store.write_blocking(None, furnish).unwrap();
        store
    }

    #[test]
    fn copies_every_table_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("argusd.redb"), folder.path().join("copy.redb"));
        let store = store_in(folder.path());
        let findings = store.backup(&copy).unwrap();
        assert!(findings[0].contains("timeslot"), "the owner is missing: {findings:?}");
        store.close().unwrap();
        let original = tables(&path);
        assert_eq!(original, tables(&copy));
        assert_eq!(original["timeslot_id_to_timeslot"], 1);
        for table in KINDS.iter().map(|kind| kind.table()).chain([redb::TableHandle::name(&NAME_TO_META)]) {
            assert!(original.contains_key(table), "{table}");
        }
    }

    #[test]
    fn a_copy_can_be_stopped_at_any_step() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        for step in [0, 1, 20] {
            let steps = AtomicU32::new(0);
            let go_on =
                || if steps.fetch_add(1, Ordering::Relaxed) == step { Err(BackupError::Stopped) } else { Ok(()) };
            let target = NewFile::create_in(folder.path()).unwrap();
            let stopped = backup_into(&store.snapshot().unwrap(), target.file(), &go_on);
            assert_eq!(stopped, Err(BackupError::Stopped), "{step}");
        }
        store.close().unwrap();
    }
}
