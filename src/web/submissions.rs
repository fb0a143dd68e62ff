//! Forms that were sent recently. A form that is sent twice takes effect once, and both requests get the first answer.
//!
//! Beside its CSRF token, each form has a number that is new on each page. Requests with the same session, address,
//! number and content are the same form. Answers that changed something are remembered for a while. A form that was
//! refused may be sent again.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Extensions, HeaderMap, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::body::Body as _;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use tokio::{runtime::Handle, sync::watch};

use super::{PageError, Site};
use crate::domain::{
    MonotonicTime, UserId,
    limits::{
        FORM_ANSWER_BYTES, FORM_ANSWERS_BYTES, FORM_KEPT_FOR, FORM_NUMBER, FORMS_AT_ONCE, FORMS_AT_ONCE_PER_USER,
        FORMS_KEPT, FORMS_KEPT_PER_USER,
    },
};
use crate::service::{NoSlot, Slot, Slots};

/// Field with the number of a form.
pub const NUMBER: &str = "form_number";

/// Identity of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FormKey([u8; 32]);

/// Extension of an answer that shows something only once, such as a new token. It is remembered like a redirect.
#[derive(Clone, Copy, Debug)]
pub struct ShownOnce;

/// Handle of the forms of all users.
#[derive(Clone)]
pub struct Submissions {
    known: Arc<Mutex<KnownForms>>,
    slots: Slots,
}

/// Bounds of the forms that are remembered.
#[derive(Clone, Copy, Debug)]
struct SubmissionBounds {
    forms: usize,
    forms_per_user: usize,
    bytes: usize,
    life: Duration,
}

struct KnownForms {
    bounds: SubmissionBounds,
    by_key: FxHashMap<FormKey, SubmissionEntry>,
    /// Forms that were answered, the oldest first.
    answered: VecDeque<FormKey>,
    bytes: usize,
}

struct SubmissionEntry {
    owner: UserId,
    state: SubmissionProgress,
}

enum SubmissionProgress {
    Running(watch::Receiver<FirstAnswer>),
    Answered { answer: Arc<KeptAnswer>, at: MonotonicTime },
}

/// State of the first answer, for requests that wait for it.
#[derive(Clone)]
enum FirstAnswer {
    Pending,
    Answered(Arc<KeptAnswer>),
    /// The request ended without an answer.
    Lost,
}

/// Answer that can be repeated.
#[derive(Clone, Debug)]
pub struct KeptAnswer {
    status: StatusCode,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
}

/// Decision about a form that was sent.
pub enum FormDecision {
    /// It was not sent before and is carried out.
    First(Claim),
    /// It was sent before. Contains the first answer.
    Again(Response),
    /// Too many forms are being carried out.
    Busy,
}

/// Right to carry out a form. Repetitions of the form wait until it is answered or dropped.
pub struct Claim {
    submissions: Submissions,
    key: FormKey,
    outcome: watch::Sender<FirstAnswer>,
    _slot: Slot,
}

/// Extension of a request. The extractor of the form puts the claim here for [`answer_once`].
#[derive(Clone, Default)]
pub struct ClaimSlot(Arc<Mutex<Option<Claim>>>);

