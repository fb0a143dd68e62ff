//! A chunk of up to 4096 incidents in `(start, id)` order: one array for each column, and bounds of their values.

use crate::domain::{AckedUntil, EndTime, IncidentId, Timestamp, incident::Summary};

/// Number of rows of a full chunk.
pub(super) const ROWS: usize = 4096;
/// End of a stateless incident; lower than any time.
pub(super) const STATELESS: i64 = i64::MIN;
/// End of an open-ended incident; higher than any time.
pub(super) const INFINITY: i64 = i64::MAX;
/// Stands for "never acknowledged"; lower than any time.
pub(super) const NEVER: i64 = i64::MIN;
/// Stands for "acknowledged without expiry"; higher than any time.
pub(super) const FOREVER: i64 = i64::MAX;

/// Position of a row in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) start: i64,
    pub(super) id: u64,
}

impl Key {
    /// Key after all rows.
    pub(super) const LAST: Self = Self { start: i64::MAX, id: u64::MAX };

    pub(super) fn id(self) -> IncidentId {
        IncidentId(self.id)
    }

    pub(super) fn start(self) -> Timestamp {
        Timestamp::saturating_from_micros(self.start)
    }

    /// Returns the key directly after this one.
    pub(super) fn next(self) -> Self {
        Self { id: self.id.saturating_add(1), ..self }
    }

    /// Returns the key directly before this one. Ids start at 1.
    pub(super) fn previous(self) -> Self {
        Self { id: self.id.saturating_sub(1), ..self }
    }
}

/// A summary with the number of its source in the columns instead of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkRow {
    pub(super) key: Key,
    pub(super) end: i64,
    pub(super) acked_until: i64,
    pub(super) source: u32,
    pub(super) level: u8,
    pub(super) has_ticket: bool,
    pub(super) event_types: u16,
}

impl ChunkRow {
    pub(super) fn new(summary: &Summary, source: u32) -> Self {
        Self {
            key: Key { start: summary.start.micros(), id: summary.id.0 },
            end: match summary.end {
                EndTime::Stateless => STATELESS,
                EndTime::At(end) => end.micros(),
                EndTime::Infinity => INFINITY,
            },
            acked_until: match summary.acked_until {
                AckedUntil::Never => NEVER,
                AckedUntil::At(expiration) => expiration.micros(),
                AckedUntil::Forever => FOREVER,
            },
            source,
            level: summary.level.get(),
            has_ticket: summary.has_ticket,
            event_types: summary.event_types.bits(),
        }
    }
}

/// Bounds of the values in a chunk. After changes they may be wider than the rows, never narrower.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkBounds {
    /// Lowest and highest end that is a time; see `stateless` and `open_ended` for others.
    min_known_end: i64,
    max_known_end: i64,
    /// Numbers of stateless and open-ended rows. Exact, so that old chunks are skipped once all their rows are closed.
    stateless: u32,
    open_ended: u32,
    pub(super) min_acked: i64,
    pub(super) max_acked: i64,
    /// A bit for each level.
    pub(super) levels: u8,
    /// A bit for each source's number modulo 64.
    pub(super) sources: u64,
    pub(super) event_types: u16,
    pub(super) some_ticket: bool,
    pub(super) some_without_ticket: bool,
    pub(super) min_id: u64,
    pub(super) max_id: u64,
}

impl ChunkBounds {
    const EMPTY: Self = Self {
        min_known_end: i64::MAX,
        max_known_end: i64::MIN,
        stateless: 0,
        open_ended: 0,
        min_acked: i64::MAX,
        max_acked: i64::MIN,
        levels: 0,
        sources: 0,
        event_types: 0,
        some_ticket: false,
        some_without_ticket: false,
        min_id: u64::MAX,
        max_id: 0,
    };

    pub(super) fn min_end(&self) -> i64 {
        if self.stateless > 0 { STATELESS } else { self.min_known_end }
    }

    pub(super) fn max_end(&self) -> i64 {
        if self.open_ended > 0 { INFINITY } else { self.max_known_end }
    }

