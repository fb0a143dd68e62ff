//! The latest changes in memory, bounded by number and bytes, and the net change of each incident between two positions.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::domain::{
    change::IncidentChange,
    ids::IncidentId,
    incident::Incident,
    limits::{LIVE_BYTES, LIVE_CHANGES, LIVE_KEPT, LIVE_MOMENTS, LIVE_ROWS, LIVE_UPDATE_BYTES},
    tag::IncidentTag,
    time::Timestamp,
};

use super::moments::Moments;

/// How much a ring holds.
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

/// What one batch changed.
#[derive(Debug)]
pub(super) struct RingEntry {
    /// The last change in it.
    pub seq: u64,
    /// Each incident once, as it was before the batch and as it is after it.
    pub incidents: Vec<IncidentChange>,
    /// Something about these changed that is not in their records: messages about them. None twice.
    pub touched: Vec<IncidentId>,
    /// The ring's clock before and after it. All that changed by the clock alone in between is in here.
    pub since: Timestamp,
    pub clock: Timestamp,
    /// Nobody did anything: these changed by the clock alone. It has the number of the change before it.
    pub is_lapse: bool,
    bytes: usize,
}

impl RingEntry {
    fn len(&self) -> usize {
        self.incidents.len() + self.touched.len()
    }
}

/// The last batches. Each has a number; numbers are consecutive within the ring.
#[derive(Debug)]
pub(super) struct Ring {
    bounds: RingBounds,
    entries: VecDeque<Arc<RingEntry>>,
    /// The number of the first entry that is kept.
    first: u64,
    /// All changes up to this one are in no entry.
    floor: u64,
    /// The last change that was pushed.
    pub last: u64,
    /// All that changed by the clock alone up to here is in entries, or before this ring. It follows the time of day.
    pub clock: Timestamp,
    /// What changed by the clock alone up to here is in no entry.
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

    /// The number of the next entry.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Takes a batch whose last change is `seq`. One that is larger than the ring empties it: readers have to look at
    /// everything again.
    pub fn push(&mut self, seq: u64, incidents: &[IncidentChange], touched: Vec<IncidentId>) {
        self.last = seq;
        if incidents.len().max(touched.len()) > self.bounds.changes {
            self.forget();
            return;
        }
        self.add(seq, by_incident(incidents), touched, self.clock, false);
    }

    /// Takes incidents that changed by the clock alone until `now`.
    pub fn push_lapsed(&mut self, incidents: Vec<Arc<Incident>>, now: Timestamp) {
        let since = self.clock;
        self.clock = since.max(now);
        self.moments.pass(now);
        let changes = incidents.into_iter().map(|it| IncidentChange { before: Some(Arc::clone(&it)), after: Some(it) });
        self.add(self.last, changes.collect(), Vec::new(), since, true);
    }

    /// Lets the clock go on as far as nothing changes by it alone. Moves the clock past `at` never.
    pub fn advance(&mut self, at: Timestamp) {
        let quiet = self.moments.next().map_or(at, |next| at.min(next.saturating_add_micros(-1)));
        self.clock = self.clock.max(quiet);
    }

    /// Goes on from `now` after too much changed by the clock alone, or the clock was set back.
    pub fn set_clock(&mut self, now: Timestamp) {
        self.clock = now;
        self.moments.pass(now);
        self.forget();
    }

    /// Whether something that changed by the clock alone after `at` is in none of the entries from number `from` on.
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

    /// Drops everything; whoever has not read all of it is too late.
    pub fn forget(&mut self) {
        self.first = self.end() + 1;
        self.entries.clear();
        self.floor = self.last;
        self.clock_floor = self.clock;
        self.changes = 0;
        self.bytes = 0;
    }

    /// Where to begin for somebody who knows everything up to `seq`; `None`: what came after that is gone in part.
    pub fn after(&self, seq: u64) -> Option<u64> {
        if seq < self.floor {
            return None;
        }
        // Messages and what the clock does have no numbers of their own: those after the last change that is known may be
        // news.
        let is_known = |entry: &&Arc<RingEntry>| {
            entry.seq < seq || entry.seq == seq && entry.touched.is_empty() && !entry.is_lapse
        };
        let known = self.entries.iter().take_while(is_known).count();
        Some(self.first + known as u64)
    }

    /// How these incidents were when change `seq` was the last one, as far as that is known.
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

    /// The entries from number `from` up to, but without, number `to`; `None`: the first of them are gone.
    pub fn range(&self, from: u64, to: u64) -> Option<Vec<Arc<RingEntry>>> {
        let skip = usize::try_from(from.checked_sub(self.first)?).ok()?;
        let count = usize::try_from(to.saturating_sub(from)).ok()?;
        Some(self.entries.iter().skip(skip).take(count).cloned().collect())
    }
}

/// What became of each incident between two places.
#[derive(Clone, Debug)]
pub struct Update {
    /// The number of the first entry, and of the first one behind the last.
    pub from: u64,
    pub to: u64,
    /// Whoever knows fewer changes needs all of it.
    pub first_seq: u64,
    /// The last change of the last entry.
    pub seq: u64,
    /// The clock before the first entry and after the last one: as of when the incidents before and after are judged.
    pub since: Timestamp,
    pub now: Timestamp,
    /// `None`: more than can be pushed.
    pub changes: Option<Arc<Changes>>,
}

/// Each incident that changed, as it was before the first change and as it is after the last.
#[derive(Debug, Default)]
pub struct Changes {
    pub incidents: BTreeMap<IncidentId, IncidentChange>,
    /// Those of which something else changed, too.
    pub touched: BTreeSet<IncidentId>,
}

impl Update {
    /// `None` without entries.
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

/// `None` as soon as there is more than can be pushed.
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

/// Each incident once, in the order of their first changes.
fn by_incident(changes: &[IncidentChange]) -> Vec<IncidentChange> {
    let mut places: FxHashMap<IncidentId, usize> = FxHashMap::default();
    let mut grouped: Vec<IncidentChange> = Vec::with_capacity(changes.len());
    for change in changes {
        let Some(id) = id_of(change) else { continue };
        if let Some(first) = places.get(&id).and_then(|place| grouped.get_mut(*place)) {
            first.after.clone_from(&change.after);
        } else {
            places.insert(id, grouped.len());
            // Filters are asked about the incident as it was, but nobody shows its texts.
            let before = change.before.as_ref().map(Incident::without_long_texts);
            grouped.push(IncidentChange { before, after: change.after.clone() });
        }
    }
    grouped
}

fn id_of(change: &IncidentChange) -> Option<IncidentId> {
    change.after.as_ref().or(change.before.as_ref()).map(|incident| incident.id)
}

/// About how much memory it takes.
fn change_bytes(change: &IncidentChange) -> usize {
    let sides = [&change.before, &change.after].into_iter().flatten();
    size_of::<IncidentChange>() + sides.map(|incident| incident_bytes(incident)).sum::<usize>()
}

fn incident_bytes(incident: &Incident) -> usize {
    size_of::<Incident>() + incident.tags.len() * size_of::<IncidentTag>() + incident.text_bytes()
}

#[cfg(test)]
mod tests;
