//! Finds the profiles and rules whose filters match an event. Each filter is evaluated at most once for an event, even
//! if many profiles use it. Filters that the event's tags, source, level and type exclude are not evaluated.
//!
//! [`Matcher::update`] compares the matcher with the configuration and updates what differs, whatever the cause of the
//! difference. Timeslots, destinations, owners and planned maintenance are not part of it; they are looked up when an
//! event matches.

use std::{collections::hash_map::Entry, hash::Hash, sync::Arc};

use imbl::{OrdMap, ordmap::DiffItem};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Directory, EventType, FilterBlob, FilterId, FilterSubject, Level, Profile, ProfileId, Rule, RuleId, SourceId,
    StoredFilter, Tag,
    event_filter::{CompiledCriteria, EventFilter},
    plan::NotificationCause,
    subscription::Basis,
};

const TYPES: usize = EventType::ALL.len();
const LEVELS: usize = 5;

/// Index of a filter in [`Matcher::slots`].
type SlotId = u32;

/// Active profiles and rules, indexed by what their filters require.
#[derive(Debug, Default)]
pub struct Matcher {
    /// The configuration at the last update.
    filters: OrdMap<FilterId, Arc<StoredFilter>>,
    profiles: OrdMap<ProfileId, Arc<Profile>>,
    rules: OrdMap<RuleId, Arc<Rule>>,
    fallback: FilterBlob,

    fallback_lists: Arc<CompiledCriteria>,
    subscribers: FxHashMap<NotificationCause, Subscriber>,
    slots: Vec<FilterSlot>,
    slot_of: FxHashMap<FilterId, SlotId>,
    unused: Vec<SlotId>,
    by_tag: FxHashMap<Tag, FxHashSet<SlotId>>,
    by_source: FxHashMap<SourceId, FxHashSet<SlotId>>,
    by_source_type: FxHashMap<String, FxHashSet<SlotId>>,
    /// Profiles and rules whose filters require neither tags nor sources, by level and event type.
    others: FxHashMap<(Level, EventType), FxHashSet<NotificationCause>>,
}

/// A filter that is in use.
#[derive(Debug, Default)]
struct FilterSlot {
    /// `None`: the filter does not exist. Profiles and rules that name it are judged without it.
    filter: Option<EventFilter>,
    /// The group of its tags by which it is listed in [`Matcher::by_tag`].
    group: Option<usize>,
    /// Number of times that profiles and rules name it.
    uses: usize,
    /// Profiles and rules that are considered only if this filter matches.
    leads_to: FxHashSet<NotificationCause>,
}

#[derive(Debug)]
struct Subscriber {
    basis: Basis,
    slots: Box<[SlotId]>,
    found_by: FoundBy,
}

/// The index by which a profile or rule is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FoundBy {
    /// No index, because its filters match no event.
    Nothing,
    /// One of its filters: the one that requires the fewest tags, or without tags the fewest sources.
    Filter(SlotId),
    LevelAndType,
}

/// Result of a filter for the current event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FilterAnswer {
    Unknown,
    No,
    Yes,
}

impl Matcher {
    #[must_use]
    pub fn new(directory: &Directory) -> Self {
        let mut matcher = Self::default();
        matcher.update(directory);
        matcher
    }

    /// Updates the matcher to the configuration. Takes time in proportion to what changed since the last call, and to
    /// the number of profiles and rules if a filter in use changed.
    pub fn update(&mut self, directory: &Directory) {
        if directory.settings.fallback != self.fallback {
            let fallback = directory.settings.fallback.clone();
            let fallback_lists = Arc::new(CompiledCriteria::new(&fallback));
            *self = Self { fallback, fallback_lists, ..Self::default() };
        }
        let filters = directory.filters.stored();
        let changed = changes(&self.filters, filters);
        self.filters.clone_from(filters);
        self.renew_filters(changed.into_iter().map(|(id, _)| id), directory);
        let profiles = changes(&self.profiles, &directory.profiles);
        self.profiles.clone_from(&directory.profiles);
        for (id, profile) in profiles {
            let active = profile.filter(|profile| profile.active).map(Basis::Profile);
            self.replace(NotificationCause::Profile(id), active, directory);
        }
        let rules = changes(&self.rules, &directory.rules);
        self.rules.clone_from(&directory.rules);
        for (id, rule) in rules {
            let active = rule.filter(|rule| rule.active).map(Basis::Rule);
            self.replace(NotificationCause::Rule(id), active, directory);
        }
    }

