//! Planned maintenance: nobody is notified of incidents that match its filters while it is current (contract section
//! 18).

use std::{ops::Index, sync::Arc};

use imbl::OrdMap;

use super::{
    Action, Directory, FilterId, MaintenanceId, Managed, NotificationRefusal, Refusal, Timestamp, UserId,
    draft::{Draft, check_length, check_uses, require, without_repetitions},
    limits::{FILTER_USES_IN_MAINTENANCE, MAINTENANCE_DESCRIPTION, MAINTENANCE_EDITABLE_FOR, MAINTENANCES},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    pub id: MaintenanceId,
    pub created_by: UserId,
    pub created: Timestamp,
    pub start: Timestamp,
    /// Time after `start`. `None`: until a user ends it.
    pub end: Option<Timestamp>,
    pub description: String,
    /// At least one filter, of any user. An incident has to match all of them.
    pub filters: Vec<FilterId>,
}

impl Maintenance {
    /// Returns whether the maintenance covers the time. Start and end are included.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at <= end)
    }

    #[must_use]
    pub fn has_started(&self, now: Timestamp) -> bool {
        self.start <= now
    }

    /// Returns whether the maintenance ended more than `MAINTENANCE_EDITABLE_FOR` ago, so that it cannot be changed.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        let editable = MAINTENANCE_EDITABLE_FOR.as_micros() as i64;
        self.end.is_some_and(|end| end.saturating_add_micros(editable) < now)
    }
}

/// The requested values of new or changed planned maintenance. `None`: unchanged, or the default of a new one.
#[derive(Clone, Debug, Default)]
pub struct MaintenanceDraft {
    /// Start. Default: now.
    pub start: Option<Timestamp>,
    /// End. `Some(None)`, and the default: until a user ends it.
    pub end: Option<Option<Timestamp>>,
    pub description: Option<String>,
    /// Filters of any user.
    pub filters: Option<Vec<FilterId>>,
}

impl Managed for Maintenance {
    const ACTION: Action = Action::PlanMaintenance;
    const MOST: usize = MAINTENANCES;

    /// Refuses to delete planned maintenance that has started.
    fn check_deletion(&self, _: &Directory, now: Timestamp) -> Result<(), Refusal> {
        if self.has_started(now) { Err(NotificationRefusal::MaintenanceNotAhead.into()) } else { Ok(()) }
    }
}

impl Draft for MaintenanceDraft {
    type Thing = Maintenance;

    fn check(&self) -> Result<(), Refusal> {
        check_length("description", MAINTENANCE_DESCRIPTION, self.description.as_deref())
    }

    fn apply(
        self,
        before: Option<&Maintenance>,
        user: UserId,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Maintenance, Refusal> {
        let mut after = match before {
            Some(before) if before.is_over(now) => return Err(NotificationRefusal::MaintenanceOver.into()),
            Some(before) => before.clone(),
            None if directory.maintenances.len() >= Maintenance::MOST => {
                return Err(NotificationRefusal::TooManyMaintenances(Maintenance::MOST).into());
            }
            None => {
                require("filters", self.filters.as_ref())?;
                let (id, description, filters) = (MaintenanceId(0), String::new(), Vec::new());
                Maintenance { id, created_by: user, created: now, start: now, end: None, description, filters }
            }
        };
        if let Some(start) = self.start.filter(|start| *start != after.start) {
            if before.is_some_and(|before| before.has_started(now)) {
                return Err(NotificationRefusal::MaintenanceStarted.into());
            }
            after.start = start;
        }
        after.end = self.end.unwrap_or(after.end);
        after.description = self.description.unwrap_or(after.description);
        if let Some(filters) = self.filters {
            if let Some(unknown) = filters.iter().find(|id| !directory.filters.contains_key(id)) {
                return Err(Refusal::UnknownKey { field: "filters", pk: unknown.0 });
            }
            after.filters = without_repetitions(filters);
        }
        if after.end.is_some_and(|end| after.start >= end) {
            return Err(NotificationRefusal::MaintenanceEndsBeforeStart.into());
        }
        check_filters(directory, now, before, &after)?;
        Ok(after)
    }
}

/// Checks the number of uses of filters. Planned maintenance that has ended does not count.
fn check_filters(
    directory: &Directory,
    now: Timestamp,
    before: Option<&Maintenance>,
    after: &Maintenance,
) -> Result<(), Refusal> {
    let uses = |maintenance: &Maintenance| {
        if maintenance.end.is_some_and(|end| end < now) { 0 } else { maintenance.filters.len() }
    };
    let all: usize = directory.maintenances.on_or_ahead(now).map(|maintenance| maintenance.filters.len()).sum();
    let what = "filters in all planned maintenance together that is not over";
    check_uses(all, before.map_or(0, uses), uses(after), (what, FILTER_USES_IN_MAINTENANCE))
}

/// All planned maintenance, by id and by end, so that looking for what is current does not read what ended long ago.
#[derive(Clone, Debug, Default)]
pub struct Maintenances {
    by_id: OrdMap<MaintenanceId, Arc<Maintenance>>,
    /// Start times.
    by_end: OrdMap<(EndOrder, MaintenanceId), Timestamp>,
}

/// Sort key of an end. Open-ended planned maintenance comes last.
type EndOrder = (bool, Option<Timestamp>);

fn end_of(maintenance: &Maintenance) -> EndOrder {
    (maintenance.end.is_none(), maintenance.end)
}

impl Maintenances {
    /// Adds or replaces planned maintenance. Returns the replaced one.
    pub fn insert(&mut self, id: MaintenanceId, maintenance: Arc<Maintenance>) -> Option<Arc<Maintenance>> {
        let before = self.remove(&id);
        self.by_end.insert((end_of(&maintenance), id), maintenance.start);
        self.by_id.insert(id, maintenance);
        before
    }

