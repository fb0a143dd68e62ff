//! Limits the number of connections with large request heads: each has a buffer of that size as long as it is open.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::ByteStream;

/// Bytes that are read at first, which are enough for an ordinary head.
const ORDINARY_HEAD_BYTES: usize = 8 << 10;

/// State of the head that a connection is reading. Cheap to clone.
#[derive(Clone)]
pub(super) struct Head(Arc<Mutex<HeadState>>);

struct HeadState {
    /// Permits for large heads.
    large: Arc<Semaphore>,
    /// Number of bytes of the head so far. `None` while a request is carried out.
    bytes: Option<usize>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Head {
    pub(super) fn new(large: &Arc<Semaphore>) -> Self {
        Self(Arc::new(Mutex::new(HeadState { large: Arc::clone(large), bytes: Some(0), permit: None })))
    }

    /// Records that the head is complete.
    pub(super) fn parsed(&self) {
        self.state().bytes = None;
    }

    /// Records that the next bytes belong to a new head. Returns whether the connection has to be closed, because its
    /// buffer has become large.
    pub(super) fn answered(&self) -> bool {
        let mut state = self.state();
        state.bytes = Some(0);
        state.permit.is_some()
    }

    fn read(&self, bytes: usize) -> io::Result<()> {
        let mut state = self.state();
        let Some(before) = state.bytes else { return Ok(()) };
        let length = before.saturating_add(bytes);
        state.bytes = Some(length);
        if length > ORDINARY_HEAD_BYTES && state.permit.is_none() {
            let permit = Arc::clone(&state.large).try_acquire_owned();
            state.permit = Some(permit.map_err(|_| io::Error::other("too many large request heads at once"))?);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, HeadState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that counts the bytes of heads.
pub(super) struct CountedConnection {
    pub stream: ByteStream,
    pub head: Head,
}

impl AsyncRead for CountedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.head.read(buffer.filled().len() - before))
    }
}

impl AsyncWrite for CountedConnection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_heads_need_a_permit() {
        let large = Arc::new(Semaphore::new(1));
        let (first, second) = (Head::new(&large), Head::new(&large));
        assert!(first.read(ORDINARY_HEAD_BYTES).is_ok());
        assert_eq!(large.available_permits(), 1);
        assert!(first.read(1).is_ok() && first.read(ORDINARY_HEAD_BYTES).is_ok());
        assert_eq!(large.available_permits(), 0);
        assert!(second.read(ORDINARY_HEAD_BYTES + 1).is_err());
        first.parsed();
        assert!(first.answered(), "its buffer stays large until it is closed");
        drop(first);
        assert!(second.read(1).is_ok());
    }

    #[test]
    fn bodies_do_not_count() {
        let head = Head::new(&Arc::new(Semaphore::new(0)));
        for _ in 0..9 {
            assert!(head.read(ORDINARY_HEAD_BYTES).is_ok());
            head.parsed();
            assert!(head.read(1 << 20).is_ok());
            assert!(!head.answered());
        }
        assert!(head.read(ORDINARY_HEAD_BYTES + 1).is_err());
    }
}
