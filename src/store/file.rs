//! Opens the data file, checks its format, and opens it again after an error.

use std::{
    fs::{self, File, OpenOptions},
    io, mem,
    ops::Bound,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread,
    time::Duration,
};

use redb::{Database, DatabaseError, ReadTransaction, StorageBackend, TableError, backends::FileBackend};
use uuid::Uuid;

use super::{
    OpenError, Options, StoreError,
    disk::{Backend, Damage, Disk},
    migrate,
    owner::Owner,
    schema::{FORMAT, NAME_TO_META},
    tables,
};
use crate::clock::random_bytes;
use crate::domain::limits::FREE_SPACE_BYTES;

const FORMAT_KEY: &str = "format";
const GENERATION_KEY: &str = "generation";
/// Milliseconds that readers get to release a file that has to be opened again.
const REOPEN_PATIENCE: usize = 5_000;

/// Function that opens the backend of a file. Tests use a faulty disk here.
pub type Opener = Box<dyn Fn(File) -> Result<Box<dyn StorageBackend>, DatabaseError> + Send + Sync>;

/// An open data file. It belongs to one process.
pub struct DataFile {
    path: PathBuf,
    access: Access,
    /// Identity of the open file, whatever is at its path now.
    identity: Identity,
    generation: Uuid,
    current: RwLock<Current>,
    damage: Arc<Damage>,
    /// Reason why nothing can be written, from the last check of the path.
    misplaced: Mutex<Option<&'static str>>,
}

/// Options for opening a file, now and after errors.
pub struct Access {
    pub opener: Opener,
    pub cache_bytes: usize,
    /// Whether the file must not change. What is written is discarded.
    pub unchanged: bool,
}

impl Access {
    #[must_use]
    pub fn with_cache(cache_bytes: usize) -> Self {
        let opener: Opener = Box::new(|file| Ok(Box::new(FileBackend::new(file)?)));
        Self { opener, cache_bytes, unchanged: false }
    }

    /// Returns options for reading a file that must not change.
    #[must_use]
    pub fn unchanged() -> Self {
        Self { unchanged: true, ..Self::with_cache(Options::default().cache_bytes) }
    }
}

/// Device and inode of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

enum Current {
    Open(Arc<Database>, Arc<Disk>),
    /// The file is being opened again, which takes a moment.
    Reopening,
    /// The last attempt to open the file again failed.
    Failed(StoreError),
    Closed,
}

