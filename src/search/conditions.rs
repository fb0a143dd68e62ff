//! Converts [`Criteria`] to ranges of numbers that can be compared with columns.

#![expect(clippy::needless_bitwise_bool, reason = "without branches, so that several rows are checked at once")]

use std::ops::RangeInclusive;

use super::{
    chunk::{Chunk, ChunkBounds, Key, STATELESS, source_bit},
    columns::Columns,
};
use crate::domain::{Criteria, Level, LevelSet, Timestamp};

/// Criteria as of one time, as ranges of column values. Leaves out tags, texts and names, which columns do not have.
#[derive(Debug)]
pub(super) struct Conditions {
    now: i64,
    start: RangeInclusive<i64>,
    end: RangeInclusive<i64>,
    acked_until: RangeInclusive<i64>,
    sources: Sources,
    /// A bit for each level, as in [`ChunkBounds`].
    levels: u8,
    ticket: Option<u8>,
    event_types: Vec<u16>,
    duration: Option<RangeInclusive<i64>>,
    hide_closed_acked: bool,
}

#[derive(Debug)]
enum Sources {
    All,
    One(u32),
    Several {
        /// 1 for the number of each wanted source.
        table: Vec<u8>,
        /// A bit for each source, as in [`ChunkBounds`].
        bits: u64,
    },
}

impl Conditions {
    pub(super) fn new(criteria: &Criteria, columns: &Columns, now: Timestamp) -> Self {
        let now = now.micros();
        Self {
            now,
            start: criteria.start_from.map_or(i64::MIN, Timestamp::micros)
                ..=criteria.start_to.map_or(i64::MAX, Timestamp::micros),
            end: end_range(criteria, now),
            acked_until: match criteria.acked {
                None => i64::MIN..=i64::MAX,
                Some(true) => now.saturating_add(1)..=i64::MAX,
                Some(false) => i64::MIN..=now,
            },
            sources: Sources::new(criteria, columns),
            levels: wanted_levels(criteria),
            ticket: criteria.has_ticket.map(u8::from),
            event_types: criteria.event_types.iter().map(|types| types.bits()).collect(),
            duration: duration_range(criteria),
            hide_closed_acked: criteria.hide_closed_acked,
        }
    }

    /// Returns the range outside of which ends do not match.
    pub(super) fn ends(&self) -> &RangeInclusive<i64> {
        &self.end
    }

    /// Returns a bit for each level that matches.
    pub(super) fn levels(&self) -> u8 {
        self.levels
    }

    /// Returns the range of keys that can match: from the first on, up to but without the second.
    pub(super) fn keys(&self) -> (Key, Key) {
        (Key { start: *self.start.start(), id: 0 }, Key { start: *self.start.end(), id: u64::MAX })
    }

    /// Returns whether rows within these bounds can match.
    pub(super) fn possible(&self, bounds: &ChunkBounds) -> bool {
        !self.end.is_empty()
            && bounds.ends_within(*self.end.start(), *self.end.end()).is_some()
            && *self.acked_until.start() <= bounds.max_acked
            && *self.acked_until.end() >= bounds.min_acked
            && bounds.levels & self.levels != 0
            && self.event_types.iter().all(|types| types & bounds.event_types != 0)
            && match self.ticket {
                None => true,
                Some(0) => bounds.some_without_ticket,
                Some(_) => bounds.some_ticket,
            }
            && match &self.sources {
                Sources::All => true,
                Sources::One(source) => bounds.sources & source_bit(*source) != 0,
                Sources::Several { bits, .. } => bounds.sources & bits != 0,
            }
    }

