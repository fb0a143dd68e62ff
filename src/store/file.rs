//! The data file itself: opened, checked for its format, opened again after an error.

use std::{
    fs::{self, OpenOptions},
    io, mem,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    thread,
    time::Duration,
};

use redb::{Database, DatabaseError, ReadTransaction, TableError};
use uuid::Uuid;

use super::{
    OpenError, StoreError,
    migrate::migrate,
    schema::{FORMAT, NAME_TO_META},
    tables::WriteTables,
};
use crate::{clock::random_bytes, domain::limits::FREE_SPACE_BYTES};

const FORMAT_KEY: &str = "format";
const GENERATION_KEY: &str = "generation";
/// How long readers may take to let go of a file that has to be opened again: some 5 seconds.
const REOPEN_PATIENCE: usize = 5_000;

/// How the database in a file is opened; tests put a faulty disk here.
pub type Opener = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send + Sync>;

/// An open data file. One process owns it.
pub struct DataFile {
    path: PathBuf,
    opener: Opener,
    generation: Uuid,
    current: RwLock<Current>,
}

enum Current {
    Open(Arc<Database>),
    /// For a moment.
    Reopening,
    Closed,
}

impl DataFile {
    pub fn open(path: &Path, cache_bytes: usize, create: bool) -> Result<Self, OpenError> {
        Self::open_with(path, create, Box::new(move |path| open_database(path, cache_bytes)))
    }

    pub fn open_with(path: &Path, create: bool, opener: Opener) -> Result<Self, OpenError> {
        if !path.exists() {
            if !create {
                return Err(OpenError::Missing(path.to_owned()));
            }
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| OpenError::Store { path: path.to_owned(), source: error.into() })?;
        }
        let database = opener(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path.to_owned()),
            DatabaseError::Storage(redb::StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                OpenError::Foreign(path.to_owned())
            }
            error => OpenError::Store { path: path.to_owned(), source: error.into() },
        })?;
        let generation = prepare(&database, path)?;
        Ok(Self { path: path.to_owned(), opener, generation, current: RwLock::new(Current::Open(Arc::new(database))) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn generation(&self) -> Uuid {
        self.generation
    }

    /// Never waits: `Unavailable` while the file is being opened again.
    pub fn database_now(&self) -> Result<Arc<Database>, StoreError> {
        match &*self.current.read().unwrap_or_else(PoisonError::into_inner) {
            Current::Open(database) => Ok(Arc::clone(database)),
            Current::Reopening => Err(StoreError::Unavailable("it is being opened again".to_owned())),
            Current::Closed => Err(StoreError::Closed),
        }
    }

    /// Waits while the file is being opened again.
    pub fn database(&self) -> Result<Arc<Database>, StoreError> {
        for _ in 0..REOPEN_PATIENCE {
            match self.database_now() {
                Err(StoreError::Unavailable(_)) => thread::sleep(Duration::from_millis(1)),
                outcome => return outcome,
            }
        }
        self.database_now()
    }

    fn set(&self, current: Current) -> Current {
        mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), current)
    }

    /// After an error redb refuses all further writes of a handle. Readers are waited for; while the
    /// disk takes no writes the old handle stays, since it still answers them.
    pub fn reopen(&self) -> Result<(), StoreError> {
        self.check_space()?;
        self.probe()?;
        if let Current::Open(mut database) = self.set(Current::Reopening) {
            let mut patience = REOPEN_PATIENCE;
            loop {
                match Arc::try_unwrap(database) {
                    Ok(last) => break drop(last),
                    Err(shared) if patience == 0 => {
                        self.set(Current::Open(shared));
                        return Err(StoreError::Unavailable("long readers keep it from being opened again".to_owned()));
                    }
                    Err(shared) => {
                        database = shared;
                        patience -= 1;
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            }
        }
        self.set(Current::Open(Arc::new((self.opener)(&self.path)?)));
        Ok(())
    }

    /// Can this disk be written to at all?
    fn probe(&self) -> Result<(), StoreError> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".probe");
        let probed = fs::write(&name, [0; 4096]).and_then(|()| fs::File::open(&name)?.sync_all());
        fs::remove_file(&name)?;
        Ok(probed?)
    }

    /// Lets go of the file; snapshots that are still held keep it open until they are dropped.
    pub fn close(&self) {
        self.set(Current::Closed);
    }

    /// Bytes of the file, and those that are free on its disk.
    pub fn disk(&self) -> Result<(u64, u64), StoreError> {
        let file = fs::metadata(&self.path).map_err(|error| StoreError::Io(error.to_string()))?;
        let disk = rustix::fs::statvfs(&self.path).map_err(|error| StoreError::Io(error.to_string()))?;
        Ok((file.len(), disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    /// Refuses before the disk is full, so that there is room to shut down and to clean up.
    pub fn check_space(&self) -> Result<(), StoreError> {
        let Ok(disk) = rustix::fs::statvfs(&self.path) else { return Ok(()) };
        let reserve = FREE_SPACE_BYTES.min(disk.f_blocks.saturating_mul(disk.f_frsize) / 10);
        if disk.f_bavail.saturating_mul(disk.f_frsize) < reserve { Err(StoreError::Full) } else { Ok(()) }
    }
}

pub fn open_database(path: &Path, cache_bytes: usize) -> Result<Database, DatabaseError> {
    Database::builder().set_cache_size(cache_bytes).create(path)
}

/// Marks a database as a data file of this format and of a new generation.
pub fn mark(txn: &redb::WriteTransaction) -> Result<Uuid, StoreError> {
    let generation = uuid::Builder::from_random_bytes(random_bytes()).into_uuid();
    let mut meta = txn.open_table(NAME_TO_META)?;
    meta.insert(FORMAT_KEY, FORMAT.to_le_bytes().as_slice())?;
    meta.insert(GENERATION_KEY, generation.as_bytes().as_slice())?;
    Ok(generation)
}

fn prepare(database: &Database, path: &Path) -> Result<Uuid, OpenError> {
    let failed = |source: StoreError| OpenError::Store { path: path.to_owned(), source };
    let txn = redb::ReadableDatabase::begin_read(database).map_err(|error| failed(error.into()))?;
    match meta(&txn).map_err(failed)? {
        Some((FORMAT, generation)) => {
            drop(txn);
            migrate(database).map_err(failed)?;
            Ok(generation)
        }
        Some((found, _)) => Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT }),
        None if txn.list_tables().map_err(|error| failed(error.into()))?.next().is_some() => {
            Err(OpenError::Foreign(path.to_owned()))
        }
        None => initialise(database).map_err(failed),
    }
}

fn meta(txn: &ReadTransaction) -> Result<Option<(u32, Uuid)>, StoreError> {
    let table = match txn.open_table(NAME_TO_META) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let damaged = || StoreError::Damaged("its description is incomplete".to_owned());
    let format = table.get(FORMAT_KEY)?.and_then(|value| value.value().try_into().ok()).ok_or_else(damaged)?;
    let generation =
        table.get(GENERATION_KEY)?.and_then(|value| Uuid::from_slice(value.value()).ok()).ok_or_else(damaged)?;
    Ok(Some((u32::from_le_bytes(format), generation)))
}

fn initialise(database: &Database) -> Result<Uuid, StoreError> {
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    WriteTables::open(&txn)?;
    let generation = mark(&txn)?;
    txn.commit()?;
    Ok(generation)
}
