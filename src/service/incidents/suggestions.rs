//! Suggestions for tags, and related incidents.

use std::cmp::Reverse;

use crate::{
    domain::{
        filter::Criteria,
        incident::Incident,
        limits::{SUGGESTION_SAMPLE, SUGGESTIONS},
        size::SizeBudget,
        tag::Tag,
    },
    service::{Incidents, ServiceError},
};

pub use crate::search::{TagSuggestion, TagSuggestionKind};

impl Incidents {
    /// What is typed without `=` finds keys that begin so, and the tags of a key that is typed out; with it, the tags of
    /// the key whose value begins so. Letters of values must be typed in their case. The most frequent first, keys before tags.
    ///
    /// Without criteria from the text index, whose counts may be behind by what was deleted or changed in the last
    /// seconds. With criteria, or while there is no index, from the newest incidents that match, and if there are more
    /// than are looked at, the counts are marked as estimated: they are of those.
    pub async fn suggest_tags(
        &self,
        criteria: Option<Criteria>,
        typed: String,
        limit: usize,
    ) -> Result<Vec<TagSuggestion>, ServiceError> {
        let (service, limit) = (self.clone(), limit.min(SUGGESTIONS));
        self.blocking(move || {
            if criteria.is_none()
                && let Some(found) = service.search().suggest_tags(&typed, limit)?
            {
                return Ok(found);
            }
            let criteria = criteria.unwrap_or_default();
            let found = service.search().page(&criteria, None, SUGGESTION_SAMPLE, service.now())?;
            // Only their tags are of interest, and the rest may be long.
            let only_tags = |incident: &mut Incident| {
                incident.metadata = String::new();
                incident.description = String::new();
            };
            let snapshot = service.store().snapshot()?;
            let (incidents, _) = snapshot.incidents_within(found.ids, SizeBudget::new(usize::MAX), only_tags)?;
            let mut suggestions = crate::search::suggest_tags_of(&incidents, &typed, limit);
            for suggestion in &mut suggestions {
                suggestion.estimated |= found.next.is_some();
            }
            Ok(suggestions)
        })
        .await
    }

    /// Incidents that share tags with this one and started within an hour of it or are open now, with what they share:
    /// those that share most first, then those nearest in time. Looks at a bounded number.
    pub async fn neighbours(
        &self,
        incident: Incident,
        limit: usize,
    ) -> Result<Vec<(Incident, Vec<Tag>)>, ServiceError> {
        let service = self.clone();
        self.blocking(move || {
            let candidates = service.search().near(&incident, service.now());
            let distance = |other: &Incident| other.start.micros().abs_diff(incident.start.micros());
            let mut neighbours = Vec::new();
            let snapshot = service.store().snapshot()?;
            for candidate in candidates {
                let Some(other) = snapshot.incident(candidate)? else { continue };
                let common = incident.tags.iter().map(|tag| &tag.tag).filter(|tag| other.has_tag(tag));
                let shared: Vec<Tag> = common.cloned().collect();
                if !shared.is_empty() {
                    neighbours.push((other, shared));
                }
                // So that only a few are in memory at once.
                if neighbours.len() > limit {
                    neighbours.sort_by_key(|(other, shared)| (Reverse(shared.len()), distance(other), other.id));
                    neighbours.truncate(limit);
                }
            }
            neighbours.sort_by_key(|(other, shared)| (Reverse(shared.len()), distance(other), other.id));
            Ok(neighbours)
        })
        .await
    }
}
