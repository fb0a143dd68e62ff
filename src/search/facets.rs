//! Counts for all choices of a filter, in one pass over the columns.

use super::{
    Search, SearchError,
    chunk::{Chunk, ROWS, STATELESS},
    columns::Columns,
    conditions::Conditions,
    walk::{ColumnWalk, ones},
};
use crate::domain::{Criteria, Directory, EventType, EventTypeSet, Level, SourceId, Timestamp};

/// Numbers of incidents for each choice of a filter. Each group is counted as if the criteria did not mention it, so
/// that a choice shows what it would find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// Number of incidents that match the criteria.
    pub matching: u64,
    /// From level 1 to level 5.
    pub by_level: [u64; 5],
    /// Sources with incidents, the most frequent first. Like `by_source_type`, counted without the criteria's sources.
    pub by_source: Vec<(SourceId, u64)>,
    pub by_source_type: Vec<(String, u64)>,
    pub open: u64,
    pub closed: u64,
    pub stateless: u64,
    pub acked: u64,
    pub unacked: u64,
    pub with_ticket: u64,
    pub without_ticket: u64,
    /// Incidents with an event of the type, so an incident may count for several types.
    pub by_event_type: Vec<(EventType, u64)>,
}

impl Search {
    /// Counts all choices. Blocks: for blocking threads.
    pub fn facets(&self, criteria: &Criteria, now: Timestamp) -> Result<Facets, SearchError> {
        let rest = without_all(criteria);
        let set = self.inner.narrowed(&rest, now)?;
        let directory = self.inner.store.directory();
        let loaded = self.inner.columns();
        let walk = ColumnWalk::new(&loaded.columns, &rest, set.as_ref(), now);
        Ok(count(&walk, criteria, &loaded.columns, &directory, now))
    }
}

/// Counts all choices. `walk` has the criteria without those of any group; see [`without_all`].
pub(super) fn count(
    walk: &ColumnWalk<'_>,
    criteria: &Criteria,
    columns: &Columns,
    directory: &Directory,
    now: Timestamp,
) -> Facets {
    let mut count = Count::new(criteria, columns, now);
    let mut mask = [0; ROWS];
    for (at, chunk) in walk.chunks() {
        if count.is_possible(chunk)
            && let Some((chunk, matches)) = walk.look(at, &mut mask)
        {
            count.add(chunk, matches);
        }
    }
    count.finish(columns, directory)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Level,
    Source,
    State,
    Acked,
    Ticket,
    EventTypes,
}

impl Group {
    const ALL: [Self; 6] = [Self::Level, Self::Source, Self::State, Self::Acked, Self::Ticket, Self::EventTypes];

    /// Returns the part of the criteria that concerns this group. `None` if there is none.
    fn part_of(self, criteria: &Criteria) -> Option<Criteria> {
        let mut part = Criteria::default();
        match self {
            Self::Level => (part.levels, part.max_level) = (criteria.levels, criteria.max_level),
            Self::Source => part.sources.clone_from(&criteria.sources),
            Self::State => (part.open, part.stateful) = (criteria.open, criteria.stateful),
            Self::Acked => part.acked = criteria.acked,
            Self::Ticket => part.has_ticket = criteria.has_ticket,
            Self::EventTypes => part.event_types.clone_from(&criteria.event_types),
        }
        (part != Criteria::default()).then_some(part)
    }
}

/// Returns the criteria without those of any group.
pub(super) fn without_all(criteria: &Criteria) -> Criteria {
    Criteria {
        open: None,
        stateful: None,
        acked: None,
        has_ticket: None,
        sources: None,
        max_level: None,
        levels: None,
        event_types: Vec::new(),
        ..criteria.clone()
    }
}

struct Count {
    now: i64,
    conditions: Vec<(Group, Conditions)>,
    /// For each condition, 1 for each row that meets it.
    met: Vec<Vec<u8>>,
    /// For each row, the number of conditions that it does not meet.
    failed: Vec<u8>,
    mask: Vec<u8>,
    /// Counts by source number; in two halves, so that a row need not wait for the one before it.
    sources: [Vec<u32>; 2],
    facets: Facets,
}

impl Count {
    fn new(criteria: &Criteria, columns: &Columns, now: Timestamp) -> Self {
        let parts = Group::ALL.into_iter().filter_map(|group| Some((group, group.part_of(criteria)?)));
        let conditions: Vec<_> = parts.map(|(group, part)| (group, Conditions::new(&part, columns, now))).collect();
        let sources = vec![0; columns.source_ids().len()];
        Self {
            now: now.micros(),
            met: vec![vec![0; ROWS]; conditions.len()],
            conditions,
            failed: vec![0; ROWS],
            mask: vec![0; ROWS],
            sources: [sources.clone(), sources],
            facets: Facets { by_event_type: EventType::ALL.map(|kind| (kind, 0)).to_vec(), ..Facets::default() },
        }
    }

