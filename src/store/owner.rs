//! Ownership of the files that root creates. They get the owner of the data file, because the server runs as that user
//! and could not use them otherwise.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{MetadataExt, fchown, lchown},
    path::Path,
};

/// User and group to which created files are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// Returns the owner of files that belong to the data file at `path`: its owner or, if there is none yet, the owner
    /// of its directory. `None` if they belong to the right user anyway.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let ids = |metadata: Metadata| Self { uid: metadata.uid(), gid: metadata.gid() };
        let existing = fs::metadata(path).or_else(|_| fs::metadata(directory)).map(ids);
        existing.ok().and_then(|existing| existing.wanted_by(rustix::process::geteuid().as_raw()))
    }

    /// Returns the owner for files that `user` creates. Only root can give files away, and needs to.
    fn wanted_by(self, user: u32) -> Option<Self> {
        (user == 0 && self.uid != 0).then_some(self)
    }

    #[must_use]
    pub const fn uid(self) -> u32 {
        self.uid
    }

    /// Gives away a file that was just created. A failure is logged, because the command itself succeeds.
    pub fn give(self, file: &File, path: &Path) {
        self.note(path, fchown(file, Some(self.uid), Some(self.gid)));
    }

    /// Gives away the socket or directory at `path`. A link is not followed.
    pub fn give_path(self, path: &Path) {
        self.note(path, lchown(path, Some(self.uid), Some(self.gid)));
    }

    /// Gives away a directory, and the files in it that root created.
    pub fn give_directory(self, path: &Path) {
        self.give_path(path);
        let Ok(entries) = fs::read_dir(path) else { return };
        for entry in entries.flatten() {
            if entry.metadata().is_ok_and(|metadata| is_created_by_root(&metadata)) {
                // The index deletes files in the background.
                match lchown(entry.path(), Some(self.uid), Some(self.gid)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    outcome => self.note(&entry.path(), outcome),
                }
            }
        }
    }

    fn note(self, path: &Path, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            tracing::warn!("{} cannot be given to user {}: {error}", path.display(), self.uid);
        }
    }
}

/// Returns whether this can be a file that root has just created. A second name of a file from elsewhere is not.
fn is_created_by_root(metadata: &Metadata) -> bool {
    metadata.uid() == 0 && metadata.is_file() && metadata.nlink() == 1
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn root_gives_files_to_the_owner_of_the_data_file() {
        let (service, root) = (Owner { uid: 990, gid: 991 }, Owner { uid: 0, gid: 0 });
        assert_eq!(service.wanted_by(0), Some(service));
        assert_eq!(service.wanted_by(990), None, "it owns what it creates");
        assert_eq!(service.wanted_by(1_000), None, "it cannot give anything away");
        assert_eq!(root.wanted_by(0), None);
    }

    #[test]
    fn links_to_files_elsewhere_are_not_given_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("one"), "").unwrap();
        assert_eq!(
            is_created_by_root(&fs::symlink_metadata(path("one")).unwrap()),
            rustix::process::geteuid().is_root()
        );
        fs::hard_link(path("one"), path("two")).unwrap();
        symlink(path("one"), path("three")).unwrap();
        for name in ["one", "two", "three"] {
            assert!(!is_created_by_root(&fs::symlink_metadata(path(name)).unwrap()), "{name}");
        }
    }
}
