//! Switches notification profiles of any user on and off (contract section 24).

use crate::domain::{Profile, ProfileId};
use crate::service::{Caller, Notifications, Refusal, ServiceError, policy::Action};

impl Notifications {
    /// Switches each profile on or off, and returns the changed profiles. If one does not exist, none is changed.
    pub async fn toggle_profiles(&self, caller: &Caller, ids: Vec<ProfileId>) -> Result<Vec<Profile>, ServiceError> {
        caller.require(Action::ManageUsers)?;
        self.write(Some(caller.id()), move |command| {
            let profiles = &command.directory().profiles;
            let found = ids.iter().map(|id| profiles.get(id).ok_or(Refusal::UnknownProfile(id.0)));
            let toggled = found
                .map(|found| found.map(|profile| Profile { active: !profile.active, ..Profile::clone(profile) }))
                .collect::<Result<Vec<Profile>, Refusal>>()?;
            for profile in &toggled {
                command.put_profile(profile.clone());
            }
            Ok(toggled)
        })
        .await
    }
}