    /// Returns whether rows of the chunk can count. A row that fails two conditions counts in no group.
    fn is_possible(&self, chunk: &Chunk) -> bool {
        self.conditions.iter().filter(|(_, conditions)| !conditions.possible(&chunk.bounds)).count() < 2
    }

    fn add(&mut self, chunk: &Chunk, matches: &[u8]) {
        self.judge(chunk);
        let mut mask = std::mem::take(&mut self.mask);
        mask.clear();
        mask.extend(matches.iter().zip(&self.failed).map(|(set, failed)| set & u8::from(*failed == 0)));
        self.facets.matching += ones(&mask);
        for group in Group::ALL {
            let at = self.conditions.iter().position(|(conditioned, _)| *conditioned == group);
            match at.and_then(|at| self.met.get(at)) {
                None => self.tally(group, chunk, &mask),
                Some(met) => {
                    // Rows that fail no other condition.
                    let rows = matches.iter().zip(met).zip(&self.failed);
                    let own: Vec<u8> = rows.map(|((set, met), failed)| set & u8::from(met + failed == 1)).collect();
                    self.tally(group, chunk, &own);
                }
            }
        }
        self.mask = mask;
    }

    fn judge(&mut self, chunk: &Chunk) {
        self.failed.fill(0);
        for ((_, conditions), met) in self.conditions.iter().zip(&mut self.met) {
            let possible = conditions.possible(&chunk.bounds);
            met.fill(u8::from(possible));
            if possible {
                conditions.apply(chunk, met);
            }
            for (failed, met) in self.failed.iter_mut().zip(met.iter()) {
                *failed += 1 - met;
            }
        }
    }

    fn tally(&mut self, group: Group, chunk: &Chunk, mask: &[u8]) {
        let (facets, now) = (&mut self.facets, self.now);
        let all = ones(mask);
        match group {
            Group::Level => {
                for (count, level) in facets.by_level.iter_mut().zip(Level::ALL) {
                    *count += count_of(mask, &chunk.levels, |other| other == level.get());
                }
            }
            Group::Source => {
                let [even, odd] = &mut self.sources;
                for (rows, sources) in mask.chunks(2).zip(chunk.sources.chunks(2)) {
                    note(even, rows.first(), sources.first());
                    note(odd, rows.get(1), sources.get(1));
                }
            }
            Group::State => {
                let stateless = count_of(mask, &chunk.ends, |end| end == STATELESS);
                let open = count_of(mask, &chunk.ends, |end| end > now);
                facets.stateless += stateless;
                facets.open += open;
                facets.closed += all.saturating_sub(stateless + open);
            }
            Group::Acked => {
                let acked = count_of(mask, &chunk.acked_until, |until| until > now);
                facets.acked += acked;
                facets.unacked += all.saturating_sub(acked);
            }
            Group::Ticket => {
                let with = count_of(mask, &chunk.tickets, |ticket| ticket != 0);
                facets.with_ticket += with;
                facets.without_ticket += all.saturating_sub(with);
            }
            Group::EventTypes => {
                for (kind, count) in &mut facets.by_event_type {
                    let bits = [*kind].into_iter().collect::<EventTypeSet>().bits();
                    if chunk.bounds.event_types & bits != 0 {
                        *count += count_of(mask, &chunk.event_types, |types| types & bits != 0);
                    }
                }
            }
        }
    }

    fn finish(self, columns: &Columns, directory: &Directory) -> Facets {
        let mut facets = self.facets;
        let [even, odd] = self.sources;
        let mut types: Vec<(String, u64)> = Vec::new();
        for (id, (even, odd)) in columns.source_ids().into_iter().zip(even.into_iter().zip(odd)) {
            let count = u64::from(even) + u64::from(odd);
            if count == 0 {
                continue;
            }
            facets.by_source.push((id, count));
            let Some(source) = directory.sources.get(&id) else { continue };
            match types.iter_mut().find(|(name, _)| *name == source.source_type) {
                Some((_, of_type)) => *of_type += count,
                None => types.push((source.source_type.clone(), count)),
            }
        }
        facets.by_source.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
        types.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        facets.by_source_type = types;
        facets
    }
}

fn note(counts: &mut [u32], set: Option<&u8>, source: Option<&u32>) {
    if let (Some(&set), Some(&source)) = (set, source)
        && let Some(count) = counts.get_mut(source as usize)
    {
        *count += u32::from(set);
    }
}

fn count_of<T: Copy>(mask: &[u8], column: &[T], wanted: impl Fn(T) -> bool) -> u64 {
    // In blocks of 128, as in `ones`.
    let blocks = mask.chunks(128).zip(column.chunks(128));
    let count = |(mask, column): (&[u8], &[T])| {
        u64::from(mask.iter().zip(column).map(|(set, &value)| set & u8::from(wanted(value))).sum::<u8>())
    };
    blocks.map(count).sum()
}
