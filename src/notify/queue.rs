//! The queue of messages, and which one is sent next. Pure: it knows message numbers and times only.
//!
//! Waits are measured by the monotonic clock. Stored times are times of day, and the clock may have been set since.
//! They are converted to moments when a message is noted, and never mean a longer wait than a retry, or than the
//! destination asked for.
//!
//! Each destination has a queue of its own, and queues take turns, so none delays another. Within a queue, messages
//! about the same incident are sent one after the other. A queue that fails is paused, and then tried with one message.
//! A queue above the storm limit gets summaries.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustc_hash::{FxHashMap, FxHashSet};

use super::retry;
use crate::domain::{
    AttemptEnd, ChannelId, ContactId, DestinationId, IncidentId, Message, MessageId, MessageState, MonotonicTime, Now,
    Timestamp,
    limits::{DESTINATION_WINDOW, MEDIUM_WINDOW, RETRY_AFTER_MAX_MICROS, RETRY_TIME_LEFT_MICROS, SUMMARY_MESSAGES},
    message::Route,
};

const MINUTE_MICROS: i64 = 60_000_000;
/// Delay of a summary after the message before it, in microseconds.
const SUMMARY_WAIT_MICROS: i64 = 5_000_000;

/// Recipient of messages, which has a queue of its own.
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
    /// Number of messages a minute to one destination above which the rest becomes a summary. 0: no limit.
    pub storm_limit: usize,
    /// Period in which a message is retried, in microseconds.
    pub retry_micros: i64,
}

/// Work that can be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Send(DestinationQueueId, MessageId),
    /// Combine these messages into one summary.
    Gather(DestinationQueueId, Vec<MessageId>),
}

/// A message in flight, with its queue.
pub type InFlight = (DestinationQueueId, MessageId);

pub struct Queue {
    settings: QueueSettings,
    queues: FxHashMap<DestinationQueueId, DestinationQueue>,
    /// Queues that may have work, in the order of their turns.
    ready: VecDeque<DestinationQueueId>,
    timers: BTreeSet<(MonotonicTime, DestinationQueueId)>,
    /// For each medium and channel, the number of messages in flight, and the queues that wait for one of them to end.
    pools: FxHashMap<PoolId, SendPool>,
}

/// Pool that queues share, so that a channel that hangs delays only itself.
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
    /// Number of summaries among `waiting`.
    summaries: usize,
    in_flight: FxHashMap<MessageId, WaitingMessage>,
    /// Times at which messages were sent within the last minute.
    left: VecDeque<MonotonicTime>,
    /// Number of failed attempts since the last success, without final refusals.
    failures: u32,
    blocked_until: MonotonicTime,
    /// Number of messages that may be in flight at once. Grows with each success, so a destination that hangs blocks
    /// only one message.
    window: usize,
    is_ready: bool,
    timer: Option<MonotonicTime>,
}

enum SendDecision {
    /// One message can be sent as it is.
    Single,
    /// The waiting messages are to be sent as one summary.
    Gather,
    WaitUntil(Option<MonotonicTime>),
}

#[derive(Clone, Copy)]
struct WaitingMessage {
    /// `None` for a summary.
    incident: Option<IncidentId>,
    /// Time at which it is due.
    at: MonotonicTime,
    /// Start of the retry period.
    since: MonotonicTime,
    /// Start of the retry period, as stored.
    stored_since: Timestamp,
    attempts: u32,
}

impl WaitingMessage {
    /// Converts a message that the queue does not know yet. Whatever the clock was when its times were stored, it waits
    /// no longer than for a retry, and is tried for some time before it may fail.
    fn new(message: &Message, (at, since): (Timestamp, Timestamp), settings: QueueSettings, now: Now) -> Self {
        let micros_between = |from: Timestamp, to: Timestamp| to.micros().saturating_sub(from.micros());
        // The wait after the last attempt is known even if the clock was set since. It is longer than for a retry if
        // the destination asked for more.
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

    /// Keeps the moments that are known already, if this is still the same series of attempts.
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

    /// Adds a message if it is due, and removes it otherwise. Messages in flight are left alone.
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

    /// Returns all work that can be done now. It counts as in flight until it is settled.
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

    /// Returns the time at which there may be work, unless something is noted or settled before.
    #[must_use]
    pub fn next_time(&self) -> Option<MonotonicTime> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Returns the time of the next attempt after one has ended. `None`: the message is settled. The caller stores that
    /// and then calls [`Queue::settle`].
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
                // Even the last attempt is not made before the time that the destination asked for.
                let asked = ended.asked_until(now).unwrap_or(MonotonicTime::MIN);
                Some(retry::next_attempt(entry.attempts + 1, now, until, chance).max(asked))
            }
        }
    }

    /// Records that an attempt has ended and that its result is stored.
    ///
    /// Returns messages of the same queue whose retry period is over. They have to be stored as failed, and count as in
    /// flight until [`Queue::gave_up`].
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

    /// Records that messages are stored as failed.
    pub fn gave_up(&mut self, id: DestinationQueueId, messages: &[MessageId]) {
        if let Some(queue) = self.queues.get_mut(&id) {
            for message in messages {
                queue.in_flight.remove(message);
            }
        }
        self.make_ready(id);
    }

    /// Records that messages are part of a summary now, which was noted already. If `done` is false, they wait again.
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

    /// Frees one slot of the queue's pool.
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

    /// Returns the oldest waiting summary.
    fn summary(&self) -> Option<(MessageId, WaitingMessage)> {
        let is_summary = |(id, entry): (&MessageId, &WaitingMessage)| entry.incident.is_none().then_some((*id, *entry));
        if self.summaries == 0 { None } else { self.waiting.iter().find_map(is_summary) }
    }

    /// Returns whether the queue can be removed without losing state.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.left.is_empty()
    }

    /// Returns the next work, or the time at which there may be some.
    fn take(
        &mut self,
        id: DestinationQueueId,
        now: MonotonicTime,
        settings: QueueSettings,
    ) -> (Option<Work>, Option<MonotonicTime>) {
        self.forget_old(now);
        if self.waiting.is_empty() {
            // The queue is removed once the storm limit does not need it.
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

    /// Limits the number of messages within a minute. If more are waiting, the last one is a summary, which is sent a
    /// moment later to combine more messages.
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

    /// Returns up to `limit` messages that can be sent now, oldest first, none before an older one about the same
    /// incident. A summary is sent alone and before everything else, because an older message may be about one of its
    /// incidents.
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
        // Due messages that cannot be sent wait for a message in flight to end, not for the clock.
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
