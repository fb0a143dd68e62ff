//! Suggestions for a tag that is being typed.

use rustc_hash::FxHashMap;

use super::{
    Search, SearchError,
    indexer::{IndexView, guarded},
    tag_terms::Tally,
    tail::TailView,
    text_index::IndexError,
};
use crate::domain::{Incident, Tag, limits::TAG};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagSuggestionKind {
    /// `text` is a key.
    Key,
    /// `text` is `key=value`.
    Tag,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSuggestion {
    pub text: String,
    pub kind: TagSuggestionKind,
    /// Number of incidents with the tag; for a key, number of tags with it.
    pub count: u64,
    /// Whether the count is approximate.
    pub estimated: bool,
}

/// The typed text. Without `=` it is the beginning of a key, or a whole key whose values are wanted. With `=` it is a
/// key and the beginning of a value.
#[derive(Clone, Debug)]
struct Typed<'t> {
    text: &'t str,
    key: String,
    value: Option<&'t str>,
}

impl Search {
    /// Suggests tags, the most frequent first, and keys before tags. Tags of incidents that were deleted or changed
    /// within the last commits of the text index may still be counted. `None` while the index cannot be searched.
    /// Blocks: for blocking threads.
    pub fn suggest_tags(&self, typed: &str, limit: usize) -> Result<Option<Vec<TagSuggestion>>, SearchError> {
        let Some(typed) = Typed::new(typed) else { return Ok(Some(Vec::new())) };
        let Some(view) = self.inner.text.view() else { return Ok(None) };
        match guarded(|| view.count_tags(&typed)) {
            Ok(counts) => Ok(Some(counts.best(limit))),
            Err(error) => {
                tracing::error!(%error, "the search index failed; it will be rebuilt");
                self.inner.text.rebuild();
                Ok(None)
            }
        }
    }
}

/// Like [`Search::suggest_tags`], from the tags of these incidents only.
#[must_use]
pub fn suggest_tags_of(incidents: &[Incident], typed: &str, limit: usize) -> Vec<TagSuggestion> {
    let Some(typed) = Typed::new(typed) else { return Vec::new() };
    let mut counts = Counts::default();
    for tag in incidents.iter().flat_map(|incident| &incident.tags) {
        counts.add(&typed, &tag.tag, 1);
    }
    counts.best(limit)
}

impl<'t> Typed<'t> {
    /// Parses the typed text. `None` if it is longer than any tag.
    fn new(text: &'t str) -> Option<Self> {
        let text = text.trim_start();
        if text.chars().count() > TAG {
            return None;
        }
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value.trim_start())),
            None => (text, None),
        };
        Some(Self { text, key: key.trim().to_ascii_lowercase(), value })
    }
}

#[derive(Debug, Default)]
struct Counts {
    keys: FxHashMap<String, Tally>,
    tags: FxHashMap<String, Tally>,
}

impl Counts {
    fn add(&mut self, typed: &Typed<'_>, tag: &Tag, count: u64) {
        if typed.value.is_none() && tag.key().starts_with(&typed.key) {
            tally(&mut self.keys, tag.key()).add(count, false);
        }
        if tag.key() == typed.key && typed.value.is_none_or(|value| tag.value().starts_with(value)) {
            tally(&mut self.tags, tag.as_str()).add(count, false);
        }
    }

    /// Returns up to `limit` suggestions, of which up to half are reserved for tags.
    fn best(self, limit: usize) -> Vec<TagSuggestion> {
        let mut tags = sorted(self.tags, TagSuggestionKind::Tag);
        let mut best = sorted(self.keys, TagSuggestionKind::Key);
        best.truncate(limit.saturating_sub(tags.len().min(limit / 2)));
        tags.truncate(limit.saturating_sub(best.len()));
        best.append(&mut tags);
        best
    }
}

impl IndexView {
    fn count_tags(&self, typed: &Typed<'_>) -> Result<Counts, IndexError> {
        let mut counts = Counts::default();
        if typed.value.is_none() {
            self.searcher.tag_keys(&typed.key, &mut counts.keys)?;
        }
        if !typed.text.is_empty() {
            self.searcher.tag_values(&typed.key, typed.value.unwrap_or_default(), &mut counts.tags)?;
        }
        for document in TailView::new(&self.tail).documents() {
            // An incident that the index has already is not counted twice.
            let count = u64::from(document.is_new);
            document.tags().for_each(|tag| counts.add(typed, tag, count));
        }
        let counted = [&mut counts.keys, &mut counts.tags].into_iter().flat_map(FxHashMap::values_mut);
        counted.for_each(|tally| tally.count = tally.count.max(1));
        Ok(counts)
    }
}

fn tally<'c>(counts: &'c mut FxHashMap<String, Tally>, text: &str) -> &'c mut Tally {
    counts.entry(text.to_owned()).or_default()
}

fn sorted(counts: FxHashMap<String, Tally>, kind: TagSuggestionKind) -> Vec<TagSuggestion> {
    let suggestion =
        |(text, tally): (String, Tally)| TagSuggestion { text, kind, count: tally.count, estimated: tally.estimated };
    let mut sorted: Vec<TagSuggestion> = counts.into_iter().map(suggestion).collect();
    sorted.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
    sorted
}
