//! Timeslots of a user, which only that user can see (contract section 13).

use crate::domain::{ProfileId, Timeslot, TimeslotId};
use crate::service::{Caller, Notifications, ServiceError};

impl Notifications {
    /// Deletes a timeslot with the profiles that use it. Refused while a rule uses it.
    pub async fn delete_timeslot(&self, caller: &Caller, id: TimeslotId) -> Result<(), ServiceError> {
        self.delete_with::<Timeslot>(caller, id, move |_, command| {
            let profiles = command.directory().profiles_where(|profile| profile.timeslot == id);
            let profiles: Vec<ProfileId> = profiles.into_iter().map(|profile| profile.id).collect();
            for profile in profiles {
                command.delete_profile(profile);
            }
            Ok(())
        })
        .await
    }
}
