//! The latest changes in memory, bounded by number and bytes, and the net change of each incident between two entries.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::domain::{
    Incident, IncidentChange, IncidentId, IncidentTag, Timestamp,
    limits::{LIVE_BYTES, LIVE_CHANGES, LIVE_KEPT, LIVE_MOMENTS, LIVE_ROWS, LIVE_UPDATE_BYTES},
};

use super::moments::Moments;

/// Bounds of a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingBounds {
    pub batches: usize,
    pub changes: usize,
    pub bytes: usize,
}

impl Default for RingBounds {
    fn default() -> Self {
        Self { batches: LIVE_KEPT, changes: LIVE_CHANGES, bytes: LIVE_BYTES }
    }
}

/// The changes of one batch.
#[derive(Debug)]
pub(super) struct RingEntry {
    /// Number of the last change in the entry.
    pub seq: u64,
    /// Each changed incident once, as it was before the batch and as it is after it.
    pub incidents: Vec<IncidentChange>,
    /// Incidents of which something outside their records changed, such as messages about them. No duplicates.
    pub touched: Vec<IncidentId>,
    /// The ring's clock before and after the entry. All changes by the clock in between are in the entry.
    pub since: Timestamp,
    pub clock: Timestamp,
    /// Whether only the clock caused the changes. Such an entry has the number of the change before it.
    pub is_lapse: bool,
    bytes: usize,
}

impl RingEntry {
    fn len(&self) -> usize {
        self.incidents.len() + self.touched.len()
    }
}

/// The latest batches. Each entry has a number; numbers are consecutive within the ring.
#[derive(Debug)]
pub(super) struct Ring {
    bounds: RingBounds,
    entries: VecDeque<Arc<RingEntry>>,
    /// Number of the first entry that is kept.
    first: u64,
    /// Changes up to this number are not in the ring.
    floor: u64,
    /// Number of the last committed change.
    pub last: u64,
    /// Time up to which all changes by the clock are in entries, or precede this ring. Follows the time of day.
    pub clock: Timestamp,
    /// Time up to which changes by the clock are not in the ring.
    pub clock_floor: Timestamp,
    pub moments: Moments,
    changes: usize,
    bytes: usize,
    pub closed: bool,
}

impl Ring {
    pub fn new(last: u64, bounds: RingBounds) -> Self {
        Self {
            bounds,
            entries: VecDeque::new(),
            first: 0,
            floor: last,
            last,
            clock: Timestamp::MIN,
            clock_floor: Timestamp::MIN,
            moments: Moments::new(LIVE_MOMENTS),
            changes: 0,
            bytes: 0,
            closed: false,
        }
    }

    /// Returns the number of the next entry.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Adds a batch whose last change is `seq`. A batch that is larger than the ring empties it, and readers have to
    /// reload everything.
    pub fn push(&mut self, seq: u64, incidents: &[IncidentChange], touched: Vec<IncidentId>) {
        self.last = seq;
        if incidents.len().max(touched.len()) > self.bounds.changes {
            self.forget();
            return;
        }
        self.add(seq, by_incident(incidents), touched, self.clock, false);
    }

    /// Adds incidents that changed by the clock until `now`.
    pub fn push_lapsed(&mut self, incidents: Vec<Arc<Incident>>, now: Timestamp) {
        let since = self.clock;
        self.clock = since.max(now);
        self.moments.pass(now);
        let changes = incidents.into_iter().map(|it| IncidentChange { before: Some(Arc::clone(&it)), after: Some(it) });
        self.add(self.last, changes.collect(), Vec::new(), since, true);
    }

    /// Advances the clock to `at`, but not beyond the next moment at which an incident changes by the clock. Never sets
    /// it back.
    pub fn advance(&mut self, at: Timestamp) {
        let quiet = self.moments.next().map_or(at, |next| at.min(next.saturating_add_micros(-1)));
        self.clock = self.clock.max(quiet);
    }

    /// Empties the ring and continues from `now`, after too much changed by the clock or the clock was set back.
    pub fn set_clock(&mut self, now: Timestamp) {
        self.clock = now;
        self.moments.pass(now);
        self.forget();
    }

    /// Returns whether an incident changed by the clock after `at` in an entry before number `from`, or in one that was
    /// dropped.
    pub fn has_lapsed_unseen(&self, from: u64, at: Timestamp) -> bool {
        let before = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.clock_floor > at || self.entries.iter().take(before).any(|entry| entry.is_lapse && entry.clock > at)
    }

    fn add(
        &mut self,
        seq: u64,
        incidents: Vec<IncidentChange>,
        touched: Vec<IncidentId>,
        since: Timestamp,
        is_lapse: bool,
    ) {
        let bytes = incidents.iter().map(change_bytes).sum::<usize>() + touched.len() * size_of::<IncidentId>();
        let entry = RingEntry { seq, incidents, touched, since, clock: self.clock, is_lapse, bytes };
        if entry.len() > self.bounds.changes || entry.bytes > self.bounds.bytes {
            self.forget();
            return;
        }
        self.changes += entry.len();
        self.bytes += entry.bytes;
        self.entries.push_back(Arc::new(entry));
        while self.entries.len() > self.bounds.batches
            || self.changes > self.bounds.changes
            || self.bytes > self.bounds.bytes
        {
            let Some(gone) = self.entries.pop_front() else { break };
            self.first += 1;
            self.floor = self.floor.max(gone.seq);
            if gone.is_lapse {
                self.clock_floor = gone.clock;
            }
            self.changes -= gone.len();
            self.bytes -= gone.bytes;
        }
    }

