//! Takes access to the files of the server away from other users, in case an earlier version, a restore or a copy gave it
//! to them. New files are private anyway, because the program sets its umask.

use std::{
    fs::{self, Metadata, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use tracing::warn;

use super::backend::beside;

/// Restricts the data file and the first password to their owner. Files that cannot be restricted are logged. The
/// directory of the text index is restricted when the index is opened.
pub(super) fn restrict(data: &Path) {
    for path in [data.to_owned(), beside(data, ".admin-password")] {
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

/// Returns the mode that the file had, if it was changed. The data file may be a link.
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
        let unrelated = folder.path().join("other");
        for path in [&data, &unrelated] {
            fs::write(path, "x").unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o664)).unwrap();
        }
        restrict(&data);
        assert_eq!((mode(&data), mode(&unrelated)), (0o600, 0o664));
        restrict(&data);
        assert_eq!(mode(&data), 0o600);
    }
}