    /// Returns the lowest and the highest end within `from..=to`. `None` if there is none.
    pub(super) fn ends_within(&self, from: i64, to: i64) -> Option<(i64, i64)> {
        let known = (self.min_known_end.max(from), self.max_known_end.min(to));
        let known = (known.0 <= known.1).then_some(known);
        let stateless = (self.stateless > 0 && from == STATELESS).then_some(STATELESS);
        let open_ended = (self.open_ended > 0 && to == INFINITY).then_some(INFINITY);
        let low = stateless.or(known.map(|known| known.0)).or(open_ended)?;
        let high = open_ended.or(known.map(|known| known.1)).or(stateless)?;
        Some((low, high))
    }

    fn add(&mut self, row: &ChunkRow) {
        match row.end {
            STATELESS => self.stateless = self.stateless.saturating_add(1),
            INFINITY => self.open_ended = self.open_ended.saturating_add(1),
            end => {
                self.min_known_end = self.min_known_end.min(end);
                self.max_known_end = self.max_known_end.max(end);
            }
        }
        self.min_acked = self.min_acked.min(row.acked_until);
        self.max_acked = self.max_acked.max(row.acked_until);
        self.levels |= 1u8.checked_shl(u32::from(row.level)).unwrap_or(0);
        self.sources |= source_bit(row.source);
        self.event_types |= row.event_types;
        self.some_ticket |= row.has_ticket;
        self.some_without_ticket |= !row.has_ticket;
        self.min_id = self.min_id.min(row.key.id);
        self.max_id = self.max_id.max(row.key.id);
    }

    fn forget(&mut self, row: &ChunkRow) {
        match row.end {
            STATELESS => self.stateless = self.stateless.saturating_sub(1),
            INFINITY => self.open_ended = self.open_ended.saturating_sub(1),
            _ => {}
        }
    }
}

pub(super) const fn source_bit(source: u32) -> u64 {
    1 << (source % 64)
}

#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) starts: Vec<i64>,
    pub(super) ids: Vec<u64>,
    pub(super) ends: Vec<i64>,
    pub(super) acked_until: Vec<i64>,
    pub(super) sources: Vec<u32>,
    pub(super) levels: Vec<u8>,
    /// 0 or 1.
    pub(super) tickets: Vec<u8>,
    pub(super) event_types: Vec<u16>,
    pub(super) bounds: ChunkBounds,
}

