//! Decides who is notified of an event, and who is not and why (contract section 19). Pure: the same event, state and
//! configuration always give the same result.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    ChannelId, Contact, ContactId, Destination, DestinationId, Directory, Event, EventType, FilterId, FilterSubject,
    IncidentTag, MaintenanceId, ProfileId, Rule, RuleId, SourceId, TimeslotId, Timestamp, UserId,
    directory::DecisionSettings,
    event_filter::{CompiledFilters, EventFilter, FilterResults},
    filter::{Mismatch, fold},
    limits::NEAR_MISSES,
    matcher::Matcher,
    opening_hours,
    recipients::{NotifiedAlready, channels_to},
    subscription::{Basis, Subscription, lets_through, mismatch},
};

/// Tag with which an incident of the server itself names the destination that it is about.
pub const REPORTED_DESTINATION_TAG: &str = "destination_id";
/// Tag with which an incident of the server itself names the medium that it is about.
pub const REPORTED_MEDIUM_TAG: &str = "medium";

/// An event, with its incident after the event.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    /// Properties of the incident. `event_types` contains only the type of this event.
    pub about: FilterSubject<'a>,
    pub kind: EventType,
    /// Time at which it happened, by which timeslots and planned maintenance are evaluated.
    pub timestamp: Timestamp,
}

/// A profile or rule that notifies recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotificationCause {
    Profile(ProfileId),
    Rule(RuleId),
}

/// A notification of a user at a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub user: UserId,
    pub profile: ProfileId,
    pub destination: Arc<Destination>,
}

/// A recipient who would have been notified, because the filters matched, but something else prevented it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearMiss {
    pub recipient: NearMissRecipient,
    pub reason: NearReason,
}

/// Recipient of a near miss, with the profile or rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NearMissRecipient {
    User {
        user: UserId,
        profile: ProfileId,
        /// Destination. `None`: all destinations of the profile.
        destination: Option<DestinationId>,
    },
    Contact {
        rule: RuleId,
        /// Contact. `None`: all contacts of the rule.
        contact: Option<ContactId>,
        /// Channel. `None`: the channel was deleted, or all channels of the rule.
        channel: Option<ChannelId>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NearReason {
    OutsideTimeslot(TimeslotId),
    Maintenance(MaintenanceId),
    /// The operator switched sending off.
    SendingOff,
    /// There is no destination, no address, or no recipient.
    NoDestination,
    /// Another profile or rule already leads to the same address.
    Covered(NotificationCause),
    /// The incident reports a fault of the destination or the medium itself.
    Reported,
    /// More contacts than one event may notify. `left_out` is the number of the rule's contacts that were left out.
    TooMany {
        left_out: u32,
    },
}

/// Reason why a profile or a rule leads to no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    ProfileInactive,
    RuleInactive,
    /// The contact is not a recipient of the rule.
    NotRecipient,
    OwnerInactive,
    Filter(FilterId, Mismatch),
    /// None of the filters exists.
    NoFilter,
    /// No filter allows events of this type.
    EventType,
    Near(NearReason),
}

/// Result of one profile: for each of its destinations, or for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileVerdict {
    pub profile: ProfileId,
    pub notified: Vec<DestinationId>,
    pub silences: Vec<(Option<DestinationId>, Silence)>,
}

/// Result of one rule for one contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleVerdict {
    pub rule: RuleId,
    /// UUIDs of channels.
    pub notified: Vec<Uuid>,
    /// UUID of a channel, or `None` for all of them.
    pub silences: Vec<(Option<Uuid>, Silence)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Notifications of users, sorted by profile.
    pub intents: Vec<Intent>,
    /// Rules whose recipients are notified, sorted by id.
    pub rules: Vec<Arc<Rule>>,
    /// The medium that the incident is about, and via which no contact is notified.
    pub reported_medium: Option<String>,
    /// Near misses, sorted by profile or rule. At most `NEAR_MISSES`.
    pub near_misses: Vec<NearMiss>,
    /// Number of near misses that are not in the list.
    pub more_near_misses: u32,
}