impl DataFile {
    pub fn open(path: &Path, create: bool, access: Access) -> Result<Self, OpenError> {
        let failed = |error: StoreError| OpenError::Store { path: path.to_owned(), source: error };
        if path.exists() {
            if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
                return Err(OpenError::Empty(path.to_owned()));
            }
        } else if create {
            let owner = Owner::of(path);
            let file = create_private(path).map_err(|error| failed(error.into()))?;
            if let Some(owner) = owner {
                owner.give(&file, path);
            }
            let created = Self::open_existing(path, access);
            if created.is_err() {
                // Otherwise the next start would find a file that is no data file.
                let _ = fs::remove_file(path);
            }
            return created;
        } else {
            return Err(OpenError::Missing(path.to_owned()));
        }
        Self::open_existing(path, access)
    }

    fn open_existing(path: &Path, access: Access) -> Result<Self, OpenError> {
        let failed = |error: StoreError| OpenError::Store { path: path.to_owned(), source: error };
        let damage = Arc::<Damage>::default();
        let open = || {
            open_database(path, &access, &damage, None).map_err(|error| match error {
                Unopened::InUse => OpenError::InUse(path.to_owned()),
                Unopened::Foreign => OpenError::Foreign(path.to_owned()),
                Unopened::Failed(error) => failed(damage.explain(error)),
            })
        };
        let (mut database, mut disk, mut identity) = open()?;
        let former = catch_unwind(AssertUnwindSafe(|| migrate::former_format(&database)));
        if let Some(format) = former.ok().flatten().filter(|_| !access.unchanged) {
            // Closed, so that the copy is as the older release left the file.
            drop((database, disk));
            migrate::keep_copy(path, format)
                .map_err(|error| OpenError::NoCopy { path: path.to_owned(), reason: error.to_string() })?;
            (database, disk, identity) = open()?;
        }
        let prepared = catch_unwind(AssertUnwindSafe(|| prepare(&database, path)));
        let prepared = prepared.unwrap_or_else(|_| Err(failed(StoreError::unreadable())));
        let generation = prepared.map_err(|error| match error {
            OpenError::Store { source, .. } => failed(damage.explain(source)),
            error => error,
        })?;
        Ok(Self {
            path: path.to_owned(),
            access,
            identity,
            generation,
            current: RwLock::new(Current::Open(Arc::new(database), disk)),
            damage,
            misplaced: Mutex::default(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_same(&self, other: &fs::Metadata) -> bool {
        Identity::of(other) == self.identity
    }

    pub fn generation(&self) -> Uuid {
        self.generation
    }

    /// Returns the damage that was found since the file was opened.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Returns the database without waiting, or `Unavailable` while the file is being opened again.
    pub fn database_now(&self) -> Result<Arc<Database>, StoreError> {
        self.open_now().map(|(database, _)| database)
    }

    /// Returns database and disk without waiting, like [`DataFile::database_now`].
    pub fn open_now(&self) -> Result<(Arc<Database>, Arc<Disk>), StoreError> {
        match &*self.current.read().unwrap_or_else(PoisonError::into_inner) {
            Current::Open(database, disk) => Ok((Arc::clone(database), Arc::clone(disk))),
            Current::Reopening => Err(StoreError::Unavailable(REOPENING.to_owned())),
            Current::Failed(error) => Err(error.clone()),
            Current::Closed => Err(StoreError::Closed),
        }
    }

    /// Returns the database. Waits while the file is being opened again.
    pub fn database(&self) -> Result<Arc<Database>, StoreError> {
        for _ in 0..REOPEN_PATIENCE {
            match self.database_now() {
                Err(StoreError::Unavailable(why)) if why == REOPENING => thread::sleep(Duration::from_millis(1)),
                outcome => return outcome,
            }
        }
        self.database_now()
    }

    fn set(&self, current: Current) -> Current {
        mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), current)
    }

    /// Opens the file again, because redb refuses all further writes of a handle after an error. Waits for readers.
    /// While the disk accepts no writes, or the path leads to another file, the old handle stays, since it can still be
    /// read from.
    pub fn reopen(&self) -> Result<(), StoreError> {
        self.check_writable()?;
        self.probe(".probe")?;
        if let Current::Open(mut database, disk) = self.set(Current::Reopening) {
            let mut patience = REOPEN_PATIENCE;
            loop {
                match Arc::try_unwrap(database) {
                    Ok(last) => break drop(last),
                    Err(shared) if patience == 0 => {
                        self.set(Current::Open(shared, disk));
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
        let opened = open_database(&self.path, &self.access, &self.damage, Some(self.identity));
        let (current, outcome) = match opened.map_err(StoreError::from) {
            Ok((database, disk, _)) => (Current::Open(Arc::new(database), disk), Ok(())),
            Err(error) => (Current::Failed(error.clone()), Err(error)),
        };
        self.set(current);
        outcome
    }

    /// Checks that the disk accepts writes, by writing another file, whose name ends in `suffix`. Each caller needs a
    /// suffix of its own.
    pub fn probe(&self, suffix: &str) -> Result<(), StoreError> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        let probed = probe_at(Path::new(&name));
        let removed = fs::remove_file(&name);
        probed?;
        Ok(removed?)
    }

    /// Closes the file. Snapshots that still exist keep it open until they are dropped.
    pub fn close(&self) {
        self.set(Current::Closed);
    }

    /// Returns the bytes of the file and the free bytes of its disk.
    pub fn disk(&self) -> Result<(u64, u64), StoreError> {
        let bytes = match self.open_now() {
            Ok((_, disk)) => disk.bytes(),
            Err(_) => fs::metadata(&self.path)?.len(),
        };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let disk = rustix::fs::statvfs(&self.path).or_else(|_| rustix::fs::statvfs(folder));
        // If the folder was deleted too, the free space is unknown.
        Ok((bytes, disk.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))))
    }

    /// Returns an error if the path does not lead to the open file, because writes would be lost with it, or if the
    /// disk is almost full, so that there is space left for shutting down and cleaning up.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        if let Some(why) = self.look() {
            return Err(StoreError::Unavailable(why.to_owned()));
        }
        let Ok(disk) = rustix::fs::statvfs(&self.path) else { return Ok(()) };
        let reserve = FREE_SPACE_BYTES.min(disk.f_blocks.saturating_mul(disk.f_frsize) / 10);
        if disk.f_bavail.saturating_mul(disk.f_frsize) < reserve { Err(StoreError::Full) } else { Ok(()) }
    }

    /// Returns what was wrong with the path at the last check.
    pub fn misplaced(&self) -> Option<&'static str> {
        *self.misplaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks whether the path still leads to the open file. Logs changes.
    pub fn look(&self) -> Option<&'static str> {
        let now = self.place();
        let before = mem::replace(&mut *self.misplaced.lock().unwrap_or_else(PoisonError::into_inner), now);
        let path = self.path.display();
        match now {
            Some(why) if before != now => {
                tracing::error!("nothing can be stored: {path} is not available: {why}");
            }
            None if before.is_some() => tracing::info!("{path} is back, so writing works again"),
            _ => {}
        }
        now
    }

    fn place(&self) -> Option<&'static str> {
        let Ok((_, disk)) = self.open_now() else { return self.misplaced() };
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(REMOVED),
            Err(_) => Some("its path cannot be looked at"),
            Ok(metadata) if Identity::of(&metadata) != self.identity => Some(REPLACED),
            Ok(metadata) if !self.access.unchanged && metadata.len() < disk.bytes() => Some(SHORTENED),
            Ok(_) => None,
        }
    }
}

