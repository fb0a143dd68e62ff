//! A file that appears at its path when it is complete.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};

use super::file::create_private;
use crate::clock::random_bytes;
use crate::domain::limits::FREE_SPACE_BYTES;

/// An empty file for its owner only. It has no name until it is complete, so nothing is left of it if the process ends
/// before. On file systems without unnamed files it has a hidden name, which is deleted when the value is dropped.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    directory: PathBuf,
    /// The hidden name.
    name: Option<PathBuf>,
}

impl NewFile {
    pub fn create_in(directory: &Path) -> io::Result<Self> {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let unnamed = rustix::fs::openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR);
        if let (Ok(file), true) = (unnamed, Path::new("/proc/self/fd").exists()) {
            return Ok(Self { file: file.into(), directory: directory.to_owned(), name: None });
        }
        let name = hidden_name(directory);
        let file = create_private(&name)?;
        Ok(Self { file, directory: directory.to_owned(), name: Some(name) })
    }

    /// Creates the file in the directory of `path`.
    pub fn create_beside(path: &Path) -> io::Result<Self> {
        Self::create_in(path.parent().unwrap_or(Path::new("")))
    }

    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file to the owner of another one, if this process may do that.
    pub fn take_owner_of(&self, other: &fs::Metadata) {
        if self.file.metadata().is_ok_and(|own| (own.uid(), own.gid()) != (other.uid(), other.gid())) {
            let (uid, gid) = (Uid::from_raw(other.uid()), Gid::from_raw(other.gid()));
            if let Err(error) = rustix::fs::fchown(&self.file, Some(uid), Some(gid)) {
                tracing::warn!("a new file cannot be given to user {}: {error}", other.uid());
            }
        }
    }

    /// Returns an error if less than a reserve would be free on the disk after `bytes` were written. The reserve is
    /// what the server needs to go on; on small disks it is a tenth.
    pub fn require_space(&self, bytes: u64) -> io::Result<()> {
        let disk = rustix::fs::fstatvfs(&self.file)?;
        let reserve = FREE_SPACE_BYTES.saturating_mul(4).min(disk.f_blocks.saturating_mul(disk.f_frsize) / 10);
        let (free, needed) = (disk.f_bavail.saturating_mul(disk.f_frsize), bytes.saturating_add(reserve));
        if free >= needed {
            return Ok(());
        }
        let [free, needed] = [free, needed].map(|bytes| bytes.div_ceil(1 << 20));
        let text = format!("not enough space: {needed} MiB have to be free, and {free} MiB are");
        Err(io::Error::new(io::ErrorKind::StorageFull, text))
    }

    /// Syncs the file and gives it its name. A file of that name is replaced.
    pub fn persist(mut self, to: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        let name = if let Some(name) = self.name.clone() {
            name
        } else {
            let name = hidden_name(&self.directory);
            self.link(&name)?;
            self.name.insert(name).clone()
        };
        fs::rename(name, to)?;
        self.name = None;
        self.sync_directory()
    }

    /// Syncs the file and gives it its name. Fails if there is something of that name.
    pub fn persist_new(self, to: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        match &self.name {
            None => self.link(to)?,
            Some(name) => fs::hard_link(name, to).or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Err(error),
                // A file system without hard links.
                _ if to.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
                _ => fs::rename(name, to),
            })?,
        }
        self.sync_directory()
    }

    fn link(&self, to: &Path) -> io::Result<()> {
        let own = format!("/proc/self/fd/{}", self.file.as_fd().as_raw_fd());
        Ok(rustix::fs::linkat(CWD, own, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // It may have its final name already.
            let _ = fs::remove_file(name);
        }
    }
}

fn hidden_name(directory: &Path) -> PathBuf {
    directory.join(format!(".argusd-{}.partial", hex::encode(random_bytes::<8>())))
}

/// Returns the bytes that a file takes on the disk. It may be longer, with holes.
#[must_use]
pub fn bytes_on_disk(metadata: &fs::Metadata) -> u64 {
    metadata.len().min(metadata.blocks().saturating_mul(512))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn named_in(directory: &Path) -> NewFile {
        let name = hidden_name(directory);
        NewFile { file: create_private(&name).unwrap(), directory: directory.to_owned(), name: Some(name) }
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        for create in [named_in, |directory: &Path| NewFile::create_in(directory).unwrap()] {
            let to = folder.path().join("x");
            let dropped = create(folder.path());
            dropped.file().write_all(b"half").unwrap();
            drop(dropped);
            assert_eq!(names(folder.path()), Vec::<String>::new());
            let first = create(folder.path());
            first.file().write_all(b"first").unwrap();
            first.persist_new(&to).unwrap();
            let second = create(folder.path());
            second.file().write_all(b"second").unwrap();
            assert_eq!(second.persist_new(&to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&to).unwrap(), b"first");
            let third = create(folder.path());
            third.file().write_all(b"third").unwrap();
            third.persist(&to).unwrap();
            assert_eq!(
                (fs::read(&to).unwrap().as_slice(), names(folder.path())),
                (&b"third"[..], vec!["x".to_owned()])
            );
            assert_eq!(fs::metadata(&to).unwrap().mode() & 0o777, 0o600);
            fs::remove_file(&to).unwrap();
        }
    }

    #[test]
    fn a_file_that_would_fill_the_disk_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = NewFile::create_in(folder.path()).unwrap();
        file.require_space(1).unwrap();
        let refused = file.require_space(u64::MAX / 2).unwrap_err();
        assert!(refused.to_string().starts_with("not enough space: "), "{refused}");
    }
}
