//! Accepting connections and serving HTTP/1 on them: bounded in number, patient with idle ones, strict with slow heads and
//! with clients that do not read.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, lookup_host},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::{Stopping, stopped};
use crate::domain::limits;

/// Descriptors that are needed for other things than clients: files, the search index, the admin socket.
const RESERVED_DESCRIPTORS: usize = 256;

/// Clients that may wait to be accepted; a burst beyond that is told nothing, and tries again a second later.
const BACKLOG: u32 = 4_096;

/// Takes as many file descriptors as the system allows, and says how many that are.
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

/// How many clients there can be with so many descriptors.
pub(super) fn at_most_with(descriptors: usize) -> usize {
    descriptors.saturating_sub(RESERVED_DESCRIPTORS).max(16)
}

/// Listens on the first of the addresses that `listen` stands for and that can be had.
pub(super) async fn bind(listen: &str) -> std::io::Result<TcpListener> {
    let mut outcome = Err(std::io::Error::other("it stands for no address"));
    for address in lookup_host(listen).await? {
        outcome = bind_to(address);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn bind_to(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // So that a restart need not wait for connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until told to stop, then waits for the requests under way.
pub(super) async fn serve(listener: TcpListener, router: Router, limit: usize, mut stopping: Stopping) {
    let slots = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let http = http1_settings();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, peer, slot)) = accepted else { break };
        let router = router.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let stream = TokioIo::new(with_write_timeout(stream, limits::WRITE_TIMEOUT));
        let connection = graceful.watch(http.serve_connection(stream, service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("{peer}: {error}");
            }
            drop(slot);
        });
    }
    drop(listener);
    graceful.shutdown().await;
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

/// Writing fails once the client has read nothing for so long, so that answers do not wait for it forever.
fn with_write_timeout(stream: TcpStream, timeout: Duration) -> Pin<Box<TimeoutStream<TcpStream>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(timeout));
    Box::pin(stream)
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// Waits for a free slot first, so that clients that are too many wait in the system's queue.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<Accepted> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    debug!("{peer}: {error}");
                }
                return Some((stream, peer, slot));
            }
            // Out of descriptors, or a client that hung up at once: both pass.
            Err(error) => {
                debug!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn clients_that_do_not_read_are_disconnected() {
        let listener = bind_to("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let mut stream = with_write_timeout(accepted, Duration::from_millis(50));
        let error = loop {
            if let Err(error) = stream.write_all(&[0; 64 << 10]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        drop(silent);
    }
}
