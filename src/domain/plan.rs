//! Who is told of an event, and who is not and why (contract section 19). Pure: the same event, state and configuration
//! give the same answer for ever.

use std::sync::Arc;

use super::{
    destination::Destination,
    directory::{DecisionSettings, Directory},
    event::{Event, EventType},
    filter::{About, Mismatch},
    ids::{DestinationId, FilterId, MaintenanceId, ProfileId, SourceId, TimeslotId, UserId},
    limits::NEAR_MISSES,
    schedule,
    subscription::{EventFilter, MaintenanceTask, Subscription, Subscriptions, lets_through, maintenance_tasks},
    tag::IncidentTag,
    time::Timestamp,
};

/// The tag by which an incident of the server itself names the destination that it reports.
pub const REPORTED_DESTINATION_TAG: &str = "destination_id";
/// The same for a whole medium.
pub const REPORTED_MEDIUM_TAG: &str = "medium";

/// An event, and its incident as it was once the event was stored.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    /// `event_types` holds the type of this event alone.
    pub about: About<'a>,
    pub kind: EventType,
    /// When it happened: that is what timeslots and maintenance are judged by.
    pub timestamp: Timestamp,
}

/// Somebody is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub user: UserId,
    pub profile: ProfileId,
    pub destination: Arc<Destination>,
}

/// Somebody would have been told: the filters matched, but something else stood against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearMiss {
    pub user: UserId,
    pub profile: ProfileId,
    /// `None`: none of the profile's.
    pub destination: Option<DestinationId>,
    pub reason: NearReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NearReason {
    OutsideTimeslot(TimeslotId),
    Maintenance(MaintenanceId),
    /// The operator switched sending off.
    SendingOff,
    NoDestination,
    /// Another profile of the user led to the destination already.
    Covered(ProfileId),
    /// The incident is about trouble with the destination itself.
    Reported,
}

/// Why a profile does not lead to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    ProfileInactive,
    OwnerInactive,
    Filter(FilterId, Mismatch),
    /// The profile has none that exists.
    NoFilter,
    /// No filter lets events of this type through.
    EventType,
    Near(NearReason),
}

/// What came of one profile: for each of its destinations, or for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub profile: ProfileId,
    pub told: Vec<DestinationId>,
    pub silences: Vec<(Option<DestinationId>, Silence)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By profile.
    pub intents: Vec<Intent>,
    /// By profile, the first of them.
    pub near_misses: Vec<NearMiss>,
    /// So many were left out.
    pub more_near_misses: u32,
}

impl<'a> Occurrence<'a> {
    /// `tags` are those that the incident had then.
    #[must_use]
    pub fn new(event: &Event, source: SourceId, stateful: bool, has_ticket: bool, tags: &'a [IncidentTag]) -> Self {
        let about = About {
            open: event.after.open,
            acked: event.after.acked,
            stateful,
            has_ticket,
            level: event.after.level,
            source,
            tags,
            event_types: [event.kind].into_iter().collect(),
        };
        Self { about, kind: event.kind, timestamp: event.timestamp }
    }
}

/// Decides for all profiles at once.
#[must_use]
pub fn plan(subscriptions: &Subscriptions, occurrence: &Occurrence<'_>) -> Plan {
    let about = &occurrence.about;
    let tags = about.tags.iter().map(|it| it.tag.as_str());
    let candidates = subscriptions.candidates(about.source, tags, about.level, occurrence.kind);
    let mut plan = Plan::default();
    let mut conditions = None;
    for subscription in candidates {
        if filters_stand_against(subscription, occurrence).is_some() {
            continue;
        }
        let conditions = conditions.get_or_insert_with(|| {
            Conditions::new(&subscriptions.settings, &subscriptions.maintenance, subscriptions.own_source, occurrence)
        });
        let profile = &subscription.profile;
        let decided = conditions.destinations(subscription, occurrence, |destination| {
            plan.intents.iter().find(|it| it.destination.id == destination).map(|it| it.profile)
        });
        for (destination, reason) in decided {
            match (destination, reason) {
                (Some(destination), None) => plan.intents.push(Intent {
                    user: profile.owner,
                    profile: profile.id,
                    destination: Arc::clone(destination),
                }),
                (destination, Some(reason)) if plan.near_misses.len() < NEAR_MISSES => {
                    let (user, destination) = (profile.owner, destination.map(|it| it.id));
                    plan.near_misses.push(NearMiss { user, profile: profile.id, destination, reason });
                }
                _ => plan.more_near_misses += 1,
            }
        }
    }
    plan
}

