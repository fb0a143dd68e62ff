//! Switches notification profiles on and off, whoever owns them (contract section 24).

use crate::{
    domain::{ids::ProfileId, profile::Profile},
    service::{Caller, Notifications, Refusal, ServiceError, policy::Action},
};

impl Notifications {
    /// Flips each: all of them or, if one does not exist, none. As they are then.
    pub async fn toggle_profiles(&self, caller: &Caller, ids: Vec<ProfileId>) -> Result<Vec<Profile>, ServiceError> {
        caller.require(Action::ManageUsers)?;
        let toggled = self
            .store()
            .write(Some(caller.id()), move |command| {
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
            .map_err(crate::service::error::refused)?;
        Ok(toggled)
    }
}