const REOPENING: &str = "it is being opened again";
const REMOVED: &str = "it was removed or renamed while the server was running";
const REPLACED: &str = "another file was put in its place while the server was running";
const SHORTENED: &str = "something cut off its end while the server was running";

/// Creates a file for its owner only, whatever the umask is.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

fn probe_at(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, &[0; 4096])?;
    file.sync_all()
}

/// Reason why a file has no usable database.
pub enum Unopened {
    InUse,
    Foreign,
    Failed(StoreError),
}

impl From<Unopened> for StoreError {
    fn from(error: Unopened) -> Self {
        match error {
            Unopened::InUse => Self::Unavailable("another argusd uses it".to_owned()),
            Unopened::Foreign => Self::Damaged("it does not begin like a data file".to_owned()),
            Unopened::Failed(error) => error,
        }
    }
}

/// Opens a database. Never creates a file. If `expected` is given, does not touch another file.
fn open_database(
    path: &Path,
    access: &Access,
    damage: &Arc<Damage>,
    expected: Option<Identity>,
) -> Result<(Database, Arc<Disk>, Identity), Unopened> {
    let io = |error: io::Error| Unopened::Failed(error.into());
    let file = OpenOptions::new().read(true).write(!access.unchanged).open(path).map_err(io)?;
    let identity = Identity::of(&file.metadata().map_err(io)?);
    if expected.is_some_and(|expected| expected != identity) {
        return Err(Unopened::Failed(StoreError::Unavailable(REPLACED.to_owned())));
    }
    let (database, disk) = database_in(file, access, damage)?;
    Ok((database, disk, identity))
}

/// Opens the database in a file, or creates it in an empty one.
fn database_in(file: File, access: &Access, damage: &Arc<Damage>) -> Result<(Database, Arc<Disk>), Unopened> {
    let io = |error: io::Error| Unopened::Failed(error.into());
    let file = (access.opener)(file).map_err(|error| Unopened::Failed(error.into()))?;
    let disk = if access.unchanged { Disk::unchanged } else { Disk::new };
    let disk = Arc::new(disk(file, Arc::clone(damage)).map_err(io)?);
    let backend = Backend(Arc::clone(&disk));
    let opened = catch_unwind(AssertUnwindSafe(|| {
        Database::builder().set_cache_size(access.cache_bytes).create_with_backend(backend)
    }));
    match opened {
        Ok(Ok(database)) => Ok((database, disk)),
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(Unopened::InUse),
        Ok(Err(error)) => Err(match disk.bad_header() {
            Some(wrong) => Unopened::Failed(StoreError::Damaged(wrong.to_owned())),
            None if is_foreign(&error) => Unopened::Foreign,
            None => Unopened::Failed(error.into()),
        }),
        Err(_) => Err(Unopened::Failed(StoreError::unreadable())),
    }
}

/// Opens a file without redb to compare its pages. The inner error says what is wrong with the first page.
pub fn pages_of(path: &Path) -> io::Result<Result<Disk, &'static str>> {
    let file = FileBackend::new(File::open(path)?).map_err(io::Error::other)?;
    Disk::unchanged(Box::new(file), Arc::default())?.with_header()
}

fn is_foreign(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Storage(redb::StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData)
}

/// Locks a data file against being opened by another process, until the returned file is closed. `None`: a process has
/// it open.
pub fn lock_file(path: &Path) -> io::Result<Option<Box<dyn StorageBackend>>> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let file = FileBackend::new(file).map_err(io::Error::other)?;
    match file.try_lock_range(Bound::Unbounded, Bound::Unbounded) {
        Ok(true) => Ok(Some(Box::new(file))),
        Ok(false) => Ok(None),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

/// Creates a database in an empty file, and returns it with its disk.
pub fn create_database(file: File, cache_bytes: usize) -> Result<(Database, Arc<Disk>), StoreError> {
    Ok(database_in(file, &Access::with_cache(cache_bytes), &Arc::default())?)
}

/// Opens the database in a file that must not change.
pub fn read_database(file: File, cache_bytes: usize) -> Result<Database, StoreError> {
    let access = Access { unchanged: true, ..Access::with_cache(cache_bytes) };
    Ok(database_in(file, &access, &Arc::default())?.0)
}

/// Marks a database as a data file of this format, with a new generation.
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
            migrate::migrate(database).map_err(failed)?;
            Ok(generation)
        }
        Some((found, _)) => Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT }),
        None if txn.list_tables().map_err(|error| failed(error.into()))?.next().is_some() => {
            Err(OpenError::Foreign(path.to_owned()))
        }
        None => initialise(database).map_err(failed),
    }
}

/// Returns format and generation. `None`: the file is new, or not a data file of argusd.
pub fn meta(txn: &ReadTransaction) -> Result<Option<(u32, Uuid)>, StoreError> {
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
    tables::create(&txn)?;
    let generation = mark(&txn)?;
    txn.commit()?;
    Ok(generation)
}
