//! Profiles and rules made ready to be judged, and found by what they are about.
//!
//! Everything is resolved once per change of the configuration; an event then meets only the profiles that its source,
//! its tags or its level and type lead to, however many others there are.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{
    destination::Destination,
    directory::{DecisionSettings, Directory},
    event::{EventType, EventTypeSet},
    filter::{About, Criteria, Mismatch},
    ids::{FilterId, SourceId, TimeslotId},
    maintenance::Maintenance,
    plan::Cause,
    profile::Profile,
    rule::Rule,
    severity::Level,
    tag::Tag,
    time::Timestamp,
    timeslot::Timeslot,
};

/// A stored filter as events are judged by it.
#[derive(Clone, Debug)]
pub struct EventFilter {
    pub id: FilterId,
    /// All but the event types; with the fallback filter's values where it has none of its own.
    pub criteria: Criteria,
    /// `None`: all.
    pub event_types: Option<EventTypeSet>,
}

/// What says that somebody wants to be told.
#[derive(Clone, Debug)]
pub enum Basis {
    Profile(Arc<Profile>),
    Rule(Arc<Rule>),
}

impl Basis {
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Profile(profile) => Cause::Profile(profile.id),
            Self::Rule(rule) => Cause::Rule(rule.id),
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

/// A profile or a rule with all that hangs on it.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub basis: Basis,
    /// Of rules true in any case.
    pub owner_is_active: bool,
    pub filters: Vec<EventFilter>,
    pub timeslot: Option<Arc<Timeslot>>,
    /// Of a profile, those that exist.
    pub destinations: Vec<Arc<Destination>>,
}

#[derive(Clone, Debug)]
pub struct MaintenanceTask {
    pub maintenance: Arc<Maintenance>,
    pub filters: Vec<EventFilter>,
}

impl MaintenanceTask {
    /// It is on at that time, and all its filters match (contract section 18).
    #[must_use]
    pub fn covers(&self, at: Timestamp, about: &About<'_>) -> bool {
        self.maintenance.covers(at) && !self.filters.is_empty() && mismatch(&self.filters, about).is_none()
    }
}

/// All that can lead to somebody being told.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions {
    /// Of the directory that they were made from.
    pub revision: u64,
    pub settings: Arc<DecisionSettings>,
    /// Of the server itself.
    pub own_source: Option<SourceId>,
    pub maintenance: Vec<MaintenanceTask>,
    /// Of active profiles of active users, by id, and then of active rules.
    all: Vec<Subscription>,
    by_tag: FxHashMap<String, Vec<u32>>,
    by_source: FxHashMap<SourceId, Vec<u32>>,
    /// Those that ask for neither, by level and event type.
    others: Vec<Vec<u32>>,
}

const TYPES: usize = EventType::ALL.len();
const LEVELS: usize = 5;

impl EventFilter {
    /// `None` if there is no such filter.
    #[must_use]
    pub fn new(id: FilterId, directory: &Directory) -> Option<Self> {
        let blob = &directory.filters.get(&id)?.blob;
        let mut criteria = if blob.is_empty() {
            Criteria::nothing()
        } else {
            blob.or(&directory.settings.fallback).to_criteria(directory)
        };
        let event_types = std::mem::take(&mut criteria.event_types).pop();
        Some(Self { id, criteria, event_types })
    }
}

impl Subscription {
    #[must_use]
    pub fn new(profile: &Arc<Profile>, directory: &Directory) -> Self {
        Self {
            basis: Basis::Profile(Arc::clone(profile)),
            owner_is_active: directory.user(profile.owner).is_some_and(|owner| owner.is_active),
            filters: filters(&profile.filters, directory),
            timeslot: directory.timeslots.get(&profile.timeslot).cloned(),
            destinations: profile
                .destinations
                .iter()
                .filter_map(|id| directory.destinations.get(id))
                .cloned()
                .collect(),
        }
    }

    #[must_use]
    pub fn of_rule(rule: &Arc<Rule>, directory: &Directory) -> Self {
        Self {
            basis: Basis::Rule(Arc::clone(rule)),
            owner_is_active: true,
            filters: filters(&rule.filters, directory),
            timeslot: directory.timeslots.get(&rule.timeslot).cloned(),
            destinations: Vec::new(),
        }
    }

    /// The tags of which an incident has at least one; the fewest that any filter asks for. `None`: none are needed.
    fn tags(&self) -> Option<Vec<&str>> {
        let groups = self.filters.iter().flat_map(|filter| &filter.criteria.tags);
        groups.min_by_key(|group| group.len()).map(|group| group.iter().map(Tag::as_str).collect())
    }

