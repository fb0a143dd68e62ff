//! Planned maintenance: everybody reads it, staff writes it (contract section 18).

use std::sync::Arc;

use super::{Caller, Model, NotificationRefusal, Refusal, Service, ServiceError, policy::Action};
use crate::domain::{
    directory::Directory,
    draft::{check_length, check_uses},
    ids::{FilterId, MaintenanceId},
    limits::{FILTER_USES_IN_MAINTENANCE, MAINTENANCE_DESCRIPTION, MAINTENANCES},
    maintenance::Maintenance,
    time::Timestamp,
};

#[derive(Clone, Debug)]
pub struct NewMaintenance {
    /// `None`: now.
    pub start: Option<Timestamp>,
    /// `None`: until somebody ends it.
    pub end: Option<Timestamp>,
    pub description: String,
    /// Anybody's.
    pub filters: Vec<FilterId>,
}

/// What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct MaintenanceEdit {
    pub start: Option<Timestamp>,
    pub end: Option<Option<Timestamp>>,
    pub description: Option<String>,
    pub filters: Option<Vec<FilterId>>,
}

impl Service {
    pub async fn create_maintenance(
        &self,
        caller: &Caller,
        new: NewMaintenance,
    ) -> Result<Arc<Maintenance>, ServiceError> {
        caller.require(Action::PlanMaintenance)?;
        check_length("description", MAINTENANCE_DESCRIPTION, Some(&new.description))?;
        let created_by = caller.id();
        let maintenance = self
            .store()
            .write(Some(created_by), move |command| {
                let now = command.now();
                if command.directory().maintenances.len() >= MAINTENANCES {
                    return Err(NotificationRefusal::TooManyMaintenances(MAINTENANCES).into());
                }
                let mut maintenance = Maintenance {
                    id: MaintenanceId(0),
                    created_by,
                    created: now,
                    start: new.start.unwrap_or(now),
                    end: new.end,
                    description: new.description,
                    filters: known_filters(new.filters, command.directory())?,
                };
                check_order(&maintenance)?;
                check_filters(command.directory(), now, None, &maintenance)?;
                maintenance.id = command.new_maintenance_id();
                command.put_maintenance(maintenance.clone());
                Ok::<_, ServiceError>(maintenance)
            })
            .await?;
        Ok(Arc::new(maintenance))
    }

    pub async fn edit_maintenance(
        &self,
        caller: &Caller,
        id: MaintenanceId,
        edit: MaintenanceEdit,
    ) -> Result<Arc<Maintenance>, ServiceError> {
        caller.require(Action::PlanMaintenance)?;
        check_length("description", MAINTENANCE_DESCRIPTION, edit.description.as_deref())?;
        let maintenance = self
            .store()
            .write(Some(caller.id()), move |command| {
                let (now, directory) = (command.now(), command.directory());
                let before = directory.maintenances.get(&id).cloned().ok_or(UNKNOWN)?;
                if before.is_over(now) {
                    return Err(NotificationRefusal::MaintenanceOver.into());
                }
                let mut after = Maintenance::clone(&before);
                if let Some(start) = edit.start.filter(|start| *start != before.start) {
                    if before.has_started(now) {
                        return Err(NotificationRefusal::MaintenanceStarted.into());
                    }
                    after.start = start;
                }
                after.end = edit.end.unwrap_or(after.end);
                after.description = edit.description.unwrap_or(after.description);
                if let Some(filters) = edit.filters {
                    after.filters = known_filters(filters, directory)?;
                }
                check_order(&after)?;
                if after == *before {
                    return Ok(before);
                }
                check_filters(directory, now, Some(&before), &after)?;
                command.put_maintenance(after.clone());
                Ok::<_, ServiceError>(Arc::new(after))
            })
            .await?;
        Ok(maintenance)
    }

    /// Ends now what has begun, and deletes what lies ahead; whether it was deleted.
    pub async fn cancel_maintenance(&self, caller: &Caller, id: MaintenanceId) -> Result<bool, ServiceError> {
        caller.require(Action::PlanMaintenance)?;
        let deleted = self
            .store()
            .write(Some(caller.id()), move |command| {
                let now = command.now();
                let before = command.directory().maintenances.get(&id).cloned().ok_or(UNKNOWN)?;
                if !before.has_started(now) {
                    command.delete_maintenance(id);
                    return Ok(true);
                }
                if before.end.is_some_and(|end| end <= now) {
                    return Err(NotificationRefusal::MaintenanceEnded.into());
                }
                // An end is after the start, even if that is this very moment.
                let end = now.max(before.start.saturating_add_micros(1));
                command.put_maintenance(Maintenance { end: Some(end), ..Maintenance::clone(&before) });
                Ok::<_, ServiceError>(false)
            })
            .await?;
        Ok(deleted)
    }

    /// Only what lies ahead.
    pub async fn delete_maintenance(&self, caller: &Caller, id: MaintenanceId) -> Result<(), ServiceError> {
        caller.require(Action::PlanMaintenance)?;
        self.store()
            .write(Some(caller.id()), move |command| {
                let maintenance = command.directory().maintenances.get(&id).ok_or(UNKNOWN)?;
                if maintenance.has_started(command.now()) {
                    return Err(NotificationRefusal::MaintenanceNotAhead.into());
                }
                command.delete_maintenance(id);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }
}

const UNKNOWN: ServiceError = ServiceError::NotFound(Model::Maintenance);

/// In order, none twice.
fn known_filters(filters: Vec<FilterId>, directory: &Directory) -> Result<Vec<FilterId>, Refusal> {
    let mut known = Vec::with_capacity(filters.len());
    for id in filters {
        if !directory.filters.contains_key(&id) {
            return Err(Refusal::UnknownKey { field: "filters", pk: id.0 });
        }
        if !known.contains(&id) {
            known.push(id);
        }
    }
    Ok(known)
}

/// What is over does not count.
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

fn check_order(maintenance: &Maintenance) -> Result<(), NotificationRefusal> {
    if maintenance.end.is_none_or(|end| maintenance.start < end) {
        return Ok(());
    }
    Err(NotificationRefusal::MaintenanceEndsBeforeStart)
}
