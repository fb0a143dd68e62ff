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
    attempt::Ended,
    ids::{ChannelId, ContactId, DestinationId, IncidentId, MessageId},
    limits::{LANE_WINDOW, MEDIUM_WINDOW, RETRY_AFTER_MAX_MICROS, RETRY_TIME_LEFT_MICROS, SUMMARY_MESSAGES},
    message::{Message, Route, State},
    time::{Moment, Now, Timestamp},
};

const MINUTE_MICROS: i64 = 60_000_000;
/// How long a summary waits after the message before it.
const GATHER_MICROS: i64 = 5_000_000;

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneId {
    Destination(DestinationId),
    Contact { contact: ContactId, channel: ChannelId },
}

impl LaneId {
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
    Send(LaneId, MessageId),
    /// These are to become one summary.
    Gather(LaneId, Vec<MessageId>),
}

/// A message on its way.
pub type Flight = (LaneId, MessageId);

pub struct Queue {
    settings: QueueSettings,
    lanes: FxHashMap<LaneId, Lane>,
    /// Lanes that may have something to do, in turn.
    ready: VecDeque<LaneId>,
    timers: BTreeSet<(Moment, LaneId)>,
    /// Of each medium and channel: messages in flight, and lanes that wait for one of them to end.
    pools: FxHashMap<PoolId, Pool>,
}

/// What lanes share: a channel that hangs holds up itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum PoolId {
    Medium(String),
    Channel(ChannelId),
}

#[derive(Default)]
struct Pool {
    in_flight: usize,
    parked: Vec<LaneId>,
}

struct Lane {
    pool: PoolId,
    waiting: BTreeMap<MessageId, Entry>,
    /// Those of them that are summaries.
    summaries: usize,
    in_flight: FxHashMap<MessageId, Entry>,
    /// When messages left within the last minute.
    left: VecDeque<Moment>,
    /// Attempts that failed since the last that did not.
    failures: u32,
    blocked_until: Moment,
    /// Messages that may be in flight at once. Grows with each success, so a destination that hangs blocks one message only.
    window: usize,
    is_ready: bool,
    timer: Option<Moment>,
}

enum Guard {
    /// One message may leave as it is.
    Single,
    /// What waits is to leave as one summary.
    Gather,
    WaitUntil(Option<Moment>),
}

#[derive(Clone, Copy)]
struct Entry {
    /// `None`: a summary.
    incident: Option<IncidentId>,
    /// When it is due.
    at: Moment,
    /// Since when it is tried.
    since: Moment,
    /// The same as it is stored.
    stored_since: Timestamp,
    attempts: u32,
}

impl Entry {
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
            lanes: FxHashMap::default(),
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            pools: FxHashMap::default(),
        }
    }

    /// Takes a message in if it is due, and forgets it if it is not any more. What is in flight is left alone.
    pub fn note(&mut self, message: &Message, now: Now) {
        let id = LaneId::of(message);
        let State::Due { at, since } = message.state else {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.leave(message.id);
            }
            return;
        };
        let lane = self.lanes.entry(id).or_insert_with(|| Lane::new(PoolId::of(message)));
        if !lane.in_flight.contains_key(&message.id) {
            let entry = Entry::new(message, (at, since), self.settings, now);
            let known = lane.waiting.get(&message.id);
            if known.is_none() && entry.at.micros_since(now.moment) > retry::longest_wait(message.attempts) {
                lane.blocked_until = lane.blocked_until.max(entry.at);
            }
            let entry = known.map_or(entry, |known| entry.keep_moments_of(*known));
            lane.wait(message.id, entry);
            self.make_ready(id);
        }
    }

    /// All that can be done now; what is taken counts as in flight until it is settled.
    pub fn take(&mut self, now: Moment) -> Vec<Work> {
        self.ring(now);
        let mut taken = Vec::new();
        while let Some(id) = self.ready.pop_front() {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            lane.is_ready = false;
            let pool = self.pools.entry(lane.pool.clone()).or_default();
            if pool.in_flight >= MEDIUM_WINDOW {
                pool.parked.push(id);
                continue;
            }
            let (work, next) = lane.take(id, now, self.settings);
            match work {
                Some(work) => {
                    pool.in_flight += 1;
                    taken.push(work);
                    self.make_ready(id);
                }
                None if lane.is_idle() => {
                    self.lanes.remove(&id);
                }
                None => self.set_timer(id, next),
            }
        }
        taken
    }

    /// When there may be something to do without anything new being noted or settled.
    #[must_use]
    pub fn next_time(&self) -> Option<Moment> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// When the message is tried again after an attempt; `None`: never, it is settled. The caller writes that down and then
    /// calls `settle`.
    #[must_use]
    pub fn next_attempt(&self, (lane, message): Flight, ended: Ended, now: Moment, chance: f64) -> Option<Moment> {
        match ended {
            Ended::Sent | Ended::Failed => None,
            Ended::Retry | Ended::RetryAfter(_) => {
                let entry = self.lanes.get(&lane).and_then(|lane| lane.in_flight.get(&message));
                let Some(entry) = entry else { return Some(now) };
                let until = entry.since.saturating_add_micros(self.settings.retry_micros);
                if now >= until {
                    return None;
                }
                // The last attempt, too, is made no earlier than the destination asked for.
                let asked = ended.asked_until(now).unwrap_or(Moment::MIN);
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
        (id, message): Flight,
        ended: Ended,
        again: Option<Moment>,
        now: Moment,
        chance: f64,
    ) -> Vec<MessageId> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Vec::new() };
        let Some(entry) = lane.in_flight.remove(&message) else { return Vec::new() };
        let mut expired = Vec::new();
        match ended {
            Ended::Sent => {
                lane.left.push_back(now);
                lane.failures = 0;
                lane.window = (lane.window + 1).min(LANE_WINDOW);
            }
            Ended::Failed => {}
            Ended::Retry | Ended::RetryAfter(_) => {
                lane.failures += 1;
                lane.window = 1;
                let asked = ended.asked_until(now).unwrap_or(Moment::MIN);
                lane.blocked_until = retry::blocked_until(lane.failures, now, chance).max(asked);
                expired = lane.expire(now, self.settings.retry_micros);
            }
        }
        if let Some(at) = again {
            lane.wait(message, Entry { at, attempts: entry.attempts + 1, ..entry });
        }
        self.free(id);
        expired
    }

    /// Messages were taken out of the lane and are written down as given up, or as part of a summary.
    pub fn gave_up(&mut self, id: LaneId, messages: &[MessageId]) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            for message in messages {
                lane.in_flight.remove(message);
            }
        }
        self.make_ready(id);
    }

    /// Messages that were to be gathered are part of a summary now, which was noted; or, if that failed, still wait.
    pub fn gathered(&mut self, id: LaneId, messages: &[MessageId], done: bool) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            for message in messages {
                if let Some(entry) = lane.in_flight.remove(message).filter(|_| !done) {
                    lane.wait(*message, entry);
                }
            }
        }
        self.free(id);
    }

    /// One slot of the lane's pool is free again.
    fn free(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get(&id) else { return };
        let pool = self.pools.entry(lane.pool.clone()).or_default();
        pool.in_flight = pool.in_flight.saturating_sub(1);
        for parked in std::mem::take(&mut pool.parked) {
            self.make_ready(parked);
        }
        self.make_ready(id);
    }

    fn make_ready(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        if let Some(at) = lane.timer.take() {
            self.timers.remove(&(at, id));
        }
        if !lane.is_ready {
            lane.is_ready = true;
            self.ready.push_back(id);
        }
    }

    fn set_timer(&mut self, id: LaneId, at: Option<Moment>) {
        if let (Some(lane), Some(at)) = (self.lanes.get_mut(&id), at) {
            lane.timer = Some(at);
            self.timers.insert((at, id));
        }
    }

    fn ring(&mut self, now: Moment) {
        while let Some((_, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.make_ready(id);
        }
    }
}

