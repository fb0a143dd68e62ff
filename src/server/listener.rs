//! Opens the socket that clients connect to: a TCP port, a Unix socket, or one that the service manager passes.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use tokio::{
    net::{TcpListener, TcpSocket, UnixListener, UnixStream, lookup_host},
    time::timeout,
};
use tracing::{debug, info};

use super::{Misconfigured, connections::ByteStream};
use crate::config::{Config, Origin};
use crate::domain::limits;

/// Number of clients that may wait to be accepted. Clients beyond that get no answer, and try again a second later.
const BACKLOG: u32 = 4_096;

/// Beginning of the setting `listen` if the rest is the path of a Unix socket.
const UNIX: &str = "unix:";

pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, UnixPath),
}

/// Path of a Unix socket.
pub(super) struct UnixPath {
    path: PathBuf,
    /// Device and inode of the socket that this process created and has to remove. `None`: it was passed.
    own: Option<(u64, u64)>,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Address(SocketAddr),
    /// A process on this host, which has no address.
    Unix,
}

impl Peer {
    pub(super) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.ip()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix => f.write_str("a client of the Unix socket"),
        }
    }
}

/// The sockets that the service manager passed to this process.
pub(super) struct PassedSockets(ListenFd);

impl PassedSockets {
    /// Takes the sockets from the environment. Plug-ins do not get them.
    pub(super) fn take() -> Self {
        Self(ListenFd::from_env())
    }

    /// Returns an error if it is not clear where to listen.
    pub(super) fn check(&self, config: &Config) -> Result<(), Misconfigured> {
        let origin = config.listen.origin;
        match self.0.len() {
            0 => Ok(()),
            1 if origin == Origin::Default => Ok(()),
            1 => Err(Misconfigured::new(format!(
                "the service manager passes a socket, and listen ({origin}) is set to {}: use only one of them; \
                 remove the setting, or disable argusd.socket",
                config.listen.value
            ))),
            number => Err(Misconfigured::new(format!(
                "the service manager passes {number} sockets, but argusd listens on one: \
                 keep one line ListenStream= in argusd.socket"
            ))),
        }
    }

    fn listener(mut self) -> anyhow::Result<Option<Listener>> {
        if self.0.len() == 0 {
            return Ok(None);
        }
        let listener = if let Ok(Some(listener)) = self.0.take_tcp_listener(0) {
            check_listening(&listener)?;
            listener.set_nonblocking(true)?;
            Listener::Tcp(TcpListener::from_std(listener)?)
        } else {
            let wrong = || Misconfigured::new("the service manager passes something else than a stream socket".into());
            let listener = self.0.take_unix_listener(0).ok().flatten().ok_or_else(wrong)?;
            check_listening(&listener)?;
            listener.set_nonblocking(true)?;
            let path = listener.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default();
            Listener::Unix(UnixListener::from_std(listener)?, UnixPath { path, own: None })
        };
        Ok(Some(listener))
    }
}

fn check_listening(socket: &impl std::os::fd::AsFd) -> Result<(), Misconfigured> {
    let wrong = "the service manager passes a connection instead of a listening socket: set Accept=no in argusd.socket";
    if socket_acceptconn(socket).unwrap_or(true) { Ok(()) } else { Err(Misconfigured::new(wrong.into())) }
}

/// Opens the socket that the settings name, or takes the one that was passed.
pub(super) async fn open(config: &Config, passed: PassedSockets) -> anyhow::Result<Listener> {
    if let Some(listener) = passed.listener()? {
        info!("listening on the socket that the service manager passed");
        return Ok(listener);
    }
    let listen = &config.listen.value;
    let opened = match listen.strip_prefix(UNIX) {
        Some(path) => bind_unix(Path::new(path), config.listen_mode.value).await,
        None => bind(listen).await.map(Listener::Tcp),
    };
    opened.with_context(|| format!("cannot listen on {listen}"))
}

impl Listener {
    /// Returns `HOST:PORT`, or `unix:` and the path of the socket.
    pub(super) fn name(&self) -> anyhow::Result<String> {
        match self {
            Self::Tcp(listener) => {
                let address = listener.local_addr().context("cannot tell the address that is listened on")?;
                Ok(address.to_string())
            }
            Self::Unix(_, socket) => Ok(format!("{UNIX}{}", socket.path.display())),
        }
    }

    /// Returns the URL of the server, or `unix:` and the path of the socket.
    pub(super) fn base(&self, encrypted: bool) -> anyhow::Result<String> {
        let name = self.name()?;
        Ok(match self {
            Self::Tcp(_) => format!("{}://{name}", if encrypted { "https" } else { "http" }),
            Self::Unix(..) => name,
        })
    }

    pub(super) fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(..))
    }

    pub(super) async fn accept(&self) -> io::Result<(ByteStream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                if let Err(error) = stream.set_nodelay(true) {
                    debug!("{address}: {error}");
                }
                Ok((ByteStream::Tcp(stream), Peer::Address(address)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((ByteStream::Unix(stream), Peer::Unix))
            }
        }
    }
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        let is_ours = |own: &(u64, u64)| identity(&self.path).is_ok_and(|found| found == *own);
        if self.own.as_ref().is_some_and(is_ours)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            debug!("{}: {error}", self.path.display());
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Listens on the first available address that `listen` stands for.
pub(super) async fn bind(listen: &str) -> io::Result<TcpListener> {
    let mut outcome = Err(io::Error::other("it stands for no address"));
    for address in lookup_host(listen).await? {
        outcome = bind_to(address);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

pub(super) fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait until connections of the last run are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Creates a Unix socket. One that is left over from a process that ended is replaced.
async fn bind_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::other("there is a file that is not a socket"));
        }
        Ok(_) => {
            if is_answered(path).await? {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
            }
            std::fs::remove_file(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // The umask lets nobody connect before the mode is set.
    let listener = UnixListener::bind(path)?;
    let socket = UnixPath { path: path.to_owned(), own: Some(identity(path)?) };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(Listener::Unix(listener, socket))
}

/// Returns whether a process listens on a socket. One that does not accept in time counts as listening.
async fn is_answered(path: &Path) -> io::Result<bool> {
    match timeout(limits::UNIX_CONNECT_TIMEOUT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_replaced_only_if_nobody_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("argusd.sock");
        let first = bind_unix(&path, 0o660).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let refused = bind_unix(&path, 0o660).await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(!path.exists(), "who created it removes it");

        // Left over from a process that was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let second = bind_unix(&path, 0o600).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let third = bind_unix(&path, 0o600).await.unwrap();
        drop(second);
        assert!(path.exists(), "the socket of another process stays");
        drop(third);

        std::fs::write(&path, "text").unwrap();
        assert!(bind_unix(&path, 0o600).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
    }
}
