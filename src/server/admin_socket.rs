//! The Unix socket beside the data file that accepts administrative commands.
//!
//! A request is one line of JSON, with an open file if it is about one; the replies are lines of JSON. Only the owner of the server and root are accepted.

use std::{
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tracing::{debug, error, info};

use super::{
    Stopping,
    backend::beside,
    backup::{StopOnDrop, copy_into},
    descriptors::receive_line,
    stopped,
};
use crate::config::Config;
use crate::control::{self, AdminReply, AdminRequest};
use crate::domain::limits;
use crate::service::Service;
use crate::store::Owner;

/// Longest path of a socket in bytes that all systems support.
const LONGEST_PATH: usize = 100;

/// Returns the path of the socket of a data file: beside it or, if that path is too long, in a directory of its owner.
pub(super) fn socket_path(data: &Path) -> PathBuf {
    let data = std::fs::canonicalize(data).or_else(|_| std::path::absolute(data)).unwrap_or_else(|_| data.to_owned());
    let path = beside(&data, ".sock");
    if path.as_os_str().len() <= LONGEST_PATH {
        return path;
    }
    let owner = std::fs::metadata(&data).map_or_else(|_| own_uid(), |metadata| metadata.uid());
    let name: String = hex::encode(Sha256::digest(data.as_os_str().as_encoded_bytes())).chars().take(24).collect();
    fallback_directory(owner).join(format!("{name}.sock"))
}

fn fallback_directory(owner: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/argusd-{owner}"))
}

/// Error for a socket that must not be used, because another user's process may listen on it.
#[derive(Debug, thiserror::Error)]
#[error("{} is ignored: {reason}", .path.display())]
pub struct ForeignSocket {
    path: PathBuf,
    reason: String,
}

/// Connects to the server that runs on this data file. `None` if no server listens.
///
/// Commands contain passwords and tokens, so the listening process must belong to the owner of the data file, to root,
/// or to the calling user.
pub async fn connect(data: &Path) -> Result<Option<std::os::unix::net::UnixStream>, ForeignSocket> {
    let path = socket_path(data);
    let owner = std::fs::metadata(data).map_or_else(|_| own_uid(), |metadata| metadata.uid());
    let foreign_owner = |reason: String| ForeignSocket { path: path.clone(), reason };
    if path.parent() == Some(fallback_directory(owner).as_path()) {
        match std::fs::symlink_metadata(fallback_directory(owner)) {
            Err(_) => return Ok(None),
            Ok(directory) if is_private(&directory, owner) => {}
            Ok(_) => {
                return Err(foreign_owner(
                    "its directory belongs to somebody else, or others may write to it".to_owned(),
                ));
            }
        }
    }
    let Ok(stream) = UnixStream::connect(&path).await else { return Ok(None) };
    let peer = stream.peer_cred().map_err(|error| foreign_owner(error.to_string()))?.uid();
    if !is_trusted(peer, owner) && peer != own_uid() {
        return Err(foreign_owner(format!("user {peer} listens there, and the data file belongs to user {owner}")));
    }
    let connected = stream.into_std().and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
    connected.map(Some).map_err(|error| foreign_owner(error.to_string()))
}

fn is_trusted(peer: u32, owner: u32) -> bool {
    peer == 0 || peer == owner
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Returns whether this is a directory, not a link to one, that only `owner` can access.
fn is_private(directory: &std::fs::Metadata, owner: u32) -> bool {
    directory.is_dir() && directory.uid() == owner && directory.mode() & 0o777 == 0o700
}

pub(super) struct AdminSocket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl AdminSocket {
    /// Waits for the end of the task, after the server was asked to stop, and removes the socket.
    pub(super) async fn end(self) {
        let ended = self.task.await;
        drop(ended);
        if let Err(error) = std::fs::remove_file(&self.path) {
            debug!("{}: {error}", self.path.display());
        }
    }
}

/// Returns whether a server answers for this path, even if it has opened another file that was at this path before.
#[must_use]
pub(super) fn is_answered(data: &Path) -> bool {
    let path = socket_path(data);
    let given_to = Owner::of(data).map(Owner::uid);
    let is_own = std::fs::symlink_metadata(&path)
        .is_ok_and(|metadata| metadata.uid() == own_uid() || Some(metadata.uid()) == given_to);
    is_own && std::os::unix::net::UnixStream::connect(path).is_ok()
}

/// Returns whether some process listens on the socket of a data file.
#[must_use]
pub(super) fn is_listening(data: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket_path(data)).is_ok()
}

/// Starts the socket. A server without its socket still serves: `None` and a log line if it cannot be created.
pub(super) fn start(config: &Config, service: Service, stopping: Stopping) -> Option<AdminSocket> {
    let path = socket_path(&config.data.value);
    let owner = Owner::of(&config.data.value);
    match bind(&path, owner) {
        Ok(listener) => {
            info!("listening for administrative commands on {}", path.display());
            let owner = owner.map_or_else(own_uid, Owner::uid);
            Some(AdminSocket { task: tokio::spawn(listen(listener, owner, service, stopping)), path })
        }
        Err(error) => {
            error!("no administrative commands while running: cannot listen on {}: {error}", path.display());
            None
        }
    }
}

/// Binds the socket. This process holds the lock of the data file, so an existing socket is left over from a dead
/// server.
fn bind(path: &Path, owner: Option<Owner>) -> std::io::Result<UnixListener> {
    let elsewhere = fallback_directory(owner.map_or_else(own_uid, Owner::uid));
    if path.parent() == Some(elsewhere.as_path()) {
        private_directory(&elsewhere, owner)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    if let Some(owner) = owner {
        owner.give_path(path);
    }
    Ok(listener)
}

fn private_directory(directory: &Path, owner: Option<Owner>) -> std::io::Result<()> {
    match (std::fs::DirBuilder::new().mode(0o700).create(directory), owner) {
        (Ok(()), Some(owner)) => owner.give_path(directory),
        (Err(error), _) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if is_private(&std::fs::symlink_metadata(directory)?, owner.map_or_else(own_uid, Owner::uid)) {
        return Ok(());
    }
    Err(std::io::Error::other("the directory belongs to somebody else"))
}

async fn listen(listener: UnixListener, owner: u32, service: Service, mut stopping: Stopping) {
    let slots = Arc::new(Semaphore::new(limits::ADMIN_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stopping) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if is_allowed(&stream, owner) => {
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                    debug!("admin socket: too many commands at once");
                    continue;
                };
                let (service, mut stopping) = (service.clone(), stopping.clone());
                tokio::spawn(async move {
                    let answered = tokio::select! {
                        answered = answer(stream, &service) => answered,
                        () = stopped(&mut stopping) => Ok(()),
                    };
                    if let Err(error) = answered {
                        debug!("admin socket: {error}");
                    }
                    drop(slot);
                });
            }
            Ok(_) => debug!("admin socket: somebody else's process was turned away"),
            Err(error) => {
                debug!("admin socket: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

fn is_allowed(stream: &UnixStream, owner: u32) -> bool {
    stream.peer_cred().is_ok_and(|peer| is_trusted(peer.uid(), owner))
}

async fn answer(stream: UnixStream, service: &Service) -> anyhow::Result<()> {
    let received = timeout(limits::ADMIN_TIMEOUT, receive_line(&stream, limits::ADMIN_REQUEST_BYTES)).await;
    let (mut read, mut write) = stream.into_split();
    let (line, file) = match received {
        Ok(Ok(received)) => received,
        Ok(Err(error)) => {
            return send(&mut write, &AdminReply::Refused(format!("the request cannot be read: {error}"))).await;
        }
        Err(_) => return send(&mut write, &AdminReply::Refused("the request did not arrive in time".to_owned())).await,
    };
    let request = match serde_json::from_str::<AdminRequest>(&line) {
        Ok(request) => request,
        Err(error) => {
            let reply = AdminReply::Refused(format!("the request is not understood: {error}"));
            return send(&mut write, &reply).await;
        }
    };
    if let (AdminRequest::Backup, Some(file)) = (&request, file) {
        let stop = Arc::new(AtomicBool::new(false));
        // The copy ends with the command, and with the server.
        let _stopped = StopOnDrop(Arc::clone(&stop));
        let reply = tokio::select! {
            reply = copy_into(service.store(), file, stop) => reply,
            _ = read.read_u8() => return Ok(()),
        };
        return send(&mut write, &reply).await;
    }
    let (progress, mut steps) = mpsc::unbounded_channel();
    let work = async {
        let reply = control::execute(service, request, &|text| drop(progress.send(AdminReply::Progress(text)))).await;
        drop(progress);
        reply
    };
    let shown = async {
        while let Some(step) = steps.recv().await {
            if send(&mut write, &step).await.is_err() {
                break;
            }
        }
        write
    };
    let (reply, mut write) = tokio::join!(work, shown);
    send(&mut write, &reply).await
}

/// Sends a reply. Fails if the other end does not read.
async fn send(write: &mut (impl AsyncWriteExt + Unpin), reply: &AdminReply) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    timeout(limits::ADMIN_TIMEOUT, write.write_all(&line)).await??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_and_root_are_trusted() {
        assert!(is_trusted(12_345, 12_345) && is_trusted(0, 12_345));
        assert!(!is_trusted(23_456, 12_345) && !is_trusted(12_345, 0));
    }

    #[test]
    fn a_long_path_has_its_socket_elsewhere() {
        let near = socket_path(Path::new("/data/argusd.redb"));
        assert_eq!(near, Path::new("/data/argusd.redb.sock"));
        let far = socket_path(&Path::new("/").join("x".repeat(120)).join("argusd.redb"));
        assert!(far.as_os_str().len() <= LONGEST_PATH);
        assert_ne!(far, socket_path(&Path::new("/").join("y".repeat(120)).join("argusd.redb")));
    }
}
