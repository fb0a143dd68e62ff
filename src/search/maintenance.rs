//! Incidents that planned maintenance in progress covers: those that match all filters of one maintenance.

use rustc_hash::FxHashMap;

use super::{
    SearchError, SearchState,
    chunk::Key,
    id_set::{Collector, IdSet},
    walk::ColumnWalk,
};
use crate::domain::{Criteria, Directory, FilterId, Timestamp, limits::MAINTENANCE_FILTERS_SEARCHED};

impl SearchState {
    /// Returns the incidents that are covered at `now`, or all others if `wanted` is false. Each filter is searched for
    /// once.
    pub(super) fn under_maintenance(&self, wanted: bool, now: Timestamp) -> Result<IdSet, SearchError> {
        let directory = self.store.directory();
        let mut known: FxHashMap<FilterId, IdSet> = FxHashMap::default();
        let mut covered = Collector::default();
        for task in directory.maintenances.covering(now) {
            let mut by_all: Option<IdSet> = None;
            for id in &task.filters {
                let Some(criteria) = criteria_of(*id, &directory) else { continue };
                if !known.contains_key(id) {
                    if known.len() == MAINTENANCE_FILTERS_SEARCHED {
                        return Err(SearchError::TooManyFilters(MAINTENANCE_FILTERS_SEARCHED));
                    }
                    known.insert(*id, self.all_matching(&criteria, now)?);
                }
                let Some(by_one) = known.get(id).cloned() else { continue };
                by_all = Some(match by_all {
                    Some(by_others) => by_others.intersect(by_one),
                    None => by_one,
                });
            }
            if let Some(ids) = by_all {
                ids.for_each(|id| covered.add(id));
            }
        }
        let covered = covered.finish();
        if wanted {
            return Ok(covered);
        }
        let loaded = self.columns();
        let all = loaded.columns.chunks().iter().flat_map(|chunk| chunk.ids.iter().copied());
        Ok(all.filter(|id| !covered.contains(*id)).collect())
    }

    fn all_matching(&self, criteria: &Criteria, now: Timestamp) -> Result<IdSet, SearchError> {
        let set = self.narrowed(criteria, now)?;
        let keys = ColumnWalk::new(&self.columns().columns, criteria, set.as_ref(), now).older(Key::LAST, usize::MAX);
        Ok(keys.into_iter().map(|key| key.id).collect())
    }
}

/// Returns the criteria of a filter. `None` if it does not exist; maintenance then ignores it.
fn criteria_of(id: FilterId, directory: &Directory) -> Option<Criteria> {
    let blob = &directory.filters.get(&id)?.blob;
    // An empty filter matches nothing, whatever the fallback filter sets.
    if blob.is_empty() {
        return Some(Criteria::nothing());
    }
    // Maintenance ignores types of events (contract section 18).
    Some(Criteria { event_types: Vec::new(), ..blob.or(&directory.settings.fallback).to_criteria(directory) })
}
