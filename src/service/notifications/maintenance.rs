//! Planned maintenance: everybody reads it, staff writes it (contract section 18).

use std::sync::Arc;

use crate::{
    domain::{draft::Managed, ids::MaintenanceId, maintenance::Maintenance},
    service::{Caller, NotificationRefusal, Notifications, ServiceError, configuration::Configured},
};

impl Notifications {
    /// Ends now what has begun, and deletes what lies ahead; whether it was deleted.
    pub async fn cancel_maintenance(&self, caller: &Caller, id: MaintenanceId) -> Result<bool, ServiceError> {
        caller.require(Maintenance::ACTION)?;
        let user = caller.id();
        let deleted = self
            .store()
            .write(Some(user), move |command| {
                let now = command.now();
                let before = Arc::clone(Maintenance::find(command.directory(), user, id)?);
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
}