    /// Returns the active profiles and rules whose filters match the event: first profiles, then rules, each by id.
    #[must_use]
    pub fn matching(&self, about: &FilterSubject<'_>, kind: EventType, directory: &Directory) -> Vec<&Basis> {
        let mut answers = vec![FilterAnswer::Unknown; self.slots.len()];
        let mut found: Vec<NotificationCause> = Vec::new();
        let tags = about.tags.iter().filter_map(|it| self.by_tag.get(&it.tag));
        let source = self.by_source.get(&about.source);
        let source_type = match directory.source(about.source) {
            Some(source) if !self.by_source_type.is_empty() => self.by_source_type.get(&source.source_type),
            _ => None,
        };
        for id in tags.chain(source).chain(source_type).flatten() {
            let is_new = answers.get(*id as usize).is_some_and(|answer| *answer == FilterAnswer::Unknown);
            if is_new && self.ask(*id, about, directory, &mut answers) != FilterAnswer::No {
                found.extend(self.slot(*id).into_iter().flat_map(|slot| &slot.leads_to));
            }
        }
        found.extend(self.others.get(&(about.level, kind)).into_iter().flatten());
        found.sort_unstable();
        let subscribers = found.iter().filter_map(|cause| self.subscribers.get(cause));
        let matching = subscribers.filter(|it| {
            let mut lets_through = false;
            let all_match = it.slots.iter().all(|id| {
                let filter = self.slot(*id).and_then(|slot| slot.filter.as_ref());
                let types = filter.map(|filter| filter.event_types);
                lets_through |= types.is_some_and(|types| types.is_none_or(|types| types.contains(kind)));
                filter.is_none() || self.ask(*id, about, directory, &mut answers) == FilterAnswer::Yes
            });
            all_match && lets_through
        });
        matching.map(|it| &it.basis).collect()
    }

    /// Evaluates a filter, unless its result is known. Never returns [`FilterAnswer::Unknown`] for a filter that
    /// exists.
    fn ask(
        &self,
        id: SlotId,
        about: &FilterSubject<'_>,
        directory: &Directory,
        answers: &mut [FilterAnswer],
    ) -> FilterAnswer {
        let Some(answer) = answers.get_mut(id as usize) else { return FilterAnswer::Unknown };
        let filter = self.slot(id).and_then(|slot| slot.filter.as_ref());
        if let Some(filter) = filter.filter(|_| *answer == FilterAnswer::Unknown) {
            *answer = if filter.mismatch(about, directory).is_none() { FilterAnswer::Yes } else { FilterAnswer::No };
        }
        *answer
    }

    fn slot(&self, id: SlotId) -> Option<&FilterSlot> {
        self.slots.get(id as usize)
    }

    /// Updates filters that were changed, created or deleted, and the indexes by which profiles and rules with them are
    /// found.
    fn renew_filters(&mut self, ids: impl Iterator<Item = FilterId>, directory: &Directory) {
        let mut renewed: FxHashSet<SlotId> = FxHashSet::default();
        for id in ids {
            if let Some(slot) = self.slot_of.get(&id).copied() {
                self.set_filter(slot, EventFilter::new(id, directory, &self.fallback_lists));
                renewed.insert(slot);
            }
        }
        if renewed.is_empty() {
            return;
        }
        let concerned = self.subscribers.iter().filter(|(_, it)| it.slots.iter().any(|slot| renewed.contains(slot)));
        let concerned: Vec<NotificationCause> = concerned.map(|(cause, _)| *cause).collect();
        for cause in concerned {
            if let Some(mut subscriber) = self.subscribers.remove(&cause) {
                self.unlink(cause, &subscriber);
                subscriber.found_by = self.link(cause, &subscriber.slots);
                self.subscribers.insert(cause, subscriber);
            }
        }
    }

