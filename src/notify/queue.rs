//! The queue of messages, and which one is sent next. Pure: it knows message numbers and times only.
//!
//! Waiting is measured by the monotonic clock. Stored times are times of day, which may be those of a clock that was
//! set since: they are turned into moments when a message is noted, and never mean a longer wait than a retry does, or than
//! the destination asked for.
//!
//! Each destination has a lane of its own, and lanes take turns, so that none delays another. Within a lane messages
//! about the same incident leave one after the other; a lane that fails is left alone for a while and then tried with
//! one message; a lane in a storm gets summaries.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustc_hash::{FxHashMap, FxHashSet};

use super::retry;
use crate::domain::{
    attempt::AttemptEnd,
    ids::{ChannelId, ContactId, DestinationId, IncidentId, MessageId},
    limits::{DESTINATION_WINDOW, MEDIUM_WINDOW, RETRY_AFTER_MAX_MICROS, RETRY_TIME_LEFT_MICROS, SUMMARY_MESSAGES},
    message::{Message, MessageState, Route},
    time::{MonotonicTime, Now, Timestamp},
};

const MINUTE_MICROS: i64 = 60_000_000;
/// How long a summary waits after the message before it.
const SUMMARY_WAIT_MICROS: i64 = 5_000_000;

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DestinationQueueId {
    Destination(DestinationId),
    Contact { contact: ContactId, channel: ChannelId },
}

impl DestinationQueueId {
    #[must_use]
    pub const fn of(message: &Message) -> Self {
        match &message.route {
            Route::Destination { destination, .. } => Self::Destination(*destination),
            Route::Contact { contact, channel, .. } => Self::Contact { contact: *contact, channel: *channel },
        }
    }
}

impl PoolId {
    fn of(message: &Message) -> Self {
        match &message.route {
            Route::Destination { medium, .. } => Self::Medium(medium.clone()),
            Route::Contact { channel, .. } => Self::Channel(*channel),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct QueueSettings {
    /// Messages a minute and destination, beyond which the rest is gathered; 0: no bound.
    pub storm_limit: usize,
    /// For how long a message is tried, in microseconds.
    pub retry_micros: i64,
}

/// Something to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Send(DestinationQueueId, MessageId),
    /// These are to become one summary.
    Gather(DestinationQueueId, Vec<MessageId>),
}

/// A message on its way.
pub type InFlight = (DestinationQueueId, MessageId);

pub struct Queue {
    settings: QueueSettings,
    queues: FxHashMap<DestinationQueueId, DestinationQueue>,
    /// Lanes that may have something to do, in turn.
    ready: VecDeque<DestinationQueueId>,
    timers: BTreeSet<(MonotonicTime, DestinationQueueId)>,
    /// Of each medium and channel: messages in flight, and lanes that wait for one of them to end.
    pools: FxHashMap<PoolId, SendPool>,
}

/// What lanes share: a channel that hangs holds up itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum PoolId {
    Medium(String),
    Channel(ChannelId),
}

#[derive(Default)]
struct SendPool {
    in_flight: usize,
    parked: Vec<DestinationQueueId>,
}

struct DestinationQueue {
    pool: PoolId,
    waiting: BTreeMap<MessageId, WaitingMessage>,
    /// Those of them that are summaries.
    summaries: usize,
    in_flight: FxHashMap<MessageId, WaitingMessage>,
    /// When messages left within the last minute.
    left: VecDeque<MonotonicTime>,
    /// Attempts that failed since the last that did not.
    failures: u32,
    blocked_until: MonotonicTime,
    /// Messages that may be in flight at once. Grows with each success, so a destination that hangs blocks one message only.
    window: usize,
    is_ready: bool,
    timer: Option<MonotonicTime>,
}

enum SendDecision {
    /// One message may leave as it is.
    Single,
    /// What waits is to leave as one summary.
    Gather,
    WaitUntil(Option<MonotonicTime>),
}

#[derive(Clone, Copy)]
struct WaitingMessage {
    /// `None`: a summary.
    incident: Option<IncidentId>,
    /// When it is due.
    at: MonotonicTime,
    /// Since when it is tried.
    since: MonotonicTime,
    /// The same as it is stored.
    stored_since: Timestamp,
    attempts: u32,
}

impl WaitingMessage {
    /// Of a message that the queue does not know yet. Whatever the clock said when its times were stored, it waits no
    /// longer than for a retry, and is tried for some time before it may be given up.
    fn new(message: &Message, (at, since): (Timestamp, Timestamp), settings: QueueSettings, now: Now) -> Self {
        let micros_between = |from: Timestamp, to: Timestamp| to.micros().saturating_sub(from.micros());
        // What was to be waited from the last attempt on is known whatever was done to the clock since. It is more than
        // a retry takes where the destination asked for more.
        let asked = message.last_attempt.filter(|last| *last >= since).map_or(0, |last| micros_between(last, at));
        let most = retry::longest_wait(message.attempts).max(asked.min(RETRY_AFTER_MAX_MICROS));
        let wait = micros_between(now.wall, at).clamp(0, most);
        let longest = settings.retry_micros.saturating_sub(RETRY_TIME_LEFT_MICROS).max(0);
        let tried = micros_between(since, now.wall).clamp(0, longest);
        Self {
            incident: message.incident(),
            at: now.moment.saturating_add_micros(wait),
            since: now.moment.saturating_add_micros(-tried),
            stored_since: since,
            attempts: message.attempts,
        }
    }

