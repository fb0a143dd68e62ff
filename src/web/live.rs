//! What is pushed to open pages: rows that changed, for each view by its own filter; that an incident which somebody
//! looks at changed; or that there was too much, so that everything has to be looked at anew.
//!
//! One stream serves all tabs of a browser. It ends when the session does.

mod views;

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until, timeout},
};

use self::views::{Views, fold};
use super::{Site, form::Fields, visitor::Visitor};
use crate::{domain::limits::LIVE_ROWS, http::cookies, service::News};

/// Changes within so much time are pushed together.
const GATHER: Duration = Duration::from_millis(250);
/// So often it is asked whether the session is still there, and the browser hears that the stream is.
const BREATH: Duration = Duration::from_secs(15);

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
    let Ok(permit) = site.streams().clone().try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let fields = Fields::of_query(query.as_deref());
    let views = Views::parse(&fields, &visitor);
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let seq = resumed.or_else(|| fields.get("seq").and_then(|seq| seq.parse().ok()));
    let live = site.service.live();
    let from = seq.map_or(Some(live.end()), |seq| live.after(seq));
    let mut pending = VecDeque::from([Event::default().event("hello").data("1")]);
    if from.is_none() {
        pending.push_back(refresh());
    }
    let mut signal = live.signal();
    // What was missed is looked at now, not with the next change.
    signal.mark_changed();
    let pushed = Pushed {
        from: from.unwrap_or_else(|| live.end()),
        signal,
        site: site.clone(),
        secret,
        views,
        pending,
        next_push: Instant::now(),
        is_over: false,
        _permit: permit,
    };
    let keep_alive = KeepAlive::new().interval(BREATH).text("alive");
    ([("x-accel-buffering", "no")], Sse::new(events(pushed)).keep_alive(keep_alive)).into_response()
}

struct Pushed {
    site: Site,
    secret: String,
    views: Views,
    /// The number of the next entry.
    from: u64,
    signal: watch::Receiver<u64>,
    pending: VecDeque<Event>,
    next_push: Instant,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

fn events(pushed: Pushed) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(pushed, |mut pushed| async move {
        loop {
            if let Some(event) = pushed.pending.pop_front() {
                return Some((Ok(event), pushed));
            }
            if pushed.is_over {
                return None;
            }
            pushed.wait().await;
            pushed.look().await;
        }
    })
}

impl Pushed {
    /// Until there is news, gathered for a moment; or for a breath.
    async fn wait(&mut self) {
        let _ = timeout(BREATH, self.signal.changed()).await;
        sleep_until(self.next_push).await;
    }

    async fn look(&mut self) {
        self.signal.mark_unchanged();
        if self.site.service.session(&self.secret).is_none() {
            self.is_over = true;
            self.pending.push_back(Event::default().event("end").data("session"));
            return;
        }
        match self.site.service.live().news(self.from) {
            News::Closed => self.is_over = true,
            News::TooMuch { next } => {
                self.from = next;
                self.push(vec![refresh()]);
            }
            News::Entries { entries, next } => {
                self.from = next;
                let Some(seq) = entries.last().map(|entry| entry.seq) else { return };
                let mut events = if fold(&entries).incidents.len() > LIVE_ROWS {
                    vec![refresh()]
                } else {
                    self.views.events(&self.site, &entries).await
                };
                // Only the last has it: who loses the stream before has not heard all of this.
                if let Some(last) = events.pop() {
                    events.push(last.id(seq.to_string()));
                    self.push(events);
                }
            }
        }
    }

    fn push(&mut self, events: Vec<Event>) {
        self.pending.extend(events);
        self.next_push = Instant::now() + GATHER;
    }
}

fn refresh() -> Event {
    Event::default().event("refresh").data("1")
}