    /// Replaces a profile or rule. `None`: it was deleted, or is not active.
    fn replace(&mut self, cause: NotificationCause, by: Option<Basis>, directory: &Directory) {
        let before = self.subscribers.remove(&cause);
        if let Some(before) = &before {
            self.unlink(cause, before);
        }
        if let Some(basis) = by {
            let slots: Box<[SlotId]> = basis.filters().iter().map(|id| self.take_slot(*id, directory)).collect();
            let found_by = self.link(cause, &slots);
            self.subscribers.insert(cause, Subscriber { basis, slots, found_by });
        }
        // Last, so that a filter that stays in use is not removed from the indexes and added again.
        for (id, slot) in before.iter().flat_map(|it| it.basis.filters().iter().zip(&it.slots)) {
            self.give_back(*id, *slot);
        }
    }

    fn take_slot(&mut self, id: FilterId, directory: &Directory) -> SlotId {
        let slot = match self.slot_of.entry(id) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let slot = self.unused.pop().unwrap_or_else(|| {
                    self.slots.push(FilterSlot::default());
                    (self.slots.len() - 1) as SlotId
                });
                vacant.insert(slot);
                self.set_filter(slot, EventFilter::new(id, directory, &self.fallback_lists));
                slot
            }
        };
        if let Some(slot) = self.slots.get_mut(slot as usize) {
            slot.uses += 1;
        }
        slot
    }

    fn give_back(&mut self, id: FilterId, slot: SlotId) {
        let Some(known) = self.slots.get_mut(slot as usize) else { return };
        known.uses -= 1;
        if known.uses == 0 {
            self.set_filter(slot, None);
            self.slot_of.remove(&id);
            self.unused.push(slot);
        }
    }

    /// Replaces a filter and updates the indexes.
    fn set_filter(&mut self, id: SlotId, filter: Option<EventFilter>) {
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        if let Some(before) = &slot.filter {
            for (tag, _) in before.grouped_tags().into_iter().filter(|(_, group)| slot.group == Some(*group)) {
                leave(&mut self.by_tag, tag, id);
            }
            if before.needed_tags_count().is_none() {
                for source in before.source_ids() {
                    leave(&mut self.by_source, source, id);
                }
                if before.source_ids().is_empty() {
                    for source_type in before.source_types() {
                        leave(&mut self.by_source_type, source_type, id);
                    }
                }
            }
        }
        slot.group = None;
        if let Some(after) = &filter {
            slot.group = rarest_group(after, &self.by_tag);
            for (tag, _) in after.grouped_tags().into_iter().filter(|(_, group)| slot.group == Some(*group)) {
                self.by_tag.entry(tag.clone()).or_default().insert(id);
            }
            if after.needed_tags_count().is_none() {
                for source in after.source_ids() {
                    self.by_source.entry(*source).or_default().insert(id);
                }
                if after.source_ids().is_empty() {
                    for source_type in after.source_types() {
                        self.by_source_type.entry(source_type.clone()).or_default().insert(id);
                    }
                }
            }
        }
        slot.filter = filter;
    }

    fn link(&mut self, cause: NotificationCause, slots: &[SlotId]) -> FoundBy {
        let found_by = self.found_by(slots);
        match found_by {
            FoundBy::Nothing => {}
            FoundBy::Filter(id) => {
                if let Some(slot) = self.slots.get_mut(id as usize) {
                    slot.leads_to.insert(cause);
                }
            }
            FoundBy::LevelAndType => {
                for place in self.levels_and_types(slots) {
                    self.others.entry(place).or_default().insert(cause);
                }
            }
        }
        found_by
    }

    /// Removes what `link` added. The filters may have changed since.
    fn unlink(&mut self, cause: NotificationCause, subscriber: &Subscriber) {
        match subscriber.found_by {
            FoundBy::Nothing => {}
            FoundBy::Filter(id) => {
                if let Some(slot) = self.slots.get_mut(id as usize) {
                    slot.leads_to.remove(&cause);
                }
            }
            FoundBy::LevelAndType => {
                self.others.retain(|_, causes| {
                    causes.remove(&cause);
                    !causes.is_empty()
                });
            }
        }
    }

    fn found_by(&self, slots: &[SlotId]) -> FoundBy {
        let filters = || slots.iter().filter_map(|id| Some((*id, self.slot(*id)?.filter.as_ref()?)));
        if filters().next().is_none() || filters().any(|(_, filter)| !filter.can_match()) {
            return FoundBy::Nothing;
        }
        let by_tags = filters().filter_map(|(id, filter)| Some((filter.needed_tags_count()?, id)));
        if let Some((_, id)) = by_tags.min() {
            return FoundBy::Filter(id);
        }
        let by_sources = filters().filter_map(|(id, filter)| {
            let (ids, types) = (filter.source_ids().len(), filter.source_types().len());
            // A type usually has many sources.
            let rank = if ids > 0 { (0, ids) } else { (1, types) };
            (ids > 0 || types > 0).then_some((rank, id))
        });
        by_sources.min().map_or(FoundBy::LevelAndType, |(_, id)| FoundBy::Filter(id))
    }

    fn levels_and_types(&self, slots: &[SlotId]) -> Vec<(Level, EventType)> {
        let filters = || slots.iter().filter_map(|id| self.slot(*id)?.filter.as_ref());
        let levels = (1..=LEVELS as u8).filter_map(Level::new);
        let levels = levels.filter(|level| filters().all(|filter| filter.allows_level(*level)));
        let is_let_through =
            |kind: EventType| filters().any(|filter| filter.event_types.is_none_or(|types| types.contains(kind)));
        let kinds: Vec<EventType> = EventType::ALL.into_iter().filter(|kind| is_let_through(*kind)).collect();
        let mut places = Vec::with_capacity(LEVELS * TYPES);
        for level in levels {
            places.extend(kinds.iter().map(|kind| (level, *kind)));
        }
        places
    }
}

