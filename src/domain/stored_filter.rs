//! Saved filters (contract section 14). They are evaluated as [`Criteria`], the one filter language.

mod draft;

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

pub use super::criterion::FilterBlob;
use super::{Criteria, Directory, FilterId, SourceId, Tag, UserId, criterion::Given, filter::tag_groups};

pub use draft::{BlobEdit, FilterDraft, check_size};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFilter {
    pub id: FilterId,
    pub owner: UserId,
    /// Name, unique among the owner's filters.
    pub name: String,
    /// Whether other users may read and use it.
    pub public: bool,
    pub blob: FilterBlob,
}

impl StoredFilter {
    #[must_use]
    pub fn is_usable_by(&self, user: UserId) -> bool {
        self.public || self.owner == user
    }
}

impl FilterBlob {
    /// Returns whether no criterion is set. Such a blob matches nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.given().any(|(_, given)| given.is_set())
    }

    /// Returns these criteria, with those that are not set taken from `fallback`.
    #[must_use]
    pub fn or(&self, fallback: &Self) -> Self {
        self.merged(fallback, |_, given| given.is_set())
    }

    /// Returns the length of the lists as JSON in bytes, without escapes and other criteria.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lists = self.given().filter(|(_, given)| given.is_list());
        let bytes = lists.flat_map(|(_, given)| {
            let around = if matches!(given, Given::Sources(_)) { "," } else { r#""","# };
            given.texts().into_iter().map(|item| item.len() + around.len())
        });
        bytes.sum()
    }

    /// Returns all criteria except lists. Those that are not set are taken from `fallback`. The time does not depend on
    /// the size of the lists.
    #[must_use]
    pub fn plain_criteria(&self, fallback: &Self) -> Criteria {
        let mut criteria = Criteria::default();
        for (criterion, given) in self.given() {
            (criterion.narrow)(if given.is_set() { self } else { fallback }, &mut criteria);
        }
        criteria
    }

    #[must_use]
    pub fn to_criteria(&self, directory: &Directory) -> Criteria {
        if self.is_empty() {
            return Criteria::nothing();
        }
        let tags: Option<Vec<Tag>> = self.tags.iter().flatten().map(|text| Tag::parse(text).ok()).collect();
        // A text that cannot be a tag matches nothing, and alternatives with the same key cannot be tags either.
        let Some(tags) = tags else { return Criteria::nothing() };
        let event_types = filled(self.event_types.as_ref()).map(|kinds| kinds.iter().copied().collect());
        Criteria {
            tags: tag_groups(tags),
            sources: self.sources(directory),
            event_types: event_types.into_iter().collect(),
            ..self.plain_criteria(self)
        }
    }

    fn sources(&self, directory: &Directory) -> Option<BTreeSet<SourceId>> {
        let ids = filled(self.source_ids.as_ref());
        let types = filled(self.source_types.as_ref());
        let Some(types) = types else { return ids.map(|ids| ids.iter().copied().collect()) };
        let types: FxHashSet<&String> = types.iter().collect();
        let ids: Option<FxHashSet<SourceId>> = ids.map(|ids| ids.iter().copied().collect());
        let of_type = directory.sources.values().filter(|source| types.contains(&source.source_type));
        Some(of_type.map(|source| source.id).filter(|id| ids.as_ref().is_none_or(|ids| ids.contains(id))).collect())
    }
}

/// Returns the list. `None` if it is empty.
pub(super) fn filled<T>(list: Option<&Vec<T>>) -> Option<&Vec<T>> {
    list.filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests;