impl Plan {
    /// Notes the number of the rule's contacts that are not notified. Comes first, so that it is kept if there are many
    /// near misses.
    pub fn leave_out(&mut self, rule: RuleId, left_out: u32) {
        let recipient = NearMissRecipient::Contact { rule, contact: None, channel: None };
        self.near_misses.insert(0, NearMiss { recipient, reason: NearReason::TooMany { left_out } });
        if self.near_misses.len() > NEAR_MISSES {
            self.near_misses.truncate(NEAR_MISSES);
            self.more_near_misses = self.more_near_misses.saturating_add(1);
        }
    }

    /// Returns the number that [`Plan::leave_out`] noted.
    #[must_use]
    pub fn left_out(&self, rule: RuleId) -> Option<u32> {
        left_out(&self.near_misses).find(|(of, _)| *of == rule).map(|(_, count)| count)
    }

    pub fn miss(&mut self, recipient: NearMissRecipient, reason: NearReason) {
        if self.near_misses.len() < NEAR_MISSES {
            self.near_misses.push(NearMiss { recipient, reason });
        } else {
            self.more_near_misses = self.more_near_misses.saturating_add(1);
        }
    }
}

/// Returns the rules of which contacts were left out, with their number.
pub fn left_out(near_misses: &[NearMiss]) -> impl Iterator<Item = (RuleId, u32)> + '_ {
    near_misses.iter().filter_map(|miss| match (miss.recipient, miss.reason) {
        (NearMissRecipient::Contact { rule, .. }, NearReason::TooMany { left_out }) => Some((rule, left_out)),
        _ => None,
    })
}

