//! Saved filters, prepared for judging events. The expensive part, parsing and grouping tags, is done once for each
//! filter and shared by all profiles, rules and planned maintenance that use it. It is not repeated when sources or the
//! fallback filter change.

use std::{ops::Index, sync::Arc};

use imbl::OrdMap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Criteria, Directory, EventTypeSet, FilterBlob, FilterId, FilterSubject, IncidentTag, Level, SourceId, StoredFilter,
    Tag,
    filter::{Mismatch, tag_groups},
    stored_filter::filled,
};

/// The lists of a filter, prepared for lookups. They depend on the filter only.
#[derive(Debug, Default)]
pub struct CompiledCriteria {
    tags: CompiledTags,
    /// Sources that match. Empty: any source.
    sources: FxHashSet<SourceId>,
    /// Source types that match. Empty: any source type.
    source_types: FxHashSet<String>,
}

#[derive(Debug, Default)]
enum CompiledTags {
    #[default]
    Any,
    /// One of the texts is not a valid tag, so nothing matches.
    Never,
    Groups(TagGroups),
}

/// Groups of tags, of each of which an incident must have at least one tag; see [`tag_groups`].
#[derive(Debug)]
struct TagGroups {
    group_of: GroupOf,
    count: usize,
    /// Number of tags in the smallest group.
    smallest: usize,
}

/// Group of each tag. A few tags are compared one by one, which is faster than hashing.
#[derive(Debug)]
enum GroupOf {
    Few(Vec<(Tag, usize)>),
    Many(FxHashMap<Tag, usize>),
}

impl GroupOf {
    const FEW: usize = 8;

    fn new(tags: Vec<(Tag, usize)>) -> Self {
        if tags.len() <= Self::FEW { Self::Few(tags) } else { Self::Many(tags.into_iter().collect()) }
    }

    fn get(&self, tag: &Tag) -> Option<usize> {
        match self {
            Self::Few(tags) => tags.iter().find(|(known, _)| known == tag).map(|(_, group)| *group),
            Self::Many(tags) => tags.get(tag).copied(),
        }
    }

    fn all(&self) -> Vec<(&Tag, usize)> {
        match self {
            Self::Few(tags) => tags.iter().map(|(tag, group)| (tag, *group)).collect(),
            Self::Many(tags) => tags.iter().map(|(tag, group)| (tag, *group)).collect(),
        }
    }
}

impl CompiledCriteria {
    /// Compiles the lists. Takes time in proportion to the filter's size.
    #[must_use]
    pub fn new(blob: &FilterBlob) -> Self {
        Self {
            tags: CompiledTags::new(blob.tags.as_deref().unwrap_or_default()),
            sources: blob.source_ids.iter().flatten().copied().collect(),
            source_types: blob.source_types.iter().flatten().cloned().collect(),
        }
    }
}

impl CompiledTags {
    fn new(texts: &[String]) -> Self {
        if texts.is_empty() {
            return Self::Any;
        }
        let tags: Option<Vec<Tag>> = texts.iter().map(|text| Tag::parse(text).ok()).collect();
        let Some(tags) = tags else { return Self::Never };
        let groups = tag_groups(tags);
        let smallest = groups.iter().map(Vec::len).min().unwrap_or_default();
        let count = groups.len();
        let numbered = groups.into_iter().enumerate();
        let group_of = numbered.flat_map(|(group, tags)| tags.into_iter().map(move |tag| (tag, group))).collect();
        Self::Groups(TagGroups { group_of: GroupOf::new(group_of), count, smallest })
    }
}

impl TagGroups {
    /// Returns the first group of which the incident has no tag. Takes time in proportion to the incident's tags.
    fn missing(&self, tags: &[IncidentTag]) -> Option<usize> {
        let groups = tags.iter().filter_map(|it| self.group_of.get(&it.tag));
        if self.count <= 64 {
            let met = groups.fold(0_u64, |met, group| met | (1 << group));
            return (0..self.count).find(|group| met & (1 << group) == 0);
        }
        let met: FxHashSet<usize> = groups.collect();
        (0..self.count).find(|group| !met.contains(group))
    }
}

/// A saved filter for judging events, completed by the server's fallback filter.
#[derive(Clone, Debug)]
pub struct EventFilter {
    pub id: FilterId,
    /// Event types that match. `None`: all types.
    pub event_types: Option<EventTypeSet>,
    /// All criteria except event types, tags and sources.
    criteria: Criteria,
    /// Lists of the filter or of the fallback filter, whichever applies; the same for the next two fields.
    tags: Arc<CompiledCriteria>,
    sources: Arc<CompiledCriteria>,
    source_types: Arc<CompiledCriteria>,
}

