//! Arrays that are written while they are sent, so that memory does not grow with their length.
//!
//! A short array is answered as a whole. A longer one is written again from the start by a blocking thread, which waits
//! while the client does not read. An error while it is sent breaks the connection, so that no client takes a part of
//! the array for all of it.

use std::{
    io::{self, Write},
    sync::Arc,
};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::Response,
};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task,
};

use super::{
    Api, ApiError, HandlerResult,
    answers::{Busy, Permits},
    reply,
};
use crate::domain::{UserId, limits::ANSWER_CHUNK_BYTES};
use crate::service::{ServiceError, StoreError};

/// Text before and after the rows.
pub type Brackets = (&'static str, &'static str);

pub const ARRAY: Brackets = ("[", "]");

/// Number of chunks that wait until the client has read those before.
const WAITING: usize = 1;

/// Reason why an array was not finished.
#[derive(Debug)]
pub enum Stop {
    /// The array is too long to be answered as a whole.
    TooLong,
    /// The client disconnected.
    HungUp,
    Failed(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Reason why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    Busy(Busy),
    Failed(ServiceError),
}

impl From<NoAnswer> for ApiError {
    fn from(no: NoAnswer) -> Self {
        match no {
            NoAnswer::Busy(busy) => busy.into(),
            NoAnswer::Failed(error) => error.into(),
        }
    }
}

/// Rows of an array that is being written.
pub struct Rows {
    close: &'static str,
    separator: &'static str,
    buffer: Vec<u8>,
    /// `None` if the array must be short enough to be answered as a whole.
    client: Option<StreamReader>,
}

/// Client that reads a long array. Rows are written only while it has a turn, which it passes on whenever a chunk is
/// full: a few long arrays must not take all processors from short requests.
struct StreamReader {
    parts: mpsc::Sender<StreamPart>,
    turns: Arc<Semaphore>,
    turn: Option<OwnedSemaphorePermit>,
}

impl StreamReader {
    /// Waits for a turn. Like [`StreamReader::send`], it must be called on a blocking thread of a runtime.
    fn new(parts: mpsc::Sender<StreamPart>, turns: Arc<Semaphore>) -> Self {
        let mut client = Self { parts, turns, turn: None };
        client.wait_for_turn();
        client
    }

    fn wait_for_turn(&mut self) {
        // The semaphore is never closed.
        self.turn = Handle::current().block_on(Arc::clone(&self.turns).acquire_owned()).ok();
    }

    /// Sends a part and waits for the next turn. Returns false if the client disconnected.
    fn send(&mut self, part: StreamPart) -> bool {
        self.turn = None;
        let is_sent = self.parts.blocking_send(part).is_ok();
        self.wait_for_turn();
        is_sent
    }
}

enum StreamPart {
    Chunk(Bytes),
    /// Marks the array as complete.
    End,
}

impl Rows {
    fn new((open, close): Brackets, client: Option<StreamReader>) -> Self {
        Self { close, separator: "", buffer: open.into(), client }
    }

    pub fn push(&mut self, row: &impl Serialize) -> Result<(), Stop> {
        self.buffer.extend_from_slice(self.separator.as_bytes());
        self.separator = ",";
        serde_json::to_writer(&mut *self, row).map_err(|error| match (&self.client, error.is_io()) {
            (None, true) => Stop::TooLong,
            (Some(_), true) => Stop::HungUp,
            (_, false) => Stop::Failed(ServiceError::Internal("a row of a list cannot be written")),
        })
    }

    pub fn extend<R: Serialize>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<(), Stop> {
        rows.into_iter().try_for_each(|row| self.push(&row))
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let Some(client) = &mut self.client else { return Err(io::ErrorKind::FileTooLarge.into()) };
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(ANSWER_CHUNK_BYTES));
        if client.send(StreamPart::Chunk(chunk.into())) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Returns the rows that were not sent yet, with the end of the array.
    fn finish(&mut self) -> Vec<u8> {
        self.buffer.extend_from_slice(self.close.as_bytes());
        std::mem::take(&mut self.buffer)
    }

