//! Notification profiles of a user, which nobody else sees (contract section 15).

use std::sync::Arc;

use crate::{
    domain::{
        ids::ProfileId,
        profile::{Profile, ProfileDraft},
    },
    service::{Caller, Model, Notifications, ServiceError, configuration::Drafted},
};

impl Drafted for Profile {
    const MODEL: Model = Model::Profile;
    const IS_PERSONAL: bool = true;
}

impl Notifications {
    pub async fn create_profile(&self, caller: &Caller, draft: ProfileDraft) -> Result<Arc<Profile>, ServiceError> {
        self.put_profile(caller, None, draft).await
    }

    pub async fn edit_profile(
        &self,
        caller: &Caller,
        id: ProfileId,
        draft: ProfileDraft,
    ) -> Result<Arc<Profile>, ServiceError> {
        self.put_profile(caller, Some(id), draft).await
    }

    async fn put_profile(
        &self,
        caller: &Caller,
        id: Option<ProfileId>,
        draft: ProfileDraft,
    ) -> Result<Arc<Profile>, ServiceError> {
        draft.check()?;
        let owner = caller.id();
        self.put(caller, id, move |before, command| Ok(draft.apply(before, owner, command.directory())?)).await
    }

    pub async fn delete_profile(&self, caller: &Caller, id: ProfileId) -> Result<(), ServiceError> {
        self.delete::<Profile>(caller, id, |_, _| Ok(())).await
    }
}
