//! Sort columns of lists, and cursors of sorted lists.

use std::fmt;

use crate::domain::{IncidentId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortColumn {
    Start,
    Id,
    /// Stateless, then ended, then open-ended.
    End,
    Level,
    /// By the name of the source, ignoring case.
    Source,
    SourceType,
    /// Incidents with a ticket, then those without.
    Ticket,
}

impl SortColumn {
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Id, Self::End, Self::Level, Self::Source, Self::SourceType, Self::Ticket];

    const fn code(self) -> char {
        match self {
            Self::Start => 's',
            Self::Id => 'i',
            Self::End => 'e',
            Self::Level => 'l',
            Self::Source => 'n',
            Self::SourceType => 't',
            Self::Ticket => 'k',
        }
    }
}

/// An order of a list. Rows with the same value in the column are newest first in both directions; only the column
/// `Start` ascending is the exact reverse of descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    pub column: SortColumn,
    pub descending: bool,
}

impl Default for Sort {
    /// Returns the order by start, newest first.
    fn default() -> Self {
        Self { column: SortColumn::Start, descending: true }
    }
}

/// A position between rows of a list in this order: strictly after the row, or, backwards, strictly before it.
///
/// Its text form needs no escaping in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortedCursor {
    pub(super) sort: Sort,
    /// Value of the row in the column. For sources their id, because ranks among names change.
    pub(super) rank: i64,
    pub(super) start: Timestamp,
    pub(super) id: IncidentId,
    pub(super) backwards: bool,
}

impl SortedCursor {
    /// Returns whether the cursor leads to the rows before it.
    #[must_use]
    pub const fn is_backwards(&self) -> bool {
        self.backwards
    }

    /// Parses a cursor. `None` for texts that [`fmt::Display`] would not write.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut letters = parts.next()?.chars();
        let code = letters.next()?;
        let column = SortColumn::ALL.into_iter().find(|column| column.code() == code)?;
        let descending = either(letters.next()?, 'd', 'a')?;
        let backwards = either(letters.next()?, 'p', 'n')?;
        let rank = parts.next()?.parse().ok()?;
        let start = Timestamp::from_micros(parts.next()?.parse().ok()?)?;
        let id = IncidentId(parts.next()?.parse().ok().filter(|&id| i64::try_from(id).is_ok())?);
        let is_over = letters.next().is_none() && parts.next().is_none();
        is_over.then_some(Self { sort: Sort { column, descending }, rank, start, id, backwards })
    }

    #[must_use]
    pub const fn sort(&self) -> Sort {
        self.sort
    }
}

impl fmt::Display for SortedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sort { column, descending } = self.sort;
        let direction = if descending { 'd' } else { 'a' };
        let side = if self.backwards { 'p' } else { 'n' };
        let (rank, start, id) = (self.rank, self.start.micros(), self.id);
        write!(f, "{}{direction}{side}.{rank}.{start}.{id}", column.code())
    }
}

fn either(letter: char, yes: char, no: char) -> Option<bool> {
    (letter == yes || letter == no).then_some(letter == yes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_can_be_read(
            (column, descending, backwards) in (0..SortColumn::ALL.len(), any::<bool>(), any::<bool>()),
            (rank, start, id) in (any::<i64>(), any::<i64>(), 0..=i64::MAX as u64),
        ) {
            let sort = Sort { column: SortColumn::ALL[column], descending };
            let start = Timestamp::saturating_from_micros(start);
            let cursor = SortedCursor { sort, rank, start, id: IncidentId(id), backwards };
            prop_assert_eq!(SortedCursor::parse(&cursor.to_string()), Some(cursor));
        }

        #[test]
        fn anything_else_is_refused(text in "[a-z0-9.-]{0,30}|\\PC{0,30}") {
            let read = SortedCursor::parse(&text);
            prop_assert!(read.is_none_or(|cursor| SortedCursor::parse(&cursor.to_string()) == Some(cursor)));
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for text in ["", "sdn", "sdn.0.0", "sdn.0.0.1.2", "sdnx.0.0.1", "sdn.0.0.9223372036854775808", "xdn.0.0.1"] {
            assert_eq!(SortedCursor::parse(text), None, "{text}");
        }
        assert_eq!(SortedCursor::parse("sdn.0.9223372036854775807.1"), None, "no moment");
        assert!(SortedCursor::parse("sdn.0.0.1").is_some());
    }
}