impl Lane {
    fn new(pool: PoolId) -> Self {
        Self {
            pool,
            waiting: BTreeMap::new(),
            summaries: 0,
            in_flight: FxHashMap::default(),
            left: VecDeque::new(),
            failures: 0,
            blocked_until: Moment::MIN,
            window: 1,
            is_ready: false,
            timer: None,
        }
    }

    fn wait(&mut self, id: MessageId, entry: Entry) {
        self.summaries += usize::from(entry.incident.is_none());
        if self.waiting.insert(id, entry).is_some_and(|before| before.incident.is_none()) {
            self.summaries -= 1;
        }
    }

    fn leave(&mut self, id: MessageId) -> Option<Entry> {
        let entry = self.waiting.remove(&id)?;
        self.summaries -= usize::from(entry.incident.is_none());
        Some(entry)
    }

    /// The oldest.
    fn summary(&self) -> Option<(MessageId, Entry)> {
        let is_summary = |(id, entry): (&MessageId, &Entry)| entry.incident.is_none().then_some((*id, *entry));
        if self.summaries == 0 { None } else { self.waiting.iter().find_map(is_summary) }
    }

    /// Nothing would be forgotten with it.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.left.is_empty()
    }

    /// The next thing to do, or when there may be one.
    fn take(&mut self, id: LaneId, now: Moment, settings: QueueSettings) -> (Option<Work>, Option<Moment>) {
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
            Guard::Single => false,
            Guard::Gather => true,
            Guard::WaitUntil(next) => return (None, next),
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
    fn guard(&self, now: Moment, settings: QueueSettings) -> Guard {
        if settings.storm_limit == 0 {
            return Guard::Single;
        }
        let room = settings.storm_limit.saturating_sub(self.left.len() + self.in_flight.len());
        if room == 0 {
            return Guard::WaitUntil(self.left.front().map(|first| first.saturating_add_micros(MINUTE_MICROS)));
        }
        if room > 1 || self.waiting.len() == 1 {
            return Guard::Single;
        }
        let settled = self.left.back().map(|last| last.saturating_add_micros(GATHER_MICROS));
        match settled {
            Some(settled) if settled > now => Guard::WaitUntil(Some(settled)),
            None if !self.in_flight.is_empty() => Guard::WaitUntil(None),
            _ => Guard::Gather,
        }
    }

    /// Up to `limit` messages that may leave now, oldest first, none before an older one about the same incident. A
    /// summary leaves alone and before everything else, since a message that is older than
    /// it may be about what it tells of.
    fn due(&self, now: Moment, limit: usize) -> Vec<MessageId> {
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

    fn next_due(&self, now: Moment) -> Option<Moment> {
        // What is due and may not leave waits for a message in flight to end, not for the clock.
        match self.summary() {
            Some((_, summary)) => Some(summary.at).filter(|at| *at > now),
            None => self.waiting.values().map(|entry| entry.at).filter(|at| *at > now).min(),
        }
    }

    fn forget_old(&mut self, now: Moment) {
        while self.left.front().is_some_and(|left| left.saturating_add_micros(MINUTE_MICROS) <= now) {
            self.left.pop_front();
        }
    }

    fn expire(&mut self, now: Moment, retry_micros: i64) -> Vec<MessageId> {
        let is_over = |entry: &Entry| entry.since.saturating_add_micros(retry_micros) <= now;
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