impl<'a> Occurrence<'a> {
    /// Creates the occurrence. `tags` are those of the incident at the time of the event.
    #[must_use]
    pub fn new(event: &Event, source: SourceId, stateful: bool, has_ticket: bool, tags: &'a [IncidentTag]) -> Self {
        let about = FilterSubject {
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

/// Decides about all profiles and rules. The matcher must be up to date with `directory`. The recipients of the rules
/// are read later, by `recipients::expand`.
#[must_use]
pub fn plan(matcher: &Matcher, directory: &Directory, occurrence: &Occurrence<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut conditions = None;
    for basis in matcher.matching(&occurrence.about, occurrence.kind, directory) {
        let subscription = &Subscription::new(basis.clone(), directory);
        if !subscription.owner_is_active {
            continue;
        }
        let conditions = conditions.get_or_insert_with(|| Conditions::new(directory, occurrence));
        let profile = match basis {
            Basis::Profile(profile) => profile,
            Basis::Rule(rule) => {
                match conditions.against_rule(rule, subscription, occurrence) {
                    Some(reason) => {
                        plan.miss(NearMissRecipient::Contact { rule: rule.id, contact: None, channel: None }, reason);
                    }
                    None => plan.rules.push(Arc::clone(rule)),
                }
                plan.reported_medium = conditions.reported_medium().map(str::to_owned);
                continue;
            }
        };
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
                (destination, Some(reason)) => {
                    let (user, destination) = (profile.owner, destination.map(|it| it.id));
                    plan.miss(NearMissRecipient::User { user, profile: profile.id, destination }, reason);
                }
                (None, None) => {}
            }
        }
    }
    plan
}

/// Decides about the profiles of one user, and returns all reasons. `directory` is the configuration at the time of the
/// event.
#[must_use]
pub fn verdicts(directory: &Directory, user: UserId, occurrence: &Occurrence<'_>) -> Vec<ProfileVerdict> {
    let conditions = Conditions::new(directory, occurrence);
    let mut ready = CompiledFilters::new(directory);
    let mut verdicts: Vec<ProfileVerdict> = Vec::new();
    for profile in directory.profiles_of(user) {
        let subscription = Subscription::new(Basis::Profile(Arc::clone(profile)), directory);
        let filters = ready.all(&profile.filters);
        let mut verdict = ProfileVerdict { profile: profile.id, notified: Vec::new(), silences: Vec::new() };
        if let Some(silence) = stands_against(&subscription, &filters, occurrence, directory) {
            verdict.silences.push((None, silence));
        } else {
            let notified_by = |id| verdicts.iter().find(|it| it.notified.contains(&id)).map(|it| it.profile);
            for (destination, reason) in conditions.destinations(&subscription, occurrence, notified_by) {
                match (destination, reason) {
                    (Some(destination), None) => verdict.notified.push(destination.id),
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

/// Decides about all rules for one contact, as it was at the time of the event.
#[must_use]
pub fn rule_verdicts(directory: &Directory, contact: &Contact, occurrence: &Occurrence<'_>) -> Vec<RuleVerdict> {
    let conditions = Conditions::new(directory, occurrence);
    let mut ready = CompiledFilters::new(directory);
    let mut notified = notified_by_profile(directory, contact, occurrence);
    let mut judge = |rule: &Arc<Rule>| {
        let mut verdict = RuleVerdict { rule: rule.id, notified: Vec::new(), silences: Vec::new() };
        let subscription = Subscription::new(Basis::Rule(Arc::clone(rule)), directory);
        let ways = channels_to(rule, contact);
        let against_all = if ways.is_empty() {
            Some(Silence::NotRecipient)
        } else {
            stands_against(&subscription, &ready.all(&rule.filters), occurrence, directory)
                .or_else(|| conditions.against_rule(rule, &subscription, occurrence).map(Silence::Near))
        };
        if let Some(silence) = against_all {
            verdict.silences.push((None, silence));
            return verdict;
        }
        for uuid in ways {
            let reason = match directory.channels.get(&uuid) {
                None => Some(NearReason::NoDestination),
                Some(channel) if conditions.reported_medium().is_some_and(|it| channel.depends_on(it)) => {
                    Some(NearReason::Reported)
                }
                Some(channel) => notified.call(rule.id, contact, channel),
            };
            match reason {
                None => verdict.notified.push(uuid),
                Some(reason) => verdict.silences.push((Some(uuid), Silence::Near(reason))),
            }
        }
        verdict
    };
    directory.rules.values().map(&mut judge).collect()
}

/// Returns the notifications of the users to whom the contact is linked.
fn notified_by_profile(directory: &Directory, contact: &Contact, occurrence: &Occurrence<'_>) -> NotifiedAlready {
    let mut notified = NotifiedAlready::default();
    let Some(name) = contact.username.as_deref().map(fold) else { return notified };
    for user in directory.users.values().filter(|user| fold(&user.username) == name) {
        for verdict in verdicts(directory, user.id, occurrence) {
            for destination in verdict.notified.iter().filter_map(|id| directory.destinations.get(id)) {
                notified.add_profile(directory, user.id, verdict.profile, destination);
            }
        }
    }
    notified
}

/// Returns what prevents a notification by a profile or a rule, except timeslot, planned maintenance and destinations.
#[must_use]
pub fn stands_against(
    subscription: &Subscription,
    filters: &[Arc<EventFilter>],
    occurrence: &Occurrence<'_>,
    directory: &Directory,
) -> Option<Silence> {
    if !subscription.basis.is_active() {
        Some(match subscription.basis {
            Basis::Profile(_) => Silence::ProfileInactive,
            Basis::Rule(_) => Silence::RuleInactive,
        })
    } else if !subscription.owner_is_active {
        Some(Silence::OwnerInactive)
    } else if filters.is_empty() {
        Some(Silence::NoFilter)
    } else if let Some((id, mismatch)) = mismatch(filters, &occurrence.about, directory) {
        Some(Silence::Filter(id, mismatch))
    } else {
        (!lets_through(filters, occurrence.kind)).then_some(Silence::EventType)
    }
}

/// Returns the planned maintenance that prevents notifications of the event: the first that is current at its time and
/// whose filters all match (contract section 18).
fn covering(directory: &Directory, occurrence: &Occurrence<'_>) -> Option<MaintenanceId> {
    let on = directory.maintenances.covering(occurrence.timestamp);
    if on.is_empty() {
        return None;
    }
    let mut results = FilterResults::new(directory, &occurrence.about);
    on.into_iter().find(|maintenance| results.all_match(&maintenance.filters)).map(|maintenance| maintenance.id)
}

/// Conditions that are the same for all profiles and rules.
struct Conditions<'a> {
    settings: &'a DecisionSettings,
    maintenance: Option<MaintenanceId>,
    /// Key and value of the tag with the destination or medium that the incident is about.
    reported: Option<(&'a str, &'a str)>,
}

impl<'a> Conditions<'a> {
    fn new(directory: &'a Directory, occurrence: &Occurrence<'a>) -> Self {
        let is_reported = |tag: &&IncidentTag| matches!(tag.tag.key(), REPORTED_DESTINATION_TAG | REPORTED_MEDIUM_TAG);
        let about = &occurrence.about;
        let own = directory.is_own_source(about.source);
        let reported = about.tags.iter().find(is_reported).filter(|_| own).map(|it| (it.tag.key(), it.tag.value()));
        Self { settings: &directory.settings, maintenance: covering(directory, occurrence), reported }
    }

    /// Returns each destination of a profile whose filters match, with what prevents a notification. If something
    /// prevents all of them, returns only that.
    fn destinations<'s>(
        &self,
        subscription: &'s Subscription,
        occurrence: &Occurrence<'_>,
        notified_by: impl Fn(DestinationId) -> Option<ProfileId>,
    ) -> Vec<(Option<&'s Arc<Destination>>, Option<NearReason>)> {
        let none = subscription.destinations.is_empty().then_some(NearReason::NoDestination);
        let against_all = self.against_all(subscription, occurrence).or(none);
        if against_all.is_some() {
            return vec![(None, against_all)];
        }
        let results = subscription.destinations.iter().map(|destination| {
            let covered =
                notified_by(destination.id).map(|profile| NearReason::Covered(NotificationCause::Profile(profile)));
            (Some(destination), if self.is_reported(destination) { Some(NearReason::Reported) } else { covered })
        });
        results.collect()
    }

    /// Returns what prevents notifications by a rule whose filters match.
    fn against_rule(
        &self,
        rule: &Rule,
        subscription: &Subscription,
        occurrence: &Occurrence<'_>,
    ) -> Option<NearReason> {
        let none = rule.recipients.is_empty().then_some(NearReason::NoDestination);
        self.against_all(subscription, occurrence).or(none)
    }

    fn against_all(&self, subscription: &Subscription, occurrence: &Occurrence<'_>) -> Option<NearReason> {
        let is_open = subscription.timeslot.as_ref().is_some_and(|timeslot| {
            opening_hours::is_open(&timeslot.recurrences, self.settings.time_zone, occurrence.timestamp)
        });
        if !is_open {
            Some(NearReason::OutsideTimeslot(subscription.basis.timeslot()))
        } else if let Some(maintenance) = self.maintenance {
            Some(NearReason::Maintenance(maintenance))
        } else {
            (!self.settings.send).then_some(NearReason::SendingOff)
        }
    }

    fn reported_medium(&self) -> Option<&'a str> {
        self.reported.filter(|(key, _)| *key == REPORTED_MEDIUM_TAG).map(|(_, medium)| medium)
    }

    fn is_reported(&self, destination: &Destination) -> bool {
        match self.reported {
            Some((REPORTED_DESTINATION_TAG, id)) => destination.id.to_string() == id,
            Some((_, medium)) => destination.medium == medium,
            None => false,
        }
    }
}
