//! Notification profiles of a user, which nobody else sees (contract section 15).

use std::sync::Arc;

use super::{Caller, Model, NotificationRefusal, Refusal, Service, ServiceError};
use crate::domain::{
    destination::{Destination, EMAIL, SMS},
    directory::Directory,
    draft::{check_length, check_timeslot, check_uses, without_repetitions},
    ids::{DestinationId, FilterId, ProfileId, TimeslotId, UserId},
    limits::{FILTER_USES_PER_USER, PROFILE_NAME, PROFILES_PER_USER},
    profile::Profile,
};

/// A profile to be created, for the caller.
#[derive(Clone, Debug)]
pub struct NewProfile {
    pub name: Option<String>,
    pub timeslot: TimeslotId,
    pub filters: Vec<FilterId>,
    pub reach: Reach,
    pub active: bool,
}

/// What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileEdit {
    pub name: Option<Option<String>>,
    pub timeslot: Option<TimeslotId>,
    pub filters: Option<Vec<FilterId>>,
    pub reach: Option<Reach>,
    pub active: Option<bool>,
}

/// Where a profile leads to.
#[derive(Clone, Debug)]
pub enum Reach {
    /// The caller's.
    Destinations(Vec<DestinationId>),
    Classic(ClassicReach),
}

/// As version 1 says it: by e-mail, by SMS, and to which number. What is `None` stays, and so do destinations of other
/// media, which that version does not know.
#[derive(Clone, Copy, Debug)]
pub struct ClassicReach {
    pub email: Option<bool>,
    pub sms: Option<bool>,
    pub number: Option<Option<DestinationId>>,
}

