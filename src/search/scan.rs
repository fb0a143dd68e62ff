//! Answers queries by reading records, for criteria that neither columns nor the text index can answer.

use std::sync::{PoisonError, RwLock};

use super::{chunk::Key, feed::Loaded, id_set::IdSet, walk::ColumnWalk};
use crate::domain::{Criteria, IncidentId, Timestamp};
use crate::store::{Snapshot, StoreError};

/// Number of rows that are taken from the columns at a time, so that they are not locked for long.
const STEP: usize = 512;

pub(super) struct Scan<'a> {
    pub(super) columns: &'a RwLock<Loaded>,
    pub(super) criteria: &'a Criteria,
    pub(super) set: Option<&'a IdSet>,
    pub(super) now: Timestamp,
    pub(super) snapshot: &'a Snapshot,
}

impl Scan<'_> {
    /// Like [`ColumnWalk::older`].
    pub(super) fn older(&self, below: Key, limit: usize) -> Result<Vec<Key>, StoreError> {
        self.collect(below, limit, |walk, below| walk.older(below, STEP))
    }

    /// Like [`ColumnWalk::newer`].
    pub(super) fn newer(&self, above: Key, limit: usize) -> Result<Vec<Key>, StoreError> {
        self.collect(above, limit, |walk, above| walk.newer(above, STEP))
    }

    pub(super) fn count(&self) -> Result<u64, StoreError> {
        Ok(self.older(Key::LAST, usize::MAX)?.len() as u64)
    }

    fn collect(
        &self,
        mut from: Key,
        limit: usize,
        step: impl Fn(&ColumnWalk<'_>, Key) -> Vec<Key>,
    ) -> Result<Vec<Key>, StoreError> {
        let mut found = Vec::new();
        loop {
            let keys = {
                let loaded = self.columns.read().unwrap_or_else(PoisonError::into_inner);
                step(&ColumnWalk::new(&loaded.columns, self.criteria, self.set, self.now), from)
            };
            for &key in &keys {
                if found.len() == limit {
                    return Ok(found);
                }
                if self.holds(key.id())? {
                    found.push(key);
                }
            }
            match keys.last() {
                Some(&last) if keys.len() == STEP => from = last,
                _ => return Ok(found),
            }
        }
    }

    /// Checks tags, source incident id and texts against the record. False for an incident that is newer than the
    /// snapshot.
    fn holds(&self, id: IncidentId) -> Result<bool, StoreError> {
        let Some(incident) = self.snapshot.incident(id)? else { return Ok(false) };
        let criteria = self.criteria;
        if !criteria.tags.iter().all(|group| group.iter().any(|tag| incident.has_tag(tag)))
            || criteria.source_incident_id.as_ref().is_some_and(|wanted| *wanted != incident.source_incident_id)
        {
            return Ok(false);
        }
        if criteria.words.is_empty() || criteria.words_match([incident.description.as_str()]) {
            return Ok(true);
        }
        let events = self.snapshot.events_of(id)?;
        let texts = events.iter().map(|event| event.description.as_str());
        Ok(criteria.words_match(texts.chain([incident.description.as_str()])))
    }
}