/// Returns the group whose tags lead to the fewest other filters. So a tag that most filters name, such as the site's,
/// leads to few of them. `None`: the filter requires no tags.
fn rarest_group(filter: &EventFilter, by_tag: &FxHashMap<Tag, FxHashSet<SlotId>>) -> Option<usize> {
    let mut leads_to: Vec<usize> = Vec::new();
    for (tag, group) in filter.grouped_tags() {
        if leads_to.len() <= group {
            leads_to.resize(group + 1, 0);
        }
        if let Some(sum) = leads_to.get_mut(group) {
            *sum += 1 + by_tag.get(tag).map_or(0, FxHashSet::len);
        }
    }
    leads_to.iter().enumerate().min_by_key(|(_, sum)| **sum).map(|(group, _)| group)
}

fn leave<K: Hash + Eq>(index: &mut FxHashMap<K, FxHashSet<SlotId>>, key: &K, slot: SlotId) {
    if let Some(slots) = index.get_mut(key) {
        slots.remove(&slot);
        if slots.is_empty() {
            index.remove(key);
        }
    }
}

/// Returns the differences. `None`: deleted. Takes little time if the maps share most of their nodes.
fn changes<K: Copy + Ord, V: Eq>(before: &OrdMap<K, Arc<V>>, after: &OrdMap<K, Arc<V>>) -> Vec<(K, Option<Arc<V>>)> {
    let change = |item: DiffItem<'_, '_, K, Arc<V>>| match item {
        DiffItem::Add(key, value) | DiffItem::Update { new: (key, value), .. } => (*key, Some(Arc::clone(value))),
        DiffItem::Remove(key, _) => (*key, None),
    };
    before.diff(after).map(change).collect()
}

#[cfg(test)]
mod tests;
