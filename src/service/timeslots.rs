//! Timeslots of a user, which nobody else sees (contract section 13).

use std::sync::Arc;

use super::{Caller, Model, NotificationRefusal, Refusal, Service, ServiceError, rules::rules_where};
use crate::domain::{
    directory::Directory,
    draft::check_name,
    ids::{ProfileId, TimeslotId, UserId},
    limits::{TIMESLOT_NAME, TIMESLOTS_PER_USER},
    timeslot::{Recurrence, Timeslot},
};

/// What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct TimeslotEdit {
    pub name: Option<String>,
    pub recurrences: Option<Vec<Recurrence>>,
}

impl Service {
    pub async fn create_timeslot(
        &self,
        caller: &Caller,
        name: String,
        recurrences: Vec<Recurrence>,
    ) -> Result<Arc<Timeslot>, ServiceError> {
        check_name(TIMESLOT_NAME, &name)?;
        let owner = caller.id();
        let timeslot = self
            .store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                check_free(directory, owner, &name)?;
                if directory.timeslots_of(owner).len() >= TIMESLOTS_PER_USER {
                    return Err(Refusal::TooMany { what: "timeslots", limit: TIMESLOTS_PER_USER });
                }
                let timeslot = Timeslot { id: command.new_timeslot_id(), owner, name, recurrences };
                command.put_timeslot(timeslot.clone());
                Ok(timeslot)
            })
            .await
            .map_err(super::error::refused)?;
        Ok(Arc::new(timeslot))
    }

    pub async fn edit_timeslot(
        &self,
        caller: &Caller,
        id: TimeslotId,
        edit: TimeslotEdit,
    ) -> Result<Arc<Timeslot>, ServiceError> {
        if let Some(name) = &edit.name {
            check_name(TIMESLOT_NAME, name)?;
        }
        let owner = caller.id();
        let timeslot = self
            .store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                let before =
                    directory.timeslot_of(owner, id).cloned().ok_or(ServiceError::NotFound(Model::Timeslot))?;
                let mut after = Timeslot::clone(&before);
                if let Some(name) = edit.name.filter(|name| *name != before.name) {
                    check_free(directory, owner, &name)?;
                    after.name = name;
                }
                if let Some(recurrences) = edit.recurrences {
                    after.recurrences = recurrences;
                }
                if after == *before {
                    return Ok(before);
                }
                command.put_timeslot(after.clone());
                Ok::<_, ServiceError>(Arc::new(after))
            })
            .await?;
        Ok(timeslot)
    }

    /// The profiles that use it go with it; rules do not.
    pub async fn delete_timeslot(&self, caller: &Caller, id: TimeslotId) -> Result<(), ServiceError> {
        let owner = caller.id();
        self.store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                directory.timeslot_of(owner, id).ok_or(ServiceError::NotFound(Model::Timeslot))?;
                let rules = rules_where(directory, |rule| rule.timeslot == id);
                if !rules.is_empty() {
                    return Err(NotificationRefusal::TimeslotInRules(rules).into());
                }
                let profiles = directory.profiles_where(|profile| profile.timeslot == id);
                let profiles: Vec<ProfileId> = profiles.into_iter().map(|profile| profile.id).collect();
                for profile in profiles {
                    command.delete_profile(profile);
                }
                command.delete_timeslot(id);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }
}

fn check_free(directory: &Directory, owner: UserId, name: &str) -> Result<(), Refusal> {
    if directory.timeslots_of(owner).iter().all(|timeslot| timeslot.name != name) {
        return Ok(());
    }
    let owner = directory.user(owner).map(|user| user.username.clone()).unwrap_or_default();
    Err(Refusal::TimeslotExists { name: name.to_owned(), owner })
}
