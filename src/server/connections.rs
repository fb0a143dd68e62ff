//! Accepts connections and serves HTTP/1 on them. Limits their number, tolerates idle ones, and ends those with slow
//! heads or with clients that do not read.

mod addresses;
mod head;
mod stream;

use std::{convert::Infallible, io::Write, pin::Pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderValue, header},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;
use tracing::{debug, warn};

pub(super) use self::stream::ByteStream;
use self::{
    addresses::{AddressCounts, CountedAddress},
    head::{CountedConnection, Head},
};
use super::{
    Stopping,
    listener::{Listener, Peer},
    stopped,
    tls::{self, LiveTls},
};
use crate::domain::limits;
use crate::http::{Network, host, peer::Encrypted, traffic};

/// Number of file descriptors for other purposes than clients: files, the search index, the admin socket.
const RESERVED_DESCRIPTORS: usize = 256;

/// Answer to an address that has its share of connections already.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\
    Content-Type: text/plain\r\nContent-Length: 47\r\n\r\nThere are too many connections from your host.\n";

/// Raises the number of file descriptors to what the system allows, and returns it.
pub(super) fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(error) => {
            warn!("cannot raise the number of open files: {error}");
            limit.current
        }
    };
    current.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// Returns the number of connections that fit into this number of file descriptors, but at least 16.
pub(super) fn at_most_with(descriptors: usize) -> usize {
    descriptors.saturating_sub(RESERVED_DESCRIPTORS).max(16)
}

/// Limits on simultaneous connections.
pub(super) struct ConnectionBounds {
    all: usize,
    of_one_address: usize,
    /// Networks to which the limit for each address does not apply.
    trusted_proxies: Vec<Network>,
}

impl ConnectionBounds {
    pub(super) fn new(all: usize, trusted_proxies: Vec<Network>) -> Self {
        let share = all / limits::CONNECTION_SHARE_PER_ADDRESS;
        Self { all, of_one_address: share.max(limits::CONNECTIONS_PER_ADDRESS), trusted_proxies }
    }
}

/// Accepts connections until the server stops, then waits for the requests under way. With `tls` they are encrypted.
pub(super) async fn serve(
    listener: Listener,
    tls: Option<LiveTls>,
    router: Router,
    bounds: ConnectionBounds,
    mut stopping: Stopping,
) {
    let slots = Arc::new(Semaphore::new(bounds.all.min(Semaphore::MAX_PERMITS)));
    let addresses = AddressCounts::new(bounds.of_one_address, &bounds.trusted_proxies);
    let large_heads = Arc::new(Semaphore::new(limits::LARGE_HEADS));
    let graceful = GracefulShutdown::new();
    let http = http1_settings();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            accepted = accept(&listener, tls.is_some(), &slots, &addresses) => accepted,
        };
        let Some(AcceptedConnection { stream, peer, slot, connected }) = accepted else { break };
        let (router, head, tls, http) = (router.clone(), Head::new(&large_heads), tls.clone(), http.clone());
        let (watcher, mut stopping) = (graceful.watcher(), stopping.clone());
        tokio::spawn(async move {
            let encrypted = tls.is_some();
            let stream = match tls {
                Some(tls) => {
                    // In a box, so that connections without a handshake do not have its size.
                    let handshake = Box::pin(handshake(&tls, stream, peer));
                    tokio::select! {
                        biased;
                        () = stopped(&mut stopping) => None,
                        stream = handshake => stream,
                    }
                }
                None => Some(stream),
            };
            let Some(stream) = stream else { return };
            let stream = CountedConnection { stream, head: head.clone() };
            let io = TokioIo::new(with_write_timeout(stream, limits::WRITE_TIMEOUT));
            let service = service_fn(move |request| answer(router.clone(), head.clone(), (peer, encrypted), request));
            if let Err(error) = watcher.watch(http.serve_connection(io, service)).await {
                debug!("{peer}: {error}");
            }
            drop((slot, connected));
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Encrypts a connection. `None`: it failed, or the client speaks plain HTTP.
async fn handshake(tls: &LiveTls, stream: ByteStream, peer: Peer) -> Option<ByteStream> {
    let ByteStream::Tcp(stream) = stream else { return Some(stream) };
    match tls::accept(tls, stream).await {
        Ok(stream) => stream.map(|stream| ByteStream::Tls(Box::new(stream))),
        Err(error) => {
            debug!("{peer}: no TLS connection: {error}");
            None
        }
    }
}

async fn answer(
    router: Router,
    head: Head,
    (peer, encrypted): (Peer, bool),
    mut request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    head.parsed();
    let mut response = if let Some(mut refusal) = host::refusal(&request) {
        traffic::stamp_new(&mut refusal);
        refusal
    } else {
        if let Peer::Address(address) = peer {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        if encrypted {
            request.extensions_mut().insert(Encrypted);
        }
        router.oneshot(request).await?
    };
    if head.answered() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn http1_settings() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_TIMEOUT)
        .max_buf_size(limits::HEADER_BYTES)
        .keep_alive(true);
    builder
}

/// Makes writing fail if the client has read nothing for `timeout`, so that answers do not wait for it forever.
fn with_write_timeout<S: AsyncRead + AsyncWrite>(stream: S, timeout: Duration) -> Pin<Box<TimeoutStream<S>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(timeout));
    Box::pin(stream)
}