    /// Drops all entries. Readers that have not read all of them have to reload.
    pub fn forget(&mut self) {
        self.first = self.end() + 1;
        self.entries.clear();
        self.floor = self.last;
        self.clock_floor = self.clock;
        self.changes = 0;
        self.bytes = 0;
    }

    /// Returns the number of the first entry for a reader that has seen everything up to `seq`. `None`: some later
    /// entries were dropped.
    pub fn after(&self, seq: u64) -> Option<u64> {
        if seq < self.floor {
            return None;
        }
        // Messages and changes by the clock have no numbers of their own, so those after the last known change may be
        // new.
        let is_known = |entry: &&Arc<RingEntry>| {
            entry.seq < seq || entry.seq == seq && entry.touched.is_empty() && !entry.is_lapse
        };
        let known = self.entries.iter().take_while(is_known).count();
        Some(self.first + known as u64)
    }

    /// Returns these incidents as they were after change `seq`, as far as that is known.
    pub fn before(&self, seq: u64, ids: &FxHashSet<u64>) -> FxHashMap<u64, Option<Arc<Incident>>> {
        let mut before = FxHashMap::default();
        if seq < self.floor {
            return before;
        }
        for change in self.entries.iter().filter(|entry| entry.seq > seq).flat_map(|entry| &entry.incidents) {
            if let Some(id) = id_of(change).filter(|id| ids.contains(&id.0)) {
                before.entry(id.0).or_insert_with(|| change.before.clone());
            }
        }
        before
    }

    /// Returns the entries from number `from` up to, but without, number `to`. `None`: the first of them were dropped.
    pub fn range(&self, from: u64, to: u64) -> Option<Vec<Arc<RingEntry>>> {
        let skip = usize::try_from(from.checked_sub(self.first)?).ok()?;
        let count = usize::try_from(to.saturating_sub(from)).ok()?;
        Some(self.entries.iter().skip(skip).take(count).cloned().collect())
    }
}

/// The combined changes of each incident between two positions.
#[derive(Clone, Debug)]
pub struct Update {
    /// Number of the first entry, and of the entry after the last.
    pub from: u64,
    pub to: u64,
    /// A reader whose last change has a lower number than this needs the whole update.
    pub first_seq: u64,
    /// Number of the last change of the last entry.
    pub seq: u64,
    /// The clock before the first entry and after the last. Incidents before and after are judged as of these times.
    pub since: Timestamp,
    pub now: Timestamp,
    /// `None`: more than can be sent.
    pub changes: Option<Arc<Changes>>,
}

/// The changed incidents, as they were before the first change and as they are after the last.
#[derive(Debug, Default)]
pub struct Changes {
    pub incidents: BTreeMap<IncidentId, IncidentChange>,
    /// Incidents of which something outside their records changed, such as messages about them.
    pub touched: BTreeSet<IncidentId>,
}

impl Update {
    /// Combines `entries`. `None` if there are none.
    pub(super) fn new(from: u64, to: u64, entries: &[Arc<RingEntry>]) -> Option<Self> {
        let (first, last) = (entries.first()?, entries.last()?);
        Some(Self {
            from,
            to,
            first_seq: first.seq + u64::from(first.is_lapse),
            seq: last.seq,
            since: first.since,
            now: last.clock,
            changes: fold(entries).map(Arc::new),
        })
    }
}

/// Combines the changes of each incident. `None` if they exceed [`LIVE_ROWS`] or [`LIVE_UPDATE_BYTES`].
fn fold(entries: &[Arc<RingEntry>]) -> Option<Changes> {
    let mut changes = Changes::default();
    for entry in entries {
        changes.touched.extend(&entry.touched);
        for change in &entry.incidents {
            let Some(id) = id_of(change) else { continue };
            changes
                .incidents
                .entry(id)
                .and_modify(|first| first.after.clone_from(&change.after))
                .or_insert_with(|| change.clone());
            if changes.incidents.len() > LIVE_ROWS {
                return None;
            }
        }
    }
    (changes.incidents.values().map(change_bytes).sum::<usize>() <= LIVE_UPDATE_BYTES).then_some(changes)
}

/// Combines the changes of each incident, in the order of their first changes.
fn by_incident(changes: &[IncidentChange]) -> Vec<IncidentChange> {
    let mut places: FxHashMap<IncidentId, usize> = FxHashMap::default();
    let mut grouped: Vec<IncidentChange> = Vec::with_capacity(changes.len());
    for change in changes {
        let Some(id) = id_of(change) else { continue };
        if let Some(first) = places.get(&id).and_then(|place| grouped.get_mut(*place)) {
            first.after.clone_from(&change.after);
        } else {
            places.insert(id, grouped.len());
            // Filters judge the incident as it was, but its long texts are not shown.
            let before = change.before.as_ref().map(Incident::without_long_texts);
            grouped.push(IncidentChange { before, after: change.after.clone() });
        }
    }
    grouped
}

fn id_of(change: &IncidentChange) -> Option<IncidentId> {
    change.after.as_ref().or(change.before.as_ref()).map(|incident| incident.id)
}

/// Estimates the memory that a change takes, in bytes.
fn change_bytes(change: &IncidentChange) -> usize {
    let sides = [&change.before, &change.after].into_iter().flatten();
    size_of::<IncidentChange>() + sides.map(|incident| incident_bytes(incident)).sum::<usize>()
}

fn incident_bytes(incident: &Incident) -> usize {
    size_of::<Incident>() + incident.tags.len() * size_of::<IncidentTag>() + incident.text_bytes()
}

#[cfg(test)]
mod tests;
