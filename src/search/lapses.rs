//! Times at which incidents change without an event: ends, expirations, and starts that leave a time frame.

use std::collections::BinaryHeap;

use super::{
    Search,
    chunk::{Chunk, INFINITY, Key},
    columns::Columns,
};
use crate::domain::{IncidentId, Timestamp};

impl Search {
    /// Returns the first `limit` ends and expirations of acknowledgements after `after`, in order. Takes one pass over
    /// the columns that skips chunks without any.
    #[must_use]
    pub fn lapses(&self, after: Timestamp, limit: usize) -> Vec<(Timestamp, IncidentId)> {
        lapses(&self.inner.columns().columns, after.micros(), limit)
    }

    /// Returns the last end or expiration up to `until`, or [`Timestamp::MIN`] if there is none.
    #[must_use]
    pub fn last_lapse(&self, until: Timestamp) -> Timestamp {
        let mut last = i64::MIN;
        for chunk in self.inner.columns().columns.chunks() {
            let passed = |at: &&i64| **at <= until.micros();
            let ends = chunk.ends.iter().filter(passed).max();
            let expirations = chunk.acked_until.iter().filter(passed).max();
            last = ends.into_iter().chain(expirations).copied().fold(last, i64::max);
        }
        Timestamp::saturating_from_micros(last)
    }

    /// Returns the first start of an incident after `after`.
    #[must_use]
    pub fn start_after(&self, after: Timestamp) -> Option<Timestamp> {
        let loaded = self.inner.columns();
        let place = loaded.columns.place_of(Key { start: after.micros().saturating_add(1), id: 0 });
        let chunks = loaded.columns.chunks();
        let key = chunks.get(place.chunk)?.key(place.row).or_else(|| chunks.get(place.chunk + 1)?.first())?;
        Some(key.start())
    }
}

fn lapses(columns: &Columns, after: i64, limit: usize) -> Vec<(Timestamp, IncidentId)> {
    let mut first: BinaryHeap<(i64, u64)> = BinaryHeap::new();
    for chunk in columns.chunks().iter().filter(|chunk| has_later(chunk, after)) {
        for column in [&chunk.ends, &chunk.acked_until] {
            for (at, id) in column.iter().zip(&chunk.ids) {
                let is_near = first.len() < limit || first.peek().is_some_and(|last| (*at, *id) < *last);
                if *at > after && *at < INFINITY && is_near {
                    first.push((*at, *id));
                    if first.len() > limit {
                        first.pop();
                    }
                }
            }
        }
    }
    let first = first.into_sorted_vec().into_iter();
    first.map(|(at, id)| (Timestamp::saturating_from_micros(at), IncidentId(id))).collect()
}

fn has_later(chunk: &Chunk, after: i64) -> bool {
    chunk.bounds.max_acked > after || chunk.bounds.ends_within(after.saturating_add(1), INFINITY - 1).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::domain::{
        event::EventTypeSet,
        ids::SourceId,
        incident::{AckedUntil, EndTime, Summary},
        severity::Level,
    };

    fn at(micros: i64) -> Timestamp {
        Timestamp::saturating_from_micros(micros)
    }

    fn moment() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![Just(None), (0..50_i64).prop_map(Some), Just(Some(i64::MAX))]
    }

    proptest! {
        #[test]
        fn the_first_moments_are_those_of_a_look_at_all(
            rows in vec((1..30_u64, 0..50_i64, moment(), moment()), 0..60),
            after in 0..50_i64,
            limit in 1..20_usize,
        ) {
            let mut columns = Columns::default();
            let mut all = std::collections::BTreeMap::new();
            for (id, start, end, acked) in rows {
                let end = end.map_or(EndTime::Stateless, |end| if end == i64::MAX { EndTime::Infinity } else { EndTime::At(at(end)) });
                let acked_until =
                    acked.map_or(AckedUntil::Never, |it| if it == i64::MAX { AckedUntil::Forever } else { AckedUntil::At(at(it)) });
                let summary = Summary {
                    start: at(start),
                    id: IncidentId(id),
                    end,
                    acked_until,
                    source: SourceId(1),
                    level: Level::HIGH,
                    has_ticket: false,
                    event_types: EventTypeSet::default(),
                };
                columns.put(&summary);
                all.insert(id, summary);
            }
            let mut expected = Vec::new();
            for summary in all.values() {
                if let EndTime::At(end) = summary.end {
                    expected.push((end, summary.id));
                }
                if let AckedUntil::At(expiration) = summary.acked_until {
                    expected.push((expiration, summary.id));
                }
            }
            expected.retain(|(moment, _)| *moment > at(after));
            expected.sort_unstable();
            expected.truncate(limit);
            prop_assert_eq!(lapses(&columns, after, limit), expected);
        }
    }
}