struct AcceptedConnection {
    stream: ByteStream,
    peer: Peer,
    slot: OwnedSemaphorePermit,
    connected: CountedAddress,
}

/// Accepts a connection. Waits for a free slot first, so that surplus clients wait in the system's queue.
async fn accept(
    listener: &Listener,
    encrypted: bool,
    slots: &Arc<Semaphore>,
    addresses: &AddressCounts,
) -> Option<AcceptedConnection> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match addresses.admit(peer.ip()) {
                Some(connected) => return Some(AcceptedConnection { stream, peer, slot, connected }),
                // A client that expects a handshake cannot read the answer.
                None if encrypted => debug!("{peer}: too many connections from one address"),
                None => turn_away(stream),
            },
            // Out of descriptors, or a client that disconnected at once: both pass.
            Err(error) => {
                debug!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Refuses a connection, without waiting: a new connection has room for a short answer.
fn turn_away(stream: ByteStream) {
    let ByteStream::Tcp(stream) = stream else { return };
    let answered = stream.into_std().and_then(|mut stream| stream.write_all(TOO_MANY));
    if let Err(error) = answered {
        debug!("too many connections from one address: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpSocket, TcpStream},
        sync::watch,
    };

    use super::*;
    use crate::server::listener::{bind, bind_to};

    async fn connect(from: &str, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
        socket.connect(to).await.unwrap()
    }

    /// Sends a request and returns the start of the answer. The connection stays open.
    async fn ask(stream: &mut TcpStream) -> String {
        // The server may have closed the connection already.
        drop(stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await);
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        String::from_utf8_lossy(&start).into_owned()
    }

    #[tokio::test]
    async fn one_address_cannot_take_all_connections() {
        let listener = bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let bounds =
            ConnectionBounds { all: 9, of_one_address: 2, trusted_proxies: vec!["127.0.0.3".parse().unwrap()] };
        let serving = tokio::spawn(serve(Listener::Tcp(listener), None, Router::new(), bounds, stopping));
        let mut open = Vec::new();
        for (from, expected) in [
            ("127.0.0.1", "404"),
            ("127.0.0.1", "404"),
            ("127.0.0.1", "503"),
            ("127.0.0.2", "404"),
            ("127.0.0.3", "404"),
            ("127.0.0.3", "404"),
            ("127.0.0.3", "404"),
        ] {
            let mut stream = connect(from, address).await;
            assert_eq!(ask(&mut stream).await, format!("HTTP/1.1 {expected}"), "{from}");
            open.push(stream);
        }
        drop(open);
        stop.send_replace(true);
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn clients_that_do_not_read_are_disconnected() {
        let listener = bind_to("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let mut stream = with_write_timeout(accepted, Duration::from_millis(50));
        let error = loop {
            if let Err(error) = stream.write_all(&[0; 8 << 10]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        drop(silent);
    }
}