impl EventFilter {
    /// Creates the filter, or returns `None` if it does not exist. The time does not depend on the filter's size.
    /// `fallback` are the lists of the fallback filter in the directory's settings.
    #[must_use]
    pub fn new(id: FilterId, directory: &Directory, fallback: &Arc<CompiledCriteria>) -> Option<Self> {
        let blob = &directory.filters.get(&id)?.blob;
        let own = directory.filters.compiled(id)?;
        let pick = |is_any: bool| Arc::clone(if is_any { fallback } else { own });
        let tags = pick(matches!(own.tags, CompiledTags::Any));
        let can_match = !blob.is_empty() && !matches!(tags.tags, CompiledTags::Never);
        let other = &directory.settings.fallback;
        let types = filled(blob.event_types.as_ref()).or(filled(other.event_types.as_ref()));
        let criteria = if can_match { blob.plain_criteria(other) } else { Criteria::nothing() };
        Some(Self {
            id,
            event_types: types.filter(|_| can_match).map(|kinds| kinds.iter().copied().collect()),
            criteria,
            sources: pick(own.sources.is_empty()),
            source_types: pick(own.source_types.is_empty()),
            tags,
        })
    }

    /// Returns the first criterion that does not hold, except event types. [`Criteria::mismatch`] gives the same result
    /// for the filter's criteria.
    #[must_use]
    pub fn mismatch(&self, about: &FilterSubject<'_>, directory: &Directory) -> Option<Mismatch> {
        let other = self.criteria.mismatch(about);
        if other == Some(Mismatch::Nothing) {
            return other;
        }
        if !self.has_source(about.source, directory) {
            return Some(Mismatch::Source);
        }
        let missing = match &self.tags.tags {
            CompiledTags::Groups(groups) => groups.missing(about.tags).map(Mismatch::Tags),
            CompiledTags::Any | CompiledTags::Never => None,
        };
        missing.or(other)
    }

    fn has_source(&self, source: SourceId, directory: &Directory) -> bool {
        let (ids, types) = (self.source_ids(), self.source_types());
        (ids.is_empty() || ids.contains(&source))
            && (types.is_empty() || directory.source(source).is_some_and(|it| types.contains(&it.source_type)))
    }

    /// Returns whether the filter can match any event.
    #[must_use]
    pub fn can_match(&self) -> bool {
        self.criteria.ids.is_none()
    }

    /// Returns whether the filter can match an event of an incident of this level.
    #[must_use]
    pub fn allows_level(&self, level: Level) -> bool {
        self.criteria.max_level.is_none_or(|max| level.get() <= max)
    }

    /// Returns the number of tags in the smallest group. `None`: no tags are required.
    #[must_use]
    pub fn needed_tags_count(&self) -> Option<usize> {
        self.groups().map(|groups| groups.smallest)
    }

    /// Returns each tag with its group. Groups are numbered from 0, and an incident must have a tag of each group.
    #[must_use]
    pub fn grouped_tags(&self) -> Vec<(&Tag, usize)> {
        self.groups().map(|groups| groups.group_of.all()).unwrap_or_default()
    }

    /// Returns the sources that match. Empty: any source.
    #[must_use]
    pub fn source_ids(&self) -> &FxHashSet<SourceId> {
        &self.sources.sources
    }

    /// Returns the source types that match. Empty: any source type.
    #[must_use]
    pub fn source_types(&self) -> &FxHashSet<String> {
        &self.source_types.source_types
    }

    fn groups(&self) -> Option<&TagGroups> {
        match &self.tags.tags {
            CompiledTags::Groups(groups) => Some(groups),
            CompiledTags::Any | CompiledTags::Never => None,
        }
    }
}

/// All saved filters with their compiled lists.
#[derive(Clone, Debug, Default)]
pub struct FilterTable {
    stored: OrdMap<FilterId, Arc<StoredFilter>>,
    compiled: OrdMap<FilterId, Arc<CompiledCriteria>>,
}

impl FilterTable {
    /// Adds or replaces a filter, and compiles its lists unless its criteria did not change. Returns the replaced
    /// filter.
    pub fn insert(&mut self, id: FilterId, filter: Arc<StoredFilter>) -> Option<Arc<StoredFilter>> {
        let compiled = self.compiled_as(&filter).unwrap_or_else(|| Arc::new(CompiledCriteria::new(&filter.blob)));
        self.compiled.insert(id, compiled);
        self.stored.insert(id, filter)
    }

