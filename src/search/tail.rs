//! Texts that are committed but not in the text index yet, searched in memory.

use std::{collections::VecDeque, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};

use super::id_set::Collector;
use crate::domain::{Committed, Incident, IncidentId, Seq, Tag, filter::fold};

/// An incident as it is to be indexed.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) incident: Arc<Incident>,
    /// The folded description.
    pub(super) text: String,
    /// Whether the index has no older document of the incident.
    pub(super) is_new: bool,
}

impl Document {
    pub(super) fn new(incident: Arc<Incident>, is_new: bool) -> Self {
        let text = fold(&incident.description);
        Self { incident, text, is_new }
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.incident.tags.iter().map(|tag| &tag.tag)
    }
}

/// Consecutive changes. Not changed once they are in the tail.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    /// `None`: deleted. Replaces what the index and earlier batches have.
    pub(super) incidents: FxHashMap<IncidentId, Option<Document>>,
    /// Folded texts of events, in addition to those in the index. Consecutive equal texts, as bulk changes create them,
    /// share their memory.
    pub(super) events: Vec<(IncidentId, Arc<str>)>,
}

impl Batch {
    /// Collects the changes of a commit. `texts_of` reads the texts of an incident's events. It is called when a
    /// description changes, because texts that were part of the old one were left out.
    pub(super) fn of_commit<E>(
        committed: &[Committed],
        mut texts_of: impl FnMut(IncidentId) -> Result<Vec<String>, E>,
    ) -> Result<Self, E> {
        let mut batch = Self::default();
        for command in committed {
            for change in &command.incidents {
                match (&change.before, &change.after) {
                    (before, Some(after)) => {
                        let described = before.as_ref().is_none_or(|before| before.description != after.description);
                        let tagged = before.as_ref().is_none_or(|before| before.tags != after.tags);
                        if !described && !tagged {
                            continue;
                        }
                        if let Some(before) = before
                            && described
                        {
                            let described_before = fold(&before.description);
                            for text in texts_of(after.id)? {
                                if described_before.contains(&fold(&text)) {
                                    batch.add_event(after, &text);
                                }
                            }
                        }
                        batch.put(after, before.is_none());
                    }
                    (Some(before), None) => {
                        batch.incidents.insert(before.id, None);
                    }
                    (None, None) => {}
                }
            }
            let changes = command.incidents.iter().filter_map(|change| change.after.as_ref());
            let latest: FxHashMap<IncidentId, &Arc<Incident>> =
                changes.map(|incident| (incident.id, incident)).collect();
            for event in command.events.iter().filter(|event| !event.description.is_empty()) {
                match latest.get(&event.incident) {
                    Some(incident) => batch.add_event(incident, &event.description),
                    None => batch.push_event(event.incident, &fold(&event.description)),
                }
            }
        }
        Ok(batch)
    }

    pub(super) fn put(&mut self, incident: &Arc<Incident>, is_new: bool) {
        let is_new = is_new || matches!(self.incidents.get(&incident.id), Some(Some(earlier)) if earlier.is_new);
        self.incidents.insert(incident.id, Some(Document::new(Arc::clone(incident), is_new)));
    }

    /// Adds the text of an event, unless it is part of the description.
    pub(super) fn add_event(&mut self, incident: &Incident, text: &str) {
        if text.is_empty() || text == incident.description {
            return;
        }
        let text = fold(text);
        let described = match self.incidents.get(&incident.id) {
            Some(Some(document)) if document.incident.description == incident.description => {
                document.text.contains(&text)
            }
            _ => fold(&incident.description).contains(&text),
        };
        if !described {
            self.push_event(incident.id, &text);
        }
    }

    /// Adds a text of an event. It must be folded.
    fn push_event(&mut self, incident: IncidentId, text: &str) {
        let text = match self.events.last() {
            Some((_, last)) if **last == *text => Arc::clone(last),
            _ => Arc::from(text),
        };
        self.events.push((incident, text));
    }

    pub(super) fn len(&self) -> usize {
        self.incidents.len() + self.events.len()
    }
}

/// Batches in the order of their commits, each with its last change.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    batches: VecDeque<(Seq, Arc<Batch>)>,
    len: usize,
}

impl Tail {
    /// Returns the number of incidents and events.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, last: Seq, batch: Batch) {
        if batch.len() > 0 {
            self.len += batch.len();
            self.batches.push_back((last, Arc::new(batch)));
        }
    }

    /// Adds changes from the change log before those that were committed in the meantime.
    pub(super) fn push_front(&mut self, last: Seq, batch: Batch) {
        if batch.len() > 0 {
            self.len += batch.len();
            self.batches.push_front((last, Arc::new(batch)));
        }
    }

    /// Removes the first `count` batches, which are in the index now.
    pub(super) fn drop_first(&mut self, count: usize) {
        for (_, batch) in self.batches.drain(..count.min(self.batches.len())) {
            self.len = self.len.saturating_sub(batch.len());
        }
    }

    pub(super) fn batches(&self) -> Vec<Arc<Batch>> {
        self.batches.iter().map(|(_, batch)| Arc::clone(batch)).collect()
    }
}

/// The tail at one moment, for one query.
#[derive(Debug)]
pub(super) struct TailView<'a> {
    batches: &'a [Arc<Batch>],
    current: FxHashMap<IncidentId, Option<&'a Document>>,
}

impl<'a> TailView<'a> {
    pub(super) fn new(batches: &'a [Arc<Batch>]) -> Self {
        let mut current = FxHashMap::default();
        for batch in batches {
            current.extend(batch.incidents.iter().map(|(id, document)| (*id, document.as_ref())));
        }
        Self { batches, current }
    }

    /// Returns the incidents whose documents in the index are outdated.
    pub(super) fn overridden(&self) -> FxHashSet<u64> {
        self.current.keys().map(|id| id.0).collect()
    }

    /// Returns the current documents.
    pub(super) fn documents(&self) -> impl Iterator<Item = &'a Document> {
        self.current.values().filter_map(|document| *document)
    }

    pub(super) fn tagged(&self, groups: &[Vec<Tag>], into: &mut Collector) {
        for document in self.current.values().filter_map(|document| *document) {
            if groups.iter().all(|group| group.iter().any(|tag| document.incident.has_tag(tag))) {
                into.add(document.incident.id.0);
            }
        }
    }

    /// Finds the incidents whose description or events contain `word`, which must be folded.
    pub(super) fn containing(&self, word: &str, into: &mut Collector) {
        for document in self.current.values().filter_map(|document| *document) {
            if document.text.contains(word) {
                into.add(document.incident.id.0);
            }
        }
        for (incident, text) in self.batches.iter().flat_map(|batch| &batch.events) {
            if text.contains(word) {
                into.add(incident.0);
            }
        }
    }
}
