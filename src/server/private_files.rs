//! Takes access to the files of the server away from other users, in case an earlier version, a restore or a copy gave it
//! to them. New files are private anyway, because the program sets its umask.

use std::{
    fs::{self, Metadata, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tracing::{debug, warn};

use super::backend::{beside, search_directory};

/// Restricts the data file, the first password, and the search index to their owner. Files that cannot be restricted
/// are logged.
pub(super) fn restrict(data: &Path) {
    let mut paths = vec![data.to_owned(), beside(data, ".admin-password")];
    let index = search_directory(data);
    if fs::symlink_metadata(&index).is_ok_and(|metadata| metadata.is_dir()) {
        match files_in(&index) {
            Ok(files) => paths.extend(files),
            Err(error) => debug!("{}: {error}", index.display()),
        }
        paths.push(index);
    }
    for path in paths {
        match restrict_one(&path) {
            Ok(Some(mode)) => {
                warn!("other users had access to {} (mode {mode:04o}); it was taken away", path.display());
            }
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                warn!("other users have access to {}, which cannot be changed: {error}", path.display());
            }
        }
    }
}

fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// Returns the mode that the file had, if it was changed. A link to a file elsewhere in the index is left alone, but the
/// data file itself may be one.
fn restrict_one(path: &Path) -> io::Result<Option<u32>> {
    let metadata = fs::metadata(path)?;
    let Some(mode) = private_mode(&metadata) else { return Ok(None) };
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(Some(metadata.mode() & 0o777))
}

/// Returns the mode without rights of others, if they have any.
fn private_mode(metadata: &Metadata) -> Option<u32> {
    let is_plain = metadata.is_file() || metadata.is_dir();
    (is_plain && metadata.mode() & 0o077 != 0).then(|| metadata.mode() & 0o700)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn only_the_rights_of_others_are_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("argusd.redb");
        let index = folder.path().join("argusd.redb.search");
        let (part, unrelated) = (index.join("meta.json"), folder.path().join("other"));
        fs::create_dir(&index).unwrap();
        for path in [&data, &part, &unrelated] {
            fs::write(path, "x").unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o664)).unwrap();
        }
        fs::set_permissions(&index, Permissions::from_mode(0o755)).unwrap();
        restrict(&data);
        assert_eq!((mode(&data), mode(&index), mode(&part)), (0o600, 0o700, 0o600));
        assert_eq!(mode(&unrelated), 0o664);
        restrict(&data);
        assert_eq!(mode(&data), 0o600);
    }
}
