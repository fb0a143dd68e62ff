//! Bounds of answers that are being sent: bytes that clients have not read yet, answers that are written while they are
//! sent, and answers that are being compressed.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::body::{Frame, SizeHint};
use rustc_hash::FxHashMap;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{Api, ApiError, cookies};
use crate::domain::{
    UserId,
    limits::{
        COMPRESSED_AT_ONCE, HELD_ABOVE, HELD_BYTES, HELD_BYTES_PER_USER, STREAMED_ANSWER_WAIT, STREAMED_ANSWERS,
        STREAMED_ANSWERS_PER_USER,
    },
};

/// Bytes that one permit stands for.
const UNIT: usize = 1 << 10;
/// Value of `Retry-After` for a refused client, in seconds.
const RETRY_AFTER: u16 = 5;

/// Refusal of an answer because too many are being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Too many to this user.
    User,
    /// Too many to all clients together.
    Server,
}

impl Busy {
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::User => StatusCode::TOO_MANY_REQUESTS,
            Self::Server => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::User => "Too many large responses to your account are still being read. Try again in a few seconds.",
            Self::Server => "The server is sending too many large responses. Try again in a few seconds.",
        }
    }

    #[must_use]
    pub fn retry_after() -> HeaderValue {
        HeaderValue::from(RETRY_AFTER)
    }
}

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> Self {
        Self::detail(busy.status(), busy.text()).with_header(header::RETRY_AFTER, Busy::retry_after())
    }
}

/// Permits for answers that are being sent.
pub struct Answers {
    all: Share,
    compressed: Arc<Semaphore>,
    /// Permits to write rows of long arrays.
    written: Arc<Semaphore>,
    /// Share of each user. All unauthenticated clients have one share (`None`). It is not part of `all`, so they cannot
    /// use up the permits of users.
    users: Mutex<FxHashMap<Option<UserId>, Share>>,
    /// Time limit for waiting for a permit to stream.
    wait: Duration,
}

#[derive(Clone)]
struct Share {
    /// Permits for bytes that are held, in `UNIT`s.
    held: Arc<Semaphore>,
    streamed: Arc<Semaphore>,
}

impl Share {
    fn new(held: usize, streamed: usize) -> Self {
        Self { held: Arc::new(Semaphore::new(held / UNIT)), streamed: Arc::new(Semaphore::new(streamed)) }
    }

    fn hold(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT as u64)).ok()?;
        Arc::clone(&self.held).try_acquire_many_owned(units).ok()
    }

    async fn stream(&self, wait: Duration) -> Option<OwnedSemaphorePermit> {
        timeout(wait, Arc::clone(&self.streamed).acquire_owned()).await.ok()?.ok()
    }
}

/// Permits of one answer. They are released when the value is dropped.
pub type Permits = [Option<OwnedSemaphorePermit>; 2];

impl Default for Answers {
    fn default() -> Self {
        Self {
            all: Share::new(HELD_BYTES, STREAMED_ANSWERS),
            compressed: Arc::new(Semaphore::new(COMPRESSED_AT_ONCE)),
            written: Arc::new(Semaphore::new(written_at_once())),
            users: Mutex::default(),
            wait: STREAMED_ANSWER_WAIT,
        }
    }
}

/// Returns half of the processors, so that the others are free for short requests.
fn written_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

impl Answers {
    /// Returns the permits to write rows of long arrays, one for each answer that may be written at the same time.
    #[must_use]
    pub fn turns(&self) -> Arc<Semaphore> {
        Arc::clone(&self.written)
    }

    /// Waits for permits to write an answer while it is sent.
    pub async fn stream(&self, user: UserId) -> Result<Permits, Busy> {
        let own = self.share(Some(user)).stream(self.wait).await.ok_or(Busy::User)?;
        let all = self.all.stream(self.wait).await.ok_or(Busy::Server)?;
        Ok([Some(own), Some(all)])
    }

    fn hold(&self, user: Option<UserId>, bytes: u64) -> Result<Permits, Busy> {
        let own = self.share(user).hold(bytes);
        if user.is_none() {
            return own.map(|own| [Some(own), None]).ok_or(Busy::Server);
        }
        let own = own.ok_or(Busy::User)?;
        let all = self.all.hold(bytes).ok_or(Busy::Server)?;
        Ok([Some(own), Some(all)])
    }

    /// Returns the share of a user. Shares are never removed; there are at most as many as users.
    fn share(&self, user: Option<UserId>) -> Share {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.entry(user).or_insert_with(|| Share::new(HELD_BYTES_PER_USER, STREAMED_ANSWERS_PER_USER)).clone()
    }
}

/// Extension of an answer: the user who receives it.
#[derive(Clone, Copy, Debug)]
pub struct Recipient(pub UserId);

/// Extension of an answer whose bytes are part of the program and take no extra memory.
#[derive(Clone, Copy, Debug)]
pub struct PartOfProgram;

/// Extension of an answer that must not be compressed.
#[derive(Clone, Copy, Debug)]
struct SentAsIs;