    /// Sends the rest and marks the array as complete, unless the client disconnected.
    fn end(mut self) {
        let last = self.finish();
        if let Some(client) = &mut self.client
            && client.send(StreamPart::Chunk(last.into()))
        {
            client.send(StreamPart::End);
        }
    }
}

impl Write for Rows {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= ANSWER_CHUNK_BYTES {
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns an array of data in memory. `write` is called once or twice, and must not block except by pushing rows.
pub async fn from_memory(
    api: Api,
    user: UserId,
    brackets: Brackets,
    write: impl Fn(&Api, &mut Rows) -> Result<(), Stop> + Send + Sync + 'static,
) -> HandlerResult {
    Ok(match whole(&api, brackets, &write)? {
        Some(response) => response,
        None => long(api, user, brackets, Arc::new(write)).await?,
    })
}

/// Returns an array of data in the store. `write` is called once or twice, on a blocking thread. It should not have a
/// snapshot open while it pushes rows, because the client may be slow.
pub async fn from_store(
    api: Api,
    user: UserId,
    brackets: Brackets,
    write: impl Fn(&Api, &mut Rows) -> Result<(), Stop> + Send + Sync + 'static,
) -> Result<Response, NoAnswer> {
    let write = Arc::new(write);
    let first = {
        let (api, write) = (api.clone(), Arc::clone(&write));
        task::spawn_blocking(move || whole(&api, brackets, &*write)).await
    };
    match first.unwrap_or(Err(NoAnswer::Failed(ServiceError::Internal("a list ended early"))))? {
        Some(response) => Ok(response),
        None => long(api, user, brackets, write).await,
    }
}

/// Returns the whole array, or `None` if it is too long.
fn whole(
    api: &Api,
    brackets: Brackets,
    write: &impl Fn(&Api, &mut Rows) -> Result<(), Stop>,
) -> Result<Option<Response>, NoAnswer> {
    let mut rows = Rows::new(brackets, None);
    match write(api, &mut rows) {
        Ok(()) => Ok(Some(reply::json_body(StatusCode::OK, Body::from(rows.finish())))),
        Err(Stop::TooLong | Stop::HungUp) => Ok(None),
        Err(Stop::Failed(error)) => Err(NoAnswer::Failed(error)),
    }
}

async fn long<W>(api: Api, user: UserId, brackets: Brackets, write: Arc<W>) -> Result<Response, NoAnswer>
where
    W: Fn(&Api, &mut Rows) -> Result<(), Stop> + Send + Sync + 'static,
{
    let permits = api.shared.answers.stream(user).await.map_err(NoAnswer::Busy)?;
    let (sender, parts) = mpsc::channel(WAITING);
    task::spawn_blocking(move || {
        let client = StreamReader::new(sender, api.shared.answers.turns());
        let mut rows = Rows::new(brackets, Some(client));
        match write(&api, &mut rows) {
            Ok(()) => rows.end(),
            Err(Stop::Failed(error)) => tracing::error!("a list broke off: {error}"),
            Err(Stop::TooLong | Stop::HungUp) => {}
        }
    });
    Ok(reply::json_body(StatusCode::OK, body(parts, permits)))
}

/// Returns a body that ends with an error unless all parts were received.
fn body(parts: mpsc::Receiver<StreamPart>, permits: Permits) -> Body {
    let chunks = stream::unfold(Some((parts, permits)), |state| async move {
        let (mut parts, permits) = state?;
        match parts.recv().await {
            Some(StreamPart::Chunk(chunk)) => Some((Ok(chunk), Some((parts, permits)))),
            Some(StreamPart::End) => None,
            None => Some((Err(StoreError::Io("a list broke off".to_owned())), None)),
        }
    });
    // The compression polls the stream again after its end.
    Body::from_stream(chunks.fuse())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn sent(write: impl Fn(&mut Rows) -> Result<(), Stop> + Send + 'static) -> Result<Vec<u8>, axum::Error> {
        let (sender, parts) = mpsc::channel(WAITING);
        task::spawn_blocking(move || {
            let client = StreamReader::new(sender, Arc::new(Semaphore::new(1)));
            let mut rows = Rows::new(ARRAY, Some(client));
            if write(&mut rows).is_ok() {
                rows.end();
            }
        });
        Ok(body(parts, [None, None]).collect().await?.to_bytes().to_vec())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn long_arrays_are_complete_json() {
        let text = "x\"\n".repeat(1_000);
        let expected = vec![text.clone(); 100];
        let bytes = sent(move |rows| rows.extend((0..100).map(|_| &text))).await.unwrap();
        assert_eq!(serde_json::from_slice::<Vec<String>>(&bytes).unwrap(), expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_error_on_the_way_is_no_end() {
        let text = "x".repeat(ANSWER_CHUNK_BYTES);
        let failed = sent(move |rows| {
            rows.push(&text)?;
            Err(Stop::Failed(ServiceError::Forbidden))
        });
        assert!(failed.await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_on_the_way_is_no_end() {
        let text = "x".repeat(ANSWER_CHUNK_BYTES);
        let failed = sent(move |rows| {
            rows.push(&text)?;
            panic!("in the midst of a list")
        });
        assert!(failed.await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn others_get_their_turn_after_each_chunk() {
        let turns = Arc::new(Semaphore::new(1));
        let text = "x".repeat(ANSWER_CHUNK_BYTES);
        let begin = || {
            let ((sender, parts), turns, text) = (mpsc::channel(WAITING), Arc::clone(&turns), text.clone());
            let writer = task::spawn_blocking(move || {
                let mut rows = Rows::new(ARRAY, Some(StreamReader::new(sender, turns)));
                while rows.push(&text).is_ok() {}
            });
            (parts, writer)
        };
        // The first one is not read, and has no turn while it waits.
        let (unread, first) = begin();
        let (mut parts, second) = begin();
        for _ in 0..10 {
            assert!(matches!(parts.recv().await, Some(StreamPart::Chunk(_))));
        }
        drop((unread, parts));
        first.await.unwrap();
        second.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_writer_waits_for_the_client_and_ends_with_it() {
        let (sender, mut parts) = mpsc::channel(WAITING);
        let text = "x".repeat(ANSWER_CHUNK_BYTES);
        let writer = task::spawn_blocking(move || {
            let client = StreamReader::new(sender, Arc::new(Semaphore::new(1)));
            let mut rows = Rows::new(ARRAY, Some(client));
            let mut pushed = 0_usize;
            while rows.push(&text).is_ok() {
                pushed += 1;
            }
            pushed
        });
        for _ in 0..3 {
            assert!(matches!(parts.recv().await, Some(StreamPart::Chunk(_))));
        }
        drop(parts);
        assert!(writer.await.unwrap() <= 3 + WAITING + 1);
    }

    #[test]
    fn short_arrays_are_answered_as_a_whole() {
        let mut rows = Rows::new(ARRAY, None);
        assert_eq!(Rows::new(ARRAY, None).finish(), b"[]");
        rows.extend(["a", "b"]).unwrap();
        assert!(matches!(rows.push(&"x".repeat(ANSWER_CHUNK_BYTES)), Err(Stop::TooLong)));
        let mut rows = Rows::new(ARRAY, None);
        rows.extend([1, 2]).unwrap();
        assert_eq!(rows.finish(), b"[1,2]");
    }
}
