//! Writes a backup for the command line, which opens the target itself: a file, or standard output.
//!
//! The running server gets the open file over the admin socket. So it can write wherever the command may, whatever
//! directories the service can see.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Seek},
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
};

use super::{admin_socket, descriptors};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::control::{AdminReply, AdminRequest};
use crate::store::{BackupError, NewFile, Store};

/// Directory for a temporary file if there can be none beside the data file.
const OTHER_DIRECTORY: &str = "/var/tmp";

/// Writes a verified copy of the data file to a file or, for `None`, to standard output. Returns inconsistencies that
/// the copy has from the data file.
///
/// A signal that ends the command leaves nothing behind.
pub fn back_up(config: &Config, target: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let interrupted = interrupted()?;
        tokio::select! {
            outcome = write(config, target) => outcome,
            name = interrupted => anyhow::bail!("{name}: the backup was stopped, and nothing was kept"),
        }
    });
    // Threads that still copy end with the process.
    runtime.shutdown_background();
    outcome
}

fn interrupted() -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hangup.recv() => "SIGHUP",
        }
    })
}

async fn write(config: &Config, target: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let data = &config.data.value;
    if let Some(path) = target {
        let to = place_of(path, data)?;
        let cannot = || format!("cannot write {}", path.display());
        let file = NewFile::create_beside(&to).with_context(cannot)?;
        let findings = fill(data, file.file(), &path.display().to_string()).await?;
        spawn_blocking(move || file.persist(&to)).await?.with_context(cannot)?;
        Ok(findings)
    } else {
        let file = temporary(data)?;
        let findings = fill(data, file.file(), "a temporary file").await?;
        let copied = spawn_blocking(move || {
            let mut from = file.file();
            from.rewind()?;
            let mut stdout = io::stdout().lock();
            io::copy(&mut from, &mut stdout)?;
            io::Write::flush(&mut stdout)
        });
        copied.await?.context("cannot write to standard output")?;
        Ok(findings)
    }
}

/// Returns the path at which the copy will be, without symbolic links. Refuses whatever must not be replaced.
fn place_of(path: &Path, data: &Path) -> anyhow::Result<PathBuf> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let what = if found.is_dir() { "is a directory" } else { "is not a regular file" };
            anyhow::bail!("{shown} {what}; name a file, or - for standard output");
        }
        Ok(found) => {
            let is_live = fs::metadata(data).is_ok_and(|live| (live.dev(), live.ino()) == (found.dev(), found.ino()));
            anyhow::ensure!(!is_live, "{shown} is the data file itself");
            fs::canonicalize(path).with_context(|| format!("cannot write {shown}"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            anyhow::ensure!(path.symlink_metadata().is_err(), "{shown} is a symbolic link that leads nowhere");
            let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
            let directory = directory.unwrap_or(Path::new("."));
            anyhow::ensure!(directory.exists(), "cannot write {shown}: there is no directory {}", directory.display());
            Ok(path.to_owned())
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {shown}")),
    }
}

fn temporary(data: &Path) -> anyhow::Result<NewFile> {
    let beside =
        NewFile::create_beside(data).or_else(|error| NewFile::create_in(Path::new(OTHER_DIRECTORY)).map_err(|_| error));
    beside.context("cannot create a temporary file for the copy")
}

/// Has the copy written by the running server, or writes it in this process if no server runs.
async fn fill(data: &Path, file: &File, target: &str) -> anyhow::Result<Vec<String>> {
    let own = file.try_clone().with_context(|| format!("cannot write {target}"))?;
    let path = data.to_owned();
    let reply = match admin_socket::connect(data).await {
        Ok(Some(stream)) => spawn_blocking(move || ask(&stream, &own)).await??,
        Ok(None) => spawn_blocking(move || write_here(&path, &own)).await??,
        Err(foreign_owner) => {
            tracing::warn!("{foreign_owner}");
            spawn_blocking(move || write_here(&path, &own)).await??
        }
    };
    match reply {
        AdminReply::Done => Ok(Vec::new()),
        AdminReply::Findings(findings) => Ok(findings),
        AdminReply::TargetFailed(reason) => anyhow::bail!("cannot write {target}: {reason}"),
        AdminReply::Refused(reason) => anyhow::bail!(reason),
        _ => anyhow::bail!("the running server is of another version"),
    }
}

fn ask(stream: &UnixStream, file: &File) -> anyhow::Result<AdminReply> {
    let mut line = serde_json::to_vec(&AdminRequest::Backup)?;
    line.push(b'\n');
    descriptors::send_line(stream, &line, file).context("cannot talk to the running server")?;
    for line in BufReader::new(stream).lines() {
        let line = line.context("lost the connection to the running server")?;
        match serde_json::from_str(&line).context("the running server is of another version")? {
            AdminReply::Progress(_) => {}
            reply => return Ok(reply),
        }
    }
    anyhow::bail!("the server stopped before the backup was complete")
}

/// Copies a data file that no server has open, without changing it.
fn write_here(data: &Path, file: &File) -> anyhow::Result<AdminReply> {
    anyhow::ensure!(data.exists(), "there is no file {}", data.display());
    let store = Store::open_unchanged(data, Arc::new(SystemClock))?;
    let copied = store.backup_into(file, &|| Ok(()));
    store.close()?;
    Ok(reply(copied))
}

/// Has the server write a copy into a file that it received. Returns the reply, unless `stop` ends it first.
pub(super) async fn copy_into(store: &Store, file: File, stop: Arc<AtomicBool>) -> AdminReply {
    let store = store.clone();
    let work = move || {
        let metadata = file.metadata().map_err(|error| BackupError::target(&error))?;
        if !metadata.is_file() || metadata.len() > 0 || store.is_same_file(&metadata) {
            return Err(BackupError::Target("it is not an empty file".to_owned()));
        }
        let go_on = || if stop.load(Ordering::Relaxed) { Err(BackupError::Stopped) } else { Ok(()) };
        store.backup_into(&file, &go_on)
    };
    let copied = spawn_blocking(work).await;
    copied.map_or_else(|_| AdminReply::Refused("an internal error ended the backup".to_owned()), reply)
}

fn reply(copied: Result<Vec<String>, BackupError>) -> AdminReply {
    match copied {
        Ok(findings) if findings.is_empty() => AdminReply::Done,
        Ok(findings) => AdminReply::Findings(findings),
        Err(BackupError::Target(reason)) => AdminReply::TargetFailed(reason),
        Err(error) => AdminReply::Refused(error.to_string()),
    }
}

/// Sets a flag when it is dropped.
pub(super) struct StopOnDrop(pub(super) Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
