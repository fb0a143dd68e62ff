//! Sort keys of rows as numbers.

use std::collections::BTreeSet;

use super::{
    chunk::{Chunk, ChunkBounds},
    columns::Columns,
    sort::SortColumn,
    walk::ColumnWalk,
};
use crate::domain::{Criteria, Directory, IncidentId, SourceId, filter::fold};

const HAS_TICKET: i64 = 0;
const NO_TICKET: i64 = 1;

/// Ranks of rows by one column.
#[derive(Debug)]
pub(super) enum Ranks {
    Id,
    End { from: i64, to: i64 },
    Level { wanted: u8 },
    Ticket { wanted: Option<bool> },
    Source(Box<SourceRanks>),
}

/// Ranks of sources, by their numbers in the columns.
#[derive(Debug)]
pub(super) struct SourceRanks {
    ranks: Vec<i64>,
    ids: Vec<SourceId>,
    /// Lowest and highest rank of the sources of each bit of [`ChunkBounds::sources`].
    of_bits: [Option<(i64, i64)>; 64],
}

impl Ranks {
    /// Creates the ranks of a column. `None` for the start, by which the columns are sorted already.
    pub(super) fn new(
        column: SortColumn,
        criteria: &Criteria,
        walk: &ColumnWalk<'_>,
        columns: &Columns,
        directory: &Directory,
    ) -> Option<Self> {
        Some(match column {
            SortColumn::Start => return None,
            SortColumn::Id => Self::Id,
            SortColumn::End => {
                let ends = walk.conditions().ends();
                Self::End { from: *ends.start(), to: *ends.end() }
            }
            SortColumn::Level => Self::Level { wanted: walk.conditions().levels() },
            SortColumn::Ticket => Self::Ticket { wanted: criteria.has_ticket },
            SortColumn::Source => Self::Source(Box::new(SourceRanks::new(criteria, columns, |id| {
                directory.sources.get(&id).map(|source| (fold(&source.name), source.name.clone(), id))
            }))),
            SortColumn::SourceType => Self::Source(Box::new(SourceRanks::new(criteria, columns, |id| {
                directory.sources.get(&id).map(|source| source.source_type.clone())
            }))),
        })
    }

    /// Returns the lowest and the highest rank that a matching row in a chunk may have.
    pub(super) fn bounds(&self, bounds: &ChunkBounds) -> (i64, i64) {
        match self {
            Self::Id => (bounds.min_id as i64, bounds.max_id as i64),
            // If no row matches, the result does not matter.
            Self::End { from, to } => bounds.ends_within(*from, *to).unwrap_or((*from, *to)),
            Self::Level { wanted } => {
                let levels = bounds.levels & wanted;
                (i64::from(levels.trailing_zeros()), i64::from(7 - levels.leading_zeros().min(7)))
            }
            Self::Ticket { wanted } => (
                if bounds.some_ticket && *wanted != Some(false) { HAS_TICKET } else { NO_TICKET },
                if bounds.some_without_ticket && *wanted != Some(true) { NO_TICKET } else { HAS_TICKET },
            ),
            Self::Source(sources) => {
                let (mut low, mut high) = (i64::MAX, i64::MIN);
                for (bit, range) in sources.of_bits.iter().enumerate() {
                    if let Some((min, max)) = range
                        && bounds.sources >> bit & 1 == 1
                    {
                        (low, high) = (low.min(*min), high.max(*max));
                    }
                }
                (low, high)
            }
        }
    }

    pub(super) fn of_row(&self, chunk: &Chunk, row: usize) -> Option<i64> {
        Some(match self {
            Self::Id => *chunk.ids.get(row)? as i64,
            Self::End { .. } => *chunk.ends.get(row)?,
            Self::Level { .. } => i64::from(*chunk.levels.get(row)?),
            Self::Ticket { .. } => of_ticket(*chunk.tickets.get(row)?),
            Self::Source(sources) => sources.rank(*chunk.sources.get(row)?),
        })
    }

    /// Sets the mask to 0 for rows whose rank is outside of `low..=high`.
    pub(super) fn keep(&self, chunk: &Chunk, mask: &mut [u8], low: i64, high: i64) {
        match self {
            Self::Id => keep(mask, &chunk.ids, low, high, |id| id as i64),
            Self::End { .. } => keep(mask, &chunk.ends, low, high, |end| end),
            Self::Level { .. } => {
                // As bytes, because many of them are compared at once.
                let (low, high) = (low.clamp(0, 255) as u8, high.clamp(0, 255) as u8);
                for (mask, &level) in mask.iter_mut().zip(&chunk.levels) {
                    *mask &= u8::from(level >= low) & u8::from(level <= high);
                }
            }
            Self::Ticket { .. } => keep(mask, &chunk.tickets, low, high, of_ticket),
            Self::Source(sources) => keep(mask, &chunk.sources, low, high, |source| sources.rank(source)),
        }
    }

    /// Converts a rank to the value that a cursor stores. For sources this is the id, because ranks among names change.
    pub(super) fn stable(&self, rank: i64, columns: &Columns, id: u64) -> i64 {
        match self {
            Self::Source(sources) => {
                let row = columns.row(IncidentId(id));
                let source = row.and_then(|row| sources.ids.get(row.source as usize).copied());
                source.map_or(0, |source| source.0 as i64)
            }
            _ => rank,
        }
    }

    /// Converts the value of a cursor back to a rank. `None` if the source has no rows in the columns.
    pub(super) fn ranked_as(&self, stable: i64, columns: &Columns) -> Option<i64> {
        match self {
            Self::Source(sources) => {
                let source = SourceId(u64::try_from(stable).ok()?);
                Some(sources.rank(columns.source_number(source)?))
            }
            _ => Some(stable),
        }
    }
}

impl SourceRanks {
    /// Ranks sources by `name`. Sources without a name come last.
    fn new<N: Ord>(criteria: &Criteria, columns: &Columns, name: impl Fn(SourceId) -> Option<N>) -> Self {
        let ids = columns.source_ids();
        let names: Vec<Option<N>> = ids.iter().map(|&id| name(id)).collect();
        let distinct: BTreeSet<&N> = names.iter().flatten().collect();
        let distinct: Vec<&N> = distinct.into_iter().collect();
        let rank = |name: &Option<N>| match name {
            Some(name) => distinct.partition_point(|other| *other < name) as i64,
            None => distinct.len() as i64,
        };
        let ranks: Vec<i64> = names.iter().map(rank).collect();
        let mut of_bits = [None; 64];
        for ((number, &id), &rank) in ids.iter().enumerate().zip(&ranks) {
            if criteria.sources.as_ref().is_some_and(|wanted| !wanted.contains(&id)) {
                continue;
            }
            if let Some(range) = of_bits.get_mut(number % 64) {
                let (low, high): (i64, i64) = range.unwrap_or((rank, rank));
                *range = Some((low.min(rank), high.max(rank)));
            }
        }
        Self { ranks, ids, of_bits }
    }

    fn rank(&self, number: u32) -> i64 {
        self.ranks.get(number as usize).copied().unwrap_or(i64::MAX)
    }
}

fn of_ticket(ticket: u8) -> i64 {
    if ticket == 0 { NO_TICKET } else { HAS_TICKET }
}

#[inline]
fn keep<T: Copy>(mask: &mut [u8], column: &[T], low: i64, high: i64, rank: impl Fn(T) -> i64) {
    for (mask, &value) in mask.iter_mut().zip(column) {
        let rank = rank(value);
        *mask &= u8::from(rank >= low) & u8::from(rank <= high);
    }
}