    fn sources(&self) -> Option<Vec<SourceId>> {
        let sets: Vec<_> = self.filters.iter().filter_map(|filter| filter.criteria.sources.as_ref()).collect();
        let smallest = sets.iter().min_by_key(|set| set.len())?;
        Some(smallest.iter().copied().filter(|id| sets.iter().all(|set| set.contains(id))).collect())
    }

    fn may_match(&self, level: Level, kind: EventType) -> bool {
        self.filters.iter().all(|filter| filter.criteria.max_level.is_none_or(|max| level.get() <= max))
            && lets_through(&self.filters, kind)
    }

    /// Can any event ever get through the filters?
    fn is_hopeless(&self) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|it| it.criteria.ids.is_some())
    }
}

/// At least one filter does not mind the type (contract section 19.2).
#[must_use]
pub fn lets_through(filters: &[EventFilter], kind: EventType) -> bool {
    filters.iter().any(|filter| filter.event_types.is_none_or(|types| types.contains(kind)))
}

/// In order; those that do not exist are left out.
#[must_use]
pub fn filters(ids: &[FilterId], directory: &Directory) -> Vec<EventFilter> {
    ids.iter().filter_map(|id| EventFilter::new(*id, directory)).collect()
}

/// By id.
#[must_use]
pub fn maintenance_tasks(directory: &Directory) -> Vec<MaintenanceTask> {
    let task = |maintenance: &Arc<Maintenance>| MaintenanceTask {
        filters: filters(&maintenance.filters, directory),
        maintenance: Arc::clone(maintenance),
    };
    directory.maintenances_sorted().into_iter().map(task).collect()
}

impl Subscriptions {
    #[must_use]
    pub fn compile(directory: &Directory) -> Self {
        let mut compiled = Self {
            revision: directory.revision,
            settings: Arc::clone(&directory.settings),
            own_source: directory.own_source(),
            maintenance: maintenance_tasks(directory),
            others: vec![Vec::new(); LEVELS * TYPES],
            ..Self::default()
        };
        for profile in directory.profiles_where(|profile| profile.active) {
            let subscription = Subscription::new(profile, directory);
            if subscription.owner_is_active && !subscription.is_hopeless() {
                compiled.add(subscription);
            }
        }
        for rule in directory.rules_sorted().into_iter().filter(|rule| rule.active) {
            let subscription = Subscription::of_rule(rule, directory);
            if !subscription.is_hopeless() {
                compiled.add(subscription);
            }
        }
        compiled
    }

    /// Those that an event with these properties could concern, profiles before rules, each by id; most of the others are left out.
    #[must_use]
    pub fn candidates<'a>(
        &self,
        source: SourceId,
        tags: impl Iterator<Item = &'a str>,
        level: Level,
        kind: EventType,
    ) -> Vec<&Subscription> {
        let mut found: Vec<u32> = Vec::new();
        if !self.by_tag.is_empty() {
            for tag in tags {
                found.extend(self.by_tag.get(tag).into_iter().flatten());
            }
        }
        found.extend(self.by_source.get(&source).into_iter().flatten());
        found.extend(self.others.get(place(level, kind)).into_iter().flatten());
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|index| self.all.get(index as usize)).collect()
    }

    fn add(&mut self, subscription: Subscription) {
        let index = self.all.len() as u32;
        if let Some(tags) = subscription.tags() {
            for tag in tags {
                self.by_tag.entry(tag.to_owned()).or_default().push(index);
            }
        } else if let Some(sources) = subscription.sources() {
            for source in sources {
                self.by_source.entry(source).or_default().push(index);
            }
        } else {
            for level in (1..=5).filter_map(Level::new) {
                for kind in EventType::ALL.into_iter().filter(|kind| subscription.may_match(level, *kind)) {
                    if let Some(bucket) = self.others.get_mut(place(level, kind)) {
                        bucket.push(index);
                    }
                }
            }
        }
        self.all.push(subscription);
    }
}

fn place(level: Level, kind: EventType) -> usize {
    (usize::from(level.get()) - 1) * TYPES + kind as usize
}

/// The first filter that does not match, and why.
#[must_use]
pub fn mismatch(filters: &[EventFilter], about: &About<'_>) -> Option<(FilterId, Mismatch)> {
    filters.iter().find_map(|filter| Some((filter.id, filter.criteria.mismatch(about)?)))
}
