//! Notification profiles: when, about what and where a user is notified (contract section 15).

use std::sync::Arc;

use super::{
    Action, Destination, DestinationId, Directory, FilterId, Managed, NotificationRefusal, ProfileId, Refusal,
    TimeslotId, Timestamp, UserId,
    destination::{EMAIL, SMS},
    draft::{Draft, check_count, check_length, check_timeslot, check_uses, require, without_repetitions},
    limits::{FILTER_USES_PER_USER, PROFILE_NAME},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: ProfileId,
    pub owner: UserId,
    /// Name, unique among the owner's profiles.
    pub name: Option<String>,
    /// A timeslot of the owner.
    pub timeslot: TimeslotId,
    /// Filters, at least one, without duplicates. They are the owner's, or were public when they were added.
    pub filters: Vec<FilterId>,
    /// Destinations of the owner, without duplicates. May be empty.
    pub destinations: Vec<DestinationId>,
    pub active: bool,
}

/// The requested values of a new or changed profile. `None`: unchanged, or the default of a new profile.
#[derive(Clone, Debug, Default)]
pub struct ProfileDraft {
    pub name: Option<Option<String>>,
    pub timeslot: Option<TimeslotId>,
    pub filters: Option<Vec<FilterId>>,
    pub reach: Option<ProfileReach>,
    pub active: Option<bool>,
}

/// Destinations of a profile.
#[derive(Clone, Debug)]
pub enum ProfileReach {
    /// Destinations of the owner.
    Destinations(Vec<DestinationId>),
    Classic(ClassicReach),
}

/// Destinations in the form of version 1: whether to notify by e-mail and by SMS, and at which number. Fields that are
/// `None` do not change, nor do destinations of other media, which that version does not know.
#[derive(Clone, Copy, Debug)]
pub struct ClassicReach {
    pub email: Option<bool>,
    pub sms: Option<bool>,
    pub number: Option<Option<DestinationId>>,
}

impl Managed for Profile {
    const ACTION: Action = Action::UseDesk;
    const IS_PERSONAL: bool = true;
    const LONGEST_NAME: usize = PROFILE_NAME;
}

impl Draft for ProfileDraft {
    type Thing = Profile;

    fn check(&self) -> Result<(), Refusal> {
        check_length("name", Profile::LONGEST_NAME, self.name.as_ref().and_then(Option::as_deref))
    }

    fn apply(
        self,
        before: Option<&Profile>,
        owner: UserId,
        directory: &Directory,
        _: Timestamp,
    ) -> Result<Profile, Refusal> {
        let mut profile = match before {
            Some(before) => before.clone(),
            None => self.blank(owner, directory)?,
        };
        if let Some(timeslot) = self.timeslot {
            check_timeslot(timeslot, owner, directory)?;
            profile.timeslot = timeslot;
        }
        if let Some(filters) = self.filters {
            // A filter that its owner stopped sharing may stay in use.
            let may_use = |id: &FilterId| profile.filters.contains(id) || directory.usable_filter(owner, *id).is_some();
            if let Some(unknown) = filters.iter().find(|id| !may_use(id)) {
                return Err(Refusal::UnknownKey { field: "filters", pk: unknown.0 });
            }
            let filters = without_repetitions(filters);
            check_profile_filters(directory, owner, profile.filters.len(), filters.len())?;
            profile.filters = filters;
        }
        match self.reach {
            Some(ProfileReach::Destinations(destinations)) => {
                if let Some(unknown) = destinations.iter().find(|id| directory.destination_of(owner, **id).is_none()) {
                    return Err(Refusal::UnknownKey { field: "destinations", pk: unknown.0 });
                }
                profile.destinations = without_repetitions(destinations);
            }
            Some(ProfileReach::Classic(reach)) => reach_classic(&mut profile, directory, reach)?,
            None => {}
        }
        if let Some(name) = self.name.map(|name| name.filter(|name| !name.is_empty())) {
            if name.is_some() && directory.profiles_of(owner).iter().any(|it| it.id != profile.id && it.name == name) {
                return Err(NotificationRefusal::ProfileExists.into());
            }
            profile.name = name;
        }
        profile.active = self.active.unwrap_or(profile.active);
        Ok(profile)
    }
}

impl ProfileDraft {
    fn blank(&self, owner: UserId, directory: &Directory) -> Result<Profile, Refusal> {
        check_count::<Profile>("notification profiles", directory.profiles_of(owner).len())?;
        let timeslot = require("timeslot", self.timeslot)?;
        require("filters", self.filters.as_ref())?;
        let (filters, destinations) = (Vec::new(), Vec::new());
        Ok(Profile { id: ProfileId(0), owner, name: None, timeslot, filters, destinations, active: true })
    }
}

/// Checks the uses of filters in all profiles of a user if one of them has `after` filters instead of `before`.
pub fn check_profile_filters(directory: &Directory, owner: UserId, before: usize, after: usize) -> Result<(), Refusal> {
    let all: usize = directory.profiles_of(owner).iter().map(|profile| profile.filters.len()).sum();
    check_uses(all, before, after, ("filters in all profiles of a user together", FILTER_USES_PER_USER))
}

/// Changes the destinations of a profile as version 1 requests it (contract section 15.2).
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
