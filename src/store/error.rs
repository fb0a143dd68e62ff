//! Errors of the data file.

use std::{io, path::PathBuf};

use super::disk::is_refusal;

/// A read or write that failed for reasons that are not the caller's. Cheap to clone, because all callers of a failed
/// batch get it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("there is no space left for the data file")]
    Full,
    #[error("the store is shutting down")]
    Closed,
    /// The file was closed after an error and could not be opened again yet.
    #[error("the data file is not available: {0}")]
    Unavailable(String),
    #[error("the data file is damaged: {0}")]
    Damaged(String),
    #[error("reading or writing the data file failed: {0}")]
    Io(String),
}

impl StoreError {
    /// Returns the error for a file whose content cannot be interpreted.
    #[must_use]
    pub fn unreadable() -> Self {
        Self::Damaged("reading it had to be given up".to_owned())
    }
}

/// Reason why a data file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is in use by another argusd", .0.display())]
    InUse(PathBuf),
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    #[error("{path} was written by a newer argusd (format {found}, this program knows {known})", path = .path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{} is not a data file of argusd", .0.display())]
    Foreign(PathBuf),
    #[error("{} is not a data file of argusd: it is empty", .0.display())]
    Empty(PathBuf),
    /// The file is of an older release, and was not changed because no copy could be kept.
    #[error("{path} is of an older release, and a copy cannot be kept before it is changed: {reason}", path = .path.display())]
    NoCopy { path: PathBuf, reason: String },
    #[error("cannot open {path}", path = .path.display())]
    Store { path: PathBuf, source: StoreError },
}

/// Error of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError<E> {
    /// The command refused; nothing was written.
    Refused(E),
    Store(StoreError),
}

impl<E: From<StoreError>> WriteError<E> {
    /// Returns either error as one of the command's type.
    pub fn into_error(self) -> E {
        match self {
            Self::Refused(error) => error,
            Self::Store(error) => error.into(),
        }
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Corrupted(text) if is_refusal(&text) => {
                Self::Damaged("a page is not what was written".to_owned())
            }
            redb::StorageError::Corrupted(text) => Self::Damaged(text),
            redb::StorageError::Io(io) if io.kind() == io::ErrorKind::StorageFull => Self::Full,
            other => Self::Io(other.to_string()),
        }
    }
}

macro_rules! through_redb_error {
    ($($error:ident),+) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                match error {
                    redb::$error::Storage(storage) => storage.into(),
                    other => Self::Io(other.to_string()),
                }
            }
        }
    )+};
}

through_redb_error!(TransactionError, TableError, CommitError, DatabaseError);

impl From<postcard::Error> for StoreError {
    fn from(error: postcard::Error) -> Self {
        Self::Damaged(format!("a record cannot be decoded: {error}"))
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull { Self::Full } else { Self::Io(error.to_string()) }
    }
}
