//! Timeslots of a user, which nobody else sees (contract section 13).

use std::sync::Arc;

use crate::{
    domain::{
        ids::{ProfileId, TimeslotId},
        timeslot::{Timeslot, TimeslotDraft},
    },
    service::{
        Caller, Model, NotificationRefusal, Notifications, ServiceError, configuration::Drafted,
        notifications::rules::rules_where,
    },
};

impl Drafted for Timeslot {
    const MODEL: Model = Model::Timeslot;
    const IS_PERSONAL: bool = true;
}

impl Notifications {
    pub async fn create_timeslot(&self, caller: &Caller, draft: TimeslotDraft) -> Result<Arc<Timeslot>, ServiceError> {
        self.put_timeslot(caller, None, draft).await
    }

    pub async fn edit_timeslot(
        &self,
        caller: &Caller,
        id: TimeslotId,
        draft: TimeslotDraft,
    ) -> Result<Arc<Timeslot>, ServiceError> {
        self.put_timeslot(caller, Some(id), draft).await
    }

    async fn put_timeslot(
        &self,
        caller: &Caller,
        id: Option<TimeslotId>,
        draft: TimeslotDraft,
    ) -> Result<Arc<Timeslot>, ServiceError> {
        draft.check()?;
        let owner = caller.id();
        self.put(caller, id, move |before, command| Ok(draft.apply(before, owner, command.directory())?)).await
    }

    /// The profiles that use it go with it; rules do not.
    pub async fn delete_timeslot(&self, caller: &Caller, id: TimeslotId) -> Result<(), ServiceError> {
        self.delete::<Timeslot>(caller, id, move |_, command| {
            let directory = command.directory();
            let rules = rules_where(directory, |rule| rule.timeslot == id);
            if !rules.is_empty() {
                return Err(NotificationRefusal::TimeslotInRules(rules).into());
            }
            let profiles = directory.profiles_where(|profile| profile.timeslot == id);
            let profiles: Vec<ProfileId> = profiles.into_iter().map(|profile| profile.id).collect();
            for profile in profiles {
                command.delete_profile(profile);
            }
            Ok(())
        })
        .await
    }
}