    /// Keeps the times that are known by the monotonic clock already, if this is still the same series of attempts.
    fn keep_moments_of(self, known: Self) -> Self {
        if self.stored_since != known.stored_since {
            return self;
        }
        Self { at: self.at.min(known.at), since: known.since, ..self }
    }
}

impl Queue {
    #[must_use]
    pub fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            queues: FxHashMap::default(),
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            pools: FxHashMap::default(),
        }
    }

    /// Takes a message in if it is due, and forgets it if it is not any more. What is in flight is left alone.
    pub fn note(&mut self, message: &Message, now: Now) {
        let id = DestinationQueueId::of(message);
        let MessageState::Due { at, since } = message.state else {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.leave(message.id);
            }
            return;
        };
        let queue = self.queues.entry(id).or_insert_with(|| DestinationQueue::new(PoolId::of(message)));
        if !queue.in_flight.contains_key(&message.id) {
            let entry = WaitingMessage::new(message, (at, since), self.settings, now);
            let known = queue.waiting.get(&message.id);
            if known.is_none() && entry.at.micros_since(now.moment) > retry::longest_wait(message.attempts) {
                queue.blocked_until = queue.blocked_until.max(entry.at);
            }
            let entry = known.map_or(entry, |known| entry.keep_moments_of(*known));
            queue.wait(message.id, entry);
            self.make_ready(id);
        }
    }

    /// All that can be done now; what is taken counts as in flight until it is settled.
    pub fn take(&mut self, now: MonotonicTime) -> Vec<Work> {
        self.ring(now);
        let mut taken = Vec::new();
        while let Some(id) = self.ready.pop_front() {
            let Some(queue) = self.queues.get_mut(&id) else { continue };
            queue.is_ready = false;
            let pool = self.pools.entry(queue.pool.clone()).or_default();
            if pool.in_flight >= MEDIUM_WINDOW {
                pool.parked.push(id);
                continue;
            }
            let (work, next) = queue.take(id, now, self.settings);
            match work {
                Some(work) => {
                    pool.in_flight += 1;
                    taken.push(work);
                    self.make_ready(id);
                }
                None if queue.is_idle() => {
                    self.queues.remove(&id);
                }
                None => self.set_timer(id, next),
            }
        }
        taken
    }

    /// When there may be something to do without anything new being noted or settled.
    #[must_use]
    pub fn next_time(&self) -> Option<MonotonicTime> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// When the message is tried again after an attempt; `None`: never, it is settled. The caller writes that down and then
    /// calls `settle`.
    #[must_use]
    pub fn next_attempt(
        &self,
        (queue, message): InFlight,
        ended: AttemptEnd,
        now: MonotonicTime,
        chance: f64,
    ) -> Option<MonotonicTime> {
        match ended {
            AttemptEnd::Sent | AttemptEnd::Failed => None,
            AttemptEnd::Retry | AttemptEnd::RetryAfter(_) => {
                let entry = self.queues.get(&queue).and_then(|queue| queue.in_flight.get(&message));
                let Some(entry) = entry else { return Some(now) };
                let until = entry.since.saturating_add_micros(self.settings.retry_micros);
                if now >= until {
                    return None;
                }
                // The last attempt, too, is made no earlier than the destination asked for.
                let asked = ended.asked_until(now).unwrap_or(MonotonicTime::MIN);
                Some(retry::next_attempt(entry.attempts + 1, now, until, chance).max(asked))
            }
        }
    }

    /// An attempt has ended, and what became of the message is written down.
    ///
    /// Returns messages of the same lane whose time is up: they are to be given up too, and count as in flight until
    /// [`Queue::gave_up`].
    pub fn settle(
        &mut self,
        (id, message): InFlight,
        ended: AttemptEnd,
        again: Option<MonotonicTime>,
        now: MonotonicTime,
        chance: f64,
    ) -> Vec<MessageId> {
        let Some(queue) = self.queues.get_mut(&id) else { return Vec::new() };
        let Some(entry) = queue.in_flight.remove(&message) else { return Vec::new() };
        let mut expired = Vec::new();
        match ended {
            AttemptEnd::Sent => {
                queue.left.push_back(now);
                queue.failures = 0;
                queue.window = (queue.window + 1).min(DESTINATION_WINDOW);
            }
            AttemptEnd::Failed => {}
            AttemptEnd::Retry | AttemptEnd::RetryAfter(_) => {
                queue.failures += 1;
                queue.window = 1;
                let asked = ended.asked_until(now).unwrap_or(MonotonicTime::MIN);
                queue.blocked_until = retry::blocked_until(queue.failures, now, chance).max(asked);
                expired = queue.expire(now, self.settings.retry_micros);
            }
        }
        if let Some(at) = again {
            queue.wait(message, WaitingMessage { at, attempts: entry.attempts + 1, ..entry });
        }
        self.free(id);
        expired
    }

    /// Messages were taken out of the lane and are written down as given up, or as part of a summary.
    pub fn gave_up(&mut self, id: DestinationQueueId, messages: &[MessageId]) {
        if let Some(queue) = self.queues.get_mut(&id) {
            for message in messages {
                queue.in_flight.remove(message);
            }
        }
        self.make_ready(id);
    }

    /// Messages that were to be gathered are part of a summary now, which was noted; or, if that failed, still wait.
    pub fn gathered(&mut self, id: DestinationQueueId, messages: &[MessageId], done: bool) {
        if let Some(queue) = self.queues.get_mut(&id) {
            for message in messages {
                if let Some(entry) = queue.in_flight.remove(message).filter(|_| !done) {
                    queue.wait(*message, entry);
                }
            }
        }
        self.free(id);
    }

    /// One slot of the lane's pool is free again.
    fn free(&mut self, id: DestinationQueueId) {
        let Some(queue) = self.queues.get(&id) else { return };
        let pool = self.pools.entry(queue.pool.clone()).or_default();
        pool.in_flight = pool.in_flight.saturating_sub(1);
        for parked in std::mem::take(&mut pool.parked) {
            self.make_ready(parked);
        }
        self.make_ready(id);
    }

    fn make_ready(&mut self, id: DestinationQueueId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        if let Some(at) = queue.timer.take() {
            self.timers.remove(&(at, id));
        }
        if !queue.is_ready {
            queue.is_ready = true;
            self.ready.push_back(id);
        }
    }

    fn set_timer(&mut self, id: DestinationQueueId, at: Option<MonotonicTime>) {
        if let (Some(queue), Some(at)) = (self.queues.get_mut(&id), at) {
            queue.timer = Some(at);
            self.timers.insert((at, id));
        }
    }

    fn ring(&mut self, now: MonotonicTime) {
        while let Some((_, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.make_ready(id);
        }
    }
}

