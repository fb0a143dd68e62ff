//! Columns of all incidents in memory, in `(start, id)` order.

use rustc_hash::FxHashMap;

use super::chunk::{Chunk, ChunkRow, Key};
use crate::domain::{IncidentId, SourceId, incident::Summary};

/// Start that stands for a missing incident. No incident starts then; see [`crate::domain::time::Timestamp::MIN`].
const NOWHERE: i64 = i64::MIN;

/// Current position of a row. Any change of the columns may move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowPosition {
    pub(super) chunk: usize,
    pub(super) row: usize,
}

/// The columns of all incidents. Chunks are never empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    chunks: Vec<Chunk>,
    /// Starts of incidents by id. Ids are dense, because they are assigned consecutively.
    starts: Vec<i64>,
    source_numbers: FxHashMap<SourceId, u32>,
    len: u64,
}

impl Columns {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Returns the number that stands for a source in the rows. `None` if the source never had an incident.
    pub(super) fn source_number(&self, source: SourceId) -> Option<u32> {
        self.source_numbers.get(&source).copied()
    }

    /// Returns the sources in the order of their numbers.
    pub(super) fn source_ids(&self) -> Vec<SourceId> {
        let mut sources: Vec<_> = self.source_numbers.iter().map(|(&source, &number)| (number, source)).collect();
        sources.sort_unstable_by_key(|(number, _)| *number);
        sources.into_iter().map(|(_, source)| source).collect()
    }

    pub(super) fn key(&self, id: IncidentId) -> Option<Key> {
        let start = *self.starts.get(index(id)?)?;
        (start != NOWHERE).then_some(Key { start, id: id.0 })
    }

    pub(super) fn place(&self, id: IncidentId) -> Option<RowPosition> {
        let key = self.key(id)?;
        let chunk = self.chunk_of(key);
        let row = self.chunks.get(chunk)?.find(key)?;
        Some(RowPosition { chunk, row })
    }

    /// Returns the position of the first row at or after `key`: behind the last row of a chunk if `key` falls between
    /// two chunks.
    pub(super) fn place_of(&self, key: Key) -> RowPosition {
        let chunk = self.chunk_of(key);
        let row = self.chunks.get(chunk).map_or(0, |chunk| chunk.rows_before(key));
        RowPosition { chunk, row }
    }

    /// Adds the incident, or replaces its row.
    pub(super) fn put(&mut self, summary: &Summary) {
        let source = self.number_source(summary.source);
        let row = ChunkRow::new(summary, source);
        match self.key(summary.id) {
            Some(old) if old == row.key => {
                let chunk = self.chunk_of(row.key);
                if let Some(chunk) = self.chunks.get_mut(chunk) {
                    chunk.replace(&row);
                }
            }
            Some(_) => {
                self.remove(summary.id);
                self.insert(&row);
            }
            None => self.insert(&row),
        }
    }

    pub(super) fn remove(&mut self, id: IncidentId) {
        let Some(key) = self.key(id) else { return };
        let at = self.chunk_of(key);
        if let Some(chunk) = self.chunks.get_mut(at) {
            if chunk.remove(key) {
                self.len = self.len.saturating_sub(1);
            }
            if chunk.len() == 0 {
                self.chunks.remove(at);
            }
        }
        if let Some(start) = index(id).and_then(|index| self.starts.get_mut(index)) {
            *start = NOWHERE;
        }
    }

    pub(super) fn row(&self, id: IncidentId) -> Option<ChunkRow> {
        let place = self.place(id)?;
        self.chunks.get(place.chunk)?.row(place.row)
    }

    /// Returns all rows in order.
    #[cfg(test)]
    fn rows(&self) -> impl Iterator<Item = ChunkRow> {
        self.chunks.iter().flat_map(|chunk| (0..chunk.len()).filter_map(|row| chunk.row(row)))
    }

    fn insert(&mut self, row: &ChunkRow) {
        let Some(index) = index(row.key.id()) else { return };
        if self.starts.len() <= index {
            self.starts.resize(index + 1, NOWHERE);
        }
        if let Some(start) = self.starts.get_mut(index) {
            *start = row.key.start;
        }
        self.len += 1;

        let mut at = self.chunk_of(row.key);
        if self.chunks.get(at).is_some_and(Chunk::is_full) {
            at = self.make_room(at, row.key);
        }
        if at >= self.chunks.len() {
            at = self.chunks.len();
            self.chunks.push(Chunk::new());
        }
        if let Some(chunk) = self.chunks.get_mut(at) {
            chunk.insert(row);
        }
    }

