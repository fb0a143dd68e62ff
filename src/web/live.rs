//! The stream of updates for open pages: changed rows, for each view by its own filter; changes of a watched incident;
//! and requests to load everything again if there is too much to send.
//!
//! One stream serves all tabs of a browser. It ends with the session, and after a day, so that the browser opens
//! another one, which extends the session and its cookie.

mod rendered;
mod views;

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep_until, timeout_at};

pub use self::rendered::Pushes;
use self::views::{Push, Views};
use super::{FormFields, Site, Visitor};
use crate::domain::{
    Timestamp,
    limits::{LIVE_ALIVE, LIVE_EVERY, LIVE_STREAM_LIFE, LIVE_STREAMS, LIVE_STREAMS_PER_USER},
};
use crate::http::cookies;
use crate::service::{
    NoSlot, Slot,
    live::{News, Reader},
};

/// Upper bound on how often the pause between reload requests to a page doubles.
const DOUBLINGS: u32 = 4;
/// Number of groups in which streams are woken one after the other, so that other requests get their turn in between.
const GROUPS: usize = 64;

pub async fn stream(
    State(site): State<Site>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    visitor: Result<Visitor, Response>,
) -> Response {
    let Ok(visitor) = visitor else { return StatusCode::UNAUTHORIZED.into_response() };
    let Some(secret) = cookies::get(&headers, cookies::SESSION).map(str::to_owned) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let slot = match site.inner.pushes.streams.take(visitor.caller.id()) {
        Ok(slot) => slot,
        Err(NoSlot::Full) => {
            return (StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open; this one reloads by itself.")
                .into_response();
        }
        Err(NoSlot::FullForUser) => {
            let text = format!("More than {LIVE_STREAMS_PER_USER} pages of this account are open; this one reloads.");
            return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
        }
    };
    let fields = FormFields::of_query(query.as_deref());
    let mut views = Views::parse(&site, &fields, &visitor);
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(known);
    if let Some((_, Some(at))) = resumed {
        views.resume_at(at);
    }
    let resumed = resumed.or_else(|| fields.get("seq").and_then(known)).map(|(seq, _)| seq);
    let (reader, is_complete) = site.service.live().join(resumed, &site.service);
    let mut pushed = Pushed {
        group: site.inner.pushes.next_group(GROUPS),
        reader,
        site,
        secret,
        views,
        pending: VecDeque::new(),
        next_push: Instant::now(),
        ends: Instant::now() + LIVE_STREAM_LIFE,
        alive_at: Instant::now() + LIVE_ALIVE,
        older_at: Some(Instant::now()),
        reloads: 0,
        is_first_look: true,
        is_over: false,
        _slot: slot,
    };
    pushed.pending.extend(Push::hello().frames(None));
    let missed = if is_complete { pushed.views.missed(&pushed.reader) } else { vec![Push::refresh()] };
    pushed.push(missed, None);
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-cache"),
        ("x-accel-buffering", "no"),
    ];
    (headers, Body::from_stream(frames(pushed).fuse())).into_response()
}

/// Parses the number of a change and, optionally, a time in microseconds since 1970.
fn known(text: &str) -> Option<(u64, Option<Timestamp>)> {
    let (seq, at) = text.split_once('.').unwrap_or((text, ""));
    Some((seq.parse().ok()?, at.parse().ok().map(Timestamp::saturating_from_micros)))
}

struct Pushed {
    site: Site,
    secret: String,
    views: Views,
    reader: Reader,
    /// Sent before anything else is looked at, so a client that does not read costs one push.
    pending: VecDeque<Bytes>,
    next_push: Instant,
    /// When the browser must open another stream, so that it gets a new cookie.
    ends: Instant,
    /// When the page needs a sign of life, if nothing else is sent before.
    alive_at: Instant,
    /// When lists with a time frame or a duration are checked again. `None` if there are none.
    older_at: Option<Instant>,
    /// Consecutive reload requests sent to the page.
    reloads: u32,
    /// Group in which the stream is woken.
    group: usize,
    is_first_look: bool,
    is_over: bool,
    _slot: Slot,
}

fn frames(pushed: Pushed) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(pushed, |mut pushed| async move {
        loop {
            if let Some(frame) = pushed.pending.pop_front() {
                pushed.alive_at = Instant::now() + LIVE_ALIVE;
                return Some((Ok(frame), pushed));
            }
            if pushed.is_over {
                return None;
            }
            pushed.wait().await;
            pushed.look().await;
            // Also sent while no change concerns the page.
            if pushed.pending.is_empty() && pushed.alive_at <= Instant::now() {
                pushed.pending.extend(Push::alive().frames(None));
            }
        }
    })
}

impl Pushed {
    /// Waits for changes, and a moment longer so that they are combined, or until a sign of life is due.
    async fn wait(&mut self) {
        // Changes that were missed are sent now, not with the next change.
        if !std::mem::take(&mut self.is_first_look) {
            let until = self.older_at.map_or(self.alive_at, |at| at.min(self.alive_at));
            drop(timeout_at(until, self.reader.changed()).await);
        }
        let open = self.site.inner.pushes.streams.taken().min(LIVE_STREAMS);
        let share = LIVE_EVERY.as_secs_f64() * (open * self.group) as f64 / (LIVE_STREAMS * GROUPS) as f64;
        sleep_until(self.next_push.max(Instant::now() + Duration::from_secs_f64(share))).await;
    }

    async fn look(&mut self) {
        if self.site.service.people().session(&self.secret).is_none() {
            self.is_over = true;
            self.pending.extend(Push::end().frames(None));
            return;
        }
        self.is_over = Instant::now() >= self.ends;
        if self.older_at.is_some_and(|at| at <= Instant::now()) {
            let (pushes, wait) = self.views.older(&self.site);
            self.push(pushes, None);
            self.older_at = wait.and_then(|wait| Instant::now().checked_add(wait));
        }
        match self.reader.news() {
            News::Nothing => {}
            News::Closed => self.is_over = true,
            News::TooMuch => self.push(vec![Push::refresh()], None),
            News::Update(update) => {
                let pushes = self.views.pushes(&self.site, &self.reader, &update).await;
                self.push(pushes, Some((update.seq, update.now)));
            }
        }
    }

    /// Queues pushes. Only the last one has the number, because a client that loses the stream before has not received
    /// all.
    fn push(&mut self, pushes: Vec<Push>, seq: Option<(u64, Timestamp)>) {
        let Some(last) = pushes.len().checked_sub(1) else { return };
        let is_reload = pushes.iter().any(Push::is_refresh);
        for (number, push) in pushes.into_iter().enumerate() {
            self.pending.extend(push.frames(seq.filter(|_| number == last)));
        }
        self.reloads = if is_reload { (self.reloads + 1).min(DOUBLINGS) } else { 0 };
        // Rows are sent as often as readers are woken. Only reload requests have a pause of their own.
        self.next_push = Instant::now() + LIVE_EVERY * ((1 << self.reloads) - 1);
    }
}