    /// Sets the mask to 0 for rows that do not match. It has one byte for each row.
    pub(super) fn apply(&self, chunk: &Chunk, mask: &mut [u8]) {
        let bounds = &chunk.bounds;
        if *self.end.start() > bounds.min_end() || *self.end.end() < bounds.max_end() {
            within(mask, &chunk.ends, &self.end);
        }
        if *self.acked_until.start() > bounds.min_acked || *self.acked_until.end() < bounds.max_acked {
            within(mask, &chunk.acked_until, &self.acked_until);
        }
        match &self.sources {
            Sources::All => {}
            Sources::One(wanted) => keep(mask, &chunk.sources, |source| source == *wanted),
            Sources::Several { table, .. } => {
                keep(mask, &chunk.sources, |source| table.get(source as usize).is_some_and(|&wanted| wanted != 0));
            }
        }
        if bounds.levels & !self.levels != 0 {
            let wanted = Level::ALL.map(|level| (self.levels >> level.get() & 1) * level.get());
            keep(mask, &chunk.levels, |level| wanted.iter().fold(false, |some, &wanted| some | (wanted == level)));
        }
        if let Some(wanted) = self.ticket {
            keep(mask, &chunk.tickets, |ticket| ticket == wanted);
        }
        for wanted in &self.event_types {
            keep(mask, &chunk.event_types, |types| types & wanted != 0);
        }
        if let Some(range) = &self.duration {
            let (now, min, max) = (self.now, *range.start(), *range.end());
            keep_pairs(mask, &chunk.starts, &chunk.ends, |start, end| {
                let duration = end.min(now).saturating_sub(start);
                (duration >= min) & (duration <= max)
            });
        }
        if self.hide_closed_acked {
            let now = self.now;
            keep_pairs(mask, &chunk.ends, &chunk.acked_until, |end, acked| {
                !((end != STATELESS) & (end <= now) & (acked > now))
            });
        }
    }
}

impl Sources {
    fn new(criteria: &Criteria, columns: &Columns) -> Self {
        let Some(wanted) = &criteria.sources else { return Self::All };
        let numbers: Vec<u32> = wanted.iter().filter_map(|&source| columns.source_number(source)).collect();
        if let [one] = numbers[..] {
            return Self::One(one);
        }
        let mut table = vec![0; numbers.iter().max().map_or(0, |&max| max as usize + 1)];
        let mut bits = 0;
        for number in numbers {
            bits |= source_bit(number);
            if let Some(cell) = table.get_mut(number as usize) {
                *cell = 1;
            }
        }
        Self::Several { table, bits }
    }
}

fn end_range(criteria: &Criteria, now: i64) -> RangeInclusive<i64> {
    let stateful = STATELESS + 1;
    let (mut from, mut to) = (i64::MIN, i64::MAX);
    match criteria.open {
        None => {}
        Some(true) => from = from.max(now.saturating_add(1)),
        Some(false) => (from, to) = (from.max(stateful), to.min(now)),
    }
    match criteria.stateful {
        None => {}
        Some(true) => from = from.max(stateful),
        Some(false) => to = STATELESS,
    }
    if let Some(bound) = criteria.end_from {
        from = from.max(bound.micros());
    }
    if let Some(bound) = criteria.end_to {
        (from, to) = (from.max(stateful), to.min(bound.micros()));
    }
    if criteria.min_duration.is_some() || criteria.max_duration.is_some() {
        from = from.max(stateful);
    }
    from..=to
}

fn wanted_levels(criteria: &Criteria) -> u8 {
    let up_to = criteria.max_level.map_or(u8::MAX, |max| ((1u16 << (max.min(7) + 1)) - 1) as u8);
    up_to & criteria.levels.map_or(u8::MAX, LevelSet::bits)
}

fn duration_range(criteria: &Criteria) -> Option<RangeInclusive<i64>> {
    if criteria.min_duration.is_none() && criteria.max_duration.is_none() {
        return None;
    }
    Some(criteria.min_duration.unwrap_or(i64::MIN)..=criteria.max_duration.unwrap_or(i64::MAX))
}

fn within(mask: &mut [u8], column: &[i64], range: &RangeInclusive<i64>) {
    let (from, to) = (*range.start(), *range.end());
    keep(mask, column, |value| (value >= from) & (value <= to));
}

#[inline]
fn keep<T: Copy>(mask: &mut [u8], column: &[T], wanted: impl Fn(T) -> bool) {
    for (mask, &value) in mask.iter_mut().zip(column) {
        *mask &= u8::from(wanted(value));
    }
}

#[inline]
fn keep_pairs(mask: &mut [u8], left: &[i64], right: &[i64], wanted: impl Fn(i64, i64) -> bool) {
    for ((mask, &left), &right) in mask.iter_mut().zip(left).zip(right) {
        *mask &= u8::from(wanted(left, right));
    }
}