/// The same for the profiles of one user, with all reasons; `directory` is the configuration as it was then.
#[must_use]
pub fn verdicts(directory: &Directory, user: UserId, occurrence: &Occurrence<'_>) -> Vec<Verdict> {
    let maintenance = maintenance_tasks(directory);
    let conditions = Conditions::new(&directory.settings, &maintenance, directory.own_source(), occurrence);
    let mut verdicts: Vec<Verdict> = Vec::new();
    for profile in directory.profiles_of(user) {
        let subscription = Subscription::new(profile, directory);
        let mut verdict = Verdict { profile: profile.id, told: Vec::new(), silences: Vec::new() };
        if let Some(silence) = stands_against(&subscription, occurrence) {
            verdict.silences.push((None, silence));
        } else {
            let told_by = |id| verdicts.iter().find(|it| it.told.contains(&id)).map(|it| it.profile);
            for (destination, reason) in conditions.destinations(&subscription, occurrence, told_by) {
                match (destination, reason) {
                    (Some(destination), None) => verdict.told.push(destination.id),
                    (destination, Some(reason)) => {
                        verdict.silences.push((destination.map(|it| it.id), Silence::Near(reason)));
                    }
                    (None, None) => {}
                }
            }
        }
        verdicts.push(verdict);
    }
    verdicts
}

/// What stands against a profile before the hour, maintenance and destinations are asked.
#[must_use]
pub fn stands_against(subscription: &Subscription, occurrence: &Occurrence<'_>) -> Option<Silence> {
    if !subscription.profile.active {
        Some(Silence::ProfileInactive)
    } else if !subscription.owner_is_active {
        Some(Silence::OwnerInactive)
    } else {
        filters_stand_against(subscription, occurrence)
    }
}

fn filters_stand_against(subscription: &Subscription, occurrence: &Occurrence<'_>) -> Option<Silence> {
    if subscription.filters.is_empty() {
        return Some(Silence::NoFilter);
    }
    if let Some((id, mismatch)) = mismatch(&subscription.filters, &occurrence.about) {
        return Some(Silence::Filter(id, mismatch));
    }
    (!lets_through(&subscription.filters, occurrence.kind)).then_some(Silence::EventType)
}

fn mismatch(filters: &[EventFilter], about: &About<'_>) -> Option<(FilterId, Mismatch)> {
    filters.iter().find_map(|filter| Some((filter.id, filter.criteria.mismatch(about)?)))
}

/// The maintenance that silences the event: the first that is on at its time and whose filters all match (contract
/// section 18).
#[must_use]
pub fn covering(tasks: &[MaintenanceTask], occurrence: &Occurrence<'_>) -> Option<MaintenanceId> {
    let covers = |task: &&MaintenanceTask| {
        task.maintenance.covers(occurrence.timestamp)
            && !task.filters.is_empty()
            && mismatch(&task.filters, &occurrence.about).is_none()
    };
    tasks.iter().find(covers).map(|task| task.maintenance.id)
}

/// What is the same for all profiles.
struct Conditions<'a> {
    settings: &'a DecisionSettings,
    maintenance: Option<MaintenanceId>,
    /// The destination, or the medium, that the incident reports.
    reported: Option<(&'a str, &'a str)>,
}

impl<'a> Conditions<'a> {
    fn new(
        settings: &'a DecisionSettings,
        maintenance: &[MaintenanceTask],
        own_source: Option<SourceId>,
        occurrence: &Occurrence<'a>,
    ) -> Self {
        let is_reported = |tag: &&IncidentTag| matches!(tag.tag.key(), REPORTED_DESTINATION_TAG | REPORTED_MEDIUM_TAG);
        let about = &occurrence.about;
        let own = own_source == Some(about.source);
        let reported = about.tags.iter().find(is_reported).filter(|_| own).map(|it| (it.tag.key(), it.tag.value()));
        Self { settings, maintenance: covering(maintenance, occurrence), reported }
    }

    /// Of a profile whose filters match: each destination with what stands against it, or what stands against all.
    fn destinations<'s>(
        &self,
        subscription: &'s Subscription,
        occurrence: &Occurrence<'_>,
        told_by: impl Fn(DestinationId) -> Option<ProfileId>,
    ) -> Vec<(Option<&'s Arc<Destination>>, Option<NearReason>)> {
        let is_open = subscription.timeslot.as_ref().is_some_and(|timeslot| {
            schedule::is_open(&timeslot.recurrences, self.settings.time_zone, occurrence.timestamp)
        });
        let against_all = if !is_open {
            Some(NearReason::OutsideTimeslot(subscription.profile.timeslot))
        } else if let Some(maintenance) = self.maintenance {
            Some(NearReason::Maintenance(maintenance))
        } else if !self.settings.send {
            Some(NearReason::SendingOff)
        } else {
            subscription.destinations.is_empty().then_some(NearReason::NoDestination)
        };
        if against_all.is_some() {
            return vec![(None, against_all)];
        }
        let judged = subscription.destinations.iter().map(|destination| {
            let covered = told_by(destination.id).map(NearReason::Covered);
            (Some(destination), if self.is_reported(destination) { Some(NearReason::Reported) } else { covered })
        });
        judged.collect()
    }

    fn is_reported(&self, destination: &Destination) -> bool {
        match self.reported {
            Some((REPORTED_DESTINATION_TAG, id)) => destination.id.to_string() == id,
            Some((_, medium)) => destination.medium == medium,
            None => false,
        }
    }
}
