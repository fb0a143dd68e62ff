//! Reasons to refuse a change of profiles, filters, timeslots, destinations, planned maintenance or rules.

use uuid::Uuid;

use crate::domain::{Directory, FilterBlob, MaintenanceId, Profile, UserId};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotificationRefusal {
    #[error("the timeslot belongs to somebody else")]
    ForeignTimeslot,
    #[error("the user has a profile with this name already")]
    ProfileExists,
    /// In version 1: notification by e-mail was requested.
    #[error("the user has no e-mail address")]
    NoEmailAddress,
    /// In version 1: notification by SMS was requested.
    #[error("there is no phone number to send to")]
    NoPhoneNumber,
    #[error("the filter is in use in profiles")]
    FilterInProfiles(Vec<ProfileLabel>),
    #[error("the filter is in use in planned maintenance")]
    FilterInMaintenance(Vec<MaintenanceId>),
    /// Holds the names of the rules.
    #[error("the filter is in use in rules")]
    FilterInRules(Vec<String>),
    /// Holds the names of the rules.
    #[error("the timeslot is in use in rules")]
    TimeslotInRules(Vec<String>),
    #[error("there is a rule with this name already")]
    RuleExists,
    #[error("there can be at most {} rules", crate::domain::limits::THINGS_PER_KIND)]
    TooManyRules,
    /// `what` is a contact, contact group or channel.
    #[error("there is no {what} {uuid}")]
    UnknownRecipient { what: &'static str, uuid: Uuid },
    #[error("the user has a destination with these settings already")]
    DestinationExists,
    #[error("the user has a destination with this medium and label already")]
    LabelTaken,
    #[error("the medium of a destination cannot change")]
    MediumFixed,
    #[error("the destination follows the user's e-mail address")]
    DestinationSynced,
    #[error("the destination is in use in profiles")]
    DestinationInProfiles(Vec<ProfileLabel>),
    #[error("the user has this phone number already")]
    PhoneNumberExists,
    #[error("the end is not after the start")]
    MaintenanceEndsBeforeStart,
    #[error("the maintenance has started, so its start cannot change")]
    MaintenanceStarted,
    #[error("the maintenance ended more than 12 hours ago, so it cannot change")]
    MaintenanceOver,
    #[error("the maintenance has ended already")]
    MaintenanceEnded,
    #[error("maintenance that has started cannot be deleted")]
    MaintenanceNotAhead,
    #[error("there can be at most {0} planned maintenance tasks")]
    TooManyMaintenances(usize),
}

/// Description of a profile for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileLabel {
    Named(String),
    /// A profile without a name: its timeslot, and its filters with their criteria.
    Described {
        timeslot: String,
        filters: Vec<(String, FilterBlob)>,
    },
    /// Number of profiles of other users, which are not described.
    OfOthers(usize),
}

impl ProfileLabel {
    /// Returns labels of the profiles for which `is_meant` returns true, as `user` may see them.
    #[must_use]
    pub fn of_users(directory: &Directory, user: UserId, is_meant: impl Fn(&Profile) -> bool) -> Vec<Self> {
        let (own, others): (Vec<_>, Vec<_>) =
            directory.profiles_where(is_meant).into_iter().partition(|profile| profile.owner == user);
        let mut labels: Vec<Self> = own.into_iter().map(|profile| Self::new(profile, directory)).collect();
        if !others.is_empty() {
            labels.push(Self::OfOthers(others.len()));
        }
        labels
    }

    fn new(profile: &Profile, directory: &Directory) -> Self {
        if let Some(name) = &profile.name {
            return Self::Named(name.clone());
        }
        let filters = profile.filters.iter().filter_map(|id| directory.filters.get(id));
        Self::Described {
            timeslot: directory.timeslots.get(&profile.timeslot).map(|it| it.name.clone()).unwrap_or_default(),
            filters: filters.map(|filter| (filter.name.clone(), filter.blob.clone())).collect(),
        }
    }
}