impl DestinationQueue {
    fn new(pool: PoolId) -> Self {
        Self {
            pool,
            waiting: BTreeMap::new(),
            summaries: 0,
            in_flight: FxHashMap::default(),
            left: VecDeque::new(),
            failures: 0,
            blocked_until: MonotonicTime::MIN,
            window: 1,
            is_ready: false,
            timer: None,
        }
    }

    fn wait(&mut self, id: MessageId, entry: WaitingMessage) {
        self.summaries += usize::from(entry.incident.is_none());
        if self.waiting.insert(id, entry).is_some_and(|before| before.incident.is_none()) {
            self.summaries -= 1;
        }
    }

    fn leave(&mut self, id: MessageId) -> Option<WaitingMessage> {
        let entry = self.waiting.remove(&id)?;
        self.summaries -= usize::from(entry.incident.is_none());
        Some(entry)
    }

    /// The oldest.
    fn summary(&self) -> Option<(MessageId, WaitingMessage)> {
        let is_summary = |(id, entry): (&MessageId, &WaitingMessage)| entry.incident.is_none().then_some((*id, *entry));
        if self.summaries == 0 { None } else { self.waiting.iter().find_map(is_summary) }
    }

    /// Nothing would be forgotten with it.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.left.is_empty()
    }

    /// The next thing to do, or when there may be one.
    fn take(
        &mut self,
        id: DestinationQueueId,
        now: MonotonicTime,
        settings: QueueSettings,
    ) -> (Option<Work>, Option<MonotonicTime>) {
        self.forget_old(now);
        if self.waiting.is_empty() {
            // To be forgotten once the guard has no use for it.
            return (None, self.left.back().map(|last| last.saturating_add_micros(MINUTE_MICROS)));
        }
        if self.in_flight.len() >= self.window || self.in_flight.values().any(|entry| entry.incident.is_none()) {
            return (None, None);
        }
        if self.blocked_until > now {
            return (None, Some(self.blocked_until));
        }
        let gathers = match self.guard(now, settings) {
            SendDecision::Single => false,
            SendDecision::Gather => true,
            SendDecision::WaitUntil(next) => return (None, next),
        };
        let due = self.due(now, if gathers { SUMMARY_MESSAGES } else { 1 });
        let Some(first) = due.first().copied() else {
            return (None, self.next_due(now));
        };
        for message in &due {
            if let Some(entry) = self.leave(*message) {
                self.in_flight.insert(*message, entry);
            }
        }
        let work = if due.len() > 1 { Work::Gather(id, due) } else { Work::Send(id, first) };
        (Some(work), None)
    }

    /// Within a minute at most so many messages leave as the limit says; if more wait than that, the last of them is a
    /// summary, a moment later so that it has something to sum up.
    fn guard(&self, now: MonotonicTime, settings: QueueSettings) -> SendDecision {
        if settings.storm_limit == 0 {
            return SendDecision::Single;
        }
        let room = settings.storm_limit.saturating_sub(self.left.len() + self.in_flight.len());
        if room == 0 {
            return SendDecision::WaitUntil(self.left.front().map(|first| first.saturating_add_micros(MINUTE_MICROS)));
        }
        if room > 1 || self.waiting.len() == 1 {
            return SendDecision::Single;
        }
        let settled = self.left.back().map(|last| last.saturating_add_micros(SUMMARY_WAIT_MICROS));
        match settled {
            Some(settled) if settled > now => SendDecision::WaitUntil(Some(settled)),
            None if !self.in_flight.is_empty() => SendDecision::WaitUntil(None),
            _ => SendDecision::Gather,
        }
    }

    /// Up to `limit` messages that may leave now, oldest first, none before an older one about the same incident. A
    /// summary leaves alone and before everything else, since a message that is older than
    /// it may be about what it tells of.
    fn due(&self, now: MonotonicTime, limit: usize) -> Vec<MessageId> {
        if let Some((id, summary)) = self.summary() {
            return if summary.at <= now && self.in_flight.is_empty() { vec![id] } else { Vec::new() };
        }
        let mut busy: FxHashSet<IncidentId> = self.in_flight.values().filter_map(|entry| entry.incident).collect();
        let mut due = Vec::new();
        for (id, entry) in &self.waiting {
            let Some(incident) = entry.incident else { continue };
            if busy.contains(&incident) {
                continue;
            }
            if entry.at > now {
                busy.insert(incident);
                continue;
            }
            due.push(*id);
            if due.len() >= limit {
                break;
            }
        }
        due
    }

    fn next_due(&self, now: MonotonicTime) -> Option<MonotonicTime> {
        // What is due and may not leave waits for a message in flight to end, not for the clock.
        match self.summary() {
            Some((_, summary)) => Some(summary.at).filter(|at| *at > now),
            None => self.waiting.values().map(|entry| entry.at).filter(|at| *at > now).min(),
        }
    }

    fn forget_old(&mut self, now: MonotonicTime) {
        while self.left.front().is_some_and(|left| left.saturating_add_micros(MINUTE_MICROS) <= now) {
            self.left.pop_front();
        }
    }

    fn expire(&mut self, now: MonotonicTime, retry_micros: i64) -> Vec<MessageId> {
        let is_over = |entry: &WaitingMessage| entry.since.saturating_add_micros(retry_micros) <= now;
        let expired: Vec<MessageId> =
            self.waiting.iter().filter(|(_, entry)| is_over(entry)).map(|(id, _)| *id).collect();
        for id in &expired {
            if let Some(entry) = self.leave(*id) {
                self.in_flight.insert(*id, entry);
            }
        }
        expired
    }
}

#[cfg(test)]
mod tests;