impl Service {
    pub async fn create_profile(&self, caller: &Caller, new: NewProfile) -> Result<Arc<Profile>, ServiceError> {
        check_length("name", PROFILE_NAME, new.name.as_deref())?;
        let owner = caller.id();
        let profile = self
            .store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                if directory.profiles_of(owner).len() >= PROFILES_PER_USER {
                    return Err(Refusal::TooMany { what: "notification profiles", limit: PROFILES_PER_USER }.into());
                }
                let mut profile = Profile {
                    id: ProfileId(0),
                    owner,
                    name: None,
                    timeslot: new.timeslot,
                    filters: Vec::new(),
                    destinations: Vec::new(),
                    active: new.active,
                };
                let edit = ProfileEdit {
                    name: Some(new.name),
                    timeslot: Some(new.timeslot),
                    filters: Some(new.filters),
                    reach: Some(new.reach),
                    active: None,
                };
                apply(edit, &mut profile, directory)?;
                profile.id = command.new_profile_id();
                command.put_profile(profile.clone());
                Ok::<_, ServiceError>(profile)
            })
            .await?;
        Ok(Arc::new(profile))
    }

    pub async fn edit_profile(
        &self,
        caller: &Caller,
        id: ProfileId,
        edit: ProfileEdit,
    ) -> Result<Arc<Profile>, ServiceError> {
        check_length("name", PROFILE_NAME, edit.name.as_ref().and_then(Option::as_deref))?;
        let owner = caller.id();
        let profile = self
            .store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                let before = directory.profile_of(owner, id).cloned().ok_or(ServiceError::NotFound(Model::Profile))?;
                let mut after = Profile::clone(&before);
                apply(edit, &mut after, directory)?;
                if after == *before {
                    return Ok(before);
                }
                command.put_profile(after.clone());
                Ok::<_, ServiceError>(Arc::new(after))
            })
            .await?;
        Ok(profile)
    }

    pub async fn delete_profile(&self, caller: &Caller, id: ProfileId) -> Result<(), ServiceError> {
        let owner = caller.id();
        self.store()
            .write(Some(owner), move |command| {
                command.directory().profile_of(owner, id).ok_or(ServiceError::NotFound(Model::Profile))?;
                command.delete_profile(id);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }
}

fn apply(edit: ProfileEdit, profile: &mut Profile, directory: &Directory) -> Result<(), Refusal> {
    let owner = profile.owner;
    if let Some(timeslot) = edit.timeslot {
        check_timeslot(timeslot, owner, directory)?;
        profile.timeslot = timeslot;
    }
    if let Some(filters) = edit.filters {
        // One that its owner does not share any more may stay where it is.
        let may_use = |id: &FilterId| profile.filters.contains(id) || directory.usable_filter(owner, *id).is_some();
        if let Some(unknown) = filters.iter().find(|id| !may_use(id)) {
            return Err(Refusal::UnknownKey { field: "filters", pk: unknown.0 });
        }
        let filters = without_repetitions(filters);
        check_profile_filters(directory, owner, profile.filters.len(), filters.len())?;
        profile.filters = filters;
    }
    match edit.reach {
        Some(Reach::Destinations(destinations)) => {
            if let Some(unknown) = destinations.iter().find(|id| directory.destination_of(owner, **id).is_none()) {
                return Err(Refusal::UnknownKey { field: "destinations", pk: unknown.0 });
            }
            profile.destinations = without_repetitions(destinations);
        }
        Some(Reach::Classic(reach)) => reach_classic(profile, directory, reach)?,
        None => {}
    }
    if let Some(name) = edit.name.map(|name| name.filter(|name| !name.is_empty())) {
        if name.is_some() && directory.profiles_of(owner).iter().any(|it| it.id != profile.id && it.name == name) {
            return Err(NotificationRefusal::ProfileExists.into());
        }
        profile.name = name;
    }
    profile.active = edit.active.unwrap_or(profile.active);
    Ok(())
}

/// In all profiles of a user, of which one names `after` filters where it named `before`.
pub(super) fn check_profile_filters(
    directory: &Directory,
    owner: UserId,
    before: usize,
    after: usize,
) -> Result<(), Refusal> {
    let all: usize = directory.profiles_of(owner).iter().map(|profile| profile.filters.len()).sum();
    check_uses(all, before, after, ("filters in all profiles of a user together", FILTER_USES_PER_USER))
}

/// Contract section 15.2.
fn reach_classic(profile: &mut Profile, directory: &Directory, reach: ClassicReach) -> Result<(), Refusal> {
    let ClassicReach { email, sms, number } = reach;
    let owner = profile.owner;
    let is_of = |id: &DestinationId, medium: &str| directory.destinations.get(id).is_some_and(|it| it.medium == medium);
    let first_of = |medium: &str| profile.destinations.iter().position(|id| is_of(id, medium));
    let (first_email, first_sms) = (first_of(EMAIL), first_of(SMS));
    if let Some(Some(number)) = number
        && directory.destination_of(owner, number).is_none_or(|it| it.medium != SMS)
    {
        return Err(Refusal::UnknownKey { field: "phone_number", pk: number.0 });
    }
    let mut destinations = profile.destinations.clone();
    if sms.unwrap_or(first_sms.is_some()) {
        let present = first_sms.and_then(|at| destinations.get(at).copied());
        let Some(wanted) = number.unwrap_or(present) else { return Err(NotificationRefusal::NoPhoneNumber.into()) };
        match first_sms.and_then(|at| destinations.get_mut(at)) {
            Some(first) => *first = wanted,
            None => destinations.push(wanted),
        }
    } else {
        destinations.retain(|id| !is_of(id, SMS));
    }
    match email {
        Some(true) if first_email.is_none() => {
            let own = own_address(owner, directory).ok_or(NotificationRefusal::NoEmailAddress)?;
            destinations.insert(0, own.id);
        }
        Some(false) => destinations.retain(|id| !is_of(id, EMAIL)),
        _ => {}
    }
    profile.destinations = without_repetitions(destinations);
    Ok(())
}

fn own_address(owner: UserId, directory: &Directory) -> Option<&Arc<Destination>> {
    directory.destinations_of(owner).into_iter().find(|destination| destination.synced)
}
