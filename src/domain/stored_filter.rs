//! Filters that users keep (contract section 14). What they mean is said by [`Criteria`], the one filter language.

mod draft;

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::{
    directory::Directory,
    event::EventType,
    filter::{Criteria, tag_groups},
    ids::{FilterId, SourceId, UserId},
    severity::Level,
    tag::Tag,
};

pub use draft::{BlobEdit, FilterDraft, check_size};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFilter {
    pub id: FilterId,
    pub owner: UserId,
    /// Unique per owner.
    pub name: String,
    /// Others may read and use it too.
    pub public: bool,
    pub blob: FilterBlob,
}

/// Criteria as their owner gave them, all of which must hold; what is `None`, empty or false does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterBlob {
    pub source_ids: Option<Vec<SourceId>>,
    pub source_types: Option<Vec<String>>,
    /// Texts that need not be valid tags: those that are not match nothing.
    pub tags: Option<Vec<String>>,
    pub open: Option<bool>,
    pub acked: Option<bool>,
    pub stateful: Option<bool>,
    pub max_level: Option<Level>,
    pub event_types: Option<Vec<EventType>>,
    pub hide_closed_acked: bool,
}

impl StoredFilter {
    #[must_use]
    pub fn is_usable_by(&self, user: UserId) -> bool {
        self.public || self.owner == user
    }
}

impl FilterBlob {
    /// Without any criterion; such a blob matches nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        filled(self.source_ids.as_ref()).is_none()
            && filled(self.source_types.as_ref()).is_none()
            && filled(self.tags.as_ref()).is_none()
            && filled(self.event_types.as_ref()).is_none()
            && self.open.is_none()
            && self.acked.is_none()
            && self.stateful.is_none()
            && self.max_level.is_none()
            && !self.hide_closed_acked
    }

    /// Takes from `fallback` the criteria that this does not set.
    #[must_use]
    pub fn or(&self, fallback: &Self) -> Self {
        fn list<T: Clone>(own: Option<&Vec<T>>, other: Option<&Vec<T>>) -> Option<Vec<T>> {
            filled(own).or(other).cloned()
        }
        Self {
            source_ids: list(self.source_ids.as_ref(), fallback.source_ids.as_ref()),
            source_types: list(self.source_types.as_ref(), fallback.source_types.as_ref()),
            tags: list(self.tags.as_ref(), fallback.tags.as_ref()),
            open: self.open.or(fallback.open),
            acked: self.acked.or(fallback.acked),
            stateful: self.stateful.or(fallback.stateful),
            max_level: self.max_level.or(fallback.max_level),
            event_types: list(self.event_types.as_ref(), fallback.event_types.as_ref()),
            hide_closed_acked: self.hide_closed_acked || fallback.hide_closed_acked,
        }
    }

    /// Bytes of the lists as JSON, escapes and what is no list aside.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let quoted = |text: &String| text.len() + r#""","#.len();
        let texts = self.source_types.iter().chain(&self.tags).flatten().map(quoted);
        let ids = self.source_ids.iter().flatten().map(|id| id.to_string().len() + ",".len());
        let kinds = self.event_types.iter().flatten().map(|kind| kind.code().len() + r#""","#.len());
        texts.chain(ids).chain(kinds).sum()
    }

    #[must_use]
    pub fn to_criteria(&self, directory: &Directory) -> Criteria {
        if self.is_empty() {
            return Criteria::nothing();
        }
        let tags: Option<Vec<Tag>> = self.tags.iter().flatten().map(|text| Tag::parse(text).ok()).collect();
        // Of a key that no tag can have there is no other alternative either.
        let Some(tags) = tags else { return Criteria::nothing() };
        Criteria {
            open: self.open,
            acked: self.acked,
            stateful: self.stateful,
            tags: tag_groups(tags),
            sources: self.sources(directory),
            max_level: self.max_level.map(Level::get),
            event_types: filled(self.event_types.as_ref())
                .map(|kinds| kinds.iter().copied().collect())
                .into_iter()
                .collect(),
            hide_closed_acked: self.hide_closed_acked,
            ..Criteria::default()
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

/// `None` for an empty list.
pub(super) fn filled<T>(list: Option<&Vec<T>>) -> Option<&Vec<T>> {
    list.filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests;
