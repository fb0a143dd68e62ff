//! Planned maintenance: readable by every user, changed by staff (contract section 18).

use std::sync::Arc;

use crate::domain::{Maintenance, MaintenanceId, Managed};
use crate::service::{Caller, NotificationRefusal, Notifications, ServiceError, configuration::Configured};

impl Notifications {
    /// Ends a maintenance that has started, and deletes one that has not. Returns whether it was deleted.
    pub async fn cancel_maintenance(&self, caller: &Caller, id: MaintenanceId) -> Result<bool, ServiceError> {
        caller.require(Maintenance::ACTION)?;
        let user = caller.id();
        self.write(Some(user), move |command| {
            let now = command.now();
            let before = Arc::clone(Maintenance::find(command.directory(), user, id)?);
            if !before.has_started(now) {
                command.delete_maintenance(id);
                return Ok(true);
            }
            if before.end.is_some_and(|end| end <= now) {
                return Err(NotificationRefusal::MaintenanceEnded.into());
            }
            // The end must be after the start, even if maintenance started at this moment.
            let end = now.max(before.start.saturating_add_micros(1));
            command.put_maintenance(Maintenance { end: Some(end), ..Maintenance::clone(&before) });
            Ok(false)
        })
        .await
    }
}