impl FormKey {
    /// Creates a key. `None` if the form has no valid number and cannot be distinguished from other forms.
    #[must_use]
    pub fn new(session: &str, address: &str, number: Option<&str>, body: &[u8]) -> Option<Self> {
        number.filter(|number| !number.is_empty() && number.len() <= FORM_NUMBER)?;
        let mut digest = Sha256::new();
        for part in [session.as_bytes(), address.as_bytes(), body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Some(Self(digest.finalize().into()))
    }
}

impl Default for Submissions {
    fn default() -> Self {
        let bounds = SubmissionBounds {
            forms: FORMS_KEPT,
            forms_per_user: FORMS_KEPT_PER_USER,
            bytes: FORM_ANSWERS_BYTES,
            life: FORM_KEPT_FOR,
        };
        Self {
            known: Arc::new(Mutex::new(KnownForms::new(bounds))),
            slots: Slots::new(FORMS_AT_ONCE, FORMS_AT_ONCE_PER_USER),
        }
    }
}

impl Submissions {
    /// Decides whether a form is carried out. Waits for the first answer if the form is being carried out.
    pub async fn enter(&self, key: FormKey, owner: UserId, clock: impl Fn() -> MonotonicTime) -> FormDecision {
        loop {
            let mut running = {
                let mut known = lock(&self.known);
                known.forget_old(clock());
                match known.by_key.get(&key).map(|entry| &entry.state) {
                    Some(SubmissionProgress::Answered { answer, .. }) => return FormDecision::Again(answer.response()),
                    Some(SubmissionProgress::Running(outcome)) => outcome.clone(),
                    None => {
                        let slot = match self.slots.take(owner) {
                            Ok(slot) => slot,
                            Err(NoSlot::Full | NoSlot::FullForUser) => return FormDecision::Busy,
                        };
                        let outcome = watch::Sender::new(FirstAnswer::Pending);
                        let state = SubmissionProgress::Running(outcome.subscribe());
                        known.by_key.insert(key, SubmissionEntry { owner, state });
                        return FormDecision::First(Claim { submissions: self.clone(), key, outcome, _slot: slot });
                    }
                }
            };
            let heard = running.wait_for(|outcome| !matches!(outcome, FirstAnswer::Pending)).await;
            if let Ok(FirstAnswer::Answered(answer)) = heard.as_deref() {
                return FormDecision::Again(answer.response());
            }
        }
    }
}

impl Claim {
    /// Sends the answer to requests that wait for it, and remembers it if it changed something.
    #[expect(
        clippy::disallowed_methods,
        reason = "the body of an answer of our own, not longer than is checked before"
    )]
    pub async fn answer(self, response: Response, now: MonotonicTime) -> Response {
        let is_lasting = response.status().is_redirection() || response.extensions().get::<ShownOnce>().is_some();
        let (parts, body) = response.into_parts();
        let length = body_length(&body);
        if length.is_none_or(|length| length > FORM_ANSWER_BYTES) {
            // The answer is too long to be kept. The page that the form came from shows the result of the change.
            if is_lasting {
                self.keep(Arc::new(KeptAnswer::done_already()), now, true);
            }
            return Response::from_parts(parts, body);
        }
        match to_bytes(body, FORM_ANSWER_BYTES).await {
            Ok(body) => {
                let (status, headers, extensions) = (parts.status, parts.headers, parts.extensions);
                let kept = Arc::new(KeptAnswer { status, headers, extensions, body });
                let response = kept.response();
                self.keep(kept, now, is_lasting);
                response
            }
            Err(error) => PageError::Internal(error.to_string()).into_response(),
        }
    }

    fn keep(&self, answer: Arc<KeptAnswer>, now: MonotonicTime, is_lasting: bool) {
        let mut known = lock(&self.submissions.known);
        if is_lasting {
            known.keep(self.key, Arc::clone(&answer), now);
        } else {
            known.by_key.remove(&self.key);
        }
        drop(known);
        self.outcome.send_replace(FirstAnswer::Answered(answer));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if matches!(*self.outcome.borrow(), FirstAnswer::Pending) {
            lock(&self.submissions.known).by_key.remove(&self.key);
            self.outcome.send_replace(FirstAnswer::Lost);
        }
    }
}

impl KnownForms {
    fn new(bounds: SubmissionBounds) -> Self {
        Self { bounds, by_key: FxHashMap::default(), answered: VecDeque::new(), bytes: 0 }
    }

    fn keep(&mut self, key: FormKey, answer: Arc<KeptAnswer>, at: MonotonicTime) {
        let Some(entry) = self.by_key.get_mut(&key) else { return };
        let owner = entry.owner;
        self.bytes += answer.bytes();
        entry.state = SubmissionProgress::Answered { answer, at };
        self.answered.push_back(key);
        let is_own = |known: &Self, key: &FormKey| known.by_key.get(key).is_some_and(|entry| entry.owner == owner);
        if self.answered.iter().filter(|key| is_own(self, key)).count() > self.bounds.forms_per_user
            && let Some(oldest) = self.answered.iter().position(|key| is_own(self, key))
        {
            self.forget(oldest);
        }
        while self.answered.len() > self.bounds.forms || self.bytes > self.bounds.bytes {
            self.forget(0);
        }
    }

    fn forget_old(&mut self, now: MonotonicTime) {
        let life = i64::try_from(self.bounds.life.as_micros()).unwrap_or(i64::MAX);
        while let Some(key) = self.answered.front() {
            let is_old = match self.by_key.get(key).map(|entry| &entry.state) {
                Some(SubmissionProgress::Answered { at, .. }) => now.micros_since(*at) >= life,
                _ => true,
            };
            if !is_old {
                return;
            }
            self.forget(0);
        }
    }

    fn forget(&mut self, place: usize) {
        let Some(key) = self.answered.remove(place) else { return };
        if let Some(SubmissionEntry { state: SubmissionProgress::Answered { answer, .. }, .. }) =
            self.by_key.remove(&key)
        {
            self.bytes -= answer.bytes();
        }
    }
}

impl KeptAnswer {
    fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        *response.extensions_mut() = self.extensions.clone();
        response
    }

    /// Creates the answer that replaces one that is too long to be kept.
    fn done_already() -> Self {
        let text = "This form was sent twice. It took effect once; its first answer is no longer available.".to_owned();
        let (parts, _) = PageError::BadRequest(text).into_response().into_parts();
        Self { status: parts.status, headers: parts.headers, extensions: parts.extensions, body: Bytes::new() }
    }

    /// Estimates the memory of the answer, in bytes.
    fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        size_of::<Self>() + self.body.len() + headers.sum::<usize>()
    }
}

