//! Planned maintenance: everybody reads it, staff writes it (contract section 18).

use std::sync::Arc;

use crate::{
    domain::{
        ids::MaintenanceId,
        maintenance::{Maintenance, MaintenanceDraft},
    },
    service::{
        Caller, Model, NotificationRefusal, Notifications, ServiceError, configuration::Drafted, policy::Action,
    },
};

impl Drafted for Maintenance {
    const MODEL: Model = Model::Maintenance;
}

impl Notifications {
    pub async fn create_maintenance(
        &self,
        caller: &Caller,
        draft: MaintenanceDraft,
    ) -> Result<Arc<Maintenance>, ServiceError> {
        self.put_maintenance(caller, None, draft).await
    }

    pub async fn edit_maintenance(
        &self,
        caller: &Caller,
        id: MaintenanceId,
        draft: MaintenanceDraft,
    ) -> Result<Arc<Maintenance>, ServiceError> {
        self.put_maintenance(caller, Some(id), draft).await
    }

    async fn put_maintenance(
        &self,
        caller: &Caller,
        id: Option<MaintenanceId>,
        draft: MaintenanceDraft,
    ) -> Result<Arc<Maintenance>, ServiceError> {
        caller.require(Action::PlanMaintenance)?;
        draft.check()?;
        let user = caller.id();
        self.put(caller, id, move |before, command| {
            Ok(draft.apply(before, user, (command.directory(), command.now()))?)
        })
        .await
    }

    /// Ends now what has begun, and deletes what lies ahead; whether it was deleted.
    pub async fn cancel_maintenance(&self, caller: &Caller, id: MaintenanceId) -> Result<bool, ServiceError> {
        caller.require(Action::PlanMaintenance)?;
        let user = caller.id();
        let deleted = self
            .store()
            .write(Some(user), move |command| {
                let now = command.now();
                let before = Arc::clone(Maintenance::found(command.directory(), user, id)?);
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
        self.delete::<Maintenance>(caller, id, |maintenance, command| {
            if maintenance.has_started(command.now()) {
                return Err(NotificationRefusal::MaintenanceNotAhead.into());
            }
            Ok(())
        })
        .await
    }
}
