//! Suggestions for tags, and related incidents.

use std::cmp::Reverse;

use crate::domain::{
    Criteria, Incident, SizeBudget, Tag,
    limits::{SUGGESTION_SAMPLE, SUGGESTIONS},
};
use crate::service::{Incidents, ServiceError};

pub use crate::search::{TagSuggestion, TagSuggestionKind};

impl Incidents {
    /// Suggests tags for the text that a user has typed. Without `=` it finds keys that begin with the text, and the
    /// tags of a key that equals it. With `=` it finds the tags of that key whose value begins with the rest. Values
    /// are case-sensitive. The most frequent suggestions are first, keys before tags.
    ///
    /// Without criteria the counts are from the text index and may lag behind deletions and changes of the last
    /// seconds. With criteria, or while there is no index, they are from the newest matching incidents. If more
    /// incidents match than are read, the counts cover only those that were read and are marked as estimated.
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
            // Only the tags are needed, and the other texts may be long.
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

    /// Returns incidents that share tags with this one and are open now or started within an hour of it, with the
    /// shared tags. Those that share most are first, then the nearest in time. Reads a limited number of candidates.
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
                // Keeps only a few in memory at once.
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
