//! Finds and counts the rows of the columns that match, from newer to older rows or the other way.

use std::cell::Cell;

use super::{
    chunk::{Chunk, Key, ROWS},
    columns::{Columns, RowPosition},
    conditions::Conditions,
    id_set::{Bits, IdSet},
};
use crate::domain::{Criteria, IncidentId, Timestamp};

/// A query of the columns as they are now.
#[derive(Debug)]
pub(super) struct ColumnWalk<'a> {
    columns: &'a Columns,
    conditions: Conditions,
    within: Within<'a>,
    /// Number of chunks that may still be read.
    budget: Cell<usize>,
}

/// The rows that a query is restricted to.
#[derive(Debug)]
enum Within<'a> {
    All,
    /// Positions in ascending order.
    Places(Vec<RowPosition>),
    Bits(&'a Bits),
}

impl<'a> ColumnWalk<'a> {
    /// Creates a query for the incidents in `set`. `None`: all.
    pub(super) fn new(columns: &'a Columns, criteria: &Criteria, set: Option<&'a IdSet>, now: Timestamp) -> Self {
        let within = match set {
            None => Within::All,
            Some(IdSet::Many(bits)) => Within::Bits(bits),
            Some(IdSet::Few(ids)) => {
                let mut places: Vec<RowPosition> = ids.iter().filter_map(|&id| columns.place(IncidentId(id))).collect();
                places.sort_unstable();
                Within::Places(places)
            }
        };
        Self { columns, conditions: Conditions::new(criteria, columns, now), within, budget: Cell::new(usize::MAX) }
    }

    /// Limits the number of chunks that are read; see [`ColumnWalk::is_over_budget`].
    pub(super) fn with_budget(self, chunks: usize) -> Self {
        Self { budget: Cell::new(chunks), ..self }
    }

    /// Returns whether the limit was reached, so that the result may be incomplete.
    pub(super) fn is_over_budget(&self) -> bool {
        self.budget.get() == 0
    }

    /// Returns up to `limit` matching rows before `below`, newest first.
    pub(super) fn older(&self, below: Key, limit: usize) -> Vec<Key> {
        let (low, high) = self.conditions.keys();
        let (low, high) = (self.columns.place_of(low), self.columns.place_of(high.min(below)));
        let mut found = Vec::new();
        let mut mask = [0; ROWS];
        for at in (low.chunk..=high.chunk).rev() {
            let Some((chunk, matches)) = self.matches(at, low, high, &mut mask) else { continue };
            for row in (0..chunk.len()).rev().filter(|&row| is_set(matches, row)) {
                if found.len() == limit {
                    return found;
                }
                found.extend(chunk.key(row));
            }
        }
        found
    }

    /// Returns up to `limit` matching rows after `above`, oldest first.
    pub(super) fn newer(&self, above: Key, limit: usize) -> Vec<Key> {
        let (low, high) = self.conditions.keys();
        let (low, high) = (self.columns.place_of(low.max(above.next())), self.columns.place_of(high));
        let mut found = Vec::new();
        let mut mask = [0; ROWS];
        for at in low.chunk..=high.chunk {
            let Some((chunk, matches)) = self.matches(at, low, high, &mut mask) else { continue };
            for row in (0..chunk.len()).filter(|&row| is_set(matches, row)) {
                if found.len() == limit {
                    return found;
                }
                found.extend(chunk.key(row));
            }
        }
        found
    }

    pub(super) fn count(&self) -> u64 {
        let (low, high) = self.conditions.keys();
        let (low, high) = (self.columns.place_of(low), self.columns.place_of(high));
        let mut mask = [0; ROWS];
        let count = |at| self.matches(at, low, high, &mut mask).map_or(0, |(_, matches)| ones(matches));
        (low.chunk..=high.chunk).map(count).sum()
    }

    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Returns the chunks with rows that may match, with their indexes.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (usize, &'a Chunk)> {
        let (low, high) = self.conditions.keys();
        let (low, high) = (self.columns.place_of(low).chunk, self.columns.place_of(high).chunk);
        let chunks =
            self.columns.chunks().iter().enumerate().skip(low).take(high.saturating_add(1).saturating_sub(low));
        chunks.filter(|(_, chunk)| self.conditions.possible(&chunk.bounds))
    }

    /// Returns a chunk, and a 1 for each row that matches. `None` if none does.
    pub(super) fn look<'m>(&self, at: usize, mask: &'m mut [u8; ROWS]) -> Option<(&'a Chunk, &'m mut [u8])> {
        let (low, high) = self.conditions.keys();
        let (low, high) = (self.columns.place_of(low), self.columns.place_of(high));
        if at < low.chunk || at > high.chunk {
            return None;
        }
        self.matches(at, low, high, mask)
    }

    /// Returns a chunk, and a 1 for each row that matches between the two positions. `None` if none does.
    fn matches<'m>(
        &self,
        at: usize,
        low: RowPosition,
        high: RowPosition,
        mask: &'m mut [u8; ROWS],
    ) -> Option<(&'a Chunk, &'m mut [u8])> {
        let chunk = self.columns.chunks().get(at)?;
        let from = if at == low.chunk { low.row } else { 0 };
        let to = if at == high.chunk { high.row } else { chunk.len() };
        if from >= to || !self.conditions.possible(&chunk.bounds) {
            return None;
        }
        self.budget.set(self.budget.get().saturating_sub(1));
        if self.is_over_budget() {
            return None;
        }
        let mask = mask.get_mut(..chunk.len())?;
        match &self.within {
            Within::All | Within::Bits(_) => {
                mask.fill(0);
                mask.get_mut(from..to)?.fill(1);
            }
            Within::Places(places) => {
                let first = places.partition_point(|place| *place < RowPosition { chunk: at, row: from });
                let mut rows = places.get(first..)?.iter().take_while(|place| place.chunk == at && place.row < to);
                mask.fill(0);
                let mut some = false;
                for place in rows.by_ref() {
                    *mask.get_mut(place.row)? = 1;
                    some = true;
                }
                if !some {
                    return None;
                }
            }
        }
        self.conditions.apply(chunk, mask);
        if let Within::Bits(bits) = self.within {
            for (mask, &id) in mask.iter_mut().zip(&chunk.ids) {
                *mask &= u8::from(bits.contains(id));
            }
        }
        (ones(mask) > 0).then_some((chunk, mask))
    }
}

fn is_set(mask: &[u8], row: usize) -> bool {
    mask.get(row).is_some_and(|&set| set != 0)
}

pub(super) fn ones(mask: &[u8]) -> u64 {
    // Sums of 128 ones fit in a byte, so that many rows are added at once.
    mask.chunks(128).map(|rows| u64::from(rows.iter().sum::<u8>())).sum()
}
