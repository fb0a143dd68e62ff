//! Puts a backup in the place of the data file.

use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{admin_socket, backend};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::store::{NewFile, bytes_on_disk, lock_file};

/// Copies a verified backup to the path of the data file, which no server may have open. An existing data file is
/// replaced only with `force`, and kept under the returned name.
///
/// The new file gets the owner of the old one or, if there is none, of the directory. The text index is deleted; it is
/// rebuilt by the next start.
pub fn restore(config: &Config, from: &Path, force: bool) -> anyhow::Result<Option<PathBuf>> {
    let data = &config.data.value;
    let (shown, name) = (data.display(), from.display());
    anyhow::ensure!(!admin_socket::is_listening(data), "a server runs on {shown}; stop it first");
    let backup = fs::metadata(from).with_context(|| format!("cannot read {name}"))?;
    let to = fs::canonicalize(data).unwrap_or_else(|_| data.clone());
    let old = match fs::metadata(data) {
        Ok(old) if (old.dev(), old.ino()) == (backup.dev(), backup.ino()) => {
            anyhow::bail!("{name} is the data file itself")
        }
        Ok(old) if !old.is_file() => anyhow::bail!("{shown} is not a regular file"),
        Ok(_) if !force => anyhow::bail!("{shown} exists; with --force it is kept beside and replaced"),
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
    };
    // Held until the end, so that no server starts meanwhile.
    let lock = old.as_ref().map(|_| lock_file(&to)).transpose().with_context(|| format!("cannot lock {shown}"))?;
    anyhow::ensure!(lock.as_ref().is_none_or(Option::is_some), "{shown} is in use by another argusd");
    refuse_faults(from, from)?;

    let cannot = || format!("cannot write {shown}");
    let file = NewFile::create_beside(&to).with_context(cannot)?;
    file.require_space(bytes_on_disk(&backup)).with_context(cannot)?;
    let directory = to.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    file.take_owner_of(&old.clone().map_or_else(|| fs::metadata(directory), Ok).with_context(cannot)?);
    let mut backup = fs::File::open(from).with_context(|| format!("cannot read {name}"))?;
    io::copy(&mut backup, &mut file.file()).with_context(|| format!("cannot copy {name} to {shown}"))?;
    file.file().sync_all().with_context(cannot)?;
    // The copy has no name yet.
    let copy = PathBuf::from(format!("/proc/self/fd/{}", file.file().as_fd().as_raw_fd()));
    refuse_faults(if copy.exists() { &copy } else { from }, data)?;

    let kept = old.is_some().then(|| kept_name(&to));
    match &kept {
        Some(kept) => {
            // With a link there is a data file at any time. Not every file system has links.
            fs::hard_link(&to, kept)
                .or_else(|_| fs::rename(&to, kept))
                .with_context(|| format!("cannot keep the old data file as {}", kept.display()))?;
            file.persist(&to).with_context(cannot)?;
        }
        None => file.persist_new(&to).with_context(cannot)?,
    }
    let index = backend::search_directory(data);
    match fs::remove_dir_all(&index) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("the old text index {} cannot be deleted: {error}", index.display());
        }
        _ => {}
    }
    Ok(kept)
}

/// Returns an error that names `path` if the file has faults.
fn refuse_faults(file: &Path, path: &Path) -> anyhow::Result<()> {
    match backend::check_file(file)?.first() {
        None => Ok(()),
        Some(finding) => anyhow::bail!("{} cannot be restored: {finding}", path.display()),
    }
}

/// Returns the name under which a data file is kept.
fn kept_name(data: &Path) -> PathBuf {
    let now = SystemClock.now().to_datetime().format("%Y-%m-%dT%H%M%SZ");
    backend::beside(data, &format!(".before-restore-{now}"))
}