impl ClaimSlot {
    pub fn put(&self, claim: Claim) {
        *lock(&self.0) = Some(claim);
    }

    fn take(&self) -> Option<Claim> {
        lock(&self.0).take()
    }

    fn is_taken(&self) -> bool {
        lock(&self.0).is_some()
    }
}

/// Wraps all pages: answers repetitions of a form with the first answer.
///
/// A form that is being carried out is finished even if the client disconnects. Browsers disconnect when a user clicks
/// twice, and the second request needs the answer to the first.
pub async fn answer_once(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    if *request.method() != Method::POST {
        return next.run(request).await;
    }
    let place = ClaimSlot::default();
    request.extensions_mut().insert(place.clone());
    let work = {
        let place = place.clone();
        async move {
            let response = next.run(request).await;
            match place.take() {
                Some(claim) => claim.answer(response, site.service.moment()).await,
                None => response,
            }
        }
    };
    CarriedOut { work: Some(Box::pin(work)), place }.await
}

/// Work that continues in the background if its request is dropped while it has a claim.
struct CarriedOut {
    work: Option<Pin<Box<dyn Future<Output = Response> + Send>>>,
    place: ClaimSlot,
}

impl Future for CarriedOut {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let answer = work.as_mut().poll(context);
        if answer.is_ready() {
            self.work = None;
        }
        answer
    }
}

impl Drop for CarriedOut {
    fn drop(&mut self) {
        let Some(work) = self.work.take().filter(|_| self.place.is_taken()) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(work);
        }
    }
}

