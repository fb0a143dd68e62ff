//! Updates files of older releases: adds missing tables, versions of configuration from before versions were kept, and
//! rows of the agenda. A copy is kept before the format changes.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use redb::{Database, ReadTransaction, ReadableDatabase, TableHandle};

use super::{
    NewFile, StoreError, agenda,
    codec::version_key,
    file,
    kind::KINDS,
    load, new_file,
    schema::{self, DUE_TO_TASK, FORMAT, VERSION, all_tables},
    tables::{self, WriteTables},
};
use crate::domain::{
    Directory, Timestamp,
    agenda::{Task, TaskKind},
    directory::Subject,
};

macro_rules! names_of_tables {
    ($($(#[$doc:meta])* $field:ident: $table:ident = $name:literal, $key:ty => $value:ty;)+) => {
        [$(schema::$table.name()),+]
    };
}

/// Returns the format of a data file that [`migrate`] will change. `None`: it is new, of this release, or of a newer
/// one, or it cannot be read.
pub fn former_format(database: &Database) -> Option<u32> {
    let read = database.begin_read().ok()?;
    let (format, _) = file::meta(&read).ok()??;
    let found: BTreeSet<String> = read.list_tables().ok()?.map(|table| table.name().to_owned()).collect();
    let known = all_tables!(names_of_tables).into_iter().chain(KINDS.iter().map(|kind| kind.table()));
    let is_complete = known.into_iter().all(|name| found.contains(name));
    (format < FORMAT || format == FORMAT && !is_complete).then_some(format)
}

/// Copies a closed file of an older release beside itself, before it changes. The name says the format.
pub fn keep_copy(path: &Path, format: u32) -> io::Result<PathBuf> {
    let mut original = File::open(path)?;
    let metadata = original.metadata()?;
    let copy = NewFile::create_beside(path)?;
    copy.require_space(new_file::bytes_on_disk(&metadata))?;
    copy.take_owner_of(&metadata);
    io::copy(&mut original, &mut copy.file())?;
    let kept = free_name(path, format);
    copy.persist_new(&kept)?;
    tracing::info!("the data file is of an older release; a copy from before its change is {}", kept.display());
    Ok(kept)
}

fn free_name(path: &Path, format: u32) -> PathBuf {
    let mut number = 1_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".format-{format}"));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        let name = PathBuf::from(name);
        if name.symlink_metadata().is_err() {
            return name;
        }
        number += 1;
    }
}

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

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::*;
    use crate::{
        clock::ManualClock,
        domain::time::Timestamp,
        store::{OpenError, Options, Store, schema::NAME_TO_META, verify::verify_file},
    };

    fn open(path: &Path) -> Result<Store, OpenError> {
        Store::open(path, Options::default(), Arc::new(ManualClock::new(Timestamp::saturating_from_micros(0))))
    }

    fn names(directory: &Path) -> BTreeSet<String> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_of_an_older_release_is_kept_before_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("argusd.redb");
        let golden = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/1-incidents.redb")).unwrap();
        fs::write(&path, &golden).unwrap();
        assert_eq!(verify_file(&path).unwrap(), Vec::<String>::new());
        assert_eq!(names(folder.path()).len(), 1, "looking at it keeps nothing");
        for start in 0..2 {
            open(&path).unwrap().close().unwrap();
            assert_eq!(names(folder.path()).len(), 2, "{start}");
        }
        let kept = folder.path().join("argusd.redb.format-1");
        assert_ne!(fs::read(&path).unwrap(), golden);
        assert_eq!(verify_file(&kept).unwrap(), Vec::<String>::new());
        assert_eq!(free_name(&path, 1), folder.path().join("argusd.redb.format-1-2"));
        // The copy starts again where the older release ended, and keeps nothing of the same name.
        fs::copy(&kept, &path).unwrap();
        open(&path).unwrap().close().unwrap();
        assert!(names(folder.path()).contains("argusd.redb.format-1-2"), "{:?}", names(folder.path()));
    }

    #[test]
    fn a_new_file_and_one_of_this_release_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("argusd.redb");
        for _ in 0..2 {
            open(&path).unwrap().close().unwrap();
        }
        assert_eq!(names(folder.path()).len(), 1);
    }

    #[test]
    fn a_file_of_a_newer_release_is_refused_in_words_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("argusd.redb");
        open(&path).unwrap().close().unwrap();
        {
            let database = Database::create(&path).unwrap();
            let txn = database.begin_write().unwrap();
            let newer = (FORMAT + 1).to_le_bytes();
            txn.open_table(NAME_TO_META).unwrap().insert("format", newer.as_slice()).unwrap();
            txn.commit().unwrap();
        }
        let before = fs::read(&path).unwrap();
        let expected = format!("{} was written by a newer argusd (format 2, this program knows 1)", path.display());
        for error in
            [verify_file(&path).err(), Store::open_unchanged(&path, Arc::new(ManualClock::new(Timestamp::MIN))).err()]
        {
            assert_eq!(error.unwrap().to_string(), expected);
        }
        assert!(fs::read(&path).unwrap() == before);
        assert_eq!(open(&path).err().unwrap().to_string(), expected);
        assert_eq!(names(folder.path()).len(), 1);
    }

    #[test]
    fn an_empty_file_is_no_data_file_and_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("argusd.redb");
        fs::write(&path, b"").unwrap();
        let expected = format!("{} is not a data file of argusd: it is empty", path.display());
        assert_eq!(open(&path).err().unwrap().to_string(), expected);
        assert_eq!(verify_file(&path).unwrap_err().to_string(), expected);
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }
}