    pub fn remove(&mut self, id: &MaintenanceId) -> Option<Arc<Maintenance>> {
        let before = self.by_id.remove(id)?;
        self.by_end.remove(&(end_of(&before), *id));
        Some(before)
    }

    #[must_use]
    pub fn get(&self, id: &MaintenanceId) -> Option<&Arc<Maintenance>> {
        self.by_id.get(id)
    }

    #[must_use]
    pub fn contains_key(&self, id: &MaintenanceId) -> bool {
        self.by_id.contains_key(id)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Returns the ids in ascending order.
    pub fn keys(&self) -> impl Iterator<Item = &MaintenanceId> {
        self.by_id.keys()
    }

    /// Returns planned maintenance in the order of ids.
    pub fn values(&self) -> impl Iterator<Item = &Arc<Maintenance>> {
        self.by_id.values()
    }

    /// Returns planned maintenance that is current at that time, in the order of ids.
    #[must_use]
    pub fn covering(&self, at: Timestamp) -> Vec<&Arc<Maintenance>> {
        let mut ids: Vec<MaintenanceId> =
            self.not_over(at).filter(|(_, start)| **start <= at).map(|((_, id), _)| *id).collect();
        ids.sort_unstable();
        ids.iter().filter_map(|id| self.by_id.get(id)).collect()
    }

    /// Returns planned maintenance that is current at that time or starts later, in the order of ends.
    pub fn on_or_ahead(&self, at: Timestamp) -> impl Iterator<Item = &Arc<Maintenance>> {
        self.not_over(at).filter_map(|((_, id), _)| self.by_id.get(id))
    }

    fn not_over(&self, at: Timestamp) -> impl Iterator<Item = (&(EndOrder, MaintenanceId), &Timestamp)> {
        self.by_end.range(((false, Some(at)), MaintenanceId(0))..)
    }
}

impl Index<&MaintenanceId> for Maintenances {
    type Output = Arc<Maintenance>;

    fn index(&self, id: &MaintenanceId) -> &Arc<Maintenance> {
        &self.by_id[id]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::saturating_from_micros(micros)
    }

    proptest! {
        #[test]
        fn what_is_on_is_found_by_time(
            edits in proptest::collection::vec((0..6_u64, 0..10_i64, proptest::option::of(1..10_i64), any::<bool>()), 0..30),
        ) {
            let mut maintenances = Maintenances::default();
            for (id, start, length, deletes) in edits {
                let id = MaintenanceId(id);
                if deletes {
                    maintenances.remove(&id);
                    continue;
                }
                let maintenance = Maintenance {
                    id,
                    created_by: UserId(1),
                    created: at(0),
                    start: at(start),
                    end: length.map(|length| at(start + length)),
                    description: String::new(),
                    filters: Vec::new(),
                };
                maintenances.insert(id, Arc::new(maintenance));
            }
            prop_assert_eq!(maintenances.by_id.len(), maintenances.by_end.len());
            for now in (-1..21).map(at) {
                let on: Vec<_> = maintenances.values().filter(|it| it.covers(now)).collect();
                prop_assert_eq!(maintenances.covering(now), on);
            }
        }
    }
}