impl Chunk {
    pub(super) fn new() -> Self {
        Self {
            starts: Vec::with_capacity(ROWS),
            ids: Vec::with_capacity(ROWS),
            ends: Vec::with_capacity(ROWS),
            acked_until: Vec::with_capacity(ROWS),
            sources: Vec::with_capacity(ROWS),
            levels: Vec::with_capacity(ROWS),
            tickets: Vec::with_capacity(ROWS),
            event_types: Vec::with_capacity(ROWS),
            bounds: ChunkBounds::EMPTY,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= ROWS
    }

    pub(super) fn key(&self, row: usize) -> Option<Key> {
        Some(Key { start: *self.starts.get(row)?, id: *self.ids.get(row)? })
    }

    pub(super) fn first(&self) -> Option<Key> {
        self.key(0)
    }

    pub(super) fn last(&self) -> Option<Key> {
        self.key(self.len().checked_sub(1)?)
    }

    /// Returns the number of rows before `key`.
    pub(super) fn rows_before(&self, key: Key) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle).is_some_and(|at| at < key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub(super) fn find(&self, key: Key) -> Option<usize> {
        let row = self.rows_before(key);
        (self.key(row) == Some(key)).then_some(row)
    }

    pub(super) fn row(&self, row: usize) -> Option<ChunkRow> {
        Some(ChunkRow {
            key: self.key(row)?,
            end: *self.ends.get(row)?,
            acked_until: *self.acked_until.get(row)?,
            source: *self.sources.get(row)?,
            level: *self.levels.get(row)?,
            has_ticket: *self.tickets.get(row)? != 0,
            event_types: *self.event_types.get(row)?,
        })
    }

    /// Inserts a row in order. Its key must be new.
    pub(super) fn insert(&mut self, row: &ChunkRow) {
        let at = self.rows_before(row.key);
        self.starts.insert(at, row.key.start);
        self.ids.insert(at, row.key.id);
        self.ends.insert(at, row.end);
        self.acked_until.insert(at, row.acked_until);
        self.sources.insert(at, row.source);
        self.levels.insert(at, row.level);
        self.tickets.insert(at, u8::from(row.has_ticket));
        self.event_types.insert(at, row.event_types);
        self.bounds.add(row);
    }

    /// Replaces the row with the same key. Returns false if there is none.
    pub(super) fn replace(&mut self, new: &ChunkRow) -> bool {
        let Some(at) = self.find(new.key) else { return false };
        let Some(old) = self.row(at) else { return false };
        set(&mut self.ends, at, new.end);
        set(&mut self.acked_until, at, new.acked_until);
        set(&mut self.sources, at, new.source);
        set(&mut self.levels, at, new.level);
        set(&mut self.tickets, at, u8::from(new.has_ticket));
        set(&mut self.event_types, at, new.event_types);
        self.bounds.forget(&old);
        self.bounds.add(new);
        true
    }

    /// Removes a row. Returns false if there is none.
    pub(super) fn remove(&mut self, key: Key) -> bool {
        let Some(at) = self.find(key) else { return false };
        let Some(old) = self.row(at) else { return false };
        self.starts.remove(at);
        self.ids.remove(at);
        self.ends.remove(at);
        self.acked_until.remove(at);
        self.sources.remove(at);
        self.levels.remove(at);
        self.tickets.remove(at);
        self.event_types.remove(at);
        self.bounds.forget(&old);
        true
    }

    /// Moves the upper half of the rows to a new chunk and returns it.
    pub(super) fn split(&mut self) -> Self {
        let half = self.len() / 2;
        let mut upper = Self::new();
        move_tail(&mut self.starts, half, &mut upper.starts);
        move_tail(&mut self.ids, half, &mut upper.ids);
        move_tail(&mut self.ends, half, &mut upper.ends);
        move_tail(&mut self.acked_until, half, &mut upper.acked_until);
        move_tail(&mut self.sources, half, &mut upper.sources);
        move_tail(&mut self.levels, half, &mut upper.levels);
        move_tail(&mut self.tickets, half, &mut upper.tickets);
        move_tail(&mut self.event_types, half, &mut upper.event_types);
        self.measure();
        upper.measure();
        upper
    }

    fn measure(&mut self) {
        let mut bounds = ChunkBounds::EMPTY;
        for row in (0..self.len()).filter_map(|row| self.row(row)) {
            bounds.add(&row);
        }
        self.bounds = bounds;
    }
}

fn set<T>(column: &mut [T], at: usize, value: T) {
    if let Some(cell) = column.get_mut(at) {
        *cell = value;
    }
}

fn move_tail<T>(from: &mut Vec<T>, at: usize, to: &mut Vec<T>) {
    to.extend(from.drain(at..));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_moments_and_what_is_open_do_not_hide_where_the_known_ends_are() {
        let row = |id, end| ChunkRow {
            key: Key { start: 0, id },
            end,
            acked_until: NEVER,
            source: 0,
            level: 1,
            has_ticket: false,
            event_types: 0,
        };
        let mut chunk = Chunk::new();
        for (id, end) in [(1, 50), (2, STATELESS), (3, INFINITY), (4, 70)] {
            chunk.insert(&row(id, end));
        }
        let within = |chunk: &Chunk, from, to| chunk.bounds.ends_within(from, to);
        assert_eq!(within(&chunk, STATELESS, INFINITY), Some((STATELESS, INFINITY)));
        assert_eq!(within(&chunk, STATELESS + 1, 60), Some((50, 60)));
        assert_eq!(within(&chunk, STATELESS + 1, 90), Some((50, 70)));
        assert_eq!(within(&chunk, 60, INFINITY), Some((60, INFINITY)));
        assert_eq!(within(&chunk, 71, INFINITY), Some((INFINITY, INFINITY)));
        assert_eq!(within(&chunk, STATELESS, STATELESS), Some((STATELESS, STATELESS)));
        assert_eq!(within(&chunk, 71, 90), None);

        chunk.replace(&row(3, 90));
        chunk.remove(row(2, STATELESS).key);
        assert_eq!(within(&chunk, STATELESS, INFINITY), Some((50, 90)));
    }
}
