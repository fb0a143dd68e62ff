//! Profiles, rules and planned maintenance together with the filters and timeslots that they name.

use std::sync::Arc;

use super::{
    Destination, Directory, EventType, FilterId, FilterSubject, Maintenance, Profile, Rule, Timeslot, TimeslotId,
    Timestamp,
    event_filter::{CompiledFilters, EventFilter},
    filter::Mismatch,
    plan::NotificationCause,
};

/// A profile or a rule, the reason for a notification.
#[derive(Clone, Debug)]
pub enum Basis {
    Profile(Arc<Profile>),
    Rule(Arc<Rule>),
}

impl Basis {
    #[must_use]
    pub fn cause(&self) -> NotificationCause {
        match self {
            Self::Profile(profile) => NotificationCause::Profile(profile.id),
            Self::Rule(rule) => NotificationCause::Rule(rule.id),
        }
    }

    #[must_use]
    pub fn is_active(&self) -> bool {
        match self {
            Self::Profile(profile) => profile.active,
            Self::Rule(rule) => rule.active,
        }
    }

    #[must_use]
    pub fn filters(&self) -> &[FilterId] {
        match self {
            Self::Profile(profile) => &profile.filters,
            Self::Rule(rule) => &rule.filters,
        }
    }

    #[must_use]
    pub fn timeslot(&self) -> TimeslotId {
        match self {
            Self::Profile(profile) => profile.timeslot,
            Self::Rule(rule) => rule.timeslot,
        }
    }
}

/// A profile or a rule with all that is needed to notify, except filters.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub basis: Basis,
    /// Whether the account of a profile's owner is active. Always true for rules.
    pub owner_is_active: bool,
    pub timeslot: Option<Arc<Timeslot>>,
    /// The existing destinations of a profile. Empty for rules.
    pub destinations: Vec<Arc<Destination>>,
}

impl Subscription {
    #[must_use]
    pub fn new(basis: Basis, directory: &Directory) -> Self {
        let (owner_is_active, destinations) = match &basis {
            Basis::Profile(profile) => (
                directory.user(profile.owner).is_some_and(|owner| owner.is_active),
                profile.destinations.iter().filter_map(|id| directory.destinations.get(id)).cloned().collect(),
            ),
            Basis::Rule(_) => (true, Vec::new()),
        };
        Self { owner_is_active, timeslot: directory.timeslots.get(&basis.timeslot()).cloned(), destinations, basis }
    }
}

/// Planned maintenance with its filters.
#[derive(Clone, Debug)]
pub struct MaintenanceTask {
    pub maintenance: Arc<Maintenance>,
    pub filters: Vec<Arc<EventFilter>>,
}

impl MaintenanceTask {
    /// Returns whether it is current at that time and all its filters match (contract section 18).
    #[must_use]
    pub fn covers(&self, at: Timestamp, about: &FilterSubject<'_>, directory: &Directory) -> bool {
        self.maintenance.covers(at) && !self.filters.is_empty() && mismatch(&self.filters, about, directory).is_none()
    }
}

/// Returns planned maintenance that is current at that time, in the order of ids.
#[must_use]
pub fn maintenance_at(directory: &Directory, at: Timestamp) -> Vec<MaintenanceTask> {
    let mut ready = CompiledFilters::new(directory);
    let task = |maintenance: &Arc<Maintenance>| MaintenanceTask {
        filters: ready.all(&maintenance.filters),
        maintenance: Arc::clone(maintenance),
    };
    directory.maintenances.covering(at).into_iter().map(task).collect()
}

/// Returns whether at least one filter allows the event type (contract section 19.2).
#[must_use]
pub fn lets_through(filters: &[Arc<EventFilter>], kind: EventType) -> bool {
    filters.iter().any(|filter| filter.event_types.is_none_or(|types| types.contains(kind)))
}

/// Returns the first filter that does not match, and why.
#[must_use]
pub fn mismatch(
    filters: &[Arc<EventFilter>],
    about: &FilterSubject<'_>,
    directory: &Directory,
) -> Option<(FilterId, Mismatch)> {
    filters.iter().find_map(|filter| Some((filter.id, filter.mismatch(about, directory)?)))
}