    /// Adds or replaces a filter whose lists are compiled already. Returns the replaced filter.
    pub fn insert_compiled(
        &mut self,
        filter: Arc<StoredFilter>,
        compiled: Arc<CompiledCriteria>,
    ) -> Option<Arc<StoredFilter>> {
        self.compiled.insert(filter.id, compiled);
        self.stored.insert(filter.id, filter)
    }

    pub fn remove(&mut self, id: &FilterId) -> Option<Arc<StoredFilter>> {
        self.compiled.remove(id);
        self.stored.remove(id)
    }

    #[must_use]
    pub fn get(&self, id: &FilterId) -> Option<&Arc<StoredFilter>> {
        self.stored.get(id)
    }

    #[must_use]
    pub fn compiled(&self, id: FilterId) -> Option<&Arc<CompiledCriteria>> {
        self.compiled.get(&id)
    }

    /// Returns the compiled lists of the stored filter with the same id, if it has the same criteria.
    #[must_use]
    pub fn compiled_as(&self, filter: &StoredFilter) -> Option<Arc<CompiledCriteria>> {
        let known = self.stored.get(&filter.id).filter(|known| known.blob == filter.blob)?;
        self.compiled.get(&known.id).cloned()
    }

    #[must_use]
    pub fn contains_key(&self, id: &FilterId) -> bool {
        self.stored.contains_key(id)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Returns the ids in ascending order.
    pub fn keys(&self) -> impl Iterator<Item = &FilterId> {
        self.stored.keys()
    }

    /// Returns the filters in the order of their ids.
    pub fn values(&self) -> impl Iterator<Item = &Arc<StoredFilter>> {
        self.stored.values()
    }

    /// Returns ids and filters in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (&FilterId, &Arc<StoredFilter>)> {
        self.stored.iter()
    }

    /// Returns the filters as a persistent map, which is compared with an earlier version in little time.
    #[must_use]
    pub fn stored(&self) -> &OrdMap<FilterId, Arc<StoredFilter>> {
        &self.stored
    }
}

impl Index<&FilterId> for FilterTable {
    type Output = Arc<StoredFilter>;

    fn index(&self, id: &FilterId) -> &Arc<StoredFilter> {
        &self.stored[id]
    }
}

/// Filters of one configuration, each prepared at most once, when it is first used.
pub struct CompiledFilters<'a> {
    directory: &'a Directory,
    fallback: Arc<CompiledCriteria>,
    ready: FxHashMap<FilterId, Option<Arc<EventFilter>>>,
}

impl<'a> CompiledFilters<'a> {
    #[must_use]
    pub fn new(directory: &'a Directory) -> Self {
        let fallback = Arc::new(CompiledCriteria::new(&directory.settings.fallback));
        Self { directory, fallback, ready: FxHashMap::default() }
    }

    /// Returns the filters in the given order, without those that do not exist.
    pub fn all(&mut self, ids: &[FilterId]) -> Vec<Arc<EventFilter>> {
        ids.iter().filter_map(|id| self.get(*id)).collect()
    }

    fn get(&mut self, id: FilterId) -> Option<Arc<EventFilter>> {
        let (directory, fallback) = (self.directory, &self.fallback);
        let make = || EventFilter::new(id, directory, fallback).map(Arc::new);
        self.ready.entry(id).or_insert_with(make).clone()
    }
}

/// Results of filters for one incident or event. Each filter is evaluated at most once.
pub struct FilterResults<'a> {
    filters: CompiledFilters<'a>,
    about: &'a FilterSubject<'a>,
    /// Results so far. `None`: the filter does not exist.
    known: FxHashMap<FilterId, Option<bool>>,
}

impl<'a> FilterResults<'a> {
    #[must_use]
    pub fn new(directory: &'a Directory, about: &'a FilterSubject<'a>) -> Self {
        Self { filters: CompiledFilters::new(directory), about, known: FxHashMap::default() }
    }

    /// Returns whether all existing filters of `ids` match, and at least one exists.
    pub fn all_match(&mut self, ids: &[FilterId]) -> bool {
        let mut any = false;
        for id in ids {
            match self.matches(*id) {
                Some(true) => any = true,
                Some(false) => return false,
                None => {}
            }
        }
        any
    }

    fn matches(&mut self, id: FilterId) -> Option<bool> {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let filter = EventFilter::new(id, self.filters.directory, &self.filters.fallback);
        let matches = filter.map(|filter| filter.mismatch(self.about, self.filters.directory).is_none());
        self.known.insert(id, matches);
        matches
    }
}