/// Returns whether a permit to compress the answer was available.
#[must_use]
pub fn may_compress(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<SentAsIs>().is_none()
}

/// Counts answers until they are sent, and refuses those that exceed the bounds. This layer must be directly inside the
/// compression layer.
pub async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let wants_gzip = request.headers().contains_key(header::ACCEPT_ENCODING);
    let cookie = request.headers().get(header::COOKIE).cloned();
    let mut response = next.run(request).await;
    let size = response.body().size_hint().exact();
    if size.is_some_and(|size| size <= HELD_ABOVE as u64) {
        return response;
    }
    let extensions = response.extensions();
    let held = match size {
        Some(size) if extensions.get::<PartOfProgram>().is_none() => {
            let known = extensions.get::<Recipient>().map(|recipient| recipient.0);
            let user = known.or_else(|| user_of_session(&api, cookie?));
            match api.shared.answers.hold(user, size) {
                Ok(held) => held,
                Err(busy) => return refusal(busy, response.headers()),
            }
        }
        _ => [None, None],
    };
    let compressed =
        if wants_gzip { Arc::clone(&api.shared.answers.compressed).try_acquire_owned().ok() } else { None };
    if wants_gzip && compressed.is_none() {
        response.extensions_mut().insert(SentAsIs);
    }
    response.map(|body| Body::new(CountedBody { body, rest: Bytes::new(), _held: held, _compressed: compressed }))
}

fn user_of_session(api: &Api, cookie: HeaderValue) -> Option<UserId> {
    let headers = HeaderMap::from_iter([(header::COOKIE, cookie)]);
    Some(api.service.people().session(cookies::get(&headers, cookies::SESSION)?)?.id())
}

fn refusal(busy: Busy, headers: &HeaderMap) -> Response {
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page {
        return (busy.status(), [(header::RETRY_AFTER, Busy::retry_after())], busy.text()).into_response();
    }
    ApiError::from(busy).into_response()
}

/// Body that is passed on in slices, so that its permits are held until the last slice is taken.
struct CountedBody {
    body: Body,
    rest: Bytes,
    _held: Permits,
    _compressed: Option<OwnedSemaphorePermit>,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let slice = this.rest.split_to(this.rest.len().min(HELD_ABOVE));
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[test]
    fn one_user_cannot_take_the_room_of_others() {
        let answers = Answers::default();
        let (ann, bert) = (Some(UserId(1)), Some(UserId(2)));
        let mut held = Vec::new();
        while let Ok(permits) = answers.hold(ann, 4 << 20) {
            held.push(permits);
        }
        assert_eq!(held.len(), HELD_BYTES_PER_USER >> 22);
        assert_eq!(answers.hold(ann, 4 << 20).err(), Some(Busy::User));
        while let Ok(permits) = answers.hold(None, 4 << 20) {
            held.push(permits);
        }
        for user in [bert, Some(UserId(3))] {
            while let Ok(permits) = answers.hold(user, 4 << 20) {
                held.push(permits);
            }
        }
        assert_eq!(answers.hold(Some(UserId(4)), 4 << 20).err(), Some(Busy::Server));
        held.clear();
        assert!(answers.hold(ann, 4 << 20).is_ok());
    }

    #[tokio::test]
    async fn streams_are_limited_for_each_user_and_for_all() {
        let answers = Answers { wait: Duration::ZERO, ..Answers::default() };
        let mut streams = Vec::new();
        for _ in 0..STREAMED_ANSWERS_PER_USER {
            streams.push(answers.stream(UserId(1)).await.unwrap());
        }
        assert_eq!(answers.stream(UserId(1)).await.err(), Some(Busy::User));
        let mut user = 2;
        while let Ok(stream) = answers.stream(UserId(user)).await {
            streams.push(stream);
            user += u64::from(streams.len() % STREAMED_ANSWERS_PER_USER == 0);
        }
        assert_eq!(streams.len(), STREAMED_ANSWERS);
        assert_eq!(answers.stream(UserId(99)).await.err(), Some(Busy::Server));
        streams.pop();
        assert!(answers.stream(UserId(99)).await.is_ok());
    }

    #[tokio::test]
    async fn permits_last_until_the_last_slice() {
        let answers = Answers::default();
        let bytes = Bytes::from(vec![7; 3 * HELD_ABOVE + 5]);
        let held = answers.hold(Some(UserId(1)), bytes.len() as u64).unwrap();
        let free = answers.all.held.available_permits();
        let mut body =
            CountedBody { body: Body::from(bytes.clone()), rest: Bytes::new(), _held: held, _compressed: None };
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            read.extend_from_slice(&frame.unwrap().into_data().unwrap());
            assert_eq!(answers.all.held.available_permits(), free);
            assert_eq!(body.size_hint().exact(), Some((bytes.len() - read.len()) as u64));
        }
        assert!(body.is_end_stream());
        assert_eq!(read, bytes);
        drop(body);
        assert_eq!(answers.all.held.available_permits(), HELD_BYTES / UNIT);
    }
}