fn body_length(body: &Body) -> Option<usize> {
    body.size_hint().exact().and_then(|length| usize::try_from(length).ok())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;
    use crate::web::answer::see;

    const NOW: MonotonicTime = MonotonicTime::from_micros(0);
    const ANN: UserId = UserId(1);

    fn key(number: u64) -> FormKey {
        FormKey::new("session", "/x/", Some(&number.to_string()), &number.to_be_bytes()).unwrap()
    }

    async fn first(submissions: &Submissions, key: FormKey) -> Claim {
        match submissions.enter(key, ANN, || NOW).await {
            FormDecision::First(claim) => claim,
            _ => panic!("it was sent before"),
        }
    }

    async fn again(submissions: &Submissions, key: FormKey, now: MonotonicTime) -> Option<Response> {
        match submissions.enter(key, ANN, || now).await {
            FormDecision::Again(answer) => Some(answer),
            FormDecision::First(_) => None,
            FormDecision::Busy => panic!("busy"),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "answers that the test makes itself")]
    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_form_is_the_same_if_all_of_it_is() {
        let same = FormKey::new("s", "/a/", Some("1"), b"x");
        assert_eq!(same, FormKey::new("s", "/a/", Some("1"), b"x"));
        for other in [
            FormKey::new("t", "/a/", Some("1"), b"x"),
            FormKey::new("s", "/b/", Some("1"), b"x"),
            FormKey::new("s", "/a/", Some("1"), b"y"),
            FormKey::new("s/a/", "", Some("1"), b"x"),
        ] {
            assert_ne!(same, other);
        }
        assert_eq!(FormKey::new("s", "/a/", None, b"x"), None);
        assert_eq!(FormKey::new("s", "/a/", Some(""), b"x"), None);
        assert_eq!(FormKey::new("s", "/a/", Some(&"1".repeat(FORM_NUMBER + 1)), b"x"), None);
    }

    #[tokio::test]
    async fn the_first_answer_is_repeated_for_a_while() {
        let submissions = Submissions::default();
        let claim = first(&submissions, key(1)).await;
        assert_eq!(claim.answer(see("/done/"), NOW).await.status(), 303);
        let life = i64::try_from(FORM_KEPT_FOR.as_micros()).unwrap();
        let repeated = again(&submissions, key(1), MonotonicTime::from_micros(life - 1)).await.unwrap();
        assert_eq!((repeated.status().as_u16(), &repeated.headers()["location"]), (303, &"/done/".parse().unwrap()));
        assert!(again(&submissions, key(2), NOW).await.is_none(), "another form");
        assert!(again(&submissions, key(1), MonotonicTime::from_micros(life)).await.is_none(), "forgotten");
    }

    /// Sends the same form again, which waits for the first answer.
    async fn sent_meanwhile(submissions: &Submissions) -> tokio::task::JoinHandle<Option<Response>> {
        let submissions = submissions.clone();
        let waiting = tokio::spawn(async move { again(&submissions, key(1), NOW).await });
        tokio::task::yield_now().await;
        waiting
    }

    #[tokio::test]
    async fn who_sends_it_meanwhile_waits_for_the_first() {
        let submissions = Submissions::default();
        let claim = first(&submissions, key(1)).await;
        let waiting = sent_meanwhile(&submissions).await;
        let refused = (StatusCode::UNPROCESSABLE_ENTITY, "no").into_response();
        claim.answer(refused, NOW).await;
        let heard = waiting.await.unwrap().unwrap();
        assert_eq!((heard.status().as_u16(), text(heard).await), (422, "no".to_owned()));
        assert!(again(&submissions, key(1), NOW).await.is_none(), "what was refused may be tried again");
    }

    #[tokio::test]
    async fn what_ends_without_an_answer_may_be_tried_again() {
        let submissions = Submissions::default();
        let claim = first(&submissions, key(1)).await;
        let waiting = sent_meanwhile(&submissions).await;
        drop(claim);
        assert!(waiting.await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_shown_once_is_repeated_and_other_pages_are_not() {
        let submissions = Submissions::default();
        let mut secret = "the token".into_response();
        secret.extensions_mut().insert(ShownOnce);
        first(&submissions, key(1)).await.answer(secret, NOW).await;
        assert_eq!(text(again(&submissions, key(1), NOW).await.unwrap()).await, "the token");
        first(&submissions, key(2)).await.answer("a preview".into_response(), NOW).await;
        assert!(again(&submissions, key(2), NOW).await.is_none());
        let mut long = "x".repeat(FORM_ANSWER_BYTES + 1).into_response();
        long.extensions_mut().insert(ShownOnce);
        let answer = first(&submissions, key(3)).await.answer(long, NOW).await;
        assert_eq!(text(answer).await.len(), FORM_ANSWER_BYTES + 1);
        assert_eq!(again(&submissions, key(3), NOW).await.unwrap().status(), 400);
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let bounds = SubmissionBounds { forms: 4, forms_per_user: 2, bytes: 1 << 20, life: FORM_KEPT_FOR };
        let mut known = KnownForms::new(bounds);
        let mut keep = |number: u64, owner, length: usize| {
            let (key, outcome) = (key(number), watch::Sender::new(FirstAnswer::Pending));
            known.by_key.insert(
                key,
                SubmissionEntry { owner: UserId(owner), state: SubmissionProgress::Running(outcome.subscribe()) },
            );
            let body = Bytes::from(vec![b'x'; length]);
            let (headers, extensions) = (HeaderMap::new(), Extensions::new());
            known.keep(key, Arc::new(KeptAnswer { status: StatusCode::OK, headers, extensions, body }), NOW);
            let mut kept: Vec<u64> =
                (1..=number).filter(|number| known.by_key.contains_key(&self::key(*number))).collect();
            kept.sort_unstable();
            assert_eq!(known.answered.len(), kept.len());
            kept
        };
        assert_eq!(keep(1, 1, 0), [1]);
        assert_eq!(keep(2, 1, 0), [1, 2]);
        assert_eq!(keep(3, 1, 0), [2, 3], "of one user");
        assert_eq!(keep(4, 2, 0), [2, 3, 4]);
        assert_eq!(keep(5, 2, 0), [2, 3, 4, 5]);
        assert_eq!(keep(6, 3, 0), [3, 4, 5, 6], "of all users");
        assert_eq!(keep(7, 4, 1 << 20), Vec::<u64>::new(), "bytes");
        assert_eq!(known.bytes, 0);
    }

    #[tokio::test]
    async fn only_so_many_are_carried_out_at_once() {
        let submissions = Submissions::default();
        let mut claims = Vec::new();
        for number in 0..FORMS_AT_ONCE_PER_USER as u64 {
            claims.push(first(&submissions, key(number)).await);
        }
        assert!(matches!(submissions.enter(key(9_999), ANN, || NOW).await, FormDecision::Busy));
        assert!(matches!(submissions.enter(key(9_999), UserId(2), || NOW).await, FormDecision::First(_)));
        claims.pop();
        assert!(again(&submissions, key(9_999), NOW).await.is_none());
    }

    #[tokio::test]
    async fn a_form_is_carried_out_even_if_the_client_hangs_up() {
        let submissions = Submissions::default();
        for has_claim in [true, false] {
            let place = ClaimSlot::default();
            if has_claim {
                place.put(first(&submissions, key(1)).await);
            }
            let (done, heard) = oneshot::channel();
            let work = async move {
                tokio::task::yield_now().await;
                done.send(()).unwrap_or_default();
                pending().await
            };
            let mut carried_out = Box::pin(CarriedOut { work: Some(Box::pin(work)), place });
            assert!(futures_util::poll!(&mut carried_out).is_pending());
            drop(carried_out);
            assert_eq!(heard.await.is_ok(), has_claim);
        }
    }
}