    /// Makes room for `key` in the full chunk `at`, and returns the index of the chunk that has room.
    fn make_room(&mut self, at: usize, key: Key) -> usize {
        let is_last = at + 1 == self.chunks.len();
        let Some(chunk) = self.chunks.get_mut(at) else { return at };
        if is_last && chunk.last().is_some_and(|last| last < key) {
            // The usual case: new incidents are added at the end, and full chunks stay full.
            return at + 1;
        }
        let upper = chunk.split();
        let goes_up = upper.first().is_some_and(|first| first <= key);
        self.chunks.insert(at + 1, upper);
        at + usize::from(goes_up)
    }

    /// Returns the index of the chunk that contains `key` or would get it.
    fn chunk_of(&self, key: Key) -> usize {
        self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first <= key)).saturating_sub(1)
    }

    fn number_source(&mut self, source: SourceId) -> u32 {
        let next = self.source_numbers.len() as u32;
        *self.source_numbers.entry(source).or_insert(next)
    }
}

fn index(id: IncidentId) -> Option<usize> {
    usize::try_from(id.0).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{
            event::EventTypeSet,
            incident::{AckedUntil, EndTime},
            severity::Level,
            time::Timestamp,
        },
        search::chunk::ROWS,
    };

    fn summary(start: i64, id: u64) -> Summary {
        Summary {
            start: Timestamp::from_micros(start).unwrap(),
            id: IncidentId(id),
            end: EndTime::Infinity,
            acked_until: AckedUntil::Never,
            source: SourceId(id % 3),
            level: Level::HIGH,
            has_ticket: false,
            event_types: EventTypeSet::default(),
        }
    }

    fn keys(columns: &Columns) -> Vec<(i64, u64)> {
        columns.rows().map(|row| (row.key.start, row.key.id)).collect()
    }

    #[test]
    fn stays_sorted_over_many_splits() {
        let mut columns = Columns::default();
        let mut expected = Vec::new();
        let n = 4 * ROWS as u64;
        for id in 1..=n {
            let start = (id * 7_919 % n) as i64;
            columns.put(&summary(start, id));
            expected.push((start, id));
        }
        expected.sort_unstable();
        assert_eq!(keys(&columns), expected);
        assert_eq!(columns.len(), n);
        for &(start, id) in &expected {
            let place = columns.place(IncidentId(id)).unwrap();
            assert_eq!(columns.chunks()[place.chunk].key(place.row), Some(Key { start, id }));
        }
    }

    #[test]
    fn appending_leaves_full_chunks() {
        let mut columns = Columns::default();
        for id in 1..=2 * ROWS as u64 {
            columns.put(&summary(5, id));
        }
        assert_eq!(columns.chunks().iter().map(Chunk::len).collect::<Vec<_>>(), [ROWS, ROWS]);
    }

    #[test]
    fn a_new_start_moves_the_row() {
        let mut columns = Columns::default();
        columns.put(&summary(1, 1));
        columns.put(&summary(2, 2));
        columns.put(&summary(3, 1));
        assert_eq!(keys(&columns), [(2, 2), (3, 1)]);
        assert_eq!(columns.len(), 2);
    }

    proptest! {
        #[test]
        fn holds_what_a_map_holds(steps in prop::collection::vec((1u64..40, 0i64..20, 0u8..4), 0..200)) {
            let mut columns = Columns::default();
            let mut model = BTreeMap::new();
            for (id, start, step) in steps {
                if step == 0 {
                    columns.remove(IncidentId(id));
                    model.remove(&id);
                } else {
                    columns.put(&summary(start, id));
                    model.insert(id, start);
                }
                let mut expected: Vec<_> = model.iter().map(|(&id, &start)| (start, id)).collect();
                expected.sort_unstable();
                prop_assert_eq!(keys(&columns), expected);
                prop_assert_eq!(columns.len(), model.len() as u64);
            }
        }
    }
}
